package processing

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// State says how far the work on a task is. Of the states that several goroutines end with, the greatest counts.
type State int

// The states of the work on a task.
const (
	Open State = iota // there may be more to do
	Idle              // a step found nothing to do: others have the rest, or nothing is left
	Held              // the guard waits for a confirmation
	Ended
	Absent // there is no such task: it is not visible yet, or was forgotten
)

// A worker waits for others that have the rest of a task, at first for idleWait, then twice as long each time, at most
// for idleWaitMax. Each look at the task reads the requests that others hold.
const (
	idleWait    = 10 * time.Millisecond
	idleWaitMax = 100 * time.Millisecond
)

// Work is the work on one task, by one job or one caller.
type Work struct {
	*Processor
	task store.ID
	// together lets a batch take up small tasks that wait for their turn.
	together bool
	more     func() bool // whether another batch may begin
	report   func(store.TaskCounts) error
	surveys  surveys // of a run over everybody
}

// WorkOn returns the work on a task to its end, for a program that has no workers. It calls report with what each batch
// did, from several goroutines. together lets a batch take up small tasks that wait.
func (p *Processor) WorkOn(id store.ID, together bool, report func(store.TaskCounts) error) *Work {
	return &Work{Processor: p, task: id, together: together, more: func() bool { return true }, report: report}
}

