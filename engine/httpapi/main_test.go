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

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const configuration = `
sources:
  - name: HR
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        displayAttribute: name
        attributes: [{name: id}, {name: name}, {name: mail}, {name: private}, {name: dept}, {name: mgr}]
    managerCorrelationMapping: {accountAttributeName: mgr, identityAttributeName: identificationNumber}
  - name: Directory
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: sam
        attributes: [{name: sam}, {name: emp}, {name: groups, isMulti: true, isEntitlement: true}]
    accountCorrelationConfig:
      attributeAssignments: [{property: identificationNumber, value: emp, operation: EQ}]
identityProfiles:
  - name: Employees
    authoritativeSource: {type: SOURCE, name: HR}
    identityAttributeConfig:
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}
        - {identityAttributeName: displayName, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: name}}}
        - {identityAttributeName: firstname, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: name}}}
        - {identityAttributeName: lastname, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: name}}}
        - {identityAttributeName: email, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: mail}}}
        - {identityAttributeName: personalEmail, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: private}}}
        - {identityAttributeName: department, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}}}
        - {identityAttributeName: identificationNumber, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}
accessProfiles:
  - name: Sales files
    source: {type: SOURCE, name: Directory}
    entitlements: [{attribute: groups, value: sales}]
roles:
  - name: Sales
    enabled: true
    accessProfiles: [{type: ACCESS_PROFILE, name: Sales files}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: Sales}
  - {name: Auditor, enabled: true}
`

const people = `id,name,mail,private,dept,mgr
1,Ann Boss,ann@example.com,ann@home.example,Board,
2,Bob Two,bob@example.com,,Sales,1
3,Cy Three,,,Legal,1
4,"Dee ""Four"" <&>",dee@example.com,,Sales,2
`

// server is the API over an engine on a database of the test's own, and clients for it.
type server struct {
	*engine.Engine
	t       testing.TB
	pool    *pgxpool.Pool
	handler http.Handler
	issuer  *devtoken.Issuer
	logs    *logs
	// documents are what requests and responses are held against: that of the API, and the published one where it is at
	// hand, in MUSTER_CONTRACT_DIR.
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
	s := &server{t: t, pool: storetest.Pool(t), logs: &logs{},
		documents: []*wire.Document{wire.Load(t, httpapi.Document())}}
	if wire.PublishedAtHand(t) {
		s.documents = append(s.documents, wire.LoadPublished(t))
	}
	eng, err := engine.New(t.Context(), s.pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s.Engine = eng
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
	if s.handler, err = httpapi.New(eng, config); err != nil {
		t.Fatal(err)
	}
	return s
}

// company fills the database: Ann is the boss of Bob and Cy, Bob that of Dee; Bob and Dee are in sales.
func company(t testing.TB) *server {
	t.Helper()
	s := newServer(t, httpapi.Config{})
	documents, err := engine.ReadDocuments("config.yaml", strings.NewReader(configuration))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	for source, text := range map[string]string{"HR": people, "Directory": "sam,emp,groups\nbob,2,sales\n"} {
		if _, err := s.Aggregate(t.Context(), source, strings.NewReader(text), engine.AggregateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s.process()
	return s
}

func (s *server) process() {
	s.t.Helper()
	if _, err := s.ProcessPending(s.t.Context(), engine.ProcessOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// id returns the ID of an identity by its alias.
func (s *server) id(alias string) string {
	s.t.Helper()
	identity, err := s.FindIdentity(s.t.Context(), alias)
	if err != nil {
		s.t.Fatal(err)
	}
	return identity.ID
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
