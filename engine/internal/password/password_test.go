package password

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	own := []string{"Walter White", "walter.white", "walter.white@example.com", "Muster"}
	for _, test := range []struct {
		text string
		want error
	}{
		{"", ErrShort},
		{"fourteen chars", ErrShort},
		{"fifteen chars!!", nil},
		{"correct horse battery staple", nil},
		{"Grüße aus Köln am Rhein", nil},
		{"ééééaaaaüüüüö", ErrShort}, // 13 characters, of more bytes
		{strings.Repeat("walk on ", 33), ErrLong},
		{"bell\arings and rings", ErrText},
		{"not \xff\xfe utf-8 at all", ErrText},
		{"passwordpassword", ErrCommon},
		{"Password1234567890!", ErrCommon},
		{"passwordqwertyuiop", ErrCommon},
		{"aaaaaaaaaaaaaaaaaa", ErrCommon},
		{"abcabcabcabcabcabc", ErrCommon},
		{"1234567890qwertyuiop", ErrCommon},
		{"zxcvbnmlkjhgfdsapoiuytrewq", ErrCommon},
		{"trustno1trustno1trust", ErrCommon},
		{"888888888888888888", ErrCommon},
		{"walter.white@example.com", ErrOwn},
		{"WalterWhiteWalter", ErrOwn},
		{"walterwhite-muster-1", ErrOwn},
		{"walter rides a purple tram", nil},
	} {
		if got := Check(test.text, own...); !errors.Is(got, test.want) {
			t.Errorf("Check(%q) = %v, want %v", test.text, got, test.want)
		}
	}
	if list := list(); len(list) != 10_000 || !slices.IsSorted(list) {
		t.Errorf("the list has %d words", len(list))
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	hash, err := Hash(t.Context(), "Grüße aus Köln am Rhein")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("got %q, %v", hash, err)
	}
	other, err := Hash(t.Context(), "Grüße aus Köln am Rhein")
	if err != nil || other == hash {
		t.Errorf("two hashes of one password are the same, %v", err)
	}
	for text, want := range map[string]bool{
		"Grüße aus Köln am Rhein": true, "Gru\u0308ße aus Ko\u0308ln am Rhein": true, "grüße aus köln am rhein": false, "": false,
	} {
		if good, err := Verify(t.Context(), text, hash); err != nil || good != want {
			t.Errorf("Verify(%q) = %t, %v, want %t", text, good, err, want)
		}
	}
	for _, bad := range []string{"", "x", "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAA", strings.Replace(hash, "m=19456",
		"m=99999999", 1), strings.Replace(hash, "t=2", "t=0", 1), hash[:len(hash)-30], hash + "$"} {
		if good, err := Verify(t.Context(), "Grüße aus Köln am Rhein", bad); err == nil || good {
			t.Errorf("Verify with the hash %q = %t, %v", bad, good, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range cap(turns) {
		turns <- struct{}{}
	}
	_, err = Hash(ended, "x")
	for range cap(turns) {
		<-turns
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a turn ends with %v", err)
	}
}
