package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// The rows of account_entitlements are the entitlements that accounts hold: the values of those attributes that the
// schema of their source marks. Values are compared as the entitlements are: byte by byte. A value of more than
// [KeyLengthMax] bytes is no entitlement.
//
// Whoever writes the attributes of an account keeps its rows true in the same transaction, while the account is locked
// or new, after the entitlements. A change of what a schema marks writes the rows of all accounts of the source, while
// it has the configuration for itself.

// Mark is an attribute of a source whose values are entitlements.
type Mark struct {
	SourceID  ID
	Attribute string
}

// markColumns returns the parameters for marks.
func markColumns(marks []Mark) ([]ID, []string) {
	sources, attributes := make([]ID, len(marks)), make([]string, len(marks))
	for i, m := range marks {
		sources[i], attributes[i] = m.SourceID, m.Attribute
	}
	return sources, attributes
}

const (
	// markedValues are the values v of the attribute n of an account a. Null stands for one that is missing.
	markedValues = `LATERAL jsonb_array_elements_text(
		        CASE jsonb_typeof(a.attributes -> n.attribute)
		        WHEN 'array' THEN a.attributes -> n.attribute
		        ELSE jsonb_build_array(a.attributes -> n.attribute) END) v (value)`
	// theirEntitlements joins the values w of accounts with the entitlements that they are, of the sources $1. It is a
	// full join for the reason that merge.go gives: either side may be far larger than the planner believes.
	theirEntitlements = `
		FULL JOIN (SELECT id, source_id, attribute, value FROM muster.entitlements WHERE source_id = ANY ($1)) e
		       ON e.source_id = w.source_id AND e.attribute = w.attribute AND e.value = w.value
		WHERE coalesce(w.account_id IS NOT NULL AND e.id IS NOT NULL, false)`
)

// AddNewAccountEntitlements adds the rows of the accounts that [Store.InsertNew] added from the stage. Of a source that
// marks no attribute there are none.
func (s *Store) AddNewAccountEntitlements(ctx context.Context, tx pgx.Tx, staged *Staged, attributes []string) error {
	if len(attributes) == 0 {
		return nil
	}
	const statement = `
		INSERT INTO muster.account_entitlements (account_id, entitlement_id)
		SELECT w.account_id, e.id
		FROM (SELECT a.account_id, ($1::uuid[])[1] AS source_id, n.attribute, v.value
		      FROM muster.aggregation_stage a
		      CROSS JOIN unnest($2::text[]) n (attribute)
		      CROSS JOIN ` + markedValues + `
		      WHERE a.run_id = $3 AND (SELECT x.id FROM muster.accounts x WHERE x.id = a.account_id) IS NOT NULL
		     ) w` + theirEntitlements + `
		ON CONFLICT (account_id, entitlement_id) DO NOTHING`
	_, err := tx.Exec(ctx, s.sql(statement), []ID{staged.Source}, attributes, staged.Run)
	return mapError(err)
}

// accountsAtOnce is how many accounts [Store.WriteAccountEntitlements] compares at once.
const accountsAtOnce = 10_000

// WriteAccountEntitlements brings the rows of accounts up to what the accounts say. The transaction must have locked
// these, and must have added the entitlements. marks are all those of their sources.
func (s *Store) WriteAccountEntitlements(ctx context.Context, tx pgx.Tx, accounts []ID, marks []Mark) error {
	for len(accounts) > 0 {
		n := min(len(accounts), accountsAtOnce)
		if err := s.writeAccountEntitlements(ctx, tx, accounts[:n], marks); err != nil {
			return err
		}
		accounts = accounts[n:]
	}
	return nil
}

