package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
)

// The library is a target whose accounts have a stable identity and find their identities by a card number.
const libraryConfig = `
sources:
  - name: Staff
    connector: files
    connectorAttributes: {folder: %[1]q, file: staff.csv}
    schemas: [{name: account, identityAttribute: card, displayAttribute: last, attributes: [{name: card}, {name: login}, {name: last}, {name: team}]}]
  - name: Library
    connector: files
    connectorAttributes:
      folder: %[1]q
      file: library.csv
      stableIdentityColumn: key
    deleteThreshold: 100
    schemas: [{name: account, identityAttribute: login, displayAttribute: name,
      attributes: [{name: login}, {name: name}, {name: card}, {name: shelves, isMulti: true, isEntitlement: true}]}]
    accountCorrelationConfig: {attributeAssignments: [{property: identificationNumber, value: card, operation: EQ}]}
    attributeSyncConfig: {attributes: [{name: lastname, enabled: true, target: name}]}
    provisioningPolicies:
      - usageType: CREATE
        fields:
          - {name: login, isRequired: true, transform: {type: identityAttribute, attributes: {name: uid}}}
          - {name: name, transform: {type: identityAttribute, attributes: {name: lastname}}}
          - {name: card, transform: {type: identityAttribute, attributes: {name: identificationNumber}}}
identityProfiles:
  - name: Staff
    authoritativeSource: {type: SOURCE, name: Staff}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: login}}}
        - {identityAttributeName: identificationNumber, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: card}}}
        - {identityAttributeName: lastname, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: last}}}
        - {identityAttributeName: department, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: team}}}
roles:
  - name: Readers
    enabled: true
    entitlements: [{source: {name: Library}, attribute: shelves, value: maps}]
    membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: Survey}}
`

type library struct {
	*fixture
	folder string
}

const (
	readersHeader = "card,login,last,team\n"
	libraryHeader = "key,login,name,card,shelves\n"
)

func newLibrary(t *testing.T) *library {
	t.Helper()
	l := &library{folder: t.TempDir()}
	l.fixture = newFixtureWith(t, engine.Config{BatchSize: 4, Workers: 2, Guard: engine.Guard{Off: true},
		Connectors: map[string]connector.Factory{"files": delimited.New}})
	l.put("staff.csv", readersHeader)
	l.put("library.csv", libraryHeader)
	l.ApplyText(fmt.Sprintf(libraryConfig, l.folder))
	return l
}

func (l *library) put(file, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.folder, file), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *library) demandLibrary(want string) {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.folder, "library.csv"))
	if err != nil {
		l.t.Fatal(err)
	}
	if got := strings.TrimPrefix(string(text), libraryHeader); got != want {
		l.t.Errorf("the library has\n%swant\n%s", got, want)
	}
}

