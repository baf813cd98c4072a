package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/enginetest"
)

// noWrites are the methods of the engine that write nothing of their own: they read, or they carry out what tasks ask
// for, whose actors do it.
var noWrites = strings.Fields(`
	Access AttributeSyncConfig ClaimForm ConfigurationExport ConfigurationImport ConfigurationObject
	ConfigurationObjects ConfigurationRevision ConfigurationRevisions CountIdentities CountStatistics
	CountTasks
	DefaultAttributeConfig DiffConfiguration
	DiscoverSource Doctor EndSession EndSessions Engines EventLog Events Explain ExplainCorrelation
	ExportConfiguration FindIdentity FindToken Follow GetAccount GetAccountActivity GetEntitlement GetIdentity GetOperation
	History IdentityAttributeDefinitions IdentityAttributes IdentityNames ListAccessProfileEntitlements
	ListAccountActivities ListAccounts ListConfiguration ListEntitlementHolders ListEntitlements ListIdentities
	ListOperations ListOwned ListRoleAssignments ListRoleMembers ListStatement ListTasks Metrics Movements NoteSession
	OpenSession OperationCounts Operations Ownership Owns ParkedTargets Population Preview PreviewAttributes ProcessPending ProcessTask
	ProfileStatistics ProvisionPending PublishedObjects Purge Ready ReferencesTo ReleaseForm RoleAssignment RoleAssignments
	RunSchedule Schedule Search SearchAggregate SearchCount SearchDocument SearchStatement SearchValues
	SendPending Session Settings SignIn Sources Start Statistics Stop SyncJob Task TaskMessages TaskProgress Tasks TestSource
	Trend UserLevels Wait`) // a session is the actor; repairs and launches as tests of their own show; a purge leaves nothing

// actorWrite is a write of the engine, and where it leaves its actor: in the tables of this list, when everything that
// follows from it was carried out by the engine itself.
type actorWrite struct {
	name   string
	leaves string
	do     func(ctx context.Context, w *actorWorld) error
}

// actorWorld is where the writes happen, one after the other.
type actorWorld struct {
	*fixture
	box        *mailbox
	memory     *memory
	ann        string
	assignment string
	parked     string
}

