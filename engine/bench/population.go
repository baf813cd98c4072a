package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/muster-engine/muster/engine"
)

// population is a processed company in its own database, with an engine.
type population struct {
	company
	url    string
	pool   *pgxpool.Pool
	engine *engine.Engine
	clock  *clock
	// bounds divide the identities among the connections that read them all. There is one more bound than connections.
	bounds []string
	// registered is the time of the first aggregation of the authoritative source.
	registered time.Duration
}

// clock is the engine's clock. Cases set it.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.at.Store(&at)
	return c
}

func (c *clock) now() time.Time { return *c.at.Load() }

// advance moves the clock and returns its new time.
func (c *clock) advance(d time.Duration) time.Time {
	at := c.now().Add(d)
	c.at.Store(&at)
	return at
}

// population returns the population of a size. The first call for a size makes it.
func (b *bench) population(ctx context.Context, people int) (*population, error) {
	if p := b.populations[people]; p != nil {
		return p, nil
	}
	p := &population{company: company{people: people, seed: b.seed}, clock: newClock(time.Now().UTC())}
	var err error
	var there bool
	if b.keep {
		p.url, p.pool, there, err = b.kept(ctx, people)
	} else {
		p.url, p.pool, err = b.server.database(ctx, fmt.Sprint(people))
	}
	if err != nil {
		return nil, err
	}
	b.populations[people] = p
	if p.engine, err = engine.New(ctx, p.pool, p.engineConfig()); err != nil {
		return nil, err
	}
	if there {
		b.say("%s people are there", grouped(float64(people)))
		return p, errors.Join(p.divide(ctx), p.settle(ctx))
	}
	b.say("bringing in %s people", grouped(float64(people)))
	if err := p.bring(ctx); err != nil {
		return nil, fmt.Errorf("bring in %d people: %w", people, err)
	}
	if b.keep {
		_, err = p.pool.Exec(ctx, `CREATE TABLE bench.whole ()`)
	}
	return p, err
}

// kept opens the database of a population that stays on the server, and reports whether its people are there: whether
// a run before brought them all in. What is there of an unfinished one goes.
func (b *bench) kept(ctx context.Context, people int) (url string, pool *pgxpool.Pool, there bool, err error) {
	name := fmt.Sprintf("muster_kept_%d_%d", people, b.seed)
	if there, err = b.server.has(ctx, name); err != nil {
		return "", nil, false, err
	}
	if there {
		if url, pool, err = b.server.open(ctx, name); err != nil {
			return "", nil, false, err
		}
		const whole = `SELECT to_regclass('bench.whole') IS NOT NULL`
		if err := pool.QueryRow(ctx, whole).Scan(&there); err != nil || there {
			return url, pool, there, err
		}
		pool.Close()
		if err := b.server.dropOne(ctx, name); err != nil {
			return "", nil, false, err
		}
	}
	if err = b.server.create(ctx, name); err != nil {
		return "", nil, false, err
	}
	url, pool, err = b.server.open(ctx, name)
	return url, pool, false, err
}

// tenant returns a tenant of its own with a configuration and without people, for a case with people of its own.
func (b *bench) tenant(ctx context.Context, name, configuration string) (*population, error) {
	p := &population{company: company{people: b.people, seed: b.seed}, clock: newClock(time.Now().UTC())}
	var err error
	if p.url, p.pool, err = b.server.database(ctx, fmt.Sprintf("%s_%d", name, b.people)); err != nil {
		return nil, err
	}
	if p.engine, err = engine.New(ctx, p.pool, p.engineConfig()); err != nil {
		return nil, err
	}
	_, err = p.apply(ctx, configuration)
	return p, err
}

func (p *population) engineConfig() engine.Config {
	return engine.Config{Guard: engine.Guard{Off: true}, Now: p.clock.now}
}

