package storetest

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/peterldowns/pgtestdb"
)

func TestConfigOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pgtestdb.Config{
		"postgres://u:p@db:5433/main?sslmode=disable": {
			DriverName: "pgx", User: "u", Password: "p", Host: "db", Port: "5433", Database: "main", Options: "sslmode=disable",
		},
		"postgresql://u@db": {DriverName: "pgx", User: "u", Host: "db", Port: "5432", Database: "postgres"},
		"postgres://u:a%2Fb%40c%3F@db/main": {
			DriverName: "pgx", User: "u", Password: "a%2Fb%40c%3F", Host: "db", Port: "5432", Database: "main",
		},
		"postgres://u@/main?host=%2Frun%2Fpg&port=5434": {
			DriverName: "pgx", User: "u", Database: "main", Options: "host=%2Frun%2Fpg&port=5434",
		},
	} {
		got, err := configOf(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("got %s: %s, want diff == \"\"", text, diff)
		}
		given, err := pgx.ParseConfig(text)
		if err != nil {
			t.Fatal(err)
		}
		made, err := pgx.ParseConfig(got.URL())
		if err != nil {
			t.Errorf("%s gives a URL that does not parse: %v", text, err)
			continue
		}
		if given.Host != made.Host || given.Port != made.Port || given.User != made.User || given.Password != made.Password {
			t.Errorf("%s leads to another server or user than its configuration", text)
		}
	}
}

func TestConfigOfFails(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "host=db password=secret", "mysql://u:secret@db/main", "postgres://u:secret@db:port/x"} {
		_, err := configOf(text)
		if err == nil {
			t.Errorf("%q is taken", text)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error for %q holds the password: %v", text, err)
		}
	}
}

func TestServerIsChosenClearly(t *testing.T) {
	t.Setenv(databaseURLVariable, "")
	t.Setenv(containersVariable, "yes")
	if _, err := startServer(t.Context()); err == nil || !strings.Contains(err.Error(), `is "yes" where 1 or 0 is allowed`) {
		t.Errorf("%s=yes: %v", containersVariable, err)
	}
	t.Setenv(databaseURLVariable, "db.example.com")
	if _, err := startServer(t.Context()); err == nil || !strings.Contains(err.Error(), databaseURLVariable) {
		t.Errorf("%s without a URL: %v", databaseURLVariable, err)
	}
}

func TestContainersNeedAnImport(t *testing.T) {
	t.Setenv(databaseURLVariable, "")
	t.Setenv(containersVariable, "1")
	registered := startInContainer
	t.Cleanup(func() { startInContainer = registered })
	startInContainer = nil
	want := `import _ "github.com/muster-engine/muster/store/storetest/container"`
	if _, err := startServer(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %s", err, want)
	}
}

// A host may bring containers of its own kind; what it starts is stopped where its URL is of no use.
func TestContainersAreStartedAsRegistered(t *testing.T) {
	t.Setenv(databaseURLVariable, "")
	t.Setenv(containersVariable, "1")
	registered := startInContainer
	t.Cleanup(func() { startInContainer = registered })
	stopped := 0
	url := "postgres://u:p@db/main"
	RegisterContainer(func(context.Context) (string, func(context.Context) error, error) {
		return url, func(context.Context) error { stopped++; return nil }, nil
	})
	s, err := startServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.config.Host, "db"; got != want || stopped != 0 {
		t.Errorf("the server is at %q and was stopped %d times, want %q and 0", got, stopped, want)
	}
	url = "no URL"
	if _, err := startServer(t.Context()); err == nil || stopped != 1 {
		t.Errorf("got %v and %d stops, want an error and 1", err, stopped)
	}
}
