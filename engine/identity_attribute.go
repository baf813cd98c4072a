package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
)

// IdentityAttributeDefinition is an identity attribute of the tenant, in the published shape.
type IdentityAttributeDefinition struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	// Standard attributes are those that every tenant has, and System attributes those that the engine alone writes:
	// neither can be deleted.
	Standard   bool   `json:"standard"`
	Type       string `json:"type"`
	Multi      bool   `json:"multi"`
	Searchable bool   `json:"searchable"`
	System     bool   `json:"system"`
	// Sources are what the profiles calculate it from.
	Sources []AttributeSource `json:"sources"`
	// Silent says that user interfaces need not show it.
	Silent bool `json:"-"`
}

// AttributeSource is what one profile calculates an identity attribute from: the type and the attributes of a
// transform.
type AttributeSource struct {
	Type       string          `json:"type"`
	Properties json.RawMessage `json:"properties"`
}

// silentAttributes are standard attributes that no person fills or reads.
var silentAttributes = []string{"iplanet-am-user-alias-list", "nextProcessing"}

// IdentityAttributeDefinitions returns all identity attributes, by name: those that are defined, and those that every
// tenant has.
func (e *Engine) IdentityAttributeDefinitions(ctx context.Context) ([]IdentityAttributeDefinition, error) {
	const op = "list the identity attributes"
	objects, err := e.ConfigurationObjects(ctx, TypeIdentityAttribute, TypeIdentityProfile)
	if err != nil {
		return nil, err
	}
	all := map[string]*IdentityAttributeDefinition{}
	for _, name := range configuration.StandardAttributes() {
		all[name] = &IdentityAttributeDefinition{Name: name, DisplayName: displayName(name), Standard: true,
			Type: "string", Silent: slices.Contains(silentAttributes, name)}
	}
	for _, name := range configuration.SystemAttributes() {
		all[name] = &IdentityAttributeDefinition{Name: name, DisplayName: displayName(name), System: true,
			Type: "string"}
	}
	for i := range objects {
		if o := &objects[i]; o.Type == TypeIdentityAttribute {
			given := &IdentityAttributeDefinition{}
			if err := json.Unmarshal(o.Object, given); err != nil {
				return nil, fault.Wrap(op, o.Name, err)
			}
			given.Name, given.System, given.Sources = o.Name, false, nil
			given.DisplayName = cmp.Or(given.DisplayName, displayName(o.Name))
			given.Type = cmp.Or(given.Type, "string")
			given.Standard = configuration.IsStandardAttribute(o.Name)
			all[o.Name] = given
		}
	}
	for i := range objects {
		if err := addSources(all, &objects[i]); err != nil {
			return nil, fault.Wrap(op, objects[i].Name, err)
		}
	}
	var list []IdentityAttributeDefinition
	for _, definition := range all {
		if definition.Sources == nil {
			definition.Sources = []AttributeSource{}
		}
		list = append(list, *definition)
	}
	slices.SortFunc(list, func(a, b IdentityAttributeDefinition) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// addSources adds what a profile calculates its attributes from.
func addSources(all map[string]*IdentityAttributeDefinition, o *ConfigurationObject) error {
	if o.Type != TypeIdentityProfile {
		return nil
	}
	var profile IdentityProfile
	if err := json.Unmarshal(o.Object, &profile); err != nil {
		return err
	}
	for _, mapping := range profile.AttributeConfig.Transforms {
		definition := all[mapping.IdentityAttributeName]
		if definition == nil {
			continue // applying defines what is mapped
		}
		var source struct {
			Type       string          `json:"type"`
			Attributes json.RawMessage `json:"attributes"`
		}
		if err := json.Unmarshal(mapping.TransformDefinition, &source); err != nil {
			return err
		}
		if len(source.Attributes) == 0 || string(source.Attributes) == "null" {
			source.Attributes = json.RawMessage("{}")
		}
		definition.Sources = append(definition.Sources, AttributeSource{source.Type, source.Attributes})
	}
	return nil
}

// displayName returns a name as people read it: Cloud Lifecycle State of cloudLifecycleState.
func displayName(name string) string {
	words := connector.NameWords(name)
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	if len(words) == 0 {
		return name
	}
	return strings.Join(words, " ")
}

// defaultMappings are the identity attributes that a new profile maps where the accounts of its source have an
// attribute of one of the names, which are compared without regard to letter case and signs.
var defaultMappings = []struct {
	attribute string
	accounts  []string
}{
	{"email", []string{"email", "mail", "emailaddress", "workemail"}},
	{"firstname", []string{"firstname", "givenname", "first"}},
	{"lastname", []string{"lastname", "sn", "surname", "familyname", "last"}},
	{"displayName", []string{"displayname", "cn", "fullname", "name"}},
	{"department", []string{"department", "dept"}},
	{"location", []string{"location", "l", "city", "office"}},
	{"phone", []string{"phone", "mobile", "mobilephone"}},
	{"workPhone", []string{"workphone", "telephonenumber", "officephone"}},
	{"preferredName", []string{"preferredname", "nickname"}},
	{"identificationNumber", []string{"identificationnumber", "employeenumber", "employeeid"}},
}

// AttributeConfig says how the attributes of a profile's identities are calculated, in the published shape.
type AttributeConfig struct {
	Enabled    bool               `json:"enabled"`
	Transforms []AttributeMapping `json:"attributeTransforms"`
}

// DefaultAttributeConfig returns the mapping that a new profile of the same source as a profile's, which an ID or a
// name stands for, would begin with: the native identity of accounts as uid, and the usual attributes where the schema
// of the source has one of a usual name.
func (e *Engine) DefaultAttributeConfig(ctx context.Context, profile string) (AttributeConfig, error) {
	const op = "get the default mapping"
	object, err := e.ConfigurationObject(ctx, TypeIdentityProfile, profile)
	if err != nil {
		return AttributeConfig{}, err
	}
	var shape IdentityProfile
	if err := json.Unmarshal(object.Object, &shape); err != nil {
		return AttributeConfig{}, fault.Wrap(op, object.Name, err)
	}
	found, err := e.ConfigurationObject(ctx, TypeSource, shape.AuthoritativeSource.ID)
	if err != nil {
		return AttributeConfig{}, err
	}
	var source Source
	if err := json.Unmarshal(found.Object, &source); err != nil {
		return AttributeConfig{}, fault.Wrap(op, found.Name, err)
	}
	config := AttributeConfig{Enabled: true, Transforms: []AttributeMapping{}}
	schema := connector.AccountSchema(source.Schemas)
	if schema == nil {
		return config, nil
	}
	add := func(identityAttribute, accountAttribute string) error {
		text, err := json.Marshal(map[string]any{"type": "accountAttribute", "attributes": map[string]string{
			"sourceName": found.Name, "attributeName": accountAttribute}})
		config.Transforms = append(config.Transforms, AttributeMapping{IdentityAttributeName: identityAttribute,
			TransformDefinition: text})
		return err
	}
	if schema.IdentityAttribute != "" {
		err = add("uid", schema.IdentityAttribute)
	}
	for _, usual := range defaultMappings {
		if name := namedLike(schema, usual.accounts); name != "" && err == nil {
			err = add(usual.attribute, name)
		}
	}
	return config, fault.Wrap(op, found.Name, err)
}

// namedLike returns the first attribute of a schema that has one of the names; "" for none.
func namedLike(schema *Schema, names []string) string {
	for _, name := range names {
		for i := range schema.Attributes {
			plain := strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(schema.Attributes[i].Name)
			if strings.EqualFold(plain, name) {
				return schema.Attributes[i].Name
			}
		}
	}
	return ""
}
