package configuration

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// AggregationSchedule says when a source is aggregated by its connector, in the published shape.
type AggregationSchedule struct {
	Type string `json:"type"` // ACCOUNT_AGGREGATION; others are kept but not read
	// CronExpression has five fields, from the minutes on, or six, from the seconds on; ? stands for any day. It is
	// held against the tenant's time zone.
	CronExpression string `json:"cronExpression"`
}

const accountAggregation = "ACCOUNT_AGGREGATION"

var cronParser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func (s *AggregationSchedule) parse() (cron.Schedule, error) {
	if strings.Contains(s.CronExpression, "TZ=") {
		return nil, errors.New("a time zone is not part of it: the tenant's holds")
	}
	schedule, err := cronParser.Parse(s.CronExpression)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: five or six fields are expected, as in \"0 0 5 * * ?\": %w",
			s.CronExpression, err)
	}
	// The reader of expressions looks five years ahead, and these have a 29 February in them.
	if schedule.Next(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("%q names a day that never comes", s.CronExpression)
	}
	return schedule, nil
}

// Schedule returns the expression by which the source is aggregated, "" for none.
func (s *Source) Schedule() string {
	for i := range s.Schedules {
		if s.Schedules[i].Type == accountAggregation {
			return s.Schedules[i].CronExpression
		}
	}
	return ""
}

// NextAggregation returns when a source with a schedule is aggregated next after a time. The expression is held against
// a time zone.
func NextAggregation(expression string, after time.Time, location *time.Location) (time.Time, error) {
	schedule, err := (&AggregationSchedule{CronExpression: expression}).parse()
	if err != nil {
		return time.Time{}, err
	}
	return schedule.Next(after.In(location)).UTC(), nil
}
