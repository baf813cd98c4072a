package store

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// column is a column of a statement and the field of T that it belongs to.
type column[T any] struct {
	// sql is the name of the column, or an expression where it is only read.
	sql string
	// target returns where the value of a row goes; nil for a column that is only written.
	target func(row *T) any
	// kind is the SQL type of the elements of array. Both are empty for a column that is only read.
	kind  string
	array func(rows []T) any
	// cast stands behind the value where it is written.
	cast string
}

// columns are the columns of T. A SELECT and the targets of its rows, an unnest and its arrays all follow from this one
// list, so that none of them can forget a column or confuse two. The first column that is written is the key.
type columns[T any] []column[T]

// selected returns the columns of a SELECT, each with a prefix.
func (c columns[T]) selected(prefix string) string {
	var read columns[T]
	for i := range c {
		if c[i].target != nil {
			read = append(read, c[i])
		}
	}
	return read.names(prefix)
}

// targets returns where a row of [columns.selected] goes, and what follows it.
func (c columns[T]) targets(row *T, more ...any) []any {
	list := make([]any, 0, len(c)+len(more))
	for i := range c {
		if c[i].target != nil {
			list = append(list, c[i].target(row))
		}
	}
	return append(list, more...)
}

// scan reads a row of [columns.selected].
func (c columns[T]) scan(row pgx.CollectableRow) (T, error) {
	var value T
	err := row.Scan(c.targets(&value)...)
	return value, err
}

// embedded returns the columns that are read of a row that T contains, each with a prefix.
func embedded[T, E any](c columns[E], prefix string, field func(row *T) *E) columns[T] {
	var read columns[T]
	for i := range c {
		if target := c[i].target; target != nil {
			of := func(row *T) any { return target(field(row)) }
			read = append(read, column[T]{sql: prefix + c[i].sql, target: of})
		}
	}
	return read
}

// written returns the columns that are written.
func (c columns[T]) written() columns[T] {
	var written columns[T]
	for i := range c {
		if c[i].array != nil {
			written = append(written, c[i])
		}
	}
	return written
}

// names returns the names of the columns, each behind a prefix.
func (c columns[T]) names(prefix string) string {
	list := make([]string, len(c))
	for i := range c {
		list[i] = prefix + c[i].sql
	}
	return strings.Join(list, ", ")
}

// values returns the columns of v that are written, as a SELECT from [columns.unnest] has them.
func (c columns[T]) values() string {
	var list []string
	for _, w := range c.written() {
		list = append(list, w.sql+w.cast)
	}
	return strings.Join(list, ", ")
}

// unnest returns the table v of the rows that are written. The parameters from $1 on are [columns.arrays].
func (c columns[T]) unnest() string {
	written := c.written()
	arrays := make([]string, len(written))
	for i := range written {
		arrays[i] = parameter(i+1) + "::" + written[i].kind + "[]"
	}
	return `unnest(` + strings.Join(arrays, ", ") + `) v (` + written.names("") + `)`
}

// arrays returns the parameters of [columns.unnest], and what follows them.
func (c columns[T]) arrays(rows []T, more ...any) []any {
	list := make([]any, 0, len(c)+len(more))
	for i := range c {
		if c[i].array != nil {
			list = append(list, c[i].array(rows))
		}
	}
	return append(list, more...)
}

func parameter(n int) string { return "$" + strconv.Itoa(n) }

// readColumn is a column that is only read: an expression and its field.
func readColumn[T, V any](sql string, field func(*T) *V) column[T] {
	return column[T]{sql: sql, target: func(row *T) any { return field(row) }}
}

// valueColumn is a column that is read and written as it is.
func valueColumn[T, V any](name, kind string, field func(*T) *V) column[T] {
	c := readColumn(name, field)
	c.kind = kind
	c.array = arrayOf(field)
	return c
}

// arrayOf returns what makes an array of the values of a field.
func arrayOf[T, V any](field func(*T) *V) func(rows []T) any {
	return func(rows []T) any {
		values := make([]V, len(rows))
		for i := range rows {
			values[i] = *field(&rows[i])
		}
		return values
	}
}

// textColumn is a text that is never null.
func textColumn[T any](name string, field func(*T) *string) column[T] {
	c := valueColumn(name, "text", field)
	c.target = func(row *T) any { return (*text)(field(row)) }
	return c
}

// optionalColumn is a text that is null where the field is empty.
func optionalColumn[T any](name string, field func(*T) *string) column[T] {
	c := textColumn(name, field)
	c.array = func(rows []T) any {
		texts := make([]*string, len(rows))
		for i := range rows {
			texts[i] = nonEmpty(field(&rows[i]))
		}
		return texts
	}
	return c
}

// keyColumn is the [FoldKey] of a text, null where that is nil. It is only written.
func keyColumn[T any](name string, field func(*T) *string) column[T] {
	return column[T]{sql: name, kind: "text", array: func(rows []T) any {
		keys, list := make([]string, len(rows)), make([]*string, len(rows))
		for i := range rows {
			if value := field(&rows[i]); value != nil {
				keys[i] = FoldKey(*value)
				list[i] = &keys[i]
			}
		}
		return list
	}}
}

// documentColumn is a JSON document. It is written as a text, which the statement casts.
func documentColumn[T any](name string, field func(*T) *[]byte) column[T] {
	c := readColumn(name, field)
	c.kind, c.cast = "text", "::jsonb"
	c.array = func(rows []T) any {
		documents := make([]string, len(rows))
		for i := range rows {
			documents[i] = string(*field(&rows[i]))
		}
		return documents
	}
	return c
}

// borrowedColumn is a [documentColumn] that is valid until the next row is read.
func borrowedColumn[T any](name string, field func(*T) *[]byte) column[T] {
	c := documentColumn(name, field)
	c.target = func(row *T) any { return (*pgtype.DriverBytes)(field(row)) }
	return c
}

// nonEmpty returns nil, which is null, for an empty text.
func nonEmpty(text *string) *string {
	if *text == "" {
		return nil
	}
	return text
}

// text takes no new memory where it is the same as in the row before: most columns have few values. Null is "".
type text string

func (t *text) ScanBytes(src []byte) error {
	if string(src) != string(*t) {
		*t = text(src)
	}
	return nil
}
