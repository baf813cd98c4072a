package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
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
	Identities int `json:"identities"` // processed; one that was processed twice counts twice
	Changed    int `json:"changed"`    // identities for which something was written
	Errors     int `json:"errors"`     // identities whose calculation failed; they have processingState ERROR
	Warnings   int `json:"warnings"`   // identities with a warning: the messages of the task say what it is
	Correlated int `json:"correlated"` // accounts that found an identity which this run made findable
	// RolesGained and RolesLost count the role assignments that were written and removed.
	RolesGained int `json:"rolesGained"`
	RolesLost   int `json:"rolesLost"`
	// Operations counts the operations that were opened on sources.
	Operations int `json:"operations"`
	// Held are the tasks that wait for [Engine.ConfirmTask], because they would change more than the guard allows.
	Held []string `json:"held,omitempty"`
	// Failed are the aggregations and removals that ended in ERROR: [Engine.Task] says why. Identities whose
	// calculation failed are counted by Errors.
	Failed []string `json:"failed,omitempty"`
	// Tasks are the tasks that were worked on: [Engine.TaskMessages] returns what they have to say.
	Tasks []string `json:"tasks,omitempty"`
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

// reasonRequested is the reason of the requests for identities that somebody named.
const reasonRequested = "processing requested"

// processAgain is how long after a call the same call returns the same task, unless that has begun: the client repeated
// its call.
const processAgain = time.Minute

// ProcessIdentities launches a task that processes identities: at least one, at most [ProcessIdentitiesMax]. One that
// is named twice counts once. When some of them do not exist, the error says which, and nothing is launched. A worker
// carries the task out, of this engine after [Engine.Start] or of any other; see [Engine.Wait]. A call that the same
// actor repeats before the task has begun returns that task.
func (e *Engine) ProcessIdentities(ctx context.Context, ids []string) (TaskStatus, error) {
	return e.processIdentities(ids).run(ctx)
}

// ProcessIdentitiesTx is [Engine.ProcessIdentities] in the caller's transaction: the task exists when that commits.
func (e *Engine) ProcessIdentitiesTx(ctx context.Context, tx pgx.Tx, ids []string) (TaskStatus, error) {
	return e.processIdentities(ids).runIn(ctx, tx)
}

func (e *Engine) processIdentities(ids []string) writeOf[TaskStatus] {
	const op = "process identities"
	return writeOf[TaskStatus]{e, op, "", func(ctx context.Context, tx pgx.Tx) (TaskStatus, error) {
		wanted, err := e.tenant.LockIdentitiesShared(ctx, tx, op, ids, ProcessIdentitiesMax)
		if err != nil {
			return TaskStatus{}, err
		}
		cause := e.tenant.NewCause(ctx)
		waiting, err := e.tenant.Store.LockWaitingTask(ctx, tx, wanted, reasonRequested, cause.At.Add(-processAgain),
			cause.Actor)
		if err == nil {
			return taskStatus(&waiting, nil), nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return TaskStatus{}, err
		}
		if err := e.tenant.Store.RequestRefresh(ctx, tx, wanted, reasonRequested, cause); err != nil {
			return TaskStatus{}, err
		}
		task := &store.Task{Description: "Process " + tenant.Plural(len(wanted), "identity", "identities"),
			Population: int64(len(wanted)), Requested: int64(len(wanted))}
		if len(wanted) == 1 {
			task.TargetType, task.TargetID = store.NullText("IDENTITY"), wanted[0]
		}
		if err := e.tasks.Launch(ctx, tx, cause, task); err != nil {
			return TaskStatus{}, err
		}
		return taskStatus(task, nil), nil
	}}
}

// partsMax is into how many parts a large task is divided: more than workers, so that none is idle at the end.
const partsMax = 16

// ProcessProfile launches a task that processes all identities of an identity profile, named by ID or by name.
func (e *Engine) ProcessProfile(ctx context.Context, profile string) (TaskStatus, error) {
	const op = "process the identity profile"
	return e.processParts(op, func(c *configuration.Configuration) (*store.Task, store.ID, error) {
		p := c.ProfileByName(profile)
		if p == nil {
			var names []string
			for i := range c.Profiles {
				names = append(names, fmt.Sprintf("%q", c.Profiles[i].Name))
			}
			return nil, store.ID{}, &Error{Kind: NotFound, Op: op, Subject: profile,
				Err: fmt.Errorf("there is no such identity profile: those are %s", configuration.ListOrNone(names))}
		}
		return &store.Task{Description: fmt.Sprintf("Process the identity profile %q", p.Name)}, p.RowID, nil
	}).run(ctx)
}

