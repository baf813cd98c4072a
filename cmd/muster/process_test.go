package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/enginetest"
)

const salesRole = `
roles:
  - name: Sales
    enabled: true
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: %s}
`

// staffed is a shell on a database with Ann, and a role with its members: Bob, Cy, Dee and as many more as are asked for.
func staffed(t *testing.T, people int) *shell {
	t.Helper()
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, "", "apply", "-f", s.file("staff.yaml", enginetest.Documents+fmt.Sprintf(salesRole, "Sales")))
	var rows strings.Builder
	rows.WriteString("id,name,dept,mgr\nann,Ann,Board,\n")
	for i := range people {
		person := fmt.Sprintf("person%d,Person %[1]d", i)
		if named := []string{"bob,Bob", "cy,Cy", "dee,Dee"}; i < len(named) {
			person = named[i]
		}
		rows.WriteString(person + ",Sales,ann\n")
	}
	out, _ := s.run(exitOK, "", "aggregate", "HR", "--file", s.file("hr.csv", rows.String()))
	demand(t, out, "roles gained")
	return s
}

func TestProcessCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 3)
	out, _ := s.run(exitOK, "", "process", "--all", "--wait")
	demand(t, out, "WARNING, 100 %: Completed", "4 calculated, 0 changed, 0 errors, 4 warnings",
		"the identity is incomplete: it has no email, firstname, lastname")
	out, _ = s.run(exitOK, "", "process", "ann", "bob", "-o", "json")
	var task struct{ ID, Progress string }
	if err := json.Unmarshal([]byte(out), &task); err != nil || task.Progress != "Waiting" {
		t.Fatalf("%v in %s", err, out)
	}
	out, _ = s.run(exitOK, "", "tasks", "--pending")
	demand(t, out, task.ID, "WAITING", "Process 2 identities")
	out, _ = s.run(exitOK, "", "process")
	demand(t, out, "processed 2 identities: 0 changed")
	out, _ = s.run(exitOK, "", "tasks", "show", task.ID)
	demand(t, out, "2 calculated")
	out, _ = s.run(exitOK, "", "tasks", "wait", task.ID, "-o", "json")
	demand(t, out, `"completionStatus": "WARNING"`, `"identityCount": 2`)
	out, _ = s.run(exitOK, "", "process", "--profile", "employees", "--wait")
	demand(t, out, "4 calculated")
	out, _ = s.run(exitOK, "", "process", "--filters", `department eq "Sales"`, "--wait")
	demand(t, out, "Process 3 identities by a filter", "3 calculated")
	out, _ = s.run(exitOK, "", "sync", "--filters", `department eq "Sales"`)
	demand(t, out, "Synchronize the attributes of 3 identities by a filter", "processed 3 identities")
	out, _ = s.run(exitOK, "", "identities", "invite", "--filters", `department eq "Sales"`)
	demand(t, out, "Invite 3 identities")
	out, _ = s.run(exitOK, "", "operations", "retry", "--source", "HR")
	demand(t, out, "Try failed operations of 0 identities again")
	_, errOut := s.run(exitUsage, "", "process", "--filters", "department eqq")
	demand(t, errOut, "^")
	_, errOut = s.run(exitFailed, "", "tasks", "cancel", task.ID)
	demand(t, errOut, "ended already")
	_, errOut = s.run(exitFailed, "", "schedule", "run", "--time-zone", "Asia/Tokyo")
	demand(t, errOut, "--time-zone says timeZone Asia/Tokyo, but the tenant's is UTC")
	out, _ = s.run(exitOK, "", "schedule", "run")
	demand(t, out, "begun: ", "UTC")
	out, _ = s.run(exitOK, "settings: {timeZone: Asia/Tokyo}", "apply", "-f", "-")
	demand(t, out, "created", "SETTINGS")
	out, _ = s.run(exitOK, "", "schedule", "run", "--time-zone", "Asia/Tokyo")
	demand(t, out, "nothing is due") // the last slot of Tokyo was before the change
	out, _ = s.run(exitOK, "", "schedule")
	demand(t, out, "TIME (Asia/Tokyo)", "to come", "08:00 JST", "20:00 JST")
}

