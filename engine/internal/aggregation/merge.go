package aggregation

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// merge brings the accounts of a source up to its stage. Nobody else writes to the source meanwhile.
type merge struct {
	staged
	cause      store.Cause
	eventWrite store.ID
	duplicates bool // rows were dropped because an earlier one has their account
	stable     stableChanges

	before  store.SourceAccounts // not counted for a delta, unless accounts are gone
	changes store.AccountChanges
	fresh   store.NewAccounts
	held    []store.ID // new accounts that wait, see wait
	late    int        // accounts that found their identity though they are not new
	adopted int        // uncorrelated accounts that became identities
	result  Result
}

// do takes the steps of a merge. Beside an error it returns what is known so far.
func (m *merge) do(ctx context.Context) (Result, error) {
	for _, step := range []func(*merge, context.Context) error{
		(*merge).demandRows, (*merge).demandAttributes, (*merge).match, (*merge).compare, (*merge).remove,
		(*merge).write, (*merge).addEntitlements, (*merge).entitle, (*merge).correlate, (*merge).complete,
		(*merge).countOrphaned, (*merge).requestUnchanged,
	} {
		if err := step(m, ctx); err != nil {
			return m.result, err
		}
	}
	m.sumUp()
	err := m.launch(ctx)
	return m.result, err
}

// compare fails with a [store.RetryableError] where an account changed since it was staged as unchanged, and counts the
// accounts that have vanished.
func (m *merge) compare(ctx context.Context) (err error) {
	if m.options.Delta && m.count.Differing < m.count.Rows {
		if err := m.Store.DemandSeen(ctx, m.tx, &m.count); err != nil {
			return err
		}
	}
	if m.options.Delta && len(m.findings.gone)+len(m.stable.replaced) == 0 {
		return nil // none is removed
	}
	m.before, err = m.Store.CountVanished(ctx, m.tx, &m.count, m.findings.spared)
	return err
}

// remove removes the accounts that the data does not have, or those that a delta says are gone, and those whose names
// are other accounts' by now. It does so only where the limit allows it, and where no row could be an account that
// seems to have vanished. Then it renames accounts.
func (m *merge) remove(ctx context.Context) error {
	delta, gone := m.options.Delta, m.findings.gone
	vanished := m.before.Vanished - m.stable.away
	if delta {
		vanished = len(gone)
	}
	keep := vanished > 0 && m.findings.unknown > 0 && !delta
	if keep {
		m.result.Notes = append(m.result.Notes, fmt.Sprintf("%d accounts are not in the data, but were kept: "+
			"it is not known whose the %d rows are that could not be read", vanished, m.findings.unknown))
		vanished = 0
	}
	vanished += len(m.stable.replaced)
	limit := m.deletionLimit()
	if vanished > 0 && !configuration.DeletionAllowed(limit, vanished, m.before.Accounts) {
		return &fault.Error{
			Kind: fault.Conflict, Op: "aggregate", Subject: m.source.Name,
			Err: &configuration.DeletionLimitError{Vanished: vanished, Accounts: m.before.Accounts, Limit: limit},
		}
	}
	// The names of the renamed may be those of the replaced, and their own old ones are no accounts of the data.
	if err := m.Store.DeleteGone(ctx, m.tx, m.stable.replaced, m.cause); err != nil {
		return err
	}
	if err := m.Store.RenameAccounts(ctx, m.tx, &m.count, m.stable.renamings); err != nil {
		return err
	}
	m.result.Removed, m.result.Renamed = len(m.stable.replaced), len(m.stable.renamings)
	if vanished == len(m.stable.replaced) || keep {
		return nil
	}
	return m.removeVanished(ctx, delta, gone)
}

func (m *merge) removeVanished(ctx context.Context, delta bool, named []string) (err error) {
	var gone []store.ID
	if delta {
		gone, err = m.Store.LockNamed(ctx, m.tx, &m.count, named)
	} else {
		gone, err = m.Store.LockVanished(ctx, m.tx, &m.count, m.findings.spared)
	}
	if err != nil || len(gone) == 0 {
		return err
	}
	if m.count.Known < m.count.Differing {
		lines, err := m.Store.Respelled(ctx, m.tx, &m.count, gone)
		if err != nil {
			return err
		}
		m.noteRespelled(lines)
	}
	m.result.Removed += len(gone)
	return m.Store.DeleteGone(ctx, m.tx, gone, m.cause)
}

// noteRespelled notes that accounts differ from removed ones in letter case alone: the source may have changed how it
// writes what names them.
func (m *merge) noteRespelled(lines []int64) {
	if len(lines) == 0 {
		return
	}
	where := ""
	if lines[0] > 0 {
		where = fmt.Sprintf(", the first in line %d", lines[0])
	}
	what := "they count as other accounts"
	if !m.source.ProfileID.IsZero() {
		what = "they count as other people, unless a correlation finds these"
	}
	m.result.Notes = append(m.result.Notes, fmt.Sprintf("%d new accounts differ from removed ones in the letter case "+
		"of the native identity alone%s: %s", len(lines), where, what))
}

// deletionLimit returns the limit of the options, or else that of the source, or else the default.
func (m *merge) deletionLimit() configuration.DeletionLimit {
	if m.options.MaxDeletions != nil {
		return *m.options.MaxDeletions
	}
	limit := configuration.DeletionLimit{Percent: configuration.DeleteThresholdDefault, IsPercent: true}
	if m.source.DeleteThreshold != nil {
		limit.Percent = *m.source.DeleteThreshold
	}
	return limit
}

