package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/aggregation"
	"github.com/muster-engine/muster/store"
)

// AggregationTextMax is how many bytes the text may have that [Engine.StartAggregation] keeps: 1 GiB.
const AggregationTextMax = 1 << 30

// StartOption says more about a call of [Engine.StartAggregation].
type StartOption func(*startOptions)

type startOptions struct{ behind func(*AggregateOptions) error }

// OptionsBehind lets what stands behind a text change the options: a form may have its fields behind its file. read is
// called once, when the text was read to its end; its error ends the call.
func OptionsBehind(read func(*AggregateOptions) error) StartOption {
	return func(o *startOptions) { o.behind = read }
}

// StartAggregation launches a task that aggregates a source, named by ID or by name: [Engine.Aggregate] of a delimited
// text, or where that is nil [Engine.AggregateSource] by the source's connector. A worker of any process carries it
// out. So the text is kept in the database until the task has ended; it has at most [AggregationTextMax] bytes, and is
// read once. Of several tasks for one source the earliest comes first. The attributes of the task tell what was done,
// and its messages which rows were left out. What keeps the accounts from being changed, such as the deletion limit,
// ends the task with the status ERROR. Of the options Progress does not count: the task tells it.
func (e *Engine) StartAggregation(ctx context.Context, source string, text io.Reader, options AggregateOptions,
	more ...StartOption,
) (TaskStatus, error) {
	s := starting{engine: e, name: source, text: text, options: options}
	if text == nil {
		return s.write(more).run(ctx)
	}
	if s.rewind = rewinder(text); s.rewind != nil {
		return s.write(more).run(ctx)
	}
	// A text that cannot be read twice is tried once.
	w := s.write(more)
	var status TaskStatus
	err := store.InTx(ctx, e.tenant.Pool, pgx.TxOptions{}, func(tx pgx.Tx) (err error) {
		status, err = w.do(ctx, tx)
		return err
	})
	return status, fault.Wrap(w.op, source, err)
}

// StartAggregationTx is [Engine.StartAggregation] in the caller's transaction: the task exists when that commits.
func (e *Engine) StartAggregationTx(ctx context.Context, tx pgx.Tx, source string, text io.Reader,
	options AggregateOptions, more ...StartOption,
) (TaskStatus, error) {
	s := starting{engine: e, name: source, text: text, options: options}
	return s.write(more).runIn(ctx, tx)
}

// starting is a call of [Engine.StartAggregation].
type starting struct {
	engine  *Engine
	name    string // of the source
	text    io.Reader
	options AggregateOptions
	startOptions
	rewind func() error // sets the text back before each attempt; nil where that cannot be
}

const opStart = "start the aggregation"

func (s *starting) write(more []StartOption) writeOf[TaskStatus] {
	for _, option := range more {
		option(&s.startOptions)
	}
	return writeOf[TaskStatus]{s.engine, opStart, s.name, s.do}
}

// validate checks the options that the worker would find wrong.
func (s *starting) validate() error {
	if s.options.MaxObjects < 0 {
		return fault.Invalidf(opStart, s.name, "MaxObjects is %d: it must be 1 or more, or 0 for that of the "+
			"configuration", s.options.MaxObjects)
	}
	if s.options.Delimiter != "" {
		if _, err := delimited.ParseDelimiter(s.options.Delimiter); err != nil {
			return &Error{Kind: Invalid, Op: opStart, Subject: s.name, Err: err}
		}
	}
	return nil
}

func (s *starting) do(ctx context.Context, tx pgx.Tx) (TaskStatus, error) {
	if err := s.validate(); err != nil {
		return TaskStatus{}, err
	}
	e := s.engine
	// Without a lock: a text may take long, and the worker looks again.
	rows, err := e.tenant.Store.LoadConfiguration(ctx, tx)
	if err != nil {
		return TaskStatus{}, err
	}
	c, err := e.tenant.Compile(rows)
	if err != nil {
		return TaskStatus{}, err
	}
	source := c.SourceByName(s.name)
	if source == nil {
		return TaskStatus{}, c.NoSource(opStart, s.name)
	}
	if s.text == nil && e.tenant.Connectors[source.Connector] == nil {
		return TaskStatus{}, fault.InvalidAs(Missing, opStart, source.Name, "no connector reads the source: hand in "+
			"a text")
	}
	if s.rewind != nil {
		if err := s.rewind(); err != nil {
			return TaskStatus{}, err
		}
	}
	asked := aggregation.Asked{Source: source.IDText, Text: s.text != nil}
	row := &store.Task{Kind: TaskAggregation, TargetType: store.NullText("APPLICATION"), TargetID: source.RowID,
		TargetName: &source.Name, Description: fmt.Sprintf("Aggregate the accounts of %q", source.Name)}
	if s.options.DryRun {
		row.Description = fmt.Sprintf("Try an aggregation of the accounts of %q", source.Name)
	}
	err = e.tasks.LaunchErrand(ctx, tx, e.tenant.NewCause(ctx), row, func() (any, error) {
		options, err := s.keep(ctx, tx, row)
		asked.Options = options.options()
		return &asked, err
	})
	if err != nil {
		return TaskStatus{}, err
	}
	status := taskStatus(row, nil)
	status.describeAggregation(&asked, source.Name)
	return status, nil
}

// keep keeps the text of an aggregation for its worker. It returns the options, with what stands behind the text.
func (s *starting) keep(ctx context.Context, tx pgx.Tx, row *store.Task) (AggregateOptions, error) {
	options := s.options
	if s.text == nil {
		return options, nil
	}
	size, err := s.engine.aggregator.Keep(ctx, tx, row.ID, s.text, AggregationTextMax)
	var wrong *aggregation.TextError
	switch {
	case errors.As(err, &wrong):
		return options, fault.Invalidf(opStart, store.TextOf(row.TargetName), "%w", err)
	case err == nil && size == 0:
		return options, fault.InvalidAs(Missing, opStart, store.TextOf(row.TargetName), "the text is empty: at least "+
			"its header is expected")
	case err == nil && s.behind != nil:
		err = s.behind(&options)
	}
	return options, err
}
