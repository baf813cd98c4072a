package velocity

import (
	"errors"
	"strings"
	"testing"
)

// person is an object of the tests.
type person struct{ name string }

func (p person) String() string { return "person" }
func (p person) Kind() string   { return "a person" }

func (p person) Call(name string, arguments []any, _ bool) (any, bool, error) {
	switch name {
	case "name", "getName":
		return p.name, true, nil
	case "nothing", "getNothing":
		return nil, true, nil
	case "getAttribute":
		if len(arguments) == 1 && arguments[0] == "dept" {
			return "Sales", true, nil
		}
		return nil, true, nil
	case "getBoss":
		return person{"Bo"}, true, nil
	}
	return nil, false, nil
}

type variables map[string]any

func (v variables) Variable(name string) (any, bool, error) {
	value, ok := v[name]
	return value, ok, nil
}

var context = variables{
	"first": "Ann", "last": "Bäker", "empty": "", "none": nil, "yes": true, "no": false, "n": int64(7), "text7": "7",
	"list": []any{"a", "b", "c"}, "p": person{"Ann B"}, "user-id": "u1",
}

// demandRendered fails where a template does not give a text.
func demandRendered(t *testing.T, source, want string) {
	t.Helper()
	template, err := Parse(source)
	if err != nil {
		t.Errorf("%q: %v", source, err)
		return
	}
	if got, err := template.Render(context, 1000, nil); err != nil || got != want {
		t.Errorf("%q gives %q %v, want %q", source, got, err, want)
	}
}

func TestRender(t *testing.T) {
	for _, test := range []struct{ template, want string }{
		{"", ""},
		{"plain text", "plain text"},
		{"$first $last", "Ann Bäker"},
		{"$first.$last", "Ann.Bäker"},
		{"$first-$last", "Ann-Bäker"},
		{"${first}x${last}.", "AnnxBäker."},
		{"Hello $first.", "Hello Ann."},
		{"${user-id}", "u1"},
		{"[$!unknown$!{unknown}$!none$!p.nothing]", "[]"},
		{"5$ a $5 $$first $", "5$ a $5 $Ann $"},
		{`\$first \# \x \\`, `$first # \x \\`},
		{"a # b #c #", "a # b #c #"},
		{"a## comment\nb#* c *#d", "ab" + "d"},
		{"#[[$first #if]]#", "$first #if"},
		{"$p.name $p.getName() $p.getBoss().name $p.getAttribute('dept')", "Ann B Ann B Bo Sales"},
		{"$list[1] $list.get(0) $list.size() $list[-1] $list", "b a 3 c [a, b, c]"},
		{"$first.toLowerCase() ${last.toUpperCase()}", "ann BÄKER"},
		{"$last.substring(1) $last.substring(0,2) $last.length() $last.indexOf('k') $last.charAt(1)", "äker Bä 5 2 ä"},
		{"$first.replace('n','m') $first.replaceAll('n+$','') $first.replaceFirst('n','N') $first.contains('nn')", "Amm A ANn true"},
		{"$first.equals('Ann') $first.equalsIgnoreCase('ANN') $first.startsWith('A') $first.endsWith('x') $first.isEmpty()", "true true true false false"},
		{"$first.split('n')[0] $first.concat('e').trim() $first.compareTo('Ann') $first.matches('[A-Z].*')", "A Anne 0 true"},
		{"$first.capitalize() $first.repeat(2) $last.lastIndexOf('r') $first.indexOf('n', 2) $first.indexOf('z', 9)", "Ann AnnAnn 4 2 -1"},

		{"#if($yes)a#end", "a"},
		{"#if($no)a#{else}b#end", "b"},
		{"#if($no)a#elseb#end", "b"},
		{"#if($none)a#elseif($empty)b#else c#end", "b"},
		{"#if($first == 'Ann' && $n > 5)a#elseif(true)b#end", "a"},
		{"#if($first=='Bo'||!$yes)a#{elseif}($n le 7 and not $no)b#{end}", "b"},
		{"#if($none == $null && $first != $null)a#end", "a"},
		{"#if($n == $text7)a#end#if($n != 7.0)b#end#if($text7 >= 7)c#end", "ac"},
		{"#if(($no || $yes) && ($n % 2) == 1)odd#end", "odd"},
		{"#if($first.length() == 3 && $list.contains('b'))a#end", "a"},
		{"#if($no)#if($yes)a#end#{else}#if($yes)b#end#end", "b"},
		{"#iffy #x", "#iffy #x"},

		{"#set($x = 'a')$x", "a"},
		{"#set($x = \"$first-$!x\")$x", "Ann-"},
		{"#set( $x = $n + 1 * 2 )$x #set($x = $x - 10)$x #set($x = -$x)$x", "9 -1 1"},
		{"#set($x = 'a' + 1 + $first)$x #set($y = 7 / 2)$y #set($y = 7.0 / 2)$y", "a1Ann 3 3.5"},
		{"#set($x = 'it''s')$x #set($y = \"say \"\"$first\"\"\")$y", "it's say \"Ann\""},
		{"#set($first = $none)$first", "Ann"},
		{"#set($l = ['a', $first, 3])$l.size() $l[1]", "3 Ann"},

		{"#foreach($x in $list)$x#if($foreach.hasNext),#end#end", "a,b,c"},
		{"#foreach($x in $list)$foreach.index$foreach.count$velocityCount$x #end|$!x", "011a 122b 233c |"},
		{"#foreach($x in [1..3])$x#end#foreach($x in [2..0])$x#end#foreach($x in [])z#end", "123210"},
		{"#foreach($x in $list)#if($x == 'b')#break#end$x#end!", "a!"},
		{"#foreach($x in $list)#foreach($y in [1..2])$x$y$foreach.index#end$foreach.index;#end", "a10a210;b10b211;c10c212;"},
		{"#foreach($x in $none)a#end", ""},

		{"#if($yes)\n  a\n#else\n  b\n#end\nc", "  a\nc"},
		{"#set($x = 1)\n$x", "1"},
		{"  #foreach($x in [1..2])\n$x\n  #end\n.", "1\n2\n."},
	} {
		demandRendered(t, test.template, test.want)
	}
}

