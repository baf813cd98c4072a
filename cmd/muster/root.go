package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	enginemetrics "github.com/muster-engine/muster/engine/metrics"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/migrations"
)

// Exit codes. A script can tell a failure from bad input.
const (
	exitOK          = 0
	exitFailed      = 1   // the command failed
	exitUsage       = 2   // bad input: a flag, an expression, a transform, a document
	exitInterrupted = 130 // a signal ended it
	exitReaderGone  = 141 // nobody reads what it writes, as with "| head"
)

// exitCodes is what --help says of them. A command that has more says them itself.
const exitCodes = "0 done, 1 failed or held, 2 bad input, 130 interrupted, 141 nobody reads the output"

// app is the state that all commands share: the streams, so that tests can run them in-process, and the global flags.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	// environment reads a variable.
	environment func(name string) string
	configFile  string
	// origins are where the values of flags come from, those that have their default left out.
	origins map[string]origin
	pace    pace
	// kept says what stays of the work so far when an interrupt ends it.
	kept string
	// out is stdout: it knows whether anybody reads it.
	out *readerWatch

	databaseURL string
	dataDir     string
	pooler      bool
	makesTables bool // the command may make a tenant's tables on a private server
	schemas     migrations.Config
	timeZone    string
	guard       string
	allow       engine.Allow
	verbose     bool
	// log is the log of a command that logs even without --verbose.
	log *slog.Logger
	// tracer sees the statements of a command that sends traces.
	tracer pgx.QueryTracer
	// collector shows what the engine of a command does to Prometheus; nil for a command that serves no metrics.
	collector *enginemetrics.Collector
	// mail is the flags of the commands that send messages.
	mail mailFlags
}

// usageError is bad input. It exits with [exitUsage].
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usage(format string, arguments ...any) error {
	return usageError{fmt.Errorf(format, arguments...)}
}

// printedError is a failure whose text is already on stderr.
type printedError struct{ code int }

func (e printedError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// run runs one command line and returns its exit code. The environment and the user are all that it reads of the
// process. What the command writes is done by that user; what workers and the server do is not.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newApp(os.Getenv, stdin, stdout, stderr).run(ctx, args)
}

func newApp(environment func(string) string, stdin io.Reader, stdout, stderr io.Writer) *app {
	out := &readerWatch{Writer: stdout}
	return &app{environment: environment, stdin: stdin, stdout: out, stderr: stderr, out: out, pace: paceDefault}
}

func (a *app) run(ctx context.Context, args []string) int {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	a.out.gone = cancel
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(untilGone{a.stderr, a.out})
	err := root.ExecuteContext(engine.WithActor(running, osActor()))
	switch {
	case a.out.isGone():
		return exitReaderGone
	case err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(a.stderr, strings.TrimSuffix("muster: interrupted: "+a.kept, ": "))
		return exitInterrupted
	}
	return a.exitCode(err)
}

// readerWatch is the standard output. When its reader is gone, it ends the command, which then cleans up.
type readerWatch struct {
	io.Writer
	gone   context.CancelFunc
	closed atomic.Bool
}

func (w *readerWatch) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		w.closed.Store(true)
		w.gone()
	}
	return n, err
}

func (w *readerWatch) isGone() bool { return w.closed.Load() }

// untilGone is where the help says that it cannot be written: it is silent when nobody reads the output.
type untilGone struct {
	io.Writer
	out *readerWatch
}

func (w untilGone) Write(p []byte) (int, error) {
	if w.out.isGone() {
		return len(p), nil
	}
	return w.Writer.Write(p)
}

// keep says what stays if an interrupt ends the command from here on.
func (a *app) keep(format string, arguments ...any) { a.kept = fmt.Sprintf(format, arguments...) }

