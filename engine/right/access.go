package right

// The scopes of sources, roles and access profiles. What others configure of a source has scopes of its own.
const (
	scopeSourceRead  = "idn:sources:read"
	scopeSourceEdit  = "idn:sources:manage"
	scopeSchemaRead  = "idn:source-schema:read"
	scopeSchemaEdit  = "idn:source-schema:manage"
	scopeSyncRead    = "idn:attr-sync-source-config:read"
	scopeSyncEdit    = "idn:attr-sync-source-config:manage"
	scopePolicyRead  = "idn:provisioning-policy:read"
	scopePolicyEdit  = "idn:provisioning-policy:manage"
	scopePolicyLook  = "idn:provisioning-policy-source:read"
	scopePolicyAdmin = "idn:provisioning-policy-source-admin-operations:manage"
	scopeProfileRead = "idn:access-profile:read"
	scopeProfileEdit = "idn:access-profile:manage"
)

var (
	roleScopesEdit = []string{"idn:role-unchecked:manage", "idn:role-checked:manage"}
	roleScopesRead = []string{"idn:role-unchecked:read", "idn:role-unchecked:manage", "idn:role-checked:manage",
		"idn:role-checked:read"}
	policyScopesRead = []string{scopePolicyLook, scopePolicyRead, scopePolicyAdmin, scopePolicyEdit}
	policyScopesEdit = []string{scopePolicyAdmin, scopePolicyEdit}
)

// The levels of those who look after sources and roles, without and with clients that act for no user.
var (
	sourceStaff   = []Level{OrgAdmin, SourceAdmin, SourceSubadmin}
	sourceApp     = []Level{OrgAdmin, SourceAdmin, SourceSubadmin, API}
	roleStaff     = []Level{OrgAdmin, RoleAdmin, RoleSubadmin}
	roleApp       = []Level{OrgAdmin, RoleAdmin, RoleSubadmin, API}
	everyStaff    = []Level{OrgAdmin, RoleAdmin, RoleSubadmin, SourceAdmin, SourceSubadmin}
	tenantApp     = []Level{OrgAdmin, API}
	sourceOwners  = []Level{OrgAdmin, SourceAdmin}
	sourceReaders = []Level{OrgAdmin, SourceAdmin, SourceSubadmin, RoleSubadmin, API}
)

// sourceRows are the operations of sources, and of what is configured of each.
var sourceRows = []Operation{
	{ID: "createProvisioningPolicy", Grants: to(tenantApp, policyScopesEdit...)},
	{ID: "createSource", Grants: to(sourceApp, scopeSourceEdit)},
	{ID: "createSourceSchema", Grants: to(sourceOwners, scopeSchemaEdit)},
	{ID: "deleteProvisioningPolicy", Grants: to(tenantApp, scopePolicyEdit)},
	{ID: "deleteSource", Grants: to(sourceApp, scopeSourceEdit)},
	{ID: "deleteSourceSchema", Grants: to(sourceOwners, scopeSchemaEdit), Ours: true},
	{ID: "getCorrelationConfig", Grants: to(sourceApp, scopeSourceRead, scopeSourceEdit)},
	{ID: "getProvisioningPolicy", Grants: to(sourceApp, policyScopesRead...)},
	{ID: "getSource", Grants: to(sourceApp, scopeSourceRead, scopeSourceEdit)},
	{ID: "getSourceAttrSyncConfig", Grants: to(staff, scopeSyncRead, scopeSyncEdit)},
	{ID: "getSourceSchema", Grants: to(sourceStaff, scopeSchemaRead, scopeSchemaEdit), Ours: true},
	{ID: "getSourceSchemas", Grants: to(sourceStaff, scopeSchemaRead, scopeSchemaEdit)},
	{ID: "importAccounts", Grants: to(sourceApp, scopeSourceEdit)},
	{ID: "listProvisioningPolicies", Grants: to(tenantApp, scopePolicyRead, scopePolicyEdit)},
	{ID: "listSources", Grants: to(sourceReaders, scopeSourceRead, scopeSourceEdit)},
	{ID: "putCorrelationConfig", Grants: to(sourceApp, scopeSourceEdit)},
	{ID: "putProvisioningPolicy", Grants: to(sourceApp, policyScopesEdit...)},
	{ID: "putSource", Grants: to(sourceApp, scopeSourceEdit)},
	{ID: "putSourceAttrSyncConfig", Grants: to([]Level{OrgAdmin}, scopeSyncEdit)},
	{ID: "putSourceSchema", Grants: to(sourceOwners, scopeSchemaEdit), Ours: true},
	{ID: "syncAttributesForSource", Grants: to(sourceOwners, scopeSyncEdit)},
	{ID: "updateProvisioningPolicy", Grants: to(sourceApp, policyScopesEdit...)},
	{ID: "updateSource", Grants: to(sourceApp, scopeSourceEdit)},
	{ID: "updateSourceSchema", Grants: to(sourceOwners, scopeSchemaEdit), Ours: true},
}

// roleRows are the operations of roles.
var roleRows = []Operation{
	{ID: "createRole", Grants: to(roleStaff, roleScopesEdit...)},
	{ID: "deleteBulkRoles", Grants: to(roleStaff, roleScopesEdit...)},
	{ID: "deleteRole", Grants: to(roleStaff, roleScopesEdit...)},
	{ID: "getRole", Grants: to(roleApp, roleScopesRead...)},
	{ID: "getRoleAssignedIdentities", Grants: to(roleApp, roleScopesRead...), Ours: true},
	{ID: "listRoles", Grants: to(roleApp, roleScopesRead...)},
	{ID: "patchRole", Grants: to(roleStaff, roleScopesEdit...)},
}

// accessProfileRows are the operations of access profiles. Who creates one reads what it bundles, so that the token
// needs the scopes for all of it.
var accessProfileRows = []Operation{
	{ID: "createAccessProfile", Grants: []Grant{{Levels: everyStaff, All: true, Range: Everybody,
		Scopes: []string{scopeProfileEdit, "idn:entitlement:read", scopeRead, scopeSourceRead}}}},
	{ID: "deleteAccessProfile", Grants: to(sourceStaff, scopeProfileEdit)},
	{ID: "deleteAccessProfilesInBulk", Grants: to(sourceStaff, scopeProfileEdit)},
	{ID: "getAccessProfile", Grants: to(everyStaff, scopeProfileRead)},
	{ID: "getAccessProfileEntitlements", Grants: to(sourceStaff, scopeProfileRead)},
	{ID: "listAccessProfiles", Grants: to(everyStaff, scopeProfileRead)},
	{ID: "patchAccessProfile", Grants: to(sourceStaff, scopeProfileEdit)},
}
