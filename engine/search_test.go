package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
	"github.com/muster-engine/muster/store"
)

// searchNow is the time of the company that is searched.
var searchNow = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// searchCompany is the sample company with accounts in the Directory, with roles that grant something, and with objects
// that somebody owns.
func searchCompany(t *testing.T) *enginetest.Company {
	t.Helper()
	clock := enginetest.NewClock(searchNow)
	c := enginetest.New(t, enginetest.WithClock(clock))
	c.AggregateText("Directory", enginetest.DirectoryHeader+
		"a.uenal,ayse@example.com,,sales;Domain Admins,true\nBTwain,bob@example.com,,sales,true\n"+
		"annboss,ann@example.com,,,true\nlost,nobody@example.com,,guests,true\n", engine.AggregateOptions{})
	c.ApplyText(strings.ReplaceAll(enginetest.Roles, "{name: Auditor, enabled: true}",
		fmt.Sprintf("{name: Auditor, description: Reads the books, enabled: true, owner: {type: IDENTITY, id: %s}}",
			c.ID("ann"))))
	c.Process()
	if err := c.RegisterOwned(t.Context(), engine.OwnedObject{Kind: engine.OwnedApplication, ID: "app 1",
		Name: "Time Sheets", Owner: c.ID("bob")}); err != nil {
		t.Fatal(err)
	}
	return c
}

// found returns the names of the documents that a request finds, in their order.
func found(t *testing.T, c *enginetest.Company, request engine.SearchRequest) []string {
	t.Helper()
	page, err := c.Search(t.Context(), request)
	if err != nil {
		t.Fatalf("%+v: %v", request.Query, err)
	}
	names := []string{}
	for _, d := range page.Documents {
		names = append(names, fmt.Sprint(d["name"]))
	}
	return names
}

func identitySearch(query string) engine.SearchRequest {
	return engine.SearchRequest{Indices: []string{"identities"}, Query: &engine.SearchText{Query: query},
		Sort: []string{"name"}}
}

func TestSearchIdentities(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	tests := []struct{ name, query, want string }{
		{"everything", `*`, "ann ayse bob cy dee"},
		{"a word anywhere", `legal`, "cy"},
		{"the beginning of a word anywhere", `Stra`, "dee"},
		{"a phrase anywhere", `"ann boss"`, "ann ayse"},
		{"a field", `lastName:twain`, "bob"},
		{"folded", `lastName:STRAUSS`, "dee"},
		{"a whole word of a field", `lastName:stra`, ""},
		{"the value as it is", `lastName.exact:Twain`, "bob"},
		{"the value as it is, in another case", `lastName.exact:twain`, ""},
		{"a wildcard on the value as it is", `attributes.firstname.exact:A*`, "ann ayse"},
		{"a wildcard", `name:*e*`, "ayse dee"},
		{"one character", `name:?ee`, "dee"},
		{"an address", `email:bob@example.com`, "bob"},
		{"a wildcard over an address", `email:*@example.com AND name:c*`, "cy"},
		{"a regular expression", `attributes.firstname:/[a-b].*/`, "ann ayse bob"},
		{"an attribute", `attributes.department:sales`, "ayse bob dee"},
		{"an attribute of several values", `attributes.groups:"domain admins"`, "ayse"},
		{"a member of the manager", `manager.name:ann`, "ayse"},
		{"not", `attributes.department:sales NOT manager.displayName:"Ann Boss"`, "bob dee"},
		{"presence of an object", `_exists_:manager`, "ayse bob dee"},
		{"absence", `NOT _exists_:manager`, "ann cy"},
		{"a boolean", `isManager:true`, "ann ayse"},
		{"the profile", `identityProfile.name:Employees AND source.name:HR`, "ann ayse bob cy dee"},
		{"a number", `accountCount:2`, "ann ayse bob"},
		{"a range of numbers", `accountCount:>1`, "ann ayse bob"},
		{"a range of dates", `created:[now-1d TO now]`, "ann ayse bob cy dee"},
		{"a day", `created:2026-11-29`, "ann ayse bob cy dee"},
		{"another day", `created:2026-11-28`, ""},
		{"nested", `@accounts(source.name:Directory)`, "ann ayse bob"},
		{"nested, negated", `NOT @accounts(source.name:Directory)`, "cy dee"},
		{"one and the same element", `@accounts(source.name:HR AND accountId:btwain)`, ""},
		{"two elements", `@accounts(source.name:HR) AND @accounts(accountId:BTwain)`, "bob"},
		{"an attribute of an account", `@accounts(accountAttributes.groups:sales)`, "ayse bob"},
		{"an entitlement", `@access(type:ENTITLEMENT AND name:"Domain Admins")`, "ayse"},
		{"a role", `@access(type:ROLE AND name:Sales)`, "ayse bob dee"},
		{"an access profile of a role", `@access(type:ACCESS_PROFILE AND source.name:Directory)`, "ayse bob dee"},
		{"two kinds of access", `@access(type:ROLE) AND @access(type:ENTITLEMENT)`, "ayse bob"},
		{"nested lists are hidden", `access.name:Sales`, ""},
		{"the number of roles", `roleCount:>0`, "ayse bob dee"},
		{"no application is known", `@apps(name:*)`, ""},
		{"the old form", `@accounts.accountId:annboss`, "ann"},
		{"owned roles", `owns.roles.name:auditor`, "ann"},
		{"owned objects of the host", `owns.apps.name:"time sheets"`, "bob"},
		{"any owned object", `_exists_:owns`, "ann bob"},
		{"how many are owned", `ownsCount:1`, "ann bob"},
		{"inactive", `inactive:true`, "bob dee"},
		{"grouping", `(attributes.department:Legal OR attributes.department:Board) AND isManager:true`, "ann"},
		{"and before or", `attributes.department:Legal OR attributes.department:Board AND isManager:true`, "ann cy"},
		{"a value with a question mark", `name:"who?"`, ""},
	}
	documents := allIdentities(t, c)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(found(t, c, identitySearch(test.query)), " "); got != test.want {
				t.Errorf("%s finds %q, want %q", test.query, got, test.want)
			}
			if got := strings.Join(evaluated(t, test.query, documents), " "); got != test.want {
				t.Errorf("%s is true of the documents of %q, want %q", test.query, got, test.want)
			}
		})
	}
}

