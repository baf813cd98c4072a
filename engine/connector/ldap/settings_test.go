package ldap

import (
	"errors"
	"strings"
	"testing"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

func TestSettings(t *testing.T) {
	schemas := []connector.Schema{{Name: "account", Attributes: []connector.SchemaAttribute{{Name: "dn"}}}}
	for attributes, want := range map[string]string{
		`{"url": "http://x", "userBase": "dc=x"}`:                               "url: one such as ldaps://",
		`{"url": "ldaps://x", "startTLS": true, "userBase": "dc=x"}`:            "encrypted already",
		`{"url": "ldap://x"}`:                                                   "userBase is missing",
		`{"url": "ldap://x", "userBase": "people"}`:                             `userBase: "people" is no DN`,
		`{"url": "ldap://x", "userBase": "dc=x", "userFilter": "(a=b"}`:         "userFilter",
		`{"url": "ldap://x", "userBase": "dc=x", "password": "hunter2"}`:        "a secret is not written into the configuration",
		`{"url": "ldap://x", "userBase": "dc=x", "password": "env:NO"}`:         "no such secret",
		`{"url": "ldap://x", "userBase": "dc=x", "caFile": "/no/such/file"}`:    "caFile",
		`{"url": "ldap://x", "userBase": "dc=x", "pageSize": 100000}`:           "pageSize",
		`{"url": "ldap://x", "userBase": "dc=x", "caFile": "settings_test.go"}`: "no certificate",
	} {
		_, err := New(t.Context(), connector.Config{Schemas: schemas, Attributes: []byte(attributes),
			Secret: func(string) (string, error) { return "", errors.New("no such secret") }})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %s: %v, want err != nil && strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), \"hunter2\")", attributes, err)
		}
	}
	if _, err := New(t.Context(), connector.Config{Attributes: []byte(`{"url": "ldap://x", "userBase": "dc=x"}`)}); err == nil {
		t.Error("a source without a schema is accepted")
	}
}

// Whatever a name holds, it stays within its own part of the DN.
func TestNamesAreEscaped(t *testing.T) {
	d := &directory{settings: settings{UserBase: "ou=people,dc=x"}}
	d.settings.withDefaults()
	for _, value := range []string{"ann", "a,b", "x,ou=admins", `q"u\o+te`, " blank ", "#hash", "Zoë 日本", "a\x00b", "<;>=", "a\nb"} {
		dn, err := d.name(&connector.Operation{Attributes: attribute.SetOf(map[string]attribute.Value{"uid": attribute.String(value)})})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ldap.ParseDN(dn)
		if err != nil || len(parsed.RDNs) != 3 || parsed.RDNs[0].Attributes[0].Value != value {
			t.Errorf("%q becomes %q: %+v, %v", value, dn, parsed, err)
		}
		if namedBy(dn) != "uid" {
			t.Errorf("%q is named by %q", dn, rdnOf(dn))
		}
	}
	if _, err := d.name(&connector.Operation{}); !connector.IsPermanent(err) {
		t.Error(err)
	}
	if normal("UID=Ann,OU=People,DC=x") != normal("uid=ann, ou=people,dc=X") {
		t.Error("two spellings of a DN differ")
	}
}

func TestErrorsHoldNoValues(t *testing.T) {
	err := plain(ldap.NewError(ldap.LDAPResultConstraintViolation, errors.New("mail: geheim")))
	if !connector.IsPermanent(err) || strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
	if err := plain(ldap.NewError(ldap.ErrorNetwork, errors.New("geheim"))); connector.IsPermanent(err) || strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
	if err := plain(ldap.NewError(ldap.LDAPResultBusy, errors.New("x"))); connector.IsPermanent(err) {
		t.Error(err)
	}
}

func TestDiscovered(t *testing.T) {
	schema := ldap.NewEntry("cn=Subschema", map[string][]string{
		"attributeTypes": {"( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )", "( 1.2 NAME 'employeeNumber' EQUALITY x SINGLE-VALUE )"},
		"objectClasses": {"( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( description $ seeAlso ) )",
			"( 2.16 NAME 'inetOrgPerson' SUP person STRUCTURAL MAY employeeNumber )", "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )"},
	})
	var got []string
	for _, a := range discovered(schema, []string{"INETORGPERSON"}) {
		name := a.Name
		if a.IsMulti {
			name += "*"
		}
		got = append(got, name)
	}
	if want := "cn* description* employeeNumber objectClass* seeAlso* sn*"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// namedBy returns the names of the attributes that name an entry.
func namedBy(dn string) string {
	var names []string
	for _, part := range rdnOf(dn) {
		names = append(names, part.Type)
	}
	return strings.Join(names, "+")
}
