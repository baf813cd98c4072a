package engine

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// A run over everybody finds most identities as they should be. It therefore first calculates a page of them as they
// are read, without locks and without writing, and takes up only those that differ. A change which is committed
// meanwhile, and which the survey may have missed, has a mark of its own.

// surveyShare is up to which share of changed identities, in a thousand, a survey pays: those that differ are
// calculated twice.
const surveyShare = 300

// workspaces are kept because a run needs one for each page.
var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// surveys decides whether a page of a run over everybody is surveyed.
type surveys struct {
	// changed is how many of a thousand identities of its last page the run changed.
	changed atomic.Int32
}

// pays reports whether the next page is surveyed.
func (s *surveys) pays() bool { return s.changed.Load() <= surveyShare }

// record takes how many of the identities of a page the run changed.
func (s *surveys) record(changed, all int) {
	if all > 0 {
		s.changed.Store(int32(1000 * changed / all))
	}
}

// survey calculates the identities of a page that are all those between its first and its last, counts and reports
// those of which nothing is to be written, and returns the others.
func (b *batch) survey(ctx context.Context, page []store.ID) ([]store.ID, error) {
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	s := &batch{e: b.e, tx: b.tx, config: b.config, cause: b.cause, ids: page, changes: w.changes}
	err := s.read(ctx, w, func(reader store.SnapshotReader) error {
		return b.e.store.ReadSnapshotsBetween(ctx, b.tx, page[0], page[len(page)-1], reader)
	})
	if err != nil {
		return nil, err
	}
	if err := s.compute(); err != nil {
		return nil, err
	}
	w.changes = s.changes
	var left []store.ID
	for i := range s.changes {
		c := &s.changes[i]
		c.SetManager(w.found[i]) // of the key that it has: another one makes a difference by itself
		if w.requested[i] || c.Differs() || !sameTime(b.e.dueOf(c, b.cause.At), s.due[i]) {
			left = append(left, c.After.ID)
			continue
		}
		b.count(c)
		b.report(c)
	}
	return left, nil
}

// processPage calculates a page of a run over everybody.
func (w *work) processPage(ctx context.Context, tx pgx.Tx, page []store.ID) (store.TaskCounts,
	taskState, error,
) {
	e, task := w.e, w.task
	b, err := e.newBatch(ctx, tx, task)
	if err != nil {
		return store.TaskCounts{}, taskOpen, err
	}
	b.everybody = true
	left := page
	if w.surveys.pays() {
		if left, err = b.survey(ctx, page); err != nil {
			return store.TaskCounts{}, taskOpen, err
		}
	}
	if err := b.process(ctx, left); err != nil {
		return store.TaskCounts{}, taskOpen, err
	}
	w.surveys.record(int(b.sum().Changed), len(page))
	b.lazily = len(left) == 0 && len(page) == e.config.BatchSize
	return b.advance(ctx)
}
