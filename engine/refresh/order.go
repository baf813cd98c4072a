package refresh

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform"
)

// roundsMax is how often the mappings that may read any attribute are calculated until nothing changes. A chain of so
// many such mappings comes to rest even if each is calculated before the one that it reads.
const roundsMax = 16

// CircleError is the error of mappings that are calculated from each other.
type CircleError struct {
	// Path are the attributes: each reads the next one, and the last is the first again.
	Path []string
}

func (e *CircleError) Error() string {
	if len(e.Path) == 2 {
		return fmt.Sprintf("an attribute is calculated from itself, %s: write $oldValue in a template for the value "+
			"that it had", strings.Join(e.Path, " -> "))
	}
	return fmt.Sprintf("the attributes are calculated from each other: %s", strings.Join(e.Path, " -> "))
}

// arrangement is the order in which the mappings of a profile are calculated.
type arrangement struct {
	// early are the positions of the mappings that read only earlier ones. late are the others: those that may read any
	// attribute, and those that read a late one.
	early, late []int
}

// Arrange finds the order in which the mappings are calculated: each after those that it reads. It must be called
// before the profile is used. The error is a [*CircleError].
func (p *Profile) Arrange() error {
	p.order = nil
	if !slices.ContainsFunc(p.Mappings, func(m Mapping) bool { return m.ReadsAny || len(m.Reads) > 0 }) {
		return nil // any order will do, and that of the set is the fastest
	}
	a := &arranger{p: p, at: map[string]int{}, state: make([]visit, len(p.Mappings)),
		late: make([]bool, len(p.Mappings)), result: new(arrangement)}
	for i := range p.Mappings {
		a.at[p.Mappings[i].Attribute] = i
	}
	for i := range p.Mappings {
		if err := a.visit(i); err != nil {
			return err
		}
	}
	p.order = a.result
	return nil
}

type visit uint8

const (
	unseen visit = iota
	open
	closed
)

// arranger visits each mapping after those that it reads.
type arranger struct {
	p      *Profile
	at     map[string]int // by attribute
	state  []visit
	late   []bool
	path   []int // whose visits are open
	result *arrangement
}

func (a *arranger) visit(i int) error {
	m := &a.p.Mappings[i]
	switch a.state[i] {
	case closed:
		return nil
	case open:
		return a.circle(i)
	}
	a.state[i], a.path = open, append(a.path, i)
	a.late[i] = m.ReadsAny
	for _, name := range m.Reads {
		other, mapped := a.at[name]
		if !mapped {
			continue
		}
		if err := a.visit(other); err != nil {
			return err
		}
		a.late[i] = a.late[i] || a.late[other]
	}
	a.state[i], a.path = closed, a.path[:len(a.path)-1]
	if a.late[i] {
		a.result.late = append(a.result.late, i)
	} else {
		a.result.early = append(a.result.early, i)
	}
	return nil
}

// circle returns the error of a circle that ends at a mapping.
func (a *arranger) circle(i int) error {
	var path []string
	for _, on := range append(a.path[slices.Index(a.path, i):], i) {
		path = append(path, a.p.Mappings[on].Attribute)
	}
	return &CircleError{path}
}

// ordered calculates the attributes of one identity in the order in which their mappings read each other.
type ordered struct {
	c       *Change
	p       *Profile
	s       *Snapshot
	account *Account
	now     time.Time
	input   transform.Input
	// attributes are the new ones: those that are calculated already.
	attributes *attribute.Set
}

// run calculates the mappings. A mapping sees the new values of the attributes that are calculated before it, and no
// value of the others: what the profile does not map is gone.
func (o *ordered) run() error {
	o.input.Identity.Attributes = o.attributes
	o.input.Identity.Name, o.input.Identity.Alias = o.account.name(), o.account.name()
	o.put(lifecycleAttribute, attribute.Null) // it may be set by hand
	for _, i := range o.p.order.early {
		value, due, err := o.evaluate(i)
		if err != nil {
			return o.p.Mappings[i].fail(o.p, err)
		}
		o.put(o.p.Mappings[i].Attribute, value)
		o.c.calculated(&o.p.Mappings[i], due, o.now)
	}
	if len(o.p.order.late) == 0 {
		return nil
	}
	return o.untilStable()
}

