package delimited_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/connectortest"
	"github.com/muster-engine/muster/engine/connector/delimited"
)

var schemas = []connector.Schema{
	{Name: "account", IdentityAttribute: "id", DisplayAttribute: "name", Attributes: []connector.SchemaAttribute{
		{Name: "id"}, {Name: "name"}, {Name: "groups", IsMulti: true, IsEntitlement: true}, {Name: "active", Type: "BOOLEAN"},
	}},
	{Name: "group", IdentityAttribute: "key", DisplayAttribute: "label"},
}

// folder makes a folder with an empty file of accounts, and returns how a connector of it is made.
func folder(t *testing.T, accounts string) (string, func(*testing.T) connector.Connector) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"people.csv": accounts, "group.csv": "key;label\nsales;Sales people\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "people.csv"), func(t *testing.T) connector.Connector {
		t.Helper()
		return openFolder(t, dir)
	}
}

func set(values map[string]attribute.Value) attribute.Set { return attribute.SetOf(values) }

func TestConformance(t *testing.T) {
	_, open := folder(t, "id;name;groups;active;note\n")
	connectortest.Run(t, &connectortest.Source{
		Open: open,
		Account: func(n int) (string, attribute.Set) {
			id := fmt.Sprintf("u%d", n)
			return id, set(map[string]attribute.Value{"id": attribute.String(id), "name": attribute.String(fmt.Sprintf("Person %d", n)),
				"active": attribute.Bool(true)})
		},
		Single: "name", Entitlement: "groups", Values: [3]string{"sales", "all staff", "r&d, \"lab\""},
		Enabled:  set(map[string]attribute.Value{"active": attribute.Bool(true)}),
		Disabled: set(map[string]attribute.Value{"active": attribute.Bool(false)}),
		Partial: map[string]func(*testing.T) connector.Connector{
			"a file that is cut off within a value": cutOff("id;name;groups;active\n1;Ann;;true\n2;geheim-4711"),
			"a file that is cut off within a quote": cutOff("id;name;groups;active\n1;Ann;;true\n2;\"geheim-4711;;true\n3;Cy;;true\n"),
			"a row whose account is not known":      cutOff("id;name;groups;active\n1;Ann;a;true\n1;geheim-4711\n3;Cy;;true\n", `, "mergeRows": true`),
			"a file of somebody else":               cutOff("geheim-4711;x;y\n1;2;3\n"),
		},
	})
}

// cutOff returns how a connector of a file is made.
func cutOff(text string, more ...string) func(*testing.T) connector.Connector {
	return func(t *testing.T) connector.Connector {
		t.Helper()
		path, _ := folder(t, text)
		return openFolder(t, filepath.Dir(path), more...)
	}
}

