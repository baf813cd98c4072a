package httpapi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// CursorKeyMin is the least bytes of a key for cursors.
const CursorKeyMin = 32

// cursors hides what cursors say. A cursor in an order of names has the name of a person in it, and it stands in the
// URL of the next request, which proxies log.
type cursors struct{ sealer cipher.AEAD }

// newCursors returns cursors that are sealed by a key, or by one of this process alone if there is none.
func newCursors(key []byte) (*cursors, error) {
	if key == nil {
		key = make([]byte, CursorKeyMin)
		if _, err := rand.Read(key); err != nil {
			panic(err) // cannot fail
		}
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "muster cursors", 32)
	if err != nil {
		return nil, fmt.Errorf("CursorKey: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("CursorKey: %w", err)
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("CursorKey: %w", err)
	}
	return &cursors{sealer}, nil
}

// sealedMark begins a cursor that is sealed. No other cursor has a dot.
const sealedMark = "s."

// seal returns the cursor of a page as its client gets it. In the order of IDs, which is that without sorters, a cursor
// has only an ID: it stays as it is, and every process can read it.
func (c *cursors) seal(cursor, sorters string) string {
	if cursor == "" || strings.TrimSpace(sorters) == "" {
		return cursor
	}
	return sealedMark + base64.RawURLEncoding.EncodeToString(c.sealer.Seal(nil, nil, []byte(cursor), nil))
}

// open returns the cursor that a client gives.
func (c *cursors) open(given string) (string, error) {
	text, sealed := strings.CutPrefix(given, sealedMark)
	if !sealed {
		return given, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		data, err = c.sealer.Open(nil, nil, data, nil)
	}
	if err != nil {
		return "", illegalValue.with("after: the text is no cursor of this server, or was changed: give the cursor " +
			"as it came with the page before, or begin without one")
	}
	return string(data), nil
}