var actorWrites = []actorWrite{
	{"Apply", "event revision task", func(ctx context.Context, w *actorWorld) error {
		documents, err := engine.ReadDocuments("roles.yaml", strings.NewReader(fmt.Sprintf(`
roles:
  - name: Board
    enabled: true
    owner: {type: IDENTITY, id: %q, name: Ann Boss}
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: Board}
`, w.ann)))
		if err != nil {
			return err
		}
		_, err = w.Apply(ctx, documents, engine.WithComment("a role for the board"))
		return err
	}},
	{"Aggregate", "event task", func(ctx context.Context, w *actorWorld) error {
		changed := strings.NewReader(enginetest.PeopleHeader + "bob,Bob T.,Bob,Twain,bob@example.com,Sales,ayse,41,leave\n")
		_, err := w.Aggregate(ctx, "HR", changed, engine.AggregateOptions{Delta: true})
		return err
	}},
	{"AggregateSource", "event operation task", func(ctx context.Context, w *actorWorld) error {
		w.memory.mutex.Lock()
		var set attribute.Set
		set.Put("login", attribute.String("cy"))
		w.memory.accounts["cy"] = set
		w.memory.mutex.Unlock()
		_, err := w.AggregateSource(ctx, "Memory", engine.AggregateOptions{})
		return err
	}},
	{"StartAggregation", "event task", func(ctx context.Context, w *actorWorld) error {
		text := strings.NewReader(enginetest.PeopleHeader + "zoe,Zoe Z.,Zoe,Z,zoe@example.com,Sales,ann,41,stay\n")
		_, err := w.StartAggregation(ctx, "HR", text, engine.AggregateOptions{Delta: true})
		return err
	}},
	{"StartDeletion", "revision task", func(ctx context.Context, w *actorWorld) error {
		w.ApplyText(`transforms: [{name: Spare, type: upper, attributes: {}}]`)
		_, err := w.StartDeletion(ctx, engine.TypeTransform, []string{"Spare"})
		return err
	}},
	{"AssignRole", "event operation task", func(ctx context.Context, w *actorWorld) error {
		a, err := w.AssignRole(ctx, engine.AssignRoleParams{Identity: w.ann, Role: "Lead"})
		w.assignment = a.ID
		return err
	}},
	{"ParkOperation", "event parked", func(ctx context.Context, w *actorWorld) error {
		_, err := w.AssignRole(context.Background(), engine.AssignRoleParams{Identity: w.ID("bob"), Role: "Lead"})
		if err != nil {
			return err
		}
		w.Process()
		open, err := w.Operations(ctx, engine.OperationQuery{States: []string{"OPEN"}, Limit: 1})
		if err != nil || len(open) != 1 {
			return fmt.Errorf("open are %+v, %w", open, err)
		}
		w.parked = open[0].ID
		return w.ParkOperation(ctx, w.parked, "the audit goes first")
	}},
	{"ReleaseOperation", "event task", func(ctx context.Context, w *actorWorld) error {
		return w.ReleaseOperation(ctx, w.parked)
	}},
	{"SetPassword", "event", func(ctx context.Context, w *actorWorld) error {
		return w.SetPassword(ctx, w.ann, "Memory", "sesame")
	}},
	{"CorrelateAccount", "event operation task", func(ctx context.Context, w *actorWorld) error {
		return w.CorrelateAccount(ctx, w.accountOf("Memory", w.ann), w.ID("dee"))
	}},
	{"ReleaseAccount", "event operation task", func(ctx context.Context, w *actorWorld) error {
		return w.ReleaseAccount(ctx, w.accountOf("Memory", w.ID("dee")))
	}},
	{"DisableAccount", "event operation task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.DisableAccount(ctx, w.accountOf("Memory", w.ann), engine.AccountStateOptions{})
		return err
	}},
	{"EnableAccount", "event operation task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.EnableAccount(ctx, w.accountOf("Memory", w.ann), engine.AccountStateOptions{})
		return err
	}},
	{"UnlockAccount", "event operation task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.UnlockAccount(ctx, w.accountOf("Memory", w.ann), engine.AccountStateOptions{Force: true})
		return err
	}},
	{"ReloadAccount", "task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.ReloadAccount(ctx, w.accountOf("Memory", w.ann))
		return err
	}},
	{"DisableSignIn", "event task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.DisableSignIn(ctx, w.ann)
		return err
	}},
	{"EnableSignIn", "event task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.EnableSignIn(ctx, w.ann)
		return err
	}},
	{"EndTask", "cancelled", func(ctx context.Context, w *actorWorld) error {
		task, err := w.ProcessIdentities(context.Background(), []string{w.ID("bob")})
		if err != nil {
			return err
		}
		_, err = w.EndTask(ctx, task.ID, engine.TaskEnd{Status: "Error"})
		return err
	}},
	{"UpdateEntitlement", "event", func(ctx context.Context, w *actorWorld) error {
		page, err := w.ListEntitlements(ctx, engine.EntitlementParams{})
		if err != nil || len(page.Items) == 0 {
			return fmt.Errorf("there are no entitlements, %w", err)
		}
		owner := w.ID("bob")
		_, err = w.UpdateEntitlement(ctx, page.Items[0].ID, engine.EntitlementUpdate{Owner: &owner})
		return err
	}},
	{"RevokeRole", "event operation task", func(ctx context.Context, w *actorWorld) error {
		return w.RevokeRole(ctx, w.ann, w.assignment)
	}},
	{"SetLifecycleState", "event task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.SetLifecycleState(ctx, w.ID("bob"), "leave")
		return err
	}},
	{"ProcessIdentities", "task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.ProcessIdentities(ctx, []string{w.ann})
		return err
	}},
	{"RetryOperations", "task", func(ctx context.Context, w *actorWorld) error {
		w.execute(`UPDATE muster.provisioning_operations SET state = 'FAILED', completed = now(), error = 'it is full'
			WHERE id = (SELECT min(id::text)::uuid FROM muster.provisioning_operations WHERE state = 'DONE')`)
		_, err := w.RetryOperations(ctx, engine.RetryParams{})
		return err
	}},
	{"ProcessMatching", "task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.ProcessMatching(ctx, engine.ListParams{AnyField: true, Filters: `alias eq "ann"`})
		return err
	}},
	{"SynchronizeMatching", "task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.SynchronizeMatching(ctx, engine.ListParams{AnyField: true, Filters: `alias eq "ann"`})
		return err
	}},
	{"ProcessProfile", "task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.ProcessProfile(ctx, "Employees")
		return err
	}},
	{"ProcessAll", "task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.ProcessAll(ctx)
		return err
	}},
	{"SynchronizeAttributes", "task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.SynchronizeAttributes(ctx, w.ann)
		return err
	}},
	{"SynchronizeSource", "task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.SynchronizeSource(ctx, "Memory")
		return err
	}},
	{"InviteIdentities", "event task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.InviteIdentities(ctx, engine.InviteParams{IDs: []string{w.ann}})
		return err
	}},
	{"RedeemInvitation", "event", func(ctx context.Context, w *actorWorld) error {
		_, err := w.RedeemInvitation(ctx, w.box.take()[0].Token)
		return err
	}},
	{"ResetIdentity", "event", func(ctx context.Context, w *actorWorld) error { return w.ResetIdentity(ctx, w.ann) }},
	{"InviteIdentities", "event task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.InviteIdentities(ctx, engine.InviteParams{IDs: []string{w.ann}})
		return err
	}},
	{"Register", "event", func(ctx context.Context, w *actorWorld) error {
		_, err := w.Register(ctx, w.box.take()[0].Token, goodPassword)
		return err
	}},
	{"SendVerification", "event task", func(ctx context.Context, w *actorWorld) error {
		return w.SendVerification(ctx, w.ann, engine.VerificationParams{Source: "Memory", Via: engine.ViaEmailWork})
	}},
	{"RedeemVerification", "event", func(ctx context.Context, w *actorWorld) error {
		_, err := w.RedeemVerification(ctx, w.box.take()[0].Token, "open sesame")
		return err
	}},
	{"SetUserLevels", "event", func(ctx context.Context, w *actorWorld) error {
		return w.SetUserLevels(ctx, w.ann, []string{"HELPDESK"})
	}},
	{"ResetIdentity", "event", func(ctx context.Context, w *actorWorld) error { return w.ResetIdentity(ctx, w.ann) }},
	{"ProtectIdentity", "event", func(ctx context.Context, w *actorWorld) error { return w.ProtectIdentity(ctx, w.ann, true) }},
	{"RegisterOwned", "event", func(ctx context.Context, w *actorWorld) error {
		return w.RegisterOwned(ctx, engine.OwnedObject{Kind: "CAMPAIGN", ID: "1", Name: "Spring", Owner: w.ann})
	}},
	{"ForgetOwned", "event", func(ctx context.Context, w *actorWorld) error { return w.ForgetOwned(ctx, "CAMPAIGN", "1") }},
	{"ReassignOwned", "event revision", func(ctx context.Context, w *actorWorld) error {
		_, err := w.ReassignOwned(ctx, w.ann, w.ID("bob"))
		return err
	}},
	{"DeleteConfiguration", "event revision task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.DeleteConfiguration(ctx, engine.TypeRole, "Board")
		return err
	}},
	{"RevertConfiguration", "event revision task", func(ctx context.Context, w *actorWorld) error {
		revisions, err := w.ConfigurationRevisions(ctx, 0, 1)
		if err != nil {
			return err
		}
		_, err = w.RevertConfiguration(ctx, revisions[0].Version)
		return err
	}},
	{"CreateConfiguration", "revision", func(ctx context.Context, w *actorWorld) error {
		_, err := w.CreateConfiguration(ctx, engine.Document{Type: engine.TypeTransform,
			Object: json.RawMessage(`{"name": "Loud", "type": "upper", "attributes": {}}`)})
		return err
	}},
	{"EditConfiguration", "revision", func(ctx context.Context, w *actorWorld) error {
		_, err := w.EditConfiguration(ctx, engine.TypeTransform, "Loud",
			func(engine.ConfigurationObject) (json.RawMessage, error) {
				return json.RawMessage(`{"name": "Louder", "type": "upper", "attributes": {}}`), nil
			})
		return err
	}},
	{"DeleteConfigurationObjects", "revision task", func(ctx context.Context, w *actorWorld) error {
		_, err := w.DeleteConfigurationObjects(ctx, []engine.ObjectName{{Type: engine.TypeTransform, Name: "Louder"}},
			engine.WithTask("delete transforms"))
		return err
	}},
	{"ImportConfiguration", "revision", func(ctx context.Context, w *actorWorld) error {
		_, err := w.ImportConfiguration(ctx, []engine.Document{{Type: engine.TypeTransform,
			Object: json.RawMessage(`{"name": "Imported", "type": "upper", "attributes": {}}`)}}, engine.ImportOptions{})
		return err
	}},
	{"ConfirmTask", "confirmed", func(ctx context.Context, w *actorWorld) error {
		task, err := w.ProcessIdentities(context.Background(), []string{w.ID("bob")})
		if err != nil {
			return err
		}
		w.execute(`UPDATE muster.tasks SET held = now(), held_reason = 'it is tested' WHERE id = $1::uuid`, dashes(task.ID))
		confirmed, err := w.ConfirmTask(ctx, task.ID)
		if by := confirmed.ConfirmedBy; err == nil && (by == nil || by.Name != "Ms ConfirmTask" || confirmed.ConfirmedAt == nil) {
			err = fmt.Errorf("got %+v, want ConfirmedBy and ConfirmedAt", confirmed)
		}
		return err
	}},
	{"CancelTask", "cancelled", func(ctx context.Context, w *actorWorld) error {
		task, err := w.ProcessIdentities(context.Background(), []string{w.ID("bob")})
		if err != nil {
			return err
		}
		cancelled, err := w.CancelTask(ctx, task.ID)
		if by := cancelled.CancelledBy; err == nil && (by == nil || by.Name != "Ms CancelTask") {
			err = fmt.Errorf("got %+v, want CancelledBy", cancelled)
		}
		return err
	}},
	{"DeleteIdentity", "event task", func(ctx context.Context, w *actorWorld) error {
		return w.DeleteIdentity(ctx, w.ID("ayse"))
	}},
	{"DeleteIdentityReassigning", "event", func(ctx context.Context, w *actorWorld) error {
		return w.DeleteIdentityReassigning(ctx, w.ID("cy"), w.ID("bob"))
	}},
	// The person is to be forgotten: only the processing of others that it asks for has an actor.
	{"EraseIdentity", "", func(ctx context.Context, w *actorWorld) error {
		_, err := w.EraseIdentity(ctx, w.ID("dee"), engine.EraseOptions{Accounts: true})
		return err
	}},
}

