package engine_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/transform"
)

// spied is a profile and a policy whose rules see what the engine gives a calculation, and a role that makes an account
// by the policy.
const spied = `
settings: {timeZone: Asia/Kolkata}
sources:
  - name: Staff
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        displayAttribute: name
        attributes: [{name: id}, {name: name}, {name: IIQDisabled}, {name: IIQLocked}, {name: groups, isEntitlement: true}]
  - name: Portal
    connector: memory
    schemas:
      - name: account
        identityAttribute: login
        attributes: [{name: login}, {name: badge}, {name: pin}, {name: groups, isEntitlement: true, isMulti: true}]
    provisioningPolicies:
      - usageType: CREATE
        fields:
          - {name: badge, transform: {type: static, attributes: {value: "7"}}}
          - {name: login, transform: {type: rule, attributes: {name: spy, input: {type: static, attributes: {value: x}}}}}
          - {name: pin, type: secret, transform: {type: rule, attributes: {name: spy, input: {type: static, attributes: {value: x}}}}}
identityProfiles:
  - name: Staff
    authoritativeSource: {type: SOURCE, name: Staff}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
        - {identityAttributeName: city, transformDefinition: {type: rule, attributes: {name: spy, input: {type: static, attributes: {value: x}}}}}
accessProfiles:
  - {name: Portal, source: {type: SOURCE, name: Portal}, entitlements: [{attribute: groups, value: all}]}
roles:
  - name: Everybody
    enabled: true
    accessProfiles: [{type: ACCESS_PROFILE, name: Portal}]
    membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.uid}, stringValue: abel}}
`

// A calculation of a mapping, one of a policy and one of a secret get every field of their input and of the accounts, but
// for those that cannot be there. A new field fails here until the engine fills it.
func TestEngineFillsTheInputOfTransforms(t *testing.T) {
	var mutex sync.Mutex
	empty := map[string]map[string]bool{} // the fields that were empty, by the attribute that was calculated
	spy := func(in *transform.RuleInput) (attribute.Value, error) {
		mutex.Lock()
		defer mutex.Unlock()
		fields := map[string]bool{}
		collectEmpty(fields, "Input", reflect.ValueOf(*in.Input))
		collectEmpty(fields, "Identity", reflect.ValueOf(in.Identity))
		if len(in.Accounts) > 0 {
			collectEmpty(fields, "Account", reflect.ValueOf(in.Accounts[0]))
		}
		if got := in.Location.String(); got != "Asia/Kolkata" {
			t.Errorf("the time zone of %s is %s, want the tenant's", in.Attribute, got)
		}
		empty[in.Attribute] = fields // the last calculation counts
		return attribute.String("spied"), nil
	}
	m := newMemory()
	c := enginetest.NewEmpty(t, enginetest.WithConfig(engine.Config{Rules: map[string]transform.Rule{"spy": spy},
		Connectors: map[string]connector.Factory{"memory": m.open},
		Secret:     func(string) (string, error) { return "sesame", nil }}))
	c.ApplyText(spied)
	readOnce(t, c, "Portal")
	for range 2 { // the second time there is an old value
		c.AggregateText("Staff", "id,name,IIQDisabled,IIQLocked,groups\nabel,Abel,true,true,crew\n", engine.AggregateOptions{})
		if _, err := c.ProcessAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Process()
	}
	if result, err := c.ProvisionPending(t.Context()); err != nil || result.Done != 1 {
		t.Errorf("got %+v, %v, want the account to be created", result, err)
	}
	for attribute, want := range map[string][]string{
		"city":  {"Input.Taken", "Input.Value", "Input.Variables"}, // no names are generated, no fields come before
		"login": {"Input.OldValue", "Input.Value"},                 // there is no account yet
		"pin":   {"Input.OldValue", "Input.Value"},
	} {
		got := slices.Sorted(maps.Keys(empty[attribute]))
		if empty[attribute] == nil || !slices.Equal(got, want) {
			t.Errorf("the empty fields for %s are %q, want %q", attribute, got, want)
		}
	}
}

// collectEmpty adds the names of the fields of a struct that have no value.
func collectEmpty(fields map[string]bool, name string, v reflect.Value) {
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			fields[name+"."+v.Type().Field(i).Name] = true
		}
	}
}

// generated is a source whose accounts get generated logins.
const generated = `
sources:
  - name: Staff
    connector: delimited-file
    schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: last}]}]
  - name: Portal
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: number
        attributes: [{name: number}, {name: login}, {name: surname}, {name: groups, isEntitlement: true, isMulti: true}]
    provisioningPolicies:
      - usageType: CREATE
        fields:
          - {name: surname, transform: {type: identityAttribute, attributes: {name: lastname}}}
          - {name: number, transform: {type: identityAttribute, attributes: {name: uid}}}
          - name: login
            transform: {type: usernameGenerator, attributes: {patterns: [$l, "$l${uniqueCounter}"], l: {type: identityAttribute, attributes: {name: lastname}}}}
identityProfiles:
  - name: Staff
    authoritativeSource: {type: SOURCE, name: Staff}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
        - {identityAttributeName: lastname, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: last}}}
accessProfiles:
  - {name: Portal, source: {type: SOURCE, name: Portal}, entitlements: [{attribute: groups, value: all}]}
roles:
  - name: Everybody
    enabled: true
    accessProfiles: [{type: ACCESS_PROFILE, name: Portal}]
    membership: {type: STANDARD, criteria: {operation: NOT_EQUALS, key: {type: IDENTITY, property: attribute.uid}, stringValue: nobody}}
`

