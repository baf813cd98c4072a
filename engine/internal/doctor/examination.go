package doctor

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store"
)

// examination is one look at everything.
type examination struct {
	d      *Doctor
	tx     pgx.Tx
	given  store.Examination
	checks []Check
	// repairs are parallel to checks: nil where a check has no repair, or found nothing.
	repairs []repairFunc
	// compiled is the configuration; nil if it does not compile.
	compiled *configuration.Configuration
	// settings are the tenant's; nil if they do not compile.
	settings *configuration.Settings
	// What a repair needs and no statement finds again: the identities with wrong keys and with wrong folded columns,
	// the accounts with wrong keys, and names.
	keys       []store.ID
	folded     []store.ID
	accounts   []store.ID
	names      []store.FoldedName
	indexes    []string
	unverified []string
}

// repairFunc mends what a check found. It returns how many rows or objects it mended, and what it did.
type repairFunc func(ctx context.Context) (count int, done string, err error)

// examine looks at everything in one snapshot.
func (d *Doctor) examine(ctx context.Context, options Options) (*examination, error) {
	now := d.Now()
	x := &examination{d: d, given: store.Examination{JobSchema: d.JobSchema, Now: now,
		Stalled: now.Add(-stuckAfter)}}
	if err := x.examineClock(ctx); err != nil {
		return nil, err
	}
	version, err := migrations.Version(ctx, d.Pool, migrations.Config{Schema: d.Schema,
		JobSchema: d.JobSchema})
	if err != nil {
		return nil, err
	}
	x.addSetting("schema-version", SeverityFailure, version == migrations.Latest(),
		fmt.Sprintf("version %d", version), fmt.Sprintf("version %d is needed: muster migrate", migrations.Latest()))
	parts := []func(context.Context) error{x.examineServer, x.examineTables, x.examineConfiguration, x.examineRows,
		x.examineInvariants, x.examineSchedule, x.examineEngines}
	if options.Thorough {
		parts = append(parts, x.examineDerived)
	}
	err = pgx.BeginTxFunc(ctx, d.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly},
		func(tx pgx.Tx) error {
			x.tx = tx
			if err := d.Store.LimitStatements(ctx, tx, options.Timeout); err != nil {
				return err
			}
			for _, part := range parts {
				if err := part(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	return x, err
}

// diagnosis returns what was found, with the repairs that were made before.
func (x *examination) diagnosis(repairs []Repair) Diagnosis {
	d := Diagnosis{At: x.given.Now, Severity: SeverityOK, Checks: x.checks, Repairs: repairs}
	for _, c := range x.checks {
		if c.Severity == SeverityFailure || c.Severity == SeverityWarning && d.Severity == SeverityOK {
			d.Severity = c.Severity
		}
	}
	return d
}

// add records the outcome of a check. severity is what it is if something was found; mend says what helps, repair does
// it.
func (x *examination) add(name string, severity Severity, f store.Finding, mend string, repair repairFunc) {
	c := Check{Name: name, Severity: SeverityOK, Examples: f.Examples, Count: f.Count}
	if c.Examples == nil {
		c.Examples = []string{}
	}
	if f.Count > 0 {
		c.Severity, c.Mend, c.Reparable = severity, mend, repair != nil
	} else {
		repair = nil
	}
	x.checks, x.repairs = append(x.checks, c), append(x.repairs, repair)
}

// addSetting records the outcome of a check of one thing. If it does not hold, found says what was found.
func (x *examination) addSetting(name string, severity Severity, holds bool, found, mend string) {
	var f store.Finding
	if !holds {
		f = store.Found([]string{found})
	}
	x.add(name, severity, f, mend, nil)
}
