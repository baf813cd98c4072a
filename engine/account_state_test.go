package engine_test

import (
	"context"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
)

// stateful is an engine with a source in memory on which Ann has an account, and whose lifecycle states enable, disable
// and delete accounts there.
func stateful(t *testing.T) (*fixture, *memory, string) {
	t.Helper()
	m := newMemory()
	var set attribute.Set
	set.Put("login", attribute.String("ann"))
	m.accounts["ann"] = set
	f := memoryEngine(t, m, engine.Config{Guard: engine.Guard{Off: true}})
	f.ApplyText(`
lifecycleStates:
  - {name: Active, technicalName: active, enabled: true, identityProfile: {name: Employees}}
  - {name: Inactive, technicalName: inactive, enabled: true, identityProfile: {name: Employees},
     accountActions: [{action: DISABLE, sourceIds: [Memory]}]}
  - {name: On leave, technicalName: leave, enabled: true, identityProfile: {name: Employees}}
`)
	f.settleAll()
	return f, m, f.accountOf("Memory", f.ID("ann"))
}

// settleAll processes and provisions until nothing waits.
func (f *fixture) settleAll() {
	f.t.Helper()
	for range 4 {
		f.Process()
		if _, err := f.ProvisionPending(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
	}
	f.Process()
}

// What somebody asks for of an account is done once, holds against the lifecycle state of the time, and ends with
// another state that has an action on the source.
func TestAccountStateIsAskedFor(t *testing.T) {
	t.Parallel()
	f, m, account := stateful(t)
	ctx, ann := engine.WithActor(t.Context(), engine.Actor{ID: "7", Name: "Ms Desk", Via: "test"}), f.ID("ann")
	state := func(name string) func() error {
		return func() error { return setState(f.SetLifecycleState(ctx, ann, name)) }
	}
	ask := func(do func(context.Context, string, engine.AccountStateOptions) (engine.AccountTask, error), force bool) func() error {
		return func() error {
			task, err := do(ctx, account, engine.AccountStateOptions{Force: force})
			if err == nil && len(task.ID) != 32 {
				t.Errorf("the task is %q", task.ID)
			}
			return err
		}
	}
	atSource := func(disabled, locked bool) func() error {
		return func() error {
			m.mutex.Lock()
			set := m.accounts["ann"]
			set.Put("IIQDisabled", attribute.Bool(disabled))
			set.Put("IIQLocked", attribute.Bool(locked))
			m.accounts["ann"] = set
			m.mutex.Unlock()
			_, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{})
			return err
		}
	}
	before, err := f.Operations(t.Context(), engine.OperationQuery{Identity: ann})
	if err != nil {
		t.Fatal(err)
	}
	done := len(before)
	for _, step := range []struct {
		name     string
		do       func() error
		disabled string
		opened   string // the kinds of the operations that follow
	}{
		{"somebody disables it", ask(f.DisableAccount, false), "true", "DISABLE"},
		{"again", ask(f.DisableAccount, false), "true", ""},
		{"again by force", ask(f.DisableAccount, true), "true", "DISABLE UNLOCK"},
		{"the source enables it: that is not undone", atSource(false, false), "false", ""},
		{"she leaves", state("inactive"), "true", "DISABLE"},
		{"somebody enables it against the state", ask(f.EnableAccount, false), "false", "ENABLE"},
		{"processing does not undo that", func() error { _, err := f.ProcessIdentities(ctx, []string{ann}); return err }, "false", ""},
		{"nor does a run over everybody", func() error { _, err := f.ProcessAll(ctx); return err }, "false", ""},
		{"nor does a state without an action", state("leave"), "false", ""},
		{"she leaves again: the state counts", state("inactive"), "true", "DISABLE"},
		{"and goes on to count", atSource(false, false), "true", "DISABLE"},
		{"it is locked", atSource(true, true), "true", ""},
		{"somebody unlocks it", ask(f.UnlockAccount, false), "true", "UNLOCK"},
		{"again", ask(f.UnlockAccount, false), "true", ""},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		f.settleAll()
		operations, err := f.Operations(t.Context(), engine.OperationQuery{Identity: ann})
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for i := range operations[:len(operations)-done] {
			kinds = append([]string{operations[i].Kind}, kinds...)
			if strings.HasPrefix(step.name, "somebody") && (operations[i].Reason != "somebody asked for it" ||
				operations[i].Actor.ID != "7" || operations[i].State != "DONE") {
				t.Errorf("%s: the operation is %+v", step.name, operations[i])
			}
		}
		done = len(operations)
		if got := strings.Join(kinds, " "); got != step.opened {
			t.Errorf("%s: opens %q, want %q", step.name, got, step.opened)
		}
		if got := m.get("IIQDisabled"); got != step.disabled {
			t.Errorf("%s: the account is disabled: %q, want %q", step.name, got, step.disabled)
		}
	}
	if got := m.get("IIQLocked"); got != "false" {
		t.Errorf("the account is locked: %q", got)
	}
	events, err := f.EventLog(t.Context(), engine.EventQuery{Types: []string{engine.EventAccountDemanded}, Limit: 100})
	if err != nil || len(events) != 6 {
		t.Fatalf("there are %d events, %v, want one for each time that somebody asked", len(events), err)
	}
	if d := events[len(events)-1].Detail.Demanded; len(d) != 1 || d[0].Operation != "DISABLE" || d[0].NativeIdentity != "ann" ||
		events[0].Actor.Name != "Ms Desk" {
		t.Errorf("the first event is %+v", events[len(events)-1])
	}
	d := f.doctor(engine.DoctorOptions{})
	for _, finding := range notOK(&d) {
		if strings.Contains(finding, "demand") || strings.Contains(finding, "operation") {
			t.Errorf("the doctor says %q", finding)
		}
	}
}

