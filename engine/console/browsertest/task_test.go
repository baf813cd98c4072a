package browsertest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// told waits until the page says what the last action did.
func (b *browser) told(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector(".note")?.textContent.includes(%q)`, text))
}

// What an administrator does in a day, by the keyboard, with script and without: each of it begins at Home.
func TestTasks(t *testing.T) {
	for name, script := range map[string]bool{"script": true, "no script": false} {
		t.Run(name, func(t *testing.T) { tasks(t, script) })
	}
}

func tasks(t *testing.T, script bool) {
	b := open(t)
	run, err := b.ProcessIdentities(t.Context(), []string{b.ID("ann")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Pool.Exec(t.Context(), `UPDATE muster.tasks SET held = now(), held_reason = 'many would lose a role'
		WHERE replace(id::text, '-', '') = $1`, run.ID); err != nil {
		t.Fatal(err)
	}
	b.script(script)
	for _, task := range []struct {
		name string
		do   func()
	}{
		{"find a person, and see why she has a role", func() {
			b.into("#find", "Bob T")
			b.press(kb.Enter)
			b.shows("Bob Twain")
			b.followIn(".tabs", "Access")
			b.until(`document.querySelector(".criterion")?.textContent.includes("department EQUALS")`)
		}},
		{"synchronize her attributes", func() {
			b.into("#find", "Bob T")
			b.press(kb.Enter)
			b.shows("Bob Twain")
			b.follow("Synchronize Attributes")
			b.told("synchronization of the attributes was asked for")
		}},
		{"confirm a run that the guard holds", func() {
			b.followIn(".card.alert", run.Description)
			b.shows(run.Description, "many would lose a role")
			b.follow("Confirm…")
			b.shows("Confirm the run")
			b.into("#count", "1")
			b.press(kb.Enter)
			b.until(`document.querySelector(".note") !== null`)
			if status, err := b.Task(t.Context(), run.ID); err != nil || status.Held != "" {
				t.Errorf("the run is %+v, %v", status, err)
			}
		}},
		{"see who has a role", func() {
			b.followIn(".side", "Roles")
			b.shows("Roles")
			b.follow("Sales")
			b.shows("Sales", "Bob Twain")
		}},
		{"see how the sources are", func() {
			b.followIn(".side", "Sources")
			b.shows("Sources", "Directory", "HR")
		}},
		{"give an account that nobody has to somebody", func() {
			b.followIn(".side", "Accounts")
			b.shows("Accounts")
			b.followIn(".quick", "Uncorrelated")
			b.until(`document.querySelectorAll("table[data-rows] tbody tr").length === 1`)
			b.follow("cy")
			b.shows("cy", "Candidates")
			b.into("#identity", "cy")
			b.press(kb.Enter)
			b.until(`document.querySelector(".chips")?.textContent.includes("Manually correlated")`)
		}},
		{"see what happened, and who did it", func() {
			b.followIn(".side", "History")
			b.shows("History", "Cy Self", "Root")
		}},
		{"see who would lose a role, and leave it at that", func() {
			b.do(chromedp.EmulateViewport(looks[0].width, looks[0].height))
			b.followIn(".side", "Propose")
			b.shows("Propose a change")
			b.into("#documents", `roles: [{name: Sales, enabled: true, accessProfiles: [{type: ACCESS_PROFILE, name: Sales files}], `+
				`membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, `+
				`stringValue: Legal}}}]`)
			b.follow("Show what it changes")
			b.until(`document.querySelector("main").textContent.includes("What it changes")`)
			b.shows("Propose a change", "Bob Twain", "Cy Self")
			b.until(`(document.querySelector("main h2").scrollIntoView(), true)`)
			b.picture("task", "proposal")
			if n := b.CountRows("muster.role_assignments a JOIN muster.roles r ON r.id = a.role_id WHERE r.name = 'Sales'"); n == 0 {
				t.Error("what was only looked at was applied")
			}
		}},
		{"see what a change of the configuration does, and apply it", func() {
			b.followIn(".side", "Propose")
			b.shows("Propose a change")
			b.into("#documents", `roles: [{name: Auditor, description: Looks at books, enabled: true}]`)
			b.follow("Show what it changes")
			b.until(`document.querySelector("main").textContent.includes("What it changes")`) // under the same heading
			b.shows("Propose a change", "What it changes", "Looks at books")
			b.follow("Apply the change")
			b.until(`document.querySelector(".note") !== null`)
			b.followIn(".side", "Roles")
			b.shows("Roles", "Looks at books")
		}},
		{"send invitations to the personal address", func() {
			b.followIn(".side", "Identity Profiles")
			b.shows("Identity Profiles")
			b.follow("Employees")
			b.followIn(".tabs", "Invitation Options")
			b.until(`(document.querySelector("[value=PERSONAL]")?.focus(), document.activeElement?.value === "PERSONAL")`)
			b.press(" ")
			b.follow("Save")
			b.until(`document.querySelector(".note") !== null && document.querySelector("[value=PERSONAL]").checked`)
		}},
		{"delete an identity", func() {
			b.into("#find", "Dee")
			b.press(kb.Enter)
			b.shows("Dee Strauß")
			b.followIn(".subject", "Actions")
			b.followIn("details.menu[open]", "Delete the identity…")
			b.until(`document.querySelector("#alias") !== null`)
			b.into("#alias", "dee")
			b.press(kb.Enter)
			b.until(`document.querySelector(".note") !== null`)
			if n := b.CountRows("muster.identities WHERE alias = 'dee'"); n != 0 {
				t.Error("the identity is still there")
			}
		}},
	} {
		t.Run(task.name, func(t *testing.T) {
			b.t = t
			b.open("/")
			b.shows("Home")
			task.do()
			b.quiet()
		})
	}
}
