package company

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// The sources, in the order of their aggregation.
const (
	HR        = "HR"
	Directory = "Corporate Directory"
	CodeHost  = "Code Host"
)

// Sources returns the names of the sources, in the order of their aggregation.
func (c *Company) Sources() []string { return []string{HR, Directory, CodeHost} }

// contractors returns the number of people who work for the company and are not on its payroll.
func (c *Company) contractors() int { return c.people * 6 / 100 }

// source is one export: its columns, the people who may be in it, and a function for a person's row, which returns nil
// for no row.
type source struct {
	columns []string
	count   int
	row     func(c *Company, i int) []string
}

func (c *Company) source(name string) (source, error) {
	switch name {
	case HR:
		return source{hrColumns, c.people, (*Company).hrRow}, nil
	case Directory:
		return source{directoryColumns, c.people + c.contractors() + len(services), (*Company).directoryRow}, nil
	case CodeHost:
		return source{codeHostColumns, c.people + c.contractors(), (*Company).codeHostRow}, nil
	}
	return source{}, fmt.Errorf("the sample company has no source %q: it has %s", name, strings.Join(c.Sources(), ", "))
}

// WriteCSV writes the accounts of a source with a header row.
func (c *Company) WriteCSV(name string, w io.Writer) error {
	s, err := c.source(name)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(s.columns); err != nil {
		return err
	}
	for i := range s.count {
		row := s.row(c, i)
		if row == nil {
			continue
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

var hrColumns = []string{
	"employeeId", "firstName", "lastName", "preferredName", "displayName", "email", "personalEmail", "phone",
	"jobTitle",
	"department", "costCenter", "location", "country", "address", "startDate", "endDate", "managerId", "employeeType",
}

func (c *Company) hrRow(i int) []string {
	p := c.person(i)
	preferred, kind, managerID := "", "Employee", ""
	if c.chance(i, forPreferred, 8) {
		preferred, _, _ = strings.Cut(p.given, " ")
		preferred, _, _ = strings.Cut(preferred, "-")
	}
	if i > span && c.chance(i, forType, 5) {
		kind = "Intern"
	}
	if i > 0 {
		managerID = (&person{index: manager(i)}).employeeID()
	}
	return []string{
		p.employeeID(), p.given, p.family, preferred, p.display, p.email(), c.personalEmail(&p), p.phone, p.title,
		p.department.name, p.department.costCenter, p.office.city, p.office.country,
		p.office.street + "\n" + p.office.city, p.start, p.end, managerID, kind,
	}
}

func (c *Company) personalEmail(p *person) string {
	return fmt.Sprintf("%s.%x@example.net", p.login, c.hash(p.index, forPersonal)&0xfff)
}

var directoryColumns = []string{
	"sAMAccountName", "displayName", "givenName", "sn", "mail", "employeeNumber", "department", "manager", "memberOf",
	"accountDisabled", "whenCreated",
}

// services are accounts that belong to no person.
var services = []string{"svc-backup", "svc-build", "svc-monitoring", "svc-print", "svc-scanner"}

func (c *Company) directoryRow(i int) []string {
	if n := i - c.people - c.contractors(); n >= 0 {
		name := services[n]
		return []string{name, name, "", "", "", "", "", "", group("Service Accounts"), "false", "2019-01-01"}
	}
	p := c.person(i)
	if !p.contractor && c.chance(i, forDirectory, 2) {
		return nil
	}
	mail, number, boss := p.email(), p.employeeID(), ""
	groups := []string{group("All Staff"), group(p.department.name), group(p.office.city)}
	switch {
	case p.contractor:
		mail, number = p.login+"@contractors.example.org", ""
		groups[0] = group("Contractors")
	case c.chance(i, forNumber, 5):
		// Someone forgot the number and typed the address by hand.
		mail, number = strings.ToUpper(mail[:1])+mail[1:], ""
	}
	if !p.contractor && i > 0 {
		head := c.person(manager(i))
		boss = dn(head.display)
	}
	disabled := p.left && c.chance(i, forDisabled, 70) // the other leavers are for an audit to find
	return []string{
		p.login, p.display, p.given, p.family, mail, number, p.department.name, boss, strings.Join(groups, ";"),
		fmt.Sprint(disabled), p.start,
	}
}

func group(name string) string { return "CN=" + name + ",OU=Groups,DC=example,DC=com" }

// dn escapes the special characters of a distinguished name.
func dn(name string) string {
	return "CN=" + strings.NewReplacer(`,`, `\,`, `"`, `\"`, `+`, `\+`).Replace(name) + ",OU=People,DC=example,DC=com"
}

var codeHostColumns = []string{"username", "name", "email", "role", "teams", "twoFactor", "lastActive"}

func (c *Company) codeHostRow(i int) []string {
	p := c.person(i)
	if !p.department.code && !c.chance(i, forCode, 6) || p.left {
		return nil
	}
	email, role := p.email(), "member"
	switch n := c.hash(i, forCode) % 100; {
	case p.contractor:
		email = p.login + "@contractors.example.org"
	case n < 10:
		email = c.personalEmail(&p)
	case n < 30:
		email = strings.ToUpper(email)
	case n < 33:
		email = "hidden-" + p.login + "@example.org" // matches no one
	}
	if strings.Contains(p.title, "Manager") || i <= span {
		role = "owner"
	}
	teams := strings.ToLower(p.department.name)
	if role == "owner" {
		teams += ";leads"
	}
	active := Today.AddDate(0, 0, -int(c.hash(i, forStay)%200)).Format("2006-01-02T15:04:05Z")
	return []string{strings.ReplaceAll(p.login, ".", "-"), p.display, email, role, teams, fmt.Sprint(c.hash(i,
		forTitle)%5 != 0), active}
}
