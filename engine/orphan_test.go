package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

var anyDeletions = engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}}

// Somebody who has left, and whom the authoritative source does not have any more then, gets nothing back.
func TestOrphanStaysOut(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	f.ApplyText(strings.Replace(f.targetDocuments(), "identityState: INACTIVE_SHORT_TERM\n",
		"identityState: INACTIVE_SHORT_TERM\n    accessActionConfiguration: {removeAllAccessEnabled: true}\n", 1))
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.settleFully()
	const held = "muster.account_entitlements k JOIN muster.accounts a ON a.id = k.account_id WHERE a.native_identity = 'dee'"
	if n := f.CountRows(held); n != 0 {
		t.Fatalf("dee, who has left, has %d entitlements, want 0", n)
	}
	without, _, _ := strings.Cut(enginetest.People, "dee,")
	f.AggregateText("HR", without, anyDeletions)
	f.settleFully()
	if dee := f.Identity("dee"); dee.LifecycleState == nil || dee.LifecycleState.StateName != "inactive" {
		t.Errorf("the lifecycle state of dee is %+v, want inactive", dee.LifecycleState)
	}
	if n := f.CountRows(held); n != 0 {
		t.Errorf("dee, whom nobody has any more, has %d entitlements, want 0", n)
	}
}

// People whom their authoritative source does not have any more are counted, listed, and named by the doctor with what
// they hold; who comes back is not.
func TestOrphaned(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.AggregateText("Directory", enginetest.DirectoryHeader+"cys,,cy,,\nsvc,,,,\n", engine.AggregateOptions{})
	f.Process()
	orphaned := func() string {
		t.Helper()
		quick := f.names(engine.ListParams{Quick: engine.Orphaned})
		if filtered := f.names(engine.ListParams{AnyField: true, Filters: "orphaned eq true", DefaultFilter: engine.NoDefault}); filtered != quick {
			t.Errorf("the filter finds %q, and the quick filter %q", filtered, quick)
		}
		return quick
	}
	if got := orphaned(); got != "" {
		t.Errorf("orphaned before: %q", got)
	}
	without := strings.Replace(enginetest.People, "cy,Cy Self,Cy,Self,cy@example.com,Legal,cy,20,unknown\n", "", 1)
	if result := f.AggregateText("HR", without, anyDeletions); result.Orphaned != 1 || result.Removed != 1 {
		t.Errorf("got %+v, want 1 orphaned", result)
	}
	f.Process()
	if got := orphaned(); got != "Cy Self" {
		t.Errorf("orphaned: %q, want Cy Self", got)
	}
	var found []string
	for _, check := range f.doctor(engine.DoctorOptions{}).Checks {
		if check.Name == "orphaned" {
			found = check.Examples
		}
	}
	if want := []string{f.Identity("cy").ID + " has 1 accounts, 0 roles, 0 grants"}; !slices.Equal(found, want) {
		t.Errorf("the doctor finds %q, want %q", found, want)
	}
	if result := f.AggregateText("HR", without, anyDeletions); result.Orphaned != 0 {
		t.Errorf("got %+v, want nobody orphaned again", result)
	}
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	if got := orphaned(); got != "" {
		t.Errorf("orphaned after the return: %q", got)
	}
	_, err := f.ListIdentities(t.Context(), engine.ListParams{Quick: "lost"})
	demandKind(t, err, engine.Invalid, `"lost" is given where orphaned is allowed`)
}

