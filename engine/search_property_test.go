package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
	"github.com/muster-engine/muster/store"
)

// searchRichCompany has documents of every index, with and without most of their members, and with references to what
// does not exist.
func searchRichCompany(t *testing.T) *enginetest.Company {
	t.Helper()
	c := searchCompany(t)
	for _, value := range []string{"guests", "Domain Admins"} { // each is given, and maybe taken back
		c.ApplyText(richConfiguration(c.ID("ann"), value))
		c.Process()
	}
	if _, err := c.SetLifecycleState(t.Context(), c.ID("cy"), "leave"); err != nil {
		t.Fatal(err)
	}
	return c
}

func richConfiguration(owner, value string) string {
	return fmt.Sprintf(`
accessProfiles:
  - name: Sales files
    description: "Files of the sales people: São Paulo's, O'Neill's"
    source: {type: SOURCE, name: Directory}
    owner: {type: IDENTITY, id: %[1]s, name: ann}
    requestable: false
    entitlements: [{attribute: groups, value: %[2]s}]
  - name: Guest files (old)
    enabled: false
    source: {type: SOURCE, name: Directory}
    entitlements: [{attribute: groups, value: guests}, {attribute: groups, value: "Domain Admins"}]
roles:
  - name: Sales
    description: Straße
    enabled: true
    requestable: true
    owner: {type: IDENTITY, id: %[1]s, name: ann}
    accessProfiles: [{type: ACCESS_PROFILE, name: Sales files}, {type: ACCESS_PROFILE, name: Guest files (old)}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: Sales}
  - name: Auditor
    enabled: false
    description: "Reads the books, and the sales_files"
    owner: {type: IDENTITY, id: 018f0000-0000-7000-8000-00000000abcd}
  - {name: auditor.night-shift, enabled: true}
`, owner, value)
}

