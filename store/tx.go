package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Beginner begins transactions: a pool, or a connection.
type Beginner interface {
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// InTx runs work in a transaction and commits it, or rolls it back when work fails. Errors of the transaction's begin
// and of its end have the meaning that those of statements have.
func InTx(ctx context.Context, b Beginner, options pgx.TxOptions, work func(tx pgx.Tx) error) (err error) {
	tx, err := b.BeginTx(ctx, options)
	if err != nil {
		return mapError(err)
	}
	committed := false
	defer func() {
		if !committed { // also when work panics
			// What could not be rolled back is rolled back by the end of the connection.
			_ = tx.Rollback(ctx)
		}
	}()
	if err := work(tx); err != nil {
		return err
	}
	committed = true
	return mapError(tx.Commit(ctx))
}
