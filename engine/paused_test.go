package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/enginetest"
)

// finding is a connector that can also look for single accounts.
type finding struct{ *failing }

func (c finding) Find(ctx context.Context, query *connector.Query, each func(*connector.Object) error) error {
	return c.Connector.(connector.Finder).Find(ctx, query, each)
}

// settleFully processes and provisions until no operation is open.
func (f *target) settleFully() {
	f.t.Helper()
	for range 5 {
		f.Process()
		f.provision()
	}
	if open := f.operations("OPEN"); open != "" {
		f.t.Errorf("open are still %s", open)
	}
}

// A worker was paused between the check of its lease and its write to the source. Another one carried the operation out
// meanwhile, and then the opposite. What the first one writes when it comes back is put right.
func TestLateOperation(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	assign := func(f *target) {
		if _, err := f.AssignRole(f.t.Context(), engine.AssignRoleParams{Identity: f.Identity("ann").ID,
			Role: "Manager on duty"}); err != nil {
			f.t.Fatal(err)
		}
	}
	revoke := func(f *target) {
		id := f.Identity("ann").ID
		roles, err := f.RoleAssignments(f.t.Context(), id, engine.RoleAssignmentQuery{})
		if err != nil || len(roles) != 1 {
			f.t.Fatalf("the roles are %+v, %v, want one", roles, err)
		}
		if err := f.RevokeRole(f.t.Context(), id, roles[0].ID); err != nil {
			f.t.Fatal(err)
		}
	}
	state := func(name string) func(*target) {
		return func(f *target) {
			if _, err := f.SetLifecycleState(f.t.Context(), f.Identity("ann").ID, name); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	mail := func(text string) func(*target) {
		return func(f *target) {
			people := strings.NewReplacer("Sales", "Legal", "ann@", text).Replace(enginetest.People)
			f.AggregateText("HR", people, engine.AggregateOptions{})
		}
	}
	for name, test := range map[string]struct {
		before         []func(*target)
		late, opposite func(*target)
		want           string
	}{
		"it gives what was taken away": {[]func(*target){assign, revoke}, assign, revoke, "ann@example.com,Board,active,\n"},
		"it takes what was given": {[]func(*target){assign}, revoke, assign,
			"ann@example.com,Board,active,sales\n"},
		"it disables who was enabled": {[]func(*target){assign}, state("inactive"), state("active"),
			"ann@example.com,Board,active,sales\n"},
		"it enables who was disabled": {[]func(*target){assign, state("inactive")}, state("active"), state("inactive"),
			"ann@example.com,Board,locked,sales\n"},
		"it sets an old value": {[]func(*target){assign}, mail("old@"), mail("new@"),
			"new@example.com,Board,active,sales\n"},
	} {
		for _, finds := range []bool{true, false} {
			t.Run(name+map[bool]string{true: ", with a finder", false: ", without"}[finds], func(t *testing.T) {
				t.Parallel()
				f := newTarget(t, "")
				f.finds = finds
				f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
				f.settleFully()
				for _, step := range test.before {
					step(f)
					f.settleFully()
				}
				test.late(f)
				f.Process()
				paused := false
				f.during = func() error {
					if paused {
						return nil
					}
					paused = true
					f.execute(`UPDATE muster.provisioning_batches SET leased = leased - interval '1 hour'`)
					f.settleFully()
					test.opposite(f)
					f.settleFully()
					return nil
				}
				if result := f.provision(); result.Done != 0 || result.Failed != 0 {
					t.Errorf("the paused worker says %+v, want nothing done and nothing failed", result)
				}
				if !paused {
					t.Fatal("no operation was carried out")
				}
				f.settleFully()
				f.demandFile("ann,Ann Boss," + test.want)
				const forgotten = `muster.account_entitlements k JOIN muster.entitlements e ON e.id = k.entitlement_id
					WHERE NOT EXISTS (SELECT 1 FROM muster.access_grants g WHERE g.account_id = k.account_id AND g.value = e.value)`
				if n := f.CountRows(forgotten); n != 0 {
					t.Errorf("%d entitlements are on an account and not remembered, want 0", n)
				}
			})
		}
	}
}

// A worker that waits for a lock, however long, keeps its lease: nobody repeats what it has done.
func TestWaitingWorker(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	clock := enginetest.NewClock(time.Now())
	f := &target{folder: t.TempDir()}
	f.setUp(t, engine.Config{Now: clock.Now})
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
	f.settleFully()
	ann := f.Identity("ann").ID
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: "Manager on duty"}); err != nil {
		t.Fatal(err)
	}
	f.Process()
	f.provision() // the account
	f.Process()   // opens the operation that gives the group
	before := f.counts.Load()
	// A process that was paused holds the lock of the identity.
	other, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback(context.Background())
	applied := make(chan struct{})
	f.during = func() error {
		if _, err := other.Exec(t.Context(), `SELECT 1 FROM muster.identities WHERE id = $1 FOR UPDATE`, ann); err != nil {
			return err
		}
		close(applied)
		return nil
	}
	done := make(chan engine.ProvisionResult)
	go func() {
		result, err := f.ProvisionPending(context.Background())
		if err != nil {
			t.Error(err)
		}
		done <- result
	}()
	<-applied
	f.during = nil
	for range 5 {
		clock.Advance(time.Minute)
		time.Sleep(time.Second)
	}
	if result := f.provision(); result.Done != 0 || result.Open != 1 {
		t.Errorf("another worker says %+v, want that the operation is open, and not done by it", result)
	}
	if err := other.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result := <-done; result.Done != 1 || result.Open != 0 {
		t.Errorf("the worker that waited says %+v, want the operation done", result)
	}
	if n := f.counts.Load() - before; n != 1 {
		t.Errorf("the operation was carried out %d times, want once", n)
	}
}

// slowly is a source that something happens to while it is read.
type slowly struct {
	connector.Connector
	f *slowSource
}

type slowSource struct {
	*fixture
	read func()
}

func (c *slowly) Read(ctx context.Context, since string, each func(*connector.Object) error) (string, error) {
	cursor, err := c.Connector.Read(ctx, since, each)
	if do := c.f.read; err == nil && do != nil {
		c.f.read = nil
		do()
	}
	return cursor, err
}

// A worker was paused while it read a source, and another one has aggregated the source since: what the first one read
// does not come back.
func TestLateAggregation(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	f := &slowSource{}
	f.fixture = newFixtureWith(t, engine.Config{Guard: engine.Guard{Off: true}, Connectors: map[string]connector.Factory{
		"slow": func(ctx context.Context, config connector.Config) (connector.Connector, error) {
			inner, err := delimited.New(ctx, config)
			return &slowly{inner, f}, err
		},
	}})
	f.ApplyText(strings.Replace(enginetest.Documents, "    connector: delimited-file\n", "    connector: slow\n"+
		"    connectorAttributes: {folder: '"+folder+"', file: hr.csv}\n", 1))
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "hr.csv"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	aggregate := func() {
		t.Helper()
		if _, err := f.AggregateSource(t.Context(), "HR", engine.AggregateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.ReplaceAll(enginetest.People, "Sales", "First"))
	f.read = func() {
		write(strings.ReplaceAll(enginetest.People, "Sales", "Second"))
		aggregate()
	}
	aggregate()
	f.Process()
	if got := f.Identity("bob").Attributes.Get("department").Text(); got != "Second" {
		t.Errorf("the department is %q, want the later one", got)
	}
}
