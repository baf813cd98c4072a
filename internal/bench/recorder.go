package main

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// recorder records the transactions in which an engine writes identities, as a tracer of its connections.
type recorder struct {
	mutex  sync.Mutex
	on     bool
	open   map[uint32]transaction // by the server's process
	closed []transaction
}

// transaction is the statements between a begin and its commit, both left out.
type transaction []statement

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
		if t := r.open[process]; t.writesIdentities() {
			r.closed = append(r.closed, t)
		}
		delete(r.open, process)
	case data.SQL == "rollback":
		delete(r.open, process)
	case within:
		r.open[process] = append(r.open[process], statement{data.SQL, slices.Clone(data.Args)})
	}
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (*recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (t transaction) writesIdentities() bool {
	return slices.ContainsFunc(t, func(s statement) bool {
		return strings.Contains(s.text, "UPDATE muster.identities i")
	})
}

// run runs the transaction.
func (t transaction) run(ctx context.Context, conn *pgxpool.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, s := range t {
			if err := discard(ctx, tx, s.text, s.arguments...); err != nil {
				return err
			}
		}
		return nil
	})
}