// Where no row can be read, the aggregation fails and changes nothing, also of a scheduled one.
func TestEveryRowIsFaulty(t *testing.T) {
	t.Parallel()
	f := company(t)
	before := f.dump()
	_, err := f.Aggregate(t.Context(), "HR", strings.NewReader(strings.ReplaceAll(enginetest.People, "\n", ",\n")[len(enginetest.PeopleHeader)+1:]), anyDeletions)
	if err == nil {
		t.Error("a text without its header is read")
	}
	rows := strings.ReplaceAll(strings.TrimPrefix(enginetest.People, enginetest.PeopleHeader), "\n", ",\n")
	_, err = f.Aggregate(t.Context(), "HR", strings.NewReader(enginetest.PeopleHeader+rows), anyDeletions)
	demandKind(t, err, engine.Conflict, "none of the 5 rows can be read: nothing was changed; line 2: ")
	var faulty *engine.FaultyRowsError
	if !errors.As(err, &faulty) || faulty.Faulty != 5 || len(faulty.First) != 3 {
		t.Errorf("got %+v", faulty)
	}
	if got := f.dump(); got != before {
		t.Error("something was changed")
	}
}

// A column that is gone and had values fails the aggregation, and one that never had does not.
func TestMissingColumn(t *testing.T) {
	t.Parallel()
	f := company(t)
	var rows []string
	for i, row := range strings.Split(strings.TrimSpace(enginetest.People), "\n") {
		row = strings.Replace(row, `"Ünal, Ayşe"`, "Ayşe", 1)
		fields := strings.Split(row, ",")
		if i == 0 && fields[5] != "dept" {
			t.Fatal("the test drops the wrong column")
		}
		rows = append(rows, strings.Join(slices.Delete(fields, 5, 6), ","))
	}
	text := strings.Join(rows, "\n")
	for _, delta := range []bool{false, true} {
		_, err := f.Aggregate(t.Context(), "HR", strings.NewReader(text), engine.AggregateOptions{Delta: delta})
		demandKind(t, err, engine.Conflict, `the data has no column "dept", of which accounts have a value: 5: nothing was changed; `+
			`where that is right, take the attribute out of the account schema, or accept that it is missing (--accept-missing dept)`)
	}
	_, err := f.Aggregate(t.Context(), "HR", strings.NewReader(text), engine.AggregateOptions{AcceptMissing: []string{"department"}})
	demandKind(t, err, engine.Invalid, `AcceptMissing: the account schema has no attribute "department"`)
	if result := f.AggregateText("HR", text, engine.AggregateOptions{AcceptMissing: []string{"dept"}}); result.Changed != 5 {
		t.Errorf("got %+v, want 5 changed", result)
	}
	if result := f.AggregateText("HR", text, engine.AggregateOptions{}); result.Unchanged != 5 {
		t.Errorf("got %+v, want nothing to be missed any more", result)
	}
	// A source without a schema has the attributes that its accounts have.
	f.ApplyText("sources: [{name: Loose, connector: x}]")
	f.AggregateText("Loose", "k,v\n1,a\n2,\n", engine.AggregateOptions{})
	_, err = f.Aggregate(t.Context(), "Loose", strings.NewReader("k\n1\n2\n"), engine.AggregateOptions{})
	demandKind(t, err, engine.Conflict, `the data has no column "v", of which accounts have a value: 1`)
}

