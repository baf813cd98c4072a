package transform

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
)

// The first and the last of what is allowed are allowed.
func TestEvaluateAtBounds(t *testing.T) {
	t.Parallel()
	const utility = `{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": `
	format := func(from, to, input string) string {
		return fmt.Sprintf(`{"type": "dateFormat", "attributes": {"inputFormat": %q, "outputFormat": %q, "input": %q}}`, from, to, input)
	}
	math := func(expression, input string) string {
		return fmt.Sprintf(`{"type": "dateMath", "attributes": {"expression": %q, "input": %q}}`, expression, input)
	}
	random := func(length string) string {
		return fmt.Sprintf(`{"type": "substring", "attributes": {"begin": 0, "end": 0, "input": {"type": "randomNumeric",
			"attributes": {"length": "$n", "n": %q}}}}`, length)
	}
	for _, test := range []struct{ rule, definition, want string }{
		{"base64 may be on several lines", `{"type": "base64Decode", "attributes": {"input": "R3LD\tvMOf\r\n ZQ=="}}`, `"Grüße"`},
		{"the first mark", `{"type": "decomposeDiacriticalMarks", "attributes": {"input": "è"}}`, `"e"`},
		{"the last mark", `{"type": "decomposeDiacriticalMarks", "attributes": {"input": "x\u036f\u0370"}}`, `"xͰ"`},
		{"the first part", `{"type": "split", "attributes": {"delimiter": ",", "index": 0, "input": "a,b"}}`, `"a"`},
		{"the last part", `{"type": "split", "attributes": {"delimiter": ",", "index": 1, "input": "a,b"}}`, `"b"`},
		{"the whole text is its end", utility + `"getEndOfString", "numChars": 4, "input": "abcd"}}`, `"abcd"`},
		{"a text that is too short has no such end", utility + `"getEndOfString", "numChars": 5, "input": "abcd"}}`, `null`},
		{"a length of 1", random("1"), `""`},
		{"a length of 450", random("450"), `""`},
		{"no length of 0", random("0"), `ERR attributes.input: randomNumeric: length is no whole number from 1 to 450`},
		{"no length of 451", random("451"), `ERR attributes.input: randomNumeric: length is no whole number from 1 to 450`},
		{"a method of an attribute with z", staticOf("$identity.getZone()"), `"CET"`},
		{"a number is a number in a template", staticOf("#if($identity.level > 9)high#{else}low#end $identity.price"), `"high 1.50"`},
		{"equal dates are not earlier", compare(`"2026-01-01T00:00:00.000Z"`, "LT", `"2026-01-01T00:00:00.000Z"`), `"no"`},
		{"equal dates are not later", compare(`"2026-01-01T00:00:00.000Z"`, "GT", `"2026-01-01T00:00:00.000Z"`), `"no"`},
		{"the year 1", math("-1y", "0002-03-04T00:00:00.000Z"), `"0001-03-06T00:00"`}, // the Julian calendar
		{"the year 9999", math("+1y", "9998-03-04T00:00:00.000Z"), `"9999-03-04T00:00"`},
		{"a date of 40 characters", math("+1d", "2023-11-09T01:02:03."+strings.Repeat("0", 19)+"Z"), `"2023-11-10T01:02"`},
		{"no date of 41 characters", math("+1d", "2023-11-09T01:02:03."+strings.Repeat("0", 20)+"Z"),
			`ERR dateMath: it is not a date in ISO 8601: want yyyy-MM-dd'T'HH:mm:ss.SSSZ`},
		{"100 ns since 1601", format("EPOCH_TIME_WIN32", "ISO8601", "116444736000020000"), `"1970-01-01T00:00:00.002Z"`},
		{"the largest count", format("EPOCH_TIME_WIN32", "EPOCH_TIME_JAVA", "4000000000000000000"), `"388355526400000"`},
		{"the least count", format("EPOCH_TIME_WIN32", "EPOCH_TIME_JAVA", "-4000000000000000000"), `"-411644473600000"`},
		{"the largest count that is written", format("EPOCH_TIME_JAVA", "EPOCH_TIME_WIN32", "388355526400000"), `"4000000000000000000"`},
		{"the least count that is written", format("EPOCH_TIME_JAVA", "EPOCH_TIME_WIN32", "-411644473600000"), `"-4000000000000000000"`},
		{"a list of lists for a rule", `{"type": "rule", "attributes": {"name": "echo", "suffix": [["a"]]}}`, `"input/[[\"a\"]]"`},
		{"a list of objects for a rule", `{"type": "rule", "attributes": {"name": "echo", "suffix": [{"a": 1}]}}`, `"input/[{\"a\":1}]"`},
	} {
		in := testInput()
		in.Identity.Attributes.Put("zone", attribute.String("CET"))
		in.Identity.Attributes.Put("level", attribute.Int(10))
		price, err := attribute.Number("1.50")
		if err != nil {
			t.Fatal(err)
		}
		in.Identity.Attributes.Put("price", price)
		if got := evaluate(t, test.definition, in); got != test.want {
			t.Errorf("%s: %s gives %s, want %s", test.rule, test.definition, got, test.want)
		}
	}
	for _, count := range []string{"4000000000000000001", "-4000000000000000001"} {
		if got := evaluate(t, format("EPOCH_TIME_WIN32", "EPOCH_TIME_JAVA", count), testInput()); !strings.Contains(got, "want the number of units") {
			t.Errorf("the count %s gives %s", count, got)
		}
	}
	for _, ms := range []string{"388355526401000", "-411644473601000"} {
		if got := evaluate(t, format("EPOCH_TIME_JAVA", "EPOCH_TIME_WIN32", ms), testInput()); !strings.Contains(got, "is too large") {
			t.Errorf("the time %s gives %s", ms, got)
		}
	}
}

