package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/refresh"
)

// fromRegister is the transform of a column of the source Register.
func fromRegister(column string) string {
	return fmt.Sprintf("{type: accountAttribute, attributes: {sourceName: Register, attributeName: %s}}", column)
}

// fromIdentity is the transform of an identity attribute.
func fromIdentity(name string) string {
	return fmt.Sprintf("{type: identityAttribute, attributes: {name: %s}}", name)
}

// register is a configuration with the source Register, whose columns are no, login, given, family and status, and a
// profile with the mappings, each a name and its transform. uid is the login.
func register(mappings ...string) string {
	text := `
sources:
  - name: Register
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: no
        attributes: [{name: no}, {name: login}, {name: given}, {name: family}, {name: status}]
identityProfiles:
  - name: Staff
    authoritativeSource: {name: Register}
    identityAttributeConfig:
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: ` + fromRegister("login") + `}
`
	for i := 0; i < len(mappings); i += 2 {
		text += fmt.Sprintf("        - {identityAttributeName: %s, transformDefinition: %s}\n", mappings[i], mappings[i+1])
	}
	return text
}

const registerHeader = "no,login,given,family,status\n"

// staff lets the source Register have these accounts, and processes whom they concern.
func (f *fixture) staff(rows ...string) {
	f.t.Helper()
	f.AggregateText("Register", registerHeader+strings.Join(rows, "\n")+"\n", engine.AggregateOptions{})
	f.Process()
}

// attributes returns attributes of an identity, joined.
func (f *fixture) attributes(alias string, names ...string) string {
	f.t.Helper()
	identity := f.Identity(alias)
	var values []string
	for _, name := range names {
		values = append(values, identity.Attributes.Get(name).Text())
	}
	return strings.Join(values, "|")
}

// What is calculated from other attributes of the same identity is right after the first aggregation, after a change of
// what it is made of, and stays so.
func TestValueOfOtherAttributes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	// In the order of their names, each would come before what it reads.
	f.ApplyText(register("a", fromIdentity("displayName"),
		"initial", "{type: substring, attributes: {begin: 0, end: 1, input: "+fromIdentity("displayName")+"}}",
		"displayName", "{type: static, attributes: {value: '$identity.getAttribute(\"lastname\"), $identity.firstname'}}",
		"firstname", fromRegister("given"), "lastname", fromRegister("family")))
	names := []string{"a", "displayName", "initial"}
	for _, step := range []struct{ family, want string }{
		{"Okafor", "Okafor, Ngozi|Okafor, Ngozi|O"}, {"Adeyemi", "Adeyemi, Ngozi|Adeyemi, Ngozi|A"}, {"Bello", "Bello, Ngozi|Bello, Ngozi|B"},
	} {
		f.staff("1,ngozi,Ngozi," + step.family + ",")
		if got := f.attributes("ngozi", names...); got != step.want {
			t.Errorf("%s: got %q, want %q", step.family, got, step.want)
		}
		if got, _, _ := strings.Cut(step.want, "|"); f.Identity("ngozi").Name != got {
			t.Errorf("the name is %q, want %q", f.Identity("ngozi").Name, got)
		}
		totals, err := f.Preview(t.Context(), engine.PreviewParams{Everybody: true}, func(c *engine.PreviewChange) error {
			t.Errorf("processing again would change %+v", c.Attributes)
			return nil
		})
		if err != nil {
			t.Error(err, totals)
		}
		explained, err := f.Explain(t.Context(), engine.ExplainParams{Identity: "ngozi", Attribute: "displayName"})
		if err != nil {
			t.Fatal(err)
		}
		if a := explained.Attributes[0]; a.Value.Text() != a.Stored.Text() {
			t.Errorf("displayName is explained as %s, and stored as %s", a.Value.Text(), a.Stored.Text())
		}
	}
}

