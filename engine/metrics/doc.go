// Package metrics shows an engine to Prometheus: what its process did, and the state of its tenant. It is a package of
// its own, so that package engine needs no client of Prometheus.
//
//	collector := metrics.New(metrics.Config{})
//	eng, err := engine.New(ctx, pool, engine.Config{Observe: collector.Observe})
//	if err != nil {
//		return err
//	}
//	collector.Follow(eng)
//	prometheus.MustRegister(collector)
//
// What the process did (muster_batch_..., muster_job_...) is counted by each process. The state of the tenant is read
// from the database when Prometheus asks, at most every Config.Interval and within Config.Timeout, by queries that read
// a bounded number of rows: every process of the tenant shows the same, so take the max over processes. While the
// database cannot be asked, muster_database_up is 0 and the state is left out.
//
// docs/observe/ has a dashboard for Grafana and alerts, docs/observe/README.md all metrics.
package metrics
