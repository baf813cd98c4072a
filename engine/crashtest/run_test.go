//go:build crash

package crashtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

const (
	// workers is how many worker processes work at once.
	workers = 2
	// roundMax is how long a round may take, with all its kills.
	roundMax = 2 * time.Minute
	// idleAfter is how long nothing must have become of what is to be done before the clock is moved on.
	idleAfter = 600 * time.Millisecond
	// clockStep is how far the clock is moved on at once, clockSteps how often: longer than any lease, and than a task
	// may stand still. Between two steps there is stepEvery: a worker that lives is to show it, as it would in that
	// time.
	clockStep  = time.Minute
	clockSteps = 4
	stepEvery  = 400 * time.Millisecond
	// lookEvery is how often the parent looks whether a round is over.
	lookEvery = 50 * time.Millisecond
	// restFor is how long nothing must be left: the queue notes up to a quarter of a second late that a job is to wait.
	restFor = 400 * time.Millisecond
)

// process is a worker process.
type process struct {
	*exec.Cmd
	stdin    io.WriteCloser
	log      string
	ready    bool
	struck   bool      // it has said that it kills itself
	struckAt time.Time // when, by the clock of the company
	// paused is how often the clock is to be moved on before a worker that is paused goes on; 0 for one that is not.
	paused   int
	pausedIn int // which round
	pulse    pulse
	asked    []*aggregate
}

// event is what a worker says, or its end.
type event struct {
	from   *process
	report report
	ended  bool
}

// run is one way of a company through its rounds, on a database of its own.
type run struct {
	t        *testing.T
	cluster  *cluster
	database string
	folder   string
	pool     *pgxpool.Pool // the host's
	host     *engine.Engine
	mail     *mailbox
	ledger   *ledger
	// directory is the target that is one.
	directory *directory
	clock     clock
	strikes   *deck // nil for a run that is not disturbed
	armed     *strike

	events    chan event
	workers   []*process
	readers   sync.WaitGroup
	open      map[int]*aggregate // aggregations that are to be answered
	lastMove  time.Time
	last      progress
	steps     map[string]int // that ended workers had made
	allowed   allowances
	strokes   []time.Time // when something was struck, by the real clock
	stepping  int         // how many steps of the clock are to come
	round     int
	restarts  int
	pauses    int
	clockings int
}

// allowances count how often a kill interrupted a message or an operation that had reached its target, and was not
// recorded yet: so often it may be repeated.
type allowances struct{ mails, operations map[string]int }

