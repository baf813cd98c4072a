package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// everyRow returns every row of the tenant's tables, the jobs' among them, as "schema.table row".
func (f *fixture) everyRow() []string {
	f.t.Helper()
	var rows []string
	for _, name := range storetest.Texts(f.t, f.Pool, `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename)
		FROM pg_tables WHERE schemaname IN ('muster', 'muster_jobs') ORDER BY 1`) {
		rows = append(rows, storetest.Texts(f.t, f.Pool, `SELECT '`+name+` ' || t::text FROM `+name+` t ORDER BY 1`)...)
	}
	return rows
}

func dashes(id string) string {
	return fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:])
}

// telling returns the rows of a dump that tell of somebody.
func telling(rows []string, terms ...string) []string {
	var found []string
	for _, row := range rows {
		if slices.ContainsFunc(terms, func(term string) bool {
			return strings.Contains(strings.ToLower(row), strings.ToLower(term))
		}) {
			found = append(found, row)
		}
	}
	return found
}

const zeldaRow = "zquist77,Zelda Quistgaard,Zelda,Quistgaard,zelda.quistgaard@example.com,Sales,ann,44,active\n"

// zelda is a company in which somebody has everything that can be kept of a person: history, operations that succeeded,
// failed and are open, messages, tokens, roles, tasks about her, warnings, others whose history names her.
func zelda(t *testing.T, options ...enginetest.Option) (f *target, id string) {
	t.Helper()
	box := &mailbox{}
	f = &target{folder: t.TempDir()}
	f.fixture = &fixture{enginetest.NewEmpty(t, append(options, enginetest.WithConfig(engine.Config{BatchSize: 3, Workers: 1,
		Guard: engine.Guard{Off: true}, Notifier: box,
		Connectors: map[string]connector.Factory{"delimited-file": f.open}}))...), t}
	f.write(targetHeader)
	f.ApplyText(enginetest.Documents)
	f.ApplyText(fmt.Sprintf(targetConfig, f.folder))
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	managed := strings.Replace(enginetest.People, "Legal,cy", "Legal,zquist77", 1)
	named := strings.Replace(managed, "Board", "Zelda Quistgaard", 1) // an attribute of Ann, for a while
	f.AggregateText("HR", named+zeldaRow, engine.AggregateOptions{})
	f.settle()
	id = f.Identity("zquist77").ID
	if manager := f.Identity("cy").ManagerRef; manager == nil || manager.ID != id {
		t.Fatal("she manages nobody")
	}
	ann, ctx := f.Identity("ann").ID, t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.AssignRole(ctx, engine.AssignRoleParams{Identity: ann, Role: "Manager on duty", Assigner: id})
	must(err)
	_, err = f.AssignRole(ctx, engine.AssignRoleParams{Identity: id, Role: "Manager on duty", Comments: "for Zelda Quistgaard"})
	must(err)
	_, err = f.ProcessIdentities(ctx, []string{id})
	must(err)
	_, err = f.SynchronizeAttributes(ctx, id)
	must(err)
	f.fails.Store(&failure{err: connector.Permanent(errors.New("no"))})
	f.AggregateText("HR", named+strings.Replace(zeldaRow, "Zelda Quistgaard", "Zelda Q. Quistgaard", 1), engine.AggregateOptions{})
	f.Process()
	f.provision() // what synchronizes her name fails
	f.fails.Store(nil)
	f.AggregateText("HR", named+zeldaRow, engine.AggregateOptions{})
	f.settle()
	_, err = f.InviteIdentities(ctx, engine.InviteParams{IDs: []string{id, ann}})
	must(err)
	f.send()
	_, err = f.RedeemInvitation(ctx, box.take()[0].Token)
	must(err)
	_, err = f.InviteIdentities(ctx, engine.InviteParams{IDs: []string{id}}) // a warning, or a note
	must(err)
	f.send()
	must(f.SendVerification(ctx, id, engine.VerificationParams{Source: "Files", Via: engine.ViaEmailWork})) // it waits
	f.AggregateText("HR", enginetest.People+zeldaRow, engine.AggregateOptions{})
	f.settle()
	if f.Identity("cy").ManagerRef != nil {
		t.Fatal("she manages somebody")
	}
	f.AggregateText("HR", enginetest.People+strings.Replace(zeldaRow, "Zelda Quistgaard", "Zelda R. Quistgaard", 1), engine.AggregateOptions{})
	f.Process() // opens an operation
	return f, id
}

