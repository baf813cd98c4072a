package processing_test

import (
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

const membershipConfig = `
identityAttributes:
  - {name: found, searchable: true}
  - {name: plain}
  - {name: many, multi: true, searchable: true}
sources:
  - name: HR
    schemas:
      - name: account
        identityAttribute: id
        attributes: [{name: id}, {name: a}, {name: b}, {name: m, isMulti: true}, {name: n, type: INT},
                     {name: t, type: BOOLEAN}, {name: emp}]
  - name: Directory
    schemas:
      - name: account
        identityAttribute: id
        attributes: [{name: id}, {name: a}, {name: b}, {name: m, isMulti: true}, {name: n, type: INT},
                     {name: t, type: BOOLEAN}, {name: emp}]
    accountCorrelationConfig: {attributeAssignments: [{property: uid, value: emp, operation: EQ}]}
identityProfiles:
  - name: P
    authoritativeSource: {name: HR}
    identityAttributeConfig:
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}
        - {identityAttributeName: found, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: a}}}
        - {identityAttributeName: plain, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: b}}}
        - {identityAttributeName: many, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: m}}}
`

var membershipValues = []string{"x", "X", "xy", "yx", "Straße", "STRASSE", "ß", "1", "01", "2", "10", "-3", "2.5", "+2",
	"1e3", "é", "e\u0301", "ς", "Σ", "%", "_", "a=b", " 7", "true", "\U0001F600", ""}

// accountsText is a random table of accounts, some values missing.
func accountsText(random *rand.Rand, prefix string, people int) string {
	var text strings.Builder
	w := csv.NewWriter(&text)
	_ = w.Write([]string{"id", "a", "b", "m", "n", "t", "emp"})
	pick := func() string { return membershipValues[random.IntN(len(membershipValues))] }
	for i := range people {
		number := strconv.Itoa(random.IntN(12) - 3)
		_ = w.Write([]string{prefix + strconv.Itoa(i), pick(), pick(), pick() + ";" + pick(), number,
			strconv.FormatBool(random.IntN(2) == 0), strconv.Itoa(random.IntN(people))})
	}
	w.Flush()
	return text.String()
}

// genMembership is a random criterion as it is written.
func genMembership(r *rapid.T, sources []store.ID, level int, parent string) map[string]any {
	kind := rapid.IntRange(0, 3).Draw(r, "kind")
	if level == criteria.LevelsMax || kind == 0 && level > 1 {
		key := map[string]any{"type": "IDENTITY",
			"property": "attribute." + rapid.SampledFrom([]string{"uid", "found", "plain", "many"}).Draw(r, "attribute")}
		if rapid.Bool().Draw(r, "account") {
			key = map[string]any{"type": rapid.SampledFrom([]string{"ACCOUNT", "ENTITLEMENT"}).Draw(r, "type"),
				"sourceId": rapid.SampledFrom(sources).Draw(r, "source").String(),
				"property": "attribute." + rapid.SampledFrom([]string{"a", "b", "m", "n", "t"}).Draw(r, "attribute")}
		}
		operation := rapid.SampledFrom([]string{"EQUALS", "NOT_EQUALS", "CONTAINS", "DOES_NOT_CONTAIN", "STARTS_WITH",
			"ENDS_WITH", "GREATER_THAN", "LESS_THAN", "GREATER_THAN_EQUALS", "LESS_THAN_EQUALS"}).Draw(r, "operation")
		value := rapid.SampledFrom(membershipValues[:len(membershipValues)-1]).Draw(r, "value")
		return map[string]any{"operation": operation, "key": key, "stringValue": value}
	}
	operation := "OR"
	if parent == "OR" || parent == "" && kind > 1 {
		operation = "AND"
	}
	var children []any
	for range rapid.IntRange(1, 3).Draw(r, "children") {
		children = append(children, genMembership(r, sources, level+1, operation))
	}
	return map[string]any{"operation": operation, "children": children}
}

// The SQL of a criterion finds the identities for which the criterion holds, whatever the criterion and the values.
func TestMembershipAgreesWithCriterion(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Pool(t)
	eng, err := engine.New(t.Context(), pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	documents, err := engine.ReadDocuments("config", strings.NewReader(membershipConfig))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eng.Apply(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	const people = 120
	for _, source := range []string{"HR", "Directory"} {
		prefix := map[string]string{"HR": "", "Directory": "d"}[source]
		result, err := eng.Aggregate(t.Context(), source, strings.NewReader(accountsText(random, prefix, people)),
			engine.AggregateOptions{})
		if err != nil || len(result.RowErrors) > 0 {
			t.Fatalf("got %v %+v, want err == nil && len(result.RowErrors) <= 0", err, result.RowErrors)
		}
		if _, err := eng.ProcessPending(t.Context(), engine.ProcessOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	b := readEverybody(t, pool, tx)
	var sources []store.ID
	for id := range b.Configuration.Sources {
		sources = append(sources, id)
	}
	slices.SortFunc(sources, func(a, b store.ID) int { return slices.Compare(a[:], b[:]) })
	matched := 0
	rapid.Check(t, func(r *rapid.T) {
		text, err := json.Marshal(genMembership(r, sources, 1, ""))
		if err != nil {
			r.Fatal(err)
		}
		criterion, err := criteria.Parse(text, func(name string) (criteria.ID, bool) {
			id, err := store.ParseID(name)
			return id, err == nil
		})
		if err != nil {
			r.Fatal(err)
		}
		var want []store.ID
		for i := range b.Snapshots {
			s := &b.Snapshots[i]
			facts := criteria.Facts{Identity: &s.Identity.Attributes}
			for k := range s.Accounts {
				facts.Accounts = append(facts.Accounts, criteria.Account{SourceID: s.Accounts[k].SourceID,
					Attributes: s.Accounts[k].Attributes})
			}
			if criterion.Match(&facts) {
				want = append(want, s.Identity.ID)
			}
		}
		membership := b.Configuration.MembershipOf(criterion)
		got, err := b.Store.IdentitiesWithMembership(t.Context(), pool, &membership)
		if err != nil {
			r.Fatalf("%s: %v", text, err)
		}
		if !slices.Equal(got, want) {
			r.Fatalf("%s: SQL finds %d identities, the criterion holds for %d", text, len(got), len(want))
		}
		if len(want) > 0 && len(want) < people {
			matched++
		}
	})
	if matched < 10 {
		t.Errorf("only %d criteria hold for some and not for others", matched)
	}
}

// readEverybody reads every identity.
func readEverybody(t *testing.T, pool *pgxpool.Pool, tx pgx.Tx) *processing.Read {
	t.Helper()
	p := newProcessor(t, pool)
	c, err := p.CurrentConfiguration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := tx.Query(t.Context(), `SELECT id FROM muster.identities ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[store.ID])
	if err != nil {
		t.Fatal(err)
	}
	read, err := p.ReadOnly(tx, c, p.Now()).Read(t.Context(), ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	return read
}
