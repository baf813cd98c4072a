package processing

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// writing is a calculated batch that is being written.
type writing struct {
	*Calculated
	tally *tally
	// removed and added are the keys that the identities lose and gain.
	removed, added []store.IdentityKey
	readings       readings
	parked         []store.Operation // that were opened and are held back
	// found are the identities whose creations were dropped, as an account was found, before the key lock: another
	// batch may have taken that account for somebody else meanwhile.
	found []store.ID
}

// write writes what differs, and what follows from it for others. It adds what it does to a tally.
func (c *Calculated) write(ctx context.Context, t *tally) error {
	w := &writing{Calculated: c, tally: t}
	if err := w.compareKeys(ctx); err != nil {
		return err
	}
	if w.others != nil {
		if err := w.agree(ctx); err != nil {
			return err
		}
	}
	if err := w.writeRoles(ctx); err != nil {
		return err
	}
	if err := w.Store.ChangeIdentityKeys(ctx, w.Tx, w.removed, w.added); err != nil {
		return err
	}
	if w.others == nil && w.changesLookups() {
		if err := w.writeAhead(ctx); err != nil {
			return err
		}
	} else {
		if err := w.FindManagers(ctx); err != nil {
			return err
		}
		if err := w.writeIdentities(ctx); err != nil {
			return err
		}
	}
	return w.writeConsequences(ctx)
}

// writeAhead finds managers and writes the identities before it takes the key lock, for which other batches wait, and
// finds the managers again under the lock: of two batches the later one sees the keys of the earlier one. It writes
// those again whose manager is another one by then, which are few.
func (w *writing) writeAhead(ctx context.Context) error {
	if err := w.guessManagers(ctx); err != nil {
		return err
	}
	if err := w.writeIdentities(ctx); err != nil {
		return err
	}
	type written struct {
		manager store.ID
		differs bool
	}
	ahead := make([]written, len(w.Changes)) // by change
	for i := range w.Changes {
		ahead[i] = written{w.Changes[i].After.ManagerID, w.Changes[i].Differs()}
	}
	if err := w.Store.LockKeys(ctx, w.Tx); err != nil {
		return err
	}
	if err := w.FindManagers(ctx); err != nil {
		return err
	}
	var states []store.IdentityState
	for i := range w.Changes {
		c := &w.Changes[i]
		if c.After.ManagerID == ahead[i].manager {
			continue
		}
		state := encodeState(c.After)
		state.SameWords = true // they are written
		states = append(states, state)
		switch counts := &w.tally.of(w.tally.taskOf(c.After.ID)).Counts; {
		case c.Differs() && !ahead[i].differs:
			counts.Changed++
		case ahead[i].differs && !c.Differs():
			counts.Changed--
		}
	}
	if len(states) > 0 {
		if err := w.Store.UpdateIdentities(ctx, w.Tx, states, w.Cause.At); err != nil {
			return err
		}
	}
	return w.requestFound(ctx)
}

// requestFound requests the processing of those whose creations were dropped.
func (w *writing) requestFound(ctx context.Context) error {
	byTask := map[store.ID][]store.ID{}
	for _, id := range w.found {
		task := w.tally.taskOf(id)
		byTask[task] = append(byTask[task], id)
	}
	for _, task := range slices.SortedFunc(maps.Keys(byTask), store.ID.Compare) {
		err := w.Store.RequestRefresh(ctx, w.Tx, byTask[task], "an account was found for it", w.causeOf(task))
		if err != nil {
			return err
		}
	}
	return nil
}

// changesLookups reports whether the batch changes what others find by keys, or by which key one of its identities
// looks for its manager.
func (w *writing) changesLookups() bool {
	return len(w.removed)+len(w.added) > 0 || slices.ContainsFunc(w.Changes, func(c refresh.Change) bool {
		return c.Before.ManagerKey != c.After.ManagerKey
	})
}

