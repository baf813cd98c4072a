package engine

import (
	"context"

	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// Actor is who does something, and through what. Each write of the engine records its actor, see [WithActor].
type Actor struct {
	// ID is what the host knows the actor by: the ID of an identity or of a client, the name of a user of the operating
	// system.
	ID string `json:"id"`
	// Name is what people call the actor. Defaults to ID.
	Name string `json:"name"`
	// Via is the face through which the actor came: "api", "cli", "engine", or the host's own word.
	Via string `json:"via"`
}

// The limits of an [Actor], in bytes. Longer texts are cut.
const (
	ActorIDMax   = store.ActorIDMax
	ActorNameMax = store.ActorNameMax
	ActorViaMax  = store.ActorViaMax
)

// viaEngine is the face of what nobody asked for.
const viaEngine = "engine"

// WithActor returns a context whose writes are done by an actor: the tasks, operations, events and revisions of the
// configuration that a method called with it makes name the actor, and so does what workers do for its tasks later.
// Where a context has no actor, or the zero Actor, it is the one of [Config].
//
// A text of the actor never fails a write: a NUL, another control character and what is no UTF-8 are stored as U+FFFD,
// and a text that is too long is cut. Names of actors are personal data: [Engine.EraseIdentity] removes those of the
// person.
func WithActor(ctx context.Context, actor Actor) context.Context {
	return tenant.WithActor(ctx, store.Actor(actor))
}

// actorOrNil returns nil for the zero Actor.
func actorOrNil(a store.Actor) *Actor {
	if a == (store.Actor{}) {
		return nil
	}
	return &Actor{a.ID, a.Name, a.Via}
}
