package configuration_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
)

func TestReadDocuments(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string // type, object and line of each
	}{
		{
			"lists under plurals",
			"sources:\n  - name: HR\n    connector: x\ntransforms:\n  - {name: Up, type: upper, attributes: null}\n",
			[]string{`SOURCE {"name":"HR","connector":"x"} 2`, `TRANSFORM {"name":"Up","type":"upper","attributes":null} 5`},
		},
		{
			"an envelope",
			`{"self": {"type": "SOURCE", "id": "1"}, "object": {"name": "HR"}}`,
			[]string{`SOURCE {"name":"HR"} 1`},
		},
		{
			"an export of envelopes",
			`{"version": 1, "objects": [{"self": {"type": "TRANSFORM"}, "object": {"name": "a"}}, {"self": {"type": "SOURCE"}, "object": {"name": "b"}}]}`,
			[]string{`TRANSFORM {"name":"a"} 1`, `SOURCE {"name":"b"} 1`},
		},
		{
			"an envelope within a list",
			"identityProfiles:\n- self: {type: IDENTITY_PROFILE}\n  object: {name: P}\n",
			[]string{`IDENTITY_PROFILE {"name":"P"} 2`},
		},
		{
			"objects alone, in several documents",
			"name: P\nauthoritativeSource: {name: HR}\n---\nname: S\nconnectorAttributes: {}\n---\n---\n- {name: T, type: lower, attributes: {}}\n",
			[]string{`IDENTITY_PROFILE {"name":"P","authoritativeSource":{"name":"HR"}} 1`, `SOURCE {"name":"S","connectorAttributes":{}} 4`, `TRANSFORM {"name":"T","type":"lower","attributes":{}} 8`},
		},
		{
			"what a text says is kept",
			"sources: [{name: 2020-01-02, description: \"0x10\", n: 0x10, big: 12345678901234567890, f: 1.50, yes: yes, t: true, none: ~, a: &x [1], b: *x}]\n",
			[]string{`SOURCE {"name":"2020-01-02","description":"0x10","n":16,"big":12345678901234567890,"f":1.50,"yes":"yes","t":true,"none":null,"a":[1],"b":[1]} 1`},
		},
		{
			"JSON indented by tabs, behind a byte order mark",
			"\uFEFF{\n\t\"sources\": [\n\t\t{\"name\": \"HR\"}\n\t]\n}\n",
			[]string{`SOURCE {"name":"HR"} 3`},
		},
		{"an empty list beside a full one", "sources:\ntransforms: [{name: x}]\n", []string{`TRANSFORM {"name":"x"} 2`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			documents, err := configuration.ReadDocuments("c.yaml", strings.NewReader(test.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range documents {
				line := strings.SplitN(d.Place, ":", 3)[1]
				got = append(got, string(d.Type)+" "+string(d.Object)+" "+line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadDocumentsFault(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "there is no object in it",
		"sources: [":          "c.yaml: line",
		"sauces: []":          `c.yaml:1: unknown member "sauces": lists of objects are expected under identityAttributes, transforms, sources`,
		"sources:\n  name: x": "c.yaml:2: sources: a list of objects is expected",
		"sources: [1]":        "c.yaml:1: sources[0]: an object is expected",
		"- {name: x}":         "c.yaml:1: [0]: the object's type cannot be told",
		"- {self: {type: SORCE}, object: {name: x}}": `c.yaml:1: [0]: objects of type "SORCE" cannot be applied: did you mean "SOURCE"?`,
		"- {self: {}, object: {name: x}}":            "self.type is missing",
		"sources: [{name: a, name: b}]":              `the member "name" is given twice`,
		"hello":                                      "a mapping or a list of objects is expected",
		"sources: [{name: \"a\\0b\"}]":               "NUL character",
		"a: &a [*a]\nsources: [*a]":                  "",
		"sources: [{x: &x [*x]}]":                    "",
	} {
		_, err := configuration.ReadDocuments("c.yaml", strings.NewReader(text))
		var refused *fault.Error
		if !errors.As(err, &refused) || refused.Kind != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
