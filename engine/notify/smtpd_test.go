//go:build smtp && unix

// These tests need the mail server Exim, whose daemon root alone may start. "make test-smtp" runs them.

package notify_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/notify"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// mailServer is an Exim that runs for one test. What it accepts waits in its queue until somebody looks into the
// mailbox.
type mailServer struct {
	program, dir, config string
	port, tlsPort        int
	pool                 *x509.CertPool
	account              *syscall.Credential // nil for that of the test
	process              *exec.Cmd
	log                  *os.File // what the program says
}

const eximConfig = `
keep_environment =
primary_hostname = mail.example.com
local_interfaces = 127.0.0.1
daemon_smtp_ports = %[2]d : %[3]d
tls_on_connect_ports = %[3]d
spool_directory = %[1]s/spool
log_file_path = %[1]s/log-%%s
exim_path = %[5]s
deliver_drop_privilege = true
queue_only = true
host_lookup =
%[4]s
acl_smtp_rcpt = recipient

begin acl

recipient:
  deny   message = authentication required
         encrypted = *
         !authenticated = *
  deny   message = there is no mailbox for $local_part@$domain
         local_parts = refused
  accept

begin routers

mailbox:
  driver = accept
  transport = mailbox

begin transports

mailbox:
  driver = appendfile
  directory = %[1]s/mail
  maildir_format
  create_directory
  envelope_to_add

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{muster}}{eq{$auth3}{s3cret}}}}
  server_set_id = $auth2
`

