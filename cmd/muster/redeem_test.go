package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// token stores a token for the identity with an alias, as a message has one, and returns it.
func (s *shell) token(alias, purpose string) string {
	s.t.Helper()
	token := purpose + "-" + alias
	s.exec(fmt.Sprintf(`INSERT INTO muster.one_time_tokens (digest, identity_id, purpose, created, expires)
		SELECT '\x%x', id, '%s', now(), now() + interval '1 hour' FROM muster.identities WHERE alias = '%s'`,
		sha256.Sum256([]byte(token)), purpose, alias))
	return token
}

func TestRedeemCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := mailed(t)
	const password = "a kettle on the seventh hill"
	token := s.token("ann", "INVITATION")
	_, said := s.run(exitUsage, token+"\nshort\n", "identities", "redeem")
	demand(t, said, "at least 15 characters")
	s.run(exitUsage, token+"\n", "identities", "redeem")
	out, said := s.run(exitOK, "https://people.example.com/register/?token="+token+"\r\n"+password, "identities", "redeem")
	demand(t, out, "ann is registered")
	demandNone(t, out+said, password, token)
	if s.status("ann") != "REGISTERED" {
		t.Errorf("ann is %s", s.status("ann"))
	}
	_, said = s.run(exitFailed, token+"\n"+password+"\n", "identities", "redeem")
	demand(t, said, "used already")
	out, _ = s.run(exitOK, s.token("ann", "VERIFICATION")+"\ntwo lanterns by the river\n", "identities", "redeem")
	demand(t, out, "ann has a new password")
	_, said = s.run(exitUsage, "", "identities", "redeem", token)
	demand(t, said, "no argument")
}

// A person registers on the server's own pages, and signs in to the console.
func TestServeRegistration(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := mailed(t)
	w := s.serve()
	ask := w.browse(t)
	token := s.token("ann", "INVITATION")
	if at := ask(http.MethodGet, "/register?token="+token, nil, "Choose a password"); at != "/register/" {
		t.Errorf("the form is at %s", at)
	}
	form := url.Values{"password": {"a kettle on the seventh hill"}, "again": {"a kettle on the seventh hill"}}
	if at := ask(http.MethodPost, "/register/", form, "../console/"); at != "/register/registered" {
		t.Errorf("it ends at %s", at)
	}
	ask(http.MethodGet, "/password/", nil, "Code of the message")
	form = url.Values{"name": {"ann@example.com"}, "secret": {"a kettle on the seventh hill"}}
	if at := ask(http.MethodPost, "/console/login", form, "This is what is known about you"); at != "/console/me" {
		t.Errorf("she signs in at %s", at)
	}
	said := w.said.String()
	demandNone(t, said, token, "kettle", "ann@example.com")
}

func TestPageLinks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ listen, external, certificate, registration, want string }{
		{"127.0.0.1:8080", "", "", consoleOn, "http://127.0.0.1:8080/register/?token={token}"},
		{"127.0.0.1:8443", "", "cert.pem", consoleOn, "https://127.0.0.1:8443/register/?token={token}"},
		{"127.0.0.1:0", "", "", consoleOn, ""},
		{"0.0.0.0:443", "", "cert.pem", consoleOn, ""},
		{":443", "https://people.example.com", "", consoleOn, "https://people.example.com/register/?token={token}"},
		{":443", "https://example.com/people/", "", consoleOn, "https://example.com/people/register/?token={token}"},
		{":443", "https://example.com/people/console/", "", consoleOn, "https://example.com/people/register/?token={token}"},
		{":443", "https://people.example.com", "", consoleOff, ""},
	} {
		s := server{listen: test.listen, externalURL: test.external, certificate: test.certificate, registration: test.registration}
		if got := s.pageLinks(); got.Invitation != test.want || test.want != "" && !strings.Contains(got.Verification, "/password/?") {
			t.Errorf("%+v has %+v", test, got)
		}
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	s := server{addressHeader: "X-Forwarded-For"}
	for line, want := range map[string]string{"192.0.2.1": "192.0.2.1", "1.1.1.1, 192.0.2.1": "192.0.2.1", "[2001:db8::1]:443": "2001:db8::1",
		"2001:db8::1": "2001:db8::1", "192.0.2.1:4711": "192.0.2.1", "": ""} {
		r := &http.Request{Header: http.Header{"X-Forwarded-For": {line}}}
		if got := s.clientAddress()(r); got != want {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
}
