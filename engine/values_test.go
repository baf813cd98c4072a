package engine_test

import (
	"errors"
	"fmt"
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

// staff lets the source Register have these accounts, and processes whom they concern.
func (f *fixture) staff(rows ...string) {
	f.t.Helper()
	f.AggregateText("Register", "no,login,given,family,status\n"+strings.Join(rows, "\n")+"\n", engine.AggregateOptions{})
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
