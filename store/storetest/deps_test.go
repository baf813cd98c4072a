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
	programs := []string{module + "/cmd", module + "/docs/examples", module + "/store/pglocal", module + "/store/storetest",
		module + "/engine/connector/connectortest", module + "/engine/connector/ldap/ldaptest",
		module + "/engine/notify/smtptest", module + "/engine/enginetest", module + "/engine/httpapi/internal/wire"}
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

// externalMax is how many packages from outside this module, the standard library's among them, a host gets with engine.
const externalMax = 332

// A host pays for what it links in.
func TestEngineIsSmall(t *testing.T) {
	t.Parallel()
	list := packages(t)
	i := slices.IndexFunc(list, func(p goPackage) bool { return p.ImportPath == module+"/engine" })
	if i < 0 {
		t.Fatal("there is no package engine")
	}
	external := slices.DeleteFunc(slices.Clone(list[i].Deps), func(path string) bool { return within(path, module) })
	if len(external) > externalMax {
		t.Errorf("engine pulls in %d packages from outside this module, want at most %d", len(external), externalMax)
	}
}

// Only the packages that are about them reach Prometheus and OpenTelemetry, so that a host is free to use others.
func TestOnlyMetricsReachesPrometheus(t *testing.T) {
	t.Parallel()
	seen := false
	for _, p := range packages(t) {
		about := p.ImportPath == module+"/engine/metrics"
		if within(p.ImportPath, module+"/cmd", module+"/store/storetest", module+"/engine/enginetest") {
			continue // programs, and what tests use
		}
		for _, dependency := range p.Deps {
			prometheus := within(dependency, "github.com/prometheus")
			seen = seen || about && prometheus
			if prometheus && !about || within(dependency, "go.opentelemetry.io") {
				t.Errorf("%s reaches %s", p.ImportPath, dependency)
			}
		}
	}
	if !seen {
		t.Error("engine/metrics does not reach Prometheus: this test looks at the wrong package")
	}
}

// Only who signs people in at an OpenID provider gets the client for it.
func TestOnlyOIDCLoginReachesOpenID(t *testing.T) {
	t.Parallel()
	seen := false
	for _, p := range packages(t) {
		about := within(p.ImportPath, module+"/engine/console/oidclogin", module+"/cmd/muster")
		for _, dependency := range p.Deps {
			client := within(dependency, "github.com/coreos/go-oidc", "github.com/go-jose/go-jose", "golang.org/x/oauth2")
			seen = seen || about && client
			if client && !about {
				t.Errorf("%s reaches %s", p.ImportPath, dependency)
			}
		}
	}
	if !seen {
		t.Error("engine/console/oidclogin reaches no client: this test looks at the wrong package")
	}
}

// layers are the packages of the module, the lowest first. A package may import those of lower layers alone: the rooms
// of one layer do not know each other.
var layers = [][]string{
	{"cmd/muster/company", "engine/attribute", "engine/connector/ldap/ldaptest", "engine/connector/secret",
		"engine/console/internal/plot", "engine/internal/page/assets", "engine/internal/password",
		"engine/crashtest", "engine/disktest",
		"engine/httpapi/internal/wire", "engine/modeltest", "engine/right", "engine/transform/javadate", "engine/transform/javaregex",
		"engine/transform/lettercase", "filterql/folding", "filterql/jsontext", "filterql/suggest", "migrations", "store/id", "store/pglocal"},
	{"engine/connector", "engine/internal/page", "engine/transform/objectfilter", "engine/transform/velocity", "filterql",
		"store/pglocal/internal/locate"},
	{"filterql/searchql"},
	{"engine/connector/connectortest", "engine/connector/delimited", "engine/connector/ldap",
		"engine/connector/postgres", "engine/criteria", "engine/transform", "store", "store/storetest"},
	{"engine/fault", "engine/refresh", "engine/notify/smtptest", "engine/transform/transformcases",
		"store/storetest/container"},
	{"engine/configuration"},
	{"engine/internal/event", "engine/internal/tenant"},
	{"engine/internal/task"},
	{"engine/internal/processing"},
	{"engine/internal/aggregation", "engine/internal/change", "engine/internal/doctor", "engine/internal/provisioning",
		"engine/internal/registration"},
	{"engine"},
	{"engine/console", "engine/enginetest", "engine/httpapi", "engine/metrics", "engine/notify", "engine/registration"},
	{"engine/console/oidclogin", "engine/httpapi/devtoken"},
	{"cmd/muster", "docs/examples/connector", "docs/examples/embed", "docs/examples/filter", "docs/examples/outbox",
		"docs/examples/testing"},
}

// Imports point one way, and every package has its place.
func TestLayers(t *testing.T) {
	t.Parallel()
	layerOf := map[string]int{}
	for layer, paths := range layers {
		for _, path := range paths {
			layerOf[module+"/"+path] = layer
		}
	}
	seen := map[string]bool{}
	for _, p := range packages(t) {
		seen[p.ImportPath] = true
		layer, known := layerOf[p.ImportPath]
		if !known {
			t.Errorf("%s has no layer: give it one", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if below, ours := layerOf[imported]; ours && below >= layer {
				t.Errorf("%s, of layer %d, imports %s, of layer %d: it may import lower ones", p.ImportPath, layer,
					imported, below)
			}
		}
	}
	for path := range layerOf {
		if !seen[path] {
			t.Errorf("%s has a layer and is not there", path)
		}
	}
}
