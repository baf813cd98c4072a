//go:build ad

// These tests need an Active Directory domain controller. "make test-ad" runs them with one of Samba.

package ldap_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/ldap"
)

const domain = "DC=ad,DC=example,DC=com"

func adSettings(t *testing.T) (url, user, password string) {
	t.Helper()
	url, user, password = os.Getenv("MUSTER_AD_URL"), os.Getenv("MUSTER_AD_USER"), os.Getenv("MUSTER_AD_PASSWORD")
	if url == "" {
		t.Fatal("MUSTER_AD_URL is not set: make test-ad starts a domain controller")
	}
	return url, user, password
}

func adAdmin(t *testing.T) *goldap.Conn {
	t.Helper()
	url, user, password := adSettings(t)
	conn, err := goldap.DialURL(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Bind(user, password); err != nil {
		t.Fatal(err)
	}
	return conn
}

// adSource makes a connector of the people in a unit. more are settings beside the usual ones.
func adSource(t *testing.T, unit string, more map[string]any, schemas []connector.Schema) connector.Connector {
	t.Helper()
	url, _, password := adSettings(t)
	settings := map[string]any{"url": url, "bindDN": "CN=Administrator,CN=Users," + domain, "password": "env:AD", "rdn": "cn",
		"userBase": unit, "groupBase": unit, "userFilter": "(&(objectCategory=person)(objectClass=user))", "userClasses": []string{"user"},
		"groupFilter": "(objectClass=group)", "pageSize": 20}
	for name, value := range more {
		settings[name] = value
	}
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ldap.New(t.Context(), connector.Config{Source: "AD", Attributes: text, Schemas: schemas,
		Secret: func(string) (string, error) { return password, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func adSchemas() []connector.Schema {
	return []connector.Schema{{Name: "account", IdentityAttribute: "dn", DisplayAttribute: "cn", Attributes: []connector.SchemaAttribute{
		{Name: "dn"}, {Name: "cn"}, {Name: "sAMAccountName"}, {Name: "objectGUID"}, {Name: "objectSid"}, {Name: "description"},
		{Name: "memberOf", IsMulti: true, IsEntitlement: true}}}}
}

func adAdd(t *testing.T, conn *goldap.Conn, dn string, attributes map[string][]string) {
	t.Helper()
	request := goldap.NewAddRequest(dn, nil)
	for name, values := range attributes {
		request.Attribute(name, values)
	}
	if err := conn.Add(request); err != nil {
		t.Fatalf("%s: %v", dn, err)
	}
}

// unit makes a unit of its own for a test.
func unit(t *testing.T, conn *goldap.Conn, name string) string {
	t.Helper()
	dn := "OU=" + name + "," + domain
	adAdd(t, conn, dn, map[string][]string{"objectClass": {"organizationalUnit"}})
	return dn
}

// Groups are read whole, from the group and as memberOf. Samba gives all values of an attribute at once, unless it is
// asked for a range of them; then it goes on as Active Directory does.
func TestADRanges(t *testing.T) {
	conn := adAdmin(t)
	ou := unit(t, conn, "Ranges")
	const people, groups = 45, 3
	var members []string
	for n := range people {
		dn := fmt.Sprintf("CN=Person %d,%s", n, ou)
		adAdd(t, conn, dn, map[string][]string{"objectClass": {"user"}, "sAMAccountName": {fmt.Sprintf("r%d", n)}})
		members = append(members, dn)
	}
	for n := range groups {
		adAdd(t, conn, fmt.Sprintf("CN=Team %d,%s", n, ou), map[string][]string{"objectClass": {"group"},
			"sAMAccountName": {fmt.Sprintf("team%d", n)}, "member": members[:people-n]})
	}
	for _, server := range []bool{false, true} {
		c := adSource(t, ou, map[string]any{"serverMemberOf": server}, adSchemas())
		count := map[string]int{}
		accounts, guids := 0, map[string]bool{}
		if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
			if o.Type != "" {
				return nil
			}
			accounts++
			guids[o.StableIdentity] = true
			if o.Attributes.Get("objectGUID").Text() != o.StableIdentity || len(o.StableIdentity) != 36 || o.Attributes.Has("objectSid") {
				return fmt.Errorf("%+v", o)
			}
			for _, group := range o.Attributes.Get("memberOf").Strings() {
				count[group]++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if accounts != people || len(guids) != people {
			t.Errorf("%d accounts with %d stable identities, want %d", accounts, len(guids), people)
		}
		for n := range groups {
			if group := fmt.Sprintf("CN=Team %d,%s", n, ou); count[group] != people-n {
				t.Errorf("server %v: %q has %d members, want %d", server, group, count[group], people-n)
			}
		}
	}
	result, err := conn.Search(goldap.NewSearchRequest("CN=Team 0,"+ou, goldap.ScopeBaseObject, goldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"cn", "member;range=0-9"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	entry := result.Entries[0]
	if !slices.ContainsFunc(entry.Attributes, func(a *goldap.EntryAttribute) bool { return a.Name == "member;range=0-9" }) {
		t.Fatalf("the controller gives no range: %+v", entry)
	}
	if err := ldap.Complete(conn, entry); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(slices.Values(entry.GetAttributeValues("member")))
	if slices.Sort(members); !slices.Equal(got, members) || len(entry.Attributes) != 2 {
		t.Errorf("%d members in %d attributes, want %d", len(got), len(entry.Attributes), len(members))
	}
}

// Renaming keeps the stable identity and the groups, and the naming attribute cannot be taken away.
func TestADLife(t *testing.T) {
	conn := adAdmin(t)
	ou := unit(t, conn, "Life")
	group := "CN=Sales," + ou
	adAdd(t, conn, group, map[string][]string{"objectClass": {"group"}, "sAMAccountName": {"sales"}})
	c := adSource(t, ou, nil, adSchemas())
	if err := c.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	do := func(kind connector.Kind, native string, values map[string]attribute.Value) (string, error) {
		result, err := c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: kind, NativeIdentity: native, Attributes: attribute.SetOf(values)})
		return result.NativeIdentity, err
	}
	must := func(native string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return native
	}
	read := func() (guid, groups string) {
		t.Helper()
		if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
			if o.Type == "" {
				guid, groups = o.StableIdentity, o.Attributes.Get("memberOf").Text()
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return guid, groups
	}
	native := must(do(connector.Create, "", map[string]attribute.Value{"cn": attribute.String("Ann Lee"), "sAMAccountName": attribute.String("ann")}))
	must(do(connector.AddValues, native, map[string]attribute.Value{"memberOf": attribute.List([]string{group})}))
	before, _ := read()
	for range 2 {
		if renamed := must(do(connector.SetAttributes, native, map[string]attribute.Value{"cn": attribute.String("Lee, Ann"),
			"description": attribute.String("d")})); renamed != `CN=Lee\, Ann,`+ou {
			t.Errorf("renamed it is %q", renamed)
		}
	}
	native = `CN=Lee\, Ann,` + ou
	if after, groups := read(); after != before || groups != group {
		t.Errorf("the stable identity was %q and is %q, the groups are %q", before, after, groups)
	}
	if renamed := must(do(connector.SetAttributes, native, map[string]attribute.Value{"cn": attribute.String("LEE, Ann")})); renamed != `CN=LEE\, Ann,`+ou {
		t.Errorf("with another letter case it is %q", renamed)
	}
	if _, err := do(connector.SetAttributes, native, map[string]attribute.Value{"cn": attribute.Null}); !connector.IsPermanent(err) {
		t.Errorf("without a name: %v", err)
	}
	must(do(connector.RemoveValues, native, map[string]attribute.Value{"memberOf": attribute.List([]string{group})}))
	must(do(connector.Delete, native, nil))
	if _, err := do(connector.SetAttributes, native, map[string]attribute.Value{"description": attribute.String("x")}); !errors.Is(err, connector.ErrNoAccount) {
		t.Errorf("an account that is gone: %v", err)
	}
}

// A search from the root of the domain is whole, though it has references to the partitions without accounts; and
// passwords and binary attributes are not proposed.
func TestADRoot(t *testing.T) {
	c := adSource(t, domain, nil, adSchemas())
	names := map[string]bool{}
	if _, err := c.Read(t.Context(), "", func(o *connector.Object) error { names[o.Name] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if !names["Administrator"] || !names["Domain Admins"] {
		t.Errorf("the Administrator is not among %d objects", len(names))
	}
	found, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	account := connector.AccountSchema(found)
	if account.StableIdentityAttribute != "objectGUID" || account.Attribute("sAMAccountName") == nil || account.Attribute("pwdLastSet") == nil {
		t.Errorf("%d attributes are proposed, with the stable identity %q", len(account.Attributes), account.StableIdentityAttribute)
	}
	seen := map[string]bool{}
	for _, a := range account.Attributes {
		if seen[strings.ToLower(a.Name)] {
			t.Errorf("%s is proposed twice", a.Name)
		}
		seen[strings.ToLower(a.Name)] = true
	}
	for _, name := range []string{"unicodePwd", "userPassword", "dBCSPwd", "ntPwdHistory", "lmPwdHistory", "supplementalCredentials",
		"objectSid", "objectGUID", "thumbnailPhoto", "jpegPhoto", "userCertificate", "nTSecurityDescriptor", "logonHours"} {
		if account.Attribute(name) != nil {
			t.Errorf("%s is proposed", name)
		}
	}
}
