package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

// measureTypes are what the numbers of each measure may be narrowed down to.
var measureTypes = map[engine.Measure]engine.ObjectType{
	engine.MeasurePopulation: engine.TypeIdentityProfile, engine.MeasureMembers: engine.TypeRole,
	engine.MeasureAccounts: engine.TypeSource, engine.MeasureFailed: engine.TypeSource,
}

func measureWords() []string {
	var list []string
	for _, m := range engine.Measures() {
		list = append(list, strings.ToLower(string(m)))
	}
	return list
}

func (a *app) statisticsCommand() *cobra.Command {
	var output, of string
	days := 30
	cmd := &cobra.Command{
		Use: "statistics [MEASURE]", Short: "Show how many identities there are, and numbers day by day",
		Long: `Statistics shows how many identities there are, by profile, lifecycle state and identity state. With a
measure it shows a number for each day:

  population  identities, by lifecycle state     failed   operations that were given up, by source
  members     identities that have a role        changes  events of the history, by type
  accounts    accounts, by source

All numbers are stored: whoever works counts once an hour at least, and "muster statistics count" counts now. A day on
which nobody counted is not shown, since its numbers are unknown.`,
		Example: `  muster statistics
  muster statistics population --days 90 -o csv
  muster statistics members --of "Sales" --days 14`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("at most one MEASURE is expected: %s", orList(measureWords()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			if len(args) == 0 {
				if of != "" || cmd.Flags().Changed("days") {
					return usage("--days and --of need a MEASURE: %s", orList(measureWords()))
				}
				return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
					return a.printPopulation(cmd.Context(), eng, output)
				})
			}
			query := engine.TrendQuery{Measure: engine.Measure(strings.ToUpper(args[0])), Days: days}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				return a.printTrend(cmd.Context(), eng, query, of, output)
			})
		},
	}
	cmd.ValidArgsFunction = words(measureWords()...)
	cmd.Flags().IntVar(&days, "days", days, "how many days, the last of which is today, 1 to 400")
	cmd.Flags().StringVar(&of, "of", "", "only this role, source or identity profile: a name or an ID")
	listOutput(cmd, &output)
	cmd.AddCommand(&cobra.Command{
		Use: "count", Short: "Count now, and write the numbers of the day", Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				if err := eng.CountStatistics(cmd.Context()); err != nil {
					return err
				}
				return a.printPopulation(cmd.Context(), eng, outputTable)
			})
		},
	})
	return cmd
}

// printPopulation shows how many identities there are.
func (a *app) printPopulation(ctx context.Context, eng *engine.Engine, output string) error {
	population, err := eng.Population(ctx)
	if err != nil {
		return err
	}
	rows := [][]string{{"PROFILE", "LIFECYCLE STATE", "IDENTITY STATE", "IDENTITIES"}}
	for _, g := range population.Groups {
		rows = append(rows, []string{g.Profile, g.LifecycleState, g.IdentityState,
			strconv.FormatInt(g.Identities, 10)})
	}
	if err := a.showRows(output, population, rows); err != nil || output != outputTable {
		return err
	}
	text := "nobody has counted yet: muster statistics count"
	if !population.Counted.IsZero() {
		text = fmt.Sprintf("%d identities, counted at %s", population.Identities,
			population.Counted.Format(time.RFC3339))
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}

// printTrend shows the numbers of days.
func (a *app) printTrend(ctx context.Context, eng *engine.Engine, query engine.TrendQuery, of, output string) error {
	if of != "" {
		kind, known := measureTypes[query.Measure]
		if !known {
			return usage("--of: nothing belongs to %s", strings.ToLower(string(query.Measure)))
		}
		object, err := eng.ConfigurationObject(ctx, kind, of)
		if err != nil {
			return err
		}
		query.Object = object.ID
	}
	points, err := eng.Trend(ctx, query)
	if err != nil {
		return err
	}
	rows := [][]string{{"DAY", "NAME", "COUNT"}}
	for i := range points {
		day := points[i].Day
		for _, c := range points[i].Counts {
			rows = append(rows, []string{day, c.Name, strconv.FormatInt(c.Count, 10)})
			if output == outputTable {
				day = ""
			}
		}
		if len(points[i].Counts) == 0 {
			rows = append(rows, []string{day, "", "0"})
		}
	}
	return a.showRows(output, points, rows)
}
