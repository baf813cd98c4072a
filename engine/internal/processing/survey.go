package processing

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// surveyShare is the largest share of changed identities, in a thousand, at which a survey pays: identities that differ
// are calculated twice.
const surveyShare = 300

// workspaces are used again, since a run needs one for each page.
var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// surveys decides whether a page of a run over everybody is surveyed. See "Surveys" in the documentation of the
// package.
type surveys struct {
	// changed is how many of a thousand identities of its last page the run changed.
	changed atomic.Int32
}

// pays reports whether the next page is surveyed.
func (s *surveys) pays() bool { return s.changed.Load() <= surveyShare }

// record records how many identities of a page the run changed.
func (s *surveys) record(changed, all int) {
	if all > 0 {
		s.changed.Store(int32(1000 * changed / all))
	}
}

// survey calculates the identities of a page, which are all those between its first and its last, without locks and
// without writing. It counts and reports those that are as they should be, and returns the others.
func (b *Batch) survey(ctx context.Context, page []store.ID, t *tally) ([]store.ID, error) {
	memory := workspaces.Get().(*workspace)
	defer workspaces.Put(memory)
	read, err := b.read(ctx, memory, page, nil, true, func(reader store.SnapshotReader) error {
		return b.Store.ReadSnapshotsBetween(ctx, b.Tx, page[0], page[len(page)-1], reader)
	})
	if err != nil {
		return nil, err
	}
	calculated, err := read.Calculate()
	if err != nil {
		return nil, err
	}
	var outdated map[store.ID]bool
	if read.others != nil {
		read.others.warn()
		outdated = read.others.outdated()
	}
	var left []store.ID
	for i := range calculated.Changes {
		c := &calculated.Changes[i]
		c.SetManager(memory.found[i]) // found by the key that the identity has; where that changes, it differs anyway
		if memory.requested[i] || outdated[c.After.ID] || c.Differs() ||
			!sameTime(b.nextDue(c, b.Cause.At), read.Due[i]) {
			left = append(left, c.After.ID)
			continue
		}
		t.count(c)
		t.report(c)
	}
	return left, nil
}

// processPage processes a page of a run over everybody.
func (w *Work) processPage(ctx context.Context, tx pgx.Tx, page []store.ID) (store.TaskCounts, State, error) {
	b, err := w.begin(ctx, tx, w.task)
	if err != nil {
		return store.TaskCounts{}, Open, err
	}
	t := &tally{task: w.task, everybody: true}
	left := page
	if w.surveys.pays() {
		if left, err = b.survey(ctx, page, t); err != nil {
			return store.TaskCounts{}, Open, err
		}
	}
	if _, err := b.process(ctx, left, t); err != nil {
		return store.TaskCounts{}, Open, err
	}
	w.surveys.record(int(t.sum().Changed), len(page))
	// A page that wrote nothing but its progress may be lost, since it is calculated again then; the last page of its
	// part may not.
	return b.advance(ctx, t, len(left) == 0 && len(page) == w.BatchSize)
}
