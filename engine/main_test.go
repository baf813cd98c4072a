package engine_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is an engine on a database of the test's own.
type fixture struct {
	*enginetest.Company
	t *testing.T
}

// smallBatches lets little work cross batches.
var smallBatches = engine.Config{BatchSize: 3, Workers: 1}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, smallBatches)
}

func newFixtureWith(t *testing.T, config engine.Config) *fixture {
	t.Helper()
	return &fixture{enginetest.NewEmpty(t, enginetest.WithConfig(config)), t}
}

// fixtureOf is a fixture with an engine that the test has made.
func fixtureOf(t *testing.T, eng *engine.Engine, pool *pgxpool.Pool) *fixture {
	return &fixture{enginetest.Of(t, eng, pool), t}
}

// company is a fixture with the company in it.
func company(t *testing.T) *fixture {
	t.Helper()
	return companyWith(t, smallBatches)
}

// companyWith is the sample company under a Config, whose settings become those of the tenant.
func companyWith(t *testing.T, config engine.Config) *fixture {
	t.Helper()
	return &fixture{enginetest.New(t, enginetest.WithConfig(config)), t}
}

// onlyReader hides that a reader can be read again.
type onlyReader struct{ io.Reader }

// names returns the names of the identities that a filter selects.
func (f *fixture) names(params engine.ListParams) string {
	f.t.Helper()
	return strings.Join(f.Names(params), "|")
}

func demandKind(t *testing.T, err error, kind engine.Kind, text string) {
	t.Helper()
	var known *engine.Error
	if !errors.As(err, &known) || known.Kind != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v (%v), want %v with %q", err, engine.KindOf(err), kind, text)
	}
}
