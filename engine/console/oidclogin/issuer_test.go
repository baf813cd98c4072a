package oidclogin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muster-engine/muster/engine/enginetest"
)

const (
	clientID     = "muster"
	clientSecret = "s3cret of the client"
	returnURL    = "http://localhost/a/b/login/return"
)

// issuer is an OpenID provider of the tests, which can be told to lie.
type issuer struct {
	t      *testing.T
	clock  *enginetest.Clock
	url    string
	server *httptest.Server
	key    *ecdsa.PrivateKey

	mu       sync.Mutex
	asked    map[string]int // requests by path
	codes    map[string]url.Values
	down     bool
	person   jwt.MapClaims                  // in the ID token
	userinfo map[string]any                 // what the userinfo endpoint answers
	metadata map[string]any                 // what differs in the discovery document
	change   func(claims jwt.MapClaims)     // of the ID token
	sign     func(claims jwt.Claims) string // nil for ES256 and the key
	token    http.HandlerFunc               // nil for that of the issuer
	access   string
}

func newIssuer(t *testing.T, clock *enginetest.Clock) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, clock: clock, key: key, asked: map[string]int{}, codes: map[string]url.Values{},
		person: jwt.MapClaims{"sub": "subject-7", "name": "Bobby at the provider", "preferred_username": "bob"},
		access: "the access token"}
	i.server = httptest.NewServer(http.HandlerFunc(i.serve))
	i.url = i.server.URL
	t.Cleanup(i.server.Close)
	return i
}

// with changes how the issuer behaves.
func (i *issuer) with(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuer) count(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

func (i *issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked[r.URL.Path]++
	if i.down {
		http.Error(w, "<html>the server of bob@example.com is away</html>", http.StatusBadGateway)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		document := map[string]any{"issuer": i.url, "authorization_endpoint": i.url + "/authorize",
			"token_endpoint": i.url + "/token", "jwks_uri": i.url + "/keys", "end_session_endpoint": i.url + "/end?tenant=x",
			"id_token_signing_alg_values_supported": []string{"ES256", "none", "HS256"}}
		if i.userinfo != nil {
			document["userinfo_endpoint"] = i.url + "/userinfo"
		}
		maps.Copy(document, i.metadata)
		i.say(w, document)
	case "/keys":
		coordinate := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32))) }
		i.say(w, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "k1",
			"alg": "ES256", "x": coordinate(i.key.X), "y": coordinate(i.key.Y)}}})
	case "/token":
		if i.token != nil {
			i.token(w, r)
			return
		}
		i.exchange(w, r)
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer "+i.access {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		i.say(w, i.userinfo)
	default:
		http.NotFound(w, r)
	}
}

func (i *issuer) say(w http.ResponseWriter, document map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(document); err != nil {
		i.t.Error(err)
	}
}

// exchange gives an ID token for a code, once, to the client that has the verifier.
func (i *issuer) exchange(w http.ResponseWriter, r *http.Request) {
	refuse := func(code string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		i.say(w, map[string]any{"error": code, "error_description": "bob@example.com is not good"})
	}
	id, secret, _ := r.BasicAuth()
	if id != clientID || secret != url.QueryEscape(clientSecret) {
		refuse("invalid_client")
		return
	}
	request, known := i.codes[r.PostFormValue("code")]
	delete(i.codes, r.PostFormValue("code"))
	if !known || r.PostFormValue("redirect_uri") != returnURL || r.PostFormValue("grant_type") != "authorization_code" ||
		request.Get("code_challenge") != challenge(r.PostFormValue("code_verifier")) {
		refuse("invalid_grant")
		return
	}
	now := i.clock.Now()
	claims := jwt.MapClaims{"iss": i.url, "aud": clientID, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"auth_time": now.Add(-time.Minute).Unix(), "nonce": request.Get("nonce")}
	maps.Copy(claims, i.person)
	if i.change != nil {
		i.change(claims)
	}
	sign := i.sign
	if sign == nil {
		sign = func(claims jwt.Claims) string { return signed(i.t, jwt.SigningMethodES256, i.key, claims) }
	}
	i.say(w, map[string]any{"access_token": i.access, "token_type": "Bearer", "expires_in": 300,
		"id_token": sign(claims)})
}

// challenge is what a sign-in shows of its verifier.
func challenge(verifier string) string {
	digest := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// signed returns a token with the key ID of the issuer's only key.
func signed(t *testing.T, method jwt.SigningMethod, key any, claims jwt.Claims) string {
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = "k1"
	text, err := token.SignedString(key)
	if err != nil {
		t.Error(err)
	}
	return text
}

// authorize is the person at the provider: it checks how the browser was sent there, and returns the query with which
// it is sent back.
func (i *issuer) authorize(location string) url.Values {
	i.t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		i.t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": clientID, "redirect_uri": returnURL,
		"code_challenge_method": "S256"} {
		if q.Get(name) != want {
			i.t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if !strings.HasPrefix(location, i.url+"/authorize?") || len(q.Get("state")) < 43 || len(q.Get("nonce")) < 43 ||
		len(q.Get("code_challenge")) < 43 || !strings.HasPrefix(q.Get("scope"), "openid") {
		i.t.Errorf("the browser is sent to %s", location)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	code := "code-" + strconv.Itoa(len(i.asked)+len(i.codes)) + rand.Text()
	i.codes[code] = q
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}
