package transform

import (
	"errors"
	"math/big"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/velocity"
)

// This file has the objects that templates see. They have the methods that published templates call on the product's
// objects.

// identityObject is $identity, or another identity that a method returned.
type identityObject struct {
	e        *evaluation
	identity *Identity
	own      bool // it is the identity whose value is calculated
}

func (o identityObject) String() string { return o.identity.Name }
func (identityObject) Kind() string     { return "an identity" }

// Call implements [velocity.Object].
func (o identityObject) Call(name string, arguments []any, call bool) (any, bool, error) {
	property := name
	if call {
		property = propertyOf(name)
	}
	switch property {
	case "id":
		return orNull(o.identity.ID), true, noArguments(arguments)
	case "name", "username":
		return orNull(o.identity.Alias), true, noArguments(arguments)
	case "displayName", "displayableName":
		return orNull(o.identity.Name), true, noArguments(arguments)
	case "fullName":
		first, last := o.identity.attribute("firstname").Text(), o.identity.attribute("lastname").Text()
		return orNull(strings.TrimSpace(first + " " + last)), true, noArguments(arguments)
	case "attributes":
		if o.identity.Attributes == nil || !o.identity.Attributes.Has(property) {
			return attributesObject{o.identity.attribute}, true, noArguments(arguments)
		}
	case "managerStatus":
		status, err := o.managerStatus()
		return status, true, errors.Join(err, noArguments(arguments))
	case "manager":
		manager, err := o.manager()
		return manager, true, errors.Join(err, noArguments(arguments))
	case "links":
		links, err := o.links(func(*Account) bool { return true })
		return links, true, errors.Join(err, noArguments(arguments))
	case "linksByAppIdOrName", "linksByAppId", "linksByAppName":
		wanted, err := sourceOf(arguments)
		if err != nil {
			return nil, true, err
		}
		links, err := o.links(wanted)
		return links, true, err
	case "attribute", "stringAttribute":
		if !call || len(arguments) != 1 {
			return nil, true, errors.New("it takes the name of an attribute")
		}
		return toTemplate(o.identity.attribute(velocity.Text(arguments[0]))), true, nil
	}
	if o.identity.Attributes != nil && o.identity.Attributes.Has(property) {
		return toTemplate(o.identity.attribute(property)), true, noArguments(arguments)
	}
	if !call || standardProperties[property] {
		return nil, true, nil // the identity does not have the attribute
	}
	return nil, false, nil
}

// standardProperties are attributes with a method of their own.
var standardProperties = map[string]bool{"firstname": true, "lastname": true, "email": true, "type": true}

func (o identityObject) manager() (any, error) {
	switch {
	case !o.own:
		return nil, errors.New("the manager of another identity cannot be looked up")
	case o.e.in.Directory == nil:
		return nil, errNoDirectory
	}
	manager, err := o.e.in.Directory.Manager()
	if err != nil || manager == nil {
		return nil, err
	}
	return identityObject{o.e, manager, false}, nil
}

func (o identityObject) managerStatus() (any, error) {
	if !o.own {
		return nil, errors.New("the reports of another identity cannot be looked up")
	}
	if o.e.in.Directory == nil {
		return nil, errNoDirectory
	}
	return o.e.in.Directory.IsManager()
}

// links returns some of the accounts.
func (o identityObject) links(wanted func(*Account) bool) (any, error) {
	if !o.own {
		return nil, errors.New("the accounts of another identity cannot be looked up")
	}
	links := []any{}
	for i := range o.e.in.Accounts {
		if account := &o.e.in.Accounts[i]; wanted(account) {
			links = append(links, accountObject{account})
		}
	}
	return links, nil
}

// sourceOf reads the arguments of getLinksByAppIdOrName: the ID of a source and null, or null and its name. Either may
// be both.
func sourceOf(arguments []any) (func(*Account) bool, error) {
	if n := len(arguments); n == 0 || n > 2 || arguments[0] == nil && (n == 1 || arguments[1] == nil) {
		return nil, errors.New("it takes the ID of a source and null, or null and its name")
	}
	return func(account *Account) bool {
		for _, argument := range arguments {
			if text := velocity.Text(argument); argument != nil && account.isOn(text, SourceName(text)) {
				return true
			}
		}
		return false
	}, nil
}

