package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
)

// A client that calls too often is told when to come again; others, and other versions, are not concerned.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{RateLimit: httpapi.RateLimit{Requests: 3, Period: time.Hour}})
	get := func(path, client string) *response {
		token, err := s.issuer.Mint(devtoken.Grant{ClientID: client, Authorities: []string{"ORG_ADMIN"}}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return s.do(request{method: http.MethodGet, path: path, token: token})
	}
	for range 3 {
		if response := get("/beta/identities", "busy"); response.StatusCode != http.StatusOK {
			t.Fatalf("got %d %s, want response.StatusCode == http.StatusOK", response.StatusCode, response.body)
		}
	}
	response := get("/beta/identities/x", "busy")
	var body struct{ Message string }
	response.demand(http.StatusTooManyRequests, &body)
	wait, err := time.ParseDuration(response.Header.Get("Retry-After") + "s")
	if err != nil || wait < 19*time.Minute || wait > 20*time.Minute || body.Message != " Rate Limit Exceeded " {
		t.Errorf("got %v, %v, %s, want err == nil && wait >= 19 * time.Minute && wait <= 20 * time.Minute && body.Message == \" Rate Limit Exceeded \"", response.Header, err, response.body)
	}
	if !strings.Contains(s.logs.String(), `decision="over the rate limit"`) {
		t.Error(s.logs)
	}
	for client, path := range map[string]string{"calm": "/beta/identities", "busy": "/v2024/identities"} {
		if response := get(path, client); response.StatusCode != http.StatusOK {
			t.Errorf("%s of %s: %d", path, client, response.StatusCode)
		}
	}
}

// The default is the published limit.
func TestRateLimitDefault(t *testing.T) {
	t.Parallel()
	config := httpapi.Config{}.WithDefaults()
	if config.RateLimit != (httpapi.RateLimit{Requests: 100, Period: 10 * time.Second}) {
		t.Errorf("got %+v, want config.RateLimit == (httpapi.RateLimit{Requests: 100, Period: 10 * time.Second})", config.RateLimit)
	}
}

// A failure is told in the default locale and in the one that the request asks for.
func TestLocales(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	for asked, want := range map[string]string{"": "und", "de-DE, de;q=0.9": "en-US", "en-GB": "en-US", "en-US": "en-US",
		"*": "en-US", ";;;": "und", strings.Repeat("a,", 5000): "und"} {
		header := http.Header{}
		if asked != "" {
			header.Set("Accept-Language", asked)
		}
		f := s.do(request{method: http.MethodGet, path: "/beta/identities/x", header: header}).
			refuses(http.StatusNotFound, "404 Not found", "")
		if f.Messages[0].Locale != "en-US" || f.Messages[0].LocaleOrigin != "DEFAULT" ||
			f.Messages[1].Locale != want || f.Messages[1].LocaleOrigin != "REQUEST" {
			t.Errorf("%.20q: %+v, want %s", asked, f.Messages, want)
		}
	}
}

// What a request asks for, and by which token, is nobody's business who reads the log.
func TestLogHoldsNothingPersonal(t *testing.T) {
	t.Parallel()
	s := company(t)
	token := s.token("ORG_ADMIN")
	for _, r := range []request{
		{method: http.MethodGet, path: "/beta/identities?filters=" + url.QueryEscape(`email eq "ann@example.com"`)},
		{method: http.MethodGet, path: "/beta/identities?filters=" + url.QueryEscape(`email zz "ann@example.com"`),
			faulty: true},
		{method: http.MethodPost, path: "/beta/identities/process", body: `{"identityIds": ["ann@example.com"]}`},
		{method: http.MethodGet, path: "/beta/identities/ann@example.com"},
	} {
		r.token = token
		s.do(r)
	}
	log := s.logs.String()
	for _, text := range []string{token, "ann@", "example.com"} {
		if strings.Contains(log, text) {
			t.Errorf("the log holds %q:\n%s", text, log)
		}
	}
	for _, text := range []string{"operation=listIdentities", "version=beta", "status=200", "status=400", "status=404",
		"decision=allowed", "client=test"} {
		if !strings.Contains(log, text) {
			t.Errorf("the log does not hold %q:\n%s", text, log)
		}
	}
}

// A fault of the server's own is told as one, with no more of it than the tracking ID.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, authenticate := range map[string]httpapi.AuthenticatorFunc{
		"panic": func(*http.Request) (*httpapi.Principal, error) { panic("hunter2") },
		"error": func(*http.Request) (*httpapi.Principal, error) { return nil, errors.New("no connection") },
	} {
		var observed []httpapi.Observation
		s := newServer(t, httpapi.Config{Authenticator: authenticate,
			Observe: func(_ context.Context, o httpapi.Observation) { observed = append(observed, o) }})
		f := s.get("/beta/identities").refuses(http.StatusInternalServerError, "500.0 Internal Fault", "internal fault")
		if log := s.logs.String(); !strings.Contains(log, f.TrackingID) || !strings.Contains(log, "level=ERROR") ||
			strings.Contains(log, "hunter2") {
			t.Errorf("got %s: %s, want strings.Contains(log, f.TrackingID) && strings.Contains(log, \"level=ERROR\") && !strings.Contains(log, \"hunter2\")", name, log)
		}
		if len(observed) != 1 || observed[0].Operation != "listIdentities" || observed[0].Status != 500 ||
			observed[0].Version != "beta" {
			t.Errorf("got %s: %+v, want len(observed) == 1 && observed[0].Operation == \"listIdentities\" && observed[0].Status == 500 && observed[0].Version == \"beta\"", name, observed)
		}
	}
}

