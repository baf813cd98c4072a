// Package objectfilter reads filter strings in the syntax of SailPoint's Filter class. Transforms choose accounts with
// them:
//
//	f, err := objectfilter.Parse(`!(name.startsWith("*DELETED*")) && (dept == "Sales" || groups.containsAll({"a"}))`)
//	if f.Match(account.Get) { ... }
//
// The language has the comparisons == != < <= > >=, the methods startsWith, endsWith, contains, containsAll,
// containsAny, in, isNull, notNull and isEmpty, the operators && || ! and parentheses. Texts are in double or single
// quotes. i"text" ignores case, and so do the methods that end in IgnoreCase.
//
// If both sides are numbers, they are compared as numbers. A comparison is true for a list if it is true for one of the
// elements. != and ! negate what follows them. A property that an account does not have is null: isNull, isEmpty and
// == null are true for it, and so are negations; everything else is false.
//
// The package is pure, and many goroutines may use a parsed [Filter].
package objectfilter

import (
	"math/big"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/filterql/folding"
)

// Filter is a parsed filter.
type Filter struct {
	root       condition
	properties []string
}

// Match reports whether the filter is true for an object. The function get returns its properties.
func (f *Filter) Match(get func(property string) attribute.Value) bool { return f.root.match(get) }

// Properties returns the names of the properties that the filter reads. A name may occur several times. Do not change
// the result.
func (f *Filter) Properties() []string { return f.properties }

type condition interface {
	match(get func(string) attribute.Value) bool
}

type (
	both   struct{ left, right condition }
	either struct{ left, right condition }
	not    struct{ x condition }

	// comparison compares a property with literals.
	comparison struct {
		property string
		operator string
		literals []literal
	}

	literal struct {
		text       string
		ignoreCase bool
		null       bool
		number     *big.Rat
	}
)

func (b both) match(get func(string) attribute.Value) bool {
	return b.left.match(get) && b.right.match(get)
}
func (e either) match(get func(string) attribute.Value) bool {
	return e.left.match(get) || e.right.match(get)
}
func (n not) match(get func(string) attribute.Value) bool { return !n.x.match(get) }

func (c *comparison) match(get func(string) attribute.Value) bool {
	value := get(c.property)
	switch c.operator {
	case "isNull":
		return value.IsNull()
	case "isEmpty":
		return value.Len() == 0 || value.Text() == ""
	case "containsAll":
		for _, l := range c.literals {
			if !anyElement(value, func(s string) bool { return l.equal(s) }) {
				return false
			}
		}
		return true
	case "in", "containsAny":
		for _, l := range c.literals {
			if anyElement(value, func(s string) bool { return l.equal(s) }) {
				return true
			}
		}
		return false
	}
	l := c.literals[0]
	if l.null {
		return value.IsNull()
	}
	return anyElement(value, func(s string) bool { return l.compare(c.operator, s) })
}

func anyElement(value attribute.Value, holds func(string) bool) bool {
	for _, s := range value.Strings() {
		if holds(s) {
			return true
		}
	}
	return false
}

func (l literal) equal(s string) bool { return l.compare("==", s) }

func (l literal) compare(operator, s string) bool {
	text := l.text
	if l.ignoreCase {
		s, text = folding.Case(s), folding.Case(text)
	}
	switch operator {
	case "startsWith":
		return strings.HasPrefix(s, text)
	case "endsWith":
		return strings.HasSuffix(s, text)
	case "contains":
		return strings.Contains(s, text)
	}
	order := strings.Compare(s, text)
	if l.number != nil {
		if n := parseNumber(s); n != nil {
			order = n.Cmp(l.number)
		}
	}
	switch operator {
	case "==":
		return order == 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

// parseNumber reads a decimal number. It returns nil if s is not one.
func parseNumber(s string) *big.Rat {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || len(digits) > 30 || strings.Trim(digits, "0123456789.") != "" || strings.Count(digits,
		".") > 1 ||
		digits[0] == '.' {
		return nil
	}
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil
	}
	return n
}
