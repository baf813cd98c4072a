package change

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// Applier changes the configuration of a tenant.
type Applier struct{ *processing.Processor }

// New returns the applier of the tenant whose identities a processor processes.
func New(processor *processing.Processor) *Applier { return &Applier{processor} }

// Result says what applying did.
type Result struct {
	Objects []configuration.AppliedObject `json:"objects"`
	// Marked is how many identities wait to be processed because of it, and Task the ID of the task that does it.
	Marked int    `json:"marked"`
	Task   string `json:"task,omitempty"`
	// Notes say what was applied as it is given, but may not be what was meant.
	Notes []string `json:"notes"`
	// Losses are the members that were left out of the documents, because the engine does not do what they ask for.
	Losses []string `json:"losses,omitempty"`
	// Removals are the objects that were removed, and what went with each.
	Removals []Removal `json:"removals,omitempty"`
	// Version is the version of the configuration after it.
	Version int64 `json:"version"`
}

// application is one call of Apply, after the writes of the proposal: what follows from them for identities.
type application struct {
	*Applier
	tx       pgx.Tx
	cause    store.Cause
	proposal *Proposal
	after    *configuration.Configuration // what the configuration has become
	rows     store.Configuration          // the same, as the tables have it
	notes    []string                     // about accounts that do not fit it
}

// Options say more about a call of [Applier.Apply].
type Options struct {
	Comment string
	// AcceptLosses leaves out members that ask for what the engine does not do.
	AcceptLosses bool
	// Untrusted says that the documents are not the operator's: see [Applier.allowed].
	Untrusted bool
	// Replace lets documents replace objects that have members which decide access and which the documents lack.
	Replace bool
	// Confirm lets removals go further than the guard allows without it.
	Confirm bool
	// At is the version that the configuration must have; 0 for any.
	At int64
	// Prune are the types of which the objects go that no document has. With PruneGiven they are the types of the
	// documents.
	Prune      []configuration.ObjectType
	PruneGiven bool
	// Task describes the task that is recorded where nothing is to be processed; "" for none.
	Task string
}

// Present is the configuration of the tenant, locked, and compiled.
type Present struct {
	Rows   store.Configuration
	Before *configuration.Configuration
}

// Change says what is asked for, of the configuration as it is: what it fails with, the change fails with.
type Change func(*Present) (Request, error)

// Apply brings the configuration up to documents, as engine.Engine.Apply says. It locks the configuration FOR UPDATE
// until the transaction ends. A revision records the change, with a comment.
func (a *Applier) Apply(ctx context.Context, tx pgx.Tx, documents []configuration.Document, o Options) (Result,
	error,
) {
	return a.Change(ctx, tx, func(*Present) (Request, error) {
		return Request{Documents: documents, Prune: o.PrunedTypes(documents)}, nil
	}, o)
}

// PrunedTypes returns the types of which objects go that documents do not have.
func (o *Options) PrunedTypes(documents []configuration.Document) []configuration.ObjectType {
	if !o.PruneGiven {
		return o.Prune
	}
	var types []configuration.ObjectType
	for i := range documents {
		if kind := documents[i].Type; kind != configuration.TypeSettings && !slices.Contains(types, kind) {
			types = append(types, kind)
		}
	}
	return types
}

// Change changes the configuration as asked. It locks it FOR UPDATE until the transaction ends.
func (a *Applier) Change(ctx context.Context, tx pgx.Tx, ask Change, o Options) (Result, error) {
	if _, err := a.Store.LockConfiguration(ctx, tx); err != nil {
		return Result{}, err
	}
	var present Present
	var err error
	if present.Rows, err = a.Store.LoadConfiguration(ctx, tx); err != nil {
		return Result{}, err
	}
	if version := present.Rows.Version; o.At != 0 && o.At != version {
		return Result{}, &fault.Error{Kind: fault.Conflict, Op: "change the configuration",
			Err: fmt.Errorf("the configuration has the version %d, and not %d any more: look at it again", version,
				o.At)}
	}
	if present.Before, err = a.Compile(present.Rows); err != nil {
		return Result{}, err
	}
	request, err := ask(&present)
	if err != nil {
		return Result{}, err
	}
	request.Accept, request.Compile = o.AcceptLosses, a.Compile
	cause := a.NewCause(ctx)
	proposal, err := Propose(present.Rows, present.Before, &request, cause.At)
	if err != nil && (proposal == nil || fault.KindOf(err) != fault.Invalid) {
		return Result{}, err
	}
	faulty := err != nil
	var lacking error
	if !o.Replace {
		lacking = proposal.demandWhole()
	}
	forbidden := a.allowed(&present.Rows, proposal, o.Untrusted)
	if forbidden != nil && fault.KindOf(forbidden) != fault.Forbidden {
		return Result{}, forbidden
	}
	if !faulty && (lacking != nil || forbidden != nil) {
		err = proposal.unlessLacking(proposal.fit(&request))
	}
	if err := together(err, lacking, forbidden); err != nil {
		return Result{}, err
	}
	return a.carryOut(ctx, tx, &present, proposal, request.Documents, cause, o)
}

