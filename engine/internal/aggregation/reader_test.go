package aggregation

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
)

// newReader returns a reader of objects, at most 4, and then of an error.
func newReader(t *testing.T, failure error, objects ...*connector.Object) *reader {
	t.Helper()
	r := &run{source: &configuration.CompiledSource{}, settings: &configuration.Settings{Objects: 4}}
	return r.reader(func() (*connector.Object, error) {
		if len(objects) == 0 {
			return nil, failure
		}
		object := objects[0]
		objects = objects[1:]
		return object, nil
	})
}

// natives reads to the end and returns the native identities of the accounts.
func natives(r *reader) ([]string, error) {
	var read []string
	for {
		account, ok, err := r.next()
		if err != nil || !ok {
			return read, err
		}
		read = append(read, account.NativeIdentity)
	}
}

// A connection that breaks is no end of the data, though its error is one: the accounts that were not read would count
// as vanished.
func TestReaderTakesNoErrorForTheEnd(t *testing.T) {
	t.Parallel()
	broken := tenant.AtSource("aggregate", "Directory", fmt.Errorf("read page 2: %w", io.EOF))
	read, err := natives(newReader(t, broken, &connector.Object{NativeIdentity: "anna"}))
	if !errors.Is(err, broken) {
		t.Errorf("after %v the reader says %v, want %v", read, err, broken)
	}
}

func TestReaderSortsObjects(t *testing.T) {
	t.Parallel()
	r := newReader(t, nil,
		&connector.Object{NativeIdentity: "anna"},
		&connector.Object{Type: "group", NativeIdentity: "sales", Name: "Sales"},
		&connector.Object{NativeIdentity: "ben", Deleted: true},
		&connector.Object{NativeIdentity: "carla", Line: 4, Fault: "the row has too few values"})
	read, err := natives(r)
	if err != nil || len(read) != 1 || read[0] != "anna" {
		t.Errorf("accounts %v and the error %v, want anna alone", read, err)
	}
	found := &r.findings
	if len(found.gone) != 1 || found.gone[0] != "ben" {
		t.Errorf("gone are %v, want ben", found.gone)
	}
	if len(found.spared) != 1 || found.spared[0] != "carla" || found.unknown != 0 {
		t.Errorf("spared are %v and %d unknown, want carla alone", found.spared, found.unknown)
	}
	want := RowError{4, "the row has too few values"}
	if found.faults.count != 1 || found.faults.reported[0] != want {
		t.Errorf("%d faults: %v, want %v", found.faults.count, found.faults.reported, want)
	}
}

// Objects of any kind count against the limit.
func TestReaderRefusesTooManyObjects(t *testing.T) {
	t.Parallel()
	objects := []*connector.Object{{NativeIdentity: "anna"}, {Type: "group", NativeIdentity: "sales"},
		{NativeIdentity: "ben", Deleted: true}, {NativeIdentity: "carla"}}
	if _, err := natives(newReader(t, nil, objects...)); err != nil {
		t.Errorf("4 objects: %v, want no error", err)
	}
	_, err := natives(newReader(t, nil, append(objects, &connector.Object{Type: "group"})...))
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("5 objects: %v, want a conflict", err)
	}
}

func TestReaderNamesFaults(t *testing.T) {
	t.Parallel()
	object := func(native, name, value string) *connector.Object {
		o := &connector.Object{NativeIdentity: native}
		o.Attributes.Put(name, attribute.String(value))
		return o
	}
	for name, c := range map[string]struct {
		object *connector.Object
		want   string
		known  bool // the native identity
	}{
		"no native identity": {object("", "a", "b"), "the object has no native identity", false},
		"a NUL in the native identity": {object("an\x00na", "a", "b"),
			"the native identity or the name is no UTF-8 text without NUL characters", false},
		"a NUL in an entitlement": {object("anna", "groups", "\x00"),
			`the attribute "groups" is no UTF-8 text without NUL characters`, true},
		"a NUL in a name": {object("anna", "\x00", "b"),
			"the name of an attribute is no UTF-8 text without NUL characters", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, nil, c.object)
			r.findings.attributes["groups"] = &attributeFinding{entitling: true}
			if read, err := natives(r); err != nil || len(read) > 0 {
				t.Fatalf("accounts %v and the error %v, want none", read, err)
			}
			if got := r.findings.faults.reported[0].Msg; got != c.want {
				t.Errorf("the fault is %q, want %q", got, c.want)
			}
			if known := len(r.findings.spared) == 1; known != c.known {
				t.Errorf("the account is spared: %v, want %v", known, c.known)
			}
		})
	}
}

// A text whose reading breaks is not at its end either.
func TestTextReaderTakesNoBrokenTextForTheEnd(t *testing.T) {
	t.Parallel()
	broken := fmt.Errorf("read the body: %w", io.EOF)
	r := &run{source: &configuration.CompiledSource{}, settings: &configuration.Settings{Objects: 4}}
	reader, err := r.textReader(io.MultiReader(strings.NewReader("id\nanna\n"), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	if read, err := natives(reader); !errors.Is(err, broken) {
		t.Errorf("after %v the reader says %v, want %v", read, err, broken)
	}
}

// A picture does not cost the account, and a password is not even noted with its account.
func TestReaderLeavesAttributesOut(t *testing.T) {
	t.Parallel()
	object := func(native string) *connector.Object {
		o := &connector.Object{NativeIdentity: native}
		for name, value := range map[string]string{"mail": native + "@example.com", "photo": "\xff\xd8\x00", "userPassword": "geheim",
			"badge": "a\x00"} {
			o.Attributes.Put(name, attribute.String(value))
		}
		return o
	}
	r := newReader(t, nil, object("anna"), object("ben"))
	r.notes = func() []string { return []string{"the source's own"} }
	for _, native := range []string{"anna", "ben"} {
		account, ok, err := r.next()
		if want := `{"mail":"` + native + `@example.com"}`; err != nil || !ok || string(account.Attributes) != want {
			t.Fatalf("the account is %s, %v, want %s", account.Attributes, err, want)
		}
	}
	if _, ok, err := r.next(); ok || err != nil || r.findings.faults.count > 0 {
		t.Fatalf("at the end: %v, %d faults", err, r.findings.faults.count)
	}
	want := []string{
		`the attribute "badge" was left out of 2 accounts, because its value is no UTF-8 text without NUL characters`,
		`the attribute "photo" was left out of 2 accounts, because its value is no UTF-8 text without NUL characters`,
		"the source's own",
	}
	if !slices.Equal(r.findings.notes, want) {
		t.Errorf("the notes are %q, want %q", r.findings.notes, want)
	}
}
