package engine

import (
	"context"
	"time"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// ParkedTargetsMax is how many targets [Engine.ParkedTargets] and [Engine.Task] return: those that were parked first.
const ParkedTargetsMax = 100

// ParkedTarget sums up the parked operations of one kind on one attribute of a source that wait for the same: for a
// person, or for the first complete aggregation of the source. Identity, NativeIdentity, Since and Cause are of the
// operation that was parked first.
type ParkedTarget struct {
	Source    string `json:"source"`
	Kind      string `json:"operation"`
	Attribute string `json:"attribute,omitempty"` // empty where the operations are about whole accounts
	Awaits    string `json:"awaits,omitempty"`    // see [Parking]
	// Operations is how many there are.
	Operations     int64     `json:"operations"`
	Identity       Reference `json:"identity"`
	NativeIdentity string    `json:"nativeIdentity,omitempty"`
	Since          time.Time `json:"since"`
	Cause          string    `json:"cause"`
}

// ParkedTargets returns what is parked, by source, kind and attribute; what was parked first comes first. With the
// tasks that the guard holds, these are what waits for somebody. [Engine.Operations] lists the operations.
func (e *Engine) ParkedTargets(ctx context.Context) ([]ParkedTarget, error) {
	targets, err := e.parkedTargets(ctx, store.ID{})
	return targets, fault.Wrap("list what is parked", "", err)
}

// parkedTargets returns what is parked of the operations that a task planned, or of all where task is zero.
func (e *Engine) parkedTargets(ctx context.Context, task store.ID) ([]ParkedTarget, error) {
	rows, err := e.tenant.Store.ParkedTargets(ctx, e.tenant.Pool, task, ParkedTargetsMax)
	var targets []ParkedTarget
	for i := range rows {
		o, err := operationOf(&rows[i].ListedOperation)
		if err != nil {
			return nil, err
		}
		targets = append(targets, ParkedTarget{Source: o.Source.Name, Kind: o.Kind, Attribute: rows[i].Attribute,
			Awaits: o.Parking.Awaits, Operations: rows[i].Operations, Identity: o.Identity,
			NativeIdentity: o.NativeIdentity, Since: o.Parking.Since, Cause: o.Parking.Cause})
	}
	return targets, err
}
