package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) sourceCommand() *cobra.Command {
	return group(&cobra.Command{Use: "source", Aliases: []string{"sources"},
		Short: "List, test, discover, aggregate and synchronize sources with their connectors"},
		a.sourceListCommand(), a.sourceTestCommand(), a.sourceDiscoverCommand(), a.sourceAggregateCommand(),
		a.sourceSyncCommand())
}

func (a *app) sourceListCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "list", Short: "List the sources and the state of their aggregation", Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				states, err := eng.Sources(cmd.Context())
				if err != nil {
					return err
				}
				rows := [][]string{{"SOURCE", "CONNECTOR", "SCHEDULE", "NEXT", "LAST", "ERROR"}}
				for i := range states {
					s := &states[i]
					connector := s.Connector
					if !s.Connected {
						connector += " (by hand)"
					}
					rows = append(rows, []string{s.Source, connector, s.Schedule, dateText(s.Next), dateText(s.Last),
						s.Error})
				}
				return a.showRows(output, states, rows)
			})
		},
	}
	listOutput(cmd, &output)
	return cmd
}

func (a *app) sourceTestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test SOURCE", Short: "Test whether a source can be reached", Args: exactArgs(1, "one SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				if err := eng.TestSource(cmd.Context(), args[0]); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "the source %q can be reached\n", args[0])
				return nil
			})
		},
	}
}

func (a *app) sourceDiscoverCommand() *cobra.Command {
	return &cobra.Command{
		Use: "discover SOURCE", Short: "Show the schemas that a source describes", Args: exactArgs(1, "one SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				schemas, err := eng.DiscoverSource(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.printJSON(map[string]any{"schemas": schemas})
			})
		},
	}
}

func (a *app) sourceAggregateCommand() *cobra.Command {
	var maxDeletions string
	var acceptMissing []string
	var maxObjects int
	var changes, dryRun, noProcess bool
	cmd := &cobra.Command{
		Use: "aggregate SOURCE", Short: "Read the accounts of a source with its connector",
		Long: `Aggregate reads a source with its connector, as "muster aggregate" reads a text. It reads everything, or
with --changes only the changes since the last time, if the source can tell them.`,
		Args: exactArgs(1, "one SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			options := engine.AggregateOptions{Delta: changes, DryRun: dryRun, MaxObjects: maxObjects,
				AcceptMissing: acceptMissing}
			if maxObjects < 1 {
				return usage("--max-objects: at least 1 is expected")
			}
			if maxDeletions != "" {
				limit, err := engine.ParseDeletionLimit(maxDeletions)
				if err != nil {
					return usage("--max-deletions: %w", err)
				}
				options.MaxDeletions = &limit
			}
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				a.keep("nothing of this aggregation is kept: the accounts of %s are as they were", args[0])
				result, err := eng.AggregateSource(ctx, args[0], options)
				if err != nil {
					return err
				}
				if !dryRun {
					a.keep("the accounts are kept; their identities wait to be processed: muster process")
				}
				a.printAggregation(result)
				if noProcess || dryRun {
					return nil
				}
				return a.process(ctx, eng)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&changes, "changes", false, "read only the changes since the last time")
	acceptMissingFlag(cmd, &acceptMissing)
	flags.StringVar(&maxDeletions, "max-deletions", "",
		"most accounts to remove, such as 25 or 10% (default: the source's deleteThreshold)")
	flags.IntVar(&maxObjects, "max-objects", engine.ObjectsDefault,
		"most objects to read; with more the aggregation is refused")
	flags.BoolVar(&dryRun, "dry-run", false, "only say what the aggregation would do: change nothing")
	flags.BoolVar(&noProcess, "no-process", false, "do not process the identities concerned now: leave their requests")
	return cmd
}

func (a *app) sourceSyncCommand() *cobra.Command {
	return &cobra.Command{
		Use: "sync SOURCE", Short: "Update the attributes of all accounts of a source from their identities",
		Args: exactArgs(1, "one SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				job, err := eng.SynchronizeSource(ctx, args[0])
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "synchronizing %q: task %s\n", args[0], job.ID)
				return a.process(ctx, eng)
			})
		},
	}
}

