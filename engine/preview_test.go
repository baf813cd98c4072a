package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

func (f *fixture) documents(text string) []engine.Document {
	f.t.Helper()
	documents, err := engine.ReadDocuments("proposed.yaml", strings.NewReader(text))
	if err != nil {
		f.t.Fatal(err)
	}
	return documents
}

// preview returns the changes as lines, without the IDs, and the totals.
func (f *fixture) preview(params engine.PreviewParams) (string, engine.PreviewTotals) {
	f.t.Helper()
	var lines []string
	totals, err := f.Preview(f.t.Context(), params, func(c *engine.PreviewChange) error {
		line := c.Alias + ":"
		for _, a := range c.Attributes {
			line += fmt.Sprintf(" %s %s>%s", a.Name, a.From.Text(), a.To.Text())
		}
		if c.LifecycleState != nil {
			line += fmt.Sprintf(" state %s>%s", c.LifecycleState.From, c.LifecycleState.To)
		}
		if c.Manager != nil {
			line += " manager"
		}
		for _, role := range c.RolesGained {
			line += " +" + role.Name
		}
		for _, role := range c.RolesLost {
			line += " -" + role.Name
		}
		if c.Error != "" {
			line += " error"
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), totals
}

// What a preview shows is what applying and processing then does, and the preview itself writes nothing.
func TestPreviewIsWhatProcessingDoes(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText(fmt.Sprintf(salesRole, true, "Sales"))
	f.Process()
	proposed := strings.NewReplacer(
		"attributeName: dept", "attributeName: last", // another value of department
		"attributeName: state}", "attributeName: state, accountPropertyFilter: 'id == \"nobody\"'}", // no lifecycle state
		"identityAttributeName: identificationNumber}", "identityAttributeName: department}", // other managers
	).Replace(enginetest.Documents) + fmt.Sprintf(salesRole, true, "Boss")
	before := f.dump()
	changes, totals := f.preview(engine.PreviewParams{Documents: f.documents(proposed)})
	if diff := cmp.Diff(before, f.dump()); diff != "" {
		t.Fatal("the preview wrote: ", diff)
	}
	want := strings.Join([]string{
		"ann: department Board>Boss +Sales",
		"ayse: cloudLifecycleState active> department Sales>Ünal state active> manager -Sales",
		"bob: cloudLifecycleState leave> department Sales>Twain state leave> manager",
		"cy: cloudLifecycleState unknown> department Legal>Self",
		"dee: cloudLifecycleState inactive> department Sales>Strauß state inactive> manager -Sales",
	}, "\n")
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Error(diff)
	}
	if totals.Identities != 5 || totals.Changed != 5 || totals.Managers != 3 || totals.Held != "" ||
		!slices.Equal(totals.Attributes, []engine.AttributeTotal{{Name: "department", Changed: 5}, {Name: "cloudLifecycleState", Cleared: 4}}) ||
		!slices.Equal(totals.Roles, []engine.RoleTotal{{Name: "Sales", Gained: 1, Lost: 2}}) ||
		!slices.Equal(totals.Lifecycle, []engine.StateTotal{{"active", "", 1}, {"inactive", "", 1}, {"leave", "", 1}}) {
		t.Errorf("got %+v, want totals.Identities == 5 && totals.Changed == 5 && totals.Managers == 3 && totals.Held == \"\" && slices.Equal(totals.Attributes, []engine.AttributeTotal{{Name: \"department\", Changed: 5}, {Name: \"cloudLifecycleState\", Cleared: 4}}) && slices.Equal(totals.Roles, []engine.RoleTotal{{Name: \"Sales\", Gained: 1, Lost: 2}}) && slices.Equal(totals.Lifecycle, []engine.StateTotal{{\"active\", \"\", 1}, {\"inactive\", \"\", 1}, {\"leave\", \"\", 1}})", totals)
	}
	f.ApplyText(proposed)
	f.Process()
	if members := f.members("Sales"); members != "ann" {
		t.Errorf("the members are %q, want %q", members, "ann")
	}
	if again, totals := f.preview(engine.PreviewParams{}); again != "" || totals.Changed != 0 {
		t.Errorf("after processing a preview shows %s", again)
	}
}

// A traced preview tells how the new values come about under the proposed configuration.
func TestPreviewTraces(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText(fmt.Sprintf(salesRole, true, "Sales"))
	f.Process()
	proposed := strings.Replace(enginetest.Documents, "attributeName: dept", "attributeName: last", 1)
	params := engine.PreviewParams{IDs: []string{f.Identity("ayse").ID}, Documents: f.documents(proposed)}
	for _, params.Trace = range []bool{false, true} {
		shown := 0
		_, err := f.Preview(t.Context(), params, func(c *engine.PreviewChange) error {
			shown++
			if len(c.Attributes) != 1 || len(c.RolesLost) != 1 || len(c.RolesGained) != 0 {
				t.Fatalf("got %+v, want 1 Attributes, 1 RolesLost and 0 RolesGained", c)
			}
			steps, lost := c.Attributes[0].Steps, c.RolesLost[0]
			if lost.Reason != `its criterion does not hold any more: department EQUALS "Sales"` {
				t.Errorf("got %+v, want lost.Reason == `its criterion does not hold any more: department EQUALS \"Sales\"`", lost)
			}
			if (len(steps) > 0) != params.Trace || (lost.Criterion != nil) != params.Trace {
				t.Errorf("the steps are %+v, the criterion %+v", steps, lost.Criterion)
			}
			if params.Trace && (steps[0].Value.Text() != "Ünal" || lost.Criterion.Values[0] != "Ünal" || lost.Criterion.Holds) {
				t.Errorf("the steps are %+v, the criterion %+v", steps, lost.Criterion)
			}
			return nil
		})
		if err != nil || shown != 1 {
			t.Errorf("%d identities, %v", shown, err)
		}
	}
	_, err := f.Preview(t.Context(), engine.PreviewParams{Task: params.IDs[0], Filters: "id pr"}, nil)
	demandKind(t, err, engine.Invalid, "by itself")
}

// dump is what of the tenant a preview could change.
func (f *fixture) dump() string {
	f.t.Helper()
	var text string
	err := f.Pool.QueryRow(f.t.Context(), `
		SELECT concat_ws(E'\n', (SELECT string_agg(i::text, E'\n' ORDER BY id) FROM muster.identities i),
		       (SELECT string_agg(a::text, E'\n' ORDER BY id) FROM muster.role_assignments a),
		       (SELECT string_agg(c::text, E'\n') FROM muster.configuration c),
		       (SELECT string_agg(k::text, E'\n' ORDER BY key, identity_id) FROM muster.identity_keys k),
		       (SELECT count(*) FROM muster.identity_events), (SELECT count(*) FROM muster.refresh_requests),
		       (SELECT count(*) FROM muster.tasks))`).Scan(&text)
	if err != nil {
		f.t.Fatal(err)
	}
	return text
}

// Managers that are looked for by an attribute which would be calculated otherwise are found by its new value.
func TestPreviewFindsManagersByNewValues(t *testing.T) {
	t.Parallel()
	f := company(t)
	proposed := strings.Replace(enginetest.Documents,
		"identityAttributeName: identificationNumber, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}",
		"identityAttributeName: identificationNumber, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: age}", 1)
	if proposed == enginetest.Documents {
		t.Fatal("the mapping is not there")
	}
	changes, totals := f.preview(engine.PreviewParams{Documents: f.documents(proposed)})
	if totals.Managers != 3 || !strings.Contains(changes, "identificationNumber ann>60") {
		t.Errorf("%d managers: %s", totals.Managers, changes)
	}
	f.ApplyText(proposed)
	f.Process()
	if n := f.CountRows(`muster.identities WHERE manager_id IS NOT NULL`); n != 0 {
		t.Errorf("%d have a manager, want 0", n)
	}
}

func TestPreviewSelects(t *testing.T) {
	t.Parallel()
	f := company(t)
	role := f.documents(fmt.Sprintf(salesRole, true, "Sales"))
	changes, totals := f.preview(engine.PreviewParams{Documents: role, Filters: `personalEmail isnull and department eq "sales" and name sw "d"`})
	if changes != "dee: +Sales" || totals.Identities != 1 {
		t.Errorf("got %s %+v, want changes == \"dee: +Sales\" && totals.Identities == 1", changes, totals)
	}
	changes, totals = f.preview(engine.PreviewParams{Documents: role, IDs: []string{f.Identity("ayse").ID, f.Identity("ann").ID}})
	if changes != "ayse: +Sales" || totals.Identities != 2 {
		t.Errorf("got %s %+v, want changes == \"ayse: +Sales\" && totals.Identities == 2", changes, totals)
	}
	_, err := f.Preview(t.Context(), engine.PreviewParams{IDs: []string{strings.Repeat("0a", 16)}}, nil)
	demandKind(t, err, engine.NotFound, "")
	_, err = f.Preview(t.Context(), engine.PreviewParams{Documents: f.documents("roles: [{name: R, membership: {type: X}}]")}, nil)
	demandKind(t, err, engine.Invalid, `"X" is unknown`)
	stop := fmt.Errorf("enough")
	_, err = f.Preview(t.Context(), engine.PreviewParams{Documents: role}, func(*engine.PreviewChange) error { return stop })
	if err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("the error is %v", err)
	}
}

