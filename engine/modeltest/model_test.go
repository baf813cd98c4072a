package modeltest_test

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// peopleMax is how many people there may be. Few meet often.
const peopleMax = 6

// aliases are what sources and identities call the people.
var aliases = [peopleMax]string{"ann", "bob", "cy", "dee", "eve", "fay"}

// row is somebody on the authoritative source.
type row struct{ name, department, manager, state string }

// person is somebody who may have accounts and an identity.
type person struct {
	source  *row // as the source has it, nil where it does not
	account *row // as it was aggregated
	// hasLogin says that there is an account on the other source.
	hasLogin bool
	who      *identity
}

// identity is what is to be true of an identity as it is now: calculated values are those of the last processing.
type identity struct {
	id, key                     string // key is its alias when it is processed
	name, alias, email          string
	department, login, state    string
	managerKey                  string    // whom it looks for
	manager                     *identity // whom it found
	processed, correlated       bool
	manual, protected, isMember bool
	// mapped is the state that the source gave at the last processing, and overridden the one that it gave when a state
	// was set by hand; unknown for somebody who was never processed.
	mapped, overridden string
	assigned           map[string]*assignment // by the source of the assignment
}

// assignment is one by request.
type assignment struct {
	id, comments string
	starts, ends *time.Time
}

// object is something that somebody owns.
type object struct{ kind, id, name string }

// model is the system in memory.
type model struct {
	now        time.Time
	people     [peopleMax]person
	department string // that makes people members
	roleOwner  *identity
	owned      map[object]*identity
}

// identities returns everybody, in the order of [aliases].
func (m *model) identities() []*identity {
	var list []*identity
	for i := range m.people {
		if who := m.people[i].who; who != nil {
			list = append(list, who)
		}
	}
	return list
}

// aggregate brings the accounts up to the source: all of them, or with a delta those that were read.
func (m *model) aggregate(read []int, delta bool) {
	for i := range m.people {
		p := &m.people[i]
		switch read := slices.Contains(read, i) || !delta; {
		case read && p.source != nil:
			copied := *p.source
			p.account = &copied
		case read && !delta:
			p.account = nil
		}
		if p.account != nil && p.who == nil {
			p.who = &identity{key: aliases[i], name: p.account.name, alias: p.account.name, correlated: true,
				assigned: map[string]*assignment{}, mapped: unknown}
		}
	}
}

// process calculates everybody. Everyone who has no account on the authoritative source keeps the values.
func (m *model) process() {
	for i := range m.people {
		p := &m.people[i]
		if p.who == nil {
			continue
		}
		p.who.correlated = p.account != nil
		if p.account == nil {
			continue
		}
		p.who.processed = true
		p.who.name, p.who.alias, p.who.email = p.account.name, p.who.key, p.who.key+"@example.com"
		p.who.department, p.who.managerKey = p.account.department, p.account.manager
		p.who.login = ""
		if p.hasLogin {
			p.who.login = "login-" + p.who.key
		}
		p.who.decideState(p.account.state)
	}
	for _, who := range m.identities() {
		who.manager = nil
		for _, other := range m.identities() {
			if other.processed && other != who && other.key == who.managerKey {
				who.manager = other
			}
		}
		who.isMember = m.department != "" && strings.EqualFold(who.department, m.department)
		for source, a := range who.assigned {
			if a.ends != nil && !a.ends.After(m.now) {
				delete(who.assigned, source)
			}
		}
	}
}

// unknown is a state that no source gives.
const unknown = "?"

// setState sets a state by hand, or ends that.
func (i *identity) setState(state string) {
	if state == "" {
		i.manual = false
		return
	}
	if !i.manual { // a second one overrides the same state of the source
		i.overridden = i.mapped
	}
	i.manual, i.state = true, state
}

// decideState takes the state that the source gives, unless one was set by hand that the source neither confirms nor
// contradicts by giving something new.
func (i *identity) decideState(given string) {
	if i.overridden == unknown {
		i.overridden = given
	}
	if given == i.state || given != i.overridden {
		i.manual = false
	}
	if !i.manual {
		i.state = given
	}
	i.mapped = given
}

// delete takes an identity away. The accounts stay.
func (m *model) delete(who *identity) {
	for i := range m.people {
		if m.people[i].who == who {
			m.people[i].who = nil
		} else if other := m.people[i].who; other != nil && other.manager == who {
			other.manager = nil
		}
	}
}

// owns returns what somebody owns as "KIND_OWNER: name, name; ...".
func (m *model) owns(who *identity) string {
	names := map[string][]string{}
	for o, owner := range m.owned {
		if owner == who {
			names[o.kind+"_OWNER"] = append(names[o.kind+"_OWNER"], o.id+" "+o.name)
		}
	}
	if m.roleOwner == who {
		names["ROLE_OWNER"] = []string{"Members"}
	}
	return ownership(names)
}

// ownership is a text of what is owned, by kind.
func ownership(names map[string][]string) string {
	var texts []string
	for kind, list := range names {
		slices.Sort(list)
		texts = append(texts, kind+": "+strings.Join(list, ", "))
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}

// text says what is seen of an identity.
func (i *identity) text() string {
	manager := ""
	if i.manager != nil {
		manager = i.manager.id + " " + i.manager.name
	}
	return fmt.Sprintf("%s alias=%s email=%s department=%s login=%s state=%s manual=%t manager=%s", i.name, i.alias,
		i.email, i.department, i.login, i.state, i.manual, manager)
}

// roles says which roles somebody has.
func (i *identity) roles() []string {
	var list []string
	if i.isMember {
		list = append(list, "Members ROLE_MEMBERSHIP")
	}
	for source, a := range i.assigned {
		list = append(list, fmt.Sprintf("Lead %s %s %s %s %s", source, a.id, a.comments, date(a.starts), date(a.ends)))
	}
	slices.Sort(list)
	return list
}

func date(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
