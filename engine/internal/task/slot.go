package task

import (
	"slices"
	"time"
)

// slotHours are the hours of scheduled processing, in the tenant's time zone: the published times.
var slotHours = []int{8, 20}

// SlotsAround returns the slots of a time zone from two days before the day of a time to two days after it, the
// earliest first, each once. For a local time that a change of the clocks skips or repeats, it returns the one time
// that [time.Date] takes: where a whole day is skipped, that is a slot of the day after it.
func SlotsAround(at time.Time, zone *time.Location) []time.Time {
	local := at.In(zone)
	var slots []time.Time
	for day := -2; day <= 2; day++ {
		for _, hour := range slotHours {
			slots = append(slots, time.Date(local.Year(), local.Month(), local.Day()+day, hour, 0, 0, 0,
				zone))
		}
	}
	slices.SortFunc(slots, time.Time.Compare)
	return slices.CompactFunc(slots, time.Time.Equal)
}

// NextSlot returns the first slot of a time zone after a time.
func NextSlot(at time.Time, zone *time.Location) time.Time {
	for _, slot := range SlotsAround(at, zone) {
		if slot.After(at) {
			return slot
		}
	}
	panic("unreachable: two days hold a slot")
}

// LastSlot returns the last slot of a time zone that is not after a time.
func LastSlot(at time.Time, zone *time.Location) time.Time {
	var last time.Time
	for _, slot := range SlotsAround(at, zone) {
		if !slot.After(at) {
			last = slot
		}
	}
	return last
}
