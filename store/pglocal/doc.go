// Package pglocal runs a private PostgreSQL server as a child process: the database of a program that was given none,
// and of tests on a machine without containers. It uses the server programs that are installed; it brings none.
//
//	server, err := pglocal.Start(ctx, pglocal.Config{DataDir: "/var/lib/muster"})
//	if err != nil {
//		return err
//	}
//	defer server.Stop(context.WithoutCancel(ctx))
//	pool, err := pgxpool.New(ctx, server.ConnString("postgres"))
//
// Without a DataDir the data goes when the server stops, and the server saves itself the trouble of making it durable.
//
// The server is private: it listens on a Unix socket alone, in a folder that only its own account and root can enter,
// and there it trusts whoever gets in. A program that runs as root has its server run as the account postgres, or
// nobody where there is none, because PostgreSQL refuses to run as root.
//
// The server does not outlive the program. However the program ends, also by kill -9, the kernel closes the pipe that
// it holds, and a small shell process at the other end stops the server and removes its temporary folder. A pipe works
// alike on every Unix, needs nothing to run at the end of the program, and depends on no thread of it.
//
// One program at a time uses a data folder; a second gets [ErrInUse]. A folder that was left by a crash, of the
// program, the server or the machine, recovers at the next start, and one whose making was interrupted is made anew.
package pglocal
