package filterql_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/muster-engine/muster/filterql"
)

func TestEval(t *testing.T) {
	created := time.Date(2018, 12, 18, 23, 5, 55, 999, time.UTC)
	row := map[string]any{
		"firstname": "Žofie", "email": "ADA@example.org", "age": json.Number("36"), "correlated": true, "created": created,
		"groups": []string{"Venezia", "Firenze"}, "id": "7",
	}
	tests := []struct {
		filter string
		want   bool
	}{
		{`firstname eq "žOFIE"`, true},
		{`firstname sw "Žo"`, true},
		{`firstname sw "zo"`, false},
		{`email co "@EXAMPLE."`, true},
		{`email gt "ACE"`, true},
		{`email lt "aDb"`, true},
		{`email gt "Ada@example.org"`, false},
		{`email in ("x","ada@EXAMPLE.org")`, true},
		{`id eq "7"`, true},
		{`age ge 36`, true},
		{`age lt 36.5`, true},
		{`age in (1,3.6e1)`, true},
		{`correlated eq "true"`, true},
		{`created eq 2018`, true},
		{`created gt 2018`, false},
		{`created le 2018`, true},
		{`created gt 2017`, true},
		{`created eq 2018-12-18`, true},
		{`created lt 2018-12-18`, false},
		{`created eq 2018-12-19T00:05:55+01:00`, true},
		{`created in (2017,2018-12-18)`, true},
		{`created in (2018)`, true},
		{`created in (2017,2019)`, false},
		{`created lt 2019`, true},
		{`created ge 2019`, false},
		{`created ne 2018-12-18`, false},
		{`groups ca ("firenze","VENEZIA")`, true},
		{`groups ca ("Firenze","Roma")`, false},
		{`pr groups and not groups isnull`, true},
	}
	schema := people(t)
	for _, test := range tests {
		t.Run(test.filter, func(t *testing.T) {
			filter, err := filterql.ParseFilter(test.filter, schema)
			if err != nil {
				t.Fatal(err)
			}
			if got := filter.Eval(func(field string) any { return row[field] }); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// Of null and of what is not of the field's type nothing is true but ne, isnull and negations.
func TestEvalOfNull(t *testing.T) {
	tests := []struct {
		filter string
		want   bool
	}{
		{`email eq ""`, false}, {`email ne "x"`, true}, {`email sw ""`, false}, {`email co ""`, false},
		{`email ge ""`, false},
		{`email in ("")`, false}, {`not email in ("")`, true}, {`email isnull`, true}, {`pr email`, false},
		{`age ne 1`, true}, {`age lt 1`, false}, {`age isnull`, true},
		{`created le 9999`, false}, {`created ne 2018`, true}, {`not created le 9999`, true},
		{`groups ca ("a")`, false}, {`groups isnull`, true}, {`correlated eq false`, false}, {`id in ("x")`, false},
	}
	schema := people(t)
	for _, value := range []any{nil, struct{}{}, []string{}} {
		for _, test := range tests {
			filter, err := filterql.ParseFilter(test.filter, schema)
			if err != nil {
				t.Fatal(err)
			}
			if got := filter.Eval(func(string) any { return value }); got != test.want {
				t.Errorf("%s of %#v: got %v, want %v", test.filter, value, got, test.want)
			}
		}
	}
}

func TestEvalOfTypes(t *testing.T) {
	schema := people(t)
	numbers := []any{
		7, int8(7), int16(7), int32(7), int64(7), uint(7), uint8(7), uint16(7), uint32(7), uint64(7), float32(7), 7.0,
		json.Number("7.0"),
	}
	for _, value := range numbers {
		filter, err := filterql.ParseFilter(`age ge 7 and age lt 8 and age in (7)`, schema)
		if err != nil {
			t.Fatal(err)
		}
		if !filter.Eval(func(string) any { return value }) {
			t.Errorf("%T is not taken for a number", value)
		}
	}
	texts := map[string]any{"true": true, "7": json.Number("7"), "8": 8, "9": int64(9), "1.25": 1.25}
	for text, value := range texts {
		filter, err := filterql.ParseFilter(`email eq "`+text+`"`, schema)
		if err != nil {
			t.Fatal(err)
		}
		if !filter.Eval(func(string) any { return value }) {
			t.Errorf("the text of %#v is not %s", value, text)
		}
	}
}

// An ID may come as its text, in any spelling, or as what Convert makes of it.
func TestEvalOfIDs(t *testing.T) {
	schema := mustSchema(t, filterql.Field{
		Name: "id", Type: filterql.ID, Column: "id", Ops: filterql.OpsOf(filterql.Eq, filterql.Ne), Convert: parseUUID,
	})
	filter, err := filterql.ParseFilter(`id eq `+oddIDs[1], schema)
	if err != nil {
		t.Fatal(err)
	}
	converted, _ := parseUUID(oddIDs[0])
	for value, want := range map[any]bool{oddIDs[0]: true, converted: true, oddIDs[2]: false, "nobody": false, 7: false} {
		if got := filter.Eval(func(string) any { return value }); got != want {
			t.Errorf("%v: got %v, want %v", value, got, want)
		}
	}
}
