package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/store"
)

// sourceNamed returns the source of a name or ID, from the latest configuration.
func (e *Engine) sourceNamed(ctx context.Context, op, name string) (*configuredSource, error) {
	c, err := e.currentConfiguration(ctx)
	if err != nil {
		return nil, wrap(op, name, err)
	}
	source := c.sourceByName(name)
	if source == nil {
		return nil, c.noSource(op, name)
	}
	return source, nil
}

func (c *configuration) noSource(op, name string) error {
	return &Error{Kind: NotFound, Op: op, Subject: name,
		Err: fmt.Errorf("there is no such source: the sources are %s", listOrNone(c.sourceNames()))}
}

func (c *configuration) sourceNames() []string {
	var names []string
	for _, s := range c.sources {
		names = append(names, strconv.Quote(s.Name))
	}
	slices.Sort(names)
	return names
}

// withConnector calls do with the connector of a source.
func (e *Engine) withConnector(ctx context.Context, op, name string,
	do func(*configuredSource, connector.Connector) error,
) (err error) {
	source, err := e.sourceNamed(ctx, op, name)
	if err != nil {
		return err
	}
	opened, err := e.connect(ctx, source)
	if err != nil {
		return &Error{Kind: Unavailable, Op: op, Subject: name, Err: err}
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return wrap(op, name, do(source, opened))
}

// atSource marks an error of a connector.
func atSource(op, name string, err error) error {
	if err == nil || errors.Is(err, connector.ErrNoChanges) {
		return err
	}
	return &Error{Kind: Unavailable, Op: op, Subject: name, Err: err}
}

// TestSource reports what keeps a source, named by ID or by name, from being reached by its connector.
func (e *Engine) TestSource(ctx context.Context, name string) error {
	const op = "test the source"
	return e.withConnector(ctx, op, name, func(_ *configuredSource, c connector.Connector) error {
		return atSource(op, name, c.Test(ctx))
	})
}

// DiscoverSource returns the schemas that a source tells by its connector. Nothing is applied.
func (e *Engine) DiscoverSource(ctx context.Context, name string) ([]Schema, error) {
	const op = "discover the source"
	var schemas []Schema
	err := e.withConnector(ctx, op, name, func(_ *configuredSource, c connector.Connector) (err error) {
		schemas, err = c.Discover(ctx)
		return atSource(op, name, err)
	})
	return schemas, err
}

// AggregateSource is [Engine.Aggregate] of what the source's connector reads: everything, or with options.Delta what
// changed since the last time, where the source can tell; where it cannot, everything. Entitlements that the source
// describes get their names.
func (e *Engine) AggregateSource(ctx context.Context, name string, options AggregateOptions) (AggregateResult, error) {
	const op = "aggregate"
	var result AggregateResult
	if err := options.validate(name); err != nil {
		return result, err
	}
	err := e.withConnector(ctx, op, name, func(source *configuredSource, c connector.Connector) error {
		since := ""
		if options.Delta {
			cursor, err := e.store.SourceCursor(ctx, e.pool, source.id)
			if err != nil {
				return err
			}
			since = cursor
		}
		err := e.aggregateFrom(ctx, source.id, c, since, options, &result)
		if since != "" && errors.Is(err, connector.ErrNoChanges) {
			err = e.aggregateFrom(ctx, source.id, c, "", options, &result)
		}
		return err
	})
	return result, err
}

// errStopped ends a reading that nobody follows any more.
var errStopped = errors.New("the reading was stopped")

// objectsOf returns the objects that a connector reads, one after the other, and the cursor behind them.
func objectsOf(ctx context.Context, c connector.Connector, since string, cursor *string) iter.Seq2[*connector.Object,
	error] {
	return func(yield func(*connector.Object, error) bool) {
		next, err := c.Read(ctx, since, func(object *connector.Object) error {
			if !yield(object, nil) {
				return errStopped
			}
			return nil
		})
		*cursor = next
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// aggregateFrom reads a source by its connector, in one transaction, and again where that lost against another one.
func (e *Engine) aggregateFrom(ctx context.Context, id store.ID, c connector.Connector, since string,
	options AggregateOptions, result *AggregateResult,
) error {
	return e.inTx(ctx, func(tx pgx.Tx) error {
		if err := e.store.BeginReading(ctx, tx, id); err != nil {
			return err
		}
		configuration, source, err := e.sourceFor(ctx, tx, id.String())
		if err != nil {
			return err
		}
		cursor := ""
		next, stop := iter.Pull2(objectsOf(ctx, c, since, &cursor))
		defer stop()
		names := map[store.EntitlementValue]string{}
		var gone []string
		var reading *reading
		others := 0 // objects that are no accounts
		objects := func() (*connector.Object, error) {
			for ; ; others++ {
				if reading.count+others > reading.most {
					return nil, reading.tooMany()
				}
				object, err, more := next()
				switch {
				case !more:
					return nil, io.EOF
				case err != nil:
					return nil, atSource("aggregate", source.Name, err)
				case object.Type != "" && object.Type != connector.AccountObject:
					for _, attribute := range source.entitling(object.Type) {
						names[store.EntitlementValue{Attribute: attribute, Value: object.NativeIdentity}] = object.Name
					}
				case object.Deleted:
					gone = append(gone, object.NativeIdentity)
				default:
					return object, nil
				}
			}
		}
		reading = e.newReading(source, objects, options)
		reading.repeatable = true
		options.Delta = since != ""
		*result, err = e.aggregateRead(ctx, tx, configuration.version, source, reading, options,
			func() []string { return gone })
		if err != nil {
			return err
		}
		if err := e.store.NameEntitlements(ctx, tx, source.id, names, e.now()); err != nil {
			return err
		}
		return e.store.NoteAggregation(ctx, tx, source.id, store.NullText(cursor), e.now())
	})
}

// entitling returns the attributes of the source's accounts that hold entitlements: objects of a schema, or any for "".
func (s *Source) entitling(object string) []string {
	var names []string
	if schema := s.accountSchema(); schema != nil {
		for _, a := range schema.Attributes {
			if a.IsEntitlement && (object == "" || a.Schema == nil || a.Schema.Name == object) {
				names = append(names, a.Name)
			}
		}
	}
	return names
}

// aggregateSource is the job that aggregates a source by its connector.
type aggregateSource struct {
	Source string `json:"source" river:"unique"`
}

// Kind implements [river.JobArgs].
func (aggregateSource) Kind() string { return "muster_aggregate_source" }

type aggregateWorker struct {
	river.WorkerDefaults[aggregateSource]
	e *Engine
}

// Timeout implements [river.Worker]: a large source takes its time.
func (*aggregateWorker) Timeout(*river.Job[aggregateSource]) time.Duration { return aggregationTimeout }

// aggregationTimeout ends an aggregation by schedule that hangs.
const aggregationTimeout = 4 * time.Hour

// aggregationAttemptsMax is how often an aggregation by schedule is begun whose worker, or whose database, goes away in
// the middle. What the source itself refuses is tried again at the next time of the schedule.
const aggregationAttemptsMax = 5

// Work aggregates a source. What fails is noted, and tried again at the next time of the schedule. Where the engine
// stops or the database goes away, it is tried again soon.
func (w *aggregateWorker) Work(ctx context.Context, job *river.Job[aggregateSource]) error {
	id, parsed := store.IDOf(job.Args.Source)
	if !parsed {
		return river.JobCancel(errors.New("the job names no source"))
	}
	result, err := w.e.AggregateSource(ctx, job.Args.Source, AggregateOptions{Delta: true})
	var unavailable *store.UnavailableError
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		return river.JobSnooze(0) // another engine goes on, or this one when it is started again
	case errors.As(err, &unavailable) && job.Attempt < job.MaxAttempts:
		return errors.New(store.Reason(err))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return w.e.noteAggregationError(context.WithoutCancel(ctx), id,
			fmt.Sprintf("it was ended after %s", aggregationTimeout))
	default:
		return w.e.noteAggregationError(ctx, id, reasonText(err))
	}
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return w.e.store.NoteAggregationResult(ctx, w.e.pool, id, text)
}

// noteAggregationError notes why an aggregation by schedule failed.
func (e *Engine) noteAggregationError(ctx context.Context, source store.ID, reason string) error {
	e.config.Logger.WarnContext(ctx, "a scheduled aggregation failed", "source", source.String())
	return e.store.NoteAggregationError(ctx, e.pool, source, reason, e.now())
}

// resumeAggregations gives aggregations by schedule whose worker is gone to another one. A worker shows by a lock that
// it is there while it reads and writes, but not in the moments before and after that: where it is taken for gone then,
// the source is read twice, which does no harm.
func (e *Engine) resumeAggregations(ctx context.Context) error {
	running, err := e.store.RunningAggregations(ctx, e.pool, e.config.JobSchema, aggregateSource{}.Kind(), stalledAfter)
	if err != nil {
		return err
	}
	for i := range running {
		job := &running[i]
		id, parsed := store.IDOf(job.Source)
		if !parsed {
			continue // it ends by itself
		}
		returned := false
		err := e.inTx(ctx, func(tx pgx.Tx) error {
			read, err := e.store.IsRead(ctx, tx, id)
			if err != nil || read {
				return err
			}
			returned, err = e.store.ReturnJob(ctx, tx, e.config.JobSchema, job)
			return err
		})
		if err == nil && returned && job.Attempt >= job.MaxAttempts {
			err = e.noteAggregationError(ctx, id,
				fmt.Sprintf("its worker went away in the middle, %d times", job.Attempt))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// runAggregations launches the aggregation of the sources whose time has come. Of times that were missed one is made up
// for.
func (e *Engine) runAggregations(ctx context.Context) error {
	if err := e.resumeAggregations(ctx); err != nil {
		return err
	}
	c, err := e.currentConfiguration(ctx)
	if err != nil {
		return err
	}
	for _, source := range c.sources {
		expression := source.schedule()
		if expression == "" || e.config.Connectors[source.Connector] == nil {
			continue
		}
		now := e.now()
		next, err := e.nextAggregation(expression, now)
		if err != nil {
			return err
		}
		latest, err := e.nextAggregation(expression, next)
		if err != nil {
			return err
		}
		err = e.inTx(ctx, func(tx pgx.Tx) error {
			due, err := e.store.TakeAggregation(ctx, tx, source.id, expression, now, next, latest)
			if err != nil || !due {
				return err
			}
			_, err = e.insert(ctx, tx, aggregateSource{Source: source.id.String()}, &river.InsertOpts{
				Queue: queueAggregation, MaxAttempts: aggregationAttemptsMax, UniqueOpts: river.UniqueOpts{ByArgs: true,
					ByState: []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending,
						rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled}}})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// SourceState says how the aggregation of a source goes.
type SourceState struct {
	Source    string          `json:"source"`
	Connector string          `json:"connector"`
	Connected bool            `json:"connected"` // this engine has the connector
	Schedule  string          `json:"schedule,omitempty"`
	Next      *time.Time      `json:"next"`   // by the schedule
	Last      *time.Time      `json:"last"`   // that succeeded
	Failed    *time.Time      `json:"failed"` // if that was the last
	Error     string          `json:"error,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"` // of the last one by schedule
}

// Sources returns how the aggregation of each source goes, by name.
func (e *Engine) Sources(ctx context.Context) ([]SourceState, error) {
	const op = "list the sources"
	c, err := e.currentConfiguration(ctx)
	if err != nil {
		return nil, wrap(op, "", err)
	}
	rows, err := e.store.Aggregations(ctx, e.pool)
	if err != nil {
		return nil, wrap(op, "", err)
	}
	states := []SourceState{}
	for id, source := range c.sources {
		state := SourceState{Source: source.Name, Connector: source.Connector, Schedule: source.schedule(),
			Connected: e.config.Connectors[source.Connector] != nil}
		if at := slices.IndexFunc(rows, func(r store.Aggregation) bool { return r.SourceID == id }); at >= 0 {
			r := &rows[at]
			state.Last, state.Failed, state.Error = utc(r.Last), utc(r.Failed), store.TextOf(r.Error)
			state.Result = r.Result
			if state.Schedule != "" && store.TextOf(r.Schedule) == state.Schedule {
				state.Next = utc(r.Next)
			}
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b SourceState) int {
		if store.Fold(a.Source) < store.Fold(b.Source) {
			return -1
		}
		return 1
	})
	return states, nil
}
