//go:build crash

package crashtest

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// companyConfig has two authoritative sources, one that correlates, and two targets: a file and a ledger. The folder is
// filled in.
const companyConfig = `
identityAttributes:
  - {name: department, displayName: Department, type: string, searchable: true}
sources:
  - name: HR
    connector: delimited-folder
    connectorAttributes: {folder: %[1]q, file: hr.csv}
    deleteThreshold: 50
    schemas: [&people {name: account, identityAttribute: id, displayAttribute: name, attributes: [{name: id}, {name: name},
      {name: first}, {name: last}, {name: mail}, {name: dept}, {name: mgr}, {name: state}]}]
    managerCorrelationMapping: &manager {accountAttributeName: mgr, identityAttributeName: identificationNumber}
  - name: Agency
    connector: delimited-folder
    connectorAttributes: {folder: %[1]q, file: agency.csv}
    deleteThreshold: 50
    schemas: [*people]
    managerCorrelationMapping: *manager
  - name: Directory
    connector: delimited-folder
    connectorAttributes: {folder: %[1]q, file: directory.csv}
    deleteThreshold: 50
    schemas: [{name: account, identityAttribute: sam, attributes: [{name: sam}, {name: emp}, {name: phone}]}]
    accountCorrelationConfig:
      attributeAssignments: [{property: identificationNumber, value: emp, operation: EQ}]
  - name: Files
    connector: delimited-folder
    connectorAttributes:
      folder: %[2]q
      accountStatus: {attribute: status, enabled: active, disabled: locked}
    deleteThreshold: 50
    schemas: [&target {name: account, identityAttribute: login, displayAttribute: full, attributes: [{name: login},
      {name: full}, {name: mail}, {name: status}, {name: groups, isMulti: true, isEntitlement: true}]}]
    accountCorrelationConfig: &byLogin {attributeAssignments: [{property: uid, value: login, operation: EQ}]}
    attributeSyncConfig: &synchronized
      attributes: [{name: displayName, enabled: true, target: full}, {name: email, enabled: true, target: mail}]
    provisioningPolicies: &policies
      - name: Account
        usageType: CREATE
        fields:
          - {name: login, isRequired: true, transform: {type: identityAttribute, attributes: {name: uid}}}
          - {name: full, transform: {type: identityAttribute, attributes: {name: displayName}}}
          - {name: mail, transform: {type: identityAttribute, attributes: {name: email}}}
          - {name: status, transform: {type: static, attributes: {value: active}}}
  - name: Ledger
    connector: ledger
    connectorAttributes:
      accountStatus: {attribute: status, enabled: active, disabled: locked}
    deleteThreshold: 50
    schemas: [*target]
    accountCorrelationConfig: *byLogin
    attributeSyncConfig: *synchronized
    provisioningPolicies: *policies
identityProfiles:
  - name: Employees
    priority: 10
    authoritativeSource: {type: SOURCE, name: HR}
    identityAttributeConfig: {enabled: true, attributeTransforms: [%[3]s]}
    lifecycleStates: &states
      - {name: Inactive, technicalName: inactive, identityState: INACTIVE_SHORT_TERM,
         accountActions: [{action: DISABLE, sourceIds: [Files, Ledger]}]}
      - {name: Active, technicalName: active, accountActions: [{action: ENABLE, sourceIds: [Files, Ledger]}]}
      - {name: Gone, technicalName: gone, identityState: INACTIVE_LONG_TERM,
         accountActions: [{action: DISABLE, sourceIds: [Files]}, {action: DELETE, sourceIds: [Ledger]}]}
  - name: Contractors
    priority: 20
    authoritativeSource: {type: SOURCE, name: Agency}
    identityAttributeConfig: {enabled: true, attributeTransforms: [%[4]s]}
    lifecycleStates: *states
`

// mappings returns the mappings of a profile on a source.
func mappings(source string) string {
	var list []string
	for _, pair := range [][2]string{{"uid", "id"}, {"displayName", "name"}, {"firstname", "first"},
		{"lastname", "last"}, {"email", "mail"}, {"department", "dept"}, {"identificationNumber", "id"},
		{"cloudLifecycleState", "state"}} {
		list = append(list, enginetest.Mapping(pair[0], source, pair[1]))
	}
	return strings.Join(append(list, enginetest.Mapping("phone", "Directory", "phone")), ", ")
}

