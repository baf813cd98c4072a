package engine_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/filterql"
)

// strangeTexts come back as they were from wherever they were put.
var strangeTexts = []struct{ name, text string }{
	{"right to left", "\u200fabc\u202ecba\u202c"},
	{"combining marks", "Z\u0351\u036b\u0343\u036a A\u030a \u212b e\u0301\u0301"},
	{"four bytes", "👨\u200d👩\u200d👧 𝔘𐍈 \U0010FFFD"},
	{"byte order mark", "\ufeffa\ufeffb\ufeff"},
	{"line feeds", "a\nb\n\nc\n"},
	{"carriage returns", "a\rb\r"},
	{"line separators", "a\u0085b\u2028c\u2029d"},
	{"blanks", " \t leading and trailing \t "},
	{"blanks of Unicode", "\u00a0\u2003text\u3000\u200b"},
	{"control characters", "\x01\x1b[31m\x7f\u0080\u009f"},
	{"replacement character", "\ufffd and no characters \ufffe\uffff"},
	{"SQL", `x'; DROP TABLE muster.identities; -- /* E'\x41'`},
	{"pattern of LIKE", `100%_of\_it\%\`},
	{"placeholders", "$1 $99 ? ?? :name @p1 %s %!d(x) {0}"},
	{"JSON", `{"a": ["\u0000", "\ud800", null, 1e999]}`},
	{"regular expression", `^(a+)+$|[[:alpha:]]*\Q.\E(?i)`},
	{"template", "$identity.name ${x} #set($x = 1) #end {{.Link}} ${env:HOME}"},
	{"markup", `<script>alert("1")</script>&lt;&#0;` + "`'"},
	{"delimited", `a,b;"c""d"|e` + "\t"},
	{"formula", "=1+1"},
	{"case folding", "İıſßẞΣςσﬁŉǰᾼ"},
	{"null", "null"},
	{"number", "007"},
	{"list", `[1, 2]`},
	{"YAML", "- &a *a !!binary : # yes"},
	{"escapes", `\n \u0041 \\ \`},
}

// mega is a text of a million bytes and more, large one that transforms pass on.
var (
	mega  = strings.Repeat("mégα\u0301 ", 120_000)
	large = strings.Repeat("mégα\u0301 ", 20_000)
)

// quoted writes a text as a value of a filter.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// delimitedRow writes a row of delimited text.
func delimitedRow(t *testing.T, values ...string) string {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := w.Write(values); err != nil {
		t.Fatal(err)
	}
	if w.Flush(); w.Error() != nil {
		t.Fatal(w.Error())
	}
	return b.String()
}

// demandAttribute fails unless an identity has a text as the value of an attribute.
func demandAttribute(t *testing.T, identity *engine.Identity, name, want string) {
	t.Helper()
	if got := identity.Attributes.Get(name); got.Kind() != attribute.KindString || got.Text() != want {
		t.Errorf("%s is %.200q, want %.200q", name, got.Text(), want)
	}
}

// demandFound fails unless a filter selects one identity alone.
func (f *fixture) demandFound(filter, want string) {
	f.t.Helper()
	page, err := f.ListIdentities(f.t.Context(), engine.ListParams{AnyField: true, Filters: filter})
	if err != nil {
		f.t.Errorf("%s: %v", filter, err)
		return
	}
	var found []string
	for i := range page.Identities {
		found = append(found, page.Identities[i].Alias)
	}
	if !slices.Equal(found, []string{want}) {
		f.t.Errorf("%s finds %q, want %s", filter, found, want)
	}
}

// Values of delimited text come back as they were: from the identity, lists, filters, the history and operations.
func TestStrangeValues(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{Guard: engine.Guard{Off: true}})
	texts := append(slices.Clone(strangeTexts), struct{ name, text string }{"large", large})
	rows, empty := enginetest.PeopleHeader, enginetest.PeopleHeader
	for i, text := range texts {
		id := "x" + strconv.Itoa(i)
		rows += delimitedRow(t, id, text.text, text.text, "last", id+"@example.com", text.text, "", "1", "")
		empty += delimitedRow(t, id, "name", "", "last", id+"@example.com", "", "", "1", "")
	}
	result := f.AggregateText("HR", rows, engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}})
	if result.Faulty != 0 || result.Added != len(texts) {
		t.Fatalf("got %+v, want result.Faulty == 0 && result.Added == len(texts)", result)
	}
	f.Process()
	for i := range texts {
		params := engine.AssignRoleParams{Identity: f.Identity("x" + strconv.Itoa(i)).ID, Role: "Lead"}
		if _, err := f.AssignRole(t.Context(), params); err != nil {
			t.Fatal(err)
		}
	}
	f.Process()
	if _, err := f.ProvisionPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		t.Run(text.name, func(t *testing.T) {
			inner := *f
			inner.t = t
			id := "x" + strconv.Itoa(i)
			identity := inner.Identity(id)
			if identity.Name != text.text {
				t.Errorf("the name is %.200q", identity.Name)
			}
			demandAttribute(t, identity, "firstname", text.text)
			demandAttribute(t, identity, "department", text.text)
			got, err := inner.GetIdentity(t.Context(), identity.ID)
			if err != nil || got.Name != text.text {
				t.Errorf("%.200q, %v", got.Name, err)
			}
			if filter := "department eq " + quoted(text.text); len(filter) <= filterql.TextMax {
				inner.demandFound(filter, id)
				inner.demandFound("department sw "+quoted(text.text), id)
				inner.demandFound("name eq "+quoted(text.text), id)
				inner.demandFound("name co "+quoted(text.text)+" and firstname in ("+quoted(text.text)+")", id)
			} else {
				inner.demandFound("department sw "+quoted(text.text[:1000]), id)
			}
			m.mutex.Lock()
			account := m.accounts[id]
			m.mutex.Unlock()
			if account.Get("first").Text() != text.text {
				t.Errorf("the source was given %.200q", account.Get("first").Text())
			}
			operations, err := inner.Operations(t.Context(), engine.OperationQuery{Identity: identity.ID})
			if err != nil || len(operations) == 0 {
				t.Fatalf("got %d, %v, want err == nil && len(operations) != 0", len(operations), err)
			}
			if !slices.ContainsFunc(operations, func(o engine.Operation) bool {
				return o.Attributes.Get("first").Text() == text.text
			}) {
				t.Errorf("the operations have other attributes")
			}
		})
	}
	// Pages go on behind any of them.
	for _, sorters := range []string{"name", "-firstname", "email,-name", "alias"} {
		seen, limit := map[string]bool{}, 2
		for after := ""; ; {
			page, err := f.ListIdentities(t.Context(), engine.ListParams{AnyField: true, Sorters: sorters, Limit: &limit,
				After: after})
			if err != nil {
				t.Fatalf("%s: %v", sorters, err)
			}
			for i := range page.Identities {
				seen[page.Identities[i].Alias] = true
			}
			if after = page.Next; after == "" {
				break
			}
			if len(after) > filterql.CursorMax {
				t.Errorf("%s: a cursor of %d bytes", sorters, len(after))
			}
		}
		if len(seen) != len(texts) {
			t.Errorf("%s: pages have %d of %d identities", sorters, len(seen), len(texts))
		}
	}
	one := 1
	_, err := f.ListIdentities(t.Context(), engine.ListParams{AnyField: true, Sorters: "department", Limit: &one,
		Filters: "department sw " + quoted(large[:1000])})
	demandKind(t, err, engine.Invalid, "sort by another field")
	f.AggregateText("HR", empty, engine.AggregateOptions{})
	f.Process()
	for i, text := range texts {
		identity := f.Identity("x" + strconv.Itoa(i))
		if value := identity.Attributes.Get("department"); !value.IsNull() {
			t.Errorf("%s: an empty value is %q", text.name, value.Text())
		}
		events, err := f.History(t.Context(), identity.ID, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		from, to := false, false
		for _, event := range events {
			for _, change := range event.Detail.Attributes {
				if change.Attribute == "department" {
					from = from || change.OldValue.Text() == text.text
					to = to || change.NewValue.Text() == text.text
				}
			}
		}
		if !from || !to {
			t.Errorf("%s: the history tells %.300s", text.name, fmt.Sprint(events[0].Detail))
		}
	}
}

// A connector's objects are kept as they are, whatever their size; what transforms refuse to pass on is the identity's
// error, with the limit.
func TestHugeValues(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	list := make([]string, 10_000)
	for i := range list {
		list[i] = fmt.Sprintf("%d, \"тext\" %%_\\", i)
	}
	m.accounts["ann"] = attribute.SetOf(map[string]attribute.Value{
		"login": attribute.String("ann"), "first": attribute.String(mega), "teams": attribute.List(list),
	})
	for i, text := range strangeTexts {
		m.accounts[text.text] = attribute.SetOf(map[string]attribute.Value{
			"login": attribute.String(text.text), "first": attribute.String(text.text), "pin": attribute.String(""),
			"teams": attribute.List([]string{text.text, strconv.Itoa(i), text.text}),
		})
	}
	result, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{})
	if err != nil || result.Faulty != 0 || result.Rows != len(m.accounts) {
		t.Fatalf("got %+v, %v, want err == nil && result.Faulty == 0 && result.Rows == len(m.accounts)", result, err)
	}
	for native, want := range m.accounts {
		var document []byte
		err := f.Pool.QueryRow(t.Context(), `SELECT attributes FROM muster.accounts WHERE native_identity = $1 AND
			source_id = (SELECT id FROM muster.sources WHERE name = 'Memory')`, native).Scan(&document)
		if err != nil {
			t.Fatalf("%q: %v", native, err)
		}
		var got attribute.Set
		if err := got.Decode(document); err != nil || !got.Equal(&want) {
			t.Errorf("%q: %v, %.300s", native, err, document)
		}
	}
	if again, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{}); err != nil ||
		again.Unchanged != len(m.accounts) {
		t.Errorf("read again: %+v, %v", again, err)
	}
	if n := f.CountRows(`muster.entitlements`); n != len(list)+2*len(strangeTexts)+1 {
		t.Errorf("%d entitlements", n) // and the group leads
	}
	f.AggregateText("HR", enginetest.PeopleHeader+delimitedRow(t, "meg", mega, "first", "last", "", mega, "", "1", ""),
		engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}})
	if done := f.Process(); done.Errors != 1 {
		t.Errorf("got %+v, want Errors 1", done)
	}
	var name, fault string
	err = f.Pool.QueryRow(t.Context(), `SELECT name, processing_error FROM muster.identities
		WHERE processing_state = 'ERROR'`).Scan(&name, &fault)
	if err != nil || name != mega || !strings.Contains(fault, "longer than 262144 bytes") {
		t.Errorf("%.100q %q %v", name, fault, err)
	}
}

// Texts of a configuration, comments, and names of owned objects come back as they were.
func TestStrangeNames(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	for i, text := range strangeTexts {
		t.Run(text.name, func(t *testing.T) {
			inner := *f
			inner.t = t
			document, err := json.Marshal(map[string]any{
				"name": text.text, "description": text.text, "enabled": true,
				"membership": map[string]any{"type": "STANDARD", "criteria": map[string]any{
					"operation": "EQUALS", "stringValue": text.text,
					"key": map[string]any{"type": "IDENTITY", "property": "attribute.department"},
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			// As JSON it is YAML too, and so it is with every character beyond ASCII escaped.
			text1 := fmt.Sprintf(`{"roles": [%s]}`, document)
			inner.ApplyText(text1)
			if again := inner.ApplyText(strings.Trim(escapeAll(text1), `"`)); again.Objects[0].Action != engine.Unchanged {
				t.Errorf("escaped it is another: %+v", again)
			}
			var kept []byte
			err = f.Pool.QueryRow(t.Context(), `SELECT document FROM muster.roles WHERE name = $1`, text.text).Scan(&kept)
			if err != nil {
				t.Fatal(err)
			}
			var want, got map[string]any
			if json.Unmarshal(document, &want) != nil || json.Unmarshal(kept, &got) != nil {
				t.Fatalf("got %s, %s, want json.Unmarshal(document, &want) == nil && json.Unmarshal(kept, &got) == nil", document, kept)
			}
			delete(got, "id")
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("it is kept as %q, want %q", got, want)
			}
			assigned, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: text.text,
				Comments: text.text, Source: text.text})
			if err != nil {
				t.Fatal(err)
			}
			assignments, err := f.RoleAssignments(t.Context(), ann, engine.RoleAssignmentQuery{RoleName: text.text})
			if err != nil || len(assignments) != 1 {
				t.Fatalf("got %+v and the error %v, want 1 of them", assignments, err)
			}
			if a := assignments[0]; a.ID != assigned.ID || a.Role.Name != text.text || a.Comments == nil ||
				*a.Comments != text.text || a.AssignmentSource != text.text {
				t.Errorf("%q with %q from %q", a.Role.Name, *a.Comments, a.AssignmentSource)
			}
			owned := engine.OwnedObject{Kind: text.text, ID: text.text, Name: text.text, Owner: bob}
			if err := f.RegisterOwned(t.Context(), owned); err != nil {
				t.Fatal(err)
			}
			associations, err := f.Ownership(t.Context(), bob)
			if err != nil || len(associations) != 1 || len(associations[0].Entities) != 1 {
				t.Fatalf("got %+v, %v, want err == nil && len(associations) == 1 && len(associations[0].Entities) == 1", associations, err)
			}
			if e := associations[0].Entities[0].IdentityEntity; associations[0].AssociationType != text.text+"_OWNER" ||
				e.ID != text.text || e.Name != text.text || e.Type != text.text {
				t.Errorf("got %+q, want associations[0].AssociationType == text.text + \"_OWNER\" && e.ID == text.text && e.Name == text.text && e.Type == text.text", associations)
			}
			if err := f.ForgetOwned(t.Context(), text.text, text.text); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
}

