package main

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
)

func read(t *testing.T, text []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The same seed makes the same people, one after another or one alone; another seed makes others.
func TestPeopleComeFromTheSeed(t *testing.T) {
	t.Parallel()
	c := company{people: 100, seed: 7}
	all := c.register(c.everyNth(1), false)
	if !bytes.Equal(all, (company{people: 100, seed: 7}).register(c.everyNth(1), false)) {
		t.Error("the same seed makes other people")
	}
	if bytes.Equal(all, (company{people: 100, seed: 8}).register(c.everyNth(1), false)) {
		t.Error("another seed makes the same people")
	}
	rows, alone := read(t, all), read(t, c.register([]int{42}, false))
	if strings.Join(rows[43], ",") != strings.Join(alone[1], ",") {
		t.Errorf("%v and %v", rows[43], alone[1])
	}
}

// A change changes the title and the division, and nothing else.
func TestChangedPeople(t *testing.T) {
	t.Parallel()
	c := company{people: 100, seed: 7}
	before, after := read(t, c.register([]int{42}, false)), read(t, c.register([]int{42}, true))
	var changed []string
	for i, name := range before[0] {
		if before[1][i] != after[1][i] {
			changed = append(changed, name)
		}
	}
	if got := strings.Join(changed, ","); got != "division,title" {
		t.Error(got)
	}
	badges, others := read(t, c.badges(false)), read(t, c.badges(true))
	different := 0
	for i := range badges {
		if strings.Join(badges[i], ",") != strings.Join(others[i], ",") {
			different++
		}
	}
	if different != 1 || len(badges) != 101 {
		t.Errorf("%d of %d badges differ", different, len(badges))
	}
}

// The configuration maps 22 attributes and has 100 roles.
func TestPopulationConfig(t *testing.T) {
	t.Parallel()
	text := company{people: 100}.config()
	documents, err := engine.ReadDocuments("config", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	roles := 0
	for _, d := range documents {
		if d.Type == engine.TypeRole {
			roles++
		}
	}
	if mapped := strings.Count(text, "identityAttributeName: ") - 1; roles != 100 || mapped != 22 {
		t.Errorf("%d roles, %d mapped attributes", roles, mapped)
	}
}

func TestHighWater(t *testing.T) {
	t.Parallel()
	if n, err := highWater("Name:\tbench\nVmHWM:\t   12345 kB\nVmRSS:\t 1 kB\n"); err != nil || n != 12345<<10 {
		t.Error(n, err)
	}
	if _, err := highWater("Name:\tbench\n"); err == nil {
		t.Error("a status without VmHWM has one")
	}
}

// The three ways to find roles agree, at each number of roles, and find about ten.
func TestRoleSets(t *testing.T) {
	t.Parallel()
	for _, roles := range []int{100, 1000} {
		set, err := newRoleSet(company{seed: 1}, roles)
		if err != nil {
			t.Fatal(err)
		}
		if err := set.agree(); err != nil {
			t.Errorf("%d roles: %v", roles, err)
		}
	}
}
