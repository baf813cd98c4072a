package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector/delimited"
)

func (a *app) aggregateCommand() *cobra.Command {
	var file, delimiter, maxDeletions, output string
	var delta, dryRun, noProcess, background bool
	var acceptMissing []string
	var maxObjects int
	cmd := &cobra.Command{
		Use:   "aggregate SOURCE --file ACCOUNTS.csv",
		Short: "Read the accounts of a source from delimited text",
		Long: `Aggregate reads the accounts of a source, which is named by its name or ID. It correlates them to
identities, creates the identities of an authoritative source, and processes the identities concerned. The text is UTF-8
with a header row, and may have any size. A row that cannot be read is reported with its line and skipped. Accounts that
are not in the text are removed, unless it is a delta. If more than --max-deletions would be removed, the aggregation is
refused and changes nothing. So it is if no row can be read, or if the text lacks a column that accounts have values
of.`,
		Args: exactArgs(1, "one SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			options := engine.AggregateOptions{Delimiter: delimiter, Delta: delta, DryRun: dryRun,
				MaxObjects: maxObjects, AcceptMissing: acceptMissing}
			if maxObjects < 1 {
				return usage("--max-objects: at least 1 is expected")
			}
			if file == "" {
				return usage("nothing to read: name the accounts with --file, - for standard input")
			}
			if maxDeletions != "" {
				limit, err := engine.ParseDeletionLimit(maxDeletions)
				if err != nil {
					return usage("--max-deletions: %w", err)
				}
				options.MaxDeletions = &limit
			}
			if output != "text" && output != "json" {
				return usage("--output: %q is unknown: text or json is expected", output)
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				if background {
					return a.startAggregation(cmd, eng, args[0], file, output, options)
				}
				result, err := a.aggregate(cmd, eng, args[0], file, options)
				if err != nil {
					return missingError(err)
				}
				if output == "text" {
					a.printAggregation(result)
				}
				var processed processed
				if !noProcess && !dryRun {
					if processed, err = a.processPending(cmd.Context(), eng); err != nil {
						return err
					}
				}
				if output == "json" {
					value := map[string]any{"aggregation": result, "processing": processed}
					if err := a.printJSON(value); err != nil {
						return err
					}
					return processed.exit()
				}
				if dryRun {
					return nil
				}
				a.printProcessed(&processed)
				a.printProvisioned(processed.Provisioning)
				return processed.exit()
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&file, "file", "", "file with the accounts, - for standard input")
	flags.StringVar(&delimiter, "delimiter", "", "character between the columns, or \"tab\" (default: the source's)")
	flags.BoolVar(&delta, "delta", false, "the text has only some of the accounts: remove none")
	flags.BoolVar(&dryRun, "dry-run", false, "only say what the aggregation would do: change nothing")
	flags.StringVar(&maxDeletions, "max-deletions", "",
		"most accounts to remove, such as 25 or 10% (default: the source's deleteThreshold)")
	acceptMissingFlag(cmd, &acceptMissing)
	flags.IntVar(&maxObjects, "max-objects", engine.ObjectsDefault,
		"most objects to read; with more the aggregation is refused")
	flags.BoolVar(&noProcess, "no-process", false, "do not process the identities concerned now: leave their requests")
	flags.StringVarP(&output, "output", "o", "text", "text or json")
	flags.BoolVar(&background, "background", false,
		"only hand the text in: a worker of any process aggregates it, and the task tells the result")
	return cmd
}

// startAggregation hands a text in, and prints the task that aggregates it.
func (a *app) startAggregation(cmd *cobra.Command, eng *engine.Engine, source, file, output string,
	options engine.AggregateOptions,
) error {
	r, size, err := a.openAccounts(cmd.Context(), file)
	if err != nil {
		return err
	}
	defer r.Close()
	bar := a.progressBar("handing in "+source, size)
	defer bar.finish()
	task, err := eng.StartAggregation(cmd.Context(), source, bar.reader(r), options)
	if err != nil {
		return missingError(err)
	}
	if output == "json" {
		return a.printTask(&task, outputJSON)
	}
	fmt.Fprintf(a.stdout, "aggregating %q: task %s\n", source, task.ID)
	return nil
}

// acceptMissingFlag adds the flag that names attributes which the data may lack.
func acceptMissingFlag(cmd *cobra.Command, names *[]string) {
	cmd.Flags().StringSliceVar(names, "accept-missing", nil,
		"attributes that the data may lack though accounts have values of them, which they lose")
}

// missingError names the flag where the engine names its option.
func missingError(err error) error {
	if text := err.Error(); engine.KindOf(err) == engine.Invalid && strings.Contains(text, "AcceptMissing:") {
		return usageError{errors.New(strings.Replace(text, "AcceptMissing:", "--accept-missing:", 1))}
	}
	return err
}

func (a *app) aggregate(cmd *cobra.Command, eng *engine.Engine, source, file string,
	options engine.AggregateOptions,
) (engine.AggregateResult, error) {
	r, size, err := a.openAccounts(cmd.Context(), file)
	if err != nil {
		return engine.AggregateResult{}, err
	}
	defer r.Close()
	bar := a.progressBar("aggregating "+source, size)
	defer bar.finish()
	a.keep("nothing of this aggregation is kept: the accounts of %s are as they were", source)
	result, err := eng.Aggregate(cmd.Context(), source, bar.reader(r), options)
	if err == nil && !options.DryRun {
		a.keep("the accounts are kept; their identities wait to be processed: muster process")
	}
	return result, err
}

// openAccounts opens a file with accounts, and returns its size or -1. Reading it ends with the context, also from a
// standard input that gives nothing.
func (a *app) openAccounts(ctx context.Context, file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		return delimited.NewStream(ctx, a.stdin), -1, nil
	}
	f, err := delimited.OpenFile(ctx, file)
	if err != nil {
		return nil, 0, usageError{fmt.Errorf("%w; a pipe can be read as standard input, with --file -", err)}
	}
	return f, f.Size(), nil
}

