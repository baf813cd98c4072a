package configuration

import (
	"encoding/json"

	"github.com/muster-engine/muster/engine/connector"
)

// Reference names another object, by ID, by name or by both.
type Reference struct {
	Type string `json:"type,omitempty"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Source is a source of accounts, in the published shape. Members that are not listed are stored but not read.
type Source struct {
	ID                       string              `json:"id"`
	Name                     string              `json:"name"`
	Authoritative            bool                `json:"authoritative"`
	Features                 []string            `json:"features"` // see [CompiledSource.Can]
	Connector                string              `json:"connector"`
	ConnectorAttributes      json.RawMessage     `json:"connectorAttributes"`
	DeleteThreshold          *int                `json:"deleteThreshold"` // percent of the accounts
	Schemas                  []Schema            `json:"schemas"`
	AccountCorrelationConfig *CorrelationConfig  `json:"accountCorrelationConfig"`
	ManagerCorrelation       *ManagerCorrelation `json:"managerCorrelationMapping"`
	// ProvisioningPolicies say how accounts are created, AttributeSyncConfig which attributes are kept equal to the
	// identity's, and Schedules when the source is aggregated by its connector.
	ProvisioningPolicies []ProvisioningPolicy  `json:"provisioningPolicies"`
	AttributeSyncConfig  *AttributeSyncConfig  `json:"attributeSyncConfig"`
	Schedules            []AggregationSchedule `json:"schedules"`
}

// DeleteThresholdDefault is the share of a source's accounts, in percent, that a full aggregation may remove where the
// source does not say otherwise.
const DeleteThresholdDefault = 10

// Schema describes the accounts, or another kind of object, of a source.
type Schema = connector.Schema

// SchemaAttribute describes one attribute of a schema.
type SchemaAttribute = connector.SchemaAttribute

// CorrelationConfig says how an account of a source finds its identity. The assignments are tried in order.
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
	// IgnoreCase says whether letter case is ignored. Defaults to true, as in the product.
	IgnoreCase *bool `json:"ignoreCase"`
}

// ManagerCorrelation says how the manager of an identity is found: by the identity whose identity attribute has the
// value of the account attribute.
type ManagerCorrelation struct {
	AccountAttributeName  string `json:"accountAttributeName"`
	IdentityAttributeName string `json:"identityAttributeName"`
}

// ProvisioningPolicy says how the attributes of a new account are made, in the published shape.
type ProvisioningPolicy struct {
	Name      string            `json:"name"`
	UsageType string            `json:"usageType"` // CREATE is read, others are stored but not read
	Fields    []json.RawMessage `json:"fields"`
}

// AttributeSyncConfig says which account attributes are kept equal to the identity's, in the published shape.
type AttributeSyncConfig struct {
	Source     Reference       `json:"source"`
	Attributes []AttributeSync `json:"attributes"`
}

// AttributeSync keeps an account attribute equal to an identity attribute.
type AttributeSync struct {
	Name    string `json:"name"` // of the identity attribute
	Enabled bool   `json:"enabled"`
	Target  string `json:"target"` // the account attribute
}

// AccountStatus says which attribute of an account tells whether the account can be used, and which values it has then.
type AccountStatus struct {
	Attribute string `json:"attribute"`
	Enabled   string `json:"enabled"`
	Disabled  string `json:"disabled"`
}

// AggregationSchedule says when a source is aggregated by its connector, in the published shape.
type AggregationSchedule struct {
	Type string `json:"type"` // ACCOUNT_AGGREGATION; others are stored but not read
	// CronExpression has five fields, from the minutes on, or six, from the seconds on. A ? stands for any day. Its
	// times are those of the tenant's time zone.
	CronExpression string `json:"cronExpression"`
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
	Enabled         *bool     `json:"enabled"` // nil for true
	IdentityState   *string   `json:"identityState"`
	IdentityProfile Reference `json:"identityProfile"` // needed only where the state stands outside of its profile
	// AccessProfileIDs, by ID or name, are granted while an identity is in the state, and AccountActions are done.
	AccessProfileIDs []string        `json:"accessProfileIds"`
	AccountActions   []AccountAction `json:"accountActions"`
	AccessActions    *struct {
		RemoveAllAccessEnabled bool `json:"removeAllAccessEnabled"`
	} `json:"accessActionConfiguration"`
}

// AccountAction says what becomes of accounts when an identity enters a lifecycle state, in the published shape.
type AccountAction struct {
	Action string `json:"action"` // ENABLE, DISABLE or DELETE
	// SourceIDs are the sources, by ID or name. With AllSources there are none, and the action is about all sources but
	// those of ExcludeSourceIDs.
	SourceIDs        []string `json:"sourceIds"`
	AllSources       bool     `json:"allSources"`
	ExcludeSourceIDs []string `json:"excludeSourceIds"`
}

// IdentityAttribute defines an identity attribute, in the published shape.
type IdentityAttribute struct {
	Name       string `json:"name"`
	Multi      bool   `json:"multi"`
	Searchable bool   `json:"searchable"`
}

// Role is a role, in the published shape. Members that are not listed are stored but not read.
type Role struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Enabled    bool            `json:"enabled"` // a role that is not enabled has no members by its membership
	Membership *RoleMembership `json:"membership"`
	// AccessProfiles and Entitlements are what the role grants.
	AccessProfiles []Reference            `json:"accessProfiles"`
	Entitlements   []EntitlementReference `json:"entitlements"`
}

// RoleMembership says who is a member of a role without being assigned it.
type RoleMembership struct {
	Type       string          `json:"type"` // STANDARD or IDENTITY_LIST
	Criteria   json.RawMessage `json:"criteria"`
	Identities []Reference     `json:"identities"`
}

// AccessProfile is a bundle of entitlements of one source, in the published shape.
type AccessProfile struct {
	ID           string                 `json:"id"`
	Name         string                 `json:"name"`
	Enabled      *bool                  `json:"enabled"` // defaults to true; false grants nothing
	Source       Reference              `json:"source"`
	Entitlements []EntitlementReference `json:"entitlements"`
	// ProvisioningCriteria choose among several accounts of an identity on the source. Without them it is the earliest.
	ProvisioningCriteria *ProvisioningCriteria `json:"provisioningCriteria"`
}

// EntitlementReference names an entitlement: by ID, by attribute and value, or by a name that no other entitlement of
// the source has. The attribute may be left out where the source has one entitlement attribute.
type EntitlementReference struct {
	Reference
	Source    *Reference `json:"source,omitempty"` // for the entitlements of a role
	Attribute string     `json:"attribute,omitempty"`
	Value     string     `json:"value,omitempty"`
}

// ProvisioningCriteria is a criterion over accounts, in the published shape: it has at most three levels.
type ProvisioningCriteria struct {
	Operation string                  `json:"operation"` // EQUALS, NOT_EQUALS, CONTAINS, HAS, AND or OR
	Attribute string                  `json:"attribute"`
	Value     *string                 `json:"value"`
	Children  []*ProvisioningCriteria `json:"children"`
}
