//go:build crash

package crashtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/connector/ldap"
	"github.com/muster-engine/muster/engine/connector/postgres"
)

// workerConfig is what a worker process is told at its start.
type workerConfig struct {
	DatabaseURL string
	Mailbox     string    // a Unix socket
	Ledger      string    // a file
	Target      string    // the URL of the database that is a target
	Started     time.Time // of the run
	Clock       time.Duration
}

// command is a line that the parent writes to a worker's standard input. The end of the input ends the worker.
type command struct {
	Clock     *time.Duration `json:",omitempty"` // how far the clock is from its start
	Strike    *strike        `json:",omitempty"`
	Aggregate *aggregate     `json:",omitempty"`
}

// aggregate asks a worker for the aggregation of a source.
type aggregate struct {
	ID     int
	Source string
}

// report is a line that a worker writes for the parent.
type report struct {
	Ready  bool    `json:",omitempty"`
	Struck *struck `json:",omitempty"`
	Answer *answer `json:",omitempty"`
	Pulse  *pulse  `json:",omitempty"`
}

// struck says that the moment of a strike has come.
type struck struct {
	ID                 int
	Kind, Phase, Point string
	Moves              int
	At                 time.Time // by the clock of the company
}

// answer says what became of an aggregation.
type answer struct {
	ID    int
	Error string
}

// pulse says what a worker does.
type pulse struct {
	Steps  map[string]int
	Active int // statements, operations and messages that have begun and not ended
}

// pulseEvery is how often a worker tells what it does.
const pulseEvery = 25 * time.Millisecond

// clockStart is what the clock of every run shows at its start. It is behind the real time, by which the queue goes.
var clockStart = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// clock is the clock of a run, in each of its processes. The parent moves it on.
type clock struct {
	started time.Time
	offset  atomic.Int64
}

func (c *clock) now() time.Time {
	return clockStart.Add(time.Since(c.started)).Add(time.Duration(c.offset.Load()))
}

// worker is what a worker process consists of.
type worker struct {
	config  workerConfig
	clock   clock
	meter   *meter
	reports struct {
		sync.Mutex
		io.Writer
	}
}

// work is the main function of a worker process.
func work(text []byte) error {
	w := &worker{}
	if err := json.Unmarshal(text, &w.config); err != nil {
		return err
	}
	w.clock.started = w.config.Started
	w.clock.offset.Store(int64(w.config.Clock))
	w.reports.Writer = os.NewFile(3, "reports")
	w.meter = &meter{report: w.report, now: w.clock.now, steps: map[string]int{}, begun: map[*time.Time]bool{}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	commands := make(chan command)
	go w.listen(commands)
	config, err := pgxpool.ParseConfig(w.config.DatabaseURL)
	if err != nil {
		return err
	}
	config.MaxConns = 20
	config.ConnConfig.Tracer = &tracer{w.meter}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	eng, err := w.start(ctx, pool)
	if err != nil {
		return err
	}
	go w.beat(ctx)
	w.report(report{Ready: true})
	var group sync.WaitGroup
	for c := range commands {
		switch {
		case c.Clock != nil:
			w.clock.offset.Store(int64(*c.Clock))
			// What fails is done by the next look at the clock.
			group.Go(func() { _, _ = eng.RunSchedule(ctx) })
		case c.Strike != nil:
			w.meter.arm(c.Strike)
		case c.Aggregate != nil:
			group.Go(func() { w.aggregate(ctx, eng, c.Aggregate) })
		}
	}
	group.Wait()
	ending, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	return eng.Stop(ending)
}

// start makes and starts the engine. The database may be away for a while.
func (w *worker) start(ctx context.Context, pool *pgxpool.Pool) (*engine.Engine, error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for attempt := 1; ; attempt++ {
		eng, err := engine.New(ctx, pool, engine.Config{
			BatchSize: 5, Workers: 2, Guard: engine.Guard{Off: true}, Logger: logger, Now: w.clock.now,
			Connectors: map[string]connector.Factory{"delimited-folder": w.watched(delimited.New),
				"postgres": w.watched(postgres.New), "ldap": w.watched(ldap.New), "ledger": w.openLedger},
			Notifier: &notifier{w}, OperationsPerDay: 1_000_000, Secret: w.secret,
		})
		if err == nil {
			err = eng.Start(ctx)
		}
		if err == nil || engine.KindOf(err) != engine.Unavailable || attempt == 2000 {
			return eng, err
		}
		time.Sleep(pulseEvery)
	}
}

// listen reads the parent's commands.
func (w *worker) listen(commands chan<- command) {
	defer close(commands)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			panic(err)
		}
		commands <- c
	}
}

