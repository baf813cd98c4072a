package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// HeldError says that the guard holds a task, and why.
type HeldError struct{ reason string }

func (e *HeldError) Error() string { return e.reason }

// Loss is what the guard counts by itself, with the name of its source, "" for none.
type Loss struct {
	store.Loss
	Source string
}

// Text says what identities with the loss would do, such as "lose the attribute department".
func (l *Loss) Text() string {
	switch l.Kind {
	case store.LossRole:
		return "lose a role"
	case store.LossLifecycle:
		return "change their lifecycle state"
	case store.LossActivity:
		return "cease to be active"
	case store.LossAttribute:
		return "lose the attribute " + l.Attribute
	case store.LossValue:
		return fmt.Sprintf("lose the value of %s on %s by synchronization", l.Attribute, l.Source)
	case store.LossAccess:
		return "lose access on " + l.Source
	case store.LossAccount:
		return "have an account disabled or deleted on " + l.Source
	}
	panic(fmt.Sprintf("task: losses of the kind %s have no text", l.Kind))
}

// Losses are how many identities have each loss.
type Losses map[Loss]int64

// Sorted returns the losses, the most frequent first.
func (l Losses) Sorted() []Loss {
	return slices.SortedFunc(maps.Keys(l), func(a, b Loss) int {
		return cmp.Or(cmp.Compare(l[b], l[a]), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Source, b.Source),
			cmp.Compare(a.Attribute, b.Attribute), a.SourceID.Compare(b.SourceID))
	})
}

// versionWatched is for how long after a change of the configuration what is lost under its version adds up over all
// tasks. What is lost later has other causes, mostly.
const versionWatched = 24 * time.Hour

// applied is when a version of the configuration was applied, zero for not known.
type applied struct {
	version int64
	at      time.Time
}

// judgement is what the guard says of one batch.
type judgement struct {
	*Ledger
	ctx   context.Context //nolint:containedctx // it lives as long as the call that the context belongs to
	tx    pgx.Tx
	guard configuration.Guard
	// version is that of the configuration, 0 where its losses do not add up.
	version int64
	sums    map[sumKey]int64
	reasons []string
}

// sumKey is what a sum of losses is of.
type sumKey struct {
	cause store.LossCause
	loss  store.Loss
}

// watch has what is lost under a version of the configuration add up, where that was applied not long ago.
func (j *judgement) watch(version int64, now time.Time) error {
	known := j.applied.Load()
	if known == nil || known.version != version {
		at, err := j.Store.RevisionTime(j.ctx, j.tx, version)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		known = &applied{version, at}
		j.applied.Store(known)
	}
	if !known.at.IsZero() && now.Before(known.at.Add(versionWatched)) {
		j.version = version
	}
	return nil
}

// added returns what a batch adds to the sums of losses, and the causes whose sums the guard has to see for that.
func (j *judgement) added(done []Progress) (added []store.LossSum, causes []store.LossCause) {
	sums := map[sumKey]int64{}
	seen := map[store.LossCause]bool{}
	for i := range done {
		p := &done[i]
		if len(p.Losses) == 0 {
			continue
		}
		into := []store.LossCause{store.LossesOfSurvey(p.Task)}
		if !p.Surveyed {
			into = []store.LossCause{store.LossesOfTask(p.cause())}
			if j.version > 0 && !p.Confirmed && !j.guard.Off {
				into = append(into, store.LossesOfVersion(j.version))
			}
			for _, cause := range into {
				seen[cause] = true
			}
		}
		for loss, count := range p.Losses {
			for _, cause := range into {
				sums[sumKey{cause, loss.Loss}] += count
			}
		}
	}
	for key, count := range sums {
		added = append(added, store.LossSum{Cause: key.cause, Loss: key.loss, Identities: count})
	}
	return added, slices.Collect(maps.Keys(seen))
}

