package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
)

// mailbox is a notifier that keeps what it is given.
type mailbox struct {
	mutex sync.Mutex
	mail  []engine.Message
	fails error
	// during is what happens while a message is sent, where it is set.
	during func(m *engine.Message)
}

func (b *mailbox) Notify(_ context.Context, m *engine.Message) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.during != nil {
		b.during(m)
	}
	if b.fails != nil {
		return b.fails
	}
	b.mail = append(b.mail, *m)
	return nil
}

// take returns what was sent since.
func (b *mailbox) take() []engine.Message {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	mail := b.mail
	b.mail = nil
	return mail
}

// registering is a company whose engine sends messages to a mailbox.
func registering(t *testing.T, config engine.Config) (*fixture, *mailbox, *enginetest.Clock) {
	t.Helper()
	var c enginetest.Clock
	c.Set(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
	box := &mailbox{}
	config.BatchSize, config.Workers, config.Now, config.Notifier = 3, 1, c.Now, box
	f := newFixtureWith(t, config)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	return f, box, &c
}

func (f *fixture) send() {
	f.t.Helper()
	if err := f.SendPending(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func TestInvite(t *testing.T) {
	t.Parallel()
	f, box, c := registering(t, engine.Config{})
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	task, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{ann, bob, ann}})
	if err != nil || task.UniqueName != "Invite 2 identities" || task.Remaining != 2 || task.Ended() {
		t.Fatalf("got %+v and the error %v, want "+
			"UniqueName Invite 2 identities, Remaining 2 and Ended false", task, err)
	}
	f.Process() // is about something else
	f.send()
	if task, err = f.Task(t.Context(), task.ID); err != nil || *task.CompletionStatus != "SUCCESS" || task.Attributes.ChangedCount != 2 {
		t.Errorf("got %+v and the error %v, want CompletionStatus SUCCESS and Attributes.ChangedCount 2", task, err)
	}
	mail := box.take()
	if len(mail) != 2 || mail[0].To != "ann@example.com" || mail[0].Purpose != "INVITATION" || len(mail[0].Token) != 43 ||
		!mail[0].Expires.Equal(c.Now().Add(7*24*time.Hour)) || f.Identity("ann").IdentityStatus != "PENDING" {
		t.Fatalf("got %+v, want len(mail) == 2 && mail[0].To == \"ann@example.com\" && mail[0].Purpose == \"INVITATION\" && len(mail[0].Token) == 43 && mail[0].Expires.Equal(c.Now().Add(7 * 24 * time.Hour)) && f.Identity(\"ann\").IdentityStatus == \"PENDING\"", mail)
	}
	for _, m := range mail { // neither the token nor the address is kept
		for _, table := range []string{"one_time_tokens", "notifications", "tasks", "task_messages"} {
			for _, secret := range []string{m.Token, m.To} {
				if n := f.number(fmt.Sprintf("SELECT count(*) FROM muster.%s t WHERE t::text LIKE '%%%s%%'", table, secret)); n != 0 {
					t.Errorf("%s holds it", table)
				}
			}
		}
	}
	// A client that repeats its call invites nobody twice; later it revokes the token before.
	task, err = f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{ann}})
	if err != nil || len(task.Messages) != 1 || task.Messages[0].Type != "INFO" {
		t.Errorf("got %+v and the error %v, want 1 Messages and Messages[0].Type INFO", task, err)
	}
	f.send()
	if again := box.take(); len(again) != 0 {
		t.Errorf("%d messages are sent again", len(again))
	}
	c.Set(c.Now().Add(2 * time.Minute))
	if _, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{ann}}); err != nil {
		t.Fatal(err)
	}
	f.send()
	newer := box.take()
	if len(newer) != 1 || newer[0].Token == mail[0].Token {
		t.Fatalf("got %+v, want len(newer) == 1 && newer[0].Token != mail[0].Token", newer)
	}
	redeem := func(token, want string) {
		t.Helper()
		_, err := f.RedeemInvitation(t.Context(), token)
		demandKind(t, err, engine.Forbidden, want)
		if err != nil && token != "" && strings.Contains(err.Error(), token) {
			t.Error("an error repeats the token")
		}
	}
	redeem(mail[0].Token, "replaced by a newer one")
	redeem("x", "not known")
	redeem("", "not known")
	who, err := f.RedeemInvitation(t.Context(), newer[0].Token)
	if err != nil || who.ID != ann || who.IdentityStatus != "REGISTERED" {
		t.Errorf("got %+v, %v, want err == nil && who.ID == ann && who.IdentityStatus == \"REGISTERED\"", who, err)
	}
	redeem(newer[0].Token, "used already")
	_, err = f.RedeemVerification(t.Context(), mail[1].Token, "x")
	demandKind(t, err, engine.Forbidden, "not known")
	c.Set(c.Now().Add(8 * 24 * time.Hour))
	redeem(mail[1].Token, "expired")

	// Registered identities are skipped, with a warning.
	if task, err = f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{ann}}); err != nil {
		t.Fatal(err)
	}
	f.send()
	if task, err = f.Task(t.Context(), task.ID); err != nil || *task.CompletionStatus != "WARNING" ||
		!strings.Contains(task.Messages[0].LocalizedText.Message, "REGISTERED") || len(box.take()) != 0 {
		t.Errorf("got %+v, %v, want err == nil && *task.CompletionStatus == \"WARNING\" && strings.Contains(task.Messages[0].LocalizedText.Message, \"REGISTERED\") && len(box.take()) == 0", task, err)
	}
	// Reset, she can be invited again.
	if err := f.SetUserLevels(t.Context(), ann, []string{"HELPDESK"}); err != nil {
		t.Fatal(err)
	}
	if err := f.ResetIdentity(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	if levels, err := f.UserLevels(t.Context(), ann); err != nil || len(levels) != 0 || f.Identity("ann").IdentityStatus != "UNREGISTERED" {
		t.Errorf("got %q, %v, want err == nil && len(levels) == 0 && f.Identity(\"ann\").IdentityStatus == \"UNREGISTERED\"", levels, err)
	}
	demandKind(t, f.ResetIdentity(t.Context(), "x"), engine.NotFound, "no identity")

	// All who were never invited.
	if task, err = f.InviteIdentities(t.Context(), engine.InviteParams{Uninvited: true}); err != nil || task.Remaining != 4 {
		t.Errorf("got %+v and the error %v, want Remaining 4", task, err)
	}
	_, err = f.InviteIdentities(t.Context(), engine.InviteParams{})
	demandKind(t, err, engine.Invalid, "uninvited as true")
	_, err = f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{ann, "nobody"}})
	demandKind(t, err, engine.NotFound, "nobody")
	const unknown = "0123456789abcdef0123456789abcdef"
	_, err = f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{ann, unknown}})
	demandKind(t, err, engine.NotFound, unknown)
	_, err = f.InviteIdentities(t.Context(), engine.InviteParams{IDs: make([]string, engine.InviteIdentitiesMax+1)})
	demandKind(t, err, engine.Invalid, "1 to 1000 are allowed")
}

