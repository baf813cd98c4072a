package ldap

import (
	"encoding/hex"
	"errors"
	"strings"

	ldap "github.com/go-ldap/ldap/v3"
)

// guidAttribute is the one of stableAttributes whose value is binary.
const guidAttribute = "objectGUID"

// stableAttributes are the attributes in which directories keep what identifies an entry whatever its DN is: that of
// RFC 4530, and those of Active Directory, FreeIPA and 389 Directory Server. The first that an entry has counts.
var stableAttributes = []string{"entryUUID", guidAttribute, "ipaUniqueID", "nsUniqueId"}

// stableIdentity returns the stable identity of an entry in lower case, as case does not count in it, or "" if it has
// none.
func stableIdentity(entry *ldap.Entry) (string, error) {
	for _, name := range stableAttributes {
		values := entry.GetEqualFoldRawAttributeValues(name)
		switch {
		case len(values) == 0 || len(values[0]) == 0:
		case name == guidAttribute:
			return guidText(values[0])
		default:
			return strings.ToLower(string(values[0])), nil
		}
	}
	return "", nil
}

// guidTexts returns the GUID of an entry as text, and nothing where it has none.
func guidTexts(entry *ldap.Entry) ([]string, error) {
	var texts []string
	for _, value := range entry.GetEqualFoldRawAttributeValues(guidAttribute) {
		text, err := guidText(value)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// guidText returns the text of a GUID. In its 16 bytes the first three groups have their lowest byte first (MS-DTYP,
// section 2.3.4.2).
func guidText(b []byte) (string, error) {
	if len(b) != 16 {
		return "", errors.New("a GUID of 16 bytes is expected")
	}
	groups := [][]byte{{b[3], b[2], b[1], b[0]}, {b[5], b[4]}, {b[7], b[6]}, b[8:10], b[10:]}
	texts := make([]string, len(groups))
	for i, group := range groups {
		texts[i] = hex.EncodeToString(group)
	}
	return strings.Join(texts, "-"), nil
}

// guidBytes returns the 16 bytes of a GUID that [guidText] wrote.
func guidBytes(text string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != 16 {
		return nil, errors.New("the text of a GUID is expected")
	}
	return []byte{raw[3], raw[2], raw[1], raw[0], raw[5], raw[4], raw[7], raw[6], raw[8], raw[9], raw[10], raw[11],
		raw[12], raw[13], raw[14], raw[15]}, nil
}

// discoveredStable returns the first of stableAttributes that a directory's schema has, or "".
func discoveredStable(schema *ldap.Entry) string {
	types := readDefinitions(schema, "attributeTypes")
	for _, name := range stableAttributes {
		if types[strings.ToLower(name)] != nil {
			return name
		}
	}
	return ""
}
