package plot

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

// attributes are those that a drawing may have: none of them is a style, refers to anything but a pattern of its own,
// or does something.
var attributes = strings.Fields(`aria-label class cx cy d fill fill-opacity height id patternunits r role stroke
	stroke-dasharray stroke-width text-anchor viewbox width x y`)

// elements are those that a drawing may have.
var elements = strings.Fields("circle defs g path pattern rect svg text")

// read parses a drawing as a browser does, and fails unless it is one image of known elements.
func read(t rapid.TB, drawing template.HTML) (name string, texts []string, root *html.Node) {
	t.Helper()
	document, err := html.Parse(strings.NewReader("<!doctype html><body>" + string(drawing)))
	if err != nil {
		t.Fatal(err)
	}
	body := document.LastChild.LastChild
	root = body.FirstChild
	if root == nil || root.Data != "svg" || root.NextSibling != nil {
		t.Fatalf("it is not one image: %s", drawing)
	}
	ids := map[string]bool{}
	for n := range body.Descendants() {
		switch n.Type {
		case html.TextNode:
			if n.Parent.Data != "text" {
				t.Fatalf("a text is in %s: %q", n.Parent.Data, n.Data)
			}
			texts = append(texts, n.Data)
			continue
		case html.ElementNode:
		default:
			t.Fatalf("there is a node of type %d: %q", n.Type, n.Data)
		}
		if !slices.Contains(elements, n.Data) {
			t.Fatalf("there is a %s: %s", n.Data, drawing)
		}
		for _, a := range n.Attr {
			key := strings.ToLower(a.Key)
			if !slices.Contains(attributes, key) || a.Namespace != "" {
				t.Fatalf("%s has %s: %s", n.Data, a.Key, drawing)
			}
			switch key {
			case "aria-label":
				name = a.Val
			case "id":
				if ids[a.Val] {
					t.Fatalf("the ID %q is there twice", a.Val)
				}
				ids[a.Val] = true
			case "x", "y", "width", "height", "cx", "cy":
				value, err := strconv.ParseFloat(a.Val, 64)
				if err != nil || value < -0.05 || value > Width+0.05 {
					t.Fatalf("%s of %s is %q", a.Key, n.Data, a.Val)
				}
			case "d":
				if strings.Contains(a.Val, "NaN") || strings.Contains(a.Val, "Inf") {
					t.Fatalf("a path goes to %s", a.Val)
				}
			}
		}
	}
	return name, texts, root
}

// clean is a text as a parser hands it on: the drawing writes what HTML cannot have as U+FFFD.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// all makes one drawing of each kind with a text in every place that takes one.
func all(text string) []template.HTML {
	days := &Days{ID: "id", Name: text, Absent: text, Number: func(int64) string { return text },
		Series: []Series{{text, make([]int64, 40)}, {text, []int64{}}}}
	for i := range 40 {
		days.Days = append(days.Days, Day{Label: text, Counted: i < 5 || i > 30})
		days.Series[0].Values[i] = int64(i)
		days.Series[1].Values = append(days.Series[1].Values, int64(i*i))
	}
	at := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	return []template.HTML{Areas(days), Columns(days),
		Bars("id", text, []Bar{{text, 3, text}, {text, 0, text}}),
		Points(&Times{Name: text, From: at, To: at.AddDate(0, 0, 14), Marks: []Mark{{at, text}}, Kinds: []string{text, text},
			Points: []Point{{at, time.Second, 0}, {at.AddDate(0, 0, 3), time.Hour, 1}},
			Lasted: func(time.Duration) string { return text }}),
	}
}

// Whatever a text contains, it is a text: of the name and of each label.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{"active", "", "\x00", `"><script>alert(1)</script>`, `' onload='x`, "</text></svg><img src=x>",
		"<!--", "]]>", "&lt;b&gt;", "\u202eevil", "a\xffb", "{{.}}", "%s%d", strings.Repeat("ä", 2000), "\r\n\t"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, drawing := range all(text) {
			name, texts, _ := read(t, drawing)
			if name != clean(text) {
				t.Errorf("drawing %d has the name %q, want %q", i, name, clean(text))
			}
			for _, got := range texts {
				if want := clean(short(text)); got != want {
					t.Errorf("drawing %d has the label %q, want %q", i, got, want)
				}
			}
			if strings.Contains(string(drawing), "style=") {
				t.Errorf("drawing %d has a style: %s", i, drawing)
			}
		}
	})
}

