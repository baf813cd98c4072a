package configuration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/store"
)

// configurations are texts of a configuration, good ones and bad ones.
var configurations = []string{
	"sources: [{name: HR}]",
	`{"self": {"type": "SOURCE"}, "object": {"name": "HR"}}`,
	"a: &a [*a]\nsources: [*a]",
	"sources:\n- &s {name: HR, connector: delimited-file, schemas: [{name: account, attributes: [{name: id}]}]}\n- *s",
	"sources: [{name: &n \"aaaaaaaaaa\", x: &x [*n,*n,*n], y: &y [*x,*x,*x], z: [*y,*y,*y]}]",
	"transforms: [{name: T, type: static, attributes: {value: 1e999, values: !!binary AAAA, x: .inf, y: .nan, z: 0o17}}]",
	"roles: [{name: \"a\\0b\"}]\n---\nroles: [{\"a\\0b\": 1}]",
	`{"roles": [{"name": "\ud83d\ude00\u2028"}, {"name": "\ud83d"}]}`,
	"roles: [{name: a, name: b}, {<<: {name: c}}, {? [a] : b}]",
	"identityAttributes: [{name: dept, type: string, searchable: true}]\nsources: [{name: HR, connector: delimited-file}]\n" +
		"identityProfiles:\n- name: P\n  authoritativeSource: {name: HR}\n  identityAttributeConfig:\n    attributeTransforms:\n" +
		"    - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}\n" +
		"    - {identityAttributeName: dept, transformDefinition: {type: replaceAll, attributes: {table: {\"(a+)+$\": \"$1\"}}}}\n" +
		"  lifecycleStates: [{name: L, technicalName: l, identityState: ACTIVE, accountActions: [{action: DISABLE, sourceIds: [HR]}]}]\n" +
		"accessProfiles: [{name: A, source: {name: HR}, entitlements: [{attribute: groups, value: v}]}]\n" +
		"roles:\n- name: R\n  enabled: true\n  accessProfiles: [{type: ACCESS_PROFILE, name: A}]\n" +
		"  membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.dept}, stringValue: \"x\"}}\n",
	"transforms:\n- {name: A, type: reference, attributes: {id: B}}\n- {name: B, type: reference, attributes: {id: A}}",
	"sources: [{name: S, connector: x, schedules: [{type: ACCOUNT_AGGREGATION, cronExpression: \"0 0 31 2 *\"}], deleteThreshold: 101}]",
	"roles: [{name: R, membership: {type: STANDARD, criteria: {operation: AND, children: [{operation: AND, children: []}]}}}]",
	"roles: [" + strings.Repeat("[", 300),
	"roles: [{name: [[[[[[[[{a: {b: {c: {}}}}]]]]]]]]}]",
	"identityProfiles: [{name: P, authoritativeSource: {id: 0197a3c2f0b87d3e9a41c6d2e5f70812}, priority: 9223372036854775808}]",
	"\ufeff\u0085sources: []",
}

// Every object of a text is JSON that can be kept, and says the same when it is read again.
func FuzzReadDocuments(f *testing.F) {
	for _, text := range configurations {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		documents, err := configuration.ReadDocuments("c.yaml", strings.NewReader(text))
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q: %v (%v)", text, err, fault.KindOf(err))
			}
			return
		}
		if len(documents) == 0 {
			t.Fatal("no error and no document")
		}
		size := 0
		for _, d := range documents {
			if err := configuration.CheckJSON(d.Object); err != nil {
				t.Fatalf("%s of %q: %v", d.Object, text, err)
			}
			size += len(d.Object)
			var member string
			for _, group := range configuration.Groups() {
				if group.Kind == d.Type {
					member = group.Member
				}
			}
			again, err := configuration.ReadDocuments("again.json", strings.NewReader(fmt.Sprintf(`{%q: [%s]}`, member, d.Object)))
			if err != nil || len(again) != 1 || again[0].Type != d.Type && !enveloped(d.Object) {
				t.Fatalf("%s of %q cannot be read again: %v", d.Object, text, err)
			}
			if !enveloped(d.Object) && !sameDigits(again[0].Object, d.Object) {
				t.Fatalf("%s is read again as %s", d.Object, again[0].Object)
			}
		}
		if size > configuration.JSONMax+configuration.ConfigurationSizeMax {
			t.Fatalf("%d bytes", size)
		}
	})
}

// enveloped reports whether an object looks like an export's envelope, out of which it is taken when it is read again.
func enveloped(object json.RawMessage) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(object, &members) == nil && members["self"] != nil && members["object"] != nil
}

// sameDigits compares values without the float64s between, which numbers may be too long for.
func sameDigits(a, b []byte) bool {
	read := func(text []byte) (value any) {
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		return value
	}
	return reflect.DeepEqual(read(a), read(b))
}

