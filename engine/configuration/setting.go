package configuration

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-engine/muster/filterql/suggest"
)

// The names of the settings.
const (
	SettingTimeZone             = "timeZone"
	SettingShare                = "guard.share"
	SettingMinimum              = "guard.minimum"
	SettingOff                  = "guard.off"
	SettingObjects              = "limits.objects"
	SettingSender               = "mail.sender"
	SettingInvitationURL        = "mail.invitationUrl"
	SettingVerificationURL      = "mail.verificationUrl"
	SettingInvitationLifetime   = "mail.invitationLifetime"
	SettingVerificationLifetime = "mail.verificationLifetime"
)

// The defaults of the settings.
const (
	GuardShareDefault           = 0.10
	GuardMinimumDefault         = 20
	ObjectsDefault              = 10_000_000
	InvitationLifetimeDefault   = 7 * 24 * time.Hour // as published
	VerificationLifetimeDefault = 2 * time.Hour      // as published
)

// The limits of settings.
const (
	// LifetimeLeast and LifetimeMost are the least and the greatest lifetime of a token.
	LifetimeLeast = time.Minute
	LifetimeMost  = 365 * 24 * time.Hour
	// settingLengthMax is how many bytes a text may have.
	settingLengthMax = 2000
)

// TokenPlace stands for the token in a URL of the settings.
const TokenPlace = "{token}"

// setting is one setting: what it is called, its default, and how it is read.
type setting struct {
	name     string
	field    string // of engine.Config
	standard any
	// read returns the value of a decoded JSON value: a string, a bool, or a json.Number.
	read func(value any) (any, error)
}

// settings are all settings, in the order in which they are shown. It must not be changed.
var settings = []setting{
	{SettingTimeZone, "Location", "UTC", readZone},
	{SettingShare, "Guard.Share", GuardShareDefault, readShare},
	{SettingMinimum, "Guard.Minimum", GuardMinimumDefault, count(0)},
	{SettingOff, "Guard.Off", false, readFlag},
	{SettingObjects, "Objects", ObjectsDefault, count(1)},
	{SettingSender, "Mail.Sender", "", readSender},
	{SettingInvitationURL, "Mail.InvitationURL", "", readURL},
	{SettingVerificationURL, "Mail.VerificationURL", "", readURL},
	{SettingInvitationLifetime, "Mail.InvitationLifetime", InvitationLifetimeDefault, readLifetime},
	{SettingVerificationLifetime, "Mail.VerificationLifetime", VerificationLifetimeDefault, readLifetime},
}

// CheckValues returns the first thing that is wrong with the values of a Config. It names the field of Config.
func CheckValues(given Values) error {
	for i := range settings {
		d := &settings[i]
		value, ok := given[d.name]
		if !ok {
			continue
		}
		if number, isNumber := numberOf(value); isNumber {
			value = number
		}
		if _, err := d.read(shown(value)); err != nil {
			return fmt.Errorf("%s: %w", d.field, err)
		}
	}
	return nil
}

// numberOf returns a number as a JSON text.
func numberOf(value any) (json.Number, bool) {
	switch n := value.(type) {
	case int:
		return json.Number(strconv.Itoa(n)), true
	case float64:
		return json.Number(strconv.FormatFloat(n, 'g', -1, 64)), true
	}
	return "", false
}

// ParseSettings reads a SETTINGS object. Its errors name the member, and what is expected there.
func ParseSettings(object json.RawMessage) (Values, error) {
	values := Values{}
	if len(object) == 0 {
		return values, nil
	}
	return values, values.readMembers("", object)
}