// Mappings that are calculated from each other are refused with the way around, by apply and by preview, and nothing is
// changed. A mapping that wants its own earlier value is told how.
func TestCircleIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(register())
	for _, test := range []struct{ text, want string }{
		{register("alpha", fromIdentity("beta"), "beta", fromIdentity("gamma"), "gamma", fromIdentity("alpha")),
			`identity profile "Staff": identityAttributeConfig.attributeTransforms: the attributes are calculated from each other: beta -> gamma -> alpha -> beta`},
		{register("alpha", "{type: static, attributes: {value: $identity.alpha}}"), "calculated from itself, alpha -> alpha: write $oldValue"},
		{"transforms: [{name: Back, type: identityAttribute, attributes: {name: alpha}}]\n" +
			register("alpha", fromIdentity("uid2"), "uid2", "{type: reference, attributes: {id: Back}}"), "uid2 -> alpha -> uid2"},
	} {
		documents, err := engine.ReadDocuments("config.yaml", strings.NewReader(test.text))
		if err != nil {
			t.Fatal(err)
		}
		before := f.CountRows("muster.configuration_revisions")
		_, err = f.Apply(t.Context(), documents)
		demandKind(t, err, engine.Invalid, test.want)
		var circle *refresh.CircleError
		if !errors.As(err, &circle) {
			t.Errorf("%v is no circle", err)
		}
		if after := f.CountRows("muster.configuration_revisions"); after != before {
			t.Error("a revision was recorded")
		}
		_, err = f.Preview(t.Context(), engine.PreviewParams{Documents: documents}, nil)
		demandKind(t, err, engine.Invalid, test.want)
	}
	// With $oldValue it is taken.
	f.ApplyText(register("alpha", "{type: firstValid, attributes: {values: ["+fromRegister("given")+", $oldValue]}}"))
	for _, given := range []string{"Ngozi", ""} {
		f.staff("1,ngozi," + given + ",Okafor,")
		if got := f.attributes("ngozi", "alpha"); got != "Ngozi" {
			t.Errorf("got %q, want the value that it had", got)
		}
	}
}

