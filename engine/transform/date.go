package transform

import (
	"errors"
	"fmt"
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
	parse   func(text string, location *time.Location) (time.Time, error)
	format  func(time.Time) string
}

// The named formats. As in the schema of the published API, an offset of 0 from UTC is written Z.
var layouts = map[string]*layout{
	"ISO8601":          {parse: parseISO, pattern: mustCompile("yyyy-MM-dd'T'HH:mm:ss.SSSX")},
	"LDAP":             {parse: parseLDAP, pattern: mustCompile("yyyyMMddHHmmss.Z")},
	"PEOPLE_SOFT":      {pattern: mustCompile("MM/dd/yyyy")},
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
	return &layout{name: text, pattern: pattern}
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

func (l *layout) write(e *evaluation, t time.Time) string {
	if l.format != nil {
		return l.format(t)
	}
	return l.pattern.Format(t.In(e.location()))
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
	if !timed {
		t, err := time.ParseInLocation(time.DateOnly, date, location)
		if err != nil {
			return t, errNoDate
		}
		return t, nil
	}
	zone := ""
	if at := strings.LastIndexAny(clock, "Zz+-"); at >= 0 {
		clock, zone = clock[:at], clock[at:]
	}
	layout, value := time.DateOnly+"T15:04", date+"T"+strings.Replace(clock, ",", ".", 1)
	if strings.Count(clock, ":") == 2 {
		layout += ":05" // also reads a fraction
	}
	switch {
	case zone == "":
	case strings.EqualFold(zone, "Z"):
		location = time.UTC
	default:
		layout += map[int]string{3: "-07", 5: "-0700", 6: "-07:00"}[len(zone)]
		value += zone
	}
	t, err := time.ParseInLocation(layout, value, location)
	if err != nil {
		return t, errNoDate
	}
	return t, nil
}

// parseLDAP reads the generalized time of directories: 20231109120000.0Z, 20231109120000Z, or with an offset.
func parseLDAP(text string, _ *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	digits, rest := text, ""
	if at := strings.IndexAny(text, ".,Zz+-"); at >= 0 {
		digits, rest = text[:at], text[at:]
	}
	if strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, ",") {
		rest = strings.TrimLeft(rest[1:], "0123456789")
	}
	layout := "20060102150405"
	switch len(digits) {
	case len(layout):
	case len("200601021504"), len("2006010215"):
		layout = layout[:len(digits)]
	default:
		return time.Time{}, errors.New("want yyyyMMddHHmmss.Z")
	}
	if len(rest) == 3 || len(rest) == 5 {
		layout += map[int]string{3: "-07", 5: "-0700"}[len(rest)]
		digits += rest
	} else if rest != "" && !strings.EqualFold(rest, "Z") {
		return time.Time{}, errors.New("want yyyyMMddHHmmss.Z")
	}
	t, err := time.ParseInLocation(layout, digits, time.UTC)
	if err != nil {
		return t, errors.New("want yyyyMMddHHmmss.Z")
	}
	return t, nil
}

// parseEpoch reads milliseconds since 1970.
func parseEpoch(text string, _ *time.Location) (time.Time, error) {
	ms, err := parseCount(text, "milliseconds since 1970")
	return time.UnixMilli(ms), err
}

