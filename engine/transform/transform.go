package transform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
)

// Library is what a transform may refer to.
type Library interface {
	// Transform returns the definition of a saved transform.
	Transform(name string) (definition []byte, ok bool)
}

// Account is an account of the identity that a value is calculated for.
type Account struct {
	SourceID       string
	SourceName     string
	ID             string
	NativeIdentity string
	Name           string
	Created        time.Time
	Attributes     *attribute.Set
}

// Input is what a value is calculated from.
type Input struct {
	Identity  *attribute.Set
	Accounts  []Account
	Now       time.Time
	Random    io.Reader
	Attribute string          // the identity attribute that is calculated
	OldValue  attribute.Value // what it was
}

// CompileError says what is wrong with a definition, and where.
type CompileError struct {
	Path string
	Msg  string
}

func (e *CompileError) Error() string {
	if e.Path == "" {
		return e.Msg
	}
	return e.Path + ": " + e.Msg
}

// Transform is a compiled transform.
type Transform struct{ root *accountAttribute }

// accountAttribute takes a value from an account on a source.
type accountAttribute struct {
	sourceID, sourceName string
	name                 string
	sort                 string
	descending           bool
	firstLink            bool
}

// Compile checks a definition and makes a transform of it. The error is a [*CompileError].
func Compile(definition []byte, _ Library) (*Transform, error) {
	var shape struct {
		Type       string         `json:"type"`
		Attributes map[string]any `json:"attributes"`
	}
	if err := json.Unmarshal(definition, &shape); err != nil {
		return nil, &CompileError{Msg: "a transform is an object with type and attributes: " + err.Error()}
	}
	switch shape.Type {
	case "accountAttribute":
	case "":
		return nil, &CompileError{Path: "type", Msg: "it is missing"}
	default:
		return nil, &CompileError{
			Path: "type",
			Msg:  fmt.Sprintf("the operation %q is not supported by this version: accountAttribute is", shape.Type),
		}
	}
	a := &accountAttribute{sort: "created"}
	for _, member := range []struct {
		name   string
		target *string
	}{
		{"applicationName", &a.sourceName}, {"sourceName", &a.sourceName}, {"applicationId", &a.sourceID},
		{"sourceId", &a.sourceID}, {"attributeName", &a.name}, {"accountSortAttribute", &a.sort},
	} {
		switch value := shape.Attributes[member.name].(type) {
		case nil:
		case string:
			*member.target = value
		default:
			return nil, &CompileError{Path: "attributes." + member.name, Msg: "a text is expected"}
		}
	}
	flags := map[string]*bool{"accountSortDescending": &a.descending, "accountReturnFirstLink": &a.firstLink}
	for name, target := range flags {
		switch value := shape.Attributes[name].(type) {
		case nil:
		case bool:
			*target = value
		default:
			return nil, &CompileError{Path: "attributes." + name, Msg: "true or false is expected"}
		}
	}
	for _, name := range []string{"accountFilter", "accountPropertyFilter"} {
		if shape.Attributes[name] != nil {
			return nil, &CompileError{Path: "attributes." + name, Msg: "it is not supported by this version"}
		}
	}
	switch {
	case a.name == "":
		return nil, &CompileError{Path: "attributes.attributeName", Msg: "it is missing"}
	case a.sourceID == "" && a.sourceName == "":
		return nil, &CompileError{Path: "attributes.sourceName", Msg: "it is missing"}
	}
	return &Transform{a}, nil
}

// Evaluate calculates the value: of the accounts on the source, in their order, the first value that is not null; or
// the first account's value whatever it is, where accountReturnFirstLink is set.
func (t *Transform) Evaluate(in *Input) (attribute.Value, error) {
	if in == nil {
		return attribute.Null, errors.New("there is no input")
	}
	a := t.root
	for _, account := range a.accounts(in.Accounts) {
		if value := account.Attributes.Get(a.name); a.firstLink || !value.IsNull() {
			return value, nil
		}
	}
	return attribute.Null, nil
}

// accounts returns the accounts on the source, sorted.
func (a *accountAttribute) accounts(all []Account) []*Account {
	var accounts []*Account
	for i := range all {
		byID := a.sourceID != "" && strings.EqualFold(all[i].SourceID, a.sourceID)
		if byID || a.sourceName != "" && all[i].SourceName == a.sourceName {
			accounts = append(accounts, &all[i])
		}
	}
	if len(accounts) > 1 {
		slices.SortStableFunc(accounts, func(x, y *Account) int {
			order := x.Created.Compare(y.Created)
			if a.sort != "created" {
				order = strings.Compare(x.Attributes.Get(a.sort).Text(), y.Attributes.Get(a.sort).Text())
			}
			if a.descending {
				return -order
			}
			return order
		})
	}
	return accounts
}
