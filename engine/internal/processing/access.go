package processing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform/javadate"
	"github.com/muster-engine/muster/store"
)

// readAccess reads the access that the identities were given, and the operations that are open for them.
func (r *Read) readAccess(ctx context.Context, synchronize []store.ID) error {
	if idle, err := r.idle(ctx); err != nil || idle {
		return err
	}
	grants, err := r.Store.GrantsOf(ctx, r.Tx, r.IDs)
	if err != nil {
		return err
	}
	operations, err := r.Store.PendingOperations(ctx, r.Tx, r.IDs)
	if err != nil {
		return err
	}
	if err := r.readOfAccounts(ctx); err != nil {
		return err
	}
	taken, complete := (&names{ctx: ctx, read: r}).taken, r.sourceComplete(ctx)
	var strays []store.AccessGrant
	for i := range r.Snapshots {
		s := &r.Snapshots[i]
		id := s.Identity.ID
		for len(grants) > 0 && grants[0].IdentityID == id {
			g := &grants[0]
			if slices.ContainsFunc(s.Accounts, func(a refresh.Account) bool { return a.RowID == g.AccountID }) {
				s.Grants = append(s.Grants, heldGrant(g))
			} else {
				strays = append(strays, *g)
			}
			grants = grants[1:]
		}
		for len(operations) > 0 && operations[0].IdentityID == id {
			// What a later version has written keeps this identity from being calculated, and no other.
			if o, err := plannedOperation(&operations[0]); err != nil {
				s.Fault = err
			} else {
				s.Operations = append(s.Operations, o)
			}
			operations = operations[1:]
		}
		s.Synchronize = slices.Contains(synchronize, id)
		s.Taken, s.Complete = taken, complete
	}
	return r.readStrays(ctx, strays)
}

func held(source store.ID, attribute, value string, account store.ID) refresh.Held {
	return refresh.Held{Entitlement: refresh.Entitlement{SourceID: source, Attribute: attribute, Value: value},
		AccountID: account}
}

func heldGrant(g *store.AccessGrant) refresh.Held {
	return held(g.SourceID, g.Attribute, g.Value, g.AccountID)
}

// readStrays adds the grants whose accounts are not their identities' any more, and what became of the accounts. They
// are in the order of the identities.
func (r *Read) readStrays(ctx context.Context, strays []store.AccessGrant) error {
	if len(strays) == 0 {
		return nil
	}
	accounts := make([]store.ID, len(strays))
	for i := range strays {
		accounts[i] = strays[i].AccountID
	}
	there, vanished, err := r.Store.KnownAccounts(ctx, r.Tx, accounts)
	if err != nil {
		return err
	}
	for i := range r.Snapshots {
		s := &r.Snapshots[i]
		for len(strays) > 0 && strays[0].IdentityID == s.Identity.ID {
			g := &strays[0]
			s.Strays = append(s.Strays, refresh.Stray{Held: heldGrant(g), Given: g.Granted,
				Owned: there[g.AccountID], Vanished: vanished[g.AccountID]})
			strays = strays[1:]
		}
	}
	return nil
}

// idle reports whether there is nothing to read of access: nothing is granted, and nobody asked for anything of an
// account.
func (r *Read) idle(ctx context.Context) (bool, error) {
	if !r.Configuration.Refresh.Access.Idle {
		return false, nil
	}
	demanded, err := r.Store.HasDemands(ctx, r.Tx)
	return !demanded, err
}

// readOfAccounts adds what the accounts carry of former owners, and what was asked for of them.
func (r *Read) readOfAccounts(ctx context.Context) error {
	var accounts []store.ID
	for i := range r.Snapshots {
		for k := range r.Snapshots[i].Accounts {
			accounts = append(accounts, r.Snapshots[i].Accounts[k].RowID)
		}
	}
	if len(accounts) == 0 {
		return nil
	}
	demands, err := r.Store.DemandsOf(ctx, r.Tx, accounts)
	if err != nil {
		return err
	}
	if err := r.addDemands(demands); err != nil {
		return err
	}
	carried, err := r.Store.CarriedBy(ctx, r.Tx, accounts)
	if err != nil || len(carried) == 0 {
		return err
	}
	byAccount := map[store.ID][]refresh.Carried{}
	for _, c := range carried {
		byAccount[c.AccountID] = append(byAccount[c.AccountID], refresh.Carried{
			Held: held(c.SourceID, c.Attribute, c.Value, c.AccountID), Pending: c.Pending})
	}
	for i := range r.Snapshots {
		s := &r.Snapshots[i]
		for k := range s.Accounts {
			s.Carried = append(s.Carried, byAccount[s.Accounts[k].RowID]...)
		}
	}
	return nil
}

