package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
)

// grantConfig is a source of doors that two teams open: the team of a person is a role by membership. Accounts are
// correlated by the number of the person, and have a stable identity where a test sets the column.
const grantConfig = `
identityAttributes: [{name: team, displayName: Team, type: string, searchable: true}]
sources:
  - name: Staff
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: no
        displayAttribute: who
        attributes: [{name: no}, {name: who}, {name: team}]
  - name: Files
    connector: delimited-file
    connectorAttributes: {folder: %q%s}
    schemas:
      - name: account
        identityAttribute: login
        attributes: [{name: login}, {name: no}, {name: doors, isMulti: true, isEntitlement: true}]
    accountCorrelationConfig:
      attributeAssignments: [{property: identificationNumber, value: no, operation: EQ}]
    provisioningPolicies:
      - name: Account
        usageType: CREATE
        fields:
          - {name: login, isRequired: true, transform: {type: identityAttribute, attributes: {name: uid}}}
          - {name: "no", transform: {type: identityAttribute, attributes: {name: identificationNumber}}}
identityProfiles:
  - name: Staff
    authoritativeSource: {type: SOURCE, name: Staff}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: no}}}
        - {identityAttributeName: displayName, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: who}}}
        - {identityAttributeName: lastname, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: who}}}
        - {identityAttributeName: identificationNumber, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: no}}}
        - {identityAttributeName: team, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: team}}}
roles:
  - name: Lab
    enabled: true
    entitlements: [{source: {name: Files}, attribute: doors, value: lab}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.team}, stringValue: Lab}
`

// doors is the target with doors.
type doors struct {
	*target
	stable bool
	teams  map[string]string // by the number of the person
}

// newDoors has m1 and m2 in the Lab team, with the accounts given, which has to have their numbers.
func newDoors(t *testing.T, stable bool, accounts string) *doors {
	t.Helper()
	target := &target{folder: t.TempDir()}
	target.fixture = newFixtureWith(t, engine.Config{BatchSize: 3, Workers: 1, Guard: engine.Guard{Off: true},
		Connectors: map[string]connector.Factory{"delimited-file": target.open}})
	f := &doors{target, stable, map[string]string{"m1": "Lab", "m2": "Lab", "m3": "Desk"}}
	column := ""
	if stable {
		column = ", stableIdentityColumn: key"
	}
	f.ApplyText(fmt.Sprintf(grantConfig, f.folder, column))
	f.staff()
	f.Process()
	f.source(accounts)
	f.settle()
	return f
}

// staff aggregates the people with the teams that they have now.
func (f *doors) staff() {
	f.t.Helper()
	text := "no,who,team\n"
	for _, no := range []string{"m1", "m2", "m3"} {
		if team, is := f.teams[no]; is {
			text += no + ",Person " + no + "," + team + "\n"
		}
	}
	f.AggregateText("Staff", text, engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Count: 3}})
}

// source aggregates what the source has now, and processes it.
func (f *doors) source(accounts string) engine.AggregateResult {
	f.t.Helper()
	header := "login,no,doors\n"
	if f.stable {
		header = "login,no,doors,key\n"
	}
	f.write(header + accounts)
	return f.aggregateFiles()
}

func (f *doors) aggregateFiles() engine.AggregateResult {
	f.t.Helper()
	result, err := f.AggregateSource(f.t.Context(), "Files", engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Count: 9}})
	if err != nil {
		f.t.Fatal(err)
	}
	if len(result.RowErrors) > 0 {
		f.t.Fatalf("row errors: %v", result.RowErrors)
	}
	return result
}

// leave takes a person out of the Lab.
func (f *doors) leave(no string) {
	f.t.Helper()
	f.teams[no] = "Desk"
	f.staff()
	f.settle()
}

// demandDoors demands the logins of the accounts with their doors, by login, as the source has them.
func (f *doors) demandDoors(want string) {
	f.t.Helper()
	f.aggregateFiles()
	if got := f.text(`SELECT coalesce(string_agg(native_identity || ':' || coalesce((
			SELECT string_agg(v, '+' ORDER BY v) FROM jsonb_array_elements_text(a.attributes -> 'doors') v), ''), ' '
			ORDER BY native_identity), '')
		FROM muster.accounts a WHERE source_id = (SELECT id FROM muster.sources WHERE name = 'Files')`); got != want {
		f.t.Errorf("the source has %q, want %q", got, want)
	}
}

