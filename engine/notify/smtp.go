package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/muster-engine/muster/engine"
)

// timeoutDefault is the longest wait for an answer of a mail server.
const timeoutDefault = 30 * time.Second

// The ways to encrypt a connection to a mail server.
const (
	StartTLS = "starttls" // the default; the server must offer it
	TLS      = "tls"      // from the first byte on
	NoTLS    = "none"     // for a server on the same machine
)

// SMTPConfig says how to send mail.
type SMTPConfig struct {
	Host string
	// Port defaults to 587 with [StartTLS], 465 with [TLS] and 25 with [NoTLS].
	Port int
	// Encryption is one of the constants. Defaults to [StartTLS].
	Encryption string
	// TLSConfig is for servers with a certificate that the system does not trust. Defaults to the system's.
	TLSConfig *tls.Config
	// Username and Password sign in. Leave them empty for a server without a sign-in.
	Username, Password string
	// From is the sender, such as "Muster <muster@example.com>", and Links are the host's pages. Both are settings of
	// the tenant: see [engine.Config]. What is empty here is what the tenant's settings say.
	From  string
	Links Links
	// Pages are where links lead for which neither Links nor the tenant's settings say anything, such as the pages of
	// package registration. They are no settings of the tenant.
	Pages     Links
	Templates Templates
	// Timeout defaults to 30 seconds.
	Timeout time.Duration
}

// SMTP sends messages by mail. It is safe for concurrent use. Each message has its own connection.
type SMTP struct {
	config   SMTPConfig
	composer *composer
}

// NewSMTP returns a notifier that sends messages by mail. It does not connect.
func NewSMTP(config SMTPConfig) (*SMTP, error) {
	if _, err := mail.ParseAddress(config.From); err != nil && config.From != "" {
		return nil, errors.New("From: an address is expected, as Muster <muster@example.com>")
	}
	if config.Host == "" {
		return nil, errors.New("Host: the name of the mail server is expected")
	}
	ports := map[string]int{StartTLS: gomail.DefaultPortTLS, TLS: gomail.DefaultPortSSL, NoTLS: gomail.DefaultPort}
	if config.Encryption == "" {
		config.Encryption = StartTLS
	}
	port, known := ports[config.Encryption]
	if !known {
		return nil, fmt.Errorf("Encryption: %q is unknown: %s, %s and %s are known", config.Encryption, StartTLS, TLS,
			NoTLS)
	}
	if config.Port < 0 || config.Port > 65535 {
		return nil, fmt.Errorf("Port: %d is given where 1 to 65535 are allowed", config.Port)
	}
	if config.Port == 0 {
		config.Port = port
	}
	if config.Timeout == 0 {
		config.Timeout = timeoutDefault
	}
	composer, err := newComposer(config.Links, config.Pages, config.Templates)
	if err != nil {
		return nil, err
	}
	return &SMTP{config, composer}, nil
}

// MailSettings returns the settings of the tenant that the configuration gives. [engine.New] asks for them.
func (s *SMTP) MailSettings() engine.Mail {
	return engine.Mail{Sender: s.config.From, InvitationURL: s.config.Links.Invitation,
		VerificationURL: s.config.Links.Verification}
}

// client returns a client that does not wait longer for the server than the context lasts. The library itself heeds the
// context only while it connects.
func (s *SMTP) client(ctx context.Context) (*gomail.Client, error) {
	timeout := s.config.Timeout
	if end, limited := ctx.Deadline(); limited {
		timeout = max(min(timeout, time.Until(end)), time.Millisecond)
	}
	options := []gomail.Option{gomail.WithPort(s.config.Port), gomail.WithTimeout(timeout)}
	switch s.config.Encryption {
	case TLS:
		options = append(options, gomail.WithSSL())
	case NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.config.TLSConfig != nil {
		options = append(options, gomail.WithTLSConfig(s.config.TLSConfig))
	}
	if s.config.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(s.config.Username), gomail.WithPassword(s.config.Password))
	}
	return gomail.NewClient(s.config.Host, options...)
}

// Notify implements [engine.Notifier]. If the context is cancelled while Notify waits for a server, it waits on for at
// most the time-out.
func (s *SMTP) Notify(ctx context.Context, m *engine.Message) error {
	message, err := s.message(m)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, message)
	if message.IsDelivered() {
		return nil // the server has the message, so a later error must not send it again
	}
	return plain(err)
}

// message returns the mail for a message.
func (s *SMTP) message(m *engine.Message) (*gomail.Msg, error) {
	words, err := s.composer.compose(m)
	if err != nil {
		return nil, err
	}
	sender := m.Sender
	if sender == "" { // of an engine that does not follow settings, such as a test's
		sender = s.config.From
	}
	from, err := mail.ParseAddress(sender)
	if err != nil {
		return nil, errors.New("the tenant's settings have no sender: mail.sender")
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Name != "" || strings.ContainsAny(m.To, "\r\n") {
		return nil, errors.New("the address of the identity is no mail address")
	}
	to.Name = m.Identity.Name
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	message.FromMailAddress(from)
	message.ToMailAddress(to)
	message.Subject(words.subject)
	message.SetDate()
	domain := from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	message.SetMessageIDWithValue(m.ID + "@" + domain) // the same for all attempts
	message.SetBodyString(gomail.TypeTextPlain, words.text)
	message.AddAlternativeString(gomail.TypeTextHTML, words.html)
	return message, nil
}

// plain describes a mail server's error without the server's text, which may quote addresses and texts.
func plain(err error) error {
	var refused *gomail.SendError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.ErrorCode() != 0:
		return fmt.Errorf("the mail server refused the message: %s, code %d", refused.Reason, refused.ErrorCode())
	case errors.As(err, &refused):
		return fmt.Errorf("the message could not be sent: %s", refused.Reason)
	}
	return errors.New("the mail server cannot be reached, or refuses the sign-in")
}

// Log logs messages instead of sending them. They count as sent. It does not log the token, so nobody can use it. It is
// for development without real recipients.
type Log struct {
	Logger *slog.Logger
}

// Notify implements [engine.Notifier].
func (l *Log) Notify(ctx context.Context, m *engine.Message) error {
	l.Logger.InfoContext(ctx, "a message would be sent", "message", m.ID, "purpose", m.Purpose, "via", m.Via,
		"identity", m.Identity.ID, "expires", m.Expires)
	return nil
}
