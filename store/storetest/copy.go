package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/peterldowns/pgtestdb"
)

// administratorsMax is how many databases are copied or dropped at once.
const administratorsMax = 4

// originals are the databases of this process that its tests' databases are copies of, by the hash of the migrator
// that made them. Nothing is connected to one of them after it was made.
type originals struct {
	sync.Mutex
	byHash map[string]*original
	pool   *pgxpool.Pool // of the superuser
	// byFile says that the server copies files. Without fsync that takes a third of the time that copying through
	// the log of the server takes, and with it longer.
	byFile bool
	// drop drops the originals.
	drop []func()
}

type original struct {
	sync.Once
	config *pgtestdb.Config
	err    error
}

// copyOf makes a database for a test. It goes with the test, unless that fails: then it is kept for a look, and the
// test's log names it.
func (s *server) copyOf(t pgtestdb.TB, migrator pgtestdb.Migrator) (url string, err error) {
	t.Helper()
	ctx := context.Background()
	from, err := s.original(ctx, migrator)
	if err != nil {
		return "", err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	config := *from.config
	config.Database = "test_" + hex.EncodeToString(random[:])
	name := pgx.Identifier{config.Database}.Sanitize()
	statement := fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s OWNER %s", name,
		pgx.Identifier{from.config.Database}.Sanitize(), pgx.Identifier{from.config.User}.Sanitize())
	if s.originals.byFile {
		statement += " STRATEGY file_copy"
	}
	if _, err := s.originals.pool.Exec(ctx, statement); err != nil {
		return "", fmt.Errorf("copy the database of the tests: %w", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the database of the test is kept: %s", config.URL())
			return
		}
		drop := "DROP DATABASE " + name
		if s.pooler != nil {
			drop += " WITH (FORCE)" // a pooler keeps connections for a while
		}
		if _, err := s.originals.pool.Exec(ctx, drop); err != nil {
			t.Fatalf("drop the database of the test, which must have closed its connections: %v", detail(err))
		}
	})
	return s.pooler.through(config.URL()), nil
}

// detail adds to an error what the server said besides, such as how many connections are left.
func detail(err error) error {
	if fault := new(pgconn.PgError); errors.As(err, &fault) && fault.Detail != "" {
		return fmt.Errorf("%w: %s", err, fault.Detail)
	}
	return err
}

// original returns the database that a migrator makes, which the first test that wants it waits for.
func (s *server) original(ctx context.Context, migrator pgtestdb.Migrator) (*original, error) {
	hash, err := migrator.Hash()
	if err != nil {
		return nil, err
	}
	o := &s.originals
	o.Lock()
	if err := s.connect(ctx); err != nil {
		o.Unlock()
		return nil, err
	}
	from := o.byHash[hash]
	if from == nil {
		from = &original{}
		o.byHash[hash] = from
	}
	o.Unlock()
	from.Do(func() {
		var maker example
		defer func() {
			if fault := recover(); fault != nil { // example has no other way to fail
				from.err = fmt.Errorf("%v", fault)
			}
		}()
		from.config = pgtestdb.Custom(&maker, s.config, migrator)
		o.Lock()
		defer o.Unlock()
		o.drop = append(o.drop, maker.end)
	})
	return from, from.err
}

// connect opens the pool of the superuser when the first database is made. The caller holds the lock.
func (s *server) connect(ctx context.Context) error {
	o := &s.originals
	if o.pool != nil {
		return nil
	}
	config, err := pgxpool.ParseConfig(s.config.URL())
	if err != nil {
		return errors.New("the URL of the server of the tests cannot be read")
	}
	config.MaxConns = administratorsMax
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	var version int
	var fsync string
	const question = `SELECT current_setting('server_version_num')::int, current_setting('fsync')`
	if err := pool.QueryRow(ctx, question).Scan(&version, &fsync); err != nil {
		pool.Close()
		return fmt.Errorf("ask the server of the tests: %w", err)
	}
	const strategies = 150000 // the first version that has one to choose
	o.pool, o.byFile, o.byHash = pool, version >= strategies && fsync == "off", map[string]*original{}
	return nil
}

// dropOriginals drops the originals, so that a lasting server keeps nothing of this process.
func (s *server) dropOriginals() (err error) {
	o := &s.originals
	o.Lock()
	defer o.Unlock()
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%v", fault)
		}
	}()
	if o.pool != nil {
		o.pool.Close()
	}
	for _, drop := range o.drop {
		drop()
	}
	return nil
}
