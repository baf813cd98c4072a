package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/migrations"
)

// A host brings its own pool, applies a configuration, reads a source and asks.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	if _, err := migrations.Up(ctx, pool, migrations.Config{}); err != nil {
		log.Fatal(err)
	}
	eng, err := engine.New(ctx, pool, engine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open("config.yaml")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	documents, err := engine.ReadDocuments(file.Name(), file)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := eng.Apply(ctx, documents); err != nil {
		log.Fatal(err)
	}
	accounts, err := os.Open("hr.csv")
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	if _, err := eng.Aggregate(ctx, "HR", accounts, engine.AggregateOptions{}); err != nil {
		log.Fatal(err)
	}
	if _, err := eng.ProcessPending(ctx, engine.ProcessOptions{}); err != nil {
		log.Fatal(err)
	}
	page, err := eng.ListIdentities(ctx, engine.ListParams{Filters: `lastname sw "Wh"`, Sorters: "name"})
	if err != nil {
		log.Fatal(err)
	}
	for _, identity := range page.Identities {
		fmt.Println(identity.Name)
	}
}

// A configuration commits with the host's own rows, or not at all.
func ExampleEngine_ApplyTx() {
	var (
		ctx       context.Context
		pool      *pgxpool.Pool
		eng       *engine.Engine
		documents []engine.Document
	)
	apply := func() error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO audit (what) VALUES ('configuration applied')`); err != nil {
				return err
			}
			_, err := eng.ApplyTx(ctx, tx, documents)
			return err
		})
	}
	_ = apply
}

// A host's own row and the processing of the identity that it is about commit together, or not at all. Here the host
// changes its mind after both are written.
func ExampleEngine_ProcessIdentitiesTx() {
	ctx := context.Background()
	company, drop := enginetest.NewExample() // a host has its own engine and pool
	defer drop()
	eng, pool, ann := company.Engine, company.Pool, company.ID("ann")
	if _, err := pool.Exec(ctx, `CREATE TABLE badges (identity_id uuid, number int)`); err != nil {
		log.Fatal(err)
	}

	errWrongBadge := errors.New("badge 7 is another person's")
	var task engine.TaskStatus
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) (err error) {
		if _, err := tx.Exec(ctx, `INSERT INTO badges VALUES ($1, 7)`, ann); err != nil {
			return err
		}
		if task, err = eng.ProcessIdentitiesTx(ctx, tx, []string{ann}); err != nil {
			return err
		}
		return errWrongBadge
	})
	fmt.Println(err)

	var badges int
	if err := pool.QueryRow(ctx, `SELECT count(*) FROM badges`).Scan(&badges); err != nil {
		log.Fatal(err)
	}
	_, err = eng.Task(ctx, task.ID)
	fmt.Println(badges, "badges; the task is", engine.KindOf(err))
	// Output:
	// badge 7 is another person's
	// 0 badges; the task is not found
}

// A host starts the engine's workers with itself and stops them with itself. Stop lets what has begun come to the end
// of its batch.
func ExampleEngine_Start() {
	ctx := context.Background()
	company, drop := enginetest.NewExample() // a host has its own engine
	defer drop()
	eng, ann := company.Engine, company.ID("ann")

	if err := eng.Start(ctx); err != nil {
		log.Fatal(err)
	}
	task, err := eng.ProcessIdentities(ctx, []string{ann})
	if err != nil {
		log.Fatal(err)
	}
	if task, err = eng.Wait(ctx, task.ID); err != nil {
		log.Fatal(err)
	}
	fmt.Println(task.Description+":", *task.CompletionStatus)
	if err := eng.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: Process 1 identity: SUCCESS
}