// demandWhole fails where documents lack members that decide access, and that the objects have which they replace.
func (p *Proposal) demandWhole() error {
	if len(p.Lacking) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Conflict, Op: "apply", Err: fmt.Errorf("the documents lack members that decide "+
		"who has which value, access or account, and that the objects have: give them, give them as null to take "+
		"them away, or replace the objects all the same (--replace):\n  %s", strings.Join(p.Lacking, "\n  "))}
}

// unlessLacking leaves out of what does not fit together the lines about objects whose documents lack members: they may
// follow from that.
func (p *Proposal) unlessLacking(err error) error {
	if err == nil || len(p.Lacking) == 0 {
		return err
	}
	lines := slices.DeleteFunc(strings.Split(bare(err), "\n"), func(line string) bool {
		return slices.ContainsFunc(p.Lacking, func(lacking string) bool {
			object, _, _ := strings.Cut(lacking, ": ")
			return strings.Contains(line, object)
		})
	})
	if len(lines) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Op: "apply",
		Err: &faultList{text: strings.Join(lines, "\n"), errs: []error{err}}}
}

// carryOut writes a proposal, and requests what follows from it.
func (a *Applier) carryOut(ctx context.Context, tx pgx.Tx, present *Present, proposal *Proposal,
	documents []configuration.Document, cause store.Cause, o Options,
) (Result, error) {
	result := Result{Objects: proposal.Objects, Notes: proposal.Notes, Losses: proposal.Losses,
		Version: proposal.Rows.Version}
	x := &application{Applier: a, tx: tx, cause: cause, proposal: proposal}
	var err error
	if result.Removals, err = x.beginRemoval(ctx, o.Confirm); err != nil {
		return result, err
	}
	for _, write := range proposal.writes {
		if err := write.do(ctx, a.Store, tx); err != nil {
			return Result{}, located(write.document, err)
		}
	}
	if err := x.removeSources(ctx); err != nil {
		return result, err
	}
	if !present.Rows.Settled {
		if err := a.Store.Settle(ctx, tx); err != nil {
			return Result{}, err
		}
	}
	if !proposal.Changed() {
		return result, nil
	}
	version, err := x.advance(ctx, documents)
	if err != nil {
		return result, err
	}
	result.Version = version
	if err := a.Record(ctx, tx, &present.Rows, &x.rows, cause, o.Comment, proposal.Losses); err != nil {
		return result, err
	}
	result.Notes = append(result.Notes, proposal.NotesOn(x.after, a.Connectors)...)
	if err := x.request(ctx); err != nil {
		return result, err
	}
	result.Notes = append(result.Notes, x.notes...)
	result.Task, result.Marked, err = a.LaunchRequested(ctx, tx, cause, "Process after a change of the configuration",
		nil)
	return result, err
}

// advance gives the configuration its next version and compiles it, which checks the objects against each other.
func (a *application) advance(ctx context.Context, documents []configuration.Document) (version int64, err error) {
	if version, err = a.Store.AdvanceConfiguration(ctx, a.tx); err != nil {
		return version, err
	}
	if a.rows, err = a.Store.LoadConfiguration(ctx, a.tx); err != nil {
		return version, err
	}
	if a.after, err = a.Compile(a.rows); err == nil {
		err = a.after.Check()
	}
	if err != nil {
		err = &fault.Error{Kind: fault.Invalid, Op: "apply", Subject: PlacesOf(documents),
			Err: a.proposal.respelled(err)}
	}
	return version, err
}

