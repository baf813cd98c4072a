package httpapi_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/httpapi"
)

// upload sends an import.
func (s *server) upload(path, data, options string) *response {
	s.t.Helper()
	var text bytes.Buffer
	form := multipart.NewWriter(&text)
	file, err := form.CreateFormFile("data", "export.json")
	if err == nil {
		_, err = file.Write([]byte(data))
	}
	if err == nil && options != "" {
		err = form.WriteField("options", options)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(request{method: http.MethodPost, path: path, body: text.String(), faulty: true,
		header: http.Header{"Content-Type": {form.FormDataContentType()}}})
}

func TestExportAndImport(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := company(t)
	const at = "/beta/sp-config"
	types := ""
	for _, o := range s.list(at + "/config-objects") {
		types += o["objectType"].(string) + " "
	}
	if !strings.Contains(types, "SOURCE ") || !strings.Contains(types, "IDENTITY_OBJECT_CONFIG ") {
		t.Errorf("the types are %s", types)
	}
	job := s.post(at+"/export", `{"description": "all of it"}`).demandObject(http.StatusAccepted)
	id := job["jobId"].(string)
	if status := s.get(at + "/export/" + id).demandObject(http.StatusOK); status["status"] != "COMPLETE" ||
		status["type"] != "EXPORT" || status["description"] != "all of it" {
		t.Errorf("the job is %v", status)
	}
	var whole struct {
		Objects []struct {
			Self   struct{ Type, ID, Name string }
			Object json.RawMessage
		}
	}
	text := s.get(at+"/export/"+id+"/download").demand(http.StatusOK, &whole).body
	if len(whole.Objects) < 5 {
		t.Fatalf("the export has %s", text)
	}
	count := func(body string) int {
		t.Helper()
		job := s.post(at+"/export", body).demandObject(http.StatusAccepted)
		whole.Objects = nil
		s.get(at+"/export/"+job["jobId"].(string)+"/download").demand(http.StatusOK, &whole)
		return len(whole.Objects)
	}
	all := len(whole.Objects)
	sources := count(`{"includeTypes": ["SOURCE"], "excludeTypes": ["SOURCE"]}`)
	if sources < 2 || count(`{"excludeTypes": ["SOURCE"]}`) != all-sources ||
		count(`{"includeTypes": ["SOURCE"], "objectOptions": {"SOURCE": {"includedNames": ["hr"]}}}`) != 1 {
		t.Errorf("of %d objects %d are sources", all, sources)
	}
	s.wrong("POST", at+"/export", `{"includeTypes": ["SORCE"]}`, illegal, "includeTypes[0]")
	// Another tenant becomes the same.
	other := newServer(t, httpapi.Config{})
	preview := other.upload(at+"/import?preview=true", string(text), "").demandObject(http.StatusAccepted)
	if got := other.list("/v3/transforms"); len(got) != 0 {
		t.Errorf("a preview made %v", got)
	}
	result := other.get(at + "/import/" + preview["jobId"].(string) + "/download").demandObject(http.StatusOK)
	if result["exportJobId"] != nil || result["results"].(object)["SOURCE"] == nil {
		t.Errorf("the preview is %v", result)
	}
	done := other.upload(at+"/import", string(text), `{"excludeTypes": ["ROLE"]}`).demandObject(http.StatusAccepted)
	status := other.get(at + "/import/" + done["jobId"].(string)).demandObject(http.StatusOK)
	if status["status"] != "COMPLETE" || status["type"] != "IMPORT" {
		t.Errorf("the import is %v", status)
	}
	result = other.get(at + "/import/" + done["jobId"].(string) + "/download").demandObject(http.StatusOK)
	if backup, _ := result["exportJobId"].(string); len(backup) != 32 {
		t.Errorf("the result is %v", result)
	} else {
		other.get(at + "/export/" + backup + "/download").demandObject(http.StatusOK)
	}
	if got := other.list("/v3/identity-profiles"); len(got) != 1 || got[0]["name"] != "Employees" {
		t.Errorf("imported are %v", got)
	}
	again := other.upload(at+"/import", string(text), `{"excludeTypes": ["ROLE"], "excludeBackup": true}`).
		demandObject(http.StatusAccepted)
	if again["status"] != "COMPLETE" {
		t.Errorf("the second import is %v", again)
	}
	// What cannot be applied makes the job fail, and nothing is imported.
	const broken = `{"objects": [{"self": {"type": "TRANSFORM", "name": "X"}, "object": {"name": "X", "type": "shout",
		"attributes": {}}}]}`
	failed := other.upload(at+"/import", broken, "").demandObject(http.StatusAccepted)
	if failed["status"] != "FAILED" || !strings.Contains(failed["message"].(string), "shout") {
		t.Errorf("the import is %v", failed)
	}
	other.upload(at+"/import", "no JSON", "").refuses(http.StatusBadRequest, "400.0 Bad request syntax", "data")
	other.upload(at+"/import", "", "").refuses(http.StatusBadRequest, missing, "data")
	other.wrong("POST", at+"/import", `{}`, "400.0 Bad request syntax", "multipart")
	for _, path := range []string{"/export/" + strings.Repeat("e", 32), "/import/x/download", "/import/" + id} {
		s.get(at+path).refuses(http.StatusNotFound, "404 Not found", "")
	}
}

// What an import has to say stands under the type that it is about, once.
func TestImportNotesByType(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	const text = `{"objects": [
		{"self": {"type": "WORKFLOW", "name": "W"}, "object": {"name": "W"}},
		{"self": {"type": "TRANSFORM", "name": "T"}, "object": {"name": "T", "type": "upper", "attributes": {}, "internal": true}},
		{"self": {"type": "SOURCE", "name": "HR"}, "object": {"name": "HR", "healthy": true, "status": "SOURCE_STATE_HEALTHY",
			"connectorAttributes": {"cloudDisplayName": "HR"}, "schemas": [{"name": "account", "attributes": [{"name": "id"}, {"name": "password"}]}]}},
		{"self": {"type": "SOURCE", "name": "App"}, "object": {"name": "App", "healthy": true}},
		{"self": {"type": "IDENTITY_PROFILE", "name": "P"}, "object": {"name": "P", "authoritativeSource": {"name": "HR"}, "identityCount": 5}},
		{"self": {"type": "LIFECYCLE_STATE", "name": "L"}, "object": {"name": "L", "technicalName": "l", "identityProfile": {"name": "P"}}},
		{"self": {"type": "ACCESS_PROFILE", "name": "A"}, "object": {"name": "A", "source": {"id": "2c91808568c529c60168cca6f90c1313", "name": "App"}}},
		{"self": {"type": "ROLE", "name": "R"}, "object": {"name": "R", "requestable": true, "accessProfiles": [{"name": "A"}]}}]}`
	for _, query := range []string{"?preview=true", ""} {
		job := s.upload("/beta/sp-config/import"+query, text, `{"excludeBackup": true}`).demandObject(http.StatusAccepted)
		var result struct {
			Results map[string]struct{ Warnings []struct{ Key, Text string } }
		}
		s.get("/beta/sp-config/import/"+job["jobId"].(string)+"/download").demand(http.StatusOK, &result)
		found := map[string]string{}
		for kind, of := range result.Results {
			for _, w := range of.Warnings {
				if at := found[w.Text]; at != "" || w.Key != "NOTE" {
					t.Errorf("%s%s: %s: also at %s", query, kind, w.Text, at)
				}
				found[w.Text] = kind
			}
		}
		for text, want := range map[string]string{`1 WORKFLOW is skipped`: "WORKFLOW", `transform "T": internal`: "TRANSFORM",
			`source "HR", source "App": healthy, status ha`: "SOURCE", `source "HR": connectorAttributes.cloudDisplayName`: "SOURCE",
			`source "HR": the attribute "password"`: "SOURCE", `identity profile "P": identityCount`: "IDENTITY_PROFILE",
			`lifecycle state "L": the export does not say enabled`: "LIFECYCLE_STATE", `access profile "A": no object has the id`: "ACCESS_PROFILE",
			`role "R": requestable`: "ROLE"} {
			got := ""
			for note, kind := range found {
				if strings.HasPrefix(note, text) {
					got += kind
				}
			}
			if got != want {
				t.Errorf("%q%s: told at %q, want %s: %v", query, text, got, want, found)
			}
		}
	}
}
