package devtoken_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
)

var secret = []byte(strings.Repeat("s", httpapi.SecretLengthMin))

func newIssuer(t *testing.T) *devtoken.Issuer {
	t.Helper()
	issuer, err := devtoken.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

// principal returns whom a token is for.
func principal(t *testing.T, issuer *devtoken.Issuer, token string) *httpapi.Principal {
	t.Helper()
	verifier, err := httpapi.NewJWT(t.Context(), issuer.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	p, err := verifier.Authenticate(request)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type answer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
}

func ask(t *testing.T, endpoint http.Handler, request *http.Request) (int, answer) {
	t.Helper()
	recorder := httptest.NewRecorder()
	endpoint.ServeHTTP(recorder, request)
	var a answer
	if err := json.NewDecoder(recorder.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	if recorder.Header().Get("Cache-Control") != "no-store" {
		t.Error("the answer may be stored")
	}
	return recorder.Code, a
}

func post(t *testing.T, path, kind, body string) *http.Request {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	return request
}

// However a client sends its credentials, it gets a token that the API takes.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	endpoint := issuer.Endpoint([]devtoken.Client{{ID: "other", Secret: "x"},
		{ID: "demo", Secret: "pass word", Authorities: []string{"ORG_ADMIN", "HELPDESK"}}})
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	for name, value := range map[string]string{"grant_type": "client_credentials", "client_id": "demo",
		"client_secret": "pass word"} {
		if err := parts.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	const urlencoded = "application/x-www-form-urlencoded"
	basic := post(t, "/oauth/token", urlencoded, "grant_type=client_credentials")
	basic.SetBasicAuth("demo", "pass word")
	for name, request := range map[string]*http.Request{
		"form": post(t, "/oauth/token", urlencoded,
			"grant_type=client_credentials&client_id=demo&client_secret=pass+word"),
		"JSON": post(t, "/oauth/token", "application/json; charset=utf-8",
			`{"grant_type": "client_credentials", "client_id": "demo", "client_secret": "pass word"}`),
		"multipart": post(t, "/oauth/token", parts.FormDataContentType(), form.String()),
		"basic":     basic,
		"query":     post(t, "/oauth/token?grant_type=client_credentials&client_id=demo&client_secret=pass+word", "", ""),
	} {
		status, a := ask(t, endpoint, request)
		if status != http.StatusOK || a.TokenType != "bearer" || a.ExpiresIn != 3600 || a.Scope != "sp:scopes:all" {
			t.Errorf("%s: %d %+v", name, status, a)
			continue
		}
		p := principal(t, issuer, a.AccessToken)
		if p.ClientID != "demo" || !slices.Equal(p.Authorities, []string{"ORG_ADMIN", "HELPDESK"}) ||
			!slices.Equal(p.Scopes, []string{"sp:scopes:all"}) {
			t.Errorf("got %s: %+v, want p.ClientID == \"demo\" && slices.Equal(p.Authorities, []string{\"ORG_ADMIN\", \"HELPDESK\"}) && slices.Equal(p.Scopes, []string{\"sp:scopes:all\"})", name, p)
		}
	}
	_, a := ask(t, endpoint, post(t, "/oauth/token", urlencoded,
		"grant_type=client_credentials&client_id=other&client_secret=x&scope=idn:identity:read+idn:identity:manage"))
	p := principal(t, issuer, a.AccessToken)
	if len(p.Authorities) != 0 || !slices.Equal(p.Scopes, []string{"idn:identity:read", "idn:identity:manage"}) {
		t.Errorf("got %+v, want len(p.Authorities) == 0 && slices.Equal(p.Scopes, []string{\"idn:identity:read\", \"idn:identity:manage\"})", p)
	}
}

func TestEndpointFaults(t *testing.T) {
	t.Parallel()
	endpoint := newIssuer(t).Endpoint([]devtoken.Client{{ID: "demo", Secret: "secret"}})
	const urlencoded = "application/x-www-form-urlencoded"
	const grant = "grant_type=client_credentials&client_id=demo&client_secret="
	for _, test := range []struct {
		name    string
		request *http.Request
		status  int
		code    string
	}{
		{"wrong secret", post(t, "/", urlencoded, grant+"Secret"), 401, "invalid_client"},
		{"no secret", post(t, "/", urlencoded, grant), 401, "invalid_client"},
		{"unknown client", post(t, "/", urlencoded, "grant_type=client_credentials&client_id=x&client_secret=secret"), 401,
			"invalid_client"},
		{"another grant", post(t, "/", urlencoded, "grant_type=password"), 400, "unsupported_grant_type"},
		{"no grant", post(t, "/", "", ""), 400, "unsupported_grant_type"},
		{"no JSON", post(t, "/", "application/json", "{"), 400, "invalid_request"},
		{"numbers", post(t, "/", "application/json", `{"client_id": 1}`), 400, "invalid_request"},
		{"no boundary", post(t, "/", "multipart/form-data", "x"), 400, "invalid_request"},
		{"too long", post(t, "/", urlencoded, "a="+strings.Repeat("x", 1<<20)), 413, "invalid_request"},
		{"GET", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), 405, "invalid_request"},
	} {
		if status, a := ask(t, endpoint, test.request); status != test.status || a.Error != test.code || a.AccessToken != "" {
			t.Errorf("got %s: %d %+v, want status == test.status && a.Error == test.code && a.AccessToken == \"\"", test.name, status, a)
		}
	}
}

