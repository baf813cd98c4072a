package connector_test

import (
	"fmt"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

func TestKindsAreComplete(t *testing.T) {
	seen := map[connector.Kind]bool{}
	for _, kind := range connector.Kinds() {
		if seen[kind] {
			t.Errorf("%s is listed twice", kind)
		}
		seen[kind] = true
		if parsed, err := connector.ParseKind(string(kind)); parsed != kind || err != nil {
			t.Errorf("ParseKind(%q) = %q, %v", kind, parsed, err)
		}
		if kind.Effect() == 0 || kind.Target() == 0 {
			t.Errorf("%s has the effect %d and the target %d: both must be given", kind, kind.Effect(), kind.Target())
		}
		creates, deletes := kind.Effect() == connector.Creates, kind.Effect() == connector.Deletes
		if creates != (kind.Target() == connector.TargetCreation) || deletes != (kind.Target() == connector.TargetAccount) {
			t.Errorf("%s has the effect %d, to which the target %d does not belong", kind, kind.Effect(), kind.Target())
		}
	}
	if len(seen) != 9 {
		t.Errorf("there are %d kinds, want 9: give a new one its case in TestAppliedKnowsEveryKind", len(seen))
	}
}

func TestAppliedKnowsEveryKind(t *testing.T) {
	want := map[connector.Kind]string{
		connector.Create:        `{"groups":["b"]}`,
		connector.SetAttributes: `{"groups":["b"]}`,
		connector.AddValues:     `{"groups":["a","b"]}`,
		connector.RemoveValues:  `{"groups":["a"]}`,
		connector.Enable:        `{"groups":["b"]}`,
		connector.Disable:       `{"groups":["b"]}`,
		connector.Unlock:        `{"groups":["b"]}`,
		connector.Delete:        `{"groups":["b"]}`,
		connector.SetPassword:   `{"groups":["b"]}`,
	}
	before := attribute.SetOf(map[string]attribute.Value{"groups": attribute.List([]string{"a"})})
	for _, kind := range connector.Kinds() {
		after := connector.Applied(&before, &connector.Operation{Kind: kind,
			Attributes: attribute.SetOf(map[string]attribute.Value{"groups": attribute.List([]string{"b"})})}, nil)
		if got := string(after.AppendJSON(nil)); got != want[kind] {
			t.Errorf("%s: %s, want %s", kind, got, want[kind])
		}
	}
}

func TestUnknownKindIsNeverSilent(t *testing.T) {
	const unknown = connector.Kind("PAINT")
	if kind, err := connector.ParseKind(string(unknown)); kind != "" || err == nil {
		t.Errorf("ParseKind(%q) = %q, %v, want an error", unknown, kind, err)
	}
	if _, err := connector.ParseKind(""); err == nil {
		t.Error(`ParseKind("") succeeds`)
	}
	for name, ask := range map[string]func(){
		"Effect":  func() { unknown.Effect() },
		"Target":  func() { unknown.Target() },
		"Applied": func() { connector.Applied(new(attribute.Set), &connector.Operation{Kind: unknown}, nil) },
	} {
		if !panics(ask) {
			t.Errorf("%s answers for the kind %s", name, unknown)
		}
	}
}

func panics(do func()) (panicked bool) {
	defer func() { panicked = fmt.Sprint(recover()) != "<nil>" }()
	do()
	return false
}
