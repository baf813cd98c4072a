package transform_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/engine/transform/transformcases"
)

// contract opens a file of the contract. The folder is not part of the project; where it is absent the test is skipped.
func contract(t *testing.T, name string) *os.File {
	t.Helper()
	folder := os.Getenv("MUSTER_CONTRACT_DIR")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "contract")
	}
	file, err := os.Open(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("MUSTER_CONTRACT_DIR") == "" {
		t.Skipf("there is no %s: set MUSTER_CONTRACT_DIR to the folder that has it", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // only read
	return file
}

// errata are the documented cases whose documentation errs, by a part of their note, with what is right.
var errata = map[string]string{
	"doc prints zone as -00":               `"1974-08-02T02:30:32.190Z"`,
	`doc error: with key "." (a regex)`:    `"------------------"`, // a full stop matches each character
	"doc prose lower-cases the candidates": `["JDoe" "JDoe1"`,
}

// fragments are documented parts of transforms that are none alone: the variables stand elsewhere.
var fragments = map[string]string{
	"extensibility/transforms/operations/username-generator.md: Attributes": "there is no variable $fn",
}

func TestContract(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	passed := 0
	report := func(r transformcases.Result) {
		if r.Err == nil {
			passed++
			return
		}
		for note, right := range errata {
			if strings.HasPrefix(r.Line.Note, note) && strings.Contains(r.Err.Error(), right) {
				passed++
				return
			}
		}
		if right := fragments[r.Line.Source+": "+r.Line.Section]; right != "" && strings.Contains(r.Err.Error(), right) {
			passed++
			return
		}
		t.Errorf("line %d, case %d, %s (%s): %v", r.Line.Number, r.Case, r.Line.Source, r.Line.Section, r.Err)
	}
	settings := transformcases.Settings{Now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), Random: random}
	if err := transformcases.Run(contract(t, "transforms.jsonl"), settings, report); err != nil {
		t.Fatal(err)
	}
	if passed < 90 {
		t.Errorf("only %d cases were run", passed)
	}
}

func TestContractLanguages(t *testing.T) {
	compiled, err := transform.Compile([]byte(`{"type": "rfc5646"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	file := contract(t, "rfc5646-table.tsv")
	table, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(table)) {
		name, want, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || name == "input" {
			continue
		}
		rows++
		got, err := compiled.Evaluate(&transform.Input{Value: attribute.String(name)})
		if err != nil || got.Text() != want {
			t.Errorf("%s: %s %v, want %s", name, got.Text(), err, want)
		}
	}
	if rows < 400 {
		t.Errorf("the table has only %d rows", rows)
	}
}
