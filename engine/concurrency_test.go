package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// The extent of [TestEnginesAtOnce]: people are dealt out to lanes, two of each engine.
const (
	crowdEngines = 4
	crowdLanes   = 2 * crowdEngines
	crowdPeople  = 6 * crowdLanes
	crowdSteps   = 30 // of each lane
)

// crowdConfig is the company's, with badges, a role of everybody who asks, one by department, and access.
const crowdConfig = enginetest.Documents + `
lifecycleStates:
  - {name: Active, technicalName: active, identityState: ACTIVE, identityProfile: {name: Employees}}
`

const crowdSources = `
sources:
  - name: Badges
    schemas:
      - name: account
        identityAttribute: number
        attributes: [{name: number}, {name: emp}, {name: door}]
    accountCorrelationConfig: {attributeAssignments: [{property: identificationNumber, value: emp, operation: EQ}]}
    attributeSyncConfig: {attributes: [{name: displayName, enabled: true, target: door}]}
    provisioningPolicies:
      - {name: Account, usageType: CREATE, fields: [{name: door, transform: {type: identityAttribute, attributes: {name: displayName}}}]}
roles:
  - {name: Lead, enabled: true}
  - name: Guest
    enabled: true
    entitlements: [{source: {name: Directory}, attribute: groups, value: guests}]
`

// crowd is engines on one database, and what must be in it when all have done their work.
type crowd struct {
	*fixture
	engines []*engine.Engine
	seed    uint64
	box     *mailbox

	mutex  sync.Mutex
	rounds map[string][]string // the numbers of the accounts of each full aggregation of the directory
	synced map[string][]span   // when the synchronization of each identity was granted
}

type span struct{ from, to time.Time }

// crowdSeed returns the seed that MUSTER_TEST_SEED names, or a new one.
func crowdSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("MUSTER_TEST_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("MUSTER_TEST_SEED: %v", err)
	}
	return seed
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{seed: crowdSeed(t), box: &mailbox{}, rounds: map[string][]string{}, synced: map[string][]span{}}
	t.Logf("MUSTER_TEST_SEED=%d", c.seed)
	url := storetest.ConnString(t)
	for range crowdEngines {
		config, err := pgxpool.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		config.MaxConns = 16
		storetest.Record(config.ConnConfig)
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		eng, err := engine.New(t.Context(), pool, engine.Config{BatchSize: 7, Guard: engine.Guard{Off: true},
			Notifier: c.box})
		if err != nil {
			t.Fatal(err)
		}
		c.engines = append(c.engines, eng)
		c.fixture = fixtureOf(t, eng, pool)
	}
	c.ApplyText(crowdConfig)
	c.ApplyText(crowdSources)
	return c
}

// worker is one lane: it alone decides what becomes of its people and objects, and touches those of others.
type worker struct {
	*crowd
	*engine.Engine
	ctx    context.Context
	lane   int
	random *rand.Rand
	people []*person
	number int    // of what it did last
	object string // the owner's alias of the lane's object, "" while nobody owns it
	role   string // the department of the lane's role, "" before it is made
}

// person is what must be true of somebody in the end.
type person struct {
	alias, name, department, manager string
	badge                            string
	// These go with the identity.
	id        string
	lead      string // the comments of the assignment, "" for none
	state     string // by hand
	protected bool
}

func (p *person) row() string {
	return fmt.Sprintf("%s,%s,First,Last,p%s@example.com,%s,%s,1,active\n", p.alias, p.name, p.alias, p.department,
		p.manager)
}

// anybody returns the alias of one of all.
func (w *worker) anybody() string { return strconv.Itoa(w.random.IntN(crowdPeople)) }

func (w *worker) department() string { return "D" + strconv.Itoa(w.random.IntN(4)) }

// ids returns the IDs of some of all, who are there now.
func (w *worker) ids(n int) ([]string, error) {
	var ids []string
	for range n {
		identity, err := w.FindIdentity(w.ctx, w.anybody())
		switch {
		case err == nil:
			ids = append(ids, identity.ID)
		case engine.KindOf(err) != engine.NotFound:
			return nil, err
		}
	}
	return ids, nil
}

// look brings the person up to the identity that it has now, nil where it has none at the moment.
func (w *worker) look(p *person) (*person, error) {
	identity, err := w.FindIdentity(w.ctx, p.alias)
	if engine.KindOf(err) == engine.NotFound && err != nil {
		return nil, nil //nolint:nilerr // deleted, and not adopted again so far
	}
	if err == nil && p.id != identity.ID {
		p.id, p.lead, p.state, p.protected = identity.ID, "", "", false
	}
	return p, err
}

