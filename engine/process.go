package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/store"
)

// The types of events in an identity's history.
const (
	EventCreated           = "IDENTITY_CREATED"
	EventAttributesChanged = "IDENTITY_ATTRIBUTES_CHANGED"
	EventRolesChanged      = "IDENTITY_ROLES_CHANGED"
	EventStateChanged      = "IDENTITY_STATE_CHANGED"
	EventProvisioned       = "IDENTITY_PROVISIONED"
)

// ProcessIdentitiesMax is how many identities one call of [Engine.ProcessIdentities] takes: the published limit.
const ProcessIdentitiesMax = 250

// ProcessOptions say how processing reports. The zero ProcessOptions are silent.
type ProcessOptions struct {
	// Progress, if set, is called after each batch with the identities done and those that still wait. Calls do not
	// overlap.
	Progress func(done, waiting int)
}

// ProcessResult says what processing did.
type ProcessResult struct {
	Identities int `json:"identities"` // calculated; one that was calculated twice counts twice
	Changed    int `json:"changed"`    // of which something was written
	Errors     int `json:"errors"`     // whose calculation failed; they have processingState ERROR
	Warnings   int `json:"warnings"`   // with a warning: the messages of the task say what it is
	Correlated int `json:"correlated"` // accounts that found an identity which this run made findable
	// RolesGained and RolesLost count the role assignments that were written and removed.
	RolesGained int `json:"rolesGained"`
	RolesLost   int `json:"rolesLost"`
	// Operations counts what was opened to be done on sources.
	Operations int `json:"operations"`
	// Held are the tasks that wait for [Engine.ConfirmTask], because they would change more than the guard allows.
	Held []string `json:"held,omitempty"`
}

func (r *ProcessResult) add(c store.TaskCounts) {
	r.Identities += int(c.Identities)
	r.Changed += int(c.Changed)
	r.Errors += int(c.Errors)
	r.Warnings += int(c.Warnings)
	r.Correlated += int(c.Correlated)
	r.RolesGained += int(c.RolesGained)
	r.RolesLost += int(c.RolesLost)
	r.Operations += int(c.Operations)
}

// ProcessIdentities launches a task that processes identities: at least one, at most [ProcessIdentitiesMax]. One that
// is named twice counts once. When some of them do not exist, the error says which, and nothing is launched. A worker
// carries the task out, of this engine after [Engine.Start] or of any other; see [Engine.Wait]. A call that is repeated
// before the task has begun returns that task.
func (e *Engine) ProcessIdentities(ctx context.Context, ids []string) (TaskStatus, error) {
	var task TaskStatus
	err := e.inTx(ctx, func(tx pgx.Tx) (err error) {
		task, err = e.ProcessIdentitiesTx(ctx, tx, ids)
		return err
	})
	return task, wrap("process identities", "", err)
}

// ProcessIdentitiesTx is [Engine.ProcessIdentities] in the caller's transaction: the task exists when that commits.
func (e *Engine) ProcessIdentitiesTx(ctx context.Context, tx pgx.Tx, ids []string) (TaskStatus, error) {
	const op = "process identities"
	wanted, err := e.existing(ctx, tx, op, ids, ProcessIdentitiesMax)
	if err != nil {
		return TaskStatus{}, wrap(op, "", err)
	}
	cause := store.Cause{Task: store.NewID(), At: e.now()}
	waiting, err := e.store.WaitingTask(ctx, tx, wanted, reasonRequested, cause.At.Add(-processAgain))
	if err == nil {
		return taskStatus(&waiting, nil), nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return TaskStatus{}, wrap(op, "", err)
	}
	if err := e.store.RequestRefresh(ctx, tx, wanted, reasonRequested, cause); err != nil {
		return TaskStatus{}, wrap(op, "", err)
	}
	task := &store.Task{Description: fmt.Sprintf("Process %s", plural(len(wanted), "identity", "identities")),
		Population: int64(len(wanted))}
	if len(wanted) == 1 {
		task.TargetType, task.TargetID = store.NullText("IDENTITY"), wanted[0]
	}
	if err := e.launch(ctx, tx, cause, task); err != nil {
		return TaskStatus{}, wrap(op, "", err)
	}
	return taskStatus(task, nil), nil
}

// reasonRequested is why identities are marked that somebody named.
const reasonRequested = "processing requested"