func TestInvitationsThatFail(t *testing.T) {
	t.Parallel()
	f, box, _ := registering(t, engine.Config{})
	f.ApplyText(strings.Replace(enginetest.Documents, "    authoritativeSource: {type: SOURCE, name: HR}",
		"    authoritativeSource: {type: SOURCE, name: HR}\n    invitationOptions: {address: PERSONAL}", 1))
	f.Process()
	task, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{f.Identity("ann").ID}})
	if err != nil {
		t.Fatal(err)
	}
	f.send() // nobody has a personal address
	if task, err = f.Task(t.Context(), task.ID); err != nil || *task.CompletionStatus != "WARNING" || task.Attributes.ErrorCount != 1 ||
		!strings.Contains(task.Messages[0].LocalizedText.Message, "no address for LINK_PERSONAL") || f.Identity("ann").IdentityStatus != "UNREGISTERED" {
		t.Errorf("got %+v, %v, want err == nil && *task.CompletionStatus == \"WARNING\" && task.Attributes.ErrorCount == 1 && strings.Contains(task.Messages[0].LocalizedText.Message, \"no address for LINK_PERSONAL\") && f.Identity(\"ann\").IdentityStatus == \"UNREGISTERED\"", task, err)
	}
	f.ApplyText(enginetest.Documents)
	f.Process()
	box.fails = errors.New("the mail server refused it")
	if task, err = f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{f.Identity("bob").ID}}); err != nil {
		t.Fatal(err)
	}
	for range engine.NotificationAttemptsMax - 1 {
		f.send()
	}
	if task, err = f.Task(t.Context(), task.ID); err != nil || task.Ended() || task.Remaining != 1 {
		t.Errorf("got %+v and the error %v, want Ended false and Remaining 1", task, err)
	}
	f.send()
	if task, err = f.Task(t.Context(), task.ID); err != nil || !task.Ended() ||
		!strings.Contains(task.Messages[0].LocalizedText.Message, "the mail server refused it") {
		t.Errorf("got %+v and the error %v, want "+
			"Ended true and Messages[0].LocalizedText.Message containing the mail server refused it", task, err)
	}
	if n := f.CountRows("muster.one_time_tokens WHERE used IS NULL AND revoked IS NULL"); n != 1 {
		t.Errorf("%d tokens are good, want that of the last attempt", n)
	}
	// Cancelled, nothing more is sent.
	if task, err = f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{f.Identity("ayse").ID}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.CancelTask(t.Context(), task.ID); err != nil {
		t.Fatal(err)
	}
	box.fails = nil
	f.send()
	if mail := box.take(); len(mail) != 0 {
		t.Errorf("got %+v, want 0 of them", mail)
	}
}

