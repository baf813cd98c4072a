package sdktest

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sailpoint-oss/golang-sdk/v2/api_beta"
)

func processRequest(ids ...string) api_beta.ProcessIdentitiesRequest {
	return api_beta.ProcessIdentitiesRequest{IdentityIds: ids}
}

func TestProcessIdentities(t *testing.T) {
	c := newAdmin(t)
	before := map[string]time.Time{}
	var ids []string
	for _, alias := range []string{"visitor-queue-1", "visitor-queue-2", "visitor-queue-3"} {
		identity := c.find(t, alias)
		ids = append(ids, identity.GetId())
		before[identity.GetId()] = identity.GetLastRefresh().Time
	}
	// One that is named twice counts once.
	started, response, err := c.identities().StartIdentityProcessing(t.Context()).
		ProcessIdentitiesRequest(processRequest(append(ids, ids[0])...)).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusAccepted || started.GetType() != "TASK_RESULT" || started.Name != nil ||
		len(started.AdditionalProperties) != 0 {
		t.Errorf("status %d, %+v", response.StatusCode, started)
	}
	task := c.ended(t, started.GetId())
	if task.GetCompletionStatus() != "SUCCESS" || task.PercentComplete != 100 || task.Launcher != adminID ||
		task.Type != "QUEUED_TASK" {
		t.Errorf("got %+v, want task.GetCompletionStatus() == \"SUCCESS\" && task.PercentComplete == 100 && task.Launcher == adminID && task.Type == \"QUEUED_TASK\"", task)
	}
	demandTimes(t, task)
	if task.Attributes["identityCount"] != 3.0 || task.Attributes["errorCount"] != 0.0 {
		t.Errorf("counts are %v", task.Attributes)
	}
	if kind := task.GetTaskDefinitionSummary(); kind.UniqueName != "IDENTITY_REFRESH" {
		t.Errorf("the task is one of %+v", kind)
	}
	for id, was := range before {
		if is := c.get(t, id).GetLastRefresh(); !is.After(was) {
			t.Errorf("it was refreshed at %v, and at %v before", is, was)
		}
	}
	// The task is in the list too, and not among those that are still to do.
	tasks, _, err := c.Beta.TaskManagementAPI.GetTaskStatusList(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for i := range tasks {
		found = found || tasks[i].Id == task.Id
	}
	if !found {
		t.Errorf("the task %s is not among the %d of the list", task.Id, len(tasks))
	}
}

// demandTimes demands the times of a task that has ended, in their order.
func demandTimes(t *testing.T, task *api_beta.TaskStatus) {
	t.Helper()
	launched, completed := task.Launched.Get(), task.Completed.Get()
	if launched == nil || completed == nil || launched.Before(task.Created.Time) || completed.Before(launched.Time) ||
		time.Since(task.Created.Time) > time.Hour {
		t.Errorf("created %v, launched %v, completed %v", task.Created, launched, completed)
	}
}

func TestProcessIdentitiesRefusesLists(t *testing.T) {
	c := newAdmin(t)
	id := c.id(t, "visitor-queue-1")
	for name, test := range map[string]struct {
		ids        []string
		status     int
		detailCode string
		words      []string
	}{
		"none": {nil, http.StatusBadRequest, "400.1.0 Required data missing or empty", []string{"1 to 250"}},
		"251": {make([]string, 251), http.StatusBadRequest, "400.1.4 Limit violation",
			[]string{"251", "1 to 250"}},
		"unknown among": {[]string{id, unknownID, "nobody"}, http.StatusNotFound, "404 Not found",
			[]string{unknownID, "nobody"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, response, err := c.identities().StartIdentityProcessing(t.Context()).
				ProcessIdentitiesRequest(processRequest(test.ids...)).Execute()
			demandError(t, response, err, test.status, test.detailCode, test.words...)
		})
	}
}

// Synchronizing on demand brings the account of somebody up to date whom processing leaves alone.
func TestSynchronizeAttributes(t *testing.T) {
	c := newAdmin(t)
	if text := turnstile(t); !strings.Contains(text, "visitor-away,"+drifted) {
		t.Fatalf("the account is up to date before:\n%s", text)
	}
	id := c.id(t, "visitor-away")
	job, response, err := c.identities().SynchronizeAttributesForIdentity(t.Context(), id).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusAccepted || job.Status != "QUEUED" && job.Status != "IN_PROGRESS" ||
		job.Payload.Type != "SYNCHRONIZE_IDENTITY_ATTRIBUTES" || len(job.AdditionalProperties) != 0 {
		t.Errorf("status %d, %+v", response.StatusCode, job)
	}
	var data map[string]string
	if err := json.Unmarshal([]byte(job.Payload.DataJson), &data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"identityId": id}, data); diff != "" {
		t.Errorf("dataJson, -want +got:\n%s", diff)
	}
	task := c.ended(t, job.Id)
	target := task.GetTarget()
	if task.GetCompletionStatus() != "SUCCESS" || task.Attributes["operationCount"] != 1.0 ||
		target.GetId() != id || target.GetType() != "IDENTITY" {
		t.Errorf("%+v about %+v", task, target)
	}
	await(t, "the row of the file", func(context.Context) bool {
		return strings.Contains(turnstile(t), "visitor-away,"+synchronized+"\n")
	})
}

func turnstile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(tested.program.turnstileFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSynchronizeAttributesTwiceIsTooOften(t *testing.T) {
	c := newClient(t, impatientID, impatientSecret).once()
	id := c.id(t, "visitor-limited")
	if _, _, err := c.identities().SynchronizeAttributesForIdentity(t.Context(), id).Execute(); err != nil {
		t.Fatal(err)
	}
	_, response, err := c.identities().SynchronizeAttributesForIdentity(t.Context(), id).Execute()
	if text := gatewayText(t, response, err, http.StatusTooManyRequests, "message"); text != rateLimitText {
		t.Errorf("it says %q", text)
	}
	if wait, err := strconv.Atoi(response.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 10 {
		t.Errorf("Retry-After is %q", response.Header.Get("Retry-After"))
	}
}

// The SDK waits as long as it is told to, and succeeds at the first try after that.
func TestSynchronizeAttributesTwiceWaits(t *testing.T) {
	c := newClient(t, impatientID, impatientSecret)
	id := c.id(t, "visitor-patient")
	c.statuses = nil
	first, _, err := c.identities().SynchronizeAttributesForIdentity(t.Context(), id).Execute()
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := c.identities().SynchronizeAttributesForIdentity(t.Context(), id).Execute()
	if err != nil {
		t.Fatal(err)
	}
	want := []int{http.StatusAccepted, http.StatusTooManyRequests, http.StatusAccepted}
	if diff := cmp.Diff(want, c.statuses); diff != "" || first.Id == second.Id {
		t.Errorf("the jobs are %s and %s; answers, -want +got:\n%s", first.Id, second.Id, diff)
	}
}
