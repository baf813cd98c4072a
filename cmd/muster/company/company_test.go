package company

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the golden files")

// read returns the rows of a source, as maps by column.
func read(t *testing.T, c *Company, source string) []map[string]string {
	t.Helper()
	var text bytes.Buffer
	if err := c.WriteCSV(source, &text); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]map[string]string, 0, len(lines)-1)
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, column := range lines[0] {
			row[column] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// The company is the same on every machine and with every version of Go: its digest, and a dozen people to look at,
// are kept.
func TestCompanyIsTheSame(t *testing.T) {
	var got bytes.Buffer
	for _, source := range New(0, 1).Sources() {
		digest := sha256.New()
		if err := New(1000, 1).WriteCSV(source, digest); err != nil {
			t.Fatal(err)
		}
		got.WriteString("-- " + source + ", of 1,000 people: " + hex.EncodeToString(digest.Sum(nil)) + "; of 24 --\n")
		if err := New(24, 1).WriteCSV(source, &got); err != nil {
			t.Fatal(err)
		}
	}
	golden := filepath.Join("testdata", "company.golden")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestPeople(t *testing.T) {
	const people = 50_000
	rows := read(t, New(people, 1), HR)
	if len(rows) != people {
		t.Fatalf("%d people", len(rows))
	}
	byID := map[string]map[string]string{}
	seen := map[string]bool{}
	scripts := map[string]*unicode.RangeTable{
		"Latin": unicode.Latin, "Cyrillic": unicode.Cyrillic, "Greek": unicode.Greek, "Han": unicode.Han, "Hiragana": unicode.Hiragana,
		"Hangul": unicode.Hangul, "Arabic": unicode.Arabic, "Hebrew": unicode.Hebrew, "Devanagari": unicode.Devanagari, "Thai": unicode.Thai,
	}
	leavers := 0
	for _, row := range rows {
		byID[row["employeeId"]] = row
		for _, column := range []string{"employeeId", "email", "personalEmail"} {
			if value := row[column]; value == "" || seen[value] || strings.IndexFunc(value, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
				t.Fatalf("%s %q is empty, not ASCII, or there twice", column, value)
			}
			seen[row[column]] = true
		}
		for name, table := range scripts {
			if strings.IndexFunc(row["displayName"], func(r rune) bool { return unicode.Is(table, r) }) >= 0 {
				delete(scripts, name)
			}
		}
		if end := row["endDate"]; end != "" && end < Today.Format("2006-01-02") {
			leavers++
			if end < row["startDate"] {
				t.Errorf("somebody left on %s and came on %s", end, row["startDate"])
			}
		}
	}
	if len(scripts) > 0 {
		t.Errorf("no name is in the scripts %v", scripts)
	}
	if leavers < people*3/100 || leavers > people*5/100 {
		t.Errorf("%d leavers", leavers)
	}
	for _, row := range rows {
		at, steps := row, 0
		for at["managerId"] != "" {
			if at = byID[at["managerId"]]; at == nil || steps > 20 {
				t.Fatalf("the managers of %s lead nowhere", row["employeeId"])
			}
			steps++
		}
		if at["jobTitle"] != "Chief Executive Officer" {
			t.Fatalf("the managers of %s end with a %s", row["employeeId"], at["jobTitle"])
		}
	}
}

// Accounts are there to be correlated: most by number, some by address in another case, some not at all.
func TestAccounts(t *testing.T) {
	c := New(5000, 1)
	byEmail := map[string]bool{}
	for _, row := range read(t, c, HR) {
		byEmail[row["email"]], byEmail[row["personalEmail"]] = true, true
	}
	logins := map[string]bool{}
	numbered, addressed, nobody := 0, 0, 0
	for _, row := range read(t, c, Directory) {
		if logins[row["sAMAccountName"]] {
			t.Errorf("the login %s is there twice", row["sAMAccountName"])
		}
		logins[row["sAMAccountName"]] = true
		switch {
		case row["employeeNumber"] != "":
			numbered++
		case byEmail[strings.ToLower(row["mail"])]:
			addressed++
		default:
			nobody++
		}
		if !strings.HasSuffix(row["memberOf"], "DC=example,DC=com") {
			t.Errorf("groups %q", row["memberOf"])
		}
	}
	if numbered < 4500 || addressed < 150 || nobody < 250 {
		t.Errorf("%d accounts with a number, %d with an address, %d of nobody", numbered, addressed, nobody)
	}
	found, lost := 0, 0
	for _, row := range read(t, c, CodeHost) {
		if byEmail[strings.ToLower(row["email"])] {
			found++
		} else {
			lost++
		}
	}
	if found < 1000 || lost < 50 {
		t.Errorf("%d accounts of the code host find somebody, %d nobody", found, lost)
	}
}

func TestConfig(t *testing.T) {
	var config struct {
		Sources []struct {
			Name    string
			Schemas []struct{ Attributes []struct{ Name string } }
		}
	}
	if err := yaml.Unmarshal(New(1, 1).Config(), &config); err != nil {
		t.Fatal(err)
	}
	c := New(10, 1)
	if len(config.Sources) != len(c.Sources()) {
		t.Fatalf("%d sources", len(config.Sources))
	}
	for i, source := range config.Sources {
		var header bytes.Buffer
		if err := New(0, 1).WriteCSV(c.Sources()[i], &header); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, a := range source.Schemas[0].Attributes {
			names = append(names, a.Name)
		}
		first, _, _ := strings.Cut(header.String(), "\n")
		if source.Name != c.Sources()[i] || first != strings.Join(names, ",") {
			t.Errorf("source %s has the columns %s, its schema has %s", source.Name, first, strings.Join(names, ","))
		}
	}
	if err := c.WriteCSV("Payroll", io.Discard); err == nil {
		t.Error("a source that there is not was written")
	}
}

func BenchmarkWriteCSV(b *testing.B) {
	const people = 10_000
	c := New(people, 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.WriteCSV(HR, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(people*b.N)/b.Elapsed().Seconds(), "rows/s")
}
