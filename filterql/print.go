package filterql

import "strings"

// Print returns the canonical text of an expression: one blank between words, strings in double quotes, numbers,
// booleans and date-times as they were written, and only the parentheses that the tree needs. The text of a tree from
// [Parse] parses to the same tree. An And inside an And, built by hand, becomes flat.
func Print(e Expr) string {
	var b strings.Builder
	printExpr(&b, e)
	return b.String()
}

func printExpr(b *strings.Builder, e Expr) {
	switch e := e.(type) {
	case *And:
		printTerms(b, e.Terms, " and ", false)
	case *Or:
		printTerms(b, e.Terms, " or ", true)
	case *Not:
		b.WriteString("not ")
		printGroup(b, e.X, !isChain(e.X))
	case *Comparison:
		printComparison(b, e)
	}
}

// printTerms prints a chain. A disjunction binds least, so it needs parentheses inside a conjunction.
func printTerms(b *strings.Builder, terms []Expr, between string, disjunction bool) {
	for i, term := range terms {
		if i > 0 {
			b.WriteString(between)
		}
		_, isOr := term.(*Or)
		printGroup(b, term, disjunction || !isOr)
	}
}

func isChain(e Expr) bool {
	switch e.(type) {
	case *And, *Or:
		return true
	}
	return false
}

func printGroup(b *strings.Builder, e Expr, bare bool) {
	if bare {
		printExpr(b, e)
		return
	}
	b.WriteByte('(')
	printExpr(b, e)
	b.WriteByte(')')
}

func printComparison(b *strings.Builder, c *Comparison) {
	if c.Op == Pr {
		b.WriteString("pr ")
		b.WriteString(c.Field.Text)
		return
	}
	b.WriteString(c.Field.Text)
	b.WriteByte(' ')
	b.WriteString(c.Op.String())
	switch {
	case c.Op == IsNull:
		return
	case c.Op.takesList():
		b.WriteString(" (")
		for i, v := range c.Values {
			if i > 0 {
				b.WriteByte(',')
			}
			printValue(b, v)
		}
		b.WriteByte(')')
		return
	}
	for _, v := range c.Values {
		b.WriteByte(' ')
		printValue(b, v)
	}
}

func printValue(b *strings.Builder, v Value) {
	if v.Kind != StringValue && kindOf(v.Text) == v.Kind {
		b.WriteString(v.Text)
		return
	}
	b.WriteByte('"')
	for i := range len(v.Text) {
		if v.Text[i] == '"' || v.Text[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(v.Text[i])
	}
	b.WriteByte('"')
}
