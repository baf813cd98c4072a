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

// Connect opens the connector of a source by its factory. The caller closes it. A source that names what the operator
// does not allow is not opened, whoever configured it and whenever: the kind of the error is Forbidden.
func (t *Tenant) Connect(ctx context.Context, source *configuration.CompiledSource) (connector.Connector, error) {
	factory := t.Connectors[source.Connector]
	if factory == nil {
		return nil, fmt.Errorf("the source %q has the connector %q, which this engine was not given", source.Name,
			source.Connector)
	}
	if t.Allow != nil {
		if err := t.Allow.CheckSource(&source.Source, true); err != nil {
			return nil, &fault.Error{Kind: fault.Forbidden, Op: "connect to the source", Subject: source.Name, Err: err}
		}
	}
	opened, err := factory(ctx, connector.Config{Source: source.Name, Attributes: source.ConnectorAttributes,
		Schemas: source.Schemas, Secret: t.secret, Logger: t.Logger})
	if err != nil {
		return nil, fmt.Errorf("connect to the source %q: %w", source.Name, err)
	}
	return opened, nil
}

// secret returns the secret of a reference that is allowed. A connector may make references of its own, so each is
// asked for.
func (t *Tenant) secret(reference string) (string, error) {
	if t.Allow != nil {
		if err := t.Allow.CheckSecret(reference); err != nil {
			return "", err
		}
	}
	if t.Secret == nil {
		return "", errors.New("this engine was given no way to read secrets")
	}
	return t.Secret(reference)
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
	if fault.KindOf(err) == fault.Forbidden {
		return &fault.Error{Kind: fault.Forbidden, Op: op, Subject: name, Err: errors.Unwrap(err)}
	}
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
