package console

import "strings"

// diffLine is a line of a text that was, is or stayed.
type diffLine struct {
	Sign string // "+", "−" or "" for a line that stayed
	Text string
}

// The limits of a comparison of two texts.
const (
	diffLinesMax = 2000 // longer texts are shown whole, the old one before the new one
	diffContext  = 3    // how many lines around a change are shown
)

// diff compares two texts line by line. Of what stayed it shows the lines around the changes.
func diff(before, after string) []diffLine {
	old, now := linesOf(before), linesOf(after)
	var lines []diffLine
	if len(old) > diffLinesMax || len(now) > diffLinesMax {
		for _, line := range old {
			lines = append(lines, diffLine{"−", line})
		}
		for _, line := range now {
			lines = append(lines, diffLine{"+", line})
		}
		return lines
	}
	// common[i][k] is how many lines old[i:] and now[k:] have in common, in their order.
	common := make([][]int, len(old)+1)
	for i := range common {
		common[i] = make([]int, len(now)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for k := len(now) - 1; k >= 0; k-- {
			if old[i] == now[k] {
				common[i][k] = common[i+1][k+1] + 1
			} else {
				common[i][k] = max(common[i+1][k], common[i][k+1])
			}
		}
	}
	i, k := 0, 0
	for i < len(old) || k < len(now) {
		switch {
		case i < len(old) && k < len(now) && old[i] == now[k]:
			lines = append(lines, diffLine{"", old[i]})
			i, k = i+1, k+1
		case k == len(now) || i < len(old) && common[i+1][k] >= common[i][k+1]:
			lines = append(lines, diffLine{"−", old[i]})
			i++
		default:
			lines = append(lines, diffLine{"+", now[k]})
			k++
		}
	}
	return shortened(lines)
}

func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// shortened leaves out lines that stayed and are far from a change.
func shortened(lines []diffLine) []diffLine {
	near := make([]bool, len(lines))
	for i := range lines {
		if lines[i].Sign == "" {
			continue
		}
		for k := max(0, i-diffContext); k <= min(len(lines)-1, i+diffContext); k++ {
			near[k] = true
		}
	}
	var shown []diffLine
	for i := range lines {
		switch {
		case near[i]:
			shown = append(shown, lines[i])
		case i == 0 || near[i-1]:
			shown = append(shown, diffLine{"", "…"})
		}
	}
	if len(shown) == 1 && !near[0] { // nothing changed
		return nil
	}
	return shown
}
