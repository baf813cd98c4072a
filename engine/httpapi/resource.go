package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
)

// resource is how the objects of one type of the configuration look over HTTP, and what of them can be changed. The
// configuration itself is the engine's: each write over HTTP is the write that the command does, with the same checks,
// guard, revision and actor. What a document says of the machine is allowed only where the operator allows it.
type resource struct {
	kind engine.ObjectType
	// prepare returns what gives objects their published shape, for one request: what it needs of others, as the names
	// of their owners, is read once for all of them. It also gets no objects, where one is about to be changed.
	prepare func(ctx context.Context, h *Handler, objects []engine.ConfigurationObject) (shower, error)
	// derived are members of the shape that the engine says, and no document. A PATCH cannot change them; in a PUT they
	// are ignored, as clients send what they got.
	derived []string
	// fixed are members that stay what they are when an object was created.
	fixed []string
	// patchable are the members that a PATCH may change; nil for all that are neither derived nor fixed.
	patchable []string
	// adapt, where it is not nil, makes a document of what a client sends, and checks what only HTTP demands. It gets
	// the members as they were, nil for a new object, and changes those as they should be.
	adapt func(before, after object) error
}

// shower gives an object its published shape. Its members are maps, lists, texts, json.Number, booleans, null, and
// [timestamp] for times.
type shower func(o *engine.ConfigurationObject) (object, error)

// members returns the members of a JSON object, whose numbers keep their digits.
func membersOf(text []byte) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var members object
	err := decoder.Decode(&members)
	return members, err
}

// plain returns a shape as a client reads it: its times are texts.
func plain(shape object) (object, error) { return membersOf(encode(shape)) }

// all returns the objects of the resource in their published shape, by name.
func (r *resource) all(ctx context.Context, h *Handler) ([]object, error) {
	found, err := h.engine.ConfigurationObjects(ctx, r.kind)
	if err != nil {
		return nil, err
	}
	show, err := r.prepare(ctx, h, found)
	if err != nil {
		return nil, err
	}
	list := make([]object, len(found))
	for i := range found {
		if list[i], err = show(&found[i]); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.kind, found[i].ID, err)
		}
	}
	byName(list)
	return list, nil
}

// list answers with a page of the objects.
func (r *resource) list(h *Handler, c *call) error {
	a, err := c.asked()
	if err != nil {
		return err
	}
	objects, err := r.all(c.Context(), h)
	if err != nil {
		return err
	}
	c.answerList(&a, objects)
	return nil
}

// get answers with one object.
func (r *resource) get(h *Handler, c *call) error {
	id, err := c.idIn(c.lastParameter())
	if err != nil {
		return err
	}
	return r.answer(h, c, http.StatusOK, id)
}

// answer answers with the object of an ID.
func (r *resource) answer(h *Handler, c *call, status int, id string) error {
	shape, err := r.shape(c.Context(), h, id)
	if err != nil {
		return err
	}
	c.respond(status, shape)
	return nil
}

func (r *resource) shape(ctx context.Context, h *Handler, id string) (object, error) {
	found, err := h.engine.ConfigurationObject(ctx, r.kind, id)
	if err != nil {
		return nil, err
	}
	show, err := r.prepare(ctx, h, []engine.ConfigurationObject{found})
	if err != nil {
		return nil, err
	}
	return show(&found)
}

// create adds the object in the body, and answers with it.
func (r *resource) create(h *Handler, c *call) error {
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	id, err := r.add(h, c, sent)
	if err != nil {
		return err
	}
	return r.answer(h, c, http.StatusCreated, id)
}

// add adds an object, and returns its ID: its name, where it has none.
func (r *resource) add(h *Handler, c *call, sent object) (string, error) {
	for _, name := range append([]string{"id"}, r.derived...) {
		delete(sent, name)
	}
	if r.adapt != nil {
		if err := r.adapt(nil, sent); err != nil {
			return "", err
		}
	}
	result, err := h.engine.CreateConfiguration(c.Context(), engine.Document{Type: r.kind, Object: trimmed(sent)},
		engine.Untrusted())
	if err != nil {
		return "", r.failure(err)
	}
	for _, o := range result.Objects {
		if o.Type == r.kind && o.Action == engine.Created {
			return identifier(&o), nil
		}
	}
	return "", errors.New("nothing was created")
}

// identifier returns the ID of an object, and the name of one that has no ID.
func identifier(o *engine.AppliedObject) string {
	if id, known := knownID(o.ID); known {
		return id
	}
	return o.Name
}

func trimmed(o object) json.RawMessage { return bytes.TrimSpace(encode(o)) }

