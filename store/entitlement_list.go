package store

import (
	"context"
	"time"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
)

// ListedEntitlement is an entitlement with the names of what it belongs to.
type ListedEntitlement struct {
	Entitlement
	SourceName string
	Type       string // the schema of the objects that the values name; group where the source does not say
	Document   []byte // the rest of the published shape, a JSON object
}

const (
	entitlementSourceJoin = ` JOIN muster.sources src ON src.id = e.source_id`

	// entitlementTypeSQL is the schema that the attribute of an entitlement e refers to, in the account schema of its
	// source src.
	entitlementTypeSQL = `coalesce((
		SELECT t.value #>> '{schema,name}'
		FROM jsonb_array_elements(CASE jsonb_typeof(src.document -> 'schemas')
		                          WHEN 'array' THEN src.document -> 'schemas' ELSE '[]' END) c (value),
		     jsonb_array_elements(CASE jsonb_typeof(c.value -> 'attributes')
		                          WHEN 'array' THEN c.value -> 'attributes' ELSE '[]' END) t (value)
		WHERE t.value ->> 'name' = e.attribute AND coalesce(c.value ->> 'name', '') IN ('', 'account')
		LIMIT 1), 'group')`
	// entitlementOwnerSQL is the owner of an entitlement as [ID.String] writes it.
	entitlementOwnerSQL = `lower(replace(e.document #>> '{owner,id}', '-', ''))`
)

// listedEntitlementColumns are the columns of a [ListedEntitlement].
var listedEntitlementColumns = columns[ListedEntitlement]{
	readColumn("e.id", func(e *ListedEntitlement) *ID { return &e.ID }),
	readColumn("e.source_id", func(e *ListedEntitlement) *ID { return &e.SourceID }),
	readColumn("e.attribute", func(e *ListedEntitlement) *string { return &e.Attribute }),
	readColumn("e.value", func(e *ListedEntitlement) *string { return &e.Value }),
	readColumn("e.name", func(e *ListedEntitlement) *string { return &e.Name }),
	readColumn("e.created", func(e *ListedEntitlement) *time.Time { return &e.Created }),
	readColumn("e.modified", func(e *ListedEntitlement) *time.Time { return &e.Modified }),
	readColumn("src.name", func(e *ListedEntitlement) *string { return &e.SourceName }),
	readColumn(entitlementTypeSQL, func(e *ListedEntitlement) *string { return &e.Type }),
	readColumn("e.document", func(e *ListedEntitlement) *[]byte { return &e.Document }),
}

var entitlements = collection[ListedEntitlement]{
	table: `muster.entitlements e`, alias: "e", key: "id", columns: listedEntitlementColumns,
	joins: []tableJoin{{"src.", entitlementSourceJoin}},
}

// EntitlementQuery says which entitlements to list. Zero fields beside those of the ListQuery do not narrow.
type EntitlementQuery struct {
	ListQuery
	AccountID  ID   // only those that the account holds
	IdentityID ID   // only those that an account of the identity holds
	IDs        []ID // only those with one of these IDs; nil does not narrow
	// Segmented leaves those that one of Segments has, and with Unsegmented those that none has.
	Segmented, Unsegmented bool
	Segments               []string
}

// segmentsSQL are the segments of an entitlement e.
const segmentsSQL = `(CASE jsonb_typeof(e.document -> 'segments') WHEN 'array' THEN e.document -> 'segments'
	ELSE '[]' END)`

func (q *EntitlementQuery) conditions() []sq.Sqlizer {
	var conditions []sq.Sqlizer
	if !q.AccountID.IsZero() {
		conditions = append(conditions, sq.Expr(`e.id IN (SELECT k.entitlement_id FROM muster.account_entitlements k
			WHERE k.account_id = ?)`, q.AccountID))
	}
	if !q.IdentityID.IsZero() {
		conditions = append(conditions, sq.Expr(`e.id IN (SELECT k.entitlement_id FROM muster.account_entitlements k
			JOIN muster.accounts a ON a.id = k.account_id WHERE a.identity_id = ?)`, q.IdentityID))
	}
	if q.IDs != nil {
		conditions = append(conditions, sq.Expr(`e.id = ANY (?)`, q.IDs))
	}
	if q.Segmented {
		conditions = append(conditions,
			sq.Expr(`(EXISTS (SELECT 1 FROM jsonb_array_elements_text(`+segmentsSQL+`) g (id)
			WHERE g.id = ANY (?)) OR ? AND jsonb_array_length(`+segmentsSQL+`) = 0)`, nonNil(q.Segments),
				q.Unsegmented))
	}
	return conditions
}

// ListEntitlements lists entitlements as [Store.ListIdentities] lists identities.
func (s *Store) ListEntitlements(ctx context.Context, q Querier, query EntitlementQuery, count bool,
	each func(*ListedEntitlement) error,
) (last []any, total int, err error) {
	return entitlements.list(ctx, s, q, &query.ListQuery, query.conditions(), count, each)
}

// EntitlementByID returns an entitlement, or [ErrNotFound].
func (s *Store) EntitlementByID(ctx context.Context, q Querier, id ID) (ListedEntitlement, error) {
	return entitlements.row(ctx, s, q, id)
}

