package enginetest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store/storetest"
)

// TB is the part of a test that this package uses. A *testing.T is one, and so is the *rapid.T of property tests.
type TB interface {
	Context() context.Context
	Fatalf(format string, arguments ...any)
	Helper()
}

// Company is an engine on a database, for one test. Its own methods fail the test where the engine returns an error.
// Like the methods of a test that fail it, they are for the goroutine of the test.
type Company struct {
	*engine.Engine
	Pool *pgxpool.Pool
	t    TB
}

// Option says how an engine is made.
type Option func(*settings)

type settings struct {
	config engine.Config
	pool   *pgxpool.Pool
	clock  *Clock
}

// WithConfig makes the engine with a configuration of the test's. Defaults to the zero Config.
func WithConfig(config engine.Config) Option { return func(s *settings) { s.config = config } }

// WithClock lets the engine see the time of a clock. Defaults to the clock of the configuration.
func WithClock(clock *Clock) Option { return func(s *settings) { s.clock = clock } }

// WithPool makes the engine on a migrated database of the test's, whose pool the test closes. Defaults to
// [storetest.Pool].
func WithPool(pool *pgxpool.Pool) Option { return func(s *settings) { s.pool = pool } }

// New returns an engine with the sample company: [Documents] are applied, and [People] are read and processed.
func New(t TB, options ...Option) *Company {
	t.Helper()
	c := NewEmpty(t, options...)
	c.ApplyText(Documents)
	c.AggregateText("HR", People, engine.AggregateOptions{})
	c.Process()
	return c
}

// NewEmpty returns an engine that knows nothing. A TB that is no testing.TB needs [WithPool].
func NewEmpty(t TB, options ...Option) *Company {
	t.Helper()
	var s settings
	for _, option := range options {
		option(&s)
	}
	if s.clock != nil {
		s.config.Now = s.clock.Now
	}
	if s.pool == nil {
		s.config.PollOnly = s.config.PollOnly || storetest.PollOnly()
		full, ok := t.(testing.TB)
		if !ok {
			t.Fatalf("enginetest: a %T needs WithPool", t)
		}
		s.pool = storetest.Pool(full)
	}
	eng, err := engine.New(t.Context(), s.pool, s.config)
	if err != nil {
		t.Fatalf("make the engine: %v", err)
	}
	return Of(t, eng, s.pool)
}

// Of returns an engine that a test has made itself, on the database of a pool, with the methods of a Company.
func Of(t TB, eng *engine.Engine, pool *pgxpool.Pool) *Company { return &Company{eng, pool, t} }

// NewExample is [New] for an example, which has no test: what fails panics, and so fails the example. The function that
// it returns closes the pool and drops the database.
func NewExample(options ...Option) (c *Company, drop func()) {
	pool, drop := storetest.ExamplePool()
	return New(example{}, append(options, WithPool(pool))...), drop
}

// example is what an example has in place of a test.
type example struct{}

func (example) Context() context.Context               { return context.Background() }
func (example) Fatalf(format string, arguments ...any) { panic(fmt.Sprintf(format, arguments...)) }
func (example) Helper()                                {}

// ApplyText applies documents that are written in YAML or JSON. They replace what they lack members of.
func (c *Company) ApplyText(text string) engine.ApplyResult {
	c.t.Helper()
	documents, err := engine.ReadDocuments("config.yaml", strings.NewReader(text))
	if err != nil {
		c.t.Fatalf("read the documents: %v", err)
	}
	result, err := c.Apply(c.t.Context(), documents, engine.Replace())
	if err != nil {
		c.t.Fatalf("apply: %v", err)
	}
	return result
}

// AggregateText reads delimited text, with its header, as the accounts of a source.
func (c *Company) AggregateText(source, text string, options engine.AggregateOptions) engine.AggregateResult {
	c.t.Helper()
	once := io.MultiReader(strings.NewReader(text)) // hides that it can be read again, as most data cannot
	result, err := c.Aggregate(c.t.Context(), source, once, options)
	if err != nil {
		c.t.Fatalf("aggregate %s: %v", source, err)
	}
	return result
}

// Process processes everyone for whom processing is requested, and returns when nothing waits any more.
func (c *Company) Process() engine.ProcessResult {
	c.t.Helper()
	result, err := c.ProcessPending(c.t.Context(), engine.ProcessOptions{})
	if err != nil {
		c.t.Fatalf("process: %v", err)
	}
	return result
}

// Identity returns the identity with an alias, or with an ID.
func (c *Company) Identity(alias string) *engine.Identity {
	c.t.Helper()
	identity, err := c.FindIdentity(c.t.Context(), alias)
	if err != nil {
		c.t.Fatalf("find %s: %v", alias, err)
	}
	return &identity
}

// ID returns the ID of the identity with an alias.
func (c *Company) ID(alias string) string {
	c.t.Helper()
	return c.Identity(alias).ID
}

// Names returns the names of the identities that a list has, in its order.
func (c *Company) Names(params engine.ListParams) []string {
	c.t.Helper()
	page, err := c.ListIdentities(c.t.Context(), params)
	if err != nil {
		c.t.Fatalf("list %+v: %v", params, err)
	}
	var names []string
	for i := range page.Identities {
		names = append(names, page.Identities[i].Name)
	}
	return names
}

// CountRows returns how many rows there are: c.CountRows("muster.accounts WHERE identity_id IS NULL").
func (c *Company) CountRows(from string, arguments ...any) int {
	c.t.Helper()
	var rows int
	if err := c.Pool.QueryRow(c.t.Context(), "SELECT count(*) FROM "+from, arguments...).Scan(&rows); err != nil {
		c.t.Fatalf("count the rows of %s: %v", from, err)
	}
	return rows
}
