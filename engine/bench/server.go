package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/pglocal"
)

// databaseURLVariable names the server to use instead of a private one, as in the tests.
const databaseURLVariable = "MUSTER_TEST_DATABASE_URL"

// poolMax is the number of connections of a population's pool: enough for the workers of an engine and the clients of a
// case.
const poolMax = 24

// server is the PostgreSQL of a run.
type server struct {
	url     string
	version string
	stop    func(context.Context) error
	made    []string        // databases
	tracer  pgx.QueryTracer // of the pools; nil for none
}

// startServer starts a private server with PostgreSQL's default durability, or uses the given server.
func startServer(ctx context.Context, tracer pgx.QueryTracer) (s *server, err error) {
	if text := os.Getenv(databaseURLVariable); text != "" {
		s = &server{url: text, tracer: tracer, stop: func(context.Context) error { return nil }}
		return s, s.ask(ctx)
	}
	return startPrivate(ctx, tracer, nil)
}

// startPrivate starts a private server with PostgreSQL's default durability, and with settings of its own.
func startPrivate(ctx context.Context, tracer pgx.QueryTracer, settings map[string]string) (s *server, err error) {
	// Only a private server with a DataDir makes its data durable. Its account must be able to enter the folder.
	dir, err := os.MkdirTemp("", "muster-bench-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	local, err := pglocal.Start(ctx, pglocal.Config{DataDir: dir, Settings: settings})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s = &server{url: local.ConnString("postgres"), tracer: tracer, stop: func(ctx context.Context) error {
		return errors.Join(local.Stop(ctx), os.RemoveAll(dir))
	}}
	if err := s.ask(ctx); err != nil {
		return nil, errors.Join(err, s.stop(ctx))
	}
	return s, nil
}

// ask asks the server for its version.
func (s *server) ask(ctx context.Context) error {
	return s.do(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SHOW server_version`).Scan(&s.version)
	})
}

func (s *server) do(ctx context.Context, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	return errors.Join(work(conn), conn.Close(context.WithoutCancel(ctx)))
}

// database makes a migrated database and returns its URL and a pool. It is dropped at the end of the run.
func (s *server) database(ctx context.Context, name string) (string, *pgxpool.Pool, error) {
	name = fmt.Sprintf("muster_bench_%d_%s", os.Getpid(), name)
	if err := s.create(ctx, name); err != nil {
		return "", nil, err
	}
	s.made = append(s.made, name)
	return s.open(ctx, name)
}

func (s *server) create(ctx context.Context, name string) error {
	return s.do(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize())
		return err
	})
}

// has reports whether a database is there.
func (s *server) has(ctx context.Context, name string) (there bool, err error) {
	err = s.do(ctx, func(conn *pgx.Conn) error {
		const statement = `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`
		return conn.QueryRow(ctx, statement, name).Scan(&there)
	})
	return there, err
}

// open migrates a database and returns its URL and a pool.
func (s *server) open(ctx context.Context, name string) (string, *pgxpool.Pool, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return "", nil, fmt.Errorf("%s is no URL", databaseURLVariable)
	}
	u.Path = "/" + name
	pool, err := connect(ctx, u.String(), s.tracer)
	if err != nil {
		return "", nil, err
	}
	if _, err := migrations.Up(ctx, pool, migrations.Config{}); err != nil {
		pool.Close()
		return "", nil, err
	}
	return u.String(), pool, nil
}

// connect opens a pool with a tracer of its statements.
func connect(ctx context.Context, url string, tracer pgx.QueryTracer) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = poolMax
	config.ConnConfig.Tracer = tracer
	return pgxpool.NewWithConfig(ctx, config)
}

// drop drops the databases. The pools must be closed already.
func (s *server) drop(ctx context.Context) error {
	for _, name := range s.made {
		if err := s.dropOne(ctx, name); err != nil {
			return err
		}
	}
	s.made = nil
	return nil
}

func (s *server) dropOne(ctx context.Context, name string) error {
	return s.do(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+pgx.Identifier{name}.Sanitize()+` WITH (FORCE)`)
		return err
	})
}

// close drops the databases and stops the server. The pools must be closed already.
func (s *server) close(ctx context.Context) error { return errors.Join(s.drop(ctx), s.stop(ctx)) }
