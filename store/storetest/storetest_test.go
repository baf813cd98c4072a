package storetest_test

import (
	"github.com/muster-engine/muster/store/storetest"
	"testing"
)

func TestMain(m *testing.M) { storetest.Main(m) }
func TestA(t *testing.T) {
	p := storetest.Pool(t)
	var n int
	if err := p.QueryRow(t.Context(), "select count(*) from muster.identities").Scan(&n); err != nil {
		t.Fatal(err)
	}
}
func TestB(t *testing.T) {
	p := storetest.Empty(t)
	var n int
	if err := p.QueryRow(t.Context(), "select 1").Scan(&n); err != nil {
		t.Fatal(err)
	}
}
