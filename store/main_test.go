package store_test

import (
	"testing"

	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func newStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.New("")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
