package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// edited returns an edit that sets one member of a document.
func edited(member string, value any) func(engine.ConfigurationObject) (json.RawMessage, error) {
	return func(o engine.ConfigurationObject) (json.RawMessage, error) {
		var members map[string]any
		if err := json.Unmarshal(o.Object, &members); err != nil {
			return nil, err
		}
		members[member] = value
		return json.Marshal(members)
	}
}

// Of edits that happen at once none is lost.
func TestEditsAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText("transforms: [{name: List, type: lookup, attributes: {table: {default: none}}}]")
	const editors = 8
	var group sync.WaitGroup
	for i := range editors {
		group.Go(func() {
			_, err := f.EditConfiguration(t.Context(), engine.TypeTransform, "list",
				func(o engine.ConfigurationObject) (json.RawMessage, error) {
					return []byte(strings.Replace(string(o.Object), `"default"`, fmt.Sprintf(`"k%d": "v", "default"`, i),
						1)), nil
				})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	object, err := f.ConfigurationObject(t.Context(), engine.TypeTransform, "List")
	if err != nil {
		t.Fatal(err)
	}
	for i := range editors {
		if !strings.Contains(string(object.Object), fmt.Sprintf(`"k%d"`, i)) {
			t.Errorf("the edit %d is lost: %s", i, object.Object)
		}
	}
	if object.Created.IsZero() || !object.Modified.After(object.Created) {
		t.Errorf("it was created at %s and modified at %s", object.Created, object.Modified)
	}
}

func TestCreateAndEdit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.PeopleHeader+"ann,Ann,Ann,Boss,ann@example.com,Board,,41,\n",
		engine.AggregateOptions{})
	f.Process()
	create := func(text string) (engine.ApplyResult, error) {
		return f.CreateConfiguration(t.Context(), engine.Document{Type: engine.TypeRole, Object: json.RawMessage(text)})
	}
	const nobody = "0197a3c2f0b87d3e9a41c6d2e5f70812"
	role := func(name, owner string) string {
		return fmt.Sprintf(`{"name": %q, "owner": {"type": "IDENTITY", "id": %q, "name": "somebody"}}`, name, owner)
	}
	made, err := create(role("Seller", strings.ToUpper(f.ID("ann"))))
	if err != nil || len(made.Objects) != 1 || made.Objects[0].Action != engine.Created {
		t.Fatalf("created was %+v, %v", made, err)
	}
	id := made.Objects[0].ID
	get := func() string {
		t.Helper()
		o, err := f.ConfigurationObject(t.Context(), engine.TypeRole, id)
		if err != nil {
			t.Fatal(err)
		}
		return string(o.Object)
	}
	if !strings.Contains(get(), `"Ann"`) {
		t.Errorf("the owner's name is not that of the identity: %s", get())
	}
	var exists *engine.ExistsError
	if _, err := create(role("SELLER", f.ID("ann"))); !errors.As(err, &exists) || engine.KindOf(err) != engine.Conflict {
		t.Errorf("got %v, want that there is one", err)
	}
	var reference *engine.ReferenceError
	if _, err := create(role("Other", nobody)); !errors.As(err, &reference) || engine.KindOf(err) != engine.Invalid {
		t.Errorf("got %v, want that there is no such identity", err)
	}
	if _, err := create(role("Other", f.ID("ann"))); err != nil {
		t.Fatal(err)
	}
	edit := func(member string, value any) error {
		_, err := f.EditConfiguration(t.Context(), engine.TypeRole, id, edited(member, value))
		return err
	}
	for _, test := range []struct {
		member string
		value  any
		kind   engine.Kind
	}{
		{"name", "other", engine.Conflict}, {"id", nobody, engine.Invalid}, {"nme", "x", engine.Invalid},
		{"owner", map[string]any{"id": nobody}, engine.Invalid},
		{"owner", map[string]any{"id": f.ID("ann"), "type": "GROUP"}, engine.Invalid},
	} {
		before := get()
		if err := edit(test.member, test.value); engine.KindOf(err) != test.kind || get() != before {
			t.Errorf("%s: got %v, want the kind %v and no change", test.member, err, test.kind)
		}
	}
	if err := edit("name", "Vendor"); err != nil || !strings.Contains(get(), "Vendor") {
		t.Errorf("the new name: %v, %s", err, get())
	}
	if err := edit("description", "Sells."); err != nil {
		t.Error(err)
	}
	revisions, err := f.ConfigurationRevisions(t.Context(), 0, 250)
	if err != nil {
		t.Fatal(err)
	}
	if err := edit("description", "Sells."); err != nil {
		t.Error(err)
	}
	if again, err := f.ConfigurationRevisions(t.Context(), 0, 250); err != nil || len(again) != len(revisions) {
		t.Errorf("an edit that changes nothing made a revision: %v", err)
	}
}
