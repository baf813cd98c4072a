//go:build load

package loadtest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
	"github.com/muster-engine/muster/store/storetest"
)

// The extent of the server.
const (
	people   = 4000
	connsMax = 24
)

// targetConfig makes the directory a target.
const targetConfig = `
sources:
  - name: Directory
    schemas:
      - name: account
        identityAttribute: sam
        attributes: [{name: sam}, {name: emp}, {name: mail}, {name: groups, isMulti: true, isEntitlement: true}]
    accountCorrelationConfig: {attributeAssignments: [{property: identificationNumber, value: emp, operation: EQ}]}
    attributeSyncConfig: {attributes: [{name: email, enabled: true, target: mail}]}
    provisioningPolicies:
      - name: Account
        usageType: CREATE
        fields:
          - {name: sam, transform: {type: identityAttribute, attributes: {name: uid}}}
          - {name: mail, transform: {type: identityAttribute, attributes: {name: email}}}
lifecycleStates:
  - {name: Active, technicalName: active, identityState: ACTIVE, identityProfile: {name: Employees}}
roles:
  - {name: Lead, enabled: true}
`

// departments is how many there are, each with a role.
const departments = 20

func targetWithRoles() string {
	var b strings.Builder
	b.WriteString(targetConfig)
	for i := range departments {
		fmt.Fprintf(&b, `  - name: Department %[1]d
    enabled: true
    entitlements: [{source: {name: Directory}, attribute: groups, value: group%[1]d}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: D%[1]d}
`, i)
	}
	return b.String()
}

// hrText is the rows of some people, whose department changes with the round.
func hrText(from, to, round int) string {
	var b strings.Builder
	b.WriteString("id,name,first,last,mail,dept,mgr\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "%d,Person %[1]d,Person,%[1]d,p%[1]d@example.com,D%[2]d,%[3]d\n", i, (i+round)%departments, i/8)
	}
	return b.String()
}

// sink is a notifier whose mail goes nowhere.
type sink struct{ messages atomic.Int64 }

func (s *sink) Notify(context.Context, *engine.Message) error {
	s.messages.Add(1)
	return nil
}

// faults counts what the server logs as an error.
type faults struct {
	slog.Handler
	t     *testing.T
	count atomic.Int64
}

func (f *faults) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (f *faults) Handle(_ context.Context, r slog.Record) error {
	if f.count.Add(1) > 20 { // the first ones tell enough
		return nil
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	f.t.Logf("the server logs: %s", text)
	return nil
}

func (f *faults) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f *faults) WithGroup(string) slog.Handler      { return f }

// server is the API behind a listener on the loopback interface, over a database of its own.
type server struct {
	*enginetest.Company
	t        *testing.T
	url      string // of the database
	address  string
	web      *http.Server
	served   chan error
	issuer   *devtoken.Issuer
	document *wire.Document
	faults   *faults
	ids      []string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, url: storetest.ConnString(t), document: wire.Load(t, httpapi.Document()),
		served: make(chan error, 1), faults: &faults{t: t}}
	config, err := pgxpool.ParseConfig(s.url)
	s.must(err)
	config.MaxConns = connsMax
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	s.must(err)
	logger := slog.New(s.faults)
	s.Company = enginetest.NewEmpty(t, enginetest.WithPool(pool),
		enginetest.WithConfig(engine.Config{Guard: engine.Guard{Off: true}, Notifier: &sink{}, Logger: logger}))
	s.populate()
	s.issuer, err = devtoken.New([]byte(strings.Repeat("0123456789abcdef", 2)))
	s.must(err)
	verifier, err := httpapi.NewJWT(t.Context(), s.issuer.Verifier())
	s.must(err)
	api, err := httpapi.New(s.Engine, httpapi.Config{Authenticator: verifier, Logger: logger})
	s.must(err)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	s.must(err)
	s.address = listener.Addr().String()
	s.web = &http.Server{Handler: api, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	go func() { s.served <- s.web.Serve(listener) }()
	s.must(s.Start(t.Context()))
	return s
}

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) populate() {
	s.t.Helper()
	s.ApplyText(enginetest.Documents)
	s.ApplyText(targetWithRoles())
	var directory strings.Builder
	directory.WriteString("sam,emp,mail,groups\n")
	for i := range people / 2 {
		fmt.Fprintf(&directory, "s%d,%d,,\n", i, i)
	}
	s.AggregateText("HR", hrText(0, people, 0), engine.AggregateOptions{})
	s.Process()
	s.AggregateText("Directory", directory.String(), engine.AggregateOptions{})
	s.Process()
	_, err := s.Pool.Exec(s.t.Context(), `VACUUM ANALYZE`)
	s.must(err)
	for offset := 0; offset < people; offset += 250 {
		page, err := s.ListIdentities(s.t.Context(), engine.ListParams{Offset: offset})
		s.must(err)
		for i := range page.Identities {
			s.ids = append(s.ids, page.Identities[i].ID)
		}
	}
	// Somebody who cannot be deleted.
	s.must(s.RegisterOwned(s.t.Context(), engine.OwnedObject{Kind: "APPLICATION", ID: "1", Name: "Wiki", Owner: s.ids[0]}))
}

// stop ends the server, and everything that it had.
func (s *server) stop() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), time.Minute)
	defer cancel()
	s.must(s.web.Shutdown(ctx))
	if err := <-s.served; err != http.ErrServerClosed { //nolint:errorlint // it is returned as it is
		s.t.Error(err)
	}
	s.must(s.Stop(ctx))
	if held := s.Pool.Stat().AcquiredConns(); held != 0 {
		s.t.Errorf("%d connections of the pool were not given back", held)
	}
	s.Pool.Close()
}

// client returns an HTTP client with connections of its own to the server, which is localhost to the document.
func (s *server) client() *http.Client {
	dialer := &net.Dialer{}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, s.address)
		},
		MaxIdleConnsPerHost: 4,
	}}
}

// token returns the token of a client with a user level, "" for none.
func (s *server) token(client, level string) string {
	s.t.Helper()
	grant := devtoken.Grant{ClientID: client, TTL: 24 * time.Hour}
	if level != "" {
		grant.Authorities = []string{level}
	}
	token, err := s.issuer.Mint(grant, time.Now())
	s.must(err)
	return token
}
