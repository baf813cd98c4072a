package engine

import (
	"context"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// objectLists are the types of objects that there may be thousands of, and how each is listed.
var objectLists = map[ObjectType]struct {
	schema func() *filterql.Schema
	list   func(*store.Store, context.Context, store.Querier, *store.ListQuery, bool,
		func(*store.ListedObject) error) ([]any, int, error)
}{
	TypeAccessProfile: {store.AccessProfileSchema, (*store.Store).ListAccessProfiles},
	TypeRole:          {store.RoleSchema, (*store.Store).ListRoles},
	TypeSource:        {store.SourceSchema, (*store.Store).ListSources},
}

// ListConfiguration returns a page of the roles, the access profiles or the sources of the configuration, each as
// [Engine.ConfigurationObjects] returns it. It reads that page alone. Every field has every operator, with AnyField or
// without; the IDs and the names are indexed. Another type is an Invalid error: all its objects are read at once.
func (e *Engine) ListConfiguration(ctx context.Context, kind ObjectType, params PageParams) (
	Page[ConfigurationObject], error,
) {
	const op = "list the configuration"
	lists, known := objectLists[kind]
	if !known {
		return Page[ConfigurationObject]{}, fault.Invalidf(op, string(kind),
			"objects of this type are not listed by pages: ConfigurationObjects returns them")
	}
	query, err := params.query(op, lists.schema(), byID)
	if err != nil {
		return Page[ConfigurationObject]{}, err
	}
	l := listing[store.ListedObject, ConfigurationObject]{op: op, params: params, query: query,
		item: func(row *store.ListedObject) (ConfigurationObject, error) {
			o, err := change.Listed(kind, row)
			return ConfigurationObject{Type: o.Type, ID: o.ID, Name: o.Name, Object: o.Document,
				Created: row.Created.UTC(), Modified: row.Modified.UTC()}, err
		},
		list: func(ctx context.Context, q store.Querier, count bool, each func(*store.ListedObject) error) (
			[]any, int, error,
		) {
			return lists.list(e.tenant.Store, ctx, q, &query, count, each)
		}}
	return l.page(ctx, e)
}
