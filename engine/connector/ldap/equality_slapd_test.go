//go:build ldap

package ldap_test

import (
	"slices"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// What a real directory takes to be equal is no change, and the equality that its schema tells is that of the table.
func TestEqualityOfADirectory(t *testing.T) {
	s := start(t)
	c := s.open(t, nil)
	native := apply(t, c, connector.Create, "", map[string]attribute.Value{"uid": attribute.String("Zoë"), "cn": attribute.String("Zoë"),
		"sn": attribute.String("x"), "mail": attribute.List([]string{"Zoe@Example.com", "z@example.com"})})
	for _, o := range []struct {
		kind        connector.Kind
		name, value string
	}{
		{connector.AddValues, "mail", "zoe@example.COM"},
		{connector.AddValues, "memberOf", "CN=SALES, OU=Groups,DC=example,DC=com"},
		{connector.AddValues, "memberOf", `cn=s\C3\B6hne\2C m\C3\9CLLER \2B co,ou=groups,dc=example,dc=com`},
		{connector.AddValues, "employeeType", "intern"},
		{connector.AddValues, "employeeType", "Staff"}, // the schema says that it has one value
		{connector.RemoveValues, "mail", "Z@EXAMPLE.com"},
	} {
		apply(t, c, o.kind, native, map[string]attribute.Value{o.name: attribute.List([]string{o.value})})
	}
	// Who asks for another spelling of the name gets it, and the entry stays the same one in its groups. The engine does
	// not ask, since the equality says that nothing differs.
	again := apply(t, c, connector.SetAttributes, native, map[string]attribute.Value{"uid": attribute.String("ZOË")})
	if again == native || !attribute.DistinguishedNameMatch.Same(again, native) {
		t.Errorf("the account is called %s now, before it was %s", again, native)
	}
	native = again
	var seen attribute.Set
	if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
		if o.Type == "" && o.NativeIdentity == native {
			seen = o.Attributes.Clone()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := seen.Get("mail").Strings(); !slices.Equal(got, []string{"Zoe@Example.com"}) {
		t.Errorf("mail is %q", got)
	}
	if got := seen.Get("employeeType").Text(); got != "Staff" {
		t.Errorf("employeeType is %q", got)
	}
	want := attribute.List([]string{"cn=Sales," + groups, "cn=" + goldap.EscapeDN(groupNames[1]) + "," + groups})
	if got := seen.Get("memberOf"); !attribute.DistinguishedNameMatch.SameValues(got, want) {
		t.Errorf("memberOf is %q, want %q", got.Strings(), want.Strings())
	}
	found, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(found[0].Attributes) < 40 {
		t.Errorf("%d attributes are discovered", len(found[0].Attributes))
	}
	for _, a := range found[0].Attributes {
		if a.Equality != "" {
			t.Errorf("%s: %s, want that of the table", a.Name, a.Equality)
		}
	}
}