// A generated name is kept free only where an account is created, so a mapping cannot have one.
func TestGeneratedNameInMappingIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	documents, err := engine.ReadDocuments("config.yaml", strings.NewReader(register("login",
		"{type: usernameGenerator, attributes: {patterns: ['$l', '$l${uniqueCounter}'], l: "+fromRegister("family")+"}}")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Apply(t.Context(), documents)
	demandKind(t, err, engine.Invalid, `identityAttributeConfig.attributeTransforms[1]: attribute login: a name is generated only in a create policy`)
}

// A configuration that an earlier version took is still worked with, as that version did. The doctor names its fault,
// and it can be applied without it.
func TestConfigurationOfEarlierVersionWorks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	good := register("alpha", fromRegister("given"), "beta", fromIdentity("alpha"))
	f.ApplyText(good)
	if _, err := f.Pool.Exec(t.Context(), `UPDATE muster.identity_profiles SET document = jsonb_set(document,
		'{identityAttributeConfig,attributeTransforms,1,transformDefinition}',
		'{"type": "identityAttribute", "attributes": {"name": "beta"}}')`); err != nil {
		t.Fatal(err)
	}
	fresh, err := engine.New(t.Context(), f.Pool, engine.Config{}) // it has nothing in its cache
	if err != nil {
		t.Fatal(err)
	}
	f = fixtureOf(t, fresh, f.Pool)
	f.staff("1,ngozi,Ngozi,Okafor,")
	f.Identity("ngozi")
	report, err := f.Doctor(t.Context(), engine.DoctorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var mend string
	for _, check := range report.Checks {
		if check.Name == "configuration" {
			mend = check.Mend
		}
	}
	if !strings.Contains(mend, "beta -> alpha -> beta") {
		t.Errorf("the doctor says %q, want the circle", mend)
	}
	f.ApplyText(good)
	f.Process()
	if diff := cmp.Diff("Ngozi|Ngozi", f.attributes("ngozi", "alpha", "beta")); diff != "" {
		t.Error(diff)
	}
}

// lifecycle returns the lifecycle state of an identity, its identity state, and how it came about.
func (f *fixture) lifecycle(alias string) string {
	f.t.Helper()
	identity := f.Identity(alias)
	state, how := "none", "by the source"
	if s := identity.LifecycleState; s != nil {
		state = s.StateName
		if s.ManuallyUpdated {
			how = "by hand"
		}
	}
	return fmt.Sprintf("%s %s %s", state, identity.Attributes.Get("identityState").Text(), how)
}

// explainedLifecycle returns why an identity is in its lifecycle state, behind "manual: " where it was set by hand.
func (f *fixture) explainedLifecycle(alias string) string {
	f.t.Helper()
	explained, err := f.Explain(f.t.Context(), engine.ExplainParams{Identity: alias})
	if err != nil {
		f.t.Fatal(err)
	}
	if explained.Lifecycle.Manual {
		return "manual: " + explained.Lifecycle.Reason
	}
	return explained.Lifecycle.Reason
}

// A lifecycle state that was set by hand holds until the source gives another value than then, or the same state, also
// after it was set again. Explain says which of the two holds, and history when it ended.
func TestLifecycleStateSetByHandEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(register("cloudLifecycleState", fromRegister("status")))
	const suspended = "inactive INACTIVE_SHORT_TERM by hand"
	for _, step := range []struct{ status, set, want, reason string }{
		{"active", "", "active ACTIVE by the source", "equals its technical name"},
		{"active", "inactive", suspended, `until the mapping of cloudLifecycleState gives "inactive" as well, or anything else than "active"`},
		{"", "", "none ACTIVE by the source", `has no value; the state "inactive", which was set by hand, holds no longer`},
		{"active", "inactive", suspended, `anything else than "active"`},
		{"inactive", "", "inactive INACTIVE_SHORT_TERM by the source", `equals its technical name`},
		{"active", "", "active ACTIVE by the source", "equals its technical name"},
		{"active", "active", "active ACTIVE by the source", "equals its technical name"},
	} {
		account := "1,ngozi,Ngozi,Okafor," + step.status
		f.AggregateText("Register", registerHeader+account+"\n", engine.AggregateOptions{})
		if before, after, ends := strings.Cut(step.reason, "; "); ends {
			if got := f.explainedLifecycle("ngozi"); !strings.Contains(got, before) || !strings.Contains(got, after) {
				t.Errorf("%+v: before processing it is explained as %q", step, got)
			}
			step.reason = before
		}
		f.Process()
		if step.set != "" {
			if _, err := f.SetLifecycleState(t.Context(), f.ID("ngozi"), step.set); err != nil {
				t.Fatal(err)
			}
			f.Process()
		}
		for range 2 { // processing once more changes nothing
			if got := f.lifecycle("ngozi"); got != step.want {
				t.Errorf("%+v: got %s", step, got)
			}
			got := f.explainedLifecycle("ngozi")
			if byHand := strings.HasPrefix(got, "manual: it was set by hand"); !strings.Contains(got, step.reason) ||
				byHand != strings.HasSuffix(step.want, "by hand") {
				t.Errorf("%+v: it is explained as %q", step, got)
			}
			if _, err := f.ProcessAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.Process()
		}
	}
	// In its history are the two that were set and ended, and the one that was the same at once.
	history, err := f.History(t.Context(), f.ID("ngozi"), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var set []string
	for _, e := range slices.Backward(history) {
		if l := e.Detail.LifecycleState; l != nil && l.State != nil {
			set = append(set, *l.State)
		} else if l != nil {
			set = append(set, "ended")
		}
	}
	if diff := cmp.Diff([]string{"inactive", "ended", "inactive", "ended", "active", "ended"}, set); diff != "" {
		t.Error(diff)
	}
}

// A second state that is set by hand has the basis of the first, also where the first was left to itself in between.
func TestLifecycleStateSetByHandTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(register("cloudLifecycleState", fromRegister("status")) + "    lifecycleStates: [{name: Leave, technicalName: leave}]\n")
	f.staff("1,ngozi,Ngozi,Okafor,active")
	for _, between := range []string{"", "process"} {
		for _, state := range []string{"inactive", "", "leave"} {
			if _, err := f.SetLifecycleState(t.Context(), f.ID("ngozi"), state); err != nil {
				t.Fatal(err)
			}
			if between != "" {
				f.Process()
			}
		}
		f.Process()
		if got := f.lifecycle("ngozi"); got != "leave ACTIVE by hand" {
			t.Errorf("%s: got %s, want leave by hand", between, got)
		}
	}
	f.staff("1,ngozi,Ngozi,Okafor,inactive")
	if got := f.lifecycle("ngozi"); got != "inactive INACTIVE_SHORT_TERM by the source" {
		t.Errorf("got %s, want inactive by the source", got)
	}
}

