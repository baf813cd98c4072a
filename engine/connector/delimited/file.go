package delimited

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-engine/muster/engine/connector"
)

// ReadTimeout is the longest time that one read of a [File] may take. A disk takes milliseconds; a network drive that
// has gone away takes for ever.
const ReadTimeout = time.Minute

// chunkSize is how many bytes are read at a time.
const chunkSize = 64 << 10

// Stream is a text whose reading ends with its context, even where the text blocks, such as a pipe. A goroutine reads
// it; [Stream.Close] ends it, once the read that it waits for returns. One goroutine at a time may use a Stream.
type Stream struct {
	ctx     context.Context
	timeout time.Duration // of one read; 0 for none
	asks    chan struct{}
	answers chan answer
	rest    []byte
	err     error
}

type answer struct {
	bytes []byte
	err   error
}

// NewStream returns r as a Stream. Closing it does not close r.
func NewStream(ctx context.Context, r io.Reader) *Stream {
	return newStream(ctx, r, 0, func() error { return nil })
}

// newStream calls end after the last read, once the Stream is closed.
func newStream(ctx context.Context, r io.Reader, timeout time.Duration, end func() error) *Stream {
	// The goroutine has the channels by itself: Close changes the fields, maybe before it begins.
	asks, answers := make(chan struct{}, 1), make(chan answer, 1)
	go func() {
		defer end() //nolint:errcheck // it was only read
		buffer := make([]byte, chunkSize)
		for range asks {
			n, err := r.Read(buffer)
			answers <- answer{buffer[:n], err}
		}
	}()
	return &Stream{ctx: ctx, timeout: timeout, asks: asks, answers: answers}
}

// Read implements [io.Reader]. After an error other than [io.EOF] reading cannot go on.
func (s *Stream) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.ask()
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// ask reads the next bytes.
func (s *Stream) ask() {
	if s.err = s.ctx.Err(); s.err != nil {
		return
	}
	var late <-chan time.Time
	if s.timeout > 0 {
		timer := time.NewTimer(s.timeout)
		defer timer.Stop()
		late = timer.C
	}
	s.asks <- struct{}{} // never waits: the answer to the one before was taken
	select {
	case a := <-s.answers:
		s.rest, s.err = a.bytes, a.err
	case <-s.ctx.Done():
		s.err = s.ctx.Err()
	case <-late:
		s.err = fmt.Errorf("a read took more than %s: is the drive there?", s.timeout)
	}
}

// Close ends the goroutine.
func (s *Stream) Close() error {
	if s.asks != nil {
		close(s.asks)
		s.asks = nil
	}
	s.rest, s.err = nil, os.ErrClosed
	return nil
}

// File is a regular file whose reading ends with its context, and where one read takes more than [ReadTimeout]. At its
// end it checks that nobody wrote to the file meanwhile: a text that is being written is not whole. One goroutine at a
// time may use a File.
type File struct {
	*Stream
	file   *os.File
	before fs.FileInfo
}

// OpenFile opens a file to read it. It refuses at once what is no regular file: a pipe would wait for somebody who
// writes to it, and a device may never end.
func OpenFile(ctx context.Context, path string) (*File, error) {
	file, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	return &File{newStream(ctx, file, ReadTimeout, file.Close), file, info}, nil
}

func openRegular(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if err := demandRegular(path, info); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, openFlags, 0)
	if err != nil {
		return nil, nil, err
	}
	// Another file may have taken its place.
	if info, err = file.Stat(); err == nil {
		err = demandRegular(path, info)
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

func demandRegular(path string, info fs.FileInfo) error {
	var kind string
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a pipe (FIFO)"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	default:
		kind = "a device"
	}
	return connector.Permanent(fmt.Errorf("%s is %s: a regular file is expected", path, kind))
}

// Size returns how many bytes the file had when it was opened.
func (f *File) Size() int64 { return f.before.Size() }

// Read implements [io.Reader].
func (f *File) Read(p []byte) (int, error) {
	n, err := f.Stream.Read(p)
	if err == io.EOF { //nolint:errorlint // an error around it is none of a file
		if changed := f.changed(); changed != nil {
			f.err = changed
			return n, changed
		}
	}
	return n, err
}

func (f *File) changed() error {
	after, err := f.file.Stat()
	if err != nil {
		return err
	}
	if after.Size() != f.before.Size() || !after.ModTime().Equal(f.before.ModTime()) {
		return fmt.Errorf("%s was written to while it was read, so it may not be whole: read it again later",
			f.file.Name())
	}
	return nil
}

// Seek implements [io.Seeker]. It fails after a read that failed.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	if f.err != nil && !errors.Is(f.err, io.EOF) {
		return 0, f.err
	}
	if whence == io.SeekCurrent {
		offset -= int64(len(f.rest)) // those were read ahead
	}
	at, err := f.file.Seek(offset, whence)
	if err == nil {
		f.rest, f.err = nil, nil
		f.before, err = f.file.Stat()
	}
	return at, err
}

// replace writes a new file beside another one and then puts it in its place, so that a reader finds either the old or
// the new one. The file keeps its owner, group, mode and access control list, and where its name is a symbolic link,
// that stays a link. Where the new file cannot have them, nothing is changed.
func replace(path string, write func(io.Writer) error) (err error) {
	old, info, err := openRegular(path)
	if err != nil {
		return err
	}
	defer old.Close()
	file, err := createBeside(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close(), os.Remove(file.Name()))
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	if err := keep(old, info, file); err != nil {
		return connector.Permanent(fmt.Errorf("%s is not written: %w", path, err))
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
