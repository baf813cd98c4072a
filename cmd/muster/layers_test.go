package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-engine/muster/engine/enginetest"
)

// settled returns a command whose flags have their values from an environment, a file and a command line.
func settled(t *testing.T, path string, env map[string]string, args ...string) (*app, *cobra.Command, error) {
	t.Helper()
	a := newApp(func(name string) string { return env[name] }, strings.NewReader(""), os.Stdout, os.Stderr)
	cmd, rest, err := a.rootCommand().Find(append(strings.Fields(path), args...))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Fatal(err)
	}
	return a, cmd, a.settle(cmd)
}

// Every flag of every command has a variable and may be in the file, except those of one command line alone.
func TestEveryFlagIsLayered(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	a := newApp(os.Getenv, nil, nil, nil)
	root := a.rootCommand()
	samples := map[string]string{"bool": "true", "duration": "7m0s", "float64": "0.25", "int": "7", "int64": "7",
		"string": "x", "stringArray": "x", "stringSlice": "x"}
	seen := 0
	for cmd := range commandsBelow(root) {
		path := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "muster"), " ")
		names := []string{}
		cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if cmd == root {
			cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		}
		for _, name := range names {
			flag := cmd.Flag(name)
			sample, known := samples[flag.Value.Type()]
			if !known {
				t.Errorf("%s --%s has the type %s, for which this test has no value", path, name, flag.Value.Type())
			}
			if !layered(flag) {
				continue
			}
			seen++
			if flag.Value.String() == sample {
				t.Errorf("%s --%s has the value %s by default", path, name, sample)
			}
			file := filepath.Join(t.TempDir(), "muster.yaml")
			if err := os.WriteFile(file, []byte(name+": "+sample+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, env := range []map[string]string{{variableOf(name): sample}, {configVariable: file}} {
				_, settledCmd, err := settled(t, path, env)
				if err != nil {
					t.Errorf("%s with %v: %v", path, env, err)
					continue
				}
				got := settledCmd.Flag(name)
				if text := strings.Trim(got.Value.String(), "[]"); text != sample || !got.Changed {
					t.Errorf("%s with %v: --%s is %q, want %q", path, env, name, text, sample)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d flags were seen, want all", seen)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "muster.yaml")
	text := "schema: filed\ntime-zone: Europe/Rome\nlimit: 7\nallow-host: [a.example, b.example]\n" +
		"identities:\n  list:\n    limit: 9\n    count: true\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{configVariable: file, "MUSTER_TIME_ZONE": "Europe/Paris", "MUSTER_SCHEMA": ""}
	a, list, err := settled(t, "identities list", env, "--offset", "3")
	if err != nil {
		t.Fatal(err)
	}
	value := func(cmd *cobra.Command, name string) string { return cmd.Flag(name).Value.String() }
	for name, want := range map[string]string{"schema": "filed", "time-zone": "Europe/Paris", "limit": "9",
		"count": "true", "offset": "3", "allow-host": "[a.example,b.example]", "published": "false"} {
		if got := value(list, name); got != want {
			t.Errorf("--%s is %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{"schema": file + ":1: schema", "time-zone": "MUSTER_TIME_ZONE",
		"offset": "--offset", "published": "--published"} {
		if got := a.nameOf(name); got != want {
			t.Errorf("--%s is said to come from %s, want %s", name, got, want)
		}
	}
	_, tasks, err := settled(t, "tasks list", env, "--time-zone", "Asia/Tokyo")
	if err != nil || value(tasks, "limit") != "7" || value(tasks, "time-zone") != "Asia/Tokyo" {
		t.Errorf("got %v, limit %s and time zone %s, want 7 and that of the flag", err, value(tasks, "limit"),
			value(tasks, "time-zone"))
	}
	_, serve, err := settled(t, "serve", map[string]string{"MUSTER_DEV_CLIENT": "a:b:HELPDESK,ORG_ADMIN c:d",
		"MUSTER_CORS_ORIGIN": "https://a.example,https://b.example"})
	clients := serve.Flag("dev-client").Value.(pflag.SliceValue).GetSlice()
	origins := serve.Flag("cors-origin").Value.(pflag.SliceValue).GetSlice()
	if err != nil || !slices.Equal(clients, []string{"a:b:HELPDESK,ORG_ADMIN", "c:d"}) || len(origins) != 2 {
		t.Errorf("got %v, clients %q and origins %q", err, clients, origins)
	}
}

// What is said last counts: an explicit --data is not overruled by a variable that a platform sets.
func TestWhichDatabase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "muster.yaml")
	if err := os.WriteFile(file, []byte("data: /filed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		url  string
		want string // in the error
	}{
		"variable":                  {env: map[string]string{"DATABASE_URL": "u"}, url: "u"},
		"flag beside variable":      {env: map[string]string{"DATABASE_URL": "u"}, args: []string{"--data", "d"}},
		"own beside shared":         {env: map[string]string{"DATABASE_URL": "u", "MUSTER_DATA": "d"}},
		"own variable":              {env: map[string]string{"DATABASE_URL": "u", "MUSTER_DATABASE_URL": "v"}, url: "v"},
		"shared variable over file": {env: map[string]string{"DATABASE_URL": "u", configVariable: file}, url: "u"},
		"flag over all": {env: map[string]string{"MUSTER_DATA": "d"}, args: []string{"--database-url", "w"},
			url: "w"},
		"both flags": {args: []string{"--data", "d", "--database-url", "w"},
			want: "--database-url and --data exclude each other"},
		"both variables": {env: map[string]string{"MUSTER_DATA": "d", "MUSTER_DATABASE_URL": "w"},
			want: "MUSTER_DATABASE_URL and MUSTER_DATA exclude each other"},
	} {
		a, _, err := settled(t, "tasks", c.env, c.args...)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want an error with %q", name, err, c.want)
			}
		} else if err != nil || a.databaseURL != c.url {
			t.Errorf("%s: the database is %q, %v, want %q", name, a.databaseURL, err, c.url)
		}
	}
}

func TestConfigFileFaults(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for text, want := range map[string]string{
		"time-zon: UTC\n":                      `:1: muster has no flag or command "time-zon"; did you mean "time-zone"?`,
		"serve:\n  lisen: x\n":                 `:2: "muster serve" has no flag or command "lisen"; did you mean "listen"?`,
		"xyzzy: 1\n":                           `:1: muster has no flag or command "xyzzy"`,
		"time-zone: UTC\ntime-zone: UTC\n":     `:2: time-zone is there twice`,
		"\nlimit: many\n":                      `:2: limit: `,
		"time-zone: [UTC, Europe/Rome]\n":      `:1: time-zone: one value is expected, and 2 are given`,
		"time-zone: {a: b}\n":                  `:1: time-zone: a value or a list of values is expected`,
		"allow-host: [[a]]\n":                  `:1: allow-host: a list of plain values is expected`,
		"- a\n":                                `:1: names of flags with their values are expected`,
		"time-zone: 'UTC\n":                    "muster.yaml: yaml: ",
		"confirm: true\n":                      `muster has no flag or command "confirm"`,
		"time-zone: Mars/Olympus\n":            `muster.yaml:1: time-zone: "Mars/Olympus" is unknown`,
		"guard: some\n":                        `muster.yaml:1: guard: "some" is given`,
		"database-url: a\nconfig: other.yml\n": `a command "config": a section with its flags is expected`,
	} {
		_, errOut := s.run(exitUsage, "", "tasks", "list", "--config", s.file("muster.yaml", text))
		demand(t, errOut, want)
	}
	s.env[configVariable] = filepath.Join(s.dir, "nothing.yaml")
	_, errOut := s.run(exitUsage, "", "tasks", "list")
	demand(t, errOut, "MUSTER_CONFIG: ", "no such file")
	s.env[configVariable] = s.file("empty.yaml", "# nothing yet\n")
	s.run(exitOK, "", "migrate", "up")
	s.env["MUSTER_LIMIT"] = "many"
	_, errOut = s.run(exitUsage, "", "tasks", "list")
	demand(t, errOut, "MUSTER_LIMIT: ")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	out, _ := s.run(exitOK, "", "version")
	demand(t, out, "muster ", "commit ", "go  ", "schema ")
	flag, _ := s.run(exitOK, "", "--version")
	if flag != out {
		t.Errorf("--version says\n%s\nand version\n%s", flag, out)
	}
	out, _ = s.run(exitOK, "", "version", "-o", "yaml")
	demand(t, out, "schema: ", "platform: ")
	out, _ = s.run(exitOK, "", "roles", "list", "--help")
	demand(t, out, "Exit codes: 0 done", "130 interrupted")
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, enginetest.Documents+salesRoleOf("Sales"), "apply", "-f", "-")
	for line, want := range map[string][]string{
		"aggregate|":                                        {"Directory", "HR"},
		"aggregate|H":                                       {"HR"},
		"accounts|list|--source|d":                          {"Directory"},
		"roles|assign|ann|":                                 {"Sales"},
		"roles|members|":                                    {"Sales"},
		"explain|--attribute|dep":                           {"department"},
		"identities|list|--columns|name,dep":                {"name,department"},
		"identities|list|--filters|last":                    {"lastname", "lastRefresh"},
		`identities|list|--filters|(name eq "x" `:           {},
		`identities|list|--filters|(name eq "x" and firstn`: {`(name eq "x" and firstname`},
		`identities|list|--filters|name eq "and f`:          {},
		"accounts|list|--sorters|name,-nativeI":             {"name,-nativeIdentity"},
		"tasks|list|-o|":                                    {"table", "json", "csv", "yaml"},
	} {
		words := strings.Split(line, "|")
		last := words[len(words)-1]
		args := slices.Concat([]string{"__complete", "--database-url", s.url}, words[:len(words)-1], []string{last})
		var out, errOut strings.Builder
		if code := newApp(s.getenv, strings.NewReader(""), &out, &errOut).run(t.Context(), args); code != exitOK {
			t.Fatalf("%s: exit %d: %s", line, code, errOut.String())
		}
		got := strings.Split(strings.TrimSpace(out.String()), "\n")
		got = got[:len(got)-1] // the last line tells the shell how to go on
		for _, value := range want {
			if !slices.Contains(got, value) {
				t.Errorf("%s offers %q, want %q", line, got, value)
			}
		}
		if len(want) == 0 && len(got) > 0 {
			t.Errorf("%s offers %q, want nothing", line, got)
		}
	}
}
