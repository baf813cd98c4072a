package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// listMax is the highest ratio of a list to the best SQL by hand.
const listMax = 1.2

// listTime is the time for measuring a list in a round, and listRoundsMax the most measurements in it.
const (
	listTime      = 60 * time.Millisecond
	listRoundsMax = 60
)

// deepPage is the page to compare if there are that many.
const deepPage = 1000

// listColumns and listTables are the SQL of a list by hand.
const (
	listColumns = `
		i.id, i.name, i.alias, i.email, i.cloud_status, i.processing_state, i.manager_id, m.name,
		EXISTS (SELECT FROM muster.identities e WHERE e.manager_id = i.id), i.lifecycle_state, i.lifecycle_manual,
		p.authoritative_source_id, i.identity_state, i.attributes, i.created, i.modified,
		greatest(r.last_refresh, CASE WHEN i.created <= (SELECT at FROM muster.refresh_watermark)
			THEN (SELECT at FROM muster.refresh_watermark) END)`
	listTables = `
		muster.identities i
		LEFT JOIN muster.identity_profiles p ON p.id = i.profile_id
		LEFT JOIN muster.identities m ON m.id = i.manager_id
		LEFT JOIN muster.refresh_state r ON r.identity_id = i.id`
)

// person is a row of a list, as a program would have it by hand.
type person struct {
	ID              pgtype.UUID     `json:"id"`
	Name            string          `json:"name"`
	Alias           string          `json:"alias"`
	EmailAddress    *string         `json:"emailAddress"`
	IdentityStatus  string          `json:"identityStatus"`
	ProcessingState *string         `json:"processingState"`
	ManagerID       pgtype.UUID     `json:"managerId"`
	ManagerName     *string         `json:"managerName"`
	IsManager       bool            `json:"isManager"`
	LifecycleState  *string         `json:"lifecycleState"`
	LifecycleManual bool            `json:"lifecycleManual"`
	SourceID        pgtype.UUID     `json:"sourceId"`
	IdentityState   *string         `json:"identityState"`
	Attributes      json.RawMessage `json:"attributes"`
	Created         time.Time       `json:"created"`
	Modified        time.Time       `json:"modified"`
	LastRefresh     *time.Time      `json:"lastRefresh"`
}

// fields maps the published fields to their columns, by hand.
var fields = map[string]string{
	"id": "i.id", "name": "i.name_key", "alias": "i.alias_key", "firstname": "i.firstname_key",
	"lastname": "i.lastname_key", "email": "i.email_key", "cloudStatus": "i.cloud_status",
	"processingState": "i.processing_state", "correlated": "i.correlated", "protected": "i.protected",
}

// listCase compares each published filter and each sorter with the best SQL by hand for the same question: the first
// page, the thousandth, with and without the count, and behind a cursor. A line shows the worst of those.
func listCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	// One in five hundred is in error until something is processed.
	if err := p.setErrors(ctx, "ERROR"); err != nil {
		return err
	}
	err = p.compareLists(ctx, b)
	return errors.Join(err, p.setErrors(ctx, ""))
}

// setErrors sets the processing state of one identity in five hundred, and settles the population.
func (p *population) setErrors(ctx context.Context, state string) error {
	const statement = `
		UPDATE muster.identities SET processing_state = nullif($1, '')
		WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM muster.identities) numbered
			WHERE n % 500 = 1)`
	if _, err := p.pool.Exec(ctx, statement, state); err != nil {
		return err
	}
	return p.settle(ctx)
}

func (p *population) compareLists(ctx context.Context, b *bench) error {
	questions, err := p.questions(ctx)
	if err != nil {
		return err
	}
	for _, q := range questions {
		worst, err := p.worst(ctx, b, &q)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		b.add(worst, ratioAtMost(listMax))
	}
	return nil
}

// question is a filter or a sorter, in our language and in SQL.
type question struct {
	name             string
	filters, sorters string
	where            string // $1 and $2 are the values
	values           []any
	key              string // the sorter's column; empty for the order by ID
	descending       bool
}

// questions returns a question for each operator on each published field, and for each sorter. The values are those of
// one identity.
func (p *population) questions(ctx context.Context) ([]question, error) {
	known, err := p.somebody(ctx)
	if err != nil {
		return nil, err
	}
	var list []question
	for _, f := range store.IdentitySchema(false).Fields() {
		column, found := fields[f.Name]
		value := known[f.Name]
		if !found || value == "" {
			return nil, fmt.Errorf("the field %s is not known to the benchmark", f.Name)
		}
		for _, op := range []filterql.Op{filterql.Eq, filterql.Sw, filterql.In} {
			if f.Ops.Has(op) {
				list = append(list, filterQuestion(f.Name, column, value, op))
			}
		}
	}
	list = append(list, question{name: "by ID"})
	for _, f := range store.IdentitySchema(false).Fields() {
		if f.Sortable {
			list = append(list, question{name: "by " + f.Name, sorters: f.Name, key: fields[f.Name]},
				question{name: "by -" + f.Name, sorters: "-" + f.Name, key: fields[f.Name], descending: true})
		}
	}
	return list, nil
}

