package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// export returns the configuration as an export has it, one object on a line.
func (f *fixture) export() string {
	f.t.Helper()
	return exportOf(f.t, f.Company)
}

func exportOf(t enginetest.TB, c *enginetest.Company) string {
	t.Helper()
	objects, err := c.ConfigurationObjects(t.Context())
	if err != nil {
		t.Fatalf("export: %v", err)
	}
	var b strings.Builder
	for _, o := range objects {
		fmt.Fprintf(&b, "%s %s %s %s\n", o.Type, o.ID, o.Name, o.Object)
	}
	return b.String()
}

// referrers returns who names an object, as "ROLE Seller membership.criteria".
func referrers(list []engine.Referrer) string {
	var texts []string
	for _, r := range list {
		texts = append(texts, fmt.Sprintf("%s %s %s", r.Type, r.Name, r.Path))
	}
	return strings.Join(texts, "; ")
}

// Every way in which an object can name another one is found, with its member.
func TestReferencesTo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(wideDocuments)
	f.ApplyText(`
transforms:
- {name: Shorter, type: reference, attributes: {id: Short}}
- {name: Mail, type: accountAttribute, attributes: {sourceName: Register, attributeName: mail}}
sources:
- name: Third
  connector: delimited-folder
  connectorAttributes: {folder: ./third}
  schemas: [{name: account, identityAttribute: login, attributes: [{name: login}, {name: c}, {name: groups, isMulti: true, isEntitlement: true}]}]
  managerCorrelationMapping: {accountAttributeName: c, identityAttributeName: costCenter}
  provisioningPolicies: [{usageType: CREATE, fields: [{name: login, transform: {type: identityAttribute, attributes: {name: uid}}}, {name: c, transform: {type: identityAttribute, attributes: {name: costCenter}}}]}]
  attributeSyncConfig: {attributes: [{name: costCenter, target: c, enabled: true}]}
lifecycleStates:
- {name: Off, technicalName: off, identityProfile: {name: Staff}, accountActions: [{action: DISABLE, allSources: true, excludeSourceIds: [Third]}]}
roles:
- {name: Direct, entitlements: [{source: {name: Third}, attribute: groups, value: x}], membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: ACCOUNT, property: attribute.login, sourceId: Third}, stringValue: v}}}
`)
	for _, test := range []struct {
		kind       engine.ObjectType
		name, want string
	}{
		{engine.TypeTransform, "Short", "TRANSFORM Shorter attributes; " +
			"IDENTITY_PROFILE Staff identityAttributeConfig.attributeTransforms[1].transformDefinition"},
		{engine.TypeTransform, "shorter", ""},
		{engine.TypeSource, "Register", "TRANSFORM Mail attributes; IDENTITY_PROFILE Staff authoritativeSource; " +
			"IDENTITY_PROFILE Staff identityAttributeConfig.attributeTransforms[0].transformDefinition; " +
			"IDENTITY_PROFILE Staff identityAttributeConfig.attributeTransforms[1].transformDefinition"},
		{engine.TypeSource, "Portal", "ACCESS_PROFILE Basic source; LIFECYCLE_STATE gone accountActions[0].sourceIds[0]"},
		{engine.TypeSource, "Third", "LIFECYCLE_STATE off accountActions[0].excludeSourceIds[0]; " +
			"ROLE Direct entitlements[0].source; ROLE Direct membership.criteria"},
		{engine.TypeAccessProfile, "Basic", "LIFECYCLE_STATE gone accessProfileIds[0]; ROLE Seller accessProfiles[0]"},
		{engine.TypeIdentityAttribute, "costCenter", "SOURCE Third managerCorrelationMapping.identityAttributeName; " +
			"SOURCE Third attributeSyncConfig.attributes[0].name; SOURCE Third provisioningPolicies[0].fields[1].transform; " +
			"IDENTITY_PROFILE Staff identityAttributeConfig.attributeTransforms[1].identityAttributeName; ROLE Seller membership.criteria"},
		{engine.TypeIdentityProfile, "Staff", "LIFECYCLE_STATE gone identityProfile; LIFECYCLE_STATE off identityProfile"},
		{engine.TypeLifecycleState, "gone", ""},
		{engine.TypeRole, "Seller", ""},
	} {
		list, err := f.ReferencesTo(t.Context(), test.kind, test.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := referrers(list); got != test.want {
			t.Errorf("%s %s is named by\n%s\nwant\n%s", test.kind, test.name, got, test.want)
		}
		if test.want == "" || test.kind == engine.TypeIdentityProfile { // the lifecycle states of a profile go with it
			continue
		}
		_, err = f.DeleteConfiguration(t.Context(), test.kind, test.name)
		var used *engine.InUseError
		if engine.KindOf(err) != engine.Conflict || !errors.As(err, &used) || referrers(used.Objects[0].Referrers) != test.want {
			t.Errorf("%s %s is deleted: %v", test.kind, test.name, err)
		}
	}
	_, err := f.ReferencesTo(t.Context(), engine.TypeSource, "Portl")
	demandKind(t, err, engine.NotFound, `did you mean "Portal"?`)
	_, err = f.DeleteConfiguration(t.Context(), engine.TypeSettings, "settings")
	demandKind(t, err, engine.Invalid, "apply settings that say nothing")
}

