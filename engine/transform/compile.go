package transform

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/velocity"
	"github.com/muster-engine/muster/filterql/suggest"
)

// Compile checks and compiles a definition: the JSON of a transform in the published shape. It looks references and
// rules up in the library; if that is nil, they stay unresolved and fail in evaluations. The error is a [*CompileError]
// with all faults.
func Compile(definition []byte, library Library) (*Transform, error) {
	c := compiler{library: library, saved: map[string]*node{}}
	root, name, err := c.transform(definition, "")
	if err != nil {
		return nil, err
	}
	return c.finish(root, name)
}

type compiler struct {
	library Library
	collector
	faults []Fault
	// saved holds the saved transforms that were referred to. Each is compiled once, and nil until that is done.
	saved map[string]*node
	chain []string // saved transforms whose compilation has begun
	depth int
	// enclosing is the definition that is being compiled, uses are the templates of the document so far.
	enclosing *definition
	uses      []use
	// policy is what the field of an account policy adds; nil without one.
	policy *policy
	// watched is what [UnreadMembers] remembers; nil for others.
	watched *watch
}

// policy is what a field of an account policy says beside its transform.
type policy struct {
	template           string // of a name
	nameMax, checksMax int    // limits of a generated name; 0 for none
	earlier            []string
	names              map[string]bool // those of earlier; nil until they are asked for
}

// use are the variables that a template reads, and the definition in which it stands.
type use struct {
	names []string
	path  string
	in    *definition
}

// contextVariables are the variables that every template has: those of the vendor's template engine
// (https://developer.sailpoint.com/docs/extensibility/transforms) and $input. [Input].Variables has application and
// current.
var contextVariables = []string{
	"identity", "input", "oldValue", "attributeDefinition", "field", "application", "current",
}

// checkUses records a fault for each variable that is declared nowhere. The definitions around a template declare its
// variables, and what is around them.
func (c *compiler) checkUses() {
	for _, u := range c.uses {
		for _, name := range u.names {
			if c.declares(u.in, name) || c.full() {
				continue
			}
			hint := didYouMean(name, c.declared(u.in))
			if hint == "" {
				hint = `: declare it beside the operation's attributes, or write \$ for a dollar sign`
			}
			c.fault(u.path, "there is no variable $%s%s", name, hint)
		}
	}
}

// declares reports whether the templates of a definition have a variable. Those that declare it remember that it is
// read.
func (c *compiler) declares(d *definition, name string) bool {
	declared := slices.Contains(contextVariables, name) || c.policy != nil && c.policy.has(name)
	for ; d != nil; d = d.parent {
		if d.variables[name] {
			declared = true
			d.markRead(name)
		}
	}
	return declared
}

// declared returns the variables that the templates of a definition have.
func (c *compiler) declared(d *definition) []string {
	declared := slices.Clone(contextVariables)
	if c.policy != nil {
		declared = append(declared, c.policy.earlier...)
	}
	for ; d != nil; d = d.parent {
		if d.node.variables != nil {
			declared = append(declared, d.node.variables.names...)
		}
	}
	return declared
}

// has reports whether a field before this one has a name.
func (p *policy) has(name string) bool {
	if p.names == nil {
		p.names = make(map[string]bool, len(p.earlier))
		for _, earlier := range p.earlier {
			p.names[earlier] = true
		}
	}
	return p.names[name]
}

// markRead remembers that a template reads a variable of a definition.
func (d *definition) markRead(name string) {
	if d.watched == nil {
		return
	}
	if d.readVariables == nil {
		d.readVariables = map[string]bool{}
	}
	d.readVariables[name] = true
}

func (c *compiler) finish(root *node, name string) (*Transform, error) {
	if len(c.faults) > 0 {
		return nil, &CompileError{Faults: c.faults}
	}
	return &Transform{
		name: name, root: root, dependencies: c.collector.finish(), periodic: c.periodic, random: c.random,
	}, nil
}

// transform compiles a definition as a whole.
func (c *compiler) transform(source []byte, owner string) (root *node, name string, err error) {
	tree, err := decode(source)
	if err != nil {
		return nil, "", err
	}
	if tree.kind != isObject {
		return nil, "", faultAt("", "a transform is an object with type and attributes, this is %v", tree.kind)
	}
	if n := tree.get("name"); n != nil && n.kind == isString {
		name = n.text
	}
	if owner == "" {
		owner = name
	}
	return c.document(tree, owner, ""), name, nil
}

