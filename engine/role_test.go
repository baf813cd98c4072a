package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// members returns the aliases of a role's members, in order.
func (f *fixture) members(role string) string {
	f.t.Helper()
	var names string
	err := f.Pool.QueryRow(f.t.Context(), `
		SELECT coalesce(string_agg(i.alias, ' ' ORDER BY i.alias), '')
		FROM muster.role_assignments a JOIN muster.roles r ON r.id = a.role_id JOIN muster.identities i ON i.id = a.identity_id
		WHERE r.name = $1`, role).Scan(&names)
	if err != nil {
		f.t.Fatal(err)
	}
	return names
}

const salesRole = `
roles:
  - name: Sales
    enabled: %v
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: %s}
`

func TestRoleMembers(t *testing.T) {
	t.Parallel()
	f := company(t)
	change := func(text string, requested int, members string) {
		t.Helper()
		if result := f.ApplyText(text); result.Marked != requested {
			t.Errorf("processing is requested for %d identities, want %d", result.Marked, requested)
		}
		f.Process()
		if got := f.members("Sales"); got != members {
			t.Errorf("the members are %q, want %q", got, members)
		}
	}
	// Bob is in Sales, but long-term inactive: only its own changes concern it.
	change(fmt.Sprintf(salesRole, true, "SALES"), 2, "ayse dee")
	change(fmt.Sprintf(salesRole, true, "sales"), 0, "ayse dee")
	change(fmt.Sprintf(salesRole, true, "Legal"), 3, "cy")
	change(fmt.Sprintf(salesRole, false, "Legal"), 1, "")
	id := f.Identity("ann").ID
	list := "roles: [{name: Sales, enabled: true, membership: {type: IDENTITY_LIST, identities: [{type: IDENTITY, id: %s}]}}]"
	change(fmt.Sprintf(list, id), 1, "ann")

	f.ApplyText(fmt.Sprintf(salesRole, true, "Sales"))
	f.AggregateText("HR", strings.Replace(enginetest.People, "Legal", "Sales", 1), engine.AggregateOptions{})
	if result := f.Process(); result.RolesGained != 3 || result.RolesLost != 1 {
		t.Errorf("got %+v, want RolesGained 3 and RolesLost 1", result)
	}
	if got := f.members("Sales"); got != "ayse cy dee" {
		t.Errorf("the members are %q, want %q", got, "ayse cy dee")
	}
	got := f.lastDetail("ann", engine.EventRolesChanged,
		`(e.detail #>> '{roles,lost,0,name}') || ': ' || (e.detail #>> '{roles,lost,0,reason}')`)
	if want := `Sales: its criterion does not hold any more: department EQUALS "Sales"`; got != want {
		t.Errorf("the history has %q, want %q", got, want)
	}
}

func TestRoleFaults(t *testing.T) {
	t.Parallel()
	f := company(t)
	for text, want := range map[string]string{
		`{name: R, membership: {type: STANDARD, criteria: {operation: EQUAL}}}`:   `did you mean "EQUALS"`,
		`{name: R, membership: {type: LIST}}`:                                     `membership.type: "LIST" is unknown`,
		`{name: R, membership: {criteria: {operation: EQUALS}}}`:                  `membership.type is missing`,
		`{name: R, membership: {type: IDENTITY_LIST, identities: [{name: Ann}]}}`: `membership.identities[0].id`,
		`{name: "", membership: null}`:                                            `name`,
		`{name: R, membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: ACCOUNT, ` +
			`property: attribute.a, sourceId: Nowhere}, stringValue: x}}}`: `Nowhere`,
	} {
		documents, err := engine.ReadDocuments("c.yaml", strings.NewReader("roles: ["+text+"]"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Apply(t.Context(), documents)
		demandKind(t, err, engine.Invalid, want)
	}
	notes := f.ApplyText(fmt.Sprintf(salesRole, false, "Sales")).Notes
	if len(notes) != 1 || !strings.Contains(notes[0], "not enabled") {
		t.Errorf("the notes are %q", notes)
	}
}
