package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

func (a *app) identitiesCommand() *cobra.Command {
	return group(&cobra.Command{Use: "identities", Aliases: []string{"identity"},
		Short: "Show, invite, register, synchronize, delete, erase and protect identities"},
		a.identitiesListCommand(), a.identitiesGetCommand(), a.identitiesOwnershipCommand(),
		a.identitiesReassignCommand(), a.identitiesProtectCommand(), a.identitiesDeleteCommand(),
		a.identitiesEraseCommand(), a.identitiesResetCommand(), a.identitiesInviteCommand(),
		a.identitiesVerifyCommand(), a.identitiesRedeemCommand(), a.identitiesRolesCommand(), a.identitiesSyncCommand(),
		a.identitiesAccessCommand(), a.identitiesOwnedCommand())
}

// The default columns of a table and of CSV.
const columnsDefault = "id,name,alias,emailAddress,identityStatus,lifecycleState.stateName,managerRef.name"

func (a *app) identitiesListCommand() *cobra.Command {
	var params engine.ListParams
	var output, columns, defaultFilter, quick string
	var published bool
	limit := filterql.LimitDefault
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List identities",
		Long: `List shows the identities that a filter selects. Filters have the syntax of the V3 standard collection
parameters, such as
  muster identities list --filters 'lastname sw "Wh" and not department eq "Sales"' --sorters name,-created
A filter may use every property and attribute of an identity, with --published only those that the Identities API
publishes. After a full page, list shows the cursor of the next page for --after.`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			params.Limit, params.AnyField, params.DefaultFilter = &limit, !published,
				engine.DefaultFilter(defaultFilter)
			params.Quick = engine.QuickFilter(quick)
			if quick != "" && !cmd.Flags().Changed("default-filter") {
				params.DefaultFilter = engine.NoDefault
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				page, err := eng.ListIdentities(cmd.Context(), params)
				if err != nil {
					return err
				}
				if !structured(output) {
					if err := checkColumns(cmd.Context(), eng, columns); err != nil {
						return err
					}
				}
				if err := writeItems(a.stdout, output, columns, page.Identities); err != nil {
					return err
				}
				a.showEnd(page.Total, page.Next)
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&params.Filters, "filters", "", `filter, such as 'email sw "joe"'`)
	flags.StringVar(&quick, "quick", "",
		"filter by name: orphaned, for people whom their authoritative source does not have any more")
	flags.StringVar(&params.Sorters, "sorters", "", "fields to sort by, with - before a field for descending")
	flags.IntVar(&limit, "limit", limit, "most identities to show, 0 to 250")
	flags.IntVar(&params.Offset, "offset", 0, "identities to skip")
	flags.StringVar(&params.After, "after", "", "cursor of the page to show")
	flags.BoolVar(&params.Count, "count", false, "count all results, on stderr")
	flags.StringVar(&defaultFilter, "default-filter", string(engine.CorrelatedOnly), "CORRELATED_ONLY or NONE")
	flags.BoolVar(&published, "published", false,
		"allow only the fields and operators that the Identities API publishes")
	listOutput(cmd, &output)
	flags.StringVar(&columns, "columns", columnsDefault,
		"members to show in a table or CSV, such as name,attributes.department")
	return cmd
}

func (a *app) identitiesGetCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "get ID|ALIAS", Short: "Show one identity", Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				identity, err := eng.FindIdentity(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return showItem(a, output, columnsDefault, identity)
			})
		},
	}
	itemOutput(cmd, &output)
	return cmd
}

// headings are the headings of columns with long names.
var headings = map[string]string{
	"emailAddress": "EMAIL", "identityStatus": "STATUS", "lifecycleState.stateName": "LIFECYCLE",
	"managerRef.name": "MANAGER",
}

// headingsOf returns the headings of columns. The default is the last part of a name; the whole name stands where two
// columns would have the same heading.
func headingsOf(names []string) []string {
	list, used := make([]string, len(names)), map[string]int{}
	for i, name := range names {
		list[i] = headings[name]
		if list[i] == "" {
			list[i] = strings.ToUpper(name[strings.LastIndexByte(name, '.')+1:])
		}
		used[list[i]]++
	}
	for i, name := range names {
		if used[list[i]] > 1 {
			list[i] = strings.ToUpper(name)
		}
	}
	return list
}

// members returns the values of an item's members. The names are paths such as managerRef.name.
func members(item any, names []string) ([]string, error) {
	text, err := json.Marshal(item)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var root map[string]any
	if err := decoder.Decode(&root); err != nil {
		return nil, err
	}
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = memberText(root, name)
	}
	return values, nil
}

func memberText(root map[string]any, path string) string {
	object := root
	for {
		name, rest, nested := strings.Cut(path, ".")
		value, found := object[name]
		if !nested {
			if attributes, ok := root["attributes"].(map[string]any); !found && ok {
				value = attributes[name] // the name of an attribute is enough
			}
			return valueText(value)
		}
		next, isObject := value.(map[string]any)
		if !isObject {
			return ""
		}
		object, path = next, rest
	}
}

func valueText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []any:
		texts := make([]string, len(v))
		for i := range v {
			texts[i] = valueText(v[i])
		}
		return strings.Join(texts, ";")
	case map[string]any:
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	}
	return fmt.Sprint(value)
}
