package engine_test

import (
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// Operations that failed by the same are counted together whatever account they name, and are tried again together.
func TestOperationCounts(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx := t.Context()
	f.ApplyText(enginetest.Roles)
	f.AggregateText("Directory", enginetest.DirectoryHeader+"bobt,bob@example.com,,staff,true\n", engine.AggregateOptions{})
	f.Process()
	for _, alias := range []string{"ann", "bob"} {
		for i, text := range []string{`the entry "cn=x7,o=y" is locked: code 12`, `the entry "cn=other" is locked: code 9`,
			"the directory is full"} {
			f.insertFailed(f.ID(alias), text, i)
		}
	}
	counts, err := f.OperationCounts(ctx, engine.OperationQuery{States: []string{"FAILED"}})
	if err != nil || len(counts) != 2 || counts[0].ErrorClass != "the entry … is locked: code …" ||
		counts[0].Operations != 4 || counts[0].Identities != 2 || counts[0].Source.Name != "Directory" ||
		counts[1].Operations != 2 {
		t.Fatalf("got %+v, %v", counts, err)
	}
	if got, err := f.OperationCounts(ctx, engine.OperationQuery{Source: "HR", States: []string{"FAILED"}}); err != nil ||
		len(got) != 0 {
		t.Errorf("of another source got %+v, %v", got, err)
	}
	params := engine.RetryParams{Source: "Directory", Kind: counts[0].Kind, ErrorClass: counts[0].ErrorClass}
	task, err := f.RetryOperations(ctx, params)
	if err != nil || f.CountRows("muster.refresh_requests") != 2 || task.Ended() {
		t.Errorf("the task is %+v, %v", task, err)
	}
	f.Process()
	params.ErrorClass = "no such error"
	if task, err = f.RetryOperations(ctx, params); err != nil || !task.Ended() {
		t.Errorf("the task for nothing is %+v, %v", task, err)
	}
	_, err = f.RetryOperations(ctx, engine.RetryParams{Source: "Nowhere"})
	demandKind(t, err, engine.NotFound, "Nowhere")
	_, err = f.OperationCounts(ctx, engine.OperationQuery{Limit: -1})
	demandKind(t, err, engine.Invalid, "limit")
}

// insertFailed adds an operation on the Directory that failed.
func (f *fixture) insertFailed(identity, text string, number int) {
	f.t.Helper()
	f.execute(`INSERT INTO muster.provisioning_operations (id, identity_id, source_id, native_identity, kind, attribute, value,
		attributes, reason, state, attempts, error, created, completed)
		SELECT gen_random_uuid(), $1, s.id, 'x' || ($3::integer)::text, 'SET_ATTRIBUTES', 'a', '', '{}', 'a test', 'FAILED', 3, $2, now(), now()
		FROM muster.sources s WHERE s.name = 'Directory'`, identity, text, number)
}
