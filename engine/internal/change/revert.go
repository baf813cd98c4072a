package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// RevertError says that a revision cannot be reverted, because objects are not as it left them.
type RevertError struct{ Objects []string }

func (e *RevertError) Error() string {
	return "objects are not as the revision left them: " + strings.Join(e.Objects, "; ")
}

// Revert asks for what puts the objects of a revision back: as they were before it, or away where it created them. It
// fails with a [*RevertError] where one of them is not as the revision left it.
func Revert(version int64, objects []store.RevisionObject) Change {
	return func(present *Present) (Request, error) {
		var request Request
		refusal := &RevertError{}
		if len(objects) == 0 {
			return request, fault.Invalidf("revert the configuration", fmt.Sprint(version),
				"the revision changed no object")
		}
		all, err := Export(&present.Rows)
		if err != nil {
			return request, err
		}
		rows := objectRows(&present.Rows)
		for i := range objects {
			o := &objects[i]
			kind := configuration.ObjectType(o.Type)
			if reason := contradiction(o, kind, all, rows); reason != "" {
				refusal.Objects = append(refusal.Objects, fmt.Sprintf("%s %q %s", words(kind), o.Name, reason))
				continue
			}
			place := fmt.Sprintf("revision %d: %s %q", version, words(kind), o.Name)
			switch {
			case o.Before != nil:
				request.Documents = append(request.Documents, configuration.Document{Type: kind, Object: o.Before,
					Place: place})
			case kind == configuration.TypeSettings: // that nothing is said is said by an empty object
				request.Documents = append(request.Documents, configuration.Document{Type: kind,
					Object: []byte("{}"), Place: place})
			default:
				request.Remove = append(request.Remove, keyOf(kind, o.ID, o.Name))
			}
		}
		if len(refusal.Objects) > 0 {
			return request, &fault.Error{Kind: fault.Conflict, Op: "revert the configuration",
				Subject: fmt.Sprint(version), Err: refusal}
		}
		return request, nil
	}
}

// contradiction says why an object is not as a revision left it, or returns "".
func contradiction(o *store.RevisionObject, kind configuration.ObjectType, all []Object, rows []objectRow) string {
	key := keyOf(kind, o.ID, o.Name)
	at := slices.IndexFunc(all, func(other Object) bool {
		id, _ := store.IDOf(other.ID)
		return keyOf(other.Type, id, other.Name) == key
	})
	if o.After == nil {
		if at >= 0 {
			return "is there again"
		}
		for i := range rows {
			if rows[i].kind == kind && kind != configuration.TypeLifecycleState &&
				store.Fold(rows[i].name) == store.Fold(o.Name) {
				return "has the name of another one by now"
			}
		}
		return ""
	}
	if at < 0 {
		return "is gone"
	}
	if sameDocument(all[at].Document, o.After) {
		return ""
	}
	row := slices.IndexFunc(rows, func(r objectRow) bool { return r.key() == key })
	if row >= 0 && sameDocument(rows[row].document, o.After) { // as earlier versions of the library recorded it
		return ""
	}
	return "was changed since"
}
