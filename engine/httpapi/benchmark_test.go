package httpapi_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
)

// The extent of the benchmarks: how many clients there are, each with a connection that is kept alive, and how many
// people.
const (
	benchmarkClients = 50
	benchmarkPeople  = 2000
)

// BenchmarkGet compares getting an identity with a bare handler that runs the same statement and writes the same JSON.
func BenchmarkGet(b *testing.B) {
	f := newFaces(b)
	f.compare(b, 20, func(i int) string { return "/beta/identities/" + f.ids[i%len(f.ids)] })
}

// BenchmarkList is [BenchmarkGet] of a full page.
func BenchmarkList(b *testing.B) {
	f := newFaces(b)
	f.compare(b, 2, func(int) string { return "/beta/identities?limit=250" })
}

// faces are the handler and the bare one, each behind a server.
type faces struct {
	api, bare *httptest.Server
	token     string
	ids       []string
	client    *http.Client
}

// statements remembers what a pool was asked last.
type statements struct {
	last atomic.Pointer[pgx.TraceQueryStartData]
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.last.Store(&data)
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func newFaces(b *testing.B) *faces {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	c := enginetest.NewEmpty(b)
	eng, pool := c.Engine, c.Pool
	benchmarkPopulation(c)
	_, err := pool.Exec(b.Context(), `VACUUM ANALYZE`)
	must(err)
	page, err := eng.ListIdentities(b.Context(), engine.ListParams{})
	must(err)
	f := &faces{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchmarkClients,
		DisableCompression: true}}} // the other face does not compress either
	b.Cleanup(f.client.CloseIdleConnections)
	for i := range page.Identities {
		f.ids = append(f.ids, page.Identities[i].ID)
	}
	get, list := askedStatements(b, pool, f.ids[0])
	mux := http.NewServeMux()
	mux.HandleFunc("GET /beta/identities/{id}", func(w http.ResponseWriter, r *http.Request) {
		rows, err := bareRows(r.Context(), pool, get.SQL, r.PathValue("id"))
		if err != nil || len(rows) != 1 {
			http.Error(w, fmt.Sprint(len(rows), err), http.StatusInternalServerError)
			return
		}
		bareJSON(w, rows[0])
	})
	mux.HandleFunc("GET /beta/identities", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("limit") != "250" {
			http.Error(w, "limit", http.StatusBadRequest)
			return
		}
		rows, err := bareRows(r.Context(), pool, list.SQL, list.Args...)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		bareJSON(w, rows)
	})
	issuer, err := devtoken.New(secret)
	must(err)
	verifier, err := httpapi.NewJWT(b.Context(), issuer.Verifier())
	must(err)
	handler, err := httpapi.New(eng, httpapi.Config{Authenticator: verifier, RateLimit: httpapi.RateLimit{Off: true}})
	must(err)
	f.token, err = issuer.Mint(devtoken.Grant{ClientID: "benchmark", Authorities: []string{"ORG_ADMIN"}}, time.Now())
	must(err)
	f.api, f.bare = httptest.NewServer(handler), httptest.NewServer(mux)
	b.Cleanup(f.api.Close)
	b.Cleanup(f.bare.Close)
	return f
}

func benchmarkPopulation(c *enginetest.Company) {
	c.ApplyText(enginetest.DocumentsWith("home", "personalEmail"))
	c.ApplyText(enginetest.Roles)
	var text strings.Builder
	text.WriteString("id,name,first,last,mail,home,dept,mgr\n")
	for i := range benchmarkPeople {
		fmt.Fprintf(&text, "%d,Person %[1]d,Person,%[1]d,p%[1]d@example.com,p%[1]d@home.example,D%[2]d,%[3]d\n", i, i%40, i/8)
	}
	c.AggregateText("HR", text.String(), engine.AggregateOptions{})
	c.Process()
}