// Each type of objects can be deleted when nothing names it any more. The revision says so, and reverting the deletions
// one after the other restores the export, byte for byte.
func TestDeleteAndRevertEachType(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(wideDocuments)
	exports := []string{f.export()}
	var versions []int64
	for i, o := range []engine.ObjectName{
		{engine.TypeRole, "seller"}, {engine.TypeLifecycleState, "gone"}, {engine.TypeAccessProfile, "Basic"},
		{engine.TypeIdentityProfile, "Staff"}, {engine.TypeIdentityAttribute, "costCenter"}, {engine.TypeTransform, "Short"},
		{engine.TypeSource, "Portal"}, {engine.TypeSource, "Register"},
	} {
		totals, err := f.Preview(t.Context(), engine.PreviewParams{Delete: o}, func(*engine.PreviewChange) error { return nil })
		if err != nil || len(totals.Removals) != 1 || totals.Objects[0].Action != engine.Removed {
			t.Fatalf("%v: the preview is %+v, %v", o, totals, err)
		}
		if got := f.export(); got != exports[i] {
			t.Fatalf("%v: the preview changed the configuration", o)
		}
		result, err := f.DeleteConfiguration(t.Context(), o.Type, o.Name, engine.WithComment("not needed"), engine.AtVersion(totals.Version))
		if err != nil {
			t.Fatalf("%v: %v", o, err)
		}
		revision := f.revision(result.Version)
		if revision.Removed != 1 || revision.Comment != "not needed" || revision.Objects[0].After != nil || revision.Objects[0].Before == nil {
			t.Errorf("%v: the revision is %+v", o, revision)
		}
		if _, err := f.ConfigurationObject(t.Context(), o.Type, o.Name); engine.KindOf(err) != engine.NotFound {
			t.Errorf("%v is there still: %v", o, err)
		}
		exports, versions = append(exports, f.export()), append(versions, result.Version)
	}
	if list := f.doctor(engine.DoctorOptions{}); len(notOK(&list)) > 0 {
		t.Error(notOK(&list))
	}
	_, err := f.RevertConfiguration(t.Context(), versions[0])
	demandKind(t, err, engine.Invalid, "access profile")
	for i := len(versions) - 1; i >= 0; i-- {
		if _, err := f.RevertConfiguration(t.Context(), versions[i]); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(exports[i], f.export()); diff != "" {
			t.Errorf("after the revert of deletion %d: %s", i, diff)
		}
	}
	again := f.ApplyText(wideDocuments)
	for _, o := range again.Objects {
		if o.Action != engine.Unchanged && o.Type != engine.TypeIdentityProfile && o.Type != engine.TypeLifecycleState {
			t.Errorf("what was put back is %s by its own document: %+v", o.Action, o)
		}
	}
}

// A change is refused where the configuration has another version than the caller looked at.
func TestAtVersion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.ApplyText(wideDocuments)
	f.ApplyText("roles: [{name: Other, enabled: true}]")
	_, err := f.DeleteConfiguration(t.Context(), engine.TypeRole, "Seller", engine.AtVersion(first.Version))
	demandKind(t, err, engine.Conflict, "look at it again")
	_, err = f.RevertConfiguration(t.Context(), first.Version, engine.AtVersion(first.Version))
	demandKind(t, err, engine.Conflict, "look at it again")
	_, err = f.Apply(t.Context(), f.documents("roles: [{name: Other, enabled: false}]"), engine.AtVersion(first.Version))
	demandKind(t, err, engine.Conflict, "look at it again")
	_, err = f.DeleteConfiguration(t.Context(), engine.TypeRole, "Seller", engine.Prune())
	demandKind(t, err, engine.Invalid, "where documents are applied")
}