// startExim starts a server. Who comes without encryption need not sign in. Without encrypted it offers none.
func startExim(t *testing.T, encrypted bool) *mailServer {
	t.Helper()
	s := &mailServer{dir: storetest.DataDir(t), port: freePort(t), tlsPort: freePort(t)}
	for _, name := range []string{"exim4", "/usr/sbin/exim4", "exim", "/usr/sbin/exim"} {
		if path, err := exec.LookPath(name); err == nil {
			s.program = path
			break
		}
	}
	if s.program == "" {
		t.Fatal("Exim is not installed: apt-get install exim4-daemon-light")
	}
	log, err := os.Create(filepath.Join(s.dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	s.log = log
	der, key, pool := newCertificate(t)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.pool, s.config = pool, filepath.Join(s.dir, "exim.conf")
	encryption := "tls_advertise_hosts ="
	if encrypted {
		encryption = fmt.Sprintf("tls_advertise_hosts = *\ntls_certificate = %[1]s/cert.pem\ntls_privatekey = %[1]s/key.pem", s.dir)
	}
	for name, text := range map[string][]byte{
		"exim.conf": fmt.Appendf(nil, eximConfig, s.dir, s.port, s.tlsPort, encryption, s.program),
		"cert.pem":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"key.pem":   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.dropRoot(t)
	s.up(t)
	return s
}

// dropRoot gives the server's folder to the account that Exim has for itself, where the tests are root's: as that it
// runs with the tests' configuration and no privileges.
func (s *mailServer) dropRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	account, err := user.Lookup("Debian-exim")
	if err != nil {
		if account, err = user.Lookup("exim"); err != nil {
			t.Fatal(err)
		}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	s.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, name := range []string{".", "exim.conf", "cert.pem", "key.pem"} {
		if err := os.Chown(filepath.Join(s.dir, name), int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// output is what the program said.
func (s *mailServer) output(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *mailServer) command(args ...string) *exec.Cmd {
	command := exec.Command(s.program, append([]string{"-C", s.config}, args...)...)
	command.Dir, command.Stdout, command.Stderr = s.dir, s.log, s.log
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	return command
}

// up starts the program and waits until it answers.
func (s *mailServer) up(t *testing.T) {
	t.Helper()
	process := s.command("-bdf")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = process
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	for range 200 {
		if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.tlsPort))); err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("Exim does not answer: %s", s.output(t))
}

// down ends the program.
func (s *mailServer) down(t *testing.T) {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = s.process.Wait()
}

// mail lets the server deliver what it has accepted, takes it out of the mailbox and returns it, the earliest first.
func (s *mailServer) mail(t *testing.T) []string {
	t.Helper()
	if err := s.command("-qf").Run(); err != nil {
		t.Fatalf("%v: %s", err, s.output(t))
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "mail", "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	var texts []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

// one is mail that must be one message.
func (s *mailServer) one(t *testing.T) string {
	t.Helper()
	mail := s.mail(t)
	if len(mail) != 1 {
		t.Fatalf("%d messages are in the mailbox: %q", len(mail), mail)
	}
	return mail[0]
}

func (s *mailServer) notifier(t *testing.T, change func(*notify.SMTPConfig)) *notify.SMTP {
	t.Helper()
	config := notify.SMTPConfig{Host: "127.0.0.1", Port: s.port, From: "Müster Engine <muster@example.com>", Username: "muster",
		Password: "s3cret", TLSConfig: &tls.Config{RootCAs: s.pool, ServerName: "127.0.0.1"}, Links: links, Timeout: 10 * time.Second}
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
	_, plain, html := parts(t, mail)
	found := linkPattern.FindStringSubmatch(plain)
	if found == nil || !strings.Contains(html, `href="`+found[0]+`"`) {
		t.Fatalf("the text is %q, the HTML %q", plain, html)
	}
	return found[1], found[2]
}

func TestRegistrationByMail(t *testing.T) {
	s := startExim(t, true)
	for _, encryption := range []string{notify.StartTLS, notify.TLS} {
		t.Run(encryption, func(t *testing.T) {
			n := s.notifier(t, func(c *notify.SMTPConfig) {
				if c.Encryption = encryption; encryption == notify.TLS {
					c.Port = s.tlsPort
				}
			})
			o := newOffice(t, n, "WORK", "ayse,Ayşe Ünal,ayse@example.com,ayse@home.example\n")
			task := o.invite()
			o.send()
			mail := s.one(t)
			header, plain, _ := parts(t, mail)
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
				mail := s.one(t)
				header, plain, html := parts(t, mail)
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
				if who, err := o.RedeemVerification(t.Context(), token, "new"); err != nil || who.ID != o.person.ID {
					t.Errorf("got %s: %+v, %v, want err == nil && who.ID == o.person.ID", via, who, err)
				}
			}
		})
	}
}

func TestInvitationToThePersonalAddress(t *testing.T) {
	s := startExim(t, true)
	o := newOffice(t, s.notifier(t, func(*notify.SMTPConfig) {}), "PERSONAL", "ann,Ann,ann@example.com,ann@home.example\n")
	o.invite()
	o.send()
	if header, _, _ := parts(t, s.one(t)); header.Get("Envelope-To") != "ann@home.example" {
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
	s := startExim(t, true)
	o := newOffice(t, &forgetful{Notifier: s.notifier(t, func(*notify.SMTPConfig) {})}, "WORK", "ann,Ann,ann@example.com,\n")
	o.invite()
	o.send()
	first := s.one(t)
	for range 3 {
		o.send()
	}
	second := s.one(t)
	headerOf := func(mail string) string {
		header, _, _ := parts(t, mail)
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
	s := startExim(t, true)
	o := newOffice(t, s.notifier(t, func(*notify.SMTPConfig) {}), "WORK", "ann,Ann,refused@example.com,\n")
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
	if mail := s.mail(t); len(mail) != 0 {
		t.Errorf("got %q, want len(mail) == 0", mail)
	}
	if who, err := o.GetIdentity(t.Context(), o.person.ID); err != nil || who.IdentityStatus != "UNREGISTERED" {
		t.Errorf("got %+v and the error %v, want IdentityStatus \"UNREGISTERED\"", who, err)
	}
}

func TestServerAway(t *testing.T) {
	s := startExim(t, true)
	o := newOffice(t, s.notifier(t, func(*notify.SMTPConfig) {}), "WORK", "ann,Ann,ann@example.com,\n")
	s.down(t)
	task := o.invite()
	o.send()
	if task = o.task(task.ID); task.Ended() {
		t.Errorf("got %+v, want Ended false", task)
	}
	s.up(t)
	for range 3 {
		o.send()
	}
	_, token := linked(t, s.one(t))
	if task = o.task(task.ID); !task.Ended() || *task.CompletionStatus != "SUCCESS" || task.Attributes.ChangedCount != 1 {
		t.Errorf("got %+v, want Ended true, CompletionStatus SUCCESS and Attributes.ChangedCount 1", task)
	}
	if _, err := o.RedeemInvitation(t.Context(), token); err != nil {
		t.Error(err)
	}
}

// Nothing that a source tells gets into a header of its own, or to another recipient.
func TestInjection(t *testing.T) {
	s := startExim(t, true)
	n := s.notifier(t, func(c *notify.SMTPConfig) { c.Templates.Invitation.Subject = "For {{.Name}}" })
	o := newOffice(t, n, "WORK", "eve,\"Eve\r\nBcc: evil@example.com\r\n\r\nGo to https://evil.example\",eve@example.com,\n")
	if !strings.Contains(o.person.Name, "\n") {
		t.Fatalf("the name has lost its lines: %q", o.person.Name)
	}
	o.invite()
	o.send()
	mail := s.one(t)
	header, plain, _ := parts(t, mail)
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
			if mail := s.mail(t); len(mail) != 0 {
				t.Errorf("got %q, want len(mail) == 0", mail)
			}
		})
	}
}

// Neither a token nor a password goes over a connection that is not encrypted, or to a server that is not known.
func TestEncryptionIsDemanded(t *testing.T) {
	open, s := startExim(t, false), startExim(t, true)
	for name, test := range map[string]struct {
		server *mailServer
		change func(*notify.SMTPConfig)
	}{
		"none is offered":                  {open, func(*notify.SMTPConfig) {}},
		"none is offered at once":          {open, func(c *notify.SMTPConfig) { c.Encryption = notify.TLS }},
		"a certificate that nobody trusts": {s, func(c *notify.SMTPConfig) { c.TLSConfig = nil }},
		"a wrong password":                 {s, func(c *notify.SMTPConfig) { c.Password = "wrong" }},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.server.notifier(t, test.change).Notify(t.Context(), message(func(*engine.Message) {}))
			if err == nil || strings.Contains(err.Error(), "ayse") || strings.Contains(err.Error(), "geheim") {
				t.Errorf("got %v, want err != nil && !strings.Contains(err.Error(), \"ayse\") && !strings.Contains(err.Error(), \"geheim\")", err)
			}
			if mail := test.server.mail(t); len(mail) != 0 {
				t.Errorf("got %q, want len(mail) == 0", mail)
			}
		})
	}
	// The server without encryption would have taken it. As by a job, it is tried again: the server once did not answer for
	// half a minute, in one of some two hundred runs.
	plain := open.notifier(t, func(c *notify.SMTPConfig) { c.Encryption, c.Username = notify.NoTLS, "" })
	err := plain.Notify(t.Context(), message(func(*engine.Message) {}))
	if err != nil {
		told, unread := os.ReadFile(filepath.Join(open.dir, "log-main"))
		t.Logf("tried again after %v; the server: %s %v", err, told, unread)
		err = plain.Notify(t.Context(), message(func(*engine.Message) {}))
	}
	if err != nil {
		t.Error(err)
	}
	open.one(t)
}
