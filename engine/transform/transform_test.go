package transform

import (
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
)

func account(source, native string, age time.Duration, attributes map[string]attribute.Value) Account {
	set := attribute.SetOf(attributes)
	return Account{
		SourceName: source, SourceID: "ID of " + source, NativeIdentity: native, Attributes: &set,
		Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(-age),
	}
}

func TestAccountAttribute(t *testing.T) {
	x := attribute.String
	accounts := []Account{
		account("HR", "young", 0, map[string]attribute.Value{"mail": x("young"), "rank": x("a")}),
		account("HR", "old", time.Hour, map[string]attribute.Value{"rank": x("b"), "groups": attribute.List([]string{"1", "2"})}),
		account("Directory", "d", 0, map[string]attribute.Value{"mail": x("directory")}),
	}
	for definition, want := range map[string]string{
		`{"sourceName":"HR","attributeName":"mail"}`:                                                              `"young"`,
		`{"sourceName":"HR","attributeName":"rank"}`:                                                              `"b"`,
		`{"sourceName":"HR","attributeName":"rank","accountSortDescending":true}`:                                 `"a"`,
		`{"sourceName":"HR","attributeName":"rank","accountSortAttribute":"rank"}`:                                `"a"`,
		`{"sourceName":"HR","attributeName":"mail","accountReturnFirstLink":true}`:                                `null`,
		`{"sourceName":"HR","attributeName":"groups"}`:                                                            `["1","2"]`,
		`{"applicationName":"Directory","attributeName":"mail"}`:                                                  `"directory"`,
		`{"sourceName":"renamed since","sourceId":"id OF directory","attributeName":"mail"}`:                      `"directory"`,
		`{"sourceName":"Payroll","attributeName":"mail"}`:                                                         `null`,
		`{"sourceName":"HR","attributeName":"Mail"}`:                                                              `null`,
		`{"sourceName":"HR","attributeName":"rank","accountSortAttribute":"mail","requiresPeriodicRefresh":true}`: `"b"`,
	} {
		tr, err := Compile([]byte(`{"type":"accountAttribute","attributes":`+definition+`}`), nil)
		if err != nil {
			t.Errorf("%s: %v", definition, err)
			continue
		}
		value, err := tr.Evaluate(&Input{Accounts: accounts})
		if got := string(value.AppendJSON(nil)); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", definition, got, err, want)
		}
	}
}

func TestCompileFaults(t *testing.T) {
	for definition, want := range map[string]string{
		`[]`:                          "a transform is an object",
		`{}`:                          "type: it is missing",
		`{"type":"uper"}`:             `type: the operation "uper" is not supported`,
		`{"type":"accountAttribute"}`: "attributes.attributeName: it is missing",
		`{"type":"accountAttribute","attributes":{"attributeName":"x"}}`:                                        "attributes.sourceName: it is missing",
		`{"type":"accountAttribute","attributes":{"attributeName":5}}`:                                          "attributes.attributeName: a text is expected",
		`{"type":"accountAttribute","attributes":{"accountSortDescending":"x"}}`:                                "true or false is expected",
		`{"type":"accountAttribute","attributes":{"sourceName":"x","attributeName":"y","accountFilter":"(a)"}}`: "attributes.accountFilter: it is not supported",
	} {
		if _, err := Compile([]byte(definition), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", definition, err, want)
		}
	}
}