func (o *ordered) evaluate(i int) (attribute.Value, time.Time, error) {
	m := &o.p.Mappings[i]
	o.input.Attribute, o.input.OldValue = m.Attribute, o.s.Identity.Attributes.Get(m.Attribute)
	return m.Transform.EvaluateUntil(&o.input)
}

// put sets a new attribute, and the property of the identity that it is.
func (o *ordered) put(name string, value attribute.Value) attribute.Value {
	switch name {
	case lifecycleAttribute:
		value = o.c.lifecycleValue(o.p, value)
	case "displayName":
		o.input.Identity.Name = firstText(value, attribute.String(o.account.name()))
	case "uid":
		o.input.Identity.Alias = firstText(value, attribute.String(o.account.name()))
	}
	if value.IsNull() {
		o.attributes.Delete(name)
	} else {
		o.attributes.Put(name, value)
	}
	return value
}

// late is what is known of a late mapping.
type late struct {
	value  attribute.Value
	due    time.Time
	err    error
	stale  bool // what it reads has changed since
	random replay
}

// untilStable calculates the late mappings, and again those that read what has changed, until nothing changes. One that
// fails has no value for the others; its error counts only at the end, since it may lack a value that comes later.
func (o *ordered) untilStable() error {
	list := make([]late, len(o.p.order.late))
	for k := range list {
		list[k].stale, list[k].random.source = true, o.s.Random
	}
	for range roundsMax {
		for k := range list {
			if list[k].stale {
				o.again(list, k)
			}
		}
		if !slices.ContainsFunc(list, func(l late) bool { return l.stale }) {
			return o.finish(list)
		}
	}
	var names []string
	for k := range list {
		if list[k].stale {
			names = append(names, o.p.Mappings[o.p.order.late[k]].Attribute)
		}
	}
	slices.Sort(names)
	return fmt.Errorf("the attributes of profile %q do not come to rest: each calculation of %s changes what another "+
		"of them reads", o.p.Name, strings.Join(names, ", "))
}

// again calculates a late mapping. It does not see its own value, which is $oldValue before the calculation.
func (o *ordered) again(list []late, k int) {
	l, i := &list[k], o.p.order.late[k]
	name := o.p.Mappings[i].Attribute
	o.put(name, attribute.Null)
	o.attributes.Delete(name) // the state that was set by hand as well
	if o.s.Random != nil {
		l.random.at = 0
		o.input.Random = &l.random
	}
	var value attribute.Value
	value, l.due, l.err = o.evaluate(i)
	o.input.Random = o.s.Random
	if l.err != nil {
		value = attribute.Null
	}
	value = o.put(name, value)
	l.stale = false
	if value.Equal(l.value) {
		return
	}
	l.value = value
	for other := range list {
		m := &o.p.Mappings[o.p.order.late[other]]
		if other != k && (m.ReadsAny || slices.Contains(m.Reads, name)) {
			list[other].stale = true
		}
	}
}

// finish records what the last calculation of the late mappings found.
func (o *ordered) finish(list []late) error {
	for k := range list {
		m := &o.p.Mappings[o.p.order.late[k]]
		if list[k].err != nil {
			return m.fail(o.p, list[k].err)
		}
		o.c.calculated(m, list[k].due, o.now)
	}
	return nil
}

// replay reads a source of random values, and the same ones again from at on: a mapping that is calculated again with
// nothing changed gives the same value.
type replay struct {
	source io.Reader
	read   []byte
	at     int
}

func (r *replay) Read(p []byte) (int, error) {
	if r.at < len(r.read) {
		n := copy(p, r.read[r.at:])
		r.at += n
		return n, nil
	}
	n, err := r.source.Read(p)
	r.read = append(r.read, p[:n]...)
	r.at += n
	return n, err
}