// put replaces the object by that in the body, and answers with it.
func (r *resource) put(h *Handler, c *call) error {
	id, err := c.idIn(c.lastParameter())
	if err != nil {
		return err
	}
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	err = r.edit(h, c, id, func(before object) (object, error) {
		after := object{}
		for name, value := range sent {
			if !slices.Contains(r.derived, name) {
				after[name] = value
			}
		}
		for _, name := range append(slices.Clone(r.derived), r.fixed...) {
			if value, given := after[name]; !given && before[name] != nil || given && value == nil {
				after[name] = before[name]
			}
		}
		return after, nil
	})
	if err != nil {
		return err
	}
	return r.answer(h, c, http.StatusOK, id)
}

// patch changes the object by the JSON Patch in the body, and answers with it.
func (r *resource) patch(h *Handler, c *call) error {
	id, err := c.idIn(c.lastParameter())
	if err != nil {
		return err
	}
	patch, err := c.patch()
	if err != nil {
		return err
	}
	err = r.edit(h, c, id, func(before object) (object, error) {
		after, err := patch.of(before)
		if err != nil {
			return nil, err
		}
		return after, r.demandPatchable(before, after)
	})
	if err != nil {
		return err
	}
	return r.answer(h, c, http.StatusOK, id)
}

// demandPatchable fails where a member differs that a PATCH cannot change.
func (r *resource) demandPatchable(before, after object) error {
	for _, name := range changed(before, after) {
		if slices.Contains(r.derived, name) || r.patchable != nil && !slices.Contains(r.patchable, name) {
			return r.refused(name)
		}
	}
	return nil
}

func (r *resource) refused(name string) error {
	text := "/" + name + ": this cannot be changed"
	if r.patchable != nil {
		text += ": only " + strings.Join(r.patchable, ", ") + " can"
	}
	return illegalValue.with(text)
}

