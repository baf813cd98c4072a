package transform

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/velocity"
)

func staticOf(value string, variables ...string) string {
	more := ""
	for i := 0; i < len(variables); i += 2 {
		more += fmt.Sprintf(`, %q: %s`, variables[i], variables[i+1])
	}
	return fmt.Sprintf(`{"type": "static", "attributes": {"value": %q%s}}`, value, more)
}

// A variable that is declared nowhere is a fault, wherever a template stands.
func TestUndeclaredVariables(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, definition, want string }{
		{"a typo", staticOf("$given.$famly", "given", `"a"`, "family", `"b"`),
			`attributes.value: there is no variable $famly; did you mean "family"?`},
		{"quiet", staticOf("[$!nick]"), "there is no variable $nick"},
		{"in braces with a method", staticOf("${nick.toLowerCase()}"), "there is no variable $nick"},
		{"in a condition", staticOf("#if($nick)a#end"), "there is no variable $nick"},
		{"in a quoted text", staticOf(`#set($x = "a$nick")$x`), "there is no variable $nick"},
		{"as an argument", staticOf("$identity.getAttribute($nick)"), "there is no variable $nick"},
		{"in a pattern", username(`["$first$lst"]`), "attributes.patterns[0]: there is no variable $lst"},
		{"in an input", `{"type": "upper", "attributes": {"input": "$nick"}}`, "attributes.input: there is no variable $nick"},
		{"in a list", `{"type": "concat", "attributes": {"values": ["a", "$nick"]}}`, "attributes.values[1]: there is no variable $nick"},
		{"in a condition of texts", `{"type": "conditional", "attributes": {"expression": "$nick eq a", "positiveCondition": "$x", "negativeCondition": ""}}`,
			"attributes.expression: there is no variable $nick"},
		{"in a table", `{"type": "lookup", "attributes": {"table": {"a": "$nick"}}}`, "attributes.table.a: there is no variable $nick"},
		{"in a replacement", `{"type": "replace", "attributes": {"regex": "(?<nick>a)", "replacement": "${nick}$nock"}}`,
			"attributes.replacement: there is no variable $nock"},
		{"in a rule's parameter", `{"type": "rule", "attributes": {"name": "echo", "suffix": "$nick"}}`, "attributes.suffix: there is no variable $nick"},
		{"of a sibling", `{"type": "concat", "attributes": {"values": [` + staticOf("$x", "x", `"a"`) + `, "$x"]}}`,
			"attributes.values[1]: there is no variable $x"},
		{"of the transform that refers to it", `{"type": "concat", "attributes": {"x": "a", "values": [{"type": "reference", "attributes": {"id": "Reads x"}}]}}`,
			`transform "Reads x": attributes.value: there is no variable $x`},
		{"an operation's attribute", `{"type": "static", "attributes": {"value": "$value"}}`, "there is no variable $value"},
		{"a map", `{"type": "static", "attributes": {"value": "$m", "m": {"a": "b"}}}`, "there is no variable $m"},
		{"outside of a policy", staticOf("$displayName@example.org"), "there is no variable $displayName"},
	} {
		_, err := Compile([]byte(test.definition), savedLibrary{"Reads x": staticOf("$x")})
		var fault *CompileError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

// savedLibrary has saved transforms and the rules of [library].
type savedLibrary map[string]string

func (l savedLibrary) Transform(name string) ([]byte, bool) {
	definition, ok := l[name]
	return []byte(definition), ok
}
func (savedLibrary) Rule(name string) (Rule, bool) { return library.Rule(name) }

func TestDeclaredVariables(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ definition, want string }{
		{staticOf("#set($x = 'a')#foreach($y in ['b'])$x$y$foreach.count$velocityCount#end"), `"ab11"`},
		{staticOf(`#set($y = "#set($x = 'a')$x")$y`), `"a"`},
		{staticOf("$a$b", "a", `"$b"`, "b", `"x"`), `"xx"`},
		// what stands around it
		{`{"type": "concat", "attributes": {"x": "1", "values": ["$x", {"type": "lower", "attributes": {"input": "$x$y", "y": "B"}}]}}`, `"11b"`},
		{staticOf(`5 \$USD, \#1`), `"5 $USD, #1"`},
		{staticOf("$5 $ #1"), `"$5 $ #1"`},
		// null
		{staticOf("$f", "f", hrNone), `null`},
		{staticOf("$!f", "f", hrNone), `""`},
		{staticOf("[$!f]", "f", hrNone), `"[]"`},
		{staticOf("#if($f)a#{else}b#end", "f", hrNone), `"b"`},
		{staticOf("#if($f == 'x')a#{else}b#end", "f", hrNone), `"b"`},
		{staticOf("$f.$l", "f", hrNone, "l", `"x"`), `ERR static: $f is null: give it a value by firstValid, or write $!f for an empty text`},
		{staticOf("${f}x", "f", hrNone), `ERR static: ${f} is null: give it a value by firstValid, or write $!{f} for an empty text`},
		{staticOf("$f.toLowerCase()x", "f", hrNone), `ERR static: $f.toLowerCase() is null: give it a value by firstValid, or write $!f.toLowerCase() for an empty text`},
		{staticOf("$identity.getAttribute('none')@x"), `ERR static: $identity.getAttribute('none') is null: give it a value by firstValid, or write $!identity.getAttribute('none') for an empty text`},
		{staticOf("#set($x = $f)a$x", "f", hrNone), `ERR static: $x is null: give it a value by firstValid, or write $!x for an empty text`},
		{`{"type": "upper", "attributes": {"input": "a$f", "f": ` + hrNone + `}}`, `ERR upper: $f is null: give it a value by firstValid, or write $!f for an empty text`},
		{`{"type": "firstValid", "attributes": {"values": ["a$f", "b"], "ignoreErrors": true, "f": ` + hrNone + `}}`, `"b"`},
		{`{"type": "rule", "attributes": {"name": "echo", "suffix": "a$f", "f": ` + hrNone + `}}`, `ERR rule: $f is null: give it a value by firstValid, or write $!f for an empty text`},
		{`{"type": "rule", "attributes": {"name": "echo", "suffix": "a$f", "f": "b"}}`, `"input/ab"`},
		{staticOf("$application|$!current"), `"AD|"`},
	} {
		if got := evaluate(t, test.definition, testInput()); got != test.want {
			t.Errorf("%s gives %s, want %s", test.definition, got, test.want)
		}
	}
}

