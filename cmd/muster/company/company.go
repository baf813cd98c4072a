package company

import (
	_ "embed"
	"fmt"
	"strings"
	"time"
)

// Today is the present day of the sample: leavers left before it, and future joiners join after it.
var Today = time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)

//go:embed company.yaml
var config []byte

// Company is a sample company. Its methods are safe for concurrent use.
type Company struct {
	people int
	seed   uint64
}

// New returns a company with that many people on its payroll.
func New(people int, seed uint64) *Company { return &Company{people, seed} }

// Config returns the configuration for the company's sources and identities, as YAML.
func (c *Company) Config() []byte { return config }

// hash returns a number that depends only on a person and a purpose. It is the finaliser of SplitMix64.
func (c *Company) hash(person int, purpose uint64) uint64 {
	x := c.seed*0x9E3779B97F4A7C15 + uint64(person)*0xBF58476D1CE4E5B9 + purpose*0x94D049BB133111EB
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// The purposes of hashes.
const (
	forTitle = iota + 1
	forOffice
	forPhone
	forStart
	forStay
	forPreferred
	forDirectory
	forNumber
	forDisabled
	forCode
	forPersonal
	forType
)

// chance returns true for a share of the people, in percent.
func (c *Company) chance(person int, purpose uint64, percent uint64) bool {
	return c.hash(person, purpose)%1000 < 10*percent
}

// span is the most people that an employee leads. The tree of management is complete.
const span = 8

// person is a person, calculated from a number: 0 leads the company. The numbers of contractors follow those of the
// payroll.
type person struct {
	index            int
	given, family    string
	display          string
	login            string // unique, ASCII
	department       *department
	title            string
	office           *office
	phone            string
	start, end       string // dates; end may be empty
	left, contractor bool
}

func (p *person) employeeID() string { return fmt.Sprint(100001 + p.index) }
func (p *person) email() string      { return p.login + "@example.com" }

// person calculates a person.
func (c *Company) person(i int) person {
	k := &cultures[i%len(cultures)]
	ordinal := i / len(cultures)
	givens, families := len(k.given)/2, len(k.family)/2
	// Every pair of names occurs once before any occurs again. The stride only mixes them.
	pair := ordinal % (givens * families)
	round := ordinal / (givens * families)
	family := pair % families
	given := (pair/families + family*3) % givens
	p := person{index: i, given: k.given[2*given], family: k.family[2*family], contractor: i >= c.people}
	p.display = p.given + " " + p.family
	if k.familyFirst {
		p.display = p.family + " " + p.given
	}
	p.login = k.given[2*given+1] + "." + k.family[2*family+1]
	if round > 0 {
		p.login += fmt.Sprint(round + 1)
	}
	p.office = &offices[k.places[c.hash(i, forOffice)%uint64(len(k.places))]]
	p.phone = k.phone(c.hash(i, forPhone))
	c.place(&p)
	c.date(&p)
	return p
}

// place gives a person the department of the head above them, and a title for their rank.
func (c *Company) place(p *person) {
	if p.contractor {
		p.department = &departments[c.hash(p.index, forTitle)%uint64(len(departments))]
		p.title = "Contractor"
		return
	}
	top, depth := p.index, 0
	for top > span {
		top = manager(top)
		depth++
	}
	if top == 0 {
		p.department = &department{name: "Executive", costCenter: "CC-0001"}
		p.title = "Chief Executive Officer"
		return
	}
	p.department = &departments[(top-1)%len(departments)]
	titles := p.department.titles
	switch {
	case depth == 0:
		p.title = titles[0]
	case p.index*span+1 < c.people:
		p.title = titles[1]
	default:
		p.title = titles[2+c.hash(p.index, forTitle)%uint64(len(titles)-2)]
	}
}

// manager returns the number of a person's manager.
func manager(i int) int { return (i - 1) / span }

// date gives a person a first day, and leavers a last one.
func (c *Company) date(p *person) {
	days := 30 + int(c.hash(p.index, forStart)%4000)
	start := Today.AddDate(0, 0, -days)
	switch stay := c.hash(p.index, forStay) % 1000; {
	case p.index <= span: // the heads stay
	case stay < 40: // left
		p.left = true
		p.end = start.AddDate(0, 0, 1+int(stay)*days/41).Format(time.DateOnly)
	case stay < 50: // will leave
		p.end = Today.AddDate(0, 0, 10+int(stay)).Format(time.DateOnly)
	case stay < 60: // will join
		start = Today.AddDate(0, 0, int(stay)-40)
	}
	p.start = start.Format(time.DateOnly)
}

// fictional returns telephone numbers from the ranges of patterns with one number each.
func fictional(patterns ...string) func(n uint64) string {
	return func(n uint64) string {
		pattern := patterns[n%uint64(len(patterns))]
		size := uint64(100)
		if strings.Contains(pattern, "%03d") {
			size = 1000
		}
		return fmt.Sprintf(pattern, n/7%size)
	}
}
