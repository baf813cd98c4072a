package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// batch is the work of one transaction on some identities.
type batch struct {
	e      *Engine
	tx     pgx.Tx
	config *configuration
	cause  store.Cause
	ids    []store.ID
	// everybody says that the batch is part of a run over all identities, whose watermark stands for lastRefresh.
	everybody bool
	// lazily says that nothing would be lost if the commit were: it only moves on what is not the last of its task.
	lazily bool
	// synchronize are the identities of which the synchronization was asked for.
	synchronize []store.ID
	// These are parallel to ids. due is when each was to be calculated again, nil for never.
	snapshots []refresh.Snapshot
	changes   []refresh.Change
	due       []*time.Time
	// removed and added are the keys that the identities lose and gain.
	removed, added []store.IdentityKey
	// askedBy are the tasks that asked for the identities, by identity. It is nil where all are those of the cause.
	askedBy map[store.ID]store.ID
	// progress is what was done, by task: ordered by ID, the task of the cause always among them.
	progress []progress
}

// progress is what a batch did for one task.
type progress struct {
	task     store.ID
	counts   store.TaskCounts
	messages []store.TaskMessage
}

// taskOf returns the task that asked for an identity.
func (b *batch) taskOf(identity store.ID) store.ID {
	if task, found := b.askedBy[identity]; found {
		return task
	}
	return b.cause.Task
}

// progressOf returns what was done for a task. It is valid until another one is asked for.
func (b *batch) progressOf(task store.ID) *progress {
	at, found := slices.BinarySearchFunc(b.progress, task, func(p progress, task store.ID) int {
		return compareIDs(p.task, task)
	})
	if !found {
		b.progress = slices.Insert(b.progress, at, progress{task: task})
	}
	return &b.progress[at]
}

// calculate does all that a batch does to its identities, which are locked, and whose requests are taken.
func (b *batch) calculate(ctx context.Context) error {
	if err := b.snapshot(ctx); err != nil {
		return err
	}
	if err := b.compute(); err != nil {
		return err
	}
	if err := b.compareKeys(ctx); err != nil {
		return err
	}
	// What no key and no manager decides comes before the lock, for which other batches wait.
	if err := b.applyRoles(ctx); err != nil {
		return err
	}
	if err := b.addEvents(ctx); err != nil {
		return err
	}
	if b.findsAnew() {
		if err := b.e.store.LockKeys(ctx, b.tx); err != nil {
			return err
		}
	}
	if err := b.e.store.ChangeIdentityKeys(ctx, b.tx, b.removed, b.added); err != nil {
		return err
	}
	if err := b.findManagers(ctx, b.e.store.FindByKeys); err != nil {
		return err
	}
	return b.apply(ctx)
}

// snapshot reads the identities and their accounts.
func (b *batch) snapshot(ctx context.Context) error {
	return b.read(ctx, new(workspace), func(reader store.SnapshotReader) error {
		return b.e.store.ReadSnapshots(ctx, b.tx, b.ids, reader)
	})
}

// workspace is the memory of what a batch reads, ordered by identity. What was read is valid until it is used again.
type workspace struct {
	accounts  []refresh.Account
	owners    []store.ID // of the accounts
	held      []refresh.Assignment
	holders   []store.ID       // of the assignments
	sets      []*attribute.Set // of the accounts
	snapshots []refresh.Snapshot
	memories  []*refresh.Memory // of the snapshots
	due       []*time.Time
	found     []store.ID
	requested []bool
	changes   []refresh.Change
}

func (w *workspace) reset() {
	clear(w.accounts)
	w.accounts, w.owners, w.held, w.holders = w.accounts[:0], w.owners[:0], w.held[:0], w.holders[:0]
	w.snapshots, w.due, w.found, w.requested = w.snapshots[:0], w.due[:0], w.found[:0], w.requested[:0]
}

