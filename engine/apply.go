package engine

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/tenant"
)

// ApplyResult says what applying did.
type ApplyResult struct {
	Objects []AppliedObject `json:"objects"`
	// Marked is how many identities wait for a refresh because of it, by the task of this ID.
	Marked int    `json:"marked"`
	Task   string `json:"task,omitempty"`
	// Notes say what was applied as it is given, but may not be what was meant.
	Notes []string `json:"notes"`
	// Version is the version of the configuration after it.
	Version int64 `json:"version"`
}

// Apply brings the configuration up to documents: an object is found by its ID, or else by its name, and created
// when it is not there. Objects that are not mentioned stay as they are. Everything is applied or nothing; the
// identities that it concerns are marked for a refresh in the same transaction. Applying the same twice changes
// nothing the second time.
func (e *Engine) Apply(ctx context.Context, documents []Document) (ApplyResult, error) {
	result, err := tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (change.Result, error) {
		return e.applier.Apply(ctx, tx, documents)
	})
	return ApplyResult(result), fault.Wrap("apply", "", err)
}

// ApplyTx is [Engine.Apply] in the caller's transaction. It keeps other changes and runs waiting until that ends.
func (e *Engine) ApplyTx(ctx context.Context, tx pgx.Tx, documents []Document) (ApplyResult, error) {
	result, err := e.applier.Apply(ctx, tx, documents)
	return ApplyResult(result), fault.Wrap("apply", "", err)
}
