package engine

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// Mail is what all messages of a tenant have in common. It is a setting of the tenant: see [Config].
type Mail struct {
	// Sender is the sender, such as "Muster <muster@example.com>".
	Sender string
	// InvitationURL and VerificationURL are the pages on which a person registers, or sets a new password, with {token}
	// in place of the token.
	InvitationURL   string
	VerificationURL string
	// InvitationLifetime and VerificationLifetime are how long the tokens of new messages are good: a minute to a year.
	// The tenant's are [InvitationTTL] and [VerificationTTL] where nobody set them.
	InvitationLifetime   time.Duration
	VerificationLifetime time.Duration
}

// The shapes of settings. Package configuration has their fields.
type (
	// SettingOrigin says where a setting comes from: [OriginApplied], [OriginEngine] or [OriginDefault].
	SettingOrigin = configuration.Origin
	// SettingsError says that a [Config] contradicts the tenant's settings, and how. It is the cause of an [Error] of
	// the kind Conflict. For its fields see [configuration.SettingsError].
	SettingsError = configuration.SettingsError
	// SettingConflict is one contradiction of a [SettingsError]. For its fields see [configuration.SettingConflict].
	SettingConflict = configuration.SettingConflict
)

// The origins of settings.
const (
	OriginApplied = configuration.OriginApplied // a SETTINGS object says so
	OriginEngine  = configuration.OriginEngine  // a Config said so before a configuration was applied
	OriginDefault = configuration.OriginDefault // nobody said anything
)

// Settings are the settings of the tenant that are in force. All its engines follow them.
type Settings struct {
	Location *time.Location `json:"-"`
	Guard    Guard          `json:"-"`
	Objects  int            `json:"-"`
	Mail     Mail           `json:"-"`
	// Document is a SETTINGS object that says the same.
	Document json.RawMessage `json:"settings"`
	// Origins says where each setting comes from, by its name, such as "guard.share".
	Origins map[string]SettingOrigin `json:"origins"`
	// Settled says that a configuration was applied and identities are there, so that only documents change the
	// settings.
	Settled bool `json:"settled"`
	// Values are the settings by name, for a table.
	Values []Setting `json:"-"`
}

// Setting is one setting in force.
type Setting struct {
	Name   string // such as "guard.share"
	Value  any    // a text, a number or a boolean, as in a document
	Origin SettingOrigin
}

// Settings returns the settings of the tenant that are in force now.
func (e *Engine) Settings(ctx context.Context) (Settings, error) {
	const op = "show the settings"
	row, err := e.tenant.Store.Settings(ctx, e.tenant.Pool)
	if err != nil {
		return Settings{}, fault.Wrap(op, "", err)
	}
	s, err := configuration.CompileSettings(row.Document)
	if err != nil {
		return Settings{}, fault.Wrap(op, "", err)
	}
	identities, err := e.tenant.Store.HasIdentities(ctx, e.tenant.Pool)
	if err != nil {
		return Settings{}, fault.Wrap(op, "", err)
	}
	shown := Settings{Location: s.Location, Guard: Guard(s.Guard), Objects: s.Objects, Mail: Mail(s.Mail),
		Document: s.Document(), Origins: map[string]SettingOrigin{}, Settled: row.Settled && identities}
	for _, v := range s.List() {
		shown.Values = append(shown.Values, Setting(v))
		shown.Origins[v.Name] = v.Origin
	}
	return shown, nil
}

// mailSettings is a notifier that says what its messages have in common.
type mailSettings interface{ MailSettings() Mail }

