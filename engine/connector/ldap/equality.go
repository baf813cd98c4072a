package ldap

import (
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// connectorName is the name by which [connector.DefaultEquality] knows a directory.
const connectorName = "ldap"

// equality returns how the directory compares the values of an attribute.
func (d *directory) equality(name string) attribute.Equality {
	if a := d.schema.Attribute(name); a != nil && a.Equality != "" {
		return a.Equality
	}
	return connector.DefaultEquality(connectorName, name)
}

// matchingRules are the equality of each matching rule, by its name and its object identifier (RFC 4517). What a rule
// ignores beyond letter case and spaces, such as hyphens in telephone numbers, is taken to be a difference: then a
// value is written once more than it must be.
var matchingRules = func() map[string]attribute.Equality {
	rules := map[string]attribute.Equality{}
	for equality, names := range map[attribute.Equality]string{
		attribute.DistinguishedNameMatch: `distinguishedNameMatch 2.5.13.1 uniqueMemberMatch 2.5.13.23`,
		attribute.CaseIgnoreMatch: `caseIgnoreMatch 2.5.13.2 caseIgnoreIA5Match 1.3.6.1.4.1.1466.109.114.2
			caseIgnoreListMatch 2.5.13.11 telephoneNumberMatch 2.5.13.20 numericStringMatch 2.5.13.8
			objectIdentifierMatch 2.5.13.0 booleanMatch 2.5.13.13 UUIDMatch 1.3.6.1.1.16.2`,
		attribute.CaseExactMatch: `caseExactMatch 2.5.13.5 caseExactIA5Match 1.3.6.1.4.1.1466.109.114.1
			octetStringMatch 2.5.13.17 integerMatch 2.5.13.14 bitStringMatch 2.5.13.16
			generalizedTimeMatch 2.5.13.27`,
	} {
		for name := range strings.FieldsSeq(names) {
			rules[strings.ToLower(name)] = equality
		}
	}
	return rules
}()

// equality returns how the values of an attribute type are compared where it is not the default, else "". A type has
// that of the type that it is derived from, unless it has its own.
func (d definitions) equality(name string) attribute.Equality {
	rules := d.inherited(name, "EQUALITY")
	if len(rules) == 0 {
		return ""
	}
	equality, known := matchingRules[strings.ToLower(rules[0])]
	if !known || equality == connector.DefaultEquality(connectorName, name) {
		return ""
	}
	return equality
}
