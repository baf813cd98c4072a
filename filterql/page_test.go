package filterql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-engine/muster/filterql"
)

func TestParsePage(t *testing.T) {
	tests := []struct {
		limit, offset, count string
		want                 filterql.Page
		wrong                string // the error
	}{
		{"", "", "", filterql.Page{Limit: 250}, ""},
		{"0", "0", "false", filterql.Page{}, ""},
		{"250", "1000000", "true", filterql.Page{Limit: 250, Offset: 1000000, Count: true}, ""},
		{"251", "", "", filterql.Page{}, `limit: "251" is given where a whole number from 0 to 250 is allowed`},
		{"-1", "", "", filterql.Page{}, `limit: "-1" is given where a whole number from 0 to 250 is allowed`},
		{"+1", "", "", filterql.Page{}, `limit: "+1" is given where a whole number from 0 to 250 is allowed`},
		{"1.0", "", "", filterql.Page{}, `limit: "1.0" is given where a whole number from 0 to 250 is allowed`},
		{" 1", "", "", filterql.Page{}, `limit: " 1" is given where a whole number from 0 to 250 is allowed`},
		{"99999999999999999999", "", "", filterql.Page{}, `limit: "99999999999999999999" is given where a whole number from 0 to 250 is allowed`},
		{"", "-1", "", filterql.Page{}, `offset: "-1" is given where a whole number of 0 or more is allowed`},
		{"", "99999999999999999999", "", filterql.Page{}, `offset: "99999999999999999999" is given where a whole number of 0 or more is allowed`},
		{"", "x", "", filterql.Page{}, `offset: "x" is given where a whole number of 0 or more is allowed`},
		{"", "", "TRUE", filterql.Page{Limit: 250, Count: true}, ""},
		{"", "", "False", filterql.Page{Limit: 250}, ""},
		{"", "", " true", filterql.Page{}, `count: " true" is given where true or false is allowed`},
		{"", "", "1", filterql.Page{}, `count: "1" is given where true or false is allowed`},
	}
	for _, test := range tests {
		t.Run(test.limit+"/"+test.offset+"/"+test.count, func(t *testing.T) {
			page, err := filterql.ParsePage(test.limit, test.offset, test.count)
			if page != test.want {
				t.Errorf("got %+v, want %+v", page, test.want)
			}
			if test.wrong == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *filterql.PageError
			if !errors.As(err, &e) || e.Error() != test.wrong || !strings.HasPrefix(test.wrong, e.Parameter+":") {
				t.Errorf("got the error %v, want %s", err, test.wrong)
			}
		})
	}
}
