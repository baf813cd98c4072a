package engine

import (
	"context"
	"time"

	"github.com/muster-engine/muster/store"
)

// ListedOwned is an object that an identity owns: a source, role, access profile or identity profile whose document
// names the identity as its owner, or an object that the host has registered.
type ListedOwned struct {
	Type     string     `json:"type"` // ROLE, SOURCE, ACCESS_PROFILE, IDENTITY_PROFILE, or the host's kind
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Owner    *Reference `json:"owner"` // null where the document names nobody by an ID
	Created  time.Time  `json:"created"`
	Modified time.Time  `json:"modified"`
}

// ListOwned returns a page of what all identities own; [Engine.Ownership] tells it of one. Without sorters it is
// ordered by type and ID. Every field has every operator, with AnyField or without. Errors are those of
// [Engine.ListAccounts].
func (e *Engine) ListOwned(ctx context.Context, params PageParams) (Page[ListedOwned], error) {
	const op = "list what identities own"
	query, err := params.queryBy(op, store.OwnedSchema(), byID, "key")
	if err != nil {
		return Page[ListedOwned]{}, err
	}
	l := listing[store.ListedOwned, ListedOwned]{op: op, params: params, query: query,
		item: func(row *store.ListedOwned) (ListedOwned, error) {
			o := ListedOwned{Type: row.Kind, ID: row.ObjectID, Name: row.Name, Created: row.Created.UTC(),
				Modified: row.Modified.UTC()}
			if !row.OwnerID.IsZero() {
				o.Owner = &Reference{Type: "IDENTITY", ID: row.OwnerID.String(), Name: store.TextOf(row.OwnerName)}
			}
			return o, nil
		},
		list: func(ctx context.Context, q store.Querier, count bool, each func(*store.ListedOwned) error) (
			[]any, int, error,
		) {
			return e.tenant.Store.ListOwned(ctx, q, query, count, each)
		}}
	return l.page(ctx, e)
}
