package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// The kinds and the statuses of configuration jobs.
const (
	JobExport   = "EXPORT"
	JobImport   = "IMPORT"
	JobComplete = "COMPLETE"
	JobFailed   = "FAILED"
)

// ConfigurationJob is an export or an import of the configuration.
type ConfigurationJob struct {
	ID          ID
	Kind        string
	Status      string
	Description string
	Message     string // why it failed
	Result      string // JSON
	Created     time.Time
	Completed   time.Time
	Expires     time.Time
}

// AddConfigurationJob writes a job.
func (s *Store) AddConfigurationJob(ctx context.Context, tx pgx.Tx, j *ConfigurationJob) error {
	const statement = `
		INSERT INTO muster.configuration_jobs (id, kind, status, description, message, result, created, completed,
		       expires)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	_, err := tx.Exec(ctx, s.sql(statement), j.ID, j.Kind, j.Status, j.Description, j.Message, j.Result, j.Created,
		j.Completed, j.Expires)
	return mapError(err)
}

// ConfigurationJob returns a job of a kind that has not expired at a time, or [ErrNotFound].
func (s *Store) ConfigurationJob(ctx context.Context, q Querier, id ID, kind string, now time.Time) (ConfigurationJob,
	error,
) {
	const statement = `
		SELECT id, kind, status, description, message, result, created, completed, expires
		FROM muster.configuration_jobs
		WHERE id = $1 AND kind = $2 AND expires > $3`
	found, err := collect(ctx, q, s.sql(statement), pgx.RowToStructByName[ConfigurationJob], id, kind, now)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return ConfigurationJob{}, err
	}
	return found[0], nil
}

// PurgeConfigurationJobs removes the jobs that have expired at a time, and returns how many.
func (s *Store) PurgeConfigurationJobs(ctx context.Context, tx pgx.Tx, before time.Time) (int64, error) {
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.configuration_jobs WHERE expires <= $1`), before)
	return tag.RowsAffected(), mapError(err)
}
