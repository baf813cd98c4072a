package doctor

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// endLeases makes the repair of leases whose worker is gone.
func (x *examination) endLeases() repairFunc {
	return x.simple("ended leases", func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Store.EndLeases(ctx, tx, x.given.Stalled)
	})
}

// cancelForsaken makes the repair of messages whose task has ended.
func (x *examination) cancelForsaken() repairFunc {
	return x.simple("cancelled messages", func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Store.CancelForsakenNotifications(ctx, tx, x.d.Now())
	})
}

// dropForsakenParts makes the repair of parts whose task has ended.
func (x *examination) dropForsakenParts() repairFunc {
	return x.simple("forgot parts of tasks that have ended", x.d.Store.DropForsakenParts)
}

// requeue makes the repair that gives tasks and deliveries whose worker is gone another job.
func (x *examination) requeue() repairFunc {
	return x.simple("gave tasks and deliveries jobs", func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Requeue(ctx, tx, store.QuietTimes{Now: x.d.Now(), Since: x.given.Stalled,
			Stalled: x.given.Stalled})
	})
}

// adoptOperations makes the repair that puts operations without a delivery into one, with a job.
func (x *examination) adoptOperations() repairFunc {
	return x.requesting("put operations into deliveries", x.adoptAll)
}

// adoptAll makes a delivery for each source with operations that have none.
func (x *examination) adoptAll(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
	sources, err := x.d.Store.SourcesWithoutDelivery(ctx, tx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, source := range sources {
		delivery := store.NewID()
		count, err := x.d.Store.AdoptOperations(ctx, tx, source, delivery)
		if err == nil {
			err = x.d.LaunchDelivery(ctx, tx, delivery, source, cause)
		}
		if err != nil {
			return total, err
		}
		total += count
	}
	return total, nil
}

// correlate makes the repair that gives accounts to the identities that their keys find.
func (x *examination) correlate() repairFunc {
	return x.requesting("correlated accounts", x.correlateAll)
}

// correlateAll correlates the accounts of all sources that have accounts which find an identity.
func (x *examination) correlateAll(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
	sources, err := x.d.Store.SourcesWithStrays(ctx, tx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, source := range sources {
		count, err := x.d.Store.CorrelateSource(ctx, tx, source, cause)
		if err != nil {
			return total, err
		}
		total += count
	}
	return total, nil
}