func filterQuestion(name, column, value string, op filterql.Op) question {
	q := question{name: fmt.Sprintf("%s %s", name, op), values: []any{value}}
	switch {
	case op == filterql.Sw:
		local, _, _ := strings.Cut(value, "@")
		prefix := local[:max(len(local)-2, 1)]
		q.filters = fmt.Sprintf("%s sw %q", name, prefix)
		q.where = column + ` >= $1 AND ` + column + ` < $2`
		q.values = []any{prefix, prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1)}
	case op == filterql.In:
		q.filters = fmt.Sprintf("%s in (%q)", name, value)
		q.where = column + ` = ANY ($1)`
		q.values = []any{[]string{value}}
	case value == "true" || value == "false":
		q.filters = name + " eq " + value
		q.where, q.values = column, nil
		if value == "false" {
			q.where = `NOT ` + column
		}
	default:
		q.filters = fmt.Sprintf("%s eq %q", name, value)
		q.where = column + ` = $1`
	}
	return q
}

// somebody returns the values of an identity in the middle, by field.
func (p *population) somebody(ctx context.Context) (map[string]string, error) {
	var id, name, alias, first, last, email string
	const query = `
		SELECT id::text, name_key, alias_key, firstname_key, lastname_key, email_key FROM muster.identities
		ORDER BY id OFFSET $1 LIMIT 1`
	if err := p.pool.QueryRow(ctx, query, p.people/2).Scan(&id, &name, &alias, &first, &last, &email); err != nil {
		return nil, err
	}
	return map[string]string{"id": id, "name": name, "alias": alias, "firstname": first, "lastname": last,
		"email": email, "cloudStatus": "LOCKED", "processingState": "ERROR", "correlated": "true",
		"protected": "true"}, nil
}

// variant is a way to ask a question.
type variant struct {
	name   string
	count  bool
	offset int
	after  *place
}

// place is a row in the middle of an order, in both languages.
type place struct {
	cursor  string
	key, id string
}

// worst measures the variants of a question, and returns the line of the variant with the worst ratio.
func (p *population) worst(ctx context.Context, b *bench, q *question) (line, error) {
	total, err := scalar[int](ctx, p.pool, q.countSQL(), q.values...)
	if err != nil {
		return line{}, err
	}
	if total == 0 {
		return line{}, errors.New("it finds no identity")
	}
	variants := []variant{{name: "page 1"}, {name: "page 1, count", count: true}}
	if deep := (deepPage - 1) * filterql.LimitDefault; total > deep {
		variants = append(variants, variant{name: "page 1,000", offset: deep},
			variant{name: "page 1,000, count", offset: deep, count: true})
	}
	if q.filters == "" && total > 2*filterql.LimitDefault {
		after, err := p.place(ctx, q, total/2)
		if err != nil {
			return line{}, err
		}
		variants = append(variants, variant{name: "cursor", after: after},
			variant{name: "cursor, count", after: after, count: true})
	}
	var worst line
	for _, v := range variants {
		l, err := p.compareList(ctx, b, q, v)
		if err != nil {
			return line{}, fmt.Errorf("%s: %w", v.name, err)
		}
		if worst.Ratio == nil || *l.Ratio > *worst.Ratio {
			worst = l
		}
	}
	if q.name == "name sw" || q.name == "by name" {
		worst = worst.chart("list " + q.name + ", worst variant")
	}
	return worst, nil
}

// compareList measures a variant and its formulations by hand. The fastest formulation counts.
func (p *population) compareList(ctx context.Context, b *bench, q *question, v variant) (line, error) {
	params := engine.ListParams{Filters: q.filters, Sorters: q.sorters, Offset: v.offset, Count: v.count}
	if v.after != nil {
		params.After = v.after.cursor
	}
	var ours []string
	list := func(ctx context.Context) (time.Duration, error) {
		return timed(func() error {
			page, err := p.engine.ListIdentities(ctx, params)
			ours = ours[:0]
			for i := range page.Identities {
				ours = append(ours, page.Identities[i].ID)
			}
			return err
		})
	}
	byHand := func(statement string, arguments []any) measurement {
		return func(ctx context.Context) (time.Duration, error) {
			var people []person
			took, err := timed(func() (err error) {
				people, err = q.byHand(ctx, p.pool, v.count, statement, arguments)
				return err
			})
			if err == nil && !sameIDs(ours, people) {
				err = fmt.Errorf("the SQL by hand gives other identities than the engine: %s", statement)
			}
			return took, err
		}
	}
	direct, arguments := q.pageSQL(v, false)
	first, _ := q.pageSQL(v, true)
	// A fast list is measured more often.
	took, err := list(ctx)
	if err != nil {
		return line{}, err
	}
	rounds := min(max(int(listTime/took), shortRounds), listRoundsMax) * b.rounds
	medians, err := b.alternate(ctx, rounds, list, byHand(direct, arguments), byHand(first, arguments))
	if err != nil {
		return line{}, err
	}
	return against(q.name+", "+v.name, duration(medians[0]), "best SQL by hand",
		duration(min(medians[1], medians[2]))), nil
}

