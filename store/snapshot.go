package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// SnapshotReader takes the rows that identities are calculated from: first all accounts, then all assignments, then the
// identities, each by identity. What it is given is overwritten by the next row, and the documents are valid during the
// call alone. An error ends the reading and comes back as it is.
type SnapshotReader struct {
	Account    func(*Account) error
	Assignment func(*HeldRole) error
	Identity   func(*IdentityState) error
}

// The statements of a snapshot, without what says whose.
const (
	snapshotAccounts = `
		SELECT a.id, a.source_id, a.native_identity, a.name, a.identity_id, a.attributes, a.created
		FROM muster.accounts a
		WHERE a.identity_id `
	snapshotAssignments = `
		SELECT r.id, r.identity_id, r.role_id, r.assignment_source, r.start_date, r.remove_date
		FROM muster.role_assignments r
		WHERE r.identity_id `
	stateColumns = `
		SELECT i.id, i.name, i.alias, i.email, i.processing_state, i.processing_error, i.correlated,
		       i.profile_id, i.lifecycle_state, i.lifecycle_manual, i.identity_state, i.manager_id, i.manager_key,
		       i.attributes, r.due`
)

// snapshotStates are the identities of a list.
const snapshotStates = stateColumns + `, NULL::uuid, false
		FROM muster.identities i
		LEFT JOIN muster.refresh_state r ON r.identity_id = i.id
		WHERE i.id = ANY ($1)
		ORDER BY i.id`

// ReadSnapshots reads what identities are calculated from. One round trip does.
func (s *Store) ReadSnapshots(ctx context.Context, tx pgx.Tx, identities []ID, reader SnapshotReader) error {
	const (
		accounts    = snapshotAccounts + `= ANY ($1) ORDER BY a.identity_id`
		assignments = snapshotAssignments + `= ANY ($1) ORDER BY r.identity_id, r.role_id, r.assignment_source`
	)
	return s.readSnapshots(ctx, tx, [3]string{accounts, assignments, snapshotStates}, []any{identities}, reader)
}

// ReadSnapshotsBetween is [Store.ReadSnapshots] for all identities from one to another, both of them included. It also
// fills [IdentityState.FoundManager] and [IdentityState.Requested].
func (s *Store) ReadSnapshotsBetween(ctx context.Context, tx pgx.Tx, first, last ID, reader SnapshotReader) error {
	const (
		accounts    = snapshotAccounts + `BETWEEN $1 AND $2 ORDER BY a.identity_id`
		assignments = snapshotAssignments + `BETWEEN $1 AND $2 ORDER BY r.identity_id, r.role_id, r.assignment_source`
		states      = stateColumns + `, m.found, q.identity_id IS NOT NULL
		FROM muster.identities i
		LEFT JOIN muster.refresh_state r ON r.identity_id = i.id AND r.identity_id BETWEEN $1 AND $2
		LEFT JOIN (SELECT DISTINCT identity_id FROM muster.refresh_requests WHERE identity_id BETWEEN $1 AND $2) q
		       ON q.identity_id = i.id
		LEFT JOIN LATERAL (
		    SELECT (array_agg(k.identity_id))[1] AS found
		    FROM muster.identity_keys k
		    WHERE k.key = i.manager_key
		    HAVING count(*) = 1) m ON true
		WHERE i.id BETWEEN $1 AND $2
		ORDER BY i.id`
	)
	return s.readSnapshots(ctx, tx, [3]string{accounts, assignments, states}, []any{first, last}, reader)
}

func (s *Store) readSnapshots(ctx context.Context, tx pgx.Tx, statements [3]string, arguments []any,
	reader SnapshotReader,
) error {
	var batch pgx.Batch
	for _, statement := range statements {
		batch.Queue(s.sql(statement), arguments...)
	}
	results := tx.SendBatch(ctx, &batch)
	rows, err := results.Query()
	if err == nil {
		err = readAccounts(rows, reader.Account)
	}
	if err == nil {
		if rows, err = results.Query(); err == nil {
			err = readAssignments(rows, reader.Assignment)
		}
	}
	if err == nil {
		if rows, err = results.Query(); err == nil {
			err = readStates(rows, reader.Identity)
		}
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	return mapError(err)
}

// text takes a text that is not kept anew where the row before had the same: most columns have few values. Null is "".
type text string

func (t *text) ScanBytes(src []byte) error {
	if string(src) != string(*t) {
		*t = text(src)
	}
	return nil
}

func readAccounts(rows pgx.Rows, take func(*Account) error) error {
	var a Account
	var nativeIdentity, name text
	var attributes pgtype.DriverBytes
	var created pgtype.Timestamptz
	columns := []any{&a.ID, &a.SourceID, &nativeIdentity, &name, &a.IdentityID, &attributes, &created}
	_, err := pgx.ForEachRow(rows, columns, func() error {
		a.NativeIdentity, a.Name = string(nativeIdentity), string(name)
		a.Attributes, a.Created = attributes, created.Time
		return take(&a)
	})
	return err
}

func readAssignments(rows pgx.Rows, take func(*HeldRole) error) error {
	var h HeldRole
	var source text
	var start, remove pgtype.Timestamptz
	_, err := pgx.ForEachRow(rows, []any{&h.ID, &h.IdentityID, &h.RoleID, &source, &start, &remove}, func() error {
		h.Source, h.StartDate, h.RemoveDate = string(source), timeOf(&start), timeOf(&remove)
		return take(&h)
	})
	return err
}

func readStates(rows pgx.Rows, take func(*IdentityState) error) error {
	var i IdentityState
	var texts [8]text
	var attributes pgtype.DriverBytes
	var due pgtype.Timestamptz
	_, err := pgx.ForEachRow(rows, []any{&i.ID, &texts[0], &texts[1], &texts[2], &texts[3], &texts[4], &i.Correlated,
		&i.ProfileID, &texts[5], &i.LifecycleManual, &texts[6], &i.ManagerID, &texts[7], &attributes, &due,
		&i.FoundManager, &i.Requested},
		func() error {
			for k, field := range []*string{&i.Name, &i.Alias, &i.Email, &i.ProcessingState, &i.ProcessingError,
				&i.LifecycleState, &i.IdentityState, &i.ManagerKey} {
				*field = string(texts[k])
			}
			i.Attributes, i.Due = attributes, timeOf(&due)
			return take(&i)
		})
	return err
}

// timeOf returns a time of its own, nil for null.
func timeOf(t *pgtype.Timestamptz) *time.Time {
	if !t.Valid {
		return nil
	}
	at := t.Time
	return &at
}
