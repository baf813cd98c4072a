package task

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

const (
	// StalledAfter is how long a task or a delivery may do nothing while its job runs, before another job is made for
	// it: the worker is gone. It is longer than a turn.
	StalledAfter = time.Minute
	// LostAfter is how long a task or a delivery may be without a job. It commits with its job, but where the two are
	// on different servers the job may be visible a little later.
	LostAfter = 3 * time.Second
)

// Quiet returns the times by which [Ledger.Requeue] decides now.
func (l *Ledger) Quiet() store.QuietTimes {
	now := l.Now()
	return store.QuietTimes{Now: now, Since: now.Add(-LostAfter), Stalled: now.Add(-StalledAfter)}
}

// RequeueLost looks for tasks and deliveries that nobody will carry out, and gives them another job, in a transaction
// of its own. It returns how many these are. Where all do something, as nearly always, it takes one round trip, and no
// lock.
func (l *Ledger) RequeueLost(ctx context.Context) (int, error) {
	at := l.Quiet()
	quiet, err := l.Store.Quiet(ctx, l.Pool, at)
	if err != nil {
		return 0, err
	}
	return l.RequeueLostOf(ctx, quiet, at)
}

// RequeueLostOf is [Ledger.RequeueLost] for those that [store.Store.Quiet] found at these times.
func (l *Ledger) RequeueLostOf(ctx context.Context, quiet []store.Carried, at store.QuietTimes) (count int, err error) {
	lost, err := l.lost(ctx, l.Pool, quiet, at)
	if err != nil || len(lost) == 0 {
		return 0, err
	}
	err = l.InTx(ctx, func(tx pgx.Tx) (err error) {
		count, err = l.requeue(ctx, tx, lost, at)
		return err
	})
	if err == nil && count > 0 {
		l.Logger.InfoContext(ctx, "what had lost its job or its worker got another job", "count", count)
	}
	return count, err
}

// Requeue is [Ledger.RequeueLost] in a transaction of the caller's.
func (l *Ledger) Requeue(ctx context.Context, tx pgx.Tx, at store.QuietTimes) (int, error) {
	quiet, err := l.Store.Quiet(ctx, tx, at)
	if err != nil {
		return 0, err
	}
	lost, err := l.lost(ctx, tx, quiet, at)
	if err != nil {
		return 0, err
	}
	return l.requeue(ctx, tx, lost, at)
}

// lost returns those of the tasks and deliveries that nobody will carry out: their job is not there or has ended, or it
// was given to a worker long ago and nothing happened since. The jobs are read after the tasks: a task may have ended
// with its job in between, so only the lock of the task tells.
func (l *Ledger) lost(ctx context.Context, q store.Querier, quiet []store.Carried, at store.QuietTimes) (
	lost []store.Carried, err error,
) {
	jobs, err := l.Store.Jobs(ctx, q, l.JobSchema, quiet, at.Now.Sub(at.Stalled))
	if err != nil {
		return nil, err
	}
	for i := range quiet {
		if jobs.Lost(&quiet[i]) {
			lost = append(lost, quiet[i])
		}
	}
	return lost, nil
}

// requeue gives another job to those that are still lost when they are locked. Of two callers one makes the job: the
// other one skips the rows, or finds that they name a new job or did something. What ends or advances a task needs the
// lock too, so its job cannot end in good order before the commit.
func (l *Ledger) requeue(ctx context.Context, tx pgx.Tx, lost []store.Carried, at store.QuietTimes) (int, error) {
	var tasks, deliveries []store.ID
	for i := range lost {
		if lost[i].Kind != "" {
			tasks = append(tasks, lost[i].ID)
		} else {
			deliveries = append(deliveries, lost[i].ID)
		}
	}
	// Deliveries come before tasks in the order of locks.
	count, err := l.requeueLocked(ctx, tx, deliveries, at, l.Store.LockQuietDeliveries)
	if err != nil {
		return 0, err
	}
	more, err := l.requeueLocked(ctx, tx, tasks, at, l.Store.LockQuietTasks)
	return count + more, err
}

// requeueLocked locks tasks or deliveries, and gives another job to those that are still lost.
func (l *Ledger) requeueLocked(ctx context.Context, tx pgx.Tx, ids []store.ID, at store.QuietTimes,
	lock func(context.Context, pgx.Tx, []store.ID, store.QuietTimes) ([]store.Carried, error),
) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	locked, err := lock(ctx, tx, ids, at)
	if err != nil {
		return 0, err
	}
	lost, err := l.lost(ctx, tx, locked, at)
	if err != nil {
		return 0, err
	}
	for i := range lost {
		if err := l.renewJob(ctx, tx, &lost[i], at.Now); err != nil {
			return 0, err
		}
	}
	return len(lost), nil
}

// renewJob writes another job for a task or a delivery, which names it from then on.
func (l *Ledger) renewJob(ctx context.Context, tx pgx.Tx, c *store.Carried, now time.Time) error {
	var job int64
	var err error
	if c.Kind == "" {
		job, err = l.insertDelivery(ctx, tx, c.ID)
	} else {
		job, err = l.InsertJobOf(ctx, tx, &store.Task{ID: c.ID, Kind: c.Kind})
	}
	if err != nil {
		return err
	}
	if c.Kind == "" {
		return l.Store.SetDeliveryJob(ctx, tx, c.ID, job)
	}
	return l.Store.SetTaskJob(ctx, tx, c.ID, job, now)
}