// A revision is reverted only where its objects are as it left them.
func TestRevertContradicts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(wideDocuments)
	created := f.ApplyText("roles: [{name: Other, enabled: true}]")
	changed := f.ApplyText("roles: [{name: Other, enabled: false}]")
	_, err := f.RevertConfiguration(t.Context(), created.Version)
	demandKind(t, err, engine.Conflict, `role "Other" was changed since`)
	if _, err := f.RevertConfiguration(t.Context(), changed.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := f.RevertConfiguration(t.Context(), created.Version); err != nil {
		t.Fatal(err)
	}
	_, err = f.RevertConfiguration(t.Context(), created.Version)
	demandKind(t, err, engine.Conflict, `role "Other" is gone`)
	deleted, err := f.DeleteConfiguration(t.Context(), engine.TypeRole, "Seller")
	if err != nil {
		t.Fatal(err)
	}
	f.ApplyText("roles: [{name: seller, enabled: false}]")
	_, err = f.RevertConfiguration(t.Context(), deleted.Version)
	demandKind(t, err, engine.Conflict, `role "Seller" has the name of another one by now`)
	_, err = f.RevertConfiguration(t.Context(), 99999)
	demandKind(t, err, engine.NotFound, "no revision")
}

// Settings are put back too, and that nothing was said.
func TestRevertSettings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText("roles: [{name: Other, enabled: true}]")
	before := f.export()
	first := f.ApplyText("settings: {timeZone: Europe/Berlin}")
	if revision := f.revision(first.Version); revision.Created != 1 || revision.Objects[0].Type != engine.TypeSettings {
		t.Errorf("the revision is %+v", revision)
	}
	middle := f.export()
	second := f.ApplyText("settings: {timeZone: Europe/Paris, guard: {share: 0.5}}")
	for _, step := range []struct {
		version int64
		want    string
	}{{second.Version, middle}, {first.Version, before}} {
		if _, err := f.RevertConfiguration(t.Context(), step.version); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, f.export()); diff != "" {
			t.Error(diff)
		}
	}
}

// A source goes with its accounts and what was given on it. Operations that wait are cancelled, and nothing is done on
// the system.
func TestDeleteSource(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.settle()
	f.AggregateText("HR", enginetest.PeopleHeader+"zoe,Zoe New,Zoe,New,zoe@example.com,Sales,ayse,25,active\n", engine.AggregateOptions{Delta: true})
	f.Process()
	if got := f.operations("OPEN"); got == "" {
		t.Fatal("no operation waits")
	}
	_, err := f.DeleteConfiguration(t.Context(), engine.TypeSource, "Files")
	demandKind(t, err, engine.Conflict, `the source "Files" is used by access profile "CRM" (source)`)
	f.ApplyText("lifecycleStates: [{name: Inactive, technicalName: inactive, identityState: INACTIVE_SHORT_TERM, identityProfile: {name: Employees}, accountActions: []}," +
		"{name: Active, technicalName: active, identityProfile: {name: Employees}, accountActions: []}]")
	for _, o := range []engine.ObjectName{{engine.TypeRole, "Seller"}, {engine.TypeRole, "Manager on duty"}, {engine.TypeAccessProfile, "CRM"}} {
		if _, err := f.DeleteConfiguration(t.Context(), o.Type, o.Name); err != nil {
			t.Fatal(err)
		}
	}
	before, err := f.FindIdentity(t.Context(), "ayse")
	if err != nil {
		t.Fatal(err)
	}
	text := f.text(`SELECT (SELECT count(*) FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id WHERE s.name = 'Files')::text`)
	var shown []string
	totals, err := f.Preview(t.Context(), engine.PreviewParams{Delete: engine.ObjectName{Type: engine.TypeSource, Name: "files"}},
		func(c *engine.PreviewChange) error {
			for _, a := range c.AccountsGone {
				shown = append(shown, a.Source.Name+" "+a.NativeIdentity)
			}
			return nil
		})
	if err != nil || len(totals.Removals) != 1 || fmt.Sprint(totals.Removals[0].Accounts) != text || totals.Removals[0].Grants == 0 ||
		totals.Removals[0].Operations == 0 || len(shown) != totals.Removals[0].Identities {
		t.Fatalf("the preview is %+v with %v, %v", totals, shown, err)
	}
	if loss := totals.Losses[len(totals.Losses)-1]; loss.Kind != engine.LossAccount || loss.Text != "lose their account on Files" {
		t.Errorf("the losses are %+v", totals.Losses)
	}
	counts := f.counts.Load()
	result, err := f.DeleteConfiguration(t.Context(), engine.TypeSource, "Files")
	if err != nil || fmt.Sprint(result.Removals[0].Accounts) != text || result.Task == "" {
		t.Fatalf("got %+v, %v", result, err)
	}
	f.settle()
	if f.counts.Load() != counts {
		t.Error("an operation was carried out on the source")
	}
	for _, table := range []string{"access_grants", "carried_access", "vanished_accounts", "provisioning_batches", "entitlements WHERE attribute = 'groups' AND value IN ('crm', 'sales')",
		"provisioning_operations WHERE state NOT IN ('DONE', 'CANCELLED', 'RETRIED')"} {
		if n := f.CountRows("muster." + table); n != 0 {
			t.Errorf("%s has %d rows", table, n)
		}
	}
	list, err := f.Operations(t.Context(), engine.OperationQuery{})
	if err != nil || len(list) == 0 || list[0].Source.Name != "" {
		t.Errorf("its operations are %+v, %v", list, err)
	}
	after := f.Identity("ayse")
	if after.LifecycleState.StateName != before.LifecycleState.StateName || after.Name != before.Name {
		t.Errorf("got %+v, want %+v", after, before)
	}
	if d := f.doctor(engine.DoctorOptions{}); len(notOK(&d)) > 0 {
		t.Error(notOK(&d))
	}
}

