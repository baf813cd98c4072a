package transform

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/javadate"
)

// layout is a format of dates: a pattern or a named format.
type layout struct {
	name    string
	pattern *javadate.Format
	clock   clock // how the format rounds
	parse   func(text string, location *time.Location) (time.Time, error)
	format  func(time.Time) (string, error)
}

// The named formats. As in the schema of the published API, an offset of 0 from UTC is written Z. An offset has its
// minutes, so that the text means the same time in every zone.
var layouts = map[string]*layout{
	"ISO8601":          {parse: parseISO, pattern: mustCompile("yyyy-MM-dd'T'HH:mm:ss.SSSXXX")},
	"LDAP":             {parse: parseLDAP, pattern: mustCompile("yyyyMMddHHmmss.Z"), clock: toSecond},
	"PEOPLE_SOFT":      {pattern: mustCompile("MM/dd/yyyy"), clock: toDay},
	"EPOCH_TIME_JAVA":  {parse: parseEpoch, format: formatEpoch},
	"EPOCH_TIME_WIN32": {parse: parseWindows, format: formatWindows},
}

// mathFormat is the format of dateMath's results.
var mathFormat = mustCompile("yyyy-MM-dd'T'HH:mm")

func mustCompile(pattern string) *javadate.Format {
	f, err := javadate.Compile(pattern)
	if err != nil {
		panic(err)
	}
	return f
}

// layout reads the name of a format or a pattern.
func (d *definition) layout(name string) *layout {
	text := d.literal(name, "ISO8601")
	for known, l := range layouts {
		if strings.EqualFold(text, known) {
			named := *l
			named.name = known
			return &named
		}
	}
	pattern, err := javadate.Compile(text)
	if err != nil {
		d.fault(d.at(name), "%v, and %q is no named format: those are ISO8601, LDAP, PEOPLE_SOFT, EPOCH_TIME_JAVA and "+
			"EPOCH_TIME_WIN32", err, text)
	}
	return &layout{name: text, pattern: pattern, clock: clockOf(text)}
}

func (l *layout) read(e *evaluation, text string) (time.Time, error) {
	var (
		t   time.Time
		err error
	)
	if l.parse != nil {
		t, err = l.parse(text, e.location())
	} else {
		// The present year decides the century of a two-digit year. This does not make the value time-dependent: it
		// changes no value from one day to the next.
		t, err = l.pattern.Parse(strings.TrimSpace(text), javadate.Options{Location: e.location(), Now: e.in.Now})
	}
	if err != nil {
		return t, fmt.Errorf("it is not a date of the format %s: %w", l.name, err)
	}
	return t, nil
}

func (l *layout) write(e *evaluation, t time.Time) (string, error) {
	if l.format != nil {
		return l.format(t)
	}
	t = t.In(e.location())
	// A named format has four digits for the year: its readers would take another year for something else.
	if l.parse != nil && (t.Year() < 1 || t.Year() > 9999) {
		return "", fmt.Errorf("the format %s has the years 1 to 9999", l.name)
	}
	return l.pattern.Format(t), nil
}

var errNoDate = errors.New("want yyyy-MM-dd'T'HH:mm:ss.SSSZ")

// isoMax is more than the length of any supported date in ISO 8601.
const isoMax = 40

// parseISO reads ISO 8601: a date, a time to the minute, the second or a fraction of it, and Z or an offset. Missing
// parts are zero.
func parseISO(text string, location *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	if len(text) > isoMax {
		return time.Time{}, errNoDate
	}
	date, clock, timed := strings.Cut(text, "T")
	if !timed {
		date, clock, timed = strings.Cut(text, " ")
	}
	if len(date) == len("20060102") {
		date = date[:4] + "-" + date[4:6] + "-" + date[6:]
	}
	zone := ""
	layout, value := time.DateOnly, date
	if timed {
		if at := strings.LastIndexAny(clock, "Zz+-"); at >= 0 {
			clock, zone = clock[:at], clock[at:]
		}
		layout, value = layout+"T15:04", date+"T"+strings.Replace(clock, ",", ".", 1)
		if strings.Count(clock, ":") == 2 {
			layout += ":05" // also reads a fraction
		}
	}
	if zone != "" && !strings.EqualFold(zone, "Z") {
		layout += map[int]string{3: "-07", 5: "-0700", 6: "-07:00"}[len(zone)]
		value += zone
	}
	t, err := time.Parse(layout, value)
	if err != nil {
		return t, errNoDate
	}
	if zone == "" {
		return javadate.Instant(t, location, javadate.Later), nil
	}
	return t, nil
}

