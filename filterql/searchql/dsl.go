package searchql

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-engine/muster/filterql"
)

// ParseDSL reads a query in the JSON of the product's index: match_all, match, match_phrase, term, terms, range,
// exists, prefix, wildcard, regexp, ids, query_string, bool and nested. A member that it does not know is an error,
// which names its place. In a match the words are joined by OR, as in the product.
func ParseDSL(document []byte) (Expr, error) {
	if len(document) > TextMax {
		return nil, fmt.Errorf("the query has %d bytes, %d are allowed", len(document), TextMax)
	}
	d := &dsl{}
	return d.query(document, "queryDsl", "", 0)
}

type dsl struct{ clauses int }

// members reads an object.
func members(document []byte, place string) (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(document, &object); err != nil || object == nil {
		return nil, fmt.Errorf("%s: an object is expected", place)
	}
	return object, nil
}

// single reads an object with one member.
func single(document []byte, place string) (name string, value json.RawMessage, err error) {
	object, err := members(document, place)
	if err == nil && len(object) != 1 {
		err = fmt.Errorf("%s: an object with one member is expected, this has %d", place, len(object))
	}
	for name, value := range object {
		return name, value, err
	}
	return "", nil, err
}

// query reads a query. Fields inside of a nested query have the name of its path in front, which is left out.
func (d *dsl) query(document []byte, place, path string, depth int) (Expr, error) {
	if depth > DepthMax {
		return nil, fmt.Errorf("%s: more than %d levels", place, DepthMax)
	}
	if d.clauses++; d.clauses > ClausesMax {
		return nil, fmt.Errorf("%s: more than %d clauses", place, ClausesMax)
	}
	kind, body, err := single(document, place)
	if err != nil {
		return nil, err
	}
	place += "." + kind
	switch kind {
	case "match_all":
		return matchAll(body, place)
	case "bool":
		return d.boolean(body, place, path, depth)
	case "nested":
		return d.nested(body, place, depth)
	case "exists":
		return d.exists(body, place, path)
	case "query_string":
		return d.queryString(body, place, depth)
	case "ids":
		return d.ids(body, place)
	case "match", "match_phrase", "term", "prefix", "wildcard", "regexp", "terms", "range":
	default:
		return nil, fmt.Errorf("%s: there is no such query; bool, exists, ids, match, match_all, match_phrase, "+
			"nested, prefix, query_string, range, regexp, term, terms and wildcard are known", place)
	}
	field, value, err := single(body, place)
	if err != nil {
		return nil, err
	}
	place += "." + field
	c := &Clause{}
	c.Field, c.Exact = strings.CutSuffix(relative(field, path), exactSuffix)
	if c.Field == "" {
		return nil, fmt.Errorf("%s: the name of the field is missing", place)
	}
	return d.onField(kind, c, value, place)
}

func matchAll(body json.RawMessage, place string) (Expr, error) {
	options, err := members(body, place)
	if err != nil {
		return nil, err
	}
	delete(options, "boost")
	return &All{}, unknownMembers(options, place)
}

func relative(field, path string) string {
	if path == "" {
		return field
	}
	return strings.TrimPrefix(field, path+".")
}

