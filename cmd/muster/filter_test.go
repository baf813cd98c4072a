package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
)

// runFilter runs "muster filter" in-process.
func runFilter(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), append([]string{"filter"}, args...), strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

func TestFilterParse(t *testing.T) {
	tests := []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"canonical form", []string{"parse", `(not (a eq b)) or c in ('d', 1)`}, exitOK,
			"not a eq \"b\" or c in (\"d\",1)\n", ""},
		{"mistake", []string{"parse", `name rt "Test"`}, exitUsage, "",
			"position 6: unknown operator \"rt\"\n  name rt \"Test\"\n       ^^\n" +
				"hint: operators are eq, ne, gt, ge, lt, le, co, sw, in, ca, isnull\n"},
		{"no expression", []string{"parse"}, exitUsage, "",
			"muster: muster filter parse takes one EXPRESSION, 0 arguments are given\n"},
		{"expression and file", []string{"parse", "--file", "-", "a eq 1"}, exitUsage, "",
			"muster: muster filter parse takes no argument beside --file, 1 arguments are given\n"},
		{"sorters", []string{"sorters", "sorters=name, -id"}, exitOK, "name,-id\n", ""},
		{"mistake in sorters", []string{"sorters", "name,"}, exitUsage, "",
			"position 6: a sorter is missing\n  name,\n       ^\n" +
				"hint: write field names with one comma between them\n"},
		{"unknown command", []string{"pares"}, exitUsage, "",
			"muster: unknown command \"pares\" for \"muster filter\": see muster filter --help\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := runFilter(t, "", test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if diff := cmp.Diff(test.stdout, stdout); diff != "" {
				t.Errorf("stdout: %s", diff)
			}
			if diff := cmp.Diff(test.stderr, stderr); diff != "" {
				t.Errorf("stderr: %s", diff)
			}
		})
	}
}

// The file has a line for each line, whatever is in it, and its last one needs no end.
func TestFilterParseFile(t *testing.T) {
	longest := `a eq "` + strings.Repeat("x", filterql.TextMax-len(`a eq ""`)) + `"`
	lines := []struct{ text, want string }{
		{`a eq b`, "OK\ta eq \"b\""},
		{``, "ERR\tposition 1: the filter is empty; "},
		{`a EQ b`, "ERR\tposition 3: unknown operator \"EQ\"; "},
		{longest, "OK\t" + longest},
		{longest + " ", "ERR\tposition 16385: the filter has 16385 bytes, 16384 are allowed"},
		{strings.Repeat("ü", 1<<20), "ERR\tthe filter has 2097152 bytes, 16384 are allowed"},
		{"pr a\r", "OK\tpr a"},
		{`a eq "b`, "ERR\tposition 6: the string has no closing quote; "},
		{`a isnull`, "OK\ta isnull"},
	}
	var texts []string
	for _, line := range lines {
		texts = append(texts, line.text)
	}
	input := strings.Join(texts, "\n")
	file := filepath.Join(t.TempDir(), "filters.txt")
	if err := os.WriteFile(file, []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{"file": file, "standard input": "-"} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runFilter(t, input, "parse", "--file", source)
			if code != exitOK || stderr != "" {
				t.Errorf("exit code %d, %s", code, stderr)
			}
			got := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
			if len(got) != len(lines) {
				t.Fatalf("%d lines for %d", len(got), len(lines))
			}
			for i, line := range lines {
				if !strings.HasPrefix(got[i], line.want) {
					t.Errorf("line %d: got %.80s, want %.80s", i+1, got[i], line.want)
				}
			}
		})
	}
	code, _, stderr := runFilter(t, "", "parse", "--file", file+".missing")
	if code != exitUsage || !strings.Contains(stderr, "missing") {
		t.Errorf("a file that is not there: exit code %d, %s", code, stderr)
	}
}

func TestFilterExplain(t *testing.T) {
	code, stdout, stderr := runFilter(t, "", "explain", `firstname sw "Jo" and (not correlated eq true or id eq "nobody")`)
	want := `Tree
  and
    firstname sw "Jo"   (string, case ignored)
    or
      not
        correlated eq true   (boolean)
      id eq "nobody"   (id)
SQL
  i.firstname_key >= $1 AND i.firstname_key < $2 AND (i.correlated <> TRUE OR FALSE)
Arguments
  $1  string "jo"
  $2  string "jp"
`
	if code != exitOK || stderr != "" {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if diff := cmp.Diff(want, stdout); diff != "" {
		t.Error(diff)
	}

	code, _, stderr = runFilter(t, "", "explain", `created gt 2018`)
	if code != exitUsage || !strings.HasPrefix(stderr, `position 1: unknown field "created"`) {
		t.Errorf("a field that is not published: exit code %d, %s", code, stderr)
	}
	code, stdout, _ = runFilter(t, "", "explain", "--any-field", `created gt 2018`)
	if code != exitOK || !strings.Contains(stdout, "i.created >= $1\nArguments\n  $1  time.Time 2019-01-01T00:00:00Z\n") {
		t.Errorf("any field: exit code %d, %s", code, stdout)
	}
}

// What docs/filters.md shows of the command is what it prints.
func TestFilterDocumentation(t *testing.T) {
	data, err := os.ReadFile("../../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	const prompt = "$ muster filter "
	shown := 0
	for _, block := range strings.Split(string(data), "```\n") {
		if !strings.HasPrefix(block, prompt) {
			continue
		}
		for _, session := range strings.Split("\n"+block, "\n"+prompt)[1:] {
			command, want, _ := strings.Cut(session, "\n")
			name, expression, _ := strings.Cut(command, " ")
			_, stdout, stderr := runFilter(t, "", name, strings.Trim(expression, "'"))
			if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(stdout+stderr)); diff != "" {
				t.Errorf("got %s: %s, want diff == \"\"", command, diff)
			}
			shown++
		}
	}
	if shown < 5 {
		t.Errorf("%d commands are shown, of 5 or more", shown)
	}
}
