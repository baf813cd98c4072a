package store

import (
	"context"
	"time"

	"github.com/muster-engine/muster/filterql"
)

// ListedObject is an object of the configuration that has a name of its own.
type ListedObject struct {
	ID       ID
	Name     string
	Document []byte // a JSON object, as it was applied
	Created  time.Time
	Modified time.Time
}

var (
	listedRoles          = objectsOf(`muster.roles o`)
	listedAccessProfiles = objectsOf(`muster.access_profiles o`)
	listedSources        = objectsOf(`muster.sources o`)
)

func objectsOf(table string) *collection[ListedObject] {
	return &collection[ListedObject]{table: table, alias: "o", key: "id", columns: columns[ListedObject]{
		readColumn("o.id", func(o *ListedObject) *ID { return &o.ID }),
		readColumn("o.name", func(o *ListedObject) *string { return &o.Name }),
		readColumn("o.document", func(o *ListedObject) *[]byte { return &o.Document }),
		readColumn("o.created", func(o *ListedObject) *time.Time { return &o.Created }),
		readColumn("o.modified", func(o *ListedObject) *time.Time { return &o.Modified }),
	}}
}

// ListRoles lists the roles as [Store.ListIdentities] lists identities.
func (s *Store) ListRoles(ctx context.Context, q Querier, query *ListQuery, count bool,
	each func(*ListedObject) error,
) (last []any, total int, err error) {
	return listedRoles.list(ctx, s, q, query, nil, count, each)
}

// ListAccessProfiles lists the access profiles as [Store.ListIdentities] lists identities.
func (s *Store) ListAccessProfiles(ctx context.Context, q Querier, query *ListQuery, count bool,
	each func(*ListedObject) error,
) (last []any, total int, err error) {
	return listedAccessProfiles.list(ctx, s, q, query, nil, count, each)
}

// ListSources lists the sources as [Store.ListIdentities] lists identities.
func (s *Store) ListSources(ctx context.Context, q Querier, query *ListQuery, count bool,
	each func(*ListedObject) error,
) (last []any, total int, err error) {
	return listedSources.list(ctx, s, q, query, nil, count, each)
}

// RoleSchema returns the fields by which roles are filtered and sorted, with all operators.
func RoleSchema() *filterql.Schema { return roleSchema }

// AccessProfileSchema returns the fields by which access profiles are filtered and sorted, with all operators.
func AccessProfileSchema() *filterql.Schema { return accessProfileSchema }

// SourceSchema returns the fields by which sources are filtered and sorted, with all operators.
func SourceSchema() *filterql.Schema { return sourceSchema }

var (
	roleSchema = mustSchema(anyOps(append(listedObjectFields(),
		flagField("enabled", "o.enabled", 0),
		flagField("requestable", `coalesce((o.document ->> 'requestable')::boolean, false)`, 0),
		textField("membership.type", `o.document #>> '{membership,type}'`, 0))))
	accessProfileSchema = mustSchema(anyOps(append(listedObjectFields(),
		flagField("enabled", `coalesce((o.document ->> 'enabled')::boolean, true)`, 0),
		flagField("requestable", `coalesce((o.document ->> 'requestable')::boolean, true)`, 0),
		textField("source.id", `o.document #>> '{source,id}'`, 0))))
	sourceSchema = mustSchema(anyOps(append(listedObjectFields(),
		textField("connector", `o.document ->> 'connector'`, 0))))
)

// listedObjectFields returns the fields that all objects have.
func listedObjectFields() []filterql.Field {
	return []filterql.Field{
		notNull(idField("id", "o.id", 0)),
		notNull(keyField("name", "o.name_key", 0)),
		textField("description", `o.document ->> 'description'`, 0),
		textField("owner.id", `o.document #>> '{owner,id}'`, 0),
		textField("owner.name", `o.document #>> '{owner,name}'`, 0),
		notNull(timeField("created", "o.created", 0)),
		notNull(timeField("modified", "o.modified", 0)),
	}
}