func (d *dsl) onField(kind string, c *Clause, value json.RawMessage, place string) (Expr, error) {
	if kind == "terms" {
		var values []json.RawMessage
		if err := json.Unmarshal(value, &values); err != nil {
			return nil, fmt.Errorf("%s: a list is expected", place)
		}
		if d.clauses += len(values); d.clauses > ClausesMax {
			return nil, fmt.Errorf("%s: more than %d clauses", place, ClausesMax)
		}
		or := &Or{}
		for _, v := range values {
			text, ok := scalar(v)
			if !ok {
				return nil, fmt.Errorf("%s: a list of texts, numbers or booleans is expected", place)
			}
			or.Terms = append(or.Terms, &Clause{Field: c.Field, Exact: c.Exact, Kind: Phrase, Text: text})
		}
		return or, nil
	}
	if kind == "range" {
		return dslRange(c, value, place)
	}
	text, ok := scalar(value)
	options := map[string]json.RawMessage{}
	if !ok {
		var err error
		if options, err = members(value, place); err != nil {
			return nil, fmt.Errorf("%s: a text or an object is expected", place)
		}
		name := map[string]string{"match": "query", "match_phrase": "query"}[kind]
		if name == "" {
			name = "value"
		}
		if kind == "wildcard" && options["value"] == nil {
			name = "wildcard"
		}
		if text, ok = scalar(options[name]); !ok {
			return nil, fmt.Errorf("%s: %s is missing, or is no text", place, name)
		}
		delete(options, name)
		delete(options, "boost")
	}
	operator := "or"
	if given, ok := options["operator"]; ok && kind == "match" {
		operator, _ = scalar(given)
		delete(options, "operator")
	}
	if err := unknownMembers(options, place); err != nil {
		return nil, err
	}
	if strings.ContainsRune(text, 0) {
		return nil, fmt.Errorf("%s: NUL character", place)
	}
	c.Text = text
	switch kind {
	case "match":
		switch strings.ToLower(operator) {
		case "or":
			c.AnyWord = !c.Exact
		case "and":
			words := Words(text)
			if c.Exact || len(words) == 0 {
				break // it is about the whole value, or finds nothing
			}
			and := &And{}
			for _, word := range words {
				and.Terms = append(and.Terms, &Clause{Field: c.Field, Exact: c.Exact, Text: word})
			}
			return and, nil
		default:
			return nil, fmt.Errorf("%s.operator: and, or or is expected", place)
		}
	case "match_phrase", "term":
		c.Kind = Phrase
	case "regexp":
		c.Kind = Regexp
	default:
		c.Kind = Wildcard
		for _, r := range text {
			switch {
			case kind == "wildcard" && r == '*':
				r = AnyText
			case kind == "wildcard" && r == '?':
				r = AnyCharacter
			}
			c.Pattern = append(c.Pattern, r)
		}
		c.Text = ""
		if kind == "prefix" {
			c.Pattern = append(c.Pattern, AnyText)
		}
		if len(c.Pattern) == 0 {
			return nil, fmt.Errorf("%s: the text is empty", place)
		}
	}
	return c, nil
}

// scalar returns a text, a number or a boolean as a text.
func scalar(value json.RawMessage) (string, bool) {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	if len(value) == 0 || decoder.Decode(&v) != nil {
		return "", false
	}
	switch v.(type) {
	case string, bool, json.Number:
		return textOf(v), true
	}
	return "", false
}

func unknownMembers(object map[string]json.RawMessage, place string) error {
	if len(object) == 0 {
		return nil
	}
	return fmt.Errorf("%s.%s: there is no such member", place, slices.Sorted(maps.Keys(object))[0])
}

func dslRange(c *Clause, value json.RawMessage, place string) (Expr, error) {
	ends, err := members(value, place)
	if err != nil {
		return nil, err
	}
	c.Kind = Range
	for _, end := range []struct {
		name      string
		bound     **Bound
		inclusive bool
	}{{"gt", &c.Lower, false}, {"gte", &c.Lower, true}, {"lt", &c.Upper, false}, {"lte", &c.Upper, true}} {
		given, ok := ends[end.name]
		if !ok {
			continue
		}
		delete(ends, end.name)
		text, ok := scalar(given)
		if !ok || *end.bound != nil {
			return nil, fmt.Errorf("%s.%s: one value is expected", place, end.name)
		}
		*end.bound = &Bound{Text: text, Inclusive: end.inclusive}
	}
	delete(ends, "boost")
	return c, unknownMembers(ends, place)
}

