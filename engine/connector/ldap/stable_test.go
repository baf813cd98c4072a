package ldap

import (
	"testing"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/connector"
)

func TestStableIdentity(t *testing.T) {
	t.Parallel()
	guid := string([]byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff})
	const guidWanted = "00112233-4455-6677-8899-aabbccddeeff"
	for name, test := range map[string]struct {
		attributes  map[string][]string
		want, fault string
	}{
		"none":             {map[string][]string{"cn": {"Ann"}}, "", ""},
		"empty":            {map[string][]string{"entryUUID": {""}}, "", ""},
		"OpenLDAP":         {map[string][]string{"entryuuid": {"8E2C7B7A-0001-1040-8ABC-0123456789AB"}}, "8e2c7b7a-0001-1040-8abc-0123456789ab", ""},
		"Active Directory": {map[string][]string{"objectGUID": {guid}}, guidWanted, ""},
		"FreeIPA": {map[string][]string{"nsUniqueId": {"d5f8a481-89a211ea"}, "ipaUniqueID": {"9d5e2b3c-89a2-11ea"}},
			"9d5e2b3c-89a2-11ea", ""},
		"389":           {map[string][]string{"nsuniqueid": {"d5f8a481-89a211ea-abcdef01-23456789"}}, "d5f8a481-89a211ea-abcdef01-23456789", ""},
		"a broken GUID": {map[string][]string{"objectGUID": {guid[:15]}}, "", "the stable identity: a GUID of 16 bytes is expected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &directory{schema: &connector.Schema{Attributes: []connector.SchemaAttribute{{Name: "cn"}}}}
			var object connector.Object
			d.read(&object, ldap.NewEntry("cn=Ann,dc=x", test.attributes), nil)
			if object.StableIdentity != test.want || object.Fault != test.fault {
				t.Errorf("got %q and the fault %q, want %q and %q", object.StableIdentity, object.Fault, test.want, test.fault)
			}
		})
	}
}

func TestDiscoveredStable(t *testing.T) {
	t.Parallel()
	for want, definition := range map[string]string{
		"entryUUID":  "( 1.3.6.1.1.16.4 NAME 'entryUUID' DESC 'UUID of the entry' SINGLE-VALUE )",
		"objectGUID": "( 1.2.840.113556.1.4.2 NAME 'objectGUID' SINGLE-VALUE )",
		"":           "( 2.5.4.3 NAME ( 'cn' 'commonName' ) )",
	} {
		if got := discoveredStable(ldap.NewEntry("cn=Subschema", map[string][]string{"attributeTypes": {definition}})); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
