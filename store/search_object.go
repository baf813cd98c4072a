package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

// objectFields are the fields that the documents of roles, access profiles and entitlements have in common. The row o
// has a document in the published shape. requestable is the SQL of whether it can be requested, whose default differs.
func objectFields(requestable string) []searchql.Field {
	return []searchql.Field{
		with(searchID("id", "o.id"), bare, indexed, sorted, neverNull),
		with(searchText("description", member("o.document", "description")), bare, sorted),
		with(searchTime("created", "o.created"), neverNull),
		with(searchTime("modified", "o.modified"), neverNull),
		with(searchTime("synced", "o.modified"), neverNull),
		searchFlag("requestable", requestable),
		ownerField("owner.id", "(o.document -> 'owner' ->> 'id')"),
		with(searchText("owner.name", "(o.document -> 'owner' ->> 'name')"), bare, sorted),
	}
}

// ownerField is the ID in a reference, which a document may have in either spelling, as a text.
func ownerField(name, column string) searchql.Field {
	id := `lower(replace(` + column + `, '-', ''))`
	return searchql.Field{Name: name, Type: filterql.ID, Column: id, Text: id, Sort: id + ` COLLATE "C"`,
		Convert: func(text string) (any, bool) {
			parsed, ok := IDOf(text)
			return parsed.String(), ok
		}}
}

// elements are the elements e of a list in the document of a row o.
func elements(name string) string {
	list := `o.document -> '` + name + `'`
	return `jsonb_array_elements(CASE jsonb_typeof(` + list + `) WHEN 'array' THEN ` + list + ` ELSE '[]' END) e (value)
		WHERE TRUE`
}

func elementCount(name string) string { return `(SELECT count(*) FROM ` + elements(name) + `)` }

func roleIndex(*SearchSetup) (*SearchIndex, error) {
	schema, err := searchql.NewSchema(append(objectFields(flag("o.document", "requestable")),
		with(searchKeyed("name", "o.name", "o.name_key"), bare, indexed, sorted, neverNull),
		searchFlag("enabled", "o.enabled"),
		with(ownerField("accessProfiles.id", "(e.value ->> 'id')"), each(elements("accessProfiles")), noSort),
		with(searchText("accessProfiles.name", "(e.value ->> 'name')"), bare, each(elements("accessProfiles"))),
		searchNumber("accessProfileCount", elementCount("accessProfiles")),
		with(searchText("entitlements.name", "coalesce(e.value ->> 'name', e.value ->> 'value')"), bare,
			each(elements("entitlements"))),
		searchNumber("entitlementCount", elementCount("entitlements")),
	))
	return &SearchIndex{Name: "roles", Type: "role", Schema: schema, table: "muster.roles o", id: "o.id"}, err
}

func noSort(f *searchql.Field) { f.Sort = "" }

// profileSource is the source of an access profile o, which names it by its ID or by its name.
const profileSource = `muster.sources s
	WHERE s.id = (SELECT s.id FROM muster.sources s
	              WHERE replace(s.id::text, '-', '') = lower(replace(o.document -> 'source' ->> 'id', '-', ''))
	                 OR s.name = o.document -> 'source' ->> 'name'
	              ORDER BY s.id LIMIT 1)`

const profileEnabled = `coalesce(o.document -> 'enabled' <> 'false'::jsonb, true)`