var departments = []string{"Sales", "Engineering", "Legal"}

// rolesConfig gives each department its role, and everybody mail: what two roles grant stays while one does. extra is
// one more entitlement of Sales; where it is there, Legal has the role of Engineering too.
func rolesConfig(extra bool) string {
	var b strings.Builder
	b.WriteString("roles:\n")
	for _, department := range departments {
		key := strings.ToLower(department)
		also, criteria := "", equals(department)
		if extra && department == "Sales" {
			also = ", {source: {name: Ledger}, attribute: groups, value: forecast}, " +
				"{source: {name: Files}, attribute: groups, value: forecast}"
		}
		if extra && department == "Engineering" {
			criteria = fmt.Sprintf("{operation: OR, children: [%s, %s]}", equals("Engineering"), equals("Legal"))
		}
		fmt.Fprintf(&b, "  - {name: %s, enabled: true, entitlements: [{source: {name: Ledger}, attribute: groups, "+
			"value: mail}, {source: {name: Ledger}, attribute: groups, value: %s}, {source: {name: Files}, "+
			"attribute: groups, value: %s}%s], membership: {type: STANDARD, criteria: %s}}\n", department, key, key, also,
			criteria)
	}
	b.WriteString("  - {name: On duty, enabled: true, entitlements: [{source: {name: Files}, attribute: groups, " +
		"value: duty}, {source: {name: Ledger}, attribute: groups, value: duty}]}\n")
	return b.String()
}

func equals(department string) string {
	return fmt.Sprintf("{operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: %s}",
		department)
}

// person is a row of the authoritative sources.
type person struct {
	id, first, last, dept, mgr, state, phone string
	agency                                   bool
	onDuty, verified                         bool
}

// action is something that the host does, in a transaction of its own.
type action struct {
	name string
	do   func(ctx context.Context, tx pgx.Tx, eng *engine.Engine) error
}

// round is what happens at the same time: sources have changed and are aggregated, and the host acts. The next round
// begins when all of it is done.
type round struct {
	name      string
	files     map[string][]byte // by the path
	aggregate []string
	actions   []action
}

// company makes the rounds of a run.
type company struct {
	random          *rand.Rand
	sources, target string // folders
	people          []*person
	joined          []string // in the last round of changes: not invited yet
	vanished        []string // in the last round of changes: to be deleted in the next one
	next            int
	extra           bool
}

// The size of a company.
const (
	employees   = 18
	contractors = 7
	pairs       = 2 // of rounds after the first: one in which sources change, and one in which the host acts
)

// rounds returns what happens in a run. Within a round no two things are about the same access of the same identity:
// their order is open, and would show in the operations.
func rounds(seed uint64, sources, target string) []round {
	c := &company{random: rand.New(rand.NewPCG(seed, 1)), sources: sources, target: target}
	for i := range employees + contractors {
		c.join(i >= employees)
	}
	// The targets are read before the first people come: no account is created on one that was never read.
	empty := round{name: "the targets are empty", aggregate: []string{"Files", "Ledger"}, files: map[string][]byte{
		filepath.Join(target, "accounts.csv"): []byte("login,full,mail,status,groups\n")}}
	first := round{name: "the first day", aggregate: []string{"HR", "Agency", "Directory"}, files: c.files()}
	list := []round{empty, first}
	for range pairs {
		list = append(list, c.change(), c.act())
	}
	// One after the other: what is read of an account asks for the processing of its identity, which may be one that is
	// deleted, and whether its access is looked at before that would be open.
	list = append(list, round{name: "who vanished is deleted", aggregate: []string{"HR"}, actions: c.deletions()})
	return append(list, round{name: "the targets are read", aggregate: []string{"Files", "Ledger", "HR"}})
}

// companyDocuments returns the first configuration.
func companyDocuments(sources, target string) string {
	return fmt.Sprintf(companyConfig, sources, target, mappings("HR"), mappings("Agency")) + rolesConfig(false)
}