// terms are what tells of her, but for her short names, which are parts of other words.
func terms(id string) []string {
	return []string{id, dashes(id), "zelda", "quistgaard", "zquist77"}
}

func TestEraseIdentity(t *testing.T) {
	t.Parallel()
	f, id := zelda(t)
	before := f.everyRow()
	accounts := strings.Fields(f.text(`SELECT string_agg(id::text, ' ') FROM muster.accounts WHERE identity_id = $1`, id))
	for _, table := range []string{"accounts", "access_grants", "identities", "identity_events", "identity_keys", "notifications",
		"one_time_tokens", "provisioning_operations", "refresh_state", "role_assignments", "synchronizations", "task_messages", "tasks"} {
		if !slices.ContainsFunc(telling(before, terms(id)...), func(row string) bool { return strings.HasPrefix(row, "muster."+table+" ") }) {
			t.Errorf("nothing of her is in %s, so that the test shows nothing of it", table)
		}
	}
	_, err := f.EraseIdentity(t.Context(), id, engine.EraseOptions{})
	demandKind(t, err, engine.Conflict, "2 accounts are of the identity here")
	if diff := len(f.everyRow()) - len(before); diff != 0 {
		t.Errorf("a refusal left %d rows more, want 0", diff)
	}
	// A caller's transaction that is rolled back erases nothing.
	rolledBack := errors.New("no")
	err = pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
		erasure, err := f.EraseIdentityTx(t.Context(), tx, id, engine.EraseOptions{Accounts: true})
		if err != nil || len(erasure.Left) > 0 {
			t.Errorf("got %+v and the error %v, want nothing Left", erasure, err)
		}
		return rolledBack
	})
	if !errors.Is(err, rolledBack) || !slices.Equal(telling(f.everyRow(), terms(id)...), telling(before, terms(id)...)) {
		t.Errorf("%v; something was erased", err)
	}

	erasure, err := f.EraseIdentity(t.Context(), id, engine.EraseOptions{Accounts: true})
	if err != nil {
		t.Fatal(err)
	}
	after := f.everyRow()
	if left := telling(after, terms(id)...); len(left) > 0 || len(erasure.Left) > 0 {
		t.Errorf("left:\n%s\nreported: %+v", strings.Join(left, "\n"), erasure.Left)
	}
	removed := map[string]int64{}
	for _, rows := range erasure.Rows {
		removed[fmt.Sprintf("%s %t", rows.Table, rows.Emptied)] += rows.Rows
	}
	for _, key := range []string{"accounts false", "account_entitlements false", "identities false", "identity_events false", "identity_events true", "notifications false",
		"one_time_tokens false", "provisioning_operations false", "role_assignments false", "role_assignments true", "task_messages false",
		"tasks true"} {
		if removed[key] == 0 {
			t.Errorf("the report has no %s: %+v", key, erasure.Rows)
		}
	}
	// Of others nothing is gone: every row that did not tell of her is there as it was.
	told := telling(before, append(terms(id), accounts...)...)
	for _, row := range before {
		if !slices.Contains(after, row) && !slices.Contains(told, row) {
			t.Errorf("changed: %s", row)
		}
	}
	// Their history goes on, without her.
	history, err := f.History(t.Context(), f.Identity("cy").ID, "", 100)
	if err != nil || !slices.ContainsFunc(history, func(e engine.Event) bool {
		text, err := json.Marshal(e.Detail)
		return err == nil && strings.Contains(string(text), `"00000000000000000000000000000000"`)
	}) {
		t.Errorf("got %+v, %v, want an event with zeros for her", history, err)
	}
	_, err = f.EraseIdentity(t.Context(), id, engine.EraseOptions{})
	demandKind(t, err, engine.NotFound, "no identity")
	f.settle()
	f.send()
	if d := f.doctor(engine.DoctorOptions{Thorough: true}); len(notOK(&d)) > 0 {
		t.Errorf("got %q, want len(notOK(&d)) <= 0", notOK(&d))
	}
	if left := telling(f.everyRow(), terms(id)...); len(left) > 0 {
		t.Errorf("she comes back:\n%s", strings.Join(left, "\n"))
	}
}