// write updates the accounts that changed and adds the new ones. Others may have written to the source after the rows
// were compared, until the lock was taken: an account that they added is changed or unchanged now, one that they
// removed is new. So both statements run, unless the first of them already took every row that differed. The one that
// most likely does so is the first: an update where accounts were known, an insertion elsewhere.
func (m *merge) write(ctx context.Context) error {
	updateFirst := m.count.Known > 0 || m.duplicates || len(m.stable.renamings) > 0
	if updateFirst {
		if err := m.update(ctx); err != nil {
			return err
		}
	}
	if int64(m.changes.Changed) < m.count.Differing {
		if err := m.insert(ctx); err != nil {
			return err
		}
	}
	if !updateFirst && int64(m.fresh.Accounts) < m.count.Differing {
		return m.update(ctx)
	}
	return nil
}

func (m *merge) update(ctx context.Context) (err error) {
	m.changes, err = m.Store.UpdateChanged(ctx, m.tx, &m.count, m.cause)
	return err
}

func (m *merge) insert(ctx context.Context) (err error) {
	if _, err := m.Store.RecallAccounts(ctx, m.tx, &m.count, m.cause); err != nil {
		return err
	}
	if m.held, err = m.wait(ctx); err != nil {
		return err
	}
	m.result.Waiting = len(m.held)
	m.fresh, err = m.Store.InsertNew(ctx, m.tx, &m.count, m.source.ProfileID, m.eventWrite, m.cause)
	return err
}

// addEntitlements adds the entitlements that the accounts have and the source did not have.
func (m *merge) addEntitlements(ctx context.Context) (err error) {
	if len(m.findings.entitlements) == 0 {
		return nil
	}
	values := slices.Collect(maps.Keys(m.findings.entitlements))
	configuration.SortEntitlements(values)
	m.result.Entitlements, err = m.Store.AddEntitlements(ctx, m.tx, m.source.RowID, values, m.cause.At)
	return err
}

// entitle writes which entitlements the accounts hold that are new or have changed.
func (m *merge) entitle(ctx context.Context) error {
	marks := m.source.Marks()
	if len(marks) == 0 {
		return nil
	}
	if m.fresh.Accounts > 0 {
		if err := m.Store.AddNewAccountEntitlements(ctx, m.tx, &m.count, m.source.Entitling("")); err != nil {
			return err
		}
	}
	return m.Store.WriteAccountEntitlements(ctx, m.tx, m.changes.Accounts, marks)
}

// correlate looks for the identities of the accounts that have none, which includes those that were there before.
func (m *merge) correlate(ctx context.Context) (err error) {
	if m.late, err = m.Store.CorrelateSource(ctx, m.tx, m.source.RowID, m.cause); err != nil {
		return err
	}
	if m.adopted, err = m.Adopt(ctx, m.tx, m.source, m.held, m.eventWrite, m.fresh.Identities, m.cause); err != nil {
		return err
	}
	if created := m.fresh.Identities + m.adopted; created > 0 {
		return m.Store.AddEventWrite(ctx, m.tx, m.eventWrite, created, m.cause)
	}
	return nil
}

// wait lets new accounts of an authoritative source wait that may belong to the person of an earlier row: they share a
// value by which accounts are correlated. They are correlated when that person's values are calculated, as they would
// be if they came in a file of their own, or become identities at the next aggregation.
func (m *merge) wait(ctx context.Context) ([]store.ID, error) {
	if m.source.ProfileID.IsZero() || len(m.source.Assignments()) == 0 {
		return nil, nil
	}
	return m.Store.HoldSharing(ctx, m.tx, &m.count)
}

// countOrphaned counts the people whose authoritative source does not have them any more.
func (m *merge) countOrphaned(ctx context.Context) (err error) {
	if m.source.ProfileID.IsZero() || m.result.Removed+m.changes.Moved == 0 {
		return nil
	}
	m.result.Orphaned, err = m.Store.CountOrphaned(ctx, m.tx, m.source.RowID, m.source.ProfileID, m.cause.Task)
	return err
}

// requestUnchanged requests the processing of everybody with an account on the source, where the options say so.
func (m *merge) requestUnchanged(ctx context.Context) error {
	if !m.options.Unchanged {
		return nil
	}
	return m.Store.RequestSourceRefresh(ctx, m.tx, m.source.RowID, "aggregated without optimization", m.cause)
}

// sumUp completes the counts of the result.
func (m *merge) sumUp() {
	r := &m.result
	r.Changed, r.Moved = m.changes.Changed, m.changes.Moved
	r.Added, r.Ambiguous = m.fresh.Accounts, m.fresh.Ambiguous
	r.Identities = m.fresh.Identities + m.adopted
	r.Correlated = m.fresh.Correlated + m.late
	r.Unchanged = r.Rows - r.Changed - r.Added
}

// launch launches the task that processes the identities concerned. The guard's limit is a share of the identities that
// have an account on the source.
func (m *merge) launch(ctx context.Context) (err error) {
	description := fmt.Sprintf("Process after the aggregation of %q", m.source.Name)
	created := m.fresh.Identities + m.adopted
	m.result.Task, _, err = m.LaunchCreated(ctx, m.tx, m.cause, description, created, func(requested int64) (int64,
		error,
	) {
		if requested <= int64(m.settings.Guard.Minimum) {
			return requested, nil
		}
		if m.options.Delta {
			return m.Store.CountCorrelated(ctx, m.tx, m.source.RowID)
		}
		// The accounts that were removed are taken to have had an identity.
		kept := max(m.before.Correlated-m.result.Removed, 0)
		return int64(kept + m.result.Correlated + m.result.Identities), nil
	})
	return err
}
