package engine_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is an engine on a database of the test's own.
type fixture struct {
	*engine.Engine
	t    *testing.T
	pool *pgxpool.Pool
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, engine.Config{BatchSize: 3, Workers: 1}) // small, so that work crosses batches
}

func newFixtureWith(t *testing.T, config engine.Config) *fixture {
	t.Helper()
	pool := storetest.Pool(t)
	eng, err := engine.New(t.Context(), pool, config)
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{eng, t, pool}
}

// companyConfig has an authoritative source with managers, a source that correlates, and a profile over both.
const companyConfig = `
identityAttributes:
  - {name: department, displayName: Department, type: string, searchable: true}
  - {name: groups, displayName: Groups, type: string, multi: true}
sources:
  - name: HR
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        displayAttribute: name
        attributes: [{name: id}, {name: name}, {name: first}, {name: last}, {name: mail}, {name: dept}, {name: mgr},
                     {name: age, type: INT}, {name: state}]
    managerCorrelationMapping: {accountAttributeName: mgr, identityAttributeName: identificationNumber}
  - name: Directory
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: sam
        attributes: [{name: sam}, {name: mail}, {name: emp}, {name: groups, isMulti: true, isEntitlement: true},
                     {name: active, type: BOOLEAN}]
    accountCorrelationConfig:
      attributeAssignments:
        - {property: identificationNumber, value: emp, operation: EQ}
        - {property: email, value: mail, operation: EQ}
identityProfiles:
  - name: Employees
    authoritativeSource: {type: SOURCE, name: HR}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}
        - {identityAttributeName: displayName, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: name}}}
        - {identityAttributeName: firstname, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: first}}}
        - {identityAttributeName: lastname, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: last}}}
        - {identityAttributeName: email, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: mail}}}
        - {identityAttributeName: department, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}}}
        - {identityAttributeName: identificationNumber, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}
        - {identityAttributeName: cloudLifecycleState, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: state}}}
        - {identityAttributeName: login, transformDefinition: {type: accountAttribute, attributes: {sourceName: Directory, attributeName: sam}}}
        - {identityAttributeName: groups, transformDefinition: {type: accountAttribute, attributes: {sourceName: Directory, attributeName: groups}}}
    lifecycleStates:
      - {name: On leave, technicalName: leave, identityState: INACTIVE_LONG_TERM}
`

const hrHeader = "id,name,first,last,mail,dept,mgr,age,state\n"

const hrRows = hrHeader + `3,"Ünal, Ayşe",Ayşe,Ünal,ayse@example.com,Sales,1,33,active
1,Ann Boss,Ann,Boss,ann@example.com,Board,,60,
2,Bob Two,Bob,Two,bob@example.com,Sales,3,41,leave
4,Cy Self,Cy,Self,cy@example.com,Legal,4,20,unknown
5,Dee Strauß,Dee,Strauß,dee@example.com,Sales,3,25,inactive
`

func (f *fixture) apply(text string) engine.ApplyResult {
	f.t.Helper()
	documents, err := engine.ReadDocuments("config.yaml", strings.NewReader(text))
	if err != nil {
		f.t.Fatal(err)
	}
	result, err := f.Apply(f.t.Context(), documents)
	if err != nil {
		f.t.Fatal(err)
	}
	return result
}

// onlyReader hides that a reader can be read again.
type onlyReader struct{ io.Reader }

func (f *fixture) aggregate(source, text string, options engine.AggregateOptions) engine.AggregateResult {
	f.t.Helper()
	result, err := f.Aggregate(f.t.Context(), source, onlyReader{strings.NewReader(text)}, options)
	if err != nil {
		f.t.Fatal(err)
	}
	return result
}

func (f *fixture) process() engine.ProcessResult {
	f.t.Helper()
	result, err := f.ProcessPending(f.t.Context(), engine.ProcessOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	return result
}

func (f *fixture) find(alias string) *engine.Identity {
	f.t.Helper()
	identity, err := f.FindIdentity(f.t.Context(), alias)
	if err != nil {
		f.t.Fatal(err)
	}
	return &identity
}

// names returns the names of the identities that a filter selects.
func (f *fixture) names(params engine.ListParams) string {
	f.t.Helper()
	page, err := f.ListIdentities(f.t.Context(), params)
	if err != nil {
		f.t.Fatalf("%+v: %v", params, err)
	}
	var names []string
	for i := range page.Identities {
		names = append(names, page.Identities[i].Name)
	}
	return strings.Join(names, "|")
}

// company is a fixture with the company in it.
func company(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.apply(companyConfig)
	f.aggregate("HR", hrRows, engine.AggregateOptions{})
	f.process()
	return f
}

func demandKind(t *testing.T, err error, kind engine.Kind, text string) {
	t.Helper()
	var known *engine.Error
	if !errors.As(err, &known) || known.Kind != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v (%v), want %v with %q", err, engine.KindOf(err), kind, text)
	}
}

func (f *fixture) count(query string) int {
	f.t.Helper()
	var n int
	if err := f.pool.QueryRow(f.t.Context(), query).Scan(&n); err != nil {
		f.t.Fatal(fmt.Errorf("%s: %w", query, err))
	}
	return n
}
