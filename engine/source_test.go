package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
)

// memory is a source in memory, with a connector of the host's own.
type memory struct {
	mutex     sync.Mutex
	accounts  map[string]attribute.Set
	passwords map[string]string
	deleted   []string          // read as changes
	keys      map[string]string // the stable identities, by native identity
	reads     atomic.Int64
	secret    string
	away      atomic.Pointer[error] // what a connection ends with
	hang      time.Duration
	running   atomic.Int64
	together  atomic.Int64 // the most operations on one account at the same time
}

func newMemory() *memory {
	return &memory{accounts: map[string]attribute.Set{}, passwords: map[string]string{}}
}

func (m *memory) open(_ context.Context, config connector.Config) (connector.Connector, error) {
	if away := m.away.Load(); away != nil {
		return nil, *away
	}
	var err error
	if m.secret, err = config.Secret("env:PASSWORD"); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *memory) Test(context.Context) error { return nil }
func (m *memory) Close() error               { return nil }

func (m *memory) Discover(context.Context) ([]connector.Schema, error) {
	return []connector.Schema{{Name: "account", IdentityAttribute: "login"}}, nil
}

func (m *memory) Read(_ context.Context, since string, each func(*connector.Object) error) (string, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.reads.Add(1)
	if err := each(&connector.Object{Type: "group", NativeIdentity: "leads", Name: "Team leads"}); err != nil {
		return "", err
	}
	for native, attributes := range m.accounts {
		object := connector.Object{NativeIdentity: native, Attributes: attributes.Clone(), StableIdentity: m.keys[native]}
		if native == "broken" {
			object.Fault = "it cannot be read"
		}
		if err := each(&object); err != nil {
			return "", err
		}
	}
	if since != "" {
		for _, native := range m.deleted {
			if err := each(&connector.Object{NativeIdentity: native, StableIdentity: m.keys[native], Deleted: true}); err != nil {
				return "", err
			}
		}
	}
	return "cursor", nil
}

// Find looks for single accounts.
func (m *memory) Find(_ context.Context, query *connector.Query, each func(*connector.Object) error) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for native, attributes := range m.accounts {
		object := connector.Object{NativeIdentity: native, Attributes: attributes.Clone(), StableIdentity: m.keys[native]}
		if query.Selects(&object) {
			if err := each(&object); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) Apply(_ context.Context, o *connector.Operation) (connector.Result, error) {
	if now := m.running.Add(1); now > m.together.Load() {
		m.together.Store(now)
	}
	defer m.running.Add(-1)
	time.Sleep(m.hang)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	native := o.NativeIdentity
	if o.Password != "" {
		m.passwords[native] = o.Password
	}
	old := m.accounts[native]
	switch o.Kind {
	case connector.Delete:
		delete(m.accounts, native)
	case connector.SetPassword:
	default:
		m.accounts[native] = connector.Applied(&old, o, nil)
	}
	return connector.Result{}, nil
}

// get returns an attribute of Ann's account.
func (m *memory) get(name string) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	attributes := m.accounts["ann"]
	return attributes.Get(name).Text()
}

const memoryConfig = `
sources:
  - name: Memory
    connector: memory
    connectorAttributes: {password: "env:PASSWORD"}
    schedules: [{type: ACCOUNT_AGGREGATION, cronExpression: "0 30 * * * ?"}]
    schemas:
      - name: account
        identityAttribute: login
        attributes: [{name: login}, {name: first}, {name: pin}, {name: IIQDisabled, type: BOOLEAN}, {name: IIQLocked, type: BOOLEAN},
                     {name: teams, isMulti: true, isEntitlement: true, schema: {name: group}}]
    accountCorrelationConfig: {attributeAssignments: [{property: uid, value: login}]}
    attributeSyncConfig: {attributes: [{name: firstname, enabled: true, target: first}]}
    provisioningPolicies:
      - usageType: CREATE
        fields:
          - {name: login, transform: {type: identityAttribute, attributes: {name: uid}}}
          - {name: first, transform: {type: identityAttribute, attributes: {name: firstname}}}
          - {name: pin, type: secret, transform: {type: static, attributes: {value: "pin-sekret"}}}
          - {name: password, type: secret, transform: {type: static, attributes: {value: "geheim"}}}
accessProfiles:
  - {name: Leading, source: {name: Memory}, entitlements: [{value: leads}]}
roles:
  - {name: Lead, enabled: true, accessProfiles: [{name: Leading}]}
`

