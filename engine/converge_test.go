package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
)

// equalConfig is targetConfig, in which the files compare groups as distinguished names and mail without letter case.
func equalConfig(folder string) string {
	return strings.NewReplacer("{name: mail}, {name: dept}, {name: status}", "{name: mail, equality: caseIgnoreMatch}, {name: dept}, {name: status}",
		"{name: groups, isMulti: true,", "{name: groups, isMulti: true, equality: DistinguishedNameMatch,",
		"{attribute: groups, value: crm}, {value: sales}", `{attribute: groups, value: "CN=Zürich, OU=x"}`,
		"value: sales}]", `value: "cn=sales,ou=x"}]`).Replace(fmt.Sprintf(targetConfig, folder))
}

// What a source takes to be equal is neither given again nor synchronized, and is taken away in any spelling.
func TestEqualityOfASource(t *testing.T) {
	t.Parallel()
	const row = `ayse,"Ünal, Ayşe",AYSE@example.com,Sales,active,`
	f := newTarget(t, row+`"cn=lab,ou=x;cn=z\C3\BCrich,ou=X"`+"\n")
	f.ApplyText(equalConfig(f.folder))
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales,ayse", "Legal,ayse"), engine.AggregateOptions{})
	aggregate := func() {
		t.Helper()
		if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	aggregate()
	f.settle()
	if n := f.counts.Load(); n != 0 {
		t.Errorf("%d operations for what is there in another spelling: %s", n, f.operations("DONE"))
	}
	// What Muster gave is taken as the file writes it by now.
	f.write(targetHeader + row + "\n")
	aggregate()
	f.settle()
	f.demandFile(row + `"CN=Zürich, OU=x"` + "\n")
	f.write(targetHeader + row + `"cn=lab,ou=x;OU=X+CN=y;cn=ZU\CC\88RICH,OU=x"` + "\n")
	aggregate()
	f.settle()
	if n := f.counts.Load(); n != 1 {
		t.Errorf("%d operations, want 1: %s", n, f.operations("DONE"))
	}
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
	f.settle()
	f.demandFile(row + `"cn=lab,ou=x;OU=X+CN=y"` + "\n")

	_, err := f.Apply(t.Context(), f.documents(strings.Replace(equalConfig(f.folder), "caseIgnoreMatch", "caseBlindMatch", 1)))
	if err == nil || !strings.Contains(err.Error(), `attributes[2].equality: the equality "caseBlindMatch" is unknown`) {
		t.Errorf("got %v", err)
	}
}

// A membership by an entitlement finds it in any spelling, when the person is processed and when the role changes.
func TestMembershipByName(t *testing.T) {
	t.Parallel()
	f := newTarget(t, `ann,,,,active,"CN=Board, OU=x"`+"\n")
	f.ApplyText(equalConfig(f.folder))
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	for value, want := range map[string]string{"cn=board,ou=x": "ann", `cn=bo\61rd+l=y,ou=x`: ""} {
		f.ApplyText(fmt.Sprintf(`
roles:
  - name: By group
    enabled: true
    membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: ENTITLEMENT, property: attribute.groups, sourceId: Files}, stringValue: '%s'}}
`, value))
		f.settle()
		if got := f.members("By group"); got != want {
			t.Errorf("%s: the members are %q, want %q", value, got, want)
		}
	}
}

// Two roles that want different values of an attribute with one value come to rest, with a warning that names both.
func TestOneValueComesToRest(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "ann,Ann Boss,ann@example.com,,active,\n")
	f.ApplyText(strings.NewReplacer("{name: groups, isMulti: true,", "{name: groups,", "sales}]", "duty}]").Replace(fmt.Sprintf(targetConfig, f.folder)))
	f.ApplyText(`
roles:
  - {name: Auditor, enabled: true, entitlements: [{source: {name: Files}, value: audit}]}
`)
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	ann := f.Identity("ann").ID
	var assignments []string
	for _, role := range []string{"Manager on duty", "Auditor"} {
		assigned, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		assignments = append(assignments, assigned.ID)
	}
	f.settle()
	f.demandFile("ann,Ann Boss,ann@example.com,,active,duty\n")
	if n := f.counts.Load(); n != 1 {
		t.Errorf("%d operations, want 1", n)
	}
	x, err := f.Explain(t.Context(), engine.ExplainParams{Identity: "ann"})
	const want = `role "Manager on duty" and role "Auditor" want different values of groups on "Files"`
	if err != nil || len(x.Warnings) == 0 || !strings.Contains(strings.Join(x.Warnings, "; "), want) {
		t.Errorf("got %q, %v, want %s", x.Warnings, err, want)
	}
	if err := f.RevokeRole(t.Context(), ann, assignments[0]); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.demandFile("ann,Ann Boss,ann@example.com,,active,audit\n")
	if n := f.CountRows("muster.access_grants"); n != 1 {
		t.Errorf("%d grants, want 1", n)
	}
}

