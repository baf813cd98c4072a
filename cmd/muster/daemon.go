package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/migrations"
)

// pace is how a daemon waits for its database.
type pace struct {
	retry  time.Duration // between two attempts to connect
	remind time.Duration // between two lines that say what it waits for
	look   time.Duration // between two looks at a database that was there
}

var paceDefault = pace{retry: 2 * time.Second, remind: time.Minute, look: 5 * time.Second}

// daemonLog makes the command log like a daemon, whether --verbose is given or not.
func (a *app) daemonLog(asJSON bool) {
	a.log = slog.New(slog.NewTextHandler(a.stderr, nil))
	if asJSON {
		a.log = slog.New(slog.NewJSONHandler(a.stderr, nil))
	}
}

// withDaemon runs work on an engine as a daemon does: it waits for a database that is not there yet or that nobody has
// migrated yet, and while the work runs it says when the database goes and comes. It starts a private server again that
// died. Work that is ended while it waits is no failure.
func (a *app) withDaemon(ctx context.Context, work func(d *database, eng *engine.Engine) error) (err error) {
	dir, err := a.dataFolder()
	if err != nil {
		return err
	}
	d, eng, err := a.awaitEngine(ctx, dir)
	if err != nil || d == nil {
		return err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		a.watch(watching, d)
	}()
	defer func() {
		stop()
		<-watched
		err = errors.Join(err, d.close(ctx))
	}()
	return work(d, eng)
}

// awaitEngine connects, again and again. It returns nil without an error if ctx ends while it waits.
func (a *app) awaitEngine(ctx context.Context, dir string) (*database, *engine.Engine, error) {
	notice := notice{app: a, what: "waiting for the database"}
	for {
		d, eng, err := a.openEngine(ctx, dir)
		switch {
		case err == nil:
			notice.over(ctx, "the database is there")
			return d, eng, nil
		case ctx.Err() != nil:
			return nil, nil, nil //nolint:nilerr // whoever ended it need not be told what it waited for
		case !worthWaiting(err):
			return nil, nil, err
		}
		notice.say(ctx, err)
		select {
		case <-ctx.Done():
			return nil, nil, nil
		case <-time.After(a.pace.retry):
		}
	}
}

func (a *app) openEngine(ctx context.Context, dir string) (*database, *engine.Engine, error) {
	d, err := a.connect(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	eng, err := a.engine(ctx, d)
	if err != nil {
		return nil, nil, errors.Join(err, d.close(ctx))
	}
	return d, eng, nil
}

// worthWaiting reports whether an error can go away by itself: a server that is not there or starts, a database that is
// being made, tables that are being migrated. A password that is wrong is not worth it.
func worthWaiting(err error) bool {
	const cannotConnectNow, tooManyConnections, noDatabase = "57P03", "53300", "3D000"
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.Code {
		case cannotConnectNow, tooManyConnections, noDatabase:
			return true
		}
		return false
	}
	var unreached *pgconn.ConnectError
	return errors.As(err, &unreached) || errors.Is(err, migrations.ErrTooOld) ||
		engine.KindOf(err) == engine.Unavailable
}

// watch says when the database goes, once a minute that it is still away, and when it comes back.
func (a *app) watch(ctx context.Context, d *database) {
	notice := notice{app: a, what: "the database is away: work goes on when it is back"}
	look := time.NewTicker(a.pace.look)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		err := a.ping(ctx, d)
		if err != nil && d.server != nil && ctx.Err() == nil {
			notice.say(ctx, err)
			err = d.server.Revive(ctx)
			if err == nil {
				err = a.ping(ctx, d)
			}
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			notice.say(ctx, err)
		default:
			notice.over(ctx, "the database is back")
		}
	}
}

// ping asks the database with a connection of its own, so that a pool whose connections are all at work does not look
// like a database that is away.
func (a *app) ping(ctx context.Context, d *database) error {
	ctx, cancel := context.WithTimeout(ctx, a.pace.look+time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, d.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

// notice says something at once, and again each minute while it lasts.
type notice struct {
	app   *app
	what  string
	since time.Time // zero if it does not last
	said  time.Time
}

func (n *notice) say(ctx context.Context, err error) {
	now := time.Now()
	if n.since.IsZero() {
		n.since = now
	}
	if !n.said.IsZero() && now.Sub(n.said) < n.app.pace.remind {
		return
	}
	n.said = now
	n.app.logger().WarnContext(ctx, n.what, "for", now.Sub(n.since).Round(time.Second).String(), "error", err)
}

func (n *notice) over(ctx context.Context, what string) {
	if n.since.IsZero() {
		return
	}
	n.app.logger().InfoContext(ctx, what, "after", time.Since(n.since).Round(time.Second).String())
	n.since, n.said = time.Time{}, time.Time{}
}
