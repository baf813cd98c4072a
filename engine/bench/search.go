package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
)

// The targets of a search: the ratio of finding to the best SQL by hand, and the time of a whole page with its
// documents.
const (
	searchRatioMax = 1.2
	searchPageMax  = 25 * time.Millisecond
	// searchBoundMax is the most time of a count, of an aggregation, and of a search that no index serves: a search
	// ends after 10 s, and has to begin.
	searchBoundMax = 11 * time.Second
)

// handAnywhere finds a word in what an identity has itself, and in the names of its manager, as a search does. The
// states, profiles and sources are left out: there are few, and they do not have the words of the questions.
const handAnywhere = `
	SELECT id FROM (
	    SELECT id FROM muster.identities WHERE to_tsvector('simple', name || ' ' || alias || ' ' ||
	        coalesce(email, '') || ' ' || attributes::text) @@ ($1::text)::tsquery
	    UNION
	    SELECT i.id FROM muster.identities m JOIN muster.identities i ON i.manager_id = m.id
	    WHERE to_tsvector('simple', m.name || ' ' || m.alias) @@ ($1::text)::tsquery) found`

// handIndexes are the indexes that the SQL by hand wants, and that Muster does not have: the value of an attribute and
// the ID, or the time and the ID, in the order of the page.
var handIndexes = []string{
	`CREATE INDEX by_hand_site ON muster.identities (lower(attributes ->> 'site'), id)`,
	`CREATE INDEX by_hand_title ON muster.identities (lower(attributes ->> 'title') text_pattern_ops, id)`,
	`CREATE INDEX by_hand_created ON muster.identities (created, id)`,
	`CREATE INDEX by_hand_names ON muster.identities USING gin (to_tsvector('simple', name || ' ' || alias))`,
	`CREATE INDEX by_hand_words ON muster.identities USING gin (to_tsvector('simple',
		name || ' ' || alias || ' ' || coalesce(email, '') || ' ' || attributes::text))`,
}

// handDocuments reads what the documents of a page of IDs have, in one statement: the rows of the identities and of
// those that they refer to, and each nested list as JSON. The page is put in place of %s.
const handDocuments = `
	SELECT i.id, i.alias, i.name, i.email, i.created, i.modified, i.protected, i.correlated, i.cloud_status,
	       i.identity_state, i.lifecycle_state, i.processing_state, i.processing_error, i.manager_id, m.alias, m.name,
	       EXISTS (SELECT 1 FROM muster.identities e WHERE e.manager_id = i.id), i.profile_id, p.name, o.id, o.name,
	       i.attributes,
	       (SELECT json_agg(json_build_object('id', a.id, 'name', a.name, 'accountId', a.native_identity,
	               'source', json_build_object('id', s.id, 'name', s.name, 'type', s.document ->> 'connector'),
	               'disabled', a.attributes ->> 'IIQDisabled', 'locked', a.attributes ->> 'IIQLocked',
	               'manuallyCorrelated', a.manually_correlated, 'created', a.created, 'modified', a.modified,
	               'accountAttributes', a.attributes) ORDER BY a.id)
	        FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id WHERE a.identity_id = i.id),
	       (SELECT json_agg(json_build_object('id', r.id, 'name', r.name, 'description', r.document -> 'description',
	               'owner', r.document -> 'owner', 'enabled', r.enabled, 'requestable', r.document -> 'requestable',
	               'removeDate', a.remove_date) ORDER BY r.name)
	        FROM muster.role_assignments a JOIN muster.roles r ON r.id = a.role_id
	        WHERE a.identity_id = i.id AND (a.start_date IS NULL OR a.start_date <= now())),
	       (SELECT json_agg(json_build_object('id', e.id, 'name', e.name, 'description', e.document -> 'description',
	               'attribute', e.attribute, 'value', e.value, 'source', e.source_id) ORDER BY e.name)
	        FROM muster.accounts a JOIN muster.account_entitlements k ON k.account_id = a.id
	        JOIN muster.entitlements e ON e.id = k.entitlement_id WHERE a.identity_id = i.id),
	       (SELECT json_agg(json_build_object('kind', w.kind, 'id', w.object_id, 'name', w.name))
	        FROM muster.owned_objects w WHERE w.owner_id = i.id)
	FROM (%s) page
	JOIN muster.identities i ON i.id = page.id
	LEFT JOIN muster.identities m ON m.id = i.manager_id
	LEFT JOIN muster.identity_profiles p ON p.id = i.profile_id
	LEFT JOIN muster.sources o ON o.id = p.authoritative_source_id
	ORDER BY i.id`

