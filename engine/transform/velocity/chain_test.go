package velocity

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chainsOf writes the chains of a template: .name for a property, .name() for a method, .name('x') for one with a
// constant, and > for what is handed on.
func chainsOf(t *testing.T, source string) []string {
	t.Helper()
	template, err := Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, chain := range template.Chains() {
		text := chain[0].Name
		for _, link := range chain[1:] {
			switch {
			case link == Link{}:
				text += ">"
			case link.Constant:
				text += fmt.Sprintf(".%s('%s')", link.Name, link.Argument)
			case link.Call:
				text += "." + link.Name + "()"
			default:
				text += "." + link.Name
			}
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestChains(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"Hello":                                  "",
		"$a ${b} $!c":                            "a b c",
		"$i.getAttribute('x')":                   "i.getAttribute('x')",
		`$i.getAttribute("x")`:                   "i.getAttribute('x')",
		`$i.getAttribute("x$y")`:                 "i.getAttribute() y",
		"$i.getAttribute($y)":                    "i.getAttribute() y>",
		"$i.f('a', 'b')":                         "i.f()",
		"$i.uid.length()":                        "i.uid.length()",
		"$i['uid'] $l[0] $m[$k]":                 "i.uid k l.get() m>",
		"#if($a && !$b)$c#elseif($d)#else$e#end": "a b c d e",
		"#if(-$a > $b + 1)x#end":                 "a b",
		"#foreach($x in [$a..$b])$x#end":         "a b x",
		"#foreach($x in $l)$x.name#end":          "l.get().name x.name",
		"#foreach($x in [$a, 'b'])$x.n#end":      "a.n x.n",
		"#foreach($x in {'k': $a})$x#end":        "a> x",
		// A variable stands for what it is set to, whatever it was before.
		"#set($m = $i.manager)$m.city":                   "i.manager.city m.city",
		"#if($c)#set($m = $a)#else#set($m = $b)#end$m.x": "a.x b.x c m.x",
		"#set($m = $i.manager)#set($n = $m.boss)$n.x":    "i.manager.boss.x m.boss.x n.x",
		// What nobody reads afterwards is read by the assignment.
		"#set($m = $i.manager)": "i.manager",
		// A text is no object any more.
		`#set($m = "$i.name")$m.length()`: "i.name m.length()",
		// What is put into a collection, or given to a method, may become anything.
		"#set($m = [$i, 'x'])$m.get(0).y":                             "i> m.get().y",
		"#set($m = {'k': $i, $j: 1})$m.k.y":                           "i> j> m.k.y",
		"#set($m = [])$m.add($i)":                                     "i> m.add()",
		"#set($m = [[$i]])$m":                                         "i> m",
		"#set($m = $i)#foreach($x in [1..9])#set($m = $m.up)#end$m.y": "i.up.up.y i.up.y i.y m.up.up.up.y m.up.up.y m.up.y m.y",
	} {
		if diff := cmp.Diff(want, strings.Join(chainsOf(t, source), " ")); diff != "" {
			t.Errorf("%s\n%s", source, diff)
		}
	}
}

// A template with too many chains hands on whatever it reads, in little time.
func TestChainsOfLargeTemplate(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for range 40 {
		for _, name := range []string{"a", "b", "c", "identity"} {
			fmt.Fprintf(&source, "#set($%s = $a.x)#set($a = $%s.y)", name, name)
		}
	}
	source.WriteString("$a.z")
	if got := strings.Join(chainsOf(t, source.String()), " "); got != "a> b> c> identity>" {
		t.Errorf("got %.200s, want every variable handed on", got)
	}
}
