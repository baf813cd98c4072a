package plot

import (
	"html/template"
	"math"
	"time"
)

// Times are points by when something began and how long it took.
type Times struct {
	Name  string // one sentence that says what the drawing shows
	From  time.Time
	To    time.Time
	Marks []Mark // on the axis of the times
	// Kinds are what the points are, at most [SeriesMax]: each has a shape of its own.
	Kinds  []string
	Points []Point
	// Lasted writes a duration of the axis: one second, a minute and the like.
	Lasted func(time.Duration) string
}

// Mark is a time on the axis.
type Mark struct {
	At    time.Time
	Label string
}

// Point is one of the things.
type Point struct {
	At     time.Time
	Lasted time.Duration
	Kind   int // of Kinds
}

// shapes are drawn about their middle. They differ in outline, so that they can be told without colours.
var shapes = [SeriesMax]string{
	`<circle class="s0" cx="%s" cy="%s" r="3" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
	`<path class="s1" d="M%s %sm0 -4l4 7h-8z" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
	`<path class="s2" d="M%s %sm-3.5 -3.5l7 7m0 -7l-7 7" fill="none" stroke="currentColor" stroke-width="2"/>`,
	`<path class="s3" d="M%s %sm-3 -3h6v6h-6z" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
	`<path class="s4" d="M%s %sm0 -4l4 4l-4 4l-4 -4z" fill="currentColor" stroke="none"/>`,
	`<path class="s5" d="M%s %sm-4 0h8m-4 -4v8" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
}

// axisTimes are where the axis of durations has lines.
var axisTimes = []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second,
	time.Minute, 10 * time.Minute, time.Hour, 10 * time.Hour, 100 * time.Hour}

// Points draws a point for each thing, on an axis of durations where each line is several times the one below.
func Points(p *Times) template.HTML {
	d := newDrawing(p.Name)
	// The axis has the lines about the durations that there are.
	shortest, longest := axisTimes[len(axisTimes)-1], axisTimes[0]
	for _, point := range p.Points {
		shortest, longest = min(shortest, point.Lasted), max(longest, point.Lasted)
	}
	low, high := 0, len(axisTimes)-1
	for low+2 < len(axisTimes) && axisTimes[low+1] <= shortest {
		low++
	}
	for high > low+1 && axisTimes[high-1] >= longest {
		high--
	}
	least, most := math.Log(axisTimes[low].Seconds()), math.Log(axisTimes[high].Seconds())
	y := func(lasted time.Duration) float64 {
		part := (math.Log(max(lasted, time.Microsecond).Seconds()) - least) / (most - least)
		return Height - bottom - min(max(part, 0), 1)*(Height-top-bottom)
	}
	x := func(at time.Time) float64 {
		part := float64(at.Sub(p.From)) / float64(max(p.To.Sub(p.From), 1))
		return left + min(max(part, 0), 1)*(Width-left-right)
	}
	for _, lasted := range axisTimes[low : high+1] {
		d.line(left, y(lasted), Width-right, y(lasted))
		d.label(left-5, y(lasted)+4, end, p.Lasted(lasted))
	}
	for _, mark := range p.Marks {
		d.line(x(mark.At), Height-bottom, x(mark.At), Height-bottom+4)
		d.label(x(mark.At), Height-bottom+16, middle, mark.Label)
	}
	for _, point := range p.Points {
		kind := ((point.Kind % SeriesMax) + SeriesMax) % SeriesMax
		d.put(shapes[kind], coordinate(x(point.At)), coordinate(y(point.Lasted)))
	}
	for k, kind := range p.Kinds[:min(len(p.Kinds), SeriesMax)] {
		line := top + 6 + float64(k)*(lineHeight+3)
		d.put(shapes[k], coordinate(Width-right+11), coordinate(line))
		d.label(Width-right+20, line+4, begin, kind)
	}
	return d.end()
}
