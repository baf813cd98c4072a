package storetest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/muster-engine/muster"

// goPackage is what "go list -json" says of a package.
type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// packages returns the packages of the module that make up the program and its libraries, without their tests.
func packages(t *testing.T) []goPackage {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"/...")
	var faults strings.Builder
	command.Stderr = &faults
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, &faults)
	}
	var list []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// within reports whether a package is one of the roots or below one.
func within(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}

// What a host links in must not bring the command line, tests or servers along.
func TestLibraryReachesNoProgramCode(t *testing.T) {
	t.Parallel()
	programs := []string{module + "/cmd", module + "/store/pglocal", module + "/store/storetest",
		module + "/engine/connector/connectortest", module + "/engine/httpapi/internal/wire"}
	forbidden := []string{
		"github.com/getkin/kin-openapi", "github.com/peterldowns/pgtestdb", "github.com/schollz/progressbar",
		"github.com/spf13/cobra", "github.com/testcontainers", "go.uber.org/goleak", "golang.org/x/term",
		"net/http/httptest", "pgregory.net/rapid", "testing",
	}
	seen := 0
	for _, p := range packages(t) {
		if within(p.ImportPath, programs...) {
			continue
		}
		seen++
		own := slices.Concat(forbidden, programs)
		if !within(p.ImportPath, module+"/engine/httpapi") {
			own = append(own, module+"/engine/httpapi")
		}
		for _, dependency := range p.Deps {
			if within(dependency, own...) {
				t.Errorf("%s reaches %s", p.ImportPath, dependency)
			}
		}
	}
	if seen < 3 {
		t.Errorf("only %d library packages were seen", seen)
	}
}

// The calculation is pure: what it needs of the world is handed in.
func TestPurePackagesImportNoInputOrOutput(t *testing.T) {
	t.Parallel()
	pure := []string{
		module + "/engine/attribute", module + "/engine/criteria", module + "/engine/refresh",
		module + "/engine/transform", module + "/filterql",
	}
	forbidden := []string{
		"bufio", "crypto/rand", "database/sql", "github.com/jackc", "github.com/riverqueue", "io/fs", "log", "net", "os",
		"syscall", module + "/migrations", module + "/store",
	}
	// The addresses and the texts of the network without its sockets.
	harmless := []string{"net/netip", "net/textproto", "net/url"}
	for _, p := range packages(t) {
		if !within(p.ImportPath, pure...) || p.ImportPath == module+"/engine/transform/transformcases" {
			continue // the cases are for tests, and are read from a reader
		}
		for _, imported := range p.Imports {
			if within(imported, forbidden...) && !within(imported, harmless...) && !slices.Contains(leaves, imported) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// The filter language is of use on its own.
func TestFilterLanguageImportsOnlySquirrel(t *testing.T) {
	t.Parallel()
	list := packages(t)
	i := slices.IndexFunc(list, func(p goPackage) bool { return p.ImportPath == module+"/filterql" })
	if i < 0 {
		t.Fatal("there is no package filterql")
	}
	for _, imported := range list[i].Imports {
		host, _, _ := strings.Cut(imported, "/")
		if strings.Contains(host, ".") && imported != "github.com/Masterminds/squirrel" &&
			!slices.Contains(leaves, imported) {
			t.Errorf("filterql imports %s", imported)
		}
	}
}

// leaves are what any layer may use: to compare texts, to say what was meant, to name a row.
var leaves = []string{
	module + "/filterql/folding", module + "/filterql/jsontext", module + "/filterql/suggest", module + "/store/id",
}

// Imports point one way.
func TestLayers(t *testing.T) {
	t.Parallel()
	const attribute, criteria, transform = module + "/engine/attribute", module + "/engine/criteria", module + "/engine/transform"
	const connector = module + "/engine/connector"
	allowed := map[string][]string{
		module + "/filterql":       {},
		module + "/migrations":     {},
		module + "/store":          {module + "/filterql", module + "/migrations"},
		attribute:                  {},
		criteria:                   {attribute, module + "/filterql"},
		transform:                  {attribute},
		connector:                  {attribute},
		module + "/engine/refresh": {attribute, connector, criteria, transform},
	}
	for _, p := range packages(t) {
		layer, ok := allowed[p.ImportPath]
		if !ok {
			continue
		}
		for _, imported := range p.Imports {
			if within(imported, module) && !slices.Contains(leaves, imported) && !within(imported, layer...) && !within(imported, p.ImportPath) {
				t.Errorf("%s imports %s, it may import %v", p.ImportPath, imported, layer)
			}
		}
	}
}
