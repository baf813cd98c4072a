package task

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// BulkMin is the least number of identities of a large task, whose job goes to the queue for long runs.
const BulkMin = 10_000

// Launch writes a task and the job that carries it out, in the transaction that made its requests. It fills in the ID,
// the times, the actor, the kind and the job.
func (l *Ledger) Launch(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task) error {
	return l.LaunchAt(ctx, tx, cause, row, time.Time{})
}

// LaunchAt is [Ledger.Launch] with a scheduled job. The zero time means at once.
func (l *Ledger) LaunchAt(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task, at time.Time) error {
	begin(row, cause)
	job, err := l.insertJobAt(ctx, tx, row.ID, row.Everybody || row.Population >= BulkMin, at)
	if err != nil {
		return err
	}
	row.JobID = &job
	return l.Store.AddTask(ctx, tx, row)
}

// AddEnded writes a task that has ended at once, with success, because there is nothing to do. It has no job.
func (l *Ledger) AddEnded(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task) error {
	begin(row, cause)
	row.Completed, row.CompletionStatus = &cause.At, store.NullText(StatusSuccess)
	return l.Store.AddTask(ctx, tx, row)
}

// begin fills in what the cause says of a new task.
func begin(row *store.Task, cause store.Cause) {
	row.ID, row.Created, row.Modified, row.Kind = cause.Task, cause.At, cause.At, TaskIdentityRefresh
	row.LaunchedBy(cause.Actor)
}

// LaunchRequested launches the task of a cause, unless no identity is requested for it: then the ID is "". It returns
// for how many identities processing is requested. The guard's limit is a share of what population returns, or of the
// requested identities where population is nil. population is called only where its result can matter.
func (l *Ledger) LaunchRequested(ctx context.Context, tx pgx.Tx, cause store.Cause, description string,
	population func() (int64, error),
) (id string, requested int, err error) {
	count, err := l.Store.CountTaskRequests(ctx, tx, cause.Task)
	if err != nil || count == 0 {
		return "", 0, err
	}
	task := &store.Task{Description: description, Population: count}
	if population != nil && count > int64(l.Guard.Minimum) {
		if task.Population, err = population(); err != nil {
			return "", 0, err
		}
	}
	return cause.Task.String(), int(count), l.Launch(ctx, tx, cause, task)
}

// ProcessOne requests the processing of one identity and launches a task for it. The reason of the request is the
// description of the task, with a small initial.
func (l *Ledger) ProcessOne(ctx context.Context, tx pgx.Tx, identity store.ID, description string,
	cause store.Cause,
) error {
	reason := strings.ToLower(description[:1]) + description[1:]
	if err := l.Store.RequestRefresh(ctx, tx, []store.ID{identity}, reason, cause); err != nil {
		return err
	}
	return l.Launch(ctx, tx, cause, &store.Task{Description: description, Population: 1,
		TargetType: store.NullText("IDENTITY"), TargetID: identity})
}
