package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// published is the file of the published API's document, which is not part of this project.
const published = "identities-openapi.yaml"

// LoadPublished reads the published API's document from MUSTER_CONTRACT_DIR, by default the folder shared/contract
// beside the module. It skips the test if there is no document; see [PublishedAtHand].
//
// The document is used only to check responses, and only those of its operations under /beta. The statuses that it does
// not have and that any server has (405, 413 and 503) are checked like its other errors.
func LoadPublished(tb testing.TB) *Document {
	tb.Helper()
	path, err := publishedPath()
	if errors.Is(err, fs.ErrNotExist) {
		tb.Skipf("the API's document is not at hand: set MUSTER_CONTRACT_DIR to the folder that has %s", published)
	}
	if err != nil {
		tb.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	d := &Document{spec: spec, foreign: true}
	if err := d.extend(); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return d
}

// PublishedAtHand reports whether [LoadPublished] finds the published API's document, for tests that also check other
// things.
func PublishedAtHand(tb testing.TB) bool {
	tb.Helper()
	_, err := publishedPath()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	return err == nil
}

// extend adds the server and the statuses of the tests to the published document.
func (d *Document) extend() error {
	d.spec.Servers = openapi3.Servers{{URL: "/beta"}}
	failure := d.spec.Components.Responses["InternalServerError"]
	if failure == nil {
		return errors.New("there is no response InternalServerError")
	}
	for _, item := range d.spec.Paths.Map() {
		for _, operation := range item.Operations() {
			statuses := []int{http.StatusMethodNotAllowed, http.StatusServiceUnavailable}
			if operation.RequestBody != nil {
				statuses = append(statuses, http.StatusRequestEntityTooLarge)
			}
			for _, status := range statuses {
				operation.Responses.Set(fmt.Sprint(status), failure)
			}
		}
	}
	return d.prepare()
}

// publishedPath returns the path of the published document. The error is [fs.ErrNotExist] if there is none.
func publishedPath() (string, error) {
	folder := os.Getenv("MUSTER_CONTRACT_DIR")
	if folder == "" {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		folder = filepath.Join(root, "..", "shared", "contract")
	}
	path := filepath.Join(folder, published)
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
