package filterql

import (
	"fmt"
	"strings"
)

// didYouMean returns a hint that names the candidate most like word, or nothing when none is.
func didYouMean(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+1
	for _, candidate := range candidates {
		if strings.EqualFold(word, candidate) {
			return fmt.Sprintf("did you mean %q?", candidate)
		}
		// A word of one or two letters is near every other one.
		if len(word) < 3 {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(candidate), bestDistance); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// suggestMax is the longest word that is compared, in bytes: the comparison takes the product of the lengths.
const suggestMax = 64

// distance returns how many bytes must be inserted, deleted or replaced to make b of a, or limit if it is more.
func distance(a, b string, limit int) int {
	if len(a) > suggestMax || len(b) > suggestMax || max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	var row [suggestMax + 1]int
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

// hints joins the parts of a hint that there are.
func hints(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		if part == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(part)
	}
	return b.String()
}
