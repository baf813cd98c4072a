package transform

import (
	"regexp"
	"strings"

	"github.com/muster-engine/muster/engine/transform/velocity"
)

// builtInTransforms are the saved transforms that every tenant has, by their names. A saved transform of the tenant
// with the same name comes first. Use Preferred Name and ISO3166 Country Format stand in the vendor's documentation,
// ToUpper and ToLower in what tenants have exported:
//   - https://developer.sailpoint.com/docs/extensibility/transforms/out-of-the-box-operations
//   - https://developer.sailpoint.com/docs/extensibility/transforms/guides/your-first-transform, "List transforms"
var builtInTransforms = map[string]string{
	"ISO3166 Country Format": `{"type": "iso3166"}`,
	"ToLower":                `{"type": "lower"}`,
	"ToUpper":                `{"type": "upper"}`,
	"Use Preferred Name":     `{"type": "displayName"}`,
}

// passwordLength is the length of a password of the rule Create Password.
const passwordLength = 16

// newPassword reads the rule Create Password: a random text with each kind of character. The vendor's default account
// policies use it for the password of a new account, and the rules of newTemplateGenerator for its names:
// https://documentation.sailpoint.com/connectors/openldap, "Create Profile Provisioning Policy Attributes".
func newPassword(d *definition) operation {
	d.random = true
	return &generateRandomString{
		length: d.bounded("length", passwordLength, 8, randomMax), numbers: true, specials: true,
	}
}

// Spellings of a template of the rules that generate names: $(firstname), {firstname}, and only the words.
var (
	roundBrackets = regexp.MustCompile(`\$\((\w+)\)`)
	onlyBraces    = regexp.MustCompile(`\{(\w+)\}`)
	onlyWords     = regexp.MustCompile(`^(\w+(?:\.\w+)*)\.uniqueCounter$`)
	word          = regexp.MustCompile(`\w+`)
)

// newTemplateGenerator reads the rules Create Unique LDAP Attribute and Create Unique Account ID. They generate a name
// as usernameGenerator does. Their template stands in the attributes of the field, and its variables are attributes of
// the identity:
// https://developer.sailpoint.com/docs/extensibility/rules/cloud-rules/account-profile-attribute-generator-template
func newTemplateGenerator(d *definition) operation {
	g := newGenerator(d)
	text, path := d.literal("template", ""), d.at("template")
	if text == "" && d.policy != nil {
		text, path = d.policy.template, "attributes.template"
	}
	if text == "" {
		d.fault(path, "it is missing: the rule needs a template, such as ${firstname}.${lastname}${uniqueCounter}")
		return g
	}
	switch text = roundBrackets.ReplaceAllString(text, "$${$1}"); {
	case strings.Contains(text, "$"):
	case onlyBraces.MatchString(text):
		text = onlyBraces.ReplaceAllString(text, "$${$1}")
	case onlyWords.MatchString(text):
		words := onlyWords.FindStringSubmatch(text)[1]
		text = word.ReplaceAllString(words, "$${$0}") + "${" + uniqueCounter + "}"
	}
	template, err := velocity.Parse(text)
	if err != nil {
		d.fault(path, "%v", err)
		return g
	}
	if len(template.Free()) == 0 {
		d.fault(path, "it names no attribute of the identity, as ${firstname}.${lastname}${uniqueCounter} does")
	}
	d.readsTemplate(template)
	g.patterns, g.identity = []*velocity.Template{template}, true
	return g
}

// BuiltIn reports whether every tenant has a saved transform of this name. One that a tenant saves counts in its place.
func BuiltIn(name string) bool { return builtInTransforms[name] != "" }
