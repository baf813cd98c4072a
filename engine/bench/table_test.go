package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func someLines() []line {
	full := against("nothing changed", rate(5000, time.Second), "rows streamed raw", rate(60_000, time.Second)).
		chart("full run").judge(ratioAtLeast(0.5), 1000)
	full.Case = "full"
	p50 := alone("1 at once, p50", duration(12_500*time.Microsecond)).
		judge(figureAtMost(duration(50*time.Millisecond)), 1000)
	p50.Case = "event"
	p99 := against("1 at once, p99", duration(time.Second), "its statements bare", duration(2*time.Millisecond)).
		judge(target{}, 1000)
	p99.Case = "event"
	return []line{full, p50, p99}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := writeTable(&b, someLines()); err != nil {
		t.Fatal(err)
	}
	const want = `
case   figure                     baseline                       ratio  target             met
full   nothing changed   5,000/s  rows streamed raw    60,000/s  0.0833  ratio >= 0.5       NO
event  1 at once, p50    12.5 ms                                         figure <= 50.0 ms  yes
       1 at once, p99     1.00 s  its statements bare   2.00 ms     500
`
	got := "\n" + b.String()
	if squeeze(got) != squeeze(want) {
		t.Errorf("%s\nwhere it should be\n%s", got, want)
	}
	rows := strings.Split(strings.TrimSpace(b.String()), "\n")
	column := strings.Index(rows[1], "ratio >= 0.5")
	if strings.Index(rows[0], "target") != column || strings.Index(rows[2], "figure <=") != column {
		t.Errorf("the columns do not stand below each other:\n%s", got)
	}
}

// squeeze makes one blank of several.
func squeeze(text string) string {
	rows := strings.Split(text, "\n")
	for i, row := range rows {
		rows[i] = strings.Join(strings.Fields(row), " ")
	}
	return strings.Join(rows, "\n")
}

func TestJSON(t *testing.T) {
	t.Parallel()
	r := &result{Started: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), People: 1000, Rounds: 3, Seed: 1, CPUs: 2,
		Lines: someLines()}
	var b bytes.Buffer
	if err := writeJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var back struct {
		People int
		Lines  []struct {
			Case, Name, Target string
			Figure             struct {
				Value float64
				Unit  string
			}
			Ratio *float64
			Met   *bool
		}
	}
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	full, p50 := back.Lines[0], back.Lines[1]
	if back.People != 1000 || full.Case != "full" || full.Figure.Value != 5000 || full.Figure.Unit != "/s" ||
		full.Met == nil || *full.Met || p50.Ratio != nil || p50.Met == nil || !*p50.Met || back.Lines[2].Met != nil {
		t.Errorf("got %s, want back.People == 1000 && full.Case == \"full\" && full.Figure.Value == 5000 && full.Figure.Unit == \"/s\" && full.Met != nil && !*full.Met && p50.Ratio == nil && p50.Met != nil && *p50.Met && back.Lines[2].Met == nil", b.Bytes())
	}
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	small := &result{People: 1000, Lines: someLines()}
	large := &result{People: 10_000, Lines: append(someLines(),
		alone("max RSS", value{1 << 20, memory}).chart("memory"))}
	large.Lines[0].Figure.Number = 6000
	var b strings.Builder
	if err := writeGrowth(&b, []*result{small, large}); err != nil {
		t.Fatal(err)
	}
	const want = "people,full run [/s],memory [B]\n1000,5000,\n10000,6000,1.04858e+06\n"
	if b.String() != want {
		t.Errorf("%q where it should be %q", b.String(), want)
	}
}