// TestMethods says what the methods of Java's classes give that templates call.
func TestMethods(t *testing.T) {
	for _, test := range []struct{ template, want string }{
		{"#set($Integer = 0)#set($x = $Integer.parseInt('041') + 1)$x", "42"},
		{"#set($Integer = 0)$Integer.parseInt('-7') $Integer.valueOf('8') $Integer.parseInt('ff', 16)", "-7 8 255"},
		{"#set($Long = 0)$Long.parseLong('3000000000') $Long.toString(5)", "3000000000 5"},
		{"#set($Double = 0.0)$Double.parseDouble(' 1.50 ') $Double.valueOf(2)", "1.5 2"},
		{"#set($Boolean = true)$Boolean.parseBoolean('TRUE') $Boolean.parseBoolean('x')", "true false"},
		{"#set($Math = 0)$Math.max(2, 3) $Math.min(2, 3) $Math.abs(-4) $Math.sum(1, 2) $Math.signum(-9) $Math.compare(1, 2)", "3 2 4 3 -1 -1"},
		{"#set($Math = 0)$Math.max(2.5, 1) $Math.min(2.5, 1) $Math.abs(-1.5) $Math.sum(0.5, 1) $Math.signum(2.5) $Math.compare(2, 1.5)", "2.5 1 1.5 1.5 1 1"},
		{"#set($Math = 0)$Math.floor(1.7) $Math.ceil(1.2) $Math.round(2.5) $Math.round(-2.5) $Math.floor(3) $Math.compare(2, 2) $Math.compare(2.5, 2.5)", "1 2 3 -2 3 0 0"},
		{"$n.toHexString(255) $n.toBinaryString(5) $n.toOctalString(8) $n.toHexString(-1)", "ff 101 10 ffffffff"},
		{"$n.toString() $n.intValue() $n.doubleValue() $n.equals(7) $n.compareTo(9) $yes.booleanValue() $yes.equals(false)", "7 7 7 true -1 true false"},
		{"#set($f = 7.9)$f.intValue() $f.longValue() $f.doubleValue()", "7 7 7.9"},
		{"#set($String = '')$String.format('%05d|%-4s|%4s|%S|%.2f|%x|%,d|%%|%c', 42, 'ab', 'cd', 'ς', 2.345, 255, 1234567, 65)",
			"00042|ab  |  cd|Σ|2.35|ff|1,234,567|%|A"},
		{"#set($String = '')$String.format('%2$s %1$s %s', 'a', 'b') $String.format('%.2s', 'abc') $String.format('%,d', -1000) $String.format('%,12d', 1000)",
			"b a a ab -1,000        1,000"},
		{"#set($String = '')$String.valueOf($n) $String.join('-', 'a', 'b') $String.join(', ', $list)", "7 a-b a, b, c"},
		{"'$last.toCharArray()' $last.hashCode() $first.codePointAt(0) $first.contentEquals('Ann')", "'[B, ä, k, e, r]' 67850806 65 true"},
		{"[#set($x = ' a ')$x.stripLeading()][$x.stripTrailing()][$x.strip()]", "[a ][ a][a]"},
		{"$first.startsWith('n', 1) $first.startsWith('n', 9) $first.lastIndexOf('n', 1) $first.lastIndexOf('n', -1) $first.lastIndexOf('n', 99)", "true false 1 -1 2"},
		{"$first.equals($none) $first.equalsIgnoreCase($none) $first.empty $empty.empty $empty.blank", "false false false true true"},
		{"$first.compareTo('Anna') $first.compareTo('Bo') $first.compareToIgnoreCase('ANN')", "-1 -1 0"},
		{"#set($x = 'ΟΔΟΣ')$x.toLowerCase() $x.compareToIgnoreCase('οδος') $x.equalsIgnoreCase('οδος')", "οδος 0 true"},
		{"#set($x = 'a,b,,c,,')$x.split(',') $x.split(',', 2) $x.split(',', -1).size() $x.split('[,]', 2)[1] $x.split('[,]', 1)[0] $x.split(',').size()",
			"[a, b, , c] [a, b,,c,,] 6 b,,c,, a,b,,c,, 4"},
		{"$list.lastIndexOf('b') $list.subList(1, 3) $list.containsAll(['a', 'c']) $list.containsAll(['z']) $list.lastIndexOf('z') $list.toArray().size()", "1 [b, c] true false -1 3"},
		{"#set($l = [])#set($v = $l.add('x'))#set($v = $l.add(0, 'y'))#set($v = $l.addAll($list))$l", "[y, x, a, b, c]"},
		{"#set($l = ['a', 'b'])#set($m = $l)$l.add('c')$l.remove('a')$l.remove(0)$l.set(0, 'z') $l $m $l.remove('q')", "truetruebc [z] [a, b] false"},
		{"#set($l = ['a'])#set($v = $l.clear())$l.size() $l.isEmpty()", "0 true"},
		{"#set($m = {'a': 1, 'b': $first})$m.a $m.get('b') $m.size() $m.containsKey('c') $m.containsValue('Ann') $m.getOrDefault('c', 9) $m.getOrDefault('a', 9)", "1 Ann 2 false true 9 1"},
		{"#set($m = {})#set($v = $m.put('k', 'v'))$m $m.keySet() $m.values() $m.isEmpty() $m['k']", "{k=v} [k] [v] false v"},
		{"#set($m = {'b': 1, 'a': 2})#foreach($e in $m.entrySet())$e.key=$e.getValue();#end#foreach($k in $m.keySet())$k#end", "b=1;a=2;ba"},
		{"#set($m = {'b': 1, 'a': 2})$m.put('b', 3)$m.remove('a') $m.toString()#set($v = $m.clear())$m", "12 {b=3}{}"},
		{"#if($m)a#end#if($none)b#end#if($none == 'x')c#end#if(!$none)d#end#if($none && $none.length() > 1)e#end", "d"},
	} {
		demandRendered(t, test.template, test.want)
	}
}

