package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/javaregex"
	"github.com/muster-engine/muster/engine/transform/velocity"
)

var now = time.Date(2026, 3, 1, 8, 30, 15, 0, time.UTC)

// saved is the library of the tests.
type saved map[string]string

func (s saved) Transform(name string) ([]byte, bool) {
	definition, ok := s[name]
	return []byte(definition), ok
}

func (saved) Rule(name string) (Rule, bool) {
	rules := map[string]Rule{
		"echo": func(in *RuleInput) (attribute.Value, error) {
			return attribute.String(in.Value.Text() + "/" + in.Attributes["suffix"].Text()), nil
		},
		"broken": func(*RuleInput) (attribute.Value, error) { return attribute.Null, errors.New("no such grade") },
	}
	rule, ok := rules[name]
	return rule, ok
}

var library = saved{
	"Shout":  `{"name": "Shout", "type": "upper"}`,
	"Dept":   `{"name": "Dept", "type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "dept"}}`,
	"Nested": `{"name": "Nested", "type": "concat", "attributes": {"values": [{"type": "reference", "attributes": {"id": "Dept"}}, "!"]}}`,
	"Ping":   `{"name": "Ping", "type": "reference", "attributes": {"id": "Pong"}}`,
	"Pong":   `{"name": "Pong", "type": "lower", "attributes": {"input": {"type": "reference", "attributes": {"id": "Ping"}}}}`,
	"Faulty": `{"name": "Faulty", "type": "concat", "attributes": {"values": [{"type": "uper"}]}}`,
	"Broken": `{"name": "Broken", "type": "concat", "attributes": {"values": [{"type": "lookup", "attributes": {"table": {"a": "b"}, "input": "x"}}]}}`,
	"Now":    `{"name": "Now", "type": "dateMath", "attributes": {"expression": "now"}, "requiresPeriodicRefresh": true}`,
}

// directory is the directory of the tests.
type directory struct{}

func (directory) Manager() (*Identity, error) {
	return &Identity{ID: "m1", Name: "Bo Boss", Alias: "bboss", Attributes: setOf("email", "bo@example.com", "country", "NL")}, nil
}
func (directory) IsManager() (bool, error) { return true, nil }

func (directory) Identity(alias string) (*Identity, error) {
	if alias == "cfo" {
		return &Identity{ID: "c1", Alias: "cfo", Attributes: setOf("email", "cfo@example.com")}, nil
	}
	return nil, nil
}

func setOf(pairs ...string) *attribute.Set {
	set := &attribute.Set{}
	for i := 0; i < len(pairs); i += 2 {
		set.Put(pairs[i], attribute.String(pairs[i+1]))
	}
	return set
}

func account(source, native string, age int, pairs ...string) Account {
	return Account{
		SourceName: source, SourceID: "id-" + source, ID: native, NativeIdentity: native, Name: "Display " + native,
		Created: now.AddDate(0, 0, -age), Attributes: setOf(pairs...),
	}
}

func testInput() *Input {
	in := &Input{
		Value: attribute.String("input"),
		Identity: Identity{
			ID: "i1", Name: "Ann Bäker", Alias: "abaker",
			Attributes: setOf("firstname", "Ann", "lastname", "Bäker", "uid", "abaker", "dept", "Sales", "empty", ""),
		},
		Accounts: []Account{
			account("AD", "CN=new", 1, "sam", "new", "title", "B", "rank", "9"),
			account("AD", "CN=old", 30, "sam", "old", "rank", "10"),
			account("AD", "*DELETED*", 60, "title", "A", "sam", "deleted"),
			account("HR", "7", 90, "dept", "Sales", "end_date", "2026-03-05", "grade", "12"),
		},
		Now: now, Random: rand.NewChaCha8([32]byte{1}), Attribute: "email", OldValue: attribute.String("old@example.com"),
		Directory: directory{}, Variables: map[string]attribute.Value{"application": attribute.String("AD")},
	}
	in.Accounts[3].Attributes.Put("groups", attribute.List([]string{"a", "b"}))
	in.Accounts[3].Attributes.Put("count", attribute.Int(3))
	in.Accounts[3].Attributes.Put("active", attribute.Bool(true))
	in.Identity.Attributes.Put("groups", attribute.List([]string{"a", "b"}))
	return in
}

// evaluate compiles and evaluates; the result is JSON, or the error after "ERR ".
func evaluate(t testing.TB, definition string, in *Input) string {
	t.Helper()
	compiled, err := Compile([]byte(definition), library)
	if err != nil {
		t.Fatalf("%s: %v", definition, err)
	}
	value, err := compiled.Evaluate(in)
	if err != nil {
		return "ERR " + err.Error()
	}
	return string(value.AppendJSON(nil))
}

const (
	adTitle = `{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "title"}}`
	hrNone  = `{"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "none"}}`
	fails   = `{"type": "lookup", "attributes": {"table": {}, "input": "x"}}`
)

