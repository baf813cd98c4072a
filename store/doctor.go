package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ExamplesMax is how many of the rows that contradict an invariant are named at most.
const ExamplesMax = 10

// Finding is the result of an examination: how many rows, and the IDs of some.
type Finding struct {
	Count    int64
	Examples []string // at most [ExamplesMax], in their order
}

// Found returns the finding of a complete list.
func Found(examples []string) Finding {
	return Finding{int64(len(examples)), examples[:min(len(examples), ExamplesMax)]}
}

// FoundIDs is [Found] for IDs.
func FoundIDs(ids []ID) Finding {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return Found(texts)
}

// Examination is what the statements that look for contradictions need to know.
type Examination struct {
	JobSchema string
	Now       time.Time
	Stalled   time.Time // what has done nothing since then is stuck
	Marks     []Mark    // the attributes of all sources whose values are entitlements
}

// Reference is a column that names a row of another table. Remedy mends a row that names a missing one.
type Reference struct {
	Table, Column, Target string
	example               string
	Remedy                Remedy
}

// Remedy says how a row that contradicts an invariant is mended.
type Remedy int

// The remedies: nothing, since a person must decide; the row is removed, as it would have been with the row that it
// names; the column becomes null.
const (
	RemedyNone Remedy = iota
	RemedyDrop
	RemedyClear
)

// Name returns the name of the reference: its table and column.
func (r *Reference) Name() string { return r.Table + "." + r.Column }

// References are the columns that name rows of other tables, each of which is a foreign key too.
var References = []Reference{
	{"access_grants", "identity_id", "identities", "identity_id", RemedyDrop},
	{"account_demands", "account_id", "accounts", "account_id", RemedyDrop},
	{"account_demands", "identity_id", "identities", "account_id", RemedyDrop},
	{"account_entitlements", "account_id", "accounts", "account_id", RemedyDrop},
	{"account_keys", "account_id", "accounts", "account_id", RemedyDrop},
	{"accounts", "identity_id", "identities", "id", RemedyClear},
	{"accounts", "source_id", "sources", "id", RemedyNone},
	{"attempts", "identity_id", "identities", "identity_id", RemedyDrop},
	{"credentials", "identity_id", "identities", "identity_id", RemedyDrop},
	{"entitlements", "source_id", "sources", "id", RemedyDrop},
	{"errand_texts", "task_id", "tasks", "task_id", RemedyDrop},
	{"errands", "task_id", "tasks", "task_id", RemedyDrop},
	{"identities", "manager_id", "identities", "id", RemedyClear},
	{"identities", "profile_id", "identity_profiles", "id", RemedyNone},
	{"identity_keys", "identity_id", "identities", "identity_id", RemedyDrop},
	{"identity_lookups", "reader_id", "identities", "reader_id", RemedyDrop},
	{"identity_profiles", "authoritative_source_id", "sources", "id", RemedyNone},
	{"lifecycle_states", "profile_id", "identity_profiles", "id", RemedyDrop},
	{"notifications", "identity_id", "identities", "id", RemedyDrop},
	{"notifications", "task_id", "tasks", "id", RemedyDrop},
	{"one_time_tokens", "identity_id", "identities", "identity_id", RemedyDrop},
	{"owned_objects", "owner_id", "identities", "owner_id", RemedyNone},
	{"refresh_state", "identity_id", "identities", "identity_id", RemedyDrop},
	{"role_assignments", "identity_id", "identities", "id", RemedyDrop},
	{"role_assignments", "role_id", "roles", "id", RemedyDrop},
	{"source_aggregations", "source_id", "sources", "source_id", RemedyDrop},
	{"synchronizations", "identity_id", "identities", "identity_id", RemedyDrop},
	{"task_messages", "task_id", "tasks", "task_id", RemedyDrop},
	{"task_parts", "task_id", "tasks", "task_id", RemedyDrop},
}

// missing returns the condition that a row r names a missing one.
func (r *Reference) missing() string {
	return `r.` + r.Column + ` IS NOT NULL AND NOT EXISTS (SELECT 1 FROM muster.` + r.Target + ` t WHERE t.id = r.` +
		r.Column + `)`
}

