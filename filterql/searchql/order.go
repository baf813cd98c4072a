package searchql

import (
	"math/big"
	"slices"
	"strings"
	"time"

	sq "github.com/Masterminds/squirrel"

	"github.com/muster-engine/muster/filterql"
)

// SortMax is the most fields to sort by.
const SortMax = 16

// Order is an order of documents. It is immutable, and many goroutines may use it.
type Order struct {
	keys  []orderKey
	given int // those that were asked for; the last may be what breaks ties
}

type orderKey struct {
	field      *Field
	descending bool
}

// ParseOrder reads the fields to sort by, each with - in front for descending, or + for ascending. What the field
// tieBreak says comes last, so that no two documents are equal. An error is a [*filterql.Error].
func ParseOrder(sort []string, s *Schema, tieBreak string) (*Order, error) {
	o := &Order{}
	if len(sort) > SortMax {
		return nil, fault(filterql.Limit, place{}, "%d fields to sort by, %d are allowed", len(sort), SortMax)
	}
	for _, text := range sort {
		name, descending := strings.CutPrefix(strings.TrimSpace(text), "-")
		if !descending {
			name = strings.TrimPrefix(name, "+")
		}
		name = strings.TrimSuffix(name, exactSuffix)
		at := place{text, 0, len(text)}
		f := s.field(name)
		switch {
		case f == nil:
			return nil, fault(filterql.Illegal, at, "there is no field %s to sort by", filterql.Quoted(name))
		case f.Sort == "":
			return nil, hinted(fault(filterql.Illegal, at, "%s cannot be sorted by", filterql.Quoted(name)),
				"sort by a field that has one value")
		case slices.ContainsFunc(o.keys, func(k orderKey) bool { return k.field.Name == name }):
			return nil, fault(filterql.Illegal, at, "%s is named twice", filterql.Quoted(name))
		}
		o.keys = append(o.keys, orderKey{f, descending})
	}
	o.given = len(o.keys)
	if !slices.ContainsFunc(o.keys, func(k orderKey) bool { return k.field.Name == tieBreak }) {
		last := s.field(tieBreak)
		if last == nil || last.Sort == "" {
			return nil, fault(filterql.Illegal, place{}, "the schema has no field %s to break ties by",
				filterql.Quoted(tieBreak))
		}
		o.keys = append(o.keys, orderKey{last, o.given > 0 && o.keys[o.given-1].descending})
	}
	return o, nil
}

// OrderBy returns the terms for squirrel's OrderBy. Nulls come last in both directions.
func (o *Order) OrderBy() []string {
	terms := make([]string, len(o.keys))
	for i, k := range o.keys {
		terms[i] = k.field.Sort
		if k.descending {
			terms[i] += " DESC"
			if !k.field.NotNull {
				terms[i] += " NULLS LAST"
			}
		}
	}
	return terms
}

// Columns returns the SQL expressions that documents are sorted by, and Descending which of them are so downwards.
func (o *Order) Columns() []string {
	columns := make([]string, len(o.keys))
	for i, k := range o.keys {
		columns[i] = k.field.Sort
	}
	return columns
}

// Descending says of each of [Order.Columns] whether it is sorted downwards.
func (o *Order) Descending() []bool {
	list := make([]bool, len(o.keys))
	for i, k := range o.keys {
		list[i] = k.descending
	}
	return list
}

// After returns the condition for the documents behind one, of which the values of the fields to sort by are given, as
// its document has them. An error is a [*filterql.Error].
func (o *Order) After(values []any) (sq.Sqlizer, error) {
	if o.given == 0 {
		return nil, fault(filterql.Illegal, place{}, "searchAfter needs the fields to sort by")
	}
	if len(values) != o.given {
		return nil, fault(filterql.Illegal, place{}, "searchAfter has %d values, and there are %d fields to sort by",
			len(values), o.given)
	}
	a := after{keys: o.keys[:o.given], values: make([]any, len(values)), casts: make([]string, len(values))}
	for i, value := range values {
		var ok bool
		if a.values[i], a.casts[i], ok = o.keys[i].field.sortValue(value); !ok {
			text := textOf(value)
			return nil, fault(filterql.Illegal, place{text, 0, len(text)}, "%s is no value of %q",
				filterql.Quoted(text),
				o.keys[i].field.Name)
		}
	}
	return a, nil
}

