package engine

import (
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
	// Delimiter overrides the source's delimiter; see [ParseDelimiter].
	Delimiter string
	// Delta says that the data holds only some of the accounts: none is removed for not being there.
	Delta bool
	// MaxDeletions overrides the source's deleteThreshold.
	MaxDeletions *DeletionLimit
	// Progress, if set, is called now and then with the number of rows read so far.
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

// Aggregate reads the accounts of a source, named by ID or by name, from delimited text. New accounts are correlated
// to identities, or become identities where the source is authoritative; changed ones are brought up; those that are
// not in the text are removed, unless it is a delta or more than the limit allows: then the error wraps a
// [*DeletionLimitError] and nothing is changed. A row that cannot be read is left out and reported; the rest still
// counts. The identities concerned are marked for a refresh. All of it is one transaction; text of any size is read
// with bounded memory.
func (e *Engine) Aggregate(ctx context.Context, source string, r io.Reader,
	options AggregateOptions,
) (AggregateResult, error) {
	var result AggregateResult
	attempt := func(tx pgx.Tx) (err error) {
		result, err = e.aggregate(ctx, tx, source, r, options)
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
				return attempt(tx)
			})
			return result, wrap("aggregate", source, err)
		}
	}
	// What cannot be read twice is tried once.
	return result, wrap("aggregate", source, pgx.BeginFunc(ctx, e.pool, attempt))
}

// AggregateTx is [Engine.Aggregate] in the caller's transaction, in which it keeps a temporary table until that ends.
func (e *Engine) AggregateTx(ctx context.Context, tx pgx.Tx, source string, r io.Reader,
	options AggregateOptions,
) (AggregateResult, error) {
	result, err := e.aggregate(ctx, tx, source, r, options)
	return result, wrap("aggregate", source, err)
}

