package pglocal

import (
	"maps"
	"testing"
)

func TestSized(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		memory int64
		want   map[string]string
	}{
		"unknown":         {0, nil},
		"half a gigabyte": {512 << 20, map[string]string{"shared_buffers": "128MB", "effective_cache_size": "256MB"}},
		"two gigabytes":   {2 << 30, map[string]string{"shared_buffers": "256MB", "effective_cache_size": "1024MB"}},
		"four gigabytes": {4 << 30, map[string]string{"shared_buffers": "512MB", "effective_cache_size": "2048MB",
			"max_wal_size": "2048MB"}},
		"much": {64 << 30, map[string]string{"shared_buffers": "1024MB", "effective_cache_size": "32768MB",
			"max_wal_size": "2048MB"}},
	} {
		if got := sized(c.memory); !maps.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestMemoryTotal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"MemTotal:       24610260 kB\nMemFree:        1 kB\n": 24610260 << 10,
		"MemFree: 1 kB\nMemTotal: 7 kB\n":                     7 << 10,
		"":                                                    0,
		"MemTotal: 7\n":                                       0,
		"MemTotal: seven kB\n":                                0,
		"MemTotal: 9999999999999999 kB\n":                     0,
	} {
		if got := memoryTotal([]byte(text)); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
