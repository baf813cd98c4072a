package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
)

// Connect opens the connector of a source by its factory. The caller closes it.
func (t *Tenant) Connect(ctx context.Context, source *configuration.CompiledSource) (connector.Connector, error) {
	factory := t.Connectors[source.Connector]
	if factory == nil {
		return nil, fmt.Errorf("the source %q has the connector %q, which this engine was not given", source.Name,
			source.Connector)
	}
	secret := t.Secret
	if secret == nil {
		secret = func(string) (string, error) { return "", errors.New("this engine was given no way to read secrets") }
	}
	opened, err := factory(ctx, connector.Config{Source: source.Name, Attributes: source.ConnectorAttributes,
		Schemas: source.Schemas, Secret: secret, Logger: t.Logger})
	if err != nil {
		return nil, fmt.Errorf("connect to the source %q: %w", source.Name, err)
	}
	return opened, nil
}

// SourceNamed returns the source with a name or ID, from the latest configuration.
func (t *Tenant) SourceNamed(ctx context.Context, op, name string) (*configuration.CompiledSource, error) {
	c, err := t.CurrentConfiguration(ctx)
	if err != nil {
		return nil, fault.Wrap(op, name, err)
	}
	source := c.SourceByName(name)
	if source == nil {
		return nil, c.NoSource(op, name)
	}
	return source, nil
}

// WithConnector calls do with a source, named by ID or by name, and its connector, which it opens before and closes
// after.
func (t *Tenant) WithConnector(ctx context.Context, op, name string,
	do func(*configuration.CompiledSource, connector.Connector) error,
) (err error) {
	source, err := t.SourceNamed(ctx, op, name)
	if err != nil {
		return err
	}
	opened, err := t.Connect(ctx, source)
	if err != nil {
		return &fault.Error{Kind: fault.Unavailable, Op: op, Subject: name, Err: err}
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return fault.Wrap(op, name, do(source, opened))
}

// AtSource makes an error of a connector one of the kind Unavailable. It leaves [connector.ErrNoChanges] as it is,
// which is no failure.
func AtSource(op, name string, err error) error {
	if err == nil || errors.Is(err, connector.ErrNoChanges) {
		return err
	}
	return &fault.Error{Kind: fault.Unavailable, Op: op, Subject: name, Err: err}
}

// reasonMax is how much of an error is stored, in characters.
const reasonMax = 1000

// ReasonText returns the text of an error of a connector or a notifier, as it is stored.
func ReasonText(err error) string {
	return configuration.Shorten(strings.ToValidUTF8(err.Error(), "?"), reasonMax)
}