var errNoLDAP = errors.New("want yyyyMMddHHmmss.Z")

// parseLDAP reads the generalized time of directories: 20231109120000.0Z, 20231109120000Z, or with an offset. A
// fraction is one of the last unit that is there (RFC 4517, 3.3.13).
func parseLDAP(text string, _ *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	digits, zone := text, ""
	if at := strings.IndexAny(text, ".,Zz+-"); at >= 0 {
		digits, zone = text[:at], text[at:]
	}
	layout, unit := "20060102150405", time.Second
	switch len(digits) {
	case len(layout):
	case len("200601021504"):
		unit = time.Minute
	case len("2006010215"):
		unit = time.Hour
	default:
		return time.Time{}, errNoLDAP
	}
	layout = layout[:len(digits)]
	var fraction time.Duration
	if strings.HasPrefix(zone, ".") || strings.HasPrefix(zone, ",") {
		rest := strings.TrimLeft(zone[1:], "0123456789")
		part, err := strconv.ParseFloat("0."+zone[1:len(zone)-len(rest)]+"0", 64)
		if err != nil {
			return time.Time{}, errNoLDAP
		}
		fraction, zone = time.Duration(part*float64(unit)).Round(time.Millisecond), rest
	}
	if len(zone) == 3 || len(zone) == 5 {
		layout += map[int]string{3: "-07", 5: "-0700"}[len(zone)]
		digits += zone
	} else if zone != "" && !strings.EqualFold(zone, "Z") {
		return time.Time{}, errNoLDAP
	}
	t, err := time.Parse(layout, digits)
	if err != nil {
		return t, errNoLDAP
	}
	return t.Add(fraction), nil
}

const msSince1970 = "milliseconds since 1970"

// parseEpoch reads milliseconds since 1970.
func parseEpoch(text string, _ *time.Location) (time.Time, error) {
	ms, err := parseCount(text, msSince1970)
	return time.UnixMilli(ms), err
}

func formatEpoch(t time.Time) (string, error) {
	return formatCount(t.Unix(), int64(t.Nanosecond()), 1000, msSince1970)
}

// windowsEpoch is 1 January 1601 in seconds since 1970.
const windowsEpoch = -11_644_473_600

// neverExpires is what EPOCH_TIME_WIN32 reads for an account that never expires: a date far ahead, in the year 9999 in
// every time zone. https://learn.microsoft.com/en-us/windows/win32/adschema/a-accountexpires has the two numbers.
var neverExpires = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

const unitsSince1601 = "units of 100 ns since 1601"

// parseWindows reads units of 100 ns since 1601. As in accountExpires of Active Directory, 0 and the largest number
// mean never.
func parseWindows(text string, _ *time.Location) (time.Time, error) {
	if number := strings.TrimSpace(text); number == "0" || number == strconv.FormatInt(math.MaxInt64, 10) {
		return neverExpires, nil
	}
	n, err := parseCount(text, unitsSince1601)
	return time.Unix(windowsEpoch+n/1e7, n%1e7*100), err
}

func formatWindows(t time.Time) (string, error) {
	return formatCount(t.Unix()-windowsEpoch, int64(t.Nanosecond()), 1e7, unitsSince1601)
}

// countMax is the largest count of units since an epoch: more than the year 9999 in the finest unit, and far from an
// overflow.
const countMax = int64(4e18)

func parseCount(text, what string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n > countMax || n < -countMax {
		return 0, fmt.Errorf("want the number of %s, at most %d", what, countMax)
	}
	return n, nil
}

// formatCount writes the number of units, perSecond in a second, of a time since an epoch.
func formatCount(seconds, nanoseconds, perSecond int64, what string) (string, error) {
	if seconds > countMax/perSecond || seconds < -countMax/perSecond {
		return "", fmt.Errorf("the number of %s is too large", what)
	}
	return strconv.FormatInt(seconds*perSecond+nanoseconds/(1e9/perSecond), 10), nil
}

// dateFormat writes a date in another format.
type dateFormat struct{ from, to *layout }

func newDateFormat(d *definition) operation {
	d.Zone = true
	return &dateFormat{d.layout("inputFormat"), d.layout("outputFormat")}
}

