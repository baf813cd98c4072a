package provisioning

import (
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/store"
)

// directory is a source whose accounts have a login, a name and groups.
func directory() *configuration.CompiledSource {
	return &configuration.CompiledSource{RowID: store.ID{1}, Source: configuration.Source{Name: "Directory",
		Schemas: []configuration.Schema{{Name: "account", IdentityAttribute: "login", DisplayAttribute: "full",
			Attributes: []configuration.SchemaAttribute{{Name: "login"}, {Name: "full"}, {Name: "groups", IsMulti: true}}}}}}
}

func TestObjectAfter(t *testing.T) {
	text := attribute.String
	for _, test := range []struct {
		name          string
		kind          connector.Kind
		before, given map[string]attribute.Value
		answered      map[string]attribute.Value
		native        string
		want, display string
	}{
		{"created", connector.Create, nil, map[string]attribute.Value{"full": text("Ann Lee")}, nil, "ann",
			`{"full":"Ann Lee","login":"ann"}`, "Ann Lee"},
		{"the source gives another value", connector.Create, nil, map[string]attribute.Value{"full": text("Ann Lee")},
			map[string]attribute.Value{"full": text("Lee, Ann")}, "ann", `{"full":"Lee, Ann","login":"ann"}`, "Lee, Ann"},
		{"values added", connector.AddValues, map[string]attribute.Value{"groups": attribute.List([]string{"crm"})},
			map[string]attribute.Value{"groups": attribute.List([]string{"sales"})}, nil, "ann",
			`{"login":"ann","groups":["crm","sales"]}`, ""},
		{"renamed", connector.SetAttributes, map[string]attribute.Value{"login": text("ann"), "full": text("Ann Lee")},
			map[string]attribute.Value{"login": text("annlee")}, nil, "annlee",
			`{"full":"Ann Lee","login":"annlee"}`, "Ann Lee"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := attribute.SetOf(test.before)
			o := &connector.Operation{Kind: test.kind, Attributes: attribute.SetOf(test.given)}
			result := &connector.Result{Attributes: attribute.SetOf(test.answered)}
			object := objectAfter(directory(), &before, o, result, test.native)
			if got := string(object.Attributes.AppendJSON(nil)); got != test.want || object.Name != test.display {
				t.Errorf("the account is %s with the name %q, want %s with the name %q", got, object.Name, test.want,
					test.display)
			}
		})
	}
}

func TestAccountRow(t *testing.T) {
	object := &connector.Object{NativeIdentity: "ann",
		Attributes: attribute.SetOf(map[string]attribute.Value{"login": attribute.String("ann")})}
	row := accountRow(directory(), object)
	if row.SourceID != (store.ID{1}) || row.NativeIdentity != "ann" || row.Name != "ann" ||
		string(row.Attributes) != `{"login":"ann"}` || row.Fingerprint.IsZero() {
		t.Errorf("the row is %+v", row)
	}
	if !row.ID.IsZero() || !row.IdentityID.IsZero() {
		t.Errorf("the row has the ID %s and the owner %s, want none", row.ID, row.IdentityID)
	}
}

// The name that an account had when the operation was planned is not the connector's to see.
func TestOperationOfEveryKind(t *testing.T) {
	for _, kind := range connector.Kinds() {
		row := &store.Operation{ID: store.NewID(), Kind: string(kind), NativeIdentity: "ann", Attributes: []byte(`{"a":"b"}`)}
		o, err := operationOf(row)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if o.Kind != kind || o.Key != row.ID.String() || o.NativeIdentity != "" || o.Attributes.Get("a").Text() != "b" {
			t.Errorf("the operation is %+v, want what the row says, without its name: %+v", o, row)
		}
	}
	for _, row := range []*store.Operation{
		{Kind: "PAINT", Attributes: []byte(`{}`)}, {Kind: "", Attributes: []byte(`{}`)},
		{Kind: string(connector.Create), Attributes: []byte(`{`)},
	} {
		if o, err := operationOf(row); err == nil {
			t.Errorf("the row %+v gives the operation %+v, want an error", row, o)
		}
	}
}
