package sdktest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sailpoint-oss/golang-sdk/v2/api_beta"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func TestUnknownIdentityIsNotFound(t *testing.T) {
	c := newAdmin(t)
	api, ctx := c.identities(), t.Context()
	for name, ask := range map[string]func(id string) (*http.Response, error){
		"get": func(id string) (*http.Response, error) {
			_, response, err := api.GetIdentity(ctx, id).Execute()
			return response, err
		},
		"delete": func(id string) (*http.Response, error) { return api.DeleteIdentity(ctx, id).Execute() },
		"ownership": func(id string) (*http.Response, error) {
			_, response, err := api.GetIdentityOwnershipDetails(ctx, id).Execute()
			return response, err
		},
		"role assignments": func(id string) (*http.Response, error) {
			_, response, err := api.GetRoleAssignments(ctx, id).Execute()
			return response, err
		},
		"role assignment": func(id string) (*http.Response, error) {
			_, response, err := api.GetRoleAssignment(ctx, id, id).Execute()
			return response, err
		},
		"reset": func(id string) (*http.Response, error) { return api.ResetIdentity(ctx, id).Execute() },
		"verification": func(id string) (*http.Response, error) {
			return api.SendIdentityVerificationAccountToken(ctx, id).
				SendAccountVerificationRequest(verification("EMAIL_WORK", "")).Execute()
		},
		"invitation": func(id string) (*http.Response, error) {
			_, response, err := api.StartIdentitiesInvite(ctx).
				InviteIdentitiesRequest(inviteRequest(id)).Execute()
			return response, err
		},
		"processing": func(id string) (*http.Response, error) {
			_, response, err := api.StartIdentityProcessing(ctx).ProcessIdentitiesRequest(processRequest(id)).Execute()
			return response, err
		},
		"synchronization": func(id string) (*http.Response, error) {
			_, response, err := api.SynchronizeAttributesForIdentity(ctx, id).Execute()
			return response, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, id := range []string{unknownID, "nobody at all/ü?"} {
				response, err := ask(id)
				demandError(t, response, err, http.StatusNotFound, "404 Not found", id)
			}
		})
	}
}

func TestListIdentitiesRefusesBadInput(t *testing.T) {
	const syntax, illegal = "400.0 Bad request syntax", "400.1.3 Illegal value"
	c := newAdmin(t)
	type request = api_beta.ApiListIdentitiesRequest
	for name, test := range map[string]struct {
		ask        func(r request) request
		detailCode string
		words      []string
	}{
		"filter that does not parse": {func(r request) request { return r.Filters(`name eq`) }, syntax,
			[]string{"position 8", "value"}},
		"field that the list does not filter by": {func(r request) request {
			return r.Filters(`department eq "Sales"`)
		}, illegal, []string{"department", "lastname"}},
		"operator that the field does not have": {func(r request) request {
			return r.Filters(`name co "Ann"`)
		}, illegal, []string{"co", "name"}},
		"unknown sorter": {func(r request) request { return r.Sorters("email") }, illegal, []string{"email", "name"}},
		"limit above 250": {func(r request) request { return r.Limit(251) }, illegal,
			[]string{"limit", "251", "250"}},
		"limit below 0":  {func(r request) request { return r.Limit(-1) }, illegal, []string{"limit", "-1"}},
		"offset below 0": {func(r request) request { return r.Offset(-1) }, illegal, []string{"offset", "-1"}},
		"default filter": {func(r request) request { return r.DefaultFilter("ALL") }, illegal,
			[]string{"defaultFilter", "ALL", "CORRELATED_ONLY", "NONE"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, response, err := test.ask(c.identities().ListIdentities(t.Context())).Execute()
			demandError(t, response, err, http.StatusBadRequest, test.detailCode, test.words...)
		})
	}
}

// A client that asks for a language is told which one it got.
func TestErrorInLanguageThatWasAskedFor(t *testing.T) {
	c := newAdmin(t)
	c.Beta.GetConfig().AddDefaultHeader("Accept-Language", "de, en-GB;q=0.7")
	_, response, err := c.identities().GetIdentity(t.Context(), unknownID).Execute()
	refusal := refused(t, response, err, http.StatusNotFound)
	dto, ok := refusal.Model().(api_beta.ErrorResponseDto)
	if !ok || len(dto.Messages) != 2 || dto.Messages[1].GetLocale() != "en-US" ||
		dto.Messages[1].GetLocaleOrigin() != api_beta.LOCALEORIGIN_REQUEST {
		t.Errorf("got %s, want ok && len(dto.Messages) == 2 && dto.Messages[1].GetLocale() == \"en-US\" && dto.Messages[1].GetLocaleOrigin() == api_beta.LOCALEORIGIN_REQUEST", refusal.Body())
	}
}

