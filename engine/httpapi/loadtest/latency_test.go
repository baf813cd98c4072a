//go:build load

package loadtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// The probes: so many clients ask in turn, each waiting as long between two requests, with enough tokens to stay below
// the rate limit.
const (
	probes      = 4
	probeEvery  = 20 * time.Millisecond
	probeTokens = 40
	// phaseLength is how long one phase of a round lasts at the least.
	phaseLength = 2 * time.Second
)

var probed = []struct {
	name string
	path func(r *rand.Rand, s *server) string
}{
	{"get", of("/identities/%s")},
	{"list of 50", list(func(r *rand.Rand) url.Values {
		return url.Values{"limit": {"50"}, "offset": {fmt.Sprint(r.IntN(people))}}
	})},
}

// sample is the latencies of one phase, by what was asked.
type sample [][]time.Duration

// quantile returns a quantile of what was measured.
func (s sample) quantile(kind int, q float64) time.Duration {
	slices.Sort(s[kind])
	return s[kind][int(q*float64(len(s[kind])-1))]
}

// latencies compares reading while everybody is processed with reading while nothing else goes on, in alternating phases,
// so that what else the machine does falls on both alike. It returns a table, and fails when the median of the rounds'
// ratios of the median latency is above latencyMax.
func (s *server) latencies(length time.Duration) string {
	s.t.Helper()
	tokens := make([]string, probeTokens)
	for i := range tokens {
		tokens[i] = s.token(fmt.Sprintf("probe %d", i), "ORG_ADMIN")
	}
	rounds := max(3, int(length/(2*phaseLength)))
	phase := max(phaseLength, length/time.Duration(2*rounds))
	busy, quiet := make([]sample, rounds), make([]sample, rounds)
	runs := 0
	for i := range rounds {
		for k := range 2 {
			if (i+k)%2 == 0 {
				quiet[i] = s.probe(phase, tokens)
				continue
			}
			ctx, cancel := context.WithCancel(s.t.Context())
			begun, ended := make(chan struct{}), make(chan int)
			go func() { ended <- s.processAll(ctx, func() { close(begun) }) }()
			<-begun
			busy[i] = s.probe(phase, tokens)
			cancel()
			runs += <-ended
			s.drain()
		}
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%d rounds, %d runs\tquiet (ms)\tprocessing (ms)\tratio\tsmallest\tlargest\t\n", rounds, runs)
	for kind := range probed {
		for _, q := range []float64{0.5, 0.99} {
			var ratios []float64
			var without, with []time.Duration
			for i := range rounds {
				a, b := quiet[i].quantile(kind, q), busy[i].quantile(kind, q)
				without, with, ratios = append(without, a), append(with, b), append(ratios, float64(b)/float64(a))
			}
			ratio := median(ratios)
			fmt.Fprintf(w, "%s, p%.0f\t%s\t%s\t%.2f\t%.2f\t%.2f\t\n", probed[kind].name, 100*q,
				milliseconds(median(without)), milliseconds(median(with)), ratio, slices.Min(ratios), slices.Max(ratios))
			if q == 0.5 && ratio > latencyMax {
				s.t.Errorf("%s takes %.1f times as long while everybody is processed, %.1f are allowed",
					probed[kind].name, ratio, latencyMax)
			}
		}
	}
	w.Flush()
	return text.String()
}

func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// order is what a process of probes is told on its standard input.
type order struct {
	Address string
	IDs     []string
	Tokens  []string
	Length  time.Duration
}

// probeVariable makes this program a process of probes.
const probeVariable = "MUSTER_LOAD_PROBE"

// probe reads for a while, from a process of its own as other clients are: within this one, the requests and the
// processing would wait for the same scheduler twice.
func (s *server) probe(length time.Duration, tokens []string) sample {
	s.t.Helper()
	program, err := os.Executable()
	s.must(err)
	input, err := json.Marshal(order{s.address, s.ids, tokens, length})
	s.must(err)
	command := exec.CommandContext(s.t.Context(), program)
	command.Env = append(os.Environ(), probeVariable+"=1")
	command.Stdin, command.Stderr = bytes.NewReader(input), os.Stderr
	output, err := command.Output()
	s.must(err)
	var result sample
	s.must(json.Unmarshal(output, &result))
	for kind := range probed {
		if len(result[kind]) == 0 {
			s.t.Fatalf("%s was not asked in %s", probed[kind].name, length)
		}
	}
	return result
}

// probeMain is the process of probes.
func probeMain(input io.Reader, output io.Writer) error {
	var o order
	if err := json.NewDecoder(input).Decode(&o); err != nil {
		return err
	}
	s := &server{address: o.Address, ids: o.IDs}
	ctx, cancel := context.WithTimeout(context.Background(), o.Length)
	defer cancel()
	samples, faults := make([]sample, probes), make([]error, probes)
	var group sync.WaitGroup
	for i := range samples {
		group.Go(func() { samples[i], faults[i] = s.probeAs(ctx, uint64(i), o.Tokens) })
	}
	group.Wait()
	merged := make(sample, len(probed))
	for kind := range merged {
		for i := range samples {
			merged[kind] = append(merged[kind], samples[i][kind]...)
		}
	}
	return errors.Join(append(faults, json.NewEncoder(output).Encode(merged))...)
}

// probeAs is one client of the probes.
func (s *server) probeAs(ctx context.Context, number uint64, tokens []string) (sample, error) {
	result := make(sample, len(probed))
	client := s.client()
	defer client.CloseIdleConnections()
	random := rand.New(rand.NewPCG(number, 1))
	for next := time.Now(); ctx.Err() == nil; {
		kind := random.IntN(len(probed))
		path := pathIn(versions[random.IntN(len(versions))], probed[kind].path(random, s))
		elapsed, err := ask(context.WithoutCancel(ctx), client, path, tokens[random.IntN(len(tokens))])
		if err != nil {
			return result, err
		}
		result[kind] = append(result[kind], elapsed)
		next = next.Add(probeEvery)
		if pause(ctx, time.Until(next)); time.Since(next) > probeEvery {
			next = time.Now() // it does not make up for what it missed
		}
	}
	return result, nil
}

// ask asks once and returns how long the whole answer took.
func ask(ctx context.Context, client *http.Client, path, token string) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	started := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound {
		return 0, fmt.Errorf("%s: %d", path, response.StatusCode)
	}
	return time.Since(started), nil
}