// What cannot be done is refused, and nothing is recorded.
func TestAccountStateIsRefused(t *testing.T) {
	t.Parallel()
	f, _, account := stateful(t)
	f.AggregateText("Directory", enginetest.DirectoryHeader+"stray,,,g,true\n", engine.AggregateOptions{})
	f.Process()
	stray := f.text(`SELECT replace(id::text, '-', '') FROM muster.accounts WHERE native_identity = 'stray'`)
	hr := f.accountOf("HR", f.ID("ann"))
	ask := func(do func(context.Context, string, engine.AccountStateOptions) (engine.AccountTask, error), id string) error {
		_, err := do(t.Context(), id, engine.AccountStateOptions{})
		return err
	}
	demandKind(t, ask(f.EnableAccount, "nobody"), engine.NotFound, "no account")
	demandKind(t, ask(f.DisableAccount, f.ID("ann")), engine.NotFound, "no account")
	demandKind(t, ask(f.EnableAccount, stray), engine.Conflict, "no identity has the account")
	demandKind(t, ask(f.DisableAccount, hr), engine.Conflict, `the source "HR" cannot disable the account: it does not have the feature ENABLE`)
	demandKind(t, ask(f.UnlockAccount, hr), engine.Conflict, "the feature UNLOCK")
	f.ApplyText(strings.Replace(memoryConfig, "connector: memory", "connector: memory\n    features: [PROVISIONING, enable]", 1))
	demandKind(t, ask(f.UnlockAccount, account), engine.Conflict, "the feature UNLOCK")
	if err := ask(f.DisableAccount, account); err != nil {
		t.Error(err)
	}
	f.ApplyText(`
lifecycleStates:
  - {name: Inactive, technicalName: inactive, enabled: true, identityProfile: {name: Employees},
     accountActions: [{action: DELETE, sourceIds: [Memory]}]}
`)
	if _, err := f.SetLifecycleState(t.Context(), f.ID("ann"), "inactive"); err != nil {
		t.Fatal(err)
	}
	demandKind(t, ask(f.EnableAccount, account), engine.Conflict, `the lifecycle state "inactive" of the identity deletes the accounts on "Memory"`)
	if n := f.number(`SELECT count(*) FROM muster.account_demands`); n != 1 {
		t.Errorf("%d demands are recorded, want the one that was possible", n)
	}
}

