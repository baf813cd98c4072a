package modeltest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// world is the engine and the model of it.
type world struct {
	*enginetest.Company
	model
	ctx    context.Context
	clock  *enginetest.Clock
	number int // of what was made last, for names that are never the same
}

func newWorld(ctx context.Context, r *rapid.T, pool *pgxpool.Pool) *world {
	w := &world{ctx: ctx, clock: &enginetest.Clock{}, model: model{owned: map[object]*identity{}}}
	w.setNow(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
	w.Company = enginetest.NewEmpty(r, enginetest.WithPool(pool), enginetest.WithClock(w.clock),
		enginetest.WithConfig(engine.Config{BatchSize: 2, Workers: 1, // small, so that work crosses batches
			Guard: engine.Guard{Off: true}}))
	w.ApplyText(enginetest.Documents)
	w.ApplyText("roles: [{name: Lead, enabled: true}]")
	return w
}

func (w *world) setNow(now time.Time) {
	w.now = now
	w.clock.Set(now)
}

func (*world) must(r *rapid.T, err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// refused fails unless an error is of a kind, or nil where refused is false.
func (*world) refused(r *rapid.T, err error, refused bool, kind engine.Kind) {
	r.Helper()
	if refused != (err != nil) || err != nil && engine.KindOf(err) != kind {
		r.Fatalf("%v (%v), the model refuses: %t (%v)", err, engine.KindOf(err), refused, kind)
	}
}

func (w *world) read(r *rapid.T, source, text string, delta bool) {
	r.Helper()
	result := w.AggregateText(source, text, engine.AggregateOptions{Delta: delta,
		MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}})
	if result.Faulty != 0 {
		r.Fatalf("got %+v, want result.Faulty == 0", result)
	}
}

// anybody draws one of the identities, nil where there are none.
func (w *world) anybody(r *rapid.T) *identity {
	list := w.identities()
	if len(list) == 0 {
		r.Skip("there is nobody")
	}
	return rapid.SampledFrom(list).Draw(r, "identity")
}

// Change changes what the authoritative source has of somebody.
func (w *world) Change(r *rapid.T) {
	p := &w.people[rapid.IntRange(0, peopleMax-1).Draw(r, "person")]
	if rapid.IntRange(0, 3).Draw(r, "leaves") == 0 {
		p.source = nil
		return
	}
	w.number++
	p.source = &row{name: fmt.Sprintf("Person %02d", 99-w.number%90) + "." + strconv.Itoa(w.number),
		department: rapid.SampledFrom([]string{"Sales", "sales", "Board", ""}).Draw(r, "department"),
		manager:    rapid.SampledFrom(append(aliases[:], "nobody")).Draw(r, "manager"),
		state:      rapid.SampledFrom([]string{"active", "inactive", ""}).Draw(r, "state")}
}

// AggregateAuthoritative reads everybody on the authoritative source, or some.
func (w *world) AggregateAuthoritative(r *rapid.T) {
	delta := rapid.Bool().Draw(r, "delta")
	text := "id,name,mail,dept,mgr,state\n"
	var read []int
	for i := range w.people {
		p := &w.people[i]
		if p.source == nil || delta && rapid.Bool().Draw(r, "left out") {
			continue
		}
		read = append(read, i)
		text += fmt.Sprintf("%s,%s,%[1]s@example.com,%[3]s,%[4]s,%[5]s\n", aliases[i], p.source.name, p.source.department,
			p.source.manager, p.source.state)
	}
	w.read(r, "HR", text, delta)
	w.aggregate(read, delta)
	w.name(r)
}

// name finds the IDs of the identities that were created.
func (w *world) name(r *rapid.T) {
	for i := range w.people {
		p := &w.people[i]
		if p.who == nil || p.who.id != "" {
			continue
		}
		w.must(r, w.Pool.QueryRow(w.ctx, `
			SELECT replace(identity_id::text, '-', '') FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id
			WHERE s.name = 'HR' AND native_identity = $1`, p.who.key).Scan(&p.who.id))
	}
}

// AggregateDirectory reads everybody on the other source.
func (w *world) AggregateDirectory(r *rapid.T) {
	text := "sam,emp\n"
	for i := range w.people {
		w.people[i].hasLogin = rapid.Bool().Draw(r, "has a login")
		if w.people[i].hasLogin {
			text += fmt.Sprintf("login-%s,%[1]s\n", aliases[i])
		}
	}
	w.read(r, "Directory", text, false)
}

// Process processes those for whom it is requested, after requesting more.
func (w *world) Process(r *rapid.T) {
	switch rapid.IntRange(0, 3).Draw(r, "demand") {
	case 0:
		_, err := w.ProcessAll(w.ctx)
		w.must(r, err)
	case 1:
		_, err := w.ProcessProfile(w.ctx, "employees")
		w.must(r, err)
	case 2:
		if list := w.identities(); len(list) > 0 {
			_, err := w.ProcessIdentities(w.ctx, []string{list[0].id, list[len(list)-1].id})
			w.must(r, err)
		}
	}
	w.work(r)
}

// work carries out what waits. Only now the model calculates: the requests must be enough for both to agree.
func (w *world) work(r *rapid.T) {
	r.Helper()
	result, err := w.ProcessPending(w.ctx, engine.ProcessOptions{})
	w.must(r, err)
	if result.Errors != 0 {
		r.Fatalf("got %+v, want result.Errors == 0", result)
	}
	w.process()
}

// Advance lets time go by, and does what is due.
func (w *world) Advance(r *rapid.T) {
	w.setNow(w.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(r, "hours")) * time.Hour))
	_, err := w.RunSchedule(w.ctx)
	w.must(r, err)
	w.work(r)
}