// FindMissing returns the rows that name a missing one.
func (s *Store) FindMissing(ctx context.Context, q Querier, r *Reference, e *Examination) (Finding, error) {
	return s.find(ctx, q, `SELECT `+idSQL("r."+r.example)+` FROM muster.`+r.Table+` r WHERE `+r.missing(), e)
}

// MendMissing applies the remedy of a reference to the rows that name a missing one, and returns how many those were.
func (s *Store) MendMissing(ctx context.Context, tx pgx.Tx, r *Reference) (int, error) {
	statement := `DELETE FROM muster.` + r.Table + ` r WHERE ` + r.missing()
	if r.Remedy == RemedyClear {
		statement = `UPDATE muster.` + r.Table + ` r SET ` + r.Column + ` = NULL WHERE ` + r.missing()
	}
	tag, err := tx.Exec(ctx, s.sql(statement))
	if err == nil && r.Name() == "accounts.identity_id" {
		_, err = s.MendAccountKeys(ctx, tx) // they are uncorrelated now
	}
	return int(tag.RowsAffected()), mapError(err)
}

// Uniqueness says which columns are unique in a table.
type Uniqueness struct{ Table, columns, where string }

// openOperation is what is unique among open operations: the account, the attribute and the value.
const openOperation = `identity_id, source_id, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), attribute,
		    value`

// Uniquenesses are the same as those of the unique indexes.
var Uniquenesses = []Uniqueness{
	{"access_profiles", "name_key", ""},
	{"accounts", "source_id, native_identity", ""},
	{"entitlements", "source_id, attribute, value", ""},
	{"identity_profiles", "name_key", ""},
	{"lifecycle_states", "profile_id, technical_name", ""},
	{"provisioning_operations", openOperation, "WHERE state IN ('OPEN', 'MANUAL', 'PARKED')"},
	{"role_assignments", "identity_id, role_id, assignment_source", ""},
	{"roles", "name_key", ""},
	{"sources", "name_key", ""},
	{"task_messages", "task_id, digest", ""},
	{"transforms", "name_key", ""},
}

// twice returns a query for the rows that exist a second time. An operation that has begun counts as the first, so that
// it stays.
func (u *Uniqueness) twice() string {
	order := "id"
	if u.Table == "provisioning_operations" {
		order = "(begun IS NULL), id"
	}
	return `SELECT id FROM (
		    SELECT id, row_number() OVER (PARTITION BY ` + u.columns + ` ORDER BY ` + order + `) AS nth
		    FROM muster.` + u.Table + ` ` + u.where + `) numbered
		WHERE nth > 1`
}

// FindTwice returns the rows that exist a second time.
func (s *Store) FindTwice(ctx context.Context, q Querier, u *Uniqueness, e *Examination) (Finding, error) {
	return s.find(ctx, q, `SELECT `+idSQL("id")+` FROM (`+u.twice()+`) again`, e)
}

// CancelOperationsTwice cancels the operations that are open a second time, unless they have begun.
func (s *Store) CancelOperationsTwice(ctx context.Context, tx pgx.Tx, now time.Time) (int, error) {
	for i := range Uniquenesses {
		if u := &Uniquenesses[i]; u.Table == "provisioning_operations" {
			tag, err := tx.Exec(ctx, s.sql(`
				UPDATE muster.provisioning_operations SET state = 'CANCELLED', completed = $1
				WHERE begun IS NULL AND id IN (`+u.twice()+`)`), now)
			return int(tag.RowsAffected()), mapError(err)
		}
	}
	return 0, nil
}

// DropMembershipsTwice removes the assignments by membership that exist a second time. Other assignments stay, because
// each may have its own dates and comments.
func (s *Store) DropMembershipsTwice(ctx context.Context, tx pgx.Tx) (int, error) {
	for i := range Uniquenesses {
		if u := &Uniquenesses[i]; u.Table == "role_assignments" {
			tag, err := tx.Exec(ctx, s.sql(`
				DELETE FROM muster.role_assignments
				WHERE assignment_source = 'ROLE_MEMBERSHIP' AND id IN (`+u.twice()+`)`))
			return int(tag.RowsAffected()), mapError(err)
		}
	}
	return 0, nil
}

