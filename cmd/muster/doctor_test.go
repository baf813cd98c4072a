package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
)

// exec runs a statement on the shell's database.
func (s *shell) exec(statement string) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(s.t.Context())
	if _, err := conn.Exec(s.t.Context(), statement); err != nil {
		s.t.Fatal(err)
	}
}

// wellCode is the code with which an examination that finds no failure ends on the server of the tests: one that is not
// durable has a warning.
func (s *shell) wellCode() int {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(s.t.Context())
	var durable bool
	const question = `SELECT current_setting('fsync')::bool AND current_setting('full_page_writes')::bool
		AND current_setting('synchronous_commit') <> 'off'`
	if err := conn.QueryRow(s.t.Context(), question).Scan(&durable); err != nil {
		s.t.Fatal(err)
	}
	if durable {
		return exitOK
	}
	return exitWarning
}

func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	out, _ := s.run(exitFailed, "", "doctor")
	demand(t, out, "schema-version  failure  1", "muster migrate up", "1 checks: 0 ok, 0 warnings, 1 failures")
	s = staffed(t, 3)
	out, _ = s.run(s.wellCode(), "", "doctor", "--thorough", "--all")
	demand(t, out, "unique:accounts", " 0 failures")
	s.exec("UPDATE muster.identities SET correlated = false WHERE alias = 'bob'")
	out, _ = s.run(exitFailed, "", "doctor")
	demand(t, out, "correlated", "failure  1", "process the identities (--repair does)", "1 failures")
	if strings.Contains(out, "unique:accounts") {
		t.Errorf("what is well is shown:\n%s", out)
	}
	out, _ = s.run(exitFailed, "", "doctor", "-o", "json")
	var d engine.Diagnosis
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.Severity != engine.SeverityFailure || d.Repairs == nil {
		t.Errorf("got %v %+v, want err == nil && d.Severity == engine.SeverityFailure && d.Repairs != nil", err, d)
	}
	out, _ = s.run(s.wellCode(), "", "doctor", "--repair")
	demand(t, out, "mended: correlated: requested the processing of identities (1)", " 0 failures")
	s.exec("UPDATE muster.tasks SET held = now() - interval '3 days', held_reason = 'x' WHERE completed IS NULL")
	out, _ = s.run(exitWarning, "", "doctor")
	demand(t, out, "task-held", "warning  1")
	_, errOut := s.run(exitUsage, "", "doctor", "--timeout", "0s")
	demand(t, errOut, "--timeout: 0s is given")
	s.run(exitUsage, "", "doctor", "-o", "xml")
}
