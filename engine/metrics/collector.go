package metrics

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-engine/muster/engine"
)

// The defaults of a [Config].
const (
	IntervalDefault = 10 * time.Second
	TimeoutDefault  = 5 * time.Second
)

// Config says how often and how long a collector asks the database.
type Config struct {
	// Interval is the least time between two readings of the tenant's state. In between the last one is shown again.
	// Defaults to [IntervalDefault]; negative for none.
	Interval time.Duration
	// Timeout is the longest time of one reading. Defaults to [TimeoutDefault].
	Timeout time.Duration
	// Logger receives a warning when the state cannot be read. Defaults to none.
	Logger *slog.Logger
}

// Collector is a [prometheus.Collector] of one engine. It is safe for concurrent use.
type Collector struct {
	config Config

	batches    prometheus.Histogram
	identities prometheus.Counter
	failures   prometheus.Counter
	jobs       *prometheus.HistogramVec

	mutex sync.Mutex // held while the state is read: those who ask meanwhile get the same
	eng   *engine.Engine
	read  time.Time
	last  *engine.Metrics // nil if it could not be read
}

// buckets are seconds, from an event to a run over everybody.
var buckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// New returns a collector that shows nothing of a tenant until [Collector.Follow].
func New(config Config) *Collector {
	if config.Interval == 0 {
		config.Interval = IntervalDefault
	}
	if config.Timeout <= 0 {
		config.Timeout = TimeoutDefault
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Collector{config: config,
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "muster_batch_duration_seconds",
			Help: "How long batches of processing took that this process carried out.", Buckets: buckets}),
		identities: prometheus.NewCounter(prometheus.CounterOpts{Name: "muster_batch_identities_total",
			Help: "Identities in the batches that this process carried out."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "muster_batch_failures_total",
			Help: "Batches of this process that ended with an error, and are tried again."}),
		jobs: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "muster_job_duration_seconds",
			Help:    "How long jobs took that this process carried out, by kind and whether they failed.",
			Buckets: buckets},
			[]string{"job", "failed"}),
	}
}

// Follow makes the collector show the state of an engine's tenant.
func (c *Collector) Follow(eng *engine.Engine) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.eng, c.read = eng, time.Time{}
}

// Observe counts what an engine did. It is for [engine.Config.Observe].
func (c *Collector) Observe(_ context.Context, o engine.Observation) {
	if o.Job != "" {
		c.jobs.WithLabelValues(o.Job, strconv.FormatBool(o.Failed)).Observe(o.Duration.Seconds())
		return
	}
	c.batches.Observe(o.Duration.Seconds())
	c.identities.Add(float64(o.Identities))
	if o.Failed {
		c.failures.Inc()
	}
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, own := range c.own() {
		own.Describe(to)
	}
	for _, d := range descriptions {
		to <- d
	}
}

// own are the metrics of this process.
func (c *Collector) own() []prometheus.Collector {
	return []prometheus.Collector{c.batches, c.identities, c.failures, c.jobs}
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	for _, own := range c.own() {
		own.Collect(to)
	}
	state, followed := c.state()
	if !followed {
		return
	}
	if state == nil {
		to <- prometheus.MustNewConstMetric(databaseUp, prometheus.GaugeValue, 0)
		return
	}
	to <- prometheus.MustNewConstMetric(databaseUp, prometheus.GaugeValue, 1)
	show(state, to)
}

// state returns the tenant's state, nil if it cannot be read, and whether an engine is followed.
func (c *Collector) state() (state *engine.Metrics, followed bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.eng == nil {
		return nil, false
	}
	if !c.read.IsZero() && time.Since(c.read) < c.config.Interval {
		return c.last, true
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.config.Timeout)
	defer cancel()
	m, err := c.eng.Metrics(ctx)
	c.read, c.last = time.Now(), &m
	if err != nil {
		c.last = nil
		c.config.Logger.Warn("the metrics cannot be read", "error", err)
	}
	return c.last, true
}
