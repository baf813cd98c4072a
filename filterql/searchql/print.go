package searchql

import "strings"

// Print returns a text of an expression that parses to the same tree, if [Parse] can make that tree. All groups are in
// parentheses.
func Print(e Expr) string {
	var b strings.Builder
	printExpr(&b, e)
	return b.String()
}

func printExpr(b *strings.Builder, e Expr) {
	switch e := e.(type) {
	case *And:
		printTerms(b, e.Terms, " AND ")
	case *Or:
		printTerms(b, e.Terms, " OR ")
	case *Not:
		b.WriteString("NOT ")
		printOperand(b, e.X)
	case *All:
		b.WriteByte('*')
	case *Nested:
		b.WriteString("@" + e.Name + "(")
		printExpr(b, e.X)
		b.WriteByte(')')
	case *Clause:
		printClause(b, e)
	}
}

func printTerms(b *strings.Builder, terms []Expr, between string) {
	for i, term := range terms {
		if i > 0 {
			b.WriteString(between)
		}
		printOperand(b, term)
	}
}

func printOperand(b *strings.Builder, e Expr) {
	switch e.(type) {
	case *And, *Or, *Not:
		b.WriteByte('(')
		printExpr(b, e)
		b.WriteByte(')')
	default:
		printExpr(b, e)
	}
}

func printClause(b *strings.Builder, c *Clause) {
	if c.Kind == Exists {
		b.WriteString("_exists_:" + c.Field)
		return
	}
	if c.Field != "" {
		b.WriteString(c.Field)
		if c.Exact {
			b.WriteString(exactSuffix)
		}
		b.WriteByte(':')
	}
	switch c.Kind {
	case Phrase:
		printPhrase(b, c.Text)
	case Wildcard:
		for _, r := range c.Pattern {
			switch r {
			case AnyText:
				b.WriteByte('*')
			case AnyCharacter:
				b.WriteByte('?')
			default:
				printEscaped(b, r)
			}
		}
	case Regexp:
		b.WriteString("/" + strings.ReplaceAll(c.Text, "/", `\/`) + "/")
	case Range:
		printRange(b, c)
	default:
		for _, r := range c.Text {
			printEscaped(b, r)
		}
	}
}

func printPhrase(b *strings.Builder, text string) {
	b.WriteByte('"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	b.WriteByte('"')
}

func printRange(b *strings.Builder, c *Clause) {
	end := func(bound *Bound) {
		if bound == nil {
			b.WriteByte('*')
			return
		}
		printPhrase(b, bound.Text)
	}
	if c.Lower != nil && !c.Lower.Inclusive {
		b.WriteByte('{')
	} else {
		b.WriteByte('[')
	}
	end(c.Lower)
	b.WriteString(" TO ")
	end(c.Upper)
	if c.Upper != nil && !c.Upper.Inclusive {
		b.WriteByte('}')
	} else {
		b.WriteByte(']')
	}
}

// printEscaped writes a character of a word. All but small letters and digits are escaped, so that no word is an
// operator.
func printEscaped(b *strings.Builder, r rune) {
	ordinary := r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '_'
	if !ordinary {
		b.WriteByte('\\')
	}
	b.WriteRune(r)
}
