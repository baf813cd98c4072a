//go:build crash

package crashtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The variables of the environment that bound the suite.
const (
	killsVariable = "KILLS"
	seedVariable  = "SEED"
	killsDefault  = 60
	// killsOfRun is how many interruptions one run has to stand.
	killsOfRun = 15
)

func TestCrash(t *testing.T) {
	kills, seed := number(t, killsVariable, killsDefault), uint64(number(t, seedVariable, 1))
	if kills < len(phases) {
		t.Fatalf("%s is %d: at least %d are needed, one for each phase", killsVariable, kills, len(phases))
	}
	started := time.Now()
	c := startCluster(t)
	d := &deck{left: kills, kills: map[string]map[string]int{}}
	var total tally
	restarts := 0
	for i := 0; d.left > 0; i++ {
		if i > 3+2*kills/killsOfRun {
			t.Fatalf("seed %d: after %d runs %d interruptions have not happened", seed, i, d.left)
		}
		passed := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			sum, starts := series(t, c, fmt.Sprintf("run%d", i), seed, d)
			total.mails += sum.mails
			total.extraMails += sum.extraMails
			total.operations += sum.operations
			total.repeats += sum.repeats
			restarts += starts
		})
		if !passed {
			t.Fatalf("again: make crash KILLS=%d SEED=%d", killsOfRun, seed)
		}
		seed++
	}
	for _, phase := range phases {
		if d.in(phase) == 0 {
			t.Errorf("nothing was interrupted during %s", phase)
		}
	}
	if len(d.kills[pause]) == 0 {
		t.Error("no worker was paused")
	}
	t.Logf("all: %s; %d restarts of workers, %d messages and %d sent again, %d operations and %d asked again, %s",
		d, restarts, total.mails, total.extraMails, total.operations, total.repeats,
		time.Since(started).Round(time.Second))
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q, where a number is expected", variable, text)
	}
	return n
}

// series takes one company through its rounds twice, undisturbed and disturbed, and compares.
func series(t *testing.T, c *cluster, name string, seed uint64, d *deck) (tally, int) {
	t.Helper()
	calm := newRun(t, c, name+"_calm", nil)
	started := time.Now()
	calm.execute(seed)
	want := calm.state()
	healthy := calm.diagnosis()
	if sum := calm.check(); sum.extraMails+sum.repeats > 0 {
		t.Errorf("undisturbed, %d messages were sent again and %d operations asked again", sum.extraMails, sum.repeats)
	}
	lasted := time.Since(started)

	before := d.clone()
	d.deal(seed, calm.steps)
	wild := newRun(t, c, name+"_wild", d)
	started = time.Now()
	wild.execute(seed)
	wild.compare(want)
	for _, check := range wild.diagnosis() {
		if !slices.Contains(healthy, check) {
			t.Errorf("the doctor finds %s", check)
		}
	}
	sum := wild.check()
	restarts := wild.restarts - workers
	t.Logf("seed %d: %s; %d restarts of workers, %d messages and %d sent again, %d operations and %d asked again, "+
		"the clock moved on %d times; undisturbed %s, disturbed %s", seed, d.since(before), restarts, sum.mails,
		sum.extraMails, sum.operations, sum.repeats, wild.clockings, lasted.Round(100*time.Millisecond),
		time.Since(started).Round(100*time.Millisecond))
	return sum, restarts
}

// deck has the strikes that are to come, and counts those that have happened.
type deck struct {
	left    int // interruptions that are still to happen
	waiting []*strike
	dealt   int                       // that were handed out
	kills   map[string]map[string]int // by kind and phase
}

// deal makes the strikes of a run: the phases and kinds in turn, shuffled, each at a random step of as many as there
// are between two.
func (d *deck) deal(seed uint64, steps map[string]int) {
	random := rand.New(rand.NewPCG(seed, 3))
	kinds := []string{killWorker, pause, killPostmaster, pause, killWorker, pause, killImmediate}
	count := min(killsOfRun, d.left)
	d.waiting = nil
	for i := range count {
		phase := phases[(i+int(seed))%len(phases)]
		reach := max(1, steps[phase]/killsOfRun/workers)
		s := &strike{Phase: phase, Kind: kinds[(i+int(seed))%len(kinds)], After: 1 + random.IntN(reach)}
		if s.Kind == pause {
			s.Moves = 1 + random.IntN(2)
		}
		if random.IntN(2) == 0 {
			s.Delay = time.Duration(random.Int64N(int64(5 * time.Millisecond)))
		}
		d.waiting = append(d.waiting, s)
	}
	random.Shuffle(count, func(i, k int) { d.waiting[i], d.waiting[k] = d.waiting[k], d.waiting[i] })
}

// next returns the next strike, nil when there is none.
func (d *deck) next() *strike {
	if len(d.waiting) == 0 {
		return nil
	}
	s := d.waiting[0]
	d.waiting = d.waiting[1:]
	d.dealt++
	s.ID = d.dealt
	return s
}

func (d *deck) count(s *struck) {
	if d.kills[s.Kind] == nil {
		d.kills[s.Kind] = map[string]int{}
	}
	d.kills[s.Kind][s.Phase]++
	d.left--
}

func (d *deck) in(phase string) int {
	count := 0
	for _, of := range d.kills {
		count += of[phase]
	}
	return count
}

func (d *deck) clone() *deck {
	cloned := &deck{kills: map[string]map[string]int{}}
	for kind, of := range d.kills {
		cloned.kills[kind] = maps.Clone(of)
	}
	return cloned
}

// since returns the kills since a deck was cloned.
func (d *deck) since(before *deck) *deck {
	fresh := d.clone()
	for kind, of := range fresh.kills {
		for phase := range of {
			of[phase] -= before.kills[kind][phase]
		}
	}
	return fresh
}

// String returns the kills by kind and phase.
func (d *deck) String() string {
	var texts []string
	sum := 0
	for _, kind := range slices.Sorted(maps.Keys(d.kills)) {
		for _, phase := range phases {
			if n := d.kills[kind][phase]; n > 0 {
				texts = append(texts, fmt.Sprintf("%s during %s %d", kind, phase, n))
				sum += n
			}
		}
	}
	return fmt.Sprintf("%d interruptions (%s)", sum, strings.Join(texts, ", "))
}