// exitCode prints an error and returns the exit code for it.
func (a *app) exitCode(err error) int {
	var printed printedError
	var bad usageError
	var filter *filterql.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &printed):
		return printed.code
	case errors.As(err, &filter):
		fmt.Fprintln(a.stderr, filter.Render())
		return exitUsage
	case errors.As(err, &bad), engine.KindOf(err) == engine.Invalid:
		fmt.Fprintf(a.stderr, "muster: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(a.stderr, "muster: %v\n", err)
		return exitFailed
	}
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use: "muster", Short: "An identity engine on PostgreSQL",
		Long: `Muster stores identities, their accounts on sources, their access and the objects that they own in
PostgreSQL.

Without --database-url or DATABASE_URL it runs a private PostgreSQL from the installed binaries, with the data in
--data. "muster demo" shows it at work.

Every flag may also be given as a variable of the environment, MUSTER_ and its name (--time-zone: MUSTER_TIME_ZONE), or
in the YAML file that --config or MUSTER_CONFIG names. A flag comes first, then the environment, then the file.`,
		Version: thisBuild().Version,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if strings.HasPrefix(cmd.Name(), cobra.ShellCompRequestCmd) {
				return nil // the values that are offered settle the flags of their own command
			}
			a.makesTables = cmd.Parent() == cmd.Root() && slices.Contains(makers, cmd.Name())
			return a.settle(cmd)
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		// An unknown command is bad input like an unknown flag.
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q: see muster --help", args[0])
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetVersionTemplate(thisBuild().String())
	root.SetHelpTemplate(root.HelpTemplate() + "\nExit codes: " + exitCodes + "\n")
	a.globalFlags(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		a.accountsCommand(),
		a.aggregateCommand(),
		a.applyCommand(),
		a.configCommand(),
		a.demoCommand(),
		a.diffCommand(),
		a.doctorCommand(),
		a.enginesCommand(),
		a.entitlementsCommand(),
		a.explainCommand(),
		a.filterCommand(),
		a.healthCommand(),
		a.historyCommand(),
		a.identitiesCommand(),
		a.lifecycleCommand(),
		a.migrateCommand(),
		a.movementsCommand(),
		a.operationsCommand(),
		a.previewCommand(),
		a.processCommand(),
		a.purgeCommand(),
		a.rolesCommand(),
		a.scheduleCommand(),
		a.searchCommand(),
		a.serveCommand(),
		a.settingsCommand(),
		a.sourceCommand(),
		a.statisticsCommand(),
		a.syncCommand(),
		a.tasksCommand(),
		a.tokenCommand(),
		a.transformCommand(),
		a.versionCommand(),
		a.workerCommand(),
	)
	a.completeValues(root)
	return root
}

// globalFlags adds the flags that all commands have.
func (a *app) globalFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "file with values of flags, as YAML (default: $MUSTER_CONFIG)")
	flags.StringVar(&a.databaseURL, "database-url", "",
		"URL of the PostgreSQL database (default: $DATABASE_URL, or a private one)")
	flags.BoolVar(&a.pooler, "pooler", false, "the database is reached through a pooler in transaction mode, such as "+
		"PgBouncer: statements are not prepared, and workers ask for jobs once a second")
	flags.StringVar(&a.dataDir, "data", "", "folder of the private PostgreSQL (default: the user's data folder)")
	flags.StringVar(&a.schemas.Schema, "schema", migrations.SchemaDefault, "PostgreSQL schema of the data")
	flags.StringVar(&a.schemas.JobSchema, "job-schema", "",
		"PostgreSQL schema of the jobs (default: the schema of the data with \"_jobs\")")
	flags.StringVar(&a.timeZone, "time-zone", "", "the tenant's time zone, such as Europe/Berlin "+
		"(default: the tenant's setting)")
	flags.StringVar(&a.guard, "guard", "", "share of a run's identities that may lose roles or change state before "+
		"the run is held, such as 10%, or off (default: the tenant's setting)")
	flags.StringArrayVar(&a.allow.Secrets, "allow-secret", nil, "reference to a secret that sources may name, such as "+
		"env:LDAP_* or file:/run/secrets/*; may be repeated")
	flags.StringArrayVar(&a.allow.Folders, "allow-folder", nil, "folder whose files sources may read and write; may "+
		"be repeated")
	flags.StringArrayVar(&a.allow.Hosts, "allow-host", nil, "host that sources may reach, such as ldap.example.com:636"+
		" or *.example.com; may be repeated")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log to stderr")
}

// exactArgs demands n arguments. names describes them for the error.
func exactArgs(n int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s takes %s, %d arguments are given", cmd.CommandPath(), names, len(args))
		}
		return nil
	}
}

// group makes a command that only has subcommands. An unknown subcommand is bad input.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(commands...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("unknown command %q for %q: see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
		}
		return cmd.Help()
	}
	return cmd
}

func (a *app) logger() *slog.Logger {
	if a.log != nil {
		return a.log
	}
	if !a.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(a.stderr, nil))
}
