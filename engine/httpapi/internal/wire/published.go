package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// The files of the published API's documents, which are not part of this project: that of identities, and that of the
// operations beside them.
const (
	published  = "identities-openapi.yaml"
	neighbours = "neighbours-openapi.yaml"
)

// The documents as they were read, as reading them takes a while. Many goroutines may use a document.
var (
	readPublished  = sync.OnceValues(func() (*Document, error) { return readForeign(published, "/beta") })
	readNeighbours = sync.OnceValues(func() (*Document, error) { return readForeign(neighbours, "/v2025") })
)

// LoadPublished reads the published API's document from MUSTER_CONTRACT_DIR, by default the folder shared/contract
// beside the module. It skips the test if there is no document; see [PublishedAtHand]. Do not change the document.
//
// The document is used only to check responses, and only those of its operations under /beta. The statuses that it does
// not have and that any server has (405, 413, 415 and 503) are checked like its other errors, and 304 has no body.
func LoadPublished(tb testing.TB) *Document {
	tb.Helper()
	return loadForeign(tb, readPublished)
}

// LoadNeighbours is [LoadPublished] for the operations beside those of identities, under /v2025.
func LoadNeighbours(tb testing.TB) *Document {
	tb.Helper()
	return loadForeign(tb, readNeighbours)
}

func loadForeign(tb testing.TB, read func() (*Document, error)) *Document {
	tb.Helper()
	d, err := read()
	if errors.Is(err, fs.ErrNotExist) {
		tb.Skipf("the API's documents are not at hand: set MUSTER_CONTRACT_DIR to the folder that has them: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func readForeign(file, server string) (*Document, error) {
	path, err := publishedPath(file)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	spec, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	spec.Servers = openapi3.Servers{{URL: server}}
	d := &Document{spec: spec, foreign: true}
	if err := d.extend(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// PublishedAtHand reports whether [LoadPublished] finds the published API's document, for tests that also check other
// things.
func PublishedAtHand(tb testing.TB) bool {
	tb.Helper()
	_, err := publishedPath(published)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	return err == nil
}

// extend adds the statuses of any server to a published document.
func (d *Document) extend() error {
	failure := d.spec.Components.Responses["InternalServerError"]
	if failure == nil {
		return errors.New("there is no response InternalServerError")
	}
	for _, item := range d.spec.Paths.Map() {
		for method, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				if status >= "400" && len(response.Value.Content) == 0 { // an oversight: others have the body
					operation.Responses.Set(status, failure)
				}
			}
			if success := operation.Responses.Value("200"); method == http.MethodGet && success != nil {
				unmodified := openapi3.NewResponse().WithDescription("The client has this body already.")
				unmodified.Headers = success.Value.Headers
				operation.Responses.Set("304", &openapi3.ResponseRef{Value: unmodified})
			}
			statuses := []int{http.StatusMethodNotAllowed, http.StatusServiceUnavailable}
			if operation.RequestBody != nil {
				statuses = append(statuses, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
			}
			for _, status := range statuses {
				operation.Responses.Set(fmt.Sprint(status), failure)
			}
		}
	}
	return d.prepare()
}

// publishedPath returns the path of a published document. The error is [fs.ErrNotExist] if there is none.
func publishedPath(file string) (string, error) {
	folder := os.Getenv("MUSTER_CONTRACT_DIR")
	if folder == "" {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		folder = filepath.Join(root, "..", "shared", "contract")
	}
	path := filepath.Join(folder, file)
	_, err := os.Stat(path)
	return path, err
}

// moduleRoot returns the folder of go.mod above the working folder. In a test that is the folder of the package.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		_, err := os.Stat(filepath.Join(folder, "go.mod"))
		if err == nil {
			return folder, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("there is no go.mod above %s", start)
		}
	}
}