// demandNoTrace demands that nothing is remembered of access, and that the doctor finds nothing about it.
func (f *doors) demandNoTrace() {
	f.t.Helper()
	if got := f.text(`SELECT concat_ws(' ', (SELECT count(*) FROM muster.access_grants),
		(SELECT count(*) FROM muster.carried_access))`); got != "0 0" {
		f.t.Errorf("of grants and carried access %q are left, want none", got)
	}
	f.demandChecked("grant-account", "grant-vanished", "carried-access", "carried-account")
}

func (f *doors) demandChecked(names ...string) {
	f.t.Helper()
	for _, check := range f.doctor(engine.DoctorOptions{}).Checks {
		for _, name := range names {
			if check.Name == name && check.Count != 0 {
				f.t.Errorf("the doctor finds %+v", check)
			}
		}
	}
}

const (
	bareAccounts  = "ada,m1,\nbea,m2,\n"
	givenAccounts = "ada,m1,lab\nbea,m2,lab\n"
)

// An account that is absent for a while keeps what it was given, until the role ends, also while it is absent.
func TestGrantOfAnAbsentAccount(t *testing.T) {
	t.Parallel()
	for _, ends := range []string{"when it is back", "while it is absent"} {
		t.Run(ends, func(t *testing.T) {
			t.Parallel()
			f := newDoors(t, false, bareAccounts)
			f.demandDoors("ada:lab bea:lab")
			id := f.text(`SELECT id::text FROM muster.accounts WHERE native_identity = 'ada'`)
			f.source("bea,m2,lab\n")
			if ends == "while it is absent" {
				f.teams["m1"] = "Desk"
				f.staff()
				f.Process()
			}
			if n := f.CountRows("muster.access_grants"); n != 2 {
				t.Errorf("%d grants while the account is absent, want 2", n)
			}
			f.source(givenAccounts)
			if got := f.text(`SELECT id::text FROM muster.accounts WHERE native_identity = 'ada'`); got != id {
				t.Errorf("the account came back as %s, want %s", got, id)
			}
			f.settle()
			if ends == "when it is back" {
				f.demandDoors("ada:lab bea:lab")
				f.leave("m1")
			}
			f.demandDoors("ada: bea:lab")
			f.leave("m2")
			f.demandDoors("ada: bea:")
			f.demandNoTrace()
		})
	}
}

// An account that was deleted and created again, by people with the access or by Muster, loses it with the role.
func TestGrantOfAnAccountCreatedAgain(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for name, again := range map[string]func(f *doors){
		"by people, with another name": func(f *doors) { f.source("ada2,m1,lab\nbea,m2,lab\n") },
		"by people, later":             func(f *doors) { f.source("bea,m2,lab\n"); f.source("ada2,m1,lab\nbea,m2,lab\n") },
		"by Muster":                    func(f *doors) { f.source("bea,m2,lab\n"); f.settle() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newDoors(t, false, bareAccounts)
			again(f)
			f.settle()
			if got := f.CountRows("muster.accounts a WHERE a.identity_id = $1 AND attributes ? 'doors'", f.ID("m1")); got != 1 {
				t.Fatalf("%d accounts have the access, want 1", got)
			}
			f.leave("m1")
			f.aggregateFiles()
			if n := f.CountRows("muster.accounts WHERE attributes ? 'doors'"); n != 1 {
				t.Errorf("%d accounts have the access, want that of the other person", n)
			}
			f.demandChecked("grant-account", "carried-access", "carried-account")
		})
	}
}

// An account with a stable identity that was deleted and created again under its name is another account, and loses
// what its person was given before too.
func TestGrantOfAReplacedAccount(t *testing.T) {
	t.Parallel()
	f := newDoors(t, true, "ada,m1,,k1\nbea,m2,,k2\n")
	if result := f.source("ada,m1,lab,k9\nbea,m2,lab,k2\n"); result.Removed != 1 || result.Added != 1 || result.Renamed != 0 {
		t.Errorf("got %+v, want 1 removed and 1 added", result)
	}
	f.settle()
	f.leave("m1")
	f.demandDoors("ada: bea:lab")
}

// Access that the person had on another account of their own stays.
func TestGrantIsNotThatOfAnotherAccount(t *testing.T) {
	t.Parallel()
	f := newDoors(t, false, bareAccounts+"own,m1,\n")
	f.source("ada,m1,lab\nbea,m2,lab\nown,m1,lab\n")
	f.settle()
	f.execute(`UPDATE muster.accounts SET created = created - interval '1 day' WHERE native_identity = 'own'`)
	f.source("bea,m2,lab\nown,m1,lab\n")
	f.settle()
	f.leave("m1")
	f.demandDoors("bea:lab own:lab")
	f.source("ada,m1,lab\nbea,m2,lab\nown,m1,lab\n")
	f.settle()
	f.demandDoors("ada: bea:lab own:lab")
}

