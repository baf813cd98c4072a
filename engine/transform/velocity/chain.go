package velocity

import "slices"

// Link is one part of a chain: the name of the variable at its beginning, and a property or a method after it.
//
// The zero Link ends a chain whose value is handed on to what the template alone does not tell: into a list or a map,
// or as the argument of a method.
type Link struct {
	Name string
	Call bool // a method, not a property
	// Argument is the only argument of a call, if that is a constant text, and Constant says so.
	Argument string
	Constant bool
}

// linksMax is the most links that the chains of a template have together. A template with more of them hands on
// whatever it reads.
const linksMax = 20_000

// roundsMax is how often a chain passes through a variable that is set by itself, as in #set($m = $m.getManager()).
const roundsMax = 3

// Chains returns what the template reads: for each reference the variable, and the properties and methods that it reads
// one after the other. A variable that the template sets itself stands for what it is set to: after
// #set($m = $identity.getManager()) the reference $m.getAttribute("city") is the chain identity, getManager,
// getAttribute. A variable that may be one of several is several chains. The element of a list is a call of get.
func (t *Template) Chains() [][]Link {
	f := &follower{set: map[string][]chain{}, read: map[string]bool{}}
	f.nodes(t.nodes)
	reads := f.reads
	for name, values := range f.set {
		if !f.read[name] { // what an unused variable is set to is read all the same
			reads = append(reads, values...)
		}
	}
	for _, c := range reads {
		if f.links > linksMax {
			break
		}
		f.follow(c, map[string]int{})
	}
	if f.links > linksMax {
		return f.handOn(reads)
	}
	return f.all
}

type chain []Link

// follower collects the chains of a template, and which of them its variables are set to.
type follower struct {
	set   map[string][]chain
	read  map[string]bool
	reads []chain
	all   [][]Link
	links int // of all
}

// follow collects the chains that a chain stands for: those of the variable that it begins with.
func (f *follower) follow(c chain, rounds map[string]int) {
	if f.links += len(c); f.links > linksMax {
		return
	}
	// Before it is set, a variable is the one of the same name outside of the template.
	f.all = append(f.all, c)
	name := c[0].Name
	if rounds[name] == roundsMax {
		return
	}
	rounds[name]++
	for _, value := range f.set[name] {
		if f.links > linksMax { // to make the chain would be work that nobody reads
			break
		}
		f.follow(slices.Concat(value, c[1:]), rounds)
	}
	rounds[name]--
}

// handOn returns a chain for each variable that a template with too many chains begins with.
func (f *follower) handOn(reads []chain) [][]Link {
	var all [][]Link
	seen := map[string]bool{}
	for _, values := range f.set {
		reads = append(reads, values...)
	}
	for _, c := range reads {
		if name := c[0].Name; !seen[name] {
			seen[name] = true
			all = append(all, []Link{{Name: name}, {}})
		}
	}
	return all
}

func (f *follower) nodes(nodes []node) {
	for _, n := range nodes {
		switch n := n.(type) {
		case *reference:
			f.expression(n, nil)
		case *condition:
			for _, b := range n.branches {
				f.expression(b.when, nil)
				f.nodes(b.body)
			}
		case *loop:
			f.over(n.name, n.over)
			f.nodes(n.body)
		case *assignment:
			f.assign(n.name, n.value)
		}
	}
}

// assign records what a variable is set to. Only a reference can make it an object: other expressions make texts,
// numbers and truth values, or collections.
func (f *follower) assign(name string, value expression) {
	if ref, ok := value.(*reference); ok {
		f.set[name] = append(f.set[name], f.chain(ref))
		return
	}
	f.expression(value, nil)
}

// over records what the variable of a loop is set to: each element of a list.
func (f *follower) over(name string, over expression) {
	switch over := over.(type) {
	case *reference:
		f.set[name] = append(f.set[name], append(f.chain(over), Link{Name: "get", Call: true}))
	case *list:
		for _, item := range over.items {
			f.assign(name, item)
		}
	default:
		f.expression(over, nil)
	}
}

// expression collects what an expression reads. A reference that is the expression itself ends with the links in end.
func (f *follower) expression(x expression, end []Link) {
	switch x := x.(type) {
	case *reference:
		f.reads = append(f.reads, append(f.chain(x), end...))
	case *quoted:
		f.nodes(x.body)
	case *not:
		f.expression(x.x, nil)
	case *negative:
		f.expression(x.x, nil)
	case *binary:
		f.expression(x.left, nil)
		f.expression(x.right, nil)
	case *span:
		f.expression(x.from, nil)
		f.expression(x.to, nil)
	case *list:
		f.handedOn(x.items)
	case *table:
		f.handedOn(x.keys)
		f.handedOn(x.values)
	}
}

func (f *follower) handedOn(list []expression) {
	for _, x := range list {
		f.expression(x, []Link{{}})
	}
}

// chain returns the chain of a reference, and collects what its arguments read.
func (f *follower) chain(ref *reference) chain {
	f.read[ref.name] = true
	c := chain{{Name: ref.name}}
	for i := range ref.accessors {
		a := &ref.accessors[i]
		f.handedOn(a.arguments)
		if a.index != nil {
			f.expression(a.index, nil)
			c = append(c, elementLink(a.index))
			continue
		}
		link := Link{Name: a.name, Call: a.call}
		if len(a.arguments) == 1 {
			link.Argument, link.Constant = constantText(a.arguments[0])
		}
		c = append(c, link)
	}
	return c
}

// elementLink returns the link of $x[index]: a property for a text, and an element for a number.
func elementLink(index expression) Link {
	constant, ok := index.(literal)
	if !ok {
		return Link{}
	}
	if name, isText := constant.v.(string); isText {
		return Link{Name: name}
	}
	return Link{Name: "get", Call: true}
}

func constantText(x expression) (string, bool) {
	if constant, ok := x.(literal); ok {
		text, isText := constant.v.(string)
		return text, isText
	}
	return "", false
}
