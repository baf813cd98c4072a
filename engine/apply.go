package engine

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ApplyResult says what applying did.
type ApplyResult struct {
	Objects []AppliedObject `json:"objects"`
	// Marked is how many identities wait to be processed because of it. Task is the ID of the task that processes them.
	Marked int    `json:"marked"`
	Task   string `json:"task,omitempty"`
	// Notes say what was applied as it is given, but may not be what was meant.
	Notes []string `json:"notes"`
	// Version is the version of the configuration after it.
	Version int64 `json:"version"`
}

// Apply makes the configuration say what documents say: it finds an object by its ID, or else by its name, and creates
// it when it is not there. Objects that are not mentioned stay as they are. Everything is applied or nothing. The same
// transaction requests the processing of the identities that it concerns. Applying the same twice changes nothing the
// second time.
func (e *Engine) Apply(ctx context.Context, documents []Document) (ApplyResult, error) {
	return e.apply(documents).run(ctx)
}

// ApplyTx is [Engine.Apply] in the caller's transaction. It keeps other changes and runs waiting until that ends.
func (e *Engine) ApplyTx(ctx context.Context, tx pgx.Tx, documents []Document) (ApplyResult, error) {
	return e.apply(documents).runIn(ctx, tx)
}

func (e *Engine) apply(documents []Document) writeOf[ApplyResult] {
	return writeOf[ApplyResult]{e, "apply", "", func(ctx context.Context, tx pgx.Tx) (ApplyResult, error) {
		result, err := e.applier.Apply(ctx, tx, documents)
		return ApplyResult(result), err
	}}
}
