package httpapi_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muster-engine/muster/engine/httpapi"
)

// with returns a key of a set with other members.
func with(key map[string]string, changes map[string]string) map[string]any {
	changed := map[string]any{}
	for name, value := range key {
		changed[name] = value
	}
	for name, value := range changes {
		if name == "key_ops" {
			changed[name] = strings.Fields(value)
			continue
		}
		changed[name] = value
		if value == "" {
			delete(changed, name)
		}
	}
	return changed
}

// A key verifies what it is meant to verify, and nothing else.
func TestUseOfKeys(t *testing.T) {
	t.Parallel()
	key, public := rsaKey(t, "one")
	for _, test := range []struct {
		name    string
		changes map[string]string
		good    bool
	}{
		{"to sign", nil, true},
		{"for whatever", map[string]string{"use": ""}, true},
		{"to encrypt", map[string]string{"use": "enc"}, false},
		{"to verify", map[string]string{"use": "", "key_ops": "verify"}, true},
		{"to encrypt, as an operation", map[string]string{"use": "", "key_ops": "encrypt wrapKey"}, false},
		{"of the algorithm", map[string]string{"alg": "RS256"}, true},
		{"of another algorithm", map[string]string{"alg": "RS512"}, false},
	} {
		file := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(file, keySet(t, with(public, test.changes)), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := httpapi.NewJWT(t.Context(), httpapi.JWTConfig{JWKSFile: file})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		for _, kid := range []string{"one", ""} {
			_, err := authenticate(t, a, sign(t, jwt.SigningMethodRS256, kid, key, claims(nil)))
			if (err == nil) != test.good {
				t.Errorf("%s, named %q: %v, want it to be good: %t", test.name, kid, err, test.good)
			}
		}
	}
}

// Of two keys with one ID, that which may verify does.
func TestKeysWithOneID(t *testing.T) {
	t.Parallel()
	key, public := rsaKey(t, "one")
	_, other := rsaKey(t, "one")
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, keySet(t, with(other, map[string]string{"use": "enc"}), with(public, nil)),
		0o600); err != nil {
		t.Fatal(err)
	}
	a, err := httpapi.NewJWT(t.Context(), httpapi.JWTConfig{JWKSFile: file})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(t, a, sign(t, jwt.SigningMethodRS256, "one", key, claims(nil))); err != nil {
		t.Error(err)
	}
}

// A header that must be understood is not, and the token is refused, whatever it is.
func TestCriticalHeaders(t *testing.T) {
	t.Parallel()
	a, err := httpapi.NewJWT(t.Context(), httpapi.JWTConfig{Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	for _, critical := range []any{[]string{"b64"}, []string{"exp"}, []string{}, nil, "b64"} {
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(nil))
		token.Header["crit"] = critical
		text, err := token.SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := authenticate(t, a, text); err == nil || !strings.Contains(err.Error(), "critical header") {
			t.Errorf("crit %v: %v", critical, err)
		}
	}
	if _, err := authenticate(t, a, sign(t, jwt.SigningMethodHS256, "", secret, claims(nil))); err != nil {
		t.Errorf("without crit: %v", err)
	}
}

// The name of a claim is written in one way alone.
func TestNamesOfClaims(t *testing.T) {
	t.Parallel()
	a, err := httpapi.NewJWT(t.Context(), httpapi.JWTConfig{Secret: secret, Issuer: "https://issuer.example"})
	if err != nil {
		t.Fatal(err)
	}
	for name, changes := range map[string]map[string]any{
		"the end":    {"exp": nil, "EXP": time.Now().Add(time.Hour).Unix()},
		"the issuer": {"iss": nil, "Iss": "https://issuer.example"},
		"the client": {"client_id": nil, "Client_ID": "c"},
	} {
		if p, err := authenticate(t, a, sign(t, jwt.SigningMethodHS256, "", secret, claims(changes))); err == nil {
			t.Errorf("%s in other letters: %+v", name, p)
		}
	}
	p, err := authenticate(t, a, sign(t, jwt.SigningMethodHS256, "", secret, claims(map[string]any{
		"Scope": "sp:scopes:all", "scope": "idn:identity:read", "AUTHORITIES": []string{"ORG_ADMIN"},
		"authorities": []string{}, "ScoPE": []string{"idn:identity:manage"}})))
	if err != nil || len(p.Authorities) != 0 || len(p.Scopes) != 1 || p.Scopes[0] != "idn:identity:read" {
		t.Errorf("got %+v, %v, want the scope and the levels of the claims in small letters", p, err)
	}
}

// Who uses a key set without naming its issuer and the audience is warned at the start.
func TestWarningOfStrangers(t *testing.T) {
	t.Parallel()
	_, public := rsaKey(t, "one")
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, keySet(t, with(public, nil)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config           httpapi.JWTConfig
		issuer, audience bool
	}{
		"neither":  {httpapi.JWTConfig{JWKSFile: file}, true, true},
		"issuer":   {httpapi.JWTConfig{JWKSFile: file, Issuer: "i"}, false, true},
		"audience": {httpapi.JWTConfig{JWKSFile: file, Audience: "a"}, true, false},
		"both":     {httpapi.JWTConfig{JWKSFile: file, Issuer: "i", Audience: "a"}, false, false},
		"a secret": {httpapi.JWTConfig{Secret: secret}, false, false},
	} {
		log := &logs{}
		test.config.Logger = slog.New(slog.NewTextHandler(log, nil))
		if _, err := httpapi.NewJWT(t.Context(), test.config); err != nil {
			t.Fatal(err)
		}
		text := log.String()
		if strings.Contains(text, "every issuer") != test.issuer ||
			strings.Contains(text, "every audience") != test.audience ||
			strings.Contains(text, "level=WARN") != (test.issuer || test.audience) {
			t.Errorf("%s: the log is %q", name, text)
		}
	}
}

// transport answers requests without a network.
type transport func(*http.Request) *http.Response

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// A key that its issuer has removed is not accepted for long.
func TestRemovedKeys(t *testing.T) {
	oldKey, oldPublic := rsaKey(t, "old")
	_, newPublic := rsaKey(t, "new")
	set := atomic.Value{}
	set.Store(keySet(t, with(oldPublic, nil), with(newPublic, nil)))
	fetched := http.DefaultClient.Transport
	http.DefaultClient.Transport = transport(func(*http.Request) *http.Response {
		recorder := httptest.NewRecorder()
		_, _ = recorder.Write(set.Load().([]byte)) // a recorder takes everything
		return recorder.Result()
	})
	defer func() { http.DefaultClient.Transport = fetched }()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a, err := httpapi.NewJWT(ctx, httpapi.JWTConfig{JWKSURL: "http://issuer.example/keys"})
		if err != nil {
			t.Fatal(err)
		}
		old := sign(t, jwt.SigningMethodRS256, "old", oldKey, claims(nil))
		if _, err := authenticate(t, a, old); err != nil {
			t.Fatal(err)
		}
		set.Store(keySet(t, with(newPublic, nil)))
		time.Sleep(httpapi.JWKSRefresh + time.Second)
		synctest.Wait()
		if _, err := authenticate(t, a, old); err == nil {
			t.Errorf("a key is accepted %s after it was removed", httpapi.JWKSRefresh)
		}
		if httpapi.JWKSRefresh > 5*time.Minute {
			t.Errorf("keys are forgotten after %s", httpapi.JWKSRefresh)
		}
	})
}