// permit forgives an error of one of the kinds.
func permit(err error, kinds ...engine.Kind) error {
	if err != nil && slices.Contains(kinds, engine.KindOf(err)) && !isLost(err) {
		return nil
	}
	return err
}

// isLost reports whether a transaction lost against another one.
func isLost(err error) bool {
	return strings.Contains(err.Error(), "lost against another") || strings.Contains(err.Error(), "SQLSTATE 40")
}

// read aggregates again as long as the configuration changes meanwhile.
func (w *worker) read(source, text string, options engine.AggregateOptions) error {
	for {
		var r io.Reader = strings.NewReader(text)
		if w.random.IntN(2) == 0 {
			r = onlyReader{r}
		}
		_, err := w.Engine.Aggregate(w.ctx, source, r, options)
		if err == nil || engine.KindOf(err) != engine.Conflict || !strings.Contains(err.Error(), "aggregate again") {
			return err
		}
	}
}

// hr changes some of the lane's people on the authoritative source.
func (w *worker) hr() error {
	text := enginetest.PeopleHeader
	for _, p := range w.people {
		if w.random.IntN(2) == 0 {
			w.number++
			p.name = fmt.Sprintf("Person %s v%d", p.alias, w.number)
			p.department, p.manager = w.department(), w.anybody()
		}
		text += p.row()
	}
	return w.read("HR", text, engine.AggregateOptions{Delta: true})
}

func (w *worker) badges() error {
	text := "number,emp,door\n"
	for _, p := range w.people {
		w.number++
		p.badge = "door " + strconv.Itoa(w.number)
		text += fmt.Sprintf("b%s,%s,%s\n", p.alias, p.alias, p.badge)
	}
	return w.read("Badges", text, engine.AggregateOptions{Delta: true})
}

// directory replaces all accounts of a source.
func (w *worker) directory() error {
	w.number++
	round := fmt.Sprintf("round %d of %d", w.number, w.lane)
	text := enginetest.DirectoryHeader
	var numbers []string
	for i := range crowdPeople {
		if w.random.IntN(4) > 0 {
			numbers = append(numbers, strconv.Itoa(i))
			text += fmt.Sprintf("s%d,,%d,%s,true\n", i, i, round)
		}
	}
	w.mutex.Lock()
	w.rounds[round] = numbers
	w.mutex.Unlock()
	return w.read("Directory", text, engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Percent: 100,
		IsPercent: true}})
}

func (w *worker) process() error {
	switch w.random.IntN(4) {
	case 0:
		_, err := w.ProcessAll(w.ctx)
		return err
	case 1:
		_, err := w.ProcessProfile(w.ctx, "Employees")
		return err
	case 2:
		_, err := w.ProcessPending(w.ctx, engine.ProcessOptions{})
		return err
	}
	ids, err := w.ids(5)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = w.ProcessIdentities(w.ctx, ids)
	return permit(err, engine.NotFound)
}

func (w *worker) delete(p *person) error {
	err := w.DeleteIdentity(w.ctx, p.id)
	var owns *engine.AssociationsError
	switch {
	case errors.As(err, &owns):
		return nil
	case err == nil && p.protected:
		return fmt.Errorf("%s was deleted though it is protected", p.alias)
	}
	return err
}

func (w *worker) lead(p *person) error {
	if p.lead != "" && w.random.IntN(2) == 0 {
		list, err := w.RoleAssignments(w.ctx, p.id, engine.RoleAssignmentQuery{RoleName: "Lead"})
		if err != nil || len(list) != 1 {
			return fmt.Errorf("%s has %d assignments: %w", p.alias, len(list), err)
		}
		p.lead = ""
		return w.RevokeRole(w.ctx, p.id, list[0].ID)
	}
	assigner, err := w.ids(1)
	if err != nil {
		return err
	}
	w.number++
	params := engine.AssignRoleParams{Identity: p.id, Role: "Lead", Comments: "order " + strconv.Itoa(w.number)}
	if len(assigner) > 0 {
		params.Assigner = assigner[0]
	}
	_, err = w.AssignRole(w.ctx, params)
	if err == nil {
		p.lead = params.Comments
	}
	return permit(err, engine.NotFound) // the assigner
}

