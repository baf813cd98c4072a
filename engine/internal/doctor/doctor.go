package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store"
)

// The limits of [Engine.Doctor].
const (
	// TimeoutDefault is how long each of its statements may take.
	TimeoutDefault = 5 * time.Minute
	// ExamplesMax is how many of the rows that fail a check are named.
	ExamplesMax = store.ExamplesMax
	// stuckAfter is how long something may do nothing before the doctor takes it for stuck: longer than a job may run,
	// and than the queue needs to find out that a process is gone.
	stuckAfter = 15 * time.Minute
	// clockWarning and clockFailure are how far this process's clock may be from the server's.
	clockWarning = 2 * time.Second
	clockFailure = time.Minute
	// repairRoundsMax is how often the doctor looks again after a repair, for what comes to light by it.
	repairRoundsMax = 3
)

// Severity says how bad the outcome of a check is.
type Severity string

// The severities, from good to bad.
const (
	SeverityOK      Severity = "ok"
	SeverityWarning Severity = "warning" // somebody should look at it
	SeverityFailure Severity = "failure" // something is wrong, or work stands still
)

// Check is the outcome of one check.
type Check struct {
	Name     string   `json:"name"`
	Severity Severity `json:"severity"`
	Count    int64    `json:"count"` // how many rows, objects or settings it is about
	// Examples are IDs, or names of tables, indexes and settings, at most [ExamplesMax]. They are no values and
	// no names of people.
	Examples []string `json:"examples"`
	Mend     string   `json:"mend,omitempty"` // what mends it, where it is not ok
	// Reparable says that [Options].Repair mends it.
	Reparable bool `json:"reparable"`
}

// Repair says what was done about a check.
type Repair struct {
	Check string `json:"check"`
	Count int    `json:"count"` // rows or objects
	Done  string `json:"done"`
	Error string `json:"error,omitempty"` // why it could not be done
}

// Diagnosis is what the doctor found, after the repairs if there were any.
type Diagnosis struct {
	At       time.Time `json:"at"`
	Severity Severity  `json:"severity"` // that of the worst check
	Checks   []Check   `json:"checks"`
	Repairs  []Repair  `json:"repairs"`
}

// Options say how to examine. The zero Options change nothing and read no row more than needed.
type Options struct {
	// Repair mends what can be mended safely.
	Repair bool
	// Thorough also reads every identity and uncorrelated account to hold what is derived from their values against the
	// values. That takes about half a minute for a million identities.
	Thorough bool
	// Timeout ends a statement of the examination that takes longer. Defaults to [TimeoutDefault].
	Timeout time.Duration
}

// Doctor examines the tenant: every invariant of the rows, the tables, the work that stands still, the schedule, the
// clock and the server's settings. It reads one snapshot in a transaction that cannot write, with statements over sets:
// about ten seconds for a million identities. With Repair it then mends what is safe to mend, each check in a
// transaction of its own (indexes outside of one), and examines again; doing so twice changes nothing. Workers may run
// meanwhile.
//
// It is part of no other transaction, because of what its repairs are. The error is one of the examination itself: what
// it found, and what could not be repaired, is in the diagnosis.
func (d *Doctor) Examine(ctx context.Context, options Options) (Diagnosis, error) {
	const op = "examine"
	if options.Timeout < 0 {
		return Diagnosis{}, fault.Invalidf(op, "Timeout", "%s is negative: a time from 0 is allowed", options.Timeout)
	}
	if options.Timeout == 0 {
		options.Timeout = TimeoutDefault
	}
	repairs := []Repair{}
	for round := 0; ; round++ {
		x, err := d.examine(ctx, options)
		if err != nil {
			return Diagnosis{}, fault.Wrap(op, "", err)
		}
		if options.Repair && round < repairRoundsMax {
			done, err := x.repair(ctx)
			if err != nil {
				return Diagnosis{}, fault.Wrap(op, "", err)
			}
			repairs = append(repairs, done...)
			if slices.ContainsFunc(done, func(r Repair) bool { return r.Error == "" && r.Count > 0 }) {
				continue
			}
		}
		return x.diagnosis(repairs), nil
	}
}

