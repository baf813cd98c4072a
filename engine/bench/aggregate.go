package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine"
)

// aggregateCase measures the aggregation of a correlating source: the first one, an unchanged one, and one with one row
// in a hundred changed. It compares them with a COPY of the same accounts into an empty table with the same indexes,
// which checks no foreign keys.
func aggregateCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	a := &aggregation{p: p, before: p.badges(false), after: p.badges(true)}
	if err := p.settle(ctx); err != nil {
		return err
	}
	medians, err := b.alternate(ctx, b.rounds, a.first, a.copy, a.unchanged, a.changed)
	if err != nil {
		return err
	}
	base := rate(p.people, medians[1])
	b.add(against("first time", rate(p.people, medians[0]), "COPY of the accounts", base).
		chart("aggregation, first time"), ratioAtLeast(0.5))
	b.add(against("unchanged", rate(p.people, medians[2]), "COPY of the accounts", base).
		chart("aggregation, unchanged"), ratioAtLeast(1))
	b.add(against("1 % changed", rate(p.people, medians[3]), "COPY of the accounts", base), ratioAtLeast(0.9))
	copied, err := a.copyOf(ctx, registerSource)
	if err != nil {
		return err
	}
	b.add(against("authoritative source, first time", rate(p.people, p.registered), "COPY of its accounts",
		rate(p.people, copied)), target{})
	if err := a.remove(ctx); err != nil {
		return err
	}
	if _, err := p.pool.Exec(ctx, `DROP TABLE bench.copied`); err != nil {
		return err
	}
	return p.settle(ctx)
}

// aggregation is the source of badges, on which no one has an account at first.
type aggregation struct {
	p             *population
	before, after []byte
	rows          bytes.Buffer // the accounts, in the format of COPY
}

// first aggregates accounts that do not exist yet.
func (a *aggregation) first(ctx context.Context) (time.Duration, error) {
	if err := a.remove(ctx); err != nil {
		return 0, err
	}
	took, result, err := a.aggregate(ctx, a.before)
	if err == nil && (result.Added != a.p.people || result.Correlated != a.p.people) {
		err = fmt.Errorf("%d accounts were added and %d correlated where %d should be", result.Added, result.Correlated,
			a.p.people)
	}
	return took, err
}

func (a *aggregation) unchanged(ctx context.Context) (time.Duration, error) {
	took, result, err := a.aggregate(ctx, a.before)
	if err == nil && result.Unchanged != a.p.people {
		err = fmt.Errorf("%d accounts were unchanged where %d should be", result.Unchanged, a.p.people)
	}
	return took, err
}

func (a *aggregation) changed(ctx context.Context) (time.Duration, error) {
	took, result, err := a.aggregate(ctx, a.after)
	if changed := len(a.p.everyNth(100)); err == nil && result.Changed != changed {
		err = fmt.Errorf("%d accounts changed where %d should", result.Changed, changed)
	}
	return took, err
}

// aggregate aggregates a text without the processing after it, which would change no value.
func (a *aggregation) aggregate(ctx context.Context, text []byte) (time.Duration, engine.AggregateResult, error) {
	var result engine.AggregateResult
	if err := a.p.checkpoint(ctx); err != nil {
		return 0, result, err
	}
	took, err := timed(func() (err error) {
		result, err = a.p.aggregate(ctx, badgeSource, text, engine.AggregateOptions{})
		return err
	})
	if err != nil || result.Task == "" {
		return took, result, err
	}
	if _, err := a.p.pool.Exec(ctx, `DELETE FROM muster.refresh_requests WHERE task_id = $1`, result.Task); err != nil {
		return took, result, err
	}
	_, err = a.p.doTask(ctx, result.Task)
	return took, result, err
}

// remove removes the accounts.
func (a *aggregation) remove(ctx context.Context) error {
	const statement = `
		DELETE FROM muster.accounts WHERE source_id = (SELECT id FROM muster.sources WHERE name = $1)`
	if _, err := a.p.pool.Exec(ctx, statement, badgeSource); err != nil {
		return err
	}
	for _, statement := range []string{`VACUUM ANALYZE muster.accounts`, `VACUUM ANALYZE muster.refresh_requests`} {
		if _, err := a.p.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (a *aggregation) copy(ctx context.Context) (time.Duration, error) {
	return a.copyOf(ctx, badgeSource)
}

// copyOf copies the accounts of a source into an empty table.
func (a *aggregation) copyOf(ctx context.Context, source string) (time.Duration, error) {
	conn, err := a.p.pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	id, err := scalar[string](ctx, conn, `SELECT id::text FROM muster.sources WHERE name = $1`, source)
	if err != nil {
		return 0, err
	}
	a.rows.Reset()
	raw := conn.Conn().PgConn()
	if _, err := raw.CopyTo(ctx, &a.rows,
		`COPY (SELECT * FROM muster.accounts WHERE source_id = '`+id+`') TO STDOUT (FORMAT binary)`); err != nil {
		return 0, err
	}
	for _, statement := range []string{
		`CREATE TABLE IF NOT EXISTS bench.copied (LIKE muster.accounts INCLUDING ALL)`, `TRUNCATE bench.copied`,
		`CHECKPOINT`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return 0, err
		}
	}
	return timed(func() error {
		tag, err := raw.CopyFrom(ctx, bytes.NewReader(a.rows.Bytes()), `COPY bench.copied FROM STDIN (FORMAT binary)`)
		if err == nil && tag.RowsAffected() != int64(a.p.people) {
			err = fmt.Errorf("%d accounts were copied where %d should be", tag.RowsAffected(), a.p.people)
		}
		return err
	})
}
