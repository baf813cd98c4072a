package ldap

import (
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/connector"
)

// isUnread reports whether an attribute is never requested from the directory.
func isUnread(name string) bool { return isBinary(name) || connector.HoldsPassword(name) }

// isBinary reports whether the values of an attribute are no text: it has the option ;binary (RFC 4522), or is known.
func isBinary(name string) bool {
	base, options, _ := strings.Cut(strings.ToLower(name), ";")
	return slices.Contains(strings.Split(options, ";"), "binary") || slices.Contains(binaryAttributes, base)
}

// binaryAttributes are the attributes of RFC 4519, RFC 2798, RFC 4523 and Active Directory with values that are no
// text, in lower case. objectGUID is not among them, since its bytes have a text.
var binaryAttributes = []string{
	"jpegphoto", "photo", "audio", "personalsignature", "thumbnailphoto", "thumbnaillogo", "usercertificate",
	"cacertificate", "crosscertificatepair", "certificaterevocationlist", "authorityrevocationlist",
	"deltarevocationlist", "usersmimecertificate", "usercert", "objectsid", "sidhistory", "tokengroups",
	"tokengroupsglobalanduniversal", "tokengroupsnogcacceptable", "ntsecuritydescriptor", "logonhours",
	"userparameters", "replpropertymetadata", "repluptodatevector", "msexchmailboxguid", "msexcharchiveguid",
	"msexchmailboxsecuritydescriptor", "ms-ds-consistencyguid", "ms-ds-creatorsid", "msds-generationid",
	"msrtcsip-userroutinggroupid", "protocolsettings", "securityidentifier", "schemaidguid", "attributesecurityguid",
	"x500uniqueidentifier",
}

// binarySyntaxes are the syntaxes whose values are no text, or a password: RFC 4517, RFC 2252 (section 4.3.2), RFC
// 4523, RFC 3112, and those of the bytes with a DN and the security descriptors of Active Directory.
var binarySyntaxes = []string{
	"1.3.6.1.4.1.1466.115.121.1.4", "1.3.6.1.4.1.1466.115.121.1.5", "1.3.6.1.4.1.1466.115.121.1.8",
	"1.3.6.1.4.1.1466.115.121.1.9", "1.3.6.1.4.1.1466.115.121.1.10", "1.3.6.1.4.1.1466.115.121.1.23",
	"1.3.6.1.4.1.1466.115.121.1.28", "1.3.6.1.4.1.1466.115.121.1.40", "1.3.6.1.4.1.1466.115.121.1.49",
	"1.3.6.1.4.1.4203.1.1.2", "1.2.840.113556.1.4.903", "1.2.840.113556.1.4.907",
}

// areBinary reports whether the values of an attribute are no text by its syntax, which it may have from the type that
// it is derived from.
func (d definitions) areBinary(name string) bool {
	syntax := d.inherited(name, "SYNTAX")
	if len(syntax) == 0 {
		return false
	}
	number, _, _ := strings.Cut(syntax[0], "{")
	return slices.Contains(binarySyntaxes, number)
}
