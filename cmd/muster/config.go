package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) configCommand() *cobra.Command {
	return group(&cobra.Command{Use: "config", Short: "Show the configuration and its changes, delete " +
		"objects, undo changes"},
		a.configDeleteCommand(), a.configExportCommand(), a.configGetCommand(), a.configListCommand(),
		a.configLogCommand(), a.configReferencesCommand(), a.configRevertCommand(), a.configShowCommand())
}

func (a *app) configLogCommand() *cobra.Command {
	var output string
	var before int64
	limit := 20
	cmd := &cobra.Command{
		Use: "log", Short: "List the changes of the configuration, the latest first", Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				revisions, err := eng.ConfigurationRevisions(cmd.Context(), before, limit)
				if err != nil {
					return err
				}
				rows := [][]string{{"VERSION", "AT", "BY", "WHAT", "COMMENT"}}
				for i := range revisions {
					r := &revisions[i]
					rows = append(rows, []string{strconv.FormatInt(r.Version, 10),
						r.At.Local().Format("2006-01-02 15:04:05"), actorText(&r.Actor), revisionText(r),
						r.Comment})
				}
				return a.showRows(output, revisions, rows)
			})
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&limit, "limit", limit, "most changes to show, 1 to 250")
	flags.Int64Var(&before, "before", 0, "only changes before this version")
	listOutput(cmd, &output)
	return cmd
}

// revisionText counts what a revision did.
func revisionText(r *engine.ConfigurationRevision) string {
	var parts []string
	for _, part := range []struct {
		count int
		what  engine.Action
	}{{r.Created, engine.Created}, {r.Updated, engine.Updated}, {r.Removed, engine.Removed}} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.what))
		}
	}
	return strings.Join(parts, ", ")
}

func (a *app) configShowCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "show VERSION", Short: "Show what a change made of the documents", Args: exactArgs(1, "one VERSION"),
		Long: `Show prints the objects that a change of the configuration created, updated or removed, with the lines of
their documents, as YAML, that are gone (-) and new (+). "muster config log" lists the versions.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			version, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usage("%q is no version: a number is expected", args[0])
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				revision, err := eng.ConfigurationRevision(cmd.Context(), version)
				if err != nil {
					return err
				}
				if output == outputJSON {
					return a.printJSON(revision)
				}
				return a.printRevision(&revision)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

func (a *app) printRevision(r *engine.ConfigurationRevision) error {
	fmt.Fprintf(a.stdout, "version %d, %s, by %s\n", r.Version, r.At.Local().Format("2006-01-02 15:04:05"),
		actorText(&r.Actor))
	if r.Comment != "" {
		for line := range strings.Lines(r.Comment) {
			fmt.Fprintf(a.stdout, "  %s\n", oneLine(strings.TrimRight(line, "\r\n")))
		}
	}
	for _, loss := range r.Losses {
		fmt.Fprintf(a.stdout, "  lost: %s\n", oneLine(loss))
	}
	return a.printObjects(r.Objects)
}

// printObjects writes what becomes of objects, with the lines of their documents that go and come.
func (a *app) printObjects(objects []engine.RevisionObject) error {
	for i := range objects {
		o := &objects[i]
		fmt.Fprintf(a.stdout, "\n%s %s %q %s\n", o.Action, o.Type, o.Name, o.ID)
		before, err := yamlLines(o.Before)
		if err != nil {
			return err
		}
		after, err := yamlLines(o.After)
		if err != nil {
			return err
		}
		for _, line := range diffLines(before, after) {
			fmt.Fprintf(a.stdout, "  %s\n", oneLine(line))
		}
	}
	return nil
}

// actorText names an actor, and through what it came.
func actorText(a *engine.Actor) string {
	switch {
	case *a == engine.Actor{}:
		return "(not recorded)"
	case a.Via == "":
		return oneLine(a.Name)
	}
	return oneLine(fmt.Sprintf("%s (%s)", a.Name, a.Via))
}
