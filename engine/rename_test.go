package engine_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
)

// keyedSource is an authoritative source whose accounts have a stable identity.
const keyedSource = `
sources:
  - name: Keyed
    connector: delimited-file
    connectorAttributes: {stableIdentityColumn: key}
    schemas: [{name: account, identityAttribute: login, attributes: [{name: login}, {name: room}]}]
identityProfiles:
  - name: Keyed
    authoritativeSource: {type: SOURCE, name: Keyed}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Keyed, attributeName: login}}}
        - {identityAttributeName: lastname, transformDefinition: {type: accountAttribute, attributes: {sourceName: Keyed, attributeName: room}}}
`

func newKeyed(t *testing.T) *fixture {
	t.Helper()
	f := newFixtureWith(t, engine.Config{BatchSize: 50, Workers: 1, Guard: engine.Guard{Off: true}})
	f.ApplyText(keyedSource)
	return f
}

// keyed aggregates rows of "login,room,key".
func (f *fixture) keyed(options engine.AggregateOptions, rows ...string) engine.AggregateResult {
	f.t.Helper()
	if options.MaxDeletions == nil {
		options.MaxDeletions = &engine.DeletionLimit{Count: 1000}
	}
	return f.keyedFrom(strings.NewReader("login,room,key\n"+strings.Join(rows, "\n")+"\n"), options)
}

func (f *fixture) keyedFrom(r io.Reader, options engine.AggregateOptions) engine.AggregateResult {
	f.t.Helper()
	result, err := f.Aggregate(f.t.Context(), "Keyed", r, options)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Process()
	return result
}

// accountsByKey returns the row and the owner of each account by stable identity, and its name.
func (f *fixture) accountsByKey() map[string]string {
	f.t.Helper()
	rows, err := f.Pool.Query(f.t.Context(), `SELECT coalesce(stable_identity, '-'), native_identity || ' ' || id || ' ' ||
		coalesce(identity_id::text, 'nobody') FROM muster.accounts`)
	if err != nil {
		f.t.Fatal(err)
	}
	found := map[string]string{}
	var key, text string
	if _, err = pgx.ForEachRow(rows, []any{&key, &text}, func() error {
		found[key] = text
		return nil
	}); err != nil {
		f.t.Fatal(err)
	}
	return found
}

// demandRenamed demands that accounts kept their rows and owners, and have the names given.
func (f *fixture) demandRenamed(before map[string]string, names map[string]string) {
	f.t.Helper()
	after := f.accountsByKey()
	if len(after) != len(names) {
		f.t.Errorf("there are %d accounts, want %d", len(after), len(names))
	}
	for key, name := range names {
		_, rest, _ := strings.Cut(before[key], " ")
		if want := name + " " + rest; before[key] != "" && after[key] != want {
			f.t.Errorf("%s is %q, want %q", key, after[key], want)
		} else if !strings.HasPrefix(after[key], name+" ") {
			f.t.Errorf("%s is %q, want the name %s", key, after[key], name)
		}
	}
}