// Delete deletes somebody, if that may be.
func (w *world) Delete(r *rapid.T) {
	who := w.anybody(r)
	err := w.DeleteIdentity(w.ctx, who.id)
	owns := w.owns(who)
	w.refused(r, err, who.protected || owns != "", engine.Conflict)
	if err == nil {
		w.delete(who)
		w.refused(r, w.DeleteIdentity(w.ctx, who.id), true, engine.NotFound)
		return
	}
	var blocked *engine.AssociationsError
	if !errors.As(err, &blocked) {
		r.Fatal(err)
	}
	if who.protected {
		owns = ""
	}
	if got := associations(blocked.Associations); got != owns {
		r.Fatalf("what keeps from deletion is %q, the model says %q", got, owns)
	}
}

func (w *world) Protect(r *rapid.T) {
	who := w.anybody(r)
	who.protected = rapid.Bool().Draw(r, "protected")
	w.must(r, w.ProtectIdentity(w.ctx, who.id, who.protected))
}

// dates are hours from now, 0 for none.
var dates = rapid.IntRange(-2, 40)

func (w *world) date(hours int) *time.Time {
	if hours == 0 {
		return nil
	}
	at := w.now.Add(time.Duration(hours) * time.Hour)
	return &at
}

// Assign assigns a role, or changes its dates.
func (w *world) Assign(r *rapid.T) {
	who := w.anybody(r)
	w.number++
	a := &assignment{comments: "order " + strconv.Itoa(w.number), starts: w.date(dates.Draw(r, "starts")),
		ends: w.date(dates.Draw(r, "ends"))}
	source := rapid.SampledFrom([]string{"ACCESS_REQUEST", "PROJECT"}).Draw(r, "source")
	got, err := w.AssignRole(w.ctx, engine.AssignRoleParams{Identity: who.id, Role: "lead", Source: source,
		Comments: a.comments, StartDate: a.starts, RemoveDate: a.ends})
	w.refused(r, err, a.ends != nil && (!a.ends.After(w.now) || a.starts != nil && !a.ends.After(*a.starts)),
		engine.Invalid)
	if err != nil {
		return
	}
	if old := who.assigned[source]; old != nil && old.id != got.ID {
		r.Fatalf("assigned again, %s became %s", old.id, got.ID)
	}
	a.id = got.ID
	who.assigned[source] = a
}

