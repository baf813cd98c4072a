package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/transform"
)

// another returns another engine on the tables of f.
func (f *fixture) another(config engine.Config) *engine.Engine {
	f.t.Helper()
	eng, err := engine.New(f.t.Context(), f.Pool, config)
	if err != nil {
		f.t.Fatal(err)
	}
	return eng
}

// refused fails the test unless an engine with a Config is refused with a contradiction that names all of the texts.
func (f *fixture) refused(config engine.Config, texts ...string) {
	f.t.Helper()
	_, err := engine.New(f.t.Context(), f.Pool, config)
	var contradiction *engine.SettingsError
	if !errors.As(err, &contradiction) || engine.KindOf(err) != engine.Conflict {
		f.t.Fatalf("New says %v, want a contradiction", err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			f.t.Errorf("New says %q, want it to name %q", err, text)
		}
	}
}

// settings returns the settings in force, each as its name, its value and its origin.
func (f *fixture) settings() string {
	f.t.Helper()
	s, err := f.Settings(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	var lines []string
	for _, v := range s.Values {
		lines = append(lines, fmt.Sprintf("%s %v %s", v.Name, v.Value, v.Origin))
	}
	return strings.Join(lines, "\n")
}

// demandSettings fails the test unless each of the lines is one of the settings in force.
func (f *fixture) demandSettings(lines ...string) {
	f.t.Helper()
	got := f.settings()
	for _, line := range lines {
		if !strings.Contains(got+"\n", line+"\n") {
			f.t.Errorf("the settings are\n%s\nwant among them %q", got, line)
		}
	}
}

// The first engines of a tenant set what their Configs say, the first configuration settles it, and whoever says
// something else is refused. An engine that says nothing follows.
func TestSettingsOfEngines(t *testing.T) {
	t.Parallel()
	berlin, tokyo := location(t, "Europe/Berlin"), location(t, "Asia/Tokyo")
	f := newFixtureWith(t, engine.Config{})
	f.demandSettings("timeZone UTC default", "guard.share 0.1 default", "guard.off false default")
	version := f.text(`SELECT version::text FROM muster.configuration`)
	f.another(engine.Config{Location: berlin, Guard: engine.Guard{Share: 0.2}, Objects: 1000})
	f.demandSettings("timeZone Europe/Berlin engine", "guard.share 0.2 engine", "guard.minimum 20 default",
		"guard.off false engine", "limits.objects 1000 engine")
	if after := f.text(`SELECT version::text FROM muster.configuration`); after == version {
		t.Errorf("the configuration has the version %s still", after)
	}
	f.another(engine.Config{Location: berlin, Guard: engine.Guard{Share: 0.2, Minimum: 7}}) // a restart that says more
	f.another(engine.Config{})
	f.demandSettings("guard.minimum 7 engine")
	f.refused(engine.Config{Location: tokyo}, "Config.Location is Asia/Tokyo", "timeZone of the tenant is Europe/Berlin",
		"an engine set it", "apply a SETTINGS object", "leave Config.Location zero")
	f.refused(engine.Config{Guard: engine.Guard{Off: true}}, "Config.Guard.Off is true", "guard.off of the tenant is false")
	f.refused(engine.Config{Guard: engine.Guard{Share: 0.3}, Objects: 5}, "Guard.Share is 0.3", "Config.Objects is 5")

	f.ApplyText(enginetest.Documents)
	f.another(engine.Config{Guard: engine.Guard{Share: 0.2, Minimum: 7}, Mail: engine.Mail{VerificationLifetime: 48 * time.Hour}})
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{}) // settles what nobody said
	f.refused(engine.Config{Mail: engine.Mail{InvitationLifetime: time.Hour}}, "Mail.InvitationLifetime is 1h",
		"mail.invitationLifetime of the tenant is 7d (the default)")
	f.another(engine.Config{Mail: engine.Mail{InvitationLifetime: engine.InvitationTTL}}) // what it is
	f.another(engine.Config{Mail: engine.Mail{Sender: "Muster <muster@example.com>"}})    // has no default
	f.refused(engine.Config{Mail: engine.Mail{Sender: "other@example.com"}}, "mail.sender of the tenant is Muster <muster@example.com>")

	result := f.ApplyText(`settings: {timeZone: Asia/Tokyo, guard: {share: 0.05, off: true}, mail: {verificationLifetime: 1d12h}}`)
	if o := result.Objects[0]; o.Type != engine.TypeSettings || o.Action != engine.Created {
		t.Errorf("the settings were %+v, want created", o)
	}
	f.demandSettings("timeZone Asia/Tokyo applied", "guard.share 0.05 applied", "guard.minimum 7 engine",
		"guard.off true applied", "limits.objects 1000 engine", "mail.verificationLifetime 1d12h applied")
	f.another(engine.Config{Location: tokyo})
	f.refused(engine.Config{Location: berlin}, "Asia/Tokyo (it was applied)")

	again := f.ApplyText(`settings: {guard: {off: true, share: 0.050}, timeZone: Asia/Tokyo, mail: {verificationLifetime: 36h}}`)
	if again.Objects[0].Action != engine.Unchanged || again.Version != result.Version {
		t.Errorf("the same again was %+v, version %d, want unchanged", again.Objects, again.Version)
	}
	less := f.ApplyText(`settings: {guard: {off: false}}`)
	if notes := strings.Join(less.Notes, "; "); !strings.Contains(notes, "guard.share is not given any more: it is 0.1 now (the default)") {
		t.Errorf("the notes are %q", notes)
	}
	f.demandSettings("timeZone UTC default", "guard.off false applied")
}

