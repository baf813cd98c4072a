package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/store"
)

// recorder records the transactions in which an engine writes identities, as a tracer of its connections.
type recorder struct {
	mutex  sync.Mutex
	on     bool
	open   map[uint32]transaction // by the server's process
	closed []transaction
}

// transaction is what was sent between a begin and its commit, both left out: one statement at a time, or several.
type transaction [][]statement

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

// end ends the recording and returns the transactions that were committed.
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
		if t := r.open[process]; t.identities() > 0 {
			r.closed = append(r.closed, t)
		}
		delete(r.open, process)
	case data.SQL == "rollback":
		delete(r.open, process)
	case within:
		r.open[process] = append(r.open[process], []statement{{data.SQL, slices.Clone(data.Args)}})
	}
	return ctx
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
	r.open[process] = append(r.open[process], sent)
	return ctx
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (*recorder) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (*recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TraceQueryEnd implements [pgx.QueryTracer].
func (*recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// identities returns how many identities the transaction writes.
func (t transaction) identities() int {
	count := 0
	for _, sent := range t {
		for _, s := range sent {
			if strings.Contains(s.text, "UPDATE muster.identities i") {
				count += len(s.arguments[0].([]store.ID))
			}
		}
	}
	return count
}

// run runs the transaction.
func (t transaction) run(ctx context.Context, conn *pgxpool.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sent := range t {
			if err := send(ctx, tx, sent); err != nil {
				return err
			}
		}
		return nil
	})
}

// send sends statements as they were sent, and reads their rows without decoding them.
func send(ctx context.Context, tx pgx.Tx, statements []statement) error {
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
