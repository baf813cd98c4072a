package configuration

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// CompiledSource is a source with its row, for package engine.
type CompiledSource struct {
	Source
	RowID     store.ID
	IDText    string   // RowID as it is shown
	ProfileID store.ID // the profile that the source is authoritative for; zero for none
	account   accountProperties
	// stated are the attributes of the accounts whose equality the schema states.
	stated map[string]bool
}

// AccountSchema returns the schema of the source's accounts, or nil if it has none.
func (s *CompiledSource) AccountSchema() *Schema { return connector.AccountSchema(s.Schemas) }

// PasswordNotes returns a note for each attribute of a schema that holds passwords, and so is never read.
func (s *Source) PasswordNotes() []string {
	var notes []string
	for _, schema := range s.Schemas {
		for _, a := range schema.Attributes {
			if connector.HoldsPassword(a.Name) {
				notes = append(notes, fmt.Sprintf("source %q: the attribute %q of the schema holds passwords: it is "+
					"never read or stored", s.Name, a.Name))
			}
		}
	}
	return notes
}

// Entitling returns the attributes of the source's accounts whose values are entitlements: those that stand for objects
// of a schema, or all for "".
func (s *CompiledSource) Entitling(object string) []string {
	var names []string
	if schema := s.AccountSchema(); schema != nil {
		for _, a := range schema.Attributes {
			if a.IsEntitlement && (object == "" || a.Schema == nil || a.Schema.Name == object) {
				names = append(names, a.Name)
			}
		}
	}
	return names
}

// Marks returns [CompiledSource.Entitling] of all objects, with the source.
func (s *CompiledSource) Marks() []store.Mark {
	var marks []store.Mark
	for _, name := range s.Entitling("") {
		marks = append(marks, store.Mark{SourceID: s.RowID, Attribute: name})
	}
	return marks
}

// Marks returns the attributes of the accounts of all sources whose values are entitlements.
func (c *Configuration) Marks() []store.Mark {
	var marks []store.Mark
	for _, source := range c.Sources {
		marks = append(marks, source.Marks()...)
	}
	return marks
}

// Entitlements returns the entitlements that an account of the source with these attributes holds, each once and
// sorted. A value that is too long is none.
func (s *CompiledSource) Entitlements(attributes *attribute.Set) []store.EntitlementValue {
	var values []store.EntitlementValue
	for _, name := range s.Entitling("") {
		for _, text := range EntitlementTexts(attributes.Get(name)) {
			if len(text) <= EntitlementLengthMax {
				values = append(values, store.EntitlementValue{Attribute: name, Value: text})
			}
		}
	}
	SortEntitlements(values)
	return slices.Compact(values)
}

// EntitlementTexts returns the texts of the entitlements that a value of a marked attribute is. Do not change them.
func EntitlementTexts(value attribute.Value) []string {
	if value.Kind() == attribute.KindNumber {
		return []string{StoredNumber(value.Text())}
	}
	return value.Strings()
}

// SortEntitlements sorts entitlements as all transactions add them, so that none waits for another in a circle.
func SortEntitlements(values []store.EntitlementValue) {
	slices.SortFunc(values, func(a, b store.EntitlementValue) int {
		return cmp.Or(strings.Compare(a.Attribute, b.Attribute), strings.Compare(a.Value, b.Value))
	})
}

// Equality returns how the source compares the values of an attribute: as its schema says, or else by the default of
// its connector.
func (s *CompiledSource) Equality(name string) attribute.Equality {
	if schema := s.AccountSchema(); schema != nil {
		if a := schema.Attribute(name); a != nil && a.Equality != "" {
			return a.Equality
		}
	}
	return connector.DefaultEquality(s.Connector, name)
}

// NameEquality returns how a generated name for an attribute is compared with those in use: as the schema states, or as
// a directory compares. Where nothing is said, letter case does not count: names that differ in it alone are taken for
// one another, whatever the source does.
func (s *CompiledSource) NameEquality(name string) attribute.Equality {
	if schema := s.AccountSchema(); schema != nil {
		if a := schema.Attribute(name); a != nil && s.stated[a.Name] {
			return a.Equality
		}
	}
	if connector.IsDirectory(s.Connector) {
		return s.Equality(name)
	}
	return attribute.CaseIgnoreMatch
}

