package migrations

import (
	"bytes"
	"io"
	"io/fs"
	"log/slog"
)

var discard = slog.New(slog.DiscardHandler)

// schemaFS has the embedded files with the tenant's schema instead of the default one. So the files are plain SQL that
// any tool can read.
type schemaFS struct {
	fs.FS
	schema string
}

func (f schemaFS) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil || f.schema == SchemaDefault {
		return file, err
	}
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		return file, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	text = bytes.ReplaceAll(text, []byte(SchemaDefault+"."), []byte(f.schema+"."))
	return &schemaFile{file, bytes.NewReader(text)}, nil
}

type schemaFile struct {
	fs.File
	text *bytes.Reader
}

func (f *schemaFile) Read(p []byte) (int, error) { return f.text.Read(p) }