func TestEvaluate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ definition, want string }{
		// accountAttribute
		{adTitle, `"A"`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "sam"}}`, `"deleted"`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "title", "accountSortDescending": "true"}}`, `"B"`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "title", "accountSortAttribute": "rank", "accountReturnFirstLink": true}}`, `null`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "sam", "accountSortAttribute": "rank"}}`, `"old"`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "sam", "accountSortAttribute": "rank", "accountSortDescending": true}}`, `"new"`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "sam", "accountFilter": "!(nativeIdentity.startsWith(\"*DELETED*\"))"}}`, `"old"`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "sam", "accountPropertyFilter": "title == \"B\" && rank.notNull()"}}`, `"new"`},
		{`{"type": "accountAttribute", "attributes": {"applicationName": "AD", "attributeName": "sam", "accountFilter": "displayName.contains(\"CN\")", "accountPropertyFilter": "rank == \"9\""}}`, `"new"`},
		{`{"type": "accountAttribute", "attributes": {"applicationId": "ID-hr", "attributeName": "grade"}}`, `"12"`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "groups"}}`, `["a","b"]`},
		{`{"type": "accountAttribute", "attributes": {"sourceName": "Nowhere", "attributeName": "x"}}`, `null`},

		// texts
		{`{"type": "upper", "attributes": {"input": "straße"}}`, `"STRASSE"`},
		{`{"type": "lower", "attributes": {"input": "ÀÉÎ İ"}}`, `"àéî i̇"`},
		{`{"type": "lower"}`, `"input"`},
		{`{"type": "trim", "attributes": {"input": "\t\u00a0 a b \n"}}`, `"a b"`},
		{`{"type": "upper", "attributes": {"input": ` + hrNone + `}}`, `null`},
		{`{"type": "base64Encode", "attributes": {"input": "Grüße"}}`, `"R3LDvMOfZQ=="`},
		{`{"type": "base64Decode", "attributes": {"input": "R3LDvMOfZQ"}}`, `"Grüße"`},
		{`{"type": "base64Decode", "attributes": {"input": "Pz8_Pj4-"}}`, `"???>>>"`},
		{`{"type": "base64Decode", "attributes": {"input": "/w=="}}`, `ERR base64Decode: the input decodes to bytes that are not text`},
		{`{"type": "base64Decode", "attributes": {"input": "a*b"}}`, `ERR base64Decode: the input is not base64`},
		{`{"type": "decomposeDiacriticalMarks", "attributes": {"input": "Čapek Łódź ﬁ ñ"}}`, `"Capek Łodz fi n"`},
		{`{"type": "concat", "attributes": {"values": ["a", ` + hrNone + `, "b", 7, true]}}`, `"ab7true"`},
		{`{"type": "concat", "attributes": {"values": [` + hrNone + `]}}`, `null`},
		{`{"type": "concat", "attributes": {"values": []}}`, `""`},
		{`{"type": "join", "attributes": {"values": ["a", ` + hrNone + `, "b"]}}`, `"a,b"`},
		{`{"type": "join", "attributes": {"values": ["a", "b"], "separator": " | "}}`, `"a | b"`},
		{`{"type": "replace", "attributes": {"regex": "(\\w+)@.*", "replacement": "$1", "input": "ann@example.com"}}`, `"ann"`},
		{`{"type": "replace", "attributes": {"regex": "[^a-z]", "replacement": "$last", "last": "x", "input": "a1b"}}`, `"axb"`},
		{`{"type": "replace", "attributes": {"regex": "(?<=a)b(?!c)", "replacement": "", "input": "abc abd"}}`, `"abc ad"`},
		{`{"type": "replaceAll", "attributes": {"table": {"a": "b", "b": "c", "[0-9]": ""}, "input": "a1b2"}}`, `"cc"`},
		{`{"type": "replaceAll", "attributes": {"table": {}, "input": "ab"}}`, `"ab"`},
		{`{"type": "replaceAll", "attributes": {"input": "ab"}}`, `"ab"`},

		// positions
		{`{"type": "indexOf", "attributes": {"substring": "k", "input": "Bäker"}}`, `"2"`},
		{`{"type": "indexOf", "attributes": {"substring": "x", "input": "Bäker"}}`, `"-1"`},
		{`{"type": "lastIndexOf", "attributes": {"substring": "ä", "input": "ääb"}}`, `"1"`},
		{`{"type": "substring", "attributes": {"begin": 1, "end": 3, "input": "Bäker"}}`, `"äk"`},
		{`{"type": "substring", "attributes": {"begin": "-1", "end": "2", "input": "abcd"}}`, `"ab"`},
		{`{"type": "substring", "attributes": {"begin": 2, "end": -1, "input": "abcd"}}`, `"cd"`},
		{`{"type": "substring", "attributes": {"begin": 2, "end": 99, "input": "abcd"}}`, `"cd"`},
		{`{"type": "substring", "attributes": {"begin": 4, "input": "abcd"}}`, `""`},
		{`{"type": "substring", "attributes": {"begin": 5, "input": "abcd"}}`, `null`},
		{`{"type": "substring", "attributes": {"begin": 3, "end": 1, "input": "abcd"}}`, `""`},
		{`{"type": "substring", "attributes": {"begin": 0, "beginOffset": 1, "end": 2, "endOffset": 1, "input": "abcd"}}`, `"bc"`},
		{`{"type": "substring", "attributes": {"begin": -1, "beginOffset": 2, "endOffset": 1, "input": "abcd"}}`, `"abcd"`},
		{`{"type": "substring", "attributes": {"begin": {"type": "indexOf", "attributes": {"substring": "@"}}, "beginOffset": 1, "input": "a@b"}}`, `"b"`},
		{`{"type": "leftPad", "attributes": {"length": "5", "padding": "0", "input": "ä1"}}`, `"000ä1"`},
		{`{"type": "rightPad", "attributes": {"length": 6, "padding": "xyz", "input": "ab"}}`, `"abxyzx"`},
		{`{"type": "rightPad", "attributes": {"length": 4, "input": "ab"}}`, `"ab  "`},
		{`{"type": "leftPad", "attributes": {"length": 1, "input": "ab"}}`, `"ab"`},
		{`{"type": "split", "attributes": {"delimiter": ",\\s*", "index": "1", "input": "a, b,c"}}`, `"b"`},
		{`{"type": "split", "attributes": {"delimiter": ",", "index": 5, "input": "a,b", "throws": false}}`, `null`},
		{`{"type": "split", "attributes": {"delimiter": ",", "index": 5, "input": "a,b"}}`, `ERR split: there is no part 5: the input has 2`},
		{`{"type": "split", "attributes": {"delimiter": ",", "index": -1, "input": "a,b"}}`, `ERR split: there is no part -1: the input has 2`},
		{`{"type": "split", "attributes": {"delimiter": "\\$", "index": 1, "input": "a\\$b"}}`, `"b"`},
		{`{"type": "split", "attributes": {"delimiter": "\\#|$mark", "index": 2.0, "input": "a#b,c", "mark": ","}}`, `"c"`},
		{`{"type": "split", "attributes": {"delimiter": ",", "index": 2, "throws": true, "input": "a,b"}}`, `ERR split: there is no part 2: the input has 2`},

		// choices
		{`{"type": "conditional", "attributes": {"expression": "$dept eq Sales", "positiveCondition": "$yes", "negativeCondition": "n", "dept": {"type": "reference", "attributes": {"id": "Dept"}}, "yes": "y"}}`, `"y"`},
		{`{"type": "conditional", "attributes": {"expression": "a b eq a  b", "positiveCondition": "y", "negativeCondition": null}}`, `null`},
		{`{"type": "conditional", "attributes": {"expression": "Sales eq sales", "positiveCondition": "y", "negativeCondition": "n"}}`, `"n"`},
		{`{"type": "conditional", "attributes": {"expression": "$x eq ", "positiveCondition": "y", "negativeCondition": "n", "x": ""}}`, `"y"`},
		{`{"type": "conditional", "attributes": {"expression": "$x eq 1", "positiveCondition": "y", "negativeCondition": "n", "x": ` + hrNone + `}}`,
			`ERR conditional: the left side of eq is null: give it a value by firstValid`},
		{`{"type": "firstValid", "attributes": {"values": [` + hrNone + `, "b"]}}`, `"b"`},
		{`{"type": "firstValid", "attributes": {"values": [null, ` + hrNone + `]}}`, `null`},
		{`{"type": "firstValid", "attributes": {"values": ["$identity.getManager().getId()", "none"]}}`, `"m1"`},
		{`{"type": "firstValid", "attributes": {"values": ["$identity.nickname", "none"]}}`, `"none"`},
		{`{"type": "firstValid", "attributes": {"values": [` + fails + `, "b"], "ignoreErrors": "true"}}`, `"b"`},
		{`{"type": "firstValid", "attributes": {"values": [` + fails + `, "b"]}}`, `ERR attributes.values[0]: lookup: the table has no such key, and no default`},
		{`{"type": "lookup", "attributes": {"table": {"a": "1", "input": "$identity.uid", "default": "d"}}}`, `"abaker"`},
		{`{"type": "lookup", "attributes": {"table": {"a": "1", "default": "d"}, "input": "A"}}`, `"d"`},
		{`{"type": "lookup", "attributes": {"table": {"a": "1", "default": "d"}, "input": ` + hrNone + `}}`, `"d"`},
		{`{"type": "lookup", "attributes": {"table": {"": "1"}, "input": ` + hrNone + `}}`, `ERR lookup: there is no input`},
		{`{"type": "lookup", "attributes": {"table": {"default": "d"}, "input": "default"}}`, `"d"`},

		// references and rules
		{`{"type": "reference", "attributes": {"id": "Shout"}}`, `"INPUT"`},
		{`{"type": "reference", "attributes": {"id": "Shout", "input": "abc"}}`, `"ABC"`},
		{`{"type": "reference", "attributes": {"id": "Nested"}}`, `"Sales!"`},
		{`{"type": "reference", "attributes": {"id": "Broken"}}`, `ERR transform "Broken": attributes.values[0]: lookup: the table has no such key, and no default`},
		{`{"type": "rule", "attributes": {"name": "echo", "suffix": "$identity.uid"}}`, `"input/abaker"`},
		{`{"name": "Grade", "type": "rule", "attributes": {"name": "broken"}}`, `ERR transform "Grade": rule: no such grade`},
		{`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEndOfString", "numChars": "2", "input": "Bäk"}}`, `"äk"`},
		{`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEndOfString", "numChars": 9}}`, `null`},
		{`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getReferenceIdentityAttribute", "uid": "manager", "attributeName": "email"}}`, `"bo@example.com"`},
		{`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getReferenceIdentityAttribute", "uid": "cfo", "attributeName": "email"}}`, `"cfo@example.com"`},
		{`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getReferenceIdentityAttribute", "uid": "nobody", "attributeName": "email"}}`, `null`},

		// identity attributes and templates
		{`{"type": "identityAttribute", "attributes": {"name": "dept"}}`, `"Sales"`},
		{`{"type": "identityAttribute", "attributes": {"name": "groups"}}`, `["a","b"]`},
		{`{"type": "identityAttribute", "attributes": {"name": "none"}}`, `null`},
		{`{"type": "displayName"}`, `"Ann Bäker"`},
		{`{"type": "static", "attributes": {"value": "$a-$b", "a": "x", "b": {"type": "upper", "attributes": {"input": "$a"}}}}`, `"x-X"`},
		{`{"type": "static", "attributes": {"values": "v"}}`, `"v"`},
		{`{"type": "static", "attributes": {"value": "$a.replace('b', 'c')", "a": "abc"}}`, `"acc"`},
		{`{"type": "static", "attributes": {"value": "$a", "a": ` + hrNone + `}}`, `null`},
		{`{"type": "static", "attributes": {"value": "[$!a]", "a": ` + hrNone + `}}`, `"[]"`},
		{`{"type": "static", "attributes": {"value": "$g", "g": {"type": "identityAttribute", "attributes": {"name": "groups"}}}}`, `["a","b"]`},
		{`{"type": "static", "attributes": {"value": "#foreach($x in $g)$x;#end", "g": {"type": "identityAttribute", "attributes": {"name": "groups"}}}}`, `"a;b;"`},
		{`{"type": "static", "attributes": {"value": "$a", "a": "$a"}}`, `ERR static: a variable is calculated from itself`},
		{`{"type": "static", "attributes": {"value": "$identity.getAttribute('dept') $identity.firstname $identity.getManager().getStringAttribute('country') $identity.getManagerStatus()"}}`, `"Sales Ann NL true"`},
		{`{"type": "static", "attributes": {"value": "$identity.getLinksByAppIdOrName('AD',null).size() $identity.getLinks()[3].getNativeIdentity() $identity.getLinks()[0].getAttribute('sam')"}}`, `"3 7 new"`},
		{`{"type": "static", "attributes": {"value": "$oldValue|$attributeDefinition.getName()|$application|$input"}}`, `"old@example.com|email|AD|input"`},
		{`{"type": "static", "attributes": {"value": "$identity.getShoeSize()"}}`, `ERR static: $identity.getShoeSize(): an identity has no method getShoeSize`},
		{`{"type": "static", "attributes": {"value": 5}}`, `5`},

		// dates
		{`{"type": "dateFormat", "attributes": {"inputFormat": "M/d/yyyy", "outputFormat": "ISO8601", "input": "3/1/2026"}}`, `"2026-03-01T00:00:00.000Z"`},
		{`{"type": "dateFormat", "attributes": {"outputFormat": "EPOCH_TIME_JAVA", "input": "2026-03-01T08:30:15.250+02:00"}}`, `"1772346615250"`},
		{`{"type": "dateFormat", "attributes": {"inputFormat": "EPOCH_TIME_JAVA", "outputFormat": "EPOCH_TIME_WIN32", "input": "0"}}`, `"116444736000000000"`},
		{`{"type": "dateFormat", "attributes": {"inputFormat": "EPOCH_TIME_WIN32", "outputFormat": "yyyy-MM-dd", "input": "116444736000000000"}}`, `"1970-01-01"`},
		{`{"type": "dateFormat", "attributes": {"inputFormat": "LDAP", "outputFormat": "PEOPLE_SOFT", "input": "20260301083015.0Z"}}`, `"03/01/2026"`},
		{`{"type": "dateFormat", "attributes": {"inputFormat": "LDAP", "outputFormat": "yyyy-MM-dd HH:mm", "input": "20260301083015+0100"}}`, `"2026-03-01 07:30"`},
		{`{"type": "dateFormat", "attributes": {"inputFormat": "yyyy-MM-dd", "outputFormat": "EEEE d MMMM", "input": "2026-03-01"}}`, `"Sunday 1 March"`},
		{`{"type": "dateFormat", "attributes": {"inputFormat": "yyyy-MM-dd", "input": "soon"}}`, `ERR dateFormat: it is not a date of the format yyyy-MM-dd: at character 1: want yyyy`},
		{`{"type": "dateFormat", "attributes": {"input": ` + hrNone + `}}`, `null`},
		{`{"type": "dateMath", "attributes": {"expression": "now"}}`, `"2026-03-01T08:30"`},
		{`{"type": "dateMath", "attributes": {"expression": "now/h", "roundUp": true}}`, `"2026-03-01T09:00"`},
		{`{"type": "dateMath", "attributes": {"expression": "now-5d/d"}}`, `"2026-02-24T00:00"`},
		{`{"type": "dateMath", "attributes": {"expression": "now+1y+1M+2d-4h+1m-3s/s"}}`, `"2027-04-03T04:31"`},
		{`{"type": "dateMath", "attributes": {"expression": "+1M", "input": "2026-01-31T10:00:00.000Z"}}`, `"2026-02-28T10:00"`},
		{`{"type": "dateMath", "attributes": {"expression": "-1y/M", "input": "2024-02-29"}}`, `"2023-02-01T00:00"`},
		{`{"type": "dateMath", "attributes": {"expression": "+2w/y", "roundUp": "true", "input": "2026-12-25T00:00"}}`, `"2028-01-01T00:00"`},
		{`{"type": "dateMath", "attributes": {"expression": "now+1d", "input": "garbage"}}`, `"2026-03-02T08:30"`},
		{`{"type": "dateMath", "attributes": {"expression": "+1d", "input": "garbage"}}`, `ERR dateMath: it is not a date in ISO 8601: want yyyy-MM-dd'T'HH:mm:ss.SSSZ`},
		{`{"type": "dateMath", "attributes": {"expression": "+9000y", "input": "2026-01-01"}}`, `ERR dateMath: the date leaves the years 1 to 9999`},
		{`{"type": "dateMath", "attributes": {"expression": "+1d", "input": ` + hrNone + `}}`, `null`},
		{compareNow("gt", `"2026-03-01T08:30:16Z"`), `"yes"`},
		{compareNow("GT", `"2026-03-01T08:30:15Z"`), `"no"`},
		{compareNow("gte", `"2026-03-01T08:30:15Z"`), `"yes"`},
		{compareNow("lt", `"2026-03-01"`), `"yes"`},
		{compareNow("LTE", `"2026-03-01T10:30:15.000+0200"`), `"yes"`},
		{compareNow("LT", hrNone), `ERR dateCompare: firstDate is null: give it a value by firstValid`},
		{compareNow("LT", `"soon"`), `ERR dateCompare: firstDate is not a date in ISO 8601: want yyyy-MM-dd'T'HH:mm:ss.SSSZ`},

		// names, countries, languages and telephones
		{`{"type": "normalizeNames", "attributes": {"input": "JEAN-luc o'NEIL"}}`, `"Jean-Luc O'Neil"`},
		{`{"type": "normalizeNames", "attributes": {"input": "mary mcdonald y garcia de la cruz"}}`, `"Mary McDonald y Garcia de la Cruz"`},
		{`{"type": "normalizeNames", "attributes": {"input": "HENRY MACLEOD iii"}}`, `"Henry MacLeod III"`},
		{`{"type": "normalizeNames", "attributes": {"input": "john smith iv jr."}}`, `"John Smith IV Jr."`},
		{`{"type": "normalizeNames", "attributes": {"input": "jet li"}}`, `"Jet Li"`},
		{`{"type": "normalizeNames", "attributes": {"input": "élodie ÅSTRÖM"}}`, `"Élodie Åström"`},
		{`{"type": "normalizeNames", "attributes": {"input": ""}}`, `""`},
		{`{"type": "iso3166", "attributes": {"input": "nl"}}`, `"NL"`},
		{`{"type": "iso3166", "attributes": {"input": "Deutschland", "format": "alpha3"}}`, `"DEU"`},
		{`{"type": "iso3166", "attributes": {"input": "276"}}`, `"DE"`},
		{`{"type": "iso3166", "attributes": {"input": "AFG", "format": "numeric"}}`, `"004"`},
		{`{"type": "iso3166", "attributes": {"input": "日本"}}`, `"JP"`},
		{`{"type": "iso3166", "attributes": {"input": "Österreich"}}`, `"AT"`},
		{`{"type": "iso3166", "attributes": {"input": "Suisse"}}`, `"CH"`},
		{`{"type": "iso3166", "attributes": {"input": "united kingdom"}}`, `"GB"`},
		{`{"type": "iso3166", "attributes": {"input": "Atlantis"}}`, `null`},
		{`{"type": "iso3166", "attributes": {"input": "999"}}`, `null`},
		{`{"type": "iso3166", "attributes": {"input": ""}}`, `null`},
		{`{"type": "rfc5646", "attributes": {"input": "german (austria)"}}`, `"de_AT"`},
		{`{"type": "rfc5646", "attributes": {"input": "nld"}}`, `"nl"`},
		{`{"type": "rfc5646", "attributes": {"input": "Klingonic"}}`, `null`},
		{`{"type": "rfc5646", "attributes": {"input": "German (Nowhere)"}}`, `null`},
		{`{"type": "e164phone", "attributes": {"input": "(206) 555-0100"}}`, `"+12065550100"`},
		{`{"type": "e164phone", "attributes": {"input": "020 7946 0018", "defaultRegion": "gb"}}`, `"+442079460018"`},
		{`{"type": "e164phone", "attributes": {"input": "+49 30 123456"}}`, `"+4930123456"`},
		{`{"type": "e164phone", "attributes": {"input": "call me"}}`, `null`},

		// usernameGenerator
		{username(`["$fn.$ln", "$fi$ln"]`), `"ann.bäker"`},
	} {
		if got := evaluate(t, test.definition, testInput()); got != test.want {
			t.Errorf("%s\ngives %s\nwant  %s", test.definition, got, test.want)
		}
	}
}

