package doctor

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// verdict says how bad it is if an invariant does not hold, and what mends it.
type verdict struct {
	invariant store.Invariant
	severity  Severity
	mend      string
	repair    func(*examination) repairFunc // nil for none
}

// verdicts are those of all invariants, in the order in which the checks are shown.
var verdicts = []verdict{
	{store.InvariantSingleton, SeverityFailure, "write the row that is missing", (*examination).restoreSingletons},
	{store.InvariantSequence, SeverityFailure, "bring the sequences to the greatest number that was given",
		(*examination).advanceSequences},
	{store.InvariantEntitlements, SeverityFailure, "write the rows of the accounts' entitlements again",
		(*examination).entitleAccounts},
	{store.InvariantAccountKeys, SeverityFailure, "write the rows of the accounts' keys again",
		(*examination).keyAccounts},
	{store.InvariantStage, SeverityWarning, "remove what aggregations left", (*examination).dropStages},
	{store.InvariantCorrelated, SeverityFailure, "process the identities", requests(store.InvariantCorrelated)},
	{store.InvariantManager, SeverityFailure, "process the identities", requests(store.InvariantManager)},
	{store.InvariantIdentityRefresh, SeverityFailure, "process the identities",
		requests(store.InvariantIdentityRefresh)},
	{store.InvariantRefreshFuture, SeverityFailure, "put the clock right, and process the identities",
		requests(store.InvariantRefreshFuture)},
	{store.InvariantErrorDue, SeverityFailure, "process the identities", requests(store.InvariantErrorDue)},
	{store.InvariantLateCorrelation, SeverityWarning, "correlate the accounts, or aggregate their sources",
		(*examination).correlate},
	{store.InvariantGrantAccount, SeverityFailure, "process the identities", requests(store.InvariantGrantAccount)},
	{store.InvariantGrantVanished, SeverityWarning, "forget accounts that vanished long ago: muster purge " +
		"--older-than 90d", nil},
	{store.InvariantCarriedAccess, SeverityWarning, "give the accounts an owner, who wants what they have or loses " +
		"it, or take it away at the source: nobody grants it any more", nil},
	{store.InvariantCarriedAccount, SeverityWarning, "forget what accounts carried that are gone",
		(*examination).dropCarried},
	{store.InvariantOrphaned, SeverityWarning, "look at who has left: muster identities list --quick orphaned", nil},
	{store.InvariantRequestTask, SeverityFailure, "give the requests to a task", renews(store.InvariantRequestTask)},
	{store.InvariantRequestStale, SeverityWarning, "process the identities: what requested it may have come later",
		renews(store.InvariantRequestStale)},
	{store.InvariantTaskJob, SeverityFailure, "give the tasks jobs: a started engine does, within seconds",
		(*examination).requeue},
	{store.InvariantTaskPart, SeverityFailure, "forget the parts of tasks that have ended",
		(*examination).dropForsakenParts},
	{store.InvariantTaskHeld, SeverityWarning, "muster tasks show, then confirm or cancel", nil},
	{store.InvariantDue, SeverityWarning, "run a worker, or muster schedule run from a timer", nil},
	{store.InvariantOperationDelivery, SeverityFailure, "put the operations into a delivery with a job",
		(*examination).adoptOperations},
	{store.InvariantDeliveryJob, SeverityFailure, "give the deliveries jobs: a started engine does, within seconds",
		(*examination).requeue},
	{store.InvariantDeliveryLease, SeverityWarning, "end the leases of workers that are gone",
		(*examination).endLeases},
	{store.InvariantOperationOpen, SeverityWarning, "muster operations --state OPEN tells why: is the source reached?",
		nil},
	{store.InvariantOperationAwaits, SeverityWarning, "aggregate the sources: no account is created on one that was " +
		"never read completely", nil},
	{store.InvariantOperationParked, SeverityWarning,
		"muster operations --state PARKED tells what undoes what: make it agree, then release the operations", nil},
	{store.InvariantNotificationTask, SeverityFailure, "cancel the messages of tasks that have ended",
		(*examination).cancelForsaken},
	{store.InvariantMessageLease, SeverityWarning, "end the leases of workers that are gone",
		(*examination).endLeases},
	{store.InvariantEventNumber, SeverityFailure,
		"make the writes as large as their events, and add those that are missing", (*examination).mendEventWrites},
	{store.InvariantEventPosition, SeverityFailure,
		"give the events positions of their own: readers get them again", (*examination).mendEventPositions},
	{store.InvariantEventPending, SeverityWarning,
		"number the events: every reader of them does, and a worker within a minute", (*examination).numberEvents},
	{store.InvariantStatisticsDay, SeverityFailure, "remove the numbers that are of no day which was counted",
		(*examination).dropStrayStatistics},
	{store.InvariantStatisticsPosition, SeverityFailure, "count the changes again from the history",
		(*examination).restartChanges},
	{store.InvariantStatisticsLate, SeverityWarning, "run a worker, or muster statistics count from a timer", nil},
}

