package doctor

import (
	"context"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// Doctor examines a tenant, and repairs it.
type Doctor struct{ *task.Ledger }

// New returns the doctor of the tenant whose tasks a ledger holds.
func New(tasks *task.Ledger) *Doctor { return &Doctor{tasks} }

// The limits of an examination.
const (
	// TimeoutDefault is how long each of its statements may take.
	TimeoutDefault = 5 * time.Minute
	// ExamplesMax is how many of the rows that fail a check are named.
	ExamplesMax = store.ExamplesMax
	// stuckAfter is how long something may do nothing before the doctor takes it for stuck. It is longer than a job may
	// run, and longer than the queue needs to find out that a process is gone.
	stuckAfter = 15 * time.Minute
	// clockWarning and clockFailure are how far this process's clock may be from the server's.
	clockWarning = 2 * time.Second
	clockFailure = time.Minute
	// repairRoundsMax is how often the doctor repairs and looks again, since a repair may bring more to light.
	repairRoundsMax = 3
)

// Severity says how bad the outcome of a check is.
type Severity string

// The severities, from good to bad.
const (
	SeverityOK      Severity = "ok"
	SeverityWarning Severity = "warning" // somebody should look at it
	SeverityFailure Severity = "failure" // something is wrong, or work stands still
)

// Check is the outcome of one check.
type Check struct {
	Name     string   `json:"name"`
	Severity Severity `json:"severity"`
	Count    int64    `json:"count"` // how many rows, objects or settings it is about
	// Examples are IDs, or names of tables, indexes and settings, at most [ExamplesMax]. They contain no values and no
	// names of people.
	Examples []string `json:"examples"`
	Mend     string   `json:"mend,omitempty"` // what mends it, if it is not ok
	// Reparable says that [Options].Repair mends it.
	Reparable bool `json:"reparable"`
}

// Repair says what was done about a check.
type Repair struct {
	Check string `json:"check"`
	Count int    `json:"count"` // rows or objects
	Done  string `json:"done"`
	Error string `json:"error,omitempty"` // why it could not be done
}

// Diagnosis is what the doctor found, after the repairs if there were any.
type Diagnosis struct {
	At       time.Time `json:"at"`
	Severity Severity  `json:"severity"` // that of the worst check
	Checks   []Check   `json:"checks"`
	Repairs  []Repair  `json:"repairs"`
}

// Options say how to examine. The zero Options change nothing and read no row more than needed.
type Options struct {
	// Repair mends what can be mended safely.
	Repair bool
	// Thorough also reads every identity and uncorrelated account, and compares what is derived from their values with
	// the values. That takes about half a minute for a million identities.
	Thorough bool
	// Timeout ends a statement of the examination that takes longer. Defaults to [TimeoutDefault].
	Timeout time.Duration
}

// Examine examines the tenant: every invariant of the rows, the tables, the work that stands still, the schedule, the
// clock and the server's settings. It reads one snapshot in a transaction that cannot write, with statements over sets:
// about ten seconds for a million identities. With Repair it then mends what is safe to mend, each check in a
// transaction of its own (indexes outside of one), and examines again; doing so twice changes nothing. Workers may run
// meanwhile.
//
// It takes no part in a transaction of the caller, because each repair has its own. The error is one of the examination
// itself. What it found, and what could not be repaired, is in the diagnosis.
func (d *Doctor) Examine(ctx context.Context, options Options) (Diagnosis, error) {
	const op = "examine"
	if options.Timeout < 0 {
		return Diagnosis{}, fault.Invalidf(op, "Timeout", "%s is negative: a time from 0 is allowed", options.Timeout)
	}
	if options.Timeout == 0 {
		options.Timeout = TimeoutDefault
	}
	repairs := []Repair{}
	for round := 0; ; round++ {
		x, err := d.examine(ctx, options)
		if err != nil {
			return Diagnosis{}, fault.Wrap(op, "", err)
		}
		if options.Repair && round < repairRoundsMax {
			done, err := x.repair(ctx)
			if err != nil {
				return Diagnosis{}, fault.Wrap(op, "", err)
			}
			repairs = append(repairs, done...)
			if slices.ContainsFunc(done, func(r Repair) bool { return r.Error == "" && r.Count > 0 }) {
				continue
			}
		}
		return x.diagnosis(repairs), nil
	}
}
