package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// OwnedObject is an object of a host's own kind that an identity owns. Kind and ObjectID identify it.
type OwnedObject struct {
	Kind     string
	ObjectID string
	Name     string
	OwnerID  ID
	Created  time.Time
	Modified time.Time
}

// PutOwnedObject registers an object or changes its name and owner, and returns the owner that it had, if any. It locks
// the object until the transaction ends. An owner that does not exist is a [ConflictError].
func (s *Store) PutOwnedObject(ctx context.Context, tx pgx.Tx, o OwnedObject) (before ID, err error) {
	const lock = `SELECT owner_id FROM muster.owned_objects WHERE kind = $1 AND object_id = $2 FOR UPDATE`
	err = tx.QueryRow(ctx, s.sql(lock), o.Kind, o.ObjectID).Scan(&before)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return ID{}, mapError(err)
	}
	const statement = `
		INSERT INTO muster.owned_objects (kind, object_id, name, owner_id, created, modified)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (kind, object_id)
		DO UPDATE SET name = excluded.name, owner_id = excluded.owner_id, modified = excluded.modified`
	_, err = tx.Exec(ctx, s.sql(statement), o.Kind, o.ObjectID, o.Name, o.OwnerID, o.Created, o.Modified)
	return before, mapError(err)
}

// OwnedObjects returns what an identity owns, by kind and identifier.
func (s *Store) OwnedObjects(ctx context.Context, q Querier, owner ID) ([]OwnedObject, error) {
	const statement = `
		SELECT kind, object_id, name, owner_id, created, modified
		FROM muster.owned_objects
		WHERE owner_id = $1
		ORDER BY kind, object_id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[OwnedObject], owner)
}

// ReassignOwnedObjects gives all objects that one identity owns to another and returns how many those are.
func (s *Store) ReassignOwnedObjects(ctx context.Context, tx pgx.Tx, from, to ID, now time.Time) (int, error) {
	const statement = `UPDATE muster.owned_objects SET owner_id = $2, modified = $3 WHERE owner_id = $1`
	tag, err := tx.Exec(ctx, s.sql(statement), from, to, now)
	return int(tag.RowsAffected()), mapError(err)
}

// DeleteOwnedObject removes an object, and returns it as it was. It returns [ErrNotFound] when there is none.
func (s *Store) DeleteOwnedObject(ctx context.Context, tx pgx.Tx, kind, objectID string) (OwnedObject, error) {
	const statement = `
		DELETE FROM muster.owned_objects WHERE kind = $1 AND object_id = $2
		RETURNING kind, object_id, name, owner_id, created, modified`
	list, err := collect(ctx, tx, s.sql(statement), pgx.RowToStructByName[OwnedObject], kind, objectID)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return OwnedObject{}, err
	}
	return list[0], nil
}

// oneRow turns the outcome of a statement that must have found its row into an error.
func oneRow(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	return mapError(err)
}

// ReassignOwnedObject gives one object of an identity to another. It returns [ErrNotFound] when the first does not own
// it.
func (s *Store) ReassignOwnedObject(ctx context.Context, tx pgx.Tx, kind, objectID string, from, to ID,
	now time.Time,
) error {
	const statement = `
		UPDATE muster.owned_objects SET owner_id = $4, modified = $5
		WHERE kind = $1 AND object_id = $2 AND owner_id = $3`
	tag, err := tx.Exec(ctx, s.sql(statement), kind, objectID, from, to, now)
	return oneRow(tag, err)
}

// OwnedConfiguration is a configured object that an identity owns: its document names it as the owner.
type OwnedConfiguration struct {
	Table string // one of [OwnedTables]
	ID    ID
	Name  string
}

// OwnedTables are the tables of configured objects that have owners.
var OwnedTables = []string{"access_profiles", "identity_profiles", "roles", "sources"}

// ownerSQL is the owner of a document, as it is compared: identifiers are written in two ways.
const ownerSQL = `lower(replace(document -> 'owner' ->> 'id', '-', ''))`

// OwnedConfigurations returns the configured objects that an identity owns, by table and name. There are few
// configured objects, so that no index helps.
func (s *Store) OwnedConfigurations(ctx context.Context, q Querier, owner ID) ([]OwnedConfiguration, error) {
	var owned []OwnedConfiguration
	for _, table := range OwnedTables {
		statement := `
			SELECT $2::text, id, name FROM muster.` + table + ` WHERE ` + ownerSQL + ` = $1 ORDER BY name_key`
		rows, err := collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[OwnedConfiguration], owner.String(), table)
		if err != nil {
			return nil, err
		}
		owned = append(owned, rows...)
	}
	return owned, nil
}

// OwnedEntitlements returns the entitlements that an identity owns, by name. An index has those that have an owner.
func (s *Store) OwnedEntitlements(ctx context.Context, q Querier, owner ID) ([]OwnedConfiguration, error) {
	const statement = `
		SELECT 'entitlements'::text, e.id, e.name FROM muster.entitlements e
		WHERE e.document #>> '{owner,id}' IS NOT NULL AND ` + entitlementOwnerSQL + ` = $1 ORDER BY e.name, e.id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[OwnedConfiguration], owner.String())
}

// SetConfigurationOwner makes an identity the owner of a configured object, or of an entitlement.
func (s *Store) SetConfigurationOwner(ctx context.Context, tx pgx.Tx, o OwnedConfiguration, owner ID, name string,
	now time.Time,
) error {
	statement := `
		UPDATE muster.` + o.Table + `
		SET document = jsonb_set(document, '{owner}',
		        jsonb_build_object('type', 'IDENTITY', 'id', $2::text, 'name', $3::text)), modified = $4
		WHERE id = $1`
	tag, err := tx.Exec(ctx, s.sql(statement), o.ID, owner.String(), name, now)
	return oneRow(tag, err)
}
