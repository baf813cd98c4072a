package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// target is an open connector, with what the engine knows of its source.
type target struct {
	connector.Connector
	configuration *configuration.Configuration
	source        *configuration.CompiledSource
	policy        *refresh.TargetSource // nil where nothing is granted
	lease         *store.Lease          // of the delivery
	// operations is how many there are to carry out, and tasks are the tasks that process their identities, by the
	// actor for whom the operations were planned.
	operations int
	tasks      map[store.Actor]store.ID
	complete   bool // the source was read completely
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
	t := &target{Connector: opened, configuration: c, source: source, tasks: map[store.Actor]store.ID{}}
	t.policy = c.Refresh.Access.Sources[id]
	return t, nil
}

// passwordField is the field of a policy that holds the password of a new account.
const passwordField = "password"

// nameCreated gives the creation of an account the native identity that its attributes tell.
func (t *target) nameCreated(o *connector.Operation) {
	if schema := t.source.AccountSchema(); schema != nil && schema.IdentityAttribute != "" {
		o.NativeIdentity = o.Attributes.Get(schema.IdentityAttribute).Text()
	}
}

// givesPassword reports whether new accounts get a calculated password.
func (t *target) givesPassword() bool {
	return t.policy != nil && slices.ContainsFunc(t.policy.Policy, func(f refresh.PolicyField) bool {
		return isCalculatedSecret(f) && f.Name == passwordField
	})
}

// addSecrets adds the secrets of a new account. They are calculated for each attempt and not stored.
func (p *Provisioner) addSecrets(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) error {
	if t.policy == nil || !slices.ContainsFunc(t.policy.Policy, isCalculatedSecret) {
		return nil
	}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return store.InTx(ctx, p.Pool, options, func(tx pgx.Tx) error {
		input, err := p.ReadOnly(tx, t.configuration, p.Now()).CreateInput(ctx, row.IdentityID, row.SourceID)
		if errors.Is(err, store.ErrNotFound) {
			return connector.Permanent(errors.New("the identity does not exist any more"))
		}
		if err != nil {
			return err
		}
		return putSecrets(t.policy, o, input)
	})
}

func isCalculatedSecret(f refresh.PolicyField) bool { return f.Secret && f.Transform != nil }

// putSecrets calculates the secrets of a new account from an input, and puts them into its operation.
func putSecrets(policy *refresh.TargetSource, o *connector.Operation, input *transform.Input) error {
	maps.Insert(input.Variables, o.Attributes.All())
	for i := range policy.Policy {
		field := &policy.Policy[i]
		if !isCalculatedSecret(*field) {
			continue
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