// A column that is gone from the file of a connector fails the aggregation, however few accounts have values of it, and
// so does one that is written otherwise.
func TestMissingColumnOfConnector(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	aggregate := func(options engine.AggregateOptions) error {
		_, err := l.AggregateSource(t.Context(), "Library", options)
		return err
	}
	const row = "k1,ida,Berg,71"
	l.put("library.csv", libraryHeader+row+",maps\n")
	l.aggregate("Library")
	for name, text := range map[string]string{
		"gone":    strings.Replace(libraryHeader, ",shelves", "", 1) + row + "\n",
		"renamed": strings.Replace(libraryHeader, "shelves", "Shelves", 1) + row + ",maps\n",
	} {
		l.put("library.csv", text)
		for _, delta := range []bool{false, true} {
			err := aggregate(engine.AggregateOptions{Delta: delta})
			if err == nil || !strings.Contains(err.Error(), `the data has no column "shelves", of which accounts have a value: 1`) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
	if err := aggregate(engine.AggregateOptions{AcceptMissing: []string{"shelves"}}); err != nil {
		t.Error(err)
	}
	l.put("library.csv", libraryHeader+row+",maps\n")
	l.aggregate("Library")
}

// An attribute that no account has any more fails the aggregation by a connector where ten accounts had it.
func TestAttributeThatNobodyHas(t *testing.T) {
	t.Parallel()
	for _, n := range []int{9, 10} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			f := newTarget(t, "")
			var with, without strings.Builder
			for i := range n {
				fmt.Fprintf(&with, "u%d,U,u@example.com,,active,crm\n", i)
				fmt.Fprintf(&without, "u%d,U,u@example.com,,active,\n", i)
			}
			f.write(targetHeader + with.String())
			if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
				t.Fatal(err)
			}
			f.write(targetHeader + without.String())
			_, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{})
			if n < 10 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			demandKind(t, err, engine.Conflict, `no account in the data has a value of "groups", of which accounts have a value: 10`)
			if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{AcceptMissing: []string{"groups"}}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Of a small source one account may vanish, but not the only one, nor where none may.
func TestSmallSource(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText("sources: [{name: S, connector: x}]")
	rows := func(n int) string {
		text := "k,v\n"
		for i := range n {
			text += fmt.Sprintf("%d,x\n", i)
		}
		return text
	}
	f.AggregateText("S", rows(9), engine.AggregateOptions{})
	refused := func(n int, options engine.AggregateOptions) {
		t.Helper()
		_, err := f.Aggregate(t.Context(), "S", strings.NewReader(rows(n)), options)
		var limit *engine.DeletionLimitError
		if !errors.As(err, &limit) {
			t.Errorf("%d rows: got %v, want a refusal", n, err)
		}
	}
	refused(7, engine.AggregateOptions{})
	refused(8, engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{IsPercent: true}})
	for n := 8; n > 0; n-- {
		if result := f.AggregateText("S", rows(n), engine.AggregateOptions{}); result.Removed != 1 {
			t.Errorf("%d rows: got %+v, want 1 removed", n, result)
		}
	}
	refused(0, engine.AggregateOptions{})
}

// Native identities whose letter case changed are other people, and that is noted.
func TestRespelledNatives(t *testing.T) {
	t.Parallel()
	f := company(t)
	result := f.AggregateText("HR", strings.Replace(enginetest.People, "bob,Bob Twain", "BOB,Bob Twain", 1), anyDeletions)
	want := "1 new accounts differ from removed ones in the letter case of the native identity alone, the first in line 4: " +
		"they count as other people, unless a correlation finds these"
	if result.Removed != 1 || result.Identities != 1 || !slices.Contains(result.Notes, want) {
		t.Errorf("got %+v, want the note %q", result, want)
	}
	// Both have the alias now, ignoring case.
	f.Process()
	f.execute(`UPDATE muster.identities SET modified = modified`)
	if got := f.text(`SELECT string_agg(DISTINCT text, '; ') FROM muster.task_messages WHERE type = 'WARN'`); !strings.Contains(got,
		"another identity has the same uid, ignoring letter case") {
		t.Errorf("the warnings are %q", got)
	}
}

// twinConfig correlates the accounts of HR with each other by their e-mail address.
const twinConfig = `
sources:
  - name: HR
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        displayAttribute: name
        attributes: [{name: id}, {name: name}, {name: first}, {name: last}, {name: mail}, {name: dept}, {name: mgr},
                     {name: age, type: INT}, {name: state}]
    accountCorrelationConfig:
      attributeAssignments: [{property: email, value: mail, operation: EQ}]
`