func compareNow(operator, date string) string {
	return fmt.Sprintf(`{"type": "dateCompare", "attributes": {"firstDate": %s, "secondDate": "now", "operator": %q, `+
		`"positiveCondition": "yes", "negativeCondition": "no"}}`, date, operator)
}

// username makes a generator of names with the usual variables.
func username(patterns string) string {
	lower := func(name string) string {
		return `{"type": "lower", "attributes": {"input": {"type": "identityAttribute", "attributes": {"name": "` + name + `"}}}}`
	}
	return `{"type": "usernameGenerator", "attributes": {"sourceCheck": true, "patterns": ` + patterns + `, "fn": ` + lower("firstname") +
		`, "ln": ` + lower("lastname") + `, "fi": {"type": "substring", "attributes": {"begin": 0, "end": 1, "input": ` +
		lower("firstname") + `}}, "mi": ` + lower("middlename") + `}}`
}

func TestUsernameGenerator(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, patterns, size, checks string
		taken                        int
		want                         string
		tried                        string
	}{
		{"the first is free", `["$fn.$ln"]`, "", "", 0, `ann.bäker`, "ann.bäker"},
		{"the second is free", `["$fn", "$fn.$ln"]`, "", "", 1, `ann.bäker`, "ann ann.bäker"},
		{"counting", `["$fi$ln", "$fn${uniqueCounter}"]`, "", "", 3, "ann2", "abäker ann ann1 ann2"},
		{"a variable that is null", `["$fn.$mi.$ln", "$fi$ln"]`, "", "", 0, "abäker", "abäker"},
		{"no variable has a value", `["$mi"]`, "", "", 0, "no pattern can be used", ""},
		{"all are taken", `["$fn${uniqueCounter}"]`, "", "2", 99, "no name is free: 3 were tried", "ann ann1 ann2"},
		{"cut to size", `["$fn.$ln${uniqueCounter}"]`, "5", "", 2, "ann.2", "ann.b ann.1 ann.2"},
		{"cut before the counter", `["${fn}X${uniqueCounter}@x"]`, "5", "", 1, "an1@x", "ann@x an1@x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			field := fmt.Sprintf(`{"name": "login", "transform": %s, "isRequired": true, "attributes": {"cloudMaxSize": %s, "cloudMaxUniqueChecks": %s}}`,
				username(test.patterns), quoteOrNull(test.size), quoteOrNull(test.checks))
			compiled, err := CompileField([]byte(field), nil)
			if err != nil {
				t.Fatal(err)
			}
			if compiled.Name != "login" || !compiled.Required || compiled.Type != "string" {
				t.Errorf("got %+v, want compiled.Name == \"login\" && compiled.Required && compiled.Type == \"string\"", compiled)
			}
			var tried []string
			in := testInput()
			in.Taken = func(c Candidate) (bool, error) {
				tried = append(tried, c.Name)
				return len(tried) <= test.taken, nil
			}
			value, err := compiled.Transform.Evaluate(in)
			got := value.Text()
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) || strings.Join(tried, " ") != test.tried {
				t.Errorf("%q after %q", got, tried)
			}
		})
	}
}

