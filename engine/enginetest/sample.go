package enginetest

import (
	"fmt"
	"strings"
)

// Documents are the configuration of the sample company: an authoritative source with managers, a source whose accounts
// are correlated, and a profile over both.
const Documents = `
identityAttributes:
  - {name: department, displayName: Department, type: string, searchable: true}
  - {name: groups, displayName: Groups, type: string, multi: true}
sources:
  - name: HR
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        displayAttribute: name
        attributes: [{name: id}, {name: name}, {name: first}, {name: last}, {name: mail}, {name: dept}, {name: mgr},
                     {name: age, type: INT}, {name: state}]
    managerCorrelationMapping: {accountAttributeName: mgr, identityAttributeName: identificationNumber}
  - name: Directory
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: sam
        attributes: [{name: sam}, {name: mail}, {name: emp}, {name: groups, isMulti: true, isEntitlement: true},
                     {name: active, type: BOOLEAN}]
    accountCorrelationConfig:
      attributeAssignments:
        - {property: identificationNumber, value: emp, operation: EQ}
        - {property: email, value: mail, operation: EQ}
identityProfiles:
  - name: Employees
    authoritativeSource: {type: SOURCE, name: HR}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}
        - {identityAttributeName: displayName, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: name}}}
        - {identityAttributeName: firstname, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: first}}}
        - {identityAttributeName: lastname, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: last}}}
        - {identityAttributeName: email, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: mail}}}
        - {identityAttributeName: department, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}}}
        - {identityAttributeName: identificationNumber, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}
        - {identityAttributeName: cloudLifecycleState, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: state}}}
        - {identityAttributeName: login, transformDefinition: {type: accountAttribute, attributes: {sourceName: Directory, attributeName: sam}}}
        - {identityAttributeName: groups, transformDefinition: {type: accountAttribute, attributes: {sourceName: Directory, attributeName: groups}}}
    lifecycleStates:
      - {name: On leave, technicalName: leave, identityState: INACTIVE_LONG_TERM}
`

// Roles are two roles for the company of [Documents]: Sales grants a group of the Directory to everyone in the
// department Sales who is active, and Auditor is assigned.
const Roles = `
accessProfiles:
  - name: Sales files
    source: {type: SOURCE, name: Directory}
    entitlements: [{attribute: groups, value: sales}]
roles:
  - name: Sales
    enabled: true
    accessProfiles: [{type: ACCESS_PROFILE, name: Sales files}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: Sales}
  - {name: Auditor, enabled: true}
`

// The first lines of what the sources read. A source reads any of its columns in any order: a test that needs fewer
// writes a line of its own.
const (
	PeopleHeader    = "id,name,first,last,mail,dept,mgr,age,state\n"
	DirectoryHeader = "sam,mail,emp,groups,active\n"
)

// People is what the source HR has of the company's people. The manager of some comes after them.
const People = PeopleHeader + `ayse,"Ünal, Ayşe",Ayşe,Ünal,ayse@example.com,Sales,ann,33,active
ann,Ann Boss,Ann,Boss,ann@example.com,Board,,60,
bob,Bob Twain,Bob,Twain,bob@example.com,Sales,ayse,41,leave
cy,Cy Self,Cy,Self,cy@example.com,Legal,cy,20,unknown
dee,Dee Strauß,Dee,Strauß,dee@example.com,Sales,ayse,25,inactive
`

// DocumentsWith returns [Documents] in which the source HR has one more column, from which the profile takes an
// identity attribute: DocumentsWith("home", "personalEmail").
func DocumentsWith(column, identityAttribute string) string {
	const lastColumn, lastMapping = "{name: state}]", "    lifecycleStates:\n"
	return strings.NewReplacer(
		lastColumn, strings.TrimSuffix(lastColumn, "]")+", {name: "+column+"}]",
		lastMapping, "        - "+Mapping(identityAttribute, "HR", column)+"\n"+lastMapping,
	).Replace(Documents)
}

// Mapping returns, for the attributeTransforms of an identity profile, the mapping of an identity attribute on an
// attribute of the accounts of a source.
func Mapping(identityAttribute, source, accountAttribute string) string {
	return fmt.Sprintf("{identityAttributeName: %s, transformDefinition: "+
		"{type: accountAttribute, attributes: {sourceName: %s, attributeName: %s}}}",
		identityAttribute, source, accountAttribute)
}
