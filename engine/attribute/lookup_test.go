package attribute

import "testing"

// Whatever the order in which names are asked for, and whatever set came before, the faster ways find what Get finds.
func TestCursorAndLookup(t *testing.T) {
	sets := []Set{{}}
	names := []string{"", "a", "b", "aa", "ab", "longer", "none"}
	for size := range names {
		values := map[string]Value{}
		for i, name := range names[:size] {
			values[name] = Int(int64(i))
		}
		sets = append(sets, SetOf(values))
	}
	for _, name := range names {
		lookup := NewLookup(name)
		for range 2 {
			for i := range sets {
				if got, want := lookup.Get(&sets[i]), sets[i].Get(name); !got.Equal(want) {
					t.Errorf("%q in set %d: %v, want %v", name, i, got, want)
				}
			}
		}
	}
	for i := range sets {
		cursor := sets[i].Cursor()
		for _, name := range append(append([]string{"none", "longer", "a"}, names...), "b", "b", "") {
			if got, want := cursor.Get(name), sets[i].Get(name); !got.Equal(want) {
				t.Errorf("%q in set %d: %v, want %v", name, i, got, want)
			}
		}
	}
}