func sameIDs(ours []string, people []person) bool {
	if len(ours) != len(people) {
		return false
	}
	for i := range people {
		if hex.EncodeToString(people[i].ID.Bytes[:]) != ours[i] {
			return false
		}
	}
	return true
}

// byHand asks a question by hand. The count is in the same exchange with the server.
func (q *question) byHand(ctx context.Context, pool *pgxpool.Pool, count bool, page string, arguments []any) (
	people []person, err error,
) {
	if !count {
		return queryPeople(ctx, pool, page, arguments...)
	}
	var batch pgx.Batch
	batch.Queue(q.countSQL(), q.values...).QueryRow(func(row pgx.Row) error {
		var total int
		return row.Scan(&total)
	})
	batch.Queue(page, arguments...).Query(func(rows pgx.Rows) error {
		people, err = scanPeople(rows)
		return err
	})
	return people, pool.SendBatch(ctx, &batch).Close()
}

func queryPeople(ctx context.Context, q querier, statement string, arguments ...any) ([]person, error) {
	rows, err := q.Query(ctx, statement, arguments...)
	if err != nil {
		return nil, err
	}
	return scanPeople(rows)
}

func scanPeople(rows pgx.Rows) ([]person, error) {
	defer rows.Close()
	people := make([]person, 0, filterql.LimitDefault)
	for rows.Next() {
		var p person
		if err := rows.Scan(&p.ID, &p.Name, &p.Alias, &p.EmailAddress, &p.IdentityStatus, &p.ProcessingState,
			&p.ManagerID, &p.ManagerName, &p.IsManager, &p.LifecycleState, &p.LifecycleManual, &p.SourceID,
			&p.IdentityState, &p.Attributes, &p.Created, &p.Modified, &p.LastRefresh); err != nil {
			return nil, err
		}
		people = append(people, p)
	}
	return people, rows.Err()
}

func (q *question) condition() string {
	if q.where == "" {
		return "i.correlated"
	}
	return "i.correlated AND " + q.where
}

func (q *question) countSQL() string {
	return `SELECT count(*) FROM muster.identities i WHERE ` + q.condition()
}

func (q *question) order() string {
	switch {
	case q.key == "":
		return "i.id"
	case q.descending:
		return q.key + " DESC, i.id DESC"
	}
	return q.key + ", i.id"
}

// pageSQL returns the statement of a page. It joins everything at once, or finds the page first.
func (q *question) pageSQL(v variant, pageFirst bool) (string, []any) {
	arguments := q.values
	where := q.condition()
	if v.after != nil {
		switch {
		case q.key == "":
			where += " AND i.id > $1"
			arguments = []any{v.after.id}
		case q.descending:
			where += fmt.Sprintf(" AND (%s, i.id) < ($1, $2)", q.key)
			arguments = []any{v.after.key, v.after.id}
		default:
			where += fmt.Sprintf(" AND (%s, i.id) > ($1, $2)", q.key)
			arguments = []any{v.after.key, v.after.id}
		}
	}
	page := fmt.Sprintf(" WHERE %s ORDER BY %s LIMIT %d OFFSET %d", where, q.order(), filterql.LimitDefault, v.offset)
	if !pageFirst {
		return `SELECT ` + listColumns + ` FROM ` + listTables + page, arguments
	}
	return `WITH page AS MATERIALIZED (SELECT i.id FROM muster.identities i` + page + `)
		SELECT ` + listColumns + ` FROM page JOIN ` + strings.Replace(listTables, "muster.identities i\n",
		"muster.identities i ON i.id = page.id\n", 1) + ` ORDER BY ` + q.order(), arguments
}

// place returns the place behind the page at an offset.
func (p *population) place(ctx context.Context, q *question, offset int) (*place, error) {
	page, err := p.engine.ListIdentities(ctx, engine.ListParams{Sorters: q.sorters, Offset: offset})
	if err != nil {
		return nil, err
	}
	if page.Next == "" {
		return nil, errors.New("there is no page behind the middle")
	}
	at := &place{cursor: page.Next, id: page.Identities[len(page.Identities)-1].ID}
	key := q.key
	if key == "" {
		key = "''"
	}
	at.key, err = scalar[string](ctx, p.pool, `SELECT `+key+` FROM muster.identities i WHERE id = $1`, at.id)
	return at, err
}