func (a *app) syncCommand() *cobra.Command {
	var dryRun bool
	var filters, output string
	cmd := &cobra.Command{
		Use:   "sync ID|ALIAS... | --filters FILTER",
		Short: "Update the attributes of identities' accounts from the identities",
		Long: `Sync compares the accounts of identities with the identities, by the sources' attributeSyncConfig, and
writes the differences to the sources. An identity can be synchronized once in ten seconds. With --dry-run it only shows
what it would write.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandFilter(cmd); err != nil {
				return err
			}
			if (len(args) > 0) == (filters != "") {
				return usage("%s takes either identities or --filters", cmd.CommandPath())
			}
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				ids, err := identityIDs(ctx, eng, args)
				if err != nil {
					return err
				}
				if dryRun {
					params := engine.PreviewParams{IDs: ids, Filters: filters, Synchronize: true}
					return a.showPreview(ctx, eng, params, output, 0)
				}
				if filters != "" {
					task, err := eng.SynchronizeMatching(ctx, matching(filters))
					if err != nil {
						return err
					}
					fmt.Fprintf(a.stdout, "%s: task %s\n", task.Description, task.ID)
				}
				for _, id := range ids {
					job, err := synchronize(ctx, eng, id)
					if err != nil {
						return err
					}
					fmt.Fprintf(a.stdout, "synchronizing %s: task %s\n", id, job.ID)
				}
				return a.process(ctx, eng)
			})
		},
	}
	filtersFlag(cmd, &filters)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be written")
	cmd.Flags().StringVarP(&output, "output", "o", outputTable, "table or json, of a dry run")
	return cmd
}

func (a *app) identitiesSyncCommand() *cobra.Command {
	var wait bool
	var output string
	cmd := &cobra.Command{
		Use: "sync ID|ALIAS", Short: "Update the attributes of an identity's accounts from the identity",
		Long: `Sync launches the synchronization of the attributes of one identity and prints its job. A worker carries
it out; with --wait this command does. An identity can be synchronized once in ten seconds. "muster sync" does the same
for several identities, and with --dry-run shows what it would write.`,
		Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withIdentity(ctx, args[0], func(eng *engine.Engine, id string) error {
				job, err := synchronize(ctx, eng, id)
				if err != nil {
					return err
				}
				var result processed
				if wait {
					if result, err = a.processPending(ctx, eng); err != nil {
						return err
					}
					if job, err = eng.SyncJob(ctx, job.ID); err != nil {
						return err
					}
				}
				return a.printSynchronized(id, &job, &result, output)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&wait, "wait", false, "carry it out now, with everything else that waits, and show the result")
	flags.StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

// printSynchronized shows the synchronization of an identity and the result of its processing.
func (a *app) printSynchronized(id string, job *engine.IdentitySyncJob, result *processed, output string) error {
	if output == outputJSON {
		if err := a.printJSON(job); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stdout, "synchronizing %s: task %s, %s\n", id, job.ID, job.Status)
		a.printProcessed(result)
		a.printProvisioned(result.Provisioning)
	}
	if job.Status == "ERROR" {
		return printedError{exitFailed}
	}
	return result.exit()
}

// synchronize requests the synchronization of an identity. If it is too early for that, the error says how long to
// wait.
func synchronize(ctx context.Context, eng *engine.Engine, id string) (engine.IdentitySyncJob, error) {
	job, err := eng.SynchronizeAttributes(ctx, id)
	var limited *engine.Error
	if errors.As(err, &limited) && limited.Kind == engine.RateLimited {
		return job, fmt.Errorf("%w: wait %s", err, limited.RetryAfter)
	}
	return job, err
}

func (a *app) operationsCommand() *cobra.Command {
	var query engine.OperationQuery
	var states, output string
	cmd := &cobra.Command{
		Use: "operations", Short: "List the operations on sources, open and ended",
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			if states != "" {
				query.States = strings.Split(strings.ToUpper(states), ",")
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				var err error
				if query.Identity, err = optionalIdentityID(ctx, eng, query.Identity); err != nil {
					return err
				}
				operations, err := eng.Operations(ctx, query)
				if err != nil {
					return err
				}
				if err := a.printOperations(operations, output); err != nil {
					return err
				}
				if len(operations) > 0 && len(operations) == query.Limit {
					fmt.Fprintf(a.stderr, "there may be more: --offset %d\n", query.Offset+len(operations))
				}
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&query.Identity, "identity", "", "only those for an identity, ID or alias")
	flags.StringVar(&query.Source, "source", "", "only those on a source")
	flags.StringVar(&states, "state", "",
		"only those in a state, or several: OPEN, MANUAL, PARKED, DONE, FAILED, RETRIED, CANCELLED")
	flags.IntVar(&query.Limit, "limit", operationsShown, "most operations to show, 1 to 1000")
	flags.IntVar(&query.Offset, "offset", 0, "operations to skip")
	listOutput(cmd, &output)
	cmd.AddCommand(a.operationsListCommand(), a.operationErrorsCommand(), a.retryCommand(), a.parkCommand(),
		a.releaseCommand())
	return cmd
}

func (a *app) operationsListCommand() *cobra.Command {
	var list listFlags
	var params engine.OperationListParams
	var states string
	cmd := &cobra.Command{
		Use: "list", Short: "List operations by filters and sorters, the latest first",
		Long: `List shows the operations that a filter selects. A filter may use every property of an operation, with
--published only those that the API publishes for account activities.`,
		Example: `  muster operations list --filters 'state eq "FAILED" and error co "timeout"' --count
  muster operations list --source Directory --filters 'kind eq "CREATE" and created ge 2026-01-01' -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := list.check(); err != nil {
				return err
			}
			if states != "" {
				params.States = strings.Split(strings.ToUpper(states), ",")
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				var err error
				if params.Identity, err = optionalIdentityID(ctx, eng, params.Identity); err != nil {
					return err
				}
				params.PageParams = list.page()
				page, err := eng.ListOperations(ctx, params)
				if err != nil {
					return err
				}
				if !list.ownTable(cmd) {
					return showPage(a, &list, &page)
				}
				if err := a.printOperations(page.Items, outputTable); err != nil {
					return err
				}
				a.showEnd(page.Total, page.Next)
				return nil
			})
		},
	}
	list.limit = operationsShown
	list.register(cmd, "id,created,state,source.name,nativeIdentity,operation,identity.name,reason,error")
	flags := cmd.Flags()
	flags.StringVar(&params.Identity, "identity", "", "only those for an identity, ID or alias")
	flags.StringVar(&params.Source, "source", "", "only those on a source, ID or name")
	flags.StringVar(&states, "state", "",
		"only those in a state, or several: OPEN, MANUAL, PARKED, DONE, FAILED, RETRIED, CANCELLED")
	return cmd
}