func (s *Store) writeAccountEntitlements(ctx context.Context, tx pgx.Tx, accounts []ID, marks []Mark) error {
	const differing = `
		WITH wanted AS MATERIALIZED (
		    SELECT DISTINCT w.account_id, e.id AS entitlement_id
		    FROM (SELECT a.id AS account_id, a.source_id, n.attribute, v.value
		          FROM unnest($3::uuid[]) u (id)
		          CROSS JOIN LATERAL (SELECT id, source_id, attributes FROM muster.accounts WHERE id = u.id OFFSET 0) a
		          JOIN unnest($1::uuid[], $2::text[]) n (source_id, attribute) ON n.source_id = a.source_id
		          CROSS JOIN ` + markedValues + `) w` + theirEntitlements + `
		), held AS MATERIALIZED (
		    SELECT k.account_id, k.entitlement_id
		    FROM unnest($3::uuid[]) u (id)
		    CROSS JOIN LATERAL (SELECT account_id, entitlement_id FROM muster.account_entitlements
		                        WHERE account_id = u.id OFFSET 0) k
		)
		SELECT coalesce(w.account_id, h.account_id), coalesce(w.entitlement_id, h.entitlement_id), h.account_id IS NULL
		FROM wanted w
		FULL JOIN held h ON h.account_id = w.account_id AND h.entitlement_id = w.entitlement_id
		WHERE w.account_id IS NULL OR h.account_id IS NULL`
	sources, attributes := markColumns(marks)
	rows, err := tx.Query(ctx, s.sql(differing), sources, attributes, accounts)
	if err != nil {
		return mapError(err)
	}
	var stale, missing heldPairs
	var account, entitlement ID
	var lacks bool
	_, err = pgx.ForEachRow(rows, []any{&account, &entitlement, &lacks}, func() error {
		if lacks {
			missing.add(account, entitlement)
		} else {
			stale.add(account, entitlement)
		}
		return nil
	})
	if err != nil {
		return mapError(err)
	}
	// Each row is found by its key and then by where it is, whatever the statistics say.
	const remove = `
		DELETE FROM muster.account_entitlements
		WHERE ctid = ANY (ARRAY (
		    SELECT k.ctid
		    FROM unnest($1::uuid[], $2::uuid[]) v (account_id, entitlement_id),
		         LATERAL (SELECT ctid FROM muster.account_entitlements
		                  WHERE account_id = v.account_id AND entitlement_id = v.entitlement_id OFFSET 0) k))`
	const add = `
		INSERT INTO muster.account_entitlements (account_id, entitlement_id)
		SELECT account_id, entitlement_id FROM unnest($1::uuid[], $2::uuid[]) v (account_id, entitlement_id)
		ON CONFLICT (account_id, entitlement_id) DO NOTHING`
	var batch pgx.Batch
	if len(stale.accounts) > 0 {
		batch.Queue(s.sql(remove), stale.accounts, stale.entitlements)
	}
	if len(missing.accounts) > 0 {
		batch.Queue(s.sql(add), missing.accounts, missing.entitlements)
	}
	if batch.Len() == 0 {
		return nil
	}
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// heldPairs are keys of account_entitlements, as parallel lists.
type heldPairs struct{ accounts, entitlements []ID }

func (p *heldPairs) add(account, entitlement ID) {
	p.accounts, p.entitlements = append(p.accounts, account), append(p.entitlements, entitlement)
}

// writeProvisionedEntitlements adds the entitlements of an account that an operation left, and brings its rows up to
// them. An operation may give a value that the source has not told yet.
func (s *Store) writeProvisionedEntitlements(ctx context.Context, tx pgx.Tx, a *ProvisionedAccount,
	now time.Time,
) error {
	if len(a.Marks) == 0 {
		return nil
	}
	ids := []ID{}
	if len(a.Entitlements) > 0 {
		if _, err := s.AddEntitlements(ctx, tx, a.SourceID, a.Entitlements, now); err != nil {
			return err
		}
		const statement = `
			SELECT id, attribute, value
			FROM muster.entitlements
			WHERE source_id = $1 AND attribute = ANY ($2) AND value = ANY ($3)`
		type found struct {
			ID ID
			EntitlementValue
		}
		_, attributes := markColumns(a.Marks)
		values := make([]string, len(a.Entitlements))
		for i := range values {
			values[i] = a.Entitlements[i].Value
		}
		rows, err := collect(ctx, tx, s.sql(statement), pgx.RowToStructByName[found], a.SourceID, attributes, values)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if slices.Contains(a.Entitlements, row.EntitlementValue) {
				ids = append(ids, row.ID)
			}
		}
	}
	const (
		remove = `DELETE FROM muster.account_entitlements WHERE account_id = $1 AND entitlement_id <> ALL ($2)`
		add    = `
			INSERT INTO muster.account_entitlements (account_id, entitlement_id)
			SELECT $1::uuid, id FROM unnest($2::uuid[]) e (id)
			ON CONFLICT (account_id, entitlement_id) DO NOTHING`
	)
	var batch pgx.Batch
	batch.Queue(s.sql(remove), a.ID, ids)
	batch.Queue(s.sql(add), a.ID, ids)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// MarkAttributes adds the entitlements that are the values of attributes of a source, and the rows of the accounts that
// have them. The attributes were not marked before. The configuration must be locked FOR UPDATE. It returns those of
// the attributes that have a value of more than [KeyLengthMax] bytes in some account, by name.
func (s *Store) MarkAttributes(ctx context.Context, tx pgx.Tx, source ID, attributes []string, now time.Time) (
	[]string, error,
) {
	if len(attributes) == 0 {
		return nil, nil
	}
	const values = `
		SELECT DISTINCT n.attribute, CASE WHEN octet_length(v.value) <= $3::integer THEN v.value END AS value
		FROM (SELECT attributes FROM muster.accounts WHERE source_id = $1) a
		CROSS JOIN unnest($2::text[]) n (attribute)
		CROSS JOIN ` + markedValues + `
		WHERE v.value IS NOT NULL
		ORDER BY 1, 2`
	type found struct {
		Attribute string
		Value     *string
	}
	rows, err := collect(ctx, tx, s.sql(values), pgx.RowToStructByPos[found], source, attributes, KeyLengthMax)
	if err != nil {
		return nil, err
	}
	var known []EntitlementValue
	var overlong []string
	for _, r := range rows {
		if r.Value == nil {
			overlong = append(overlong, r.Attribute)
		} else {
			known = append(known, EntitlementValue{r.Attribute, *r.Value})
		}
	}
	if len(known) == 0 {
		return overlong, nil
	}
	if _, err := s.AddEntitlements(ctx, tx, source, known, now); err != nil {
		return nil, err
	}
	const statement = `
		INSERT INTO muster.account_entitlements (account_id, entitlement_id)
		SELECT w.account_id, e.id
		FROM (SELECT a.id AS account_id, a.source_id, n.attribute, v.value
		      FROM muster.accounts a
		      CROSS JOIN unnest($2::text[]) n (attribute)
		      CROSS JOIN ` + markedValues + `
		      WHERE a.source_id = ANY ($1)) w` + theirEntitlements + `
		ON CONFLICT (account_id, entitlement_id) DO NOTHING`
	_, err = tx.Exec(ctx, s.sql(statement), []ID{source}, attributes)
	return overlong, mapError(err)
}

// UnmarkAttributes removes the rows of the accounts of a source whose entitlements are values of attributes that are no
// longer marked. The entitlements stay. The configuration must be locked FOR UPDATE.
func (s *Store) UnmarkAttributes(ctx context.Context, tx pgx.Tx, source ID, attributes []string) error {
	if len(attributes) == 0 {
		return nil
	}
	const statement = `
		DELETE FROM muster.account_entitlements
		WHERE entitlement_id = ANY (ARRAY (SELECT id FROM muster.entitlements
		                                   WHERE source_id = $1 AND attribute = ANY ($2)))`
	_, err := tx.Exec(ctx, s.sql(statement), source, attributes)
	return mapError(err)
}

// untrueEntitlements finds the accounts whose rows are not their entitlements; the attributes n are marked. A row may
// name an account or an entitlement that is not there.
const untrueEntitlements = `
		SELECT DISTINCT coalesce(w.account_id, k.account_id)
		FROM (SELECT a.id AS account_id, e.id AS entitlement_id
		      FROM muster.accounts a
		      JOIN unnest($1::uuid[], $2::text[]) n (source_id, attribute) ON n.source_id = a.source_id
		      CROSS JOIN ` + markedValues + `
		      LEFT JOIN muster.entitlements e
		             ON e.source_id = a.source_id AND e.attribute = n.attribute AND e.value = v.value
		      WHERE octet_length(v.value) <= $3::integer) w
		FULL JOIN muster.account_entitlements k
		       ON k.account_id = w.account_id AND k.entitlement_id = w.entitlement_id
		WHERE w.account_id IS NULL OR k.account_id IS NULL`

// UntrueEntitlements returns the accounts whose rows of account_entitlements are not what they should be, and those of
// rows without an account. marks are those of all sources.
func (s *Store) UntrueEntitlements(ctx context.Context, q Querier, marks []Mark) ([]ID, error) {
	sources, attributes := markColumns(marks)
	return collect(ctx, q, s.sql(untrueEntitlements+` ORDER BY 1`), pgx.RowTo[ID], sources, attributes, KeyLengthMax)
}

// MendAccountEntitlements adds the entitlements that are missing for values of accounts, brings the rows of
// account_entitlements up to the accounts, and returns for how many accounts they were not what they should be. It
// locks these accounts, by ID and FOR UPDATE, until the transaction ends. The configuration must be locked.
func (s *Store) MendAccountEntitlements(ctx context.Context, tx pgx.Tx, marks []Mark, now time.Time) (int, error) {
	accounts, err := s.UntrueEntitlements(ctx, tx, marks)
	if err != nil || len(accounts) == 0 {
		return 0, err
	}
	if err := s.lockAccounts(ctx, tx, accounts); err != nil {
		return 0, err
	}
	const values = `
		SELECT DISTINCT a.source_id, n.attribute, v.value
		FROM (SELECT id, source_id, attributes FROM muster.accounts WHERE id = ANY ($1)) a
		JOIN unnest($2::uuid[], $3::text[]) n (source_id, attribute) ON n.source_id = a.source_id
		CROSS JOIN ` + markedValues + `
		WHERE octet_length(v.value) <= $4::integer
		  AND NOT EXISTS (SELECT 1 FROM muster.entitlements e
		                  WHERE e.source_id = a.source_id AND e.attribute = n.attribute AND e.value = v.value)
		ORDER BY 1, 2, 3`
	type unknown struct {
		Source           ID
		Attribute, Value string
	}
	sources, attributes := markColumns(marks)
	rows, err := collect(ctx, tx, s.sql(values), pgx.RowToStructByPos[unknown], accounts, sources, attributes,
		KeyLengthMax)
	if err != nil {
		return 0, err
	}
	for len(rows) > 0 {
		source := rows[0].Source
		var list []EntitlementValue
		for len(rows) > 0 && rows[0].Source == source {
			list, rows = append(list, EntitlementValue{rows[0].Attribute, rows[0].Value}), rows[1:]
		}
		if _, err := s.AddEntitlements(ctx, tx, source, list, now); err != nil {
			return 0, err
		}
	}
	return len(accounts), s.WriteAccountEntitlements(ctx, tx, accounts, marks)
}

// CountAccountEntitlements returns how many rows of account_entitlements accounts have.
func (s *Store) CountAccountEntitlements(ctx context.Context, q Querier, accounts []ID) (int64, error) {
	var count int64
	const statement = `SELECT count(*) FROM muster.account_entitlements WHERE account_id = ANY ($1)`
	err := q.QueryRow(ctx, s.sql(statement), accounts).Scan(&count)
	return count, mapError(err)
}