func (e *Engine) aggregate(ctx context.Context, tx pgx.Tx, name string, r io.Reader,
	options AggregateOptions,
) (AggregateResult, error) {
	c, source, err := e.sourceFor(ctx, tx, name)
	if err != nil {
		return AggregateResult{}, err
	}
	reading, err := newReading(source, r, options)
	if err != nil {
		return AggregateResult{}, &Error{Kind: Invalid, Op: "aggregate", Subject: name, Err: err}
	}
	staged, err := e.store.Stage(ctx, tx, reading.next)
	if err != nil {
		return AggregateResult{}, err
	}
	// Only now, with the data read, are locks taken: reading may take long.
	version, err := e.store.ConfigurationVersion(ctx, tx)
	if err != nil {
		return AggregateResult{}, err
	}
	if version != c.version {
		return AggregateResult{}, &Error{
			Kind: Conflict, Op: "aggregate", Subject: name,
			Err: errors.New("the configuration changed while the data was read: aggregate again"),
		}
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
	result := reading.result
	result.Source, result.Rows = source.Name, int(staged)-len(duplicates)
	err = e.merge(ctx, tx, source, reading, options, &result)
	return result, err
}

// sourceFor returns the current configuration and the source of a name. It takes no lock that outlasts it.
func (e *Engine) sourceFor(ctx context.Context, tx pgx.Tx, name string) (*configuration, *configuredSource, error) {
	rows, err := e.store.LoadConfiguration(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	c, err := compile(rows, e.config.Rules)
	if err != nil {
		return nil, nil, err
	}
	source := c.sourceByName(name)
	if source == nil {
		var names []string
		for _, s := range c.sources {
			names = append(names, strconv.Quote(s.Name))
		}
		slices.Sort(names)
		return nil, nil, &Error{
			Kind: NotFound, Op: "aggregate", Subject: name,
			Err: fmt.Errorf("there is no such source: the sources are %s", listOrNone(names)),
		}
	}
	return c, source, nil
}

// merge brings the accounts of the source up to what was read.
func (e *Engine) merge(ctx context.Context, tx pgx.Tx, source *configuredSource, reading *reading,
	options AggregateOptions,
	result *AggregateResult,
) error {
	cause := store.Cause{Task: store.NewID(), At: e.now()}
	if err := e.removeVanished(ctx, tx, source, reading, options, result, cause); err != nil {
		return err
	}
	changes, err := e.store.UpdateChanged(ctx, tx, source.id, cause)
	if err != nil {
		return err
	}
	fresh, err := e.store.InsertNew(ctx, tx, source.id, source.profile, cause)
	if err != nil {
		return err
	}
	if len(reading.entitlements) > 0 {
		values := slices.SortedFunc(maps.Keys(reading.entitlements), func(a, b store.EntitlementValue) int {
			return strings.Compare(a.Attribute+"\x00"+a.Value, b.Attribute+"\x00"+b.Value)
		})
		if result.Entitlements, err = e.store.AddEntitlements(ctx, tx, source.id, values, cause.At); err != nil {
			return err
		}
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
		return e.store.CountCorrelated(ctx, tx, source.id)
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
) error {
	if options.Delta {
		return nil
	}
	accounts, vanished, err := e.store.CountVanished(ctx, tx, source.id, reading.spared)
	if err != nil || vanished == 0 {
		return err
	}
	if reading.unknown > 0 {
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
	if !limit.allows(vanished, accounts) {
		return &Error{
			Kind: Conflict, Op: "aggregate", Subject: source.Name,
			Err: &DeletionLimitError{Vanished: vanished, Accounts: accounts, Limit: limit},
		}
	}
	result.Removed, err = e.store.DeleteVanished(ctx, tx, source.id, reading.spared, cause)
	return err
}

// column is one column of the data, as the accounts' schema sees it.
type column struct {
	name        string
	at          int
	typ         string
	multi       bool
	entitlement bool
}

// reading turns the rows of the data into accounts.
type reading struct {
	source       *configuredSource
	rows         *delimited.Reader
	columns      []column // in the order of an attribute set
	identityAt   int
	nameAt       int // -1: the native identity is the name
	separator    string
	progress     func(int)
	count        int
	result       AggregateResult
	spared       []string // native identities of faulty rows: their accounts have not vanished
	unknown      int      // faulty rows of which the native identity cannot be told
	entitlements map[store.EntitlementValue]struct{}

	set     attribute.Set
	account store.StagedAccount
}

func newReading(source *configuredSource, r io.Reader, options AggregateOptions) (*reading, error) {
	delimiter, err := source.ConnectorAttributes.delimiter()
	if options.Delimiter != "" {
		delimiter, err = ParseDelimiter(options.Delimiter)
	}
	if err != nil {
		return nil, err
	}
	reader := &reading{
		source: source, progress: options.Progress, nameAt: -1,
		separator:    source.ConnectorAttributes.MultiValueSeparator,
		entitlements: map[store.EntitlementValue]struct{}{},
		result:       AggregateResult{RowErrors: []RowError{}, Notes: []string{}},
	}
	if reader.separator == "" {
		reader.separator = ";"
	}
	names, err := source.columnNames()
	if err != nil {
		return nil, err
	}
	if reader.rows, err = delimited.NewReader(r, delimited.Options{Delimiter: delimiter, Columns: names}); err != nil {
		return nil, err
	}
	return reader, reader.arrange()
}

// columnNames returns the columns of data without a header row, none where it has one.
func (s *Source) columnNames() ([]string, error) {
	c := s.ConnectorAttributes
	if c.HasHeader == nil || bool(*c.HasHeader) {
		return nil, nil
	}
	names := c.ColumnNames
	if schema := s.accountSchema(); len(names) == 0 && schema != nil {
		for _, a := range schema.Attributes {
			names = append(names, a.Name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("the source's data has no header row, and neither connectorAttributes.columnNames " +
			"nor an account " +
			"schema names its columns")
	}
	return names, nil
}

// arrange finds the schema's attributes among the columns.
func (r *reading) arrange() error {
	names := r.rows.Columns()
	position := map[string]int{}
	for i, name := range names {
		position[name] = i
	}
	schema := r.source.accountSchema()
	if schema == nil || len(schema.Attributes) == 0 {
		for i, name := range names {
			r.columns = append(r.columns, column{name: name, at: i, typ: "STRING"})
		}
	} else {
		var absent []string
		for _, a := range schema.Attributes {
			at, found := position[a.Name]
			if !found {
				absent = append(absent, strconv.Quote(a.Name))
				continue
			}
			delete(position, a.Name)
			r.columns = append(r.columns, column{a.Name, at, strings.ToUpper(a.Type), a.IsMulti, a.IsEntitlement})
		}
		r.noteColumns(absent, position)
	}
	slices.SortFunc(r.columns, func(a, b column) int {
		if len(a.name) != len(b.name) {
			return len(a.name) - len(b.name)
		}
		return strings.Compare(a.name, b.name)
	})
	return r.findIdentity(schema, names)
}

func (r *reading) noteColumns(absent []string, ignored map[string]int) {
	if len(absent) > 0 {
		r.result.Notes = append(r.result.Notes,
			"the data has no column for these attributes of the schema: "+strings.Join(absent, ", "))
	}
	if len(ignored) > 0 {
		var names []string
		for name := range ignored {
			names = append(names, strconv.Quote(name))
		}
		slices.Sort(names)
		r.result.Notes = append(r.result.Notes,
			"the schema has no attribute for these columns, which were not read: "+strings.Join(names, ", "))
	}
}

// findIdentity finds the columns with the native identity and with the name.
func (r *reading) findIdentity(schema *Schema, names []string) error {
	identity := names[0]
	if schema != nil && schema.IdentityAttribute != "" {
		identity = schema.IdentityAttribute
	} else {
		r.result.Notes = append(r.result.Notes,
			fmt.Sprintf("the schema has no identityAttribute: the first column, %q, holds the native identity",
				identity))
	}
	r.identityAt = slices.Index(names, identity)
	if r.identityAt < 0 {
		return fmt.Errorf("the data has no column %q, which holds the native identity: its columns are %q", identity,
			names)
	}
	if schema != nil && schema.DisplayAttribute != "" {
		r.nameAt = slices.Index(names, schema.DisplayAttribute)
	}
	return nil
}

// progressEvery is how many rows pass between two reports of progress.
const progressEvery = 1000

// next returns the next account that can be read. It implements [store.StageRows].
func (r *reading) next() (*store.StagedAccount, bool, error) {
	for {
		if r.count++; r.progress != nil && r.count%progressEvery == 0 {
			r.progress(r.count)
		}
		row, err := r.rows.Next()
		var faulty *delimited.RowError
		switch {
		case err == nil:
			if r.read(row) {
				return &r.account, true, nil
			}
		case errors.Is(err, io.EOF):
			if r.progress != nil {
				r.progress(r.count - 1)
			}
			return nil, false, nil
		case errors.As(err, &faulty):
			r.fault(faulty.Line, faulty.Msg)
			r.spare(faulty.Row)
		default:
			return nil, false, err
		}
	}
}

func (r *reading) fault(line int, msg string) {
	r.result.Faulty++
	if len(r.result.RowErrors) < RowErrorsMax {
		r.result.RowErrors = append(r.result.RowErrors, RowError{line, msg})
	}
}

// spare keeps the account of a faulty row from counting as vanished.
func (r *reading) spare(row delimited.Row) {
	if len(row.Values) > r.identityAt {
		if native := row.Values[r.identityAt]; storable(native) && native != "" {
			r.spared = append(r.spared, strings.Clone(native))
			return
		}
	}
	r.unknown++
}

func storable(s string) bool { return strings.ToValidUTF8(s, "") == s && strings.IndexByte(s, 0) < 0 }

// read makes the account of a row. It reports whether it could.
func (r *reading) read(row delimited.Row) bool {
	native := row.Values[r.identityAt]
	if native == "" || len(native) > NativeIdentityLengthMax {
		fault := "is empty"
		if native != "" {
			fault = fmt.Sprintf("is longer than %d bytes", NativeIdentityLengthMax)
		}
		column := r.rows.Columns()[r.identityAt]
		r.fault(row.Line, fmt.Sprintf("column %q, which holds the native identity, %s", column, fault))
		r.unknown++
		return false
	}
	r.set.Reset()
	for i := range r.columns {
		c := &r.columns[i]
		value, err := r.value(c, row.Values[c.at])
		if err != nil {
			r.fault(row.Line, fmt.Sprintf("column %q: %v", c.name, err))
			r.spare(row)
			return false
		}
		if !value.IsNull() {
			r.set.Put(c.name, value)
		}
	}
	a := &r.account
	a.Line, a.NativeIdentity, a.Name = int64(row.Line), native, native
	if r.nameAt >= 0 && row.Values[r.nameAt] != "" {
		a.Name = row.Values[r.nameAt]
	}
	a.Attributes = r.set.AppendJSON(a.Attributes[:0])
	a.CorrelationKeys = r.source.correlationKeys(native, &r.set)
	a.Fingerprint = fingerprint(a)
	return true
}

// value reads one value as its attribute's type. The text of a value that does not fit is personal data and stays out
// of the error.
func (r *reading) value(c *column, text string) (attribute.Value, error) {
	if text == "" {
		return attribute.Null, nil
	}
	if c.multi {
		var list []string
		for _, element := range strings.Split(text, r.separator) {
			if element = strings.TrimSpace(element); element == "" {
				continue
			}
			if err := r.noteEntitlement(c, element); err != nil {
				return attribute.Null, err
			}
			list = append(list, element)
		}
		if list == nil {
			return attribute.Null, nil
		}
		return attribute.List(list), nil
	}
	if err := r.noteEntitlement(c, text); err != nil {
		return attribute.Null, err
	}
	switch c.typ {
	case "BOOLEAN":
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true":
			return attribute.Bool(true), nil
		case "false":
			return attribute.Bool(false), nil
		}
		return attribute.Null, errors.New("the value is no boolean: true or false is")
	case "INT", "LONG":
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return attribute.Null, errors.New("the value is no whole number")
		}
		return attribute.Int(n), nil
	}
	return attribute.String(text), nil
}

func (r *reading) noteEntitlement(c *column, value string) error {
	if !c.entitlement {
		return nil
	}
	if len(value) > EntitlementLengthMax {
		return fmt.Errorf("an entitlement is longer than %d bytes", EntitlementLengthMax)
	}
	key := store.EntitlementValue{Attribute: c.name, Value: value}
	if _, known := r.entitlements[key]; !known {
		key.Value = strings.Clone(value) // the row's memory is used again
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
