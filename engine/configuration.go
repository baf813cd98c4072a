package engine

import (
	"io"

	"github.com/muster-engine/muster/engine/configuration"
)

// The limits of a configuration.
const (
	// ConfigurationSizeMax is how many bytes a configuration text may have: 16 MiB.
	ConfigurationSizeMax = configuration.ConfigurationSizeMax
	// DeleteThresholdDefault is the share of a source's accounts, in percent, that a full aggregation may remove: 10.
	DeleteThresholdDefault = configuration.DeleteThresholdDefault
	// EntitlementLengthMax and NativeIdentityLengthMax are how many bytes the value of an entitlement and a native
	// identity may have, 2,000: both are found by an index.
	EntitlementLengthMax    = configuration.EntitlementLengthMax
	NativeIdentityLengthMax = configuration.NativeIdentityLengthMax
	// NameLengthMax is how many characters the name of a configured object may have: 128.
	NameLengthMax = configuration.NameLengthMax
	// NumberExponentMax, 308, and NumberLengthMax, 100 characters, are the limits of JSON numbers: the database writes
	// them out, so that 1e9999 would become ten thousand digits.
	NumberExponentMax = configuration.NumberExponentMax
	NumberLengthMax   = configuration.NumberLengthMax
)

// The types of objects that can be applied.
const (
	TypeAccessProfile     = configuration.TypeAccessProfile     // ACCESS_PROFILE
	TypeIdentityAttribute = configuration.TypeIdentityAttribute // IDENTITY_ATTRIBUTE
	TypeIdentityProfile   = configuration.TypeIdentityProfile   // IDENTITY_PROFILE
	TypeLifecycleState    = configuration.TypeLifecycleState    // LIFECYCLE_STATE
	TypeRole              = configuration.TypeRole              // ROLE
	TypeSettings          = configuration.TypeSettings          // SETTINGS
	TypeSource            = configuration.TypeSource            // SOURCE
	TypeTransform         = configuration.TypeTransform         // TRANSFORM
)

// What applying does to an object.
const (
	Created   = configuration.Created   // created
	Updated   = configuration.Updated   // updated
	Unchanged = configuration.Unchanged // unchanged
	Removed   = configuration.Removed   // removed, which a [ConfigurationRevision] can tell
)

