package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Token is a one-time token. The token itself is not stored, only its SHA-256.
type Token struct {
	Digest     []byte
	IdentityID ID
	Purpose    string // INVITATION or VERIFICATION
	SourceID   ID     // the source whose password it sets; zero for none
	Created    time.Time
	Expires    time.Time
	Used       *time.Time
	Revoked    *time.Time
}

// AddToken writes a token, and revokes the unused ones of the identity for the same purpose and source.
func (s *Store) AddToken(ctx context.Context, tx pgx.Tx, t *Token) error {
	const revoke = `
		UPDATE muster.one_time_tokens SET revoked = $3
		WHERE identity_id = $1 AND purpose = $2 AND used IS NULL AND revoked IS NULL
		  AND source_id IS NOT DISTINCT FROM $4::uuid`
	if _, err := tx.Exec(ctx, s.sql(revoke), t.IdentityID, t.Purpose, t.Created, t.SourceID); err != nil {
		return mapError(err)
	}
	const add = `
		INSERT INTO muster.one_time_tokens (digest, identity_id, purpose, source_id, created, expires)
		VALUES ($1, $2, $3, $4, $5, $6)`
	_, err := tx.Exec(ctx, s.sql(add), t.Digest, t.IdentityID, t.Purpose, t.SourceID, t.Created, t.Expires)
	return mapError(err)
}

const tokenSQL = `
	SELECT digest, identity_id, purpose, source_id, created, expires, used, revoked
	FROM muster.one_time_tokens
	WHERE digest = $1`

// FindToken returns a token by its digest, or [ErrNotFound].
func (s *Store) FindToken(ctx context.Context, q Querier, digest []byte) (Token, error) {
	return s.token(ctx, q, tokenSQL, digest)
}

// LockToken locks a token FOR UPDATE until the transaction ends and returns it, or [ErrNotFound].
func (s *Store) LockToken(ctx context.Context, tx pgx.Tx, digest []byte) (Token, error) {
	return s.token(ctx, tx, tokenSQL+` FOR UPDATE`, digest)
}

func (s *Store) token(ctx context.Context, q Querier, statement string, digest []byte) (Token, error) {
	found, err := collect(ctx, q, s.sql(statement), pgx.RowToStructByName[Token], digest)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Token{}, err
	}
	return found[0], nil
}

// UseToken records that a token was used.
func (s *Store) UseToken(ctx context.Context, tx pgx.Tx, digest []byte, used time.Time) error {
	tag, err := tx.Exec(ctx, s.sql(`UPDATE muster.one_time_tokens SET used = $2 WHERE digest = $1`), digest, used)
	return oneRow(tag, err)
}

// ReturnToken makes a used token good again, unless it was revoked, or replaced by a newer one, meanwhile.
func (s *Store) ReturnToken(ctx context.Context, tx pgx.Tx, digest []byte) error {
	const statement = `
		UPDATE muster.one_time_tokens t SET used = NULL
		WHERE t.digest = $1 AND t.revoked IS NULL
		  AND NOT EXISTS (SELECT 1 FROM muster.one_time_tokens n
		                  WHERE n.identity_id = t.identity_id AND n.purpose = t.purpose AND n.digest <> t.digest
		                    AND n.source_id IS NOT DISTINCT FROM t.source_id AND n.created >= t.created)`
	_, err := tx.Exec(ctx, s.sql(statement), digest)
	return mapError(err)
}

// RevokeTokens revokes the tokens of an identity, also those that are being used.
func (s *Store) RevokeTokens(ctx context.Context, tx pgx.Tx, identity ID, now time.Time) error {
	const statement = `UPDATE muster.one_time_tokens SET revoked = $2 WHERE identity_id = $1 AND revoked IS NULL`
	_, err := tx.Exec(ctx, s.sql(statement), identity, now)
	return mapError(err)
}

