package change

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// Result says what applying did.
type Result struct {
	Objects []configuration.AppliedObject `json:"objects"`
	// Marked is how many identities wait for a refresh because of it, by the task of this ID.
	Marked int    `json:"marked"`
	Task   string `json:"task,omitempty"`
	// Notes say what was applied as it is given, but may not be what was meant.
	Notes []string `json:"notes"`
	// Version is the version of the configuration after it.
	Version int64 `json:"version"`
}

// application is one call of Apply, after the proposal: the writes, and what follows from them for identities.
type application struct {
	*Applier
	tx       pgx.Tx
	cause    store.Cause
	proposal *Proposal
}

// Apply brings the configuration up to documents, as engine.Engine.Apply says. It locks the configuration for itself
// until the transaction ends.
func (a *Applier) Apply(ctx context.Context, tx pgx.Tx, documents []configuration.Document) (Result, error) {
	if _, err := a.Store.LockConfiguration(ctx, tx); err != nil {
		return Result{}, err
	}
	rows, err := a.Store.LoadConfiguration(ctx, tx)
	if err != nil {
		return Result{}, err
	}
	before, err := a.Compile(rows)
	if err != nil {
		return Result{}, err
	}
	cause := store.Cause{Task: store.NewID(), At: a.Now()}
	proposal, err := Propose(rows, before, documents, cause.At)
	if err != nil {
		return Result{}, err
	}
	for _, write := range proposal.writes {
		if err := write.do(ctx, a.Store, tx); err != nil {
			return Result{}, located(write.document, err)
		}
	}
	x := &application{Applier: a, tx: tx, cause: cause, proposal: proposal}
	return x.finish(ctx, documents)
}

// finish compiles what the configuration has become, which checks the objects against each other, and marks whom it
// concerns.
func (a *application) finish(ctx context.Context, documents []configuration.Document) (Result, error) {
	result := Result{Objects: a.proposal.Objects, Notes: a.proposal.Notes, Version: a.proposal.Rows.Version}
	if !a.proposal.Changed() {
		return result, nil
	}
	version, err := a.Store.AdvanceConfiguration(ctx, a.tx)
	if err != nil {
		return result, err
	}
	rows, err := a.Store.LoadConfiguration(ctx, a.tx)
	if err != nil {
		return result, err
	}
	after, err := a.Compile(rows)
	if err != nil {
		return result, &fault.Error{Kind: fault.Invalid, Op: "apply", Subject: PlacesOf(documents), Err: err}
	}
	result.Version = version
	result.Notes = append(result.Notes, after.Unmapped()...)
	if err := a.rekeyIdentities(ctx, after); err != nil {
		return result, err
	}
	for _, p := range after.Profiles {
		if p.RefersTo(a.proposal.transforms) || !reflect.DeepEqual(a.proposal.before.StateAccess(p.RowID), after.StateAccess(p.RowID)) {
			a.proposal.profiles[p.RowID] = true
		}
	}
	for profile := range a.proposal.profiles {
		if _, err := a.Store.RequestProfileRefresh(ctx, a.tx, profile, "configuration changed",
			a.cause); err != nil {
			return result, err
		}
	}
	if err := a.requestMembers(ctx, after); err != nil {
		return result, err
	}
	if err := a.requestHolders(ctx, after); err != nil {
		return result, err
	}
	for _, source := range after.Sources {
		if err := a.recorrelate(ctx, source); err != nil {
			return result, err
		}
	}
	result.Task, result.Marked, err = a.LaunchRequested(ctx, a.tx, a.cause, "Process after a change of "+
		"the configuration", nil)
	return result, err
}

// rekeyIdentities writes the keys of all identities anew when an attribute became one that identities are found by, or
// ceased to be.
func (a *application) rekeyIdentities(ctx context.Context, after *configuration.Configuration) error {
	if reflect.DeepEqual(a.proposal.before.Keyed, after.Keyed) {
		return nil
	}
	s := a.Store
	for last := (store.ID{}); ; {
		page, err := s.IdentityPage(ctx, a.tx, last, tenant.PageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		var removed, added []store.IdentityKey
		var set attribute.Set
		for _, identity := range page {
			if err := set.Decode(identity.Attributes); err != nil {
				return fmt.Errorf("identity %s: %w", identity.ID, err)
			}
			was, is := a.proposal.before.IdentityKeys(&set), after.IdentityKeys(&set)
			removed = configuration.AppendMissing(removed, identity.ID, was, is)
			added = configuration.AppendMissing(added, identity.ID, is, was)
		}
		if err := s.ChangeIdentityKeys(ctx, a.tx, removed, added); err != nil {
			return err
		}
		last = page[len(page)-1].ID
	}
}

// recorrelate examines the uncorrelated accounts of a source anew when its correlation changed, or when it became
// authoritative: then those that find nobody become identities.
func (a *application) recorrelate(ctx context.Context, source *configuration.CompiledSource) error {
	old := a.proposal.before.Sources[source.RowID]
	if old == nil || old.ProfileID == source.ProfileID && reflect.DeepEqual(old.Assignments(), source.Assignments()) {
		return nil
	}
	s := a.Store
	var set attribute.Set
	for last := (store.ID{}); ; {
		page, err := s.UncorrelatedAccounts(ctx, a.tx, source.RowID, last, tenant.PageSize)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		ids, keys := make([]store.ID, len(page)), make([]string, len(page))
		for i, account := range page {
			if err := set.Decode(account.Attributes); err != nil {
				return fmt.Errorf("account %s: %w", account.AccountID, err)
			}
			text, err := json.Marshal(source.CorrelationKeys(account.NativeIdentity, &set))
			if err != nil {
				return err
			}
			ids[i], keys[i] = account.AccountID, string(text)
		}
		if err := s.SetCorrelationKeys(ctx, a.tx, ids, keys); err != nil {
			return err
		}
		last = page[len(page)-1].AccountID
	}
	_, err := s.CorrelateSource(ctx, a.tx, source.RowID, a.cause)
	if err != nil {
		return err
	}
	_, err = a.Adopt(ctx, a.tx, source, a.cause)
	return err
}

// requestMembers marks the identities that gain or lose one of the roles that changed.
func (a *application) requestMembers(ctx context.Context, after *configuration.Configuration) error {
	for _, id := range a.proposal.Roles {
		members := after.Members(after.Roles[id])
		if err := a.Store.RequestRoleRefresh(ctx, a.tx, id, members, "role changed", a.cause); err != nil {
			return err
		}
	}
	return nil
}

// requestHolders marks the identities that have a role which grants something else now.
func (a *application) requestHolders(ctx context.Context, after *configuration.Configuration) error {
	for id := range after.Roles {
		if reflect.DeepEqual(a.proposal.before.RoleAccess(id), after.RoleAccess(id)) {
			continue
		}
		if err := a.Store.RequestHolderRefresh(ctx, a.tx, id, "access of the role changed", a.cause); err != nil {
			return err
		}
	}
	return nil
}
