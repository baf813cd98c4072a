package transform_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform"
)

// library has a saved transform, office, and a rule of the host's own, badge.
type library struct{}

func (library) Transform(name string) ([]byte, bool) {
	if name != "office" {
		return nil, false
	}
	return []byte(`{"name": "office", "type": "lookup", "attributes": {"table": {"AMS": "Amsterdam", "default": "Remote"},
		"input": {"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "site"}}}}`), true
}

func (library) Rule(name string) (transform.Rule, bool) {
	if name != "badge" {
		return nil, false
	}
	return func(in *transform.RuleInput) (attribute.Value, error) {
		return attribute.String("B-" + in.Value.Text()), nil
	}, true
}

func account() []transform.Account {
	set := new(attribute.Set)
	set.Put("site", attribute.String("AMS"))
	set.Put("number", attribute.String("4711"))
	set.Put("lastDay", attribute.String("2026-11-30"))
	return []transform.Account{{SourceName: "HR", ID: "1", NativeIdentity: "4711", Attributes: set}}
}

func ExampleCompile() {
	t, err := transform.Compile([]byte(`{"type": "static", "attributes": {
		"value": "$badge of $office",
		"office": {"type": "reference", "attributes": {"id": "office"}},
		"badge": {"type": "rule", "attributes": {"name": "badge", "input": {
			"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "number"}}}}}}`), library{})
	if err != nil {
		fmt.Println(err)
		return
	}
	value, err := t.Evaluate(&transform.Input{Accounts: account()})
	fmt.Println(value.Text(), err)
	// Output: B-4711 of Amsterdam <nil>
}

func ExampleCompile_faults() {
	_, err := transform.Compile([]byte(`{"type": "concat", "attributes": {"values": [
		{"type": "uper"}, {"type": "substring", "attributes": {"end": 3}}]}}`), library{})
	var faults *transform.CompileError
	if errors.As(err, &faults) {
		for _, f := range faults.Faults {
			fmt.Println(f)
		}
	}
	// Output:
	// attributes.values[0].type: unknown operation "uper"; did you mean "upper"?
	// attributes.values[1].attributes.begin: it is missing: substring needs it
}

// What somebody is by a date changes on that date, and the transform says when.
func ExampleTransform_EvaluateUntil() {
	t, err := transform.Compile([]byte(`{"type": "dateCompare", "attributes": {
		"firstDate": "now", "operator": "LT", "positiveCondition": "active", "negativeCondition": "left",
		"secondDate": {"type": "dateFormat", "attributes": {"inputFormat": "yyyy-MM-dd", "input": {
			"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "lastDay"}}}}}}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, time.November, 23, 8, 0, 0, 0, time.UTC)
	value, due, err := t.EvaluateUntil(&transform.Input{Accounts: account(), Now: now})
	fmt.Println(value.Text(), due.Format(time.RFC3339), err)
	// Output: active 2026-11-30T00:00:00Z <nil>
}

func ExampleTransform_Trace() {
	t, err := transform.Compile([]byte(`{"type": "upper", "attributes": {"input": {
		"type": "reference", "attributes": {"id": "office"}}}}`), library{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, steps, err := t.Trace(&transform.Input{Accounts: account()})
	for _, step := range steps {
		fmt.Printf("%*s%s = %s\n", 2*step.Depth, "", step.Operation, step.Value.Text())
	}
	fmt.Println(err)
	// Output:
	// upper = AMSTERDAM
	//   reference = Amsterdam
	//     lookup = Amsterdam
	//       accountAttribute = AMS
	// <nil>
}
