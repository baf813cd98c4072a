package task

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// BulkMin is the least number of identities of a large task, whose job goes to the queue for long runs.
const BulkMin = 10_000

// Launch writes a task and the job that carries it out, in the transaction that made its requests. It fills in the ID,
// the times, the actor, the kind and the job.
func (l *Ledger) Launch(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task) error {
	return l.LaunchAt(ctx, tx, cause, row, time.Time{})
}

// LaunchAt is [Ledger.Launch] with a scheduled job. The zero time means at once. Where the task may take away more than
// the guard allows, and has more requests than one batch, it is surveyed first.
func (l *Ledger) LaunchAt(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task, at time.Time) error {
	begin(row, cause)
	job, err := l.insertJobAt(ctx, tx, row.ID, row.Everybody || row.Population >= BulkMin, at)
	if err != nil {
		return err
	}
	row.JobID = &job
	if err := l.Store.AddTask(ctx, tx, row); err != nil {
		return err
	}
	return l.surveyRequests(ctx, tx, row)
}

// surveyRequests has the requests of a new task surveyed before its first batch is written. It does not where the guard
// cannot hold the task: one batch is judged before it commits, few can lose little, and who was never calculated before
// has nothing to lose.
func (l *Ledger) surveyRequests(ctx context.Context, tx pgx.Tx, row *store.Task) error {
	if row.Requested <= int64(l.BatchSize) {
		return nil
	}
	settings, err := l.SettingsIn(ctx, tx)
	if err != nil || settings.Guard.Off {
		return err
	}
	limit := settings.Guard.Limit(row.Population)
	if row.Requested <= limit {
		return nil
	}
	count, err := l.Store.CountCalculatedRequests(ctx, tx, row.ID, limit+1)
	if err != nil || count <= limit {
		return err
	}
	return l.Store.AddSurvey(ctx, tx, row.ID, l.BatchSize)
}

// SurveyParts has the parts of a new task, which are about all identities or those of a profile, surveyed before its
// first batch is written, unless few of them have something to lose.
func (l *Ledger) SurveyParts(ctx context.Context, tx pgx.Tx, guard configuration.Guard, task, profile store.ID,
	population int64,
) error {
	limit := guard.Limit(population)
	if guard.Off || population <= limit {
		return nil
	}
	count, err := l.Store.CountCalculated(ctx, tx, profile, limit+1)
	if err != nil || count <= limit {
		return err
	}
	return l.Store.SurveyParts(ctx, tx, task)
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
// requested identities where population is nil. population gets the number of the requested identities, since where the
// guard's minimum allows for all of them no other number matters.
func (l *Ledger) LaunchRequested(ctx context.Context, tx pgx.Tx, cause store.Cause, description string,
	population func(requested int64) (int64, error),
) (id string, requested int, err error) {
	return l.LaunchCreated(ctx, tx, cause, description, 0, population)
}

// LaunchCreated is [Ledger.LaunchRequested] where some of the requested identities were created just now: these have
// nothing to lose, so the guard need not look for that.
func (l *Ledger) LaunchCreated(ctx context.Context, tx pgx.Tx, cause store.Cause, description string, created int,
	population func(requested int64) (int64, error),
) (id string, requested int, err error) {
	count, err := l.Store.CountTaskRequests(ctx, tx, cause.Task)
	if err != nil || count == 0 {
		return "", 0, err
	}
	task := &store.Task{Description: description, Population: count, Requested: max(count-int64(created), 0)}
	if population != nil {
		if task.Population, err = population(count); err != nil {
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
