package processing

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// directory finds other identities, as they are before the batch, for the transforms of one identity. It implements
// [transform.Directory].
type directory struct {
	ctx   context.Context //nolint:containedctx // it lives as long as the call that the context belongs to
	b     *Batch
	state *refresh.State
}

// Manager returns the manager of the identity, nil if it has none.
func (d *directory) Manager() (*transform.Identity, error) {
	if d.state.ManagerID.IsZero() {
		return nil, nil
	}
	return d.identity(d.state.ManagerID)
}

// IsManager reports whether the identity is the manager of another one.
func (d *directory) IsManager() (bool, error) {
	is, err := d.b.Store.IsManager(d.ctx, d.b.Tx, d.state.ID)
	return is, failedLookup(err)
}

// Identity returns the identity with an alias, nil if there is none. It fails where several have it.
func (d *directory) Identity(alias string) (*transform.Identity, error) {
	found, err := d.b.Store.IdentitiesByAlias(d.ctx, d.b.Tx, alias, 2)
	switch {
	case err != nil:
		return nil, failedLookup(err)
	case len(found) == 0:
		return nil, nil
	case len(found) > 1:
		return nil, errors.New("several identities sign in with the name that is looked up")
	}
	return d.identity(found[0].ID)
}

func (d *directory) identity(id store.ID) (*transform.Identity, error) {
	states, err := d.b.Store.IdentityStates(d.ctx, d.b.Tx, []store.ID{id})
	if err != nil || len(states) == 0 {
		return nil, failedLookup(err)
	}
	var s refresh.State
	if err := DecodeState(&states[0], &s); err != nil {
		return nil, err
	}
	return &transform.Identity{ID: id.String(), Name: s.Name, Alias: s.Alias, Attributes: &s.Attributes}, nil
}

// lookupError is a failure of the database while an identity is calculated. It ends the batch, since the identity is
// not at fault.
type lookupError struct{ err error }

func (e *lookupError) Error() string { return fmt.Sprintf("looking another identity up: %v", e.err) }

func (e *lookupError) Unwrap() error { return e.err }

// failedLookup makes an error of the database a [lookupError].
func failedLookup(err error) error {
	if err == nil {
		return nil
	}
	return &lookupError{err}
}
