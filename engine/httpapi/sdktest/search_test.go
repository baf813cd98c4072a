//go:build client

package sdktest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	sailpoint "github.com/sailpoint-oss/golang-sdk/v2"
	"github.com/sailpoint-oss/golang-sdk/v2/api_v2025"
	"github.com/sailpoint-oss/golang-sdk/v2/api_v3"
)

// searched is a search of identities for everybody whom a query finds, by ID.
func searched(query string) api_v2025.Search {
	search := api_v2025.NewSearch()
	search.Indices = []api_v2025.Index{api_v2025.INDEX_IDENTITIES}
	search.Query = &api_v2025.Query{Query: &query}
	search.Sort = []string{"id"}
	return *search
}

func TestSearch(t *testing.T) {
	c := newAdmin(t)
	api := c.V2025.SearchAPI
	found, response, err := api.SearchPost(t.Context()).Search(searched("name:" + chief)).Count(true).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if total := response.Header.Get("X-Total-Count"); len(found) != 1 || total != "1" {
		t.Fatalf("%d documents, total %q", len(found), total)
	}
	if found[0]["displayName"] != chiefName || found[0]["_type"] != "identity" {
		t.Errorf("found %v, want %s", found[0], chiefName)
	}
	document, _, err := api.SearchGet(t.Context(), "identities", found[0]["id"].(string)).Execute()
	if err != nil {
		t.Fatal(err)
	}
	accounts, _ := document["accounts"].([]any)
	if document["id"] != found[0]["id"] || len(accounts) == 0 {
		t.Errorf("the document is %v", document)
	}
	if response, err = api.SearchCount(t.Context()).Search(searched("attributes.department:*")).Execute(); err != nil {
		t.Fatal(err)
	}
	if total, _ := strconv.Atoi(response.Header.Get("X-Total-Count")); response.StatusCode != http.StatusNoContent ||
		total < people {
		t.Errorf("status %d, %d documents, want %d", response.StatusCode, total, people)
	}
}

// What somebody owns is in the document: the use case that the published deletion names.
func TestSearchFindsWhatIsOwned(t *testing.T) {
	c := newAdmin(t)
	document, _, err := c.V2025.SearchAPI.SearchGet(t.Context(), "identities", c.id(t, "visitor-owner")).Execute()
	if err != nil {
		t.Fatal(err)
	}
	owns, _ := document["owns"].(map[string]any)
	roles, _ := owns["roles"].([]any)
	if len(roles) == 0 {
		t.Errorf("owns %v, want roles", owns)
	}
}

func TestSearchAggregates(t *testing.T) {
	c := newAdmin(t)
	search := searched("*")
	kind, name := api_v2025.AGGREGATIONTYPE_SAILPOINT, "Departments"
	search.AggregationType = &kind
	search.Aggregations = &api_v2025.SearchAggregationSpecification{
		Bucket: &api_v2025.BucketAggregation{Name: name, Field: "attributes.department"},
	}
	found, _, err := c.V2025.SearchAPI.SearchAggregate(t.Context()).Search(search).Execute()
	if err != nil {
		t.Fatal(err)
	}
	departments, _ := found.Aggregations[name].(map[string]any)
	if buckets, _ := departments["buckets"].([]any); len(buckets) < 2 {
		t.Errorf("aggregated %v, want buckets", found.Aggregations)
	}
}

func TestPaginateSearch(t *testing.T) {
	c := newAdmin(t)
	query := "*"
	search := api_v3.NewSearch()
	search.Indices = []api_v3.Index{api_v3.INDEX_IDENTITIES}
	search.Query = &api_v3.Query{Query: &query}
	search.Sort = []string{"id"}
	found, _, err := sailpoint.PaginateSearchApi(t.Context(), c.APIClient, *search, 0, 250, 10000)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[any]bool{}
	for _, document := range found {
		ids[document["id"]] = true
	}
	if len(ids) != len(found) || len(ids) < people {
		t.Errorf("%d documents with %d IDs, want %d at least", len(found), len(ids), people)
	}
}

