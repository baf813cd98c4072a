package migrations

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// An error that a pooler causes says what to do, and stays what it is; others are left alone.
func TestHinted(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{"26000": true, "42P05": true, "42P01": false} {
		cause := fmt.Errorf("step: %w", &pgconn.PgError{Code: code})
		got := hinted(cause)
		if !errors.Is(got, cause) || strings.Contains(got.Error(), "migrate against the server itself") != want {
			t.Errorf("%s: %v", code, got)
		}
	}
	if hinted(nil) != nil {
		t.Error("no error became one")
	}
}