// addDemands adds what was asked for of accounts to the snapshots of those who have them.
func (r *Read) addDemands(rows []store.AccountDemand) error {
	if len(rows) == 0 {
		return nil
	}
	byAccount := map[store.ID][]refresh.Demand{}
	for i := range rows {
		row := &rows[i]
		kind, err := connector.ParseKind(row.Kind)
		if err != nil {
			return fmt.Errorf("the demand on account %s: %w", row.AccountID, err)
		}
		byAccount[row.AccountID] = append(byAccount[row.AccountID], refresh.Demand{AccountID: row.AccountID,
			IdentityID: row.IdentityID, Kind: kind, State: row.LifecycleState, Forced: row.Forced, Asked: row.Asked,
			Met: row.Met != nil})
	}
	for i := range r.Snapshots {
		s := &r.Snapshots[i]
		for k := range s.Accounts {
			s.Demands = append(s.Demands, byAccount[s.Accounts[k].RowID]...)
		}
	}
	return nil
}

// sourceComplete returns what reports whether a source was ever read completely. It asks once for each source.
func (r *Read) sourceComplete(ctx context.Context) func(refresh.ID) (bool, error) {
	known := map[refresh.ID]bool{}
	return func(source refresh.ID) (bool, error) {
		complete, asked := known[source]
		if asked {
			return complete, nil
		}
		complete, err := r.Store.SourceComplete(ctx, r.Tx, source)
		known[source] = complete
		return complete, failedLookup(err)
	}
}

// plannedOperation returns an operation as a calculation sees it.
func plannedOperation(row *store.Operation) (refresh.Operation, error) {
	kind, err := connector.ParseKind(row.Kind)
	if err != nil {
		return refresh.Operation{}, fmt.Errorf("operation %s: %w", row.ID, err)
	}
	o := refresh.Operation{ID: row.ID, SourceID: row.SourceID,
		AccountID: row.AccountID, NativeIdentity: row.NativeIdentity, Kind: kind,
		Reason: row.Reason, Failed: row.State == store.OperationFailed, Begun: row.Begun != nil,
		Manual: row.State == store.OperationManual, Parked: row.State == store.OperationParked,
		Awaits: row.Awaits != nil}
	if err := o.Attributes.Decode(row.Attributes); err != nil {
		return o, fmt.Errorf("operation %s: %w", row.ID, err)
	}
	return o, nil
}

// LimitOperations parks the operations that would exceed the limit of the day. It asks the database only where
// operations are to be opened. It comes once, before they are shown or written.
func (c *Calculated) LimitOperations(ctx context.Context) error {
	access := c.Configuration.Refresh.Access
	var openers []store.ID
	for i := range c.Changes {
		if len(c.Changes[i].Access.Open) > 0 {
			openers = append(openers, c.Changes[i].After.ID)
		}
	}
	if len(openers) == 0 {
		return nil
	}
	since := beginOfDay(c.Cause.At, c.Configuration.Settings.Location)
	rows, err := c.Store.DayOperations(ctx, c.Tx, openers, since)
	if err != nil {
		return err
	}
	past := map[store.ID][]refresh.Past{}
	for i := range rows {
		row := &rows[i]
		o, err := plannedOperation(row)
		if err != nil {
			continue // of a later version: the identity's own fault, if it is open
		}
		p := refresh.Past{Operation: o}
		if row.State == store.OperationDone && row.Completed != nil {
			p.Done = *row.Completed
		}
		if row.Released != nil {
			p.Released = *row.Released
		}
		past[row.IdentityID] = append(past[row.IdentityID], p)
	}
	for i := range c.Changes {
		of := past[c.Changes[i].After.ID]
		slices.SortFunc(of, func(a, b refresh.Past) int { return a.Done.Compare(b.Done) })
		c.Changes[i].LimitOperations(access, of, c.OperationsPerDay)
	}
	return nil
}

// beginOfDay returns when the day of a time began in a location: at midnight, or where the clocks skip midnight, when
// they have.
func beginOfDay(t time.Time, location *time.Location) time.Time {
	t = t.In(location)
	return javadate.Instant(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), location, javadate.Earlier)
}