// DeleteTokens removes the tokens that expired before a time.
func (s *Store) DeleteTokens(ctx context.Context, q Querier, before time.Time) error {
	_, err := q.Exec(ctx, s.sql(`DELETE FROM muster.one_time_tokens WHERE expires < $1`), before)
	return mapError(err)
}

// SetCloudStatus sets the registration status of an identity, if it has another one that is in from; an empty from
// allows any. It reports whether it set it.
func (s *Store) SetCloudStatus(ctx context.Context, tx pgx.Tx, id ID, status string, from []string,
	now time.Time,
) (bool, error) {
	const statement = `
		UPDATE muster.identities SET cloud_status = $2, modified = $3
		WHERE id = $1 AND cloud_status <> $2 AND ($4::text[] = '{}' OR cloud_status = ANY ($4))`
	tag, err := tx.Exec(ctx, s.sql(statement), id, status, now, nonNil(from))
	return tag.RowsAffected() > 0, mapError(err)
}

// DisableIdentity gives an identity the status DISABLED, and returns the one that it had, which it gets again by
// [Store.EnableIdentity]. It returns [ErrNotFound] where it is disabled already. The caller has locked it.
func (s *Store) DisableIdentity(ctx context.Context, tx pgx.Tx, id ID, now time.Time) (before string, err error) {
	const statement = `
		UPDATE muster.identities SET enabled_status = cloud_status, cloud_status = 'DISABLED', modified = $2
		WHERE id = $1 AND cloud_status <> 'DISABLED'
		RETURNING enabled_status`
	err = tx.QueryRow(ctx, s.sql(statement), id, now).Scan(&before)
	return before, mapError(err)
}

// EnableIdentity gives an identity whose status is DISABLED the one that it had before, and returns that. It returns
// [ErrNotFound] for any other identity.
func (s *Store) EnableIdentity(ctx context.Context, tx pgx.Tx, id ID, now time.Time) (after string, err error) {
	const statement = `
		UPDATE muster.identities
		SET cloud_status = coalesce(enabled_status, 'UNREGISTERED'), enabled_status = NULL, modified = $2
		WHERE id = $1 AND cloud_status = 'DISABLED'
		RETURNING cloud_status`
	err = tx.QueryRow(ctx, s.sql(statement), id, now).Scan(&after)
	return after, mapError(err)
}

// MarkInvited makes an UNREGISTERED identity PENDING if it has an invitation that can be redeemed. If the invitation
// was revoked while it was sent, the identity stays UNREGISTERED. It reports whether it is PENDING now and was not.
func (s *Store) MarkInvited(ctx context.Context, tx pgx.Tx, id ID, now time.Time) (bool, error) {
	const statement = `
		UPDATE muster.identities i SET cloud_status = 'PENDING', modified = $2
		WHERE i.id = $1 AND i.cloud_status = 'UNREGISTERED'
		  AND EXISTS (SELECT 1 FROM muster.one_time_tokens t
		              WHERE t.identity_id = i.id AND t.purpose = 'INVITATION' AND t.used IS NULL AND t.revoked IS NULL)`
	tag, err := tx.Exec(ctx, s.sql(statement), id, now)
	return tag.RowsAffected() > 0, mapError(err)
}

// SetUserLevels replaces the user levels of an identity. It returns [ErrNotFound] when there is no such identity.
func (s *Store) SetUserLevels(ctx context.Context, tx pgx.Tx, id ID, levels []string, now time.Time) error {
	const statement = `UPDATE muster.identities SET user_levels = $2, modified = $3 WHERE id = $1`
	tag, err := tx.Exec(ctx, s.sql(statement), id, nonNil(levels), now)
	return oneRow(tag, err)
}

// UserLevels returns the user levels of an identity, or [ErrNotFound].
func (s *Store) UserLevels(ctx context.Context, q Querier, id ID) ([]string, error) {
	var levels []string
	err := q.QueryRow(ctx, s.sql(`SELECT user_levels FROM muster.identities WHERE id = $1`), id).Scan(&levels)
	return levels, mapError(err)
}