// A null reference is an error of its own type: a caller may try something else.
func TestNullError(t *testing.T) {
	template, err := Parse("${none}x")
	if err != nil {
		t.Fatal(err)
	}
	var null *NullError
	if _, err := template.Render(context, 100, nil); !errors.As(err, &null) || null.Reference != "${none}" {
		t.Errorf("got %v, want a NullError of ${none}", err)
	}
}

func TestParseEscaped(t *testing.T) {
	for source, want := range map[string][2]string{
		`\$first \# \\ \x`:    {`$first # \\ \x`, `\$first \# \\ \x`},
		`a\\$first`:           {`a\$first`, `a\\Ann`},
		`$first\$`:            {`Ann$`, `Ann\$`},
		`#if($yes)\$#{end}$1`: {`$$1`, `\$$1`},
	} {
		for i, parse := range []func(string) (*Template, error){Parse, ParseEscaped} {
			template, err := parse(source)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := template.Render(context, 100, nil); err != nil || got != want[i] {
				t.Errorf("%q gives %q %v, want %q", source, got, err, want[i])
			}
		}
	}
}

func TestParseFaults(t *testing.T) {
	for template, want := range map[string]string{
		"#if($x)a":                               "at character 1 of the template: #if is not closed by #end",
		"#end":                                   "#end belongs to no #if or #foreach",
		"ä#else":                                 "at character 7 of the template: #else belongs to no",
		"#if($x)a#else b#else c#end":             "#else stands after #else",
		"#foreach($x in $y)a":                    "#foreach is not closed by #end",
		"#foreach($x $y)a#end":                   "in is expected",
		"#foreach(x in $y)a#end":                 "a variable is expected, as in $x",
		"#if(true)a#elseif(b)c#end":              `"b" begins no expression`,
		"#if()a#end":                             `")" begins no expression`,
		"#if(abc == 1)a#end":                     `"a" begins no expression: texts stand between quotes`,
		"#if($a == 'x)a#end":                     "the text is not closed by '",
		"#set($x = )":                            "begins no expression",
		"#set($x.y = 1)":                         "a variable is expected",
		"${x":                                    "${x is not closed by a brace",
		"$x.foo(1":                               ") is expected",
		"#break":                                 "#break stands in no #foreach",
		"#* a":                                   "the comment is not closed",
		"#if(99999999999999999999)a#end":         "the number is too large",
		"#set($x = \"#if($y)\")":                 "in the quoted text: ",
		strings.Repeat("#if(true)", 60):          "it is nested deeper than 50",
		"#if(" + strings.Repeat("(", 1000) + ")": "it is nested deeper than 50",
		"#if(" + strings.Repeat("!", 1000) + "true)a#end": "it is nested deeper than 50",
		strings.Repeat("a", TextMax+1):                    "65536 are allowed",
	} {
		_, err := Parse(template)
		var fault *Error
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", template, err, want)
		}
	}
}

