package transform_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/transform"
)

// A member that nothing reads is told, with what may be meant; what a template reads is a variable.
func TestUnreadMembers(t *testing.T) {
	t.Parallel()
	for definition, want := range map[string][]transform.Unread{
		`{"type": "lower", "attributes": {"inptu": {"type": "uuid"}}}`:                                                                           {{Path: "attributes.inptu", Variable: true, Meant: "input"}},
		`{"type": "static", "attributes": {"value": "$a$b", "a": "x", "b": {"type": "uuid"}, "c": "y"}}`:                                         {{Path: "attributes.c", Variable: true}},
		`{"type": "concat", "attributes": {"a": "x", "values": ["b", {"type": "static", "attributes": {"value": "$a"}}]}}`:                       nil,
		`{"type": "lower", "attributes": {"input": {"type": "trim", "attributex": {}, "note": 1}}}`:                                              {{Path: "attributes.input.attributex", Meant: "attributes"}, {Path: "attributes.input.note"}},
		`{"type": "rule", "attributes": {"name": "Mine", "anything": {"x": 1}, "inputs": "y"}}`:                                                  nil,
		`{"type": "usernameGenerator", "attributes": {"patterns": ["$fn$ln", "$fn${uniqueCounter}"], "fn": "a", "ln": "b", "sourceChek": true}}`: {{Path: "attributes.sourceChek", Variable: true, Meant: "sourceCheck"}},
		`{"type": "lower", "attributes": {"input": {"type": "reference", "attributes": {"id": "T", "x": "y"}}}}`:                                 {{Path: "attributes.input.attributes.x", Variable: true}},
		`{"type": "nothing", "attributex": 1}`: nil,
		`[]`:                                   nil,
	} {
		if diff := cmp.Diff(want, transform.UnreadMembers([]byte(definition))); diff != "" {
			t.Errorf("%s: %s", definition, diff)
		}
	}
}

// Every operation tells its attributes, without a value of them.
func TestAttributes(t *testing.T) {
	t.Parallel()
	for _, operation := range transform.Operations() {
		names := transform.Attributes(operation)
		if !slices.Contains(names, "input") || !slices.IsSorted(names) {
			t.Errorf("%s: %q", operation, names)
		}
		t.Log(operation, names)
	}
	if names := transform.Attributes("nothing"); names != nil {
		t.Errorf("got %q, want none", names)
	}
	if names := transform.Attributes("substring"); !slices.Contains(names, "begin") || !slices.Contains(names, "endOffset") {
		t.Errorf("substring: %q", names)
	}
}