// reader returns a reader of r that shows its progress on the bar. Without a bar it returns r itself, which can be read
// again.
func (p progress) reader(r io.Reader) io.Reader {
	if p.bar == nil {
		return r
	}
	if seeker, seekable := r.(io.ReadSeeker); seekable {
		return &countedFile{seeker, p}
	}
	return io.TeeReader(r, p.bar)
}

// countedFile shows the position of the reading in a file.
type countedFile struct {
	io.ReadSeeker
	progress progress
}

func (c *countedFile) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	_ = c.progress.bar.Add(n)
	return n, err
}

func (a *app) printAggregation(r engine.AggregateResult) {
	for _, fault := range r.RowErrors {
		fmt.Fprintf(a.stderr, "line %d: %s\n", fault.Line, fault.Msg)
	}
	if more := r.Faulty - len(r.RowErrors); more > 0 {
		fmt.Fprintf(a.stderr, "and %d more rows that could not be read\n", more)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(a.stderr, "note: %s\n", note)
	}
	if r.DryRun {
		fmt.Fprintln(a.stdout, "dry run: nothing is changed")
	}
	fmt.Fprintf(a.stdout, "%s: %d rows", r.Source, r.Rows)
	if r.Faulty > 0 {
		fmt.Fprintf(a.stdout, " and %d faulty", r.Faulty)
	}
	fmt.Fprintf(a.stdout, "; accounts: %d added, %d changed, %d unchanged, %d removed; %d correlated, %d identities "+
		"created\n",
		r.Added, r.Changed, r.Unchanged, r.Removed, r.Correlated+r.Moved, r.Identities)
	if r.Renamed > 0 {
		fmt.Fprintf(a.stdout, "%d accounts have another name at the source, and are the same by their stable identity"+
			"\n", r.Renamed)
	}
	if r.Moved > 0 {
		fmt.Fprintf(a.stdout, "%d accounts belong to another identity than before\n", r.Moved)
	}
	if r.Orphaned > 0 {
		people, are := "people", "are"
		if r.Orphaned == 1 {
			people, are = "person", "is"
		}
		if r.DryRun {
			fmt.Fprintf(a.stdout, "%d %s would not be in the source any more\n", r.Orphaned, people)
		} else {
			fmt.Fprintf(a.stdout, "%d %s %s not in the source any more: muster identities list --quick orphaned\n",
				r.Orphaned, people, are)
		}
	}
	if r.Waiting > 0 {
		fmt.Fprintf(a.stdout, "%d new accounts may belong to the people of others: they are correlated when these are "+
			"processed, or become identities at the next aggregation\n", r.Waiting)
	}
	if r.Ambiguous > 0 {
		fmt.Fprintf(a.stdout, "%d accounts stay uncorrelated because several identities fit them\n", r.Ambiguous)
	}
}
