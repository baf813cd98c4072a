package engine

import (
	"context"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/aggregation"
	"github.com/muster-engine/muster/store"
)

// RowErrorsMax is how many of the rows that an aggregation leaves out are reported one by one: 100. All are counted.
const RowErrorsMax = aggregation.RowErrorsMax

// AggregateOptions say how an aggregation reads and what it may do. The zero AggregateOptions are a full aggregation
// as the source is configured.
type AggregateOptions struct {
	// Delimiter overrides the source's delimiter; see [delimited.ParseDelimiter].
	Delimiter string
	// Delta says that the data holds only some of the accounts: none is removed for not being there.
	Delta bool
	// DryRun says in the result what the aggregation would do, and changes nothing. It takes the locks of an
	// aggregation while it compares; the result has no Task.
	DryRun bool
	// Unchanged requests the processing of everybody with an account on the source, also of those in whose accounts
	// nothing changed.
	Unchanged bool
	// AcceptMissing are attributes that the data may lack though accounts have values of them, which they lose.
	AcceptMissing []string
	// MaxDeletions overrides the source's deleteThreshold.
	MaxDeletions *DeletionLimit
	// MaxObjects overrides the most that one aggregation reads; 0 stands for that of [Config].
	MaxObjects int
	// Progress, if set, is called now and then with the number of rows read so far, by another goroutine.
	Progress func(rows int)
}

// RowError says why a row of the data was left out.
type RowError struct {
	Line int    `json:"line"`
	Msg  string `json:"message"`
}

// AggregateResult says what an aggregation did.
type AggregateResult struct {
	Source       string     `json:"source"`
	Rows         int        `json:"rows"`       // read, without those left out
	Added        int        `json:"added"`      // accounts
	Changed      int        `json:"changed"`    // accounts
	Unchanged    int        `json:"unchanged"`  // accounts
	Removed      int        `json:"removed"`    // accounts
	Renamed      int        `json:"renamed"`    // accounts that the source calls differently; they are changed too
	Correlated   int        `json:"correlated"` // accounts that found their identity
	Moved        int        `json:"moved"`      // accounts that found another identity than before
	Ambiguous    int        `json:"ambiguous"`  // added accounts that several identities fit, and that none got
	Waiting      int        `json:"waiting"`    // added accounts that may belong to the person of another new one
	Identities   int        `json:"identities"` // created
	Orphaned     int        `json:"orphaned"`   // identities that the authoritative source does not have any more
	Entitlements int        `json:"entitlements"`
	Faulty       int        `json:"faulty"` // rows left out
	RowErrors    []RowError `json:"rowErrors"`
	// Task is the task that processes the identities concerned, "" when there are none.
	Task string `json:"task,omitempty"`
	// DryRun says that the aggregation would do this: it was a dry run.
	DryRun bool     `json:"dryRun,omitempty"`
	Notes  []string `json:"notes"`
}

// options returns the options as package aggregation takes them.
func (o *AggregateOptions) options() aggregation.Options { return aggregation.Options(*o) }

// aggregateResult makes the published shape of what an aggregation did.
func aggregateResult(r *aggregation.Result) AggregateResult {
	result := AggregateResult{Source: r.Source, Rows: r.Rows, Added: r.Added, Changed: r.Changed,
		Unchanged: r.Unchanged, Removed: r.Removed, Correlated: r.Correlated, Moved: r.Moved, Ambiguous: r.Ambiguous,
		Identities: r.Identities, Entitlements: r.Entitlements, Faulty: r.Faulty, Task: r.Task, Notes: r.Notes,
		Renamed: r.Renamed, Waiting: r.Waiting, Orphaned: r.Orphaned, DryRun: r.DryRun}
	if r.RowErrors != nil {
		result.RowErrors = []RowError{}
	}
	for _, row := range r.RowErrors {
		result.RowErrors = append(result.RowErrors, RowError(row))
	}
	return result
}

// Aggregate reads the accounts of a source, named by ID or by name, from delimited text. New accounts are correlated to
// identities, or become identities where the source is authoritative. Accounts that differ are updated. Accounts that
// are not in the text are removed, unless it is a delta or they are more than the limit allows: then the error wraps a
// [*DeletionLimitError] and nothing is changed. An account that the source has under another name is the same account
// where it has the same stable identity. A row that cannot be read is left out and reported; the rest still counts.
// Where no row can be read, or the text lacks a column that accounts have values of, nothing is changed: the error is a
// Conflict that wraps a [*FaultyRowsError] or a [*LostAttributesError]. A text with more objects than [Config] allows
// is refused, and nothing of it is stored: the kind of the error is Conflict. The processing of the identities
// concerned is requested. All of it is one transaction; text of any size is read with bounded memory, by another
// goroutine until the end of the text. A text that ends within a row is refused, and so is one that a read of r cannot
// finish; a read that blocks keeps Aggregate waiting after the end of ctx, so give a pipe by [delimited.NewStream].
func (e *Engine) Aggregate(ctx context.Context, source string, r io.Reader,
	options AggregateOptions,
) (AggregateResult, error) {
	rewind := rewinder(r)
	w := e.aggregate(source, r, options, rewind)
	if rewind != nil {
		return w.run(ctx)
	}
	// A text that cannot be read twice is tried once.
	var result AggregateResult
	err := store.InTx(ctx, e.tenant.Pool, pgx.TxOptions{}, func(tx pgx.Tx) (err error) {
		result, err = w.do(ctx, tx)
		return err
	})
	return result, fault.Wrap(w.op, source, err)
}

// AggregateTx is [Engine.Aggregate] in the caller's transaction.
//
// Until the transaction ends, other aggregations of the source wait for it, and so does all processing: end it soon.
// Two transactions that aggregate several sources in different orders wait for each other. The database then ends one
// of them: the error is of the kind Unavailable, and the transaction has to be rolled back and run again from its
// start. Transactions that aggregate their sources in the same order do not wait for each other in this way.
func (e *Engine) AggregateTx(ctx context.Context, tx pgx.Tx, source string, r io.Reader,
	options AggregateOptions,
) (AggregateResult, error) {
	return e.aggregate(source, r, options, nil).runIn(ctx, tx)
}

// aggregate sets r back before each attempt, unless rewind is nil.
func (e *Engine) aggregate(source string, r io.Reader, options AggregateOptions, rewind func() error,
) writeOf[AggregateResult] {
	const op = "aggregate"
	return writeOf[AggregateResult]{e, op, source, func(ctx context.Context, tx pgx.Tx) (AggregateResult, error) {
		if rewind != nil {
			if err := rewind(); err != nil {
				return AggregateResult{}, err
			}
		}
		result, err := e.aggregator.Aggregate(ctx, tx, source, r, rewind != nil, options.options())
		return aggregateResult(&result), err
	}}
}

// rewinder returns a function that sets r back to where it stands now, or nil if r cannot be set back.
func rewinder(r io.Reader) func() error {
	seeker, ok := r.(io.Seeker)
	if !ok {
		return nil
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil { // a pipe
		return nil
	}
	return func() error {
		_, err := seeker.Seek(start, io.SeekStart)
		return err
	}
}
