// Package badge is a piece of a host: it decides who gets a badge of the building. Its test shows how a host tests code
// of its own on a company of Muster's.
package badge

import (
	"context"
	"errors"

	"github.com/muster-engine/muster/engine"
)

// ErrNoManager says that nobody can hand out the badge.
var ErrNoManager = errors.New("the person has no manager, who would hand out the badge")

// HandedOutBy returns the name of the person who hands out the badge of an identity: the manager.
func HandedOutBy(ctx context.Context, eng *engine.Engine, identity string) (string, error) {
	person, err := eng.GetIdentity(ctx, identity)
	if err != nil {
		return "", err
	}
	if person.ManagerRef == nil {
		return "", ErrNoManager
	}
	return person.ManagerRef.Name, nil
}
