package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
)

// formKey is the field with the key of a form. A form that is sent twice is done once.
const formKey = "form-key"

// keyed gives each form of a page its key. The page has the form's tag nowhere but in its templates: what people wrote
// is escaped.
func keyed(page []byte) []byte {
	const tag = `<form method="post"`
	if !bytes.Contains(page, []byte(tag)) {
		return page
	}
	input := []byte(`<input type="hidden" name="` + formKey + `" value="` + rand.Text() + `">`)
	var out []byte
	for {
		at := bytes.Index(page, []byte(tag))
		if at < 0 {
			return append(out, page...)
		}
		end := at + bytes.IndexByte(page[at:], '>') + 1
		out = append(append(out, page[:end]...), input...)
		page = page[end:]
	}
}

// once calls do for a form that is sent for the first time. Of one that was sent before it says so, on the page above
// the action. A form without a key is always done: a person's browser sends one.
func (v *visit) once(fields url.Values, do func() error) error {
	given := fields.Get(formKey)
	if given == "" {
		return do()
	}
	// The same key serves the buttons of one page: what they ask for differs.
	key := strings.Join([]string{given, v.visitorID(), v.path, fields.Encode()}, "\x00")
	first, err := v.h.eng.ClaimForm(v.ctx(), key)
	if err != nil {
		return err
	}
	if !first {
		return v.tell(note{Warning: true, Key: "This was sent before: it is done once, and not again."},
			ownReference(fields.Get("back"), v.above()))
	}
	done := false
	defer func() {
		if !done { // also where do panics; the visitor may send it again
			v.releaseForm(key)
		}
	}()
	err = do()
	done = err == nil && v.status == http.StatusSeeOther // any other page only shows something
	return err
}

// seenOf returns what a form keeps of the object that its page showed, so that one that is older than the object is
// told from another.
func seenOf(object ...string) string {
	digest := sha256.Sum256([]byte(strings.Join(object, "\x00")))
	return hex.EncodeToString(digest[:8])
}

// demandSeen fails where a form's page showed another object than there is now.
func (v *visit) demandSeen(now string) error {
	if seen := v.r.PostFormValue("seen"); seen != "" && seen != now {
		return &pageError{status: http.StatusConflict, again: true,
			key: "This has changed since your page was made: nothing was done. Look at it again."}
	}
	return nil
}

// Seen returns what a form keeps of the identity that its page shows.
func (s *subject) Seen() string { return seenOf(s.Identity.Modified.UTC().Format(time.RFC3339Nano)) }

// Seen returns what a form keeps of the user levels that its page shows.
func (l *levelsView) Seen() string {
	var given []string
	for _, level := range l.Levels {
		if level.Given {
			given = append(given, level.Name)
		}
	}
	return seenOfLevels(given)
}

func seenOfLevels(given []string) string {
	given = slices.Clone(given)
	slices.Sort(given)
	return seenOf(given...)
}

// demandSeenIdentity is demandSeen for the identity that the path names.
func (v *visit) demandSeenIdentity() error {
	identity, err := v.h.eng.GetIdentity(v.ctx(), v.values["id"])
	if err != nil {
		return err
	}
	return v.demandSeen((&subject{Identity: identity}).Seen())
}

// releaseForm lets a form that was refused be sent again.
func (v *visit) releaseForm(key string) {
	if err := v.h.eng.ReleaseForm(context.WithoutCancel(v.ctx()), key); err != nil {
		v.h.config.Logger.WarnContext(v.r.Context(), "console: a form that was refused cannot be sent again as it is",
			"error", engine.Reason(err), "tracking", v.tracking)
	}
}

// above returns the page above an action: the nearest one that is there.
func (v *visit) above() string {
	path := v.path
	for path != "/" {
		path = path[:strings.LastIndexByte(strings.TrimSuffix(path, "/"), '/')+1]
		if v.h.hasPage(path) {
			break
		}
	}
	return strings.TrimPrefix(path, "/")
}
