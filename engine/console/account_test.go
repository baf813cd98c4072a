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

// hostileIDs returns, for each of so many hostile names, the IDs of the objects that the pages beside those of
// identities are about.
func (s *site) hostileIDs(count int) []map[string]string {
	s.t.Helper()
	page, err := s.ListAccounts(s.t.Context(), engine.AccountParams{Source: "HR"})
	if err != nil || len(page.Items) < count {
		s.t.Fatalf("there are %d accounts, %v", len(page.Items), err)
	}
	ids := make([]map[string]string, count)
	roles, err := s.ListConfiguration(s.t.Context(), engine.TypeRole, engine.PageParams{})
	if err != nil {
		s.t.Fatal(err)
	}
	entitlements, err := s.ListEntitlements(s.t.Context(), engine.EntitlementParams{})
	if err != nil || len(entitlements.Items) < count {
		s.t.Fatalf("there are %d entitlements, %v", len(entitlements.Items), err)
	}
	for i := range ids {
		ids[i] = map[string]string{"accounts": page.Items[i].ID, "roles": roles.Items[i].ID,
			"entitlements": entitlements.Items[i].ID, "identity-profiles": s.profileID(),
			"sources": s.sourceID("HR"), "configuration": s.firstRevision()}
	}
	return ids
}

// accountID returns the ID of an account of the Directory.
func (s *site) accountID(native string) string {
	s.t.Helper()
	page, err := s.ListAccounts(s.t.Context(), engine.AccountParams{Source: "Directory",
		PageParams: engine.PageParams{Filters: `nativeIdentity eq "` + native + `"`}})
	if err != nil || len(page.Items) != 1 {
		s.t.Fatalf("%s: %v", native, err)
	}
	return page.Items[0].ID
}

// The accounts are listed, narrowed by quick filters, by the source and by a text whose mistakes stand below the field.
func TestAccounts(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	s.AggregateText("Directory", enginetest.DirectoryHeader+
		"bobt,bob@example.com,,sales,true\nstray,,,,true\nannb,,ann,g,true\n", engine.AggregateOptions{})
	s.Process()
	all := s.get("/accounts/").shows("bobt", "stray", "annb", "Bob Twain", "HR")
	free := s.get(s.resolve(all, all.link("Uncorrelated")))
	if free.shows("stray", "nobody").hides("annb"); free.url.Query().Get("filters") != "uncorrelated eq true" {
		t.Errorf("the quick filter leads to %s", free.url)
	}
	s.get("/accounts/?source=Directory").shows("bobt").hides("Cy Self")
	s.get("/accounts/?source=HR&filters=uncorrelated+eq+true").shows("Nothing matches the filter.")
	for _, quick := range all.elements("a") {
		if q := attr(quick, "href"); strings.HasPrefix(q, "?filters=") || strings.HasPrefix(q, "?sorters=") {
			s.get("/accounts/" + q)
		}
	}
	wrong := s.do(http.MethodGet, `/accounts/?filters=name+eqq+"x"`, nil).demand(http.StatusBadRequest)
	if attr(field(wrong, "filters"), "aria-invalid") != "true" {
		t.Error("the mistake is not at the field")
	}
	// Pages follow each other and show each account once.
	seen := map[string]int{}
	for at := "/accounts/?limit=25&sorters=nativeIdentity"; at != ""; {
		a := s.get(at)
		for _, name := range rowNames(a) {
			seen[name]++
		}
		if at = ""; strings.Contains(a.text(), "Next page") {
			at = s.resolve(a, a.link("Next page"))
		}
	}
	if len(seen) != 8 { // the five of HR and the three of the Directory
		t.Errorf("the pages show %v", seen)
	}
	empty := siteOf(t, enginetest.NewEmpty(t), console.Config{})
	empty.get("/accounts/").shows("There is no account yet: aggregate a source.")
}

// An account that nobody has says why, names who may have it, and is given to one of them and released again.
func TestCorrelateAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	s.AggregateText("Directory", enginetest.DirectoryHeader+
		"bobt,bob@example.com,,staff,true\ncy,else@example.com,,sales,true\n", engine.AggregateOptions{})
	s.Process()
	at := "/accounts/" + s.accountID("cy") + "/"
	page := s.get(at).shows("no identity has one of its values", "else@example.com", "Cy Self", "sam = uid : cy")
	given := s.post(s.resolve(page, page.link("Correlate")), url.Values{"identity": {"cy"}})
	if !strings.Contains(given.note(), "The account was given to the identity.") {
		t.Errorf("the page says %q", given.note())
	}
	s.Process()
	given = s.get(at).shows("Manually correlated", "given to the identity by hand")
	s.get("/identities/"+s.ID("cy")+"/accounts").shows("Directory : cy", "HR : cy", "was there groups: sales", "Release")
	if n := s.CountRows("muster.accounts WHERE manually_correlated"); n != 1 {
		t.Errorf("%d accounts are correlated by hand", n)
	}
	s.get("/history/?types="+engine.EventAccountsChanged).shows("Cy Self", "by Op <b>ORG_ADMIN</b>")
	released := s.post(s.resolve(given, given.link("Release")), url.Values{})
	if !strings.Contains(released.note(), "was released") {
		t.Errorf("the page says %q", released.note())
	}
	if released = s.post(at+"release", url.Values{}); !strings.Contains(released.note(), "nobody's already") {
		t.Errorf("the page says %q", released.note())
	}
	wrong := s.do(http.MethodPost, at+"correlate", url.Values{"identity": {"<b>nobody"}}).demand(http.StatusBadRequest)
	wrong.shows("No identity, or not one alone, has this ID or account.")
	if checkPage(t, wrong); attr(field(wrong, "identity"), "value") != "<b>nobody" {
		t.Error("what was typed is lost")
	}
	s.do(http.MethodGet, "/accounts/nobody/", nil).demand(http.StatusNotFound)
	// Who may read accounts and not correlate them has no button.
	s.level = "HELPDESK"
	if a := s.get(at); strings.Contains(a.text(), "Give it to") {
		t.Error("the help desk gives accounts away")
	}
	s.level = "REPORT_ADMIN"
	for _, n := range s.get("/identities/" + s.ID("cy") + "/").elements("a") {
		if textOf(n) == "Accounts" {
			t.Errorf("there is a link to %s", attr(n, "href"))
		}
	}
}

// What an account holds says whether access gave it, and what is still to be given.
func TestIdentityAccounts(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	bob := "/identities/" + s.ID("bob") + "/accounts"
	s.get(bob).shows("Directory : bobt", "Enabled", "Granted, and on no account yet", "wanted, not there", "groups: sales",
		"Sales / Sales files")
	s.AggregateText("Directory", enginetest.DirectoryHeader+"bobt,bob@example.com,,sales;other,true\n",
		engine.AggregateOptions{})
	s.Process()
	s.get(bob).shows("groups: sales").hides("wanted, not there")
	s.get("/identities/" + s.ID("ann") + "/accounts").shows("HR : ann").hides("Directory :")
}
