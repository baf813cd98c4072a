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
