package sdktest

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sailpoint-oss/golang-sdk/v2/api_beta"
)

func inviteRequest(ids ...string) api_beta.InviteIdentitiesRequest {
	return api_beta.InviteIdentitiesRequest{Ids: ids}
}

// The server is given nothing to send mail by: what it is asked to send waits, and nobody counts as invited.
func TestInviteIdentities(t *testing.T) {
	c := newAdmin(t)
	id := c.id(t, "visitor-invited")
	task, response, err := c.identities().StartIdentitiesInvite(t.Context()).
		InviteIdentitiesRequest(inviteRequest(id)).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusAccepted {
		t.Errorf("status %d", response.StatusCode)
	}
	demandInvitation(t, task)
	if len(task.Messages) != 0 {
		t.Errorf("messages %+v", task.Messages)
	}
	again, _, err := c.Beta.TaskManagementAPI.GetTaskStatus(t.Context(), task.Id).Execute()
	if err != nil {
		t.Fatal(err)
	}
	demandInvitation(t, again)
	pending := c.pending(t)
	if !slices.ContainsFunc(pending, func(other api_beta.TaskStatus) bool { return other.Id == task.Id }) {
		t.Errorf("the task is not among the %d that are still to do", len(pending))
	}
	if status := c.get(t, id).GetIdentityStatus(); status != "UNREGISTERED" {
		t.Errorf("the status is %s, and no mail was sent", status)
	}

	// A client that repeats its call invites nobody twice.
	repeated, _, err := c.identities().StartIdentitiesInvite(t.Context()).
		InviteIdentitiesRequest(inviteRequest(id)).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if len(repeated.Messages) != 1 {
		t.Fatalf("messages %+v", repeated.Messages)
	}
	message := &repeated.Messages[0]
	text := message.LocalizedText.Get()
	if message.Type != "INFO" || message.Key != "IDENTITY_INVITED_BEFORE" || text == nil || text.Locale != "en-US" ||
		text.Message == "" || len(message.Parameters) != 1 || message.Parameters[0].String == nil ||
		*message.Parameters[0].String != id {
		t.Errorf("%+v %+v", message, text)
	}
}

