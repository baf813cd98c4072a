package attribute

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSetDecode(t *testing.T) {
	for _, test := range []struct{ name, document, want string }{
		{"empty", `{}`, `{}`},
		{"jsonb order", `{"id": "1", "uid": "x", "mail": null}`, `{"id":"1","uid":"x","mail":null}`},
		{"any order", `{"mail":"m","id":7.50}`, `{"id":7.50,"mail":"m"}`},
		{"last of a name counts", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{"lists", `{"g":["a", "b\"c", null, 1, true]}`, `{"g":["a","b\"c","1","true"]}`},
		{"escapes", `{"n":"Zo\u00eb \ud83d\ude00 \\ \/ \n"}`, `{"n":"Zoë 😀 \\ / \n"}`},
		{"scripts", `{"имя":"Ωμέγα"}`, `{"имя":"Ωμέγα"}`},
		{"white space", " {\n\"a\" :\ttrue , \"b\" : [ ] } ", `{"a":true,"b":[]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var set Set
			if err := set.Decode([]byte(test.document)); err != nil {
				t.Fatal(err)
			}
			if got := string(set.AppendJSON(nil)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestSetDecodeFault(t *testing.T) {
	for document, want := range map[string]string{
		``:                 "unexpected end",
		`[]`:               "want an object",
		`{"secret":{}}`:    "not an object",
		`{"a":[["x"]]}`:    "not a list within a list",
		`{"a":"b"} x`:      "the end of the document",
		`{"a":01}`:         "want a value",
		`{"a" "b"}`:        "a colon",
		`{"a":"b" "c":1}`:  "a comma",
		`{"a":"b`:          "a closing quote",
		`{"a":"b\q"}`:      "proper escapes",
		"{\"a\":\"b\nc\"}": "no control character",
		`{a:1}`:            "want a text",
		"{\"a\":\"\xff\"}": "not UTF-8",
	} {
		var set Set
		err := set.Decode([]byte(document))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", document, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the document: %v", document, err)
		}
	}
}

func TestSetChange(t *testing.T) {
	var set Set
	set.Put("uid", String("x"))
	set.Put("id", Int(1))
	set.Put("mail", List([]string{"a"}))
	set.Put("id", Bool(true))
	set.Delete("uid")
	set.Delete("none")
	if got, want := string(set.AppendJSON(nil)), `{"id":true,"mail":["a"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if set.Has("uid") || !set.Get("uid").IsNull() || set.Len() != 2 {
		t.Error("uid is still there")
	}
	if other := SetOf(map[string]Value{"mail": List([]string{"a"}), "id": Bool(true)}); !set.Equal(&other) {
		t.Error("sets with the same content differ")
	}
}

// What the set writes, encoding/json reads as the same content, and the set reads back as itself.
func TestSetRoundTrip(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) Value {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return Null
		case 1:
			return Bool(rapid.Bool().Draw(t, "bool"))
		case 2:
			return Int(rapid.Int64().Draw(t, "int"))
		case 3:
			return List(rapid.SliceOf(rapid.String()).Draw(t, "list"))
		default:
			return String(rapid.String().Draw(t, "text"))
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		set := SetOf(rapid.MapOf(rapid.String(), value).Draw(t, "set"))
		document := set.AppendJSON(nil)
		var again Set
		if err := again.Decode(document); err != nil {
			t.Fatal(err)
		}
		if !set.Equal(&again) {
			t.Fatalf("%s became %s", document, again.AppendJSON(nil))
		}
		reader := json.NewDecoder(strings.NewReader(string(document)))
		reader.UseNumber()
		var foreign map[string]any
		if err := reader.Decode(&foreign); err != nil {
			t.Fatal(err)
		}
		for name, value := range set.All() {
			got := foreign[name]
			if list, isList := got.([]any); isList {
				texts := make([]string, 0, len(list))
				for _, element := range list {
					texts = append(texts, element.(string))
				}
				got = texts
			}
			if !reflect.DeepEqual(got, value.Any()) {
				t.Fatalf("%q: encoding/json reads %#v, the set holds %#v", name, got, value.Any())
			}
		}
	})
}

func TestValue(t *testing.T) {
	number, err := Number("1470348809380")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Number("1,5"); err == nil {
		t.Error("1,5 was taken for a number")
	}
	for _, test := range []struct {
		value Value
		text  string
		list  []string
	}{
		{Null, "", nil},
		{String(""), "", []string{""}},
		{Bool(false), "false", []string{"false"}},
		{number, "1470348809380", []string{"1470348809380"}},
		{List(nil), "", []string{}},
		{List([]string{"a", "b"}), "a,b", []string{"a", "b"}},
	} {
		if got := test.value.Text(); got != test.text {
			t.Errorf("%v: text %q, want %q", test.value.Kind(), got, test.text)
		}
		if got := test.value.Strings(); !slices.Equal(got, test.list) || len(got) != test.value.Len() {
			t.Errorf("%v: strings %q, want %q", test.value.Kind(), got, test.list)
		}
	}
	if Null.Equal(String("")) || String("1").Equal(Int(1)) || !List(nil).Equal(List([]string{})) {
		t.Error("Equal confuses kinds")
	}
}

func FuzzSetDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,"b\u0000",null],"bb":-1.5e+3}`, `{"a":"\ud800"}`, `{"a":1,"a":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var set Set
		if set.Decode(document) != nil {
			return
		}
		if !json.Valid(document) {
			t.Fatalf("%q is no JSON, but was read", document)
		}
		written := set.AppendJSON(nil)
		var again Set
		if err := again.Decode(written); err != nil {
			t.Fatalf("%q became %q: %v", document, written, err)
		}
		if string(again.AppendJSON(nil)) != string(written) {
			t.Fatalf("%q is not stable: %q", document, written)
		}
	})
}

func BenchmarkSetDecode(b *testing.B) {
	document := []byte(`{"uid": "walter.white", "email": "walter.white@example.com", "phone": "+15125550100", "title": "Teacher", "lastname": "White", "firstname": "Walter", "department": "Chemistry", "displayName": "Walter White", "identificationNumber": "86754"}`)
	b.Run("set", func(b *testing.B) {
		var set Set
		b.ReportAllocs()
		for b.Loop() {
			if err := set.Decode(document); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json map", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m map[string]any
			if err := json.Unmarshal(document, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
