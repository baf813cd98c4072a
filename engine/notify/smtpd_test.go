//go:build smtp && unix

// These tests need the mail server Exim, whose daemon root alone may start. "make test-smtp" runs them.

package notify_test

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/notify"
	"github.com/muster-engine/muster/engine/notify/smtptest"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func notifierOf(t *testing.T, s *smtptest.Exim, change func(*notify.SMTPConfig)) *notify.SMTP {
	t.Helper()
	config := notify.SMTPConfig{Host: "127.0.0.1", Port: s.Port, From: "Müster Engine <muster@example.com>", Username: "muster",
		Password: "s3cret", TLSConfig: &tls.Config{RootCAs: s.Pool, ServerName: "127.0.0.1"}, Links: links, Timeout: 10 * time.Second}
	change(&config)
	n, err := notify.NewSMTP(config)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// office is a company with one person.
type office struct {
	*enginetest.Company
	t      *testing.T
	person *engine.Identity
}

// newOffice returns an office that invites people at their WORK or PERSONAL address. The person is a row of HR.
func newOffice(t *testing.T, n engine.Notifier, address, person string) *office {
	t.Helper()
	o := &office{Company: enginetest.NewEmpty(t, enginetest.WithConfig(engine.Config{Notifier: n})), t: t}
	const profile = "    authoritativeSource: {type: SOURCE, name: HR}\n"
	o.ApplyText(strings.Replace(enginetest.DocumentsWith("home", "personalEmail"), profile,
		profile+"    invitationOptions: {address: "+address+"}\n", 1))
	o.AggregateText("HR", "id,name,mail,home\n"+person, engine.AggregateOptions{})
	o.Process()
	alias, _, _ := strings.Cut(person, ",")
	o.person = o.Identity(alias)
	return o
}

func (o *office) invite() engine.TaskStatus {
	o.t.Helper()
	task, err := o.InviteIdentities(o.t.Context(), engine.InviteParams{Uninvited: true})
	if err != nil {
		o.t.Fatal(err)
	}
	return task
}

func (o *office) send() {
	o.t.Helper()
	if err := o.SendPending(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) task(id string) engine.TaskStatus {
	o.t.Helper()
	task, err := o.Task(o.t.Context(), id)
	if err != nil {
		o.t.Fatal(err)
	}
	return task
}

// kept reports whether any row of the database that messages and tasks leave has a text in it.
func (o *office) kept(text string) bool {
	o.t.Helper()
	var found bool
	if err := o.Pool.QueryRow(o.t.Context(), `
		SELECT EXISTS (SELECT FROM muster.notifications n WHERE strpos(n::text, $1) > 0)
		    OR EXISTS (SELECT FROM muster.one_time_tokens o WHERE strpos(o::text, $1) > 0)
		    OR EXISTS (SELECT FROM muster.task_messages m WHERE strpos(m::text, $1) > 0)
		    OR EXISTS (SELECT FROM muster.tasks t WHERE strpos(t::text, $1) > 0)`, text).Scan(&found); err != nil {
		o.t.Fatal(err)
	}
	return found
}

var (
	linkPattern = regexp.MustCompile(`https://example\.com/(register|password)\?token=([\w-]{43})\b`)
	codePattern = regexp.MustCompile(`(?m)^([\w-]{43})\r?$`)
)

// linked returns the page and the token of the link that both parts of a mail have.
func linked(t *testing.T, mail string) (page, token string) {
	t.Helper()
	_, plain, html := smtptest.Parts(t, mail)
	found := linkPattern.FindStringSubmatch(plain)
	if found == nil || !strings.Contains(html, `href="`+found[0]+`"`) {
		t.Fatalf("the text is %q, the HTML %q", plain, html)
	}
	return found[1], found[2]
}

func TestRegistrationByMail(t *testing.T) {
	s := smtptest.StartExim(t, true)
	for _, encryption := range []string{notify.StartTLS, notify.TLS} {
		t.Run(encryption, func(t *testing.T) {
			n := notifierOf(t, s, func(c *notify.SMTPConfig) {
				if c.Encryption = encryption; encryption == notify.TLS {
					c.Port = s.TLSPort
				}
			})
			o := newOffice(t, n, "WORK", "ayse,Ayşe Ünal,ayse@example.com,ayse@home.example\n")
			task := o.invite()
			o.send()
			mail := s.One(t)
			header, plain, _ := smtptest.Parts(t, mail)
			to, err := header.AddressList("To")
			if err != nil || len(to) != 1 || to[0].Name != "Ayşe Ünal" || to[0].Address != "ayse@example.com" ||
				header.Get("Envelope-To") != "ayse@example.com" || !strings.Contains(plain, "Hello Ayşe Ünal,") {
				t.Errorf("got %v, %v, %v, want err == nil && len(to) == 1 && to[0].Name == \"Ayşe Ünal\" && to[0].Address == \"ayse@example.com\" && header.Get(\"Envelope-To\") == \"ayse@example.com\" && strings.Contains(plain, \"Hello Ayşe Ünal,\")", to, err, header)
			}
			page, token := linked(t, mail)
			if page != "register" || o.kept(token) || o.kept("ayse@") {
				t.Errorf("the page is %q, or the token or the address are kept", page)
			}
			if task = o.task(task.ID); !task.Ended() || *task.CompletionStatus != "SUCCESS" {
				t.Errorf("got %+v, want Ended true and CompletionStatus SUCCESS", task)
			}
			who, err := o.RedeemInvitation(t.Context(), token)
			if err != nil || who.ID != o.person.ID || who.IdentityStatus != "REGISTERED" {
				t.Errorf("got %+v, %v, want err == nil && who.ID == o.person.ID && who.IdentityStatus == \"REGISTERED\"", who, err)
			}
			if _, err := o.RedeemInvitation(t.Context(), token); engine.KindOf(err) != engine.Forbidden {
				t.Errorf("used twice: %v", err)
			}
			for via, wantTo := range map[string]string{
				engine.ViaEmailWork: "ayse@example.com", engine.ViaEmailPersonal: "ayse@home.example",
				engine.ViaLinkWork: "ayse@example.com", engine.ViaLinkPersonal: "ayse@home.example",
			} {
				if err := o.SendVerification(t.Context(), o.person.ID, engine.VerificationParams{Via: via}); err != nil {
					t.Fatal(err)
				}
				o.send()
				mail := s.One(t)
				header, plain, html := smtptest.Parts(t, mail)
				if got := header.Get("Envelope-To"); got != wantTo {
					t.Errorf("%s goes to %q", via, got)
				}
				var token string
				if strings.HasPrefix(via, "LINK") {
					if page, token = linked(t, mail); page != "password" {
						t.Errorf("the page is %q", page)
					}
				} else {
					found := codePattern.FindStringSubmatch(plain)
					if found == nil || !strings.Contains(html, "<code>"+found[1]+"</code>") || strings.Contains(mail, "https://") {
						t.Fatalf("the text is %q, the HTML %q", plain, html)
					}
					token = found[1]
				}
				if who, err := o.RedeemVerification(t.Context(), token, "a kettle on the seventh hill"); err != nil || who.ID != o.person.ID {
					t.Errorf("got %s: %+v, %v, want err == nil && who.ID == o.person.ID", via, who, err)
				}
			}
		})
	}
}

func TestInvitationToThePersonalAddress(t *testing.T) {
	s := smtptest.StartExim(t, true)
	o := newOffice(t, notifierOf(t, s, func(*notify.SMTPConfig) {}), "PERSONAL", "ann,Ann,ann@example.com,ann@home.example\n")
	o.invite()
	o.send()
	if header, _, _ := smtptest.Parts(t, s.One(t)); header.Get("Envelope-To") != "ann@home.example" {
		t.Errorf("got %v, want header.Get(\"Envelope-To\") == \"ann@home.example\"", header)
	}
}

// forgetful is a notifier that sends a message, and once does not live to tell.
type forgetful struct {
	engine.Notifier
	forgot bool
}

func (f *forgetful) Notify(ctx context.Context, m *engine.Message) error {
	err := f.Notifier.Notify(ctx, m)
	if err == nil && !f.forgot {
		f.forgot = true
		err = errors.New("it is not known what became of it")
	}
	return err
}

// A message that is sent again has the same Message-ID, by which mail programs know it, and the token that is good.
func TestMessageIDOfARetry(t *testing.T) {
	s := smtptest.StartExim(t, true)
	o := newOffice(t, &forgetful{Notifier: notifierOf(t, s, func(*notify.SMTPConfig) {})}, "WORK", "ann,Ann,ann@example.com,\n")
	o.invite()
	o.send()
	first := s.One(t)
	for range 3 {
		o.send()
	}
	second := s.One(t)
	headerOf := func(mail string) string {
		header, _, _ := smtptest.Parts(t, mail)
		return header.Get("Message-Id")
	}
	if id := headerOf(first); id == "" || id != headerOf(second) || !strings.HasSuffix(id, "@example.com>") {
		t.Errorf("%q and %q", id, headerOf(second))
	}
	_, old := linked(t, first)
	_, good := linked(t, second)
	if _, err := o.RedeemInvitation(t.Context(), old); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("the replaced token: %v", err)
	}
	if _, err := o.RedeemInvitation(t.Context(), good); err != nil {
		t.Error(err)
	}
}

func TestRefusedRecipient(t *testing.T) {
	s := smtptest.StartExim(t, true)
	o := newOffice(t, notifierOf(t, s, func(*notify.SMTPConfig) {}), "WORK", "ann,Ann,refused@example.com,\n")
	task := o.invite()
	for range engine.NotificationAttemptsMax - 1 {
		o.send()
	}
	if task = o.task(task.ID); task.Ended() || task.Remaining != 1 {
		t.Errorf("got %+v, want Ended false and Remaining 1", task)
	}
	o.send()
	task = o.task(task.ID)
	if !task.Ended() || *task.CompletionStatus != "WARNING" || task.Attributes.ErrorCount != 1 || len(task.Messages) != 1 {
		t.Fatalf("got %+v, want Ended true, CompletionStatus WARNING, Attributes.ErrorCount 1 and 1 Messages", task)
	}
	text := task.Messages[0].LocalizedText.Message
	if !strings.Contains(text, "the mail server refused the message") || !strings.Contains(text, "code 550") || o.kept("refused@") || o.kept("no mailbox") {
		t.Errorf("the error is %q, or the address is kept", text)
	}
	if mail := s.Mail(t); len(mail) != 0 {
		t.Errorf("got %q, want len(mail) == 0", mail)
	}
	if who, err := o.GetIdentity(t.Context(), o.person.ID); err != nil || who.IdentityStatus != "UNREGISTERED" {
		t.Errorf("got %+v and the error %v, want IdentityStatus \"UNREGISTERED\"", who, err)
	}
}

func TestServerAway(t *testing.T) {
	s := smtptest.StartExim(t, true)
	o := newOffice(t, notifierOf(t, s, func(*notify.SMTPConfig) {}), "WORK", "ann,Ann,ann@example.com,\n")
	s.Down(t)
	task := o.invite()
	o.send()
	if task = o.task(task.ID); task.Ended() {
		t.Errorf("got %+v, want Ended false", task)
	}
	s.Up(t)
	for range 3 {
		o.send()
	}
	_, token := linked(t, s.One(t))
	if task = o.task(task.ID); !task.Ended() || *task.CompletionStatus != "SUCCESS" || task.Attributes.ChangedCount != 1 {
		t.Errorf("got %+v, want Ended true, CompletionStatus SUCCESS and Attributes.ChangedCount 1", task)
	}
	if _, err := o.RedeemInvitation(t.Context(), token); err != nil {
		t.Error(err)
	}
}

// Nothing that a source tells gets into a header of its own, or to another recipient.
func TestInjection(t *testing.T) {
	s := smtptest.StartExim(t, true)
	n := notifierOf(t, s, func(c *notify.SMTPConfig) { c.Templates.Invitation.Subject = "For {{.Name}}" })
	o := newOffice(t, n, "WORK", "eve,\"Eve\r\nBcc: evil@example.com\r\n\r\nGo to https://evil.example\",eve@example.com,\n")
	if !strings.Contains(o.person.Name, "\n") {
		t.Fatalf("the name has lost its lines: %q", o.person.Name)
	}
	o.invite()
	o.send()
	mail := s.One(t)
	header, plain, _ := smtptest.Parts(t, mail)
	if header.Get("Bcc") != "" || header.Get("Envelope-To") != "eve@example.com" || strings.Contains(plain, "\nGo to") ||
		header.Get("Subject") != "For Eve Bcc: evil@example.com Go to https://evil.example" {
		t.Errorf("got %s, want header.Get(\"Bcc\") == \"\" && header.Get(\"Envelope-To\") == \"eve@example.com\" && !strings.Contains(plain, \"\\nGo to\") && header.Get(\"Subject\") == \"For Eve Bcc: evil@example.com Go to https://evil.example\"", mail)
	}
	for name, address := range map[string]string{
		"a header":      "\"eve@example.com\r\nBcc: evil@example.com\"",
		"a command":     "\"eve@example.com>\r\nRCPT TO:<evil@example.com\"",
		"two addresses": "\"eve@example.com, evil@example.com\"",
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, n, "WORK", "eve,Eve,"+address+",\n")
			task := o.invite()
			for range engine.NotificationAttemptsMax {
				o.send()
			}
			if task = o.task(task.ID); !task.Ended() || len(task.Messages) != 1 ||
				!strings.Contains(task.Messages[0].LocalizedText.Message, "is no mail address") || o.kept("evil@") {
				t.Errorf("got %+v, want task.Ended() && len(task.Messages) == 1 && strings.Contains(task.Messages[0].LocalizedText.Message, \"is no mail address\") && !o.kept(\"evil@\")", task)
			}
			if mail := s.Mail(t); len(mail) != 0 {
				t.Errorf("got %q, want len(mail) == 0", mail)
			}
		})
	}
}