// askedStatements returns the statements by which the engine gets an identity, and lists a page.
func askedStatements(b *testing.B, pool *pgxpool.Pool, id string) (get, list pgx.TraceQueryStartData) {
	b.Helper()
	var asked statements
	config := pool.Config()
	config.ConnConfig.Tracer = &asked
	traced, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	defer traced.Close()
	eng, err := engine.New(b.Context(), traced, engine.Config{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := eng.GetIdentity(b.Context(), id); err != nil {
		b.Fatal(err)
	}
	get = *asked.last.Load()
	if _, err := eng.ListIdentities(b.Context(), engine.ListParams{}); err != nil {
		b.Fatal(err)
	}
	return get, *asked.last.Load()
}

// bareIdentity is an identity as somebody would write it by hand.
type bareIdentity struct {
	ID              string          `json:"id"`
	Name            string          `json:"name"`
	Created         millis          `json:"created"`
	Modified        millis          `json:"modified"`
	Alias           string          `json:"alias"`
	EmailAddress    *string         `json:"emailAddress"`
	ProcessingState *string         `json:"processingState"`
	IdentityStatus  string          `json:"identityStatus"`
	ManagerRef      *bareReference  `json:"managerRef"`
	IsManager       bool            `json:"isManager"`
	LastRefresh     *millis         `json:"lastRefresh,omitempty"`
	Attributes      json.RawMessage `json:"attributes"`
	LifecycleState  *bareState      `json:"lifecycleState"`
}

type bareReference struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

type bareState struct {
	StateName       string `json:"stateName"`
	ManuallyUpdated bool   `json:"manuallyUpdated"`
}

// bareRows runs a statement, and scans what its rows begin with.
func bareRows(ctx context.Context, pool *pgxpool.Pool, sql string, arguments ...any) ([]*bareIdentity, error) {
	rows, err := pool.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*bareIdentity
	for rows.Next() {
		var i bareIdentity
		var id, profile, source, manager pgtype.UUID
		var failure, lifecycle, state, managerName *string
		var correlated, protected, manual bool
		var created, modified time.Time
		var refreshed *time.Time
		targets := []any{&id, &i.Name, &i.Alias, &i.EmailAddress, &i.IdentityStatus, &i.ProcessingState, &failure,
			&correlated, &protected, &profile, &source, &lifecycle, &manual, &state, &manager, &managerName, &i.IsManager,
			&i.Attributes, &created, &modified, &refreshed}
		for len(targets) < len(rows.FieldDescriptions()) {
			targets = append(targets, nil)
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		i.ID, i.Created, i.Modified = hex.EncodeToString(id.Bytes[:]), millis(created), millis(modified)
		if refreshed != nil {
			i.LastRefresh = new(millis)
			*i.LastRefresh = millis(*refreshed)
		}
		if manager.Valid {
			i.ManagerRef = &bareReference{"IDENTITY", hex.EncodeToString(manager.Bytes[:]), *managerName}
		}
		if lifecycle != nil {
			i.LifecycleState = &bareState{*lifecycle, manual}
		}
		extra := i.Attributes[:len(i.Attributes)-1]
		extra = append(extra, `,"cloudStatus":`+strconv.Quote(i.IdentityStatus)+`,"internalCloudStatus":`+
			strconv.Quote(i.IdentityStatus)...)
		if state != nil {
			extra = append(extra, `,"identityState":`+strconv.Quote(*state)...)
		}
		if source.Valid {
			extra = append(extra, `,"cloudAuthoritativeSource":"`+hex.EncodeToString(source.Bytes[:])+`"`...)
		}
		i.Attributes = append(extra, '}')
		list = append(list, &i)
	}
	return list, rows.Err()
}

func bareJSON(w http.ResponseWriter, body any) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(encoded.Len()))
	_, _ = w.Write(encoded.Bytes())
}

// ask returns the body of an answer, and how long it took to come.
func (f *faces) ask(ctx context.Context, url string) ([]byte, time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Authorization", "Bearer "+f.token)
	started := time.Now()
	response, err := f.client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	elapsed := time.Since(started)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d: %.200s", url, response.StatusCode, body)
	}
	return body, elapsed, err
}

// compare lets the clients ask both handlers in turns, each so many times, and reports the ratios of the latencies.
func (f *faces) compare(b *testing.B, times int, path func(i int) string) {
	b.Helper()
	f.demandSame(b, path(0))
	var api, bare []time.Duration
	for turn := 0; b.Loop(); turn++ {
		for k := range 2 { // the one that was last is first the next time
			if (turn+k)%2 == 0 {
				api = append(api, f.turn(b, f.api.URL, times, path)...)
			} else {
				bare = append(bare, f.turn(b, f.bare.URL, times, path)...)
			}
		}
	}
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		a, c := quantile(api, q.at), quantile(bare, q.at)
		b.ReportMetric(float64(a.Microseconds())/1000, q.name+"-ms")
		b.ReportMetric(float64(c.Microseconds())/1000, q.name+"-bare-ms")
		b.ReportMetric(float64(a)/float64(c), q.name+"-ratio")
	}
}

func quantile(values []time.Duration, q float64) time.Duration {
	slices.Sort(values)
	return values[int(q*float64(len(values)-1))]
}

// turn lets every client ask so many times, and returns how long each time took.
func (f *faces) turn(b *testing.B, url string, times int, path func(i int) string) []time.Duration {
	b.Helper()
	taken := make([][]time.Duration, benchmarkClients)
	var group sync.WaitGroup
	for client := range taken {
		group.Go(func() {
			for i := range times {
				_, elapsed, err := f.ask(b.Context(), url+path(client*times+i))
				if err != nil {
					b.Error(err)
					return
				}
				taken[client] = append(taken[client], elapsed)
			}
		})
	}
	group.Wait()
	return slices.Concat(taken...)
}

// demandSame fails unless both handlers answer the same.
func (f *faces) demandSame(b *testing.B, path string) {
	b.Helper()
	var answers [2]any
	for i, url := range []string{f.api.URL, f.bare.URL} {
		body, _, err := f.ask(b.Context(), url+path)
		if err == nil {
			err = json.Unmarshal(body, &answers[i])
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
		b.Fatalf("the bare handler answers something else (+): %s", diff)
	}
}

// millis is a time that JSON has with three digits of a second, as the API writes it.
type millis time.Time

func (m millis) MarshalJSON() ([]byte, error) {
	return time.Time(m).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}
