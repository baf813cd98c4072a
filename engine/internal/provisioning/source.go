package provisioning

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// target is an open connector with what the engine knows of its source.
type target struct {
	connector.Connector
	config *configuration.Configuration
	source *configuration.CompiledSource
	policy *refresh.TargetSource
	// operations is how many there are to do, and task the one that processes their identities.
	operations int
	task       store.ID
}

func (t *target) close() { _ = t.Close() } // it was used: what there was to say was said

// it was used: what there was to say was said

// openTarget makes the connector of a source.
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
	t := &target{Connector: opened, config: c, source: source}
	if c.Refresh.Access != nil {
		t.policy = c.Refresh.Access.Sources[id]
	}
	return t, nil
}

// passwordField is the field of a policy that holds the password of a new account.
const passwordField = "password"

// prepareCreate gives the creation of an account its native identity and its secrets, which are calculated now and not
// kept.
func (p *Provisioner) prepareCreate(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) error {
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
			states, err := p.Store.IdentityStates(ctx, p.Pool, []store.ID{row.IdentityID})
			if err != nil {
				return err
			}
			if len(states) == 0 {
				return connector.Permanent(errors.New("the identity does not exist any more"))
			}
			var state refresh.State
			if err := processing.DecodeState(&states[0], &state); err != nil {
				return connector.Permanent(err)
			}
			input = &transform.Input{Now: p.Now(), Random: rand.Reader, Identity: transform.Identity{
				ID: row.IdentityID.String(), Name: state.Name, Alias: state.Alias, Attributes: &state.Attributes}}
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
