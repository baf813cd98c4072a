package httpapi

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiters has a token bucket for each client and version of the API. It drops a bucket that is full again, so it has
// only buckets of recent callers.
type limiters struct {
	limit  RateLimit
	mu     sync.Mutex
	bucket map[limiterKey]*rate.Limiter
	swept  time.Time
}

type limiterKey struct{ client, version string }

func newLimiters(limit RateLimit) *limiters {
	return &limiters{limit: limit, bucket: map[limiterKey]*rate.Limiter{}}
}

// admit takes one request from a client's bucket. If the bucket is empty, it returns the time until it is not.
func (l *limiters) admit(client, version string, now time.Time) (wait time.Duration, ok bool) {
	if l.limit.Off {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) >= l.limit.Period {
		for key, bucket := range l.bucket {
			if bucket.TokensAt(now) >= float64(l.limit.Requests) {
				delete(l.bucket, key)
			}
		}
		l.swept = now
	}
	key := limiterKey{client, version}
	bucket := l.bucket[key]
	if bucket == nil {
		every := l.limit.Period / time.Duration(l.limit.Requests)
		bucket = rate.NewLimiter(rate.Every(every), l.limit.Requests)
		l.bucket[key] = bucket
	}
	reservation := bucket.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return wait, false
	}
	return 0, true
}