func quoteOrNull(s string) string {
	if s == "" {
		return "null"
	}
	return `"` + s + `"`
}

func TestRandom(t *testing.T) {
	t.Parallel()
	for definition, pattern := range map[string]string{
		`{"type": "randomAlphaNumeric"}`:                                  `^[a-zA-Z0-9]{32}$`,
		`{"type": "randomAlphaNumeric", "attributes": {"length": "450"}}`: `^[a-zA-Z0-9]{450}$`,
		`{"type": "randomNumeric"}`:                                       `^[0-9]{10}$`,
		`{"type": "randomNumeric", "attributes": {"length": 3}}`:          `^[0-9]{3}$`,
		`{"type": "uuid"}`:                                                `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
	} {
		in := testInput()
		first, second := evaluate(t, definition, in), evaluate(t, definition, in)
		if !regexp.MustCompile(pattern).MatchString(strings.Trim(first, `"`)) || first == second {
			t.Errorf("%s gives %s and %s", definition, first, second)
		}
		in.Random = nil
		if got := evaluate(t, definition, in); !strings.Contains(got, "no random source is given") {
			t.Errorf("%s without a source gives %s", definition, got)
		}
		in.Random = bytes.NewReader(nil)
		if got := evaluate(t, definition, in); !strings.Contains(got, "reading the random source") {
			t.Errorf("%s with an empty source gives %s", definition, got)
		}
		if compiled, err := Compile([]byte(definition), nil); err != nil || !compiled.Random() || compiled.TimeDependent() {
			t.Errorf("%s is not random: %v", definition, err)
		}
	}
}

