package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// What is read from a body is what it says; all else is refused with a documented status.
func FuzzBody(f *testing.F) {
	for _, text := range []string{
		`{"ids": ["a", "b"], "uninvited": true, "via": "LINK_WORK"}`, `{"ids": ["\ud83d\ude00"]}`, `{"ids": ["\ud83d"]}`, "{\"via\": \"\xff\"}",
		`{"via": null, "ids": null, "uninvited": null}`, `{"via": "\u0000"}`, ` [1] `, `{"ids": [[]]}`, `{"ids": 1e999}`, `{"via": "a", "via": "b"}`,
		strings.Repeat(`{"ids":[`, 5000), "", "\ufeff{}", `{"VIA": "a"}`, `{"uninvited": "true"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &call{w: &answer{ResponseWriter: httptest.NewRecorder()}, operation: &operations[0],
			Request: httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(text))}
		members, err := c.body()
		var refused *failure
		demand := func(err error) bool {
			if err != nil && (!errors.As(err, &refused) || refused.status != 400 && refused.status != 413 || refused.code == "" || !utf8.ValidString(refused.text)) {
				t.Fatalf("got %q: %v, want err == nil || errors.As(err, &refused) && (refused.status == 400 || refused.status == 413) && refused.code != \"\" && utf8.ValidString(refused.text)", text, err)
			}
			return err == nil
		}
		if !demand(err) {
			return
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			if strings.Contains(err.Error(), "cannot unmarshal number") {
				return // a number that no float holds, in a member that nobody reads
			}
			t.Fatalf("%q is read: %v", text, err)
		}
		if got, err := members.text("via"); demand(err) && got != "" && got != want["via"] {
			t.Fatalf("%q: via is %q", text, got)
		}
		if got, err := members.truth("uninvited"); demand(err) && got && want["uninvited"] != true {
			t.Fatalf("%q: uninvited is %v", text, got)
		}
		if got, err := members.texts("ids"); demand(err) && got != nil {
			items, _ := want["ids"].([]any)
			if !slices.EqualFunc(got, items, func(s string, item any) bool { return s == item }) {
				t.Fatalf("%q: ids is %q", text, got)
			}
		}
	})
}

// What is read from a query was given once, and is text.
func FuzzQuery(f *testing.F) {
	for _, text := range []string{"limit=1&offset=2&count=true", "limit=1&limit=2", "filters=%00", "a=%ff", "%", "a;b", "limit=+1", "limit=١", "count=TRUE", "%ff=%ff", "filter=x", "Filters[]=%ff", "LIMITS=\u212a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &call{Request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil),
			operation: &operations[0]}
		c.URL.RawQuery = text
		var refused *failure
		q, err := c.query()
		if err == nil {
			for name, values := range q.values {
				if len(values) != 1 || !utf8.ValidString(values[0]) || strings.Contains(values[0], "\x00") {
					t.Fatalf("%q: %q is %q", text, name, values)
				}
			}
			_, err = q.page()
		}
		if err != nil && (!errors.As(err, &refused) || refused.status != http.StatusBadRequest || refused.text == "") {
			t.Fatalf("got %q: %v, want err == nil || errors.As(err, &refused) && refused.status == http.StatusBadRequest && refused.text != \"\"", text, err)
		}
	})
}

// Whatever language is asked for, the answer is in one that there is.
func FuzzAcceptLanguage(f *testing.F) {
	for _, text := range []string{"", "en", "de-DE, en;q=0.5", "*", "en;q=2", "und", "x-y-z", strings.Repeat("a-", 1000), strings.Repeat("en,", 5000), "\xff\x00",
		"en-u-co-phonebk-t-de-x-a", "i-klingon", "zh_Hant"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", text)
		if got := requestLocale(r); got != "en-US" && got != "und" {
			t.Fatalf("%q asks for %q", text, got)
		}
	})
}
