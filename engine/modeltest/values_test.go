package modeltest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// The values property: for random configurations with references between attributes and between people, one processing
// gives what an evaluator of its own says, and processing everybody after it changes nothing.

// mappingKind is how an attribute of the property is made.
type mappingKind int

const (
	ofColumn   mappingKind = iota // of a column of the account
	ofOwn                         // of another attribute of the same identity, with the person's name before it
	ofManager                     // of an attribute of the manager
	ofBuddy                       // of an attribute of somebody whom a column names
	ofStatus                      // whether the identity is a manager
	ofTemplate                    // of the manager's attribute, in a template, with the person's name before it
	kinds
)

// valueMapping is one attribute: its value comes from the attribute with the number from.
type valueMapping struct {
	kind mappingKind
	from int
}

// staffMember is a row of the source; nil rows are of people who are not there.
type staffMember struct {
	column, boss, buddy string
}

const (
	attributesMax = 6
	namesOfStaff  = "ann bob cem dan eva fay gus"
)

func attributeName(i int) string { return fmt.Sprintf("value%c", 'A'+i) }

// document writes the configuration of the mappings.
func document(mappings []valueMapping) string {
	var b strings.Builder
	b.WriteString("identityAttributes:\n")
	for i := range mappings {
		fmt.Fprintf(&b, "  - {name: %s, displayName: %[1]s, type: string}\n", attributeName(i))
	}
	b.WriteString(`sources:
  - name: Staff
    connector: delimited-file
    schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: col}, {name: boss}, {name: buddy}]}]
    managerCorrelationMapping: {accountAttributeName: boss, identityAttributeName: uid}
identityProfiles:
  - name: Staff
    authoritativeSource: {type: SOURCE, name: Staff}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
`)
	account := func(name string) string {
		return "{type: accountAttribute, attributes: {sourceName: Staff, attributeName: " + name + "}}"
	}
	reference := "{type: rule, attributes: {name: Cloud Services Deployment Utility, operation: getReferenceIdentityAttribute, uid: %s, attributeName: %s}}"
	for i, m := range mappings {
		var definition string
		switch from := attributeName(m.from); m.kind {
		case ofColumn:
			definition = account("col")
		case ofOwn:
			definition = fmt.Sprintf("{type: concat, attributes: {values: [%s, '.', {type: firstValid, attributes: {values: [{type: identityAttribute, attributes: {name: %s}}, {type: static, attributes: {value: '-'}}]}}]}}",
				account("id"), from)
		case ofManager:
			definition = fmt.Sprintf(reference, "manager", from)
		case ofBuddy:
			definition = fmt.Sprintf(reference, account("buddy"), from)
		case ofStatus:
			definition = `{type: static, attributes: {value: "$identity.getManagerStatus()"}}`
		case ofTemplate:
			definition = fmt.Sprintf(`{type: static, attributes: {value: '#set($m = $identity.getManager())$id/#if($m)$!m.getAttribute("%s")#end', id: %s}}`,
				from, account("id"))
		}
		fmt.Fprintf(&b, "        - {identityAttributeName: %s, transformDefinition: %s}\n", attributeName(i), definition)
	}
	return b.String()
}

// evaluator says what values people have. It knows nothing of orders and of batches: it follows each reference.
type evaluator struct {
	mappings []valueMapping
	staff    map[string]*staffMember
	done     map[string]string // by person and attribute
	open     map[string]bool   // those that are being evaluated: a second time is a circle
	circle   map[string]bool   // those that come from a circle
}

// value returns the value of an attribute of a person, "" for none.
func (e *evaluator) value(person string, i int) string {
	key := fmt.Sprintf("%s %d", person, i)
	if value, done := e.done[key]; done {
		return value
	}
	if e.open[key] {
		for k := range e.open {
			e.circle[k] = true
		}
		return ""
	}
	e.open[key] = true
	m, row, value := e.mappings[i], e.staff[person], ""
	of := func(other string) string {
		if e.staff[other] == nil || other == "" {
			return ""
		}
		value := e.value(other, m.from)
		if e.circle[fmt.Sprintf("%s %d", other, m.from)] {
			e.circle[key] = true
		}
		return value
	}
	boss := row.boss
	if boss == person {
		boss = "" // nobody is the manager of itself
	}
	switch m.kind {
	case ofColumn:
		value = row.column
	case ofOwn:
		if value = of(person); value == "" {
			value = "-"
		}
		value = person + "." + value
	case ofManager:
		value = of(boss)
	case ofBuddy:
		value = of(row.buddy)
	case ofStatus:
		leads := false
		for name, other := range e.staff {
			leads = leads || name != person && other.boss == person
		}
		value = fmt.Sprint(leads)
	case ofTemplate:
		value = person + "/" + of(boss)
	}
	delete(e.open, key)
	e.done[key] = value
	return value
}

