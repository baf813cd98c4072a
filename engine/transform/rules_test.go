package transform

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
)

// The error of an operand is the error of its operation, at the operand's place. It is never a null or another value.
func TestErrorsOfOperands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, attributes string }{
		{"upper", `"input": %s`},
		{"substring", `"input": "abc", "begin": %s`},
		{"substring", `"input": "abc", "begin": 1, "beginOffset": %s`},
		{"substring", `"input": "abc", "begin": 0, "end": %s`},
		{"substring", `"input": "abc", "begin": 0, "end": 2, "endOffset": %s`},
		{"indexOf", `"input": "abc", "substring": %s`},
		{"lastIndexOf", `"input": "abc", "substring": %s`},
		{"leftPad", `"input": "abc", "length": %s`},
		{"rightPad", `"input": "abc", "length": 9, "padding": %s`},
		{"split", `"input": "a,b", "delimiter": %s, "index": 0`},
		{"split", `"input": "a,b", "delimiter": ",", "index": %s`},
		{"concat", `"values": ["a", %s]`},
		{"join", `"values": ["a", "b"], "separator": %s`},
		{"replace", `"input": "a", "regex": "a", "replacement": %s`},
		{"replaceAll", `"input": "a", "table": {"a": %s}`},
		{"conditional", `"expression": "$x eq a", "positiveCondition": "", "negativeCondition": "", "x": %s`},
		{"conditional", `"expression": "a eq $x", "positiveCondition": "", "negativeCondition": "", "x": %s`},
		{"firstValid", `"values": [%s, "a"]`},
		{"lookup", `"input": "a", "table": {"a": %s}`},
		{"lookup", `"input": "b", "table": {"a": "", "default": %s}`},
		{"dateFormat", `"input": %s`},
		{"dateMath", `"input": %s, "expression": "+1d"`},
		{"dateCompare", `"firstDate": %s, "secondDate": "now", "operator": "lt", "positiveCondition": "", "negativeCondition": ""`},
		{"dateCompare", `"firstDate": "now", "secondDate": %s, "operator": "lt", "positiveCondition": "", "negativeCondition": ""`},
		{"e164phone", `"input": "+43 660 1234567", "defaultRegion": %s`},
		{"randomNumeric", `"length": %s`},
		{"rule", `"name": "echo", "suffix": %s`},
		{"rule", `"name": "Cloud Services Deployment Utility", "operation": "getEndOfString", "numChars": %s`},
		{"rule", `"name": "Cloud Services Deployment Utility", "operation": "generateRandomString", "length": %s`},
		{"rule", `"name": "Cloud Services Deployment Utility", "operation": "getReferenceIdentityAttribute", "uid": %s, "attributeName": "email"`},
		{"static", `"value": "$x", "x": %s`},
		{"static", `"value": "a#if($x)b#end", "x": %s`},
		{"usernameGenerator", `"patterns": ["$x"], "x": %s`},
	} {
		definition := fmt.Sprintf(`{"type": %q, "attributes": {`+test.attributes+`}}`, test.kind, fails)
		if got := evaluate(t, definition, testInput()); !strings.HasSuffix(got, ": lookup: the table has no such key, and no default") {
			t.Errorf("%s gives %s", definition, got)
		}
	}
}

