package configuration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
)

func read(t *testing.T, text string) []configuration.Document {
	t.Helper()
	documents, err := configuration.ReadDocuments("c.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

// A member that no published shape has is a fault at any depth, with its place and what may be meant; all are listed.
func TestPrepareUnknown(t *testing.T) {
	documents := read(t, `
sources:
- {name: HR, deleteTreshold: 5, connectorAttributes: {delimeter: ";"}, schemas: [{name: account, attributex: []}]}
identityProfiles:
- name: P
  authoritativeSource: {name: HR}
  identityAttributeConfig:
    attributeTransforms:
    - identityAttributeName: uid
      transformDefinition: {type: lower, attributes: {inptu: {type: static, attributes: {value: x}}}}
  lifecycleStates: [{name: L, technicalName: l, enbled: false, accountActions: [{acton: DISABLE}]}]
roles:
- {name: R, membershp: {type: STANDARD}, owner: {nme: x}}
- {name: S, membership: {type: STANDARD, criteria: {operation: OR, children: [{operation: EQUALS, key: {typ: IDENTITY}}]}}, zebra: 1}
transforms: [{name: T, type: upper, attributex: {}}]
`)
	_, err := configuration.Prepare(documents, true)
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		`11 members are in no published shape`,
		`c.yaml:3: sources[0]: source "HR": deleteTreshold: did you mean "deleteThreshold"?`,
		`source "HR": connectorAttributes.delimeter: did you mean "delimiter"?`,
		`source "HR": schemas[0].attributex: did you mean "attributes"?`,
		`identity profile "P": identityAttributeConfig.attributeTransforms[0].transformDefinition.attributes.inptu: did you mean "input"?`,
		`identity profile "P": lifecycleStates[0].enbled: did you mean "enabled"?`,
		`identity profile "P": lifecycleStates[0].accountActions[0].acton: did you mean "action"?`,
		`role "R": membershp: did you mean "membership"?`, `role "R": owner.nme: did you mean "name"?`,
		`role "S": membership.criteria.children[0].key.typ: did you mean "type"?`,
		`role "S": zebra: Role has only accessModelMetadata, accessProfiles, `,
		`transform "T": attributex: did you mean "attributes"?`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "value") {
		t.Errorf("%v", err)
	}
}

// What the engine does not do is refused, all of it at once, or left out and told where the losses are accepted.
func TestPrepareRefused(t *testing.T) {
	text := `
roles: [{name: R, dimensional: true, dimensionRefs: [{id: x}], requestable: true, segments: [a], description: d}]
sources:
- {name: S, beforeProvisioningRule: {type: RULE, name: Move}, accountCorrelationRule: null,
   accountCorrelationConfig: {attributeAssignments: [{property: email, value: mail, complex: false, matchMode: START}]}}
`
	_, err := configuration.Prepare(read(t, text), false)
	for _, want := range []string{"4 members ask for what the engine does not do", "--accept-losses",
		`role "R": dimensional: roles have no dimensions`, `role "R": dimensionRefs`,
		`source "S": beforeProvisioningRule: "Move": rules in Java`, "attributeAssignments[0].matchMode"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	documents := read(t, text)
	prepared, err := configuration.Prepare(documents, true)
	if err != nil || len(prepared.Losses) != 4 {
		t.Fatalf("got %+v, %v", prepared, err)
	}
	for i, gone := range map[int]string{0: "dimension", 1: "beforeProvisioningRule"} {
		if strings.Contains(string(prepared.Documents[i].Object), gone) || !strings.Contains(string(documents[i].Object), gone) {
			t.Errorf("%s: %s", gone, prepared.Documents[i].Object)
		}
	}
	if want := []string{`role "R": requestable has no effect`, `role "R": segments has no effect`}; !slices.EqualFunc(
		prepared.Notes, want, strings.HasPrefix) {
		t.Errorf("notes %q, want %q", prepared.Notes, want)
	}
}

// Exports spell some members otherwise, and hold objects of other types.
func TestPrepareExport(t *testing.T) {
	documents := read(t, `{"objects": [
		{"self": {"type": "RULE", "name": "Finder"}, "object": {"name": "Finder", "type": "Correlation", "sourceCode": {"script": "return 1;"}}},
		{"self": {"type": "WORKFLOW", "name": "A"}, "object": {"name": "A"}}, {"self": {"type": "WORKFLOW", "name": "B"}, "object": {"name": "B"}},
		{"self": {"type": "LIFECYCLE_STATE", "name": "L"}, "object": {"name": "L", "technicalName": "l", "identityProfile": {"name": "P"}}},
		{"self": {"type": "SOURCE", "name": "S"}, "object": {"name": "S", "connectorScriptName": "delimited-file", "deleteThreshold": 10.00,
			"accountCorrelationConfig": {"type": "ACCOUNT_CORRELATION_CONFIG", "id": "1"},
			"correlationConfigDetails": {"attributeAssignments": [{"property": "name", "value": "id"}]}}}]}`)
	prepared, err := configuration.Prepare(documents, false)
	if err != nil || len(prepared.Documents) != 2 {
		t.Fatalf("got %+v, %v", prepared, err)
	}
	var source, state map[string]any
	if err := errors.Join(json.Unmarshal(prepared.Documents[1].Object, &source), json.Unmarshal(prepared.Documents[0].Object, &state)); err != nil {
		t.Fatal(err)
	}
	if source["connector"] != "delimited-file" || source["connectorScriptName"] != nil || fmt.Sprint(source["deleteThreshold"]) != "10" ||
		!strings.Contains(string(prepared.Documents[1].Object), `"accountCorrelationConfig":{"attributeAssignments"`) || state["enabled"] != false {
		t.Errorf("got %s, %s", prepared.Documents[1].Object, prepared.Documents[0].Object)
	}
	notes := strings.Join(prepared.Notes, "\n")
	for _, want := range []string{
		`1 RULE is skipped: "Finder" (Correlation): rules in Java are not run: accountCorrelationConfig`, `2 WORKFLOWs are skipped: "A", "B"`,
		`lifecycle state "L": the export does not say enabled, which means false`,
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("got %s, want %s", notes, want)
		}
	}
	if strings.Contains(notes, "return 1") {
		t.Error(notes)
	}
	for _, text := range []string{
		`{"sources": [{"name": "S", "connector": "a", "connectorScriptName": "b"}]}`,
		`{"sources": [{"name": "S", "accountCorrelationConfig": {"attributeAssignments": [{"property": "uid", "value": "a"}]},
			"correlationConfigDetails": {"attributeAssignments": [{"property": "uid", "value": "b"}]}}]}`,
	} {
		if _, err := configuration.Prepare(read(t, text), false); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Several JSON values one after another are several objects, each on its line.
func TestReadLines(t *testing.T) {
	documents := read(t, "{\"name\":\"A\",\"type\":\"upper\"}\n\n{\"name\":\"B\",\"type\":\"lower\",\"attributes\":null}\n{\"name\":\"R\",\"accessProfiles\":[]}\n")
	var got []string
	for _, d := range documents {
		got = append(got, string(d.Type)+" "+d.Place)
	}
	if want := []string{"TRANSFORM c.yaml:1", "TRANSFORM c.yaml:3", "ROLE c.yaml:4"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A secret is found at any depth, by the table of its connector, and else by its name.
func TestSecrets(t *testing.T) {
	for attributes, secret := range map[string]string{
		`{"domainSettings": [{"user": "x", "password": "hush"}]}`:                "domainSettings[0].password",
		`{"a": {"b": {"client_secret": "hush"}}}`:                                "a.b.client_secret",
		`{"PFXPassword2": "hush"}`:                                               "PFXPassword2",
		`{"apiKey": ["hush"]}`:                                                   "apiKey[0]",
		`{"pin": 1234}`:                                                          "pin",
		`{"proxy": "http://me:hush@example.com"}`:                                "proxy",
		`{"tokenUrl": "x", "passwordAttribute": "y", "enablePasswordSync": "z"}`: "",
		`{"encrypted": "password", "token": "env:T", "secretCount": 3, "keyFile": "x", "monkey": "x"}`: "",
		`{"password": false, "credentials": null}`:                                                     "",
		`{"passwords": ["hush"]}`:                                         "passwords[0]",
		`{"token": {"type": "bearer", "value": "hush"}}`:                  "token.value",
		`{"credentials": [{"user": "x", "secret": "hush"}]}`:              "credentials[0].secret",
		`{"credentials": {"user": "x", "password": "env:P"}}`:             "",
		`{"connectionString": "Server=db;User=me;Password=hush"}`:         "connectionString",
		`{"dsn": "host=db password=hush"}`:                                "dsn",
		`{"key": "-----BEGIN RSA PRIVATE KEY-----\nhush"}`:                "key",
		`{"filter": "(password=*)", "note": "the password is elsewhere"}`: "",
	} {
		source := configuration.Source{Name: "S", Connector: "web-services", ConnectorAttributes: json.RawMessage(attributes)}
		err := configuration.ValidateSource(&source)
		if secret == "" && err != nil || secret != "" && (err == nil || !strings.Contains(err.Error(), "connectorAttributes."+secret+":") ||
			strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "1234")) {
			t.Errorf("%s: got %v, want %q", attributes, err, secret)
		}
	}
}

// FuzzPrepare deletes members, misspells them and gives them other types: nothing is silent, and nothing panics.
func FuzzPrepare(f *testing.F) {
	for _, text := range configurations {
		f.Add(text, uint16(0), uint8(0))
	}
	f.Add(configurations[9], uint16(7), uint8(1))
	f.Add(configurations[9], uint16(12), uint8(2))
	f.Fuzz(func(t *testing.T, text string, at uint16, how uint8) {
		documents, err := configuration.ReadDocuments("c.yaml", strings.NewReader(text))
		if err != nil {
			return
		}
		known := map[string]bool{}
		prepared, err := configuration.Prepare(documents, true)
		if err != nil {
			return
		}
		again, err := configuration.Prepare(prepared.Documents, false)
		if err != nil || len(again.Losses) > 0 {
			t.Fatalf("%q: what was prepared is not right: %v, %q", text, err, again.Losses)
		}
		for i, d := range prepared.Documents {
			if !sameDigits(d.Object, again.Documents[i].Object) {
				t.Fatalf("%s is prepared again as %s", d.Object, again.Documents[i].Object)
			}
		}
		if len(documents) == 0 || how%3 != 1 {
			return
		}
		d := documents[int(at)%len(documents)]
		var object map[string]json.RawMessage
		if json.Unmarshal(d.Object, &object) != nil || object == nil || slices.Contains([]configuration.ObjectType{configuration.TypeSettings}, d.Type) {
			return
		}
		for _, s := range configuration.Shapes() {
			if s.Type == d.Type {
				for _, m := range s.Shape.Members {
					known[m.Name] = true
				}
			}
		}
		if len(known) == 0 {
			return
		}
		if len(object) == 0 {
			return
		}
		name := slices.Min(slices.Collect(maps.Keys(object)))
		object[name+"x"] = object[name]
		delete(object, name)
		if known[name+"x"] {
			return
		}
		if d.Object, err = json.Marshal(object); err != nil {
			t.Fatal(err)
		}
		if _, err := configuration.Prepare([]configuration.Document{d}, true); err == nil {
			t.Fatalf("%s passes", d.Object)
		}
	})
}

// The tables list every member that the published API has.
func TestMembersPublished(t *testing.T) {
	folder := os.Getenv("MUSTER_CONTRACT_DIR")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "contract")
	}
	text, err := os.ReadFile(filepath.Join(folder, "neighbours-openapi.yaml"))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("MUSTER_CONTRACT_DIR") == "" {
		t.Skip("there is no contract: set MUSTER_CONTRACT_DIR to the folder that has it")
	}
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		Components struct {
			Schemas map[string]any `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(text, &page); err != nil {
		t.Fatal(err)
	}
	p := published{t, page.Components.Schemas}
	names := map[configuration.ObjectType]string{
		configuration.TypeSource: "Source", configuration.TypeIdentityProfile: "IdentityProfile", configuration.TypeLifecycleState: "LifecycleState",
		configuration.TypeIdentityAttribute: "IdentityAttribute", configuration.TypeTransform: "TransformRead",
		configuration.TypeAccessProfile: "AccessProfile", configuration.TypeRole: "Role",
	}
	checked := 0
	for _, s := range configuration.Shapes() {
		checked += p.check(names[s.Type], s.Shape, map[string]any{"$ref": "#/" + names[s.Type]}, 0)
		if s.Type == configuration.TypeSource {
			checked += p.check("Schema", inner(s.Shape, "schemas"), map[string]any{"$ref": "#/Schema"}, 0)
			checked += p.check("ProvisioningPolicyDto", inner(s.Shape, "provisioningPolicies"), map[string]any{"$ref": "#/ProvisioningPolicyDto"}, 0)
			checked += p.check("CorrelationConfig", inner(s.Shape, "accountCorrelationConfig"), map[string]any{"$ref": "#/CorrelationConfig"}, 0)
			checked += p.check("AttrSyncSourceConfig", inner(s.Shape, "attributeSyncConfig"), map[string]any{"$ref": "#/AttrSyncSourceConfig"}, 0)
		}
	}
	if checked < 250 {
		t.Errorf("only %d published members were compared", checked)
	}
}

// published is the schemas of the published API.
type published struct {
	t       *testing.T
	schemas map[string]any
}

// properties returns the properties of a schema and its parts.
func (p *published) properties(schema map[string]any) map[string]any {
	all := map[string]any{}
	if ref, isRef := schema["$ref"].(string); isRef {
		named, _ := p.schemas[ref[strings.LastIndex(ref, "/")+1:]].(map[string]any)
		maps.Copy(all, p.properties(named))
	}
	for _, key := range []string{"allOf", "oneOf", "anyOf"} {
		list, _ := schema[key].([]any)
		for _, part := range list {
			if inner, isSchema := part.(map[string]any); isSchema {
				maps.Copy(all, p.properties(inner))
			}
		}
	}
	if items, isList := schema["items"].(map[string]any); isList {
		maps.Copy(all, p.properties(items))
	}
	properties, _ := schema["properties"].(map[string]any)
	maps.Copy(all, properties)
	return all
}

// check compares the properties of a schema with a table, and returns how many there are.
func (p *published) check(place string, s *configuration.Shape, schema map[string]any, depth int) int {
	count := 0
	for name, property := range p.properties(schema) {
		count++
		at := slices.IndexFunc(s.Members, func(m configuration.Member) bool { return m.Name == name })
		if at < 0 {
			p.t.Errorf("%s.%s is published, and in no table", place, name)
			continue
		}
		inner, isSchema := property.(map[string]any)
		if m := &s.Members[at]; isSchema && m.Shape != nil && depth < 5 {
			count += p.check(place+"."+name, m.Shape, inner, depth+1)
		}
	}
	return count
}
