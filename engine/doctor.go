package engine

import (
	"context"
	"time"

	"github.com/muster-engine/muster/engine/internal/doctor"
)

// The limits of [Engine.Doctor].
const (
	// DoctorTimeoutDefault is how long each of its statements may take: 5 minutes.
	DoctorTimeoutDefault = doctor.TimeoutDefault
	// DoctorExamplesMax is how many of the rows that fail a check are named: at most 10.
	DoctorExamplesMax = doctor.ExamplesMax
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
	// Examples are IDs, or names of tables, indexes and settings, at most [DoctorExamplesMax]. They are no values and
	// no names of people.
	Examples []string `json:"examples"`
	Mend     string   `json:"mend,omitempty"` // what mends it, where it is not ok
	// Reparable says that [DoctorOptions].Repair mends it.
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

// DoctorOptions say how to examine. The zero DoctorOptions change nothing and read no row more than needed.
type DoctorOptions struct {
	// Repair mends what can be mended safely.
	Repair bool
	// Thorough also reads every identity and uncorrelated account, and compares what is derived from their values with
	// the values. That takes about half a minute for a million identities.
	Thorough bool
	// Timeout ends a statement of the examination that takes longer. Defaults to [DoctorTimeoutDefault].
	Timeout time.Duration
}

// Doctor examines the tenant: every invariant of the rows, the tables, the work that stands still, the schedule, the
// clock and the server's settings. It reads one snapshot in a transaction that cannot write, with statements over sets:
// about ten seconds for a million identities. With Repair it then mends what is safe to mend, each check in a
// transaction of its own (indexes outside of one), and examines again; doing so twice changes nothing. Workers may run
// meanwhile.
//
// It has no twin in a caller's transaction, because its repairs need transactions of their own. The error is one of the
// examination itself: findings, and what could not be repaired, are in the diagnosis.
func (e *Engine) Doctor(ctx context.Context, options DoctorOptions) (Diagnosis, error) {
	found, err := e.doctor.Examine(ctx, doctor.Options(options))
	d := Diagnosis{At: found.At, Severity: Severity(found.Severity)}
	for i := range found.Checks {
		c := &found.Checks[i]
		d.Checks = append(d.Checks, Check{Name: c.Name, Severity: Severity(c.Severity), Count: c.Count,
			Examples: c.Examples, Mend: c.Mend, Reparable: c.Reparable})
	}
	if found.Repairs != nil {
		d.Repairs = []Repair{}
	}
	for _, r := range found.Repairs {
		d.Repairs = append(d.Repairs, Repair(r))
	}
	return d, err
}