func memoryEngine(t *testing.T, m *memory, config engine.Config) *fixture {
	t.Helper()
	config.BatchSize, config.Workers = 3, 1
	config.Connectors = map[string]connector.Factory{"memory": m.open}
	config.Secret = func(reference string) (string, error) {
		if reference != "env:PASSWORD" {
			return "", errors.New("unknown")
		}
		return "sesame", nil
	}
	f := newFixtureWith(t, config)
	f.ApplyText(enginetest.Documents)
	f.ApplyText(memoryConfig)
	if _, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	return f
}

// readOnce reads a source completely: before that, no account is created on it.
func readOnce(t *testing.T, c *enginetest.Company, source string) {
	t.Helper()
	if _, err := c.AggregateSource(t.Context(), source, engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// operationOpen is [memoryEngine] with an operation on the source that is to be done, and the job that does it.
func operationOpen(t *testing.T, m *memory, config engine.Config) *fixture {
	t.Helper()
	f := memoryEngine(t, m, config)
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: f.Identity("ann").ID, Role: "Lead"}); err != nil {
		t.Fatal(err)
	}
	f.Process()
	return f
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 600 {
		if holds() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("it does not come to be: %s", what)
}

// Workers carry everything out, from the assignment to the entitlement on the source, and secrets are kept nowhere.
func TestWorkersProvision(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	ann := f.Identity("ann").ID
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: "Lead"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the entitlement", func() bool { return m.get("teams") == "leads" })
	eventually(t, "the end of all operations", func() bool {
		return f.CountRows("muster.provisioning_operations WHERE state = 'DONE'") == 2 &&
			f.requests() == 0
	})
	if m.get("pin") != "pin-sekret" || m.passwords["ann"] != "geheim" || m.secret != "sesame" {
		t.Errorf("pin %q, password %q, secret %q", m.get("pin"), m.passwords["ann"], m.secret)
	}
	for _, table := range []string{"provisioning_operations", "accounts", "identity_events", "sources", "task_messages"} {
		for _, secret := range []string{"geheim", "pin-sekret", "sesame"} {
			query := fmt.Sprintf("SELECT count(*) FROM muster.%s t WHERE t::text LIKE '%%%s%%'", table, secret)
			if table == "sources" && secret != "sesame" {
				continue // the policy's own
			}
			if n := f.number(query); n != 0 {
				t.Errorf("%d rows of %s hold %q", n, table, secret)
			}
		}
	}
	held, err := f.RoleAssignments(t.Context(), ann, engine.RoleAssignmentQuery{})
	if err != nil || len(held) != 1 || len(held[0].AccountTargets) != 1 {
		t.Fatalf("got %+v, %v, want err == nil && len(held) == 1 && len(held[0].AccountTargets) == 1", held, err)
	}
	target := held[0].AccountTargets[0]
	if target.Source.Name != "Memory" || target.AccountInfo.NativeIdentity != "ann" || target.Role == nil || target.Role.Name != "Leading" {
		t.Errorf("got %+v, want "+
			"Source.Name Memory, AccountInfo.NativeIdentity ann, some Role and Role.Name Leading", target)
	}
	one, err := f.RoleAssignment(t.Context(), ann, held[0].ID)
	if err != nil || len(one.AccountTargets) != 1 {
		t.Errorf("got %+v and the error %v, want 1 AccountTargets", one, err)
	}
	if err := f.SetPassword(t.Context(), ann, "memory", "neu"); err != nil || m.passwords["ann"] != "neu" {
		t.Errorf("%v, the password is %q", err, m.passwords["ann"])
	}
	demandKind(t, f.SetPassword(t.Context(), f.Identity("bob").ID, "Memory", "neu"), engine.NotFound, "no account on the source")
	demandKind(t, f.SetPassword(t.Context(), ann, "Memory", ""), engine.Invalid, "empty")
	demandKind(t, f.SetPassword(t.Context(), ann, "Nowhere", "x"), engine.NotFound, "no such source")
}

// Operations of one account follow each other, however many engines work.
func TestOperationsOfAnAccountFollowEachOther(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	ann := f.Identity("ann").ID
	assigned, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: "Lead"})
	if err != nil {
		t.Fatal(err)
	}
	f.Process()
	if _, err := f.ProvisionPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Two batches for one account: what is given by the first, and synchronized by the second.
	f.Process()
	f.AggregateText("HR", strings.Replace(enginetest.People, "ann,Ann Boss,Ann", "ann,Ann Boss,Anna", 1), engine.AggregateOptions{})
	f.Process()
	if n := f.CountRows("muster.provisioning_batches"); n != 2 {
		t.Fatalf("there are %d batches", n)
	}
	m.hang = 50 * time.Millisecond
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := f.ProvisionPending(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	eventually(t, "the end of all operations", func() bool {
		result, err := f.ProvisionPending(t.Context())
		return err == nil && result.Open == 0
	})
	if m.together.Load() != 1 || m.get("first") != "Anna" || m.get("teams") != "leads" {
		t.Errorf("%d at the same time, first %q, teams %q", m.together.Load(), m.get("first"), m.get("teams"))
	}
	if err := f.RevokeRole(t.Context(), ann, assigned.ID); err != nil {
		t.Fatal(err)
	}
	f.Process()
	if _, err := f.ProvisionPending(t.Context()); err != nil || m.get("teams") != "" {
		t.Errorf("%v, the teams are %q", err, m.get("teams"))
	}
}