// read takes the snapshots of what read gives, and what else is known of their access.
func (b *batch) read(ctx context.Context, w *workspace, read func(store.SnapshotReader) error) error {
	w.reset()
	account, assigned := 0, 0
	err := read(store.SnapshotReader{
		Account: func(row *store.Account) error {
			if len(w.accounts) == len(w.sets) {
				w.sets = append(w.sets, new(attribute.Set))
			}
			a, err := b.config.account(row, w.sets[len(w.accounts)])
			w.accounts, w.owners = append(w.accounts, a), append(w.owners, row.IdentityID)
			return err
		},
		Assignment: func(row *store.HeldRole) error {
			w.held, w.holders = append(w.held, assignment(row)), append(w.holders, row.IdentityID)
			return nil
		},
		Identity: func(row *store.IdentityState) error {
			s := w.snapshot()
			if len(w.memories) < len(w.snapshots) {
				w.memories = append(w.memories, new(refresh.Memory))
			}
			s.Random, s.Memory = rand.Reader, w.memories[len(w.snapshots)-1]
			w.due, w.found = append(w.due, row.Due), append(w.found, row.FoundManager)
			w.requested = append(w.requested, row.Requested)
			if err := decodeState(row, &s.Identity); err != nil {
				return err
			}
			if b.config.others {
				s.Directory = &directory{ctx: ctx, b: b, state: &s.Identity}
			}
			first, last := span(w.owners, account, row.ID)
			s.Accounts, account = w.accounts[first:last:last], last
			slices.SortFunc(s.Accounts, earlierAccount)
			first, last = span(w.holders, assigned, row.ID)
			s.Assignments, assigned = w.held[first:last:last], last
			return nil
		},
	})
	if err != nil {
		return err
	}
	b.snapshots, b.due = w.snapshots, w.due
	return b.readAccess(ctx)
}

// snapshot returns the next snapshot, empty but for the memory of its attributes.
func (w *workspace) snapshot() *refresh.Snapshot {
	n := len(w.snapshots)
	if n == cap(w.snapshots) {
		w.snapshots = append(w.snapshots, refresh.Snapshot{})
		return &w.snapshots[n]
	}
	w.snapshots = w.snapshots[:n+1]
	s := &w.snapshots[n]
	attributes := s.Identity.Attributes
	*s = refresh.Snapshot{}
	s.Identity.Attributes = attributes
	return s
}

// span returns the rows of an identity, from a place on behind those of the identities before. Rows of others are there
// where an identity went, or came, while they were read.
func span(identities []store.ID, from int, id store.ID) (first, last int) {
	for from < len(identities) && compareIDs(identities[from], id) < 0 {
		from++
	}
	for last = from; last < len(identities) && identities[last] == id; {
		last++
	}
	return from, last
}

// earlierAccount orders accounts by when they were created; those of one moment are in a fixed order.
func earlierAccount(a, b refresh.Account) int {
	if order := a.Created.Compare(b.Created); order != 0 {
		return order
	}
	return bytes.Compare(a.RowID[:], b.RowID[:])
}

// assignment returns an assignment as a calculation sees it.
func assignment(row *store.HeldRole) refresh.Assignment {
	a := refresh.Assignment{ID: row.ID, RoleID: row.RoleID,
		Membership: row.Source == store.AssignedByMembership}
	if row.StartDate != nil {
		a.StartDate = *row.StartDate
	}
	if row.RemoveDate != nil {
		a.RemoveDate = *row.RemoveDate
	}
	return a
}

func decodeState(row *store.IdentityState, s *refresh.State) error {
	s.ID, s.Calculated = row.ID, refresh.Calculated(row.Calculated)
	if err := s.Attributes.Decode(row.Attributes); err != nil {
		return fmt.Errorf("identity %s: %w", row.ID, err)
	}
	return nil
}

