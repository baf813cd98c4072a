package httpapi

import (
	"net/http"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// pageParams returns the page of a collection of the engine that a request asks for. The engine checks filters and
// sorters.
func (c *call) pageParams() (query, engine.PageParams, error) {
	q, err := c.query()
	if err != nil {
		return q, engine.PageParams{}, err
	}
	page, err := q.page()
	if err != nil {
		return q, engine.PageParams{}, err
	}
	params := engine.PageParams{Limit: &page.Limit, Offset: page.Offset, Count: page.Count}
	if list := c.operation.list; list != nil && list.filtered() {
		params.Filters = q.text("filters")
	}
	if list := c.operation.list; list != nil && list.sorted() {
		params.Sorters = q.text("sorters")
	}
	return q, params, nil
}

// answerPage answers with a page of a collection.
func answerPage[T, S any](c *call, page engine.Page[T], err error, shape func(*T) S) error {
	if err != nil {
		return err
	}
	if page.Total != nil {
		c.total(*page.Total)
	}
	c.respond(http.StatusOK, shapes(page.Items, shape))
	return nil
}

// self returns the ID of an identity that a parameter names: of the caller where it is me.
func (c *call) self(name, text string) (string, error) {
	if !strings.EqualFold(text, "me") {
		return text, nil
	}
	if c.principal.IdentityID == "" {
		return "", illegalValue.with(name + ": me stands for the identity of the token, which names none")
	}
	return c.principal.IdentityID, nil
}

// bodyOrNone is [call.body] of a request that may have no body: then no member is given.
func (c *call) bodyOrNone() (body, error) {
	if c.Request.Body == nil || c.Request.Body == http.NoBody || c.ContentLength == 0 {
		return body{}, nil
	}
	return c.body()
}

// accepted answers with the task of what was asked for.
func (c *call) accepted(task engine.AccountTask, err error) error {
	if err != nil {
		return err
	}
	c.respond(http.StatusAccepted, task)
	return nil
}