// Each kind of character is in every random string that has room for it, and each as often as the others.
func TestGenerateRandomString(t *testing.T) {
	t.Parallel()
	definition := `{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "generateRandomString", ` +
		`"includeNumbers": "true", "includeSpecialChars": %q, "length": %q}}`
	in := testInput()
	for range 500 {
		text := strings.Trim(evaluate(t, fmt.Sprintf(definition, "true", "4"), in), `"`)
		var decoded string
		if err := json.Unmarshal([]byte(`"`+text+`"`), &decoded); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{digits, smalls, capitals, specials} {
			if !strings.ContainsAny(decoded, kind) {
				t.Fatalf("%s has none of %s", decoded, kind)
			}
		}
		if text := evaluate(t, fmt.Sprintf(definition, "false", "300"), in); strings.ContainsAny(text, specials) || len(text) != 302 {
			t.Fatal(text)
		}
	}
	counts := map[byte]int{}
	e := evaluation{in: in}
	for range 62_000 {
		n, err := e.draw(62)
		if err != nil {
			t.Fatal(err)
		}
		counts[byte(n)]++
	}
	for n, count := range counts {
		if count < 800 || count > 1200 {
			t.Errorf("%d was drawn %d times of about 1,000", n, count)
		}
	}
}

func TestCompileFaults(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"type": "lower", "attributes": {"input": `, 150) + `"x"` + strings.Repeat(`}}`, 150)
	for definition, want := range map[string]string{
		``:                                    "it is not JSON: the document ends too early",
		`{"type": `:                           "it is not JSON",
		"{\n\"a\" 1}":                         "line 2: it is not JSON",
		`[]`:                                  "a transform is an object with type and attributes, this is an array",
		`{} {}`:                               "something follows after the end of the document",
		`{}`:                                  "type: it is missing",
		`{"type": 5}`:                         "type: it is a number, the name of an operation is expected",
		`{"type": "uper"}`:                    `type: unknown operation "uper"; did you mean "upper"?`,
		`{"type": "lower", "type": "upper"}`:  "type: it is there twice",
		`{"type": "lower", "attributes": []}`: "attributes: it is an array, an object is expected",
		`{"type": "concat", "attributes": {"values": ["a", {"type": "uper"}, {"type": "trimm"}]}}`: `attributes.values[1].type: unknown operation "uper"; did you mean "upper"?; ` +
			`attributes.values[2].type: unknown operation "trimm"; did you mean "trim"?`,
		`{"type": "concat", "attributes": {"value": ["a"]}}`: `attributes.values: it is missing: concat needs it; is "value" meant for it?`,
		`{"type": "concat", "attributes": {"values": "a"}}`:  "attributes.values: it is a text, an array of values is expected",
		`{"type": "lookup"}`: "attributes.table: it is missing",
		`{"type": "lookup", "attributes": {"table": {"a b": {"type": "x"}}}}`:                                                                                  `attributes.table["a b"].type: unknown operation "x"`,
		`{"type": "split", "attributes": {"delimiter": "(", "index": 1}}`:                                                                                      "attributes.delimiter: at character 2 of the pattern: a group is not closed",
		`{"type": "split", "attributes": {"delimiter": ",", "index": "one"}}`:                                                                                  "attributes.index: a whole number is expected",
		`{"type": "replace", "attributes": {"regex": "a", "replacement": "$1"}}`:                                                                               "attributes.replacement: the replacement names the group 1",
		`{"type": "static", "attributes": {"value": "#if($x)"}}`:                                                                                               "attributes.value: at character 1 of the template: #if is not closed by #end",
		`{"type": "static", "attributes": {"value": "$x", "x": {"type": "y"}}}`:                                                                                "attributes.x.type: unknown operation",
		`{"type": "conditional", "attributes": {"expression": "a ne b", "positiveCondition": "", "negativeCondition": ""}}`:                                    "attributes.expression: it has the form A eq B: eq is the only comparison, not ne",
		`{"type": "conditional", "attributes": {"expression": "a EQ b", "positiveCondition": "", "negativeCondition": ""}}`:                                    "it is written in small letters",
		`{"type": "dateFormat", "attributes": {"inputFormat": "YYYY-MM-DDThh"}}`:                                                                               `attributes.inputFormat: 'T' is no pattern letter`,
		`{"type": "dateMath", "attributes": {"expression": "now/w"}}`:                                                                                          "attributes.expression: dates cannot be rounded to weeks",
		`{"type": "dateMath", "attributes": {"expression": "now+3"}}`:                                                                                          `"+3" is not followed by a unit`,
		`{"type": "dateMath", "attributes": {"expression": "now+d"}}`:                                                                                          "+ is followed by a number",
		`{"type": "dateMath", "attributes": {"expression": "tomorrow"}}`:                                                                                       `"tomorrow" begins no step`,
		`{"type": "dateCompare", "attributes": {"firstDate": "now", "secondDate": "now", "operator": "eq", "positiveCondition": "", "negativeCondition": ""}}`: `attributes.operator: unknown operator "eq"`,
		`{"type": "accountAttribute", "attributes": {"sourceName": "HR"}}`:                                                                                     "attributes.attributeName: it is missing",
		`{"type": "accountAttribute", "attributes": {"attributeName": "x", "source": "HR"}}`:                                                                   `attributes.sourceName: it is missing: accountAttribute needs it`,
		`{"type": "accountAttribute", "attributes": {"attributeName": "x", "sourceName": "HR", "accountFilter": "a = 1"}}`:                                     "attributes.accountFilter: at character 3 of the filter",
		`{"type": "accountAttribute", "attributes": {"attributeName": "x", "sourceName": "HR", "accountSortDescending": "yes"}}`:                               "attributes.accountSortDescending: true or false is expected",
		`{"type": "reference", "attributes": {"id": "Nobody"}}`:                                                                                                `attributes.id: there is no transform named "Nobody"`,
		`{"type": "reference", "attributes": {"id": "Ping"}}`:                                                                                                  `transform "Pong": attributes.input.attributes.id: the transforms refer to each other in a circle: Ping → Pong → Ping`,
		`{"type": "reference", "attributes": {"id": "Faulty"}}`:                                                                                                `transform "Faulty": attributes.values[0].type: unknown operation "uper"`,
		`{"type": "rule", "attributes": {"name": "Nothing"}}`:                                                                                                  `attributes.name: there is no rule named "Nothing"`,
		`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "getEnd"}}`:                                                 `attributes.operation: unknown operation "getEnd"`,
		`{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "generateRandomString", "length": "451"}}`:                  "attributes.length: a whole number from 1 to 450 is expected",
		`{"type": "randomNumeric", "attributes": {"length": 0}}`:                                                                                               "attributes.length: a whole number from 1 to 450",
		`{"type": "iso3166", "attributes": {"format": "alpha4"}}`:                                                                                              `attributes.format: unknown format "alpha4"`,
		`{"type": "e164phone", "attributes": {"defaultRegion": "USA"}}`:                                                                                        "attributes.defaultRegion: an ISO 3166-1 code of two letters",
		`{"type": "usernameGenerator", "attributes": {"patterns": []}}`:                                                                                        "attributes.patterns: an array of patterns is expected",
		`{"type": "usernameGenerator", "attributes": {"patterns": ["a${uniqueCounter}", "b"]}}`:                                                                "attributes.patterns[0]: only the last pattern may count",
		`{"type": "lower", "attributes": {"requiresPeriodicRefresh": "maybe"}}`:                                                                                "attributes.requiresPeriodicRefresh: true or false is expected",
		deep:                                 "transforms are nested deeper than 100",
		strings.Repeat(" ", DefinitionMax+1): "409600 are allowed",
		strings.Repeat("[", 5000):            "it is nested too deep",
	} {
		_, err := Compile([]byte(definition), library)
		var fault *CompileError
		if !errors.As(err, &fault) || len(fault.Faults) == 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v\nwant %s", definition, err, want)
		}
	}
}

func TestCompileFieldFaults(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		`[]`:                              "a field is an object",
		`{"transform": {"type": "uuid"}}`: "name: the name of an account attribute is expected",
		`{"name": "a", "transform": "x"}`: "transform: it is a text, a transform is expected",
		`{"name": "a", "transform": {"type": 1}}`:                     "transform.type: it is a number",
		`{"name": "a", "attributes": {"cloudMaxUniqueChecks": "51"}}`: "attributes.cloudMaxUniqueChecks: a whole number from 1 to 50",
	} {
		if _, err := CompileField([]byte(field), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %s: %v, want err != nil && strings.Contains(err.Error(), want)", field, err)
		}
	}
	if f, err := CompileField([]byte(`{"name": "a"}`), nil); err != nil || f.Transform != nil {
		t.Errorf("got %+v %v, want err == nil && f.Transform == nil", f, err)
	}
}

// What is open without a library fails when it is needed, and only then.
func TestNoLibrary(t *testing.T) {
	t.Parallel()
	for _, definition := range []string{
		`{"type": "reference", "attributes": {"id": "X"}}`, `{"type": "rule", "attributes": {"name": "X"}}`,
	} {
		compiled, err := Compile([]byte(definition), nil)
		if err != nil {
			t.Fatal(err)
		}
		var fault *EvalError
		if _, err := compiled.Evaluate(testInput()); !errors.As(err, &fault) || !strings.Contains(err.Error(), "not known here") {
			t.Errorf("got %s: %v, want errors.As(err, &fault) && strings.Contains(err.Error(), \"not known here\")", definition, err)
		}
	}
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	compiled, err := Compile([]byte(`{"name": "All", "type": "concat", "attributes": {"values": [
		{"type": "reference", "attributes": {"id": "Nested"}}, {"type": "reference", "attributes": {"id": "Now"}},
		{"type": "identityAttribute", "attributes": {"name": "uid"}}, {"type": "identityAttribute", "attributes": {"name": "uid"}},
		{"type": "accountAttribute", "attributes": {"sourceId": "7", "attributeName": "a", "accountPropertyFilter": "b == 1"}}]}}`), library)
	if err != nil {
		t.Fatal(err)
	}
	want := Dependencies{
		Accounts: []AccountAttribute{
			{"7", "", "a", false}, {"7", "", "b", true}, {"7", "", "created", true}, {"", "HR", "created", true}, {"", "HR", "dept", false},
		},
		Attributes: []string{"uid"}, Transforms: []string{"Dept", "Nested", "Now"}, Zone: true,
	}
	if diff := cmp.Diff(want, compiled.Dependencies()); diff != "" {
		t.Error(diff)
	}
	if !compiled.TimeDependent() || !compiled.RequiresPeriodicRefresh() || compiled.Random() || compiled.Name() != "All" {
		t.Errorf("got %+v, want compiled.TimeDependent() && compiled.RequiresPeriodicRefresh() && !compiled.Random() && compiled.Name() == \"All\"", compiled)
	}
	for definition, others := range map[string]bool{
		`{"type": "static", "attributes": {"value": "$identity.getManager().getId()"}}`: true,
		`{"type": "static", "attributes": {"value": "$identity.uid"}}`:                  false,
		`{"type": "rule", "attributes": {"name": "echo"}}`:                              true,
	} {
		compiled, err := Compile([]byte(definition), library)
		if err != nil {
			t.Fatal(err)
		}
		if d := compiled.Dependencies(); !d.Identity || d.Others != others || compiled.TimeDependent() {
			t.Errorf("got %s: %+v, want d.Identity && d.Others == others && !compiled.TimeDependent()", definition, d)
		}
	}
}

// The value stays the same up to the time that is told, and becomes another one then.
func TestEvaluateUntil(t *testing.T) {
	t.Parallel()
	end := `{"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "end_date"}}`
	week := `{"type": "dateFormat", "attributes": {"inputFormat": "yyyy-MM-dd'T'HH:mm", "input": {"type": "dateMath", "attributes": {"expression": "now+2d"}}}}`
	lifecycle := fmt.Sprintf(`{"type": "static", "attributes": {
		"ended": {"type": "dateCompare", "attributes": {"firstDate": "now", "secondDate": %[1]s, "operator": "gte", "positiveCondition": "true", "negativeCondition": "false"}},
		"soon": {"type": "dateCompare", "attributes": {"firstDate": %[1]s, "secondDate": %[2]s, "operator": "lte", "positiveCondition": "true", "negativeCondition": "false"}},
		"value": "#if($ended == 'true')ended#elseif($soon == 'true')soon#{else}active#end"}}`, end, week)
	compiled, err := Compile([]byte(lifecycle), nil)
	if err != nil {
		t.Fatal(err)
	}
	in := testInput()
	var got []string
	for {
		value, due, err := compiled.EvaluateUntil(in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, value.Text())
		if due.IsZero() {
			break
		}
		got = append(got, due.Format(time.RFC3339))
		before := *in
		before.Now = due.Add(-2 * time.Second)
		if early, err := compiled.Evaluate(&before); err != nil || early.Text() != value.Text() {
			t.Errorf("two seconds before it is %s, not %s: %v", early.Text(), value.Text(), err)
		}
		in.Now = due
	}
	want := []string{"active", "2026-03-03T00:00:00Z", "soon", "2026-03-05T00:00:00Z", "ended"}
	if len(got) != len(want) || got[0] != want[0] || got[2] != want[2] || got[4] != want[4] {
		t.Fatalf("got %v, want len(got) == len(want) && got[0] == want[0] && got[2] == want[2] && got[4] == want[4]", got)
	}
	for _, i := range []int{1, 3} {
		g, _ := time.Parse(time.RFC3339, got[i])
		w, _ := time.Parse(time.RFC3339, want[i])
		if d := g.Sub(w); d < 0 || d > 2*time.Second {
			t.Errorf("due at %s, want %s", got[i], want[i])
		}
	}
	for definition, want := range map[string]time.Time{
		`{"type": "dateMath", "attributes": {"expression": "now/d"}}`:                      now,
		`{"type": "dateMath", "attributes": {"expression": "+1d", "input": "2026-01-01"}}`: {},
		adTitle:                          {},
		compareNow("gt", `"2020-01-01"`): {},
	} {
		compiled, err := Compile([]byte(definition), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, due, err := compiled.EvaluateUntil(testInput()); err != nil || !due.Equal(want) {
			t.Errorf("%s is due at %v: %v", definition, due, err)
		}
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	compiled, err := Compile([]byte(`{"type": "static", "attributes": {"value": "${d}x", "d": {"type": "lower", "attributes": {"input":
		{"type": "reference", "attributes": {"id": "Dept"}}}}}}`), library)
	if err != nil {
		t.Fatal(err)
	}
	value, steps, err := compiled.Trace(testInput())
	if err != nil || value.Text() != "salesx" {
		t.Fatalf("got %s %v, want err == nil && value.Text() == \"salesx\"", value.Text(), err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%d %s %s %s %s=%s", s.Depth, s.Transform, s.Path, s.Operation, s.Variable, s.Value.Text())))
	}
	want := []string{
		"0   static =salesx", "1  attributes.d lower d=sales", "2  attributes.d.attributes.input reference =Sales",
		"3 Dept  accountAttribute =Sales",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Nothing grows without end: neither the steps through references nor the values.
func TestEvaluationLimits(t *testing.T) {
	t.Parallel()
	bomb := saved{"T0": `{"name": "T0", "type": "static", "attributes": {"value": "xxxxxxxxxx"}}`}
	for i := 1; i < 30; i++ {
		ref := fmt.Sprintf(`{"type": "reference", "attributes": {"id": "T%d"}}`, i-1)
		bomb[fmt.Sprintf("T%d", i)] = fmt.Sprintf(`{"name": "T%d", "type": "concat", "attributes": {"values": [%s, %s]}}`, i, ref, ref)
	}
	compiled, err := Compile([]byte(`{"type": "reference", "attributes": {"id": "T29"}}`), bomb)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compiled.Evaluate(testInput()); !errors.Is(err, ErrTooManySteps) {
		t.Errorf("got %v, want errors.Is(err, ErrTooManySteps)", err)
	}
	double := `"aaaaaaaaaaaaaaaa"`
	for range 16 {
		double = fmt.Sprintf(`{"type": "replace", "attributes": {"regex": "a", "replacement": "aa", "input": %s}}`, double)
	}
	if got := evaluate(t, double, testInput()); !strings.HasPrefix(got, "ERR") || !strings.Contains(got, "too long") {
		t.Errorf("%.80s", got)
	}
	if got := evaluate(t, `{"type": "leftPad", "attributes": {"length": 99999999}}`, testInput()); !strings.Contains(got, "length is more than 65536") {
		t.Error(got)
	}
	if got := evaluate(t, `{"type": "replace", "attributes": {"regex": "(a+)+$", "replacement": "", "input": "`+strings.Repeat("a", 40)+`b"}}`, testInput()); !strings.Contains(got, "takes more than") {
		t.Error(got)
	}
}

// An error tells where it arose and never what the value was.
func TestErrorsQuoteNoValues(t *testing.T) {
	t.Parallel()
	for _, definition := range []string{
		`{"type": "lookup", "attributes": {"table": {}}}`, `{"type": "base64Decode"}`, `{"type": "dateFormat"}`,
		`{"type": "dateMath", "attributes": {"expression": "+1d"}}`, compareNow("gt", `"$input"`),
		`{"type": "substring", "attributes": {"begin": "$input"}}`, `{"type": "split", "attributes": {"delimiter": "$input", "index": 0}}`,
		`{"type": "dateFormat", "attributes": {"inputFormat": "EPOCH_TIME_JAVA"}}`, `{"type": "dateFormat", "attributes": {"inputFormat": "LDAP"}}`,
		`{"type": "static", "attributes": {"value": "$input.foo()"}}`, `{"type": "replace", "attributes": {"regex": "x", "replacement": "$input"}}`,
		`{"type": "e164phone", "attributes": {"defaultRegion": "$input"}}`,
	} {
		in := testInput()
		in.Value = attribute.String("s3cr3t(")
		got := evaluate(t, definition, in)
		if strings.Contains(got, "s3cr3t") && strings.HasPrefix(got, "ERR") {
			t.Errorf("got %s: %s, want !strings.Contains(got, \"s3cr3t\") || !strings.HasPrefix(got, \"ERR\")", definition, got)
		}
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	compiled, err := Compile([]byte(username(`["$fn.$ln"]`)), library)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			in := testInput()
			for range 200 {
				if value, err := compiled.Evaluate(in); err != nil || value.Text() != "ann.bäker" {
					t.Errorf("got %s %v, want err == nil && value.Text() == \"ann.bäker\"", value.Text(), err)
				}
			}
		})
	}
	group.Wait()
}

// Normalizing a name twice changes nothing, and all operations on text keep their input valid.
func TestTextProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, 200).Draw(t, "text")
		once, err := normalizeNames(text)
		if err != nil {
			t.Fatal(err)
		}
		if twice, _ := normalizeNames(once); twice != once {
			t.Fatalf("%q becomes %q, then %q", text, once, twice)
		}
		encoded, _ := base64Encode(text)
		if decoded, err := base64Decode(encoded); err != nil && !strings.ContainsRune(text, 0) || err == nil && decoded != text {
			t.Fatalf("%q becomes %q: %v", text, decoded, err)
		}
		begin, length := rapid.IntRange(0, 50).Draw(t, "begin"), rapid.IntRange(0, 50).Draw(t, "length")
		part := &substring{begin: literalOf(attribute.Int(int64(begin))), end: literalOf(attribute.Int(int64(begin + length)))}
		value, err := part.apply(&evaluation{in: &Input{}}, attribute.String(text))
		if err != nil {
			t.Fatal(err)
		}
		runes := []rune(text)
		if begin > len(runes) {
			if !value.IsNull() {
				t.Fatalf("got %q, want value.IsNull()", value.Text())
			}
		} else if want := string(runes[begin:min(begin+length, len(runes))]); value.Text() != want {
			t.Fatalf("%q, want %q", value.Text(), want)
		}
	})
}