func TestCompileAtBounds(t *testing.T) {
	t.Parallel()
	nested := func(n int) string {
		return strings.Repeat(`{"type": "lower", "attributes": {"input": `, n-1) + `{"type": "lower"}` + strings.Repeat(`}}`, n-1)
	}
	brackets := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	long := `{"type": "lower"}` + strings.Repeat(" ", DefinitionMax-len(`{"type": "lower"}`))
	for definition, want := range map[string]string{
		nested(DepthMax):              "",
		nested(DepthMax + 1):          "transforms are nested deeper than 100",
		long:                          "",
		brackets(4*DepthMax + 1):      "a transform is an object",
		brackets(4*DepthMax + 2):      "it is nested too deep",
		strings.Repeat(`{"a":`, 5000): "it is nested too deep",
		`{"type": "static", "attributes": {"value": ["a", {"type": "uuid"}]}}`:                                         "attributes.value[1]: it is an object, a text is expected",
		`{"type": "static", "attributes": {"value": [["a"]]}}`:                                                         "attributes.value[0]: it is an array, a text is expected",
		`{"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": ""}}`:                        "attributes.attributeName: it is empty",
		`{"type": "dateMath", "attributes": {"expression": " "}}`:                                                      "attributes.expression: it does nothing: an example is now-5d/d",
		`{"type": "dateMath", "attributes": {"expression": ""}}`:                                                       "attributes.expression: it is empty",
		`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEndOfString"}}`: "attributes.numChars: a whole number from 0 to 262144 is expected",
	} {
		_, err := Compile([]byte(definition), library)
		var fault *CompileError
		switch {
		case want == "" && err != nil:
			t.Errorf("%.60s: %v", definition, err)
		case want != "" && (!errors.As(err, &fault) || len(fault.Faults) != 1 || !strings.Contains(err.Error(), want)):
			t.Errorf("%.60s: %v, want only %s", definition, err, want)
		}
	}
	for flag, want := range map[string]bool{`true`: true, `"true"`: true, `false`: false, `"false"`: false, `null`: false} {
		compiled, err := Compile([]byte(`{"type": "lower", "requiresPeriodicRefresh": `+flag+`}`), nil)
		if err != nil || compiled.RequiresPeriodicRefresh() != want {
			t.Errorf("requiresPeriodicRefresh %s: %v, want %v", flag, err, want)
		}
	}
}

func TestFieldAtBounds(t *testing.T) {
	t.Parallel()
	for _, checks := range []string{"1", `"50"`} {
		f, err := CompileField([]byte(`{"name": "a", "type": "int", "isRequired": "true", "isMultiValued": true,
			"attributes": {"cloudMaxUniqueChecks": `+checks+`}}`), nil)
		if err != nil || f.Type != "int" || !f.Required || !f.Multi {
			t.Errorf("%s checks: got %+v %v, want an int that is required and multi-valued", checks, f, err)
		}
	}
	if _, err := CompileField([]byte(`{"name": "a", "attributes": {"cloudMaxUniqueChecks": 0}}`), nil); err == nil {
		t.Error("no check at all is no fault")
	}
	f, err := CompileField([]byte(`{"name": "a", "type": 5, "isRequired": "yes"}`), nil)
	if err != nil || f.Type != "string" || f.Required {
		t.Errorf("got %+v %v, want a text that is not required", f, err)
	}
}

