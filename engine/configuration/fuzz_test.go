package configuration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
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
		first, err := change.Propose(store.Configuration{}, before, documents, false, time.Now())
		if refused(err) {
			return
		}
		after, err := compile(first.Rows)
		if err != nil {
			return // objects that do not fit together
		}
		second, err := change.Propose(first.Rows, after, documents, false, time.Now())
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
