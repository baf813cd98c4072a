package transform

import (
	"fmt"
	"testing"
	"time"
)

func dateMathOf(expression string) string {
	return fmt.Sprintf(`{"type": "dateMath", "attributes": {"expression": %q}}`, expression)
}

func compare(first, operator, second string) string {
	return fmt.Sprintf(`{"type": "dateCompare", "attributes": {"firstDate": %s, "secondDate": %s, "operator": %q,
		"positiveCondition": "yes", "negativeCondition": "no"}}`, first, second, operator)
}

// birthday is a date of every year: its format leaves the year out.
const birthday = `{"type": "dateFormat", "attributes": {"inputFormat": "MM-dd", "input": {"type": "dateFormat",
	"attributes": {"outputFormat": "MM-dd", "input": {"type": "dateMath", "attributes": {"expression": "now"}}}}}}`

// A comparison keeps its value up to the time that is told, and has another one then.
func TestTurns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, definition, zone, now string
		turns                       []string
	}{
		{"office hours", compare(`"now"`, "lt", dateMathOf("now/d+8h")), "UTC", "2026-03-01T09:00:00Z",
			[]string{"2026-03-02T00:00:00Z", "2026-03-02T08:00:00Z", "2026-03-03T00:00:00Z"}},
		{"office hours elsewhere", compare(`"now"`, "lt", dateMathOf("now/d+8h")), "Asia/Kolkata", "2026-03-01T09:00:00Z",
			[]string{"2026-03-01T18:30:00Z", "2026-03-02T02:30:00Z"}},
		{"by a variable", `{"type": "static", "attributes": {"value": "$c", "opens": ` + dateMathOf("now/d+8h") +
			`, "c": ` + compare(`"now"`, "gte", `"$opens"`) + `}}`, "UTC", "2026-03-01T07:00:00Z",
			[]string{"2026-03-01T08:00:00Z", "2026-03-02T00:00:00Z"}},
		{"the last days of a month", compare(`"now"`, "gte", dateMathOf("now/M+29d")), "UTC", "2026-02-01T00:00:00Z",
			[]string{"2026-03-30T00:00:00Z", "2026-04-01T00:00:00Z", "2026-04-30T00:00:00Z"}},
		{"leap days", compare(dateMathOf("now/y+365d"), "lte", `"now"`), "UTC", "2026-02-01T00:00:00Z",
			[]string{"2028-12-31T00:00:00Z", "2029-01-01T00:00:00Z"}},
		{"days of 25 hours", compare(`"now"`, "gte", dateMathOf("now/d+24h")), "Europe/Berlin", "2026-03-01T00:00:00Z",
			[]string{"2026-10-25T22:00:00Z", "2026-10-25T23:00:00Z"}},
		{"half hours", compare(`"now"`, "gt", dateMathOf("now/h+30m")), "UTC", "2026-03-01T00:31:00Z",
			[]string{"2026-03-01T01:00:00Z", "2026-03-01T01:30:00Z"}},
		{"the first of a month against a day", compare(dateMathOf("now/d"), "gt", dateMathOf("now/M+4d")), "UTC",
			"2026-03-02T00:00:00Z", []string{"2026-03-06T00:00:00Z", "2026-04-01T00:00:00Z"}},
		{"a day against an end date", compare(dateMathOf("now/d"), "gt", `"2026-03-04T10:00"`), "UTC",
			"2026-03-02T00:00:00Z", []string{"2026-03-05T00:00:00Z"}},
		{"one that never turns", compare(dateMathOf("now+2d"), "gt", dateMathOf("now/d")), "Europe/Berlin",
			"2026-03-02T00:00:00Z", nil},
		{"a birthday", compare(birthday, "gte", `"1970-05-07"`), "UTC", "2026-03-02T00:00:00Z",
			[]string{"2026-05-07T00:00:00Z", "2027-01-01T00:00:00Z", "2027-05-07T00:00:00Z"}},
		{"a comparison in a date", compare(`{"type": "conditional", "attributes": {"expression": "$c eq yes", "c": `+
			compare(`"now"`, "gte", `"2026-03-04"`)+`, "positiveCondition": "2026-03-08", "negativeCondition": "2026-03-03"}}`,
			"gt", `"now"`), "UTC", "2026-03-02T00:00:00Z",
			[]string{"2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z"}},
		{"an error to come", compare(dateMathOf("now+7800y"), "gt", `"2026-01-01"`), "UTC", "2026-03-02T00:00:00Z",
			[]string{"2200-01-01T00:00:00Z"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			compiled, location := compiledIn(t, test.definition, test.zone)
			in := &Input{Location: location}
			var err error
			if in.Now, err = time.Parse(time.RFC3339, test.now); err != nil {
				t.Fatal(err)
			}
			value, due, err := compiled.EvaluateUntil(in)
			for _, turn := range test.turns {
				if err != nil {
					t.Fatal(err)
				}
				want, err := time.Parse(time.RFC3339, turn)
				if err != nil {
					t.Fatal(err)
				}
				if late := due.Sub(want); late < 0 || late > 2*time.Second {
					t.Fatalf("%s until %v, want %v", value.Text(), due.UTC(), want)
				}
				before := *in
				before.Now = want.Add(-2 * time.Second)
				if same, err := compiled.Evaluate(&before); err != nil || !same.Equal(value) {
					t.Errorf("before %v it is %s, not %s: %v", want, same.Text(), value.Text(), err)
				}
				last := value
				in.Now = due
				if value, due, err = compiled.EvaluateUntil(in); err == nil && value.Equal(last) {
					// A time of its own, at which the value may change, is no fault.
					if test.name != "a comparison in a date" {
						t.Errorf("at %v it is still %s", in.Now, value.Text())
					}
				}
				if err != nil {
					return // "an error to come"
				}
			}
			if test.turns == nil && !due.IsZero() {
				t.Errorf("it is due at %v", due)
			}
		})
	}
}

// A value that was read in a comparison first, and is shown then, is due at any moment.
func TestShownAfterComparison(t *testing.T) {
	t.Parallel()
	compiled, err := Compile([]byte(`{"type": "static", "attributes": {"value": "$c $today", "today": `+dateMathOf("now/d")+
		`, "c": `+compare(`"$today"`, "lt", `"2030-01-01"`)+`}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if value, due, err := compiled.EvaluateUntil(testInput()); err != nil || !due.Equal(now) {
		t.Errorf("%s is due at %v: %v", value.Text(), due, err)
	}
}
