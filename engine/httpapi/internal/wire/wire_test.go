package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
)

func text(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

// exchange is a request and its response, for a test to spoil.
type exchange struct {
	request  *http.Request
	response *http.Response
}

func (e *exchange) body(t *testing.T, change func(map[string]any)) {
	t.Helper()
	var body map[string]any
	if err := json.NewDecoder(e.response.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	change(body)
	e.response.Body = io.NopCloser(bytes.NewReader(jsonOf(t, body)))
}

// example returns a request of an operation ("GET /identities/{id}") and the response of a status, of the examples that
// the document has.
func example(t *testing.T, server, key string, operation *openapi3.Operation, status string) *exchange {
	t.Helper()
	method, path, _ := strings.Cut(key, " ")
	path = regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(path, "0197a3c2f0b87d3e9a41c6d2e5f70812")
	body, media := exampleBody(t, operation)
	request, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+server+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", media)
	}
	response := &http.Response{Header: http.Header{}, Body: http.NoBody}
	if response.StatusCode, err = strconv.Atoi(status); err != nil {
		t.Fatal(err)
	}
	documented := operation.Responses.Value(status).Value
	for name, header := range documented.Headers {
		if header.Value.Required {
			response.Header.Set(name, map[string]string{"Retry-After": "4", "Allow": "GET", "Cache-Control": "no-store",
				"Accept-Encoding": "identity", "X-Total-Count": "5"}[name])
		}
	}
	if content := documented.Content.Get("application/json"); content != nil {
		response.Header.Set("Content-Type", "application/json")
		response.Body = io.NopCloser(bytes.NewReader(jsonOf(t, exampleOf(content))))
	}
	return &exchange{request, response}
}

// exampleBody returns the body of a request, and its media type; nil where the operation has none.
func exampleBody(t *testing.T, operation *openapi3.Operation) (io.Reader, string) {
	t.Helper()
	if operation.RequestBody == nil {
		return nil, ""
	}
	if content := operation.RequestBody.Value.Content.Get("application/json"); content != nil {
		return bytes.NewReader(jsonOf(t, exampleOf(content))), "application/json"
	}
	var text bytes.Buffer
	form := multipart.NewWriter(&text)
	content := operation.RequestBody.Value.Content.Get("multipart/form-data")
	var err error
	for name, property := range content.Schema.Value.Properties {
		if property.Value.Format != "binary" {
			continue
		}
		var file io.Writer
		if file, err = form.CreateFormFile(name, "file"); err == nil {
			_, err = file.Write([]byte("{}"))
		}
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &text, form.FormDataContentType()
}

func jsonOf(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// exampleOf returns an example of a body: its own, that of its schema, or a list of those that its items have.
func exampleOf(content *openapi3.MediaType) any {
	schema := content.Schema.Value
	switch {
	case content.Example != nil:
		return content.Example
	case schema.Example != nil:
		return schema.Example
	case schema.Items == nil:
		return map[string]any{"openapi": "3.0.3", "info": nil, "paths": nil, "components": nil}
	case len(schema.Items.Value.AnyOf) == 0:
		return []any{schema.Items.Value.Example}
	}
	var list []any
	for _, alternative := range schema.Items.Value.AnyOf {
		list = append(list, alternative.Value.Example)
	}
	return list
}

// servers returns the URLs that a path is served under.
func servers(spec *openapi3.T, path string) []string {
	list := spec.Servers
	if own := spec.Paths.Value(path).Servers; len(own) > 0 {
		list = own
	}
	var urls []string
	for _, server := range list {
		urls = append(urls, strings.TrimSuffix(server.URL, "/"))
	}
	return urls
}

func TestEveryDocumentedResponsePasses(t *testing.T) {
	t.Parallel()
	document := own(t)
	seen := 0
	for key, operation := range operations(document.Spec()) {
		_, path, _ := strings.Cut(key, " ")
		for _, server := range servers(document.Spec(), path) {
			for status := range operation.Responses.Map() {
				e := example(t, server, key, operation, status)
				if err := document.Verify(e.request, e.response); err != nil {
					t.Errorf("%s%s %s: %v", server, key, status, err)
				}
				seen++
			}
		}
	}
	if seen < 500 {
		t.Errorf("only %d responses were checked", seen)
	}
}

func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	const (
		get     = "GET /identities/{id} 200"
		list    = "GET /identities 200"
		process = "POST /identities/process 202"
		limited = "POST /identities/{identityId}/synchronize-attributes 429"
		deleted = "DELETE /identities/{id} 204"
	)
	tests := []struct {
		name, operation string
		spoil           func(*testing.T, *exchange)
		want            string // empty: no fault
	}{
		{"a member is missing", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { delete(b, "name") })
		}, `property "name" is missing`},
		{"a member is of another type", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { b["isManager"] = "yes" })
		}, `Error at "/isManager": value must be a boolean`},
		{"a member is null", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { b["alias"] = nil })
		}, `Error at "/alias": Value is not nullable`},
		{"a member is not documented", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { b["protected"] = false })
		}, `property "protected" is unsupported`},
		{"an attribute is not documented", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { b["attributes"] = map[string]any{"shoeSize": 42} })
		}, ""},
		{"a value is none of those that are", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { b["identityStatus"] = "RETIRED" })
		}, `Error at "/identityStatus": value is not one of the allowed values`},
		{"a time is none", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { b["created"] = "2026-11-25" })
		}, `Error at "/created": string doesn't match the format "date-time"`},
		{"an ID has dashes", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { b["id"] = "0197a3c2-f0b8-7d3e-9a41-c6d2e5f70812" })
		}, `Error at "/id": string doesn't match the regular expression`},
		{"everything is told at once", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { delete(b, "name"); delete(b, "alias") })
		}, `property "alias" is missing`},
		{"a status is not documented", get, func(_ *testing.T, e *exchange) { e.response.StatusCode = 409 },
			"the status 409 is not documented, but 200, 304, 400, 401, 403, 404, 405, 429, 500, 503"},
		{"a redirection is not documented", get, func(_ *testing.T, e *exchange) { e.response.StatusCode = 308 },
			"the status 308 is not documented"},
		{"the type is another", get, func(_ *testing.T, e *exchange) { e.response.Header.Set("Content-Type", "text/plain") },
			`header Content-Type has unexpected value: "text/plain"`},
		{"the type is missing", get, func(_ *testing.T, e *exchange) { e.response.Header.Del("Content-Type") },
			"header Content-Type has unexpected value"},
		{"the type has a charset", get, func(_ *testing.T, e *exchange) {
			e.response.Header.Set("Content-Type", "application/json; charset=utf-8")
		}, ""},
		{"the body is empty", get, func(_ *testing.T, e *exchange) { e.response.Body = http.NoBody },
			"the body is not one JSON text"},
		{"the body is two", get, func(t *testing.T, e *exchange) {
			data, err := io.ReadAll(e.response.Body)
			if err != nil {
				t.Fatal(err)
			}
			e.response.Body = text(string(data) + "{}")
		}, "the body is not one JSON text"},
		{"a list is null", list, func(_ *testing.T, e *exchange) { e.response.Body = text("null") },
			"Value is not nullable"},
		{"a list is empty", list, func(_ *testing.T, e *exchange) { e.response.Body = text("[]") }, ""},
		{"a body comes where none is documented", deleted, func(_ *testing.T, e *exchange) {
			e.response.Body = text("{}")
		}, "no body is documented, but 2 bytes came"},
		{"HEAD has no body", get, func(_ *testing.T, e *exchange) {
			e.request.Method, e.response.Body = http.MethodHead, http.NoBody
		}, ""},
		{"HEAD has a status that is not documented", get, func(_ *testing.T, e *exchange) {
			e.request.Method, e.response.Body, e.response.StatusCode = http.MethodHead, http.NoBody, 204
		}, "the status 204 is not documented"},

		{"a header is missing", limited, func(_ *testing.T, e *exchange) { e.response.Header.Del("Retry-After") },
			`response header "Retry-After" missing`},
		{"a header is no number", limited, func(_ *testing.T, e *exchange) {
			e.response.Header.Set("Retry-After", "1.5")
		}, `unable to decode header "Retry-After" value`},
		{"a header is a date", limited, func(_ *testing.T, e *exchange) {
			e.response.Header.Set("Retry-After", "Wed, 25 Nov 2026 10:00:00 GMT")
		}, `unable to decode header "Retry-After" value`},
		{"the count was not asked for", list, func(_ *testing.T, e *exchange) {
			e.response.Header.Set("X-Total-Count", "7")
		}, "count=true was sent: false, but the header X-Total-Count is there: true"},
		{"the count is missing", list, func(_ *testing.T, e *exchange) { e.request.URL.RawQuery = "count=true" },
			"count=true was sent: true, but the header X-Total-Count is there: false"},
		{"the count is missing where it is asked for in capitals", list, func(_ *testing.T, e *exchange) {
			e.request.URL.RawQuery = "count=True"
			e.request = e.request.WithContext(wire.Faulty(e.request.Context())) // a boolean of OpenAPI is written small
		}, "count=true was sent: true, but the header X-Total-Count is there: false"},
		{"a time has no milliseconds", get, func(t *testing.T, e *exchange) {
			e.body(t, func(b map[string]any) { b["created"] = "2026-11-25T09:00:00Z" })
		}, `Error at "/created": string doesn't match the regular expression`},
		{"the count is there", list, func(_ *testing.T, e *exchange) {
			e.request.URL.RawQuery = "count=true"
			e.response.Header.Set("X-Total-Count", "7")
		}, ""},
		{"the count is negative", list, func(_ *testing.T, e *exchange) {
			e.request.URL.RawQuery = "count=true"
			e.response.Header.Set("X-Total-Count", "-1")
		}, `response header "X-Total-Count" doesn't match schema`},
		{"the count of one", get, func(_ *testing.T, e *exchange) { e.response.Header.Set("X-Total-Count", "1") },
			"the header X-Total-Count is not documented"},

		{"a parameter is too large", list, func(_ *testing.T, e *exchange) { e.request.URL.RawQuery = "limit=251" },
			`the request: parameter "limit" in query has an error: number must be at most 250`},
		{"a parameter is of another type", list, func(_ *testing.T, e *exchange) { e.request.URL.RawQuery = "count=yes" },
			`the request: parameter "count" in query has an error`},
		{"a parameter is not documented", list, func(_ *testing.T, e *exchange) { e.request.URL.RawQuery = "sorter=name" },
			`the request: the query parameter "sorter" is not documented`},
		{"every parameter", list, func(_ *testing.T, e *exchange) {
			e.request.URL.RawQuery = "filters=name+sw+%22A%22&sorters=name,-alias&defaultFilter=NONE&count=false&limit=0" +
				"&offset=0&after=eyJ9"
		}, ""},
		{"the body of a request is missing", process, func(_ *testing.T, e *exchange) { e.request.Body = http.NoBody },
			"the request: request body has an error: value is required but missing"},
		{"the body of a request is wrong", process, func(_ *testing.T, e *exchange) {
			ask(e.request, `{"identityIds": []}`)
		}, "minimum number of items is 1"},
		{"the body of a request has a member more", process, func(_ *testing.T, e *exchange) {
			ask(e.request, `{"identityIds": ["1"], "reason": "none"}`)
		}, ""},
		{"a body is sent where none is documented", limited, func(_ *testing.T, e *exchange) { ask(e.request, "{}") },
			"the request: a body is not documented"},
		{"the body of a request cannot be read again", process, func(_ *testing.T, e *exchange) { e.request.GetBody = nil },
			"the request cannot give its body again"},
		{"the request is wrong on purpose", list, func(_ *testing.T, e *exchange) {
			e.request.URL.RawQuery = "limit=251"
			e.request = e.request.WithContext(wire.Faulty(e.request.Context()))
		}, ""},
		{"the request is wrong on purpose, and the response by mistake", list, func(_ *testing.T, e *exchange) {
			e.request = e.request.WithContext(wire.Faulty(e.request.Context()))
			e.response.StatusCode = 404
		}, "the status 404 is not documented"},
	}
	document := own(t)
	all := operations(document.Spec())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at := strings.LastIndex(test.operation, " ")
			key, status := test.operation[:at], test.operation[at+1:]
			e := example(t, "/beta", key, all[key], status)
			if err := document.Verify(e.request, e.response); err != nil {
				t.Fatalf("before anything was spoilt: %v", err)
			}
			test.spoil(t, e)
			requireFault(t, document.Verify(e.request, e.response), test.want)
		})
	}
}

