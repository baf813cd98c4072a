package aggregation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// RowErrorsMax is how many faulty rows an aggregation reports one by one; it counts them all.
const RowErrorsMax = 100

// Options say how an aggregation reads and what it may do. The zero AggregateOptions are a full aggregation
// as the source is configured.
type Options struct {
	// Delimiter overrides the source's delimiter; see [delimited.ParseDelimiter].
	Delimiter string
	// Delta says that the data holds only some of the accounts: none is removed for not being there.
	Delta bool
	// MaxDeletions overrides the source's deleteThreshold.
	MaxDeletions *configuration.DeletionLimit
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

func (o *Options) validate(source string) error {
	if o.MaxObjects < 0 {
		return fault.Invalidf("aggregate", source,
			"MaxObjects is %d: it must be 1 or more, or 0 for that of the configuration", o.MaxObjects)
	}
	return nil
}

// Result says what an aggregation did.
type Result struct {
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

// Aggregate aggregates text. repeatable says that the transaction is run again, and the text read again, where another
// aggregation changed the source's accounts meanwhile.
func (a *Aggregator) Aggregate(ctx context.Context, tx pgx.Tx, name string, r io.Reader, repeatable bool,
	options Options,
) (Result, error) {
	if err := options.validate(name); err != nil {
		return Result{}, err
	}
	c, source, err := a.sourceFor(ctx, tx, name)
	if err != nil {
		return Result{}, err
	}
	reading, err := a.textReading(source, r, options)
	if err != nil {
		return Result{}, &fault.Error{Kind: fault.Invalid, Op: "aggregate", Subject: name, Err: err}
	}
	reading.repeatable = repeatable
	return a.aggregateRead(ctx, tx, c.Version, source, reading, options, nil)
}

// aggregateRead brings the accounts of a source, as it is configured at a version, up to what is read. gone, which is
// filled while reading, are the native identities of accounts that the source says are gone.
func (a *Aggregator) aggregateRead(ctx context.Context, tx pgx.Tx, known int64, source *configuration.CompiledSource, reading *reading,
	options Options, gone func() []string,
) (Result, error) {
	staged, err := a.Store.Stage(ctx, tx, source.RowID, !source.ProfileID.IsZero(), reading.repeatable, reading.next)
	if err != nil {
		return Result{}, err
	}
	// Only now, with the data read, are locks taken: reading may take long.
	version, err := a.Store.LockConfigurationShared(ctx, tx)
	if err != nil {
		return Result{}, err
	}
	if version != known {
		return Result{}, &fault.Error{
			Kind: fault.Conflict, Op: "aggregate", Subject: source.Name,
			Err: errors.New("the configuration changed while the data was read: aggregate again"),
		}
	}
	if err := a.Store.LockDeletionsShared(ctx, tx); err != nil {
		return Result{}, err
	}
	if err := a.Store.LockSource(ctx, tx, source.RowID); err != nil {
		return Result{}, err
	}
	duplicates, err := a.Store.DropDuplicates(ctx, tx)
	if err != nil {
		return Result{}, err
	}
	for _, d := range duplicates {
		reading.fault(int(d.Line), fmt.Sprintf("its account is the same as that of line %d", d.First))
	}
	reading.staged, reading.duplicates = staged, len(duplicates) > 0
	result := reading.result
	result.Source, result.Rows = source.Name, int(staged.Rows)-len(duplicates)
	if gone != nil {
		reading.gone = gone()
	}
	err = a.merge(ctx, tx, source, reading, options, &result)
	return result, err
}

// sourceFor returns the current configuration and the source of a name. It takes no lock that outlasts it.
func (a *Aggregator) sourceFor(ctx context.Context, tx pgx.Tx, name string) (*configuration.Configuration, *configuration.CompiledSource, error) {
	rows, err := a.Store.LoadConfiguration(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	c, err := a.Compile(rows)
	if err != nil {
		return nil, nil, err
	}
	source := c.SourceByName(name)
	if source == nil {
		return nil, nil, c.NoSource("aggregate", name)
	}
	return c, source, nil
}

// merge brings the accounts of the source up to what was read.
func (a *Aggregator) merge(ctx context.Context, tx pgx.Tx, source *configuration.CompiledSource, reading *reading,
	options Options,
	result *Result,
) error {
	cause := store.Cause{Task: store.NewID(), At: a.Now()}
	if options.Delta && reading.staged.Differing < reading.staged.Rows {
		if err := a.Store.DemandSeen(ctx, tx, source.RowID); err != nil {
			return err
		}
	}
	if err := a.removeVanished(ctx, tx, source, reading, options, result, cause); err != nil {
		return err
	}
	var changes store.AccountChanges
	var fresh store.NewAccounts
	update := func() (err error) {
		changes, err = a.Store.UpdateChanged(ctx, tx, source.RowID, cause)
		return err
	}
	// Whoever else wrote to the source since the rows were compared has ended. What they brought in is no new account
	// any more, and what they removed is one.
	staged := reading.staged
	if staged.Known > 0 || reading.duplicates {
		if err := update(); err != nil {
			return err
		}
	}
	if int64(changes.Changed) < staged.Differing {
		var err error
		if fresh, err = a.Store.InsertNew(ctx, tx, source.RowID, source.ProfileID, cause); err != nil {
			return err
		}
	}
	if staged.Known == 0 && !reading.duplicates && int64(fresh.Accounts) < staged.Differing {
		if err := update(); err != nil {
			return err
		}
	}
	if len(reading.entitlements) > 0 {
		values := slices.SortedFunc(maps.Keys(reading.entitlements), func(a, b store.EntitlementValue) int {
			return strings.Compare(a.Attribute+"\x00"+a.Value, b.Attribute+"\x00"+b.Value)
		})
		added, err := a.Store.AddEntitlements(ctx, tx, source.RowID, values, cause.At)
		if err != nil {
			return err
		}
		result.Entitlements = added
	}
	late, err := a.Store.CorrelateSource(ctx, tx, source.RowID, cause)
	if err != nil {
		return err
	}
	adopted, err := a.Adopt(ctx, tx, source, cause)
	if err != nil {
		return err
	}
	result.Changed, result.Moved = changes.Changed, changes.Moved
	result.Added, result.Identities, result.Ambiguous = fresh.Accounts, fresh.Identities+adopted, fresh.Ambiguous
	result.Correlated = fresh.Correlated + late
	result.Unchanged = result.Rows - result.Changed - result.Added
	description := fmt.Sprintf("Process after the aggregation of %q", source.Name)
	result.Task, _, err = a.LaunchRequested(ctx, tx, cause, description, func() (int64, error) {
		if options.Delta {
			return a.Store.CountCorrelated(ctx, tx, source.RowID)
		}
		// Those that were removed are taken to have had one.
		return int64(max(reading.correlated-result.Removed, 0) + result.Correlated + result.Identities), nil
	})
	return err
}

// removeVanished removes the accounts that the data does not have, if it is complete and the limit allows it.
func (a *Aggregator) removeVanished(ctx context.Context, tx pgx.Tx, source *configuration.CompiledSource, reading *reading,
	options Options, result *Result, cause store.Cause,
) (err error) {
	if options.Delta && len(reading.gone) == 0 {
		return nil
	}
	before, err := a.Store.CountVanished(ctx, tx, source.RowID, reading.spared)
	reading.correlated = before.Correlated
	vanished := before.Vanished
	if options.Delta {
		vanished = len(reading.gone)
	}
	if err != nil || vanished == 0 {
		return err
	}
	if reading.unknown > 0 && !options.Delta {
		result.Notes = append(result.Notes, fmt.Sprintf("%d accounts are not in the data, but were kept: "+
			"it is not known whose the %d rows are that could not be read", vanished, reading.unknown))
		return nil
	}
	limit := configuration.DeletionLimit{Percent: configuration.DeleteThresholdDefault, IsPercent: true}
	if source.DeleteThreshold != nil {
		limit.Percent = *source.DeleteThreshold
	}
	if options.MaxDeletions != nil {
		limit = *options.MaxDeletions
	}
	if !configuration.DeletionAllowed(limit, vanished, before.Accounts) {
		return &fault.Error{
			Kind: fault.Conflict, Op: "aggregate", Subject: source.Name,
			Err: &configuration.DeletionLimitError{Vanished: vanished, Accounts: before.Accounts, Limit: limit},
		}
	}
	if options.Delta {
		result.Removed, err = a.Store.DeleteNamed(ctx, tx, source.RowID, reading.gone, cause)
		return err
	}
	result.Removed, err = a.Store.DeleteVanished(ctx, tx, source.RowID, reading.spared, cause)
	return err
}
