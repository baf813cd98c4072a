package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
)

func (a *app) processCommand() *cobra.Command {
	var profile, output string
	var all, wait bool
	cmd := &cobra.Command{
		Use:   "process [ID|ALIAS... | --profile PROFILE | --all]",
		Short: "Process identities: those named, or all that wait for it",
		Long: `Process calculates identities: attributes, lifecycle state, manager and roles, and writes what differs.

Without arguments it carries out every task that waits, to the end. With identities (1 to 250), a profile or --all it
launches a task and prints its ID; a worker carries it out ("muster worker", or a host's engine). With --wait this
command does it itself and shows how it went.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen := 0
			for _, given := range []bool{len(args) > 0, profile != "", all} {
				if given {
					chosen++
				}
			}
			switch {
			case chosen > 1:
				return usage("identities, --profile and --all exclude each other")
			case chosen == 0 && (wait || output != outputTable):
				return usage("--wait and --output go with identities, --profile or --all")
			}
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				if chosen == 0 {
					return a.process(ctx, eng)
				}
				task, err := launchProcess(ctx, eng, args, profile)
				if err == nil && wait {
					task, err = a.processTask(ctx, eng, task.ID)
				}
				if err != nil {
					return err
				}
				if err := a.printTask(&task, output); err != nil {
					return err
				}
				return taskExit(&task)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&profile, "profile", "", "process the identities of this identity profile, ID or name")
	flags.BoolVar(&all, "all", false, "process all identities")
	flags.BoolVar(&wait, "wait", false, "carry the task out now, and show how it went")
	flags.StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

// The forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

func demandOutput(output string, allowed ...string) error {
	for _, form := range allowed {
		if output == form {
			return nil
		}
	}
	return usage("--output: %q is unknown: %s is expected", output, orList(allowed))
}

func orList(words []string) string {
	text := ""
	for i, word := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			text += " or "
		default:
			text += ", "
		}
		text += word
	}
	return text
}

// launchProcess launches the task that the arguments ask for.
func launchProcess(ctx context.Context, eng *engine.Engine, names []string, profile string) (engine.TaskStatus, error) {
	switch {
	case profile != "":
		return eng.ProcessProfile(ctx, profile)
	case len(names) == 0:
		return eng.ProcessAll(ctx)
	}
	ids, err := identityIDs(ctx, eng, names)
	if err != nil {
		return engine.TaskStatus{}, err
	}
	return eng.ProcessIdentities(ctx, ids)
}

// identityIDs returns the IDs of identities that are named by ID or alias.
func identityIDs(ctx context.Context, eng *engine.Engine, names []string) ([]string, error) {
	ids := make([]string, len(names))
	for i, name := range names {
		if _, err := store.ParseID(name); err == nil {
			ids[i] = name
			continue
		}
		identity, err := eng.FindIdentity(ctx, name)
		if err != nil {
			return nil, err
		}
		ids[i] = identity.ID
	}
	return ids, nil
}

// processTask carries a task out.
func (a *app) processTask(ctx context.Context, eng *engine.Engine, id string) (engine.TaskStatus, error) {
	bar := a.progressBar("processing", -1)
	defer bar.finish()
	return eng.ProcessTask(ctx, id, engine.ProcessOptions{Progress: func(done, waiting int) {
		bar.set(done, done+waiting)
	}})
}

// taskExit makes the exit code of a task that did not come to a good end.
func taskExit(task *engine.TaskStatus) error {
	if task.Held != "" || task.Ended() && *task.CompletionStatus == "ERROR" {
		return printedError{exitFailed}
	}
	return nil
}

// process carries out what waits and says how that went.
func (a *app) process(ctx context.Context, eng *engine.Engine) error {
	result, err := a.processPending(ctx, eng)
	a.printProcessed(result)
	if err == nil && len(result.Held) > 0 {
		err = printedError{exitFailed}
	}
	return err
}

func (a *app) processPending(ctx context.Context, eng *engine.Engine) (engine.ProcessResult, error) {
	bar := a.progressBar("processing", -1)
	defer bar.finish()
	return eng.ProcessPending(ctx, engine.ProcessOptions{Progress: func(done, waiting int) {
		bar.set(done, done+waiting)
	}})
}

func (a *app) printProcessed(result engine.ProcessResult) {
	if result.Identities > 0 {
		fmt.Fprintf(a.stdout, "processed %d identities: %d changed, %d errors, %d roles gained, %d lost\n",
			result.Identities, result.Changed, result.Errors, result.RolesGained, result.RolesLost)
	}
	for _, id := range result.Held {
		a.printHeld(id, "")
	}
}

// printHeld says what to do about a task that the guard holds.
func (a *app) printHeld(id, reason string) {
	if reason != "" {
		reason = ": " + reason
	}
	fmt.Fprintf(a.stderr, "The task %s is held%s.\n"+
		"See what it would go on to do:  muster preview --task %s\n"+
		"Let it go on:                   muster tasks confirm %s\n"+
		"End it:                         muster tasks cancel %s\n", id, reason, id, id, id)
}
