package main

import (
	"net/http"
	"strings"
	"testing"
)

// The server starts without the provider, and the page of the sign-in says that it is away.
func TestServeOIDC(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.staff()
	w := s.serve("--no-worker", "--external-url", "http://127.0.0.1:8080", "--oidc-issuer", "http://127.0.0.1:1",
		"--oidc-client-id", "muster", "--oidc-client-secret", "file:"+s.file("secret", "s3cret of the client\n"),
		"--oidc-name", "Acme", "--oidc-scopes", "profile,groups", "--oidc-alias-claim", "preferred_username",
		"--oidc-levels-claim", "groups", "--oidc-level", "cn=admins,ou=x=ORG_ADMIN", "--oidc-max-age", "8h")
	ask := w.browse(t)
	ask(http.MethodGet, "/console/login?next=help", nil, "Acme cannot be reached right now")
	ask(http.MethodGet, "/console/login", nil, `href="./login/provider"`)
	code, log := w.stop()
	if code != exitOK {
		t.Errorf("exit %d\n%s", code, log)
	}
	demand(t, log, "the provider cannot be reached", "http://127.0.0.1:1")
	demandNone(t, log, "s3cret")
}

// Flags that contradict each other, or lack another one, are told before the server starts.
func TestOIDCFlags(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	const given = "--oidc-issuer https://id.example.com --oidc-client-id muster "
	for args, want := range map[string]string{
		"--oidc-client-id muster":                                     "--oidc-issuer is missing",
		"--oidc-level a=ORG_ADMIN":                                    "--oidc-issuer is missing",
		"--oidc-issuer https://id.example.com":                        "--oidc-client-id is missing",
		given + "--oidc-client-secret hunter2hunter2":                 "--oidc-client-secret: a secret is not written",
		given + "--oidc-levels-claim groups":                          "--oidc-levels-claim and --oidc-level belong together",
		given + "--oidc-level admins=ORG_ADMIN":                       "--oidc-levels-claim and --oidc-level belong together",
		given + "--oidc-levels-claim groups --oidc-level ADM":         `--oidc-level: "ADM" is given where VALUE=LEVEL`,
		given + "--oidc-levels-claim groups --oidc-level a=B":         `--oidc-level: "a" has the level "B"`,
		given + "--oidc-max-age 1ms":                                  "--oidc-max-age: 1ms",
		given + "--oidc-max-age -1s":                                  "--oidc-max-age: -1s",
		given + `--oidc-scopes a"b`:                                   "--oidc-scopes",
		given + "--console off":                                       "--oidc-issuer is for the console, which is off: --console off",
		given + "--listen 127.0.0.1:0":                                "--external-url is missing",
		given + "--external-url https://people.example.com/?a=b":      "--external-url: \"https://people.example.com/?a=b\" has a query",
		"--oidc-issuer https://id.example.com?a=b --oidc-client-id a": "--oidc-issuer: \"https://id.example.com?a=b\" is given where an address without",
		given + "--jwks-file x":                                       "which is off: its sign-in for development",
		given + "--external-url http://people.example.com":            "--external-url: \"http://people.example.com/console/login/return\"",
		"--oidc-issuer http://id.example.com --oidc-client-id a":      "--oidc-issuer: \"http://id.example.com\"",
	} {
		_, said := s.run(exitUsage, "", append([]string{"serve"}, strings.Fields(args)...)...)
		if !strings.Contains(said, want) || strings.Contains(said, "hunter2") {
			t.Errorf("%s says %q, want %q", args, said, want)
		}
	}
	_, said := s.run(exitFailed, "", append([]string{"serve"}, strings.Fields(given+"--oidc-client-secret file:/no/such")...)...)
	demand(t, said, "--oidc-client-secret: ")
}
