//go:build load

package loadtest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
)

// behaviour is how a client calls.
type behaviour struct {
	name       string
	clients    int
	every      time.Duration // between two requests; 0 is as soon as it was answered
	operations []operation
	versions   []string
	level      string
	token      func(s *server) string // instead of one of its own
	// never says that it stays below the rate limit; waits that it waits as long as it is told to; exceeds that it asks
	// for more all the time, so that it gets what the limit gives.
	never, waits, exceeds bool
}

var behaviours = []behaviour{
	{name: "calm readers", clients: 6, every: 250 * time.Millisecond, operations: reads, versions: versions,
		level: "ORG_ADMIN", never: true},
	{name: "calm writers", clients: 4, every: 500 * time.Millisecond, operations: writes, versions: versions,
		level: "ORG_ADMIN", never: true},
	{name: "at the edge", clients: 2, every: 100 * time.Millisecond, operations: reads, versions: versions[:1],
		level: "ORG_ADMIN"},
	{name: "far above", clients: 2, every: 20 * time.Millisecond, operations: reads[:1], versions: versions[1:2],
		level: "ORG_ADMIN", exceeds: true},
	{name: "waits when told", clients: 1, operations: reads[:1], versions: versions[2:3], level: "ORG_ADMIN",
		waits: true},
	{name: "wrong requests", clients: 2, every: 200 * time.Millisecond, operations: wrong, versions: versions,
		level: "ORG_ADMIN", never: true},
	{name: "no rights", clients: 1, every: 200 * time.Millisecond, operations: forbidden, versions: versions,
		never: true},
	{name: "wrong tokens", clients: 2, every: 200 * time.Millisecond, operations: unauthorized, versions: versions,
		token: (*server).badToken, never: true},
}

// badToken is one that was tampered with.
func (s *server) badToken() string {
	token := s.token("nobody", "ORG_ADMIN")
	return token[:len(token)-4] + "AAAA"
}

// tally counts answers by operation and status.
type tally struct {
	mutex   sync.Mutex
	answers map[string]map[int]int
	faults  int
}

func (c *tally) add(operation string, status int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.answers[operation] == nil {
		c.answers[operation] = map[int]int{}
	}
	c.answers[operation][status]++
}

// table shows the answers.
func (c *tally) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	statuses := map[int]bool{}
	for _, byStatus := range c.answers {
		for status := range byStatus {
			statuses[status] = true
		}
	}
	columns := slices.Sorted(maps.Keys(statuses))
	fmt.Fprint(w, "requests\t")
	for _, status := range columns {
		fmt.Fprintf(w, "%d\t", status)
	}
	fmt.Fprintln(w)
	for _, name := range slices.Sorted(maps.Keys(c.answers)) {
		fmt.Fprintf(w, "%s\t", name)
		for _, status := range columns {
			fmt.Fprintf(w, "%s\t", cmp.Or(strings.TrimPrefix(strconv.Itoa(c.answers[name][status]), "0"), "-"))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return text.String()
}

// caller is one client.
type caller struct {
	*server
	t        *testing.T
	kind     *behaviour
	tally    *tally
	client   *http.Client
	token    string
	random   *rand.Rand
	accepted int // requests that were not over the rate limit
	limited  int
	waited   bool // since the last answer, as long as it was told to
}

// traffic lets all clients call until the context ends.
func (s *server) traffic(ctx context.Context, round string, counts *tally) {
	var group sync.WaitGroup
	for i := range behaviours {
		kind := &behaviours[i]
		for k := range kind.clients {
			c := &caller{server: s, t: s.t, kind: kind, tally: counts, client: s.client(),
				random: rand.New(rand.NewPCG(uint64(i), uint64(k)))}
			if c.token = s.token(fmt.Sprintf("%s %s %d", kind.name, round, k), kind.level); kind.token != nil {
				c.token = kind.token(s)
			}
			group.Go(func() { c.run(ctx) })
		}
	}
	group.Wait()
}

// run calls until the context ends, and then looks at how often it was let.
func (c *caller) run(ctx context.Context) {
	defer c.client.CloseIdleConnections()
	started := time.Now()
	next := started
	for ctx.Err() == nil {
		o := &c.kind.operations[c.random.IntN(len(c.kind.operations))]
		wait, err := c.call(context.WithoutCancel(ctx), o)
		if err != nil {
			c.fail("%s: %v", o.name, err)
		}
		next = next.Add(c.kind.every)
		if c.waited = false; c.kind.waits && wait > 0 {
			c.waited = true
			next = time.Now().Add(wait)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(next)):
		}
	}
	c.demandLimit(time.Since(started))
}