// A configuration is applied, and then is what it is, or refused as the fault of its author. Nothing of it asks a
// database.
func FuzzConfiguration(f *testing.F) {
	for _, text := range configurations {
		f.Add(text)
	}
	compile := func(rows store.Configuration) (*configuration.Configuration, error) {
		return configuration.Compile(rows, nil, func(string) bool { return false })
	}
	f.Fuzz(func(t *testing.T, text string) {
		documents, err := configuration.ReadDocuments("c.yaml", strings.NewReader(text))
		if err != nil {
			return
		}
		refused := func(err error) bool {
			if kind := fault.KindOf(err); err != nil && kind != fault.Invalid && kind != fault.Conflict && kind != fault.NotFound {
				t.Fatalf("%q: %v (%v)", text, err, kind)
			}
			return err != nil
		}
		before, err := compile(store.Configuration{})
		if err != nil {
			t.Fatal(err)
		}
		first, err := change.Propose(store.Configuration{}, before, &change.Request{Documents: documents}, time.Now())
		if refused(err) {
			return
		}
		after, err := compile(first.Rows)
		if err != nil {
			return // objects that do not fit together
		}
		second, err := change.Propose(first.Rows, after, &change.Request{Documents: documents}, time.Now())
		if err != nil {
			var known *fault.Error
			if !errors.As(err, &known) || known.Kind == fault.Internal {
				t.Fatalf("again: %v", err)
			}
			return // two documents of one text contradict each other
		}
		if _, err := compile(second.Rows); err != nil {
			t.Fatalf("%q: again: %v", text, err)
		}
		if len(documents) != 1 {
			return
		}
		for _, object := range second.Objects {
			if object.Action != configuration.Unchanged {
				t.Fatalf("%q: again: %+v", text, object)
			}
		}
	})
}

// changedDocuments are of every type, and fit each other.
const changedDocuments = `
identityAttributes: [{name: costCenter, searchable: true, displayName: Cost center}]
transforms: [{name: Short, type: substring, attributes: {begin: 0, end: 3}}]
sources:
- {name: Register, schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: cost}]}]}
- name: Portal
  description: The portal
  owner: {type: IDENTITY, id: 2c91808568c529c60168cca6f90c1313}
  connector: delimited-folder
  connectorAttributes: {folder: ./portal, delimiter: ";", accountStatus: {attribute: state, enabled: A, disabled: D}}
  deleteThreshold: 25
  healthy: true
  since: "2021-09-28T15:48:29Z"
  cluster: {type: CLUSTER, id: 2c91808568c529c60168cca6f90c1313, name: West}
  passwordPolicies: [{type: PASSWORD_POLICY, name: Strong}]
  managerCorrelationMapping: {accountAttributeName: boss, identityAttributeName: uid}
  accountCorrelationConfig: {attributeAssignments: [{property: uid, value: login, ignoreCase: false}]}
  schedules: [{type: ACCOUNT_AGGREGATION, cronExpression: "0 0 5 * * ?"}]
  attributeSyncConfig: {attributes: [{name: uid, target: login, enabled: true}]}
  schemas: [{name: account, identityAttribute: login, attributes: [{name: login}, {name: boss}, {name: state}, {name: groups, isMulti: true, isEntitlement: true}]}]
  provisioningPolicies: [{name: A, usageType: CREATE, fields: [{name: login, isRequired: true, transform: {type: identityAttribute, attributes: {name: uid}}}]}]
identityProfiles:
- name: Staff
  priority: 20
  authoritativeSource: {name: Register}
  invitationOptions: {address: PERSONAL}
  identityAttributeConfig:
    enabled: true
    attributeTransforms:
    - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Register, attributeName: id}}}
    - {identityAttributeName: costCenter, transformDefinition: {type: reference, attributes: {id: Short, input: {type: accountAttribute, attributes: {sourceName: Register, attributeName: cost}}}}}
accessProfiles: [{name: Basic, enabled: false, source: {name: Portal}, entitlements: [{attribute: groups, value: staff}], provisioningCriteria: {operation: EQUALS, attribute: state, value: A}}]
lifecycleStates: [{name: Gone, technicalName: gone, enabled: false, identityState: INACTIVE_LONG_TERM, identityProfile: {name: Staff}, accessProfileIds: [Basic], accountActions: [{action: DISABLE, sourceIds: [Portal]}], accessActionConfiguration: {removeAllAccessEnabled: true}}]
roles: [{name: Seller, enabled: true, requestable: true, segments: [a], additionalOwners: [{type: IDENTITY, id: 2c91808568c529c60168cca6f90c1313}],
  accessRequestConfig: {commentsRequired: true, approvalSchemes: [{approverType: MANAGER}], maxPermittedAccessDuration: {value: 6, timeUnit: MONTHS}}, accessProfiles: [{name: Basic}], entitlements: [{source: {name: Portal}, attribute: groups, value: x}], membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.costCenter}, stringValue: C10}}}]
`

// place is a member somewhere in a document.
type place struct {
	in   map[string]any
	name string
}

// placesIn returns the members of a value, the outer ones first.
func placesIn(value any) (places []place) {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			places = append(places, place{v, name})
			places = append(places, placesIn(v[name])...)
		}
	case []any:
		for _, element := range v {
			places = append(places, placesIn(element)...)
		}
	}
	return places
}

