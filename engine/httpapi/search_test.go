package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// The search is under every version that publishes it, in the older spellings too.
func TestSearch(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := company(t)
	var found []map[string]any
	for _, prefix := range []string{"/v3/search", "/v2024/search", "/v2025/search", "/v2026/search", "/search/v1"} {
		r := s.post(prefix+"?limit=1&offset=1&count=true",
			`{"indices": ["identities"], "queryType": null, "query": {"query": "attributes.department:sales"}, "sort": ["-name"],
			  "queryResultFilter": {}, "searchAfter": [], "limit": 50}`).demand(http.StatusOK, &found)
		if len(found) != 1 || found[0]["name"] != "bob" || r.Header.Get("X-Total-Count") != "2" ||
			found[0]["_type"] != "identity" || r.Header.Get("X-Search-Scanned") != "" {
			t.Errorf("%s: %v, %v", prefix, found, r.Header)
		}
		s.post(prefix+"/identities", `{"query": {"query": "name:cy"}}`).demand(http.StatusOK, &found)
		if len(found) != 1 || found[0]["name"] != "cy" {
			t.Errorf("%s with the index in the path: %v", prefix, found)
		}
		s.get(prefix+"?query=name:cy&limit=2").demand(http.StatusOK, &found)
		if len(found) != 1 || found[0]["name"] != "cy" {
			t.Errorf("%s by GET: %v", prefix, found)
		}
		r = s.post(prefix+"/count", `{"indices": ["identities"], "query": {"query": "*"}}`).demand(http.StatusNoContent, nil)
		if r.Header.Get("X-Total-Count") != "4" {
			t.Errorf("%s: %v are counted", prefix, r.Header)
		}
		var one map[string]any
		s.get(prefix+"/identities/"+s.ID("dee")).demand(http.StatusOK, &one)
		if one["name"] != "dee" || one["accounts"] == nil {
			t.Errorf("%s: the document is %v", prefix, one)
		}
	}
	s.do(request{method: http.MethodPost, path: "/beta/search", body: `{"query": {"query": "*"}}`, faulty: true}).
		refuses(http.StatusNotFound, "404 Not found", "")
	s.get("/v3/search/roles/"+s.ID("dee")).refuses(http.StatusNotFound, "404 Not found", "")
	r := s.post("/v3/search", `{"indices": ["identities"], "query": {"query": "dept:sales OR department:*les"}}`).
		demand(http.StatusOK, &found)
	if notes := r.Header.Get("X-Search-Notes"); !strings.Contains(notes, "did you mean attributes.department?") {
		t.Errorf("the notes are %q", notes)
	}
	r = s.post("/v3/search", `{"indices": ["identities"], "query": {"query": "attributes.department:*les"}}`).
		demand(http.StatusOK, &found)
	if len(found) != 2 || r.Header.Get("X-Search-Scanned") != "true" {
		t.Errorf("%v are found: %v", found, r.Header)
	}
	var values []string
	none := s.post("/v2025/search", `{"indices": ["identities"], "queryType": "TYPEAHEAD",
		"typeAheadQuery": {"field": "name", "query": "nobody"}}`)
	if strings.TrimSpace(string(none.body)) != "[]" {
		t.Errorf("no value is %s, want []", none.body)
	}
	s.post("/v2025/search?count=true", `{"indices": ["identities"], "queryType": "TYPEAHEAD",
		"typeAheadQuery": {"field": "displayName", "query": "b", "sortByValue": true, "sort": "asc", "maxExpansions": 50}}`).
		demand(http.StatusOK, &values)
	if fmt.Sprint(values) != "[Ann Boss Bob Twain]" {
		t.Errorf("the values are %v", values)
	}
	s.post("/v2025/search", `{"indices": ["identities"], "query": {"query": "ann",
		"innerHit": {"type": "accounts", "query": "source.name:HR"}}, "queryVersion": "5.2"}`).demand(http.StatusOK, &found)
	if len(found) == 0 || found[0]["_type"] != "accounts" || found[0]["_originalType"] != "identity" {
		t.Errorf("the elements are %v", found)
	}
}

// A walk by searchAfter finds everybody once, page by page.
func TestSearchAfter(t *testing.T) {
	t.Parallel()
	s := company(t)
	after := ""
	var names []string
	for range 5 {
		var found []map[string]any
		s.post("/v3/search?limit=1", `{"indices": ["identities"], "query": {"query": "*"}, "sort": ["-displayName"],
			"includeNested": false, "queryResultFilter": {"includes": ["name"]}`+after+`}`).demand(http.StatusOK, &found)
		if len(found) == 0 {
			break
		}
		names = append(names, fmt.Sprint(found[0]["name"]))
		after = fmt.Sprintf(`, "searchAfter": [%q]`, found[0]["displayName"])
	}
	if fmt.Sprint(names) != "[dee cy bob ann]" {
		t.Errorf("the walk finds %v", names)
	}
}