func TestVerification(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f, box, c := registering(t, engine.Config{Connectors: map[string]connector.Factory{"memory": m.open},
		Secret: func(string) (string, error) { return "sesame", nil }})
	f.ApplyText(memoryConfig)
	if _, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: "Lead"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.Process()
		if _, err := f.ProvisionPending(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(identity string, params engine.VerificationParams) error {
		return f.SendVerification(t.Context(), identity, params)
	}
	memory := engine.VerificationParams{Source: "memory", Via: engine.ViaEmailWork}
	if err := verify(ann, memory); err != nil {
		t.Fatal(err)
	}
	f.send()
	mail := box.take()
	if len(mail) != 1 || mail[0].Source != "Memory" || mail[0].Via != "EMAIL_WORK" || !mail[0].Expires.Equal(c.Now().Add(2*time.Hour)) {
		t.Fatalf("got %+v, want len(mail) == 1 && mail[0].Source == \"Memory\" && mail[0].Via == \"EMAIL_WORK\" && mail[0].Expires.Equal(c.Now().Add(2 * time.Hour))", mail)
	}
	away := errors.New("no route")
	m.away.Store(&away)
	_, err := f.RedeemVerification(t.Context(), mail[0].Token, "neu")
	demandKind(t, err, engine.Unavailable, "no route")
	m.away.Store(nil)
	who, err := f.RedeemVerification(t.Context(), mail[0].Token, "neu")
	if err != nil || who.ID != ann || m.passwords["ann"] != "neu" {
		t.Errorf("%+v, %v, the password is %q", who, err, m.passwords["ann"])
	}
	_, err = f.RedeemVerification(t.Context(), mail[0].Token, "neuer")
	demandKind(t, err, engine.Forbidden, "used already")

	demandKind(t, verify(bob, memory), engine.Conflict, `no account on the source "Memory"`)
	demandKind(t, verify(ann, engine.VerificationParams{Source: "Nowhere", Via: engine.ViaEmailWork}), engine.NotFound, "no such source")
	demandKind(t, verify(ann, engine.VerificationParams{Via: "PIGEON"}), engine.Invalid, "EMAIL_WORK, EMAIL_PERSONAL, LINK_WORK")
	demandKind(t, verify(ann, engine.VerificationParams{Via: engine.ViaLinkPersonal}), engine.Conflict, "no address for LINK_PERSONAL")
	demandKind(t, verify("x", memory), engine.NotFound, "no identity")
}

// A token is good for one of many that come with it at once.
func TestTokenIsGoodOnce(t *testing.T) {
	t.Parallel()
	f, box, _ := registering(t, engine.Config{})
	if _, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{f.Identity("ann").ID}}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 3 { // several send at once, and one does it
		group.Go(func() {
			if err := f.SendPending(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	mail := box.take()
	if len(mail) != 1 {
		t.Fatalf("%d messages were sent", len(mail))
	}
	good := make([]bool, 8)
	for i := range good {
		group.Go(func() {
			_, err := f.RedeemInvitation(t.Context(), mail[0].Token)
			good[i] = err == nil
		})
	}
	group.Wait()
	count := 0
	for _, ok := range good {
		if ok {
			count++
		}
	}
	if count != 1 {
		t.Errorf("the token was good for %d", count)
	}
}

func TestWorkersSendMessages(t *testing.T) {
	t.Parallel()
	f, box, _ := registering(t, engine.Config{})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	task, err := f.InviteIdentities(t.Context(), engine.InviteParams{Uninvited: true})
	if err != nil {
		t.Fatal(err)
	}
	if task, err = f.Wait(t.Context(), task.ID); err != nil || *task.CompletionStatus != "SUCCESS" {
		t.Errorf("got %+v and the error %v, want CompletionStatus SUCCESS", task, err)
	}
	if mail := box.take(); len(mail) != 5 {
		t.Errorf("%d messages", len(mail))
	}
}

// invite launches invitations and returns their task.
func (f *fixture) invite(params engine.InviteParams) engine.TaskStatus {
	f.t.Helper()
	task, err := f.InviteIdentities(f.t.Context(), params)
	if err != nil {
		f.t.Fatal(err)
	}
	return task
}

// What happens while a message is sent: the engine stops, the task is cancelled, the identity goes.
func TestWhileAMessageIsSent(t *testing.T) {
	t.Parallel()
	f, box, c := registering(t, engine.Config{})
	ann, bob, cem := f.Identity("ann").ID, f.Identity("bob").ID, f.Identity("ayse").ID

	// It was sent when the engine stopped: that is recorded, and it is not sent again.
	task := f.invite(engine.InviteParams{IDs: []string{ann}})
	ctx, stop := context.WithCancel(t.Context())
	box.during = func(*engine.Message) { stop() }
	if err := f.SendPending(ctx); err == nil {
		t.Error("what was stopped came to its end")
	}
	box.during = nil
	c.Set(c.Now().Add(time.Hour))
	f.send()
	if mail := box.take(); len(mail) != 1 || f.Identity("ann").IdentityStatus != "PENDING" {
		t.Errorf("%d messages are sent", len(mail))
	}
	if task, err := f.Task(t.Context(), task.ID); err != nil || !task.Ended() || task.Attributes.ChangedCount != 1 {
		t.Errorf("got %+v and the error %v, want Ended true and Attributes.ChangedCount 1", task, err)
	}

	// It failed when its task had been cancelled: it stays cancelled, and the identity can be invited again.
	task = f.invite(engine.InviteParams{IDs: []string{bob}})
	box.fails = errors.New("refused")
	box.during = func(*engine.Message) {
		if _, err := f.CancelTask(t.Context(), task.ID); err != nil {
			t.Error(err)
		}
	}
	f.send()
	box.fails, box.during = nil, nil
	if n := f.CountRows("muster.notifications WHERE state = 'PENDING'"); n != 0 {
		t.Errorf("%d messages wait, want 0", n)
	}
	if task = f.invite(engine.InviteParams{IDs: []string{bob}}); len(task.Messages) != 0 {
		t.Errorf("got %+v, want len(task.Messages) == 0", task.Messages)
	}
	f.send()
	if mail := box.take(); len(mail) != 1 || mail[0].Identity.ID != bob {
		t.Errorf("got %+v, want len(mail) == 1 && mail[0].Identity.ID == bob", mail)
	}

	// The identity was deleted.
	task = f.invite(engine.InviteParams{IDs: []string{cem}})
	box.during = func(*engine.Message) {
		if err := f.DeleteIdentity(t.Context(), cem); err != nil {
			t.Error(err)
		}
	}
	f.send()
	if task, err := f.Task(t.Context(), task.ID); err != nil || !task.Ended() {
		t.Errorf("got %+v and the error %v, want Ended true", task, err)
	}
}

// A worker that was lost in the last attempt leaves a message that fails when its lease ends, and no task without end.
func TestLastAttemptCutOff(t *testing.T) {
	t.Parallel()
	f, box, c := registering(t, engine.Config{})
	task := f.invite(engine.InviteParams{IDs: []string{f.Identity("ann").ID}})
	f.execute("UPDATE muster.notifications SET attempts = $1, leased = $2", engine.NotificationAttemptsMax, c.Now().Add(time.Minute))
	f.send()
	if task, err := f.Task(t.Context(), task.ID); err != nil || task.Ended() {
		t.Errorf("got %+v and the error %v, want Ended false", task, err)
	}
	c.Set(c.Now().Add(2 * time.Minute))
	f.send()
	if task, err := f.Task(t.Context(), task.ID); err != nil || !task.Ended() || len(task.Messages) != 1 ||
		!strings.Contains(task.Messages[0].LocalizedText.Message, "the last attempt was cut off") {
		t.Errorf("got %+v and the error %v, want "+
			"Ended true, 1 Messages and Messages[0].LocalizedText.Message containing the last attempt was cut off", task, err)
	}
	if mail := box.take(); len(mail) != 0 || f.Identity("ann").IdentityStatus != "UNREGISTERED" {
		t.Errorf("got %+v, want len(mail) == 0 && f.Identity(\"ann\").IdentityStatus == \"UNREGISTERED\"", mail)
	}
}

// Those who cannot be reached keep nobody else from being invited, and are tried again after the others.
func TestUninvitedInTurns(t *testing.T) {
	t.Parallel()
	f, box, c := registering(t, engine.Config{})
	ann := f.Identity("ann").ID
	box.fails = errors.New("refused")
	f.invite(engine.InviteParams{IDs: []string{ann}})
	// While a message waits, nobody is invited twice.
	if task := f.invite(engine.InviteParams{Uninvited: true}); task.Remaining != 4 {
		t.Errorf("got %+v, want Remaining 4", task)
	}
	if task := f.invite(engine.InviteParams{Uninvited: true}); task.Remaining != 0 || task.UniqueName != "Invite 0 identities" {
		t.Errorf("got %+v, want Remaining 0 and UniqueName \"Invite 0 identities\"", task)
	}
	for range engine.NotificationAttemptsMax {
		f.send()
	}
	if status := f.Identity("ann").IdentityStatus; status != "UNREGISTERED" {
		t.Errorf("who got no message is %s, want %q", status, "UNREGISTERED")
	}
	box.fails = nil
	c.Set(c.Now().Add(time.Hour))
	f.invite(engine.InviteParams{IDs: []string{ann}})
	for range engine.NotificationAttemptsMax {
		f.send()
	}
	if mail := box.take(); len(mail) != 1 {
		t.Errorf("%d messages", len(mail))
	}
	if task := f.invite(engine.InviteParams{Uninvited: true}); task.Remaining != 4 {
		t.Errorf("got %+v, want Remaining 4", task)
	}
}

// Of calls at the same time, as of a client that repeats its own, one has an effect.
func TestInvitedAtOnce(t *testing.T) {
	t.Parallel()
	f, box, _ := registering(t, engine.Config{})
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			ids := []string{ann, bob}
			if i%2 == 0 {
				ids = []string{bob, ann}
			}
			if _, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: ids}); err != nil {
				t.Error(err)
			}
			if err := f.SendVerification(t.Context(), ann, engine.VerificationParams{Via: engine.ViaEmailWork}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	f.send()
	counts := map[string]int{}
	for _, m := range box.take() {
		counts[m.Purpose+" "+m.Identity.ID]++
	}
	if len(counts) != 3 || counts["INVITATION "+ann] != 1 || counts["INVITATION "+bob] != 1 || counts["VERIFICATION "+ann] != 1 {
		t.Errorf("got %v, want len(counts) == 3 && counts[\"INVITATION \"+ann] == 1 && counts[\"INVITATION \"+bob] == 1 && counts[\"VERIFICATION \"+ann] == 1", counts)
	}
}

func TestVerificationAskedForAgain(t *testing.T) {
	t.Parallel()
	f, box, c := registering(t, engine.Config{})
	ann := f.Identity("ann").ID
	ask := func(via string) {
		t.Helper()
		if err := f.SendVerification(t.Context(), ann, engine.VerificationParams{Via: via}); err != nil {
			t.Fatal(err)
		}
		f.send()
	}
	ask(engine.ViaLinkWork)
	c.Set(c.Now().Add(30 * time.Second))
	ask(engine.ViaLinkWork)  // a client repeats its call
	ask(engine.ViaEmailWork) // another way is another message
	c.Set(c.Now().Add(31 * time.Second))
	ask(engine.ViaLinkWork)
	mail := box.take()
	if len(mail) != 3 || mail[0].Via != "LINK_WORK" || mail[1].Via != "EMAIL_WORK" || mail[2].Via != "LINK_WORK" {
		t.Fatalf("got %+v, want len(mail) == 3 && mail[0].Via == \"LINK_WORK\" && mail[1].Via == \"EMAIL_WORK\" && mail[2].Via == \"LINK_WORK\"", mail)
	}
	for i, want := range []string{"replaced by a newer one", "replaced by a newer one"} {
		_, err := f.RedeemVerification(t.Context(), mail[i].Token, "x")
		demandKind(t, err, engine.Forbidden, want)
	}
	if who, err := f.RedeemVerification(t.Context(), mail[2].Token, goodPassword); err != nil || who.ID != ann {
		t.Errorf("got %+v, %v, want err == nil && who.ID == ann", who, err)
	}
}

// A token that is given back because the source could not be reached is not good when it was replaced, or revoked by a
// reset, in that time.
func TestTokenGivenBack(t *testing.T) {
	t.Parallel()
	m := newMemory()
	var during func() error
	open := func(ctx context.Context, config connector.Config) (connector.Connector, error) {
		if during != nil {
			return nil, during()
		}
		return m.open(ctx, config)
	}
	f, box, c := registering(t, engine.Config{Connectors: map[string]connector.Factory{"memory": open},
		Secret: func(string) (string, error) { return "sesame", nil }})
	f.ApplyText(memoryConfig)
	readOnce(t, f.Company, "Memory")
	ann := f.Identity("ann").ID
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: "Lead"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.Process()
		if _, err := f.ProvisionPending(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ask := func() string {
		t.Helper()
		c.Set(c.Now().Add(2 * time.Minute))
		if err := f.SendVerification(t.Context(), ann, engine.VerificationParams{Source: "Memory", Via: engine.ViaLinkWork}); err != nil {
			t.Fatal(err)
		}
		f.send()
		mail := box.take()
		if len(mail) != 1 {
			t.Fatalf("got %+v, want 1 of them", mail)
		}
		return mail[0].Token
	}
	for name, meanwhile := range map[string]func(){
		"replaced": func() { ask() },
		"revoked": func() {
			if err := f.ResetIdentity(t.Context(), ann); err != nil {
				t.Error(err)
			}
		},
	} {
		token := ask()
		during = func() error {
			during = nil
			meanwhile()
			return errors.New("no route")
		}
		_, err := f.RedeemVerification(t.Context(), token, "neu")
		demandKind(t, err, engine.Unavailable, "no route")
		if _, err := f.RedeemVerification(t.Context(), token, "neu"); engine.KindOf(err) != engine.Forbidden {
			t.Errorf("%s meanwhile: %v", name, err)
		}
	}
	if m.passwords["ann"] == "neu" {
		t.Error("a password was set")
	}
}

// A reset ends what is under way: no message comes after it that was asked for before, one that is on its way changes
// nothing, and the next invitation is sent at once.
func TestResetEndsInvitations(t *testing.T) {
	t.Parallel()
	f, box, _ := registering(t, engine.Config{})
	ann := f.Identity("ann").ID
	invite := func() engine.TaskStatus {
		t.Helper()
		task, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{ann}})
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	reset := func() {
		t.Helper()
		if err := f.ResetIdentity(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
	}
	// While it waits.
	task := invite()
	reset()
	f.send()
	if mail := box.take(); len(mail) != 0 || f.Identity("ann").IdentityStatus != "UNREGISTERED" {
		t.Errorf("%d messages were sent, the status is %s", len(mail), f.Identity("ann").IdentityStatus)
	}
	if task, err := f.Task(t.Context(), task.ID); err != nil || !task.Ended() {
		t.Errorf("got %+v and the error %v, want Ended true", task, err)
	}
	// While it is on its way.
	box.during = func(*engine.Message) { reset() }
	invite()
	f.send()
	box.during = nil
	mail := box.take()
	if len(mail) != 1 || f.Identity("ann").IdentityStatus != "UNREGISTERED" {
		t.Fatalf("%d messages were sent, the status is %s", len(mail), f.Identity("ann").IdentityStatus)
	}
	_, err := f.RedeemInvitation(t.Context(), mail[0].Token)
	demandKind(t, err, engine.Forbidden, "revoked")
	// After it.
	invite()
	f.send()
	mail = box.take()
	if len(mail) != 1 || f.Identity("ann").IdentityStatus != "PENDING" {
		t.Fatalf("%d messages were sent, the status is %s", len(mail), f.Identity("ann").IdentityStatus)
	}
	if _, err := f.RedeemInvitation(t.Context(), mail[0].Token); err != nil {
		t.Error(err)
	}
}