// pending returns the tasks that are still to do.
func (c *client) pending(t *testing.T) []api_beta.TaskStatus {
	t.Helper()
	tasks, _, err := c.Beta.TaskManagementAPI.GetTaskStatusList(t.Context()).
		Filters("completionStatus isnull").Execute()
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

// demandInvitation demands an invitation of one identity that has not been sent.
func demandInvitation(t *testing.T, task *api_beta.TaskStatus) {
	t.Helper()
	if len(task.Id) != len(unknownID) || task.Type != "QUEUED_TASK" || task.Launcher != adminID ||
		task.UniqueName != "Invite 1 identity" || task.Description != task.UniqueName || task.PercentComplete != 0 {
		t.Errorf("%+v", task)
	}
	if kind := task.GetTaskDefinitionSummary(); kind.UniqueName != "IDENTITY_INVITATION" {
		t.Errorf("the task is one of %+v", kind)
	}
	if !task.CompletionStatus.IsSet() || task.CompletionStatus.Get() != nil || !task.Completed.IsSet() ||
		task.Completed.Get() != nil || !task.ParentName.IsSet() || task.ParentName.Get() != nil {
		t.Errorf("it has ended, or has a parent: %+v", task)
	}
	if age := time.Since(task.Created.Time); age < 0 || age > time.Hour {
		t.Errorf("created at %v", task.Created)
	}
	if task.Attributes["identityCount"] != 0.0 || len(task.AdditionalProperties) != 0 {
		t.Errorf("attributes %v, and %v", task.Attributes, task.AdditionalProperties)
	}
}

func TestInviteIdentitiesRefusesNobody(t *testing.T) {
	c := newAdmin(t)
	_, response, err := c.identities().StartIdentitiesInvite(t.Context()).
		InviteIdentitiesRequest(inviteRequest()).Execute()
	demandError(t, response, err, http.StatusBadRequest, "400.1.0 Required data missing or empty", "ids", "uninvited")
	id := c.id(t, "visitor-invited")
	_, response, err = c.identities().StartIdentitiesInvite(t.Context()).
		InviteIdentitiesRequest(inviteRequest(id, unknownID)).Execute()
	demandError(t, response, err, http.StatusNotFound, "404 Not found", unknownID)
}

func TestResetIdentity(t *testing.T) {
	c := newAdmin(t)
	id := c.id(t, "visitor-reset")
	response, err := c.identities().ResetIdentity(t.Context(), id).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusAccepted || response.ContentLength != 0 {
		t.Errorf("status %d with %d bytes", response.StatusCode, response.ContentLength)
	}
	if status := c.get(t, id).GetIdentityStatus(); status != "UNREGISTERED" {
		t.Errorf("the status is %s", status)
	}
}

// verification asks for a token by one of the ways, for the accounts on a source or, without one, for the host's own.
func verification(via, source string) api_beta.SendAccountVerificationRequest {
	request := api_beta.NewSendAccountVerificationRequest(via)
	if source == "" {
		request.SetSourceNameNil()
	} else {
		request.SetSourceName(source)
	}
	return *request
}

func TestSendVerification(t *testing.T) {
	c := newAdmin(t)
	id := c.id(t, "visitor-verified")
	for name, request := range map[string]api_beta.SendAccountVerificationRequest{
		"token to the work address":             verification("EMAIL_WORK", ""),
		"link to the personal one for a source": verification("LINK_PERSONAL", "Turnstile"),
	} {
		t.Run(name, func(t *testing.T) {
			response, err := c.identities().SendIdentityVerificationAccountToken(t.Context(), id).
				SendAccountVerificationRequest(request).Execute()
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != http.StatusOK || response.ContentLength != 0 {
				t.Errorf("status %d with %d bytes", response.StatusCode, response.ContentLength)
			}
		})
	}
	waiting, tasks := 0, c.pending(t)
	for i := range tasks {
		kind, target := tasks[i].GetTaskDefinitionSummary(), tasks[i].GetTarget()
		if kind.UniqueName == "ACCOUNT_VERIFICATION" && target.GetType() == "IDENTITY" && target.GetId() == id {
			waiting++
		}
	}
	if waiting != 2 {
		t.Errorf("%d verifications wait to be sent, want 2", waiting)
	}
}

func TestSendVerificationIsRefused(t *testing.T) {
	const illegal, content, reference = "400.1.3 Illegal value", "400.1 Bad request content",
		"400.1.404 Referenced object not found"
	c := newAdmin(t)
	for name, test := range map[string]struct {
		alias      string
		request    api_beta.SendAccountVerificationRequest
		detailCode string
		words      []string
	}{
		"unknown way": {"visitor-verified", verification("PIGEON", ""), illegal,
			[]string{"via", "PIGEON", "EMAIL_WORK"}},
		"no way": {"visitor-verified", verification("", ""), "400.1.0 Required data missing or empty",
			[]string{"via"}},
		"no address": {"visitor-unreachable", verification("EMAIL_WORK", ""), content, []string{"EMAIL_WORK"}},
		"unknown source": {"visitor-verified", verification("EMAIL_WORK", "Moon"), reference,
			[]string{"sourceName", "Moon"}},
		"no account on the source": {"visitor-guest", verification("EMAIL_WORK", "Turnstile"), content,
			[]string{"Turnstile"}},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := c.identities().SendIdentityVerificationAccountToken(t.Context(), c.id(t, test.alias)).
				SendAccountVerificationRequest(test.request).Execute()
			demandError(t, response, err, http.StatusBadRequest, test.detailCode, test.words...)
		})
	}
}
