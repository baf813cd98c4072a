package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) accountsCommand() *cobra.Command {
	return group(&cobra.Command{Use: "accounts", Aliases: []string{"account"},
		Short: "Show the accounts on sources, and correlate, enable, disable, unlock and reload them by hand"},
		a.accountsListCommand(), a.accountsGetCommand(), a.accountsExplainCommand(), a.accountsCorrelateCommand(),
		a.accountsReleaseCommand(), a.accountsEnableCommand(), a.accountsDisableCommand(), a.accountsUnlockCommand(),
		a.accountsReloadCommand())
}

func (a *app) accountsExplainCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "explain ACCOUNT", Short: "Explain how an account finds its identity, or why it finds nobody",
		Long: `Explain shows the values by which an account looks for its identity, in the order in which they count,
and whom each of them finds. For an account that is uncorrelated it names candidates: identities that have one of its
values.`,
		Args: exactArgs(1, "the ID of an ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				x, err := eng.ExplainCorrelation(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if output == outputJSON {
					return a.printJSON(x)
				}
				return printCorrelation(a.stdout, &x)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

func printCorrelation(w io.Writer, x *engine.CorrelationExplanation) error {
	whose := "nobody's"
	if x.Account.Identity != nil {
		whose = x.Account.Identity.Name + "'s"
	}
	_, err := fmt.Fprintf(w, "%s on %s is %s: %s\n\n", oneLine(x.Account.NativeIdentity), oneLine(x.Account.SourceName),
		oneLine(whose), oneLine(x.Reason))
	if err != nil {
		return err
	}
	rows := [][]string{{"ACCOUNT ATTRIBUTE", "IDENTITY ATTRIBUTE", "VALUE", "FINDS"}}
	for i := range x.Values {
		v := &x.Values[i]
		rows = append(rows, []string{cmp.Or(oneLine(v.AccountAttribute), "(its origin)"), oneLine(v.IdentityAttribute),
			oneLine(v.Value), findsText(v)})
	}
	if err := writeAligned(w, rows); err != nil || len(x.Candidates) == 0 {
		return err
	}
	rows = [][]string{{"CANDIDATE", "ALIAS", "ID", "BECAUSE"}}
	for i := range x.Candidates {
		c := &x.Candidates[i]
		var because []string
		for _, m := range c.Because {
			because = append(because, m.AccountAttribute+" is "+m.IdentityAttribute)
		}
		rows = append(rows, []string{oneLine(c.Identity.Name), oneLine(c.Alias), c.Identity.ID,
			oneLine(strings.Join(because, ", "))})
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return writeAligned(w, rows)
}

// findsText names whom a value finds.
func findsText(v *engine.CorrelationValue) string {
	if len(v.Identities) == 0 {
		return "nobody"
	}
	var names []string
	for _, identity := range v.Identities {
		names = append(names, identity.Name)
	}
	text := oneLine(strings.Join(names, ", "))
	if v.More {
		text += " and others"
	}
	if v.Decides {
		text += " (decides)"
	}
	return text
}

func (a *app) accountsCorrelateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "correlate ACCOUNT ID|ALIAS", Short: "Give an account to an identity by hand, and process it",
		Long: `Correlate gives an account to an identity, whatever correlation finds, until the account is released. An
account that another identity has goes over to this one, and both are processed.`,
		Args: exactArgs(2, "the ID of an ACCOUNT and an identity"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withIdentity(ctx, args[1], func(eng *engine.Engine, id string) error {
				if err := eng.CorrelateAccount(ctx, args[0], id); err != nil {
					return err
				}
				return a.process(ctx, eng)
			})
		},
	}
}