// Nobody gets a lifecycle state that is not enabled, by the source or by hand, and it does and grants nothing. Whoever
// was in one that is disabled loses it. The task has a warning that names the state, as for one that is not there.
func TestLifecycleStateThatIsNotEnabled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	states := func(enabled bool) string {
		return register("cloudLifecycleState", fromRegister("status")) + fmt.Sprintf(`    lifecycleStates:
      - {name: On leave, technicalName: leave, enabled: %t, identityState: INACTIVE_LONG_TERM,
         accountActions: [{action: DISABLE, sourceIds: [Register]}]}
`, enabled)
	}
	f.ApplyText(states(true))
	f.staff("1,ngozi,Ngozi,Okafor,leave", "2,tunde,Tunde,Adeyemi,active", "3,ada,Ada,Bello,sabbatical")
	if _, err := f.SetLifecycleState(t.Context(), f.ID("tunde"), "leave"); err != nil {
		t.Fatal(err)
	}
	f.Process()
	demand := func(want ...string) {
		t.Helper()
		got := []string{f.lifecycle("ngozi"), f.lifecycle("tunde"), f.lifecycle("ada"),
			fmt.Sprint(f.CountRows("muster.provisioning_operations WHERE state = 'MANUAL'"))}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	demand("leave INACTIVE_LONG_TERM by the source", "leave INACTIVE_LONG_TERM by hand", "none ACTIVE by the source", "2")
	f.ApplyText(states(false))
	f.Process()
	demand("none ACTIVE by the source", "active ACTIVE by the source", "none ACTIVE by the source", "0")
	if got := f.explainedLifecycle("ngozi"); got != `cloudLifecycleState is "leave", a state that is not enabled` {
		t.Errorf("it is explained as %q", got)
	}
	demandKind(t, setState(f.SetLifecycleState(t.Context(), f.ID("tunde"), "On leave")), engine.Conflict,
		`the lifecycle state "leave" of the identity profile "Staff" is not enabled: the enabled ones are active, inactive`)
	demandKind(t, setState(f.SetLifecycleState(t.Context(), f.ID("tunde"), "nowhere")), engine.NotFound, "those are active, inactive")
	for _, want := range []string{
		`cloudLifecycleState is "leave", a lifecycle state that is not enabled of the identity profile "Staff": those are active, inactive`,
		`cloudLifecycleState is "sabbatical", which is the technical name of no lifecycle state of the identity profile "Staff"`,
	} {
		if n := f.CountRows("muster.task_messages WHERE text LIKE '%' || $1 || '%'", want); n == 0 {
			t.Errorf("no task has the warning %s", want)
		}
	}
}

