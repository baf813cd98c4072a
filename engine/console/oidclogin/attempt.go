package oidclogin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/console"
)

// attempt is a sign-in that was begun in a browser. All that a process has to know to finish it follows from it.
type attempt struct {
	secret [sha256.Size]byte
	begun  int64 // seconds since 1970
}

func begin(now time.Time) *attempt {
	a := &attempt{begun: now.Unix()}
	rand.Read(a.secret[:]) // never fails
	return a
}

// derive returns what the secret gives for a purpose: 256 bits, of which nobody learns the others. It commits to when
// the sign-in was begun.
func (a *attempt) derive(purpose string) string {
	mac := hmac.New(sha256.New, a.secret[:])
	mac.Write([]byte(purpose + "\x00" + strconv.FormatInt(a.begun, 10))) // never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// The texts that go to the provider. Only the verifier must not be known before the code comes back.
func (a *attempt) state() string    { return a.derive("state") }
func (a *attempt) nonce() string    { return a.derive("nonce") }
func (a *attempt) verifier() string { return a.derive("verifier") }

// String returns what the browser keeps.
func (a *attempt) String() string {
	return base64.RawURLEncoding.EncodeToString(a.secret[:]) + "." + strconv.FormatInt(a.begun, 10)
}

// parseAttempt reads what a browser has kept, and refuses it when it is too old.
func parseAttempt(kept string, now time.Time, leeway time.Duration) (*attempt, error) {
	secret, begun, _ := strings.Cut(kept, ".")
	a := &attempt{}
	text, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil || len(text) != len(a.secret) {
		return nil, errors.New("the cookie of the sign-in is not one of this login")
	}
	copy(a.secret[:], text)
	a.begun, err = strconv.ParseInt(begun, 10, 64)
	if err != nil || a.String() != kept { // another spelling of it could be used again
		return nil, errors.New("the cookie of the sign-in is not one of this login")
	}
	age := now.Sub(time.Unix(a.begun, 0))
	if age > console.ProviderTime || age < -leeway {
		return nil, errors.New("the sign-in was begun too long ago")
	}
	return a, nil
}
