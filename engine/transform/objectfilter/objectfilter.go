// Package objectfilter reads the filter strings that choose accounts in transforms, those of SailPoint's Filter class:
//
//	f, err := objectfilter.Parse(`!(name.startsWith("*DELETED*")) && (dept == "Sales" || groups.containsAll({"a"}))`)
//	if f.Match(account.Get) { ... }
//
// There are the comparisons == != < <= > >=, the methods startsWith, endsWith, contains, containsAll, containsAny, in,
// isNull, notNull and isEmpty, the operators && || ! and parentheses. Texts stand between double quotes, or single
// ones; i"text" ignores case, and so do the methods that end in IgnoreCase. Numbers are compared as numbers where both
// sides are. A list satisfies a comparison when one of its elements does; != and ! are the opposite of what follows
// them. A property that an account does not have is null, and satisfies nothing but isNull, isEmpty, == null and
// opposites.
//
// The package is pure, and a parsed [Filter] may be used by many goroutines at once.
package objectfilter

import (
	"math/big"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
)

// Filter is a parsed filter.
type Filter struct {
	root       condition
	properties []string
}

// Match reports whether the filter holds for an object whose properties get returns.
func (f *Filter) Match(get func(property string) attribute.Value) bool { return f.root.match(get) }

// Properties returns the names of the properties that the filter reads, each as often as it does. The result must not
// be changed.
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
		s, text = strings.ToLower(s), strings.ToLower(text)
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

// parseNumber reads a decimal number, nil when s is none.
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