// actorLeavings returns where rows name an actor, and demands that they name it in full.
func (w *actorWorld) actorLeavings(actor engine.Actor) string {
	w.t.Helper()
	var places []string
	for _, p := range []struct{ name, table, prefix, text string }{
		{"cancelled", "tasks", "canceller", "canceller_name"},
		{"confirmed", "tasks", "confirmer", "confirmer_name"},
		{"event", "event_writes", "actor", "actor_name"},
		{"operation", "provisioning_operations", "actor", "actor_name"},
		{"parked", "provisioning_operations", "parker", "parker_name"},
		{"revision", "configuration_revisions", "actor", "actor_name"},
		{"task", "tasks", "actor", "launcher"},
	} {
		rows := w.CountRows("muster."+p.table+" WHERE "+p.prefix+"_id = $1", actor.ID)
		if rows > 0 {
			places = append(places, p.name)
		}
		if full := w.CountRows("muster."+p.table+" WHERE "+p.prefix+"_id = $1 AND "+p.text+" = $2 AND "+p.prefix+"_via = $3",
			actor.ID, actor.Name, actor.Via); full != rows {
			w.t.Errorf("%d of %d rows of %s name %v in full", full, rows, p.table, actor)
		}
	}
	return strings.Join(places, " ")
}

// Every exported write leaves its actor where it says, also in what the engine does for it later. A new method of the
// engine fails here until it is a write with its leavings, or none.
func TestEveryWriteLeavesItsActor(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	var listed []string
	for _, write := range actorWrites {
		listed = append(listed, write.name)
	}
	listed = append(listed, noWrites...)
	methods := reflect.TypeFor[*engine.Engine]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if twin, is := strings.CutSuffix(name, "Tx"); is {
			name = twin
		}
		if !slices.Contains(listed, name) {
			t.Errorf("Engine.%s is neither a write that leaves its actor somewhere nor none", name)
		}
	}

	w := &actorWorld{box: &mailbox{}, memory: newMemory()}
	w.fixture = memoryEngine(t, w.memory, engine.Config{Notifier: w.box, Guard: engine.Guard{Off: true}})
	w.ann = w.ID("ann")
	for _, write := range actorWrites {
		actor := engine.Actor{ID: "id of " + write.name, Name: "Ms " + write.name, Via: "test"}
		if err := write.do(engine.WithActor(t.Context(), actor), w); err != nil {
			t.Fatalf("%s: %v", write.name, err)
		}
		for range 3 {
			w.Process()
			if _, err := w.ProvisionPending(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.send()
		}
		if got := w.actorLeavings(actor); got != write.leaves {
			t.Errorf("%s leaves its actor in %q, want %q", write.name, got, write.leaves)
		}
	}
	operations, err := w.Operations(t.Context(), engine.OperationQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range operations {
		task, err := w.Task(t.Context(), o.Task)
		if err != nil || task.Actor != o.Actor {
			t.Errorf("%+v was planned by %+v (%v), want the actor of its task", o, task, err)
		}
	}
}

// Where a context names nobody, the actor is that of the Config.
func TestActorOfConfig(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	task, err := f.Task(t.Context(), f.AggregateText("HR", enginetest.People, engine.AggregateOptions{}).Task)
	if want := (engine.Actor{ID: "muster", Name: "muster", Via: "engine"}); err != nil || task.Actor != want {
		t.Errorf("got %+v, %v, want the actor %+v", task, err, want)
	}
	named, err := engine.New(t.Context(), f.Pool, engine.Config{Actor: engine.Actor{ID: "host\x00"}})
	if err != nil {
		t.Fatal(err)
	}
	if task, err = named.ProcessAll(engine.WithActor(t.Context(), engine.Actor{})); err != nil {
		t.Fatal(err)
	}
	if want := (engine.Actor{ID: "host\uFFFD", Name: "host\uFFFD"}); task.Actor != want || task.Launcher != want.Name {
		t.Errorf("got %+v, want the actor %+v", task, want)
	}
}

// Scheduled processing is launched by the schedule, whoever looks at the clock.
func TestActorOfSchedule(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.execute(`UPDATE muster.refresh_state SET due = now() - interval '1 hour'`)
	result, err := f.RunSchedule(engine.WithActor(t.Context(), engine.Actor{ID: "somebody"}))
	if err != nil || len(result.Tasks) == 0 {
		t.Fatal(result, err)
	}
	for _, id := range result.Tasks {
		task, err := f.Task(t.Context(), id)
		if want := (engine.Actor{ID: "schedule", Name: "schedule", Via: "engine"}); err != nil || task.Actor != want {
			t.Errorf("got %+v, %v, want the actor %+v", task, err, want)
		}
	}
}

// Small tasks of several people in one batch: each operation is for the one who asked for it, and so is the processing
// that follows it.
func TestActorsTogether(t *testing.T) {
	t.Parallel()
	f := memoryEngine(t, newMemory(), engine.Config{Guard: engine.Guard{Off: true}})
	f.execute(`UPDATE muster.tasks SET description = 'before'`)
	people := []string{"ann", "bob", "cy"}
	for _, alias := range people {
		ctx := engine.WithActor(t.Context(), engine.Actor{ID: "for " + alias})
		if _, err := f.AssignRole(ctx, engine.AssignRoleParams{Identity: f.ID(alias), Role: "Lead"}); err != nil {
			t.Fatal(err)
		}
	}
	f.Process()
	if n := f.CountRows(`muster.provisioning_batches`); n != 1 {
		t.Errorf("there are %d deliveries, want one: the tasks were not carried out together", n)
	}
	if _, err := f.ProvisionPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Process()
	for _, alias := range people {
		operations, err := f.Operations(t.Context(), engine.OperationQuery{Identity: f.ID(alias)})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range operations {
			if o.Actor.ID != "for "+alias {
				t.Errorf("%s: %+v, want the actor %q", alias, o, "for "+alias)
			}
		}
		if got := f.CountRows(`muster.tasks WHERE actor_id = $1 AND description <> 'before'`, "for "+alias); len(operations) == 0 ||
			got != 2 {
			t.Errorf("%s: %d operations, and %d tasks are for it, want that of the assignment and that after provisioning",
				alias, len(operations), got)
		}
	}
}

// A repeated call gets the task of before only where the same actor repeats it: otherwise nobody would know of the
// second.
func TestProcessingRepeatedByAnother(t *testing.T) {
	t.Parallel()
	f := company(t)
	var tasks []string
	for _, name := range []string{"Ann", "Bob", "Ann"} {
		task, err := f.ProcessIdentities(engine.WithActor(t.Context(), engine.Actor{ID: name}), []string{f.ID("ann")})
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task.ID)
	}
	if tasks[0] != tasks[2] || tasks[0] == tasks[1] {
		t.Errorf("got the tasks %v, want the first and the last to be the same", tasks)
	}
}