// What an operation needs is null.
func TestNullOperands(t *testing.T) {
	t.Parallel()
	for definition, want := range map[string]string{
		`{"type": "indexOf", "attributes": {"input": "a", "substring": ` + hrNone + `}}`:                                                                                               `ERR indexOf: substring is null`,
		`{"type": "indexOf", "attributes": {"input": ` + hrNone + `, "substring": "a"}}`:                                                                                               `null`,
		`{"type": "leftPad", "attributes": {"input": "a", "length": ` + hrNone + `}}`:                                                                                                  `ERR leftPad: length is null`,
		`{"type": "leftPad", "attributes": {"input": "a", "length": "$n", "n": "65537"}}`:                                                                                              `ERR leftPad: length is more than 65536`,
		`{"type": "leftPad", "attributes": {"input": ` + hrNone + `, "length": 5}}`:                                                                                                    `null`,
		`{"type": "leftPad", "attributes": {"input": "a", "length": 3, "padding": ` + hrNone + `}}`:                                                                                    `"  a"`,
		`{"type": "split", "attributes": {"input": "a", "delimiter": ",", "index": ` + hrNone + `}}`:                                                                                   `ERR split: index is null`,
		`{"type": "split", "attributes": {"input": ` + hrNone + `, "delimiter": ",", "index": 0}}`:                                                                                     `null`,
		`{"type": "split", "attributes": {"input": "a,b", "delimiter": "$x", "x": "(", "index": 0}}`:                                                                                   `ERR split: at character 2 of the pattern: a group is not closed`,
		`{"type": "substring", "attributes": {"input": ` + hrNone + `, "begin": 0}}`:                                                                                                   `null`,
		`{"type": "substring", "attributes": {"input": "abc", "begin": ` + hrNone + `}}`:                                                                                               `"abc"`,
		`{"type": "replace", "attributes": {"input": ` + hrNone + `, "regex": "a", "replacement": "b"}}`:                                                                               `null`,
		`{"type": "replace", "attributes": {"input": "a", "regex": "a", "replacement": "$x", "x": "$9"}}`:                                                                              `ERR replace: the replacement names the group 9, the pattern has 0`,
		`{"type": "e164phone", "attributes": {"input": ` + hrNone + `}}`:                                                                                                               `null`,
		`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getReferenceIdentityAttribute", "uid": ` + hrNone + `, "attributeName": "email"}}`: `null`,
		`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEndOfString", "numChars": 1, "input": ` + hrNone + `}}`:                         `null`,
		`{"type": "dateFormat", "attributes": {"input": "12345678901234567890123456789012345678901"}}`:                                                                                 `ERR dateFormat: it is not a date of the format ISO8601: want yyyy-MM-dd'T'HH:mm:ss.SSSZ`,
		`{"type": "dateFormat", "attributes": {"input": "20260301"}}`:                                                                                                                  `"2026-03-01T00:00:00.000Z"`,
		`{"type": "dateFormat", "attributes": {"input": "2026-03-01 07:08"}}`:                                                                                                          `"2026-03-01T07:08:00.000Z"`,
	} {
		if got := evaluate(t, definition, testInput()); got != want {
			t.Errorf("%s gives %s, want %s", definition, got, want)
		}
	}
}

