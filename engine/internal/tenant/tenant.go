package tenant

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/id"
)

// PageSize is how many rows one statement reads where rows are read page by page.
const PageSize = 5000

// attemptsMax is how often a transaction that loses against others is run before its error is returned.
const attemptsMax = 8

// Tenant is one tenant's tables, job queue, settings and configuration. It is safe for concurrent use. Its exported
// fields do not change after [New].
type Tenant struct {
	Settings
	// EngineID names this engine among those of the tenant, as the owner of leases. It is another one after a restart.
	EngineID store.ID
	Pool     *pgxpool.Pool
	Store    *store.Store
	// Jobs deletes jobs. [Tenant.Insert] inserts them. Neither works on any.
	Jobs *river.Client[pgx.Tx]

	queue *riverpgxv5.Driver
	// cached are the two configurations that were compiled last, the later first. They are replaced, never changed. The
	// second one serves those who do not see the first yet, which may not be committed.
	cached atomic.Pointer[[2]*configuration.Configuration]
	// compiling has room for one who compiles. compilations counts them.
	compiling    chan struct{}
	compilations atomic.Int64
	// warned says that the log has a warning that Config contradicts the tenant's settings.
	warned atomic.Bool
	// writes makes the IDs of writes to the history.
	writes id.Clock
	// stopping says that jobs end their turn as soon as they can.
	stopping atomic.Bool
}

// New returns a tenant on the host's pool, which the host goes on owning.
func New(pool *pgxpool.Pool, settings Settings) (*Tenant, error) {
	rows, err := store.New(settings.Schema)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "start the engine", Err: err}
	}
	t := &Tenant{Settings: settings, EngineID: store.NewID(), Pool: pool, Store: rows, queue: riverpgxv5.New(pool),
		compiling: make(chan struct{}, 1)}
	if t.Jobs, err = t.newClient(); err != nil {
		return nil, err
	}
	return t, nil
}

// Now is the time of a transaction, at the precision that PostgreSQL keeps.
func (t *Tenant) Now() time.Time { return t.Clock().UTC().Truncate(time.Microsecond) }

// NewWriteID returns the ID of a new write to the history. Its time is that of the tenant's clock, so that the history
// is found by time; of two writes of this process the later has the greater ID.
func (t *Tenant) NewWriteID() store.ID { return t.writes.At(t.Clock()) }

// AddEvents appends a write to the history. It belongs behind the locks on the identities; see [store.Store.AddEvents].
func (t *Tenant) AddEvents(ctx context.Context, tx pgx.Tx, cause store.Cause, events []store.Event) error {
	return t.Store.AddEvents(ctx, tx, t.NewWriteID(), cause, events)
}

// numberedMax is how many writes one transaction numbers.
const numberedMax = 10_000

// NumberEvents gives positions to the writes that have committed without one, in transactions of its own, and returns
// how many those were. Where there is none it asks one question and locks nothing.
func (t *Tenant) NumberEvents(ctx context.Context) (int, error) {
	pending, err := t.Store.EventsPending(ctx, t.Pool)
	total := 0
	for pending && err == nil {
		var count int
		count, err = Transact(ctx, t, func(tx pgx.Tx) (int, error) {
			return t.Store.NumberEvents(ctx, tx, numberedMax)
		})
		total += count
		pending = count == numberedMax
	}
	return total, err
}

// InTx runs work in a transaction of its own. Where the transaction loses against another, it runs work again, at most
// 8 times in all. The waits between are random, so that two transactions that met do not meet again.
func (t *Tenant) InTx(ctx context.Context, work func(tx pgx.Tx) error) error {
	return t.retry(ctx, func() error { return store.InTx(ctx, t.Pool, pgx.TxOptions{}, work) })
}

// InBatchTx is [Tenant.InTx] for a batch; see [store.InBatchTx].
func (t *Tenant) InBatchTx(ctx context.Context, work func(tx pgx.Tx) error) error {
	return t.retry(ctx, func() error { return store.InBatchTx(ctx, t.Pool, work) })
}

func (t *Tenant) retry(ctx context.Context, transact func() error) error {
	for attempt := 1; ; attempt++ {
		err := transact()
		var lost *store.RetryableError
		if err == nil || !errors.As(err, &lost) || attempt == attemptsMax {
			return err
		}
		t.Logger.InfoContext(ctx, "a transaction is run again", "attempt", attempt)
		wait := time.Duration(rand.Int64N(int64(10*time.Millisecond) << attempt))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Transact is [Tenant.InTx] for work with a result. It returns the result of the last attempt, also beside an error.
func Transact[T any](ctx context.Context, t *Tenant, work func(tx pgx.Tx) (T, error)) (T, error) {
	return transact(ctx, t.InTx, work)
}

// TransactBatch is [Tenant.InBatchTx] for work with a result, like [Transact].
func TransactBatch[T any](ctx context.Context, t *Tenant, work func(tx pgx.Tx) (T, error)) (T, error) {
	return transact(ctx, t.InBatchTx, work)
}

func transact[T any](ctx context.Context, inTx func(context.Context, func(pgx.Tx) error) error,
	work func(tx pgx.Tx) (T, error),
) (result T, err error) {
	err = inTx(ctx, func(tx pgx.Tx) (err error) {
		result, err = work(tx)
		return err
	})
	return result, err
}
