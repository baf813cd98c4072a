package filterql

import (
	"fmt"
	"slices"
	"strings"
)

// SortersMax is the most fields to sort by.
const SortersMax = 16

// Sorter is a field to sort by.
type Sorter struct {
	Field      Name
	Descending bool

	source string
}

// Sorters are the fields to sort by, the primary one first.
type Sorters []Sorter

// String returns the canonical form, such as name,-created.
func (s Sorters) String() string {
	var b strings.Builder
	for i, sorter := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		if sorter.Descending {
			b.WriteByte('-')
		}
		b.WriteString(sorter.Field.Text)
	}
	return b.String()
}

// ParseSorters reads sorters. An error is an [*Error]. A blank text gives no sorters and no error.
//
//	sorters = [ "sorters=" ] sorter { "," sorter } ;
//	sorter  = [ "-" ] field ;
func ParseSorters(text string) (Sorters, error) {
	if err := CheckText("text of the sorters", text, TextMax); err != nil {
		return nil, err
	}
	at := skipPrefix(text, "sorters=")
	if strings.TrimLeft(text[at:], blanks) == "" {
		return nil, nil
	}
	var sorters Sorters
	for at <= len(text) {
		end := len(text)
		if i := strings.IndexByte(text[at:], ','); i >= 0 {
			end = at + i
		}
		sorter, err := parseSorter(text, at, end)
		if err != nil {
			return nil, err
		}
		if len(sorters) == SortersMax {
			return nil, fault(Limit, text, sorter.Field.Pos, sorter.Field.End, "this is sorter %d, %d are allowed",
				SortersMax+1, SortersMax).hint("sort by less")
		}
		sorters = append(sorters, sorter)
		at = end + 1
	}
	return sorters, nil
}

const blanks = " \t\r\n"

// parseSorter reads the sorter between two commas. Blanks may surround it.
func parseSorter(text string, pos, end int) (Sorter, *Error) {
	pos += len(text[pos:end]) - len(strings.TrimLeft(text[pos:end], blanks))
	end = pos + len(strings.TrimRight(text[pos:end], blanks))
	if pos == end {
		return Sorter{}, fault(Syntax, text, pos, end, "a sorter is missing").
			hint("write field names with one comma between them")
	}
	s := Sorter{source: text}
	if text[pos] == '-' {
		s.Descending = true
		pos++
	}
	s.Field = Name{Text: text[pos:end], Pos: pos, End: end}
	if i := badNameByte(s.Field.Text); i >= 0 {
		return s, badSorter(text, s.Field, i)
	}
	return s, nil
}

// badSorter returns the error of a name whose byte i is wrong.
func badSorter(text string, name Name, i int) *Error {
	if name.Text == "" {
		return fault(Syntax, text, name.Pos-1, name.End, `"-" without a field name`).
			hint("write it directly before the name: -name")
	}
	err := badName(text, name.Pos, name.Text, i)
	word, direction, _ := strings.Cut(name.Text, " ")
	direction = strings.ToLower(strings.TrimSpace(direction))
	switch {
	case direction == "desc", direction == "descending":
		return err.hint("write -%s for descending", word)
	case direction == "asc", direction == "ascending":
		return err.hint("write %s for ascending", word)
	case name.Text[0] == '+':
		return err.hint("ascending needs no sign")
	case direction != "" && isField(word):
		return err.hint("write field names with a comma between them")
	default:
		return err
	}
}

// Ordering is an order in which no two rows are equal. It is immutable, and many goroutines may use it.
type Ordering struct{ orders []Order }

// Order is a field that rows are sorted by, and its direction.
type Order struct {
	Field      Field
	Descending bool
}

// ParseOrdering parses sorters and checks them: see [ParseSorters] and [Sorters.Check].
func ParseOrdering(text string, s *Schema, tieBreak string) (*Ordering, error) {
	sorters, err := ParseSorters(text)
	if err != nil {
		return nil, err
	}
	return sorters.Check(s, tieBreak)
}

// Check checks sorters against a schema: the schema must know each field and allow sorting by it, and no field may
// occur twice. Check adds the field tieBreak at the end, in the direction of the last sorter so that one index serves
// both. The tie-break must be unique and never null. If it is one of the sorters, those behind it have no effect and
// are left out. An error of the sorters is an [*Error].
func (s Sorters) Check(schema *Schema, tieBreak string) (*Ordering, error) {
	last := schema.field(tieBreak)
	if last == nil {
		return nil, fmt.Errorf("the schema has no field %q to break ties by", tieBreak)
	}
	o := &Ordering{orders: make([]Order, 0, len(s)+1)}
	for i, sorter := range s {
		if sorter.source == "" {
			return s.checkPrinted(schema, tieBreak)
		}
		f := schema.field(sorter.Field.Text)
		if f == nil || !f.Sortable && f.Name != tieBreak {
			return nil, sorter.unsortable(f, schema)
		}
		if slices.ContainsFunc(s[:i], func(other Sorter) bool { return other.Field.Text == sorter.Field.Text }) {
			return nil, fault(Illegal, sorter.source, sorter.Field.Pos, sorter.Field.End, "%q is named twice", f.Name).
				hint("leave the second out")
		}
		o.orders = append(o.orders, Order{*f, sorter.Descending})
	}
	unique := slices.IndexFunc(o.orders, func(order Order) bool { return order.Field.Name == tieBreak })
	switch {
	case unique >= 0:
		o.orders = o.orders[:unique+1]
	case len(s) > 0:
		o.orders = append(o.orders, Order{*last, s[len(s)-1].Descending})
	default:
		o.orders = append(o.orders, Order{*last, false})
	}
	o.orders[len(o.orders)-1].Field.NotNull = true
	return o, nil
}

// checkPrinted prints and parses sorters that were built by hand, so that errors have a text to point into.
func (s Sorters) checkPrinted(schema *Schema, tieBreak string) (*Ordering, error) {
	parsed, err := ParseSorters(s.String())
	if err != nil {
		return nil, err
	}
	return parsed.Check(schema, tieBreak)
}

func (s Sorter) unsortable(f *Field, schema *Schema) *Error {
	names := schema.names(func(f *Field) bool { return f.Sortable })
	if f == nil {
		return unknownField(s.source, s.Field.Pos, s.Field.End, names)
	}
	err := fault(Illegal, s.source, s.Field.Pos, s.Field.End, "%q cannot be sorted by", f.Name)
	if len(names) == 0 {
		return err
	}
	return err.hint("those that can are %s", strings.Join(names, ", "))
}

// Orders returns the fields that rows are sorted by, including the tie-break.
func (o *Ordering) Orders() []Order { return slices.Clone(o.orders) }

// String returns the sorters of the ordering, including the tie-break, such as name,id.
func (o *Ordering) String() string {
	var b strings.Builder
	for i, order := range o.orders {
		if i > 0 {
			b.WriteByte(',')
		}
		if order.Descending {
			b.WriteByte('-')
		}
		b.WriteString(order.Field.Name)
	}
	return b.String()
}

// OrderBy returns the terms for squirrel's OrderBy. Nulls come last in both directions.
func (o *Ordering) OrderBy() []string {
	terms := make([]string, len(o.orders))
	for i, order := range o.orders {
		terms[i] = order.Field.sortColumn()
		switch {
		case order.Descending && order.Field.NotNull:
			terms[i] += " DESC"
		case order.Descending:
			terms[i] += " DESC NULLS LAST"
		}
	}
	return terms
}
