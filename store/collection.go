package store

import (
	"context"
	"strconv"
	"strings"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/migrations"
)

// ListQuery says which rows of a collection to list, in which order.
type ListQuery struct {
	Filter *filterql.Filter   // nil: all
	Order  *filterql.Ordering // never nil; ends with the ID
	After  *filterql.Cursor   // the page begins behind this row; nil: with the first
	Limit  int
	Offset int
}

// collection is a table whose rows are listed by filters and sorters.
type collection[T any] struct {
	table string // with its alias: muster.accounts a
	alias string
	key   string // the column by which a row is found, and the last sorter
	// columns are those of a row of the list. They may name the joined tables.
	columns columns[T]
	joins   []tableJoin
	// pageJoins join the tables to the rows of a page. Defaults to all of joins.
	pageJoins string
}

// tableJoin is a join that columns and fields of the filter language need, and the column whose use tells that it is
// needed. It is by a primary key, so it neither adds nor removes rows. But a join that is not used keeps the planner
// from an index-only scan, even where it removes the join.
type tableJoin struct{ column, join string }

// list calls each with the rows on a page, in order. The next call overwrites the row, and an error ends the list.
// conditions narrow the list beside the filter. Where the page is full, last has the values from which a cursor behind
// it is made. With count it also returns how many rows the query selects on all pages, in the same round trip.
func (c *collection[T]) list(ctx context.Context, s *Store, q Querier, query *ListQuery, conditions []sq.Sqlizer,
	count bool, each func(*T) error,
) (last []any, total int, err error) {
	var page string
	var arguments []any
	if query.Limit > 0 {
		if page, arguments, err = c.pageStatement(s, query, conditions); err != nil {
			return nil, 0, err
		}
	}
	if !count {
		if page == "" {
			return nil, 0, nil
		}
		rows, err := q.Query(ctx, page, arguments...)
		if err != nil {
			return nil, 0, mapError(err)
		}
		defer rows.Close()
		last, err = c.scanPage(rows, query, each)
		return last, 0, mapError(err)
	}
	text, values, err := c.countStatement(s, query, conditions)
	if err != nil {
		return nil, 0, err
	}
	batch := &pgx.Batch{}
	batch.Queue(text, values...).QueryRow(func(row pgx.Row) error { return row.Scan(&total) })
	if page != "" {
		batch.Queue(page, arguments...).Query(func(rows pgx.Rows) (err error) {
			last, err = c.scanPage(rows, query, each)
			return err
		})
	}
	err = q.SendBatch(ctx, batch).Close()
	return last, total, mapError(err)
}

