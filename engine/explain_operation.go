package engine

import (
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// ExplainedOperation is an operation on a source that the identity waits for.
type ExplainedOperation struct {
	Source         string `json:"source"`
	NativeIdentity string `json:"nativeIdentity,omitempty"` // of the account; empty for one that is created
	Operation      string `json:"operation"`
	State          string `json:"state"` // of the operation; "" for one that the next processing opens
	Reason         string `json:"reason"`
	Waits          string `json:"waits,omitempty"` // why it is held back, or was not carried out
}

// explainOperations tells what is open for the identity, was given up or is held back, and what would be opened.
func (x *explaining) explainOperations(tx pgx.Tx, id store.ID) error {
	rows, err := x.e.tenant.Store.PendingOperations(x.ctx, tx, []store.ID{id})
	if err != nil {
		return err
	}
	name := func(source store.ID) string {
		if s := x.configuration.Sources[source]; s != nil {
			return s.Name
		}
		return source.String()
	}
	for i := range rows {
		o := &rows[i]
		waits := store.TextOf(o.Error)
		if o.Parked != nil {
			waits = store.TextOf(o.ParkedCause)
		}
		x.result.Operations = append(x.result.Operations, ExplainedOperation{Source: name(o.SourceID),
			NativeIdentity: o.NativeIdentity, Operation: o.Kind, State: o.State, Reason: o.Reason, Waits: waits})
	}
	for i := range x.change.Access.Open {
		o := &x.change.Access.Open[i]
		explained := ExplainedOperation{Source: name(o.SourceID), NativeIdentity: o.NativeIdentity,
			Operation: string(o.Kind), Reason: o.Reason, Waits: o.Cause}
		x.result.Operations = append(x.result.Operations, explained)
	}
	return nil
}