// searchQuestion is a query, and the SQL by hand for the same page of IDs: several formulations, of which the fastest
// counts.
type searchQuestion struct {
	name, query string
	hand        []string
	arguments   []any
}

// searchQuestions are made for one person: somebody in the middle.
func (p *population) searchQuestions(ctx context.Context) ([]searchQuestion, error) {
	var first, last, site, title, account string
	const somebody = `
		SELECT attributes ->> 'firstname', attributes ->> 'lastname', attributes ->> 'site', attributes ->> 'title',
		       (SELECT min(a.id::text) FROM muster.accounts a WHERE a.identity_id = i.id)
		FROM muster.identities i ORDER BY id OFFSET $1 LIMIT 1`
	if err := p.pool.QueryRow(ctx, somebody, p.people/2).Scan(&first, &last, &site, &title, &account); err != nil {
		return nil, err
	}
	const page = ` ORDER BY id LIMIT 250`
	folded, lastFolded := strings.ToLower(first), strings.ToLower(last)
	prefix := lastFolded[:len(lastFolded)-1]
	return []searchQuestion{
		{"a name", `lastName:` + last, []string{
			`SELECT id FROM muster.identities WHERE lastname_key = $1` + page}, []any{lastFolded}},
		{"a frequent name", `firstName:` + first, []string{
			`SELECT id FROM muster.identities WHERE firstname_key = $1` + page}, []any{folded}},
		{"an attribute", `attributes.site:"` + site + `"`, []string{
			`SELECT id FROM muster.identities WHERE lower(attributes ->> 'site') = $1` + page}, []any{site}},
		{"an attribute of few", `attributes.title:"` + title + `" AND attributes.site:"` + site + `"`, []string{
			`SELECT id FROM muster.identities WHERE lower(attributes ->> 'title') = $1
				AND lower(attributes ->> 'site') = $2` + page}, []any{title, site}},
		{"a prefix", `lastName:` + prefix + `*`, []string{
			`SELECT id FROM muster.identities WHERE lastname_key >= $1 AND lastname_key < $1 || 'zzz'
				AND lastname_key LIKE $1 || '%'` + page}, []any{prefix}},
		{"a range of times", `created:[now-1y TO now]`, []string{
			`SELECT id FROM muster.identities WHERE created >= now() - interval '1 year' AND created <= now()` + page},
			nil},
		{"a word anywhere", last, []string{handAnywhere + page}, []any{`'` + lastFolded + `':*`}},
		{"a frequent word anywhere", first, []string{handAnywhere + page}, []any{`'` + folded + `':*`}},
		{"an account", `@accounts(id:` + account + `)`, []string{
			`SELECT i.id FROM muster.accounts a JOIN muster.identities i ON i.id = a.identity_id
				WHERE a.id = $1::uuid ORDER BY i.id LIMIT 250`}, []any{account}},
	}, nil
}

// searchCase compares what finds the page of a search with the best SQL by hand, with the indexes that this wants, and
// measures whole pages with their documents, counts and aggregations.
func searchCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	for _, statement := range handIndexes {
		if _, err := p.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	err = p.settle(ctx)
	if err == nil {
		err = p.compareSearches(ctx, b)
	}
	for _, statement := range handIndexes {
		name := strings.Fields(statement)[2]
		_, dropped := p.pool.Exec(ctx, `DROP INDEX muster.`+name)
		err = errors.Join(err, dropped)
	}
	return errors.Join(err, p.settle(ctx))
}

func (p *population) compareSearches(ctx context.Context, b *bench) error {
	questions, err := p.searchQuestions(ctx)
	if err != nil {
		return err
	}
	for i := range questions {
		if err := p.compareSearch(ctx, b, &questions[i]); err != nil {
			return fmt.Errorf("%s: %w", questions[i].name, err)
		}
	}
	return p.boundSearches(ctx, b)
}

func searchFor(query string) engine.SearchRequest {
	return engine.SearchRequest{Indices: []string{"identities"}, Query: &engine.SearchText{Query: query}}
}