// What would run for ever ends with an error that says why, and nothing goes on after it: not the next value of a
// firstValid, and not the next transform of an identity.
func TestLimitsOfWork(t *testing.T) {
	t.Parallel()
	const endless = `{"type": "replace", "attributes": {"regex": "(a+)+$", "replacement": "", "input": "` +
		`aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}}`
	static := func(template string) string {
		return fmt.Sprintf(`{"type": "static", "attributes": {"value": %q}}`, template)
	}
	firstValid := func(value string) string {
		return `{"type": "firstValid", "attributes": {"ignoreErrors": true, "values": [` +
			strings.Repeat(value+",", 999) + `"last"]}}`
	}
	for name, test := range map[string]struct {
		definition string
		want       error
	}{
		"regular expressions": {firstValid(endless), javaregex.ErrTimeout},
		"split": {firstValid(`{"type": "split", "attributes": {"delimiter": "(a+)+$", "index": 0, "input": "` +
			strings.Repeat("a", 40) + `b"}}`), javaregex.ErrTimeout},
		"templates": {firstValid(static("#foreach($x in [1..99999])#foreach($y in [1..99999])#end#end")),
			velocity.ErrTooManySteps},
		"templates together": {firstValid(static("#foreach($i in [1..40000])#end$current.shout()")), velocity.ErrBudget},
		"matches": {firstValid(static("#set($x = '" + strings.Repeat("a", 40) +
			"b')#foreach($i in [1..9])#if($x.matches('(a+)+'))#end#end")), javaregex.ErrTimeout},
		"large values": {`{"type": "concat", "attributes": {"values": [` + strings.Repeat(
			`{"type": "substring", "attributes": {"begin": 0, "end": 1, "input": {"type": "upper", "attributes": {"input": `+
				`{"type": "static", "attributes": {"value": "$current"}}}}}},`, 100) + `"x"]}}`, ErrTooManySteps},
		"names": {`{"type": "usernameGenerator", "attributes": {"patterns": [` + strings.Repeat(`"a",`, StepsMax) + `"b"]}}`,
			ErrTooManySteps},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compiled, err := Compile([]byte(test.definition), library)
			if err != nil {
				t.Fatal(err)
			}
			in := testInput()
			in.Taken = func(Candidate) (bool, error) { return true, nil }
			in.Variables = map[string]attribute.Value{"current": attribute.String(strings.Repeat("a", 200<<10))}
			value, err := compiled.Evaluate(in)
			var known *EvalError
			if !errors.Is(err, test.want) || !errors.As(err, &known) {
				t.Errorf("%s, %v, want %v", value.Text(), err, test.want)
			}
		})
	}
	compiled, err := Compile([]byte(endless), library)
	if err != nil {
		t.Fatal(err)
	}
	in := testInput()
	in.Budget = new(Budget)
	for i, want := range []error{javaregex.ErrTimeout, javaregex.ErrBudget} {
		if _, err := compiled.Evaluate(in); !errors.Is(err, want) {
			t.Errorf("evaluation %d: %v, want %v", i, err, want)
		}
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	if names := Operations(); len(names) != 36 || !slices.IsSorted(names) {
		t.Errorf("got %d: %v, want len(names) == 36 && slices.IsSorted(names)", len(names), names)
	}
}