func (d *dsl) boolean(body json.RawMessage, place, path string, depth int) (Expr, error) {
	parts, err := members(body, place)
	if err != nil {
		return nil, err
	}
	lists := map[string][]Expr{}
	for _, name := range []string{"must", "filter", "should", "must_not"} {
		if lists[name], err = d.list(parts[name], place+"."+name, path, depth); err != nil {
			return nil, err
		}
		delete(parts, name)
	}
	least, given := 0, false
	if number, ok := parts["minimum_should_match"]; ok {
		text, _ := scalar(number)
		if text != "0" && text != "1" {
			return nil, fmt.Errorf("%s.minimum_should_match: 0 or 1 is expected", place)
		}
		least, given = int(text[0]-'0'), true
	}
	delete(parts, "minimum_should_match")
	delete(parts, "boost")
	if err := unknownMembers(parts, place); err != nil {
		return nil, err
	}
	and := &And{append(lists["must"], lists["filter"]...)}
	if !given && len(and.Terms) == 0 {
		least = 1
	}
	if least > 0 && len(lists["should"]) > 0 {
		and.Terms = append(and.Terms, &Or{lists["should"]})
	}
	for _, x := range lists["must_not"] {
		and.Terms = append(and.Terms, &Not{x})
	}
	return and, nil
}

