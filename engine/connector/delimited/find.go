package delimited

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/muster-engine/muster/engine/connector"
)

// locate returns the row of an operation's account, or -1 if there is none: the row with the stable identity where the
// account has one, whatever its native identity is by now. It makes the account that of the result.
func (t *table) locate(o *connector.Operation) (int, error) {
	t.touched = o.NativeIdentity
	at := -1
	if column := t.objects.stableAt; o.StableIdentity == "" || column < 0 {
		at = t.find(o.NativeIdentity)
	} else {
		for i, row := range t.rows {
			if row[column] != o.StableIdentity {
				continue
			}
			if at >= 0 {
				return -1, connector.Permanent(errors.New("several rows have the stable identity of the account"))
			}
			at = i
		}
	}
	if at >= 0 {
		t.touched = t.rows[at][t.objects.identityAt]
	}
	return at, nil
}

// stable returns the stable identity of the account that an operation was about, "" if it has none or is gone.
func (t *table) stable() string {
	at := slices.IndexFunc(t.rows, func(row []string) bool { return row[t.objects.identityAt] == t.touched })
	if at < 0 || t.objects.stableAt < 0 {
		return ""
	}
	return t.rows[at][t.objects.stableAt]
}

// Find implements [connector.Finder]. It reads the file to its end.
func (f *files) Find(ctx context.Context, query *connector.Query, each func(*connector.Object) error) error {
	schema := connector.AccountSchema(f.schemas)
	return f.open(ctx, connector.AccountObject, schema, func(objects *Objects) error {
		for {
			object, err := objects.Next()
			if err == io.EOF { //nolint:errorlint // an error around it is a file that could not be read to its end
				return nil
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if !query.Selects(object) {
				continue
			}
			if err := each(object); err != nil {
				return err
			}
		}
	})
}
