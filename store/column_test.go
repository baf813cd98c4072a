package store

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every field is read by the column of its name, and written where the rows are written.
func TestEveryFieldHasItsColumn(t *testing.T) {
	t.Parallel()
	demandRead(t, identityColumns, map[string]string{
		"SourceID": "p.authoritative_source_id", "ManagerName": "m.name", "IsManager": isManagerSQL,
		"LastRefresh": lastRefreshSQL,
	})
	aside := []string{"FirstName", "LastName", "Words", "SameWords", "Due", "FoundManager", "Requested"}
	demandRead(t, stateColumns, nil, aside...)
	demandWritten(t, stateColumns, aside[4:]...)
	demandRead(t, operationColumns, map[string]string{"DeliveryID": "batch_id"})
	demandWritten(t, operationColumns, "Attempts", "Error", "Begun", "Completed", "Outcome", "ParkerID", "ParkerName", "ParkerVia",
		"Released")
	demandRead(t, countColumns, nil)
}

// demandRead demands that each field of T, but for those that are read elsewhere, is the target of one column, which
// has its name or the one that is given.
func demandRead[T any](t *testing.T, c columns[T], names map[string]string, elsewhere ...string) {
	t.Helper()
	var row T
	read := map[uintptr][]string{}
	for i := range c {
		if c[i].target != nil {
			at := reflect.ValueOf(c[i].target(&row)).Pointer()
			read[at] = append(read[at], c[i].sql)
		}
	}
	for name, field := range leaves(reflect.ValueOf(&row).Elem()) {
		columns := read[field.Addr().Pointer()]
		switch {
		case slices.Contains(elsewhere, name):
			if len(columns) > 0 {
				t.Errorf("%T.%s is read by %q, want none", row, name, columns)
			}
		case len(columns) != 1:
			t.Errorf("%T.%s is read by the columns %q, want one", row, name, columns)
		case names[name] != "":
			if columns[0] != names[name] {
				t.Errorf("%T.%s is read by %s, want %s", row, name, columns[0], names[name])
			}
		default:
			column := columns[0][strings.LastIndex(columns[0], ".")+1:]
			if !strings.EqualFold(strings.ReplaceAll(column, "_", ""), name) {
				t.Errorf("%T.%s is read by %s", row, name, columns[0])
			}
		}
	}
}

// demandWritten demands that a change of any field of T, but for those given, changes what is written.
func demandWritten[T any](t *testing.T, c columns[T], except ...string) {
	t.Helper()
	unchanged := c.arrays(make([]T, 1))
	rows := make([]T, 1)
	for name, field := range leaves(reflect.ValueOf(&rows[0]).Elem()) {
		field.Set(sample(t, field.Type()))
		if changes := !reflect.DeepEqual(c.arrays(rows), unchanged); changes == slices.Contains(except, name) {
			t.Errorf("a change of %T.%s is written: %t", rows[0], name, changes)
		}
		field.SetZero()
	}
}

// leaves yields the fields of a struct, and of the structs that are embedded in it. An [Actor] is three, as ActorID.
func leaves(v reflect.Value) func(yield func(string, reflect.Value) bool) {
	return func(yield func(string, reflect.Value) bool) {
		for _, f := range reflect.VisibleFields(v.Type()) {
			field := v.FieldByIndex(f.Index)
			if f.Type == reflect.TypeFor[Actor]() {
				for inner, value := range field.Fields() {
					if !yield(f.Name+inner.Name, value) {
						return
					}
				}
				continue
			}
			if !f.Anonymous && !yield(f.Name, field) {
				return
			}
		}
	}
}

// sample returns a value that is not the zero value.
func sample(t *testing.T, kind reflect.Type) reflect.Value {
	t.Helper()
	word, at := "word", time.Unix(1, 0)
	for _, value := range []any{word, &word, true, 1, ID{1}, []byte(word), at, &at} {
		if v := reflect.ValueOf(value); v.Type() == kind {
			return v
		}
	}
	t.Fatalf("there is no sample of a %v", kind)
	return reflect.Value{}
}
