package sdktest

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sailpoint "github.com/sailpoint-oss/golang-sdk/v2"
	"github.com/sailpoint-oss/golang-sdk/v2/api_beta"
)

func aliases(identities []api_beta.Identity) []string {
	list := []string{}
	for i := range identities {
		list = append(list, identities[i].GetAlias())
	}
	return list
}

func TestListIdentities(t *testing.T) {
	c := newAdmin(t)
	queue1, queue2 := c.id(t, "visitor-queue-1"), c.id(t, "visitor-queue-2")
	type request = api_beta.ApiListIdentitiesRequest
	for name, test := range map[string]struct {
		ask   func(r request) request
		total string
		want  []string
	}{
		"prefix of a name, ascending": {func(r request) request {
			return r.Filters(`lastname sw "quy"`).Sorters("name")
		}, "3", []string{"visitor-queue-1", "visitor-queue-2", "visitor-queue-3"}},
		"descending": {func(r request) request {
			return r.Filters(`lastname sw "Quy"`).Sorters("-name,alias")
		}, "3", []string{"visitor-queue-3", "visitor-queue-2", "visitor-queue-1"}},
		"page": {func(r request) request {
			return r.Filters(`lastname sw "Quy"`).Sorters("alias").Offset(1).Limit(1)
		}, "3", []string{"visitor-queue-2"}},
		"page behind the end": {func(r request) request {
			return r.Filters(`lastname sw "Quy"`).Offset(3)
		}, "3", []string{}},
		"page of nobody": {func(r request) request { return r.Filters(`lastname sw "Quy"`).Limit(0) }, "3", []string{}},
		"precedence": {func(r request) request {
			return r.Filters(`alias eq "visitor-guest" or lastname sw "Quy" and not (firstname eq "Ada")`).
				Sorters("alias")
		}, "3", []string{"visitor-guest", "visitor-queue-2", "visitor-queue-3"}},
		"list of IDs": {func(r request) request {
			return r.Filters(`id in ("` + queue2 + `","` + queue1 + `")`).Sorters("alias")
		}, "2", []string{"visitor-queue-1", "visitor-queue-2"}},
		"name with quotes, a comma and a letter that is not ASCII": {func(r request) request {
			return r.Filters(`name eq "Zoë \"Zip\" O'Hara, Jr."`)
		}, "1", []string{"visitor-quoted"}},
		"address in another case": {func(r request) request {
			return r.Filters(`email eq "ZOE@visitors.example"`)
		}, "1", []string{"visitor-quoted"}},
		"status": {func(r request) request {
			return r.Filters(`cloudStatus eq "UNREGISTERED" and alias sw "visitor-quo"`).Sorters("cloudStatus")
		}, "1", []string{"visitor-quoted"}},
		"protected": {func(r request) request { return r.Filters(`protected eq true`) }, "1",
			[]string{"visitor-protected"}},
		"uncorrelated, masked by default": {func(r request) request { return r.Filters(`correlated eq false`) }, "0",
			[]string{}},
		"uncorrelated": {func(r request) request {
			return r.Filters(`correlated eq false`).DefaultFilter("NONE")
		}, "1", []string{"visitor-leaver"}},
		"correlated by name": {func(r request) request {
			return r.Filters(`alias eq "visitor-leaver"`).DefaultFilter("CORRELATED_ONLY")
		}, "0", []string{}},
		"processing without error": {func(r request) request { return r.Filters(`processingState eq "ERROR"`) }, "0",
			[]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			found, response, err := test.ask(c.identities().ListIdentities(t.Context())).Count(true).Execute()
			if err != nil {
				t.Fatal(err)
			}
			if found == nil {
				t.Error("the answer is no list")
			}
			if diff := cmp.Diff(test.want, aliases(found)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if total := response.Header.Get("X-Total-Count"); total != test.total {
				t.Errorf("X-Total-Count is %q, want %s", total, test.total)
			}
		})
	}
}

