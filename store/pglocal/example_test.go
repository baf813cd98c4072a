package pglocal_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store/pglocal"
)

func Example() {
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: hello from a private server
}

func example(ctx context.Context) (err error) {
	server, err := pglocal.Start(ctx, pglocal.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	conn, err := pgx.Connect(ctx, server.ConnString("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	var greeting string
	if err := conn.QueryRow(ctx, "SELECT 'hello from a private server'").Scan(&greeting); err != nil {
		return err
	}
	fmt.Println(greeting)
	return nil
}
