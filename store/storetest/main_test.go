package storetest

import (
	"strings"
	"testing"
)

func hostCache(end <-chan struct{})   { <-end }
func hostMetrics(end <-chan struct{}) { <-end }

// Tests fail on the goroutines that they leave, and not on those of the host.
func TestGoroutinesLeft(t *testing.T) {
	const metrics = "github.com/muster-engine/muster/store/storetest.hostMetrics"
	end := make(chan struct{})
	defer close(end)
	go hostCache(end)
	strict, lenient := goroutinesLeft(nil), goroutinesLeft([]Option{IgnoreGoroutine(metrics)})
	if err := strict(); err != nil {
		t.Errorf("a goroutine that ran before is a fault: %v", err)
	}
	go hostMetrics(end)
	if err := strict(); err == nil || !strings.Contains(err.Error(), metrics) {
		t.Errorf("got %v, want an error that names %s", err, metrics)
	}
	if err := lenient(); err != nil {
		t.Errorf("a goroutine that is ignored by its function is a fault: %v", err)
	}
}