// The fields of a policy see those before them.
func TestEarlierFields(t *testing.T) {
	t.Parallel()
	field := []byte(`{"name": "mail", "transform": ` + staticOf("$displayName@example.org") + `}`)
	if _, err := CompileField(field, nil); err == nil || !strings.Contains(err.Error(), "transform.attributes.value: there is no variable $displayName") {
		t.Errorf("without it: %v", err)
	}
	compiled, err := CompileField(field, nil, "cn", "displayName")
	if err != nil {
		t.Fatal(err)
	}
	in := testInput()
	in.Variables = map[string]attribute.Value{"displayName": attribute.String("ann")}
	if value, err := compiled.Transform.Evaluate(in); err != nil || value.Text() != "ann@example.org" {
		t.Errorf("got %s %v", value.Text(), err)
	}
	in.Variables = nil
	var null *velocity.NullError
	if _, err := compiled.Transform.Evaluate(in); !errors.As(err, &null) {
		t.Errorf("without a value: %v", err)
	}
}

func TestReplacements(t *testing.T) {
	t.Parallel()
	replace := func(regex, with string, variables ...string) string {
		more := ""
		for i := 0; i < len(variables); i += 2 {
			more += fmt.Sprintf(`, %q: %s`, variables[i], variables[i+1])
		}
		return fmt.Sprintf(`{"type": "replace", "attributes": {"regex": %q, "replacement": %q%s}}`, regex, with, more)
	}
	for _, test := range []struct{ definition, input, want string }{
		{replace("EUR", `\$`), "7 EUR", `"7 $"`},
		{replace("EUR", `\$1`), "7 EUR", `"7 $1"`},
		{replace("EUR", `\\`), "7 EUR", `"7 \\"`},
		{replace("EUR", `\#`), "7 EUR", `"7 #"`},
		{replace("(?<last>\\w+), (?<first>\\w+)", "${first} ${last}"), "Baker, Ann", `"Ann Baker"`},
		{replace("(?<last>\\w+), (\\w+)", "$2 ${last}$mark", "mark", `"!"`), "Baker, Ann", `"Ann Baker!"`},
		{replace("(?<last>\\w+), (\\w+)", `#if($mark == '!')$2\$#end`, "mark", `"!"`), "Baker, Ann", `"Ann$"`},
		{replace("(?<last>\\w+)", "${last}$mark", "mark", hrNone), "Ann", `ERR replace: $mark is null: give it a value by firstValid, or write $!mark for an empty text`},
		{replace("(?<last>\\w+)", "<${last}>", "last", `"x"`), "Ann", `"\u003cx\u003e"`},
		{`{"type": "replaceAll", "attributes": {"table": {"EUR": "\\$", "(?<n>[0-9]+) ": "${n}"}}}`, "7 EUR", `"7$"`},
		{`{"type": "replace", "attributes": {"regex": "a", "replacement": {"type": "static", "attributes": {"value": "b"}}}}`, "a", `"b"`},
	} {
		in := testInput()
		in.Value = attribute.String(test.input)
		if got := evaluate(t, test.definition, in); strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(got) != test.want {
			t.Errorf("%s gives %s, want %s", test.definition, got, test.want)
		}
	}
}