// Settings that cannot be are refused, wherever they are given, with what would be right.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, engine.Config{})
	for _, c := range []struct{ text, want string }{
		{`{timezone: UTC}`, `unknown setting "timezone": did you mean "timeZone"?`},
		{`{guard: {shares: 1}}`, `unknown setting "guard.shares": did you mean "guard.share"?`},
		{`{guard: {x: 1}}`, `guard.share, guard.minimum, guard.off`},
		{`{guard: 10}`, `guard: an object is expected`},
		{`{guard: {share: 10}}`, `guard.share: 10 is given where a share above 0 and at most 1`},
		{`{guard: {share: 0}}`, `guard.share: 0 is given`},
		{`{guard: {share: "10%"}}`, `guard.share: "10%" is given`},
		{`{guard: {minimum: -1}}`, `guard.minimum: -1 is given where a whole number from 0`},
		{`{guard: {minimum: 1.5}}`, `guard.minimum: 1.5 is given`},
		{`{guard: {off: "yes"}}`, `guard.off: "yes" is given where true or false`},
		{`{limits: {objects: 0}}`, `limits.objects: 0 is given where a whole number from 1`},
		{`{timeZone: Mars/Olympus}`, `timeZone: "Mars/Olympus" is unknown`},
		{`{timeZone: Local}`, `timeZone: "Local" is unknown`},
		{`{timeZone: [UTC]}`, `timeZone: a list is given`},
		{`{mail: {sender: nobody}}`, `mail.sender: an address is expected`},
		{`{mail: {invitationUrl: "https://example.com"}}`, `mail.invitationUrl: an address with {token} in it`},
		{`{mail: {invitationLifetime: 7}}`, `mail.invitationLifetime: 7 is given where a time from 1m to 365d`},
		{`{mail: {verificationLifetime: 1s}}`, `mail.verificationLifetime: "1s" is given`},
		{`{mail: {verificationLifetime: 400d}}`, `mail.verificationLifetime: "400d" is given`},
		{"[{timeZone: UTC}, {timeZone: UTC}]", `the settings are given twice`},
	} {
		documents, err := engine.ReadDocuments("c.yaml", strings.NewReader("settings: "+c.text))
		if err == nil {
			_, err = f.Apply(t.Context(), documents)
		}
		demandKind(t, err, engine.Invalid, c.want)
	}
	for _, c := range []struct {
		config engine.Config
		want   string
	}{
		{engine.Config{Guard: engine.Guard{Share: 1.5}}, "Guard.Share: 1.5 is given"},
		{engine.Config{Guard: engine.Guard{Minimum: -1}}, "Guard.Minimum: -1 is given"},
		{engine.Config{Objects: -1}, "Objects: -1 is given"},
		{engine.Config{Location: time.Local}, `Location: "Local" is unknown`},
		{engine.Config{Location: time.FixedZone("CEST", 7200)}, `Location: "CEST" is unknown`},
		{engine.Config{Mail: engine.Mail{Sender: "x"}}, "Mail.Sender: an address is expected"},
		{engine.Config{Mail: engine.Mail{InvitationLifetime: -time.Hour}}, "Mail.InvitationLifetime"},
	} {
		_, err := engine.New(t.Context(), f.Pool, c.config)
		demandKind(t, err, engine.Invalid, c.want)
	}
	f.demandSettings("timeZone UTC default", "guard.share 0.1 default")
}

