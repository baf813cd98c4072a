package change

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// named is a configuration in which each object of each type names others.
const named = `
identityAttributes:
  - {name: costCenter, displayName: Cost center, searchable: true}
transforms:
  - {name: Upper mail, type: upper, attributes: {input: {type: identityAttribute, attributes: {name: email}}}}
  - {name: By rule, type: rule, attributes: {name: Host rule}}
  - {name: Wrapped, type: reference, attributes: {id: Upper mail}}
sources:
  - name: HR
    connector: delimited-folder
    connectorAttributes: {folder: /data, delimiter: ";", mergeRows: true, indexColumns: [empno], mergeColumns: [phones],
      stableIdentityColumn: guid, groups: {department: d.csv}, accountStatus: {attribute: state, enabled: A, disabled: D}}
    schemas:
      - name: account
        identityAttribute: empno
        displayAttribute: fullname
        attributes:
          - {name: empno, type: STRING}
          - {name: fullname}
          - {name: mail}
          - {name: state}
          - {name: guid}
          - {name: boss}
          - {name: phones, isMulti: true}
          - {name: unit, isEntitlement: true, schema: {name: department}}
      - {name: department, identityAttribute: id, attributes: [{name: id}]}
    managerCorrelationMapping: {accountAttributeName: boss, identityAttributeName: identificationNumber}
    schedules: [{type: ACCOUNT_AGGREGATION, cronExpression: "0 0 5 * * ?"}]
  - name: Directory
    connector: ldap
    connectorAttributes: {url: "ldap://ldap.example.com", userBase: "ou=people,dc=example,dc=com", pageSize: 100}
    schemas:
      - name: account
        identityAttribute: dn
        attributes: [{name: dn}, {name: mail}, {name: groups, isMulti: true, isEntitlement: true}]
    accountCorrelationConfig: {attributeAssignments: [{property: email, value: mail, operation: EQ}]}
    provisioningPolicies:
      - usageType: CREATE
        fields:
          - {name: mail, transform: {type: identityAttribute, attributes: {name: email}}}
          - {name: groups, transform: {type: identityAttribute, attributes: {name: location}}}
          - {name: dn, transform: {type: reference, attributes: {id: Upper mail}}}
    attributeSyncConfig: {attributes: [{name: email, target: mail, enabled: true}]}
identityProfiles:
  - name: Employees
    authoritativeSource: {name: HR}
    invitationOptions: {address: PERSONAL}
    identityAttributeConfig:
      attributeTransforms:
        - {identityAttributeName: email, transformDefinition: {type: accountAttribute,
            attributes: {sourceName: HR, attributeName: mail}}}
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute,
            attributes: {sourceName: HR, attributeName: empno}}}
        - {identityAttributeName: costCenter, transformDefinition: {type: reference, attributes: {id: Upper mail}}}
        - {identityAttributeName: cloudLifecycleState, transformDefinition: {type: static, attributes: {value: leaver}}}
        - {identityAttributeName: department, transformDefinition: {type: static, attributes: {value: "$identity.email"}}}
        - {identityAttributeName: identificationNumber, transformDefinition: {type: lower, attributes: {
            input: {type: identityAttribute, attributes: {name: costCenter}}}}}
    lifecycleStates:
      - {name: Leaver, technicalName: leaver, identityState: INACTIVE_LONG_TERM, accessProfileIds: [Basic],
         accountActions: [{action: DISABLE, sourceIds: [Directory]}, {action: ENABLE, sourceIds: [HR]}]}
lifecycleStates:
  - {name: Contractor, technicalName: contractor, identityProfile: {name: Employees},
     accountActions: [{action: DISABLE, allSources: true, excludeSourceIds: [HR]}]}
accessProfiles:
  - name: Basic
    source: {name: Directory}
    entitlements: [{attribute: groups, value: "cn=staff,dc=example,dc=com"}]
    provisioningCriteria: {operation: EQUALS, attribute: mail, value: x}
  - {name: Named, source: {name: Directory}, entitlements: [{name: Sellers}]}
roles:
  - name: Seller
    enabled: true
    accessProfiles: [{name: Basic}]
    entitlements: [{attribute: unit, value: sales, source: {name: HR}}]
    membership:
      type: STANDARD
      criteria:
        operation: AND
        children:
          - {operation: EQUALS, key: {type: IDENTITY, property: attribute.costCenter}, stringValue: x}
          - {operation: EQUALS, key: {type: IDENTITY, property: attribute.cloudLifecycleState}, stringValue: contractor}
          - {operation: EQUALS, key: {type: ACCOUNT, property: attribute.mail, sourceId: Directory}, stringValue: y}
          - {operation: EQUALS, key: {type: ENTITLEMENT, property: attribute.unit, sourceId: HR}, stringValue: z}
settings: {timeZone: Europe/Berlin, guard: {share: 0.1}}
`