// processAgain is how long after a request the same one gives the same task, as long as that has not begun: a client
// repeated its call.
const processAgain = time.Minute

// noIdentity says that there is no identity with an ID.
func noIdentity(op, id string) *Error {
	return &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("there is no identity with this ID")}
}

// existing returns the identities that are named by ID, each once, and keeps them from being deleted until the
// transaction ends. It fails unless all of them exist.
func (e *Engine) existing(ctx context.Context, tx pgx.Tx, op string, ids []string, limit int) ([]store.ID, error) {
	wanted, missing, err := parseIDs(op, ids, limit)
	if err != nil {
		return nil, err
	}
	found, err := e.store.ExistingIdentities(ctx, tx, wanted)
	if err != nil {
		return nil, err
	}
	return wanted, demandAll(op, wanted, found, missing)
}

// demandAll says which of the identities that were named do not exist, nil when all were found.
func demandAll(op string, wanted, found []store.ID, nobodys []string) error {
	for _, id := range wanted {
		if !slices.Contains(found, id) {
			nobodys = append(nobodys, id.String())
		}
	}
	return noIdentities(op, nobodys)
}

// parseIDs reads 1 to limit IDs, each once. A text that is no ID is nobody's: those are returned too.
func parseIDs(op string, ids []string, limit int) (wanted []store.ID, nobodys []string, err error) {
	if len(ids) == 0 {
		return nil, nil, invalidAs(Missing, op, "", "no identity is named: 1 to %d are allowed", limit)
	}
	if len(ids) > limit {
		return nil, nil, invalidAs(TooMany, op, "", "%d identities are named: 1 to %d are allowed", len(ids), limit)
	}
	for _, text := range ids {
		id, known := store.IDOf(text)
		switch {
		case !known:
			nobodys = append(nobodys, text)
		case !slices.Contains(wanted, id):
			wanted = append(wanted, id)
		}
	}
	return wanted, nobodys, nil
}

// missingNamedMax is how many identities that do not exist an error names.
const missingNamedMax = 10

// noIdentities says which of the identities that were named do not exist, nil when all do.
func noIdentities(op string, missing []string) error {
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return noIdentity(op, missing[0])
	}
	named := strings.Join(missing[:min(len(missing), missingNamedMax)], ", ")
	if more := len(missing) - missingNamedMax; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return &Error{Kind: NotFound, Op: op, Subject: named, Err: errors.New("there are no identities with these IDs")}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ProcessProfile launches a task that processes all identities of an identity profile, named by ID or by name.
func (e *Engine) ProcessProfile(ctx context.Context, profile string) (TaskStatus, error) {
	const op = "process the identity profile"
	return e.processParts(ctx, op, func(c *configuration) (*store.Task, store.ID, error) {
		p := c.profileByName(profile)
		if p == nil {
			var names []string
			for i := range c.profiles {
				names = append(names, fmt.Sprintf("%q", c.profiles[i].Name))
			}
			return nil, store.ID{}, &Error{Kind: NotFound, Op: op, Subject: profile,
				Err: fmt.Errorf("there is no such identity profile: those are %s", listOrNone(names))}
		}
		return &store.Task{Description: fmt.Sprintf("Process the identity profile %q", p.Name)}, p.id, nil
	})
}

// ProcessAll launches a task that processes all identities, also those that are long-term inactive.
func (e *Engine) ProcessAll(ctx context.Context) (TaskStatus, error) {
	return e.processParts(ctx, "process everybody", func(*configuration) (*store.Task, store.ID, error) {
		return &store.Task{Description: "Process all identities", Everybody: true}, store.ID{}, nil
	})
}

// partsMax is into how many ranges a large run is divided: more than workers, so that none is idle at the end.
const partsMax = 16

func (e *Engine) processParts(ctx context.Context, op string,
	plan func(*configuration) (*store.Task, store.ID, error),
) (TaskStatus, error) {
	var status TaskStatus
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		c, err := e.configurationIn(ctx, tx)
		if err != nil {
			return err
		}
		task, profile, err := plan(c)
		if err != nil {
			return err
		}
		cause := store.Cause{Task: store.NewID(), At: e.now()}
		if err := e.launch(ctx, tx, cause, task); err != nil {
			return err
		}
		status = taskStatus(task, nil)
		// After the task, to which the parts belong.
		population, err := e.store.AddTaskParts(ctx, tx, cause.Task, profile, partsMax)
		if err != nil {
			return err
		}
		return e.store.SetTaskPopulation(ctx, tx, cause.Task, population)
	})
	return status, wrap(op, "", err)
}

