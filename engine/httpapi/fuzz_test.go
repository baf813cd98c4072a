package httpapi_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
)

// fuzzedRequests are requests as they come; {bob} stands for the ID of an identity.
var fuzzedRequests = []struct{ method, path, query, body, language, authorization string }{
	{"GET", "/beta/identities", "filters=name+sw+%22a%22&sorters=-name&limit=2&count=true", "", "", ""},
	{"GET", "/v2024/identities", "filters=name+eq+%22%00%22&defaultFilter=NONE&after=%ff", "", "en-US,en;q=0.5", ""},
	{"GET", "/beta/identities", "limit=251&limit=1;offset=-1", "", "*;q=", ""},
	{"GET", "/beta/identities", "limit=99999999999999999999&offset=0x1&count=yes", "", "", ""},
	{"GET", "/beta/identities", "filters=" + strings.Repeat("(", 3000), "", "", ""},
	{"GET", "/beta/identities/{bob}", "", "", "de-DE-u-co-phonebk,und", ""},
	{"GET", "/beta/identities/%00%ff", "", "", "\x00", ""},
	{"GET", "/beta/identities/{bob}/role-assignments", "roleName=%C3%28&roleId=1", "", "", ""},
	{"GET", "/v2025/identities/{bob}/role-assignments", "roleName=Sales", "", "", ""},
	{"GET", "/identities/v1/{bob}/ownership", "", "", "", ""},
	{"DELETE", "/beta/identities/..%2f..", "", "", "", ""},
	{"POST", "/beta/identities/process", "", `{"identityIds": ["{bob}", "{bob}", "\ud800"]}`, "", ""},
	{"POST", "/v2026/identities/process", "", `{"identityIds": ["{bob}"], "identityIds": null}`, "", ""},
	{"POST", "/beta/identities/process", "", `{"identityIds": [` + strings.Repeat(`"",`, 300) + `""]}`, "", ""},
	{"POST", "/beta/identities/invite", "", `{"ids": ["{bob}"], "uninvited": true}`, "", ""},
	{"POST", "/beta/identities/invite", "", strings.Repeat(`{"ids":`, 20000), "", ""},
	{"POST", "/beta/identities/{bob}/verification/account/send", "", `{"via": "EMAIL_WORK", "sourceName": "HR\u0000"}`, "", ""},
	{"POST", "/beta/identities/{bob}/verification/account/send", "", "{\"via\": \"\xff\"}", "", ""},
	{"POST", "/beta/identities/{bob}/synchronize-attributes", "", "", "", ""},
	{"POST", "/beta/identities/{bob}/reset", "x=1", "{}", "", ""},
	{"GET", "/task-status", "filters=completionStatus+isnull&sorters=-created", "", "", ""},
	{"GET", "/beta/task-status/{bob}", "", "", "", ""},
	{"PATCH", "/openapi.json", "", "", "", ""},
	{"GET", "/readyz", "", "", "", ""},
	{"GET", "/beta/identities", "", "", "", "Bearer eyJhbGciOiJub25lIn0.eyJjbGllbnRfaWQiOiJhIn0."},
	{"GET", "/beta/identities", "", "", "", "Basic YTpi"},
	{"GET", "/beta/identities", "", "", "", "Bearer \x00 \xff"},
}

// Whatever is asked, the answer is one that the document has for it, and never a fault of the server's; without a token
// of the issuer's nothing is answered.
func FuzzRequest(f *testing.F) {
	for _, r := range fuzzedRequests {
		f.Add(r.method, r.path, r.query, r.body, r.language, r.authorization)
	}
	s := company(f)
	bob, token := s.ID("bob"), s.token("ORG_ADMIN")
	f.Fuzz(func(t *testing.T, method, path, query, body, language, authorization string) {
		place, err := url.Parse("http://localhost" + strings.ReplaceAll(path, "{bob}", bob))
		if err != nil || place.Host != "localhost" || !strings.HasPrefix(place.Path, "/") {
			return
		}
		place.RawQuery, place.Fragment, place.RawFragment = query, "", ""
		request, err := http.NewRequestWithContext(wire.Faulty(t.Context()), method, place.String(),
			strings.NewReader(strings.ReplaceAll(body, "{bob}", bob)))
		if err != nil {
			return
		}
		if body != "" {
			request.Header.Set("Content-Type", "application/json")
		}
		if language != "" {
			request.Header.Set("Accept-Language", language)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		recorder := httptest.NewRecorder()
		s.handler.ServeHTTP(recorder, request)
		response := recorder.Result()
		if response.StatusCode >= http.StatusInternalServerError {
			t.Fatalf("got %s %s: %d %s, want response.StatusCode < http.StatusInternalServerError", method, request.URL, response.StatusCode, recorder.Body)
		}
		if authorization != "" && !slices.Contains([]int{401, 404, 405}, response.StatusCode) && !open(request.URL.Path) {
			t.Fatalf("%s %s with %q: %d", method, request.URL, authorization, response.StatusCode)
		}
		for _, document := range s.documents {
			if strings.HasPrefix(request.URL.Path, "/task-status") {
				continue // the documents have it elsewhere
			}
			if err := document.Verify(request, response); err != nil {
				t.Fatalf("%s %s: %d: %v: %s", method, request.URL, response.StatusCode, err, recorder.Body)
			}
		}
		for name, values := range response.Header {
			if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
				t.Fatalf("got %s: %q, want !strings.ContainsAny(name+strings.Join(values, \"\"), \"\\r\\n\\x00\")", name, values)
			}
		}
		if text, err := io.ReadAll(response.Body); err != nil || !utf8.Valid(text) {
			t.Fatalf("got %v: %q, want err == nil && utf8.Valid(text)", err, text)
		}
	})
}

