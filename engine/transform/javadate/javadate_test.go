package javadate

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCompileFaults(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                       "the pattern is empty",
		"yyyy-MM-ddTHH:mm":       "'T' is no pattern letter",
		"yyyy'T":                 "the quote at position 4 is not closed",
		"yyyyA":                  "'A' is no pattern letter",
		"yyyyXXXX":               "X may be repeated 3 times",
		strings.Repeat("y", 257): "256 are allowed",
	} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", pattern, err, want)
		}
	}
}

func TestLongestPattern(t *testing.T) {
	if _, err := Compile(strings.Repeat("y", PatternMax)); err != nil {
		t.Error(err)
	}
}

// TestParse has what differs from SimpleDateFormat on purpose, and what the errors say.
func TestParse(t *testing.T) {
	for _, test := range []struct{ pattern, text, want string }{
		{"YYYY-MM-dd", "2023-11-09", "2023-11-09T00:00:00Z"},
		{"dd.MM.YY", "09.11.23", "2023-11-09T00:00:00Z"},
		{"YYYY-'W'ww-u", "2001-W27-3", "2001-07-04T00:00:00Z"},
		{"yyyy-MM-dd'T'HH:mm:ssZ", "2023-11-09T01:02:03Z", "2023-11-09T01:02:03Z"},
		{"yyyy-MM-dd'T'HH:mm:ssX", "2023-11-09T01:02:03+05:30", "2023-11-08T19:32:03Z"},
		{"yyyy-MM-dd'T'HH:mm:ss z", "2023-11-09T01:02:03 pst", "2023-11-09T09:02:03Z"},
		{"yyyy-MM-dd'T'HH:mm:ss z", "2023-11-09T01:02:03 GMT+2:00", "2023-11-08T23:02:03Z"},
		{"yyyy-MM-dd HH", "2023-02-30 25", "2023-03-03T01:00:00Z"},
		{"yyyy-MM-dd", "2023-11-09 and more", "2023-11-09T00:00:00Z"},
		{"M/d/yy", "1/2/46", "2046-01-02T00:00:00Z"},
		{"M/d/yy", "12/2/46", "1946-12-02T00:00:00Z"},
		{"M/d/yy", "1/2/47", "1947-01-02T00:00:00Z"},
		{"M/d/yy", "1/2/45", "2045-01-02T00:00:00Z"},
		// The days from 5 to 14 October 1582 were skipped; Go writes all days in the Gregorian calendar.
		{"yyyy-MM-dd", "1582-10-04", "1582-10-14T00:00:00Z"},
		{"yyyy-MM-dd", "1582-10-05", "1582-10-15T00:00:00Z"},
		{"yyyy-MM-dd", "1582-10-14", "1582-10-24T00:00:00Z"},
		{"yyyy-MM-dd", "1582-10-15", "1582-10-15T00:00:00Z"},
		{"yyyy G", "44 BC", "-0044-12-30T00:00:00Z"},
		{"YYYY-u", "2021-1", "2020-12-28T00:00:00Z"}, // the Monday of its first week
		{"yyyy MM W F E", "2023 11 2 3 Mon", "2023-11-06T00:00:00Z"},
		{"yyyy MM F E", "2023 11 1 Mon", "2023-11-06T00:00:00Z"},
		{"yyyy MM F E", "2023 11 0 Mon", "2023-10-30T00:00:00Z"},
		{"yyyy MM F E", "2023 11 -1 Mon", "2023-11-27T00:00:00Z"}, // the last Monday
		{"yyyy MM F E", "2023 11 -2 Mon", "2023-11-20T00:00:00Z"},
		{"yyyy MM F E", "2023 12 -1 Mon", "2023-12-25T00:00:00Z"},
		{"yyyy MM", "2023 -1", "2022-11-01T00:00:00Z"},
		{"yyyy s", "1970 999999999", "2001-09-09T01:46:39Z"},
		{"yyyy s", "1970 1000000000", "at character 6: want s"},
		{"yyyyMMd", "202311", "at character 7: want d"},
		{"yyyyMMd", "20231", "at character 5: want MM"},
		{"yyyy z", "2023 ?", "at character 6: want z"},
		{"yyyy z", "2023 q", "at character 6: want z"},
		{"yyyy z", "2023 z", "2023-01-01T00:00:00Z"},
		{"yyyy Z", "2023 +24", "at character 6: want Z"},
		{"yyyy Z", "2023 +23", "2022-12-31T01:00:00Z"},
		{"yyyy Z", "2023 -5", "2023-01-01T05:00:00Z"},
		{"yyyy Z", "2023 -05:09", "2023-01-01T05:09:00Z"},
		{"yyyy Z", "2023 -05:59", "2023-01-01T05:59:00Z"},
		{"yyyy Z", "2023 -05:60", "2023-01-01T05:00:00Z"},
		{"yyyy Z", "2023 -09", "2023-01-01T09:00:00Z"},
		{"yyyy-MM-dd", "9.11.2023", `at character 2: want "-"`},
		{"yyyy-MM-dd", "", "at character 1: want yyyy"},
		{"MMM", "Xyz", "at character 1: want MMM"},
		{"yyyy", "99999999999999999999", "at character 1: want yyyy"},
	} {
		f, err := Compile(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		date, err := f.Parse(test.text, Options{Now: now})
		got := date.Format(time.RFC3339)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q reads %q as %s, want %s", test.pattern, test.text, got, test.want)
		}
	}
}

