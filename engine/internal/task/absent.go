package task

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// A job commits with the row that it names: its task or its delivery. Where the two are on different servers, the job
// may be visible first. The worker then looks again, at first within the same attempt and then after a while that
// doubles.
const (
	absentFirst = 10 * time.Millisecond
	absentLast  = 80 * time.Millisecond
	absentWait  = 30 * time.Second // the longest
	// absentMost is the age of a job at which a row that is not there counts as gone. It is longer than a server takes
	// to finish what another one has committed. Should the row come later all the same, it gets a job by
	// [Ledger.RequeueLost].
	absentMost = 2 * time.Minute
)

// Present calls look until it reports that the row of a job is there, for a fraction of a second at most. It calls look
// once where the job is so old that its row must be there or is gone.
func (l *Ledger) Present(ctx context.Context, job *rivertype.JobRow, look func() (present bool, err error)) (bool,
	error,
) {
	for wait := absentFirst; ; wait *= 2 {
		present, err := look()
		if err != nil || present || wait > absentLast || isOld(job) {
			return present, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Absent returns how a job ends whose row is not there: it waits, or is done where the row is gone.
func (l *Ledger) Absent(ctx context.Context, job *rivertype.JobRow) error {
	if isOld(job) {
		l.Logger.InfoContext(ctx, "a job is dropped, since what it was to carry out is not there", "kind", job.Kind,
			"job", job.ID, "created", job.CreatedAt)
		return nil
	}
	return river.JobSnooze(min(max(time.Since(job.CreatedAt), absentLast), absentWait))
}

// isOld reports whether the row of a job is visible, or is gone: the job has existed for long, or had an attempt before
// that did not end by waiting for the row. The age is by the clock of the host, as River's times are. A job from the
// future was made by a clock that was ahead.
func isOld(job *rivertype.JobRow) bool {
	return job.Attempt > 1 || time.Since(job.CreatedAt).Abs() > absentMost
}
