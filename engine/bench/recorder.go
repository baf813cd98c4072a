package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/store"
)

// recorder is a tracer of an engine's connections that records the transactions that write identities.
type recorder struct {
	mutex  sync.Mutex
	on     bool
	open   map[uint32]transaction // by process of the server
	closed []transaction
}

// transaction is the statements between a begin and its commit, sent one at a time or several at once.
type transaction struct {
	sent      [][]statement
	committed time.Time // when the commit returned
}

// committing is the context key for the transaction of a commit.
type committing struct{}

type statement struct {
	text      string
	arguments []any
}

// begin begins a recording.
func (r *recorder) begin() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.on, r.open, r.closed = true, map[uint32]transaction{}, nil
}

// end ends the recording and returns the committed transactions.
func (r *recorder) end() []transaction {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.on = false
	return r.closed
}

// TraceQueryStart implements [pgx.QueryTracer].
func (r *recorder) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if !r.on {
		return ctx
	}
	process := conn.PgConn().PID()
	_, within := r.open[process]
	switch {
	case data.SQL == "begin":
		r.open[process] = transaction{}
	case data.SQL == "commit":
		t := r.open[process]
		delete(r.open, process)
		return context.WithValue(ctx, committing{}, t)
	case data.SQL == "rollback":
		delete(r.open, process)
	case within:
		r.record(process, []statement{{data.SQL, slices.Clone(data.Args)}})
	}
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (r *recorder) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t, commits := ctx.Value(committing{}).(transaction)
	if !commits || data.Err != nil || t.identities() == 0 {
		return
	}
	t.committed = time.Now()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.closed = append(r.closed, t)
}

func (r *recorder) record(process uint32, sent []statement) {
	t := r.open[process]
	t.sent = append(t.sent, sent)
	r.open[process] = t
}

// TraceBatchStart implements [pgx.BatchTracer].
func (r *recorder) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	process := conn.PgConn().PID()
	if _, within := r.open[process]; !r.on || !within {
		return ctx
	}
	var sent []statement
	for _, q := range data.Batch.QueuedQueries {
		sent = append(sent, statement{q.SQL, slices.Clone(q.Arguments)})
	}
	r.record(process, sent)
	return ctx
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (*recorder) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (*recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// identities returns the number of identities that the transaction writes.
func (t *transaction) identities() int {
	count := 0
	for _, sent := range t.sent {
		for _, s := range sent {
			if strings.Contains(s.text, "UPDATE muster.identities i") {
				count += len(s.arguments[0].([]store.ID))
			}
		}
	}
	return count
}

// run runs the transaction.
func (t *transaction) run(ctx context.Context, conn *pgxpool.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sent := range t.sent {
			if err := send(ctx, tx, sent); err != nil {
				return err
			}
		}
		return nil
	})
}

// sender is a transaction, or a connection of a pool.
type sender interface {
	querier
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// send sends statements as they were recorded, and reads their rows without decoding them.
func send(ctx context.Context, tx sender, statements []statement) error {
	if len(statements) == 1 {
		return discard(ctx, tx, statements[0].text, statements[0].arguments...)
	}
	var batch pgx.Batch
	for _, s := range statements {
		batch.Queue(s.text, s.arguments...)
	}
	results := tx.SendBatch(ctx, &batch)
	for range statements {
		rows, err := results.Query()
		if err == nil {
			err = readAway(rows)
		}
		if err != nil {
			return errors.Join(err, results.Close())
		}
	}
	return results.Close()
}
