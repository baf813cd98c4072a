package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine"
)

// surveyConfig is a company that loses nothing when its people move to another desk.
const surveyConfig = `
identityAttributes:
  - {name: desk, displayName: Desk, type: string}
sources:
  - name: Staff
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        attributes: [{name: id}, {name: desk}]
identityProfiles:
  - name: Staff
    authoritativeSource: {type: SOURCE, name: Staff}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - identityAttributeName: uid
          transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}
        - identityAttributeName: desk
          transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: desk}}
`

// surveyCase measures what it costs that the guard looks at everybody before the first batch: the same run with the
// guard on and off.
func surveyCase(ctx context.Context, b *bench) error {
	p, err := b.tenant(ctx, "survey", surveyConfig)
	if err != nil {
		return err
	}
	s := &surveyed{population: p}
	for _, line := range []struct {
		name string
		run  measurement
	}{
		{"first load", s.load},
		{"full run, nothing changed", s.full(0)},
		{"full run, 5 % changed", s.full(b.people / 20)},
		{"aggregation of 5 % that changed", s.aggregated(b.people / 20)},
		{"aggregation of 20 % that changed", s.aggregated(b.people / 5)},
	} {
		medians, err := b.alternate(ctx, b.rounds, s.guarded(line.run, false), s.guarded(line.run, true))
		if err != nil {
			return fmt.Errorf("%s: %w", line.name, err)
		}
		b.add(against(line.name, duration(medians[0]), "without the guard", duration(medians[1])), ratioAtMost(2))
	}
	return p.settle(ctx)
}

// surveyed is a company whose runs are measured with the guard and without it.
type surveyed struct {
	*population
	desk int
}

// guarded measures a run with the guard on or off.
func (s *surveyed) guarded(run measurement, off bool) measurement {
	return func(ctx context.Context) (time.Duration, error) {
		if _, err := s.apply(ctx, fmt.Sprintf("settings: {guard: {off: %t}}", off)); err != nil {
			return 0, err
		}
		if err := s.settle(ctx); err != nil {
			return 0, err
		}
		return run(ctx)
	}
}

// move moves the first people to another desk, and returns the task that processes them.
func (s *surveyed) move(ctx context.Context, count int) (string, error) {
	s.desk++
	text := bytes.NewBufferString("id,desk\n")
	for i := range count {
		fmt.Fprintf(text, "p%d,desk %d\n", i, s.desk)
	}
	result, err := s.aggregate(ctx, "Staff", text.Bytes(), engine.AggregateOptions{Delta: true})
	return result.Task, err
}

// full measures a run over everybody after some have moved.
func (s *surveyed) full(count int) measurement {
	return func(ctx context.Context) (took time.Duration, err error) {
		task := ""
		if count > 0 {
			if task, err = s.move(ctx, count); err != nil {
				return 0, err
			}
		}
		if took, err = s.fullRun(ctx, count); err != nil || task == "" {
			return took, err
		}
		_, err = s.doTask(ctx, task) // which has nothing left to do
		return took, err
	}
}

// aggregated measures the processing of those who have moved.
func (s *surveyed) aggregated(count int) measurement {
	return func(ctx context.Context) (time.Duration, error) {
		task, err := s.move(ctx, count)
		if err != nil {
			return 0, err
		}
		return timed(func() error {
			status, err := s.doTask(ctx, task)
			if err == nil && (status.Held != "" || status.Attributes.ChangedCount != int64(count)) {
				err = fmt.Errorf("%d identities changed where %d should, and it is held for %q",
					status.Attributes.ChangedCount, count, status.Held)
			}
			return err
		})
	}
}

// load measures an aggregation of people who are not there yet, and their processing.
func (s *surveyed) load(ctx context.Context) (time.Duration, error) {
	for _, table := range []string{"accounts", "identities"} {
		if _, err := s.pool.Exec(ctx, `DELETE FROM muster.`+table); err != nil {
			return 0, err
		}
	}
	if err := s.settle(ctx); err != nil {
		return 0, err
	}
	return timed(func() error {
		task, err := s.move(ctx, s.people)
		if err != nil {
			return err
		}
		status, err := s.doTask(ctx, task)
		if err == nil && !status.Ended() {
			err = errors.New("the first load is held: " + status.Held)
		}
		return err
	})
}
