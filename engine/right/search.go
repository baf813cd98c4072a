package right

const scopeSearch = "sp:search:read"

// searchers are all administrators but those of the help desk.
var searchers = []Level{OrgAdmin, CertAdmin, ReportAdmin, SourceAdmin, SourceSubadmin, RoleAdmin, RoleSubadmin, API}

// searchRows are the operations of the search. The publication has no level for counts and aggregations: those who find
// documents also count them.
var searchRows = []Operation{
	{ID: "searchAggregate", Grants: to(searchers, scopeSearch), Ours: true},
	{ID: "searchByQuery", Grants: to(searchers, scopeSearch), Ours: true},
	{ID: "searchCount", Grants: to(searchers, scopeSearch), Ours: true},
	{ID: "searchGet", Grants: to(searchers, scopeSearch)},
	{ID: "searchIndex", Grants: to(searchers, scopeSearch), Ours: true},
	{ID: "searchPost", Grants: to(searchers, scopeSearch)},
}
