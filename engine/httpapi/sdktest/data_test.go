package sdktest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// people is how many people the sample company has: more than four pages of them.
const people = 1200

// What the company, or testdata, says of somebody.
const (
	firstAlias   = 100001 // of the people; the aliases are in a row
	chief        = "100001"
	chiefName    = "Olivia Whitaker"
	synchronized = "awa@visitors.example" // the address of visitor-away
	drifted      = "stale@visitors.example"
)

// unknownID has the form of an ID, and is nobody's.
const unknownID = "00000000000070008000000000000000"

// script runs commands one after the other, up to the first that fails.
type script struct {
	program *program
	err     error
}

func (s *script) run(stdin string, args ...string) (stdout string) {
	if s.err == nil {
		stdout, s.err = s.program.run(stdin, args...)
	}
	return stdout
}

// apply applies a document of testdata with a word in it replaced.
func (s *script) apply(name, word, by string) {
	s.run(strings.ReplaceAll(s.read(name), word, by), "apply", "-f", "-")
}

func (s *script) read(name string) string {
	if s.err != nil {
		return ""
	}
	text, err := os.ReadFile(filepath.Join("testdata", name))
	s.err = err
	return string(text)
}

// turnstileFile is the file of a source that attributes are synchronized to.
func (p *program) turnstileFile() string { return filepath.Join(p.dir, "turnstile.csv") }

func (s *script) writeTurnstile(text string) {
	if s.err == nil {
		s.err = os.WriteFile(s.program.turnstileFile(), []byte(text), 0o600)
	}
}

// prepare makes the data that the tests look for: the sample company and its visitors. It is done before the server
// starts, because one program at a time has the private PostgreSQL.
func (p *program) prepare() error {
	s := &script{program: p}
	s.run("", "demo", "--people", fmt.Sprint(people))

	visitors, turnstile := s.read("visitors.csv"), s.read("turnstile.csv")
	s.writeTurnstile(turnstile)
	s.apply("visitors.yaml", "{folder}", p.dir)
	s.run(visitors, "aggregate", "Reception", "--file", "-")
	s.run("", "source", "aggregate", "Turnstile")
	// The leaver's account goes; the identity stays, uncorrelated.
	s.run(without(visitors, "visitor-leaver"), "aggregate", "Reception", "--file", "-", "--max-deletions", "1")
	// An account drifts, and its identity is long-term inactive: processing leaves it as it is.
	s.writeTurnstile(strings.ReplaceAll(turnstile, synchronized, drifted))
	s.run("", "source", "aggregate", "Turnstile")

	s.apply("roles.yaml", "{owner}", s.identityID("visitor-owner"))
	s.run("", "roles", "assign", "visitor-assigned", "Night watch", "--assigner", "visitor-owner",
		"--comments", "stands in for Olivia", "--start", "2031-05-01T08:00:00Z", "--remove", "2031-06-01T08:00:00Z")
	s.run("", "identities", "protect", "visitor-protected")
	return s.err
}

// without returns text without the lines that begin with a word.
func without(text, word string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, word) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func (s *script) identityID(alias string) string {
	out := s.run("", "identities", "get", alias)
	var identity struct {
		ID string `json:"id"`
	}
	if s.err == nil {
		s.err = json.Unmarshal([]byte(out), &identity)
	}
	return identity.ID
}
