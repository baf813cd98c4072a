package transform

import (
	"slices"

	"github.com/muster-engine/muster/filterql/suggest"
)

// Attributes returns the names of the attributes that an operation itself reads, sorted; nil for an operation that
// there is not. Every attribute of another name is a variable of the operation's templates.
func Attributes(operation string) []string {
	constructor, known := operations[operation]
	if !known {
		return nil
	}
	c := compiler{saved: map[string]*node{}}
	d := &definition{compiler: &c, node: &node{kind: operation}, path: "attributes", used: map[string]bool{},
		attributes: &document{kind: isObject}}
	d.used["input"], d.used["requiresPeriodicRefresh"] = true, true
	constructor(d) // its faults are about attributes that are missing here
	return d.names()
}

// names returns the attributes that the operation asked for, sorted.
func (d *definition) names() []string {
	names := make([]string, 0, len(d.used))
	for name := range d.used {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Unread is a member of a definition that nothing reads.
type Unread struct {
	Path string // such as attributes.inptu
	// Variable says that it stands among the attributes of an operation, where it declares a variable.
	Variable bool
	Meant    string // the member that may be meant; "" if there is none like it
}

// UnreadMembers returns the members of a definition that nothing reads: those beside type and attributes that no
// definition has, and attributes that the operation does not know and whose variable no template reads. It does not
// look into the saved transforms that the definition refers to. Of a definition that does not compile it returns those
// of the part that could be read.
func UnreadMembers(source []byte) []Unread {
	tree, err := decode(source)
	if err != nil || tree.kind != isObject {
		return nil
	}
	c := compiler{saved: map[string]*node{}, watched: &watch{}}
	c.policy = &policy{} // a name may be generated
	c.document(tree, "", "")
	return c.watched.unread()
}

// watch is what is remembered of a compilation to tell which members are not read.
type watch struct {
	definitions []*definition
	strays      []Unread
}

// members are those that a transform has beside its attributes.
var members = []string{"id", "name", "type", "attributes", "internal", "requiresPeriodicRefresh"}

// enter remembers a definition, and the members of the transform that none has.
func (w *watch) enter(tree *document, path string, d *definition) {
	w.definitions = append(w.definitions, d)
	if path == "" {
		return // the members of a whole object are the caller's to judge
	}
	for _, m := range tree.members {
		if !slices.Contains(members, m.name) {
			w.strays = append(w.strays, Unread{Path: join(path, m.name), Meant: suggest.Nearest(m.name, members)})
		}
	}
}

// unread returns what was not read, in the order of the definition.
func (w *watch) unread() []Unread {
	unread := w.strays
	for _, d := range w.definitions {
		if d.node.variables == nil || d.anyValue { // a rule of the host has them all
			continue
		}
		for _, name := range d.node.variables.names {
			if !d.readVariables[name] {
				unread = append(unread, Unread{Path: d.at(name), Variable: true,
					Meant: suggest.Nearest(name, d.names())})
			}
		}
	}
	return unread
}
