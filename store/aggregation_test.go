package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// What is recorded of the aggregations of a source is the last of them, in whatever order they end.
func TestRecordAggregationError(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	minute := func(n int) time.Time { return now.Add(time.Duration(n) * time.Minute) }
	type step struct {
		began, ended int    // minutes
		failure      string // "" for a success
	}
	for name, test := range map[string]struct {
		steps []step
		want  string // the error
	}{
		"the first one failed":                         {[]step{{0, 1, "it is away"}}, "it is away"},
		"a failure after a success":                    {[]step{{0, 1, ""}, {2, 3, "it is away"}}, "it is away"},
		"a failure that began when the other ended":    {[]step{{0, 1, ""}, {1, 3, "it is away"}}, "it is away"},
		"a failure that began before a success":        {[]step{{1, 2, ""}, {0, 3, "it is away"}}, ""},
		"a success after a failure":                    {[]step{{0, 1, "it is away"}, {2, 3, ""}}, ""},
		"the later of two failures":                    {[]step{{0, 1, "it is away"}, {0, 2, "it is wrong"}}, "it is wrong"},
		"a failure that is recorded after a later one": {[]step{{0, 2, "it is wrong"}, {0, 1, "it is away"}}, "it is wrong"},
	} {
		source := store.NewID()
		_, err := pool.Exec(t.Context(), `INSERT INTO muster.sources (id, name, name_key, document, created, modified)
			VALUES ($1, $2, $2, '{}', $3, $3)`, source, name, now)
		for _, step := range test.steps {
			if err == nil && step.failure != "" {
				err = s.RecordAggregationError(t.Context(), pool, source,
					&store.AggregationFailure{Began: minute(step.began), Failed: minute(step.ended), Reason: step.failure})
			} else if err == nil {
				err = inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
					return s.RecordAggregation(ctx, tx, source, nil, minute(step.ended))
				})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		got := storetest.Texts(t, pool, `SELECT coalesce(error, '') || CASE WHEN (failed IS NULL) <> (error IS NULL) THEN '!' ELSE '' END
			FROM muster.source_aggregations WHERE source_id = $1`, source)
		if len(got) != 1 || got[0] != test.want {
			t.Errorf("%s: recorded is %q, want %q", name, got, test.want)
		}
	}
	gone := &store.AggregationFailure{Began: now, Failed: now, Reason: "it is away"}
	if err := s.RecordAggregationError(t.Context(), pool, store.NewID(), gone); err != nil {
		t.Errorf("the source is gone: %v", err)
	}
}
