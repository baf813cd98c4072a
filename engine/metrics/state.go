package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-engine/muster/engine"
)

// descriptions are those of the tenant's state.
var descriptions []*prometheus.Desc

func describe(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, nil)
	descriptions = append(descriptions, d)
	return d
}

// The tenant's state. What has ended is counted of the last 24 hours.
var (
	databaseUp = describe("muster_database_up", "Whether the state of the tenant could be read.")

	tasksOpen  = describe("muster_tasks_open", "Tasks that have not ended.", "kind", "state")
	tasksAge   = describe("muster_tasks_oldest_seconds", "Age of the oldest task that has not ended.", "kind", "state")
	tasksEnded = describe("muster_tasks_ended", "Tasks of the last 24 hours that have ended.", "kind", "status")
	taskRan    = describe("muster_tasks_run_seconds_sum", "How long they ran altogether.", "kind", "status")
	taskRanMax = describe("muster_tasks_run_seconds_max", "How long the longest of them ran.", "kind", "status")
	taskTook   = describe("muster_tasks_latency_seconds_sum",
		"How long they took from their launch to their end altogether.", "kind", "status")
	taskTookMax = describe("muster_tasks_latency_seconds_max",
		"How long the slowest of them took from its launch to its end.", "kind", "status")
	identities = describe("muster_tasks_identities", "Identities that they calculated.", "kind", "status")
	changed    = describe("muster_tasks_identities_changed", "Identities that they changed.", "kind", "status")
	failed     = describe("muster_tasks_identities_failed", "Identities that they could not calculate.", "kind",
		"status")
	verdicts = describe("muster_guard_verdicts", "Runs that the guard holds, and those of the last 24 hours that "+
		"somebody confirmed or cancelled after it held them.", "verdict")

	operations = describe("muster_operations", "Operations on sources: all that are open, for people or parked, and "+
		"those of the last 24 hours that have ended.", "source", "state")
	operationsAge = describe("muster_operations_oldest_seconds", "Age of the oldest operation that has not ended.",
		"source", "state")

	requests    = describe("muster_refresh_requests", "Requests for processing that wait.")
	requestsAge = describe("muster_refresh_oldest_seconds", "Age of the oldest request for processing.")
	queueJobs   = describe("muster_queue_jobs", "Jobs that have not ended.", "queue", "state")
	queueDelay  = describe("muster_queue_delay_seconds", "How long the first job that may begin has waited.", "queue")

	sourceLast = describe("muster_source_last_aggregation_timestamp_seconds",
		"When the last aggregation of a source succeeded.", "source")
	sourceFailed = describe("muster_source_aggregation_failed",
		"Whether the last aggregation of a source failed.", "source")
)

// gauge writes one value.
type gauge func(d *prometheus.Desc, value float64, labels ...string)

// The values of labels that are shown also while they count nothing: a rule on a state works before the first one.
var (
	openStates      = []string{"HELD", "RUNNING", "WAITING"}
	endedStates     = []string{"ERROR", "SUCCESS", "TERMINATED", "WARNING"}
	operationsOpen  = []string{"MANUAL", "OPEN", "PARKED"}
	operationsEnded = []string{"CANCELLED", "DONE", "FAILED", "RETRIED"}
)

// show writes the tenant's state.
func show(m *engine.Metrics, to chan<- prometheus.Metric) {
	write := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	age := func(since time.Time) float64 { return max(m.At.Sub(since).Seconds(), 0) }
	showTasks(m, write, age)
	showOperations(m, write, age)
	write(requests, float64(m.Requests.Requests))
	oldest := m.At
	if m.Requests.Oldest != nil {
		oldest = *m.Requests.Oldest
	}
	write(requestsAge, age(oldest))
	showQueues(m, write, age)
	for i := range m.Sources {
		s := &m.Sources[i]
		fault := 0.0
		if s.Failed != nil {
			fault = 1
		}
		write(sourceFailed, fault, s.Source)
		if s.Last != nil {
			write(sourceLast, float64(s.Last.UnixMilli())/1000, s.Source)
		}
	}
}

func showTasks(m *engine.Metrics, write gauge, age func(time.Time) float64) {
	guard := map[string]int64{"held": 0, "confirmed": 0, "cancelled": 0}
	type key struct{ kind, state string }
	open, ended := map[key]*engine.TaskMetric{}, map[key]*engine.TaskMetric{}
	for _, list := range [][]engine.TaskMetric{m.Open, m.Ended} {
		for i := range list {
			for _, state := range openStates {
				open[key{list[i].Kind, state}] = &engine.TaskMetric{Oldest: m.At}
			}
			for _, state := range endedStates {
				ended[key{list[i].Kind, state}] = &engine.TaskMetric{}
			}
		}
	}
	for i := range m.Open {
		t := &m.Open[i]
		open[key{t.Kind, t.State}] = t
		guard["confirmed"] += t.Confirmed
		if t.State == "HELD" {
			guard["held"] += t.Tasks
		}
	}
	for i := range m.Ended {
		t := &m.Ended[i]
		ended[key{t.Kind, t.State}] = t
		guard["confirmed"] += t.Confirmed
		if t.State == "TERMINATED" {
			guard["cancelled"] += t.Held
		}
	}
	for k, t := range open {
		write(tasksOpen, float64(t.Tasks), k.kind, k.state)
		write(tasksAge, age(t.Oldest), k.kind, k.state)
	}
	for k, t := range ended {
		for d, value := range map[*prometheus.Desc]float64{
			tasksEnded: float64(t.Tasks), taskRan: t.Ran, taskRanMax: t.RanMost, taskTook: t.Took,
			taskTookMax: t.TookMost,
			identities:  float64(t.Identities), changed: float64(t.Changed), failed: float64(t.Errors),
		} {
			write(d, value, k.kind, k.state)
		}
	}
	for verdict, count := range guard {
		write(verdicts, float64(count), verdict)
	}
}

func showOperations(m *engine.Metrics, write gauge, age func(time.Time) float64) {
	type key struct{ source, state string }
	found := map[key]*engine.OperationMetric{}
	for i := range m.Sources {
		for _, state := range slices.Concat(operationsOpen, operationsEnded) {
			found[key{m.Sources[i].Source, state}] = &engine.OperationMetric{Oldest: m.At}
		}
	}
	for i := range m.Operations {
		o := &m.Operations[i]
		found[key{o.Source, o.State}] = o
	}
	for k, o := range found {
		write(operations, float64(o.Operations), k.source, k.state)
		if slices.Contains(operationsOpen, k.state) {
			write(operationsAge, age(o.Oldest), k.source, k.state)
		}
	}
}

// queues are those of the engine: each is shown, also while it is empty.
var queues = engine.Queues()

func showQueues(m *engine.Metrics, write gauge, age func(time.Time) float64) {
	delays := map[string]float64{}
	available := map[string]bool{}
	for _, queue := range queues {
		delays[queue] = 0
	}
	for _, q := range m.Queues {
		write(queueJobs, float64(q.Jobs), q.Queue, q.State)
		if q.State == "available" {
			delays[q.Queue], available[q.Queue] = age(q.Due), true
		}
	}
	for queue, delay := range delays {
		write(queueDelay, delay, queue)
		if !available[queue] {
			write(queueJobs, 0, queue, "available")
		}
	}
}
