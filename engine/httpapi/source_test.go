package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
)

// sourceID returns the ID of a source.
func (s *server) sourceID(name string) string {
	s.t.Helper()
	o, err := s.ConfigurationObject(s.t.Context(), engine.TypeSource, name)
	if err != nil {
		s.t.Fatal(err)
	}
	return o.ID
}

// namesOf returns the names that a list has.
func (s *server) namesOf(path string) (names, total string) {
	s.t.Helper()
	var list []object
	r := s.get(path).demand(http.StatusOK, &list)
	for _, o := range list {
		names += fmt.Sprint(o["name"]) + " "
	}
	return names, r.Header.Get("X-Total-Count")
}

func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}

func TestSources(t *testing.T) {
	t.Parallel()
	s := company(t)
	ann, bob := s.ID("ann"), s.ID("bob")
	made := s.post("/v2025/sources", fmt.Sprintf(`{"name": "Spare", "connector": "delimited-file", "description": "Spare parts",
		"owner": {"type": "IDENTITY", "id": %q, "name": "wrong"}, "features": ["PROVISIONING", "ENABLE"],
		"connectorAttributes": {"delimiter": ";"}, "schemas": [], "cluster": null}`, ann)).demandObject(http.StatusCreated)
	id := made["id"].(string)
	owner, _ := made["owner"].(object)
	if made["type"] != "DelimitedFile" || made["authoritative"] != false || owner["name"] != "Ann Boss" ||
		made["deleteThreshold"] != 10.0 || made["status"] != "SOURCE_STATE_HEALTHY" {
		t.Errorf("created was %v", made)
	}
	csv := s.post("/beta/sources?provisionAsCsv=true", `{"name": "Csv", "connector": "anything", "owner": null}`).
		demandObject(http.StatusCreated)
	if csv["type"] != "DelimitedFile" || csv["connector"] != "delimited-file" || csv["owner"] != nil {
		t.Errorf("created was %v", csv)
	}
	for text, want := range map[string]string{
		`name eq "spare"`: "Spare ", `owner.id eq "` + ann + `"`: "Spare ", `authoritative eq true`: "HR ",
		`features ca ("PROVISIONING","ENABLE")`: "Spare ", `features co "enable"`: "Spare ", `name co "PAR"`: "Spare ",
		`healthy isnull`: "", `type eq "DelimitedFile" and description sw "spare"`: "Spare ", `owner.id isnull and name sw "C"`: "Csv ",
		`id in ("` + id + `","` + s.sourceID("HR") + `")`: "HR Spare ", `created gt 2020-01-01T00:00:00Z and name ge "s"`: "Spare ",
		`category isnull or connectionType ne "file"`: "",
	} {
		if strings.HasPrefix(text, "category") {
			s.do(request{method: "GET", path: "/v3/sources" + query("filters", text), faulty: true}).
				refuses(http.StatusBadRequest, illegal, "category")
			continue
		}
		if got, total := s.namesOf("/v2026/sources" + query("filters", text, "count", "true")); got != want ||
			total != fmt.Sprint(strings.Count(want, " ")) {
			t.Errorf("%s: %q (%s), want %q", text, got, total, want)
		}
	}
	if got, _ := s.namesOf("/v3/sources?sorters=-name&limit=2"); got != "Spare HR " {
		t.Errorf("got %q", got)
	}
	if got, _ := s.namesOf("/v3/sources?sorters=authoritative,-owner.name,name"); got != "Spare Csv Directory HR " {
		t.Errorf("got %q", got)
	}
	s.do(request{method: "GET", path: "/v3/sources" + query("filters", `description co "x"`), faulty: true}).
		refuses(http.StatusBadRequest, illegal, "description")
	// Somebody else becomes the owner, by the path that the vendor's tools use.
	at := "/v2025/sources/" + id
	patched := s.send("PATCH", at, fmt.Sprintf(`[{"op": "replace", "path": "/owner/id", "value": %q},
		{"op": "add", "path": "/connectorAttributes/hasHeader", "value": true},
		{"op": "replace", "path": "/deleteThreshold", "value": 20}]`, bob)).demandObject(http.StatusOK)
	owner, _ = patched["owner"].(object)
	settings, _ := patched["connectorAttributes"].(object)
	if owner["id"] != bob || owner["name"] != "Bob Twain" || settings["delimiter"] != ";" || settings["hasHeader"] != true ||
		patched["deleteThreshold"] != 20.0 {
		t.Errorf("patched is %v", patched)
	}
	for path, value := range map[string]string{"/id": `"x"`, "/type": `"x"`, "/authoritative": "true", "/connector": `"ldap"`,
		"/connectorClass": `"x"`, "/passwordPolicies": "[]", "/created": `"2020-01-01T00:00:00Z"`, "/schemas": `[{"id": "x"}]`} {
		op := `[{"op": "replace", "path": "` + path + `", "value": ` + value + `}]`
		if path == "/passwordPolicies" {
			op = `[{"op": "add", "path": "/passwordPolicies/-", "value": {"id": "x", "type": "PASSWORD_POLICY"}}]`
		}
		s.wrong("PATCH", at, op, illegal, strings.TrimPrefix(path, "/"))
	}
	s.wrong("PATCH", at, fmt.Sprintf(`[{"op": "replace", "path": "/owner/id", "value": "%032d"}]`, 7),
		"400.1.404 Referenced object not found", "owner")
	patched["description"] = "All parts"
	put := s.send("PUT", at, asText(patched)).demandObject(http.StatusOK)
	if put["description"] != "All parts" || put["deleteThreshold"] != 20.0 {
		t.Errorf("put is %v", put)
	}
	patched["type"] = "Other"
	s.wrong("PUT", at, asText(patched), illegal, "type")
	for _, value := range []string{"7", `"x"`, `{"attributeAssignments": []}`} {
		s.wrong("PATCH", at, `[{"op": "add", "path": "/accountCorrelationConfig", "value": `+value+`}]`, illegal,
			"it is changed under")
	}
	s.wrong("POST", "/v3/sources", `{"name": "Spare", "connector": "x", "owner": null}`, "400.1 Bad request content", "has the name")
	s.wrong("POST", "/v3/sources", `{"name": "New", "connector": "x"}`, missing, "owner")
	s.wrong("POST", "/v3/sources", `{"name": "New", "connector": "x", "owner": null, "schemas": [{"id": "a", "name": "account"}]}`,
		illegal, "schemas")
	s.do(request{method: "GET", path: "/v3/sources/Spare"}).refuses(http.StatusNotFound, "404 Not found", "")

	// Its deletion is a task, unless something needs it.
	s.do(request{method: "DELETE", path: "/v2025/sources/" + s.sourceID("HR")}).
		refuses(http.StatusBadRequest, "400.2.1.0 Object in use by another", "HR")
	var task struct{ Type, ID string }
	s.send("DELETE", at, "").demand(http.StatusAccepted, &task)
	s.Process()
	if got, err := s.Task(t.Context(), task.ID); err != nil || task.Type != "TASK_RESULT" || *got.CompletionStatus != "SUCCESS" {
		t.Errorf("got %+v, %v", got, err)
	}
	s.do(request{method: "GET", path: at}).refuses(http.StatusNotFound, "404 Not found", "")
}

