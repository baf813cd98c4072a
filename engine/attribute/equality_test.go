package attribute

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEqualityKeys(t *testing.T) {
	for _, test := range []struct {
		equality Equality
		a, b     string
		same     bool
	}{
		{"", "Rome", "rome", false},
		{CaseExactMatch, "a  b", "a b", false},
		{CaseExactMatch, "é", "e\u0301", false},
		{CaseIgnoreMatch, "Rome", "rOME", true},
		{CaseIgnoreMatch, "  a   b ", "A b", true},
		{CaseIgnoreMatch, "ZÜRICH", "zu\u0308rich", true},
		{CaseIgnoreMatch, "a\u00a0b", "a b", true},
		{CaseIgnoreMatch, "Straße", "Strasse", false},
		{CaseIgnoreMatch, "ıspanak", "ispanak", false},
		{CaseIgnoreMatch, "cn=a,dc=b", "cn=a, dc=b", false}, // no DN
		{DistinguishedNameMatch, "CN=Sales,OU=Groups,DC=example", "cn=sales,ou=groups,dc=example", true},
		{DistinguishedNameMatch, "cn=sales, ou=groups ,dc = example", "cn=sales,ou=groups,dc=example", true},
		{DistinguishedNameMatch, "cn=sales;ou=groups", "cn=sales,ou=groups", true},
		{DistinguishedNameMatch, "cn=sales,ou=groups", "ou=groups,cn=sales", false},
		{DistinguishedNameMatch, `cn=Twain\, Bob,dc=x`, `cn=twain\2c bob,dc=x`, true},
		{DistinguishedNameMatch, `cn=Twain\, Bob,dc=x`, `cn="Twain, Bob",dc=x`, true},
		{DistinguishedNameMatch, `cn=Twain\, Bob`, `cn=Twain,cn=Bob`, false},
		{DistinguishedNameMatch, "cn=Zürich,dc=x", `cn=Z\C3\BCrich,dc=x`, true},
		{DistinguishedNameMatch, "cn=ZÜRICH,dc=x", `cn=z\c3\bcrich,dc=x`, true},
		{DistinguishedNameMatch, "cn=zu\u0308rich,dc=x", `cn=z\c3\bcrich,dc=x`, true},
		{DistinguishedNameMatch, "cn=ann+uid=7,dc=x", "UID=7+CN=Ann,dc=x", true},
		{DistinguishedNameMatch, "cn=ann+uid=7,dc=x", "cn=ann,uid=7,dc=x", false},
		{DistinguishedNameMatch, "cn=a+cn=b", "cn=a+cn=a", false},
		{DistinguishedNameMatch, "commonName=ann,domainComponent=x", "2.5.4.3=ann,DC=x", true},
		{DistinguishedNameMatch, "OID.2.5.4.3=ann", "cn=ann", true},
		{DistinguishedNameMatch, "1.3.6.1.4.1.1466.0=#04024869", "1.3.6.1.4.1.1466.0=hi", true},
		{DistinguishedNameMatch, "x=#020101", "x=#020102", false},
		{DistinguishedNameMatch, `cn=\#1,dc=x`, "cn=1,dc=x", false},
		{DistinguishedNameMatch, `cn=\20a  b\20,dc=x`, "cn=a b,dc=x", true},
		{DistinguishedNameMatch, `cn=a\\,dc=x`, `cn=a\5C,dc=x`, true},
		{DistinguishedNameMatch, "cn=,dc=x", "cn= ,dc=x", true},
		{DistinguishedNameMatch, "VPN users", "vpn  Users", true}, // no DN
		{DistinguishedNameMatch, `cn=a\`, `CN=a\`, true},
		{DistinguishedNameMatch, "cn=a,", "cn=a", false},
		{DistinguishedNameMatch, "", " ", true},
	} {
		if got := test.equality.Same(test.a, test.b); got != test.same {
			t.Errorf("%s: %q and %q: %v, want %v (%q, %q)", test.equality, test.a, test.b, got, test.same, test.equality.Key(test.a),
				test.equality.Key(test.b))
		}
		if got := test.equality.Find([]string{"other", test.b}, test.a) == 1; got != test.same {
			t.Errorf("%s: %q is found in %q: %v", test.equality, test.a, test.b, got)
		}
	}
}

func TestParseEquality(t *testing.T) {
	for _, e := range []Equality{CaseExactMatch, CaseIgnoreMatch, DistinguishedNameMatch} {
		if got, err := ParseEquality(strings.ToUpper(string(e))); got != e || err != nil {
			t.Errorf("%s: %q, %v", e, got, err)
		}
	}
	if _, err := ParseEquality("caseBlindMatch"); err == nil || !strings.Contains(err.Error(), "distinguishedNameMatch") {
		t.Errorf("got %v", err)
	}
}

func TestSameValues(t *testing.T) {
	list := func(texts ...string) Value { return List(texts) }
	for _, test := range []struct {
		equality Equality
		a, b     Value
		same     bool
	}{
		{CaseExactMatch, list("a", "b"), list("b", "a"), true},
		{CaseExactMatch, list("a", "b"), list("b", "b", "a"), true},
		{CaseExactMatch, list("a", "b"), list("a", "c"), false},
		{CaseExactMatch, list("a"), String("a"), true},
		{CaseExactMatch, list("a"), String("A"), false},
		{CaseExactMatch, list("a"), Null, false},
		{CaseExactMatch, list(), String(""), true},
		{CaseExactMatch, Int(7), String("7"), true},
		{CaseIgnoreMatch, list("VPN", "Lab"), list("lab", "vpn"), true},
		{CaseIgnoreMatch, list("VPN", "vpn"), list("vpn"), true},
		{DistinguishedNameMatch, list("cn=a,dc=x", "cn=b,dc=x"), list("CN=B, DC=x", "cn=a,dc=x"), true},
	} {
		if got := test.equality.SameValues(test.a, test.b); got != test.same {
			t.Errorf("%s: %v and %v: %v, want %v", test.equality, test.a.Strings(), test.b.Strings(), got, test.same)
		}
		if got := test.equality.SameValues(test.b, test.a); got != test.same {
			t.Errorf("%s: %v and %v: %v, want %v", test.equality, test.b.Strings(), test.a.Strings(), got, test.same)
		}
	}
}

// A name that is written in another way is the same name, and one with another value is another.
func TestNamesHoweverTheyAreWritten(t *testing.T) {
	type part struct{ name, value string }
	values := rapid.SampledFrom([]string{"a", "B", "Twain, Bob", "x+y", "#1", `q"q`, "<t>;", `b\s`, "zürich", "a=b", " edge ", "σ", "Σ"})
	names := rapid.SampledFrom([]string{"cn", "OU", "dc", "uid"})
	escape := func(t *rapid.T, value string) string {
		var b strings.Builder
		for i := range len(value) {
			c := value[i]
			must := strings.IndexByte(`\,+;"<>#= `, c) >= 0
			switch {
			case rapid.IntRange(0, 5).Draw(t, "hex") == 0:
				b.WriteString("\\" + string("0123456789abcdef"[c>>4]) + string("0123456789ABCDEF"[c&15]))
			case must:
				b.WriteString("\\" + string(c))
			default:
				b.WriteByte(c)
			}
		}
		return b.String()
	}
	write := func(t *rapid.T, rdns [][]part) string {
		var texts []string
		for _, rdn := range rdns {
			var parts []string
			for _, p := range rapid.Permutation(rdn).Draw(t, "order") {
				name := p.name
				if rapid.Bool().Draw(t, "upper") {
					name = strings.ToUpper(name)
				}
				parts = append(parts, name+"="+escape(t, p.value))
			}
			texts = append(texts, strings.Join(parts, rapid.SampledFrom([]string{"+", " + "}).Draw(t, "plus")))
		}
		return strings.Join(texts, rapid.SampledFrom([]string{",", ", ", " ; "}).Draw(t, "comma"))
	}
	rapid.Check(t, func(t *rapid.T) {
		rdns := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) part {
			return part{names.Draw(t, "name"), values.Draw(t, "value")}
		}), 1, 3), 1, 4).Draw(t, "rdns")
		e := DistinguishedNameMatch
		one, two := write(t, rdns), write(t, rdns)
		if !e.Same(one, two) {
			t.Fatalf("%q and %q have the keys %q and %q", one, two, e.Key(one), e.Key(two))
		}
		if key := e.Key(one); e.Key(key) != key {
			t.Fatalf("the key %q of %q has another key: %q", key, one, e.Key(key))
		}
		rdns[0][0].value += "!"
		if other := write(t, rdns); e.Same(one, other) {
			t.Fatalf("%q and %q are the same", one, other)
		}
	})
}

func FuzzEquality(f *testing.F) {
	for _, seed := range []string{"cn=a,dc=b", `cn="a,b"+x=#0401ff;y=\`, "é ß İ ™ ẞ", "=,", "a=#", `a=\41\zz`, "OID.1=2", "a=b+", "\xff=\xfe"} {
		f.Add(seed, strings.ToUpper(seed))
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, e := range []Equality{"", CaseExactMatch, CaseIgnoreMatch, DistinguishedNameMatch} {
			key := e.Key(a)
			if !e.Same(a, a) || e.Same(a, b) != e.Same(b, a) || e.Same(a, b) != (a == b || key == e.Key(b)) {
				t.Fatalf("%s: %q and %q are compared in two ways", e, a, b)
			}
			if again := e.Key(key); again != key {
				t.Fatalf("%s: the key of %q is %q, and that of this %q", e, a, key, again)
			}
			if (e.Find([]string{b}, a) == 0) != e.Same(a, b) {
				t.Fatalf("%s: %q is found in another way than it is compared with %q", e, a, b)
			}
		}
	})
}
