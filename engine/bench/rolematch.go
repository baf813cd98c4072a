package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/criteria"
)

// matchIdentities is the number of identities to match with the roles.
const matchIdentities = 50

// roleMatchCase compares the index over the criteria of all roles with the evaluation of one role after another, with
// the same criteria and with programs of another language. It does so for growing numbers of roles. About ten roles
// match each identity.
func roleMatchCase(_ context.Context, b *bench) error {
	var first cost
	for _, roles := range []int{100, 1000, 10_000} {
		set, err := newRoleSet(company{seed: b.seed}, roles)
		if err != nil {
			return err
		}
		if err := set.agree(); err != nil {
			return fmt.Errorf("%d roles: %w", roles, err)
		}
		costs, err := b.measureOps(set.byIndex, set.byLoop, set.byCEL)
		if err != nil {
			return err
		}
		for i := range costs {
			costs[i].time /= matchIdentities
		}
		name := fmt.Sprintf("%s roles", grouped(float64(roles)))
		toLoop, toCEL := target{}, target{}
		switch roles {
		case 100:
			first = costs[0]
		case 1000:
			toLoop, toCEL = ratioAtMost(1.0/20), ratioAtMost(1.0/20)
		case 10_000:
			b.add(against(name, duration(costs[0].time), "100 roles", duration(first.time)), ratioAtMost(3))
		}
		b.add(against(name, duration(costs[0].time), "each criterion", duration(costs[1].time)), toLoop)
		b.add(against(name, duration(costs[0].time), "a CEL program each", duration(costs[2].time)), toCEL)
	}
	return nil
}

// roleSet is roles in both languages, and identities.
type roleSet struct {
	criteria []*criteria.Criterion
	index    *criteria.Index
	programs []cel.Program
	facts    []criteria.Facts
	// activations are the identities for CEL. Their texts are folded already; criteria fold them each time.
	activations []map[string]any
	found       []int
}

var matchDirectory = criteria.ID{1}