func newRun(t *testing.T, c *cluster, name string, strikes *deck) *run {
	t.Helper()
	r := &run{t: t, cluster: c, database: name, folder: storetest.DataDir(t), strikes: strikes,
		events: make(chan event), open: map[int]*aggregate{},
		steps: map[string]int{}, allowed: allowances{map[string]int{}, map[string]int{}}}
	r.clock.started = time.Now()
	for _, folder := range []string{"sources", "target", "logs"} {
		if err := os.Mkdir(filepath.Join(r.folder, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c.database(t, name, templateName)
	c.database(t, name+targetSuffix, templateTarget)
	r.directory = startDirectory(t)
	r.mail = openMailbox(t, filepath.Join(r.folder, "mail"))
	r.ledger = &ledger{path: filepath.Join(r.folder, "ledger.jsonl")}
	config, err := pgxpool.ParseConfig(c.url(name))
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 6
	if r.pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pool.Close)
	host := enginetest.NewEmpty(t, enginetest.WithPool(r.pool),
		enginetest.WithConfig(engine.Config{Now: r.clock.now, Guard: engine.Guard{Off: true}, OperationsPerDay: 1_000_000}))
	host.ApplyText(companyDocuments(filepath.Join(r.folder, "sources"), filepath.Join(r.folder, "target"),
		r.directory.url))
	r.host = host.Engine
	return r
}

// targetSuffix ends the name of the database that is a target.
const targetSuffix = "_target"

func (r *run) databaseURL() string { return r.cluster.url(r.database + targetSuffix) }

// execute takes the company through its rounds.
func (r *run) execute(seed uint64) {
	r.t.Helper()
	defer r.end()
	for range workers {
		r.start()
	}
	r.strikeNext()
	list := rounds(seed, filepath.Join(r.folder, "sources"), filepath.Join(r.folder, "target"))
	for i := range list {
		if err := list[i].write(); err != nil {
			r.t.Fatal(err)
		}
		for k := range list[i].changes {
			if err := r.changeTarget(r.t.Context(), &list[i].changes[k]); err != nil {
				r.t.Fatalf("%+v: %v", list[i].changes[k], err)
			}
		}
		r.through(i, &list[i], i == len(list)-1)
	}
}

// through works on one round until nothing of it is left. A worker may stay paused, unless it is the last round.
func (r *run) through(number int, round *round, last bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), roundMax)
	defer cancel()
	acted := make(chan error, 1)
	go func() { acted <- r.act(ctx, number, round.actions) }()
	for i, source := range round.aggregate {
		r.open[100*number+i] = &aggregate{100*number + i, source}
	}
	r.ask()
	r.round = number
	acting, leftAt := true, time.Now() // leftAt is when something was left last
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			r.t.Fatalf("round %d (%s) does not come to its end: acting: %t, aggregations: %d, open: %s", number,
				round.name, acting, len(r.open), r.leftovers())
		case err := <-acted:
			if err != nil {
				r.t.Fatalf("round %d (%s): %v", number, round.name, err)
			}
			acting = false
		case e := <-r.events:
			r.take(e)
		case <-look.C:
			switch {
			case !r.rest(acting || len(r.open) > 0):
				leftAt = time.Now()
			case time.Since(leftAt) <= restFor:
			case r.resume(last):
				leftAt = time.Now()
			default:
				return
			}
		}
	}
}

// act does what the host does in a round. Each action is done once, however often it has to be tried: its transaction
// notes it.
func (r *run) act(ctx context.Context, number int, actions []action) error {
	for _, a := range actions {
		for attempt := 1; ; attempt++ {
			err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
				tag, err := tx.Exec(ctx, `INSERT INTO host_actions (name) VALUES ($1) ON CONFLICT DO NOTHING`,
					fmt.Sprintf("%d %s", number, a.name))
				if err != nil || tag.RowsAffected() == 0 {
					return err
				}
				return a.do(ctx, tx, r.host)
			})
			if err == nil {
				break
			}
			if attempt == 200 || ctx.Err() != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			time.Sleep(lookEvery)
		}
	}
	return nil
}

// start starts a worker.
func (r *run) start() {
	r.t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0]), log: filepath.Join(r.folder, "logs", fmt.Sprint(r.restarts))}
	r.restarts++
	p.Env = append(os.Environ(), workerVariable+"="+string(encode(workerConfig{DatabaseURL: r.cluster.url(r.database),
		Mailbox: r.mail.path, Ledger: r.ledger.path, Target: r.databaseURL(), Started: r.clock.started,
		Clock: time.Duration(r.clock.offset.Load())})))
	log, err := os.Create(p.log)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	p.Stderr = log
	if p.stdin, err = p.StdinPipe(); err != nil {
		r.t.Fatal(err)
	}
	reports, theirs, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	p.ExtraFiles = []*os.File{theirs}
	if err := errors.Join(p.Start(), theirs.Close()); err != nil {
		r.t.Fatal(err)
	}
	r.workers = append(r.workers, p)
	r.readers.Go(func() {
		defer reports.Close()
		lines := bufio.NewScanner(reports)
		for lines.Scan() {
			var said report
			if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
				break // a line that the kill cut off
			}
			r.events <- event{from: p, report: said}
		}
		r.events <- event{from: p, ended: true}
	})
}

// tell sends a worker a command. One that is gone is told nothing: its end is an event of its own.
func (p *process) tell(c command) { _, _ = p.stdin.Write(append(encode(c), '\n')) }

