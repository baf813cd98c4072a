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

// The accounts that are not disabled, not locked and without entitlements.
const accounts = `{"type":"accountAttribute","attributes":{"sourceName":"HR","attributeName":"a",` +
	`"accountPropertyFilter":"disabled == false && locked == false && entitlements == false"}}`

// The names that are tried are compared with the candidates in order; ... stands for any number of them.
func TestCandidates(t *testing.T) {
	const generator = `{"type":"usernameGenerator","attributes":{"patterns":["$fn","$fn${uniqueCounter}"],"fn":"ann","cloudMaxUniqueChecks":3}}`
	for candidates, want := range map[string]string{
		`["ann","ann","ann1","ann2","ann3"]`: "<nil>",
		`["ann","..."]`:                      "<nil>",
		`["ann","ann","ann1","..."]`:         "<nil>",
		`["ann","...","ann3"]`:               "<nil>",
		`["ann","...","ann2","ann3"]`:        "<nil>",
		`[]`:                                 "<nil>",
		`["..."]`:                            "<nil>",
		`["ann","...","ann2"]`:               `5 names are tried: ["ann" "ann" "ann1" "ann2" "ann3"]`,
		`["ann","ann"]`:                      `5 names are tried: ["ann" "ann" "ann1" "ann2" "ann3"]`,
		`["bob","..."]`:                      `the names that are tried are ["ann" "ann" "ann1" "ann2" "ann3"], not ["bob" "..."]`,
		`["ann","ann","ann1","ann2","ann3","ann4"]`: `the names that are tried are ["ann" "ann" "ann1" "ann2" "ann3"], not ["ann" "ann" "ann1" "ann2" "ann3" "ann4"]`,
		`["ann","...","ann4"]`:                      `the names that are tried are ["ann" "ann" "ann1" "ann2" "ann3"], not ["ann" "..." "ann4"]`,
	} {
		got, err := run(t, `{"transform":`+generator+`,"cases":[{"candidates_in_order":`+candidates+`}]}`)
		if err != nil || len(got) != 1 || got[0] != "1.0 "+want {
			t.Errorf("%s: got %q %v, want %s", candidates, got, err, want)
		}
	}
	got, err := run(t, `{"transform":{"type":"lower"},"cases":[{"input":"A","candidates_in_order":["a"]}]}`)
	if err != nil || len(got) != 1 || got[0] != "1.0 a name is found though all are taken" {
		t.Errorf("got %q %v, want a name that is found", got, err)
	}
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
		{"a transform in a field of a policy", `{"transform":{"name":"mail","transform":{"type":"lower"}},"cases":[{"input":"A","output":"a"}]}`,
			[]string{"1.0 <nil>"}},
		{"a field without a transform", `{"transform":{"name":"mail","transform":null},"cases":[{"input":"A","output":"a"}]}`,
			[]string{"1.0 the field has no transform"}},
		{"a field without a name", `{"transform":{"transform":{"type":"lower"}},"cases":[{"input":"A","output":"a"}]}`,
			[]string{"1.0 name: the name of an account attribute is expected"}},
		{"a transform in a mapping of a profile", `{"transform":{"transformDefinition":{"type":"lower"}},"cases":[{"input":"A","output":"a"}]}`,
			[]string{"1.0 <nil>"}},
		{"a fault in a mapping of a profile", `{"transform":{"transformDefinition":{}}}`,
			[]string{"1.-1 transformDefinition.type: it is missing: a transform names its operation"}},
		{"no object", `{"transform":5}`,
			[]string{"1.-1 a transform is an object with type and attributes, this is a number"}},
		{"a saved transform", `{"transform":{"type":"reference","attributes":{"id":"Saved"}},"cases":[{"references":{"Saved":"x"},"output":"x"},{"references":{},"output":"x"}]}`,
			[]string{"1.0 <nil>", `1.1 attributes.id: there is no transform named "Saved"`}},
		{"a case's own time and zone", `{"transform":{"type":"dateMath","attributes":{"expression":"now/h"}},"cases":[` +
			`{"now":"2026-03-01","zone":"Asia/Tokyo","output":"2026-03-01T09:00"},{"now":"March","output":""},{"zone":"Nowhere/Else","output":""}]}`,
			[]string{"1.0 <nil>", "1.1 a time is expected, such as 2026-03-01T08:00:00Z or 2026-03-01", "1.2 zone: unknown time zone Nowhere/Else"}},
		{"an input that is no value", `{"transform":{"type":"lower"},"cases":[{"input":{"a":{}},"output":""}]}`,
			[]string{"1.0 input: attributes: at byte 0: want a text, a number, a boolean or a list, not an object"}},
		{"several accounts, one of which is disabled", `{"transform":` + accounts + `,"cases":[` +
			`{"accounts":{"HR":[{"a":"x","IIQDisabled":true},{"a":"y"}]},"output":"y"},` +
			`{"accounts":{"HR":[{"a":"x","IIQLocked":true},{"a":"y"}]},"output":"y"},` +
			`{"accounts":{"HR":[{"a":"x","entitlements":true},{"a":"y"}]},"output":"y"},` +
			`{"accounts":{"HR":[{"a":"x","created":"2026-02-02"},{"a":"y","created":"2026-02-01"}]},"output":"y"}]}`,
			[]string{"1.0 <nil>", "1.1 <nil>", "1.2 <nil>", "1.3 <nil>"}},
		{"accounts that are none", `{"transform":` + accounts + `,"cases":[{"accounts":{"HR":[5]},"output":""},{"accounts":{"HR":5},"output":""},` +
			`{"accounts":{"HR":{"created":"March"}},"output":""}]}`,
			[]string{"1.0 accounts of HR: attributes: at byte 0: want an object", "1.1 accounts of HR: attributes: at byte 0: want an object", "1.2 accounts of HR: created: a time is expected, such as 2026-03-01T08:00:00Z or 2026-03-01"}},
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
