package engine_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
)

// provisioningKinds returns the kinds of operations as the constraint of the table has them.
func (f *fixture) provisioningKinds() []connector.Kind {
	f.t.Helper()
	condition := f.text(`
		SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c
		WHERE c.conname = 'provisioning_operations_kind' AND c.connamespace = 'muster'::regnamespace`)
	var kinds []connector.Kind
	for _, quoted := range regexp.MustCompile(`'[A-Z_]+'`).FindAllString(condition, -1) {
		kinds = append(kinds, connector.Kind(strings.Trim(quoted, "'")))
	}
	return kinds
}

func TestProvisioningKindsAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got, want := f.provisioningKinds(), connector.Kinds()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the constraint knows the kinds %q, package connector %q", got, want)
	}
}

// insertOperation writes an open operation of a kind for an identity, of its own source.
func (f *fixture) insertOperation(identity string, kind connector.Kind) {
	f.t.Helper()
	f.execute(`
		INSERT INTO muster.provisioning_operations (id, identity_id, source_id, native_identity, kind, attribute, value,
		    attributes, reason, state, created)
		SELECT gen_random_uuid(), $1, s.id, 'n', $2, 'a', $2, '{}', 'r', 'MANUAL', now()
		FROM muster.sources s ORDER BY s.name LIMIT 1`, identity, string(kind))
}

// TestDoctorKnowsTheKindsOfOperations demands that the doctor's own list, which holds where the constraint is missing,
// is that of package connector.
func TestDoctorKnowsTheKindsOfOperations(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.execute(`ALTER TABLE muster.provisioning_operations DROP CONSTRAINT provisioning_operations_kind`)
	for _, kind := range append(connector.Kinds(), "PAINT") {
		f.insertOperation(f.ID("ann"), kind)
	}
	unknown := f.text(`SELECT replace(id::text, '-', '') FROM muster.provisioning_operations WHERE kind = 'PAINT'`)
	d := f.doctor(engine.DoctorOptions{})
	at := slices.IndexFunc(d.Checks, func(c engine.Check) bool { return c.Name == "rule:provisioning_operations_kind" })
	if at < 0 {
		t.Fatal("the doctor does not look at the kinds of operations")
	}
	if got, want := d.Checks[at].Examples, []string{unknown}; !slices.Equal(got, want) {
		t.Errorf("the doctor does not know the kinds of the operations %q, want %q", got, want)
	}
}

// TestProvisioningOfAnUnknownKindIsAnError has an operation of a kind that only a later version knows.
func TestProvisioningOfAnUnknownKindIsAnError(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.settle()
	f.execute(`ALTER TABLE muster.provisioning_operations DROP CONSTRAINT provisioning_operations_kind`)
	before := f.counts.Load()
	f.execute(`
		UPDATE muster.provisioning_operations SET kind = 'PAINT', state = 'OPEN', attempts = 0
		WHERE id = (SELECT min(id::text)::uuid FROM muster.provisioning_operations)`)
	identity := f.text(`SELECT identity_id::text FROM muster.provisioning_operations WHERE kind = 'PAINT'`)
	if _, err := f.ProcessIdentities(t.Context(), []string{identity}); err != nil {
		t.Fatal(err)
	}
	f.Process()
	const want = `the kind of operation "PAINT" is unknown`
	if got := f.text(`SELECT processing_state || ': ' || processing_error FROM muster.identities
		WHERE id = '` + identity + `'`); !strings.HasPrefix(got, "ERROR: ") || !strings.HasSuffix(got, want) {
		t.Errorf("the processing of the identity ended with %q, want ERROR and %q", got, want)
	}
	f.executeAll(`
		INSERT INTO muster.provisioning_batches (id, source_id, created)
		SELECT gen_random_uuid(), source_id, now() FROM muster.provisioning_operations WHERE kind = 'PAINT'`,
		`UPDATE muster.provisioning_operations SET batch_id = (SELECT id FROM muster.provisioning_batches)
		WHERE kind = 'PAINT'`)
	if _, err := f.ProvisionPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := f.text(`SELECT state || ': ' || error FROM muster.provisioning_operations WHERE kind = 'PAINT'`); got != "FAILED: "+want {
		t.Errorf("the operation is %q, want %q", got, "FAILED: "+want)
	}
	if after := f.counts.Load(); after != before {
		t.Errorf("%d operations reached the connector, want none", after-before)
	}
}
