// Package wire checks what goes over the wire against an OpenAPI document. Tests alone import it.
//
//	document := wire.Load(t, data)
//	client := &http.Client{Transport: document.RoundTripper(t, http.DefaultTransport)}
//
// Every request and response of that client is checked, and what breaks the document fails the test. A test that means
// to break it in the request says so, and then the response alone is checked:
//
//	request, err := http.NewRequestWithContext(wire.Faulty(t.Context()), http.MethodGet, url+"?limit=251", nil)
//
// What is checked, beside the schemas of parameters, headers and bodies: that the status is documented; that no query
// parameter is sent that is not; that a body comes only where one is documented, and is one JSON text; and that
// X-Total-Count comes where count=true was sent, and there alone. Whether a request is authenticated is not checked. A
// response to HEAD is checked as the one to GET, without the body.
package wire

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Document is an OpenAPI document to check against. It may be used by many goroutines at once.
type Document struct {
	spec   *openapi3.T
	router routers.Router
	// foreign documents say nothing of requests, nor of operations that they do not have.
	foreign bool
}

// Load reads a document. One that is not valid, in its examples too, fails the test.
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
	return d, d.prepare()
}

// prepare validates the document, and makes the router of it.
func (d *Document) prepare() (err error) {
	if err := d.spec.Validate(context.Background(), openapi3.EnableExamplesValidation(),
		openapi3.EnableSchemaDefaultsValidation()); err != nil {
		return err
	}
	d.router, err = gorillamux.NewRouter(d.spec)
	return err
}

// Spec returns the document, which must not be changed.
func (d *Document) Spec() *openapi3.T { return d.spec }

type faulty struct{}

// Faulty returns a context for requests that break the document on purpose.
func Faulty(ctx context.Context) context.Context { return context.WithValue(ctx, faulty{}, true) }

// Check fails the test where a request or its response breaks the document. The response's body can still be read
// after it. A request whose body was sent must be able to give it again ([http.Request.GetBody]).
func (d *Document) Check(tb testing.TB, request *http.Request, response *http.Response) {
	tb.Helper()
	if err := d.Verify(request, response); err != nil {
		tb.Errorf("%s %s: %d: %v", request.Method, request.URL.RequestURI(), response.StatusCode, err)
	}
}

// Verify is [Document.Check] that returns what is wrong, all of it at once.
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

// RoundTripper returns a transport that sends requests by next and checks them and their responses. The test must wait
// for them before it ends. Documents can be chained, one's transport as the next of another's.
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
