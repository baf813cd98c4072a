package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// bench is a run with one size of the population.
type bench struct {
	people       int
	rounds       int
	seed         uint64
	profiles     string // the folder for CPU profiles; empty for none
	profileCount int
	stopwatch    *stopwatch // for profiles; nil if there are none
	progress     io.Writer
	server       *server
	populations  map[int]*population
	keep         bool   // the populations stay on the server, for the next run
	current      string // the running case
	lines        []line
}

// say prints the progress of the run.
func (b *bench) say(format string, arguments ...any) {
	message := fmt.Sprintf(format, arguments...)
	fmt.Fprintf(b.progress, "%s %s: %s\n", time.Now().Format(time.TimeOnly), b.current, message)
}

// add adds a line to the table. It also prints the line, because a long run may be stopped before it writes the table.
func (b *bench) add(l line, t target) {
	l = l.judge(t, b.people)
	l.Case = b.current
	b.lines = append(b.lines, l)
	b.say("%s", strings.Join(slices.DeleteFunc(l.cells(), func(cell string) bool { return cell == "" }), ", "))
}

// options are the arguments of the command.
type options struct {
	people, rounds              int
	seed                        uint64
	cases, json, growth, growCS string
	profiles                    string
	list, keep                  bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		err = child(ctx, os.Args[2:])
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseOptions(arguments []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.people, "people", 20_000, "number of people in the population")
	flags.IntVar(&o.rounds, "rounds", 3, "measurements of each figure and baseline; the median counts")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of the population")
	flags.StringVar(&o.cases, "cases", "", "a regular expression of the cases to run; all without it")
	flags.StringVar(&o.json, "json", "", "a file to write the result to as JSON")
	flags.StringVar(&o.growth, "growth", "", "sizes to run one after another, such as 10000,100000")
	flags.StringVar(&o.growCS, "csv", "growth.csv", "a file to write the main figures of each size of -growth to")
	flags.StringVar(&o.profiles, "profile", "", "a folder to write a CPU profile of each figure to")
	flags.BoolVar(&o.list, "list", false, "list the cases")
	flags.BoolVar(&o.keep, "keep", false, "leave the populations on the given server, and use those of a run before")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("there are no arguments, %q is given", flags.Arg(0))
	case o.people < 100:
		return o, fmt.Errorf("-people must be 100 or more, it is %d", o.people)
	case o.rounds < 1:
		return o, fmt.Errorf("-rounds must be 1 or more, it is %d", o.rounds)
	case o.keep && os.Getenv(databaseURLVariable) == "":
		return o, fmt.Errorf("-keep needs a server that stays: %s must name it", databaseURLVariable)
	}
	return o, nil
}

// sizes returns the sizes of the population to run with.
func (o *options) sizes() ([]int, error) {
	if o.growth == "" {
		return []int{o.people}, nil
	}
	var sizes []int
	for text := range strings.SplitSeq(o.growth, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 100 {
			return nil, fmt.Errorf("-growth is a list of numbers from 100 on, such as 10000,100000; %q is given", text)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(arguments, stderr)
	if err != nil {
		return err
	}
	if o.list {
		for _, c := range cases {
			fmt.Fprintf(stdout, "%-12s %s\n", c.name, c.about)
		}
		return nil
	}
	selected, err := selectCases(o.cases)
	if err != nil {
		return err
	}
	sizes, err := o.sizes()
	if err != nil {
		return err
	}
	var results []*result
	for _, people := range sizes {
		r, err := runSize(ctx, &o, people, selected, stderr)
		if r != nil {
			fmt.Fprintf(stdout, "\n%s people, %d CPUs, PostgreSQL %s, %s, the median of %d rounds\n\n",
				grouped(float64(people)), r.CPUs, r.PostgreSQL, r.Go, r.Rounds)
			err = errors.Join(err, writeTable(stdout, r.Lines))
			results = append(results, r)
		}
		if err != nil {
			return err
		}
	}
	return writeFiles(&o, results)
}

func writeFiles(o *options, results []*result) error {
	if o.json != "" {
		for _, r := range results {
			name := o.json
			if len(results) > 1 {
				name = fmt.Sprintf("%s-%d.json", strings.TrimSuffix(o.json, ".json"), r.People)
			}
			if err := writeFile(name, func(w io.Writer) error { return writeJSON(w, r) }); err != nil {
				return err
			}
		}
	}
	if o.growth != "" {
		return writeFile(o.growCS, func(w io.Writer) error { return writeGrowth(w, results) })
	}
	return nil
}

func writeFile(name string, write func(io.Writer) error) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// runSize runs cases with one size, on a server of its own. If a case fails, the result has the lines before it.
func runSize(ctx context.Context, o *options, people int, selected []benchCase, progress io.Writer) (r *result,
	err error,
) {
	b := &bench{people: people, rounds: o.rounds, seed: o.seed, profiles: o.profiles, progress: progress,
		keep: o.keep, populations: map[int]*population{}, current: "start"}
	var tracer pgx.QueryTracer
	if b.profiles != "" {
		b.stopwatch = new(stopwatch)
		tracer = b.stopwatch
	}
	if b.profiles != "" {
		if err := os.MkdirAll(b.profiles, 0o755); err != nil {
			return nil, err
		}
	}
	r = &result{Started: time.Now().UTC(), Go: runtime.Version(), CPUs: runtime.NumCPU(), People: people,
		Rounds: o.rounds, Seed: o.seed}
	if b.server, err = startServer(ctx, tracer); err != nil {
		return nil, err
	}
	r.PostgreSQL = b.server.version
	defer func() { err = errors.Join(err, b.close(context.WithoutCancel(ctx))) }()
	for _, c := range selected {
		b.current = c.name
		b.say("%s", c.about)
		err := c.run(ctx, b)
		r.Lines = b.lines
		if err != nil {
			return r, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return r, nil
}

func (b *bench) close(ctx context.Context) error {
	for _, p := range b.populations {
		p.pool.Close()
	}
	return b.server.close(ctx)
}