// Of engines that start at the same time with different settings, one sets them, and those that say something else are
// refused.
func TestFirstEnginesAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, engine.Config{})
	zones := []string{"Europe/Berlin", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe"}
	started := make([]error, 4*len(zones))
	var group sync.WaitGroup
	for i := range started {
		config := engine.Config{Location: location(t, zones[i%len(zones)]),
			Guard: engine.Guard{Share: 0.1 * float64(1+i%len(zones))}}
		group.Go(func() { _, started[i] = engine.New(t.Context(), f.Pool, config) })
	}
	group.Wait()
	s, err := f.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	winners := 0
	for i, err := range started {
		if zones[i%len(zones)] == s.Location.String() {
			winners++
			if err != nil {
				t.Errorf("an engine in %s says %v, though the tenant is there", s.Location, err)
			}
			continue
		}
		demandKind(t, err, engine.Conflict, s.Location.String())
	}
	if winners != 4 {
		t.Errorf("%d engines agree with the tenant's zone %s, want 4", winners, s.Location)
	}
}

// A tenant from before the settings takes them from its first engines, although it has a configuration. The identities
// whose values depend on the time zone are processed.
func TestUpgradedTenantTakesSettingsOfEngines(t *testing.T) {
	t.Parallel()
	f := dated(t, engine.Config{})
	f.execute(`UPDATE muster.configuration SET settled = false`) // as the migration leaves it
	if got, want := f.day("ann"), "2026-05-31 23:00 UTC"; got != want {
		t.Errorf("the day is %q, want %q", got, want)
	}
	berlin := location(t, "Europe/Berlin")
	f.Engine = f.another(engine.Config{Location: berlin, Guard: engine.Guard{Off: true}})
	f.demandSettings("timeZone Europe/Berlin engine", "guard.off true engine")
	f.Process()
	if got, want := f.day("ann"), "2026-06-01 01:00 CEST"; got != want {
		t.Errorf("the day is %q, want %q", got, want)
	}
	f.ApplyText(`roles: [{name: Lead}]`) // settles
	f.refused(engine.Config{Guard: engine.Guard{Minimum: 5}}, "guard.minimum of the tenant is 20 (the default)")
}

// dated is a company of one, whose attribute day is a time of the account, written in the tenant's time zone.
func dated(t *testing.T, config engine.Config) *fixture {
	t.Helper()
	f := newFixtureWith(t, config)
	f.ApplyText(`
identityAttributes: [{name: day}]
sources:
  - {name: HR, authoritative: true, schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: at}]}],
     schedules: [{type: ACCOUNT_AGGREGATION, cronExpression: "0 0 5 * * ?"}], connector: delimited-folder}
identityProfiles:
  - name: People
    authoritativeSource: {name: HR}
    identityAttributeConfig:
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}
        - identityAttributeName: day
          transformDefinition:
            type: dateFormat
            attributes:
              inputFormat: ISO8601
              outputFormat: "yyyy-MM-dd HH:mm z"
              input: {type: accountAttribute, attributes: {sourceName: HR, attributeName: at}}
`)
	f.AggregateText("HR", "id,at\nann,2026-05-31T23:00:00Z\n", engine.AggregateOptions{})
	f.Process()
	return f
}

// day returns the attribute day of an identity.
func (f *fixture) day(alias string) string { return f.Identity(alias).Attributes.Get("day").Text() }

