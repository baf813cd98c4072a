package httpapi

import (
	"net/http"
	"path"
	"slices"
	"strings"
)

// operation is one operation of the API.
type operation struct {
	id     string // the published operationId
	method string
	path   string // below the version
	handle func(h *Handler, c *call) error
	// right is the right to call it. since2024, if set, replaces it in the versions from v2024 on.
	right     right
	since2024 *right
}

// right says who may call an operation: a caller with one of the scopes, if there are any, and one of the user levels,
// if there are any.
type right struct {
	scopes []string
	levels []string
	// application says that a client without a user may call it.
	application bool
}

// The user levels and scopes of the operations.
const (
	levelAdmin    = "ORG_ADMIN"
	levelHelpdesk = "HELPDESK"
	// levelAPI is the user level in the token of a client without a user.
	levelAPI = "API"

	scopeAll     = "sp:scopes:all"
	scopeRead    = "idn:identity:read"
	scopeManage  = "idn:identity:manage"
	scopeReports = "idn:identity-direct-report:read"
)

// operations are the published operations, with the published rights of each version.
var operations = []operation{
	{
		id: "listIdentities", method: http.MethodGet, path: "/identities", handle: (*Handler).listIdentities,
		right: right{scopes: []string{scopeRead, scopeManage}},
	},
	{
		id: "getIdentity", method: http.MethodGet, path: "/identities/{id}", handle: (*Handler).getIdentity,
		right: right{scopes: []string{scopeRead, scopeManage}},
	},
	{
		id: "deleteIdentity", method: http.MethodDelete, path: "/identities/{id}", handle: (*Handler).deleteIdentity,
		right: right{scopes: []string{scopeManage}, application: true},
	},
	{
		id: "getIdentityOwnershipDetails", method: http.MethodGet, path: "/identities/{identityId}/ownership",
		handle: (*Handler).getOwnership, right: right{scopes: []string{scopeRead}},
	},
	{
		id: "getRoleAssignments", method: http.MethodGet, path: "/identities/{identityId}/role-assignments",
		handle: (*Handler).getRoleAssignments, right: right{scopes: []string{scopeRead, scopeReports, scopeManage}},
	},
	{
		id: "getRoleAssignment", method: http.MethodGet,
		path:   "/identities/{identityId}/role-assignments/{assignmentId}",
		handle: (*Handler).getRoleAssignment, right: right{scopes: []string{scopeRead, scopeReports, scopeManage}},
	},
	{
		id: "resetIdentity", method: http.MethodPost, path: "/identities/{identityId}/reset",
		handle: (*Handler).resetIdentity, right: right{scopes: []string{"idn:identity:update"}},
		since2024: &right{scopes: []string{scopeManage}, application: true},
	},
	{
		id: "sendIdentityVerificationAccountToken", method: http.MethodPost,
		path: "/identities/{id}/verification/account/send", handle: (*Handler).sendVerification,
		right: right{scopes: []string{"idn:password:user-invite"}, levels: []string{levelAdmin, levelHelpdesk}},
	},
	{
		id: "startIdentitiesInvite", method: http.MethodPost, path: "/identities/invite", handle: (*Handler).invite,
		right: right{scopes: []string{scopeAll}, levels: []string{levelAdmin, levelHelpdesk}},
		since2024: &right{scopes: []string{"idn:password-user-invite:manage"},
			levels: []string{levelAdmin, levelHelpdesk}},
	},
	{
		id: "startIdentityProcessing", method: http.MethodPost, path: "/identities/process",
		handle: (*Handler).process, right: right{scopes: []string{"idn:identity:process", scopeManage},
			levels: []string{levelAdmin, levelHelpdesk}, application: true},
	},
	{
		id: "synchronizeAttributesForIdentity", method: http.MethodPost,
		path: "/identities/{identityId}/synchronize-attributes", handle: (*Handler).synchronizeAttributes,
		right:     right{scopes: []string{scopeAll}, levels: []string{levelAdmin}, application: true},
		since2024: &right{levels: []string{levelAdmin}, application: true},
	},
	{
		id: "getTaskStatusList", method: http.MethodGet, path: "/task-status", handle: (*Handler).listTasks,
		right: taskRight,
	},
	{
		id: "getTaskStatus", method: http.MethodGet, path: "/task-status/{id}", handle: (*Handler).getTask,
		right: taskRight,
	},
}

var taskRight = right{
	scopes: []string{"idn:task-management:read"},
	levels: []string{levelAdmin, levelHelpdesk, "CERT_ADMIN", "REPORT_ADMIN", "ROLE_ADMIN", "ROLE_SUBADMIN",
		"SOURCE_ADMIN", "SOURCE_SUBADMIN"},
	application: true,
}

// The versions of the API. In versionResource each resource has its own version, behind the resource's name.
const (
	versionBeta     = "beta"
	versionResource = "v1"
)

var versions = []string{versionBeta, "v2024", "v2025", "v2026", versionResource}

// pathIn returns the path of the operation in a version of the API.
func (o *operation) pathIn(version string) string {
	if version != versionResource {
		return "/" + version + o.path
	}
	resource, rest, _ := strings.Cut(o.path[1:], "/")
	return path.Join("/", resource, versionResource, rest)
}

func (o *operation) rightIn(version string) *right {
	if version != versionBeta && o.since2024 != nil {
		return o.since2024
	}
	return &o.right
}

// refusal says why a caller may not call an operation; "" if it may.
func (r *right) refusal(p *Principal, method string) string {
	switch {
	case p.application() && !r.application:
		return "the operation is for users, and the client acts without one"
	case len(r.levels) > 0 && !p.application() && !slices.ContainsFunc(r.levels, p.hasLevel):
		return "the caller has none of the required user levels"
	case len(r.scopes) == 0 || slices.ContainsFunc(r.scopes, p.hasScope):
		return ""
	case !p.hasScope(scopeAll):
		return "the token has none of the required scopes"
	case len(p.Authorities) == 0 && method != http.MethodGet:
		// This scope means every right of the caller's user level. A user without a level may change no identity.
		return "the scope means the rights of the user level, and the caller has none"
	}
	return ""
}
