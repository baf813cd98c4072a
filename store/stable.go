package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// An account that has a stable identity is the same one as long as that stays, whatever it is called. So before the
// stage is merged by names, the accounts that are called differently by now are renamed, and those whose names are
// other accounts' by now are removed. A source whose accounts have no stable identity needs no statement of this file.

// StableMatch is a row of the stage with a stable identity, whose account has another name, or whose name is that of
// another account.
type StableMatch struct {
	Place          int64
	Line           int64
	NativeIdentity string
	StableIdentity string
	// Account has the stable identity, and is called Called; zero where there is none.
	Account ID
	Called  string
	// Owner is whose account it is, zero for nobody's.
	Owner ID
	// Holder is the account that has the row's name; zero where there is none.
	Holder ID
}

// Renames reports whether the row's account has another name.
func (r *StableMatch) Renames() bool { return !r.Account.IsZero() && r.Called != r.NativeIdentity }

// Takes reports whether another account has the row's name.
func (r *StableMatch) Takes() bool { return !r.Holder.IsZero() && r.Holder != r.Account }

// StableMatches locks the accounts of a source that the rows of the stage rename, or whose names they take, by ID and
// FOR UPDATE, until the transaction ends, and returns these rows in the order in which they were read. It comes after
// [Store.LockSource].
func (s *Store) StableMatches(ctx context.Context, tx pgx.Tx, staged *Staged) ([]StableMatch, error) {
	const statement = `
		SELECT g.place, g.line, g.native_identity, g.stable_identity, a.id, coalesce(a.native_identity, ''),
		       a.identity_id, h.id
		FROM muster.aggregation_stage g
		LEFT JOIN LATERAL (
		    SELECT id, native_identity, identity_id
		    FROM muster.accounts
		    WHERE source_id = $1 AND stable_identity = g.stable_identity AND stable_identity IS NOT NULL
		    ORDER BY native_identity = g.native_identity DESC, id
		    LIMIT 1) a ON true
		LEFT JOIN LATERAL (
		    SELECT id, stable_identity FROM muster.accounts
		    WHERE source_id = $1 AND native_identity = g.native_identity OFFSET 0) h ON true
		WHERE g.run_id = $2 AND g.stable_identity IS NOT NULL
		  AND (coalesce(a.native_identity <> g.native_identity, false)
		       OR coalesce(h.stable_identity <> g.stable_identity, false))
		ORDER BY g.place`
	locked := map[ID]bool{}
	for {
		matches, err := collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[StableMatch], staged.Source, staged.Run)
		if err != nil {
			return nil, err
		}
		// An account may have changed until it was locked: then it is matched again.
		var unlocked []ID
		for i := range matches {
			for _, id := range []ID{matches[i].Account, matches[i].Holder} {
				if !id.IsZero() && !locked[id] {
					locked[id] = true
					unlocked = append(unlocked, id)
				}
			}
		}
		if len(unlocked) == 0 {
			return matches, nil
		}
		if err := s.lockAccounts(ctx, tx, unlocked); err != nil {
			return nil, err
		}
	}
}

// StableAccount is an account that a stable identity names.
type StableAccount struct {
	StableIdentity string
	ID             ID
	NativeIdentity string
}