// document compiles a transform and checks the variables of its templates.
func (c *compiler) document(tree *document, owner, path string) *node {
	enclosing, uses := c.enclosing, c.uses
	c.enclosing, c.uses = nil, nil
	root := c.node(tree, owner, path)
	c.checkUses()
	c.enclosing, c.uses = enclosing, uses
	return root
}

// full reports whether no more faults are recorded.
func (c *compiler) full() bool { return len(c.faults) > FaultsMax }

// fault records a fault. Behind [FaultsMax] of them it only says that there are more: to compare each name that stands
// for nothing with all others would take the square of the definition.
func (c *compiler) fault(path, format string, arguments ...any) {
	if c.full() {
		return
	}
	if len(c.faults) == FaultsMax {
		c.faults = append(c.faults, Fault{"", "there are more faults"})
		return
	}
	if n := len(c.chain); n > 0 {
		path = strings.TrimSuffix(fmt.Sprintf("transform %q: %s", c.chain[n-1], path), ": ")
	}
	c.faults = append(c.faults, Fault{path, fmt.Sprintf(format, arguments...)})
}

// node compiles a transform object. It returns a node even if there are faults.
func (c *compiler) node(tree *document, owner, path string) *node {
	n := &node{owner: owner, path: path}
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > DepthMax {
		c.fault(path, "transforms are nested deeper than %d", DepthMax)
		return n
	}
	kind := tree.get("type")
	switch {
	case kind == nil:
		c.fault(join(path, "type"), "it is missing: a transform names its operation")
		return n
	case kind.kind != isString:
		c.fault(join(path, "type"), "it is %v, the name of an operation is expected", kind.kind)
		return n
	}
	constructor, known := operations[kind.text]
	if !known {
		c.fault(join(path, "type"), "unknown operation %q%s", kind.text, didYouMean(kind.text, operationNames))
		return n
	}
	n.kind = kind.text
	d := &definition{
		compiler: c, node: n, parent: c.enclosing, path: join(path, "attributes"), used: map[string]bool{},
	}
	switch attributes := tree.get("attributes"); {
	case attributes == nil || attributes.kind == isNull:
	case attributes.kind == isObject:
		d.attributes = attributes
	default:
		c.fault(d.path, "it is %v, an object is expected", attributes.kind)
		return n
	}
	for _, holder := range []*document{tree, d.attributes} {
		if holder != nil {
			d.periodic(holder)
		}
	}
	if c.watched != nil {
		c.watched.enter(tree, path, d)
	}
	before := c.time
	c.enclosing = d
	n.input = d.operand("input")
	n.operation = constructor(d)
	d.declare()
	c.enclosing = d.parent
	n.time = c.time > before
	return n
}

func didYouMean(word string, candidates []string) string {
	if nearest := suggest.Nearest(word, candidates); nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	return ""
}

// definition is the attributes of one transform, for its constructor.
type definition struct {
	*compiler
	node       *node
	parent     *definition
	path       string
	attributes *document
	used       map[string]bool
	variables  map[string]bool // that it declares, once it is compiled
	// anyValue says that its variables may be of any shape: another one than of a text becomes its JSON.
	anyValue bool
	// readVariables are the variables that templates read, where [UnreadMembers] asks for it.
	readVariables map[string]bool
}

func (d *definition) at(name string) string { return join(d.path, name) }

// get returns an attribute, or nil if it is missing.
func (d *definition) get(name string) *document {
	d.used[name] = true
	if d.attributes == nil {
		return nil
	}
	return d.attributes.get(name)
}

func (d *definition) periodic(holder *document) {
	d.used["requiresPeriodicRefresh"] = true
	switch flag := holder.get("requiresPeriodicRefresh"); {
	case flag == nil || flag.kind == isNull:
	case flag.kind == isBool || flag.kind == isString && (flag.text == "true" || flag.text == "false"):
		d.collector.periodic = d.collector.periodic || flag.text == "true"
	default:
		d.fault(d.at("requiresPeriodicRefresh"), "true or false is expected")
	}
}

// operand compiles an optional value.
func (d *definition) operand(name string) operand {
	value := d.get(name)
	if value == nil {
		return operand{}
	}
	return d.operandOf(value, d.at(name))
}

