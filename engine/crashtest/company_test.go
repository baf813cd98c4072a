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
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// companyConfig has two authoritative sources, one that correlates, and four targets: a file, a database, a directory
// and a ledger. Accounts are found by the person whom they name, so that a new name does not part them.
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
  - name: Phones
    connector: delimited-folder
    connectorAttributes: {folder: %[1]q, file: phones.csv}
    deleteThreshold: 50
    schemas: [{name: account, identityAttribute: sam, attributes: [{name: sam}, {name: emp}, {name: phone}]}]
    accountCorrelationConfig: &byPerson
      attributeAssignments: [{property: identificationNumber, value: emp, operation: EQ}]
  - name: Files
    connector: delimited-folder
    connectorAttributes:
      folder: %[2]q
      accountStatus: &status {attribute: status, enabled: active, disabled: locked}
    deleteThreshold: 50
    schemas: [&target {name: account, identityAttribute: login, displayAttribute: full, attributes: [{name: login},
      {name: emp}, {name: full}, {name: mail}, {name: status}, {name: groups, isMulti: true, isEntitlement: true}]}]
    accountCorrelationConfig: *byPerson
    attributeSyncConfig: &synchronized
      attributes: [{name: displayName, enabled: true, target: full}, {name: email, enabled: true, target: mail}]
    provisioningPolicies: &policies
      - name: Account
        usageType: CREATE
        fields:
          - {name: login, isRequired: true, transform: {type: identityAttribute, attributes: {name: uid}}}
          - {name: emp, transform: {type: identityAttribute, attributes: {name: identificationNumber}}}
          - {name: full, transform: {type: identityAttribute, attributes: {name: displayName}}}
          - {name: mail, transform: {type: identityAttribute, attributes: {name: email}}}
          - {name: status, transform: {type: static, attributes: {value: active}}}
  - name: Database
    connector: postgres
    connectorAttributes:
      connection: env:CRASH_DATABASE
      table: users
      memberships: [{attribute: groups, table: user_groups, account: login, value: name}]
      stableIdentityColumn: id
      accountStatus: *status
    deleteThreshold: 50
    schemas: [*target]
    accountCorrelationConfig: *byPerson
    attributeSyncConfig: *synchronized
    provisioningPolicies: *policies
  - name: Directory
    connector: ldap
    connectorAttributes:
      url: %[5]q
      bindDN: %[6]q
      password: env:CRASH_DIRECTORY
      userBase: %[7]q
      groupBase: %[8]q
      emptyMember: %[9]q
      accountStatus: {attribute: employeeType, enabled: active, disabled: locked}
    deleteThreshold: 50
    schemas: [{name: account, identityAttribute: dn, displayAttribute: cn, attributes: [{name: dn}, {name: uid},
      {name: employeeNumber}, {name: cn}, {name: sn}, {name: mail}, {name: employeeType},
      {name: memberOf, isMulti: true, isEntitlement: true}]}]
    accountCorrelationConfig:
      attributeAssignments: [{property: identificationNumber, value: employeeNumber, operation: EQ}]
    attributeSyncConfig:
      attributes: [{name: displayName, enabled: true, target: cn}, {name: email, enabled: true, target: mail}]
    provisioningPolicies:
      - name: Account
        usageType: CREATE
        fields:
          - {name: uid, isRequired: true, transform: {type: identityAttribute, attributes: {name: uid}}}
          - {name: employeeNumber, transform: {type: identityAttribute, attributes: {name: identificationNumber}}}
          - {name: cn, transform: {type: identityAttribute, attributes: {name: displayName}}}
          - {name: sn, transform: {type: identityAttribute, attributes: {name: lastname}}}
          - {name: mail, transform: {type: identityAttribute, attributes: {name: email}}}
          - {name: employeeType, transform: {type: static, attributes: {value: active}}}
  - name: Ledger
    connector: ledger
    connectorAttributes: {accountStatus: *status}
    deleteThreshold: 50
    schemas: [*target]
    accountCorrelationConfig: *byPerson
    attributeSyncConfig: *synchronized
    provisioningPolicies: *policies
identityProfiles:
  - name: Employees
    priority: 10
    authoritativeSource: {type: SOURCE, name: HR}
    identityAttributeConfig: {enabled: true, attributeTransforms: [%[3]s]}
    lifecycleStates: &states
      - {name: Inactive, technicalName: inactive, identityState: INACTIVE_SHORT_TERM,
         accountActions: [{action: DISABLE, sourceIds: [Files, Database, Directory, Ledger]}]}
      - {name: Active, technicalName: active,
         accountActions: [{action: ENABLE, sourceIds: [Files, Database, Directory, Ledger]}]}
      - {name: Gone, technicalName: gone, identityState: INACTIVE_LONG_TERM,
         accessActionConfiguration: {removeAllAccessEnabled: true},
         accountActions: [{action: DISABLE, sourceIds: [Files, Database]}, {action: DELETE, sourceIds: [Directory, Ledger]}]}
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
	return strings.Join(append(list, enginetest.Mapping("phone", "Phones", "phone")), ", ")
}

var departments = []string{"Sales", "Engineering", "Legal"}

