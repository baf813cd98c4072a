package console_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/console"
)

// stream is an open stream of a run.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	end   func()
}

// follow opens the stream of a run.
func (s *site) followRun(server *httptest.Server, run string) *stream {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, server.URL+"/runs/"+run+"/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Test-Level", "ORG_ADMIN")
	response, err := server.Client().Do(r) //nolint:bodyclose // the end of the stream closes it
	if err != nil {
		s.t.Fatal(err)
	}
	end := func() {
		if err := response.Body.Close(); err != nil {
			s.t.Error(err)
		}
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%s, %s", response.Status, response.Header.Get("Content-Type"))
	}
	return &stream{s.t, bufio.NewScanner(response.Body), end}
}

// next returns the next state, or nil at the end.
func (s *stream) next() map[string]any {
	s.t.Helper()
	for s.lines.Scan() {
		if text, is := strings.CutPrefix(s.lines.Text(), "data: "); is {
			var state map[string]any
			if err := json.Unmarshal([]byte(text), &state); err != nil {
				s.t.Fatal(err)
			}
			return state
		}
	}
	return nil
}

// A run is followed by a stream to its end, past the deadline of the server; closing the handler ends every stream.
func TestRunEvents(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newSite(t, console.Config{})
	server := httptest.NewUnstartedServer(s.handler)
	server.Config.WriteTimeout = time.Second
	server.Start()
	t.Cleanup(server.Close)
	run := s.ids()["runs"]
	page := s.get("/runs/" + run + "/")
	if len(page.elements("progress")) != 1 {
		t.Errorf("%s has no progress", page.url)
	}
	watched := s.followRun(server, run)
	first := watched.next()
	if first == nil || first["ended"] != false || first["state"] != "Waiting" {
		t.Fatalf("it begins with %v", first)
	}
	time.Sleep(1500 * time.Millisecond) // longer than the server would let an answer take
	s.Process()
	last := watched.next()
	for last != nil && last["ended"] == false {
		last = watched.next()
	}
	if last == nil || last["state"] != "Done" || last["percent"] != 100.0 {
		t.Errorf("it ends with %v", last)
	}
	if more := watched.next(); more != nil {
		t.Errorf("after the end there is %v", more)
	}
	watched.end()

	task, err := s.ProcessIdentities(t.Context(), []string{s.ID("bob")})
	if err != nil {
		t.Fatal(err)
	}
	other := task.ID
	once := s.get("/runs/" + other + "/events?once=1")
	if !strings.Contains(once.body, `"state":"Waiting"`) {
		t.Errorf("once it says %s", once.body)
	}
	open := s.followRun(server, other)
	open.next()
	s.handler.(*console.Handler).Close()
	if more := open.next(); more != nil {
		t.Errorf("after Close there is %v", more)
	}
	open.end()
	s.do(http.MethodGet, "/runs/"+other+"/events", nil).demand(http.StatusServiceUnavailable)
	s.do(http.MethodGet, "/runs/"+strings.Repeat("0", 32)+"/events", nil).demand(http.StatusNotFound)
}