func (w *worker) lifecycle(p *person) error {
	p.state = []string{"", "leave", "inactive", "active"}[w.random.IntN(4)]
	_, err := w.SetLifecycleState(w.ctx, p.id, p.state)
	if p.state == "active" { // the source gives the same, so it is not by hand any more
		p.state = ""
	}
	return err
}

func (w *worker) protect(p *person) error {
	p.protected = w.random.IntN(2) == 0
	return w.ProtectIdentity(w.ctx, p.id, p.protected)
}

// own registers, forgets or reassigns the lane's object, of which everybody may be the owner.
func (w *worker) own() error {
	const kind = "APPLICATION"
	id := "object " + strconv.Itoa(w.lane)
	next := w.anybody()
	taker, err := w.FindIdentity(w.ctx, next)
	if err != nil {
		return permit(err, engine.NotFound)
	}
	choice := w.random.IntN(3)
	switch {
	case w.object == "" || choice == 0:
		err = w.RegisterOwned(w.ctx, engine.OwnedObject{Kind: kind, ID: id, Name: id, Owner: taker.ID})
	case choice == 1:
		next = ""
		err = w.ForgetOwned(w.ctx, kind, id)
	default:
		var giver engine.Identity
		if giver, err = w.FindIdentity(w.ctx, w.object); err != nil {
			return fmt.Errorf("the owner %s of an object is gone: %w", w.object, err)
		}
		_, err = w.ReassignOwned(w.ctx, giver.ID, taker.ID, engine.Reference{Type: kind, ID: id})
	}
	if err == nil {
		w.object = next
		return nil
	}
	if next == "" {
		return err
	}
	return permit(err, engine.NotFound) // the taker
}

// configure changes the lane's role.
func (w *worker) configure() error {
	department := w.department()
	documents, err := engine.ReadDocuments("role", strings.NewReader(fmt.Sprintf(`
roles:
  - name: Role %d
    enabled: true
    entitlements: [{source: {name: Directory}, attribute: groups, value: group %[1]d}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: %s}
`, w.lane, department)))
	if err != nil {
		return err
	}
	w.role = department
	_, err = w.Apply(w.ctx, documents)
	return err
}

func (w *worker) invite() error {
	ids, err := w.ids(3)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = w.InviteIdentities(w.ctx, engine.InviteParams{IDs: ids})
	return permit(err, engine.NotFound)
}

