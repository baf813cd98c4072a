package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// LockConfigurationShared locks the row of the configuration FOR SHARE until the transaction ends, so that it does not
// change, and returns its version. Readers do not wait for each other. See "Lock order" in the documentation of the
// package.
func (s *Store) LockConfigurationShared(ctx context.Context, tx pgx.Tx) (int64, error) {
	const statement = `SELECT version FROM muster.configuration FOR SHARE`
	var version int64
	err := tx.QueryRow(ctx, s.sql(statement)).Scan(&version)
	return version, mapError(err)
}

// LatestVersion returns the version of the tenant's configuration. It locks nothing.
func (s *Store) LatestVersion(ctx context.Context, q Querier) (int64, error) {
	var version int64
	err := q.QueryRow(ctx, s.sql(`SELECT version FROM muster.configuration`)).Scan(&version)
	return version, mapError(err)
}

// LockConfiguration locks the row of the configuration FOR UPDATE until the transaction ends, so that no other
// transaction changes it, and returns its version. It waits for everyone who works with the configuration.
func (s *Store) LockConfiguration(ctx context.Context, tx pgx.Tx) (int64, error) {
	const statement = `SELECT version FROM muster.configuration FOR UPDATE`
	var version int64
	err := tx.QueryRow(ctx, s.sql(statement)).Scan(&version)
	return version, mapError(err)
}

// AdvanceConfiguration gives the configuration, which must be locked, its next version. No other configuration ever had
// it, not even one that was rolled back.
func (s *Store) AdvanceConfiguration(ctx context.Context, tx pgx.Tx) (int64, error) {
	version, err := s.nextVersion(ctx, tx)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, s.sql(`UPDATE muster.configuration SET version = $1`), version)
	return version, mapError(err)
}

// nextVersion returns a version that no configuration ever had. It is a statement of its own: a statement that writes
// rows may call no function that gives another value at each call.
func (s *Store) nextVersion(ctx context.Context, tx pgx.Tx) (int64, error) {
	var version int64
	err := tx.QueryRow(ctx, s.sql(`SELECT nextval('muster.configuration_version')`)).Scan(&version)
	return version, mapError(err)
}

// Configuration is everything that is configured, at one version.
type Configuration struct {
	Version            int64
	AccessProfiles     []Object            // by name
	Entitlements       []Entitlement       // by source, attribute and value
	IdentityAttributes []IdentityAttribute // by name
	LifecycleStates    []LifecycleState    // by profile and technical name
	Profiles           []Profile           // by priority, then age
	Roles              []Role              // by name
	Sources            []Object            // by name
	Transforms         []Object            // by name
	// Settings are the settings of the tenant as they are stored, and Settled says that engines do not set them any
	// more.
	Settings []byte
	Settled  bool
	// Granted says that an identity was given something, so that there may be something to take away.
	Granted bool
}

// Object is a configured object: its name, and its document in the published shape.
type Object struct {
	ID       ID
	Name     string
	Document []byte
	Created  time.Time
	Modified time.Time
}

// Profile is an identity profile.
type Profile struct {
	Object
	Priority              int64
	AuthoritativeSourceID ID
}

// IdentityAttribute is the definition of an identity attribute.
type IdentityAttribute struct {
	Name       string
	Searchable bool
	Document   []byte
	Created    time.Time
	Modified   time.Time
}

// LifecycleState is a state of one profile's identities.
type LifecycleState struct {
	ID            ID
	ProfileID     ID
	TechnicalName string
	Document      []byte
	Created       time.Time
	Modified      time.Time
}

