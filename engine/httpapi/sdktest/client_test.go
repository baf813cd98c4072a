package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	sailpoint "github.com/sailpoint-oss/golang-sdk/v2"
	"github.com/sailpoint-oss/golang-sdk/v2/api_beta"
)

// client is the SDK's client, and what it saw.
type client struct {
	*sailpoint.APIClient
	http     *retryablehttp.Client
	statuses []int // of all answers, also of those that the SDK did not return because it tried again
}

// newClient returns a client that gets its token by itself, as the SDK does by default, and tries again when the server
// says so. It is for one goroutine.
func newClient(t *testing.T, id, secret string) *client {
	t.Helper()
	c := &client{http: retryablehttp.NewClient()}
	c.http.Logger = nil
	c.http.ResponseLogHook = func(_ retryablehttp.Logger, response *http.Response) {
		c.statuses = append(c.statuses, response.StatusCode)
	}
	t.Cleanup(c.http.HTTPClient.CloseIdleConnections)
	config := sailpoint.NewConfiguration(sailpoint.ClientConfiguration{
		ClientId: id, ClientSecret: secret, BaseURL: tested.url, TokenURL: tested.url + "/oauth/token",
	})
	config.Experimental = true
	config.HTTPClient = c.http
	c.APIClient = sailpoint.NewAPIClient(config)
	return c
}

func newAdmin(t *testing.T) *client {
	t.Helper()
	return newClient(t, adminID, adminSecret)
}

// once makes a client take the first answer, whatever it is.
func (c *client) once() *client {
	c.http.RetryMax = 0
	c.http.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return c
}

// answers returns how many answers had a status.
func (c *client) answers(status int) int {
	n := 0
	for _, s := range c.statuses {
		if s == status {
			n++
		}
	}
	return n
}

func (c *client) identities() *api_beta.IdentitiesAPIService { return c.Beta.IdentitiesAPI }

// find returns the identity with an alias, whether it is correlated or not.
func (c *client) find(t *testing.T, alias string) *api_beta.Identity {
	t.Helper()
	found, _, err := c.identities().ListIdentities(t.Context()).DefaultFilter("NONE").
		Filters(`alias eq "` + alias + `"`).Execute()
	if err != nil || len(found) != 1 {
		t.Fatalf("%d identities with the alias %s: %v", len(found), alias, err)
	}
	return &found[0]
}

func (c *client) id(t *testing.T, alias string) string {
	t.Helper()
	return c.find(t, alias).GetId()
}

func (c *client) get(t *testing.T, id string) *api_beta.Identity {
	t.Helper()
	identity, _, err := c.identities().GetIdentity(t.Context(), id).Execute()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// The times that somebody waits for what the server does by itself.
const (
	waitTimeout  = time.Minute
	waitInterval = 200 * time.Millisecond
)

// await asks again and again until something is so.
func await(t *testing.T, what string, done func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	ticker := time.NewTicker(waitInterval)
	defer ticker.Stop()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s", what, waitTimeout)
		case <-ticker.C:
		}
	}
}

// ended returns a task when it has come to its end.
func (c *client) ended(t *testing.T, id string) *api_beta.TaskStatus {
	t.Helper()
	var task *api_beta.TaskStatus
	await(t, "the end of the task "+id, func(ctx context.Context) bool {
		var err error
		if task, _, err = c.Beta.TaskManagementAPI.GetTaskStatus(ctx, id).Execute(); err != nil {
			t.Fatal(err)
		}
		return task.CompletionStatus.Get() != nil
	})
	return task
}

// refused demands that the SDK reports an answer as an error, and returns it as the SDK does.
func refused(t *testing.T, response *http.Response, err error, status int) *api_beta.GenericOpenAPIError {
	t.Helper()
	var refusal *api_beta.GenericOpenAPIError
	if !errors.As(err, &refusal) || response == nil {
		t.Fatalf("%v is no refusal of the server's", err)
	}
	if response.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", response.StatusCode, status, refusal.Body())
	}
	return refusal
}

var trackingID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// demandError demands an error in the API's own shape, with all of the words in its text.
func demandError(t *testing.T, response *http.Response, err error, status int, detailCode string, words ...string) {
	t.Helper()
	refusal := refused(t, response, err, status)
	dto, ok := refusal.Model().(api_beta.ErrorResponseDto)
	if !ok {
		t.Fatalf("the body is decoded as %T (%v): %s", refusal.Model(), err, refusal.Body())
	}
	if dto.GetDetailCode() != detailCode || !trackingID.MatchString(dto.GetTrackingId()) {
		t.Errorf("detail code %q, want %q: %s", dto.GetDetailCode(), detailCode, refusal.Body())
	}
	if dto.Causes == nil || len(dto.Causes) != 0 || len(dto.AdditionalProperties) != 0 {
		t.Errorf("an empty list of causes is missing, or something else is there: %s", refusal.Body())
	}
	// The text comes in the server's language and in the one that was asked for.
	if len(dto.Messages) != 2 {
		t.Fatalf("%d messages, want 2: %s", len(dto.Messages), refusal.Body())
	}
	for i, want := range []struct {
		locale string
		origin api_beta.LocaleOrigin
	}{{"en-US", api_beta.LOCALEORIGIN_DEFAULT}, {"und", api_beta.LOCALEORIGIN_REQUEST}} {
		m := &dto.Messages[i]
		if m.GetLocale() != want.locale || m.GetLocaleOrigin() != want.origin ||
			m.GetText() != dto.Messages[0].GetText() {
			t.Errorf("message %d is %s, want %v", i, refusal.Body(), want)
		}
	}
	for _, word := range words {
		if !strings.Contains(dto.Messages[0].GetText(), word) {
			t.Errorf("%q is missing in %q", word, dto.Messages[0].GetText())
		}
	}
}

// gatewayText demands an error in the shape of the gateway and returns its text. The SDK takes the one member for an
// object though it is published as a text: it reports that, and leaves the body as it is.
func gatewayText(t *testing.T, response *http.Response, err error, status int, member string) string {
	t.Helper()
	refusal := refused(t, response, err, status)
	var body map[string]string
	if err := json.Unmarshal(refusal.Body(), &body); err != nil || len(body) != 1 || body[member] == "" {
		t.Errorf("the body is %s, want a text as %s: %v", refusal.Body(), member, err)
	}
	return body[member]
}

// rateLimitText is what a client that calls too often is told.
const rateLimitText = " Rate Limit Exceeded "
