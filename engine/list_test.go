package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

func TestListPublishedFields(t *testing.T) {
	t.Parallel()
	f := company(t)
	id := f.Identity("ann").ID
	for filters, want := range map[string]string{
		"":                          "Ann Boss|Bob Twain|Cy Self|Dee Strauß|Ünal, Ayşe",
		fmt.Sprintf("id eq %q", id): "Ann Boss",
		fmt.Sprintf(`id in (%q,"%s-%s-%s-%s-%s","nobody")`, id, id[:8], id[8:12], id[12:16], id[16:20], id[20:]): "Ann Boss",
		`id eq "nobody"`:                                   "",
		`name eq "ann boss"`:                               "Ann Boss",
		`name sw "ÜNAL"`:                                   "Ünal, Ayşe",
		`alias eq "ayse" or alias sw "cy"`:                 "Cy Self|Ünal, Ayşe",
		`firstname sw "AYŞ"`:                               "Ünal, Ayşe",
		`lastname eq "STRAUSS"`:                            "Dee Strauß",
		`email sw "BOB@" and not name eq "x"`:              "Bob Twain",
		`cloudStatus eq "unregistered" and alias eq "ann"`: "Ann Boss",
		`processingState eq "ERROR"`:                       "",
		`protected eq true`:                                "",
		`correlated eq false`:                              "", // the default filter is added to it
	} {
		if got := f.names(engine.ListParams{Filters: filters, Sorters: "name"}); got != want {
			t.Errorf("%s: %s, want %s", filters, got, want)
		}
	}
	for sorters, want := range map[string]string{
		"-name":              "Ünal, Ayşe|Dee Strauß|Cy Self|Bob Twain|Ann Boss",
		"alias":              "Ann Boss|Ünal, Ayşe|Bob Twain|Cy Self|Dee Strauß",
		"cloudStatus,-alias": "Dee Strauß|Cy Self|Bob Twain|Ünal, Ayşe|Ann Boss",
	} {
		if got := f.names(engine.ListParams{Sorters: sorters}); got != want {
			t.Errorf("%s: %s, want %s", sorters, got, want)
		}
	}
}

