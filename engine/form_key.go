package engine

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
)

// FormKeyTTL is how long a key of [Engine.ClaimForm] is remembered: a day.
const FormKeyTTL = 24 * time.Hour

// FormKeyMax is the longest key, in bytes.
const FormKeyMax = 1 << 20

// ClaimForm reports whether a form is sent for the first time, for a face of the engine that wants it done once. The
// key is random and names the form, its sender and what it says; only its SHA-256 is stored. Of several calls with one
// key the first is true, in whatever process. A form that was refused is to be given back by [Engine.ReleaseForm]. One
// whose process died between is not done again within [FormKeyTTL]: the history tells whether it was done.
func (e *Engine) ClaimForm(ctx context.Context, key string) (first bool, err error) {
	return e.claimForm(key).run(ctx)
}

// ClaimFormTx is [Engine.ClaimForm] in the caller's transaction. Where that does what the form asks for, both are done
// or neither is.
func (e *Engine) ClaimFormTx(ctx context.Context, tx pgx.Tx, key string) (first bool, err error) {
	return e.claimForm(key).runIn(ctx, tx)
}

func (e *Engine) claimForm(key string) writeOf[bool] {
	const op = "claim the form"
	return writeOf[bool]{e, op, "", func(ctx context.Context, tx pgx.Tx) (bool, error) {
		if key == "" || len(key) > FormKeyMax {
			return false, fault.Invalidf(op, "key", "a text of 1 to %d bytes is expected", FormKeyMax)
		}
		return e.tenant.Store.AddFormKey(ctx, tx, digestOf(key), e.tenant.Now().Add(FormKeyTTL))
	}}
}

// ReleaseForm forgets a key of [Engine.ClaimForm], so that the form can be sent again.
func (e *Engine) ReleaseForm(ctx context.Context, key string) error {
	return e.releaseForm(key).run(ctx)
}

// ReleaseFormTx is [Engine.ReleaseForm] in the caller's transaction.
func (e *Engine) ReleaseFormTx(ctx context.Context, tx pgx.Tx, key string) error {
	return e.releaseForm(key).runIn(ctx, tx)
}

func (e *Engine) releaseForm(key string) write {
	return write{e, "release the form", "", func(ctx context.Context, tx pgx.Tx) error {
		return e.tenant.Store.DeleteFormKey(ctx, tx, digestOf(key))
	}}
}
