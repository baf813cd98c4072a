package refresh

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/transform"
)

var (
	now       = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	hr, leave = ID{1}, ID{2} // sources
)

// mapping compiles a mapping of an attribute from a source's account.
func mapping(t testing.TB, name, source, from string) Mapping {
	t.Helper()
	definition := fmt.Sprintf(`{"type":"accountAttribute","attributes":{"sourceName":%q,"attributeName":%q}}`, source, from)
	compiled, err := transform.Compile([]byte(definition), nil)
	if err != nil {
		t.Fatal(err)
	}
	return Mapping{Attribute: name, Transform: compiled}
}

func account(source ID, name, native string, attributes map[string]string) Account {
	set := attribute.Set{}
	for key, value := range attributes {
		set.Put(key, attribute.String(value))
	}
	return Account{SourceID: source, Account: transform.Account{
		SourceName: name, NativeIdentity: native, Name: native, Created: now, Attributes: &set,
	}}
}

// employees is a profile over the source HR.
func employees(t testing.TB) Profile {
	return Profile{
		ID: ID{10}, Name: "Employees", SourceID: hr, Enabled: true,
		Mappings: []Mapping{
			mapping(t, "uid", "HR", "id"), mapping(t, "displayName", "HR", "name"), mapping(t, "email", "HR", "mail"),
			mapping(t, "cloudLifecycleState", "HR", "state"),
		},
		States: map[string]LifecycleState{
			"active": {"ACTIVE", true}, "leave": {"INACTIVE_LONG_TERM", true}, "plain": {"", true}, "closed": {"INACTIVE_LONG_TERM", false},
		},
		ManagerAttribute: "mgr",
		ManagerKey:       func(value string) string { return "number=" + strings.ToLower(value) },
	}
}

func describe(s *State) string {
	return fmt.Sprintf("name=%s alias=%s email=%s processing=%s correlated=%v profile=%x lifecycle=%s/%v identityState=%s manager=%s %s",
		s.Name, s.Alias, s.Email, s.ProcessingState, s.Correlated, s.ProfileID[0], s.LifecycleState, s.LifecycleManual, s.IdentityState,
		s.ManagerKey, s.Attributes.AppendJSON(nil))
}

