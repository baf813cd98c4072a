package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// No statement names both the data schema and the job schema, so that the two may be on different servers. What is
// asked of both takes two statements, one after the other, and neither sees the other's snapshot. A row and its job
// commit together, but on two servers one of them can be seen before the other.

// withJobs puts the schema of the jobs into a statement, which names it as {jobs}.
func withJobs(statement, jobSchema string) string {
	return strings.ReplaceAll(statement, "{jobs}", jobSchema)
}

// Carried is a task that is open and not held, or a delivery that is not done and that nobody has leased. A job is to
// carry it out.
type Carried struct {
	ID      ID
	Kind    string // of the task, "" for a delivery
	JobID   *int64
	Stalled bool // it did nothing for long: a job that is not waiting may have lost its worker
}

// QuietTimes are the times by which [Store.Quiet] decides. A time that is far in the future counts as long ago: it was
// taken from a clock that was ahead.
type QuietTimes struct {
	Now     time.Time
	Since   time.Time // what did something after it is not looked at: its job may not be visible yet
	Stalled time.Time // what did nothing since has stalled
}

// quietMost is how many tasks, and how many deliveries, one look finds at most. Those that are younger than so many are
// behind them in the queue.
const quietMost = 5000

const (
	quietTask = `t.completed IS NULL AND t.held IS NULL
		  AND t.modified NOT BETWEEN $2 AND $1::timestamptz + ` + leaseMost
	quietTasks = `
		SELECT t.id, t.kind, t.job_id, t.modified NOT BETWEEN $3 AND $1::timestamptz + ` + leaseMost + `
		FROM muster.tasks t
		WHERE ` + quietTask
	quietDelivery = `b.created NOT BETWEEN $2 AND $1::timestamptz + ` + leaseMost + `
		  AND (b.leased IS NULL OR b.leased NOT BETWEEN $1 AND $1::timestamptz + ` + leaseMost + `)`
	quietDeliveries = `
		SELECT b.id, '', b.job_id, b.created NOT BETWEEN $3 AND $1::timestamptz + ` + leaseMost + `
		FROM muster.provisioning_batches b
		WHERE ` + quietDelivery
)

// Quiet returns the tasks and deliveries that did nothing since a time, the oldest first, in one round trip and without
// a lock. [Store.Jobs] tells which of them have a job.
func (s *Store) Quiet(ctx context.Context, q Querier, at QuietTimes) ([]Carried, error) {
	var batch pgx.Batch
	var found []Carried
	s.queueQuiet(&batch, at, &found)
	return found, mapError(q.SendBatch(ctx, &batch).Close())
}

// queueQuiet adds the two statements of [Store.Quiet] to a batch.
func (s *Store) queueQuiet(batch *pgx.Batch, at QuietTimes, found *[]Carried) {
	read := func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Carried])
		*found = append(*found, list...)
		return err
	}
	batch.Queue(s.sql(quietTasks+` ORDER BY t.id LIMIT $4`), at.Now, at.Since, at.Stalled, quietMost).Query(read)
	batch.Queue(s.sql(quietDeliveries+` ORDER BY b.id LIMIT $4`), at.Now, at.Since, at.Stalled, quietMost).Query(read)
}

// LockQuietTasks locks those of the tasks that are still quiet, by ID and FOR UPDATE, until the transaction ends, skips
// those that another transaction has locked, and returns them.
func (s *Store) LockQuietTasks(ctx context.Context, tx pgx.Tx, ids []ID, at QuietTimes) ([]Carried, error) {
	const statement = quietTasks + ` AND t.id = ANY ($4) ORDER BY t.id FOR UPDATE SKIP LOCKED`
	return collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[Carried], at.Now, at.Since, at.Stalled, ids)
}

// LockQuietDeliveries locks those of the deliveries that are still quiet, by ID and FOR UPDATE, until the transaction
// ends, skips those that another transaction has locked, and returns them.
func (s *Store) LockQuietDeliveries(ctx context.Context, tx pgx.Tx, ids []ID, at QuietTimes) ([]Carried, error) {
	const statement = quietDeliveries + ` AND b.id = ANY ($4) ORDER BY b.id FOR UPDATE SKIP LOCKED`
	return collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[Carried], at.Now, at.Since, at.Stalled, ids)
}

// Jobs are those of several tasks and deliveries. A job that is not there was done and forgotten, or was deleted.
type Jobs map[int64]JobState

// JobState says how far a job is.
type JobState struct {
	Waits bool // for a worker, or for its time
	Runs  bool
	// Long says that it was given to its worker long ago.
	Long bool
}

// Lost reports whether nobody will carry something out: its job is not there, has ended, or was given to a worker long
// ago while it has stalled.
func (j Jobs) Lost(c *Carried) bool {
	if c.JobID == nil {
		return true
	}
	job := j[*c.JobID]
	return !job.Waits && (!job.Runs || c.Stalled && job.Long)
}

// Jobs returns the jobs that are to carry something out. Long is how long a job may be with its worker. The clock is
// the queue's own.
func (s *Store) Jobs(ctx context.Context, q Querier, jobSchema string, carried []Carried, long time.Duration) (Jobs,
	error,
) {
	var ids []int64
	for i := range carried {
		if carried[i].JobID != nil {
			ids = append(ids, *carried[i].JobID)
		}
	}
	jobs := Jobs{}
	if len(ids) == 0 {
		return jobs, nil
	}
	const statement = `
		SELECT id, state IN ('available', 'pending', 'retryable', 'scheduled'), state = 'running',
		       coalesce(attempted_at < now() - $2::interval, true)
		FROM {jobs}.river_job
		WHERE id = ANY ($1)`
	rows, err := q.Query(ctx, withJobs(statement, jobSchema), ids, long)
	if err != nil {
		return nil, mapError(err)
	}
	var id int64
	var job JobState
	_, err = pgx.ForEachRow(rows, []any{&id, &job.Waits, &job.Runs, &job.Long}, func() error {
		jobs[id] = job
		return nil
	})
	return jobs, mapError(err)
}

// NextTasks returns the tasks of the jobs of a kind that a queue gives to workers next, at most limit. It locks
// nothing: the jobs stay where they are.
func (s *Store) NextTasks(ctx context.Context, q Querier, jobSchema, queue, kind string, limit int) ([]ID, error) {
	const statement = `
		SELECT (args ->> 'task')::uuid
		FROM {jobs}.river_job
		WHERE state = 'available' AND queue = $1 AND kind = $2
		ORDER BY priority, scheduled_at, id
		LIMIT $3`
	return collect(ctx, q, withJobs(statement, jobSchema), pgx.RowTo[ID], queue, kind, limit)
}
