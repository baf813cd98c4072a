package transform

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/attribute"
)

// describeReads writes which attributes a value depends on: of the identity, and behind a stroke of others. * is any.
func describeReads(d Dependencies) string {
	own, other := d.Attributes, d.OtherAttributes
	if d.AnyAttribute {
		own = append(own, "*")
	}
	if d.AnyOther {
		other = append(other, "*")
	}
	text := strings.Join(own, " ")
	if d.Others {
		text += " | " + strings.Join(other, " ")
	}
	return strings.TrimSpace(text)
}

// What a template reads of identities is told by the methods that it calls, one after the other.
func TestReadsOfTemplate(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"Hello":                          "",
		"$identity.getAttribute('city')": "city",
		"$identity.getStringAttribute('city').toUpperCase()":                "city",
		"$identity.getFirstname() $identity.lastname":                       "firstname lastname",
		"$identity.getEmail()":                                              "email",
		"$identity.getName() $identity.getUsername()":                       "uid",
		"$identity.getDisplayName()":                                        "displayName",
		"$identity.displayableName":                                         "displayName",
		"$identity":                                                         "displayName",
		"$identity.getFullName()":                                           "firstname lastname",
		"$identity.getId()":                                                 "",
		"$identity.getAttributes().get('city')":                             "attributes city",
		"$identity.attributes.city":                                         "attributes city",
		"$identity.getAttributes()":                                         "attributes",
		"$identity['city']":                                                 "city",
		"$identity.isManager()":                                             "| displayName",
		"$identity.getLinks().get(0).getAttribute('city')":                  "",
		"#foreach($l in $identity.getLinksByAppIdOrName(null, 'HR'))$l#end": "",
		"$identity.getManagerStatus()":                                      "|",
		"$identity.getManager().getAttribute('city')":                       "| city",
		"$identity.getManager().getName()":                                  "| uid",
		"$identity.getManager().getId()":                                    "|",
		"$!identity.getManager()":                                           "| displayName",
		"$identity.getManager().getManager().getAttribute('city')":          "| city",
		"$identity.getManager().getAttributes().city":                       "| attributes city",
		"#set($m = $identity.getManager())#if($m)$m.department#end":         "| department displayName",
		"#set($i = $identity)$i.getCity()":                                  "city",
		"#foreach($i in [$identity, $identity.manager])$i.getCity()#end":    "city | city",
		"$identity.getAttribute($input)":                                    "*",
		"$identity.getAttribute(\"c$input\")":                               "*",
		"$identity[$input]":                                                 "* | *",
		"$identity.getAttributes().get($input)":                             "* attributes",
		"#set($list = [$identity])$list.get(0).getCity()":                   "* | *",
		"#set($all = [$identity.getAttributes()])$all":                      "* attributes",
		"$identity.getManager().getAttribute($input)":                       "| *",
		"#set($list = {'m': $identity.getManager()})$list.m.getCity()":      "| *",
		"$input.replace('a', $identity.getAttribute('city'))":               "city",
	} {
		template = strings.ReplaceAll(template, `"`, `\"`)
		compiled, err := Compile([]byte(fmt.Sprintf(`{"type": "static", "attributes": {"value": "%s"}}`, template)), nil)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		d := compiled.Dependencies()
		sorted := strings.Fields(describeReads(d))
		if diff := cmp.Diff(want, strings.Join(sortStars(sorted), " ")); diff != "" {
			t.Errorf("%s\n%s", template, diff)
		}
		if uses := strings.Contains(template, "identity"); d.Identity != uses {
			t.Errorf("%s: it depends on the identity: %t, want %t", template, d.Identity, uses)
		}
	}
}

// sortStars puts a star before the names.
func sortStars(words []string) []string {
	var stars, names []string
	for i, word := range words {
		switch {
		case word == "|":
			return append(append(stars, names...), append([]string{"|"}, sortStars(words[i+1:])...)...)
		case word == "*":
			stars = append(stars, word)
		default:
			names = append(names, word)
		}
	}
	return append(stars, names...)
}

// What an operation reads counts as well, also inside of saved transforms, variables and conditions.
func TestReadsOfOperation(t *testing.T) {
	t.Parallel()
	saved := savedTransforms{
		"City":  `{"type": "identityAttribute", "attributes": {"name": "city"}}`,
		"Again": `{"type": "concat", "attributes": {"values": [{"type": "reference", "attributes": {"id": "City"}}, "$identity.getManager().city"]}}`,
	}
	for definition, want := range map[string]string{
		`{"type": "upper"}`: "",
		`{"type": "identityAttribute", "attributes": {"name": "City"}}`: "City",
		`{"type": "displayName"}`: "firstname lastname preferredName",
		`{"type": "reference", "attributes": {"id": "Use Preferred Name"}}`:                                                                                                                                                          "firstname lastname preferredName",
		`{"type": "reference", "attributes": {"id": "Again"}}`:                                                                                                                                                                       "city | city",
		`{"type": "static", "attributes": {"value": "$v", "v": {"type": "identityAttribute", "attributes": {"name": "city"}}}}`:                                                                                                      "city",
		`{"type": "conditional", "attributes": {"expression": "$identity.city eq X", "positiveCondition": "a", "negativeCondition": "$identity.getManager().uid"}}`:                                                                  "city | uid",
		`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getReferenceIdentityAttribute", "uid": "manager", "attributeName": "city"}}`:                                                     "| city",
		`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getReferenceIdentityAttribute", "uid": {"type": "identityAttribute", "attributes": {"name": "boss"}}, "attributeName": "city"}}`: "boss | city",
		`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEndOfString", "numChars": 1}}`:                                                                                                "",
		`{"type": "rule", "attributes": {"name": "Host"}}`:                                                                                                                                                                           "* | *",
		`{"type": "rule", "attributes": {"name": "Create Unique LDAP Attribute", "template": "${firstname}${uniqueCounter}"}}`:                                                                                                       "firstname",
	} {
		compiled, err := Compile([]byte(definition), saved)
		if err != nil {
			t.Errorf("%s: %v", definition, err)
			continue
		}
		if diff := cmp.Diff(want, describeReads(compiled.Dependencies())); diff != "" {
			t.Errorf("%s\n%s", definition, diff)
		}
	}
}

// savedTransforms is a library with every rule.
type savedTransforms map[string]string

func (s savedTransforms) Transform(name string) ([]byte, bool) { return []byte(s[name]), s[name] != "" }

func (savedTransforms) Rule(string) (Rule, bool) {
	return func(*RuleInput) (attribute.Value, error) { panic("unused") }, true
}

// Every account has each of the properties that filters may name.
func TestAccountProperties(t *testing.T) {
	t.Parallel()
	account := Account{ID: "1", NativeIdentity: "n", Name: "a", Created: time.Now()}
	for _, name := range accountProperties {
		if account.own(name).IsNull() {
			t.Errorf("an account has no %s", name)
		}
	}
	if IsAccountProperty("mail") || !account.own("mail").IsNull() {
		t.Error("every account has the property mail")
	}
}