// StableAccounts returns the accounts of a source with the stable identities, by stable identity.
func (s *Store) StableAccounts(ctx context.Context, q Querier, source ID, identities []string) ([]StableAccount,
	error,
) {
	const statement = `
		SELECT stable_identity, id, native_identity
		FROM muster.accounts
		WHERE source_id = $1 AND stable_identity = ANY ($2) AND stable_identity IS NOT NULL
		ORDER BY stable_identity, id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[StableAccount], source, identities)
}

// UnstableAccounts returns those of the native identities that accounts of a source without a stable identity have.
func (s *Store) UnstableAccounts(ctx context.Context, q Querier, source ID, natives []string) ([]string, error) {
	const statement = `
		SELECT native_identity
		FROM muster.accounts
		WHERE source_id = $1 AND native_identity = ANY ($2) AND stable_identity IS NULL
		ORDER BY native_identity`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[string], source, natives)
}

// StableDuplicates returns the rows of the stage that have the stable identity of an earlier row, in the order in which
// they were read.
func (s *Store) StableDuplicates(ctx context.Context, tx pgx.Tx, run ID) ([]Duplicate, error) {
	const statement = `
		SELECT g.native_identity, g.place, g.line, f.line
		FROM (SELECT stable_identity, min(place) AS first
		      FROM muster.aggregation_stage
		      WHERE run_id = $1 AND stable_identity IS NOT NULL
		      GROUP BY stable_identity
		      HAVING count(*) > 1) v
		FULL JOIN (SELECT * FROM muster.aggregation_stage WHERE run_id = $1) g ON g.stable_identity = v.stable_identity
		FULL JOIN (SELECT place, line FROM muster.aggregation_stage WHERE run_id = $1) f ON f.place = v.first
		WHERE coalesce(g.place > v.first, false)
		ORDER BY g.place`
	return collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[Duplicate], run)
}

// StagedNatives returns which of the native identities a run has read, and whether each has changed: those that were
// seen unchanged, and those that were staged with their values.
func (s *Store) StagedNatives(ctx context.Context, tx pgx.Tx, run ID, natives []string) (seen, changed map[string]bool,
	err error,
) {
	seen, changed = map[string]bool{}, map[string]bool{}
	if len(natives) == 0 {
		return seen, changed, nil
	}
	const statement = `
		SELECT n.native_identity, g.staged
		FROM unnest($2::text[]) n (native_identity)
		FULL JOIN (SELECT u.native_identity, false AS staged
		           FROM muster.aggregation_seen b, unnest(b.native_identities) u (native_identity)
		           WHERE b.run_id = $1
		           UNION ALL
		           SELECT native_identity, true FROM muster.aggregation_stage WHERE run_id = $1) g
		       ON g.native_identity = n.native_identity
		WHERE coalesce(n.native_identity IS NOT NULL AND g.native_identity IS NOT NULL, false)`
	rows, err := tx.Query(ctx, s.sql(statement), run, natives)
	if err != nil {
		return nil, nil, mapError(err)
	}
	var native string
	var staged bool
	_, err = pgx.ForEachRow(rows, []any{&native, &staged}, func() error {
		if staged {
			changed[native] = true
		} else {
			seen[native] = true
		}
		return nil
	})
	return seen, changed, mapError(err)
}

// DropStaged removes rows from the stage, by their places. They must have been staged with their values.
func (s *Store) DropStaged(ctx context.Context, tx pgx.Tx, run ID, places []int64) error {
	if len(places) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.aggregation_stage WHERE run_id = $1 AND place = ANY ($2)`), run,
		places)
	return mapError(err)
}

// Renaming gives an account another name.
type Renaming struct {
	Account  ID
	Owner    ID // whose account it is; zero for nobody's
	From, To string
}

// RenameAccounts gives accounts of a source, which are locked, other names, also those of each other. Each counts as
// changed, so that [Store.UpdateChanged] brings it up to its row of the stage. On an authoritative source, an identity
// that was made from such an account is found by the account's new name from now on, and nobody else is.
func (s *Store) RenameAccounts(ctx context.Context, tx pgx.Tx, staged *Staged, renamings []Renaming) error {
	if len(renamings) == 0 {
		return nil
	}
	// No two accounts may have a name at any moment: first each takes one that nobody can have, which is its own ID
	// behind a control character.
	const leave = `
		UPDATE muster.accounts a SET native_identity = chr(1) || a.id::text WHERE a.id = ANY ($1)`
	const take = `
		UPDATE muster.accounts a
		SET native_identity = v.native_identity, fingerprint = $3
		FROM unnest($1::uuid[], $2::text[]) v (id, native_identity)
		WHERE a.id = v.id`
	n := len(renamings)
	accounts, names := make([]ID, n), make([]string, n)
	for i := range renamings {
		accounts[i], names[i] = renamings[i].Account, renamings[i].To
	}
	var batch pgx.Batch
	batch.Queue(s.sql(leave), accounts)
	batch.Queue(s.sql(take), accounts, names, staged.Run) // no account has the fingerprint of a run
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return mapError(err)
	}
	return s.renameOrigins(ctx, tx, staged.Source, renamings)
}

// renameOrigins moves the keys by which identities are found that were made from accounts.
func (s *Store) renameOrigins(ctx context.Context, tx pgx.Tx, source ID, renamings []Renaming) error {
	keys := make([]string, 0, 2*len(renamings))
	for _, r := range renamings {
		keys = append(keys, KeyOrigin(source, r.From), KeyOrigin(source, r.To))
	}
	const held = `
		SELECT k.identity_id, k.key
		FROM ` + eachKey + `k
		ORDER BY k.key, k.identity_id`
	found, err := collect(ctx, tx, s.sql(held), pgx.RowToStructByPos[IdentityKey], keys)
	if err != nil || len(found) == 0 {
		return err
	}
	holds := map[IdentityKey]bool{}
	for _, key := range found {
		holds[key] = true
	}
	takes, leaves := map[string]bool{}, map[IdentityKey]bool{}
	var added []IdentityKey
	for _, r := range renamings {
		from := IdentityKey{r.Owner, KeyOrigin(source, r.From)}
		takes[KeyOrigin(source, r.To)], leaves[from] = true, true
		if holds[from] {
			added = append(added, IdentityKey{r.Owner, KeyOrigin(source, r.To)})
		}
	}
	var removed []IdentityKey
	for _, key := range found {
		if takes[key.Key] || leaves[key] {
			removed = append(removed, key)
		}
	}
	return s.ChangeIdentityKeys(ctx, tx, removed, added)
}