// Whole numbers may be written with a fraction, and come from transforms.
func TestNumbers(t *testing.T) {
	t.Parallel()
	length := `{"type": "indexOf", "attributes": {"input": "abcd", "substring": "d"}}`
	for _, test := range []struct{ definition, want string }{
		{`{"type": "substring", "attributes": {"begin": {"type": "indexOf", "attributes": {"substring": ","}}, "beginOffset": 2.0, "end": -1.0, "input": "Graz, Austria"}}`, `"Austria"`},
		{`{"type": "substring", "attributes": {"begin": {"type": "indexOf", "attributes": {"substring": "("}}, "beginOffset": {"type": "static", "attributes": {"value": "1"}},
			"end": {"type": "lastIndexOf", "attributes": {"substring": ")"}}, "endOffset": "$minus", "minus": "-1.0", "input": "Ann (Annie)"}}`, `"Anni"`},
		{`{"type": "substring", "attributes": {"begin": {"type": "indexOf", "attributes": {"substring": "@"}}, "beginOffset": 1, "input": "none"}}`, `"none"`},
		{`{"type": "substring", "attributes": {"begin": "1.0", "end": 3.0, "endOffset": "0.0", "input": "abcd"}}`, `"bc"`},
		{`{"type": "substring", "attributes": {"begin": "$n", "n": "1.5", "input": "abcd"}}`, `ERR substring: begin is not a whole number`},
		{`{"type": "substring", "attributes": {"begin": 1e1, "input": "abcdefghijkl"}}`, `"kl"`},
		{`{"type": "leftPad", "attributes": {"length": 5.0, "padding": "0", "input": "7"}}`, `"00007"`},
		{`{"type": "rightPad", "attributes": {"length": ` + length + `, "padding": "0", "input": "7"}}`, `"700"`},
		{`{"type": "split", "attributes": {"delimiter": ",", "index": "1.0", "input": "a,b"}}`, `"b"`},
		{`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEndOfString", "numChars": 2.0, "input": "abcd"}}`, `"cd"`},
		{`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEndOfString", "numChars": ` + length + `, "input": "abcd"}}`, `"bcd"`},
		{`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEndOfString", "numChars": ` + hrNone + `, "input": "abcd"}}`,
			`ERR rule: numChars is no whole number from 0 to 262144`},
		{`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEndOfString", "numChars": "$n", "n": "many", "input": "abcd"}}`,
			`ERR rule: numChars is no whole number from 0 to 262144`},
	} {
		if got := evaluate(t, test.definition, testInput()); got != test.want {
			t.Errorf("%s gives %s, want %s", test.definition, got, test.want)
		}
	}
	for definition, size := range map[string]int{
		`{"type": "randomNumeric", "attributes": {"length": 3.0}}`:                                                                                     3,
		`{"type": "randomAlphaNumeric", "attributes": {"length": ` + length + `}}`:                                                                     3,
		`{"type": "randomNumeric", "attributes": {"length": null}}`:                                                                                    10,
		`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "generateRandomString", "length": ` + length + `}}`: 3,
	} {
		if got := evaluate(t, definition, testInput()); len(got) != size+2 {
			t.Errorf("%s gives %s", definition, got)
		}
	}
	for _, text := range []string{"", "x", "1.5", "0x10", "Inf", "NaN", "1e30", "1_0", "9007199254740993.0", "9007199254740992.0", "."} {
		if n, err := wholeNumber(text); err == nil {
			t.Errorf("%q is read as %d", text, n)
		}
	}
	for text, want := range map[string]int{" 7 ": 7, "-1.0": -1, "+2": 2, "10.000": 10, "9007199254740991.0": 1<<53 - 1, "3.": 3} {
		if n, err := wholeNumber(text); err != nil || n != want {
			t.Errorf("%q is read as %d %v, want %d", text, n, err, want)
		}
	}
}

