//go:build crash

package crashtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
)

// contents are what a run leaves in the database, each row as a text without IDs and times.
var contents = []struct{ name, query string }{
	{"identities", `
		SELECT concat_ws(' | ', i.alias, i.name, i.email, i.cloud_status, i.processing_state, i.processing_error,
		       i.correlated, p.name, i.lifecycle_state, i.lifecycle_manual, i.lifecycle_basis, i.identity_state, 'manager ' || m.alias,
		       i.manager_key, i.attributes, i.user_levels, 'due ' || (r.due IS NOT NULL))
		FROM muster.identities i
		LEFT JOIN muster.identities m ON m.id = i.manager_id
		LEFT JOIN muster.identity_profiles p ON p.id = i.profile_id
		LEFT JOIN muster.refresh_state r ON r.identity_id = i.id`},
	{"keys", `SELECT concat_ws(' | ', regexp_replace(k.key, '[0-9a-f]{32}', 'ID'), i.alias) FROM muster.identity_keys k
		JOIN muster.identities i ON i.id = k.identity_id`},
	{"accounts", `
		SELECT concat_ws(' | ', s.name, a.native_identity, a.name, 'of ' || i.alias, a.manually_correlated,
		       regexp_replace(a.correlation_keys::text, '[0-9a-f]{32}', 'ID', 'g'), a.attributes)
		FROM muster.accounts a
		JOIN muster.sources s ON s.id = a.source_id
		LEFT JOIN muster.identities i ON i.id = a.identity_id`},
	{"entitlements", `SELECT concat_ws(' | ', s.name, e.attribute, e.value, e.name) FROM muster.entitlements e
		JOIN muster.sources s ON s.id = e.source_id`},
	{"held", `SELECT concat_ws(' | ', s.name, a.native_identity, e.attribute, e.value) FROM muster.account_entitlements k
		JOIN muster.accounts a ON a.id = k.account_id
		JOIN muster.entitlements e ON e.id = k.entitlement_id
		JOIN muster.sources s ON s.id = e.source_id`},
	{"roles", `
		SELECT concat_ws(' | ', i.alias, r.name, a.assignment_source, a.comments, a.start_date, a.remove_date)
		FROM muster.role_assignments a
		JOIN muster.identities i ON i.id = a.identity_id
		JOIN muster.roles r ON r.id = a.role_id`},
	{"grants", `
		SELECT concat_ws(' | ', i.alias, s.name, g.attribute, g.value, a.native_identity)
		FROM muster.access_grants g
		JOIN muster.identities i ON i.id = g.identity_id
		JOIN muster.sources s ON s.id = g.source_id
		LEFT JOIN muster.accounts a ON a.id = g.account_id`},
	{"operations", `
		SELECT DISTINCT concat_ws(' | ', s.name, o.native_identity, o.kind, o.attribute, o.value, o.attributes, o.state,
		       o.error, o.outcome)
		FROM muster.provisioning_operations o
		JOIN muster.sources s ON s.id = o.source_id`},
	{"provisioned events", `
		SELECT DISTINCT concat_ws(' | ', p ->> 'operation', p -> 'source' ->> 'name', p ->> 'nativeIdentity', p ->> 'attribute',
		       p ->> 'value')
		FROM muster.identity_events e, jsonb_array_elements(e.detail -> 'provisioned') p`},
	{"other events", `
		SELECT concat_ws(' | ', t.type, coalesce(i.alias, e.detail #>> '{deleted,identity,name}'))
		FROM muster.identity_events e
		CROSS JOIN unnest(e.types) t (type)
		LEFT JOIN muster.identities i ON i.id = e.identity_id
		WHERE t.type IN ('IDENTITY_CREATED', 'IDENTITY_DELETED') AND (i.id IS NOT NULL OR t.type = 'IDENTITY_DELETED')`},
	{"messages", `
		SELECT concat_ws(' | ', i.alias, n.purpose, n.via, n.state, n.error)
		FROM muster.notifications n JOIN muster.identities i ON i.id = n.identity_id`},
	{"good tokens", `
		SELECT concat_ws(' | ', i.alias, t.purpose)
		FROM muster.one_time_tokens t JOIN muster.identities i ON i.id = t.identity_id
		WHERE t.used IS NULL AND t.revoked IS NULL`},
	{"host's actions", `SELECT name FROM host_actions`},
}