// examination is one look at everything.
type examination struct {
	d      *Doctor
	tx     pgx.Tx
	given  store.Examination
	checks []Check
	// repairs are parallel to checks; nil where a check has none, or nothing to mend.
	repairs []repairFunc
	// config is nil where it does not compile.
	config *configuration.Configuration
	// What is to be repaired beyond what a statement finds again: identities and accounts by what of them is wrong, and
	// names.
	keys       []store.ID
	folded     []store.ID
	accounts   []store.ID
	names      []store.FoldedName
	indexes    []string
	unverified []string
}

// repairFunc mends what a check found. It returns how much, and what it did.
type repairFunc func(ctx context.Context) (count int, done string, err error)

func (x *examination) diagnosis(repairs []Repair) Diagnosis {
	d := Diagnosis{At: x.given.Now, Severity: SeverityOK, Checks: x.checks, Repairs: repairs}
	for _, c := range x.checks {
		if c.Severity == SeverityFailure || c.Severity == SeverityWarning && d.Severity == SeverityOK {
			d.Severity = c.Severity
		}
	}
	return d
}

// add notes the outcome of a check. severity is what it is when something was found; mend says what helps, repair does
// it.
func (x *examination) add(name string, severity Severity, f store.Finding, mend string, repair repairFunc) {
	c := Check{Name: name, Severity: SeverityOK, Examples: f.Examples, Count: f.Count}
	if c.Examples == nil {
		c.Examples = []string{}
	}
	if f.Count > 0 {
		c.Severity, c.Mend, c.Reparable = severity, mend, repair != nil
	} else {
		repair = nil
	}
	x.checks, x.repairs = append(x.checks, c), append(x.repairs, repair)
}

