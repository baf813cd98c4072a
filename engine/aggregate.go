package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/store"
)

// RowErrorsMax is how many faulty rows an aggregation reports one by one; it counts them all.
const RowErrorsMax = 100

// NativeIdentityLengthMax and EntitlementLengthMax are how many bytes a native identity and the value of an entitlement
// may have: both are found by an index.
const (
	NativeIdentityLengthMax = store.KeyLengthMax
	EntitlementLengthMax    = store.KeyLengthMax
)

// DeletionLimit is how many accounts a full aggregation may remove: so many, or so many percent of those there are.
type DeletionLimit struct {
	Count   int
	Percent int
	// IsPercent says which of the two counts.
	IsPercent bool
}

// ParseDeletionLimit reads a limit: "25" accounts, or "10%" of them.
func ParseDeletionLimit(text string) (DeletionLimit, error) {
	number, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 0 || isPercent && n > 100 {
		return DeletionLimit{}, fmt.Errorf("%q is no limit of deletions: a number of accounts such as 25, or a "+
			"share such as 10%%, is", text)
	}
	if isPercent {
		return DeletionLimit{Percent: n, IsPercent: true}, nil
	}
	return DeletionLimit{Count: n}, nil
}

func (l DeletionLimit) String() string {
	if l.IsPercent {
		return strconv.Itoa(l.Percent) + "%"
	}
	return strconv.Itoa(l.Count)
}

func (l DeletionLimit) allows(vanished, accounts int) bool {
	if l.IsPercent {
		return vanished*100 <= l.Percent*accounts
	}
	return vanished <= l.Count
}

// DeletionLimitError says that an aggregation was refused, and changed nothing, because it would have removed more
// accounts than its limit allows.
type DeletionLimitError struct {
	Vanished, Accounts int
	Limit              DeletionLimit
}

func (e *DeletionLimitError) Error() string {
	return fmt.Sprintf("%d of %d accounts (%.1f %%) are not in the data any more, and no more than %s may be removed: "+
		"nothing was changed; look at the data, raise the limit if it is right, or aggregate it as a delta",
		e.Vanished, e.Accounts, 100*float64(e.Vanished)/float64(max(e.Accounts, 1)), e.Limit)
}

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

func (o *AggregateOptions) validate(source string) error {
	if o.MaxObjects < 0 {
		return invalid("aggregate", source,
			"MaxObjects is %d: it must be 1 or more, or 0 for that of the configuration", o.MaxObjects)
	}
	return nil
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
	var result AggregateResult
	attempt := func(tx pgx.Tx, repeatable bool) (err error) {
		result, err = e.aggregate(ctx, tx, source, r, repeatable, options)
		return err
	}
	var err error
	if rewind, seekable := r.(io.Seeker); seekable {
		var start int64
		if start, err = rewind.Seek(0, io.SeekCurrent); err == nil {
			err = e.inTx(ctx, func(tx pgx.Tx) error {
				if _, err := rewind.Seek(start, io.SeekStart); err != nil {
					return err
				}
				return attempt(tx, true)
			})
			return result, wrap("aggregate", source, err)
		}
	}
	// What cannot be read twice is tried once.
	err = store.InTx(ctx, e.pool, pgx.TxOptions{}, func(tx pgx.Tx) error { return attempt(tx, false) })
	return result, wrap("aggregate", source, err)
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
	result, err := e.aggregate(ctx, tx, source, r, false, options)
	return result, wrap("aggregate", source, err)
}

// aggregate aggregates text. repeatable says that the transaction is run again, and the text read again, where another
// aggregation changed the source's accounts meanwhile.
func (e *Engine) aggregate(ctx context.Context, tx pgx.Tx, name string, r io.Reader, repeatable bool,
	options AggregateOptions,
) (AggregateResult, error) {
	if err := options.validate(name); err != nil {
		return AggregateResult{}, err
	}
	c, source, err := e.sourceFor(ctx, tx, name)
	if err != nil {
		return AggregateResult{}, err
	}
	reading, err := e.textReading(source, r, options)
	if err != nil {
		return AggregateResult{}, &Error{Kind: Invalid, Op: "aggregate", Subject: name, Err: err}
	}
	reading.repeatable = repeatable
	return e.aggregateRead(ctx, tx, c.version, source, reading, options, nil)
}

