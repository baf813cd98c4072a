package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

// commandVariable turns the test binary into the command, so that tests can start and kill it as a process.
const commandVariable = "MUSTER_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandVariable) != "" {
		main()
		return
	}
	storetest.Main(m)
}

// shell runs command lines on one database.
type shell struct {
	t   *testing.T
	url string
	dir string
	env map[string]string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	dir := t.TempDir()
	return &shell{t: t, url: storetest.EmptyConnString(t), dir: dir, env: map[string]string{
		"MUSTER_DATA": filepath.Join(dir, "data")}}
}

func (s *shell) getenv(name string) string { return s.env[name] }

// run runs a command and demands its exit code. It returns what it printed.
func (s *shell) run(code int, stdin string, args ...string) (stdout, stderr string) {
	s.t.Helper()
	var out, errOut bytes.Buffer
	args = append(args, "--database-url", s.url)
	a := newApp(s.getenv, strings.NewReader(stdin), &out, &errOut)
	if got := a.run(s.t.Context(), args); got != code {
		s.t.Fatalf("muster %s: exit %d, want %d\n%s%s", strings.Join(args[:len(args)-2], " "), got, code, out.String(), errOut.String())
	}
	return out.String(), errOut.String()
}

func (s *shell) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func demand(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

// demandNone reports parts that a text must not have.
func demandNone(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%q is in:\n%s", part, text)
		}
	}
}

func TestFirstRun(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	_, errOut := s.run(exitFailed, "", "identities", "list")
	demand(t, errOut, "schema too old", "`muster migrate up`")
	out, _ := s.run(exitOK, "", "migrate", "status")
	demand(t, strings.Join(strings.Fields(out), " "), "00001_configuration pending", "run `muster migrate up`")
	out, _ = s.run(exitOK, "", "migrate", "up")
	latest := migrations.Latest()
	demand(t, out, "00004_jobs", fmt.Sprintf("schema muster is at version %d of %d", latest, latest))
	out, _ = s.run(exitOK, enginetest.Documents, "apply", "-f", "-")
	demand(t, out, "created  SOURCE", "created  IDENTITY_PROFILE    Employees")

	accounts := s.file("hr.csv", "id,name,dept,mgr\nann,Ann,Board,\nbob,\"Bob, Jr\",Sales,ann\ncy,Cy\ndee,=cmd(),Sales,bob\n")
	out, errOut = s.run(exitOK, "", "aggregate", "HR", "--file", accounts)
	demand(t, out, "HR: 3 rows and 1 faulty; accounts: 3 added", "3 identities created", "processed 3 identities: 3 changed, 0 errors")
	demand(t, errOut, "line 4: it has 2 values where there are 4 columns")

	out, errOut = s.run(exitOK, "", "identities", "list", "--filters", `department eq "sales"`, "--sorters", "-name", "--count", "--limit", "1")
	demand(t, out, "NAME", "Bob, Jr", "Ann")
	demand(t, errOut, "total: 2", "next page: --after ")
	next := strings.TrimSpace(errOut[strings.Index(errOut, "--after ")+len("--after "):])
	out, _ = s.run(exitOK, "", "identities", "list", "--filters", `department eq "sales"`, "--sorters", "-name", "--after", next, "--columns", "name")
	if demand(t, out, "=cmd()"); strings.Contains(out, "Bob, Jr") {
		t.Errorf("the cursor goes back:\n%s", out)
	}

	out, _ = s.run(exitOK, "", "identities", "list", "-o", "csv", "--pooler", "--sorters", "name", "--columns", "name,attributes.department,managerRef.name")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 4 || strings.Join(rows[3], "|") != "Bob, Jr|Sales|Ann" {
		t.Errorf("got %v %v, want err == nil && len(rows) == 4 && strings.Join(rows[3], \"|\") == \"Bob, Jr|Sales|Ann\"", rows, err)
	}
	out, _ = s.run(exitOK, "", "identities", "list", "-o", "json", "--filters", `id eq "nobody"`)
	if strings.TrimSpace(out) != "[]" {
		t.Errorf("no results are %s", out)
	}
	out, _ = s.run(exitOK, "", "identities", "get", "bob")
	var identity struct {
		Name       string `json:"name"`
		ManagerRef struct{ Name string }
	}
	if err := json.Unmarshal([]byte(out), &identity); err != nil || identity.Name != "Bob, Jr" || identity.ManagerRef.Name != "Ann" {
		t.Errorf("got %+v and the error %v, want Name Bob, Jr and ManagerRef.Name Ann", identity, err)
	}
	_, errOut = s.run(exitFailed, "", "identities", "get", "nobody")
	demand(t, errOut, "there is no identity with this ID or alias")
}