// rolesConfig gives each department its role, and everybody mail: what two roles grant stays while one does. extra is
// one more entitlement of Sales; where it is there, Legal has the role of Engineering too.
func rolesConfig(extra bool) string {
	var b strings.Builder
	b.WriteString("roles:\n")
	for _, department := range departments {
		key := strings.ToLower(department)
		criteria := equals(department)
		granted := granting(mailGroup, "Ledger", "Directory") + ", " + granting(key, targets...)
		if extra && department == "Sales" {
			granted += ", " + granting("forecast", targets...)
		}
		if extra && department == "Engineering" {
			criteria = fmt.Sprintf("{operation: OR, children: [%s, %s]}", equals("Engineering"), equals("Legal"))
		}
		fmt.Fprintf(&b, "  - {name: %s, enabled: true, entitlements: [%s], membership: {type: STANDARD, criteria: %s}}\n",
			department, granted, criteria)
	}
	fmt.Fprintf(&b, "  - {name: On duty, enabled: true, entitlements: [%s]}\n", granting("duty", targets...))
	return b.String()
}

// mailGroup is the group that each department's role grants.
const mailGroup = "mail"

// targets are the sources that access is provisioned to.
var targets = []string{"Files", "Database", "Directory", "Ledger"}

// granting returns the entitlements of a role: membership in a group on targets.
func granting(group string, targets ...string) string {
	var list []string
	for _, name := range targets {
		attribute, value := "groups", group
		if name == "Directory" {
			attribute, value = "memberOf", groupDN(group)
		}
		list = append(list, fmt.Sprintf("{source: {name: %s}, attribute: %s, value: %q}", name, attribute, value))
	}
	return strings.Join(list, ", ")
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
	changes   []change          // of accounts, at the targets
	aggregate []string
	actions   []action
}

// company makes the rounds of a run.
type company struct {
	random          *rand.Rand
	sources, target string // folders
	people          []*person
	joined          []string  // in the last round of changes: not invited yet
	left            []*person // in the last round of changes: they vanish from their source in the next one
	vanished        []string  // in the last round of changes: to be deleted in the next one
	next            int
	extra           bool
	changed         int       // accounts, at the targets
	settled         []*person // who had accounts on all targets before the last round of changes
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
	empty := round{name: "the targets are empty", aggregate: targets, files: map[string][]byte{
		filepath.Join(target, "accounts.csv"): []byte(strings.Join(fileColumns, ",") + "\n")}}
	first := round{name: "the first day", aggregate: []string{"HR", "Agency", "Phones"}, files: c.files()}
	list := []round{empty, first}
	for range pairs {
		c.settled = slices.Clone(c.people)
		list = append(list, c.change(), c.act(), c.disturb())
	}
	// One after the other: what is read of an account asks for the processing of its identity, which may be one that is
	// deleted, and whether its access is looked at before that would be open.
	list = append(list, round{name: "who vanished is deleted", aggregate: []string{"HR"}, actions: c.deletions()})
	return append(list, round{name: "the targets are read", aggregate: append([]string{"HR"}, targets...)})
}

// disturb is a round in which people change accounts at the targets, behind the back of the engine: they rename and
// move them, delete them, and create them again without their groups. Then the targets are read.
func (c *company) disturb() round {
	r := round{name: "the targets change", aggregate: changedTargets}
	order, at := c.random.Perm(len(c.settled)), 0
	next := func() *person {
		for {
			p := c.settled[order[at]]
			if at++; slices.Contains(c.people, p) {
				return p
			}
		}
	}
	for _, name := range changedTargets {
		for _, kind := range changeKinds {
			if kind == changePlace && name != "Directory" {
				continue
			}
			c.changed++
			r.changes = append(r.changes, change{name, kind, next().id, fmt.Sprintf("renamed%d", c.changed)})
		}
	}
	return r
}

// companyDocuments returns the first configuration. The folders and the URL of the directory are filled in.
func companyDocuments(sources, target, directory string) string {
	return fmt.Sprintf(companyConfig, sources, target, mappings("HR"), mappings("Agency"), directory, directoryAdmin,
		peopleBase, groupsBase, nobody) + rolesConfig(false)
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
	r := round{name: "people change", aggregate: []string{"HR", "Agency", "Phones"}, actions: c.deletions()}
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
	left := c.left
	c.left = take(2)
	for _, p := range c.left {
		p.state, p.onDuty = "gone", false // which is revoked then
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
	for _, p := range left {
		if p.state == "gone" { // otherwise they came back
			c.vanished = append(c.vanished, p.id)
			c.people = without(c.people, p)
		}
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
	for _, p := range present(take(4)) {
		r.actions = append(r.actions, duty(p.id, !p.onDuty))
		p.onDuty = !p.onDuty
	}
	for _, p := range present(take(1)) {
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

// present returns the people who are not gone.
func present(people []*person) []*person {
	return slices.DeleteFunc(people, func(p *person) bool { return p.state == "gone" })
}

// files returns the sources' files.
func (c *company) files() map[string][]byte {
	header := []string{"id", "name", "first", "last", "mail", "dept", "mgr", "state"}
	hr, agency, phones := [][]string{header}, [][]string{header}, [][]string{{"sam", "emp", "phone"}}
	for _, p := range c.people {
		row := []string{p.id, p.first + " " + p.last, p.first, p.last, strings.ToLower(p.last) + "@example.com", p.dept,
			p.mgr, p.state}
		if p.agency {
			agency = append(agency, row)
		} else {
			hr = append(hr, row)
		}
		phones = append(phones, []string{"d-" + p.id, p.id, p.phone})
	}
	return map[string][]byte{
		filepath.Join(c.sources, "hr.csv"):     table(hr),
		filepath.Join(c.sources, "agency.csv"): table(agency),
		filepath.Join(c.sources, "phones.csv"): table(phones),
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
		_, err := eng.SetLifecycleStateTx(ctx, tx, id, state)
		return err
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