func asText(o object) string {
	var b strings.Builder
	if err := json.NewEncoder(&b).Encode(o); err != nil {
		panic(err)
	}
	return b.String()
}

func TestSourceSchemas(t *testing.T) {
	t.Parallel()
	s := company(t)
	base := "/v2025/sources/" + s.sourceID("Directory") + "/schemas"
	var list []object
	s.get(base).demand(http.StatusOK, &list)
	names := ""
	for _, schema := range list {
		names += fmt.Sprint(schema["name"]) + " "
	}
	if !strings.Contains(names, "account ") {
		t.Fatalf("the schemas are %s", names)
	}
	group := s.post(base, `{"name": "team", "nativeObjectType": "Team", "identityAttribute": "id", "displayAttribute": "label",
		"attributes": [{"name": "id", "type": "STRING"}, {"name": "label", "description": "Its name"}]}`).demandObject(http.StatusCreated)
	at := base + "/" + group["id"].(string)
	if got := s.get(at).demandObject(http.StatusOK); got["name"] != "team" || len(got["attributes"].([]any)) != 2 {
		t.Errorf("got %v", got)
	}
	s.wrong("POST", base, `{"name": "team", "attributes": []}`, "400.1 Bad request content", "already")
	s.wrong("POST", base, `{"name": "bad", "attributes": [{"name": "x", "isGroup": true}]}`, illegal, "isEntitlement")
	s.wrong("POST", base, `{"name": "bad", "attributes": [{"name": "x", "schema": {"name": "nowhere"}}]}`, illegal, "no such schema")
	for path, want := range map[string]string{base + "?include-types=group": "team", base + "?include-names=team": "team",
		base + "?include-names=account": "account"} {
		s.get(path).demand(http.StatusOK, &list)
		if !slices.ContainsFunc(list, func(o object) bool { return o["name"] == want }) || strings.Contains(path, "names") && len(list) != 1 {
			t.Errorf("%s: got %v", path, list)
		}
	}
	// The accounts refer to it, so that it cannot go.
	var account object
	s.get(base+"?include-names=account").demand(http.StatusOK, &list)
	account = list[0]
	s.send("PATCH", base+"/"+account["id"].(string), fmt.Sprintf(`[{"op": "add", "path": "/attributes/-", "value":
		{"name": "teams", "type": "STRING", "isMulti": true, "isEntitlement": true, "isGroup": true,
		"schema": {"type": "CONNECTOR_SCHEMA", "id": %q}}}]`, group["id"])).demandObject(http.StatusOK)
	s.do(request{method: "DELETE", path: at}).refuses(http.StatusBadRequest, "400.2.1.0 Object in use by another", "teams")
	account = s.get(base + "/" + account["id"].(string)).demandObject(http.StatusOK)
	attributes := account["attributes"].([]any)
	last := attributes[len(attributes)-1].(object)
	if reference, _ := last["schema"].(object); reference["id"] != group["id"] || reference["name"] != "team" {
		t.Errorf("the attribute is %v", last)
	}
	account["attributes"] = attributes[:len(attributes)-1]
	s.send("PUT", base+"/"+account["id"].(string), asText(account)).demandObject(http.StatusOK)
	group["name"] = "club"
	s.wrong("PUT", at, asText(group), illegal, "name")
	delete(group, "id")
	s.wrong("PUT", at, asText(group), illegal, "id")
	s.wrong("PATCH", at, `[{"op": "replace", "path": "/id", "value": "x"}]`, illegal, "id")
	s.send("DELETE", at, "").demand(http.StatusNoContent, nil)
	s.do(request{method: "GET", path: at}).refuses(http.StatusNotFound, "404 Not found", "")
}