// propertyOf returns the property that a method reads: name for getName and isName.
func propertyOf(method string) string {
	for _, prefix := range []string{"get", "is"} {
		if rest, ok := strings.CutPrefix(method, prefix); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
			return strings.ToLower(rest[:1]) + rest[1:]
		}
	}
	return method
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func noArguments(arguments []any) error {
	if len(arguments) > 0 {
		return errors.New("it takes no arguments")
	}
	return nil
}

// accountObject is an account in a template.
type accountObject struct{ account *Account }

func (o accountObject) String() string { return o.account.NativeIdentity }
func (accountObject) Kind() string     { return "an account" }

// Call implements [velocity.Object].
func (o accountObject) Call(name string, arguments []any, call bool) (any, bool, error) {
	property := name
	if call {
		property = propertyOf(name)
	}
	switch property {
	case "attribute", "stringAttribute":
		if !call || len(arguments) != 1 {
			return nil, true, errors.New("it takes the name of an attribute")
		}
		return toTemplate(o.account.property(velocity.Text(arguments[0]))), true, nil
	case "attributes":
		return attributesObject{o.account.property}, true, noArguments(arguments)
	case "displayName", "displayableName":
		return orNull(o.account.Name), true, noArguments(arguments)
	case "applicationName", "sourceName":
		return orNull(o.account.SourceName), true, noArguments(arguments)
	case "applicationId", "sourceId":
		return orNull(o.account.SourceID), true, noArguments(arguments)
	}
	value := o.account.property(property)
	return toTemplate(value), !call || !value.IsNull(), noArguments(arguments)
}

// attributesObject is $identity.getAttributes(), or that of an account.
type attributesObject struct {
	get func(name string) attribute.Value
}

func (attributesObject) String() string { return "attributes" }
func (attributesObject) Kind() string   { return "a map of attributes" }

// Call implements [velocity.Object].
func (o attributesObject) Call(name string, arguments []any, call bool) (any, bool, error) {
	if !call {
		return toTemplate(o.get(name)), true, nil // a property is a key
	}
	switch name {
	case "get", "containsKey":
		if len(arguments) != 1 {
			return nil, true, errors.New("it takes the name of an attribute")
		}
		value := o.get(velocity.Text(arguments[0]))
		if name == "containsKey" {
			return !value.IsNull(), true, nil
		}
		return toTemplate(value), true, nil
	}
	return nil, false, nil
}

// fieldObject is the calculated attribute: $attributeDefinition, or $field in a policy.
type fieldObject struct{ name string }

func (o fieldObject) String() string { return o.name }
func (fieldObject) Kind() string     { return "an attribute" }

// Call implements [velocity.Object].
func (o fieldObject) Call(name string, arguments []any, _ bool) (any, bool, error) {
	switch name {
	case "name", "getName":
		return orNull(o.name), true, noArguments(arguments)
	}
	return nil, false, nil
}

// compareNumbers compares two decimal numbers by value.
func compareNumbers(a, b string) int {
	if len(a) > numberMax || len(b) > numberMax || strings.ContainsAny(a+b, "eE") {
		return strings.Compare(a, b)
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return strings.Compare(a, b)
	}
	return x.Cmp(y)
}

// numberMax is the most characters of a number that is compared by value. With an exponent even a short number can have
// a great many digits.
const numberMax = 40

// displayName is the preferred name, or else the given name, followed by the family name.
type displayName struct{}

func newDisplayName(d *definition) operation {
	d.Attributes = append(d.Attributes, "preferredName", "firstname", "lastname")
	return displayName{}
}

func (displayName) apply(e *evaluation, _ attribute.Value) (attribute.Value, error) {
	identity := &e.in.Identity
	given := identity.attribute("preferredName").Text()
	if given == "" {
		given = identity.attribute("firstname").Text()
	}
	name := strings.TrimSpace(given + " " + identity.attribute("lastname").Text())
	return textOrNull(name), nil
}
