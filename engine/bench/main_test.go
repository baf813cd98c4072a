package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store/pglocal"
)

// A run on a server that is given prints the table, writes the files, and leaves no database behind.
func TestRunOnAServerThatIsGiven(t *testing.T) {
	local, err := pglocal.Start(t.Context(), pglocal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := local.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	t.Setenv(databaseURLVariable, local.ConnString("postgres"))
	out, growth := filepath.Join(t.TempDir(), "out.json"), filepath.Join(t.TempDir(), "growth.csv")
	var stdout, stderr strings.Builder
	if err := run(t.Context(), []string{"-growth", "100,200", "-rounds", "1", "-cases", "^(full|due)$", "-json", out,
		"-csv", growth, "-profile", filepath.Join(t.TempDir(), "profiles")}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if strings.Count(stdout.String(), "nothing changed") != 2 || !strings.Contains(stdout.String(), "\n200 people, ") {
		t.Error(stdout.String())
	}
	text, err := os.ReadFile(strings.TrimSuffix(out, ".json") + "-200.json")
	if err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal(text, &r); err != nil || r.People != 200 || len(r.Lines) != 3 || r.Lines[2].Ratio == nil {
		t.Errorf("got %v: %s, want err == nil && r.People == 200 && len(r.Lines) == 3 && r.Lines[2].Ratio != nil", err, text)
	}
	if text, err = os.ReadFile(growth); err != nil || !strings.HasPrefix(string(text),
		"people,\"scheduled run, 1 % due [s]\",\"full run, nothing changed [/s]\"\n100,") {
		t.Errorf("got %v: %s, want err == nil && strings.HasPrefix(string(text), \"people,\\\"scheduled run, 1 %% due [s]\\\",\\\"full run, nothing changed [/s]\\\"\\n100,\")", err, text)
	}
	conn, err := pgx.Connect(t.Context(), local.ConnString("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), `SELECT datname FROM pg_database WHERE datname LIKE 'muster\_bench%'`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) > 0 {
		t.Error(names, err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The list of cases names each.
func TestListOfCases(t *testing.T) {
	t.Parallel()
	var stdout, stderr strings.Builder
	if err := run(t.Context(), []string{"-list"}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	if rows := strings.Split(strings.TrimSpace(stdout.String()), "\n"); len(rows) != len(cases) ||
		!slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, "event ") }) {
		t.Error(stdout.String())
	}
}
