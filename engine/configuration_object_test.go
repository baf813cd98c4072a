package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// wideDocuments have an object of each type, with members that are only in rows, and with references both ways.
const wideDocuments = `
settings: {timeZone: Europe/Berlin, guard: {share: 0.2}}
identityAttributes: [{name: costCenter, searchable: true}]
transforms: [{name: Short, type: substring, attributes: {begin: 0, end: 3.0}}]
sources:
- {name: Register, schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: mail}, {name: cost}]}]}
- name: Portal
  connector: delimited-folder
  connectorAttributes: {folder: ./portal}
  deleteThreshold: 25.0
  accountCorrelationConfig: {attributeAssignments: [{property: name, value: login}]}
  schemas: [{name: account, identityAttribute: login, attributes: [{name: login}, {name: groups, isMulti: true, isEntitlement: true}]}]
  provisioningPolicies: [{name: A, usageType: CREATE, fields: [{name: login, transform: {type: identityAttribute, attributes: {name: uid}}}]}]
identityProfiles:
- name: Staff
  authoritativeSource: {name: Register}
  identityAttributeConfig:
    attributeTransforms:
    - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Register, attributeName: id}}}
    - {identityAttributeName: costCenter, transformDefinition: {type: reference, attributes: {id: Short, input: {type: accountAttribute, attributes: {sourceName: Register, attributeName: cost}}}}}
  lifecycleStates: [{name: Gone, technicalName: gone, accessProfileIds: [Basic], accountActions: [{action: DISABLE, sourceIds: [Portal]}]}]
accessProfiles: [{name: Basic, source: {name: Portal}, entitlements: [{attribute: groups, value: staff}]}]
roles: [{name: Seller, enabled: true, accessProfiles: [{name: Basic}], membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.costCenter}, stringValue: C10}}}]
`

// withoutTimes leaves out when objects were created and changed, which no export has.
var withoutTimes = cmpopts.IgnoreFields(engine.ConfigurationObject{}, "Created", "Modified")

// documentsOf returns objects as documents.
func documentsOf(objects []engine.ConfigurationObject, exported bool) []engine.Document {
	documents := make([]engine.Document, len(objects))
	for i, o := range objects {
		documents[i] = engine.Document{Type: o.Type, Object: o.Object, Place: o.Name, Exported: exported}
	}
	return documents
}

// What is exported and applied to an empty tenant gives the same tenant; applied to its own it changes nothing more.
func TestConfigurationRoundTrip(t *testing.T) {
	t.Parallel()
	for _, text := range []string{enginetest.Documents, wideDocuments} {
		from, to := newFixture(t), newFixture(t)
		from.ApplyText(text)
		objects, err := from.ConfigurationObjects(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, exported := range []bool{false, true} {
			if _, err := to.Apply(t.Context(), documentsOf(objects, exported)); err != nil {
				t.Fatal(err)
			}
			again, err := to.ConfigurationObjects(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(objects, again, withoutTimes); diff != "" {
				t.Error(diff)
			}
		}
		result, err := to.Apply(t.Context(), documentsOf(objects, true))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range result.Objects {
			if o.Action != engine.Unchanged {
				t.Errorf("the second time %s %s is %s", o.Type, o.Name, o.Action)
			}
		}
	}
}

// An object is found by its ID and by its name; a name that is no object's says which one may be meant.
func TestConfigurationObject(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(wideDocuments)
	portal, err := f.ConfigurationObject(t.Context(), engine.TypeSource, "PORTAL")
	if err != nil || portal.Name != "Portal" || !strings.Contains(string(portal.Object), `"deleteThreshold":25,`) {
		t.Errorf("got %+v, %v", portal, err)
	}
	if same, err := f.ConfigurationObject(t.Context(), engine.TypeSource, portal.ID); err != nil || same.Name != portal.Name {
		t.Errorf("got %+v, %v", same, err)
	}
	_, err = f.ConfigurationObject(t.Context(), engine.TypeSource, "Portl")
	if engine.KindOf(err) != engine.NotFound || !strings.Contains(err.Error(), `did you mean "Portal"?`) {
		t.Errorf("got %v", err)
	}
	_, err = f.ConfigurationObjects(t.Context(), "SORCE")
	if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), "did you mean SOURCE?") {
		t.Errorf("got %v", err)
	}
}

