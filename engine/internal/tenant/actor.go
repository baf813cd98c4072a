package tenant

import (
	"context"

	"github.com/muster-engine/muster/store"
)

type actorKey struct{}

// WithActor returns a context whose writes are done by an actor.
func WithActor(ctx context.Context, actor store.Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, actor.Clean())
}

// ActorOf returns who does the writes of a context: the zero Actor, where it is the engine itself.
func ActorOf(ctx context.Context) store.Actor {
	actor, _ := ctx.Value(actorKey{}).(store.Actor)
	return actor
}

// NewActionCause returns the cause of a write by which no task is launched.
func (t *Tenant) NewActionCause(ctx context.Context) store.Cause {
	return store.Cause{At: t.Now(), Actor: ActorOf(ctx)}
}

// NewCause returns the cause of a new task, which the actor of the context asks for now.
func (t *Tenant) NewCause(ctx context.Context) store.Cause {
	return store.Cause{Task: store.NewID(), At: t.Now(), Actor: ActorOf(ctx)}
}