// Renamed accounts are the same ones: also two that exchange their names, a chain, and names that new accounts took.
func TestRenamedAccounts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	start := []string{"a,1,k1", "b,2,k2", "c,3,k3"}
	for name, test := range map[string]struct {
		rows                            []string
		names                           map[string]string
		renamed, added, removed, change int
		delta                           bool
	}{
		"renamed":                 {rows: []string{"x,1,k1", "b,2,k2", "c,3,k3"}, names: map[string]string{"k1": "x", "k2": "b", "k3": "c"}, renamed: 1, change: 1},
		"in a delta":              {rows: []string{"x,1,k1"}, names: map[string]string{"k1": "x", "k2": "b", "k3": "c"}, renamed: 1, change: 1, delta: true},
		"swapped":                 {rows: []string{"b,1,k1", "a,2,k2", "c,3,k3"}, names: map[string]string{"k1": "b", "k2": "a", "k3": "c"}, renamed: 2, change: 2},
		"a circle":                {rows: []string{"b,1,k1", "c,2,k2", "a,3,k3"}, names: map[string]string{"k1": "b", "k2": "c", "k3": "a"}, renamed: 3, change: 3},
		"a chain":                 {rows: []string{"c,2,k2", "d,3,k3", "b,1,k1"}, names: map[string]string{"k1": "b", "k2": "c", "k3": "d"}, renamed: 3, change: 3},
		"the name taken":          {rows: []string{"x,1,k1", "a,9,k9", "b,2,k2", "c,3,k3"}, names: map[string]string{"k1": "x", "k9": "a", "k2": "b", "k3": "c"}, renamed: 1, change: 1, added: 1},
		"into one's that is gone": {rows: []string{"b,1,k1", "c,3,k3"}, names: map[string]string{"k1": "b", "k3": "c"}, renamed: 1, change: 1, removed: 1},
		"replaced":                {rows: []string{"a,1,k9", "b,2,k2", "c,3,k3"}, names: map[string]string{"k9": "a", "k2": "b", "k3": "c"}, added: 1, removed: 1},
		"replaced in a delta":     {rows: []string{"a,1,k9"}, names: map[string]string{"k9": "a", "k2": "b", "k3": "c"}, added: 1, removed: 1, delta: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newKeyed(t)
			f.keyed(engine.AggregateOptions{}, start...)
			before := f.accountsByKey()
			result := f.keyed(engine.AggregateOptions{Delta: test.delta}, test.rows...)
			if result.Renamed != test.renamed || result.Added != test.added || result.Removed != test.removed ||
				result.Changed != test.change || result.Faulty != 0 {
				t.Errorf("got %+v, want %+v", result, test)
			}
			f.demandRenamed(before, test.names)
			again := f.keyed(engine.AggregateOptions{Delta: true}, test.rows...)
			if again.Unchanged != len(test.rows) {
				t.Errorf("a second time: %+v, want nothing to change", again)
			}
			// Who is made from an account is found by its name of now.
			if got, want := f.CountRows("muster.identity_keys k JOIN muster.accounts a ON a.identity_id = k.identity_id WHERE left(k.key, 1) = '@' AND k.key LIKE '%=' || a.native_identity"),
				len(test.names); got != want && test.removed == 0 {
				t.Errorf("%d people are found by the names of their accounts, want %d", got, want)
			}
		})
	}
}

// The name of an account that was removed is somebody else's account when a renamed one takes it: its person stays
// another one.
func TestRenamedIntoAFormerName(t *testing.T) {
	t.Parallel()
	f := newKeyed(t)
	f.keyed(engine.AggregateOptions{}, "a,1,k1", "b,2,k2")
	before := f.accountsByKey()
	f.keyed(engine.AggregateOptions{}, "a,1,k1")
	f.keyed(engine.AggregateOptions{}, "b,1,k1")
	f.demandRenamed(map[string]string{"k1": before["k1"]}, map[string]string{"k1": "b"})
	// A new account under the first name is a new person.
	result := f.keyed(engine.AggregateOptions{}, "b,1,k1", "a,3,k3")
	if result.Identities != 1 {
		t.Errorf("got %+v, want a new identity", result)
	}
}

