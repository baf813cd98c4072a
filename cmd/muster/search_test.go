package main

import (
	"encoding/json"
	"testing"
)

func TestSearchCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	out, errOut := s.run(exitOK, "", "search", "--sort", "-name", "--count", "attributes.department:Sales")
	demand(t, out, "ID ", "DISPLAYNAME", "cy ", "bob ")
	demand(t, errOut, "total: 2")
	out, _ = s.run(exitOK, "", "search", "-o", "json", "--limit", "1", "name:ann")
	var documents []map[string]any
	if err := json.Unmarshal([]byte(out), &documents); err != nil || len(documents) != 1 || documents[0]["name"] != "ann" {
		t.Errorf("%v in %s", err, out)
	}
	out, _ = s.run(exitOK, "", "search", "--index", "roles", "--columns", "name,_type", "*")
	demand(t, out, "Sales  role")
	_, errOut = s.run(exitOK, "", "search", "department:Sales")
	demand(t, errOut, "note: there is no field", "did you mean attributes.department?")
	_, errOut = s.run(exitOK, "", "search", "attributes.department:*ales")
	demand(t, errOut, "note: no index serves the query")
	out, _ = s.run(exitOK, "", "search", "--index", "events", "--columns", "technicalName,target.name", "target.name:ann")
	demand(t, out, "IDENTITY_CREATE_PASSED", "ann")
	_, errOut = s.run(exitUsage, "", "search", `name:"ann`)
	demand(t, errOut, "the phrase has no closing quote", "     ^^^^")
	_, errOut = s.run(exitUsage, "", "search", "-o", "xml", "*")
	demand(t, errOut, "table, json, csv or yaml is expected")
	s.run(exitUsage, "", "search", "--index", "shoes", "*")
}
