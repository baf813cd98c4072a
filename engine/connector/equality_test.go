package connector_test

import (
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

func TestDefaultEquality(t *testing.T) {
	for _, test := range []struct {
		connector, attribute string
		want                 attribute.Equality
	}{
		{"ldap", "memberOf", attribute.DistinguishedNameMatch},
		{"ldap", "DN", attribute.DistinguishedNameMatch},
		{"ldap", "manager", attribute.DistinguishedNameMatch},
		{"ldap", "title", attribute.CaseIgnoreMatch},
		{"ldap", "title;lang-en", attribute.CaseIgnoreMatch},
		{"ldap", "homeDirectory", attribute.CaseExactMatch},
		{"OpenLDAP - Direct", "memberOf", attribute.DistinguishedNameMatch},
		{"Active Directory - Direct", "memberOf", attribute.DistinguishedNameMatch},
		{"active-directory", "mail", attribute.CaseIgnoreMatch},
		{"delimited-file", "memberOf", attribute.CaseExactMatch},
		{"postgres", "title", attribute.CaseExactMatch},
		{"", "title", attribute.CaseExactMatch},
	} {
		if got := connector.DefaultEquality(test.connector, test.attribute); got != test.want {
			t.Errorf("%s of %s: %s, want %s", test.attribute, test.connector, got, test.want)
		}
	}
}

// What the source takes to be the same is not added again, and is removed in any spelling.
func TestAppliedByEquality(t *testing.T) {
	schema := &connector.Schema{Attributes: []connector.SchemaAttribute{
		{Name: "groups", IsMulti: true, Equality: attribute.DistinguishedNameMatch}, {Name: "title", IsMulti: true}}}
	before := attribute.SetOf(map[string]attribute.Value{"groups": attribute.List([]string{"cn=a,dc=x", "cn=b,dc=x"}),
		"title": attribute.List([]string{"VPN"})})
	for _, test := range []struct {
		kind        connector.Kind
		name, value string
		want        string
	}{
		{connector.AddValues, "groups", "CN=A, DC=x", `{"title":["VPN"],"groups":["cn=a,dc=x","cn=b,dc=x"]}`},
		{connector.RemoveValues, "groups", "CN=A, DC=x", `{"title":["VPN"],"groups":["cn=b,dc=x"]}`},
		{connector.AddValues, "title", "vpn", `{"title":["VPN","vpn"],"groups":["cn=a,dc=x","cn=b,dc=x"]}`},
	} {
		operation := &connector.Operation{Kind: test.kind, Attributes: attribute.SetOf(map[string]attribute.Value{
			test.name: attribute.List([]string{test.value})})}
		after := connector.Applied(&before, operation, schema)
		if got := string(after.AppendJSON(nil)); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.kind, test.value, got, test.want)
		}
	}
}
