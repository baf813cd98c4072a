package refresh

import (
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine/connector"
)

// OperationsPerDayMax is how many operations with one target are carried out on one day of the tenant's, by default: on
// one attribute of an account, or on one value of an attribute with several; on whether the account can be used; or for
// the creation of an account of an identity on a source. Another one is parked: two reasons undo each other.
const OperationsPerDayMax = 10

// Past is an operation of the day.
type Past struct {
	Operation
	Done time.Time // when it was carried out; zero where it was not
	// Released is when somebody let it be carried out after it was parked; zero for never. What was done before does
	// not count any more.
	Released time.Time
}

// LimitOperations parks the operations of the change that would exceed the limit of a day. past are the identity's
// operations of the day, in the order in which they ended.
func (c *Change) LimitOperations(a *Access, past []Past, limit int) {
	if len(past) < limit {
		return
	}
	for i := range c.Access.Open {
		o := &c.Access.Open[i]
		count, before := a.countPast(o, past)
		if count < limit || o.Awaits {
			continue
		}
		o.Parked, o.Manual = true, false
		o.Cause = fmt.Sprintf("it goes round: %d operations on the same were carried out since midnight. Before it "+
			"was %s, because of: %s. Now it is %s, because of: %s. Release it when the two agree", count, before.Kind,
			before.Reason, o.Kind, o.Reason)
		c.Warnings = append(c.Warnings, fmt.Sprintf("the operation %s on %q is parked: %s", o.Kind,
			a.sourceName(o.SourceID), o.Cause))
	}
}

// countPast returns how many operations with the target of another one were carried out since somebody released one,
// and the last of them that did something else, or the last where there is none.
func (a *Access) countPast(o *Operation, past []Past) (count int, before *Operation) {
	key := a.limitTarget(o)
	var released time.Time
	for i := range past {
		if p := &past[i]; p.Released.After(released) && a.limitTarget(&p.Operation) == key {
			released = p.Released
		}
	}
	other := false
	for i := range past {
		p := &past[i]
		creates := o.Kind.Effect() == connector.Creates
		undone := creates && p.Kind.Effect() == connector.Deletes && p.SourceID == o.SourceID
		if p.Done.IsZero() || !p.Done.After(released) || !undone && a.limitTarget(&p.Operation) != key {
			continue
		}
		if !undone {
			count++
		}
		if differs := undone || !creates && !a.same(o, &p.Operation); before == nil || differs || !other {
			before, other = &p.Operation, other || differs
		}
	}
	return count, before
}

// limitTarget is what the operations of a day are counted by: the target, but that all values of an attribute with one
// value are one, and that a creation is one of the source, whatever the account is.
func (a *Access) limitTarget(o *Operation) target {
	t := a.target(o)
	switch o.Kind.Target() {
	case connector.TargetCreation:
		t.account = ID{}
	case connector.TargetValue:
		if source := a.Sources[o.SourceID]; source != nil && source.Single[t.attribute] {
			t.value = ""
		}
	case connector.TargetAttribute, connector.TargetStatus, connector.TargetLock, connector.TargetAccount,
		connector.TargetPassword:
	}
	return t
}

func (a *Access) sourceName(id ID) string {
	if source := a.Sources[id]; source != nil {
		return source.Name
	}
	return id.String()
}
