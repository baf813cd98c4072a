package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// TaskCounts say what a task did.
type TaskCounts struct {
	Identities       int64 // that were processed
	Changed          int64 // identities that differed
	Errors           int64 // identities whose processing failed
	Warnings         int64 // identities with something that may not be as it was meant
	Correlated       int64 // accounts
	RolesGained      int64 // assignments
	RolesLost        int64 // assignments
	Operations       int64 // that were opened on sources
	LifecycleChanged int64 // identities that had another lifecycle state
	Deactivated      int64 // identities that are no longer active
}

// Task is what was asked for and is reported: a run of processing, or messages to send.
type Task struct {
	ID          ID
	Kind        string
	Description string
	// The actor that launched it, whose name is Launcher. Everything that is done for the task is done by this actor.
	Launcher, ActorID, ActorVia string
	// Who confirmed it and who cancelled it; empty for nobody.
	ConfirmerID, ConfirmerName, ConfirmerVia string
	CancellerID, CancellerName, CancellerVia string

	TargetType       *string
	TargetID         ID
	TargetName       *string
	Created          time.Time
	Modified         time.Time
	Launched         *time.Time
	Completed        *time.Time
	CompletionStatus *string
	Everybody        bool  // it is about all identities
	Population       int64 // how many identities the guard's limit is a share of
	CauseID          ID    // the task from which it follows; zero for itself
	Held             *time.Time
	HeldReason       *string
	Confirmed        *time.Time
	TaskCounts
	Messages  int64 // all of them, also the same about the same identity; not all are stored
	JobID     *int64
	Remaining int64 // identities and messages that the task has still to come to; only read
	// TargetIdentity is the name that the identity has which is the target; nil for another target, or where the
	// identity is gone. It is only read: the row of a task holds no names of people.
	TargetIdentity *string
	// Requested is for how many identities that may have something to lose the processing is requested, at most. It is
	// only used for a new task.
	Requested int64 `db:"-"`
}

// Actor returns who launched the task.
func (t *Task) Actor() Actor { return Actor{t.ActorID, t.Launcher, t.ActorVia} }

// LaunchedBy records who launches a new task.
func (t *Task) LaunchedBy(a Actor) { t.ActorID, t.Launcher, t.ActorVia = a.ID, a.Name, a.Via }

// Confirmer returns who confirmed the task, the zero Actor for nobody.
func (t *Task) Confirmer() Actor { return Actor{t.ConfirmerID, t.ConfirmerName, t.ConfirmerVia} }

// Canceller returns who cancelled the task, the zero Actor for nobody.
func (t *Task) Canceller() Actor { return Actor{t.CancellerID, t.CancellerName, t.CancellerVia} }

const (
	taskOwnColumns = `
	t.id, t.kind, t.description, t.launcher, t.actor_id, t.actor_via, t.confirmer_id, t.confirmer_name,
	t.confirmer_via, t.canceller_id, t.canceller_name, t.canceller_via, t.target_type, t.target_id,
	t.target_name, t.created, t.modified, t.launched, t.completed, t.completion_status, t.everybody, t.population,
	t.cause_id, t.held, t.held_reason, t.confirmed,
	t.identities, t.changed, t.errors, t.warnings, t.correlated, t.roles_gained, t.roles_lost, t.operations,
	t.lifecycle_changed, t.deactivated, t.messages, t.job_id`
	taskColumns = taskOwnColumns + `,
	CASE WHEN t.completed IS NULL THEN
	    (SELECT count(DISTINCT r.identity_id) FROM muster.refresh_requests r WHERE r.task_id = t.id) +
	    (SELECT count(*) FROM muster.notifications n WHERE n.task_id = t.id AND n.state = 'PENDING') +
	    (SELECT coalesce(sum(greatest(p.size - p.done, 0)), 0)::bigint FROM muster.task_parts p WHERE p.task_id = t.id)
	ELSE 0 END AS remaining,
	CASE WHEN t.target_type = 'IDENTITY' THEN
	    (SELECT i.name FROM muster.identities i WHERE i.id = t.target_id)
	END AS target_identity`
)

