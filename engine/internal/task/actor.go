package task

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// LauncherSchedule launches the tasks of slots.
const LauncherSchedule = "schedule"

// TaskActors returns who asked for each of some tasks: the actor of what is done for them. A task that is gone, and one
// of the engine's own, has the zero Actor.
func (l *Ledger) TaskActors(ctx context.Context, tx pgx.Tx, tasks []store.ID) (map[store.ID]store.Actor, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	launchers, err := l.Store.TaskLaunchers(ctx, tx, tasks)
	actors := make(map[store.ID]store.Actor, len(launchers))
	for id, launcher := range launchers {
		if launcher != l.Launcher && launcher != LauncherSchedule {
			actors[id] = store.Actor{ID: launcher, Name: launcher}.Clean()
		}
	}
	return actors, err
}
