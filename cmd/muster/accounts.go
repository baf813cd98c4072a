package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) accountsCommand() *cobra.Command {
	return group(&cobra.Command{Use: "accounts", Aliases: []string{"account"}, Short: "Show the accounts on sources"},
		a.accountsListCommand(), a.accountsGetCommand())
}

const accountColumns = "id,sourceName,nativeIdentity,name,identity.name,disabled,locked,manuallyCorrelated,origin"

func (a *app) accountsListCommand() *cobra.Command {
	var list listFlags
	var params engine.AccountParams
	cmd := &cobra.Command{
		Use: "list", Short: "List accounts",
		Long: `List shows the accounts that a filter selects. A filter may use every property of an account, its
attributes as attributes.NAME, and what it holds, with --published only the fields that the API publishes.`,
		Example: `  muster accounts list --source Directory --uncorrelated
  muster accounts list --filters 'disabled eq false and identity.identityState eq "INACTIVE_LONG_TERM"' --count
  muster accounts list --filters 'entitlement.value eq "admins" or attributes.title sw "Chief"' -o csv`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := list.check(); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				if params.Identity != "" {
					ids, err := identityIDs(ctx, eng, []string{params.Identity})
					if err != nil {
						return err
					}
					params.Identity = ids[0]
				}
				params.PageParams = list.page()
				page, err := eng.ListAccounts(ctx, params)
				if err != nil {
					return err
				}
				return showPage(a, &list, &page)
			})
		},
	}
	list.register(cmd, accountColumns)
	flags := cmd.Flags()
	flags.StringVar(&params.Identity, "identity", "", "only those of an identity, ID or alias")
	flags.StringVar(&params.Source, "source", "", "only those on a source, ID or name")
	flags.BoolVar(&params.Uncorrelated, "uncorrelated", false, "only those that no identity has")
	return cmd
}

func (a *app) accountsGetCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "get ID", Short: "Show one account", Args: exactArgs(1, "one ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputTable, outputJSON, outputCSV); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				account, err := eng.GetAccount(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.showOne(output, func() error {
					return writeItems(a.stdout, output, accountColumns, []engine.Account{account})
				}, account)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", outputJSON, "json, table or csv")
	return cmd
}

// showOne writes one item: as JSON by itself, or else as a list of one.
func (a *app) showOne(output string, list func() error, item any) error {
	if output == outputJSON {
		return a.printJSON(item)
	}
	return list()
}

func (a *app) entitlementsCommand() *cobra.Command {
	return group(&cobra.Command{Use: "entitlements", Aliases: []string{"entitlement"},
		Short: "Show the entitlements of sources, and who holds them"},
		a.entitlementsListCommand(), a.entitlementsGetCommand(), a.entitlementsHoldersCommand())
}

const entitlementColumns = "id,source.name,attribute,value,name,privileged,requestable,owner.name"

func (a *app) entitlementsListCommand() *cobra.Command {
	var list listFlags
	var params engine.EntitlementParams
	cmd := &cobra.Command{
		Use: "list", Short: "List entitlements",
		Example: `  muster entitlements list --filters 'source.name eq "Directory" and name sw "eng"' --sorters name
  muster entitlements list --identity ann`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := list.check(); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				if params.Identity != "" {
					ids, err := identityIDs(ctx, eng, []string{params.Identity})
					if err != nil {
						return err
					}
					params.Identity = ids[0]
				}
				params.PageParams = list.page()
				page, err := eng.ListEntitlements(ctx, params)
				if err != nil {
					return err
				}
				return showPage(a, &list, &page)
			})
		},
	}
	list.register(cmd, entitlementColumns)
	flags := cmd.Flags()
	flags.StringVar(&params.Account, "account", "", "only those that an account holds, by its ID")
	flags.StringVar(&params.Identity, "identity", "", "only those that an identity holds, ID or alias")
	return cmd
}

func (a *app) entitlementsGetCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "get ID", Short: "Show one entitlement", Args: exactArgs(1, "one ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputTable, outputJSON, outputCSV); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				entitlement, err := eng.GetEntitlement(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.showOne(output, func() error {
					return writeItems(a.stdout, output, entitlementColumns, []engine.Entitlement{entitlement})
				}, entitlement)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", outputJSON, "json, table or csv")
	return cmd
}

func (a *app) entitlementsHoldersCommand() *cobra.Command {
	var list listFlags
	cmd := &cobra.Command{
		Use: "holders ENTITLEMENT", Short: "List the accounts that hold an entitlement",
		Long: `Holders lists the accounts that hold an entitlement, with their identities, and since when access gave it
to them: nothing for an account that has it for another reason. Filters are those of "muster accounts list".`,
		Args: exactArgs(1, "the ID of an ENTITLEMENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := list.check(); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				page, err := eng.ListEntitlementHolders(cmd.Context(), args[0], list.page())
				if err != nil {
					return err
				}
				return showPage(a, &list, &page)
			})
		},
	}
	list.register(cmd, "id,sourceName,nativeIdentity,identity.name,identityId,granted")
	return cmd
}