// What an account was given for its former owner is taken from it, or becomes its new owner's.
func TestGrantOfAMovedAccount(t *testing.T) {
	t.Parallel()
	f := newDoors(t, false, bareAccounts)
	if result := f.source("ada,m3,lab\nbea,m2,lab\n"); result.Moved != 1 {
		t.Fatalf("got %+v, want 1 moved", result)
	}
	f.settle()
	// The former owner wants it, and gets an account of their own; the new owner does not.
	f.demandDoors("ada: bea:lab m1:lab")
	f.leave("m1")
	f.leave("m2")
	f.demandDoors("ada: bea: m1:")
	f.demandNoTrace()
}

// A new owner who wants what the account has loses it with the role.
func TestGrantOfAMovedAccountThatIsWanted(t *testing.T) {
	t.Parallel()
	f := newDoors(t, false, bareAccounts)
	f.teams["m3"], f.teams["m1"] = "Lab", "Desk"
	f.staff()
	f.source("ada,m3,lab\nbea,m2,lab\n")
	f.settle()
	f.demandDoors("ada:lab bea:lab")
	f.leave("m3")
	f.demandDoors("ada: bea:lab")
	f.leave("m2")
	f.demandNoTrace()
}

// An account whose owner was deleted carries what they were given: the doctor tells, and its next owner loses it.
func TestGrantOfADeletedIdentity(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for _, absent := range []bool{false, true} {
		t.Run(fmt.Sprint("absent ", absent), func(t *testing.T) {
			t.Parallel()
			f := newDoors(t, false, bareAccounts)
			if absent {
				f.source("bea,m2,lab\n")
			}
			delete(f.teams, "m1")
			f.staff()
			f.Process()
			if err := f.DeleteIdentity(t.Context(), f.ID("m1")); err != nil {
				t.Fatal(err)
			}
			f.settle()
			f.source(givenAccounts)
			f.settle()
			found := int64(-1)
			for _, check := range f.doctor(engine.DoctorOptions{}).Checks {
				if check.Name == "carried-access" {
					found = check.Count
				}
			}
			if found != 1 {
				t.Errorf("the doctor finds %d accounts with access that nobody grants, want 1", found)
			}
			f.source("ada,m3,lab\nbea,m2,lab\n")
			f.settle()
			f.demandDoors("ada: bea:lab")
			f.leave("m2")
			f.demandNoTrace()
		})
	}
}

// The memory of an account that vanished ends with a purge, and the doctor tells of it before.
func TestPurgeOfVanishedAccounts(t *testing.T) {
	t.Parallel()
	f := newDoors(t, false, bareAccounts)
	f.source("bea,m2,lab\n")
	f.execute(`UPDATE muster.vanished_accounts SET vanished = $1`, time.Now().Add(-100*24*time.Hour))
	found := int64(0)
	for _, check := range f.doctor(engine.DoctorOptions{}).Checks {
		if check.Name == "grant-vanished" {
			found = check.Count
		}
	}
	if found != 1 {
		t.Errorf("the doctor finds %d people with old grants, want 1", found)
	}
	result, err := f.Purge(t.Context(), engine.PurgeOptions{Vanished: 90 * 24 * time.Hour})
	if err != nil || result.Vanished != 1 {
		t.Errorf("got %+v, %v, want 1 vanished account", result, err)
	}
	if got := f.text(`SELECT concat_ws(' ', (SELECT count(*) FROM muster.access_grants),
		(SELECT count(*) FROM muster.vanished_accounts))`); got != "1 0" {
		t.Errorf("grants and vanished accounts are %q, want 1 0", got)
	}
}

// A grant whose account is gone for good is found by the doctor, and mended.
func TestDoctorMendsGrants(t *testing.T) {
	t.Parallel()
	f := newDoors(t, false, bareAccounts)
	f.executeAll(`UPDATE muster.access_grants SET account_id = '019a0000-0000-7000-8000-000000000001'
		WHERE identity_id = (SELECT id FROM muster.identities WHERE alias = 'm1')`,
		`INSERT INTO muster.carried_access SELECT '019a0000-0000-7000-8000-000000000002', source_id, attribute, value, NULL, now()
			FROM muster.access_grants LIMIT 1`)
	diagnosis := f.doctor(engine.DoctorOptions{Repair: true})
	var repaired []string
	for _, r := range diagnosis.Repairs {
		repaired = append(repaired, fmt.Sprint(r.Check, " ", r.Count))
	}
	if got := strings.Join(repaired, ", "); got != "grant-account 1, carried-account 1" {
		t.Errorf("repaired %q", got)
	}
	f.settle()
	f.demandChecked("grant-account", "carried-account")
}
