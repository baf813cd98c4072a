package delimited_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
)

// merged reads a text and returns the accounts as "native attributes", or "native line: fault".
func merged(t *testing.T, text, attributes string, schema *connector.Schema) ([]string, error) {
	t.Helper()
	settings, err := delimited.ParseSettings([]byte(attributes))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := delimited.NewObjects(strings.NewReader(text), settings, schema)
	if err != nil {
		return nil, err
	}
	var got []string
	for {
		object, err := objects.Next()
		switch {
		case errors.Is(err, io.EOF):
			return got, nil
		case err != nil:
			return got, err
		case object.Fault != "":
			got = append(got, object.NativeIdentity+" "+object.Fault)
		default:
			got = append(got, object.NativeIdentity+" "+string(object.Attributes.AppendJSON(nil)))
		}
	}
}

var mergeSchema = &connector.Schema{IdentityAttribute: "login", Attributes: []connector.SchemaAttribute{
	{Name: "login"}, {Name: "mail"}, {Name: "rooms", IsMulti: true, IsEntitlement: true}, {Name: "keys", IsMulti: true}}}

func reversed(rows []string) []string {
	rows = slices.Clone(rows)
	slices.Reverse(rows)
	return rows
}

// The rows of an account are one account, wherever they stand.
func TestMergeRows(t *testing.T) {
	rows := []string{"u1,,r2,k1", "u2,b@x,r1,", "u1,a@x,r1,", ",,,", "u3,,,", "u1,a@x,r1;r3,k2"}
	want := []string{
		`u1 {"keys":["k1","k2"],"mail":"a@x","login":"u1","rooms":["r1","r2","r3"]}`,
		`u2 {"mail":"b@x","login":"u2","rooms":["r1"]}`, `u3 {"login":"u3"}`,
	}
	for range rows {
		rows = append(rows[1:], rows[0])
		for _, order := range [][]string{rows, reversed(rows)} {
			got, err := merged(t, "login,mail,rooms,keys\n# a comment\n"+strings.Join(order, "\n")+"\n",
				`{"mergeRows": true, "commentCharacter": "#", "filterEmptyRecords": "true"}`, mergeSchema)
			slices.Sort(got)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%q gives\n%s\n%v", order, strings.Join(got, "\n"), err)
			}
		}
	}
}

func TestMergeRowsByOtherColumns(t *testing.T) {
	got, err := merged(t, "emp,login,rooms,keys\n7,u1,a,k\n8,u2,b,k\n7,u1,c,k\n",
		`{"mergeRows": true, "indexColumns": "emp", "mergeColumns": ["rooms"]}`, mergeSchema)
	if want := []string{`u1 {"keys":["k"],"login":"u1","rooms":["a","c"]}`, `u2 {"keys":["k"],"login":"u2","rooms":["b"]}`}; err != nil ||
		!slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	// Without a schema, the merged columns are those with several values.
	got, err = merged(t, "login,room,pwd\nu1,b,x\nu1,a,y\n", `{"mergeRows": true, "mergeColumns": ["room"]}`, nil)
	if want := []string{`u1 {"room":["a","b"],"login":"u1"}`}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// A column that has one value, and has two, makes the account faulty in any order of the rows. Nobody's row makes the
// whole text unusable, since any account might lack its values.
func TestMergeRowsFaults(t *testing.T) {
	const attributes = `{"mergeRows": true}`
	for text, want := range map[string]string{
		"login,mail,rooms\nu1,a@x,r1\nu1,b@x,r2\n": `u1 the value of column "mail" is another one than on line 2`,
		"login,mail,rooms\nu1,b@x,r2\nu1,a@x,r1\n": `u1 the value of column "mail" is another one than on line 2`,
		"login,mail,rooms\nu1,a@x,\xff\nu1,,r2\n":  `u1 the value of column "rooms" is not UTF-8 text`,
		"login,mail,rooms\nu1,,r2\nu1,a@x,\x00\n":  `u1 the value of column "rooms" has a NUL character in it`,
	} {
		got, err := merged(t, text, attributes, mergeSchema)
		if err != nil || len(got) != 1 || !strings.HasPrefix(got[0], want) || strings.Contains(got[0], "@x") {
			t.Errorf("%q gives %q, %v, want %q", text, got, err, want)
		}
	}
	got, err := merged(t, "emp,login,rooms\n7,u1,a\n7,u2,b\n", `{"mergeRows": true, "indexColumns": ["emp"]}`, mergeSchema)
	if want := " the native identity is another one than on line 2"; err != nil || len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for text, want := range map[string]string{
		"login,mail,rooms\nu1,a@x,r1\nu1,r2\n":   "line 3: it has 2 values where there are 3 columns; with mergeRows any account",
		"login,mail,rooms\nu1,a@x,r1\n,a@x,r2\n": `line 3: column "login", which says whose it is, is empty; with mergeRows any`,
		"login,mail,rooms\nu1,a@x,r1\nu1,a@x":    "may be cut off",
		"mail,rooms\na@x,r1\n":                   `no column "login"`,
		"login,mail\nu1,a@x\n":                   "no multi-valued attribute with a column",
	} {
		if got, err := merged(t, text, attributes, mergeSchema); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %q, %v, want an error with %q", text, got, err, want)
		}
	}
	for attributes, want := range map[string]string{
		`{"mergeRows": true, "indexColumns": ["id"]}`:    `no column "id", which connectorAttributes.indexColumns names`,
		`{"mergeRows": true, "mergeColumns": ["mail"]}`:  `"mail" has one value only`,
		`{"mergeRows": true, "mergeColumns": ["login"]}`: `"login" has one value only`,
		`{"mergeRows": true, "mergeColumns": ["room"]}`:  `no multi-valued attribute with a column`,
	} {
		if got, err := merged(t, "login,mail,rooms\n", attributes, mergeSchema); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %q, %v, want an error with %q", attributes, got, err, want)
		}
	}
	for _, attributes := range []string{`{"commentCharacter": ","}`, `{"commentCharacter": "ab"}`, `{"mergeColumns": 3}`, `{"mergeRows": "ja"}`} {
		if _, err := delimited.ParseSettings([]byte(attributes)); err == nil {
			t.Errorf("%s is accepted", attributes)
		}
	}
}

