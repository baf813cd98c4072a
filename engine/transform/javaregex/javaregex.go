package javaregex

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

const (
	// PatternMax is the most bytes of a pattern.
	PatternMax = 4096
	// Timeout is the longest time of one search. Its clock ticks every 100 ms.
	Timeout = 250 * time.Millisecond
	// BudgetMax is the longest time of everything together that shares a [Budget].
	BudgetMax = time.Second
)

// The errors of a search.
var (
	ErrTimeout = fmt.Errorf(
		"the regular expression takes more than %v on this text: write it without nested repetitions",
		Timeout)
	ErrBudget = fmt.Errorf("regular expressions take more than %v together: use fewer of them, or simpler ones",
		BudgetMax)
	ErrTooLong = errors.New("the result is too long")
)

// Regexp is a compiled pattern.
type Regexp struct {
	pattern string
	// literal is the text that a pattern without operators matches.
	literal   string
	isLiteral bool
	re        *regexp2.Regexp
	groups    int
	names     map[string]int
}

// Compile reads a pattern. The error says which character is wrong.
func Compile(pattern string) (*Regexp, error) {
	if len(pattern) > PatternMax {
		return nil, fmt.Errorf("the pattern has %d bytes, %d are allowed", len(pattern), PatternMax)
	}
	if !utf8.ValidString(pattern) {
		return nil, errors.New("the pattern is not UTF-8")
	}
	if pattern != "" && !strings.ContainsAny(pattern, `\^$.|?*+()[]{}`) {
		return &Regexp{pattern: pattern, literal: pattern, isLiteral: true}, nil
	}
	t := translator{pattern: pattern, names: map[string]int{}}
	if err := t.translate(); err != nil {
		return nil, err
	}
	re, err := regexp2.Compile(t.out.String(), regexp2.None)
	if err != nil {
		// The error quotes the translated pattern, which the user did not write.
		_, reason, _ := strings.Cut(err.Error(), ": ")
		return nil, fmt.Errorf("the pattern is malformed: %s", strings.SplitN(reason, " in `", 2)[0])
	}
	re.MatchTimeout = Timeout
	return &Regexp{pattern: pattern, re: re, groups: t.groups, names: t.names}, nil
}

// String returns the pattern.
func (r *Regexp) String() string { return r.pattern }

// Groups returns the names of the groups that have one, in no order.
func (r *Regexp) Groups() []string { return slices.Collect(maps.Keys(r.names)) }

// HasGroup reports whether a group has the name.
func (r *Regexp) HasGroup(name string) bool {
	_, has := r.names[name]
	return has
}

// Matches reports whether the whole text matches. Like all searches, it spends time of the budget; nil means a budget
// of its own.
func (r *Regexp) Matches(text string, budget *Budget) (matches bool, err error) {
	if r.isLiteral {
		return text == r.literal, nil
	}
	err = budget.run(func(func() error) error {
		// Anchor the pattern: the first alternative that matches need not reach the end.
		anchored, err := regexp2.Compile(`\A(?:`+r.re.String()+`)\z`, regexp2.None)
		if err != nil {
			return errors.New("the pattern is too large to be matched as a whole")
		}
		anchored.MatchTimeout = Timeout
		matches, err = anchored.MatchRunes([]rune(text))
		return searchError(err)
	})
	return matches, err
}

// Split splits text around the matches, as String.split does: it drops empty texts at the end, and an empty text at the
// start that comes from an empty match. It returns at most limit parts and drops the rest.
func (r *Regexp) Split(text string, limit int, budget *Budget) ([]string, error) {
	parts, err := r.SplitLimit(text, 0, budget)
	return parts[:min(len(parts), limit)], err
}

// SplitLimit is String.split with a limit: a positive one is the most parts, of which the last one has the rest, and
// empty texts at the end stay. They also stay with a negative limit, which limits nothing. With 0 it is [Regexp.Split]
// without a limit.
func (r *Regexp) SplitLimit(text string, limit int, budget *Budget) ([]string, error) {
	parts, err := r.split(text, limit, budget)
	if err != nil || len(parts) == 1 || limit != 0 {
		return parts, err
	}
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts, nil
}

func (r *Regexp) split(text string, limit int, budget *Budget) ([]string, error) {
	most := limit
	if limit <= 0 {
		most = -1
	}
	if r.isLiteral {
		return strings.SplitN(text, r.literal, most), nil
	}
	var parts []string
	runes := []rune(text)
	start := 0
	err := r.each(runes, budget, func(m *regexp2.Match) error {
		if m.Index+m.Length == 0 {
			return nil
		}
		if len(parts) == most-1 {
			return errEnough
		}
		parts = append(parts, string(runes[start:m.Index]))
		start = m.Index + m.Length
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return append(parts, string(runes[start:])), nil
}

// each calls found with every match. The time-out of regexp2 begins again with each match.
func (r *Regexp) each(runes []rune, budget *Budget, found func(*regexp2.Match) error) error {
	return budget.run(func(within func() error) error {
		m, err := r.re.FindRunesMatch(runes)
		for err == nil && m != nil {
			if err := found(m); err != nil {
				return err
			}
			if err := within(); err != nil {
				return err
			}
			m, err = r.re.FindNextMatch(m)
		}
		return searchError(err)
	})
}

// searchError replaces the error of regexp2, which quotes the text, and so personal data.
func searchError(err error) error {
	if err == nil {
		return nil
	}
	return ErrTimeout
}