func (a *app) accountsReleaseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "release ACCOUNT", Short: "Leave an account to correlation again, and process who is concerned",
		Long: `Release takes an account from its identity. Where its correlation keys find one identity, it becomes that
one's at once, which may be the same one; otherwise it is uncorrelated.`,
		Args: exactArgs(1, "the ID of an ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				if err := eng.ReleaseAccount(ctx, args[0]); err != nil {
					return err
				}
				return a.process(ctx, eng)
			})
		},
	}
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
			ctx := cmd.Context()
			return listWith(ctx, a, &list, func(eng *engine.Engine) (page engine.Page[engine.Account], err error) {
				if params.Identity, err = optionalIdentityID(ctx, eng, params.Identity); err != nil {
					return page, err
				}
				params.PageParams = list.page()
				return eng.ListAccounts(ctx, params)
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
	return getCommand(a, "account", accountColumns, (*engine.Engine).GetAccount)
}

func (a *app) entitlementsCommand() *cobra.Command {
	return group(&cobra.Command{Use: "entitlements", Aliases: []string{"entitlement"},
		Short: "Show the entitlements of sources, and who holds them, and change what people say of them"},
		a.entitlementsListCommand(), a.entitlementsGetCommand(), a.entitlementsHoldersCommand(),
		a.entitlementsSetCommand())
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
			ctx := cmd.Context()
			return listWith(ctx, a, &list, func(eng *engine.Engine) (page engine.Page[engine.Entitlement], err error) {
				if params.Identity, err = optionalIdentityID(ctx, eng, params.Identity); err != nil {
					return page, err
				}
				params.PageParams = list.page()
				return eng.ListEntitlements(ctx, params)
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
	return getCommand(a, "entitlement", entitlementColumns, (*engine.Engine).GetEntitlement)
}

func (a *app) entitlementsHoldersCommand() *cobra.Command {
	var list listFlags
	cmd := &cobra.Command{
		Use: "holders ENTITLEMENT", Short: "List the accounts that hold an entitlement",
		Long: `Holders lists the accounts that hold an entitlement, with their identities, and since when access gave it
to them: nothing for an account that has it for another reason. Filters are those of "muster accounts list".`,
		Args: exactArgs(1, "the ID of an ENTITLEMENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			type page = engine.Page[engine.EntitlementHolder]
			return listWith(cmd.Context(), a, &list, func(eng *engine.Engine) (page, error) {
				return eng.ListEntitlementHolders(cmd.Context(), args[0], list.page())
			})
		},
	}
	list.register(cmd, "id,sourceName,nativeIdentity,identity.name,identityId,granted")
	return cmd
}

func (a *app) identitiesOwnedCommand() *cobra.Command {
	var list listFlags
	cmd := &cobra.Command{
		Use: "owned", Short: "List what identities own",
		Example: `  muster identities owned --filters 'owner.alias eq "ann"'
  muster identities owned --filters 'type eq "ROLE" and name sw "sales"' --sorters owner.name`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listWith(cmd.Context(), a, &list, func(eng *engine.Engine) (engine.Page[engine.ListedOwned], error) {
				return eng.ListOwned(cmd.Context(), list.page())
			})
		},
	}
	list.register(cmd, "type,id,name,owner.id,owner.name")
	return cmd
}

func (a *app) identitiesAccessCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "access ID|ALIAS", Short: "Show what an identity has and is to have on sources, and why",
		Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withIdentity(ctx, args[0], func(eng *engine.Engine, id string) error {
				access, err := eng.Access(ctx, id)
				if err != nil {
					return err
				}
				rows := [][]string{{"SOURCE", "ATTRIBUTE", "VALUE", "ACCOUNTS", "GRANTED", "BECAUSE OF", "OPERATIONS"}}
				for i := range access.Entitlements {
					rows = append(rows, accessRow(&access.Entitlements[i]))
				}
				return a.showRows(output, access, rows)
			})
		},
	}
	listOutput(cmd, &output)
	return cmd
}

func accessRow(h *engine.HeldEntitlement) []string {
	var accounts, reasons, operations []string
	for _, account := range h.Accounts {
		accounts = append(accounts, account.NativeIdentity)
	}
	for _, reason := range h.Reasons {
		text := map[string]string{"ROLE": "role "}[reason.Type] + reason.Name
		if reason.AccessProfile != nil {
			text += " / " + reason.AccessProfile.Name
		}
		reasons = append(reasons, text)
	}
	for i := range h.Operations {
		operations = append(operations, operationName(h.Operations[i].Operation)+" "+h.Operations[i].State)
	}
	return []string{h.Source.Name, h.Attribute, h.Value, strings.Join(accounts, ", "), dateText(h.Granted),
		strings.Join(reasons, ", "), strings.Join(operations, ", ")}
}