// A source is deleted among aggregations of it: each comes before, with all that it writes, or writes nothing.
func TestDeleteSourceAmongAggregations(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText("sources: [{name: Yard, connector: delimited-file, schemas: [{name: account, identityAttribute: sam, attributes: [{name: sam}, {name: emp}, " +
		"{name: groups, isMulti: true, isEntitlement: true}]}], accountCorrelationConfig: {attributeAssignments: [{property: uid, value: emp}]}}]")
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			text := fmt.Sprintf("sam,emp,groups\ns%d,ann,g%d\nt%d,bob,h\n", i, i, i)
			_, err := f.Aggregate(t.Context(), "Yard", strings.NewReader(text), engine.AggregateOptions{
				MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}})
			if err != nil {
				ended <- err
				return
			}
			if i == 2 {
				close(begun)
			}
		}
	}()
	select {
	case <-begun:
	case err := <-ended:
		t.Fatal(err)
	}
	if _, err := f.DeleteConfiguration(t.Context(), engine.TypeSource, "Yard", engine.Confirm()); err != nil {
		t.Fatal(err)
	}
	// One that reads its data meanwhile is to be repeated, and would find no source then.
	if err := <-ended; engine.KindOf(err) != engine.NotFound && engine.KindOf(err) != engine.Conflict {
		t.Errorf("the last aggregation ends with %v", err)
	}
	f.Process()
	if d := f.doctor(engine.DoctorOptions{}); len(notOK(&d)) > 0 {
		t.Error(notOK(&d))
	}
}

// A source stays while an operation on it is being carried out.
func TestDeleteSourceWhileOperating(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := operationOpen(t, m, engine.Config{})
	for _, text := range []string{"roles: [{name: Lead, enabled: true, accessProfiles: []}]"} {
		f.ApplyText(text)
	}
	f.execute(`UPDATE muster.provisioning_operations SET begun = now() WHERE state = 'OPEN'`)
	if _, err := f.DeleteConfiguration(t.Context(), engine.TypeAccessProfile, "Leading"); err != nil {
		t.Fatal(err)
	}
	_, err := f.DeleteConfiguration(t.Context(), engine.TypeSource, "Memory", engine.Confirm())
	demandKind(t, err, engine.Conflict, "operations are being carried out")
	f.execute(`UPDATE muster.provisioning_operations SET begun = NULL WHERE state = 'OPEN'`)
	if _, err := f.DeleteConfiguration(t.Context(), engine.TypeSource, "Memory", engine.Confirm()); err != nil {
		t.Error(err)
	}
}

