package delimited

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

var fuzzedSchema = &connector.Schema{IdentityAttribute: "id", DisplayAttribute: "name", Attributes: []connector.SchemaAttribute{
	{Name: "id"}, {Name: "name"}, {Name: "groups", IsMulti: true}, {Name: "active", Type: "BOOLEAN"}, {Name: "age", Type: "INT"},
}}

// Whatever a text holds, its objects can be kept, or say what is wrong with them.
func FuzzObjects(f *testing.F) {
	f.Add("id,name,groups,active,age\n1,Ann,\"a;b; ;a\",TRUE, 07\n", `{}`)
	f.Add("\ufeffid;name\r\n\"1\r\n\";\"\"\"\"\r\n", `{"delimiter": ";", "multiValueSeparator": ""}`)
	f.Add("1\tAnn\t\x00\t\xff\t9223372036854775808\n\n2\n", `{"delimiter": "tab", "hasHeader": "false"}`)
	f.Add("id,id\n1,2\n", `{"hasHeader": false, "columnNames": ["id", "id"]}`)
	f.Add("id,groups\n1,a\n2,\n1,b;a\n#x\n,\n", `{"mergeRows": "true", "commentCharacter": "#", "filterEmptyRecords": true}`)
	f.Add("\"1", `{"hasHeader": false, "columnNames": []}`)
	f.Fuzz(func(t *testing.T, text, attributes string) {
		settings, err := ParseSettings(json.RawMessage(attributes))
		if err != nil {
			return
		}
		objects, err := NewObjects(strings.NewReader(text), settings, fuzzedSchema)
		if err != nil {
			return
		}
		lines := strings.Count(text, "\n") + 1
		for read := 0; ; read++ {
			object, err := objects.Next()
			if errors.Is(err, io.EOF) || errors.Is(err, ErrTruncated) || bool(settings.MergeRows) && err != nil {
				return
			}
			if err != nil {
				t.Fatal(err) // the text is at hand
			}
			if read > lines {
				t.Fatalf("%d rows on %d lines", read, lines)
			}
			if object.Fault != "" {
				continue
			}
			values := []string{object.NativeIdentity, object.Name}
			for _, value := range object.Attributes.All() {
				values = append(values, value.Strings()...)
			}
			if object.NativeIdentity == "" || slices.ContainsFunc(values, func(s string) bool {
				return !utf8.ValidString(s) || strings.Contains(s, "\x00") || !strings.Contains(strings.ReplaceAll(text, `""`, `"`), s) &&
					!strings.Contains(s, "\n") && !strings.Contains(s, `"`) && s != "true" && s != "false" && strings.Trim(s, "-0123456789") != ""
			}) {
				t.Fatalf("%q is read from %q", values, text)
			}
		}
	})
}

// A value that is written is read as it was, or is not written; what other rows hold stays.
func FuzzTable(f *testing.F) {
	f.Add("id,name,groups,active,age\n1,Ann,a;b,true,7\n", "2", "Bob", "c")
	f.Add("\ufeffid,name,groups\r\n1,\"a\r\nb\",\"\"\r\n", "\ufeff", "a\nb\r", "x,y")
	f.Add("id,name,groups\r\n1,\"a\rb\",x\r\n", `"`, `=1+1"",`, ` `)
	f.Add("id,groups,name\n\"\"\"1\n\",,\n", "a\x00b", "\xff", ";")
	f.Add("id,name,groups\n", "\\.", "#", "'")
	f.Fuzz(func(t *testing.T, text, native, name, group string) {
		source := &files{schemas: []connector.Schema{*fuzzedSchema}}
		before, err := source.parse(text)
		if err != nil {
			return
		}
		rows := slices.Clone(before.rows)
		changed, err := before.apply(&connector.Operation{Kind: connector.Create, NativeIdentity: native,
			Attributes: attribute.SetOf(map[string]attribute.Value{
				"id": attribute.String(native), "name": attribute.String(name), "groups": attribute.List([]string{group}),
			})})
		if err != nil || !changed {
			return
		}
		var written strings.Builder
		if err := before.write(&written); err != nil {
			t.Fatal(err)
		}
		after, err := source.parse(written.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, written.String(), err)
		}
		if len(after.rows) != len(rows)+1 || after.mark != before.mark || after.crlf != before.crlf {
			t.Fatalf("%q became %q", text, written.String())
		}
		for i, row := range rows {
			if !slices.Equal(row, after.rows[i]) {
				t.Fatalf("row %d: %q became %q", i, row, after.rows[i])
			}
		}
		after.objects.read(Row{Values: after.rows[len(rows)]})
		object := after.objects.object
		if object.Fault != "" || object.NativeIdentity != native || object.Name != name ||
			!slices.Equal(object.Attributes.Get("groups").Strings(), []string{group}) {
			t.Fatalf("%q, %q and %q are read as %+q from %q", native, name, group, after.rows[len(rows)], written.String())
		}
	})
}