// UninvitedIdentities returns correlated identities that are not registered and have no invitation that waits to be
// sent, at most limit. First come those that never had an invitation, by ID, then those whose last one is the longest
// ago, so that an identity that cannot be reached keeps no other from being invited.
func (s *Store) UninvitedIdentities(ctx context.Context, q Querier, limit int) ([]ID, error) {
	const statement = `
		SELECT i.id
		FROM muster.identities i
		LEFT JOIN LATERAL (
		    SELECT max(n.created) AS last, bool_or(n.state = 'PENDING') AS waits
		    FROM muster.notifications n
		    WHERE n.identity_id = i.id AND n.purpose = 'INVITATION'
		) n ON true
		WHERE i.cloud_status = 'UNREGISTERED' AND i.correlated AND n.waits IS NOT TRUE
		ORDER BY n.last NULLS FIRST, i.id
		LIMIT $1`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID], limit)
}

// The states of a notification.
const (
	NotificationPending = "PENDING"
	NotificationSent    = "SENT"
	NotificationFailed  = "FAILED"
)

// Notification is a message to an identity.
type Notification struct {
	ID         ID
	TaskID     ID
	IdentityID ID
	Purpose    string
	Via        string
	SourceID   ID
	Attempts   int
}

// AddNotifications writes messages to send.
func (s *Store) AddNotifications(ctx context.Context, tx pgx.Tx, list []Notification, now time.Time) error {
	const statement = `
		INSERT INTO muster.notifications (id, task_id, identity_id, purpose, via, source_id, state, created)
		SELECT v.id, v.task_id, v.identity_id, v.purpose, v.via, v.source_id, 'PENDING', $7
		FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[])
		     v (id, task_id, identity_id, purpose, via, source_id)`
	n := len(list)
	ids, tasks, identities, sources := make([]ID, n), make([]ID, n), make([]ID, n), make([]ID, n)
	purposes, vias := make([]string, n), make([]string, n)
	for i, m := range list {
		ids[i], tasks[i], identities[i], sources[i] = m.ID, m.TaskID, m.IdentityID, m.SourceID
		purposes[i], vias[i] = m.Purpose, m.Via
	}
	_, err := tx.Exec(ctx, s.sql(statement), ids, tasks, identities, purposes, vias, sources, now)
	return mapError(err)
}

// ClaimNotification locks the next message of a task FOR UPDATE until the transaction ends, skips those that another
// worker has locked, leases the message to an engine until a time, and counts an attempt, which is the
// number of the lease. It returns [ErrNotFound]
// when there is none. The message is leased to nobody, and was tried less than below times, or at least most times:
// then its last attempt was cut off.
func (s *Store) ClaimNotification(ctx context.Context, tx pgx.Tx, task, owner ID, below, most int, now,
	until time.Time,
) (Notification, error) {
	const statement = `
		UPDATE muster.notifications
		SET attempts = attempts + 1, leased = $5, lease_owner = $6
		WHERE id = (
		    SELECT id FROM muster.notifications
		    WHERE task_id = $1 AND state = 'PENDING' AND (attempts < $2 OR attempts >= $3)
		      AND (leased IS NULL OR leased NOT BETWEEN $4 AND $4::timestamptz + ` + leaseMost + `)
		    ORDER BY id
		    LIMIT 1
		    FOR UPDATE SKIP LOCKED
		)
		RETURNING id, task_id, identity_id, purpose, via, source_id, attempts`
	found, err := collect(ctx, tx, s.sql(statement), pgx.RowToStructByName[Notification], task, below, most, now, until,
		owner)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Notification{}, err
	}
	return found[0], nil
}

// KeepNotification extends the lease of a message that the caller claimed. It returns [ErrNotFound] when the message no
// longer waits to be sent, or another worker has it.
func (s *Store) KeepNotification(ctx context.Context, tx pgx.Tx, id ID, attempts int, until time.Time) error {
	const statement = `
		UPDATE muster.notifications SET leased = $3 WHERE id = $1 AND state = 'PENDING' AND attempts = $2`
	tag, err := tx.Exec(ctx, s.sql(statement), id, attempts, until)
	return oneRow(tag, err)
}

