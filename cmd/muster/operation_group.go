package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) operationErrorsCommand() *cobra.Command {
	query := engine.OperationQuery{States: []string{"FAILED"}, Limit: operationsShown}
	var output string
	cmd := &cobra.Command{
		Use: "errors", Short: "Count the operations that failed, those with equal errors together",
		Long: `Errors counts the operations that failed by source, kind and error. Errors count as equal where they
differ only in what they quote and in numbers.`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				counts, err := eng.OperationCounts(cmd.Context(), query)
				if err != nil {
					return err
				}
				rows := [][]string{{"SOURCE", "OPERATION", "OPERATIONS", "IDENTITIES", "LATEST", "ERROR"}}
				for i := range counts {
					c := &counts[i]
					rows = append(rows, []string{c.Source.Name, operationName(c.Kind), strconv.Itoa(c.Operations),
						strconv.Itoa(c.Identities), c.Latest.Format(time.RFC3339), c.ErrorClass})
				}
				return a.showRows(output, counts, rows)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&query.Source, "source", "", "only those on a source, ID or name")
	flags.IntVar(&query.Limit, "limit", operationsShown, "most counts to show, 1 to 1000")
	listOutput(cmd, &output)
	return cmd
}

func (a *app) retryCommand() *cobra.Command {
	var params engine.RetryParams
	cmd := &cobra.Command{
		Use: "retry", Short: "Try operations again that failed",
		Long: `Retry launches a task that processes those for whom an operation failed: what is still wanted is opened
again, and what is not is dropped. Without flags it takes all that failed.`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				task, err := eng.RetryOperations(cmd.Context(), params)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "%s: task %s\n", task.Description, task.ID)
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&params.Source, "source", "", "only those on a source, ID or name")
	flags.StringVar(&params.Kind, "kind", "", "only those of a kind, such as CREATE")
	flags.StringVar(&params.ErrorClass, "error", "", `only those with an error, as "muster operations errors" shows it`)
	return cmd
}
