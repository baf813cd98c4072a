package engine_test

import (
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// TestExplainCorrelation asks why accounts of the Directory are whose they are: by which values they look, whom these
// find, and who may have those that find nobody.
func TestExplainCorrelation(t *testing.T) {
	t.Parallel()
	f := company(t)
	// dee2 has the mail of two people, since a second Dee comes to the company.
	f.AggregateText("HR", enginetest.PeopleHeader+"dee2,Dee Two,Dee,Two,dee@example.com,Sales,ayse,25,active\n",
		engine.AggregateOptions{Delta: true})
	f.Process()
	f.AggregateText("Directory", enginetest.DirectoryHeader+
		"bobt,bob@example.com,nobody,g,true\n"+ // by the second of its values
		"annb,bob@example.com,ANN,g,true\n"+ // the first counts
		"twins,dee@example.com,,g,true\n"+
		"cy,,,g,true\n"+
		"stray,else@example.com,other,ayse@example.com,true\n", engine.AggregateOptions{})
	f.Process()
	id := func(native string) string {
		return f.text(`SELECT a.id::text FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id
			WHERE a.native_identity = $1 AND s.name = 'Directory'`, native)
	}
	explain := func(native string) engine.CorrelationExplanation {
		t.Helper()
		x, err := f.ExplainCorrelation(t.Context(), id(native))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	show := func(x *engine.CorrelationExplanation) string {
		var lines []string
		for i := range x.Values {
			v := &x.Values[i]
			line := v.AccountAttribute + "=" + v.IdentityAttribute + " " + v.Value + " ->"
			for _, identity := range v.Identities {
				line += " " + identity.Name
			}
			if v.Decides {
				line += " !"
			}
			lines = append(lines, line)
		}
		for i := range x.Candidates {
			line := "?" + x.Candidates[i].Alias
			for _, m := range x.Candidates[i].Because {
				line += " " + m.AccountAttribute + "=" + m.IdentityAttribute
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "\n")
	}
	for _, test := range []struct{ native, reason, want string }{
		{"bobt", "its mail as email finds this identity alone",
			"emp=identificationNumber nobody ->\nmail=email bob@example.com -> Bob Twain !"},
		{"annb", "its emp as identificationNumber finds this identity alone",
			"emp=identificationNumber ANN -> Ann Boss !\nmail=email bob@example.com -> Bob Twain"},
		{"twins", "its mail as email finds several identities, and must find one: the values after it do not count",
			"mail=email dee@example.com -> Dee Strauß Dee Two !\nemp=identificationNumber  ->\n?dee mail=email\n?dee2 mail=email"},
		{"cy", "the account has no value in emp, mail, by which the source's accounts find identities",
			"emp=identificationNumber  ->\nmail=email  ->\n?cy sam=identificationNumber sam=uid"},
		{"stray", "no identity has one of its values",
			"emp=identificationNumber other ->\nmail=email else@example.com ->\n?ayse groups=email"},
	} {
		x := explain(test.native)
		if x.Reason != test.reason {
			t.Errorf("%s: %q, want %q", test.native, x.Reason, test.reason)
		}
		if got := show(&x); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.native, got, test.want)
		}
	}
	// By hand: the values say otherwise, and do not count.
	if err := f.CorrelateAccount(t.Context(), id("annb"), f.ID("bob")); err != nil {
		t.Fatal(err)
	}
	f.Process()
	if x := explain("annb"); !strings.HasPrefix(x.Reason, "it was given to the identity by hand") ||
		len(x.Candidates) != 0 || x.Account.Identity.Name != "Bob Twain" {
		t.Errorf("by hand: %q, %+v", x.Reason, x.Candidates)
	}
	// An account of an authoritative source finds the identity that was made from it.
	hr := f.text(`SELECT a.id::text FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id
		WHERE a.native_identity = 'ann' AND s.name = 'HR'`)
	x, err := f.ExplainCorrelation(t.Context(), hr)
	if err != nil || x.Reason != "the trace of its own origin finds this identity alone" {
		t.Errorf("of HR: %q, %v", x.Reason, err)
	}
	for _, unknown := range []string{"", "nobody", f.ID("bob")} {
		_, err := f.ExplainCorrelation(t.Context(), unknown)
		demandKind(t, err, engine.NotFound, "no account")
	}
}

// A value that a crowd has tells nobody apart: it finds no candidate, and its list is cut.
func TestExplainCorrelationOfACrowd(t *testing.T) {
	t.Parallel()
	f := company(t)
	rows := enginetest.PeopleHeader
	for i := range engine.CandidatesMax + 3 {
		rows += strings.ReplaceAll("p#,Person #,P,#,crowd@example.com,Sales,ann,1,active\n", "#", string(rune('a'+i)))
	}
	f.AggregateText("HR", rows, engine.AggregateOptions{Delta: true})
	f.Process()
	f.AggregateText("Directory", enginetest.DirectoryHeader+"crowd,crowd@example.com,,g,true\n",
		engine.AggregateOptions{})
	account := f.text(`SELECT id::text FROM muster.accounts WHERE native_identity = 'crowd'`)
	x, err := f.ExplainCorrelation(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	if v := x.Values[0]; len(v.Identities) != engine.CandidatesMax || !v.More || !v.Decides {
		t.Errorf("the value finds %d, more: %v", len(v.Identities), v.More)
	}
	if len(x.Candidates) != 0 {
		t.Errorf("the candidates are %+v", x.Candidates)
	}
}
