package right

// actions has what people do on the pages of the console and the API does not serve, by ID. The levels are ours: where
// the published API has such an operation, they are its levels. An operation that the API comes to serve moves to the
// table of operations.
var actions = []Operation{
	ours("applyConfiguration", OrgAdmin),
	ours("assignRole", OrgAdmin, RoleAdmin),
	ours("confirmTask", OrgAdmin),
	ours("correlateAccount", OrgAdmin, SourceAdmin),
	ours("examineTenant", OrgAdmin),
	ours("listAccessProfiles", OrgAdmin, RoleAdmin, RoleSubadmin, SourceAdmin, SourceSubadmin),
	ours("listAccounts", OrgAdmin, SourceAdmin, SourceSubadmin, Helpdesk),
	ours("listIdentityProfiles", OrgAdmin),
	ours("listRoles", OrgAdmin, RoleAdmin, RoleSubadmin),
	ours("protectIdentity", OrgAdmin),
	ours("readConfiguration", OrgAdmin),
	ours("readOwnIdentity", User),
	ours("releaseOperation", OrgAdmin, Helpdesk, SourceAdmin),
	ours("setLifecycleState", OrgAdmin),
	ours("setUserLevels", OrgAdmin),
	ours("syncAttributesForSource", OrgAdmin, SourceAdmin),
	ours("updateIdentityProfile", OrgAdmin),
	ours("updateSource", OrgAdmin, SourceAdmin, SourceSubadmin),
}

func ours(id string, levels ...Level) Operation {
	return Operation{ID: id, Grants: to(levels), Ours: true}
}
