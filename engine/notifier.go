package engine

import (
	"context"
	"time"

	"github.com/muster-engine/muster/engine/internal/registration"
)

// Message is something that is sent to a person.
type Message struct {
	ID       string // the same each time that the same message is tried
	Purpose  string // INVITATION or VERIFICATION
	Via      string
	To       string // the address
	Identity Reference
	// Token lets its bearer register, or set a new password. It must not be logged.
	Token   string
	Expires time.Time
	Source  string // the one on which the password is set; "" for none
	// Sender is the sender of the tenant's messages, "" where its settings have none. URL is that of the page which the
	// message leads to, with {token} in place of the token; "" where the settings have none.
	Sender string
	URL    string
}

// Notifier sends messages. It may be called at least once for a message, by many goroutines. An error must not hold the
// token or the address; it is stored and shown, and the message is tried again.
type Notifier interface {
	Notify(ctx context.Context, m *Message) error
}

// notifierOf returns a host's notifier as the room of registration calls it, nil where there is none.
func notifierOf(n Notifier) registration.Notifier {
	if n == nil {
		return nil
	}
	return notifier{n}
}

type notifier struct{ Notifier }

// Notify implements [registration.Notifier].
func (n notifier) Notify(ctx context.Context, m *registration.Message) error {
	return n.Notifier.Notify(ctx, (*Message)(m))
}
