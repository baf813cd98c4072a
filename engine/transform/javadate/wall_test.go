package javadate

import (
	"testing"
	"time"
)

// TestInstant compares with Java 17: earlier is LocalDateTime.atZone, later is SimpleDateFormat.
func TestInstant(t *testing.T) {
	for _, test := range []struct {
		zone, wall     string
		earlier, later int64
	}{
		{"America/Santiago", "2024-09-08T00:00:00", 1725768000, 1725768000},
		{"America/Santiago", "2024-09-08T00:30:00", 1725769800, 1725769800},
		{"America/New_York", "2023-03-12T02:30:00", 1678606200, 1678606200},
		{"America/New_York", "2023-11-05T01:30:00", 1699162200, 1699165800},
		{"America/New_York", "2023-11-05T02:00:00", 1699167600, 1699167600},
		{"America/New_York", "2023-11-05T00:59:59", 1699160399, 1699160399},
		{"Europe/Berlin", "2026-03-29T02:00:00", 1774746000, 1774746000},
		{"Europe/Berlin", "2026-03-29T03:00:00", 1774746000, 1774746000},
		{"Europe/Berlin", "2026-10-25T02:00:00", 1792886400, 1792890000},
		{"Europe/Berlin", "2026-10-25T02:59:59", 1792889999, 1792893599},
		{"Europe/Berlin", "2026-10-25T03:00:00", 1792893600, 1792893600},
		{"Europe/Dublin", "2026-10-25T01:15:00", 1792887300, 1792890900},
		{"Europe/Dublin", "2026-03-29T01:15:00", 1774746900, 1774746900},
		{"Australia/Lord_Howe", "2026-04-05T01:45:00", 1775313900, 1775315700},
		{"Australia/Lord_Howe", "2026-10-04T02:15:00", 1791042300, 1791042300},
		{"America/Havana", "2024-11-03T00:30:00", 1730608200, 1730611800},
		{"America/Havana", "2024-03-10T00:00:00", 1710046800, 1710046800},
		{"Pacific/Apia", "2011-12-30T12:00:00", 1325282400, 1325282400},
		{"Pacific/Apia", "2011-12-29T23:59:59", 1325239199, 1325239199},
		{"Pacific/Apia", "2011-12-31T00:00:00", 1325239200, 1325239200},
		{"Asia/Kolkata", "2023-11-09T17:30:00", 1699531200, 1699531200},
		{"Africa/Cairo", "2024-10-31T23:30:00", 1730406600, 1730410200},
		{"Asia/Beirut", "2024-03-31T00:00:00", 1711836000, 1711836000},
		{"Europe/Berlin", "2099-03-29T02:30:00", 4078431000, 4078431000},
		{"Europe/Berlin", "2099-10-25T02:30:00", 4096571400, 4096575000},
		{"America/Caracas", "2007-12-09T02:45:00", 1197182700, 1197184500},
		{"America/Caracas", "2016-05-01T02:45:00", 1462086900, 1462086900},
		{"UTC", "2024-02-29T00:00:00", 1709164800, 1709164800},
	} {
		location, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		wall, err := time.Parse("2006-01-02T15:04:05", test.wall)
		if err != nil {
			t.Fatal(err)
		}
		wall = wall.Add(7 * time.Millisecond)
		for _, twice := range []struct {
			choice Twice
			want   int64
		}{{Earlier, test.earlier}, {Later, test.later}} {
			got := Instant(wall, location, twice.choice)
			if want := time.Unix(twice.want, 7e6); !got.Equal(want) || got.Location() != location {
				t.Errorf("%s in %s is %v, want %v", test.wall, test.zone, got, want.In(location))
			}
			_, offset := got.Zone()
			if near := InstantNear(wall, location, offset); !near.Equal(got) {
				t.Errorf("%s in %s near %d is %v, want %v", test.wall, test.zone, offset, near, got)
			}
		}
		if near := InstantNear(wall, location, 1); near.Unix() != test.earlier {
			t.Errorf("%s in %s near an offset that never was is %v", test.wall, test.zone, near)
		}
	}
}

// TestInstantRoundTrip says that a time is one of the two of what its clocks show.
func TestInstantRoundTrip(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns", "Asia/Kathmandu"} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2013; at = at.Add(23 * time.Minute) {
			local := at.In(location)
			_, offset := local.Zone()
			if got := InstantNear(local, location, offset); !got.Equal(at) {
				t.Fatalf("%v comes back as %v", local, got)
			}
		}
	}
}