// Revoke takes an assignment away, of whatever source.
func (w *world) Revoke(r *rapid.T) {
	who := w.anybody(r)
	list, err := w.RoleAssignments(w.ctx, who.id, engine.RoleAssignmentQuery{})
	w.must(r, err)
	if len(list) == 0 {
		r.Skip("there is none")
	}
	a := rapid.Custom(func(r *rapid.T) engine.RoleAssignment {
		return list[rapid.IntRange(0, len(list)-1).Draw(r, "index")]
	}).Draw(r, "assignment")
	w.refused(r, w.RevokeRole(w.ctx, who.id, a.ID), a.ByMembership(), engine.Conflict)
	if !a.ByMembership() {
		delete(who.assigned, a.AssignmentSource)
		w.refused(r, w.RevokeRole(w.ctx, who.id, a.ID), true, engine.NotFound)
	}
}

// SetState sets a lifecycle state by hand, or ends that.
func (w *world) SetState(r *rapid.T) {
	who := w.anybody(r)
	state := rapid.SampledFrom([]string{"active", "inactive", "", "gone"}).Draw(r, "state")
	_, err := w.SetLifecycleState(w.ctx, who.id, state)
	w.refused(r, err, state == "gone", engine.NotFound)
	if err != nil {
		return
	}
	who.setState(state)
}

// SetCriterion changes whom the membership of the role is for, and whose the role is.
func (w *world) SetCriterion(r *rapid.T) {
	w.department = rapid.SampledFrom([]string{"SALES", "Board", "Nowhere"}).Draw(r, "department")
	if list := append(w.identities(), nil); rapid.Bool().Draw(r, "owner changes") {
		w.roleOwner = rapid.SampledFrom(list).Draw(r, "owner")
	}
	owner := "null"
	if w.roleOwner != nil {
		owner = fmt.Sprintf("{type: IDENTITY, id: %s}", w.roleOwner.id)
	}
	w.ApplyText(fmt.Sprintf(`
roles:
  - name: Members
    enabled: true
    owner: %s
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: %s}
`, owner, w.department))
}

var objects = rapid.Custom(func(r *rapid.T) object {
	return object{kind: rapid.SampledFrom([]string{"APPLICATION", "CAMPAIGN"}).Draw(r, "kind"),
		id: strconv.Itoa(rapid.IntRange(1, 3).Draw(r, "object"))}
})

// registered returns an object as it is registered, with its name.
func (w *world) registered(o object) (object, *identity) {
	for known, owner := range w.owned {
		if known.kind == o.kind && known.id == o.id {
			return known, owner
		}
	}
	return o, nil
}

func (w *world) Register(r *rapid.T) {
	owner, o := w.anybody(r), objects.Draw(r, "object")
	known, _ := w.registered(o)
	delete(w.owned, known)
	w.number++
	o.name = "Object " + strconv.Itoa(w.number)
	w.must(r, w.RegisterOwned(w.ctx, engine.OwnedObject{Kind: o.kind, ID: o.id, Name: o.name, Owner: owner.id}))
	w.owned[o] = owner
}

func (w *world) Forget(r *rapid.T) {
	known, owner := w.registered(objects.Draw(r, "object"))
	w.refused(r, w.ForgetOwned(w.ctx, known.kind, known.id), owner == nil, engine.NotFound)
	delete(w.owned, known)
}

// Reassign gives what somebody owns to somebody else: everything, or one object.
func (w *world) Reassign(r *rapid.T) {
	from, to := w.anybody(r), w.anybody(r)
	if rapid.Bool().Draw(r, "one") {
		known, owner := w.registered(objects.Draw(r, "object"))
		_, err := w.ReassignOwned(w.ctx, from.id, to.id, engine.Reference{Type: known.kind, ID: known.id})
		w.refused(r, err, owner != from, engine.NotFound)
		if err == nil {
			w.owned[known] = to
		}
		return
	}
	want := 0
	for o, owner := range w.owned {
		if owner == from {
			w.owned[o] = to
			want++
		}
	}
	if w.roleOwner == from {
		w.roleOwner = to
		want++
	}
	if got, err := w.ReassignOwned(w.ctx, from.id, to.id); err != nil || got != want {
		r.Fatalf("%d were reassigned, the model says %d: %v", got, want, err)
	}
}

