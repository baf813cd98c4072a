package aggregation

import (
	"context"
	"fmt"
	"slices"

	"github.com/muster-engine/muster/store"
)

// stableChanges is what the stable identities of the staged rows say of accounts that are known by other names.
type stableChanges struct {
	renamings []store.Renaming
	// replaced are accounts whose names belong to other accounts now, and that the data has under no name.
	replaced []store.ID
	// away is how many of the renamed seem to have vanished, because no row has the name that they had.
	away int
}

// match finds which accounts were renamed at the source, by their stable identities: two that exchange their names, a
// chain of them, and accounts whose names others have now. It changes no account yet.
func (m *merge) match(ctx context.Context) error {
	if m.findings.stable {
		m.findings.unknown += m.findings.unstable
	}
	if err := m.spareStable(ctx); err != nil {
		return err
	}
	if err := m.nameGone(ctx); err != nil {
		return err
	}
	if m.count.Stable == 0 {
		return nil
	}
	duplicates, err := m.Store.StableDuplicates(ctx, m.tx, m.count.Run)
	if err != nil {
		return err
	}
	var out []int64
	for _, d := range duplicates {
		text := "its stable identity is the same as that of an earlier object"
		if d.First > 0 {
			text = fmt.Sprintf("its stable identity is the same as that of line %d", d.First)
		}
		out = append(out, d.Place)
		m.leaveOut(d.Line, text, d.NativeIdentity)
	}
	if err := m.Store.DropStaged(ctx, m.tx, m.count.Run, out); err != nil {
		return err
	}
	rows, err := m.Store.StableMatches(ctx, m.tx, &m.count)
	if err != nil || len(rows) == 0 {
		return err
	}
	return m.rename(ctx, rows)
}

// spareStable spares the accounts of faulty rows that are known by their stable identities, whatever they are called.
func (m *merge) spareStable(ctx context.Context) error {
	if len(m.findings.sparedStable) == 0 {
		return nil
	}
	accounts, err := m.Store.StableAccounts(ctx, m.tx, m.source.RowID, m.findings.sparedStable)
	for i := range accounts {
		m.findings.spared = append(m.findings.spared, accounts[i].NativeIdentity)
	}
	return err
}

// nameGone replaces the names of accounts that the source says are gone, where it says their stable identities too, by
// the names under which they are known. A name that another account has now is not gone.
func (m *merge) nameGone(ctx context.Context) error {
	if len(m.findings.goneStable) == 0 {
		return nil
	}
	identities := make([]string, 0, len(m.findings.goneStable))
	for _, identity := range m.findings.goneStable {
		identities = append(identities, identity)
	}
	accounts, err := m.Store.StableAccounts(ctx, m.tx, m.source.RowID, identities)
	if err != nil {
		return err
	}
	for i := range accounts {
		m.findings.gone = append(m.findings.gone, accounts[i].NativeIdentity)
	}
	// An account without a stable identity is known by its name alone.
	named := make([]string, 0, len(m.findings.goneStable))
	for native := range m.findings.goneStable {
		named = append(named, native)
	}
	unstable, err := m.Store.UnstableAccounts(ctx, m.tx, m.source.RowID, named)
	m.findings.gone = append(m.findings.gone, unstable...)
	slices.Sort(m.findings.gone)
	m.findings.gone = slices.Compact(m.findings.gone)
	return err
}

// leaveOut counts a row as faulty that was staged before, and spares the account that has its name.
func (m *merge) leaveOut(line int64, text, native string) {
	m.result.Rows--
	faults := &m.findings.faults
	faults.add(int(line), text)
	m.result.Faulty, m.result.RowErrors = faults.count, faults.reported
	m.findings.spared = append(m.findings.spared, native)
}

// rename decides what becomes of the accounts that rows match by stable identity and have other names, and of those
// that have the names of such rows. A row is left out where the data has its account unchanged, and where its name is
// that of an account that may be in a row that could not be read.
func (m *merge) rename(ctx context.Context, rows []store.StableMatch) error {
	var called []string
	for i := range rows {
		if rows[i].Renames() {
			called = append(called, rows[i].Called)
		}
	}
	seen, changed, err := m.Store.StagedNatives(ctx, m.tx, m.count.Run, called)
	if err != nil {
		return err
	}
	var out []int64
	leaveOut := func(row *store.StableMatch, text string) {
		out = append(out, row.Place)
		m.leaveOut(row.Line, text, row.NativeIdentity)
	}
	rows = slices.DeleteFunc(rows, func(row store.StableMatch) bool {
		twice := row.Renames() && seen[row.Called]
		if twice {
			leaveOut(&row, "its stable identity is that of another account, which the data has too")
		}
		return twice
	})
	spared := map[string]bool{}
	for _, native := range m.findings.spared {
		spared[native] = true
	}
	for more := true; more; {
		more = false
		moving := movingOf(rows)
		rows = slices.DeleteFunc(rows, func(row store.StableMatch) bool {
			if !row.Takes() || moving[row.Holder] || m.findings.unknown == 0 && !spared[row.NativeIdentity] {
				return false
			}
			leaveOut(&row, "its name is that of an account with another stable identity, which may be in a row that "+
				"could not be read")
			if row.Renames() { // its account stays as it is
				spared[row.Called] = true
				m.findings.spared = append(m.findings.spared, row.Called)
			}
			more = true
			return true
		})
	}
	if err := m.Store.DropStaged(ctx, m.tx, m.count.Run, out); err != nil {
		return err
	}
	moving := movingOf(rows)
	for i := range rows {
		row := &rows[i]
		if row.Takes() && !moving[row.Holder] {
			m.stable.replaced = append(m.stable.replaced, row.Holder)
		}
		if !row.Renames() {
			continue
		}
		m.stable.renamings = append(m.stable.renamings, store.Renaming{Account: row.Account, Owner: row.Owner,
			From: row.Called, To: row.NativeIdentity})
		if !changed[row.Called] && !spared[row.Called] {
			m.stable.away++
		}
		m.findings.gone = slices.DeleteFunc(m.findings.gone, func(native string) bool { return native == row.Called })
	}
	return nil
}

// movingOf returns the accounts that rows give other names.
func movingOf(rows []store.StableMatch) map[store.ID]bool {
	moving := map[store.ID]bool{}
	for i := range rows {
		if rows[i].Renames() {
			moving[rows[i].Account] = true
		}
	}
	return moving
}