// faults are what must not be there when nothing is left to do.
var faults = []struct{ name, query string }{
	{"tasks that failed", `SELECT description || ' ' || completion_status FROM muster.tasks
		WHERE completion_status NOT IN ('SUCCESS', 'WARNING')`},
	{"tasks that are held", `SELECT description FROM muster.tasks WHERE held IS NOT NULL`},
	{"operations that have no end", `SELECT kind FROM muster.provisioning_operations
		WHERE (completed IS NULL) <> (state IN ('OPEN', 'MANUAL'))`},
	{"events that were written more than once for an operation", `
		SELECT coalesce(o.what, e.what) || ': ' || coalesce(o.n, 0) || ' operations, ' || coalesce(e.n, 0) || ' events'
		FROM (SELECT concat_ws(' | ', s.name, o.native_identity, o.kind, nullif(o.attribute, ''), nullif(o.value, '')) AS what, count(*) AS n
		      FROM muster.provisioning_operations o
		      JOIN muster.sources s ON s.id = o.source_id
		      WHERE o.state = 'DONE' OR o.state = 'CANCELLED'
		      GROUP BY 1) o
		FULL JOIN (SELECT concat_ws(' | ', p -> 'source' ->> 'name', p ->> 'nativeIdentity', p ->> 'operation',
		                            nullif(p ->> 'attribute', ''), nullif(p ->> 'value', '')) AS what, count(*) AS n
		           FROM muster.identity_events e, jsonb_array_elements(e.detail -> 'provisioned') p
		           GROUP BY 1) e ON e.what = o.what
		WHERE coalesce(e.n, 0) > coalesce(o.n, 0)`},
	{"operations with the error of another attempt", `SELECT kind || ' ' || error FROM muster.provisioning_operations
		WHERE state = 'DONE' AND error IS NOT NULL`},
	{"advisory locks", `SELECT l.objid::text FROM pg_locks l WHERE l.locktype = 'advisory'
		AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`},
	{"transactions", `SELECT state || ' ' || left(query, 100) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
		AND backend_type = 'client backend'`},
	{"two jobs of one thing", `SELECT kind || ' ' || (args::text) FROM muster_jobs.river_job
		WHERE kind <> 'muster_run_schedule' AND state IN ('available', 'scheduled', 'retryable')
		GROUP BY kind, args::text HAVING count(*) > 1`},
}

// state is what a run leaves, by the name of the content.
type state map[string][]string

// lists are the values of an attribute that has several, in JSON and in the target's file.
var lists = regexp.MustCompile(`\["[^][]*"\]|[a-z]+(;[a-z]+)+`)

// unordered puts the values of each list of a line in order. They have none: two roles that are given one after the
// other in one run may be given the other way round in another, and each adds its group.
func unordered(line string) string {
	return lists.ReplaceAllStringFunc(line, func(list string) string {
		separator := ";"
		if strings.HasPrefix(list, "[") {
			list, separator = strings.ReplaceAll(strings.Trim(list, "[]"), `", "`, `","`), ","
		}
		values := strings.Split(list, separator)
		slices.Sort(values)
		return strings.Join(values, separator)
	})
}

func (r *run) state() state {
	r.t.Helper()
	s := state{}
	for _, c := range contents {
		s[c.name] = r.lines(c.query)
	}
	text, err := os.ReadFile(r.targetFile())
	if err != nil {
		r.t.Fatal(err)
	}
	s["the target's file"] = strings.Split(strings.TrimSpace(string(text)), "\n")
	b := r.books()
	for _, native := range b.natives {
		s["the ledger's accounts"] = append(s["the ledger's accounts"], native+" | "+
			string(b.accounts[native].AppendJSON(nil)))
	}
	for _, e := range b.entries {
		if e.Outcome == executed {
			s["the ledger's operations"] = append(s["the ledger's operations"], fmt.Sprintf("%s | %s | %s", e.Native,
				e.Kind, e.Attributes))
		}
	}
	held, err := r.holdings(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for name, list := range held {
		for _, h := range list {
			slices.Sort(h.groups)
			s["what the targets hold"] = append(s["what the targets hold"], fmt.Sprintf("%s | %s | %s | %q", name, h.person,
				h.name, h.groups))
		}
	}
	for _, list := range s {
		for i := range list {
			list[i] = unordered(list[i])
		}
		slices.Sort(list)
	}
	return s
}

func (r *run) targetFile() string { return filepath.Join(r.folder, "target", "accounts.csv") }

func (r *run) books() *books {
	r.t.Helper()
	b, err := r.ledger.load()
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// lines returns the rows of a query, in their order as texts.
func (r *run) lines(query string, arguments ...any) []string {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), query, arguments...)
	if err != nil {
		r.t.Fatalf("%v: %s", err, query)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.t.Fatalf("%v: %s", err, query)
	}
	slices.Sort(list)
	return list
}

// compare compares what a run left with what it should have left.
func (r *run) compare(want state) {
	r.t.Helper()
	got := r.state()
	for name := range want {
		if diff := cmp.Diff(want[name], got[name]); diff != "" {
			r.t.Errorf("%s differ (-undisturbed +disturbed):\n%s", name, diff)
		}
	}
}

