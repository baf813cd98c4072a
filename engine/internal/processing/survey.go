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
// without writing. It counts and reports those that are as they should be, and returns the others. Where the guard
// looks ahead, it adds what these would lose.
func (b *Batch) survey(ctx context.Context, page []store.ID, t *tally, ahead bool) ([]store.ID, error) {
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
			if ahead {
				t.foresee(c, &read.Snapshots[i], b.Configuration)
			}
			continue
		}
		t.count(c, &read.Snapshots[i], b.Configuration)
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
		if left, err = b.survey(ctx, page, t, false); err != nil {
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

// reasonDiffers is the reason of the requests for the identities that a survey found not to be as they should be.
const reasonDiffers = "a survey found that it differs"

// surveyPart surveys a page of identities or requests before the first batch of the task is written, for the guard. The
// identities of a page of a run over everybody that are as they should be are done; the others are requested.
func (w *Work) surveyPart(ctx context.Context, tx pgx.Tx, s *step) error {
	b, err := w.begin(ctx, tx, w.task)
	if err != nil {
		return err
	}
	if b.Configuration.Settings.Guard.Off { // by now
		if s.part.RequestID.IsZero() && len(s.page) > 0 {
			return w.processPart(ctx, tx, s)
		}
		return nil
	}
	b.readOnly = true // names are not locked for what is not written
	t := &tally{task: w.task, everybody: true}
	t.of(w.task).Surveyed = true
	switch {
	case len(s.page) == 0:
	case s.part.RequestID.IsZero():
		err = b.surveyPage(ctx, s, t)
	default:
		err = b.foresee(ctx, s, t)
	}
	if err != nil {
		return err
	}
	s.counts, s.state, err = b.advance(ctx, t, s.isClean && len(s.page) == w.BatchSize)
	return err
}

// surveyPage surveys a page of a run over everybody, or over a profile, and requests the processing of those that are
// not as they should be. A run over a profile requests all: it records for each that it was processed.
func (b *Batch) surveyPage(ctx context.Context, s *step, t *tally) error {
	left, err := b.survey(ctx, s.page, t, true)
	if err != nil {
		return err
	}
	if !s.part.ProfileID.IsZero() {
		left = s.page
		t.of(b.Cause.Task).Counts = store.TaskCounts{}
		t.of(b.Cause.Task).Messages = nil
	}
	s.isClean = len(left) == 0
	if s.isClean {
		return nil
	}
	return b.Store.RequestRefresh(ctx, b.Tx, left, reasonDiffers, b.Cause)
}

// foresee calculates identities that are requested, without locks and without writing, and adds what they would lose.
func (b *Batch) foresee(ctx context.Context, s *step, t *tally) error {
	read, err := b.Read(ctx, s.page, s.synchronize)
	if err != nil {
		return err
	}
	calculated, err := read.Calculate()
	if err != nil {
		return err
	}
	for i := range calculated.Changes {
		t.foresee(&calculated.Changes[i], &read.Snapshots[i], b.Configuration)
	}
	return nil
}
