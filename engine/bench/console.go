package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
)

const (
	// consoleRequests is how often each page is asked for in a round, at addresses in turn.
	consoleRequests = 60
	// consoleAddresses is how many different ones a page has.
	consoleAddresses = 20
	consoleRatioMax  = 1.5
)

// consolePage is a page and its budget of time on the server.
type consolePage struct {
	name      string
	addresses []string
	p50, p95  time.Duration
}

// consoleCase compares pages of the console with a handler that sends the same statements and writes the same bytes,
// without rights, filters, templates and logs. One visitor asks, by a call: the time is that of the server.
func consoleCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	pages, err := p.consolePages(ctx)
	if err != nil {
		return err
	}
	ui, err := consoleOf(p.engine)
	if err != nil {
		return err
	}
	// Another engine on the same database, whose connections tell what they send.
	sent := &sentRecorder{}
	pool, err := connect(ctx, p.url, sent)
	if err != nil {
		return err
	}
	defer pool.Close()
	told, err := engine.New(ctx, pool, p.engineConfig())
	if err != nil {
		return err
	}
	toldUI, err := consoleOf(told)
	if err != nil {
		return err
	}
	for _, page := range pages {
		bare := bareConsole{p.pool, map[string]recordedPage{}}
		for _, address := range page.addresses {
			if bare.pages[address], err = sent.of(ctx, toldUI, address); err != nil {
				return fmt.Errorf("%s: %w", page.name, err)
			}
		}
		took, err := b.askBoth(ctx, ui, bare, page.addresses)
		if err != nil {
			return fmt.Errorf("%s: %w", page.name, err)
		}
		figure := duration(percentile(took[0], 0.5))
		b.add(against(page.name+", p50", figure, "same SQL and bytes", duration(percentile(took[1], 0.5))).
			chart("console "+page.name+", p50"), ratioAtMost(consoleRatioMax))
		b.add(alone(page.name+", p50 in its budget", figure), figureAtMost(duration(page.p50)))
		b.add(alone(page.name+", p95", duration(percentile(took[0], 0.95))), figureAtMost(duration(page.p95)))
	}
	return nil
}

// consolePages returns the pages that have budgets. Those of 95 of 100 requests are twice the others where only one
// was set.
func (p *population) consolePages(ctx context.Context) ([]consolePage, error) {
	ids, err := p.someIDs(ctx)
	if err != nil {
		return nil, err
	}
	ids = ids[:min(len(ids), consoleAddresses)]
	var identities, finds []string
	for _, id := range ids {
		identities = append(identities, "/identities/"+id+"/")
	}
	const names = `
		SELECT DISTINCT left(attributes ->> 'lastname', 3) FROM muster.identities
		WHERE length(attributes ->> 'lastname') > 3 AND replace(id::text, '-', '') = ANY ($1)`
	rows, err := p.pool.Query(ctx, names, ids)
	if err != nil {
		return nil, err
	}
	prefixes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, prefix := range prefixes {
		finds = append(finds, "/find?q="+url.QueryEscape(prefix))
	}
	lists := []string{"/identities/"}
	for _, filters := range []string{`alias sw "a"`, `correlated eq true`} {
		lists = append(lists, "/identities/?sorters=name&filters="+url.QueryEscape(filters))
	}
	const millisecond = time.Millisecond
	return []consolePage{
		{"list of 50", lists, 25 * millisecond, 60 * millisecond},
		{"identity", identities, 30 * millisecond, 60 * millisecond},
		{"find", finds, 15 * millisecond, 30 * millisecond},
		{"Home", []string{"/"}, 50 * millisecond, 100 * millisecond},
	}, nil
}

// consoleOf returns the console of an engine for an administrator.
func consoleOf(eng *engine.Engine) (*console.Handler, error) {
	return console.New(eng, console.Config{Authenticator: console.AuthenticatorFunc(
		func(*http.Request) (*console.Principal, error) {
			return &console.Principal{ID: "bench", Name: "Bench", Levels: []string{"ORG_ADMIN"}}, nil
		})})
}

// recordedPage is what a page sent to the database, and what it answered.
type recordedPage struct {
	sent [][]statement
	body []byte
}

// bareConsole answers with pages that were recorded.
type bareConsole struct {
	pool  *pgxpool.Pool
	pages map[string]recordedPage
}

// ServeHTTP implements [http.Handler].
func (b bareConsole) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := b.pages[r.URL.RequestURI()]
	err := b.pool.AcquireFunc(r.Context(), func(conn *pgxpool.Conn) error {
		for _, statements := range page.sent {
			if err := send(r.Context(), conn, statements); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.body)
}

// askBoth asks two handlers in turn, and returns the times of each one's answers.
func (b *bench) askBoth(ctx context.Context, first, second http.Handler, addresses []string) ([][]time.Duration,
	error,
) {
	all := make([][]time.Duration, 2)
	for round := range b.rounds + 1 { // the first warms up
		for n := range consoleRequests {
			for i, handler := range []http.Handler{first, second} {
				var took time.Duration
				_, err := askPage(ctx, handler, addresses[n%len(addresses)], &took)
				if err != nil {
					return nil, err
				}
				if round > 0 {
					all[i] = append(all[i], took)
				}
			}
		}
	}
	return all, nil
}

// askPage returns the body of a page, and the time that it took.
func askPage(ctx context.Context, handler http.Handler, address string, took *time.Duration) ([]byte, error) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	w := httptest.NewRecorder()
	began := time.Now()
	handler.ServeHTTP(w, r)
	*took = time.Since(began)
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", address, w.Code)
	}
	return w.Body.Bytes(), nil
}

// sentRecorder is a tracer that records what is sent, begins and commits too.
type sentRecorder struct {
	mutex sync.Mutex
	on    bool
	sent  [][]statement
}

// of returns what a page sends once everything that is kept in memory is there, and its body.
func (s *sentRecorder) of(ctx context.Context, handler http.Handler, address string) (recordedPage, error) {
	var took time.Duration
	if _, err := askPage(ctx, handler, address, &took); err != nil {
		return recordedPage{}, err
	}
	s.set(true)
	body, err := askPage(ctx, handler, address, &took)
	page := recordedPage{s.set(false), body}
	if err == nil && len(page.sent) == 0 {
		err = errors.New("a page sent nothing to the database")
	}
	return page, err
}

func (s *sentRecorder) set(on bool) [][]statement {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	sent := s.sent
	s.on, s.sent = on, nil
	return sent
}

func (s *sentRecorder) add(statements ...statement) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.on {
		s.sent = append(s.sent, statements)
	}
}

// TraceQueryStart implements [pgx.QueryTracer].
func (s *sentRecorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.add(statement{data.SQL, slices.Clone(data.Args)})
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (*sentRecorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements [pgx.BatchTracer].
func (s *sentRecorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	var sent []statement
	for _, q := range data.Batch.QueuedQueries {
		sent = append(sent, statement{q.SQL, slices.Clone(q.Arguments)})
	}
	s.add(sent...)
	return ctx
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (*sentRecorder) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (*sentRecorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
