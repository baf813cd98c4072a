package plot

import (
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"
)

// The size of every drawing, in its own units, and the margins around what is plotted.
const (
	Width  = 480
	Height = 240

	left, right, top, bottom = 60, 118, 12, 26
)

// SeriesMax is how many series are told from each other.
const SeriesMax = 6

// labelMax is how many characters a label has.
const labelMax = 16

// drawing is an SVG that is made.
type drawing struct{ strings.Builder }

// newDrawing begins a drawing with a name.
func newDrawing(name string) *drawing {
	d := &drawing{}
	d.put(`<svg class="plot" role="img" viewBox="0 0 %d %d" width="%d" height="%d" aria-label="%s">`, Width, Height,
		Width, Height, escaped(name))
	return d
}

// put adds to the drawing. Texts among the arguments are escaped already.
func (d *drawing) put(format string, arguments ...any) { fmt.Fprintf(d, format, arguments...) }

// end returns the drawing.
func (d *drawing) end() template.HTML {
	d.put("</svg>")
	return template.HTML(d.String())
}

// escaped returns a text that stands in an element or in an attribute with quotation marks.
func escaped(text string) string {
	return template.HTMLEscapeString(strings.ToValidUTF8(text, "\uFFFD"))
}

// short cuts a label. The table has all of it.
func short(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if utf8.RuneCountInString(text) <= labelMax {
		return text
	}
	return string([]rune(text)[:labelMax-1]) + "…"
}

// The places of a label about its point.
const (
	begin  = "start"
	middle = "middle"
	end    = "end"
)

// label writes a text with its base line at y.
func (d *drawing) label(x, y float64, anchor, text string) {
	d.put(`<text class="label" x="%s" y="%s" text-anchor="%s">%s</text>`, coordinate(x), coordinate(y), anchor,
		escaped(short(text)))
}

// line draws a line of the axes.
func (d *drawing) line(x1, y1, x2, y2 float64) {
	d.put(`<path class="axis" d="M%s %sL%s %s"/>`, coordinate(x1), coordinate(y1), coordinate(x2), coordinate(y2))
}

// coordinate writes a number with at most one decimal.
func coordinate(value float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0")
}

// patterns are the contents of the tiles of series, of 6 by 6 units. None is plain, so that all can be told without
// colours.
var patterns = [SeriesMax]string{
	`<rect width="6" height="6" fill-opacity="0.6" stroke="none"/>`,
	`<path d="M0 6L6 0M-1 1L1 -1M5 7L7 5" stroke-width="1.4"/>`,
	`<g stroke="none"><circle cx="1.5" cy="1.5" r="1"/><circle cx="4.5" cy="4.5" r="1"/></g>`,
	`<path d="M0 1.5H6M0 4.5H6" stroke-width="1"/>`,
	`<path d="M1.5 0V6M4.5 0V6" stroke-width="1"/>`,
	`<path d="M0 0L6 6M0 6L6 0" stroke-width="0.8"/>`,
}

// dashes are those of the edges of series.
var dashes = [SeriesMax]string{"", "5 2", "1 2", "8 2 2 2", "3 3", "10 3"}

// define adds the patterns of the first series. The ID of the drawing keeps them from those of others in the page.
func (d *drawing) define(id string, series int) {
	d.put("<defs>")
	for i := range min(series, SeriesMax) {
		d.put(`<pattern id="%s-%d" class="s%d" width="6" height="6" patternUnits="userSpaceOnUse" fill="currentColor" `+
			`stroke="currentColor"><rect width="6" height="6" fill-opacity="0.16" stroke="none"/>%s`+
			`</pattern>`, escaped(id), i, i, patterns[i])
	}
	d.put("</defs>")
}

// filled returns the attributes of a shape of a series.
func filled(id string, series int) string {
	series %= SeriesMax
	dash := ""
	if dashes[series] != "" {
		dash = fmt.Sprintf(` stroke-dasharray="%s"`, dashes[series])
	}
	return fmt.Sprintf(`class="s%d" fill="url(#%s-%d)" stroke="currentColor"%s`, series, escaped(id), series, dash)
}
