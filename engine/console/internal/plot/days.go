package plot

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Days are numbers day by day. Its fields must have the same number of days.
type Days struct {
	ID   string // unique in the page
	Name string // one sentence that says what the drawing shows
	Days []Day
	// Series are drawn upon each other, the first one at the bottom: at most [SeriesMax].
	Series []Series
	// Absent is the word for days that were not counted.
	Absent string
	// Number writes a number of the axis.
	Number func(int64) string
}

// Day is one of the days, in their order.
type Day struct {
	Label   string
	Counted bool // otherwise its numbers are unknown, and not zero
}

// Series are the numbers of one thing. Those of days that were not counted are not looked at.
type Series struct {
	Name   string
	Values []int64
}

// Areas draws stacked areas, with a gap where days were not counted.
func Areas(p *Days) template.HTML {
	s := newStack(p)
	for k := range p.Series {
		var path strings.Builder
		for from := 0; from < len(p.Days); from++ {
			if !p.Days[from].Counted {
				continue
			}
			to := from
			for to+1 < len(p.Days) && p.Days[to+1].Counted {
				to++
			}
			s.area(&path, k, from, to)
			from = to
		}
		s.put(`<path %s d="%s"/>`, filled(p.ID, k), path.String())
	}
	return s.finish()
}

// Columns draws a column for each day that was counted, with the series upon each other.
func Columns(p *Days) template.HTML {
	s := newStack(p)
	for k := range p.Series {
		var path strings.Builder
		for i := range p.Days {
			if high := s.y(k, i); p.Days[i].Counted && p.Series[k].Values[i] > 0 {
				fmt.Fprintf(&path, "M%s %sH%sV%sH%sZ", coordinate(s.x(i)+s.step*0.1), coordinate(s.y(k-1, i)),
					coordinate(s.x(i)+s.step*0.9), coordinate(high), coordinate(s.x(i)+s.step*0.1))
			}
		}
		s.put(`<path %s d="%s"/>`, filled(p.ID, k), path.String())
	}
	return s.finish()
}

// stack is a drawing of days with series upon each other.
type stack struct {
	*drawing
	p     *Days
	step  float64 // the width of a day
	scale float64 // units for one
	sums  [][]int64
}

// newStack begins a drawing: its patterns, axes, and the days that were not counted.
func newStack(p *Days) *stack {
	s := &stack{drawing: newDrawing(p.Name), p: p, step: (Width - left - right) / float64(max(len(p.Days), 1)),
		sums: make([][]int64, len(p.Series))}
	most := int64(0)
	for k := range p.Series {
		s.sums[k] = make([]int64, len(p.Days))
		for i := range p.Days {
			s.sums[k][i] = p.Series[k].Values[i]
			if k > 0 {
				s.sums[k][i] += s.sums[k-1][i]
			}
			if p.Days[i].Counted {
				most = max(most, s.sums[k][i])
			}
		}
	}
	highest, gap := ticks(most)
	s.scale = (Height - top - bottom) / float64(highest)
	s.define(p.ID, len(p.Series))
	for value := int64(0); value <= highest; value += gap {
		y := Height - bottom - float64(value)*s.scale
		s.line(left, y, Width-right, y)
		s.label(left-5, y+4, end, p.Number(value))
	}
	s.absent()
	return s
}

// x returns where a day begins.
func (s *stack) x(day int) float64 { return left + float64(day)*s.step }

// y returns the upper edge of a series on a day; series -1 is the axis.
func (s *stack) y(series, day int) float64 {
	if series < 0 {
		return Height - bottom
	}
	return Height - bottom - float64(s.sums[series][day])*s.scale
}

// area adds the area of a series for some days that were counted.
func (s *stack) area(path *strings.Builder, series, from, to int) {
	point := func(command string, x, y float64) {
		fmt.Fprintf(path, "%s%s %s", command, coordinate(x), coordinate(y))
	}
	// Each day has its whole width at both ends, so that one day alone is seen too.
	point("M", s.x(from), s.y(series, from))
	for day := from; day <= to; day++ {
		point("L", s.x(day)+s.step/2, s.y(series, day))
	}
	point("L", s.x(to+1), s.y(series, to))
	point("L", s.x(to+1), s.y(series-1, to))
	for day := to; day >= from; day-- {
		point("L", s.x(day)+s.step/2, s.y(series-1, day))
	}
	point("L", s.x(from), s.y(series-1, from))
	path.WriteByte('Z')
}

// absent marks the days that were not counted.
func (s *stack) absent() {
	for from := 0; from < len(s.p.Days); from++ {
		if s.p.Days[from].Counted {
			continue
		}
		to := from
		for to+1 < len(s.p.Days) && !s.p.Days[to+1].Counted {
			to++
		}
		wide := float64(to-from+1) * s.step
		s.put(`<rect class="absent" x="%s" y="%d" width="%s" height="%d"/>`, coordinate(s.x(from)), top,
			coordinate(wide), Height-top-bottom)
		if wide > 90 {
			s.label(s.x(from)+wide/2, Height/2, middle, s.p.Absent)
		}
		from = to
	}
}

// lineHeight is the least distance between two labels.
const lineHeight = 14

// finish writes the labels of the days and of the series, and returns the drawing.
func (s *stack) finish() template.HTML {
	days := s.p.Days
	if len(days) > 0 {
		s.label(left, Height-bottom+16, begin, days[0].Label)
		if len(days) > 1 {
			s.label(Width-right, Height-bottom+16, end, days[len(days)-1].Label)
		}
	}
	// Each label is beside the end of its series, from the bottom up, and none is upon another.
	last := len(days) - 1
	for last >= 0 && !days[last].Counted {
		last--
	}
	places := make([]float64, len(s.p.Series))
	for k := range s.p.Series {
		places[k] = Height - bottom
		if last >= 0 {
			places[k] = (s.y(k, last) + s.y(k-1, last)) / 2
		}
		if k > 0 {
			places[k] = min(places[k], places[k-1]-lineHeight)
		}
	}
	if n := len(places) - 1; n >= 0 {
		if under := top + 6 - places[n]; under > 0 { // down again where they come out above
			for k := n; k >= 0 && places[k] < top+6+float64(n-k)*lineHeight; k-- {
				places[k] = top + 6 + float64(n-k)*lineHeight
			}
		}
	}
	for k := range s.p.Series {
		s.put(`<rect %s x="%d" y="%s" width="9" height="9"/>`, filled(s.p.ID, k), Width-right+6,
			coordinate(places[k]-5))
		s.label(Width-right+19, places[k]+3.5, begin, s.p.Series[k].Name)
	}
	return s.end()
}

// ticks returns the end of an axis from 0 that holds a number, and the distance of its lines: round numbers, and about
// four lines.
func ticks(most int64) (highest, gap int64) {
	gap = 1
	if most > 4 {
		power := int64(math.Pow10(int(math.Log10(float64(most) / 4))))
		for _, factor := range []int64{1, 2, 5, 10} {
			if gap = factor * power; gap*4 >= most {
				break
			}
		}
	}
	return max((most+gap-1)/gap, 1) * gap, gap
}
