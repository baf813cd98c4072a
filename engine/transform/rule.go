package transform

import (
	"errors"
	"fmt"

	"github.com/muster-engine/muster/engine/attribute"
)

// builtInRule is the rule that always exists. It has several operations.
const builtInRule = "Cloud Services Deployment Utility"

// rule calls a rule of the host.
type rule struct {
	name       string
	call       Rule
	attributes []member
	operands   []operand
}

func newRule(d *definition) operation {
	name := d.requiredLiteral("name")
	if name == builtInRule {
		return newBuiltIn(d)
	}
	r := &rule{name: name}
	d.Rules = append(d.Rules, name)
	// A rule may read anything of any identity, and has the time zone.
	d.Identity, d.Others, d.Zone = true, true, true
	if d.library != nil && name != "" {
		var ok bool
		if r.call, ok = d.library.Rule(name); !ok {
			d.fault(d.at("name"), "there is no rule named %q: a host registers rules, and %q is always there", name,
				builtInRule)
		}
	}
	if d.attributes != nil {
		for _, m := range d.attributes.members {
			if !d.used[m.name] {
				d.used[m.name] = true
				r.attributes = append(r.attributes, m)
				r.operands = append(r.operands, d.operandOf(m.value, d.at(m.name)))
			}
		}
	}
	return r
}

func (r *rule) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if r.call == nil {
		return attribute.Null, errors.New("the rule it names is not known here")
	}
	attributes := make(map[string]attribute.Value, len(r.operands))
	for i := range r.operands {
		value, err := r.operands[i].eval(e, input)
		if err != nil {
			return attribute.Null, err
		}
		attributes[r.attributes[i].name] = value
	}
	return r.call(&RuleInput{Input: e.in, Value: input, Attributes: attributes})
}

var builtInOperations = []string{"generateRandomString", "getEndOfString", "getReferenceIdentityAttribute"}

// newBuiltIn reads an operation of the built-in rule.
func newBuiltIn(d *definition) operation {
	switch operation := d.requiredLiteral("operation"); operation {
	case "generateRandomString":
		d.random = true
		return &generateRandomString{
			length: d.count("length", 0, 1, randomMax), numbers: d.flag("includeNumbers"), specials: d.flag(
				"includeSpecialChars"),
		}
	case "getEndOfString":
		return &getEndOfString{d.count("numChars", -1, 0, ValueMax)}
	case "getReferenceIdentityAttribute":
		d.Others = true
		return &getReferenceIdentityAttribute{uid: d.required("uid"), name: d.requiredLiteral("attributeName")}
	case "":
	default:
		d.fault(d.at("operation"), "unknown operation %q%s", operation, didYouMean(operation, builtInOperations))
	}
	return &static{}
}

type generateRandomString struct {
	length            int
	numbers, specials bool
}

func (g *generateRandomString) apply(e *evaluation, _ attribute.Value) (attribute.Value, error) {
	text, err := e.generateRandomString(g.length, g.numbers, g.specials)
	if err != nil {
		return attribute.Null, err
	}
	return attribute.String(text), nil
}

// getEndOfString returns the last characters of the input, or null if it has fewer.
type getEndOfString struct{ length int }

func (g *getEndOfString) apply(_ *evaluation, input attribute.Value) (attribute.Value, error) {
	runes := []rune(input.Text())
	if input.IsNull() || g.length > len(runes) {
		return attribute.Null, nil
	}
	return attribute.String(string(runes[len(runes)-g.length:])), nil
}

type getReferenceIdentityAttribute struct {
	uid  operand
	name string
}

func (g *getReferenceIdentityAttribute) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	uid, ok, err := g.uid.text(e, input)
	if err != nil || !ok {
		return attribute.Null, err
	}
	if e.in.Directory == nil {
		return attribute.Null, errNoDirectory
	}
	var other *Identity
	if uid == "manager" {
		other, err = e.in.Directory.Manager()
	} else {
		other, err = e.in.Directory.Identity(uid)
	}
	if err != nil || other == nil {
		return attribute.Null, err
	}
	return other.attribute(g.name), nil
}

var errNoDirectory = fmt.Errorf("other identities cannot be looked up here")