// openFolder makes a connector of a folder.
func openFolder(t *testing.T, dir string, more ...string) connector.Connector {
	t.Helper()
	c, err := delimited.New(t.Context(), connector.Config{Source: "Files", Schemas: schemas,
		Attributes: fmt.Appendf(nil, `{"folder": %q, "file": "people.csv", "delimiter": ";", "multiValueSeparator": "|"%s}`, dir,
			strings.Join(more, ""))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func apply(t *testing.T, c connector.Connector, kind connector.Kind, native string, values map[string]attribute.Value) error {
	t.Helper()
	_, err := c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: kind, NativeIdentity: native, Attributes: set(values)})
	return err
}

// What an operation is not about stays as it is, byte for byte where its spelling has a meaning.
func TestWritesBack(t *testing.T) {
	path, open := folder(t, "\uFEFFid;name;note;groups;active\r\n1;\"A;\"\"n\"\"n\";\"two\r\nlines\";sales|x;true\r\n2;;;;\r\n")
	c := open(t)
	if err := c.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := apply(t, c, connector.AddValues, "2", map[string]attribute.Value{"groups": attribute.List([]string{"y"})}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "\uFEFFid;name;note;groups;active\r\n1;\"A;\"\"n\"\"n\";\"two\r\nlines\";sales|x;true\r\n2;;;y;\r\n"; string(got) != want {
		t.Errorf("the file is\n%q, want\n%q", got, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("got %v, %v, want err == nil && info.Mode().Perm() == 0o640", info.Mode(), err)
	}
	var objects []string
	if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
		objects = append(objects, o.Type+":"+o.NativeIdentity+":"+o.Name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(objects, " "); got != `:1:A;"n"n :2: group:sales:Sales people` {
		t.Error(got)
	}
}

func TestWriteFaults(t *testing.T) {
	const text = "id;name;groups;active\n1;Ann;a;true\n"
	path, open := folder(t, text)
	c := open(t)
	for _, test := range []struct {
		kind   connector.Kind
		native string
		values map[string]attribute.Value
		want   string
	}{
		{connector.SetAttributes, "1", map[string]attribute.Value{"shoe": attribute.String("44")}, `no column "shoe"`},
		{connector.AddValues, "1", map[string]attribute.Value{"groups": attribute.List([]string{"a|b"})}, `the separator "|"`},
		{connector.SetAttributes, "1", map[string]attribute.Value{"name": attribute.List([]string{"a", "b"})}, "one value only"},
		{connector.Create, "", map[string]attribute.Value{"name": attribute.String("x")}, `has no "id"`},
	} {
		err := apply(t, c, test.kind, test.native, test.values)
		if err == nil || !strings.Contains(err.Error(), test.want) || !connector.IsPermanent(err) {
			t.Errorf("got %s %v: %v, want err != nil && strings.Contains(err.Error(), test.want) && connector.IsPermanent(err)", test.kind, test.values, err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("got %q, %v, want err == nil && string(got) == text", got, err)
	}
	// A row that cannot be read is not lost by writing another one.
	broken := text + "2;\"Bob\n"
	if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	err := apply(t, c, connector.SetAttributes, "1", map[string]attribute.Value{"name": attribute.String("Anna")})
	if err == nil || !strings.Contains(err.Error(), "is not written because a row of it cannot be read: line 3") {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != broken {
		t.Errorf("got %q, %v, want err == nil && string(got) == broken", got, err)
	}
	for _, attributes := range []string{`{}`, `{"folder": "x", "file": "../y"}`, `{"folder": "x", "delimiter": "ab"}`, `{"folder": 3}`} {
		if _, err := delimited.New(t.Context(), connector.Config{Attributes: []byte(attributes)}); err == nil {
			t.Errorf("%s is accepted", attributes)
		}
	}
}

// Several processes write to one file, and nothing of what they write is lost.
func TestConcurrentWriters(t *testing.T) {
	_, open := folder(t, "id;name;groups;active\n1;Ann;;true\n")
	var group sync.WaitGroup
	for i := range 8 {
		c := open(t)
		group.Go(func() {
			if err := apply(t, c, connector.AddValues, "1", map[string]attribute.Value{
				"groups": attribute.List([]string{fmt.Sprintf("g%d", i)})}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if _, err := open(t).Read(t.Context(), "", func(o *connector.Object) error {
		if o.Type == "" && o.Attributes.Get("groups").Len() != 8 {
			t.Errorf("the groups are %v", o.Attributes.Get("groups"))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestDiscover(t *testing.T) {
	_, open := folder(t, "id;name;groups;active;note\n")
	found, err := open(t).Discover(t.Context())
	if err != nil || len(found) != 2 || len(found[0].Attributes) != 5 || found[1].IdentityAttribute != "key" {
		t.Errorf("got %+v, %v, want err == nil && len(found) == 2 && len(found[0].Attributes) == 5 && found[1].IdentityAttribute == \"key\"", found, err)
	}
}

// What a process that was killed left beside the file is removed by the next operation, whether that has to write or
// not; what belongs to another file stays.
func TestRemovesWhatAKilledWriterLeft(t *testing.T) {
	path, open := folder(t, "id;name;groups;active\n1;Ann;;true\n")
	others := filepath.Join(filepath.Dir(path), ".group.csv.new-1")
	for _, left := range []string{filepath.Join(filepath.Dir(path), ".people.csv.new-1"), others} {
		if err := os.WriteFile(left, []byte("id;na"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := open(t)
	if err := apply(t, c, connector.SetAttributes, "1", map[string]attribute.Value{"name": attribute.String("Ann")}); err != nil {
		t.Fatal(err)
	}
	if err := c.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*.new-*"))
	if err != nil || len(left) != 1 || left[0] != others {
		t.Errorf("got %q, %v, want err == nil && len(left) == 1 && left[0] == others", left, err)
	}
}

// A schema does not name a file out of the folder, by its name either.
func TestSchemaStaysInTheFolder(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"group": true, "../group": false, "/etc/group": false, "a/../../group": false} {
		_, err := delimited.New(t.Context(), connector.Config{Attributes: []byte(`{"folder": "/data"}`),
			Schemas: []connector.Schema{{Name: "account"}, {Name: name}}})
		if (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