// A role that excludes whoever has what it gives goes round, until the limit of the day parks it.
func TestWhatGoesRoundIsParked(t *testing.T) {
	t.Parallel()
	clock, now := &enginetest.Clock{}, time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC)
	clock.Set(now)
	f := &target{folder: t.TempDir()}
	f.fixture = newFixtureWith(t, engine.Config{BatchSize: 3, Workers: 1, Guard: engine.Guard{Off: true}, Now: clock.Now,
		Connectors: map[string]connector.Factory{"delimited-file": f.open}})
	f.write(targetHeader + "ann,Ann Boss,ann@example.com,,active,\n")
	f.ApplyText(enginetest.Documents)
	f.ApplyText(fmt.Sprintf(targetConfig, f.folder))
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	result := f.ApplyText(`
roles:
  - name: Odd
    enabled: true
    entitlements: [{source: {name: Files}, value: odd}]
    membership:
      type: STANDARD
      criteria:
        operation: AND
        children:
          - {operation: EQUALS, key: {type: IDENTITY, property: attribute.uid}, stringValue: ann}
          - {operation: NOT_EQUALS, key: {type: ENTITLEMENT, property: attribute.groups, sourceId: Files}, stringValue: odd}
`)
	if notes := strings.Join(result.Notes, "; "); !strings.Contains(notes, `role "Odd": membership.criteria: it excludes who has "odd"`) {
		t.Errorf("the notes are %q", notes)
	}
	rest := func(want int64) {
		t.Helper()
		for range 40 {
			now = now.Add(time.Second)
			clock.Set(now)
			if f.Process().Identities == 0 && f.provision().Done == 0 {
				break
			}
		}
		if n := f.counts.Load(); n != want {
			t.Fatalf("%d operations, want %d", n, want)
		}
		if got := f.operations("PARKED"); got != "ADD_ENTITLEMENT ann groups=odd" {
			t.Fatalf("%q is parked", got)
		}
	}
	rest(engine.OperationsPerDayMax)
	parked, err := f.Operations(t.Context(), engine.OperationQuery{States: []string{"PARKED"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `Before it was REMOVE_ENTITLEMENT, because of: nothing grants it any more. Now it is ADD_ENTITLEMENT, because of: role "Odd"`
	if p := parked[0].Parking; p == nil || !strings.Contains(p.Cause, want) || p.By != (engine.Actor{}) {
		t.Errorf("got %+v, want %s", p, want)
	}
	x, err := f.Explain(t.Context(), engine.ExplainParams{Identity: "ann"})
	if err != nil || len(x.Operations) != 1 || x.Operations[0].State != "PARKED" || !strings.Contains(x.Operations[0].Waits, want) {
		t.Errorf("got %+v, %v, want the parked operation", x.Operations, err)
	}
	found := false
	for _, check := range f.doctor(engine.DoctorOptions{}).Checks {
		found = found || check.Name == "operation-parked" && check.Count == 1
	}
	if !found {
		t.Error("the doctor does not tell of the parked operation")
	}
	f.demandParkedTarget(&parked[0], want)
	// A release begins a new count.
	if err := f.ReleaseOperation(t.Context(), parked[0].ID); err != nil {
		t.Fatal(err)
	}
	rest(2 * engine.OperationsPerDayMax)
	now = time.Date(2026, 3, 3, 1, 0, 0, 0, time.UTC)
	if parked, err = f.Operations(t.Context(), engine.OperationQuery{States: []string{"PARKED"}}); err != nil {
		t.Fatal(err)
	}
	if err := f.ReleaseOperation(t.Context(), parked[0].ID); err != nil {
		t.Fatal(err)
	}
	rest(3 * engine.OperationsPerDayMax)
	totals, err := f.Preview(t.Context(), engine.PreviewParams{}, func(*engine.PreviewChange) error { return nil })
	if err != nil || len(totals.Notes) == 0 {
		t.Errorf("the preview notes %q, %v, want the role", totals.Notes, err)
	}
	// What is not wanted any more is held back no longer.
	f.ApplyText("roles: [{name: Odd, enabled: false}]")
	f.settle()
	events, err := f.History(t.Context(), ann(f), "", 1)
	if err != nil || len(events) != 1 || len(events[0].Detail.Released) != 1 ||
		events[0].Detail.Released[0].Cause != "nothing wants it any more" || events[0].Detail.Released[0].Value != "odd" {
		t.Errorf("the last event is %+v, %v, want the release", events, err)
	}
	if targets, err := f.ParkedTargets(t.Context()); err != nil || len(targets) != 0 {
		t.Errorf("parked are %+v, %v, want nothing", targets, err)
	}
}

func ann(f *target) string { return f.Identity("ann").ID }

// demandParkedTarget fails unless one operation of ann went round: the list of what waits for somebody, its task and
// the history have it, with a cause that has a text.
func (f *target) demandParkedTarget(parked *engine.Operation, cause string) {
	f.t.Helper()
	targets, err := f.ParkedTargets(f.t.Context())
	if err != nil || len(targets) != 1 {
		f.t.Fatalf("parked are %+v, %v, want one target", targets, err)
	}
	got := targets[0]
	if !strings.Contains(got.Cause, cause) || got.Since.IsZero() {
		f.t.Errorf("the parked target has the cause %q since %s, want %s", got.Cause, got.Since, cause)
	}
	got.Cause, got.Since, got.Identity = "", time.Time{}, engine.Reference{}
	want := engine.ParkedTarget{Source: "Files", Kind: "ADD_ENTITLEMENT", Attribute: "groups", Operations: 1, NativeIdentity: "ann"}
	if got != want {
		f.t.Errorf("the parked target is %+v, want %+v", got, want)
	}
	task, err := f.Task(f.t.Context(), parked.Task)
	if err != nil || len(task.Attributes.Parked) != 1 || task.Attributes.Parked[0] != targets[0] {
		f.t.Errorf("the task has parked %+v, %v, want %+v", task.Attributes.Parked, err, targets)
	}
	events, err := f.History(f.t.Context(), ann(f), "", 1)
	if err != nil || len(events) != 1 || len(events[0].Detail.Parked) != 1 || events[0].Detail.Parked[0].ID != parked.ID ||
		!strings.Contains(events[0].Detail.Parked[0].Cause, cause) {
		f.t.Errorf("the last event is %+v, %v, want the parked operation", events, err)
	}
}

// A synchronization that changes what its own attribute is calculated of grows, until it is parked. Apply says so.
func TestSynchronizationOfItself(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "ann,Ann Boss,a,,active,\n")
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	result := f.ApplyText(strings.Replace(enginetest.Documents, "{type: accountAttribute, attributes: {sourceName: HR, attributeName: mail}}",
		"{type: concat, attributes: {values: [{type: accountAttribute, attributes: {sourceName: Files, attributeName: mail}}, x]}}", 1))
	const note = `source "Files": attributeSyncConfig: email is synchronized to "mail", and the identity profile "Employees" calculates email of it`
	if notes := strings.Join(result.Notes, "; "); !strings.Contains(notes, note) {
		t.Errorf("the notes are %q", notes)
	}
	for range 40 {
		if f.Process().Identities == 0 && f.provision().Done == 0 {
			break
		}
	}
	f.demandFile("ann,Ann Boss,a" + strings.Repeat("x", engine.OperationsPerDayMax) + ",,active,\n")
	if got := f.operations("PARKED"); !strings.HasPrefix(got, "SET_ATTRIBUTES ann mail=ax") {
		t.Errorf("%q is parked", got)
	}
}

// Who comes into a state that removes all access keeps nothing but what the state grants. On return the memberships
// give again; what was requested, and what was there for another reason, does not come back.
func TestLeaverLosesEverything(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;lab\n")
	f.ApplyText(`
accessProfiles:
  - {name: Alumni, source: {name: Files}, entitlements: [{value: alumni}]}
roles:
  - {name: Auditor, enabled: true, entitlements: [{source: {name: Files}, value: audit}]}
lifecycleStates:
  - name: Gone
    technicalName: gone
    identityProfile: {name: Employees}
    accessProfileIds: [Alumni]
    accessActionConfiguration: {removeAllAccessEnabled: true}
`)
	people := enginetest.PeopleHeader + "ayse,\"Ünal, Ayşe\",Ayşe,Ünal,ayse@example.com,Sales,,33,active\n"
	f.AggregateText("HR", people, engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	ayse := f.Identity("ayse").ID
	for _, p := range []engine.AssignRoleParams{{Identity: ayse, Role: "Auditor"}, {Identity: ayse, Role: "Manager on duty"}} {
		if _, err := f.AssignRole(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	f.settle()
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;lab;sales;audit\n")
	f.AggregateText("HR", strings.ReplaceAll(people, "active", "gone"), engine.AggregateOptions{})
	f.settle()
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,alumni\n")
	for role, want := range map[string]string{"Auditor": "", "Manager on duty": "", "Seller": "ayse"} {
		if got := f.members(role); got != want {
			t.Errorf("the members of %s are %q, want %q", role, got, want)
		}
	}
	history, err := f.History(t.Context(), ayse, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	revoked := 0
	for i := range history {
		if roles := history[i].Detail.Roles; roles != nil {
			for _, lost := range roles.Lost {
				if lost.Reason == `the lifecycle state "gone" removes all access, and it was assigned by request` {
					revoked++
				}
			}
		}
	}
	if revoked != 2 {
		t.Errorf("%d roles are revoked in the history, want 2", revoked)
	}
	// What is requested meanwhile is revoked too.
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ayse, Role: "Auditor"}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,alumni\n")
	f.AggregateText("HR", people, engine.AggregateOptions{})
	f.settle()
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales\n")
}

// An action on all sources is about those that there are, but for those that are excluded.
func TestActionOnAllSources(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,\n")
	const state = `
lifecycleStates:
  - name: Inactive
    technicalName: inactive
    identityProfile: {name: Employees}
    accountActions: [{action: DISABLE, %s}]
`
	result := f.ApplyText(fmt.Sprintf(state, "sourceIds: null, excludeSourceIds: [HR, directory], allSources: true"))
	if notes := strings.Join(result.Notes, "\n"); strings.Contains(notes, "allSources") || strings.Contains(notes, "authoritative") {
		t.Errorf("the notes are %q", notes)
	}
	people := enginetest.PeopleHeader + "ayse,\"Ünal, Ayşe\",Ayşe,Ünal,ayse@example.com,Sales,,33,inactive\n"
	f.AggregateText("HR", people, engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,locked,crm;sales\n")
	if n := f.CountRows("muster.provisioning_operations WHERE kind = 'DISABLE'"); n != 1 {
		t.Errorf("%d accounts are disabled, want 1", n)
	}
	result = f.ApplyText(fmt.Sprintf(state, "allSources: true"))
	if want := `all sources include "HR", the authoritative source`; !strings.Contains(strings.Join(result.Notes, "; "), want) {
		t.Errorf("the notes are %q, want %s", result.Notes, want)
	}
	for text, want := range map[string]string{
		"allSources: true, sourceIds: [Files]":          "allSources and sourceIds exclude each other",
		"sourceIds: [Files], excludeSourceIds: [HR]":    "excluded from all sources only",
		"excludeSourceIds: [Nowhere], allSources: true": `accountActions[0].excludeSourceIds[0]: there is no source "Nowhere"`,
		"allSources: false":                             "sourceIds is missing",
	} {
		if _, err := f.Apply(t.Context(), f.documents(fmt.Sprintf(state, text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// Access profiles with different criteria give each account its own.
func TestEachAccountItsOwn(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "ayse,\"Ünal, Ayşe\",ayse@example.com,user,active,\nayse-a,\"Ünal, Ayşe\",ayse@example.com,admin,active,\n")
	f.ApplyText(strings.NewReplacer("attributeAssignments: [{property: uid, value: login", "attributeAssignments: [{property: email, value: mail").
		Replace(fmt.Sprintf(targetConfig, f.folder)))
	result := f.ApplyText(`
accessProfiles:
  - {name: User VPN, source: {name: Files}, entitlements: [{value: vpn}], provisioningCriteria: {operation: EQUALS, attribute: dept, value: user}}
  - {name: Admin VPN, source: {name: Files}, entitlements: [{value: vpn}], provisioningCriteria: {operation: EQUALS, attribute: dept, value: admin}}
  - {name: Typo, source: {name: Files}, entitlements: [{value: vpn}], provisioningCriteria: {operation: EQUALS, attribute: dep, value: admin}}
roles:
  - {name: Remote, enabled: true, accessProfiles: [{name: User VPN}, {name: Admin VPN}]}
  - {name: Remote user, enabled: true, accessProfiles: [{name: User VPN}]}
`)
	if want := `access profile "Typo": provisioningCriteria: there is no account attribute of the source "Files" named "dep"; did you mean "dept"?`; !slices.Contains(result.Notes, want) {
		t.Errorf("the notes are %q, want %q", result.Notes, want)
	}
	f.AggregateText("HR", enginetest.PeopleHeader+"ayse,\"Ünal, Ayşe\",Ayşe,Ünal,ayse@example.com,Legal,,33,active\n", engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	ayse := f.Identity("ayse").ID
	var ids []string
	for _, role := range []string{"Remote", "Remote user"} {
		assigned, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ayse, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, assigned.ID)
	}
	f.settle()
	const user, admin = "ayse,\"Ünal, Ayşe\",ayse@example.com,user,active,", "ayse-a,\"Ünal, Ayşe\",ayse@example.com,admin,active,"
	f.demandFile(user + "vpn\n" + admin + "vpn\n")
	for i, want := range []string{user + "vpn\n" + admin + "\n", user + "\n" + admin + "\n"} {
		if err := f.RevokeRole(t.Context(), ayse, ids[i]); err != nil {
			t.Fatal(err)
		}
		f.settle()
		f.demandFile(want)
	}
	if n := f.CountRows("muster.access_grants"); n != 0 {
		t.Errorf("%d grants are left", n)
	}
}

// A criterion over an attribute that nobody has is noted.
func TestNoteOfUnknownAttributes(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	result := f.ApplyText(`
roles:
  - name: Everybody
    enabled: true
    membership:
      type: STANDARD
      criteria:
        operation: OR
        children:
          - {operation: NOT_EQUALS, key: {type: IDENTITY, property: attribute.departmentx}, stringValue: Sales}
          - {operation: EQUALS, key: {type: ACCOUNT, property: attribute.state, sourceId: Files}, stringValue: x}
`)
	notes := strings.Join(result.Notes, "\n")
	for _, want := range []string{`role "Everybody": membership.criteria: there is no identity attribute that a profile maps "departmentx"; did you mean "department"?`,
		`role "Everybody": membership.criteria: there is no account attribute of the source "Files" named "state"`} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes are\n%s\nwant %s", notes, want)
		}
	}
}

// Synchronizations that work against something else are noted, and of two for one attribute the first counts.
func TestNotesOfSynchronization(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "ann,Ann Boss,ann@example.com,,active,\n")
	result := f.ApplyText(strings.NewReplacer(
		"        - {name: department, enabled: false, target: dept}\n", `        - {name: lastname, enabled: true, target: mail}
        - {name: firstname, enabled: true, target: groups}
        - {name: department, enabled: true, target: status}
`,
		"          - {name: dept, transform: {type: identityAttribute, attributes: {name: department}}}\n", `          - {name: mail, transform: {type: identityAttribute, attributes: {name: lastname}}}
          - {name: groups, transform: {type: identityAttribute, attributes: {name: firstname}}}
          - {name: status, transform: {type: identityAttribute, attributes: {name: department}}}
`).Replace(fmt.Sprintf(targetConfig, f.folder)))
	notes := strings.Join(result.Notes, "\n")
	for _, want := range []string{
		`source "Files": attributeSyncConfig: email and lastname are both synchronized to "mail": email counts, which comes first`,
		`source "Files": attributeSyncConfig: firstname is synchronized to "groups", whose values are entitlements`,
		`source "Files": attributeSyncConfig: department is synchronized to "status", which says whether an account can be used`,
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes are\n%s\nwant %s", notes, want)
		}
	}
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.demandFile("ann,Ann Boss,ann@example.com,,Board,Ann\n")
}
