package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// SnapshotReader takes the rows that identities are calculated from: first all accounts, then all assignments, then the
// identities, each in the order of the identities. The next row overwrites what it is given, and documents are valid
// only during the call. An error ends the reading and is returned as it is.
type SnapshotReader struct {
	Account    func(*Account) error
	Assignment func(*HeldRole) error
	Identity   func(*IdentityState) error
}

// The statements of a snapshot, up to the tables.
const (
	snapshotAccounts = `
		SELECT a.id, a.source_id, a.native_identity, a.name, a.identity_id, a.attributes, a.created
		FROM `
	snapshotAssignments = `
		SELECT r.id, r.identity_id, r.role_id, r.assignment_source, r.start_date, r.remove_date
		FROM `
)

// eachIdentity is the beginning of what is looked up for each of the identities $1, which are all different, and
// eachOfIdentity its end behind the name of a table that has their IDs. While the server has not looked at a table, it
// takes each identity to have a 200th of the rows, and would read all of the table for a list of some; OFFSET 0 makes
// it one look into the index for each, as in the other statements of a batch.
const (
	eachIdentity   = `unnest($1::uuid[]) v (id), LATERAL (SELECT * FROM muster.`
	eachOfIdentity = ` WHERE identity_id = v.id OFFSET 0) `
)

// The identities of a snapshot: those of a list, and those between two IDs.
var (
	selectStates   = `SELECT ` + stateColumns.selected("i.")
	snapshotStates = selectStates + `, r.due
		FROM unnest($1::uuid[]) v (id)
		CROSS JOIN LATERAL (SELECT * FROM muster.identities WHERE id = v.id OFFSET 0) i
		LEFT JOIN LATERAL (SELECT due FROM muster.refresh_state WHERE identity_id = v.id OFFSET 0) r ON true
		ORDER BY i.id`
	snapshotStatesBetween = selectStates + `, NULL::timestamptz
		FROM muster.identities i
		WHERE i.id BETWEEN $1 AND $2
		ORDER BY i.id`
)

// ReadSnapshots reads what identities are calculated from, in one round trip.
func (s *Store) ReadSnapshots(ctx context.Context, tx pgx.Tx, identities []ID, reader SnapshotReader) error {
	const (
		accounts = snapshotAccounts + eachIdentity + `accounts` + eachOfIdentity + `a
		ORDER BY a.identity_id`
		assignments = snapshotAssignments + eachIdentity + `role_assignments` + eachOfIdentity + `r
		ORDER BY r.identity_id, r.role_id, r.assignment_source`
	)
	return s.readSnapshots(ctx, tx, []any{identities},
		answer{accounts, func(rows pgx.Rows) error { return readAccounts(rows, reader.Account) }},
		answer{assignments, func(rows pgx.Rows) error { return readAssignments(rows, reader.Assignment) }},
		answer{snapshotStates, func(rows pgx.Rows) error { return readStates(rows, reader.Identity) }})
}