// AddTask writes a new task, which may have ended at once.
func (s *Store) AddTask(ctx context.Context, tx pgx.Tx, t *Task) error {
	const statement = `
		INSERT INTO muster.tasks (id, kind, description, launcher, target_type, target_id, target_name, created,
		       modified, everybody, population, job_id, launched, completed, completion_status,
		       actor_id, actor_via, cause_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $12, $12, $13, $14, $15, $16)`
	_, err := tx.Exec(ctx, s.sql(statement), t.ID, t.Kind, t.Description, t.Launcher, t.TargetType, t.TargetID,
		t.TargetName, t.Created, t.Everybody, t.Population, t.JobID, t.Completed, t.CompletionStatus,
		t.ActorID, t.ActorVia, t.CauseID)
	return mapError(err)
}

// SetTaskPopulation sets how many identities the guard's limit is a share of.
func (s *Store) SetTaskPopulation(ctx context.Context, tx pgx.Tx, id ID, population int64) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.tasks SET population = $2 WHERE id = $1`), id, population)
	return mapError(err)
}

// CountTaskRequests returns for how many identities the processing by a task is requested.
func (s *Store) CountTaskRequests(ctx context.Context, q Querier, task ID) (int64, error) {
	var count int64
	const statement = `SELECT count(DISTINCT identity_id) FROM muster.refresh_requests WHERE task_id = $1`
	err := q.QueryRow(ctx, s.sql(statement), task).Scan(&count)
	return count, mapError(err)
}

// CountPopulation returns how many identities there are.
func (s *Store) CountPopulation(ctx context.Context, q Querier) (int64, error) {
	var count int64
	err := q.QueryRow(ctx, s.sql(`SELECT count(*) FROM muster.identities`)).Scan(&count)
	return count, mapError(err)
}

// CountCorrelated returns how many accounts of a source have an identity.
func (s *Store) CountCorrelated(ctx context.Context, q Querier, source ID) (int64, error) {
	const statement = `SELECT count(*) FROM muster.accounts WHERE source_id = $1 AND identity_id IS NOT NULL`
	var count int64
	err := q.QueryRow(ctx, s.sql(statement), source).Scan(&count)
	return count, mapError(err)
}

// everybodySQL has the ID of each identity once. It reads refresh_state, which has a short row for each identity that
// was processed, and the requests, of which each other identity has one: the rows of identities are long, and to read
// them right after a load, before anything is vacuumed, took as long as a third of the run.
const everybodySQL = `
	SELECT identity_id AS id FROM muster.refresh_state
	UNION ALL
	SELECT DISTINCT q.identity_id FROM muster.refresh_requests q
	WHERE NOT EXISTS (SELECT 1 FROM muster.refresh_state r WHERE r.identity_id = q.identity_id)`

// AddTaskParts divides all identities, or those of a profile, into at most count parts of a task, and returns how many
// identities those are.
func (s *Store) AddTaskParts(ctx context.Context, tx pgx.Tx, task, profile ID, count int) (int64, error) {
	const statement = `
		, whole AS (
		    SELECT count(*) AS size, greatest(ceil(count(*)::numeric / $2::int)::bigint, 1) AS step FROM divided
		), bounds AS (
		    SELECT n.id AS last_id, n.number
		    FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM divided) n, whole w
		    WHERE n.number % w.step = 0 OR n.number = w.size
		), parts AS (
		    INSERT INTO muster.task_parts (task_id, part, after_id, last_id, profile_id, size)
		    SELECT $1, row_number() OVER w, lag(last_id) OVER w,
		           CASE WHEN lead(last_id) OVER w IS NOT NULL THEN last_id END, $3,
		           number - coalesce(lag(number) OVER w, 0)
		    FROM bounds
		    WINDOW w AS (ORDER BY number)
		    RETURNING size
		)
		SELECT coalesce(sum(size), 0)::bigint FROM parts`
	divided := everybodySQL
	if !profile.IsZero() {
		divided = `SELECT id FROM muster.identities WHERE profile_id = $3::uuid`
	}
	var total int64
	err := tx.QueryRow(ctx, s.sql(`WITH divided AS NOT MATERIALIZED (`+divided+`)`+statement), task, count, profile).
		Scan(&total)
	return total, mapError(err)
}

// TaskPart is a range of identities that one worker processes, or of requests that it surveys.
type TaskPart struct {
	Part      int
	AfterID   ID // exclusive; zero from the start
	LastID    ID // inclusive; zero to the end
	ProfileID ID // zero for all
	// Survey says that the guard looks at the identities before the first batch of the task is written. RequestID is
	// the statement of the requests of such a part, between AfterNumber, exclusive, and LastNumber, inclusive; it is
	// zero for a range of identities.
	Survey      bool
	RequestID   ID
	AfterNumber *int32
	LastNumber  *int32
}

const partColumns = `part, after_id, last_id, profile_id, survey, request_id, after_number, last_number`

// ClaimTaskPart locks the first part of a task that no other worker has locked, FOR UPDATE until the transaction ends.
// It returns [ErrNotFound] when there is none.
func (s *Store) ClaimTaskPart(ctx context.Context, tx pgx.Tx, task ID) (TaskPart, error) {
	const statement = `
		SELECT ` + partColumns + `
		FROM muster.task_parts
		WHERE task_id = $1
		ORDER BY part
		LIMIT 1
		FOR UPDATE SKIP LOCKED`
	rows, err := tx.Query(ctx, s.sql(statement), task)
	if err != nil {
		return TaskPart{}, mapError(err)
	}
	part, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[TaskPart])
	return part, mapError(err)
}

// PartIdentities returns the next identities of a part, by ID. It reads them in the order of the index, and not all of
// the part at each page.
func (s *Store) PartIdentities(ctx context.Context, tx pgx.Tx, part *TaskPart, limit int) ([]ID, error) {
	const statement = `
		SELECT id
		FROM muster.identities
		WHERE id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')
		  AND id <= coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
		  AND ($3::uuid IS NULL OR profile_id = $3)
		ORDER BY id
		LIMIT $4`
	return collectOrdered(ctx, tx, s.sql(statement), pgx.RowTo[ID], part.AfterID, part.LastID, part.ProfileID, limit)
}

// TaskParts returns the ranges of identities of a task that are not done.
func (s *Store) TaskParts(ctx context.Context, q Querier, task ID) ([]TaskPart, error) {
	const statement = `
		SELECT ` + partColumns + ` FROM muster.task_parts
		WHERE task_id = $1 AND request_id IS NULL
		ORDER BY part`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[TaskPart], task)
}

// TaskIdentities returns the identities whose processing by a task is requested, by ID, after a given one.
func (s *Store) TaskIdentities(ctx context.Context, q Querier, task, after ID, limit int) ([]ID, error) {
	const statement = `
		SELECT DISTINCT identity_id
		FROM muster.refresh_requests
		WHERE task_id = $1 AND ($2::uuid IS NULL OR identity_id > $2)
		ORDER BY identity_id
		LIMIT $3`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID], task, after, limit)
}

// AdvanceTaskPart moves the cursor of a part. The zero ID ends the part.
func (s *Store) AdvanceTaskPart(ctx context.Context, tx pgx.Tx, task ID, part int, after ID, done int) error {
	if after.IsZero() {
		_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.task_parts WHERE task_id = $1 AND part = $2`), task, part)
		return mapError(err)
	}
	const statement = `
		UPDATE muster.task_parts SET after_id = $3, done = done + $4 WHERE task_id = $1 AND part = $2`
	_, err := tx.Exec(ctx, s.sql(statement), task, part, after, done)
	return mapError(err)
}

