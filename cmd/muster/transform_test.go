package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// runTransform runs "muster transform" in-process, in a folder with some transforms.
func runTransform(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{
		"good.json":  `{"type": "upper", "name": "Shout"}`,
		"bad.json":   `{"type": "concat", "attributes": {"values": ["a", {"type": "uper"}, {"type": "lower", "attributes": []}]}}`,
		"open.json":  `{"type": "reference", "attributes": {"id": "Elsewhere"}}`,
		"rule.json":  `{"type": "rule", "attributes": {"name": "Host's own"}}`,
		"list.json":  `[{"type": "trim"}, {"type": "reference", "attributes": {"id": "Shout"}}, {"type": "lpad"}]`,
		"ping.json":  `{"name": "Ping", "type": "reference", "attributes": {"id": "Pong"}}`,
		"pong.json":  `{"name": "Pong", "type": "reference", "attributes": {"id": "Ping"}}`,
		"saved.yaml": "transforms:\n  - {name: Shout, type: upper}\n  - {name: Whisper, type: lower}\n",
		"map.json":   `{"identityAttributeName": "email", "transformDefinition": {"type": "lookup", "attributes": {}}}`,
		"field.json": `{"name": "sam", "transform": {"type": "static", "attributes": {"value": "x"}}, "attributes": {"cloudMaxSize": "0"}}`,
		"name.json":  `{"type": "usernameGenerator", "attributes": {"patterns": ["$f", "$f${uniqueCounter}"], "f": {"type": "identityAttribute", "attributes": {"name": "firstname"}}}}`,
		"grade.json": `{"type": "concat", "attributes": {"values": [{"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "grade"}}, "/", {"type": "identityAttribute", "attributes": {"name": "uid"}}]}}`,
		"now.json":   `{"type": "dateMath", "attributes": {"expression": "now/d"}}`,
		"shout.json": `{"type": "reference", "attributes": {"id": "Shout"}}`,
		"ann.json":   `{"id": "1", "alias": "ann", "attributes": {"uid": "ann", "firstname": "Ann"}}`,
		"zone.jsonl": `{"transform": {"type": "dateMath", "attributes": {"expression": "now/d"}}, "cases": [{"output": "2026-03-02T00:00"}, {"zone": "UTC", "output": "2026-03-01T00:00"}]}`,
		"cases.jsonl": `{"transform": {"type": "lower"}, "cases": [{"input": "ABC", "output": "abc"}, {"input": "ABC", "output": "ABC"}], "note": "wrong"}` +
			"\n\n" + `{"transform": {"type": "uper"}}` + "\n" + `{"transform": {"type": "upper"}}`,
	} {
		if err := os.WriteFile(filepath.Clean(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs strings.Builder
	code = run(t.Context(), append([]string{"transform"}, args...), strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

const noZone = "muster: --time-zone: \"Mars\" is unknown: a name such as Europe/Berlin is expected\n"

func TestTransformZoneOfEnvironment(t *testing.T) {
	t.Setenv("MUSTER_TIME_ZONE", "Asia/Tokyo")
	for zone, want := range map[string]string{"": "2026-03-02T00:00", "--time-zone=UTC": "2026-03-01T00:00"} {
		args := append([]string{"eval", "-t", "now.json", "--now", "2026-03-01T20:00:00Z"}, strings.Fields(zone)...)
		_, out, errOut := runTransform(t, "", args...)
		demand(t, out+errOut, want)
	}
}

func TestTransform(t *testing.T) {
	for _, test := range []struct {
		name           string
		args           string // separated by two blanks
		code           int
		stdout, stderr string
	}{
		{"value", "eval  --transform  -  --input  ann", exitOK, "\"ANN\"\n", ""},
		{"null", "eval  --transform  -", exitOK, "null\n", ""},
		{"empty input", "eval  -t  -  --input  ", exitOK, "\"\"\n", ""},
		{"identity and accounts", `eval  -t  grade.json  --identity  {"uid": "ann"}  --accounts  {"HR": {"grade": 7}}`, exitOK,
			"\"7/ann\"\n", ""},
		{"several accounts of one source", `eval  -t  grade.json  --identity  @ann.json  --accounts  {"HR": [{"grade": "8"}, {"grade": "7"}]}`,
			exitOK, "\"8/ann\"\n", ""},
		{"time in a zone", "eval  -t  now.json  --now  2026-03-01T23:30:00Z  --time-zone  Europe/Amsterdam", exitOK,
			"\"2026-03-02T00:00\"\n", ""},
		{"time in UTC", "eval  -t  now.json  --now  2026-03-01T23:30:00Z", exitOK, "\"2026-03-01T00:00\"\n", ""},
		{"reference", "eval  -t  shout.json  --library  saved.yaml  -i  x", exitOK, "\"X\"\n", ""},
		{"names in use", "eval  -t  name.json  --identity  @ann.json  --taken  aNN,Ann1", exitOK, "\"Ann2\"\n", ""},
		{"trace", "eval  -t  grade.json  --identity  @ann.json  --trace", exitOK, "\"/ann\"\n",
			"concat               null → \"/ann\"  \n" +
				"  accountAttribute   null → null    attributes.values[0]\n" +
				"  identityAttribute  null → \"ann\"   attributes.values[2]\n"},
		{"failure", "eval  -t  open.json", exitUsage, "", "muster: reference: the saved transform it names is not known here\n"},
		{"fault", "eval  -t  map.json", exitUsage, "",
			"map.json: transformDefinition.attributes.table: it is missing: lookup needs it\n"},
		{"no transform", "eval", exitUsage, "",
			"muster: nothing to evaluate: name a transform with --transform FILE, - for standard input\n"},
		{"no file", "eval  -t  none.json", exitUsage, "", "muster: open none.json: no such file or directory\n"},
		{"no such zone", "eval  -t  -  --time-zone  Mars", exitUsage, "", noZone},
		{"no such zone of a check", "check  good.json  --time-zone  Mars", exitUsage, "", noZone},
		{"no such zone of cases", "test  zone.jsonl  --time-zone  Mars", exitUsage, "", noZone},
		{"no time", "eval  -t  -  --now  soon", exitUsage, "",
			"muster: --now: a time is expected, such as 2026-03-01T08:00:00Z or 2026-03-01\n"},
		{"no identity", "eval  -t  -  --identity  [", exitUsage, "",
			"muster: --identity: an object of attributes is expected: unexpected end of JSON input\n"},

		{"correct", "check  good.json  open.json  rule.json", exitOK, "good.json: ok\nopen.json: ok\nrule.json: ok\n", ""},
		{"all faults", "check  good.json  bad.json", exitUsage, "good.json: ok\n",
			"bad.json: attributes.values[1].type: unknown operation \"uper\"; did you mean \"upper\"?\n" +
				"bad.json: attributes.values[2].attributes: it is an array, an object is expected\n"},
		{"a list", "check  list.json", exitUsage, "",
			"list.json: [2].type: unknown operation \"lpad\"\n"},
		{"a configuration", "check  saved.yaml", exitOK, "saved.yaml: ok, 2 transforms\n", ""},
		{"a field", "check  field.json", exitUsage, "",
			"field.json: attributes.cloudMaxSize: a whole number from 1 to 65536 is expected\n"},
		{"a circle", "check  ping.json  pong.json", exitUsage, "",
			"ping.json: transform \"Ping\": attributes.id: the transforms refer to each other in a circle: Pong → Ping → Pong\n" +
				"pong.json: transform \"Pong\": attributes.id: the transforms refer to each other in a circle: Ping → Pong → Ping\n"},
		{"an unknown reference", "check  open.json  --library  saved.yaml", exitUsage, "",
			"open.json: attributes.id: there is no transform named \"Elsewhere\"\n"},
		{"no files", "check", exitUsage, "", "muster: muster transform check takes one or more FILEs, - for standard input\n"},

		{"cases", "test  cases.jsonl", exitFailed,
			"cases.jsonl:1: case 2: it gives \"abc\", not \"ABC\"\n  its note: wrong\n" +
				"cases.jsonl:3: type: unknown operation \"uper\"; did you mean \"upper\"?\n2 passed, 2 failed\n", ""},
		{"cases in a zone", "test  zone.jsonl  --now  2026-03-01T23:30:00Z  --time-zone  Europe/Amsterdam", exitOK,
			"2 passed, 0 failed\n", ""},
		{"cases in UTC", "test  zone.jsonl  --now  2026-03-01T23:30:00Z", exitFailed,
			"zone.jsonl:1: case 1: it gives \"2026-03-01T00:00\", not \"2026-03-02T00:00\"\n1 passed, 1 failed\n", ""},
		{"no cases", "test  good.json", exitUsage, "", "muster: good.json: line 1: it has no transform\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := runTransform(t, `{"type": "upper"}`, strings.Split(test.args, "  ")...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if diff := cmp.Diff(test.stdout, stdout); diff != "" {
				t.Errorf("stdout: %s", diff)
			}
			if diff := cmp.Diff(test.stderr, stderr); diff != "" {
				t.Errorf("stderr: %s", diff)
			}
		})
	}
}

// A file with identity profiles is checked as a whole: its mappings too, and what they name.
func TestTransformCheckReadsMappings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "company.yaml")
	write := func(source string) {
		t.Helper()
		text := `sources: [{name: Staff, connector: delimited-file, schemas: [{name: account, identityAttribute: id, attributes: [{name: id}]}]}]
identityProfiles:
  - name: Staff
    authoritativeSource: {name: Staff}
    identityAttributeConfig:
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: ` + source + `, attributeName: id}}}
`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Staff")
	if code, _, errOut := runTransform(t, "", "check", file); code != exitOK {
		t.Errorf("a right file gives %d, %s", code, errOut)
	}
	write("Stuff")
	if code, _, errOut := runTransform(t, "", "check", file); code != exitUsage || !strings.Contains(errOut, `no source "Stuff"`) {
		t.Errorf("a file that names a source that is not there gives %d, %s, want %d and its name", code, errOut, exitUsage)
	}
}
