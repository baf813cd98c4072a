package engine

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/registration"
	"github.com/muster-engine/muster/store"
)

// How long what has ended is kept where [PurgeOptions] leave it out. Tasks, after [TaskRetention], and tokens go by
// themselves while an engine works; the rest goes by [Engine.Purge] alone.
const (
	OperationRetention = 365 * 24 * time.Hour
	EventRetention     = 2 * 365 * 24 * time.Hour
	SlotRetention      = 90 * 24 * time.Hour
)

// purgeBatch is how many rows one transaction removes.
const purgeBatch = 10_000

// PurgeOptions say how long what has ended is kept. A field that is 0 has the default.
type PurgeOptions struct {
	Events     time.Duration // since they happened. Defaults to [EventRetention]
	Operations time.Duration // since they ended. Defaults to [OperationRetention]
	Slots      time.Duration // since their time. Defaults to [SlotRetention]
	Tasks      time.Duration // since they ended. Defaults to [TaskRetention]
}

func (o PurgeOptions) withDefaults() PurgeOptions {
	for field, usual := range map[*time.Duration]time.Duration{
		&o.Events: EventRetention, &o.Operations: OperationRetention, &o.Slots: SlotRetention, &o.Tasks: TaskRetention,
	} {
		if *field == 0 {
			*field = usual
		}
	}
	return o
}

// PurgeResult says how many rows were removed.
type PurgeResult struct {
	Events     int64 `json:"events"`
	Operations int64 `json:"operations"`
	Slots      int64 `json:"slots"`
	Tasks      int64 `json:"tasks"`
	Tokens     int64 `json:"tokens"`
}

// Purge removes what is older than it is kept: events of the history, operations and tasks that have ended, slots, and
// tokens that expired before 30 days. What is open, held or waits stays, however old it is, and so do operations that
// were given up for an identity that is there. Followers of [Engine.Events] must have read what goes.
//
// It removes 10,000 rows in a transaction of its own each; when the context ends, what was committed stays.
func (e *Engine) Purge(ctx context.Context, options PurgeOptions) (PurgeResult, error) {
	p := purge{e: e, options: options.withDefaults()}
	if err := p.validate(); err != nil {
		return PurgeResult{}, err
	}
	for more := true; more; {
		var step purge
		err := e.tenant.InTx(ctx, func(tx pgx.Tx) (err error) {
			step = p // what a transaction that is run again had counted does not count
			more, err = step.step(ctx, tx)
			return err
		})
		if err != nil {
			return p.result, fault.Wrap("purge", "", err)
		}
		p = step
	}
	return p.result, nil
}

// PurgeTx is [Engine.Purge] in the caller's transaction, all of it.
func (e *Engine) PurgeTx(ctx context.Context, tx pgx.Tx, options PurgeOptions) (PurgeResult, error) {
	p := purge{e: e, options: options.withDefaults()}
	if err := p.validate(); err != nil {
		return PurgeResult{}, err
	}
	for more := true; more; {
		var err error
		if more, err = p.step(ctx, tx); err != nil {
			return PurgeResult{}, fault.Wrap("purge", "", err)
		}
	}
	return p.result, nil
}

// purge is how far a purge has come.
type purge struct {
	e         *Engine
	options   PurgeOptions
	result    PurgeResult
	event     int64    // the last one that was removed
	operation store.ID // likewise
	phase     int
}

func (p *purge) validate() error {
	for _, kept := range []struct {
		member string
		time   time.Duration
	}{{"Events", p.options.Events}, {"Operations", p.options.Operations}, {"Slots", p.options.Slots},
		{"Tasks", p.options.Tasks}} {
		if kept.time < 0 {
			return fault.Invalidf("purge", kept.member, "%s is negative: how long something is kept is expected", kept.time)
		}
	}
	return nil
}

// step removes the next rows, and reports whether there may be more.
func (p *purge) step(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	now, s := p.e.tenant.Now(), p.e.tenant.Store
	var rows int64
	switch p.phase {
	case 0:
		rows, p.event, err = s.PurgeEvents(ctx, tx, now.Add(-p.options.Events), p.event, purgeBatch)
		p.result.Events += rows
	case 1:
		rows, p.operation, err = s.PurgeOperations(ctx, tx, now.Add(-p.options.Operations), p.operation, purgeBatch)
		p.result.Operations += rows
	case 2:
		return false, p.rest(ctx, tx, now)
	}
	if rows < purgeBatch {
		p.phase++
	}
	return true, err
}

// rest removes what there is little of.
func (p *purge) rest(ctx context.Context, tx pgx.Tx, now time.Time) (err error) {
	s := p.e.tenant.Store
	if p.result.Tasks, err = s.PurgeTasks(ctx, tx, now.Add(-p.options.Tasks)); err != nil {
		return err
	}
	// The slots that were just begun are what keeps them from being begun again.
	if p.result.Slots, err = s.PurgeSlots(ctx, tx, now.Add(-max(p.options.Slots, 7*24*time.Hour))); err != nil {
		return err
	}
	p.result.Tokens, err = s.PurgeTokens(ctx, tx, now.Add(-registration.TokenRetention))
	return err
}
