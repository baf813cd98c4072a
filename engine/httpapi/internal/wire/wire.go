// Package wire checks HTTP traffic against an OpenAPI document. Only tests import it.
//
//	document := wire.Load(t, data)
//	client := &http.Client{Transport: document.RoundTripper(t, http.DefaultTransport)}
//
// It checks every request and response of that client, and fails the test if one breaks the document. A test that
// breaks it on purpose in the request says so; then only the response is checked:
//
//	request, err := http.NewRequestWithContext(wire.Faulty(t.Context()), http.MethodGet, url+"?limit=251", nil)
//
// Besides the schemas of parameters, headers and bodies, it checks that
//
//   - the status is documented;
//   - every query parameter is documented;
//   - a body comes only where one is documented, and is one JSON text;
//   - X-Total-Count comes if, and only if, the request has count=true.
//
// It does not check authentication. A response to HEAD is checked like the response to GET, without the body.
package wire

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Document is an OpenAPI document to check against. Many goroutines may use it.
type Document struct {
	spec   *openapi3.T
	router routers.Router
	// foreign says not to check requests, nor operations that the document does not have.
	foreign bool
}

// Load reads a document. It fails the test if the document, including its examples, is not valid.
func Load(tb testing.TB, data []byte) *Document {
	tb.Helper()
	d, err := load(data)
	if err != nil {
		tb.Fatalf("the OpenAPI document: %v", err)
	}
	return d
}

func load(data []byte) (*Document, error) {
	spec, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	d := &Document{spec: spec}
	d.addTwins()
	return d, d.prepare()
}

// addTwins adds the paths with the version behind the resource, which the document only names under x-versions: a path
// has no servers for them. The operations there have V1 or V2 behind their IDs.
func (d *Document) addTwins() {
	for path, item := range d.spec.Paths.Map() {
		for method, operation := range item.Operations() {
			versions, _ := operation.Extensions["x-versions"].([]any)
			for _, version := range versions {
				prefix, _ := version.(string)
				resource, number, behind := strings.Cut(prefix, "/v")
				if !behind || resource == "" {
					continue
				}
				at := prefix + strings.TrimPrefix(path, resource)
				twin := d.spec.Paths.Value(at)
				if twin == nil {
					twin = &openapi3.PathItem{Parameters: item.Parameters, Servers: openapi3.Servers{{URL: "/"}}}
					d.spec.Paths.Set(at, twin)
				}
				copied := *operation
				copied.OperationID += "V" + number
				twin.SetOperation(method, &copied)
			}
		}
	}
}

// prepare validates the document and makes its router.
func (d *Document) prepare() (err error) {
	if err := d.spec.Validate(context.Background(), openapi3.EnableExamplesValidation(),
		openapi3.EnableSchemaDefaultsValidation()); err != nil {
		return err
	}
	d.router, err = gorillamux.NewRouter(d.spec)
	return err
}

// Spec returns the document. Do not change it.
func (d *Document) Spec() *openapi3.T { return d.spec }

type faulty struct{}

// Faulty returns a context for requests that break the document on purpose.
func Faulty(ctx context.Context) context.Context { return context.WithValue(ctx, faulty{}, true) }

// Check fails the test if a request or its response breaks the document. The response's body can still be read
// afterwards. A sent request must be able to return its body again ([http.Request.GetBody]).
func (d *Document) Check(tb testing.TB, request *http.Request, response *http.Response) {
	tb.Helper()
	if err := d.Verify(request, response); err != nil {
		tb.Errorf("%s %s: %d: %v", request.Method, request.URL.RequestURI(), response.StatusCode, err)
	}
}

// Verify is [Document.Check] with an error, which has all mistakes, instead of a failure of the test.
func (d *Document) Verify(request *http.Request, response *http.Response) error {
	body, err := replay(&response.Body)
	if err != nil {
		return err
	}
	e := exchange{document: d, request: request, response: response, body: body}
	if e.asked, err = again(request); err != nil {
		return err
	}
	e.route, e.params, err = d.router.FindRoute(e.asked)
	switch {
	case err == nil && d.foreign:
		return e.verifyResponse()
	case err == nil:
		return errors.Join(e.verifyRequest(), e.verifyResponse())
	case d.foreign:
		return nil
	}
	return e.verifyElsewhere(err)
}

// RoundTripper returns a transport that sends requests with next, and checks them and their responses. The test must
// wait for them before it ends. To check against several documents, use the transport of one as the next of another.
func (d *Document) RoundTripper(tb testing.TB, next http.RoundTripper) http.RoundTripper {
	return &transport{document: d, tb: tb, next: next}
}

type transport struct {
	document *Document
	tb       testing.TB
	next     http.RoundTripper
}

func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	request, err := repeatable(request)
	if err != nil {
		return nil, err
	}
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	t.document.Check(t.tb, request, response)
	return response, nil
}
