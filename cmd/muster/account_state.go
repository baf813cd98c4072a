package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

// accountStateRule is what the commands say of what somebody asks for.
const accountStateRule = `It is done once. The lifecycle state that the identity is in does not undo it; another one
that the identity comes into may. A source without the feature is refused.`

func (a *app) accountsEnableCommand() *cobra.Command {
	return a.accountStateCommand("enable", "Enable an account by hand", "Enable asks that an account can be used.",
		(*engine.Engine).EnableAccount)
}

func (a *app) accountsDisableCommand() *cobra.Command {
	return a.accountStateCommand("disable", "Disable an account by hand",
		"Disable asks that an account cannot be used.", (*engine.Engine).DisableAccount)
}

func (a *app) accountsUnlockCommand() *cobra.Command {
	return a.accountStateCommand("unlock", "Unlock an account by hand", "Unlock asks that the lock of an account ends.",
		(*engine.Engine).UnlockAccount)
}

func (a *app) accountStateCommand(name, short, long string,
	ask func(*engine.Engine, context.Context, string, engine.AccountStateOptions) (engine.AccountTask, error),
) *cobra.Command {
	var options engine.AccountStateOptions
	cmd := &cobra.Command{
		Use: name + " ACCOUNT", Short: short, Long: long + "\n" + accountStateRule,
		Args: exactArgs(1, "the ID of an ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				if _, err := ask(eng, ctx, args[0], options); err != nil {
					return err
				}
				return a.process(ctx, eng)
			})
		},
	}
	cmd.Flags().BoolVar(&options.Force, "force", false,
		"write to the source even where the account looks right; unlock it too, where it can be")
	if name == "unlock" {
		cmd.Flags().BoolVar(&options.UnlockSignIn, "sign-in", false, "end the lock of the identity's sign-in too")
	}
	return cmd
}

func (a *app) accountsReloadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reload ACCOUNT", Short: "Read one account from its source again, and process who is concerned",
		Args: exactArgs(1, "the ID of an ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				if _, err := eng.ReloadAccount(ctx, args[0]); err != nil {
					return err
				}
				return a.process(ctx, eng)
			})
		},
	}
}

func (a *app) entitlementsSetCommand() *cobra.Command {
	var name, description, owner string
	var requestable, privileged, fromSource bool
	var segments []string
	cmd := &cobra.Command{
		Use: "set ENTITLEMENT", Short: "Change what people say of an entitlement",
		Long: `Set changes what people say of an entitlement. Aggregations leave that alone. A name that was given by
hand stays; with --name-from-source the next aggregation gives the entitlement the name that the source has.`,
		Example: `  muster entitlements set ID --owner ann --requestable --privileged=false
  muster entitlements set ID --name Payroll --description 'Runs the payroll'`,
		Args: exactArgs(1, "the ID of an ENTITLEMENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			changed := cmd.Flags().Changed
			return a.withEngine(ctx, func(eng *engine.Engine) (err error) {
				var update engine.EntitlementUpdate
				if changed("name") {
					update.Name = &name
				}
				if changed("description") {
					update.Description = &description
				}
				if changed("requestable") {
					update.Requestable = &requestable
				}
				if changed("privileged") {
					update.Privileged = &privileged
				}
				if changed("segment") {
					update.Segments = &segments
				}
				if fromSource {
					update.ManuallyUpdated = map[string]bool{engine.FieldDisplayName: false}
				}
				if changed("owner") {
					if owner, err = optionalIdentityID(ctx, eng, owner); err != nil {
						return err
					}
					update.Owner = &owner
				}
				entitlement, err := eng.UpdateEntitlement(ctx, args[0], update)
				if err != nil {
					return err
				}
				return a.printJSON(entitlement)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "its name")
	flags.StringVar(&description, "description", "", "its description; empty for none")
	flags.StringVar(&owner, "owner", "", "who owns it, ID or alias; empty for nobody")
	flags.BoolVar(&requestable, "requestable", false, "whether people can ask for it")
	flags.BoolVar(&privileged, "privileged", false, "whether it is privileged")
	flags.StringArrayVar(&segments, "segment", nil, "the ID of a segment that it is assigned to; again for more")
	flags.BoolVar(&fromSource, "name-from-source", false, "let the source give it its name again")
	return cmd
}
