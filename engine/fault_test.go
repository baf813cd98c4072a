package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// line is the line between a pool and its server, which a test cuts.
type line struct {
	pool *pgxpool.Pool

	mutex       sync.Mutex
	away        bool
	connections map[net.Conn]bool
}

var errAway = errors.New("no route to the server")

// newLine returns a pool on a migrated database, over a line.
func newLine(t *testing.T) *line {
	t.Helper()
	l := &line{connections: map[net.Conn]bool{}}
	config, err := pgxpool.ParseConfig(storetest.ConnString(t))
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 20
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		// What was being dialled when the line was cut does not come about either.
		l.mutex.Lock()
		defer l.mutex.Unlock()
		if l.away {
			return nil, errors.Join(&net.OpError{Op: "dial", Net: network, Err: errAway}, conn.Close())
		}
		l.connections[conn] = true
		return conn, nil
	}
	if l.pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.pool.Close)
	return l
}

// cut ends every connection, as a server does that is killed; away keeps new ones from being made.
func (l *line) cut(away bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.away = away
	for conn := range l.connections {
		_ = conn.Close() // it may be closed already
		delete(l.connections, conn)
	}
}

// await waits until a condition holds that something else brings about.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not happen", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestDatabaseAwayAtStart(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	eng, err := engine.New(t.Context(), l.pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	l.cut(true)
	_, err = engine.New(t.Context(), l.pool, engine.Config{})
	demandKind(t, err, engine.Unavailable, "the database is not available")
	demandKind(t, eng.Start(t.Context()), engine.Unavailable, "the database is not available")
	_, err = eng.ProcessAll(t.Context())
	demandKind(t, err, engine.Unavailable, "the database is not available")
	_, err = eng.ListIdentities(t.Context(), engine.ListParams{})
	demandKind(t, err, engine.Unavailable, "the database is not available")
}

// counter counts the lines of a log.
type counter struct {
	slog.Handler
	lines atomic.Int64
}

func (c *counter) Enabled(context.Context, slog.Level) bool { return true }

func (c *counter) Handle(context.Context, slog.Record) error {
	c.lines.Add(1)
	return nil
}

func (c *counter) WithAttrs([]slog.Attr) slog.Handler { return c }

func (c *counter) WithGroup(string) slog.Handler { return c }