// readMembers reads the members of an object that stand under a path, such as "guard.".
func (v Values) readMembers(path string, object json.RawMessage) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil || members == nil {
		return errNoObject
	}
	for _, member := range slices.Sorted(maps.Keys(members)) {
		name, text := path+member, members[member]
		at := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
		group := path == "" && slices.ContainsFunc(settings, func(s setting) bool {
			return strings.HasPrefix(s.name, member+".")
		})
		var err error
		switch {
		case at < 0 && !group:
			return unknownSetting(path, member)
		case isNone(text): // as if it were not there
		case group:
			if err := v.readMembers(member+".", text); err != nil {
				if errors.Is(err, errNoObject) {
					return fmt.Errorf("%s: %w", name, err)
				}
				return err
			}
		default:
			if v[name], err = settings[at].readText(text); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// readText reads the JSON of a value.
func (d *setting) readText(text json.RawMessage) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return d.read(value)
}

// unknownSetting returns the error that there is no setting of a name, with those that there are.
func unknownSetting(path, member string) error {
	var known []string
	for i := range settings {
		name, nested := strings.CutPrefix(settings[i].name, path)
		if !nested {
			continue
		}
		name, _, _ = strings.Cut(name, ".")
		if !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	list := path + strings.Join(known, ", "+path)
	if nearest := suggest.Nearest(member, known); nearest != "" {
		return fmt.Errorf("unknown setting %q: did you mean %q? The known ones are %s", clipped(path+member),
			path+nearest, list)
	}
	return fmt.Errorf("unknown setting %q: the known ones are %s", clipped(path+member), list)
}

// given returns the kind of a JSON value, for errors.
func given(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(clipped(v))
	case json.Number:
		return clipped(string(v))
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	}
	return "an object"
}

func readZone(value any) (any, error) {
	name, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("%s is given where a name such as Europe/Berlin is expected", given(value))
	}
	_, err := loadZone(name)
	return name, err
}

func readShare(value any) (any, error) {
	number, ok := value.(json.Number)
	share, err := strconv.ParseFloat(string(number), 64)
	if !ok || err != nil || !(share > 0 && share <= 1) {
		return nil, fmt.Errorf("%s is given where a share above 0 and at most 1 is expected: 0.1 stands for 10 %%",
			given(value))
	}
	return share, nil
}

// count returns what reads a whole number from a least one on.
func count(least int) func(any) (any, error) {
	return func(value any) (any, error) {
		number, ok := value.(json.Number)
		n, err := strconv.ParseInt(string(number), 10, 64)
		if !ok || err != nil || n < int64(least) || n > math.MaxInt32 {
			return nil, fmt.Errorf("%s is given where a whole number from %d to %d is expected", given(value), least,
				math.MaxInt32)
		}
		return int(n), nil
	}
}

func readFlag(value any) (any, error) {
	flag, ok := value.(bool)
	if !ok {
		return nil, fmt.Errorf("%s is given where true or false is expected", given(value))
	}
	return flag, nil
}

func readSender(value any) (any, error) {
	text, ok := value.(string)
	if _, err := mail.ParseAddress(text); !ok || err != nil || len(text) > settingLengthMax ||
		strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("an address is expected, as Muster <muster@example.com>")
	}
	return text, nil
}

func readURL(value any) (any, error) {
	text, ok := value.(string)
	parsed, err := url.Parse(strings.ReplaceAll(text, TokenPlace, "x"))
	if !ok || err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" ||
		!strings.Contains(text, TokenPlace) || len(text) > settingLengthMax {
		return nil, fmt.Errorf("an address with %s in it is expected, as https://example.com/register?token=%s",
			TokenPlace, TokenPlace)
	}
	return text, nil
}

// durationPattern is a number of days before what [time.ParseDuration] reads.
var durationPattern = regexp.MustCompile(`^(?:([0-9]{1,4})d)?(.*)$`)

func readLifetime(value any) (any, error) {
	text, ok := value.(string)
	parts := durationPattern.FindStringSubmatch(text)
	var lifetime time.Duration
	var err error
	if ok && parts != nil {
		if days, _ := strconv.Atoi(parts[1]); days > 0 {
			lifetime = time.Duration(days) * 24 * time.Hour
		}
		if parts[2] != "" || parts[1] == "" {
			var rest time.Duration
			rest, err = time.ParseDuration(parts[2])
			lifetime += rest
		}
	}
	if !ok || parts == nil || err != nil || lifetime < LifetimeLeast || lifetime > LifetimeMost {
		return nil, fmt.Errorf("%s is given where a time from %s to %s is expected, such as 7d, 2h or 90m",
			given(value), durationText(LifetimeLeast), durationText(LifetimeMost))
	}
	return lifetime, nil
}

// durationText writes a time as [readLifetime] reads it, with days.
func durationText(d time.Duration) string {
	const day = 24 * time.Hour
	text := ""
	if days := d / day; days > 0 {
		text, d = fmt.Sprintf("%dd", days), d%day
	}
	if d == 0 && text != "" {
		return text
	}
	rest := d.String()
	for _, suffix := range []string{"m0s", "h0m"} { // 2h0m0s is 2h
		if strings.HasSuffix(rest, suffix) {
			rest = rest[:len(rest)-2]
		}
	}
	return text + rest
}
