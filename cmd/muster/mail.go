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

// mailFlags say how a command sends messages. Where none is given, messages wait for a command that has them.
type mailFlags struct {
	host, from, username, password, encryption string
	invitationURL, verificationURL             string
	port                                       int
	log                                        bool
}

// register gives a command the flags.
func (m *mailFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&m.host, "smtp-host", "", "mail server by which messages are sent")
	flags.IntVar(&m.port, "smtp-port", 0, "its port (default: 587, or 465 with --smtp-tls tls)")
	flags.StringVar(&m.from, "smtp-from", "", "sender, such as 'Muster <muster@example.com>'")
	flags.StringVar(&m.username, "smtp-username", "", "who signs in to the mail server (default: nobody)")
	flags.StringVar(&m.password, "smtp-password", "", "its password, by reference: env:NAME or file:PATH")
	flags.StringVar(&m.encryption, "smtp-tls", "", "starttls, which the server must offer, or tls from the first byte "+
		"on (default: starttls)")
	flags.StringVar(&m.invitationURL, "invitation-url", "", "page where who is invited registers, with {token} in it")
	flags.StringVar(&m.verificationURL, "verification-url", "", "page where a new password is set, with {token} in it")
	flags.BoolVar(&m.log, "mail-log", false, "send nothing: log each message, without its token, and count it as sent")
}

// given reports whether messages can be sent.
func (m *mailFlags) given() bool { return *m != mailFlags{} }

// mailFlagOf names the flag of a member of the configuration, as its faults do.
var mailFlagOf = map[string]string{
	"Encryption": "--smtp-tls", "From": "--smtp-from", "Host": "--smtp-host", "Links.Invitation": "--invitation-url",
	"Links.Verification": "--verification-url", "Port": "--smtp-port",
}

// config returns what the flags say of the mail server.
func (m *mailFlags) config() (notify.SMTPConfig, error) {
	config := notify.SMTPConfig{Host: m.host, Port: m.port, From: m.from, Username: m.username,
		Encryption: m.encryption, Links: notify.Links{Invitation: m.invitationURL, Verification: m.verificationURL}}
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

// notifier returns what sends messages, nil for nothing.
func (a *app) notifier() (engine.Notifier, error) {
	m := &a.mail
	if !m.given() {
		return nil, nil
	}
	if m.log {
		if *m != (mailFlags{log: true}) {
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

// sayWhetherMessagesWait warns where a command works without a way to send messages.
func (a *app) sayWhetherMessagesWait() {
	if !a.mail.given() {
		fmt.Fprintln(a.stderr, "messages wait: there is no --smtp-host to send them by, nor --mail-log")
	}
}

// demandMail says what --wait is missing.
func (a *app) demandMail(wait bool) error {
	if wait && !a.mail.given() {
		return usage("--wait sends the messages: it needs --smtp-host and the flags beside it, or --mail-log")
	}
	return nil
}

// sendTask tries every message that waits, once, and returns the task afterwards.
func (a *app) sendTask(ctx context.Context, eng *engine.Engine, id string) (engine.TaskStatus, error) {
	if err := eng.SendPending(ctx); err != nil {
		return engine.TaskStatus{}, err
	}
	return eng.Task(ctx, id)
}

// printUnsent says what becomes of messages that were not sent, and makes the exit code of those that were tried.
func (a *app) printUnsent(task *engine.TaskStatus, tried bool) error {
	switch {
	case task.Ended():
		return taskExit(task)
	case tried:
		fmt.Fprintf(a.stderr, "muster: %d messages could not be sent. They are tried again by a worker, or the next "+
			"time that messages are sent with --wait; --verbose says why\n", task.Remaining)
		return printedError{exitFailed}
	}
	fmt.Fprintln(a.stderr, "The messages wait for a command that has a mail server: muster worker --smtp-host ..., "+
		"or --wait with these flags here.")
	return nil
}
