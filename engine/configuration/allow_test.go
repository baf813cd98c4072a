package configuration_test

import (
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/configuration"
)

var allow = configuration.Allow{
	Folders: []string{"/data/hr", "/srv/files/"},
	Hosts:   []string{"ldap.example.com", "*.internal.example.com", "10.0.0.5", "db.example.com:5432", "[::1]:389"},
	Secrets: []string{"env:LDAP_PASSWORD", "env:MUSTER_*", "file:/run/secrets/*", "file:/etc/ssl/ldap.pem"},
}

// Each thing that a setting names is held against the operator's list: the setting that is wrong is named, and what it
// names.
func TestAllow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, connector, settings string
		connected                 bool
		want                      []string // parts of the error; none for allowed
	}{
		{"a directory", "ldap", `{"url": "ldaps://ldap.example.com", "password": "env:LDAP_PASSWORD"}`, true, nil},
		{"another host", "ldap", `{"url": "ldaps://evil.example"}`, true,
			[]string{`connectorAttributes.url: the host "evil.example:636" is not allowed`, "--allow-host"}},
		{"letter case and a full stop", "ldap", `{"url": "ldaps://LDAP.Example.COM.:636"}`, true, nil},
		{"a host that only begins so", "ldap", `{"url": "ldaps://ldap.example.com.evil.example"}`, true,
			[]string{"ldap.example.com.evil.example"}},
		{"the allowed host as a user", "ldap", `{"url": "ldap://ldap.example.com@evil.example"}`, true, []string{`"evil.example:389"`}},
		{"a name below", "ldap", `{"url": "ldap://dc1.internal.example.com"}`, true, nil},
		{"the name itself is not below", "ldap", `{"url": "ldap://internal.example.com"}`, true, []string{"internal.example.com"}},
		{"a part of a name", "ldap", `{"url": "ldap://evilinternal.example.com"}`, true, []string{"evilinternal"}},
		{"an address", "ldap", `{"url": "ldap://10.0.0.5"}`, true, nil},
		{"the same address in another form", "ldap", `{"url": "ldap://[::ffff:10.0.0.5]"}`, true, nil},
		{"another address", "ldap", `{"url": "ldap://10.0.0.50"}`, true, []string{"10.0.0.50"}},
		{"a port", "ldap", `{"url": "ldap://[::1]"}`, true, nil},
		{"another port", "ldap", `{"url": "ldap://[::1]:1389"}`, true, []string{`::1:1389`}},
		{"no host", "ldap", `{"url": "ldap"}`, true, []string{`"ldap"`}},
		{"another secret", "ldap", `{"url": "ldap://10.0.0.5", "password": "env:AWS_SECRET_ACCESS_KEY"}`, true,
			[]string{`connectorAttributes.password: the reference "env:AWS_SECRET_ACCESS_KEY" is not allowed`, "--allow-secret"}},
		{"variables that begin so", "ldap", `{"url": "ldap://10.0.0.5", "password": "env:MUSTER_X"}`, true, nil},
		{"a file in the folder", "ldap", `{"url": "ldap://10.0.0.5", "password": "file:/run/secrets/a/b"}`, true, nil},
		{"a file out of the folder", "ldap", `{"url": "ldap://10.0.0.5", "password": "file:/run/secrets/../../etc/shadow"}`, true,
			[]string{"/etc/shadow"}},
		{"a file beside the folder", "ldap", `{"url": "ldap://10.0.0.5", "password": "file:/run/secrets2"}`, true, []string{"secrets2"}},
		{"a relative file", "ldap", `{"url": "ldap://10.0.0.5", "password": "file:run/secrets/a"}`, true, []string{"run/secrets/a"}},
		{"certificates", "ldap", `{"url": "ldap://10.0.0.5", "caFile": "/etc/ssl/ldap.pem"}`, true, nil},
		{"a device as certificates", "ldap", `{"url": "ldap://10.0.0.5", "caFile": "/dev/zero"}`, true,
			[]string{"connectorAttributes.caFile", "file:/dev/zero"}},
		{"two faults", "ldap", `{"url": "ldap://a.example", "password": "env:B"}`, true, []string{`"a.example:389"`, `"env:B"`}},
		{"known settings are asked without the connector too", "ldap", `{"url": "ldap://a.example"}`, false, []string{"a.example"}},
		{"a folder", "delimited-folder", `{"folder": "/data/hr"}`, true, nil},
		{"a folder below", "delimited-folder", `{"folder": "/data/hr/new/", "file": "a.csv"}`, true, nil},
		{"a folder above", "delimited-folder", `{"folder": "/data/hr/.."}`, true,
			[]string{`connectorAttributes.folder: the folder "/data/hr/.." is not allowed`, "--allow-folder"}},
		{"a folder beside", "delimited-folder", `{"folder": "/data/hr2"}`, true, []string{"hr2"}},
		{"a relative folder", "delimited-folder", `{"folder": "data/hr"}`, true, []string{"no absolute path"}},
		{"a database", "postgres", `{"connection": "env:MUSTER_DB", "table": "people"}`, true, nil},
		{"another database", "postgres", `{"connection": "file:/etc/passwd", "table": "people"}`, true,
			[]string{"connectorAttributes.connection", "/etc/passwd"}},
		{"text without a connector opens nothing", "delimited-file", `{"host": "local", "file": "/var/a.csv"}`, false, nil},
		{"what no connector reads", "workday", `{"url": "https://wd.example/x"}`, false, nil},
		{"a connector of the host", "crm", `{"baseUrl": "https://ldap.example.com", "apiKey": "env:MUSTER_KEY"}`, true, nil},
		{"a connector of the host with others", "crm", `{"domains": [{"host": "a.example", "key": "file:/x"}, {"dir": "/y"}]}`, true,
			[]string{`domains[0].host: the host "a.example"`, `domains[0].key: the reference "file:/x"`, `domains[1].dir: the folder "/y"`}},
		{"a URL is one whatever it is called", "crm", `{"x": "https://a.example"}`, true, []string{"a.example:443"}},
		{"other texts", "crm", `{"emailAddress": "a@b.example", "note": "a:b", "url": "", "n": 1}`, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			source := configuration.Source{Connector: test.connector, ConnectorAttributes: []byte(test.settings)}
			err := allow.CheckSource(&source, test.connected)
			if len(test.want) == 0 {
				if err != nil {
					t.Errorf("got %v, want none", err)
				}
				return
			}
			for _, part := range test.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want %s in it", err, part)
				}
			}
		})
	}
}

