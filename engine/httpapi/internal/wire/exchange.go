package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// exchange is a request and its response.
type exchange struct {
	document *Document
	request  *http.Request
	asked    *http.Request // a copy of the request
	response *http.Response
	body     []byte
	route    *routers.Route
	params   map[string]string
}

// elsewhere maps the statuses that are allowed without an operation to the responses of the document's components.
var elsewhere = map[int]string{
	http.StatusUnauthorized:        "Unauthorized",
	http.StatusNotFound:            "NotFound",
	http.StatusMethodNotAllowed:    "MethodNotAllowed",
	http.StatusTooManyRequests:     "TooManyRequests",
	http.StatusInternalServerError: "InternalServerError",
	http.StatusServiceUnavailable:  "ServiceUnavailable",
}

// verifyElsewhere checks the response to a request for which the router found no operation.
func (e *exchange) verifyElsewhere(cause error) error {
	responses := &openapi3.Responses{}
	for status, name := range elsewhere {
		unknown := errors.Is(cause, routers.ErrPathNotFound) && status == http.StatusMethodNotAllowed
		if found := e.document.spec.Components.Responses[name]; found != nil && !unknown {
			responses.Set(fmt.Sprint(status), found)
		}
	}
	e.route = &routers.Route{Spec: e.document.spec, PathItem: &openapi3.PathItem{},
		Operation: &openapi3.Operation{Responses: responses}}
	err := e.verifyResponse()
	if e.request.Context().Value(faulty{}) == nil {
		err = errors.Join(fmt.Errorf("the request: the document has no such operation: %w", cause), err)
	}
	return err
}

func (e *exchange) input() *openapi3filter.RequestValidationInput {
	return &openapi3filter.RequestValidationInput{Request: e.asked, PathParams: e.params, Route: e.route,
		Options: e.options()}
}

func (e *exchange) options() *openapi3filter.Options {
	return &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		ExcludeResponseBody:   e.request.Method == http.MethodHead,
		IncludeResponseStatus: true,
		MultiError:            true,
		SkipSettingDefaults:   true,
		// A message says where and why. The schema and the whole body would hide that.
		SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.DisableSchemaErrorDetails()},
	}
}

func (e *exchange) verifyRequest() error {
	if e.request.Context().Value(faulty{}) != nil {
		return nil
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(e.asked.URL.Query())) {
		if !e.documented(name) {
			faults = append(faults, fmt.Errorf("the request: the query parameter %q is not documented", name))
		}
	}
	if e.route.Operation.RequestBody == nil && e.asked.Body != nil && e.asked.Body != http.NoBody {
		faults = append(faults, errors.New("the request: a body is not documented"))
	}
	if err := openapi3filter.ValidateRequest(e.request.Context(), e.input()); err != nil {
		faults = append(faults, fmt.Errorf("the request: %w", err))
	}
	return errors.Join(faults...)
}

// documented reports whether the operation has a query parameter.
func (e *exchange) documented(name string) bool {
	return e.route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil ||
		e.route.PathItem.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil
}

func (e *exchange) verifyResponse() error {
	responses := e.route.Operation.Responses
	found := responses.Status(e.response.StatusCode)
	if found == nil {
		return fmt.Errorf("the response: the status %d is not documented, but %s", e.response.StatusCode,
			strings.Join(slices.Sorted(maps.Keys(responses.Map())), ", "))
	}
	faults := []error{e.verifyTotal(found.Value), e.verifyBody(found.Value)}
	input := &openapi3filter.ResponseValidationInput{RequestValidationInput: e.input(), Status: e.response.StatusCode,
		Header: e.response.Header, Options: e.options()}
	if err := openapi3filter.ValidateResponse(context.Background(), input.SetBodyBytes(e.body)); err != nil {
		faults = append(faults, fmt.Errorf("the response: %w", err))
	}
	return errors.Join(faults...)
}

const totalCount = "X-Total-Count"

// verifyTotal checks that results are counted if, and only if, the request says so.
func (e *exchange) verifyTotal(documented *openapi3.Response) error {
	got := e.response.Header.Get(totalCount) != ""
	if documented.Headers[totalCount] == nil {
		if got {
			return fmt.Errorf("the response: the header %s is not documented", totalCount)
		}
		return nil
	}
	if e.response.StatusCode == http.StatusNoContent { // the count is all that is asked for
		if !got {
			return fmt.Errorf("the response: the header %s is missing", totalCount)
		}
		return nil
	}
	if asked := strings.EqualFold(e.asked.URL.Query().Get("count"), "true"); got != asked {
		return fmt.Errorf("the response: count=true was sent: %t, but the header %s is there: %t", asked, totalCount,
			got)
	}
	return nil
}

// verifyBody checks the rules for a body that the schema does not have.
func (e *exchange) verifyBody(documented *openapi3.Response) error {
	switch {
	case len(documented.Content) == 0 && len(e.body) > 0:
		return fmt.Errorf("the response: no body is documented, but %d bytes came", len(e.body))
	case len(documented.Content) == 0 || e.request.Method == http.MethodHead:
		return nil
	case !strings.HasPrefix(e.response.Header.Get("Content-Type"), "text/") && !json.Valid(e.body):
		return errors.New("the response: the body is not one JSON text")
	}
	return nil
}

// replay reads a body to its end and replaces it by a copy.
func replay(body *io.ReadCloser) ([]byte, error) {
	if *body == nil {
		return nil, nil
	}
	data, err := io.ReadAll(*body)
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if err := (*body).Close(); err != nil {
		return nil, fmt.Errorf("close the body: %w", err)
	}
	*body = io.NopCloser(bytes.NewReader(data))
	return data, nil
}

// again returns a copy of a sent request, with its body. HEAD becomes GET, because the documents have only GET.
func again(request *http.Request) (*http.Request, error) {
	copied := request.Clone(request.Context())
	if copied.Method == http.MethodHead {
		copied.Method = http.MethodGet
	}
	if request.Body == nil || request.Body == http.NoBody {
		return copied, nil
	}
	if request.GetBody == nil {
		return nil, errors.New("the request cannot give its body again: set GetBody")
	}
	var err error
	copied.Body, err = request.GetBody()
	return copied, err
}

// repeatable returns a request that can return its body again.
func repeatable(request *http.Request) (*http.Request, error) {
	if request.Body == nil || request.Body == http.NoBody || request.GetBody != nil {
		return request, nil
	}
	copied := request.Clone(request.Context())
	data, err := replay(&copied.Body)
	copied.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return copied, err
}
