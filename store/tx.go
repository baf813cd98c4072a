package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Beginner begins transactions: a pool, or a connection.
type Beginner interface {
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// InTx runs work in a transaction and commits it, or rolls it back when work fails. Errors of the begin and the end of
// the transaction are mapped like those of statements.
func InTx(ctx context.Context, b Beginner, options pgx.TxOptions, work func(tx pgx.Tx) error) (err error) {
	tx, err := b.BeginTx(ctx, options)
	if err != nil {
		return mapError(err)
	}
	committed := false
	defer func() {
		if !committed { // also when work panics
			// If this fails, the end of the connection rolls it back.
			_ = tx.Rollback(ctx)
		}
	}()
	if err := work(tx); err != nil {
		return err
	}
	committed = true
	return mapError(tx.Commit(ctx))
}
