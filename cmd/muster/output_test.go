package main

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/muster-engine/muster/engine/enginetest"
)

func TestOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain \\ text":             "plain \\ text",
		"two\nlines\tand\ra bell\a": `two\nlines\tand\ra bell\x07`,
		"\x1b[31mred":               `\x1b[31mred`,
		"c1 \u009b":                 `c1 \x9b`,
		"right \u202eto left\u2069": `right \u202eto left\u2069`,
		"marks \u200e\u200f\u061c":  `marks \u200e\u200f\u061c`,
		"tag \U000e0041":            `tag \U000e0041`,
		"line \u2028 end":           `line \u2028 end`,
		"ברוך עמי, نام\u200cها 👩\u200d🚀": "ברוך עמי, نام\u200cها 👩\u200d🚀",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
		if oneLine(oneLine(text)) != want {
			t.Errorf("%q is escaped twice", text)
		}
	}
}

func salesRoleOf(department string) string { return strings.ReplaceAll(salesRole, "%s", department) }

// Every command that lists has the same forms.
func TestEveryListHasEveryForm(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, enginetest.Documents+salesRoleOf("Sales"), "apply", "-f", "-")
	s.run(exitOK, "id,name,dept,mgr\nann,Ann \u202eeve,Board,\nbob,Bob,Sales,ann\n", "aggregate", "HR", "--file", "-")
	for _, line := range []string{
		"accounts list", "config list", "config log", "config references SOURCE HR", "engines", "entitlements list",
		"history", "history bob", "identities access bob", "identities get bob", "identities list",
		"identities owned", "identities ownership bob", "identities ownership bob --all", "identities roles bob",
		"migrate status", "movements", "operations", "operations errors", "operations list", "roles assignments", "roles list bob",
		"roles members Sales",
		"schedule", "search bob", "settings", "source list", "statistics", "statistics changes", "statistics population --days 7", "tasks",
		"tasks list",
	} {
		args := strings.Fields(line)
		table, _ := s.run(exitOK, "", append(args, "-o", "table")...)
		if strings.Contains(table, "\u202e") {
			t.Errorf("%s shows a mark that turns the direction:\n%s", line, table)
		}
		text, _ := s.run(exitOK, "", append(args, "-o", "json")...)
		var fromJSON, fromYAML any
		if err := json.Unmarshal([]byte(text), &fromJSON); err != nil {
			t.Errorf("%s -o json: %v in %s", line, err, text)
		}
		text, _ = s.run(exitOK, "", append(args, "-o", "yaml")...)
		if err := yaml.Unmarshal([]byte(text), &fromYAML); err != nil || (fromYAML == nil) != (fromJSON == nil) {
			t.Errorf("%s -o yaml: %v in %s", line, err, text)
		}
		text, _ = s.run(exitOK, "", append(args, "-o", "csv")...)
		if rows, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil || len(rows) == 0 {
			t.Errorf("%s -o csv: %v in %s", line, err, text)
		}
		_, errOut := s.run(exitUsage, "", append(args, "-o", "xml")...)
		demand(t, errOut, "table, json, csv or yaml is expected")
	}
	out, _ := s.run(exitOK, "", "identities", "list", "--columns", "name")
	demand(t, out, `Ann \u202eeve`)
	out, _ = s.run(exitOK, "", "identities", "list", "--columns", "name", "-o", "csv")
	demand(t, out, "Ann \u202eeve")
}
