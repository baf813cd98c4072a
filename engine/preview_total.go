package engine

import (
	"cmp"
	"slices"

	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// PreviewTotals say what processing would change in all.
type PreviewTotals struct {
	Identities int `json:"identities"` // that the preview is about
	Calculated int `json:"calculated"` // identities that were calculated; the others stay as they are
	Changed    int `json:"changed"`    // identities for which something would change
	Errors     int `json:"errors"`     // identities that could not be calculated
	NewErrors  int `json:"newErrors"`  // identities that could not be calculated and are not in error now
	Recovered  int `json:"recovered"`  // identities that are in error now and would not be any more
	Incomplete int `json:"warnings"`   // identities with a warning

	Attributes []AttributeTotal `json:"attributes"` // the most changed first
	Roles      []RoleTotal      `json:"roles"`      // the one with the most changes first
	Lifecycle  []StateTotal     `json:"lifecycle"`  // the most frequent change first
	Operations []OperationTotal `json:"operations"` // by source and operation
	Managers   int              `json:"managers"`   // identities that would have another manager, or none
	Profiles   int              `json:"profiles"`   // identities that would have another profile, or none

	// Losses say what identities would lose, the most frequent first.
	Losses []LossTotal `json:"losses"`
	// Held says why the guard would hold a run that does this; "" when it would not.
	Held string `json:"held,omitempty"`
	// Objects are those of the documents that differ from the configuration. Notes are those that applying the
	// documents would make.
	Objects []AppliedObject `json:"objects"`
	Notes   []string        `json:"notes"`
	// LeftOut are the members of the documents that ask for what the engine does not do. Applying the documents refuses
	// them, or leaves them out if the losses are accepted, as the preview does.
	LeftOut []string `json:"leftOut,omitempty"`
	// Lacking are the members that decide access, that objects have, and that the documents lack: applying them is
	// refused without [Replace].
	Lacking []string `json:"lacking,omitempty"`
	// Removals are the objects that would be removed, and what would go with each at once. What follows from that is in
	// the other totals.
	Removals []ConfigurationRemoval `json:"removals,omitempty"`
	// Version is that of the configuration as it is: see [AtVersion].
	Version int64 `json:"version"`
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

// OperationTotal counts the operations of a kind on a source.
type OperationTotal struct {
	Source    string `json:"source"`
	Operation string `json:"operation"`
	Count     int    `json:"count"`
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

// sum completes the totals and sorts them.
func (p *preview) sum() {
	t := &p.totals
	t.Calculated, t.Changed, t.Errors = int(p.counts.Identities), int(p.counts.Changed), int(p.counts.Errors)
	t.Identities = max(t.Identities, t.Calculated)
	t.Attributes, t.Roles = []AttributeTotal{}, []RoleTotal{}
	t.Lifecycle, t.Operations = []StateTotal{}, []OperationTotal{}
	for _, total := range p.attributes {
		t.Attributes = append(t.Attributes, *total)
	}
	for _, total := range p.roles {
		t.Roles = append(t.Roles, *total)
	}
	for states, count := range p.lifecycle {
		t.Lifecycle = append(t.Lifecycle, StateTotal{From: states[0], To: states[1], Count: count})
	}
	for key, count := range p.operations {
		t.Operations = append(t.Operations, OperationTotal{Source: key[0], Operation: key[1], Count: count})
	}
	slices.SortFunc(t.Attributes, func(a, b AttributeTotal) int {
		return cmp.Or(cmp.Compare(b.sum(), a.sum()), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(t.Roles, func(a, b RoleTotal) int {
		return cmp.Or(cmp.Compare(b.Gained+b.Lost, a.Gained+a.Lost), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(t.Lifecycle, func(a, b StateTotal) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	slices.SortFunc(t.Operations, func(a, b OperationTotal) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Operation, b.Operation))
	})
}

// LossTotal counts the identities that would lose something, and says whether the guard would hold a run for that.
type LossTotal struct {
	Kind       LossKind `json:"kind"`
	Source     string   `json:"source,omitempty"`    // where an account would lose something
	Attribute  string   `json:"attribute,omitempty"` // of the identity or of the accounts of the source
	Text       string   `json:"text"`                // what the identities would do, such as "lose a role"
	Identities int      `json:"identities"`
	// Limit is how many the guard allows. Where a task is previewed, what it did before counts too.
	Limit int  `json:"limit"`
	Held  bool `json:"held"`
}

// judge fills in what the guard would say of a run that does this.
func (p *preview) judge() error {
	population := max(int64(p.totals.Identities), p.counts.Identities)
	if p.of != nil {
		population = p.of.Population
		sums, err := p.e.tenant.Store.Losses(p.ctx, p.tx, store.LossesOfTask(p.of.ID))
		if err != nil {
			return err
		}
		for loss := range p.losses {
			for i := range sums {
				if sums[i].Loss == loss.Loss {
					p.losses[loss] += sums[i].Identities
				}
			}
		}
	}
	verdicts := task.Foresee(p.proposed.Settings.Guard, population, p.losses)
	p.totals.Losses = make([]LossTotal, len(verdicts))
	for i := range verdicts {
		v := &verdicts[i]
		text := v.Text()
		if slices.Contains(p.removed, v.Loss) {
			text = change.LossText(&v.Loss)
		}
		p.totals.Losses[i] = LossTotal{Kind: LossKind(v.Kind), Source: v.Source, Attribute: v.Attribute,
			Text: text, Identities: int(v.Identities), Limit: int(v.Limit), Held: v.Held()}
	}
	p.totals.Held = task.Reason(population, verdicts)
	return nil
}
