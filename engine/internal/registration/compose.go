package registration

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// compose makes a message with a new token. If that cannot be done, reason says why. If the identity is gone, or the
// message was cancelled or claimed by another worker, the error is [store.ErrNotFound].
func (r *Registrar) compose(ctx context.Context, tx pgx.Tx, n *store.Notification) (m *Message, reason string,
	err error,
) {
	c, err := r.LockConfigurationShared(ctx, tx)
	if err != nil {
		return nil, "", err
	}
	if _, err := r.Store.LockIdentities(ctx, tx, []store.ID{n.IdentityID}); err != nil {
		return nil, "", err
	}
	row, err := r.Store.IdentityByID(ctx, tx, n.IdentityID)
	if err != nil {
		return nil, "", err
	}
	if err := r.Store.KeepNotification(ctx, tx, n.ID, n.Attempts, r.Clock().Add(messageLease)); err != nil {
		return nil, "", err
	}
	if n.Attempts > task.NotificationAttemptsMax {
		return nil, "the last attempt was cut off", nil
	}
	var state refresh.State
	if err := state.Attributes.Decode(row.Attributes); err != nil {
		return nil, "", err
	}
	mail := &c.Settings.Mail
	via, ttl, page := n.Via, mail.VerificationLifetime, mail.VerificationURL
	if n.Purpose == PurposeInvitation {
		if !invitable(row.CloudStatus) {
			return nil, "the identity's status is " + row.CloudStatus, nil
		}
		via = invitationVia(c.ProfileByID(row.ProfileID))
		ttl, page = mail.InvitationLifetime, mail.InvitationURL
	}
	address := addressOf(&state, via)
	if address == "" {
		return nil, "the identity has no address for " + via, nil
	}
	now := r.Now()
	token, digest := newToken()
	m = &Message{ID: n.ID.String(), Purpose: n.Purpose, Via: via, To: address, Token: token, Expires: now.Add(ttl),
		Sender: mail.Sender, URL: page,
		Identity: configuration.Reference{Type: "IDENTITY", ID: row.ID.String(), Name: row.Name}}
	if source := c.Sources[n.SourceID]; source != nil {
		m.Source = source.Name
	}
	if err := r.Store.AddToken(ctx, tx, &store.Token{Digest: digest, IdentityID: row.ID, Purpose: n.Purpose,
		SourceID: n.SourceID, Created: now, Expires: m.Expires}); err != nil {
		return nil, "", err
	}
	return m, "", nil
}

// invitationVia returns the way of the invitations of a profile's identities. The profile may be nil.
func invitationVia(p *configuration.CompiledProfile) string {
	if p != nil && p.InvitationOptions != nil && p.InvitationOptions.Address == "PERSONAL" {
		return ViaLinkPersonal
	}
	return ViaLinkWork
}
