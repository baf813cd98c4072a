package engine_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/filterql"
)

// Objects are listed by pages, filtered and sorted, in the shape in which an export has them.
func TestListConfiguration(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText(enginetest.Roles)
	names := func(kind engine.ObjectType, params engine.PageParams) string {
		t.Helper()
		one := 1
		params.Limit = &one
		var list []string
		for {
			page, err := f.ListConfiguration(t.Context(), kind, params)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Items {
				o := &page.Items[i]
				list = append(list, o.Name)
				whole, err := f.ConfigurationObject(t.Context(), kind, o.ID)
				if err != nil || !sameJSON(t, whole.Object, o.Object) || o.Modified.IsZero() || o.Created.IsZero() {
					t.Errorf("%s is listed as %s, and exported as %s, %v", o.Name, o.Object, whole.Object, err)
				}
			}
			if params.After = page.Next; page.Next == "" {
				return strings.Join(list, " ")
			}
		}
	}
	for _, test := range []struct {
		kind             engine.ObjectType
		filters, sorters string
		want             string
	}{
		{engine.TypeRole, "", "name", "Auditor Sales"},
		{engine.TypeRole, `membership.type eq "STANDARD"`, "", "Sales"},
		{engine.TypeRole, `name sw "aud" and enabled eq true`, "", "Auditor"},
		{engine.TypeAccessProfile, `enabled eq true`, "-created", "Sales files"},
		{engine.TypeSource, "", "-name", "HR Directory"},
		{engine.TypeSource, `connector eq "ldap"`, "", ""},
	} {
		if got := names(test.kind, engine.PageParams{Filters: test.filters, Sorters: test.sorters}); got != test.want {
			t.Errorf("%s %q: got %q, want %q", test.kind, test.filters, got, test.want)
		}
	}
	_, err := f.ListConfiguration(t.Context(), engine.TypeRole, engine.PageParams{Filters: "salary gt 1"})
	if mistake := new(filterql.Error); !errors.As(err, &mistake) {
		t.Errorf("a wrong filter is %v", err)
	}
	_, err = f.ListConfiguration(t.Context(), engine.TypeTransform, engine.PageParams{})
	demandKind(t, err, engine.Invalid, "not listed by pages")
}

// sameJSON reports whether two documents say the same.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatal(err)
	}
	left, _ := json.Marshal(x)
	right, _ := json.Marshal(y)
	return string(left) == string(right)
}
