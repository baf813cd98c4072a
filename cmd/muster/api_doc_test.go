package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/httpapi"
)

// shellBlock finds the blocks of a page that are for a shell.
var shellBlock = regexp.MustCompile("(?s)\n```sh\n(.*?)\n```\n")

// The calls of docs/api.md work as they stand there, on the sample company, and there is one for each operation of the
// document.
func TestDocumentedCalls(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl: ", err)
	}
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, "", "demo", "--people", "60")
	s.run(exitOK, "sources: [{name: Contractors, connector: delimited-file, schemas: [{name: account, identityAttribute: "+
		"id, attributes: [{name: id}]}]}]", "apply", "-f", "-")
	w := s.serve("--dev-client", "demo:secret:ORG_ADMIN", "--rate-limit", "off", "--log-json")
	script := "set -euo pipefail\ncd " + t.TempDir() + "\n"
	for _, block := range shellBlock.FindAllStringSubmatch(string(page), -1) {
		if !strings.Contains(block[1], "muster serve") { // that is running
			script += block[1] + "\n"
		}
	}
	script = strings.ReplaceAll(script, "http://127.0.0.1:8080", w.url)
	// Each answer says its status, so that a call that fails is seen.
	bin := t.TempDir()
	wrapper := "#!/bin/sh\nexec " + curl + ` -w '%{stderr}STATUS %{http_code} %{method} %{url_effective}\n' "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(bin, "curl"), []byte(wrapper), 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "bash", "-c", script)
	command.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	var out, said strings.Builder
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		t.Errorf("%v\n%s\n%s", err, &said, &out)
	}
	calls := 0
	for line := range strings.Lines(said.String()) {
		if strings.HasPrefix(line, "STATUS ") {
			calls++
			if !strings.HasPrefix(line, "STATUS 2") && !strings.HasPrefix(line, "STATUS 501") {
				t.Errorf("%s", line)
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d calls were made:\n%s\n%s", calls, &said, &out)
	}
	if t.Failed() {
		t.Logf("the answers:\n%s", &out)
	}
	demandEachOperation(t, w)
}

// demandEachOperation fails for an operation of the document that the server has not carried out.
func demandEachOperation(t *testing.T, w *served) {
	t.Helper()
	_, log := w.stop()
	called := map[string]bool{}
	for line := range strings.Lines(log) {
		var said struct {
			Operation string `json:"operation"`
		}
		if json.Unmarshal([]byte(line), &said) == nil {
			called[said.Operation] = true
		}
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(httpapi.Document(), &document); err != nil {
		t.Fatal(err)
	}
	for path, item := range document.Paths {
		for method, text := range item {
			var o struct {
				OperationID string   `json:"operationId"`
				Versions    []string `json:"x-versions"`
			}
			if json.Unmarshal(text, &o) == nil && len(o.Versions) > 0 && !called[o.OperationID] {
				t.Errorf("docs/api.md has no call of %s (%s %s)", o.OperationID, strings.ToUpper(method), path)
			}
		}
	}
}
