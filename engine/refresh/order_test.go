package refresh

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform"
)

// function is a transform that a test writes.
type function func(in *transform.Input) (attribute.Value, error)

func (f function) EvaluateUntil(in *transform.Input) (attribute.Value, time.Time, error) {
	value, err := f(in)
	return value, time.Time{}, err
}

func (f function) Trace(in *transform.Input) (attribute.Value, []transform.Step, error) {
	value, err := f(in)
	return value, nil, err
}

// joined is a transform that joins attributes of the identity with plus signs; a missing one is a question mark.
func joined(names ...string) function {
	return func(in *transform.Input) (attribute.Value, error) {
		var parts []string
		for _, name := range names {
			text := in.Identity.Attributes.Get(name).Text()
			if text == "" {
				text = "?"
			}
			parts = append(parts, text)
		}
		text := strings.Join(parts, "+")
		if len(text) > joinedMax {
			return attribute.Null, errors.New("the text is too long")
		}
		return attribute.String(text), nil
	}
}

// joinedMax is the most bytes of a joined text: more than six mappings give that read two each. In a circle the text
// would double every time.
const joinedMax = 500

// reading is a mapping that joins attributes, and says so.
func reading(name string, reads ...string) Mapping {
	return Mapping{Attribute: name, Transform: joined(reads...), Reads: reads}
}

// readingAny is a mapping that joins attributes, and says only that it may read any.
func readingAny(name string, reads ...string) Mapping {
	return Mapping{Attribute: name, Transform: joined(reads...), ReadsAny: true}
}

func constant(name, value string) Mapping {
	return Mapping{Attribute: name, Transform: function(func(*transform.Input) (attribute.Value, error) {
		return attribute.String(value), nil
	})}
}

// arranged is a profile over HR with mappings in the order of a set.
func arranged(t testing.TB, mappings ...Mapping) Profile {
	t.Helper()
	p := Profile{ID: ID{10}, Name: "Employees", SourceID: hr, Enabled: true, Mappings: mappings,
		States: map[string]LifecycleState{"active": {"ACTIVE", true}, "leave": {"INACTIVE_LONG_TERM", true}}}
	slices.SortFunc(p.Mappings, func(a, b Mapping) int { return attribute.Compare(a.Attribute, b.Attribute) })
	if err := p.Arrange(); err != nil {
		t.Fatal(err)
	}
	return p
}