// completeEqualities gives every attribute of the schemas the equality by which the source compares its values, so that
// connectors and operations find it there. A name that is unknown, which [ValidateSource] refuses, counts as missing.
func (s *CompiledSource) completeEqualities() {
	s.stated = map[string]bool{}
	account := s.AccountSchema()
	for i := range s.Schemas {
		for k := range s.Schemas[i].Attributes {
			a := &s.Schemas[i].Attributes[k]
			equality, err := attribute.ParseEquality(string(a.Equality))
			if err != nil {
				equality = connector.DefaultEquality(s.Connector, a.Name)
			} else if &s.Schemas[i] == account {
				s.stated[a.Name] = true
			}
			a.Equality = equality
		}
	}
}

// single returns the entitlement attributes that have one value.
func (s *CompiledSource) single() map[string]bool {
	var single map[string]bool
	schema := s.AccountSchema()
	for _, name := range s.Entitling("") {
		if !schema.Attribute(name).IsMulti {
			if single == nil {
				single = map[string]bool{}
			}
			single[name] = true
		}
	}
	return single
}

// NamesAccounts reports whether an attribute of the source's accounts holds their native identity.
func (s *CompiledSource) NamesAccounts(attribute string) bool {
	schema := s.AccountSchema()
	return schema != nil && schema.IdentityAttribute == attribute
}

// accountProperties are what transforms ask of the source's accounts beside their attributes.
type accountProperties struct {
	disabled         *attribute.Lookup // of the attribute that accountStatus names
	disabledValue    string
	locked           *attribute.Lookup
	entitlements     []*attribute.Lookup
	sourceID, source string
}

// properties compiles the properties of the source's accounts.
func (s *CompiledSource) properties() accountProperties {
	status := s.Status()
	p := accountProperties{disabled: attribute.NewLookup(status.Attribute), disabledValue: status.Disabled,
		locked: attribute.NewLookup(refresh.LockAttribute), sourceID: s.IDText, source: s.Name}
	for _, name := range s.Entitling("") {
		p.entitlements = append(p.entitlements, attribute.NewLookup(name))
	}
	return p
}

// of fills the properties of an account that has its attributes.
func (p *accountProperties) of(a *transform.Account) {
	a.SourceID, a.SourceName = p.sourceID, p.source
	a.Disabled = p.disabled.Get(a.Attributes).Text() == p.disabledValue
	a.Locked = p.locked.Get(a.Attributes).Text() == "true"
	a.Entitlements = slices.ContainsFunc(p.entitlements, func(l *attribute.Lookup) bool {
		return l.Get(a.Attributes).Len() > 0
	})
}

// Status says how the source's accounts tell whether they can be used. Where accountStatus cannot be read, which
// [Configuration.Check] reports, its default counts.
func (s *CompiledSource) Status() AccountStatus {
	status, err := s.accountStatus()
	if err != nil {
		return statusDefault
	}
	return status
}

// Assignments returns the correlation of the source's accounts, or none if it has none.
func (s *CompiledSource) Assignments() []AttributeAssignment {
	if s.AccountCorrelationConfig == nil {
		return nil
	}
	return s.AccountCorrelationConfig.Assignments
}

// exact reports whether letter case counts.
func (a *AttributeAssignment) exact() bool { return a.IgnoreCase != nil && !*a.IgnoreCase }

// Schedule returns the cron expression by which the source is aggregated, or "" if it has none.
func (s *CompiledSource) Schedule() string {
	for i := range s.Schedules {
		if s.Schedules[i].Type == accountAggregation {
			return s.Schedules[i].CronExpression
		}
	}
	return ""
}

