package main

import (
	"os/user"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/enginetest"
)

// The user of the operating system is who changed the configuration and launched the task.
func TestConfigCommand(t *testing.T) {
	t.Parallel()
	current, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	by := current.Username + " (cli)"
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, enginetest.Documents, "apply", "-f", "-", "--comment", "the company")
	people := s.file("hr.csv", enginetest.People)
	s.run(exitOK, "", "aggregate", "HR", "--file", people, "--no-process")
	out, _ := s.run(exitOK, "", "config", "log")
	demand(t, out, "VERSION", by, "7 created", "the company")
	version := regexp.MustCompile(`(?m)^(\d+) `).FindStringSubmatch(out)[1]
	out, _ = s.run(exitOK, "", "config", "show", version)
	demand(t, out, "version "+version, "by "+by, "\n  the company\n", `created SOURCE "HR"`, "+ connector: delimited-file")

	s.run(exitOK, strings.Replace(enginetest.Documents, "attributeName: dept", "attributeName: mgr", 1), "apply", "-f", "-",
		"--no-process")
	out, _ = s.run(exitOK, "", "config", "log", "--limit", "1")
	demand(t, out, "1 updated")
	version = regexp.MustCompile(`(?m)^(\d+) `).FindStringSubmatch(out)[1]
	out, _ = s.run(exitOK, "", "config", "show", version)
	demand(t, out, `updated IDENTITY_PROFILE "Employees"`, "\n  -           attributeName: dept\n",
		"\n  +           attributeName: mgr\n", "\n  …\n")
	out, _ = s.run(exitOK, "", "config", "show", version, "-o", "json")
	demand(t, out, `"action": "updated"`, `"via": "cli"`)
	out, _ = s.run(exitOK, "", "config", "log", "-o", "json", "--before", version)
	demand(t, out, `"comment": "the company"`)
	_, errOut := s.run(exitUsage, "", "config", "show", "x")
	demand(t, errOut, "a number is expected")
	_, errOut = s.run(exitFailed, "", "config", "show", "99999")
	demand(t, errOut, "no revision")

	out, _ = s.run(exitOK, "", "tasks", "list")
	id := regexp.MustCompile(`(?m)^([0-9a-f]{32}) `).FindStringSubmatch(out)[1]
	out, _ = s.run(exitOK, "", "tasks", "cancel", id)
	demand(t, out, "launched by "+by, "cancelled", "by "+by+" at")
	out, _ = s.run(exitOK, "", "tasks", "show", id, "-o", "json")
	demand(t, out, `"cancelledBy": {`, `"launcher": "`+current.Username+`"`, `"via": "cli"`)
}

