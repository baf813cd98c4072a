package criteria

import (
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/filterql/folding"
	"github.com/muster-engine/muster/store/id"
)

// The limits of a criterion.
const (
	// LevelsMax is the most levels of a criterion, including the comparisons, as published.
	LevelsMax = 3
	// LeavesMax is the most comparisons of a criterion.
	LeavesMax = 1000
	// ValueMax is the most bytes of a comparison's value.
	ValueMax = 2000
)

// ID identifies a source.
type ID = id.ID

// Operation is the operation of a criterion's node.
type Operation string

// The operations, as published.
const (
	Equals            Operation = "EQUALS"
	NotEquals         Operation = "NOT_EQUALS"
	Contains          Operation = "CONTAINS"
	DoesNotContain    Operation = "DOES_NOT_CONTAIN"
	StartsWith        Operation = "STARTS_WITH"
	EndsWith          Operation = "ENDS_WITH"
	GreaterThan       Operation = "GREATER_THAN"
	LessThan          Operation = "LESS_THAN"
	GreaterThanEquals Operation = "GREATER_THAN_EQUALS"
	LessThanEquals    Operation = "LESS_THAN_EQUALS"
	And               Operation = "AND"
	Or                Operation = "OR"
)

var operations = []Operation{Equals, NotEquals, Contains, DoesNotContain, StartsWith, EndsWith, GreaterThan, LessThan,
	GreaterThanEquals, LessThanEquals, And, Or}

// Positive returns the operation that o negates, and true. For an operation that is not a negation it returns o and
// false.
func (o Operation) Positive() (positive Operation, negated bool) {
	switch o {
	case NotEquals:
		return Equals, true
	case DoesNotContain:
		return Contains, true
	}
	return o, false
}

// IsGroup reports whether the operation combines other nodes.
func (o Operation) IsGroup() bool { return o == And || o == Or }

// KeyType says where the values of a comparison come from.
type KeyType string

// The types of keys, as published. ENTITLEMENT is an account's attribute that means access; it is read like any other.
const (
	Identity    KeyType = "IDENTITY"
	AccountKey  KeyType = "ACCOUNT"
	Entitlement KeyType = "ENTITLEMENT"
)

// Key names the values to compare: an attribute of the identity, or of its accounts on a source.
type Key struct {
	Type      KeyType
	SourceID  ID // of an account
	Attribute string
}

// reads returns the key for reading values: entitlements are attributes of accounts.
func (k Key) reads() Key {
	if k.Type == Entitlement {
		k.Type = AccountKey
	}
	return k
}

// Criterion is a node of a membership criterion: a comparison, or a group of nodes. It is immutable.
type Criterion struct {
	Operation Operation
	Key       Key    // of a comparison
	Value     string // of a comparison, as written
	Children  []*Criterion

	folded string
	number decimal // for an order of numbers
	// names says that equality is that of distinguished names, and folded the normal form of the value.
	names bool
}

// CompareNames makes the comparisons for equality compare distinguished names, for the keys of which isName returns
// true. It must be called before the criterion is shared.
func (c *Criterion) CompareNames(isName func(Key) bool) {
	c.leaves(func(leaf *Criterion) {
		if operation, _ := leaf.Operation.Positive(); operation == Equals && isName(leaf.Key) {
			leaf.names, leaf.folded = true, attribute.DistinguishedNameMatch.Key(leaf.Value)
		}
	})
}

// ComparesNames reports whether the comparison is one of distinguished names. Then [Criterion.Folded] is the normal
// form of [attribute.DistinguishedNameMatch].
func (c *Criterion) ComparesNames() bool { return c.names }

// Folded returns the value in the form for comparisons of texts.
func (c *Criterion) Folded() string { return c.folded }

// Number returns the value of a comparison that orders numbers, and "" for other comparisons.
func (c *Criterion) Number() string {
	if !c.number.valid {
		return ""
	}
	return strings.TrimSpace(c.Value)
}

func isOrder(o Operation) bool {
	return o == GreaterThan || o == LessThan || o == GreaterThanEquals || o == LessThanEquals
}

