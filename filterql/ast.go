package filterql

// Expr is a filter as a tree: an [*And], [*Or], [*Not] or [*Comparison]. Pos and End are the byte offsets of the
// expression in its text, without parentheses around it; both are 0 in an expression that was built by hand. This
// package does not change an Expr from [Parse], and goroutines may share it.
type Expr interface {
	Pos() int
	End() int
	expr()
}

// And is true if all its terms are. [Parse] flattens an And inside an And, so it has at least two terms, and none of
// them is an And.
type And struct {
	Terms []Expr
}

// Or is true if at least one of its terms is. Like [And] it is flat.
type Or struct {
	Terms []Expr
}

// Not is true if its operand is false. A comparison with null is false, so its negation is true.
type Not struct {
	X   Expr
	pos int
}

// Comparison compares a field with values: [Pr] and [IsNull] have none, [In] and [Ca] one or more, all other operators
// one.
type Comparison struct {
	Field  Name
	Op     Op
	OpPos  int // where the operator begins
	Values []Value

	source   string // the whole text, for errors of Check
	pos, end int
}

// Name is a field's name and its position.
type Name struct {
	Text     string
	Pos, End int
}

// Value is a literal and its position. The Text of a string has no quotes and no escapes.
type Value struct {
	Kind     ValueKind
	Text     string
	Pos, End int
}

// ValueKind is the form in which a literal was written. The field decides on the type: "true" in quotes is a boolean if
// the field is one, and 2018 is a text if the field is one.
type ValueKind uint8

// The kinds of literals.
const (
	StringValue  ValueKind = iota // in quotes, or a bare word that is none of the following
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

// Equal reports whether a and b are the same tree. Positions do not count.
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