// A reload reads the one account that it is asked for.
func TestReloadAccount(t *testing.T) {
	t.Parallel()
	f, m, account := stateful(t)
	reads := m.reads.Load()
	change := func(name, value string) {
		m.mutex.Lock()
		set := m.accounts["ann"]
		set.Put(name, attribute.String(value))
		m.accounts["ann"] = set
		m.mutex.Unlock()
	}
	change("pin", "4711")
	task, err := f.ReloadAccount(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.GetAccount(t.Context(), account); err != nil || got.Attributes.Get("pin").Text() != "4711" {
		t.Errorf("the account is %+v, %v", got, err)
	}
	f.Process()
	if status, err := f.Task(t.Context(), task.ID); err != nil || !status.Ended() || status.Attributes.IdentityCount != 1 {
		t.Errorf("the task is %+v, %v, want that of Ann", status, err)
	}
	again, err := f.ReloadAccount(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := f.Task(t.Context(), again.ID); err != nil || !status.Ended() {
		t.Errorf("where nothing changed, the task is %+v, %v", status, err)
	}
	if got := m.reads.Load(); got != reads {
		t.Errorf("the source was read %d times", got-reads)
	}
	m.mutex.Lock()
	delete(m.accounts, "ann")
	m.mutex.Unlock()
	_, err = f.ReloadAccount(t.Context(), account)
	demandKind(t, err, engine.Conflict, "the source has no account with this native identity")
	if got := f.accountOf("Memory", f.ID("ann")); got != account {
		t.Error("a reload removed the account")
	}
	_, err = f.ReloadAccount(t.Context(), f.accountOf("HR", f.ID("ann")))
	demandKind(t, err, engine.Conflict, "aggregate the source")
	_, err = f.ReloadAccount(t.Context(), "nobody")
	demandKind(t, err, engine.NotFound, "no account")
}

// unfindable hides that the source can look for single accounts.
type unfindable struct{ connector.Connector }

// A connector that cannot look for one account is told from one that finds none.
func TestReloadByConnectorThatCannot(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	config := engine.Config{Connectors: map[string]connector.Factory{"memory": func(ctx context.Context, c connector.Config) (
		connector.Connector, error,
	) {
		opened, err := m.open(ctx, c)
		return unfindable{opened}, err
	}}, Secret: func(string) (string, error) { return "sesame", nil }}
	other, err := engine.New(t.Context(), f.Pool, config)
	if err != nil {
		t.Fatal(err)
	}
	m.mutex.Lock()
	var set attribute.Set
	set.Put("login", attribute.String("ann"))
	m.accounts["ann"] = set
	m.mutex.Unlock()
	if _, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = other.ReloadAccount(t.Context(), f.accountOf("Memory", f.ID("ann")))
	demandKind(t, err, engine.Conflict, `the connector "memory" cannot look for single accounts`)
}

// Whose sign-in is disabled has no session and gets none, cannot be reset, and comes back with the status of before.
func TestSignInDisabled(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx, ann := t.Context(), f.ID("ann")
	f.execute(`UPDATE muster.identities SET cloud_status = 'REGISTERED' WHERE alias = 'ann'`)
	token, err := f.OpenSession(ctx, engine.Session{UserID: ann})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := f.DisableSignIn(ctx, ann); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Identity("ann").IdentityStatus; got != "DISABLED" {
		t.Errorf("the status is %s", got)
	}
	_, err = f.Session(ctx, token)
	demandKind(t, err, engine.NotFound, "")
	_, err = f.OpenSession(ctx, engine.Session{UserID: ann})
	demandKind(t, err, engine.Forbidden, "the sign-in of the identity is disabled")
	demandKind(t, f.ResetIdentity(ctx, ann), engine.Conflict, "the sign-in of the identity is disabled")
	for range 2 {
		if _, err := f.EnableSignIn(ctx, ann); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Identity("ann").IdentityStatus; got != "REGISTERED" {
		t.Errorf("the status is %s, want that of before", got)
	}
	history, err := f.History(ctx, ann, "", 2)
	if err != nil || len(history) != 2 || history[0].Detail.States == nil || history[1].Detail.States == nil ||
		*history[0].Detail.States.CloudStatus.NewValue != "REGISTERED" || *history[1].Detail.States.CloudStatus.NewValue != "DISABLED" {
		t.Errorf("the history is %+v, %v", history, err)
	}
	_, err = f.DisableSignIn(ctx, "nobody")
	demandKind(t, err, engine.NotFound, "no identity")
}

// An activity is what the engine did for one identity in one task; its operations find it, and so does the task of what
// somebody asked for.
func TestAccountActivities(t *testing.T) {
	t.Parallel()
	f, _, account := stateful(t)
	ann := f.ID("ann")
	ctx := engine.WithActor(t.Context(), engine.Actor{ID: f.ID("bob"), Name: "Bob", Via: "test"})
	asked, err := f.SetLifecycleState(ctx, ann, "inactive")
	if err != nil {
		t.Fatal(err)
	}
	get := func(id string) engine.AccountActivity {
		t.Helper()
		a, err := f.GetAccountActivity(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := get(asked); a.Type != "LifecycleStateChange" || a.CompletionStatus != "PENDING" || a.ExecutionStatus != "EXECUTING" ||
		a.Requester.Name != "Bob" || a.Target.IdentityID != ann || len(a.Items) != 0 || a.Completed != nil {
		t.Errorf("before the processing it is %+v", a)
	}
	f.settleAll()
	a := get(asked)
	if a.CompletionStatus != "SUCCESS" || a.ExecutionStatus != "COMPLETED" || len(a.Items) != 1 || a.Completed == nil ||
		a.Items[0].Operation != "DISABLE" || a.Items[0].ProvisioningStatus != "FINISHED" || *a.Items[0].NativeIdentity != "ann" {
		t.Errorf("afterwards it is %+v", a)
	}
	if got := get(a.Items[0].ID); got.ID != asked {
		t.Errorf("the operation is of %s, want %s", got.ID, asked)
	}
	enabled, err := f.EnableAccount(ctx, account, engine.AccountStateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.settleAll()
	if a := get(enabled.ID); a.Type != "AccountStateUpdate" || len(a.Items) != 1 || a.Items[0].Operation != "ENABLE" {
		t.Errorf("what was asked for of the account is %+v", a)
	}
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: f.ID("cy"), Role: "Lead"}); err != nil {
		t.Fatal(err)
	}
	f.settleAll()
	list := func(params engine.ActivityParams) string {
		t.Helper()
		params.Count, params.Sorters = true, "created"
		page, err := f.ListAccountActivities(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		if *page.Total != len(page.Items) {
			t.Errorf("%+v: the total is %d of %d", params, *page.Total, len(page.Items))
		}
		var texts []string
		for _, a := range page.Items {
			if got := get(a.ID); got.ID != a.ID || len(got.Items) != len(a.Items) {
				t.Errorf("the activity is %+v, in the list %+v", got, a)
			}
			texts = append(texts, a.Type)
		}
		return strings.Join(texts, " ")
	}
	const hers = "LifecycleStateChange AccountStateUpdate"
	for _, test := range []struct {
		params engine.ActivityParams
		want   string
	}{
		{engine.ActivityParams{RequestedFor: ann}, "AccountAttributeUpdate " + hers}, // her first name, at the start
		{engine.ActivityParams{RequestedBy: f.ID("bob")}, hers},
		{engine.ActivityParams{Regarding: f.ID("bob")}, hers},
		{engine.ActivityParams{RequestedFor: f.ID("cy")}, "CloudAutomated CloudAutomated"}, // the account, then the access
		{engine.ActivityParams{RequestedFor: "nobody"}, ""},
		{engine.ActivityParams{RequestedFor: ann, PageParams: engine.PageParams{Filters: `type eq "lifecyclestatechange"`}}, "LifecycleStateChange"},
		{engine.ActivityParams{RequestedFor: ann, PageParams: engine.PageParams{Filters: `created ge 2020-01-01T00:00:00Z and modified gt 2020-01-01T00:00:00Z and type ne "appRequest"`}}, "AccountAttributeUpdate " + hers},
		{engine.ActivityParams{RequestedFor: ann, PageParams: engine.PageParams{Filters: `type sw "Cloud"`}}, ""},
	} {
		if got := list(test.params); got != test.want {
			t.Errorf("%+v: %q, want %q", test.params, got, test.want)
		}
	}
	_, err = f.ListAccountActivities(t.Context(), engine.ActivityParams{Regarding: ann, RequestedFor: ann})
	demandKind(t, err, engine.Invalid, "excludes")
	for _, id := range []string{ann, "nobody"} {
		_, err := f.GetAccountActivity(t.Context(), id)
		demandKind(t, err, engine.NotFound, "no account activity")
	}
}

// What people say of an entitlement survives the next aggregation.
func TestUpdateEntitlement(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	page, err := f.ListEntitlements(t.Context(), engine.EntitlementParams{PageParams: engine.PageParams{Filters: `value eq "leads"`}})
	if err != nil || len(page.Items) != 1 || page.Items[0].Name != "Team leads" {
		t.Fatal(page, err)
	}
	id, ann, bob := page.Items[0].ID, f.ID("ann"), f.ID("bob")
	name, description, yes, segments := "Leads", "They lead", true, []string{"s2", "s1", "s2"}
	change := func(u engine.EntitlementUpdate) engine.Entitlement {
		t.Helper()
		e, err := f.UpdateEntitlement(t.Context(), id, u)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	got := change(engine.EntitlementUpdate{Name: &name, Description: &description, Requestable: &yes, Privileged: &yes, Owner: &ann, Segments: &segments})
	check := func(got engine.Entitlement) {
		t.Helper()
		if got.Name != "Leads" || *got.Description != description || !got.Requestable || !got.Privileged || got.Owner.Name != "Ann Boss" ||
			strings.Join(got.Segments, " ") != "s1 s2" || !got.ManuallyUpdatedFields["DISPLAY_NAME"] || !got.ManuallyUpdatedFields["DESCRIPTION"] {
			t.Errorf("the entitlement is %+v", got)
		}
	}
	check(got)
	readOnce(t, f.Company, "Memory")
	if got, err = f.GetEntitlement(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	check(got)
	for params, want := range map[*engine.EntitlementParams]int{
		{Segmented: true, Segments: []string{"s1"}}: 1, {Segmented: true, Segments: []string{"s3"}}: 0,
	} {
		if page, err := f.ListEntitlements(t.Context(), *params); err != nil || len(page.Items) != want {
			t.Errorf("%+v: %+v, %v, want %d", params, page.Items, err, want)
		}
	}
	owns, err := f.Owns(t.Context(), ann)
	if err != nil || len(owns.Entitlements) != 1 || owns.Entitlements[0].ID != id {
		t.Errorf("Ann owns %+v, %v", owns, err)
	}
	if n, err := f.ReassignOwned(t.Context(), ann, bob); err != nil || n < 1 {
		t.Errorf("%d are reassigned, %v", n, err)
	}
	if got, err = f.GetEntitlement(t.Context(), id); err != nil || got.Owner.ID != bob {
		t.Errorf("the owner is %+v, %v", got.Owner, err)
	}
	demandKind(t, f.DeleteIdentity(t.Context(), bob), engine.Conflict, "")
	nobody, none := "", ""
	got = change(engine.EntitlementUpdate{Owner: &nobody, Description: &none, ManuallyUpdated: map[string]bool{"DISPLAY_NAME": false}})
	if got.Owner != nil || got.Description != nil || got.Name != "Leads" {
		t.Errorf("the entitlement is %+v", got)
	}
	readOnce(t, f.Company, "Memory")
	if got, err = f.GetEntitlement(t.Context(), id); err != nil || got.Name != "Team leads" {
		t.Errorf("the source names it %q, %v", got.Name, err)
	}
	empty := ""
	for _, test := range []struct {
		update engine.EntitlementUpdate
		kind   engine.Kind
		text   string
	}{
		{engine.EntitlementUpdate{Name: &empty}, engine.Invalid, "name"},
		{engine.EntitlementUpdate{Owner: &name}, engine.NotFound, "no identity"},
		{engine.EntitlementUpdate{ManuallyUpdated: map[string]bool{"COLOUR": true}}, engine.Invalid, "DISPLAY_NAME and DESCRIPTION"},
	} {
		_, err := f.UpdateEntitlement(t.Context(), id, test.update)
		demandKind(t, err, test.kind, test.text)
	}
	_, err = f.UpdateEntitlement(t.Context(), ann, engine.EntitlementUpdate{})
	demandKind(t, err, engine.NotFound, "no entitlement")
}