// required compiles a value that must be present. It may be null.
func (d *definition) required(name string) operand {
	o := d.operand(name)
	if !o.given() {
		d.missing(name)
	}
	return o
}

// requiredEscaped is required for a text that [definition.escaped] compiles.
func (d *definition) requiredEscaped(name string, known ...string) operand {
	value := d.get(name)
	if value == nil {
		d.missing(name)
		return operand{}
	}
	return d.escaped(value, d.at(name), known...)
}

// missing records that an attribute is missing, and names one that may be a misspelling of it.
func (d *definition) missing(name string) {
	var near string
	if d.attributes != nil {
		var names []string
		for _, m := range d.attributes.members {
			if !d.used[m.name] {
				names = append(names, m.name)
			}
		}
		if nearest := suggest.Nearest(name, names); nearest != "" {
			near = fmt.Sprintf("; is %q meant for it?", nearest)
		}
	}
	d.fault(d.at(name), "it is missing: %s needs it%s", d.node.kind, near)
}

func (d *definition) operandOf(value *document, path string) operand {
	switch value.kind {
	case isString:
		return d.template(value.text, path)
	case isObject:
		return operand{kind: isNode, node: d.compiler.node(value, d.node.owner, path)}
	case isArray:
		items := make([]string, 0, len(value.items))
		for i, item := range value.items {
			if item.kind == isObject || item.kind == isArray {
				d.fault(fmt.Sprintf("%s[%d]", path, i), "it is %v, a text is expected", item.kind)
			}
			items = append(items, item.text)
		}
		return literalOf(attribute.List(items))
	default:
		return literalOf(value.value())
	}
}

// template compiles a text, which may contain references.
func (d *definition) template(text, path string) operand {
	if !strings.ContainsAny(text, `$#`) {
		return textOf(text)
	}
	t, err := velocity.Parse(text)
	return d.parsed(t, err, text, path)
}

// parsed makes an operand of a parsed text. The names in known need no declaration.
func (d *definition) parsed(t *velocity.Template, err error, text, path string, known ...string) operand {
	if err != nil {
		d.fault(path, "%v", err)
		return textOf(text)
	}
	if literal, ok := t.Literal(); ok {
		return textOf(literal)
	}
	d.reads(t, path, known...)
	return operand{kind: isTemplate, template: t}
}

// reads records which variables a template reads, and which attributes of identities.
func (d *definition) reads(t *velocity.Template, path string, known ...string) {
	names := t.Free()
	if len(known) > 0 { // names of groups, which a pattern of few bytes has
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(known, name) })
	}
	d.uses = append(d.uses, use{names, path, d})
	d.readsOf(t)
}

// escaped compiles a text that another reader reads after the template, and where \$ and \# mean the characters
// themselves too: a regular expression or its replacement. The names in known are references of that reader, such as
// the ${name} of a group.
func (d *definition) escaped(value *document, path string, known ...string) operand {
	if value.kind != isString || !strings.ContainsAny(value.text, `$#`) {
		return d.operandOf(value, path)
	}
	t, err := velocity.ParseEscaped(value.text)
	return d.parsed(t, err, value.text, path, known...)
}

// values compiles a list of values that must be present.
func (d *definition) values(name string) []operand {
	value := d.get(name)
	if value == nil {
		d.missing(name)
		return nil
	}
	if value.kind != isArray {
		d.fault(d.at(name), "it is %v, an array of values is expected", value.kind)
		return nil
	}
	operands := make([]operand, len(value.items))
	for i, item := range value.items {
		operands[i] = d.operandOf(item, fmt.Sprintf("%s[%d]", d.at(name), i))
	}
	return operands
}

// literal reads a text that the compiler itself needs, so it must be constant.
func (d *definition) literal(name, otherwise string) string {
	value := d.get(name)
	switch {
	case value == nil || value.kind == isNull:
		return otherwise
	case value.kind == isObject || value.kind == isArray:
		d.fault(d.at(name), "it is %v, a text is expected", value.kind)
		return otherwise
	default:
		return value.text
	}
}

