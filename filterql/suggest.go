package filterql

import (
	"fmt"
	"strings"

	"github.com/muster-engine/muster/filterql/suggest"
)

// didYouMean returns a hint with the candidate that is most like word, or "" if none is like it.
func didYouMean(word string, candidates []string) string {
	if nearest := suggest.Nearest(word, candidates); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	return ""
}

// hints joins the parts that are not empty.
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
