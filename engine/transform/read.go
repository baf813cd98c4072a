package transform

import (
	"slices"

	"github.com/muster-engine/muster/engine/transform/velocity"
)

// readsOf records which attributes a template reads of $identity, and of the other identities that it reaches from
// there. It must know the same methods as identityObject.
func (c *collector) readsOf(t *velocity.Template) {
	if !slices.Contains(t.Names(), "identity") {
		return
	}
	c.Identity = true
	for _, chain := range t.Chains() {
		if chain[0].Name == "identity" {
			(&reader{collector: c}).identity(chain[1:])
		}
	}
}

// reader follows a chain from an identity on.
type reader struct {
	*collector
	other bool // the identity is another one than that whose value is calculated
}

func (r *reader) reads(names ...string) {
	if r.other {
		r.OtherAttributes = append(r.OtherAttributes, names...)
	} else {
		r.Attributes = append(r.Attributes, names...)
	}
}

func (r *reader) readsAny() {
	if r.other {
		r.AnyOther = true
	} else {
		r.AnyAttribute = true
	}
}

// identity follows the rest of a chain behind an identity.
func (r *reader) identity(rest []velocity.Link) {
	if len(rest) == 0 {
		r.reads("displayName") // its text is its name
		return
	}
	link := rest[0]
	property := link.Name
	if link.Call {
		property = propertyOf(property)
	}
	switch property {
	case "": // it is handed on
		r.readsAny()
		if !r.other {
			r.Others, r.Manager, r.Status, r.AnyOther = true, true, true, true
		}
	case "id":
	case "name", "username":
		r.reads("uid")
	case "displayName", "displayableName":
		r.reads("displayName")
	case "fullName":
		r.reads("firstname", "lastname")
	case "attribute", "stringAttribute":
		r.argument(link)
	case "attributes":
		r.reads(property)
		r.attributes(rest[1:])
	case "managerStatus":
		r.Others, r.Status = true, true
	case "manager":
		r.Others, r.Manager = true, true
		(&reader{r.collector, true}).identity(rest[1:])
	case "links", "linksByAppIdOrName", "linksByAppId", "linksByAppName":
	default:
		r.reads(property)
	}
}

// attributes follows the rest of a chain behind the attributes of an identity.
func (r *reader) attributes(rest []velocity.Link) {
	switch {
	case len(rest) == 0: // the text of a map of attributes does not have them
	case rest[0].Name == "":
		r.readsAny()
	case rest[0].Call:
		r.argument(rest[0])
	default:
		r.reads(rest[0].Name)
	}
}

// argument records the attribute that the argument of a method names.
func (r *reader) argument(link velocity.Link) {
	if link.Constant {
		r.reads(link.Argument)
	} else {
		r.readsAny()
	}
}

// readsTemplate records that a template of a generated name reads attributes of the identity by their names.
func (c *collector) readsTemplate(t *velocity.Template) {
	for _, name := range t.Free() {
		if name != uniqueCounter {
			c.Attributes = append(c.Attributes, name)
		}
	}
	c.readsOf(t)
}

// readsAll records that the value may depend on any attribute of any identity.
func (c *collector) readsAll() {
	c.Identity, c.AnyAttribute, c.AnyOther = true, true, true
	c.Others, c.Manager, c.Status, c.Alias = true, true, true, true
}

// readsOther records that the value depends on an attribute of another identity: of the manager, or of one that is
// found by its alias.
func (c *collector) readsOther(name string, manager, alias bool) {
	c.Others, c.Manager, c.Alias = true, c.Manager || manager, c.Alias || alias
	c.OtherAttributes = append(c.OtherAttributes, name)
}