func (l *library) aggregate(source string) engine.AggregateResult {
	l.t.Helper()
	result, err := l.AggregateSource(l.t.Context(), source, engine.AggregateOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return result
}

func (l *library) provision() engine.ProvisionResult {
	l.t.Helper()
	result, err := l.ProvisionPending(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return result
}

func (l *library) rest() {
	l.t.Helper()
	for range 10 {
		done := l.provision().Done
		if l.Process().Identities == 0 && done == 0 {
			return
		}
	}
	l.t.Fatal("it does not come to rest")
}

// listed returns the operations as "STATE KIND native: what came of it".
func (l *library) listed() []string {
	l.t.Helper()
	list, err := l.Operations(l.t.Context(), engine.OperationQuery{})
	if err != nil {
		l.t.Fatal(err)
	}
	var texts []string
	for i := len(list) - 1; i >= 0; i-- {
		o := &list[i]
		said := o.Error + o.Outcome
		if o.Parking != nil {
			said = o.Parking.Cause
		}
		texts = append(texts, strings.TrimSpace(o.State+" "+o.Kind+" "+o.NativeIdentity)+": "+said)
	}
	return texts
}

func (l *library) demandListed(want ...string) {
	l.t.Helper()
	got := l.listed()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		l.t.Errorf("the operations are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// An operation that was planned for a name reaches the account that has the stable identity, and not the one that got
// its name.
func TestOperationReachesRenamedAccount(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	l.put("staff.csv", readersHeader+"71,ida,Berg,Office\n")
	l.put("library.csv", libraryHeader+"k1,ida,Old,71,\n")
	l.aggregate("Library")
	l.aggregate("Staff")
	l.Process()
	l.Process()
	// At the source she becomes ida2, and somebody else gets her login, before the new name is written.
	l.put("library.csv", libraryHeader+"k1,ida2,Old,71,\nk9,ida,Other,99,\n")
	l.provision()
	l.demandLibrary("k1,ida2,Berg,71,\nk9,ida,Other,99,\n")
	l.demandListed("DONE SET_ATTRIBUTES ida2: ")
}

// Accounts that get each other's names in a chain all get them, in whatever order the operations are. Those that
// exchange their names cannot, and say so.
func TestNamesInAChain(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for name, test := range map[string]struct {
		after, want []string
		failed      string
	}{
		"upwards":   {[]string{"b", "c", "d", "e"}, []string{"b", "c", "d", "e"}, ""},
		"downwards": {[]string{"z", "a", "b", "c"}, []string{"z", "a", "b", "c"}, ""},
		"exchanged": {[]string{"b", "a", "d", "e"}, []string{"a", "b", "d", "e"}, "SET_ATTRIBUTES a, SET_ATTRIBUTES b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t)
			l.ApplyText(strings.Replace(fmt.Sprintf(libraryConfig, l.folder), "attributes: [{name: lastname,",
				"attributes: [{name: uid, enabled: true, target: login}, {name: lastname,", 1))
			staff := func(names []string) {
				text := readersHeader
				for i, name := range names {
					text += fmt.Sprintf("%d,%s,Berg,Office\n", i+1, name)
				}
				l.put("staff.csv", text)
				l.aggregate("Staff")
				l.rest()
			}
			var before, want string
			for i, name := range []string{"a", "b", "c", "d"} {
				before += fmt.Sprintf("k%d,%s,Berg,%d,\n", i+1, name, i+1)
				want += fmt.Sprintf("k%d,%s,Berg,%d,\n", i+1, test.want[i], i+1)
			}
			l.put("library.csv", libraryHeader+before)
			l.aggregate("Library")
			staff([]string{"a", "b", "c", "d"})
			l.demandLibrary(before)
			staff(test.after)
			l.demandLibrary(want)
			list, err := l.Operations(t.Context(), engine.OperationQuery{States: []string{"FAILED"}})
			if err != nil {
				t.Fatal(err)
			}
			var failed []string
			for i := range list {
				failed = append(failed, list[i].Kind+" "+list[i].NativeIdentity)
				if list[i].Error != connector.ErrExists.Error() {
					t.Errorf("the error is %q", list[i].Error)
				}
			}
			slices.Sort(failed)
			if got := strings.Join(failed, ", "); got != test.failed {
				t.Errorf("given up are %q, want %q", got, test.failed)
			}
		})
	}
}

// Operations whose account is gone, or another identity's, are not carried out, and say why.
func TestOperationWithoutItsAccount(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statement, outcome string
	}{
		"gone":  {"DELETE FROM muster.accounts WHERE native_identity = 'ida'", "the account is gone"},
		"moved": {"UPDATE muster.accounts SET identity_id = NULL WHERE native_identity = 'ida'", "the account is not the identity's any more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t)
			l.put("staff.csv", readersHeader+"71,ida,Berg,Office\n")
			l.put("library.csv", libraryHeader+"k1,ida,Old,71,\n")
			l.aggregate("Library")
			l.aggregate("Staff")
			l.Process()
			l.Process()
			if _, err := l.Pool.Exec(t.Context(), test.statement); err != nil {
				t.Fatal(err)
			}
			l.provision()
			l.demandLibrary("k1,ida,Old,71,\n")
			l.demandListed("CANCELLED SET_ATTRIBUTES ida: " + test.outcome)
			if n := l.CountRows("muster.refresh_requests"); n != 1 {
				t.Errorf("%d processings are requested, want 1", n)
			}
		})
	}
}

// No account is created on a source that was never read completely: the operation waits, says so everywhere, and goes
// on by itself.
func TestCreationWaitsForFirstAggregation(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	l.put("staff.csv", readersHeader+"71,ida,Berg,Survey\n72,jon,Dahl,Survey\n")
	l.put("library.csv", libraryHeader+"k1,old.ida,Berg,71,\n")
	l.aggregate("Staff")
	const why = `waits for the first complete aggregation of the source "Library"`
	shown := 0
	if _, err := l.Preview(t.Context(), engine.PreviewParams{}, func(c *engine.PreviewChange) error {
		for _, o := range c.Operations {
			if o.Waits == why {
				shown++
			}
		}
		return nil
	}); err != nil || shown != 2 {
		t.Errorf("the preview shows %d operations that wait, and the error %v, want 2", shown, err)
	}
	l.rest()
	l.demandListed("PARKED CREATE: "+why, "PARKED CREATE: "+why)
	l.demandLibrary("k1,old.ida,Berg,71,\n")
	ida := l.Identity("ida").ID
	explained, err := l.Explain(t.Context(), engine.ExplainParams{Identity: ida})
	if err != nil || len(explained.Operations) != 1 || explained.Operations[0].Waits != why {
		t.Errorf("explained is %+v, %v, want the operation that waits", explained.Operations, err)
	}
	list, err := l.Operations(t.Context(), engine.OperationQuery{Identity: ida})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.ReleaseOperation(t.Context(), list[0].ID); engine.KindOf(err) != engine.Conflict || !strings.Contains(err.Error(), why) {
		t.Errorf("a release by hand: %v, want a conflict that says for what it waits", err)
	}
	if got := l.eventTypes(ida); !strings.Contains(got, engine.EventOperationParked) {
		t.Errorf("the history has %s, want that it was held back", got)
	}
	l.aggregate("Library")
	l.rest()
	l.demandLibrary("k1,old.ida,Berg,71,maps\n,jon,Dahl,72,maps\n")
	if got := l.eventTypes(l.Identity("jon").ID); !strings.Contains(got, engine.EventOperationReleased) {
		t.Errorf("the history has %s, want that it was released", got)
	}
	if n := l.CountRows("muster.provisioning_operations WHERE state = 'PARKED'"); n != 0 {
		t.Errorf("%d operations still wait", n)
	}
}

func (l *library) eventTypes(identity string) string {
	l.t.Helper()
	events, err := l.History(l.t.Context(), identity, "", 100)
	if err != nil {
		l.t.Fatal(err)
	}
	var types []string
	for i := range events {
		types = append(types, events[i].Types...)
	}
	return strings.Join(types, " ")
}

// A creation looks at the source once more, and links what it finds: no second account.
func TestCreationLinksWhatIsThere(t *testing.T) {
	t.Parallel()
	l := newLibrary(t)
	l.aggregate("Library")
	l.put("staff.csv", readersHeader+"71,ida,Berg,Survey\n72,jon,Dahl,Survey\n73,kim,Eng,Survey\n")
	// Nobody has read these: hers under another login, and one with his login that is somebody else's.
	l.put("library.csv", libraryHeader+"k1,old.ida,Berg,71,\nk2,jon,Jonsson,90,\n")
	l.aggregate("Staff")
	l.Process()
	l.provision()
	l.demandListed("DONE CREATE old.ida: linked to the account that was there already",
		"FAILED CREATE: the source has an account with this native identity already, and its correlation does not find "+
			"the identity: correlate it by hand, or give the new account another name", "DONE CREATE kim: ")
	l.rest()
	text, err := os.ReadFile(filepath.Join(l.folder, "library.csv"))
	if err != nil || strings.Count(string(text), ",71,") != 1 || !strings.Contains(string(text), "k2,jon,Jonsson,90,\n") ||
		!strings.Contains(string(text), "k1,old.ida,Berg,71,maps\n") {
		t.Errorf("the library has %s, %v, want one account for ida, and that of the other left alone", text, err)
	}
	events, err := l.History(t.Context(), l.Identity("ida").ID, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	linked := false
	for i := range events {
		for _, p := range events[i].Detail.Provisioned {
			linked = linked || p.Linked
		}
	}
	if !linked {
		t.Error("the history does not say that the account was linked")
	}
}

// Workers carry creations out while the correlation of accounts that are there is still to come: nobody gets two.
func TestNoSecondAccountByLateCorrelation(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	l := newLibrary(t)
	var staff, accounts strings.Builder
	const people = 30
	for i := range people {
		fmt.Fprintf(&staff, "%d,p%d,Name%d,Survey\n", 100+i, i, i)
		fmt.Fprintf(&accounts, "k%d,old%d,Name%d,%d,\n", i, i, i, 100+i)
	}
	l.put("staff.csv", readersHeader+staff.String())
	l.put("library.csv", libraryHeader+accounts.String())
	l.aggregate("Library")
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() { l.aggregate("Staff") })
	group.Go(func() {
		for range 3 {
			if _, err := l.ProvisionPending(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	deadline := time.Now().Add(2 * time.Minute)
	for l.CountRows("muster.access_grants") < people || l.CountRows("muster.provisioning_operations WHERE state = 'OPEN'") > 0 ||
		l.CountRows("muster.tasks WHERE completed IS NULL") > 0 {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to rest")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.demandLibrary(strings.ReplaceAll(accounts.String(), ",\n", ",maps\n"))
	if n := l.CountRows("muster.accounts WHERE source_id = (SELECT id FROM muster.sources WHERE name = 'Library')"); n != people {
		t.Errorf("%d accounts are known, want %d", n, people)
	}
}

// What is held back by a person, and released, is history.
func TestParkingIsHistory(t *testing.T) {
	t.Parallel()
	f, o := untried(t)
	f.park(o)
	if err := f.ReleaseOperation(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
	events, err := f.History(t.Context(), o.Identity.ID, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	parked, released := 0, 0
	for i := range events {
		for _, p := range events[i].Detail.Parked {
			if p.ID == o.ID && p.Cause == "the audit goes first" && p.Source.Name == "Files" {
				parked++
			}
		}
		released += len(events[i].Detail.Released)
	}
	if parked != 1 || released != 1 {
		t.Errorf("%d parkings and %d releases are in the history, want one of each", parked, released)
	}
}