// condition is a filter and what it means.
type condition struct {
	text  string
	holds func(*identity) bool
}

var conditions = []condition{
	{"", func(*identity) bool { return true }},
	{`name sw "person 9"`, func(i *identity) bool { return strings.HasPrefix(i.name, "Person 9") }},
	{`correlated eq false`, func(i *identity) bool { return !i.correlated }},
	{`protected eq true`, func(i *identity) bool { return i.protected }},
	{`department eq "SALES"`, func(i *identity) bool { return strings.EqualFold(i.department, "sales") }},
	{`not (pr login)`, func(i *identity) bool { return i.login == "" }},
	{`email in ("BOB@example.com", "cy@example.com")`, func(i *identity) bool {
		return i.email == "bob@example.com" || i.email == "cy@example.com"
	}},
	{`lifecycleState eq "active" or pr manager.id`, func(i *identity) bool {
		return i.state == "active" || i.manager != nil
	}},
}

// List lists with a filter, an order and a page.
func (w *world) List(r *rapid.T) {
	filter := rapid.Custom(func(r *rapid.T) condition {
		return conditions[rapid.IntRange(0, len(conditions)-1).Draw(r, "index")]
	}).Draw(r, "filter")
	params := engine.ListParams{Filters: filter.text, AnyField: true, Count: true,
		Sorters: rapid.SampledFrom([]string{"", "-id", "name", "-name", "department,-name"}).Draw(r, "sorters"),
		Offset:  rapid.IntRange(0, 3).Draw(r, "offset")}
	limit := rapid.IntRange(0, 4).Draw(r, "limit")
	params.Limit = &limit
	everybody := rapid.Bool().Draw(r, "everybody")
	if everybody {
		params.DefaultFilter = engine.NoDefault
	}
	var want []*identity
	for _, i := range w.identities() {
		if filter.holds(i) && (everybody || i.correlated) {
			want = append(want, i)
		}
	}
	total := len(want)
	slices.SortFunc(want, func(a, b *identity) int {
		names := strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name))
		switch params.Sorters {
		case "-id":
			return strings.Compare(b.id, a.id)
		case "name":
			return names
		case "-name":
			return -names
		case "department,-name":
			last := "\uffff" // nobody's department comes last
			left, right := strings.ToLower(a.department), strings.ToLower(b.department)
			if left == "" {
				left = last
			}
			if right == "" {
				right = last
			}
			if c := strings.Compare(left, right); c != 0 {
				return c
			}
			return -names
		}
		return strings.Compare(a.id, b.id)
	})
	want = want[min(params.Offset, len(want)):]
	want = want[:min(limit, len(want))]
	page, err := w.ListIdentities(w.ctx, params)
	w.must(r, err)
	got, wanted := []string{}, []string{}
	for i := range page.Identities {
		got = append(got, page.Identities[i].ID)
	}
	for _, i := range want {
		wanted = append(wanted, i.id)
	}
	if *page.Total != total || !slices.Equal(got, wanted) {
		r.Fatalf("%+v: %v of %d, the model says %v of %d", params, got, *page.Total, wanted, total)
	}
}

// seen says what the engine shows of an identity, as [identity.text] does.
func seen(i *engine.Identity) string {
	manager, state, manual, email := "", "", false, ""
	if i.ManagerRef != nil {
		manager = i.ManagerRef.ID + " " + i.ManagerRef.Name
	}
	if i.LifecycleState != nil {
		state, manual = i.LifecycleState.StateName, i.LifecycleState.ManuallyUpdated
	}
	if i.EmailAddress != nil {
		email = *i.EmailAddress
	}
	return fmt.Sprintf("%s alias=%s email=%s department=%s login=%s state=%s manual=%t manager=%s", i.Name, i.Alias,
		email, i.Attributes.Get("department").Text(), i.Attributes.Get("login").Text(), state, manual, manager)
}

