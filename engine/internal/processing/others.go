package processing

import (
	"context"
	"fmt"
	"slices"

	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// others is what the identities of a batch read of other identities, where the configuration makes some of them do so.
// The members of the batch are seen as they are calculated so far, and strangers as the database has them. One
// goroutine uses it.
//
// A question that only the database can answer is not answered at once: the calculation goes on as if there were
// nobody, the questions of all members are asked together, and who asked is calculated again. In the same way a member
// is calculated again while the answer to one of its questions is another one than in its calculation.
type others struct {
	ctx  context.Context //nolint:containedctx // it lives as long as the batch, whose context it is
	read *Read
	// stored says that the members are seen as they are stored: a survey asks whether they are as they should be.
	stored bool
	// settled says that the members are calculated.
	settled bool

	at       map[store.ID]int // the positions of the members, as of the lists below
	current  []*refresh.State // as they are calculated so far
	faces    []string         // of current, see [refresh.Others.Face]
	before   []string         // the faces that are stored
	managers []string         // the keys under which they look for their managers
	asked    [][]asked        // in their last calculation
	kept     [][]store.Lookup // of the calculations before the batch
	spare    []*refresh.Memory

	// The members by their keys and by the keys of their aliases. members has only the keys of somebody's manager.
	members index[string]
	aliased index[store.ID]
	leading map[store.ID]bool // the managers of the members; nil where it must be made again

	strangers map[store.ID]*stranger    // nil for one that does not exist
	holders   map[string][]store.ID     // who has the key of somebody's manager, among the strangers
	aliases   map[store.ID][]store.ID   // who has an alias, by its key, among the strangers
	names     map[store.ID]string       // the aliases that were asked for, by their keys
	managing  map[store.ID]bool         // the members that are managers of strangers; nil before it was asked
	wanted    wanted                    // questions for the database
	circles   map[store.ID]([]store.ID) // the members that cannot agree, and the circle on which they read each other
}

// stranger is an identity that is not in the batch.
type stranger struct {
	state refresh.State
	face  string
}

// wanted are questions for the database.
type wanted struct {
	states  []store.ID
	keys    []string
	aliases []string
}

// kind is what a member asks.
type kind int

const (
	askedManager kind = iota // for its manager
	askedStatus              // whether it is a manager
	askedAlias               // for the identity with an alias
)

// asked is a question of a member, and the answer that its calculation got.
type asked struct {
	kind   kind
	key    store.ID // of the alias
	answer answer
}

// answer is the answer to a question. A calculation stands as long as its answers are the same.
type answer struct {
	found   store.ID // whom; zero for nobody
	face    string   // of the one who was found
	is      bool
	unknown bool // the database has to be asked first
}

// roundsMax is how often the members of a batch are calculated at most until they agree: a chain of them may take one
// round for each, and a circle may have no end.
const roundsMax = 100

// newOthers returns what the identities that are read read of others; nil where nobody reads anybody. It calculates
// nothing yet. stored says that the members are seen as they are stored.
func newOthers(ctx context.Context, r *Read, stored bool) (*others, error) {
	n := len(r.Snapshots)
	if !r.Configuration.Refresh.Others.Read || n == 0 {
		return nil, nil
	}
	o := &others{
		ctx: ctx, read: r, stored: stored, at: make(map[store.ID]int, n), current: make([]*refresh.State, n),
		faces:    make([]string, n),
		managers: make([]string, n), asked: make([][]asked, n), kept: make([][]store.Lookup, n),
		spare: make([]*refresh.Memory, n), members: newIndex[string](n), aliased: newIndex[store.ID](n),
		strangers: map[store.ID]*stranger{}, holders: map[string][]store.ID{}, aliases: map[store.ID][]store.ID{},
		names: map[store.ID]string{}, circles: map[store.ID][]store.ID{},
	}
	for i := range r.Snapshots {
		s := &r.Snapshots[i]
		o.at[s.Identity.ID] = i
		o.managers[i] = refresh.ManagerKey(s, &r.Configuration.Refresh)
		o.see(i, &s.Identity)
		if o.managers[i] != "" {
			o.wanted.keys = append(o.wanted.keys, o.managers[i])
		}
		s.Directory = &directory{o, i}
	}
	o.before = slices.Clone(o.faces)
	return o, o.begin()
}

// begin loads what most members ask for: whom they looked up the last time, and their managers.
func (o *others) begin() error {
	if o.reads().Alias {
		lookups, err := o.read.Store.Lookups(o.ctx, o.read.Tx, o.read.IDs)
		if err != nil {
			return err
		}
		for _, l := range lookups {
			if i, member := o.at[l.Reader]; member {
				o.kept[i] = append(o.kept[i], l)
			}
		}
	}
	if err := o.load(); err != nil {
		return err
	}
	for i := range o.managers {
		if manager, known := o.findManager(i); known {
			o.found(manager)
		}
	}
	return o.load()
}

func (o *others) reads() *refresh.Others { return &o.read.Configuration.Refresh.Others }

// see makes a state the one in which a member is seen.
func (o *others) see(i int, s *refresh.State) {
	o.current[i], o.faces[i] = s, o.reads().Face(s)
	o.members.put(i, o.read.Configuration.IdentityKeys(&s.Attributes)...)
	if o.reads().Alias {
		o.aliased.put(i, store.AliasKey(s.Alias))
	}
	o.leading = nil
}

// calculate calculates the members until all agree with what they read.
func (o *others) calculate() error {
	all := make([]int, len(o.current))
	for i := range all {
		all[i] = i
	}
	return o.settle(all)
}

// settle calculates members, and again all those to whose questions the answers become others by that.
func (o *others) settle(dirty []int) error {
	o.settled = false
	defer func() { o.settled = true }()
	for round := 0; len(dirty) > 0; round++ {
		if round == roundsMax {
			o.findCircles(dirty)
			return nil
		}
		for _, i := range o.managersFirst(dirty) {
			if err := o.calculateMember(i); err != nil {
				return err
			}
		}
		if err := o.load(); err != nil {
			return err
		}
		dirty = o.disagreeing()
		if err := o.load(); err != nil {
			return err
		}
	}
	return nil
}

// calculateMember calculates a member. What it was so far stays as it is meanwhile for those who read it, among them
// maybe itself.
func (o *others) calculateMember(i int) error {
	s := &o.read.Snapshots[i]
	if o.current[i] != &s.Identity {
		s.Memory, o.spare[i] = o.spare[i], s.Memory
	}
	o.asked[i] = o.asked[i][:0]
	change, err := o.read.calculateOne(i)
	if err == nil && !o.stored {
		o.see(i, change.After)
	}
	return err
}

// disagreeing returns the members to whose questions the answers are others than in their calculation.
func (o *others) disagreeing() []int {
	var dirty []int
	for i := range o.asked {
		if slices.ContainsFunc(o.asked[i], func(q asked) bool {
			return q.answer.unknown || q.answer != o.answer(i, q.kind, q.key)
		}) {
			dirty = append(dirty, i)
		}
	}
	return dirty
}

// managersFirst orders members so that each comes behind its manager, where that is one of them.
func (o *others) managersFirst(dirty []int) []int {
	waiting := make(map[int]bool, len(dirty))
	for _, i := range dirty {
		waiting[i] = true
	}
	order := make([]int, 0, len(dirty))
	for _, i := range dirty {
		first := len(order)
		for waiting[i] {
			delete(waiting, i)
			order = append(order, i)
			manager, _ := o.findManager(i)
			next, member := o.at[manager]
			if !member {
				break
			}
			i = next
		}
		slices.Reverse(order[first:])
	}
	return order
}

// answer answers a question of a member.
func (o *others) answer(i int, k kind, key store.ID) answer {
	switch k {
	case askedStatus:
		return answer{is: o.isManager(i)}
	case askedAlias:
		holders, known := o.aliasHolders(key)
		if !known {
			return answer{unknown: true}
		}
		found, _ := o.pickLookup(i, key, holders)
		return o.found(found)
	case askedManager:
		if manager, known := o.findManager(i); known {
			return o.found(manager)
		}
	}
	return answer{unknown: true}
}

// found returns the answer that is an identity. A stranger that is not known is loaded next.
func (o *others) found(id store.ID) answer {
	if id.IsZero() {
		return answer{}
	}
	if i, member := o.at[id]; member {
		return answer{found: id, face: o.faces[i]}
	}
	someone, known := o.strangers[id]
	switch {
	case !known:
		o.wanted.states = append(o.wanted.states, id)
		return answer{unknown: true}
	case someone == nil:
		return answer{}
	}
	return answer{found: id, face: someone.face}
}

// stateOf returns an identity as it is seen; nil for one that does not exist.
func (o *others) stateOf(id store.ID) *refresh.State {
	if i, member := o.at[id]; member {
		return o.current[i]
	}
	if someone := o.strangers[id]; someone != nil {
		return &someone.state
	}
	return nil
}

// findManager returns the manager of a member, zero for none. It is not known before the holders of its key are loaded.
func (o *others) findManager(i int) (manager store.ID, known bool) {
	holders, known := o.managerHolders(i)
	manager, _ = pickManager(holders, &o.read.Snapshots[i].Identity)
	return manager, known
}

// managerHolders returns who has the key under which a member looks for its manager.
func (o *others) managerHolders(i int) (holders []store.ID, known bool) {
	key := o.managers[i]
	if key == "" {
		return nil, true
	}
	holders, known = o.holders[key]
	return o.withMembers(holders, o.members.at[key]), known
}

// aliasHolders returns who has an alias.
func (o *others) aliasHolders(key store.ID) (holders []store.ID, known bool) {
	holders, known = o.aliases[key]
	return o.withMembers(holders, o.aliased.at[key]), known
}

// withMembers adds members to strangers.
func (o *others) withMembers(strangers []store.ID, members []int) []store.ID {
	if len(members) == 0 {
		return strangers
	}
	all := slices.Clone(strangers)
	for _, i := range members {
		all = append(all, o.current[i].ID)
	}
	slices.SortFunc(all, store.ID.Compare)
	return all
}

// pickLookup returns which of the holders of an alias a member finds: the only one, or the one that it found the last
// time, where there are several now.
func (o *others) pickLookup(i int, key store.ID, holders []store.ID) (found store.ID, ambiguous bool) {
	if len(holders) == 1 {
		return holders[0], false
	}
	for _, l := range o.kept[i] {
		if l.Key == key && slices.Contains(holders, l.Found) {
			found = l.Found
		}
	}
	return found, len(holders) > 1
}

// isManager reports whether a member is somebody's manager.
func (o *others) isManager(i int) bool {
	self := o.current[i].ID
	if o.managing[self] || o.stored {
		return o.managing[self]
	}
	if o.leading == nil {
		o.leading = make(map[store.ID]bool, len(o.current))
		for k := range o.current {
			manager, _ := o.findManager(k)
			o.leading[manager] = true
		}
	}
	return o.leading[self]
}

// lookups returns the lookups of the members that are to be removed, and those that are to be set.
func (o *others) lookups() (removed, set []store.Lookup) {
	for i := range o.asked {
		now := map[store.ID]store.ID{}
		for _, q := range o.asked[i] {
			if q.kind == askedAlias {
				now[q.key] = q.answer.found
			}
		}
		for _, l := range o.kept[i] {
			found, again := now[l.Key]
			switch {
			case again && found == l.Found:
				delete(now, l.Key)
			case !again && o.read.changes[i].Err == nil: // one that failed may not have come as far
				removed = append(removed, l)
			}
		}
		for key, found := range now {
			set = append(set, store.Lookup{Reader: o.current[i].ID, Key: key, Found: found})
		}
	}
	slices.SortFunc(set, func(a, b store.Lookup) int {
		if order := a.Reader.Compare(b.Reader); order != 0 {
			return order
		}
		return a.Key.Compare(b.Key)
	})
	return removed, set
}

// outdated returns the members whose lookups are not those that are recorded.
func (o *others) outdated() map[store.ID]bool {
	members := map[store.ID]bool{}
	removed, set := o.lookups()
	for _, l := range slices.Concat(removed, set) {
		members[l.Reader] = true
	}
	return members
}

// warn adds a warning to the members that look for an alias which several have, and to those that do not settle.
func (o *others) warn() {
	for i := range o.asked {
		c := &o.read.changes[i]
		for n, q := range o.asked[i] {
			again := func(p asked) bool { return p.key == q.key }
			if q.kind != askedAlias || slices.ContainsFunc(o.asked[i][:n], again) {
				continue
			}
			holders, _ := o.aliasHolders(q.key)
			found, ambiguous := o.pickLookup(i, q.key, holders)
			switch {
			case ambiguous && found.IsZero():
				c.Warnings = append(c.Warnings, fmt.Sprintf("several identities have the alias that it looks up (%s): "+
					"it finds nobody until one of them alone has it", named(holders)))
			case ambiguous:
				c.Warnings = append(c.Warnings, fmt.Sprintf("several identities have the alias that it looks up (%s): "+
					"it goes on with %s", named(holders), found))
			}
		}
		if circle := o.circles[c.After.ID]; circle != nil {
			c.Warnings = append(c.Warnings, circleWarning(circle))
		}
	}
}

// circleWarning says that identities read each other for ever.
func circleWarning(circle []store.ID) string {
	return fmt.Sprintf("its values come from others in a circle that does not end (%s): they were calculated %d times "+
		"and are left as they are", named(circle), roundsMax)
}

// readings returns what the members change of what others read.
func (o *others) readings() readings {
	removed, set := o.lookups()
	return readings{removed, set, o.touched()}
}

// touched returns the members of which others may read something else than before, or which were not there before.
func (o *others) touched() []int {
	var list []int
	for i := range o.current {
		appeared := o.read.Snapshots[i].Identity.IdentityState == "" && o.current[i].IdentityState != ""
		if appeared || o.faces[i] != o.before[i] {
			list = append(list, i)
		}
	}
	return list
}

// findCircles finds the circles on which members are that cannot agree.
func (o *others) findCircles(dirty []int) {
	var readings []store.Reading
	for i := range o.asked {
		for _, q := range o.asked[i] {
			if !q.answer.found.IsZero() {
				readings = append(readings, store.Reading{Reader: o.current[i].ID, Found: q.answer.found})
			}
		}
	}
	for _, i := range dirty {
		circle := circleOf(o.current[i].ID, readings)
		for _, id := range circle {
			o.circles[id] = circle
		}
	}
}

// circleOf returns the shortest circle of readings that an identity is on, beginning with it; itself alone where it is
// on none, but reads one.
func circleOf(start store.ID, readings []store.Reading) []store.ID {
	from := map[store.ID][]store.ID{}
	for _, r := range readings {
		from[r.Reader] = append(from[r.Reader], r.Found)
	}
	reader := map[store.ID]store.ID{} // by whom each was reached
	for front := []store.ID{start}; len(front) > 0; {
		id := front[0]
		front = front[1:]
		for _, found := range from[id] {
			if found == start {
				circle := []store.ID{id}
				for ; id != start; circle = append(circle, id) {
					id = reader[id]
				}
				slices.Reverse(circle)
				return circle
			}
			if _, seen := reader[found]; !seen {
				reader[found] = id
				front = append(front, found)
			}
		}
	}
	return []store.ID{start}
}

// index finds members by keys.
type index[K comparable] struct {
	at   map[K][]int
	keys [][]K // of each member
}

func newIndex[K comparable](n int) index[K] { return index[K]{map[K][]int{}, make([][]K, n)} }

// put makes keys those of a member.
func (x *index[K]) put(i int, keys ...K) {
	if slices.Equal(x.keys[i], keys) {
		return
	}
	for _, key := range x.keys[i] {
		x.at[key] = slices.DeleteFunc(x.at[key], func(k int) bool { return k == i })
	}
	x.keys[i] = keys
	for _, key := range keys {
		if !slices.Contains(x.at[key], i) {
			x.at[key] = append(x.at[key], i)
		}
	}
}
