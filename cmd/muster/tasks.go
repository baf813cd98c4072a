package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) tasksCommand() *cobra.Command {
	list := a.tasksListCommand()
	cmd := group(&cobra.Command{Use: "tasks", Aliases: []string{"task"}, Short: "List, show, confirm and cancel tasks"},
		list,
		a.taskCommand("show", "Show a task and its messages", func(ctx context.Context, eng *engine.Engine, id string) (
			engine.TaskStatus, error,
		) {
			return eng.Task(ctx, id)
		}),
		a.taskCommand("wait", "Wait until a task has ended or is held", func(ctx context.Context, eng *engine.Engine,
			id string,
		) (engine.TaskStatus, error) {
			return a.follow(ctx, eng, id)
		}),
		a.taskCommand("confirm", "Confirm a held task, and carry it out", func(ctx context.Context,
			eng *engine.Engine, id string,
		) (engine.TaskStatus, error) {
			if task, err := eng.ConfirmTask(ctx, id); err != nil {
				return task, err
			}
			return a.processTask(ctx, eng, id)
		}),
		a.taskCommand("cancel", "End a task before its time", func(ctx context.Context, eng *engine.Engine, id string) (
			engine.TaskStatus, error,
		) {
			return eng.CancelTask(ctx, id)
		}),
	)
	// Without a subcommand it lists.
	cmd.Flags().AddFlagSet(list.Flags())
	unknown := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(cmd, args)
		}
		return list.RunE(cmd, args)
	}
	return cmd
}

// taskCommand makes a command for one task.
func (a *app) taskCommand(name, short string,
	do func(context.Context, *engine.Engine, string) (engine.TaskStatus, error),
) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: name + " ID", Short: short, Args: exactArgs(1, "one ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				task, err := do(ctx, eng, args[0])
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
	cmd.Flags().StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

// follow shows the progress of a task that other processes carry out.
func (a *app) follow(ctx context.Context, eng *engine.Engine, id string) (engine.TaskStatus, error) {
	bar := a.progressBar("processing", -1)
	defer bar.finish()
	return eng.Follow(ctx, id, func(task engine.TaskStatus) {
		done := int(task.Attributes.IdentityCount)
		bar.set(done, done+task.Remaining)
	})
}

// tasksShown is how many tasks a list shows where the command does not say how many.
const tasksShown = 20

func (a *app) tasksListCommand() *cobra.Command {
	var list listFlags
	var pending bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the tasks, the latest first, and what is parked",
		Long: `List shows the tasks that a filter selects, the latest first. A filter may use every property of a task,
with --published only those that the API publishes. HELD is a task that the guard holds until somebody confirms
it. Below them it shows the operations that are parked, by source and attribute, with the cause of the one that was
parked first: "muster operations --state PARKED" lists each, and "muster operations release ID" lets it be carried
out.`,
		Example: `  muster tasks list --filters 'held eq true'
  muster tasks list --filters 'launcher eq "Ann Boss" and errors gt 0' --sorters -completed`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := list.check(); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				page, err := eng.ListTasks(cmd.Context(), engine.TaskListParams{PageParams: list.page(),
					Pending: pending})
				if err != nil {
					return err
				}
				if !list.ownTable(cmd) {
					return showPage(a, &list, &page)
				}
				rows := [][]string{{"ID", "CREATED", "STATUS", "%", "IDENTITIES", "CHANGED", "ERRORS", "TASK"}}
				for i := range page.Items {
					rows = append(rows, taskRow(&page.Items[i]))
				}
				if err := writeAligned(a.stdout, rows); err != nil {
					return err
				}
				if err := a.printParkedTargets(cmd.Context(), eng); err != nil {
					return err
				}
				a.showEnd(page.Total, page.Next)
				return nil
			})
		},
	}
	list.limit = tasksShown
	list.register(cmd, "id,created,completionStatus,percentComplete,launcher,description")
	cmd.Flags().BoolVar(&pending, "pending", false, "only those that have not ended")
	return cmd
}

// printParkedTargets shows what is parked, if anything is.
func (a *app) printParkedTargets(ctx context.Context, eng *engine.Engine) error {
	targets, err := eng.ParkedTargets(ctx)
	if err != nil || len(targets) == 0 {
		return err
	}
	rows := [][]string{{"PARKED", "SINCE", "SOURCE", "OPERATION", "ATTRIBUTE", "THE FIRST", "CAUSE"}}
	for i := range targets {
		t := &targets[i]
		rows = append(rows, []string{strconv.FormatInt(t.Operations, 10), dateText(&t.Since), t.Source,
			operationName(t.Kind), t.Attribute, parkedFirst(t), oneLine(t.Cause)})
	}
	fmt.Fprintln(a.stdout)
	return writeAligned(a.stdout, rows)
}