// The guard holds the removal of a source and of a role where too many lose something at once, until it is confirmed.
// What a role gave is taken away by operations.
func TestGuardHoldsRemovals(t *testing.T) {
	t.Parallel()
	f := newGuarded(t, 20, engine.Guard{Share: 0.25, Minimum: 2}, engine.Config{})
	totals, err := f.Preview(t.Context(), engine.PreviewParams{Delete: engine.ObjectName{Type: engine.TypeRole, Name: "Seller"}},
		func(c *engine.PreviewChange) error {
			if len(c.RolesLost) != 1 || c.RolesLost[0].Name != "Seller" {
				t.Errorf("%s loses %+v", c.Name, c.RolesLost)
			}
			return nil
		})
	if err != nil || totals.Held == "" || totals.Removals[0].Identities != 20 || totals.Roles[0].Lost != 20 {
		t.Fatalf("the preview is %+v, %v", totals, err)
	}
	_, err = f.DeleteConfiguration(t.Context(), engine.TypeRole, "Seller")
	var held *engine.RemovalHeldError
	if !errors.As(err, &held) || !strings.Contains(err.Error(), "of 20 identities 20 would lose a role, and 5 may") {
		t.Errorf("got %v", err)
	}
	if n := f.CountRows("muster.role_assignments"); n != 20 {
		t.Errorf("%d assignments are left", n)
	}
	result, err := f.DeleteConfiguration(t.Context(), engine.TypeRole, "Seller", engine.Confirm())
	if err != nil {
		t.Fatal(err)
	}
	if n := f.CountRows("muster.role_assignments"); n != 0 {
		t.Errorf("%d assignments are left", n)
	}
	if n := f.CountRows(`muster.identity_events WHERE detail @? '$.roles.lost[*] ? (@.name == "Seller" && @.reason like_regex "removed from")'`); n != 20 {
		t.Errorf("%d events say that the role is gone", n)
	}
	// What follows is held by itself.
	if processed := f.Process(); len(processed.Held) != 1 {
		t.Fatalf("the task is not held: %+v", processed)
	}
	if _, err := f.ConfirmTask(t.Context(), result.Task); err != nil {
		t.Fatal(err)
	}
	f.settle()
	if n := f.CountRows(`muster.provisioning_operations WHERE kind = 'REMOVE_ENTITLEMENT' AND state = 'DONE'`); n != 40 {
		t.Errorf("%d entitlements were taken away, want 40", n)
	}
	for _, o := range []engine.ObjectName{{engine.TypeRole, "Manager on duty"}, {engine.TypeAccessProfile, "CRM"}, {engine.TypeLifecycleState, "inactive"}} {
		if _, err := f.DeleteConfiguration(t.Context(), o.Type, o.Name); err != nil {
			t.Fatal(err)
		}
	}
	// Everybody is in the state that this one is about.
	if _, err := f.DeleteConfiguration(t.Context(), engine.TypeLifecycleState, "active"); err != nil {
		t.Fatal(err)
	}
	if processed := f.Process(); len(processed.Held) != 0 {
		t.Errorf("the state active is there without a definition: %+v", processed)
	}
	_, err = f.DeleteConfiguration(t.Context(), engine.TypeSource, "Files")
	demandKind(t, err, engine.Conflict, "of 20 identities 20 would lose their account on Files, and 5 may")
	if n := f.CountRows("muster.accounts"); n != 40 {
		t.Errorf("%d accounts are left", n)
	}
	if _, err = f.DeleteConfiguration(t.Context(), engine.TypeSource, "Files", engine.Confirm()); err != nil {
		t.Fatal(err)
	}
	f.settle()
	if n := f.CountRows("muster.accounts"); n != 20 {
		t.Errorf("%d accounts are left", n)
	}
	d := f.doctor(engine.DoctorOptions{})
	for _, text := range notOK(&d) {
		if !strings.HasPrefix(text, "clock:") { // the test has a clock of its own
			t.Error(text)
		}
	}
}

// Whoever was assigned a role loses it too, and the preview says so.
func TestDeleteAssignedRole(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText(enginetest.Roles)
	f.Process()
	for _, alias := range []string{"ann", "cy"} {
		if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: f.ID(alias), Role: "Auditor"}); err != nil {
			t.Fatal(err)
		}
	}
	f.Process()
	var losers []string
	totals, err := f.Preview(t.Context(), engine.PreviewParams{Delete: engine.ObjectName{Type: engine.TypeRole, Name: "Auditor"}},
		func(c *engine.PreviewChange) error {
			for _, lost := range c.RolesLost {
				losers = append(losers, c.Alias+" "+lost.Name+": "+lost.Reason)
			}
			return nil
		})
	if want := "ann Auditor: it does not exist any more|cy Auditor: it does not exist any more"; err != nil || strings.Join(losers, "|") != want ||
		totals.Removals[0].Assignments != 2 {
		t.Errorf("got %v of %+v, %v", losers, totals, err)
	}
	if _, err := f.DeleteConfiguration(t.Context(), engine.TypeRole, "Auditor"); err != nil {
		t.Fatal(err)
	}
	if got := f.members("Auditor"); got != "" {
		t.Errorf("%s have the role", got)
	}
}

// A lifecycle state goes, and who was in it is in none: the guard holds the processing, and nothing else.
func TestDeleteLifecycleState(t *testing.T) {
	t.Parallel()
	f := company(t)
	if got := f.Identity("bob").LifecycleState.StateName; got != "leave" {
		t.Fatalf("bob is in %q", got)
	}
	totals, err := f.Preview(t.Context(), engine.PreviewParams{Delete: engine.ObjectName{Type: engine.TypeLifecycleState, Name: "leave"}},
		func(*engine.PreviewChange) error { return nil })
	if err != nil || totals.Removals[0].Identities != 1 || len(totals.Lifecycle) != 1 || totals.Lifecycle[0].From != "leave" || totals.Losses[0].Kind != engine.LossLifecycle {
		t.Fatalf("the preview is %+v, %v", totals, err)
	}
	if _, err := f.DeleteConfiguration(t.Context(), engine.TypeLifecycleState, "leave"); err != nil {
		t.Fatal(err)
	}
	f.Process()
	if got := f.CountRows(`muster.identities WHERE lifecycle_state = 'leave'`); got != 0 {
		t.Error("bob is in the state still")
	}
	_, err = f.DeleteConfiguration(t.Context(), engine.TypeIdentityProfile, "Employees")
	demandKind(t, err, engine.Conflict, "the identity profile has 5 identities")
}

