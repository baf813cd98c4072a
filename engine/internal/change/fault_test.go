package change

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// proposeWhole is propose with what compiles the configuration, as apply has it.
func proposeWhole(t *testing.T, rows store.Configuration, text string) (*Proposal, error) {
	t.Helper()
	compile := func(rows store.Configuration) (*configuration.Configuration, error) {
		return configuration.Compile(rows, nil, func(string) bool { return false })
	}
	before, err := compile(rows)
	if err != nil {
		t.Fatal(err)
	}
	return Propose(rows, before, &Request{Documents: read(t, text), Compile: compile}, now)
}

// Everything that is wrong with the documents of one apply is listed at once, whatever finds it, and nothing that only
// follows from something else.
func TestAllFaultsAtOnce(t *testing.T) {
	_, err := proposeWhole(t, store.Configuration{}, `
sources:
- {name: HR, dimensionel: 1, schemas: [{name: account, attributes: [{name: id}, {name: mail}]}], healthy: [yes],
   accountCorrelationConfig: {attributeAssignments: [{property: emial, value: mail}, {property: uid, value: mial}]}}
- {name: Broken, deleteThreshold: 200, schedules: [{type: ACCOUNT_AGGREGATION, cronExpression: never}],
   connectorAttributes: {password: hush, nested: {token: hush}}}
- {name: Portal, schema: [{name: account, attributes: [{name: groups, isEntitlement: true}]}]}
identityProfiles:
- {name: P, authoritativeSource: {name: Broken}, invitationOptions: {address: HOME}}
- name: Q
  authoritativeSource: {name: HR}
  identityAttributeConfig:
    attributeTransforms:
    - {identityAttributeName: email, transformDefinition: {type: uper, attributes: {}}}
    - {identityAttributeName: uid, transformDefinition: {type: reference, attributes: {id: Nothing}}}
accessProfiles:
- {name: Basic, source: {name: Broken}, requestable: 5}
- {name: Lost, source: {name: Prtal}}
- {name: Granting, source: {name: Portal}, entitlements: [{attribute: groups, value: a}, {attribute: gruops, value: b}]}
roles:
- {name: R, dimensional: true, accessProfiles: [{name: Basic}, {name: Bsaic}, {name: Garnting}], segments: {a: b}}
- {name: S, enabled: "yes", membership: {type: STANDRAD}}
lifecycleStates:
- {name: L, technicalName: l, identityProfile: {name: P}}
- {name: M, technicalName: m, identityProfile: {name: Q}, accessProfileIds: [Lots, Nowhere]}
`)
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		`source "HR": dimensionel: Source has only`, `source "Portal": schema: did you mean "schemas"?`,
		`role "R": dimensional: roles have no dimensions`,
		`source "HR": healthy: a list is given where true or false is expected`,
		`access profile "Basic": requestable: a number is given where true or false is expected`,
		`role "R": segments: an object is given where a list of texts is expected`,
		`role "S": enabled: a text is given where true or false is expected`,
		`there is no identity attribute "emial"`, `there is no account attribute of the source "HR" named "mial"`,
		`sources[1]: deleteThreshold: 200 is given`, `sources[1]: schedules[0].cronExpression: `,
		`sources[1]: connectorAttributes.nested.token: `, `sources[1]: connectorAttributes.password: `,
		`identityProfiles[0]: invitationOptions.address: "HOME" is unknown`,
		`identity profile "Q": attribute email: `, `identity profile "Q": attribute uid: `,
		`accessProfiles[1]: source: there is no source "Prtal"`,
		`access profile "Granting": entitlements[1]: attribute: "gruops"`,
		`role "R": accessProfiles[1]: there is no access profile "Bsaic"; did you mean "Basic"?`,
		`role "R": accessProfiles[2]: there is no access profile "Garnting"; did you mean "Granting"?`,
		`role "S": membership.type: "STANDRAD" is unknown`,
		`lifecycle state "m": accessProfileIds[0]: there is no access profile "Lots"`,
		`lifecycle state "m": accessProfileIds[1]: there is no access profile "Nowhere"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not listed: %s", want)
		}
	}
	for _, unwanted := range []string{"hush", `entitlements[0]`, `there is no access profile "Basic"`,
		`there is no source "Broken"`, `there is no identity profile "P"`, errQuiet.Error()} {
		if strings.Contains(err.Error(), unwanted) {
			t.Errorf("listed: %s", unwanted)
		}
	}
	if t.Failed() {
		t.Logf("got %v", err)
	}
}

// Members that decide access, and what the operator does not allow, are told with all else.
func TestTogether(t *testing.T) {
	invalid := &fault.Error{Kind: fault.Invalid, Op: "apply", Err: fmt.Errorf("one")}
	conflict := &fault.Error{Kind: fault.Conflict, Op: "apply", Err: fmt.Errorf("two")}
	forbidden := &fault.Error{Kind: fault.Forbidden, Op: "apply", Err: fmt.Errorf("three")}
	for _, test := range []struct {
		errs []error
		kind fault.Kind
		text string
	}{
		{[]error{nil, conflict, nil}, fault.Conflict, "apply: two"},
		{[]error{nil, conflict, forbidden}, fault.Forbidden, "apply: two\nthree"},
		{[]error{invalid, conflict, forbidden}, fault.Invalid, "apply: one\ntwo\nthree"},
	} {
		if err := together(test.errs...); fault.KindOf(err) != test.kind || err.Error() != test.text {
			t.Errorf("got %q (%v), want %q (%v)", err, fault.KindOf(err), test.text, test.kind)
		}
	}
	if err := together(nil, nil); err != nil {
		t.Errorf("got %v, want none", err)
	}
}

// A note, and a fault, names the spelling that the document uses.
func TestSpellingOfTheDocument(t *testing.T) {
	const profile = `
identityProfiles: [{name: P, authoritativeSource: {name: HR}}]
`
	p, err := proposeWhole(t, store.Configuration{}, profile+`sources: [{name: HR, connectorScriptName: ldpa,
  correlationConfigDetails: {id: x, name: y, attributeAssignments: [{property: email, value: mail}]}}]`)
	if err != nil {
		t.Fatal(err)
	}
	after, err := configuration.Compile(p.Rows, nil, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(append(p.Notes, p.NotesOn(after, nil)...), "\n")
	for _, want := range []string{"correlationConfigDetails.id, correlationConfigDetails.name have no effect",
		`source "HR": correlationConfigDetails looks for identities by "email"`,
		`source "HR": connectorScriptName: there is no connector "ldpa"`} {
		if !strings.Contains(notes, want) {
			t.Errorf("got %s, want %s", notes, want)
		}
	}
	if strings.Contains(notes, "accountCorrelationConfig") {
		t.Errorf("got %s", notes)
	}
	for _, details := range []string{`{}`, `{attributeAssignments: [{property: email, value: mail, operation: NE}]}`,
		`{attributeAssignments: [{property: emial, value: mail, complex: true}]}`, `5`} {
		text := `sources: [{name: HR, schemas: [{name: account, attributes: [{name: mail}]}], correlationConfigDetails: ` + details + `}]`
		p, err := proposeWhole(t, store.Configuration{}, text)
		said := strings.Join(p.Notes, "\n")
		if err != nil {
			said = err.Error()
		}
		if !strings.Contains(said, "correlationConfigDetails") || strings.Contains(said, "accountCorrelationConfig") {
			t.Errorf("%s: got %s", details, said)
		}
	}
}

// A reference with an ID that nothing has and a name that stands for an object is stored with the object's ID, and told
// once for each document; one whose ID and name are those of two objects is a fault.
func TestDeadIDsAreSettledByName(t *testing.T) {
	first, err := propose(t, store.Configuration{}, sample+`
lifecycleStates: [{name: Left, technicalName: left, identityProfile: {name: Employees}}]
`)
	if err != nil {
		t.Fatal(err)
	}
	rows := first.Rows
	rows.Sources[0].Document = []byte(`{"name":"HR","schemas":[{"name":"account","attributes":[
		{"name":"groups","isEntitlement":true}]}]}`)
	source, profile, access := rows.Sources[0].ID, rows.Profiles[0].ID, rows.AccessProfiles[0].ID
	other := store.NewID()
	rows.Sources = append(rows.Sources, store.Object{ID: other, Name: "Other", Document: []byte(`{"name":"Other"}`)})
	rows.AccessProfiles = append(rows.AccessProfiles, store.Object{ID: store.NewID(), Name: "Second",
		Document: []byte(`{"name":"Second","source":{"name":"HR"}}`)})
	rows.Profiles = append(rows.Profiles, store.Profile{Object: store.Object{ID: store.NewID(), Name: "Guests",
		Document: []byte(`{"name":"Guests","authoritativeSource":{"name":"Other"}}`)}, AuthoritativeSourceID: other})
	staff := store.Entitlement{ID: store.NewID(), SourceID: source, Attribute: "groups", Value: "staff", Name: "Staff"}
	sales := store.Entitlement{ID: store.NewID(), SourceID: source, Attribute: "groups", Value: "sales", Name: "Sales"}
	rows.Entitlements = []store.Entitlement{staff, sales}
	const dead = "2c91808568c529c60168cca6f90c1313"
	for _, test := range []struct{ name, text, want string }{
		{"source", `accessProfiles: [{name: New, source: {id: DEAD, name: hr}}]`, `"source":{"id":"SOURCE","name":"hr"}`},
		{"access profile", `roles: [{name: New, accessProfiles: [{name: CRM}, {id: DEAD, name: CRM, type: ACCESS_PROFILE}]}]`,
			`{"id":"ACCESS","name":"CRM","type":"ACCESS_PROFILE"}`},
		{"profile", `lifecycleStates: [{name: New, technicalName: new, identityProfile: {id: DEAD, name: Employees}}]`,
			`"identityProfile":{"id":"PROFILE","name":"Employees"}`},
		{"authoritative source", `identityProfiles: [{name: New, authoritativeSource: {id: no ID, name: HR}}]`,
			`"authoritativeSource":{"id":"SOURCE","name":"HR"}`},
		{"entitlement by value", `roles: [{name: New, entitlements: [{id: DEAD, value: staff, source: {id: DEAD, name: HR}}]}]`,
			`[{"id":"STAFF","source":{"id":"SOURCE","name":"HR"},"value":"staff"}]`},
		{"entitlement by name", `accessProfiles: [{name: New, source: {name: HR}, entitlements: [{id: DEAD, name: sales}]}]`,
			`[{"id":"SALES","name":"sales"}]`},
		{"entitlement that nobody has yet", `accessProfiles: [{name: New, source: {name: HR}, entitlements: [{id: DEAD, value: new}]}]`,
			`[{"id":"DEAD","value":"new"}]`},
	} {
		written := strings.NewReplacer("DEAD", dead, "SOURCE", source.String(), "ACCESS_PROFILE", "ACCESS_PROFILE", "ACCESS",
			access.String(), "PROFILE", profile.String(), "STAFF", staff.ID.String(), "SALES", sales.ID.String())
		p, err := propose(t, rows, written.Replace(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		stored := ""
		all, err := Export(&p.Rows)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range objectRows(&p.Rows) {
			if row.name == "New" || row.name == "new" {
				stored = string(row.document)
			}
		}
		exported := ""
		for _, o := range all {
			exported += string(o.Document)
		}
		want := written.Replace(test.want)
		if !strings.Contains(stored, want) {
			t.Errorf("%s: stored is %s, want %s", test.name, stored, want)
		}
		settled := !strings.Contains(test.want, "DEAD")
		if settled && strings.Contains(exported, dead) {
			t.Errorf("%s: exported is %s", test.name, exported)
		}
		told := 0
		for _, note := range p.Notes {
			if strings.Contains(note, "no object has the id of") {
				told++
			}
		}
		if settled && told != 1 || !settled && told != 0 {
			t.Errorf("%s: the notes are %q", test.name, p.Notes)
		}
		again, err := propose(t, p.Rows, written.Replace(test.text))
		if err != nil || again.Changed() {
			t.Errorf("%s: again: %v, %q", test.name, err, objects(again))
		}
	}
	for name, text := range map[string]string{
		"source":         fmt.Sprintf(`accessProfiles: [{name: New, source: {id: %s, name: Other}}]`, source),
		"access profile": fmt.Sprintf(`roles: [{name: New, accessProfiles: [{id: %s, name: Second}]}]`, access),
		"profile":        fmt.Sprintf(`lifecycleStates: [{name: New, technicalName: n, identityProfile: {id: %s, name: Guests}}]`, profile),
		"authority":      fmt.Sprintf(`identityProfiles: [{name: New, authoritativeSource: {id: %s, name: Other}}]`, source),
		"entitlement":    fmt.Sprintf(`accessProfiles: [{name: New, source: {name: HR}, entitlements: [{id: %s, name: Sales}]}]`, staff.ID),
		"value":          fmt.Sprintf(`roles: [{name: New, entitlements: [{id: %s, value: staff, source: {name: HR}}]}]`, sales.ID),
	} {
		if _, err := propose(t, rows, text); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "give one of them") {
			t.Errorf("%s: got %v, want a fault", name, err)
		}
	}
	renamed := fmt.Sprintf(`accessProfiles: [{name: New, source: {id: %s, name: Former name}}]`, source)
	if p, err := propose(t, rows, renamed); err != nil || slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "no object") }) {
		t.Errorf("a name that nothing has, beside an ID: %v", err)
	}
}
