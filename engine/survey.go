package engine

import (
	"context"
	"sync"

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

// surveys reports whether the next page of a run over everybody is to be surveyed.
func (e *Engine) surveys() bool { return e.changing.Load() <= surveyShare }

// noteChanging notes how many identities of a page a run over everybody changed.
func (e *Engine) noteChanging(changed, all int) {
	if all > 0 {
		e.changing.Store(int32(1000 * changed / all))
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
func (e *Engine) processPage(ctx context.Context, tx pgx.Tx, task store.ID, page []store.ID) (store.TaskCounts,
	taskState, error,
) {
	b, err := e.newBatch(ctx, tx, task)
	if err != nil {
		return store.TaskCounts{}, taskOpen, err
	}
	b.everybody = true
	left := page
	if e.surveys() {
		if left, err = b.survey(ctx, page); err != nil {
			return store.TaskCounts{}, taskOpen, err
		}
	}
	if err := b.process(ctx, left); err != nil {
		return store.TaskCounts{}, taskOpen, err
	}
	e.noteChanging(int(b.sum().Changed), len(page))
	b.lazily = len(left) == 0 && len(page) == e.config.BatchSize
	return b.advance(ctx)
}