// TaskAdvance is what a batch did for a task.
type TaskAdvance struct {
	Task     ID
	Counts   TaskCounts
	Messages int64 // how many there are
	// Began is when the batch began, and the task too if it is the first one. The zero time is that of the advance.
	Began time.Time
}

// countColumns are the columns of [TaskCounts].
var countColumns = columns[TaskCounts]{
	readColumn("identities", func(c *TaskCounts) *int64 { return &c.Identities }),
	readColumn("changed", func(c *TaskCounts) *int64 { return &c.Changed }),
	readColumn("errors", func(c *TaskCounts) *int64 { return &c.Errors }),
	readColumn("warnings", func(c *TaskCounts) *int64 { return &c.Warnings }),
	readColumn("correlated", func(c *TaskCounts) *int64 { return &c.Correlated }),
	readColumn("roles_gained", func(c *TaskCounts) *int64 { return &c.RolesGained }),
	readColumn("roles_lost", func(c *TaskCounts) *int64 { return &c.RolesLost }),
	readColumn("operations", func(c *TaskCounts) *int64 { return &c.Operations }),
	readColumn("lifecycle_changed", func(c *TaskCounts) *int64 { return &c.LifecycleChanged }),
	readColumn("deactivated", func(c *TaskCounts) *int64 { return &c.Deactivated }),
}