// The zero Allow allows nothing.
func TestAllowNothing(t *testing.T) {
	t.Parallel()
	var none configuration.Allow
	for connector, settings := range map[string]string{
		"ldap": `{"url": "ldap://localhost"}`, "delimited-folder": `{"folder": "/"}`, "postgres": `{"connection": "env:A"}`,
	} {
		source := configuration.Source{Connector: connector, ConnectorAttributes: []byte(settings)}
		if err := none.CheckSource(&source, true); err == nil || !strings.Contains(err.Error(), "is not allowed") {
			t.Errorf("%s: got %v, want a refusal", connector, err)
		}
	}
	if err := none.CheckSecret("env:A"); err == nil {
		t.Error("a secret is allowed")
	}
}

// A list that says nothing, or something else than it seems to, is refused.
func TestValidateAllow(t *testing.T) {
	t.Parallel()
	if err := allow.Validate(); err != nil {
		t.Error(err)
	}
	for want, list := range map[string]configuration.Allow{
		`Folders[1]: "data" is no absolute path`:        {Folders: []string{"/a", "data"}},
		`Hosts[0]: "https://a.example"`:                 {Hosts: []string{"https://a.example"}},
		`Hosts[0]: "*"`:                                 {Hosts: []string{"*"}},
		`Hosts[0]: "a.*.example"`:                       {Hosts: []string{"a.*.example"}},
		`Hosts[0]: "a.example:0" has no port`:           {Hosts: []string{"a.example:0"}},
		`Secrets[0]: env:NAME or file:PATH is expected`: {Secrets: []string{"hunter2"}},
		`Secrets[0]: "env:*_A"`:                         {Secrets: []string{"env:*_A"}},
		`Secrets[0]: "file:/run/sec*"`:                  {Secrets: []string{"file:/run/sec*"}},
		`Secrets[0]: "file:run/x" is no absolute path`:  {Secrets: []string{"file:run/x"}},
	} {
		if err := list.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