// Rule is a condition on every row of a table. A check constraint of this name demands it too.
type Rule struct{ Constraint, table, id, condition string }

// Rules are the check constraints.
var Rules = []Rule{
	{"account_demands_kind", "account_demands", "account_id", `kind IN ('ENABLE', 'DISABLE', 'UNLOCK')`},
	{"attempts_key", "attempts", "identity_id", `length(key) = 32`},
	{"daily_statistics_count", "daily_statistics", "object_id", `count >= 0`},
	{"statistics_days_kind", "statistics_days", "kind",
		`kind IN ('POPULATION', 'MEMBERS', 'ACCOUNTS', 'FAILED', 'CHANGES')`},
	{"identities_cloud_status", "identities", "id", `cloud_status IN ('UNREGISTERED', 'REGISTERED', 'PENDING',
		'WARNING', 'DISABLED', 'ACTIVE', 'DEACTIVATED', 'TERMINATED', 'ERROR', 'LOCKED')`},
	{"identities_email_key", "identities", "id", `(email IS NULL) = (email_key IS NULL)`},
	{"identities_identity_state", "identities", "id",
		`identity_state IN ('ACTIVE', 'INACTIVE_SHORT_TERM', 'INACTIVE_LONG_TERM')`},
	{"identities_not_own_manager", "identities", "id", `manager_id <> id`},
	{"identities_processing_state", "identities", "id", `processing_state IN ('OK', 'ERROR')`},
	{"notifications_state", "notifications", "id", `state IN ('PENDING', 'SENT', 'FAILED', 'CANCELLED')`},
	{"configuration_jobs_kind", "configuration_jobs", "id", `kind IN ('EXPORT', 'IMPORT')`},
	{"configuration_jobs_status", "configuration_jobs", "id", `status IN ('COMPLETE', 'FAILED')`},
	{"sessions_digest", "sessions", "user_id", `length(digest) = 32`},
	{"form_keys_digest", "form_keys", "expires", `length(digest) = 32`},
	{"one_time_tokens_digest", "one_time_tokens", "identity_id", `length(digest) = 32`},
	{"one_time_tokens_purpose", "one_time_tokens", "identity_id", `purpose IN ('INVITATION', 'VERIFICATION')`},
	{"provisioning_operations_kind", "provisioning_operations", "id", `kind IN ('CREATE', 'SET_ATTRIBUTES',
		'ADD_ENTITLEMENT', 'REMOVE_ENTITLEMENT', 'ENABLE', 'DISABLE', 'UNLOCK', 'DELETE', 'SET_PASSWORD')`},
	{"provisioning_operations_state", "provisioning_operations", "id",
		`state IN ('OPEN', 'MANUAL', 'PARKED', 'DONE', 'FAILED', 'RETRIED', 'CANCELLED')`},
	{"provisioning_operations_parked", "provisioning_operations", "id",
		`(state = 'PARKED') = (parked IS NOT NULL) AND (parked IS NULL) = (parked_cause IS NULL)`},
	{"provisioning_operations_awaits", "provisioning_operations", "id",
		`awaits IS NULL OR awaits = 'AGGREGATION' AND state = 'PARKED'`},
	{"role_assignments_dates", "role_assignments", "id", `remove_date > start_date`},
	{"task_messages_count", "task_messages", "task_id", `count >= 1 AND count >= cardinality(examples)`},
	{"task_messages_type", "task_messages", "task_id", `type IN ('INFO', 'WARN', 'ERROR')`},
	{"task_parts_request", "task_parts", "task_id",
		`request_id IS NULL OR survey AND after_number IS NOT NULL AND last_number IS NOT NULL`},
	{"tasks_completed", "tasks", "id", `(completed IS NULL) = (completion_status IS NULL)`},
	{"tasks_completion_status", "tasks", "id",
		`completion_status IN ('SUCCESS', 'WARNING', 'ERROR', 'TERMINATED', 'TEMPERROR')`},
}

// FindUnruly returns the rows that break a rule. As with a constraint, a condition that is unknown breaks none.
func (s *Store) FindUnruly(ctx context.Context, q Querier, r *Rule, e *Examination) (Finding, error) {
	return s.find(ctx, q, `SELECT `+idSQL(r.id)+` FROM muster.`+r.table+` WHERE NOT (`+r.condition+`)`, e)
}