func TestCalculate(t *testing.T) {
	contractors := Profile{
		ID: ID{20}, Name: "Contractors", SourceID: leave, Enabled: true, Mappings: []Mapping{mapping(t, "uid", "Register", "key")},
	}
	disabled := employees(t)
	disabled.Enabled = false
	full := map[string]string{"id": "7", "name": "Ann B", "mail": "ann@example.com", "state": "leave", "mgr": "X1"}
	for _, test := range []struct {
		name     string
		profiles []Profile
		identity State
		accounts []Account
		want     string
	}{
		{
			"a new identity", []Profile{employees(t)}, State{Calculated: Calculated{Name: "7", Alias: "7"}}, []Account{account(hr, "HR", "7", full)},
			`name=Ann B alias=7 email=ann@example.com processing= correlated=true profile=a lifecycle=leave/false identityState=INACTIVE_LONG_TERM ` +
				`manager=number=x1 {"uid":"7","email":"ann@example.com","displayName":"Ann B","cloudLifecycleState":"leave"}`,
		},
		{
			"no values: the account's name serves", []Profile{employees(t)}, State{}, []Account{account(hr, "HR", "n7", nil)},
			`name=n7 alias=n7 email= processing= correlated=true profile=a lifecycle=/false identityState=ACTIVE manager= {}`,
		},
		{
			"a state that the profile does not have", []Profile{employees(t)}, State{}, []Account{account(hr, "HR", "7", map[string]string{"state": "Leave"})},
			`name=7 alias=7 email= processing= correlated=true profile=a lifecycle=/false identityState=ACTIVE manager= {"cloudLifecycleState":"Leave"}`,
		},
		{
			"a state without an identity state", []Profile{employees(t)}, State{}, []Account{account(hr, "HR", "7", map[string]string{"state": "plain"})},
			`name=7 alias=7 email= processing= correlated=true profile=a lifecycle=plain/false identityState=ACTIVE manager= {"cloudLifecycleState":"plain"}`,
		},
		{
			"a state set by hand stays", []Profile{employees(t)}, State{Calculated: Calculated{LifecycleState: "leave", LifecycleManual: true, LifecycleBasis: "=active"}},
			[]Account{account(hr, "HR", "7", map[string]string{"state": "active"})},
			`name=7 alias=7 email= processing= correlated=true profile=a lifecycle=leave/true identityState=INACTIVE_LONG_TERM manager= {"cloudLifecycleState":"leave"}`,
		},
		{
			"the profile that comes first decides", []Profile{employees(t), contractors}, State{},
			[]Account{account(leave, "Register", "c", map[string]string{"key": "c"}), account(hr, "HR", "7", full)},
			`name=Ann B alias=7 email=ann@example.com processing= correlated=true profile=a lifecycle=leave/false identityState=INACTIVE_LONG_TERM ` +
				`manager=number=x1 {"uid":"7","email":"ann@example.com","displayName":"Ann B","cloudLifecycleState":"leave"}`,
		},
		{
			"the profile that is left decides, and what it does not map falls away", []Profile{employees(t), contractors},
			State{Calculated: Calculated{Name: "Ann B", ProfileID: ID{10}}, Attributes: attribute.SetOf(map[string]attribute.Value{"email": attribute.String("x")})},
			[]Account{account(leave, "Register", "c", map[string]string{"key": "c"})},
			`name=c alias=c email= processing= correlated=true profile=14 lifecycle=/false identityState=ACTIVE manager= {"uid":"c"}`,
		},
		{
			"nothing authoritative is left: values stay, correlation does not", []Profile{employees(t)},
			State{Calculated: Calculated{Name: "Ann B", Alias: "7", Correlated: true, ProfileID: ID{10}}, Attributes: attribute.SetOf(map[string]attribute.Value{"uid": attribute.String("7")})},
			[]Account{account(leave, "Register", "c", nil)},
			`name=Ann B alias=7 email= processing= correlated=false profile=a lifecycle=/false identityState= manager= {"uid":"7"}`,
		},
		{
			"a profile that is not enabled keeps the values", []Profile{disabled},
			State{Calculated: Calculated{Name: "Old", Alias: "o"}, Attributes: attribute.SetOf(map[string]attribute.Value{"displayName": attribute.String("Old")})},
			[]Account{account(hr, "HR", "7", full)},
			`name=Old alias=7 email= processing= correlated=true profile=a lifecycle=/false identityState=ACTIVE manager=number=x1 {"displayName":"Old"}`,
		},
		{
			"an error that is over", []Profile{employees(t)}, State{Calculated: Calculated{ProcessingState: StateError, ProcessingError: "x"}}, []Account{account(hr, "HR", "7", nil)},
			`name=7 alias=7 email= processing=OK correlated=true profile=a lifecycle=/false identityState=ACTIVE manager= {}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			change := Calculate(&Snapshot{Identity: test.identity, Accounts: test.accounts}, &Configuration{Profiles: test.profiles}, now)
			if change.Err != nil {
				t.Fatal(change.Err)
			}
			if diff := cmp.Diff(test.want, describe(change.After)); diff != "" {
				t.Error(diff)
			}
			again := Calculate(&Snapshot{Identity: *change.After, Accounts: test.accounts}, &Configuration{Profiles: test.profiles}, now)
			if again.Differs() {
				t.Errorf("a second calculation changes %s to %s", describe(again.Before), describe(again.After))
			}
		})
	}
}

type failing struct{}

func (failing) EvaluateUntil(*transform.Input) (attribute.Value, time.Time, error) {
	return attribute.Null, time.Time{}, errors.New("no grade")
}

func (failing) Trace(*transform.Input) (attribute.Value, []transform.Step, error) {
	return attribute.Null, nil, errors.New("no grade")
}

// A mapping that fails leaves everything as it was but for the processing state, and says which one it was.
func TestCalculateError(t *testing.T) {
	profile := employees(t)
	profile.Mappings = append(profile.Mappings, Mapping{Attribute: "grade", Transform: failing{}})
	before := State{Calculated: Calculated{Name: "Old", Alias: "old", ManagerID: ID{9}, ManagerKey: "number=9"}}
	s := &Snapshot{Identity: before, Accounts: []Account{account(hr, "HR", "7", map[string]string{"id": "7", "name": "New"})}}
	change := Calculate(s, &Configuration{Profiles: []Profile{profile}}, now)
	if change.Err == nil || !strings.Contains(change.After.ProcessingError, `attribute grade of profile "Employees"`) {
		t.Fatalf("got %v %q, want change.Err != nil && strings.Contains(change.After.ProcessingError, `attribute grade of profile \"Employees\"`)", change.Err, change.After.ProcessingError)
	}
	if change.After.Name != "Old" || change.After.ProcessingState != StateError || len(change.Attributes) != 0 || !change.Differs() ||
		change.After.ManagerKey != "number=9" {
		t.Errorf("got %s, want change.After.Name == \"Old\" && change.After.ProcessingState == StateError && len(change.Attributes) == 0 && change.Differs() && change.After.ManagerKey == \"number=9\"", describe(change.After))
	}
}

