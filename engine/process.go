package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// The types of events in an identity's history.
const (
	EventCreated           = "IDENTITY_CREATED"
	EventAttributesChanged = "IDENTITY_ATTRIBUTES_CHANGED"
	EventRolesChanged      = "IDENTITY_ROLES_CHANGED"
)

// ProcessOptions say how processing reports. The zero ProcessOptions are silent.
type ProcessOptions struct {
	// Progress, if set, is called after each batch with the identities done and those that still wait.
	Progress func(done, waiting int)
}

// ProcessResult says what processing did.
type ProcessResult struct {
	Identities int `json:"identities"` // calculated; one that was calculated twice counts twice
	Changed    int `json:"changed"`    // of which something was written
	Errors     int `json:"errors"`     // whose calculation failed; they have processingState ERROR
	Correlated int `json:"correlated"` // accounts that found an identity which this run made findable
	// RolesGained and RolesLost count the role assignments that were written and removed.
	RolesGained int `json:"rolesGained"`
	RolesLost   int `json:"rolesLost"`
}

func (r *ProcessResult) add(other ProcessResult) {
	r.Identities += other.Identities
	r.Changed += other.Changed
	r.Errors += other.Errors
	r.Correlated += other.Correlated
	r.RolesGained += other.RolesGained
	r.RolesLost += other.RolesLost
}

// ProcessPending calculates the identities that are marked for a refresh, in batches of one transaction each, until
// none is marked any more: also not by the batches themselves, whose changes may concern other identities. Any number
// of callers may work at the same time. When the context ends, what was committed stays and the rest stays marked.
func (e *Engine) ProcessPending(ctx context.Context, options ProcessOptions) (ProcessResult, error) {
	var total ProcessResult
	for {
		pending, err := e.store.PendingIdentities(ctx, e.pool, e.config.BatchSize)
		if err != nil || len(pending) == 0 {
			return total, wrap("process", "", err)
		}
		var batch ProcessResult
		err = e.inTx(ctx, func(tx pgx.Tx) (err error) {
			batch, err = e.processBatch(ctx, tx, pending)
			return err
		})
		if err != nil {
			return total, wrap("process", "", err)
		}
		total.add(batch)
		if options.Progress == nil {
			continue
		}
		waiting, err := e.store.CountPending(ctx, e.pool)
		if err != nil {
			return total, wrap("process", "", err)
		}
		options.Progress(total.Identities, waiting)
	}
}

// batch is the work of one transaction on some identities.
type batch struct {
	e      *Engine
	tx     pgx.Tx
	config *configuration
	now    time.Time
	ids    []store.ID
	// changes are parallel to ids.
	snapshots []refresh.Snapshot
	changes   []refresh.Change
	// removed and added are the keys that the identities lose and gain.
	removed, added []store.IdentityKey
	result         ProcessResult
}

