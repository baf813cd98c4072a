package velocity

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The first and the last of what is allowed are allowed.
func TestRenderAtBounds(t *testing.T) {
	for _, test := range []struct{ rule, template, want string }{
		{"a position of an added element may be the end", "#set($l = ['a'])#set($v = $l.add(1, 'b'))$l", "[a, b]"},
		{"adding nothing changes no list", "#set($l = ['a'])$l.addAll([]) $l.addAll(['b'])", "false true"},
		{"what is wanted may be first", "#set($m = {'a': 1})$m.containsValue(1) $list.contains('a')", "true true"},
		{"a part may be empty, begin at 0 and reach the end", "$list.subList(1, 1) $list.subList(0, 3)", "[] [a, b, c]"},
		{"an index counts from both ends", "$list[2] $list[-3] $first[0] $first[2]", "c a A n"},
		{"a text may be empty and reach the end", "[$first.substring(1, 1)$first.substring(3)] $first.substring(0, 3)", "[] Ann"},
		{"a search may begin at either end", "$first.startsWith('A', 0) $first.startsWith('', 3) $first.startsWith('', 4) $first.lastIndexOf('A', 0) $first.indexOf('A', 0)", "true true false 0 0"},
		{"repeating no time gives an empty text", "[$first.repeat(0)]", "[]"},
		{"a blank is trimmed, and so is what is before it", "#set($t = ' \ta ')[$t.trim()]", "[a]"},
		{"bases are from 2 to 36", "$n.parseInt('11', 2) $n.parseInt('z', 36)", "3 35"},
		{"a negative number of 32 bits has 32 bits, one below 64", "$n.toHexString(-2147483648) $n.toHexString(-2147483649) $n.toHexString(0)", "80000000 ffffffff7fffffff 0"},
		{"every code point is a character", "$n.format('[%c%c]', 1114111, 0)", "[\U0010FFFF\x00]"},
		{"a comma stands between thousands only", "$n.format('%,d %,d %,d', 123, 123456, 1234567)", "123 123,456 1,234,567"},
		{"a fraction is less or greater", "$n.compare(1.5, 2) $n.compare(2.5, 2) $n.compare(1.5, 1.5)", "-1 1 0"},
		{"fractions add and multiply", "#set($x = 1.5 + 2)#set($y = 1.5 * 2)$x $y", "3.5 3"},
		{"equal numbers are neither less nor greater", "#if(2 < 2)a#end#if(2 > 2)b#end#if(2 <= 2)c#end#if(2 >= 2)d#end#if(1<2)e#end#if(2>1)f#end", "cdef"},
		{"a range may be far out, go down, and have one element", "#foreach($x in [60000..60001])$x #end#foreach($x in [3..3])$x #end#foreach($x in [2..1])$x #end", "60000 60001 3 2 1 "},
		{"a range ends at 32 bits", "#foreach($x in [2147483647..2147483647])$x#end#foreach($x in [-2147483648..-2147483648])$x#end", "2147483647-2147483648"},
		{"a loop knows its ends", "#foreach($x in $list)$x$foreach.first$foreach.last #end", "atruefalse bfalsefalse cfalsetrue "},
		{"an empty loop changes no variable", "#set($x = 'a')#foreach($x in [])#end$x", "a"},
		{"what stands side by side is not nested", strings.Repeat("#if(true)a#end", DepthMax+1), strings.Repeat("a", DepthMax+1)},
		{"fifty levels are allowed", strings.Repeat("#if(true)", DepthMax-1) + "a" + strings.Repeat("#end", DepthMax-1), "a"},
	} {
		t.Run(test.rule, func(t *testing.T) { demandRendered(t, test.template, test.want) })
	}
}

// Names have letters, digits and underscores.
func TestNameOfVariable(t *testing.T) {
	template, err := Parse("$azAZ_09.")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := template.Render(variables{"azAZ_09": "x"}, 10, nil); err != nil || got != "x." {
		t.Errorf("got %q %v, want x.", got, err)
	}
}

// What a template makes on its way may be as long as its text, and no longer.
func TestLimitOfTexts(t *testing.T) {
	for template, length := range map[string]int{
		"$first$last":                                        len("AnnBäker"),
		"$first.replace('n', 'mm').length()":                 len("Ammmm"),
		"$first.repeat(2).length()":                          len("AnnAnn"),
		"$empty.concat('a').repeat(6).length()":              6,
		"#set($x = $first + 'e')$x.length()":                 len("Anne"),
		"#set($x = $n.format('%s%s', 'ab', 'c'))$x.length()": len("abc"),
		"#set($x = $n.join(',', 'a', 'b'))$x.length()":       len("a,b"),
	} {
		parsed, err := Parse(template)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Render(context, length, nil); err != nil {
			t.Errorf("%s in %d bytes: %v", template, length, err)
		}
		if text, err := parsed.Render(context, length-1, nil); !errors.Is(err, ErrTooLong) {
			t.Errorf("%s in %d bytes: %q %v, want %v", template, length-1, text, err, ErrTooLong)
		}
	}
}

// The last allowed step is taken, of one rendering and of all that share a budget.
func TestLimitOfSteps(t *testing.T) {
	r := newRenderer(context, 10, nil)
	if err := r.spend(StepsMax); err != nil {
		t.Error(err)
	}
	if err := r.step(); !errors.Is(err, ErrTooManySteps) {
		t.Errorf("got %v, want %v", err, ErrTooManySteps)
	}
	r = newRenderer(context, 10, &Budget{steps: BudgetStepsMax - 1})
	if err := r.step(); err != nil {
		t.Error(err)
	}
	if err := r.step(); !errors.Is(err, ErrBudget) {
		t.Errorf("got %v, want %v", err, ErrBudget)
	}
}

