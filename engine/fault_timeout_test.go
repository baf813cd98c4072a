package engine_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// statementTimeout is how long a statement may take, in milliseconds. It is enough for all that a test does not slow
// down.
const statementTimeout = "1500"

// newSlow is a company whose database ends what takes too long, and whose identities take as long to be written as the
// table slow says: those of an alias, or all by *.
func newSlow(t *testing.T) *fixture {
	t.Helper()
	config, err := pgxpool.ParseConfig(storetest.ConnString(t))
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.RuntimeParams["statement_timeout"] = statementTimeout
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	eng, err := engine.New(t.Context(), pool, engine.Config{BatchSize: 5, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := fixtureOf(t, eng, pool)
	f.ApplyText(enginetest.Documents)
	f.execute(`CREATE TABLE slow (alias text, seconds float)`)
	f.execute(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		PERFORM pg_sleep((SELECT max(seconds) FROM slow WHERE alias IN (NEW.alias, '*'))); RETURN NEW; END $$`)
	f.execute(`CREATE TRIGGER slow BEFORE UPDATE OF attributes ON muster.identities FOR EACH ROW EXECUTE FUNCTION slow()`)
	return f
}

func (f *fixture) slowDown(alias string, seconds float64) {
	f.t.Helper()
	f.execute(`TRUNCATE slow`)
	f.execute(`INSERT INTO slow VALUES ($1, $2)`, alias, seconds)
}

// forgetAttributes lets all identities be written at their next processing.
func (f *fixture) forgetAttributes() {
	f.t.Helper()
	f.slowDown("*", 0)
	f.execute(`UPDATE muster.identities SET attributes = '{}'`)
}

// A batch for which the database has no time is done in parts for which it has.
func TestBatchTooLargeForTheTimeout(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := newSlow(t)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.slowDown("*", 0.4)
	if result := f.Process(); result.Errors != 0 || result.Identities != 5 {
		t.Errorf("got %+v, want Errors 0 and Identities 5", result)
	}
	if well, badly := f.processedWell(), f.inError(); well != 5 || badly != 0 {
		t.Errorf("%d identities are processed well, %d badly", well, badly)
	}
	if _, err := f.ProcessAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.forgetAttributes()
	f.slowDown("*", 0.4)
	if result := f.Process(); result.Errors != 0 {
		t.Errorf("got %+v, want Errors 0", result)
	}
}

// An identity that takes too long, while others do not, gets an error and holds up nobody.
func TestIdentityThatTakesTooLong(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := newSlow(t)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Marketing"), engine.AggregateOptions{})
	f.slowDown("ayse", 60)
	result := f.Process()
	if result.Errors != 1 || f.inError() != 1 || f.processedWell() != 4 {
		t.Errorf("got %+v, want result.Errors == 1 && f.inError() == 1 && f.processedWell() == 4", result)
	}
	who := f.Identity("ayse")
	if text := who.Attributes.Get("department").Text(); text != "Sales" || f.Identity("bob").Attributes.Get("department").Text() != "Marketing" {
		t.Errorf("the department of who takes too long is %q", text)
	}
	if n := f.CountRows(`muster.task_messages
		WHERE text = 'the identity could not be written: the database ended it, because it took longer than it allows'`); n != 1 {
		t.Errorf("%d messages say so", n)
	}
	f.slowDown("*", 0)
	if _, err := f.ProcessIdentities(t.Context(), []string{who.ID}); err != nil {
		t.Fatal(err)
	}
	if result := f.Process(); result.Errors != 0 || f.processedWell() != 5 {
		t.Errorf("who took too long does not recover: %+v", result)
	}
}

// That some could be calculated does not make a database fast: where several take too long one after the other, nobody
// is to blame.
func TestDatabaseThatBecomesSlow(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := newSlow(t)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	f.AggregateText("HR", strings.NewReplacer("Sales", "Marketing", "Legal", "Law").Replace(enginetest.People), engine.AggregateOptions{})
	f.execute(`TRUNCATE slow`)
	f.execute(`INSERT INTO slow SELECT unnest(ARRAY['bob', 'ayse', 'cy', 'dee']), 60`)
	if _, err := f.ProcessIdentities(t.Context(), []string{f.Identity("ann").ID}); err != nil { // who is as they should be
		t.Fatal(err)
	}
	_, err := f.ProcessPending(t.Context(), engine.ProcessOptions{})
	demandKind(t, err, engine.Unavailable, "took longer than it allows")
	if badly := f.inError(); badly != 0 {
		t.Errorf("%d identities have an error, want 0", badly)
	}
	f.slowDown("*", 0)
	if result := f.Process(); result.Errors != 0 || f.processedWell() != 5 {
		t.Errorf("got %+v, want result.Errors == 0 && f.processedWell() == 5", result)
	}
}

// Where everything takes too long nobody is to blame: callers get Unavailable, and what waits goes on waiting.
func TestDatabaseThatTakesTooLong(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := newSlow(t)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.slowDown("*", 60)
	_, err := f.ProcessPending(t.Context(), engine.ProcessOptions{})
	demandKind(t, err, engine.Unavailable, "took longer than it allows")
	if badly, waiting := f.inError(), f.requests(); badly != 0 || waiting != 5 {
		t.Errorf("%d identities have an error, %d wait", badly, waiting)
	}
	f.slowDown("*", 0)
	f.Process()
	if well := f.processedWell(); well != 5 {
		t.Errorf("%d identities are processed, want 5", well)
	}
	// A task of one identity that takes too long holds up no other.
	f.forgetAttributes()
	f.slowDown("ann", 60)
	for _, alias := range []string{"ann", "bob"} {
		if _, err := f.ProcessIdentities(t.Context(), []string{f.Identity(alias).ID}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = f.ProcessPending(t.Context(), engine.ProcessOptions{})
	demandKind(t, err, engine.Unavailable, "took longer than it allows")
	if waiting, badly := f.requests(), f.inError(); waiting != 1 || badly != 0 {
		t.Errorf("%d identities wait, %d have an error", waiting, badly)
	}
}

// A lock that somebody else holds too long, and a transaction that is idle too long, end in Unavailable too.
func TestOtherTimeouts(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann := f.Identity("ann").ID
	held, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := f.SetLifecycleStateTx(t.Context(), held, ann, "inactive"); err != nil {
		t.Fatal(err)
	}
	err = pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SET LOCAL lock_timeout = '50ms'`); err != nil {
			return err
		}
		return setState(f.SetLifecycleStateTx(t.Context(), tx, ann, "active"))
	})
	demandKind(t, err, engine.Unavailable, "took longer than it allows")
	tx, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `SET LOCAL idle_in_transaction_session_timeout = '50ms'`); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of an idle transaction", func() bool {
		return f.CountRows(`pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`) == 1
	})
	demandKind(t, f.DeleteIdentityTx(t.Context(), tx, ann), engine.Unavailable, "")
}

