package task

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// ProcessOne asks for the processing of one identity, by a task of its own.
func (l *Ledger) ProcessOne(ctx context.Context, tx pgx.Tx, identity store.ID, description string,
	cause store.Cause,
) error {
	if err := l.Store.RequestRefresh(ctx, tx, []store.ID{identity}, strings.ToLower(description[:1])+description[1:],
		cause); err != nil {
		return err
	}
	return l.Launch(ctx, tx, cause, &store.Task{Description: description, Population: 1,
		TargetType: store.NullText("IDENTITY"), TargetID: identity})
}

// OperationAttemptsMax is how often an operation is tried, over some hours, before it is given up. The next
// processing of the identity opens another one while the access is still wanted.
const OperationAttemptsMax = 10

// LaunchDelivery writes a batch of operations and the job that does it.
func (l *Ledger) LaunchDelivery(ctx context.Context, tx pgx.Tx, id, source store.ID, cause store.Cause) error {
	job, err := l.insertDelivery(ctx, tx, id)
	if err != nil {
		return err
	}
	return l.Store.AddDelivery(ctx, tx, id, source, job, cause.At)
}

func (l *Ledger) insertDelivery(ctx context.Context, tx pgx.Tx, delivery store.ID) (int64, error) {
	return l.Insert(ctx, tx, tenant.Deliver{Delivery: delivery.String()},
		&river.InsertOpts{Queue: tenant.QueueProvisioning, MaxAttempts: OperationAttemptsMax})
}

// NotificationAttemptsMax is how often a message is tried, over some hours.
const NotificationAttemptsMax = 10

func (l *Ledger) InsertNotify(ctx context.Context, tx pgx.Tx, task store.ID) (int64, error) {
	return l.Insert(ctx, tx, tenant.SendMessages{Task: task.String()},
		&river.InsertOpts{Queue: tenant.QueueNotification, MaxAttempts: NotificationAttemptsMax})
}

// TaskMessagesMax is how many messages of a task are kept. Its attributes tell how many there were.
const TaskMessagesMax = 100

// TaskIdentityRefresh is the kind of the tasks that process identities.
const TaskIdentityRefresh = "IDENTITY_REFRESH"

// BulkMin is from how many identities on a run is a long one.
const BulkMin = 10_000

// Ledger keeps the tasks of a tenant.
type Ledger struct{ *tenant.Tenant }

// New returns the ledger of a tenant.
func New(t *tenant.Tenant) *Ledger { return &Ledger{t} }

type launcherKey struct{}

// WithLauncher returns a context whose tasks are launched by somebody: a client or a user, as [TaskStatus] shows. Their
// launcher is that of [Config] without it.
func WithLauncher(ctx context.Context, launcher string) context.Context {
	return context.WithValue(ctx, launcherKey{}, launcher)
}

func (l *Ledger) LauncherOf(ctx context.Context) string {
	if launcher, ok := ctx.Value(launcherKey{}).(string); ok && launcher != "" && store.Storable(launcher) {
		return launcher
	}
	return l.Launcher
}

// Launch writes a task and the job that carries it out, in the transaction that made its requests.
func (l *Ledger) Launch(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task) error {
	return l.LaunchAt(ctx, tx, cause, row, time.Time{})
}

// LaunchAt is launch with a scheduled job; the zero time is at once.
func (l *Ledger) LaunchAt(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task, at time.Time) error {
	row.ID, row.Created, row.Modified, row.Kind = cause.Task, cause.At, cause.At, TaskIdentityRefresh
	if row.Launcher == "" {
		row.Launcher = l.LauncherOf(ctx)
	}
	job, err := l.insertJobAt(ctx, tx, row.ID, row.Everybody || row.Population >= BulkMin, at)
	if err != nil {
		return err
	}
	row.JobID = &job
	return l.Store.AddTask(ctx, tx, row)
}

// AddEnded writes a task that has ended at once, for there is nothing to do.
func (l *Ledger) AddEnded(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task) error {
	row.ID, row.Created, row.Modified, row.Kind = cause.Task, cause.At, cause.At, TaskIdentityRefresh
	row.Completed, row.CompletionStatus = &cause.At, store.NullText(StatusSuccess)
	return l.Store.AddTask(ctx, tx, row)
}

func (l *Ledger) InsertJob(ctx context.Context, tx pgx.Tx, task store.ID, bulk bool) (int64, error) {
	return l.insertJobAt(ctx, tx, task, bulk, time.Time{})
}

func (l *Ledger) insertJobAt(ctx context.Context, tx pgx.Tx, task store.ID, bulk bool, at time.Time) (int64, error) {
	options := &river.InsertOpts{Queue: tenant.QueueEvents, MaxAttempts: runAttemptsMax, ScheduledAt: at}
	if bulk {
		options.Queue = tenant.QueueBulk
	}
	return l.Insert(ctx, tx, tenant.RunTask{Task: task.String()}, options)
}

// LaunchRequested writes the task of the requests that were made for a cause, unless there are none. population returns
// of how many identities the guard's limit is a share; it is asked only where that can matter.
func (l *Ledger) LaunchRequested(ctx context.Context, tx pgx.Tx, cause store.Cause, description string,
	population func() (int64, error),
) (id string, marked int, err error) {
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

// DropJob removes the job of a task that was carried out without it.
func (l *Ledger) DropJob(ctx context.Context, id store.ID) error {
	task, err := l.Store.FindTask(ctx, l.Pool, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || task.JobID == nil {
		return err
	}
	_, err = l.Jobs.JobDelete(ctx, *task.JobID)
	if errors.Is(err, rivertype.ErrNotFound) || errors.Is(err, rivertype.ErrJobRunning) {
		return nil // it had its turn, or has it now
	}
	return store.MapError(err)
}

func (l *Ledger) FindTask(ctx context.Context, op, id string) (store.Task, error) {
	parsed, err := store.ParseID(id)
	var task store.Task
	if err == nil {
		task, err = l.Store.FindTask(ctx, l.Pool, parsed)
	} else {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return task, &fault.Error{Kind: fault.NotFound, Op: op, Subject: id, Err: errors.New("there is no task with this ID")}
	}
	return task, fault.Wrap(op, id, err)
}

// runAttemptsMax is how often a job is tried whose task meets errors that concern no identity: for some hours.
const runAttemptsMax = 10
