package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/jsontext"
)

// query is the parameters of a request, each of which occurs once.
type query struct{ values url.Values }

func (c *call) query() (query, error) {
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return query{}, badSyntax.with("The query of the URL could not be parsed: encode %, &, + and ; in its values.")
	}
	for name, given := range values {
		if known := c.operation.meant(name); known != "" {
			return query{}, illegalValue.with(name + ": there is no such parameter, " + known + " is meant")
		}
		if len(given) > 1 {
			return query{}, illegalValue.with(fmt.Sprintf("%s: it is given %d times, once is allowed", name,
				len(given)))
		}
		if !utf8.ValidString(given[0]) || strings.IndexByte(given[0], 0) >= 0 {
			return query{}, illegalValue.with(strings.ToValidUTF8(name, "\uFFFD") +
				": it is no UTF-8 text, or has a NUL character in it")
		}
	}
	if err := c.checkQuery(values); err != nil {
		return query{}, err
	}
	return query{values}, nil
}

// meant returns the parameter of the query that a name misses by its case, by its number, or by brackets behind it; ""
// if it misses none. What is ignored silently answers another question: with filter=... everybody would be listed.
func (o *operation) meant(name string) string {
	all := o.parameters()
	if slices.Contains(all, name) {
		return ""
	}
	for _, known := range all {
		if bare(name) == bare(known) {
			return known
		}
	}
	return ""
}

// bare returns the name of a parameter in small letters, in the singular and without what stands in brackets.
func bare(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return strings.TrimSuffix(strings.ToLower(name), "s")
}

func (q query) text(name string) string { return q.values.Get(name) }

// truth reads a boolean, false if it is not given.
func (q query) truth(name string) (bool, error) {
	text := q.text(name)
	if text == "" {
		return false, nil
	}
	value, ok := filterql.ParseTruth(text)
	if !ok {
		return false, illegalValue.with(fmt.Sprintf("%s: %q is given where true or false is allowed", name, text))
	}
	return value, nil
}

// page reads limit, offset and count.
func (q query) page() (filterql.Page, error) {
	page, err := filterql.ParsePage(q.text("limit"), q.text("offset"), q.text("count"))
	if err != nil {
		return page, illegalValue.with(err.Error())
	}
	return page, nil
}

// body is the JSON object in the body of a request. Unknown members are ignored.
type body map[string]json.RawMessage

// body reads the body of a request, which must be an object.
func (c *call) body() (body, error) {
	data, err := c.read()
	if err != nil {
		return nil, err
	}
	var members body
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return nil, illegalValue.with("The body is " + kindOf(data) + ": a JSON object is expected.")
	}
	return members, nil
}

// limitBody returns the body of a request, which must not be coded, up to its limit.
func (c *call) limitBody() (io.Reader, error) {
	if coding := strings.Join(c.Header.Values("Content-Encoding"), ","); coding != "" &&
		!strings.EqualFold(strings.TrimSpace(coding), "identity") {
		c.w.Header().Set("Accept-Encoding", "identity")
		return nil, codingRefused
	}
	return http.MaxBytesReader(c.w, c.Request.Body, c.operation.mostBody()), nil
}

// mostBody returns the most bytes of a body.
func (o *operation) mostBody() int64 {
	if o.bodyMax != 0 {
		return o.bodyMax
	}
	return BodyMax
}

// unreadable returns the failure of a body that could not be read.
func (c *call) unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return bodyTooLarge.with(fmt.Sprintf("The body has more than %d bytes.", tooLarge.Limit))
	}
	return badSyntax.with("The body could not be read to its end.")
}

// read reads the body of a request, which must be one JSON text.
func (c *call) read() ([]byte, error) {
	from, err := c.limitBody()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(from)
	if err != nil {
		return nil, c.unreadable(err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, badSyntax.with("The body is empty: a JSON object is expected.")
	}
	if !json.Valid(data) {
		return nil, badSyntax
	}
	if err := jsontext.Check(data); err != nil {
		return nil, badSyntax.with("The body could not be parsed: " + err.Error() + ".")
	}
	return data, nil
}

// kindOf names the type of a JSON text.
func kindOf(data json.RawMessage) string {
	switch first := bytes.TrimSpace(data)[0]; first {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

// given reports whether a member exists and is not null.
func (b body) given(name string) bool {
	value, ok := b[name]
	return ok && kindOf(value) != "null"
}

// text returns a member that is a string, or "" if it is not given.
func (b body) text(name string) (string, error) {
	if !b.given(name) {
		return "", nil
	}
	return textOf(name, b[name])
}

func textOf(place string, value json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(value, &s); err != nil || kindOf(value) == "null" {
		return "", illegalValue.with(fmt.Sprintf("%s: a string is expected, %s was found", place, kindOf(value)))
	}
	return s, nil
}

// texts returns a member that is a list of strings, or nil if it is not given.
func (b body) texts(name string) ([]string, error) {
	if !b.given(name) {
		return nil, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(b[name], &items); err != nil {
		return nil, illegalValue.with(fmt.Sprintf("%s: a list of strings is expected, %s was found", name,
			kindOf(b[name])))
	}
	texts := make([]string, len(items))
	for i, item := range items {
		var err error
		if texts[i], err = textOf(fmt.Sprintf("%s[%d]", name, i), item); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// truth returns a member that is a boolean, or false if it is not given.
func (b body) truth(name string) (bool, error) {
	if !b.given(name) {
		return false, nil
	}
	var truth bool
	if err := json.Unmarshal(b[name], &truth); err != nil {
		return false, illegalValue.with(fmt.Sprintf("%s: true or false is expected, %s was found", name,
			kindOf(b[name])))
	}
	return truth, nil
}