// judge holds what a batch did against the limit of each task, and of the version of the configuration, under the sums
// that have it already. A survey is judged when it is complete.
func (j *judgement) judge(done []Progress, advanced *store.Advanced) error {
	j.sums = make(map[sumKey]int64, len(advanced.Sums))
	for i := range advanced.Sums {
		j.sums[sumKey{advanced.Sums[i].Cause, advanced.Sums[i].Loss}] = advanced.Sums[i].Identities
	}
	for i := range done {
		p, guard := &done[i], &advanced.Guards[i]
		var err error
		switch {
		case j.guard.Off || guard.Confirmed:
		case !p.Surveyed:
			err = j.judgeLosses(p, guard, p.Losses)
		case advanced.Surveying == 0:
			err = j.judgeSurvey(p, guard)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// judgeSurvey judges all that the survey of a task found.
func (j *judgement) judgeSurvey(p *Progress, guard *store.TaskGuard) error {
	survey := store.LossesOfSurvey(p.Task)
	sums, err := j.Store.Losses(j.ctx, j.tx, survey, store.LossesOfTask(p.cause()), store.LossesOfVersion(j.version))
	if err != nil {
		return err
	}
	found := Losses{}
	for i := range sums {
		s := &sums[i]
		j.sums[sumKey{s.Cause, s.Loss}] = s.Identities
		if s.Cause == survey {
			found[Loss{s.Loss, s.Source}] = s.Identities
		}
	}
	for loss, count := range found { // as if it were done
		j.sums[sumKey{store.LossesOfTask(p.cause()), loss.Loss}] += count
		j.sums[sumKey{store.LossesOfVersion(j.version), loss.Loss}] += count
	}
	return j.judgeLosses(p, guard, found)
}

// judgeLosses judges what a task did or would do.
func (j *judgement) judgeLosses(p *Progress, guard *store.TaskGuard, losses Losses) error {
	for _, loss := range losses.Sorted() {
		count, sum := losses[loss], j.sums[sumKey{store.LossesOfTask(p.cause()), loss.Loss}]
		population, confirmed, err := j.population(p, guard, sum)
		if err != nil {
			return err
		}
		if !confirmed && j.exceeds(loss, sum, count, population, p.Surveyed, "") || j.version == 0 {
			continue
		}
		sum = j.sums[sumKey{store.LossesOfVersion(j.version), loss.Loss}]
		if population, err = j.everybody(sum); err != nil {
			return err
		}
		j.exceeds(loss, sum, count, population, p.Surveyed,
			fmt.Sprintf(" since version %d of the configuration was applied", j.version))
	}
	return nil
}

// exceeds holds the sum of a loss, with the count of this batch or survey, against the limit. Where it is more, it adds
// the reason.
func (j *judgement) exceeds(loss Loss, sum, count, population int64, surveyed bool, since string) bool {
	limit := j.guard.Limit(population)
	if sum <= limit {
		return false
	}
	reason := fmt.Sprintf("more than %s of %s identities would %s%s: ", grouped(limit), grouped(population),
		loss.Text(), since)
	switch before := grouped(sum - count); {
	case !surveyed:
		reason += fmt.Sprintf("%s did before, and %s more would in the batch that was not written", before,
			grouped(count))
	case sum > count:
		reason += fmt.Sprintf("%s did before, and %s more would, of which nothing was written", before, grouped(count))
	default:
		reason += grouped(count) + " would, of which nothing was written"
	}
	j.reasons = append(j.reasons, reason)
	return true
}

// population returns of how many identities the limit of a task is a share. A task that follows from another one is
// held against the limit of that one, unless that was confirmed; it is asked for where its own limit is exceeded.
func (j *judgement) population(p *Progress, guard *store.TaskGuard, sum int64) (population int64, confirmed bool,
	err error,
) {
	if p.cause() == p.Task || sum <= j.guard.Limit(guard.Population) {
		return guard.Population, false, nil
	}
	first, err := j.Store.CauseOfTask(j.ctx, j.tx, p.Task)
	return max(guard.Population, first.Population), first.Confirmed, err
}

// everybody returns how many identities there are. While a sum is below the limit of those that were counted the last
// time, it does not count again.
func (j *judgement) everybody(sum int64) (int64, error) {
	if known := j.counted.Load(); sum <= j.guard.Limit(known) {
		return known, nil
	}
	count, err := j.Store.CountPopulation(j.ctx, j.tx)
	j.counted.Store(count)
	return count, err
}

// Verdict is what the guard says of one loss.
type Verdict struct {
	Loss
	Identities int64 // that would have it
	Limit      int64
}

// Held reports whether the guard would hold a run with the loss.
func (v *Verdict) Held() bool { return v.Identities > v.Limit }

// Foresee returns what the guard would say of a run about a population, for each loss, the most frequent first.
func Foresee(g configuration.Guard, population int64, losses Losses) []Verdict {
	limit := g.Limit(population)
	if g.Off {
		limit = max(limit, population)
	}
	verdicts := make([]Verdict, 0, len(losses))
	for _, loss := range losses.Sorted() {
		verdicts = append(verdicts, Verdict{loss, losses[loss], limit})
	}
	return verdicts
}

// Reason says why the guard would hold a run; "" where it would not.
func Reason(population int64, verdicts []Verdict) string {
	var reasons []string
	for i := range verdicts {
		if v := &verdicts[i]; v.Held() {
			reasons = append(reasons, fmt.Sprintf("%s would %s", grouped(v.Identities), v.Text()))
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	return fmt.Sprintf("a run that does this would be held: of %s identities %s, and %s may", grouped(population),
		strings.Join(reasons, ", "), grouped(verdicts[0].Limit))
}

// grouped writes a number with commas between thousands.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