// operationsShown is how many operations a list shows where the command does not say how many.
const operationsShown = 50

func (a *app) parkCommand() *cobra.Command {
	var cause string
	cmd := &cobra.Command{
		Use: "park OPERATION --because CAUSE", Short: "Hold an open operation back until it is released",
		Args: exactArgs(1, "the ID of an operation"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				return eng.ParkOperation(cmd.Context(), args[0], cause)
			})
		},
	}
	cmd.Flags().StringVar(&cause, "because", "", "why it is held back, for those who read the list")
	return cmd
}

func (a *app) releaseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "release OPERATION", Short: "Let a parked operation be carried out",
		Args: exactArgs(1, "the ID of an operation"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				return eng.ReleaseOperation(cmd.Context(), args[0])
			})
		},
	}
}

func (a *app) printOperations(operations []engine.Operation, output string) error {
	rows := [][]string{{"ID", "CREATED", "STATE", "SOURCE", "ACCOUNT", "OPERATION", "ATTRIBUTES", "IDENTITY", "REASON",
		"FOR", "TRIES", "ERROR"}}
	for i := range operations {
		o := &operations[i]
		var attributes []string
		for name, value := range o.Attributes.All() {
			text := shownValue(value)
			if output != outputTable {
				text = string(value.AppendJSON(nil))
			}
			attributes = append(attributes, name+"="+text)
		}
		created, values := o.Created.Format(time.RFC3339), strings.Join(attributes, " ")
		if output == outputTable { // a person reads it
			created, values = dateText(&o.Created), cut(values, previewValueMax)
		}
		trouble := o.Error
		switch {
		case o.Outcome != "":
			trouble = o.Outcome
		case o.Parking != nil && o.Parking.By == engine.Actor{}:
			trouble = "parked: " + o.Parking.Cause
		case o.Parking != nil:
			trouble = fmt.Sprintf("parked by %s: %s", actorText(&o.Parking.By), o.Parking.Cause)
		}
		rows = append(rows, []string{o.ID, created, o.State, o.Source.Name, o.NativeIdentity,
			operationName(o.Kind), values, o.Identity.Name, o.Reason,
			actorText(&o.Actor), strconv.Itoa(o.Attempts), trouble})
	}
	return a.showRows(output, operations, rows)
}