// The database goes away under workers that are at work, and comes back: nobody spins meanwhile, and the work goes on.
func TestDatabaseAwayForAWhile(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	l := newLine(t)
	log := &counter{Handler: slog.DiscardHandler}
	eng, err := engine.New(t.Context(), l.pool, engine.Config{BatchSize: 3, Logger: slog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	f := fixtureOf(t, eng, l.pool)
	f.ApplyText(enginetest.Documents)
	if err := eng.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	l.cut(true)
	before := log.lines.Load()
	away := time.Now()
	await(t, "three seconds pass", func() bool {
		_, err := eng.ProcessAll(t.Context())
		demandKind(t, err, engine.Unavailable, "the database is not available")
		return time.Since(away) > 3*time.Second
	})
	// Five queues and the election look once a second or less; the notifier has a backoff.
	if lines := log.lines.Load() - before; lines > 100 {
		t.Errorf("%d lines are logged while the database is away for 3 seconds", lines)
	}
	l.cut(false)
	result := f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	task, err := eng.Wait(t.Context(), result.Task)
	if err != nil || !task.Ended() || f.Identity("ann").LastRefresh == nil {
		t.Errorf("got %+v, %v, want err == nil && task.Ended() && f.Identity(\"ann\").LastRefresh != nil", task, err)
	}
}

// A line that is cut in the middle of a batch is nothing that an identity is to blame for.
func TestConnectionCutInTheMiddle(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	l := newLine(t)
	eng, err := engine.New(t.Context(), l.pool, engine.Config{BatchSize: 1, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := fixtureOf(t, eng, l.pool)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	// The server ends the connection in the middle of every third batch, as kill -9 does: without a word.
	for _, statement := range []string{
		`CREATE SEQUENCE cuts`,
		`CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('cuts') % 3 = 1 THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$`,
		`CREATE TRIGGER cut BEFORE UPDATE ON muster.identities FOR EACH ROW EXECUTE FUNCTION cut()`,
	} {
		if _, err := l.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	other := storetestPool(t, l.pool)
	cuts := 0
	for done := false; !done; {
		ended := make(chan error, 1)
		go func() {
			_, err := eng.ProcessPending(t.Context(), engine.ProcessOptions{})
			ended <- err
		}()
		for waiting := true; waiting; {
			select {
			case err := <-ended:
				waiting, done = false, err == nil
				if err != nil {
					demandKind(t, err, engine.Unavailable, "the database is not available")
				}
			default:
				var asleep bool
				if err := other.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
					WHERE datname = current_database() AND wait_event = 'PgSleep')`).Scan(&asleep); err != nil {
					t.Fatal(err)
				}
				if asleep {
					l.cut(false)
					cuts++
					if _, err := other.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
						WHERE datname = current_database() AND wait_event = 'PgSleep'`); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	if cuts == 0 {
		t.Error("nothing was cut")
	}
	if n := f.CountRows(`muster.identities i JOIN muster.refresh_state r ON r.identity_id = i.id
		WHERE i.processing_state IS NULL AND r.last_refresh IS NOT NULL`); n != 5 {
		t.Errorf("after %d cuts %d identities of 5 are processed without an error", cuts, n)
	}
}

// storetestPool returns another pool on the same database, over a line that is not cut.
func storetestPool(t *testing.T, pool *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	other, err := pgxpool.New(t.Context(), pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	return other
}

// An aggregation by a connector that loses against another transaction reads the source again.
func TestLostAggregationIsRunAgain(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "ann,Ann,ann@example.com,,active,\n")
	f.executeAll(
		`CREATE SEQUENCE lost`,
		`CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('lost') = 1 THEN RAISE EXCEPTION 'lost' USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$`,
		`CREATE TRIGGER lose BEFORE INSERT ON muster.accounts FOR EACH ROW EXECUTE FUNCTION lose()`,
	)
	result, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{})
	if err != nil || result.Added != 1 || f.accounts() != 1 {
		t.Errorf("got %+v, %v, want err == nil && result.Added == 1 && f.accounts() == 1", result, err)
	}
}

// stubborn is a connector that does what it should not.
type stubborn struct {
	connector.Connector
	read  func(ctx context.Context, each func(*connector.Object) error) error
	apply func(ctx context.Context, o *connector.Operation) (connector.Result, error)
}

func (s *stubborn) Read(ctx context.Context, _ string, each func(*connector.Object) error) (string, error) {
	return "", s.read(ctx, each)
}

func (s *stubborn) Apply(ctx context.Context, o *connector.Operation) (connector.Result, error) {
	return s.apply(ctx, o)
}

func (s *stubborn) Close() error { return nil }

// newStubborn is a company whose access goes to a stubborn connector.
func newStubborn(t *testing.T, s *stubborn) *fixture {
	t.Helper()
	f := newFixtureWith(t, engine.Config{BatchSize: 3, Workers: 1, Guard: engine.Guard{Off: true},
		Connectors: map[string]connector.Factory{
			"delimited-file": func(context.Context, connector.Config) (connector.Connector, error) { return s, nil }}})
	f.ApplyText(enginetest.Documents)
	f.ApplyText(fmt.Sprintf(targetConfig, "x"))
	return f
}

func TestConnectorReturnsGarbage(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", engine.NativeIdentityLengthMax+1)
	garbage := []connector.Object{{NativeIdentity: "good"}, {}, {NativeIdentity: long}, {NativeIdentity: "nul\x00"},
		{NativeIdentity: "\xff"}, {NativeIdentity: "name", Name: "\xff"}, {Type: "nothing known", NativeIdentity: "group"}}
	read := 1 // of the objects: the good one comes alone first, so that the source was read completely
	f := newStubborn(t, &stubborn{
		read: func(_ context.Context, each func(*connector.Object) error) error {
			for i := range garbage[:read] {
				if err := each(&garbage[i]); err != nil {
					return err
				}
			}
			return nil
		},
		apply: func(context.Context, *connector.Operation) (connector.Result, error) {
			return connector.Result{NativeIdentity: long}, nil
		},
	})
	readOnce(t, f.Company, "Files")
	read = len(garbage)
	result, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{})
	if err != nil || result.Unchanged != 1 || result.Faulty != 5 {
		t.Errorf("got %+v and the error %v, want Unchanged 1 and Faulty 5", result, err)
	}
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	if result, err := f.ProvisionPending(t.Context()); err != nil || result.Done != 0 || result.Failed == 0 || result.Open != 0 {
		t.Errorf("got %+v and the error %v, want Done 0, Failed above 0 and Open 0", result, err)
	}
}
