package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlLines returns a JSON document as the lines of a YAML text, the members by name. Nothing has no lines.
func yamlLines(document []byte) ([]string, error) {
	if len(document) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(yamlNode(value)); err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(text.String(), "\n"), "\n"), nil
}

// yamlNode returns a decoded JSON value as a node. Numbers keep their digits.
func yamlNode(value any) *yaml.Node {
	node := &yaml.Node{}
	switch v := value.(type) {
	case map[string]any:
		node.Kind = yaml.MappingNode
		for _, name := range slices.Sorted(maps.Keys(v)) {
			node.Content = append(node.Content, yamlNode(name), yamlNode(v[name]))
		}
	case []any:
		node.Kind = yaml.SequenceNode
		for _, element := range v {
			node.Content = append(node.Content, yamlNode(element))
		}
	case json.Number:
		node.Kind, node.Value = yaml.ScalarNode, v.String()
	case string:
		node.SetString(v)
	case bool:
		node.Kind, node.Value = yaml.ScalarNode, "false"
		if v {
			node.Value = "true"
		}
	default:
		node.Kind, node.Value = yaml.ScalarNode, "null"
	}
	return node
}

const (
	// diffContext is how many lines that are the same are shown around those that differ.
	diffContext = 3
	// diffMax bounds the memory of a comparison: where more pairs of lines would be compared, all are shown as different.
	diffMax = 4_000_000
)

// diffLines returns the lines that only before has ("- "), those that only after has ("+ "), and some of those around
// them ("  "), with "…" where others are left out.
func diffLines(before, after []string) []string {
	lines := alignLines(before, after)
	var shown []string
	left := false // lines were left out since the last one that is shown
	for i := range lines {
		near := lines[max(i-diffContext, 0):min(i+diffContext+1, len(lines))]
		if !slices.ContainsFunc(near, func(line string) bool { return line[0] != ' ' }) {
			left = true
			continue
		}
		if left {
			shown, left = append(shown, "…"), false
		}
		shown = append(shown, lines[i])
	}
	if left && len(shown) > 0 {
		shown = append(shown, "…")
	}
	return shown
}

// alignLines returns all lines, each behind what diffLines says. It keeps the longest common subsequence.
func alignLines(before, after []string) []string {
	var head, tail []string
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		head = append(head, "  "+before[0])
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		tail = append(tail, "  "+after[len(after)-1])
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	slices.Reverse(tail)
	// common[i][k] is how many lines before[i:] and after[k:] have in common.
	var common [][]int32
	if len(before)*len(after) <= diffMax {
		common = make([][]int32, len(before)+1)
		for i := range common {
			common[i] = make([]int32, len(after)+1)
		}
		for i := len(before) - 1; i >= 0; i-- {
			for k := len(after) - 1; k >= 0; k-- {
				if before[i] == after[k] {
					common[i][k] = common[i+1][k+1] + 1
				} else {
					common[i][k] = max(common[i+1][k], common[i][k+1])
				}
			}
		}
	}
	i, k := 0, 0
	for i < len(before) || k < len(after) {
		switch {
		case common != nil && i < len(before) && k < len(after) && before[i] == after[k]:
			head = append(head, "  "+before[i])
			i, k = i+1, k+1
		case k == len(after) || i < len(before) && (common == nil || common[i+1][k] >= common[i][k+1]):
			head = append(head, "- "+before[i])
			i++
		default:
			head = append(head, "+ "+after[k])
			k++
		}
	}
	return append(head, tail...)
}