func (f *dateFormat) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if input.IsNull() {
		return attribute.Null, nil
	}
	if e.clock&readsNow != 0 {
		e.clock |= f.from.clock | f.to.clock
	}
	t, err := f.from.read(e, input.Text())
	if err != nil {
		return attribute.Null, err
	}
	text, err := f.to.write(e, t)
	if err != nil {
		return attribute.Null, err
	}
	return attribute.String(text), nil
}

// dateCompare compares two dates.
type dateCompare struct {
	first, second      operand
	operator           string
	positive, negative operand
}

func newDateCompare(d *definition) operation {
	d.Zone = true
	c := &dateCompare{first: d.date("firstDate"), second: d.date("secondDate")}
	operator := d.requiredLiteral("operator")
	c.operator = strings.ToUpper(operator)
	switch c.operator {
	case "LT", "LTE", "GT", "GTE", "":
	default:
		d.fault(d.at("operator"), "unknown operator %q: LT, LTE, GT and GTE are known", operator)
	}
	c.positive, c.negative = d.required("positiveCondition"), d.required("negativeCondition")
	return c
}

// date compiles an operand that may be "now".
func (d *definition) date(name string) operand {
	o := d.required(name)
	if isNow(&o) {
		d.usesTime()
	}
	return o
}

// isNow reports whether an operand is the literal "now".
func isNow(o *operand) bool {
	return o.kind == isLiteral && strings.EqualFold(strings.TrimSpace(o.literal.Text()), "now")
}

func (c *dateCompare) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	due := e.due
	e.due = time.Time{} // for the comparisons in the dates
	holds, first, second, err := c.holds(e, input)
	if err == nil && e.wantDue && !e.trial && (first|second)&readsNow != 0 {
		err = c.recordTurns(e, input, holds, first, second)
	}
	e.recordDue(due)
	if err != nil {
		return attribute.Null, err
	}
	if holds {
		return c.positive.eval(e, input)
	}
	return c.negative.eval(e, input)
}

// holds compares the dates, and says how each depends on the present time. It reads the time for them, but the value
// does not show that time.
func (c *dateCompare) holds(e *evaluation, input attribute.Value) (holds bool, first, second clock, err error) {
	probe, outer := e.probe, e.clock
	e.probe = true
	defer func() { e.probe, e.clock = probe, outer|first|second }()
	e.clock = 0
	left, err := c.date(e, input, &c.first, "firstDate")
	if first = e.clock; err != nil {
		return false, first, 0, err
	}
	e.clock = 0
	right, err := c.date(e, input, &c.second, "secondDate")
	if second = e.clock; err != nil {
		return false, first, second, err
	}
	order := left.Compare(right)
	switch c.operator {
	case "LT":
		holds = order < 0
	case "LTE":
		holds = order <= 0
	case "GT":
		holds = order > 0
	default:
		holds = order >= 0
	}
	return holds, first, second, nil
}

func (c *dateCompare) date(e *evaluation, input attribute.Value, o *operand, name string) (time.Time, error) {
	if isNow(o) {
		return e.now(), nil
	}
	text, ok, err := o.text(e, input)
	switch {
	case err != nil:
		return time.Time{}, err
	case !ok:
		return time.Time{}, fmt.Errorf("%s is null: give it a value by firstValid", name)
	case strings.EqualFold(strings.TrimSpace(text), "now"):
		return e.now(), nil
	}
	t, err := parseISO(text, e.location())
	if err != nil {
		return t, fmt.Errorf("%s is not a date in ISO 8601: %w", name, err)
	}
	return t, nil
}

// forget returns the frame without the calculated values.
func (f *frame) forget() *frame {
	if f == nil {
		return nil
	}
	return f.scope.frame(f.outer.forget(), f.input)
}

// dateMath adds to a date and rounds it.
type dateMath struct {
	now     bool
	steps   []dateStep
	roundUp bool
}

// dateStep adds an amount of a unit, or rounds to the unit if the amount is 0.
type dateStep struct {
	amount int
	unit   byte
	round  bool
}

// amountMax is the largest amount of one step.
const amountMax = 100_000_000

func newDateMath(d *definition) operation {
	d.Zone = true
	m := &dateMath{roundUp: d.flag("roundUp", false)}
	expression := d.requiredLiteral("expression")
	rest := strings.Join(strings.Fields(expression), "")
	if len(rest) >= 3 && strings.EqualFold(rest[:3], "now") {
		m.now, rest = true, rest[3:]
		d.usesTime()
	}
	for rest != "" {
		step, n, err := readStep(rest)
		if err != nil {
			d.fault(d.at("expression"), "%v", err)
			return m
		}
		m.steps = append(m.steps, step)
		rest = rest[n:]
	}
	if !m.now && len(m.steps) == 0 && expression != "" {
		d.fault(d.at("expression"), "it does nothing: an example is now-5d/d")
	}
	return m
}

