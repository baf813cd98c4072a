package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
)

func (a *app) processCommand() *cobra.Command {
	var filters, profile, output string
	var all, wait, dryRun bool
	cmd := &cobra.Command{
		Use:   "process [ID|ALIAS... | --filters FILTER | --profile PROFILE | --all]",
		Short: "Process the named identities, or everything that waits",
		Long: `Process reads identities, calculates their attributes, lifecycle states, managers and roles, and writes
what differs.

Without arguments it carries out every waiting task to its end. With identities (1 to 250), a filter, a profile or --all
it launches a task and prints its ID; a worker carries it out ("muster worker", or a host's engine). With --wait this
command carries it out itself and shows the result. Errors and warnings are shown with how many identities they are
about, and with examples.

With --dry-run it only shows what it would write, and what it would do on sources, for the named identities, the
profile, or all identities.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandFilter(cmd); err != nil {
				return err
			}
			chosen := 0
			for _, given := range []bool{len(args) > 0, filters != "", profile != "", all} {
				if given {
					chosen++
				}
			}
			switch {
			case chosen > 1:
				return usage("identities, --filters, --profile and --all exclude each other")
			case dryRun && wait:
				return usage("--dry-run and --wait exclude each other")
			case chosen == 0 && !dryRun && (wait || output != outputTable):
				return usage("--wait and --output go with identities, --filters, --profile or --all")
			}
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				if dryRun {
					return a.dryRun(ctx, eng, args, engine.PreviewParams{Filters: filters, Profile: profile}, output)
				}
				if chosen == 0 {
					return a.processWaiting(ctx, eng)
				}
				task, err := launchProcess(ctx, eng, args, filters, profile)
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
	filtersFlag(cmd, &filters)
	flags.StringVar(&profile, "profile", "", "process the identities of this identity profile, ID or name")
	flags.BoolVar(&all, "all", false, "process all identities")
	flags.BoolVar(&wait, "wait", false, "carry out the task now, and show the result")
	flags.BoolVar(&dryRun, "dry-run", false, "only show what would be done")
	flags.StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

// dryRun shows what processing would do.
func (a *app) dryRun(ctx context.Context, eng *engine.Engine, names []string,
	params engine.PreviewParams, output string,
) error {
	var err error
	if params.IDs, err = identityIDs(ctx, eng, names); err != nil {
		return err
	}
	return a.showPreview(ctx, eng, params, output, dryRunMax)
}

// dryRunMax is the most identities that a dry run shows one by one. Its totals count all.
const dryRunMax = 20

// showPreview shows a preview in a form.
func (a *app) showPreview(ctx context.Context, eng *engine.Engine, params engine.PreviewParams, output string,
	limit int,
) error {
	run := func(each func(*engine.PreviewChange) error) (engine.PreviewTotals, error) {
		return eng.Preview(ctx, params, each)
	}
	if output == outputJSON {
		return a.previewJSON(run)
	}
	return a.previewTable(ctx, eng, run, limit)
}

// launchProcess launches the task for the arguments.
func launchProcess(ctx context.Context, eng *engine.Engine, names []string, filters, profile string) (
	engine.TaskStatus, error,
) {
	switch {
	case filters != "":
		return eng.ProcessMatching(ctx, matching(filters))
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

// filtersFlag adds the flag that names identities by a filter.
func filtersFlag(cmd *cobra.Command, filters *string) {
	cmd.Flags().StringVar(filters, "filters", "", `all identities that match a filter, such as 'department eq "Sales"'`)
}

// demandFilter refuses an empty filter where a filter chooses whom something is done to. A script that lost its filter
// would otherwise do it to everybody.
func demandFilter(cmd *cobra.Command) error {
	flag := cmd.Flags().Lookup("filters")
	if flag.Changed && strings.TrimSpace(flag.Value.String()) == "" {
		return usage("--filters: an empty filter is given: leave the flag out, or give one such as %s",
			`'department eq "Sales"'`)
	}
	return nil
}

// matching returns the params of all identities that match a filter.
func matching(filters string) engine.ListParams {
	return engine.ListParams{AnyField: true, DefaultFilter: engine.NoDefault, Filters: filters}
}

// identityIDs returns the IDs of identities, which are named by ID or alias.
func identityIDs(ctx context.Context, eng *engine.Engine, names []string) ([]string, error) {
	ids := make([]string, len(names))
	for i, name := range names {
		var err error
		if ids[i], err = identityID(ctx, eng, name); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// identityID returns the ID of the identity that has name as its ID or alias.
func identityID(ctx context.Context, eng *engine.Engine, name string) (string, error) {
	if _, err := store.ParseID(name); err == nil {
		return name, nil
	}
	identity, err := eng.FindIdentity(ctx, name)
	return identity.ID, err
}

// optionalIdentityID is identityID for a flag that may be left out: it is "" then.
func optionalIdentityID(ctx context.Context, eng *engine.Engine, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	return identityID(ctx, eng, name)
}

// processTask carries out a task.
func (a *app) processTask(ctx context.Context, eng *engine.Engine, id string) (engine.TaskStatus, error) {
	bar := a.progressBar("processing", -1)
	defer bar.finish()
	return eng.ProcessTask(ctx, id, engine.ProcessOptions{Progress: a.processing(bar)})
}

// taskExit returns the exit code for a task that did not succeed.
func taskExit(task *engine.TaskStatus) error {
	if task.Held != "" || task.Ended() && *task.CompletionStatus == "ERROR" {
		return printedError{exitFailed}
	}
	return nil
}

// process carries out everything that waits, and prints a summary.
func (a *app) process(ctx context.Context, eng *engine.Engine) error {
	result, err := a.processPending(ctx, eng)
	a.printProcessed(&result)
	a.printProvisioned(result.Provisioning)
	if err == nil {
		err = result.exit()
	}
	return err
}

// processWaiting is process for a command that was asked for nothing else: it says so where nothing waits, and names
// the tasks that are held.
func (a *app) processWaiting(ctx context.Context, eng *engine.Engine) error {
	result, err := a.processPending(ctx, eng)
	a.printProcessed(&result)
	a.printProvisioned(result.Provisioning)
	if err != nil {
		return err
	}
	if len(result.Tasks) == 0 && result.Provisioning == (engine.ProvisionResult{}) {
		fmt.Fprintln(a.stdout, "nothing waits to be processed")
	}
	page, err := eng.ListTasks(ctx, engine.TaskListParams{Pending: true,
		PageParams: engine.PageParams{AnyField: true, Filters: "held eq true"}})
	if err != nil {
		return err
	}
	for i := range page.Items {
		if task := &page.Items[i]; !slices.Contains(result.Held, task.ID) {
			a.printHeld(task.ID, task.Held)
		}
	}
	if len(page.Items) > 0 {
		return printedError{exitFailed}
	}
	return result.exit()
}

// exit returns the exit code for what did not succeed as a whole. Who has to decide or to look is named already.
func (p *processed) exit() error {
	if len(p.Held)+len(p.Failed) > 0 {
		return printedError{exitFailed}
	}
	return nil
}

// processed is the result of processing and of the provisioning after it.
type processed struct {
	engine.ProcessResult
	Provisioning engine.ProvisionResult `json:"provisioning"`
	Messages     []taskMessage          `json:"messages,omitempty"` // errors first

	messages []engine.TaskStatusMessage
	failed   []engine.TaskStatus // those that Failed names
}

// roundsMax is the most rounds of processing and provisioning. Each may cause the other; after that the rest waits for
// the next command.
const roundsMax = 10

// processPending carries out everything that waits. It processes the results of operations on sources, carries out the
// operations that follow from that, and so on.
func (a *app) processPending(ctx context.Context, eng *engine.Engine) (processed, error) {
	total, err := a.processRounds(ctx, eng)
	for _, id := range total.Failed {
		task, fault := eng.Task(ctx, id)
		if fault != nil {
			return total, errors.Join(err, fault)
		}
		total.failed = append(total.failed, task)
	}
	if err != nil || total.Errors+total.Warnings == 0 {
		return total, err
	}
	total.messages, err = eng.TaskMessages(ctx, total.Tasks)
	total.Messages = messagesJSON(total.messages)
	return total, err
}

func (a *app) processRounds(ctx context.Context, eng *engine.Engine) (processed, error) {
	var total processed
	for range roundsMax {
		result, err := a.processOnce(ctx, eng)
		total.add(&result)
		if err != nil {
			return total, err
		}
		provisioned, err := eng.ProvisionPending(ctx)
		total.Provisioning.Done += provisioned.Done
		total.Provisioning.Failed, total.Provisioning.Open = provisioned.Failed, provisioned.Open
		if err != nil || provisioned.Done == 0 {
			return total, err
		}
	}
	return total, nil
}

func (p *processed) add(r *engine.ProcessResult) {
	p.Identities += r.Identities
	p.Changed += r.Changed
	p.Errors += r.Errors
	p.Warnings += r.Warnings
	p.Correlated += r.Correlated
	p.RolesGained += r.RolesGained
	p.RolesLost += r.RolesLost
	p.Operations += r.Operations
	for _, id := range r.Held { // a later round may find the same run held
		if !slices.Contains(p.Held, id) {
			p.Held = append(p.Held, id)
		}
	}
	p.Failed = append(p.Failed, r.Failed...)
	p.Tasks = append(p.Tasks, r.Tasks...)
}

func (a *app) processOnce(ctx context.Context, eng *engine.Engine) (engine.ProcessResult, error) {
	bar := a.progressBar("processing", -1)
	defer bar.finish()
	return eng.ProcessPending(ctx, engine.ProcessOptions{Progress: a.processing(bar)})
}

// processing returns a function that shows how many identities are done, and keeps in mind what an interrupt leaves.
func (a *app) processing(bar progress) func(done, waiting int) {
	set := func(done, waiting int) {
		bar.set(done, done+waiting)
		a.keep("%d identities are processed and stay so; the others wait, and \"muster process\" goes on with them",
			done)
	}
	set(0, 0)
	return set
}

func (a *app) printProvisioned(r engine.ProvisionResult) {
	if r == (engine.ProvisionResult{}) {
		return
	}
	fmt.Fprintf(a.stdout, "provisioned %d operations: %d failed, %d still open\n", r.Done, r.Failed, r.Open)
	if r.Failed > 0 {
		fmt.Fprintln(a.stderr, "See why:  muster operations --state OPEN,FAILED")
	}
}

func (a *app) printProcessed(result *processed) {
	if result.Identities > 0 {
		fmt.Fprintf(a.stdout, "processed %d identities: %d changed, %d errors, %d roles gained, %d lost\n",
			result.Identities, result.Changed, result.Errors, result.RolesGained, result.RolesLost)
	}
	a.printMessagesOf(result)
	for i := range result.failed {
		task := &result.failed[i]
		fmt.Fprintf(a.stderr, "The task %s failed: %s\n", task.ID, oneLine(task.Description))
		for k := range task.Messages {
			fmt.Fprintf(a.stderr, "  %s\n", oneLine(task.Messages[k].LocalizedText.Message))
		}
	}
	for _, id := range result.Held {
		a.printHeld(id, "")
	}
}

// printHeld says what to do with a held task.
func (a *app) printHeld(id, reason string) {
	if reason != "" {
		reason = ": " + reason
	}
	fmt.Fprintf(a.stderr, "The task %s is held%s.\n"+
		"See what it would do:           muster preview --task %s\n"+
		"Let it go on:                   muster tasks confirm %s\n"+
		"End it:                         muster tasks cancel %s\n", id, reason, id, id, id)
}