func (p *population) compareSearch(ctx context.Context, b *bench, q *searchQuestion) error {
	request := searchFor(q.query)
	statement, arguments, err := p.engine.SearchStatement(ctx, request)
	if err != nil {
		return err
	}
	var ours, theirs []string
	find := func(statement string, arguments []any, into *[]string) measurement {
		return func(ctx context.Context) (time.Duration, error) {
			return timed(func() (err error) {
				*into, err = p.foundIDs(ctx, statement, arguments)
				return err
			})
		}
	}
	baselines := make([]measurement, len(q.hand))
	for i, hand := range q.hand {
		baselines[i] = find(hand, q.arguments, &theirs)
	}
	medians, err := b.alternate(ctx, 9*b.rounds, find(statement, arguments, &ours), baselines...)
	if err != nil {
		return err
	}
	if !slices.Equal(ours, theirs) {
		return fmt.Errorf("the SQL by hand finds %d, and the search %d or others", len(theirs), len(ours))
	}
	b.add(against(q.name+", found", duration(medians[0]), "best SQL by hand", duration(slices.Min(medians[1:]))),
		ratioAtMost(searchRatioMax))
	for _, plan := range append([]string{statement}, q.hand[0]) {
		given := arguments
		if plan != statement {
			given = q.arguments
		}
		if err := p.sayPlan(ctx, b, plan, given); err != nil {
			return err
		}
	}
	page, err := b.alternate(ctx, 9*b.rounds, func(ctx context.Context) (time.Duration, error) {
		return timed(func() error {
			_, err := p.engine.Search(ctx, request)
			return err
		})
	}, func(ctx context.Context) (time.Duration, error) {
		return timed(func() error {
			return p.inCustomPlans(ctx, func(tx pgx.Tx) error {
				return discard(ctx, tx, fmt.Sprintf(handDocuments, q.hand[0]), q.arguments...)
			})
		})
	})
	if err != nil {
		return err
	}
	b.add(against(q.name+", page with documents", duration(page[0]), "SQL by hand, not decoded", duration(page[1])),
		figureAtMost(duration(searchPageMax)))
	return nil
}

// inCustomPlans runs work in a transaction whose statements are planned for their values, as those of a search are.
func (p *population) inCustomPlans(ctx context.Context, work func(tx pgx.Tx) error) error {
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, `SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off`); err != nil {
		return err
	}
	return work(tx)
}

// foundIDs runs a statement whose rows begin with an ID, planned for its values.
func (p *population) foundIDs(ctx context.Context, statement string, arguments []any) (ids []string, err error) {
	err = p.inCustomPlans(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement, arguments...)
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
			values, err := row.Values()
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%x", values[0]), nil
		})
		return err
	})
	return ids, err
}

// sayPlan prints the plan of a statement.
func (p *population) sayPlan(ctx context.Context, b *bench, statement string, arguments []any) error {
	rows, err := p.pool.Query(ctx, `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) `+statement, arguments...)
	if err != nil {
		return err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	b.say("plan of %s\n%s", strings.Join(strings.Fields(statement), " "), strings.Join(lines, "\n"))
	return nil
}

// boundSearches measures counts and aggregations over everybody, and a query that no index serves.
func (p *population) boundSearches(ctx context.Context, b *bench) error {
	measure := func(name string, work func() error) error {
		medians, err := b.alternate(ctx, b.rounds, func(context.Context) (time.Duration, error) { return timed(work) })
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.add(alone(name, duration(medians[0])), figureAtMost(duration(searchBoundMax)))
		return nil
	}
	long := func(query string) engine.SearchRequest {
		request := searchFor(query)
		request.TimeLimit = engine.SearchTimeMax
		return request
	}
	aggregation := long("*")
	aggregation.AggregationsDSL = []byte(`{"Sites": {"terms": {"field": "attributes.site"}}}`)
	none := 0
	aggregation.Limit = &none
	// unserved is a search that says that no index serves it, or that it ended at its limit for this reason.
	unserved := func(query string) func() error {
		return func() error {
			page, err := p.engine.Search(ctx, searchFor(query))
			if err == nil && !page.Scanned {
				return fmt.Errorf("%s: it should say that no index serves it", query)
			}
			if engine.SearchScanned(err) {
				b.say("%s ended at its limit", query)
				return nil
			}
			return err
		}
	}
	return errors.Join(
		measure("count of everybody", func() error {
			_, err := p.engine.SearchCount(ctx, long("*"))
			return err
		}),
		measure("count of a word", func() error {
			_, err := p.engine.SearchCount(ctx, long("attributes.site:7"))
			return err
		}),
		measure("aggregation by an attribute", func() error {
			_, err := p.engine.SearchAggregate(ctx, aggregation)
			return err
		}),
		measure("a part of a word, which no index serves", unserved("attributes.title:*ges*")),
		measure("accounts by a word, which no index serves",
			unserved("@accounts(accountId:login"+strconv.Itoa(p.people/2)+")")),
	)
}
