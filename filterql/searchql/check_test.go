package searchql_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                      nil,
		" ":                     nil,
		"...":                   nil,
		"john smith":            {"john", "smith"},
		"john.smith":            {"john.smith"},
		"john. smith":           {"john", "smith"},
		".john.":                {"john"},
		"a..b":                  {"a", "b"},
		"o'neill":               {"o'neill"},
		"'quoted'":              {"quoted"},
		"steve@acme.com":        {"steve", "acme.com"},
		"ad-admin":              {"ad", "admin"},
		"USER_UNLOCK_PASSED":    {"USER_UNLOCK_PASSED"},
		"a\tb\u00a0c\u2014d":    {"a", "b", "c", "d"},
		"10.0.1":                {"10.0.1"},
		"日本 \U0010ffff":         {"日本", "\U0010ffff"},
		"Zoë Zoe\u0308":         {"Zoë", "Zoe\u0308"},
		"CN=Domain Admins,DC=x": {"CN", "Domain", "Admins", "DC", "x"},
	} {
		if got := searchql.Words(text); !slices.Equal(got, want) {
			t.Errorf("%q has the words %q, want %q", text, got, want)
		}
	}
}

// What a date means, as the instants at its ends that a range of it finds.
func TestDates(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		query       string
		zone        *time.Location
		first, last string // the first and the last that are found; empty where it is open
	}{
		{"created:2024", time.UTC, "2024-01-01T00:00:00Z", "2024-12-31T23:59:59.999999Z"},
		{"created:2024-02", time.UTC, "2024-02-01T00:00:00Z", "2024-02-29T23:59:59.999999Z"},
		{"created:2024-03-31", berlin, "2024-03-30T23:00:00Z", "2024-03-31T21:59:59.999999Z"},
		{`created:2024-03-31T10\:15`, time.UTC, "2024-03-31T10:15:00Z", "2024-03-31T10:15:59.999999Z"},
		{`created:"2024-03-31T10:15:00+02:00"`, berlin, "2024-03-31T08:15:00Z", "2024-03-31T08:15:00.999999Z"},
		{"created:[2024-03-31T10:15:00.5 TO 2024-03-31T10:15:00,75]", berlin, "2024-03-31T08:15:00.5Z",
			"2024-03-31T08:15:00.75Z"},
		{"created:[2024-03-31T10:15:00.5+0100 TO 2024-03-31T10:15:01.25Z]", berlin, "2024-03-31T09:15:00.5Z",
			"2024-03-31T10:15:01.25Z"},
		{"created:[2024-03-31T10+02:00 TO 2024-03-31T10:15+0000]", berlin, "2024-03-31T08:00:00Z",
			"2024-03-31T10:15:59.999999Z"},
		{"created:[now-d TO now+2h]", time.UTC, "2026-11-28T19:30:15.123456Z", "2026-11-29T21:30:15.123456Z"},
		{"created:[now-60m TO now+1H]", time.UTC, "2026-11-29T18:30:15.123456Z", "2026-11-29T20:30:15.123456Z"},
		{"created:[2024-02-29||-1y TO 2024-02||+1s]", time.UTC, "2023-02-28T00:00:00Z", "2024-03-01T00:00:00.999999Z"},
		{"created:[2024-01-01 TO 2024-12-31]", time.UTC, "2024-01-01T00:00:00Z", "2024-12-31T23:59:59.999999Z"},
		{"created:{2024-01-01 TO 2024-12-31}", time.UTC, "2024-01-02T00:00:00Z", "2024-12-30T23:59:59.999999Z"},
		{"created:>2024", time.UTC, "2025-01-01T00:00:00Z", ""},
		{"created:>=2024", time.UTC, "2024-01-01T00:00:00Z", ""},
		{"created:<2024", time.UTC, "", "2023-12-31T23:59:59.999999Z"},
		{"created:<=2024", time.UTC, "", "2024-12-31T23:59:59.999999Z"},
		{"created:[now-7d TO now]", time.UTC, "2026-11-22T19:30:15.123456Z", "2026-11-29T19:30:15.123456Z"},
		{"created:{now-7d TO now}", time.UTC, "2026-11-22T19:30:15.123457Z", "2026-11-29T19:30:15.123455Z"},
		{"created:[now-7d/d TO now/d]", time.UTC, "2026-11-22T00:00:00Z", "2026-11-29T23:59:59.999999Z"},
		{"created:[now-7d/d TO now]", berlin, "2026-11-21T23:00:00Z", "2026-11-29T19:30:15.123456Z"},
		{"created:[now/w TO now/M]", time.UTC, "2026-11-23T00:00:00Z", "2026-11-30T23:59:59.999999Z"},
		{"created:[now-1y/y TO now-24h/h]", time.UTC, "2025-01-01T00:00:00Z", "2026-11-28T19:59:59.999999Z"},
		{"created:[now/m TO now/s]", time.UTC, "2026-11-29T19:30:00Z", "2026-11-29T19:30:15.999999Z"},
		{"created:2024-01-31||+1M/d", time.UTC, "2024-02-29T00:00:00Z", "2024-02-29T23:59:59.999999Z"},
		{"created:2024-01-31||+1M-1d/d", time.UTC, "2024-02-28T00:00:00Z", "2024-02-28T23:59:59.999999Z"},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			query, err := searchql.ParseQuery(test.query, schema(t), searchql.Options{Now: now, Zone: test.zone})
			if err != nil {
				t.Fatal(err)
			}
			demand := func(at string, step time.Duration, want bool) {
				t.Helper()
				if at == "" {
					return
				}
				instant, err := time.Parse(time.RFC3339Nano, at)
				if err != nil {
					t.Fatal(err)
				}
				if got := query.Eval(map[string]any{"created": instant.Add(step)}); got != want {
					t.Errorf("%s is found: %v, want %v", instant.Add(step), got, want)
				}
			}
			demand(test.first, 0, true)
			demand(test.first, -time.Microsecond, false)
			demand(test.last, 0, true)
			demand(test.last, time.Microsecond, false)
		})
	}
}

func TestCheckErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no date", `created:02/12/2024`, `
position 1: "02/12/2024" is no date, which "created" is
  created:02/12/2024
  ^^^^^^^^^^^^^^^^^^
hint: write a date such as 2024-12-31, 2024-12-31T23:59:59Z, now-7d/d or 2024-01-01||+1M`},
		{"no date in a range", `created:[2024-01-01 TO soon]`, `
position 24: "soon" is no date, which "created" is
  created:[2024-01-01 TO soon]
                         ^^^^
hint: write a date such as 2024-12-31, 2024-12-31T23:59:59Z, now-7d/d or 2024-01-01||+1M`},
		{"a step without a unit", `created:now-7`, `
position 1: "now-7" is no date, which "created" is
  created:now-7
  ^^^^^^^^^^^^^
hint: write a date such as 2024-12-31, 2024-12-31T23:59:59Z, now-7d/d or 2024-01-01||+1M`},
		{"too many steps", `created:now+1d+1d+1d+1d+1d+1d+1d+1d+1d+1d+1d`, `
position 1: "now+1d+1d+1d+1d+1d+1d+1d+1d+1d+1d+1d" is no date, which "created" is
  created:now+1d+1d+1d+1d+1d+1d+1d+1d…
  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
hint: write a date such as 2024-12-31, 2024-12-31T23:59:59Z, now-7d/d or 2024-01-01||+1M`},
		{"a year that nobody means", `created:now+9999y`, ``},
		{"no number", `count:many`, `
position 1: "many" is no number, which "count" is
  count:many
  ^^^^^^^^^^
hint: write a number, such as 7 or -1.5`},
		{"no boolean", `active:yes`, `
position 1: "yes" is no boolean, which "active" is
  active:yes
  ^^^^^^^^^^
hint: write true or false`},
		{"a wildcard for a number", `count:1*`, `
position 1: a wildcard is not for a number, which "count" is
  count:1*
  ^^^^^^^^
hint: write a number, or * for any value`},
		{"a range of booleans", `active:[false TO true]`, `
position 1: a range is not for a boolean, which "active" is
  active:[false TO true]
  ^^^^^^^^^^^^^^^^^^^^^^
hint: write a boolean, or * for any value`},
		{"no list", `@groups(name:x)`, `
position 1: there is no nested list "groups"
  @groups(name:x)
  ^^^^^^^
hint: there are @accounts`},
		{"an anchor", `name:/^a/`, `
position 1: regular expression: '^' is no anchor here
  name:/^a/
  ^^^^^^^^^
hint: leave it out: an expression is about a whole word. Write \^ where the character is meant`},
		{"an operator of the index", `name:/a&b/`, `
position 1: regular expression: '&' has a meaning in the product that is not known here
  name:/a&b/
  ^^^^^^^^^^