// Who guesses has to wait, and finds nothing meanwhile; others go on.
func TestGuesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		endpoint := newIssuer(t).Endpoint([]devtoken.Client{{ID: "demo", Secret: "secret"}, {ID: "other", Secret: "x"}})
		grant := func(client, secret string) (status int, wait string) {
			t.Helper()
			recorder := httptest.NewRecorder()
			endpoint.ServeHTTP(recorder, post(t, "/", "application/x-www-form-urlencoded",
				"grant_type=client_credentials&client_id="+client+"&client_secret="+secret))
			return recorder.Code, recorder.Header().Get("Retry-After")
		}
		demand := func(client, secret string, want int, wantWait string) {
			t.Helper()
			if status, wait := grant(client, secret); status != want || wait != wantWait {
				t.Errorf("%s:%s: %d, Retry-After %q; want %d, %q", client, secret, status, wait, want, wantWait)
			}
		}
		for range devtoken.GuessesMax {
			demand("demo", "secret", http.StatusOK, "") // who knows it uses up nothing
			demand("demo", "guess", http.StatusUnauthorized, "")
			demand("nobody", "guess", http.StatusUnauthorized, "")
		}
		demand("demo", "guess", http.StatusTooManyRequests, "60")
		demand("demo", "secret", http.StatusTooManyRequests, "60")
		demand("somebody", "guess", http.StatusTooManyRequests, "60")
		demand("other", "x", http.StatusOK, "")
		time.Sleep(devtoken.GuessEvery / 2)
		demand("demo", "secret", http.StatusTooManyRequests, "30")
		time.Sleep(devtoken.GuessEvery / 2)
		demand("demo", "secret", http.StatusOK, "")
		demand("demo", "guess", http.StatusUnauthorized, "")
		demand("demo", "secret", http.StatusTooManyRequests, "60")
	})
}

// Guesses at the same time are as few as others.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	endpoint := newIssuer(t).Endpoint([]devtoken.Client{{ID: "demo", Secret: "secret"}})
	var group sync.WaitGroup
	var looked atomic.Int64
	for range 200 {
		group.Go(func() {
			recorder := httptest.NewRecorder()
			endpoint.ServeHTTP(recorder, post(t, "/", "application/x-www-form-urlencoded",
				"grant_type=client_credentials&client_id=demo&client_secret=guess"))
			if recorder.Code == http.StatusUnauthorized {
				looked.Add(1)
			}
		})
	}
	group.Wait()
	if n := looked.Load(); n != devtoken.GuessesMax {
		t.Errorf("%d of 200 guesses were looked at, want %d", n, devtoken.GuessesMax)
	}
}

func TestMintFaults(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	for _, g := range []devtoken.Grant{{}, {ClientID: "c", TTL: -time.Second}, {ClientID: "c",
		TTL: devtoken.TTLMax + 1}} {
		if token, err := issuer.Mint(g, time.Now()); err == nil {
			t.Errorf("got %+v: %s, want err != nil", g, token)
		}
	}
	if _, err := devtoken.New(secret[1:]); err == nil {
		t.Error("a short secret is taken")
	}
}

func TestParseClient(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]devtoken.Client{
		"a:b":                     {ID: "a", Secret: "b"},
		"a:b:":                    {ID: "a", Secret: "b"},
		"a:b:ORG_ADMIN":           {ID: "a", Secret: "b", Authorities: []string{"ORG_ADMIN"}},
		"a:b: ORG_ADMIN,HELPDESK": {ID: "a", Secret: "b", Authorities: []string{"ORG_ADMIN", "HELPDESK"}},
	} {
		got, err := devtoken.ParseClient(text)
		if err != nil || got.ID != want.ID || got.Secret != want.Secret ||
			!slices.Equal(got.Authorities, want.Authorities) {
			t.Errorf("got %q: %+v, %v, want err == nil && got.ID == want.ID && got.Secret == want.Secret && slices.Equal(got.Authorities, want.Authorities)", text, got, err)
		}
	}
	for _, text := range []string{"", "a", ":b", "a:", "a:hunter2:c:d"} {
		if _, err := devtoken.ParseClient(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %q: %v, want err != nil && !strings.Contains(err.Error(), \"hunter2\")", text, err)
		}
	}
}