// What SQL finds of each index is what the evaluator says of the documents that are shown.
func TestSearchedDocumentsProperty(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	c := searchRichCompany(t)
	indexes, err := store.NewSearchIndexes(&store.SearchSetup{
		Now: searchNow, Attributes: []store.AttributeField{{Name: "groups", Multi: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string][]engine.SearchHit{}
	for _, index := range indexes {
		documents[index.Name] = documentsFound(t, c.Engine, index.Name, "*")
		if len(documents[index.Name]) == 0 {
			t.Fatalf("%s has no documents", index.Name)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		index := rapid.SampledFrom(indexes).Draw(rt, "index")
		all := documents[index.Name]
		d := &queryDrawer{T: rt, documents: all}
		e := d.expression(index.Schema, 2)
		text := searchql.Print(e)
		query, err := searchql.ParseQuery(text, index.Schema, searchql.Options{Now: searchNow})
		if err != nil {
			rt.Fatalf("%s on %s: %v", text, index.Name, err)
		}
		want := []string{}
		for _, document := range all {
			if query.Eval(document) {
				want = append(want, document["id"].(string))
			}
		}
		got := []string{}
		for _, document := range documentsFound(rt, c.Engine, index.Name, text) {
			got = append(got, document["id"].(string))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("%s on %s: -evaluated +found\n%s", text, index.Name, diff)
		}
		if n, err := c.SearchCount(t.Context(), engine.SearchRequest{Indices: []string{index.Name},
			Query: &engine.SearchText{Query: text}}); err != nil || n != len(want) {
			rt.Fatalf("%s on %s: %d are counted, %d are true: %v", text, index.Name, n, len(want), err)
		}
	})
}

func documentsFound(t rapid.TB, e *engine.Engine, index, query string) []engine.SearchHit {
	t.Helper()
	page, err := e.Search(context.Background(), engine.SearchRequest{Indices: []string{index}, Sort: []string{"id"},
		Query: &engine.SearchText{Query: query}})
	if err != nil {
		t.Fatalf("%s on %s: %v", query, index, err)
	}
	return page.Documents
}

// queryDrawer draws queries about values that documents have.
type queryDrawer struct {
	*rapid.T
	documents []engine.SearchHit
	list      string // the nested list that the query is about
}

// valuesOf returns the values of a field as texts, sorted and each once.
func (d *queryDrawer) valuesOf(field string) []string {
	if d.list != "" {
		field = d.list + "." + field
	}
	var texts []string
	for _, document := range d.documents {
		for _, value := range searchql.Values(map[string]any(document), field) {
			if text := fmt.Sprint(value); text != "" {
				texts = append(texts, text)
			}
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func (d *queryDrawer) one(of ...string) string { return rapid.SampledFrom(of).Draw(d.T, "one") }

func (d *queryDrawer) expression(s *searchql.Schema, depth int) searchql.Expr {
	terms := func() []searchql.Expr {
		return []searchql.Expr{d.expression(s, depth-1), d.expression(s, depth-1)}
	}
	if depth > 0 {
		switch rapid.IntRange(0, 6).Draw(d.T, "form") {
		case 0:
			return &searchql.And{Terms: terms()}
		case 1:
			return &searchql.Or{Terms: terms()}
		case 2:
			if x := d.clause(s); x != nil {
				return &searchql.Not{X: x}
			}
		case 3:
			if lists := s.Lists(); len(lists) > 0 && d.list == "" {
				name := d.one(lists...)
				inner := &queryDrawer{T: d.T, documents: d.documents, list: name}
				return &searchql.Nested{Name: name, X: inner.expression(s.List(name).Schema, depth-1)}
			}
		}
	}
	return d.clause(s)
}

// clause makes a condition on a field, or on any, with a value that some document has there or nearly has.
func (d *queryDrawer) clause(s *searchql.Schema) *searchql.Clause {
	fields := s.Fields()
	f := fields[rapid.IntRange(0, len(fields)-1).Draw(d.T, "field")]
	values := d.valuesOf(f.Name)
	if len(values) == 0 {
		values = []string{"nothing"}
	}
	value := d.one(values...)
	if rapid.IntRange(0, 7).Draw(d.T, "presence") == 0 {
		return &searchql.Clause{Field: f.Name, Kind: searchql.Exists}
	}
	x := &searchql.Clause{Field: f.Name}
	switch f.Type {
	case filterql.Boolean:
		x.Text = d.one("true", "false")
	case filterql.Number:
		d.value(x, value, "0", "1", "2")
	case filterql.Time:
		d.value(x, value, "now", "2026-11-29", "now-1d/d")
	case filterql.ID:
		x.Text = d.one(value, "018f0000000070008000000000000001")
		if x.Text == "nothing" {
			x.Text = "018f0000000070008000000000000001"
		}
	default:
		d.text(x, value)
	}
	return x
}

// value makes of a clause an equality or a range.
func (d *queryDrawer) value(x *searchql.Clause, values ...string) {
	if values[0] == "nothing" {
		values = values[1:]
	}
	x.Text = d.one(values...)
	if rapid.Bool().Draw(d.T, "range") {
		x.Kind, x.Lower = searchql.Range, &searchql.Bound{Text: x.Text, Inclusive: rapid.Bool().Draw(d.T, "inclusive")}
		x.Text = ""
		if rapid.Bool().Draw(d.T, "closed") {
			x.Upper = &searchql.Bound{Text: d.one(values...), Inclusive: rapid.Bool().Draw(d.T, "inclusive")}
		}
	}
}

// text makes a condition on a text out of a clause.
func (d *queryDrawer) text(x *searchql.Clause, value string) {
	words := searchql.Words(value)
	if len(words) == 0 {
		words = []string{"x"}
	}
	word := d.one(words...)
	runes := []rune(strings.ToLower(word))
	switch rapid.IntRange(0, 6).Draw(d.T, "kind") {
	case 0:
		x.Text = word
	case 1:
		x.Kind, x.Text = searchql.Phrase, strings.Join(words[:rapid.IntRange(1, len(words)).Draw(d.T, "words")], " ")
	case 2:
		x.Kind, x.Text, x.Exact = searchql.Phrase, value, true
	case 3:
		x.Kind = searchql.Wildcard
		x.Pattern = append(runes[:1+len(runes)/2:1+len(runes)/2], searchql.AnyText)
	case 4:
		x.Kind = searchql.Wildcard
		x.Pattern = append(append([]rune{searchql.AnyText}, runes[len(runes)/2:]...), searchql.AnyText)
	case 5: // anywhere
		x.Field, x.Text = "", string(runes[:1+len(runes)/2])
	default:
		x.Kind, x.Lower = searchql.Range, &searchql.Bound{Text: word, Inclusive: rapid.Bool().Draw(d.T, "inclusive")}
	}
}

// A document shows what a reference says, and nothing in place of what does not exist.
func TestSearchShowsUnresolvedReferences(t *testing.T) {
	t.Parallel()
	c := searchRichCompany(t)
	roles := documentsFound(t, c.Engine, "roles", "name:auditor")
	if len(roles) != 1 {
		t.Fatalf("the roles are %v", roles)
	}
	owner := map[string]any{"type": "IDENTITY", "id": "018f000000007000800000000000abcd"}
	if diff := cmp.Diff(owner, roles[0]["owner"]); diff != "" {
		t.Errorf("an owner who does not exist: -want +got\n%s", diff)
	}
}
