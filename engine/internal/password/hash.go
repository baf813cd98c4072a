package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// cost is what a hash takes: kibibytes of memory, passes over it, and threads.
type cost struct {
	memory, passes uint32
	threads        uint8
}

// standard is what new hashes take: 19 MiB and 2 passes, as OWASP's Password Storage Cheat Sheet names them. The
// greatest that a stored hash may ask for keeps a wrong row from taking the machine.
var (
	standard = cost{memory: 19 * 1024, passes: 2, threads: 1}
	greatest = cost{memory: 256 * 1024, passes: 16, threads: 16}
)

const (
	saltSize = 16 // bytes
	keySize  = 32
)

// turns bounds how many hashes are made at once, because each takes memory.
var turns = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))

// key derives the key of a password. It waits for its turn, at most until ctx ends.
func key(ctx context.Context, text string, salt []byte, c cost, size uint32) ([]byte, error) {
	select {
	case turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-turns }()
	return argon2.IDKey([]byte(Normal(text)), salt, c.passes, c.memory, c.threads, size), nil
}

// Hash returns the hash of a password in the PHC string format.
func Hash(ctx context.Context, text string) (string, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	sum, err := key(ctx, text, salt, standard, keySize)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, standard.memory, standard.passes,
		standard.threads, encode(salt), encode(sum)), nil
}

// errHash says that a text is no hash. It does not repeat the text.
var errHash = errors.New("the stored hash of the password cannot be read")

// Verify reports whether a password has a hash.
func Verify(ctx context.Context, text, hash string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, errHash
	}
	var c cost
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.threads); n != 3 || err != nil {
		return false, errHash
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	want, wantErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || wantErr != nil || len(salt) < saltSize || len(want) < keySize/2 || len(want) > 2*keySize ||
		c.memory < 8*uint32(c.threads) || c.memory > greatest.memory || c.passes < 1 || c.passes > greatest.passes ||
		c.threads < 1 || c.threads > greatest.threads {
		return false, errHash
	}
	got, err := key(ctx, text, salt, c, uint32(len(want))) //nolint:gosec // it is at most 64
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// Spend takes the time of [Verify] for a password that nobody has, so that the time tells nothing.
func Spend(ctx context.Context, text string) error {
	_, err := key(ctx, text, make([]byte, saltSize), standard, keySize)
	return err
}
