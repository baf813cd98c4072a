package wire_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
	"github.com/muster-engine/muster/engine/right"
)

// The tests here need the published API's document, in MUSTER_CONTRACT_DIR.

// Whatever the own document has as an example for an operation satisfies the published document.
func TestContractExamples(t *testing.T) {
	t.Parallel()
	foreign, spec := wire.LoadPublished(t), own(t).Spec()
	seen := 0
	for key, theirs := range operations(foreign.Spec()) {
		mine := operations(spec)[key]
		for status := range theirs.Responses.Map() {
			e := example(t, "/beta", key, mine, status)
			if err := foreign.Verify(e.request, e.response); err != nil {
				t.Errorf("%s %s: %v", key, status, err)
			}
			seen++
		}
	}
	if seen < 11*8 {
		t.Errorf("only %d responses were checked", seen)
	}
}

func TestContractResponsesThatBreakIt(t *testing.T) {
	t.Parallel()
	foreign, spec := wire.LoadPublished(t), own(t).Spec()
	const get = "GET /identities/{id}"
	for name, spoil := range map[string]func(*http.Response){
		"no name":                        func(r *http.Response) { r.Body = text(`{"id": "1"}`) },
		"a null that is not published":   func(r *http.Response) { r.Body = text(`{"name": "A", "created": null}`) },
		"a status that is not published": func(r *http.Response) { r.StatusCode = http.StatusConflict },
	} {
		e := example(t, "/beta", get, operations(spec)[get], "200")
		if err := foreign.Verify(e.request, e.response); err != nil {
			t.Fatalf("the example: %v", err)
		}
		spoil(e.response)
		if err := foreign.Verify(e.request, e.response); err == nil {
			t.Errorf("%s: no fault was found", name)
		}
	}
	// It says nothing of what it does not have.
	e := example(t, "/v2026", get, operations(spec)[get], "200")
	e.response.StatusCode = http.StatusConflict
	if err := foreign.Verify(e.request, e.response); err != nil {
		t.Errorf("another version: %v", err)
	}
}

func TestContractOperations(t *testing.T) {
	t.Parallel()
	foreign, ours := operations(wire.LoadPublished(t).Spec()), operations(own(t).Spec())
	for key, theirs := range foreign {
		mine := ours[key]
		if mine == nil {
			t.Errorf("%s is missing", key)
			continue
		}
		if mine.OperationID != theirs.OperationID {
			t.Errorf("%s is %s, want %s", key, mine.OperationID, theirs.OperationID)
		}
		for status := range theirs.Responses.Map() {
			if mine.Responses.Value(status) == nil {
				t.Errorf("%s: the status %s is missing", key, status)
			}
		}
	}
	if len(foreign) != 11 {
		t.Errorf("the published document has %d operations, want 11", len(foreign))
	}
}

// extensions are parameters of our own.
var extensions = []string{"header Accept-Language", "header X-SailPoint-Experimental", "query after"}