// Objects that no document has are pruned, of the types that are asked for, in one change with what is applied; one that
// is named by an object that stays is not.
func TestPrune(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(wideDocuments)
	before := f.export()
	apply := func(text string, options ...engine.ApplyOption) (engine.ApplyResult, error) {
		t.Helper()
		return f.Apply(t.Context(), f.documents(text), options...)
	}
	_, err := apply("sources: []\nroles: [{name: Other}]", engine.Prune(engine.TypeAccessProfile))
	demandKind(t, err, engine.Conflict, `the access profile "Basic" is used by lifecycle state "gone" (accessProfileIds[0]), role "Seller" (accessProfiles[0])`)
	_, err = apply("roles: [{name: Other}]", engine.Prune(engine.TypeSettings))
	demandKind(t, err, engine.Invalid, "apply settings that say nothing")
	difference, err := f.DiffConfiguration(t.Context(), f.documents("roles: [{name: Other}]"), engine.Prune())
	if err != nil || len(difference.Objects) != 2 || difference.Objects[1].Action != engine.Removed || difference.Objects[1].Name != "Seller" {
		t.Errorf("the difference is %+v, %v", difference, err)
	}
	if f.export() != before {
		t.Fatal("a refusal or a comparison changed something")
	}
	result, err := apply("roles: [{name: Other}]", engine.Prune())
	if err != nil || len(result.Removals) != 1 || result.Removals[0].Name != "Seller" {
		t.Fatalf("got %+v, %v", result, err)
	}
	if _, err := f.RevertConfiguration(t.Context(), result.Version); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, f.export()); diff != "" {
		t.Error(diff)
	}
	// The whole of it, given again without one role, prunes this role alone: also attributes that are only mapped stay.
	whole := strings.Replace(wideDocuments, "identityAttributes: [{name: costCenter, searchable: true}]\n", "", 1)
	i := strings.Index(whole, "roles: [")
	result, err = apply(whole[:i]+"roles: [{name: Seller, enabled: true, accessProfiles: [{name: Basic}], membership: null}]", engine.Prune(
		engine.TypeRole, engine.TypeIdentityAttribute, engine.TypeSource, engine.TypeTransform, engine.TypeIdentityProfile, engine.TypeLifecycleState, engine.TypeAccessProfile))
	if err != nil || len(result.Removals) != 0 {
		t.Errorf("got %+v, %v", result, err)
	}
}

// A document that lacks a member which decides access replaces nothing without a word: for each such member of each type.
func TestLackingMembers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(wideDocuments)
	document := func(kind engine.ObjectType, name string) map[string]any {
		t.Helper()
		object, err := f.ConfigurationObject(t.Context(), kind, name)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(object.Object, &members); err != nil {
			t.Fatal(err)
		}
		return members
	}
	for _, test := range []struct {
		kind engine.ObjectType
		name string
		path string
	}{
		{engine.TypeRole, "Seller", "membership"}, {engine.TypeRole, "Seller", "membership.criteria"}, {engine.TypeRole, "Seller", "enabled"},
		{engine.TypeRole, "Seller", "accessProfiles"}, {engine.TypeAccessProfile, "Basic", "entitlements"},
		{engine.TypeLifecycleState, "gone", "accountActions"}, {engine.TypeLifecycleState, "gone", "accessProfileIds"},
		{engine.TypeIdentityProfile, "Staff", "identityAttributeConfig"},
		{engine.TypeIdentityProfile, "Staff", "identityAttributeConfig.attributeTransforms"},
		{engine.TypeSource, "Portal", "accountCorrelationConfig"}, {engine.TypeSource, "Portal", "accountCorrelationConfig.attributeAssignments"},
		{engine.TypeSource, "Portal", "provisioningPolicies"}, {engine.TypeSource, "Portal", "deleteThreshold"},
		{engine.TypeTransform, "Short", "attributes"},
	} {
		members := document(test.kind, test.name)
		inner, last := members, test.path
		for {
			first, rest, nested := strings.Cut(last, ".")
			if !nested {
				break
			}
			inner, last = inner[first].(map[string]any), rest
		}
		if inner[last] == nil {
			t.Fatalf("%s %s has no %s", test.kind, test.name, test.path)
		}
		delete(inner, last)
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		documents := []engine.Document{{Type: test.kind, Object: text, Place: "here"}}
		before := f.export()
		_, err = f.Apply(t.Context(), documents)
		demandKind(t, err, engine.Conflict, fmt.Sprintf("%q: %s", test.name, test.path))
		if f.export() != before {
			t.Errorf("%s %s: the refusal changed something", test.name, test.path)
		}
		difference, err := f.DiffConfiguration(t.Context(), documents)
		if test.path != "attributes" && (err != nil || len(difference.Lacking) != 1) {
			t.Errorf("%s %s: the difference is %+v, %v", test.name, test.path, difference, err)
		}
		if test.path == "membership" {
			totals, err := f.Preview(t.Context(), engine.PreviewParams{Documents: documents}, func(*engine.PreviewChange) error { return nil })
			if err != nil || len(totals.Lacking) != 1 {
				t.Errorf("the preview is %+v, %v", totals, err)
			}
			inner[last] = nil
			text, _ = json.Marshal(members)
			given, err := f.Apply(t.Context(), []engine.Document{{Type: test.kind, Object: text, Place: "here"}})
			if err != nil || !strings.Contains(strings.Join(given.Notes, "\n"), "membership removed") {
				t.Errorf("null: %+v, %v", given, err)
			}
			if _, err := f.RevertConfiguration(t.Context(), given.Version); err != nil {
				t.Fatal(err)
			}
			replaced, err := f.Apply(t.Context(), documents, engine.Replace())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.RevertConfiguration(t.Context(), replaced.Version); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, f.export()); diff != "" {
				t.Error(diff)
			}
		}
	}
}