// The SDK does not look at what the token request ended with: without a token it calls with an empty one.
func TestCallerIsNotAuthenticated(t *testing.T) {
	for name, test := range map[string]struct {
		id, secret string
		token      string
		ctx        context.Context // none for the SDK's way to send no header at all
	}{
		"wrong secret":     {id: adminID, secret: plainSecret, ctx: t.Context()},
		"unknown client":   {id: "nobody", secret: adminSecret, ctx: t.Context()},
		"empty token":      {ctx: t.Context()},
		"no header":        {},
		"what is no token": {token: "e30.e30.e30", ctx: t.Context()},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, test.id, test.secret)
			c.Beta.GetConfig().Token = test.token
			_, response, err := c.identities().ListIdentities(test.ctx).Execute()
			text := gatewayText(t, response, err, http.StatusUnauthorized, "error")
			if !strings.HasPrefix(text, "JWT validation failed: JWT is ") {
				t.Errorf("it says %q", text)
			}
			if response.Header.Get("WWW-Authenticate") == "" {
				t.Error("WWW-Authenticate is missing")
			}
		})
	}
}

// The tokens are those of OAuth 2.0: a client that was made for that gets along with them.
func TestToken(t *testing.T) {
	config := clientcredentials.Config{ClientID: adminID, ClientSecret: adminSecret,
		TokenURL: tested.url + "/oauth/token"}
	token, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if life := time.Until(token.Expiry); token.Type() != "Bearer" || life < time.Minute || life > 24*time.Hour {
		t.Errorf("a token of the type %s that lasts %s", token.Type(), life)
	}
	// The SDK takes a source of tokens instead of a client's name and secret.
	c := newClient(t, "", "")
	ctx := context.WithValue(t.Context(), api_beta.ContextOAuth2, config.TokenSource(t.Context()))
	if found, _, err := c.identities().ListIdentities(ctx).Limit(1).Execute(); err != nil || len(found) != 1 {
		t.Errorf("%d identities: %v", len(found), err)
	}
	config.ClientSecret = plainSecret
	_, err = config.Token(t.Context())
	var refusal *oauth2.RetrieveError
	if !errors.As(err, &refusal) || refusal.Response.StatusCode != http.StatusUnauthorized ||
		refusal.ErrorCode != "invalid_client" {
		t.Errorf("a wrong secret is refused with %v", err)
	}
}

// A client without a user level reads nobody by the scope for everything alone, and changes nothing.
func TestCallerWithoutUserLevelIsForbidden(t *testing.T) {
	c, admin := newClient(t, plainID, plainSecret), newAdmin(t)
	api, ctx := c.identities(), t.Context()
	identity := admin.find(t, "visitor-guest")
	id := identity.GetId()
	for name, ask := range map[string]func() (*http.Response, error){
		"list": func() (*http.Response, error) {
			_, response, err := api.ListIdentities(ctx).Execute()
			return response, err
		},
		"get": func() (*http.Response, error) {
			_, response, err := api.GetIdentity(ctx, id).Execute()
			return response, err
		},
		"delete": func() (*http.Response, error) { return api.DeleteIdentity(ctx, id).Execute() },
		"reset":  func() (*http.Response, error) { return api.ResetIdentity(ctx, id).Execute() },
		"verification": func() (*http.Response, error) {
			return api.SendIdentityVerificationAccountToken(ctx, id).
				SendAccountVerificationRequest(verification("EMAIL_WORK", "")).Execute()
		},
		"invitation": func() (*http.Response, error) {
			_, response, err := api.StartIdentitiesInvite(ctx).
				InviteIdentitiesRequest(inviteRequest(id)).Execute()
			return response, err
		},
		"processing": func() (*http.Response, error) {
			_, response, err := api.StartIdentityProcessing(ctx).ProcessIdentitiesRequest(processRequest(id)).Execute()
			return response, err
		},
		"synchronization": func() (*http.Response, error) {
			_, response, err := api.SynchronizeAttributesForIdentity(ctx, id).Execute()
			return response, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := ask()
			demandError(t, response, err, http.StatusForbidden, "403 Forbidden")
		})
	}
	// The SDK knows no body for a refusal of this operation.
	_, response, err := c.Beta.TaskManagementAPI.GetTaskStatus(ctx, unknownID).Execute()
	_ = refused(t, response, err, http.StatusForbidden)
	if now := admin.get(t, id); now.GetIdentityStatus() != "UNREGISTERED" ||
		!now.GetLastRefresh().Equal(identity.GetLastRefresh().Time) {
		t.Errorf("it is %+v now", now)
	}
}

// A client may make 100 requests at once, of each version of the API. The SDK waits, and gets its answer.
func TestRateLimit(t *testing.T) {
	const atOnce, most = 100, 1000
	c := newClient(t, busyID, busySecret).once()
	api, ctx := c.identities(), t.Context()
	for len(c.statuses) < most && c.answers(http.StatusTooManyRequests) == 0 {
		_, response, err := api.ListIdentities(ctx).Limit(0).Execute()
		if len(c.statuses) <= atOnce && err != nil {
			t.Fatalf("request %d: %v", len(c.statuses), err)
		}
		if err != nil {
			if text := gatewayText(t, response, err, http.StatusTooManyRequests, "message"); text != rateLimitText {
				t.Errorf("it says %q", text)
			}
		}
	}
	if len(c.statuses) == most {
		t.Fatalf("%d requests are not too many", most)
	}
	if _, _, err := c.V2024.IdentitiesAPI.ListIdentities(ctx).Limit(0).Execute(); err != nil {
		t.Errorf("another version has no limit of its own: %v", err)
	}
	if _, _, err := newClient(t, busyID, busySecret).identities().ListIdentities(ctx).Limit(0).Execute(); err != nil {
		t.Errorf("the SDK does not get its answer by waiting: %v", err)
	}
}