// ProcessAll launches a task that processes all identities, also those that are long-term inactive.
func (e *Engine) ProcessAll(ctx context.Context) (TaskStatus, error) {
	return e.processParts("process everybody", everybody).run(ctx)
}

// processParts launches a task and divides the identities of a profile, or all of them, among its parts.
func (e *Engine) processParts(op string, plan func(*configuration.Configuration) (*store.Task, store.ID, error),
) writeOf[TaskStatus] {
	return writeOf[TaskStatus]{e, op, "", func(ctx context.Context, tx pgx.Tx) (TaskStatus, error) {
		c, err := e.tenant.LockConfigurationShared(ctx, tx)
		if err != nil {
			return TaskStatus{}, err
		}
		task, profile, err := plan(c)
		if err != nil {
			return TaskStatus{}, err
		}
		cause := e.tenant.NewCause(ctx)
		if err := e.tasks.Launch(ctx, tx, cause, task); err != nil {
			return TaskStatus{}, err
		}
		// After the task, because the parts refer to it.
		population, err := e.tenant.Store.AddTaskParts(ctx, tx, cause.Task, profile, partsMax)
		if err != nil {
			return TaskStatus{}, err
		}
		if err := e.tasks.SurveyParts(ctx, tx, c.Settings.Guard, cause.Task, profile, population); err != nil {
			return TaskStatus{}, err
		}
		return taskStatus(task, nil), e.tenant.Store.SetTaskPopulation(ctx, tx, cause.Task, population)
	}}
}

// ProcessPending carries out every task that waits, with the workers of [Config], until none does: also those that
// others have begun. It is for programs that have no workers running. Any number of callers may do it at the same time,
// beside workers. Tasks that are held stay; the result names them. A task for which the database takes too long does
// not keep the other tasks waiting: they are carried out, and the error is Unavailable. When the context ends, what was
// committed stays and the rest waits on.
func (e *Engine) ProcessPending(ctx context.Context, options ProcessOptions) (ProcessResult, error) {
	const op = "process"
	var total ProcessResult
	seen := map[store.ID]bool{}
	var mutex sync.Mutex
	report := func(counts store.TaskCounts) error {
		mutex.Lock()
		defer mutex.Unlock()
		total.add(counts)
		if options.Progress == nil {
			return nil
		}
		waiting, err := e.tenant.Store.CountPending(ctx, e.tenant.Pool)
		if err == nil {
			options.Progress(total.Identities, waiting)
		}
		return err
	}
	for {
		if err := e.runErrands(ctx, &total); err != nil {
			return total, fault.Wrap(op, "", err)
		}
		open, err := e.tenant.Store.OpenTasks(ctx, e.tenant.Pool)
		if err != nil || len(open) == 0 {
			return total, fault.Wrap(op, "", err)
		}
		var slow error // of a task for which the database takes too long
		for _, task := range open {
			if !seen[task] {
				seen[task] = true
				total.Tasks = append(total.Tasks, task.String())
			}
			state, err := e.processor.WorkOn(task, true, report).Do(ctx)
			if processing.TimedOut(err) {
				slow = err
				continue
			}
			if err != nil {
				return total, fault.Wrap(op, "", err)
			}
			if state == processing.Held {
				total.Held = append(total.Held, task.String())
			}
			if err := e.tasks.DropJob(ctx, task); err != nil {
				return total, fault.Wrap(op, "", err)
			}
		}
		if slow != nil {
			return total, fault.Wrap(op, "", slow)
		}
	}
}

// ProcessTask carries out one task in the calling goroutine and returns its status, when it has ended or is held. An
// aggregation that has to wait for another one is not carried out.
func (e *Engine) ProcessTask(ctx context.Context, id string, options ProcessOptions) (TaskStatus, error) {
	const op = "process the task"
	task, err := e.tasks.FindTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	if isErrand(task.Kind) {
		if _, err := e.runErrand(ctx, task.ID); err != nil {
			if errors.Is(err, errEarlier) {
				err = &Error{Kind: Conflict, Op: op, Subject: id, Err: err}
			}
			return TaskStatus{}, fault.Wrap(op, id, err)
		}
		return e.Task(ctx, id)
	}
	done, left := 0, int(task.Remaining)
	var mutex sync.Mutex
	w := e.processor.WorkOn(task.ID, false, func(counts store.TaskCounts) error {
		mutex.Lock()
		defer mutex.Unlock()
		done += int(counts.Identities)
		if options.Progress != nil {
			options.Progress(done, max(left-done, 0))
		}
		return nil
	})
	if _, err = w.Do(ctx); err == nil {
		err = e.tasks.DropJob(ctx, task.ID)
	}
	if err != nil {
		return TaskStatus{}, fault.Wrap(op, id, err)
	}
	return e.Task(ctx, id)
}
