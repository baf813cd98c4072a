package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// Errand is what a task is about that is one piece of work for one worker.
type Errand struct {
	TaskID ID
	Asked  json.RawMessage // what the worker has to know
	Done   int64           // how many rows it has read so far
	Result json.RawMessage // what it did; nil until the task has ended well
}

// AddErrand writes what a new task is about.
func (s *Store) AddErrand(ctx context.Context, tx pgx.Tx, task ID, asked json.RawMessage) error {
	_, err := tx.Exec(ctx, s.sql(`INSERT INTO muster.errands (task_id, asked) VALUES ($1, $2)`), task, asked)
	return mapError(err)
}

// Errands returns what tasks are about, by task. Those of other kinds are left out.
func (s *Store) Errands(ctx context.Context, q Querier, tasks []ID) (map[ID]Errand, error) {
	const statement = `SELECT task_id, asked, done, result FROM muster.errands WHERE task_id = ANY ($1)`
	list, err := collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Errand], tasks)
	errands := make(map[ID]Errand, len(list))
	for _, e := range list {
		errands[e.TaskID] = e
	}
	return errands, err
}

// SetErrandResult records what an errand did: a JSON object.
func (s *Store) SetErrandResult(ctx context.Context, tx pgx.Tx, task ID, result json.RawMessage) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.errands SET result = $2 WHERE task_id = $1`), task, result)
	return mapError(err)
}

// TouchErrand records that a worker is there for a task, and how many rows it has read so far. It returns [ErrNotFound]
// when the task has ended or is held.
func (s *Store) TouchErrand(ctx context.Context, tx pgx.Tx, task ID, done int64, now time.Time) error {
	const touch = `
		UPDATE muster.tasks
		SET launched = coalesce(launched, $2), modified = greatest(modified, $2)
		WHERE id = $1 AND completed IS NULL AND held IS NULL`
	tag, err := tx.Exec(ctx, s.sql(touch), task, now)
	if err := oneRow(tag, err); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, s.sql(`UPDATE muster.errands SET done = $2 WHERE task_id = $1`), task, done)
	return mapError(err)
}

// EarlierErrand reports whether a task of the same kind and with the same target is open that was launched before this
// one.
func (s *Store) EarlierErrand(ctx context.Context, q Querier, task *Task) (bool, error) {
	const statement = `
		SELECT EXISTS (
		    SELECT 1 FROM muster.tasks
		    WHERE completed IS NULL AND held IS NULL AND id < $1 AND kind = $2 AND target_id = $3)`
	var earlier bool
	err := q.QueryRow(ctx, s.sql(statement), task.ID, task.Kind, task.TargetID).Scan(&earlier)
	return earlier, mapError(err)
}

// OpenErrands returns the errands that have not ended and are not held, and at which no worker has shown itself since a
// time, the oldest first.
func (s *Store) OpenErrands(ctx context.Context, q Querier, since time.Time) ([]ID, error) {
	const statement = `
		SELECT t.id FROM muster.tasks t
		WHERE t.completed IS NULL AND t.held IS NULL AND (t.launched IS NULL OR t.modified < $1)
		  AND EXISTS (SELECT 1 FROM muster.errands e WHERE e.task_id = t.id)
		ORDER BY t.id`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID], since)
}

// AddErrandText writes a piece of the text of an errand. Pieces are numbered from 0 on.
func (s *Store) AddErrandText(ctx context.Context, tx pgx.Tx, task ID, piece int, data string) error {
	const statement = `INSERT INTO muster.errand_texts (task_id, piece, data) VALUES ($1, $2, $3)`
	_, err := tx.Exec(ctx, s.sql(statement), task, piece, data)
	return mapError(err)
}

// ErrandText returns a piece of the text of an errand, or [ErrNotFound] behind the last one.
func (s *Store) ErrandText(ctx context.Context, q Querier, task ID, piece int) (string, error) {
	const statement = `SELECT data FROM muster.errand_texts WHERE task_id = $1 AND piece = $2`
	var data string
	err := q.QueryRow(ctx, s.sql(statement), task, piece).Scan(&data)
	return data, mapError(err)
}

// DropErrandText removes the text of an errand that has ended.
func (s *Store) DropErrandText(ctx context.Context, tx pgx.Tx, task ID) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.errand_texts WHERE task_id = $1`), task)
	return mapError(err)
}