// profileByName returns the profile that an ID or a name, ignoring case, stands for; nil when none does.
func (c *configuration) profileByName(text string) *configuredProfile {
	id, err := store.ParseID(text)
	folded := store.Fold(text)
	for i := range c.profiles {
		if err == nil && c.profiles[i].id == id || store.Fold(c.profiles[i].Name) == folded {
			return &c.profiles[i]
		}
	}
	return nil
}

// ProcessPending carries out every task that waits, with the workers of [Config], until none does: also those that
// others have begun. It is for programs that have no workers running. Any number of callers may do it at the same
// time, beside workers. Tasks that are held stay; the result names them. Where the database ends what takes it too
// long, the other tasks are carried out, and the error is Unavailable. When the context ends, what was committed stays
// and the rest waits on.
func (e *Engine) ProcessPending(ctx context.Context, options ProcessOptions) (ProcessResult, error) {
	var total ProcessResult
	var mutex sync.Mutex
	report := func(counts store.TaskCounts) error {
		mutex.Lock()
		defer mutex.Unlock()
		total.add(counts)
		if options.Progress == nil {
			return nil
		}
		waiting, err := e.store.CountPending(ctx, e.pool)
		if err == nil {
			options.Progress(total.Identities, waiting)
		}
		return err
	}
	for {
		open, err := e.store.OpenTasks(ctx, e.pool)
		if err != nil || len(open) == 0 {
			return total, wrap("process", "", err)
		}
		var slow error // of a task that the database takes too long for: the others do not wait for it
		for _, task := range open {
			w := &work{e: e, task: task, together: true, more: func() bool { return true }, report: report}
			state, err := w.do(ctx)
			if timedOut(err) {
				slow = err
				continue
			}
			if err != nil {
				return total, wrap("process", "", err)
			}
			if state == taskHeld {
				total.Held = append(total.Held, task.String())
			}
			if err := e.dropJob(ctx, task); err != nil {
				return total, wrap("process", "", err)
			}
		}
		if slow != nil {
			return total, wrap("process", "", slow)
		}
	}
}

// ProcessTask carries out one task in the calling goroutine and returns its status, when it has ended or is held.
func (e *Engine) ProcessTask(ctx context.Context, id string, options ProcessOptions) (TaskStatus, error) {
	const op = "process the task"
	task, err := e.findTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	done, left := 0, int(task.Remaining)
	var mutex sync.Mutex
	w := &work{e: e, task: task.ID, more: func() bool { return true }, report: func(counts store.TaskCounts) error {
		mutex.Lock()
		defer mutex.Unlock()
		done += int(counts.Identities)
		if options.Progress != nil {
			options.Progress(done, max(left-done, 0))
		}
		return nil
	}}
	if _, err = w.do(ctx); err == nil {
		err = e.dropJob(ctx, task.ID)
	}
	if err != nil {
		return TaskStatus{}, wrap(op, id, err)
	}
	return e.Task(ctx, id)
}

// taskState is how far the work on a task has come.
type taskState int

const (
	taskOpen taskState = iota
	taskIdle           // open, but others have the rest, or there is none
	taskHeld
	taskEnded
)

// idleWait is how long a worker waits for others that have the rest of a task.
const idleWait = 10 * time.Millisecond

// work is the work on a task.
type work struct {
	e    *Engine
	task store.ID
	// together lets a batch take up small tasks that wait for their turn.
	together bool
	// more is asked before each batch whether to go on.
	more func() bool
	// report is called with what each batch did.
	report func(store.TaskCounts) error
	// surveys is for a run over everybody.
	surveys surveys
}

