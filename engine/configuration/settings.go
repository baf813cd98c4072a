package configuration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/store"
)

// Settings are the settings of a tenant that are in force, compiled. They never change: a change of the settings makes
// another version of the configuration. They are for package engine.
type Settings struct {
	// Location is the time zone: of the slots, of schedules, and of dates without a zone.
	Location *time.Location
	Guard    Guard
	Objects  int // that one aggregation reads, at most
	Mail     Mail
	// ZoneSince is when documents last changed the time zone; zero for never. No slot before it is missing.
	ZoneSince time.Time

	values  Values // all that are in force
	layers  layers
	origins map[string]Origin
}

// Guard limits what a run may take away before somebody confirms it. engine.Guard documents it in full; package task
// applies it.
type Guard struct {
	Share   float64 // of the identities that the run is about, above 0 and at most 1
	Minimum int     // the least limit, in identities
	Off     bool    // every run may do everything
}

// Limit returns how many identities of a population a run may concern without a confirmation.
func (g Guard) Limit(population int64) int64 {
	return max(int64(g.Minimum), int64(g.Share*float64(population)))
}

// Mail is what all messages of a tenant have in common. engine.Mail documents it in full.
type Mail struct {
	Sender               string
	InvitationURL        string
	VerificationURL      string
	InvitationLifetime   time.Duration
	VerificationLifetime time.Duration
}

// Origin says where a setting comes from.
type Origin string

// The origins of settings.
const (
	OriginApplied Origin = "applied" // a SETTINGS object says so
	OriginEngine  Origin = "engine"  // an engine's Config said so before a configuration was applied
	OriginDefault Origin = "default" // nobody said anything
)

// Values are settings by name, such as "guard.share": those that a document or a Config gives. Each value is a text, a
// number, a boolean or a [time.Duration], as the table of settings says.
type Values map[string]any

// Setting is one setting in force.
type Setting struct {
	Name   string
	Value  any // a text, a number or a boolean, as in a document
	Origin Origin
}

// layers are the settings as they are stored: what documents say counts before what engines set.
type layers struct {
	Applied   Values
	Engines   Values
	ZoneSince time.Time
}

// storedLayers is the JSON of layers. The values are documents.
type storedLayers struct {
	Applied   json.RawMessage `json:"applied,omitempty"`
	Engines   json.RawMessage `json:"engines,omitempty"`
	ZoneSince *time.Time      `json:"zoneSince,omitempty"`
}

// CompileSettings compiles settings as they are stored with the configuration.
func CompileSettings(document []byte) (*Settings, error) {
	var stored storedLayers
	if len(document) > 0 {
		if err := json.Unmarshal(document, &stored); err != nil {
			return nil, fmt.Errorf("settings: %w", err)
		}
	}
	var l layers
	var err error
	if l.Applied, err = ParseSettings(stored.Applied); err == nil {
		l.Engines, err = ParseSettings(stored.Engines)
	}
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if stored.ZoneSince != nil {
		l.ZoneSince = *stored.ZoneSince
	}
	return l.compile()
}

// compile returns the settings that are in force.
func (l layers) compile() (*Settings, error) {
	s := &Settings{layers: l, values: Values{}, origins: map[string]Origin{}, ZoneSince: l.ZoneSince}
	for i := range settings {
		d := &settings[i]
		s.values[d.name], s.origins[d.name] = d.standard, OriginDefault
		if value, set := l.Engines[d.name]; set {
			s.values[d.name], s.origins[d.name] = value, OriginEngine
		}
		if value, set := l.Applied[d.name]; set {
			s.values[d.name], s.origins[d.name] = value, OriginApplied
		}
	}
	var err error
	if s.Location, err = loadZone(s.values[SettingTimeZone].(string)); err != nil {
		return nil, fmt.Errorf("settings: timeZone: %w", err)
	}
	v := s.values
	s.Guard = Guard{Share: v[SettingShare].(float64), Minimum: v[SettingMinimum].(int), Off: v[SettingOff].(bool)}
	s.Objects = v[SettingObjects].(int)
	s.Mail = Mail{
		Sender: v[SettingSender].(string), InvitationURL: v[SettingInvitationURL].(string),
		VerificationURL:      v[SettingVerificationURL].(string),
		InvitationLifetime:   v[SettingInvitationLifetime].(time.Duration),
		VerificationLifetime: v[SettingVerificationLifetime].(time.Duration),
	}
	return s, nil
}

// document returns the layers as they are stored.
func (l *layers) document() []byte {
	stored := storedLayers{Applied: l.Applied.Document(), Engines: l.Engines.Document()}
	if !l.ZoneSince.IsZero() {
		stored.ZoneSince = &l.ZoneSince
	}
	return marshal(stored)
}

// marshal returns the JSON of a value that can always be written.
func marshal(value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(text.Bytes())
}

// Document returns values as the SETTINGS object that gives them.
func (v Values) Document() json.RawMessage {
	object := map[string]any{}
	for name, value := range v {
		group, member, nested := strings.Cut(name, ".")
		if !nested {
			object[name] = shown(value)
			continue
		}
		if object[group] == nil {
			object[group] = map[string]any{}
		}
		object[group].(map[string]any)[member] = shown(value)
	}
	return marshal(object)
}

// shown returns a value as a document has it.
func shown(value any) any {
	if duration, ok := value.(time.Duration); ok {
		return durationText(duration)
	}
	return value
}

// ShownValue returns the text of a value of [Values], for a person.
func ShownValue(value any) string {
	if text := fmt.Sprint(shown(value)); text != "" {
		return text
	}
	return "none"
}

