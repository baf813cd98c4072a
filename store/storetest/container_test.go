package storetest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"testing"

	_ "github.com/muster-engine/muster/store/storetest/container"
)

const (
	storetestPackage = module + "/store/storetest"
	containerPackage = storetestPackage + "/container"
)

// goList runs "go list" and calls each with the packages that it prints as JSON.
func goList[T any](t *testing.T, each func(*T), arguments ...string) {
	t.Helper()
	command := exec.Command("go", append([]string{"list"}, arguments...)...)
	var faults bytes.Buffer
	command.Stderr = &faults
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, &faults)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p T
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		each(&p)
	}
}

// A host that tests on a server of its own gets no client of containers.
func TestNoContainersWithoutTheirImport(t *testing.T) {
	t.Parallel()
	reaches := map[string]bool{}
	goList(t, func(p *struct {
		ImportPath string
		Deps       []string
	}) {
		reaches[p.ImportPath] = slices.ContainsFunc(p.Deps, func(path string) bool {
			return within(path, "github.com/testcontainers", "github.com/docker", "github.com/moby")
		})
	}, "-json=ImportPath,Deps", storetestPackage, containerPackage)
	if reaches[storetestPackage] {
		t.Errorf("%s reaches a client of containers", storetestPackage)
	}
	if !reaches[containerPackage] {
		t.Errorf("%s reaches no client of containers: this test looks for the wrong packages", containerPackage)
	}
}

// Every package of ours with a database runs in containers too.
func TestEveryTestRunsInContainers(t *testing.T) {
	t.Parallel()
	const folders = module + "/store/pglocal" // uses the folders of storetest, and no database
	seen := 0
	goList(t, func(p *struct {
		ImportPath                string
		TestImports, XTestImports []string
	}) {
		imports := slices.Concat(p.TestImports, p.XTestImports)
		if !slices.Contains(imports, storetestPackage) || p.ImportPath == folders {
			return
		}
		seen++
		if !slices.Contains(imports, containerPackage) {
			t.Errorf("the tests of %s import %s without %s", p.ImportPath, storetestPackage, containerPackage)
		}
	}, "-json=ImportPath,TestImports,XTestImports", module+"/...")
	if seen < 3 {
		t.Errorf("only %d packages with a database were seen", seen)
	}
}