// take takes what a worker says.
func (r *run) take(e event) {
	r.t.Helper()
	p := e.from
	switch {
	case e.ended:
		r.ended(p)
	case e.report.Ready:
		p.ready = true
		offset := time.Duration(r.clock.offset.Load())
		p.tell(command{Clock: &offset})
		if r.armed != nil {
			p.tell(command{Strike: r.armed})
		}
		r.ask()
	case e.report.Pulse != nil:
		p.pulse = *e.report.Pulse
	case e.report.Answer != nil:
		a := r.open[e.report.Answer.ID]
		if a == nil {
			return
		}
		p.asked = slices.DeleteFunc(p.asked, func(asked *aggregate) bool { return asked == a })
		if e.report.Answer.Error == "" {
			delete(r.open, a.ID)
		} else if r.strikes == nil {
			r.t.Errorf("undisturbed, %s", e.report.Answer.Error)
		}
		r.ask()
	case e.report.Struck != nil:
		r.struck(p, e.report.Struck)
	}
}

// struck does what a strike says.
func (r *run) struck(p *process, s *struck) {
	r.t.Helper()
	r.strikes.count(s)
	r.strokes = append(r.strokes, time.Now())
	r.t.Logf("%s of process %d at %s during %s, %s", s.Kind, p.Process.Pid, time.Now().UTC().Format("15:04:05.000"),
		s.Phase, s.Point)
	switch s.Kind {
	case killWorker:
		p.struck, p.struckAt = true, s.At // it dies by itself
	case pause:
		var status syscall.WaitStatus // it is stopped a moment after it has said so
		if _, err := syscall.Wait4(p.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
			r.t.Fatalf("the worker did not stop: %v, %v", status, err)
		}
		p.paused, p.pausedIn = s.Moves, r.round
		r.pauses++
		r.allowBegun(s.At)
	default:
		if err := r.cluster.crash(s.Kind); err != nil {
			r.t.Fatal(err)
		}
		r.pool.Reset() // connections that are dead
		r.allowBegun(s.At)
	}
	if r.armed != nil && r.armed.ID == s.ID {
		r.strikeNext()
	}
}

// strikeNext arms the workers with the next strike.
func (r *run) strikeNext() {
	if r.armed = nil; r.strikes == nil {
		return
	}
	if r.armed = r.strikes.next(); r.armed == nil {
		return
	}
	for _, p := range r.workers {
		if p.ready && !p.struck && p.paused == 0 {
			p.tell(command{Strike: r.armed})
		}
	}
}

// ended notes the end of a worker, and starts another one.
func (r *run) ended(p *process) {
	r.t.Helper()
	if err := r.bury(p); !p.struck {
		r.t.Fatalf("a worker ended by itself: %v", err)
	}
	r.allow(p.struckAt)
	r.start()
}

// bury notes what a worker had done. The error of one that was not killed has its log.
func (r *run) bury(p *process) error {
	err := p.Wait()
	for phase, steps := range p.pulse.Steps {
		r.steps[phase] += steps
	}
	r.workers = slices.DeleteFunc(r.workers, func(other *process) bool { return other == p })
	if err == nil || p.struck {
		return nil
	}
	log, readErr := os.ReadFile(p.log)
	return errors.Join(fmt.Errorf("%w\n%s", err, log), readErr)
}

// ask gives the aggregations that nobody has to workers.
func (r *run) ask() {
	for _, a := range r.open {
		var least *process
		taken := false
		for _, p := range r.workers {
			taken = taken || slices.Contains(p.asked, a) && p.paused == 0 // what a paused one has, another is asked for too
			if p.ready && !p.struck && p.paused == 0 && (least == nil || len(p.asked) < len(least.asked)) {
				least = p
			}
		}
		if !taken && least != nil {
			least.asked = append(least.asked, a)
			least.tell(command{Aggregate: a})
		}
	}
}