// writeAccess writes what the identities are given and lose, settles their operations, and opens new ones, with a
// delivery and its job for each source.
func (w *writing) writeAccess(ctx context.Context) error {
	if !slices.ContainsFunc(w.Changes, func(c refresh.Change) bool { return c.Access.Differs() }) {
		return nil
	}
	if err := w.LimitOperations(ctx); err != nil {
		return err
	}
	if err := w.dropFound(ctx); err != nil {
		return err
	}
	var granted, dropped []store.AccessGrant
	var settledCarried []store.CarriedAccess
	left := map[store.ID][]store.AccessGrant{} // by task
	settled := map[string][]store.ID{}
	settle := func(ids []refresh.ID, state string) {
		settled[state] = append(settled[state], ids...)
	}
	var open []store.Operation
	deliveries := map[store.ID]store.ID{} // by source
	for i := range w.Changes {
		id, access := w.Changes[i].After.ID, &w.Changes[i].Access
		for _, held := range access.Granted {
			granted = append(granted, grantRow(id, held))
		}
		for _, held := range access.Dropped {
			dropped = append(dropped, grantRow(id, held))
		}
		for _, held := range access.Left {
			task := w.tally.taskOf(id)
			left[task] = append(left[task], grantRow(id, held))
		}
		for _, held := range access.Settled {
			settledCarried = append(settledCarried, store.CarriedAccess{AccountID: held.AccountID,
				Attribute: held.Attribute, Value: held.Value})
		}
		settle(access.Fulfilled, store.OperationDone)
		settle(access.Cancelled, store.OperationCancelled)
		settle(access.Retried, store.OperationRetried)
		for k := range access.Open {
			o := operationRow(id, &access.Open[k], w.causeOf(w.tally.taskOf(id)))
			if o.State == store.OperationParked {
				w.parked = append(w.parked, o)
			}
			if o.State == store.OperationOpen {
				if deliveries[o.SourceID].IsZero() {
					deliveries[o.SourceID] = store.NewID()
				}
				o.DeliveryID = deliveries[o.SourceID]
			}
			open = append(open, o)
		}
		w.tally.of(w.tally.taskOf(id)).Counts.Operations += int64(len(access.Open))
	}
	s := w.Store
	for _, state := range []string{store.OperationDone, store.OperationCancelled, store.OperationRetried} {
		if err := s.SettleOperations(ctx, w.Tx, settled[state], state, w.Cause.At); err != nil {
			return err
		}
	}
	if err := s.DropGrants(ctx, w.Tx, dropped); err != nil {
		return err
	}
	if err := s.DropCarried(ctx, w.Tx, settledCarried); err != nil {
		return err
	}
	if err := w.writeDemands(ctx); err != nil {
		return err
	}
	for task, grants := range left {
		if err := s.CarryGrants(ctx, w.Tx, grants, w.causeOf(task)); err != nil {
			return err
		}
	}
	if err := s.AddGrants(ctx, w.Tx, granted, w.Cause.At); err != nil {
		return err
	}
	if err := s.AddOperations(ctx, w.Tx, open); err != nil {
		return err
	}
	for source, id := range deliveries {
		if err := w.LaunchDelivery(ctx, w.Tx, id, source, w.Cause); err != nil {
			return err
		}
	}
	return nil
}

// writeDemands writes what became of what was asked for of accounts.
func (w *writing) writeDemands(ctx context.Context) error {
	rows := func(demands []refresh.Demand, list []store.AccountDemand) []store.AccountDemand {
		for i := range demands {
			d := &demands[i]
			row := store.AccountDemand{AccountID: d.AccountID, Kind: string(d.Kind), IdentityID: d.IdentityID,
				LifecycleState: d.State, Forced: d.Forced, Asked: d.Asked}
			if d.Met {
				row.Met = &w.Cause.At
			}
			list = append(list, row)
		}
		return list
	}
	var held, ended []store.AccountDemand
	for i := range w.Changes {
		held = rows(w.Changes[i].Access.DemandsHeld, held)
		ended = rows(w.Changes[i].Access.DemandsEnded, ended)
	}
	return w.Store.SettleDemands(ctx, w.Tx, held, ended)
}

// dropFound drops the creation of accounts that are there, and that find the identities by keys which these get now:
// the transaction correlates them, and that requests another processing. Without it, a worker might create a second
// account before that comes.
func (w *writing) dropFound(ctx context.Context) error {
	creates := func(o refresh.Operation) bool { return o.Kind == connector.Create && !o.Awaits }
	creating := map[store.ID]*refresh.Change{}
	for i := range w.Changes {
		if slices.ContainsFunc(w.Changes[i].Access.Open, creates) {
			creating[w.Changes[i].After.ID] = &w.Changes[i]
		}
	}
	var keys []string
	owners := map[string][]*refresh.Change{}
	for _, added := range w.added {
		if c := creating[added.IdentityID]; c != nil {
			keys = append(keys, added.Key)
			owners[added.Key] = append(owners[added.Key], c)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := w.Store.FindingAccounts(ctx, w.Tx, keys)
	for _, f := range found {
		for _, c := range owners[f.Key] {
			w.found = append(w.found, c.After.ID)
			c.Access.Open = slices.DeleteFunc(c.Access.Open, func(o refresh.Operation) bool {
				return creates(o) && o.SourceID == f.SourceID
			})
		}
	}
	return err
}

func grantRow(identity store.ID, held refresh.Held) store.AccessGrant {
	return store.AccessGrant{IdentityID: identity, SourceID: held.SourceID, Attribute: held.Attribute,
		Value: held.Value, AccountID: held.AccountID}
}

func operationRow(identity store.ID, o *refresh.Operation, cause store.Cause) store.Operation {
	row := store.Operation{ID: store.NewID(), IdentityID: identity, SourceID: o.SourceID,
		AccountID: o.AccountID, NativeIdentity: o.NativeIdentity, Kind: string(o.Kind),
		Attributes: o.Attributes.AppendJSON(nil), Reason: o.Reason, Actor: cause.Actor, TaskID: cause.Task,
		State: store.OperationOpen, Created: cause.At}
	row.Attribute, row.Value = o.Target()
	switch {
	case o.Parked: // nobody parks it but the engine itself
		row.State, row.Parked, row.ParkedCause = store.OperationParked, &row.Created, &o.Cause
		if o.Awaits {
			row.Awaits = store.NullText(store.AwaitsAggregation)
		}
	case o.Manual:
		row.State = store.OperationManual
	}
	return row
}