// scanPage reads the rows of a page. Of the last row of a full page it returns the values of the order's columns.
func (c *collection[T]) scanPage(rows pgx.Rows, query *ListQuery, each func(*T) error) ([]any, error) {
	var row T
	values := make([]any, len(query.Order.Columns()))
	targets := c.columns.targets(&row, make([]any, len(values))...) // nil targets are not read
	keys := targets[len(targets)-len(values):]
	n := 0
	for rows.Next() {
		if n++; n == query.Limit {
			for i := range values {
				keys[i] = &values[i]
			}
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		if err := each(&row); err != nil {
			return nil, err
		}
	}
	if n < query.Limit {
		values = nil
	}
	return values, rows.Err()
}

// deepOffset is the offset from which a page is found by the IDs of its rows alone. The rows before the page are then
// skipped in an index, where one has all columns of the query, which pays for looking up the rows of the page again.
const deepOffset = 2000

// pageStatement returns the statement of a page. A subquery finds its rows by the filter and the order, and only then
// the other tables are joined: the planner knows that the rows are few, and looks each of them up.
func (c *collection[T]) pageStatement(s *Store, query *ListQuery, conditions []sq.Sqlizer) (string, []any, error) {
	found, rows := c.alias+`.*`, c.alias
	if query.Offset >= deepOffset {
		found = c.alias + `.` + c.key
		rows = `page JOIN ` + c.table + ` ON ` + found + ` = page.` + c.key
	}
	page, arguments, err := c.selected(s, found, query, conditions)
	if err != nil {
		return "", nil, err
	}
	columns := `SELECT ` + c.columns.selected("") + `, ` + strings.Join(query.Order.Columns(), `, `)
	rest := `) ` + rows + c.joined() + ` ORDER BY ` + strings.Join(query.Order.OrderBy(), `, `)
	return s.dynamic(columns+` FROM (`) + page + s.dynamic(rest), arguments, nil
}

// joined returns the joins to the rows of a page.
func (c *collection[T]) joined() string {
	if c.pageJoins != "" {
		return c.pageJoins
	}
	var joins strings.Builder
	for _, j := range c.joins {
		joins.WriteString(j.join)
	}
	return joins.String()
}

func (c *collection[T]) countStatement(s *Store, query *ListQuery, conditions []sq.Sqlizer) (string, []any, error) {
	where, arguments, err := whereOf(query.Filter, conditions)
	if err != nil {
		return "", nil, err
	}
	text, err := sq.Dollar.ReplacePlaceholders(`SELECT count(*) FROM ` + c.tablesFor(where) + where)
	return s.dynamic(text), arguments, err
}

// selected returns a statement that selects columns of the rows on a query's page, in its order.
func (c *collection[T]) selected(s *Store, columns string, query *ListQuery, conditions []sq.Sqlizer) (string, []any,
	error,
) {
	if query.After != nil {
		conditions = append([]sq.Sqlizer{query.Order.After(query.After)}, conditions...)
	}
	order := ` ORDER BY ` + strings.Join(query.Order.OrderBy(), `, `)
	where, arguments, err := whereOf(query.Filter, conditions)
	if err != nil {
		return "", nil, err
	}
	text := `SELECT ` + columns + ` FROM ` + c.tablesFor(where+order) + where + order + ` LIMIT ` +
		strconv.Itoa(query.Limit)
	if query.Offset > 0 {
		// It is a parameter, because each connection prepares every text and keeps it.
		text += ` OFFSET ?`
		arguments = append(arguments, query.Offset)
	}
	text, err = sq.Dollar.ReplacePlaceholders(text)
	return s.dynamic(text), arguments, err
}

// tablesFor returns the tables whose columns a text names.
func (c *collection[T]) tablesFor(text string) string {
	tables := c.table
	for _, j := range c.joins {
		if strings.Contains(text, j.column) {
			tables += j.join
		}
	}
	return tables
}

// whereOf returns the conditions and the filter as what stands behind the tables, "" for none.
func whereOf(filter *filterql.Filter, conditions []sq.Sqlizer) (string, []any, error) {
	if filter != nil {
		conditions = append(conditions[:len(conditions):len(conditions)], filter.Where())
	}
	if len(conditions) == 0 {
		return "", nil, nil
	}
	text, arguments, err := sq.And(conditions).ToSql()
	return ` WHERE ` + text, arguments, err
}

// row returns the row with a key, or [ErrNotFound].
func (c *collection[T]) row(ctx context.Context, s *Store, q Querier, key any) (T, error) {
	statement := `SELECT ` + c.columns.selected("") + ` FROM ` + c.table + c.joined() +
		` WHERE ` + c.alias + `.` + c.key + ` = $1`
	rows, err := q.Query(ctx, s.sql(statement), key)
	if err != nil {
		var none T
		return none, mapError(err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, c.columns.scan)
	return found, mapError(err)
}

// dynamic is [Store.sql] for statements of many shapes, which are not cached.
func (s *Store) dynamic(statement string) string {
	if s.schema == migrations.SchemaDefault {
		return statement
	}
	return strings.ReplaceAll(statement, migrations.SchemaDefault+".", s.schema+".")
}
