package httpapi_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muster-engine/muster/engine/httpapi"
)

// claims are those of a good token, with changes: a null takes a claim away.
func claims(changes map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{"client_id": "c", "iss": "https://issuer.example", "aud": []string{"muster", "other"},
		"exp": time.Now().Add(time.Hour).Unix(), "nbf": time.Now().Add(-time.Hour).Unix(),
		"authorities": []string{"ORG_ADMIN"}, "scope": []string{"sp:scopes:all"}}
	maps.Copy(c, changes)
	for name, value := range c {
		if value == nil {
			delete(c, name)
		}
	}
	return c
}

func sign(t *testing.T, method jwt.SigningMethod, kid string, key any, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func encoded(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

func rsaKey(t *testing.T, kid string) (*rsa.PrivateKey, map[string]string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key, map[string]string{"kty": "RSA", "use": "sig", "kid": kid, "n": encoded(key.N),
		"e": encoded(big.NewInt(int64(key.E)))}
}

func keySet[K any](t *testing.T, keys ...K) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// authenticate asks an authenticator about a token.
func authenticate(t *testing.T, a httpapi.Authenticator, token string) (*httpapi.Principal, error) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/beta/identities", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	return a.Authenticate(request)
}

// Tokens that are not good are refused, with the reason and without the token.
func TestTokens(t *testing.T) {
	t.Parallel()
	key, public := rsaKey(t, "one")
	otherKey, _ := rsaKey(t, "one")
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, keySet(t, public,
		map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "curve", "x": encoded(curve.X),
			"y": encoded(curve.Y)},
		map[string]string{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "ed",
			"x": base64.RawURLEncoding.EncodeToString(edPublic)},
		map[string]string{"kty": "oct", "kid": "shared", "k": base64.RawURLEncoding.EncodeToString(secret)},
	), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := httpapi.NewJWT(t.Context(), httpapi.JWTConfig{JWKSFile: file, Issuer: "https://issuer.example",
		Audience: "muster"})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	rs := jwt.SigningMethodRS256
	good := sign(t, rs, "one", key, claims(nil))
	for name, token := range map[string]string{
		"RSA": good, "RSA-PSS": sign(t, jwt.SigningMethodPS512, "one", key, claims(nil)),
		"curve":   sign(t, jwt.SigningMethodES256, "curve", curve, claims(nil)),
		"Ed25519": sign(t, jwt.SigningMethodEdDSA, "ed", edKey, claims(nil)),
		"no kid":  sign(t, rs, "", key, claims(nil)),
		"texts with blanks": sign(t, rs, "one", key, claims(map[string]any{"authorities": "ORG_ADMIN",
			"scope": "sp:scopes:all"})),
		"one audience": sign(t, rs, "one", key, claims(map[string]any{"aud": "muster"})),
	} {
		p, err := authenticate(t, a, token)
		if err != nil || p.ClientID != "c" || len(p.Authorities) != 1 || p.Authorities[0] != "ORG_ADMIN" ||
			len(p.Scopes) != 1 || p.Scopes[0] != "sp:scopes:all" {
			t.Errorf("got %s: %+v, %v, want err == nil && p.ClientID == \"c\" && len(p.Authorities) == 1 && p.Authorities[0] == \"ORG_ADMIN\" && len(p.Scopes) == 1 && p.Scopes[0] == \"sp:scopes:all\"", name, p, err)
		}
	}
	parts := strings.Split(good, ".")
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"client_id":"c","exp":9999999999}`))
	for _, test := range []struct{ name, token, reason string }{
		{"none", sign(t, jwt.SigningMethodNone, "one", jwt.UnsafeAllowNoneSignatureType, claims(nil)), "signature"},
		{"public key as a secret", sign(t, jwt.SigningMethodHS256, "one", publicPEM, claims(nil)), "signature"},
		{"shared key of the set", sign(t, jwt.SigningMethodHS256, "shared", secret, claims(nil)), "signature"},
		{"RSA by the shared key's ID", sign(t, rs, "shared", key, claims(nil)), "JWT"},
		{"RSA by the curve's ID", sign(t, rs, "curve", key, claims(nil)), "JWT"},
		{"another key", sign(t, rs, "one", otherKey, claims(nil)), "signature"},
		{"unknown key", sign(t, rs, "two", key, claims(nil)), "key that is not known"},
		{"other claims", parts[0] + "." + forged + "." + parts[2], "signature"},
		{"no signature", parts[0] + "." + parts[1] + ".", "signature"},
		{"two parts", parts[0] + "." + parts[1], "malformed"},
		{"rubbish", "rubbish", "malformed"},
		{"no JSON", "a.b.c", "malformed"},
		{"expired", sign(t, rs, "one", key, claims(map[string]any{"exp": time.Now().Add(-time.Second).Unix()})),
			"JWT is expired"},
		{"no end", sign(t, rs, "one", key, claims(map[string]any{"exp": nil})), "lacks a claim"},
		{"end is a text", sign(t, rs, "one", key, claims(map[string]any{"exp": "tomorrow"})), "JWT"},
		{"not yet", sign(t, rs, "one", key, claims(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})),
			"not valid yet"},
		{"another issuer", sign(t, rs, "one", key, claims(map[string]any{"iss": "https://evil.example"})),
			"another issuer"},
		{"no issuer", sign(t, rs, "one", key, claims(map[string]any{"iss": nil})), "JWT"},
		{"another audience", sign(t, rs, "one", key, claims(map[string]any{"aud": "other"})), "another audience"},
		{"no audience", sign(t, rs, "one", key, claims(map[string]any{"aud": nil})), "JWT"},
		{"nobody", sign(t, rs, "one", key, claims(map[string]any{"client_id": nil})), "names no client_id"},
		{"scope is a number", sign(t, rs, "one", key, claims(map[string]any{"scope": 1})), "malformed"},
	} {
		p, err := authenticate(t, a, test.token)
		if err == nil || !strings.Contains(err.Error(), test.reason) || strings.Contains(err.Error(), test.token) {
			t.Errorf("%s: %+v, %v; want %q", test.name, p, err, test.reason)
		}
	}
}

// A request without a good token is answered as the gateway does it, and what keeps it out stands in the log.
func TestUnauthorized(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	expired, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(map[string]any{"iss": "muster-development",
		"exp": 1})).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	for authorization, want := range map[string]string{
		"": "JWT validation failed: JWT is missing", "Basic dTpw": "JWT validation failed: JWT is missing",
		"Bearer": "JWT validation failed: JWT is missing", "Bearer rubbish": "JWT validation failed: JWT is malformed",
		"bearer " + expired: "JWT validation failed: JWT is expired",
	} {
		response := s.do(request{method: http.MethodGet, path: "/beta/identities", token: "-",
			header: http.Header{"Authorization": {authorization}}})
		var body struct{ Error string }
		response.demand(http.StatusUnauthorized, &body)
		if !strings.HasPrefix(body.Error, want) || response.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("got %q: %v, %s, want strings.HasPrefix(body.Error, want) && response.Header.Get(\"WWW-Authenticate\") == \"Bearer\"", authorization, response.Header, response.body)
		}
		if id := response.Header.Get("SLPT-Request-ID"); !strings.Contains(s.logs.String(), "trackingId="+id) {
			t.Errorf("%s is not in the log", id)
		}
	}
	if log := s.logs.String(); strings.Contains(log, expired) || strings.Contains(log, "rubbish") ||
		!strings.Contains(log, `decision="not authenticated: JWT is expired"`) {
		t.Error(log)
	}
}

// Keys that are replaced in the file, or at the URL, count from then on.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	oldKey, oldPublic := rsaKey(t, "old")
	newKey, newPublic := rsaKey(t, "new")
	var served atomic.Value
	served.Store(keySet(t, oldPublic))
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write(served.Load().([]byte)); err != nil {
			t.Error(err)
		}
	}))
	defer issuer.Close()
	file := filepath.Join(t.TempDir(), "keys.json")
	replace := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(file+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	replace(keySet(t, oldPublic))
	for name, config := range map[string]httpapi.JWTConfig{"file": {JWKSFile: file}, "URL": {JWKSURL: issuer.URL}} {
		served.Store(keySet(t, oldPublic))
		a, err := httpapi.NewJWT(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		old := sign(t, jwt.SigningMethodRS256, "old", oldKey, claims(nil))
		if _, err := authenticate(t, a, old); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		served.Store(keySet(t, newPublic))
		replace(keySet(t, newPublic))
		fresh := sign(t, jwt.SigningMethodRS256, "new", newKey, claims(nil))
		for end := time.Now().Add(10 * time.Second); ; {
			_, err := authenticate(t, a, fresh)
			if err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: the new key is not known: %v", name, err)
			}
		}
		if _, err := authenticate(t, a, old); name == "file" && err == nil {
			t.Errorf("%s: the old key is still good", name)
		}
		replace([]byte("no keys"))
		if _, err := authenticate(t, a, fresh); err != nil {
			t.Errorf("%s: with a broken file the keys it had are not good: %v", name, err)
		}
		replace(keySet(t, oldPublic))
	}
}

// A new key is known with the first token that it signed, also where the issuer takes its time to tell its keys; a token
// of a key that nobody knows waits for no other fetch.
func TestNewKeyOfSlowIssuer(t *testing.T) {
	t.Parallel()
	_, oldPublic := rsaKey(t, "old")
	newKey, newPublic := rsaKey(t, "new")
	strangersKey, _ := rsaKey(t, "stranger")
	const slowness = 50 * time.Millisecond
	keys := [][]byte{keySet(t, oldPublic), keySet(t, newPublic)}
	var asked atomic.Int64
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(slowness)
		if _, err := w.Write(keys[min(asked.Add(1), 2)-1]); err != nil {
			t.Error(err)
		}
	}))
	defer issuer.Close()
	a, err := httpapi.NewJWT(t.Context(), httpapi.JWTConfig{JWKSURL: issuer.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(t, a, sign(t, jwt.SigningMethodRS256, "new", newKey, claims(nil))); err != nil {
		t.Error(err)
	}
	stranger := sign(t, jwt.SigningMethodRS256, "stranger", strangersKey, claims(nil))
	for range 3 {
		if _, err := authenticate(t, a, stranger); err == nil {
			t.Error("a key that nobody knows is good")
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the keys were fetched %d times, want 2", n)
	}
}

func TestNewJWTFaults(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(broken, []byte(`{"keys": "private"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, test := range map[string]struct {
		config httpapi.JWTConfig
		want   string
	}{
		"nothing":      {httpapi.JWTConfig{}, "one of JWKSFile, JWKSURL and Secret"},
		"both":         {httpapi.JWTConfig{JWKSFile: broken, Secret: secret}, "2 are given"},
		"short secret": {httpapi.JWTConfig{Secret: secret[:31]}, "32 bytes or more, it has 31"},
		"no file":      {httpapi.JWTConfig{JWKSFile: broken + "x"}, "read the key set"},
		"no keys":      {httpapi.JWTConfig{JWKSFile: broken}, "no JSON Web Key Set"},
		"no server":    {httpapi.JWTConfig{JWKSURL: gone.URL}, "fetch the key set"},
	} {
		if _, err := httpapi.NewJWT(t.Context(), test.config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