// A source that cannot even be reached keeps its operations open, and says why.
func TestSourceCannotBeReached(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := operationOpen(t, m, engine.Config{})
	away := errors.New("no route")
	m.away.Store(&away)
	for attempt := 1; attempt <= 2; attempt++ {
		result, err := f.ProvisionPending(t.Context())
		if err != nil || result != (engine.ProvisionResult{Failed: 1, Open: 1}) {
			t.Errorf("got %+v, %v, want err == nil && result == (engine.ProvisionResult{Failed: 1, Open: 1})", result, err)
		}
		list, err := f.Operations(t.Context(), engine.OperationQuery{})
		if err != nil || len(list) != 1 || list[0].Attempts != attempt || list[0].Begun != nil || list[0].State != "OPEN" ||
			!strings.Contains(list[0].Error, "no route") {
			t.Errorf("got %+v, %v, want err == nil && len(list) == 1 && list[0].Attempts == attempt && list[0].Begun == nil && list[0].State == \"OPEN\" && strings.Contains(list[0].Error, \"no route\")", list, err)
		}
	}
	m.away.Store(nil)
	for range 3 {
		if _, err := f.ProvisionPending(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.Process()
	}
	if m.get("teams") != "leads" {
		t.Errorf("the teams are %q", m.get("teams"))
	}
}

func TestAggregateByConnector(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	for _, native := range []string{"ann", "bob", "x", "broken"} {
		m.accounts[native] = attribute.SetOf(map[string]attribute.Value{"login": attribute.String(native)})
	}
	result, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{})
	if err != nil || result.Added != 3 || result.Correlated != 2 || result.Faulty != 1 || result.RowErrors[0].Msg != "it cannot be read" {
		t.Errorf("got %+v and the error %v, want "+
			"Added 3, Correlated 2, Faulty 1 and RowErrors[0].Msg it cannot be read", result, err)
	}
	if n := f.CountRows("muster.entitlements WHERE name = 'Team leads' AND value = 'leads' AND attribute = 'teams'"); n != 1 {
		t.Errorf("%d entitlements have their name, want 1", n)
	}
	// Changes remove only what is said to be gone, and no more than the limit.
	delete(m.accounts, "x")
	delete(m.accounts, "bob")
	m.deleted = []string{"x"}
	_, err = f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{Delta: true, MaxDeletions: &engine.DeletionLimit{}})
	var limit *engine.DeletionLimitError
	if !errors.As(err, &limit) || limit.Vanished != 1 {
		t.Errorf("got %v, want errors.As(err, &limit) && limit.Vanished == 1", err)
	}
	result, err = f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{Delta: true,
		MaxDeletions: &engine.DeletionLimit{Count: 1}})
	if err != nil || result.Removed != 1 || result.Unchanged != 1 {
		t.Errorf("got %+v and the error %v, want Removed 1 and Unchanged 1", result, err)
	}
	_, err = f.AggregateSource(t.Context(), "HR", engine.AggregateOptions{})
	demandKind(t, err, engine.Unavailable, `"delimited-file", which this engine was not given`)
	demandKind(t, f.TestSource(t.Context(), "Nowhere"), engine.NotFound, `the sources are "Directory", "HR", "Memory"`)
	if err := f.TestSource(t.Context(), "memory"); err != nil {
		t.Error(err)
	}
	if schemas, err := f.DiscoverSource(t.Context(), "memory"); err != nil || len(schemas) != 1 {
		t.Errorf("got %+v and the error %v, want 1 of them", schemas, err)
	}
}