// report tells the parent something. One that is gone is told nothing.
func (w *worker) report(r report) {
	w.reports.Lock()
	defer w.reports.Unlock()
	_, _ = w.reports.Write(append(encode(r), '\n'))
}

// beat tells the parent what the worker does, when that has changed.
func (w *worker) beat(ctx context.Context) {
	var last pulse
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pulseEvery):
		}
		steps, active := w.meter.read()
		if active != last.Active || !maps.Equal(steps, last.Steps) {
			last = pulse{steps, active}
			w.report(report{Pulse: &last})
		}
	}
}

func (w *worker) aggregate(ctx context.Context, eng *engine.Engine, a *aggregate) {
	_, err := eng.AggregateSource(ctx, a.Source, engine.AggregateOptions{})
	said := answer{ID: a.ID}
	if err != nil {
		said.Error = err.Error()
	}
	w.report(report{Answer: &said})
}

// secret returns what the configuration refers to.
func (w *worker) secret(reference string) (string, error) {
	switch reference {
	case "env:CRASH_DATABASE":
		return w.config.Target, nil
	case "env:CRASH_DIRECTORY":
		return directoryPassword, nil
	}
	return "", fmt.Errorf("no secret is called %s", reference)
}

func (w *worker) watched(open connector.Factory) connector.Factory {
	return func(ctx context.Context, config connector.Config) (connector.Connector, error) {
		inner, err := open(ctx, config)
		return &watched{inner, w.meter}, err
	}
}

func (w *worker) openLedger(_ context.Context, config connector.Config) (connector.Connector, error) {
	return &watched{&ledger{w.config.Ledger, connector.AccountSchema(config.Schemas)}, w.meter}, nil
}

// watched makes steps of what a connector does.
type watched struct {
	connector.Connector
	meter *meter
}

// Find implements [connector.Finder].
func (c *watched) Find(ctx context.Context, query *connector.Query, each func(*connector.Object) error) error {
	defer c.meter.begin(phaseProvisioning, "finding")()
	return c.Connector.(connector.Finder).Find(ctx, query, each)
}

// Read implements [connector.Connector].
func (c *watched) Read(ctx context.Context, since string, each func(*connector.Object) error) (string, error) {
	return c.Connector.Read(ctx, since, func(o *connector.Object) error {
		c.meter.step(phaseAggregation, "reading an object")
		return each(o)
	})
}

// Apply implements [connector.Connector].
func (c *watched) Apply(ctx context.Context, o *connector.Operation) (connector.Result, error) {
	defer c.meter.begin(phaseProvisioning, string(o.Kind))()
	return c.Connector.Apply(ctx, o)
}

// notifier brings messages to the parent, which keeps them.
type notifier struct{ w *worker }

// letter is a message as the parent gets it.
type letter struct{ ID, Identity, Purpose, Via string }

// Notify implements [engine.Notifier].
func (n *notifier) Notify(ctx context.Context, m *engine.Message) error {
	defer n.w.meter.begin(phaseMail, "sending")()
	return (&postbox{n.w.config.Mailbox}).deliver(ctx, letter{m.ID, m.Identity.ID, m.Purpose, m.Via})
}

// postbox is where the mailbox of the parent is.
type postbox struct{ path string }

func (p *postbox) deliver(ctx context.Context, l letter) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", p.path)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(append(encode(l), '\n')); err != nil {
		return err
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && reply != accepted {
		err = errors.New("the mail server refused it")
	}
	if err != nil {
		return fmt.Errorf("send a message: %w", err)
	}
	return nil
}
