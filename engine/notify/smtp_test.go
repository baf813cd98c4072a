package notify_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/notify"
	"github.com/muster-engine/muster/engine/notify/smtptest"
)

// server is a mail server on the loopback interface that keeps what it gets.
type server struct {
	*smtp.Server
	port    int
	pool    *x509.CertPool
	mutex   sync.Mutex
	mail    []string
	rcpt    []string
	refuses error
	drops   bool // the connection, when a message was accepted
}

type session struct {
	s        *server
	conn     *smtp.Conn
	signed   bool
	accepted bool
}

func (c *session) Reset() {
	c.s.mutex.Lock()
	defer c.s.mutex.Unlock()
	if c.accepted && c.s.drops {
		_ = c.conn.Conn().Close()
	}
}

func (c *session) Logout() error            { return nil }
func (c *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (c *session) Mail(string, *smtp.MailOptions) error {
	if !c.signed {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "muster" || password != "s3cret" {
			return smtp.ErrAuthFailed
		}
		c.signed = true
		return nil
	}), nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.s.mutex.Lock()
	defer c.s.mutex.Unlock()
	c.s.rcpt = append(c.s.rcpt, to)
	return c.s.refuses
}

func (c *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	c.s.mutex.Lock()
	defer c.s.mutex.Unlock()
	c.s.mail = append(c.s.mail, string(text))
	c.accepted = true
	return err
}