// EntitlementGrants returns when accounts were given an entitlement, by account. Those that have it for another reason
// are left out.
func (s *Store) EntitlementGrants(ctx context.Context, q Querier, entitlement ID, accounts []ID) (map[ID]time.Time,
	error,
) {
	const statement = `
		SELECT g.account_id, g.granted
		FROM muster.entitlements e
		CROSS JOIN unnest($2::uuid[]) v (id)
		JOIN muster.accounts a ON a.id = v.id
		JOIN muster.access_grants g ON g.identity_id = a.identity_id AND g.source_id = e.source_id
		     AND g.attribute = e.attribute AND g.value = e.value AND g.account_id = a.id
		WHERE e.id = $1`
	rows, err := q.Query(ctx, s.sql(statement), entitlement, accounts)
	if err != nil {
		return nil, mapError(err)
	}
	granted := map[ID]time.Time{}
	var account ID
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&account, &at}, func() error {
		granted[account] = at
		return nil
	})
	return granted, mapError(err)
}

// EntitlementSchema returns the fields by which entitlements are filtered and sorted: those that the API publishes, and
// with anyField every other property too, with all operators.
func EntitlementSchema(anyField bool) *filterql.Schema {
	if anyField {
		return anyEntitlements
	}
	return publishedEntitlements
}

// ProfileEntitlementSchema returns the fields by which the API filters and sorts the entitlements of an access profile.
func ProfileEntitlementSchema() *filterql.Schema { return profileEntitlements }

var (
	publishedEntitlements = mustSchema(entitlementFields())
	profileEntitlements   = mustSchema([]filterql.Field{
		unsorted(notNull(idField("id", "e.id", opsListed))),
		unsorted(notNull(idField("source.id", "e.source_id", opsListed))),
		unsorted(writtenIDField("owner.id", entitlementOwnerSQL, opsListed)),
		notNull(textField("name", "e.name", opsBegin)),
		notNull(textField("attribute", "e.attribute", opsBegin)),
		notNull(textField("value", "e.value", opsBegin)),
		notNull(timeField("created", "e.created", opsOrdered)),
		notNull(timeField("modified", "e.modified", opsOrdered)),
	})
	anyEntitlements = mustSchema(anyOps(append(entitlementFields(),
		keyField("source.name", "src.name_key", 0),
		flagField("privileged", documentFlag("e.document", "privileged"), 0),
		textField("description", "e.document ->> 'description'", 0),
		within(idField("account.id", "ae.account_id", 0), entitlementAccountRows),
		within(idField("identity.id", "acc.identity_id", 0), entitlementIdentityRows),
	)))
)

const (
	entitlementAccountRows  = `e.id IN (SELECT ae.entitlement_id FROM muster.account_entitlements ae WHERE`
	entitlementIdentityRows = `e.id IN (SELECT ae.entitlement_id FROM muster.account_entitlements ae
		JOIN muster.accounts acc ON acc.id = ae.account_id WHERE acc.identity_id IS NOT NULL AND`
)

// documentFlag is a member of a document that is true, or else false.
func documentFlag(document, name string) string {
	return `coalesce(` + document + ` ->> '` + name + `' = 'true', false)`
}

// entitlementFields returns the fields of entitlements that the API publishes, with the operators that it allows.
func entitlementFields() []filterql.Field {
	return []filterql.Field{
		notNull(idField("id", "e.id", opsListed)),
		notNull(textField("type", entitlementTypeSQL, opsListed)),
		notNull(textField("attribute", "e.attribute", opsListed)),
		notNull(idField("source.id", "e.source_id", opsListed)),
		unsorted(writtenIDField("owner.id", entitlementOwnerSQL, opsListed)),
		notNull(textField("name", "e.name", opsPrefix|filterql.OpsOf(filterql.Co))), // co is not listed, but used
		notNull(textField("value", "e.value", opsPrefix)),
		flagField("requestable", documentFlag("e.document", "requestable"), opsEqual),
		notNull(timeField("created", "e.created", opsOrdered)),
		notNull(timeField("modified", "e.modified", opsOrdered)),
	}
}

// HeldEntitlement is an entitlement that an account of an identity holds.
type HeldEntitlement struct {
	Entitlement
	AccountID      ID
	NativeIdentity string
	AccountName    string
}

// HeldEntitlements returns what the accounts of an identity hold, by account.
func (s *Store) HeldEntitlements(ctx context.Context, q Querier, identity ID) ([]HeldEntitlement, error) {
	const statement = `
		SELECT e.id, e.source_id, e.attribute, e.value, e.name, e.created, e.modified, a.id, a.native_identity, a.name
		FROM muster.accounts a
		JOIN muster.account_entitlements k ON k.account_id = a.id
		JOIN muster.entitlements e ON e.id = k.entitlement_id
		WHERE a.identity_id = $1
		ORDER BY a.id, e.attribute, e.value`
	scan := func(row pgx.CollectableRow) (h HeldEntitlement, err error) {
		err = row.Scan(&h.ID, &h.SourceID, &h.Attribute, &h.Value, &h.Name, &h.Created, &h.Modified, &h.AccountID,
			&h.NativeIdentity, &h.AccountName)
		return h, err
	}
	return collect(ctx, q, s.sql(statement), scan, identity)
}
