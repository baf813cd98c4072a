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
	var noProcess bool
	var comment string
	var acceptLosses bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Apply YAML or JSON documents to the configuration",
		Long: `Apply creates and updates sources, identity profiles, transforms, lifecycle states, identity
attributes, access profiles, roles, and the tenant's settings. Objects have the published shapes: in lists (sources:,
identityProfiles:, transforms:, lifecycleStates:, identityAttributes:, accessProfiles:, roles:), under settings:, in the
envelope of an export ({"self": ..., "object": ...}), or alone. Apply applies everything
or nothing, and processes the identities concerned. "muster config log" shows who changed the configuration.`,
		Args: exactArgs(0, "its documents with -f"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			documents, err := a.readDocuments(files)
			if err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				options := []engine.ApplyOption{engine.WithComment(comment)}
				if acceptLosses {
					options = append(options, engine.AcceptLosses())
				}
				result, err := eng.Apply(cmd.Context(), documents, options...)
				if err != nil {
					return err
				}
				if err := a.printApplied(result); err != nil || noProcess {
					return err
				}
				return a.process(cmd.Context(), eng)
			})
		},
	}
	cmd.Flags().StringArrayVarP(&files, "file", "f", nil, "document to apply, - for standard input; may be repeated")
	cmd.Flags().StringVar(&comment, "comment", "", "why it is changed: \"muster config log\" shows it")
	cmd.Flags().BoolVar(&acceptLosses, "accept-losses", false,
		"leave out what the engine does not do, though it would change a value, access or a person")
	cmd.Flags().BoolVar(&noProcess, "no-process", false,
		"do not process the identities concerned now: leave their requests")
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
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, o := range result.Objects {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", o.Action, o.Type, o.Name, o.ID)
	}
	return w.Flush()
}
