package connector_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

func TestPermanent(t *testing.T) {
	inner := errors.New("x")
	if err := fmt.Errorf("at the source: %w", connector.Permanent(inner)); !connector.IsPermanent(err) || !errors.Is(err, inner) {
		t.Error(err)
	}
	if connector.IsPermanent(inner) || !connector.IsPermanent(connector.ErrNoAccount) || !connector.IsPermanent(connector.Unsupported("X")) {
		t.Error("wrong")
	}
}

func TestApplied(t *testing.T) {
	schema := &connector.Schema{Attributes: []connector.SchemaAttribute{{Name: "groups", IsMulti: true}, {Name: "profile"}}}
	before := attribute.SetOf(map[string]attribute.Value{"groups": attribute.List([]string{"b", "a"}), "profile": attribute.String("p"),
		"name": attribute.String("n")})
	for _, test := range []struct {
		kind  connector.Kind
		name  string
		value attribute.Value
		want  string
	}{
		{connector.AddValues, "groups", attribute.List([]string{"a", "c"}), `{"name":"n","groups":["b","a","c"],"profile":"p"}`},
		{connector.RemoveValues, "groups", attribute.List([]string{"a", "b"}), `{"name":"n","profile":"p"}`},
		{connector.AddValues, "profile", attribute.List([]string{"q"}), `{"name":"n","groups":["b","a"],"profile":"q"}`},
		{connector.RemoveValues, "profile", attribute.List([]string{"p"}), `{"name":"n","groups":["b","a"]}`},
		{connector.RemoveValues, "profile", attribute.List([]string{"q"}), `{"name":"n","groups":["b","a"],"profile":"p"}`},
		{connector.SetAttributes, "name", attribute.Null, `{"groups":["b","a"],"profile":"p"}`},
	} {
		operation := &connector.Operation{Kind: test.kind, Attributes: attribute.SetOf(map[string]attribute.Value{test.name: test.value})}
		after := connector.Applied(&before, operation, schema)
		if got := string(after.AppendJSON(nil)); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.kind, test.name, got, test.want)
		}
	}
}
