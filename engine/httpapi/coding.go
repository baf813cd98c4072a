package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// gzipMin is the least bytes of a body that is sent compressed: a smaller one fits into one packet as it is.
const gzipMin = 1400

// gzipWriters are compressors to be used again.
var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is good
	}
	return w
}}

// send writes a successful answer with a JSON body, compressed if the client takes that. The answer to a GET has an
// entity tag, and no body if the client has this very body already.
func send(w http.ResponseWriter, r *http.Request, status int, data []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept-Encoding")
	if status == http.StatusOK && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		sum := sha256.Sum256(data)
		// It is weak, as it is the same whether the body is compressed or not.
		tag := `W/"` + hex.EncodeToString(sum[:16]) + `"`
		header.Set("ETag", tag)
		if matches(r.Header.Values("If-None-Match"), tag) {
			header.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if len(data) >= gzipMin && takesGzip(r.Header.Values("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		data = compressed(data)
	}
	header.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	// If the client does not read its answer, there is no one to tell.
	_, _ = w.Write(data)
}

func compressed(data []byte) []byte {
	var into bytes.Buffer
	into.Grow(len(data) / 4)
	w := gzipWriters.Get().(*gzip.Writer)
	w.Reset(&into)
	_, err := w.Write(data)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	w.Reset(io.Discard)
	gzipWriters.Put(w)
	return into.Bytes()
}

// takesGzip reads the header Accept-Encoding. Without it a client may take everything, but not each one does.
func takesGzip(headers []string) bool {
	others, named, gzipped := false, false, false
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, parameters, _ := strings.Cut(part, ";")
		name, value, _ := strings.Cut(parameters, "=")
		weight, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		takes := !strings.EqualFold(strings.TrimSpace(name), "q") || err == nil && weight > 0
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			named, gzipped = true, takes
		case "*":
			others = takes
		}
	}
	return gzipped || others && !named
}

// matches reports whether a tag is among those of the header If-None-Match, by weak comparison.
func matches(headers []string, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for given := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		given = strings.TrimSpace(given)
		if given == "*" || strings.TrimPrefix(given, "W/") == tag {
			return true
		}
	}
	return false
}
