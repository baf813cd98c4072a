package httpapi

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

// The limits of the operation that takes accounts.
const (
	// UploadMax is the most bytes of its body: 256 MiB.
	UploadMax = 256 << 20
	// UploadTimeout is the longest time of its request.
	UploadTimeout = 15 * time.Minute
	// UploadsMax is how many of its requests one handler reads at once. Each has a connection to the database
	// meanwhile.
	UploadsMax = 4
	// fieldMax is the most bytes of a field beside the file.
	fieldMax = 64
)

var loadOperations = []operation{{
	id: "importAccounts", method: http.MethodPost, path: "/sources/{id}/load-accounts", versions: notV3,
	bodyMax: UploadMax, timeout: UploadTimeout, handle: (*Handler).loadAccounts,
}}

// loadAccounts aggregates a source by a task: the text in the form, or what the source's connector reads. The text is
// never in memory as a whole.
func (h *Handler) loadAccounts(c *call) error {
	o, _, err := h.sourceNamed(c, "id")
	if err != nil {
		return err
	}
	select {
	case h.uploads <- struct{}{}:
		defer func() { <-h.uploads }()
	default:
		retryAfter(c.w.Header(), unavailableFor)
		return unavailable.with("Too many files are being loaded: try again later.")
	}
	connected, err := h.connected(c, o.Name)
	if err != nil {
		return err
	}
	form, err := c.form()
	if err != nil {
		return err
	}
	upload := &upload{form: form}
	if err := upload.next(); err != nil {
		return c.formFailure(err)
	}
	switch {
	case upload.file == nil && !connected:
		return dataMissing.with("file: the accounts of the source are expected, as delimited text")
	case upload.file != nil && connected:
		return illegalValue.with("file: the source is read by its connector, and takes no file")
	}
	var text io.Reader
	var behind []engine.StartOption
	if upload.file != nil {
		text, behind = upload.file, []engine.StartOption{engine.OptionsBehind(upload.rest)}
	}
	task, err := h.engine.StartAggregation(c.Context(), o.ID, text,
		engine.AggregateOptions{Unchanged: upload.whole}, behind...)
	if err != nil {
		return c.formFailure(err)
	}
	c.respond(http.StatusAccepted, object{"success": true, "task": showLoadTask(&task)})
	return nil
}

// connected reports whether the engine has the connector of a source.
func (h *Handler) connected(c *call, name string) (bool, error) {
	states, err := h.engine.Sources(c.Context())
	for i := range states {
		if states[i].Source == name {
			return states[i].Connected, err
		}
	}
	return false, err
}

// form returns the parts of the body; nil where it has none.
func (c *call) form() (*multipart.Reader, error) {
	body, err := c.limitBody()
	if err != nil {
		return nil, err
	}
	given := c.Header.Get("Content-Type")
	media, parameters, err := mime.ParseMediaType(given)
	switch {
	case given == "" && c.ContentLength == 0:
		return nil, nil
	case err != nil || media != "multipart/form-data" || parameters["boundary"] == "":
		if c.ContentLength == 0 {
			return nil, nil
		}
		c.w.Header().Set("Accept-Encoding", "identity") // as of all bodies
		return nil, mediaRefused.with("The body must be multipart/form-data, with the text as the part named file.")
	}
	return multipart.NewReader(body, parameters["boundary"]), nil
}

// formFailure gives what a form breaks off with the published code.
func (c *call) formFailure(err error) error {
	var tooLarge *http.MaxBytesError
	var published *failure
	switch {
	case errors.As(err, &tooLarge):
		return c.unreadable(err)
	case errors.As(err, &published):
		return published
	case c.Context().Err() == nil && errors.Is(err, io.ErrUnexpectedEOF):
		return badSyntax.with("The form could not be read to its end.")
	}
	return err
}

// upload reads a form whose fields may stand before the file or behind it.
type upload struct {
	form *multipart.Reader
	file *multipart.Part // nil before it is found
	// whole says that also accounts are looked at that did not change.
	whole bool
}

// next reads the fields up to the file, or up to the end.
func (u *upload) next() error {
	for u.form != nil {
		part, err := u.form.NextPart()
		if err == io.EOF { // an error around it is a form that broke off
			return nil
		}
		if err != nil {
			return badSyntax.with("The form cannot be read: " + err.Error())
		}
		switch part.FormName() {
		case "file":
			if u.file != nil {
				return illegalValue.with("file: it is given twice")
			}
			u.file = part
			return nil
		case "disableOptimization":
			text, err := io.ReadAll(io.LimitReader(part, fieldMax))
			if err != nil {
				return badSyntax.with("The form cannot be read: " + err.Error())
			}
			truth, ok := filterql.ParseTruth(string(text))
			if !ok && len(text) > 0 {
				return illegalValue.with("disableOptimization: true or false is expected")
			}
			u.whole = truth
		}
	}
	return nil
}

// rest reads what stands behind the file.
func (u *upload) rest(options *engine.AggregateOptions) error {
	err := u.next()
	options.Unchanged = u.whole
	return err
}

// showLoadTask gives the task of an aggregation the shape that this operation alone has.
func showLoadTask(t *engine.TaskStatus) object {
	return object{"id": t.ID, "type": "QUARTZ", "name": "Cloud Account Aggregation", "description": t.Description,
		"launcher": t.Launcher, "created": timestamp(t.Created), "launched": timestampOf(t.Launched),
		"completed": timestampOf(t.Completed), "completionStatus": t.CompletionStatus, "parentName": nil,
		"messages": []any{}, "progress": nil, "returns": []any{},
		"attributes": object{"appId": t.Attributes.AppID, "optimizedAggregation": t.Attributes.OptimizedAggregation}}
}

var mediaRefused = &failure{http.StatusUnsupportedMediaType, "415 Unsupported media type", ""}
