package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector/secret"
	"github.com/muster-engine/muster/engine/notify"
)

// mailFlags say how a command sends messages. Without them messages wait for a command that has them.
type mailFlags struct {
	host, from, username, password, encryption string
	invitationURL, verificationURL             string
	port                                       int
	log                                        bool
	pages                                      notify.Links // of this server; no flag
}

// register adds the flags to a command.
func (m *mailFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&m.host, "smtp-host", "", "mail server that sends the messages")
	flags.IntVar(&m.port, "smtp-port", 0, "its port (default: 587, or 465 with --smtp-tls tls)")
	flags.StringVar(&m.from, "smtp-from", "", "sender, such as 'Muster <muster@example.com>'")
	flags.StringVar(&m.username, "smtp-username", "", "user name for the mail server (default: no sign-in)")
	flags.StringVar(&m.password, "smtp-password", "", "reference to its password: env:NAME or file:PATH")
	flags.StringVar(&m.encryption, "smtp-tls", "", "starttls, which the server must offer, or tls from the first byte "+
		"on (default: starttls)")
	flags.StringVar(&m.invitationURL, "invitation-url", "", "URL of the page to register on, with {token} in it")
	flags.StringVar(&m.verificationURL, "verification-url", "",
		"URL of the page to set a new password on, with {token} in it")
	flags.BoolVar(&m.log, "mail-log", false,
		"log each message, without its token, instead of sending it; it counts as sent")
}

// given reports whether messages can be sent.
func (m *mailFlags) given() bool { return *m != mailFlags{pages: m.pages} }

// mailFlagOf maps the members of [notify.SMTPConfig] that errors name to flags.
var mailFlagOf = map[string]string{
	"Encryption": "--smtp-tls", "From": "--smtp-from", "Host": "--smtp-host", "Links.Invitation": "--invitation-url",
	"Links.Verification": "--verification-url", "Port": "--smtp-port",
}

// config returns the configuration of the mail server from the flags.
func (m *mailFlags) config() (notify.SMTPConfig, error) {
	config := notify.SMTPConfig{Host: m.host, Port: m.port, From: m.from, Username: m.username,
		Encryption: m.encryption, Pages: m.pages,
		Links: notify.Links{Invitation: m.invitationURL, Verification: m.verificationURL}}
	switch {
	case m.encryption != "" && m.encryption != notify.StartTLS && m.encryption != notify.TLS:
		return config, usage("--smtp-tls: %q is unknown: %s or %s is expected", m.encryption, notify.StartTLS,
			notify.TLS)
	case (m.username == "") != (m.password == ""):
		return config, usage("--smtp-username and --smtp-password go together")
	case m.password == "":
		return config, nil
	}
	if _, _, err := secret.Parse(m.password); err != nil {
		return config, usage("--smtp-password: %w", err)
	}
	var err error
	if config.Password, err = secret.Read(m.password); err != nil {
		return config, fmt.Errorf("--smtp-password: %w", err)
	}
	return config, nil
}

// notifier returns the notifier that sends messages; nil if there is none.
func (a *app) notifier() (engine.Notifier, error) {
	m := &a.mail
	if !m.given() {
		return nil, nil
	}
	if m.log {
		if *m != (mailFlags{log: true, pages: m.pages}) {
			return nil, usage("--mail-log sends nothing: it excludes the other flags of mail")
		}
		return &notify.Log{Logger: slog.New(slog.NewTextHandler(a.stderr, nil))}, nil
	}
	config, err := m.config()
	if err != nil {
		return nil, err
	}
	smtp, err := notify.NewSMTP(config)
	if err != nil {
		member, text, _ := strings.Cut(err.Error(), ":")
		if flag, known := mailFlagOf[member]; known {
			return nil, usage("%s:%s", flag, text)
		}
		return nil, err
	}
	return smtp, nil
}

// sayWhetherMessagesWait warns if a command has no way to send messages.
func (a *app) sayWhetherMessagesWait() {
	if !a.mail.given() {
		a.logger().Info("messages wait: to send them, use --smtp-host or --mail-log")
	}
}

// demandMail returns an error if --wait has no way to send messages.
func (a *app) demandMail(wait bool) error {
	if wait && !a.mail.given() {
		return usage("--wait sends the messages: it needs --smtp-host and its other flags, or --mail-log")
	}
	return nil
}

// sendTask tries every waiting message once, and returns the task afterwards.
func (a *app) sendTask(ctx context.Context, eng *engine.Engine, id string) (engine.TaskStatus, error) {
	if err := eng.SendPending(ctx); err != nil {
		return engine.TaskStatus{}, err
	}
	return eng.Task(ctx, id)
}

// printUnsent says what happens to messages that were not sent. If they were tried, it returns the exit code for a
// failure.
func (a *app) printUnsent(task *engine.TaskStatus, tried bool) error {
	switch {
	case task.Ended():
		return taskExit(task)
	case tried:
		fmt.Fprintf(a.stderr, "muster: %d messages could not be sent. They are tried again by a worker, or by the "+
			"next command that sends messages with --wait; --verbose says why\n", task.Remaining)
		return printedError{exitFailed}
	}
	fmt.Fprintln(a.stderr, "The messages wait for a command that has a mail server: muster worker --smtp-host ..., "+
		"or --wait with these flags here.")
	return nil
}
