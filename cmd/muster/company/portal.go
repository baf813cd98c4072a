package company

import (
	_ "embed"
	"encoding/csv"
	"io"
	"slices"
	"strings"
)

// Portal is the source to which the company provisions access.
const Portal = "Board Portal"

// PortalFile is the file of its accounts, in the folder of [Company.PortalConfig].
const PortalFile = "board-portal.csv"

// PortalText is the first content of the file: an account that nobody manages.
const PortalText = "login,name,mail,status,rooms\nauditor,External auditor,audit@example.org,active,minutes\n"

//go:embed portal.yaml
var portal string

// PortalConfig returns the configuration of the portal, as YAML.
func (c *Company) PortalConfig(folder string) []byte {
	return []byte(strings.ReplaceAll(portal, "{folder}", strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(folder)))
}

// Change is an event in the life of a person.
type Change struct {
	Who, What string
	row       []string
}

// Changes returns the next changes that the HR system reports: one person joins, one moves, one leaves, one is renamed.
// The company must have at least four people.
func (c *Company) Changes() []Change {
	column := func(row []string, name string) *string { return &row[slices.Index(hrColumns, name)] }
	joiner := c.hrRow(0)
	for name, value := range map[string]string{"employeeId": "900001", "firstName": "Amara", "lastName": "Okafor",
		"preferredName": "", "displayName": "Amara Okafor", "email": "amara.okafor@example.com",
		"personalEmail": "amara@example.net", "jobTitle": "VP Research", "startDate": "2026-05-01", "endDate": "",
		"managerId": "100001", "employeeType": "Employee"} {
		*column(joiner, name) = value
	}
	renamed, moved, left := c.hrRow(1), c.hrRow(2), c.hrRow(3)
	family := *column(renamed, "lastName")
	*column(renamed, "lastName") = "Öztürk-" + family
	*column(renamed, "displayName") = strings.ReplaceAll(*column(renamed, "displayName"), family, "Öztürk-"+family)
	*column(renamed, "email") = "oeztuerk@example.com"
	*column(moved, "jobTitle") = "Senior Advisor"
	*column(left, "endDate") = "2026-05-31"
	return []Change{
		{"Amara Okafor", "joins as VP Research", joiner},
		{*column(moved, "displayName"), "steps down and becomes Senior Advisor", moved},
		{*column(left, "displayName"), "has left", left},
		{*column(renamed, "displayName"), "has a new name and address", renamed},
	}
}

// WriteChanges writes changes as the HR system does, with a header row.
func WriteChanges(changes []Change, w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(hrColumns); err != nil {
		return err
	}
	for _, change := range changes {
		if err := out.Write(change.row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
