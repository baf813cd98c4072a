package filterql

import "strings"

// Op is an operator of a comparison.
type Op uint8

// The operators.
const (
	Eq     Op = iota // equal
	Ne               // not equal: exactly not eq, and so true for null
	Gt               // greater
	Ge               // greater or equal
	Lt               // less
	Le               // less or equal
	Co               // contains a text
	Sw               // starts with a text
	In               // one of a list
	Ca               // contains all of a list
	IsNull           // null; stands behind the field
	Pr               // present; stands before the field
	opCount
)

var opTexts = [opCount]string{"eq", "ne", "gt", "ge", "lt", "le", "co", "sw", "in", "ca", "isnull", "pr"}

// String returns the operator as it is written.
func (o Op) String() string {
	if o < opCount {
		return opTexts[o]
	}
	return "?"
}

// takesList reports whether the operator takes a list.
func (o Op) takesList() bool { return o == In || o == Ca }

// opOf returns the operator that a word names.
func opOf(word string) (Op, bool) {
	if len(word) == 2 { // all except isnull; a loop over pairs of bytes is quicker than a map
		for i := range opTexts {
			if text := opTexts[i]; text[0] == word[0] && text[1] == word[1] && len(text) == 2 {
				return Op(i), true
			}
		}
	}
	return IsNull, word == opTexts[IsNull]
}

// OpSet is a set of operators. The zero OpSet is empty.
type OpSet uint16

// OpsOf returns the set of ops.
func OpsOf(ops ...Op) OpSet {
	var s OpSet
	for _, o := range ops {
		s |= 1 << o
	}
	return s
}

// Has reports whether the set has o.
func (s OpSet) Has(o Op) bool { return s&(1<<o) != 0 }

// String returns the operators as they are written, separated by commas.
func (s OpSet) String() string {
	var texts []string
	for o := range opCount {
		if s.Has(o) {
			texts = append(texts, o.String())
		}
	}
	return strings.Join(texts, ", ")
}
