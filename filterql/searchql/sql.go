package searchql

import (
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	sq "github.com/Masterminds/squirrel"
)

// Where returns the query as a condition for squirrel. Values are arguments and never part of the text. Placeholders
// are question marks.
func (q *Query) Where() sq.Sqlizer { return condition{q.root} }

type condition struct{ root node }

// ToSql implements [sq.Sqlizer]. A condition of more than one comparison is in parentheses.
func (c condition) ToSql() (string, []any, error) {
	w := &writer{}
	c.root.appendSQL(w)
	return w.text.String(), w.arguments, nil
}

// writer builds a condition.
type writer struct {
	text      strings.Builder
	arguments []any
}

func (w *writer) put(texts ...string) {
	for _, text := range texts {
		w.text.WriteString(text)
	}
}

// argument writes a placeholder and the cast, which may be empty.
func (w *writer) argument(value any, cast string) {
	w.text.WriteByte('?')
	w.text.WriteString(cast)
	w.arguments = append(w.arguments, value)
}

func (n constantNode) appendSQL(w *writer) {
	if n {
		w.put("TRUE")
	} else {
		w.put("FALSE")
	}
}

func (n allNode) appendSQL(w *writer) { appendTerms(w, n, " AND ", "TRUE") }
func (n anyNode) appendSQL(w *writer) { appendTerms(w, n, " OR ", "FALSE") }

func appendTerms(w *writer, terms []node, between, none string) {
	if len(terms) == 0 {
		w.put(none)
		return
	}
	w.put("(")
	for i, term := range terms {
		if i > 0 {
			w.put(between)
		}
		term.appendSQL(w)
	}
	w.put(")")
}

// appendSQL writes a negation in two-valued logic: unknown counts as false. What is never unknown is negated directly,
// so that the planner may turn it into a join.
func (n *notNode) appendSQL(w *writer) {
	switch x := n.x.(type) {
	case *nestedNode:
		w.put("NOT ")
		x.appendSQL(w)
		return
	case *existsNode:
		if x.field.From == "" {
			w.put(x.field.Column, " IS NULL")
			return
		}
	}
	w.put("(")
	n.x.appendSQL(w)
	w.put(") IS NOT TRUE")
}

func (n *nestedNode) appendSQL(w *writer) {
	w.put("EXISTS (SELECT 1 FROM ", n.list.From, " AND ")
	n.x.appendSQL(w)
	w.put(")")
}

func (n *existsNode) appendSQL(w *writer) {
	switch f := n.field; {
	case f.From != "":
		w.put("EXISTS (SELECT 1 FROM ", f.From, " AND ", f.Column, " IS NOT NULL)")
	case f.NotNull:
		w.put("TRUE")
	default:
		w.put(f.Column, " IS NOT NULL")
	}
}

func (n *valueNode) appendSQL(w *writer) {
	if len(n.field.OneOf) > 0 {
		n.appendOneOf(w)
		return
	}
	f := n.field
	question, certain := f.lexemes(n.test)
	if question != "" && !f.Elsewhere {
		appendLexemes(w, f.Words, question, certain)
		defer w.put(")")
	}
	test := func() {
		if question != "" && f.Elsewhere {
			appendLexemes(w, f.Words, question, certain)
			defer w.put(")")
		}
		n.test.appendSQL(w, f)
	}
	switch {
	case f.From == "":
		test()
	case f.All == "":
		appendRows(w, f.From, test)
	default:
		w.put("(")
		appendRows(w, f.All, test)
		w.put(" AND ")
		appendRows(w, f.From, test)
		w.put(")")
	}
}

// appendRows writes that one of some rows passes a test.
func appendRows(w *writer, from string, test func()) {
	w.put("EXISTS (SELECT 1 FROM ", from, " AND ")
	test()
	w.put(")")
}

// appendLexemes begins a parenthesis: what the index over words leaves, and what follows, which is looked at of all
// that the index leaves, or only of what it does not have where the index is certain.
func appendLexemes(w *writer, column, question string, certain bool) {
	if certain {
		w.put("(", column, " @@ ")
		w.argument(question, "::tsquery")
		w.put(" OR ", column, " IS NULL AND ")
		return
	}
	w.put("((", column, " @@ ")
	w.argument(question, "::tsquery")
	w.put(" OR ", column, " IS NULL) AND ")
}

