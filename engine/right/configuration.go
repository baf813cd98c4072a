package right

// The levels of those who configure a tenant. An application may do what the scopes of its token say.
var (
	owner       = []Level{OrgAdmin}
	ownerAndApp = []Level{OrgAdmin, API}
)

// The scopes of transforms.
const (
	scopeTransformRead = "idn:transform:read"
	scopeTransformEdit = "idn:transform:manage"
)

// transformRows are the operations of transforms.
var transformRows = []Operation{
	{ID: "createTransform", Grants: to(ownerAndApp, scopeTransformEdit)},
	{ID: "deleteTransform", Grants: to(ownerAndApp, scopeTransformEdit)},
	{ID: "getTransform", Grants: to(ownerAndApp, scopeTransformRead, scopeTransformEdit)},
	{ID: "listTransforms", Grants: to(ownerAndApp, scopeTransformRead, scopeTransformEdit)},
	{ID: "updateTransform", Grants: to(ownerAndApp, scopeTransformEdit)},
}

// The scopes of identity profiles, their lifecycle states and identity attributes.
const (
	scopeIdentityProfileRead = "idn:identity-profile:read"
	scopeIdentityProfileEdit = "idn:identity-profile:manage"
	scopeStateRead           = "idn:identity-profile-lifecycle-state:read"
	scopeStateEdit           = "idn:identity-profile-lifecycle-state:manage"
	scopeAttributeRead       = "idn:identity-profile-attribute:read"
	scopeAttributeEdit       = "idn:identity-profile-attribute:manage"
)

// The scopes of exports and imports of the configuration.
const (
	scopeConfigRead = "sp:config:read"
	scopeConfigEdit = "sp:config:manage"
)

// exportRows are the operations of exports and imports of the configuration.
var exportRows = []Operation{
	{ID: "exportSpConfig", Grants: to(owner, scopeConfigRead, scopeConfigEdit)},
	{ID: "getSpConfigExport", Grants: to(owner, scopeConfigRead, scopeConfigEdit)},
	{ID: "getSpConfigExportStatus", Grants: to(owner, scopeConfigRead, scopeConfigEdit)},
	{ID: "getSpConfigImport", Grants: to(owner, scopeConfigEdit)},
	{ID: "getSpConfigImportStatus", Grants: to(owner, scopeConfigEdit)},
	{ID: "importSpConfig", Grants: to(owner, scopeConfigEdit)},
	{ID: "listSpConfigObjects", Grants: to(owner, scopeConfigRead, scopeConfigEdit)},
}

// profileRows are the operations of identity profiles, lifecycle states and identity attributes.
var profileRows = []Operation{
	{ID: "createIdentityAttribute", Grants: to(owner, scopeAttributeEdit), Ours: true},
	{ID: "createIdentityProfile", Grants: to(ownerAndApp, scopeIdentityProfileEdit)},
	{ID: "createLifecycleState", Grants: to(ownerAndApp, scopeStateEdit)},
	{ID: "deleteIdentityAttribute", Grants: to(owner, scopeAttributeEdit), Ours: true},
	{ID: "deleteIdentityAttributesInBulk", Grants: to(owner, scopeAttributeEdit), Ours: true},
	{ID: "deleteIdentityProfile", Grants: to(ownerAndApp, scopeIdentityProfileEdit)},
	{ID: "deleteIdentityProfiles", Grants: to(ownerAndApp, scopeIdentityProfileEdit)},
	{ID: "deleteLifecycleState", Grants: to(ownerAndApp, scopeStateEdit)},
	{ID: "exportIdentityProfiles", Grants: to(ownerAndApp, scopeIdentityProfileRead), Ours: true},
	{ID: "generateIdentityPreview", Grants: to(ownerAndApp, scopeIdentityProfileEdit)},
	{ID: "getDefaultIdentityAttributeConfig", Grants: to(ownerAndApp, scopeIdentityProfileEdit)},
	{ID: "getIdentityAttribute", Grants: to(ownerAndApp, scopeAttributeRead, scopeAttributeEdit), Ours: true},
	{ID: "getIdentityProfile", Grants: to(ownerAndApp, scopeIdentityProfileRead)},
	{ID: "getLifecycleState", Grants: to(ownerAndApp, scopeStateRead)},
	{ID: "getLifecycleStates", Grants: to(ownerAndApp, scopeStateRead)},
	{ID: "importIdentityProfiles", Grants: to(owner, scopeIdentityProfileEdit), Ours: true},
	{ID: "listIdentityAttributes", Grants: to(ownerAndApp, scopeAttributeRead, scopeAttributeEdit), Ours: true},
	{ID: "listIdentityProfiles", Grants: to(ownerAndApp, scopeIdentityProfileRead)},
	{ID: "putIdentityAttribute", Grants: to(owner, scopeAttributeEdit), Ours: true},
	{ID: "refreshIdentityProfile", Grants: to(ownerAndApp, scopeIdentityProfileEdit), Ours: true},
	{ID: "syncIdentityProfile", Grants: to(ownerAndApp, scopeIdentityProfileEdit)},
	{ID: "updateIdentityProfile", Grants: to(ownerAndApp, scopeIdentityProfileEdit)},
	{ID: "updateLifecycleStates", Grants: to(ownerAndApp, scopeStateEdit)},
}
