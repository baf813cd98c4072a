package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit codes. A shell tells apart what failed from what was asked for wrongly.
const (
	exitOK     = 0
	exitFailed = 1 // it was tried and did not work
	exitUsage  = 2 // bad input: a flag, an expression, a transform, a document
)

// app is what the commands share: the streams, so that tests run them in-process, and the global flags.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// usageError marks bad input: it exits with [exitUsage].
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// errPrinted marks a failure whose text is on stderr already.
type printedError struct{ code int }

func (e printedError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// run runs one command line and returns its exit code. It reads the environment, and nothing else of the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var printed printedError
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &printed):
		return printed.code
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "muster: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "muster: %v\n", err)
		return exitFailed
	}
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "muster",
		Short:         "An identity engine on PostgreSQL",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	return root
}