// processBatch calculates those of the identities that are marked. Locks come in the order that holds everywhere: the
// configuration, the identities by ID, the rest. The marks are taken off after the lock and before the snapshot, so
// that one which is committed later stays.
func (e *Engine) processBatch(ctx context.Context, tx pgx.Tx, pending []store.ID) (ProcessResult, error) {
	version, err := e.store.ConfigurationVersion(ctx, tx)
	if err != nil {
		return ProcessResult{}, err
	}
	b := &batch{e: e, tx: tx, now: e.now()}
	if b.config, err = e.configurationAt(ctx, tx, version); err != nil {
		return ProcessResult{}, err
	}
	if err := e.store.ShareCorrelation(ctx, tx); err != nil {
		return ProcessResult{}, err
	}
	locked, err := e.store.LockIdentities(ctx, tx, pending)
	if err != nil {
		return ProcessResult{}, err
	}
	marked, err := e.store.TakeRefreshRequests(ctx, tx, pending)
	if err != nil {
		return ProcessResult{}, err
	}
	// Another worker may have calculated some of them in the meantime, and some may be gone.
	b.ids = slices.DeleteFunc(locked, func(id store.ID) bool {
		_, found := slices.BinarySearchFunc(marked, id, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
		return !found
	})
	if len(b.ids) == 0 {
		return ProcessResult{}, nil
	}
	if err := b.snapshot(ctx); err != nil {
		return ProcessResult{}, err
	}
	if err := b.compute(); err != nil {
		return ProcessResult{}, err
	}
	if err := b.compareKeys(ctx); err != nil {
		return ProcessResult{}, err
	}
	if b.findsAnew() {
		if err := e.store.LockKeys(ctx, tx); err != nil {
			return ProcessResult{}, err
		}
	}
	if err := e.store.ChangeIdentityKeys(ctx, tx, b.removed, b.added); err != nil {
		return ProcessResult{}, err
	}
	if err := b.findManagers(ctx); err != nil {
		return ProcessResult{}, err
	}
	return b.result, b.apply(ctx)
}

// snapshot reads the identities and their accounts.
func (b *batch) snapshot(ctx context.Context) error {
	states, err := b.e.store.IdentityStates(ctx, b.tx, b.ids)
	if err != nil {
		return err
	}
	accounts, err := b.e.store.AccountsOf(ctx, b.tx, b.ids)
	if err != nil {
		return err
	}
	held, err := b.e.store.AssignmentsOf(ctx, b.tx, b.ids)
	if err != nil {
		return err
	}
	b.snapshots = make([]refresh.Snapshot, len(states))
	for i := range states {
		s := &b.snapshots[i]
		s.Random = rand.Reader
		if err := decodeState(&states[i], &s.Identity); err != nil {
			return err
		}
		if b.config.others {
			s.Directory = &directory{ctx: ctx, b: b, state: &s.Identity}
		}
		for len(accounts) > 0 && accounts[0].IdentityID == states[i].ID {
			account, err := b.config.account(&accounts[0])
			if err != nil {
				return err
			}
			s.Accounts = append(s.Accounts, account)
			accounts = accounts[1:]
		}
		slices.SortStableFunc(s.Accounts, func(a, b refresh.Account) int { return a.Created.Compare(b.Created) })
		for len(held) > 0 && held[0].IdentityID == states[i].ID {
			s.Assignments = append(s.Assignments, assignment(&held[0]))
			held = held[1:]
		}
	}
	return nil
}

// assignment returns an assignment as a calculation sees it.
func assignment(row *store.HeldRole) refresh.Assignment {
	a := refresh.Assignment{ID: refresh.ID(row.ID), RoleID: refresh.ID(row.RoleID),
		Membership: row.Source == store.AssignedByMembership}
	if row.RemoveDate != nil {
		a.RemoveDate = *row.RemoveDate
	}
	return a
}

func decodeState(row *store.IdentityState, s *refresh.State) error {
	*s = refresh.State{
		ID: refresh.ID(row.ID), Name: row.Name, Alias: row.Alias, Email: deref(row.Email),
		ProcessingState: deref(row.ProcessingState), ProcessingError: deref(row.ProcessingError),
		Correlated: row.Correlated, ProfileID: refresh.ID(row.ProfileID),
		LifecycleState: deref(row.LifecycleState), LifecycleManual: row.LifecycleManual,
		IdentityState: deref(row.IdentityState), ManagerID: refresh.ID(row.ManagerID),
		ManagerKey: deref(row.ManagerKey),
	}
	if err := s.Attributes.Decode(row.Attributes); err != nil {
		return fmt.Errorf("identity %s: %w", row.ID, err)
	}
	return nil
}

func encodeState(s *refresh.State) store.IdentityState {
	first, last := s.Attributes.Get("firstname"), s.Attributes.Get("lastname")
	return store.IdentityState{
		ID: s.ID, Name: s.Name, Alias: s.Alias, Email: pointer(s.Email),
		FirstName: textPointer(first), LastName: textPointer(last),
		ProcessingState: pointer(s.ProcessingState), ProcessingError: pointer(s.ProcessingError),
		Correlated: s.Correlated, ProfileID: s.ProfileID,
		LifecycleState: pointer(s.LifecycleState), LifecycleManual: s.LifecycleManual,
		IdentityState: pointer(s.IdentityState), ManagerID: s.ManagerID, ManagerKey: pointer(s.ManagerKey),
		Attributes: s.Attributes.AppendJSON(nil),
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

// account returns an account as a calculation sees it.
func (c *configuration) account(row *store.Account) (refresh.Account, error) {
	attributes := &attribute.Set{}
	if err := attributes.Decode(row.Attributes); err != nil {
		return refresh.Account{}, fmt.Errorf("account %s: %w", row.ID, err)
	}
	account := refresh.Account{SourceID: refresh.ID(row.SourceID), Account: transform.Account{
		SourceID: row.SourceID.String(), ID: row.ID.String(), NativeIdentity: row.NativeIdentity, Name: row.Name,
		Created: row.Created, Attributes: attributes,
	}}
	if source := c.sources[row.SourceID]; source != nil {
		account.SourceName = source.Name
	}
	return account, nil
}

// compute calculates every identity of the batch. The error is one of the database: those of an identity are in its
// change.
func (b *batch) compute() error {
	b.changes = make([]refresh.Change, len(b.snapshots))
	for i := range b.snapshots {
		b.changes[i] = refresh.Compute(&b.snapshots[i], &b.config.refresh, b.now)
		if err := b.changes[i].Err; err != nil {
			if failed := (*lookupError)(nil); errors.As(err, &failed) {
				return failed
			}
			b.result.Errors++
		}
	}
	b.result.Identities = len(b.changes)
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
		id := store.ID(b.changes[i].After.ID)
		keys := b.config.identityKeys(&b.changes[i].After.Attributes)
		b.removed = appendMissing(b.removed, id, held[id], keys)
		b.added = appendMissing(b.added, id, keys, held[id])
	}
	return nil
}

// findManagers looks the managers up, the keys of the batch itself being in place.
func (b *batch) findManagers(ctx context.Context) error {
	var keys []string
	for i := range b.changes {
		if key := b.changes[i].After.ManagerKey; key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	matches, err := b.e.store.FindByKeys(ctx, b.tx, slices.Compact(keys))
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
		b.changes[i].SetManager(refresh.ID(managers[b.changes[i].After.ManagerKey]))
	}
	return nil
}

// apply writes what differs, and what follows from it for others.
func (b *batch) apply(ctx context.Context) error {
	var states []store.IdentityState
	var events []store.Event
	for i := range b.changes {
		c := &b.changes[i]
		if c.Differs() {
			b.result.Changed++
		}
		if c.StateDiffers() {
			states = append(states, encodeState(c.After))
		}
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
	s := b.e.store
	if err := b.applyRoles(ctx); err != nil {
		return err
	}
	if len(states) > 0 {
		if err := s.UpdateIdentities(ctx, b.tx, states, b.now); err != nil {
			return err
		}
	}
	if err := s.AddEvents(ctx, b.tx, events, b.now); err != nil {
		return err
	}
	if err := s.NoteRefresh(ctx, b.tx, b.ids, b.now); err != nil {
		return err
	}
	gained, touched := make([]string, len(b.added)), make([]string, 0, len(b.added)+len(b.removed))
	for i, key := range b.added {
		gained[i] = key.Key
	}
	touched = append(touched, gained...)
	for _, key := range b.removed {
		touched = append(touched, key.Key)
	}
	if err := s.RequestManagedRefresh(ctx, b.tx, touched, b.ids, b.now); err != nil {
		return err
	}
	correlated, err := s.CorrelateKeys(ctx, b.tx, gained, b.now)
	b.result.Correlated = correlated
	return err
}

func appendEvent(events []store.Event, identity refresh.ID, kind string, detail any) ([]store.Event, error) {
	text, err := json.Marshal(detail)
	return append(events, store.Event{IdentityID: store.ID(identity), Type: kind, Detail: text}), err
}

// applyRoles writes the memberships that are gained and lost.
func (b *batch) applyRoles(ctx context.Context) error {
	var identities, roles, lost []store.ID
	for i := range b.changes {
		for _, role := range b.changes[i].Gained {
			identities = append(identities, store.ID(b.changes[i].After.ID))
			roles = append(roles, store.ID(role.ID))
		}
		for _, loss := range b.changes[i].Lost {
			lost = append(lost, store.ID(loss.ID))
		}
	}
	b.result.RolesGained, b.result.RolesLost = len(roles), len(lost)
	if err := b.e.store.DeleteAssignments(ctx, b.tx, lost); err != nil {
		return err
	}
	return b.e.store.AddMemberships(ctx, b.tx, identities, roles, b.now)
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
		detail.Gained = append(detail.Gained, roleDetail{store.ID(role.ID).String(), role.Name, "the membership holds"})
	}
	for _, loss := range change.Lost {
		reason := "the membership does not hold any more"
		if loss.Expired {
			reason = "the remove date has come"
		}
		d := roleDetail{ID: store.ID(loss.RoleID).String(), Reason: reason}
		if role := c.roles[store.ID(loss.RoleID)]; role != nil {
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
	for i, c := range changes {
		detail.Changes[i] = changeDetail{c.Name, c.From, c.To}
	}
	return detail
}