func TestDiffLines(t *testing.T) {
	t.Parallel()
	lines := func(text string) []string { return strings.Fields(text) }
	for name, c := range map[string]struct{ before, after, want string }{
		"the same":       {"a b c", "a b c", ""},
		"new":            {"", "a b", "+ a|+ b"},
		"gone":           {"a b", "", "- a|- b"},
		"in the middle":  {"1 2 3 4 5 6 7 8 9", "1 2 3 4 x 6 7 8 9", "…|  2|  3|  4|- 5|+ x|  6|  7|  8|…"},
		"far apart":      {"a 1 2 3 4 5 6 7 b", "x 1 2 3 4 5 6 7 y", "- a|+ x|  1|  2|  3|…|  5|  6|  7|- b|+ y"},
		"kept by two":    {"a b c d", "b x d", "- a|  b|- c|+ x|  d"},
		"one more twice": {"a a", "a a a", "  a|  a|+ a"},
	} {
		if got := strings.Join(diffLines(lines(c.before), lines(c.after)), "|"); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	// Too many lines to compare: all are shown.
	long := make([]string, 3000)
	for i := range long {
		long[i] = strings.Repeat("x", i%7)
	}
	if got := diffLines(append([]string{"a"}, long...), append(long, "b")); len(got) != 6002 {
		t.Errorf("%d lines are shown, want all 6002", len(got))
	}
}

// What a document holds comes out as YAML that means the same: text that looks like something else stays a text.
func TestYAMLLines(t *testing.T) {
	t.Parallel()
	got, err := yamlLines([]byte(`{"b": [1, 12345678901234567890, 1.50, null, true, "true", "1", "", "a\u0007b\u001b"],
		"a": {"x: y": "- z", "empty": {}, "none": []}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`a:`, `  empty: {}`, `  none: []`, `  'x: y': '- z'`, `b:`, `  - 1`, `  - 12345678901234567890`,
		`  - 1.50`, `  - null`, `  - true`, `  - "true"`, `  - "1"`, `  - ""`, `  - "a\ab\e"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("the lines (-want +got):", diff)
	}
	if got, err := yamlLines(nil); err != nil || len(got) != 0 {
		t.Errorf("nothing has the lines %v, %v", got, err)
	}
}

// The configuration is listed, shown and exported; what is exported applies, and a difference is shown.
func TestConfigObjects(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	_, errOut := s.run(exitOK, "", "config", "export")
	demand(t, errOut, "there is no object")
	s.run(exitOK, enginetest.Documents, "apply", "-f", "-", "--no-process")
	out, _ := s.run(exitOK, "", "config", "list", "source", "identity-profile")
	demand(t, out, "SOURCE", "HR", "Directory", "IDENTITY_PROFILE", "Employees")
	if strings.Contains(out, "LIFECYCLE_STATE") {
		t.Error(out)
	}
	out, _ = s.run(exitOK, "", "config", "get", "source", "HR")
	demand(t, out, "sources:\n", "name: HR")
	_, errOut = s.run(exitFailed, "", "config", "get", "source", "HRR")
	demand(t, errOut, "there is no object of the type SOURCE")
	for _, output := range []string{"yaml", "json"} {
		out, _ = s.run(exitOK, "", "config", "export", "-o", output)
		again, _ := s.run(exitOK, out, "apply", "-f", "-", "--no-process")
		demand(t, again, "SOURCE")
		out, _ = s.run(exitOK, out, "diff", "-f", "-")
		demand(t, out, "nothing differs")
	}
	changed := strings.Replace(enginetest.Documents, "attributeName: dept", "attributeName: mgr", 1)
	out, _ = s.run(exitOK, changed, "diff", "-f", "-")
	demand(t, out, `updated IDENTITY_PROFILE "Employees"`, "attributeName: mgr")
	_, errOut = s.run(exitUsage, "sources: [{name: HR, conector: x}]", "apply", "-f", "-")
	demand(t, errOut, `did you mean "connector"?`)
	_, errOut = s.run(exitUsage, "roles: [{name: R, dimensional: true}]", "apply", "-f", "-")
	demand(t, errOut, "--accept-losses")
	_, errOut = s.run(exitOK, "roles: [{name: R, dimensional: true}]", "apply", "-f", "-", "--accept-losses", "--no-process")
	demand(t, errOut, "lost: ", "dimensional")
}

// References, deletions with their previews, pruning and reverts, from the command line.
func TestConfigChangeCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, enginetest.Documents, "apply", "-f", "-", "--no-process")
	s.run(exitOK, enginetest.Roles, "apply", "-f", "-", "--no-process")
	people := s.file("hr.csv", enginetest.People)
	s.run(exitOK, "", "aggregate", "HR", "--file", people)

	out, _ := s.run(exitOK, "", "config", "references", "access-profile", "sales files")
	demand(t, out, "TYPE", "ROLE", "Sales", "accessProfiles[0]")
	out, _ = s.run(exitOK, "", "config", "references", "role", "Sales")
	demand(t, out, "nothing names it")
	out, _ = s.run(exitOK, "", "config", "references", "source", "Directory", "-o", "json")
	demand(t, out, `"path": "source"`)
	_, errOut := s.run(exitFailed, "", "config", "delete", "access-profile", "Sales files")
	demand(t, errOut, `the access profile "Sales files" is used by role "Sales" (accessProfiles[0])`)

	out, _ = s.run(exitOK, "", "config", "delete", "role", "Sales", "--preview")
	demand(t, out, `removed role "Sales"`, "removal", "with it: 3 identities, 3 assignments", "Sales: 3 lose it")
	out, _ = s.run(exitOK, "", "config", "delete", "role", "Sales", "--preview", "-o", "json")
	demand(t, out, `"removals":[{"type":"ROLE"`)
	out, errOut = s.run(exitOK, "", "config", "delete", "role", "Sales", "--comment", "sold")
	demand(t, out, "removed", "ROLE", "Sales")
	demand(t, errOut, "removed: ROLE Sales with it: 3 identities, 3 assignments")
	out, _ = s.run(exitOK, "", "config", "log", "--limit", "1")
	demand(t, out, "1 removed", "sold")
	version := regexp.MustCompile(`(?m)^(\d+) `).FindStringSubmatch(out)[1]
	out, _ = s.run(exitOK, "", "config", "show", version)
	demand(t, out, `removed ROLE "Sales"`, "- membership:")

	_, errOut = s.run(exitFailed, "", "config", "revert", version, "--at-version", "1")
	demand(t, errOut, "look at it again")
	out, _ = s.run(exitOK, "", "config", "revert", version, "--preview")
	demand(t, out, `created role "Sales"`, "Sales: 3 gain it")
	out, _ = s.run(exitOK, "", "config", "revert", version, "--comment", "not sold")
	demand(t, out, "created", "ROLE", "Sales")
	_, errOut = s.run(exitFailed, "", "config", "revert", version)
	demand(t, errOut, `role "Sales" is there again`)
	_, errOut = s.run(exitUsage, "", "config", "revert", "x")
	demand(t, errOut, "a number is expected")

	const short = "roles: [{name: Sales, enabled: true, accessProfiles: [{name: Sales files}]}]"
	_, errOut = s.run(exitFailed, short, "apply", "-f", "-")
	demand(t, errOut, `role "Sales": membership`, "--replace")
	_, errOut = s.run(exitOK, short, "diff", "-f", "-", "--prune")
	demand(t, errOut, `refused, or removed with --replace: role "Sales": membership`)
	out, _ = s.run(exitOK, short, "preview", "-f", "-", "--prune", "--only", "role")
	demand(t, out, `removed role "Auditor"`, "LACKING")
	_, errOut = s.run(exitUsage, short, "apply", "-f", "-", "--only", "role")
	demand(t, errOut, "it needs --prune")
	out, errOut = s.run(exitOK, short, "apply", "-f", "-", "--replace", "--prune", "--only", "role,transform")
	demand(t, out, "updated", "removed", "Auditor")
	demand(t, errOut, "membership removed", "removed: ROLE Auditor")
	_, errOut = s.run(exitFailed, "", "config", "delete", "source", "HR", "--preview")
	demand(t, errOut, `the source "HR" is used by identity profile "Employees" (authoritativeSource)`)
}