func ask(request *http.Request, body string) {
	request.Body = text(body)
	request.GetBody = func() (io.ReadCloser, error) { return text(body), nil }
	request.Header.Set("Content-Type", "application/json")
}

func requireFault(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want no fault", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want a fault with %q", err, want)
	}
}

// Where there is no operation, the document's general errors may be answered.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	document := own(t)
	get := operations(document.Spec())["GET /identities/{id}"]
	tests := []struct {
		name, method, path, status string
		faulty                     bool
		want                       string
	}{
		{"unknown path", "GET", "/beta/people", "404", true, ""},
		{"unknown path by mistake", "GET", "/beta/people", "404", false, "the document has no such operation"},
		{"unknown version", "GET", "/v2/identities", "404", true, ""},
		{"unknown path that is not authenticated", "GET", "/beta/people", "401", true, ""},
		{"unknown path that is answered", "GET", "/beta/people", "200", true, "the status 200 is not documented"},
		{"unknown path as a method", "GET", "/beta/people", "405", true, "the status 405 is not documented"},
		{"unknown method", "PUT", "/beta/identities", "405", true, ""},
		{"unknown method by mistake", "PUT", "/beta/identities", "405", false, "the document has no such operation"},
		{"unknown method that is answered", "PUT", "/beta/identities", "200", true, "the status 200 is not documented"},
		{"a word of another path as an ID", "GET", "/beta/identities/invite", "404", true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := example(t, "/beta", "GET /identities/{id}", get, test.status)
			ctx := t.Context()
			if test.faulty {
				ctx = wire.Faulty(ctx)
			}
			request, err := http.NewRequestWithContext(ctx, test.method, "http://localhost"+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			requireFault(t, document.Verify(request, e.response), test.want)
		})
	}
}

