package searchql

import (
	"cmp"
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-engine/muster/filterql"
)

// Eval decides in memory whether the query finds a document: what [json.Unmarshal] makes of one, or the same with
// times, integers and numbers of their own types. It finds what the SQL finds.
func (q *Query) Eval(document map[string]any) bool { return q.root.eval(document) }

func (n constantNode) eval(any) bool { return bool(n) }

func (n allNode) eval(document any) bool {
	return !slices.ContainsFunc(n, func(x node) bool { return !x.eval(document) })
}

func (n anyNode) eval(document any) bool {
	return slices.ContainsFunc(n, func(x node) bool { return x.eval(document) })
}

func (n *anywhereNode) eval(document any) bool { return n.terms.eval(document) }

func (n *notNode) eval(document any) bool { return !n.x.eval(document) }

func (n *nestedNode) eval(document any) bool {
	object, _ := document.(map[string]any)
	list, _ := object[n.list.Name].([]any)
	return slices.ContainsFunc(list, n.x.eval)
}

func (n *existsNode) eval(document any) bool { return len(Values(document, n.field.Name)) > 0 }

func (n *valueNode) eval(document any) bool {
	passes := func(value any) bool { return n.test.eval(value, n.field) }
	return slices.ContainsFunc(Values(document, n.field.Name), passes)
}

// Values returns the values at a path of a document: those of all elements of lists, and of an object all its members.
// Nulls are left out.
func Values(document any, path string) []any {
	switch d := document.(type) {
	case nil:
		return nil
	case []any:
		var values []any
		for _, element := range d {
			values = append(values, Values(element, path)...)
		}
		return values
	case map[string]any:
		if path == "" {
			var values []any
			for _, member := range d {
				values = append(values, Values(member, "")...)
			}
			return values
		}
		name, rest, _ := strings.Cut(path, ".")
		return Values(d[name], rest)
	}
	if path != "" {
		return nil
	}
	return []any{document}
}

// textOf returns a value as PostgreSQL writes one of a JSON document.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	default:
		return ""
	}
}

func (t booleanTest) eval(value any, _ *Field) bool {
	v, ok := value.(bool)
	return ok && v == bool(t)
}

func (t idTest) eval(value any, f *Field) bool {
	argument, ok := f.Convert(textOf(value))
	return ok && slices.Contains(t, argument)
}

func (t numberTest) eval(value any, _ *Field) bool {
	n, ok := new(big.Rat).SetString(textOf(value))
	return ok && within(n, t.lower, t.upper, (*big.Rat).Cmp)
}

func within[T any](value T, lower, upper *limit[T], compare func(a, b T) int) bool {
	if lower != nil {
		if order := compare(value, lower.value); order < 0 || order == 0 && !lower.inclusive {
			return false
		}
	}
	if upper != nil {
		if order := compare(value, upper.value); order > 0 || order == 0 && !upper.inclusive {
			return false
		}
	}
	return true
}

func (t timeTest) eval(value any, _ *Field) bool {
	at, ok := value.(time.Time)
	if text, isText := value.(string); isText {
		parsed, err := time.Parse(time.RFC3339Nano, text)
		at, ok = parsed, err == nil
	}
	return ok && within(at.Truncate(time.Microsecond), t.lower, t.upper, time.Time.Compare)
}

func (t exactTest) eval(value any, _ *Field) bool { return textOf(value) == string(t) }

func (t wordsTest) eval(value any, f *Field) bool {
	words := Words(f.fold(textOf(value)))
	if t.any {
		return slices.ContainsFunc(t.words, func(word string) bool { return slices.Contains(words, word) })
	}
	n := len(t.words)
	for i := 0; i+n <= len(words); i++ {
		last := words[i+n-1]
		if slices.Equal(words[i:i+n-1], t.words[:n-1]) &&
			(last == t.words[n-1] || t.prefix && strings.HasPrefix(last, t.words[n-1])) {
			return true
		}
	}
	return false
}

// subjectsOf returns the texts that a test is about.
func subjectsOf(value any, f *Field, on subject) []string {
	text := textOf(value)
	switch {
	case on == onColumn && f.Type == filterql.ID:
		return []string{strings.ToLower(text)}
	case on == onColumn:
		return []string{text}
	case on == onKey:
		return []string{f.fold(text)}
	default:
		return Words(f.fold(text))
	}
}

func (t patternTest) eval(value any, f *Field) bool {
	return slices.ContainsFunc(subjectsOf(value, f, t.on), func(text string) bool { return glob(t.pattern, text) })
}

func (t regexpTest) eval(value any, f *Field) bool {
	return slices.ContainsFunc(subjectsOf(value, f, t.on), t.expression.compiled.MatchString)
}

var dateStart = regexp.MustCompile(`(?s)^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$`)

func (t textTest) eval(value any, f *Field) bool {
	text := textOf(value)
	switch t.on {
	case onNumbers:
		n, ok := parseNumber(text)
		if !ok {
			return false
		}
		return within(n, ratLimit(t.lower), ratLimit(t.upper), (*big.Rat).Cmp)
	case onDates:
		return dateStart.MatchString(text) && within(text, t.lower, t.upper, cmp.Compare)
	}
	return within(subjectsOf(value, f, t.on)[0], t.lower, t.upper, cmp.Compare)
}

func ratLimit(l *limit[string]) *limit[*big.Rat] {
	if l == nil {
		return nil
	}
	n, _ := parseNumber(l.value)
	return &limit[*big.Rat]{n, l.inclusive}
}