// request requests the processing of the identities that the change concerns.
func (a *application) request(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		a.changeZone, a.rekeyIdentities, a.requestProfiles, a.requestMembers, a.requestHolders, a.markAttributes,
		a.recorrelateSources, a.clearLookups,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// requestProfiles requests the processing of the identities of profiles that changed, that refer to a changed
// transform, or whose lifecycle states grant something else now.
func (a *application) requestProfiles(ctx context.Context) error {
	for i := range a.after.Profiles {
		p := &a.after.Profiles[i]
		if p.RefersTo(a.proposal.transforms) ||
			!reflect.DeepEqual(a.proposal.before.StateAccess(p.RowID), a.after.StateAccess(p.RowID)) {
			a.proposal.profiles[p.RowID] = true
		}
	}
	for profile := range a.proposal.profiles {
		if _, err := a.Store.RequestProfileRefresh(ctx, a.tx, profile, "configuration changed", a.cause); err != nil {
			return err
		}
	}
	return nil
}

// rekeyIdentities writes the keys of all identities again if other attributes find identities now.
func (a *application) rekeyIdentities(ctx context.Context) error {
	if reflect.DeepEqual(a.proposal.before.Keyed, a.after.Keyed) {
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
			was, is := a.proposal.before.IdentityKeys(&set), a.after.IdentityKeys(&set)
			removed = configuration.AppendMissing(removed, identity.ID, was, is)
			added = configuration.AppendMissing(added, identity.ID, is, was)
		}
		if err := s.ChangeIdentityKeys(ctx, a.tx, removed, added); err != nil {
			return err
		}
		last = page[len(page)-1].ID
	}
}

// clearLookups removes what identities looked up, where none looks anybody up any more.
func (a *application) clearLookups(ctx context.Context) error {
	if !a.proposal.before.Refresh.Others.Alias || a.after.Refresh.Others.Alias {
		return nil
	}
	return a.Store.ClearLookups(ctx, a.tx)
}

// markAttributes writes the entitlements of the accounts of sources whose schema marks other attributes now.
func (a *application) markAttributes(ctx context.Context) error {
	for _, source := range a.after.Sources {
		old := a.proposal.before.Sources[source.RowID]
		if old == nil {
			continue // it has no accounts
		}
		was, is := old.Entitling(""), source.Entitling("")
		if err := a.Store.UnmarkAttributes(ctx, a.tx, source.RowID, without(was, is)); err != nil {
			return err
		}
		overlong, err := a.Store.MarkAttributes(ctx, a.tx, source.RowID, without(is, was), a.cause.At)
		if err != nil {
			return err
		}
		for _, name := range overlong {
			a.notes = append(a.notes, fmt.Sprintf("source %q: accounts have values of the attribute %q that are "+
				"longer than %d bytes: these are no entitlements, and the next aggregation leaves the accounts out as "+
				"faulty", source.Name, name, configuration.EntitlementLengthMax))
		}
	}
	return nil
}

// without returns the names of a list that another one does not have.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(other, name) })
}

// recorrelateSources correlates the accounts of the sources again whose correlation changed.
func (a *application) recorrelateSources(ctx context.Context) error {
	for _, source := range a.after.Sources {
		old := a.proposal.before.Sources[source.RowID]
		if old == nil ||
			old.ProfileID == source.ProfileID && reflect.DeepEqual(old.Assignments(), source.Assignments()) {
			continue
		}
		if err := a.recorrelate(ctx, source); err != nil {
			return err
		}
	}
	return nil
}

// recorrelate writes the keys of a source's uncorrelated accounts again and correlates them. If the source became
// authoritative, those that find nobody become identities.
func (a *application) recorrelate(ctx context.Context, source *configuration.CompiledSource) error {
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
	if _, err := s.CorrelateSource(ctx, a.tx, source.RowID, a.cause); err != nil {
		return err
	}
	write := a.NewWriteID()
	adopted, err := a.Adopt(ctx, a.tx, source, nil, write, 0, a.cause)
	if err != nil || adopted == 0 {
		return err
	}
	return a.Store.AddEventWrite(ctx, a.tx, write, adopted, a.cause)
}

// requestMembers requests the processing of the identities that gain or lose a changed role by its membership.
func (a *application) requestMembers(ctx context.Context) error {
	for _, id := range a.proposal.Roles {
		members := a.after.Members(a.after.Roles[id])
		if err := a.Store.RequestRoleRefresh(ctx, a.tx, id, members, "role changed", a.cause); err != nil {
			return err
		}
	}
	return nil
}

// requestHolders requests the processing of the identities that have a role which grants something else now, whatever
// assigned it.
func (a *application) requestHolders(ctx context.Context) error {
	for id := range a.after.Roles {
		if reflect.DeepEqual(a.proposal.before.RoleAccess(id), a.after.RoleAccess(id)) {
			continue
		}
		if err := a.Store.RequestHolderRefresh(ctx, a.tx, id, "access of the role changed", a.cause); err != nil {
			return err
		}
	}
	return nil
}