// Neither a token nor a password goes over a connection that is not encrypted, or to a server that is not known.
func TestEncryptionIsDemanded(t *testing.T) {
	open, s := smtptest.StartExim(t, false), smtptest.StartExim(t, true)
	for name, test := range map[string]struct {
		server *smtptest.Exim
		change func(*notify.SMTPConfig)
	}{
		"none is offered":                  {open, func(*notify.SMTPConfig) {}},
		"none is offered at once":          {open, func(c *notify.SMTPConfig) { c.Encryption = notify.TLS }},
		"a certificate that nobody trusts": {s, func(c *notify.SMTPConfig) { c.TLSConfig = nil }},
		"a wrong password":                 {s, func(c *notify.SMTPConfig) { c.Password = "wrong" }},
	} {
		t.Run(name, func(t *testing.T) {
			err := notifierOf(t, test.server, test.change).Notify(t.Context(), message(func(*engine.Message) {}))
			if err == nil || strings.Contains(err.Error(), "ayse") || strings.Contains(err.Error(), "geheim") {
				t.Errorf("got %v, want err != nil && !strings.Contains(err.Error(), \"ayse\") && !strings.Contains(err.Error(), \"geheim\")", err)
			}
			if mail := test.server.Mail(t); len(mail) != 0 {
				t.Errorf("got %q, want len(mail) == 0", mail)
			}
		})
	}
	// The server without encryption would have taken it. As by a job, it is tried again: the server once did not answer for
	// half a minute, in one of some two hundred runs.
	plain := notifierOf(t, open, func(c *notify.SMTPConfig) { c.Encryption, c.Username = notify.NoTLS, "" })
	err := plain.Notify(t.Context(), message(func(*engine.Message) {}))
	if err != nil {
		told, unread := os.ReadFile(filepath.Join(open.Dir, "log-main"))
		t.Logf("tried again after %v; the server: %s %v", err, told, unread)
		err = plain.Notify(t.Context(), message(func(*engine.Message) {}))
	}
	if err != nil {
		t.Error(err)
	}
	open.One(t)
}
