// Package suggest finds the word that a person meant, for "did you mean" hints.
//
//	suggest.Nearest("lastnme", []string{"firstname", "lastname"}) // lastname
package suggest

import "strings"

// wordMax is the most bytes of a word to compare: the time is the product of the two lengths.
const wordMax = 64

// Nearest returns the candidate that is most like word, or "". A candidate is like word if the two differ only in case,
// or in few letters; two neighbours that are exchanged count as one. Words of one or two
// letters are close to every other one, so they match only by case.
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

// distance returns how many bytes must be inserted, deleted, replaced or exchanged with their neighbour to turn a into
// b, but at most limit.
func distance(a, b string, limit int) int {
	if len(a) > wordMax || len(b) > wordMax || max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	var rows [3][wordMax + 1]int // of the last prefixes of a
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := range len(a) {
		before, row, next := &rows[(i+2)%3], &rows[i%3], &rows[(i+1)%3]
		next[0] = i + 1
		for j := range len(b) {
			replaced := row[j]
			if a[i] != b[j] {
				replaced++
			}
			next[j+1] = min(replaced, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
	}
	return min(rows[len(a)%3][len(b)], limit)
}
