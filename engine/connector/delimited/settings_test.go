package delimited_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
)

// Comments, rows behind the header that are to be skipped, and empty rows are left out; the rest keeps its lines.
func TestLeaveOut(t *testing.T) {
	t.Parallel()
	settings, err := delimited.ParseSettings(json.RawMessage(
		`{"commentCharacter": "#", "numLinesToSkip": "1.0", "filterEmptyRecords": "true"}`))
	if err != nil {
		t.Fatal(err)
	}
	text := "# people\nid,on\nunits,,too many\n1,yes\n#2,no\n,\n3,0\n\"#4\",TRUE\n"
	schema := connector.Schema{Name: "account", IdentityAttribute: "id", Attributes: []connector.SchemaAttribute{
		{Name: "id"}, {Name: "on", Type: "BOOLEAN"}}}
	objects, err := delimited.NewObjects(strings.NewReader(text), settings, &schema)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		object, err := objects.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || object.Fault != "" {
			t.Fatal(err, object.Fault)
		}
		got = append(got, object.NativeIdentity+" "+object.Attributes.Get("on").Text())
	}
	if want := []string{"1 true", "3 false", "#4 true"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLeaveOutFaults(t *testing.T) {
	t.Parallel()
	for attributes, want := range map[string]string{
		`{"commentCharacter": "##"}`:                  "one character is expected",
		`{"commentCharacter": ";", "delimiter": ";"}`: "not the delimiter",
		`{"numLinesToSkip": -1}`:                      "a whole number from 0 on is expected",
		`{"numLinesToSkip": 1.5}`:                     "a whole number from 0 on is expected",
	} {
		if _, err := delimited.ParseSettings(json.RawMessage(attributes)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", attributes, err, want)
		}
	}
}

// A file whose rows are partly left out is not written, because these would get lost.
func TestLeaveOutNotWritten(t *testing.T) {
	t.Parallel()
	for settings, text := range map[string]string{
		`"commentCharacter": "#"`: "id,mail\n1,a\n# one more\n",
		`"numLinesToSkip": 1`:     "id,mail\n1,a\n2,b\n",
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, "accounts.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		quoted, err := json.Marshal(folder)
		if err != nil {
			t.Fatal(err)
		}
		c, err := delimited.New(context.Background(), connector.Config{Source: "S",
			Attributes: json.RawMessage(`{"folder": ` + string(quoted) + `, ` + settings + `}`),
			Schemas:    []connector.Schema{{Name: "account", IdentityAttribute: "id", Attributes: []connector.SchemaAttribute{{Name: "id"}, {Name: "mail"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		var attributes attribute.Set
		attributes.Put("mail", attribute.String("c"))
		_, err = c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: connector.SetAttributes, NativeIdentity: "1", Attributes: attributes})
		after, readErr := os.ReadFile(path)
		if err == nil || !connector.IsPermanent(err) || !strings.Contains(err.Error(), "would get lost") || readErr != nil || string(after) != text {
			t.Errorf("%s: got %v, %q", settings, err, after)
		}
	}
}