func TestPreviewExplainHistory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 3)
	proposal := s.file("proposal.yaml", fmt.Sprintf(salesRole, "Board"))
	out, _ := s.run(exitOK, "", "preview", "-f", proposal)
	demand(t, out, "Ann (ann)                   role                  + Sales", "4 of 4 identities would change",
		`updated role "Sales"`, "Sales: 1 gain it, 3 lose it", "nothing was written")
	out, _ = s.run(exitOK, "", "preview", "-f", proposal, "--limit", "1")
	demand(t, out, "and 3 identities more")
	out, _ = s.run(exitOK, "", "preview", "-f", proposal, "ann", "--trace")
	demand(t, out, "+ Sales", `yes  department EQUALS "Board"   is "Board"`)
	for _, args := range [][]string{{"-f", proposal, "--filters", `department eq "Board"`}, {"-f", proposal, "ann"}, {}} {
		out, _ = s.run(exitOK, "", append([]string{"preview", "-o", "json"}, args...)...)
		var result struct {
			Changes []struct{ Alias string }
			Totals  struct{ Changed int }
		}
		if err := json.Unmarshal([]byte(out), &result); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if want := min(1, len(args)); result.Totals.Changed != want || len(result.Changes) != want {
			t.Errorf("%q shows %s", args, out)
		}
	}
	out, _ = s.run(exitOK, "", "explain", "bob")
	demand(t, out, "profile     Employees, by the account \"bob\" of HR", "manager     Ann: the account's mgr is \"ann\"",
		`department = "Sales"`, "accountAttribute: \"Sales\"", "has      Sales: its membership assigned it; its criterion holds",
		`yes  department EQUALS "Sales"   is "Sales"`, "incomplete  it has no email")
	out, _ = s.run(exitOK, "", "explain", "ann", "--role", "Sales")
	demand(t, out, "has not  Sales: its criterion does not hold", `no   department EQUALS "Sales"   is "Board"`)
	out, _ = s.run(exitOK, "", "explain", "ann", "--attribute", "uid", "-o", "json")
	demand(t, out, `"value": "ann"`)
	out, _ = s.run(exitOK, "", "history", "bob")
	demand(t, out, "IDENTITY_CREATED", `department: null → "Sales"`, `+ Sales: its criterion holds: department EQUALS "Sales"`, "identityState: none → ACTIVE")
	out, _ = s.run(exitOK, "", "history", "bob", "--limit", "1", "-o", "json")
	demand(t, out, `"types": [`, `"IDENTITY_`)
}

func TestGuardFromTheCommandLine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 60)
	_, errOut := s.run(exitFailed, "", "apply", "-f", s.file("mistake.yaml", fmt.Sprintf(salesRole, "Sails")))
	demand(t, errOut, "is held", "muster tasks confirm")
	id := strings.Fields(errOut[strings.Index(errOut, "muster tasks confirm"):])[3]
	out, _ := s.run(exitOK, "", "preview", "--task", id)
	demand(t, out, "Sales: 60 lose it", "GUARD")
	_, errOut = s.run(exitFailed, "", "tasks", "show", id)
	demand(t, errOut, "more than 20 of 60 identities would lose a role")
	out, _ = s.run(exitOK, "", "tasks", "confirm", id)
	demand(t, out, "0 gained, 60 lost")
	_, errOut = s.run(exitFailed, "", "apply", "--guard", "off", "-f", s.file("right.yaml", fmt.Sprintf(salesRole, "Sales")))
	demand(t, errOut, "--guard says guard.off true, but the tenant's is false", "muster settings")
	s.run(exitOK, "settings: {guard: {off: true}}", "apply", "-f", "-")
	s.run(exitOK, "", "apply", "-f", s.file("right.yaml", fmt.Sprintf(salesRole, "Sales")))
	s.run(exitOK, "", "apply", "--guard", "off", "-f", s.file("again.yaml", fmt.Sprintf(salesRole, "Sails")))
	_, errOut = s.run(exitFailed, "", "process", "--guard", "5%")
	demand(t, errOut, "--guard says guard.share 0.05, but the tenant's is 0.1; --guard says guard.off false, but the tenant's is true")
}

// A worker carries out what other commands launch, and ends at an interrupt.
func TestWorkerCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 3)
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	ended := make(chan int)
	go func() {
		var out strings.Builder
		ended <- run(ctx, []string{"worker", "--database-url", s.url}, strings.NewReader(""), &out, &out)
	}()
	out, _ := s.run(exitOK, "", "process", "--all", "-o", "json")
	var task struct{ ID string }
	if err := json.Unmarshal([]byte(out), &task); err != nil {
		t.Fatal(err)
	}
	out, _ = s.run(exitOK, "", "tasks", "wait", task.ID)
	demand(t, out, "Completed", "4 calculated")
	interrupt()
	if code := <-ended; code != exitOK {
		t.Errorf("the worker exits with %d", code)
	}
}

func TestBadProcessUsage(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"process", "ann", "--all"}, "exclude each other"},
		{[]string{"process", "--wait"}, "go with"},
		{[]string{"process", "--all", "-o", "xml"}, "table or json is expected"},
		{[]string{"tasks", "show"}, "takes one ID"},
		{[]string{"tasks", "list", "--offset", "-1"}, "0 or more is allowed"},
		{[]string{"tasks", "list", "--limit", "251"}, "0 to 250"},
		{[]string{"schedule", "--limit", "-1"}, "--limit"},
		{[]string{"schedule", "--time-zone", "Mars/Olympus"}, "Mars/Olympus"},
		{[]string{"process", "--guard", "0%"}, "--guard"},
		{[]string{"process", "--guard", "ten"}, "--guard"},
		{[]string{"preview", "--task", "1", "--filters", "x"}, "--task excludes"},
		{[]string{"preview", "ann", "--filters", "x"}, "exclude each other"},
		{[]string{"preview", "--filters", "name ="}, "name ="},
		{[]string{"explain"}, "takes one ID or ALIAS"},
		{[]string{"explain", "ann", "--role", "a", "--attribute", "b"}, "exclude each other"},
		{[]string{"history", "ann", "--limit", "0"}, "1 to 1000"},
	} {
		_, errOut := s.run(exitUsage, "", test.args...)
		demand(t, errOut, test.want)
	}
	for _, args := range [][]string{{"tasks", "show", "1"}, {"explain", "nobody"}, {"process", "nobody"}, {"process", "--profile", "none"}} {
		_, errOut := s.run(exitFailed, "", args...)
		demand(t, errOut, "there is no")
	}
}