// checkAccess compares what the accounts of the targets really hold with the roles that people have, and with what the
// engine remembers as given. Whatever the engine has done, nobody may have more.
func (r *run) checkAccess() {
	r.t.Helper()
	granted, remembered := map[string]bool{}, map[string]bool{}
	for _, line := range r.lines(`SELECT i.alias || '|' || r.name FROM muster.role_assignments a
		JOIN muster.identities i ON i.id = a.identity_id JOIN muster.roles r ON r.id = a.role_id`) {
		person, role, _ := strings.Cut(line, "|")
		for _, target := range targets {
			for _, group := range groupsOf(role, target) {
				granted[target+"|"+person+"|"+group] = true
			}
		}
	}
	for _, line := range r.lines(`SELECT s.name || '|' || a.native_identity || '|' || g.value FROM muster.access_grants g
		JOIN muster.sources s ON s.id = g.source_id JOIN muster.accounts a ON a.id = g.account_id`) {
		remembered[line] = true
	}
	held, err := r.holdings(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for target, list := range held {
		for _, h := range list {
			for _, group := range h.groups {
				if !granted[target+"|"+h.person+"|"+group] || !remembered[target+"|"+h.name+"|"+group] {
					r.t.Errorf("%s on %s (%s) has %s: a role grants it: %t, it is remembered as given: %t", h.name, target,
						h.person, group, granted[target+"|"+h.person+"|"+group], remembered[target+"|"+h.name+"|"+group])
				}
			}
		}
	}
}

// groupsOf returns the groups that a role grants on a target, at the end of the rounds.
func groupsOf(role, target string) []string {
	group := strings.ToLower(role)
	if role == "On duty" {
		group = "duty"
	}
	groups := []string{group}
	if role == "Sales" && pairs%2 == 1 {
		groups = append(groups, "forecast")
	}
	if role != "On duty" && (target == "Ledger" || target == "Directory") {
		groups = append(groups, mailGroup)
	}
	if target == "Directory" {
		for i := range groups {
			groups[i] = groupDN(groups[i])
		}
	}
	return groups
}

// diagnosis returns what a thorough doctor finds that is not as it should be.
func (r *run) diagnosis() []string {
	r.t.Helper()
	d, err := r.host.Doctor(r.t.Context(), engine.DoctorOptions{Thorough: true})
	if err != nil {
		r.t.Fatal(err)
	}
	var found []string
	for i := range d.Checks {
		if c := &d.Checks[i]; c.Severity != engine.SeverityOK {
			found = append(found, fmt.Sprintf("%s %s: %d", c.Severity, c.Name, c.Count))
		}
	}
	return found
}

// tally is what was done more than once in a run.
type tally struct{ mails, extraMails, operations, repeats int }

// strokesWithin counts what was struck between the first and the last call of an operation. Who had begun it then is not
// always known: when the suite asks, another worker may have it already, or be slow in saying so.
func (r *run) strokesWithin(key string) int {
	var first, last time.Time
	for _, e := range r.books().entries {
		if e.Key == key {
			if first.IsZero() {
				first = e.At
			}
			last = e.At
		}
	}
	const slack = 2 * time.Second // until the suite hears of a stroke
	count := 0
	for _, at := range r.strokes {
		if at.After(first.Add(-slack)) && at.Before(last.Add(slack)) {
			count++
		}
	}
	return count
}

// calls tells all calls of an operation.
func (r *run) calls(key string) string {
	var calls []string
	for _, e := range r.books().entries {
		if e.Key == key {
			calls = append(calls, fmt.Sprintf("%s by process %d at %s", e.Outcome, e.Worker, e.At.Format("15:04:05.000")))
		}
	}
	return strings.Join(append(calls, r.lines(`SELECT to_jsonb(o)::text FROM muster.provisioning_operations o
		WHERE replace(o.id::text, '-', '') = $1`, key)...), "\n")
}

// check looks for what must not be, whatever happened.
func (r *run) check() tally {
	r.t.Helper()
	for _, f := range faults {
		if found := r.lines(f.query); len(found) > 0 {
			r.t.Errorf("%s are left: %q", f.name, found)
		}
	}
	r.checkAccess()
	var sum tally
	received, err := r.mail.received(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for id, count := range received {
		sum.mails++
		sum.extraMails += count - 1
		if count-1 > r.allowed.mails[id] {
			r.t.Errorf("the message %s was sent %d times, and %d interruptions came between", id, count, r.allowed.mails[id])
		}
	}
	if sent := len(r.lines(`SELECT id::text FROM muster.notifications WHERE state = 'SENT'`)); sent > sum.mails {
		r.t.Errorf("%d messages are recorded as sent, %d arrived", sent, sum.mails)
	}
	repeats := map[string]int{}
	for _, e := range r.books().entries {
		switch e.Outcome {
		case executed:
			sum.operations++
		case repeated:
			sum.repeats++
			repeats[e.Key]++
		default:
			r.t.Errorf("an operation was %s: %+v", e.Outcome, e)
		}
	}
	for key, count := range repeats {
		if count > r.allowed.operations[key] && count > r.strokesWithin(key) {
			r.t.Errorf("the operation %s was repeated %d times, and %d interruptions came between:\n%s", key, count,
				r.allowed.operations[key], r.calls(key))
		}
	}
	entries, err := os.ReadDir(filepath.Dir(r.targetFile()))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "accounts.csv" && name != ".accounts.csv.lock" {
			r.t.Errorf("the target's folder has %s left in it", name)
		}
	}
	return sum
}
