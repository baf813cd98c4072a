package filterql_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-engine/muster/filterql"
)

// contractLines returns the class and the text of each line of a file of the published API's examples, which are no
// part of this project.
func contractLines(t *testing.T, name string) [][2]string {
	t.Helper()
	folder := os.Getenv("MUSTER_CONTRACT_DIR")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "contract")
	}
	data, err := os.ReadFile(filepath.Join(folder, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the API's examples are not at hand: set MUSTER_CONTRACT_DIR to the folder that has %s", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	var lines [][2]string
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		columns := strings.Split(line, "\t")
		if i > 0 && len(columns) >= 2 {
			lines = append(lines, [2]string{columns[0], columns[1]})
		}
	}
	if len(lines) == 0 {
		t.Fatalf("%s has no examples", name)
	}
	return lines
}

func TestContractFilters(t *testing.T) {
	for _, line := range contractLines(t, "filters.tsv") {
		class, text := line[0], line[1]
		e, err := filterql.Parse(text)
		if class == "INVALID" {
			requirePositioned(t, text, err)
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", class, text, err)
			continue
		}
		again, err := filterql.Parse(filterql.Print(e))
		if err != nil || !filterql.Equal(e, again) {
			t.Errorf("%s: the canonical form %s is another tree (%v)", text, filterql.Print(e), err)
		}
	}
}

func TestContractSorters(t *testing.T) {
	for _, line := range contractLines(t, "sorters.tsv") {
		class, text := line[0], line[1]
		sorters, err := filterql.ParseSorters(text)
		if class == "INVALID" {
			requirePositioned(t, text, err)
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", class, text, err)
			continue
		}
		if want := strings.ReplaceAll(strings.TrimPrefix(text, "sorters="), " ", ""); sorters.String() != want {
			t.Errorf("%s: got %s, want %s", text, sorters, want)
		}
	}
}

func requirePositioned(t *testing.T, text string, err error) {
	t.Helper()
	var e *filterql.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: got %v, want an error with a position", text, err)
		return
	}
	if e.Text != text || e.Pos < 0 || e.Pos > e.End || e.End > len(text) || e.Msg == "" {
		t.Errorf("%s: the error %+v is not inside the text", text, e)
	}
}
