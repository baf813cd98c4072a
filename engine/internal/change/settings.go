package change

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// settingsName is the name of the settings among the applied objects: there is one such object.
const settingsName = "settings"

// putSettings brings the rows up to the settings of a document.
func (p *Proposal) putSettings(d configuration.Document) error {
	if p.settings != "" {
		return wrong("the settings are given twice: they are one object, which %s has already", p.settings)
	}
	p.settings = d.Place
	before := p.before.Settings
	after, document, err := before.Applied(d.Object, p.now)
	if err != nil {
		return inputError{err}
	}
	action := configuration.Created
	switch said, same := before.SaidBefore(after); {
	case same:
		action = configuration.Unchanged
	case said:
		action = configuration.Updated
	}
	p.record(configuration.TypeSettings, store.ID{}, settingsName, action)
	if action == configuration.Unchanged {
		return nil
	}
	p.Notes = append(p.Notes, before.Dropped(after)...)
	p.Rows.Settings = document
	p.addWrite(func(ctx context.Context, s *store.Store, tx pgx.Tx) error { return s.PutSettings(ctx, tx, document) })
	return nil
}

// AdoptSettings makes values that an engine's Config gives the tenant's, where nobody has set them, and as long as no
// configuration was applied or no identity is there. It fails with a [configuration.SettingsError], of the kind
// Conflict, where they contradict the tenant's. It locks the configuration FOR UPDATE until the transaction ends,
// unless there is nothing to set.
func (a *Applier) AdoptSettings(ctx context.Context, tx pgx.Tx, given configuration.Values) error {
	fresh, _, err := a.compareSettings(ctx, tx, given)
	if err != nil || len(fresh) == 0 {
		return err
	}
	if _, err := a.Store.LockConfiguration(ctx, tx); err != nil {
		return err
	}
	fresh, before, err := a.compareSettings(ctx, tx, given) // another engine may have been faster
	if err != nil || len(fresh) == 0 {
		return err
	}
	after, document, err := before.With(fresh)
	if err != nil {
		return err
	}
	if err := a.Store.PutSettings(ctx, tx, document); err != nil {
		return err
	}
	if _, err := a.Store.AdvanceConfiguration(ctx, tx); err != nil {
		return err
	}
	if after.Location.String() == before.Location.String() {
		return nil
	}
	return a.adoptZone(ctx, tx, before, after)
}

// compareSettings compares values that a Config gives with the tenant's settings.
func (a *Applier) compareSettings(ctx context.Context, tx pgx.Tx, given configuration.Values) (
	fresh configuration.Values, s *configuration.Settings, err error,
) {
	row, err := a.Store.Settings(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	if s, err = configuration.CompileSettings(row.Document); err != nil {
		return nil, nil, err
	}
	settled := row.Settled
	if settled {
		if settled, err = a.Store.HasIdentities(ctx, tx); err != nil {
			return nil, nil, err
		}
	}
	fresh, conflict := s.Compare(given, settled)
	if conflict != nil {
		return nil, s, &fault.Error{Kind: fault.Conflict, Op: "start the engine", Err: conflict}
	}
	return fresh, s, nil
}

// adoptZone requests the processing of the identities that an engine's time zone concerns. Where the configuration does
// not compile in this process, that is everybody.
func (a *Applier) adoptZone(ctx context.Context, tx pgx.Tx, before, after *configuration.Settings) error {
	rows, err := a.Store.LoadConfiguration(ctx, tx)
	if err != nil {
		return err
	}
	cause := a.NewCause(ctx)
	var profiles []store.ID
	var sources map[store.ID]*configuration.CompiledSource
	if compiled, err := a.Compile(rows); err == nil {
		profiles, sources = zonedProfiles(compiled), compiled.Sources
	} else {
		for i := range rows.Profiles {
			profiles = append(profiles, rows.Profiles[i].ID)
		}
	}
	for _, profile := range profiles {
		if _, err := a.Store.RequestProfileRefresh(ctx, tx, profile, reasonZone, cause); err != nil {
			return err
		}
	}
	if err := a.moveTimes(ctx, tx, cause, before, after, sources); err != nil {
		return err
	}
	_, _, err = a.LaunchRequested(ctx, tx, cause, "Process after a change of the time zone", nil)
	return err
}

// reasonZone is the reason of the requests for identities whose values depend on the time zone.
const reasonZone = "time zone changed"

// zonedProfiles returns the profiles with values that may depend on the time zone.
func zonedProfiles(c *configuration.Configuration) []store.ID {
	var profiles []store.ID
	for i := range c.Profiles {
		if c.Profiles[i].Zoned {
			profiles = append(profiles, c.Profiles[i].RowID)
		}
	}
	return profiles
}

// changeZone does what follows from another time zone: it adds the profiles whose values depend on it to those whose
// identities are processed, and moves the times that were calculated by it.
func (a *application) changeZone(ctx context.Context) error {
	before, after := a.proposal.before.Settings, a.after.Settings
	if before.Location.String() == after.Location.String() {
		return nil
	}
	for _, profile := range zonedProfiles(a.after) {
		a.proposal.profiles[profile] = true
	}
	return a.moveTimes(ctx, a.tx, a.cause, before, after, a.after.Sources)
}

// moveTimes moves the times that wait for a slot or a schedule to the new time zone. Who is due at the next slot
// becomes due at the new one if that is earlier. If it is later, they stay: that time may be one of their own values'.
func (a *Applier) moveTimes(ctx context.Context, tx pgx.Tx, cause store.Cause, before, after *configuration.Settings,
	sources map[store.ID]*configuration.CompiledSource,
) error {
	was, is := task.NextSlot(cause.At, before.Location), task.NextSlot(cause.At, after.Location)
	if is.Before(was) {
		if err := a.Store.MoveDue(ctx, tx, was.UTC(), is.UTC()); err != nil {
			return err
		}
	}
	for _, source := range sources {
		if source.Schedule() == "" {
			continue
		}
		next, err := configuration.NextAggregation(source.Schedule(), cause.At, after.Location)
		if err != nil {
			return err
		}
		if err := a.Store.MoveAggregation(ctx, tx, source.RowID, source.Schedule(), cause.At, next); err != nil {
			return err
		}
	}
	return nil
}