func TestProvisioningPolicies(t *testing.T) {
	t.Parallel()
	s := company(t)
	source := s.sourceID("HR")
	base := "/v3/sources/" + source + "/provisioning-policies"
	var list []object
	s.get(base).demand(http.StatusOK, &list)
	if len(list) != 0 {
		t.Fatalf("the policies are %v", list)
	}
	const fields = `[{"name": "mail", "transform": {"type": "identityAttribute", "attributes": {"name": "email"}},
		"attributes": {}, "type": "string", "isMultiValued": false}, {"name": "note", "transform": {}}]`
	made := s.post(base, `{"name": "Account", "fields": `+fields+`}`).demandObject(http.StatusCreated)
	if made["usageType"] != "CREATE" || len(made["fields"].([]any)) != 2 {
		t.Errorf("created was %v", made)
	}
	s.wrong("POST", base, `{"name": "Again", "usageType": "CREATE", "fields": []}`, "400.1 Bad request content", "already")
	s.wrong("POST", base, `{"name": "Again", "usageType": "BREAK", "fields": []}`, illegal, "usageType")
	s.wrong("PUT", base+"/CREATE", `{"name": "x", "fields": [{"name": "a", "transform": {"type": "uper"}}]}`, illegal, "upper")
	at := base + "/CREATE"
	changed := s.send("PATCH", at, `[{"op": "replace", "path": "/name", "value": "New accounts"},
		{"op": "remove", "path": "/fields/1"}]`).demandObject(http.StatusOK)
	if changed["name"] != "New accounts" || len(changed["fields"].([]any)) != 1 {
		t.Errorf("changed is %v", changed)
	}
	s.wrong("PATCH", at, `[{"op": "replace", "path": "/usageType", "value": "UPDATE"}]`, illegal, "usageType")
	s.send("PUT", at, `{"name": "Account", "usageType": "CREATE", "fields": `+fields+`}`).demandObject(http.StatusOK)
	// In version 2 of the resource policies have IDs.
	var second []object
	s.get("/sources/v2/"+source+"/provisioning-policies").demand(http.StatusOK, &second)
	byID := "/sources/v2/" + source + "/provisioning-policies/" + fmt.Sprint(second[0]["id"])
	if got := s.get(byID).demandObject(http.StatusOK); got["name"] != "Account" || got["id"] != second[0]["id"] {
		t.Errorf("got %v", got)
	}
	// Which attributes can be synchronized, the policy says.
	config := "/v2025/sources/" + source + "/attribute-sync-config"
	sync := s.get(config).demandObject(http.StatusOK)
	if list := sync["attributes"].([]any); len(list) != 1 || list[0].(object)["target"] != "mail" || list[0].(object)["enabled"] != false {
		t.Errorf("the synchronization is %v", sync)
	}
	sync["attributes"].([]any)[0].(object)["enabled"] = true
	sync = s.send("PUT", config, asText(sync)).demandObject(http.StatusOK)
	if list := sync["attributes"].([]any); list[0].(object)["enabled"] != true {
		t.Errorf("the synchronization is %v", sync)
	}
	s.wrong("PUT", config, `{"source": {}, "attributes": [{"name": "uid", "target": "mail", "enabled": true}]}`, illegal, "attributes[0]")
	var job engine.IdentitySyncJob
	s.post("/v2025/sources/"+source+"/synchronize-attributes", "").demand(http.StatusAccepted, &job)
	if job.Payload.Type != "SYNCHRONIZE_SOURCE_ATTRIBUTES" || !strings.Contains(job.Payload.DataJSON, source) {
		t.Errorf("the job is %+v", job)
	}
	s.send("PUT", config, `{"source": {}, "attributes": []}`).demandObject(http.StatusOK)
	s.send("DELETE", at, "").demand(http.StatusNoContent, nil)
	s.do(request{method: "GET", path: at}).refuses(http.StatusNotFound, "404 Not found", "")
}

