package change

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// AskedRemoval is what the worker of a removal has to know.
type AskedRemoval struct {
	Type    configuration.ObjectType `json:"type"`
	Objects []string                 `json:"objects"` // their IDs, or the names of identity attributes
	Comment string                   `json:"comment,omitempty"`
	Confirm bool                     `json:"confirm,omitempty"`
}

// CheckRemoval fails where objects cannot be removed: because others name them, or because an identity profile has
// identities. The configuration is locked.
func (a *Applier) CheckRemoval(ctx context.Context, tx pgx.Tx, present *Present, keys []configuration.Key) error {
	proposal, err := Propose(present.Rows, present.Before, &Request{Remove: keys, Compile: a.Compile}, a.Now())
	if err != nil {
		return err
	}
	_, _, err = a.CountRemovals(ctx, tx, proposal)
	return err
}

// Carry carries out a removal that somebody asked for, and ends its task. What is gone already is left out. Where the
// guard holds the removal, the task is held.
func (a *Applier) Carry(ctx context.Context, e *task.Errand) error {
	var asked AskedRemoval
	if err := json.Unmarshal(e.Asked, &asked); err != nil {
		return fmt.Errorf("what the task is about cannot be read: %w", err)
	}
	options := Options{Comment: asked.Comment, Confirm: asked.Confirm || e.Confirmed != nil}
	err := a.InTx(ctx, func(tx pgx.Tx) error {
		result, err := a.Change(ctx, tx, func(present *Present) (Request, error) {
			return Request{Remove: asked.keys(&present.Rows)}, nil
		}, options)
		if err != nil {
			return err
		}
		outcome := &task.Outcome{Result: &result}
		for _, note := range result.Notes {
			outcome.Messages = append(outcome.Messages, store.TaskMessage{Type: "INFO", Key: "REMOVAL_NOTE",
				Text: note})
		}
		return a.EndErrand(ctx, tx, e, outcome)
	})
	var held *HeldError
	if errors.As(err, &held) {
		return a.HoldErrand(ctx, e.ID, held.Reason)
	}
	return err
}

// keys returns the keys of the objects that are still there.
func (r *AskedRemoval) keys(rows *store.Configuration) []configuration.Key {
	var keys []configuration.Key
	all := objectRows(rows)
	for i := range all {
		row := &all[i]
		if row.kind == r.Type && (slices.Contains(r.Objects, row.id.String()) ||
			row.id.IsZero() && slices.Contains(r.Objects, row.name)) {
			keys = append(keys, row.key())
		}
	}
	return keys
}
