package configuration

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/store"
)

// NameLengthMax is how many characters the name of a configured object may have.
const NameLengthMax = 128

// ValidateName says what is wrong with the name of a configured object: it is blank, or longer than [NameLengthMax]. It
// is for package engine.
func ValidateName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("name is missing")
	case len([]rune(name)) > NameLengthMax:
		return fmt.Errorf("name: it is longer than %d characters", NameLengthMax)
	}
	return nil
}

// ValidAttributeName reports whether a text can be the name of an identity attribute: letters, digits, underscores and
// hyphens.
func ValidAttributeName(name string) bool { return store.ValidAttributeName(name) }

// ValidateSource returns the first thing that is wrong with a source's own content. It is for package engine, which
// calls it for every source that is applied.
func ValidateSource(s *Source) error {
	if err := ValidateName(s.Name); err != nil {
		return err
	}
	if s.DeleteThreshold != nil && (*s.DeleteThreshold < 0 || *s.DeleteThreshold > 100) {
		return fmt.Errorf("deleteThreshold: %d is given where a percentage from 0 to 100 is expected",
			*s.DeleteThreshold)
	}
	if _, err := delimited.ParseSettings(s.ConnectorAttributes); err != nil {
		return fmt.Errorf("connectorAttributes.%w", err)
	}
	if err := validateSecrets(s.Connector, s.ConnectorAttributes); err != nil {
		return err
	}
	for i := range s.Schedules {
		if _, err := s.Schedules[i].parse(); err != nil {
			return fmt.Errorf("schedules[%d].cronExpression: %w", i, err)
		}
	}
	if schema := connector.AccountSchema(s.Schemas); schema != nil {
		if err := validateSchema(schema); err != nil {
			return fmt.Errorf("schemas[%s].%w", strconv.Quote(schema.Name), err)
		}
	}
	if c := s.AccountCorrelationConfig; c != nil {
		for i, a := range c.Assignments {
			if err := a.validate(); err != nil {
				return fmt.Errorf("accountCorrelationConfig.attributeAssignments[%d].%w", i, err)
			}
		}
	}
	if m := s.ManagerCorrelation; m != nil && *m != (ManagerCorrelation{}) {
		switch {
		case m.AccountAttributeName == "":
			return errors.New("managerCorrelationMapping.accountAttributeName is missing")
		case !ValidAttributeName(m.IdentityAttributeName):
			return fmt.Errorf("managerCorrelationMapping.identityAttributeName: %q is no name of an identity attribute",
				m.IdentityAttributeName)
		}
	}
	return nil
}

// validateSchema returns the first thing that is wrong with the schema of accounts.
func validateSchema(s *Schema) error {
	seen := map[string]bool{}
	for i, a := range s.Attributes {
		switch {
		case a.Name == "":
			return fmt.Errorf("attributes[%d].name is missing", i)
		case seen[a.Name]:
			return fmt.Errorf("attributes[%d]: the attribute %q is given twice", i, a.Name)
		}
		seen[a.Name] = true
		if _, err := attribute.ParseEquality(string(a.Equality)); err != nil && a.Equality != "" {
			return fmt.Errorf("attributes[%d].equality: %w", i, err)
		}
		switch strings.ToUpper(a.Type) {
		case "", "STRING", "LONG", "INT", "BOOLEAN", "DATE":
		default:
			return fmt.Errorf("attributes[%d].type: %q is unknown: STRING, LONG, INT, BOOLEAN and DATE are known%s", i,
				a.Type, DidYouMean(a.Type, []string{"STRING", "LONG", "INT", "BOOLEAN", "DATE"}))
		}
	}
	for _, reference := range []struct{ member, name string }{
		{"identityAttribute", s.IdentityAttribute}, {"displayAttribute", s.DisplayAttribute},
	} {
		if reference.name != "" && len(seen) > 0 && !seen[reference.name] {
			return fmt.Errorf("%s: the schema has no attribute %q%s", reference.member, reference.name,
				DidYouMean(reference.name, slices.Sorted(maps.Keys(seen))))
		}
	}
	return nil
}

// validate returns the first thing that is wrong with an assignment.
func (a *AttributeAssignment) validate() error {
	switch {
	case !ValidAttributeName(a.Property):
		return fmt.Errorf("property: %q is no name of an identity attribute", a.Property)
	case a.Value == "":
		return errors.New("value is missing: the name of the account attribute")
	case a.Operation != "" && a.Operation != "EQ":
		return fmt.Errorf("operation: %q is unknown: EQ is the only one", a.Operation)
	}
	return nil
}