// Renaming a source is refused with the list of the mappings that name it, unless they are renamed with it.
func TestRenameSource(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(wideDocuments)
	register, err := f.ConfigurationObject(t.Context(), engine.TypeSource, "Register")
	if err != nil {
		t.Fatal(err)
	}
	renamed := engine.Document{Type: engine.TypeSource, Place: "here",
		Object: json.RawMessage(strings.Replace(string(register.Object), `"name":"Register"`, `"name":"People"`, 1))}
	_, err = f.Apply(t.Context(), []engine.Document{renamed})
	demandKind(t, err, engine.Invalid, `identity profile "Staff": attribute uid, attribute costCenter: there is no source "Register"`)
	profile, err := f.ConfigurationObject(t.Context(), engine.TypeIdentityProfile, "Staff")
	if err != nil {
		t.Fatal(err)
	}
	carried := engine.Document{Type: engine.TypeIdentityProfile, Place: "here",
		Object: json.RawMessage(strings.ReplaceAll(string(profile.Object), `"Register"`, `"People"`))}
	before := f.export()
	result, err := f.Apply(t.Context(), []engine.Document{renamed, carried})
	if err != nil || result.Objects[0].ID != register.ID {
		t.Fatalf("got %+v, %v", result, err)
	}
	if _, err := f.RevertConfiguration(t.Context(), result.Version); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, f.export()); diff != "" {
		t.Error(diff)
	}
}

