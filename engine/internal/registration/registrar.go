package registration

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// Registrar registers the identities of a tenant.
type Registrar struct {
	*task.Ledger
	notifier Notifier
}

// New returns the registrar of the tenant whose tasks a ledger holds. Without a notifier, which is nil then, it sends
// no message.
func New(tasks *task.Ledger, notifier Notifier) *Registrar { return &Registrar{tasks, notifier} }

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

// The ways of a message: to the work address or the personal one, with the token to be typed or as a link.
const (
	ViaEmailWork     = "EMAIL_WORK"
	ViaEmailPersonal = "EMAIL_PERSONAL"
	ViaLinkWork      = "LINK_WORK"
	ViaLinkPersonal  = "LINK_PERSONAL"
)

// sendAgain is the time after a message in which the same one is not sent again, because a client repeated its call.
const sendAgain = time.Minute

// Message is a message to a person.
type Message struct {
	ID       string // the same for every attempt
	Purpose  string // INVITATION or VERIFICATION
	Via      string
	To       string // the address
	Identity configuration.Reference
	// Token lets its bearer register, or set a new password. It must not be logged.
	Token   string
	Expires time.Time
	Source  string // whose password is set; "" for none
	Sender  string // of the tenant's messages; "" where its settings have none
	URL     string // of the page that the message leads to, with {token} in it; "" where the settings have none
}

// Notifier sends messages. Many goroutines may call it, and at least once for a message. An error must not contain the
// token or the address, because it is stored and shown. The message is then tried again.
type Notifier interface {
	Notify(ctx context.Context, m *Message) error
}

// addressOf returns the address that a way leads to, "" for none.
func addressOf(s *refresh.State, via string) string {
	if via == ViaEmailPersonal || via == ViaLinkPersonal {
		return s.Attributes.Get("personalEmail").Text()
	}
	return s.Attributes.Get("email").Text()
}

// invitable reports whether an identity with a cloud status can be invited.
func invitable(cloudStatus string) bool {
	return cloudStatus == "UNREGISTERED" || cloudStatus == "PENDING"
}

// launchMessages writes a task that sends messages, its messages about what it leaves out, and its job.
func (r *Registrar) launchMessages(ctx context.Context, tx pgx.Tx, row *store.Task, list []store.Notification,
	messages []store.TaskMessage, now time.Time,
) (store.Task, []store.TaskMessageGroup, error) {
	row.Created, row.Modified = now, now
	row.LaunchedBy(r.ActorOf(ctx))
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
	if err := r.Store.AddTaskMessages(ctx, tx, row.ID, messages, now); err != nil {
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
	if err != nil || len(messages) == 0 {
		return written, nil, err
	}
	groups, err := r.Store.TaskMessages(ctx, tx, []store.ID{row.ID})
	return written, groups, err
}
