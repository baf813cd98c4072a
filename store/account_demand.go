package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// AccountDemand is what somebody asked for of an account. At most one that enables or disables stands for an account,
// and one that unlocks.
type AccountDemand struct {
	AccountID  ID
	Kind       string // ENABLE, DISABLE or UNLOCK, as operations have them
	IdentityID ID     // whose the account was
	// LifecycleState is the technical name of that of the identity; "" for none. An account is as it was asked for
	// until the identity comes into another state that has an action on the source.
	LifecycleState string
	Forced         bool // the source is written to also where the account looks right
	Asked          time.Time
	Met            *time.Time // since when the account is as it was asked for; nil until then
}

// DemandsOf returns the demands on accounts, by account and kind. Where there are no demands at all, it looks up none.
func (s *Store) DemandsOf(ctx context.Context, q Querier, accounts []ID) ([]AccountDemand, error) {
	const statement = `
		SELECT d.account_id, d.kind, d.identity_id, d.lifecycle_state, d.forced, d.asked, d.met
		FROM muster.account_demands d
		WHERE (SELECT true FROM muster.account_demands LIMIT 1) AND d.account_id = ANY ($1)
		ORDER BY d.account_id, d.kind`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[AccountDemand], accounts)
}

// HasDemands reports whether there is a demand on any account.
func (s *Store) HasDemands(ctx context.Context, q Querier) (bool, error) {
	var some bool
	err := q.QueryRow(ctx, s.sql(`SELECT EXISTS (SELECT 1 FROM muster.account_demands)`)).Scan(&some)
	return some, mapError(err)
}

// PutDemand writes a demand in the place of the one that it contradicts or repeats. The caller has locked the account.
func (s *Store) PutDemand(ctx context.Context, tx pgx.Tx, d *AccountDemand) error {
	const (
		forget = `
			DELETE FROM muster.account_demands
			WHERE account_id = $1 AND (kind = $2 OR $2 <> 'UNLOCK' AND kind <> 'UNLOCK')`
		put = `
			INSERT INTO muster.account_demands (account_id, kind, identity_id, lifecycle_state, forced, asked)
			VALUES ($1, $2, $3, $4, $5, $6)`
	)
	var batch pgx.Batch
	batch.Queue(s.sql(forget), d.AccountID, d.Kind)
	batch.Queue(s.sql(put), d.AccountID, d.Kind, d.IdentityID, d.LifecycleState, d.Forced, d.Asked)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// SettleDemands records that accounts are as demands ask for, and the lifecycle states under which the demands hold. It
// removes those that ended. A demand that was repeated or replaced since it was read stays as it is.
func (s *Store) SettleDemands(ctx context.Context, tx pgx.Tx, held, ended []AccountDemand) error {
	const (
		hold = `
			UPDATE muster.account_demands d
			SET met = coalesce(d.met, v.met), lifecycle_state = v.lifecycle_state
			FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[])
			     v (account_id, kind, asked, met, lifecycle_state)
			WHERE d.account_id = v.account_id AND d.kind = v.kind AND d.asked = v.asked`
		end = `
			DELETE FROM muster.account_demands d
			USING unnest($1::uuid[], $2::text[], $3::timestamptz[]) v (account_id, kind, asked)
			WHERE d.account_id = v.account_id AND d.kind = v.kind AND d.asked = v.asked`
	)
	if len(held) > 0 {
		c := demandLists(held)
		if _, err := tx.Exec(ctx, s.sql(hold), c.accounts, c.kinds, c.asked, c.met, c.states); err != nil {
			return mapError(err)
		}
	}
	if len(ended) == 0 {
		return nil
	}
	c := demandLists(ended)
	_, err := tx.Exec(ctx, s.sql(end), c.accounts, c.kinds, c.asked)
	return mapError(err)
}

type demandColumns struct {
	accounts      []ID
	kinds, states []string
	asked         []time.Time
	met           []*time.Time
}

func demandLists(demands []AccountDemand) demandColumns {
	n := len(demands)
	c := demandColumns{make([]ID, n), make([]string, n), make([]string, n), make([]time.Time, n), make([]*time.Time, n)}
	for i := range demands {
		d := &demands[i]
		c.accounts[i], c.kinds[i], c.states[i], c.asked[i], c.met[i] = d.AccountID, d.Kind, d.LifecycleState, d.Asked,
			d.Met
	}
	return c
}

// MeetDemand records that an operation did what was asked for of an account before the operation was planned. A demand
// to unlock ends with that.
func (s *Store) MeetDemand(ctx context.Context, tx pgx.Tx, o *Operation, now time.Time) error {
	const (
		meet = `
			UPDATE muster.account_demands SET met = $4
			WHERE account_id = $1 AND kind = $2 AND asked <= $3 AND met IS NULL`
		end = `
			DELETE FROM muster.account_demands
			WHERE account_id = $1 AND kind = $2 AND kind = 'UNLOCK' AND met = $3`
	)
	var batch pgx.Batch
	batch.Queue(s.sql(meet), o.AccountID, o.Kind, o.Created, now)
	batch.Queue(s.sql(end), o.AccountID, o.Kind, now)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// CountAccountDemands returns how many rows of account_demands accounts have.
func (s *Store) CountAccountDemands(ctx context.Context, q Querier, accounts []ID) (int64, error) {
	var count int64
	const statement = `SELECT count(*) FROM muster.account_demands WHERE account_id = ANY ($1)`
	err := q.QueryRow(ctx, s.sql(statement), accounts).Scan(&count)
	return count, mapError(err)
}