// A value may be as long as the limit, and an evaluation may take all its steps.
func TestEvaluationAtLimits(t *testing.T) {
	t.Parallel()
	in := testInput()
	in.Variables = map[string]attribute.Value{"current": attribute.String(strings.Repeat("a", ValueMax/2))}
	for more, want := range map[string]int{``: ValueMax, `, "b"`: 0} {
		compiled, err := Compile([]byte(`{"type": "concat", "attributes": {"values": ["$current", "$current"`+more+`]}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		value, err := compiled.Evaluate(in)
		if len(value.Text()) != want || (want == 0) != errors.Is(err, ErrTooLong) {
			t.Errorf("got %d bytes and %v, want %d", len(value.Text()), err, want)
		}
	}
	pad := `{"type": "leftPad", "attributes": {"length": 65536, "input": "x"}}`
	if got := evaluate(t, pad, testInput()); len(got) != padMax+2 {
		t.Errorf("a filled text has %d bytes, want %d", len(got)-2, padMax)
	}
	for count, want := range map[int]error{StepsMax - 1: nil, StepsMax: ErrTooManySteps} {
		parts := strings.TrimSuffix(strings.Repeat(`{"type":"trim"},`, count), ",")
		compiled, err := Compile([]byte(`{"type": "concat", "attributes": {"values": [`+parts+`]}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := compiled.Evaluate(testInput()); !errors.Is(err, want) {
			t.Errorf("%d steps: %v, want %v", count+1, err, want)
		}
	}
	compiled, err := Compile([]byte(`{"type": "trim"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for depth, want := range map[int]error{evaluationDepthMax - 1: nil, evaluationDepthMax: ErrTooManySteps} {
		e := evaluation{in: testInput(), depth: depth}
		if _, err := compiled.root.eval(&e, e.in.Value); !errors.Is(err, want) || e.depth != depth {
			t.Errorf("at the depth %d: %v, and then the depth %d; want %v", depth, err, e.depth, want)
		}
	}
	if got := size(attribute.List([]string{"ab", "c"})); got != 5 {
		t.Errorf("a list of 3 bytes has the size %d, want 5: each element takes one more", got)
	}
}

// Numbers of up to 40 characters are compared by value, longer ones as texts.
func TestCompareNumbers(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"9", "10", -1},
		{strings.Repeat("0", 38) + "11", "10", 1},
		{"10", strings.Repeat("0", 38) + "11", -1},
		{strings.Repeat("0", 39) + "11", "10", -1},
		{"10", strings.Repeat("0", 39) + "11", 1},
	} {
		if got := compareNumbers(test.a, test.b); got != test.want {
			t.Errorf("%s and %s: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

// A number above 256 takes two bytes. What is too large is drawn again, and a source that ends is an error.
func TestDrawLarge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		source []byte
		n      int
		want   int
		ok     bool
	}{
		{[]byte{255}, 256, 255, true},
		{[]byte{1, 43}, 300, 299, true},
		{[]byte{1, 44, 0, 7}, 300, 7, true},
		{[]byte{4, 43}, 300, 43, true}, // the first number is from 0 to 1
		{[]byte{1, 0}, 257, 256, true},
		{[]byte{1}, 300, 0, false},
		{nil, 300, 0, false},
		{[]byte{255, 5}, 3, 2, true}, // 255 would make 0 more likely
	} {
		e := evaluation{in: &Input{Random: bytes.NewReader(test.source)}}
		if got, err := e.drawLarge(test.n); got != test.want || (err == nil) != test.ok {
			t.Errorf("%v for %d: got %d %v, want %d", test.source, test.n, got, err, test.want)
		}
	}
}

// Nobody knows where a kind of character is in a random string.
func TestGenerateRandomStringShuffles(t *testing.T) {
	t.Parallel()
	e := evaluation{in: testInput()}
	begins := map[bool]int{}
	for range 200 {
		text, err := e.generateRandomString(4, true, true)
		if err != nil {
			t.Fatal(err)
		}
		begins[strings.Contains(smalls, text[:1])]++
	}
	if begins[true] == 0 || begins[false] == 0 {
		t.Errorf("%d of 200 begin with a small letter", begins[true])
	}
}

// A name that is too long is cut before its count, and behind it if nothing is left before it.
func TestNameIsCut(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{"ab${uniqueCounter}c": "a1c", "a${uniqueCounter}bc": "a1b"} {
		in := testInput()
		in.Taken = func(c Candidate) (bool, error) { return !strings.Contains(c.Name, "1"), nil }
		definition := fmt.Sprintf(`{"type": "usernameGenerator", "attributes": {"patterns": [%q], "cloudMaxSize": 3}}`, pattern)
		if got := evaluate(t, definition, in); got != `"`+want+`"` {
			t.Errorf("%s gives %s, want %s", pattern, got, want)
		}
	}
}
