package engine

import (
	"context"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/aggregation"
	"github.com/muster-engine/muster/store"
)

// RowErrorsMax is how many of the rows that an aggregation leaves out are reported.
const RowErrorsMax = aggregation.RowErrorsMax

// AggregateOptions say how an aggregation reads and what it may do. The zero AggregateOptions are a full aggregation
// as the source is configured.
type AggregateOptions struct {
	// Delimiter overrides the source's delimiter; see [delimited.ParseDelimiter].
	Delimiter string
	// Delta says that the data holds only some of the accounts: none is removed for not being there.
	Delta bool
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
	Correlated   int        `json:"correlated"` // accounts that found their identity
	Moved        int        `json:"moved"`      // accounts that found another identity than before
	Ambiguous    int        `json:"ambiguous"`  // added accounts that several identities fit, and that none got
	Identities   int        `json:"identities"` // created
	Entitlements int        `json:"entitlements"`
	Faulty       int        `json:"faulty"` // rows left out
	RowErrors    []RowError `json:"rowErrors"`
	// Task is the task that processes the identities concerned, "" when there are none.
	Task  string   `json:"task,omitempty"`
	Notes []string `json:"notes"`
}

// options returns the options as the room of aggregation takes them.
func (o *AggregateOptions) options() aggregation.Options { return aggregation.Options(*o) }

// aggregateResult makes the published shape of what an aggregation did.
func aggregateResult(r *aggregation.Result) AggregateResult {
	result := AggregateResult{Source: r.Source, Rows: r.Rows, Added: r.Added, Changed: r.Changed,
		Unchanged: r.Unchanged, Removed: r.Removed, Correlated: r.Correlated, Moved: r.Moved, Ambiguous: r.Ambiguous,
		Identities: r.Identities, Entitlements: r.Entitlements, Faulty: r.Faulty, Task: r.Task, Notes: r.Notes}
	if r.RowErrors != nil {
		result.RowErrors = []RowError{}
	}
	for _, row := range r.RowErrors {
		result.RowErrors = append(result.RowErrors, RowError(row))
	}
	return result
}

// Aggregate reads the accounts of a source, named by ID or by name, from delimited text. New accounts are correlated
// to identities, or become identities where the source is authoritative; changed ones are brought up; those that are
// not in the text are removed, unless it is a delta or more than the limit allows: then the error wraps a
// [*DeletionLimitError] and nothing is changed. A row that cannot be read is left out and reported; the rest still
// counts. One with more objects than [Config] allows is refused, and nothing of it is kept: the kind of the error is
// Conflict. The identities concerned are marked for a refresh. All of it is one transaction; text of any size is read
// with bounded memory, by another goroutine until the end of the text.
func (e *Engine) Aggregate(ctx context.Context, source string, r io.Reader,
	options AggregateOptions,
) (AggregateResult, error) {
	var result aggregation.Result
	attempt := func(tx pgx.Tx, repeatable bool) (err error) {
		result, err = e.aggregator.Aggregate(ctx, tx, source, r, repeatable, options.options())
		return err
	}
	var err error
	if rewind, seekable := r.(io.Seeker); seekable {
		var start int64
		if start, err = rewind.Seek(0, io.SeekCurrent); err == nil {
			err = e.tenant.InTx(ctx, func(tx pgx.Tx) error {
				if _, err := rewind.Seek(start, io.SeekStart); err != nil {
					return err
				}
				return attempt(tx, true)
			})
			return aggregateResult(&result), fault.Wrap("aggregate", source, err)
		}
	}
	// What cannot be read twice is tried once.
	err = store.InTx(ctx, e.tenant.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error { return attempt(tx, false) })
	return aggregateResult(&result), fault.Wrap("aggregate", source, err)
}

// AggregateTx is [Engine.Aggregate] in the caller's transaction, in which it keeps temporary tables until that ends.
//
// Until the transaction ends, other aggregations of the source wait for it, and so does all processing: end it soon.
// Two transactions that aggregate several sources in different orders wait for each other. The database then ends one
// of them: the error is of the kind Unavailable, and the transaction has to be rolled back and run again from its
// start. Those that aggregate their sources in the same order do not meet so.
func (e *Engine) AggregateTx(ctx context.Context, tx pgx.Tx, source string, r io.Reader,
	options AggregateOptions,
) (AggregateResult, error) {
	result, err := e.aggregator.Aggregate(ctx, tx, source, r, false, options.options())
	return aggregateResult(&result), fault.Wrap("aggregate", source, err)
}
