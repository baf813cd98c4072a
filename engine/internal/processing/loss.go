package processing

import (
	"slices"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// nextProcessing is the attribute by which an identity asks for its next calculation. It ends when that has come.
const nextProcessing = "nextProcessing"

// AddLosses adds what an identity loses by a change to losses, each kind and place once. docs/processing.md, "The
// guard", says what counts. Nothing counts of an identity that was never calculated before: it is being created. Where
// its lifecycle state changes, or it ceases to be active, that counts, and its roles; what follows from it does not.
func AddLosses(losses *task.Losses, change *refresh.Change, s *refresh.Snapshot, c *configuration.Configuration) {
	if change.Before.IdentityState == "" || !change.Differs() {
		return
	}
	l := lost{change: change, snapshot: s, configuration: c}
	l.list = l.few[:0]
	l.collect()
	if len(l.list) == 0 {
		return
	}
	if *losses == nil {
		*losses = task.Losses{}
	}
	for _, loss := range l.list {
		(*losses)[loss]++
	}
}

// lost collects what one identity loses.
type lost struct {
	change        *refresh.Change
	snapshot      *refresh.Snapshot
	configuration *configuration.Configuration
	list          []task.Loss
	few           [4]task.Loss // most have no more
}

func (l *lost) add(kind store.LossKind, source refresh.ID, name string) {
	loss := task.Loss{Loss: store.Loss{Kind: kind, SourceID: source, Attribute: name}}
	if s := l.configuration.Sources[source]; s != nil {
		loss.Source = s.Name
	}
	if !slices.Contains(l.list, loss) {
		l.list = append(l.list, loss)
	}
}

func (l *lost) collect() {
	c := l.change
	if slices.ContainsFunc(c.Lost, func(loss refresh.RoleLoss) bool { return !loss.Expired }) {
		l.add(store.LossRole, refresh.ID{}, "")
	}
	lifecycle, deactivated := c.Lifecycle(), c.Deactivated()
	if lifecycle {
		l.add(store.LossLifecycle, refresh.ID{}, "")
	}
	if deactivated {
		l.add(store.LossActivity, refresh.ID{}, "")
	}
	if lifecycle || deactivated {
		return
	}
	for i := range c.Attributes {
		a := &c.Attributes[i]
		if isEmpty(a.To) && !isEmpty(a.From) && a.Name != nextProcessing {
			l.add(store.LossAttribute, refresh.ID{}, a.Name)
		}
	}
	for i := range c.Access.Open {
		l.addOperation(&c.Access.Open[i])
	}
}

// addOperation adds what an operation takes away. One that was given up before and is tried again takes nothing more,
// and of one that somebody asked for it is known that it is meant.
func (l *lost) addOperation(o *refresh.Operation) {
	if o.Demanded || l.again(o) {
		return
	}
	switch o.Kind {
	case connector.Disable, connector.Delete:
		l.add(store.LossAccount, o.SourceID, "")
	case connector.RemoveValues:
		if !l.expired(o) {
			l.add(store.LossAccess, o.SourceID, "")
		}
	case connector.SetAttributes:
		for name, value := range o.Attributes.All() {
			if isEmpty(value) {
				l.add(store.LossValue, o.SourceID, name)
			}
		}
	}
}

// again reports whether an operation about the same was there before and was given up.
func (l *lost) again(o *refresh.Operation) bool {
	name, value := o.Target()
	return slices.ContainsFunc(l.snapshot.Operations, func(old refresh.Operation) bool {
		oldName, oldValue := old.Target()
		return old.Failed && old.Kind == o.Kind && old.SourceID == o.SourceID && old.AccountID == o.AccountID &&
			oldName == name && oldValue == value
	})
}

// expired reports whether a removal takes away what a role granted whose remove date has come.
func (l *lost) expired(o *refresh.Operation) bool {
	name, value := o.Target()
	for i := range l.change.Lost {
		if !l.change.Lost[i].Expired {
			continue
		}
		for _, grant := range l.configuration.Refresh.Access.Roles[l.change.Lost[i].RoleID].Grants {
			if grant.Entitlement == (refresh.Entitlement{SourceID: o.SourceID, Attribute: name, Value: value}) {
				return true
			}
		}
	}
	return false
}

// isEmpty reports whether a value says nothing: null, an empty text, or a list without a text.
func isEmpty(value attribute.Value) bool {
	return !slices.ContainsFunc(value.Strings(), func(text string) bool { return text != "" })
}