// rest reports whether nothing is left of a round; waiting says that the host waits for something. Where something is
// left, and nothing becomes of it, it moves the clock on, so that the leases of those who are gone end.
func (r *run) rest(waiting bool) bool {
	r.t.Helper()
	now, err := r.progress()
	switch {
	case r.stepping > 0:
		r.step()
	case err == nil && now.Left == 0 && now.Waiting == 0 && !waiting:
		return true
	case err == nil && now.Left == 0 && now.Waiting > 0:
		r.ripen()
		r.nudge()
	case err != nil || r.busy() || now.Left != r.last.Left || now.Ended != r.last.Ended:
		r.last, r.lastMove = now, time.Now()
	case time.Since(r.lastMove) > idleAfter:
		// On a busy machine a worker that is only slow loses its leases too, and another one does what it has begun.
		r.allowBegun(r.clock.now())
		r.clockings++
		r.stepping = clockSteps
	default:
		r.nudge()
	}
	return false
}

// step moves the clock on by one step, if it is time. Behind the last one a pause may be over.
func (r *run) step() {
	r.t.Helper()
	if time.Since(r.lastMove) < stepEvery {
		return
	}
	offset := time.Duration(r.clock.offset.Add(int64(clockStep)))
	for _, p := range r.workers {
		p.tell(command{Clock: &offset})
	}
	r.age()
	r.lastMove = time.Now()
	if r.stepping--; r.stepping > 0 {
		return
	}
	for _, p := range slices.Clone(r.workers) {
		if p.paused == 1 {
			r.wake(p)
		}
		p.paused = max(0, p.paused-1)
	}
}

// busy reports whether a worker does something, or one is missing.
func (r *run) busy() bool {
	busy := len(r.workers) < workers
	for _, p := range r.workers {
		busy = busy || !p.ready || p.pulse.Active > 0 && p.paused == 0
	}
	return busy
}

// wake lets a paused worker go on.
func (r *run) wake(p *process) {
	r.t.Helper()
	p.paused = 0
	if err := p.Process.Signal(syscall.SIGCONT); err != nil {
		r.t.Fatal(err)
	}
	if r.armed != nil {
		p.tell(command{Strike: r.armed})
	}
	r.ask()
}

// resume lets the workers go on that are paused, where nothing is left to do without them. One that is paused for
// longer stays so, in the round in which it was paused, unless that is the last one. It reports whether one goes on.
func (r *run) resume(last bool) bool {
	r.t.Helper()
	some := false
	for _, p := range r.workers {
		if p.paused > 0 && (last || p.paused == 1 || p.pausedIn != r.round) {
			r.wake(p)
			some = true
		}
	}
	return some
}

// age lets as much time pass for the queue's jobs as the clock was moved on: the queue goes by the real time. A job
// counts as lost only where it was given to its worker long ago by both.
func (r *run) age() {
	_, _ = r.pool.Exec(r.t.Context(), `
		UPDATE muster_jobs.river_job SET attempted_at = attempted_at - $1::interval WHERE state = 'running'`, clockStep)
}

// ripen lets time pass for jobs that wait though nothing is left to do: those whose work another job has done since
// they were made. They look for it for two minutes, by the real time.
func (r *run) ripen() {
	_, _ = r.pool.Exec(r.t.Context(), `
		UPDATE muster_jobs.river_job SET created_at = created_at - $1::interval
		WHERE state IN ('retryable', 'scheduled', 'available') AND kind <> 'muster_run_schedule'`, clockStep)
}

// nudge lets the queue try now what it would try later: it goes by the real time. Where the database is away, the next
// nudge does it.
func (r *run) nudge() {
	_, _ = r.pool.Exec(r.t.Context(), `
		WITH later AS (
		    UPDATE muster_jobs.river_job SET state = 'available', scheduled_at = now()
		    WHERE state IN ('retryable', 'scheduled') OR state = 'available' AND scheduled_at > now()
		    RETURNING queue
		)
		SELECT pg_notify('muster_jobs.river_insert', json_build_object('queue', queue)::text)
		FROM (SELECT DISTINCT queue FROM later) queues`)
}

