package store

import (
	"context"
	"time"

	"github.com/muster-engine/muster/filterql"
)

// ListedOwned is an object that an identity owns: a configured one, or one of a host's own kind.
type ListedOwned struct {
	Key       string // kind and ID
	Kind      string
	ObjectID  string
	Name      string
	OwnerID   ID      // zero where the document names nobody by an ID
	OwnerName *string // nil where there is no such identity
	Created   time.Time
	Modified  time.Time
}

// ownedTable has all objects that have an owner, as [OwnedConfigurations] and [OwnedObjects] know them.
const ownedTable = `(
	SELECT kind || chr(1) || object_id AS key, kind, object_id, name, owner_id, created, modified
	FROM muster.owned_objects
	UNION ALL ` +
	ownedHead + `'ACCESS_PROFILE' ` + ownedTail + `access_profiles d` + ownedEnd + ` UNION ALL ` +
	ownedHead + `'IDENTITY_PROFILE' ` + ownedTail + `identity_profiles d` + ownedEnd + ` UNION ALL ` +
	ownedHead + `'ROLE' ` + ownedTail + `roles d` + ownedEnd + ` UNION ALL ` +
	ownedHead + `'ENTITLEMENT' ` + ownedTail + `entitlements d` + ownedEnd + ` UNION ALL ` +
	ownedHead + `'SOURCE' ` + ownedTail + `sources d` + ownedEnd + `) o`

const (
	ownedHead = `
	SELECT t.kind || chr(1) || replace(d.id::text, '-', ''), t.kind, replace(d.id::text, '-', ''), d.name,
	       CASE WHEN w.owner ~ '^[0-9a-f]{32}$' THEN w.owner::uuid END, d.created, d.modified
	FROM (SELECT `
	ownedTail = `::text AS kind) t, muster.`
	ownedEnd  = `, LATERAL (SELECT lower(replace(d.document -> 'owner' ->> 'id', '-', '')) AS owner) w
	WHERE w.owner <> ''`
)

var owned = collection[ListedOwned]{
	table: ownedTable, alias: "o", key: "key", columns: columns[ListedOwned]{
		readColumn("o.key", func(o *ListedOwned) *string { return &o.Key }),
		readColumn("o.kind", func(o *ListedOwned) *string { return &o.Kind }),
		readColumn("o.object_id", func(o *ListedOwned) *string { return &o.ObjectID }),
		readColumn("o.name", func(o *ListedOwned) *string { return &o.Name }),
		readColumn("o.owner_id", func(o *ListedOwned) *ID { return &o.OwnerID }),
		readColumn("idn.name", func(o *ListedOwned) **string { return &o.OwnerName }),
		readColumn("o.created", func(o *ListedOwned) *time.Time { return &o.Created }),
		readColumn("o.modified", func(o *ListedOwned) *time.Time { return &o.Modified }),
	},
	joins: []tableJoin{{"idn.", ` LEFT JOIN muster.identities idn ON idn.id = o.owner_id`}},
}

// ListOwned lists what identities own as [Store.ListIdentities] lists identities. The last sorter is the key.
func (s *Store) ListOwned(ctx context.Context, q Querier, query ListQuery, count bool,
	each func(*ListedOwned) error,
) (last []any, total int, err error) {
	return owned.list(ctx, s, q, &query, nil, count, each)
}

// OwnedSchema returns the fields by which what identities own is filtered and sorted, with all operators: the API
// publishes none.
func OwnedSchema() *filterql.Schema { return ownedSchema }

var ownedSchema = mustSchema(anyOps([]filterql.Field{
	{Name: "key", Type: filterql.String, Column: `o.key COLLATE "C"`, NotNull: true},
	notNull(textField("type", "o.kind", 0)),
	{Name: "id", Type: filterql.String, Column: `o.object_id COLLATE "C"`, NotNull: true},
	notNull(textField("name", "o.name", 0)),
	idField("owner.id", "o.owner_id", 0),
	keyField("owner.name", "idn.name_key", 0),
	keyField("owner.alias", "idn.alias_key", 0),
	notNull(timeField("created", "o.created", 0)),
	notNull(timeField("modified", "o.modified", 0)),
}))
