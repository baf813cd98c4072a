package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) identitiesEraseCommand() *cobra.Command {
	var options engine.EraseOptions
	var yes bool
	var output string
	cmd := &cobra.Command{
		Use: "erase ID|ALIAS", Short: "Remove a person's data, also from history, operations and tasks",
		Long: `Erase deletes an identity, and removes its stored data: its history, its operations on sources, messages,
tokens, roles, and the messages of tasks about it. It also removes the identity's ID, names and e-mail addresses from
the history of other identities. Then it searches all tables, and reports everything that is left. An identity that was
deleted before can be erased by its ID.

First remove the accounts on the sources, and aggregate the sources: an account that still exists comes back. --accounts
removes the accounts that are stored here. Erasing cannot be undone: without --yes you have to type the ID.`,
		Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withIdentity(ctx, args[0], func(eng *engine.Engine, id string) error {
				if !yes {
					if err := a.confirm(id); err != nil {
						return err
					}
				}
				erasure, err := eng.EraseIdentity(ctx, id, options)
				var blocked *engine.AssociationsError
				if errors.As(err, &blocked) {
					fmt.Fprintf(a.stderr, "muster: %s: %s\n", args[0], blocked.Message)
					return errors.Join(a.printAssociations(blocked.Associations), printedError{exitFailed})
				}
				if err != nil {
					return err
				}
				if err := a.printErasure(&erasure, output); err != nil || output == outputJSON {
					return err
				}
				return a.process(ctx, eng)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&options.Accounts, "accounts", false, "also remove the accounts that are stored here")
	flags.BoolVar(&yes, "yes", false, "do not ask")
	flags.StringVarP(&output, "output", "o", outputTable, "table or json (which does not process other identities)")
	return cmd
}

// confirm asks the user to type the ID that will be erased.
func (a *app) confirm(id string) error {
	fmt.Fprintf(a.stderr, "This cannot be undone. Type the ID %s to go on: ", id)
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != id {
		return usage("the ID was not typed: nothing was erased")
	}
	return nil
}

func (a *app) printErasure(e *engine.Erasure, output string) error {
	if output == outputJSON {
		return a.printJSON(e)
	}
	rows := [][]string{{"TABLE", "ROWS", ""}}
	for _, r := range e.Rows {
		what := "removed"
		if r.Emptied {
			what = "emptied"
		}
		rows = append(rows, []string{r.Table, strconv.FormatInt(r.Rows, 10), what})
	}
	if err := writeAligned(a.stdout, rows); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "erased %s\n", e.Identity)
	for _, t := range e.Left {
		fmt.Fprintf(a.stdout, "still found: %s.%s, %d rows\n", t.Table, t.Column, t.Rows)
	}
	if len(e.Left) == 0 {
		fmt.Fprintln(a.stdout, "nothing is found any more")
	}
	return nil
}

func (a *app) purgeCommand() *cobra.Command {
	var older, output string
	cmd := &cobra.Command{
		Use: "purge", Short: "Remove old history, operations and tasks that have ended",
		Args: exactArgs(0, "no argument"),
		Long: `Purge removes data that has ended and is older than --older-than: events of the history, operations on
sources, tasks and slots, which are removed after 90 days in any case, and the memory of what was given on accounts that
vanished. Without --older-than, events stay for two years, operations and vanished accounts for one. Daily statistics,
which tell of nobody, stay for 400 days in any case. Purge never removes anything that is open, held or waiting.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			var options engine.PurgeOptions
			if older != "" {
				age, err := parseAge(older)
				if err != nil {
					return err
				}
				options = engine.PurgeOptions{Events: age, Operations: age, Slots: min(age, engine.SlotRetention),
					Tasks: min(age, engine.TaskRetention), Vanished: age}
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				result, err := eng.Purge(cmd.Context(), options)
				if err != nil {
					return err
				}
				if output == outputJSON {
					return a.printJSON(result)
				}
				fmt.Fprintf(a.stdout, "removed %d events, %d operations, %d tasks, %d slots, %d tokens, %d sessions, "+
					"%d attempts, %d vanished accounts, %d days of statistics\n", result.Events, result.Operations,
					result.Tasks, result.Slots, result.Tokens, result.Sessions, result.Attempts, result.Vanished,
					result.Statistics)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&older, "older-than", "", "age, such as 365d or 720h")
	cmd.Flags().StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

// ageDaysMax is the greatest age in days: a hundred years.
const ageDaysMax = 36_525

// parseAge reads a number of days, such as 365d, or a duration of Go.
func parseAge(text string) (time.Duration, error) {
	if number, isDays := strings.CutSuffix(text, "d"); isDays {
		if days, err := strconv.Atoi(number); err == nil && days > 0 && days <= ageDaysMax {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	} else if age, err := time.ParseDuration(text); err == nil && age > 0 {
		return age, nil
	}
	return 0, usage("--older-than: %q is given where a time such as 365d or 720h is expected", text)
}