func encodeState(s *refresh.State) store.IdentityState {
	first, last := s.Attributes.Get("firstname"), s.Attributes.Get("lastname")
	return store.IdentityState{
		ID: s.ID, Calculated: store.Calculated(s.Calculated),
		FirstName: textPointer(first), LastName: textPointer(last), Attributes: s.Attributes.AppendJSON(nil),
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// pointer returns nil, which is null, for the empty text.
func pointer(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func textPointer(v attribute.Value) *string {
	if v.IsNull() {
		return nil
	}
	text := v.Text()
	return &text
}

// account returns an account as a calculation sees it. Its attributes are put into a set.
func (c *configuration) account(row *store.Account, attributes *attribute.Set) (refresh.Account, error) {
	if err := attributes.Decode(row.Attributes); err != nil {
		return refresh.Account{}, fmt.Errorf("account %s: %w", row.ID, err)
	}
	account := refresh.Account{RowID: row.ID, SourceID: row.SourceID}
	account.Account = transform.Account{
		ID: row.ID.String(), NativeIdentity: row.NativeIdentity, Name: row.Name, Created: row.Created,
		Attributes: attributes,
	}
	if source := c.sources[row.SourceID]; source != nil {
		account.Account.SourceID, account.SourceName = source.text, source.Name
	}
	return account, nil
}

// compute calculates every identity of the batch. The error is one of the database: those of an identity are in its
// change.
func (b *batch) compute() error {
	if cap(b.changes) < len(b.snapshots) {
		b.changes = make([]refresh.Change, len(b.snapshots))
	}
	b.changes = b.changes[:len(b.snapshots)]
	clear(b.changes)
	for i := range b.snapshots {
		b.changes[i] = refresh.Compute(&b.snapshots[i], &b.config.refresh, b.cause.At)
		for _, err := range []error{b.changes[i].Err, b.changes[i].Lookup} {
			if failed := (*lookupError)(nil); errors.As(err, &failed) {
				return failed
			}
		}
	}
	return nil
}

// findsAnew reports whether the batch changes by what identities are found, or by what they look for their managers.
func (b *batch) findsAnew() bool {
	return len(b.removed)+len(b.added) > 0 || slices.ContainsFunc(b.changes, func(c refresh.Change) bool {
		return c.Before.ManagerKey != c.After.ManagerKey
	})
}

// compareKeys finds the keys that the changed identities gain and lose.
func (b *batch) compareKeys(ctx context.Context) error {
	var concerned []store.ID
	for i := range b.changes {
		if len(b.changes[i].Attributes) > 0 {
			concerned = append(concerned, b.changes[i].After.ID)
		}
	}
	if len(concerned) == 0 {
		return nil
	}
	rows, err := b.e.store.IdentityKeys(ctx, b.tx, concerned)
	if err != nil {
		return err
	}
	held := map[store.ID][]string{}
	for _, row := range rows {
		held[row.IdentityID] = append(held[row.IdentityID], row.Key)
	}
	for i := range b.changes {
		if len(b.changes[i].Attributes) == 0 {
			continue
		}
		id := b.changes[i].After.ID
		keys := b.config.identityKeys(&b.changes[i].After.Attributes)
		b.removed = appendMissing(b.removed, id, held[id], keys)
		b.added = appendMissing(b.added, id, keys, held[id])
	}
	return nil
}

// findManagers looks the managers up with find, the keys of the batch itself being in place.
func (b *batch) findManagers(ctx context.Context,
	find func(context.Context, store.Querier, []string) ([]store.KeyMatch, error),
) error {
	var keys []string
	for i := range b.changes {
		if key := b.changes[i].After.ManagerKey; key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	matches, err := find(ctx, b.tx, slices.Compact(keys))
	if err != nil {
		return err
	}
	managers := map[string]store.ID{}
	for _, match := range matches {
		if match.Matches == 1 {
			managers[match.Key] = match.IdentityID
		}
	}
	for i := range b.changes {
		b.changes[i].SetManager(managers[b.changes[i].After.ManagerKey])
	}
	return nil
}

// apply writes what else differs, and what follows from it for others.
func (b *batch) apply(ctx context.Context) error {
	var states []store.IdentityState
	var events []store.Event
	var managed []store.ID
	for i := range b.changes {
		c := &b.changes[i]
		b.count(c)
		if c.After.ManagerID != c.Before.ManagerID && c.After.ManagerID != (refresh.ID{}) {
			managed = append(managed, c.After.ID)
		}
		if !c.StateDiffers() {
			continue
		}
		states = append(states, encodeState(c.After))
		var err error
		if events, err = b.appendStateEvent(events, c); err != nil {
			return err
		}
	}
	s := b.e.store
	if err := b.applyAccess(ctx); err != nil {
		return err
	}
	if len(states) > 0 {
		if err := s.UpdateIdentities(ctx, b.tx, states, b.cause.At); err != nil {
			return err
		}
	}
	if err := s.AddEvents(ctx, b.tx, events, b.cause.At); err != nil {
		return err
	}
	if err := b.noteRefresh(ctx); err != nil {
		return err
	}
	if err := b.reportCycles(ctx, managed); err != nil {
		return err
	}
	for i := range b.changes {
		b.report(&b.changes[i])
	}
	return b.findOthers(ctx)
}

// findOthers asks for the refresh of those who look for their managers by the keys that were gained and lost, and
// correlates the accounts that look for the gained ones. Each is for the task that asked for who has the key, so that
// the task ends when all its consequences are there.
func (b *batch) findOthers(ctx context.Context) error {
	gained, lost := b.keysByTask(b.added), b.keysByTask(b.removed)
	tasks := slices.AppendSeq(slices.Collect(maps.Keys(gained)), maps.Keys(lost))
	slices.SortFunc(tasks, compareIDs)
	for _, task := range slices.Compact(tasks) {
		cause := store.Cause{Task: task, At: b.cause.At}
		touched := slices.Concat(gained[task], lost[task])
		if err := b.e.store.RequestManagedRefresh(ctx, b.tx, touched, b.ids, cause); err != nil {
			return err
		}
		correlated, err := b.e.store.CorrelateKeys(ctx, b.tx, gained[task], cause)
		if err != nil {
			return err
		}
		b.progressOf(task).counts.Correlated += int64(correlated)
	}
	return nil
}

// sum returns what the batch did for all tasks.
func (b *batch) sum() store.TaskCounts {
	var sum store.TaskCounts
	for i := range b.progress {
		sum = addCounts(sum, b.progress[i].counts)
	}
	return sum
}

func (b *batch) keysByTask(keys []store.IdentityKey) map[store.ID][]string {
	byTask := map[store.ID][]string{}
	for _, key := range keys {
		task := b.taskOf(key.IdentityID)
		byTask[task] = append(byTask[task], key.Key)
	}
	return byTask
}

// addEvents writes the events of changed attributes and roles.
func (b *batch) addEvents(ctx context.Context) error {
	var events []store.Event
	for i := range b.changes {
		c := &b.changes[i]
		var err error
		if len(c.Attributes) > 0 {
			events, err = appendEvent(events, c.After.ID, EventAttributesChanged, attributeChanges(c.Attributes))
		}
		if err == nil && len(c.Gained)+len(c.Lost) > 0 {
			events, err = appendEvent(events, c.After.ID, EventRolesChanged, b.config.roleChanges(c))
		}
		if err != nil {
			return err
		}
	}
	return b.e.store.AddEvents(ctx, b.tx, events, b.cause.At)
}

// count adds a change to what the batch did.
func (b *batch) count(c *refresh.Change) {
	n := &b.progressOf(b.taskOf(c.After.ID)).counts
	n.Identities++
	if c.Differs() {
		n.Changed++
	}
	if c.Err != nil {
		n.Errors++
	}
	n.RolesGained += int64(len(c.Gained))
	n.RolesLost += int64(len(c.Lost))
	if slices.ContainsFunc(c.Lost, func(l refresh.RoleLoss) bool { return !l.Expired }) {
		n.RoleLosers++
	}
	if c.Lifecycle() {
		n.LifecycleChanged++
	}
	if c.Deactivated() {
		n.Deactivated++
	}
}

// noteRefresh notes that the identities were refreshed, and when they are due again.
func (b *batch) noteRefresh(ctx context.Context) error {
	ids, due := make([]store.ID, 0, len(b.ids)), make([]*time.Time, 0, len(b.ids))
	for i := range b.changes {
		next := b.e.dueOf(&b.changes[i], b.cause.At)
		if b.everybody && !b.changes[i].Differs() && sameTime(next, b.due[i]) {
			continue
		}
		ids, due = append(ids, b.ids[i]), append(due, next)
	}
	return b.e.store.NoteRefresh(ctx, b.tx, ids, due, b.cause.At)
}

// dueOf returns when an identity is to be calculated again, nil for never.
func (e *Engine) dueOf(c *refresh.Change, now time.Time) *time.Time {
	due := c.Due
	switch {
	case c.After.IdentityState == refresh.LongTermInactive:
		due = c.RolesDue
	case c.Periodic:
		if slot := e.nextSlot(now); due.IsZero() || slot.Before(due) {
			due = slot
		}
	}
	if due.IsZero() {
		return nil
	}
	due = due.UTC().Truncate(time.Microsecond)
	return &due
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// reportCycles warns of identities that are their own manager through others.
func (b *batch) reportCycles(ctx context.Context, managed []store.ID) error {
	if len(managed) == 0 {
		return nil
	}
	cycles, err := b.e.store.ManagerCycles(ctx, b.tx, managed)
	for i := range b.changes {
		if slices.Contains(cycles, b.changes[i].After.ID) {
			b.changes[i].Warnings = append(b.changes[i].Warnings,
				"the managers form a cycle: the identity is its own manager through others")
		}
	}
	return err
}

// The keys of task messages.
const (
	messageFailed  = "IDENTITY_PROCESSING_FAILED"
	messageWarning = "IDENTITY_PROCESSING_WARNING"
)

// report collects what the task has to say of an identity.
func (b *batch) report(c *refresh.Change) {
	p := b.progressOf(b.taskOf(c.After.ID))
	if c.Err != nil {
		p.messages = append(p.messages, store.TaskMessage{Type: "ERROR", Key: messageFailed,
			IdentityID: c.After.ID, Text: c.Err.Error()})
	}
	if len(c.Warnings) > 0 {
		p.counts.Warnings++
	}
	for _, warning := range c.Warnings {
		p.messages = append(p.messages, store.TaskMessage{Type: "WARN", Key: messageWarning,
			IdentityID: c.After.ID, Text: warning})
	}
}

func appendEvent(events []store.Event, identity refresh.ID, kind string, detail any) ([]store.Event, error) {
	text, err := json.Marshal(detail)
	return append(events, store.Event{IdentityID: identity, Type: kind, Detail: text}), err
}

// applyRoles writes the memberships that are gained and lost.
func (b *batch) applyRoles(ctx context.Context) error {
	var identities, roles, lost []store.ID
	for i := range b.changes {
		for _, role := range b.changes[i].Gained {
			identities = append(identities, b.changes[i].After.ID)
			roles = append(roles, role.ID)
		}
		for _, loss := range b.changes[i].Lost {
			lost = append(lost, loss.ID)
		}
	}
	if err := b.e.store.DeleteAssignments(ctx, b.tx, lost); err != nil {
		return err
	}
	return b.e.store.AddMemberships(ctx, b.tx, identities, roles, b.cause.At)
}

// rolesDetail is the detail of an event of changed roles.
type rolesDetail struct {
	Gained []roleDetail `json:"gained"`
	Lost   []roleDetail `json:"lost"`
}

type roleDetail struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// roleChanges says which roles are gained and lost, and why.
func (c *configuration) roleChanges(change *refresh.Change) rolesDetail {
	detail := rolesDetail{Gained: []roleDetail{}, Lost: []roleDetail{}}
	for _, role := range change.Gained {
		id := role.ID
		detail.Gained = append(detail.Gained, roleDetail{id.String(), role.Name, c.roles[id].whyGained()})
	}
	for _, loss := range change.Lost {
		role := c.roles[loss.RoleID]
		d := roleDetail{ID: loss.RoleID.String(), Reason: role.whyLost(loss.Expired)}
		if role != nil {
			d.Name = role.Name
		}
		detail.Lost = append(detail.Lost, d)
	}
	return detail
}

// changesDetail is the detail of an event of changed attributes, in the shape that the product's events have.
type changesDetail struct {
	Changes []changeDetail `json:"changes"`
}

type changeDetail struct {
	Attribute string          `json:"attribute"`
	OldValue  attribute.Value `json:"oldValue"`
	NewValue  attribute.Value `json:"newValue"`
}

func attributeChanges(changes []refresh.AttributeChange) changesDetail {
	detail := changesDetail{Changes: make([]changeDetail, len(changes))}
	for i := range changes {
		detail.Changes[i] = changeDetail{changes[i].Name, changes[i].From, changes[i].To}
	}
	return detail
}

// stateDetail is the detail of an event of what is calculated of an identity beside its attributes. Null is none.
type stateDetail struct {
	LifecycleState  *stateChange `json:"lifecycleState,omitempty"`
	IdentityState   *stateChange `json:"identityState,omitempty"`
	Manager         *stateChange `json:"manager,omitempty"`
	ProcessingState *stateChange `json:"processingState,omitempty"`
	Correlated      *stateChange `json:"correlated,omitempty"`
	Profile         *stateChange `json:"identityProfile,omitempty"`
}

type stateChange struct {
	OldValue *string `json:"oldValue"`
	NewValue *string `json:"newValue"`
}

// appendStateEvent appends an event of changed states, if one of those that it tells has changed. The first
// calculation of an identity has its own event already: its creation.
func (b *batch) appendStateEvent(events []store.Event, c *refresh.Change) ([]store.Event, error) {
	from, to := c.Before, c.After
	detail := stateDetail{
		LifecycleState:  changedText(from.LifecycleState, to.LifecycleState),
		IdentityState:   changedText(from.IdentityState, to.IdentityState),
		Manager:         changedText(idText(from.ManagerID), idText(to.ManagerID)),
		ProcessingState: changedText(from.ProcessingState, to.ProcessingState),
		Correlated:      changedText(strconv.FormatBool(from.Correlated), strconv.FormatBool(to.Correlated)),
		Profile:         changedText(idText(from.ProfileID), idText(to.ProfileID)),
	}
	if detail == (stateDetail{}) {
		return events, nil
	}
	return appendEvent(events, to.ID, EventStateChanged, detail)
}

func changedText(from, to string) *stateChange {
	if from == to {
		return nil
	}
	return &stateChange{pointer(from), pointer(to)}
}

func idText(id refresh.ID) string {
	if id == (refresh.ID{}) {
		return ""
	}
	return id.String()
}
