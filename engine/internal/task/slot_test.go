package task

import (
	"testing"
	"time"
)

func zoneOf(t *testing.T, zone string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func TestSlotsOverClockChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		zone, at, last, next string
	}{
		"a night of 11 hours": {"Europe/Berlin", "2026-03-29T03:00:00+02:00", "2026-03-28T20:00:00+01:00",
			"2026-03-29T08:00:00+02:00"},
		"a night of 13 hours": {"Europe/Berlin", "2026-10-25T02:30:00+01:00", "2026-10-24T20:00:00+02:00",
			"2026-10-25T08:00:00+01:00"},
		"the repeated hour, first time": {"America/New_York", "2026-11-01T01:30:00-04:00", "2026-10-31T20:00:00-04:00",
			"2026-11-01T08:00:00-05:00"},
		"half an hour": {"Australia/Lord_Howe", "2026-04-05T01:45:00+10:30", "2026-04-04T20:00:00+11:00",
			"2026-04-05T08:00:00+10:30"},
		"at a slot": {"Europe/Berlin", "2026-03-29T08:00:00+02:00", "2026-03-29T08:00:00+02:00",
			"2026-03-29T20:00:00+02:00"},
		"a moment before a slot": {"Europe/Berlin", "2026-03-29T07:59:59.999999+02:00", "2026-03-28T20:00:00+01:00",
			"2026-03-29T08:00:00+02:00"},
		"a day that is left out": {"Pacific/Apia", "2011-12-29T21:00:00-10:00", "2011-12-29T20:00:00-10:00",
			"2011-12-31T08:00:00+14:00"},
		"a time of another zone": {"Asia/Tokyo", "2026-01-01T23:30:00Z", "2026-01-02T08:00:00+09:00",
			"2026-01-02T20:00:00+09:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := zoneOf(t, c.zone)
			at := parseTime(t, c.at)
			if got, want := LastSlot(at, zone), parseTime(t, c.last); !got.Equal(want) {
				t.Errorf("LastSlot(%v) = %v, want %v", at, got, want)
			}
			if got, want := NextSlot(at, zone), parseTime(t, c.next); !got.Equal(want) {
				t.Errorf("NextSlot(%v) = %v, want %v", at, got, want)
			}
		})
	}
}

func parseTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Over a whole year, slots follow each other as 08:00 and 20:00 of local time, none left out and none twice.
func TestSlotsOfAYear(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := zoneOf(t, name)
			slot := NextSlot(time.Date(2026, 1, 1, 0, 0, 0, 0, zone), zone)
			for day := range 365 {
				for _, hour := range slotHours {
					want := time.Date(2026, 1, 1+day, hour, 0, 0, 0, zone)
					if !slot.Equal(want) {
						t.Fatalf("the slot is %v, want %v", slot, want)
					}
					next := NextSlot(slot, zone)
					if got := LastSlot(next.Add(-time.Microsecond), zone); !got.Equal(slot) {
						t.Fatalf("LastSlot just before %v = %v, want %v", next, got, slot)
					}
					slot = next
				}
			}
		})
	}
}
