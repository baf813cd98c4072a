package registration

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// InviteIdentitiesMax is how many identities one call of [Registrar.InviteIdentities] takes, by ID or as uninvited.
const InviteIdentitiesMax = 1000

// InviteParams say which identities to invite.
type InviteParams struct {
	IDs []string
	// Uninvited, where no IDs are given, invites correlated identities that are UNREGISTERED, at most
	// [InviteIdentitiesMax]: first those that it was never tried for.
	Uninvited bool
	// Select, where it is given, returns those to invite, at most [InviteIdentitiesMax].
	Select func() ([]store.ID, error)
}

// InviteIdentities writes a task that invites identities, and returns it with its messages.
func (r *Registrar) InviteIdentities(ctx context.Context, tx pgx.Tx, params InviteParams) (store.Task,
	[]store.TaskMessageGroup, error,
) {
	wanted, err := r.invitees(ctx, tx, params)
	if err != nil {
		return store.Task{}, nil, err
	}
	now := r.Now()
	task := &store.Task{ID: store.NewID(), Kind: TaskInvitation, Population: int64(len(wanted)),
		Description: fmt.Sprintf("Invite %s", tenant.Plural(len(wanted), "identity", "identities"))}
	var messages []store.TaskMessage
	var list []store.Notification
	recent, err := r.Store.RecentNotifications(ctx, tx, wanted, PurposeInvitation, now.Add(-sendAgain))
	if err != nil {
		return store.Task{}, nil, err
	}
	for _, id := range wanted {
		row, err := r.Store.IdentityByID(ctx, tx, id)
		if err != nil {
			return store.Task{}, nil, err
		}
		switch {
		case !invitable(row.CloudStatus):
			messages = append(messages, store.TaskMessage{Type: "WARN", Key: "IDENTITY_NOT_INVITED", IdentityID: id,
				Text: "the identity was not invited: its status is " + row.CloudStatus})
		case slices.ContainsFunc(recent, func(n store.Notification) bool { return n.IdentityID == id }):
			messages = append(messages, store.TaskMessage{Type: "INFO", Key: "IDENTITY_INVITED_BEFORE", IdentityID: id,
				Text: "the identity was invited a moment ago"})
		default:
			list = append(list, store.Notification{ID: store.NewID(), TaskID: task.ID, IdentityID: id,
				Purpose: PurposeInvitation})
		}
	}
	var events []store.Event
	for i := range list {
		detail := event.Detail{Invited: &event.Invited{Message: list[i].ID.String()}}
		if events, err = event.Append(events, list[i].IdentityID, &detail); err != nil {
			return store.Task{}, nil, err
		}
	}
	cause := store.Cause{Task: task.ID, At: now, Actor: r.ActorOf(ctx)}
	if err := r.AddEvents(ctx, tx, cause, events); err != nil {
		return store.Task{}, nil, err
	}
	return r.launchMessages(ctx, tx, task, list, messages, now)
}

// invitees returns the identities to invite, each once. It locks them, so that of two calls at once the second sees
// what the first asked for.
func (r *Registrar) invitees(ctx context.Context, tx pgx.Tx, params InviteParams) ([]store.ID, error) {
	const op = "invite identities"
	var wanted []store.ID
	var nobodys []string
	var err error
	switch {
	case len(params.IDs) > 0:
		wanted, nobodys, err = tenant.ParseIDs(op, params.IDs, InviteIdentitiesMax)
	case params.Select != nil:
		wanted, err = params.Select()
	case params.Uninvited:
		wanted, err = r.Store.UninvitedIdentities(ctx, tx, InviteIdentitiesMax)
	default:
		err = fault.InvalidAs(fault.Missing, op, "ids", "identities are expected, or uninvited as true")
	}
	if err != nil {
		return nil, err
	}
	locked, err := r.Store.LockIdentities(ctx, tx, wanted)
	if err != nil {
		return nil, err
	}
	if len(params.IDs) == 0 {
		return locked, nil
	}
	return wanted, tenant.DemandAll(op, wanted, locked, nobodys)
}
