package searchql

import (
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/filterql"
)

// Options are what a query is checked with beside its schema.
type Options struct {
	// Now is the instant that "now" stands for.
	Now time.Time
	// Zone is that of dates without one, and of the days that are rounded to. Defaults to UTC. It does not move Now.
	Zone *time.Location
	// Fields are those in which a word without a field is looked for. Defaults to those that the schema marks.
	Fields []string
}

// Query is a query that was checked against a schema. It is immutable, and many goroutines may use it.
type Query struct {
	root  node
	notes []string
}

// Notes say what of the query can find nothing, such as a field that does not exist.
func (q *Query) Notes() []string { return slices.Clone(q.notes) }

// ParseQuery parses a query and checks it against a schema. An error is a [*filterql.Error].
func ParseQuery(text string, s *Schema, o Options) (*Query, error) {
	e, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return Check(e, s, o)
}

// Check checks an expression against a schema. Fields that do not exist are no errors: they find nothing, and the query
// has a note. An error is a [*filterql.Error].
func Check(e Expr, s *Schema, o Options) (*Query, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	c := &checker{Options: o, schema: s}
	if o.Fields != nil {
		c.bare = []*Field{}
		for _, name := range o.Fields {
			if f := s.field(strings.TrimSuffix(name, exactSuffix)); f != nil {
				c.bare = append(c.bare, f)
			} else {
				c.note(s.unknown(name))
			}
		}
	} else {
		c.bare = s.bare()
	}
	root, err := c.check(e)
	if err != nil {
		return nil, err
	}
	return &Query{root, c.notes}, nil
}

// node is an expression whose fields and values are known.
type node interface {
	// appendSQL writes a condition that can stand inside a conjunction.
	appendSQL(w *writer)
	eval(document any) bool
}

type (
	constantNode bool
	allNode      []node
	anyNode      []node
	notNode      struct{ x node }
	nestedNode   struct {
		list *List
		x    node
	}
	existsNode struct{ field *Field }
	// anywhereNode is true where one of its terms is. They are all that an index over words is about, so that one
	// question to it finds what may be meant.
	anywhereNode struct {
		terms   anyNode
		column  string // of the index
		lexemes string
		certain bool // what the index finds needs no second look
	}
	// valueNode is true where a value of the field passes the test.
	valueNode struct {
		field *Field
		test  test
	}
)

// test is what a value has to pass.
type test interface {
	appendSQL(w *writer, f *Field)
	eval(value any, f *Field) bool
}

type (
	booleanTest bool
	idTest      []any
	numberTest  struct{ lower, upper *limit[*big.Rat] }
	timeTest    struct{ lower, upper *limit[time.Time] }
	// exactTest is about the whole value, as it is written.
	exactTest string
	wordsTest struct {
		words  []string
		prefix bool // the last word is the beginning of one
		any    bool // one of them is enough, wherever it stands
	}
	patternTest struct {
		pattern []rune
		on      subject
	}
	regexpTest struct {
		expression *expression
		on         subject
	}
	// textTest is about the order of texts.
	textTest struct {
		lower, upper *limit[string]
		on           subject
	}
)

// subject is what of a value a test is about.
type subject uint8

const (
	onWords   subject = iota // a word of the folded text
	onKey                    // the folded text
	onColumn                 // the text as it is
	onDates                  // the text where it is a date
	onNumbers                // the text where it is a number
)

// limit is an end of a range of values.
type limit[T any] struct {
	value     T
	inclusive bool
}

type checker struct {
	Options
	schema *Schema
	bare   []*Field
	notes  []string
}

// notesMax is the most notes of a query.
const notesMax = 20

func (c *checker) note(text string) {
	if len(c.notes) < notesMax && !slices.Contains(c.notes, text) {
		c.notes = append(c.notes, text)
	}
}

func (c *checker) check(e Expr) (node, *filterql.Error) {
	switch e := e.(type) {
	case *All:
		return constantNode(true), nil
	case *And:
		terms, err := c.terms(e.Terms)
		return allNode(terms), err
	case *Or:
		terms, err := c.terms(e.Terms)
		return anyOf(terms), err
	case *Not:
		x, err := c.check(e.X)
		return &notNode{x}, err
	case *Nested:
		return c.nested(e)
	case *Clause:
		return c.clause(e)
	default:
		return nil, fault(filterql.Syntax, place{}, "an expression of the type %T", e)
	}
}

