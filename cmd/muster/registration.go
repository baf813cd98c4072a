package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
)

func (a *app) identitiesInviteCommand() *cobra.Command {
	var params engine.InviteParams
	var wait bool
	var output string
	cmd := &cobra.Command{
		Use: "invite ID|ALIAS... | --filters FILTER | --uninvited", Short: "Invite identities to register, by mail",
		Long: `Invite launches a task that sends a message with a link to each identity that is not registered. The link
is valid for 7 days, and replaces the previous one. With --uninvited it invites all identities that were not invited
yet, at most 1,000 at a time; with --filters all that match a filter and are not registered, which may be 1,000.

A worker with a mail server sends the messages ("muster worker --smtp-host ..."). With --wait this command tries every
waiting message once, and shows the result.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandFilter(cmd); err != nil {
				return err
			}
			chosen := 0
			for _, given := range []bool{len(args) > 0, params.Filters != "", params.Uninvited} {
				if given {
					chosen++
				}
			}
			if chosen != 1 {
				return usage("%s takes either identities, --filters or --uninvited", cmd.CommandPath())
			}
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			if err := a.demandMail(wait); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				var err error
				if params.IDs, err = identityIDs(ctx, eng, args); err != nil {
					return err
				}
				task, err := eng.InviteIdentities(ctx, params)
				if err == nil && wait {
					task, err = a.sendTask(ctx, eng, task.ID)
				}
				if err != nil {
					return err
				}
				if err := a.printTask(&task, output); err != nil {
					return err
				}
				return a.printUnsent(&task, wait)
			})
		},
	}
	flags := cmd.Flags()
	filtersFlag(cmd, &params.Filters)
	flags.BoolVar(&params.Uninvited, "uninvited", false,
		"invite all identities that are not registered and not invited yet")
	flags.BoolVar(&wait, "wait", false, "send the messages now, and show the result")
	flags.StringVarP(&output, "output", "o", outputTable, "table or json")
	a.mail.register(cmd)
	return cmd
}

func (a *app) identitiesVerifyCommand() *cobra.Command {
	var params engine.VerificationParams
	var wait bool
	cmd := &cobra.Command{
		Use: "verify ID|ALIAS --via WAY", Short: "Send an identity a token to set a new password",
		Long: `Verify sends an identity a token to set a new password, on a source or the host's own. The token is valid
for 2 hours. EMAIL_WORK and EMAIL_PERSONAL send it as a code to type in, LINK_WORK and LINK_PERSONAL as a link.

A worker with a mail server sends the message ("muster worker --smtp-host ..."). With --wait this command tries every
waiting message once, and shows the result.`,
		Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.demandMail(wait); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withIdentity(ctx, args[0], func(eng *engine.Engine, id string) error {
				if err := eng.SendVerification(ctx, id, params); err != nil {
					return err
				}
				task, err := verificationTask(ctx, eng, id)
				if err == nil && wait {
					task, err = a.sendTask(ctx, eng, task.ID)
				}
				if err != nil {
					return err
				}
				if err := a.printTask(&task, outputTable); err != nil {
					return err
				}
				return a.printUnsent(&task, wait)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&params.Via, "via", "", "EMAIL_WORK, EMAIL_PERSONAL, LINK_WORK or LINK_PERSONAL")
	flags.StringVar(&params.Source, "source", "",
		"source of the password, ID or name (default: the host's own password)")
	flags.BoolVar(&wait, "wait", false, "send the message now, and show the result")
	a.mail.register(cmd)
	return cmd
}

// verificationTask returns the latest task that sends an identity a verification. It is the one that was launched now,
// or a moment ago for an equal request.
func verificationTask(ctx context.Context, eng *engine.Engine, identity string) (engine.TaskStatus, error) {
	id, err := store.ParseID(identity) // an ID may have dashes
	if err != nil {
		return engine.TaskStatus{}, err
	}
	tasks, err := eng.Tasks(ctx, engine.TaskQuery{})
	if err != nil {
		return engine.TaskStatus{}, err
	}
	for i := range tasks {
		if tasks[i].TaskDefinitionSummary.ID == engine.TaskVerification && tasks[i].Target.ID == id.String() {
			return tasks[i], nil
		}
	}
	return engine.TaskStatus{}, errors.New("the verification was launched, but is not among the latest tasks: " +
		`see "muster tasks"`)
}
