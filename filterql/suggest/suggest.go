// Package suggest finds the word that somebody meant.
package suggest

import "strings"

// wordMax is the longest word that is compared, in bytes: the comparison takes the product of the lengths.
const wordMax = 64

// Nearest returns the candidate that is most like word, "" when none is: one that differs in case alone, or else in few
// letters. Words of one or two letters are near every other one and have no match but for their case.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+1
	for _, candidate := range candidates {
		if strings.EqualFold(word, candidate) {
			return candidate
		}
		if len(word) < 3 {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(candidate), bestDistance); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance returns how many bytes must be inserted, deleted or replaced to make b of a, or limit if it is more.
func distance(a, b string, limit int) int {
	if len(a) > wordMax || len(b) > wordMax || max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	var row [wordMax + 1]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