// aggregateRead brings the accounts of a source, as it is configured at a version, up to what is read. gone, which is
// filled while reading, are the native identities of accounts that the source says are gone.
func (e *Engine) aggregateRead(ctx context.Context, tx pgx.Tx, known int64, source *configuredSource, reading *reading,
	options AggregateOptions, gone func() []string,
) (AggregateResult, error) {
	staged, err := e.store.Stage(ctx, tx, source.id, !source.profile.IsZero(), reading.repeatable, reading.next)
	if err != nil {
		return AggregateResult{}, err
	}
	// Only now, with the data read, are locks taken: reading may take long.
	version, err := e.store.ConfigurationVersion(ctx, tx)
	if err != nil {
		return AggregateResult{}, err
	}
	if version != known {
		return AggregateResult{}, &Error{
			Kind: Conflict, Op: "aggregate", Subject: source.Name,
			Err: errors.New("the configuration changed while the data was read: aggregate again"),
		}
	}
	if err := e.store.KeepIdentities(ctx, tx); err != nil {
		return AggregateResult{}, err
	}
	if err := e.store.LockSource(ctx, tx, source.id); err != nil {
		return AggregateResult{}, err
	}
	duplicates, err := e.store.DropDuplicates(ctx, tx)
	if err != nil {
		return AggregateResult{}, err
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
	err = e.merge(ctx, tx, source, reading, options, &result)
	return result, err
}

// sourceFor returns the current configuration and the source of a name. It takes no lock that outlasts it.
func (e *Engine) sourceFor(ctx context.Context, tx pgx.Tx, name string) (*configuration, *configuredSource, error) {
	rows, err := e.store.LoadConfiguration(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	c, err := e.compile(rows)
	if err != nil {
		return nil, nil, err
	}
	source := c.sourceByName(name)
	if source == nil {
		return nil, nil, c.noSource("aggregate", name)
	}
	return c, source, nil
}

// merge brings the accounts of the source up to what was read.
func (e *Engine) merge(ctx context.Context, tx pgx.Tx, source *configuredSource, reading *reading,
	options AggregateOptions,
	result *AggregateResult,
) error {
	cause := store.Cause{Task: store.NewID(), At: e.now()}
	if options.Delta && reading.staged.Differing < reading.staged.Rows {
		if err := e.store.DemandSeen(ctx, tx, source.id); err != nil {
			return err
		}
	}
	if err := e.removeVanished(ctx, tx, source, reading, options, result, cause); err != nil {
		return err
	}
	var changes store.AccountChanges
	var fresh store.NewAccounts
	update := func() (err error) {
		changes, err = e.store.UpdateChanged(ctx, tx, source.id, cause)
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
		if fresh, err = e.store.InsertNew(ctx, tx, source.id, source.profile, cause); err != nil {
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
		added, err := e.store.AddEntitlements(ctx, tx, source.id, values, cause.At)
		if err != nil {
			return err
		}
		result.Entitlements = added
	}
	late, err := e.store.CorrelateSource(ctx, tx, source.id, cause)
	if err != nil {
		return err
	}
	adopted, err := e.adopt(ctx, tx, source, cause)
	if err != nil {
		return err
	}
	result.Changed, result.Moved = changes.Changed, changes.Moved
	result.Added, result.Identities, result.Ambiguous = fresh.Accounts, fresh.Identities+adopted, fresh.Ambiguous
	result.Correlated = fresh.Correlated + late
	result.Unchanged = result.Rows - result.Changed - result.Added
	description := fmt.Sprintf("Process after the aggregation of %q", source.Name)
	result.Task, _, err = e.launchMarked(ctx, tx, cause, description, func() (int64, error) {
		if options.Delta {
			return e.store.CountCorrelated(ctx, tx, source.id)
		}
		// Those that were removed are taken to have had one.
		return int64(max(reading.correlated-result.Removed, 0) + result.Correlated + result.Identities), nil
	})
	return err
}

// adopt makes identities of the uncorrelated accounts of an authoritative source that find nobody: those that were
// there before the source had a profile.
func (e *Engine) adopt(ctx context.Context, tx pgx.Tx, source *configuredSource, cause store.Cause) (
	int, error,
) {
	if source.profile.IsZero() {
		return 0, nil
	}
	total := 0
	for last := (store.ID{}); ; {
		page, err := e.store.UncorrelatedAccounts(ctx, tx, source.id, last, pageSize)
		if err != nil || len(page) == 0 {
			return total, err
		}
		adopted, err := e.store.AdoptUncorrelated(ctx, tx, source.id, source.profile, page, cause)
		if err != nil {
			return total, err
		}
		total += adopted
		last = page[len(page)-1].AccountID
	}
}

// removeVanished removes the accounts that the data does not have, if it is complete and the limit allows it.
func (e *Engine) removeVanished(ctx context.Context, tx pgx.Tx, source *configuredSource, reading *reading,
	options AggregateOptions, result *AggregateResult, cause store.Cause,
) (err error) {
	if options.Delta && len(reading.gone) == 0 {
		return nil
	}
	before, err := e.store.CountVanished(ctx, tx, source.id, reading.spared)
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
	limit := DeletionLimit{Percent: DeleteThresholdDefault, IsPercent: true}
	if source.DeleteThreshold != nil {
		limit.Percent = *source.DeleteThreshold
	}
	if options.MaxDeletions != nil {
		limit = *options.MaxDeletions
	}
	if !limit.allows(vanished, before.Accounts) {
		return &Error{
			Kind: Conflict, Op: "aggregate", Subject: source.Name,
			Err: &DeletionLimitError{Vanished: vanished, Accounts: before.Accounts, Limit: limit},
		}
	}
	if options.Delta {
		result.Removed, err = e.store.DeleteNamed(ctx, tx, source.id, reading.gone, cause)
		return err
	}
	result.Removed, err = e.store.DeleteVanished(ctx, tx, source.id, reading.spared, cause)
	return err
}

// reading turns the objects of a source into accounts.
type reading struct {
	source       *configuredSource
	objects      func() (*connector.Object, error) // [io.EOF] after the last
	entitling    map[string]bool                   // the entitlement attributes
	progress     func(int)
	count        int
	most         int
	result       AggregateResult
	spared       []string // native identities of faulty objects: their accounts have not vanished
	unknown      int      // faulty objects of which the native identity cannot be told
	gone         []string // native identities of accounts that the source says are gone
	entitlements map[store.EntitlementValue]struct{}
	staged       store.Staged
	repeatable   bool // what is read can be read again
	duplicates   bool // rows were left out because an earlier one has their account
	correlated   int  // accounts that had an identity before; not counted for a delta

	account store.StagedAccount
}

func (e *Engine) newReading(source *configuredSource, objects func() (*connector.Object, error),
	options AggregateOptions,
) *reading {
	r := &reading{
		source: source, objects: objects, progress: options.Progress, entitling: map[string]bool{},
		most:         cmp.Or(options.MaxObjects, e.config.Objects),
		entitlements: map[store.EntitlementValue]struct{}{},
		result:       AggregateResult{RowErrors: []RowError{}, Notes: []string{}},
	}
	if schema := source.accountSchema(); schema != nil {
		for _, a := range schema.Attributes {
			r.entitling[a.Name] = a.IsEntitlement
		}
	}
	return r
}

// textReading reads the accounts of delimited text.
func (e *Engine) textReading(source *configuredSource, r io.Reader, options AggregateOptions) (*reading, error) {
	settings, err := delimited.ParseSettings(source.ConnectorAttributes)
	if err != nil {
		return nil, err
	}
	if options.Delimiter != "" {
		if _, err := delimited.ParseDelimiter(options.Delimiter); err != nil {
			return nil, err
		}
		settings.Delimiter = options.Delimiter
	}
	objects, err := delimited.NewObjects(r, settings, source.accountSchema())
	if err != nil {
		return nil, err
	}
	reader := e.newReading(source, objects.Next, options)
	reader.result.Notes = append(reader.result.Notes, objects.Notes()...)
	return reader, nil
}

// progressEvery is how many rows pass between two reports of progress.
const progressEvery = 1000

// next returns the next account that can be read. It implements [store.StageRows].
func (r *reading) next() (*store.StagedAccount, bool, error) {
	for {
		object, err := r.objects()
		if errors.Is(err, io.EOF) {
			if r.progress != nil {
				r.progress(r.count)
			}
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if r.count >= r.most {
			return nil, false, r.tooMany()
		}
		if r.count++; r.progress != nil && r.count%progressEvery == 0 {
			r.progress(r.count)
		}
		if fault := r.read(object); fault != "" {
			r.fault(object.Line, fault)
			r.spare(object.NativeIdentity)
			continue
		}
		return &r.account, true, nil
	}
}

// tooMany is the error of a source with more objects than are allowed.
func (r *reading) tooMany() error {
	return &Error{Kind: Conflict, Op: "aggregate", Subject: r.source.Name, Err: fmt.Errorf(
		"there are more than %d objects: nothing was changed; look at the source, and raise the limit if it is right",
		r.most)}
}

func (r *reading) fault(line int, msg string) {
	r.result.Faulty++
	if len(r.result.RowErrors) < RowErrorsMax {
		r.result.RowErrors = append(r.result.RowErrors, RowError{line, msg})
	}
}

// spare keeps the account of a faulty object from counting as vanished.
func (r *reading) spare(native string) {
	if native == "" || !store.Storable(native) || len(native) > NativeIdentityLengthMax {
		r.unknown++
		return
	}
	r.spared = append(r.spared, strings.Clone(native))
}

// read makes the account of an object. It returns what is wrong with it, "" for nothing.
func (r *reading) read(object *connector.Object) string {
	native := object.NativeIdentity
	switch {
	case object.Fault != "":
		return object.Fault
	case native == "":
		return "the object has no native identity"
	case len(native) > NativeIdentityLengthMax:
		return fmt.Sprintf("the native identity is longer than %d bytes", NativeIdentityLengthMax)
	case !store.Storable(native) || !store.Storable(object.Name):
		return "the native identity or the name is no UTF-8 text without NUL characters"
	}
	for name, value := range object.Attributes.All() {
		if !store.Storable(name) {
			return "the name of an attribute is no UTF-8 text without NUL characters"
		}
		if value.Kind() == attribute.KindNumber {
			if err := checkNumber(value.Text()); err != nil {
				return fmt.Sprintf("the attribute %q: %v", name, err)
			}
		}
		for _, text := range value.Strings() {
			if !store.Storable(text) {
				return fmt.Sprintf("the attribute %q is no UTF-8 text without NUL characters", name)
			}
			if !r.entitling[name] {
				continue
			}
			if err := r.noteEntitlement(name, text); err != nil {
				return fmt.Sprintf("the attribute %q: %v", name, err)
			}
		}
	}
	r.source.stage(&r.account, object)
	return ""
}

// stage makes the row of an object, in the memory of the one before.
func (s *configuredSource) stage(a *store.StagedAccount, object *connector.Object) {
	a.Line, a.NativeIdentity, a.Name = int64(object.Line), object.NativeIdentity, object.NativeIdentity
	if object.Name != "" {
		a.Name = object.Name
	}
	a.Attributes = object.Attributes.AppendJSON(a.Attributes[:0])
	a.CorrelationKeys = s.correlationKeys(object.NativeIdentity, &object.Attributes)
	a.Fingerprint = fingerprint(a)
}

func (r *reading) noteEntitlement(name, value string) error {
	if len(value) > EntitlementLengthMax {
		return fmt.Errorf("an entitlement is longer than %d bytes", EntitlementLengthMax)
	}
	key := store.EntitlementValue{Attribute: name, Value: value}
	if _, known := r.entitlements[key]; !known {
		key.Value = strings.Clone(value) // the object's memory is used again
		r.entitlements[key] = struct{}{}
	}
	return nil
}

// fingerprint digests everything of an account that is stored, so that one comparison tells whether it changed.
func fingerprint(a *store.StagedAccount) store.ID {
	digest := sha256.New()
	digest.Write(a.Attributes)
	for _, text := range append([]string{a.Name}, a.CorrelationKeys...) {
		digest.Write([]byte{0})
		digest.Write([]byte(text))
	}
	var sum [sha256.Size]byte
	digest.Sum(sum[:0])
	return store.ID(sum[:16])
}