func TestRenderFaults(t *testing.T) {
	for template, want := range map[string]string{
		"$p.getAge()":                       "$p.getAge(): a person has no method getAge",
		"$first.com":                        "write ${name}.com for the text after a variable",
		"$first.shout()":                    "a text has no method shout",
		"$first.substring(9)":               "the text has no characters from 9 to 3: it has 3",
		"$first.substring()":                "substring takes 1 to 2 arguments, 0 are given",
		"$first.substring('x')":             "argument 1 of substring is a number, not a text",
		"$first.concat($none)":              "argument 1 of concat is null",
		"a $unknown":                        "$unknown is null: give it a value by firstValid, or write $!unknown for an empty text",
		"$p.getNothing()!":                  "$p.getNothing() is null",
		"#foreach($x in $list)#end$x":       "$x is null",
		"#set($x = $none)$x":                "$x is null",
		"#set($x = \"a${none}\")$x":         "${none} is null",
		"#set($x = 'a' + $none)$x":          "a side of + is null",
		"#set($x = $none + 1)$x":            "a side of + is null",
		"$p.parseInt('7')":                  "a person has no method parseInt",
		"$n.parseInt('7x')":                 "argument 1 of parseInt is no whole number, or too large",
		"$n.parseInt('3000000000')":         "too large",
		"$n.parseInt($none)":                "argument 1 of parseInt is null",
		"$n.parseInt('z', 99)":              "argument 2 of parseInt is a base from 2 to 36",
		"$n.parseDouble('NaN')":             "argument 1 of parseDouble is no number",
		"$n.max('a', 1)":                    "argument 1 of max is a number, not a text",
		"$n.toHexString(1.5)":               "toHexString takes a whole number",
		"$n.compareTo('x')":                 "compareTo compares numbers, not a number and a text",
		"$first.format('%d', 'a')":          "%d of format is a whole number, not a text",
		"$first.format('%.2f', 'a')":        "%f of format is a number, not a text",
		"$first.format('%s %s', 'a')":       "format has no argument for %s",
		"$first.format('%2$s', 'a')":        "format has no argument for %2$s",
		"$first.format('50%')":              "write %% for it",
		"$first.format('%y', 1)":            "format does not know the conversion %y",
		"$first.format('%2000s', 1)":        "format has a width of more than 1000",
		"$first.format('%1000s%1$s', 1)":    "the text of the template is too long",
		"$first.join('x')":                  "join takes 2 arguments, 1 are given",
		"#set($l = [1])$l.add(5, 2)":        "argument 1 of add is no position in the list, which has 1 elements",
		"#set($l = [1])$l.set(1, 2)":        "argument 1 of set is no position",
		"#set($l = [1])$l.remove(1)":        "the list has no element [1]: it has 1",
		"#set($l = [1])$l.addAll(2)":        "argument 1 of addAll is a list, not a number",
		"#set($l = [1])$l.add()":            "add takes 1 to 2 arguments, 0 are given",
		"$list.add('d')":                    "a list has no method add",
		"$list.subList(2, 1)":               "the list has no such part: it has 3 elements",
		"$list.containsAll('a')":            "argument 1 of containsAll is a list, not a text",
		"#set($m = {'a': 1})$m.b":           "$m.b is null",
		"#set($m = {'a': 1})$m.shout()":     "a map has no method shout",
		"#set($m = {'a': 1})$m.put('b')":    "put takes 2 arguments, 1 are given",
		"#set($m = {'a': 1})$m.get()":       "get takes 1 arguments, 0 are given",
		"$list[5]":                          "the list has no element [5]: it has 3",
		"#if($first > 1)a#end":              "> compares numbers, not a text and a number",
		"#set($x = $p * 2)":                 "* calculates with numbers, not with a person and a number",
		"#set($x = 1 / 0)":                  "division by zero",
		"#foreach($x in 'a')b#end":          "#foreach goes over a list, not over a text",
		"#foreach($x in [1..9999999])b#end": "more than 100000 steps",
		"#foreach($x in [1..1000])#foreach($y in [1..1000])#end#end":                                "more than 100000 steps",
		"#foreach($x in [1..1000])$first#end":                                                       "the text of the template is too long",
		"#set($x='ab')#foreach($y in [1..30])#set($x=$x+$x)#end":                                    "the text of the template is too long",
		"#foreach($x in [1..2000])#set($y=[1..99999])#end":                                          "more than 100000 steps",
		"#set($y=[1..60000])#if($y.contains('z'))a#end":                                             "more than 100000 steps",
		"#set($y=[1..60000])#if($y == 'a')a#end":                                                    "more than 100000 steps",
		"#set($a=[1,2])#foreach($x in [1..30])#set($a=[$a,$a])#end":                                 "more than 100000 steps",
		"#set($a=[$first.repeat(300)])#foreach($x in [1..9])#set($a=[$a,$a,$a,$a])#end":             "more than 100000 steps",
		"#set($m={})#foreach($x in [1..99])#set($v=$m.put($m,1))#end":                               "more than 100000 steps",
		"#set($m={})#foreach($x in [1..99])#set($m={$m:1,'x':$m})#end":                              "more than 100000 steps",
		"#set($m={'a':1})#foreach($x in [1..99])#set($e=$m.entrySet())#set($m={'a':$e,'b':$e})#end": "more than 100000 steps",
		"#set($l=[1])#foreach($x in [1..99])#set($v=$l.add($l))#end":                                "more than 100000 steps",
		"#set($l=[1..900])#if($l.containsAll($l))#end#if($l.containsAll($l))#end":                   "more than 100000 steps",
		"$first.repeat(99999)": "the text of the template is too long",
		"$first.matches('(')":  "a group is not closed",
	} {
		parsed, err := Parse(template)
		if err != nil {
			t.Errorf("%q: %v", template, err)
			continue
		}
		if _, err := parsed.Render(context, 1000, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", template, err, want)
		}
	}
}

