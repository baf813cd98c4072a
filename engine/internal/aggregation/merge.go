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

	before  store.SourceAccounts // not counted for a delta, unless accounts are gone
	changes store.AccountChanges
	fresh   store.NewAccounts
	late    int // accounts that found their identity though they are not new
	adopted int // uncorrelated accounts that became identities
	result  Result
}

// do takes the steps of a merge. Beside an error it returns what is known so far.
func (m *merge) do(ctx context.Context) (Result, error) {
	for _, step := range []func(*merge, context.Context) error{
		(*merge).compare, (*merge).remove, (*merge).write, (*merge).addEntitlements, (*merge).entitle,
		(*merge).correlate, (*merge).complete,
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
	if m.options.Delta && len(m.findings.gone) == 0 {
		return nil // none is removed
	}
	m.before, err = m.Store.CountVanished(ctx, m.tx, &m.count, m.findings.spared)
	return err
}

// remove removes the accounts that the data does not have, or those that a delta says are gone. It does so only where
// the limit allows it, and where no row could be an account that seems to have vanished.
func (m *merge) remove(ctx context.Context) (err error) {
	delta, gone := m.options.Delta, m.findings.gone
	vanished := m.before.Vanished
	if delta {
		vanished = len(gone)
	}
	if vanished == 0 {
		return nil
	}
	if m.findings.unknown > 0 && !delta {
		m.result.Notes = append(m.result.Notes, fmt.Sprintf("%d accounts are not in the data, but were kept: "+
			"it is not known whose the %d rows are that could not be read", vanished, m.findings.unknown))
		return nil
	}
	limit := m.deletionLimit()
	if !configuration.DeletionAllowed(limit, vanished, m.before.Accounts) {
		return &fault.Error{
			Kind: fault.Conflict, Op: "aggregate", Subject: m.source.Name,
			Err: &configuration.DeletionLimitError{Vanished: vanished, Accounts: m.before.Accounts, Limit: limit},
		}
	}
	if delta {
		m.result.Removed, err = m.Store.DeleteNamed(ctx, m.tx, &m.count, gone, m.cause)
		return err
	}
	m.result.Removed, err = m.Store.DeleteVanished(ctx, m.tx, &m.count, m.findings.spared, m.cause)
	return err
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
	updateFirst := m.count.Known > 0 || m.duplicates
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
	if m.adopted, err = m.Adopt(ctx, m.tx, m.source, m.eventWrite, m.fresh.Identities, m.cause); err != nil {
		return err
	}
	if created := m.fresh.Identities + m.adopted; created > 0 {
		return m.Store.AddEventWrite(ctx, m.tx, m.eventWrite, created, m.cause)
	}
	return nil
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
	m.result.Task, _, err = m.LaunchRequested(ctx, m.tx, m.cause, description, func(requested int64) (int64, error) {
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
