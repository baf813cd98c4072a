package aggregation

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// RunAggregations launches the aggregation of the sources whose time has come by their schedules. Of times that were
// missed it makes up for one. It also resumes the aggregations whose worker is gone.
func (a *Aggregator) RunAggregations(ctx context.Context) error {
	if err := a.resume(ctx); err != nil {
		return err
	}
	c, err := a.CurrentConfiguration(ctx)
	if err != nil {
		return err
	}
	for _, source := range c.Sources {
		if source.Schedule() == "" || a.Connectors[source.Connector] == nil {
			continue
		}
		if err := a.runSchedule(ctx, source.RowID, source.Schedule()); err != nil {
			return err
		}
	}
	return nil
}

// runSchedule launches the aggregation of a source if its time has come. Of several callers one does so.
func (a *Aggregator) runSchedule(ctx context.Context, source store.ID, schedule string) error {
	return a.InTx(ctx, func(tx pgx.Tx) error {
		settings, err := a.SettingsIn(ctx, tx)
		if err != nil {
			return err
		}
		now := a.Now()
		next, err := configuration.NextAggregation(schedule, now, settings.Location)
		if err != nil {
			return err
		}
		latest, err := configuration.NextAggregation(schedule, next, settings.Location)
		if err != nil {
			return err
		}
		due, err := a.Store.TakeAggregation(ctx, tx, source, schedule, now, next, latest)
		if err != nil || !due {
			return err
		}
		return a.insertJob(ctx, tx, source)
	})
}

// insertJob writes the job that aggregates a source, unless the source has one that has not ended.
func (a *Aggregator) insertJob(ctx context.Context, tx pgx.Tx, source store.ID) error {
	_, err := a.Insert(ctx, tx, tenant.AggregateSource{Source: source.String()}, &river.InsertOpts{
		Queue: tenant.QueueAggregation, MaxAttempts: aggregationAttemptsMax,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
			rivertype.JobStateRetryable, rivertype.JobStateScheduled}}})
	return err
}