func accessProfileIndex(*SearchSetup) (*SearchIndex, error) {
	apps, err := searchql.NewSchema([]searchql.Field{searchID("id", "x.id"), searchText("name", "x.name")})
	if err != nil {
		return nil, err
	}
	schema, err := searchql.NewSchema(append(objectFields(unlessFalse("o.document", "requestable")),
		with(searchKeyed("name", "o.name", "o.name_key"), bare, indexed, sorted, neverNull),
		searchFlag("enabled", profileEnabled),
		with(searchID("source.id", "s.id"), in(profileSource)),
		with(searchKeyed("source.name", "s.name", "s.name_key"), bare, in(profileSource)),
		with(ownerField("entitlements.id", "(e.value ->> 'id')"), each(elements("entitlements")), noSort),
		with(searchText("entitlements.name", "coalesce(e.value ->> 'name', e.value ->> 'value')"), bare,
			each(elements("entitlements"))),
		with(searchText("entitlements.attribute", "(e.value ->> 'attribute')"), each(elements("entitlements"))),
		with(searchText("entitlements.value", "(e.value ->> 'value')"), each(elements("entitlements"))),
		searchNumber("entitlementCount", elementCount("entitlements")),
	), searchql.List{Name: "apps", From: `(SELECT NULL::uuid AS id, NULL::text COLLATE "C" AS name) x WHERE FALSE`,
		Indexed: true, ID: "x.id", Schema: apps})
	return &SearchIndex{Name: "accessprofiles", Type: "accessprofile", Schema: schema,
		table: "muster.access_profiles o", id: "o.id"}, err
}

const entitlementSource = `muster.sources s WHERE s.id = o.source_id`

func entitlementIndex(*SearchSetup) (*SearchIndex, error) {
	schema, err := searchql.NewSchema(append(objectFields(flag("o.document", "requestable")),
		with(searchText("name", "o.name"), bare, sorted, neverNull),
		with(searchText("displayName", "o.name"), bare, sorted, neverNull),
		with(searchText("attribute", "o.attribute"), sorted, neverNull),
		with(searchText("value", "o.value"), bare, sorted, neverNull),
		searchFlag("privileged", flag("o.document", "privileged")),
		with(searchID("source.id", "o.source_id"), indexed, sorted, neverNull),
		with(searchKeyed("source.name", "s.name", "s.name_key"), bare, in(entitlementSource)),
		searchNumber("identityCount", `(SELECT count(DISTINCT a.identity_id) FROM muster.account_entitlements k
			JOIN muster.accounts a ON a.id = k.account_id WHERE k.entitlement_id = o.id)`),
	))
	return &SearchIndex{Name: "entitlements", Type: "entitlement", Schema: schema, table: "muster.entitlements o",
		id: "o.id"}, err
}

// SearchObject is what a document of a configured object, or of an entitlement, has of its row.
type SearchObject struct {
	ID                ID
	Name              string
	Document          []byte
	Enabled           bool
	SourceID          ID
	SourceName        *string
	Attribute, Value  *string
	Identities        int
	Created, Modified time.Time
}

// searchObjects are the statements that read the rows of an index.
var searchObjects = map[string]string{
	"roles": `
		SELECT o.id, o.name, o.document, o.enabled, NULL::uuid, NULL::text, NULL::text, NULL::text, 0,
		       o.created, o.modified
		FROM muster.roles o
		WHERE o.id = ANY ($1)`,
	"accessprofiles": `
		SELECT o.id, o.name, o.document, ` + profileEnabled + `, s.id, s.name, NULL::text, NULL::text, 0,
		       o.created, o.modified
		FROM muster.access_profiles o
		LEFT JOIN LATERAL (SELECT s.id, s.name FROM ` + profileSource + `) s ON true
		WHERE o.id = ANY ($1)`,
	"entitlements": `
		SELECT o.id, o.name, o.document, true, s.id, s.name, o.attribute, o.value,
		       (SELECT count(DISTINCT a.identity_id) FROM muster.account_entitlements k
		        JOIN muster.accounts a ON a.id = k.account_id WHERE k.entitlement_id = o.id), o.created, o.modified
		FROM muster.entitlements o
		JOIN muster.sources s ON s.id = o.source_id
		WHERE o.id = ANY ($1)`,
}

// SearchObjects returns the rows of roles, access profiles or entitlements, in no order.
func (s *Store) SearchObjects(ctx context.Context, q Querier, index *SearchIndex, ids []ID) ([]SearchObject, error) {
	return collect(ctx, q, s.sql(searchObjects[index.Name]), pgx.RowToStructByPos[SearchObject], ids)
}

// HasObjects reports whether [Store.SearchObjects] reads the rows of an index.
func (x *SearchIndex) HasObjects() bool { return strings.TrimSpace(searchObjects[x.Name]) != "" }