// compareKeys finds the keys that the changed identities gain and lose.
func (w *writing) compareKeys(ctx context.Context) error {
	w.removed, w.added = nil, nil
	var changed []store.ID
	for i := range w.Changes {
		if len(w.Changes[i].Attributes) > 0 {
			changed = append(changed, w.Changes[i].After.ID)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	rows, err := w.Store.IdentityKeys(ctx, w.Tx, changed)
	if err != nil {
		return err
	}
	held := map[store.ID][]string{}
	for _, row := range rows {
		held[row.IdentityID] = append(held[row.IdentityID], row.Key)
	}
	for i := range w.Changes {
		if len(w.Changes[i].Attributes) == 0 {
			continue
		}
		id := w.Changes[i].After.ID
		keys := w.Configuration.IdentityKeys(&w.Changes[i].After.Attributes)
		w.removed = configuration.AppendMissing(w.removed, id, held[id], keys)
		w.added = configuration.AppendMissing(w.added, id, keys, held[id])
	}
	return nil
}

// writeRoles writes the memberships that are gained and lost.
func (w *writing) writeRoles(ctx context.Context) error {
	var identities, roles, lost []store.ID
	for i := range w.Changes {
		for _, role := range w.Changes[i].Gained {
			identities, roles = append(identities, w.Changes[i].After.ID), append(roles, role.ID)
		}
		for _, loss := range w.Changes[i].Lost {
			lost = append(lost, loss.ID)
		}
	}
	if err := w.Store.DeleteAssignments(ctx, w.Tx, lost); err != nil {
		return err
	}
	return w.Store.AddMemberships(ctx, w.Tx, identities, roles, w.Cause.At)
}

// writeIdentities counts the changes, before operations are dropped or held back, and writes access and the identities
// that differ.
func (w *writing) writeIdentities(ctx context.Context) error {
	for i := range w.Changes {
		w.tally.count(&w.Changes[i], &w.Snapshots[i], w.Configuration)
	}
	if err := w.writeAccess(ctx); err != nil {
		return err
	}
	var states []store.IdentityState
	for i := range w.Changes {
		c := &w.Changes[i]
		if !c.StateDiffers() {
			continue
		}
		state := encodeState(c.After)
		state.SameWords = len(c.Attributes) == 0 && c.Before.Name == c.After.Name && c.Before.Alias == c.After.Alias &&
			c.Before.Email == c.After.Email
		if !state.SameWords {
			state.Words = wordsOf(c.After)
		}
		states = append(states, state)
	}
	if len(states) == 0 {
		return nil
	}
	return w.Store.UpdateIdentities(ctx, w.Tx, states, w.Cause.At)
}

// writeConsequences writes the events, and when each identity is due. Then it requests the processing of others.
func (w *writing) writeConsequences(ctx context.Context) error {
	var managed []store.ID
	for i := range w.Changes {
		c := &w.Changes[i]
		if c.After.ManagerID != c.Before.ManagerID && !c.After.ManagerID.IsZero() {
			managed = append(managed, c.After.ID)
		}
	}
	if err := w.writeEvents(ctx); err != nil {
		return err
	}
	if err := w.recordProcessed(ctx); err != nil {
		return err
	}
	if err := w.reportCycles(ctx, managed); err != nil {
		return err
	}
	if err := w.reportAliases(ctx); err != nil {
		return err
	}
	if err := w.requestOthers(ctx); err != nil {
		return err
	}
	if err := w.writeReadings(ctx); err != nil {
		return err
	}
	for i := range w.Changes {
		w.tally.report(&w.Changes[i])
	}
	return nil
}

// recordProcessed records that the identities were processed, and when they are due. In a run over everybody it records
// only what differs: the watermark says that all were processed.
func (w *writing) recordProcessed(ctx context.Context) error {
	ids, due := make([]store.ID, 0, len(w.IDs)), make([]*time.Time, 0, len(w.IDs))
	for i := range w.Changes {
		next := w.nextDue(&w.Changes[i], w.Cause.At)
		if w.tally.everybody && !w.Changes[i].Differs() && sameTime(next, w.Due[i]) {
			continue
		}
		ids, due = append(ids, w.IDs[i]), append(due, next)
	}
	return w.Store.RecordProcessed(ctx, w.Tx, ids, due, w.Cause.At)
}

// reportCycles adds a warning to identities that are their own manager through others. managed are those whose manager
// changed.
func (w *writing) reportCycles(ctx context.Context, managed []store.ID) error {
	if len(managed) == 0 {
		return nil
	}
	cycles, err := w.Store.ManagerCycles(ctx, w.Tx, managed)
	for i := range w.Changes {
		if slices.Contains(cycles, w.Changes[i].After.ID) {
			w.Changes[i].Warnings = append(w.Changes[i].Warnings,
				"the managers form a cycle: the identity is its own manager through others")
		}
	}
	return err
}

// reportAliases adds a warning to identities that get an alias which others have too, ignoring case: nobody is found by
// it. The states are written already.
func (w *writing) reportAliases(ctx context.Context) error {
	var ids []store.ID
	var keys []string
	for i := range w.Changes {
		c := &w.Changes[i]
		if c.After.Alias != "" && slices.ContainsFunc(c.Attributes, func(a refresh.AttributeChange) bool {
			return a.Name == aliasAttribute
		}) {
			ids, keys = append(ids, c.After.ID), append(keys, store.FoldKey(c.After.Alias))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	shared, err := w.Store.SharedAliases(ctx, w.Tx, ids, keys)
	if err != nil || len(shared) == 0 {
		return err
	}
	for i := range w.Changes {
		if slices.Contains(shared, w.Changes[i].After.ID) {
			w.Changes[i].Warnings = append(w.Changes[i].Warnings,
				"another identity has the same uid, ignoring letter case: nobody is found by it")
		}
	}
	return nil
}

// aliasAttribute is the attribute that is the alias.
const aliasAttribute = "uid"

// requestOthers asks for the processing of the identities that look for their managers by the keys that were gained and
// lost, and correlates the accounts that look for them. It does so for the task that asked for the identity
// with the key, so that this task ends when all its consequences are there.
func (w *writing) requestOthers(ctx context.Context) error {
	gained, lost := w.tally.keysByTask(w.added), w.tally.keysByTask(w.removed)
	tasks := slices.AppendSeq(slices.Collect(maps.Keys(gained)), maps.Keys(lost))
	slices.SortFunc(tasks, store.ID.Compare)
	for _, id := range slices.Compact(tasks) {
		cause := w.causeOf(id)
		depth := 0
		if w.others != nil {
			depth = w.tally.depthOf(id)
		}
		ends, err := w.ends(ctx, depth)
		if err != nil {
			return err
		}
		touched := slices.Concat(gained[id], lost[id])
		if !ends {
			if err := w.Store.RequestManagedRefresh(ctx, w.Tx, touched, w.IDs, depth, cause); err != nil {
				return err
			}
		}
		// A key that one of several identities loses may find the other one alone now.
		correlated, err := w.Store.CorrelateKeys(ctx, w.Tx, touched, cause)
		if err != nil {
			return err
		}
		w.tally.of(id).Counts.Correlated += int64(correlated)
	}
	return nil
}