// progress is how far a run has come. Waiting jobs come and go where nothing becomes of them; but one whose work
// another has done meanwhile is to have its turn, and to end too.
type progress struct{ Left, Ended, Waiting int }

// progress returns how much is to be done, how much has come to its end, and how many jobs wait.
func (r *run) progress() (progress, error) {
	rows, err := r.pool.Query(r.t.Context(), `
		SELECT (SELECT count(*) FROM muster.tasks WHERE completed IS NULL)
		     + (SELECT count(*) FROM muster.refresh_requests) + (SELECT count(*) FROM muster.task_parts)
		     + (SELECT count(*) FROM muster.provisioning_batches)
		     + (SELECT count(*) FROM muster.provisioning_operations WHERE state = 'OPEN')
		     + (SELECT count(*) FROM muster.notifications WHERE state = 'PENDING'),
		       (SELECT count(completed) FROM muster.tasks)
		     + (SELECT count(completed) FROM muster.provisioning_operations)
		     + (SELECT count(completed) FROM muster.notifications),
		       (SELECT count(*) FROM muster_jobs.river_job WHERE kind <> 'muster_run_schedule'
		        AND state IN ('available', 'scheduled', 'retryable'))`)
	if err != nil {
		return progress{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[progress])
}

// leftovers tells what is to be done, for the message of a failure.
func (r *run) leftovers() string {
	var text strings.Builder
	for _, p := range r.workers {
		fmt.Fprintf(&text, "\nworker ready %t, struck %t, %+v", p.ready, p.struck, p.pulse)
	}
	fmt.Fprintf(&text, "\nit is %s, the clock was moved on %d times, last move %s ago", r.clock.now(), r.clockings,
		time.Since(r.lastMove))
	for _, query := range []string{
		`SELECT 'task ' || t.description || ' created ' || created || ' held ' || coalesce(held_reason, '-') ||
			' job ' || coalesce(j.state::text || ' attempt ' || j.attempt || ' at ' || j.scheduled_at || ' ' ||
			coalesce(j.errors[array_length(j.errors, 1)]::text, ''), '-')
			FROM muster.tasks t LEFT JOIN muster_jobs.river_job j ON j.id = t.job_id WHERE completed IS NULL`,
		`SELECT 'request ' || reason || ' of task ' || task_id FROM muster.refresh_requests`,
		`SELECT 'batch ' || b.id || ' leased ' || coalesce(leased::text, '-') || ' job ' || coalesce(j.state::text, '-')
			FROM muster.provisioning_batches b LEFT JOIN muster_jobs.river_job j ON j.id = b.job_id`,
		`SELECT 'operation ' || kind || ' ' || native_identity || ' begun ' || coalesce(begun::text, '-') ||
			' attempts ' || attempts || ' ' || coalesce(error, '')
			FROM muster.provisioning_operations WHERE state = 'OPEN'`,
		`SELECT 'job ' || kind || ' ' || args::text || ' ' || state || ' attempt ' || attempt || ' at ' || scheduled_at
			FROM muster_jobs.river_job WHERE state IN ('available', 'scheduled', 'retryable')`,
		`SELECT 'message ' || purpose || ' leased ' || coalesce(leased::text, '-') || ' attempts ' || attempts
			FROM muster.notifications WHERE state = 'PENDING'`,
	} {
		rows, err := r.pool.Query(context.Background(), query)
		if err != nil {
			return err.Error()
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err.Error()
		}
		for _, line := range lines {
			text.WriteString("\n" + line)
		}
	}
	return text.String()
}

// end ends the workers, as a host does.
func (r *run) end() {
	r.t.Helper()
	for _, p := range r.workers {
		if p.paused > 0 { // the run has failed
			_ = p.Process.Signal(syscall.SIGCONT)
		}
		_ = p.stdin.Close() // one that has just died has no input any more
	}
	for len(r.workers) > 0 {
		e := <-r.events
		switch {
		case e.report.Pulse != nil:
			e.from.pulse = *e.report.Pulse
		case e.ended:
			if err := r.bury(e.from); err != nil {
				r.t.Errorf("a worker did not end well: %v", err)
			}
		}
	}
	r.readers.Wait()
}

// accepted is what the mailbox says of every message.
const accepted = "ok\n"

// mailbox takes the messages of the workers, and survives them.
type mailbox struct {
	postbox
	listener net.Listener
	group    sync.WaitGroup

	mutex   sync.Mutex
	letters map[string]int // how often each came, by its ID
}

func openMailbox(t *testing.T, path string) *mailbox {
	t.Helper()
	m := &mailbox{postbox: postbox{path}, letters: map[string]int{}}
	var err error
	if m.listener, err = net.Listen("unix", path); err != nil {
		t.Fatal(err)
	}
	m.group.Go(func() {
		for {
			conn, err := m.listener.Accept()
			if err != nil {
				return // it was closed
			}
			m.receive(conn) // one after the other, so that what came is known when a later one has its answer
		}
	})
	t.Cleanup(func() {
		if err := m.listener.Close(); err != nil {
			t.Error(err)
		}
		m.group.Wait()
	})
	return m
}

func (m *mailbox) receive(conn net.Conn) {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(roundMax)); err != nil {
		return
	}
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	var l letter
	if err != nil || json.Unmarshal(line, &l) != nil {
		return // its worker died before it had said all
	}
	if l.ID != "" {
		m.mutex.Lock()
		m.letters[l.ID]++
		m.mutex.Unlock()
	}
	_, _ = io.WriteString(conn, accepted) // its worker may be dead by now
}

