package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

// listFlags are the flags of every command that lists a collection by filters and sorters.
type listFlags struct {
	params          engine.PageParams
	limit           int
	published       bool
	output, columns string
}

// register adds the flags to a command. The limit is what it was set to before, and columns are the members that a
// table or CSV shows.
func (l *listFlags) register(cmd *cobra.Command, columns string) {
	if l.limit == 0 {
		l.limit = filterql.LimitDefault
	}
	flags := cmd.Flags()
	flags.StringVar(&l.params.Filters, "filters", "", `filter, such as 'name sw "jo"'`)
	flags.StringVar(&l.params.Sorters, "sorters", "", "fields to sort by, with - before a field for descending")
	flags.IntVar(&l.limit, "limit", l.limit, "most results to show, 0 to 250")
	flags.IntVar(&l.params.Offset, "offset", 0, "results to skip")
	flags.StringVar(&l.params.After, "after", "", "cursor of the page to show")
	flags.BoolVar(&l.params.Count, "count", false, "count all results, on stderr")
	flags.BoolVar(&l.published, "published", false, "allow only the fields and operators that the API publishes")
	listOutput(cmd, &l.output)
	flags.StringVar(&l.columns, "columns", columns, "members to show in a table or CSV")
}

// page returns the parameters of the list.
func (l *listFlags) page() engine.PageParams {
	params := l.params
	params.Limit, params.AnyField = &l.limit, !l.published
	return params
}

// ownTable reports whether a command shows a table of its own: where one is asked for, and no columns are.
func (l *listFlags) ownTable(cmd *cobra.Command) bool {
	return l.output == outputTable && !cmd.Flags().Changed("columns")
}

// check refuses an output that is unknown, before anything is read.
func (l *listFlags) check() error { return demandListOutput(l.output) }

// listWith reads a page and shows it in the form that the flags ask for.
func listWith[T any](ctx context.Context, a *app, l *listFlags, read func(*engine.Engine) (engine.Page[T], error),
) error {
	if err := l.check(); err != nil {
		return err
	}
	return a.withEngine(ctx, func(eng *engine.Engine) error {
		page, err := read(eng)
		if err != nil {
			return err
		}
		return showPage(a, l, &page)
	})
}

// getCommand is the command that shows one item by its ID, by default as JSON.
func getCommand[T any](a *app, noun, columns string, get func(*engine.Engine, context.Context, string) (T, error),
) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "get ID", Short: "Show one " + noun, Args: exactArgs(1, "one ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				item, err := get(eng, cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return showItem(a, output, columns, item)
			})
		},
	}
	itemOutput(cmd, &output)
	return cmd
}

// itemOutput adds the flag for the form to a command that shows one item, by default as JSON.
func itemOutput(cmd *cobra.Command, output *string) {
	listOutput(cmd, output)
	*output = outputJSON
	flag := cmd.Flags().Lookup("output")
	flag.DefValue, flag.Usage = outputJSON, "json, yaml, table or csv"
}

// showItem writes one item in a form.
func showItem[T any](a *app, output, columns string, item T) error {
	if structured(output) {
		return a.printValue(item, output)
	}
	return writeItems(a.stdout, output, columns, []T{item})
}

// showPage writes a page in the form that the flags ask for. What is not the list goes to stderr.
func showPage[T any](a *app, l *listFlags, page *engine.Page[T]) error {
	if err := writeItems(a.stdout, l.output, l.columns, page.Items); err != nil {
		return err
	}
	a.showEnd(page.Total, page.Next)
	return nil
}

// showEnd writes the total of a list, where it was counted, and the cursor of its next page to stderr, so that stdout
// has only the list.
func (a *app) showEnd(total *int, next string) {
	if total != nil {
		fmt.Fprintf(a.stderr, "total: %d\n", *total)
	}
	if next != "" {
		fmt.Fprintf(a.stderr, "next page: --after %s\n", next)
	}
}

// writeItems writes what a list has, in a form.
func writeItems[T any](w io.Writer, output, columns string, items []T) error {
	if structured(output) {
		return writeValue(w, items, output)
	}
	names := strings.Split(columns, ",")
	rows := make([][]string, 1, len(items)+1)
	rows[0] = make([]string, len(names))
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		rows[0][i] = names[i]
	}
	for i := range items {
		values, err := members(&items[i], names)
		if err != nil {
			return err
		}
		rows = append(rows, values)
	}
	if output == outputCSV {
		return writeCSV(w, rows)
	}
	rows[0] = headingsOf(names)
	return writeAligned(w, rows)
}