// ClearOwnManagers removes the manager of identities that are their own manager.
func (s *Store) ClearOwnManagers(ctx context.Context, tx pgx.Tx) (int, error) {
	tag, err := tx.Exec(ctx, s.sql(`UPDATE muster.identities SET manager_id = NULL WHERE manager_id = id`))
	return int(tag.RowsAffected()), mapError(err)
}

// Invariant names a property of the rows that no constraint can demand.
type Invariant string

// The invariants. The comment of each statement says why it holds.
const (
	InvariantEntitlements       Invariant = "account-entitlements"
	InvariantAccountKeys        Invariant = "account-keys"
	InvariantCarriedAccess      Invariant = "carried-access"
	InvariantCarriedAccount     Invariant = "carried-account"
	InvariantGrantAccount       Invariant = "grant-account"
	InvariantGrantVanished      Invariant = "grant-vanished"
	InvariantOrphaned           Invariant = "orphaned"
	InvariantStage              Invariant = "aggregation-stage"
	InvariantDeliveryJob        Invariant = "batch-job"
	InvariantDeliveryLease      Invariant = "batch-lease"
	InvariantCorrelated         Invariant = "correlated"
	InvariantDue                Invariant = "due"
	InvariantErrorDue           Invariant = "error-due"
	InvariantEventNumber        Invariant = "event-number"
	InvariantEventPending       Invariant = "event-pending"
	InvariantEventPosition      Invariant = "event-position"
	InvariantIdentityRefresh    Invariant = "identity-refresh"
	InvariantLateCorrelation    Invariant = "late-correlation"
	InvariantManager            Invariant = "manager"
	InvariantNotificationTask   Invariant = "notification-task"
	InvariantMessageLease       Invariant = "notification-lease"
	InvariantOperationAwaits    Invariant = "operation-awaits"
	InvariantOperationDelivery  Invariant = "operation-batch"
	InvariantOperationOpen      Invariant = "operation-open"
	InvariantOperationParked    Invariant = "operation-parked"
	InvariantRefreshFuture      Invariant = "refresh-future"
	InvariantRequestStale       Invariant = "request-stale"
	InvariantRequestTask        Invariant = "request-task"
	InvariantSequence           Invariant = "sequence"
	InvariantSingleton          Invariant = "singleton"
	InvariantStatisticsDay      Invariant = "statistics-day"
	InvariantStatisticsLate     Invariant = "statistics-late"
	InvariantStatisticsPosition Invariant = "statistics-position"
	InvariantTaskHeld           Invariant = "task-held"
	InvariantTaskJob            Invariant = "task-job"
	InvariantTaskPart           Invariant = "task-part"
)

// settledSQL is the condition that no processing of an identity i is outstanding, so that what is stored of it agrees
// with what it is calculated from. A task that is cancelled makes its identities due at the next slot.
const settledSQL = `
	    i.processing_state IS DISTINCT FROM 'ERROR'
	AND NOT EXISTS (SELECT 1 FROM muster.refresh_requests w WHERE w.identity_id = i.id)
	AND NOT EXISTS (SELECT 1 FROM muster.refresh_state w
	                WHERE w.identity_id = i.id AND w.due <= (SELECT now FROM given) + interval '1 day')`

// misplacedWrites are the writes whose positions others have too, or that are behind the last one or not behind the
// purged ones.
const misplacedWrites = `
		SELECT w.id, w.sequence
		FROM (SELECT id, sequence, position, events, max(position + events) OVER earlier AS free
		      FROM muster.event_writes
		      WHERE position IS NOT NULL
		      WINDOW earlier AS (ORDER BY position, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) w
		CROSS JOIN muster.event_positions p
		WHERE w.position < w.free OR w.position + w.events - 1 > p.last OR w.position <= p.purged`