// Changes that say which accounts are gone by their stable identities name those, whatever they are called here; a name
// that another account has is not gone.
func TestGoneByStableIdentity(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	m.keys = map[string]string{"ann": "k1", "bob": "k2", "cy": "k3", "dee": "k4"}
	for native := range m.keys {
		m.accounts[native] = attribute.SetOf(map[string]attribute.Value{"login": attribute.String(native)})
	}
	m.accounts["old"] = attribute.SetOf(map[string]attribute.Value{"login": attribute.String("old")})
	if result, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{}); err != nil || result.Added != 5 {
		t.Fatalf("got %+v, %v, want 5 added", result, err)
	}
	// ann is gone under another name, dee is somebody else's name by now, and old has no stable identity.
	clear(m.accounts)
	m.deleted, m.keys = []string{"anna", "dee", "old"}, map[string]string{"anna": "k1", "dee": "k9", "old": "k8"}
	result, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{Delta: true,
		MaxDeletions: &engine.DeletionLimit{Count: 2}})
	if err != nil || result.Removed != 2 {
		t.Errorf("got %+v, %v, want 2 removed", result, err)
	}
	if got := f.text(`SELECT string_agg(native_identity, ' ' ORDER BY native_identity) FROM muster.accounts
		WHERE source_id = (SELECT id FROM muster.sources WHERE name = 'Memory')`); got != "bob cy dee" {
		t.Errorf("%q are left, want bob cy dee", got)
	}
}

// What changes name both as gone and as there, because it was made again, stays, whether it has changed or not.
func TestGoneAndThereAgain(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	for _, native := range []string{"ann", "bob"} {
		m.accounts[native] = attribute.SetOf(map[string]attribute.Value{"login": attribute.String(native)})
	}
	if _, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	m.accounts["bob"] = attribute.SetOf(map[string]attribute.Value{"login": attribute.String("other")})
	m.deleted = []string{"ann", "bob"}
	result, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{Delta: true,
		MaxDeletions: &engine.DeletionLimit{Count: 2}})
	if err != nil || result.Removed != 0 || result.Changed != 1 || result.Unchanged != 1 {
		t.Errorf("got %+v and the error %v, want Removed 0, Changed 1 and Unchanged 1", result, err)
	}
	_, err = f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{MaxObjects: -1})
	demandKind(t, err, engine.Invalid, "MaxObjects is -1")
}

// A source is aggregated at the times of its schedule, once however many engines look at the clock.
func TestScheduledAggregation(t *testing.T) {
	t.Parallel()
	var c enginetest.Clock
	at := time.Date(2026, 3, 2, 10, 10, 0, 0, time.UTC)
	c.Set(at)
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{Now: c.Now})
	jobs := func() int {
		return f.jobs("muster_aggregate_source")
	}
	look := func() {
		t.Helper()
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if _, err := f.RunSchedule(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	for _, step := range []struct {
		minute, jobs int
	}{{10, 0}, {29, 0}, {30, 1}, {45, 1}} {
		c.Set(time.Date(2026, 3, 2, 10, step.minute, 0, 0, time.UTC))
		look()
		if got := jobs(); got != step.jobs {
			t.Errorf("at 10:%d there are %d aggregations, want %d", step.minute, got, step.jobs)
		}
	}
	m.accounts["ann"] = attribute.SetOf(map[string]attribute.Value{"login": attribute.String("ann")})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the aggregation", f.aggregatedOne)
	if err := f.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	states, err := f.Sources(t.Context())
	if err != nil || len(states) != 3 || states[2].Source != "Memory" || states[2].Last == nil || states[2].Next == nil ||
		!states[2].Next.Equal(time.Date(2026, 3, 2, 11, 30, 0, 0, time.UTC)) || !states[2].Connected || states[1].Connected {
		t.Errorf("got %+v, %v, want err == nil && len(states) == 3 && states[2].Source == \"Memory\" && states[2].Last != nil && states[2].Next != nil && states[2].Next.Equal(time.Date(2026, 3, 2, 11, 30, 0, 0, time.UTC)) && states[2].Connected && !states[1].Connected", states, err)
	}
	c.Set(time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC)) // of several missed times one is made up for
	look()
	if got := f.CountRows(`muster_jobs.river_job WHERE kind = 'muster_aggregate_source' AND state <> 'completed'`); got != 1 {
		t.Errorf("%d aggregations wait, want 1", got)
	}
}

