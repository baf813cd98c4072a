package attribute

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Members decodes a JSON object as [encoding/json] does with UseNumber: texts as string, numbers as
// [encoding/json.Number] with their digits, lists as []any, objects as map[string]any. It takes a fifth of the time or
// less, and is for documents of the database, which have few escapes. An error has a position and no value.
//
// An empty document is an object without members. The members keep a copy of the text of document alive.
func Members(document []byte) (map[string]any, error) {
	if len(document) == 0 {
		return map[string]any{}, nil
	}
	d, err := newDecoder(document)
	if err != nil {
		return nil, err
	}
	d.space()
	members, err := d.members(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.at != len(d.text) {
		return nil, d.fault("the end of the document")
	}
	return members, nil
}

// depthMax is how deep values may be inside of each other, as in encoding/json.
const depthMax = 10_000

func (d *decoder) members(depth int) (map[string]any, error) {
	if !d.take('{') {
		return nil, d.fault("an object")
	}
	if depth > depthMax {
		return nil, fmt.Errorf("attributes: at byte %d: more than %d values inside of each other", d.at, depthMax)
	}
	size := 0
	if depth == 0 { // the document has most of the names
		size = min(strings.Count(d.text, `":`), decodedMax)
	}
	members := make(map[string]any, size)
	for first := true; !d.take('}'); first = false {
		if !first && !d.take(',') {
			return nil, d.fault("a comma or the end of the object")
		}
		d.space()
		name, err := d.str()
		if err != nil {
			return nil, err
		}
		if !d.take(':') {
			return nil, d.fault("a colon")
		}
		if members[name], err = d.any(depth); err != nil {
			return nil, err
		}
	}
	return members, nil
}

func (d *decoder) any(depth int) (any, error) {
	d.space()
	if d.at >= len(d.text) {
		return nil, d.fault("a value")
	}
	switch d.text[d.at] {
	case '"':
		return d.str()
	case '{':
		return d.members(depth + 1)
	case '[':
		return d.elements(depth + 1)
	}
	value, err := d.literal()
	if err != nil {
		return nil, err
	}
	switch value.kind {
	case KindBool:
		return value.text == "true", nil
	case KindNumber:
		return json.Number(value.text), nil
	}
	return nil, nil //nolint:nilnil // null
}

func (d *decoder) elements(depth int) ([]any, error) {
	if depth > depthMax {
		return nil, fmt.Errorf("attributes: at byte %d: more than %d values inside of each other", d.at, depthMax)
	}
	d.at++
	list := []any{}
	for first := true; !d.take(']'); first = false {
		if !first && !d.take(',') {
			return nil, d.fault("a comma or the end of the list")
		}
		element, err := d.any(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, element)
	}
	return list, nil
}
