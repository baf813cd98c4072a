package registration

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// VerificationParams say how a person proves who they are before they set a new password.
type VerificationParams struct {
	Source string // whose password it is, by name or ID; "" for the host's own
	Via    string // one of the constants
}

// opVerification is the operation that errors name.
const opVerification = "send the verification"

// SendVerification writes a task that sends an identity a token to set a new password with, unless the same was asked
// for a moment ago.
func (r *Registrar) SendVerification(ctx context.Context, tx pgx.Tx, identity string, params VerificationParams) error {
	if !slices.Contains([]string{ViaEmailWork, ViaEmailPersonal, ViaLinkWork, ViaLinkPersonal}, params.Via) {
		return fault.Invalidf(opVerification, "via", "%q is unknown: %s, %s, %s and %s are known", params.Via,
			ViaEmailWork, ViaEmailPersonal, ViaLinkWork, ViaLinkPersonal)
	}
	c, id, err := r.LockIdentity(ctx, tx, opVerification, identity)
	if err != nil {
		return err
	}
	if err := r.demandAddress(ctx, tx, id, identity, params.Via); err != nil {
		return err
	}
	m := store.Notification{ID: store.NewID(), TaskID: store.NewID(), IdentityID: id,
		Purpose: PurposeVerification, Via: params.Via}
	if params.Source != "" {
		if m.SourceID, err = r.accountSource(ctx, tx, c, id, identity, params.Source); err != nil {
			return err
		}
	}
	now := r.Now()
	recent, err := r.Store.RecentNotifications(ctx, tx, []store.ID{id}, PurposeVerification, now.Add(-sendAgain))
	if err != nil || slices.ContainsFunc(recent, func(n store.Notification) bool {
		return n.Via == m.Via && n.SourceID == m.SourceID
	}) {
		return err
	}
	events, err := event.Append(nil, id, &event.Detail{VerificationRequested: &event.VerificationRequested{
		Message: m.ID.String(), Via: m.Via, Source: m.SourceID.String()}})
	if err != nil {
		return err
	}
	cause := store.Cause{Task: m.TaskID, At: now, Actor: r.ActorOf(ctx)}
	if err := r.AddEvents(ctx, tx, cause, events); err != nil {
		return err
	}
	task := &store.Task{ID: m.TaskID, Kind: TaskVerification, Population: 1, TargetType: store.NullText("IDENTITY"),
		TargetID: id, Description: "Send a verification"}
	_, _, err = r.launchMessages(ctx, tx, task, []store.Notification{m}, nil, now)
	return err
}

// demandAddress fails where an identity, which an error names as the caller did, has no address for a way.
func (r *Registrar) demandAddress(ctx context.Context, tx pgx.Tx, id store.ID, identity, via string) error {
	row, err := r.Store.IdentityByID(ctx, tx, id)
	if err != nil {
		return err
	}
	var state refresh.State
	if err := state.Attributes.Decode(row.Attributes); err != nil {
		return err
	}
	if addressOf(&state, via) == "" {
		return conflictf(identity, "the identity has no address for %s", via)
	}
	return nil
}

// accountSource returns the source of a name, on which the identity must have an account.
func (r *Registrar) accountSource(ctx context.Context, tx pgx.Tx, c *configuration.Configuration, id store.ID,
	identity, name string,
) (store.ID, error) {
	source := c.SourceByName(name)
	if source == nil {
		return store.ID{}, &fault.Error{Kind: fault.NotFound, Op: opVerification, Subject: name,
			Err: errors.New("there is no such source")}
	}
	accounts, err := r.Store.AccountsOf(ctx, tx, []store.ID{id})
	if err != nil {
		return store.ID{}, err
	}
	if !slices.ContainsFunc(accounts, func(a store.Account) bool { return a.SourceID == source.RowID }) {
		return store.ID{}, conflictf(identity, "the identity has no account on the source %q", source.Name)
	}
	return source.RowID, nil
}

// conflictf returns the error that an identity cannot get a verification.
func conflictf(identity, format string, arguments ...any) error {
	return &fault.Error{Kind: fault.Conflict, Op: opVerification, Subject: identity,
		Err: fmt.Errorf(format, arguments...)}
}
