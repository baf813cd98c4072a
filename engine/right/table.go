package right

import (
	"slices"
	"strings"
)

// The scopes of the operations.
const (
	scopeRead     = "idn:identity:read"
	scopeManage   = "idn:identity:manage"
	scopeReports  = "idn:identity-direct-report:read"
	scopeTaskRead = "idn:task-management:read"
	scopeTaskEdit = "idn:task-management:write"
	// scopeDefault is the scope of what every user may do.
	scopeDefault = "sp:scopes:default"
)

// to opens an operation to callers of some levels by some scopes.
func to(levels []Level, scopes ...string) []Grant {
	return []Grant{{Levels: levels, Scopes: scopes, Range: Everybody}}
}

// reading opens an operation that reads identities. The publication has no level for it: all administrators have it by
// the scopes, and other users only where the token names one of them, as sp:scopes:all would open everybody's data to
// every employee.
func reading(scopes ...string) []Grant {
	return []Grant{
		{Levels: administrators, Scopes: scopes, Range: Everybody},
		{Levels: []Level{User}, Scopes: scopes, Named: true, Range: Everybody},
	}
}

// readingRoles is reading, which a manager may also do for those who report to him.
func readingRoles() []Grant {
	return append(reading(scopeRead, scopeManage),
		Grant{Levels: []Level{User}, Scopes: []string{scopeReports}, Range: Reports})
}

var (
	staff = []Level{OrgAdmin, Helpdesk}
	tasks = append(Administrators(), API)
)

// table has the operations, by ID.
var table = sorted(identityRows, searchRows, transformRows, sourceRows, roleRows, accessProfileRows, accountRows,
	profileRows, exportRows)

// sorted joins the rows of the resources.
func sorted(rows ...[]Operation) []Operation {
	all := slices.Concat(rows...)
	slices.SortFunc(all, func(a, b Operation) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// identityRows are the operations of identities, public identities and tasks.
var identityRows = []Operation{
	{ID: "deleteIdentity", Grants: to([]Level{OrgAdmin, API}, scopeManage), Ours: true},
	{ID: "getIdentity", Grants: reading(scopeRead, scopeManage), Ours: true},
	{ID: "getIdentityOwnershipDetails", Grants: reading(scopeRead), Ours: true},
	{ID: "getPendingTasks", Grants: to(tasks, scopeTaskRead, scopeTaskEdit)},
	{ID: "getPublicIdentities", Grants: to([]Level{User}, scopeDefault)},
	{ID: "getRoleAssignment", Grants: readingRoles(), Ours: true},
	{ID: "getRoleAssignments", Grants: readingRoles(), Ours: true},
	{ID: "getTaskStatus", Grants: to(tasks, scopeTaskRead, scopeTaskEdit)},
	{ID: "getTaskStatusList", Grants: to(tasks, scopeTaskRead, scopeTaskEdit)},
	{ID: "listIdentities", Grants: reading(scopeRead, scopeManage), Ours: true},
	{
		ID: "resetIdentity", Grants: to(staff, "idn:identity:update"),
		Since2024: to([]Level{OrgAdmin, Helpdesk, API}, scopeManage), Ours: true,
	},
	{ID: "sendIdentityVerificationAccountToken", Grants: to(staff, "idn:password:user-invite")},
	{
		ID: "startIdentitiesInvite", Grants: to(staff, ScopeAll),
		Since2024: to(staff, "idn:password-user-invite:manage"),
	},
	{ID: "startIdentityProcessing", Grants: to([]Level{OrgAdmin, Helpdesk, API}, "idn:identity:process", scopeManage)},
	{
		ID: "synchronizeAttributesForIdentity", Grants: to([]Level{OrgAdmin, API}, ScopeAll),
		Since2024: to([]Level{OrgAdmin, API}),
	},
}