// A change of the time zone is an input like any other: a preview shows it, the identities whose values depend on it
// are processed, and slots and schedules move, without a slot that would have been missed.
func TestTimeZoneChanges(t *testing.T) {
	t.Parallel()
	clock := enginetest.NewClock(time.Date(2026, 6, 10, 10, 0, 0, 0, time.UTC))
	f := dated(t, engine.Config{Now: clock.Now, Connectors: map[string]connector.Factory{"delimited-folder": delimited.New}})
	if _, err := f.RunSchedule(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.execute(`UPDATE muster.refresh_state SET due = '2026-06-10 20:00Z'`) // the next slot, as that of a periodic value
	next := func() string {
		return f.text(`SELECT to_char(next AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM muster.source_aggregations`)
	}
	if got := next(); got != "2026-06-11 05:00" {
		t.Errorf("the source is aggregated at %s", got)
	}
	const zone = `settings: {timeZone: Europe/Berlin}`
	changes, totals := f.preview(engine.PreviewParams{Documents: f.documents(zone)})
	if !strings.Contains(changes, "2026-06-01 01:00 CEST") || totals.Objects[0].Type != engine.TypeSettings {
		t.Errorf("the preview shows %s %+v", changes, totals.Objects)
	}
	if result := f.ApplyText(zone); result.Marked != 1 || result.Task == "" {
		t.Errorf("applying marked %d identities, want 1", result.Marked)
	}
	if got := next(); got != "2026-06-11 03:00" {
		t.Errorf("the source is aggregated at %s, want 05:00 in Berlin", got)
	}
	if due := f.text(`SELECT to_char(due AT TIME ZONE 'UTC', 'HH24:MI') FROM muster.refresh_state`); due != "18:00" {
		t.Errorf("the identity is due at %s, want 20:00 in Berlin", due)
	}
	f.Process()
	if got, want := f.day("ann"), "2026-06-01 01:00 CEST"; got != want {
		t.Errorf("the day is %q, want %q", got, want)
	}
	result, err := f.RunSchedule(t.Context())
	if err != nil || !result.Slot.IsZero() {
		t.Errorf("the slot %s was begun, which nobody missed; %v", result.Slot, err)
	}
	schedule, err := f.Schedule(t.Context(), 10)
	if err != nil || schedule.TimeZone != "Europe/Berlin" || schedule.Next[0].Slot.Format(time.RFC3339) != "2026-06-10T20:00:00+02:00" {
		t.Errorf("the schedule is %+v, %v", schedule, err)
	}
	clock.Set(time.Date(2026, 6, 10, 18, 1, 0, 0, time.UTC))
	if result, err = f.RunSchedule(t.Context()); err != nil || result.Slot.Format(time.RFC3339) != "2026-06-10T20:00:00+02:00" {
		t.Errorf("the slot %s was begun, %v, want that of Berlin", result.Slot, err)
	}
	for _, c := range f.doctor(engine.DoctorOptions{}).Checks {
		if strings.HasPrefix(c.Name, "slot") && c.Severity != engine.SeverityOK {
			t.Errorf("the doctor says %+v", c)
		}
	}
}

// Every engine holds what the tenant's guard holds, from the next run after a change on, whatever the engine was given
// at its start; it says so in its log, once.
func TestAllEnginesFollowTheGuard(t *testing.T) {
	t.Parallel()
	const people = 100
	var log lockedBuffer
	off := engine.Config{BatchSize: 10, Workers: 1, Guard: engine.Guard{Off: true}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	f := many(t, people, off)
	engines := []*engine.Engine{f.Engine, f.another(engine.Config{BatchSize: 10, Workers: 1}), f.another(off), f.another(off)}
	f.ApplyText("settings: {guard: {share: 0.1, minimum: 5, off: false}}")
	for i, eng := range engines {
		f.ApplyText(fmt.Sprintf(salesRole, true, "Nobody"))
		result, err := eng.ProcessPending(t.Context(), engine.ProcessOptions{})
		if err != nil || len(result.Held) != 1 || result.RolesLost > 10 {
			t.Fatalf("engine %d: %+v, %v, want the run held", i, result, err)
		}
		if _, err := eng.CancelTask(t.Context(), result.Held[0]); err != nil {
			t.Fatal(err)
		}
		f.ApplyText(fmt.Sprintf(salesRole, true, "Sales")) // who lost it gains it again
		if result := f.Process(); len(result.Held) != 0 || f.CountRows(`muster.role_assignments`) < people {
			t.Fatalf("engine %d: %+v, want everybody to have the role again", i, result)
		}
	}
	if n := strings.Count(log.String(), "followed instead of Config"); n != 3 {
		t.Errorf("%d warnings that the settings are followed, want one of each engine that says something else:\n%s", n, log.String())
	}
	f.ApplyText("settings: {guard: {off: true}}")
	f.ApplyText(fmt.Sprintf(salesRole, true, "Elsewhere"))
	if result, err := engines[1].ProcessPending(t.Context(), engine.ProcessOptions{}); err != nil || len(result.Held) != 0 {
		t.Errorf("with the guard off %+v, %v, want nothing held", result, err)
	}
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

// The object limit of an applied configuration holds at once for an engine that runs, and an option of one aggregation
// overrides it.
func TestObjectLimitIsTheTenants(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText("settings: {limits: {objects: 3}}")
	_, err := f.Aggregate(t.Context(), "HR", strings.NewReader(enginetest.People), engine.AggregateOptions{})
	demandKind(t, err, engine.Conflict, "there are more than 3 objects")
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{MaxObjects: 5})
}

// Engines that run are listed while they run, and the doctor tells in what they differ.
func TestDoctorComparesEngines(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, engine.Config{})
	rule := func(*transform.RuleInput) (attribute.Value, error) { return attribute.Null, nil }
	one := f.another(engine.Config{Rules: map[string]transform.Rule{"badge": rule}, Guard: engine.Guard{Share: 0.2}})
	two := f.another(engine.Config{Connectors: map[string]connector.Factory{"delimited-folder": delimited.New}})
	for _, eng := range []*engine.Engine{one, two} {
		if err := eng.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = one.Stop(t.Context()), two.Stop(t.Context()) })
	running, err := f.Engines(t.Context())
	if err != nil || len(running) != 2 || running[0].Process != int64(os.Getpid()) || running[0].Host == "" {
		t.Fatalf("the engines are %+v, %v", running, err)
	}
	findings := func() string {
		var texts []string
		for _, c := range f.doctor(engine.DoctorOptions{}).Checks {
			if strings.HasPrefix(c.Name, "engine-") && c.Severity != engine.SeverityOK {
				texts = append(texts, c.Name+": "+strings.Join(c.Examples, "; "))
			}
		}
		return strings.Join(texts, "\n")
	}
	f.ApplyText("settings: {guard: {share: 0.5}}")
	f.execute(`INSERT INTO muster.engines VALUES (gen_random_uuid(), 'old.example.com', 7, 'v0.0.1', now(), now(),
		'{"rules": [], "connectors": [], "schemaVersion": 7, "settings": {"fromLater": 1}}')`)
	got := findings()
	for _, want := range []string{
		"engine-rules: ", fmt.Sprintf("process %d: rules badge", os.Getpid()), "no rules", "engine-connectors: ", "connectors delimited-folder",
		"engine-version: ", "old.example.com, process 7: version v0.0.1, tables 7", "engine-settings: ",
		"Config.Guard.Share is 0.2, guard.share is 0.5",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the doctor says\n%s\nwant %q in it", got, want)
		}
	}
	// An engine that gives no sign of life is forgotten, first by readers and then by the look at the clock.
	f.execute(`UPDATE muster.engines SET seen = now() - interval '6 minutes' WHERE process = 7`)
	if got := findings(); strings.Contains(got, "old.example.com") {
		t.Errorf("the doctor says %s of an engine that is gone", got)
	}
	if _, err := f.RunSchedule(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := f.CountRows(`muster.engines`); n != 2 {
		t.Errorf("%d engines are recorded, want 2", n)
	}
	if err := one.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := findings(); got != "" || f.CountRows(`muster.engines`) != 1 {
		t.Errorf("the doctor says %s of one engine", got)
	}
}

// Messages have the tenant's sender, page and lifetime of the moment in which they are made.
func TestMailSettings(t *testing.T) {
	t.Parallel()
	var box mailbox
	f := companyWith(t, engine.Config{Notifier: &box, Mail: engine.Mail{Sender: "first@example.com"}})
	f.ApplyText(`settings: {mail: {sender: "Muster <muster@example.com>", invitationUrl: "https://example.com/{token}",
		invitationLifetime: 14d}}`)
	before := time.Now()
	f.invite(engine.InviteParams{IDs: []string{f.ID("ann")}})
	f.send()
	m := box.take()[0]
	if m.Sender != "Muster <muster@example.com>" || m.URL != "https://example.com/{token}" ||
		m.Expires.Sub(before) < 14*24*time.Hour-time.Minute || m.Expires.Sub(before) > 14*24*time.Hour+time.Minute {
		t.Errorf("the message is of %q to %q and lasts %s", m.Sender, m.URL, m.Expires.Sub(before))
	}
}