// examine looks at everything in one snapshot.
func (d *Doctor) examine(ctx context.Context, options Options) (*examination, error) {
	now := d.Now()
	x := &examination{d: d, given: store.Examination{JobSchema: d.JobSchema, Now: now,
		Stalled: now.Add(-stuckAfter)}}
	if err := x.examineClock(ctx); err != nil {
		return nil, err
	}
	version, err := migrations.Version(ctx, d.Pool, migrations.Config{Schema: d.Schema,
		JobSchema: d.JobSchema})
	if err != nil {
		return nil, err
	}
	x.addSetting("schema-version", SeverityFailure, version == migrations.Latest(),
		fmt.Sprintf("version %d", version), fmt.Sprintf("version %d is needed: muster migrate", migrations.Latest()))
	parts := []func(context.Context) error{x.examineServer, x.examineTables, x.examineConfiguration, x.examineRows,
		x.examineInvariants, x.examineSchedule}
	if options.Thorough {
		parts = append(parts, x.examineDerived)
	}
	err = pgx.BeginTxFunc(ctx, d.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly},
		func(tx pgx.Tx) error {
			x.tx = tx
			if err := d.Store.LimitStatements(ctx, tx, options.Timeout); err != nil {
				return err
			}
			for _, part := range parts {
				if err := part(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	return x, err
}

// addSetting notes the outcome of a check of one thing, which found says what it is.
func (x *examination) addSetting(name string, severity Severity, holds bool, found, mend string) {
	var f store.Finding
	if !holds {
		f = store.Found([]string{found})
	}
	x.add(name, severity, f, mend, nil)
}

// examineClock compares this process's clock with the server's. The way there and back is not counted.
func (x *examination) examineClock(ctx context.Context) error {
	before := x.d.Clock()
	server, err := x.d.Store.ServerTime(ctx, x.d.Pool)
	if err != nil {
		return err
	}
	after := x.d.Clock()
	var skew time.Duration
	switch {
	case server.Before(before):
		skew = before.Sub(server)
	case server.After(after):
		skew = server.Sub(after)
	}
	severity := SeverityWarning
	if skew > clockFailure {
		severity = SeverityFailure
	}
	x.addSetting("clock", severity, skew <= clockWarning, "differs by "+skew.Round(time.Millisecond).String(),
		"synchronize the clocks of this machine and of the database server")
	return nil
}

// poolMin is the least number of connections with which an engine that works gets on: that of the queue's
// notifications, and some to work with.
const poolMin = 4

// timeoutLeast is how long statements and transactions must be allowed to take.
const timeoutLeast = 5 * time.Minute

// examineServer looks at what of the server and of the session would hurt.
func (x *examination) examineServer(ctx context.Context) error {
	v, err := x.d.Store.Server(ctx, x.tx, x.d.JobSchema)
	if err != nil {
		return err
	}
	schemas := migrations.Config{Schema: x.d.Schema, JobSchema: x.d.JobSchema}
	add := x.addSetting
	add("server-version", SeverityFailure, v.Version >= migrations.MinServerVersion, fmt.Sprint(v.Version),
		fmt.Sprintf("PostgreSQL %d or later is needed", migrations.MinServerVersion/10000))
	add("encoding", SeverityFailure, v.Encoding == "UTF8", v.Encoding, "the database's encoding must be UTF8")
	add("collation", SeverityFailure, v.ICU, "und-x-icu", "the server must be built with ICU")
	add("writable", SeverityFailure, !v.ReadOnly, "read only",
		"connect to the primary server, without default_transaction_read_only")
	add("isolation", SeverityFailure, v.Isolation == "read committed", "default_transaction_isolation",
		"set default_transaction_isolation to read committed for this role: what is locked must be read as it is then")
	add("durability", SeverityWarning, v.Durable, "fsync, full_page_writes, synchronous_commit",
		"switch fsync, full_page_writes and synchronous_commit on: a crash loses what was committed")
	add("autovacuum", SeverityWarning, v.Autovacuum, "autovacuum", "switch autovacuum on")
	add("statement-timeout", SeverityWarning, v.Statement == 0 || v.Statement >= timeoutLeast, "statement_timeout",
		"set statement_timeout to 0 for this role: the aggregation of a large source is one statement")
	add("idle-timeout", SeverityWarning, v.Idle == 0 || v.Idle >= timeoutLeast, "idle_in_transaction_session_timeout",
		"set idle_in_transaction_session_timeout to 0 for this role: an aggregation waits for its source")
	add("pool", SeverityWarning, x.d.Pool.Config().MaxConns >= poolMin,
		fmt.Sprintf("%d connections", x.d.Pool.Config().MaxConns),
		fmt.Sprintf("give the pool %d connections or more: see Engine.Start", poolMin))
	add("job-schema-version", SeverityFailure, v.JobVersion == migrations.JobVersion(),
		fmt.Sprintf("version %d", v.JobVersion),
		fmt.Sprintf("version %d of the job tables is needed: muster migrate", migrations.JobVersion()))
	add("job-schema-owner", SeverityFailure, v.JobsOf == migrations.JobSchemaComment(schemas), x.d.JobSchema,
		"the comment of the job schema names another tenant: configure this tenant's own")
	x.add("privileges", SeverityFailure, store.Found(v.Unprivileged),
		"grant this role SELECT, INSERT, UPDATE and DELETE: muster migrate up --grant-to ROLE", nil)
	x.add("long-transaction", SeverityWarning, store.Found(v.LongRunning),
		"end the transactions of these server processes: readers of events and the vacuum wait for them", nil)
	return nil
}

// examineTables holds the tables against what the migrations make.
func (x *examination) examineTables(ctx context.Context) error {
	s := x.d.Store
	missing, err := s.MissingObjects(ctx, x.tx)
	if err != nil {
		return err
	}
	x.add("tables", SeverityFailure, missing,
		"create what is missing as the migrations do: somebody has taken it away", nil)
	if x.unverified, err = s.UnvalidatedConstraints(ctx, x.tx); err != nil {
		return err
	}
	x.add("constraints", SeverityFailure, store.Found(x.unverified), "ALTER TABLE ... VALIDATE CONSTRAINT",
		x.validateConstraints)
	if x.indexes, err = s.InvalidIndexes(ctx, x.tx, x.d.JobSchema); err != nil {
		return err
	}
	x.add("indexes", SeverityFailure, store.Found(x.indexes), "REINDEX INDEX CONCURRENTLY", x.reindex)
	return nil
}

// examineConfiguration compiles the configuration.
func (x *examination) examineConfiguration(ctx context.Context) error {
	rows, err := x.d.Store.LoadConfiguration(ctx, x.tx)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the check of what is there once tells
	}
	if err != nil {
		return err
	}
	compiled, failure := x.d.Compile(rows)
	mend := ""
	if failure == nil {
		x.config = compiled
	} else {
		mend = "apply a configuration that compiles: " + failure.Error()
	}
	x.addSetting("configuration", SeverityFailure, failure == nil, fmt.Sprintf("version %d", rows.Version), mend)
	if x.names, err = x.d.Store.UnfoldedNames(ctx, x.tx); err != nil {
		return err
	}
	var ids []string
	for i := range x.names {
		ids = append(ids, x.names[i].ID.String())
	}
	x.add("folded-names", SeverityFailure, store.Found(ids), "write the folded names anew", x.foldNames)
	return nil
}

// examineRows holds the rows against what constraints say, too: those that are missing say nothing.
func (x *examination) examineRows(ctx context.Context) error {
	s := x.d.Store
	for i := range store.References {
		r := &store.References[i]
		found, err := s.FindMissing(ctx, x.tx, r, &x.given)
		if err != nil {
			return fmt.Errorf("the rows that %s names: %w", r.Name(), err)
		}
		mend, repair := "remove the rows, or restore what they name", repairFunc(nil)
		if r.Remedy != store.RemedyNone {
			repair = x.mendMissing(r)
			if mend = "remove the rows, as it goes with what they name"; r.Remedy == store.RemedyClear {
				mend = "set the column to null"
			}
		}
		x.add("reference:"+r.Name(), SeverityFailure, found, mend, repair)
	}
	for i := range store.Uniquenesses {
		u := &store.Uniquenesses[i]
		found, err := s.FindTwice(ctx, x.tx, u, &x.given)
		if err != nil {
			return fmt.Errorf("the rows of %s that are there twice: %w", u.Table, err)
		}
		mend, repair := "remove one of the rows", repairFunc(nil)
		switch u.Table {
		case "provisioning_operations":
			mend, repair = "cancel the later operation", x.cancelTwice
		case "role_assignments":
			mend, repair = "remove one of the assignments", x.dropMembershipsTwice
		}
		x.add("unique:"+u.Table, SeverityFailure, found, mend, repair)
	}
	for i := range store.Rules {
		r := &store.Rules[i]
		found, err := s.FindUnruly(ctx, x.tx, r, &x.given)
		if err != nil {
			return fmt.Errorf("the rows that contradict %s: %w", r.Constraint, err)
		}
		mend, repair := "write values that the constraint allows", repairFunc(nil)
		switch r.Constraint {
		case "identities_not_own_manager":
			mend, repair = "set manager_id to null", x.clearOwnManagers
		case "identities_email_key":
			mend, repair = "write the folded address anew", x.foldIdentities(nil)
		}
		x.add("rule:"+r.Constraint, SeverityFailure, found, mend, repair)
	}
	return nil
}

// verdict is what an invariant that does not hold means.
type verdict struct {
	invariant store.Invariant
	severity  Severity
	mend      string
	repair    func(*examination) repairFunc // nil for none
}

// verdicts are those of all invariants, in the order in which they are shown.
var verdicts = []verdict{
	{store.InvariantSingleton, SeverityFailure, "write the row that is missing", (*examination).restoreSingletons},
	{store.InvariantSequence, SeverityFailure, "bring the sequences to the greatest number that was given",
		(*examination).advanceSequences},
	{store.InvariantCorrelated, SeverityFailure, "process the identities", marks(store.InvariantCorrelated)},
	{store.InvariantManager, SeverityFailure, "process the identities", marks(store.InvariantManager)},
	{store.InvariantIdentityRefresh, SeverityFailure, "process the identities", marks(store.InvariantIdentityRefresh)},
	{store.InvariantRefreshFuture, SeverityFailure, "put the clock right, and process the identities",
		marks(store.InvariantRefreshFuture)},
	{store.InvariantErrorDue, SeverityFailure, "process the identities", marks(store.InvariantErrorDue)},
	{store.InvariantLateCorrelation, SeverityWarning, "correlate the accounts, or aggregate their sources",
		(*examination).correlate},
	{store.InvariantRequestTask, SeverityFailure, "give the marks to a task", renews(store.InvariantRequestTask)},
	{store.InvariantRequestStale, SeverityWarning, "process the identities: what marked them may have come later",
		renews(store.InvariantRequestStale)},
	{store.InvariantTaskJob, SeverityFailure, "give the tasks jobs: a worker does, within a minute",
		(*examination).requeue},
	{store.InvariantTaskPart, SeverityFailure, "forget the parts of tasks that have ended",
		(*examination).dropForsakenParts},
	{store.InvariantTaskHeld, SeverityWarning, "muster tasks show, then confirm or cancel", nil},
	{store.InvariantDue, SeverityWarning, "run a worker, or muster schedule run from a timer", nil},
	{store.InvariantOperationDelivery, SeverityFailure, "put the operations into a batch with a job",
		(*examination).adoptOperations},
	{store.InvariantDeliveryJob, SeverityFailure, "give the batches jobs: a worker does, within a minute",
		(*examination).requeue},
	{store.InvariantDeliveryLease, SeverityWarning, "end the leases of workers that are gone", (*examination).endLeases},
	{store.InvariantOperationOpen, SeverityWarning, "muster operations --state OPEN tells why: is the source reached?",
		nil},
	{store.InvariantNotificationTask, SeverityFailure, "cancel the messages of tasks that have ended",
		(*examination).cancelForsaken},
	{store.InvariantMessageLease, SeverityWarning, "end the leases of workers that are gone",
		(*examination).endLeases},
	{store.InvariantEventHorizon, SeverityFailure,
		"number the events anew: they come from another server. Readers of events must begin at the zero cursor",
		(*examination).lowerEvents},
}

func (x *examination) examineInvariants(ctx context.Context) error {
	for _, v := range verdicts {
		found, err := x.d.Store.Contradicting(ctx, x.tx, v.invariant, &x.given)
		if err != nil {
			return fmt.Errorf("the check %s: %w", v.invariant, err)
		}
		var repair repairFunc
		if v.repair != nil {
			repair = v.repair(x)
		}
		x.add(string(v.invariant), v.severity, found, v.mend, repair)
	}
	return nil
}

// slotGrace is how long a slot may be late.
const slotGrace = 10 * time.Minute

// examineSchedule looks for slots that were not begun, since there is somebody to process.
func (x *examination) examineSchedule(ctx context.Context) error {
	first, err := x.d.Store.FirstIdentity(ctx, x.tx)
	if err != nil {
		return err
	}
	now := x.given.Now
	begun, err := x.d.Store.SlotsSince(ctx, x.tx, now.Add(-48*time.Hour))
	if err != nil {
		return err
	}
	last := x.d.LastSlot(now.Add(-slotGrace))
	var late, missed []string
	for _, slot := range x.d.SlotsAround(now) {
		if first.IsZero() || slot.Before(first) || slot.Before(now.Add(-48*time.Hour)) || slot.After(last) ||
			slices.ContainsFunc(begun, slot.Equal) {
			continue
		}
		if text := slot.UTC().Format(time.RFC3339); slot.Equal(last) {
			late = append(late, text)
		} else {
			missed = append(missed, text)
		}
	}
	x.add("slot", SeverityWarning, store.Found(late), "run a worker, or muster schedule run from a timer", nil)
	x.add("slot-missed", SeverityWarning, store.Found(missed),
		"nobody worked then: run a worker all the time. The last slot was made up for, or will be", nil)
	return nil
}

// examineDerived reads everybody, and holds what is derived from their values against them.
func (x *examination) examineDerived(ctx context.Context) error {
	if x.config == nil {
		return nil // the check of the configuration tells
	}
	c := x.config
	if err := x.readIdentities(ctx, c); err != nil {
		return err
	}
	x.add("identity-keys", SeverityFailure, foundIDs(x.keys), "write the keys of the identities anew", x.rekey)
	x.add("folded-columns", SeverityFailure, foundIDs(x.folded), "write the folded columns anew",
		x.foldIdentities(x.folded))
	if err := x.readAccounts(ctx, c); err != nil {
		return err
	}
	x.add("correlation-keys", SeverityFailure, foundIDs(x.accounts), "write the keys of the accounts anew",
		x.rekeyAccounts)
	return nil
}

func foundIDs(ids []store.ID) store.Finding {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return store.Found(texts)
}

// readIdentities finds the identities whose keys or folded columns do not agree with their values.
func (x *examination) readIdentities(ctx context.Context, c *configuration.Configuration) error {
	s := x.d.Store
	for last := (store.ID{}); ; {
		page, err := s.FoldedIdentities(ctx, x.tx, last, tenant.PageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		held, err := heldKeys(ctx, s, x.tx, page)
		if err != nil {
			return err
		}
		for i := range page {
			wrong, err := derive(c, &page[i])
			if err != nil {
				return err
			}
			if wrong.folded {
				x.folded = append(x.folded, page[i].ID)
			}
			if removed, added := wrong.keys(page[i].ID, held[page[i].ID]); len(removed)+len(added) > 0 {
				x.keys = append(x.keys, page[i].ID)
			}
		}
		last = page[len(page)-1].ID
	}
}

// heldKeys returns the keys that identities have.
func heldKeys(ctx context.Context, s *store.Store, q store.Querier, page []store.FoldedIdentity) (
	map[store.ID][]string, error,
) {
	ids := make([]store.ID, len(page))
	for i := range page {
		ids[i] = page[i].ID
	}
	rows, err := s.IdentityKeys(ctx, q, ids)
	held := map[store.ID][]string{}
	for _, row := range rows {
		held[row.IdentityID] = append(held[row.IdentityID], row.Key)
	}
	return held, err
}

// derivation is what is derived of an identity's values.
type derivation struct {
	folded bool     // its folded columns were others
	wanted []string // its keys
}

// keys returns the keys that an identity has and should not, and the other way around.
func (d *derivation) keys(id store.ID, held []string) (removed, added []store.IdentityKey) {
	return configuration.AppendMissing(nil, id, held, d.wanted), configuration.AppendMissing(nil, id, d.wanted, held)
}

// derive calculates what is derived of an identity's values, and writes the folded columns into the row.
func derive(c *configuration.Configuration, row *store.FoldedIdentity) (derivation, error) {
	var set attribute.Set
	if err := set.Decode(row.Attributes); err != nil {
		return derivation{}, fmt.Errorf("identity %s: %w", row.ID, err)
	}
	folded := row.Fold(set.Get("firstname").NullText(), set.Get("lastname").NullText())
	return derivation{folded, c.IdentityKeys(&set)}, nil
}

// readAccounts finds the uncorrelated accounts whose keys do not agree with their values. Those of others may be from
// before the correlation was changed.
func (x *examination) readAccounts(ctx context.Context, c *configuration.Configuration) error {
	for last := (store.ID{}); ; {
		page, err := x.d.Store.KeyedAccounts(ctx, x.tx, last, tenant.PageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			wanted, err := c.AccountKeys(&page[i])
			if err != nil {
				return err
			}
			if wanted != nil && !slices.Equal(wanted, page[i].Keys) {
				x.accounts = append(x.accounts, page[i].ID)
			}
		}
		last = page[len(page)-1].ID
	}
}
