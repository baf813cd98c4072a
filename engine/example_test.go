package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
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