// Do carries out the task until it ends, is held, or the turn is over. Several goroutines work on a task that is larger
// than a batch.
func (w *Work) Do(ctx context.Context) (State, error) {
	size, state, err := w.batch(ctx)
	if err != nil || state != Open && state != Idle {
		return state, err
	}
	if size < w.BatchSize || w.Workers == 1 {
		return w.batches(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	states := make([]State, w.Workers)
	var group sync.WaitGroup
	for i := range states {
		group.Go(func() {
			var err error
			if states[i], err = w.batches(ctx); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return slices.Max(states), context.Cause(ctx)
}

// batches carries out batches, one after the other.
func (w *Work) batches(ctx context.Context) (State, error) {
	wait := idleWait
	for w.more() {
		_, state, err := w.batch(ctx)
		switch {
		case err != nil || state != Open && state != Idle:
			return state, err
		case state == Open:
			wait = idleWait
			continue
		}
		select {
		case <-ctx.Done():
			return Open, ctx.Err()
		case <-time.After(wait):
			wait = min(2*wait, idleWaitMax)
		}
	}
	return Open, ctx.Err()
}

// batch carries out the next batch of the task, or ends the task when there is none. It is Idle where others work on
// the rest. It returns how many identities the batch looked at.
func (w *Work) batch(ctx context.Context) (size int, state State, err error) {
	id := w.task
	begun := time.Now()
	counts, size, state, err := w.step(ctx, w.together)
	var guard *task.HeldError
	w.ObserveBatch(ctx, begun, size, err != nil && !errors.Is(err, task.ErrStopped) && !errors.As(err, &guard))
	switch {
	case errors.Is(err, task.ErrStopped):
		state, err := w.stateOf(ctx, id)
		return size, state, err
	case errors.As(err, &guard):
		err := w.InTx(ctx, func(tx pgx.Tx) error {
			return w.Store.HoldTask(ctx, tx, id, guard.Error(), w.Now())
		})
		if err == nil {
			w.Logger.WarnContext(ctx, "a task waits for a confirmation", "task", id.String())
		}
		return size, Held, err
	case err != nil:
		return size, Open, err
	case state != Idle:
		return size, state, w.report(counts)
	}
	if state, err = w.finish(ctx, id); err == nil && state == Open {
		state = Idle
	}
	return size, state, err
}

// stateOf returns whether a task has ended, is held, is open, or is not there.
func (p *Processor) stateOf(ctx context.Context, id store.ID) (State, error) {
	t, err := p.Store.FindTask(ctx, p.Pool, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Absent, nil
	case err == nil && t.Completed != nil:
		return Ended, nil
	case err == nil && t.Held != nil:
		return Held, nil
	}
	return Open, err
}

// finish ends a task that has no requests and no parts left.
func (p *Processor) finish(ctx context.Context, id store.ID) (State, error) {
	return tenant.TransactBatch(ctx, p.Tenant, func(tx pgx.Tx) (State, error) {
		row, err := p.Store.LockTask(ctx, tx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return Absent, nil
		case err != nil:
			return Open, err
		case row.Completed != nil:
			return Ended, nil
		case row.Held != nil:
			return Held, nil
		}
		// The lock keeps batches of the task from committing. One that has committed has its requests for others
		// written; of one that has not, the requests or the part that it works on are still there.
		ended, err := p.Store.EndTasksWithoutWork(ctx, tx, []store.ID{id}, p.Now())
		if err != nil || len(ended) == 0 {
			return Open, err
		}
		return Ended, p.RecordEnded(ctx, tx, ended)
	})
}

// The limits of small tasks in one batch. It takes up tasks of at most smallTask identities that wait for their turn,
// up to togetherMax requests with its own. With a transaction for each task, each would wait for the disk; with more
// tasks in one, each would wait for too many others.
const (
	smallTask   = 10
	togetherMax = 100
)

// step is what one transaction of the work on a task did, or had taken up when it failed.
type step struct {
	counts  store.TaskCounts
	state   State
	claimed []store.RefreshRequest // of the task
	others  []store.RefreshRequest // of small tasks, where some of the task were claimed
	part    store.TaskPart         // where none of the task could be claimed
	page    []store.ID             // of the part
	// synchronize are those of the page whose synchronization was requested. isClean says that a survey found all of
	// the page to be as they should be.
	synchronize []store.ID
	isClean     bool
}

// size is how many identities the step looked at.
func (s *step) size() int { return max(int(s.counts.Identities), len(s.page)) }

// step carries out the next batch of the task in a transaction of its own. With together it takes up small tasks that
// wait; the counts are the sum over all of them, and the size is how many identities it looked at. See "The life of a
// step" in the documentation of the package.
func (w *Work) step(ctx context.Context, together bool) (_ store.TaskCounts, size int, _ State, _ error) {
	s, err := tenant.TransactBatch(ctx, w.Tenant, func(tx pgx.Tx) (step, error) { return w.try(ctx, tx, together) })
	var guard *task.HeldError
	switch {
	case err == nil:
		return s.counts, s.size(), s.state, nil
	case len(s.others) > 0 && (errors.As(err, &guard) || errors.Is(err, task.ErrStopped) || isolates(ctx, err)):
		return w.step(ctx, false)
	case !isolates(ctx, err):
		return s.counts, s.size(), Open, err
	case len(s.claimed) > 0:
		counts, err := w.processHalves(ctx, w.task, s.claimed, err)
		return counts, int(counts.Identities), Open, err
	case len(s.page) > 0: // as requests, the identities can be told apart
		return store.TaskCounts{}, len(s.page), Open, w.InTx(ctx, func(tx pgx.Tx) error {
			return w.requestPage(ctx, tx, &s)
		})
	}
	return s.counts, s.size(), Open, err
}

// requestPage requests the identities of a page that failed, unless they are requested. What they would lose is not
// known to the survey: it is judged with their batches.
func (w *Work) requestPage(ctx context.Context, tx pgx.Tx, s *step) error {
	if err := w.advancePart(ctx, tx, s.part, s.page); err != nil {
		return err
	}
	if s.part.RequestID.IsZero() {
		cause, err := w.CauseOf(ctx, tx, w.task)
		if err != nil {
			return err
		}
		if err := w.Store.RequestRefresh(ctx, tx, s.page, "part of a batch that failed", cause); err != nil {
			return err
		}
	}
	if !s.part.Survey {
		return nil
	}
	b, err := w.begin(ctx, tx, w.task)
	if err != nil {
		return err
	}
	t := &tally{task: w.task}
	t.of(w.task).Surveyed = true
	_, _, err = b.advance(ctx, t, false)
	return err
}

// try is the transaction of a step. Beside an error it returns what it had taken up.
func (w *Work) try(ctx context.Context, tx pgx.Tx, together bool) (s step, err error) {
	if s.claimed, err = w.Store.ClaimRefreshRequests(ctx, tx, w.task, w.BatchSize); err != nil {
		return s, err
	}
	if len(s.claimed) > 0 {
		if room := min(togetherMax, w.BatchSize) - len(s.claimed); together && room > 0 {
			if s.others, err = w.claimOthers(ctx, tx, room); err != nil {
				return s, err
			}
		}
		s.counts, s.state, err = w.processRequests(ctx, tx, w.task, append(s.claimed, s.others...))
		return s, err
	}
	s.part, err = w.Store.ClaimTaskPart(ctx, tx, w.task)
	if errors.Is(err, store.ErrNotFound) {
		s.state = Idle
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := w.readPart(ctx, tx, &s); err != nil {
		return s, err
	}
	if err := w.advancePart(ctx, tx, s.part, s.page); err != nil || len(s.page) == 0 && !s.part.Survey {
		return s, err
	}
	if s.part.RequestID.IsZero() {
		if err := w.Store.KeepPlans(ctx, tx); err != nil {
			return s, err
		}
	}
	if s.part.Survey {
		return s, w.surveyPart(ctx, tx, &s)
	}
	return s, w.processPart(ctx, tx, &s)
}

// processPart processes a page of a part.
func (w *Work) processPart(ctx context.Context, tx pgx.Tx, s *step) (err error) {
	if s.part.ProfileID.IsZero() {
		s.counts, s.state, err = w.processPage(ctx, tx, s.page)
		return err
	}
	s.counts, s.state, err = w.ProcessIn(ctx, tx, w.task, s.page)
	return err
}

// readPart reads the page of a part.
func (w *Work) readPart(ctx context.Context, tx pgx.Tx, s *step) (err error) {
	if s.part.RequestID.IsZero() {
		s.page, err = w.Store.PartIdentities(ctx, tx, &s.part, w.BatchSize)
		return err
	}
	requests, err := w.Store.SurveyedRequests(ctx, tx, w.task, &s.part)
	for _, r := range requests {
		s.page = append(s.page, r.IdentityID)
		if r.Synchronize {
			s.synchronize = append(s.synchronize, r.IdentityID)
		}
	}
	return err
}

// claimOthers claims at most room requests of other small tasks, whose jobs wait for a worker. A job may be given to
// one between the two statements: the worker finds the requests locked, and waits for the batch that has them.
func (w *Work) claimOthers(ctx context.Context, tx pgx.Tx, room int) ([]store.RefreshRequest, error) {
	tasks, err := w.Store.NextTasks(ctx, tx, w.JobSchema, tenant.QueueEvents, tenant.RunTask{}.Kind(), room+1)
	tasks = slices.DeleteFunc(tasks, func(id store.ID) bool { return id == w.task })
	if err != nil || len(tasks) == 0 {
		return nil, err
	}
	return w.Store.ClaimSmallTasks(ctx, tx, tasks, smallTask, room)
}

// advancePart moves the cursor of a part behind a page. A page that is not full is the last, and ends the part. A part
// of requests is one page.
func (w *Work) advancePart(ctx context.Context, tx pgx.Tx, part store.TaskPart, page []store.ID) error {
	var last store.ID
	if len(page) == w.BatchSize && part.RequestID.IsZero() {
		last = page[len(page)-1]
	}
	return w.Store.AdvanceTaskPart(ctx, tx, w.task, part.Part, last, len(page))
}
