package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
)

const goodPassword = "a kettle on the seventh hill"

// invited returns a token that was sent to an identity.
func invited(t *testing.T, f *fixture, box *mailbox, identity string) string {
	t.Helper()
	if _, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{identity}}); err != nil {
		t.Fatal(err)
	}
	f.send()
	mail := box.take()
	if len(mail) != 1 {
		t.Fatalf("%d messages were sent", len(mail))
	}
	return mail[0].Token
}

// A token with a password registers, and the password signs in, by the alias and by the address. A password that is not
// good enough leaves the token good.
func TestRegisterAndSignIn(t *testing.T) {
	t.Parallel()
	f, box, c := registering(t, engine.Config{})
	ctx, ann := t.Context(), f.Identity("ann").ID
	if _, err := f.SignIn(ctx, "ann", goodPassword); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("before she has a password: %v", err)
	}
	token := invited(t, f, box, ann)
	found, err := f.FindToken(ctx, token)
	if err != nil || found.Purpose != engine.PurposeInvitation || found.Identity.ID != ann || found.Source != "" ||
		!found.Expires.Equal(c.Now().Add(engine.InvitationTTL)) {
		t.Errorf("the token is %+v, %v", found, err)
	}
	for password, want := range map[string]error{"brief word": engine.ErrPasswordShort, "ann@example.com!!!": engine.ErrPasswordOwn,
		"passwordpassword": engine.ErrPasswordCommon, strings.Repeat("x y ", 100): engine.ErrPasswordLong, "": engine.ErrPasswordShort} {
		_, err := f.Register(ctx, token, password)
		if engine.KindOf(err) != engine.Invalid || !errors.Is(err, want) || password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("with the password %q: %v, want %v", password, err, want)
		}
	}
	who, err := f.Register(ctx, token, goodPassword)
	if err != nil || who.ID != ann || who.IdentityStatus != "REGISTERED" {
		t.Fatalf("got %+v, %v", who, err)
	}
	if _, err := f.Register(ctx, token, goodPassword); !errors.Is(err, engine.ErrTokenUsed) || engine.KindOf(err) != engine.Forbidden {
		t.Errorf("a second time: %v", err)
	}
	if _, err := f.FindToken(ctx, token); !errors.Is(err, engine.ErrTokenUsed) {
		t.Errorf("the token is found: %v", err)
	}
	for _, name := range []string{"ann", "ANN", "ann@example.com", "Ann@Example.com"} {
		if who, err := f.SignIn(ctx, name, goodPassword); err != nil || who.ID != ann {
			t.Errorf("as %s: %+v, %v", name, who, err)
		}
	}
	if n := f.number(`SELECT count(*) FROM muster.credentials WHERE hash LIKE '$argon2id$v=19$%' AND hash NOT LIKE '%kettle%'`); n != 1 {
		t.Errorf("%d hashes are stored", n)
	}
	for name, password := range map[string]string{"ann": goodPassword + " ", "bob": goodPassword, "nobody": goodPassword, "": "", "a\x00b": "x",
		ann: goodPassword, "ann@example.com": strings.Repeat("x", 10_000)} {
		_, err := f.SignIn(ctx, name, password)
		if engine.KindOf(err) != engine.Forbidden || err.Error() != "sign in: the name or the password is wrong" {
			t.Errorf("as %q: %v", name, err)
		}
	}
	if _, err := f.DisableSignIn(ctx, ann); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SignIn(ctx, "ann", goodPassword); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("a disabled one signs in: %v", err)
	}
}

