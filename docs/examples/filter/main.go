// Command filter lists tickets of a table of the host's own by Muster's filter language, with sorters and pages.
//
//	DATABASE_URL=... go run ./docs/examples/filter 'title sw "door" and not done eq true' -created
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/filterql"
)

// table is the host's own. A text that is compared without its case has the folded text beside it, in the order of
// bytes, so that an index serves eq, sw and the sorter.
const table = `
	CREATE TABLE IF NOT EXISTS tickets (
	    id        uuid PRIMARY KEY,
	    title     text NOT NULL,
	    title_key text COLLATE "C" NOT NULL,
	    done      boolean NOT NULL,
	    created   timestamptz NOT NULL
	)`

// fields are what callers may ask for, and how each is stored. Of a filter nothing reaches the database but these
// columns, and values as parameters.
var fields = mustFields(
	filterql.Field{Name: "title", Type: filterql.String, Ops: filterql.OpsOf(filterql.Eq, filterql.Sw, filterql.Co),
		Sortable: true, Column: "t.title_key", NotNull: true, Fold: filterql.Fold},
	filterql.Field{Name: "done", Type: filterql.Boolean, Ops: filterql.OpsOf(filterql.Eq), Column: "t.done",
		NotNull: true},
	filterql.Field{Name: "created", Type: filterql.Time, Ops: filterql.OpsOf(filterql.Gt, filterql.Lt), Sortable: true,
		Column: "t.created", NotNull: true},
	filterql.Field{Name: "id", Type: filterql.ID, Ops: filterql.OpsOf(filterql.Eq, filterql.In), Column: "t.id",
		NotNull: true},
)

func mustFields(list ...filterql.Field) *filterql.Schema {
	schema, err := filterql.NewSchema(list...)
	if err != nil {
		panic(err) // the table above is wrong
	}
	return schema
}

// ticket is a row, and page some of them with the cursor of the next page, "" after the last one.
type ticket struct {
	Title   string
	Done    bool
	Created time.Time
}

type page struct {
	Tickets []ticket
	Next    string
}

// list returns a page of tickets. A mistake in filters, sorters or after is a [*filterql.Error].
func list(ctx context.Context, pool *pgxpool.Pool, filters, sorters, after string, limit int) (*page, error) {
	order, err := filterql.ParseOrdering(sorters, fields, "id") // the ID decides between equal ones
	if err != nil {
		return nil, err
	}
	query := sq.Select("t.title", "t.done", "t.created").Columns(order.Columns()...).From("tickets t").
		OrderBy(order.OrderBy()...).Limit(uint64(limit) + 1).PlaceholderFormat(sq.Dollar)
	if filters != "" {
		filter, err := filterql.ParseFilter(filters, fields)
		if err != nil {
			return nil, err
		}
		query = query.Where(filter.Where())
	}
	if after != "" {
		cursor, err := order.ParseCursor(after)
		if err != nil {
			return nil, err
		}
		query = query.Where(order.After(cursor))
	}
	text, arguments, err := query.ToSql()
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, text, arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found page
	var last []any // the values of the last ticket by which the order goes
	for rows.Next() {
		if len(found.Tickets) == limit { // one more was asked for: there is a next page
			found.Next, err = order.Cursor(last)
			return &found, err
		}
		var t ticket
		last = make([]any, len(order.Columns()))
		targets := []any{&t.Title, &t.Done, &t.Created}
		for i := range last {
			targets = append(targets, &last[i])
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		found.Tickets = append(found.Tickets, t)
	}
	return &found, rows.Err()
}

// add stores a ticket.
func add(ctx context.Context, pool *pgxpool.Pool, id, title string, done bool, created time.Time) error {
	_, err := pool.Exec(ctx, `INSERT INTO tickets VALUES ($1, $2, $3, $4, $5)`, id, title, filterql.Fold(title), done,
		created)
	return err
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal(`usage: filter FILTERS [SORTERS]`)
	}
	sorters := "-created"
	if len(os.Args) > 2 {
		sorters = os.Args[2]
	}
	if err := run(context.Background(), os.Getenv("DATABASE_URL"), os.Stdout, os.Args[1], sorters); err != nil {
		log.Fatal(err)
	}
}

// run prints all tickets that match, page by page.
func run(ctx context.Context, url string, out io.Writer, filters, sorters string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, table, pgx.QueryExecModeExec); err != nil {
		return err
	}
	for after := ""; ; {
		found, err := list(ctx, pool, filters, sorters, after, 50)
		var mistake *filterql.Error
		if errors.As(err, &mistake) {
			return errors.New(mistake.Render()) // with a caret below its place
		}
		if err != nil {
			return err
		}
		for _, t := range found.Tickets {
			fmt.Fprintf(out, "%s  %s\n", t.Created.UTC().Format(time.DateOnly), t.Title)
		}
		if after = found.Next; after == "" {
			return nil
		}
	}
}
