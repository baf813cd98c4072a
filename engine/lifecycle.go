package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// SetLifecycleState sets the lifecycle state of an identity by hand, by its ID, technical name or name. It holds until
// another one is set, or the mapping of the attribute cloudLifecycleState gives another value than it does now, or the
// same state. The empty state ends that at once: what is calculated holds again. A state that is not enabled is refused
// as a conflict. The processing of the identity is requested, which gives the state its effects. It returns the ID of
// the account activity by which that is followed ([Engine.GetAccountActivity]), which is the ID of the task too. Where
// a state is ended, there is the task alone.
func (e *Engine) SetLifecycleState(ctx context.Context, identity, state string) (activity string, err error) {
	return e.setLifecycleState(identity, state).run(ctx)
}

// SetLifecycleStateTx is [Engine.SetLifecycleState] in the caller's transaction.
func (e *Engine) SetLifecycleStateTx(ctx context.Context, tx pgx.Tx, identity, state string) (activity string,
	err error,
) {
	return e.setLifecycleState(identity, state).runIn(ctx, tx)
}

func (e *Engine) setLifecycleState(identity, state string) writeOf[string] {
	const op = "set the lifecycle state"
	return writeOf[string]{e, op, identity, func(ctx context.Context, tx pgx.Tx) (string, error) {
		c, id, err := e.tenant.LockIdentity(ctx, tx, op, identity)
		if err != nil {
			return "", err
		}
		rows, err := e.tenant.Store.IdentityStates(ctx, tx, []store.ID{id})
		if err != nil {
			return "", err
		}
		before := &rows[0]
		technical, description := before.LifecycleState, "Process after the lifecycle state was left to itself"
		basis := before.LifecycleBasis // until the next calculation
		if state != "" {
			profile := c.ProfileByID(before.ProfileID)
			if profile == nil {
				return "", &Error{Kind: Conflict, Op: op, Subject: identity,
					Err: errors.New("the identity has no identity profile, and so no lifecycle states")}
			}
			if technical = profile.StateByName(state); technical == "" {
				return "", &Error{Kind: NotFound, Op: op, Subject: state,
					Err: fmt.Errorf("the identity profile %q has no "+
						"such lifecycle state: those are %s%s", profile.Name, strings.Join(profile.StateNames(), ", "),
						configuration.DidYouMean(state, profile.StateNames()))}
			}
			if !profile.StateEnabled(technical) {
				return "", &Error{Kind: Conflict, Op: op, Subject: state,
					Err: fmt.Errorf("the lifecycle state %q of the "+
						"identity profile %q is not enabled: the enabled ones are %s", technical, profile.Name,
						strings.Join(profile.StateNames(), ", "))}
			}
			if basis, err = lifecycleBasis(before); err != nil {
				return "", err
			}
			description = fmt.Sprintf("Process after the lifecycle state %q was set", technical)
		}
		cause := e.tenant.NewCause(ctx)
		err = e.tenant.Store.SetLifecycleState(ctx, tx, id, store.NullText(technical), state != "", basis,
			cause.At)
		if err != nil {
			return "", err
		}
		detail := event.Detail{LifecycleState: &event.LifecycleState{}}
		if state != "" {
			detail.LifecycleState.State = &technical
		}
		if changed := event.Changed(before.LifecycleState, technical); changed != nil {
			detail.States = &event.States{LifecycleState: changed}
		}
		if err := e.addEvent(ctx, tx, cause, id, &detail); err != nil {
			return "", err
		}
		return cause.Task.String(), e.tasks.ProcessOne(ctx, tx, id, description, cause)
	}}
}

// lifecycleBasis returns what the mapping of the lifecycle state gives an identity.
func lifecycleBasis(row *store.IdentityState) (string, error) {
	var state refresh.State
	if err := processing.DecodeState(row, &state); err != nil {
		return "", err
	}
	return state.NextBasis(), nil
}