// What a task that is held would go on to do can be seen before it is confirmed.
func TestPreviewOfAHeldTask(t *testing.T) {
	t.Parallel()
	f := many(t, 150, engine.Config{BatchSize: 10, Workers: 1})
	f.ApplyText(fmt.Sprintf(salesRole, true, "Sails"))
	_, totals := f.preview(engine.PreviewParams{})
	if !strings.Contains(totals.Held, "would lose a role") {
		t.Errorf("got %+v, want Held containing would lose a role", totals)
	}
	held := f.Process().Held
	if len(held) != 1 {
		t.Fatalf("%d tasks are held", len(held))
	}
	totals, err := f.Preview(t.Context(), engine.PreviewParams{Task: held[0]}, func(*engine.PreviewChange) error { return nil })
	if err != nil || len(totals.Roles) != 1 || totals.Roles[0].Lost+f.number(`SELECT roles_lost::int FROM muster.tasks ORDER BY created DESC LIMIT 1`) != 152 {
		t.Errorf("got %+v, %v, want err == nil && len(totals.Roles) == 1 && totals.Roles[0].Lost + f.number(`SELECT roles_lost::int FROM muster.tasks ORDER BY created DESC LIMIT 1`) == 152", totals, err)
	}
	if _, err := f.CancelTask(t.Context(), held[0]); err != nil {
		t.Fatal(err)
	}
	all, err := f.ProcessAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	totals, err = f.Preview(t.Context(), engine.PreviewParams{Task: all.ID}, func(*engine.PreviewChange) error { return nil })
	if err != nil || totals.Identities != 155 {
		t.Errorf("got %+v and the error %v, want Identities 155", totals, err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText(fmt.Sprintf(salesRole, true, "Sales"))
	f.Process()
	x, err := f.Explain(t.Context(), engine.ExplainParams{Identity: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if x.Profile.Name != "Employees" || x.Profile.Account != "bob" || x.Lifecycle.IdentityState != "INACTIVE_LONG_TERM" ||
		x.Manager.Name != "Ünal, Ayşe" || !strings.Contains(x.Manager.Reason, `mgr is "ayse"`) || len(x.Missing) != 0 {
		t.Errorf("got %+v %+v %+v, want x.Profile.Name == \"Employees\" && x.Profile.Account == \"bob\" && x.Lifecycle.IdentityState == \"INACTIVE_LONG_TERM\" && x.Manager.Name == \"Ünal, Ayşe\" && strings.Contains(x.Manager.Reason, `mgr is \"ayse\"`) && len(x.Missing) == 0", x.Profile, x.Lifecycle, x.Manager)
	}
	if len(x.Roles) != 1 || x.Roles[0].Assigned || !x.Roles[0].Member || x.Roles[0].Criterion.Render() != `yes  department EQUALS "Sales"   is "Sales"`+"\n" {
		t.Errorf("got %+v, want len(x.Roles) == 1 && !x.Roles[0].Assigned && x.Roles[0].Member && x.Roles[0].Criterion.Render() == `yes department EQUALS \"Sales\" is \"Sales\"` + \"\\n\"", x.Roles)
	}
	if _, err := json.Marshal(x); err != nil {
		t.Fatal(err)
	}
	x, err = f.Explain(t.Context(), engine.ExplainParams{Identity: "dee", Attribute: "department"})
	if err != nil || len(x.Attributes) != 1 || x.Roles != nil {
		t.Fatalf("got %+v and the error %v, want 1 Attributes and no Roles", x, err)
	}
	a := x.Attributes[0]
	if a.Value.Text() != "Sales" || !a.Mapped || len(a.Steps) != 1 || a.Steps[0].Operation != "accountAttribute" {
		t.Errorf("got %+v, want a.Value.Text() == \"Sales\" && a.Mapped && len(a.Steps) == 1 && a.Steps[0].Operation == \"accountAttribute\"", a)
	}
	x, err = f.Explain(t.Context(), engine.ExplainParams{Identity: "ann", Role: "sales"})
	if err != nil || len(x.Roles) != 1 || x.Roles[0].Member || x.Roles[0].Reason != "its criterion does not hold" {
		t.Fatalf("got %+v, %v, want err == nil && len(x.Roles) == 1 && !x.Roles[0].Member && x.Roles[0].Reason == \"its criterion does not hold\"", x, err)
	}
	for _, test := range []struct {
		params engine.ExplainParams
		text   string
	}{
		{engine.ExplainParams{Identity: "nobody"}, "nobody"},
		{engine.ExplainParams{Identity: "ann", Attribute: "shoeSize"}, "shoeSize"},
		{engine.ExplainParams{Identity: "ann", Role: "King"}, "there is no role"},
	} {
		_, err := f.Explain(t.Context(), test.params)
		demandKind(t, err, engine.NotFound, test.text)
	}
}

// The preview of changed roles calculates whom it may concern, and shows what it shows of everybody.
func TestPreviewOfRolesLeavesOutWhomTheyDoNotConcern(t *testing.T) {
	t.Parallel()
	f := many(t, 40, engine.Config{Guard: engine.Guard{Off: true}})
	f.ApplyText(fmt.Sprintf(salesRole, true, "Board"))
	f.Process()
	f.AggregateText("HR", strings.Replace(enginetest.People, "Board", "Legal", 1), engine.AggregateOptions{Delta: true}) // not processed yet
	for _, department := range []string{"Legal", "nobody's"} {
		params := engine.PreviewParams{Documents: f.documents(fmt.Sprintf(salesRole, true, department))}
		some, narrow := f.preview(params)
		params.Everybody = true
		all, broad := f.preview(params)
		if some != all || !strings.Contains(all, "department Board>Legal") {
			t.Errorf("%s: of those concerned:\n%s\nof everybody:\n%s", department, some, all)
		}
		if narrow.Identities != 45 || broad.Calculated != 45 || narrow.Calculated >= 45 || narrow.Calculated < narrow.Changed {
			t.Errorf("%s: %d of %d and %d of %d were calculated", department, narrow.Calculated, narrow.Identities, broad.Calculated,
				broad.Identities)
		}
	}
}
