package configuration

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/secret"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// AccessProfile is a bundle of entitlements of one source, in the published shape.
type AccessProfile struct {
	ID           string                 `json:"id"`
	Name         string                 `json:"name"`
	Enabled      *bool                  `json:"enabled"` // defaults to true; one that is not enabled grants nothing
	Source       Reference              `json:"source"`
	Entitlements []EntitlementReference `json:"entitlements"`
	// ProvisioningCriteria choose among several accounts of an identity on the source. Without, it is the earliest.
	ProvisioningCriteria *ProvisioningCriteria `json:"provisioningCriteria"`
}

// EntitlementReference names an entitlement: by ID, by attribute and value, or by a name that is the only one on its
// source. The attribute may be left out where the source has one entitlement attribute.
type EntitlementReference struct {
	Reference
	Source    *Reference `json:"source,omitempty"` // for the entitlements of a role
	Attribute string     `json:"attribute,omitempty"`
	Value     string     `json:"value,omitempty"`
}

// ProvisioningCriteria is a criterion over accounts, in the published shape: three levels at most.
type ProvisioningCriteria struct {
	Operation string                  `json:"operation"` // EQUALS, NOT_EQUALS, CONTAINS, HAS, AND or OR
	Attribute string                  `json:"attribute"`
	Value     *string                 `json:"value"`
	Children  []*ProvisioningCriteria `json:"children"`
}

// provisioningLevelsMax is how many levels provisioning criteria may have, as published.
const provisioningLevelsMax = 3

// AccountAction is what becomes of accounts on entering a lifecycle state, in the published shape.
type AccountAction struct {
	Action    string   `json:"action"` // ENABLE, DISABLE or DELETE
	SourceIDs []string `json:"sourceIds"`
}

// ProvisioningPolicy says how the attributes of a new account are made, in the published shape.
type ProvisioningPolicy struct {
	Name      string            `json:"name"`
	UsageType string            `json:"usageType"` // CREATE is read, others are kept
	Fields    []json.RawMessage `json:"fields"`
}

// AttributeSyncConfig says which account attributes are kept what the identity's are, in the published shape.
type AttributeSyncConfig struct {
	Source     Reference       `json:"source"`
	Attributes []AttributeSync `json:"attributes"`
}

// AttributeSync keeps an account attribute what an identity attribute is.
type AttributeSync struct {
	Name    string `json:"name"` // of the identity attribute
	Enabled bool   `json:"enabled"`
	Target  string `json:"target"` // the account attribute
}

// AccountStatus says which attribute of an account tells whether it can be used, and how that is written.
type AccountStatus struct {
	Attribute string `json:"attribute"`
	Enabled   string `json:"enabled"`
	Disabled  string `json:"disabled"`
}

// statusDefault is how accounts say that they are disabled where the source does not tell otherwise.
var statusDefault = AccountStatus{Attribute: "IIQDisabled", Enabled: "false", Disabled: "true"}

// secretMembers are the parts of names under which connectorAttributes hold secrets.
var secretMembers = []string{"password", "secret", "token", "credential", "privatekey", "passphrase", "apikey"}

