package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

func TestProcessHistory(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.AggregateText("HR", strings.Replace(enginetest.People, "Board,,60", "Owners,,60", 1), engine.AggregateOptions{})
	f.Process()
	want := `{"attributes": [{"newValue": "Owners", "oldValue": "Board", "attribute": "department"}]}`
	if got := f.lastDetail("ann", "", "e.detail::text"); got != want {
		t.Errorf("the history has %s, want %s", got, want)
	}
}

func TestProcessStopsWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	result, err := f.ProcessPending(ctx, engine.ProcessOptions{Progress: func(int, int) { cancel() }})
	if !errors.Is(err, context.Canceled) || result.Identities != 3 {
		t.Errorf("got %+v, %v, want errors.Is(err, context.Canceled) && result.Identities == 3", result, err)
	}
	if processed := f.Process(); processed.Identities < 2 {
		t.Errorf("the rest was lost: %+v", processed)
	}
}

// Sources are aggregated and identities processed all at once, by several engines. Every account finds its identity,
// every identity its manager, and no request is left: the one that commits last sees the others.
func TestConcurrentAggregationAndProcessing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	const people, parts = 240, 4
	var group sync.WaitGroup
	work := func(name string, do func(eng *engine.Engine) error) {
		eng, err := engine.New(t.Context(), f.Pool, engine.Config{BatchSize: 7})
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			if err := do(eng); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	part := func(source string, k int) string {
		var b strings.Builder
		if source == "HR" {
			b.WriteString(enginetest.PeopleHeader)
		} else {
			b.WriteString(enginetest.DirectoryHeader)
		}
		for i := k; i < people; i += parts {
			if source == "HR" {
				fmt.Fprintf(&b, "%d,Person %d,P,%d,p%d@example.com,Sales,%d,30,active\n", i, i, i, i, (i+people/2)%people)
			} else {
				fmt.Fprintf(&b, "login%d,P%d@EXAMPLE.com,,,true\n", i, i)
			}
		}
		return b.String()
	}
	for k := range parts {
		for _, source := range []string{"HR", "Directory"} {
			work("aggregate "+source, func(eng *engine.Engine) error {
				_, err := eng.Aggregate(t.Context(), source, strings.NewReader(part(source, k)), engine.AggregateOptions{Delta: true})
				if err != nil {
					return err
				}
				_, err = eng.ProcessPending(t.Context(), engine.ProcessOptions{})
				return err
			})
		}
	}
	group.Wait()
	f.Process()
	for query, want := range map[string]int{
		`SELECT count(*) FROM muster.identities`:                                                                     people,
		`SELECT count(*) FROM muster.accounts WHERE identity_id IS NULL`:                                             0,
		`SELECT count(*) FROM muster.identities WHERE manager_id IS NULL`:                                            0,
		`SELECT count(*) FROM muster.refresh_requests`:                                                               0,
		`SELECT count(DISTINCT attributes ->> 'login') FROM muster.identities`:                                       people,
		`SELECT count(*) FROM muster.identities WHERE 'login' || (attributes ->> 'uid') <> (attributes ->> 'login')`: 0,
	} {
		if got := f.number(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

// One identity whose mapping fails is in error, with the reason; the others are done. When the mapping is mended the
// error ends.
func TestProcessError(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	lookup := func(table string) string {
		return strings.Replace(enginetest.Documents, "{type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}}",
			"{type: lookup, attributes: {table: {"+table+"}, input: {type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}}}}", 1)
	}
	f.ApplyText(lookup("Sales: S, Board: B"))
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	if processed := f.Process(); processed.Errors != 1 {
		t.Errorf("got %+v, want Errors 1", processed)
	}
	cy := f.names(engine.ListParams{Filters: `processingState eq "ERROR"`})
	if cy != "Cy Self" {
		t.Errorf("in error: %s", cy)
	}
	if n := f.CountRows(`muster.identities WHERE processing_error LIKE '%department%'`); n != 1 {
		t.Error("the error does not say what failed")
	}
	if got := f.Identity("ayse").Attributes.Get("department").Text(); got != "S" {
		t.Errorf("department %q, want %q", got, "S")
	}
	f.ApplyText(lookup("Sales: S, Board: B, Legal: L"))
	if processed := f.Process(); processed.Errors != 0 {
		t.Errorf("got %+v, want Errors 0", processed)
	}
	if n := f.CountRows(`muster.identities WHERE processing_state = 'OK' AND processing_error IS NULL AND name = 'Cy Self'`); n != 1 {
		t.Error("the error did not end")
	}
}
