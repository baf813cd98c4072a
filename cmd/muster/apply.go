package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) applyCommand() *cobra.Command {
	var files []string
	var change changeFlags
	var prune pruneFlags
	var acceptLosses, replace bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Apply YAML or JSON documents to the configuration",
		Long: `Apply creates and updates sources, identity profiles, transforms, lifecycle states, identity
attributes, access profiles, roles, and the tenant's settings. Objects have the published shapes: in lists (sources:,
identityProfiles:, transforms:, lifecycleStates:, identityAttributes:, accessProfiles:, roles:), under settings:, in the
envelope of an export ({"self": ..., "object": ...}), or alone. Apply applies everything
or nothing, and processes the identities concerned. A document replaces its object whole: where it lacks a member that
decides who has which value, access or account, it is refused without --replace. --prune removes what the documents do
not have. "muster config log" shows who changed the configuration, and "muster config revert" undoes it.`,
		Args: exactArgs(0, "its documents with -f"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			documents, err := a.readDocuments(files)
			if err != nil {
				return err
			}
			options, err := prune.options()
			if err != nil {
				return err
			}
			if acceptLosses {
				options = append(options, engine.AcceptLosses())
			}
			if replace {
				options = append(options, engine.Replace())
			}
			ctx := cmd.Context()
			return a.change(ctx, &change, func(eng *engine.Engine, more []engine.ApplyOption) (engine.ApplyResult,
				error,
			) {
				return eng.Apply(ctx, documents, append(options, more...)...)
			})
		},
	}
	cmd.Flags().StringArrayVarP(&files, "file", "f", nil, "document to apply, - for standard input; may be repeated")
	cmd.Flags().BoolVar(&acceptLosses, "accept-losses", false,
		"leave out what the engine does not do, though it would change a value, access or a person")
	cmd.Flags().BoolVar(&replace, "replace", false,
		"replace objects whole, also by documents that lack members which decide access")
	change.add(cmd)
	prune.add(cmd)
	return cmd
}

func (a *app) readDocuments(files []string) ([]engine.Document, error) {
	if len(files) == 0 {
		return nil, usage("nothing to apply: name a document with -f")
	}
	var documents []engine.Document
	for _, file := range files {
		read, err := a.readDocument(file)
		if err != nil {
			return nil, err
		}
		documents = append(documents, read...)
	}
	return documents, nil
}

func (a *app) readDocument(file string) ([]engine.Document, error) {
	r, err := a.openInput(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if file == "-" {
		file = "standard input"
	}
	return engine.ReadDocuments(file, r)
}

// openInput opens a file, or standard input for "-".
func (a *app) openInput(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(a.stdin), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, usageError{err}
	}
	return f, nil
}

func (a *app) printApplied(result engine.ApplyResult) error {
	for _, note := range result.Notes {
		fmt.Fprintf(a.stderr, "note: %s\n", note)
	}
	for _, loss := range result.Losses {
		fmt.Fprintf(a.stderr, "lost: %s\n", loss)
	}
	for i := range result.Removals {
		r := &result.Removals[i]
		fmt.Fprintf(a.stderr, "removed: %s %s %s\n", r.Type, oneLine(r.Name), removalText(r))
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, o := range result.Objects {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", o.Action, o.Type, o.Name, o.ID)
	}
	return w.Flush()
}
