package httpapi

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/right"
	"github.com/muster-engine/muster/filterql"
)

// operation is one operation of the API. Who may call it is in the table of the package right, under the same ID. What
// its requests and answers look like is in the document, under the same ID.
type operation struct {
	id     string // the published operationId
	method string
	path   string // below the version
	// versions are those that publish it.
	versions []string
	// query are the parameters of the query that it knows, beside those of a list.
	query []string
	// list says by what a list is filtered and sorted, and how long its pages are; nil for what is no such list.
	list *listing
	// bodyMax is the most bytes of a body. Defaults to [BodyMax].
	bodyMax int64
	// timeout is the longest time of a request. Defaults to that of the [Config].
	timeout time.Duration
	handle  func(h *Handler, c *call) error
}

// listing is by what a list is filtered and sorted, and how long its pages are. Ties are in the order of the IDs, or of
// the names where there are no IDs.
type listing struct {
	schema *filterql.Schema
	// limit is how long a page is where the request does not say it, and max the most that it may say. Both default to
	// 250.
	limit, max int
	// example is a filter, for the document.
	example string
}

func (l *listing) limits() (limit, most int) {
	limit, most = l.limit, l.max
	if limit == 0 {
		limit = filterql.LimitDefault
	}
	if most == 0 {
		most = filterql.LimitMax
	}
	return limit, most
}

// filtered and sorted report whether the list takes filters and sorters.
func (l *listing) filtered() bool {
	return slices.ContainsFunc(l.schema.Fields(), func(f filterql.Field) bool { return f.Ops != 0 })
}

func (l *listing) sorted() bool {
	return slices.ContainsFunc(l.schema.Fields(), func(f filterql.Field) bool { return f.Sortable })
}

// parameters returns the parameters of the query that the operation knows.
func (o *operation) parameters() []string {
	if o.list == nil {
		return o.query
	}
	known := slices.Concat(o.query, pageQuery)
	if o.list.filtered() {
		known = append(known, "filters")
	}
	if o.list.sorted() {
		known = append(known, "sorters")
	}
	return known
}

// The versions of the API. In versionResource each resource has its own version, behind the resource's name.
const (
	versionBeta     = "beta"
	version3        = "v3"
	version2024     = "v2024"
	version2025     = "v2025"
	version2026     = "v2026"
	versionResource = "v1"
	// versionResource2 is the second version of a resource, which few have.
	versionResource2 = "v2"
)

// The versions that publish an operation.
var (
	every     = []string{versionBeta, version3, version2024, version2025, version2026, versionResource}
	notBeta   = []string{version3, version2024, version2025, version2026, versionResource}
	notV3     = []string{versionBeta, version2024, version2025, version2026, versionResource}
	since2024 = []string{version2024, version2025, version2026, versionResource}
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
var operations []operation

// Each resource lists its operations beside its handlers. These look at the document, which is made of all of them.
func init() {
	operations = slices.Concat(identityOperations, publicOperations, searchOperations, transformOperations,
		taskOperations, sourceOperations, sourceSchemaOperations, sourcePolicyOperations, sourceConfigOperations,
		loadOperations, roleOperations, accessProfileOperations,
		accountOperations, entitlementOperations, activityOperations, workgroupOperations,
		profileOperations, stateOperations, attributeOperations, spConfigOperations)
}

// identityOperations are those of the Identities API.
var identityOperations = []operation{
	{
		id: "listIdentities", method: http.MethodGet, path: "/identities", versions: notV3,
		query: append([]string{"after", "defaultFilter"}, listQuery...), handle: (*Handler).listIdentities,
	},
	{
		id: "getIdentity", method: http.MethodGet, path: "/identities/{id}", versions: notV3,
		handle: (*Handler).getIdentity,
	},
	{
		id: "deleteIdentity", method: http.MethodDelete, path: "/identities/{id}", versions: notV3,
		handle: (*Handler).deleteIdentity,
	},
	{
		id: "getIdentityOwnershipDetails", method: http.MethodGet, path: "/identities/{identityId}/ownership",
		versions: notV3, handle: (*Handler).getOwnership,
	},
	{
		id: "getRoleAssignments", method: http.MethodGet, path: "/identities/{identityId}/role-assignments",
		versions: notV3, query: roleQuery, handle: (*Handler).getRoleAssignments,
	},
	{
		id: "getRoleAssignment", method: http.MethodGet,
		path:     "/identities/{identityId}/role-assignments/{assignmentId}",
		versions: notV3, handle: (*Handler).getRoleAssignment,
	},
	{
		id: "resetIdentity", method: http.MethodPost, path: "/identities/{identityId}/reset", versions: notV3,
		handle: (*Handler).resetIdentity,
	},
	{
		id: "sendIdentityVerificationAccountToken", method: http.MethodPost,
		path: "/identities/{id}/verification/account/send", versions: notV3, handle: (*Handler).sendVerification,
	},
	{
		id: "startIdentitiesInvite", method: http.MethodPost, path: "/identities/invite", versions: notV3,
		handle: (*Handler).invite,
	},
	{
		id: "startIdentityProcessing", method: http.MethodPost, path: "/identities/process", versions: notV3,
		handle: (*Handler).process,
	},
	{
		id: "synchronizeAttributesForIdentity", method: http.MethodPost,
		path: "/identities/{identityId}/synchronize-attributes", versions: notV3,
		handle: (*Handler).synchronizeAttributes,
	},
}

// pathIn returns the path of the operation in a version of the API.
func (o *operation) pathIn(version string) string {
	if !isBehind(version) {
		return "/" + version + o.path
	}
	resource, rest, _ := strings.Cut(o.path[1:], "/")
	return path.Join("/", resource, version, rest)
}

// isBehind reports whether a version stands behind the resource.
func isBehind(version string) bool { return version == versionResource || version == versionResource2 }

// editionOf returns the edition of the rights in a version of the API.
func editionOf(version string) right.Edition {
	if slices.Contains([]string{version2024, version2025, version2026, versionResource, versionResource2}, version) {
		return right.Since2024
	}
	return right.Before2024
}