// demandLimit looks at how many requests the rate limit let through.
func (c *caller) demandLimit(elapsed time.Duration) {
	allowed := httpapi.RateLimitDefault * (1 + elapsed.Seconds()/httpapi.RatePeriodDefault.Seconds())
	switch {
	case c.kind.never && c.limited > 0:
		c.fail("%d of its requests were over the rate limit", c.limited)
	case float64(c.accepted) > allowed+1 && len(c.kind.versions) == 1:
		c.fail("%d requests were let through in %s, %.0f are allowed", c.accepted, elapsed, allowed)
	case c.kind.exceeds && (float64(c.accepted) < 0.9*allowed || c.limited == 0):
		c.fail("%d requests were let through in %s and %d not: %.0f are allowed", c.accepted, elapsed, c.limited, allowed)
	}
}

// faultsMax is how many faults are told.
const faultsMax = 30

func (c *caller) fail(format string, arguments ...any) {
	c.tally.mutex.Lock()
	defer c.tally.mutex.Unlock()
	if c.tally.faults++; c.tally.faults <= faultsMax {
		c.t.Errorf(c.kind.name+": "+format, arguments...)
	}
}

// call asks once, and holds the answer against the document and what is expected. It returns how long to wait.
func (c *caller) call(ctx context.Context, o *operation) (time.Duration, error) {
	var body io.Reader = http.NoBody
	if o.body != nil {
		body = strings.NewReader(o.body(c.random, c.server))
	}
	if o.faulty {
		ctx = wire.Faulty(ctx)
	}
	version := c.kind.versions[c.random.IntN(len(c.kind.versions))]
	request, err := http.NewRequestWithContext(ctx, o.method, "http://localhost"+pathIn(version, o.path(c.random, c.server)), body)
	if err != nil {
		return 0, err
	}
	if o.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	c.tally.add(o.name, response.StatusCode)
	if err := c.document.Verify(request, response); err != nil {
		return 0, fmt.Errorf("%s %s: %d: %w", request.Method, request.URL, response.StatusCode, err)
	}
	if response.StatusCode == http.StatusTooManyRequests {
		return c.overLimit(o, response)
	}
	c.accepted++
	if !slices.Contains(o.expected, response.StatusCode) {
		text, err := io.ReadAll(response.Body)
		return 0, errors.Join(err, fmt.Errorf("%s %s: %d is not expected: %.300s", request.Method, request.URL,
			response.StatusCode, text))
	}
	return 0, nil
}

// overLimit reads how long to wait.
func (c *caller) overLimit(o *operation, response *http.Response) (time.Duration, error) {
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	most := 1 // second until the next of ten requests in one
	if o.own {
		most = int(engine.SynchronizeInterval.Seconds())
	} else {
		c.limited++
	}
	if err != nil || seconds < 1 || seconds > most {
		return 0, fmt.Errorf("429 with Retry-After %q: 1 to %d seconds are expected", response.Header.Get("Retry-After"),
			most)
	}
	if c.waited {
		return 0, errors.New("429 after the time that it was told to wait")
	}
	return time.Duration(seconds) * time.Second, nil
}
