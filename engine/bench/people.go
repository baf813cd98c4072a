package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// The population: 22 mapped attributes, two accounts for each person, and 100 roles with criteria. A person has about
// five of the roles.
const (
	roleCount = 100
	// valuesPerRoleAttribute is the number of values of an attribute in the roles' criteria.
	valuesPerRoleAttribute = 20
)

var (
	roleAttributes  = []string{"division", "site", "grade", "team", "project"}
	plainAttributes = []string{"title", "company", "street", "building", "telephone", "costCenter", "contract"}
)

// The attributes with the cohort of a person. Both have the same value. The first one is searchable and finds
// identities.
const (
	cohortAttribute      = "cohort"
	plainCohortAttribute = "cohortPlain"
)

// company is the plan of a population.
type company struct {
	people int
	seed   uint64
}

// cohortSize is the number of people in a cohort. A role that moves from one cohort to another concerns twice as many.
func (c company) cohortSize() int { return max(c.people/4000, 1) }

// number returns a number below n that depends only on a person and a purpose (splitmix64).
func (c company) number(person, purpose, n int) int {
	z := c.seed + uint64(person)*0x9E3779B97F4A7C15 + uint64(purpose)*0xD1B54A32D192ED03
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return int((z ^ z>>31) % uint64(n))
}

const registerHeader = "id,name,first,last,mail,mgr,state"

// register returns the accounts of people on the authoritative source, as text. Changed accounts have another title and
// another division, which is in roles' criteria.
func (c company) register(people []int, changed bool) []byte {
	var b bytes.Buffer
	b.WriteString(registerHeader)
	for _, name := range c.mapped() {
		b.WriteString("," + name)
	}
	b.WriteByte('\n')
	for _, i := range people {
		first, last := c.number(i, 1, 1000), c.number(i, 2, 20_000)
		fmt.Fprintf(&b, "%d,Person %d,First%d,Last%d,p%d@example.com,", i, i, first, last, i)
		if i > 0 {
			b.WriteString(strconv.Itoa(i / 8))
		}
		b.WriteString(",active")
		c.appendValues(&b, i, changed)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// everyNth returns the people with a number that is a multiple of n.
func (c company) everyNth(n int) []int {
	var people []int
	for i := 0; i < c.people; i += n {
		people = append(people, i)
	}
	return people
}

// mapped returns the attributes other than the standard ones, in the order of the register's columns.
func (company) mapped() []string {
	names := append([]string{}, roleAttributes...)
	names = append(names, cohortAttribute, plainCohortAttribute)
	return append(names, plainAttributes...)
}

func (c company) appendValues(b *bytes.Buffer, person int, changed bool) {
	for k, name := range roleAttributes {
		n := c.number(person, 10+k, valuesPerRoleAttribute)
		if k == 0 && changed {
			n = (n + 1) % valuesPerRoleAttribute
		}
		fmt.Fprintf(b, ",%s %d", name, n)
	}
	cohort := person / c.cohortSize()
	fmt.Fprintf(b, ",cohort %d,cohort %d", cohort, cohort)
	for k, name := range plainAttributes {
		if k == 0 && changed {
			fmt.Fprintf(b, ",changed %s %d", name, c.number(person, 30+k, 200))
			continue
		}
		fmt.Fprintf(b, ",%s %d", name, c.number(person, 30+k, 200))
	}
}

// directory returns the second account of each person, which correlates by the person's number.
func (c company) directory() []byte {
	var b bytes.Buffer
	b.WriteString("sam,emp\n")
	for i := range c.people {
		fmt.Fprintf(&b, "login%d,%d\n", i, i)
	}
	return b.Bytes()
}

// badges returns an account for each person on a correlating source on which no one has an account. If changed is set,
// every hundredth account has another floor.
func (c company) badges(changed bool) []byte {
	var b bytes.Buffer
	b.WriteString("badge,emp,building,floor,issued,kind\n")
	for i := range c.people {
		floor := c.number(i, 50, 40)
		if changed && i%100 == 0 {
			floor += 100
		}
		fmt.Fprintf(&b, "badge%d,%d,Building %d,%d,2026-0%d-01,kind %d\n", i, i, c.number(i, 51, 30), floor,
			1+c.number(i, 52, 9), c.number(i, 53, 5))
	}
	return b.Bytes()
}

// The sources of the population.
const (
	registerSource  = "Register"
	directorySource = "Directory"
	badgeSource     = "Badges"
)

// config returns the population's configuration.
func (c company) config() string {
	var b strings.Builder
	b.WriteString("identityAttributes:\n")
	for _, name := range c.mapped() {
		fmt.Fprintf(&b, "  - {name: %s, displayName: %s, type: string, searchable: %t}\n", name, name,
			name == cohortAttribute)
	}
	b.WriteString(`sources:
  - name: Register
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        displayAttribute: name
        attributes: [{name: id}, {name: name}, {name: first}, {name: last}, {name: mail}, {name: mgr}, {name: state}`)
	for _, name := range c.mapped() {
		fmt.Fprintf(&b, ", {name: %s}", name)
	}
	b.WriteString(`]
    managerCorrelationMapping: {accountAttributeName: mgr, identityAttributeName: uid}
  - name: Directory
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: sam
        attributes: [{name: sam}, {name: emp}]
    accountCorrelationConfig:
      attributeAssignments: [{property: uid, value: emp, operation: EQ}]
  - name: Badges
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: badge
        attributes: [{name: badge}, {name: emp}, {name: building}, {name: floor}, {name: issued}, {name: kind}]
    accountCorrelationConfig:
      attributeAssignments: [{property: uid, value: emp, operation: EQ}]
identityProfiles:
  - name: Employees
    authoritativeSource: {type: SOURCE, name: Register}
    lifecycleStates:
      - {name: Active, technicalName: active, identityState: ACTIVE}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
`)
	mapping := func(attribute, source, from string) {
		fmt.Fprintf(&b, "        - {identityAttributeName: %s, transformDefinition: {type: accountAttribute, "+
			"attributes: {sourceName: %s, attributeName: %s}}}\n", attribute, source, from)
	}
	for _, pair := range [][2]string{{"uid", "id"}, {"displayName", "name"}, {"firstname", "first"},
		{"lastname", "last"}, {"email", "mail"}, {"identificationNumber", "id"}, {"cloudLifecycleState", "state"}} {
		mapping(pair[0], registerSource, pair[1])
	}
	mapping("login", directorySource, "sam")
	for _, name := range c.mapped() {
		mapping(name, registerSource, name)
	}
	b.WriteString("roles:\n")
	for i := range roleCount - 2 {
		name := roleAttributes[i%len(roleAttributes)]
		b.WriteString(roleDocument(fmt.Sprintf("Role %d", i), name, fmt.Sprintf("%s %d", name, i/len(roleAttributes))))
	}
	b.WriteString(c.cohortRole(cohortAttribute, 0))
	b.WriteString(c.cohortRole(plainCohortAttribute, 0))
	return b.String()
}

// cohortRole returns the role of a cohort. Its criterion uses one of the attributes with the cohort.
func (c company) cohortRole(attribute string, cohort int) string {
	return roleDocument("Role by "+attribute, attribute, fmt.Sprintf("cohort %d", cohort))
}

func roleDocument(name, attribute, value string) string {
	return fmt.Sprintf(`  - name: %s
    enabled: true
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.%s}, stringValue: %s}
`, name, attribute, value)
}