var advanceTask = taskAdvance()

// taskAdvance returns the statement that adds to what a task did. Its parameters from $5 on are the counts.
func taskAdvance() string {
	var counts strings.Builder
	for i := range countColumns {
		name := countColumns[i].sql
		counts.WriteString(`, ` + name + ` = ` + name + ` + ` + parameter(i+5))
	}
	return `
		UPDATE muster.tasks
		SET launched = coalesce(launched, $4), modified = greatest(modified, $2), messages = messages + $3` +
		counts.String() + `
		WHERE id = $1 AND completed IS NULL AND held IS NULL
		RETURNING population, confirmed IS NOT NULL`
}

func (a *TaskAdvance) arguments(now time.Time) []any {
	began := a.Began
	if began.IsZero() {
		began = now
	}
	arguments := make([]any, 0, 4+len(countColumns))
	arguments = append(arguments, a.Task, now, a.Messages, began)
	for i := range countColumns {
		arguments = append(arguments, *countColumns[i].target(&a.Counts).(*int64))
	}
	return arguments
}

// AdvanceTask locks a task, which it updates, until the transaction ends, and adds to its counts. It returns
// [ErrNotFound] when the task has ended or is held.
func (s *Store) AdvanceTask(ctx context.Context, tx pgx.Tx, advance *TaskAdvance, now time.Time) error {
	var g TaskGuard
	return mapError(g.scan(tx.QueryRow(ctx, s.sql(advanceTask), advance.arguments(now)...)))
}

// Advance is what a batch did for its tasks.
type Advance struct {
	Tasks []TaskAdvance // by ID
	// Losses are what is added to sums, of which no two have the same key, and Causes those whose sums are returned.
	Losses []LossSum
	Causes []LossCause
	// Surveyed is the task a part of which was surveyed; zero for none.
	Surveyed ID
	Now      time.Time
	// Lazily says that the commit does not wait for the disk. A crash of the server may then undo the whole
	// transaction, with those that came after it.
	Lazily bool
}

// Advanced is how far the tasks of a batch are.
type Advanced struct {
	Guards []TaskGuard // of the tasks
	Sums   []LossSum   // of the causes, with what was added
	Ended  []EndedTask
	// Surveying is how many parts of the task Surveyed are still to be surveyed. As the task is locked before they are
	// counted, one of several workers finds none.
	Surveying int
}

// AdvanceTasks locks the tasks of a batch, which it updates one after another, until the transaction ends, so they must
// be ordered by ID, and then the sums of losses. It adds what the batch did to them, and returns what the guard looks
// at. Then it ends the tasks of which nothing is left, and returns them. It returns [ErrNotFound] when one of the tasks
// has ended or is held. Other batches of the tasks and causes wait with their commit, so a batch calls it last.
func (s *Store) AdvanceTasks(ctx context.Context, tx pgx.Tx, a *Advance) (Advanced, error) {
	var batch pgx.Batch
	if a.Lazily {
		batch.Queue(`SET LOCAL synchronous_commit = off`)
	}
	done := Advanced{Guards: make([]TaskGuard, len(a.Tasks))}
	tasks := make([]ID, len(a.Tasks))
	for i := range a.Tasks {
		tasks[i] = a.Tasks[i].Task
		batch.Queue(s.sql(advanceTask), a.Tasks[i].arguments(a.Now)...).QueryRow(done.Guards[i].scan)
	}
	if len(a.Losses) > 0 {
		batch.Queue(s.sql(addLosses), lossArguments(a.Losses, a.Now)...)
	}
	if len(a.Causes) > 0 {
		queueRows(&batch, s.sql(lossesOf), scanLoss, &done.Sums, causeIDs(a.Causes))
	}
	if !a.Surveyed.IsZero() {
		const surveying = `SELECT count(*) FROM muster.task_parts WHERE task_id = $1 AND survey`
		batch.Queue(s.sql(surveying), a.Surveyed).QueryRow(func(row pgx.Row) error { return row.Scan(&done.Surveying) })
	}
	queueRows(&batch, s.sql(endTasksWithoutWork), pgx.RowToStructByPos[EndedTask], &done.Ended, tasks, a.Now)
	err := tx.SendBatch(ctx, &batch).Close()
	return done, mapError(err)
}

