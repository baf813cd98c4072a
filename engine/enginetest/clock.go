package enginetest

import (
	"sync/atomic"
	"time"
)

// Clock is a clock that a test sets. Until then it shows the beginning of 1970. It is safe for concurrent use.
type Clock struct{ at atomic.Int64 }

// NewClock returns a clock that shows a time.
func NewClock(at time.Time) *Clock {
	var c Clock
	c.Set(at)
	return &c
}

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time { return time.Unix(0, c.at.Load()) }

// Set makes the clock show a time, which may be earlier.
func (c *Clock) Set(at time.Time) { c.at.Store(at.UnixNano()) }

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) { c.at.Add(int64(d)) }