// invariants are the statements that find the IDs of the rows that contradict an invariant. Each may read given: now,
// and the time since which what did nothing is stuck.
var invariants = map[Invariant]string{
	// The keys of an account that has no identity are rows, and those of no other account.
	InvariantAccountKeys: `SELECT ` + idSQL("u.id") + ` FROM (` + untrueKeys + `) u (id)`,
	// What an account carries of a former owner is taken from it, or becomes its owner's, when the owner is processed.
	// Of an account that is nobody's, nobody takes it. Only those that have it still are found.
	InvariantCarriedAccess: `
		SELECT DISTINCT ` + idSQL("a.id") + `
		FROM muster.carried_access c
		JOIN muster.accounts a ON a.id = c.account_id
		LEFT JOIN muster.identities i ON i.id = a.identity_id
		WHERE a.attributes -> c.attribute @> to_jsonb(c.value)
		  AND (i.id IS NULL OR ` + settledSQL + `
		       AND NOT EXISTS (SELECT 1 FROM muster.provisioning_operations o
		                       WHERE o.identity_id = i.id AND o.account_id = a.id AND o.kind = 'REMOVE_ENTITLEMENT'
		                         AND o.value = c.value AND o.state IN ('OPEN', 'MANUAL', 'PARKED', 'FAILED')))`,
	// An account that carries something is there, or it vanished and is remembered.
	InvariantCarriedAccount: `
		SELECT DISTINCT ` + idSQL("c.account_id") + `
		FROM muster.carried_access c
		WHERE NOT EXISTS (SELECT 1 FROM muster.accounts a WHERE a.id = c.account_id)
		  AND NOT EXISTS (SELECT 1 FROM muster.vanished_accounts v WHERE v.id = c.account_id)`,
	// A grant names an account of its identity, or one that vanished and may come back. The processing of the identity
	// mends any other.
	InvariantGrantAccount: `
		SELECT DISTINCT ` + idSQL("i.id") + `
		FROM muster.access_grants g
		JOIN muster.identities i ON i.id = g.identity_id
		WHERE NOT EXISTS (SELECT 1 FROM muster.accounts a WHERE a.id = g.account_id AND a.identity_id = g.identity_id)
		  AND NOT EXISTS (SELECT 1 FROM muster.vanished_accounts v WHERE v.id = g.account_id)
		  AND ` + settledSQL,
	// A source that has not brought an account back for months hardly will.
	InvariantGrantVanished: `
		SELECT DISTINCT ` + idSQL("g.identity_id") + `
		FROM muster.access_grants g
		JOIN muster.vanished_accounts v ON v.id = g.account_id
		CROSS JOIN given
		WHERE v.vanished < given.now - interval '90 days'`,
	// Whom the authoritative source does not have any more has left, and keeps what they hold until somebody decides.
	InvariantOrphaned: `
		SELECT concat_ws(' ', ` + idSQL("h.id") + `, 'has', h.accounts, 'accounts,', h.roles, 'roles,', h.grants,
		                 'grants')
		FROM (SELECT i.id,
		             (SELECT count(*) FROM muster.accounts a WHERE a.identity_id = i.id) AS accounts,
		             (SELECT count(*) FROM muster.role_assignments r WHERE r.identity_id = i.id) AS roles,
		             (SELECT count(*) FROM muster.access_grants g WHERE g.identity_id = i.id) AS grants
		      FROM muster.identities i
		      WHERE ` + isOrphanedSQL + `) h
		WHERE h.accounts + h.roles + h.grants > 0`,
	// An aggregation removes its rows in the transaction that writes them.
	InvariantStage: `
		SELECT ` + idSQL("run_id") + ` FROM muster.aggregation_seen
		UNION
		SELECT ` + idSQL("run_id") + ` FROM muster.aggregation_stage`,
	// A worker that ends ends its lease.
	InvariantDeliveryLease: `
		SELECT ` + idSQL("b.id") + ` FROM muster.provisioning_batches b, given WHERE b.leased < given.stalled`,
	// An identity is correlated while it has an account on an authoritative source.
	InvariantCorrelated: `
		SELECT ` + idSQL("i.id") + `
		FROM muster.identities i
		WHERE i.correlated <> EXISTS (SELECT 1 FROM muster.accounts a
		                              JOIN muster.identity_profiles p ON p.authoritative_source_id = a.source_id
		                              WHERE a.identity_id = i.id)
		  AND ` + settledSQL,
	// The clock is looked at every half minute.
	InvariantDue: `
		SELECT ` + idSQL("r.identity_id") + ` FROM muster.refresh_state r, given WHERE r.due < given.stalled`,
	// An identity whose processing failed is processed again at the next slot, unless it is long-term inactive.
	InvariantErrorDue: `
		SELECT ` + idSQL("i.id") + `
		FROM muster.identities i
		LEFT JOIN muster.refresh_state r ON r.identity_id = i.id
		WHERE i.processing_state = 'ERROR' AND r.due IS NULL
		  AND i.identity_state IS DISTINCT FROM 'INACTIVE_LONG_TERM'
		  AND NOT EXISTS (SELECT 1 FROM muster.refresh_requests w WHERE w.identity_id = i.id)`,
	// A write has the events of its numbers. Some are missing where an identity was erased.
	InvariantEventNumber: `
		SELECT ` + idSQL("e.write_id") + `
		FROM (SELECT write_id, min(number) AS first, max(number) AS last
		      FROM muster.identity_events GROUP BY write_id) e
		LEFT JOIN muster.event_writes w ON w.id = e.write_id
		WHERE w.id IS NULL OR e.first < 1 OR e.last > w.events`,
	// Readers of events, and the look at the clock every half minute, number what has committed.
	InvariantEventPending: `
		SELECT ` + idSQL("w.id") + ` FROM muster.event_writes w, given
		WHERE w.position IS NULL AND w.at < given.stalled`,
	// A position is given once, after those that were given before.
	InvariantEventPosition: `
		SELECT ` + idSQL("w.id") + ` FROM (` + misplacedWrites + `) w`,
	// A lastRefresh in the future comes from a clock that was ahead: what depends on the date may be wrong since.
	InvariantRefreshFuture: `
		SELECT ` + idSQL("r.identity_id") + `
		FROM muster.refresh_state r, given
		WHERE r.last_refresh > given.now + interval '1 hour'
		  AND NOT EXISTS (SELECT 1 FROM muster.refresh_requests w WHERE w.identity_id = r.identity_id)`,
	// The transaction that creates an identity requests its processing. The one that records its first processing
	// removes the request.
	InvariantIdentityRefresh: `
		SELECT ` + idSQL("i.id") + `
		FROM muster.identities i
		LEFT JOIN muster.refresh_state r ON r.identity_id = i.id
		WHERE ` + lastRefreshSQL + ` IS NULL AND r.due IS NULL
		  AND NOT EXISTS (SELECT 1 FROM muster.refresh_requests w WHERE w.identity_id = i.id)`,
	// An account whose keys find one identity belongs to it.
	InvariantLateCorrelation: `
		SELECT ` + idSQL("m.id") + `
		FROM (` + matchHead + `(SELECT id, correlation_keys FROM muster.accounts
		        WHERE identity_id IS NULL AND correlation_keys <> '{}')` + matchTail + `) m
		WHERE m.matches = 1`,
	// The manager is the identity that the key finds, where it finds exactly one, and another one than the identity
	// itself.
	InvariantManager: `
		SELECT ` + idSQL("i.id") + `
		FROM muster.identities i
		LEFT JOIN (SELECT k.key, min(k.identity_id::text)::uuid AS id
		           FROM muster.identity_keys k
		           WHERE k.key IN (SELECT manager_key FROM muster.identities WHERE manager_key IS NOT NULL)
		           GROUP BY k.key
		           HAVING count(*) = 1) m ON m.key = i.manager_key
		WHERE i.manager_id IS DISTINCT FROM nullif(m.id, i.id) AND ` + settledSQL,
	// A task ends when its messages are sent, or it cancels them.
	InvariantNotificationTask: `
		SELECT ` + idSQL("n.id") + `
		FROM muster.notifications n
		JOIN muster.tasks t ON t.id = n.task_id
		WHERE n.state = 'PENDING' AND t.completed IS NOT NULL`,
	// A worker that sends a message records the result within minutes.
	InvariantMessageLease: `
		SELECT ` + idSQL("n.id") + `
		FROM muster.notifications n, given
		WHERE n.state = 'PENDING' AND n.leased < given.stalled`,
	// An operation that a job carries out belongs to a delivery, which exists while one of its operations is open.
	InvariantOperationDelivery: `
		SELECT ` + idSQL("o.id") + `
		FROM muster.provisioning_operations o
		WHERE o.state = 'OPEN' AND NOT EXISTS (SELECT 1 FROM muster.provisioning_batches b WHERE b.id = o.batch_id)`,
	// The creation of an account waits until somebody aggregates the source.
	InvariantOperationAwaits: `
		SELECT ` + idSQL("o.id") + `
		FROM muster.provisioning_operations o
		WHERE o.state = 'PARKED' AND o.awaits IS NOT NULL`,
	// An operation is done, or given up, within hours.
	InvariantOperationOpen: `
		SELECT ` + idSQL("o.id") + `
		FROM muster.provisioning_operations o, given
		WHERE o.state = 'OPEN' AND o.created < given.now - interval '1 day'`,
	// An operation that nobody parked goes round: two reasons undo each other.
	InvariantOperationParked: `
		SELECT ` + idSQL("o.id") + `
		FROM muster.provisioning_operations o
		WHERE o.state = 'PARKED' AND o.parker_via IS NULL AND o.awaits IS NULL`,
	// Processing removes all requests for an identity. A request from a transaction that was open meanwhile has an
	// earlier time, and stays until its task comes to it.
	InvariantRequestStale: `
		SELECT ` + idSQL("i.id") + `
		FROM muster.refresh_requests q
		JOIN muster.identities i ON i.id = q.identity_id
		LEFT JOIN muster.refresh_state r ON r.identity_id = i.id, given
		WHERE q.requested_at < ` + lastRefreshSQL + ` AND ` + lastRefreshSQL + ` < given.stalled
		GROUP BY i.id`,
	// A request belongs to a task that has not ended; a task that is cancelled releases its requests.
	InvariantRequestTask: `
		SELECT ` + idSQL("q.identity_id") + `
		FROM muster.refresh_requests q
		WHERE NOT EXISTS (SELECT 1 FROM muster.tasks t WHERE t.id = q.task_id AND t.completed IS NULL)
		GROUP BY q.identity_id`,
	// There is one configuration and one watermark, and one place of the positions.
	InvariantSingleton: `
		SELECT 'event_positions' WHERE (SELECT count(*) FROM muster.event_positions) <> 1
		UNION ALL
		SELECT 'statistics_state' WHERE (SELECT count(*) FROM muster.statistics_state) <> 1
		UNION ALL
		SELECT 'configuration' WHERE (SELECT count(*) FROM muster.configuration) <> 1
		UNION ALL
		SELECT 'refresh_watermark' WHERE (SELECT count(*) FROM muster.refresh_watermark) <> 1`,
	// A number is of a day that was counted, and no day is counted before it comes, in any time zone. Of the last days
	// changes are added up before their day is marked.
	InvariantStatisticsDay: `
		SELECT d.kind || ' ' || d.day FROM muster.statistics_days d, given
		WHERE d.day > (given.now AT TIME ZONE 'UTC')::date + 1
		UNION
		SELECT s.kind || ' ' || s.day FROM muster.daily_statistics s, given
		WHERE s.day < (given.now AT TIME ZONE 'UTC')::date - 1
		  AND NOT EXISTS (SELECT 1 FROM muster.statistics_days d WHERE d.kind = s.kind AND d.day = s.day)
		   OR s.day > (given.now AT TIME ZONE 'UTC')::date + 1 AND s.kind <> 'CHANGES'`,
	// The clock is looked at every half minute, and counting is due within an hour.
	InvariantStatisticsLate: `
		SELECT 'due ' || to_char(s.due AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
		FROM muster.statistics_state s, given
		WHERE s.counted IS NOT NULL AND s.due < given.now - interval '1 day'`,
	// An event is counted by its position, after it was given.
	InvariantStatisticsPosition: `
		SELECT 'position ' || s.through
		FROM muster.statistics_state s, muster.event_positions p
		WHERE s.through > p.last`,
	// Somebody confirms or cancels a task that the guard holds.
	InvariantTaskHeld: `
		SELECT ` + idSQL("t.id") + `
		FROM muster.tasks t, given
		WHERE t.completed IS NULL AND t.held < given.now - interval '1 day'`,
	// A task that has ended has no parts and no text left.
	InvariantTaskPart: `
		SELECT ` + idSQL("t.id") + `
		FROM muster.tasks t
		WHERE t.completed IS NOT NULL AND (EXISTS (SELECT 1 FROM muster.task_parts p WHERE p.task_id = t.id)
		      OR EXISTS (SELECT 1 FROM muster.errand_texts x WHERE x.task_id = t.id))`,
}

