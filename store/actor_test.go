package store_test

import (
	"strings"
	"testing"

	"github.com/muster-engine/muster/store"
)

func TestCleanActor(t *testing.T) {
	for _, test := range []struct{ name, given, want string }{
		{"plain", "Ann Lee", "Ann Lee"},
		{"empty", "", ""},
		{"NUL", "eve\x00root", "eve\ufffdroot"},
		{"controls", "a\nb\x1b[2Jc\u0085d\x7f", "a\ufffdb\ufffd[2Jc\ufffdd\ufffd"},
		{"no UTF-8", "a\xffb", "a\ufffdb"},
		{"at the limit", strings.Repeat("x", store.ActorNameMax), strings.Repeat("x", store.ActorNameMax)},
		{"too long", strings.Repeat("x", store.ActorNameMax-1) + "éa", strings.Repeat("x", store.ActorNameMax-1)},
	} {
		if got := (store.Actor{Name: test.given}).Clean().Name; got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
