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
	name string
	call Rule
	node *node
}

func newRule(d *definition) operation {
	name := d.requiredLiteral("name")
	switch name {
	case builtInRule:
		return newBuiltIn(d)
	case "Create Unique LDAP Attribute", "Create Unique Account ID":
		return newTemplateGenerator(d)
	case "Create Password":
		return newPassword(d)
	}
	d.Rules = append(d.Rules, name)
	d.readsAll()
	d.Zone = true // a rule has it too
	r := &rule{name: name, node: d.node}
	if d.library != nil && name != "" {
		var ok bool
		if r.call, ok = d.library.Rule(name); !ok {
			d.fault(d.at("name"), "there is no rule named %q: a host registers rules, and %q is always there%s", name,
				builtInRule, d.ruleHint(name))
		}
	}
	d.anyValue = true // its variables are its parameters
	return r
}

// ruleHint returns which rule may be meant by a name that none has.
func (d *definition) ruleHint(name string) string {
	if d.full() {
		return ""
	}
	names := []string{builtInRule, "Create Unique LDAP Attribute", "Create Unique Account ID", "Create Password"}
	if namer, tells := d.library.(Namer); tells {
		names = append(names, namer.RuleNames()...)
	}
	return didYouMean(name, names)
}

func (r *rule) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if r.call == nil {
		return attribute.Null, errors.New("the rule it names is not known here")
	}
	attributes := map[string]attribute.Value{}
	if r.node.variables != nil {
		for i, name := range r.node.variables.names {
			value, err := e.frame.value(e, i)
			if err != nil {
				return attribute.Null, err
			}
			attributes[name] = value
		}
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
			length:   d.bounded("length", 0, 1, randomMax),
			numbers:  d.flag("includeNumbers", false),
			specials: d.flag("includeSpecialChars", false),
		}
	case "getEndOfString":
		return &getEndOfString{d.bounded("numChars", -1, 0, ValueMax)}
	case "getReferenceIdentityAttribute":
		g := &getReferenceIdentityAttribute{uid: d.required("uid"), name: d.requiredLiteral("attributeName")}
		manager := g.uid.kind == isLiteral && g.uid.literal.Text() == "manager"
		d.readsOther(g.name, manager || g.uid.kind != isLiteral, !manager)
		return g
	case "":
	default:
		d.fault(d.at("operation"), "unknown operation %q%s", operation, didYouMean(operation, builtInOperations))
	}
	return &static{}
}

type generateRandomString struct {
	length            bounded
	numbers, specials bool
}

func (g *generateRandomString) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	length, err := g.length.value(e, input)
	if err != nil {
		return attribute.Null, err
	}
	text, err := e.generateRandomString(length, g.numbers, g.specials)
	if err != nil {
		return attribute.Null, err
	}
	return attribute.String(text), nil
}

// getEndOfString returns the last characters of the input, or null if it has fewer.
type getEndOfString struct{ length bounded }

func (g *getEndOfString) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	length, err := g.length.value(e, input)
	runes := []rune(input.Text())
	if err != nil || input.IsNull() || length > len(runes) {
		return attribute.Null, err
	}
	return attribute.String(string(runes[len(runes)-length:])), nil
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
