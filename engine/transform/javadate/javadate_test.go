package javadate

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCompileFaults(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                        "the pattern is empty",
		"yyyy-MM-ddTHH:mm":        "'T' is no pattern letter",
		"yyyy'T":                  "the quote at position 4 is not closed",
		"yyyyXXXX":                "X may be repeated 3 times",
		strings.Repeat("y", 1000): "256 are allowed",
	} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", pattern, err, want)
		}
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
