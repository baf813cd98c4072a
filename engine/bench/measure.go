package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"
)

// timed runs work and returns the time that it took.
func timed(work func() error) (time.Duration, error) {
	start := time.Now()
	err := work()
	return time.Since(start), err
}

// percentile returns the value below which a share of the values lies. It sorts the values.
func percentile(values []time.Duration, share float64) time.Duration {
	slices.Sort(values)
	return values[min(int(share*float64(len(values))), len(values)-1)]
}

// median returns the middle value. For an even number of values it returns the greater of the two in the middle.
func median(values []time.Duration) time.Duration { return percentile(values, 0.5) }

// measurement prepares and runs some work, and returns the time of the work alone.
type measurement func(context.Context) (time.Duration, error)

// alternate runs a figure and its baselines in turn, rounds times, and returns the median of each. If profiles are
// wanted, it profiles the figure in the last round.
func (b *bench) alternate(ctx context.Context, rounds int, figure measurement, baselines ...measurement) (
	[]time.Duration, error,
) {
	all := make([][]time.Duration, len(baselines)+1)
	for round := range rounds {
		for i, m := range append([]measurement{figure}, baselines...) {
			measure := m
			if i == 0 && round == rounds-1 {
				measure = b.profiled(m)
			}
			d, err := measure(ctx)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], d)
		}
	}
	medians := make([]time.Duration, len(all))
	for i := range all {
		medians[i] = median(all[i])
	}
	return medians, nil
}

// profiled returns a measurement that writes a CPU profile, and the time of each statement, into the folder of
// profiles, if there is one. The statements are those of the population's pool.
func (b *bench) profiled(m measurement) measurement {
	if b.profiles == "" {
		return m
	}
	return func(ctx context.Context) (d time.Duration, err error) {
		b.profileCount++
		name := filepath.Join(b.profiles, fmt.Sprintf("%s-%d", b.current, b.profileCount))
		err = writeFile(name+".pprof", func(w io.Writer) (err error) {
			if err := pprof.StartCPUProfile(w); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
			b.stopwatch.start()
			defer b.stopwatch.stop()
			d, err = m(ctx)
			return err
		})
		return d, errors.Join(err, writeFile(name+".sql", b.stopwatch.write))
	}
}

// operation is work in memory that is too short to be timed alone.
type operation func() error

// opTime is the time for which an operation is repeated.
const opTime = 40 * time.Millisecond

// cost is the time and the memory of an operation.
type cost struct {
	time        time.Duration
	allocations float64
}

// measureOps measures operations in turn, and returns the median cost of each.
func (b *bench) measureOps(ops ...operation) ([]cost, error) {
	counts := make([]int, len(ops))
	for i, op := range ops {
		count, err := calibrate(op)
		if err != nil {
			return nil, err
		}
		counts[i] = count
	}
	rounds := 2*b.rounds + 1
	all, costs := make([][]time.Duration, len(ops)), make([]cost, len(ops))
	for range rounds {
		for i, op := range ops {
			c, err := repeat(op, counts[i])
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], c.time)
			costs[i].allocations = c.allocations
		}
	}
	for i := range costs {
		costs[i].time = median(all[i])
	}
	return costs, nil
}

// calibrate returns the number of repetitions that fit into opTime.
func calibrate(op operation) (int, error) {
	for count := 1; ; count *= 2 {
		c, err := repeat(op, count)
		if total := c.time * time.Duration(count); err != nil || total >= opTime/2 {
			return count, err
		}
	}
}

func repeat(op operation, count int) (cost, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range count {
		if err := op(); err != nil {
			return cost{}, err
		}
	}
	// At least a nanosecond: with 0 the calibration would never end.
	elapsed := max(time.Since(start)/time.Duration(count), 1)
	runtime.ReadMemStats(&after)
	return cost{elapsed, float64((after.Mallocs - before.Mallocs) / uint64(count))}, nil
}
