package connector

import (
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
)

// DefaultEquality returns how a source compares the values of an attribute, where its schema does not say so. connector
// is the name of its connector. A directory, whose connector has LDAP or Active Directory in its name, compares most
// attributes by [attribute.CaseIgnoreMatch]; those that it compares in another way are listed here. All other sources
// compare what is written.
func DefaultEquality(connector, name string) attribute.Equality {
	if !IsDirectory(connector) {
		return attribute.CaseExactMatch
	}
	base, _, _ := strings.Cut(strings.ToLower(name), ";") // without options such as ;lang-en
	if equality, listed := directoryEqualities[base]; listed {
		return equality
	}
	return attribute.CaseIgnoreMatch
}

// IsDirectory reports whether the connector of a name is that of a directory, by the words that the connectors of hosts
// and of exported configurations have in their names.
func IsDirectory(connector string) bool {
	connector = strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(connector))
	return strings.Contains(connector, "ldap") || strings.Contains(connector, "activedirectory")
}

// directoryEqualities are those of the attribute types of directories that are not compared by caseIgnoreMatch, as
// RFC 2307, 2798, 4519, 4523, 4524 and [MS-ADSC] define them.
var directoryEqualities = func() map[string]attribute.Equality {
	table := map[string]attribute.Equality{}
	for equality, names := range map[attribute.Equality]string{
		attribute.DistinguishedNameMatch: `dn entrydn distinguishedname member uniquemember memberof isMemberOf
			manager directreports secretary owner roleoccupant seealso assistant managedby managedobjects
			documentauthor aliasedobjectname nsroledn nsrole memberUserDN creatorsname modifiersname
			msds-principal msexchowner authorigdn defaultobjectcategory objectcategory`,
		attribute.CaseExactMatch: `homedirectory loginshell unixhomedirectory memberuid labeleduri
			usercertificate usersmimecertificate cacertificate jpegphoto photo audio thumbnailphoto objectguid
			objectsid sidhistory userpassword userpkcs12 x500uniqueidentifier sshpublickey
			automountinformation uidnumber gidnumber`,
	} {
		for name := range strings.FieldsSeq(names) {
			table[strings.ToLower(name)] = equality
		}
	}
	return table
}()
