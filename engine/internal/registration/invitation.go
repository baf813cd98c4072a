package registration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// InvitationTTL and VerificationTTL are how long their tokens are good: the published times.
const InvitationTTL = 7 * 24 * time.Hour

const VerificationTTL = 2 * time.Hour

// InviteIdentitiesMax is how many identities one call of [Engine.InviteIdentities] takes, by name or as uninvited.
const InviteIdentitiesMax = 1000

// sendAgain is how long after a message the same one is not sent again: a client repeated its call.
const sendAgain = time.Minute

// TaskInvitation and TaskVerification are the kinds of the tasks that send messages.
const (
	TaskInvitation   = "IDENTITY_INVITATION"
	TaskVerification = "ACCOUNT_VERIFICATION"
)

// The purposes of messages and of their tokens.
const (
	PurposeInvitation   = "INVITATION"
	PurposeVerification = "VERIFICATION"
)

// The ways by which a message goes: to the work address or the personal one, with the token to be typed or as a link.
const (
	ViaEmailWork     = "EMAIL_WORK"
	ViaEmailPersonal = "EMAIL_PERSONAL"
	ViaLinkWork      = "LINK_WORK"
	ViaLinkPersonal  = "LINK_PERSONAL"
)

// InviteParams say whom to invite.
type InviteParams struct {
	IDs []string
	// Uninvited, where no IDs are given, invites correlated identities that are UNREGISTERED, at most
	// [InviteIdentitiesMax]: those first for whom it was never tried.
	Uninvited bool
}

func (r *Registrar) InviteIdentities(ctx context.Context, tx pgx.Tx, params InviteParams) (store.Task, []store.TaskMessage, error) {
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
		case row.CloudStatus != "UNREGISTERED" && row.CloudStatus != "PENDING":
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
	return r.launchMessages(ctx, tx, task, list, messages, now)
}

// invitees returns the identities to be invited, each once. They are locked, so that of two calls at once the second
// sees what the first asked for.
func (r *Registrar) invitees(ctx context.Context, tx pgx.Tx, params InviteParams) ([]store.ID, error) {
	const op = "invite identities"
	var wanted []store.ID
	var nobodys []string
	var err error
	switch {
	case len(params.IDs) > 0:
		wanted, nobodys, err = tenant.ParseIDs(op, params.IDs, InviteIdentitiesMax)
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

// launchMessages writes a task that sends messages, and its job.
func (r *Registrar) launchMessages(ctx context.Context, tx pgx.Tx, row *store.Task, list []store.Notification,
	messages []store.TaskMessage, now time.Time,
) (store.Task, []store.TaskMessage, error) {
	row.Created, row.Modified, row.Launcher = now, now, r.LauncherOf(ctx)
	job, err := r.InsertNotify(ctx, tx, row.ID)
	if err != nil {
		return store.Task{}, nil, err
	}
	row.JobID = &job
	if err := r.Store.AddTask(ctx, tx, row); err != nil {
		return store.Task{}, nil, err
	}
	if err := r.Store.AddNotifications(ctx, tx, list, now); err != nil {
		return store.Task{}, nil, err
	}
	kept := messages[:min(task.TaskMessagesMax, len(messages))]
	if err := r.Store.AddTaskMessages(ctx, tx, row.ID, kept, now); err != nil {
		return store.Task{}, nil, err
	}
	var warnings int64
	for i := range messages {
		if messages[i].Type == "WARN" {
			warnings++
		}
	}
	if len(messages) > 0 {
		advance := store.TaskAdvance{Task: row.ID, Counts: store.TaskCounts{Warnings: warnings},
			Messages: int64(len(messages))}
		if err := r.Store.AdvanceTask(ctx, tx, &advance, now); err != nil {
			return store.Task{}, nil, err
		}
	}
	written, err := r.Store.FindTask(ctx, tx, row.ID)
	return written, kept, err
}

// VerificationParams say how a person proves who they are before they set a new password.
type VerificationParams struct {
	Source string // whose password it is, by name or ID; "" for the host's own
	Via    string // one of the constants
}

func (r *Registrar) SendVerification(ctx context.Context, tx pgx.Tx, identity string, params VerificationParams) error {
	const op = "send the verification"
	if !slices.Contains([]string{ViaEmailWork, ViaEmailPersonal, ViaLinkWork, ViaLinkPersonal}, params.Via) {
		return fault.Invalidf(op, "via", "%q is unknown: %s, %s, %s and %s are known", params.Via, ViaEmailWork,
			ViaEmailPersonal, ViaLinkWork, ViaLinkPersonal)
	}
	c, id, err := r.LockIdentity(ctx, tx, op, identity)
	if err != nil {
		return err
	}
	row, err := r.Store.IdentityByID(ctx, tx, id)
	if err != nil {
		return err
	}
	var state refresh.State
	if err := state.Attributes.Decode(row.Attributes); err != nil {
		return err
	}
	if addressOf(&state, params.Via) == "" {
		return &fault.Error{Kind: fault.Conflict, Op: op, Subject: identity,
			Err: fmt.Errorf("the identity has no address for %s", params.Via)}
	}
	m := store.Notification{ID: store.NewID(), TaskID: store.NewID(), IdentityID: id,
		Purpose: PurposeVerification, Via: params.Via}
	if params.Source != "" {
		source := c.SourceByName(params.Source)
		if source == nil {
			return &fault.Error{Kind: fault.NotFound, Op: op, Subject: params.Source, Err: errors.New("there is no such source")}
		}
		accounts, err := r.Store.AccountsOf(ctx, tx, []store.ID{id})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(accounts, func(a store.Account) bool { return a.SourceID == source.RowID }) {
			return &fault.Error{Kind: fault.Conflict, Op: op, Subject: identity,
				Err: fmt.Errorf("the identity has no account on the source %q", source.Name)}
		}
		m.SourceID = source.RowID
	}
	now := r.Now()
	recent, err := r.Store.RecentNotifications(ctx, tx, []store.ID{id}, PurposeVerification, now.Add(-sendAgain))
	if err != nil || slices.ContainsFunc(recent, func(n store.Notification) bool {
		return n.Via == m.Via && n.SourceID == m.SourceID
	}) {
		return err
	}
	task := &store.Task{ID: m.TaskID, Kind: TaskVerification, Population: 1, TargetType: store.NullText("IDENTITY"),
		TargetID: id, Description: "Send a verification"}
	_, _, err = r.launchMessages(ctx, tx, task, []store.Notification{m}, nil, now)
	return err
}
