package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) processCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "process",
		Short: "Calculate the identities that are marked for it",
		Args:  exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error { return a.process(cmd.Context(), eng) })
		},
	}
}

// process calculates what is marked and says how that went.
func (a *app) process(ctx context.Context, eng *engine.Engine) error {
	result, err := a.processPending(ctx, eng)
	a.printProcessed(result)
	return err
}

func (a *app) processPending(ctx context.Context, eng *engine.Engine) (engine.ProcessResult, error) {
	bar := a.progressBar("processing", -1)
	defer bar.finish()
	return eng.ProcessPending(ctx, engine.ProcessOptions{Progress: func(done, waiting int) {
		bar.set(done,
			done+waiting)
	}})
}

func (a *app) printProcessed(result engine.ProcessResult) {
	if result.Identities > 0 {
		fmt.Fprintf(a.stdout, "processed %d identities: %d changed, %d errors\n", result.Identities, result.Changed,
			result.Errors)
	}
}