// do carries out the task until it ends, is held, or more reports false. A task that is larger than a batch is worked
// on by several goroutines.
func (w *work) do(ctx context.Context) (taskState, error) {
	e := w.e
	counts, state, err := w.batch(ctx)
	if err != nil || state != taskOpen {
		return state, err
	}
	if int(counts.Identities) < e.config.BatchSize || e.config.Workers == 1 {
		return w.batches(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	states := make([]taskState, e.config.Workers)
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

// batches is the work of one goroutine.
func (w *work) batches(ctx context.Context) (taskState, error) {
	for w.more() {
		if _, state, err := w.batch(ctx); err != nil || state != taskOpen {
			return state, err
		}
	}
	return taskOpen, ctx.Err()
}

// batch carries out the next batch of the task, or ends the task when there is none.
func (w *work) batch(ctx context.Context) (store.TaskCounts, taskState, error) {
	e, id := w.e, w.task
	counts, state, err := w.step(ctx, w.together)
	var guard *guardError
	switch {
	case errors.Is(err, errTaskStopped):
		state, err := e.stateOf(ctx, id)
		return counts, state, err
	case errors.As(err, &guard):
		err := e.inTx(ctx, func(tx pgx.Tx) error {
			return e.store.HoldTask(ctx, tx, id, guard.Error(), e.now())
		})
		if err == nil {
			e.config.Logger.WarnContext(ctx, "a task waits for a confirmation", "task", id.String())
		}
		return counts, taskHeld, err
	case err != nil:
		return counts, taskOpen, err
	case state != taskIdle:
		return counts, state, w.report(counts)
	}
	state, err = e.finish(ctx, id)
	if err != nil || state != taskOpen {
		return counts, state, err
	}
	select { // others have the rest
	case <-ctx.Done():
		return counts, taskOpen, ctx.Err()
	case <-time.After(idleWait):
		return counts, taskOpen, nil
	}
}

func (e *Engine) stateOf(ctx context.Context, task store.ID) (taskState, error) {
	t, err := e.store.FindTask(ctx, e.pool, task)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && t.Completed != nil:
		return taskEnded, nil
	case err == nil && t.Held != nil:
		return taskHeld, nil
	}
	return taskOpen, err
}

// finish ends a task of which nothing is left.
func (e *Engine) finish(ctx context.Context, id store.ID) (taskState, error) {
	state := taskOpen
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		task, err := e.store.LockTask(ctx, tx, id)
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && task.Completed != nil:
			state = taskEnded
			return nil
		case err != nil:
			return err
		case task.Held != nil:
			state = taskHeld
			return nil
		}
		// The lock keeps batches from committing, so that what they will add to the task is there or yet to come: in
		// the second case their own requests are still seen.
		ended, err := e.store.EndTasksWithoutWork(ctx, tx, []store.ID{id}, e.now())
		if err == nil && len(ended) > 0 {
			state, err = taskEnded, e.noteEnded(ctx, tx, ended)
		}
		return err
	})
	return state, err
}

// noteEnded notes what it means that tasks came to their end.
func (e *Engine) noteEnded(ctx context.Context, tx pgx.Tx, ended []store.EndedTask) error {
	for _, task := range ended {
		if !task.Everybody {
			continue
		}
		if err := e.store.RaiseWatermark(ctx, tx, task.Created); err != nil {
			return err
		}
	}
	return nil
}

// errTaskStopped says that a task has ended or is held, so that its batch must not be committed.
var errTaskStopped = errors.New("the task has ended or is held")

// The limits of what one batch does together: of tasks that concern smallTask identities at most, which wait for their
// turn, it takes up as many requests as make togetherMax with its own. A transaction for each would have the disk
// waited for as often; more would have each wait for too many others.
const (
	smallTask   = 10
	togetherMax = 100
)