// sortValue turns a value of a document into an argument that Sort is compared with. Null is nil.
func (f *Field) sortValue(value any) (argument any, cast string, ok bool) {
	if value == nil {
		return nil, "", !f.NotNull
	}
	text := textOf(value)
	switch f.Type {
	case filterql.Boolean:
		v, isBool := value.(bool)
		if !isBool {
			v, isBool = text == "true", text == "true" || text == "false"
		}
		return v, "", isBool
	case filterql.Number:
		_, ok := parseNumber(text)
		return text, "::numeric", ok
	case filterql.Time:
		if number, isNumber := parseNumber(text); isNumber { // milliseconds, as the product gives them
			whole := new(big.Int).Quo(number.Num(), number.Denom())
			at := time.UnixMilli(whole.Int64()).UTC()
			return at, "", at.Year() >= 0 && at.Year() <= 9999 // as of the dates of a query
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		return at, "", err == nil
	case filterql.ID:
		argument, ok := f.Convert(text)
		return argument, "", ok
	default:
		_, isText := value.(string)
		return f.fold(text), "", isText && !strings.ContainsRune(text, 0)
	}
}

type after struct {
	keys   []orderKey
	values []any
	casts  []string
}

// ToSql implements [sq.Sqlizer].
func (a after) ToSql() (string, []any, error) {
	w := &writer{}
	if a.uniform() {
		a.appendRow(w)
	} else {
		a.appendFrom(w, 0)
	}
	return w.text.String(), w.arguments, nil
}

// uniform reports whether the condition can be a comparison of rows, which an index serves.
func (a after) uniform() bool {
	for i, k := range a.keys {
		if !k.field.NotNull || a.values[i] == nil || k.descending != a.keys[0].descending {
			return false
		}
	}
	return true
}

func (k orderKey) behind() string {
	if k.descending {
		return " < "
	}
	return " > "
}

func (a after) appendRow(w *writer) {
	w.put("(")
	for i, k := range a.keys {
		if i > 0 {
			w.put(", ")
		}
		w.put(k.field.Sort)
	}
	w.put(")", a.keys[0].behind(), "(")
	for i := range a.keys {
		if i > 0 {
			w.put(", ")
		}
		w.argument(a.values[i], a.casts[i])
	}
	w.put(")")
}

// appendFrom writes the comparison from a key on, for documents that are equal in the keys before it. Nulls are last,
// so no value is behind null.
func (a after) appendFrom(w *writer, i int) {
	if i == len(a.keys) {
		w.put("FALSE")
		return
	}
	k := a.keys[i]
	if a.values[i] == nil {
		w.put("(", k.field.Sort, " IS NULL AND ")
		a.appendFrom(w, i+1)
		w.put(")")
		return
	}
	w.put("(", k.field.Sort, k.behind())
	w.argument(a.values[i], a.casts[i])
	if !k.field.NotNull {
		w.put(" OR ", k.field.Sort, " IS NULL")
	}
	if i+1 < len(a.keys) {
		w.put(" OR (", k.field.Sort, " = ")
		w.argument(a.values[i], a.casts[i])
		w.put(" AND ")
		a.appendFrom(w, i+1)
		w.put(")")
	}
	w.put(")")
}

// String returns the order as it is asked for, with what breaks ties.
func (o *Order) String() string {
	names := make([]string, len(o.keys))
	for i, k := range o.keys {
		names[i] = k.field.Name
		if k.descending {
			names[i] = "-" + names[i]
		}
	}
	return strings.Join(names, ",")
}