func associations(list []engine.Association) string {
	names := map[string][]string{}
	for _, a := range list {
		for _, entity := range a.Entities {
			name := entity.IdentityEntity.Name
			if a.AssociationType != "ROLE_OWNER" {
				name = entity.IdentityEntity.ID + " " + name
			}
			names[a.AssociationType] = append(names[a.AssociationType], name)
		}
	}
	return ownership(names)
}

// check holds everything that can be seen against the model.
func (w *world) check(r *rapid.T) {
	page, err := w.ListIdentities(w.ctx, engine.ListParams{DefaultFilter: engine.NoDefault})
	w.must(r, err)
	got, want := map[string]string{}, map[string]string{}
	for i := range page.Identities {
		listed := &page.Identities[i]
		got[listed.ID] = seen(listed)
		one, err := w.GetIdentity(w.ctx, listed.ID)
		w.must(r, err)
		if a, b := asJSON(r, listed), asJSON(r, one); a != b {
			r.Fatalf("list shows\n%s, get\n%s", a, b)
		}
	}
	for _, who := range w.identities() {
		want[who.id] = who.text()
		isManager := slices.ContainsFunc(w.identities(), func(i *identity) bool { return i.manager == who })
		at := slices.IndexFunc(page.Identities, func(i engine.Identity) bool { return i.ID == who.id })
		if at >= 0 && page.Identities[at].IsManager != isManager {
			r.Errorf("%s is a manager: %t, the model says %t", who.key, page.Identities[at].IsManager, isManager)
		}
		w.checkRoles(r, who)
		list, err := w.Ownership(w.ctx, who.id)
		w.must(r, err)
		if diff := cmp.Diff(w.owns(who), associations(list)); diff != "" {
			r.Errorf("what %s owns differs from the model (-): %s", who.key, diff)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Fatalf("the identities differ from the model (-): %s", diff)
	}
}

func (w *world) checkRoles(r *rapid.T, who *identity) {
	list, err := w.RoleAssignments(w.ctx, who.id, engine.RoleAssignmentQuery{})
	w.must(r, err)
	var roles []string
	for i := range list {
		a := &list[i]
		if a.ByMembership() {
			roles = append(roles, a.Role.Name+" "+a.AssignmentSource)
			continue
		}
		roles = append(roles, fmt.Sprintf("%s %s %s %s %s %s", a.Role.Name, a.AssignmentSource, a.ID, *a.Comments,
			date(a.StartDate), date(a.RemoveDate)))
	}
	slices.Sort(roles)
	if diff := cmp.Diff(who.roles(), roles); diff != "" {
		r.Errorf("the roles of %s differ from the model (-): %s", who.key, diff)
	}
}

func asJSON(r *rapid.T, value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		r.Fatal(err)
	}
	return string(text)
}

// Whatever is done, the engine and the model agree after each step.
func TestEngineAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		pool, drop := storetest.ExamplePool()
		defer drop()
		w := newWorld(t.Context(), r, pool)
		actions := map[string]func(*rapid.T){
			"": w.check, "change": w.Change, "aggregate": w.AggregateAuthoritative, "directory": w.AggregateDirectory,
			"process": w.Process, "advance": w.Advance, "delete": w.Delete, "protect": w.Protect, "assign": w.Assign,
			"revoke": w.Revoke, "state": w.SetState, "criterion": w.SetCriterion, "register": w.Register,
			"forget": w.Forget, "reassign": w.Reassign, "list": w.List,
		}
		for range peopleMax { // so that there is somebody
			w.Change(r)
		}
		w.AggregateAuthoritative(r)
		r.Repeat(actions)
		w.Process(r)
		w.check(r)
	})
}
