package engine_test

import (
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// A transform that would run for ever on somebody's values is that identity's error; the others of its batch are
// calculated.
func TestEndlessTransform(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	const failing = "Cy Self" // its account's name: it was never calculated
	for name, test := range map[string]struct{ transform, want string }{
		"a regular expression": {
			`{type: replace, attributes: {regex: "(a+)+$", replacement: "", input: {type: accountAttribute,
				attributes: {sourceName: HR, attributeName: dept}}}}`,
			"takes more than 250ms",
		},
		"one after the other": {
			`{type: firstValid, attributes: {ignoreErrors: true, values: [
				{type: split, attributes: {delimiter: "(a+)+$", index: 7, input: "$dept"}}, "$dept.replaceAll('(a+)+$', '').x()",
				"$dept.replaceAll('(a|aa)+$', '').x()", fallback],
				dept: {type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}}}}`,
			"takes more than 250ms",
		},
		"a template": {
			`{type: static, attributes: {dept: {type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}},
				value: "#if($dept.endsWith('b'))#foreach($x in [1..9999])#foreach($y in [1..9999])#end#end#end$dept"}}`,
			"takes more than 100000 steps",
		},
		"a text that grows": {
			`{type: static, attributes: {dept: {type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}},
				value: "#if($dept.endsWith('b'))#foreach($x in [1..99])#set($dept = $dept + $dept)#end#end$dept"}}`,
			"the text of the template is too long",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixtureWith(t, engine.Config{BatchSize: 100, Workers: 1})
			f.ApplyText(strings.Replace(enginetest.Documents, `{identityAttributeName: department, transformDefinition: `+
				`{type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}}}`,
				`{identityAttributeName: department, transformDefinition: `+test.transform+`}`, 1))
			f.AggregateText("HR", strings.Replace(enginetest.People, "Legal", strings.Repeat("a", 40)+"b", 1), engine.AggregateOptions{})
			result := f.Process()
			if result.Errors != 1 || result.Identities != 5 {
				t.Errorf("got %+v, want Errors 1 and Identities 5", result)
			}
			for _, alias := range []string{"ann", "bob", "ayse", failing, "dee"} {
				identity := f.Identity(alias)
				failed := identity.ProcessingState != nil && *identity.ProcessingState == "ERROR"
				if failed != (alias == failing) {
					t.Errorf("got %s: %v, want failed == (alias == failing)", alias, identity.ProcessingState)
				}
			}
			explained, err := f.Explain(t.Context(), engine.ExplainParams{Identity: failing})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(explained.Error, test.want) || strings.Contains(explained.Error, "aaaa") {
				t.Errorf("%q, want %q", explained.Error, test.want)
			}
		})
	}
}