// A mapping is calculated after those that it reads, whatever the order of their names, so that it has their new values
// at once. What the profile does not map is gone, also for those that read it.
func TestCalculateInOrder(t *testing.T) {
	for _, test := range []struct {
		name     string
		mappings []Mapping
		want     string
	}{
		{"nobody reads", []Mapping{constant("b", "1"), constant("a", "2")}, `{"a":"2","b":"1"}`},
		{"behind by name", []Mapping{constant("z", "1"), reading("a", "z")}, `{"a":"1","z":"1"}`},
		{"before by name", []Mapping{constant("a", "1"), reading("z", "a")}, `{"a":"1","z":"1"}`},
		{"a chain of four", []Mapping{reading("a", "b"), reading("b", "c"), reading("c", "d"), constant("d", "1")},
			`{"a":"1","b":"1","c":"1","d":"1"}`},
		{"two paths to one", []Mapping{reading("a", "b", "c"), reading("b", "d"), reading("c", "d"), constant("d", "1")},
			`{"a":"1+1","b":"1","c":"1","d":"1"}`},
		{"not mapped", []Mapping{reading("a", "stored", "nowhere")}, `{"a":"?+?"}`},
		{"letter case counts", []Mapping{constant("City", "1"), reading("a", "city")}, `{"a":"?","City":"1"}`},
		{"any comes last", []Mapping{readingAny("a", "z"), constant("z", "1")}, `{"a":"1","z":"1"}`},
		{"who reads one that reads any comes after it", []Mapping{reading("a", "b"), readingAny("b", "c"), constant("c", "1")},
			`{"a":"1","b":"1","c":"1"}`},
		{"several that read any", []Mapping{readingAny("a", "b"), readingAny("b", "c"), readingAny("c", "d"), constant("d", "1")},
			`{"a":"1","b":"1","c":"1","d":"1"}`},
		{"a circle that comes to rest", []Mapping{readingAny("a", "d"), reading("b", "a"), constant("d", "1")},
			`{"a":"1","b":"1","d":"1"}`},
		{"none of its own", []Mapping{readingAny("a", "a", "d"), constant("d", "1")}, `{"a":"?+1","d":"1"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := State{Attributes: attribute.SetOf(map[string]attribute.Value{
				"a": attribute.String("old"), "b": attribute.String("old"), "stored": attribute.String("old"),
			})}
			s := &Snapshot{Identity: before, Accounts: []Account{account(hr, "HR", "7", nil)}}
			configuration := &Configuration{Profiles: []Profile{arranged(t, test.mappings...)}}
			change := Calculate(s, configuration, now)
			if change.Err != nil {
				t.Fatal(change.Err)
			}
			if diff := cmp.Diff(test.want, string(change.After.Attributes.AppendJSON(nil))); diff != "" {
				t.Error(diff)
			}
			again := Calculate(&Snapshot{Identity: *change.After, Accounts: s.Accounts}, configuration, now)
			if again.Differs() {
				t.Errorf("a second calculation changes it to %s", again.After.Attributes.AppendJSON(nil))
			}
		})
	}
}

// Many mappings that may read any attribute come to rest though each is calculated before the one that it reads.
func TestChainOfReadersOfAny(t *testing.T) {
	mappings := []Mapping{constant("m99", "1")}
	for i := range roundsMax {
		name, next := fmt.Sprintf("m%02d", i), fmt.Sprintf("m%02d", i+1)
		if i == roundsMax-1 {
			next = "m99"
		}
		mappings = append(mappings, readingAny(name, next))
	}
	change := Calculate(&Snapshot{Accounts: []Account{account(hr, "HR", "7", nil)}},
		&Configuration{Profiles: []Profile{arranged(t, mappings...)}}, now)
	if change.Err != nil || change.After.Attributes.Get("m00").Text() != "1" {
		t.Errorf("got %v and %s, want 1 all along the chain", change.Err, change.After.Attributes.AppendJSON(nil))
	}
}

// The name and the alias of an identity are its displayName and uid. Who reads them has the new ones, and the name of
// the account where no mapping gives one.
func TestCalculateWithNewName(t *testing.T) {
	names := Mapping{Attribute: "a", Reads: []string{"displayName", "uid"}, Transform: function(
		func(in *transform.Input) (attribute.Value, error) {
			return attribute.String(in.Identity.Name + "/" + in.Identity.Alias), nil
		})}
	for _, test := range []struct {
		name     string
		mappings []Mapping
		want     string
	}{
		{"by the account", []Mapping{names}, "wim/wim"},
		{"mapped", []Mapping{names, constant("displayName", "Wim Baker"), constant("uid", "wbaker")}, "Wim Baker/wbaker"},
		{"mapped to nothing", []Mapping{names, constant("displayName", ""), constant("uid", "")}, "wim/wim"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Snapshot{Identity: State{Calculated: Calculated{Name: "Wim Worker", Alias: "wworker"}},
				Accounts: []Account{account(hr, "HR", "wim", nil)}}
			change := Calculate(s, &Configuration{Profiles: []Profile{arranged(t, test.mappings...)}}, now)
			if got := change.After.Attributes.Get("a").Text(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := change.After.Name + "/" + change.After.Alias; got != test.want {
				t.Errorf("the identity is %q, want %q", got, test.want)
			}
		})
	}
}

// $oldValue is the stored value in every order, also where a mapping is calculated several times.
func TestOldValueIsTheStoredOne(t *testing.T) {
	old := func(name string) function {
		return func(in *transform.Input) (attribute.Value, error) {
			if in.Attribute != name {
				return attribute.Null, fmt.Errorf("the attribute is %q, want %q", in.Attribute, name)
			}
			return attribute.String(in.OldValue.Text() + "!"), nil
		}
	}
	stored := attribute.SetOf(map[string]attribute.Value{"a": attribute.String("1"), "b": attribute.String("2"), "c": attribute.String("3")})
	profile := arranged(t, Mapping{Attribute: "a", Transform: old("a"), Reads: []string{"b"}},
		Mapping{Attribute: "b", Transform: old("b")}, Mapping{Attribute: "c", Transform: old("c"), ReadsAny: true}, readingAny("d", "c"))
	change := Calculate(&Snapshot{Identity: State{Attributes: stored}, Accounts: []Account{account(hr, "HR", "7", nil)}},
		&Configuration{Profiles: []Profile{profile}}, now)
	if got, want := string(change.After.Attributes.AppendJSON(nil)), `{"a":"1!","b":"2!","c":"3!","d":"3!"}`; got != want {
		t.Errorf("got %v %s, want %s", change.Err, got, want)
	}
}

// Whoever reads the lifecycle state has the one that was set by hand.
func TestReaderOfLifecycleStateSetByHand(t *testing.T) {
	by := Calculated{LifecycleState: "leave", LifecycleManual: true}
	for _, mappings := range [][]Mapping{
		{reading("a", "cloudLifecycleState"), constant("cloudLifecycleState", "active")},
		{reading("a", "cloudLifecycleState")},
		{readingAny("a", "cloudLifecycleState"), readingAny("cloudLifecycleState", "a")},
	} {
		change := Calculate(&Snapshot{Identity: State{Calculated: by}, Accounts: []Account{account(hr, "HR", "7", nil)}},
			&Configuration{Profiles: []Profile{arranged(t, mappings...)}}, now)
		if got := change.After.Attributes.Get("a").Text(); got != "leave" || change.Err != nil {
			t.Errorf("%v: got %v %q, want leave", mappings, change.Err, got)
		}
	}
}

func TestCircles(t *testing.T) {
	for _, test := range []struct {
		name     string
		mappings []Mapping
		want     string
	}{
		{"itself", []Mapping{reading("a", "a")}, "a -> a"},
		{"two", []Mapping{reading("a", "b"), reading("b", "a")}, "a -> b -> a"},
		{"behind a way to it", []Mapping{reading("a", "c"), reading("c", "d"), reading("d", "b"), reading("b", "c")}, "c -> d -> b -> c"},
		{"with one that may read any", []Mapping{reading("a", "b"),
			{Attribute: "b", Transform: joined("a"), Reads: []string{"a"}, ReadsAny: true}}, "a -> b -> a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := Profile{Mappings: test.mappings}
			err := p.Arrange()
			var circle *CircleError
			if !errors.As(err, &circle) || strings.Join(circle.Path, " -> ") != test.want || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want the circle %s", err, test.want)
			}
			if itself := test.name == "itself"; err != nil && strings.Contains(err.Error(), "$oldValue") != itself {
				t.Errorf("got %v: it names $oldValue: %t, want %t", err, !itself, itself)
			}
		})
	}
}

// What does not come to rest is an error of the identity that names the attributes, and it keeps its values.
func TestUnrest(t *testing.T) {
	longer := func(name string) function {
		return func(in *transform.Input) (attribute.Value, error) {
			return attribute.String(in.Identity.Attributes.Get(name).Text() + "x"), nil
		}
	}
	profile := arranged(t, Mapping{Attribute: "a", Transform: longer("b"), ReadsAny: true},
		Mapping{Attribute: "b", Transform: longer("a"), ReadsAny: true}, constant("c", "1"))
	change := Calculate(&Snapshot{Accounts: []Account{account(hr, "HR", "7", nil)}}, &Configuration{Profiles: []Profile{profile}}, now)
	if change.Err == nil || !strings.Contains(change.Err.Error(), `profile "Employees" do not come to rest: each calculation of a`) ||
		strings.Contains(change.Err.Error(), "c") && change.After.Attributes.Len() != 0 {
		t.Errorf("got %v and %s, want an error about a and b, and no values", change.Err, change.After.Attributes.AppendJSON(nil))
	}
}

// A mapping that fails while the values that it needs are not there yet is calculated again with them; one that fails
// with them is an error.
func TestErrorBeforeRest(t *testing.T) {
	needs := func(name string) Mapping {
		return Mapping{Attribute: "a", ReadsAny: true, Transform: function(func(in *transform.Input) (attribute.Value, error) {
			value := in.Identity.Attributes.Get(name)
			if value.IsNull() {
				return attribute.Null, fmt.Errorf("%s is null", name)
			}
			return value, nil
		})}
	}
	for name, want := range map[string]string{"b": "", "none": `attribute a of profile "Employees": none is null`} {
		change := Calculate(&Snapshot{Accounts: []Account{account(hr, "HR", "7", nil)}},
			&Configuration{Profiles: []Profile{arranged(t, needs(name), readingAny("b", "c"), constant("c", "1"))}}, now)
		if got := change.After.ProcessingError; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	// One that others read fails as it does in any order.
	failed := arranged(t, reading("a", "b"), Mapping{Attribute: "b", Transform: failing{}})
	change := Calculate(&Snapshot{Accounts: []Account{account(hr, "HR", "7", nil)}}, &Configuration{Profiles: []Profile{failed}}, now)
	if want := `attribute b of profile "Employees": no grade`; change.After.ProcessingError != want {
		t.Errorf("got %q, want %q", change.After.ProcessingError, want)
	}
}

// Random values are the same each time a mapping is calculated within one calculation, so that it comes to rest.
func TestRandomValuesComeToRest(t *testing.T) {
	random := func(in *transform.Input) (attribute.Value, error) {
		var b [8]byte
		_, err := io.ReadFull(in.Random, b[:])
		return attribute.String(fmt.Sprintf("%x", b)), err
	}
	s := &Snapshot{Random: rand.Reader, Accounts: []Account{account(hr, "HR", "7", nil)}}
	configuration := &Configuration{Profiles: []Profile{arranged(t, Mapping{Attribute: "a", Transform: function(random), ReadsAny: true},
		Mapping{Attribute: "b", Transform: function(random), ReadsAny: true}, readingAny("c", "a", "b"))}}
	change := Calculate(s, configuration, now)
	if change.Err != nil {
		t.Fatal(change.Err)
	}
	get := func(name string) string { return change.After.Attributes.Get(name).Text() }
	if get("a") == get("b") || get("c") != get("a")+"+"+get("b") {
		t.Errorf("got %s, want two random values and both joined", change.After.Attributes.AppendJSON(nil))
	}
}

// When an identity is due depends on every mapping, in whatever order it is calculated.
func TestDueInOrder(t *testing.T) {
	soon, later := now.Add(time.Hour), now.Add(2*time.Hour)
	for _, test := range []struct {
		mappings []Mapping
		due      time.Time
		periodic bool
	}{
		{[]Mapping{{Attribute: "a", Transform: until(soon), Reads: []string{"b"}}, {Attribute: "b", Transform: until(later)}}, soon, false},
		{[]Mapping{{Attribute: "a", Transform: until(later), ReadsAny: true}, {Attribute: "b", Transform: until(soon), ReadsAny: true}}, soon, false},
		{[]Mapping{reading("a", "b"), {Attribute: "b", Transform: until(now)}}, time.Time{}, true},
		{[]Mapping{{Attribute: "a", Transform: until(time.Time{}), ReadsAny: true, Periodic: true}}, time.Time{}, true},
		{[]Mapping{reading("a", "b"), readingAny("c", "a")}, time.Time{}, false},
	} {
		change := Calculate(&Snapshot{Accounts: []Account{account(hr, "HR", "7", nil)}},
			&Configuration{Profiles: []Profile{arranged(t, test.mappings...)}}, now)
		if !change.Due.Equal(test.due) || change.Periodic != test.periodic {
			t.Errorf("%v: got %v %t, want %v %t", test.mappings, change.Due, change.Periodic, test.due, test.periodic)
		}
	}
}

// until is a transform whose value changes at a time.
type until time.Time

func (u until) EvaluateUntil(*transform.Input) (attribute.Value, time.Time, error) {
	return attribute.String("x"), time.Time(u), nil
}

func (u until) Trace(*transform.Input) (attribute.Value, []transform.Step, error) {
	return attribute.String("x"), nil, nil
}

// A trace sees what the mapping saw: the new values of the others, and none of its own.
func TestTraceSeesNewValues(t *testing.T) {
	profile := arranged(t, constant("z", "new"), readingAny("a", "z", "a"))
	s := &Snapshot{Identity: State{Attributes: attribute.SetOf(map[string]attribute.Value{"z": attribute.String("old")})},
		Accounts: []Account{account(hr, "HR", "7", nil)}}
	change := Calculate(s, &Configuration{Profiles: []Profile{profile}}, now)
	value, _, err := change.Attributes[0].Mapping.Trace(s, change.After, now)
	if err != nil || value.Text() != "new+?" || change.After.Attributes.Get("a").Text() != "new+?" {
		t.Errorf("got %v %q, want new+? as the calculation gave it", err, value.Text())
	}
}

// For any mappings that read each other, some as those that may read any attribute: either there is a circle, and its
// path is one, or one calculation gives what reading them recursively gives, and a second one changes nothing.
func TestOrderAgainstRecursion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d", "e", "f", "stored"}
		reads := map[string][]string{}
		var mappings []Mapping
		for _, name := range names[:rapid.IntRange(1, 6).Draw(t, "mapped")] {
			reads[name] = rapid.SliceOfN(rapid.SampledFrom(names), 0, 2).Draw(t, name)
			m := reading(name, reads[name]...)
			if rapid.IntRange(0, 3).Draw(t, name+" any") == 0 {
				m = readingAny(name, reads[name]...)
			}
			if len(reads[name]) == 0 {
				m = constant(name, name)
			}
			mappings = append(mappings, m)
		}
		profile := Profile{Name: "P", SourceID: hr, Enabled: true, Mappings: mappings}
		err := profile.Arrange()
		var circle *CircleError
		if errors.As(err, &circle) {
			for i := range len(circle.Path) - 1 {
				if !slices.Contains(reads[circle.Path[i]], circle.Path[i+1]) {
					t.Fatalf("%v is no circle: %s does not read %s", circle.Path, circle.Path[i], circle.Path[i+1])
				}
			}
			if first, last := circle.Path[0], circle.Path[len(circle.Path)-1]; len(circle.Path) < 2 || first != last {
				t.Fatalf("%v does not end where it begins", circle.Path)
			}
			return
		}
		stored := attribute.SetOf(map[string]attribute.Value{"stored": attribute.String("old"), "a": attribute.String("old")})
		s := &Snapshot{Identity: State{Attributes: stored}, Accounts: []Account{account(hr, "HR", "7", nil)}}
		change := Calculate(s, &Configuration{Profiles: []Profile{profile}}, now)
		want, acyclic := recursively(reads)
		if !acyclic { // through mappings that may read any: they come to rest, or say that they do not
			return
		}
		if change.Err != nil {
			t.Fatal(change.Err)
		}
		for name := range reads {
			if got := change.After.Attributes.Get(name).Text(); got != want[name] {
				t.Fatalf("%s is %q, want %q, of %v", name, got, want[name], reads)
			}
		}
		if again := Calculate(&Snapshot{Identity: *change.After, Accounts: s.Accounts}, &Configuration{Profiles: []Profile{profile}}, now); again.Differs() {
			t.Fatalf("a second calculation changes it to %s", again.After.Attributes.AppendJSON(nil))
		}
	})
}

// recursively calculates mappings as [joined] does, each when it is read. It returns false for a circle.
func recursively(reads map[string][]string) (map[string]string, bool) {
	values, open := map[string]string{}, map[string]bool{}
	var value func(name string) (string, bool)
	value = func(name string) (string, bool) {
		others, mapped := reads[name]
		if !mapped {
			return "?", true
		}
		if open[name] {
			return "", false
		}
		open[name] = true
		defer delete(open, name)
		var parts []string
		for _, other := range others {
			part, ok := value(other)
			if !ok {
				return "", false
			}
			parts = append(parts, part)
		}
		if len(others) == 0 {
			parts = []string{name}
		}
		return strings.Join(parts, "+"), true
	}
	for name := range reads {
		var ok bool
		if values[name], ok = value(name); !ok {
			return nil, false
		}
	}
	return values, true
}