// list reads a query, or a list of them.
func (d *dsl) list(value json.RawMessage, place, path string, depth int) ([]Expr, error) {
	if len(value) == 0 {
		return nil, nil
	}
	var queries []json.RawMessage
	if json.Unmarshal(value, &queries) != nil {
		queries = []json.RawMessage{value}
	}
	var list []Expr
	for i, q := range queries {
		x, err := d.query(q, fmt.Sprintf("%s[%d]", place, i), path, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

func (d *dsl) nested(body json.RawMessage, place string, depth int) (Expr, error) {
	parts, err := members(body, place)
	if err != nil {
		return nil, err
	}
	path, ok := scalar(parts["path"])
	if !ok || parts["query"] == nil {
		return nil, fmt.Errorf("%s: path and query are expected", place)
	}
	x, err := d.query(parts["query"], place+".query", path, depth+1)
	if err != nil {
		return nil, err
	}
	delete(parts, "path")
	delete(parts, "query")
	delete(parts, "score_mode")
	return &Nested{Name: path, X: x}, unknownMembers(parts, place)
}

// exists reads the question whether a field has a value. Inside of a nested query its path is the element itself.
func (d *dsl) exists(body json.RawMessage, place, path string) (Expr, error) {
	parts, err := members(body, place)
	if err != nil {
		return nil, err
	}
	field, ok := scalar(parts["field"])
	if !ok || len(parts) != 1 {
		return nil, fmt.Errorf("%s: an object with the member field is expected", place)
	}
	if path != "" && field == path {
		return &All{}, nil
	}
	return &Clause{Field: strings.TrimSuffix(relative(field, path), exactSuffix), Kind: Exists}, nil
}

func (d *dsl) queryString(body json.RawMessage, place string, depth int) (Expr, error) {
	parts, err := members(body, place)
	if err != nil {
		return nil, err
	}
	text, ok := scalar(parts["query"])
	if !ok {
		return nil, fmt.Errorf("%s: query is missing", place)
	}
	delete(parts, "query")
	if err := unknownMembers(parts, place); err != nil {
		return nil, err
	}
	p := &parser{text: text, depth: depth, clauses: d.clauses - 1} // what stands around it counts too
	x, err := p.query()
	d.clauses = p.clauses
	return x, err
}

func (d *dsl) ids(body json.RawMessage, place string) (Expr, error) {
	parts, err := members(body, place)
	if err != nil {
		return nil, err
	}
	var values []string
	if json.Unmarshal(parts["values"], &values) != nil {
		return nil, fmt.Errorf("%s.values: a list of texts is expected", place)
	}
	delete(parts, "values")
	if err := unknownMembers(parts, place); err != nil {
		return nil, err
	}
	if d.clauses += len(values); d.clauses > ClausesMax {
		return nil, fmt.Errorf("%s: more than %d clauses", place, ClausesMax)
	}
	or := &Or{}
	for _, id := range values {
		or.Terms = append(or.Terms, &Clause{Field: "id", Kind: Phrase, Text: id})
	}
	return or, nil
}

// Filter is a condition on a field, beside a query.
type Filter struct {
	Type    string       `json:"type"` // EXISTS, RANGE or TERMS
	Exclude bool         `json:"exclude,omitempty"`
	Range   *FilterRange `json:"range,omitempty"`
	Terms   []string     `json:"terms,omitempty"`
}

// FilterRange are the ends of a RANGE; nil where it is open.
type FilterRange struct {
	Lower *FilterBound `json:"lower,omitempty"`
	Upper *FilterBound `json:"upper,omitempty"`
}

// FilterBound is an end of a RANGE.
type FilterBound struct {
	Value     string `json:"value"`
	Inclusive bool   `json:"inclusive,omitempty"`
}

// Expr returns what a filter on a field means. The terms of TERMS are whole values. The field of an element of a nested
// list is named by @list.field.
func (f Filter) Expr(field string) (Expr, error) {
	list := ""
	if strings.HasPrefix(field, "@") {
		list, field, _ = strings.Cut(field[1:], ".")
	}
	if field = strings.TrimSuffix(field, exactSuffix); field == "" {
		return nil, errors.New("the name of the field is missing")
	}
	var x Expr
	switch strings.ToUpper(f.Type) {
	case "EXISTS":
		x = &Clause{Field: field, Kind: Exists}
	case "RANGE":
		if f.Range == nil || f.Range.Lower == nil && f.Range.Upper == nil {
			return nil, errors.New("a RANGE needs range with lower, upper or both")
		}
		c := &Clause{Field: field, Kind: Range}
		if b := f.Range.Lower; b != nil {
			c.Lower = &Bound{Text: b.Value, Inclusive: b.Inclusive}
		}
		if b := f.Range.Upper; b != nil {
			c.Upper = &Bound{Text: b.Value, Inclusive: b.Inclusive}
		}
		x = c
	case "TERMS":
		if len(f.Terms) == 0 || len(f.Terms) > ClausesMax {
			return nil, fmt.Errorf("TERMS has %d terms, 1 to %d are allowed", len(f.Terms), ClausesMax)
		}
		or := &Or{}
		for _, term := range f.Terms {
			or.Terms = append(or.Terms, &Clause{Field: field, Exact: true, Kind: Phrase, Text: term})
		}
		x = or
	default:
		return nil, fmt.Errorf("the type %s is unknown: EXISTS, RANGE and TERMS are known", filterql.Quoted(f.Type))
	}
	if list != "" {
		x = &Nested{Name: list, X: x}
	}
	if f.Exclude {
		x = &Not{x}
	}
	return x, nil
}

// TextQuery looks for the beginnings of values.
type TextQuery struct {
	Terms    []string `json:"terms"`
	Fields   []string `json:"fields"`
	MatchAny bool     `json:"matchAny,omitempty"` // one term is enough
	Contains bool     `json:"contains,omitempty"` // anywhere in the value
}

// Expr returns what the query means.
func (q TextQuery) Expr() (Expr, error) {
	if len(q.Terms) == 0 || len(q.Fields) == 0 || len(q.Terms)*len(q.Fields) > ClausesMax {
		return nil, fmt.Errorf("textQuery needs terms and fields, at most %d of both multiplied", ClausesMax)
	}
	var terms []Expr
	for _, term := range q.Terms {
		if term == "" || len(term) > TextMax || strings.ContainsRune(term, 0) {
			return nil, errors.New("textQuery has a term that is empty, or is no text")
		}
		var pattern []rune
		if q.Contains {
			pattern = append(pattern, AnyText)
		}
		pattern = append(append(pattern, []rune(term)...), AnyText)
		or := &Or{}
		for _, field := range q.Fields {
			or.Terms = append(or.Terms, &Clause{Field: strings.TrimSuffix(field, exactSuffix), Kind: Wildcard,
				Pattern: pattern, Whole: true})
		}
		terms = append(terms, or)
	}
	if q.MatchAny {
		return &Or{terms}, nil
	}
	return &And{terms}, nil
}
