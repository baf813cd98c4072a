package storetest_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the import graph into docs/architecture.md")

// The document that shows the import graph, and what stands around it there.
const (
	graphDocument = "../../docs/architecture.md"
	graphBegin    = "<!-- The graph is written by: go test ./store/storetest -run TestImportGraph -update -->\n"
	graphEnd      = "<!-- end of the graph -->"
)

// The import graph in the document is that of the code. It leaves out tests' packages, and an import that another one
// brings along.
func TestImportGraph(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(graphDocument)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), graphBegin)
	shown, after, closed := strings.Cut(rest, graphEnd)
	if !found || !closed {
		t.Fatalf("%s has no place for the import graph", graphDocument)
	}
	want := importGraph(packages(t))
	if shown == want {
		return
	}
	if !*update {
		t.Fatalf("%s shows another import graph than the code has: run this test with -update. got\n%s\nwant\n%s",
			graphDocument, shown, want)
	}
	if err := os.WriteFile(graphDocument, []byte(before+graphBegin+want+graphEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// importGraph draws the imports between the packages of the module, as Mermaid.
func importGraph(list []goPackage) string {
	ours := map[string]goPackage{}
	for _, p := range list {
		if !within(p.ImportPath, module+"/store/storetest", module+"/store/pglocal", module+"/engine/enginetest",
			module+"/engine/crashtest", module+"/engine/disktest", module+"/engine/modeltest",
			module+"/engine/connector/connectortest", module+"/engine/connector/ldap/ldaptest",
			module+"/engine/notify/smtptest", module+"/engine/httpapi/internal/wire",
			module+"/engine/transform/transformcases", module+"/cmd/muster/company") {
			ours[p.ImportPath] = p
		}
	}
	var edges []string
	for _, p := range ours {
		for _, imported := range p.Imports {
			if _, known := ours[imported]; !known || broughtAlong(ours, p, imported) {
				continue
			}
			edges = append(edges, fmt.Sprintf("    %s --> %s\n", node(p.ImportPath), node(imported)))
		}
	}
	slices.Sort(edges)
	return "```mermaid\ngraph TD\n" + strings.Join(edges, "") + "```\n"
}

// broughtAlong reports whether another import of a package imports a package too, directly or not.
func broughtAlong(ours map[string]goPackage, p goPackage, imported string) bool {
	return slices.ContainsFunc(p.Imports, func(other string) bool {
		through, known := ours[other]
		return known && other != imported && slices.Contains(through.Deps, imported)
	})
}

// node is a package as the graph names it: its ID there, and its path.
func node(path string) string {
	short := strings.TrimPrefix(path, module+"/")
	return strings.NewReplacer("/", "_").Replace(short) + "[" + short + "]"
}