// ReadSnapshotsBetween is [Store.ReadSnapshots] for all identities from first to last, both included. It also fills
// [IdentityState.FoundManager] and [IdentityState.Requested].
//
// Each statement reads one table by itself. The planner knows so little of how many rows are between two IDs that it
// often expects one, and would join the tables by nested loops. The managers alone need two: for each key the first two
// identities are looked up, since a key of more finds nobody. A join would read all keys while the visibility map of a
// fresh load is not set.
func (s *Store) ReadSnapshotsBetween(ctx context.Context, tx pgx.Tx, first, last ID, reader SnapshotReader) error {
	const (
		accounts = snapshotAccounts + `muster.accounts a
		WHERE a.identity_id BETWEEN $1 AND $2
		ORDER BY a.identity_id`
		assignments = snapshotAssignments + `muster.role_assignments r
		WHERE r.identity_id BETWEEN $1 AND $2
		ORDER BY r.identity_id, r.role_id, r.assignment_source`
		due = `
		SELECT identity_id, due FROM muster.refresh_state
		WHERE identity_id BETWEEN $1 AND $2 AND due IS NOT NULL`
		requested = `
		SELECT identity_id FROM muster.refresh_requests WHERE identity_id BETWEEN $1 AND $2`
		managers = `
		SELECT i.manager_key, k.id
		FROM (SELECT DISTINCT manager_key FROM muster.identities
		      WHERE id BETWEEN $1 AND $2 AND manager_key IS NOT NULL) i,
		     LATERAL (SELECT min(x.identity_id::text)::uuid, count(*)
		              FROM (SELECT identity_id FROM muster.identity_keys WHERE key = i.manager_key LIMIT 2) x
		             ) k (id, matches)
		WHERE k.matches = 1`
	)
	dues, requests, found := map[ID]time.Time{}, map[ID]bool{}, map[string]ID{}
	return s.readSnapshots(ctx, tx, []any{first, last},
		answer{accounts, func(rows pgx.Rows) error { return readAccounts(rows, reader.Account) }},
		answer{assignments, func(rows pgx.Rows) error { return readAssignments(rows, reader.Assignment) }},
		answer{due, func(rows pgx.Rows) error { return readPairs(rows, dues) }},
		answer{requested, func(rows pgx.Rows) error {
			var id ID
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
				requests[id] = true
				return nil
			})
			return err
		}},
		answer{managers, func(rows pgx.Rows) error { return readPairs(rows, found) }},
		answer{snapshotStatesBetween, func(rows pgx.Rows) error {
			return readStates(rows, func(i *IdentityState) error {
				if at, is := dues[i.ID]; is {
					i.Due = &at
				}
				i.FoundManager, i.Requested = found[i.ManagerKey], requests[i.ID]
				return reader.Identity(i)
			})
		}})
}

// answer is a statement and the function that reads its rows.
type answer struct {
	statement string
	read      func(pgx.Rows) error
}

// readSnapshots sends statements, all with the same arguments, in one exchange, and reads their answers in turn.
func (s *Store) readSnapshots(ctx context.Context, tx pgx.Tx, arguments []any, answers ...answer) error {
	var batch pgx.Batch
	for _, a := range answers {
		batch.Queue(s.sql(a.statement), arguments...)
	}
	results := tx.SendBatch(ctx, &batch)
	var err error
	for _, a := range answers {
		var rows pgx.Rows
		if rows, err = results.Query(); err == nil {
			err = a.read(rows)
		}
		if err != nil {
			break
		}
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	return mapError(err)
}

// readPairs puts rows of two columns into a map.
func readPairs[K comparable, V any](rows pgx.Rows, into map[K]V) error {
	var key K
	var value V
	_, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error {
		into[key] = value
		return nil
	})
	return err
}

func readAccounts(rows pgx.Rows, take func(*Account) error) error {
	var a Account
	var created pgtype.Timestamptz
	targets := []any{&a.ID, &a.SourceID, (*text)(&a.NativeIdentity), (*text)(&a.Name), &a.IdentityID,
		(*pgtype.DriverBytes)(&a.Attributes), &created}
	_, err := pgx.ForEachRow(rows, targets, func() error {
		a.Created = created.Time
		return take(&a)
	})
	return err
}

func readAssignments(rows pgx.Rows, take func(*HeldRole) error) error {
	var h HeldRole
	var start, remove pgtype.Timestamptz
	targets := []any{&h.ID, &h.IdentityID, &h.RoleID, (*text)(&h.Source), &start, &remove}
	_, err := pgx.ForEachRow(rows, targets, func() error {
		h.StartDate, h.RemoveDate = timeOf(&start), timeOf(&remove)
		return take(&h)
	})
	return err
}

// readStates reads rows of [stateColumns] and of when each is due.
func readStates(rows pgx.Rows, take func(*IdentityState) error) error {
	var i IdentityState
	var due pgtype.Timestamptz
	_, err := pgx.ForEachRow(rows, stateColumns.targets(&i, &due), func() error {
		i.Due = timeOf(&due)
		return take(&i)
	})
	return err
}

// timeOf returns a copy of a time, nil for null.
func timeOf(t *pgtype.Timestamptz) *time.Time {
	if !t.Valid {
		return nil
	}
	at := t.Time
	return &at
}
