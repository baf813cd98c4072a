package processing

import (
	"slices"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// tally counts what a batch does for each task that has a part in it.
type tally struct {
	task store.ID // the batch's own
	// askedBy are the tasks that asked for the identities, by identity. It is nil where all are the batch's own.
	askedBy map[store.ID]store.ID
	// everybody says that the batch is part of a run over all identities, whose watermark stands for lastRefresh.
	everybody bool
	list      []task.Progress // by task
	// depths are how many changes of others, each of which follows from the one before, led to the processing of
	// identities; nil for none.
	depths map[store.ID]int
}

// deepen records the depth of an identity's request.
func (t *tally) deepen(identity store.ID, depth int) {
	if t.depths == nil {
		t.depths = map[store.ID]int{}
	}
	t.depths[identity] = depth
}

// taskOf returns the task that asked for an identity.
func (t *tally) taskOf(identity store.ID) store.ID {
	if asked, found := t.askedBy[identity]; found {
		return asked
	}
	return t.task
}

// depthOf returns the depth of what follows from the batch for a task: one more than that of its requests.
func (t *tally) depthOf(id store.ID) int {
	depth := 0
	for identity, d := range t.depths {
		if t.taskOf(identity) == id {
			depth = max(depth, d)
		}
	}
	return depth + 1
}

// of returns what was done for a task. The pointer is valid until the next call.
func (t *tally) of(id store.ID) *task.Progress {
	at, found := slices.BinarySearchFunc(t.list, id, func(p task.Progress, id store.ID) int {
		return p.Task.Compare(id)
	})
	if !found {
		t.list = slices.Insert(t.list, at, task.Progress{Task: id})
	}
	return &t.list[at]
}

// sum returns what was done for all tasks.
func (t *tally) sum() store.TaskCounts {
	var sum store.TaskCounts
	for i := range t.list {
		sum = task.AddCounts(sum, t.list[i].Counts)
	}
	return sum
}

// count adds a change to the counts of the task that asked for the identity, and what the identity loses by it to those
// of its losses.
func (t *tally) count(c *refresh.Change, s *refresh.Snapshot, configuration *configuration.Configuration) {
	p := t.of(t.taskOf(c.After.ID))
	Count(&p.Counts, c)
	AddLosses(&p.Losses, c, s, configuration)
}

// foresee adds what an identity would lose by a change to the losses of the batch's own task.
func (t *tally) foresee(c *refresh.Change, s *refresh.Snapshot, configuration *configuration.Configuration) {
	p := t.of(t.task)
	AddLosses(&p.Losses, c, s, configuration)
}

// Count adds the change of one identity to counts.
func Count(n *store.TaskCounts, c *refresh.Change) {
	n.Identities++
	if c.Differs() {
		n.Changed++
	}
	if c.Err != nil {
		n.Errors++
	}
	n.RolesGained += int64(len(c.Gained))
	n.RolesLost += int64(len(c.Lost))
	if c.Lifecycle() {
		n.LifecycleChanged++
	}
	if c.Deactivated() {
		n.Deactivated++
	}
}

// The keys of task messages.
const (
	messageFailed  = "IDENTITY_PROCESSING_FAILED"
	messageWarning = "IDENTITY_PROCESSING_WARNING"
)

// report adds the error and the warnings of an identity to the messages of its task.
func (t *tally) report(c *refresh.Change) {
	p := t.of(t.taskOf(c.After.ID))
	if c.Err != nil {
		p.Messages = append(p.Messages, store.TaskMessage{Type: "ERROR", Key: messageFailed,
			IdentityID: c.After.ID, Text: c.Err.Error()})
	}
	if len(c.Warnings) > 0 {
		p.Counts.Warnings++
	}
	for _, warning := range c.Warnings {
		p.Messages = append(p.Messages, store.TaskMessage{Type: "WARN", Key: messageWarning,
			IdentityID: c.After.ID, Text: warning})
	}
}

// keysByTask returns keys by the tasks that asked for their identities.
func (t *tally) keysByTask(keys []store.IdentityKey) map[store.ID][]string {
	byTask := map[store.ID][]string{}
	for _, key := range keys {
		id := t.taskOf(key.IdentityID)
		byTask[id] = append(byTask[id], key.Key)
	}
	return byTask
}