func TestCorrelationConfig(t *testing.T) {
	t.Parallel()
	s := company(t)
	at := "/v2024/sources/" + s.sourceID("Directory") + "/correlation-config"
	before := s.get(at).demandObject(http.StatusOK)
	put := s.send("PUT", at, `{"attributeAssignments": [{"property": "email", "value": "mail", "operation": "EQ", "complex": false,
		"ignoreCase": false}]}`).demandObject(http.StatusOK)
	list := put["attributeAssignments"].([]any)
	if put["id"] != before["id"] || len(list) != 1 || list[0].(object)["ignoreCase"] != false || list[0].(object)["property"] != "email" {
		t.Errorf("before %v, after %v", before, put)
	}
	s.wrong("PUT", at, `{"attributeAssignments": [{"property": "email", "value": "mail", "complex": true}]}`, illegal, "complex")
	s.wrong("PUT", at, `{"id": "`+strings.Repeat("f", 32)+`", "attributeAssignments": []}`, illegal, "id")
	source := s.get("/v3/sources/" + s.sourceID("Directory")).demandObject(http.StatusOK)
	if reference := source["accountCorrelationConfig"].(object); reference["id"] != put["id"] || reference["name"] != put["name"] {
		t.Errorf("the source names %v", reference)
	}
}

