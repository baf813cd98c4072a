package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine"
)

// searchLoadMax is how much longer a first load may take with what is there for the search alone.
const searchLoadMax = 1.5

// withoutSearch takes from a database what is there for the search alone: its indexes, and the words. A trigger takes
// these away, since the engine sends them. So what the engine and the connection spend on them is in both loads; the
// benchmark IdentityWords of package store has the larger part of it.
var withoutSearch = []string{
	`DROP INDEX muster.identities_words`,
	`DROP INDEX muster.identities_unworded`,
	`DROP INDEX muster.identities_created`,
	`CREATE FUNCTION muster.bench_without_words() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN NEW.words := NULL; RETURN NEW; END $$`,
	`CREATE TRIGGER bench_without_words BEFORE INSERT OR UPDATE ON muster.identities
		FOR EACH ROW EXECUTE FUNCTION muster.bench_without_words()`,
}

// searchLoadCase compares first loads with and without what is there for the search alone, in turn and each into a
// database of its own, which is dropped.
func searchLoadCase(ctx context.Context, b *bench) error {
	n := 0
	load := func(name string, prepare []string) measurement {
		return func(ctx context.Context) (time.Duration, error) {
			n++
			return b.firstLoad(ctx, fmt.Sprintf("%s_%d", name, n), prepare)
		}
	}
	medians, err := b.alternate(ctx, b.rounds, load("with", nil), load("without", withoutSearch))
	if err != nil {
		return err
	}
	b.add(against("first load", duration(medians[0]), "without search's indexes", duration(medians[1])),
		ratioAtMost(searchLoadMax))
	return nil
}

// firstLoad loads the population into a database of its own, after some statements, and drops it.
func (b *bench) firstLoad(ctx context.Context, name string, prepare []string) (took time.Duration, err error) {
	p := &population{company: company{people: b.people, seed: b.seed}, clock: newClock(time.Now().UTC())}
	if p.url, p.pool, err = b.server.database(ctx, name); err != nil {
		return 0, err
	}
	made := b.server.made[len(b.server.made)-1]
	defer func() { err = errors.Join(err, b.server.dropOne(context.WithoutCancel(ctx), made)) }()
	defer p.pool.Close()
	for _, statement := range prepare {
		if _, err := p.pool.Exec(ctx, statement); err != nil {
			return 0, err
		}
	}
	if p.engine, err = engine.New(ctx, p.pool, p.engineConfig()); err != nil {
		return 0, err
	}
	if err := p.checkpoint(ctx); err != nil {
		return 0, err
	}
	if took, err = timed(func() error { return p.load(ctx) }); err != nil {
		return 0, err
	}
	const sizes = `
		SELECT pg_table_size('muster.identities'), pg_indexes_size('muster.identities'),
		       coalesce(pg_relation_size(to_regclass('muster.identities_words')), 0)`
	var table, indexes, words int64
	if err := p.pool.QueryRow(ctx, sizes).Scan(&table, &indexes, &words); err != nil {
		return 0, err
	}
	b.say("%s: %s; identities have %d MB, their indexes %d, of which that over words %d", name, significant(took),
		table>>20, indexes>>20, words>>20)
	return took, nil
}
