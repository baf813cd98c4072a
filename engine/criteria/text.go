package criteria

import (
	"fmt"
	"strings"
)

// Text returns the criterion as one line. The function source returns the names of sources.
//
//	department EQUALS "Sales" AND (title CONTAINS "Manager" OR title CONTAINS "Director")
func (c *Criterion) Text(source func(ID) string) string {
	var b strings.Builder
	c.text(&b, source)
	return b.String()
}

func (c *Criterion) text(b *strings.Builder, source func(ID) string) {
	if !c.Operation.IsGroup() {
		b.WriteString(nameOf(c.Key, source))
		fmt.Fprintf(b, " %s %q", c.Operation, c.Value)
		return
	}
	for i, child := range c.Children {
		if i > 0 {
			fmt.Fprintf(b, " %s ", c.Operation)
		}
		if !child.Operation.IsGroup() {
			child.text(b, source)
			continue
		}
		b.WriteByte('(')
		child.text(b, source)
		b.WriteByte(')')
	}
}

func nameOf(key Key, source func(ID) string) string {
	if key.Type == Identity {
		return key.Attribute
	}
	return source(key.SourceID) + "." + key.Attribute
}