// logins returns the logins that operations on the Portal will give, by the number of the account.
func logins(t *testing.T, c *enginetest.Company) map[string]string {
	t.Helper()
	rows, err := c.Pool.Query(t.Context(), `
		SELECT attributes ->> 'number', attributes ->> 'login' FROM muster.provisioning_operations WHERE kind = 'CREATE'`)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{}
	var number, login string
	for rows.Next() {
		if err := rows.Scan(&number, &login); err != nil {
			t.Fatal(err)
		}
		given[number] = login
	}
	return given
}

// A generated login is free where it is the login of no account, whatever the native identity is, and of nobody who
// gets one at the same moment. Other attributes with the same text do not count.
func TestGeneratedNamesAreFree(t *testing.T) {
	t.Run("letter case does not count", func(t *testing.T) { testGeneratedNames(t, generated, "brown1") })
	t.Run("the schema says that it does", func(t *testing.T) {
		testGeneratedNames(t, strings.Replace(generated, "{name: login},", "{name: login, equality: caseExactMatch},", 1), "brown")
	})
}

// testGeneratedNames demands a login for brown beside the Brown that is there.
func testGeneratedNames(t *testing.T, documents, brown string) {
	t.Helper()
	c := enginetest.NewEmpty(t)
	c.ApplyText(documents)
	c.AggregateText("Portal", "number,login,surname,groups\n1,Brown,Green,\n2,smith,Brown,\n", engine.AggregateOptions{})
	c.AggregateText("Staff", "id,last\nab,smith\ncd,smith\nef,Green\ngh,brown\n", engine.AggregateOptions{})
	c.Process()
	got := logins(t, c)
	var smiths []string
	for _, id := range []string{"ab", "cd"} {
		smiths = append(smiths, got[id])
	}
	slices.Sort(smiths)
	if !slices.Equal(smiths, []string{"smith1", "smith2"}) || got["ef"] != "Green" || got["gh"] != brown {
		t.Errorf("the logins are %v, want smith1 and smith2 for ab and cd, Green for ef and %s for gh", got, brown)
	}
}

// Two batches that generate names at the same time do not give the same one.
func TestGeneratedNamesAtTheSameMoment(t *testing.T) {
	c := enginetest.NewEmpty(t, enginetest.WithConfig(engine.Config{BatchSize: 1, Workers: 4}))
	c.ApplyText(generated)
	var rows string
	people := []string{"ada", "bob", "cem", "dan", "eva", "fay", "gus", "hal", "ida", "jon", "kim", "lee"}
	for _, id := range people {
		rows += id + ",smith\n"
	}
	c.AggregateText("Staff", "id,last\n"+rows, engine.AggregateOptions{})
	c.Process()
	seen := map[string]string{}
	for number, login := range logins(t, c) {
		if other, twice := seen[login]; twice {
			t.Errorf("%s and %s both get %s", number, other, login)
		}
		seen[login] = number
	}
	if len(seen) != len(people) {
		t.Errorf("%d people get a login, want %d", len(seen), len(people))
	}
}

// accountFilter and templates see whether an account is disabled, and whether it has entitlements.
func TestPropertiesOfAccounts(t *testing.T) {
	c := enginetest.NewEmpty(t)
	c.ApplyText(`
identityAttributes: [{name: usable, displayName: Usable, type: string}, {name: entitled, displayName: Entitled, type: string}, {name: dead, displayName: Dead, type: string}]
sources:
  - name: Staff
    connector: delimited-file
    connectorAttributes: {accountStatus: {attribute: state, enabled: "on", disabled: "off"}}
    schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: state}, {name: groups, isEntitlement: true, isMulti: true}]}]
identityProfiles:
  - name: Staff
    authoritativeSource: {type: SOURCE, name: Staff}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
        - {identityAttributeName: usable, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id, accountPropertyFilter: '(disabled == false)'}}}
        - {identityAttributeName: entitled, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id, accountFilter: '(entitlements == true)'}}}
        - {identityAttributeName: dead, transformDefinition: {type: static, attributes: {value: '#foreach($link in $identity.getLinks())$link.isDisabled()#end'}}}
`)
	c.AggregateText("Staff", "id,state,groups\nabel,on,crew\nbea,off,\n", engine.AggregateOptions{})
	c.Process()
	wantValues(t, c, "abel usable abel", "bea usable -", "abel entitled abel", "bea entitled -", "abel dead false",
		"bea dead true")
}