// randomConfiguration draws documents of all types that fit each other, with some members present and some not.
func randomConfiguration(t *rapid.T) string {
	var b strings.Builder
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	pick := func(name string, list ...string) string { return rapid.SampledFrom(list).Draw(t, name) }
	if flag("settings") {
		fmt.Fprintf(&b, "settings: {timeZone: %s}\n", pick("zone", "Europe/Berlin", "UTC", "Asia/Tokyo"))
	}
	fmt.Fprintf(&b, "identityAttributes: [{name: costCenter, searchable: %v}]\n", flag("searchable"))
	fmt.Fprintf(&b, "transforms: [{name: Short, type: substring, attributes: {begin: 0, end: %s}}]\n", pick("end", "3", "3.0", "2"))
	b.WriteString("sources:\n- {name: Register, schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: mail}, {name: cost}]}]}\n")
	fmt.Fprintf(&b, "- name: Portal\n  connector: %s\n", pick("connector", "delimited-file", "other"))
	if flag("correlates") {
		fmt.Fprintf(&b, "  accountCorrelationConfig: {attributeAssignments: [{property: %s, value: login}]}\n", pick("property", "uid", "costCenter"))
	}
	b.WriteString("  schemas: [{name: account, identityAttribute: login, attributes: [{name: login}, {name: groups, isMulti: true, isEntitlement: true}]}]\n")
	b.WriteString("identityProfiles:\n- name: Staff\n  authoritativeSource: {name: Register}\n")
	if flag("priority") {
		fmt.Fprintf(&b, "  priority: %d\n", rapid.IntRange(0, 50).Draw(t, "number"))
	}
	b.WriteString("  identityAttributeConfig:\n    attributeTransforms:\n" +
		"    - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Register, attributeName: id}}}\n")
	if flag("mapped") {
		b.WriteString("    - {identityAttributeName: costCenter, transformDefinition: {type: reference, attributes: {id: Short, input: {type: accountAttribute, attributes: {sourceName: Register, attributeName: cost}}}}}\n")
	}
	if flag("state") {
		fmt.Fprintf(&b, "  lifecycleStates: [{name: Gone, technicalName: gone, enabled: %v, accountActions: [{action: DISABLE, sourceIds: [Portal]}]}]\n", flag("enabled"))
	}
	b.WriteString("accessProfiles: [{name: Basic, source: {name: Portal}, entitlements: [{attribute: groups, value: staff}]}]\nroles:\n")
	for i := range rapid.IntRange(1, 4).Draw(t, "roles") {
		fmt.Fprintf(&b, "- {name: \"Role %d ÄŊ\", enabled: %v, description: %q, accessProfiles: [{name: Basic}]", i, flag("on"), pick("text", "a", "<&>\u2028", "ü", ""))
		if flag("member") {
			b.WriteString(", membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.uid}, stringValue: v}}")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// Whatever is applied, pruned and deleted, one change after another: reverting the changes restores the export before
// each, byte for byte, and an export applied to an empty tenant gives the same tenant.
func TestRevertRestoresExport(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pools := []*enginetest.Company{enginetest.NewEmpty(t, enginetest.WithPool(storetest.Pool(t))), enginetest.NewEmpty(t, enginetest.WithPool(storetest.Pool(t)))}
	kinds := []engine.ObjectType{engine.TypeRole, engine.TypeLifecycleState, engine.TypeAccessProfile, engine.TypeIdentityProfile,
		engine.TypeIdentityAttribute, engine.TypeTransform, engine.TypeSource}
	empty := func(rt *rapid.T, c *enginetest.Company) {
		rt.Helper()
		documents, err := engine.ReadDocuments("empty", strings.NewReader("settings: {}"))
		if err != nil {
			rt.Fatalf("%v", err)
		}
		if _, err := c.Apply(t.Context(), documents, engine.Prune(kinds...)); err != nil {
			rt.Fatalf("empty the tenant: %v", err)
		}
		if got := exportOf(rt, c); got != "" {
			rt.Fatalf("the tenant is not empty: %s", got)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		c := pools[0]
		empty(rt, c)
		exports, versions := []string{exportOf(rt, c)}, []int64{}
		for range rapid.IntRange(1, 4).Draw(rt, "changes") {
			var result engine.ApplyResult
			var err error
			if len(versions) > 0 && rapid.Bool().Draw(rt, "delete") {
				result, err = c.DeleteConfiguration(t.Context(), engine.TypeRole, "Role 0 ÄŊ")
				if engine.KindOf(err) == engine.NotFound {
					continue
				}
			} else {
				documents, failure := engine.ReadDocuments("r.yaml", strings.NewReader(randomConfiguration(rt)))
				if failure != nil {
					rt.Fatalf("%v", failure)
				}
				options := []engine.ApplyOption{engine.Replace()}
				if rapid.Bool().Draw(rt, "prune") {
					options = append(options, engine.Prune())
				}
				result, err = c.Apply(t.Context(), documents, options...)
			}
			if err != nil {
				rt.Fatalf("%v", err)
			}
			now := exportOf(rt, c)
			if now == exports[len(exports)-1] {
				continue // nothing is to be reverted
			}
			exports, versions = append(exports, now), append(versions, result.Version)
		}
		objects, err := c.ConfigurationObjects(t.Context())
		if err != nil {
			rt.Fatalf("%v", err)
		}
		other := pools[1]
		empty(rt, other)
		if len(objects) > 0 {
			if _, err := other.Apply(t.Context(), documentsOf(objects, rapid.Bool().Draw(rt, "exported"))); err != nil {
				rt.Fatalf("apply the export: %v", err)
			}
		}
		if diff := cmp.Diff(exports[len(exports)-1], exportOf(rt, other)); diff != "" {
			rt.Fatalf("the export gives another tenant: %s", diff)
		}
		for i := len(versions) - 1; i >= 0; i-- {
			if _, err := c.RevertConfiguration(t.Context(), versions[i]); err != nil {
				rt.Fatalf("revert %d of %d: %v", i, len(versions), err)
			}
			if diff := cmp.Diff(exports[i], exportOf(rt, c)); diff != "" {
				rt.Fatalf("the revert of change %d: %s", i, diff)
			}
		}
	})
}
