// Package connectortest checks the rules for connectors. A connector follows them if [Run] passes on a real source:
//
//	func TestConnector(t *testing.T) {
//		connectortest.Run(t, &connectortest.Source{Open: open, Account: account, Single: "mail", ...})
//	}
package connectortest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// Source is a source without accounts, for the test of a connector.
type Source struct {
	// Open makes a connector of the source. The tests call it many times for the same source.
	Open func(t *testing.T) connector.Connector
	// Account returns the native identity and the attributes of the nth account to create.
	Account func(n int) (native string, attributes attribute.Set)
	// Single is a single-valued attribute that accepts any text and can be removed.
	Single string
	// Entitlement is a multi-valued attribute, and Values are three values of it that an account may have.
	Entitlement string
	Values      [3]string
	// Enabled and Disabled are the attributes of an account that can be used, and of one that cannot.
	Enabled, Disabled attribute.Set
	// Passwords says that the source supports [connector.SetPassword].
	Passwords bool
	// Many is the number of accounts for the test of a large source. Defaults to 50.
	Many int
	// Partial opens connectors whose source breaks off, repeats or hides a part of what it has, by what is wrong with
	// it: a connection that ends after some rows, a page that comes twice, a file that was cut off. Their readings must
	// fail. They may have any accounts.
	Partial map[string]func(t *testing.T) connector.Connector
}

// secret is a value that must not occur in an error.
const secret = "geheim-4711"

// Run tests a connector.
func Run(t *testing.T, s *Source) {
	t.Helper()
	if s.Many == 0 {
		s.Many = 50
	}
	r := &run{s: s}
	for _, test := range []struct {
		name string
		test func(*run, *testing.T)
	}{
		{"test and discover", (*run).discover},
		{"create", (*run).create},
		{"set attributes", (*run).set},
		{"name taken away", (*run).nameless},
		{"entitlements", (*run).entitlements},
		{"enable and disable", (*run).status},
		{"password", (*run).password},
		{"again after a crash", (*run).again},
		{"no such account", (*run).nobody},
		{"stable identity", (*run).stable},
		{"find", (*run).find},
		{"unknown kind", (*run).unknown},
		{"changes", (*run).changes},
		{"read many", (*run).many},
		{"end of reading", (*run).ends},
		{"partial readings", (*run).partial},
		{"delete", (*run).remove},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(r, t) })
	}
}

type run struct {
	s    *Source
	keys int
}