func TestAggregateCommand(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, enginetest.Documents, "apply", "-f", "-")
	s.run(exitOK, "id;name;dept;mgr\nann;Ann;x;\nbob;Bob;x;\ncy;Cy;x;\n", "aggregate", "HR", "--file", "-", "--delimiter", ";")
	_, errOut := s.run(exitFailed, "id,name,dept,mgr\nann,Ann,x,\n", "aggregate", "HR", "--file", "-")
	demand(t, errOut, "2 of 3 accounts (66.7 %) are not in the data any more, and no more than 10% may be removed: nothing was changed")
	out, _ := s.run(exitOK, "id,name,dept,mgr\ndee,Dee,x,\n", "aggregate", "HR", "--file", "-", "--delta", "-o", "json")
	var report struct {
		Aggregation struct{ Added, Removed int }
		Processing  struct{ Identities int }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Aggregation.Added != 1 || report.Processing.Identities != 1 {
		t.Errorf("got %s %v, want err == nil && report.Aggregation.Added == 1 && report.Processing.Identities == 1", out, err)
	}
	out, _ = s.run(exitOK, "id,name,dept,mgr\nann,Ann,x,\n", "aggregate", "HR", "--file", "-", "--max-deletions", "3", "--no-process")
	demand(t, out, "3 removed")
	out, _ = s.run(exitOK, "", "process")
	demand(t, out, "processed 3 identities")
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, enginetest.Documents, "apply", "-f", "-")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"nothing"}, `unknown command "nothing"`},
		{[]string{"identities", "remember"}, `unknown command "remember"`},
		{[]string{"identities", "list", "--flag"}, "unknown flag: --flag"},
		{[]string{"identities", "list", "--limit", "x"}, "invalid argument"},
		{[]string{"identities", "list", "--limit", "251"}, "0 to 250"},
		{[]string{"identities", "list", "-o", "xml"}, "table, json, csv or yaml"},
		{[]string{"identities", "list", "--filters", `name rt "x"`}, "  name rt \"x\"\n       ^^"},
		{[]string{"identities", "list", "--published", "--filters", `department eq "x"`}, `"department"`},
		{[]string{"identities", "list", "--default-filter", "ALL"}, "CORRELATED_ONLY or NONE"},
		{[]string{"identities", "get"}, "takes one ID or ALIAS"},
		{[]string{"aggregate", "HR"}, "--file"},
		{[]string{"aggregate", "HR", "--file", "/nowhere/x.csv"}, "no such file"},
		{[]string{"aggregate", "HR", "--file", "-", "--max-deletions", "lots"}, "is no limit of deletions"},
		{[]string{"aggregate", "HR", "--file", "-", "-o", "xml"}, "text or json"},
		{[]string{"apply"}, "nothing to apply"},
		{[]string{"apply", "-f", "-"}, "standard input: there is no object in it"},
		{[]string{"migrate", "to", "99"}, "versions go from 0 to"},
		{[]string{"migrate", "up", "--pooler"}, "a pool in session mode, without --pooler"},
		{[]string{"demo", "--people", "0"}, "--people: 0 is given"},
		{[]string{"migrate", "version", "--schema", "A-B"}, "lower-case letters"},
	} {
		_, errOut := s.run(exitUsage, "", test.args...)
		demand(t, errOut, test.want)
	}
	_, errOut := s.run(exitFailed, "id\nann\n", "aggregate", "Payroll", "--file", "-")
	demand(t, errOut, `the sources are "Directory", "HR"`)
}

// The password of a database that cannot be reached is not printed.
func TestConnectKeepsThePassword(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	args := []string{"migrate", "version", "--database-url", "postgres://me:hunter2@127.0.0.1:1/x?connect_timeout=2"}
	if code := run(t.Context(), args, strings.NewReader(""), &out, &errOut); code != exitFailed {
		t.Errorf("exit %d", code)
	}
	if strings.Contains(errOut.String(), "hunter2") || !strings.Contains(errOut.String(), "connect to the database") {
		t.Error(errOut.String())
	}
}

func TestGrantCommand(t *testing.T) {
	t.Parallel()
	role := storetest.NewRole(t)
	s := newShell(t)
	out, _ := s.run(exitOK, "", "migrate", "up", "--grant-to", role.Name)
	demand(t, out, "schema muster is at version")
	_, errOut := s.run(exitFailed, "", "migrate", "up", "--grant-to", "nobody at all")
	demand(t, errOut, `there is no role "nobody at all"`)
	url, err := role.URL(s.url)
	if err != nil {
		t.Fatal(err)
	}
	granted := &shell{t: t, url: url, dir: s.dir}
	granted.run(exitOK, enginetest.Documents, "apply", "-f", "-")
	_, errOut = granted.run(exitFailed, "", "migrate", "to", "1", "--yes")
	demand(t, errOut, "must be owner of")
}
