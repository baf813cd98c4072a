// Package plot draws numbers as SVG that stands in a page: areas and bars of days, bars of names, and points of times.
//
//	svg := plot.Areas(&plot.Days{ID: "population", Name: "4,800 people are active ...", Days: days, Series: series})
//
// It is pure, and knows no words of its own: names, labels and ticks come from the caller in the reader's language.
// Every text is escaped, whatever it contains, so the result is safe as [template.HTML]; no other package but that of
// the icons makes such a value. A drawing has one size and is one image with one name, a sentence. The numbers
// themselves belong into a table beside it.
//
// A series is told from the others by its pattern, its place and its label, so colours only help: the classes s0 to s5
// set the property color, and axis, absent and label are further classes. There is no style in the SVG, because the
// pages' policy allows none.
package plot
