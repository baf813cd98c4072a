// Package notify sends the messages of an engine: invitations and verifications. Make a notifier and give it to the
// engine:
//
//	smtp, err := notify.NewSMTP(notify.SMTPConfig{
//		Host: "mail.example.com", From: "Muster <muster@example.com>", Username: "muster", Password: password,
//		Links: notify.Links{Invitation: "https://example.com/register?token={token}", ...},
//	})
//	eng, err := engine.New(ctx, pool, engine.Config{Notifier: smtp})
//
// For development, [Log] only logs that a message would be sent. A host can replace the texts by its own [Templates].
package notify
