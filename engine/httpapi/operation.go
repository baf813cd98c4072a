package httpapi

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/right"
)

// operation is one operation of the API. Who may call it is in the table of the package right, under the same ID.
type operation struct {
	id     string // the published operationId
	method string
	path   string // below the version
	// versions are those that publish it.
	versions []string
	// query are the parameters of the query that it knows.
	query  []string
	handle func(h *Handler, c *call) error
}

// The versions of the API. In versionResource each resource has its own version, behind the resource's name.
const (
	versionBeta     = "beta"
	version3        = "v3"
	version2024     = "v2024"
	version2025     = "v2025"
	version2026     = "v2026"
	versionResource = "v1"
)

// The versions that publish an operation.
var (
	every   = []string{versionBeta, version3, version2024, version2025, version2026, versionResource}
	notBeta = []string{version3, version2024, version2025, version2026, versionResource}
	notV3   = []string{versionBeta, version2024, version2025, version2026, versionResource}
	// until2026 are those of an operation that is published no more.
	until2026 = []string{versionBeta, version2024, version2025}
)

// The parameters of queries.
var (
	pageQuery = []string{"count", "limit", "offset"}
	listQuery = append([]string{"filters", "sorters"}, pageQuery...)
	roleQuery = []string{"roleId", "roleName"}
)

// operations are the published operations.
var operations = []operation{
	{
		"listIdentities", http.MethodGet, "/identities", notV3,
		append([]string{"after", "defaultFilter"}, listQuery...), (*Handler).listIdentities,
	},
	{"getIdentity", http.MethodGet, "/identities/{id}", notV3, nil, (*Handler).getIdentity},
	{"deleteIdentity", http.MethodDelete, "/identities/{id}", notV3, nil, (*Handler).deleteIdentity},
	{
		"getIdentityOwnershipDetails", http.MethodGet, "/identities/{identityId}/ownership", notV3, nil,
		(*Handler).getOwnership,
	},
	{
		"getRoleAssignments", http.MethodGet, "/identities/{identityId}/role-assignments", notV3, roleQuery,
		(*Handler).getRoleAssignments,
	},
	{
		"getRoleAssignment", http.MethodGet, "/identities/{identityId}/role-assignments/{assignmentId}", notV3, nil,
		(*Handler).getRoleAssignment,
	},
	{"resetIdentity", http.MethodPost, "/identities/{identityId}/reset", notV3, nil, (*Handler).resetIdentity},
	{
		"sendIdentityVerificationAccountToken", http.MethodPost, "/identities/{id}/verification/account/send", notV3,
		nil, (*Handler).sendVerification,
	},
	{"startIdentitiesInvite", http.MethodPost, "/identities/invite", notV3, nil, (*Handler).invite},
	{"startIdentityProcessing", http.MethodPost, "/identities/process", notV3, nil, (*Handler).process},
	{
		"synchronizeAttributesForIdentity", http.MethodPost, "/identities/{identityId}/synchronize-attributes", notV3,
		nil, (*Handler).synchronizeAttributes,
	},
	{
		"getPublicIdentities", http.MethodGet, "/public-identities", notBeta,
		append([]string{"add-core-filters"}, listQuery...), (*Handler).listPublicIdentities,
	},
	{
		"listTransforms", http.MethodGet, "/transforms", every, append([]string{"filters", "name"}, pageQuery...),
		(*Handler).listTransforms,
	},
	{"getTransform", http.MethodGet, "/transforms/{id}", every, nil, (*Handler).getTransform},
	{"getPendingTasks", http.MethodGet, "/task-status/pending-tasks", until2026, pageQuery, (*Handler).listPending},
	{"getTaskStatusList", http.MethodGet, "/task-status", notV3, listQuery, (*Handler).listTasks},
	{"getTaskStatus", http.MethodGet, "/task-status/{id}", notV3, nil, (*Handler).getTask},
}

// pathIn returns the path of the operation in a version of the API.
func (o *operation) pathIn(version string) string {
	if version != versionResource {
		return "/" + version + o.path
	}
	resource, rest, _ := strings.Cut(o.path[1:], "/")
	return path.Join("/", resource, versionResource, rest)
}

// editionOf returns the edition of the rights in a version of the API.
func editionOf(version string) right.Edition {
	if slices.Contains([]string{version2024, version2025, version2026, versionResource}, version) {
		return right.Since2024
	}
	return right.Before2024
}