// appendOneOf writes which of the values that a field can have pass the test.
func (n *valueNode) appendOneOf(w *writer) {
	var pass []any
	for _, value := range n.field.OneOf {
		if n.test.eval(value, n.field) {
			pass = append(pass, value)
		}
	}
	if len(pass) == 0 {
		w.put("FALSE")
		return
	}
	w.put(n.field.Column, " = ANY (")
	w.argument(sameType(pass), "")
	w.put(")")
}

// appendSQL writes the question to the index over words. Where that does not say by itself what the words say, the
// values are looked at again.
func (n *anywhereNode) appendSQL(w *writer) {
	appendLexemes(w, n.column, n.lexemes, n.certain)
	n.terms.appendSQL(w)
	w.put(")")
}

func (t booleanTest) appendSQL(w *writer, f *Field) {
	w.put(f.Column, " = ")
	constantNode(t).appendSQL(w)
}

func (t idTest) appendSQL(w *writer, f *Field) {
	switch len(t) {
	case 0:
		w.put("FALSE")
	case 1:
		w.put(f.Column, " = ")
		w.argument(t[0], "")
	default:
		w.put(f.Column, " = ANY (")
		w.argument(sameType(t), "")
		w.put(")")
	}
}

func (t numberTest) appendSQL(w *writer, f *Field) {
	exact := func(n *big.Rat) (any, string) { return n.FloatString(18), "::numeric" }
	appendLimits(w, f.Column, t.lower, t.upper, exact)
}

func (t timeTest) appendSQL(w *writer, f *Field) {
	appendLimits(w, f.Column, t.lower, t.upper, func(at time.Time) (any, string) { return at, "" })
}

// appendLimits writes that a column is between two ends. Without any it writes that there is a value.
func appendLimits[T any](w *writer, column string, lower, upper *limit[T], argument func(T) (any, string)) {
	put := func(sign string, l *limit[T]) {
		w.put(column, sign)
		if l.inclusive {
			w.put("=")
		}
		w.put(" ")
		value, cast := argument(l.value)
		w.argument(value, cast)
	}
	w.put("(")
	switch {
	case lower != nil && upper != nil:
		put(" >", lower)
		w.put(" AND ")
		put(" <", upper)
	case lower != nil:
		put(" >", lower)
	case upper != nil:
		put(" <", upper)
	default:
		w.put(column, " IS NOT NULL")
	}
	w.put(")")
}

func (t exactTest) appendSQL(w *writer, f *Field) {
	w.put("(")
	if f.Indexed {
		w.put(f.Key, " = ")
		w.argument(f.fold(string(t)), "")
		w.put(" AND ")
	}
	w.put(f.Column, " = ")
	w.argument(string(t), "")
	w.put(")")
}

// appendSQL writes that the words stand in a text, one behind the other. A text without the longest of them is left out
// before its words are taken apart.
func (t wordsTest) appendSQL(w *writer, f *Field) {
	w.put("(")
	if t.any {
		for i, word := range t.words {
			if i > 0 {
				w.put(" OR ")
			}
			w.put(f.Key, " LIKE ")
			w.argument("%"+likeEscaper.Replace(word)+"%", "")
			w.put(" AND ", wordsSQL(f.Key), " LIKE ")
			w.argument("% "+likeEscaper.Replace(word)+" %", "")
		}
		w.put(")")
		return
	}
	longest := ""
	for _, word := range t.words {
		if len(word) > len(longest) {
			longest = word
		}
	}
	w.put(f.Key, " LIKE ")
	w.argument("%"+likeEscaper.Replace(longest)+"%", "")
	w.put(" AND ", wordsSQL(f.Key), " LIKE ")
	pattern := "% " + likeEscaper.Replace(strings.Join(t.words, " "))
	if !t.prefix {
		pattern += " "
	}
	w.argument(pattern+"%", "")
	w.put(")")
}