// changed returns the names of the members in which two objects differ, sorted.
func changed(before, after object) []string {
	var names []string
	for _, name := range keysOf(before) {
		if value, has := after[name]; !has || !reflect.DeepEqual(before[name], value) {
			names = append(names, name)
		}
	}
	for _, name := range keysOf(after) {
		if _, has := before[name]; !has {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// edit changes an object: change gets its published shape as it is and returns it as it should be. The document changes
// only in what differs between the two, so that a shape may show what no document says, and documents may have what no
// shape shows.
func (r *resource) edit(h *Handler, c *call, id string, change func(before object) (object, error)) error {
	show, err := r.prepare(c.Context(), h, nil)
	if err != nil {
		return err
	}
	_, err = h.engine.EditConfiguration(c.Context(), r.kind, id,
		func(o engine.ConfigurationObject) (json.RawMessage, error) {
			shape, err := show(&o)
			if err != nil {
				return nil, err
			}
			before, err := plain(shape)
			if err != nil {
				return nil, err
			}
			return r.edited(&o, before, change)
		}, engine.Untrusted(), engine.Replace())
	return r.failure(err)
}

// edited returns the document of an object after a change.
func (r *resource) edited(o *engine.ConfigurationObject, before object, change func(object) (object, error)) (
	json.RawMessage, error,
) {
	was, err := plain(before)
	if err != nil {
		return nil, err
	}
	after, err := change(was)
	if err != nil {
		return nil, err
	}
	differing := changed(before, after)
	for _, name := range r.fixed {
		if slices.Contains(differing, name) {
			return nil, illegalValue.with(name + ": this cannot be changed")
		}
	}
	if r.adapt != nil {
		if err := r.adapt(before, after); err != nil {
			return nil, err
		}
		differing = changed(before, after)
	}
	document, err := membersOf(o.Object)
	if err != nil {
		return nil, err
	}
	for _, name := range differing {
		if slices.Contains(r.derived, name) {
			continue
		}
		if value, has := after[name]; has {
			document[name] = value
		} else {
			delete(document, name)
		}
	}
	return trimmed(document), nil
}

// remove deletes an object that nothing uses.
func (r *resource) remove(h *Handler, c *call, options ...engine.ApplyOption) (engine.ApplyResult, error) {
	id, err := c.idIn(c.lastParameter())
	if err != nil {
		return engine.ApplyResult{}, err
	}
	result, err := h.engine.DeleteConfiguration(c.Context(), r.kind, id, options...)
	return result, r.failure(err)
}

// removeMany deletes the objects of IDs in a body: all of them, or none. What does not exist is a fault of the body.
func (r *resource) removeMany(h *Handler, c *call, ids []string, options ...engine.ApplyOption) (engine.ApplyResult,
	error,
) {
	names := make([]engine.ObjectName, len(ids))
	for i, text := range ids {
		id, known := knownID(text)
		if !known {
			return engine.ApplyResult{}, noReferenced.with("Referenced object " + strconv.Quote(text) +
				" was not found.")
		}
		names[i] = engine.ObjectName{Type: r.kind, Name: id}
	}
	result, err := h.engine.DeleteConfigurationObjects(c.Context(), names, options...)
	var known *engine.Error
	if errors.As(err, &known) && known.Kind == engine.NotFound {
		return result, noReferenced.with("Referenced object " + strconv.Quote(known.Subject) + " was not found.")
	}
	return result, r.failure(err)
}

// removeNow deletes an object, and answers without a body.
func (r *resource) removeNow(h *Handler, c *call) error {
	if _, err := r.remove(h, c); err != nil {
		return err
	}
	c.done(http.StatusNoContent)
	return nil
}

// failure gives an error of a write the published code where there is one.
func (r *resource) failure(err error) error {
	var used *engine.InUseError
	var exists *engine.ExistsError
	var nobody *engine.ReferenceError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &used):
		return inUse.with(used.Error())
	case errors.As(err, &exists):
		return badContent.with(exists.Error())
	case errors.As(err, &nobody):
		return noReferenced.with(nobody.Error())
	}
	return err
}

// inUse is the published code of what cannot be deleted because something uses it.
var inUse = &failure{http.StatusBadRequest, "400.2.1.0 Object in use by another", ""}

// patches is a JSON Patch (RFC 6902).
type patches struct{ patch jsonpatch.Patch }

// patch reads the JSON Patch in the body of a request.
func (c *call) patch() (*patches, error) {
	data, err := c.read()
	if err != nil {
		return nil, err
	}
	var operations []json.RawMessage
	if err := c.decodeText(data, &operations); err != nil {
		return nil, err
	}
	p := &patches{}
	if p.patch, err = jsonpatch.DecodePatch(data); err != nil {
		return nil, badSyntax.with("The body is no JSON Patch: " + err.Error())
	}
	return p, nil
}

// of returns an object as it is after the patch. An operation that cannot be carried out, a test among them, is a
// failure, and then none counts. Of an object without an owner a patch may set the members of one: the published API
// knows no such object, and clients replace /owner/id alone.
func (p *patches) of(before object) (object, error) {
	if owner, has := before["owner"]; has && owner == nil && p.sets("/owner/id") {
		before["owner"] = object{"type": "IDENTITY", "id": nil, "name": nil}
	}
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices, options.EscapeHTML = false, false
	options.AccumulatedCopySizeLimit = BodyMax
	text, err := p.patch.ApplyWithOptions(encode(before), options)
	if err != nil {
		return nil, illegalValue.with("The patch cannot be applied: " + err.Error())
	}
	after, err := membersOf(text)
	if err != nil || after == nil {
		return nil, illegalValue.with("The patch leaves no object behind.")
	}
	return after, nil
}

// sets reports whether an operation of the patch adds or replaces a member.
func (p *patches) sets(path string) bool {
	return slices.ContainsFunc(p.patch, func(o jsonpatch.Operation) bool {
		at, err := o.Path()
		return err == nil && at == path && (o.Kind() == "add" || o.Kind() == "replace")
	})
}

// lastParameter returns the name of the last parameter of the path.
func (c *call) lastParameter() string {
	all := inPath.FindAllStringSubmatch(c.operation.path, -1)
	if len(all) == 0 {
		panic("httpapi: " + c.operation.id + " has no parameter in its path")
	}
	return all[len(all)-1][1]
}

// idIn returns the ID in a parameter of the path. A name is none, though the engine takes both.
func (c *call) idIn(parameter string) (string, error) {
	id, known := knownID(c.PathValue(parameter))
	if !known {
		return "", noResource
	}
	return id, nil
}

// owners returns the names of the identities that own objects, by ID.
func owners(ctx context.Context, h *Handler, objects []engine.ConfigurationObject) (map[string]string, error) {
	var ids []string
	for i := range objects {
		var owned struct {
			Owner struct {
				ID string `json:"id"`
			} `json:"owner"`
		}
		if err := json.Unmarshal(objects[i].Object, &owned); err != nil {
			return nil, err
		}
		if id, known := knownID(owned.Owner.ID); known {
			ids = append(ids, id)
		}
	}
	return h.engine.IdentityNames(ctx, ids)
}

// ownerOf returns the owner of a document as it is published: its name is that which the identity has now. It is nil
// where the document names none.
func ownerOf(document object, names map[string]string) any {
	owner, ok := document["owner"].(object)
	if !ok {
		return nil
	}
	text, _ := owner["id"].(string)
	id, known := knownID(text)
	if !known {
		return object{"type": "IDENTITY", "id": owner["id"], "name": owner["name"]}
	}
	shape := object{"type": "IDENTITY", "id": id, "name": owner["name"]}
	if name, found := names[id]; found {
		shape["name"] = name
	}
	return shape
}

// knownID returns an ID in the form in which Muster gives it.
func knownID(text string) (id string, known bool) {
	parsed, known := store.IDOf(text)
	return parsed.String(), known
}
