package configuration

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// accountAggregation is the type of the schedules that are read.
const accountAggregation = "ACCOUNT_AGGREGATION"

// cronParser reads five fields, from the minutes on, or six, from the seconds on.
var cronParser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// parse reads the expression. It refuses one that never comes.
func (s *AggregationSchedule) parse() (cron.Schedule, error) {
	if strings.Contains(s.CronExpression, "TZ=") {
		return nil, errors.New("a time zone is not part of it: the tenant's holds")
	}
	schedule, err := cronParser.Parse(s.CronExpression)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: five or six fields are expected, as in \"0 0 5 * * ?\": %w",
			s.CronExpression, err)
	}
	// The parser looks five years ahead, and the five years from here on have a 29 February in them.
	if schedule.Next(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("%q names a day that never comes", s.CronExpression)
	}
	return schedule, nil
}

// NextAggregation returns the first time after a time at which a source with a cron expression is aggregated. The
// expression's times are those of the location. It is for package engine.
func NextAggregation(expression string, after time.Time, location *time.Location) (time.Time, error) {
	schedule, err := (&AggregationSchedule{CronExpression: expression}).parse()
	if err != nil {
		return time.Time{}, err
	}
	return schedule.Next(after.In(location)).UTC(), nil
}
