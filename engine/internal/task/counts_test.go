package task

import (
	"reflect"
	"testing"

	"github.com/muster-engine/muster/store"
)

// Every field of the counts is added. A new field fails here until countFields has it.
func TestAddCountsAddsEveryField(t *testing.T) {
	t.Parallel()
	var a, b, want store.TaskCounts
	fields := reflect.TypeFor[store.TaskCounts]()
	for i := range fields.NumField() {
		reflect.ValueOf(&a).Elem().Field(i).SetInt(int64(i + 1))
		reflect.ValueOf(&b).Elem().Field(i).SetInt(int64(100 * (i + 1)))
		reflect.ValueOf(&want).Elem().Field(i).SetInt(int64(101 * (i + 1)))
	}
	before := a
	if got := AddCounts(a, b); got != want {
		t.Errorf("AddCounts(%+v, %+v) = %+v, want %+v", a, b, got, want)
	}
	if a != before {
		t.Errorf("AddCounts changed its argument to %+v", a)
	}
	if got := len(countFields(&a)); got != fields.NumField() {
		t.Errorf("countFields returns %d fields, the counts have %d", got, fields.NumField())
	}
}

// Counts are added once for each batch, without memory for it.
func TestAddCountsAllocatesNothing(t *testing.T) {
	var sum store.TaskCounts
	more := store.TaskCounts{Identities: 1}
	if got := testing.AllocsPerRun(100, func() { sum = AddCounts(sum, more) }); got > 0 {
		t.Errorf("AddCounts allocates %v times, want 0", got)
	}
}
