package engine

import (
	"testing"

	"github.com/muster-engine/muster/store"
)

// A cursor of events is a place, or refused, and so is the ID of one.
func FuzzEventCursor(f *testing.F) {
	for _, text := range []string{"", "1-0123abcd", "9223372036854775807-ffffffff", "9223372036854775808-ffffffff", "-1-2", "1--2",
		"1-0123ABCD", "01-0123abcd", "+1-0123abcd", "a-b", "0190163e8694739bb06f8f1b9c2d1111-1",
		"0190163e8694739bb06f8f1b9c2d1111-2147483648", "00000000000000000000000000000000-1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if cursor, err := parseCursor(text); err == nil && text != "" && cursor.String() != text {
			t.Fatalf("%q is %v", text, cursor)
		}
		place, err := parseEventID(text)
		if err != nil || text == "" {
			return
		}
		event, err := eventOf(&store.RecordedEvent{EventPlace: place, Detail: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseEventID(event.ID); err != nil || again != place {
			t.Fatalf("%q is %v, and that %v: %v", text, place, again, err)
		}
	})
}