// readStep reads +3M or /d.
func readStep(text string) (step dateStep, size int, err error) {
	sign := text[0]
	if sign != '+' && sign != '-' && sign != '/' {
		return step, 0, fmt.Errorf("%q begins no step: steps are such as +3M, -5d and /h", text)
	}
	size = 1
	if sign == '/' {
		step.round = true
	} else {
		for size < len(text) && text[size] >= '0' && text[size] <= '9' {
			size++
		}
		step.amount, err = strconv.Atoi(text[1:size])
		if err != nil || step.amount > amountMax {
			return step, 0, fmt.Errorf("%c is followed by a number up to %d and a unit", sign, amountMax)
		}
		if sign == '-' {
			step.amount = -step.amount
		}
	}
	if size == len(text) || strings.IndexByte("yMwdhms", text[size]) < 0 {
		return step, 0, fmt.Errorf("%q is not followed by a unit: y, M, w, d, h, m or s", text[:size])
	}
	step.unit = text[size]
	if step.round && step.unit == 'w' {
		return step, 0, errors.New("dates cannot be rounded to weeks")
	}
	return step, size + 1, nil
}

func (m *dateMath) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	var t time.Time
	switch {
	case m.now:
		t = e.now()
	case input.IsNull():
		return attribute.Null, nil
	default:
		var err error
		if t, err = parseISO(input.Text(), e.location()); err != nil {
			return attribute.Null, fmt.Errorf("it is not a date in ISO 8601: %w", err)
		}
	}
	t = t.In(e.location())
	e.clock |= toMinute // by its format
	for _, step := range m.steps {
		if step.round {
			e.clock |= roundingTo(step.unit)
		}
		t = m.step(t, step)
		if t.Year() > 9999 || t.Year() < 1 {
			return attribute.Null, errors.New("the date leaves the years 1 to 9999")
		}
	}
	return attribute.String(mathFormat.Format(t)), nil
}

func (m *dateMath) step(t time.Time, step dateStep) time.Time {
	if !step.round {
		return add(t, step.amount, step.unit)
	}
	up := 0
	if m.roundUp {
		up = 1
	}
	return round(t, step.unit, up)
}

// add adds to a date. A day that the month does not have becomes its last day. Years, months, weeks and days keep the
// local time; hours, minutes and seconds are lengths of time.
func add(t time.Time, n int, unit byte) time.Time {
	_, offset := t.Zone()
	wall := javadate.Wall(t)
	switch unit {
	case 'y':
		wall = addMonths(wall, 12*n)
	case 'M':
		wall = addMonths(wall, n)
	case 'w':
		wall = wall.AddDate(0, 0, 7*n)
	case 'd':
		wall = wall.AddDate(0, 0, n)
	default:
		// A time.Duration has at most 292 years.
		seconds := map[byte]int64{'h': 3600, 'm': 60, 's': 1}[unit]
		return time.Unix(t.Unix()+int64(n)*seconds, int64(t.Nanosecond())).In(t.Location())
	}
	return javadate.InstantNear(wall, t.Location(), offset)
}

func addMonths(wall time.Time, n int) time.Time {
	first := wall.AddDate(0, 0, 1-wall.Day()).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(wall.Day(), last)-1)
}

// round goes back to the beginning of a unit of the local time, and up that many units forward.
func round(t time.Time, unit byte, up int) time.Time {
	wall := javadate.Wall(t)
	year, month, day := wall.Date()
	date := func(year int, month time.Month, day int) time.Time {
		return javadate.Instant(time.Date(year, month, day, 0, 0, 0, 0, time.UTC), t.Location(), javadate.Earlier)
	}
	switch unit {
	case 'y':
		return date(year+up, 1, 1)
	case 'M':
		return date(year, month+time.Month(up), 1)
	case 'd':
		return date(year, month, day+up)
	}
	_, offset := t.Zone()
	wall = wall.Truncate(map[byte]time.Duration{'h': time.Hour, 'm': time.Minute, 's': time.Second}[unit])
	return add(javadate.InstantNear(wall, t.Location(), offset), up, unit)
}
