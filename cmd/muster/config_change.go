package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

// changeFlags are the flags of commands that change the configuration.
type changeFlags struct {
	comment   string
	confirm   bool
	version   int64
	noProcess bool
}

func (f *changeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.comment, "comment", "", "why it is changed: \"muster config log\" shows it")
	flags.BoolVar(&f.confirm, "confirm", false, "remove objects though the guard holds it")
	flags.Int64Var(&f.version, "at-version", 0,
		"only if the configuration has this version: \"muster config log\" and previews show it")
	flags.BoolVar(&f.noProcess, "no-process", false,
		"do not process the identities concerned now: leave their requests")
}

func (f *changeFlags) options() []engine.ApplyOption {
	options := []engine.ApplyOption{engine.WithComment(f.comment)}
	if f.version != 0 {
		options = append(options, engine.AtVersion(f.version))
	}
	if f.confirm {
		options = append(options, engine.Confirm())
	}
	return options
}

// change carries a change of the configuration out, shows it, and processes whom it concerns.
func (a *app) change(ctx context.Context, flags *changeFlags,
	do func(*engine.Engine, []engine.ApplyOption) (engine.ApplyResult, error),
) error {
	return a.withEngine(ctx, func(eng *engine.Engine) error {
		a.keep("the configuration is as it was")
		result, err := do(eng, flags.options())
		if err != nil {
			return err
		}
		a.keep("the configuration is changed; the identities concerned wait to be processed: muster process")
		if err := a.printApplied(result); err != nil || flags.noProcess {
			return err
		}
		return a.process(ctx, eng)
	})
}

// pruneFlags say which objects go that documents do not have.
type pruneFlags struct {
	prune bool
	only  []string
}

func (f *pruneFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.prune, "prune", false,
		"remove the objects that the documents do not have, of the types of --only or else of the documents")
	flags.StringSliceVar(&f.only, "only", nil, "types for --prune, such as role,access-profile")
}

func (f *pruneFlags) options() ([]engine.ApplyOption, error) {
	switch {
	case !f.prune && len(f.only) > 0:
		return nil, usage("--only says what to prune: it needs --prune")
	case !f.prune:
		return nil, nil
	}
	return []engine.ApplyOption{engine.Prune(objectTypes(f.only)...)}, nil
}

func (a *app) configReferencesCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "references TYPE NAME|ID", Short: "List the objects of the configuration that name an object",
		Long: `References lists who names an object, and in which member. An object that another one names cannot be
deleted.`,
		Args: exactArgs(2, "a TYPE and a NAME or an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				list, err := eng.ReferencesTo(cmd.Context(), objectTypes(args[:1])[0], args[1])
				if err != nil {
					return err
				}
				if len(list) == 0 && output == outputTable {
					fmt.Fprintln(a.stdout, "nothing names it")
					return nil
				}
				rows := [][]string{{"TYPE", "NAME", "MEMBER", "ID"}}
				for _, r := range list {
					rows = append(rows, []string{string(r.Type), r.Name, r.Path, r.ID})
				}
				return a.showRows(output, list, rows)
			})
		},
	}
	listOutput(cmd, &output)
	return cmd
}

func (a *app) configDeleteCommand() *cobra.Command {
	var change changeFlags
	var preview previewFlag
	cmd := &cobra.Command{
		Use: "delete TYPE NAME|ID", Short: "Delete an object of the configuration that nothing names",
		Long: `Delete removes an object of the configuration. It is refused while another object names it, and held
where more identities would lose something at once than the guard allows. --preview shows what would go, and changes
nothing. A source goes with its accounts here: nothing is done on the system itself. "muster config revert" undoes it.`,
		Args: exactArgs(2, "a TYPE and a NAME or an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, kind := cmd.Context(), objectTypes(args[:1])[0]
			if preview.preview {
				return preview.show(ctx, a, engine.PreviewParams{
					Delete: engine.ObjectName{Type: kind, Name: args[1]}})
			}
			return a.change(ctx, &change, func(eng *engine.Engine, options []engine.ApplyOption) (engine.ApplyResult,
				error,
			) {
				return eng.DeleteConfiguration(ctx, kind, args[1], options...)
			})
		},
	}
	change.add(cmd)
	preview.add(cmd)
	return cmd
}

func (a *app) configRevertCommand() *cobra.Command {
	var change changeFlags
	var preview previewFlag
	cmd := &cobra.Command{
		Use: "revert VERSION", Short: "Undo a change of the configuration",
		Long: `Revert makes the objects of a change what they were before it, by a new change: what it created is
deleted, under the rules of "muster config delete". It is refused where an object is not as the change left it.
"muster config log" lists the versions, and --preview shows what reverting one would mean.`,
		Args: exactArgs(1, "one VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			version, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || version < 1 {
				return usage("%q is no version: a number is expected", args[0])
			}
			if preview.preview {
				return preview.show(ctx, a, engine.PreviewParams{Revert: version})
			}
			return a.change(ctx, &change, func(eng *engine.Engine, options []engine.ApplyOption) (engine.ApplyResult,
				error,
			) {
				return eng.RevertConfiguration(ctx, version, options...)
			})
		},
	}
	change.add(cmd)
	preview.add(cmd)
	return cmd
}

// previewFlag lets a command show what it would mean, and change nothing.
type previewFlag struct {
	preview bool
	limit   int
	output  string
}

func (f *previewFlag) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.preview, "preview", false, "show what it would mean for identities, and change nothing")
	flags.IntVar(&f.limit, "limit", 20, "most identities of a preview to show, 0 for all; the totals count all")
	flags.StringVarP(&f.output, "output", "o", outputTable, "of a preview: table or json")
}

func (f *previewFlag) show(ctx context.Context, a *app, params engine.PreviewParams) error {
	if err := demandOutput(f.output, outputTable, outputJSON); err != nil {
		return err
	}
	return a.withEngine(ctx, func(eng *engine.Engine) error {
		return a.showPreview(ctx, eng, params, f.output, f.limit)
	})
}

// removalText says what goes with an object.
func removalText(r *engine.ConfigurationRemoval) string {
	parts := []string{}
	for _, part := range []struct {
		count int
		what  string
	}{
		{r.Accounts, "accounts"}, {r.Correlated, "of them with an identity"}, {r.Identities, "identities"},
		{r.Assignments, "assignments"}, {r.Entitlements, "entitlements"}, {r.Grants, "grants"},
		{r.Operations, "operations that wait"},
	} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.what))
		}
	}
	if len(parts) == 0 {
		return "nothing goes with it"
	}
	return "with it: " + strings.Join(parts, ", ")
}
