package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Account is an account on a source. A zero IdentityID means that it is uncorrelated.
type Account struct {
	ID                 ID
	SourceID           ID
	NativeIdentity     string
	Name               string
	StableIdentity     string // "" where the source has none
	IdentityID         ID
	ManuallyCorrelated bool
	Attributes         []byte // a JSON object
	Created            time.Time
	Modified           time.Time
}

const accountColumns = `
	a.id, a.source_id, a.native_identity, a.name, coalesce(a.stable_identity, '') AS stable_identity, a.identity_id,
	    a.manually_correlated, a.attributes, a.created,
	    a.modified`

// AccountsOf returns the accounts of identities, by identity, then by ID.
func (s *Store) AccountsOf(ctx context.Context, q Querier, identities []ID) ([]Account, error) {
	const statement = `
		SELECT ` + accountColumns + `
		FROM muster.accounts a
		WHERE a.identity_id = ANY ($1)
		ORDER BY a.identity_id, a.id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[Account], identities)
}

// AccountCounts says how many accounts a source has.
type AccountCounts struct {
	Source       string
	Accounts     int
	Uncorrelated int
}

// CountAccounts counts the accounts of every source, by the source's name.
func (s *Store) CountAccounts(ctx context.Context, q Querier) ([]AccountCounts, error) {
	const statement = `
		SELECT s.name, count(a.id), count(a.id) FILTER (WHERE a.identity_id IS NULL)
		FROM muster.sources s
		LEFT JOIN muster.accounts a ON a.source_id = s.id
		GROUP BY s.id
		ORDER BY s.name_key`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[AccountCounts])
}

// ProvisionedAccount is an account as an operation left it.
type ProvisionedAccount struct {
	ID              ID
	SourceID        ID
	IdentityID      ID
	NativeIdentity  string
	Name            string
	StableIdentity  string // "" where it is not known
	Attributes      []byte
	Fingerprint     ID
	CorrelationKeys []string
	Created         bool               // the operation created it on its source
	Entitlements    []EntitlementValue // the values of marked attributes, sorted
	Marks           []Mark             // those of the source
}

// LockAccount locks an account FOR UPDATE until the transaction ends and returns it, or [ErrNotFound].
func (s *Store) LockAccount(ctx context.Context, tx pgx.Tx, id ID) (Account, error) {
	return s.account(ctx, tx, `a.id = $1 FOR UPDATE`, id)
}

// LockAccountNamed is [Store.LockAccount] by the source and the native identity.
func (s *Store) LockAccountNamed(ctx context.Context, tx pgx.Tx, source ID, native string) (Account, error) {
	return s.account(ctx, tx, `a.source_id = $1 AND a.native_identity = $2 FOR UPDATE`, source, native)
}

// FindAccount returns an account, or [ErrNotFound].
func (s *Store) FindAccount(ctx context.Context, q Querier, id ID) (Account, error) {
	return s.account(ctx, q, `a.id = $1`, id)
}

// FindAccountNamed is [Store.FindAccount] by the source and the native identity.
func (s *Store) FindAccountNamed(ctx context.Context, q Querier, source ID, native string) (Account, error) {
	return s.account(ctx, q, `a.source_id = $1 AND a.native_identity = $2`, source, native)
}

// FindAccountStable is [Store.FindAccount] by the source and the stable identity. Of several it returns one.
func (s *Store) FindAccountStable(ctx context.Context, q Querier, source ID, stable string) (Account, error) {
	return s.account(ctx, q, `a.source_id = $1 AND a.stable_identity = $2 LIMIT 1`, source, stable)
}

// GiveAccount makes an account an identity's for good, whatever correlation finds: the one for which it was created, or
// that somebody gives it to. The caller has locked the account, unless the identity has it by its keys.
func (s *Store) GiveAccount(ctx context.Context, tx pgx.Tx, account, identity ID, now time.Time) error {
	const statement = `
		UPDATE muster.accounts SET identity_id = $2, manually_correlated = true, modified = $3 WHERE id = $1`
	if _, err := tx.Exec(ctx, s.sql(statement), account, identity, now); err != nil {
		return mapError(err)
	}
	return s.writeKeys(ctx, tx, []ID{account})
}

// ReleaseAccount takes an account, which the caller has locked, from its identity, and leaves it to correlation. It
// takes the correlation lock alone. Where the keys of the account find one identity, it gives it the account, requests
// its processing and returns it.
func (s *Store) ReleaseAccount(ctx context.Context, tx pgx.Tx, account ID, cause Cause) (owner ID, err error) {
	const (
		release = `
			UPDATE muster.accounts SET identity_id = NULL, manually_correlated = false, modified = $2
			WHERE id = $1
			RETURNING correlation_keys`
		after = `SELECT identity_id FROM muster.accounts WHERE id = $1`
	)
	var keys []string
	if err := tx.QueryRow(ctx, s.sql(release), account, cause.At).Scan(&keys); err != nil {
		return owner, mapError(err)
	}
	if err := s.writeKeys(ctx, tx, []ID{account}); err != nil {
		return owner, err
	}
	if err := s.LockCorrelation(ctx, tx); err != nil {
		return owner, err
	}
	if _, err := s.CorrelateKeys(ctx, tx, keys, cause); err != nil {
		return owner, err
	}
	return owner, mapError(tx.QueryRow(ctx, s.sql(after), account).Scan(&owner))
}

// FittingAccount returns how many identities an uncorrelated account of a source fits that has one of the keys of an
// identity, 0 where there is none; of several accounts the largest number counts.
func (s *Store) FittingAccount(ctx context.Context, q Querier, source ID, keys []string) (matches int, err error) {
	const statement = `
		SELECT coalesce(max(f.matches), 0)
		FROM (SELECT a.id, count(DISTINCT ik.identity_id) AS matches
		      FROM muster.account_keys k
		      JOIN muster.accounts a ON a.id = k.account_id
		      JOIN muster.identity_keys ik ON ik.key = ANY (a.correlation_keys)
		      WHERE k.key = ANY ($2::text[]) AND a.source_id = $1
		      GROUP BY a.id) f`
	err = q.QueryRow(ctx, s.sql(statement), source, nonNil(keys)).Scan(&matches)
	return matches, mapError(err)
}

// FindingAccount is a key by which an uncorrelated account of a source finds one identity.
type FindingAccount struct {
	Key      string
	SourceID ID
}

// FindingAccounts returns by which of the keys uncorrelated accounts find one identity, and no other by any key.
func (s *Store) FindingAccounts(ctx context.Context, q Querier, keys []string) ([]FindingAccount, error) {
	const statement = `
		SELECT k.key, a.source_id
		FROM muster.account_keys k
		JOIN muster.accounts a ON a.id = k.account_id
		JOIN muster.identity_keys ik ON ik.key = ANY (a.correlation_keys)
		WHERE k.key = ANY ($1::text[])
		GROUP BY k.key, a.id
		HAVING count(DISTINCT ik.identity_id) = 1`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[FindingAccount], keys)
}

func (s *Store) account(ctx context.Context, q Querier, condition string, arguments ...any) (Account, error) {
	found, err := collect(ctx, q, s.sql(`SELECT `+accountColumns+` FROM muster.accounts a WHERE `+condition),
		pgx.RowToStructByName[Account], arguments...)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Account{}, err
	}
	return found[0], nil
}

// UpdateAccount writes an account as an operation left it.
func (s *Store) UpdateAccount(ctx context.Context, tx pgx.Tx, a *ProvisionedAccount, now time.Time) error {
	const statement = `
		UPDATE muster.accounts
		SET native_identity = $2, name = $3, attributes = $4, fingerprint = $5, correlation_keys = $6, modified = $7,
		    identity_id = coalesce($8::uuid, identity_id), stable_identity = $9, provisioned = provisioned OR $10
		WHERE id = $1`
	var batch pgx.Batch
	batch.Queue(s.sql(statement), a.ID, a.NativeIdentity, a.Name, a.Attributes, a.Fingerprint,
		nonNil(a.CorrelationKeys), now, a.IdentityID, NullText(a.StableIdentity), a.Created)
	s.queueKeys(&batch, []ID{a.ID})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return mapError(err)
	}
	return s.writeProvisionedEntitlements(ctx, tx, a, now)
}

// AddProvisionedAccount writes an account that was created on its source. It belongs to the identity that it was
// created for, whatever a correlation would find, and to nobody where that is zero. An account of this name that
// vanished before is not remembered any more.
func (s *Store) AddProvisionedAccount(ctx context.Context, tx pgx.Tx, a *ProvisionedAccount, now time.Time) error {
	const statement = `
		INSERT INTO muster.accounts
		       (id, source_id, native_identity, name, identity_id, manually_correlated, correlation_keys, attributes,
		       fingerprint, created, modified, stable_identity, provisioned)
		VALUES ($1, $2, $3, $4, $5, $5::uuid IS NOT NULL, $6, $7, $8, $9, $9, $10, $11)`
	var batch pgx.Batch
	batch.Queue(s.sql(statement), a.ID, a.SourceID, a.NativeIdentity, a.Name, a.IdentityID,
		nonNil(a.CorrelationKeys), a.Attributes, a.Fingerprint, now, NullText(a.StableIdentity), a.Created)
	batch.Queue(s.sql(forgetNamed), a.SourceID, a.NativeIdentity)
	s.queueKeys(&batch, []ID{a.ID})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return mapError(err)
	}
	return s.writeProvisionedEntitlements(ctx, tx, a, now)
}

// DeleteAccount removes an account that an operation removed from its source. What somebody was given on it has ended
// with it.
func (s *Store) DeleteAccount(ctx context.Context, tx pgx.Tx, id ID) error {
	var batch pgx.Batch
	batch.Queue(s.sql(`DELETE FROM muster.carried_access WHERE account_id = $1`), id)
	batch.Queue(s.sql(`DELETE FROM muster.accounts WHERE id = $1`), id)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// NamesInUse returns the values of an attribute of the accounts of a source, and those that open operations write
// there.
// native adds the native identities of the accounts. It reads all accounts of the source.
func (s *Store) NamesInUse(ctx context.Context, q Querier, source ID, attribute string, native bool) ([]string, error) {
	const statement = `
		SELECT v.value
		FROM (SELECT attributes -> $2 AS given FROM muster.accounts WHERE source_id = $1 AND attributes ? $2
		      UNION ALL
		      SELECT attributes -> $2 FROM muster.provisioning_operations
		      WHERE source_id = $1 AND state IN ('OPEN', 'MANUAL', 'PARKED') AND attributes ? $2) a,
		     LATERAL jsonb_array_elements_text(
		         CASE jsonb_typeof(a.given) WHEN 'array' THEN a.given ELSE jsonb_build_array(a.given) END) v (value)
		WHERE v.value IS NOT NULL
		UNION ALL
		SELECT native_identity FROM muster.accounts WHERE source_id = $1 AND $3`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[string], source, attribute, native)
}