// accounts returns the attributes of all accounts by native identity.
func (r *run) accounts(t *testing.T) map[string]attribute.Set {
	t.Helper()
	c := r.open(t)
	all := map[string]attribute.Set{}
	_, err := c.Read(t.Context(), "", func(o *connector.Object) error {
		if o.Type != "" && o.Type != connector.AccountObject {
			return nil
		}
		if _, twice := all[o.NativeIdentity]; twice {
			return fmt.Errorf("the account %q is read twice", o.NativeIdentity)
		}
		if o.Fault != "" || o.Deleted {
			return fmt.Errorf("%+v", o)
		}
		all[strings.Clone(o.NativeIdentity)] = o.Attributes.Clone()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (r *run) open(t *testing.T) connector.Connector {
	t.Helper()
	c := r.s.Open(t)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (r *run) operation(kind connector.Kind, native string, attributes attribute.Set) *connector.Operation {
	r.keys++
	return &connector.Operation{Key: fmt.Sprintf("key-%d", r.keys), Kind: kind, NativeIdentity: native,
		Attributes: attributes}
}

// apply carries out an operation and returns the native identity of its account.
func (r *run) apply(t *testing.T, operation *connector.Operation) string {
	t.Helper()
	result, err := r.open(t).Apply(t.Context(), operation)
	if err != nil {
		t.Fatalf("%s: %v", operation.Kind, err)
	}
	if result.NativeIdentity != "" {
		return result.NativeIdentity
	}
	return operation.NativeIdentity
}

// fresh creates the nth account and returns its native identity.
func (r *run) fresh(t *testing.T, n int) string {
	t.Helper()
	native, attributes := r.s.Account(n)
	return r.apply(t, r.operation(connector.Create, native, attributes))
}

func one(name string, value attribute.Value) attribute.Set {
	return attribute.SetOf(map[string]attribute.Value{name: value})
}

func (r *run) discover(t *testing.T) {
	c := r.open(t)
	if err := c.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	schemas, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	schema := connector.AccountSchema(schemas)
	if schema == nil || schema.IdentityAttribute == "" || len(schema.Attributes) == 0 {
		t.Errorf("the schemas are %+v", schemas)
	}
}

func (r *run) create(t *testing.T) {
	native, attributes := r.s.Account(1)
	operation := r.operation(connector.Create, native, attributes)
	native = r.apply(t, operation)
	got, found := r.accounts(t)[native]
	if !found {
		t.Fatalf("the account %q is not read; those are %q", native, slices.Collect(maps.Keys(r.accounts(t))))
	}
	for name, value := range attributes.All() {
		if got.Get(name).Text() != value.Text() {
			t.Errorf("%s is %v, want %v", name, got.Get(name), value)
		}
	}
	if again := r.apply(t, operation); again != native || len(r.accounts(t)) != 1 {
		t.Errorf("created again it is %q, and there are %d accounts", again, len(r.accounts(t)))
	}
	// A volatile attribute does not make it another account.
	volatile := r.operation(connector.Create, native, attributes.Clone())
	volatile.Attributes.Put(r.s.Single, attribute.String("random"))
	volatile.Volatile = []string{r.s.Single}
	if again := r.apply(t, volatile); again != native || len(r.accounts(t)) != 1 {
		t.Errorf("with another random value it is %q", again)
	}
	other := attributes.Clone()
	other.Put(r.s.Single, attribute.String(secret))
	_, err := r.open(t).Apply(t.Context(), r.operation(connector.Create, native, other))
	if !errors.Is(err, connector.ErrExists) || !connector.IsPermanent(err) {
		t.Errorf("another account of the same native identity: %v", err)
	}
	demandNoSecret(t, err)
}

func demandNoSecret(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("an error repeats a value: %v", err)
	}
}

func (r *run) set(t *testing.T) {
	native := r.fresh(t, 2)
	for _, text := range []string{
		"plain", "Zoë O'Nèill, \"the\" <first>", `back\slash; semi=equals+plus#hash*star()|`, "日本語 👩‍🚀 ع",
		"  blanks  ", "%d' OR 1=1 --",
	} {
		operation := r.operation(connector.SetAttributes, native, one(r.s.Single, attribute.String(text)))
		r.apply(t, operation)
		r.apply(t, operation)
		attributes := r.accounts(t)[native]
		if got := attributes.Get(r.s.Single).Text(); got != text {
			t.Errorf("%q was written, %q is read", text, got)
		}
	}
	for range 2 { // removing a missing value changes nothing
		r.apply(t, r.operation(connector.SetAttributes, native, one(r.s.Single, attribute.Null)))
		attributes := r.accounts(t)[native]
		if got := attributes.Get(r.s.Single); !got.IsNull() {
			t.Errorf("after it was taken away it is %v", got)
		}
	}
}

// nameless demands that what names an account cannot be taken away: such an account is read by nobody any more.
func (r *run) nameless(t *testing.T) {
	schemas, err := r.open(t).Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	schema := connector.AccountSchema(schemas)
	native := r.fresh(t, 14)
	before := r.accounts(t)
	for _, value := range []attribute.Value{attribute.Null, attribute.String("")} {
		operation := r.operation(connector.SetAttributes, native, one(schema.IdentityAttribute, value))
		if _, err := r.open(t).Apply(t.Context(), operation); !connector.IsPermanent(err) {
			t.Errorf("the account is to lose its %s: %v, want a permanent error", schema.IdentityAttribute, err)
		}
	}
	same := func(a, b attribute.Set) bool { return a.Equal(&b) }
	if !maps.EqualFunc(before, r.accounts(t), same) {
		t.Error("something was changed")
	}
}

func (r *run) entitlements(t *testing.T) {
	native := r.fresh(t, 3)
	v := r.s.Values
	for _, step := range []struct {
		kind   connector.Kind
		values []string
		want   []string
	}{
		{connector.AddValues, v[:2], v[:2]},
		{connector.AddValues, v[1:], v[:]},
		{connector.RemoveValues, []string{v[0], v[1]}, v[2:]},
		{connector.RemoveValues, v[:1], v[2:]},
		{connector.RemoveValues, v[2:], nil},
		{connector.RemoveValues, v[2:], nil},
	} {
		operation := r.operation(step.kind, native, one(r.s.Entitlement, attribute.List(slices.Clone(step.values))))
		r.apply(t, operation)
		r.apply(t, operation)
		attributes := r.accounts(t)[native]
		got := slices.Sorted(slices.Values(attributes.Get(r.s.Entitlement).Strings()))
		if want := slices.Sorted(slices.Values(step.want)); !slices.Equal(got, want) {
			t.Errorf("%s %q: the values are %q, want %q", step.kind, step.values, got, want)
		}
	}
}

func (r *run) status(t *testing.T) {
	native := r.fresh(t, 4)
	for _, step := range []struct {
		kind connector.Kind
		set  attribute.Set
	}{
		{connector.Disable, r.s.Disabled}, {connector.Disable, r.s.Disabled},
		{connector.Enable, r.s.Enabled}, {connector.Enable, r.s.Enabled},
	} {
		r.apply(t, r.operation(step.kind, native, step.set))
		attributes := r.accounts(t)[native]
		for name, value := range step.set.All() {
			if got := attributes.Get(name); got.Text() != value.Text() {
				t.Errorf("%s: %s is %v, want %v", step.kind, name, got, value)
			}
		}
	}
}

func (r *run) password(t *testing.T) {
	native := r.fresh(t, 5)
	operation := r.operation(connector.SetPassword, native, attribute.Set{})
	operation.Password = secret
	_, err := r.open(t).Apply(t.Context(), operation)
	if r.s.Passwords && err != nil || !r.s.Passwords && !connector.IsPermanent(err) {
		t.Errorf("setting a password: %v", err)
	}
	demandNoSecret(t, err)
}

// again simulates a process that is killed after it carried out an operation and before it recorded that: a new
// connector, which does not know of the first time, carries out the operation again.
func (r *run) again(t *testing.T) {
	native := r.fresh(t, 6)
	operations := []*connector.Operation{
		r.operation(connector.SetAttributes, native, one(r.s.Single, attribute.String("once"))),
		r.operation(connector.AddValues, native, one(r.s.Entitlement, attribute.List(slices.Clone(r.s.Values[:])))),
		r.operation(connector.RemoveValues, native, one(r.s.Entitlement, attribute.List(r.s.Values[:1:1]))),
		r.operation(connector.Disable, native, r.s.Disabled),
		r.operation(connector.Enable, native, r.s.Enabled),
		r.operation(connector.Unlock, native, r.s.Enabled), // it sets attributes too
		r.operation(connector.Delete, native, attribute.Set{}),
	}
	demandEveryKind(t, operations, connector.Create, connector.SetPassword)
	for _, operation := range operations {
		first := r.apply(t, operation)
		after := r.accounts(t)
		second := r.apply(t, operation)
		same := func(a, b attribute.Set) bool { return a.Equal(&b) }
		if first != second || !maps.EqualFunc(after, r.accounts(t), same) {
			t.Errorf("%s does something the second time", operation.Kind)
		}
	}
}

// demandEveryKind fails if a kind of operation is neither in a list nor excepted, because another test has it.
func demandEveryKind(t *testing.T, list []*connector.Operation, except ...connector.Kind) {
	t.Helper()
	for _, kind := range connector.Kinds() {
		if !slices.Contains(except, kind) &&
			!slices.ContainsFunc(list, func(o *connector.Operation) bool { return o.Kind == kind }) {
			t.Errorf("the test has no operation of the kind %s", kind)
		}
	}
}

func (r *run) nobody(t *testing.T) {
	native, _ := r.s.Account(4711)
	before := len(r.accounts(t))
	operations := []*connector.Operation{
		r.operation(connector.SetAttributes, native, one(r.s.Single, attribute.String(secret))),
		r.operation(connector.AddValues, native, one(r.s.Entitlement, attribute.List(r.s.Values[:1:1]))),
		r.operation(connector.RemoveValues, native, one(r.s.Entitlement, attribute.List(r.s.Values[:1:1]))),
		r.operation(connector.Disable, native, r.s.Disabled),
		r.operation(connector.Enable, native, r.s.Enabled),
		r.operation(connector.Unlock, native, r.s.Enabled), // it sets attributes too
	}
	demandEveryKind(t, operations, connector.Create, connector.SetPassword, connector.Delete)
	for _, operation := range operations {
		_, err := r.open(t).Apply(t.Context(), operation)
		if !errors.Is(err, connector.ErrNoAccount) || !connector.IsPermanent(err) {
			t.Errorf("%s of an account that is not there: %v", operation.Kind, err)
		}
		demandNoSecret(t, err)
	}
	if after := len(r.accounts(t)); after != before {
		t.Errorf("there were %d accounts, now there are %d", before, after)
	}
}

// stable demands that an operation reaches the account with its stable identity, whatever the native identity says, and
// nobody where there is none. A source without stable identities has nothing to test.
func (r *run) stable(t *testing.T) {
	first, second := r.fresh(t, 11), r.fresh(t, 12)
	identities := map[string]string{}
	if _, err := r.open(t).Read(t.Context(), "", func(o *connector.Object) error {
		identities[strings.Clone(o.NativeIdentity)] = strings.Clone(o.StableIdentity)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if identities[first] == "" {
		return
	}
	// The first account's operation, planned when it had the name that the second one has now.
	for _, kind := range []connector.Kind{connector.SetAttributes, connector.AddValues} {
		set := one(r.s.Single, attribute.String("hers"))
		if kind == connector.AddValues {
			set = one(r.s.Entitlement, attribute.List(r.s.Values[:1:1]))
		}
		operation := r.operation(kind, second, set)
		operation.StableIdentity = identities[first]
		before := r.accounts(t)[second]
		if native := r.apply(t, operation); native != first {
			t.Errorf("%s was done to %q, want %q", kind, native, first)
		}
		accounts := r.accounts(t)
		if after := accounts[second]; !before.Equal(&after) {
			t.Errorf("%s changed the account that has the name now", kind)
		}
		for name := range set.All() {
			if after := accounts[first]; after.Get(name).IsNull() {
				t.Errorf("%s did not change the account that has the stable identity", kind)
			}
		}
	}
	gone := r.operation(connector.SetAttributes, second, one(r.s.Single, attribute.String(secret)))
	gone.StableIdentity = identities[first]
	r.apply(t, r.operation(connector.Delete, first, attribute.Set{}))
	if _, err := r.open(t).Apply(t.Context(), gone); !errors.Is(err, connector.ErrNoAccount) {
		t.Errorf("an operation whose account is gone: %v, want ErrNoAccount", err)
	}
	removal := r.operation(connector.Delete, second, attribute.Set{})
	removal.StableIdentity = identities[first]
	r.apply(t, removal)
	if _, there := r.accounts(t)[second]; !there {
		t.Error("a deletion removed the account that has the name now")
	}
}

// find demands that a connector that can look for accounts finds them by their name and by a value, and no others.
func (r *run) find(t *testing.T) {
	finder, can := r.open(t).(connector.Finder)
	if !can {
		return
	}
	native := r.fresh(t, 13)
	r.apply(t, r.operation(connector.SetAttributes, native, one(r.s.Single, attribute.String("Find (me) * \\Ö"))))
	for name, query := range map[string]*connector.Query{
		"name":    {NativeIdentity: native},
		"value":   {Values: []connector.QueryValue{{Attribute: r.s.Single, Value: "Find (me) * \\Ö", Exact: true}}},
		"folded":  {Values: []connector.QueryValue{{Attribute: r.s.Single, Value: "find (ME) * \\Ö"}}},
		"nothing": {Values: []connector.QueryValue{{Attribute: r.s.Single, Value: secret}}},
	} {
		var found []string
		if err := finder.Find(t.Context(), query, func(o *connector.Object) error {
			if query.Selects(o) {
				found = append(found, o.NativeIdentity)
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "nothing" && len(found) > 0 || name != "nothing" && !slices.Equal(found, []string{native}) {
			t.Errorf("%s: found are %q", name, found)
		}
	}
}

// unknown demands that an operation of a kind that the connector does not know changes nothing and fails.
func (r *run) unknown(t *testing.T) {
	native := r.fresh(t, 9)
	before := r.accounts(t)
	_, err := r.open(t).Apply(t.Context(), r.operation("PAINT", native, one(r.s.Single, attribute.String(secret))))
	if !connector.IsPermanent(err) {
		t.Errorf("an operation that nobody knows: %v, want a permanent error", err)
	}
	demandNoSecret(t, err)
	same := func(a, b attribute.Set) bool { return a.Equal(&b) }
	if after := r.accounts(t); !maps.EqualFunc(before, after, same) {
		t.Errorf("an operation that nobody knows changed the accounts from %v to %v", before, after)
	}
}

func (r *run) changes(t *testing.T) {
	stays, goes := r.fresh(t, 7), r.fresh(t, 8)
	c := r.open(t)
	cursor, err := c.Read(t.Context(), "", func(*connector.Object) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if cursor == "" {
		if _, err := c.Read(t.Context(), "x", func(*connector.Object) error { return nil }); !errors.Is(err,
			connector.ErrNoChanges) {
			t.Errorf("without a cursor, reading changes gives %v", err)
		}
		return
	}
	read := func() (deleted map[string]bool, err error) {
		deleted = map[string]bool{}
		cursor2, err := r.open(t).Read(t.Context(), cursor, func(o *connector.Object) error {
			deleted[o.NativeIdentity] = o.Deleted
			return nil
		})
		if err == nil && cursor2 == "" {
			t.Error("reading changes gives no cursor")
		}
		return deleted, err
	}
	// Changes at exactly the time of the cursor may be read again.
	first, err := read()
	if errors.Is(err, connector.ErrNoChanges) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	r.apply(t, r.operation(connector.SetAttributes, stays, one(r.s.Single, attribute.String("changed"))))
	r.apply(t, r.operation(connector.Delete, goes, attribute.Set{}))
	second, err := read()
	if errors.Is(err, connector.ErrNoChanges) {
		return // the engine then reads the whole source
	}
	if deleted, found := second[stays]; err != nil || !found || deleted {
		t.Errorf("the changes are %v after %v, %v: %q is not among them", second, first, err, stays)
	}
}

func (r *run) many(t *testing.T) {
	before := len(r.accounts(t))
	for n := range r.s.Many {
		r.fresh(t, 100+n)
	}
	if got := len(r.accounts(t)); got != before+r.s.Many {
		t.Errorf("%d accounts are read, want %d", got, before+r.s.Many)
	}
}

func (r *run) ends(t *testing.T) {
	c := r.open(t)
	stop := errors.New("enough")
	calls := 0
	_, err := c.Read(t.Context(), "", func(*connector.Object) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("an error of the visitor: %v, %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Read(ctx, "", func(*connector.Object) error { return nil }); err == nil {
		t.Error("a context that has ended does not end the reading")
	}
}

// partial demands that a reading that is not whole is an error, and gives no cursor to go on from: the accounts that
// were not read would count as vanished.
func (r *run) partial(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(r.s.Partial)) {
		c := r.s.Partial[name](t)
		accounts := 0
		cursor, err := c.Read(t.Context(), "", func(o *connector.Object) error {
			if o.Type == "" || o.Type == connector.AccountObject {
				accounts++
			}
			return nil
		})
		if err == nil || cursor != "" {
			t.Errorf("%s: the reading gives %d accounts, the cursor %q and the error %v, want an error alone", name,
				accounts, cursor, err)
		}
		demandNoSecret(t, err)
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (r *run) remove(t *testing.T) {
	for native := range r.accounts(t) {
		operation := r.operation(connector.Delete, native, attribute.Set{})
		r.apply(t, operation)
		r.apply(t, operation)
	}
	if left := r.accounts(t); len(left) > 0 {
		t.Errorf("%d accounts are left", len(left))
	}
}