// escapeAll writes every character beyond ASCII of a JSON text as an escape.
func escapeAll(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x7f:
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04X\u%04x`, high, low)
		}
	}
	return b.String()
}

// brokenTexts cannot be kept by any database of UTF-8.
var brokenTexts = map[string]string{
	"NUL": "a\x00b", "a byte of Latin 1": "caf\xe9", "half a pair": "\xed\xa0\x80", "too long": "\xc0\x80",
	"cut off": "\xf0\x9f\x98", "beyond Unicode": "\xf4\x90\x80\x80",
}

// What cannot be kept is refused wherever it is given, as the caller's mistake, and changes nothing.
func TestBrokenTexts(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	ann := f.Identity("ann").ID
	before := f.CountRows(`muster.identity_events`)
	for name, text := range brokenTexts {
		t.Run(name, func(t *testing.T) {
			inner := *f
			inner.t = t
			ctx := t.Context()
			object := func(format string) error {
				_, err := f.Apply(ctx, []engine.Document{{Type: engine.TypeRole, Place: "here",
					Object: json.RawMessage(fmt.Sprintf(format, text))}})
				return err
			}
			for way, do := range map[string]func() error{
				"find": func() error { _, err := f.FindIdentity(ctx, text); return err },
				"get":  func() error { _, err := f.GetIdentity(ctx, text); return err },
				"list": func() error {
					_, err := f.ListIdentities(ctx, engine.ListParams{Filters: "name eq " + quoted(text)})
					return err
				},
				"sort":  func() error { _, err := f.ListIdentities(ctx, engine.ListParams{Sorters: text}); return err },
				"after": func() error { _, err := f.ListIdentities(ctx, engine.ListParams{After: text}); return err },
				"default filter": func() error {
					_, err := f.ListIdentities(ctx, engine.ListParams{DefaultFilter: engine.DefaultFilter(text)})
					return err
				},
				"role": func() error {
					_, err := f.RoleAssignments(ctx, ann, engine.RoleAssignmentQuery{RoleName: text})
					return err
				},
				"role ID": func() error {
					_, err := f.RoleAssignments(ctx, text, engine.RoleAssignmentQuery{RoleID: text})
					return err
				},
				"assignment": func() error { _, err := f.RoleAssignment(ctx, ann, text); return err },
				"comments": func() error {
					_, err := f.AssignRole(ctx, engine.AssignRoleParams{Identity: ann, Role: "Lead", Comments: text})
					return err
				},
				"source of assignment": func() error {
					_, err := f.AssignRole(ctx, engine.AssignRoleParams{Identity: ann, Role: "Lead", Source: text})
					return err
				},
				"role to assign": func() error {
					_, err := f.AssignRole(ctx, engine.AssignRoleParams{Identity: ann, Role: text})
					return err
				},
				"revoke":    func() error { return f.RevokeRole(ctx, ann, text) },
				"lifecycle": func() error { return setState(f.SetLifecycleState(ctx, ann, text)) },
				"owned kind": func() error {
					return f.RegisterOwned(ctx, engine.OwnedObject{Kind: text, ID: "a", Owner: ann})
				},
				"owned name": func() error {
					return f.RegisterOwned(ctx, engine.OwnedObject{Kind: "A", ID: "a", Name: text, Owner: ann})
				},
				"forget":       func() error { return f.ForgetOwned(ctx, "A", text) },
				"reassign":     func() error { _, err := f.ReassignOwned(ctx, ann, text); return err },
				"delete":       func() error { return f.DeleteIdentity(ctx, text) },
				"process":      func() error { _, err := f.ProcessIdentities(ctx, []string{text}); return err },
				"profile":      func() error { _, err := f.ProcessProfile(ctx, text); return err },
				"invite":       func() error { _, err := f.InviteIdentities(ctx, engine.InviteParams{IDs: []string{text}}); return err },
				"verification": func() error { return f.SendVerification(ctx, ann, engine.VerificationParams{Via: text}) },
				"verification source": func() error {
					return f.SendVerification(ctx, ann, engine.VerificationParams{Via: engine.ViaEmailWork, Source: text})
				},
				"redeem":         func() error { _, err := f.RedeemInvitation(ctx, text); return err },
				"levels":         func() error { return f.SetUserLevels(ctx, ann, []string{text}) },
				"synchronize":    func() error { _, err := f.SynchronizeAttributes(ctx, text); return err },
				"source":         func() error { _, err := f.SynchronizeSource(ctx, text); return err },
				"test":           func() error { return f.TestSource(ctx, text) },
				"password":       func() error { return f.SetPassword(ctx, ann, text, "secret") },
				"task":           func() error { _, err := f.Task(ctx, text); return err },
				"operations":     func() error { _, err := f.Operations(ctx, engine.OperationQuery{Source: text}); return err },
				"history":        func() error { _, err := f.History(ctx, text, "", 1); return err },
				"events":         func() error { _, err := f.Events(ctx, text, 1); return err },
				"explain":        func() error { _, err := f.Explain(ctx, engine.ExplainParams{Identity: ann, Role: text}); return err },
				"aggregate into": func() error { _, err := f.AggregateSource(ctx, text, engine.AggregateOptions{}); return err },
				"delimiter": func() error {
					_, err := f.Aggregate(ctx, "HR", strings.NewReader("id\n1\n"), engine.AggregateOptions{Delimiter: text})
					return err
				},
				"header": func() error {
					_, err := f.Aggregate(ctx, "HR", strings.NewReader("id,"+text+"\n1,2\n"), engine.AggregateOptions{})
					return err
				},
				"document name":   func() error { return object(`{"name": "%s", "enabled": true}`) },
				"document value":  func() error { return object(`{"name": "a", "enabled": true, "x": ["%s"]}`) },
				"document member": func() error { return object(`{"name": "a", "enabled": true, "%s": 1}`) },
				"YAML": func() error {
					_, err := engine.ReadDocuments("c.yaml", strings.NewReader("roles: [{name: \""+text+"\"}]"))
					return err
				},
				"JSON": func() error {
					_, err := engine.ReadDocuments("c.json", strings.NewReader(`{"roles": [{"name": "`+text+`"}]}`))
					return err
				},
			} {
				err := do()
				kind := engine.KindOf(err)
				refused := kind == engine.Invalid || kind == engine.NotFound || way == "redeem" && kind == engine.Forbidden
				if err == nil || !refused {
					t.Errorf("%s: %v (%v)", way, err, kind)
				}
			}
			result := inner.AggregateText("HR", enginetest.People+"eve,"+text+",a,b,c,d,,1,\n", engine.AggregateOptions{})
			if result.Faulty != 1 || result.Removed != 0 || result.Changed != 0 || !strings.Contains(result.RowErrors[0].Msg, `"name"`) {
				t.Errorf("delimited: %+v", result)
			}
			broken := attribute.SetOf(map[string]attribute.Value{"login": attribute.String("ann")})
			whole := attribute.SetOf(map[string]attribute.Value{"login": attribute.String("zed")})
			for what, value := range map[string]attribute.Value{"first": attribute.String(text),
				"teams": attribute.List([]string{"a", text}), text: attribute.String("value")} {
				account := broken.Clone()
				account.Put(what, value)
				m.accounts = map[string]attribute.Set{"ann": account, "zed": whole}
				result, err := f.AggregateSource(ctx, "Memory", engine.AggregateOptions{})
				faulty, rows := 1, 1
				if what == "first" { // it is left out, the account is not
					faulty, rows = 0, 2
				}
				if err != nil || result.Faulty != faulty || result.Rows != rows || len(result.Notes) != 1-faulty {
					t.Errorf("an object with %q: %+v, %v", what, result, err)
				}
			}
			m.accounts = map[string]attribute.Set{text: broken, "zed": whole}
			result, err := f.AggregateSource(ctx, "Memory", engine.AggregateOptions{})
			if err != nil || result.Faulty != 1 || result.Rows != 1 {
				t.Errorf("an object of this name: %+v, %v", result, err)
			}
			m.accounts = map[string]attribute.Set{}
		})
	}
	if after := f.CountRows(`muster.identity_events`); after != before {
		t.Errorf("%d events, %d before", after, before)
	}
}

// Numbers whose digits would fill the database, and halves of surrogate pairs, are refused with the place.
func TestRefusedValues(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{})
	for _, number := range []string{"1e309", "-1E+99999", "1e-400", "1e99999999999999999999", strings.Repeat("9", 101)} {
		value, err := attribute.Number(number)
		if err != nil {
			t.Fatal(err)
		}
		m.accounts["ann"] = attribute.SetOf(map[string]attribute.Value{"login": value})
		m.accounts["zed"] = attribute.SetOf(map[string]attribute.Value{"login": attribute.String("zed")})
		result, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{})
		if err != nil || result.Faulty != 1 || !strings.Contains(result.RowErrors[0].Msg, "number") {
			t.Errorf("got %s: %+v, %v, want err == nil && result.Faulty == 1 && strings.Contains(result.RowErrors[0].Msg, \"number\")", number, result, err)
		}
		for _, text := range []string{"roles:\n  - {name: a, x: [" + number + "]}", "roles:\n  - {name: a, x: [!!float " + number + "]}"} {
			_, err = engine.ReadDocuments("c.yaml", strings.NewReader(text))
			demandKind(t, err, engine.Invalid, "number")
			demandKind(t, err, engine.Invalid, "c.yaml:2: roles[0].x[0]: ")
		}
		_, err = f.Apply(t.Context(), []engine.Document{{Type: engine.TypeRole, Object: json.RawMessage(`{"name": "a", "x": ` +
			number + `}`)}})
		demandKind(t, err, engine.Invalid, "number")
	}
	for text, want := range map[string]string{
		`{"name": "\ud800"}`:                   `\ud800 is half of a surrogate pair`,
		`{"name": "\\\udc00a"}`:                `\udc00 is half of a surrogate pair`,
		`{"name": "\ud800\u0041"}`:             `\ud800 is half`,
		`{"name": "a\u0000b"}`:                 "NUL",
		`{"a\u0000b": 1}`:                      "NUL",
		`{"name": "a"} {"name": "b"}`:          "more than one",
		`{"name": "a"`:                         "no JSON",
		``:                                     "no JSON",
		strings.Repeat("[", 300):               "nested deeper than 200",
		`{"name": "a", "name": ` + "\"\x01\"}": "no JSON",
	} {
		_, err := f.Apply(t.Context(), []engine.Document{{Type: engine.TypeRole, Object: json.RawMessage(text), Place: "here"}})
		demandKind(t, err, engine.Invalid, want)
		demandKind(t, err, engine.Invalid, "here")
	}
	for text, want := range map[string]string{
		`{"roles": [{"name": "\ud800"}]}`:                     "half of a surrogate pair",
		"roles:\n - {name: a,\n    \"a\\0b\": 1}":             "c.yaml:3: roles[0]: a member's name must not contain the NUL",
		"roles:\n - {name: \"a\u2028b\"}":                     "line 2 has the character U+2028",
		"roles: [{name: a, x: !!int '{\"a\": \"\\u0000\"}'}]": "roles[0].x",
		"roles:\n - name: a\n   x: &x \"" + strings.Repeat("a", 1<<20) + "\"\n   y: [" + strings.Repeat("*x,", 99) + "*x]": "more than 64 MiB",
		"roles:\n - name: a\n   x: &x [1,2,3,4,5,6,7,8,9,0]\n" + laughs():                                                  "more than 1000000 nodes",
	} {
		_, err := engine.ReadDocuments("c.yaml", strings.NewReader(text))
		demandKind(t, err, engine.Invalid, want)
	}
}

// laughs are aliases of lists of aliases, nine levels of ten each.
func laughs() string {
	var b strings.Builder
	last := "x"
	for _, name := range strings.Split("abcdefgh", "") {
		fmt.Fprintf(&b, "   %s: &%s [%s*%s]\n", name, name, strings.Repeat("*"+last+",", 9), last)
		last = name
	}
	return b.String()
}
