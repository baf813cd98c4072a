package processing

import (
	"fmt"

	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// directory finds other identities for the transforms of one identity, and remembers what they asked for. It implements
// [transform.Directory].
type directory struct {
	o      *others
	member int
}

// Manager returns the manager of the identity, nil if it has none.
func (d *directory) Manager() (*transform.Identity, error) {
	return d.identity(askedManager, store.ID{})
}

// IsManager reports whether the identity is the manager of another one.
func (d *directory) IsManager() (bool, error) {
	a, err := d.ask(askedStatus, store.ID{})
	return a.is, err
}

// Identity returns the identity with an alias, nil if there is none. Where several have it, it is the one that was
// found the last time, nil if none of them was.
func (d *directory) Identity(alias string) (*transform.Identity, error) {
	key := store.AliasKey(alias)
	d.o.names[key] = alias
	return d.identity(askedAlias, key)
}

func (d *directory) identity(k kind, key store.ID) (*transform.Identity, error) {
	a, err := d.ask(k, key)
	s := d.o.stateOf(a.found)
	if err != nil || s == nil {
		return nil, err
	}
	return identityOf(s), nil
}

// ask answers a question and remembers it. Once all members are calculated, as for an explanation, a question that only
// the database can answer waits for it.
func (d *directory) ask(k kind, key store.ID) (answer, error) {
	o := d.o
	a := o.answer(d.member, k, key)
	if a.unknown && k == askedAlias {
		o.wanted.aliases = append(o.wanted.aliases, o.names[key])
	}
	if a.unknown && o.settled {
		if err := o.load(); err != nil {
			return answer{}, err
		}
		a = o.answer(d.member, k, key)
	}
	o.asked[d.member] = append(o.asked[d.member], asked{k, key, a})
	return a, nil
}

func identityOf(s *refresh.State) *transform.Identity {
	return &transform.Identity{ID: s.ID.String(), Name: s.Name, Alias: s.Alias, Attributes: &s.Attributes}
}

// lookupError is a failure of the database while an identity is calculated. It ends the batch, since the identity is
// not at fault.
type lookupError struct{ err error }

func (e *lookupError) Error() string { return fmt.Sprintf("looking another identity up: %v", e.err) }

func (e *lookupError) Unwrap() error { return e.err }

// failedLookup makes an error of the database a [lookupError].
func failedLookup(err error) error {
	if err == nil {
		return nil
	}
	return &lookupError{err}
}