func (c *checker) terms(terms []Expr) ([]node, *filterql.Error) {
	nodes := make([]node, len(terms))
	for i, term := range terms {
		n, err := c.check(term)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

// anyOf joins conditions of which one must be true. Those about an ID of the same field become one, so that a long list
// of IDs is one look into an index.
func anyOf(terms []node) node {
	var rest anyNode
	lists := map[string]*valueNode{}
	for _, term := range terms {
		v, ok := term.(*valueNode)
		if !ok {
			rest = append(rest, term)
			continue
		}
		ids, ok := v.test.(idTest)
		if !ok {
			rest = append(rest, term)
			continue
		}
		if list := lists[v.field.Name]; list != nil {
			list.test = append(slices.Clone(list.test.(idTest)), ids...)
			continue
		}
		list := &valueNode{v.field, ids}
		lists[v.field.Name] = list
		rest = append(rest, list)
	}
	if len(rest) == 1 {
		return rest[0]
	}
	return rest
}

func (c *checker) nested(e *Nested) (node, *filterql.Error) {
	list := c.schema.lists[e.Name]
	if list == nil {
		if e.place.text == "" {
			e = &Nested{e.Name, e.X, place{e.Name, 0, len(e.Name)}}
		}
		known := c.schema.Lists()
		err := fault(filterql.Illegal, e.place, "there is no nested list %s", filterql.Quoted(e.Name))
		if len(known) == 0 {
			return nil, hinted(err, "these documents have none")
		}
		return nil, hinted(err, "there are @%s", strings.Join(known, ", @"))
	}
	inner := &checker{Options: c.Options, schema: list.Schema, bare: list.Schema.bare(), notes: c.notes}
	x, err := inner.check(e.X)
	c.notes = inner.notes
	return &nestedNode{list, x}, err
}

func (c *checker) clause(e *Clause) (node, *filterql.Error) {
	if e.place.text == "" {
		e = placed(e)
	}
	if e.Kind == Exists {
		return c.exists(e.Field), nil
	}
	if e.hasNUL() {
		return nil, fault(filterql.Illegal, e.place, "NUL character")
	}
	if e.Field == "" {
		return c.anywhere(e)
	}
	f := c.schema.field(e.Field)
	if f == nil {
		c.note(c.schema.unknown(e.Field))
		return constantNode(false), nil
	}
	t, err := c.test(e, f)
	if err != nil || t == nil {
		return constantNode(false), err
	}
	return &valueNode{f, t}, nil
}

// hasNUL reports whether a clause that no text has, as one from JSON, looks for a NUL, which PostgreSQL does not know.
func (e *Clause) hasNUL() bool {
	return strings.ContainsRune(e.Text, 0) || slices.Contains(e.Pattern, 0) ||
		e.Lower != nil && strings.ContainsRune(e.Lower.Text, 0) || e.Upper != nil && strings.ContainsRune(e.Upper.Text,
		0)
}

// placed returns a clause that was built by hand with a text for errors.
func placed(e *Clause) *Clause {
	c := *e
	text := Print(e)
	c.place = place{text, 0, len(text)}
	for _, bound := range []**Bound{&c.Lower, &c.Upper} {
		if *bound != nil && (*bound).place.text == "" {
			b := **bound
			b.place = place{b.Text, 0, len(b.Text)}
			*bound = &b
		}
	}
	return &c
}

func (c *checker) exists(name string) node {
	if f := c.schema.byName[name]; f != nil {
		return &existsNode{f}
	}
	if members := c.schema.members(name); len(members) > 0 {
		var terms anyNode
		for _, f := range members {
			terms = append(terms, &existsNode{f})
		}
		return terms
	}
	if f := c.schema.field(name); f != nil {
		return &existsNode{f}
	}
	c.note(c.schema.unknown(name))
	return constantNode(false)
}

// anywhere checks a clause without a field, which is about all fields for which it makes sense.
func (c *checker) anywhere(e *Clause) (node, *filterql.Error) {
	terms, worded := anyNode{}, anyNode{}
	for _, f := range c.bare {
		if f.Type != filterql.String && (f.Type != filterql.ID || e.Kind != Term && e.Kind != Phrase) {
			continue
		}
		t, err := c.test(e, f)
		if err != nil {
			return nil, err
		}
		if words, ok := t.(wordsTest); ok && e.Kind == Term {
			words.prefix = true
			t = words
		}
		if ids, ok := t.(idTest); t == nil || ok && len(ids) == 0 {
			continue
		}
		if n := (&valueNode{f, t}); f.Words != "" && !f.Elsewhere && c.Fields == nil {
			worded = append(worded, n)
		} else {
			terms = append(terms, n)
		}
	}
	if n := together(worded); n != nil {
		return append(anyNode{n}, terms...), nil
	}
	return append(worded, terms...), nil
}

// together returns one question to the index over words in place of one for each field; nil where the index cannot
// answer it.
func together(worded anyNode) node {
	if len(worded) == 0 {
		return nil
	}
	first := worded[0].(*valueNode)
	all := &Field{Words: first.field.Words, Fold: first.field.Fold}
	lexemes, _ := all.lexemes(first.test)
	if lexemes == "" {
		return nil
	}
	words, ok := first.test.(wordsTest)
	certain := ok && len(words.words) == 1 && len(words.words[0]) < beginningMax
	rest := slices.ContainsFunc(worded, func(n node) bool { return n.(*valueNode).field.Tag == "" })
	return &anywhereNode{terms: worded, column: all.Words, lexemes: lexemes, certain: certain && rest}
}

// test returns what a value of a field has to pass. It is nil where none can.
func (c *checker) test(e *Clause, f *Field) (test, *filterql.Error) {
	switch f.Type {
	case filterql.Boolean:
		return c.booleanTest(e, f)
	case filterql.Number:
		return c.numberTest(e, f)
	case filterql.Time:
		return c.timeTest(e, f)
	case filterql.ID:
		return c.idTest(e, f)
	default:
		return c.stringTest(e, f)
	}
}

// wrongKind returns the error of a wildcard, a regular expression or a range on a field of another type.
func wrongKind(e *Clause, f *Field) *filterql.Error {
	kinds := map[Kind]string{Wildcard: "a wildcard", Regexp: "a regular expression", Range: "a range"}
	return hinted(fault(filterql.Illegal, e.place, "%s is not for a %s, which %q is", kinds[e.Kind], f.Type, f.Name),
		"write a %s, or * for any value", f.Type)
}

func (c *checker) booleanTest(e *Clause, f *Field) (test, *filterql.Error) {
	if e.Kind != Term && e.Kind != Phrase {
		return nil, wrongKind(e, f)
	}
	switch strings.ToLower(e.Text) {
	case "true":
		return booleanTest(true), nil
	case "false":
		return booleanTest(false), nil
	}
	return nil, hinted(fault(filterql.Illegal, e.place, "%s is no boolean, which %q is",
		filterql.Quoted(e.Text), f.Name),
		"write true or false")
}

var decimal = regexp.MustCompile(`^[+-]?[0-9]{1,18}(\.[0-9]{1,18})?$`)

func parseNumber(text string) (*big.Rat, bool) {
	if !decimal.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

func (c *checker) numberTest(e *Clause, f *Field) (test, *filterql.Error) {
	read := func(text string, at place) (*big.Rat, *filterql.Error) {
		n, ok := parseNumber(text)
		if !ok {
			return nil, hinted(fault(filterql.Illegal, at, "%s is no number, which %q is",
				filterql.Quoted(text), f.Name),
				"write a number, such as 7 or -1.5")
		}
		return n, nil
	}
	switch e.Kind {
	case Term, Phrase:
		n, err := read(e.Text, e.place)
		if err != nil {
			return nil, err
		}
		return numberTest{&limit[*big.Rat]{n, true}, &limit[*big.Rat]{n, true}}, nil
	case Range:
		var t numberTest
		for _, end := range []struct {
			bound *Bound
			limit **limit[*big.Rat]
		}{{e.Lower, &t.lower}, {e.Upper, &t.upper}} {
			if end.bound == nil {
				continue
			}
			n, err := read(end.bound.Text, end.bound.place)
			if err != nil {
				return nil, err
			}
			*end.limit = &limit[*big.Rat]{n, end.bound.Inclusive}
		}
		return t, nil
	}
	return nil, wrongKind(e, f)
}

func (c *checker) timeTest(e *Clause, f *Field) (test, *filterql.Error) {
	switch e.Kind {
	case Term, Phrase:
		p, err := c.period(e.Text, e.place, f)
		if err != nil {
			return nil, err
		}
		return timeTest{&limit[time.Time]{p.start, true}, &limit[time.Time]{p.end, p.isInstant()}}, nil
	case Range:
		var t timeTest
		if e.Lower != nil {
			p, err := c.period(e.Lower.Text, e.Lower.place, f)
			if err != nil {
				return nil, err
			}
			t.lower = lowerLimit(p, e.Lower.Inclusive)
		}
		if e.Upper != nil {
			p, err := c.period(e.Upper.Text, e.Upper.place, f)
			if err != nil {
				return nil, err
			}
			t.upper = upperLimit(p, e.Upper.Inclusive)
		}
		return t, nil
	}
	return nil, wrongKind(e, f)
}

// lowerLimit returns the lower end of a range. A period that is left out is left out to its end.
func lowerLimit(p period, inclusive bool) *limit[time.Time] {
	if inclusive {
		return &limit[time.Time]{p.start, true}
	}
	return &limit[time.Time]{p.end, !p.isInstant()}
}

// upperLimit returns the upper end of a range. A period that is part of it is so to its end.
func upperLimit(p period, inclusive bool) *limit[time.Time] {
	if inclusive {
		return &limit[time.Time]{p.end, p.isInstant()}
	}
	return &limit[time.Time]{p.start, false}
}

func (c *checker) period(text string, at place, f *Field) (period, *filterql.Error) {
	p, ok := parseDate(text, c.Now, c.Zone)
	if !ok {
		return p, hinted(fault(filterql.Illegal, at, "%s is no date, which %q is", filterql.Quoted(text), f.Name),
			"write a date such as 2024-12-31, 2024-12-31T23:59:59Z, now-7d/d or 2024-01-01||+1M")
	}
	return p, nil
}

func (c *checker) idTest(e *Clause, f *Field) (test, *filterql.Error) {
	switch e.Kind {
	case Term, Phrase:
		texts := []string{e.Text}
		if e.AnyWord {
			texts = strings.Fields(e.Text)
		}
		ids := idTest{}
		for _, text := range texts {
			if argument, ok := f.Convert(text); ok {
				ids = append(ids, argument)
			}
		}
		return ids, nil
	case Wildcard:
		return patternTest{foldPattern(e.Pattern, strings.ToLower), onColumn}, nil
	case Regexp:
		expression, err := compileRegexp(e, false, nil)
		return regexpTest{expression, onColumn}, err
	}
	return textTest{textLimit(e.Lower, strings.ToLower), textLimit(e.Upper, strings.ToLower), onColumn}, nil
}

func (c *checker) stringTest(e *Clause, f *Field) (test, *filterql.Error) {
	switch e.Kind {
	case Term, Phrase:
		if e.Exact {
			return exactTest(e.Text), nil
		}
		words := Words(f.fold(e.Text))
		if len(words) == 0 {
			c.note(fmt.Sprintf("%s has no letter and no digit: it finds nothing", filterql.Quoted(e.Text)))
			return nil, nil
		}
		return wordsTest{words: words, any: e.AnyWord}, nil
	case Wildcard:
		if e.Exact {
			return patternTest{e.Pattern, onColumn}, nil
		}
		pattern := foldPattern(e.Pattern, f.fold)
		if isWordPattern(pattern) && !e.Whole {
			return patternTest{pattern, onWords}, nil
		}
		return patternTest{pattern, onKey}, nil
	case Regexp:
		on := onWords
		if e.Exact {
			on = onColumn
		}
		expression, err := compileRegexp(e, on == onWords, f.fold)
		return regexpTest{expression, on}, err
	}
	return c.textRange(e, f), nil
}

// textRange returns a range of texts. Where its ends are numbers or dates, it is about the texts that are such.
func (c *checker) textRange(e *Clause, f *Field) test {
	all := func(is func(text string) bool) bool {
		return (e.Lower != nil || e.Upper != nil) && (e.Lower == nil || is(e.Lower.Text)) &&
			(e.Upper == nil || is(e.Upper.Text))
	}
	isNumber := func(text string) bool { return decimal.MatchString(text) }
	isDate := func(text string) bool {
		_, ok := parseDate(text, c.Now, c.Zone)
		return ok
	}
	same := func(text string) string { return text }
	switch {
	case all(isNumber):
		return textTest{textLimit(e.Lower, same), textLimit(e.Upper, same), onNumbers}
	case all(isDate):
		t := textTest{on: onDates}
		if e.Lower != nil {
			p, _ := parseDate(e.Lower.Text, c.Now, c.Zone)
			l := lowerLimit(p, e.Lower.Inclusive)
			t.lower = &limit[string]{dateText(l.value), l.inclusive}
		}
		if e.Upper != nil {
			p, _ := parseDate(e.Upper.Text, c.Now, c.Zone)
			l := upperLimit(p, e.Upper.Inclusive)
			t.upper = &limit[string]{dateText(l.value), l.inclusive}
		}
		return t
	case e.Exact:
		return textTest{textLimit(e.Lower, same), textLimit(e.Upper, same), onColumn}
	}
	return textTest{textLimit(e.Lower, f.fold), textLimit(e.Upper, f.fold), onKey}
}

func textLimit(b *Bound, fold func(string) string) *limit[string] {
	if b == nil {
		return nil
	}
	return &limit[string]{fold(b.Text), b.Inclusive}
}

// sameType returns the list as a slice of its elements' type, which a driver can turn into an array.
func sameType(list []any) any {
	slice := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(list[0])), len(list), len(list))
	for i, element := range list {
		slice.Index(i).Set(reflect.ValueOf(element))
	}
	return slice.Interface()
}
