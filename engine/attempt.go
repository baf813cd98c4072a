package engine

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// How often somebody may try to sign in, in all processes of the tenant together. A success takes its attempt back.
const (
	// SignInBurst is how many attempts one identity has at once, and SignInEvery is how long it takes until it has
	// another one.
	SignInBurst = 10
	SignInEvery = 15 * time.Minute
	// SignInFailures is how many failures in a row an identity has: NIST SP 800-63B-4, section 3.2.2, asks for at most
	// 100. Then the password is good no more, until a new one is set, or nobody has tried for 30 days.
	SignInFailures = 100
	// AddressBurst and AddressEvery are the same for a network address, which many people may share.
	AddressBurst = 60
	AddressEvery = 10 * time.Second
)

// failuresKept is how long failures in a row are remembered after the last one.
const failuresKept = 30 * 24 * time.Hour

// ErrAttempts is what a RateLimited error of [Engine.SignIn], [Engine.Register] and [Engine.RedeemVerification] wraps.
var ErrAttempts = errors.New("there were too many attempts: wait, or set a new password")

type addressKey struct{}

// WithAddress returns a context whose caller comes from a network address, such as 192.0.2.1: attempts to sign in or to
// redeem a token are limited by it. Of an address of IPv6 its network of 64 bits counts. A text that is no address
// counts as it is; an empty one is none.
func WithAddress(ctx context.Context, address string) context.Context {
	if ip, err := netip.ParseAddr(address); err == nil {
		ip = ip.Unmap().WithZone("")
		if ip.Is6() {
			if network, err := ip.Prefix(64); err == nil { // it always has one
				ip = network.Addr()
			}
		}
		address = ip.String()
	}
	return context.WithValue(ctx, addressKey{}, address)
}

// attemptsOfAddress returns what an attempt from the context's address counts for.
func attemptsOfAddress(ctx context.Context) []store.Attempt {
	address, _ := ctx.Value(addressKey{}).(string)
	if address == "" {
		return nil
	}
	return []store.Attempt{{Key: attemptKey("address", address), Every: AddressEvery, Burst: AddressBurst}}
}

// attemptsToSignIn returns what an attempt to sign in counts for. It counts for a name that nobody has as it does for
// an identity, so that nobody is told which there are.
func attemptsToSignIn(ctx context.Context, id store.ID, name string) []store.Attempt {
	key := attemptKey("identity", id.String())
	if id.IsZero() {
		key = attemptKey("name", store.FoldKey(name))
	}
	return append(attemptsOfAddress(ctx), store.Attempt{Key: key, IdentityID: id, Every: SignInEvery,
		Burst: SignInBurst, Failures: SignInFailures, Kept: failuresKept})
}

// attemptKey returns the key of attempts, which does not show what it is of.
func attemptKey(kind, text string) []byte { return digestOf(kind + ":" + text) }

// takeAttempts counts an attempt, and fails with a RateLimited error where there were too many. What was counted before
// another limit was met stays counted.
func (e *Engine) takeAttempts(ctx context.Context, op string, attempts []store.Attempt) error {
	if len(attempts) == 0 {
		return nil
	}
	var refused *Error
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error {
		refused = nil
		now := e.tenant.Now()
		if _, err := e.tenant.Store.PurgeAttempts(ctx, tx, now); err != nil {
			return err
		}
		for i := range attempts {
			taken, next, err := e.tenant.Store.TakeAttempt(ctx, tx, &attempts[i], now)
			if err != nil {
				return err
			}
			if !taken {
				refused = &Error{Kind: RateLimited, Op: op, Err: ErrAttempts}
				if !next.IsZero() {
					refused.RetryAfter = max(next.Sub(now), time.Second)
				}
				return nil
			}
		}
		return nil
	})
	if err == nil && refused != nil {
		return refused
	}
	return err
}

// returnAttempts takes back what a success has counted, and forgets the failures of an identity.
func (e *Engine) returnAttempts(ctx context.Context, id store.ID, attempts []store.Attempt) error {
	return e.tenant.InTx(ctx, func(tx pgx.Tx) error {
		for i := range attempts {
			if attempts[i].Failures == 0 {
				if err := e.tenant.Store.ReturnAttempt(ctx, tx, &attempts[i]); err != nil {
					return err
				}
			}
		}
		if id.IsZero() {
			return nil
		}
		return e.tenant.Store.ForgetAttempts(ctx, tx, id)
	})
}

// limited does what an address may try only so often.
func limited[T any](ctx context.Context, e *Engine, op string, do func() (T, error)) (T, error) {
	attempts := attemptsOfAddress(ctx)
	var none T
	if err := e.takeAttempts(ctx, op, attempts); err != nil {
		return none, err
	}
	result, err := do()
	if err != nil || len(attempts) == 0 {
		return result, err
	}
	return result, e.returnAttempts(ctx, store.ID{}, attempts)
}