// form makes a form of pairs of names and texts; that of the name file is a file.
func form(t *testing.T, pairs ...string) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		create := w.CreateFormField
		if pairs[i] == "file" {
			create = func(name string) (io.Writer, error) { return w.CreateFormFile(name, "accounts.csv") }
		}
		part, err := create(pairs[i])
		if err == nil {
			_, err = io.WriteString(part, pairs[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

// load sends a form to the operation that takes accounts.
func (s *server) load(source string, body []byte, contentType string) *response {
	s.t.Helper()
	ctx := s.t.Context()
	if !bytes.HasSuffix(body, []byte("--\r\n")) {
		ctx = wire.Faulty(ctx)
	}
	sent := httptest.NewRequestWithContext(ctx, http.MethodPost,
		"http://localhost/v2025/sources/"+source+"/load-accounts", bytes.NewReader(body))
	sent.Header.Set("Authorization", "Bearer "+s.token("ORG_ADMIN"))
	if contentType != "" {
		sent.Header.Set("Content-Type", contentType)
	}
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, sent)
	text := recorder.Body.Bytes()
	result := recorder.Result()
	sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	sent.Body = io.NopCloser(bytes.NewReader(body))
	s.check(sent, result)
	return &response{result, s.t, text}
}

func TestLoadAccounts(t *testing.T) {
	t.Parallel()
	s := company(t)
	hr := s.sourceID("HR")
	type loaded struct {
		Success bool
		Task    struct {
			ID, Type, Name   string
			CompletionStatus *string
			Attributes       struct{ AppID, OptimizedAggregation string }
		}
	}
	for i, end := range []string{"\n", "\r\n"} {
		text := strings.ReplaceAll(people+fmt.Sprintf("eve%d,Eve %d,Eve,E,eve@example.com,,Sales,bob\n", i, i), "\n", end)
		// The field may stand before the file and behind it.
		pairs := []string{"file", text, "disableOptimization", "true"}
		if i == 1 {
			pairs = []string{"disableOptimization", "false", "file", text}
		}
		var got loaded
		body, contentType := form(t, pairs...)
		s.load(hr, body, contentType).demand(http.StatusAccepted, &got)
		want := []string{"disabled", "enabled"}[i]
		if !got.Success || got.Task.Type != "QUARTZ" || got.Task.Name != "Cloud Account Aggregation" ||
			got.Task.CompletionStatus != nil || got.Task.Attributes.AppID != "HR" || got.Task.Attributes.OptimizedAggregation != want {
			t.Errorf("got %+v", got)
		}
		s.Process()
		task, err := s.Task(t.Context(), got.Task.ID)
		if err != nil || *task.CompletionStatus != "SUCCESS" || task.Attributes.Aggregation.Added != 1 {
			t.Errorf("the task is %+v, %v", task, err)
		}
		if s.Identity(fmt.Sprintf("eve%d", i)) == nil {
			t.Error("the person is not there")
		}
	}
	body, contentType := form(t, "file", people)
	half := body[:len(body)-40] // a text that breaks off is no text with fewer people
	s.load(hr, half, contentType).refuses(http.StatusBadRequest, "400.0 Bad request syntax", "form")
	empty, emptyType := form(t, "file", "")
	s.load(hr, empty, emptyType).refuses(http.StatusBadRequest, missing, "empty")
	none, noneType := form(t, "disableOptimization", "true")
	s.load(hr, none, noneType).refuses(http.StatusBadRequest, missing, "file")
	s.load(hr, nil, "").refuses(http.StatusBadRequest, missing, "file")
	twice, twiceType := form(t, "file", people, "file", people)
	s.load(hr, twice, twiceType).refuses(http.StatusBadRequest, illegal, "twice")
	odd, oddType := form(t, "file", people, "disableOptimization", "perhaps")
	s.load(hr, odd, oddType).refuses(http.StatusBadRequest, illegal, "disableOptimization")
	latin, latinType := form(t, "file", "id,name\nann,\xfc\n")
	s.load(hr, latin, latinType).refuses(http.StatusBadRequest, illegal, "UTF-8")
	s.load(hr, []byte("id\n"), "text/csv").refuses(http.StatusUnsupportedMediaType, "415 Unsupported media type", "multipart")
	if n := s.CountRows("muster.errands"); n != 2 {
		t.Errorf("%d tasks were launched, want 2", n)
	}
}

func TestLoadAccountsIsLimited(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newServer(t, httpapi.Config{})
	s.ApplyText(`sources: [{name: Spare, connector: delimited-file}]`)
	line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
	head := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
	parts := []io.Reader{strings.NewReader(head)}
	for range httpapi.UploadMax>>20 + 1 {
		parts = append(parts, bytes.NewReader(line))
	}
	sent := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/v2025/sources/"+s.sourceID("Spare")+"/load-accounts",
		io.MultiReader(parts...))
	sent.Header.Set("Authorization", "Bearer "+s.token("ORG_ADMIN"))
	sent.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, sent)
	if recorder.Code != http.StatusRequestEntityTooLarge || s.CountRows("muster.errand_texts") != 0 {
		t.Errorf("got %d %s, and %d pieces", recorder.Code, recorder.Body, s.CountRows("muster.errand_texts"))
	}
}

// An upload may take longer than the server lets others take.
func TestLoadAccountsOutlivesReadTimeout(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	s.ApplyText(`sources: [{name: Spare, connector: delimited-file}]`)
	web := httptest.NewUnstartedServer(s.handler)
	web.Config.ReadTimeout, web.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	web.Start()
	t.Cleanup(web.Close)
	body, contentType := form(t, "file", "id\n1\n")
	from, to := io.Pipe()
	go func() {
		for _, part := range [][]byte{body[:len(body)/2], body[len(body)/2:]} {
			_, _ = to.Write(part) // the request fails where it cannot be written
			time.Sleep(300 * time.Millisecond)
		}
		_ = to.Close()
	}()
	sent, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/v2025/sources/"+s.sourceID("Spare")+"/load-accounts", from)
	if err != nil {
		t.Fatal(err)
	}
	sent.Header.Set("Authorization", "Bearer "+s.token("ORG_ADMIN"))
	sent.Header.Set("Content-Type", contentType)
	got, err := web.Client().Do(sent)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusAccepted {
		t.Errorf("%s, %s, %v", got.Status, text, err)
	}
	if err := got.Body.Close(); err != nil {
		t.Error(err)
	}
}
