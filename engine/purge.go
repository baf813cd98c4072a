package engine

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/registration"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// The defaults of [PurgeOptions]. A started engine itself removes tasks, after [TaskRetention], and tokens; the rest is
// removed by [Engine.Purge] alone.
const (
	OperationRetention = 365 * 24 * time.Hour
	EventRetention     = 2 * 365 * 24 * time.Hour
	SlotRetention      = 90 * 24 * time.Hour
	VanishedRetention  = 365 * 24 * time.Hour
)

// purgeRowsMax is how many rows one step removes.
const purgeRowsMax = 10_000

// PurgeOptions say how long events, and what has ended, are kept. A field that is 0 stands for the default.
type PurgeOptions struct {
	Events     time.Duration // since they happened. Defaults to [EventRetention]
	Operations time.Duration // since they ended. Defaults to [OperationRetention]
	Slots      time.Duration // since their time. Defaults to [SlotRetention]
	Statistics time.Duration // since the day. Defaults to [StatisticsRetention]
	Tasks      time.Duration // since they ended. Defaults to [TaskRetention]
	// Vanished is how long accounts are remembered that their sources do not have any more, with what was given on
	// them. Defaults to [VanishedRetention].
	Vanished time.Duration
}

func (o PurgeOptions) withDefaults() PurgeOptions {
	for field, usual := range map[*time.Duration]time.Duration{
		&o.Events: EventRetention, &o.Operations: OperationRetention, &o.Slots: SlotRetention, &o.Tasks: TaskRetention,
		&o.Statistics: StatisticsRetention, &o.Vanished: VanishedRetention,
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
	Attempts   int64 `json:"attempts"` // to sign in, that count no more
	Jobs       int64 `json:"jobs"`     // exports and imports of the configuration that have expired
	Sessions   int64 `json:"sessions"` // that have expired
	Slots      int64 `json:"slots"`
	Statistics int64 `json:"statistics"` // days, each once for each measure
	Tasks      int64 `json:"tasks"`
	Tokens     int64 `json:"tokens"`
	Vanished   int64 `json:"vanished"` // accounts that are not remembered any more
}

// Purge removes what is older than it is kept: events of the history, operations and tasks that have ended, slots,
// daily statistics, sessions and keys of forms that have expired, attempts to sign in that count no more, tokens that
// expired more than 30 days ago, and the memory of accounts that vanished, with what was given on them. What is open,
// held or waits stays, however old it is, and so do operations that were given up for an identity that is there.
//
// Events go in the order of [Engine.Events], whole writes, up to the first that is kept. A follower that has not read
// them is told so: its cursor is a Conflict then.
//
// Each transaction removes at most 10,000 operations, or some 10,000 events, more where one write has more; when the
// context ends, what was committed stays.
func (e *Engine) Purge(ctx context.Context, options PurgeOptions) (PurgeResult, error) {
	p := purge{e: e, options: options.withDefaults()}
	if err := p.validate(); err != nil {
		return PurgeResult{}, err
	}
	// What has no position stays.
	if _, err := e.tenant.NumberEvents(ctx); err != nil {
		return PurgeResult{}, fault.Wrap(purgeOp, "", err)
	}
	for p.phase != purgeDone {
		next, err := tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (purge, error) {
			next := p // a transaction that is run again counts from p again
			err := next.step(ctx, tx)
			return next, err
		})
		if err != nil {
			return p.result, fault.Wrap(purgeOp, "", err)
		}
		p = next
	}
	return p.result, nil
}

// PurgeTx is [Engine.Purge] in the caller's transaction, all of it. Events that have no position yet stay.
func (e *Engine) PurgeTx(ctx context.Context, tx pgx.Tx, options PurgeOptions) (PurgeResult, error) {
	p := purge{e: e, options: options.withDefaults()}
	if err := p.validate(); err != nil {
		return PurgeResult{}, err
	}
	for p.phase != purgeDone {
		if err := p.step(ctx, tx); err != nil {
			return PurgeResult{}, fault.Wrap(purgeOp, "", err)
		}
	}
	return p.result, nil
}

const purgeOp = "purge"

// The phases of a purge, in their order.
const (
	purgeOperations = iota
	purgeRest
	purgeEvents // last, in the lock order
	purgeDone
)

// purge is how far a purge has come.
type purge struct {
	e         *Engine
	options   PurgeOptions
	result    PurgeResult
	phase     int
	operation store.ID // the last one that was removed
}

func (p *purge) validate() error {
	for _, kept := range []struct {
		member string
		time   time.Duration
	}{{"Events", p.options.Events}, {"Operations", p.options.Operations}, {"Slots", p.options.Slots},
		{"Statistics", p.options.Statistics}, {"Tasks", p.options.Tasks}, {"Vanished", p.options.Vanished}} {
		if kept.time < 0 {
			return fault.Invalidf(purgeOp, kept.member, "%s is negative: how long something is kept is expected",
				kept.time)
		}
	}
	return nil
}

// step removes the next rows.
func (p *purge) step(ctx context.Context, tx pgx.Tx) (err error) {
	now, s := p.e.tenant.Now(), p.e.tenant.Store
	var rows int64
	var more bool
	switch p.phase {
	case purgeOperations:
		rows, p.operation, err = s.PurgeOperations(ctx, tx, now.Add(-p.options.Operations), p.operation, purgeRowsMax)
		p.result.Operations += rows
		more = rows == purgeRowsMax
	case purgeRest:
		err = p.rest(ctx, tx, now)
	case purgeEvents:
		rows, more, err = s.PurgeEvents(ctx, tx, now.Add(-p.options.Events), now, purgeRowsMax)
		p.result.Events += rows
	}
	if !more {
		p.phase++
	}
	return err
}

// rest removes the tasks, slots, statistics, tokens, sessions and vanished accounts at once: there are few of them.
func (p *purge) rest(ctx context.Context, tx pgx.Tx, now time.Time) (err error) {
	s := p.e.tenant.Store
	if p.result.Tasks, err = s.PurgeTasks(ctx, tx, now.Add(-p.options.Tasks)); err != nil {
		return err
	}
	// The rows of slots that were just begun keep those slots from being begun again.
	if p.result.Slots, err = s.PurgeSlots(ctx, tx, now.Add(-max(p.options.Slots, 7*24*time.Hour))); err != nil {
		return err
	}
	if p.result.Statistics, err = s.PurgeStatistics(ctx, tx, now.UTC().Add(-p.options.Statistics)); err != nil {
		return err
	}
	if p.result.Tokens, err = s.PurgeTokens(ctx, tx, now.Add(-registration.TokenRetention)); err != nil {
		return err
	}
	if p.result.Jobs, err = s.PurgeConfigurationJobs(ctx, tx, now); err != nil {
		return err
	}
	if p.result.Sessions, err = s.PurgeSessions(ctx, tx, now); err != nil {
		return err
	}
	if err := s.PurgeFormKeys(ctx, tx, now); err != nil {
		return err
	}
	if p.result.Attempts, err = s.PurgeAttempts(ctx, tx, now); err != nil {
		return err
	}
	p.result.Vanished, err = s.PurgeVanished(ctx, tx, now.Add(-p.options.Vanished))
	return err
}
