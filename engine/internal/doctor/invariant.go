package doctor

import (
	"context"
	"fmt"

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
	{store.InvariantRequestTask, SeverityFailure, "give the requests to a task", renews(store.InvariantRequestTask)},
	{store.InvariantRequestStale, SeverityWarning, "process the identities: what requested it may have come later",
		renews(store.InvariantRequestStale)},
	{store.InvariantTaskJob, SeverityFailure, "give the tasks jobs: a worker does, within a minute",
		(*examination).requeue},
	{store.InvariantTaskPart, SeverityFailure, "forget the parts of tasks that have ended",
		(*examination).dropForsakenParts},
	{store.InvariantTaskHeld, SeverityWarning, "muster tasks show, then confirm or cancel", nil},
	{store.InvariantDue, SeverityWarning, "run a worker, or muster schedule run from a timer", nil},
	{store.InvariantOperationDelivery, SeverityFailure, "put the operations into a delivery with a job",
		(*examination).adoptOperations},
	{store.InvariantDeliveryJob, SeverityFailure, "give the deliveries jobs: a worker does, within a minute",
		(*examination).requeue},
	{store.InvariantDeliveryLease, SeverityWarning, "end the leases of workers that are gone",
		(*examination).endLeases},
	{store.InvariantOperationOpen, SeverityWarning, "muster operations --state OPEN tells why: is the source reached?",
		nil},
	{store.InvariantNotificationTask, SeverityFailure, "cancel the messages of tasks that have ended",
		(*examination).cancelForsaken},
	{store.InvariantMessageLease, SeverityWarning, "end the leases of workers that are gone",
		(*examination).endLeases},
	{store.InvariantEventHorizon, SeverityFailure,
		"number the events again: they come from another server. Readers of events must begin at the zero cursor",
		(*examination).lowerEvents},
}

// examineInvariants looks for rows that break what no constraint can demand.
func (x *examination) examineInvariants(ctx context.Context) error {
	for _, v := range verdicts {
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

// dropStages makes the repair of rows that aggregations left.
func (x *examination) dropStages() repairFunc {
	return x.simple("removed what aggregations left", x.d.Store.DropStages)
}

// lowerEvents makes the repair of events whose position another server gave.
func (x *examination) lowerEvents() repairFunc {
	return x.simple("numbered events again", x.d.Store.LowerEvents)
}