// A verification sets a new password, ends the sessions and forgets failures; a reset removes everything.
func TestPasswordReset(t *testing.T) {
	t.Parallel()
	f, box, _ := registering(t, engine.Config{})
	ctx, ann := t.Context(), f.Identity("ann").ID
	if _, err := f.Register(ctx, invited(t, f, box, ann), goodPassword); err != nil {
		t.Fatal(err)
	}
	session, err := f.OpenSession(ctx, engine.Session{UserID: ann})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SendVerification(ctx, ann, engine.VerificationParams{Via: engine.ViaLinkWork}); err != nil {
		t.Fatal(err)
	}
	f.send()
	token := box.take()[0].Token
	if _, err := f.RedeemVerification(ctx, token, "too short"); !errors.Is(err, engine.ErrPasswordShort) {
		t.Errorf("a short password: %v", err)
	}
	const newer = "two lanterns by the river"
	if _, err := f.RedeemVerification(ctx, token, newer); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Session(ctx, session); engine.KindOf(err) != engine.NotFound {
		t.Errorf("the session goes on: %v", err)
	}
	if _, err := f.SignIn(ctx, "ann", goodPassword); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("the old password: %v", err)
	}
	if _, err := f.SignIn(ctx, "ann", newer); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if err := f.ResetIdentity(ctx, ann); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SignIn(ctx, "ann", newer); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("after a reset: %v", err)
	}
	if n := f.number(`SELECT count(*) FROM muster.credentials`) + f.number(`SELECT count(*) FROM muster.attempts WHERE identity_id IS NOT NULL`); n != 0 {
		t.Errorf("a reset leaves %d rows", n)
	}
}