// List returns the settings in force.
func (s *Settings) List() []Setting {
	list := make([]Setting, len(settings))
	for i := range settings {
		name := settings[i].name
		list[i] = Setting{Name: name, Value: shown(s.values[name]), Origin: s.origins[name]}
	}
	return list
}

// Document returns the settings in force as a SETTINGS object that could be applied. Those that have no value are left
// out.
func (s *Settings) Document() json.RawMessage {
	given := maps.Clone(s.values)
	maps.DeleteFunc(given, func(_ string, value any) bool { return value == "" })
	return given.Document()
}

// SettingConflict says that a Config gives another value than the tenant's settings.
type SettingConflict struct {
	Field   string // of engine.Config, such as "Guard.Share"
	Setting string // such as "guard.share"
	Given   string // the value of Config
	Tenant  string // the value in force
	Origin  Origin // of the value in force
}

// SettingsError says that a Config contradicts the tenant's settings, and how.
type SettingsError struct{ Conflicts []SettingConflict }

func (e *SettingsError) Error() string {
	var texts []string
	for i := range e.Conflicts {
		c := &e.Conflicts[i]
		texts = append(texts, fmt.Sprintf("Config.%s is %s, but the setting %s of the tenant is %s (%s): apply a "+
			"SETTINGS object that says %s, or leave Config.%s zero, which stands for the tenant's setting", c.Field,
			c.Given, c.Setting, c.Tenant, c.Origin.words(), c.Given, c.Field))
	}
	return strings.Join(texts, "; ")
}

// words says in words where a setting comes from.
func (o Origin) words() string {
	switch o {
	case OriginApplied:
		return "it was applied"
	case OriginEngine:
		return "an engine set it"
	}
	return "the default"
}

// Compare compares values that a Config gives with the settings. conflict is nil where none contradicts them. fresh are
// those that nobody has set, and that the engine may set. Where the settings are settled the defaults count, so these
// are only settings that have no default, such as the sender of messages.
func (s *Settings) Compare(given Values, settled bool) (fresh Values, conflict *SettingsError) {
	fresh = Values{}
	conflict = &SettingsError{}
	for i := range settings {
		d := &settings[i]
		value, ok := given[d.name]
		switch {
		case !ok:
		case s.origins[d.name] == OriginDefault && (!settled || d.standard == ""):
			fresh[d.name] = value
		case value != s.values[d.name]:
			conflict.Conflicts = append(conflict.Conflicts, SettingConflict{Field: d.field, Setting: d.name,
				Given: ShownValue(value), Tenant: ShownValue(s.values[d.name]), Origin: s.origins[d.name]})
		}
	}
	if len(conflict.Conflicts) == 0 {
		return fresh, nil
	}
	return nil, conflict
}

// With returns the settings with values that an engine sets, and how they are stored.
func (s *Settings) With(fresh Values) (after *Settings, document []byte, err error) {
	l := layers{Applied: s.layers.Applied, Engines: Values{}, ZoneSince: s.layers.ZoneSince}
	maps.Copy(l.Engines, s.layers.Engines)
	maps.Copy(l.Engines, fresh)
	after, err = l.compile()
	return after, l.document(), err
}

// Applied returns the settings after a SETTINGS object was applied at a time, and how they are stored. The object says
// all that documents say: what an earlier one said besides is what engines set, or the default.
func (s *Settings) Applied(object json.RawMessage, at time.Time) (after *Settings, document []byte, err error) {
	l := layers{Engines: maps.Clone(s.layers.Engines), ZoneSince: s.layers.ZoneSince}
	if l.Applied, err = ParseSettings(object); err != nil {
		return nil, nil, err
	}
	maps.DeleteFunc(l.Engines, func(name string, _ any) bool {
		_, said := l.Applied[name]
		return said
	})
	if after, err = l.compile(); err != nil {
		return nil, nil, err
	}
	if after.values[SettingTimeZone] != s.values[SettingTimeZone] {
		after.ZoneSince, l.ZoneSince = at, at
	}
	after.layers = l
	return after, l.document(), nil
}

// SaidBefore reports whether a SETTINGS object was applied before, and whether it said the same as one that is applied
// now, which made after.
func (s *Settings) SaidBefore(after *Settings) (said, same bool) {
	return len(s.layers.Applied) > 0, maps.Equal(s.layers.Applied, after.layers.Applied)
}

// Dropped returns a note for each setting that an earlier SETTINGS object gave and the one that made after does not.
func (s *Settings) Dropped(after *Settings) []string {
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(s.layers.Applied)) {
		if _, kept := after.layers.Applied[name]; !kept {
			notes = append(notes, fmt.Sprintf("settings: %s is not given any more: it is %s now (%s)", name,
				ShownValue(after.values[name]), after.origins[name].words()))
		}
	}
	return notes
}

// compileSettings compiles the settings of the rows.
func (c *Configuration) compileSettings(rows *store.Configuration) (err error) {
	c.Settings, err = CompileSettings(rows.Settings)
	return err
}

// loadZone returns the time zone of an IANA name.
func loadZone(name string) (*time.Location, error) {
	location, err := time.LoadLocation(name)
	if name == "" || name == "Local" || err != nil {
		return nil, fmt.Errorf("%q is unknown: a name of the IANA time zone database such as Europe/Berlin is "+
			"expected, and the host needs that database, or the program imports time/tzdata", clipped(name))
	}
	return location, nil
}

var errNoObject = errors.New("an object is expected")