var misspellings = []struct{ place, right, wrong, meant string }{
	{"identity attribute: a member", "searchable: true", "serchable: true", "searchable"},
	{"transform: the operation", "type: upper,", "type: uper,", "upper"},
	{"transform: an attribute of the operation", "upper, attributes: {input:", "upper, attributes: {inptu:", "input"},
	{"transform: an identity attribute", "identityAttribute, attributes: {name: email}}}}\n  - {name: By", "identityAttribute, attributes: {name: emial}}}}\n  - {name: By", "email"},
	{"transform: a rule of the host", "name: Host rule", "name: Hots rule", "Host rule"},
	{"transform: a saved transform", "Wrapped, type: reference, attributes: {id: Upper mail}", "Wrapped, type: reference, attributes: {id: Uper mail}", "Upper mail"},
	{"transform: a transform that every tenant has", "Wrapped, type: reference, attributes: {id: Upper mail}", "Wrapped, type: reference, attributes: {id: ToUppr}", "ToUpper"},
	{"source: the connector", "connector: ldap", "connector: ldpa", "ldap"},
	{"source: a setting of a connector", "pageSize: 100", "pageSzie: 100", "pageSize"},
	{"source: a setting of text files", "mergeRows: true", "mergeRow: true", "mergeRows"},
	{"source: an index column", "indexColumns: [empno]", "indexColumns: [empon]", "empno"},
	{"source: a merged column", "mergeColumns: [phones]", "mergeColumns: [phonse]", "phones"},
	{"source: the stable identity", "stableIdentityColumn: guid", "stableIdentityColumn: gudi", "guid"},
	{"source: the schema of a file", "groups: {department: d.csv}", "groups: {departmnt: d.csv}", "department"},
	{"source: the attribute of the status", "accountStatus: {attribute: state,", "accountStatus: {attribute: sttae,", "state"},
	{"source: a member", "managerCorrelationMapping:", "managerCorelationMapping:", "managerCorrelationMapping"},
	{"schema: the native identity", "identityAttribute: empno", "identityAttribute: empon", "empno"},
	{"schema: the name", "displayAttribute: fullname", "displayAttribute: fulname", "fullname"},
	{"schema: a type", "type: STRING", "type: STRNG", "STRING"},
	{"schema: the schema of the values", "schema: {name: department}", "schema: {name: departmnt}", "department"},
	{"manager: the account attribute", "accountAttributeName: boss", "accountAttributeName: bsos", "boss"},
	{"manager: the identity attribute", "identityAttributeName: identificationNumber}", "identityAttributeName: identificationNumbr}", "identificationNumber"},
	{"schedule: the type", "type: ACCOUNT_AGGREGATION", "type: ACOUNT_AGGREGATION", "ACCOUNT_AGGREGATION"},
	{"correlation: the identity attribute", "property: email,", "property: emial,", "email"},
	{"correlation: the account attribute", "value: mail, operation", "value: mial, operation", "mail"},
	{"policy: the usage", "usageType: CREATE", "usageType: CRAETE", "CREATE"},
	{"policy: the account attribute", "{name: groups, transform:", "{name: gruops, transform:", "groups"},
	{"policy: the identity attribute", "attributes: {name: location}", "attributes: {name: loaction}", "location"},
	{"policy: a saved transform", "dn, transform: {type: reference, attributes: {id: Upper mail}}", "dn, transform: {type: reference, attributes: {id: Upper mial}}", "Upper mail"},
	{"synchronization: the identity attribute", "attributes: [{name: email, target: mail,", "attributes: [{name: emial, target: mail,", "email to mail"},
	{"synchronization: the account attribute", "target: mail,", "target: mial,", "email to mail"},
	{"profile: the source", "authoritativeSource: {name: HR}", "authoritativeSource: {name: HRX}", "HR"},
	{"profile: the address", "address: PERSONAL", "address: PERSNAL", "PERSONAL"},
	{"mapping: the identity attribute", "{identityAttributeName: department,", "{identityAttributeName: departmnt,", "department"},
	{"mapping: the source", "attributes: {sourceName: HR, attributeName: mail}", "attributes: {sourceName: Directry, attributeName: mail}", "Directory"},
	{"mapping: the account attribute", "attributes: {sourceName: HR, attributeName: empno}", "attributes: {sourceName: HR, attributeName: empon}", "empno"},
	{"mapping: a saved transform", "costCenter, transformDefinition: {type: reference, attributes: {id: Upper mail}", "costCenter, transformDefinition: {type: reference, attributes: {id: Upper mial}", "Upper mail"},
	{"mapping: a lifecycle state", "static, attributes: {value: leaver}", "static, attributes: {value: laever}", "leaver"},
	{"mapping: an identity attribute in a template", "$identity.email", "$identity.emial", "email"},
	{"mapping: an identity attribute", "identityAttribute, attributes: {name: costCenter}", "identityAttribute, attributes: {name: costCentre}", "costCenter"},
	{"state: the identity state", "identityState: INACTIVE_LONG_TERM", "identityState: INACTIVE_LONGTERM", "INACTIVE_LONG_TERM"},
	{"state: an access profile", "accessProfileIds: [Basic]", "accessProfileIds: [Baisc]", "Basic"},
	{"state: an action", "{action: DISABLE, sourceIds", "{action: DISABEL, sourceIds", "DISABLE"},
	{"state: a source", "sourceIds: [Directory]", "sourceIds: [Direktory]", "Directory"},
	{"state: an excluded source", "excludeSourceIds: [HR]", "excludeSourceIds: [Directori]", "Directory"},
	{"state: its profile", "identityProfile: {name: Employees}", "identityProfile: {name: Employes}", "Employees"},
	{"access profile: its source", "name: Basic\n    source: {name: Directory}", "name: Basic\n    source: {name: Direktory}", "Directory"},
	{"access profile: the attribute", "entitlements: [{attribute: groups,", "entitlements: [{attribute: grups,", "groups"},
	{"access profile: a value", "cn=staff,dc=example,dc=com", "cn=staf,dc=example,dc=com", "cn=staff,dc=example,dc=com"},
	{"access profile: an entitlement by its name", "[{name: Sellers}]", "[{name: Selers}]", "Sellers"},
	{"access profile: the criterion's attribute", "operation: EQUALS, attribute: mail, value: x", "operation: EQUALS, attribute: mial, value: x", "mail"},
	{"access profile: the criterion's operation", "provisioningCriteria: {operation: EQUALS,", "provisioningCriteria: {operation: EQULAS,", "EQUALS"},
	{"role: an access profile", "accessProfiles: [{name: Basic}]", "accessProfiles: [{name: Basci}]", "Basic"},
	{"role: the source of an entitlement", "value: sales, source: {name: HR}", "value: sales, source: {name: Directorry}", "Directory"},
	{"role: the kind of membership", "type: STANDARD", "type: STANDRAD", "STANDARD"},
	{"criterion: an identity attribute", "attribute.costCenter", "attribute.costCentre", "costCenter"},
	{"criterion: a lifecycle state", "stringValue: contractor", "stringValue: kontractor", "contractor"},
	{"criterion: an account attribute", "attribute.mail, sourceId", "attribute.mial, sourceId", "mail"},
	{"criterion: a source", "attribute.mail, sourceId: Directory", "attribute.mail, sourceId: Direktory", "Directory"},
	{"criterion: an operation", "{operation: EQUALS, key: {type: ENTITLEMENT", "{operation: EQAULS, key: {type: ENTITLEMENT", "EQUALS"},
	{"criterion: a kind of key", "key: {type: ENTITLEMENT", "key: {type: ENTITLEMNT", "ENTITLEMENT"},
	{"settings: a setting", "guard: {share", "guard: {shrae", "guard.share"},
	{"a list of objects", "accessProfiles:\n  - name: Basic", "accesProfiles:\n  - name: Basic", "accessProfiles"},
}