// given returns the tenant's settings that c gives: its fields that are not zero, and what its notifier says.
func (c *Config) given() (configuration.Values, error) {
	values := configuration.Values{}
	if c.Location != nil {
		values[configuration.SettingTimeZone] = c.Location.String()
	}
	switch g := c.Guard; {
	case g.Off:
		values[configuration.SettingOff] = true
	case g != Guard{}:
		values[configuration.SettingOff] = false
		give(values, configuration.SettingShare, g.Share)
		give(values, configuration.SettingMinimum, g.Minimum)
	}
	give(values, configuration.SettingObjects, c.Objects)
	mail := c.Mail
	if n, ok := c.Notifier.(mailSettings); ok {
		mail = mail.or(n.MailSettings())
	}
	give(values, configuration.SettingSender, mail.Sender)
	give(values, configuration.SettingInvitationURL, mail.InvitationURL)
	give(values, configuration.SettingVerificationURL, mail.VerificationURL)
	give(values, configuration.SettingInvitationLifetime, mail.InvitationLifetime)
	give(values, configuration.SettingVerificationLifetime, mail.VerificationLifetime)
	return values, configuration.CheckValues(values)
}

// give adds a value that is not zero.
func give[T comparable](values configuration.Values, name string, value T) {
	var zero T
	if value != zero {
		values[name] = value
	}
}

// or returns m with what other says where m says nothing.
func (m Mail) or(other Mail) Mail {
	first := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	m.Sender = first(m.Sender, other.Sender)
	m.InvitationURL = first(m.InvitationURL, other.InvitationURL)
	m.VerificationURL = first(m.VerificationURL, other.VerificationURL)
	if m.InvitationLifetime == 0 {
		m.InvitationLifetime = other.InvitationLifetime
	}
	if m.VerificationLifetime == 0 {
		m.VerificationLifetime = other.VerificationLifetime
	}
	return m
}

// adoptSettings makes what Config gives the tenant's settings, or fails where it contradicts them.
func (e *Engine) adoptSettings(ctx context.Context, op string, given configuration.Values) error {
	if len(given) == 0 {
		return nil
	}
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error { return e.applier.AdoptSettings(ctx, tx, given) })
	if errors.Is(err, store.ErrNotFound) {
		return nil // the row of the configuration is gone: the doctor tells, and writes it again
	}
	return fault.Wrap(op, "", err)
}

// RunningEngine is an engine that is started: by [Engine.Start], in any process.
type RunningEngine struct {
	ID      string    `json:"id"`
	Host    string    `json:"host"`
	Process int64     `json:"process"` // its ID on the host
	Version string    `json:"version"` // of this library
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"` // by its last sign of life
	// Rules and Connectors are the names of those that its Config has.
	Rules      []string `json:"rules"`
	Connectors []string `json:"connectors"`
	// SchemaVersion is the version of the tables that it works with.
	SchemaVersion int64 `json:"schemaVersion"`
	// Settings are the settings that its Config gives, as a SETTINGS object.
	Settings json.RawMessage `json:"settings"`
}

// Engines returns the engines that are started, and gave a sign of life within 5 minutes, by host and process. They do
// so every half minute.
func (e *Engine) Engines(ctx context.Context) ([]RunningEngine, error) {
	rows, err := e.tenant.RunningEngines(ctx, e.tenant.Pool)
	list := make([]RunningEngine, len(rows))
	for i := range rows {
		r := &rows[i]
		list[i] = RunningEngine{ID: r.ID.String(), Host: r.Host, Process: r.Process, Version: r.Version,
			Started: r.Started.UTC(), Seen: r.Seen.UTC(), Rules: r.Rules, Connectors: r.Connectors,
			SchemaVersion: r.SchemaVersion, Settings: r.Presence.Settings}
	}
	return list, fault.Wrap("list the engines", "", err)
}

// presence says that an engine is started, from its start to its stop.
type presence struct {
	mutex sync.Mutex
	leave func() // nil while the engine is not started
}

// begin says that the engine is started now. After a start without a stop it says so again.
func (p *presence) begin(announce func() (func(), error)) (err error) {
	p.end()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.leave, err = announce()
	return err
}

// end says that the engine is not started any more.
func (p *presence) end() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.leave != nil {
		p.leave()
		p.leave = nil
	}
}
