package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// undo stores the rows of some identities, so that the changes of a case can be undone. Only one case at a time may use
// it.
type undo struct{ p *population }

// undoTables are the tables to store, with the column of the identity.
var undoTables = []struct{ table, identity string }{
	{"identities", "id"}, {"accounts", "identity_id"}, {"identity_keys", "identity_id"},
	{"role_assignments", "identity_id"},
}

// keep stores the rows of people's identities.
func (p *population) keep(ctx context.Context, people []int) (*undo, error) {
	u := &undo{p}
	if err := u.forget(ctx); err != nil {
		return nil, err
	}
	if _, err := p.pool.Exec(ctx, `CREATE TABLE bench.chosen (id uuid PRIMARY KEY)`); err != nil {
		return nil, err
	}
	const choose = `
		INSERT INTO bench.chosen
		SELECT a.identity_id
		FROM muster.accounts a
		JOIN muster.sources s ON s.id = a.source_id
		WHERE s.name = $1 AND a.native_identity IN (SELECT n::text FROM unnest($2::int[]) n)`
	tag, err := p.pool.Exec(ctx, choose, registerSource, people)
	if err != nil {
		return nil, err
	}
	if tag.RowsAffected() != int64(len(people)) {
		return nil, fmt.Errorf("%d identities were found for %d people", tag.RowsAffected(), len(people))
	}
	for _, t := range undoTables {
		statement := fmt.Sprintf(`
			CREATE TABLE bench.%[1]s AS
			SELECT t.* FROM muster.%[1]s t JOIN bench.chosen c ON c.id = t.%[2]s`, t.table, t.identity)
		if _, err := p.pool.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// forget drops the stored rows.
func (u *undo) forget(ctx context.Context) error {
	_, err := u.p.pool.Exec(ctx, `
		DROP TABLE IF EXISTS bench.chosen, bench.identities, bench.accounts, bench.identity_keys,
		    bench.role_assignments`)
	return err
}

// restore restores the rows of tables.
func (u *undo) restore(ctx context.Context, tables ...string) error {
	return pgx.BeginFunc(ctx, u.p.pool, func(tx pgx.Tx) error {
		for _, t := range undoTables {
			for _, name := range tables {
				if name != t.table {
					continue
				}
				if err := u.restoreTable(ctx, tx, name); err != nil {
					return fmt.Errorf("restore %s: %w", name, err)
				}
			}
		}
		return nil
	})
}

// restoreTable updates identities and accounts, because other rows refer to them, and replaces all other rows.
func (u *undo) restoreTable(ctx context.Context, tx pgx.Tx, table string) error {
	statements := []string{
		`DELETE FROM muster.` + table + ` t USING bench.chosen c WHERE t.identity_id = c.id`,
		`INSERT INTO muster.` + table + ` SELECT * FROM bench.` + table,
	}
	if table == "identities" || table == "accounts" {
		columns, err := assignments(ctx, tx, table)
		if err != nil {
			return err
		}
		statements = []string{`
			UPDATE muster.` + table + ` t SET ` + columns + ` FROM bench.` + table + ` s WHERE t.id = s.id`}
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// assignments returns the SQL that sets the columns of a table to those of s.
func assignments(ctx context.Context, q querier, table string) (string, error) {
	const columns = `
		SELECT quote_ident(attname) FROM pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'id' ORDER BY attnum`
	rows, err := q.Query(ctx, columns, "muster."+table)
	if err != nil {
		return "", err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for i, name := range names {
		names[i] = name + " = s." + name
	}
	return strings.Join(names, ", "), err
}
