package tenant

import (
	"cmp"
	"context"

	"github.com/muster-engine/muster/store"
)

// ScheduleActor acts where the clock says so: it launches scheduled processing and scheduled aggregations.
var ScheduleActor = store.Actor{ID: "schedule", Name: "schedule", Via: "engine"}

type actorKey struct{}

// WithActor returns a context whose writes are done by an actor. The zero Actor stands for that of the settings.
func WithActor(ctx context.Context, actor store.Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, CleanActor(actor))
}

// CleanActor returns an actor as it is stored: with clean texts, and with the ID as the name where it has none.
func CleanActor(actor store.Actor) store.Actor {
	actor.Name = cmp.Or(actor.Name, actor.ID)
	return actor.Clean()
}

// ActorOf returns who does the writes of a context: the actor of the settings, where the context has none.
func (t *Tenant) ActorOf(ctx context.Context) store.Actor {
	if actor, _ := ctx.Value(actorKey{}).(store.Actor); actor != (store.Actor{}) {
		return actor
	}
	return t.Actor
}

// NewActionCause returns the cause of a write by which no task is launched.
func (t *Tenant) NewActionCause(ctx context.Context) store.Cause {
	return store.Cause{At: t.Now(), Actor: t.ActorOf(ctx)}
}

// NewCause returns the cause of a new task, which the actor of the context asks for now.
func (t *Tenant) NewCause(ctx context.Context) store.Cause {
	return store.Cause{Task: store.NewID(), At: t.Now(), Actor: t.ActorOf(ctx)}
}