// examineInvariants looks for rows that break what no constraint can demand.
func (x *examination) examineInvariants(ctx context.Context) error {
	if x.compiled != nil {
		x.given.Marks = x.compiled.Marks()
	}
	for _, v := range verdicts {
		if v.invariant == store.InvariantEntitlements && x.compiled == nil {
			continue // the check of the configuration tells
		}
		found, err := x.d.Store.Contradicting(ctx, x.tx, v.invariant, &x.given)
		if err != nil {
			return fmt.Errorf("the check %s: %w", v.invariant, err)
		}
		var repair repairFunc
		if v.repair != nil {
			repair = v.repair(x)
		}
		x.add(string(v.invariant), v.severity, found, v.mend, repair)
	}
	return nil
}

// restoreSingletons makes the repair of tables whose one row is missing.
func (x *examination) restoreSingletons() repairFunc {
	return x.simple("wrote the rows that were missing", x.d.Store.RestoreSingletons)
}

// advanceSequences makes the repair of sequences that are behind the numbers that were given.
func (x *examination) advanceSequences() repairFunc {
	return x.simple("advanced the sequences", x.d.Store.AdvanceSequences)
}

// keyAccounts makes the repair of keys that are not those of the uncorrelated accounts.
func (x *examination) keyAccounts() repairFunc {
	return x.simple("wrote the rows of accounts' keys again", x.d.Store.MendAccountKeys)
}

// entitleAccounts makes the repair of rows of entitlements that are not those of their account.
func (x *examination) entitleAccounts() repairFunc {
	mend := func(ctx context.Context, tx pgx.Tx) (int, error) {
		c, err := x.d.LockConfigurationShared(ctx, tx)
		if err != nil {
			return 0, err
		}
		return x.d.Store.MendAccountEntitlements(ctx, tx, c.Marks(), x.d.Now())
	}
	return x.simple("wrote the rows of accounts' entitlements again", mend)
}

// dropCarried makes the repair of what accounts carried that are gone.
func (x *examination) dropCarried() repairFunc {
	return x.simple("forgot what accounts carried that are gone", x.d.Store.DropLostCarried)
}

// dropStages makes the repair of rows that aggregations left.
func (x *examination) dropStages() repairFunc {
	return x.simple("removed what aggregations left", x.d.Store.DropStages)
}

// mendEventWrites makes the repair of events that their writes do not have.
func (x *examination) mendEventWrites() repairFunc {
	return x.thenNumbering("mended writes of events", x.d.Store.MendEventWrites)
}

// mendEventPositions makes the repair of positions that were given twice, or not as the others.
func (x *examination) mendEventPositions() repairFunc {
	return x.thenNumbering("gave events other positions", x.d.Store.MendEventPositions)
}

// thenNumbering makes a repair, and numbers the events that have no position then.
func (x *examination) thenNumbering(text string, work func(context.Context, pgx.Tx) (int, error)) repairFunc {
	repair := x.simple(text, work)
	return func(ctx context.Context) (int, string, error) {
		count, done, err := repair(ctx)
		if err == nil {
			_, err = x.d.NumberEvents(ctx)
		}
		return count, done, err
	}
}

// numberEvents makes the repair of events that have no position.
func (x *examination) numberEvents() repairFunc {
	return func(ctx context.Context) (int, string, error) {
		count, err := x.d.NumberEvents(ctx)
		return count, "numbered writes of events", err
	}
}

// dropStrayStatistics makes the repair of numbers that are of no day which was counted.
func (x *examination) dropStrayStatistics() repairFunc {
	return x.simple("removed numbers of no day that was counted", func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Store.DropStrayStatistics(ctx, tx, x.d.Now())
	})
}

// restartChanges makes the repair of changes that were counted beyond the positions that were given.
func (x *examination) restartChanges() repairFunc {
	return x.simple("forgot the numbers of changes, which are counted again",
		func(ctx context.Context, tx pgx.Tx) (int, error) { return x.d.Store.RestartChanges(ctx, tx, x.d.Now()) })
}
