package metrics_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/metrics"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// scrape returns what Prometheus gets of a collector.
func scrape(t *testing.T, collector prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector)
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		t.Fatalf("%d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func demand(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("%s is missing in\n%s", line, text)
		}
	}
}

func TestCollector(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	collector := metrics.New(metrics.Config{Interval: -1})
	if text := scrape(t, collector); strings.Contains(text, "muster_database_up") {
		t.Errorf("a collector that follows no engine shows the state of one:\n%s", text)
	}
	c := enginetest.New(t, enginetest.WithConfig(engine.Config{Observe: collector.Observe}))
	collector.Follow(c.Engine)
	text := scrape(t, collector)
	demand(t, text, "muster_database_up 1", "muster_refresh_requests 0", `muster_guard_verdicts{verdict="held"} 0`,
		`muster_queue_delay_seconds{queue="bulk"} 0`, `muster_operations{source="HR",state="FAILED"} 0`,
		`muster_source_aggregation_failed{source="HR"} 0`, "muster_batch_identities_total 5",
		`muster_tasks_identities{kind="`)

	c.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Bob Twain", "Bob Twin"), engine.AggregateOptions{})
	text = scrape(t, collector)
	demand(t, text, "muster_refresh_requests 1", "muster_refresh_oldest_seconds ")
	if !strings.Contains(text, `state="WAITING"} 1`) {
		t.Errorf("no task waits in\n%s", text)
	}
	c.Process()
	text = scrape(t, collector)
	demand(t, text, "muster_refresh_requests 0", "muster_batch_identities_total 6", "muster_batch_duration_seconds_count ",
		"muster_batch_failures_total 0", `muster_tasks_ended{kind="`)

	collector.Observe(t.Context(), engine.Observation{Job: "some", Duration: time.Second, Failed: true})
	collector.Observe(t.Context(), engine.Observation{Identities: 1, Failed: true})
	demand(t, scrape(t, collector), `muster_job_duration_seconds_count{failed="true",job="some"} 1`,
		"muster_batch_failures_total 1")
}

// A database that cannot be asked is shown, and what the process did still is.
func TestCollectorWithoutDatabase(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	c := enginetest.New(t)
	collector := metrics.New(metrics.Config{Interval: -1, Timeout: time.Nanosecond})
	collector.Follow(c.Engine)
	text := scrape(t, collector)
	demand(t, text, "muster_database_up 0", "muster_batch_failures_total 0")
	if strings.Contains(text, "muster_refresh_requests") {
		t.Errorf("a state that could not be read is shown:\n%s", text)
	}
}

// The state is read no more often than the interval allows.
func TestCollectorInterval(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	c := enginetest.New(t)
	collector := metrics.New(metrics.Config{Interval: time.Hour})
	collector.Follow(c.Engine)
	demand(t, scrape(t, collector), "muster_refresh_requests 0")
	c.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Bob Twain", "Bob Twin"), engine.AggregateOptions{})
	demand(t, scrape(t, collector), "muster_refresh_requests 0")
	collector.Follow(c.Engine)
	demand(t, scrape(t, collector), "muster_refresh_requests 1")
}

// The engine's own reading has the state that the collector shows, and its jobs are observed.
func TestJobsAreObserved(t *testing.T) {
	t.Parallel()
	seen := make(chan engine.Observation, 100)
	c := enginetest.New(t, enginetest.WithConfig(engine.Config{Observe: func(_ context.Context, o engine.Observation) {
		select {
		case seen <- o:
		default:
		}
	}}))
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	deadline := time.After(time.Minute)
	for {
		select {
		case o := <-seen:
			if o.Job != "" && !o.Failed && o.Duration > 0 {
				return
			}
		case <-deadline:
			t.Fatal("no job was observed")
		}
	}
}
