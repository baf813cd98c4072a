package plot

import "html/template"

// Bar is a number of a name.
type Bar struct {
	Name   string
	Value  int64
	Number string // as it is written
}

// BarsMax is how many bars a drawing has room for.
const BarsMax = 10

// Bars draws a bar for each name, from the top down, with its number at its end: the first [BarsMax].
func Bars(id, name string, bars []Bar) template.HTML {
	d := newDrawing(name)
	d.define(id, 1)
	bars = bars[:min(len(bars), BarsMax)]
	most := int64(1)
	for _, bar := range bars {
		most = max(most, bar.Value)
	}
	const from, room = 130, Width - 130 - 60
	high := min(float64(Height-2*top)/float64(max(len(bars), 1)), 34)
	for i, bar := range bars {
		y := top + float64(i)*high
		wide := max(float64(bar.Value)/float64(most), 0) * room
		d.label(from-8, y+high/2+4, end, bar.Name)
		d.put(`<rect %s x="%d" y="%s" width="%s" height="%s"/>`, filled(id, 0), from, coordinate(y+high*0.15),
			coordinate(wide), coordinate(high*0.7))
		d.label(from+wide+6, y+high/2+4, begin, bar.Number)
	}
	d.line(from, top, from, top+high*float64(len(bars)))
	return d.end()
}