hint: write \& where the character is meant`},
		{"a repetition of nothing", `name:/*a/`, ``},
		{"an open class", `name:/[a/`, ``},
		{"a range that is turned round", `name:/[z-a]/`, ``},
		{"an empty class", `name:/[]/`, ``},
		{"an open group", `name:/(a/`, ``},
		{"a repetition that is turned round", `name:/a{3,2}/`, ``},
		{"two repetitions", `name:/a{2}{3}/`, ``},
		{"too many repetitions", `name:/a{251}/`, ``},
		{"too much, written out", `name:/((a{100}){100})/`, ``},
		{"too deep", "name:/" + strings.Repeat("(", 22) + "a" + strings.Repeat(")", 22) + "/", ``},
		{"too long", "name:/" + strings.Repeat("a", searchql.RegexpMax+1) + "/", ``},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := searchql.ParseQuery(test.text, schema(t), searchql.Options{Now: now})
			var mistake *filterql.Error
			if !errors.As(err, &mistake) {
				t.Fatalf("the error is %v", err)
			}
			if test.want == "" || strings.Contains(test.want, "…") {
				return
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), strings.TrimRight(mistake.Render(), "\n")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestNotes(t *testing.T) {
	for text, want := range map[string]string{
		`city:x`:           `there is no field "city": it finds nothing (did you mean attributes.city?)`,
		`Name:x`:           `there is no field "Name": it finds nothing (did you mean name?)`,
		`accounts.name:x`:  `"accounts.name" is part of a nested list, which is searched by @accounts(name:...): it finds nothing here`,
		`NOT _exists_:x`:   `there is no field "x": it finds nothing`,
		`name:"--"`:        `"--" has no letter and no digit: it finds nothing`,
		`@accounts(x:y)`:   `there is no field "x": it finds nothing`,
		`name:a OR name:b`: ``,
	} {
		query, err := searchql.ParseQuery(text, schema(t), searchql.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(query.Notes(), "; "); got != want {
			t.Errorf("%s: %s\nwant %s", text, got, want)
		}
	}
}

// A list of IDs is one argument, so that it is one look into an index.
func TestIDsAreOneArgument(t *testing.T) {
	query, err := searchql.ParseQuery(
		`id:(018f0000000070008000000000000001 OR 018f0000000070008000000000000002) OR name:x OR id:018f0000000070008000000000000003`,
		schema(t), searchql.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	text, arguments, err := query.Where().ToSql()
	if err != nil || strings.Count(text, "d.id") != 1 || len(arguments) < 2 {
		t.Errorf("%s %v: %v", text, arguments, err)
	}
}

func TestServed(t *testing.T) {
	for text, want := range map[string]bool{
		`*`: true, `name:john`: true, `name:*ohn`: false, `name:jo?n`: true, `name:/jo.*/`: false, `john`: true,
		`state:active`: true, `attributes.city.exact:x`: true, `NOT name:john`: false, `name:a AND count:1`: true,
		`tags:a OR name:b`: true, `tags:"a b"`: true, `name.exact:john`: true, `name.exact:jo*`: true, `name.exact:*n`: false,
		`name.exact:j*`: false, `name.exact:a OR count:1`: false, `name.exact:a AND count:1`: true,
		`NOT name.exact:a`: false, `* AND count:1`: false, `name:[a TO b]`: true, `nobody:x`: true,
	} {
		query, err := searchql.ParseQuery(text, schema(t), searchql.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if got := query.Served(); got != want {
			t.Errorf("%s is served: %v, want %v", text, got, want)
		}
	}
}

func TestParseDSLErrors(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                     "queryDsl: an object is expected",
		`{"a":1,"b":2}`:          "an object with one member is expected, this has 2",
		`{"fuzzy":{"name":"x"}}`: "queryDsl.fuzzy: there is no such query",
		`{"match":{"name":{"query":"x","fuzziness":1}}}`:      "queryDsl.match.name.fuzziness: there is no such member",
		`{"match":{"name":["x"]}}`:                            "queryDsl.match.name: a text or an object is expected",
		`{"terms":{"name":"x"}}`:                              "queryDsl.terms.name: a list is expected",
		`{"range":{"count":{"gt":1,"gte":2}}}`:                "one value is expected",
		`{"range":{"count":{"above":1}}}`:                     "queryDsl.range.count.above: there is no such member",
		`{"bool":{"must":[{"match_all":{}}],"least":1}}`:      "queryDsl.bool.least: there is no such member",
		`{"bool":{"should":[],"minimum_should_match":"75%"}}`: "0 or 1 is expected",
		`{"nested":{"path":"accounts"}}`:                      "path and query are expected",
		`{"exists":{}}`:                                       "an object with the member field is expected",
		strings.Repeat(`{"bool":{"must":`, 60) + `{"match_all":{}}` + strings.Repeat(`}}`, 60): "more than 50 levels",
	} {
		if _, err := searchql.ParseDSL([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}
