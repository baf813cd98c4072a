package store

import (
	"context"
	"fmt"
	"strconv"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

// SearchScope are the rows that an aggregation counts: the documents that a query finds, or the elements of a nested
// list of theirs, with further conditions. It is a value: narrowing it makes another one.
type SearchScope struct {
	Index  *SearchIndex
	List   *searchql.List // nil for the documents themselves
	where  sq.And
	joins  string
	levels int
}

// Scope returns the documents that a query finds.
func (q *SearchQuery) Scope() SearchScope {
	return SearchScope{Index: q.Index, where: sq.And{q.Where}}
}

// Schema returns the fields of what is counted.
func (s SearchScope) Schema() *searchql.Schema {
	if s.List != nil {
		return s.List.Schema
	}
	return s.Index.Schema
}

// Nested returns the elements of a nested list of the documents.
func (s SearchScope) Nested(list *searchql.List) SearchScope {
	s.List = list
	s.joins += ` CROSS JOIN LATERAL (SELECT x.* FROM ` + list.From + `) x`
	return s
}

// Where returns those of which a condition is true.
func (s SearchScope) Where(condition sq.Sqlizer) SearchScope {
	s.where = append(s.where[:len(s.where):len(s.where)], condition)
	return s
}

// counted is what is counted once, however many rows it has.
func (s SearchScope) counted() string {
	if s.List == nil {
		return s.Index.id
	}
	return `(` + s.Index.id + `, ` + s.List.ID + `)`
}

// value joins the values of a field, and returns the expression of one.
func (s SearchScope) value(f *searchql.Field) (SearchScope, string) {
	if f.From == "" {
		return s, f.Column
	}
	s.levels++
	alias := `k` + strconv.Itoa(s.levels)
	s.joins += ` CROSS JOIN LATERAL (SELECT ` + f.Column + ` AS value FROM ` + f.From + `) ` + alias
	return s, alias + `.value`
}

// shown is a value of a field as the key of a bucket.
func shown(f *searchql.Field, value string) string {
	switch f.Type {
	case filterql.ID:
		return `replace((` + value + `)::text, '-', '')`
	case filterql.Time:
		return `to_char((` + value + `) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
	default:
		return `(` + value + `)::text`
	}
}

// SearchBucket is a value, and how many documents or elements have it.
type SearchBucket struct {
	Key   string
	Count int
	Scope SearchScope `db:"-"` // those that have it
}

// SearchBuckets returns the values of a field that most have, at most size of them, and each at least least times.
func (s *Store) SearchBuckets(ctx context.Context, q Querier, scope SearchScope, f *searchql.Field, size, least int,
) ([]SearchBucket, error) {
	valued, value := scope.value(f)
	key := shown(f, value)
	text, arguments, err := s.scopeStatement(`SELECT `+key+`, count(DISTINCT `+valued.counted()+`)`,
		valued.Where(sq.Expr(value+` IS NOT NULL`)), ` GROUP BY 1 HAVING count(DISTINCT `+valued.counted()+`) >= `+
			strconv.Itoa(least)+` ORDER BY 2 DESC, `+key+` COLLATE "C" LIMIT `+strconv.Itoa(size))
	if err != nil {
		return nil, err
	}
	return collect(ctx, q, text, func(row pgx.CollectableRow) (SearchBucket, error) {
		var b SearchBucket
		err := row.Scan(&b.Key, &b.Count)
		b.Scope = valued.Where(sq.Expr(key+` = ?`, b.Key))
		return b, err
	}, arguments...)
}

// SearchScopeCount returns how many documents or elements there are.
func (s *Store) SearchScopeCount(ctx context.Context, q Querier, scope SearchScope) (int, error) {
	text, arguments, err := s.scopeStatement(`SELECT count(DISTINCT `+scope.counted()+`)`, scope, ``)
	if err != nil {
		return 0, err
	}
	var count int
	err = q.QueryRow(ctx, text, arguments...).Scan(&count)
	return count, mapError(err)
}

// searchMetrics are the calculations over the values of a field, by the published names.
var searchMetrics = map[string]string{
	"COUNT": `count(%s)`, "UNIQUE_COUNT": `count(DISTINCT %s)`, "AVG": `avg(%s)`, "SUM": `sum(%s)`, "MIN": `min(%s)`,
	"MAX": `max(%s)`, "MEDIAN": `percentile_cont(0.5) WITHIN GROUP (ORDER BY %s)`,
}

// MetricError says that a calculation does not exist, or that the type of the field does not have it.
type MetricError struct{ text string }

func (e *MetricError) Error() string { return e.text }

// SearchMetric calculates over the values of a field. It is nil where there is none. A time is in milliseconds. It
// returns a [MetricError] where this cannot be calculated.
func (s *Store) SearchMetric(ctx context.Context, q Querier, scope SearchScope, f *searchql.Field, metric string,
) (*float64, error) {
	calculation, known := searchMetrics[metric]
	if !known {
		return nil, &MetricError{fmt.Sprintf("the metric %q is unknown: COUNT, UNIQUE_COUNT, AVG, SUM, MEDIAN, MIN "+
			"and MAX are known", metric)}
	}
	valued, value := scope.value(f)
	switch {
	case metric == "COUNT", metric == "UNIQUE_COUNT":
	case f.Type == filterql.Time:
		value = `(extract(epoch FROM ` + value + `) * 1000)`
	case f.Type != filterql.Number:
		return nil, &MetricError{fmt.Sprintf("%q is a %s, and %s is for numbers and dates", f.Name, f.Type, metric)}
	}
	text, arguments, err := s.scopeStatement(`SELECT `+fmt.Sprintf(calculation, value)+`::double precision`, valued, ``)
	if err != nil {
		return nil, err
	}
	var result *float64
	err = q.QueryRow(ctx, text, arguments...).Scan(&result)
	return result, mapError(err)
}

func (s *Store) scopeStatement(columns string, scope SearchScope, rest string) (string, []any, error) {
	where, arguments, err := scope.where.ToSql()
	if err != nil {
		return "", nil, err
	}
	text, err := sq.Dollar.ReplacePlaceholders(columns + ` FROM ` + scope.Index.table + scope.joins + ` WHERE ` +
		where + rest)
	return s.dynamic(text), arguments, err
}
