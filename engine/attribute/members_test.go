package attribute_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/attribute"
)

// standardMembers decodes an object by encoding/json, as Members says that it does.
func standardMembers(document []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var members map[string]any
	if err := decoder.Decode(&members); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return members, nil
}

var memberDocuments = []string{
	`{}`, ` { } `, `{"a": "b", "c": null, "d": [true, false, 1.50, "x", null, [], {"e": []}], "f": {"g": {"h": -0}}}`,
	`{"é\n\u00e9\"": "\\ \ud83d\ude00"}`, `{"a": 123456789012345678901234567890, "b": 1e400}`, `{"a": 1, "a": 2}`,
	`[]`, `"a"`, `null`, `{"a"}`, `{"a":}`, `{"a": 1,}`, `{"a": [1,]}`, `{"a": tru}`, `{"a": 01}`, `{"a": 1} x`, `{`, `{"a": [`,
	`{"a": "b`, `{a: 1}`, `{"a": "` + "\x01" + `"}`, "{\"a\": \"\xff\"}", `{"a": nan}`, `{"a" 1}`, `{"a": "\x"}`,
	strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat(`}`, 20_000),
}

func TestMembersAsEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, document := range memberDocuments {
		compareMembers(t, []byte(document))
	}
	if members, err := attribute.Members(nil); err != nil || len(members) != 0 || members == nil {
		t.Errorf("no document has %v: %v", members, err)
	}
}

func compareMembers(t *testing.T, document []byte) {
	t.Helper()
	want, wrong := standardMembers(document)
	if wrong == nil && want == nil { // null
		return
	}
	got, err := attribute.Members(document)
	// encoding/json puts another character in place of bytes that are no text; these are an error.
	if !bytes.Equal(document, bytes.ToValidUTF8(document, nil)) {
		if err == nil {
			t.Errorf("%.80q: bytes that are no text are accepted", document)
		}
		return
	}
	if (err != nil) != (wrong != nil) {
		t.Errorf("%.80q: %v, want %v", document, err, wrong)
		return
	}
	if diff := cmp.Diff(want, got); wrong == nil && diff != "" {
		t.Errorf("%.80q: -encoding/json +Members\n%s", document, diff)
	}
}

func FuzzMembers(f *testing.F) {
	for _, document := range memberDocuments {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		if len(document) > 0 {
			compareMembers(t, document)
		}
	})
}

func BenchmarkMembers(b *testing.B) {
	document := []byte(`{"uid": "12345", "firstname": "First", "lastname": "Last", "email": "p@example.com", "title": "title 7",
		"company": "company 3", "street": "street 12", "building": "building 5", "telephone": "telephone 9", "state": null}`)
	b.Run("Members", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := attribute.Members(document); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := standardMembers(document); err != nil {
				b.Fatal(err)
			}
		}
	})
}