// A file with several rows for an account, or with comments, is read and not written.
func TestMergedFilesAreNotWritten(t *testing.T) {
	const text = "id;name;groups;active\n#c\n1;Ann;a;true\n1;Ann;b;true\n"
	path, _ := folder(t, text)
	c := openFolder(t, strings.TrimSuffix(path, "/people.csv"), `, "mergeRows": true, "commentCharacter": "#"`)
	read := ""
	if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
		read += string(o.Attributes.AppendJSON(nil))
		return nil
	}); err != nil || !strings.Contains(read, `"groups":["a","b"]`) {
		t.Errorf("read is %s, %v", read, err)
	}
	if err := apply(t, c, connector.SetAttributes, "1", map[string]attribute.Value{"name": attribute.String("Anna")}); err == nil || !connector.IsPermanent(err) || !strings.Contains(err.Error(), "mergeRows") {
		t.Error(err)
	}
	c = openFolder(t, strings.TrimSuffix(path, "/people.csv"), `, "commentCharacter": "#"`)
	if err := apply(t, c, connector.SetAttributes, "1", map[string]attribute.Value{"name": attribute.String("Anna")}); err == nil || !connector.IsPermanent(err) || !strings.Contains(err.Error(), "comments") {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("the file is %q, %v", got, err)
	}

}

// Nothing that stands in a file gets into an error or a note, as it may be no header row but somebody's data, or
// another file.
func TestErrorsRepeatNothing(t *testing.T) {
	for _, text := range []string{
		"geheim,Ann Lee,4711\n1,2,3\n", "geheim,Ann Lee,geheim\n1,2,3\n", "root:geheim:0:0\n", "login,geheim\n\xff,x\nu1,\xff\n",
		"login,mail\nu1\ngeheim,b,c\nu2,\"geheim\"x\n",
	} {
		for _, schema := range []*connector.Schema{mergeSchema, {IdentityAttribute: "login"}, nil,
			{Attributes: []connector.SchemaAttribute{{Name: "level", Type: "INT"}, {Name: "mail"}}}} {
			for _, attributes := range []string{`{}`, `{"mergeRows": true}`, `{"stableIdentityColumn": "key"}`} {
				settings, err := delimited.ParseSettings([]byte(attributes))
				if err != nil {
					t.Fatal(err)
				}
				var texts []string
				objects, err := delimited.NewObjects(strings.NewReader(text), settings, schema)
				for err == nil {
					var object *connector.Object
					if object, err = objects.Next(); err == nil {
						texts = append(texts, object.Fault)
					}
				}
				texts = append(texts, err.Error())
				if objects != nil && schema != mergeSchema {
					texts = append(texts, objects.Notes()...)
				}
				for _, message := range texts {
					if strings.Contains(message, "geheim") || strings.Contains(message, "Lee") || strings.Contains(message, "4711") {
						t.Errorf("%q: %q", text, message)
					}
				}
			}
		}
	}
}
