package sdktest

import (
	"net/http"
	"testing"
	"time"

	"github.com/sailpoint-oss/golang-sdk/v2/api_beta"
)

func inviteRequest(ids ...string) api_beta.InviteIdentitiesRequest {
	return api_beta.InviteIdentitiesRequest{Ids: ids}
}

// The server sends no mail in the tests: it logs what it would send, and counts it as sent.
func TestInviteIdentities(t *testing.T) {
	c := newAdmin(t)
	id := c.id(t, "visitor-invited")
	task := c.invite(t, id)
	if len(task.Messages) != 0 {
		t.Errorf("messages %+v", task.Messages)
	}
	done := c.ended(t, task.Id)
	if done.GetCompletionStatus() != "SUCCESS" || done.PercentComplete != 100 ||
		done.Attributes["changedCount"] != 1.0 || len(done.Messages) != 0 {
		t.Errorf("got %+v, want done.GetCompletionStatus() == \"SUCCESS\" && done.PercentComplete == 100 && done.Attributes[\"changedCount\"] == 1.0 && len(done.Messages) == 0", done)
	}
	demandTimes(t, done)
	identity := c.get(t, id)
	if identity.GetIdentityStatus() != "PENDING" || identity.Attributes["cloudStatus"] != "PENDING" {
		t.Errorf("got %+v, want identity.GetIdentityStatus() == \"PENDING\" && identity.Attributes[\"cloudStatus\"] == \"PENDING\"", identity)
	}
	pending, _, err := c.identities().ListIdentities(t.Context()).
		Filters(`cloudStatus eq "PENDING" and alias eq "visitor-invited"`).Execute()
	if err != nil || len(pending) != 1 {
		t.Errorf("%d identities are pending: %v", len(pending), err)
	}

	// A client that repeats its call invites nobody twice.
	repeated := c.invite(t, id)
	if len(repeated.Messages) != 1 {
		t.Fatalf("messages %+v", repeated.Messages)
	}
	message := &repeated.Messages[0]
	text := message.LocalizedText.Get()
	if message.Type != "INFO" || message.Key != "IDENTITY_INVITED_BEFORE" || text == nil || text.Locale != "en-US" ||
		text.Message == "" || len(message.Parameters) != 1 || message.Parameters[0].String == nil ||
		*message.Parameters[0].String != id {
		t.Errorf("got %+v %+v, want message.Type == \"INFO\" && message.Key == \"IDENTITY_INVITED_BEFORE\" && text != nil && text.Locale == \"en-US\" && text.Message != \"\" && len(message.Parameters) == 1 && message.Parameters[0].String != nil && *message.Parameters[0].String == id", message, text)
	}
	done = c.ended(t, repeated.Id)
	if done.GetCompletionStatus() != "SUCCESS" || done.Attributes["changedCount"] != 0.0 || len(done.Messages) != 1 {
		t.Errorf("got %+v, want done.GetCompletionStatus() == \"SUCCESS\" && done.Attributes[\"changedCount\"] == 0.0 && len(done.Messages) == 1", done)
	}
}

// invite invites an identity, and demands the task as it is at first.
func (c *client) invite(t *testing.T, id string) *api_beta.TaskStatus {
	t.Helper()
	task, response, err := c.identities().StartIdentitiesInvite(t.Context()).
		InviteIdentitiesRequest(inviteRequest(id)).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusAccepted || len(task.Id) != len(unknownID) || task.Type != "QUEUED_TASK" ||
		task.Launcher != adminID || task.UniqueName != "Invite 1 identity" || task.Description != task.UniqueName {
		t.Errorf("status %d, %+v", response.StatusCode, task)
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
	return task
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

// Who is reset was never invited.
func TestResetIdentity(t *testing.T) {
	c := newAdmin(t)
	id := c.id(t, "visitor-reset")
	c.ended(t, c.invite(t, id).Id)
	if status := c.get(t, id).GetIdentityStatus(); status != "PENDING" {
		t.Fatalf("the status is %s before", status)
	}
	response, err := c.identities().ResetIdentity(t.Context(), id).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusAccepted || response.ContentLength != 0 {
		t.Errorf("status %d with %d bytes", response.StatusCode, response.ContentLength)
	}
	identity := c.get(t, id)
	if identity.GetIdentityStatus() != "UNREGISTERED" || identity.Attributes["cloudStatus"] != "UNREGISTERED" ||
		identity.Attributes["internalCloudStatus"] != "UNREGISTERED" {
		t.Errorf("got %+v, want identity.GetIdentityStatus() == \"UNREGISTERED\" && identity.Attributes[\"cloudStatus\"] == \"UNREGISTERED\" && identity.Attributes[\"internalCloudStatus\"] == \"UNREGISTERED\"", identity)
	}
	// The invitation was revoked, so that the next one is sent at once.
	if task := c.ended(t, c.invite(t, id).Id); task.Attributes["changedCount"] != 1.0 {
		t.Errorf("got %v, want task.Attributes[\"changedCount\"] == 1.0", task.Attributes)
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
	for _, request := range []api_beta.SendAccountVerificationRequest{
		verification("EMAIL_WORK", ""), verification("LINK_PERSONAL", "Turnstile"),
		verification("EMAIL_WORK", ""), // as before: a client repeated its call
	} {
		response, err := c.identities().SendIdentityVerificationAccountToken(t.Context(), id).
			SendAccountVerificationRequest(request).Execute()
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK || response.ContentLength != 0 {
			t.Errorf("status %d with %d bytes", response.StatusCode, response.ContentLength)
		}
	}
	// The answer names no task: what was launched is in the list of tasks.
	tasks, _, err := c.Beta.TaskManagementAPI.GetTaskStatusList(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for i := range tasks {
		kind, target := tasks[i].GetTaskDefinitionSummary(), tasks[i].GetTarget()
		if kind.UniqueName != "ACCOUNT_VERIFICATION" || target.GetType() != "IDENTITY" || target.GetId() != id {
			continue
		}
		sent++
		task := c.ended(t, tasks[i].Id)
		if task.GetCompletionStatus() != "SUCCESS" || task.Attributes["changedCount"] != 1.0 {
			t.Errorf("got %+v, want task.GetCompletionStatus() == \"SUCCESS\" && task.Attributes[\"changedCount\"] == 1.0", task)
		}
	}
	if sent != 2 {
		t.Errorf("%d verifications were sent, want 2", sent)
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
