package criteria

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/attribute"
)

var directory, codeHost = ID{1}, ID{2}

func sources(text string) (ID, bool) {
	switch text {
	case "directory":
		return directory, true
	case "codehost":
		return codeHost, true
	}
	return ID{}, false
}

func parse(t testing.TB, text string) *Criterion {
	t.Helper()
	c, err := Parse([]byte(text), sources)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func set(pairs ...any) *attribute.Set {
	s := &attribute.Set{}
	for i := 0; i < len(pairs); i += 2 {
		switch value := pairs[i+1].(type) {
		case string:
			s.Put(pairs[i].(string), attribute.String(value))
		case []string:
			s.Put(pairs[i].(string), attribute.List(value))
		case bool:
			s.Put(pairs[i].(string), attribute.Bool(value))
		case int:
			s.Put(pairs[i].(string), attribute.Int(int64(value)))
		}
	}
	return s
}

func ann() *Facts {
	return &Facts{
		Identity: set("department", "Engineering", "city", "Zürich", "level", "10", "hired", "2024-02-01", "active", true,
			"badge", 7, "tags", []string{"Red", "Blue"}, "empty", "", "debt", "-5", "slope", "-0.5", "balance", "-0.00"),
		Accounts: []Account{
			{directory, set("memberOf", []string{"CN=Staff", "CN=VPN"}, "ou", "West")},
			{directory, set("ou", "East")},
			{codeHost, set("role", "owner")},
		},
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		key, operation, value string
		want                  bool
	}{
		{"department", "EQUALS", "engineering", true},
		{"department", "EQUALS", "engineer", false},
		{"department", "NOT_EQUALS", "ENGINEERING", false},
		{"department", "NOT_EQUALS", "sales", true},
		{"none", "EQUALS", "x", false},
		{"none", "NOT_EQUALS", "x", true},
		{"none", "DOES_NOT_CONTAIN", "x", true},
		{"none", "LESS_THAN", "x", false},
		{"empty", "NOT_EQUALS", "x", true},
		{"city", "EQUALS", "zu\u0308rich", true}, // the letter and its mark apart
		{"city", "STARTS_WITH", "ZÜ", true},
		{"city", "STARTS_WITH", "rich", false},
		{"city", "ENDS_WITH", "RICH", true},
		{"city", "ENDS_WITH", "zü", false},
		{"city", "CONTAINS", "Ric", true},
		{"city", "CONTAINS", "x", false},
		{"city", "DOES_NOT_CONTAIN", "Ric", false},
		{"tags", "EQUALS", "blue", true},
		{"tags", "NOT_EQUALS", "blue", false},
		{"tags", "NOT_EQUALS", "green", true},
		{"tags", "CONTAINS", "ed", true},
		{"active", "EQUALS", "TRUE", true},
		{"badge", "EQUALS", "7", true},
		{"level", "GREATER_THAN", "9", true}, // as numbers, not as texts
		{"level", "GREATER_THAN", "10", false},
		{"level", "GREATER_THAN_EQUALS", "10.0", true},
		{"level", "LESS_THAN", "9", false},
		{"level", "LESS_THAN", "10", false}, // equal
		{"level", "LESS_THAN", "-3", false},
		{"debt", "LESS_THAN", "0", true},
		{"debt", "LESS_THAN", "-3", true}, // of two negative numbers the greater amount is less
		{"debt", "GREATER_THAN", "-10", true},
		{"slope", "LESS_THAN", "0", true},
		{"balance", "GREATER_THAN_EQUALS", "0", true},                 // minus zero is zero
		{"level", "LESS_THAN", strings.Repeat("0", 98) + "11", true},  // the most digits of a number
		{"level", "LESS_THAN", strings.Repeat("0", 99) + "11", false}, // more digits: no number but a text
		{"level", "LESS_THAN_EQUALS", "+10", true},
		{"department", "GREATER_THAN", "5", false}, // no number
		{"hired", "LESS_THAN", "2025-01-01", true},
		{"hired", "GREATER_THAN", "2024-01-31", true},
		{"hired", "LESS_THAN_EQUALS", "2024-02-01", true},
		{"directory.memberOf", "EQUALS", "cn=vpn", true},
		{"directory.ou", "EQUALS", "east", true},
		{"directory.ou", "NOT_EQUALS", "east", false},
		{"codehost.role", "EQUALS", "owner", true},
		{"codehost.memberOf", "EQUALS", "cn=vpn", false},
		{"codehost.memberOf", "NOT_EQUALS", "cn=vpn", true},
	}
	for _, test := range tests {
		t.Run(test.key+" "+test.operation+" "+test.value, func(t *testing.T) {
			c := parse(t, leaf(test.key, test.operation, test.value))
			if got := c.Match(ann()); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			found := NewIndex([]*Criterion{nil, c}).Match(ann(), nil)
			if got := len(found) == 1 && found[0] == 1; got != test.want {
				t.Errorf("the index finds %v, want %v", found, test.want)
			}
		})
	}
}

// Names are compared for equality as names, and otherwise as texts. What they exclude is found.
func TestMatchNames(t *testing.T) {
	facts := &Facts{Accounts: []Account{{directory, set("memberOf", []string{`CN=Z\C3\BCrich, O=x`, "cn=vpn"})}}}
	for _, test := range []struct {
		operation, value string
		want             bool
	}{
		{"EQUALS", "cn=zürich,o=X", true},
		{"EQUALS", "cn=zürich", false},
		{"NOT_EQUALS", "cn=ZÜRICH , O=x", false},
		{"NOT_EQUALS", "cn=lab", true},
		{"CONTAINS", "cn=zürich", false},
		{"CONTAINS", `c3\bcrich`, true},
		{"STARTS_WITH", "CN=V", true},
	} {
		c := parse(t, leaf("directory.memberOf", test.operation, test.value))
		c.CompareNames(func(key Key) bool { return key.SourceID == directory && key.Attribute == "memberOf" })
		equality := test.operation == "EQUALS" || test.operation == "NOT_EQUALS"
		if got := c.Match(facts); got != test.want || c.Explain(facts).Holds != got || c.ComparesNames() != equality {
			t.Errorf("%s %s: %v, want %v", test.operation, test.value, got, test.want)
		}
		if found := NewIndex([]*Criterion{c}).Match(facts, nil); (len(found) == 1) != test.want {
			t.Errorf("%s %s: the index finds %v", test.operation, test.value, found)
		}
		if excludes := c.Excludes(facts, directory, "memberOf"); excludes != (test.operation == "NOT_EQUALS" && !test.want) ||
			c.Excludes(facts, codeHost, "memberOf") {
			t.Errorf("%s %s excludes: %v", test.operation, test.value, excludes)
		}
	}
}

func leaf(key, operation, value string) string {
	source, property, ofAccount := strings.Cut(key, ".")
	if !ofAccount {
		return fmt.Sprintf(`{"operation":%q,"key":{"type":"IDENTITY","property":"attribute.%s"},"stringValue":%q}`,
			operation, key, value)
	}
	kind := "ACCOUNT"
	if property == "memberOf" {
		kind = "ENTITLEMENT"
	}
	return fmt.Sprintf(`{"operation":%q,"key":{"type":%q,"property":"attribute.%s","sourceId":%q},"stringValue":%q}`,
		operation, kind, property, source, value)
}

func group(operation string, children ...string) string {
	return fmt.Sprintf(`{"operation":%q,"children":[%s]}`, operation, strings.Join(children, ","))
}

func TestGroups(t *testing.T) {
	yes, no := leaf("department", "EQUALS", "Engineering"), leaf("department", "EQUALS", "Sales")
	for _, test := range []struct {
		text string
		want bool
	}{
		{group("AND", yes), true},
		{group("OR", no), false},
		{group("AND", yes, group("OR", no, yes)), true},
		{group("AND", yes, group("OR", no, no)), false},
		{group("OR", no, group("AND", yes, yes)), true},
		{group("OR", no, group("AND", yes, no)), false},
	} {
		c := parse(t, test.text)
		if got := c.Match(ann()); got != test.want {
			t.Errorf("%s: got %v, want %v", test.text, got, test.want)
		}
		if e := c.Explain(ann()); e.Holds != test.want {
			t.Errorf("%s: the explanation says %v, want %v", test.text, e.Holds, test.want)
		}
	}
}

func TestParseFaults(t *testing.T) {
	yes := leaf("a", "EQUALS", "b")
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"no JSON", `{`, []string{"it is not valid JSON: unexpected end of JSON input"}},
		{"a list", `[]`, []string{"it is a JSON array, an object with operation is expected"}},
		{"null", `null`, []string{"it is null, an object with operation is expected"}},
		{"no operation", `{}`, []string{"operation: it is missing: one of EQUALS, NOT_EQUALS, CONTAINS, DOES_NOT_CONTAIN, STARTS_WITH, " +
			"ENDS_WITH, GREATER_THAN, LESS_THAN, GREATER_THAN_EQUALS, LESS_THAN_EQUALS, AND, OR is expected"}},
		{"a misspelt operation", `{"operation":"EQUAL"}`, []string{`operation: unknown operation "EQUAL"; did you mean "EQUALS"?`}},
		{"an operation like no other", `{"operation":"+"}`, []string{`operation: unknown operation "+": EQUALS, NOT_EQUALS, CONTAINS, ` +
			"DOES_NOT_CONTAIN, STARTS_WITH, ENDS_WITH, GREATER_THAN, LESS_THAN, GREATER_THAN_EQUALS, LESS_THAN_EQUALS, AND, OR are known"}},
		{"every fault", group("AND", `{"operation":"EQUALS","key":{"type":"ACOUNT"},"stringValue":5}`, leaf("nowhere.x", "EQUALS", "y")), []string{
			`children[0].key.type: unknown type "ACOUNT"; did you mean "ACCOUNT"?`,
			`children[0].key.property: it is missing: attribute. and the attribute's name are expected`,
			`children[0].stringValue: it is a JSON number, a string is expected`,
			`children[1].key.sourceId: there is no source "nowhere"`,
		}},
		{"no value", `{"operation":"EQUALS","key":{"type":"IDENTITY","property":"attribute.a"}}`,
			[]string{"stringValue: EQUALS needs a value to compare with"}},
		{"no key", `{"operation":"EQUALS","stringValue":"x"}`, []string{"key: it is missing: type and property say what is compared"}},
		{"no source", `{"operation":"EQUALS","key":{"type":"ACCOUNT","property":"attribute.a"},"stringValue":"x"}`,
			[]string{"key.sourceId: it is missing: a key of the type ACCOUNT needs the source"}},
		{"a comparison with children", strings.Replace(yes, `"key"`, `"children":[{}],"key"`, 1),
			[]string{"children: EQUALS compares a value and has no children"}},
		{"a group without children", group("OR"), []string{"children: OR needs children"}},
		{"a group with a value", strings.Replace(group("OR", yes), `"children"`, `"stringValue":"x","children"`, 1),
			[]string{"stringValue: OR has no value of its own"}},
		{"the same group in itself", group("OR", group("OR", yes)),
			[]string{"children[0].operation: OR stands directly in OR: AND and OR must alternate"}},
		{"four levels", group("OR", group("AND", group("OR", yes))), []string{
			"children[0].children[0]: OR is on level 3, where only comparisons may be: a criterion has at most 3 levels"}},
		{"too long a value", leaf("a", "EQUALS", strings.Repeat("x", ValueMax+1)), []string{"stringValue: it has 2001 bytes, 2000 are allowed"}},
		{"too many comparisons", group("OR", slices.Repeat([]string{yes}, LeavesMax+1)...), []string{"it has 1001 comparisons, 1000 are allowed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.text), sources)
			var faults *Error
			if !errors.As(err, &faults) {
				t.Fatalf("got %v, want faults", err)
			}
			var got []string
			for _, f := range faults.Faults {
				got = append(got, f.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What the published examples have and this package does not need is no fault.
func TestParseTolerates(t *testing.T) {
	for _, text := range []string{
		`{"operation":"OR","stringValue":null,"key":null,"children":[` + leaf("department", "EQUALS", "engineering") + `]}`,
		`{"operation":"EQUALS","key":{"type":"IDENTITY","property":"department","sourceId":null},"stringValue":"engineering","children":null}`,
		`{"operation":"AND","stringValue":"","other":1,"children":[` + leaf("department", "EQUALS", "engineering") + `]}`,
	} {
		if !parse(t, text).Match(ann()) {
			t.Errorf("%s does not hold", text)
		}
	}
}

// The limits themselves are allowed.
func TestParseLimits(t *testing.T) {
	full := parse(t, group("OR", slices.Repeat([]string{leaf("a", "EQUALS", strings.Repeat("x", ValueMax))}, LeavesMax)...))
	if got := len(full.Children); got != LeavesMax {
		t.Errorf("got %d comparisons, want %d", got, LeavesMax)
	}
}

// Only an order has a number, and only if its value is one.
func TestNumber(t *testing.T) {
	for _, test := range []struct{ operation, value, want string }{
		{"GREATER_THAN", " 5 ", "5"},
		{"LESS_THAN", "5", "5"},
		{"GREATER_THAN_EQUALS", "5", "5"},
		{"LESS_THAN_EQUALS", "5", "5"},
		{"LESS_THAN_EQUALS", "five", ""},
		{"EQUALS", "5", ""},
		{"STARTS_WITH", "5", ""},
	} {
		if got := parse(t, leaf("level", test.operation, test.value)).Number(); got != test.want {
			t.Errorf("%s %q: got the number %q, want %q", test.operation, test.value, got, test.want)
		}
	}
}

// An explanation shows five values, and says how many others there are.
func TestExplainManyValues(t *testing.T) {
	tags := []string{"a", "b", "c", "d", "e", "f", "g"}
	for _, test := range []struct {
		count int
		want  string
	}{
		{5, `"a", "b", "c", "d", "e"`},
		{7, `"a", "b", "c", "d", "e" and 2 more`},
	} {
		e := parse(t, leaf("tags", "EQUALS", "x")).Explain(&Facts{Identity: set("tags", tags[:test.count])})
		if got, want := e.Render(), `no   tags EQUALS "x"   is `+test.want+"\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	c := parse(t, group("AND", leaf("department", "EQUALS", "Sales"),
		group("OR", leaf("directory.memberOf", "STARTS_WITH", "cn="), leaf("none", "EQUALS", "x"))))
	e := c.Explain(ann())
	want := `no   AND
no     department EQUALS "Sales"   is "Engineering"
yes    OR
yes      Directory.memberOf STARTS_WITH "cn="   is "CN=Staff", "CN=VPN"
no       none EQUALS "x"   is nothing
`
	var name func(*Explanation)
	name = func(e *Explanation) {
		if e.Key != nil && e.Key.Type != Identity {
			e.Source = "Directory"
		}
		for i := range e.Children {
			name(&e.Children[i])
		}
	}
	name(&e)
	if diff := cmp.Diff(want, e.Render()); diff != "" {
		t.Error(diff)
	}
}

func TestText(t *testing.T) {
	c := parse(t, group("AND", leaf("department", "EQUALS", "Sales"),
		group("OR", leaf("directory.memberOf", "STARTS_WITH", "cn="), leaf("title", "NOT_EQUALS", `a "b"`))))
	want := `department EQUALS "Sales" AND (Directory.memberOf STARTS_WITH "cn=" OR title NOT_EQUALS "a \"b\"")`
	if got := c.Text(func(ID) string { return "Directory" }); got != want {
		t.Errorf("got %s", got)
	}
}