// Whatever the numbers are, everything is in its place, and each series has its label.
func TestNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := &Days{ID: "n", Name: "numbers", Absent: "absent", Number: func(n int64) string { return strconv.FormatInt(n, 10) }}
		count := rapid.IntRange(0, 100).Draw(t, "days")
		for i := range count {
			p.Days = append(p.Days, Day{fmt.Sprint("day ", i), rapid.Bool().Draw(t, "counted")})
		}
		for k := range rapid.IntRange(0, SeriesMax).Draw(t, "series") {
			p.Series = append(p.Series, Series{fmt.Sprint("series ", k),
				rapid.SliceOfN(rapid.Int64Range(0, 1e12), count, count).Draw(t, "values")})
		}
		for _, drawing := range []template.HTML{Areas(p), Columns(p)} {
			_, texts, _ := read(t, drawing)
			for k := range p.Series {
				if n := len(slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return text != p.Series[k].Name })); n != 1 {
					t.Fatalf("%q is written %d times", p.Series[k].Name, n)
				}
			}
		}
		at := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
		times := &Times{Name: "times", From: at, To: at.AddDate(0, 0, 14), Kinds: []string{"one"}, Lasted: time.Duration.String}
		for range rapid.IntRange(0, 20).Draw(t, "points") {
			times.Points = append(times.Points, Point{at.Add(time.Duration(rapid.Int64Range(-1e15, 1e16).Draw(t, "at"))),
				time.Duration(rapid.Int64Range(-1, math.MaxInt64/1000).Draw(t, "lasted")), rapid.IntRange(-2, 9).Draw(t, "kind")})
		}
		read(t, Points(times))
	})
}

// An axis has round numbers, holds the greatest one, and has some lines and not too many.
func TestTicks(t *testing.T) {
	t.Parallel()
	for most, want := range map[int64][2]int64{0: {1, 1}, 1: {1, 1}, 4: {4, 1}, 5: {6, 2}, 9: {10, 5}, 100: {100, 50},
		101: {150, 50}, 999: {1000, 500}, 4000: {4000, 1000}, 1_000_000: {1_000_000, 500_000}} {
		if highest, gap := ticks(most); highest != want[0] || gap != want[1] {
			t.Errorf("up to %d: an axis to %d by %d, want %d by %d", most, highest, gap, want[0], want[1])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.Int64Range(0, 1e15).Draw(t, "most")
		highest, gap := ticks(most)
		if highest < most || highest%gap != 0 || highest/gap > 5 {
			t.Fatalf("up to %d: an axis to %d by %d", most, highest, gap)
		}
	})
}

// Days that were not counted are a gap and say so; they are not zero.
func TestAbsentDays(t *testing.T) {
	t.Parallel()
	p := &Days{ID: "gap", Name: "a gap", Absent: "not counted", Number: func(n int64) string { return fmt.Sprint(n) },
		Series: []Series{{"one", make([]int64, 30)}}}
	for i := range 30 {
		p.Days = append(p.Days, Day{fmt.Sprint(i), i < 3 || i == 20})
		p.Series[0].Values[i] = 7
	}
	for _, drawing := range []template.HTML{Areas(p), Columns(p)} {
		_, texts, root := read(t, drawing)
		absent, parts := 0, 0
		for n := range root.Descendants() {
			for _, a := range n.Attr {
				if a.Key == "class" && a.Val == "absent" {
					absent++
				}
				if a.Key == "d" && n.Parent.Data == "svg" && strings.Contains(a.Val, "Z") {
					parts = strings.Count(a.Val, "M")
				}
			}
		}
		want := map[bool]int{true: 2, false: 4}[drawing == Areas(p)]
		if absent != 2 || parts != want || !slices.Contains(texts, "not counted") {
			t.Errorf("%d gaps and %d parts with %v, want 2 and %d: %s", absent, parts, texts, want, drawing)
		}
	}
}

// Series differ in their pattern and their edge, and kinds of points in their shape, not in colour alone.
func TestWithoutColours(t *testing.T) {
	t.Parallel()
	for _, list := range [][SeriesMax]string{patterns, dashes} {
		sorted := slices.Sorted(slices.Values(list[:]))
		if len(slices.Compact(sorted)) != SeriesMax {
			t.Errorf("two are alike: %q", list)
		}
	}
	plain := map[string]bool{}
	for i, shape := range shapes {
		plain[strings.Replace(shape, fmt.Sprintf("s%d", i), "", 1)] = true
	}
	if len(plain) != SeriesMax {
		t.Errorf("two shapes are alike: %q", shapes)
	}
}