func TestChangeAttributes(t *testing.T) {
	s := &Snapshot{
		Identity: State{Attributes: attribute.SetOf(map[string]attribute.Value{
			"uid": attribute.String("6"), "email": attribute.String("a@example.com"), "gone": attribute.String("x"),
		})},
		Accounts: []Account{account(hr, "HR", "7", map[string]string{"id": "7", "mail": "a@example.com", "name": "Ann"})},
	}
	change := Calculate(s, &Configuration{Profiles: []Profile{employees(t)}}, now)
	var got []string
	for _, a := range change.Attributes {
		got = append(got, fmt.Sprintf("%s: %s -> %s", a.Name, a.From.Text(), a.To.Text()))
	}
	if diff := cmp.Diff([]string{"displayName:  -> Ann", "gone: x -> ", "uid: 6 -> 7"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSetManager(t *testing.T) {
	change := Calculate(&Snapshot{Identity: State{ID: ID{5}}}, &Configuration{}, now)
	change.SetManager(ID{6})
	if change.After.ManagerID != (ID{6}) || !change.Differs() {
		t.Error("the manager is not set")
	}
	change.SetManager(ID{5})
	if change.After.ManagerID != (ID{}) || change.Differs() {
		t.Error("somebody is their own manager")
	}
}

// Calculating what a calculation gave changes nothing, whatever the accounts hold.
func TestCalculateIsStable(t *testing.T) {
	configuration := &Configuration{Profiles: []Profile{employees(t)}}
	rapid.Check(t, func(t *rapid.T) {
		attributes := rapid.MapOf(rapid.SampledFrom([]string{"id", "name", "mail", "state", "mgr"}), rapid.String()).Draw(t, "attributes")
		s := &Snapshot{Accounts: []Account{account(hr, "HR", "native", attributes)}}
		first := Calculate(s, configuration, now)
		if first.Err != nil {
			t.Fatal(first.Err)
		}
		if again := Calculate(&Snapshot{Identity: *first.After, Accounts: s.Accounts}, configuration, now); again.Differs() {
			t.Fatalf("%s became %s", describe(again.Before), describe(again.After))
		}
	})
}

func TestCalculateRoles(t *testing.T) {
	parse := func(text string) *criteria.Criterion {
		c, err := criteria.Parse([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ann := ID{7}
	configuration := &Configuration{
		Profiles: []Profile{employees(t)},
		Roles:    []Role{{ID: ID{1}, Name: "by uid"}, {ID: ID{2}, Name: "by list"}, {ID: ID{3}, Name: "never"}},
		Index: criteria.NewIndex([]*criteria.Criterion{
			parse(`{"operation":"EQUALS","key":{"type":"IDENTITY","property":"attribute.uid"},"stringValue":"A"}`), nil,
			parse(`{"operation":"EQUALS","key":{"type":"IDENTITY","property":"attribute.uid"},"stringValue":"B"}`),
		}),
		Listed: map[ID][]int{ann: {1}},
	}
	for _, test := range []struct {
		name string
		held []Assignment
		want string
	}{
		{"new", nil, "+by uid +by list"},
		{"held", []Assignment{{ID: ID{1}, RoleID: ID{1}, Membership: true}, {ID: ID{2}, RoleID: ID{2}, Membership: true}}, ""},
		{"a request is independent", []Assignment{{ID: ID{1}, RoleID: ID{1}, Membership: false}, {ID: ID{2}, RoleID: ID{3}, Membership: false}}, "+by uid +by list"},
		{"does not hold any more", []Assignment{{ID: ID{1}, RoleID: ID{3}, Membership: true}}, "+by uid +by list -3"},
		{"of a role that is gone or not enabled", []Assignment{{ID: ID{1}, RoleID: ID{9}, Membership: true}}, "+by uid +by list -9"},
		{"the remove date has come", []Assignment{{ID: ID{1}, RoleID: ID{3}, Membership: false, RemoveDate: now}}, "+by uid +by list -3 expired"},
		{"the remove date is to come", []Assignment{{ID: ID{1}, RoleID: ID{3}, Membership: false, RemoveDate: now.Add(1)}}, "+by uid +by list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := Snapshot{Identity: State{ID: ann}, Accounts: []Account{account(hr, "HR", "a", map[string]string{"id": "a"})},
				Assignments: test.held}
			change := Calculate(&s, configuration, now)
			if change.Err != nil {
				t.Fatal(change.Err)
			}
			var got []string
			for _, role := range change.Gained {
				got = append(got, "+"+role.Name)
			}
			for _, loss := range change.Lost {
				got = append(got, fmt.Sprintf("-%d", loss.RoleID[0]))
				if loss.Expired {
					got = append(got, "expired")
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A change of any field that is calculated is a change of the identity.
func TestEveryCalculatedFieldDiffers(t *testing.T) {
	var before State
	if change := (&Change{Before: &before, After: &State{}}); change.StateDiffers() {
		t.Error("two equal states differ")
	}
	kind := reflect.TypeFor[Calculated]()
	for i := range kind.NumField() {
		var after State
		switch field := reflect.ValueOf(&after.Calculated).Elem().Field(i); field.Interface().(type) {
		case string:
			field.SetString("x")
		case bool:
			field.SetBool(true)
		case ID:
			field.Set(reflect.ValueOf(ID{1}))
		default:
			t.Fatalf("%s has a type that this test does not know", kind.Field(i).Name)
		}
		if change := (&Change{Before: &before, After: &after}); !change.StateDiffers() {
			t.Errorf("a change of %s is lost", kind.Field(i).Name)
		}
	}
	if fields := reflect.TypeFor[State]().NumField(); fields != 3 {
		t.Errorf("a state has %d fields, want the ID, what is calculated and the attributes", fields)
	}
}

// The attribute nextProcessing says when the identity is due: a point in time to come, with its zone. Another text is a
// warning.
func TestNextProcessing(t *testing.T) {
	later := now.Add(90 * time.Minute)
	for _, test := range []struct {
		text    string
		due     time.Time
		warning bool
	}{
		{"", time.Time{}, false},
		{"2026-03-01T09:30:00Z", later, false},
		{"2026-03-01T15:00:00+05:30", later, false},
		{"2026-03-01T15:00:00.000+0530", later, false},
		{"2026-03-01T09:30Z", later, false},
		{"2026-03-01T15:00+0530", later, false},
		{"2026-03-01T08:00:00Z", time.Time{}, false}, // now
		{"2026-03-01T07:00:00Z", time.Time{}, false},
		{"2026-03-01T09:30:00", time.Time{}, true},
		{"tomorrow", time.Time{}, true},
	} {
		profile := employees(t)
		profile.Mappings = append(profile.Mappings, mapping(t, "nextProcessing", "HR", "next"), mapping(t, "firstname", "HR", "id"), mapping(t, "lastname", "HR", "id"))
		s := &Snapshot{Accounts: []Account{account(hr, "HR", "7", map[string]string{"id": "7", "mail": "a@example.com", "next": test.text})}}
		change := Calculate(s, &Configuration{Profiles: []Profile{profile}}, now)
		if warned := strings.Contains(strings.Join(change.Warnings, ";"), "nextProcessing is no point in time"); !change.Due.Equal(test.due) ||
			warned != test.warning || len(change.Warnings) > 1 {
			t.Errorf("%q: due %v with the warnings %q, want %v and a warning: %t", test.text, change.Due, change.Warnings, test.due, test.warning)
		}
	}
}

// An identity without one of the required attributes is incomplete, and the warning names what it lacks.
func TestIncomplete(t *testing.T) {
	for _, lacking := range []string{"", "uid", "email", "firstname", "lastname", "email, lastname"} {
		profile := arranged(t)
		for _, name := range requiredAttributes {
			if !strings.Contains(lacking, name) {
				profile.Mappings = append(profile.Mappings, constant(name, "x"))
			}
		}
		change := Calculate(&Snapshot{Accounts: []Account{account(hr, "HR", "7", nil)}}, &Configuration{Profiles: []Profile{profile}}, now)
		want := ""
		if lacking != "" {
			want = "the identity is incomplete: it has no " + lacking
		}
		if got := strings.Join(change.Warnings, "; "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The earliest of what is to come is when an identity is due; what has passed, or is now, does not count.
func TestEarliestDue(t *testing.T) {
	soon, later := now.Add(time.Second), now.Add(time.Hour)
	for _, test := range []struct{ times, want []time.Time }{
		{[]time.Time{{}, now, now.Add(-1)}, []time.Time{{}}},
		{[]time.Time{later}, []time.Time{later}},
		{[]time.Time{later, soon}, []time.Time{soon}},
		{[]time.Time{soon, later, now}, []time.Time{soon}},
	} {
		var change Change
		for _, at := range test.times {
			change.due(at, now)
		}
		if !change.Due.Equal(test.want[0]) {
			t.Errorf("%v: got %v, want %v", test.times, change.Due, test.want[0])
		}
	}
}

// Roles are due at their dates: what is calculated at the date itself is not due at it again.
func TestDatesOfRoles(t *testing.T) {
	start, remove := now.Add(time.Hour), now.Add(2*time.Hour)
	s := &Snapshot{Assignments: []Assignment{{ID: ID{1}, RoleID: ID{1}, StartDate: start, RemoveDate: remove}}}
	for _, test := range []struct {
		at, due time.Time
		lost    int
	}{{now, start, 0}, {start, remove, 0}, {remove.Add(-1), remove, 0}, {remove, time.Time{}, 1}} {
		change := Calculate(s, &Configuration{}, test.at)
		if !change.RolesDue.Equal(test.due) || !change.Due.Equal(test.due) || len(change.Lost) != test.lost {
			t.Errorf("%v: due %v, %v, %d lost, want %v and %d", test.at, change.RolesDue, change.Due, len(change.Lost), test.due, test.lost)
		}
	}
}

// What the guard counts: who leaves a lifecycle state that they had, and who ceases to be active.
func TestWhatTheGuardCounts(t *testing.T) {
	state := func(lifecycle, identity string) *State {
		return &State{Calculated: Calculated{LifecycleState: lifecycle, IdentityState: identity}}
	}
	for _, test := range []struct {
		before, after          *State
		lifecycle, deactivated bool
	}{
		{state("active", Active), state("active", Active), false, false},
		{state("", Active), state("active", Active), false, false},
		{state("active", Active), state("", Active), true, false},
		{state("active", Active), state("leave", LongTermInactive), true, true},
		{state("leave", LongTermInactive), state("active", Active), true, false},
		{state("leave", LongTermInactive), state("leave", LongTermInactive), false, false},
	} {
		c := &Change{Before: test.before, After: test.after}
		if c.Lifecycle() != test.lifecycle || c.Deactivated() != test.deactivated {
			t.Errorf("%v to %v: got %t and %t, want %t and %t", test.before.Calculated, test.after.Calculated, c.Lifecycle(), c.Deactivated(),
				test.lifecycle, test.deactivated)
		}
	}
}

// Whatever is to be written makes a change differ.
func TestEveryPartOfAChangeDiffers(t *testing.T) {
	same := State{Calculated: Calculated{Name: "A"}}
	for name, change := range map[string]Change{
		"attributes": {Attributes: []AttributeChange{{}}}, "gained": {Gained: []Role{{}}}, "lost": {Lost: []RoleLoss{{}}},
		"access": {Access: AccessChange{Dropped: []Held{{}}}}, "nothing": {},
	} {
		change.Before, change.After = &same, &same
		if change.Differs() != (name != "nothing") || change.StateDiffers() != (name == "attributes") {
			t.Errorf("%s: it differs: %t, and its state: %t", name, change.Differs(), change.StateDiffers())
		}
	}
}

// A fault of the snapshot is the error of its change, and keeps everything but what has expired.
func TestSnapshotWithFault(t *testing.T) {
	s := &Snapshot{Fault: errors.New("unknown kind"), Identity: State{Calculated: Calculated{Name: "Old"}},
		Accounts:    []Account{account(hr, "HR", "7", map[string]string{"name": "New"})},
		Assignments: []Assignment{{ID: ID{1}, RemoveDate: now}, {ID: ID{2}, Membership: true}}}
	change := Calculate(s, &Configuration{Profiles: []Profile{employees(t)}}, now)
	if !errors.Is(change.Err, s.Fault) || change.After.Name != "Old" || change.After.ProcessingState != StateError || !change.Periodic ||
		len(change.Lost) != 1 || !change.Lost[0].Expired {
		t.Errorf("got %v, %s, %+v", change.Err, describe(change.After), change.Lost)
	}
}

// An identity that is not correlated any more loses the memberships that do not hold, and its error; it keeps its values.
func TestNobodysIdentity(t *testing.T) {
	s := &Snapshot{Identity: State{Calculated: Calculated{Name: "Ann", Correlated: true, ProcessingState: StateError, ProcessingError: "x"}},
		Assignments: []Assignment{{ID: ID{1}, RoleID: ID{1}, Membership: true}}}
	change := Calculate(s, &Configuration{Profiles: []Profile{employees(t)}}, now)
	if after := change.After; after.Correlated || after.Name != "Ann" || after.ProcessingState != StateOK || after.ProcessingError != "" || len(change.Lost) != 1 {
		t.Errorf("got %s and %+v", describe(after), change.Lost)
	}
}

// Each attribute that changes has its mapping, and one that falls away has none.
func TestChangesHaveTheirMappings(t *testing.T) {
	s := &Snapshot{Identity: State{Attributes: attribute.SetOf(map[string]attribute.Value{"gone": attribute.String("x"), "uid": attribute.String("7")})},
		Accounts: []Account{account(hr, "HR", "7", map[string]string{"id": "7", "name": "Ann", "mail": "a@example.com"})}}
	change := Calculate(s, &Configuration{Profiles: []Profile{employees(t)}}, now)
	var got []string
	for _, a := range change.Attributes {
		name := "none"
		if a.Mapping != nil {
			name = a.Mapping.Attribute
		}
		got = append(got, a.Name+" by "+name)
	}
	if diff := cmp.Diff([]string{"displayName by displayName", "email by email", "gone by none"}, got); diff != "" {
		t.Error(diff)
	}
}

// The memory of one calculation serves the next: nothing of an earlier identity is left in it.
func TestMemoryIsUsedAgain(t *testing.T) {
	var memory Memory
	configuration := &Configuration{Profiles: []Profile{employees(t)}}
	for _, name := range []string{"Ann", "Bob", ""} {
		s := &Snapshot{Memory: &memory, Accounts: []Account{account(hr, "HR", "7", map[string]string{"name": name})}}
		want := Calculate(&Snapshot{Accounts: s.Accounts}, configuration, now)
		if got := Calculate(s, configuration, now); describe(got.After) != describe(want.After) || len(got.Attributes) != len(want.Attributes) {
			t.Errorf("%s: got %s, want %s", name, describe(got.After), describe(want.After))
		}
	}
}

// An account without a name gives its native identity as the name of its identity.
func TestNameOfAccount(t *testing.T) {
	named := account(hr, "HR", "n7", nil)
	named.Account.Name = "Seven"
	if got := named.name(); got != "Seven" {
		t.Errorf("got %q, want the name", got)
	}
	named.Account.Name = ""
	if got := named.name(); got != "n7" {
		t.Errorf("got %q, want the native identity", got)
	}
	change := Calculate(&Snapshot{Accounts: []Account{account(hr, "HR", "", nil)}}, &Configuration{Profiles: []Profile{employees(t)}}, now)
	if change.After.Name != "" || change.After.Alias != "" {
		t.Errorf("got %s, want no name", describe(change.After))
	}
}