// A batch whose job is gone gets another one.
func TestStalledDeliveryGetsAnotherJob(t *testing.T) {
	t.Parallel()
	var c enginetest.Clock
	c.Set(time.Now())
	m := newMemory()
	f := operationOpen(t, m, engine.Config{Now: c.Now})
	f.execute(`DELETE FROM muster_jobs.river_job WHERE kind = 'muster_provision'`)
	for range 2 {
		c.Set(c.Now().Add(2 * time.Minute))
		if _, err := f.RunSchedule(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := f.jobs("muster_provision"); n != 1 {
			t.Errorf("the batch has %d jobs, want 1", n)
		}
	}
}

// A job that was taken for lost, and comes back, leaves the batch to the job that has replaced it.
func TestReplacedJobLeavesItsDelivery(t *testing.T) {
	t.Parallel()
	var c enginetest.Clock
	c.Set(time.Now())
	m := newMemory()
	f := operationOpen(t, m, engine.Config{Now: c.Now})
	f.execute(`UPDATE muster_jobs.river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '2 minutes'
		WHERE kind = 'muster_provision'`)
	c.Set(c.Now().Add(2 * time.Minute))
	if _, err := f.RunSchedule(t.Context()); err != nil {
		t.Fatal(err)
	}
	away := errors.New("the source is away")
	m.away.Store(&away)
	f.execute(`UPDATE muster_jobs.river_job SET state = 'available', attempt = 0
		WHERE kind = 'muster_provision' AND state = 'running'`)
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The batch's own job tries, and fails; the other one ends without having tried.
	eventually(t, "both jobs had their turn", func() bool {
		return f.CountRows(`muster_jobs.river_job j JOIN muster.provisioning_batches b ON b.job_id = j.id
			WHERE j.errors IS NOT NULL`) == 1 &&
			f.CountRows(`muster_jobs.river_job j WHERE kind = 'muster_provision' AND state = 'completed'
			AND errors IS NULL AND NOT EXISTS (SELECT FROM muster.provisioning_batches b WHERE b.job_id = j.id)`) >= 1
	})
	if err := f.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// An operation is given up after ten attempts, however many jobs they were made by.
func TestAttemptsOfReplacedJobsCount(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := operationOpen(t, m, engine.Config{})
	f.execute(`UPDATE muster.provisioning_operations SET attempts = $1`, engine.OperationAttemptsMax-1)
	away := errors.New("the source is away")
	m.away.Store(&away)
	if result, err := f.ProvisionPending(t.Context()); err != nil || result.Open != 1 {
		t.Fatalf("what is tried by hand is not given up: %+v, %v", result, err)
	}
	f.execute(`UPDATE muster.provisioning_operations SET attempts = $1`, engine.OperationAttemptsMax-1)
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the operation is given up", func() bool {
		return f.CountRows(`muster.provisioning_operations WHERE state = 'FAILED'`) == 1
	})
	if err := f.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// In the host's transaction, what is asked for is rolled back with it.
func TestAssignmentsRollBack(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText("roles: [{name: Lead, enabled: true}]")
	f.Process()
	ann := f.Identity("ann").ID
	err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
		assigned, err := f.AssignRoleTx(t.Context(), tx, engine.AssignRoleParams{Identity: ann, Role: "Lead"})
		if err != nil {
			return err
		}
		if err := f.RevokeRoleTx(t.Context(), tx, ann, assigned.ID); err != nil {
			return err
		}
		if _, err := f.SetLifecycleStateTx(t.Context(), tx, ann, "inactive"); err != nil {
			return err
		}
		if _, err := f.SynchronizeAttributesTx(t.Context(), tx, ann); err != nil {
			return err
		}
		return os.ErrInvalid
	})
	if !errors.Is(err, os.ErrInvalid) {
		t.Fatal(err)
	}
	if n := f.number(`SELECT (SELECT count(*) FROM muster.refresh_requests) + (SELECT count(*) FROM muster.tasks WHERE completed IS NULL) +
		(SELECT count(*) FROM muster.synchronizations) + (SELECT count(*) FROM muster.role_assignments)`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}
