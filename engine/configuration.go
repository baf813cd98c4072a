package engine

import (
	"io"

	"github.com/muster-engine/muster/engine/configuration"
)

// The limits of a configuration, as package configuration states them.
const (
	ConfigurationSizeMax    = configuration.ConfigurationSizeMax    // bytes of a configuration text: 16 MiB
	DeleteThresholdDefault  = configuration.DeleteThresholdDefault  // percent of a source's accounts: 10
	EntitlementLengthMax    = configuration.EntitlementLengthMax    // bytes
	NameLengthMax           = configuration.NameLengthMax           // characters of an object's name: 128
	NativeIdentityLengthMax = configuration.NativeIdentityLengthMax // bytes
	NumberExponentMax       = configuration.NumberExponentMax       // the largest exponent of a JSON number: 308
	NumberLengthMax         = configuration.NumberLengthMax         // characters of a JSON number: 100
)

// The types of objects that can be applied.
const (
	TypeAccessProfile     = configuration.TypeAccessProfile
	TypeIdentityAttribute = configuration.TypeIdentityAttribute
	TypeIdentityProfile   = configuration.TypeIdentityProfile
	TypeLifecycleState    = configuration.TypeLifecycleState
	TypeRole              = configuration.TypeRole
	TypeSource            = configuration.TypeSource
	TypeTransform         = configuration.TypeTransform
)

// The actions of applying.
const (
	Created   = configuration.Created
	Updated   = configuration.Updated
	Unchanged = configuration.Unchanged
)

// The shapes of a configuration. Package configuration documents their members.
type (
	// Reference names another object, by ID, by name or by both.
	Reference = configuration.Reference
	// Source is a source of accounts, in the published shape.
	Source = configuration.Source
	// Schema describes the accounts, or another kind of object, of a source.
	Schema = configuration.Schema
	// SchemaAttribute describes one attribute of a schema.
	SchemaAttribute = configuration.SchemaAttribute
	// CorrelationConfig says how an account of a source finds its identity.
	CorrelationConfig = configuration.CorrelationConfig
	// AttributeAssignment compares an account attribute with an identity attribute.
	AttributeAssignment = configuration.AttributeAssignment
	// ManagerCorrelation says how the manager of an identity is found.
	ManagerCorrelation = configuration.ManagerCorrelation
	// IdentityProfile makes identities of the accounts of a source, in the published shape.
	IdentityProfile = configuration.IdentityProfile
	// AttributeMapping says what an identity attribute is calculated from.
	AttributeMapping = configuration.AttributeMapping
	// LifecycleState is a stage of the identities of a profile, in the published shape.
	LifecycleState = configuration.LifecycleState
	// IdentityAttribute defines an identity attribute, in the published shape.
	IdentityAttribute = configuration.IdentityAttribute
	// AccessProfile is a bundle of entitlements of one source, in the published shape.
	AccessProfile = configuration.AccessProfile
	// EntitlementReference names an entitlement.
	EntitlementReference = configuration.EntitlementReference
	// ProvisioningCriteria is a criterion over accounts, in the published shape.
	ProvisioningCriteria = configuration.ProvisioningCriteria
	// AccountAction is what becomes of accounts on entering a lifecycle state, in the published shape.
	AccountAction = configuration.AccountAction
	// ProvisioningPolicy says how the attributes of a new account are made, in the published shape.
	ProvisioningPolicy = configuration.ProvisioningPolicy
	// AttributeSyncConfig says which account attributes are kept equal to the identity's, in the published shape.
	AttributeSyncConfig = configuration.AttributeSyncConfig
	// AttributeSync keeps an account attribute equal to an identity attribute.
	AttributeSync = configuration.AttributeSync
	// AccountStatus says which attribute of an account tells whether it can be used.
	AccountStatus = configuration.AccountStatus
	// AggregationSchedule says when a source is aggregated by its connector.
	AggregationSchedule = configuration.AggregationSchedule
	// Role is a role, in the published shape.
	Role = configuration.Role
	// RoleMembership says who is a member of a role by itself.
	RoleMembership = configuration.RoleMembership
	// Document is one object of a configuration, in its published shape.
	Document = configuration.Document
	// ObjectType is the type of a configured object, as the published references spell it.
	ObjectType = configuration.ObjectType
	// Action says what applying did to an object.
	Action = configuration.Action
	// AppliedObject says what applying did to one object.
	AppliedObject = configuration.AppliedObject
	// DeletionLimit limits how many accounts an aggregation may remove.
	DeletionLimit = configuration.DeletionLimit
	// DeletionLimitError says that an aggregation would remove more accounts than it may.
	DeletionLimitError = configuration.DeletionLimitError
)

// ReadDocuments reads the objects of a configuration text, YAML or JSON, as [configuration.ReadDocuments] says. name
// stands for the text in errors.
func ReadDocuments(name string, r io.Reader) ([]Document, error) {
	return configuration.ReadDocuments(name, r)
}

// ParseDeletionLimit reads a number of accounts, such as "20", or a share of them, such as "5%".
func ParseDeletionLimit(text string) (DeletionLimit, error) {
	return configuration.ParseDeletionLimit(text)
}
