package ldap

import (
	"testing"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/attribute"
)

// What the directory's schema says is told where it is not the default, also of a type that is derived from another.
func TestDiscoveredEquality(t *testing.T) {
	schema := ldap.NewEntry("cn=subschema", map[string][]string{"attributeTypes": {
		"( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch )",
		"( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )",
		"( 1.1 NAME 'badge' EQUALITY caseExactMatch SINGLE-VALUE )",
		"( 1.2 NAME ( 'lock' 'padlock' ) SUP badge )",
		"( 1.3 NAME 'key' SUP 1.1 )",
		"( 1.4 NAME 'boss' EQUALITY 2.5.13.1 )",
		"( 1.5 NAME 'manager' SUP boss )",
		"( 1.6 NAME 'photo' EQUALITY unheardOfMatch )",
		"( 1.7 NAME 'round' SUP round )",
		"( 1.8 NAME 'homeDirectory' EQUALITY caseIgnoreIA5Match )",
	}})
	found := readDefinitions(schema, "attributeTypes")
	for name, want := range map[string]attribute.Equality{
		"cn": "", "commonName": "", "badge": attribute.CaseExactMatch, "PadLock": attribute.CaseExactMatch, "key": attribute.CaseExactMatch,
		"boss": attribute.DistinguishedNameMatch, "manager": "", "photo": "", "round": "", "nothing": "", "homeDirectory": attribute.CaseIgnoreMatch,
	} {
		if got := found.equality(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// All DNs of one entry have one normal form.
func TestNormalIgnoresCaseOfAllLetters(t *testing.T) {
	if a, b := normal(`UID=ZOË\2C x+cn=a,OU=People`), normal(`cn=A+uid=zo\C3\ABE\2c  x,ou=people`); a == b {
		t.Errorf("%q and %q are one", a, b)
	}
	if a, b := normal(`UID=ZOË\2C x+cn=a,OU=People`), normal(`cn=A + uid=zo\C3\AB\2c  x,ou=people`); a != b {
		t.Errorf("%q and %q are two", a, b)
	}
}
