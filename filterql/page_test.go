package filterql_test

import (
	"errors"
	"testing"

	"github.com/muster-engine/muster/filterql"
)

func TestParsePage(t *testing.T) {
	tests := []struct {
		limit, offset, count string
		want                 filterql.Page
		wrong                string // the parameter that is
	}{
		{"", "", "", filterql.Page{Limit: 250}, ""},
		{"0", "0", "false", filterql.Page{}, ""},
		{"250", "1000000", "true", filterql.Page{Limit: 250, Offset: 1000000, Count: true}, ""},
		{"251", "", "", filterql.Page{}, "limit"},
		{"-1", "", "", filterql.Page{}, "limit"},
		{"+1", "", "", filterql.Page{}, "limit"},
		{"1.0", "", "", filterql.Page{}, "limit"},
		{" 1", "", "", filterql.Page{}, "limit"},
		{"99999999999999999999", "", "", filterql.Page{}, "limit"},
		{"", "-1", "", filterql.Page{}, "offset"},
		{"", "99999999999999999999", "", filterql.Page{}, "offset"},
		{"", "x", "", filterql.Page{}, "offset"},
		{"", "", "TRUE", filterql.Page{Limit: 250, Count: true}, ""},
		{"", "", "False", filterql.Page{Limit: 250}, ""},
		{"", "", " true", filterql.Page{}, "count"},
		{"", "", "1", filterql.Page{}, "count"},
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
			if !errors.As(err, &e) || e.Parameter != test.wrong {
				t.Errorf("got %v, want an error of %s", err, test.wrong)
			}
		})
	}
}
