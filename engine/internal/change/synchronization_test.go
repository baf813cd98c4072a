package change

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

const directory = `
{"objects": [
 {"version": 1, "self": {"type": "SOURCE", "id": "0b8ed25c749c458f840a5c1102af2cee", "name": "Directory [source]"}, "object": {
   "id": "0b8ed25c749c458f840a5c1102af2cee", "name": "Directory", "connector": "workday",
   "provisioningPolicies": [{"usageType": "CREATE", "fields": [
     {"name": "mail", "transform": {"type": "identityAttribute", "attributes": {"name": "email"}}}]}]}},
 SYNC
 {"self": {"type": "RULE", "name": "R"}, "object": {"type": "X", "sourceCode": {}}}
]}`

const synchronized = `{"self": {"type": "ATTR_SYNC_SOURCE_CONFIG", "name": "Directory [source]"}, "object": {SOURCE
   "attributes": [{"name": "email", "displayName": "Email", "target": "mail", "enabled": true},
     {"name": "phone", "displayName": "Phone", "target": "telephone", "enabled": false}]}}`

// syncOf returns what the source Directory of a proposal synchronizes, as "email to mail", and the notes.
func syncOf(t *testing.T, p *Proposal) string {
	t.Helper()
	c, err := configuration.Compile(p.Rows, nil, func(string) bool { return false })
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := c.SourceByName("Directory").SyncAttributes()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, a := range attributes {
		if a.Enabled {
			list = append(list, a.Name+" to "+a.Target)
		}
	}
	return strings.Join(append(append(list, p.Notes...), c.Notes()...), "\n")
}

// The synchronization that an export has as an object of its own becomes that of its source, which the export or the
// tenant has.
func TestExportedSynchronization(t *testing.T) {
	for name, source := range map[string]string{
		"by the name of the envelope": "", "by name": `"source": {"type": "SOURCE", "name": "directory"},`,
		"by ID": `"source": {"id": "0b8ed25c749c458f840a5c1102af2cee", "name": "Renamed"},`,
	} {
		t.Run(name, func(t *testing.T) {
			object := strings.Replace(synchronized, "SOURCE\n", source+"\n", 1)
			whole, err := propose(t, store.Configuration{}, strings.Replace(directory, "SYNC", object+",", 1))
			if err != nil {
				t.Fatal(err)
			}
			got := syncOf(t, whole)
			if !strings.HasPrefix(got, "email to mail\n") || !strings.Contains(got, "1 RULE is skipped") ||
				!strings.Contains(got, `phone to "telephone" is not enabled, and cannot be`) {
				t.Errorf("got %s", got)
			}
			before, err := propose(t, store.Configuration{}, strings.Replace(directory, "SYNC", "", 1))
			if err != nil {
				t.Fatal(err)
			}
			after, err := propose(t, before.Rows, object)
			if err != nil {
				t.Fatal(err)
			}
			if got := syncOf(t, after); !strings.HasPrefix(got, "email to mail") {
				t.Errorf("of a source that is there: %s", got)
			}
			if got := objects(after); got != "updated SOURCE Directory" {
				t.Errorf("it is %s", got)
			}
			again, err := propose(t, after.Rows, object)
			if err != nil || again.Changed() {
				t.Errorf("%v: it changes something again: %s", err, objects(again))
			}
		})
	}
}

func TestExportedSynchronizationIsRefused(t *testing.T) {
	plain := strings.Replace(synchronized, "SOURCE\n", "\n", 1)
	for want, text := range map[string]string{
		`there is no source "Direktory"`: strings.Replace(directory, "SYNC",
			strings.ReplaceAll(plain, "Directory [source]", "Direktory")+",", 1),
		`did you mean "target"?`: strings.Replace(directory, "SYNC", strings.Replace(plain, `"target"`, `"tarqet"`, 1)+",", 1),
		`says something else`: strings.Replace(strings.Replace(directory, "SYNC", plain+",", 1), `"connector": "workday"`,
			`"connector": "workday", "attributeSyncConfig": {"attributes": [{"name": "email", "target": "mail", "enabled": false}]}`, 1),
		"source is missing": `{"self": {"type": "ATTR_SYNC_SOURCE_CONFIG"}, "object": {"attributes": []}}`,
	} {
		if _, err := propose(t, store.Configuration{}, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The definitions of identity attributes in an export are read, in a list or one by one; those that the engine writes
// itself, and the rule by which the vendor's product takes values from mappings, are not.
func TestExportedIdentityAttributes(t *testing.T) {
	const definitions = `{"name": "costCenter", "displayName": "Cost center", "type": "string", "multi": false, "searchable": true,
		"standard": false, "system": false, "sources": [{"type": "rule", "properties": {"ruleType": "IdentityAttribute",
		"ruleName": "Cloud Promote Identity Attribute"}}]}`
	for _, object := range []string{
		`{"id": "x", "attributes": [` + definitions + `, {"name": "cloudStatus", "standard": true, "system": true}]}`,
		`{"id": "x", "name": "Identity", "identityAttributes": [` + definitions + `, {"name": "cloudStatus"}]}`,
		definitions,
	} {
		p, err := propose(t, store.Configuration{}, `{"self": {"type": "IDENTITY_OBJECT_CONFIG", "name": "I"}, "object": `+object+`}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := objects(p); got != "created IDENTITY_ATTRIBUTE costCenter" {
			t.Errorf("%s: %s", object, got)
		}
		var stored configuration.IdentityAttribute
		if err := json.Unmarshal(p.Rows.IdentityAttributes[0].Document, &stored); err != nil || !stored.Searchable {
			t.Errorf("%v %v", stored, err)
		}
		if strings.Contains(object, "cloudStatus") && !slices.ContainsFunc(p.Notes, func(n string) bool {
			return strings.Contains(n, "writes are left out: cloudStatus")
		}) {
			t.Errorf("nothing is said of cloudStatus: %q", p.Notes)
		}
	}
	other := strings.Replace(`{"self": {"type": "IDENTITY_OBJECT_CONFIG"}, "object": `+definitions+`}`, "Cloud Promote Identity Attribute", "Mine", 1)
	if _, err := propose(t, store.Configuration{}, other); err == nil || !strings.Contains(err.Error(), "sources") {
		t.Errorf("got %v, want a refusal of the rule", err)
	}
	p, err := propose(t, store.Configuration{}, `{"self": {"type": "IDENTITY_OBJECT_CONFIG", "name": "I"}, "object": {"x": 1}}`)
	if err == nil && (len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "IDENTITY_OBJECT_CONFIG is skipped")) || err != nil {
		t.Errorf("%v: what is not understood is skipped with a note", err)
	}
}

// A list of all definitions, as the API returns it, has those that the engine writes itself: they are left out with a
// note. Somebody who defines one is refused.
func TestListOfIdentityAttributes(t *testing.T) {
	p, err := propose(t, store.Configuration{}, `[{"name": "costCenter", "multi": false}, {"name": "cloudStatus", "system": true,
		"standard": true, "multi": false}]`)
	if err != nil || objects(p) != "created IDENTITY_ATTRIBUTE costCenter" ||
		!strings.Contains(strings.Join(p.Notes, "|"), "writes are left out: cloudStatus") {
		t.Errorf("%v %s %q", err, objects(p), p.Notes)
	}
	if _, err := propose(t, store.Configuration{}, `[{"name": "cloudStatus", "multi": false}]`); err == nil {
		t.Error("cloudStatus is defined")
	}
}
