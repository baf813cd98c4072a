package change

import (
	"context"
	"fmt"
	"strings"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// Removal is an object that goes, and what goes with it.
type Removal struct {
	Type configuration.ObjectType `json:"type"`
	ID   string                   `json:"id,omitempty"` // identity attributes have none
	Name string                   `json:"name"`
	// Identities are those that lose something at once: an account of the source, the role, or the lifecycle state.
	Identities int `json:"identities"`
	Accounts   int `json:"accounts,omitempty"`   // of the source
	Correlated int `json:"correlated,omitempty"` // those of the accounts that have an identity
	// Entitlements are those that the source has, Grants what identities were given on it, and Operations those that
	// are open or parked, or were given up. They are cancelled.
	Entitlements int `json:"entitlements,omitempty"`
	Grants       int `json:"grants,omitempty"`
	Operations   int `json:"operations,omitempty"`
	// Assignments are those of the role.
	Assignments int `json:"assignments,omitempty"`
}

// HeldError says that the guard holds a removal, and why.
type HeldError struct{ Reason string }

func (e *HeldError) Error() string {
	return e.Reason + "; confirm the removal to carry it out all the same (--confirm)"
}

// CountRemovals says what goes with the objects that a proposal removes, and what identities lose by that at once. It
// fails where an object cannot be removed.
func (a *Applier) CountRemovals(ctx context.Context, q store.Querier, p *Proposal) ([]Removal, task.Losses, error) {
	if !p.Removed.Any() {
		return nil, nil, nil
	}
	var list []Removal
	losses := task.Losses{}
	for _, o := range p.Objects {
		if o.Action != configuration.Removed {
			continue
		}
		removal := Removal{Type: o.Type, ID: o.ID, Name: o.Name}
		if err := a.countRemoval(ctx, q, &removal, losses); err != nil {
			return list, losses, err
		}
		list = append(list, removal)
	}
	if len(p.Removed.Roles) == 0 {
		return list, losses, nil
	}
	holders, err := a.Store.CountHolders(ctx, q, p.Removed.Roles)
	if holders > 0 {
		losses[task.Loss{Loss: store.Loss{Kind: store.LossRole}}] = holders
	}
	return list, losses, err
}

// heldReason says why the guard holds a removal; "" where it does not.
func heldReason(population int64, verdicts []task.Verdict) string {
	var reasons []string
	for i := range verdicts {
		if v := &verdicts[i]; v.Held() {
			reasons = append(reasons, fmt.Sprintf("%d would %s", v.Identities, LossText(&v.Loss)))
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	return fmt.Sprintf("the guard holds it: of %d identities %s, and %d may", population, strings.Join(reasons, ", "),
		verdicts[0].Limit)
}

// LossText says what identities with a loss of a removal would do.
func LossText(l *task.Loss) string {
	if l.Kind == store.LossAccount {
		return "lose their account on " + l.Source
	}
	return l.Text()
}

// countRemoval says what goes with one object.
func (a *Applier) countRemoval(ctx context.Context, q store.Querier, r *Removal, losses task.Losses) error {
	id, known := store.IDOf(r.ID)
	if !known {
		return nil // an identity attribute: nothing goes with it
	}
	switch r.Type {
	case configuration.TypeSource:
		n, err := a.Store.CountOfSource(ctx, q, id)
		if err != nil {
			return err
		}
		r.Identities, r.Accounts, r.Correlated = n.Identities, n.Accounts, n.Correlated
		r.Entitlements, r.Grants, r.Operations = n.Entitlements, n.Grants, n.Operations
		if n.Identities > 0 {
			losses[task.Loss{Loss: store.Loss{Kind: store.LossAccount, SourceID: id}, Source: r.Name}] =
				int64(n.Identities)
		}
	case configuration.TypeRole:
		n, err := a.Store.CountAssignments(ctx, q, id)
		r.Identities, r.Assignments = n.Identities, n.Assignments
		return err
	case configuration.TypeLifecycleState:
		n, err := a.Store.CountInState(ctx, q, id)
		r.Identities = n
		return err
	case configuration.TypeIdentityProfile:
		n, err := a.Store.CountOfProfile(ctx, q, id)
		if err != nil {
			return err
		}
		if n > 0 {
			return &fault.Error{Kind: fault.Conflict, Op: "remove from the configuration", Subject: r.Name,
				Err: fmt.Errorf("the identity profile has %d identities, which nothing else would make: give its "+
					"source another profile, or delete the identities first", n)}
		}
	}
	return nil
}

// beginRemoval judges the removals of the proposal, and carries out those that come before its writes: of everything
// but sources, which identity profiles may name until these are written.
func (a *application) beginRemoval(ctx context.Context, confirmed bool) ([]Removal, error) {
	removed := &a.proposal.Removed
	if !removed.Any() {
		return nil, nil
	}
	removals, losses, err := a.CountRemovals(ctx, a.tx, a.proposal)
	if err != nil {
		return removals, err
	}
	if !confirmed {
		population, err := a.Store.CountPopulation(ctx, a.tx)
		if err != nil {
			return removals, err
		}
		verdicts := task.Foresee(a.proposal.before.Settings.Guard, population, losses)
		if reason := heldReason(population, verdicts); reason != "" {
			return removals, &fault.Error{Kind: fault.Conflict, Op: "remove from the configuration",
				Err: &HeldError{reason}}
		}
	}
	if err := a.Store.LockDeletionsShared(ctx, a.tx); err != nil {
		return removals, err
	}
	for _, role := range removed.Roles {
		if err := a.takeRole(ctx, role); err != nil {
			return removals, err
		}
	}
	return removals, a.Store.RemoveObjects(ctx, a.tx, &store.RemovedObjects{Roles: removed.Roles,
		LifecycleStates: removed.LifecycleStates, AccessProfiles: removed.AccessProfiles,
		Profiles: removed.Profiles, Transforms: removed.Transforms, IdentityAttributes: removed.IdentityAttributes})
}

// takeRole records for everybody who has a role that it is gone, and requests their processing, which takes away what
// the role gave.
func (a *application) takeRole(ctx context.Context, role store.ID) error {
	name := a.proposal.before.Roles[role].Name
	if err := a.Store.RequestHolderRefresh(ctx, a.tx, role, "role removed", a.cause); err != nil {
		return err
	}
	for last := (store.ID{}); ; {
		holders, err := a.Store.HoldersOf(ctx, a.tx, role, last, tenant.PageSize)
		if err != nil || len(holders) == 0 {
			return err
		}
		locked, err := a.Store.LockIdentities(ctx, a.tx, holders)
		if err != nil {
			return err
		}
		detail := event.Detail{Roles: &event.Roles{Gained: []event.Role{}, Lost: []event.Role{{ID: role.String(),
			Name: name, Reason: "the role was removed from the configuration"}}}}
		var events []store.Event
		for _, id := range locked {
			if events, err = event.Append(events, id, &detail); err != nil {
				return err
			}
		}
		if err := a.AddEvents(ctx, a.tx, a.cause, events); err != nil {
			return err
		}
		last = holders[len(holders)-1]
	}
}

// removeSources removes the sources of the proposal: their accounts go as in an aggregation that finds none, what was
// to be done on them is cancelled, and nothing is done on the systems themselves.
func (a *application) removeSources(ctx context.Context) error {
	s := a.Store
	for _, source := range a.proposal.Removed.Sources {
		if err := s.LockSource(ctx, a.tx, source); err != nil {
			return err
		}
		begun, err := s.CancelOperationsOn(ctx, a.tx, source, a.cause.At)
		if err != nil {
			return err
		}
		if begun > 0 {
			return &fault.Error{Kind: fault.Conflict, Op: "remove from the configuration",
				Subject: a.proposal.before.Sources[source].Name, Err: fmt.Errorf("%d operations are being carried out "+
					"on the source: wait until they have ended, or park them", begun)}
		}
		for {
			accounts, err := s.LockAccountsOf(ctx, a.tx, source, tenant.PageSize)
			if err != nil {
				return err
			}
			if len(accounts) == 0 {
				break
			}
			if err := s.DeleteGone(ctx, a.tx, accounts, a.cause); err != nil {
				return err
			}
		}
		if err := s.RemoveSource(ctx, a.tx, source); err != nil {
			return err
		}
	}
	return nil
}