// Accounts are sorted by numbers where they are numbers; those without a value come last, and the oldest of equal ones
// first.
func TestAccountOrder(t *testing.T) {
	t.Parallel()
	number := func(text string) attribute.Value {
		v, err := attribute.Number(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	in := testInput()
	in.Accounts = nil
	for i, a := range []struct {
		sam  string
		rank attribute.Value
	}{
		{"none", attribute.Null}, {"nine", number("9")}, {"ten", number("10")}, {"half", number("9.50")},
		{"huge", number("1e3")}, {"same", number("9.0")}, {"nothing", attribute.Null},
	} {
		account := account("X", a.sam, 30-i, "sam", a.sam)
		if !a.rank.IsNull() {
			account.Attributes.Put("rank", a.rank)
		}
		in.Accounts = append(in.Accounts, account)
	}
	order := func(descending bool) string {
		definition := fmt.Sprintf(`{"type": "accountAttribute", "attributes": {"sourceName": "X", "attributeName": "sam", "accountSortAttribute": "rank", "accountSortDescending": %v}}`, descending)
		rest, names := *in, []string{}
		for len(rest.Accounts) > 0 {
			first := strings.Trim(evaluate(t, definition, &rest), `"`)
			names = append(names, first)
			var left []Account
			for _, a := range rest.Accounts {
				if a.NativeIdentity != first {
					left = append(left, a)
				}
			}
			rest.Accounts = left
		}
		return strings.Join(names, " ")
	}
	// A number with an exponent compares as a text.
	in.Accounts = append(in.Accounts[:4], in.Accounts[5:]...)
	if got := order(false); got != "nine same half ten none nothing" {
		t.Errorf("ascending: %s", got)
	}
	if got := order(true); got != "ten half nine same none nothing" {
		t.Errorf("descending: %s", got)
	}
	if compareNumbers("1e3", "2") >= 0 || compareNumbers(strings.Repeat("9", 41), "10") <= 0 || compareNumbers("x", "y") >= 0 ||
		compareNumbers("1", "y") >= 0 {
		t.Error("texts that are no plain numbers do not compare as texts")
	}
}

// failing is a directory whose look-ups fail.
type failing struct{}

var errAway = errors.New("away")

func (failing) Manager() (*Identity, error)        { return nil, errAway }
func (failing) IsManager() (bool, error)           { return false, errAway }
func (failing) Identity(string) (*Identity, error) { return nil, errAway }

func TestObjects(t *testing.T) {
	t.Parallel()
	in := testInput()
	in.Identity.Attributes.Put("attributes", attribute.String("own"))
	for template, want := range map[string]string{
		"[$identity]":                            `"[Ann Bäker]"`,
		"$identity.id $identity.getId()":         `"i1 i1"`,
		"$identity.name $identity.getUsername()": `"abaker abaker"`,
		"$identity.displayName":                  `"Ann Bäker"`,
		"$identity.attributes":                   `"own"`,
		"$identity.getManager().name $identity.manager.displayName $identity.manager.country":           `"bboss Bo Boss NL"`,
		"[$!identity.type][$!identity.getEmail()]":                                                      `"[][]"`,
		"[$identity.getLinks()[3]]":                                                                     `"[7]"`,
		"$identity.links[3].displayName $identity.links[3].applicationName $identity.links[3].sourceId": `"Display 7 HR id-HR"`,
		"$identity.links[3].getStringAttribute('dept') $identity.links[3].grade":                        `"Sales 12"`,
		"[$!identity.links[3].nothing]":                                                                 `"[]"`,
		"$attributeDefinition.name $field.getName() [$field]":                                           `"email email [email]"`,
		"[$identity.links[3].getAttributes()]":                                                          `"[attributes]"`,
		"$identity.links[3].getNothing()":                                                               "ERR static: $identity.links[3].getNothing(): an account has no method getNothing",
		"$identity.getId('x')":                                                                          "ERR static: $identity.getId('x'): it takes no arguments",
		"$identity.getAttribute()":                                                                      "ERR static: $identity.getAttribute(): it takes the name of an attribute",
		"$identity.links[3].getAttribute()":                                                             "ERR static: $identity.links[3].getAttribute(): it takes the name of an attribute",
		"$identity.links[3].getAttributes().get()":                                                      "ERR static: $identity.links[3].getAttributes().get(): it takes the name of an attribute",
		"$identity.links[3].getAttributes().put('a', 1)":                                                "ERR static: $identity.links[3].getAttributes().put('a', 1): a map of attributes has no method put",
		"$field.getType()":                                                                              "ERR static: $field.getType(): an attribute has no method getType",
		"$identity.manager.getManager()":                                                                "ERR static: $identity.manager.getManager(): the manager of another identity cannot be looked up",
		"$identity.manager.getManagerStatus()":                                                          "ERR static: $identity.manager.getManagerStatus(): the reports of another identity cannot be looked up",
		"$identity.manager.getLinks()":                                                                  "ERR static: $identity.manager.getLinks(): the accounts of another identity cannot be looked up",
	} {
		if got := evaluate(t, staticOf(template), in); got != want {
			t.Errorf("%s gives %s, want %s", template, got, want)
		}
	}
	byUID := `{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getReferenceIdentityAttribute", "uid": "cfo", "attributeName": "email"}}`
	for _, definition := range []string{staticOf("$identity.getManager()"), staticOf("$identity.getManagerStatus()"), byUID} {
		in.Directory = failing{}
		if got := evaluate(t, definition, in); !strings.Contains(got, "away") {
			t.Errorf("%s of a directory that fails gives %s", definition, got)
		}
		in.Directory = nil
		if got := evaluate(t, definition, in); !strings.Contains(got, "other identities cannot be looked up here") {
			t.Errorf("%s without a directory gives %s", definition, got)
		}
	}
}

// A failure to ask about a name is the generator's, and ends it.
func TestTakenFails(t *testing.T) {
	t.Parallel()
	compiled, err := Compile([]byte(username(`["a", "b"]`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	in := testInput()
	in.Taken = func(Candidate) (bool, error) { return false, errAway }
	if value, err := compiled.Evaluate(in); !errors.Is(err, errAway) || !value.IsNull() {
		t.Errorf("got %s %v", value.Text(), err)
	}
}