// TestFormatAtBounds has days before the Gregorian calendar, before Christ, and zones that have no name.
func TestFormatAtBounds(t *testing.T) {
	for _, test := range []struct {
		pattern string
		time    time.Time
		want    string
	}{
		{"yyyy-MM-dd", time.Date(1582, 10, 14, 0, 0, 0, 0, time.UTC), "1582-10-04"},
		{"yyyy-MM-dd", time.Date(1582, 10, 15, 0, 0, 0, 0, time.UTC), "1582-10-15"},
		{"yyyy-MM-dd", time.Date(1582, 10, 31, 0, 0, 0, 0, time.UTC), "1582-10-31"},
		{"yyyy-MM-dd", time.Date(1582, 11, 1, 0, 0, 0, 0, time.UTC), "1582-11-01"},
		{"y G", time.Date(1, 6, 1, 0, 0, 0, 0, time.UTC), "1 AD"},
		{"y G", time.Date(0, 6, 1, 0, 0, 0, 0, time.UTC), "1 BC"},
		{"y GGGG", time.Date(-43, 6, 1, 0, 0, 0, 0, time.UTC), "44 Before Christ"},
		{"y GGGG", time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC), "2023 Anno Domini"},
		{"YYYY", time.Date(-43, 6, 1, 0, 0, 0, 0, time.UTC), "-0043"},
		{"z", time.Date(2023, 6, 1, 0, 0, 0, 0, time.FixedZone("XYZ", 3600)), "XYZ"},
		{"zzzz", time.Date(2023, 6, 1, 0, 0, 0, 0, time.FixedZone("XYZ", 3600)), "GMT+01:00"},
		{"z", time.Date(2023, 6, 1, 0, 0, 0, 0, time.FixedZone("+0330", 12600)), "GMT+03:30"},
		{"z", time.Date(2023, 6, 1, 0, 0, 0, 0, time.FixedZone("-03", -10800)), "GMT-03:00"},
		{"z", time.Date(2023, 6, 1, 0, 0, 0, 0, time.FixedZone("+00", 0)), "GMT+00:00"},
		{"X", time.Date(2023, 6, 1, 0, 0, 0, 0, time.FixedZone("", 30)), "Z"}, // offsets have whole minutes
	} {
		f, err := Compile(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Format(test.time); got != test.want {
			t.Errorf("%s formats %v as %q, want %q", test.pattern, test.time, got, test.want)
		}
	}
}

// The zones of America are west of Greenwich.
func TestZoneNames(t *testing.T) {
	for name, hours := range map[string]float64{
		"Pacific Standard Time": -8, "Pacific Daylight Time": -7, "Mountain Standard Time": -7,
		"Mountain Daylight Time": -6, "Central Standard Time": -6, "Central Daylight Time": -5,
		"Eastern Standard Time": -5, "Eastern Daylight Time": -4, "Atlantic Standard Time": -4,
		"Atlantic Daylight Time": -3, "Newfoundland Standard Time": -3.5, "Newfoundland Daylight Time": -2.5,
		"Alaska Standard Time": -9, "Alaska Daylight Time": -8, "Hawaii-Aleutian Standard Time": -10,
	} {
		offset, length := parseZone(name)
		if want := int(hours * 3600); offset != want || length != len(name) {
			t.Errorf("%s: got %d seconds of %d bytes, want %d of %d", name, offset, length, want, len(name))
		}
	}
}

// TestCalendar checks that days and dates are each other's inverse.
func TestCalendar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(-2_000_000, 2_000_000).Draw(t, "days")
		d := dateOf(days)
		if got := daysOf(d.year, d.month, d.day); got != days || d.day < 1 || d.day > 31 {
			t.Fatalf("day %d is %v, which is day %d", days, d, got)
		}
		if days >= cutover {
			want := time.Unix(int64(days)*86400, 0).UTC()
			if d.year != want.Year() || d.month != int(want.Month()) || d.day != want.Day() {
				t.Fatalf("day %d is %v, want %v", days, d, want)
			}
		}
	})
}

func TestRoundTrip(t *testing.T) {
	patterns := []string{
		"yyyy-MM-dd'T'HH:mm:ss.SSSZ", "G yyyyy MMMM d, hh:mm:ss.SSS a XXX", "YYYY ww E kk:mm:ss.S X", "yyyyDDDHHmmssSSS",
	}
	rapid.Check(t, func(t *rapid.T) {
		f, err := Compile(rapid.SampledFrom(patterns).Draw(t, "pattern"))
		if err != nil {
			t.Fatal(err)
		}
		want := time.UnixMilli(rapid.Int64Range(-50e12, 200e12).Draw(t, "ms")).UTC()
		got, err := f.Parse(f.Format(want), Options{Now: now})
		if err != nil || !got.Equal(want) {
			t.Fatalf("%s: %s reads as %v, %v", f, f.Format(want), got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2023-11-09T01:02:03.004+0100")
	f.Add("YYYY-ww F W D G a zzzz", "-1-99 -5 6 7 BC pm Pacific Standard Time")
	f.Fuzz(func(_ *testing.T, pattern, text string) {
		format, err := Compile(pattern)
		if err != nil {
			return
		}
		date, err := format.Parse(text, Options{Now: now})
		if err == nil {
			format.Format(date)
		}
	})
}
