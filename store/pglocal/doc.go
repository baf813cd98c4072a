// Package pglocal runs a private PostgreSQL server as a child process. It is the database of a program without another
// one, and of tests on a machine without containers. It uses the installed server programs and brings none:
//
//	server, err := pglocal.Start(ctx, pglocal.Config{DataDir: "/var/lib/muster"})
//	if err != nil {
//		return err
//	}
//	defer server.Stop(context.WithoutCancel(ctx))
//	pool, err := pgxpool.New(ctx, server.ConnString("postgres"))
//
// Without a DataDir the data is removed when the server stops, and the server does not make it durable.
//
// The server is private: it listens only on a Unix socket, in a folder that only its own account and root can enter,
// and trusts everyone who can. PostgreSQL refuses to run as root, so for a program that runs as root the server runs as
// the account postgres or, if there is none, nobody.
//
// The server does not outlive the program. When the program ends, even by kill -9, the kernel closes a pipe that the
// program holds. A small shell process at the other end then stops the server and removes its temporary folder. A pipe
// works the same on every Unix, needs no code at the end of the program, and depends on no thread of it.
//
// One program at a time uses a data folder, and a second one gets [ErrInUse], unless all of them set Config.Share: then
// the second one joins the server of the first, over the same socket, and the last one that stops ends the server. The
// guardian of a shared server watches a named pipe in the folder that every program holds open, so that kill -9 of any
// of them leaves the server to the others, and of all of them ends it. [Server.Revive] starts a shared server again
// that died itself.
//
// The files gate and lock of the folder are what the programs lock. Who starts, joins, revives or leaves the server
// holds the gate meanwhile, alone. Who uses the server holds the lock: alone, or together with others that share it.
//
// After a crash of the program, the server or the machine, the next start recovers the folder. If the crash interrupted
// its creation, the next start creates it again.
package pglocal