func TestListIdentitiesByDefault(t *testing.T) {
	c := newAdmin(t)
	found, response, err := c.identities().ListIdentities(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := response.Header["X-Total-Count"]; ok || len(found) != 250 {
		t.Errorf("%d identities, want 250; headers %v, want no count", len(found), response.Header)
	}
	if kind := response.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("Content-Type is %q", kind)
	}
}

// Every one of them comes once, also where a page ends with the last.
func TestPaginate(t *testing.T) {
	want := map[string]int{}
	for i := range people {
		want[strconv.Itoa(firstAlias+i)] = 1
	}
	for name, test := range map[string]struct {
		sorters                  string
		offset, increment, limit int32
		pages, identities        int
	}{
		"defaults":                      {"", 0, 250, 10000, 5, people},
		"by name":                       {"-name", 0, 250, 10000, 5, people},
		"last page full, without limit": {"alias", 0, 200, 0, people/200 + 1, people},
		"limit within a page":           {"name", 0, 250, 600, 3, 600},
		"from behind the end":           {"", people, 250, 10000, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newAdmin(t)
			request := c.identities().ListIdentities(t.Context()).Filters(`alias sw "1"`).Count(true)
			if test.sorters != "" {
				request = request.Sorters(test.sorters)
			}
			paginate := func() ([]api_beta.Identity, *http.Response, error) {
				return sailpoint.Paginate[api_beta.Identity](request, test.offset, test.increment, test.limit)
			}
			if name == "defaults" {
				paginate = func() ([]api_beta.Identity, *http.Response, error) {
					return sailpoint.PaginateWithDefaults[api_beta.Identity](request)
				}
			}
			found, response, err := paginate()
			if err != nil {
				t.Fatal(err)
			}
			if pages := c.answers(http.StatusOK); pages != test.pages {
				t.Errorf("%d pages, want %d", pages, test.pages)
			}
			if total := response.Header.Get("X-Total-Count"); total != strconv.Itoa(people) {
				t.Errorf("X-Total-Count is %q, want %d", total, people)
			}
			got, ids := map[string]int{}, map[string]bool{}
			for i := range found {
				got[found[i].GetAlias()]++
				ids[found[i].GetId()] = true
			}
			if len(found) != test.identities || len(ids) != test.identities {
				t.Fatalf("%d identities and %d IDs, want %d", len(found), len(ids), test.identities)
			}
			if test.identities == people {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}
}

func TestGetIdentity(t *testing.T) {
	c := newAdmin(t)
	found := c.find(t, "visitor-guest")
	identity := c.get(t, found.GetId())
	if diff := cmp.Diff(found, identity, cmp.AllowUnexported(api_beta.NullableString{},
		api_beta.NullableIdentityManagerRef{})); diff != "" {
		t.Errorf("the list has another one: -list +get:\n%s", diff)
	}
	manager := c.find(t, "visitor-owner")
	source, _ := identity.Attributes["cloudAuthoritativeSource"].(string)
	if source == "" || source != manager.Attributes["cloudAuthoritativeSource"] {
		t.Errorf("the authoritative source is %q", source)
	}
	if diff := cmp.Diff(map[string]any{
		"uid": "visitor-guest", "identificationNumber": "visitor-guest", "displayName": "Gus Testa",
		"firstname": "Gus", "lastname": "Testa", "email": "gus@visitors.example", "identityState": "ACTIVE",
		"cloudLifecycleState": "active", "cloudStatus": "UNREGISTERED", "internalCloudStatus": "UNREGISTERED",
		"cloudAuthoritativeSource": source,
	}, identity.Attributes); diff != "" {
		t.Errorf("attributes, -want +got:\n%s", diff)
	}
	if identity.GetName() != "Gus Testa" || identity.GetAlias() != "visitor-guest" ||
		identity.GetEmailAddress() != "gus@visitors.example" || identity.GetIdentityStatus() != "UNREGISTERED" ||
		identity.GetIsManager() {
		t.Errorf("got %+v, want identity.GetName() == \"Gus Testa\" && identity.GetAlias() == \"visitor-guest\" && identity.GetEmailAddress() == \"gus@visitors.example\" && identity.GetIdentityStatus() == \"UNREGISTERED\" && !identity.GetIsManager()", identity)
	}
	if !identity.ProcessingState.IsSet() || identity.ProcessingState.Get() != nil {
		t.Errorf("the processing state is %v, want null", identity.ProcessingState.Get())
	}
	reference := identity.GetManagerRef()
	if reference.GetType() != "IDENTITY" || reference.GetId() != manager.GetId() ||
		reference.GetName() != "Owain Nerys" || !manager.GetIsManager() {
		t.Errorf("the manager is %+v", reference)
	}
	if state := identity.GetLifecycleState(); state.StateName != "active" || state.ManuallyUpdated {
		t.Errorf("the lifecycle state is %+v", state)
	}
	now := time.Now().Add(time.Second)
	times := []time.Time{identity.GetCreated().Time, identity.GetModified().Time, identity.GetLastRefresh().Time}
	for i, at := range times {
		if age := now.Sub(at); age < 0 || age > time.Hour || i > 0 && at.Before(times[i-1]) {
			t.Errorf("created, modified and refreshed at %v", times)
		}
	}
	if len(identity.AdditionalProperties) != 0 {
		t.Errorf("members that nobody knows: %v", identity.AdditionalProperties)
	}
}

// Nobody leads the chief, and an identity without an address has none.
func TestGetIdentityWithNulls(t *testing.T) {
	c := newAdmin(t)
	if top := c.get(t, c.id(t, chief)); !top.ManagerRef.IsSet() || top.ManagerRef.Get() != nil || !top.GetIsManager() ||
		top.GetName() != chiefName {
		t.Errorf("got %+v, want top.ManagerRef.IsSet() && top.ManagerRef.Get() == nil && top.GetIsManager() && top.GetName() == chiefName", top)
	}
	if silent := c.get(t, c.id(t, "visitor-unreachable")); !silent.EmailAddress.IsSet() ||
		silent.EmailAddress.Get() != nil {
		t.Errorf("the address is %v, want null", silent.EmailAddress.Get())
	}
}

func TestOwnership(t *testing.T) {
	c := newAdmin(t)
	owned, _, err := c.identities().GetIdentityOwnershipDetails(t.Context(), c.id(t, "visitor-owner")).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if len(owned.AssociationDetails) != 1 {
		t.Fatalf("got %+v, want len(owned.AssociationDetails) == 1", owned)
	}
	demandKeyKeeper(t, owned.AssociationDetails[0].GetAssociationType(), owned.AssociationDetails[0].Entities)

	owned, _, err = c.identities().GetIdentityOwnershipDetails(t.Context(), c.id(t, "visitor-guest")).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if owned.AssociationDetails == nil || len(owned.AssociationDetails) != 0 {
		t.Errorf("%+v, want an empty list", owned)
	}
}

// demandKeyKeeper demands that the one thing that is owned is the role of testdata.
func demandKeyKeeper(t *testing.T, kind string, entities []api_beta.IdentityEntities) {
	t.Helper()
	if kind != "ROLE_OWNER" || len(entities) != 1 || entities[0].IdentityEntity == nil {
		t.Fatalf("got %s: %+v, want kind == \"ROLE_OWNER\" && len(entities) == 1 && entities[0].IdentityEntity != nil", kind, entities)
	}
	role := entities[0].IdentityEntity
	if role.GetType() != "ROLE" || role.GetName() != "Key keeper" || len(role.GetId()) != len(unknownID) {
		t.Errorf("got %s %s %s, want role.GetType() == \"ROLE\" && role.GetName() == \"Key keeper\" && len(role.GetId()) == len(unknownID)", role.GetType(), role.GetName(), role.GetId())
	}
}

func TestDeleteIdentity(t *testing.T) {
	c := newAdmin(t)
	orphan, id := c.find(t, "visitor-orphan"), c.id(t, "visitor-deletable")
	if manager := orphan.GetManagerRef(); manager.GetId() != id {
		t.Errorf("the manager is %+v", manager)
	}
	response, err := c.identities().DeleteIdentity(t.Context(), id).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusNoContent || response.ContentLength > 0 {
		t.Errorf("status %d with %d bytes", response.StatusCode, response.ContentLength)
	}
	_, response, err = c.identities().GetIdentity(t.Context(), id).Execute()
	demandError(t, response, err, http.StatusNotFound, "404 Not found", id)
	response, err = c.identities().DeleteIdentity(t.Context(), id).Execute()
	demandError(t, response, err, http.StatusNotFound, "404 Not found", id)
	if left := c.get(t, orphan.GetId()); left.ManagerRef.Get() != nil {
		t.Errorf("the manager is gone, and still that of %+v", left)
	}
}

func TestDeleteIdentityIsRefused(t *testing.T) {
	c := newAdmin(t)
	for alias, message := range map[string]string{
		"visitor-owner":     "Identity cannot be deleted as it is owner of following resources",
		"visitor-protected": "Identity cannot be deleted as it is protected",
	} {
		t.Run(alias, func(t *testing.T) {
			id := c.id(t, alias)
			response, err := c.identities().DeleteIdentity(t.Context(), id).Execute()
			refusal := refused(t, response, err, http.StatusBadRequest)
			details, ok := refusal.Model().(api_beta.IdentityAssociationDetails)
			if !ok {
				t.Fatalf("the body is decoded as %T (%v): %s", refusal.Model(), err, refusal.Body())
			}
			if details.GetMessage() != message || details.AssociationDetails == nil {
				t.Errorf("got %s, want details.GetMessage() == message && details.AssociationDetails != nil", refusal.Body())
			}
			if alias == "visitor-owner" && len(details.AssociationDetails) == 1 {
				owned := details.AssociationDetails[0]
				demandKeyKeeper(t, owned.GetAssociationType(), owned.Entities)
			} else if alias == "visitor-owner" || len(details.AssociationDetails) != 0 {
				t.Errorf("got %s, want alias != \"visitor-owner\" && len(details.AssociationDetails) == 0", refusal.Body())
			}
			if c.get(t, id).GetAlias() != alias {
				t.Error("it is another one now")
			}
		})
	}
}

func TestRoleAssignments(t *testing.T) {
	c := newAdmin(t)
	id := c.id(t, "visitor-assigned")
	all := c.identities().GetRoleAssignments(t.Context(), id)
	short, _, err := all.Execute()
	if err != nil {
		t.Fatal(err)
	}
	// The SDK decodes both shapes as the full one, where what the short one lacks is not set.
	byRole := map[string]*api_beta.RoleAssignmentDto{}
	for i := range short {
		as := short[i].RoleAssignmentDto
		if as == nil || as.AssignmentSource != nil || as.Assigner != nil || as.Comments.IsSet() ||
			as.AccountTargets != nil || len(as.AdditionalProperties) != 0 {
			t.Fatalf("it is not the short shape: %+v", short[i])
		}
		byRole[as.Role.GetName()] = as
	}
	// Whoever is active is on the staff.
	watch, staff := byRole["Night watch"], byRole["Staff"]
	if len(short) != 2 || watch == nil || staff == nil {
		t.Fatalf("%d assignments: %v", len(short), byRole)
	}
	if !staff.StartDate.IsSet() || staff.StartDate.Get() != nil || !staff.RemoveDate.IsSet() ||
		staff.RemoveDate.Get() != nil {
		t.Errorf("the dates of an assignment without dates: %+v", staff)
	}
	demandDates(t, watch)

	for name, request := range map[string]api_beta.ApiGetRoleAssignmentsRequest{
		"by ID":   all.RoleId(watch.Role.GetId()),
		"by name": all.RoleName("Night watch"),
		"by both": all.RoleName("Night watch").RoleId(watch.Role.GetId()),
	} {
		t.Run(name, func(t *testing.T) {
			full, _, err := request.Execute()
			if err != nil || len(full) != 1 {
				t.Fatalf("%d assignments: %v", len(full), err)
			}
			demandNightWatch(t, c, full[0].RoleAssignmentDto, watch.GetId())
		})
	}
	none, _, err := all.RoleName("Key keeper").Execute()
	if err != nil || none == nil || len(none) != 0 {
		t.Errorf("%v %v, want an empty list", none, err)
	}
	one, _, err := c.identities().GetRoleAssignment(t.Context(), id, watch.GetId()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	demandNightWatch(t, c, one, watch.GetId())
	other := c.id(t, "visitor-owner")
	_, response, err := c.identities().GetRoleAssignment(t.Context(), other, watch.GetId()).Execute()
	demandError(t, response, err, http.StatusNotFound, "404 Not found", watch.GetId())
}

func demandDates(t *testing.T, as *api_beta.RoleAssignmentDto) {
	t.Helper()
	start, remove := as.StartDate.Get(), as.RemoveDate.Get()
	if start == nil || !start.Equal(time.Date(2031, 5, 1, 8, 0, 0, 0, time.UTC)) ||
		remove == nil || !remove.Equal(time.Date(2031, 6, 1, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("from %v to %v", start, remove)
	}
	if age := time.Since(as.GetAddedDate().Time); age < 0 || age > time.Hour {
		t.Errorf("added at %v", as.GetAddedDate())
	}
}

// demandNightWatch demands what testdata assigned, in the full shape.
func demandNightWatch(t *testing.T, c *client, as *api_beta.RoleAssignmentDto, id string) {
	t.Helper()
	if as == nil || as.GetId() != id {
		t.Fatalf("%+v, want the assignment %s", as, id)
	}
	demandDates(t, as)
	if role := as.GetRole(); role.GetType() != "ROLE" || role.GetName() != "Night watch" || role.GetId() == "" {
		t.Errorf("the role is %+v", role)
	}
	if as.GetAssignmentSource() != "ACCESS_REQUEST" || as.GetComments() != "stands in for Olivia" {
		t.Errorf("by %s: %s", as.GetAssignmentSource(), as.GetComments())
	}
	if by := as.GetAssigner(); by.GetType() != "IDENTITY" || by.GetId() != c.id(t, "visitor-owner") ||
		by.GetName() != "Owain Nerys" {
		t.Errorf("assigned by %+v", by)
	}
	if as.AssignedDimensions == nil || len(as.AssignedDimensions) != 0 || as.AccountTargets == nil ||
		len(as.AccountTargets) != 0 || as.AssignmentContext != nil || len(as.AdditionalProperties) != 0 {
		t.Errorf("got %+v, want as.AssignedDimensions != nil && len(as.AssignedDimensions) == 0 && as.AccountTargets != nil && len(as.AccountTargets) == 0 && as.AssignmentContext == nil && len(as.AdditionalProperties) == 0", as)
	}
}

// The chief has an account on a source because of a role, by its membership.
func TestRoleAssignmentWithAccounts(t *testing.T) {
	c := newAdmin(t)
	found, _, err := c.identities().GetRoleAssignments(t.Context(), c.id(t, chief)).RoleName("Leadership").Execute()
	if err != nil || len(found) != 1 {
		t.Fatalf("%d assignments: %v", len(found), err)
	}
	as := found[0].RoleAssignmentDto
	if as.GetAssignmentSource() != "ROLE_MEMBERSHIP" || as.Assigner.GetType() != "UNKNOWN" ||
		as.Comments.Get() != nil || len(as.AccountTargets) != 1 {
		t.Fatalf("got %+v, want as.GetAssignmentSource() == \"ROLE_MEMBERSHIP\" && as.Assigner.GetType() == \"UNKNOWN\" && as.Comments.Get() == nil && len(as.AccountTargets) == 1", as)
	}
	target := &as.AccountTargets[0]
	got := fmt.Sprint(target.Source.GetName(), " ", target.Source.AdditionalProperties["type"], ", ",
		target.AccountInfo.GetNativeIdentity(), " ", target.AccountInfo.GetDisplayName(), ", ",
		target.Role.GetName(), " ", target.Role.AdditionalProperties["type"])
	if want := "Board Portal SOURCE, 100001 Olivia Whitaker, Board papers ACCESS_PROFILE"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
