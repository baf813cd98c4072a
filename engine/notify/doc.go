// Package notify sends the messages of an engine: invitations and verifications.
//
//	smtp, err := notify.NewSMTP(notify.SMTPConfig{
//		Host: "mail.example.com", From: "Muster <muster@example.com>", Username: "muster", Password: password,
//		Links: notify.Links{Invitation: "https://example.com/register?token={token}", ...},
//	})
//	eng, err := engine.New(ctx, pool, engine.Config{Notifier: smtp})
//
// [Log] writes that a message would be sent, for development. The texts can be replaced by templates of a host's own.
package notify