// step carries out the next batch of a task in a transaction of its own. Where it may, it takes up other small tasks
// that wait; the counts are those of all. A batch that fails is done again without them, so that it is nobody else's
// fault.
func (w *work) step(ctx context.Context, together bool) (store.TaskCounts, taskState, error) {
	e, id := w.e, w.task
	var counts store.TaskCounts
	var state taskState
	var claimed, others []store.RefreshRequest
	var part store.TaskPart
	var page []store.ID
	err := e.inTx(ctx, func(tx pgx.Tx) (err error) {
		counts, state, claimed, others, page = store.TaskCounts{}, taskOpen, nil, nil, nil
		if claimed, err = e.store.ClaimRefreshRequests(ctx, tx, id, e.config.BatchSize); err != nil {
			return err
		}
		if len(claimed) > 0 {
			if room := min(togetherMax, e.config.BatchSize) - len(claimed); together && room > 0 {
				others, err = e.store.ClaimSmallTasks(ctx, tx, e.config.JobSchema, id, smallTask, room)
				if err != nil {
					return err
				}
			}
			counts, state, err = e.processRequests(ctx, tx, id, append(claimed, others...))
			return err
		}
		part, err = e.store.ClaimTaskPart(ctx, tx, id)
		if errors.Is(err, store.ErrNotFound) {
			state = taskIdle
			return nil
		}
		if err != nil {
			return err
		}
		if page, err = e.store.PartIdentities(ctx, tx, &part, e.config.BatchSize); err != nil {
			return err
		}
		if err := e.advancePart(ctx, tx, id, part, page); err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		if part.ProfileID.IsZero() {
			counts, state, err = w.processPage(ctx, tx, page)
			return err
		}
		counts, state, err = e.processBatch(ctx, tx, id, page)
		return err
	})
	var guard *guardError
	switch {
	case err == nil:
		return counts, state, nil
	case len(others) > 0 && (errors.As(err, &guard) || errors.Is(err, errTaskStopped) || e.isolates(ctx, err)):
		return w.step(ctx, false)
	case !e.isolates(ctx, err):
		return counts, taskOpen, err
	case len(claimed) > 0:
		counts, err = e.processHalves(ctx, id, claimed, err)
		return counts, taskOpen, err
	case len(page) > 0: // as requests they can be told apart
		err := e.inTx(ctx, func(tx pgx.Tx) error {
			cause := store.Cause{Task: id, At: e.now()}
			if err := e.advancePart(ctx, tx, id, part, page); err != nil {
				return err
			}
			return e.store.RequestRefresh(ctx, tx, page, "part of a batch that failed", cause)
		})
		return store.TaskCounts{}, taskOpen, err
	}
	return counts, taskOpen, err
}

func (e *Engine) advancePart(ctx context.Context, tx pgx.Tx, task store.ID, part store.TaskPart,
	page []store.ID,
) error {
	var last store.ID
	if len(page) == e.config.BatchSize {
		last = page[len(page)-1]
	}
	return e.store.AdvanceTaskPart(ctx, tx, task, part.Part, last, len(page))
}

// isolates reports whether an error of a batch may come from one of its identities, so that the others are to be
// calculated without it.
func (e *Engine) isolates(ctx context.Context, err error) bool {
	var guard *guardError
	var unavailable *store.UnavailableError
	var lost *store.RetryableError
	return ctx.Err() == nil && !errors.Is(err, errTaskStopped) && !errors.As(err, &guard) &&
		!errors.As(err, &unavailable) && !errors.As(err, &lost)
}

// processHalves calculates the identities of a batch that failed in two halves, and so on, until those at fault stand
// alone and get the error. Where the database ends what takes too long, the halves are what it has the time for; who
// takes too long alone is at fault only where others do not.
func (e *Engine) processHalves(ctx context.Context, task store.ID, requests []store.RefreshRequest, failure error) (
	store.TaskCounts, error,
) {
	h := &halving{e: e, task: task}
	err := h.split(ctx, requests, failure)
	for _, request := range h.slow {
		if err != nil {
			break
		}
		err = h.again(ctx, request)
	}
	return h.counts, err
}

// slowMax is how many identities take too long, each alone and one after the other, until the database is taken to be
// slow.
const slowMax = 3

// halving is the work on a batch that failed.
type halving struct {
	e      *Engine
	task   store.ID
	counts store.TaskCounts
	works  bool // some identities could be calculated
	streak int  // how many took too long since then
	// slow are identities that took too long alone; timeout is the error of the last.
	slow    []store.RefreshRequest
	timeout error
}

