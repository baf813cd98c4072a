package registration

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// TokenRetention is how long the row of a token stays after it expired, so that its user is told so.
const TokenRetention = 30 * 24 * time.Hour

// newToken returns a token of 256 random bits and its digest.
func newToken() (token string, digest []byte) {
	var bits [32]byte
	if _, err := rand.Read(bits[:]); err != nil {
		panic(err) // it never fails
	}
	token = base64.RawURLEncoding.EncodeToString(bits[:])
	sum := sha256.Sum256([]byte(token))
	return token, sum[:]
}

// UseToken finds a good token for a purpose and records that it was used. Any other token is Forbidden. It locks the
// identity before the token, as [Registrar.compose] does where a new token revokes the one before.
func (r *Registrar) UseToken(ctx context.Context, tx pgx.Tx, op, token, purpose string) (store.Token, error) {
	sum := sha256.Sum256([]byte(token))
	t, err := r.Store.FindToken(ctx, tx, sum[:])
	if err == nil {
		if _, err := r.Store.LockIdentities(ctx, tx, []store.ID{t.IdentityID}); err != nil {
			return t, err
		}
		t, err = r.Store.LockToken(ctx, tx, sum[:])
	}
	if err == nil && (subtle.ConstantTimeCompare(t.Digest, sum[:]) != 1 || t.Purpose != purpose) {
		err = store.ErrNotFound
	}
	now := r.Now()
	if err := refusal(op, &t, err, now); err != nil {
		return t, err
	}
	return t, r.Store.UseToken(ctx, tx, t.Digest, now)
}

// Why a token is not good.
var (
	ErrTokenUnknown = errors.New("the token is not known")
	ErrTokenUsed    = errors.New("the token was used already")
	ErrTokenRevoked = errors.New("the token was replaced by a newer one, or revoked")
	ErrTokenExpired = errors.New("the token has expired")
)

// refusal returns why a token is not good; nil where it is. failure is the error by which it was looked up.
func refusal(op string, t *store.Token, failure error, now time.Time) error {
	why := failure
	switch {
	case errors.Is(failure, store.ErrNotFound):
		why = ErrTokenUnknown
	case failure != nil:
		return failure
	case t.Used != nil:
		why = ErrTokenUsed
	case t.Revoked != nil:
		why = ErrTokenRevoked
	case !t.Expires.After(now):
		why = ErrTokenExpired
	}
	if why == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Forbidden, Op: op, Err: why}
}

// FindToken returns a good token. It does not use it. Any other token is Forbidden.
func (r *Registrar) FindToken(ctx context.Context, op, token string) (store.Token, error) {
	sum := sha256.Sum256([]byte(token))
	t, err := r.Store.FindToken(ctx, r.Pool, sum[:])
	return t, refusal(op, &t, err, r.Now())
}

// ReturnToken makes a used token good again, because what it was used for did not succeed.
func (r *Registrar) ReturnToken(ctx context.Context, t *store.Token) error {
	return r.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := r.Store.LockIdentities(ctx, tx, []store.ID{t.IdentityID}); err != nil {
			return err
		}
		return r.Store.ReturnToken(ctx, tx, t.Digest)
	})
}
