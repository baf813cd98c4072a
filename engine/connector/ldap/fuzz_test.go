package ldap

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// A value stays within its part of a DN and of a filter, and a DN has one spelling.
func FuzzNames(f *testing.F) {
	for _, value := range []string{"ann", "x,ou=admins", `q"u\o+te;<>=`, " #a ", "a\x00b\r\n", "*)(uid=*))(|(uid=*", "\xff", "日本", "cn=a+sn=b,dc=x",
		`CN=\20a\,b , DC=X`, `uid=#0403666f6f,dc=x`, "=", "uid=a\\", strings.Repeat("dc=a,", 300) + "dc=x"} {
		f.Add(value)
	}
	d := &directory{settings: settings{UserBase: "ou=people,dc=x", GroupFilter: "(objectClass=groupOfNames)", Member: "member"}}
	d.settings.withDefaults()
	f.Fuzz(func(t *testing.T, value string) {
		if value != "" {
			dn, err := d.name(&connector.Operation{Attributes: attribute.SetOf(map[string]attribute.Value{
				d.settings.RDN: attribute.String(value)})})
			if !utf8.ValidString(value) {
				if !connector.IsPermanent(err) {
					t.Fatalf("got %q: %v, want connector.IsPermanent(err)", value, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := ldap.ParseDN(dn)
			if err != nil || len(parsed.RDNs) != 3 || len(parsed.RDNs[0].Attributes) != 1 ||
				parsed.RDNs[0].Attributes[0].Value != value || namedBy(dn) != d.settings.RDN {
				t.Fatalf("%q becomes %q: %+v, %v", value, dn, parsed, err)
			}
			if again := spelled(dn); spelled(again) != again || normal(again) != normal(dn) {
				t.Fatalf("%q is spelled %q, and that %q", dn, again, spelled(again))
			}
		}
		compiled, err := ldap.CompileFilter(d.memberFilter(value))
		if err != nil {
			t.Fatalf("%q: %v", d.memberFilter(value), err)
		}
		if len(compiled.Children) != 2 || len(compiled.Children[1].Children) != 2 ||
			compiled.Children[1].Children[1].Data.String() != value {
			t.Fatalf("%q leaves its place in %q", value, d.memberFilter(value))
		}
		// It may be a DN of its own, from a directory.
		if once := spelled(value); spelled(once) != once {
			t.Fatalf("%q is spelled %q, and that %q", value, once, spelled(once))
		}
		_ = namedBy(value)
	})
}

// Every value of a directory becomes one of the attribute's type, or a fault that does not repeat it.
func FuzzValues(f *testing.F) {
	f.Add("TRUE", "x", "BOOLEAN", true)
	f.Add("9223372036854775808", "\xff", "INT", false)
	f.Add("20260101000000.0Z", "", "STRING", false)
	f.Fuzz(func(t *testing.T, first, second, kind string, multi bool) {
		a := &connector.SchemaAttribute{Name: "a", Type: kind, IsMulti: multi}
		value, err := read(a, []string{first, second})
		switch {
		case err != nil:
			if len(first) > 12 && strings.Contains(err.Error(), first) {
				t.Fatalf("%v repeats the value", err)
			}
		case multi:
			if got := value.Strings(); len(got) != 2 || got[0] != first || got[1] != second {
				t.Fatalf("got %q, want len(got) == 2 && got[0] == first && got[1] == second", got)
			}
		case value.Kind() == attribute.KindString && value.Text() != first, value.IsNull() && first != "":
			t.Fatalf("%q became %q", first, value.Text())
		}
	})
}

// The schema of a directory, which may refer to itself, is read in one visit of each class.
func FuzzDiscovered(f *testing.F) {
	f.Add("( 1.2 NAME ( 'cn' 'commonName' ) SINGLE-VALUE )", "( 2.5 NAME 'person' SUP ( person $ top ) MUST ( sn $ cn ) MAY cn )", "person")
	f.Add("( NAME", ") NAME ' ( $", "")
	f.Add("", "( NAME ( 'a' 'b' ) SUP ( a $ b $ a $ b $ a $ b $ a $ b ) MAY x )", "a")
	f.Fuzz(func(t *testing.T, attributeType, objectClass, class string) {
		schema := ldap.NewEntry("cn=Subschema", map[string][]string{"attributeTypes": {attributeType}, "objectClasses": {objectClass}})
		last := ""
		for i, a := range discovered(schema, []string{class, class}) {
			if a.Name == "" || i > 0 && a.Name <= last || utf8.ValidString(objectClass) && !strings.Contains(objectClass, a.Name) {
				t.Fatalf("the attribute %q after %q", a.Name, last)
			}
			last = a.Name
		}
	})
}
