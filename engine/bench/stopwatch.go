package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// stopwatch is a tracer of connections that sums the times of statements, from the sending to the last row.
type stopwatch struct {
	mutex sync.Mutex
	on    bool
	spent map[string]spent
}

type spent struct {
	count int
	time  time.Duration
}

type stopwatchKey struct{}

type started struct {
	text string
	at   time.Time
}

func (s *stopwatch) start() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.on, s.spent = true, map[string]spent{}
}

func (s *stopwatch) stop() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.on = false
}

func (s *stopwatch) begin(ctx context.Context, text string) context.Context {
	return context.WithValue(ctx, stopwatchKey{}, started{text, time.Now()})
}

func (s *stopwatch) end(ctx context.Context) {
	st, ok := ctx.Value(stopwatchKey{}).(started)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !ok || !s.on {
		return
	}
	sum := s.spent[st.text]
	s.spent[st.text] = spent{sum.count + 1, sum.time + time.Since(st.at)}
}

// TraceQueryStart implements [pgx.QueryTracer].
func (s *stopwatch) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return s.begin(ctx, data.SQL)
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (s *stopwatch) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	s.end(ctx)
}

// TraceBatchStart implements [pgx.BatchTracer].
func (s *stopwatch) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	var texts []string
	for _, q := range data.Batch.QueuedQueries {
		texts = append(texts, q.SQL)
	}
	return s.begin(ctx, strings.Join(texts, ";"))
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (*stopwatch) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (s *stopwatch) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) {
	s.end(ctx)
}

// TraceCopyFromStart implements [pgx.CopyFromTracer].
func (s *stopwatch) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData,
) context.Context {
	return s.begin(ctx, "COPY "+data.TableName.Sanitize())
}

// TraceCopyFromEnd implements [pgx.CopyFromTracer].
func (s *stopwatch) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	s.end(ctx)
}

// write writes the statements, the one with the most time first.
func (s *stopwatch) write(w io.Writer) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	texts := slices.SortedFunc(maps.Keys(s.spent), func(a, b string) int {
		return cmp.Compare(s.spent[b].time, s.spent[a].time)
	})
	for _, text := range texts {
		sum := s.spent[text]
		if _, err := fmt.Fprintf(w, "%10s %7d × %s\n", significant(sum.time), sum.count,
			strings.Join(strings.Fields(text), " ")); err != nil {
			return err
		}
	}
	return nil
}