func TestSearchRefusesAMistake(t *testing.T) {
	c := newAdmin(t).once()
	_, response, err := c.V2025.SearchAPI.SearchPost(t.Context()).Search(searched(`name:(a OR`)).Execute()
	if err == nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("err %v", err)
	}
}

// TestNeighbours reads what stands beside the identities with the published types, which refuse members of another
// shape.
func TestNeighbours(t *testing.T) {
	c, ctx := newAdmin(t), t.Context()
	v := c.V2025
	owner := c.id(t, "visitor-owner")
	sources, response, err := v.SourcesAPI.ListSources(ctx).Sorters("name").Count(true).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if total, _ := strconv.Atoi(response.Header.Get("X-Total-Count")); total != len(sources) || total < 2 {
		t.Fatalf("%d sources, total %d", len(sources), total)
	}
	byName := func(a, b api_v2025.Source) int { return strings.Compare(a.GetName(), b.GetName()) }
	if !slices.IsSortedFunc(sources, byName) {
		t.Errorf("the sources are not sorted: %v", sources)
	}
	if one, _, err := v.SourcesAPI.GetSource(ctx, sources[0].GetId()).Execute(); err != nil || one.GetName() != sources[0].GetName() {
		t.Errorf("got %v, %v", one, err)
	}
	if schemas, _, err := v.SourcesAPI.GetSourceSchemas(ctx, sources[0].GetId()).Execute(); err != nil || len(schemas) == 0 {
		t.Errorf("%d schemas, %v", len(schemas), err)
	}
	accounts, _, err := v.AccountsAPI.ListAccounts(ctx).Filters(`identityId eq "` + c.id(t, chief) + `"`).Execute()
	if err != nil || len(accounts) == 0 {
		t.Fatalf("%d accounts, %v", len(accounts), err)
	}
	if _, _, err := v.AccountsAPI.GetAccountEntitlements(ctx, accounts[0].GetId()).Execute(); err != nil {
		t.Error(err)
	}
	roles, _, err := v.RolesAPI.ListRoles(ctx).Filters(`owner.id eq "` + owner + `"`).Execute()
	if err != nil || len(roles) == 0 {
		t.Fatalf("%d roles, %v", len(roles), err)
	}
	if members, _, err := v.RolesAPI.GetRoleAssignedIdentities(ctx, roles[0].GetId()).Execute(); err != nil {
		t.Errorf("members %v, %v", members, err)
	}
	if profiles, _, err := v.AccessProfilesAPI.ListAccessProfiles(ctx).Execute(); err != nil || len(profiles) == 0 {
		t.Errorf("%d access profiles, %v", len(profiles), err)
	}
	if entitlements, _, err := v.EntitlementsAPI.ListEntitlements(ctx).Execute(); err != nil || len(entitlements) == 0 {
		t.Errorf("%d entitlements, %v", len(entitlements), err)
	}
	profiles, _, err := v.IdentityProfilesAPI.ListIdentityProfiles(ctx).Execute()
	if err != nil || len(profiles) == 0 {
		t.Fatalf("%d identity profiles, %v", len(profiles), err)
	}
	if states, _, err := v.LifecycleStatesAPI.GetLifecycleStates(ctx, profiles[0].GetId()).Execute(); err != nil || len(states) == 0 {
		t.Errorf("%d lifecycle states, %v", len(states), err)
	}
	if transforms, _, err := v.TransformsAPI.ListTransforms(ctx).Execute(); err != nil || len(transforms) == 0 {
		t.Errorf("%d transforms, %v", len(transforms), err)
	}
	if tasks, _, err := v.TaskManagementAPI.GetTaskStatusList(ctx).Execute(); err != nil || len(tasks) == 0 {
		t.Errorf("%d tasks, %v", len(tasks), err)
	}
	if public, _, err := v.PublicIdentitiesAPI.GetPublicIdentities(ctx).Filters(`alias eq "` + chief + `"`).Execute(); err != nil || len(public) != 1 {
		t.Errorf("%d public identities, %v", len(public), err)
	}
	if _, _, err := v.AccountActivitiesAPI.ListAccountActivities(ctx).Execute(); err != nil {
		t.Error(err)
	}
}