// load brings everybody in: it aggregates the sources and processes what that asks for.
func (p *population) load(ctx context.Context) error {
	if _, err := p.apply(ctx, p.config()); err != nil {
		return err
	}
	for _, source := range []struct {
		name string
		text []byte
	}{{registerSource, p.register(p.everyNth(1), false)}, {directorySource, p.directory()}} {
		took, err := timed(func() error {
			_, err := p.aggregate(ctx, source.name, source.text, engine.AggregateOptions{})
			return err
		})
		if err != nil {
			return err
		}
		if source.name == registerSource {
			p.registered = took
		}
		if _, err := p.engine.ProcessPending(ctx, engine.ProcessOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func (p *population) bring(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	// The states that are not calculated differ, as in a real company.
	const states = `
		UPDATE muster.identities
		SET cloud_status = CASE WHEN n % 100 = 1 THEN 'LOCKED' WHEN n % 3 = 0 THEN 'ACTIVE' ELSE 'UNREGISTERED' END,
		    protected = n % 1000 = 1
		FROM (SELECT id AS person, row_number() OVER (ORDER BY id) AS n FROM muster.identities) numbered
		WHERE id = person`
	for _, statement := range []string{states, `CREATE SCHEMA bench`} {
		if _, err := p.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := p.divide(ctx); err != nil {
		return err
	}
	return p.settle(ctx)
}

func (p *population) apply(ctx context.Context, text string) (engine.ApplyResult, error) {
	documents, err := p.documents(text)
	if err != nil {
		return engine.ApplyResult{}, err
	}
	return p.engine.Apply(ctx, documents, engine.Replace())
}

func (*population) documents(text string) ([]engine.Document, error) {
	return engine.ReadDocuments("config", strings.NewReader(text))
}

func (p *population) aggregate(ctx context.Context, source string, text []byte, options engine.AggregateOptions) (
	engine.AggregateResult, error,
) {
	return p.engine.Aggregate(ctx, source, bytes.NewReader(text), options)
}

// divide finds the bounds for equal shares of the identities, one for each worker of an engine.
func (p *population) divide(ctx context.Context) error {
	const bound = `
		SELECT id::text FROM muster.identities ORDER BY id
		OFFSET (SELECT count(*) * $1::int / $2::int FROM muster.identities) LIMIT 1`
	p.bounds = nil
	for i := range engine.WorkersDefault {
		var id string
		if err := p.pool.QueryRow(ctx, bound, i, engine.WorkersDefault).Scan(&id); err != nil {
			return err
		}
		p.bounds = append(p.bounds, id)
	}
	p.bounds = append(p.bounds, "ffffffff-ffff-ffff-ffff-ffffffffffff")
	return nil
}

// settle checks that no work is left. It also makes the next measurement independent of the earlier ones: there are no
// dead rows, statistics are up to date, and everything is on disk.
func (p *population) settle(ctx context.Context) error {
	const left = `
		SELECT (SELECT count(*) FROM muster.refresh_requests),
		       (SELECT count(*) FROM muster.tasks WHERE completed IS NULL)`
	var requests, tasks int
	if err := p.pool.QueryRow(ctx, left).Scan(&requests, &tasks); err != nil {
		return err
	}
	if requests+tasks > 0 {
		return fmt.Errorf("%d requests and %d tasks are left where the population should be settled", requests, tasks)
	}
	for _, statement := range []string{`VACUUM ANALYZE`, `CHECKPOINT`} {
		if _, err := p.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// fullRun processes all identities, and fails if the number of changed ones is not the expected one.
func (p *population) fullRun(ctx context.Context, changes int) (time.Duration, error) {
	took, err := timed(func() error {
		task, err := p.engine.ProcessAll(ctx)
		if err == nil {
			task, err = p.engine.ProcessTask(ctx, task.ID, engine.ProcessOptions{})
		}
		if err != nil {
			return err
		}
		if a := task.Attributes; a.IdentityCount != int64(p.people) || a.ChangedCount != int64(changes) {
			return fmt.Errorf("a run over everybody calculated %d and changed %d where it was to be %d and %d",
				a.IdentityCount, a.ChangedCount, p.people, changes)
		}
		return nil
	})
	return took, err
}

// The least rows that a run must read: those of all identities between two IDs, and those of a list.
const (
	identityRows = `
		SELECT id, name, alias, email, processing_state, processing_error, correlated, profile_id, lifecycle_state,
		       lifecycle_manual, identity_state, manager_id, manager_key, attributes
		FROM muster.identities WHERE `
	accountRows = `
		SELECT id, source_id, native_identity, name, identity_id, attributes, created
		FROM muster.accounts WHERE `
	readIdentities   = identityRows + `id >= $1 AND id < $2 ORDER BY id`
	readAccounts     = accountRows + `identity_id >= $1 AND identity_id < $2 ORDER BY identity_id, id`
	readIdentitiesOf = identityRows + `id = ANY ($1) ORDER BY id`
	readAccountsOf   = accountRows + `identity_id = ANY ($1) ORDER BY identity_id, id`
)

// readEverybody reads the identities and their accounts without decoding them, with as many connections as an engine
// uses, and discards them.
func (p *population) readEverybody(ctx context.Context) (time.Duration, error) {
	return p.readEverybodyBy(ctx, len(p.bounds)-1)
}

// readEverybodyBy is readEverybody with fewer connections.
func (p *population) readEverybodyBy(ctx context.Context, connections int) (time.Duration, error) {
	return timed(func() error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(connections)
		for i := range len(p.bounds) - 1 {
			group.Go(func() error {
				for _, query := range []string{readIdentities, readAccounts} {
					if err := discard(ctx, p.pool, query, p.bounds[i], p.bounds[i+1]); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return group.Wait()
	})
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
}

// discard runs a statement and reads its rows without decoding them.
func discard(ctx context.Context, q querier, statement string, arguments ...any) error {
	rows, err := q.Query(ctx, statement, arguments...)
	if err != nil {
		return err
	}
	return readAway(rows)
}

func readAway(rows pgx.Rows) error {
	for rows.Next() {
		_ = rows.RawValues()
	}
	rows.Close()
	return rows.Err()
}

// checkpoint writes everything to disk before the next measurement.
func (p *population) checkpoint(ctx context.Context) error {
	_, err := p.pool.Exec(ctx, `CHECKPOINT`)
	return err
}

// ready adds a checkpoint before a measurement.
func (p *population) ready(measure measurement) measurement {
	return func(ctx context.Context) (time.Duration, error) {
		if err := p.checkpoint(ctx); err != nil {
			return 0, err
		}
		return measure(ctx)
	}
}

// doTask carries out a task. An empty ID means no task.
func (p *population) doTask(ctx context.Context, id string) (engine.TaskStatus, error) {
	if id == "" {
		return engine.TaskStatus{}, errors.New("there is no task where one was expected")
	}
	return p.engine.ProcessTask(ctx, id, engine.ProcessOptions{})
}
