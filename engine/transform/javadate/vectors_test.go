package javadate

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// now is the time that the two-digit years of the vectors were placed by.
var now = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// TestVectors compares with what SimpleDateFormat does: testdata/Vectors.java wrote the vectors.
func TestVectors(t *testing.T) {
	file, err := os.Open("testdata/vectors.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() // only read
	lines := bufio.NewScanner(file)
	count := 0
	for lines.Scan() {
		count++
		parts := strings.Split(lines.Text(), "\t")
		if len(parts) != 5 {
			t.Fatalf("line %d has %d columns", count, len(parts))
		}
		location, err := time.LoadLocation(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		f, err := Compile(parts[1])
		if err != nil {
			t.Errorf("%s: %v", parts[1], err)
			continue
		}
		if parts[0] == "format" {
			ms, err := strconv.ParseInt(parts[3], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Format(time.UnixMilli(ms).In(location)); got != parts[4] {
				t.Errorf("line %d: %q formats %d in %s as %q, want %q", count, parts[1], ms, parts[2], got, parts[4])
			}
			continue
		}
		got := "-"
		if date, err := f.Parse(parts[3], Options{Location: location, Now: now}); err == nil {
			got = strconv.FormatInt(date.UnixMilli(), 10)
		}
		if got != parts[4] {
			t.Errorf("line %d: %q in %s reads %q as %s, want %s", count, parts[1], parts[2], parts[3], got, parts[4])
		}
	}
	if err := lines.Err(); err != nil || count == 0 {
		t.Fatalf("%d vectors read: %v", count, err)
	}
}
