package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

// settingFlagOf maps the fields of [engine.Config] that errors name to flags.
var settingFlagOf = map[string]string{
	"Location": "--time-zone", "Guard.Share": "--guard", "Guard.Off": "--guard", "Mail.Sender": "--smtp-from",
	"Mail.InvitationURL": "--invitation-url", "Mail.VerificationURL": "--verification-url",
}

// settingsError says in the words of the command line how flags contradict the tenant's settings. Other errors stay as
// they are.
func (a *app) settingsError(err error) error {
	var contradiction *engine.SettingsError
	if !errors.As(err, &contradiction) {
		return err
	}
	var texts []string
	for i := range contradiction.Conflicts {
		c := &contradiction.Conflicts[i]
		flag := settingFlagOf[c.Field]
		flag = a.nameOf(strings.TrimPrefix(flag, "--"))
		texts = append(texts, fmt.Sprintf("%s says %s %s, but the tenant's is %s", flag, c.Setting, c.Given, c.Tenant))
	}
	return fmt.Errorf("%s: leave it out to follow the tenant's settings (muster settings), or change them: "+
		"muster apply -f FILE with settings", strings.Join(texts, "; "))
}

func (a *app) settingsCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "settings", Short: "Show the tenant's settings, and where each comes from",
		Args: exactArgs(0, "no argument"),
		Long: `Settings shows the settings that all engines of the tenant follow. Each comes from a document
("applied"), from an engine that was started with it before a configuration was applied ("engine"), or from nobody
("default"). To change them, apply them:

  settings:
    timeZone: Europe/Berlin
    guard: {share: 0.05, minimum: 50}
    mail: {sender: "Muster <muster@example.com>", invitationLifetime: 14d}`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				settings, err := eng.Settings(cmd.Context())
				if err != nil {
					return err
				}
				return a.printSettings(&settings, output)
			})
		},
	}
	listOutput(cmd, &output)
	return cmd
}

func (a *app) printSettings(s *engine.Settings, output string) error {
	rows := [][]string{{"SETTING", "VALUE", "FROM"}}
	for _, v := range s.Values {
		value := fmt.Sprint(v.Value)
		if value == "" {
			value = "none"
		}
		rows = append(rows, []string{v.Name, value, string(v.Origin)})
	}
	if err := a.showRows(output, s, rows); err != nil {
		return err
	}
	if !s.Settled && output == outputTable {
		fmt.Fprintln(a.stdout, "Nobody is here yet: engines that are started set what is default.")
	}
	return nil
}

func (a *app) enginesCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "engines", Short: "Show the engines that run", Args: exactArgs(0, "no argument"),
		Long: `Engines shows the engines that are started: workers, servers and hosts that gave a sign of life within 5
minutes, with the settings that each was given. "muster doctor" compares them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				engines, err := eng.Engines(cmd.Context())
				if err != nil {
					return err
				}
				return a.printEngines(engines, output)
			})
		},
	}
	listOutput(cmd, &output)
	return cmd
}

func (a *app) printEngines(engines []engine.RunningEngine, output string) error {
	if len(engines) == 0 && output == outputTable {
		fmt.Fprintln(a.stdout, "no engine runs")
		return nil
	}
	const format = "2006-01-02 15:04:05"
	rows := [][]string{{"HOST", "PROCESS", "VERSION", "STARTED", "SEEN", "CONNECTORS", "RULES", "SETTINGS GIVEN"}}
	for i := range engines {
		e := &engines[i]
		rows = append(rows, []string{e.Host, fmt.Sprint(e.Process), e.Version, e.Started.Local().Format(format),
			e.Seen.Local().Format(format), strings.Join(e.Connectors, " "), strings.Join(e.Rules, " "),
			string(e.Settings)})
	}
	return a.showRows(output, engines, rows)
}

// demandMailSettings returns an error if a command sends mail, and neither its flags nor the tenant's settings say what
// every message needs. It looks before the flags become settings.
func (a *app) demandMailSettings(ctx context.Context, d *database, config engine.Config) error {
	m := &a.mail
	if m.host == "" || m.from != "" && m.invitationURL != "" && m.verificationURL != "" {
		return nil
	}
	eng, err := engine.New(ctx, d.pool, engine.Config{Schema: config.Schema, JobSchema: config.JobSchema})
	if err != nil {
		return err
	}
	s, err := eng.Settings(ctx)
	if err != nil {
		return err
	}
	for _, needed := range []struct{ given, setting, flag, name, what string }{
		{m.from, s.Mail.Sender, "--smtp-from", "mail.sender", "an address"},
		{m.invitationURL, s.Mail.InvitationURL, "--invitation-url", "mail.invitationUrl",
			"an address with {token} in it"},
		{m.verificationURL, s.Mail.VerificationURL, "--verification-url", "mail.verificationUrl",
			"an address with {token} in it"},
	} {
		if needed.given == "" && needed.setting == "" {
			return usage("%s: %s is expected, or the setting %s of the tenant", needed.flag, needed.what, needed.name)
		}
	}
	return nil
}
