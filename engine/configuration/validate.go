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

// ValidateSource says what is wrong with a source's own content, each fault on a line. It is for package engine, which
// calls it for every source that is applied.
func ValidateSource(s *Source) error {
	faults := []error{ValidateName(s.Name)}
	add := func(place string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s.%w", place, err))
		}
	}
	if s.DeleteThreshold != nil && (*s.DeleteThreshold < 0 || *s.DeleteThreshold > 100) {
		faults = append(faults, fmt.Errorf("deleteThreshold: %d is given where a percentage from 0 to 100 is expected",
			*s.DeleteThreshold))
	}
	_, err := delimited.ParseSettings(s.ConnectorAttributes)
	add("connectorAttributes", err)
	faults = append(faults, validateSecrets(s.Connector, s.ConnectorAttributes))
	for i := range s.Schedules {
		if _, err := s.Schedules[i].parse(); err != nil {
			add(fmt.Sprintf("schedules[%d]", i), fmt.Errorf("cronExpression: %w", err))
		}
	}
	if schema := connector.AccountSchema(s.Schemas); schema != nil {
		for _, err := range validateSchema(schema) {
			add(fmt.Sprintf("schemas[%s]", strconv.Quote(schema.Name)), err)
		}
	}
	if c := s.AccountCorrelationConfig; c != nil {
		for i, a := range c.Assignments {
			add(fmt.Sprintf("accountCorrelationConfig.attributeAssignments[%d]", i), a.validate())
		}
	}
	if m := s.ManagerCorrelation; m != nil && *m != (ManagerCorrelation{}) {
		if m.AccountAttributeName == "" {
			faults = append(faults, errors.New("managerCorrelationMapping.accountAttributeName is missing"))
		}
		if !ValidAttributeName(m.IdentityAttributeName) {
			faults = append(faults, fmt.Errorf("managerCorrelationMapping.identityAttributeName: %q is no name of an "+
				"identity attribute", m.IdentityAttributeName))
		}
	}
	return errors.Join(faults...)
}

// validateSchema returns what is wrong with the schema of accounts.
func validateSchema(s *Schema) (faults []error) {
	seen := map[string]bool{}
	fault := func(format string, arguments ...any) { faults = append(faults, fmt.Errorf(format, arguments...)) }
	for i, a := range s.Attributes {
		switch {
		case a.Name == "":
			fault("attributes[%d].name is missing", i)
		case seen[a.Name]:
			fault("attributes[%d]: the attribute %q is given twice", i, a.Name)
		}
		seen[a.Name] = true
		if _, err := attribute.ParseEquality(string(a.Equality)); err != nil && a.Equality != "" {
			fault("attributes[%d].equality: %w", i, err)
		}
		switch strings.ToUpper(a.Type) {
		case "", "STRING", "LONG", "INT", "BOOLEAN", "DATE":
		default:
			fault("attributes[%d].type: %q is unknown: STRING, LONG, INT, BOOLEAN and DATE are known%s", i, a.Type,
				DidYouMean(a.Type, []string{"STRING", "LONG", "INT", "BOOLEAN", "DATE"}))
		}
	}
	for _, reference := range []struct{ member, name string }{
		{"identityAttribute", s.IdentityAttribute}, {"displayAttribute", s.DisplayAttribute},
	} {
		if reference.name != "" && len(seen) > 0 && !seen[reference.name] {
			fault("%s: the schema has no attribute %q%s", reference.member, reference.name,
				DidYouMean(reference.name, slices.Sorted(maps.Keys(seen))))
		}
	}
	return faults
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
