package change

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

var now = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

const sample = `
sources: [{name: HR, connector: none}]
identityProfiles:
  - name: Employees
    authoritativeSource: {name: hr}
    identityAttributeConfig:
      attributeTransforms:
        - identityAttributeName: costCenter
          transformDefinition: {type: static, attributes: {value: "4711"}}
    lifecycleStates: [{name: Gone, technicalName: gone}]
accessProfiles: [{name: CRM, source: {name: HR}}]
roles: [{name: Seller, enabled: true}]
transforms: [{name: Up, type: upper, attributes: {}}]
`

func read(t *testing.T, text string) []configuration.Document {
	t.Helper()
	documents, err := configuration.ReadDocuments("t.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

func propose(t *testing.T, rows store.Configuration, text string) (*Proposal, error) {
	t.Helper()
	before, err := configuration.Compile(rows, nil, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	return Propose(rows, before, &Request{Documents: read(t, text)}, now)
}

// objects returns what a proposal does, as "created SOURCE HR" and so on.
func objects(p *Proposal) string {
	var list []string
	for _, o := range p.Objects {
		list = append(list, fmt.Sprintf("%s %s %s", o.Action, o.Type, o.Name))
	}
	return strings.Join(list, "; ")
}

func TestProposeCreates(t *testing.T) {
	p, err := propose(t, store.Configuration{}, sample)
	if err != nil {
		t.Fatal(err)
	}
	want := "created TRANSFORM Up; created SOURCE HR; created IDENTITY_ATTRIBUTE costCenter; " +
		"created IDENTITY_PROFILE Employees; created LIFECYCLE_STATE gone; created ACCESS_PROFILE CRM; created ROLE Seller"
	if got := objects(p); got != want {
		t.Errorf("the proposal is %q, want %q", got, want)
	}
	if !p.Changed() || len(p.writes) != 7 {
		t.Errorf("it changes: %t, with %d writes, want 7", p.Changed(), len(p.writes))
	}
	if _, err := configuration.Compile(p.Rows, nil, func(string) bool { return false }); err != nil {
		t.Errorf("what is proposed does not compile: %v", err)
	}
}

func TestProposeTwiceChangesNothing(t *testing.T) {
	first, err := propose(t, store.Configuration{}, sample)
	if err != nil {
		t.Fatal(err)
	}
	again, err := propose(t, first.Rows, sample)
	if err != nil {
		t.Fatal(err)
	}
	if again.Changed() || len(again.writes) > 0 || len(again.profiles) > 0 || len(again.Roles) > 0 {
		t.Errorf("the second proposal is %q with %d writes, want none", objects(again), len(again.writes))
	}
	if !reflect.DeepEqual(again.Rows, first.Rows) {
		t.Error("the rows of the second proposal are others")
	}
}

func TestProposeUpdatesByNameAndByID(t *testing.T) {
	first, err := propose(t, store.Configuration{}, sample)
	if err != nil {
		t.Fatal(err)
	}
	id := first.Rows.Sources[0].ID
	for name, text := range map[string]string{
		"by name": `sources: [{name: hr, connector: other}]`,
		"by ID":   fmt.Sprintf(`sources: [{id: %s, name: Personnel, connector: none}]`, id),
	} {
		p, err := propose(t, first.Rows, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(p.Rows.Sources) != 1 || p.Rows.Sources[0].ID != id || p.Objects[0].Action != configuration.Updated {
			t.Errorf("%s: the proposal is %q of %d sources, want an update of the only one", name, objects(p),
				len(p.Rows.Sources))
		}
		if !p.profiles[first.Rows.Profiles[0].ID] {
			t.Errorf("%s: the identities of the profile are not processed", name)
		}
		if got := first.Rows.Sources[0].Name; got != "HR" {
			t.Errorf("%s: the proposal changed the rows that it was given: the source is %q, want HR", name, got)
		}
	}
}

func TestPriorityFollowsTheOrderOfCreation(t *testing.T) {
	p, err := propose(t, store.Configuration{}, sample)
	if err != nil {
		t.Fatal(err)
	}
	p, err = propose(t, p.Rows, `identityProfiles: [{name: Guests, authoritativeSource: {name: HR}},
		{name: Bots, priority: 5, authoritativeSource: {name: HR}}]`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, row := range p.Rows.Profiles {
		got[row.Name] = row.Priority
	}
	if got["Guests"] != got["Employees"]+10 || got["Bots"] != 5 {
		t.Errorf("the priorities are %v, want Guests 10 after Employees, and Bots 5", got)
	}
}

func TestProposalNamesThePlaceOfAnError(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`sources: [{name: HR}, {name: " "}]`, `apply t.yaml:1: sources[1]: name is missing`},
		{`accessProfiles: [{name: CRM, source: {name: Nowhere}}]`, `there is no source "Nowhere"`},
		{`lifecycleStates: [{name: X, identityProfile: {name: P}}]`, `technicalName is missing`},
		{`lifecycleStates: [{name: X, technicalName: x, identityProfile: {name: P}}]`, `there is no identity profile "P"`},
		{`identityAttributes: [{name: cloudStatus}]`, `"cloudStatus" is written by the system`},
	} {
		_, err := propose(t, store.Configuration{}, test.text)
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an invalid document with %q", test.text, err, test.want)
		}
	}
}

func TestSameJSON(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":[true]}`, `{ "b": [true], "a": 1.0 }`, true},
		{`{"a":1}`, `{"a":2}`, false},
		{`[1,2]`, `[2,1]`, false},
		{`{`, `{`, true},
		{`{`, `[`, false},
	} {
		if got := SameJSON(json.RawMessage(test.a), json.RawMessage(test.b)); got != test.want {
			t.Errorf("SameJSON(%s, %s) = %t, want %t", test.a, test.b, got, test.want)
		}
	}
}

func TestPlacesOf(t *testing.T) {
	documents := []configuration.Document{{Place: "a.yaml:1: sources[0]"}, {Place: "b.yaml:2"},
		{Place: "a.yaml:9: roles[1]"}}
	if got, want := PlacesOf(documents), "a.yaml, b.yaml"; got != want {
		t.Errorf("the places are %q, want %q", got, want)
	}
}

// Of two documents for one object one would be lost, so they are refused, unless they say the same.
func TestProposeTwice(t *testing.T) {
	t.Parallel()
	_, err := propose(t, store.Configuration{}, `transforms: [{name: Up, type: upper, attributes: {}},
  {name: up, type: lower, attributes: {}}]`)
	if err == nil || !strings.Contains(err.Error(), `TRANSFORM "up" is given twice, and differs from that of t.yaml`) {
		t.Errorf("got the error %v, want that it is given twice", err)
	}
	p, err := propose(t, store.Configuration{}, `transforms: [{name: Up, type: upper, attributes: {}},
  {name: Up, type: upper, attributes: {}}]`)
	if err != nil || objects(p) != "created TRANSFORM Up; unchanged TRANSFORM Up" {
		t.Errorf("got the error %v, want that the same twice is once", err)
	}
}

// A transform of a built-in name takes its place, which may not be meant.
func TestProposeBuiltIn(t *testing.T) {
	t.Parallel()
	p, err := propose(t, store.Configuration{}, `transforms: [{name: ToUpper, type: lower, attributes: {}}]`)
	if err != nil || !strings.Contains(strings.Join(p.Notes, "\n"), `"ToUpper": it counts in place of the built-in one`) {
		t.Errorf("got %v, want a note of the built-in one", err)
	}
}
