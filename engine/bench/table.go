package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// result is the result of a run.
type result struct {
	Started    time.Time `json:"started"`
	Go         string    `json:"go"`
	PostgreSQL string    `json:"postgresql"`
	CPUs       int       `json:"cpus"`
	People     int       `json:"people"`
	Rounds     int       `json:"rounds"`
	Seed       uint64    `json:"seed"`
	Lines      []line    `json:"lines"`
}

// writeJSON writes the result as JSON.
func writeJSON(w io.Writer, r *result) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// writeTable writes the lines as a table.
func writeTable(w io.Writer, lines []line) error {
	rows := [][]string{{"case", "figure", "", "baseline", "", "ratio", "target", "met"}}
	last := ""
	for _, l := range lines {
		name := l.Case
		if name == last {
			name = ""
		}
		last = l.Case
		rows = append(rows, append([]string{name}, l.cells()...))
	}
	_, err := io.WriteString(w, align(rows, map[int]bool{2: true, 4: true, 5: true}))
	return err
}

// cells returns the columns of a line after its case.
func (l *line) cells() []string {
	baseline, ratio, met := "", "", ""
	if l.Baseline != nil {
		baseline = l.Baseline.String()
	}
	if l.Ratio != nil {
		ratio = strconv.FormatFloat(*l.Ratio, 'g', 3, 64)
		if *l.Ratio >= 100 {
			ratio = grouped(*l.Ratio)
		}
	}
	if l.Met != nil {
		met = map[bool]string{true: "yes", false: "NO"}[*l.Met]
	}
	return []string{l.Name, l.Figure.String(), l.BaselineName, baseline, ratio, l.Target, met}
}

// align aligns the cells of rows. The columns in right are aligned to the right.
func align(rows [][]string, right map[int]bool) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			cells[i] = cell + padding
			if right[i] {
				cells[i] = padding + cell
			}
		}
		b.WriteString(strings.TrimRight(strings.Join(cells, "  "), " ") + "\n")
	}
	return b.String()
}

// writeGrowth writes the main figures of several sizes: a row for each size, and a column for each figure, in seconds,
// per second or bytes.
func writeGrowth(w io.Writer, results []*result) error {
	out := csv.NewWriter(w)
	var header []string
	columns := map[string]int{}
	for _, r := range results {
		for _, l := range r.Lines {
			if _, known := columns[l.column]; l.column != "" && !known {
				columns[l.column] = len(header) + 1
				header = append(header, l.column)
			}
		}
	}
	if err := out.Write(append([]string{"people"}, header...)); err != nil {
		return err
	}
	for _, r := range results {
		row := make([]string, len(header)+1)
		row[0] = strconv.Itoa(r.People)
		for _, l := range r.Lines {
			if l.column != "" {
				row[columns[l.column]] = strconv.FormatFloat(l.Figure.Number, 'g', 6, 64)
			}
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