// zeros is a random source for the fuzzing.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var _ io.Reader = zeros{}

func FuzzCompile(f *testing.F) {
	for _, definition := range library {
		f.Add([]byte(definition))
	}
	f.Add([]byte(`{"type": "replaceAll", "attributes": {"table": {"[^\\w&&[a]]": "$0"}, "input": {"type": "split", "attributes": {"delimiter": ",", "index": "1"}}}}`))
	f.Add([]byte(compareNow("gt", `{"type": "dateMath", "attributes": {"expression": "now-5d/d", "roundUp": true}}`)))
	f.Add([]byte(username(`["$fn.$ln${uniqueCounter}"]`)))
	f.Fuzz(func(t *testing.T, definition []byte) {
		compiled, err := Compile(definition, library)
		var fault *CompileError
		if err != nil {
			if !errors.As(err, &fault) || len(fault.Faults) == 0 {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if compiled.root == nil || compiled.root.operation == nil {
			t.Fatal("a transform without an operation")
		}
	})
}

func FuzzEvaluate(f *testing.F) {
	f.Add([]byte(`{"type": "normalizeNames"}`), "mac-donald o'neil iii")
	f.Add([]byte(`{"type": "static", "attributes": {"value": "#foreach($x in [1..3])$x.toString()$input#end"}}`), "x")
	f.Add([]byte(`{"type": "dateFormat", "attributes": {"inputFormat": "yyyy-MM-dd", "outputFormat": "EPOCH_TIME_WIN32"}}`), "2026-03-01")
	f.Add([]byte(`{"type": "e164phone", "attributes": {"defaultRegion": "NL"}}`), "020 123 4567")
	f.Add([]byte(`{"type": "iso3166", "attributes": {"format": "numeric"}}`), "Nederland")
	f.Add([]byte(compareNow("gt", `"$input"`)), "2026-03-01T08:30:15Z")
	f.Add([]byte(`{"type": "replaceAll", "attributes": {"table": {"(a+)+$": "$1", "(a|aa)+b": ""}}}`), strings.Repeat("a", 40)+"b")
	f.Add([]byte(`{"type": "split", "attributes": {"delimiter": "(x+x+)+y", "index": 0}}`), strings.Repeat("x", 40))
	f.Add([]byte(`{"type": "static", "attributes": {"value": "#set($x = $input)#foreach($i in [1..99])#set($x = $x.concat($x))#end$x"}}`), "bomb")
	f.Add([]byte(`{"type": "static", "attributes": {"a": "$b$b$b$b", "b": "$c$c$c$c", "c": "$input$input", "value": "$a$a$a"}}`), "bomb")
	f.Add([]byte(`{"type": "static", "attributes": {"value": "$input.replace('', $input).repeat(9999)"}}`), "bomb")
	f.Add([]byte(`{"type": "firstValid", "attributes": {"ignoreErrors": true, "values": ["$input.matches('(a+)+')", "$input.matches('(a+)+')"]}}`), strings.Repeat("a", 40)+"b")
	f.Add([]byte(`{"type": "upper", "attributes": {"input": {"type": "concat", "attributes": {"values": [{"type": "upper", "attributes": {"input": {"type": "upper"}}}]}}}}`), "ŉǰΐ")
	f.Fuzz(func(t *testing.T, definition []byte, text string) {
		// Longer ones reach nothing else, but for the time-out of regular expressions, again and again.
		if len(definition) > 400 || len(text) > 60 {
			return
		}
		compiled, err := Compile(definition, library)
		if err != nil {
			return
		}
		in := testInput()
		in.Value, in.Random = attribute.String(text), zeros{}
		if compiled.Random() {
			in.Random = rand.NewChaCha8([32]byte{})
		}
		value, _, err := compiled.EvaluateUntil(in)
		var fault *EvalError
		if err != nil && !errors.As(err, &fault) {
			t.Fatalf("%T: %v", err, err)
		}
		if size(value) > ValueMax {
			t.Fatalf("%d bytes", size(value))
		}
		if err != nil || compiled.Random() {
			return
		}
		traced, steps, err := compiled.Trace(in)
		if isLimit(err) {
			return // the two differ by the time of their regular expressions
		}
		if err != nil || !traced.Equal(value) || len(steps) == 0 {
			t.Fatalf("a trace of %d steps gives %s, %v; without it is %s", len(steps), traced.Text(), err, value.Text())
		}
	})
}