// What every tenant has, though nobody saved it.
func TestBuiltIn(t *testing.T) {
	t.Parallel()
	reference := func(name string) string {
		return fmt.Sprintf(`{"type": "reference", "attributes": {"id": %q, "input": "Österreich"}}`, name)
	}
	for _, lib := range []Library{nil, savedLibrary{}} {
		for name, want := range map[string]string{
			"ToUpper": "ÖSTERREICH", "ToLower": "österreich", "ISO3166 Country Format": "AT", "Use Preferred Name": "Ann Bäker",
		} {
			compiled, err := Compile([]byte(reference(name)), lib)
			if err != nil {
				t.Fatal(err)
			}
			if value, err := compiled.Evaluate(testInput()); err != nil || value.Text() != want {
				t.Errorf("%s gives %s %v, want %s", name, value.Text(), err, want)
			}
			if saved := compiled.Dependencies().Transforms; len(saved) != 0 {
				t.Errorf("%s depends on the saved %v", name, saved)
			}
		}
	}
	own, err := Compile([]byte(reference("ToUpper")), savedLibrary{"ToUpper": staticOf("mine")})
	if err != nil {
		t.Fatal(err)
	}
	if value, err := own.Evaluate(testInput()); err != nil || value.Text() != "mine" || len(own.Dependencies().Transforms) != 1 {
		t.Errorf("the tenant's own gives %s %v", value.Text(), err)
	}
	if _, err := Compile([]byte(reference("ToTitle")), savedLibrary{}); err == nil {
		t.Error("ToTitle is there")
	}
}