// validateSecrets refuses secrets that are written into the configuration.
func validateSecrets(attributes json.RawMessage) error {
	if isNone(attributes) {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(attributes, &members); err != nil {
		return errors.New("connectorAttributes: an object is expected")
	}
	for name, value := range members {
		var text string
		if json.Unmarshal(value, &text) != nil || text == "" {
			continue // a number or a flag about a secret
		}
		folded := strings.ToLower(name)
		named := slices.ContainsFunc(secretMembers, func(part string) bool { return strings.Contains(folded, part) })
		if !named && !hasPassword(text) {
			continue
		}
		if _, _, err := secret.Parse(text); err != nil || hasPassword(text) {
			if err == nil {
				err = errors.New("a URL with a password in it is a secret: give a reference, env:NAME or file:PATH")
			}
			return fmt.Errorf("connectorAttributes.%s: %w", name, err)
		}
	}
	return nil
}

// hasPassword reports whether a text is a URL with a password in it.
func hasPassword(text string) bool {
	parsed, err := url.Parse(text)
	if err != nil || parsed.User == nil {
		return false
	}
	_, has := parsed.User.Password()
	return has
}

// accountStatus returns how the source's accounts say whether they can be used.
func (s *Source) accountStatus() (AccountStatus, error) {
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

// createPolicy returns the policy by which accounts are created, nil when the source has none.
func (s *Source) createPolicy() *ProvisioningPolicy {
	for i := range s.ProvisioningPolicies {
		if usage := s.ProvisioningPolicies[i].UsageType; usage == "" || usage == "CREATE" {
			return &s.ProvisioningPolicies[i]
		}
	}
	return nil
}

// compileAccess compiles what roles and lifecycle states grant, and how sources are provisioned. connected says of a
// connector whether there is one.
func (c *Configuration) compileAccess(rows *store.Configuration, connected func(name string) bool) error {
	access := &refresh.Access{Roles: map[refresh.ID]refresh.RoleAccess{},
		States: map[refresh.ID]map[string]refresh.StateAccess{}, Sources: map[refresh.ID]*refresh.TargetSource{}}
	b := accessBuilder{c: c, known: rows.Entitlements, profiles: map[store.ID]*compiledAccessProfile{}}
	for _, source := range c.Sources {
		target, err := b.source(source)
		if err != nil {
			return fmt.Errorf("source %q: %w", source.Name, err)
		}
		target.Manual = !connected(source.Connector)
		access.Sources[target.ID] = target
		b.grants = b.grants || len(target.Sync) > 0
	}
	for _, row := range rows.AccessProfiles {
		if err := b.profile(row); err != nil {
			return fmt.Errorf("access profile %q: %w", row.Name, err)
		}
	}
	for id, role := range c.Roles {
		grants, err := b.role(&role.Role)
		if err != nil {
			return fmt.Errorf("role %q: %w", role.Name, err)
		}
		if role.Enabled && len(grants) > 0 {
			access.Roles[id] = refresh.RoleAccess{Name: role.Name, Grants: grants}
			b.grants = true
		}
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		states := map[string]refresh.StateAccess{}
		for name, state := range p.states {
			compiled, err := b.state(&state.LifecycleState)
			if err != nil {
				return fmt.Errorf("lifecycle state %q: %w", name, err)
			}
			if len(compiled.Grants)+len(compiled.Actions) > 0 || compiled.RemoveAll {
				states[name] = compiled
				b.grants = true
			}
		}
		access.States[p.RowID] = states
	}
	if b.grants || rows.Granted {
		c.Refresh.Access = access
	}
	return nil
}

type compiledAccessProfile struct {
	AccessProfile
	id     store.ID
	grants []refresh.Grant
}

type accessBuilder struct {
	c        *Configuration
	known    []store.Entitlement
	profiles map[store.ID]*compiledAccessProfile
	grants   bool // that anything is granted, done or synchronized
}

func (b *accessBuilder) source(s *CompiledSource) (*refresh.TargetSource, error) {
	status, err := s.accountStatus()
	if err != nil {
		return nil, err
	}
	target := &refresh.TargetSource{ID: s.RowID, Name: s.Name, Status: status.Attribute,
		Enabled: status.Enabled, Disabled: status.Disabled, Entitling: s.Entitling("")}
	if policy := s.createPolicy(); policy != nil {
		target.Policy = []refresh.PolicyField{}
		for i, definition := range policy.Fields {
			field, err := transform.CompileField(definition, b.c)
			if err != nil {
				return nil, fmt.Errorf("provisioningPolicies: fields[%d]: %w", i, err)
			}
			f := refresh.PolicyField{Name: field.Name, Required: field.Required,
				Secret: strings.EqualFold(field.Type, "secret")}
			if field.Transform != nil {
				f.Transform = field.Transform
			}
			target.Policy = append(target.Policy, f)
		}
	}
	attributes, err := s.SyncAttributes()
	for _, a := range attributes {
		if a.Enabled {
			target.Sync = append(target.Sync, refresh.SyncAttribute{Identity: a.Name, Account: a.Target})
		}
	}
	return target, err
}

// SyncAttributes returns the attributes of the source that can be synchronized, and whether they are: those that its
// policy takes from an identity attribute as they are. It is the published rule.
func (s *Source) SyncAttributes() ([]AttributeSync, error) {
	candidates := []AttributeSync{}
	var names []string
	if policy := s.createPolicy(); policy != nil {
		for _, definition := range policy.Fields {
			if target, name := directField(definition); name != "" {
				candidates = append(candidates, AttributeSync{Name: name, Target: target})
				names = append(names, fmt.Sprintf("%s to %s", name, target))
			}
		}
	}
	if s.AttributeSyncConfig == nil {
		return candidates, nil
	}
	for i, a := range s.AttributeSyncConfig.Attributes {
		at := slices.IndexFunc(candidates, func(c AttributeSync) bool {
			return c.Name == a.Name && c.Target == a.Target
		})
		if at < 0 {
			return nil, fmt.Errorf("attributeSyncConfig.attributes[%d]: the identity attribute %q is not what the "+
				"account attribute %q is made of when an account is created, and so cannot be synchronized: what can "+
				"is %s", i, a.Name, a.Target, ListOrNone(names))
		}
		candidates[at].Enabled = a.Enabled
	}
	return candidates, nil
}

// directField returns the account attribute of a field and the identity attribute that it is, "" where it is not just
// one.
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

// profile compiles an access profile.
func (b *accessBuilder) profile(row store.Object) error {
	p := &compiledAccessProfile{id: row.ID}
	if err := DecodeObject(row.Document, &p.AccessProfile); err != nil {
		return err
	}
	source := b.c.sourceOf(&p.Source)
	if source == nil {
		return fmt.Errorf("source: there is no source %q", p.Source.label())
	}
	choice, err := p.ProvisioningCriteria.compile("provisioningCriteria", 1)
	if err != nil {
		return err
	}
	for i := range p.Entitlements {
		e, err := b.entitlement(&p.Entitlements[i], source)
		if err != nil {
			return fmt.Errorf("entitlements[%d]: %w", i, err)
		}
		p.grants = append(p.grants, refresh.Grant{Entitlement: e, Profile: row.ID, ProfileName: row.Name,
			Choice: choice})
	}
	if p.Enabled != nil && !*p.Enabled {
		p.grants = nil
	}
	b.profiles[row.ID] = p
	return nil
}

func (r *Reference) label() string {
	if r.Name != "" {
		return r.Name
	}
	return r.ID
}

// sourceOf returns the source that a reference names, by ID or by name; nil when there is none.
func (c *Configuration) sourceOf(r *Reference) *CompiledSource {
	if source := c.SourceByName(r.ID); r.ID != "" && source != nil {
		return source
	}
	if r.Name == "" {
		return nil
	}
	return c.SourceByName(r.Name)
}

func (c *ProvisioningCriteria) compile(place string, level int) (*refresh.AccountChoice, error) {
	if c == nil || level == 1 && c.Operation == "" && c.Attribute == "" && len(c.Children) == 0 {
		return nil, nil
	}
	choice := &refresh.AccountChoice{Operation: strings.ToUpper(c.Operation), Attribute: c.Attribute,
		Value: store.TextOf(c.Value)}
	switch choice.Operation {
	case "AND", "OR":
		if len(c.Children) == 0 {
			return nil, fmt.Errorf("%s.children is missing: %s needs some", place, choice.Operation)
		}
		if level == provisioningLevelsMax {
			return nil, fmt.Errorf("%s: there are more than %d levels", place, provisioningLevelsMax)
		}
		for i, child := range c.Children {
			inner, err := child.compile(fmt.Sprintf("%s.children[%d]", place, i), level+1)
			if err == nil && inner == nil {
				err = fmt.Errorf("%s.children[%d] is empty", place, i)
			}
			if err != nil {
				return nil, err
			}
			choice.Children = append(choice.Children, inner)
		}
	case "EQUALS", "NOT_EQUALS", "CONTAINS", "HAS":
		if c.Attribute == "" || c.Value == nil {
			return nil, fmt.Errorf("%s: attribute and value are expected with %s", place, choice.Operation)
		}
	default:
		return nil, fmt.Errorf("%s.operation: %q is unknown: EQUALS, NOT_EQUALS, CONTAINS, HAS, AND and OR are known",
			place, c.Operation)
	}
	return choice, nil
}

// entitlement returns the entitlement that a reference names. source is that of the access profile, nil for a role's
// own.
func (b *accessBuilder) entitlement(r *EntitlementReference, source *CompiledSource) (refresh.Entitlement, error) {
	if r.Source != nil {
		if source = b.c.sourceOf(r.Source); source == nil {
			return refresh.Entitlement{}, fmt.Errorf("source: there is no source %q", r.Source.label())
		}
	}
	if id, err := store.ParseID(r.ID); err == nil {
		at := slices.IndexFunc(b.known, func(e store.Entitlement) bool { return e.ID == id })
		if at >= 0 {
			e := &b.known[at]
			if source != nil && e.SourceID != source.RowID {
				return refresh.Entitlement{}, fmt.Errorf("the entitlement %s is one of another source", r.ID)
			}
			return refresh.Entitlement{SourceID: e.SourceID, Attribute: e.Attribute, Value: e.Value}, nil
		}
	}
	if source == nil {
		return refresh.Entitlement{}, errors.New("source is missing: the source of the entitlement")
	}
	if r.Value != "" {
		return source.entitlementOf(r)
	}
	var found []*store.Entitlement
	for i := range b.known {
		e := &b.known[i]
		if e.SourceID == source.RowID && r.Name != "" && store.Fold(e.Name) == store.Fold(r.Name) &&
			(r.Attribute == "" || r.Attribute == e.Attribute) {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		return refresh.Entitlement{}, fmt.Errorf("%d entitlements of the source %q have the name %q: name one by its "+
			"id, or by attribute and value", len(found), source.Name, r.Name)
	}
	return refresh.Entitlement{SourceID: source.RowID, Attribute: found[0].Attribute,
		Value: found[0].Value}, nil
}

// entitlementOf returns the entitlement of a value.
func (s *CompiledSource) entitlementOf(r *EntitlementReference) (refresh.Entitlement, error) {
	e := refresh.Entitlement{SourceID: s.RowID, Attribute: r.Attribute, Value: r.Value}
	if len(r.Value) > EntitlementLengthMax || !store.Storable(r.Value) {
		return e, fmt.Errorf("value: at most %d bytes without NUL are allowed", EntitlementLengthMax)
	}
	names := s.Entitling("")
	if e.Attribute == "" && len(names) == 1 {
		e.Attribute = names[0]
	}
	if !slices.Contains(names, e.Attribute) {
		return e, fmt.Errorf("attribute: %q is no entitlement attribute of the source %q: those are %s", e.Attribute,
			s.Name, ListOrNone(names))
	}
	return e, nil
}

// role returns what a role grants.
func (b *accessBuilder) role(r *Role) ([]refresh.Grant, error) {
	var grants []refresh.Grant
	for i := range r.AccessProfiles {
		p := b.profileOf(&r.AccessProfiles[i])
		if p == nil {
			return nil, fmt.Errorf("accessProfiles[%d]: there is no access profile %q", i, r.AccessProfiles[i].label())
		}
		grants = append(grants, p.grants...)
	}
	for i := range r.Entitlements {
		e, err := b.entitlement(&r.Entitlements[i], nil)
		if err != nil {
			return nil, fmt.Errorf("entitlements[%d]: %w", i, err)
		}
		grants = append(grants, refresh.Grant{Entitlement: e})
	}
	return grants, nil
}

func (b *accessBuilder) profileOf(r *Reference) *compiledAccessProfile {
	if id, err := store.ParseID(r.ID); err == nil && b.profiles[id] != nil {
		return b.profiles[id]
	}
	for _, p := range b.profiles {
		if r.Name != "" && store.Fold(p.Name) == store.Fold(r.Name) {
			return p
		}
	}
	return nil
}

// accountActions are the actions by the names that they have in a configuration.
var accountActions = map[string]connector.Kind{
	"ENABLE": connector.Enable, "DISABLE": connector.Disable, "DELETE": connector.Delete,
}

func (b *accessBuilder) state(l *LifecycleState) (refresh.StateAccess, error) {
	var state refresh.StateAccess
	for i, text := range l.AccessProfileIDs {
		p := b.profileOf(&Reference{ID: text, Name: text})
		if p == nil {
			return state, fmt.Errorf("accessProfileIds[%d]: there is no access profile %q", i, text)
		}
		state.Grants = append(state.Grants, p.grants...)
	}
	for i, action := range l.AccountActions {
		kind, known := accountActions[strings.ToUpper(action.Action)]
		if !known {
			return state, fmt.Errorf("accountActions[%d].action: %q is unknown: ENABLE, DISABLE and DELETE are known",
				i, action.Action)
		}
		for k, text := range action.SourceIDs {
			source := b.c.SourceByName(text)
			if source == nil {
				return state, fmt.Errorf("accountActions[%d].sourceIds[%d]: there is no source %q", i, k, text)
			}
			if state.Actions == nil {
				state.Actions = map[refresh.ID]connector.Kind{}
			}
			if _, twice := state.Actions[source.RowID]; twice {
				return state, fmt.Errorf("accountActions[%d].sourceIds[%d]: the source %q has an action already", i, k,
					source.Name)
			}
			state.Actions[source.RowID] = kind
		}
	}
	state.RemoveAll = l.AccessActions != nil && l.AccessActions.RemoveAllAccessEnabled
	return state, nil
}

// StateAccess returns what the lifecycle states of a profile grant.
func (c *Configuration) StateAccess(profile store.ID) map[string]refresh.StateAccess {
	if c.Refresh.Access == nil || len(c.Refresh.Access.States[profile]) == 0 {
		return nil
	}
	return c.Refresh.Access.States[profile]
}

func (c *Configuration) RoleAccess(role store.ID) []refresh.Grant {
	if c.Refresh.Access == nil {
		return nil
	}
	return c.Refresh.Access.Roles[role].Grants
}
