package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"

	"github.com/muster-engine/muster/engine/httpapi"
	enginemetrics "github.com/muster-engine/muster/engine/metrics"
)

// metrics are what /metrics shows.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMetrics(pool *pgxpool.Pool, state prometheus.Collector) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "muster_http_request_duration_seconds", Help: "How long requests took, by operation and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"operation", "version", "status"})}
	gauge := func(name, help string, value func(*pgxpool.Stat) int32) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value(pool.Stat())) })
	}
	m.registry.MustRegister(m.requests, state, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("muster_database_connections", "Connections of the pool.", (*pgxpool.Stat).TotalConns),
		gauge("muster_database_connections_used", "Connections in use.", (*pgxpool.Stat).AcquiredConns),
		gauge("muster_database_connections_max", "The most connections of the pool.", (*pgxpool.Stat).MaxConns),
	)
	return m
}

func (m *metrics) observe(_ context.Context, o httpapi.Observation) {
	m.requests.WithLabelValues(o.Operation, o.Version, strconv.Itoa(o.Status)).Observe(o.Duration.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// metricsFlag adds the flag for an address of the metrics' own.
func metricsFlag(cmd *cobra.Command, address *string) {
	cmd.Flags().StringVar(address, "metrics-listen", "",
		"address on which /metrics and /healthz are served, apart from "+
			"everything else, such as 127.0.0.1:9464; whoever can reach it can read the metrics")
}

// collectMetrics makes the engine that is made next tell what it does.
func (a *app) collectMetrics() {
	a.collector = enginemetrics.New(enginemetrics.Config{Logger: a.log})
}

// serveMetrics serves the metrics on an address of their own, until the returned function is called.
func (a *app) serveMetrics(ctx context.Context, address string, m *metrics) (stop func() error, err error) {
	if address == "" {
		return func() error { return nil }, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics-listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	web := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerMax,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener) }()
	a.log.InfoContext(ctx, "metrics", "address", "http://"+listener.Addr().String()+"/metrics")
	return func() error {
		err := web.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

// traceVariables are the variables of OpenTelemetry that say where traces go. Without one of them there are no traces.
var traceVariables = []string{
	"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
}

// traces starts to send traces to the destination in the environment. The returned function sends the rest and stops.
func (a *app) traces(ctx context.Context) (flush func(context.Context) error, err error) {
	wanted := false
	for _, name := range traceVariables {
		wanted = wanted || os.Getenv(name) != ""
	}
	if !wanted || os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return func(context.Context) error { return nil }, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, usage("traces: %w", err)
	}
	described, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("muster")), resource.WithFromEnv(),
		resource.WithTelemetrySDK())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("traces: %w", err), exporter.Shutdown(ctx))
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(described))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{},
		propagation.Baggage{}))
	a.tracer = otelpgx.NewTracer() // the statements, without their arguments
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			return fmt.Errorf("send the last traces: %w", err)
		}
		return nil
	}, nil
}

// parseRateLimit reads "100/10s", or "off".
func parseRateLimit(text string) (httpapi.RateLimit, error) {
	if text == "off" {
		return httpapi.RateLimit{Off: true}, nil
	}
	requests, period, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(requests)
	per, err2 := time.ParseDuration(period)
	if err != nil || err2 != nil || n < 1 || per <= 0 {
		return httpapi.RateLimit{}, usage("--rate-limit: %q is given where requests in a time, as 100/10s, or off is "+
			"expected", text)
	}
	return httpapi.RateLimit{Requests: n, Period: per}, nil
}