// LoadConfiguration reads the whole configuration. It is consistent in a transaction that has locked the configuration.
func (s *Store) LoadConfiguration(ctx context.Context, q Querier) (Configuration, error) {
	var c Configuration
	settings, err := s.Settings(ctx, q)
	if err != nil {
		return c, err
	}
	c.Version, c.Settings, c.Settled = settings.Version, settings.Document, settings.Settled
	const attributes = `
		SELECT name, searchable, document, created, modified
		FROM muster.identity_attributes
		ORDER BY name`
	if c.IdentityAttributes, err = collect(ctx, q, s.sql(attributes),
		pgx.RowToStructByPos[IdentityAttribute]); err != nil {
		return c, err
	}
	const accessProfiles = `SELECT id, name, document, created, modified FROM muster.access_profiles ORDER BY name`
	if c.AccessProfiles, err = collect(ctx, q, s.sql(accessProfiles), pgx.RowToStructByPos[Object]); err != nil {
		return c, err
	}
	const entitlements = `
		SELECT id, source_id, attribute, value, name, created, modified
		FROM muster.entitlements
		ORDER BY source_id, attribute, value`
	if c.Entitlements, err = collect(ctx, q, s.sql(entitlements), pgx.RowToStructByPos[Entitlement]); err != nil {
		return c, err
	}
	if c.Granted, err = s.HasGrants(ctx, q); err != nil {
		return c, err
	}
	const sources = `SELECT id, name, document, created, modified FROM muster.sources ORDER BY name`
	if c.Sources, err = collect(ctx, q, s.sql(sources), pgx.RowToStructByPos[Object]); err != nil {
		return c, err
	}
	const transforms = `SELECT id, name, document, created, modified FROM muster.transforms ORDER BY name`
	if c.Transforms, err = collect(ctx, q, s.sql(transforms), pgx.RowToStructByPos[Object]); err != nil {
		return c, err
	}
	const profiles = `
		SELECT id, name, document, created, modified, priority, authoritative_source_id
		FROM muster.identity_profiles
		ORDER BY priority, created, id`
	if c.Profiles, err = collect(ctx, q, s.sql(profiles), pgx.RowToStructByPos[Profile]); err != nil {
		return c, err
	}
	const states = `
		SELECT id, profile_id, technical_name, document, created, modified
		FROM muster.lifecycle_states
		ORDER BY profile_id, technical_name`
	if c.LifecycleStates, err = collect(ctx, q, s.sql(states), pgx.RowToStructByPos[LifecycleState]); err != nil {
		return c, err
	}
	c.Roles, err = s.Roles(ctx, q)
	return c, err
}

// PutIdentityAttribute writes a definition, new or not.
func (s *Store) PutIdentityAttribute(ctx context.Context, tx pgx.Tx, a IdentityAttribute) error {
	const statement = `
		INSERT INTO muster.identity_attributes (name, searchable, document, created, modified)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name)
		DO UPDATE SET searchable = excluded.searchable, document = excluded.document, modified = excluded.modified`
	_, err := tx.Exec(ctx, s.sql(statement), a.Name, a.Searchable, a.Document, a.Created, a.Modified)
	return mapError(err)
}

// PutAccessProfile writes an access profile, new or not.
func (s *Store) PutAccessProfile(ctx context.Context, tx pgx.Tx, o Object) error {
	return s.putObject(ctx, tx, "access_profiles", o)
}

// PutTransform writes a saved transform, new or not.
func (s *Store) PutTransform(ctx context.Context, tx pgx.Tx, o Object) error {
	return s.putObject(ctx, tx, "transforms", o)
}

// PutSource writes a source, new or not.
func (s *Store) PutSource(ctx context.Context, tx pgx.Tx, o Object) error {
	return s.putObject(ctx, tx, "sources", o)
}

// putObject writes an object into the table of its kind, which has only the columns of every object.
func (s *Store) putObject(ctx context.Context, tx pgx.Tx, table string, o Object) error {
	statement := `
		INSERT INTO muster.` + table + ` (id, name, name_key, document, created, modified)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id)
		DO UPDATE SET name = excluded.name, name_key = excluded.name_key, document = excluded.document,
		       modified = excluded.modified`
	_, err := tx.Exec(ctx, s.sql(statement), o.ID, o.Name, Fold(o.Name), o.Document, o.Created, o.Modified)
	return mapError(err)
}

// PutProfile writes an identity profile, new or not.
func (s *Store) PutProfile(ctx context.Context, tx pgx.Tx, p Profile) error {
	const statement = `
		INSERT INTO muster.identity_profiles
		       (id, name, name_key, priority, authoritative_source_id, document, created, modified)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id)
		DO UPDATE SET name = excluded.name, name_key = excluded.name_key, priority = excluded.priority,
		       authoritative_source_id = excluded.authoritative_source_id, document = excluded.document,
		       modified = excluded.modified`
	_, err := tx.Exec(ctx, s.sql(statement),
		p.ID, p.Name, Fold(p.Name), p.Priority, p.AuthoritativeSourceID, p.Document, p.Created, p.Modified)
	return mapError(err)
}

// PutLifecycleState writes a lifecycle state, new or not.
func (s *Store) PutLifecycleState(ctx context.Context, tx pgx.Tx, l LifecycleState) error {
	const statement = `
		INSERT INTO muster.lifecycle_states (id, profile_id, technical_name, document, created, modified)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id)
		DO UPDATE SET technical_name = excluded.technical_name, document = excluded.document,
		    modified = excluded.modified`
	_, err := tx.Exec(ctx, s.sql(statement), l.ID, l.ProfileID, l.TechnicalName, l.Document, l.Created, l.Modified)
	return mapError(err)
}
