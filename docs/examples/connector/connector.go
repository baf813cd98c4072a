// Package badges is an example of a host's own connector: to the badge system of a building, which has a small HTTP
// API.
//
//	GET    /badges        all badges, and how many there are
//	GET    /badges/{id}   one badge, or 404
//	PUT    /badges/{id}   makes or replaces a badge; with If-None-Match: * only where there is none (412)
//	DELETE /badges/{id}   removes a badge, or 404
//
// A host gives the engine its factory, and a source names it:
//
//	eng, err := engine.New(ctx, pool, engine.Config{Connectors: map[string]connector.Factory{"badges": badges.New}})
//
//	sources:
//	  - name: Doors
//	    connector: badges
//	    connectorAttributes: {url: "https://badges.example.com", token: "env:BADGES_TOKEN"}
package badges

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// requestTimeout is the longest time of one request. Every read of a source needs an end.
const requestTimeout = time.Minute

// schema is what the badge system says of its accounts. The ID of a badge never changes and is never given again, so it
// is the stable identity too.
var schema = connector.Schema{
	Name: connector.AccountObject, IdentityAttribute: "id", DisplayAttribute: "name", StableIdentityAttribute: "id",
	Attributes: []connector.SchemaAttribute{
		{Name: "id", Type: "STRING"},
		{Name: "name", Type: "STRING"},
		{Name: "doors", Type: "STRING", IsMulti: true, IsEntitlement: true},
		{Name: "active", Type: "BOOLEAN"},
	},
}

// badges is the connector of one source. The engine uses it in one goroutine at a time.
type badges struct {
	url    string
	token  string
	client *http.Client
}

// New makes a connector. It is a [connector.Factory].
func New(_ context.Context, config connector.Config) (connector.Connector, error) {
	var settings struct{ URL, Token string }
	if err := json.Unmarshal(config.Attributes, &settings); err != nil {
		return nil, fmt.Errorf("connectorAttributes: %w", err)
	}
	if u, err := url.Parse(settings.URL); err != nil || u.Host == "" {
		return nil, errors.New("connectorAttributes: url is the address of the badge system, " +
			"such as https://badges.example.com")
	}
	b := &badges{url: strings.TrimSuffix(settings.URL, "/"), client: &http.Client{Timeout: requestTimeout}}
	if settings.Token == "" {
		return b, nil
	}
	var err error
	b.token, err = config.Secret(settings.Token) // the configuration has only the reference
	return b, err
}

// Close implements [connector.Connector].
func (b *badges) Close() error {
	b.client.CloseIdleConnections()
	return nil
}

// Test implements [connector.Connector].
func (b *badges) Test(ctx context.Context) error {
	_, err := b.ask(ctx, http.MethodGet, "", nil, nil)
	return err
}

// Discover implements [connector.Connector].
func (b *badges) Discover(context.Context) ([]connector.Schema, error) {
	return []connector.Schema{schema}, nil
}

// Read implements [connector.Connector]. The system cannot tell what has changed, so a cursor is never returned.
// Badges that are not read count as gone: an answer that has fewer than it says is an error.
func (b *badges) Read(ctx context.Context, since string, each func(*connector.Object) error) (string, error) {
	if since != "" {
		return "", connector.ErrNoChanges
	}
	var answer struct {
		Count  int             `json:"count"`
		Badges []attribute.Set `json:"badges"`
	}
	if _, err := b.ask(ctx, http.MethodGet, "", nil, &answer); err != nil {
		return "", err
	}
	if len(answer.Badges) != answer.Count {
		return "", fmt.Errorf("the badge system gave %d of %d badges", len(answer.Badges), answer.Count)
	}
	for i := range answer.Badges {
		if err := each(object(&answer.Badges[i])); err != nil {
			return "", err
		}
	}
	return "", nil
}

// Find implements [connector.Finder]: the engine asks it before it makes an account.
func (b *badges) Find(ctx context.Context, query *connector.Query, each func(*connector.Object) error) error {
	_, err := b.Read(ctx, "", func(o *connector.Object) error {
		if !query.Selects(o) {
			return nil
		}
		return each(o)
	})
	return err
}

func object(badge *attribute.Set) *connector.Object {
	id := badge.Get("id").Text()
	return &connector.Object{NativeIdentity: id, Name: badge.Get("name").Text(), StableIdentity: id, Attributes: *badge}
}