// received returns how often each message has come. A worker that has ended sends none any more.
func (m *mailbox) received(ctx context.Context) (map[string]int, error) {
	if err := m.deliver(ctx, letter{}); err != nil { // behind all others
		return nil, err
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return maps.Clone(m.letters), nil
}

// allow counts the messages and operations that reached their target, and of which the database did not know it when a
// worker was killed at a time. By now another worker may have repeated one, and recorded it.
func (r *run) allow(at time.Time) {
	r.t.Helper()
	var mails, operations []string
	received, err := r.mail.received(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for id := range received {
		mails = append(mails, id)
	}
	b, err := r.ledger.load()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range b.entries {
		if e.Outcome == executed {
			operations = append(operations, e.Key)
		}
	}
	r.unknown(mails, at, `SELECT id FROM muster.notifications
		WHERE id = ANY ($1) AND (state <> 'SENT' OR completed >= $2)`, r.allowed.mails)
	r.unknown(operations, at, `SELECT id FROM muster.provisioning_operations
		WHERE id = ANY ($1) AND (state <> 'DONE' OR completed >= $2)`, r.allowed.operations)
}

// allowBegun counts the operations that a worker may have been about to carry out when it was paused at a time, and the
// messages that it may have been about to send: another one does it meanwhile, and then it does so itself. After a crash
// of the server they are those whose record may have met a connection that is dead. By now a worker may have repeated
// one, and recorded it.
func (r *run) allowBegun(at time.Time) {
	r.t.Helper()
	for _, id := range r.lines(`SELECT replace(id::text, '-', '') FROM muster.provisioning_operations
		WHERE begun IS NOT NULL AND (state = 'OPEN' OR completed >= $1)`, at) {
		r.allowed.operations[id]++
	}
	for _, id := range r.lines(`SELECT replace(id::text, '-', '') FROM muster.notifications
		WHERE state = 'PENDING' AND leased IS NOT NULL OR attempts > 0 AND completed >= $1`, at) {
		r.allowed.mails[id]++
	}
}

func (r *run) unknown(ids []string, at time.Time, query string, count map[string]int) {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), query, ids, at)
	if err != nil {
		r.t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
	if err != nil {
		r.t.Fatal(err)
	}
	for _, id := range found {
		count[fmt.Sprintf("%x", id)]++
	}
}