func (c *company) join(agency bool) {
	c.next++
	p := &person{id: fmt.Sprintf("e%03d", c.next), first: "First" + fmt.Sprint(c.next), last: c.name(), state: "active",
		dept: c.department(), phone: c.name(), agency: agency}
	if len(c.people) > 0 {
		p.mgr = c.any().id
	}
	c.people = append(c.people, p)
	c.joined = append(c.joined, p.id)
}

func (c *company) name() string       { return fmt.Sprintf("N%06d", c.random.IntN(1_000_000)) }
func (c *company) department() string { return departments[c.random.IntN(len(departments))] }
func (c *company) any() *person       { return c.people[c.random.IntN(len(c.people))] }

// shuffled returns what takes people, each once.
func (c *company) shuffled() func(count int) []*person {
	order, at := c.random.Perm(len(c.people)), 0
	people := append([]*person{}, c.people...)
	return func(count int) []*person {
		var taken []*person
		for range count {
			taken = append(taken, people[order[at]])
			at++
		}
		return taken
	}
}

// change is a round of joiners, movers, leavers, renames and new managers, while those who joined before are invited,
// and the identities of those who vanished before are deleted.
func (c *company) change() round {
	r := round{name: "people change", aggregate: []string{"HR", "Agency", "Directory"}, actions: c.deletions()}
	if len(c.joined) > 0 {
		r.actions = append(r.actions, inviting(c.joined))
	}
	c.joined = nil
	take := c.shuffled()
	for _, p := range take(3) {
		p.dept = c.department()
	}
	for _, p := range take(3) {
		p.last = c.name()
	}
	for _, p := range take(2) {
		p.state = "inactive"
	}
	for _, p := range take(1) {
		p.state = "gone"
	}
	for _, p := range take(2) {
		p.mgr = c.any().id
	}
	for _, p := range take(2) {
		p.state = "active" // perhaps again
	}
	for _, p := range take(3) {
		p.phone = c.name()
	}
	for _, p := range take(2) {
		c.vanished = append(c.vanished, p.id)
		c.people = without(c.people, p)
	}
	c.join(false)
	c.join(false)
	c.join(true)
	r.files = c.files()
	return r
}

// deletions are the actions that delete the identities whose accounts vanished before.
func (c *company) deletions() []action {
	var list []action
	for _, id := range c.vanished {
		list = append(list, deleting(id))
	}
	c.vanished = nil
	return list
}

func without(people []*person, gone *person) []*person {
	var rest []*person
	for _, p := range people {
		if p != gone {
			rest = append(rest, p)
		}
	}
	return rest
}

// act is a round in which the host assigns roles, changes roles, sets lifecycle states and sends verifications.
func (c *company) act() round {
	c.extra = !c.extra
	r := round{name: "the host acts", actions: []action{applying(rolesConfig(c.extra))}}
	take := c.shuffled()
	for _, p := range take(4) {
		r.actions = append(r.actions, duty(p.id, !p.onDuty))
		p.onDuty = !p.onDuty
	}
	for _, p := range take(1) {
		r.actions = append(r.actions, setting(p.id, "inactive"))
	}
	// Once each: whether a second one is sent too depends on how long the first one took.
	for _, p := range take(3) {
		if !p.verified {
			r.actions = append(r.actions, verifying(p.id))
			p.verified = true
		}
	}
	r.actions = append(r.actions, processing(take(4)))
	for _, p := range take(1) {
		r.actions = append(r.actions, synchronizing(p.id))
	}
	return r
}

// files returns the sources' files.
func (c *company) files() map[string][]byte {
	header := []string{"id", "name", "first", "last", "mail", "dept", "mgr", "state"}
	hr, agency, directory := [][]string{header}, [][]string{header}, [][]string{{"sam", "emp", "phone"}}
	for _, p := range c.people {
		row := []string{p.id, p.first + " " + p.last, p.first, p.last, strings.ToLower(p.last) + "@example.com", p.dept,
			p.mgr, p.state}
		if p.agency {
			agency = append(agency, row)
		} else {
			hr = append(hr, row)
		}
		directory = append(directory, []string{"d-" + p.id, p.id, p.phone})
	}
	return map[string][]byte{
		filepath.Join(c.sources, "hr.csv"):        table(hr),
		filepath.Join(c.sources, "agency.csv"):    table(agency),
		filepath.Join(c.sources, "directory.csv"): table(directory),
	}
}