// parkedFirst names the account, or else the person, of the operation that was parked first.
func parkedFirst(t *engine.ParkedTarget) string {
	return cmp.Or(t.NativeIdentity, t.Identity.Name, t.Identity.ID)
}

func taskRow(t *engine.TaskStatus) []string {
	n := &t.Attributes
	return []string{
		t.ID, t.Created.Local().Format("2006-01-02 15:04:05"), statusText(t), strconv.Itoa(t.PercentComplete),
		strconv.FormatInt(n.IdentityCount, 10), strconv.FormatInt(n.ChangedCount, 10),
		strconv.FormatInt(n.ErrorCount, 10), oneLine(t.Description),
	}
}

func statusText(t *engine.TaskStatus) string {
	switch {
	case t.Ended():
		return *t.CompletionStatus
	case t.Held != "":
		return "HELD"
	case t.Launched != nil:
		return "RUNNING"
	}
	return "WAITING"
}

// showErrand shows what an aggregation or a removal did.
func showErrand(n *engine.TaskAttributes, line func(name, format string, arguments ...any)) {
	if r := n.Aggregation; r != nil {
		line("rows", "%d read, %d left out", r.Rows, r.Faulty)
		line("accounts", "%d added, %d changed, %d unchanged, %d removed", r.Added, r.Changed, r.Unchanged, r.Removed)
		line("identities", "%d created, processed by task %s", r.Identities, cmp.Or(r.Task, "none"))
	}
	if r := n.Removal; r != nil {
		for i := range r.Removals {
			gone := &r.Removals[i]
			line(first(i, "removed"), "%s %q: %d identities lost something by it", gone.Type, gone.Name,
				gone.Identities)
		}
	}
}

// printTask shows a task.
func (a *app) printTask(t *engine.TaskStatus, output string) error {
	if output == outputJSON {
		// The published shape has no place for actors, and for the counts of messages.
		return a.printJSON(struct {
			*engine.TaskStatus
			Messages    []taskMessage `json:"messages"`
			Actor       engine.Actor  `json:"actor"`
			ConfirmedBy *engine.Actor `json:"confirmedBy,omitempty"`
			ConfirmedAt *time.Time    `json:"confirmedAt,omitempty"`
			CancelledBy *engine.Actor `json:"cancelledBy,omitempty"`
		}{t, messagesJSON(t.Messages), t.Actor, t.ConfirmedBy, t.ConfirmedAt, t.CancelledBy})
	}
	n := &t.Attributes
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	line := func(name, format string, arguments ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, oneLine(fmt.Sprintf(format, arguments...)))
	}
	line("task", "%s", t.ID)
	line("", "%s, launched by %s", t.Description, actorText(&t.Actor))
	if t.ConfirmedBy != nil {
		line("confirmed", "by %s at %s", actorText(t.ConfirmedBy), dateText(t.ConfirmedAt))
	}
	if t.CancelledBy != nil {
		line("cancelled", "by %s at %s", actorText(t.CancelledBy), dateText(t.Completed))
	}
	line("status", "%s, %d %%: %s", statusText(t), t.PercentComplete, *t.Progress)
	if t.Completed != nil && t.Launched != nil {
		line("took", "%s", t.Completed.Sub(*t.Launched).Round(time.Millisecond))
	}
	switch t.TaskDefinitionSummary.ID {
	case engine.TaskInvitation, engine.TaskVerification:
		line("messages", "%d sent, %d could not be sent, %d still to be sent", n.ChangedCount, n.ErrorCount,
			t.Remaining)
	case engine.TaskAggregation, engine.TaskRemoval:
		showErrand(n, line)
	default:
		line("identities", "%d calculated, %d changed, %d errors, %d warnings", n.IdentityCount, n.ChangedCount,
			n.ErrorCount, n.WarningCount)
		line("roles", "%d gained, %d lost", n.RolesGained, n.RolesLost)
		line("states", "%d lifecycle states changed, %d identities ceased to be active", n.LifecycleChangedCount,
			n.DeactivatedCount)
		for i := range n.Losses {
			line(first(i, "losses"), "%s", lossText(&n.Losses[i]))
		}
	}
	for i := range n.Parked {
		p := &n.Parked[i]
		line(first(i, "parked"), "%d %s on %s, the first for %s: %s", p.Operations,
			strings.TrimRight(operationName(p.Kind)+" "+p.Attribute, " "), p.Source, parkedFirst(p), p.Cause)
	}
	if n.CorrelatedCount > 0 {
		line("accounts", "%d correlated", n.CorrelatedCount)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	a.printMessages(t.Messages)
	a.sayWhatIsNotKept(t)
	if t.Held != "" {
		a.printHeld(t.ID, t.Held)
	}
	return nil
}

