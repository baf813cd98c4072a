package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/muster-engine/muster/engine"
)

// The limits of the streams that tell how far runs are.
const (
	// StreamsMax is how many streams a handler has open at once.
	StreamsMax = 200
	// streamMax is the longest time of one: then the browser asks again, and the visitor is identified anew.
	streamMax = 10 * time.Minute
	// streamBeat is how often a stream says that it is there, where nothing else is to be said.
	streamBeat = 15 * time.Second
	// progressEvery is how often the runs are looked at.
	progressEvery = time.Second
)

// runState is what a stream tells of a run: all of it each time, in the visitor's language.
type runState struct {
	State    string       `json:"state"`
	Tone     string       `json:"tone"`
	Progress string       `json:"progress"`
	Percent  int          `json:"percent"`
	Counts   []shownCount `json:"counts"`
	Ended    bool         `json:"ended"` // or held: the page has more to say than the stream
}

type shownCount struct {
	Title string `json:"title"`
	Count string `json:"count"`
}

func (v *visit) runState(t *engine.TaskStatus) runState {
	view := v.viewOf(t)
	s := runState{State: view.Run.State, Tone: view.Run.Tone, Percent: t.PercentComplete,
		Ended: t.Ended() || t.Held != "", Counts: []shownCount{}}
	if t.Progress != nil {
		s.Progress = *t.Progress
	}
	for _, c := range view.Counts {
		s.Counts = append(s.Counts, shownCount{c.Title, v.T("%d", c.Count)})
	}
	return s
}

// runEvents streams how far a run is until it has ended or is held, or answers with its state once where once is in the
// address.
func (v *visit) runEvents() error {
	ctx, cancel := context.WithTimeout(v.ctx(), streamMax)
	defer cancel()
	task, err := v.progressOf(ctx)
	if err != nil {
		return err
	}
	if v.r.URL.Query().Get("once") != "" || v.r.Method == http.MethodHead {
		v.w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(v.w).Encode(v.runState(&task))
	}
	watch, open := v.h.runs.watch(task.ID)
	if !open {
		return &pageError{status: http.StatusServiceUnavailable, key: "Too many pages follow runs: refresh this one."}
	}
	defer v.h.runs.leave(watch)
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.WriteHeader(http.StatusOK)
	stream := eventStream{v, http.NewResponseController(v.w)}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	last := ""
	for {
		text, err := json.Marshal(v.runState(&task))
		if err != nil {
			return err
		}
		if string(text) != last {
			last = string(text)
			if !stream.send("data: " + last + "\n\n") {
				return nil
			}
		}
		if task.Ended() || task.Held != "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-v.h.runs.closed:
			return nil
		case <-beat.C:
			if !stream.send(": \n\n") {
				return nil
			}
		case task = <-watch.news:
		}
	}
}

func (v *visit) progressOf(ctx context.Context) (engine.TaskStatus, error) {
	reading, cancel := context.WithTimeout(ctx, v.h.config.StatementTimeout)
	defer cancel()
	tasks, err := v.h.eng.TaskProgress(reading, []string{v.values["id"]})
	if err == nil && len(tasks) == 0 {
		err = &pageError{status: http.StatusNotFound, key: "This does not exist, or not any more."}
	}
	if err != nil {
		return engine.TaskStatus{}, err
	}
	return tasks[0], nil
}

// eventStream writes events, each before a deadline of its own: a server's own deadline would cut the stream.
type eventStream struct {
	*visit

	control *http.ResponseController
}

// send reports whether the visitor is still there.
func (s *eventStream) send(text string) bool {
	err := s.control.SetWriteDeadline(time.Now().Add(2 * streamBeat))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return false
	}
	if _, err := fmt.Fprint(s.w, text); err != nil {
		return false
	}
	return s.control.Flush() == nil
}

// runPoller looks at the runs that streams follow, with one question for all of them. It looks while there are any.
type runPoller struct {
	eng    *engine.Engine
	logger *slog.Logger
	closed chan struct{}

	mu      sync.Mutex
	watches map[*runWatch]struct{}
	going   bool
	ended   bool
}

// runWatch is a stream that follows a run. news has the latest state that the stream has not read.
type runWatch struct {
	id   string
	news chan engine.TaskStatus
}

func newRunPoller(eng *engine.Engine, logger *slog.Logger) *runPoller {
	return &runPoller{eng: eng, logger: logger, closed: make(chan struct{}), watches: map[*runWatch]struct{}{}}
}

// watch follows a run. It reports false where there are too many streams, or the handler was closed.
func (p *runPoller) watch(id string) (*runWatch, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || len(p.watches) >= StreamsMax {
		return nil, false
	}
	w := &runWatch{id, make(chan engine.TaskStatus, 1)}
	p.watches[w] = struct{}{}
	if !p.going {
		p.going = true
		go p.poll()
	}
	return w, true
}

func (p *runPoller) leave(w *runWatch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watches, w)
}

func (p *runPoller) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.ended = true
		close(p.closed)
	}
}

// poll tells every stream how far its run is, until there is none.
func (p *runPoller) poll() {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.closed:
			return
		case <-tick.C:
		}
		ids := p.followed()
		if ids == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), StatementTimeoutDefault)
		tasks, err := p.eng.TaskProgress(ctx, ids)
		cancel()
		if err != nil { // the streams go on with what they know
			p.logger.Warn("console: the progress of runs is not known", "error", engine.Reason(err))
			continue
		}
		p.tell(tasks)
	}
}

// followed returns the runs that are followed, each once; nil ends the polling.
func (p *runPoller) followed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[string]bool{}
	var ids []string
	for w := range p.watches {
		if !seen[w.id] {
			seen[w.id] = true
			ids = append(ids, w.id)
		}
	}
	p.going = ids != nil
	return ids
}

func (p *runPoller) tell(tasks []engine.TaskStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.watches {
		for i := range tasks {
			if tasks[i].ID != w.id {
				continue
			}
			select { // what the stream has not read is old
			case <-w.news:
			default:
			}
			w.news <- tasks[i]
		}
	}
}
