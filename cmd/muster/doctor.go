package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/migrations"
)

// exitWarning is the doctor's exit code if there are warnings and no failures.
const exitWarning = 3

func (a *app) doctorCommand() *cobra.Command {
	var options engine.DoctorOptions
	var output string
	var all bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Examine the tenant, and repair what is safe to repair",
		Args: exactArgs(0, "no argument"),
		Long: `Doctor examines every invariant of the rows, the tables, stalled work, the schedule, the clock and the
server's settings, in one read-only transaction. Its output names identities only by ID. --repair repairs what is safe
to repair, and examines again. --thorough also reads all identities.

Exit codes: 0 all is well, 1 there are failures (or the tenant could not be examined), 2 bad input, 3 there are only
warnings.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			if options.Timeout <= 0 {
				return usage("--timeout: %s is given where a time such as 5m is expected", options.Timeout)
			}
			ctx := cmd.Context()
			var diagnosis engine.Diagnosis
			err := a.withEngine(ctx, func(eng *engine.Engine) (err error) {
				diagnosis, err = eng.Doctor(ctx, options)
				return err
			})
			if unfit := unfit(err); unfit != nil {
				diagnosis, err = *unfit, nil
			}
			if err != nil {
				return err
			}
			if err := a.printDiagnosis(&diagnosis, output, all); err != nil {
				return err
			}
			switch diagnosis.Severity {
			case engine.SeverityFailure:
				return printedError{exitFailed}
			case engine.SeverityWarning:
				return printedError{exitWarning}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&options.Repair, "repair", false, "repair what is safe to repair")
	flags.BoolVar(&options.Thorough, "thorough", false,
		"also compare derived data with the values of all identities")
	flags.DurationVar(&options.Timeout, "timeout", engine.DoctorTimeoutDefault, "longest time of one statement")
	flags.BoolVar(&all, "all", false, "also show the checks without findings in the table")
	flags.StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

// unfit returns a diagnosis if the error says that this program does not work with the version of the tables, because
// then nothing else can be examined. It returns nil for any other error.
func unfit(err error) *engine.Diagnosis {
	var known *engine.Error
	if !errors.Is(err, migrations.ErrTooOld) && !errors.Is(err, migrations.ErrTooNew) || !errors.As(err, &known) {
		return nil
	}
	check := engine.Check{Name: "schema-version", Severity: engine.SeverityFailure, Count: 1, Examples: []string{},
		Mend: known.Err.Error()}
	return &engine.Diagnosis{At: time.Now().UTC(), Severity: engine.SeverityFailure, Checks: []engine.Check{check},
		Repairs: []engine.Repair{}}
}

func (a *app) printDiagnosis(d *engine.Diagnosis, output string, all bool) error {
	if output == outputJSON {
		return a.printJSON(d)
	}
	for _, r := range d.Repairs {
		if r.Error != "" {
			fmt.Fprintf(a.stdout, "not mended: %s: %s\n", r.Check, oneLine(r.Error))
			continue
		}
		fmt.Fprintf(a.stdout, "mended: %s: %s (%d)\n", r.Check, r.Done, r.Count)
	}
	rows := [][]string{{"CHECK", "RESULT", "COUNT", "WHAT MENDS IT"}}
	counts := map[engine.Severity]int{}
	var examples []string
	for _, c := range d.Checks {
		counts[c.Severity]++
		if c.Severity == engine.SeverityOK && !all {
			continue
		}
		mend := c.Mend
		if c.Reparable {
			mend += " (--repair does)"
		}
		rows = append(rows, []string{c.Name, string(c.Severity), strconv.FormatInt(c.Count, 10), oneLine(mend)})
		if len(c.Examples) > 0 {
			examples = append(examples, fmt.Sprintf("%s: %s", c.Name, oneLine(strings.Join(c.Examples, ", "))))
		}
	}
	if len(rows) > 1 {
		if err := writeAligned(a.stdout, rows); err != nil {
			return err
		}
	}
	for _, text := range examples {
		fmt.Fprintln(a.stdout, text)
	}
	fmt.Fprintf(a.stdout, "%d checks: %d ok, %d warnings, %d failures\n", len(d.Checks), counts[engine.SeverityOK],
		counts[engine.SeverityWarning], counts[engine.SeverityFailure])
	return nil
}
