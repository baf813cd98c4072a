package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Entitlement is a value of an account attribute that stands for access: a group, a permission.
type Entitlement struct {
	ID        ID
	SourceID  ID
	Attribute string
	Value     string
	Name      string
	Created   time.Time
	Modified  time.Time
}

// EntitlementValue is one value of one entitlement attribute.
type EntitlementValue struct{ Attribute, Value string }

// AddEntitlements adds the values that are new for a source and returns how many those are. A new entitlement has its
// value as its name until the source gives it another one.
func (s *Store) AddEntitlements(ctx context.Context, tx pgx.Tx, source ID, values []EntitlementValue,
	now time.Time,
) (int, error) {
	const statement = `
		INSERT INTO muster.entitlements (id, source_id, attribute, value, name, created, modified)
		SELECT v.id, $1, v.attribute, v.value, v.value, $5, $5
		FROM unnest($2::uuid[], $3::text[], $4::text[]) v (id, attribute, value)
		ON CONFLICT (source_id, attribute, value) DO NOTHING`
	ids := make([]ID, len(values))
	attributes := make([]string, len(values))
	texts := make([]string, len(values))
	for i, v := range values {
		ids[i], attributes[i], texts[i] = NewID(), v.Attribute, v.Value
	}
	tag, err := tx.Exec(ctx, s.sql(statement), source, ids, attributes, texts, now)
	return int(tag.RowsAffected()), mapError(err)
}

// Entitlements returns the entitlements of a source, by attribute and value.
func (s *Store) Entitlements(ctx context.Context, q Querier, source ID) ([]Entitlement, error) {
	const statement = `
		SELECT id, source_id, attribute, value, name, created, modified
		FROM muster.entitlements
		WHERE source_id = $1
		ORDER BY attribute, value`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Entitlement], source)
}

// HasEntitlement reports whether a source has an entitlement, written in this way.
func (s *Store) HasEntitlement(ctx context.Context, q Querier, source ID, value EntitlementValue) (bool, error) {
	const statement = `
		SELECT EXISTS (SELECT 1 FROM muster.entitlements WHERE source_id = $1 AND attribute = $2 AND value = $3)`
	var has bool
	err := q.QueryRow(ctx, s.sql(statement), source, value.Attribute, value.Value).Scan(&has)
	return has, mapError(err)
}

// LockEntitlement locks an entitlement FOR UPDATE until the transaction ends and returns its document, or
// [ErrNotFound].
func (s *Store) LockEntitlement(ctx context.Context, tx pgx.Tx, id ID) (document []byte, err error) {
	err = tx.QueryRow(ctx, s.sql(`SELECT document FROM muster.entitlements WHERE id = $1 FOR UPDATE`), id).Scan(
		&document)
	return document, mapError(err)
}

// PutEntitlement writes the name and the document of an entitlement, which the caller has locked.
func (s *Store) PutEntitlement(ctx context.Context, tx pgx.Tx, id ID, name string, document []byte,
	now time.Time,
) error {
	const statement = `UPDATE muster.entitlements SET name = $2, document = $3, modified = $4 WHERE id = $1`
	tag, err := tx.Exec(ctx, s.sql(statement), id, name, document, now)
	return oneRow(tag, err)
}

// manuallyNamed is the condition that somebody named an entitlement e by hand, so that its source does not any more.
const manuallyNamed = `coalesce(e.document #>> '{manuallyUpdatedFields,DISPLAY_NAME}' = 'true', false)`

// NameEntitlements gives the entitlements of a source the names that the source tells, but for those that were named by
// hand, and adds those that no account has.
func (s *Store) NameEntitlements(ctx context.Context, tx pgx.Tx, source ID, names map[EntitlementValue]string,
	now time.Time,
) error {
	if len(names) == 0 {
		return nil
	}
	const statement = `
		INSERT INTO muster.entitlements AS e (id, source_id, attribute, value, name, created, modified)
		SELECT v.id, $1, v.attribute, v.value, v.name, $6, $6
		FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) v (id, attribute, value, name)
		ORDER BY v.attribute, v.value
		ON CONFLICT (source_id, attribute, value)
		DO UPDATE SET name = excluded.name, modified = excluded.modified
		WHERE e.name <> excluded.name AND NOT ` + manuallyNamed
	var ids []ID
	var attributes, values, labels []string
	for value, name := range names {
		if name == "" {
			name = value.Value
		}
		ids, attributes = append(ids, NewID()), append(attributes, value.Attribute)
		values, labels = append(values, value.Value), append(labels, name)
	}
	_, err := tx.Exec(ctx, s.sql(statement), source, ids, attributes, values, labels, now)
	return mapError(err)
}