// While the database is away the API says so, and is not ready; then it goes on.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	var status struct{ Status string }
	s.do(request{method: http.MethodGet, path: "/readyz", token: "-"}).demand(http.StatusOK, &status)
	var database string
	if err := s.Pool.QueryRow(t.Context(), "SELECT current_database()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	s.Pool.Close()
	response := s.do(request{method: http.MethodGet, path: "/readyz", token: "-"})
	response.refuses(http.StatusServiceUnavailable, "503 Service unavailable", "later")
	if response.Header.Get("Retry-After") == "" {
		t.Error("Retry-After is missing")
	}
	s.do(request{method: http.MethodGet, path: "/healthz", token: "-"}).demand(http.StatusOK, &status)
	if away := s.get("/beta/identities"); away.StatusCode < 500 {
		t.Errorf("got %d %s, want away.StatusCode >= 500", away.StatusCode, away.body)
	}
}

// A client that goes away is no fault.
func TestClientGone(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/beta/identities", nil)
	request.Header.Set("Authorization", "Bearer "+s.token("ORG_ADMIN"))
	s.handler.ServeHTTP(httptest.NewRecorder(), request)
	if log := s.logs.String(); !strings.Contains(log, "the client went away") || strings.Contains(log, "level=ERROR") {
		t.Error(log)
	}
}

// A request that takes too long is ended.
func TestRequestTimeout(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{RequestTimeout: time.Nanosecond})
	response := s.get("/beta/identities")
	response.refuses(http.StatusServiceUnavailable, "503 Service unavailable", "too long")
	if response.Header.Get("Retry-After") == "" {
		t.Error("Retry-After is missing")
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	response := s.do(request{method: http.MethodGet, path: "/openapi.json", token: "-"})
	if response.StatusCode != http.StatusOK || !bytes.Equal(response.body, httpapi.Document()) ||
		response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %v, want response.StatusCode == http.StatusOK && bytes.Equal(response.body, httpapi.Document()) && response.Header.Get(\"Content-Type\") == \"application/json\"", response.StatusCode, response.Header)
	}
}

// A host mounts the API where it likes.
func TestMounted(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	mux := http.NewServeMux()
	mux.Handle("/api/iam/", http.StripPrefix("/api/iam", s.handler))
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/iam/beta/identities?count=true", nil)
	request.Header.Set("Authorization", "Bearer "+s.token("ORG_ADMIN"))
	mux.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK || strings.TrimSpace(recorder.Body.String()) != "[]" ||
		recorder.Header().Get("X-Total-Count") != "0" {
		t.Errorf("got %d %v %s, want recorder.Code == http.StatusOK && strings.TrimSpace(recorder.Body.String()) == \"[]\" && recorder.Header().Get(\"X-Total-Count\") == \"0\"", recorder.Code, recorder.Header(), recorder.Body)
	}
}

// Later versions ask for a header, which may come or not.
func TestExperimentalHeader(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	for _, header := range []http.Header{nil, {"X-Sailpoint-Experimental": {"true"}}} {
		s.do(request{method: http.MethodPost, path: "/v2024/identities/process", body: `{"identityIds": ["x"]}`,
			header: header}).refuses(http.StatusNotFound, "404 Not found", "x")
	}
}

func TestNewFaults(t *testing.T) {
	t.Parallel()
	allow := httpapi.AuthenticatorFunc(func(*http.Request) (*httpapi.Principal, error) { return nil, nil })
	for want, config := range map[string]httpapi.Config{
		"Authenticator is missing": {},
		"RateLimit.Requests":       {Authenticator: allow, RateLimit: httpapi.RateLimit{Requests: -1}},
		"RateLimit.Period":         {Authenticator: allow, RateLimit: httpapi.RateLimit{Period: -1}},
		"RequestTimeout":           {Authenticator: allow, RequestTimeout: -1},
	} {
		if _, err := httpapi.New(nil, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Many clients at once get their own answers.
func TestManyClients(t *testing.T) {
	t.Parallel()
	s := company(t)
	token := s.token("ORG_ADMIN")
	ids, aliases := map[string]string{}, []string{"ann", "bob", "cy", "dee"}
	for _, alias := range aliases {
		ids[alias] = s.ID(alias)
	}
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			alias := aliases[i%len(aliases)]
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/beta/identities/"+ids[alias], nil)
			request.Header.Set("Authorization", "Bearer "+token)
			recorder := httptest.NewRecorder()
			s.handler.ServeHTTP(recorder, request)
			if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), `"alias":"`+alias+`"`) {
				t.Errorf("got %d %s, want recorder.Code == http.StatusOK && strings.Contains(recorder.Body.String(), `\"alias\":\"`+alias+`\"`)", recorder.Code, recorder.Body)
			}
		})
	}
	group.Wait()
}