func TestContractParameters(t *testing.T) {
	t.Parallel()
	foreign, ours := wire.LoadPublished(t).Spec(), own(t).Spec()
	for path, item := range foreign.Paths.Map() {
		for method := range item.Operations() {
			own := ours.Paths.Value(path)
			if own == nil || own.GetOperation(method) == nil {
				t.Errorf("%s %s is missing", method, path)
				continue
			}
			want, got := parameters(item, method), parameters(own, method)
			for _, name := range extensions {
				delete(got, name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s (-published +own):\n%s", method, path, diff)
			}
		}
	}
}

// parameters returns what the parameters of an operation demand, by their place and name.
func parameters(item *openapi3.PathItem, method string) map[string]string {
	all := map[string]string{}
	for _, ref := range slices.Concat(item.Parameters, item.GetOperation(method).Parameters) {
		p, s := ref.Value, ref.Value.Schema.Value
		format := s.Format
		if format == "uuid" {
			format = "" // its example is none
		}
		all[p.In+" "+p.Name] = fmt.Sprint("required ", p.Required, ", ", s.Type.Slice(), " ", format, ", of ", s.Enum,
			", default ", s.Default, ", from ", bound(s.Min), " to ", bound(s.Max))
	}
	return all
}

func bound(value *float64) string {
	if value == nil {
		return "any"
	}
	return fmt.Sprint(*value)
}

// Every member that is published is here too, is of the same type and has the same values. Where the published document
// has no null, there is none here.
func TestContractSchemas(t *testing.T) {
	t.Parallel()
	foreign, ours := operations(wire.LoadPublished(t).Spec()), operations(own(t).Spec())
	c := &comparison{t: t, nulls: map[string]bool{}, seen: map[string]bool{}}
	for key, theirs := range foreign {
		mine := ours[key]
		if mine == nil {
			t.Errorf("%s is missing", key)
			continue
		}
		for status, response := range theirs.Responses.Map() {
			place := key + " " + status
			documented := mine.Responses.Value(status)
			if documented == nil {
				t.Errorf("%s is missing", place)
				continue
			}
			c.contents(place, documented.Value.Content, response.Value.Content)
			for name := range response.Value.Headers {
				if documented.Value.Headers[name] == nil {
					t.Errorf("%s: the header %s is missing", place, name)
				}
			}
		}
		if (mine.RequestBody == nil) != (theirs.RequestBody == nil) {
			t.Errorf("%s: one has a body, the other has none", key)
		} else if mine.RequestBody != nil {
			c.contents(key+requestPlace, mine.RequestBody.Value.Content, theirs.RequestBody.Value.Content)
		}
	}
	if len(c.nulls) > 0 {
		t.Errorf("null here and not published: %v", slices.Sorted(maps.Keys(c.nulls)))
	}
	for _, name := range []string{"Identity", "RoleAssignmentDto", "TaskStatus", "ErrorResponseDto", "IdentitySyncJob"} {
		if !c.seen["#/components/schemas/"+name] {
			t.Errorf("%s was not compared", name)
		}
	}
}

// What is here of the operations beside those of identities is published under the same versions, with the same rights,
// and answers nothing that is not.
func TestContractNeighbours(t *testing.T) {
	t.Parallel()
	foreign, ours := wire.LoadNeighbours(t), own(t).Spec()
	all := operations(ours)
	seen := 0
	for key, theirs := range operations(foreign.Spec()) {
		mine := all[key]
		if mine == nil {
			continue
		}
		seen++
		if mine.OperationID != theirs.OperationID {
			t.Errorf("%s is %s, want %s", key, mine.OperationID, theirs.OperationID)
		}
		got := texts(mine.Extensions["x-versions"])
		if diff := cmp.Diff(texts(theirs.Extensions["x-versions"]), got); diff != "" {
			t.Errorf("%s: the versions (-published +own):\n%s", key, diff)
		}
		demandRights(t, key, theirs, right.Of(mine.OperationID).In(right.Since2024))
		for status := range mine.Responses.Map() {
			if theirs.Responses.Value(status) == nil {
				if !slices.Contains(anyServers, status) {
					t.Errorf("%s: %s is not published", key, status)
				}
				continue
			}
			e := example(t, "/v2025", key, mine, status)
			if err := foreign.Verify(e.request, e.response); err != nil {
				t.Errorf("%s %s: %v", key, status, err)
			}
		}
		_, path, _ := strings.Cut(key, " ")
		method, _, _ := strings.Cut(key, " ")
		want := parameters(foreign.Spec().Paths.Value(path), method)
		for name := range parameters(ours.Paths.Value(path), method) {
			if _, published := want[name]; !published && !slices.Contains(extensions, name) {
				t.Errorf("%s: the parameter %s is not published", key, name)
			}
			delete(want, name)
		}
		if len(want) > 0 {
			t.Errorf("%s: parameters that are missing: %v", key, want)
		}
	}
	identities := operations(wire.LoadPublished(t).Spec())
	for key, mine := range all {
		if mine.Extensions["x-versions"] == nil || strings.HasSuffix(mine.OperationID, "V1") ||
			strings.HasSuffix(mine.OperationID, "V2") || identities[key] != nil ||
			strings.Contains(key, "/task-status") {
			continue
		}
		if operations(foreign.Spec())[key] == nil && !slices.Contains(unpublished, key) {
			t.Errorf("%s is not published", key)
		}
	}
	if seen < 9 {
		t.Errorf("%d of the published operations are here, want 9 or more", seen)
	}
}

// anyServers are the statuses of any server, also where they are not published. That something is not there is one.
var anyServers = []string{"304", "404", "405", "413", "415", "501", "503"}

// unpublished are operations that clients call and no published document has.
var unpublished = []string{"GET /search", "POST /search/{index}",
	"POST /identity-profiles/{identity-profile-id}/refresh-identities"}

// The rights of the operations of identities are the published ones, where there are any.
func TestContractRights(t *testing.T) {
	t.Parallel()
	for key, theirs := range operations(wire.LoadPublished(t).Spec()) {
		grants := right.Of(theirs.OperationID).Grants
		if theirs.OperationID == "synchronizeAttributesForIdentity" {
			// Its application is only told in words.
			grants = slices.Clone(grants)
			grants[0].Levels = slices.DeleteFunc(slices.Clone(grants[0].Levels),
				func(l right.Level) bool { return l == right.API })
		}
		demandRights(t, key, theirs, grants)
	}
}

// demandRights holds grants against the scopes and the user levels of a published operation.
func demandRights(t *testing.T, key string, theirs *openapi3.Operation, grants []right.Grant) {
	t.Helper()
	user, application := []string{"sp:scopes:all"}, []string(nil) // the document's default
	if theirs.Security != nil {
		user = nil
		for _, requirement := range *theirs.Security {
			user = append(user, requirement["userAuth"]...)
			application = append(application, requirement["applicationAuth"]...)
		}
	}
	got := map[string]bool{}
	byApplication := false
	var levels []string
	for _, grant := range grants {
		for _, scope := range grant.Scopes {
			got[scope] = true
		}
		for _, level := range grant.Levels {
			if level == right.API {
				byApplication = true
			} else if !slices.Contains(levels, string(level)) {
				levels = append(levels, string(level))
			}
		}
	}
	slices.Sort(user)
	if diff := cmp.Diff(user, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("%s: the scopes (-published +own):\n%s", key, diff)
	}
	if byApplication != (len(application) > 0) {
		t.Errorf("%s: applications may: %t, published is %t", key, byApplication, len(application) > 0)
	}
	published := slices.DeleteFunc(texts(theirs.Extensions["x-sailpoint-userLevels"]),
		func(level string) bool { return level == string(right.API) }) // told by the application's scopes
	if slices.Equal(published, []string{"Any"}) {
		published = []string{string(right.User)}
	}
	if len(published) > 0 {
		if diff := cmp.Diff(slices.Sorted(slices.Values(published)), slices.Sorted(slices.Values(levels))); diff != "" {
			t.Errorf("%s: the levels (-published +own):\n%s", key, diff)
		}
	}
}

// texts returns an extension that is a list.
func texts(extension any) []string {
	list, _ := extension.([]any)
	var all []string
	for _, item := range list {
		all = append(all, fmt.Sprint(item))
	}
	return all
}

// requestPlace ends the place of what clients send.
const requestPlace = " request"

// comparison compares schemas with the published ones.
type comparison struct {
	t     *testing.T
	nulls map[string]bool // the members that are null here alone
	seen  map[string]bool
}

func (c *comparison) contents(place string, mine, theirs openapi3.Content) {
	for media, content := range theirs {
		if mine[media] == nil {
			c.t.Errorf("%s: %s is missing", place, media)
			continue
		}
		c.schema(place, "", mine[media].Schema, content.Schema)
	}
}

func (c *comparison) schema(place, member string, mineRef, theirsRef *openapi3.SchemaRef) {
	c.seen[mineRef.Ref] = true
	mine, theirs := mineRef.Value, theirsRef.Value
	for len(theirs.AllOf) == 1 { // a reference with a description beside it
		theirs = theirs.AllOf[0].Value
	}
	if theirs.Type != nil && !cmp.Equal(mine.Type.Slice(), theirs.Type.Slice()) {
		c.t.Errorf("%s: %s is of the type %v, want %v", place, member, mine.Type.Slice(), theirs.Type.Slice())
	}
	if len(theirs.Enum) > 0 && !cmp.Equal(mine.Enum, theirs.Enum) {
		c.t.Errorf("%s: %s is one of %v, want %v", place, member, mine.Enum, theirs.Enum)
	}
	if theirs.Format != mine.Format {
		c.t.Errorf("%s: %s has the format %q, want %q", place, member, mine.Format, theirs.Format)
	}
	if mine.Nullable && !theirs.Nullable {
		c.nulls[member] = true
	}
	if strings.HasSuffix(place, requestPlace) && theirs.Nullable && !mine.Nullable {
		c.t.Errorf("%s: %s may not be null", place, member)
	}
	for name, property := range theirs.Properties {
		if mine.Properties[name] == nil {
			c.t.Errorf("%s: %s has no member %s", place, member, name)
			continue
		}
		if slices.Contains(theirs.Required, name) && !slices.Contains(mine.Required, name) {
			c.t.Errorf("%s: %s need not have %s", place, member, name)
		}
		c.schema(place, join(member, name), mine.Properties[name], property)
	}
	c.alternatives(place, member, mine.OneOf, theirs.OneOf)
	if theirs.Items == nil {
		return
	}
	if len(theirs.Items.Value.AnyOf) == 2 && len(mine.Items.Value.AnyOf) == 0 {
		return // the parameters of a message, which are texts here
	}
	c.schema(place, member, mine.Items, theirs.Items)
	c.alternatives(place, member, mine.Items.Value.AnyOf, theirs.Items.Value.AnyOf)
}

func (c *comparison) alternatives(place, member string, mine, theirs openapi3.SchemaRefs) {
	if len(mine) != len(theirs) {
		c.t.Errorf("%s: %s has %d alternatives, want %d", place, member, len(mine), len(theirs))
		return
	}
	for i := range theirs {
		c.schema(place, member, mine[i], theirs[i])
	}
}

func join(place, name string) string {
	if place == "" {
		return name
	}
	return place + "/" + name
}