// The work of a template counts: what it reads by the hundred bytes and by the element, and a regular expression by
// itself.
func TestSteps(t *testing.T) {
	with := variables{"short": "a", "long": strings.Repeat("a", 500), "n": int64(7)}
	keys := make([]string, 20)
	for i := range keys {
		keys[i] = fmt.Sprintf("'k%d': 1", i)
	}
	const list20, list520 = "#set($l = [1..20])", "#set($l = [1..520])"
	for _, test := range []struct {
		rule, less, more string
		difference       int
	}{
		{"a text is read and written", "$short", "$long", 5 + 5 + 5},
		{"a longer range", "#set($l = [1..10])", "#set($l = [1..20])", 10},
		{"a range that goes down", "#set($l = [10..20])", "#set($l = [20..10])", 0},
		{"a key is read as a text and in its map", "#set($m = {$short: 1})", "#set($m = {$long: 1})", 5 + 5 + 5},
		{"keys are elements", "#set($m = {'a': 1})", "#set($m = {'a': 1, 'b': 2})", 1},
		{"an entry is its key and its value", "#set($m = {$short: 1})#foreach($e in $m.entrySet())$e#end",
			"#set($m = {$long: 1})#foreach($e in $m.entrySet())$e#end", 3*5 + 5 + 5},
		{"a changed map is copied", "#set($m = {})#set($v = $m.clear())",
			"#set($m = {" + strings.Join(keys, ",") + "})#set($v = $m.clear())", 20 + 2},
		{"a regular expression", "#if($short.contains('x'))#end", "#if($short.matches('x'))#end", regexpSteps},
		{"a regular expression reads the text", "#if($short.matches('x'))#end", "#if($long.matches('x'))#end", 5 + 5},
		{"a changed list is copied", list20 + "#set($v = $l.clear())", list520 + "#set($v = $l.clear())", 500 + 5},
		{"a format reads its pattern", "#set($x = $n.format($short))", "#set($x = $n.format($long))", 5 + 5 + 5},
	} {
		var steps [2]int
		for i, source := range []string{test.less, test.more} {
			template, err := Parse(source)
			if err != nil {
				t.Fatalf("%s: %v", test.rule, err)
			}
			var budget Budget
			if _, err := template.Render(with, 10_000, &budget); err != nil {
				t.Fatalf("%s: %v", test.rule, err)
			}
			steps[i] = budget.steps
		}
		if got := steps[1] - steps[0]; got != test.difference {
			t.Errorf("%s: %d steps more, want %d", test.rule, got, test.difference)
		}
	}
}

func TestFaultsAtBounds(t *testing.T) {
	demandFault := func(source, want string) {
		t.Helper()
		template, err := Parse(source)
		if err == nil {
			_, err = template.Render(context, 1000, nil)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", source, err, want)
		}
	}
	// An operator that is a word ends where a name would.
	for _, next := range "azAZ09_" {
		demandFault("#if($n eq"+string(next)+")b#end", ") is expected")
	}
	for source, want := range map[string]string{
		"#if($yes andx)b#end":                 ") is expected",
		"#if(truex)b#end":                     `"t" begins no expression`,
		"#if(true":                            ") is expected",
		"#if($n eq":                           "an expression is expected, the template ends",
		"#if($ == 1)b#end":                    "$ is followed by a name",
		"#set($x = 1.":                        ") is expected",
		`#set($x = "$first#end")`:             "#end belongs to no #if or #foreach",
		"#foreach($x in $list)#end#break":     "#break stands in no #foreach",
		strings.Repeat("#if(true)", DepthMax): "it is nested deeper than 50",
		"$list[3]":                            "the list has no element [3]: it has 3",
		"$list[-4]":                           "the list has no element [-4]: it has 3",
		"$list.subList(0, 4)":                 "the list has no such part: it has 3 elements",
		"$n.parseInt('1', 1)":                 "argument 2 of parseInt is a base from 2 to 36",
		"$n.parseInt('1', 37)":                "argument 2 of parseInt is a base from 2 to 36",
		"#set($f = 9223372036854775808.0)$f.longValue()": "the number is too large",
		"#foreach($x in [2147483648..2147483648])#end":   ErrTooManySteps.Error(),
	} {
		demandFault(source, want)
	}
}

func TestLongestTemplate(t *testing.T) {
	if _, err := Parse(strings.Repeat("a", TextMax)); err != nil {
		t.Error(err)
	}
}

// A backslash at the end is a backslash, also for a reader after this one.
func TestBackslashAtTheEnd(t *testing.T) {
	for _, parse := range []func(string) (*Template, error){Parse, ParseEscaped} {
		template, err := parse(`a\`)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Render(context, 10, nil); err != nil || got != `a\` {
			t.Errorf(`got %q %v, want a\`, got, err)
		}
	}
}

func TestIsPlain(t *testing.T) {
	for source, want := range map[string]bool{
		"": true, "text": true, "$first ${last}!": true, "$first.length()": false, "#if($yes)a#end": false,
	} {
		template, err := Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if got := template.IsPlain(); got != want {
			t.Errorf("%q: got %v, want %v", source, got, want)
		}
	}
}