func formatEpoch(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// windowsEpoch is 1 January 1601 in seconds since 1970.
const windowsEpoch = -11_644_473_600

// parseWindows reads units of 100 ns since 1601.
func parseWindows(text string, _ *time.Location) (time.Time, error) {
	n, err := parseCount(text, "units of 100 ns since 1601")
	return time.Unix(windowsEpoch+n/1e7, n%1e7*100), err
}

func formatWindows(t time.Time) string {
	return strconv.FormatInt((t.Unix()-windowsEpoch)*1e7+int64(t.Nanosecond()/100), 10)
}

// countMax is the largest count of units since an epoch: more than the year 9999 in the finest unit, and far from an
// overflow.
const countMax = int64(4e18)

func parseCount(text, what string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n > countMax || n < -countMax {
		return 0, errors.New("want the number of " + what)
	}
	return n, nil
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
	t, err := f.from.read(e, input.Text())
	if err != nil {
		return attribute.Null, err
	}
	return attribute.String(f.to.write(e, t)), nil
}

// dateCompare compares two dates.
type dateCompare struct {
	first, second      operand
	operator           string
	positive, negative operand
	time               bool
}

func newDateCompare(d *definition) operation {
	d.Zone = true
	before := d.time
	c := &dateCompare{first: d.date("firstDate"), second: d.date("secondDate")}
	c.time = d.time > before
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
	holds, err := c.holds(e, input)
	if err != nil {
		return attribute.Null, err
	}
	if c.time && e.wantDue && !e.probe {
		if err := c.recordTurn(e, input, holds); err != nil {
			return attribute.Null, err
		}
	}
	if holds {
		return c.positive.eval(e, input)
	}
	return c.negative.eval(e, input)
}

// holds compares the dates. It reads the time for them, but the value does not show that time.
func (c *dateCompare) holds(e *evaluation, input attribute.Value) (bool, error) {
	probe := e.probe
	e.probe = true
	defer func() { e.probe = probe }()
	first, err := c.date(e, input, &c.first, "firstDate")
	if err != nil {
		return false, err
	}
	second, err := c.date(e, input, &c.second, "secondDate")
	if err != nil {
		return false, err
	}
	order := first.Compare(second)
	switch c.operator {
	case "LT":
		return order < 0, nil
	case "LTE":
		return order <= 0, nil
	case "GT":
		return order > 0, nil
	default:
		return order >= 0, nil
	}
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

// horizon is how far ahead recordTurn looks for the turn of a comparison.
const horizon = 200 * 365 * 24 * time.Hour

// recordTurn finds the second at which the comparison turns, by trying times, and records it.
func (c *dateCompare) recordTurn(e *evaluation, input attribute.Value, holds bool) error {
	outerInput, outerFrame, outerSteps, count := e.in, e.frame, e.steps, e.count
	defer func() { e.in, e.frame, e.steps, e.count = outerInput, outerFrame, outerSteps, count }()
	e.steps = nil
	at := func(t time.Time) (bool, error) {
		in := *outerInput
		in.Now = t
		e.in, e.frame, e.count = &in, outerFrame.forget(), count
		return c.holds(e, input)
	}
	low, high := outerInput.Now, outerInput.Now.Add(horizon)
	turned, err := at(high)
	if err != nil || turned == holds {
		return err
	}
	for high.Sub(low) > time.Second {
		middle := low.Add(high.Sub(low) / 2)
		same, err := at(middle)
		if err != nil {
			return err
		}
		if same == holds {
			low = middle
		} else {
			high = middle
		}
	}
	e.recordDue(high)
	return nil
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
	m := &dateMath{roundUp: d.flag("roundUp")}
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
	for _, step := range m.steps {
		if step.round {
			t = truncate(t, step.unit)
			if m.roundUp {
				t = add(t, 1, step.unit)
			}
		} else {
			t = add(t, step.amount, step.unit)
		}
		if t.Year() > 9999 || t.Year() < 1 {
			return attribute.Null, errors.New("the date leaves the years 1 to 9999")
		}
	}
	return attribute.String(mathFormat.Format(t)), nil
}

// add adds to a date. A day that the month does not have becomes its last day.
func add(t time.Time, n int, unit byte) time.Time {
	switch unit {
	case 'y':
		return addMonths(t, 12*n)
	case 'M':
		return addMonths(t, n)
	case 'w':
		return t.AddDate(0, 0, 7*n)
	case 'd':
		return t.AddDate(0, 0, n)
	case 'h':
		return t.Add(time.Duration(n) * time.Hour)
	case 'm':
		return t.Add(time.Duration(n) * time.Minute)
	default:
		return t.Add(time.Duration(n) * time.Second)
	}
}

func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	first = first.AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// truncate goes back to the beginning of a unit.
func truncate(t time.Time, unit byte) time.Time {
	year, month, day := t.Date()
	switch unit {
	case 'y':
		return time.Date(year, 1, 1, 0, 0, 0, 0, t.Location())
	case 'M':
		return time.Date(year, month, 1, 0, 0, 0, 0, t.Location())
	case 'd':
		return time.Date(year, month, day, 0, 0, 0, 0, t.Location())
	case 'h':
		return time.Date(year, month, day, t.Hour(), 0, 0, 0, t.Location())
	case 'm':
		return t.Truncate(time.Minute)
	default:
		return t.Truncate(time.Second)
	}
}
