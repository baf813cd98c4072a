package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Settings are the settings of the tenant, as they are stored with the configuration.
type Settings struct {
	Version  int64 // of the configuration
	Document []byte
	// Settled says that a configuration was applied: engines do not set the settings any more once identities are
	// there, whose values depend on them.
	Settled bool
}

// Settings returns the settings of the tenant. It locks nothing.
func (s *Store) Settings(ctx context.Context, q Querier) (Settings, error) {
	const statement = `SELECT version, settings, settled FROM muster.configuration`
	var row Settings
	err := q.QueryRow(ctx, s.sql(statement)).Scan(&row.Version, &row.Document, &row.Settled)
	return row, mapError(err)
}

// HasIdentities reports whether the tenant has any identity.
func (s *Store) HasIdentities(ctx context.Context, q Querier) (bool, error) {
	const statement = `SELECT coalesce((SELECT true FROM muster.identities ORDER BY id LIMIT 1), false)`
	var has bool
	err := q.QueryRow(ctx, s.sql(statement)).Scan(&has)
	return has, mapError(err)
}

// PutSettings writes the settings of the tenant. The configuration must be locked, and gets its next version by
// [Store.AdvanceConfiguration].
func (s *Store) PutSettings(ctx context.Context, tx pgx.Tx, document []byte) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.configuration SET settings = $1`), document)
	return mapError(err)
}

// Settle records that a configuration was applied, so that engines do not set the settings any more once identities are
// there. The configuration must be locked. It keeps its version, because nobody works differently for it.
func (s *Store) Settle(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.configuration SET settled = true WHERE NOT settled`))
	return mapError(err)
}

// Engine is an engine that was started. The times are the server's, so that the clocks of hosts do not matter.
type Engine struct {
	ID       ID
	Host     string
	Process  int64 // its ID on the host
	Version  string
	Started  time.Time
	Seen     time.Time // by its last sign of life
	Settings []byte    // what must be the same for all engines, and what its host gave
}

// AddEngine records an engine that is started now. It may be recorded already, where it was stopped while the database
// was away.
func (s *Store) AddEngine(ctx context.Context, q Querier, e *Engine) error {
	const statement = `
		INSERT INTO muster.engines (id, host, process, version, started, seen, settings)
		VALUES ($1, $2, $3, $4, now(), now(), $5)
		ON CONFLICT (id) DO UPDATE SET started = excluded.started, seen = excluded.seen, settings = excluded.settings`
	_, err := q.Exec(ctx, s.sql(statement), e.ID, e.Host, e.Process, e.Version, e.Settings)
	return mapError(err)
}

// SeeEngine records a sign of life of an engine. It returns false where the engine is not recorded.
func (s *Store) SeeEngine(ctx context.Context, q Querier, id ID) (bool, error) {
	tag, err := q.Exec(ctx, s.sql(`UPDATE muster.engines SET seen = now() WHERE id = $1`), id)
	return tag.RowsAffected() == 1, mapError(err)
}

// RemoveEngine forgets an engine.
func (s *Store) RemoveEngine(ctx context.Context, q Querier, id ID) error {
	_, err := q.Exec(ctx, s.sql(`DELETE FROM muster.engines WHERE id = $1`), id)
	return mapError(err)
}

// RemoveStaleEngines forgets the engines that gave no sign of life for a time.
func (s *Store) RemoveStaleEngines(ctx context.Context, q Querier, silent time.Duration) error {
	_, err := q.Exec(ctx, s.sql(`DELETE FROM muster.engines WHERE seen < now() - $1::interval`), silent)
	return mapError(err)
}

// Engines returns the engines that gave a sign of life within a time, by host, process and start.
func (s *Store) Engines(ctx context.Context, q Querier, silent time.Duration) ([]Engine, error) {
	const statement = `
		SELECT id, host, process, version, started, seen, settings
		FROM muster.engines
		WHERE seen >= now() - $1::interval
		ORDER BY host COLLATE "C", process, started, id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Engine], silent)
}

// MoveDue makes the identities that are due at one time due at an earlier one. The slots of scheduled processing moved.
func (s *Store) MoveDue(ctx context.Context, tx pgx.Tx, from, to time.Time) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.refresh_state SET due = $2 WHERE due = $1`), from, to)
	return mapError(err)
}

// MoveAggregation sets the next time of a source's schedule, unless that has come already.
func (s *Store) MoveAggregation(ctx context.Context, tx pgx.Tx, source ID, schedule string, now, next time.Time) error {
	const statement = `
		UPDATE muster.source_aggregations SET next = $4
		WHERE source_id = $1 AND schedule = $2 AND next > $3`
	_, err := tx.Exec(ctx, s.sql(statement), source, schedule, now, next)
	return mapError(err)
}