// A name that stands for nothing is refused: a source that mappings and saved transforms name, an account attribute that
// its source does not declare, and the attributes of correlations. One fault names all places, and what may be meant.
func TestNamesThatStandForNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	good := register("firstname", fromRegister("given"), "lastname", fromRegister("family"))
	f.ApplyText(good)
	saved := "transforms: [{name: Given, type: accountAttribute, attributes: {sourceName: Register, attributeName: given}}]\n"
	correlated := func(member string) string {
		return strings.Replace(good, "identityProfiles:", "    "+member+"\nidentityProfiles:", 1)
	}
	for _, test := range []struct {
		name, text string
		wants      []string
	}{
		{"a source that was renamed", saved + strings.NewReplacer("- name: Register", "- id: "+f.text("SELECT id::text FROM muster.sources")+
			"\n    name: Register 2", "{name: Register}", "{name: Register 2}").Replace(good), []string{
			`identity profile "Staff": attribute uid, attribute firstname, attribute lastname; transform "Given": there is no source "Register"; did you mean "Register 2"?`}},
		{"a source that was never there", register("alpha", "{type: accountAttribute, attributes: {sourceId: 2c91808570313110017040b06f344ec9, attributeName: x}}"),
			[]string{`identity profile "Staff": attribute alpha: there is no source "2c91808570313110017040b06f344ec9": there are "Register"`}},
		{"an attribute in another case", register("alpha", fromRegister("Given")),
			[]string{`identity profile "Staff": attribute alpha: there is no account attribute of the source "Register" named "Given"; did you mean "given"?`}},
		{"an attribute by a saved transform", strings.Replace(saved, "attributeName: given", "attributeName: shoeSize", 1) +
			register("alpha", "{type: reference, attributes: {id: Given}}"), []string{
			`identity profile "Staff": attribute alpha; transform "Given": there is no account attribute of the source "Register" named "shoeSize": there are "no", "login", "given", "family", "status"`}},
		{"an attribute that a filter asks", register("alpha",
			"{type: accountAttribute, attributes: {sourceName: Register, attributeName: given, accountPropertyFilter: 'grade == 1'}}"),
			[]string{`there is no account attribute of the source "Register" named "grade"`}},
		{"a manager correlation", correlated("managerCorrelationMapping: {accountAttributeName: boss, identityAttributeName: bossNumber}"), []string{
			`source "Register": managerCorrelationMapping.accountAttributeName: there is no account attribute of the source "Register" named "boss": there are`,
			`source "Register": managerCorrelationMapping.identityAttributeName: there is no identity attribute "bossNumber"`}},
		{"an account correlation", correlated("accountCorrelationConfig: {attributeAssignments: [{property: uid, value: no}, {property: emai, value: mail}]}"), []string{
			`source "Register": accountCorrelationConfig.attributeAssignments[1].property: there is no identity attribute "emai"; did you mean "email"?`,
			`accountCorrelationConfig.attributeAssignments[1].value: there is no account attribute of the source "Register" named "mail"`}},
	} {
		documents, err := engine.ReadDocuments("config.yaml", strings.NewReader(test.text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Apply(t.Context(), documents)
		for _, want := range test.wants {
			demandKind(t, err, engine.Invalid, want)
		}
		_, err = f.Preview(t.Context(), engine.PreviewParams{Documents: documents}, nil)
		demandKind(t, err, engine.Invalid, test.wants[0])
	}
	// These are taken: own properties of accounts, the source's name in another form, and any attribute of a source
	// whose schema declares none.
	f.ApplyText(register("alpha", `{type: accountAttribute, attributes: {applicationName: "Register [source]", attributeName: given,
            accountSortAttribute: created, accountFilter: 'nativeIdentity == "1"', accountPropertyFilter: 'disabled == false'}}`))
	f.ApplyText("sources: [{name: Open, connector: delimited-file, schemas: [{name: account, identityAttribute: id}]}]\n" +
		register("alpha", "{type: accountAttribute, attributes: {sourceName: Open, attributeName: anything}}"))
}
