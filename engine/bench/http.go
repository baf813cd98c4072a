package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
)

const (
	httpClients = 50
	// httpGets and httpLists are the requests of each client in a round.
	httpGets, httpLists = 40, 8
	listPath            = "/v2025/identities?sorters=name"
	getPath             = "/v2025/identities/"
)

// httpCase compares the HTTP face under many clients with a handler that runs the same SQL and encodes its rows,
// without authentication, rights, limits and logs. Both run in this process, and so do the clients.
func httpCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	api, token, err := p.api(ctx)
	if err != nil {
		return err
	}
	ids, err := p.someIDs(ctx)
	if err != nil {
		return err
	}
	get := func(n int) string { return getPath + ids[n%len(ids)] }
	list := func(int) string { return listPath }
	for _, operation := range []struct {
		name     string
		requests int
		path     func(n int) string
	}{{"get", httpGets, get}, {"list of 250 by name", httpLists, list}} {
		latencies, err := b.serveBoth(ctx, []http.Handler{api, bareHandler(p.pool)}, token, operation.requests,
			operation.path)
		if err != nil {
			return fmt.Errorf("%s: %w", operation.name, err)
		}
		for _, share := range []struct {
			name  string
			share float64
			most  float64
		}{{"p50", 0.5, 1.5}, {"p99", 0.99, 2}} {
			l := against(operation.name+", "+share.name, duration(percentile(latencies[0], share.share)),
				"bare handler", duration(percentile(latencies[1], share.share)))
			if share.name == "p50" {
				l = l.chart("HTTP " + operation.name + ", p50")
			}
			b.add(l, ratioAtMost(share.most))
		}
	}
	return nil
}

// api returns the HTTP face of the population, and a token for it.
func (p *population) api(ctx context.Context) (http.Handler, string, error) {
	secret := bytes.Repeat([]byte("benchmark"), 5)
	issuer, err := devtoken.New(secret)
	if err != nil {
		return nil, "", err
	}
	verifier, err := httpapi.NewJWT(ctx, issuer.Verifier())
	if err != nil {
		return nil, "", err
	}
	api, err := httpapi.New(p.engine, httpapi.Config{Authenticator: verifier, RateLimit: httpapi.RateLimit{Off: true}})
	if err != nil {
		return nil, "", err
	}
	token, err := issuer.Mint(devtoken.Grant{ClientID: "bench", Authorities: []string{"ORG_ADMIN"}}, time.Now())
	return api, token, err
}

// someIDs returns the IDs of identities from all parts of the population.
func (p *population) someIDs(ctx context.Context) ([]string, error) {
	const query = `SELECT replace(id::text, '-', '') FROM muster.identities ORDER BY hashtext(id::text) LIMIT 1000`
	rows, err := p.pool.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// bareHandler answers the same two operations with only the SQL.
func bareHandler(pool *pgxpool.Pool) http.Handler {
	byName, _ := (&question{key: "i.name_key"}).pageSQL(variant{}, true)
	const byID = `SELECT ` + listColumns + ` FROM ` + listTables + ` WHERE i.id = $1`
	answer := func(w http.ResponseWriter, body any, err error) {
		if err == nil {
			w.Header().Set("Content-Type", "application/json")
			err = json.NewEncoder(w).Encode(body)
		}
		if err != nil {
			http.Error(w, "the request failed", http.StatusInternalServerError)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2025/identities", func(w http.ResponseWriter, r *http.Request) {
		people, err := queryPeople(r.Context(), pool, byName)
		answer(w, people, err)
	})
	mux.HandleFunc("GET /v2025/identities/{id}", func(w http.ResponseWriter, r *http.Request) {
		people, err := queryPeople(r.Context(), pool, byID, r.PathValue("id"))
		if err == nil && len(people) != 1 {
			err = errors.New("there is no such identity")
		}
		if err != nil {
			answer(w, nil, err)
			return
		}
		answer(w, people[0], nil)
	})
	return mux
}

// serveBoth sends the clients' requests to the handlers in turn, and returns the times of each handler's answers.
func (b *bench) serveBoth(ctx context.Context, handlers []http.Handler, token string, requests int,
	path func(int) string,
) (_ [][]time.Duration, err error) {
	all := make([][]time.Duration, len(handlers))
	urls := make([]string, len(handlers))
	for i, handler := range handlers {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		server := &http.Server{Handler: handler}
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(listener) }()
		defer func() {
			shut := server.Shutdown(context.WithoutCancel(ctx))
			if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
				shut = errors.Join(shut, served)
			}
			err = errors.Join(err, shut)
		}()
		urls[i] = "http://" + listener.Addr().String()
	}
	transport := &http.Transport{MaxIdleConnsPerHost: httpClients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	// The first round warms up.
	for round := range b.rounds + 1 {
		for i, url := range urls {
			latencies, err := ask(ctx, client, token, requests, func(n int) string { return url + path(n) })
			if err != nil {
				return nil, err
			}
			if round > 0 {
				all[i] = append(all[i], latencies...)
			}
		}
	}
	return all, nil
}

// ask makes requests with all clients at once.
func ask(ctx context.Context, client *http.Client, token string, requests int, url func(int) string) (
	[]time.Duration, error,
) {
	var mutex sync.Mutex
	var all []time.Duration
	group, ctx := errgroup.WithContext(ctx)
	for c := range httpClients {
		group.Go(func() error {
			latencies := make([]time.Duration, 0, requests)
			for n := range requests {
				took, err := timed(func() error { return fetch(ctx, client, token, url(c*requests+n)) })
				if err != nil {
					return err
				}
				latencies = append(latencies, took)
			}
			mutex.Lock()
			defer mutex.Unlock()
			all = append(all, latencies...)
			return nil
		})
	}
	return all, group.Wait()
}

func fetch(ctx context.Context, client *http.Client, token, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || n < 100 {
		return fmt.Errorf("%s answered %s with %d bytes", url, response.Status, n)
	}
	return nil
}