func TestListAnyField(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.AggregateText("Directory", enginetest.DirectoryHeader+"annb,,ann,G1;G2,true\nbobt,,bob,g2,\n", engine.AggregateOptions{})
	f.Process()
	boss := f.Identity("ann").ID
	for filters, want := range map[string]string{
		`department eq "SALES"`:                               "Bob Twain|Dee Strauß|Ünal, Ayşe",
		`attributes.department co "eg"`:                       "Cy Self",
		`not department eq "sales"`:                           "Ann Boss|Cy Self",
		`department ne "sales" and login isnull`:              "Cy Self",
		`pr login`:                                            "Ann Boss|Bob Twain",
		`groups ca ("g2")`:                                    "Ann Boss|Bob Twain",
		`groups ca ("G1","G2")`:                               "Ann Boss",
		`manager.id isnull`:                                   "Ann Boss|Cy Self",
		`manager.name sw "ün" and lifecycleState eq "leave"`:  "Bob Twain",
		fmt.Sprintf("managerRef.id eq %q", boss):              "Ünal, Ayşe",
		`isManager eq true`:                                   "Ann Boss|Ünal, Ayşe",
		`identityState in ("INACTIVE_LONG_TERM")`:             "Bob Twain",
		`identityProfile.name eq "employees" and name le "c"`: "Ann Boss|Bob Twain",
		`created gt 2020 and lastRefresh ge 2020-01-01 and modified gt 2001-01-01T00:00:00Z and alias eq "ann"`: "Ann Boss",
		`created lt 2020`: "",
		`lifecycleState.manuallyUpdated eq false and displayName eq "BOB TWAIN"`: "Bob Twain",
	} {
		if got := f.names(engine.ListParams{Filters: filters, Sorters: "name", AnyField: true}); got != want {
			t.Errorf("%s: %s, want %s", filters, got, want)
		}
	}
	if got := f.names(engine.ListParams{Sorters: "-department,manager.name,-name", AnyField: true}); got != "Ünal, Ayşe|Dee Strauß|Bob Twain|Cy Self|Ann Boss" {
		t.Errorf("sorted: %s, want %q", got, "Ünal, Ayşe|Dee Strauß|Bob Twain|Cy Self|Ann Boss")
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	f := company(t)
	limit := func(n int) *int { return &n }
	for _, test := range []struct {
		params engine.ListParams
		want   string
	}{
		{engine.ListParams{Filters: `department eq "Sales"`}, "department"},
		{engine.ListParams{Filters: `name co "a"`}, `"co"`},
		{engine.ListParams{Filters: `name eq`}, "value"},
		{engine.ListParams{Sorters: "email"}, "email"},
		{engine.ListParams{Limit: limit(251)}, "0 to 250"},
		{engine.ListParams{Limit: limit(-1)}, "0 to 250"},
		{engine.ListParams{Offset: -1}, "0 or more"},
		{engine.ListParams{DefaultFilter: "ALL"}, "CORRELATED_ONLY or NONE"},
		{engine.ListParams{After: "x"}, "cursor"},
		{engine.ListParams{After: "x", Offset: 1}, "exclude each other"},
		{engine.ListParams{AnyField: true, Filters: `a.b eq "x"`}, "a.b"},
		{engine.ListParams{AnyField: true, Filters: `shoeSize eq "43"`}, `unknown field "shoeSize"`},
		{engine.ListParams{AnyField: true, Sorters: "attributes.shoeSize"}, `unknown field "attributes.shoeSize"`},
	} {
		_, err := f.ListIdentities(t.Context(), test.params)
		demandKind(t, err, engine.Invalid, test.want)
	}
}

// Far behind the first page, a page is found by other SQL, which must find the same.
func TestListDeepPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const people = 2_600
	f.executeAll(fmt.Sprintf(`
		INSERT INTO muster.identities (id, name, name_key, alias, alias_key, correlated, created, modified, cloud_status)
		SELECT gen_random_uuid(), 'N' || n %% 700, 'n' || n %% 700, n, n, n %% 50 > 0, now(), now(),
		       CASE WHEN n %% 10 = 0 THEN 'LOCKED' ELSE 'ACTIVE' END
		FROM generate_series(1, %d) n`, people), `UPDATE muster.identities i SET manager_id = (
		SELECT id FROM muster.identities m WHERE m.alias = '7') WHERE alias <> '7'`)
	for _, test := range []engine.ListParams{
		{}, {Sorters: "name"}, {Sorters: "-alias"}, {Sorters: "-manager.name,name", AnyField: true},
		{Filters: `cloudStatus eq "ACTIVE"`, Sorters: "name"}, {DefaultFilter: engine.NoDefault, Sorters: "cloudStatus"},
	} {
		var all []string
		for next := test; ; {
			page, err := f.ListIdentities(t.Context(), next)
			if err != nil {
				t.Fatalf("%+v: %v", next, err)
			}
			for i := range page.Identities {
				all = append(all, page.Identities[i].ID+page.Identities[i].Name)
			}
			if next.After = page.Next; next.After == "" {
				break
			}
		}
		deep := test
		deep.Offset = 2_100
		page, err := f.ListIdentities(t.Context(), deep)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range page.Identities {
			got = append(got, page.Identities[i].ID+page.Identities[i].Name)
		}
		want := all[deep.Offset:]
		if want = want[:min(len(want), 250)]; len(want) < 100 || !slices.Equal(got, want) {
			t.Errorf("%+v: %d rows from %d on, want %d others", test, len(got), deep.Offset, len(want))
		}
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	f := company(t)
	zero, two := 0, 2
	page, err := f.ListIdentities(t.Context(), engine.ListParams{Limit: &zero, Count: true})
	if err != nil || len(page.Identities) != 0 || page.Identities == nil || *page.Total != 5 {
		t.Errorf("got %+v and the error %v, want Identities that are empty and not nil, and Total 5", page, err)
	}
	page, err = f.ListIdentities(t.Context(), engine.ListParams{Offset: 5, Count: true})
	if err != nil || len(page.Identities) != 0 || *page.Total != 5 || page.Next != "" {
		t.Errorf("got %+v and the error %v, want 0 Identities, Total 5 and Next ", page, err)
	}
	if got := f.names(engine.ListParams{Sorters: "name", Limit: &two, Offset: 2}); got != "Cy Self|Dee Strauß" {
		t.Error(got)
	}
	// A cursor goes on behind its page, whatever happens before it.
	for _, sorters := range []string{"", "name", "-name", "department,-name", "-manager.name,name"} {
		var seen []string
		after := ""
		for {
			page, err := f.ListIdentities(t.Context(), engine.ListParams{Sorters: sorters, Limit: &two, After: after, AnyField: true})
			if err != nil {
				t.Fatalf("%s: %v", sorters, err)
			}
			for i := range page.Identities {
				seen = append(seen, page.Identities[i].Name)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if got, want := strings.Join(seen, "|"), f.names(engine.ListParams{Sorters: sorters, AnyField: true}); got != want {
			t.Errorf("%s: pages give %s, want %s", sorters, got, want)
		}
	}
	page, err = f.ListIdentities(t.Context(), engine.ListParams{Sorters: "name", Limit: &two})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.ListIdentities(t.Context(), engine.ListParams{Sorters: "-name", Limit: &two, After: page.Next})
	demandKind(t, err, engine.Invalid, "cursor")
	f.AggregateText("HR", enginetest.PeopleHeader+"aaron,Aaron First,Aaron,First,a@example.com,,,,\n", engine.AggregateOptions{Delta: true})
	f.Process()
	if got := f.names(engine.ListParams{Sorters: "name", After: page.Next}); got != "Cy Self|Dee Strauß|Ünal, Ayşe" {
		t.Error(got)
	}
}

func TestFindIdentity(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann := f.Identity("ann")
	dashed := fmt.Sprintf("%s-%s-%s-%s-%s", ann.ID[:8], ann.ID[8:12], ann.ID[12:16], ann.ID[16:20], ann.ID[20:])
	for _, id := range []string{ann.ID, dashed, strings.ToUpper(ann.ID)} {
		if got := f.Identity(id); got.Name != "Ann Boss" {
			t.Errorf("got %s: %+v, want got.Name == \"Ann Boss\"", id, got)
		}
	}
	for _, id := range []string{"", "nobody", "' OR 1=1 --", strings.Repeat("0", 32), "00000000-0000-0000-0000-00000000000g"} {
		_, err := f.FindIdentity(t.Context(), id)
		demandKind(t, err, engine.NotFound, "there is no identity")
		_, err = f.GetIdentity(t.Context(), id)
		demandKind(t, err, engine.NotFound, "not found")
	}
	f.ApplyText(strings.Replace(enginetest.Documents, "{identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}",
		"{identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: dept}}}", 1))
	f.Process()
	_, err := f.FindIdentity(t.Context(), "sales")
	demandKind(t, err, engine.Conflict, "several identities have this alias")
}

func TestIdentityShape(t *testing.T) {
	t.Parallel()
	f := company(t)
	text, err := json.Marshal(f.Identity("cy"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, volatile := range []string{"id", "created", "modified", "lastRefresh"} {
		if _, isText := got[volatile].(string); !isText {
			t.Errorf("%s is %v", volatile, got[volatile])
		}
		delete(got, volatile)
	}
	delete(got["attributes"].(map[string]any), "cloudAuthoritativeSource")
	want := map[string]any{
		"name": "Cy Self", "alias": "cy", "emailAddress": "cy@example.com", "processingState": nil, "identityStatus": "UNREGISTERED",
		"managerRef": nil, "isManager": false, "lifecycleState": nil,
		"attributes": map[string]any{
			"uid": "cy", "displayName": "Cy Self", "firstname": "Cy", "lastname": "Self", "email": "cy@example.com", "department": "Legal",
			"identificationNumber": "cy", "cloudLifecycleState": "unknown", "cloudStatus": "UNREGISTERED",
			"internalCloudStatus": "UNREGISTERED", "identityState": "ACTIVE",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A filter is shown as the SQL that it becomes, with every value an argument.
func TestListStatement(t *testing.T) {
	t.Parallel()
	f := company(t)
	text, arguments, err := f.ListStatement(t.Context(), engine.ListParams{Filters: `name sw "O'B" or email eq "a@b"`})
	if err != nil || strings.Contains(text, "O'") || strings.Contains(text, "o'b") || len(arguments) < 2 {
		t.Errorf("got %s %v %v, want err == nil && !strings.Contains(text, \"O'\") && !strings.Contains(text, \"o'b\") && len(arguments) >= 2", text, arguments, err)
	}
}