// newRoleSet makes roles like those of companies. Most depend on a department or a place, and the number of these grows
// with the roles. Some depend on a title, a group or a level.
func newRoleSet(c company, roles int) (*roleSet, error) {
	environment, err := cel.NewEnv(cel.Variable("department", cel.StringType), cel.Variable("place", cel.StringType),
		cel.Variable("title", cel.StringType), cel.Variable("city", cel.StringType),
		cel.Variable("kind", cel.StringType), cel.Variable("level", cel.IntType),
		cel.Variable("memberOf", cel.ListType(cel.StringType)))
	if err != nil {
		return nil, err
	}
	s := &roleSet{}
	departments, places, groups := max(1, roles/6), max(1, roles/12), max(1, roles/8)
	for i := range roles {
		document, expression := roleTexts(i, i%departments, i%places, i%groups)
		criterion, err := criteria.Parse([]byte(document), func(text string) (criteria.ID, bool) {
			return matchDirectory, text == "directory"
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", document, err)
		}
		ast, issues := environment.Compile(expression)
		if issues.Err() != nil {
			return nil, fmt.Errorf("%s: %w", expression, issues.Err())
		}
		program, err := environment.Program(ast)
		if err != nil {
			return nil, err
		}
		s.criteria, s.programs = append(s.criteria, criterion), append(s.programs, program)
	}
	s.index = criteria.NewIndex(s.criteria)
	for i := range matchIdentities {
		s.addIdentity(c, i, departments, places, groups, roles)
	}
	return s, nil
}

// roleTexts returns the criterion of a role, and the same criterion in CEL.
func roleTexts(role, department, place, group int) (document, expression string) {
	leaf := func(operation, attribute, value string) string {
		return fmt.Sprintf(`{"operation": %q, "key": {"type": "IDENTITY", "property": "attribute.%s"}, `+
			`"stringValue": %q}`, operation, attribute, value)
	}
	all := func(operation string, leaves ...string) string {
		return fmt.Sprintf(`{"operation": %q, "children": [%s]}`, operation, strings.Join(leaves, ", "))
	}
	inDepartment := leaf("EQUALS", "department", fmt.Sprint("Department ", department))
	inPlace := leaf("EQUALS", "place", fmt.Sprint("Place ", place))
	switch role % 10 {
	case 0, 1, 2, 3:
		return inDepartment, fmt.Sprintf(`department == "department %d"`, department)
	case 4, 5:
		return all("AND", inDepartment, leaf("NOT_EQUALS", "city", "Nowhere")),
			fmt.Sprintf(`department == "department %d" && city != "nowhere"`, department)
	case 6:
		return all("OR", inPlace, leaf("EQUALS", "title", fmt.Sprint("Title ", role))),
			fmt.Sprintf(`place == "place %d" || title == "title %d"`, place, role)
	case 7:
		return fmt.Sprintf(`{"operation": "EQUALS", "key": {"type": "ACCOUNT", "property": "attribute.memberOf", `+
				`"sourceId": "directory"}, "stringValue": "Group %d"}`, group),
			fmt.Sprintf(`"group %d" in memberOf`, group)
	case 8:
		return all("AND", leaf("STARTS_WITH", "title", fmt.Sprintf("Title %d ", role)),
				leaf("GREATER_THAN", "level", "3")),
			fmt.Sprintf(`title.startsWith("title %d ") && level > 3`, role)
	default:
		return all("AND", inPlace, leaf("EQUALS", "kind", "Employee")),
			fmt.Sprintf(`place == "place %d" && kind == "employee"`, place)
	}
}

func (s *roleSet) addIdentity(c company, i, departments, places, groups, roles int) {
	texts := map[string]string{
		"department": fmt.Sprint("Department ", c.number(i, 1, departments)),
		"place":      fmt.Sprint("Place ", c.number(i, 2, places)), "city": "Somewhere",
		"title": fmt.Sprintf("Title %d of all", c.number(i, 3, roles)), "kind": "Employee",
	}
	set, activation := &attribute.Set{}, map[string]any{}
	for name, text := range texts {
		set.Put(name, attribute.String(text))
		activation[name] = strings.ToLower(text)
	}
	level := c.number(i, 4, 9)
	set.Put("level", attribute.String(strconv.Itoa(level)))
	activation["level"] = level
	for k := range 16 {
		set.Put(fmt.Sprint("attribute", k), attribute.String(fmt.Sprint("value ", c.number(i, 10+k, 100))))
	}
	member := []string{fmt.Sprint("Group ", c.number(i, 5, groups)), fmt.Sprint("Group ", c.number(i, 6, groups))}
	directory := &attribute.Set{}
	directory.Put("memberOf", attribute.List(member))
	activation["memberOf"] = []string{strings.ToLower(member[0]), strings.ToLower(member[1])}
	s.facts = append(s.facts, criteria.Facts{Identity: set, Accounts: []criteria.Account{{SourceID: matchDirectory,
		Attributes: directory}}})
	s.activations = append(s.activations, activation)
}

// agree checks that the three ways find the same roles, about ten for each identity.
func (s *roleSet) agree() error {
	total := 0
	for i := range s.facts {
		found := s.index.Match(&s.facts[i], nil)
		total += len(found)
		for role := range s.criteria {
			byIndex := len(found) > 0 && found[0] == role
			if byIndex {
				found = found[1:]
			}
			byCEL, _, err := s.programs[role].Eval(s.activations[i])
			if err != nil {
				return err
			}
			if s.criteria[role].Match(&s.facts[i]) != byIndex || byCEL.Value() != byIndex {
				return fmt.Errorf("role %d of identity %d: the three ways do not agree", role, i)
			}
		}
	}
	if mean := float64(total) / float64(len(s.facts)); mean < 5 || mean > 20 {
		return fmt.Errorf("an identity has %.1f roles where it should have about ten", mean)
	}
	return nil
}

func (s *roleSet) byIndex() error {
	for i := range s.facts {
		s.found = s.index.Match(&s.facts[i], s.found[:0])
	}
	return nil
}

func (s *roleSet) byLoop() error {
	for i := range s.facts {
		s.found = s.found[:0]
		for role, criterion := range s.criteria {
			if criterion.Match(&s.facts[i]) {
				s.found = append(s.found, role)
			}
		}
	}
	return nil
}

func (s *roleSet) byCEL() error {
	for i := range s.activations {
		s.found = s.found[:0]
		for role, program := range s.programs {
			holds, _, err := program.Eval(s.activations[i])
			if err != nil {
				return err
			}
			is, ok := holds.Value().(bool)
			if !ok {
				return errors.New("a CEL program returned something else than a truth value")
			}
			if is {
				s.found = append(s.found, role)
			}
		}
	}
	return nil
}