// open reports whether a path is answered without a token.
func open(path string) bool {
	return slices.Contains([]string{"/healthz", "/readyz", "/openapi.json"}, path)
}

// hashes are those of the algorithms that a secret may sign by.
var hashes = map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}

// FuzzToken holds the verifier against the plainest one there is: who is let in has a token whose signature is that of
// the issuer's secret, that has not expired, and that names somebody.
func FuzzToken(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	verifier, err := httpapi.NewJWT(f.Context(), httpapi.JWTConfig{Secret: secret, Issuer: "muster", Now: func() time.Time { return now }})
	if err != nil {
		f.Fatal(err)
	}
	good := jwt.MapClaims{"iss": "muster", "exp": now.Unix() + 60, "client_id": "c", "scope": "a b"}
	for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS512, jwt.SigningMethodNone} {
		var key any = secret
		if method == jwt.SigningMethodNone {
			key = jwt.UnsafeAllowNoneSignatureType
		}
		text, err := jwt.NewWithClaims(method, good).SignedString(key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, false)
		f.Add(text[:len(text)-2], false)
	}
	for _, text := range []string{
		`{"alg":"HS256"}` + "\n" + `{"iss":"muster","exp":1800000060,"client_id":"c"}`,
		`{"alg":"hs256"}` + "\n" + `{"iss":"muster","exp":1800000060,"client_id":"c"}`,
		`{"alg":"HS256","crit":["b64"],"b64":false}` + "\n" + `{"iss":"muster","exp":1e999,"client_id":"\ud800"}`,
		`{"alg":"HS384","kid":"../../x","jku":"http://x"}` + "\n" + `{"iss":"muster","exp":"1800000060","sub":"s"}`,
		`{"alg":"HS512"}` + "\n" + `{"iss":["muster"],"exp":1.8e9,"authorities":{"a":1},"scope":[1]}`,
		`{"alg":"HS256"}` + "\n" + `{"iss":"muster","exp":1800000060,"nbf":1900000000,"client_id":null}`,
		`{"alg":"HS256"}` + "\n" + `{"iss":"muster","exp":-9223372036854775809,"client_id":"c"}{}`,
		`[]` + "\n" + strings.Repeat("[", 20000), "\n", "..", "a.b.c.d", " ", "\x00.\xff.",
	} {
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, signed bool) {
		if header, rest, ok := strings.Cut(text, "\n"); signed && ok {
			text = signedByHand(header, rest)
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/beta/identities", nil)
		request.Header.Set("Authorization", "Bearer "+text)
		principal, err := verifier.Authenticate(request)
		var refused *httpapi.UnauthorizedError
		if err != nil {
			if !errors.As(err, &refused) || principal != nil || len(text) > 20 && strings.Contains(err.Error(), text) {
				t.Fatalf("got %q: %v, want errors.As(err, &refused) && principal == nil && (len(text) <= 20 || !strings.Contains(err.Error(), text))", text, err)
			}
			return
		}
		c, ok := claimsByHand(strings.TrimSpace(text))
		exp, isNumber := c["exp"].(float64)
		if text, isText := c["exp"].(string); isText { // as some issuers write it
			var err error
			exp, err = strconv.ParseFloat(text, 64)
			isNumber = err == nil
		}
		if !ok || c["iss"] != "muster" || !isNumber || exp < float64(now.Unix()) {
			t.Fatalf("%q is accepted, its claims are %v", text, c)
		}
		if principal.ClientID == "" && principal.IdentityID == "" && principal.UserName == "" {
			t.Fatalf("%q is nobody's", text)
		}
	})
}

// signedByHand makes a token of a header and claims, signed by the algorithm that the header names.
func signedByHand(header, payload string) string {
	var h struct{ Alg string }
	_ = json.Unmarshal([]byte(header), &h) // a broken header names none
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return text + "." + base64.RawURLEncoding.EncodeToString(macOf(h.Alg, text))
}

func macOf(algorithm, text string) []byte {
	hash := hashes[algorithm]
	if hash == nil {
		hash = sha256.New
	}
	mac := hmac.New(hash, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// claimsByHand returns the claims of a token with a good signature.
func claimsByHand(token string) (map[string]any, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return nil, false
		}
	}
	var header struct{ Alg string }
	var c map[string]any
	if json.Unmarshal(decoded[0], &header) != nil || json.Unmarshal(decoded[1], &c) != nil || hashes[header.Alg] == nil {
		return nil, false
	}
	return c, hmac.Equal(macOf(header.Alg, parts[0]+"."+parts[1]), decoded[2])
}