func table(rows [][]string) []byte {
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		panic(err) // memory takes everything
	}
	return b.Bytes()
}

// write puts the files of a round in their places.
func (r *round) write() error {
	for path, text := range r.files {
		fresh := path + ".new"
		if err := errors.Join(os.WriteFile(fresh, text, 0o600), os.Rename(fresh, path)); err != nil {
			return err
		}
	}
	return nil
}

// identified returns the IDs of identities by their aliases.
func identified(ctx context.Context, eng *engine.Engine, aliases ...string) ([]string, error) {
	ids := make([]string, len(aliases))
	for i, alias := range aliases {
		identity, err := eng.FindIdentity(ctx, alias)
		if err != nil {
			return nil, err
		}
		ids[i] = identity.ID
	}
	return ids, nil
}

// about is an action on one identity.
func about(name, alias string, do func(ctx context.Context, tx pgx.Tx, eng *engine.Engine, id string) error) action {
	return action{name + " " + alias, func(ctx context.Context, tx pgx.Tx, eng *engine.Engine) error {
		ids, err := identified(ctx, eng, alias)
		if err != nil {
			return err
		}
		return do(ctx, tx, eng, ids[0])
	}}
}

func applying(text string) action {
	return action{"apply the roles", func(ctx context.Context, tx pgx.Tx, eng *engine.Engine) error {
		documents, err := engine.ReadDocuments("roles.yaml", strings.NewReader(text))
		if err != nil {
			return err
		}
		_, err = eng.ApplyTx(ctx, tx, documents)
		return err
	}}
}

func inviting(aliases []string) action {
	return action{"invite", func(ctx context.Context, tx pgx.Tx, eng *engine.Engine) error {
		ids, err := identified(ctx, eng, aliases...)
		if err != nil {
			return err
		}
		_, err = eng.InviteIdentitiesTx(ctx, tx, engine.InviteParams{IDs: ids})
		return err
	}}
}

func processing(people []*person) action {
	return action{"process", func(ctx context.Context, tx pgx.Tx, eng *engine.Engine) error {
		var aliases []string
		for _, p := range people {
			aliases = append(aliases, p.id)
		}
		ids, err := identified(ctx, eng, aliases...)
		if err != nil {
			return err
		}
		_, err = eng.ProcessIdentitiesTx(ctx, tx, ids)
		return err
	}}
}

func deleting(alias string) action {
	return about("delete", alias, func(ctx context.Context, tx pgx.Tx, eng *engine.Engine, id string) error {
		return eng.DeleteIdentityTx(ctx, tx, id)
	})
}

func setting(alias, state string) action {
	return about("set the state of", alias, func(ctx context.Context, tx pgx.Tx, eng *engine.Engine, id string) error {
		return eng.SetLifecycleStateTx(ctx, tx, id, state)
	})
}

func verifying(alias string) action {
	return about("verify", alias, func(ctx context.Context, tx pgx.Tx, eng *engine.Engine, id string) error {
		return eng.SendVerificationTx(ctx, tx, id, engine.VerificationParams{Via: engine.ViaEmailWork})
	})
}

func synchronizing(alias string) action {
	return about("synchronize", alias, func(ctx context.Context, tx pgx.Tx, eng *engine.Engine, id string) error {
		_, err := eng.SynchronizeAttributesTx(ctx, tx, id)
		return err
	})
}

// duty assigns the role that is assigned by request, or revokes it.
func duty(alias string, assign bool) action {
	if assign {
		return about("assign", alias, func(ctx context.Context, tx pgx.Tx, eng *engine.Engine, id string) error {
			_, err := eng.AssignRoleTx(ctx, tx, engine.AssignRoleParams{Identity: id, Role: "On duty"})
			return err
		})
	}
	return about("revoke", alias, func(ctx context.Context, tx pgx.Tx, eng *engine.Engine, id string) error {
		roles, err := eng.RoleAssignments(ctx, id, engine.RoleAssignmentQuery{RoleName: "On duty"})
		if err != nil {
			return err
		}
		if len(roles) != 1 {
			return fmt.Errorf("%s has %d assignments of the role", alias, len(roles))
		}
		return eng.RevokeRoleTx(ctx, tx, id, roles[0].ID)
	})
}