// A difference is what applying would change, and changes nothing; applying says what goes with a replaced object.
func TestDiffConfiguration(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(wideDocuments)
	text := `sources: [{name: Register, connector: ldp, schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: mail}, {name: cost}]}]}]
roles: [{name: Seller, enabled: true, dimensional: true, accessProfiles: [{name: Basic}]}]`
	documents, err := engine.ReadDocuments("d.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	difference, err := f.DiffConfiguration(t.Context(), documents)
	if err != nil || len(difference.Objects) != 2 || len(difference.Losses) != 1 || difference.Objects[1].Type != engine.TypeSource ||
		difference.Objects[1].Action != engine.Updated {
		t.Fatalf("got %+v, %v", difference, err)
	}
	notes := strings.Join(difference.Notes, "\n")
	for _, want := range []string{`role "Seller": membership removed`, `source "Register": connector: there is no connector "ldp" in this program`,
		`source "Portal": 1 entitlement is granted that no aggregation has found yet: groups "staff"`} {
		if !strings.Contains(notes, want) {
			t.Errorf("got %s, want %s", notes, want)
		}
	}
	before, err := f.ConfigurationRevisions(t.Context(), 0, 10)
	if err != nil || len(before) != 1 {
		t.Fatalf("the comparison changed something: %+v, %v", before, err)
	}
	if _, err := f.Apply(t.Context(), documents); engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), "dimensional") {
		t.Errorf("got %v", err)
	}
	_, err = f.Apply(t.Context(), documents, engine.AcceptLosses())
	demandKind(t, err, engine.Conflict, `role "Seller": membership`)
	result, err := f.Apply(t.Context(), documents, engine.AcceptLosses(), engine.Replace())
	if err != nil || len(result.Losses) != 1 || !strings.Contains(strings.Join(result.Notes, "\n"), "membership removed") {
		t.Fatalf("got %+v, %v", result, err)
	}
	revision, err := f.ConfigurationRevision(t.Context(), result.Version)
	if err != nil || !cmp.Equal(revision.Losses, result.Losses) {
		t.Errorf("got %+v, %v", revision, err)
	}
	if n := f.CountRows(`muster.roles WHERE document ? 'dimensional'`); n != 0 {
		t.Error("what was left out is stored")
	}
	totals, err := f.Preview(t.Context(), engine.PreviewParams{Documents: documents}, func(*engine.PreviewChange) error { return nil })
	if err != nil || len(totals.LeftOut) != 1 {
		t.Errorf("got %+v, %v", totals, err)
	}
}

// A name that is like one that there is is a fault; of another one, what it names may come later, which is noted.
func TestNamesResolve(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(wideDocuments)
	policy := func(field, attribute string) string {
		return `sources: [{name: Portal, connector: delimited-folder, connectorAttributes: {folder: ./portal}, schemas: [{name: account,
			identityAttribute: login, attributes: [{name: login}, {name: groups, isMulti: true, isEntitlement: true}]}],
			provisioningPolicies: [{usageType: CREATE, fields: [{name: ` + field + `, transform: {type: identityAttribute, attributes: {name: ` + attribute + `}}}]}]}]`
	}
	saved := func(definition string) string { return `transforms: [{name: T, ` + definition + `}]` }
	for text, want := range map[string]string{
		policy("logn", "uid"): `source "Portal": provisioningPolicies: fields[0]: there is no account attribute of the source "Portal" named "logn"; did you mean "login"?`,
		saved(`type: rule, attributes: {name: Cloud Services Deployment Utility, operation: getReferenceIdentityAttribute, uid: manager, attributeName: costCentr}`): `transform "T": there is no identity attribute "costCentr"; did you mean "costCenter"?`,
		saved(`type: static, attributes: {value: "$identity.getManager().getAttribute('costCentr')"}`):                                                               `transform "T": there is no identity attribute "costCentr"; did you mean "costCenter"?`,
		policy("login", "costCentr"):                          `there is no identity attribute "costCentr"; did you mean "costCenter"?`,
		`roles: [{name: R, accessProfiles: [{name: Basik}]}]`: `there is no access profile "Basik"; did you mean "Basic"?`,
		`accessProfiles: [{name: X, source: {name: Portal}, entitlements: [{source: {name: Portl}, attribute: groups, value: v}]}]`:                                          `there is no source "Portl": the sources are "Portal", "Register"; did you mean "Portal"?`,
		`roles: [{name: R, membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: ACCOUNT, property: attribute.group, sourceId: Portal}, stringValue: v}}}]`: `role "R": membership.criteria: there is no account attribute of the source "Portal" named "group"; did you mean "groups"?`,
	} {
		documents, err := engine.ReadDocuments("n.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Apply(t.Context(), documents, engine.Replace())
		var refused *engine.Error
		if !errors.As(err, &refused) || refused.Kind != engine.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	result := f.ApplyText(policy("zebra", "giraffe"))
	notes := strings.Join(result.Notes, "\n")
	for _, want := range []string{`there is no identity attribute "giraffe" yet`, `does not declare the account attribute "zebra"`} {
		if !strings.Contains(notes, want) {
			t.Errorf("got %s, want %s", notes, want)
		}
	}
}
