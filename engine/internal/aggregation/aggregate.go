package aggregation

import (
	"context"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// Aggregate aggregates a source, named by ID or by name, from delimited text. repeatable says that the caller runs the
// transaction again, and gives the text again, where another aggregation changed the source's accounts meanwhile.
func (a *Aggregator) Aggregate(ctx context.Context, tx pgx.Tx, name string, text io.Reader, repeatable bool,
	options Options,
) (Result, error) {
	if err := options.validate(name); err != nil {
		return Result{}, err
	}
	r, err := a.begin(ctx, tx, name, repeatable, options)
	if err != nil {
		return Result{}, err
	}
	reader, err := r.textReader(text)
	if err != nil {
		return Result{}, &fault.Error{Kind: fault.Invalid, Op: "aggregate", Subject: name, Err: err}
	}
	return r.aggregate(ctx, reader)
}

// run is one aggregation of a source, in one transaction. Its steps have types of their own, so that none can be taken
// before the one that it needs: run -> [reader] -> [staged] -> [merge].
type run struct {
	*Aggregator
	tx         pgx.Tx
	source     *configuration.CompiledSource
	version    int64 // of the configuration that the source is read by
	settings   *configuration.Settings
	repeatable bool // what is read can be read again
	options    Options
	// read says that a connector reads the source, and last when it was aggregated last before that; nil for never.
	read bool
	last *time.Time
}

// begin returns the aggregation of a source as it is configured now. It takes no lock that outlasts it: reading may
// take long.
func (a *Aggregator) begin(ctx context.Context, tx pgx.Tx, name string, repeatable bool, options Options) (
	*run, error,
) {
	rows, err := a.Store.LoadConfiguration(ctx, tx)
	if err != nil {
		return nil, err
	}
	c, err := a.Compile(rows)
	if err != nil {
		return nil, err
	}
	source := c.SourceByName(name)
	if source == nil {
		return nil, c.NoSource("aggregate", name)
	}
	r := &run{Aggregator: a, tx: tx, source: source, version: c.Version, settings: c.Settings, repeatable: repeatable,
		options: options}
	return r, r.checkMissing()
}

// aggregate brings the accounts of the source up to what the reader reads. It leaves no rows in the stage: where it
// fails, the caller may commit the transaction all the same.
func (r *run) aggregate(ctx context.Context, reader *reader) (Result, error) {
	staged, err := r.stage(ctx, reader)
	if err != nil {
		return Result{}, err
	}
	result, err := staged.merge(ctx)
	if result.DryRun = r.options.DryRun; result.DryRun {
		result.Task = "" // it was undone with the rest
	}
	if err != nil {
		r.Store.AbandonStage(ctx, r.tx, staged.count.Run)
		return result, err
	}
	return result, r.Store.EndStage(ctx, r.tx, staged.count.Run)
}

// merge takes the locks of an aggregation, and brings the accounts up to the stage; a dry run undoes all of it.
func (s staged) merge(ctx context.Context) (result Result, err error) {
	if !s.options.DryRun {
		return s.mergeLocked(ctx)
	}
	err = store.Try(ctx, s.tx, func() (err error) {
		result, err = s.mergeLocked(ctx)
		return err
	})
	return result, err
}

func (s staged) mergeLocked(ctx context.Context) (Result, error) {
	m, err := s.lock(ctx)
	if err != nil {
		return Result{}, err
	}
	return m.do(ctx)
}
