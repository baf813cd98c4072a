package sdktest

import (
	"context"
	"net/http"
	"slices"
	"testing"

	sailpoint "github.com/sailpoint-oss/golang-sdk/v2"
	"github.com/sailpoint-oss/golang-sdk/v2/api_v2024"
	"github.com/sailpoint-oss/golang-sdk/v2/api_v2025"
	"github.com/sailpoint-oss/golang-sdk/v2/api_v2026"
)

// identity is what the later versions have in common with each other, and with Beta.
type identity interface {
	GetId() string
	GetName() string
	GetAlias() string
	GetEmailAddress() string
	GetIdentityStatus() string
}

// later is what the tests call of a version of the API, whose types in the SDK are its own. Processing is experimental
// there: the SDK says so in a header.
type later struct {
	list    func(ctx context.Context, filters string) ([]identity, *http.Response, error)
	get     func(ctx context.Context, id string) (identity, *http.Response, error)
	process func(ctx context.Context, id string) (task string, response *http.Response, err error)
}

// listed makes the pages of a version's list one list of what the versions have in common.
func listed[T any, P interface {
	*T
	identity
}](request any) ([]identity, *http.Response, error) {
	found, response, err := sailpoint.PaginateWithDefaults[T](request)
	list := make([]identity, len(found))
	for i := range found {
		list[i] = P(&found[i])
	}
	return list, response, err
}

func v2024(c *client) later {
	api := c.V2024.IdentitiesAPI
	return later{
		list: func(ctx context.Context, filters string) ([]identity, *http.Response, error) {
			return listed[api_v2024.Identity](api.ListIdentities(ctx).Filters(filters).Sorters("name"))
		},
		get: func(ctx context.Context, id string) (identity, *http.Response, error) {
			return api.GetIdentity(ctx, id).Execute()
		},
		process: func(ctx context.Context, id string) (string, *http.Response, error) {
			task, response, err := api.StartIdentityProcessing(ctx).
				ProcessIdentitiesRequest(api_v2024.ProcessIdentitiesRequest{IdentityIds: []string{id}}).Execute()
			return task.GetId(), response, err
		},
	}
}

func v2025(c *client) later {
	api := c.V2025.IdentitiesAPI
	return later{
		list: func(ctx context.Context, filters string) ([]identity, *http.Response, error) {
			return listed[api_v2025.Identity](api.ListIdentities(ctx).Filters(filters).Sorters("name"))
		},
		get: func(ctx context.Context, id string) (identity, *http.Response, error) {
			return api.GetIdentity(ctx, id).Execute()
		},
		process: func(ctx context.Context, id string) (string, *http.Response, error) {
			task, response, err := api.StartIdentityProcessing(ctx).
				ProcessIdentitiesRequest(api_v2025.ProcessIdentitiesRequest{IdentityIds: []string{id}}).Execute()
			return task.GetId(), response, err
		},
	}
}

func v2026(c *client) later {
	api := c.V2026.IdentitiesAPI
	return later{
		list: func(ctx context.Context, filters string) ([]identity, *http.Response, error) {
			return listed[api_v2026.Identity](api.ListIdentities(ctx).Filters(filters).Sorters("name"))
		},
		get: func(ctx context.Context, id string) (identity, *http.Response, error) {
			return api.GetIdentity(ctx, id).Execute()
		},
		process: func(ctx context.Context, id string) (string, *http.Response, error) {
			task, response, err := api.StartIdentityProcessing(ctx).
				ProcessIdentitiesRequest(api_v2026.ProcessIdentitiesRequest{IdentityIds: []string{id}}).Execute()
			return task.GetId(), response, err
		},
	}
}

func TestLaterVersions(t *testing.T) {
	for name, version := range map[string]func(c *client) later{"v2024": v2024, "v2025": v2025, "v2026": v2026} {
		t.Run(name, func(t *testing.T) {
			c := newAdmin(t)
			v, ctx := version(c), t.Context()
			everybody, _, err := v.list(ctx, `alias sw "1"`)
			if err != nil {
				t.Fatal(err)
			}
			ids := map[string]bool{}
			for _, found := range everybody {
				ids[found.GetId()] = true
			}
			if len(everybody) != people || len(ids) != people {
				t.Errorf("%d identities with %d IDs, want %d", len(everybody), len(ids), people)
			}
			visitor := c.find(t, "visitor-"+name)
			one, _, err := v.get(ctx, visitor.GetId())
			if err != nil {
				t.Fatal(err)
			}
			// An interface cannot be compared with Beta's otherwise: the fields say all that a client reads most.
			if want := identity(visitor); one.GetId() != want.GetId() || one.GetName() != want.GetName() ||
				one.GetAlias() != want.GetAlias() || one.GetEmailAddress() != want.GetEmailAddress() ||
				one.GetIdentityStatus() != want.GetIdentityStatus() {
				t.Errorf("%+v, want %+v", one, want)
			}
			_, response, err := v.get(ctx, unknownID)
			if err == nil || response.StatusCode != http.StatusNotFound {
				t.Errorf("an unknown identity: %v", err)
			}
			id, response, err := v.process(ctx, visitor.GetId())
			if err != nil {
				t.Fatal(err)
			}
			// The SDK does not write the header's name in its canonical form, by which Go would look for it.
			said := map[string][]string(response.Request.Header)["X-SailPoint-Experimental"]
			if response.StatusCode != http.StatusAccepted || !slices.Equal(said, []string{"true"}) {
				t.Errorf("status %d, X-SailPoint-Experimental %q", response.StatusCode, said)
			}
			task := c.ended(t, id)
			if task.GetCompletionStatus() != "SUCCESS" || task.Attributes["identityCount"] != 1.0 {
				t.Errorf("got %+v, want task.GetCompletionStatus() == \"SUCCESS\" && task.Attributes[\"identityCount\"] == 1.0", task)
			}
			if !c.get(t, visitor.GetId()).GetLastRefresh().After(visitor.GetLastRefresh().Time) {
				t.Error("it was not refreshed")
			}
		})
	}
}