// The shapes of a configuration. Package configuration has their fields and methods.
type (
	// AccessProfile is a bundle of entitlements of one source, in the published shape. For its fields see
	// [configuration.AccessProfile].
	AccessProfile = configuration.AccessProfile
	// AccountAction says what becomes of accounts on entering a lifecycle state, in the published shape. For its fields
	// see [configuration.AccountAction].
	AccountAction = configuration.AccountAction
	// AccountStatus says which attribute of an account tells whether it can be used, and how that is written. For its
	// fields see [configuration.AccountStatus].
	AccountStatus = configuration.AccountStatus
	// Action says what applying did to an object: [Created], [Updated] or [Unchanged].
	Action = configuration.Action
	// AggregationSchedule says when a source is aggregated by its connector, in the published shape. For its fields see
	// [configuration.AggregationSchedule].
	AggregationSchedule = configuration.AggregationSchedule
	// Allow is what sources may name of the machine and its network: see [Config].
	Allow = configuration.Allow
	// AppliedObject says what applying did to one object. For its fields see [configuration.AppliedObject].
	AppliedObject = configuration.AppliedObject
	// AttributeAssignment compares an account attribute with an identity attribute. For its fields see
	// [configuration.AttributeAssignment].
	AttributeAssignment = configuration.AttributeAssignment
	// AttributeMapping says what an identity attribute is calculated from. For its fields see
	// [configuration.AttributeMapping].
	AttributeMapping = configuration.AttributeMapping
	// AttributeSync keeps an account attribute equal to an identity attribute. For its fields see
	// [configuration.AttributeSync].
	AttributeSync = configuration.AttributeSync
	// AttributeSyncConfig says which account attributes are kept equal to the identity's, in the published shape. For
	// its fields see [configuration.AttributeSyncConfig].
	AttributeSyncConfig = configuration.AttributeSyncConfig
	// CorrelationConfig says how an account of a source finds its identity: the assignments are tried in order. For its
	// fields see [configuration.CorrelationConfig].
	CorrelationConfig = configuration.CorrelationConfig
	// DeletionLimit is how many accounts a full aggregation may remove: a number, or a percentage of those there are.
	// For its fields see [configuration.DeletionLimit].
	DeletionLimit = configuration.DeletionLimit
	// DeletionLimitError says that an aggregation was refused, and changed nothing, because it would have removed more
	// accounts than its limit allows. For its fields see [configuration.DeletionLimitError].
	DeletionLimitError = configuration.DeletionLimitError
	// FaultyRowsError says that an aggregation could read no row, and changed nothing. For its fields see
	// [configuration.FaultyRowsError].
	FaultyRowsError = configuration.FaultyRowsError
	// LostAttributesError says that an aggregation changed nothing, because the data lacks attributes that accounts
	// have values of. For its fields see [configuration.LostAttributesError].
	LostAttributesError = configuration.LostAttributesError
	// Document is one object of a configuration, in its published shape. For its fields see [configuration.Document].
	Document = configuration.Document
	// EntitlementReference names an entitlement: by ID, by attribute and value, or by a name that is the only one on
	// its source. The attribute may be left out where the source has one entitlement attribute. For its fields see
	// [configuration.EntitlementReference].
	EntitlementReference = configuration.EntitlementReference
	// IdentityAttribute defines an identity attribute, in the published shape. For its fields see
	// [configuration.IdentityAttribute].
	IdentityAttribute = configuration.IdentityAttribute
	// IdentityProfile makes identities of the accounts of a source, in the published shape. For its fields see
	// [configuration.IdentityProfile].
	IdentityProfile = configuration.IdentityProfile
	// LifecycleState is a stage of the identities of a profile, in the published shape. For its fields see
	// [configuration.LifecycleState].
	LifecycleState = configuration.LifecycleState
	// ManagerCorrelation says how the manager of an identity is found: the value of the account attribute is looked for
	// in the identity attribute. For its fields see [configuration.ManagerCorrelation].
	ManagerCorrelation = configuration.ManagerCorrelation
	// ObjectType is the type of a configured object, as the published references spell it: one of the constants.
	ObjectType = configuration.ObjectType
	// ProvisioningCriteria is a criterion over accounts, in the published shape: at most three levels. For its fields
	// see [configuration.ProvisioningCriteria].
	ProvisioningCriteria = configuration.ProvisioningCriteria
	// ProvisioningPolicy says how the attributes of a new account are made, in the published shape. For its fields see
	// [configuration.ProvisioningPolicy].
	ProvisioningPolicy = configuration.ProvisioningPolicy
	// Reference names another object, by ID, by name or by both. For its fields see [configuration.Reference].
	Reference = configuration.Reference
	// Role is a role, in the published shape. Members that are not listed are stored but not read. For its fields see
	// [configuration.Role].
	Role = configuration.Role
	// RoleMembership says who is a member of a role by itself. For its fields see [configuration.RoleMembership].
	RoleMembership = configuration.RoleMembership
	// Schema describes the accounts, or another kind of object, of a source. For its fields see [connector.Schema].
	Schema = configuration.Schema
	// SchemaAttribute describes one attribute of a schema. For its fields see [connector.SchemaAttribute].
	SchemaAttribute = configuration.SchemaAttribute
	// Source is a source of accounts, in the published shape. Members that are not listed are stored but not read. For
	// its fields see [configuration.Source].
	Source = configuration.Source
)

// ReadDocuments reads the objects of a configuration text, YAML or JSON. name stands for the text in errors.
//
// An object is given in its published shape: in a list under the plural of its type (sources, identityProfiles,
// transforms, identityAttributes, accessProfiles, lifecycleStates, roles), the tenant's settings under settings, in an
// export's envelope {"self": {"type": ...}, "object": {...}}, or alone where its members tell its type. A text may hold
// several YAML documents, a list of objects, and an export with its objects under "objects".
func ReadDocuments(name string, r io.Reader) ([]Document, error) {
	return configuration.ReadDocuments(name, r)
}

// ParseDeletionLimit reads a limit: "25" accounts, or "10%" of them.
func ParseDeletionLimit(text string) (DeletionLimit, error) {
	return configuration.ParseDeletionLimit(text)
}