// drawMappings draws mappings in which no attribute reads itself through others of the same identity.
func drawMappings(r *rapid.T) []valueMapping {
	mappings := make([]valueMapping, rapid.IntRange(2, attributesMax).Draw(r, "attributes"))
	order := rapid.Permutation(numbers(len(mappings))).Draw(r, "order")
	for n, i := range order {
		m := valueMapping{kind: mappingKind(rapid.IntRange(0, int(kinds)-1).Draw(r, "kind"))}
		switch {
		case m.kind == ofOwn && n == 0:
			m.kind = ofColumn
		case m.kind == ofOwn:
			m.from = order[rapid.IntRange(0, n-1).Draw(r, "from")]
		default:
			m.from = rapid.IntRange(0, len(mappings)-1).Draw(r, "from")
		}
		mappings[i] = m
	}
	return mappings
}

func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// changeStaff lets people come, go, move and change.
func changeStaff(r *rapid.T, staff map[string]*staffMember) {
	names := strings.Fields(namesOfStaff)
	somebody := rapid.SampledFrom(append(slices.Clone(names), "", "nobody"))
	for _, name := range names {
		switch rapid.IntRange(0, 3).Draw(r, "what becomes of "+name) {
		case 0:
			staff[name] = &staffMember{column: rapid.SampledFrom([]string{"", "x", "y"}).Draw(r, "column"),
				boss: somebody.Draw(r, "boss"), buddy: somebody.Draw(r, "buddy")}
		case 1:
			if row := staff[name]; row != nil {
				row.column = rapid.SampledFrom([]string{"x", "y", "z"}).Draw(r, "column")
			}
		case 2:
			if rapid.IntRange(0, 3).Draw(r, "goes") == 0 {
				delete(staff, name)
			}
		}
	}
	if rapid.Bool().Draw(r, "a chain") { // of at least four
		for i, name := range names[1:5] {
			if staff[name] != nil {
				staff[name].boss, staff[name].buddy = names[i], names[i]
			}
		}
	}
}

func TestValuesAgreeWithEvaluator(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	rapid.Check(t, func(r *rapid.T) {
		pool, drop := storetest.ExamplePool()
		defer drop()
		c := enginetest.NewEmpty(r, enginetest.WithPool(pool), enginetest.WithConfig(engine.Config{
			BatchSize: rapid.SampledFrom([]int{1, 2, 100}).Draw(r, "batch"), Workers: rapid.IntRange(1, 2).Draw(r, "workers"),
			Guard: engine.Guard{Off: true}}))
		staff := map[string]*staffMember{}
		for range rapid.IntRange(1, 4).Draw(r, "steps") {
			changeStaff(r, staff)
			mappings := drawMappings(r)
			c.ApplyText(document(mappings))
			checkValues(r, c, mappings, staff)
			changeStaff(r, staff)
			checkValues(r, c, mappings, staff)
		}
	})
}

// checkValues aggregates the people, deletes those who are not there, and compares.
func checkValues(r *rapid.T, c *enginetest.Company, mappings []valueMapping, staff map[string]*staffMember) {
	text := "id,col,boss,buddy\n"
	for _, name := range strings.Fields(namesOfStaff) {
		if row := staff[name]; row != nil {
			text += strings.Join([]string{name, row.column, row.boss, row.buddy}, ",") + "\n"
		}
	}
	c.AggregateText("Staff", text, engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}})
	for _, name := range strings.Fields(namesOfStaff) {
		if staff[name] == nil {
			if identity, err := c.FindIdentity(r.Context(), name); err == nil {
				if err := c.DeleteIdentity(r.Context(), identity.ID); err != nil {
					r.Fatal(err)
				}
			}
		}
	}
	c.Process()
	e := &evaluator{mappings: mappings, staff: staff, done: map[string]string{}, open: map[string]bool{},
		circle: map[string]bool{}}
	circles := false
	for name := range staff {
		for i := range mappings {
			want := e.value(name, i)
			if e.circle[fmt.Sprintf("%s %d", name, i)] {
				circles = true // several values fit, or none
				continue
			}
			if got := c.Identity(name).Attributes.Get(attributeName(i)).Text(); got != want {
				r.Fatalf("%s of %s is %q, want %q\n%s\n%s", attributeName(i), name, got, want, document(mappings), text)
			}
		}
	}
	if circles {
		return
	}
	if _, err := c.ProcessAll(r.Context()); err != nil {
		r.Fatal(err)
	}
	if again := c.Process(); again.Changed > 0 {
		r.Fatalf("processing everybody once more changed %d identities, want none\n%s\n%s", again.Changed,
			document(mappings), text)
	}
}