func TestSearchAggregations(t *testing.T) {
	t.Parallel()
	s := company(t)
	const departments = `{"indices": ["identities"], "aggregationType": "SAILPOINT",
		"aggregations": {"bucket": {"name": "Departments", "type": "TERMS", "field": "attributes.department"}%s}}`
	aggregate := func(accept, body string) *response {
		return s.do(request{method: http.MethodPost, path: "/v2025/search/aggregate?limit=1", body: body,
			header: http.Header{"Accept": {accept}}})
	}
	var result struct {
		Aggregations map[string]struct{ Buckets []struct{ Key string } }
		Hits         []any
	}
	aggregate("application/json", fmt.Sprintf(departments, "")).demand(http.StatusOK, &result)
	if b := result.Aggregations["Departments"].Buckets; len(b) != 3 || b[0].Key != "Sales" || len(result.Hits) != 1 {
		t.Errorf("the result is %+v", result)
	}
	for body, want := range map[string]string{
		fmt.Sprintf(departments, ""): "Departments,Count\nSales,2\nBoard,1\nLegal,1\n",
		fmt.Sprintf(departments, `, "subAggregation": {"bucket": {"name": "Managers", "field": "manager.name"}}`): "Departments,Managers,Count\n" +
			"Sales,ann,1\nSales,bob,1\nBoard,,1\nLegal,ann,1\n",
		`{"indices": ["identities"], "aggregationType": "SAILPOINT", "aggregations": {"metric": {"name": "N", "field": "attributes.department"}}}`: "N\n3\n",
	} {
		r := aggregate("text/csv", body)
		if string(r.body) != want || r.Header.Get("Content-Type") != "text/csv" {
			t.Errorf("%s: %v %q, want %q", body, r.Header, r.body, want)
		}
	}
	aggregate("text/csv", `{"indices": ["identities"], "aggregationsDsl": {"D": {"terms": {"field": "attributes.department.exact"}}}}`).
		demand(http.StatusOK, &result)
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	s := company(t)
	for body, want := range map[string][2]string{
		`{"query": {"query": "name:\"ann"}}`: {"400.0 Bad request syntax", "no closing quote"},
		`{"query": {"query": ""}}`:           {"400.0 Bad request syntax", "the query is empty"},
		`{}`:                                 {"400.1.3 Illegal value", "query.query is missing"},
		`{"indices": ["accounts"], "query": {"query": "*"}}`:          {"400.1.3 Illegal value", `no index "accounts"`},
		`{"indices": "identities", "query": {"query": "*"}}`:          {"400.1.3 Illegal value", "indices: a list is expected"},
		`{"query": "name:ann"}`:                                       {"400.1.3 Illegal value", "query: an object is expected"},
		`{"query": {"query": 7}}`:                                     {"400.1.3 Illegal value", "query.query: a string is expected"},
		`{"query": {"query": "*"}, "sort": ["shoe"]}`:                 {"400.1.3 Illegal value", `no field "shoe"`},
		`{"query": {"query": "*"}, "searchAfter": ["x"]}`:             {"400.1.3 Illegal value", "it needs sort"},
		`{"query": {"query": "created:02/12/2024"}}`:                  {"400.1.3 Illegal value", "is no date"},
		`{"queryType": "DSL", "queryDsl": {"fuzzy": {"name": "x"}}}`:  {"400.1.3 Illegal value", "queryDsl.fuzzy"},
		`{"queryType": "GUESS", "query": {"query": "*"}}`:             {"400.1.3 Illegal value", `"GUESS" is unknown`},
		`{"query": {"query": "*"}, "filters": {"name": {"type": 1}}}`: {"400.1.3 Illegal value", "a string is expected"},
		`[]`:                         {"400.1.3 Illegal value", "a list"},
		`{"queryType": "TYPEAHEAD"}`: {"400.1.3 Illegal value", "typeAheadQuery: it is missing"},
	} {
		s.do(request{method: http.MethodPost, path: "/v2025/search", body: body, faulty: true}).
			refuses(http.StatusBadRequest, want[0], want[1])
	}
	f := s.do(request{method: http.MethodPost, path: "/v2025/search", body: `{"query": {"query": "a AND (b"}}`, faulty: true}).
		refuses(http.StatusBadRequest, "400.0 Bad request syntax", "the parenthesis is not closed")
	if !strings.Contains(f.Messages[0].Text, "position 7") {
		t.Errorf("the text has no place: %s", f.Messages[0].Text)
	}
	for _, query := range []string{"limit=10001", "limit=-1", "offset=10001", "offset=9999", "count=maybe", "Limit=1"} {
		s.do(request{method: http.MethodPost, path: "/v2025/search?" + query, body: `{"query": {"query": "*"}}`, faulty: true}).
			refuses(http.StatusBadRequest, "400.1.3 Illegal value", "")
	}
	s.do(request{method: http.MethodPost, path: "/v2025/search/aggregate?limit=251", body: `{}`, faulty: true}).
		refuses(http.StatusBadRequest, "400.1.3 Illegal value", "0 to 250")
	s.do(request{method: http.MethodGet, path: "/v2025/search/shoes/" + s.ID("ann"), faulty: true}).
		refuses(http.StatusBadRequest, "400.1.3 Illegal value", `no index "shoes"`)
	for level, may := range map[string]bool{"": false, "HELPDESK": false, "ORG_ADMIN": true, "REPORT_ADMIN": true, "API": true} {
		for scope, inScope := range map[string]bool{"sp:search:read": true, all: true, read: false} {
			want := http.StatusForbidden
			if may && inScope {
				want = http.StatusOK
			}
			got := s.do(request{method: http.MethodPost, path: "/v2025/search", body: `{"query": {"query": "*"}}`,
				token: s.token(level, scope)})
			if got.StatusCode != want {
				t.Errorf("%q with %s: %d, want %d", level, scope, got.StatusCode, want)
			}
		}
	}
}