// Apply implements [connector.Connector]. The engine may call it again for an operation that was carried out, after a
// crash: each kind then changes nothing.
func (b *badges) Apply(ctx context.Context, o *connector.Operation) (connector.Result, error) {
	switch o.Kind {
	case connector.Create:
		return b.create(ctx, o)
	case connector.Delete:
		status, err := b.ask(ctx, http.MethodDelete, idOf(o), nil, nil)
		if status == http.StatusNotFound {
			err = nil
		}
		return connector.Result{}, err
	case connector.SetAttributes, connector.AddValues, connector.RemoveValues, connector.Enable, connector.Disable,
		connector.Unlock:
		return connector.Result{NativeIdentity: idOf(o)}, b.change(ctx, o)
	}
	return connector.Result{}, connector.Unsupported(o.Kind)
}

// idOf returns the ID of the badge that an operation is about. The stable identity counts: where the native identity
// can change, another badge may have it by now.
func idOf(o *connector.Operation) string { return cmp.Or(o.StableIdentity, o.NativeIdentity) }

func (b *badges) create(ctx context.Context, o *connector.Operation) (connector.Result, error) {
	badge := connector.Applied(&attribute.Set{}, o, &schema)
	id := cmp.Or(o.NativeIdentity, badge.Get("id").Text())
	if id == "" {
		return connector.Result{}, connector.Permanent(errors.New("the provisioning policy gives the badge no id"))
	}
	badge.Put("id", attribute.String(id))
	status, err := b.ask(ctx, http.MethodPut, id, &badge, nil)
	if status != http.StatusPreconditionFailed {
		return connector.Result{NativeIdentity: id, StableIdentity: id}, err
	}
	// There is one. An earlier attempt made it where it differs only in what each attempt calculates anew.
	var there attribute.Set
	if _, err := b.ask(ctx, http.MethodGet, id, nil, &there); err != nil {
		return connector.Result{}, err
	}
	for _, name := range o.Volatile {
		badge.Put(name, there.Get(name))
	}
	if !there.Equal(&badge) {
		return connector.Result{}, connector.ErrExists
	}
	return connector.Result{NativeIdentity: id, StableIdentity: id}, nil
}

func (b *badges) change(ctx context.Context, o *connector.Operation) error {
	if name := schema.IdentityAttribute; o.Attributes.Has(name) && o.Attributes.Get(name).Text() != idOf(o) {
		if o.Attributes.Get(name).Text() == "" {
			return connector.Nameless(name)
		}
		return connector.Permanent(errors.New("a badge keeps its ID"))
	}
	var badge attribute.Set
	status, err := b.ask(ctx, http.MethodGet, idOf(o), nil, &badge)
	if status == http.StatusNotFound {
		return connector.ErrNoAccount
	}
	if err != nil {
		return err
	}
	after := connector.Applied(&badge, o, &schema)
	if after.Equal(&badge) {
		return nil
	}
	_, err = b.ask(ctx, http.MethodPut, idOf(o), &after, nil, "If-Match", "*")
	return err
}

// ask sends a request, and decodes the answer where there is an answer to decode. Its errors have no value of a badge:
// the engine stores and shows them.
func (b *badges) ask(ctx context.Context, method, id string, badge *attribute.Set, answer any, header ...string) (int,
	error,
) {
	address := b.url + "/badges"
	if id != "" {
		address += "/" + url.PathEscape(id)
	}
	var body []byte
	if badge != nil {
		body = badge.AppendJSON(nil)
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the address of the badge system cannot be asked")
	}
	if badge != nil && len(header) == 0 {
		header = []string{"If-None-Match", "*"}
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	response, err := b.client.Do(r)
	if err != nil {
		var asked *url.Error // whose text has the address, with the ID of the badge
		if errors.As(err, &asked) {
			err = asked.Err
		}
		return 0, fmt.Errorf("ask the badge system: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		err := fmt.Errorf("the badge system answered %d", response.StatusCode)
		if response.StatusCode == http.StatusUnprocessableEntity {
			err = connector.Permanent(err) // the same would be refused again
		}
		return response.StatusCode, err
	}
	if answer == nil {
		return response.StatusCode, nil
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return response.StatusCode, errors.New("the answer of the badge system broke off, or is no JSON")
	}
	return response.StatusCode, nil
}