func (t patternTest) appendSQL(w *writer, f *Field) {
	switch t.on {
	case onColumn:
		t.appendExact(w, f)
	case onKey:
		w.put(f.Key, " LIKE ")
		w.argument(likePattern(t.pattern), "")
	default:
		t.appendWords(w, f)
	}
}

// appendExact writes that the whole value matches. An index over the folded text finds those that begin like it. The
// last character of the beginning is left out, since one that follows may be composed with it in the folded text.
func (t patternTest) appendExact(w *writer, f *Field) {
	column := f.Column
	if f.Text != "" {
		column = f.Text
	}
	w.put("(")
	if f.Indexed && f.Key != "" { // an ID has no key
		n := 0
		for n < len(t.pattern) && t.pattern[n] >= 0 {
			n++
		}
		if n > 1 {
			prefix := f.fold(string(t.pattern[:n-1]))
			w.put(f.Key, " >= ")
			w.argument(prefix, "")
			if next, ok := successor(prefix); ok {
				w.put(" AND ", f.Key, " < ")
				w.argument(next, "")
			}
			w.put(" AND ")
		}
	}
	w.put(column, " LIKE ")
	w.argument(likePattern(t.pattern), "")
	w.put(")")
}

// successor returns the first text behind all texts that start with prefix.
func successor(prefix string) (string, bool) {
	for prefix != "" {
		r, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch r {
		case utf8.MaxRune:
			continue
		case 0xD7FF: // the surrogates follow, which no text has
			r = 0xDFFF
		}
		return prefix + string(r+1), true
	}
	return "", false
}

func (t patternTest) appendWords(w *writer, f *Field) {
	w.put("(")
	if longest := longestText(t.pattern); longest != "" {
		w.put(f.Key, " LIKE ")
		w.argument("%"+likeEscaper.Replace(longest)+"%", "")
		w.put(" AND ")
	}
	words := wordsSQL(f.Key)
	n := len(t.pattern)
	inner := t.pattern
	before, behind := inner[0] == AnyText, inner[n-1] == AnyText
	if before {
		inner = inner[1:]
	}
	if behind && len(inner) > 0 {
		inner = inner[:len(inner)-1]
	}
	plain := len(inner) > 0
	for _, r := range inner {
		plain = plain && r >= 0
	}
	if !plain {
		w.put(words, " ~ ")
		w.argument(wordExpression(t.pattern), "")
		w.put(")")
		return
	}
	text := likeEscaper.Replace(string(inner))
	if !before {
		text = " " + text
	}
	if !behind {
		text += " "
	}
	w.put(words, " LIKE ")
	w.argument("%"+text+"%", "")
	w.put(")")
}

func (t regexpTest) appendSQL(w *writer, f *Field) {
	if t.on == onWords {
		w.put(wordsSQL(f.Key), " ~ ")
		w.argument(" (?:"+t.expression.postgres+") ", "")
		return
	}
	column := f.Column
	if f.Text != "" {
		column = f.Text
	}
	w.put(column, " ~ ")
	w.argument("^(?:"+t.expression.postgres+")$", "")
}

const (
	dateTextSQL   = `'^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)*$'`
	numberTextSQL = `'^[+-]{0,1}[0-9]{1,18}(\.[0-9]{1,18}){0,1}$'`
)

func (t textTest) appendSQL(w *writer, f *Field) {
	asText := func(text string) (any, string) { return text, "" }
	switch t.on {
	case onKey:
		appendLimits(w, f.Key, t.lower, t.upper, asText)
	case onNumbers:
		column := fmt.Sprintf("(CASE WHEN %s ~ %s THEN (%s)::numeric END)", f.Column, numberTextSQL, f.Column)
		appendLimits(w, column, t.lower, t.upper, func(text string) (any, string) { return text, "::numeric" })
	case onDates:
		w.put("(", f.Column, " ~ ", dateTextSQL, " AND ")
		appendLimits(w, `(`+f.Column+`) COLLATE "C"`, t.lower, t.upper, asText)
		w.put(")")
	default:
		column := f.Column
		if f.Text != "" {
			column = f.Text
		}
		appendLimits(w, `(`+column+`) COLLATE "C"`, t.lower, t.upper, asText)
	}
}