// Contradicting returns the rows that contradict an invariant.
func (s *Store) Contradicting(ctx context.Context, q Querier, i Invariant, e *Examination) (Finding, error) {
	if i == InvariantTaskJob || i == InvariantDeliveryJob {
		return s.withoutJob(ctx, q, i, e)
	}
	// The entitlements of an account are the values of its marked attributes, and those of no other.
	if i == InvariantEntitlements {
		accounts, err := s.UntrueEntitlements(ctx, q, e.Marks)
		return FoundIDs(accounts), err
	}
	if i == InvariantSequence {
		behind, err := s.BehindSequences(ctx, q)
		return Found(behind), err
	}
	return s.find(ctx, q, invariants[i], e)
}

// withoutJob returns the tasks or the deliveries that did nothing for long and have no job that waits, nor one that has
// just been given to a worker. A delivery that a worker has leased has no need of one.
func (s *Store) withoutJob(ctx context.Context, q Querier, i Invariant, e *Examination) (Finding, error) {
	quiet, err := s.Quiet(ctx, q, QuietTimes{Now: e.Now, Since: e.Stalled, Stalled: e.Stalled})
	if err != nil {
		return Finding{}, err
	}
	jobs, err := s.Jobs(ctx, q, e.JobSchema, quiet, e.Now.Sub(e.Stalled))
	if err != nil {
		return Finding{}, err
	}
	var lost []string
	for k := range quiet {
		if (quiet[k].Kind != "") == (i == InvariantTaskJob) && jobs.Lost(&quiet[k]) {
			lost = append(lost, quiet[k].ID.String())
		}
	}
	return Found(lost), nil
}