// lossText says how many identities lost something.
func lossText(l *engine.TaskLoss) string {
	text := fmt.Sprintf("%d identities %s", l.Identities, l.Text)
	if l.Foreseen > 0 {
		text += fmt.Sprintf(" (%d foreseen)", l.Foreseen)
	}
	return text
}

func (a *app) scheduleCommand() *cobra.Command {
	var output string
	limit := 10
	show := &cobra.Command{
		Use: "schedule", Short: "Show when scheduled processing runs and ran", Args: exactArgs(0, "no argument"),
		Long: `Schedule shows the next and the last times of scheduled processing, at 08:00 and 20:00 in the
tenant's time zone. "muster schedule run" carries out the processing that is due now. It is for hosts without workers,
with a timer of their own.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			if limit < 0 || limit > 1000 {
				return usage("--limit: %d is given where 0 to 1000 is allowed", limit)
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				schedule, err := eng.Schedule(cmd.Context(), limit)
				if err != nil {
					return err
				}
				return a.printSchedule(&schedule, output)
			})
		},
	}
	listOutput(show, &output)
	show.Flags().IntVar(&limit, "limit", limit, "most past times to show")
	show.AddCommand(&cobra.Command{
		Use: "run", Short: "Carry out the scheduled processing that is due", Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				result, err := eng.RunSchedule(cmd.Context())
				if err != nil {
					return err
				}
				if result.Slot.IsZero() && len(result.Tasks) == 0 {
					fmt.Fprintln(a.stdout, "nothing is due")
				}
				if !result.Slot.IsZero() {
					fmt.Fprintf(a.stdout, "begun: %s\n", result.Slot.Format(slotFormat))
				}
				if err := a.process(cmd.Context(), eng); err != nil || !result.StatisticsDue {
					return err
				}
				return eng.CountStatistics(cmd.Context())
			})
		},
	})
	return show
}

const slotFormat = "2006-01-02 15:04 MST"

func (a *app) printSchedule(s *engine.Schedule, output string) error {
	rows := [][]string{{"TIME (" + s.TimeZone + ")", "BEGUN", "IDENTITIES DUE", "TASK"}}
	for i := len(s.Next) - 1; i >= 0; i-- {
		rows = append(rows, []string{s.Next[i].Slot.Format(slotFormat), "to come", "", ""})
	}
	for _, slot := range s.Last {
		begun := slot.Begun.In(slot.Slot.Location()).Format("15:04:05")
		rows = append(rows, []string{slot.Slot.Format(slotFormat), begun,
			strconv.FormatInt(slot.Identities, 10), slot.TaskID})
	}
	return a.showRows(output, s, rows)
}

func (a *app) workerCommand() *cobra.Command {
	var logJSON bool
	var metrics string
	cmd := &cobra.Command{
		Use: "worker", Short: "Carry out tasks and the schedule until an interrupt",
		Args: exactArgs(0, "no argument"),
		Long: `Worker carries out tasks, and processes by schedule at 08:00 and 20:00 in the tenant's time zone. On an
interrupt it finishes the running batches and ends. Any number of workers may run on one database.

It logs to stderr. It waits for a database that is not there yet, or that nobody has migrated yet, goes on when one that
went away is back, and says once a minute what it waits for.

It sends invitations and verifications with --smtp-host and its other flags, or logs them with --mail-log. Without these
flags they wait.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.daemonLog(logJSON)
			return a.work(cmd.Context(), metrics)
		},
	}
	cmd.Flags().BoolVar(&logJSON, "log-json", false, "log as JSON")
	metricsFlag(cmd, &metrics)
	a.mail.register(cmd)
	return cmd
}

// work carries out tasks until ctx ends, and then finishes the running batches. metrics is the address of the metrics,
// "" for none.
func (a *app) work(ctx context.Context, metrics string) error {
	a.collectMetrics()
	return a.withDaemon(ctx, func(d *database, eng *engine.Engine) (err error) {
		running := context.WithoutCancel(ctx)
		a.collector.Follow(eng)
		stop, err := a.serveMetrics(running, metrics, newMetrics(d.pool, a.collector))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		if err := eng.Start(running); err != nil {
			return err
		}
		a.sayWhetherMessagesWait()
		a.log.InfoContext(ctx, "working; interrupt to end", "version", thisBuild().Version, "schema",
			a.schemas.WithDefaults().Schema)
		<-ctx.Done()
		a.log.InfoContext(running, "finishing the running batches")
		stopping, cancel := context.WithTimeout(running, stopTimeout)
		defer cancel()
		if err := stopWorkers(stopping, eng); err != nil {
			return err
		}
		a.log.InfoContext(running, "ended")
		return nil
	})
}

// stopWorkers stops the background work of an engine, within the time of the context.
func stopWorkers(ctx context.Context, eng *engine.Engine) error {
	err := eng.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the running batches took longer than %s and were stopped: %w", stopTimeout, err)
	}
	return err
}
