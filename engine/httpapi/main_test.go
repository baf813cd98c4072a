package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// people are a boss, the people whom she and Bob manage, and a name that HTML and JSON have to escape.
const people = `id,name,first,last,mail,home,dept,mgr
ann,Ann Boss,Ann,Boss,ann@example.com,ann@home.example,Board,
bob,Bob Twain,Bob,Twain,bob@example.com,,Sales,ann
cy,Cy Self,Cy,Self,,,Legal,ann
dee,"Dee ""Dot"" <&>",Dee,Dot,dee@example.com,,Sales,bob
`

// server is the API over an engine on a database of the test's own, and clients for it.
type server struct {
	*enginetest.Company
	t       testing.TB
	handler http.Handler
	issuer  *devtoken.Issuer
	logs    *logs
	// documents are what requests and responses are held against: that of the API, and the published ones where they
	// are at hand, in MUSTER_CONTRACT_DIR.
	documents []*wire.Document
}

// logs collects what is logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var secret = []byte(strings.Repeat("0123456789abcdef", 2))

func newServer(t testing.TB, config httpapi.Config) *server {
	t.Helper()
	s := &server{Company: enginetest.NewEmpty(t), t: t, logs: &logs{},
		documents: []*wire.Document{wire.Load(t, httpapi.Document())}}
	if wire.PublishedAtHand(t) {
		s.documents = append(s.documents, wire.LoadPublished(t), wire.LoadNeighbours(t))
	}
	var err error
	if s.issuer, err = devtoken.New(secret); err != nil {
		t.Fatal(err)
	}
	if config.Authenticator == nil {
		if config.Authenticator, err = httpapi.NewJWT(t.Context(), s.issuer.Verifier()); err != nil {
			t.Fatal(err)
		}
	}
	config.Logger = slog.New(slog.NewTextHandler(s.logs, nil))
	if config.RateLimit == (httpapi.RateLimit{}) {
		config.RateLimit.Off = true
	}
	if s.handler, err = httpapi.New(s.Engine, config); err != nil {
		t.Fatal(err)
	}
	return s
}

// company fills the database: Ann is the boss of Bob and Cy, Bob that of Dee; Bob and Dee are in sales.
func company(t testing.TB) *server {
	t.Helper()
	s := newServer(t, httpapi.Config{})
	s.ApplyText(enginetest.DocumentsWith("home", "personalEmail"))
	s.ApplyText(enginetest.Roles)
	s.AggregateText("HR", people, engine.AggregateOptions{})
	s.AggregateText("Directory", "sam,emp,groups\nbobt,bob,sales\n", engine.AggregateOptions{})
	s.Process()
	return s
}

// token returns a token with a user level and scopes; without scopes it has that of every right.
func (s *server) token(level string, scopes ...string) string {
	s.t.Helper()
	grant := devtoken.Grant{ClientID: "test", Scopes: scopes}
	if level != "" {
		grant.Authorities = []string{level}
	}
	token, err := s.issuer.Mint(grant, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// response is what the server answered.
type response struct {
	*http.Response
	t    testing.TB
	body []byte
}

// request is something to ask the server.
type request struct {
	method, path, body string
	token              string // that of an administrator where it is empty, none where it is "-"
	header             http.Header
	faulty             bool // it breaks the document on purpose
	unpublished        bool // the document does not have it
}

// do asks the server, and holds request and response against the document.
func (s *server) do(r request) *response {
	s.t.Helper()
	ctx := s.t.Context()
	if r.faulty {
		ctx = wire.Faulty(ctx)
	}
	var body io.Reader = http.NoBody
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	// The scheme and the host are what the router of the document knows of no server.
	sent, err := http.NewRequestWithContext(ctx, r.method, "http://localhost"+r.path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if r.body != "" {
		sent.Header.Set("Content-Type", "application/json")
	}
	for name, values := range r.header {
		sent.Header[name] = values
	}
	switch r.token {
	case "-":
	case "":
		sent.Header.Set("Authorization", "Bearer "+s.token("ORG_ADMIN"))
	default:
		sent.Header.Set("Authorization", "Bearer "+r.token)
	}
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, sent)
	result := recorder.Result()
	if !r.unpublished {
		s.check(sent, result)
	}
	text, err := io.ReadAll(result.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if result.StatusCode == http.StatusInternalServerError {
		s.t.Log(s.logs.String()) // the answer does not say why
	}
	return &response{result, s.t, text}
}

func (s *server) check(request *http.Request, response *http.Response) {
	s.t.Helper()
	for _, document := range s.documents {
		document.Check(s.t, request, response)
	}
}

func (s *server) get(path string) *response { return s.do(request{method: http.MethodGet, path: path}) }

func (s *server) post(path, body string) *response {
	return s.do(request{method: http.MethodPost, path: path, body: body})
}

// demand fails unless the status is this one, and decodes the body into where.
func (r *response) demand(status int, into any) *response {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Fatalf("%d, want %d: %s", r.StatusCode, status, r.body)
	}
	if into == nil {
		if len(r.body) > 0 {
			r.t.Fatalf("no body is expected, got %s", r.body)
		}
		return r
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		r.t.Fatalf("%v: %s", err, r.body)
	}
	return r
}

// failure is the published error body.
type failure struct {
	DetailCode string `json:"detailCode"`
	TrackingID string `json:"trackingId"`
	Messages   []struct {
		Locale, LocaleOrigin, Text string
	} `json:"messages"`
	Causes []any `json:"causes"`
}

// refuses fails unless the response is a failure with this code, whose text holds a part.
func (r *response) refuses(status int, code, part string) failure {
	r.t.Helper()
	var f failure
	r.demand(status, &f)
	if f.DetailCode != code || len(f.Messages) != 2 || !strings.Contains(f.Messages[0].Text, part) ||
		f.Messages[0].Text != f.Messages[1].Text || f.Causes == nil || f.TrackingID != r.Header.Get("SLPT-Request-ID") {
		r.t.Errorf("want %q with %q, got %s", code, part, r.body)
	}
	return f
}
