package configuration_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
)

// values are of every type that JSON has.
var values = map[string]any{"a text": "word", "a number": 5, "a number with a fraction": 1.5, "true": true,
	"a list": []any{5}, "an object": map[string]any{}}

// fitting are the values that members of a kind may have, beside null.
var fitting = map[configuration.Kind][]string{
	configuration.KindText: {"a text"}, configuration.KindTime: {"a text"}, configuration.KindFlag: {"true"},
	configuration.KindWhole: {"a number"}, configuration.KindTexts: {"a text"}, configuration.KindObjects: {},
	configuration.KindReferences: {}, configuration.KindObject: {"an object"}, configuration.KindReference: {"an object"},
	configuration.KindMap: {"an object"},
}

// A value of another type than its member's is a fault of every member that is read or kept, of every type of objects:
// where it is, what is given, and what would be right. The type counts also where the value says nothing.
func TestWrongTypesAreFaults(t *testing.T) {
	checked := 0
	for _, s := range configuration.Shapes() {
		for i := range s.Shape.Members {
			m := &s.Shape.Members[i]
			right, known := fitting[m.Kind]
			if !known || m.Use == configuration.Refused || m.Name == "connectorScriptName" || m.Name == "correlationConfigDetails" {
				continue
			}
			for word, value := range values {
				object, err := json.Marshal(map[string]any{"name": "N", m.Name: value})
				if err != nil {
					t.Fatal(err)
				}
				_, err = configuration.Prepare([]configuration.Document{{Type: s.Type, Object: object, Place: "here"}}, true)
				fits := false
				for _, r := range right {
					fits = fits || r == word
				}
				checked++
				switch {
				case fits && err != nil:
					t.Errorf("%s.%s: %s: %v", s.Type, m.Name, word, err)
				case !fits && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), m.Name) ||
					!strings.Contains(err.Error(), "is expected")):
					t.Errorf("%s.%s: %s: %v", s.Type, m.Name, word, err)
				}
			}
		}
	}
	if checked < 500 {
		t.Errorf("only %d values were tried", checked)
	}
}

// Kept members have a type at any depth, and exports may write flags and whole numbers as texts.
func TestWrongTypesOfKeptMembers(t *testing.T) {
	for text, want := range map[string]string{
		`roles: [{name: R, requestable: [true]}]`:                                   `c.yaml:1: roles[0]: role "R": requestable: a list is given where true or false is expected`,
		`roles: [{name: R, accessRequestConfig: {approvalSchemes: {}}}]`:            `accessRequestConfig.approvalSchemes: an object is given where a list of objects is expected`,
		`roles: [{name: R, accessRequestConfig: {approvalSchemes: [5]}}]`:           `accessRequestConfig.approvalSchemes[0]: a number is given where an object is expected`,
		`roles: [{name: R, accessRequestConfig: {commentsRequired: maybe}}]`:        `accessRequestConfig.commentsRequired: a text is given where true or false is expected`,
		`roles: [{name: R, segments: [a, {}]}]`:                                     `segments[1]: an object is given where a text is expected`,
		`roles: [{name: R, additionalOwners: [x]}]`:                                 `additionalOwners[0]: a text is given where a reference, an object with the id or the name, is expected`,
		`roles: [{name: R, additionalOwners: [{id: 5}]}]`:                           `additionalOwners[0].id: a number is given where a text is expected`,
		`sources: [{name: S, cluster: {nme: x}}]`:                                   `cluster.nme: did you mean "name"?`,
		`sources: [{name: S, connectorAttributes: {status: [x]}}]`:                  `connectorAttributes.status: a list is given where a text is expected`,
		`sources: [{name: S, schemas: [{name: account, includePermissions: no}]}]`:  `schemas[0].includePermissions: a text is given where true or false is expected`,
		`identityProfiles: [{name: P, identityCount: 1.5}]`:                         `identityCount: a number with a fraction is given where a whole number is expected`,
		`identityProfiles: [{name: P, identityCount: "8", hasTimeBasedAttr: "No"}]`: `hasTimeBasedAttr: a text is given`,
		`roles: [{name: R, requestable: "True", created: null}]`:                    "",
		`identityProfiles: [{name: P, identityCount: "8"}]`:                         "",
		`identityProfiles: [{name: P, identityCount: 8.0}]`:                         "",
		`sources: [{name: S, connectorAttributes: {cloudExternalId: 23012}}]`:       "",
	} {
		_, err := configuration.Prepare(read(t, text), false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
