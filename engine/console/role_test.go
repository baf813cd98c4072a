package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
)

// addRoles adds roles with other memberships than those of the company.
func (s *site) addRoles() {
	s.t.Helper()
	s.ApplyText(strings.NewReplacer("ANN", s.ID("ann"), "CY", s.ID("cy")).Replace(moreRoles))
}

const moreRoles = `
roles:
  - name: Board
    enabled: true
    description: Those who decide
    membership: {type: IDENTITY_LIST, identities: [{type: IDENTITY, id: ANN}, {type: IDENTITY, id: CY}]}
  - name: Field
    enabled: false
    membership:
      type: STANDARD
      criteria:
        operation: OR
        children:
          - {operation: STARTS_WITH, key: {type: IDENTITY, property: attribute.department}, stringValue: Sal}
          - operation: AND
            children:
              - {operation: CONTAINS, key: {type: ACCOUNT, property: attribute.groups, sourceId: Directory}, stringValue: field}
              - {operation: NOT_EQUALS, key: {type: IDENTITY, property: attribute.location}, stringValue: Berlin}
`

// roleID returns the ID of a role.
func (s *site) roleID(name string) string {
	s.t.Helper()
	page, err := s.ListConfiguration(s.t.Context(), engine.TypeRole, engine.PageParams{Filters: `name eq "` + name + `"`})
	if err != nil || len(page.Items) != 1 {
		s.t.Fatalf("%s: %v", name, err)
	}
	return page.Items[0].ID
}

// The roles say in a sentence who has them, and what they grant.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	s.addRoles()
	all := s.get("/roles/").shows("Sales", "department is “Sales”", "Sales files", "only whom it is assigned to",
		"2 identities by a list", "Those who decide",
		"department begins with “Sal” or (Directory.groups contains “field” and location is not “Berlin”)")
	s.get(s.resolve(all, all.link("Not enabled"))).shows("Field").hides("Board")
	s.get(s.resolve(all, all.link("With a list of members"))).shows("Board").hides("Field")
	if names := strings.Join(rowNames(s.get("/roles/?sorters=-name")), "|"); !strings.HasPrefix(names, "Sales|Field|Board") {
		t.Errorf("the roles are %q", names)
	}
	s.do(http.MethodGet, "/roles/?filters=membership.type+eqq+1", nil).demand(http.StatusBadRequest)
	s.header["Accept-Language"] = "de"
	s.get("/roles/").shows("department ist „Sales“", "2 Identitäten nach einer Liste")
	siteOf(t, enginetest.NewEmpty(t), console.Config{}).get("/roles/").shows("There is no role yet")
}

// A role's members say how they came to it, and a role is assigned and revoked.
func TestRoleMembers(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	s.addRoles()
	s.Process()
	s.get("/roles/"+s.roleID("Sales")+"/members").shows("Bob Twain", "by the criterion").hides("Revoke")
	s.get("/roles/"+s.roleID("Board")+"/members").shows("Ann Boss", "by the list")
	at := "/roles/" + s.roleID("Auditor") + "/members"
	s.get(at).shows("Nobody has the role.")
	assign := strings.TrimSuffix(at, "members") + "assign"
	for _, wrong := range []url.Values{{}, {"identity": {"nobody"}}, {"identity": {"bob"}, "start": {"soon"}},
		{"identity": {"bob"}, "end": {"2001-01-01"}}} {
		a := s.do(http.MethodPost, assign, wrong).demand(http.StatusBadRequest)
		if checkPage(t, a); attr(field(a, "identity"), "value") != wrong.Get("identity") {
			t.Errorf("%v: what was typed is lost", wrong)
		}
	}
	done := s.post(assign, url.Values{"identity": {"bob"}, "comments": {"for a while"}, "end": {"2999-12-31"}})
	if done.shows("Bob Twain", "by request", "3000-01-01"); !strings.Contains(done.note(), "The role was assigned.") {
		t.Errorf("the page says %q", done.note())
	}
	access := s.get("/identities/"+s.ID("bob")+"/access").shows("for a while", "Revoke")
	if len(access.elements("bdi")) == 0 {
		t.Error("nothing is shown")
	}
	form := url.Values{}
	for _, n := range done.elements("input") {
		form.Set(attr(n, "name"), attr(n, "value"))
	}
	revoked := s.post(strings.TrimSuffix(at, "members")+"revoke", form)
	if !strings.Contains(revoked.note(), "The role was revoked.") {
		t.Errorf("the page says %q", revoked.note())
	}
	form.Del("form-key") // as if another page had been sent
	if again := s.post(strings.TrimSuffix(at, "members")+"revoke", form); !strings.Contains(again.note(), "not assigned any more") {
		t.Errorf("the page says %q", again.note())
	}
	if n := s.CountRows("muster.role_assignments WHERE assignment_source = 'ACCESS_REQUEST'"); n != 0 {
		t.Errorf("%d assignments are left", n)
	}
	s.do(http.MethodGet, "/roles/nobody/members", nil).demand(http.StatusNotFound).shows("There is no role with this ID.")
	s.do(http.MethodGet, at+"?filters=x+eqq+1", nil).demand(http.StatusBadRequest)
	s.level = "ROLE_SUBADMIN"
	s.get(at).hides("Assign the role")
}

// Who holds an entitlement, and whether access gave it.
func TestEntitlements(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	s.AggregateText("Directory", enginetest.DirectoryHeader+"bobt,bob@example.com,,sales,true\nstray,,,other,true\n",
		engine.AggregateOptions{})
	s.Process()
	list := s.get("/entitlements/").shows("sales", "other", "Directory", "groups")
	holders := s.get(s.resolve(list, list.link("sales")))
	holders.shows("bobt", "Bob Twain").hides("stray")
	s.get(s.resolve(list, list.link("other"))).shows("stray", "nobody", "was there", "Uncorrelated")
	s.get(s.resolve(holders, holders.link("Uncorrelated"))).shows("Nothing matches the filter.")
	s.get("/access-profiles/").shows("Sales files", "Directory", "groups: sales", "Enabled")
	s.do(http.MethodGet, "/entitlements/nobody/holders", nil).demand(http.StatusNotFound)
	s.level = "CERT_ADMIN"
	s.get("/entitlements/").shows("sales")
	s.do(http.MethodGet, "/access-profiles/", nil).demand(http.StatusForbidden)
}