// A member that is deleted, misspelt or of another type is never taken silently: applying the document fails, or a note
// or the list of lacking members says something, or the comparison shows the member. Nothing panics.
func FuzzApply(f *testing.F) {
	for i := range 40 {
		f.Add(uint16(i), uint16(3*i), uint8(i), "x")
	}
	f.Add(uint16(4), uint16(2), uint8(2), "null")
	f.Add(uint16(7), uint16(9), uint8(2), "[1, {}]")
	documents, err := configuration.ReadDocuments("c.yaml", strings.NewReader(changedDocuments))
	if err != nil {
		f.Fatal(err)
	}
	compile := func(rows store.Configuration) (*configuration.Configuration, error) {
		return configuration.Compile(rows, nil, func(string) bool { return false })
	}
	none, err := compile(store.Configuration{})
	if err != nil {
		f.Fatal(err)
	}
	first, err := change.Propose(store.Configuration{}, none, &change.Request{Documents: documents}, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	before, err := compile(first.Rows)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which, member uint16, way uint8, text string) {
		d := documents[int(which)%len(documents)]
		var object map[string]any
		if err := json.Unmarshal(d.Object, &object); err != nil {
			t.Fatal(err)
		}
		places := placesIn(object)
		p := places[int(member)%len(places)]
		old := p.in[p.name]
		switch way % 3 {
		case 0:
			delete(p.in, p.name)
		case 1:
			misspelt := p.name[:len(p.name)/2] + text + p.name[len(p.name)/2:]
			delete(p.in, p.name)
			p.in[misspelt] = old
		default:
			var value any
			if json.Unmarshal([]byte(text), &value) != nil {
				value = text
			}
			p.in[p.name] = value
		}
		changed, err := json.Marshal(object)
		if err != nil {
			t.Skip() // a name that is no text
		}
		if change.SameJSON(changed, d.Object) {
			return
		}
		proposal, err := change.Propose(first.Rows, before, &change.Request{Documents: []configuration.Document{
			{Type: d.Type, Object: changed, Place: "here"}}}, time.Now())
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.Conflict && kind != fault.NotFound {
				t.Fatalf("%s: %v (%v)", changed, err, kind)
			}
			return
		}
		after, err := compile(proposal.Rows)
		if err != nil || after.Check() != nil {
			return // refused
		}
		if len(proposal.Notes)+len(proposal.Lacking) > 0 {
			return
		}
		differences, err := change.Differences(&first.Rows, &proposal.Rows)
		if err != nil {
			t.Fatal(err)
		}
		if len(differences) == 0 && p.name != "id" {
			t.Fatalf("%s is applied for %s, and nobody says anything", changed, d.Object)
		}
	})
}

// A limit of deletions is read as it is written, and allows none where it says none.
func FuzzDeletionLimit(f *testing.F) {
	for _, text := range []string{"25", "10%", " 100 % ", "101%", "-1", "0", "9223372036854775807", "9223372036854775808", "%", "1e3", "٣", "+5", ""} {
		f.Add(text, 10, 100)
	}
	f.Fuzz(func(t *testing.T, text string, vanished, accounts int) {
		limit, err := configuration.ParseDeletionLimit(text)
		if err != nil {
			return
		}
		again, err := configuration.ParseDeletionLimit(limit.String())
		if err != nil || again != limit || limit.Count < 0 || limit.Percent < 0 || limit.Percent > 100 {
			t.Fatalf("%q is %+v, and that %+v: %v", text, limit, again, err)
		}
		vanished, accounts = vanished&0xffffff, accounts&0xffffff
		if vanished > accounts {
			return
		}
		if allowed := configuration.DeletionAllowed(limit, vanished, accounts); vanished == 0 && !allowed ||
			limit == (configuration.DeletionLimit{}) && allowed != (vanished == 0) || limit.IsPercent && limit.Percent == 100 && !allowed {
			t.Fatalf("%q allows %d of %d: %v", text, vanished, accounts, allowed)
		}
	})
}

// An expression that is accepted comes, and comes later than it is asked for.
func FuzzCron(f *testing.F) {
	for _, text := range []string{
		"0 0 5 * * ?", "*/5 * * * *", "0 0 31 2 *", "0 0 29 2 *", "TZ=UTC * * * * *", "CRON_TZ=X * * * * *", "@every 1ns", "0-59/99999999999 * * * *",
		"*/0 * * * *", "59-0 * * * *", "* * * * MON-SUN,7", "0 0 0 1 JAN ? 2026", "", "\x00 * * * *", "1,2,3,4,5,6/7 * * * *", "0 30 2 29 3 ?",
	} {
		f.Add(text, int64(1_774_742_400))
	}
	location, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, after int64) {
		from := time.Unix(after&0xffffffff, 0) // from 1970 to 2106
		next, err := configuration.NextAggregation(text, from, location)
		if err != nil {
			if !next.IsZero() {
				t.Fatalf("%q: %v and %v", text, next, err)
			}
			return
		}
		if !next.After(from) {
			t.Fatalf("%q comes at %v, after %v", text, next, from)
		}
	})
}