// RecordNotification records the result of an attempt: a state, or PENDING with the reason why it did not succeed. SENT
// is recorded also for a message that was cancelled meanwhile; any other result leaves such a message as it is.
func (s *Store) RecordNotification(ctx context.Context, tx pgx.Tx, id ID, state string, reason *string, attempts int,
	now time.Time,
) error {
	const statement = `
		UPDATE muster.notifications
		SET state = $2, error = $3, leased = NULL, lease_owner = NULL,
		    completed = CASE WHEN $2 = 'PENDING' THEN NULL ELSE $5::timestamptz END
		WHERE id = $1 AND ($2 = 'SENT' OR state = 'PENDING' AND attempts = $4)`
	_, err := tx.Exec(ctx, s.sql(statement), id, state, reason, attempts, now)
	return mapError(err)
}

// PendingNotifications returns how many messages of a task wait to be sent.
func (s *Store) PendingNotifications(ctx context.Context, q Querier, task ID) (int, error) {
	const statement = `SELECT count(*) FROM muster.notifications WHERE task_id = $1 AND state = 'PENDING'`
	var count int
	err := q.QueryRow(ctx, s.sql(statement), task).Scan(&count)
	return count, mapError(err)
}

// CancelNotifications cancels the messages of a task that were not sent.
func (s *Store) CancelNotifications(ctx context.Context, tx pgx.Tx, task ID, now time.Time) error {
	const statement = `
		UPDATE muster.notifications SET state = 'CANCELLED', completed = $2 WHERE task_id = $1 AND state = 'PENDING'`
	_, err := tx.Exec(ctx, s.sql(statement), task, now)
	return mapError(err)
}

// CancelNotificationsOf cancels the messages to an identity that were not sent.
func (s *Store) CancelNotificationsOf(ctx context.Context, tx pgx.Tx, identity ID, now time.Time) error {
	const statement = `
		UPDATE muster.notifications SET state = 'CANCELLED', completed = $2
		WHERE identity_id = $1 AND state = 'PENDING'`
	_, err := tx.Exec(ctx, s.sql(statement), identity, now)
	return mapError(err)
}

// RecentNotifications returns the messages for a purpose that wait to be sent to identities, or were sent to them since
// a time with a token that is still good.
func (s *Store) RecentNotifications(ctx context.Context, q Querier, identities []ID, purpose string,
	since time.Time,
) ([]Notification, error) {
	const statement = `
		SELECT n.id, n.task_id, n.identity_id, n.purpose, n.via, n.source_id, n.attempts
		FROM muster.notifications n
		WHERE n.identity_id = ANY ($1) AND n.purpose = $2
		  AND (n.state = 'PENDING' OR n.state = 'SENT' AND n.completed > $3 AND EXISTS (
		          SELECT 1 FROM muster.one_time_tokens t
		          WHERE t.identity_id = n.identity_id AND t.purpose = n.purpose AND t.used IS NULL
		            AND t.revoked IS NULL AND t.source_id IS NOT DISTINCT FROM n.source_id))`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[Notification], nonNil(identities), purpose, since)
}

// NotificationTask is a task that sends messages, and how often the message that was tried least was tried.
type NotificationTask struct {
	ID       ID
	Attempts int
}

// NotificationTasks returns the tasks that send messages and have not ended, the oldest first.
func (s *Store) NotificationTasks(ctx context.Context, q Querier) ([]NotificationTask, error) {
	const statement = `
		SELECT t.id, coalesce(min(n.attempts), 0)::int
		FROM muster.tasks t
		LEFT JOIN muster.notifications n ON n.task_id = t.id AND n.state = 'PENDING'
		WHERE t.completed IS NULL AND t.kind <> 'IDENTITY_REFRESH'
		GROUP BY t.id
		ORDER BY t.created, t.id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[NotificationTask])
}
