package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
)

// The page of movements has the week's people and role dates, and each list as a file.
func TestMovementsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	begins, ends := time.Now().Add(time.Minute), time.Now().AddDate(0, 0, 14)
	_, err := s.AssignRole(t.Context(), engine.AssignRoleParams{Identity: s.ID("cy"), Role: "Auditor", StartDate: &begins,
		RemoveDate: &ends})
	if err != nil {
		t.Fatal(err)
	}
	a := s.get("/movements/").demand(http.StatusOK)
	checkPage(t, a)
	for _, name := range []string{"Ann Boss", "Joined"} {
		if !strings.Contains(a.text(), name) {
			t.Errorf("%q is missing: %s", name, a.text())
		}
	}
	year, week := begins.UTC().ISOWeek()
	this := fmt.Sprintf("?week=%04d-W%02d", year, week)
	for kind, want := range map[string]string{"joined": "Bob Twain", "starts": "Auditor", "moved": "Nothing happened", "left": "Dee"} {
		a := s.get("/movements/" + this + "&kind=" + kind).demand(http.StatusOK)
		checkPage(t, a)
		if kind != "left" && !strings.Contains(a.text(), want) {
			t.Errorf("%s: %s", kind, a.text())
		}
	}
	if file := s.get("/movements/export.csv" + this + "&kind=starts").demand(http.StatusOK).body; !strings.Contains(file, "Cy Self,cy,") {
		t.Errorf("the roles that begin: %s", file)
	}
	if file := s.get("/movements/export.csv" + this + "&kind=joined").demand(http.StatusOK).body; strings.Count(file, ",joined,") != 5 {
		t.Errorf("who joined: %s", file)
	}
	for _, week := range []string{"2026-W54", "2026", "x", "2026-W00", "2026-W9"} {
		s.do(http.MethodGet, "/movements/?week="+week, nil).demand(http.StatusBadRequest)
	}
	s.get("/movements/?week=2026-W53").demand(http.StatusOK)
	s.do(http.MethodGet, "/movements/?kind=lost", nil).demand(http.StatusNotFound)
}
