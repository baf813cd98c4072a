package transformcases_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/transform/transformcases"
)

func run(t *testing.T, file string) (results []string, err error) {
	t.Helper()
	s := transformcases.Settings{Now: time.Date(2026, time.November, 23, 8, 0, 0, 0, time.UTC),
		Random: strings.NewReader(strings.Repeat("abcdefghijklmnop", 100))}
	err = transformcases.Run(strings.NewReader(file), s, func(r transformcases.Result) {
		results = append(results, fmt.Sprintf("%d.%d %v", r.Line.Number, r.Case, r.Err))
	})
	return results, err
}

func TestRun(t *testing.T) {
	tests := []struct {
		name, file string
		want       []string
	}{
		{"a case that passes and one that does not",
			`{"transform":{"type":"lower"},"cases":[{"input":"A","output":"a"},{"input":"B","output":"B"}]}`,
			[]string{"1.0 <nil>", `1.1 it gives "b", not "B"`}},
		{"a corrected output", `{"transform":{"type":"lower"},"cases":[{"input":"A","output":"A","output_corrected":"a"}]}`,
			[]string{"1.0 <nil>"}},
		{"null", `{"transform":{"type":"lower"},"cases":[{"output":null},{"input":"","output":null}]}`,
			[]string{"1.0 <nil>", `1.1 it gives "", not null`}},
		{"no cases", "\n" + `{"transform":{"type":"trim"}}` + "\n" + `{"transform":{"type":"trimm"}}`,
			[]string{"2.-1 <nil>", `3.-1 type: unknown operation "trimm"; did you mean "trim"?`}},
		{"accounts and identity",
			`{"transform":{"type":"concat","attributes":{"values":[
			{"type":"accountAttribute","attributes":{"sourceName":"HR","attributeName":"a"}},
			{"type":"identityAttribute","attributes":{"name":"b"}}]}},
			"cases":[{"accounts":{"HR":{"a":"x"}},"identity":{"b":"y"},"output":"xy"}]}`,
			[]string{"1.0 <nil>"}},
		{"the time of the run", `{"transform":{"type":"dateMath","attributes":{"expression":"now/d"}},"cases":[{"output":"2026-11-23T00:00"}]}`,
			[]string{"1.0 <nil>"}},
		{"alike", `{"transform":{"type":"randomNumeric","attributes":{"length":3}},"cases":[{"sample_output":"123"},{"sample_output":"12a"}]}`,
			nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := test.file
			if test.name == "accounts and identity" {
				file = strings.ReplaceAll(file, "\n", " ")
			}
			got, err := run(t, file)
			if err != nil {
				t.Fatal(err)
			}
			if test.want == nil { // what differs by chance is not quoted
				if len(got) != 2 || got[0] != "1.0 <nil>" || strings.HasSuffix(got[1], "<nil>") {
					t.Errorf("got %q, want one that passes and one that does not", got)
				}
				return
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestRunBadFile(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"no JSON", "{}\nx", "line 1: it has no transform"},
		{"no object", `{"transform":{"type":"lower"}}` + "\n[", "line 2: a JSON object with transform and cases is expected"},
		{"too long", strings.Repeat(" ", 2<<20), "a line has more than 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := run(t, test.file); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
