package processing

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// Batch is where identities are processed together: one transaction, the one version of the configuration that it sees,
// and the cause of what it writes. The identities of other tasks in it have causes of their own. Its steps have types
// of their own, so that none can be taken before the one that it needs: Batch -> [Read] -> [Calculated] -> written.
// Previews and explanations end with Calculated.
type Batch struct {
	*Processor
	Tx            pgx.Tx
	Configuration *configuration.Configuration
	Cause         store.Cause // of the batch's own task
	Overlay       Overlay     // of a preview; nil for nothing
	readOnly      bool
	origins       map[store.ID]store.TaskOrigin // by task; of all tasks that have a part in it
}

// ReadOnly returns a batch that takes no locks and writes nothing, for a preview or an explanation at a time.
func (p *Processor) ReadOnly(tx pgx.Tx, c *configuration.Configuration, at time.Time) *Batch {
	return &Batch{Processor: p, Tx: tx, Configuration: c, Cause: store.Cause{At: at}, readOnly: true}
}

// begin returns a batch that will write. It shares the configuration and the correlation until the transaction ends:
// the first two locks of the lock order that package store states. others are the tasks besides its own that have a
// part in it.
func (p *Processor) begin(ctx context.Context, tx pgx.Tx, id store.ID, others ...store.ID) (*Batch, error) {
	c, err := p.LockConfigurationShared(ctx, tx)
	if err != nil {
		return nil, err
	}
	origins, err := p.Store.TaskOrigins(ctx, tx, append(others, id))
	if err != nil {
		return nil, err
	}
	b := &Batch{Processor: p, Tx: tx, Configuration: c, Cause: store.Cause{At: p.Now()}, origins: origins}
	b.Cause = b.causeOf(id)
	return b, p.Store.LockCorrelationShared(ctx, tx)
}

// causeOf returns the cause of what the batch does for a task: the actor is the one that launched the task.
func (b *Batch) causeOf(task store.ID) store.Cause {
	actor := b.Actor
	if origin, found := b.origins[task]; found {
		actor = origin.Actor
	}
	return store.Cause{Task: task, At: b.Cause.At, Actor: actor}
}

// fewIdentities is up to how many identities the plans of a batch are kept. To plan each statement again takes a sixth
// of the time of an event, which is about one.
const fewIdentities = 10

// process locks identities, and reads, calculates and writes those that exist. It returns how many exist. It takes the
// requests after the lock and before the reading, so that a request which commits later stays.
func (b *Batch) process(ctx context.Context, ids []store.ID, t *tally) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	locked, err := b.Store.LockIdentities(ctx, b.Tx, ids)
	if err != nil {
		return 0, err
	}
	taken, err := b.Store.TakeRefreshRequests(ctx, b.Tx, locked, len(locked) <= fewIdentities)
	if err != nil || len(locked) == 0 {
		return 0, err
	}
	var synchronize []store.ID
	for _, request := range taken {
		if request.Synchronize {
			synchronize = append(synchronize, request.IdentityID)
		}
		if request.Depth > 0 {
			t.deepen(request.IdentityID, request.Depth)
		}
	}
	read, err := b.Read(ctx, locked, synchronize)
	if err != nil {
		return 0, err
	}
	calculated, err := read.Calculate()
	if err != nil {
		return 0, err
	}
	if len(locked) > fewIdentities {
		// Under the setting that plans anew, the server would plan the check of a foreign key again for each row.
		if err := b.Store.KeepPlans(ctx, b.Tx); err != nil {
			return 0, err
		}
	}
	return len(locked), calculated.write(ctx, t)
}

// advance adds what the batch did to its tasks. It returns the sum over all of them, and how far the batch's own task
// is. It also removes the jobs of other tasks that end with the batch: these jobs have nothing left to do.
func (b *Batch) advance(ctx context.Context, t *tally, lazily bool) (store.TaskCounts, State, error) {
	t.of(b.Cause.Task)
	for i := range t.list {
		origin := b.origins[t.list[i].Task]
		t.list[i].Cause, t.list[i].Confirmed = origin.Cause, origin.Confirmed
	}
	ended, err := b.Advance(ctx, b.Tx, task.Advance{Guard: b.Configuration.Settings.Guard,
		Version: b.Configuration.Version, Done: t.list, Began: b.Cause.At, Now: b.Now(), Lazily: lazily})
	if err != nil {
		return store.TaskCounts{}, Open, err
	}
	state := Open
	var jobs []int64
	for _, other := range ended {
		switch {
		case other.ID == b.Cause.Task:
			state = Ended
		case other.JobID != nil:
			jobs = append(jobs, *other.JobID)
		}
	}
	if len(jobs) > 0 { // running jobs stay
		_, err = b.Jobs.JobDeleteManyTx(ctx, b.Tx, river.NewJobDeleteManyParams().IDs(jobs...).First(len(jobs)))
	}
	return t.sum(), state, store.MapError(err)
}