// TaskGuard is what the guard looks at in a task.
type TaskGuard struct {
	Population int64
	Confirmed  bool
}

func (g *TaskGuard) scan(row pgx.Row) error { return row.Scan(&g.Population, &g.Confirmed) }

// FindTask returns a task, or [ErrNotFound].
func (s *Store) FindTask(ctx context.Context, q Querier, id ID) (Task, error) {
	return s.oneTask(ctx, q, `SELECT `+taskColumns+` FROM muster.tasks t WHERE t.id = $1`, id)
}

func (s *Store) oneTask(ctx context.Context, q Querier, statement string, id ID) (Task, error) {
	tasks, err := collect(ctx, q, s.sql(statement), pgx.RowToStructByName[Task], id)
	if err == nil && len(tasks) == 0 {
		return Task{}, ErrNotFound
	}
	if err != nil {
		return Task{}, err
	}
	return tasks[0], nil
}

// TasksByID returns those of the tasks that are there.
func (s *Store) TasksByID(ctx context.Context, q Querier, ids []ID) ([]Task, error) {
	const statement = `SELECT ` + taskColumns + ` FROM muster.tasks t WHERE t.id = ANY ($1) ORDER BY t.id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[Task], ids)
}

// Tasks returns the tasks created since a time, the latest first, or only those that have not ended.
func (s *Store) Tasks(ctx context.Context, q Querier, since time.Time, pending bool, limit, offset int) ([]Task,
	error,
) {
	const statement = `
		SELECT ` + taskColumns + `
		FROM muster.tasks t
		WHERE t.created >= $1 AND (NOT $2 OR t.completed IS NULL)
		ORDER BY t.created DESC, t.id DESC
		LIMIT $3 OFFSET $4`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[Task], since, pending, limit, offset)
}

// CountTasks returns how many tasks [Store.Tasks] would return without a limit.
func (s *Store) CountTasks(ctx context.Context, q Querier, since time.Time, pending bool) (int, error) {
	const statement = `
		SELECT count(*)
		FROM muster.tasks t
		WHERE t.created >= $1 AND (NOT $2 OR t.completed IS NULL)`
	var count int
	err := q.QueryRow(ctx, s.sql(statement), since, pending).Scan(&count)
	return count, mapError(err)
}

// LockWaitingTask locks the requests of a task FOR UPDATE until the transaction ends, which keeps the task from
// beginning, and returns the task. It is one that an actor launched since a time to process exactly these identities
// for a reason, and that has not begun. It returns [ErrNotFound] when there is none, or another worker has locked a
// request of it.
func (s *Store) LockWaitingTask(ctx context.Context, tx pgx.Tx, identities []ID, reason string, since time.Time,
	actor Actor,
) (Task, error) {
	const candidate = `
		SELECT t.id
		FROM muster.tasks t
		WHERE t.created >= $1 AND t.completed IS NULL AND t.launched IS NULL AND t.population = cardinality($2::uuid[])
		  AND t.actor_id = $4 AND t.launcher = $5 AND t.actor_via = $6
		  AND (SELECT array_agg(r.identity_id ORDER BY r.identity_id)
		       FROM muster.refresh_requests r
		       WHERE r.task_id = t.id AND r.reason = $3) = (SELECT array_agg(id ORDER BY id) FROM unnest($2::uuid[]) id)
		ORDER BY t.id
		LIMIT 1`
	var task ID
	err := tx.QueryRow(ctx, s.sql(candidate), since, identities, reason, actor.ID, actor.Name, actor.Via).Scan(&task)
	if err != nil {
		return Task{}, mapError(err)
	}
	// A batch that has begun has locked its requests.
	const waiting = `
		SELECT identity_id
		FROM muster.refresh_requests
		WHERE task_id = $1 AND reason = $2
		FOR UPDATE SKIP LOCKED`
	locked, err := collect(ctx, tx, s.sql(waiting), pgx.RowTo[ID], task, reason)
	if err == nil && len(locked) < len(identities) {
		err = ErrNotFound
	}
	if err != nil {
		return Task{}, err
	}
	return s.FindTask(ctx, tx, task)
}

// TaskOrigin is what a batch has to know of a task that it works for.
type TaskOrigin struct {
	Actor Actor // who launched it
	Cause ID    // the task from which it follows, itself for most
	// Confirmed says that somebody lets it do all.
	Confirmed bool
}

// TaskOrigins returns the origins of tasks, by task. Tasks that do not exist are left out.
func (s *Store) TaskOrigins(ctx context.Context, q Querier, tasks []ID) (map[ID]TaskOrigin, error) {
	const statement = `
		SELECT id, actor_id, launcher, actor_via, coalesce(cause_id, id), confirmed IS NOT NULL
		FROM muster.tasks
		WHERE id = ANY ($1)`
	rows, err := q.Query(ctx, s.sql(statement), tasks)
	if err != nil {
		return nil, mapError(err)
	}
	origins := make(map[ID]TaskOrigin, len(tasks))
	var id ID
	var o TaskOrigin
	_, err = pgx.ForEachRow(rows, []any{&id, &o.Actor.ID, &o.Actor.Name, &o.Actor.Via, &o.Cause, &o.Confirmed},
		func() error {
			origins[id] = o
			return nil
		})
	return origins, mapError(err)
}

// OpenTasks returns the tasks that process identities, have not ended and are not held, the oldest first.
func (s *Store) OpenTasks(ctx context.Context, q Querier) ([]ID, error) {
	const statement = `
		SELECT id FROM muster.tasks
		WHERE completed IS NULL AND held IS NULL AND kind = 'IDENTITY_REFRESH'
		ORDER BY created, id`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID])
}

// LockTask locks a task FOR UPDATE until the transaction ends and returns it, or [ErrNotFound]. It does not count what
// remains of the task: a worker that waits for others locks it over and over.
func (s *Store) LockTask(ctx context.Context, tx pgx.Tx, id ID) (Task, error) {
	return s.oneTask(ctx, tx, `SELECT `+taskOwnColumns+`, 0::bigint AS remaining, NULL::text AS target_identity
		FROM muster.tasks t WHERE t.id = $1 FOR UPDATE`, id)
}

// EndedTask is a task that has ended.
type EndedTask struct {
	ID        ID
	Everybody bool
	Created   time.Time
	JobID     *int64
}

// endTasksWithoutWork looks for one row of each: the plan of an anti-join may read all requests of a task, which can be
// as many as there are identities.
const endTasksWithoutWork = `
	UPDATE muster.tasks t
	SET completed = $2, modified = $2, launched = coalesce(t.launched, $2),
	    completion_status = CASE WHEN t.errors + t.warnings > 0 THEN 'WARNING' ELSE 'SUCCESS' END
	WHERE t.id = ANY ($1) AND t.completed IS NULL AND t.held IS NULL
	  AND (SELECT r.number FROM muster.refresh_requests r WHERE r.task_id = t.id LIMIT 1) IS NULL
	  AND (SELECT p.part FROM muster.task_parts p WHERE p.task_id = t.id LIMIT 1) IS NULL
	RETURNING t.id, t.everybody, t.created, t.job_id`

// EndTasksWithoutWork ends those of the tasks, which must be locked, that have no requests and no parts left, and
// returns them.
func (s *Store) EndTasksWithoutWork(ctx context.Context, tx pgx.Tx, tasks []ID, now time.Time) ([]EndedTask, error) {
	return collect(ctx, tx, s.sql(endTasksWithoutWork), pgx.RowToStructByPos[EndedTask], tasks, now)
}

// EndTask locks a task, which it updates, until the transaction ends, and ends it with a completion status. canceller
// is who cancelled it, the zero Actor for nobody. It returns [ErrNotFound] when the task has ended already. The parts
// and requests that the task did not come to stay.
func (s *Store) EndTask(ctx context.Context, tx pgx.Tx, id ID, status string, canceller Actor, now time.Time) error {
	const statement = `
		UPDATE muster.tasks
		SET completed = $3, completion_status = $2, launched = coalesce(launched, $3), modified = $3, held = NULL,
		    canceller_id = $4, canceller_name = $5, canceller_via = $6
		WHERE id = $1 AND completed IS NULL`
	tag, err := tx.Exec(ctx, s.sql(statement), id, status, now, canceller.ID, canceller.Name, canceller.Via)
	return oneRow(tag, err)
}

// DropTaskParts removes the parts of a task that has ended.
func (s *Store) DropTaskParts(ctx context.Context, tx pgx.Tx, id ID) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.task_parts WHERE task_id = $1`), id)
	return mapError(err)
}