// allIdentities returns the documents of all identities, by name.
func allIdentities(t *testing.T, c *enginetest.Company) []engine.SearchHit {
	t.Helper()
	page, err := c.Search(t.Context(), identitySearch("*"))
	if err != nil {
		t.Fatal(err)
	}
	return page.Documents
}

// evaluated returns the names of those documents of which a query is true, by the evaluator of the language.
func evaluated(t *testing.T, query string, documents []engine.SearchHit) []string {
	t.Helper()
	indexes, err := store.NewSearchIndexes(&store.SearchSetup{
		Attributes: []store.AttributeField{{Name: "groups", Multi: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(indexes, func(x *store.SearchIndex) bool { return x.Name == "identities" })
	checked, err := searchql.ParseQuery(query, indexes[i].Schema, searchql.Options{Now: searchNow})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, document := range documents {
		if checked.Eval(document) {
			names = append(names, document["name"].(string))
		}
	}
	return names
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	c := enginetest.New(t)
	limit := func(n int) *int { return &n }
	text := func(query string) *engine.SearchText { return &engine.SearchText{Query: query} }
	tests := []struct {
		name    string
		request engine.SearchRequest
		want    string
	}{
		{"no query", engine.SearchRequest{}, "query.query is missing"},
		{"an unknown index", engine.SearchRequest{Indices: []string{"accounts"}, Query: text("*")}, `there is no index "accounts"`},
		{"a mistake", identitySearch(`name:"x`), "the phrase has no closing quote"},
		{"a value of another type", identitySearch(`accountCount:many`), "is no number"},
		{"a date of another form", identitySearch(`created:02/12/2024`), "is no date"},
		{"an unknown list", identitySearch(`@groups(name:x)`), "there is no nested list"},
		{"too many", engine.SearchRequest{Query: text("*"), Limit: limit(10_001)}, "0 to 10000 is allowed"},
		{"behind the window", engine.SearchRequest{Query: text("*"), Offset: 9_751}, "searchAfter"},
		{"an unknown field to sort by", engine.SearchRequest{Query: text("*"), Sort: []string{"shoe"}}, `no field "shoe"`},
		{"searchAfter without sort", engine.SearchRequest{Query: text("*"), SearchAfter: []any{"x"}}, "it needs sort"},
		{"searchAfter of another length", engine.SearchRequest{Query: text("*"), Sort: []string{"name", "id"}, SearchAfter: []any{"x"}}, "has 1 values"},
		{"searchAfter that is no ID", engine.SearchRequest{Query: text("*"), Sort: []string{"id"}, SearchAfter: []any{"x"}}, `is no value of "id"`},
		{"another type of query", engine.SearchRequest{QueryType: "GUESS", Query: text("*")}, `"GUESS" is unknown`},
		{"another type of filter", engine.SearchRequest{Query: text("*"), Filters: map[string]engine.SearchFilter{"name": {Type: "LIKE"}}}, `the type "LIKE" is unknown`},
		{"an unknown zone", engine.SearchRequest{Query: &engine.SearchText{Query: "*", TimeZone: "Mars"}}, `no time zone "Mars"`},
		{"an unknown query of JSON", engine.SearchRequest{QueryType: "DSL", QueryDSL: json.RawMessage(`{"fuzzy":{"name":"x"}}`)}, "queryDsl.fuzzy: there is no such query"},
		{"a time that is too long", engine.SearchRequest{Query: text("*"), TimeLimit: time.Hour}, "at most 1m0s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.Search(t.Context(), test.request)
			if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
	var mistake *filterql.Error
	if _, err := c.Search(t.Context(), identitySearch(`name:"x`)); !errors.As(err, &mistake) || mistake.Pos != 5 {
		t.Errorf("the place of a mistake is lost: %v", err)
	}
}

func TestSearchPages(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	two := 2
	request := identitySearch("*")
	request.Limit, request.Count = &two, true
	page, err := c.Search(t.Context(), request)
	if err != nil || *page.Total != 5 || len(page.Documents) != 2 {
		t.Fatalf("%v: %v", page, err)
	}
	request.Offset = 2
	if got := found(t, c, request); !slices.Equal(got, []string{"bob", "cy"}) {
		t.Errorf("the second page is %v", got)
	}
	if n, err := c.SearchCount(t.Context(), identitySearch("attributes.department:Sales")); err != nil || n != 3 {
		t.Errorf("%d are counted: %v", n, err)
	}
	// A walk by searchAfter, for each order: the values come from the last document.
	for _, sort := range [][]string{
		{"id"}, {"-name"}, {"name", "id"}, {"-attributes.department", "id"}, {"manager.name", "-id"}, {"created", "id"},
		{"accountCount", "-name"}, {"isManager", "id"}, {"attributes.nothing", "id"},
	} {
		want := []string{}
		all := identitySearch("*")
		all.Sort = sort
		want = append(want, found(t, c, all)...)
		var got []string
		walk := engine.SearchRequest{Indices: []string{"identities"}, Query: &engine.SearchText{Query: "*"}, Sort: sort,
			Limit: &two, QueryResultFilter: &engine.SearchResultFilter{Includes: []string{"name"}}}
		for range 4 {
			page, err := c.Search(t.Context(), walk)
			if err != nil {
				t.Fatalf("%v: %v", sort, err)
			}
			if len(page.Documents) == 0 {
				break
			}
			for _, d := range page.Documents {
				got = append(got, fmt.Sprint(d["name"]))
			}
			walk.SearchAfter = nil
			last := page.Documents[len(page.Documents)-1]
			for _, name := range sort {
				walk.SearchAfter = append(walk.SearchAfter, memberOf(last, strings.TrimLeft(name, "-")))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %v the walk finds %v, want %v", sort, got, want)
		}
	}
}

// memberOf returns a member of a document, by a name with dots.
func memberOf(document map[string]any, path string) any {
	name, rest, more := strings.Cut(path, ".")
	if !more {
		return document[name]
	}
	inner, _ := document[name].(map[string]any)
	return memberOf(inner, rest)
}

func TestSearchTypedFiltersAndJSON(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	tests := []struct{ name, request, want string }{
		{"EXISTS", `{"query":{"query":"*"},"filters":{"manager":{"type":"EXISTS","exclude":true}}}`, "ann cy"},
		{"RANGE", `{"query":{"query":"*"},"filters":{"accountCount":{"type":"RANGE","range":{"lower":{"value":"1"}}}}}`, "ann ayse bob"},
		{"RANGE with its end", `{"query":{"query":"*"},"filters":{"accountCount":{"type":"RANGE","range":{"lower":{"value":"1","inclusive":true},"upper":{"value":"2"}}}}}`, "cy dee"},
		{"TERMS", `{"query":{"query":"*"},"filters":{"attributes.department":{"type":"TERMS","terms":["Legal","Board"]},"isManager":{"type":"TERMS","terms":["true"]}}}`, "ann"},
		{"TERMS of whole values", `{"query":{"query":"*"},"filters":{"displayName":{"type":"TERMS","terms":["Ann"]}}}`, ""},
		{"TERMS of a nested list", `{"query":{"query":"*"},"filters":{"@access.name":{"type":"TERMS","terms":["Sales"]}}}`, "ayse bob dee"},
		{"fields", `{"query":{"query":"\"ann boss\"","fields":["displayName"]}}`, "ann"},
		{"one field", `{"query":{"query":"boss","fields":"displayName"}}`, "ann"},
		{"match", `{"queryType":"DSL","queryDsl":{"match":{"displayName":"boss twain"}}}`, "ann bob"},
		{"bool", `{"queryType":"DSL","queryDsl":{"bool":{"must":[{"term":{"attributes.department":"sales"}}],"must_not":[{"exists":{"field":"owns"}}],"should":[{"match_all":{}}]}}}`, "ayse dee"},
		{"should", `{"queryType":"DSL","queryDsl":{"bool":{"should":[{"match":{"name":"cy"}},{"prefix":{"name":"an"}}],"minimum_should_match":1}}}`, "ann cy"},
		{"range", `{"queryType":"DSL","queryDsl":{"range":{"created":{"gte":"now-1d/d","lt":"now+1d"}}}}`, "ann ayse bob cy dee"},
		{"nested", `{"queryType":"DSL","queryDsl":{"nested":{"path":"access","query":{"bool":{"must":[{"term":{"access.type":"ROLE"}},{"match":{"access.name":"sales"}}]}}}}}`, "ayse bob dee"},
		{"without", `{"queryType":"DSL","queryDsl":{"bool":{"must_not":[{"nested":{"path":"access","query":{"exists":{"field":"access"}}}}]}}}`, "ann cy"},
		{"the beginnings of values", `{"queryType":"TEXT","textQuery":{"terms":["ann b"],"fields":["displayName","email"]}}`, "ann"},
		{"parts of values", `{"queryType":"TEXT","textQuery":{"terms":["OSS"],"fields":["displayName"],"contains":true}}`, "ann"},
		{"a zone", `{"query":{"query":"created:2026-11-29","timeZone":"Pacific/Kiritimati"}}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var request engine.SearchRequest
			if err := json.Unmarshal([]byte(test.request), &request); err != nil {
				t.Fatal(err)
			}
			request.Indices, request.Sort = []string{"identities"}, []string{"name"}
			if got := strings.Join(found(t, c, request), " "); got != test.want {
				t.Errorf("%s finds %q, want %q", test.request, got, test.want)
			}
		})
	}
}

func TestSearchDocument(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	document, err := c.SearchDocument(t.Context(), "identities", c.ID("ayse"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"_type": "identity", "type": "identity", "_version": "v2", "name": "ayse", "displayName": "Ünal, Ayşe",
		"firstName": "Ayşe", "email": "ayse@example.com", "manager.name": "ann", "manager.displayName": "Ann Boss",
		"source.name": "HR", "identityProfile.name": "Employees", "attributes.department": "Sales", "isManager": true,
		"accountCount": 2, "accessCount": 4, "roleCount": 1, "accessProfileCount": 1, "entitlementCount": 2,
		"created": "2026-11-29T12:00:00.000Z",
	} {
		if got := memberOf(document, path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	var access []string
	for _, element := range document["access"].([]any) {
		e := element.(map[string]any)
		access = append(access, fmt.Sprint(e["type"], " ", e["name"], " ", memberOf(e, "source.name")))
	}
	want := []string{"ACCESS_PROFILE Sales files Directory", "ENTITLEMENT Domain Admins Directory",
		"ENTITLEMENT sales Directory", "ROLE Sales <nil>"}
	if diff := cmp.Diff(want, access); diff != "" {
		t.Error(diff)
	}
	boss, err := c.SearchDocument(t.Context(), "identities", c.ID("ann"))
	if err != nil {
		t.Fatal(err)
	}
	roles, _ := memberOf(boss, "owns.roles").([]any)
	if len(roles) != 1 || memberOf(roles[0].(map[string]any), "name") != "Auditor" || boss["ownsCount"] != 1 {
		t.Errorf("the boss owns %v", boss["owns"])
	}
	for _, id := range []string{"x", "018f0000000070008000000000000001"} {
		if _, err := c.SearchDocument(t.Context(), "identities", id); engine.KindOf(err) != engine.NotFound {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := c.SearchDocument(t.Context(), "shoes", c.ID("ann")); engine.KindOf(err) != engine.Invalid {
		t.Errorf("an unknown index: %v", err)
	}
}

func TestSearchShapesOfAnswers(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	no := false
	request := identitySearch("name:ayse")
	request.IncludeNested = &no
	page, err := c.Search(t.Context(), request)
	if err != nil || len(page.Documents) != 1 || page.Documents[0]["access"] != nil {
		t.Errorf("without nested lists: %v, %v", page, err)
	}
	request.IncludeNested = nil
	request.QueryResultFilter = &engine.SearchResultFilter{Includes: []string{"attributes.department", "access.name"}}
	page, err = c.Search(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	document := page.Documents[0]
	if document["id"] == nil || document["name"] != "ayse" || memberOf(document, "attributes.department") != "Sales" ||
		memberOf(document, "attributes.uid") != nil || document["accounts"] != nil || document["email"] != nil {
		t.Errorf("the members that are asked for: %v", document)
	}
	first := document["access"].([]any)[0].(map[string]any)
	if first["name"] != "Sales files" || first["source"] != nil {
		t.Errorf("an element: %v", first)
	}
	request.QueryResultFilter = &engine.SearchResultFilter{Excludes: []string{"attributes", "id"}}
	page, err = c.Search(t.Context(), request)
	if err != nil || page.Documents[0]["attributes"] != nil || page.Documents[0]["id"] == nil {
		t.Errorf("the members that are left out: %v, %v", page, err)
	}
	request = identitySearch("name:ayse")
	request.Query.InnerHit = &engine.SearchInnerHit{Query: `type:ENTITLEMENT AND source.name:Directory`, Type: "access"}
	if got := found(t, c, request); !slices.Equal(got, []string{"Domain Admins", "sales"}) {
		t.Errorf("elements: %v", got)
	}
	page, err = c.Search(t.Context(), identitySearch("department:Sales"))
	if err != nil || len(page.Documents) != 0 || len(page.Notes) != 1 ||
		!strings.Contains(page.Notes[0], "attributes.department") {
		t.Errorf("a field that does not exist: %v, %v", page, err)
	}
	text, arguments, err := c.SearchStatement(t.Context(), identitySearch("name.exact:ayse"))
	if err != nil || !strings.Contains(text, "i.alias_key = $1") || len(arguments) != 2 {
		t.Errorf("the statement is %s %v: %v", text, arguments, err)
	}
	for query, scanned := range map[string]bool{
		"*": false, "name.exact:ayse": false, "attributes.department:Sales": false, "attributes.department:*ales": true,
		"attributes.department:*ales AND email.exact:a": false, "name.exact:a OR attributes.department:*x": true,
		"sales": false, `"sales people" AND manager.name:ann`: false, "status:active": false, "NOT sales": true,
		"created:[now-1d TO now]": false, "modified:[now-1d TO now]": true, "accountCount:>1": true,
	} {
		page, err := c.Search(t.Context(), identitySearch(query))
		if err != nil || page.Scanned != scanned {
			t.Errorf("%s: scanned is %v, %v", query, page.Scanned, err)
		}
	}
}

// A search that takes longer than its limit ends, and says what can be done.
func TestSearchEndsAtItsLimit(t *testing.T) {
	t.Parallel()
	c := enginetest.New(t)
	if _, err := c.Pool.Exec(t.Context(), `
		INSERT INTO muster.identities (id, name, name_key, alias, alias_key, correlated, attributes, created, modified)
		SELECT gen_random_uuid(), n, n, n, n, true, jsonb_build_object('text', repeat('ä word ', 300)), now(), now()
		FROM generate_series(1, 2000) g (i), LATERAL (SELECT 'p' || i::text) x (n)`); err != nil {
		t.Fatal(err)
	}
	request := identitySearch(`attributes.text:/(x*)*y/`)
	request.TimeLimit = 5 * time.Millisecond
	_, err := c.Search(t.Context(), request)
	if engine.KindOf(err) != engine.Unavailable || !strings.Contains(err.Error(), "no index serves the query") {
		t.Errorf("the error is %v", err)
	}
}

// What a transaction has committed is found at once.
func TestSearchHasNoLag(t *testing.T) {
	t.Parallel()
	c := enginetest.New(t)
	c.AggregateText("HR", enginetest.People+"zoe,Zoe New,Zoe,New,zoe@example.com,Sales,ann,30,active\n",
		engine.AggregateOptions{})
	c.Process()
	if got := found(t, c, identitySearch(`lastName:new`)); !slices.Equal(got, []string{"zoe"}) {
		t.Errorf("%v are found", got)
	}
}

// A change that concerns no word writes no words, so that no index over them is written; one that does writes them.
func TestWordsAreWrittenWhereTheyChange(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	wordsOfBob := func() (words string) {
		t.Helper()
		const statement = `SELECT words::text FROM muster.identities WHERE alias = 'bob'`
		if err := c.Pool.QueryRow(t.Context(), statement).Scan(&words); err != nil {
			t.Fatal(err)
		}
		return words
	}
	written := wordsOfBob()
	if _, err := c.Pool.Exec(t.Context(), `UPDATE muster.identities SET words = 'marker'`); err != nil {
		t.Fatal(err)
	}
	people := strings.Replace(enginetest.People, "Sales,ayse,41", "Sales,ann,41", 1)
	c.AggregateText("HR", people, engine.AggregateOptions{})
	c.Process()
	if got := found(t, c, identitySearch(`manager.id:`+c.ID("ann")+` AND id:`+c.ID("bob"))); len(got) != 1 {
		t.Fatalf("the manager has not changed: %v", got)
	}
	if words := wordsOfBob(); words != "'marker'" {
		t.Errorf("another manager writes the words %s", words)
	}
	c.AggregateText("HR", strings.Replace(people, "Bob,Twain", "Robert,Twain", 1), engine.AggregateOptions{})
	c.Process()
	want := strings.NewReplacer("'bob~firstname'", "'robert~firstname'", "'~firstname~bob'", "'~firstname~robert'")
	if words := wordsOfBob(); len(words) != len(want.Replace(written)) || !strings.Contains(words, "'robert~firstname'") {
		t.Errorf("another first name writes the words %s in place of %s", words, written)
	}
}

// The documented searches parse, and are accepted by the index that they are about.
func TestDocumentedSearches(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("MUSTER_CONTRACT_DIR")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "contract")
	}
	text, err := os.ReadFile(filepath.Join(folder, "searches.tsv"))
	if os.IsNotExist(err) {
		t.Skip("the documented searches are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	c := searchCompany(t)
	known := []string{"identities", "roles", "accessprofiles", "entitlements", "accountactivities"}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		columns := strings.Split(line, "\t")
		if i == 0 {
			continue
		}
		query, index := columns[0], columns[1]
		for _, name := range strings.Split(strings.Fields(index + " *")[0]+",", ",") {
			if name == "" || name != "*" && !slices.Contains(known, name) {
				continue
			}
			request := engine.SearchRequest{Query: &engine.SearchText{Query: query}, Indices: []string{name}}
			if strings.HasPrefix(query, "{") {
				request = engine.SearchRequest{}
				if err := json.Unmarshal([]byte(query), &request); err != nil {
					t.Errorf("line %d: %v", i+1, err)
					continue
				}
				if len(request.Aggregations)+len(request.AggregationsDSL) > 0 {
					_, err = c.SearchAggregate(t.Context(), request)
				} else if request.TypeAhead != nil {
					_, err = c.SearchValues(t.Context(), request)
				} else {
					_, err = c.Search(t.Context(), request)
				}
			} else {
				_, err = c.Search(t.Context(), request)
			}
			isError := strings.Contains(columns[2], "an error")
			if (err != nil) != isError {
				t.Errorf("line %d: %s on %s: %v", i+1, query, name, err)
			}
		}
	}
}

func TestSearchOtherIndexes(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	tests := []struct{ name, index, query, want string }{
		{"roles", "roles", `*`, "Auditor Sales"},
		{"a description", "roles", `description:books`, "Auditor"},
		{"a word anywhere", "roles", `books`, "Auditor"},
		{"the owner", "roles", `owner.id:` + c.ID("ann"), "Auditor"},
		{"without an owner", "roles", `NOT _exists_:owner`, "Sales"},
		{"a flag", "roles", `enabled:true AND NOT requestable:true`, "Auditor Sales"},
		{"a member of a list", "roles", `accessProfiles.name:"sales files"`, "Sales"},
		{"a number", "roles", `accessProfileCount:>=1`, "Sales"},
		{"a name", "accessprofiles", `name:sales`, "Sales files"},
		{"what can be requested by default", "accessprofiles", `requestable:true AND name:sales`, "Sales files"},
		{"the source", "accessprofiles", `source.name:'Directory'`, "Sales files"},
		{"an entitlement of it", "accessprofiles", `entitlements.value:sales`, "Sales files"},
		{"without an application", "accessprofiles", `NOT @apps(id:*)`, "Sales files"},
		{"entitlements", "entitlements", `source.name:Directory AND attribute:groups`, "Domain Admins guests sales"},
		{"none is privileged", "entitlements", `privileged:true`, ""},
		{"how many have it", "entitlements", `identityCount:2`, "sales"},
		{"a day", "entitlements", `modified:[now-1d TO now]`, "Domain Admins guests sales"},
	}
	indexes, err := store.NewSearchIndexes(&store.SearchSetup{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request := engine.SearchRequest{Indices: []string{test.index}, Sort: []string{"name"},
				Query: &engine.SearchText{Query: test.query}}
			if got := strings.Join(found(t, c, request), " "); got != test.want {
				t.Errorf("%s finds %q, want %q", test.query, got, test.want)
			}
			request.Query = &engine.SearchText{Query: "*"}
			page, err := c.Search(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(indexes, func(x *store.SearchIndex) bool { return x.Name == test.index })
			checked, err := searchql.ParseQuery(test.query, indexes[i].Schema, searchql.Options{Now: searchNow})
			if err != nil {
				t.Fatal(err)
			}
			names := []string{}
			for _, document := range page.Documents {
				if checked.Eval(document) {
					names = append(names, document["name"].(string))
				}
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("%s is true of the documents of %q, want %q", test.query, got, test.want)
			}
		})
	}
	request := engine.SearchRequest{Query: &engine.SearchText{Query: "sales"}, Sort: []string{"name", "id"}, Count: true}
	page, err := c.Search(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, d := range page.Documents {
		kinds = append(kinds, fmt.Sprint(d["_type"], " ", d["name"]))
	}
	want := []string{"role Sales", "accessprofile Sales files", "identity ayse", "identity bob", "identity dee",
		"entitlement sales"}
	slices.Sort(want)
	sorted := slices.Clone(kinds)
	slices.Sort(sorted)
	if diff := cmp.Diff(want, sorted); diff != "" || *page.Total != 6 {
		t.Errorf("all indexes: %s, total %d", diff, *page.Total)
	}
	one := 1
	for i := range kinds { // page by page in the same order
		request.Limit, request.Offset = &one, i
		page, err := c.Search(t.Context(), request)
		if err != nil || len(page.Documents) != 1 ||
			fmt.Sprint(page.Documents[0]["_type"], " ", page.Documents[0]["name"]) != kinds[i] {
			t.Errorf("page %d: %v, %v, want %s", i, page.Documents, err, kinds[i])
		}
	}
	// A nested list that only one of them has leaves out the others, and says so.
	page, err = c.Search(t.Context(), engine.SearchRequest{Query: &engine.SearchText{Query: `@accounts(name:*)`}})
	if err != nil || len(page.Documents) != 5 || len(page.Notes) != 5 {
		t.Errorf("%d are found, %v, %v", len(page.Documents), page.Notes, err)
	}
}

func TestSearchAggregate(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	tests := []struct{ name, request, want string }{
		{"different values", `{"aggregationType":"SAILPOINT","aggregations":{"metric":{"name":"N","type":"UNIQUE_COUNT","field":"attributes.department"}}}`,
			`{"N":{"value":3}}`},
		{"the same in the index's own language", `{"aggregationsDsl":{"N":{"cardinality":{"field":"attributes.department.exact"}}}}`,
			`{"N":{"value":3}}`},
		{"buckets", `{"aggregationType":"SAILPOINT","aggregations":{"bucket":{"name":"D","type":"TERMS","field":"attributes.department"}}}`,
			`{"D":{"buckets":[{"doc_count":3,"key":"Sales"},{"doc_count":1,"key":"Board"},{"doc_count":1,"key":"Legal"}]}}`},
		{"fewer buckets", `{"aggregationType":"SAILPOINT","aggregations":{"bucket":{"name":"D","field":"attributes.department","size":1}}}`,
			`{"D":{"buckets":[{"doc_count":3,"key":"Sales"}]}}`},
		{"of those that are found", `{"query":{"query":"isManager:true"},"aggregationsDsl":{"D":{"terms":{"field":"attributes.department","min_doc_count":1}}}}`,
			`{"D":{"buckets":[{"doc_count":1,"key":"Board"},{"doc_count":1,"key":"Sales"}]}}`},
		{"an attribute of several values", `{"aggregationsDsl":{"G":{"terms":{"field":"attributes.groups"}}}}`,
			`{"G":{"buckets":[{"doc_count":2,"key":"sales"},{"doc_count":1,"key":"Domain Admins"}]}}`},
		{"inside of buckets", `{"aggregationType":"SAILPOINT","aggregations":{"bucket":{"name":"D","field":"attributes.department","size":2},"subAggregation":{"bucket":{"name":"M","field":"isManager"},"metric":{"name":"A","type":"MAX","field":"accountCount"}}}}`,
			`{"D":{"buckets":[{"M":{"buckets":[{"A":{"value":2},"doc_count":2,"key":"false"},{"A":{"value":2},"doc_count":1,"key":"true"}]},"doc_count":3,"key":"Sales"},` +
				`{"M":{"buckets":[{"A":{"value":2},"doc_count":1,"key":"true"}]},"doc_count":1,"key":"Board"}]}}`},
		{"a nested list", `{"aggregationType":"SAILPOINT","aggregations":{"nested":{"name":"A","field":"access"},"filter":{"name":"E","field":"access.type","value":"ENTITLEMENT"},"bucket":{"name":"N","field":"access.name"}}}`,
			`{"A":{"E":{"N":{"buckets":[{"doc_count":2,"key":"sales"},{"doc_count":1,"key":"Domain Admins"}]},"doc_count":3},"doc_count":9}}`},
		{"a nested list in the index's own language", `{"aggregationsDsl":{"A":{"nested":{"path":"accounts"},"aggs":{"S":{"terms":{"field":"accounts.source.name.exact"}}}}}}`,
			`{"A":{"S":{"buckets":[{"doc_count":5,"key":"HR"},{"doc_count":3,"key":"Directory"}]},"doc_count":8}}`},
		{"a field that does not exist", `{"aggregationsDsl":{"X":{"terms":{"field":"shoe"}}}}`, `{"X":{"buckets":[]}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var request engine.SearchRequest
			if err := json.Unmarshal([]byte(test.request), &request); err != nil {
				t.Fatal(err)
			}
			request.Indices = []string{"identities"}
			result, err := c.SearchAggregate(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(result.Aggregations)
			if err != nil || string(got) != test.want {
				t.Errorf("the result is %s, want %s; %v", got, test.want, err)
			}
		})
	}
	for request, want := range map[string]string{
		`{}`: "aggregationsDsl is missing",
		`{"aggregationsDsl":{"X":{"histogram":{"field":"created"}}}}`:                                       `no aggregation "histogram"`,
		`{"aggregationsDsl":{"X":{"sum":{"field":"name"}}}}`:                                                "SUM is for numbers",
		`{"aggregationsDsl":{"X":{"terms":{"field":"name","size":10001}}}}`:                                 "the size is 10001",
		`{"aggregationType":"SAILPOINT","aggregations":{"bucket":{"field":"name"}}}`:                        "needs a name",
		`{"aggregationType":"SAILPOINT","aggregations":{"metric":{"name":"x","type":"MODE","field":"id"}}}`: `"MODE" is unknown`,
		`{"aggregationsDsl":{"X":{"nested":{"path":"shoes"}}}}`:                                             `no nested list "shoes"`,
	} {
		var asked engine.SearchRequest
		if err := json.Unmarshal([]byte(request), &asked); err != nil {
			t.Fatal(err)
		}
		asked.Indices = []string{"identities"}
		if _, err := c.SearchAggregate(t.Context(), asked); engine.KindOf(err) != engine.Invalid ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", request, err)
		}
	}
	values, err := c.SearchValues(t.Context(), engine.SearchRequest{Indices: []string{"identities"},
		TypeAhead: &engine.SearchTypeAhead{Field: "name", NestedType: "access", Query: "do"}})
	if err != nil || !slices.Equal(values, []string{"Domain Admins"}) {
		t.Errorf("%v: %v", values, err)
	}
	values, err = c.SearchValues(t.Context(), engine.SearchRequest{Indices: []string{"identities"},
		TypeAhead: &engine.SearchTypeAhead{Field: "displayName", Query: "the B", SortByValue: true, Sort: "asc"}})
	if err != nil || !slices.Equal(values, []string{"Ann Boss", "Bob Twain"}) {
		t.Errorf("%v: %v", values, err)
	}
}

func TestSearchAccountActivities(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	c.ApplyText(strings.Replace(enginetest.Roles, "value: sales", "value: guests", 1))
	c.Process()
	search := func(query string) []engine.SearchHit {
		page, err := c.Search(t.Context(), engine.SearchRequest{Indices: []string{"accountactivities"},
			Query: &engine.SearchText{Query: query}, Sort: []string{"-created", "id"}})
		if err != nil {
			t.Fatal(err)
		}
		return page.Documents
	}
	all := search("*")
	if len(all) == 0 {
		t.Fatal("the role grants something else now, and nothing is done for it")
	}
	for query, want := range map[string]int{
		`sources:"Directory" AND recipient.name:ayse AND status:"pending"`: len(all), `status:("Complete" OR "Failure")`: 0,
		`accountRequests.attributeRequests.value:guests AND action:ADD_*`: len(all), `created:[now-3d TO now] AND _exists_:recipient`: len(all),
		`errors:*`: 0, `ayse`: len(all),
	} {
		if got := len(search(query)); got != want {
			t.Errorf("%s finds %d, want %d: %v", query, got, want, all)
		}
	}
	document, err := c.SearchDocument(t.Context(), "accountactivities", all[0]["id"].(string))
	if err != nil || document["_type"] != "accountactivity" || document["sources"] != "Directory" ||
		memberOf(document, "recipient.name") != "ayse" {
		t.Errorf("the document is %v: %v", document, err)
	}
}