func (f *fixture) revision(version int64) engine.ConfigurationRevision {
	f.t.Helper()
	revision, err := f.ConfigurationRevision(f.t.Context(), version)
	if err != nil {
		f.t.Fatal(err)
	}
	return revision
}

// Each change is a revision, with the documents as an export has them; what changes nothing or fails has none.
func TestConfigurationRevisions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := engine.WithActor(t.Context(), engine.Actor{ID: "4711", Name: "Ann\x00 Boss", Via: "test"})
	apply := func(text, comment string) (engine.ApplyResult, error) {
		t.Helper()
		documents, err := engine.ReadDocuments("c.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return f.Apply(ctx, documents, engine.WithComment(comment))
	}
	must := func(text, comment string) engine.ApplyResult {
		t.Helper()
		result, err := apply(text, comment)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	first := must(enginetest.Documents, "the company\nas it is")
	const secret = `sources: [{name: CRM, connector: ldap, connectorAttributes: {password: "env:CRM_PASSWORD"}}]`
	must(secret, "")
	role := must(`roles: [{name: Seller, enabled: false}]`, "")
	renamed := must(`roles: [{id: `+role.Objects[0].ID+`, name: Sales, enabled: true}]`, "enabled")
	must(enginetest.Documents, "nothing")
	if _, err := apply(`roles: [{name: Broken, enabled: true, accessProfiles: [{name: none}]}]`, "x"); err == nil {
		t.Error("a reference to nothing was applied")
	}
	if _, err := apply(secret, strings.Repeat("ä", engine.RevisionCommentMax+1)); engine.KindOf(err) != engine.Invalid {
		t.Errorf("a long comment: %v", err)
	}
	if _, err := apply(secret, "a\x00"); engine.KindOf(err) != engine.Invalid {
		t.Errorf("a comment with NUL: %v", err)
	}

	list, err := f.ConfigurationRevisions(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, r := range list {
		texts = append(texts, fmt.Sprintf("%s %d %d %d", r.Comment, r.Created, r.Updated, r.Removed))
		if want := (engine.Actor{ID: "4711", Name: "Ann\uFFFD Boss", Via: "test"}); r.Actor != want ||
			time.Since(r.At).Abs() > time.Hour {
			t.Errorf("got %+v, want the actor %+v, and now", r, want)
		}
	}
	if diff := cmp.Diff([]string{"enabled 0 1 0", " 1 0 0", " 1 0 0", "the company\nas it is 7 0 0"}, texts); diff != "" {
		t.Error("the revisions (-want +got):", diff)
	}
	if page, err := f.ConfigurationRevisions(t.Context(), list[1].Version, 1); err != nil || len(page) != 1 ||
		page[0].Version != list[2].Version {
		t.Errorf("got %+v, %v, want the one before version %d", page, err, list[1].Version)
	}
	demandKind(t, func() error { _, err := f.ConfigurationRevisions(t.Context(), 0, 0); return err }(), engine.Invalid, "limit")
	demandKind(t, func() error { _, err := f.ConfigurationRevision(t.Context(), 999_999); return err }(), engine.NotFound,
		"no revision")

	o := f.revision(renamed.Version).Objects
	if len(o) != 1 || o[0].Action != engine.Updated || o[0].Type != engine.TypeRole || o[0].Name != "Sales" ||
		o[0].ID != role.Objects[0].ID || !strings.Contains(string(o[0].Before), `"Seller"`) {
		t.Errorf("got %s, want the role, with another name", o)
	}
	if now := f.text(`SELECT document::text FROM muster.roles`); string(o[0].After) != now {
		t.Errorf("after it the role is %s, want %s as the table has it", o[0].After, now)
	}
	if objects := f.revision(first.Version).Objects; len(objects) != 7 || objects[0].Before != nil ||
		objects[0].Action != engine.Created {
		t.Errorf("got %d objects, want 7 new ones", len(objects))
	}
	// Stored documents are those of the configuration, with the ID, so a secret is a reference in both.
	if n := f.CountRows(`muster.configuration_revision_objects WHERE type = 'SOURCE' AND name = 'CRM'
		AND after - 'id' = (SELECT document FROM muster.sources WHERE name = 'CRM')`); n != 1 {
		t.Errorf("%d revisions have the document of the source, want 1", n)
	}

	// A revision commits with the change or not at all.
	documents, err := engine.ReadDocuments("c.yaml", strings.NewReader(`roles: [{name: Later, enabled: true}]`))
	if err != nil {
		t.Fatal(err)
	}
	err = pgx.BeginFunc(ctx, f.Pool, func(tx pgx.Tx) error {
		_, err := f.ApplyTx(ctx, tx, documents, engine.WithComment("rolled back"))
		return errors.Join(err, errors.New("no"))
	})
	if n := f.CountRows("muster.configuration_revisions"); err == nil || n != 4 {
		t.Errorf("got %v and %d revisions, want an error and 4", err, n)
	}
}

// Who is erased did nothing any more: no actor names the person, and no document of a revision.
func TestEraseActors(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f, id := zelda(t)
	ctx := engine.WithActor(t.Context(), engine.Actor{ID: id, Name: "ZQuist77", Via: "api"})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ann, bob := f.ID("ann"), f.ID("bob")
	// She and others with her names act: as launcher, confirmer, canceller, in operations and revisions.
	_, err := f.AssignRole(ctx, engine.AssignRoleParams{Identity: bob, Role: "Manager on duty"})
	must(err)
	f.settle()
	_, err = f.ProcessIdentities(engine.WithActor(t.Context(), engine.Actor{ID: "crm",
		Name: "Zelda Quistgaard (Sales)"}), []string{ann})
	must(err)
	task, err := f.ProcessIdentities(t.Context(), []string{bob})
	must(err)
	f.execute(`UPDATE muster.tasks SET held = now(), held_reason = 'test' WHERE id = $1::uuid`, dashes(task.ID))
	_, err = f.ConfirmTask(ctx, task.ID)
	must(err)
	_, err = f.CancelTask(ctx, task.ID)
	must(err)
	documents, err := engine.ReadDocuments("r.yaml", strings.NewReader(fmt.Sprintf(
		`roles: [{name: Hers, enabled: true, owner: {type: IDENTITY, id: %q, name: Zelda Quistgaard}}]`, id)))
	must(err)
	_, err = f.Apply(ctx, documents)
	must(err)
	_, err = f.ReassignOwned(ctx, id, ann)
	must(err)
	f.settle()
	f.execute(`UPDATE muster.tasks SET description = 'kept ' || kind WHERE confirmer_id <> ''`)

	erasure, err := f.EraseIdentity(ctx, id, engine.EraseOptions{Accounts: true})
	must(err)
	for _, left := range erasure.Left {
		for _, table := range []string{"tasks", "operations", "revision"} {
			if strings.Contains(left.Table, table) {
				t.Errorf("%+v is left", left)
			}
		}
	}
	for _, row := range telling(f.everyRow(), id, dashes(id), "zquist77", "Zelda") {
		if strings.Contains(row, "muster.tasks") || strings.Contains(row, "operations") || strings.Contains(row, "revision") {
			t.Errorf("it tells of her: %s", row)
		}
	}
	const masked = "an erased identity"
	zeros := strings.Repeat("0", 32)
	got := f.text(`SELECT confirmer_name || ', ' || canceller_id || ', ' || launcher FROM muster.tasks WHERE id = $1::uuid`,
		dashes(task.ID))
	if want := masked + ", " + zeros + ", muster"; got != want {
		t.Errorf("the task has %q, want %q", got, want)
	}
	if n := f.CountRows(`muster.tasks WHERE actor_id = 'crm' AND launcher = $1`, masked); n != 1 {
		t.Errorf("%d tasks of the client are masked, want 1 that keeps its ID", n)
	}
	if n := f.CountRows(`muster.configuration_revisions WHERE actor_id = $1 AND actor_name = $2 AND actor_via = 'api'`,
		zeros, masked); n != 2 {
		t.Errorf("%d revisions are masked, want 2", n)
	}
	if n := f.CountRows(`muster.configuration_revision_objects WHERE name = 'Hers' AND after -> 'owner' ->> 'id' = $1
		AND after -> 'owner' -> 'name' = 'null'`, zeros); n != 1 {
		t.Errorf("%d documents are masked, want 1", n)
	}
}
