package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// ExplainParams say what to explain about an identity. Attribute and Role narrow it; empty for everything.
type ExplainParams struct {
	Identity  string // its ID, or its alias
	Attribute string
	Role      string // its ID, or its name
}

// Explanation tells where the values of an identity come from: what a calculation gives now, how, and what is stored.
// The two differ where the identity waits to be processed.
type Explanation struct {
	ID         string               `json:"id"`
	Name       string               `json:"name"`
	Alias      string               `json:"alias"`
	Profile    *ExplainedProfile    `json:"identityProfile"` // null for an identity that is not correlated
	Attributes []ExplainedAttribute `json:"attributes,omitempty"`
	Missing    []string             `json:"missing,omitempty"` // the required attributes that it lacks
	Lifecycle  *ExplainedLifecycle  `json:"lifecycleState,omitempty"`
	Manager    *ExplainedManager    `json:"manager,omitempty"`
	Roles      []ExplainedRole      `json:"roles,omitempty"`
	// Operations are those that are open or parked, or were given up, and those that processing would open now.
	Operations []ExplainedOperation `json:"operations,omitempty"`
	// Warnings say what is not an error, but may not be as it was meant.
	Warnings []string   `json:"warnings,omitempty"`
	Due      *time.Time `json:"due"` // when the schedule processes it; null for never
	Error    string     `json:"processingError,omitempty"`
}

// ExplainedProfile says which profile calculates the identity.
type ExplainedProfile struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Source  string `json:"authoritativeSource"`
	Account string `json:"account"` // native identity
	Reason  string `json:"reason"`
}