// Two rows for one person in one file are one identity, as in two files, whatever letter case and order they have.
func TestTwoRowsForOnePerson(t *testing.T) {
	t.Parallel()
	rows := []string{"a1,Ann One,Ann,One,ann@example.com,,,,", "a2,Ann Two,Ann,Two,ANN@example.com,,,,", "b1,Bo,Bo,Bo,bo@example.com,,,,",
		"a3,Ann Three,Ann,Three,ann@EXAMPLE.com,,,,", "c1,Cy,Cy,Cy,,,,,", "c2,Cyd,Cyd,Cyd,,,,,"}
	for name, files := range map[string][][]string{"one": {rows}, "each": {rows[:1], rows[1:2], rows[2:3], rows[3:4], rows[4:]}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.ApplyText(enginetest.Documents)
			f.ApplyText(twinConfig)
			waiting := 0
			for _, file := range files {
				waiting += f.AggregateText("HR", enginetest.PeopleHeader+strings.Join(file, "\n")+"\n", engine.AggregateOptions{Delta: true}).Waiting
				f.Process()
			}
			if want := map[string]int{"one": 2, "each": 0}[name]; waiting != want {
				t.Errorf("%d accounts waited, want %d", waiting, want)
			}
			if got, want := f.text(`SELECT string_agg(natives, ' ' ORDER BY natives) FROM (
				SELECT string_agg(native_identity, '+' ORDER BY native_identity) AS natives FROM muster.accounts
				WHERE identity_id IS NOT NULL GROUP BY identity_id) x`), "a1+a2+a3 b1 c1 c2"; got != want {
				t.Errorf("the accounts of the identities are %q, want %q", got, want)
			}
		})
	}
}

// Rows that share a value which is not their identity's become identities of their own at the next aggregation.
func TestRowsThatOnlySeemToBeOnePersons(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.ApplyText(strings.Replace(twinConfig, "value: mail", "value: dept", 1))
	text := enginetest.PeopleHeader + "a,A,A,A,a@example.com,x@example.com,,,\nb,B,B,B,b@example.com,x@example.com,,,\n"
	result := f.AggregateText("HR", text, engine.AggregateOptions{})
	f.Process()
	if result.Waiting != 1 || f.CountRows("muster.identities") != 1 {
		t.Errorf("got %+v, want one to wait", result)
	}
	result = f.AggregateText("HR", text, engine.AggregateOptions{})
	f.Process()
	if result.Identities != 1 || f.CountRows("muster.accounts WHERE identity_id IS NULL") != 0 {
		t.Errorf("got %+v, want the other identity", result)
	}
}

// Accounts that are there when their source becomes authoritative are one identity where they are one person's.
func TestTwoAccountsBeforeTheProfile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	parts := strings.SplitN(enginetest.Documents, "identityProfiles:", 2)
	f.ApplyText(parts[0])
	f.ApplyText(twinConfig)
	f.AggregateText("HR", enginetest.PeopleHeader+"a1,A,A,A,a@example.com,,,,\na2,B,B,B,a@example.com,,,,\n", engine.AggregateOptions{})
	f.ApplyText("identityProfiles:" + parts[1])
	f.Process()
	if got := f.CountRows("muster.identities"); got != 1 {
		t.Errorf("%d identities, want 1", got)
	}
	if got := f.CountRows("muster.accounts WHERE identity_id IS NULL"); got != 0 {
		t.Errorf("%d accounts are nobody's, want none", got)
	}
}

// An account that two identities fit is correlated when one of them changes, without another aggregation.
func TestAmbiguityThatEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	people := enginetest.PeopleHeader + "ann,Ann,Ann,Boss,same@example.com,,,,\nbob,Bob,Bob,Twain,%s@example.com,,,,\n"
	f.AggregateText("HR", fmt.Sprintf(people, "same"), engine.AggregateOptions{})
	f.Process()
	if result := f.AggregateText("Directory", enginetest.DirectoryHeader+"x,same@example.com,,,\n", engine.AggregateOptions{}); result.Ambiguous != 1 {
		t.Errorf("got %+v, want Ambiguous 1", result)
	}
	f.AggregateText("HR", fmt.Sprintf(people, "bob"), engine.AggregateOptions{})
	if processed := f.Process(); processed.Correlated != 1 {
		t.Errorf("got %+v, want Correlated 1", processed)
	}
	if login := f.Identity("ann").Attributes.Get("login").Text(); login != "x" {
		t.Errorf("the login is %q, want x", login)
	}
}