func start(t *testing.T, immediate bool) *server {
	t.Helper()
	der, key, pool := smtptest.Certificate(t)
	s := &server{pool: pool}
	s.Server = smtp.NewServer(smtp.BackendFunc(func(conn *smtp.Conn) (smtp.Session, error) { return &session{s: s, conn: conn}, nil }))
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Domain, s.ErrorLog, s.EnableSMTPUTF8 = "localhost", log.New(io.Discard, "", 0), true
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = listener.Addr().(*net.TCPAddr).Port
	if immediate {
		listener = tls.NewListener(listener, s.TLSConfig)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return s
}

var links = notify.Links{Invitation: "https://example.com/register?token={token}", Verification: "https://example.com/password?token={token}"}

func (s *server) notifier(t *testing.T, change func(*notify.SMTPConfig)) *notify.SMTP {
	t.Helper()
	config := notify.SMTPConfig{Host: "127.0.0.1", Port: s.port, From: "Müster Engine <muster@example.com>", Username: "muster",
		Password: "s3cret", TLSConfig: &tls.Config{RootCAs: s.pool, ServerName: "127.0.0.1"}, Links: links, Timeout: 5 * time.Second}
	change(&config)
	n, err := notify.NewSMTP(config)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func message(change func(*engine.Message)) *engine.Message {
	m := &engine.Message{ID: "0123", Purpose: engine.PurposeInvitation, Via: engine.ViaLinkWork, To: "ayse@example.com", Token: "geheim-Token_1",
		Identity: engine.Reference{ID: "1", Name: `Ayşe "A" Ünal <b>`}, Expires: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	change(m)
	return m
}

func TestSMTP(t *testing.T) {
	for _, encryption := range []string{notify.StartTLS, notify.TLS} {
		t.Run(encryption, func(t *testing.T) {
			s := start(t, encryption == notify.TLS)
			n := s.notifier(t, func(c *notify.SMTPConfig) { c.Encryption = encryption })
			if err := n.Notify(t.Context(), message(func(*engine.Message) {})); err != nil {
				t.Fatal(err)
			}
			header, plain, html := smtptest.Parts(t, s.mail[0])
			to, err := header.AddressList("To")
			if err != nil || to[0].Name != `Ayşe "A" Ünal <b>` || to[0].Address != "ayse@example.com" || s.rcpt[0] != "ayse@example.com" {
				t.Errorf("got %v, %v, %q, want err == nil && to[0].Name == `Ayşe \"A\" Ünal <b>` && to[0].Address == \"ayse@example.com\" && s.rcpt[0] == \"ayse@example.com\"", to, err, s.rcpt)
			}
			if header.Get("Message-Id") != "<0123@example.com>" || header.Get("Subject") != "You are invited to register" {
				t.Errorf("got %v, want header.Get(\"Message-Id\") == \"<0123@example.com>\" && header.Get(\"Subject\") == \"You are invited to register\"", header)
			}
			link := "https://example.com/register?token=geheim-Token_1"
			if !strings.Contains(plain, link) || !strings.Contains(plain, "Hello Ayşe \"A\" Ünal <b>,") || !strings.Contains(plain, "2 March 2026 10:00 UTC") {
				t.Errorf("the text is %q", plain)
			}
			if !strings.Contains(html, `href="`+link+`"`) || !strings.Contains(html, "Ünal &lt;b&gt;") {
				t.Errorf("the HTML is %q", html)
			}
			if err := n.Notify(t.Context(), message(func(m *engine.Message) {
				m.Purpose, m.Via, m.Source = engine.PurposeVerification, engine.ViaEmailWork, "CRM"
			})); err != nil {
				t.Fatal(err)
			}
			if _, plain, _ = smtptest.Parts(t, s.mail[1]); !strings.Contains(plain, "new password for CRM:\n\ngeheim-Token_1") &&
				!strings.Contains(plain, "new password for CRM:\r\n\r\ngeheim-Token_1") || strings.Contains(plain, "https://") {
				t.Errorf("the text is %q", plain)
			}
		})
	}
}

// Nothing of an address or a name gets into a header of its own, and no error repeats the token or the address.
func TestHostileAndRefused(t *testing.T) {
	s := start(t, false)
	n := s.notifier(t, func(c *notify.SMTPConfig) {
		c.Templates.Invitation.Subject = "For {{.Name}}"
	})
	for _, to := range []string{"a@example.com\r\nBcc: x@example.com", "a@example.com, b@example.com", "Ann <a@example.com>", "nobody", ""} {
		if err := n.Notify(t.Context(), message(func(m *engine.Message) { m.To = to })); err == nil {
			t.Errorf("%q is an address", to)
		}
	}
	if err := n.Notify(t.Context(), message(func(m *engine.Message) { m.Identity.Name = "Ann\r\nBcc: x@example.com" })); err != nil {
		t.Fatal(err)
	}
	if header, _, _ := smtptest.Parts(t, s.mail[0]); header.Get("Bcc") != "" || len(s.rcpt) != 1 || strings.Contains(header.Get("Subject"), "\n") {
		t.Errorf("got %v, %q, want header.Get(\"Bcc\") == \"\" && len(s.rcpt) == 1 && !strings.Contains(header.Get(\"Subject\"), \"\\n\")", header, s.rcpt)
	}
	if _, plain, _ := smtptest.Parts(t, s.mail[0]); !strings.Contains(plain, "Hello Ann Bcc: x@example.com,") {
		t.Errorf("the text is %q", plain)
	}
	s.refuses = &smtp.SMTPError{Code: 550, Message: "no ayse@example.com here"}
	for name, n := range map[string]*notify.SMTP{
		"refused":         n,
		"a wrong sign-in": s.notifier(t, func(c *notify.SMTPConfig) { c.Password = "wrong" }),
		"not trusted":     s.notifier(t, func(c *notify.SMTPConfig) { c.TLSConfig = nil }),
		"not there":       s.notifier(t, func(c *notify.SMTPConfig) { c.Port = 1 }),
	} {
		err := n.Notify(t.Context(), message(func(*engine.Message) {}))
		if err == nil || strings.Contains(err.Error(), "ayse") || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("got %s: %v, want err != nil && !strings.Contains(err.Error(), \"ayse\") && !strings.Contains(err.Error(), \"geheim\") && !strings.Contains(err.Error(), \"wrong\")", name, err)
		}
		if name == "refused" && !strings.Contains(err.Error(), "code 550") {
			t.Errorf("got %s: %v, want name != \"refused\" || strings.Contains(err.Error(), \"code 550\")", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Notify(ctx, message(func(*engine.Message) {})); err == nil {
		t.Error("a context that has ended sends mail")
	}
}

// A server that refuses for now is told from one that refuses for good by its code, and a server that says nothing holds
// nobody up for longer than the time-out.
func TestRefusedForNowAndHanging(t *testing.T) {
	s := start(t, false)
	n := s.notifier(t, func(*notify.SMTPConfig) {})
	s.refuses = &smtp.SMTPError{Code: 450, Message: "no ayse@example.com now"}
	if err := n.Notify(t.Context(), message(func(*engine.Message) {})); err == nil || !strings.Contains(err.Error(), "code 450") ||
		strings.Contains(err.Error(), "ayse") {
		t.Errorf("for now: %v", err)
	}
	s.refuses = nil
	if err := n.Notify(t.Context(), message(func(*engine.Message) {})); err != nil || len(s.mail) != 1 {
		t.Errorf("then: %v, %d messages", err, len(s.mail))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	silent := s.notifier(t, func(c *notify.SMTPConfig) {
		c.Port, c.Timeout = listener.Addr().(*net.TCPAddr).Port, 200*time.Millisecond
	})
	began := time.Now()
	err = silent.Notify(t.Context(), message(func(*engine.Message) {}))
	if err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("a server that says nothing: %v, after %s", err, time.Since(began))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	patient := s.notifier(t, func(c *notify.SMTPConfig) {
		c.Port, c.Timeout = listener.Addr().(*net.TCPAddr).Port, time.Minute
	})
	began = time.Now()
	if err := patient.Notify(ctx, message(func(*engine.Message) {})); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("a context that ends: %v, after %s", err, time.Since(began))
	}
}

// A message that the server has accepted is sent, also when the connection breaks before the end of the conversation.
func TestAcceptedIsSent(t *testing.T) {
	s := start(t, false)
	s.drops = true
	n := s.notifier(t, func(*notify.SMTPConfig) {})
	if err := n.Notify(t.Context(), message(func(*engine.Message) {})); err != nil || len(s.mail) != 1 {
		t.Errorf("%v, %d messages", err, len(s.mail))
	}
}

func TestConfigFaults(t *testing.T) {
	good := notify.SMTPConfig{Host: "h", From: "a@example.com", Links: links}
	if _, err := notify.NewSMTP(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*notify.SMTPConfig){
		"From":             func(c *notify.SMTPConfig) { c.From = "nobody" },
		"Host":             func(c *notify.SMTPConfig) { c.Host = "" },
		"Port":             func(c *notify.SMTPConfig) { c.Port = 65536 },
		"Encryption":       func(c *notify.SMTPConfig) { c.Encryption = "rot13" },
		"Links.Invitation": func(c *notify.SMTPConfig) { c.Links.Invitation = "https://example.com/" },
		"Invitation.Text":  func(c *notify.SMTPConfig) { c.Templates.Invitation.Text = "{{.Nobody}}" },
		"Verification.Sub": func(c *notify.SMTPConfig) {
			c.Templates.Verification.Subject = "{{if .Token}}{{.Nobody}}{{end}}"
		},
		"Verification.HTM": func(c *notify.SMTPConfig) { c.Templates.Verification.HTML = "{{if}}" },
	} {
		config := good
		change(&config)
		if _, err := notify.NewSMTP(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %s: %v, want err != nil && strings.Contains(err.Error(), want)", want, err)
		}
	}
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	n := &notify.Log{Logger: slog.New(slog.NewTextHandler(&out, nil))}
	if err := n.Notify(t.Context(), message(func(*engine.Message) {})); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "purpose=INVITATION") || strings.Contains(text, "geheim") || strings.Contains(text, "ayse@") {
		t.Error(text)
	}
}
