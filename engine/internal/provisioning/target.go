package provisioning

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// target is an open connector, with what the engine knows of its source.
type target struct {
	connector.Connector
	source *configuration.CompiledSource
	policy *refresh.TargetSource // nil where nothing is granted
	lease  *store.Lease          // of the delivery
	// operations is how many there are to carry out, and tasks are the tasks that process their identities, by the
	// actor for whom the operations were planned.
	operations int
	tasks      map[store.Actor]store.ID
}

// close closes the connector. Its error is ignored: every operation had its own result.
func (t *target) close() { _ = t.Close() }

// openTarget opens the connector of a source.
func (p *Provisioner) openTarget(ctx context.Context, id store.ID) (*target, error) {
	c, err := p.CurrentConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	source := c.Sources[id]
	if source == nil {
		return nil, connector.Permanent(errors.New("the source is not configured any more"))
	}
	opened, err := p.Connect(ctx, source)
	if err != nil {
		return nil, err
	}
	t := &target{Connector: opened, source: source, tasks: map[store.Actor]store.ID{}}
	if c.Refresh.Access != nil {
		t.policy = c.Refresh.Access.Sources[id]
	}
	return t, nil
}

// passwordField is the field of a policy that holds the password of a new account.
const passwordField = "password"

// prepareCreate sets the native identity and the secrets of a new account. Secrets are calculated for each attempt and
// not stored.
func (p *Provisioner) prepareCreate(ctx context.Context, t *target, row *store.Operation,
	o *connector.Operation,
) error {
	if schema := t.source.AccountSchema(); schema != nil && schema.IdentityAttribute != "" {
		o.NativeIdentity = o.Attributes.Get(schema.IdentityAttribute).Text()
	}
	if t.policy == nil {
		return nil
	}
	var input *transform.Input
	for i := range t.policy.Policy {
		field := &t.policy.Policy[i]
		if !field.Secret || field.Transform == nil {
			continue
		}
		if input == nil {
			var err error
			if input, err = p.inputFor(ctx, row.IdentityID); err != nil {
				return err
			}
			input.Variables = maps.Collect(o.Attributes.All())
		}
		value, err := field.Evaluate(input)
		if err != nil {
			return connector.Permanent(fmt.Errorf("the attribute %s of the new account: %w", field.Name, err))
		}
		if field.Name == passwordField {
			o.Password = value.Text()
		} else if !value.IsNull() {
			o.Attributes.Put(field.Name, value)
			o.Volatile = append(o.Volatile, field.Name)
		}
	}
	return nil
}

// inputFor returns the input of the transforms that make the secrets of an identity's new account.
func (p *Provisioner) inputFor(ctx context.Context, identity store.ID) (*transform.Input, error) {
	states, err := p.Store.IdentityStates(ctx, p.Pool, []store.ID{identity})
	if err != nil {
		return nil, err
	}
	if len(states) == 0 {
		return nil, connector.Permanent(errors.New("the identity does not exist any more"))
	}
	var state refresh.State
	if err := processing.DecodeState(&states[0], &state); err != nil {
		return nil, connector.Permanent(err)
	}
	return &transform.Input{Now: p.Now(), Random: rand.Reader, Identity: transform.Identity{
		ID: identity.String(), Name: state.Name, Alias: state.Alias, Attributes: &state.Attributes}}, nil
}