// ExplainedAttribute says where a value comes from.
type ExplainedAttribute struct {
	Name   string          `json:"name"`
	Value  attribute.Value `json:"value"` // calculated now
	Stored attribute.Value `json:"stored"`
	Mapped bool            `json:"mapped"` // the profile maps it
	Steps  []ExplainedStep `json:"steps,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// ExplainedStep is one operation that led to a value.
type ExplainedStep struct {
	Depth     int             `json:"depth"` // how deep it is nested in the steps before it
	Operation string          `json:"operation"`
	Transform string          `json:"transform,omitempty"` // the saved transform it belongs to
	Path      string          `json:"path,omitempty"`      // its place in that transform
	Variable  string          `json:"variable,omitempty"`
	Value     attribute.Value `json:"value"`
	Error     string          `json:"error,omitempty"`
}

// ExplainedLifecycle says where the lifecycle state comes from.
type ExplainedLifecycle struct {
	State         string `json:"state"` // "" for none
	IdentityState string `json:"identityState"`
	Manual        bool   `json:"manuallyUpdated"` // it was set by hand, and holds
	Reason        string `json:"reason"`
}

// ExplainedManager says how the manager is found.
type ExplainedManager struct {
	ID     string `json:"id"` // "" for none
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// ExplainedRole says why the identity has a role, or has not.
type ExplainedRole struct {
	ID        string                `json:"id"`
	Name      string                `json:"name"`
	Assigned  bool                  `json:"assigned"` // as it is stored
	Member    bool                  `json:"member"`   // by its membership, now
	Reason    string                `json:"reason"`
	Criterion *criteria.Explanation `json:"criterion,omitempty"`
}

// Explain tells where each value of an identity comes from, and why it has a role or has not, comparison by comparison.
// It only reads. An attribute or role that does not exist is not found.
func (e *Engine) Explain(ctx context.Context, params ExplainParams) (Explanation, error) {
	const op = "explain"
	identity, err := e.FindIdentity(ctx, params.Identity)
	if err != nil {
		return Explanation{}, err
	}
	id, err := store.ParseID(identity.ID)
	if err != nil {
		return Explanation{}, fault.Wrap(op, params.Identity, err)
	}
	x := &explaining{e: e, ctx: ctx, params: params}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = store.InTx(ctx, e.tenant.Pool, options, func(tx pgx.Tx) error { return x.run(tx, id) })
	return x.result, fault.Wrap(op, params.Identity, err)
}

// explaining is one call of [Engine.Explain].
type explaining struct {
	e             *Engine
	ctx           context.Context //nolint:containedctx // it lives as long as the call that the context belongs to
	params        ExplainParams
	configuration *configuration.Configuration
	snapshot      *refresh.Snapshot
	change        *refresh.Change
	result        Explanation
}

func (x *explaining) run(tx pgx.Tx, id store.ID) error {
	var err error
	if x.configuration, err = x.e.tenant.SnapshotConfiguration(x.ctx, tx); err != nil {
		return err
	}
	batch := x.e.processor.ReadOnly(tx, x.configuration, x.e.tenant.Now())
	read, err := batch.Read(x.ctx, []store.ID{id}, nil)
	if err != nil {
		return err
	}
	if len(read.Snapshots) == 0 {
		return store.ErrNotFound
	}
	calculated, err := read.Calculate()
	if err != nil {
		return err
	}
	if err := calculated.FindManagers(x.ctx); err != nil {
		return err
	}
	x.snapshot, x.change = &read.Snapshots[0], &calculated.Changes[0]
	s := &x.snapshot.Identity
	x.result = Explanation{ID: id.String(), Name: s.Name, Alias: s.Alias, Due: utc(read.Due[0]),
		Error: s.ProcessingError}
	profile, account := refresh.Choose(x.snapshot, &x.configuration.Refresh)
	x.explainProfile(profile, account)
	everything := x.params.Attribute == "" && x.params.Role == ""
	if everything || x.params.Attribute != "" {
		if err := x.explainAttributes(profile, batch.Cause.At); err != nil {
			return err
		}
	}
	if everything {
		x.result.Missing = refresh.Missing(&x.change.After.Attributes)
		x.explainLifecycle(profile)
		if err := x.explainManager(tx, profile, account); err != nil {
			return err
		}
	}
	if everything || x.params.Role != "" {
		if err := x.explainRoles(); err != nil {
			return err
		}
	}
	if !everything {
		return nil
	}
	if err := calculated.LimitOperations(x.ctx); err != nil {
		return err
	}
	x.result.Warnings = x.change.Warnings
	return x.explainOperations(tx, id)
}

func (x *explaining) explainProfile(profile *refresh.Profile, account *refresh.Account) {
	if profile == nil {
		return
	}
	reason := "it is the only profile on whose source the identity has an account"
	for i := range x.configuration.Refresh.Profiles {
		other := &x.configuration.Refresh.Profiles[i]
		if other.ID != profile.ID && slices.ContainsFunc(x.snapshot.Accounts, func(a refresh.Account) bool {
			return a.SourceID == other.SourceID
		}) {
			reason = "of the profiles on whose sources the identity has accounts it has the highest priority"
		}
	}
	x.result.Profile = &ExplainedProfile{ID: profile.ID.String(), Name: profile.Name,
		Source: account.SourceName, Account: account.NativeIdentity, Reason: reason}
}

func (x *explaining) explainAttributes(profile *refresh.Profile, now time.Time) error {
	stored := &x.snapshot.Identity.Attributes
	seen := map[string]bool{}
	if profile != nil && profile.Enabled {
		for i := range profile.Mappings {
			m := &profile.Mappings[i]
			seen[m.Attribute] = true
			if !x.wants(m.Attribute) {
				continue
			}
			value, steps, err := m.Trace(x.snapshot, x.change.After, now)
			a := ExplainedAttribute{Name: m.Attribute, Value: value, Stored: stored.Get(m.Attribute), Mapped: true,
				Steps: explainSteps(steps)}
			if err != nil {
				a.Error = err.Error()
			}
			x.result.Attributes = append(x.result.Attributes, a)
		}
	}
	for name, value := range stored.All() {
		if !seen[name] && x.wants(name) {
			x.result.Attributes = append(x.result.Attributes, ExplainedAttribute{Name: name, Stored: value,
				Value: x.change.After.Attributes.Get(name)})
		}
	}
	slices.SortFunc(x.result.Attributes, func(a, b ExplainedAttribute) int { return strings.Compare(a.Name, b.Name) })
	if len(x.result.Attributes) == 0 && x.params.Attribute != "" {
		return &Error{Kind: NotFound, Op: "explain", Subject: x.params.Attribute,
			Err: errors.New("the identity's profile maps no such attribute, and it has none")}
	}
	return nil
}

func (x *explaining) wants(name string) bool {
	return x.params.Attribute == "" || x.params.Attribute == name
}

func explainSteps(steps []transform.Step) []ExplainedStep {
	explained := make([]ExplainedStep, len(steps))
	for i, s := range steps {
		explained[i] = ExplainedStep{Depth: s.Depth, Operation: s.Operation, Transform: s.Transform, Path: s.Path,
			Variable: s.Variable, Value: s.Value}
		if s.Err != nil {
			explained[i].Error = s.Err.Error()
		}
	}
	return explained
}

func (x *explaining) explainLifecycle(profile *refresh.Profile) {
	after := x.change.After
	x.result.Lifecycle = &ExplainedLifecycle{State: after.LifecycleState, IdentityState: after.IdentityState,
		Manual: after.LifecycleManual, Reason: x.lifecycleReason(profile)}
}

func (x *explaining) lifecycleReason(profile *refresh.Profile) string {
	before, after := x.change.Before, x.change.After
	value := after.Attributes.Get("cloudLifecycleState").Text()
	basis, basisKnown := strings.CutPrefix(after.LifecycleBasis, "=")
	switch {
	case profile == nil:
		return "the identity is not correlated: it keeps the state that it had"
	case after.LifecycleManual && !basisKnown:
		return "it was set by hand, and the profile calculates no attributes"
	case after.LifecycleManual:
		return fmt.Sprintf("it was set by hand: it holds until the mapping of cloudLifecycleState gives %q as well, "+
			"or anything else than %q, which it gives now", after.LifecycleState, basis)
	}
	reason := mappedReason(profile, after.LifecycleState, value)
	if x.change.LifecycleEnded() {
		reason += fmt.Sprintf("; the state %q, which was set by hand, holds no longer", before.LifecycleState)
	}
	return reason
}

// mappedReason says why the mapping gives a lifecycle state, or none.
func mappedReason(profile *refresh.Profile, state, value string) string {
	_, exists := profile.States[value]
	switch {
	case value == "":
		return "cloudLifecycleState has no value"
	case state != "":
		return "cloudLifecycleState equals its technical name"
	case exists:
		return fmt.Sprintf("cloudLifecycleState is %q, a state that is not enabled", value)
	}
	for name := range profile.States {
		if store.Fold(name) == store.Fold(value) {
			return fmt.Sprintf("cloudLifecycleState is %q: the technical name %q differs in letter case", value, name)
		}
	}
	return fmt.Sprintf("cloudLifecycleState is %q, which is the technical name of no state of the profile: those are "+
		"%s", value, strings.Join(profile.StateNames(), ", "))
}

func (x *explaining) explainManager(tx pgx.Tx, profile *refresh.Profile, account *refresh.Account) error {
	m := &ExplainedManager{}
	x.result.Manager = m
	switch {
	case profile == nil:
		m.Reason = "the identity is not correlated"
		return nil
	case profile.ManagerAttribute == "":
		m.Reason = fmt.Sprintf("the source %q has no manager correlation", account.SourceName)
		return nil
	case x.change.After.ManagerKey == "":
		m.Reason = fmt.Sprintf("the account's attribute %q has no value", profile.ManagerAttribute)
		return nil
	}
	value := account.Attributes.Get(profile.ManagerAttribute).Text()
	name := x.configuration.Sources[profile.SourceID].ManagerCorrelation.IdentityAttributeName
	found, err := x.e.tenant.Store.FindByKeys(x.ctx, tx, []string{x.change.After.ManagerKey})
	if err != nil {
		return err
	}
	looked := fmt.Sprintf("the account's %s is %q, and identities with this %s", profile.ManagerAttribute, value, name)
	switch {
	case len(found) == 0:
		m.Reason = looked + " are not there"
	case found[0].Matches > 1 && x.change.After.ManagerID.IsZero():
		m.Reason = fmt.Sprintf("%s are %d: none is taken", looked, found[0].Matches)
	case found[0].Matches > 1:
		m.Reason = fmt.Sprintf("%s are %d: it keeps the manager that it had", looked, found[0].Matches)
		return x.nameManager(tx, m, x.change.After.ManagerID)
	case x.change.After.ManagerID.IsZero():
		m.Reason = looked + " are only itself: nobody is their own manager"
	default:
		m.Reason = fmt.Sprintf("the account's %s is %q, which is the %s of one identity", profile.ManagerAttribute,
			value, name)
		return x.nameManager(tx, m, found[0].IdentityID)
	}
	return nil
}

func (x *explaining) nameManager(tx pgx.Tx, m *ExplainedManager, id store.ID) error {
	states, err := x.e.tenant.Store.IdentityStates(x.ctx, tx, []store.ID{id})
	if err != nil || len(states) == 0 {
		return err
	}
	m.ID, m.Name = id.String(), states[0].Name
	return nil
}

func (x *explaining) explainRoles() error {
	roles := make([]*configuration.CompiledRole, 0, len(x.configuration.Roles))
	wanted, err := store.ParseID(x.params.Role)
	folded := store.Fold(x.params.Role)
	for _, role := range x.configuration.Roles {
		if folded == "" || err == nil && role.RowID == wanted || store.Fold(role.Name) == folded {
			roles = append(roles, role)
		}
	}
	if len(roles) == 0 && x.params.Role != "" {
		return &Error{Kind: NotFound, Op: "explain", Subject: x.params.Role,
			Err: x.configuration.MissingRole(x.params.Role)}
	}
	slices.SortFunc(roles, func(a, b *configuration.CompiledRole) int { return strings.Compare(a.Name, b.Name) })
	facts := refresh.FactsOf(x.change.After, x.snapshot.Accounts)
	for _, role := range roles {
		x.result.Roles = append(x.result.Roles, x.explainRole(role, &facts))
	}
	return nil
}

func (x *explaining) explainRole(role *configuration.CompiledRole, facts *criteria.Facts) ExplainedRole {
	r := ExplainedRole{ID: role.RowID.String(), Name: role.Name}
	var why []string
	for _, a := range x.snapshot.Assignments {
		if a.RoleID != role.RowID {
			continue
		}
		r.Assigned = true
		how := "it was assigned by request"
		if a.Membership {
			how = "its membership assigned it"
		}
		if !a.StartDate.IsZero() {
			how += ", from " + a.StartDate.UTC().Format(time.RFC3339)
		}
		if !a.RemoveDate.IsZero() {
			how += ", until " + a.RemoveDate.UTC().Format(time.RFC3339)
		}
		for k := range x.change.Lost {
			if loss := &x.change.Lost[k]; loss.ID == a.ID && loss.RevokedBy != "" {
				how += ", and the next processing revokes it: " + role.WhyLost(loss)
			}
		}
		why = append(why, how)
	}
	switch {
	case role.Criterion != nil:
		explanation := role.Criterion.Explain(facts)
		x.configuration.NameSources(&explanation)
		r.Criterion, r.Member = &explanation, explanation.Holds && role.Enabled
		why = append(why, "its criterion "+map[bool]string{true: "holds", false: "does not hold"}[explanation.Holds])
	case role.Identities != nil:
		listed := slices.Contains(role.Identities, x.change.After.ID)
		r.Member = role.Enabled && listed
		why = append(why, "its list "+map[bool]string{true: "names", false: "does not name"}[listed]+" the identity")
	default:
		why = append(why, "it has no membership: it is assigned by request alone")
	}
	if !role.Enabled {
		why = append(why, "it is not enabled, so that nobody is a member by itself")
	}
	r.Reason = strings.Join(why, "; ")
	return r
}
