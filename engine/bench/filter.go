package main

import (
	"context"
	"fmt"
	"time"

	"cel.dev/cel-go/cel"
	sq "github.com/Masterminds/squirrel"
	"github.com/a8m/rql"
	scim "github.com/scim2/filter-parser/v2"
	"go.einride.tech/aip/filtering"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// The same filter in each language.
const (
	typicalFilter = `firstname sw "john" and (email sw "joe" or correlated eq false)`
	einrideFilter = `firstname = "john*" AND (email = "joe*" OR correlated = false)`
	celFilter     = `firstname.startsWith("john") && (email.startsWith("joe") || correlated == false)`
	rqlFilter     = `{"filter": {"firstname": {"$like": "john%"},
		"$or": [{"email": {"$like": "joe%"}}, {"correlated": false}]}}`
	parseMax       = time.Microsecond
	parseAllocsMax = 3
)

// rqlRow declares the fields for rql.
type rqlRow struct {
	Firstname  string `rql:"filter"`
	Email      string `rql:"filter"`
	Correlated bool   `rql:"filter"`
}

// filterCase compares each step of the filter language with peers. No peer has all the steps to SQL, so each is
// compared at the steps that it has.
func filterCase(_ context.Context, b *bench) error {
	peers, err := newFilterPeers()
	if err != nil {
		return err
	}
	schema := store.IdentitySchema(false)
	parse := func() error { _, err := filterql.Parse(typicalFilter); return err }
	check := func() error { _, err := filterql.ParseFilter(typicalFilter, schema); return err }
	compile := func() error {
		filter, err := filterql.ParseFilter(typicalFilter, schema)
		if err == nil {
			_, _, err = filter.Where().ToSql()
		}
		return err
	}
	for _, step := range []struct {
		name  string
		ours  operation
		peers []filterPeer
	}{
		{"parse", parse, []filterPeer{
			{"einride aip", peers.einrideParse, 1}, {"scim2 filter-parser", scimParse, 1},
			{"cel-go", peers.celParse, 1},
		}},
		{"parse, check", check, []filterPeer{
			{"einride aip", peers.einrideCheck, 1}, {"cel-go", peers.celCheck, 1},
		}},
		{"parse, check, compile", compile, []filterPeer{
			{"squirrel by hand", squirrelByHand, 2}, {"a8m/rql", peers.rqlParse, 1},
			{"cel-go program", peers.celCompile, 1},
		}},
	} {
		if err := b.filterStep(step.name, step.ours, step.peers); err != nil {
			return err
		}
	}
	return nil
}

// filterPeer is a peer of a step, and the limit of the ratio.
type filterPeer struct {
	name string
	do   operation
	most float64
}

func (b *bench) filterStep(name string, ours operation, peers []filterPeer) error {
	ops := []operation{ours}
	for _, peer := range peers {
		ops = append(ops, peer.do)
	}
	costs, err := b.measureOps(ops...)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if name == "parse" {
		b.add(alone(name, duration(costs[0].time)).chart("parse a filter"), figureAtMost(duration(parseMax)))
		b.add(alone(name, value{costs[0].allocations, allocations}),
			figureAtMost(value{parseAllocsMax, allocations}))
	}
	for i, peer := range peers {
		b.add(against(name, duration(costs[0].time), peer.name, duration(costs[i+1].time)), ratioAtMost(peer.most))
	}
	return nil
}

// filterPeers are the peers' prepared environments.
type filterPeers struct {
	declarations *filtering.Declarations
	environment  *cel.Env
	rql          *rql.Parser
}

func newFilterPeers() (*filterPeers, error) {
	declarations, err := filtering.NewDeclarations(filtering.DeclareStandardFunctions(),
		filtering.DeclareIdent("firstname", filtering.TypeString),
		filtering.DeclareIdent("email", filtering.TypeString),
		filtering.DeclareIdent("correlated", filtering.TypeBool), filtering.DeclareIdent("false", filtering.TypeBool))
	if err != nil {
		return nil, err
	}
	environment, err := cel.NewEnv(cel.Variable("firstname", cel.StringType), cel.Variable("email", cel.StringType),
		cel.Variable("correlated", cel.BoolType))
	if err != nil {
		return nil, err
	}
	parser, err := rql.NewParser(rql.Config{Model: rqlRow{}})
	return &filterPeers{declarations, environment, parser}, err
}

func (*filterPeers) einrideParse() error {
	var parser filtering.Parser
	parser.Init(einrideFilter)
	_, err := parser.Parse()
	return err
}

func (p *filterPeers) einrideCheck() error {
	_, err := filtering.ParseFilterString(einrideFilter, p.declarations)
	return err
}

func scimParse() error {
	_, err := scim.ParseFilter([]byte(typicalFilter))
	return err
}

func (p *filterPeers) celParse() error {
	_, issues := p.environment.Parse(celFilter)
	return issues.Err()
}

func (p *filterPeers) celCheck() error {
	_, issues := p.environment.Compile(celFilter)
	return issues.Err()
}

func (p *filterPeers) celCompile() error {
	ast, issues := p.environment.Compile(celFilter)
	if issues.Err() != nil {
		return issues.Err()
	}
	_, err := p.environment.Program(ast)
	return err
}

func (p *filterPeers) rqlParse() error {
	if _, err := p.rql.Parse([]byte(rqlFilter)); err != nil {
		return err
	}
	return nil
}

// squirrelByHand builds the condition of the typical filter from constants.
func squirrelByHand() error {
	_, _, err := sq.And{
		sq.GtOrEq{"i.firstname_key": "john"}, sq.Lt{"i.firstname_key": "joho"},
		sq.Or{
			sq.And{sq.GtOrEq{"i.email_key": "joe"}, sq.Lt{"i.email_key": "jof"}},
			sq.Eq{"i.correlated": false},
		},
	}.ToSql()
	return err
}