func (w *worker) synchronize() error {
	ids, err := w.ids(1)
	if err != nil || len(ids) == 0 {
		return err
	}
	from := time.Now()
	_, err = w.SynchronizeAttributes(w.ctx, ids[0])
	if err != nil {
		return permit(err, engine.NotFound, engine.RateLimited)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.synced[ids[0]] = append(w.synced[ids[0]], span{from, time.Now()})
	return nil
}

// step does something at random.
func (w *worker) step() (string, error) {
	general := map[string]func() error{"hr": w.hr, "badges": w.badges, "directory": w.directory, "process": w.process,
		"own": w.own, "configure": w.configure, "invite": w.invite, "synchronize": w.synchronize}
	personal := map[string]func(*person) error{"delete": w.delete, "lead": w.lead, "lifecycle": w.lifecycle,
		"protect": w.protect}
	names := slices.Concat(slices.Sorted(maps.Keys(general)), slices.Sorted(maps.Keys(personal)))
	name := names[w.random.IntN(len(names))]
	if do := general[name]; do != nil {
		return name, do()
	}
	p, err := w.look(w.people[w.random.IntN(len(w.people))])
	if err != nil || p == nil {
		return name, err
	}
	return name, personal[name](p)
}

// Four engines do everything at once, two of them with workers. Nobody meets a deadlock or loses a transaction, no
// change is lost, and what always holds of the data holds in the end.
func TestEnginesAtOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	c := newCrowd(t)
	workers := make([]*worker, crowdLanes)
	text := enginetest.PeopleHeader
	for lane := range workers {
		w := &worker{crowd: c, Engine: c.engines[lane%crowdEngines], ctx: t.Context(), lane: lane,
			random: rand.New(rand.NewPCG(c.seed, uint64(lane)))}
		for i := lane; i < crowdPeople; i += crowdLanes {
			p := &person{alias: strconv.Itoa(i), name: "Person", department: w.department(), manager: w.anybody()}
			w.people = append(w.people, p)
			text += p.row()
		}
		workers[lane] = w
	}
	c.AggregateText("HR", text, engine.AggregateOptions{})
	c.Process()
	for _, eng := range c.engines[:crowdEngines/2] {
		if err := eng.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for _, w := range workers {
		group.Go(func() {
			for i := range crowdSteps {
				if name, err := w.step(); err != nil {
					t.Errorf("lane %d, step %d, %s: %v", w.lane, i, name, err)
				}
			}
		})
	}
	group.Wait()
	c.demandEnd()
	for _, eng := range c.engines[:crowdEngines/2] {
		if err := eng.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	// Whoever was deleted comes back with the source's account.
	for _, w := range workers {
		if err := w.hr(); err != nil {
			t.Error(err)
		}
	}
	// Also whom a changed role does not concern: the long-term inactive.
	if _, err := c.ProcessAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Process()
	c.demandFinal(workers)
	c.demandInvariants()
	// Locks come in one order, so that there is no need to resolve any.
	if n := c.number(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`); n != 0 {
		t.Errorf("%d deadlocks, want 0", n)
	}
}

// demandEnd waits until the workers have carried out every task.
func (c *crowd) demandEnd() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	for {
		tasks, err := c.Tasks(ctx, engine.TaskQuery{Pending: true})
		if err != nil {
			c.t.Fatal(err)
		}
		if len(tasks) == 0 {
			return
		}
		if task, err := c.Wait(ctx, tasks[0].ID); err != nil {
			c.t.Fatalf("a task does not end: %+v, %v", task, err)
		}
	}
}

// demandFinal holds what is in the database against what the lanes did.
func (c *crowd) demandFinal(workers []*worker) {
	c.t.Helper()
	for _, w := range workers {
		for _, p := range w.people {
			if _, err := w.look(p); err != nil || p.id == "" {
				c.t.Fatalf("%s is not there: %v", p.alias, err)
			}
			if got, want := c.describe(p.id), p.describe(workers); got != want {
				c.t.Errorf("person %s is\n%s, want\n%s", p.alias, got, want)
			}
		}
		owner := ""
		rows := storetest.Texts(c.t, c.Pool, `SELECT i.alias FROM muster.owned_objects o JOIN muster.identities i ON i.id = o.owner_id
			WHERE o.object_id = $1`, "object "+strconv.Itoa(w.lane))
		if len(rows) > 0 {
			owner = rows[0]
		}
		if owner != w.object {
			c.t.Errorf("the object of lane %d is owned by %q, want %q", w.lane, owner, w.object)
		}
	}
	if rounds := storetest.Texts(c.t, c.Pool, `SELECT DISTINCT attributes->'groups'->>0 FROM muster.accounts a
		JOIN muster.sources s ON s.id = a.source_id WHERE s.name = 'Directory'`); len(rounds) > 1 {
		c.t.Errorf("the directory is a mixture of %q", rounds)
	} else if len(rounds) == 1 {
		got := storetest.Texts(c.t, c.Pool, `SELECT substr(native_identity, 2) FROM muster.accounts a
			JOIN muster.sources s ON s.id = a.source_id WHERE s.name = 'Directory' ORDER BY substr(native_identity, 2)::int`)
		if want := c.rounds[rounds[0]]; !slices.Equal(got, want) {
			c.t.Errorf("the directory has %v, %s wrote %v", got, rounds[0], want)
		}
	}
	for id, spans := range c.synced {
		slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
		for i := 1; i < len(spans); i++ {
			if gap := spans[i].to.Sub(spans[i-1].from); gap < engine.SynchronizeInterval {
				c.t.Errorf("two synchronizations of %s were granted within %s", id, gap)
			}
		}
	}
}

// describe returns what the database says of an identity, as [person.describe] does.
func (c *crowd) describe(id string) string {
	c.t.Helper()
	return strings.Join(storetest.Texts(c.t, c.Pool, `
		SELECT format('%s|%s|%s|%s|%s|%s|%s|%s', i.name, i.attributes->>'department',
		              coalesce(i.attributes->>'email', ''), coalesce(m.alias, ''),
		              CASE WHEN i.lifecycle_manual THEN i.lifecycle_state ELSE '' END, i.protected,
		              coalesce((SELECT string_agg(r.name || coalesce(' ' || a.comments, ''), ', ' ORDER BY r.name)
		                        FROM muster.role_assignments a JOIN muster.roles r ON r.id = a.role_id
		                        WHERE a.identity_id = i.id), ''),
		              coalesce((SELECT string_agg(a.attributes->>'door', ', ')
		                        FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id
		                        WHERE a.identity_id = i.id AND s.name = 'Badges'), ''))
		FROM muster.identities i LEFT JOIN muster.identities m ON m.id = i.manager_id
		WHERE i.id = $1::uuid`, id), "\n")
}

func (p *person) describe(workers []*worker) string {
	var roles []string
	if p.lead != "" {
		roles = append(roles, "Lead "+p.lead)
	}
	for _, w := range workers {
		if w.role == p.department {
			roles = append(roles, "Role "+strconv.Itoa(w.lane))
		}
	}
	manager := p.manager
	if manager == p.alias {
		manager = ""
	}
	return fmt.Sprintf("%s|%s|p%s@example.com|%s|%s|%s|%s|%s", p.name, p.department, p.alias, manager, p.state,
		strconv.FormatBool(p.protected)[:1], strings.Join(roles, ", "), p.badge)
}

// invariants are queries for what must not be there, when nothing is left to be done.
var invariants = map[string]string{
	"task that has not ended well": `
		SELECT count(*) FROM muster.tasks WHERE completed IS NULL OR completion_status NOT IN ('SUCCESS', 'WARNING')`,
	"part or request that is left of a task": `
		SELECT (SELECT count(*) FROM muster.task_parts p JOIN muster.tasks t ON t.id = p.task_id
		        WHERE NOT EXISTS (SELECT FROM muster.tasks t WHERE t.id = p.task_id AND t.completed IS NOT NULL))
		     + (SELECT count(*) FROM muster.refresh_requests)`,
	"identity that failed": `SELECT count(*) FROM muster.identities WHERE processing_state = 'ERROR'`,
	"source and native identity of several accounts": `
		SELECT count(*) FROM (SELECT FROM muster.accounts GROUP BY source_id, native_identity HAVING count(*) > 1) x`,
	"identity that an account made twice": `
		SELECT count(*) FROM (SELECT FROM muster.identity_keys WHERE key LIKE '@%' GROUP BY key HAVING count(*) > 1) x`,
	"alias of several identities": `
		SELECT count(*) FROM (SELECT FROM muster.identities GROUP BY alias_key HAVING count(*) > 1) x`,
	"identity whose account on the authoritative source and flag disagree": `
		SELECT count(*) FROM muster.identities i
		WHERE correlated <> EXISTS (SELECT FROM muster.accounts a JOIN muster.identity_profiles p
		                            ON p.authoritative_source_id = a.source_id WHERE a.identity_id = i.id)`,
	"account that would find its identity": `
		SELECT count(*) FROM muster.accounts a
		WHERE a.identity_id IS NULL AND a.correlation_keys <> '{}'
		  AND (SELECT count(*) FROM muster.identity_keys k WHERE k.key = ANY (a.correlation_keys)) = 1`,
	"uncorrelated account and key that are no row": `
		SELECT count(*) FROM muster.accounts a, unnest(a.correlation_keys) k
		WHERE a.identity_id IS NULL AND (k, a.id) NOT IN (SELECT key, account_id FROM muster.account_keys)`,
	"row of a key that no uncorrelated account has": `
		SELECT count(*) FROM muster.account_keys k
		WHERE NOT EXISTS (SELECT FROM muster.accounts a WHERE a.id = k.account_id AND a.identity_id IS NULL
		                  AND k.key = ANY (a.correlation_keys))`,
	"value of a group that is no row": `
		SELECT count(*) FROM muster.accounts a, jsonb_array_elements_text(a.attributes->'groups') v
		WHERE NOT EXISTS (SELECT FROM muster.account_entitlements k JOIN muster.entitlements e ON e.id = k.entitlement_id
		                  WHERE k.account_id = a.id AND e.source_id = a.source_id AND e.attribute = 'groups' AND e.value = v)`,
	"row of an entitlement that the account does not hold": `
		SELECT count(*) FROM muster.account_entitlements k
		WHERE NOT EXISTS (SELECT FROM muster.accounts a JOIN muster.entitlements e ON e.source_id = a.source_id
		                  WHERE a.id = k.account_id AND e.id = k.entitlement_id AND a.attributes->e.attribute ? e.value)`,
	"row that an aggregation left in the stage": `
		SELECT (SELECT count(*) FROM muster.aggregation_seen) + (SELECT count(*) FROM muster.aggregation_stage)`,
	"account that belongs to somebody else": `
		SELECT count(*) FROM muster.accounts a JOIN muster.identities i ON i.id = a.identity_id
		WHERE coalesce(a.attributes->>'emp', i.alias) <> i.alias`,
	"identity that is its own manager": `SELECT count(*) FROM muster.identities WHERE manager_id = id`,
	"identity whose manager is not the one that its key finds": `
		SELECT count(*) FROM muster.identities i
		WHERE i.manager_id IS DISTINCT FROM (SELECT nullif(min(k.identity_id::text)::uuid, i.id)
		                                     FROM muster.identity_keys k WHERE k.key = i.manager_key HAVING count(*) = 1)`,
	"identity that its number does not find": `
		SELECT count(*) FROM muster.identities i
		WHERE NOT EXISTS (SELECT FROM muster.identity_keys k
		                  WHERE k.identity_id = i.id AND k.key = 'identificationNumber=' || i.alias)`,
	"identity with two values of one key": `
		SELECT count(*) FROM (SELECT FROM muster.identity_keys WHERE key LIKE 'department=%'
		                      GROUP BY identity_id HAVING count(*) > 1) x`,
	"assignment that is there twice": `
		SELECT count(*) FROM (SELECT FROM muster.role_assignments GROUP BY identity_id, role_id, assignment_source
		                      HAVING count(*) > 1) x`,
	"operation that is open twice": `
		SELECT count(*) FROM (SELECT FROM muster.provisioning_operations WHERE state IN ('OPEN', 'MANUAL')
		                      GROUP BY identity_id, source_id, account_id, attribute, value HAVING count(*) > 1) x`,
	"operation for somebody who is gone": `
		SELECT count(*) FROM muster.provisioning_operations o WHERE state IN ('OPEN', 'MANUAL')
		  AND NOT EXISTS (SELECT FROM muster.identities i WHERE i.id = o.identity_id)`,
	"identity with two open invitations": `
		SELECT count(*) FROM (SELECT FROM muster.one_time_tokens WHERE used IS NULL AND revoked IS NULL
		                      GROUP BY identity_id, purpose HAVING count(*) > 1) x`,
	"change in the history that does not go on from the one before": `
		SELECT count(*)
		FROM (SELECT c->>'oldValue' AS old,
		             lag(c->>'newValue') OVER (PARTITION BY identity_id, c->>'attribute' ORDER BY w.position, e.number) AS before
		      FROM muster.identity_events e JOIN muster.event_writes w ON w.id = e.write_id,
		           jsonb_array_elements(e.detail->'attributes') c) x
		WHERE old IS DISTINCT FROM before`,
	"value that the history does not end with": `
		SELECT count(*)
		FROM (SELECT DISTINCT ON (identity_id, c->>'attribute') identity_id, c->>'attribute' AS name,
		             c->>'newValue' AS value
		      FROM muster.identity_events e JOIN muster.event_writes w ON w.id = e.write_id,
		           jsonb_array_elements(e.detail->'attributes') c
		      ORDER BY identity_id, c->>'attribute', w.position DESC, e.number DESC) x
		JOIN muster.identities i ON i.id = x.identity_id
		WHERE i.attributes->>x.name IS DISTINCT FROM x.value`,
	"role that tasks count and the history does not tell": `
		SELECT abs((SELECT sum(roles_gained) FROM muster.tasks)
		         - (SELECT count(*) FROM muster.identity_events e, jsonb_array_elements(e.detail->'roles'->'gained') r
		            WHERE r->>'reason' NOT LIKE 'it was assigned%'))
		     + abs((SELECT sum(roles_lost) FROM muster.tasks)
		         - (SELECT count(*) FROM muster.identity_events e, jsonb_array_elements(e.detail->'roles'->'lost') r
		            WHERE r->>'reason' <> 'it was revoked'))`,
	"identity with two events in one write": `
		SELECT count(*) FROM (SELECT FROM muster.identity_events GROUP BY write_id, identity_id HAVING count(*) > 1) x`,
	"event without a position": `
		SELECT count(*) FROM muster.event_writes WHERE position IS NULL`,
	"operation that tasks count and that is not there": `
		SELECT abs((SELECT sum(operations) FROM muster.tasks) - (SELECT count(*) FROM muster.provisioning_operations))`,
}

func (c *crowd) demandInvariants() {
	c.t.Helper()
	if _, err := c.Events(c.t.Context(), "", 1); err != nil { // numbers all
		c.t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(invariants)) {
		if n := c.number(invariants[name]); n != 0 {
			c.t.Errorf("got %d: %s, want n == 0", n, name)
		}
	}
}
