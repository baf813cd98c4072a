package configuration_test

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector/delimited"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

// The page of the configuration says what the tables say.
func TestReference(t *testing.T) {
	const page = "../../docs/configuration.md"
	want := configuration.ReferencePage()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s differs, make docs writes it again: %s", page, diff)
	}
}

// jsonNames returns the names of the members of a shape in Go.
func jsonNames(shape reflect.Type) []string {
	var names []string
	for i := range shape.NumField() {
		field := shape.Field(i)
		if field.Anonymous {
			names = append(names, jsonNames(field.Type)...)
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func namesOf(s *configuration.Shape, use configuration.Use) []string {
	var names []string
	for _, m := range s.Members {
		if use == "" || m.Use == use {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return names
}

// checkDecoded checks that a table lists every member that is decoded, as read, and that every object which is read is
// decoded. Members of raw JSON are decoded elsewhere.
func checkDecoded(t *testing.T, place string, s *configuration.Shape, shape reflect.Type, elsewhere ...string) {
	t.Helper()
	listed := namesOf(s, "")
	for _, name := range jsonNames(shape) {
		if !slices.Contains(listed, name) {
			t.Errorf("%s: %s is decoded, and not listed", place, name)
		}
	}
	for _, name := range namesOf(s, configuration.Read) {
		if !slices.Contains(jsonNames(shape), name) && !slices.Contains(elsewhere, name) {
			t.Errorf("%s: %s is listed as read, and nothing decodes it", place, name)
		}
	}
}

func inner(s *configuration.Shape, path string) *configuration.Shape {
	for name := range strings.SplitSeq(path, ".") {
		at := slices.IndexFunc(s.Members, func(m configuration.Member) bool { return m.Name == name })
		s = s.Members[at].Shape
	}
	return s
}

// The tables and the decoders know the same members.
func TestMembersDecoded(t *testing.T) {
	shapes := map[configuration.ObjectType]*configuration.Shape{}
	for _, s := range configuration.Shapes() {
		shapes[s.Type] = s.Shape
	}
	source, profile := shapes[configuration.TypeSource], shapes[configuration.TypeIdentityProfile]
	state, access, role := shapes[configuration.TypeLifecycleState], shapes[configuration.TypeAccessProfile], shapes[configuration.TypeRole]
	const shown = "description"
	checkDecoded(t, "source", source, reflect.TypeFor[configuration.Source](), shown, "owner", "connectorScriptName", "correlationConfigDetails")
	checkDecoded(t, "schema", inner(source, "schemas"), reflect.TypeFor[configuration.Schema]())
	checkDecoded(t, "schema attribute", inner(source, "schemas.attributes"), reflect.TypeFor[configuration.SchemaAttribute](), shown, "equality")
	checkDecoded(t, "correlation", inner(source, "accountCorrelationConfig"), reflect.TypeFor[configuration.CorrelationConfig]())
	checkDecoded(t, "assignment", inner(source, "accountCorrelationConfig.attributeAssignments"), reflect.TypeFor[configuration.AttributeAssignment]())
	checkDecoded(t, "manager", inner(source, "managerCorrelationMapping"), reflect.TypeFor[configuration.ManagerCorrelation]())
	checkDecoded(t, "policy", inner(source, "provisioningPolicies"), reflect.TypeFor[configuration.ProvisioningPolicy](), shown)
	checkDecoded(t, "sync", inner(source, "attributeSyncConfig"), reflect.TypeFor[configuration.AttributeSyncConfig]())
	checkDecoded(t, "synced", inner(source, "attributeSyncConfig.attributes"), reflect.TypeFor[configuration.AttributeSync](), "displayName")
	checkDecoded(t, "schedule", inner(source, "schedules"), reflect.TypeFor[configuration.AggregationSchedule]())
	checkDecoded(t, "profile", profile, reflect.TypeFor[configuration.IdentityProfile](), shown, "owner")
	checkDecoded(t, "mapping", inner(profile, "identityAttributeConfig.attributeTransforms"), reflect.TypeFor[configuration.AttributeMapping]())
	checkDecoded(t, "lifecycle state", state, reflect.TypeFor[configuration.LifecycleState](), shown)
	checkDecoded(t, "account action", inner(state, "accountActions"), reflect.TypeFor[configuration.AccountAction](), "allSources", "excludeSourceIds")
	checkDecoded(t, "identity attribute", shapes[configuration.TypeIdentityAttribute], reflect.TypeFor[configuration.IdentityAttribute](), shown, "displayName")
	checkDecoded(t, "access profile", access, reflect.TypeFor[configuration.AccessProfile](), shown, "owner")
	checkDecoded(t, "entitlement", inner(access, "entitlements"), reflect.TypeFor[configuration.EntitlementReference]())
	checkDecoded(t, "provisioning criteria", inner(access, "provisioningCriteria"), reflect.TypeFor[configuration.ProvisioningCriteria]())
	checkDecoded(t, "role", role, reflect.TypeFor[configuration.Role](), shown, "owner")
	checkDecoded(t, "membership", inner(role, "membership"), reflect.TypeFor[configuration.RoleMembership]())

	settings := map[string]*configuration.Shape{}
	for _, s := range configuration.SettingShapes() {
		settings[s.Name] = s
	}
	const merged = "mergeRows mergeColumns indexColumn indexColumns"
	for _, name := range []string{"delimited text", "delimited-folder"} {
		checkDecoded(t, name, settings[name], reflect.TypeFor[delimited.Settings](), append(strings.Fields(merged), "accountStatus")...)
	}
	for name, file := range map[string]string{"ldap": "../connector/ldap/settings.go", "postgres": "../connector/postgres/postgres.go"} {
		listed := namesOf(settings[name], "")
		decoded := tagsIn(t, file, "settings")
		for _, member := range decoded {
			if !slices.Contains(listed, member) {
				t.Errorf("%s: %s is decoded, and not listed", name, member)
			}
		}
		for _, member := range namesOf(settings[name], configuration.Read) {
			if !slices.Contains(decoded, member) && member != "accountStatus" {
				t.Errorf("%s: %s is listed as read, and nothing decodes it", name, member)
			}
		}
	}
}

// tagsIn returns the JSON names of the fields of a struct in a Go file.
func tagsIn(t *testing.T, file, name string) []string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, isType := n.(*ast.TypeSpec)
		if !isType || spec.Name.Name != name {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			if field.Tag != nil {
				tag, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json"), ",")
				tags = append(tags, tag)
			}
		}
		return false
	})
	if len(tags) == 0 {
		t.Fatalf("%s has no struct %s", file, name)
	}
	return tags
}

// Every member of every table is whole: it has what a reader of the page needs, and its JSON is JSON.
func TestMembersWhole(t *testing.T) {
	seen := map[*configuration.Shape]bool{}
	var check func(s *configuration.Shape)
	check = func(s *configuration.Shape) {
		if seen[s] {
			return
		}
		seen[s] = true
		names := map[string]bool{}
		for _, m := range s.Members {
			switch {
			case names[m.Name]:
				t.Errorf("%s: %s is listed twice", s.Name, m.Name)
			case m.About == "" || m.Kind == "" || m.Example == "":
				t.Errorf("%s: %s lacks a description, a kind or an example", s.Name, m.Name)
			case (m.Why == "") != (m.Use == configuration.Read):
				t.Errorf("%s: %s is %s, and the reason is %q", s.Name, m.Name, m.Use, m.Why)
			case !json.Valid([]byte(m.Example)) || m.Default != "" && !json.Valid([]byte(m.Default)):
				t.Errorf("%s: the example or the default of %s is no JSON", s.Name, m.Name)
			}
			names[m.Name] = true
			if m.Shape != nil {
				check(m.Shape)
			}
		}
	}
	for _, s := range configuration.Shapes() {
		check(s.Shape)
	}
	for _, s := range configuration.SettingShapes() {
		check(s)
	}
}

// Each link of the page leads to a table of it, and no two tables have one name.
func TestReferenceLinks(t *testing.T) {
	t.Parallel()
	page := configuration.ReferencePage()
	anchors := map[string]bool{}
	for line := range strings.Lines(page) {
		if title := strings.TrimSpace(strings.TrimLeft(line, "#")); strings.HasPrefix(line, "#") {
			anchor := strings.ReplaceAll(strings.ToLower(title), " ", "-")
			if anchors[anchor] {
				t.Errorf("%s is there twice", title)
			}
			anchors[anchor] = true
		}
	}
	links := 0
	for rest := page; ; links++ {
		_, after, found := strings.Cut(rest, "](#")
		if !found {
			break
		}
		anchor, end, _ := strings.Cut(after, ")")
		if rest = end; !anchors[anchor] {
			t.Errorf("there is no table #%s", anchor)
		}
	}
	if links < 30 {
		t.Errorf("there are %d links", links)
	}
}