// newComparison makes a leaf.
func newComparison(o Operation, key Key, value string) *Criterion {
	c := &Criterion{Operation: o, Key: key, Value: value, folded: fold(value)}
	if isOrder(o) {
		c.number = parseDecimal(value)
	}
	return c
}

// fold returns the form for comparisons of texts, the same as in the tables and their indexes.
func fold(s string) string { return folding.Text(s) }

// Facts are the data to match criteria with.
type Facts struct {
	Identity *attribute.Set // nil for none
	Accounts []Account
}

// Account is an account of the identity.
type Account struct {
	SourceID   ID
	Attributes *attribute.Set
}

// each calls visit with the values of a key until visit returns false.
func (f *Facts) each(key Key, visit func(value string) bool) {
	if key.Type == Identity {
		if f.Identity != nil {
			eachOf(f.Identity.Get(key.Attribute), visit)
		}
		return
	}
	for i := range f.Accounts {
		if f.Accounts[i].SourceID == key.SourceID && !eachOf(f.Accounts[i].Attributes.Get(key.Attribute), visit) {
			return
		}
	}
}

func eachOf(v attribute.Value, visit func(string) bool) bool {
	switch v.Kind() {
	case attribute.KindNull:
		return true
	case attribute.KindList:
		for _, text := range v.Strings() {
			if !visit(text) {
				return false
			}
		}
		return true
	default:
		return visit(v.Text())
	}
}

// Match reports whether the criterion is true.
func (c *Criterion) Match(f *Facts) bool {
	switch c.Operation {
	case And:
		for _, child := range c.Children {
			if !child.Match(f) {
				return false
			}
		}
		return true
	case Or:
		for _, child := range c.Children {
			if child.Match(f) {
				return true
			}
		}
		return false
	}
	found := false
	f.each(c.Key, func(value string) bool {
		found = c.satisfied(value, fold(value))
		return !found
	})
	_, negated := c.Operation.Positive()
	return found != negated
}

// satisfied reports whether one value satisfies the comparison or, for a negation, the comparison that it negates.
func (c *Criterion) satisfied(value, folded string) bool {
	switch c.Operation {
	case Equals, NotEquals:
		if c.names {
			return attribute.DistinguishedNameMatch.Key(value) == c.folded
		}
		return folded == c.folded
	case Contains, DoesNotContain:
		return strings.Contains(folded, c.folded)
	case StartsWith:
		return strings.HasPrefix(folded, c.folded)
	case EndsWith:
		return strings.HasSuffix(folded, c.folded)
	}
	var order int
	if c.number.valid {
		number := parseDecimal(value)
		if !number.valid {
			return false
		}
		order = number.compare(c.number)
	} else {
		order = strings.Compare(folded, c.folded)
	}
	return ordered(c.Operation, order)
}

// ordered reports whether an operation is true for the order of a value to the criterion's value.
func ordered(o Operation, order int) bool {
	switch o {
	case GreaterThan:
		return order > 0
	case LessThan:
		return order < 0
	case GreaterThanEquals:
		return order >= 0
	default:
		return order <= 0
	}
}

// Excludes reports whether a negation of the criterion, over an attribute of the accounts on a source, is false.
func (c *Criterion) Excludes(f *Facts, source ID, attribute string) bool {
	excludes := false
	c.leaves(func(leaf *Criterion) {
		_, negated := leaf.Operation.Positive()
		if negated && leaf.Key.Type != Identity && leaf.Key.SourceID == source && leaf.Key.Attribute == attribute {
			excludes = excludes || !leaf.Match(f)
		}
	})
	return excludes
}

// Keys returns the keys that the criterion reads, each once, in the order of their first use.
func (c *Criterion) Keys() []Key {
	var keys []Key
	seen := map[Key]bool{}
	c.leaves(func(leaf *Criterion) {
		if !seen[leaf.Key] {
			seen[leaf.Key] = true
			keys = append(keys, leaf.Key)
		}
	})
	return keys
}

func (c *Criterion) leaves(visit func(*Criterion)) {
	if !c.Operation.IsGroup() {
		visit(c)
	}
	for _, child := range c.Children {
		child.leaves(visit)
	}
}
