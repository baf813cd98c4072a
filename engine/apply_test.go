package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/storetest"
)

func actions(result engine.ApplyResult) []string {
	var list []string
	for _, o := range result.Objects {
		list = append(list, fmt.Sprintf("%s %s %s", o.Action, o.Type, o.Name))
	}
	return list
}

func TestApply(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.ApplyText(enginetest.Documents)
	want := []string{
		"created IDENTITY_ATTRIBUTE department", "created IDENTITY_ATTRIBUTE groups", "created SOURCE HR", "created SOURCE Directory",
		"created IDENTITY_ATTRIBUTE login", "created IDENTITY_PROFILE Employees", "created LIFECYCLE_STATE leave",
	}
	if diff := cmp.Diff(want, actions(first)); diff != "" {
		t.Error(diff)
	}
	second := f.ApplyText(enginetest.Documents)
	for _, o := range second.Objects {
		if o.Action != engine.Unchanged {
			t.Errorf("the second time %s %s was %s", o.Type, o.Name, o.Action)
		}
	}
	if second.Version != first.Version {
		t.Errorf("version %d became %d though nothing changed", first.Version, second.Version)
	}
}

// An export's objects apply as they are: what is not read is kept, and what may not be meant is said.
func TestApplyExport(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	result := f.ApplyText(`{"version": 1, "tenant": "acme", "objects": [{"version": 1,
		"self": {"type": "SOURCE", "id": "2c91808570313110017040b06f344ec9", "name": "HR"},
		"object": {"id": "2c91808570313110017040b06f344ec9", "name": "HR", "owner": {"type": "IDENTITY", "name": "Slim Shady"},
			"accountCorrelationConfig": {"type": "ACCOUNT_CORRELATION_CONFIG", "id": "1", "name": "HR correlation"},
			"managerCorrelationMapping": null, "schemas": [{"type": "CONNECTOR_SCHEMA", "id": "2", "name": "account"}],
			"connectorAttributes": {"hasHeader": "true", "delimiter": ",", "mergeRows": false}, "deleteThreshold": 10}}]}`)
	if len(result.Objects) != 1 || result.Objects[0].ID != "2c91808570313110017040b06f344ec9" || len(result.Notes) != 3 ||
		!strings.Contains(result.Notes[0], "accountCorrelationConfig.id, accountCorrelationConfig.name have no effect") ||
		!strings.Contains(result.Notes[1], "schemas.id has no effect") || !strings.Contains(result.Notes[2], "no attributeAssignments") {
		t.Errorf("got %+v, want "+
			"1 object with its ID, and notes of what has no effect", result)
	}
	if n := f.CountRows(`muster.sources WHERE document #>> '{owner,name}' = 'Slim Shady'`); n != 1 {
		t.Error("a member that is not read was lost")
	}
	if read := f.AggregateText("HR", "key,x\n1,a\n", engine.AggregateOptions{}); read.Added != 1 {
		t.Errorf("got %+v, want Added 1", read)
	}
}

// A correlation that can find nobody is pointed out.
func TestApplyNotesUnmapped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if result := f.ApplyText(enginetest.Documents); len(result.Notes) != 0 {
		t.Errorf("notes: %q", result.Notes)
	}
	result := f.ApplyText(strings.Replace(enginetest.Documents, "identityAttributeName: identificationNumber, transform",
		"identityAttributeName: badge, transform", 1))
	want := []string{
		`source "Directory": accountCorrelationConfig looks for identities by "identificationNumber", which no identity ` +
			`profile maps: it finds nobody`,
		`source "HR": managerCorrelationMapping looks for identities by "identificationNumber", which no identity ` +
			`profile maps: it finds nobody`,
	}
	if diff := cmp.Diff(want, result.Notes); diff != "" {
		t.Error(diff)
	}
}

// A changed profile requests the processing of its identities, and only a change does.
func TestApplyMarks(t *testing.T) {
	t.Parallel()
	f := company(t)
	if result := f.ApplyText(enginetest.Documents); result.Marked != 0 {
		t.Errorf("processing is requested for %d identities for nothing", result.Marked)
	}
	result := f.ApplyText(strings.Replace(enginetest.Documents, "attributeName: dept", "attributeName: state", 1))
	if result.Marked != 5 {
		t.Errorf("processing is requested for %d identities, want 5", result.Marked)
	}
	f.Process()
	if got := f.Identity("ayse").Attributes.Get("department").Text(); got != "active" {
		t.Errorf("department %q, want %q", got, "active")
	}
	if n := f.CountRows(`muster.identity_keys WHERE key = 'department=active'`); n != 1 {
		t.Errorf("%d keys, want 1", n)
	}
}

// A correlation that is changed finds the accounts that came before it, through an attribute that was not searchable.
func TestApplyChangedCorrelation(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.AggregateText("Directory", enginetest.DirectoryHeader+"Boss,,,,\n", engine.AggregateOptions{})
	f.Process()
	if login := f.Identity("ann").Attributes.Get("login").Text(); login != "" {
		t.Fatalf("login %q", login)
	}
	f.ApplyText(strings.Replace(enginetest.Documents, "{property: email, value: mail, operation: EQ}", "{property: lastname, value: sam, operation: EQ, ignoreCase: false}", 1))
	f.Process()
	if login := f.Identity("ann").Attributes.Get("login").Text(); login != "Boss" {
		t.Errorf("login %q, want %q", login, "Boss")
	}
	// Case counts there.
	f.AggregateText("Directory", enginetest.DirectoryHeader+"Boss,,,,\nself,,,,\n", engine.AggregateOptions{})
	if n := f.CountRows(`muster.accounts WHERE native_identity = 'self' AND identity_id IS NULL`); n != 1 {
		t.Error("an account was correlated though its case differs")
	}
}

func TestApplyFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	profile := func(mapping string) string {
		return "sources: [{name: HR, connector: x}]\nidentityProfiles: [{name: P, authoritativeSource: {name: HR}, identityAttributeConfig: {attributeTransforms: [" + mapping + "]}}]"
	}
	for text, want := range map[string]string{
		"sources: [{connector: x}]":                  "c.yaml:1: sources[0]: name is missing",
		"sources: [{name: a, deleteThreshold: 120}]": "deleteThreshold: 120 is given where a percentage from 0 to 100 is expected",
		"sources: [{name: a, schemas: 5}]":           "schemas: a number is given where a list of objects is expected",
		"sources: [{name: a, schemas: [{name: account, identityAttribute: k, attributes: [{name: v}]}]}]":                      `schemas["account"].identityAttribute: the schema has no attribute "k"`,
		"sources: [{name: a, accountCorrelationConfig: {attributeAssignments: [{property: email, value: m, operation: LT}]}}]": `attributeAssignments[0].operation: "LT" is unknown`,
		"identityProfiles: [{name: P, authoritativeSource: {name: HR}}]":                                                       `authoritativeSource: there is no source "HR"`,
		"identityProfiles: [{name: P}]":                                                              "authoritativeSource: it is missing",
		"identityAttributes: [{name: 'a b'}]":                                                        `"a b" is no name of an identity attribute`,
		"identityAttributes: [{name: cloudStatus}]":                                                  "written by the system",
		"lifecycleStates: [{name: x, technicalName: x, identityProfile: {name: Q}}]":                 `there is no identity profile "Q"`,
		profile("{identityAttributeName: email, transformDefinition: {type: uper, attributes: {}}}"): "uper",
		profile("{identityAttributeName: identityState, transformDefinition: {type: uuid}}"):         "cannot be mapped",
		profile("{identityAttributeName: email, transformDefinition: {type: uuid}}, {identityAttributeName: email, transformDefinition: {type: uuid}}"): "mapped twice",
		"sources: [{name: A, connector: x}, {name: B, connector: y, id: zz}]":                                                                           `id: "zz" is no identifier`,
	} {
		documents, err := engine.ReadDocuments("c.yaml", strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		_, err = f.Apply(t.Context(), documents)
		demandKind(t, err, engine.Invalid, want)
	}
	if n := f.CountRows(`muster.sources`); n != 0 {
		t.Error("a refused configuration left something behind")
	}
}

// What is applied in the caller's transaction goes with it, and is never served afterwards from the cache.
func TestApplyTxRollback(t *testing.T) {
	t.Parallel()
	f := company(t)
	changed, err := engine.ReadDocuments("c", strings.NewReader(strings.Replace(enginetest.Documents, "attributeName: dept", "attributeName: state", 1)))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result, err := f.ApplyTx(t.Context(), tx, changed); err != nil || result.Marked != 5 {
		t.Errorf("got %+v and the error %v, want Marked 5", result, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if processed := f.Process(); processed.Identities != 0 {
		t.Errorf("got %+v, want Identities 0", processed)
	}
	f.ApplyText(strings.Replace(enginetest.Documents, "attributeName: last}", "attributeName: mail}", 1))
	f.Process()
	if ayse := f.Identity("ayse"); ayse.Attributes.Get("department").Text() != "Sales" || ayse.Attributes.Get("lastname").Text() != "ayse@example.com" {
		t.Errorf("got %+v, want ayse.Attributes.Get(\"department\").Text() == \"Sales\" && ayse.Attributes.Get(\"lastname\").Text() == \"ayse@example.com\"", ayse.Attributes)
	}
}

func TestNewRefusesOtherVersions(t *testing.T) {
	t.Parallel()
	pool := storetest.Empty(t)
	_, err := engine.New(t.Context(), pool, engine.Config{})
	demandKind(t, err, engine.Conflict, "run `muster migrate up`")
	if _, err := migrations.Up(t.Context(), pool, migrations.Config{Schema: "acme"}); err != nil {
		t.Fatal(err)
	}
	_, err = engine.New(t.Context(), pool, engine.Config{})
	demandKind(t, err, engine.Conflict, "run `muster migrate up`")
	eng, err := engine.New(t.Context(), pool, engine.Config{Schema: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	// Everything of the tenant is in its schema.
	f := fixtureOf(t, eng, pool)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	if names := f.names(engine.ListParams{Filters: `isManager eq true`, AnyField: true, Sorters: "name"}); names != "Ann Boss|Ünal, Ayşe" {
		t.Errorf("managers: %s, want %q", names, "Ann Boss|Ünal, Ayşe")
	}
	if _, err := engine.New(t.Context(), pool, engine.Config{Schema: "Acme"}); engine.KindOf(err) != engine.Invalid {
		t.Error(err)
	}
}
