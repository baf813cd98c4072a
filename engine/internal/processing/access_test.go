package processing

import (
	"testing"
	"time"
)

// A day begins at midnight; where the clocks skip midnight, when they have; and where they show it twice, the first time.
func TestBeginOfDay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ zone, at, want string }{
		{"UTC", "2026-03-08T23:59:59Z", "2026-03-08T00:00:00Z"},
		{"Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z"},     // the clocks skip 02:00
		{"America/Havana", "2026-03-08T05:00:00Z", "2026-03-08T05:00:00Z"},    // they skip midnight
		{"America/Havana", "2026-03-08T04:59:59Z", "2026-03-07T05:00:00Z"},    // a second before that
		{"America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z"},    // they show midnight twice
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z"}, // they skip midnight
	} {
		location, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := beginOfDay(at, location).UTC().Format(time.RFC3339); got != test.want {
			t.Errorf("the day of %s in %s began at %s, want %s", test.at, test.zone, got, test.want)
		}
	}
}
