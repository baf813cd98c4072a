package engine

import (
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

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
	// Operations are those that would be opened on sources.
	Operations []PreviewOperation `json:"operations,omitempty"`
	// AccountsGone are the accounts that go with a source which is removed.
	AccountsGone []PreviewAccount `json:"accountsGone,omitempty"`
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
	// Steps tell how the value is calculated, if that was asked for.
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

// PreviewOperation is an operation that would be opened on a source.
type PreviewOperation struct {
	Source         Reference     `json:"source"`
	NativeIdentity string        `json:"nativeIdentity,omitempty"` // of the account; empty for one that is created
	Operation      string        `json:"operation"`
	Attributes     attribute.Set `json:"attributes"`
	Reason         string        `json:"reason"`
	Manual         bool          `json:"manual,omitempty"` // people would carry it out
	Waits          string        `json:"waits,omitempty"`  // for what it would be held back, in words
}

// PreviewAccount is an account.
type PreviewAccount struct {
	Source         Reference `json:"source"`
	NativeIdentity string    `json:"nativeIdentity"`
}

// PreviewText is a text that would become another; "" is none.
type PreviewText struct {
	From string `json:"previousValue"`
	To   string `json:"value"`
}

// change gives a change its published shape.
func (p *preview) change(c *refresh.Change, s *refresh.Snapshot) PreviewChange {
	from, to := c.Before, c.After
	shown := PreviewChange{
		ID: to.ID.String(), Name: to.Name, Alias: to.Alias, Warnings: c.Warnings,
		LifecycleState: previewText(from.LifecycleState, to.LifecycleState),
		IdentityState:  previewText(from.IdentityState, to.IdentityState),
		Manager:        previewText(from.ManagerID.String(), to.ManagerID.String()),
		Recovers:       from.ProcessingState == refresh.StateError && to.ProcessingState != refresh.StateError,
	}
	if from.ProfileID != to.ProfileID {
		shown.Profile = previewText(p.before.ProfileName(from.ProfileID), p.proposed.ProfileName(to.ProfileID))
	}
	if from.Correlated != to.Correlated {
		shown.Correlated = &to.Correlated
	}
	for i := range c.Attributes {
		a := &c.Attributes[i]
		changed := PreviewAttribute{Name: a.Name, From: a.From, To: a.To}
		if p.trace && a.Mapping != nil {
			// A trace that fails ends with the step that failed.
			_, steps, _ := a.Mapping.Trace(s, c.After, p.cause.At)
			changed.Steps = explainSteps(steps)
		}
		shown.Attributes = append(shown.Attributes, changed)
	}
	for i := range c.Gained {
		id := c.Gained[i].ID
		shown.RolesGained = append(shown.RolesGained, p.role(id, p.proposed.Roles[id].WhyGained(), c, s))
	}
	for _, loss := range c.Lost {
		id := loss.RoleID
		shown.RolesLost = append(shown.RolesLost, p.role(id, p.proposed.Roles[id].WhyLost(&loss), c, s))
	}
	for i := range c.Access.Open {
		o := &c.Access.Open[i]
		source := p.proposed.Sources[o.SourceID]
		shown.Operations = append(shown.Operations, PreviewOperation{
			Source:         Reference{Type: string(TypeSource), ID: source.RowID.String(), Name: source.Name},
			NativeIdentity: o.NativeIdentity, Operation: string(o.Kind), Attributes: o.Attributes, Reason: o.Reason,
			Manual: o.Manual, Waits: o.Cause})
	}
	for i := range s.Gone {
		source := p.before.Sources[s.Gone[i].SourceID]
		shown.AccountsGone = append(shown.AccountsGone, PreviewAccount{
			Source:         Reference{Type: string(TypeSource), ID: source.RowID.String(), Name: source.Name},
			NativeIdentity: s.Gone[i].NativeIdentity})
	}
	if c.Err != nil {
		shown.Error = c.Err.Error()
	}
	return shown
}

// role gives a role that is gained or lost its published shape.
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

// previewText returns a text that would become another, nil where it would stay.
func previewText(from, to string) *PreviewText {
	if from == to {
		return nil
	}
	return &PreviewText{From: from, To: to}
}

// roleName returns the name of a role, also of one that would be removed, and its ID where there is none.
func (p *preview) roleName(id store.ID) string {
	for _, c := range []*configuration.Configuration{p.proposed, p.before} {
		if role := c.Roles[id]; role != nil {
			return role.Name
		}
	}
	return id.String()
}
