package criteria

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-engine/muster/engine/attribute"
)

// Few keys and values make criteria that hold.
var (
	someKeys   = []string{"a", "b", "directory.ou", "directory.memberOf", "codehost.role"}
	someValues = []string{"x", "X", "xy", "yx", "Straße", "STRASSE", "ß", "1", "01", "2", "10", "-3", "2.5", "é", "e\u0301", "ς", "cn=x,o=y", "O=Y", "CN=X, O=Y"}
)

func genCriterion(r *rapid.T, level int, parent Operation) string {
	kind := rapid.IntRange(0, 2).Draw(r, "kind")
	if level == LevelsMax || kind == 0 && level > 1 {
		return leaf(rapid.SampledFrom(someKeys).Draw(r, "key"), string(rapid.SampledFrom(operations[:10]).Draw(r, "operation")),
			rapid.SampledFrom(someValues).Draw(r, "value"))
	}
	operation := Or
	if parent == Or || parent == "" && kind == 1 {
		operation = And
	}
	children := make([]string, rapid.IntRange(1, 3).Draw(r, "children"))
	for i := range children {
		children[i] = genCriterion(r, level+1, operation)
	}
	return group(string(operation), children...)
}

func genSet(r *rapid.T, names ...string) *attribute.Set {
	s := &attribute.Set{}
	for _, name := range names {
		switch rapid.IntRange(0, 3).Draw(r, "kind") {
		case 0:
		case 1:
			s.Put(name, attribute.List(rapid.SliceOfN(rapid.SampledFrom(someValues), 0, 3).Draw(r, "list")))
		default:
			s.Put(name, attribute.String(rapid.SampledFrom(someValues).Draw(r, "text")))
		}
	}
	return s
}

func genFacts(r *rapid.T) *Facts {
	f := &Facts{Identity: genSet(r, "a", "b")}
	for range rapid.IntRange(0, 3).Draw(r, "accounts") {
		f.Accounts = append(f.Accounts, Account{rapid.SampledFrom([]ID{directory, codeHost}).Draw(r, "source"),
			genSet(r, "ou", "memberOf", "role")})
	}
	return f
}

// The index finds exactly the criteria that hold, whatever it was asked before.
func TestIndexAgreesWithLoop(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		list := make([]*Criterion, rapid.IntRange(0, 30).Draw(r, "criteria"))
		for i := range list {
			list[i] = parse(t, genCriterion(r, 1, ""))
			list[i].CompareNames(func(key Key) bool { return key.Attribute == "memberOf" })
		}
		index := NewIndex(list)
		for range 5 {
			f := genFacts(r)
			var want []int
			for i, c := range list {
				holds := c.Match(f)
				if holds {
					want = append(want, i)
				}
				if e := c.Explain(f); e.Holds != holds {
					r.Fatalf("criterion %d: the explanation says %v", i, e.Holds)
				}
			}
			if got := index.Match(f, nil); !slices.Equal(got, want) {
				r.Fatalf("the index finds %v, one after another are %v", got, want)
			}
		}
	})
}

// The index evaluates as few criteria as it can: of the comparisons that a criterion needs it looks up those that the
// fewest people satisfy.
func TestIndexEvaluatesFew(t *testing.T) {
	equals, contains := leaf("department", "EQUALS", "Sales"), leaf("city", "CONTAINS", "rich")
	many := make([]string, 6)
	for i, department := range []string{"Engineering", "Sales", "Legal", "Support", "Finance", "Research"} {
		many[i] = leaf("department", "EQUALS", department)
	}
	inZurich := leaf("city", "EQUALS", "Zürich")
	for _, test := range []struct {
		name     string
		criteria []string
		want     int
	}{
		{"equality before a part", []string{group("AND", equals, contains), group("AND", contains, equals)}, 0},
		{"a beginning before many alternatives", []string{group("AND", group("OR", many...), leaf("city", "STARTS_WITH", "Ba"))}, 0},
		{"a rare comparison before a shared one", []string{
			group("AND", inZurich, leaf("title", "EQUALS", "Buyer")), group("AND", inZurich, leaf("title", "EQUALS", "Lawyer")),
			group("AND", inZurich, leaf("title", "EQUALS", "Driver"))}, 0},
		{"a negation alone is evaluated every time", []string{leaf("department", "NOT_EQUALS", "Engineering")}, 1},
		{"numbers and texts of one key", []string{leaf("level", "GREATER_THAN", "9"), leaf("level", "LESS_THAN", "a")}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := make([]*Criterion, len(test.criteria))
			for i, text := range test.criteria {
				list[i] = parse(t, text)
			}
			m := newMatcher(NewIndex(list))
			m.match(ann(), nil)
			got := 0
			for _, generation := range m.evaluated {
				if generation == m.generation {
					got++
				}
			}
			if got != test.want {
				t.Errorf("it evaluated %d criteria, want %d", got, test.want)
			}
		})
	}
}