// requiredLiteral is literal for an attribute that must be present and not empty.
func (d *definition) requiredLiteral(name string) string {
	if value := d.get(name); value == nil || value.kind == isNull {
		d.missing(name)
		return ""
	}
	text := d.literal(name, "")
	if text == "" && len(d.faults) == 0 {
		d.fault(d.at(name), "it is empty")
	}
	return text
}

// flag reads true or false, which may also be written as texts.
func (d *definition) flag(name string, otherwise bool) bool {
	switch text := d.literal(name, ""); strings.ToLower(text) {
	case "true":
		return true
	case "false":
		return false
	case "":
		return otherwise
	default:
		d.fault(d.at(name), "true or false is expected")
		return otherwise
	}
}

// count reads a whole number within limits. It may also be written as a text.
func (d *definition) count(name string, otherwise, least, most int) int {
	n, err := wholeNumber(d.literal(name, strconv.Itoa(otherwise)))
	if err != nil || n < least || n > most {
		d.fault(d.at(name), "a whole number from %d to %d is expected", least, most)
		return otherwise
	}
	return n
}

// number compiles an operand that must be a whole number if it is a literal.
func (d *definition) number(name string) operand {
	o := d.operand(name)
	if o.kind == isLiteral && !o.literal.IsNull() {
		if _, err := wholeNumber(o.literal.Text()); err != nil {
			d.fault(d.at(name), "a whole number is expected")
		}
	}
	return o
}

// declare turns the attributes that the operation does not know into variables.
func (d *definition) declare() {
	if d.attributes == nil {
		return
	}
	var s scope
	for _, m := range d.attributes.members {
		if d.used[m.name] {
			continue
		}
		var value operand
		switch {
		case !m.value.isShaped():
			value = d.operandOf(m.value, d.at(m.name))
		case d.anyValue:
			value = textOf(string(m.value.appendJSON(nil)))
		case m.value.kind == isObject:
			continue // not a transform, so templates could not use it
		default:
			value = d.operandOf(m.value, d.at(m.name)) // reports the fault
		}
		s.names = append(s.names, m.name)
		s.operands = append(s.operands, value)
	}
	if len(s.names) > 0 {
		d.node.variables = &s
		d.variables = make(map[string]bool, len(s.names))
		for _, name := range s.names {
			d.variables[name] = true
		}
	}
}

// usesTime records that the value depends on the present time.
func (d *definition) usesTime() { d.time++ }

// refer compiles the saved transform of a name. It returns nil if the reference stays unresolved.
func (d *definition) refer(name, path string) *node {
	c := d.compiler
	if known, ok := c.saved[name]; ok {
		if known == nil && slices.Contains(c.chain, name) {
			c.fault(path, "the transforms refer to each other in a circle: %s", circle(c.chain, name))
		}
		if known != nil && known.time {
			d.usesTime()
		}
		return known
	}
	source, ok := c.definitionOf(name)
	if !ok {
		if c.library != nil {
			hint := ""
			if namer, tells := c.library.(Namer); tells && !c.full() {
				hint = didYouMean(name, slices.AppendSeq(namer.TransformNames(), maps.Keys(builtInTransforms)))
			}
			c.fault(path, "there is no transform named %q%s", name, hint)
		}
		return nil
	}
	if len(c.chain) == DepthMax {
		c.fault(path, "transforms refer to each other more than %d deep", DepthMax)
		return nil
	}
	c.saved[name] = nil
	c.chain = append(c.chain, name)
	depth := c.depth
	c.depth = 0
	root, _, err := c.transform(source, name)
	c.depth = depth
	var broken *CompileError
	if errors.As(err, &broken) {
		for _, fault := range broken.Faults {
			c.fault(fault.Path, "%s", fault.Msg)
		}
	}
	c.chain = c.chain[:len(c.chain)-1]
	c.saved[name] = root
	return root
}

// definitionOf returns the definition of a saved transform, or of a built-in one.
func (c *compiler) definitionOf(name string) ([]byte, bool) {
	if c.library != nil {
		if source, ok := c.library.Transform(name); ok {
			c.Transforms = append(c.Transforms, name)
			return source, true
		}
	}
	if source := builtInTransforms[name]; source != "" {
		return []byte(source), true
	}
	c.Transforms = append(c.Transforms, name)
	return nil, false
}

func circle(chain []string, name string) string {
	start := slices.Index(chain, name)
	return strings.Join(append(slices.Clone(chain[start:]), name), " → ")
}
