package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// PreviewParams say what to preview, and for whom. The zero PreviewParams tell what processing everybody would change
// now.
type PreviewParams struct {
	// Documents are a configuration that is not applied: what is not in them stays as it is.
	Documents []Document
	// IDs are the identities; empty for all that Filters select. At most [ProcessIdentitiesMax].
	IDs []string
	// Filters is a filter in the V3 syntax over any field; empty for everybody.
	Filters string
	// Profile is an identity profile whose identities are to be previewed, by ID or by name; empty for any.
	Profile string
	// Everybody calculates everybody also where the documents change nothing but roles. Otherwise those are calculated
	// then of whom processing may change something: who gains or loses one of the roles, has one that grants something
	// else, is marked, or due at the next slot.
	Everybody bool
	// Task is the ID of a task: the preview is of what it would go on to do. It excludes Documents, IDs and Filters.
	Task string
	// Synchronize previews as if the synchronization of the attributes were asked for, so also for who is long-term
	// inactive.
	Synchronize bool
	// Trace adds by which operations each value comes about, and why each criterion holds or not.
	Trace bool
}

// PreviewChange is what processing would change of one identity.
type PreviewChange struct {
	ID             string             `json:"id"`
	Name           string             `json:"name"`
	Alias          string             `json:"alias"`
	Attributes     []PreviewAttribute `json:"attributes,omitempty"`
	LifecycleState *PreviewText       `json:"lifecycleState,omitempty"`
	IdentityState  *PreviewText       `json:"identityState,omitempty"`
	Profile        *PreviewText       `json:"identityProfile,omitempty"` // names
	Manager        *PreviewText       `json:"manager,omitempty"`         // IDs
	Correlated     *bool              `json:"correlated,omitempty"`      // what it would be
	RolesGained    []PreviewRole      `json:"rolesGained,omitempty"`
	RolesLost      []PreviewRole      `json:"rolesLost,omitempty"`
	// Operations are what would be opened to be done on sources.
	Operations []PreviewOperation `json:"operations,omitempty"`
	// Error is why the identity could not be calculated; "" when it could.
	Error string `json:"error,omitempty"`
	// Recovers says that it is in error and would not be any more.
	Recovers bool     `json:"recovers,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// PreviewAttribute is an attribute that would get another value.
type PreviewAttribute struct {
	Name string          `json:"name"`
	From attribute.Value `json:"previousValue"`
	To   attribute.Value `json:"value"`
	// Steps tell how the value comes about, if that was asked for.
	Steps []ExplainedStep `json:"steps,omitempty"`
}

// PreviewRole is a role that would be gained or lost.
type PreviewRole struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// Criterion tells why its criterion holds or not, comparison by comparison, if that was asked for.
	Criterion *criteria.Explanation `json:"criterion,omitempty"`
}

// PreviewOperation is something that would be done on a source.
type PreviewOperation struct {
	Source         Reference     `json:"source"`
	NativeIdentity string        `json:"nativeIdentity,omitempty"` // of the account; empty for one that is created
	Operation      string        `json:"operation"`
	Attributes     attribute.Set `json:"attributes"`
	Reason         string        `json:"reason"`
	Manual         bool          `json:"manual,omitempty"` // people would do it
}

// OperationTotal counts the operations of a kind on a source.
type OperationTotal struct {
	Source    string `json:"source"`
	Operation string `json:"operation"`
	Count     int    `json:"count"`
}

// PreviewText is a text that would become another; "" is none.
type PreviewText struct {
	From string `json:"previousValue"`
	To   string `json:"value"`
}

// PreviewTotals say what processing would change in all.
type PreviewTotals struct {
	Identities int `json:"identities"` // whom the preview is of
	Calculated int `json:"calculated"` // of which were calculated; the others stay as they are
	Changed    int `json:"changed"`    // of which something would change
	Errors     int `json:"errors"`     // that could not be calculated
	NewErrors  int `json:"newErrors"`  // of which that are not in error now
	Recovered  int `json:"recovered"`  // that are in error now and would not be any more
	Incomplete int `json:"warnings"`   // with a warning

	Attributes []AttributeTotal `json:"attributes"` // the most changed first
	Roles      []RoleTotal      `json:"roles"`      // the one with the most changes first
	Lifecycle  []StateTotal     `json:"lifecycle"`  // the most frequent change first
	Operations []OperationTotal `json:"operations"` // by source and operation
	Managers   int              `json:"managers"`   // identities that would have another manager, or none
	Profiles   int              `json:"profiles"`   // identities that would have another profile, or none

	// Held says why the guard would hold a run that does this; "" when it would not.
	Held string `json:"held,omitempty"`
	// Objects are what of the documents differs from the configuration. Notes are those that applying them would make.
	Objects []AppliedObject `json:"objects"`
	Notes   []string        `json:"notes"`
}

// AttributeTotal counts the changes of an attribute.
type AttributeTotal struct {
	Name    string `json:"name"`
	Set     int    `json:"set"`     // had no value
	Changed int    `json:"changed"` // get another value
	Cleared int    `json:"cleared"` // lose their value
}

func (t *AttributeTotal) sum() int { return t.Set + t.Changed + t.Cleared }

// RoleTotal counts the changes of a role's members.
type RoleTotal struct {
	Name   string `json:"name"`
	Gained int    `json:"gained"`
	Lost   int    `json:"lost"`
}

// StateTotal counts the changes from one lifecycle state to another; "" is none.
type StateTotal struct {
	From  string `json:"previousValue"`
	To    string `json:"value"`
	Count int    `json:"count"`
}

// Preview computes what processing would change under a configuration that is not applied, in a transaction that can
// only read. It calls each with the changes of each identity that would change, by ID, and returns the totals; each
// must not keep what it is given. An error of each ends the preview. Accounts keep the identities that they have: what
// another correlation would find is not part of a preview. Values made by chance differ from those that processing
// will make.
func (e *Engine) Preview(ctx context.Context, params PreviewParams, each func(*PreviewChange) error) (PreviewTotals,
	error,
) {
	const op = "preview"
	if params.Task != "" {
		return e.previewTask(ctx, &params, each)
	}
	var filter *filterql.Filter
	if strings.TrimSpace(params.Filters) != "" {
		schema, err := e.identitySchema(ctx, true)
		if err != nil {
			return PreviewTotals{}, fault.Wrap(op, "", err)
		}
		if filter, err = filterql.ParseFilter(params.Filters, schema); err != nil {
			return PreviewTotals{}, fault.Wrap(op, "", err)
		}
	}
	var ids []store.ID
	if len(params.IDs) > 0 {
		wanted, nobodys, err := tenant.ParseIDs(op, params.IDs, ProcessIdentitiesMax)
		if err == nil {
			err = tenant.NoIdentities(op, nobodys)
		}
		if err != nil {
			return PreviewTotals{}, err
		}
		ids = wanted
		slices.SortFunc(ids, store.ID.Compare)
	}
	return e.preview(ctx, &params, each, func(p *preview) (pager, error) {
		if params.Profile != "" {
			profile := p.before.ProfileByName(params.Profile)
			if profile == nil {
				return nil, &Error{Kind: NotFound, Op: op, Subject: params.Profile,
					Err: errors.New("there is no such identity profile")}
			}
			part := store.TaskPart{ProfileID: profile.RowID}
			return func(limit int) ([]store.ID, error) {
				page, err := e.tenant.Store.PartIdentities(ctx, p.tx, &part, limit)
				if len(page) > 0 {
					part.AfterID = page[len(page)-1]
				}
				return page, err
			}, nil
		}
		if ids == nil && filter == nil && !params.Everybody && !params.Synchronize {
			if next, err := p.concerned(); err != nil || next != nil {
				return next, err
			}
		}
		if ids == nil {
			return p.everybody(filter), nil
		}
		for _, id := range ids {
			found, err := e.tenant.Store.IdentityStates(ctx, p.tx, []store.ID{id})
			if err == nil && len(found) == 0 {
				err = fault.NoIdentity(op, id.String())
			}
			if err != nil {
				return nil, err
			}
		}
		return once(ids), nil
	})
}

// previewTask is a preview of what a task would go on to do: of one that is held, before it is confirmed.
func (e *Engine) previewTask(ctx context.Context, params *PreviewParams, each func(*PreviewChange) error) (
	PreviewTotals, error,
) {
	const op = "preview the task"
	if len(params.Documents)+len(params.IDs) > 0 || params.Filters != "" {
		return PreviewTotals{}, fault.Invalidf(op, "", "a task is previewed by itself, without documents, IDs and filters")
	}
	task, err := e.tasks.FindTask(ctx, op, params.Task)
	if err != nil {
		return PreviewTotals{}, err
	}
	return e.preview(ctx, params, each, func(p *preview) (pager, error) {
		parts, err := e.tenant.Store.TaskParts(ctx, p.tx, task.ID)
		if err != nil {
			return nil, err
		}
		var last store.ID
		requests := func(limit int) ([]store.ID, error) {
			page, err := e.tenant.Store.TaskIdentities(ctx, p.tx, task.ID, last, limit)
			if len(page) > 0 {
				last = page[len(page)-1]
			}
			return page, err
		}
		return func(limit int) ([]store.ID, error) {
			if page, err := requests(limit); err != nil || len(page) > 0 {
				return page, err
			}
			for len(parts) > 0 {
				page, err := e.tenant.Store.PartIdentities(ctx, p.tx, &parts[0], limit)
				if err != nil || len(page) > 0 {
					if len(page) > 0 {
						parts[0].AfterID = page[len(page)-1]
					}
					return page, err
				}
				parts = parts[1:]
			}
			return nil, nil
		}, nil
	})
}

// pager returns the next identities, none at the end.
type pager func(limit int) ([]store.ID, error)

func once(ids []store.ID) pager {
	return func(int) ([]store.ID, error) {
		page := ids
		ids = nil
		return page, nil
	}
}

// preview is one call of Preview.
type preview struct {
	e        *Engine
	ctx      context.Context //nolint:containedctx // it lives as long as the call that the context belongs to
	tx       pgx.Tx
	cause    store.Cause
	before   *configuration.Configuration
	proposed *configuration.Configuration
	// gained and lost are the identities that would be found, and would not be found any more, by a key under which
	// managers are looked for.
	gained, lost map[string][]store.ID
	// changedRoles are the roles that the documents change.
	changedRoles []store.ID
	totals       PreviewTotals
	attributes   map[string]*AttributeTotal
	roles        map[store.ID]*RoleTotal
	lifecycle    map[[2]string]int
	operations   map[[2]string]int // by source and operation
	counts       store.TaskCounts
	trace        bool
	synchronize  bool
}

func (e *Engine) preview(ctx context.Context, params *PreviewParams, each func(*PreviewChange) error,
	whom func(*preview) (pager, error),
) (PreviewTotals, error) {
	const op = "preview"
	p := &preview{
		e: e, ctx: ctx, cause: store.Cause{At: e.tenant.Now()}, attributes: map[string]*AttributeTotal{},
		roles: map[store.ID]*RoleTotal{}, lifecycle: map[[2]string]int{}, operations: map[[2]string]int{},
		trace: params.Trace, synchronize: params.Synchronize,
	}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := store.InTx(ctx, e.tenant.Pool, options, func(tx pgx.Tx) error {
		p.tx = tx
		if err := p.propose(params.Documents); err != nil {
			return err
		}
		next, err := whom(p)
		if err != nil {
			return err
		}
		if err := p.findKeys(); err != nil {
			return err
		}
		return p.run(next, func(b *processing.Calculated) error { return p.show(b, each) })
	})
	if err != nil {
		return p.totals, fault.Wrap(op, "", err)
	}
	p.sum()
	return p.totals, nil
}

// propose makes the configuration that the documents would make.
func (p *preview) propose(documents []Document) error {
	rows, err := p.e.tenant.Store.LoadConfiguration(p.ctx, p.tx)
	if err != nil {
		return err
	}
	if p.before, err = p.e.tenant.Compile(rows); err != nil {
		return err
	}
	proposal, err := change.Propose(rows, p.before, documents, p.cause.At)
	if err != nil {
		return err
	}
	slices.SortStableFunc(proposal.Rows.Profiles, func(a, b store.Profile) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.Created.Compare(b.Created), a.ID.Compare(b.ID))
	})
	if p.proposed, err = p.e.tenant.Compile(proposal.Rows); err != nil {
		return &Error{Kind: Invalid, Op: "preview", Subject: change.PlacesOf(documents), Err: err}
	}
	p.changedRoles = proposal.Roles
	p.totals.Objects, p.totals.Notes = []AppliedObject{}, append(proposal.Notes, p.proposed.Unmapped()...)
	for _, object := range proposal.Objects {
		if object.Action != Unchanged {
			p.totals.Objects = append(p.totals.Objects, object)
		}
	}
	return nil
}

func (p *preview) everybody(filter *filterql.Filter) pager {
	var last store.ID
	return func(limit int) ([]store.ID, error) {
		page, err := p.e.tenant.Store.IdentityIDs(p.ctx, p.tx, filter, last, limit)
		if len(page) > 0 {
			last = page[len(page)-1]
		}
		return page, err
	}
}

// concerned returns the identities of which processing may change something, nil where that may be anybody: where the
// documents change something else than roles, or nothing.
func (p *preview) concerned() (pager, error) {
	others := slices.ContainsFunc(p.totals.Objects, func(o AppliedObject) bool { return o.Type != TypeRole })
	if others || len(p.changedRoles) == 0 {
		return nil, nil
	}
	var changes []store.RoleChange
	for _, id := range p.changedRoles {
		changes = append(changes, store.RoleChange{Role: id, Members: p.proposed.Members(p.proposed.Roles[id]),
			Access: !reflect.DeepEqual(p.before.RoleAccess(id), p.proposed.RoleAccess(id))})
	}
	ids, err := p.e.tenant.Store.ConcernedByRoles(p.ctx, p.tx, changes, p.e.tasks.NextSlot(p.cause.At))
	if err != nil {
		return nil, err
	}
	all, err := p.e.tenant.Store.CountPopulation(p.ctx, p.tx)
	p.totals.Identities = int(all)
	return func(limit int) ([]store.ID, error) {
		page := ids[:min(limit, len(ids))]
		ids = ids[len(page):]
		return page, nil
	}, err
}

// run calculates identities under the proposed configuration.
func (p *preview) run(next pager, visit func(*processing.Calculated) error) error {
	for {
		page, err := next(p.e.tenant.BatchSize)
		if err != nil || len(page) == 0 {
			return err
		}
		var synchronize []store.ID
		if p.synchronize {
			synchronize = page
		}
		read, err := p.e.processor.ReadOnly(p.tx, p.proposed, p.cause.At).Read(p.ctx, page, synchronize)
		if err != nil {
			return err
		}
		calculated, err := read.Calculate()
		if err != nil {
			return err
		}
		if err := visit(calculated); err != nil {
			return err
		}
	}
}

// findKeys finds by what other keys identities would be found as managers. That takes a calculation of everybody, and
// is left out where the attributes that managers are looked for in are calculated as before.
func (p *preview) findKeys() error {
	looked := p.managerAttributes()
	if len(looked) == 0 {
		return nil
	}
	p.gained, p.lost = map[string][]store.ID{}, map[string][]store.ID{}
	return p.run(p.everybody(nil), func(b *processing.Calculated) error {
		for i := range b.Changes {
			c := &b.Changes[i]
			id := c.After.ID
			was, is := p.before.IdentityKeys(&c.Before.Attributes), p.proposed.IdentityKeys(&c.After.Attributes)
			for _, k := range configuration.AppendMissing(nil, id, was, is) {
				p.lost[k.Key] = append(p.lost[k.Key], id)
			}
			for _, k := range configuration.AppendMissing(nil, id, is, was) {
				p.gained[k.Key] = append(p.gained[k.Key], id)
			}
		}
		return nil
	})
}

// managerAttributes returns the attributes that managers are looked for in, of those that the proposed configuration
// calculates otherwise.
func (p *preview) managerAttributes() []string {
	var names []string
	for _, source := range p.proposed.Sources {
		m := source.ManagerCorrelation
		if m != nil && m.IdentityAttributeName != "" && !p.sameMappings(m.IdentityAttributeName) {
			names = append(names, m.IdentityAttributeName)
		}
	}
	return names
}

func (p *preview) sameMappings(name string) bool {
	if len(p.before.Profiles) != len(p.proposed.Profiles) || p.before.Keyed[name] != p.proposed.Keyed[name] {
		return false
	}
	var changed []string
	for transform, definition := range p.proposed.Transforms {
		if !change.SameJSON(definition, p.before.Transforms[transform]) {
			changed = append(changed, transform)
		}
	}
	for i := range p.proposed.Profiles {
		before, after := &p.before.Profiles[i], &p.proposed.Profiles[i]
		if before.RowID != after.RowID || after.RefersTo(changed) ||
			!change.SameJSON(before.Mapping(name), after.Mapping(name)) {
			return false
		}
	}
	return true
}

// find is [store.Store.FindByKeys] under the proposed configuration.
func (p *preview) find(ctx context.Context, q store.Querier, keys []string) ([]store.KeyMatch, error) {
	if p.gained == nil {
		return p.e.tenant.Store.FindByKeys(ctx, q, keys)
	}
	holders, err := p.e.tenant.Store.KeyHolders(ctx, q, keys)
	if err != nil {
		return nil, err
	}
	found := map[string][]store.ID{}
	for _, h := range holders {
		if !slices.Contains(p.lost[h.Key], h.IdentityID) {
			found[h.Key] = append(found[h.Key], h.IdentityID)
		}
	}
	var matches []store.KeyMatch
	for _, key := range keys {
		ids := append(found[key], p.gained[key]...)
		if len(ids) > 0 {
			matches = append(matches, store.KeyMatch{Key: key, IdentityID: ids[0], Matches: len(ids)})
		}
	}
	return matches, nil
}

// show adds the changes of a batch to the totals and passes them on.
func (p *preview) show(b *processing.Calculated, each func(*PreviewChange) error) error {
	if err := b.FindManagers(p.ctx, p.find); err != nil {
		return err
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		processing.Count(&p.counts, c)
		shown := p.change(c, &b.Snapshots[i])
		p.add(c)
		if !c.Differs() {
			continue
		}
		if err := each(&shown); err != nil {
			return err
		}
	}
	return nil
}

// change gives a change the shape in which it is shown.
func (p *preview) change(c *refresh.Change, s *refresh.Snapshot) PreviewChange {
	from, to := c.Before, c.After
	shown := PreviewChange{
		ID: to.ID.String(), Name: to.Name, Alias: to.Alias, Warnings: c.Warnings,
		LifecycleState: previewText(from.LifecycleState, to.LifecycleState),
		IdentityState:  previewText(from.IdentityState, to.IdentityState),
		Manager:        previewText(from.ManagerID.String(), to.ManagerID.String()),
		Profile: previewText(p.before.ProfileName(from.ProfileID),
			p.proposed.ProfileName(to.ProfileID)),
		Recovers: from.ProcessingState == refresh.StateError && to.ProcessingState != refresh.StateError,
	}
	if from.ProfileID == to.ProfileID {
		shown.Profile = nil
	}
	if from.Correlated != to.Correlated {
		shown.Correlated = &to.Correlated
	}
	for i := range c.Attributes {
		a := &c.Attributes[i]
		attribute := PreviewAttribute{Name: a.Name, From: a.From, To: a.To}
		if p.trace && a.Mapping != nil {
			// A trace that fails ends with the step that failed.
			_, steps, _ := a.Mapping.Trace(s, p.cause.At)
			attribute.Steps = explainSteps(steps)
		}
		shown.Attributes = append(shown.Attributes, attribute)
	}
	for i := range c.Gained {
		id := c.Gained[i].ID
		shown.RolesGained = append(shown.RolesGained, p.role(id, p.proposed.Roles[id].WhyGained(), c, s))
	}
	for _, loss := range c.Lost {
		id := loss.RoleID
		shown.RolesLost = append(shown.RolesLost, p.role(id, p.proposed.Roles[id].WhyLost(loss.Expired), c, s))
	}
	for i := range c.Access.Open {
		o := &c.Access.Open[i]
		source := p.proposed.Sources[o.SourceID]
		shown.Operations = append(shown.Operations, PreviewOperation{
			Source:         Reference{Type: string(TypeSource), ID: source.RowID.String(), Name: source.Name},
			NativeIdentity: o.NativeIdentity, Operation: string(o.Kind), Attributes: o.Attributes, Reason: o.Reason,
			Manual: o.Manual})
	}
	if c.Err != nil {
		shown.Error = c.Err.Error()
	}
	return shown
}

func (p *preview) role(id store.ID, reason string, c *refresh.Change, s *refresh.Snapshot) PreviewRole {
	shown := PreviewRole{ID: id.String(), Name: p.roleName(id), Reason: reason}
	if role := p.proposed.Roles[id]; p.trace && role != nil && role.Criterion != nil {
		facts := refresh.FactsOf(c.After, s.Accounts)
		explanation := role.Criterion.Explain(&facts)
		p.proposed.NameSources(&explanation)
		shown.Criterion = &explanation
	}
	return shown
}

func previewText(from, to string) *PreviewText {
	if from == to {
		return nil
	}
	return &PreviewText{from, to}
}

func (p *preview) roleName(id store.ID) string {
	if role := p.proposed.Roles[id]; role != nil {
		return role.Name
	}
	return id.String()
}

// add adds a change to the totals.
func (p *preview) add(c *refresh.Change) {
	t := &p.totals
	for i := range c.Attributes {
		a := &c.Attributes[i]
		total := p.attributes[a.Name]
		if total == nil {
			total = &AttributeTotal{Name: a.Name}
			p.attributes[a.Name] = total
		}
		switch {
		case a.From.IsNull():
			total.Set++
		case a.To.IsNull():
			total.Cleared++
		default:
			total.Changed++
		}
	}
	role := func(id store.ID) *RoleTotal {
		if p.roles[id] == nil {
			p.roles[id] = &RoleTotal{Name: p.roleName(id)}
		}
		return p.roles[id]
	}
	for i := range c.Gained {
		role(c.Gained[i].ID).Gained++
	}
	for i := range c.Lost {
		role(c.Lost[i].RoleID).Lost++
	}
	for i := range c.Access.Open {
		o := &c.Access.Open[i]
		p.operations[[2]string{p.proposed.Sources[o.SourceID].Name, string(o.Kind)}]++
	}
	if c.Before.LifecycleState != c.After.LifecycleState {
		p.lifecycle[[2]string{c.Before.LifecycleState, c.After.LifecycleState}]++
	}
	if c.Before.ManagerID != c.After.ManagerID {
		t.Managers++
	}
	if c.Before.ProfileID != c.After.ProfileID || c.Before.Correlated != c.After.Correlated {
		t.Profiles++
	}
	inError := c.Before.ProcessingState == refresh.StateError
	switch {
	case c.Err != nil && !inError:
		t.NewErrors++
	case c.Err == nil && inError:
		t.Recovered++
	}
	if len(c.Warnings) > 0 {
		t.Incomplete++
	}
}

// sum brings the totals into order.
func (p *preview) sum() {
	t := &p.totals
	t.Calculated, t.Changed, t.Errors = int(p.counts.Identities), int(p.counts.Changed), int(p.counts.Errors)
	t.Identities = max(t.Identities, t.Calculated)
	t.Attributes, t.Roles, t.Lifecycle = []AttributeTotal{}, []RoleTotal{}, []StateTotal{}
	for _, total := range p.attributes {
		t.Attributes = append(t.Attributes, *total)
	}
	slices.SortFunc(t.Attributes, func(a, b AttributeTotal) int {
		return cmp.Or(cmp.Compare(b.sum(), a.sum()), cmp.Compare(a.Name, b.Name))
	})
	for _, total := range p.roles {
		t.Roles = append(t.Roles, *total)
	}
	slices.SortFunc(t.Roles, func(a, b RoleTotal) int {
		return cmp.Or(cmp.Compare(b.Gained+b.Lost, a.Gained+a.Lost), cmp.Compare(a.Name, b.Name))
	})
	for states, count := range maps.All(p.lifecycle) {
		t.Lifecycle = append(t.Lifecycle, StateTotal{states[0], states[1], count})
	}
	slices.SortFunc(t.Lifecycle, func(a, b StateTotal) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	t.Operations = []OperationTotal{}
	for key, count := range p.operations {
		t.Operations = append(t.Operations, OperationTotal{key[0], key[1], count})
	}
	slices.SortFunc(t.Operations, func(a, b OperationTotal) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Operation, b.Operation))
	})
	sums := &store.TaskGuard{Population: int64(t.Identities), RoleLosers: p.counts.RoleLosers,
		LifecycleChanged: p.counts.LifecycleChanged, Deactivated: p.counts.Deactivated}
	guard := p.e.tenant.Guard
	limit := guard.Limit(sums.Population)
	if err := task.CheckGuard(guard, sums, &p.counts); err != nil {
		t.Held = fmt.Sprintf("a run that does this would be held: of %d identities %d would lose a role, %d change "+
			"their lifecycle state and %d cease to be active, and %d may", sums.Population, sums.RoleLosers,
			sums.LifecycleChanged, sums.Deactivated, limit)
	}
}