// Attempts are limited for an identity, for a name that nobody has in the same way, and for an address, by all engines
// together.
func TestSignInLimits(t *testing.T) {
	t.Parallel()
	f, box, c := registering(t, engine.Config{})
	ctx := t.Context()
	if _, err := f.Register(ctx, invited(t, f, box, f.Identity("ann").ID), goodPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Register(ctx, invited(t, f, box, f.Identity("bob").ID), goodPassword); err != nil {
		t.Fatal(err)
	}
	limit := func(name string) {
		t.Helper()
		for i := range engine.SignInBurst {
			if _, err := f.SignIn(ctx, name, "wrong"); engine.KindOf(err) != engine.Forbidden {
				t.Fatalf("attempt %d as %s: %v", i, name, err)
			}
		}
		_, err := f.SignIn(ctx, name, goodPassword)
		var failed *engine.Error
		if !errors.As(err, &failed) || failed.Kind != engine.RateLimited || failed.RetryAfter != engine.SignInEvery ||
			!errors.Is(err, engine.ErrAttempts) {
			t.Errorf("the next attempt as %s: %v, %+v", name, err, failed)
		}
	}
	limit("ann")
	limit("nobody")
	if _, err := f.SignIn(ctx, "bob", goodPassword); err != nil {
		t.Errorf("somebody else is kept out: %v", err)
	}
	c.Set(c.Now().Add(engine.SignInEvery))
	if _, err := f.SignIn(ctx, "ann@example.com", goodPassword); err != nil {
		t.Errorf("after a while: %v", err)
	}
	limit("ann") // the success has forgotten the failures

	// A hundred failures in a row, as slow as they may be, are the end of the password.
	f.execute(`UPDATE muster.attempts SET failures = $1, spent = $2 WHERE failures > 0`, engine.SignInFailures, c.Now())
	for _, name := range []string{"ann", "nobody"} {
		_, err := f.SignIn(ctx, name, goodPassword)
		var failed *engine.Error
		if !errors.As(err, &failed) || failed.Kind != engine.RateLimited || failed.RetryAfter != 0 {
			t.Errorf("after a hundred failures as %s: %v", name, err)
		}
	}

	// One network of IPv6 is one address. Successes are not counted.
	at := func(address string) context.Context { return engine.WithAddress(ctx, address) }
	for i := range engine.AddressBurst {
		if _, err := f.SignIn(at("2001:db8::1"), "bob", goodPassword); err != nil {
			t.Fatal(err)
		}
		if _, err := f.SignIn(at(fmt.Sprintf("2001:db8::%d", i)), fmt.Sprint("guess", i), "wrong"); engine.KindOf(err) != engine.Forbidden {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	if _, err := f.SignIn(at("2001:db8::ffff"), "bob", goodPassword); engine.KindOf(err) != engine.RateLimited {
		t.Errorf("from the same network: %v", err)
	}
	if _, err := f.Register(at("2001:db8::ffff"), "x", goodPassword); engine.KindOf(err) != engine.RateLimited {
		t.Errorf("redeeming from the same network: %v", err)
	}
	if _, err := f.SignIn(at("2001:db8:0:1::1"), "bob", goodPassword); err != nil {
		t.Errorf("from another network: %v", err)
	}
	c.Set(c.Now().Add(engine.AddressEvery * engine.AddressBurst))
	purged, err := f.Purge(ctx, engine.PurgeOptions{})
	if err != nil || purged.Attempts != 2 {
		t.Errorf("%d addresses are forgotten, %v", purged.Attempts, err)
	}
	c.Set(c.Now().Add(31 * 24 * time.Hour))
	if _, err := f.SignIn(ctx, "ann", goodPassword); err != nil {
		t.Errorf("a month later: %v", err)
	}
}

// Attempts at the same time are counted each.
func TestSignInTogether(t *testing.T) {
	t.Parallel()
	f, _, _ := registering(t, engine.Config{})
	var limited, wrong int
	var mutex sync.Mutex
	var group sync.WaitGroup
	for range 2 * engine.SignInBurst {
		group.Go(func() {
			_, err := f.SignIn(t.Context(), "nobody", "wrong")
			mutex.Lock()
			defer mutex.Unlock()
			switch engine.KindOf(err) {
			case engine.RateLimited:
				limited++
			case engine.Forbidden:
				wrong++
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if wrong != engine.SignInBurst || limited != engine.SignInBurst {
		t.Errorf("%d attempts were made and %d refused, want %d of each", wrong, limited, engine.SignInBurst)
	}
}

// hostCredentials are passwords that a host keeps.
type hostCredentials struct {
	mutex     sync.Mutex
	passwords map[string]string
	fails     error
}

func (h *hostCredentials) SetPassword(_ context.Context, tx pgx.Tx, identity, password string) error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if tx == nil {
		return errors.New("there is no transaction")
	}
	if h.fails == nil {
		h.passwords[identity] = password
	}
	return h.fails
}

func (h *hostCredentials) CheckPassword(_ context.Context, identity, password string) (bool, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return password != "" && h.passwords[identity] == password, h.fails
}

func (h *hostCredentials) DeletePassword(_ context.Context, _ pgx.Tx, identity string) error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	delete(h.passwords, identity)
	return h.fails
}

// A host's own store of passwords is asked for everything, and where it fails the token stays good.
func TestHostCredentials(t *testing.T) {
	t.Parallel()
	host := &hostCredentials{passwords: map[string]string{}, fails: errors.New("the vault is closed")}
	f, box, _ := registering(t, engine.Config{Credentials: host})
	ctx, ann := t.Context(), f.Identity("ann").ID
	token := invited(t, f, box, ann)
	if _, err := f.Register(ctx, token, goodPassword); err == nil || f.Identity("ann").IdentityStatus != "PENDING" {
		t.Errorf("she is %s, %v", f.Identity("ann").IdentityStatus, err)
	}
	host.fails = nil
	if _, err := f.Register(ctx, token, goodPassword); err != nil {
		t.Fatal(err)
	}
	if who, err := f.SignIn(ctx, "ann", goodPassword); err != nil || who.ID != ann {
		t.Errorf("got %+v, %v", who, err)
	}
	if n := f.number(`SELECT count(*) FROM muster.credentials`); n != 0 || host.passwords[ann] != goodPassword {
		t.Errorf("the database has %d passwords, the host %q", n, host.passwords)
	}
	host.fails = errors.New("the vault is closed")
	if _, err := f.SignIn(ctx, "ann", goodPassword); engine.KindOf(err) != engine.Internal {
		t.Errorf("while the host's store fails: %v", err)
	}
	host.fails = nil
	if err := f.ResetIdentity(ctx, ann); err != nil || len(host.passwords) != 0 {
		t.Errorf("after a reset the host has %q, %v", host.passwords, err)
	}
}
