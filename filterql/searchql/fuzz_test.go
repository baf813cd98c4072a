package searchql_test

import (
	"errors"
	"testing"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

// Whatever the text is, parsing ends with a tree whose printed form is the same tree, or with an error that can be
// shown. What a schema accepts can be evaluated and compiled.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`attributes.location:austin AND NOT manager.name:amanda.ross`, `@accounts(source.name:"A \"B\"" AND disabled:false)`,
		`created:[2024-01-01 TO now-7d/d}`, `attributes.firstname:/[a-c].{2,3}(x|y)*/`, `+a -b !c NOT d`, `f:("a" OR b*) c^2`,
		`_exists_:manager`, `count:>=5`, `@apps.name:'x y'`, `name:a\:b*`, `tags.exact:/[^]/`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := searchql.Parse(text)
		if err != nil {
			var mistake *filterql.Error
			if !errors.As(err, &mistake) || mistake.Render() == "" || mistake.Pos > mistake.End || mistake.End > len(text) {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		printed := searchql.Print(e)
		again, err := searchql.Parse(printed)
		var mistake *filterql.Error
		switch {
		case errors.As(err, &mistake) && mistake.Kind == filterql.Limit: // the printed text is longer, and has more groups
		case err != nil:
			t.Fatalf("%q is printed as %q: %v", text, printed, err)
		case !searchql.Equal(e, again):
			t.Fatalf("%q is printed as %q, which parses to %q", text, printed, searchql.Print(again))
		}
		query, err := searchql.Check(e, schema(t), searchql.Options{Now: now})
		if err != nil {
			if !errors.As(err, &mistake) || mistake.Render() == "" {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		if _, _, err := query.Where().ToSql(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		query.Eval(map[string]any{"name": "john.smith", "tags": []any{"a", "b"}, "count": 5.0})
	})
}