// torn is a reader that fails in the middle.
type torn struct {
	io.Reader
	err error
}

func (r *torn) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = r.err
	}
	return n, err
}

// What fails while data is read is the error that the caller gets, and not that of the statement which it ended.
func TestReaderFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the tape is torn")
	f := newStubborn(t, &stubborn{read: func(_ context.Context, each func(*connector.Object) error) error {
		for _, login := range []string{"ann", "bob"} {
			if err := each(&connector.Object{NativeIdentity: login}); err != nil {
				return err
			}
		}
		return broken
	}})
	for name, aggregate := range map[string]func() error{
		"a reader": func() error {
			_, err := f.Aggregate(t.Context(), "HR", &torn{strings.NewReader(enginetest.People), broken}, engine.AggregateOptions{})
			return err
		},
		"a connector": func() error {
			_, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{})
			return err
		},
	} {
		err := aggregate()
		if !errors.Is(err, broken) || strings.Contains(err.Error(), "COPY") || strings.Contains(err.Error(), "57014") {
			t.Errorf("got %s: %v, want errors.Is(err, broken) && !strings.Contains(err.Error(), \"COPY\") && !strings.Contains(err.Error(), \"57014\")", name, err)
		}
		if want := map[string]engine.Kind{"a reader": engine.Internal, "a connector": engine.Unavailable}[name]; engine.KindOf(err) != want {
			t.Errorf("%s: %v, want %v", name, engine.KindOf(err), want)
		}
	}
	if n := f.accounts(); n != 0 {
		t.Errorf("%d accounts were kept, want 0", n)
	}
}