func TestReference(t *testing.T) {
	for template, want := range map[string]any{
		"$first": "Ann", "${n}": int64(7), "$none": nil, "$p.nothing": nil, "$list[0]": "a", "$nobody": nil, "$!none": "", "$!nobody": "",
		"$first.concat('e')": "Anne", "$first.replace('n', 'mm')": "Ammmm",
	} {
		parsed, err := Parse(template)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok, err := parsed.Reference(context, 1000, nil); err != nil || !ok || got != want {
			t.Errorf("%q: %v %v %v, want %v", template, got, ok, err, want)
		}
	}
	long, err := Parse("$first.repeat(334)")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := long.Reference(context, 1000, nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("a long text: %v", err)
	}
	for _, template := range []string{"", "a", "$a$b", "$a "} {
		parsed, err := Parse(template)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := parsed.Reference(context, 1000, nil); ok || err != nil {
			t.Errorf("%q is a reference: %v", template, err)
		}
	}
}

// Renderings that share a budget take no more steps than it together, and texts count by their length.
func TestBudget(t *testing.T) {
	parse := func(source string) *Template {
		t.Helper()
		parsed, err := Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	loop, last := parse("#foreach($x in [1..45000])#end"), parse("$first.length()")
	var budget Budget
	for range BudgetStepsMax / 90_002 {
		if _, err := loop.Render(context, 1000, &budget); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := loop.Render(context, 1000, &budget); !errors.Is(err, ErrBudget) {
		t.Errorf("the last loop: %v", err)
	}
	if _, _, err := last.Reference(context, 1000, &budget); !errors.Is(err, ErrBudget) {
		t.Errorf("after it: %v", err)
	}
	for _, source := range []string{
		`#set($x = $first.repeat(60000))#foreach($y in [1..200])#set($z = "$x")#end`,
		`#set($x = $first.repeat(60000))#foreach($y in [1..200])#if($x == $x)#end#end`,
		`#foreach($y in [1..2000])$!{none.matches}#if($first.matches("[a-z]+"))x#end#end`,
	} {
		if _, err := parse(source).Render(context, 1<<20, nil); !errors.Is(err, ErrTooManySteps) {
			t.Errorf("got %s: %v, want errors.Is(err, ErrTooManySteps)", source, err)
		}
	}
}

func TestNames(t *testing.T) {
	parsed, err := Parse(`$a #if($b == "$c$a")#set($d = $e.x($f))#foreach($g in $h)$g#end#end`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(parsed.Names(), ""); got != "abcdefgh" && len(got) != 8 {
		t.Errorf("got %s, want got == \"abcdefgh\" || len(got) == 8", got)
	}
	if got := strings.Join(parsed.Free(), ""); got != "abcfeh" {
		t.Errorf("it reads %s from outside, want abcfeh", got)
	}
	if text, ok := parsed.Literal(); ok {
		t.Errorf("%q is no literal", text)
	}
	if parsed, err = Parse("it's 5$"); err != nil {
		t.Fatal(err)
	}
	if text, ok := parsed.Literal(); !ok || text != "it's 5$" {
		t.Errorf("got %q %v, want ok && text == \"it's 5$\"", text, ok)
	}
}

func FuzzRender(f *testing.F) {
	f.Add("#foreach($x in [1..3])$x.toString()#if($foreach.hasNext),#end#end")
	f.Add(`#set($y = "${first}-$!{none}")#if($y != 'a' && !$no || $n / 2 > 1.5)$y.substring(1,2)#{else}$p.getBoss().name#end`)
	f.Add("#set($x='ab')#foreach($y in [1..30])#set($x=$x+$x)#end$x")
	f.Add("#set($a=[1,2])#foreach($x in [1..30])#set($a=[$a,$a])#end$a")
	f.Add(`$first.repeat(334)$first.replace("", "$first$first").split("")$first.matches("(n+)+$")`)
	f.Add(`#set($l = [])#foreach($x in [1..400])#set($v = $l.add($l))#end$l.size()`)
	f.Add("#set($m={'a':1})#foreach($x in [1..99])#set($e=$m.entrySet())#set($m={'a':$e,$m:$e})#end$m")
	f.Add(`#set($m = {"a": 1, $first: [2]})#set($v = $m.put($m, $m))$m.entrySet()[0].key$m.a$n.format("%1$05d %-9.2s", $m.a, "x")`)
	f.Add(`$n.parseInt("7f", 16)$last.split("", 2)$last.lastIndexOf("k", 9)$list.subList(1, 2)$n.join(",", $list)`)
	f.Add(strings.Repeat("#if($first)", 300) + strings.Repeat("#end", 300))
	f.Add(strings.Repeat("!", 300) + `#set($x = -----1 % 0 + [[[[[[1]]]]]])`)
	f.Fuzz(func(t *testing.T, source string) {
		template, err := Parse(source)
		if err != nil {
			return
		}
		var budget Budget
		text, err := template.Render(context, 1000, &budget)
		if err == nil && (len(text) > 1000 || budget.steps > StepsMax) {
			t.Errorf("%d bytes, %d steps", len(text), budget.steps)
		}
		if literal, ok := template.Literal(); ok && err == nil && literal != text {
			t.Errorf("the literal %q is rendered as %q", literal, text)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	template, err := Parse("#if($first == 'Ann' && $n > 5)${first.toLowerCase()}.$last#{else}none#end")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := template.Render(context, 1000, nil); err != nil {
			b.Fatal(err)
		}
	}
}