// Who was deleted before is erased from what the deletion left.
func TestEraseWhoWasDeleted(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f, id := zelda(t)
	f.write(targetHeader)
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}}); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteIdentity(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	f.Process()
	_, err := f.EraseIdentity(t.Context(), id, engine.EraseOptions{})
	demandKind(t, err, engine.Conflict, "1 account is of the identity here") // that which she was made of
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}})
	f.Process()
	erasure, err := f.EraseIdentity(t.Context(), dashes(id), engine.EraseOptions{})
	if err != nil || len(erasure.Left) > 0 {
		t.Errorf("got %+v and the error %v, want nothing Left", erasure, err)
	}
	if left := telling(f.everyRow(), terms(id)...); len(left) > 0 {
		t.Errorf("left:\n%s", strings.Join(left, "\n"))
	}
}

// An erasure waits for a batch that has read the person, so that a message about them that the batch commits is erased
// too.
func TestErasureWaitsForBatches(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f, id := zelda(t)
	s, err := store.New("muster")
	if err != nil {
		t.Fatal(err)
	}
	person, err := store.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	var task store.ID
	if err := f.Pool.QueryRow(t.Context(), `SELECT id FROM muster.tasks ORDER BY id LIMIT 1`).Scan(&task); err != nil {
		t.Fatal(err)
	}
	batch, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = batch.Rollback(context.Background()) }()
	if err := s.LockCorrelationShared(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	erased := make(chan error, 1)
	go func() {
		_, err := f.EraseIdentity(t.Context(), id, engine.EraseOptions{Accounts: true})
		erased <- err
	}()
	eventually(t, "the erasure waits", func() bool {
		return f.number(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 1
	})
	late := []store.TaskMessage{{Type: "WARN", Key: "x", IdentityID: store.NewID(), Text: "one of " + person.String()}}
	if err := s.AddTaskMessages(t.Context(), batch, task, late, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := batch.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-erased; err != nil {
		t.Error(err)
	}
	if left := telling(f.everyRow(), terms(id)...); len(left) > 0 {
		t.Errorf("left:\n%q", left)
	}
}

// What is somebody else's, or nobody can tell whose, is reported where it is, and stays.
func TestErasureReportsWhatIsLeft(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", strings.Replace(enginetest.People, "Legal,cy", "Legal,zquist77", 1)+zeldaRow+
		"zoe,Zelda Quistgaard,Z,Q,other@example.com,Board,,30,\n", engine.AggregateOptions{})
	f.Process()
	id := f.Identity("zquist77").ID
	erasure, err := f.EraseIdentity(t.Context(), id, engine.EraseOptions{Accounts: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []engine.Trace{
		{Table: "muster.accounts", Column: "name", Rows: 1}, {Table: "muster.accounts", Column: "attributes", Rows: 2},
		{Table: "muster.identities", Column: "name", Rows: 1}, {Table: "muster.identities", Column: "name_key", Rows: 1},
		{Table: "muster.identities", Column: "manager_key", Rows: 1}, {Table: "muster.identities", Column: "attributes", Rows: 1},
	}
	for _, trace := range want {
		if !slices.Contains(erasure.Left, trace) {
			t.Errorf("%+v is missing in %+v", trace, erasure.Left)
		}
	}
	for _, trace := range erasure.Left {
		if !slices.Contains(want, trace) && trace != (engine.Trace{Table: "muster.identity_keys", Column: "key", Rows: 1}) {
			t.Errorf("%+v is found", trace)
		}
	}
	if f.Identity("zoe").Name != "Zelda Quistgaard" {
		t.Error("somebody else of her name has lost it")
	}
}

func TestEraseRefuses(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f, id := zelda(t)
	ctx, all := t.Context(), engine.EraseOptions{Accounts: true}
	refused := func(text string) {
		t.Helper()
		_, err := f.EraseIdentity(ctx, id, all)
		demandKind(t, err, engine.Conflict, text)
	}
	for _, nonsense := range []string{"", "x", nobodys} {
		_, err := f.EraseIdentity(ctx, nonsense, all)
		demandKind(t, err, engine.NotFound, "no identity")
	}
	if err := f.ProtectIdentity(ctx, id, true); err != nil {
		t.Fatal(err)
	}
	refused("protected")
	if err := f.ProtectIdentity(ctx, id, false); err != nil {
		t.Fatal(err)
	}
	if err := f.RegisterOwned(ctx, engine.OwnedObject{Kind: "APPLICATION", ID: "a", Owner: id}); err != nil {
		t.Fatal(err)
	}
	refused("owner of following resources")
	if err := f.ForgetOwned(ctx, "APPLICATION", "a"); err != nil {
		t.Fatal(err)
	}
	const list = "roles: [{name: Few, enabled: true, membership: {type: IDENTITY_LIST, identities: [%s]}}]"
	f.ApplyText(fmt.Sprintf(list, fmt.Sprintf("{type: IDENTITY, id: %s}", dashes(id))))
	f.Process()
	refused("take it out of role Few first")
	f.ApplyText(fmt.Sprintf(list, ""))
	f.Process()
	f.executeAll("UPDATE muster.notifications SET leased = now() + interval '1 minute' WHERE state = 'PENDING'")
	refused("a worker does something")
	f.executeAll("UPDATE muster.notifications SET leased = NULL WHERE state = 'PENDING'")
	// One that is being taken, too: the one that takes it waits for the identity then.
	err := pgx.BeginFunc(ctx, f.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT FROM muster.notifications WHERE state = 'PENDING' FOR UPDATE"); err != nil {
			return err
		}
		refused("a worker does something")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.executeAll("UPDATE muster.notifications SET leased = now() - interval '1 minute' WHERE state = 'PENDING'",
		"UPDATE muster.provisioning_operations SET begun = now() WHERE state = 'OPEN'",
		"UPDATE muster.provisioning_batches SET leased = now() + interval '1 minute'")
	refused("a worker does something")
	f.executeAll("UPDATE muster.provisioning_batches SET leased = now() - interval '1 minute'")
	if _, err := f.EraseIdentity(ctx, id, all); err != nil {
		t.Error(err)
	}
}

// Purge removes what is old and has ended, and nothing else.
func TestPurge(t *testing.T) {
	t.Parallel()
	f := patient(t)
	if _, err := f.RunSchedule(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Process()
	count := func() string {
		return f.text(`SELECT concat_ws(' ', (SELECT count(*) FROM muster.identity_events),
			(SELECT count(*) FROM muster.provisioning_operations WHERE state NOT IN ('OPEN', 'MANUAL')),
			(SELECT count(*) FROM muster.tasks WHERE completed IS NOT NULL), (SELECT count(*) FROM muster.schedule_slots))`)
	}
	all := count()
	if result, err := f.Purge(t.Context(), engine.PurgeOptions{}); err != nil || result != (engine.PurgeResult{}) || count() != all {
		t.Errorf("what is new is removed: %+v, %v", result, err)
	}
	f.executeAll("UPDATE muster.provisioning_operations SET state = 'FAILED' WHERE id = (SELECT min(id::text)::uuid FROM muster.provisioning_operations)",
		"UPDATE muster.event_writes SET at = at - interval '3 years' WHERE position <= (SELECT last / 2 FROM muster.event_positions)",
		"UPDATE muster.provisioning_operations SET created = created - interval '3 years', completed = completed - interval '3 years'",
		"UPDATE muster.tasks SET created = created - interval '3 years', completed = completed - interval '3 years'",
		"UPDATE muster.notifications SET created = created - interval '3 years'",
		"UPDATE muster.schedule_slots SET slot = slot - interval '3 years'")
	open := func() string {
		return fmt.Sprint(f.CountRows("muster.provisioning_operations WHERE state IN ('OPEN', 'FAILED')"), " ",
			f.CountRows("muster.tasks WHERE completed IS NULL"))
	}
	before := open()
	kept := f.CountRows("muster.identity_events e JOIN muster.event_writes w ON w.id = e.write_id WHERE w.at > now() - interval '1 year'")
	var result engine.PurgeResult
	err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) (err error) {
		result, err = f.PurgeTx(t.Context(), tx, engine.PurgeOptions{Events: 4 * 365 * 24 * time.Hour})
		return err
	})
	if err != nil || result.Events != 0 || result.Operations == 0 || result.Tasks == 0 || result.Slots != 1 {
		t.Errorf("got %+v and the error %v, want "+
			"Events 0, Operations above 0, Tasks above 0 and Slots 1", result, err)
	}
	if result, err = f.Purge(t.Context(), engine.PurgeOptions{}); err != nil || result.Events == 0 || result.Operations+result.Tasks != 0 {
		t.Errorf("got %+v, %v, want err == nil && result.Events != 0 && result.Operations + result.Tasks == 0", result, err)
	}
	if got, want := count(), fmt.Sprintf("%d 1 0 0", kept); got != want {
		t.Errorf("%q is left, want %q", got, want)
	}
	if got := open(); got != before || before != "2 1" {
		t.Errorf("of what is open %q is left, want %q, which is 2 1", got, before)
	}
	_, err = f.Purge(t.Context(), engine.PurgeOptions{Tasks: -1})
	demandKind(t, err, engine.Invalid, "Tasks")
}

// Processing, provisioning, messages, aggregation and erasures of several at the same time: nobody waits for ever, and
// nothing of those who were erased comes back.
func TestEraseBesideEverythingElse(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f, id := zelda(t)
	dee := f.Identity("dee").ID
	if _, err := f.ProcessAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, work := range []func() error{
		func() error { _, err := f.ProcessPending(t.Context(), engine.ProcessOptions{}); return err },
		func() error { _, err := f.ProcessPending(t.Context(), engine.ProcessOptions{}); return err },
		func() error { _, err := f.ProvisionPending(t.Context()); return err },
		func() error { return f.SendPending(t.Context()) },
		func() error { _, err := f.RunSchedule(t.Context()); return err },
	} {
		group.Go(func() {
			if err := work(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, person := range []string{id, dee} {
		group.Go(func() {
			for {
				_, err := f.EraseIdentity(t.Context(), person, engine.EraseOptions{Accounts: true})
				if engine.KindOf(err) == engine.Conflict {
					continue // a worker does something for her
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	group.Wait()
	f.settle()
	f.send()
	if left := telling(f.everyRow(), append(terms(id), dee, dashes(dee), "strauß")...); len(left) > 0 {
		t.Errorf("left:\n%q", left)
	}
	if d := f.doctor(engine.DoctorOptions{Thorough: true}); len(notOK(&d)) > 0 {
		t.Errorf("got %q, want len(notOK(&d)) <= 0", notOK(&d))
	}
}
