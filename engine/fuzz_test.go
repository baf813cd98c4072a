package engine

import (
	"testing"

	"github.com/muster-engine/muster/store"
)

// A cursor of events is a place, or refused.
func FuzzEventCursor(f *testing.F) {
	for _, text := range []string{"", "1-2", "9223372036854775807-9223372036854775807", "9223372036854775808-1", "-1-2", "1--2", "1-2-3", "01-+2", "a-b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cursor, err := parseCursor(text)
		if err != nil {
			return
		}
		event := eventOf(&store.RecordedEvent{EventCursor: cursor})
		if again, err := parseCursor(event.Cursor); err != nil || again != cursor {
			t.Fatalf("%q is %v, and that %v: %v", text, cursor, again, err)
		}
	})
}
