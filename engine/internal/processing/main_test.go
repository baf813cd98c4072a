package processing_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// newProcessor returns the processor of the default tenant.
func newProcessor(t *testing.T, pool *pgxpool.Pool) *processing.Processor {
	t.Helper()
	tables, err := tenant.New(pool, tenant.Settings{BatchSize: 1000, Clock: time.Now, JobSchema: "muster_jobs",
		Location: time.UTC, Logger: slog.New(slog.DiscardHandler), Schema: "muster", Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	return processing.New(task.New(tables))
}
