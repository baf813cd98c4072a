package configuration

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
)

// Reference names another object, by ID, by name or by both.
type Reference struct {
	Type string `json:"type,omitempty"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Source is a source of accounts, in the published shape. Members that are not listed are kept but not read.
type Source struct {
	ID                       string              `json:"id"`
	Name                     string              `json:"name"`
	Authoritative            bool                `json:"authoritative"`
	Connector                string              `json:"connector"`
	ConnectorAttributes      json.RawMessage     `json:"connectorAttributes"`
	DeleteThreshold          *int                `json:"deleteThreshold"` // percent of the accounts
	Schemas                  []Schema            `json:"schemas"`
	AccountCorrelationConfig *CorrelationConfig  `json:"accountCorrelationConfig"`
	ManagerCorrelation       *ManagerCorrelation `json:"managerCorrelationMapping"`
	// ProvisioningPolicies say how accounts are created; AttributeSyncConfig which attributes are kept what the
	// identity's are; Schedules when the source is aggregated by its connector.
	ProvisioningPolicies []ProvisioningPolicy  `json:"provisioningPolicies"`
	AttributeSyncConfig  *AttributeSyncConfig  `json:"attributeSyncConfig"`
	Schedules            []AggregationSchedule `json:"schedules"`
}

// DeleteThresholdDefault is the share of a source's accounts, in percent, that a full aggregation may remove.
const DeleteThresholdDefault = 10

// Schema describes the accounts, or another kind of object, of a source.
type Schema = connector.Schema

// SchemaAttribute describes one attribute of a schema.
type SchemaAttribute = connector.SchemaAttribute

// CorrelationConfig says how an account of a source finds its identity: the assignments are tried in order.
type CorrelationConfig struct {
	ID          string                `json:"id"`
	Name        string                `json:"name"`
	Assignments []AttributeAssignment `json:"attributeAssignments"`
}

// AttributeAssignment compares an account attribute with an identity attribute.
type AttributeAssignment struct {
	Property  string `json:"property"` // the identity attribute
	Value     string `json:"value"`    // the account attribute
	Operation string `json:"operation"`
	// IgnoreCase says whether case counts. It does not unless this is given as false: so the product does it.
	IgnoreCase *bool `json:"ignoreCase"`
}

// ManagerCorrelation says how the manager of an identity is found: the value of the account attribute is looked for
// in the identity attribute.
type ManagerCorrelation struct {
	AccountAttributeName  string `json:"accountAttributeName"`
	IdentityAttributeName string `json:"identityAttributeName"`
}

// IdentityProfile makes identities of the accounts of a source, in the published shape.
type IdentityProfile struct {
	ID                  string    `json:"id"`
	Name                string    `json:"name"`
	Priority            *int64    `json:"priority"` // a smaller number comes first
	AuthoritativeSource Reference `json:"authoritativeSource"`
	AttributeConfig     struct {
		Enabled    *bool              `json:"enabled"` // defaults to true
		Transforms []AttributeMapping `json:"attributeTransforms"`
	} `json:"identityAttributeConfig"`
	LifecycleStates []json.RawMessage `json:"lifecycleStates"`
	// InvitationOptions say to which address invitations go: WORK, the default, or PERSONAL.
	InvitationOptions *struct {
		Address string `json:"address"`
	} `json:"invitationOptions"`
}

// AttributeMapping says what an identity attribute is calculated from.
type AttributeMapping struct {
	IdentityAttributeName string          `json:"identityAttributeName"`
	TransformDefinition   json.RawMessage `json:"transformDefinition"`
}

// LifecycleState is a stage of the identities of a profile, in the published shape.
type LifecycleState struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	TechnicalName   string    `json:"technicalName"`
	IdentityState   *string   `json:"identityState"`
	IdentityProfile Reference `json:"identityProfile"` // where the state does not stand in its profile
	// AccessProfileIDs, by ID or name, are granted, and AccountActions done, while an identity is in the state.
	AccessProfileIDs []string        `json:"accessProfileIds"`
	AccountActions   []AccountAction `json:"accountActions"`
	AccessActions    *struct {
		RemoveAllAccessEnabled bool `json:"removeAllAccessEnabled"`
	} `json:"accessActionConfiguration"`
}

// IdentityAttribute defines an identity attribute, in the published shape.
type IdentityAttribute struct {
	Name       string `json:"name"`
	Multi      bool   `json:"multi"`
	Searchable bool   `json:"searchable"`
}

// DecodeObject reads an object in its published shape into shape.
func DecodeObject(object []byte, shape any) error {
	err := json.Unmarshal(object, shape)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return fmt.Errorf("%s: a %s is given where %s is expected", mismatch.Field, mismatch.Value,
			article(mismatch.Type.Kind().String()))
	}
	return err
}

func article(kind string) string {
	switch kind {
	case "slice":
		return "a list"
	case "struct", "map":
		return "an object"
	case "bool":
		return "true or false"
	case "int", "int64":
		return "a whole number"
	}
	return "a " + kind
}

// AccountSchema returns the schema of the source's accounts, nil when the source has none.
func (s *Source) AccountSchema() *Schema { return connector.AccountSchema(s.Schemas) }

// Validate reports the first thing that is wrong with the source's own content.
func (s *Source) Validate() error {
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
	if err := validateSecrets(s.ConnectorAttributes); err != nil {
		return err
	}
	for i := range s.Schedules {
		if _, err := s.Schedules[i].parse(); err != nil {
			return fmt.Errorf("schedules[%d].cronExpression: %w", i, err)
		}
	}
	if schema := s.AccountSchema(); schema != nil {
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
		switch strings.ToUpper(a.Type) {
		case "", "STRING", "LONG", "INT", "BOOLEAN", "DATE":
		default:
			return fmt.Errorf("attributes[%d].type: %q is unknown: STRING, LONG, INT, BOOLEAN and DATE are known", i,
				a.Type)
		}
	}
	for _, reference := range []struct{ member, name string }{
		{"identityAttribute", s.IdentityAttribute}, {"displayAttribute", s.DisplayAttribute},
	} {
		if reference.name != "" && len(seen) > 0 && !seen[reference.name] {
			return fmt.Errorf("%s: the schema has no attribute %q", reference.member, reference.name)
		}
	}
	return nil
}

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

// NameLengthMax is how many characters the name of a configured object may have.
const NameLengthMax = 128

func ValidateName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("name is missing")
	case len([]rune(name)) > NameLengthMax:
		return fmt.Errorf("name: it is longer than %d characters", NameLengthMax)
	}
	return nil
}