// SyncAttributes returns the attributes of the source that can be synchronized, and whether they are. Those are, as
// published, the attributes that its policy takes unchanged from an identity attribute.
func (s *CompiledSource) SyncAttributes() ([]AttributeSync, error) {
	attributes, faults := s.syncAttributes()
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return attributes, nil
}

// syncAttributes is SyncAttributes with each fault by itself.
func (s *CompiledSource) syncAttributes() ([]AttributeSync, []error) {
	candidates := []AttributeSync{}
	var names []string
	if policy := s.createPolicy(); policy != nil {
		for _, definition := range policy.Fields {
			if target, name := directField(definition); name != "" && !connector.HoldsPassword(target) {
				candidates = append(candidates, AttributeSync{Name: name, Target: target})
				names = append(names, fmt.Sprintf("%s to %s", name, target))
			}
		}
	}
	if s.AttributeSyncConfig == nil {
		return candidates, nil
	}
	var faults []error
	for i, a := range s.AttributeSyncConfig.Attributes {
		at := slices.IndexFunc(candidates, func(c AttributeSync) bool {
			return c.Name == a.Name && c.Target == a.Target
		})
		switch {
		case connector.HoldsPassword(a.Target):
			faults = append(faults, fmt.Errorf("attributeSyncConfig.attributes[%d]: the account attribute %q holds "+
				"passwords, which are never read and so cannot be synchronized", i, a.Target))
		case at >= 0:
			candidates[at].Enabled = a.Enabled
		case a.Enabled: // what is not enabled asks for nothing; a note says so
			faults = append(faults, fmt.Errorf("attributeSyncConfig.attributes[%d]: the identity attribute %q is not "+
				"what the account attribute %q is made of when an account is created, and so cannot be "+
				"synchronized: what can is %s%s", i, a.Name, a.Target, ListOrNone(names),
				DidYouMean(a.Name+" to "+a.Target, names)))
		}
	}
	return candidates, faults
}

// createPolicy returns the policy by which accounts are created, or nil if the source has none.
func (s *CompiledSource) createPolicy() *ProvisioningPolicy {
	for i := range s.ProvisioningPolicies {
		if usage := s.ProvisioningPolicies[i].UsageType; usage == "" || usage == "CREATE" {
			return &s.ProvisioningPolicies[i]
		}
	}
	return nil
}

// directField returns the account attribute of a field, and the identity attribute that its value is, or "" if it is
// made in another way.
func directField(definition json.RawMessage) (target, name string) {
	var field struct {
		Name      string `json:"name"`
		Transform struct {
			Type       string `json:"type"`
			Attributes struct {
				Name  string          `json:"name"`
				Input json.RawMessage `json:"input"`
			} `json:"attributes"`
		} `json:"transform"`
	}
	if json.Unmarshal(definition, &field) != nil || field.Transform.Type != "identityAttribute" ||
		!isNone(field.Transform.Attributes.Input) {
		return field.Name, ""
	}
	return field.Name, field.Transform.Attributes.Name
}

// statusDefault is how accounts say that they are disabled if the source does not say otherwise.
var statusDefault = AccountStatus{Attribute: "IIQDisabled", Enabled: "false", Disabled: "true"}

// accountStatus returns how the source's accounts say whether they can be used.
func (s *CompiledSource) accountStatus() (AccountStatus, error) {
	var attributes struct {
		AccountStatus *AccountStatus `json:"accountStatus"`
	}
	if isNone(s.ConnectorAttributes) {
		return statusDefault, nil
	}
	if err := json.Unmarshal(s.ConnectorAttributes, &attributes); err != nil {
		return statusDefault, fmt.Errorf("connectorAttributes.accountStatus: an object with attribute, enabled and "+
			"disabled is expected: %w", err)
	}
	status := attributes.AccountStatus
	switch {
	case status == nil:
		return statusDefault, nil
	case status.Attribute == "" || status.Disabled == status.Enabled:
		return statusDefault, errors.New("connectorAttributes.accountStatus: an attribute, and different values for " +
			"enabled and disabled are expected")
	}
	return *status, nil
}
