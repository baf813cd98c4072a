package store

import (
	"context"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-engine/muster/migrations"
)

// Querier is what a [Store] runs statements on: a *pgxpool.Pool, a *pgxpool.Conn, a *pgx.Conn or a pgx.Tx.
type Querier interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}

// Store runs the statements of one tenant. Make it with [New].
type Store struct {
	schema string
	// statements holds each statement with the tenant's schema in it, so that it is replaced only once.
	statements sync.Map
}

// New returns the store of the tenant whose data is in schema.
func New(schema string) (*Store, error) {
	config := migrations.Config{Schema: schema}.WithDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Store{schema: config.Schema}, nil
}

// Schema returns the name of the tenant's schema.
func (s *Store) Schema() string { return s.schema }

// sql returns statement, which names tables as muster.table, for the tenant's schema. The statement must be a constant
// or one of few, since each is cached.
func (s *Store) sql(statement string) string {
	if s.schema == migrations.SchemaDefault {
		return statement
	}
	if text, found := s.statements.Load(statement); found {
		return text.(string)
	}
	text := strings.ReplaceAll(statement, migrations.SchemaDefault+".", s.schema+".")
	s.statements.Store(statement, text)
	return text
}

// collect runs a query and scans its rows with scan.
func collect[T any](ctx context.Context, q Querier, sql string, scan func(pgx.CollectableRow) (T, error),
	arguments ...any,
) ([]T, error) {
	rows, err := q.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, mapError(err)
	}
	list, err := pgx.CollectRows(rows, scan)
	return list, mapError(err)
}

// collectOrdered is [collect] for rows in the order of an index, of which the first are wanted. The planner may use no
// sort: where it expects few rows, it would read and sort all of them for each page. The setting is for this statement
// alone, in a transaction that sets nothing else of the kind.
func collectOrdered[T any](ctx context.Context, tx pgx.Tx, sql string, scan func(pgx.CollectableRow) (T, error),
	arguments ...any,
) ([]T, error) {
	var batch pgx.Batch
	var list []T
	batch.Queue(`SET LOCAL enable_sort = off`)
	queueRows(&batch, sql, scan, &list, arguments...)
	batch.Queue(`SET LOCAL enable_sort TO DEFAULT`)
	return list, mapError(tx.SendBatch(ctx, &batch).Close())
}

// queueRows queues a query whose rows are put into list.
func queueRows[T any](batch *pgx.Batch, sql string, scan func(pgx.CollectableRow) (T, error), list *[]T,
	arguments ...any,
) {
	batch.Queue(sql, arguments...).Query(func(rows pgx.Rows) (err error) {
		*list, err = pgx.CollectRows(rows, scan)
		return err
	})
}

// collectPairs runs a query of two columns, and returns each as a list.
func collectPairs[A, B any](ctx context.Context, q Querier, sql string, arguments ...any) (as []A, bs []B, err error) {
	rows, err := q.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, nil, mapError(err)
	}
	var a A
	var b B
	_, err = pgx.ForEachRow(rows, []any{&a, &b}, func() error {
		as, bs = append(as, a), append(bs, b)
		return nil
	})
	return as, bs, mapError(err)
}

// nonNil makes a nil list an empty one: a comparison with an array parameter that is NULL is never true.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
