package engine

import (
	"context"

	"github.com/muster-engine/muster/engine/fault"
)

// ReloadAccount reads one account from its source again, by the source's connector, and brings it up to what the source
// has, as an aggregation of this one account would. Who is concerned is processed by the task that it returns. It reads
// at once, and so takes as long as the source does.
//
// It is a Conflict where the connector cannot look for single accounts, and where the source has no account with this
// native identity: only an aggregation tells whether the account is gone or called otherwise. Where the source cannot
// be reached, the error is of the kind Unavailable.
//
// It has no twin in a caller's transaction, which would stay open as long as the source takes.
func (e *Engine) ReloadAccount(ctx context.Context, account string) (AccountTask, error) {
	const op = "reload the account"
	row, err := e.accountRow(ctx, op, account)
	if err != nil {
		return AccountTask{}, err
	}
	task, err := e.aggregator.Reload(ctx, op, row.SourceID, row.NativeIdentity)
	return AccountTask{ID: task}, fault.Wrap(op, account, err)
}
