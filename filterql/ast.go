package filterql

// Expr is a filter as it was written: an [*And], [*Or], [*Not] or [*Comparison]. Pos and End are the byte offsets of
// the expression in the text that it was parsed from, without parentheses around it; both are 0 in an expression that
// was put together by hand. An Expr from [Parse] is not changed by this package and may be shared by goroutines.
type Expr interface {
	Pos() int
	End() int
	expr()
}

// And holds where every one of its terms does. Conjunction is associative, so [Parse] puts the terms of an And directly
// inside an And into the outer one: there are at least two, and none of them is an And.
type And struct {
	Terms []Expr
}

// Or holds where at least one of its terms does. Like [And] it is flat.
type Or struct {
	Terms []Expr
}

// Not holds where its operand does not, null included.
type Not struct {
	X   Expr
	pos int
}

// Comparison compares a field with values: with none for [Pr] and [IsNull], with one or more for [In] and [Ca], and
// with one for every other operator.
type Comparison struct {
	Field  Name
	Op     Op
	OpPos  int // where the operator begins
	Values []Value

	source   string // the whole text, which an error of Check shows
	pos, end int
}

// Name is a field's name where it was written.
type Name struct {
	Text     string
	Pos, End int
}

// Value is a literal where it was written. Text is what it says: of a string without its quotes and escapes.
type Value struct {
	Kind     ValueKind
	Text     string
	Pos, End int
}

// ValueKind is the form in which a literal was written. Which type it has is up to the field that it is compared with:
// "true" in quotes is a boolean beside a boolean field, and 2018 a text beside a text field.
type ValueKind uint8

// The kinds of literals.
const (
	StringValue  ValueKind = iota // in quotes, or a bare word that is nothing of the following
	NumberValue                   // 7, -3.5, 1e9; a year too
	BooleanValue                  // true, false
	TimeValue                     // 2018-12-18T23:05:55Z or 2018-12-18
)

// Pos implements [Expr].
func (e *And) Pos() int { return firstPos(e.Terms) }

// End implements [Expr].
func (e *And) End() int { return lastEnd(e.Terms) }

// Pos implements [Expr].
func (e *Or) Pos() int { return firstPos(e.Terms) }

// End implements [Expr].
func (e *Or) End() int { return lastEnd(e.Terms) }

// Pos implements [Expr].
func (e *Not) Pos() int { return e.pos }

// End implements [Expr].
func (e *Not) End() int { return e.X.End() }

// Pos implements [Expr].
func (e *Comparison) Pos() int { return e.pos }

// End implements [Expr].
func (e *Comparison) End() int { return e.end }

func (*And) expr()        {}
func (*Or) expr()         {}
func (*Not) expr()        {}
func (*Comparison) expr() {}

func firstPos(terms []Expr) int {
	if len(terms) == 0 {
		return 0
	}
	return terms[0].Pos()
}

func lastEnd(terms []Expr) int {
	if len(terms) == 0 {
		return 0
	}
	return terms[len(terms)-1].End()
}

// Equal reports whether a and b are the same tree, wherever they were written.
func Equal(a, b Expr) bool {
	switch a := a.(type) {
	case *And:
		b, ok := b.(*And)
		return ok && equalTerms(a.Terms, b.Terms)
	case *Or:
		b, ok := b.(*Or)
		return ok && equalTerms(a.Terms, b.Terms)
	case *Not:
		b, ok := b.(*Not)
		return ok && Equal(a.X, b.X)
	case *Comparison:
		b, ok := b.(*Comparison)
		return ok && a.Field.Text == b.Field.Text && a.Op == b.Op && equalValues(a.Values, b.Values)
	default:
		return a == b
	}
}

func equalTerms(a, b []Expr) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalValues(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Kind != b[i].Kind || a[i].Text != b[i].Text {
			return false
		}
	}
	return true
}
