package searchql

import "strings"

// glob reports whether a pattern of [AnyText] and [AnyCharacter] matches the whole of a text. It takes at most the
// product of both lengths.
func glob(pattern []rune, text string) bool {
	runes := []rune(text)
	i, j := 0, 0          // in the pattern, in the text
	star, behind := -1, 0 // the last star, and where the text behind it begins
	for j < len(runes) {
		switch {
		case i < len(pattern) && pattern[i] == AnyText:
			star, behind = i, j
			i++
		case i < len(pattern) && (pattern[i] == AnyCharacter || pattern[i] == runes[j]):
			i++
			j++
		case star >= 0:
			behind++
			i, j = star+1, behind
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == AnyText {
		i++
	}
	return i == len(pattern)
}

// isWordPattern reports whether a pattern can match a word: it has no separator. A joiner may stand anywhere in it.
func isWordPattern(pattern []rune) bool {
	for _, r := range pattern {
		if r >= 0 && kindOf(r) == separator {
			return false
		}
	}
	return true
}

// foldPattern folds the characters of a pattern.
func foldPattern(pattern []rune, fold func(string) string) []rune {
	var folded []rune
	for start := 0; start < len(pattern); {
		if pattern[start] < 0 {
			folded = append(folded, pattern[start])
			start++
			continue
		}
		end := start
		for end < len(pattern) && pattern[end] >= 0 {
			end++
		}
		folded = append(folded, []rune(fold(string(pattern[start:end])))...)
		start = end
	}
	return folded
}

// likePattern returns a pattern of LIKE that matches the same whole texts.
func likePattern(pattern []rune) string {
	var b strings.Builder
	for _, r := range pattern {
		switch r {
		case AnyText:
			b.WriteByte('%')
		case AnyCharacter:
			b.WriteByte('_')
		case '\\', '%', '_':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// wordExpression returns a regular expression of PostgreSQL that matches the same words, each between two blanks.
func wordExpression(pattern []rune) string {
	var b strings.Builder
	b.WriteByte(' ')
	for _, r := range pattern {
		switch r {
		case AnyText:
			b.WriteString("[^ ]*")
		case AnyCharacter:
			b.WriteString("[^ ]")
		default:
			writeLiteral(&b, r)
		}
	}
	b.WriteByte(' ')
	return b.String()
}

// longestText returns the longest part of a pattern without wildcards.
func longestText(pattern []rune) string {
	longest, start := "", 0
	for i := 0; i <= len(pattern); i++ {
		if i == len(pattern) || pattern[i] < 0 {
			if part := string(pattern[start:i]); len(part) > len(longest) {
				longest = part
			}
			start = i + 1
		}
	}
	return longest
}
