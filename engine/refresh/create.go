package refresh

import (
	"errors"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/transform"
)

// create opens the creation of an account by the source's policy, once.
func (p *planner) create(source *TargetSource, reason string) {
	for i := range p.ops {
		if p.ops[i].Kind == connector.Create && p.ops[i].SourceID == source.ID {
			return
		}
	}
	o := Operation{SourceID: source.ID, Kind: connector.Create, Reason: reason}
	// What was calculated once stays: another generated name would be another account.
	for i := range p.s.Operations {
		if old := &p.s.Operations[i]; !old.Failed && !old.Awaits && old.Kind == connector.Create &&
			old.SourceID == source.ID {
			p.open(o)
			return
		}
	}
	if source.Policy == nil {
		p.warn("there is no account on %q, and no policy by which one is created", source.Name)
		return
	}
	if !source.Manual && p.s.Complete != nil { // people look before they create
		complete, err := p.s.Complete(source.ID)
		if err != nil {
			p.c.failed(err)
			return
		}
		if !complete {
			o.Awaits, o.Parked, o.Cause = true, true, AwaitCause(source.Name)
			p.open(o)
			return
		}
	}
	input := p.s.CreateInput(source.ID, p.c.After, p.now)
	for i := range source.Policy {
		f := &source.Policy[i]
		if f.Secret || f.Transform == nil {
			continue
		}
		value, err := f.Evaluate(&input)
		if err == nil && f.Required && value.Text() == "" {
			err = errNoValue
		}
		if err != nil {
			p.c.failed(err)
			p.warn("the account on %q cannot be created: attribute %s: %v", source.Name, f.Name, err)
			return
		}
		input.Variables[f.Name] = value
		if !value.IsNull() {
			o.Attributes.Put(f.Name, value)
		}
	}
	p.open(o)
}

// CreateInput returns the input of the fields of a source's create policy, for an identity in a state. Its variables
// are the fields before the one that is calculated, and so there are none yet.
func (s *Snapshot) CreateInput(source ID, state *State, now time.Time) transform.Input {
	input := s.input(new(Memory), now)
	input.Identity.Name, input.Identity.Alias, input.Identity.Attributes = state.Name, state.Alias, &state.Attributes
	input.Variables = map[string]attribute.Value{}
	if s.Taken != nil {
		input.Taken = func(c transform.Candidate) (bool, error) { return s.Taken(source, c) }
	}
	return input
}

// AwaitCause says why the creation of an account is held back until its source was read completely once.
func AwaitCause(source string) string {
	return fmt.Sprintf("waits for the first complete aggregation of the source %q", source)
}

var errNoValue = errors.New("it has no value, but is required")

// Evaluate calculates the attribute of a new account.
func (f *PolicyField) Evaluate(input *transform.Input) (attribute.Value, error) {
	input.Attribute = f.Name
	value, _, err := f.Transform.EvaluateUntil(input)
	return value, err
}
