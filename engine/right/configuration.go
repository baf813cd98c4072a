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
