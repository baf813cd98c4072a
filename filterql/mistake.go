package filterql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// This file makes the parser's errors. Each says what was found, and hints at what would be right.

// here returns an error at the next token.
func (p *parser) here(format string, arguments ...any) *Error {
	return fault(Syntax, p.text, p.token.pos, p.token.end, format, arguments...)
}

// exceeded returns an error of the kind [Limit] at the next token.
func (p *parser) exceeded(format string, arguments ...any) *Error {
	return fault(Limit, p.text, p.token.pos, p.token.end, format, arguments...)
}

// found describes the next token.
func (p *parser) found() string {
	switch p.token.kind {
	case endToken:
		return "the end"
	case stringToken:
		return "the string " + Quoted(p.stringText(p.token))
	default:
		return Quoted(p.word())
	}
}

// unexpected returns the error of a token that cannot stand behind a condition.
func (p *parser) unexpected() *Error {
	const join = `join conditions by "and" or "or"`
	switch p.token.kind {
	case commaToken:
		return p.here(`"," between conditions`).hint(join)
	case rightToken:
		return p.here(`")" without "("`).hint("remove it, or open the parenthesis before")
	case wordToken:
		word := p.word()
		switch lower := strings.ToLower(word); {
		case word != lower && isKeyword(lower):
			return p.here("unknown keyword %s", Quoted(word)).hint("keywords are lower case: %q", lower)
		case word == "&&", word == "&":
			return p.here("unknown keyword %q", word).hint(`write "and"`)
		case word == "||", word == "|":
			return p.here("unknown keyword %q", word).hint(`write "or"`)
		}
		return p.here(`%s where "and", "or" or the end is expected`, p.found()).
			hint(join + ", and put a value of several words into quotes")
	default:
		return p.here(`%s where "and", "or" or the end is expected`, p.found()).hint(join)
	}
}

func (p *parser) noCondition() *Error {
	if p.token.kind == stringToken {
		return p.noField()
	}
	return p.here("%s where a condition is expected", p.found()).hint(`write a condition, such as name eq "x"`)
}

func (p *parser) noField() *Error {
	err := p.here("%s where a field name is expected", p.found())
	switch p.token.kind {
	case stringToken:
		return err.hint("write field names without quotes")
	case wordToken:
		return err.hint("%q is a keyword and no field name", p.word())
	default:
		return err
	}
}

const nameHint = "a field name has letters, digits, underscores and hyphens, and dots between its parts"

// badName returns the error of a name at pos whose byte i is wrong.
func badName(text string, pos int, name string, i int) *Error {
	if i == len(name) {
		return fault(Syntax, text, pos+i-1, pos+i, "the field name %s ends with a dot", Quoted(name)).hint(nameHint)
	}
	_, size := utf8.DecodeRuneInString(name[i:])
	found := Quoted(name[i : i+size])
	return fault(Syntax, text, pos+i, pos+i+size, "%s in the field name %s", found, Quoted(name)).hint(nameHint)
}

// operatorsHint lists the operators that stand behind a field.
var operatorsHint = "operators are " + strings.Join(opTexts[:Pr], ", ")

func (p *parser) noOperator(field string) *Error {
	return p.here("%s where an operator is expected behind %s", p.found(), Quoted(field)).hint("%s", operatorsHint)
}

// otherSpellings are operators of other languages.
var otherSpellings = map[string]Op{
	"=": Eq, "==": Eq, "is": Eq, "equals": Eq, "!=": Ne, "<>": Ne, ">": Gt, ">=": Ge, "gte": Ge, "<": Lt, "<=": Le,
	"lte": Le, "contains": Co, "like": Co, "startswith": Sw, "starts": Sw, "null": IsNull,
}

func (p *parser) badOperator(field string) *Error {
	word := p.word()
	lower := strings.ToLower(word)
	if isKeyword(lower) {
		return p.noOperator(field)
	}
	if word == Pr.String() {
		return p.here(`"pr" behind a field`).hint(`"pr" stands before the field: pr %s`, field)
	}
	err := p.here("unknown operator %s", Quoted(word))
	if op, ok := opOf(lower); ok {
		return err.hint("operators are lower case: %q", op)
	}
	meant := didYouMean(word, opTexts[:Pr])
	if op, ok := otherSpellings[lower]; ok {
		meant = fmt.Sprintf("did you mean %q?", op)
	}
	if lower == "ew" {
		meant = `there is no "ends with";`
	}
	return err.hint("%s", hints(meant, operatorsHint))
}

func (p *parser) noValue() *Error {
	err := p.here("%s where a value is expected", p.found())
	switch p.token.kind {
	case wordToken:
		return err.hint("%q is a keyword: put it into quotes if it is the value", p.word())
	case leftToken:
		return err.hint(`lists are for "in" and "ca"`)
	default:
		return err.hint(`write a value, such as "x", 7, true or 2018-12-18T23:05:55Z`)
	}
}

func (p *parser) noList(op Op) *Error {
	return p.here("%s where a list is expected behind %q", p.found(), op).
		hint(`put the values into parentheses: %s ("a","b")`, op)
}