// report is a test that notes what it is told.
type report struct {
	testing.TB
	mutex  sync.Mutex
	faults []string
}

func (r *report) Helper() {}

func (r *report) Errorf(format string, arguments ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, arguments...))
}

func TestRoundTripper(t *testing.T) {
	t.Parallel()
	document := own(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		if _, err := fmt.Fprintf(w, `{"type": "TASK_RESULT", "id": "0197a3c2f2207b6c9d33e5f7091a2b3c", "name": %s}`,
			body[len(body)-1:]); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	tests := []struct {
		name, body string
		want       []string
	}{
		// The server answers with the last character of the request: here a blank, which makes it no JSON.
		{"a response that breaks it", `{"identityIds": ["1"]} `, []string{"POST /beta/identities/process: 202: the response: the body is not one JSON text\nthe response: failed to decode response body: invalid character '}' looking for beginning of value"}},
		{"a request that breaks it", "0", []string{"POST /beta/identities/process: 202: the request: request body has an error: doesn't match schema #/components/schemas/ProcessIdentitiesRequest: value must be an object\nthe response: response body doesn't match schema #/components/schemas/TaskResultResponse: Error at \"/name\": value must be a string"}},
	}
	for _, test := range tests {
		for _, kind := range []string{"a reader that can be read again", "a reader that cannot"} {
			t.Run(test.name+", "+kind, func(t *testing.T) {
				noted := &report{TB: t}
				transport := document.RoundTripper(noted, server.Client().Transport)
				var body io.Reader = strings.NewReader(test.body)
				if kind == "a reader that cannot" {
					body = io.MultiReader(body)
				}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
					server.URL+"/beta/identities/process", body)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Content-Type", "application/json")
				response, err := (&http.Client{Transport: transport}).Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				data, err := io.ReadAll(response.Body)
				if err != nil || !strings.HasPrefix(string(data), `{"type": "TASK_RESULT"`) {
					t.Errorf("after the check the body is %q, %v", data, err)
				}
				if !slices.Equal(noted.faults, test.want) {
					t.Errorf("got  %q\nwant %q", noted.faults, test.want)
				}
			})
		}
	}
}

// A client may send what a token needs as a form, as JSON, in parts, or by HTTP Basic.
func TestTokenRequests(t *testing.T) {
	t.Parallel()
	document := own(t)
	operation := operations(document.Spec())["POST /oauth/token"]
	const parts = "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\n%s\r\n--x--\r\n"
	bodies := map[string]string{
		"application/x-www-form-urlencoded": "grant_type=%s&client_id=a&client_secret=b",
		"application/json":                  `{"grant_type": "%s"}`,
		"multipart/form-data; boundary=x":   parts,
	}
	for _, kind := range slices.Sorted(maps.Keys(bodies)) {
		for grant, want := range map[string]string{"client_credentials": "", "password": "not one of the allowed values"} {
			e := example(t, "", "POST /oauth/token", operation, "200")
			ask(e.request, fmt.Sprintf(bodies[kind], grant))
			e.request.Header.Set("Content-Type", kind)
			requireFault(t, document.Verify(e.request, e.response), want)
		}
	}
}
