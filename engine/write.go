package engine

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
)

// write is one write of the engine. Its constructor names it once, for the two methods that hosts call: X runs it in a
// transaction of its own, XTx in the caller's.
type write struct {
	engine  *Engine
	op      string // what errors call it
	subject string // what it is about, in errors; "" for nothing in particular
	do      func(ctx context.Context, tx pgx.Tx) error
}

// run carries the write out in a transaction of its own, and again when it lost against another one.
func (w write) run(ctx context.Context) error {
	err := w.engine.tenant.InTx(ctx, func(tx pgx.Tx) error { return w.do(ctx, tx) })
	return fault.Wrap(w.op, w.subject, err)
}

// runIn carries the write out in the caller's transaction. It never begins one: a nil tx panics.
func (w write) runIn(ctx context.Context, tx pgx.Tx) error {
	return fault.Wrap(w.op, w.subject, w.do(ctx, tx))
}

// writeOf is a [write] with a result.
type writeOf[T any] struct {
	engine      *Engine
	op, subject string
	do          func(ctx context.Context, tx pgx.Tx) (T, error)
}

// run is [write.run]. Beside an error it returns the result of the last attempt.
func (w writeOf[T]) run(ctx context.Context) (T, error) {
	result, err := tenant.Transact(ctx, w.engine.tenant, func(tx pgx.Tx) (T, error) { return w.do(ctx, tx) })
	return result, fault.Wrap(w.op, w.subject, err)
}

// runIn is [write.runIn].
func (w writeOf[T]) runIn(ctx context.Context, tx pgx.Tx) (T, error) {
	result, err := w.do(ctx, tx)
	return result, fault.Wrap(w.op, w.subject, err)
}