func TestTemplateGenerator(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"Create Unique LDAP Attribute", "Create Unique Account ID"} {
		for _, test := range []struct {
			template, limits string
			taken            int
			want, fault      string
		}{
			{"${firstname}.${lastname}${uniqueCounter}", `"cloudMaxUniqueChecks": "2", "cloudMaxSize": "20", "cloudRequired": "true"`, 2, "Ann.Bäker2", ""},
			{"$(firstname).$(lastname)$(uniqueCounter)", `"cloudMaxSize": 8.0`, 1, "Ann.Bäk1", ""},
			{"{firstname}.{lastname}{uniqueCounter}", ``, 0, "Ann.Bäker", ""},
			{"firstname.lastname.uniqueCounter", ``, 1, "Ann.Bäker1", ""},
			{"CN=$firstname.toUpperCase() ${lastname},OU=People", ``, 0, "CN=ANN Bäker,OU=People", ""},
			{"${firstname}${middlename}${uniqueCounter}", ``, 0, "", "no pattern can be used: each has a variable that is null, such as ${middlename}"},
			{"${firstname}${uniqueCounter}", `"cloudMaxUniqueChecks": "2"`, 3, "", "no name is free: 3 were tried"},
			{"${firstname}", ``, 1, "", "no name is free: 1 were tried"},
		} {
			field := fmt.Sprintf(`{"name": "uid", "transform": {"type": "rule", "attributes": {"name": %q}}, "attributes": {"template": %q%s}}`,
				rule, test.template, strings.TrimSuffix(", "+test.limits, ", "))
			compiled, err := CompileField([]byte(field), nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := compiled.Transform.Dependencies(); !d.Names || !d.Identity || len(d.Rules) != 0 || d.Attributes[0] != "firstname" {
				t.Errorf("%s depends on %+v", test.template, d)
			}
			var asked []Candidate
			in := testInput()
			in.Attribute = "uid"
			in.Taken = func(c Candidate) (bool, error) {
				asked = append(asked, c)
				return len(asked) <= test.taken, nil
			}
			value, err := compiled.Transform.Evaluate(in)
			if test.fault == "" && (err != nil || value.Text() != test.want || asked[0].Attribute != "uid" || asked[0].Source) {
				t.Errorf("%s gives %s %v after %v, want %s", test.template, value.Text(), err, asked, test.want)
			}
			if test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)) {
				t.Errorf("%s gives %s %v, want %s", test.template, value.Text(), err, test.fault)
			}
		}
	}
	for attributes, want := range map[string]string{
		``:                                 "attributes.template: it is missing: the rule needs a template",
		`, "template": "smith"`:            "it names no attribute of the identity",
		`, "template": "${a"`:              "attributes.template: at character 4 of the template",
		`, "template": "$uniqueCounter$$"`: "",
	} {
		_, err := Compile([]byte(`{"type": "rule", "attributes": {"name": "Create Unique Account ID"`+attributes+`}}`), nil)
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) || want == "" && err != nil {
			t.Errorf("%s: %v, want %s", attributes, err, want)
		}
	}
	own, err := Compile([]byte(`{"type": "rule", "attributes": {"name": "Create Unique Account ID", "template": "$fi$lastname", "sourceCheck": true,
		"fi": {"type": "substring", "attributes": {"input": "$identity.firstname", "begin": 0, "end": 1}}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	in := testInput()
	in.Taken = func(c Candidate) (bool, error) {
		if c != (Candidate{"ABäker", "email", true}) {
			t.Errorf("it asks about %+v", c)
		}
		return false, nil
	}
	if value, err := own.Evaluate(in); err != nil || value.Text() != "ABäker" {
		t.Errorf("got %s %v", value.Text(), err)
	}
	// The words are part of a name only if the counter is, and only then.
	if got := onlyWords.FindStringSubmatch("a.b"); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestCreatePassword(t *testing.T) {
	t.Parallel()
	definition := `{"type": "rule", "attributes": {"name": "Create Password"%s}}`
	for length, size := range map[string]int{"": 16, `, "length": "24"`: 24} {
		compiled, err := Compile(fmt.Appendf(nil, definition, length), nil)
		if err != nil || !compiled.Random() {
			t.Fatal(err)
		}
		value, err := compiled.Evaluate(testInput())
		if err != nil || len(value.Text()) != size {
			t.Errorf("got %s %v", value.Text(), err)
		}
		for _, kind := range []string{digits, smalls, capitals, specials} {
			if !strings.ContainsAny(value.Text(), kind) {
				t.Errorf("%s has none of %s", value.Text(), kind)
			}
		}
	}
	if _, err := Compile(fmt.Appendf(nil, definition, `, "length": 7`), nil); err == nil {
		t.Error("a short password")
	}
}

// The parameters of a rule may have any shape.
func TestRuleParameters(t *testing.T) {
	t.Parallel()
	for parameter, want := range map[string]string{
		`{"a": 1.5, "b": ["x", null, {"c": true}], "$d": "\"q\""}`: `{"a":1.5,"b":["x",null,{"c":true}],"$d":"\"q\""}`,
		`{}`:                  `{}`,
		`[["a"], "b"]`:        `[["a"],"b"]`,
		`[{"type": "upper"}]`: `[{"type":"upper"}]`,
		`"text"`:              `text`,
		`7`:                   `7`,
		`{"type": "upper"}`:   `INPUT`,
		`"$identity.uid"`:     `abaker`,
	} {
		compiled, err := Compile([]byte(`{"type": "rule", "attributes": {"name": "echo", "suffix": `+parameter+`}}`), library)
		if err != nil {
			t.Errorf("%s: %v", parameter, err)
			continue
		}
		if value, err := compiled.Evaluate(testInput()); err != nil || value.Text() != "input/"+want {
			t.Errorf("%s is %s %v, want %s", parameter, value.Text(), err, want)
		}
	}
}

func TestAccountFilters(t *testing.T) {
	t.Parallel()
	in := testInput()
	in.Accounts[0].Entitlements = true
	in.Accounts[1].Disabled, in.Accounts[1].Locked = true, true
	// Attributes with the names of properties, with other values.
	for i := range in.Accounts {
		in.Accounts[i].Attributes.Put("displayName", attribute.String("attribute "+in.Accounts[i].Name))
	}
	for _, test := range []struct{ source, filters, want string }{
		{`"sourceName": "AD"`, `"accountFilter": "(entitlements == true)"`, `"new"`},
		{`"sourceName": "AD"`, `"accountFilter": "!(entitlements == true) && !(nativeIdentity.startsWith(\"*DELETED*\"))"`, `"old"`},
		{`"sourceName": "AD"`, `"accountFilter": "displayName.startsWith(\"Display CN=n\")"`, `"new"`},
		{`"sourceName": "AD"`, `"accountFilter": "displayName.startsWithIgnoreCase(\"ATTRIBUTE\")"`, `null`},
		{`"sourceName": "AD"`, `"accountPropertyFilter": "displayName.startsWithIgnoreCase(\"ATTRIBUTE Display CN=o\")"`, `"old"`},
		{`"sourceName": "AD"`, `"accountFilter": "nativeIdentity == i\"cn=OLD\""`, `"old"`},
		{`"sourceName": "AD"`, `"accountFilter": "title == \"B\""`, `"new"`},
		{`"sourceName": "AD"`, `"accountFilter": "missing.isNull() && disabled == true"`, `"old"`},
		{`"sourceName": "AD"`, `"accountPropertyFilter": "disabled == false && title.isNull()"`, `null`},
		{`"sourceName": "AD"`, `"accountPropertyFilter": "disabled == true"`, `"old"`},
		{`"sourceName": "AD"`, `"accountPropertyFilter": "IIQDisabled == true && iiqLocked == true && IIQLocked == true"`, `"old"`},
		{`"sourceName": "AD"`, `"accountFilter": "entitlements == true", "accountPropertyFilter": "title == \"A\""`, `null`},
		{`"applicationName": "AD [source]"`, `"accountPropertyFilter": "title == \"B\""`, `"new"`},
		{`"sourceName": "AD [source]"`, `"accountPropertyFilter": "title == \"B\""`, `"new"`},
		{`"sourceName": "AD [other]"`, ``, `null`},
	} {
		definition := `{"type": "accountAttribute", "attributes": {"attributeName": "sam", ` + strings.TrimSuffix(test.source+", "+test.filters, ", ") + `}}`
		if got := evaluate(t, definition, in); got != test.want {
			t.Errorf("%s gives %s, want %s", definition, got, test.want)
		}
	}
	for template, want := range map[string]string{
		`$identity.getLinksByAppIdOrName(null, 'AD').size()`:                                                         `3`,
		`$identity.getLinksByAppIdOrName(null, 'AD [source]').size()`:                                                `3`,
		`$identity.getLinksByAppIdOrName('ID-ad', null).size()`:                                                      `3`,
		`$identity.getLinksByAppIdOrName('none', null).size()`:                                                       `0`,
		`$identity.getLinksByAppIdOrName(null, 'HR')[0].getNativeIdentity()`:                                         `7`,
		`$identity.getLinksByAppIdOrName(null, 'AD')[1].isDisabled()`:                                                `true`,
		`$identity.getLinksByAppIdOrName(null, 'AD')[0].isLocked()`:                                                  `false`,
		`$identity.getLinksByAppIdOrName(null, 'AD')[1].getAttributes().get('rank')`:                                 `10`,
		`$identity.getLinksByAppIdOrName(null, 'AD')[1].attributes.rank`:                                             `10`,
		`$identity.getAttributes().get('dept') $identity.getAttributes().containsKey('x') $identity.attributes.dept`: `Sales false Sales`,
		`$identity.getFullName()`: `Ann Bäker`,
	} {
		if got := evaluate(t, staticOf("$x", "x", `"`+template+`"`), in); got != `"`+want+`"` {
			t.Errorf("%s gives %s, want %s", template, got, want)
		}
	}
	for _, template := range []string{"(null, null)", "()", "(null)", "('a', 'b', 'c')"} {
		if got := evaluate(t, staticOf("$identity.getLinksByAppIdOrName"+template), in); !strings.Contains(got, "it takes the ID of a source and null") {
			t.Errorf("%s gives %s", template, got)
		}
	}
	if got := SourceName("HR [source]") + SourceName("HR"); got != "HRHR" {
		t.Errorf("got %s", got)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	region := `{"type": "e164phone", "attributes": {"input": %q, "defaultRegion": %s}}`
	for _, test := range []struct{ definition, want string }{
		{fmt.Sprintf(region, "+43 660 1234567", hrNone), `"+436601234567"`},
		{fmt.Sprintf(region, "+43 660 1234567", `{"type": "static", "attributes": {"value": "Austria"}}`), `"+436601234567"`},
		{fmt.Sprintf(region, "0660 1234567", hrNone), `null`},
		{fmt.Sprintf(region, "212 456 7890", hrNone), `null`}, // only a region that is not given is the US
		{fmt.Sprintf(region, "0660 1234567", `{"type": "static", "attributes": {"value": "Austria"}}`), `null`},
		{fmt.Sprintf(region, "0660 1234567", `{"type": "static", "attributes": {"value": " at "}}`), `"+436601234567"`},
		{fmt.Sprintf(region, "212 456 7890", `""`), `"+12124567890"`},
		{`{"type": "normalizeNames", "attributes": {"input": "ΓΙΩΡΓΟΣ ΟΔΥΣΣΕΥΣ-ΝΙΚΟΣ"}}`, `"Γιωργος Οδυσσευς-Νικος"`},
		{`{"type": "lower", "attributes": {"input": "ΟΔΟΣ ΑΣ"}}`, `"οδος ας"`},
		{staticOf("$x.toLowerCase()", "x", `"ΟΔΟΣ"`), `"οδος"`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "sam", "accountPropertyFilter": "greek == i\"οδος\""}}`, `"new"`},
		{`{"type": "rfc5646", "attributes": {"input": "dut"}}`, `"nl"`},
		{`{"type": "rfc5646", "attributes": {"input": "CHI"}}`, `"zh"`},
		{`{"type": "rfc5646", "attributes": {"input": "deu"}}`, `"de"`},
		{`{"type": "rfc5646", "attributes": {"input": "haw"}}`, `"haw"`},
		{`{"type": "rfc5646", "attributes": {"input": "qaz"}}`, `null`},
		{`{"type": "rfc5646", "attributes": {"input": "mul"}}`, `null`},
		{`{"type": "rfc5646", "attributes": {"input": "French (Caribbean)"}}`, `null`},
		{`{"type": "rfc5646", "attributes": {"input": "English (Caribbean)"}}`, `"en_CB"`},
		{`{"type": "rfc5646", "attributes": {"input": "German (Cyrillic)"}}`, `null`},
		{`{"type": "rfc5646", "attributes": {"input": "Uzbek (Cyrillic) (Uzbekistan)"}}`, `"uz_UZ_#Cyrl"`},
	} {
		in := testInput()
		in.Accounts[0].Attributes.Put("greek", attribute.String("ΟΔΟΣ"))
		if got := evaluate(t, test.definition, in); got != test.want {
			t.Errorf("%s gives %s, want %s", test.definition, got, test.want)
		}
	}
}
