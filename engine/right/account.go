package right

// The scopes of accounts, entitlements and what is done for them.
const (
	scopeAccountRead      = "idn:accounts:read"
	scopeAccountEdit      = "idn:accounts:manage"
	scopeAccountState     = "idn:accounts-state:manage"
	scopeAccountProvision = "idn:accounts-provisioning:manage"
	scopeEntitlementRead  = "idn:entitlement:read"
	scopeEntitlementEdit  = "idn:entitlement:manage"
	scopeWorkgroupRead    = "idn:workgroup:read"
	scopeWorkgroupEdit    = "idn:workgroup:manage"
)

var (
	accountLevels  = []Level{OrgAdmin, SourceAdmin, SourceSubadmin, Helpdesk, API}
	readAccounts   = to(accountLevels, scopeAccountRead, scopeAccountEdit)
	changeAccounts = to(accountLevels, scopeAccountState)
	readWorkgroups = to([]Level{OrgAdmin, API}, scopeWorkgroupRead, scopeWorkgroupEdit)
	// changeSignIns are for users by either scope, and for applications by the first.
	changeSignIns = append(to([]Level{OrgAdmin}, scopeAccountState, scopeAccountProvision),
		to([]Level{API}, scopeAccountState)...)
)

// accountRows are the operations of accounts, entitlements, sign-ins, account activities and workgroups.
var accountRows = []Operation{
	{ID: "disableAccount", Grants: changeAccounts, Ours: true},
	{ID: "disableAccountForIdentity", Grants: changeSignIns},
	{ID: "disableAccountsForIdentities", Grants: changeSignIns},
	{ID: "enableAccount", Grants: changeAccounts},
	{ID: "enableAccountForIdentity", Grants: changeSignIns},
	{ID: "enableAccountsForIdentities", Grants: changeSignIns},
	{ID: "getAccount", Grants: readAccounts},
	{ID: "getAccountActivity", Grants: to(administrators, ScopeAll), Ours: true},
	{ID: "getAccountEntitlements", Grants: readAccounts},
	{ID: "getEntitlement", Grants: to([]Level{OrgAdmin, API}, scopeEntitlementRead, scopeEntitlementEdit)},
	{ID: "getWorkgroup", Grants: readWorkgroups},
	{ID: "listAccountActivities", Grants: to(administrators, ScopeAll), Ours: true},
	{ID: "listAccounts", Grants: readAccounts},
	{ID: "listEntitlements", Grants: to([]Level{User, API}, scopeEntitlementRead, scopeEntitlementEdit)},
	{ID: "listEntitlementsByIdentity", Grants: to([]Level{OrgAdmin}, scopeEntitlementRead), Ours: true},
	{ID: "listWorkgroupMembers", Grants: readWorkgroups},
	{ID: "listWorkgroups", Grants: readWorkgroups},
	{ID: "patchEntitlement", Grants: to([]Level{OrgAdmin, SourceAdmin}, scopeEntitlementEdit)},
	{ID: "setLifecycleState", Grants: to([]Level{OrgAdmin}, "idn:identity-lifecycle-state:manage")},
	{ID: "submitReloadAccount", Grants: changeAccounts},
	{ID: "unlockAccount", Grants: changeAccounts},
	{
		ID: "updateTaskStatus",
		Grants: to([]Level{OrgAdmin, CertAdmin, ReportAdmin, RoleAdmin, RoleSubadmin, SourceAdmin, SourceSubadmin},
			scopeTaskEdit),
	},
}

// MayForce reports whether a token lets its bearer write the state of an account to its source though the account looks
// right, where that needs a scope of its own.
func MayForce(caller Caller) bool {
	return caller.hasScope(scopeAccountProvision) || caller.hasScope(ScopeAll)
}
