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

// Try runs work in a transaction, and then undoes what it wrote and gives back the locks that it took; the transaction
// goes on.
func Try(ctx context.Context, tx pgx.Tx, work func() error) error {
	attempt, err := tx.Begin(ctx) // a savepoint
	if err != nil {
		return mapError(err)
	}
	undone := false
	defer func() {
		if !undone { // work panics
			// If this fails, so does the transaction.
			_ = attempt.Rollback(ctx)
		}
	}()
	worked := work()
	undone = true
	if err := attempt.Rollback(ctx); worked == nil {
		return mapError(err)
	}
	return worked
}

const (
	// plannedAnew has each statement planned when it is run, with its values and for the size that the tables have
	// then. A connection would otherwise keep the plan that it made while a table was small, until the server looks at
	// the table again.
	plannedAnew = `SET LOCAL plan_cache_mode = force_custom_plan`
	// notCompiled has nothing compiled. While the server knows nothing of a table, it takes a look into an index for
	// each of a thousand identities to be long.
	notCompiled = `SET LOCAL jit = off`
	// byIndex has rows found by an index where there is one for the question.
	byIndex = `SET LOCAL enable_seqscan = off`
	// keptAgain lets statements have kept plans again.
	keptAgain = `SET LOCAL plan_cache_mode TO DEFAULT`
)

// InBatchTx is [InTx] for a batch, which reads what belongs to its identities, however long ago the server looked at
// the tables: its statements are planned when they are run, and find rows by an index. What it sets ends with the
// transaction. docs/adr/0019-plans.md has the reasons.
func InBatchTx(ctx context.Context, b Beginner, work func(tx pgx.Tx) error) error {
	return inTxWith(ctx, b, pgx.TxOptions{}, work, plannedAnew, notCompiled, byIndex)
}

// KeepPlans lets the statements that follow in a transaction of [InBatchTx] have kept plans. It is for a page of a run
// over everybody: a plan that does not know the values expects few rows between two IDs, and reads them by the index,
// where one that knows them may read all of a small table for each page. And it is for what a batch writes: the server
// would plan the check of a foreign key anew for each row, which takes longer than the check.
func (s *Store) KeepPlans(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, keptAgain)
	return mapError(err)
}

// InPreviewTx is [InTx] for a preview, which sees the database as it is when it begins, and only reads. It sends the
// statements of a batch, planned when they are run, and others that read everybody.
func InPreviewTx(ctx context.Context, b Beginner, work func(tx pgx.Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return inTxWith(ctx, b, options, work, plannedAnew, notCompiled)
}

// inTxWith is [InTx] with settings that hold until the transaction ends. They are sent in one exchange.
func inTxWith(ctx context.Context, b Beginner, options pgx.TxOptions, work func(tx pgx.Tx) error,
	settings ...string,
) error {
	return InTx(ctx, b, options, func(tx pgx.Tx) error {
		var batch pgx.Batch
		for _, set := range settings {
			batch.Queue(set)
		}
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return mapError(err)
		}
		return work(tx)
	})
}
