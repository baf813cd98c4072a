package ldap

import (
	"slices"
	"strings"

	ldap "github.com/go-ldap/ldap/v3"

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

// attributeTypes has the words of each definition of an attribute's type (RFC 4512, section 4.1.2), by lower-case name.
type attributeTypes map[string][]string

func discoveredTypes(schema *ldap.Entry) attributeTypes {
	types := attributeTypes{}
	for _, definition := range schema.GetAttributeValues("attributeTypes") {
		words := definitionWords(definition)
		for _, name := range definitionNames(words, "NAME") {
			types[strings.ToLower(name)] = words
		}
	}
	return types
}

// binarySyntaxes are the syntaxes whose values are no text, or a password: RFC 4517, RFC 2252 (section 4.3.2), RFC
// 4523, RFC 3112, and those of the bytes with a DN and the security descriptors of Active Directory.
var binarySyntaxes = []string{
	"1.3.6.1.4.1.1466.115.121.1.4", "1.3.6.1.4.1.1466.115.121.1.5", "1.3.6.1.4.1.1466.115.121.1.8",
	"1.3.6.1.4.1.1466.115.121.1.9", "1.3.6.1.4.1.1466.115.121.1.10", "1.3.6.1.4.1.1466.115.121.1.23",
	"1.3.6.1.4.1.1466.115.121.1.28", "1.3.6.1.4.1.1466.115.121.1.40", "1.3.6.1.4.1.1466.115.121.1.49",
	"1.3.6.1.4.1.4203.1.1.2", "1.2.840.113556.1.4.903", "1.2.840.113556.1.4.907",
}

// supMax is how many superior types are followed, at most.
const supMax = 16

// areBinary reports whether the values of an attribute are no text by its syntax, which it may have from the type that
// it is derived from.
func (t attributeTypes) areBinary(name string) bool {
	for range supMax {
		words := t[strings.ToLower(name)]
		if syntax := definitionNames(words, "SYNTAX"); len(syntax) > 0 {
			number, _, _ := strings.Cut(syntax[0], "{")
			return slices.Contains(binarySyntaxes, number)
		}
		superior := definitionNames(words, "SUP")
		if len(superior) == 0 {
			return false
		}
		name = superior[0]
	}
	return false
}
