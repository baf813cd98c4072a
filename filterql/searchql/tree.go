package searchql

import (
	"slices"
)

// Expr is a query as a tree: an [*And], [*Or], [*Not], [*All], [*Nested] or [*Clause]. This package does not change an
// Expr from [Parse], and goroutines may share it.
type Expr interface{ expr() }

// And is true if all its terms are.
type And struct{ Terms []Expr }

// Or is true if at least one of its terms is.
type Or struct{ Terms []Expr }

// Not is true if its operand is false.
type Not struct{ X Expr }

// All is true of every document: the query "*".
type All struct{}

// Nested is true if one and the same element of a nested list satisfies X, whose fields are those of the element.
type Nested struct {
	Name string
	X    Expr

	place place
}

// Clause is a condition on a field, or on every field that a word without a field is looked for in.
type Clause struct {
	// Field is the name without ".exact"; empty for every field.
	Field string
	// Exact asks for the whole value as it is written, with its letter case.
	Exact bool
	Kind  Kind
	// Text is what is looked for, without quotes and escapes: of a [Term], a [Phrase] and a [Regexp].
	Text string
	// AnyWord says that a [Term] of several words is true if one of them is there.
	AnyWord bool
	// Whole says that a [Wildcard] is about the whole value without regard to letter case, and not about a word of it.
	Whole bool
	// Pattern is that of a [Wildcard]: its characters, and [AnyText] and [AnyCharacter].
	Pattern []rune
	// Lower and Upper are the ends of a [Range]; nil where it is open.
	Lower, Upper *Bound

	place place
}

// The signs of a [Clause.Pattern].
const (
	AnyText      rune = -1 // *
	AnyCharacter rune = -2 // ?
)

// Bound is an end of a range.
type Bound struct {
	Text      string
	Inclusive bool

	place place
}

// Kind is the form of a clause.
type Kind uint8

// The kinds of clauses.
const (
	Term     Kind = iota // word
	Phrase               // "two words"
	Wildcard             // wo*d, w?rd
	Regexp               // /wo.*d/
	Range                // [a TO b], >5
	Exists               // _exists_:field, field:*
)

// place is where a part stands in the text that was parsed.
type place struct {
	text     string
	pos, end int
}

func (*And) expr()    {}
func (*Or) expr()     {}
func (*Not) expr()    {}
func (*All) expr()    {}
func (*Nested) expr() {}
func (*Clause) expr() {}

// Equal reports whether a and b are the same tree. Places do not count.
func Equal(a, b Expr) bool {
	switch a := a.(type) {
	case *And:
		b, ok := b.(*And)
		return ok && slices.EqualFunc(a.Terms, b.Terms, Equal)
	case *Or:
		b, ok := b.(*Or)
		return ok && slices.EqualFunc(a.Terms, b.Terms, Equal)
	case *Not:
		b, ok := b.(*Not)
		return ok && Equal(a.X, b.X)
	case *All:
		_, ok := b.(*All)
		return ok
	case *Nested:
		b, ok := b.(*Nested)
		return ok && a.Name == b.Name && Equal(a.X, b.X)
	case *Clause:
		b, ok := b.(*Clause)
		return ok && a.Field == b.Field && a.Exact == b.Exact && a.Kind == b.Kind && a.Text == b.Text &&
			a.AnyWord == b.AnyWord && a.Whole == b.Whole && slices.Equal(a.Pattern, b.Pattern) &&
			equalBounds(a.Lower, b.Lower) && equalBounds(a.Upper, b.Upper)
	default:
		return a == nil && b == nil
	}
}

func equalBounds(a, b *Bound) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Text == b.Text && a.Inclusive == b.Inclusive
}
