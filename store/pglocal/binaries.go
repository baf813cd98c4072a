package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNotFound says that the machine does not have PostgreSQL's server programs. The error that wraps it lists the
// searched places and says how to install them.
var ErrNotFound = errors.New("PostgreSQL's server programs were not found")

// MajorMin is the oldest supported major version of PostgreSQL. [Find] ignores older ones.
const MajorMin = 15

// Binaries are the server programs of one installed PostgreSQL.
type Binaries struct {
	// Dir is their folder.
	Dir string
	// Initdb and Postgres are the paths of the programs.
	Initdb, Postgres string
	// Major is the major version, such as 17. Data folders of different major versions do not fit each other.
	Major int
}

// installFolders are patterns of the folders in which systems install the server programs: Debian and Ubuntu,
// PostgreSQL's own RPMs, a build from source, Homebrew on both kinds of Mac, Alpine, Gentoo, Arch and Fedora, MacPorts,
// Postgres.app, FreeBSD.
var installFolders = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/usr/libexec/postgresql*",
	"/usr/lib/postgresql*/bin",
	"/usr/lib64/postgresql*/bin",
	"/usr/bin",
	"/opt/local/lib/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/bin",
}

// Find returns the server programs in binDir. If binDir is empty, it returns those of the first place that has them:
// PATH with symbolic links resolved, then the usual install folders, newest version first. The error wraps
// [ErrNotFound].
func Find(binDir string) (Binaries, error) {
	found, err := findAll(binDir)
	if err != nil {
		return Binaries{}, err
	}
	return found[0], nil
}

// findAll returns all installed PostgreSQLs, at least one, the preferred one first.
func findAll(binDir string) ([]Binaries, error) {
	folders := candidates(binDir)
	var found []Binaries
	var faults []error
	for _, folder := range folders {
		binaries, err := open(folder)
		switch {
		case err == nil:
			found = append(found, binaries)
		case !errors.Is(err, os.ErrNotExist):
			faults = append(faults, err)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if binDir != "" {
		return nil, errors.Join(append([]error{
			fmt.Errorf("%w: there is no postgres with initdb beside it in %s", ErrNotFound, binDir)}, faults...)...)
	}
	return nil, errors.Join(append([]error{fmt.Errorf("%w in PATH or in %s; install them: %s",
		ErrNotFound, strings.Join(installFolders, ", "), installCommand())}, faults...)...)
}

// candidates returns the folders to search, each once.
func candidates(binDir string) []string {
	if binDir != "" {
		return []string{binDir}
	}
	var folders []string
	add := func(folder string) {
		if !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		// The programs find their libraries and each other relative to their real path.
		if program, err := filepath.EvalSymlinks(filepath.Join(folder, "postgres")); err == nil {
			add(filepath.Dir(program))
		}
	}
	for _, pattern := range installFolders {
		// The patterns are constants, so none is malformed.
		matches, _ := filepath.Glob(pattern)
		slices.SortStableFunc(matches, func(a, b string) int { return slices.Compare(numbers(b), numbers(a)) })
		for _, folder := range matches {
			add(folder)
		}
	}
	return folders
}

var digits = regexp.MustCompile(`[0-9]+`)

// numbers returns the numbers in a path. By them "16" sorts after "9.6".
func numbers(path string) []int {
	var list []int
	for _, text := range digits.FindAllString(path, -1) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return list // longer than any version
		}
		list = append(list, n)
	}
	return list
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// open checks the server programs in a folder and reads their version.
func open(folder string) (Binaries, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return Binaries{}, err
	}
	b := Binaries{
		Dir: folder, Initdb: filepath.Join(folder, "initdb"), Postgres: filepath.Join(folder, "postgres"),
	}
	for _, program := range []string{b.Initdb, b.Postgres} {
		if _, err := os.Stat(program); err != nil {
			return Binaries{}, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, b.Postgres, "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("%s --version: %w", b.Postgres, err)
	}
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return Binaries{}, fmt.Errorf("%s --version says %q, which names no version",
			b.Postgres, strings.TrimSpace(string(out)))
	}
	if b.Major, err = strconv.Atoi(string(match[1])); err != nil {
		return Binaries{}, fmt.Errorf("%s --version says %q: %w", b.Postgres, match[0], err)
	}
	if b.Major < MajorMin {
		return Binaries{}, fmt.Errorf("%s is of PostgreSQL %d, at least %d is needed", b.Postgres, b.Major, MajorMin)
	}
	return b, nil
}
