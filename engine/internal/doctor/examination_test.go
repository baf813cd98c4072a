package doctor

import (
	"context"
	"slices"
	"testing"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

func nothing(context.Context) (int, string, error) { return 0, "", nil }

func TestAdd(t *testing.T) {
	x := new(examination)
	x.add("fine", SeverityFailure, store.Finding{}, "mend it", nothing)
	x.add("bad", SeverityFailure, store.Found([]string{"a", "b"}), "mend it", nothing)
	x.add("odd", SeverityWarning, store.Found([]string{"a"}), "look at it", nil)
	x.addSetting("holds", SeverityFailure, true, "found", "set it")
	x.addSetting("does not hold", SeverityWarning, false, "found", "set it")
	want := []Check{
		{Name: "fine", Severity: SeverityOK},
		{Name: "bad", Severity: SeverityFailure, Count: 2, Examples: []string{"a", "b"}, Mend: "mend it", Reparable: true},
		{Name: "odd", Severity: SeverityWarning, Count: 1, Examples: []string{"a"}, Mend: "look at it"},
		{Name: "holds", Severity: SeverityOK},
		{Name: "does not hold", Severity: SeverityWarning, Count: 1, Examples: []string{"found"}, Mend: "set it"},
	}
	for i, w := range want {
		got := x.checks[i]
		if got.Name != w.Name || got.Severity != w.Severity || got.Count != w.Count || got.Mend != w.Mend ||
			got.Reparable != w.Reparable || got.Examples == nil || !slices.Equal(got.Examples, w.Examples) {
			t.Errorf("the check is %+v, want %+v", got, w)
		}
		if (x.repairs[i] != nil) != w.Reparable {
			t.Errorf("%s has a repair: %t, want %t", w.Name, x.repairs[i] != nil, w.Reparable)
		}
	}
}

func TestSeverityIsThatOfTheWorstCheck(t *testing.T) {
	for _, test := range []struct {
		severities []Severity
		want       Severity
	}{
		{nil, SeverityOK},
		{[]Severity{SeverityOK, SeverityOK}, SeverityOK},
		{[]Severity{SeverityWarning, SeverityOK}, SeverityWarning},
		{[]Severity{SeverityWarning, SeverityFailure, SeverityOK}, SeverityFailure},
		{[]Severity{SeverityFailure, SeverityWarning}, SeverityFailure},
	} {
		x := new(examination)
		for _, severity := range test.severities {
			x.checks = append(x.checks, Check{Severity: severity})
		}
		if got := x.diagnosis(nil).Severity; got != test.want {
			t.Errorf("%v: the severity is %s, want %s", test.severities, got, test.want)
		}
	}
}

func TestVerdictsAreComplete(t *testing.T) {
	seen := map[store.Invariant]bool{}
	for _, v := range verdicts {
		if seen[v.invariant] {
			t.Errorf("%s has two verdicts", v.invariant)
		}
		seen[v.invariant] = true
		if v.mend == "" || v.severity != SeverityWarning && v.severity != SeverityFailure {
			t.Errorf("the verdict on %s is %+v: a severity and what mends it are expected", v.invariant, v)
		}
		if v.severity == SeverityFailure && v.repair == nil {
			t.Errorf("%s is a failure without a repair", v.invariant)
		}
	}
}

func TestDerive(t *testing.T) {
	c, err := configuration.Compile(store.Configuration{}, nil, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	row := store.FoldedIdentity{ID: store.ID{1}, Attributes: []byte(`{"uid":"Ann","firstname":"ANN","phone":"1"}`)}
	d, err := derive(c, &row)
	if err != nil {
		t.Fatal(err)
	}
	key := store.KeyIgnoringCase("uid", "Ann")
	if !slices.Equal(d.wanted, []string{key}) {
		t.Errorf("the keys are %q, want %q", d.wanted, key)
	}
	removed, added := d.keys(row.ID, []string{"other"})
	if got := keyTexts(removed); !slices.Equal(got, []string{"other"}) {
		t.Errorf("the keys %q are wrong, want the other one", got)
	}
	if got := keyTexts(added); !slices.Equal(got, []string{key}) {
		t.Errorf("the keys %q are missing, want %q", got, key)
	}
	if again, err := derive(c, &row); err != nil || again.folded {
		t.Errorf("the row that was folded is wrong again: %v", err)
	}
	if _, err := derive(c, &store.FoldedIdentity{Attributes: []byte(`[`)}); err == nil {
		t.Error("attributes that are no object are accepted")
	}
}
