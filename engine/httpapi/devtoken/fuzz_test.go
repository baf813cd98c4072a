package devtoken_test

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
)

const form = "application/x-www-form-urlencoded"

// Who gets a token gave the client's ID and secret, whatever the body is; every answer is a documented one.
func FuzzEndpoint(f *testing.F) {
	const good = "grant_type=client_credentials&client_id=ann&client_secret=geheim-geheim"
	f.Add("POST", form, good, "", "")
	f.Add("POST", form, "grant_type=client_credentials&scope=%ff+%00", "ann", "geheim-geheim")
	f.Add("POST", "application/json; charset=x", `{"grant_type": "client_credentials", "client_id": "ann", "client_secret": "geheim-geheim"}`, "", "")
	f.Add("POST", "application/json", `{"grant_type": "client_credentials", "client_id": "ann"}{"client_secret": "geheim-geheim"}`, "", "")
	f.Add("POST", "application/json", `{"grant_type": ["client_credentials"], "x": null}`, "a", "b")
	f.Add("POST", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--x--\r\n", "ann", "geheim-geheim")
	f.Add("POST", "multipart/form-data", good, "", "")
	f.Add("POST", "\x00/", strings.Repeat("a", 70<<10), "ann", "wrong")
	f.Add("POST", "", "%", "", "")
	f.Add("GET", form, good, "ann", "geheim-geheim")
	issuer, err := devtoken.New([]byte(strings.Repeat("0123456789abcdef", 2)))
	if err != nil {
		f.Fatal(err)
	}
	verifier, err := httpapi.NewJWT(f.Context(), issuer.Verifier())
	if err != nil {
		f.Fatal(err)
	}
	document := wire.Load(f, httpapi.Document())
	endpoint := issuer.Endpoint([]devtoken.Client{{ID: "ann", Secret: "geheim-geheim", Authorities: []string{"ORG_ADMIN"}}})
	f.Fuzz(func(t *testing.T, method, kind, body, name, password string) {
		request, err := http.NewRequestWithContext(wire.Faulty(t.Context()), method, "http://localhost/oauth/token", strings.NewReader(body))
		if err != nil {
			return
		}
		request.Header.Set("Content-Type", kind)
		if name != "" {
			request.SetBasicAuth(name, password)
		}
		recorder := httptest.NewRecorder()
		endpoint.ServeHTTP(recorder, request)
		response := recorder.Result()
		if method != http.MethodPost { // the checks expect the API's words where an operation has no such method
			if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != http.MethodPost {
				t.Fatalf("got %s: %d, want response.StatusCode == http.StatusMethodNotAllowed && response.Header.Get(\"Allow\") == http.MethodPost", method, response.StatusCode)
			}
			return
		}
		if err := document.Verify(request, response); err != nil {
			t.Fatalf("%s %q %q: %d: %v", method, kind, body, response.StatusCode, err)
		}
		if response.StatusCode >= http.StatusInternalServerError {
			t.Fatalf("got %d, want response.StatusCode < http.StatusInternalServerError", response.StatusCode)
		}
		if response.StatusCode != http.StatusOK {
			return
		}
		if basic := name == "ann" && password == "geheim-geheim"; !basic && !names(kind, body) {
			t.Fatalf("%q %q gets a token", kind, body)
		}
		var answer struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+answer.Token)
		principal, err := verifier.Authenticate(request)
		if err != nil || principal.ClientID != "ann" || !slices.Equal(principal.Authorities, []string{"ORG_ADMIN"}) {
			t.Fatalf("got %+v, %v, want err == nil && principal.ClientID == \"ann\" && slices.Equal(principal.Authorities, []string{\"ORG_ADMIN\"})", principal, err)
		}
	})
}

// names reports whether a body has the client's ID and secret in it: in the clear, or encoded as its kind allows.
func names(kind, body string) bool {
	if media, _, err := mime.ParseMediaType(kind); err == nil && media == "application/json" {
		var members map[string]string
		return json.Unmarshal([]byte(body), &members) == nil && members["client_id"] == "ann" && members["client_secret"] == "geheim-geheim"
	}
	if values, err := url.ParseQuery(body); err == nil && values.Get("client_id") == "ann" && values.Get("client_secret") == "geheim-geheim" {
		return true
	}
	return strings.HasPrefix(kind, "multipart/") && strings.Contains(body, "ann") && strings.Contains(body, "geheim")
}

// A client is read as it was written, and an error does not repeat its secret.
func FuzzParseClient(f *testing.F) {
	for _, text := range []string{"ann:geheim-geheim", "a:b:ORG_ADMIN, HELPDESK,,", "a:geheim-geheim:c:d", ":geheim-geheim", "a:", "::", "", "a:\x00\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		client, err := devtoken.ParseClient(text)
		if err != nil {
			if _, secret, _ := strings.Cut(text, ":"); len(secret) > 12 && strings.Contains(err.Error(), secret) {
				t.Fatalf("%v repeats the secret", err)
			}
			return
		}
		if client.ID == "" || client.Secret == "" || !strings.HasPrefix(text, client.ID+":"+client.Secret) ||
			slices.Contains(client.Authorities, "") || strings.Contains(client.ID+client.Secret, ":") {
			t.Fatalf("%q is read as %+q", text, client.ID)
		}
	})
}
