package criteria

import (
	"fmt"
	"slices"
	"strings"
)

// Explanation says why a criterion is true or false. That of a comparison has the compared values.
type Explanation struct {
	Operation Operation     `json:"operation"`
	Key       *Key          `json:"-"`
	Source    string        `json:"source,omitempty"` // its name; set by a caller who knows it
	Attribute string        `json:"attribute,omitempty"`
	Value     string        `json:"value,omitempty"`
	Holds     bool          `json:"holds"`
	Values    []string      `json:"values,omitempty"`
	Children  []Explanation `json:"children,omitempty"`
}

// Explain says why the criterion is true or false, comparison by comparison.
func (c *Criterion) Explain(f *Facts) Explanation {
	e := Explanation{Operation: c.Operation}
	if !c.Operation.IsGroup() {
		key := c.Key
		e.Key, e.Attribute, e.Value, e.Holds = &key, key.Attribute, c.Value, c.Match(f)
		f.each(c.Key, func(value string) bool {
			e.Values = append(e.Values, value)
			return true
		})
		return e
	}
	e.Holds = c.Operation == And
	for _, child := range c.Children {
		part := child.Explain(f)
		e.Children = append(e.Children, part)
		if c.Operation == And {
			e.Holds = e.Holds && part.Holds
		} else {
			e.Holds = e.Holds || part.Holds
		}
	}
	return e
}

// valuesShown is the most values of a comparison that a text shows.
const valuesShown = 5

// Render writes the explanation as indented lines.
func (e *Explanation) Render() string {
	var b strings.Builder
	e.render(&b, 0)
	return b.String()
}

func (e *Explanation) render(b *strings.Builder, depth int) {
	mark := "no "
	if e.Holds {
		mark = "yes"
	}
	fmt.Fprintf(b, "%s  %s", mark, strings.Repeat("  ", depth))
	if e.Operation.IsGroup() {
		fmt.Fprintf(b, "%s\n", e.Operation)
		for i := range e.Children {
			e.Children[i].render(b, depth+1)
		}
		return
	}
	name := e.Attribute
	if e.Source != "" {
		name = e.Source + "." + name
	}
	fmt.Fprintf(b, "%s %s %q   is ", name, e.Operation, e.Value)
	shown := slices.Clone(e.Values[:min(len(e.Values), valuesShown)])
	for i := range shown {
		shown[i] = fmt.Sprintf("%q", shown[i])
	}
	if len(e.Values) == 0 {
		b.WriteString("nothing")
	} else if len(e.Values) > valuesShown {
		fmt.Fprintf(b, "%s and %d more", strings.Join(shown, ", "), len(e.Values)-valuesShown)
	} else {
		b.WriteString(strings.Join(shown, ", "))
	}
	b.WriteByte('\n')
}
