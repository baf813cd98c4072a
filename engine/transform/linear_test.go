package transform_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/transform"
)

// Definitions whose compilation could take the square of their length, with a number of repetitions.
var lengthy = map[string]func(n int) string{
	"dollar signs": func(n int) string {
		return definition("static", `"value": "`+strings.Repeat("$", n)+`"`)
	},
	"hash signs": func(n int) string {
		return definition("static", `"value": "`+strings.Repeat("# ", n/2)+`"`)
	},
	"backslashes": func(n int) string {
		return definition("static", `"value": "$!`+strings.Repeat(`\\`, n/2)+`"`)
	},
	"variables of one template": func(n int) string {
		var declared, template strings.Builder
		for i := range n / 32 {
			fmt.Fprintf(&declared, `"a%d": "x", `, i)
			fmt.Fprintf(&template, "$a%d ", i)
		}
		return definition("static", declared.String()+`"value": "`+template.String()+`"`)
	},
	"variables of many templates": func(n int) string {
		var declared strings.Builder
		for i := range n / 32 {
			fmt.Fprintf(&declared, `"a%d": "$b0", `, i)
		}
		return definition("static", declared.String()+`"b0": "x", "value": "$b0"`)
	},
	"variables that are nowhere": func(n int) string {
		var template strings.Builder
		for i := range n / 16 {
			fmt.Fprintf(&template, "$a%d ", i)
		}
		return definition("static", `"value": "`+template.String()+`"`)
	},
	"variables that are set": func(n int) string {
		var template strings.Builder
		for i := range n / 32 {
			fmt.Fprintf(&template, "#set($a%d = $a%d)\\n", i, i+1)
		}
		return definition("static", fmt.Sprintf(`"a%d": "x", "value": "%s"`, n/32, template.String()))
	},
	"directives on lines of their own": func(n int) string {
		return definition("static", `"value": "`+strings.Repeat(`#set($a = 1)\n  `, n/16)+`"`)
	},
	"chains of what is set": func(n int) string {
		return definition("static", `"value": "`+strings.Repeat("#set($a = $identity)", n/40)+"$a"+
			strings.Repeat(".b", n/4)+`"`)
	},
	"a list below long names": func(n int) string {
		return definition("rule", `"name": "Mine", "`+strings.Repeat("x", n/4)+`": {"y": [`+
			strings.Repeat("0,", n/4)+`0]}`)
	},
	"transforms below a long name": func(n int) string {
		return definition("static", `"value": "$`+strings.Repeat("x", n/4)+`", "`+strings.Repeat("x", n/4)+
			`": {"type": "concat", "attributes": {"values": [`+strings.Repeat(`{"type": "uuid"},`, n/32)+`"a"]}}`)
	},
	"values below values": func(n int) string {
		return definition("rule", `"name": "Mine", "x": `+strings.Repeat(`[{"a": "`+strings.Repeat("b", n/100)+`", "c": `, 40)+
			"0"+strings.Repeat("}]", 40))
	},
	"patterns": func(n int) string {
		var table strings.Builder
		for i := range n / 32 {
			fmt.Fprintf(&table, `"(?<x>%d)": "${x}", `, i)
		}
		return definition("replaceAll", `"table": {`+table.String()+`"z": "y"}`)
	},
}

func definition(operation, attributes string) string {
	return `{"name": "T", "type": "` + operation + `", "attributes": {` + attributes + `}}`
}

// The work of compiling a definition grows with its length, and not with the square of it. Work is counted, as what is
// allocated, and not measured: a machine that is busy changes nothing.
func TestCompileIsLinear(t *testing.T) {
	for name, text := range lengthy {
		t.Run(name, func(t *testing.T) {
			const n = 24 << 10
			short, long := compileWork(text(n)), compileWork(text(2*n))
			if long > short*5/2 {
				t.Errorf("%d bytes are allocated for a definition, and %d for one of twice the length", short, long)
			}
			if long > 400*uint64(2*n) {
				t.Errorf("%d bytes are allocated for a definition of about %d", long, 2*n)
			}
		})
	}
}

// compileWork returns how many bytes are allocated for compiling a definition and for looking at its members.
func compileWork(text string) uint64 {
	source := []byte(text)
	work := func() {
		_, _ = transform.Compile(source, nil) // some have faults, which is work too
		transform.UnreadMembers(source)
	}
	work() // fills the pools of the packages below
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// An error lists so many faults, and says that there are more.
func TestFaultsMax(t *testing.T) {
	t.Parallel()
	_, err := transform.Compile([]byte(lengthy["variables that are nowhere"](64<<10)), nil)
	var broken *transform.CompileError
	if !asCompileError(err, &broken) || len(broken.Faults) != transform.FaultsMax+1 ||
		broken.Faults[transform.FaultsMax].Msg != "there are more faults" {
		t.Errorf("got %.200v, want %d faults and that there are more", err, transform.FaultsMax)
	}
}

func asCompileError(err error, target **transform.CompileError) bool {
	broken, is := err.(*transform.CompileError) //nolint:errorlint // Compile says that it is one
	*target = broken
	return is
}

func BenchmarkCompileDollars(b *testing.B) {
	for _, n := range []int{16 << 10, 32 << 10, 64 << 10} {
		source := []byte(definition("static", `"value": "`+strings.Repeat("$", n)+`"`))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := transform.Compile(source, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