// RequestContradicting requests the processing of the identities that contradict an invariant, and returns how many
// those are. The statement of the invariant must find IDs of identities.
func (s *Store) RequestContradicting(ctx context.Context, tx pgx.Tx, i Invariant, e *Examination, cause Cause) (int,
	error,
) {
	statement := s.dynamic(`
		WITH given (now, stalled) AS (SELECT $1::timestamptz, $2::timestamptz), found (id) AS (` + invariants[i] + `)
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $6::uuid, row_number() OVER (), id::uuid, $3::uuid, $4::text, $5::timestamptz FROM found`)
	tag, err := tx.Exec(ctx, statement, e.Now, e.Stalled, cause.Task, "found by the doctor: "+string(i), cause.At,
		NewID())
	return int(tag.RowsAffected()), mapError(err)
}

// idSQL returns an ID as it is shown.
func idSQL(column string) string { return `replace(` + column + `::text, '-', '')` }

// find counts the rows of a query, and names some.
func (s *Store) find(ctx context.Context, q Querier, query string, e *Examination) (Finding, error) {
	statement := s.dynamic(`
		WITH given (now, stalled) AS (SELECT $1::timestamptz, $2::timestamptz),
		     found (example) AS MATERIALIZED (` + query + `)
		SELECT (SELECT count(*) FROM found),
		       ARRAY(SELECT example FROM found ORDER BY example LIMIT ` + fmt.Sprint(ExamplesMax) + `)`)
	var f Finding
	err := q.QueryRow(ctx, statement, e.Now, e.Stalled).Scan(&f.Count, &f.Examples)
	return f, mapError(err)
}

// LimitStatements makes the server end every statement of the transaction that takes longer than limit.
func (s *Store) LimitStatements(ctx context.Context, tx pgx.Tx, limit time.Duration) error {
	_, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true)`, fmt.Sprint(limit.Milliseconds()))
	return mapError(err)
}
