package aggregation

import (
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
)

// RowErrorsMax is how many faulty rows an aggregation reports one by one, at most. It counts them all.
const RowErrorsMax = 100

// Options say how an aggregation reads and what it may do. The zero Options are a full aggregation as the source is
// configured.
type Options struct {
	// Delimiter overrides the source's delimiter; see [delimited.ParseDelimiter].
	Delimiter string `json:"delimiter,omitempty"`
	// Delta says that the data holds only some of the accounts: none is removed for not being there.
	Delta bool `json:"delta,omitempty"`
	// DryRun says what an aggregation would do, and undoes it.
	DryRun bool `json:"dryRun,omitempty"`
	// Unchanged says that the processing of everybody with an account on the source is requested, also of those in
	// whose accounts nothing changed.
	Unchanged bool `json:"unchanged,omitempty"`
	// AcceptMissing are attributes that the data may lack though accounts have values of them, which they lose.
	AcceptMissing []string `json:"acceptMissing,omitempty"`
	// MaxDeletions overrides the source's deleteThreshold.
	MaxDeletions *configuration.DeletionLimit `json:"maxDeletions,omitempty"`
	// MaxObjects overrides how many objects one aggregation reads at most; 0 stands for the limit of the settings.
	MaxObjects int `json:"maxObjects,omitempty"`
	// Progress, if set, is called now and then with the number of rows read so far, by another goroutine.
	Progress func(rows int) `json:"-"`
}

func (o *Options) validate(source string) error {
	if o.MaxObjects < 0 {
		return fault.Invalidf("aggregate", source,
			"MaxObjects is %d: it must be 1 or more, or 0 for that of the configuration", o.MaxObjects)
	}
	return nil
}

// Result says what an aggregation did.
type Result struct {
	Source       string     `json:"source"`
	Rows         int        `json:"rows"`       // read, without those left out
	Added        int        `json:"added"`      // accounts
	Changed      int        `json:"changed"`    // accounts
	Unchanged    int        `json:"unchanged"`  // accounts
	Removed      int        `json:"removed"`    // accounts
	Renamed      int        `json:"renamed"`    // accounts that the source calls differently; they are changed too
	Correlated   int        `json:"correlated"` // accounts that found their identity
	Moved        int        `json:"moved"`      // accounts that found another identity than before
	Ambiguous    int        `json:"ambiguous"`  // added accounts that several identities fit, and that none got
	Waiting      int        `json:"waiting"`    // added accounts that may belong to the person of another new one
	Identities   int        `json:"identities"` // created
	Orphaned     int        `json:"orphaned"`   // identities that the authoritative source does not have any more
	Entitlements int        `json:"entitlements"`
	Faulty       int        `json:"faulty"` // rows left out
	RowErrors    []RowError `json:"rowErrors"`
	// Task is the task that processes the identities concerned, "" when there are none.
	Task string `json:"task,omitempty"`
	// DryRun says that all of it was undone.
	DryRun bool     `json:"dryRun,omitempty"`
	Notes  []string `json:"notes"`
}

// RowError says why a row of the data was left out.
type RowError struct {
	Line int    `json:"line"`
	Msg  string `json:"message"`
}

// faults are the rows that an aggregation leaves out.
type faults struct {
	count    int
	reported []RowError
}

func (f *faults) add(line int, msg string) {
	f.count++
	if len(f.reported) < RowErrorsMax {
		f.reported = append(f.reported, RowError{line, msg})
	}
}
