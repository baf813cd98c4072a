package transform

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/velocity"
)

// uniqueCounter is the counter variable of the last pattern.
const uniqueCounter = "uniqueCounter"

// checksMax is the most counts of the last pattern, and their default.
const checksMax = 50

// usernameGenerator finds a free name. It tries its patterns in order, the last one with a counter.
type usernameGenerator struct {
	patterns    []*velocity.Template
	sourceCheck bool
	size        int  // the most code points of a name; 0 for no limit
	checks      int  // the most counts
	identity    bool // attributes of the identity are variables
}

// newGenerator reads the limits of names.
func newGenerator(d *definition) *usernameGenerator {
	g := &usernameGenerator{sourceCheck: d.flag("sourceCheck", false), checks: checksMax}
	if d.policy != nil {
		g.size = d.policy.nameMax
		if d.policy.checksMax > 0 {
			g.checks = d.policy.checksMax
		}
	}
	g.size = d.count("cloudMaxSize", g.size, 0, padMax)
	g.checks = d.count("cloudMaxUniqueChecks", g.checks, 1, checksMax)
	d.used["cloudRequired"] = true
	// Any account of any identity may take a name.
	d.Identity, d.Names = true, true
	return g
}

func newUsernameGenerator(d *definition) operation {
	g := newGenerator(d)
	patterns := d.get("patterns")
	switch {
	case patterns == nil:
		d.missing("patterns")
		return g
	case patterns.kind != isArray || len(patterns.items) == 0:
		d.fault(d.at("patterns"), "an array of patterns is expected, such as $fi$ln${uniqueCounter}")
		return g
	}
	for i, item := range patterns.items {
		g.addPattern(d, item, i, i == len(patterns.items)-1)
	}
	return g
}

func (g *usernameGenerator) addPattern(d *definition, item *document, i int, last bool) {
	path := fmt.Sprintf("%s[%d]", d.at("patterns"), i)
	if item.kind != isString || item.text == "" {
		d.fault(path, "a pattern is expected, such as $fi$ln${uniqueCounter}")
		return
	}
	template, err := velocity.Parse(item.text)
	if err != nil {
		d.fault(path, "%v", err)
		return
	}
	if !last && slices.Contains(template.Names(), uniqueCounter) {
		d.fault(path, "only the last pattern may count with ${%s}", uniqueCounter)
	}
	d.reads(template, path, uniqueCounter)
	g.patterns = append(g.patterns, template)
}

func (g *usernameGenerator) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	tried := 0
	var null *velocity.NullError
	for _, pattern := range g.patterns {
		most := 0
		if slices.Contains(pattern.Names(), uniqueCounter) {
			most = g.checks
		}
		for n := range most + 1 {
			name, err := g.name(e, pattern, input, n)
			if errors.As(err, &null) {
				break // a name without a part of it would be another person's, or nobody's
			}
			if err != nil {
				return attribute.Null, err
			}
			tried++
			if e.count++; e.count > StepsMax { // each is a query
				return attribute.Null, ErrTooManySteps
			}
			taken := name == ""
			if !taken && e.in.Taken != nil {
				if taken, err = e.in.Taken(Candidate{name, e.in.Attribute, g.sourceCheck}); err != nil {
					return attribute.Null, err
				}
			}
			if !taken {
				return attribute.String(name), nil
			}
		}
	}
	if tried == 0 && null != nil {
		return attribute.Null, fmt.Errorf("no pattern can be used: each has a variable that is null, such as %s",
			null.Reference)
	}
	return attribute.Null, fmt.Errorf("no name is free: %d were tried", tried)
}

// counterMark is a placeholder for the counter in a rendered pattern: a character of the private use area.
const counterMark = "\uE000"

// name renders a pattern with a count, which is empty for 0. It cuts a name that is too long before the count, so that
// all tried names differ.
func (g *usernameGenerator) name(e *evaluation, pattern *velocity.Template, input attribute.Value, n int) (string,
	error) {
	text, err := pattern.Render(counting{templateVariables{e, input}, g.identity}, ValueMax, e.templates())
	if err != nil {
		return "", err
	}
	count := ""
	if n > 0 {
		count = strconv.Itoa(n)
	}
	before, after, _ := strings.Cut(text, counterMark)
	after = strings.ReplaceAll(after, counterMark, count)
	name := before + count + after
	excess := utf8.RuneCountInString(name) - g.size
	if g.size == 0 || excess <= 0 {
		return name, nil
	}
	if runes := []rune(before); excess < len(runes) {
		return string(runes[:len(runes)-excess]) + count + after, nil
	}
	return string([]rune(name)[:g.size]), nil
}

// counting adds the counter to the variables of a template, and the attributes of the identity if they are wanted.
type counting struct {
	templateVariables
	identity bool
}

// Variable implements [velocity.Variables].
func (c counting) Variable(name string) (any, bool, error) {
	if name == uniqueCounter {
		return counterMark, true, nil
	}
	value, ok, err := c.templateVariables.Variable(name)
	if !c.identity || ok && value != nil || err != nil {
		return value, ok, err
	}
	if text := c.e.in.Identity.attribute(name).Text(); text != "" {
		return text, true, nil
	}
	return nil, true, nil
}