// split calculates two halves of what failed.
func (h *halving) split(ctx context.Context, requests []store.RefreshRequest, failure error) error {
	if len(requests) == 1 {
		return h.blame(ctx, requests[0], failure)
	}
	for _, half := range [][]store.RefreshRequest{requests[:len(requests)/2], requests[len(requests)/2:]} {
		err := h.process(ctx, half)
		if err != nil && h.e.isolates(ctx, err) {
			err = h.split(ctx, half, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// process calculates some of the identities.
func (h *halving) process(ctx context.Context, requests []store.RefreshRequest) error {
	var counts store.TaskCounts
	err := h.e.inTx(ctx, func(tx pgx.Tx) error {
		locked, err := h.e.store.RelockRefreshRequests(ctx, tx, requestIDs(requests))
		if err != nil || len(locked) == 0 {
			return err
		}
		counts, _, err = h.e.processRequests(ctx, tx, h.task, locked)
		return err
	})
	if err != nil {
		return err
	}
	if counts.Identities > 0 {
		h.works, h.streak = true, 0
	}
	h.counts = addCounts(h.counts, counts)
	return nil
}

// blame gives an identity that failed alone its error, unless it took too long: then it gets another chance.
func (h *halving) blame(ctx context.Context, request store.RefreshRequest, failure error) error {
	if !timedOut(failure) {
		counts, err := h.e.fail(ctx, h.task, request, failure)
		h.counts = addCounts(h.counts, counts)
		return err
	}
	h.slow, h.timeout = append(h.slow, request), failure
	if h.streak++; h.streak == slowMax {
		return failure
	}
	return nil
}

// again calculates an identity anew that took too long alone. It gets the error where it still does and others did not:
// otherwise all of them wait for better times.
func (h *halving) again(ctx context.Context, request store.RefreshRequest) error {
	if !h.works {
		return h.timeout
	}
	err := h.process(ctx, []store.RefreshRequest{request})
	if err == nil || !h.e.isolates(ctx, err) {
		return err
	}
	if h.streak++; timedOut(err) && h.streak >= slowMax {
		return err
	}
	counts, err := h.e.fail(ctx, h.task, request, err)
	h.counts = addCounts(h.counts, counts)
	return err
}

func timedOut(err error) bool {
	var timeout *store.TimeoutError
	return errors.As(err, &timeout)
}

func requestIDs(requests []store.RefreshRequest) []int64 {
	ids := make([]int64, len(requests))
	for i, r := range requests {
		ids[i] = r.ID
	}
	return ids
}

func addCounts(a, b store.TaskCounts) store.TaskCounts {
	return store.TaskCounts{
		Identities: a.Identities + b.Identities, Changed: a.Changed + b.Changed, Errors: a.Errors + b.Errors,
		Warnings: a.Warnings + b.Warnings, Correlated: a.Correlated + b.Correlated,
		RolesGained: a.RolesGained + b.RolesGained, RolesLost: a.RolesLost + b.RolesLost,
		Operations: a.Operations + b.Operations,
		RoleLosers: a.RoleLosers + b.RoleLosers, LifecycleChanged: a.LifecycleChanged + b.LifecycleChanged,
		Deactivated: a.Deactivated + b.Deactivated,
	}
}

// fail gives the one identity whose batch failed its error. It does not repeat the database's words, which may hold
// values.
func (e *Engine) fail(ctx context.Context, id store.ID, request store.RefreshRequest, failure error) (
	store.TaskCounts, error,
) {
	counts := store.TaskCounts{Identities: 1, Changed: 1, Errors: 1}
	reason := "the identity could not be written: " + store.Reason(failure)
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		ids, err := e.store.LockIdentities(ctx, tx, []store.ID{request.IdentityID})
		if err != nil {
			return err
		}
		now := e.now()
		if err := e.store.DropRefreshRequests(ctx, tx, []int64{request.ID}); err != nil || len(ids) == 0 {
			return err
		}
		if err := e.store.FailIdentity(ctx, tx, request.IdentityID, reason, now); err != nil {
			return err
		}
		due := e.nextSlot(now).UTC()
		if err := e.store.NoteRefresh(ctx, tx, ids, []*time.Time{&due}, now); err != nil {
			return err
		}
		message := store.TaskMessage{Type: "ERROR", Key: messageFailed, IdentityID: request.IdentityID, Text: reason}
		_, err = e.advance(ctx, tx, []progress{{id, counts, []store.TaskMessage{message}}}, now, false)
		return err
	})
	return counts, err
}

// processRequests calculates the identities that requests name: those of the task, and maybe those of others. The
// requests are locked.
func (e *Engine) processRequests(ctx context.Context, tx pgx.Tx, task store.ID, requests []store.RefreshRequest) (
	store.TaskCounts, taskState, error,
) {
	ids := make([]store.ID, len(requests))
	var others map[store.ID]store.ID
	for i, r := range slices.Backward(requests) { // who is asked for twice is calculated for the earlier one
		ids[i] = r.IdentityID
		if r.TaskID != task && others == nil {
			others = map[store.ID]store.ID{}
		}
		if others != nil {
			others[r.IdentityID] = r.TaskID
		}
	}
	slices.SortFunc(ids, store.ID.Compare)
	ids = slices.Compact(ids)
	b, err := e.newBatch(ctx, tx, task)
	if err != nil {
		return store.TaskCounts{}, taskOpen, err
	}
	b.askedBy = others
	if err := b.process(ctx, ids); err != nil {
		return store.TaskCounts{}, taskOpen, err
	}
	if len(b.ids) < len(ids) { // some are gone, and their requests are left
		if err := e.store.DropRefreshRequests(ctx, tx, requestIDs(requests)); err != nil {
			return store.TaskCounts{}, taskOpen, err
		}
	}
	return b.advance(ctx)
}

// processBatch calculates identities.
func (e *Engine) processBatch(ctx context.Context, tx pgx.Tx, task store.ID, ids []store.ID) (store.TaskCounts,
	taskState, error,
) {
	b, err := e.newBatch(ctx, tx, task)
	if err != nil {
		return store.TaskCounts{}, taskOpen, err
	}
	if err := b.process(ctx, ids); err != nil {
		return store.TaskCounts{}, taskOpen, err
	}
	return b.advance(ctx)
}

// newBatch begins a batch. Locks come in the order that holds everywhere: the configuration, the correlation, the
// identities by ID, the rest, the task.
func (e *Engine) newBatch(ctx context.Context, tx pgx.Tx, task store.ID) (*batch, error) {
	config, err := e.configurationIn(ctx, tx)
	if err != nil {
		return nil, err
	}
	b := &batch{e: e, tx: tx, config: config, cause: store.Cause{Task: task, At: e.now()}}
	return b, e.store.ShareCorrelation(ctx, tx)
}

// process locks identities and calculates them. Requests are taken after the lock and before the snapshot, so that one
// which is committed later stays.
func (b *batch) process(ctx context.Context, ids []store.ID) (err error) {
	if len(ids) == 0 {
		return nil
	}
	if b.ids, err = b.e.store.LockIdentities(ctx, b.tx, ids); err != nil {
		return err
	}
	if b.synchronize, err = b.e.store.TakeRefreshRequests(ctx, b.tx, b.ids); err != nil || len(b.ids) == 0 {
		return err
	}
	return b.calculate(ctx)
}

// advance adds what the batch did to its tasks, and returns what it did in all, and how far its own task is. Of other
// tasks that come to their end the jobs are removed, for there is nothing left for them to do.
func (b *batch) advance(ctx context.Context) (store.TaskCounts, taskState, error) {
	b.progressOf(b.cause.Task)
	ended, err := b.e.advance(ctx, b.tx, b.progress, b.cause.At, b.lazily)
	if err != nil {
		return store.TaskCounts{}, taskOpen, err
	}
	state := taskOpen
	var jobs []int64
	for _, task := range ended {
		switch {
		case task.ID == b.cause.Task:
			state = taskEnded
		case task.JobID != nil:
			jobs = append(jobs, *task.JobID)
		}
	}
	if len(jobs) > 0 { // but for those that run
		_, err = b.e.jobs.JobDeleteManyTx(ctx, b.tx, river.NewJobDeleteManyParams().IDs(jobs...).First(len(jobs)))
	}
	return b.sum(), state, store.MapError(err)
}

// advance adds what was done to tasks, ends those of which nothing is left, and returns them. It refuses when one of
// them has ended before or is held, or when it is more than the guard allows.
func (e *Engine) advance(ctx context.Context, tx pgx.Tx, done []progress, now time.Time, lazily bool) (
	[]store.EndedTask, error,
) {
	advances := make([]store.TaskAdvance, len(done))
	for i := range done {
		advances[i] = store.TaskAdvance{Task: done[i].task, Counts: done[i].counts,
			Messages: int64(len(done[i].messages))}
	}
	guards, ended, err := e.store.AdvanceTasks(ctx, tx, advances, now, lazily)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errTaskStopped
	}
	if err != nil {
		return nil, err
	}
	for i := range done {
		if err := e.config.Guard.check(&guards[i], &done[i].counts); err != nil {
			return nil, err
		}
		messages := done[i].messages
		kept := int(guards[i].Messages) - len(messages)
		room := max(TaskMessagesMax-kept, 0)
		err := e.store.AddTaskMessages(ctx, tx, done[i].task, messages[:min(room, len(messages))], now)
		if err != nil {
			return nil, err
		}
	}
	return ended, e.noteEnded(ctx, tx, ended)
}
