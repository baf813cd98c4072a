package javaregex

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// Replacement replaces the matches of an expression.
type Replacement struct {
	regexp *Regexp
	parts  []part
}

// errEnough ends a search after the first match.
var errEnough = errors.New("enough")

// part is literal text or a reference to a group.
type part struct {
	literal string
	group   int // -1 for literal text
}

// Replacement reads a replacement, as Matcher.appendReplacement does: $1 and ${name} mean groups, and the character
// after a backslash means itself.
func (r *Regexp) Replacement(text string) (*Replacement, error) {
	result := &Replacement{regexp: r}
	for i := 0; i < len(text); {
		switch text[i] {
		case '\\':
			if i+1 == len(text) {
				return nil, fmt.Errorf(`the replacement ends with a backslash: write \\ for a backslash`)
			}
			_, size := utf8.DecodeRuneInString(text[i+1:])
			result.literal(text[i+1 : i+1+size])
			i += 1 + size
		case '$':
			group, size, err := r.group(text[i+1:])
			if err != nil {
				return nil, err
			}
			result.parts = append(result.parts, part{group: group})
			i += 1 + size
		default:
			_, size := utf8.DecodeRuneInString(text[i:])
			result.literal(text[i : i+size])
			i += size
		}
	}
	return result, nil
}

func (p *Replacement) literal(text string) {
	if n := len(p.parts); n > 0 && p.parts[n-1].group < 0 {
		p.parts[n-1].literal += text
		return
	}
	p.parts = append(p.parts, part{literal: text, group: -1})
}

// group reads the group after a $: a name in braces, or as many digits as make the number of an existing group.
func (r *Regexp) group(text string) (group, size int, err error) {
	if strings.HasPrefix(text, "{") {
		name, _, closed := strings.Cut(text[1:], "}")
		group, known := r.names[name]
		switch {
		case !closed:
			return 0, 0, fmt.Errorf("${ is not closed in the replacement")
		case !known:
			return 0, 0, fmt.Errorf("the replacement names the group %q, which the pattern does not have", name)
		}
		return group, len(name) + 2, nil
	}
	if text == "" || text[0] < '0' || text[0] > '9' {
		return 0, 0, fmt.Errorf(`$ in a replacement is followed by the number of a group: write \$ for a dollar sign`)
	}
	for size < len(text) && text[size] >= '0' && text[size] <= '9' {
		next := group*10 + int(text[size]-'0')
		if size > 0 && next > r.groups {
			break
		}
		group = next
		size++
	}
	if group > r.groups {
		return 0, 0, fmt.Errorf("the replacement names the group %d, the pattern has %d", group, r.groups)
	}
	return group, size, nil
}

// ReplaceAll replaces every match in text. A result of more than limit bytes is [ErrTooLong].
func (p *Replacement) ReplaceAll(text string, limit int, budget *Budget) (string, error) {
	return p.replace(text, limit, false, budget)
}

// ReplaceFirst replaces the first match in text. A result of more than limit bytes is [ErrTooLong].
func (p *Replacement) ReplaceFirst(text string, limit int, budget *Budget) (string, error) {
	return p.replace(text, limit, true, budget)
}

func (p *Replacement) replace(text string, limit int, first bool, budget *Budget) (string, error) {
	if p.regexp.isLiteral {
		return p.replaceLiteral(text, limit, first)
	}
	runes := []rune(text)
	var b strings.Builder
	start, found := 0, false
	err := p.regexp.each(runes, budget, func(m *regexp2.Match) error {
		b.WriteString(string(runes[start:m.Index]))
		start = m.Index + m.Length
		found = true
		for i := range p.parts {
			if p.parts[i].group < 0 {
				b.WriteString(p.parts[i].literal)
			} else if group := m.GroupByNumber(p.parts[i].group); group != nil {
				b.WriteString(group.String())
			}
		}
		if b.Len() > limit {
			return ErrTooLong
		}
		if first {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return "", err
	}
	if !found {
		return text, nil
	}
	b.WriteString(string(runes[start:]))
	if b.Len() > limit {
		return "", ErrTooLong
	}
	return b.String(), nil
}

// replaceLiteral replaces matches of a pattern without operators. Its only group is the whole match.
func (p *Replacement) replaceLiteral(text string, limit int, first bool) (string, error) {
	n := strings.Count(text, p.regexp.literal)
	if first {
		n = min(n, 1)
	}
	if n == 0 {
		return text, nil
	}
	var replacement string
	for i := range p.parts {
		if p.parts[i].group < 0 {
			replacement += p.parts[i].literal
		} else {
			replacement += p.regexp.literal
		}
	}
	if len(text)+n*(len(replacement)-len(p.regexp.literal)) > limit {
		return "", ErrTooLong
	}
	return strings.Replace(text, p.regexp.literal, replacement, n), nil
}
