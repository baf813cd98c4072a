package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Revision is a change of the configuration: who made it, when and why.
type Revision struct {
	Version int64 // of the configuration after it
	At      time.Time
	Actor   Actor
	Comment string
	Losses  []string // the members that were left out of the documents, each with what is lost
}

// RevisionObject is what a revision did to one object. The documents are those that the tables of the configuration
// have.
type RevisionObject struct {
	Type   string
	ID     ID // zero for an identity attribute
	Name   string
	Before []byte // nil for an object that was created
	After  []byte // nil for one that was removed
}

// AddRevision writes a revision, and what it did to objects, which it numbers in their order.
func (s *Store) AddRevision(ctx context.Context, tx pgx.Tx, r Revision, objects []RevisionObject) error {
	const revision = `
		INSERT INTO muster.configuration_revisions (version, at, actor_id, actor_name, actor_via, comment, losses)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`
	if _, err := tx.Exec(ctx, s.sql(revision), r.Version, r.At, r.Actor.ID, r.Actor.Name, r.Actor.Via,
		r.Comment, append([]string{}, r.Losses...)); err != nil {
		return mapError(err)
	}
	const list = `
		INSERT INTO muster.configuration_revision_objects (version, number, type, id, name, before, after)
		SELECT $1, v.number, v.type, v.id, v.name, v.before::jsonb, v.after::jsonb
		FROM unnest($2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
		     v (type, id, name, before, after, number)`
	types, names, ids := make([]string, len(objects)), make([]string, len(objects)), make([]ID, len(objects))
	before, after := make([]*string, len(objects)), make([]*string, len(objects))
	for i := range objects {
		o := &objects[i]
		types[i], ids[i], names[i] = o.Type, o.ID, o.Name
		before[i], after[i] = NullText(string(o.Before)), NullText(string(o.After))
	}
	_, err := tx.Exec(ctx, s.sql(list), r.Version, types, ids, names, before, after)
	return mapError(err)
}

// ListedRevision is a revision, and how many objects it concerns.
type ListedRevision struct {
	Revision
	Created, Updated, Removed int
}

const listedRevisions = `
	SELECT r.version, r.at, r.actor_id, r.actor_name, r.actor_via, r.comment, r.losses,
	       o.created, o.updated, o.removed
	FROM muster.configuration_revisions r,
	     LATERAL (SELECT count(*) FILTER (WHERE o.before IS NULL) AS created,
	                     count(*) FILTER (WHERE o.before IS NOT NULL AND o.after IS NOT NULL) AS updated,
	                     count(*) FILTER (WHERE o.after IS NULL) AS removed
	              FROM muster.configuration_revision_objects o
	              WHERE o.version = r.version) o`

// Revisions returns the revisions before a version, the latest first.
func (s *Store) Revisions(ctx context.Context, q Querier, before int64, limit int) ([]ListedRevision, error) {
	const statement = listedRevisions + `
		WHERE r.version < $1
		ORDER BY r.version DESC
		LIMIT $2`
	return collect(ctx, q, s.sql(statement), scanRevision, before, limit)
}

// Revision returns the revision that made a version, with what it did to objects, or [ErrNotFound].
func (s *Store) Revision(ctx context.Context, q Querier, version int64) (ListedRevision, []RevisionObject, error) {
	found, err := collect(ctx, q, s.sql(listedRevisions+` WHERE r.version = $1`), scanRevision, version)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return ListedRevision{}, nil, err
	}
	const statement = `
		SELECT type, id, name, before, after
		FROM muster.configuration_revision_objects
		WHERE version = $1
		ORDER BY number`
	objects, err := collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[RevisionObject], version)
	return found[0], objects, err
}

func scanRevision(row pgx.CollectableRow) (r ListedRevision, err error) {
	err = row.Scan(&r.Version, &r.At, &r.Actor.ID, &r.Actor.Name, &r.Actor.Via, &r.Comment, &r.Losses, &r.Created,
		&r.Updated, &r.Removed)
	return r, err
}