// unread is a fault that is told when a text is read.
type unread struct{ error }

// said returns everything that applying a text to an empty tenant says: the fault, or the notes.
func said(t *testing.T, text string) string {
	t.Helper()
	notes, err := tell(t, text)
	if err != nil {
		return err.Error()
	}
	return strings.Join(notes, "\n")
}

// tell returns the notes of applying a text to an empty tenant, or its fault. Some entitlements of the Directory are
// known.
func tell(t *testing.T, text string) ([]string, error) {
	t.Helper()
	documents, err := configuration.ReadDocuments("t.yaml", strings.NewReader(text))
	if err != nil {
		return nil, unread{err}
	}
	rules := map[string]transform.Rule{"Host rule": func(*transform.RuleInput) (attribute.Value, error) {
		return attribute.Null, nil
	}}
	none := func(context.Context, connector.Config) (connector.Connector, error) { return nil, errors.New("none") }
	connectors := map[string]connector.Factory{"ldap": none, "delimited-folder": none}
	compile := func(rows store.Configuration) (*configuration.Configuration, error) {
		for _, source := range rows.Sources {
			if source.Name == "Directory" {
				rows.Entitlements = append(rows.Entitlements,
					store.Entitlement{ID: store.NewID(), SourceID: source.ID, Attribute: "groups", Value: "cn=staff,dc=example,dc=com", Name: "Staff"},
					store.Entitlement{ID: store.NewID(), SourceID: source.ID, Attribute: "groups", Value: "cn=sellers,dc=example,dc=com", Name: "Sellers"})
			}
		}
		return configuration.Compile(rows, rules, func(name string) bool { return connectors[name] != nil })
	}
	before, err := compile(store.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	proposal, err := Propose(store.Configuration{}, before, &Request{Documents: documents, Compile: compile}, now)
	if err != nil {
		return nil, err
	}
	after, err := compile(proposal.Rows)
	if err == nil {
		err = after.Check()
	}
	if err != nil {
		return nil, err
	}
	return append(proposal.Notes, proposal.NotesOn(after, connectors)...), nil
}

// A name that is misspelt is a fault or a note, with the one that may be meant, at each place that names something; and
// nothing is meant where nothing is misspelt.
func TestMisspellingIsTold(t *testing.T) {
	if text := said(t, named); strings.Contains(text, "did you mean") || strings.Contains(text, "there is no") {
		t.Fatalf("the configuration itself: %s", text)
	}
	for _, m := range misspellings {
		t.Run(m.place, func(t *testing.T) {
			if strings.Count(named, m.right) == 0 {
				t.Fatalf("%q is not in the configuration", m.right)
			}
			text := said(t, strings.Replace(named, m.right, m.wrong, 1))
			if want := `did you mean "` + m.meant + `"`; !strings.Contains(text, want) {
				t.Errorf("got %s, want %s", text, want)
			}
		})
	}
}

// inside returns what tells its faults one by one: a transform with what is in it, or a criterion; "" for anything else.
func inside(place string) string {
	kind, _, _ := strings.Cut(place, ":")
	if kind == "transform" || kind == "criterion" {
		return kind
	}
	return ""
}

// Of two misspellings that are faults both are listed, whatever finds each.
func TestMisspellingsAreToldTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	faulty := make([]bool, len(misspellings))
	for i, m := range misspellings {
		_, err := tell(t, strings.Replace(named, m.right, m.wrong, 1))
		var earlier unread
		faulty[i] = err != nil && !errors.As(err, &earlier)
	}
	pairs := 0
	for i, a := range misspellings {
		for _, step := range []int{1, 2, 5, 11, 23, 31} {
			k := (i + step) % len(misspellings)
			b := misspellings[k]
			both := strings.Replace(strings.Replace(named, a.right, a.wrong, 1), b.right, b.wrong, 1)
			if inside(a.place) != "" && inside(a.place) == inside(b.place) {
				continue
			}
			if !faulty[i] || !faulty[k] || !strings.Contains(both, a.wrong) || !strings.Contains(both, b.wrong) {
				continue
			}
			pairs++
			text := said(t, both)
			for _, m := range []string{a.meant, b.meant} {
				if want := `did you mean "` + m + `"`; !strings.Contains(text, want) {
					t.Errorf("%s, and %s: got %s, want %s", a.place, b.place, text, want)
				}
			}
		}
	}
	if pairs < 100 {
		t.Errorf("only %d pairs were tried", pairs)
	}
}
