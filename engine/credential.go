package engine

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/password"
	"github.com/muster-engine/muster/engine/internal/registration"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// The limits of passwords, in Unicode code points. [CheckPassword] has the other rules.
const (
	PasswordLengthMin = password.LengthMin
	PasswordLengthMax = password.LengthMax
)

// What [CheckPassword] finds wrong with a password.
var (
	ErrPasswordShort  = password.ErrShort
	ErrPasswordLong   = password.ErrLong
	ErrPasswordText   = password.ErrText
	ErrPasswordCommon = password.ErrCommon
	ErrPasswordOwn    = password.ErrOwn
)

// Credentials keep the passwords by which identities sign in to Muster itself. The engine's own keeps argon2id hashes
// in the tenant's database; a host gives [Config] another one where passwords are kept elsewhere. The engine has
// checked a password by [CheckPassword] before it sets it. Many goroutines call a Credentials. An error must not hold
// the password.
type Credentials interface {
	// SetPassword replaces the password of an identity. It is called last in a transaction that may still be rolled
	// back, or run again: the identity then cannot sign in, or the token is good again.
	SetPassword(ctx context.Context, tx pgx.Tx, identity, password string) error
	// CheckPassword reports whether a password is that of an identity. It takes the same time for one that has none.
	CheckPassword(ctx context.Context, identity, password string) (bool, error)
	// DeletePassword removes the password of an identity, which may have none.
	DeletePassword(ctx context.Context, tx pgx.Tx, identity string) error
}

// CheckPassword returns what is wrong with a password: one of the ErrPassword errors, or nil. The rules are those of
// NIST SP 800-63B-4, section 3.1.1.2: a least length, none of the passwords that are tried first, and no rule about
// which characters there are. own are words of the person that are tried first too, such as the name and the address.
func CheckPassword(text string, own ...string) error { return password.Check(text, own...) }

// storedCredentials keep hashes in the tenant's database.
type storedCredentials struct{ tenant *tenant.Tenant }

// SetPassword implements [Credentials].
func (c storedCredentials) SetPassword(ctx context.Context, tx pgx.Tx, identity, text string) error {
	id, err := store.ParseID(identity)
	if err != nil {
		return err
	}
	hash, err := password.Hash(ctx, text)
	if err != nil {
		return err
	}
	return c.tenant.Store.SetCredential(ctx, tx, id, hash, c.tenant.Now())
}

// CheckPassword implements [Credentials].
func (c storedCredentials) CheckPassword(ctx context.Context, identity, text string) (bool, error) {
	id, err := store.ParseID(identity)
	if err != nil {
		return false, err
	}
	hash, err := c.tenant.Store.Credential(ctx, c.tenant.Pool, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, password.Spend(ctx, text)
	case err != nil:
		return false, err
	}
	return password.Verify(ctx, text, hash)
}

// DeletePassword implements [Credentials].
func (c storedCredentials) DeletePassword(ctx context.Context, tx pgx.Tx, identity string) error {
	id, err := store.ParseID(identity)
	if err != nil {
		return err
	}
	return c.tenant.Store.DeleteCredential(ctx, tx, id)
}

// setPassword gives an identity a password by which it signs in. Its sessions end, and attempts to sign in are
// forgotten. It is the last thing of its transaction.
func (e *Engine) setPassword(ctx context.Context, tx pgx.Tx, op string, identity *store.Identity, text string) error {
	own := []string{identity.Name, identity.Alias, store.TextOf(identity.Email)}
	if err := CheckPassword(text, own...); err != nil {
		return &Error{Kind: Invalid, Op: op, Subject: "password", Err: err}
	}
	if _, err := e.tenant.Store.DeleteSessionsOf(ctx, tx, identity.ID.String()); err != nil {
		return err
	}
	if err := e.tenant.Store.ForgetAttempts(ctx, tx, identity.ID); err != nil {
		return err
	}
	return e.credentials.SetPassword(ctx, tx, identity.ID.String(), text)
}

// deletePassword removes the password of an identity, and what counts against it.
func (e *Engine) deletePassword(ctx context.Context, tx pgx.Tx, id store.ID) error {
	if err := e.tenant.Store.ForgetAttempts(ctx, tx, id); err != nil {
		return err
	}
	return e.credentials.DeletePassword(ctx, tx, id.String())
}

// Register registers the identity to which an invitation's token was sent, as [Engine.RedeemInvitation] does, with the
// password by which it signs in from now on. A password that [CheckPassword] refuses is Invalid, and the token stays
// good. Attempts from one address are limited where the context names it: see [WithAddress].
func (e *Engine) Register(ctx context.Context, token, password string) (Identity, error) {
	return limited(ctx, e, registerOp, func() (Identity, error) { return e.register(token, password).run(ctx) })
}