// What was replaced counts towards the limit, and a refusal changes nothing, even if the caller commits.
func TestReplacedAccountsCountAsRemoved(t *testing.T) {
	t.Parallel()
	f := newKeyed(t)
	f.keyed(engine.AggregateOptions{}, "a,1,k1", "b,2,k2", "c,3,k3")
	before := f.accountsByKey()
	tx, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.AggregateTx(t.Context(), tx, "Keyed", strings.NewReader("login,room,key\na,1,k8\nb,2,k9\nx,3,k3\n"),
		engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Count: 1}})
	var limit *engine.DeletionLimitError
	if !errors.As(err, &limit) || limit.Vanished != 2 {
		t.Errorf("got %v, want 2 vanished", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.demandRenamed(before, map[string]string{"k1": "a", "k2": "b", "k3": "c"})
}

// A stable identity that two rows have is one row's: the other is faulty, and its account stays.
func TestStableIdentityTwice(t *testing.T) {
	t.Parallel()
	f := newKeyed(t)
	f.keyed(engine.AggregateOptions{}, "a,1,k1", "b,2,k2", "c,3,k3")
	before := f.accountsByKey()
	for _, test := range []struct {
		rows []string
		want engine.RowError
	}{
		{[]string{"a,1,k1", "b,9,k1", "c,3,k3"}, engine.RowError{Line: 3, Msg: "its stable identity is that of another account, which the data has too"}},
		{[]string{"x,9,k1", "b,8,k1", "c,3,k3"}, engine.RowError{Line: 3, Msg: "its stable identity is the same as that of line 2"}},
	} {
		result := f.keyed(engine.AggregateOptions{}, test.rows...)
		if result.Faulty != 1 || len(result.RowErrors) != 1 || result.RowErrors[0] != test.want || result.Removed != 0 {
			t.Errorf("got %+v, want %v", result, test.want)
		}
		f.demandRenamed(before, map[string]string{"k1": strings.SplitN(test.rows[0], ",", 2)[0], "k2": "b", "k3": "c"})
	}
}

// A faulty row spares its account whatever that was called, and no account is renamed into a name that may still be
// another one's.
func TestFaultyRowsAndRenames(t *testing.T) {
	t.Parallel()
	f := newKeyed(t)
	f.ApplyText(strings.Replace(keyedSource, "{name: room}", "{name: room, type: INT}", 1))
	f.keyed(engine.AggregateOptions{}, "a,1,k1", "b,2,k2", "c,3,k3")
	before := f.accountsByKey()
	same := map[string]string{"k1": "a", "k2": "b", "k3": "c"}
	if result := f.keyed(engine.AggregateOptions{}, "a,1,k1", "x,none,k2", "c,3,k3"); result.Faulty != 1 || result.Removed != 0 {
		t.Errorf("got %+v, want 1 faulty", result)
	}
	f.demandRenamed(before, same)
	// The row of b cannot be told: it may be any account, so c's chain is left out.
	result := f.keyed(engine.AggregateOptions{}, "b,1,k1", "x", "a,3,k3")
	if result.Faulty != 3 || result.Removed != 0 || result.Renamed != 0 {
		t.Errorf("got %+v, want 3 faulty", result)
	}
	f.demandRenamed(before, same)
}

// Whatever happens at a source, a row of an account follows its stable identity.
func TestRandomRenames(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			f := newKeyed(t)
			r := rand.New(rand.NewPCG(seed, 17))
			names := map[string]string{} // by key
			next := 0
			add := func(name string) {
				next++
				names[fmt.Sprintf("k%d", next)] = name
			}
			for i := range 12 {
				add(fmt.Sprintf("n%d", i))
			}
			for step := range 12 {
				before := f.accountsByKey()
				keys := slices.Sorted(maps.Keys(names))
				for range 1 + r.IntN(4) {
					a, b := keys[r.IntN(len(keys))], keys[r.IntN(len(keys))]
					_, hasA := names[a]
					_, hasB := names[b]
					switch r.IntN(6) {
					case 0, 1: // two exchange their names
						if hasA && hasB {
							names[a], names[b] = names[b], names[a]
						}
					case 2: // a new name
						if hasA {
							next++
							names[a] = fmt.Sprintf("s%d", next)
						}
					case 3: // a name passes to a new account, whose former one gets another
						if hasA {
							old := names[a]
							next++
							names[a] = fmt.Sprintf("p%d", next)
							add(old)
						}
					case 4: // deleted, and perhaps created again under the name
						if hasA && len(names) > 6 {
							old := names[a]
							delete(names, a)
							if r.IntN(2) == 0 {
								add(old)
							}
						}
					case 5: // a renamed account takes the name of one that is deleted
						if hasA && hasB && a != b && len(names) > 6 {
							names[a] = names[b]
							delete(names, b)
						}
					}
				}
				var rows []string
				for key, name := range names {
					rows = append(rows, fmt.Sprintf("%s,room%d,%s", name, r.IntN(2), key))
				}
				r.Shuffle(len(rows), func(i, k int) { rows[i], rows[k] = rows[k], rows[i] })
				var text io.Reader = strings.NewReader("login,room,key\n" + strings.Join(rows, "\n") + "\n")
				if step%2 == 0 { // what cannot be read again is staged completely
					text = onlyReader{text}
				}
				result := f.keyedFrom(text, engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Count: 1000}})
				if result.Faulty > 0 {
					t.Fatalf("step %d: %+v", step, result)
				}
				f.demandRenamed(before, names)
				if t.Failed() {
					t.Fatalf("step %d of seed %d: %+v", step, seed, result)
				}
			}
			if got := f.CountRows("muster.accounts WHERE identity_id IS NULL"); got != 0 {
				t.Errorf("%d accounts are nobody's", got)
			}
		})
	}
}
