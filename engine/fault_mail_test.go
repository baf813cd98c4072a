package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// post is a mail server that treats people differently.
type post struct {
	send func(ctx context.Context, m *engine.Message) error
}

func (p *post) Notify(ctx context.Context, m *engine.Message) error { return p.send(ctx, m) }

// A mail server refuses one person for good and another one for now, and is slow for a third: each message has its own
// fate, and none holds up another.
func TestMailServerRefuses(t *testing.T) {
	t.Parallel()
	var c enginetest.Clock
	c.Set(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
	var refused, later, sent atomic.Int64
	f := newFixtureWith(t, engine.Config{Now: c.Now, Notifier: &post{func(_ context.Context, m *engine.Message) error {
		switch {
		case strings.HasPrefix(m.To, "ann@"):
			return fmt.Errorf("refused: code 550, attempt %d", refused.Add(1))
		case strings.HasPrefix(m.To, "bob@") && later.Add(1) < 3:
			return errors.New("refused: code 450")
		}
		sent.Add(1)
		return nil
	}}})
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	task := f.invite(engine.InviteParams{Uninvited: true})
	f.send()
	if n := sent.Load(); n != 3 {
		t.Errorf("at first %d messages are sent, want 3", n)
	}
	for range engine.NotificationAttemptsMax + 2 {
		f.send()
	}
	if refused.Load() != engine.NotificationAttemptsMax || later.Load() != 3 || sent.Load() != 4 {
		t.Errorf("refused %d times, later %d times, %d are sent", refused.Load(), later.Load(), sent.Load())
	}
	task, err := f.Task(t.Context(), task.ID)
	if err != nil || !task.Ended() || *task.CompletionStatus != "WARNING" || task.Attributes.ErrorCount != 1 ||
		task.Attributes.ChangedCount != 4 || len(task.Messages) != 1 ||
		!strings.Contains(task.Messages[0].LocalizedText.Message, "code 550, attempt 10") {
		t.Errorf("got %+v and the error %v, want "+
			"Ended true, CompletionStatus WARNING, Attributes.ErrorCount 1, Attributes.ChangedCount 4, 1 Messages and Messages[0].LocalizedText.Message containing code 550, attempt 10", task, err)
	}
	if f.Identity("ann").IdentityStatus != "UNREGISTERED" || f.Identity("bob").IdentityStatus != "PENDING" {
		t.Error("who is invited is not who has a message")
	}
}

// A mail server that does not answer holds up its own messages, and no processing. Its message is tried again.
func TestMailServerHangs(t *testing.T) {
	t.Parallel()
	hanging := make(chan struct{}, 10)
	var answers atomic.Bool
	f := newFixtureWith(t, engine.Config{Notifier: &post{func(ctx context.Context, _ *engine.Message) error {
		if answers.Load() {
			return nil
		}
		hanging <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}}})
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	task := f.invite(engine.InviteParams{IDs: []string{f.Identity("ann").ID}})
	f.begin()
	<-hanging
	result := f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Board", "Sales"), engine.AggregateOptions{})
	if processed, err := f.Wait(t.Context(), result.Task); err != nil || *processed.CompletionStatus == "ERROR" {
		t.Errorf("got %+v and the error %v, want CompletionStatus other than ERROR", processed, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 100*time.Millisecond)
	defer cancel()
	if err := f.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a worker that hangs is stopped with %v", err)
	}
	answers.Store(true)
	f.execute(`UPDATE muster.notifications SET leased = now() - interval '1 second' WHERE state = 'PENDING'`) // as time would
	f.send()
	if ended, err := f.Task(t.Context(), task.ID); err != nil || !ended.Ended() || ended.Attributes.ChangedCount != 1 {
		t.Errorf("got %+v and the error %v, want Ended true and Attributes.ChangedCount 1", ended, err)
	}
}
