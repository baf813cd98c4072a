package transform

import (
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/muster-engine/muster/engine/attribute"
)

// randomMax is the longest random text.
const randomMax = 450

const (
	digits   = "0123456789"
	smalls   = "abcdefghijklmnopqrstuvwxyz"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	specials = "!@#$%&*()+<>?"
)

// random makes a text of random characters, independent and equally likely.
type random struct {
	alphabet string
	length   bounded
}

func newRandomAlphaNumeric(d *definition) operation { return newRandom(d, digits+smalls+capitals, 32) }
func newRandomNumeric(d *definition) operation      { return newRandom(d, digits, 10) }

func newRandom(d *definition, alphabet string, length int) operation {
	d.random = true
	return &random{alphabet, d.bounded("length", length, 1, randomMax)}
}

func (r *random) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	length, err := r.length.value(e, input)
	if err != nil {
		return attribute.Null, err
	}
	text := make([]byte, length)
	for i := range text {
		n, err := e.draw(len(r.alphabet))
		if err != nil {
			return attribute.Null, err
		}
		text[i] = r.alphabet[n]
	}
	return attribute.String(string(text)), nil
}

var errNoRandom = errors.New("no random source is given")

// draw returns a number from 0 to n-1; n is at most 256.
func (e *evaluation) draw(n int) (int, error) {
	if e.in.Random == nil {
		return 0, errNoRandom
	}
	var b [1]byte
	for {
		if _, err := io.ReadFull(e.in.Random, b[:]); err != nil {
			return 0, fmt.Errorf("reading the random source: %w", err)
		}
		// Bytes from the last multiple of n on would make the first numbers more likely.
		if int(b[0]) < 256/n*n {
			return int(b[0]) % n, nil
		}
	}
}

// uuids makes random UUIDs, of version 4.
type uuids struct{}

func newUUID(d *definition) operation {
	d.random = true
	return uuids{}
}

func (uuids) apply(e *evaluation, _ attribute.Value) (attribute.Value, error) {
	if e.in.Random == nil {
		return attribute.Null, errNoRandom
	}
	id, err := uuid.NewRandomFromReader(e.in.Random)
	if err != nil {
		return attribute.Null, fmt.Errorf("reading the random source: %w", err)
	}
	return attribute.String(id.String()), nil
}

// generateRandomString returns a text with at least one character of each kind, as far as the length allows.
func (e *evaluation) generateRandomString(length int, numbers, special bool) (string, error) {
	kinds := []string{smalls, capitals}
	if numbers {
		kinds = append(kinds, digits)
	}
	if special {
		kinds = append(kinds, specials)
	}
	all := ""
	for _, kind := range kinds {
		all += kind
	}
	text := make([]byte, length)
	for i := range text {
		alphabet := all
		if i < len(kinds) {
			alphabet = kinds[i]
		}
		n, err := e.draw(len(alphabet))
		if err != nil {
			return "", err
		}
		text[i] = alphabet[n]
	}
	// A shuffle hides which kind of character is where. An index above 256 takes two draws.
	for i := len(text) - 1; i > 0; i-- {
		k, err := e.drawLarge(i + 1)
		if err != nil {
			return "", err
		}
		text[i], text[k] = text[k], text[i]
	}
	return string(text), nil
}

// drawLarge is draw for n up to 65,536.
func (e *evaluation) drawLarge(n int) (int, error) {
	if n <= 256 {
		return e.draw(n)
	}
	for {
		high, err := e.draw((n + 255) / 256)
		if err != nil {
			return 0, err
		}
		low, err := e.draw(256)
		if err != nil {
			return 0, err
		}
		if k := high*256 + low; k < n {
			return k, nil
		}
	}
}