// What a matcher keeps of earlier people has a limit.
func TestMatcherForgets(t *testing.T) {
	m := newMatcher(NewIndex([]*Criterion{parse(t, leaf("badge", "EQUALS", "7"))}))
	for badge := range foldsMax + 10 {
		if found := m.match(&Facts{Identity: set("badge", badge)}, nil); (len(found) == 1) != (badge == 7) {
			t.Fatalf("badge %d: found %v", badge, found)
		}
		if got := len(m.folds); got > foldsMax {
			t.Fatalf("it keeps %d folded texts, %d are allowed", got, foldsMax)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(group("AND", leaf("a", "EQUALS", "b"), group("OR", leaf("directory.memberOf", "GREATER_THAN", "5")))))
	f.Add([]byte(`{"operation":"OR","children":[null]}`))
	f.Add([]byte(`{"operation":"EQUALS","key":[],"stringValue":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text, sources)
		if (c == nil) != (err != nil) {
			t.Fatalf("the criterion is %v and the error %v", c, err)
		}
		if err != nil {
			return
		}
		facts := ann()
		if got := len(NewIndex([]*Criterion{c}).Match(facts, nil)) == 1; got != c.Match(facts) {
			t.Fatalf("the index says %v", got)
		}
	})
}

// company makes criteria as companies have them and people of whom each is in about ten roles, whatever the number of
// roles: departments and places grow with it.
func company(t testing.TB, roles int) (*Index, []Facts) {
	list, people := companyOf(t, roles)
	return NewIndex(list), people
}

func companyOf(t testing.TB, roles int) ([]*Criterion, []Facts) {
	t.Helper()
	list := make([]*Criterion, roles)
	departments, places, groups := max(1, roles/6), max(1, roles/12), max(1, roles/8)
	for i := range list {
		department, place := fmt.Sprint("Department ", i%departments), fmt.Sprint("Place ", i%places)
		var text string
		switch i % 10 {
		case 0, 1, 2, 3:
			text = leaf("department", "EQUALS", department)
		case 4, 5:
			text = group("AND", leaf("department", "EQUALS", department), leaf("city", "NOT_EQUALS", "Nowhere"))
		case 6:
			text = group("OR", leaf("place", "EQUALS", place), leaf("title", "EQUALS", fmt.Sprint("Title ", i)))
		case 7:
			text = leaf("directory.memberOf", "EQUALS", fmt.Sprint("CN=Group ", i%groups))
		case 8:
			text = group("AND", leaf("title", "STARTS_WITH", fmt.Sprintf("Title %d ", i)), leaf("level", "GREATER_THAN", "3"))
		default:
			text = group("AND", leaf("place", "EQUALS", place), leaf("type", "EQUALS", "Employee"))
		}
		list[i] = parse(t, text)
	}
	people := make([]Facts, 100)
	for i := range people {
		s := set("department", fmt.Sprint("Department ", i*7%departments), "place", fmt.Sprint("Place ", i*5%places),
			"city", "Somewhere", "title", fmt.Sprintf("Title %d of all", i*3%roles), "level", "5", "type", "Employee")
		for k := range 16 {
			s.Put(fmt.Sprint("attribute", k), attribute.String(fmt.Sprint("value ", i*k)))
		}
		people[i] = Facts{Identity: s, Accounts: []Account{
			{directory, set("memberOf", []string{fmt.Sprint("CN=Group ", i%groups), fmt.Sprint("CN=Group ", (i+1)%groups)})},
			{codeHost, set("role", "member")},
		}}
	}
	return list, people
}

// BenchmarkMatch finds the roles of an identity, by the index and by evaluating one role after another.
func BenchmarkMatch(b *testing.B) {
	for _, roles := range []int{100, 1000, 10_000} {
		list, people := companyOf(b, roles)
		index := NewIndex(list)
		found := 0
		dst := make([]int, 0, roles)
		b.Run(fmt.Sprintf("index/%d", roles), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			found = 0
			for b.Loop() {
				found += len(index.Match(&people[i%len(people)], dst))
				i++
			}
			b.ReportMetric(float64(found)/float64(i), "roles/identity")
		})
		b.Run(fmt.Sprintf("loop/%d", roles), func(b *testing.B) {
			i := 0
			for b.Loop() {
				for _, c := range list {
					c.Match(&people[i%len(people)])
				}
				i++
			}
		})
	}
}
