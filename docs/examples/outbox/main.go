// Command outbox follows what happens to identities and makes something of it exactly once: here a row of a table of
// the host's for each person who comes or goes. The place up to which it has read commits together with what it made,
// so a crash at any moment loses nothing and does nothing twice.
//
//	DATABASE_URL=... go run ./docs/examples/outbox
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
)

// The host's tables: what it makes of events, and how far it has read.
const tables = `
	CREATE TABLE IF NOT EXISTS welcomes (identity_id text PRIMARY KEY, at timestamptz NOT NULL, gone timestamptz);
	CREATE TABLE IF NOT EXISTS outbox_places (reader text PRIMARY KEY, cursor text NOT NULL);
	INSERT INTO outbox_places VALUES ('welcomes', '') ON CONFLICT DO NOTHING`

// pageMax is how many events one transaction works with, and waitFor how long the reader sleeps where there is none.
const (
	pageMax = 500
	waitFor = time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	eng, err := engine.New(ctx, pool, engine.Config{})
	if err == nil {
		err = follow(ctx, pool, eng)
	}
	if err != nil && ctx.Err() == nil {
		log.Print(err)
	}
}

// follow works with events until the context ends.
func follow(ctx context.Context, pool *pgxpool.Pool, eng *engine.Engine) error {
	if _, err := pool.Exec(ctx, tables); err != nil {
		return err
	}
	for {
		count, err := next(ctx, pool, eng)
		if err != nil {
			return err
		}
		if count > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(waitFor):
		}
	}
}

// next works with the next events, in one transaction, and returns how many there were. The lock on the place lets one
// of several processes at a time do it.
func next(ctx context.Context, pool *pgxpool.Pool, eng *engine.Engine) (count int, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var cursor string
		const place = `SELECT cursor FROM outbox_places WHERE reader = 'welcomes' FOR UPDATE`
		if err := tx.QueryRow(ctx, place).Scan(&cursor); err != nil {
			return err
		}
		events, err := eng.Events(ctx, cursor, pageMax)
		if engine.KindOf(err) == engine.Conflict {
			// Events behind the cursor were purged, or the history was restored from a backup: read from the start. The
			// statements of welcome change nothing for an event that they have worked with before.
			events, err = eng.Events(ctx, "", pageMax)
		}
		if err != nil || len(events) == 0 {
			return err
		}
		for i := range events {
			if err := welcome(ctx, tx, &events[i]); err != nil {
				return err
			}
		}
		count, cursor = len(events), events[len(events)-1].Cursor
		_, err = tx.Exec(ctx, `UPDATE outbox_places SET cursor = $1 WHERE reader = 'welcomes'`, cursor)
		return err
	})
	return count, err
}

// welcome makes of an event what the host wants. An event has each type that the write had.
func welcome(ctx context.Context, tx pgx.Tx, event *engine.Event) (err error) {
	if event.Is(engine.EventCreated) {
		_, err = tx.Exec(ctx, `INSERT INTO welcomes VALUES ($1, $2) ON CONFLICT DO NOTHING`, event.IdentityID, event.At)
	}
	if event.Is(engine.EventDeleted) {
		_, gone := tx.Exec(ctx, `UPDATE welcomes SET gone = $2 WHERE identity_id = $1`, event.IdentityID, event.At)
		err = errors.Join(err, gone)
	}
	return err
}
