package enginetest_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// The table of people in the package's documentation.
func TestCompany(t *testing.T) {
	t.Parallel()
	c := enginetest.New(t)
	want := []string{
		"ann Ann Boss Board - -",
		"bob Bob Twain Sales Ünal, Ayşe leave",
		"cy Cy Self Legal - unknown",
		"dee Dee Strauß Sales Ünal, Ayşe inactive",
		"ayse Ünal, Ayşe Sales Ann Boss active",
	}
	page, err := c.ListIdentities(t.Context(), engine.ListParams{Sorters: "name"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n := range page.Identities {
		i := &page.Identities[n]
		manager, state := "-", "-"
		if i.ManagerRef != nil {
			manager = i.ManagerRef.Name
		}
		if text := i.Attributes.Get("cloudLifecycleState").Text(); text != "" {
			state = text
		}
		got = append(got, strings.Join([]string{i.Alias, i.Name, i.Attributes.Get("department").Text(), manager, state}, " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the people (-want +got): %s", diff)
	}
	if got, want := c.CountRows("muster.accounts WHERE identity_id = $1", c.ID("ann")), 1; got != want {
		t.Errorf("Ann has %d accounts, want %d", got, want)
	}
}

// The accounts of the Directory find their people by number or by mail address, and a role grants what it says.
func TestDirectoryAndRoles(t *testing.T) {
	t.Parallel()
	c := enginetest.NewEmpty(t, enginetest.WithConfig(engine.Config{BatchSize: 2}))
	c.ApplyText(enginetest.DocumentsWith("home", "personalEmail"))
	c.ApplyText(enginetest.Roles)
	c.AggregateText("HR", "mail,home,dept,id\nann@example.com,ann@home.example,Sales,ann\n", engine.AggregateOptions{})
	c.Process()
	result := c.AggregateText("Directory", enginetest.DirectoryHeader+"boss,,ann,,true\nann2,ANN@example.com,,,\n",
		engine.AggregateOptions{})
	if got, want := result.Correlated, 2; got != want {
		t.Errorf("%d accounts are correlated, want %d", got, want)
	}
	c.Process()
	if got, want := c.Identity("ann").Attributes.Get("personalEmail").Text(), "ann@home.example"; got != want {
		t.Errorf("the personal mail address is %q, want %q", got, want)
	}
	if got, want := c.CountRows("muster.role_assignments"), 1; got != want {
		t.Errorf("there are %d role assignments, want %d", got, want)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	clock := enginetest.NewClock(noon)
	c := enginetest.New(t, enginetest.WithClock(clock), enginetest.WithPool(storetest.Pool(t)))
	if got := *c.Identity("ann").LastRefresh; !got.Equal(noon) {
		t.Errorf("Ann was processed at %v, want %v", got, noon)
	}
	clock.Advance(time.Hour)
	if got, want := clock.Now(), noon.Add(time.Hour); !got.Equal(want) {
		t.Errorf("the clock shows %v, want %v", got, want)
	}
}

// property is what tests of properties have in place of a testing.TB.
type property struct{ ctx context.Context }

func (p property) Context() context.Context             { return p.ctx }
func (property) Fatalf(format string, arguments ...any) { panic(fmt.Sprintf(format, arguments...)) }
func (property) Helper()                                {}

// What fails says what was done, and to what.
func TestFailures(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	p := property{t.Context()}
	c := enginetest.NewEmpty(p, enginetest.WithPool(storetest.Pool(t)))
	c.ApplyText(enginetest.Documents)
	for want, do := range map[string]func(){
		"needs WithPool":             func() { enginetest.NewEmpty(p) },
		"read the documents: ":       func() { c.ApplyText("{") },
		"apply: ":                    func() { c.ApplyText("roles: [{name: Empty, enabled: maybe}]") },
		"aggregate Payroll: ":        func() { c.AggregateText("Payroll", "id\n", engine.AggregateOptions{}) },
		"find nobody: ":              func() { c.ID("nobody") },
		"count the rows of nowhere:": func() { c.CountRows("nowhere") },
		"list {":                     func() { c.Names(engine.ListParams{Filters: "("}) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("got the failure %q, want one with %q", got, want)
				}
			}()
			do()
		}()
	}
}

// A mapping is one of the documents' own.
func TestMapping(t *testing.T) {
	t.Parallel()
	if got := enginetest.Mapping("department", "HR", "dept"); !strings.Contains(enginetest.Documents, "- "+got+"\n") {
		t.Errorf("got %s, want a line of the documents", got)
	}
}

// A host's tests get neither containers nor a web server with this package.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "github.com/muster-engine/muster/engine/enginetest").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if slices.Contains([]string{"net/http", "net/http/httptest"}, path) ||
			strings.HasPrefix(path, "github.com/testcontainers/") {
			t.Errorf("enginetest reaches %s", path)
		}
	}
}