// HoldTask holds an open task until it is confirmed.
func (s *Store) HoldTask(ctx context.Context, tx pgx.Tx, id ID, reason string, now time.Time) error {
	const statement = `
		UPDATE muster.tasks
		SET held = $3, held_reason = $2, modified = $3, launched = coalesce(launched, $3)
		WHERE id = $1 AND completed IS NULL AND held IS NULL AND confirmed IS NULL`
	_, err := tx.Exec(ctx, s.sql(statement), id, reason, now)
	return mapError(err)
}

// ConfirmTask confirms a task that is held, so that it goes on. It returns [ErrNotFound] when the task is not held.
func (s *Store) ConfirmTask(ctx context.Context, tx pgx.Tx, id ID, confirmer Actor, now time.Time) error {
	const statement = `
		UPDATE muster.tasks
		SET held = NULL, confirmed = $2, modified = $2, confirmer_id = $3, confirmer_name = $4, confirmer_via = $5
		WHERE id = $1 AND completed IS NULL AND held IS NOT NULL`
	tag, err := tx.Exec(ctx, s.sql(statement), id, now, confirmer.ID, confirmer.Name, confirmer.Via)
	return oneRow(tag, err)
}

// SetTaskJob records the job that carries a task out.
func (s *Store) SetTaskJob(ctx context.Context, tx pgx.Tx, id ID, job int64, now time.Time) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.tasks SET job_id = $2, modified = $3 WHERE id = $1`), id, job, now)
	return mapError(err)
}

// ForsakenTasks returns the tasks that ended and left requests or parts.
func (s *Store) ForsakenTasks(ctx context.Context, q Querier) ([]ID, error) {
	return collect(ctx, q, s.sql(forsakenTasks), pgx.RowTo[ID])
}

// forsakenTasks steps from one task that has requests to the next, since one task can have as many requests as there
// are identities. Tasks with parts are few, and each has few parts.
const forsakenTasks = `
	WITH RECURSIVE requested AS (
	    (SELECT task_id FROM muster.refresh_requests ORDER BY task_id LIMIT 1)
	    UNION ALL
	    SELECT (SELECT r.task_id FROM muster.refresh_requests r WHERE r.task_id > q.task_id ORDER BY r.task_id LIMIT 1)
	    FROM requested q
	    WHERE q.task_id IS NOT NULL
	)
	SELECT t.id
	FROM muster.tasks t
	WHERE t.id IN (SELECT task_id FROM requested UNION SELECT task_id FROM muster.task_parts)
	  AND t.completion_status IN ('TERMINATED', 'ERROR')`

// DeleteTasks removes the tasks that ended before a time, with their messages, and the sums of losses that nothing was
// added to since. The tasks were created before it too, and an index finds them by that.
func (s *Store) DeleteTasks(ctx context.Context, tx pgx.Tx, before time.Time) error {
	var batch pgx.Batch
	batch.Queue(s.sql(`DELETE FROM muster.tasks WHERE created < $1 AND completed < $1`), before)
	batch.Queue(s.sql(deleteLosses), before)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}