// RegisterTx is [Engine.Register] in the caller's transaction. It limits no attempts.
func (e *Engine) RegisterTx(ctx context.Context, tx pgx.Tx, token, password string) (Identity, error) {
	return e.register(token, password).runIn(ctx, tx)
}

const registerOp = "register"

func (e *Engine) register(token, password string) writeOf[Identity] {
	return writeOf[Identity]{e, registerOp, "", func(ctx context.Context, tx pgx.Tx) (Identity, error) {
		identity, err := e.redeem(ctx, tx, registerOp, token)
		if err != nil {
			return Identity{}, err
		}
		if err := e.setPassword(ctx, tx, registerOp, &identity, password); err != nil {
			return Identity{}, err
		}
		return identityOf(&identity)
	}}
}

// SignIn returns the registered identity whose alias or e-mail address, ignoring case, and whose password are given.
// Where they are wrong it is Forbidden, in the same words and after the same time whatever is wrong. After some
// attempts it is RateLimited, for an identity ([SignInBurst], [SignInEvery], [SignInFailures]) and for the address from
// which they come, where the context names it ([WithAddress]). The caller opens a session.
//
// It has no twin in a caller's transaction: one that is rolled back would forget the attempt.
func (e *Engine) SignIn(ctx context.Context, name, password string) (Identity, error) {
	const op = "sign in"
	id, err := e.signInID(ctx, name)
	if err != nil {
		return Identity{}, fault.Wrap(op, "", err)
	}
	attempts := attemptsToSignIn(ctx, id, name)
	if err := e.takeAttempts(ctx, op, attempts); err != nil {
		return Identity{}, fault.Wrap(op, "", err)
	}
	good, err := e.checkPassword(ctx, id, password)
	if err != nil {
		return Identity{}, fault.Wrap(op, "", err)
	}
	if !good {
		return Identity{}, &Error{Kind: Forbidden, Op: op, Err: errors.New("the name or the password is wrong")}
	}
	if err := e.returnAttempts(ctx, id, attempts); err != nil {
		return Identity{}, fault.Wrap(op, "", err)
	}
	return e.GetIdentity(ctx, id.String())
}

// signInID returns who has a name; the zero ID for nobody, and for a name that several have.
func (e *Engine) signInID(ctx context.Context, name string) (store.ID, error) {
	if name == "" || !store.Storable(name) {
		return store.ID{}, nil
	}
	found, err := e.tenant.Store.IdentitiesToSignIn(ctx, e.tenant.Pool, name, 2)
	if err != nil || len(found) != 1 {
		return store.ID{}, err
	}
	return found[0], nil
}

func (e *Engine) checkPassword(ctx context.Context, id store.ID, text string) (bool, error) {
	if len(text) > 4*PasswordLengthMax { // no code point has more bytes
		text = ""
	}
	if id.IsZero() {
		return false, password.Spend(ctx, text)
	}
	return e.credentials.CheckPassword(ctx, id.String(), text)
}

// Why a token is not good: what a Forbidden error of [Engine.FindToken] and of those that redeem tokens wraps.
var (
	ErrTokenUnknown = registration.ErrTokenUnknown
	ErrTokenUsed    = registration.ErrTokenUsed
	ErrTokenRevoked = registration.ErrTokenRevoked
	ErrTokenExpired = registration.ErrTokenExpired
)

// Token is what is known of a token that was sent in a message.
type Token struct {
	Purpose  string   // INVITATION or VERIFICATION
	Identity Identity // to whom it was sent
	Source   string   // the name of the source whose password it sets; "" for Muster's own
	Expires  time.Time
}

// FindToken returns what a good token is for. It does not redeem it. One that is not known, was used, was replaced or
// has expired is Forbidden. Whoever has the token may know what this returns.
func (e *Engine) FindToken(ctx context.Context, token string) (Token, error) {
	const op = "find the token"
	row, err := e.registrar.FindToken(ctx, op, token)
	if err != nil {
		return Token{}, fault.Wrap(op, "", err)
	}
	found := Token{Purpose: row.Purpose, Expires: row.Expires.UTC()}
	if found.Identity, err = e.GetIdentity(ctx, row.IdentityID.String()); err != nil || row.SourceID.IsZero() {
		return found, err
	}
	found.Source, err = e.tenant.Store.SourceName(ctx, e.tenant.Pool, row.SourceID)
	return found, fault.Wrap(op, "", err)
}
