package console

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
)

// The limits of a form with a file of accounts.
const (
	// UploadMax is the most bytes of the form: 256 MiB, as of the API.
	UploadMax = 256 << 20
	// UploadTimeout is the longest time that its request takes.
	UploadTimeout = 15 * time.Minute
	// UploadsMax is how many of them a handler reads at once. Each has a connection to the database meanwhile.
	UploadsMax = 4
	// uploadFieldMax is the most bytes of a field beside the file.
	uploadFieldMax = 4 << 10
)

// aggregateView is the page that asks how a source is aggregated.
type aggregateView struct {
	*sourceView

	Connected    bool // the source is read by its connector; otherwise a file is expected
	Apply        bool // rather than only say what it would do
	Delta        bool
	MaxDeletions string
	Problem      string
}

// aggregatePage asks how the source that the path names is aggregated: by its connector, or from a file.
func (v *visit) aggregatePage() error { return v.showAggregate(url.Values{}, "") }

// showAggregate shows the form with what was typed, and the problem with it.
func (v *visit) showAggregate(typed url.Values, problem string) error {
	ctx, cancel := v.reading()
	defer cancel()
	view, err := v.aggregateViewOf(ctx)
	if err != nil {
		return err
	}
	view.Apply, view.Delta = typed.Get("do") == "apply", typed.Get("delta") != ""
	view.MaxDeletions, view.Problem = typed.Get("max"), problem
	if problem != "" {
		v.status = http.StatusBadRequest
	}
	return v.render("aggregate", view)
}

func (v *visit) aggregateViewOf(ctx context.Context) (*aggregateView, error) {
	source, err := v.sourceOf(ctx)
	if err != nil {
		return nil, err
	}
	states, err := v.h.eng.Sources(ctx)
	view := &aggregateView{sourceView: source}
	for i := range states {
		if states[i].ID == source.ID {
			view.Connected = states[i].Connected
		}
	}
	return view, err
}

// aggregate has a worker aggregate the source, or say what an aggregation would do. A file is streamed into the
// database.
func (v *visit) aggregate() error {
	select {
	case v.h.uploads <- struct{}{}:
		defer func() { <-v.h.uploads }()
	default:
		return &pageError{status: http.StatusServiceUnavailable, key: "Too many files are being read: try again later."}
	}
	ctx, cancel := context.WithTimeout(v.ctx(), UploadTimeout)
	defer cancel()
	form, err := v.uploadForm()
	if err != nil {
		return err
	}
	return v.once(form.fields, func() error { return v.aggregateBy(ctx, form) })
}

// aggregateBy aggregates the source as a form says.
func (v *visit) aggregateBy(ctx context.Context, form *uploadForm) error {
	reading, done := v.reading()
	defer done()
	view, err := v.aggregateViewOf(reading)
	if err != nil {
		return err
	}
	options, problem := form.options(v)
	switch {
	case problem != "":
	case form.file == nil && !view.Connected:
		problem = v.T("Choose the file with the accounts.")
	case form.file != nil && view.Connected:
		problem = v.T("The source is read by its connector, and takes no file.")
	}
	if problem != "" {
		return v.showAggregate(form.fields, problem)
	}
	var text io.Reader // nil has the connector read
	var behind []engine.StartOption
	if form.file != nil {
		text, behind = form.file, append(behind, engine.OptionsBehind(func(o *engine.AggregateOptions) error {
			if err := form.next(); err != nil {
				return err
			}
			if *o, problem = form.options(v); problem != "" {
				return unreadable
			}
			return nil
		}))
	}
	task, err := v.h.eng.StartAggregation(ctx, view.ID, text, options, behind...)
	if problem := cmp.Or(problem, v.uploadProblem(err)); problem != "" {
		return v.showAggregate(form.fields, problem)
	}
	if err != nil {
		return err
	}
	n := note{Key: "The aggregation was asked for. This page tells what it does."}
	if form.fields.Get("do") != "apply" {
		n.Key = "The trial was asked for. This page tells what an aggregation would do."
	}
	return v.tell(n, "runs/"+task.ID+"/")
}

// uploadProblem says what the visitor can mend of a failure; "" where that is nothing.
func (v *visit) uploadProblem(err error) string {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return v.T("The file has more than %d MiB: hand it in by the command.", UploadMax>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return v.T("The file did not arrive as a whole: nothing was changed.")
	case engine.KindOf(err) == engine.Invalid:
		return engine.Reason(err)
	}
	return ""
}

// uploadForm is a form whose fields stand before its file, or behind it.
type uploadForm struct {
	parts  *multipart.Reader
	fields url.Values
	file   *multipart.Part // nil for none
}

// uploadForm reads the fields of a form up to its file. A form without a file may be any form.
func (v *visit) uploadForm() (*uploadForm, error) {
	media, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		if err := v.readForm(); err != nil {
			return nil, err
		}
		return &uploadForm{fields: v.r.PostForm}, nil
	}
	control := http.NewResponseController(v.w)
	until := time.Now().Add(UploadTimeout)
	for _, move := range []func(time.Time) error{control.SetReadDeadline, control.SetWriteDeadline} {
		if err := move(until); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return nil, err
		}
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, UploadMax)
	form := &uploadForm{fields: url.Values{}}
	if form.parts, err = v.r.MultipartReader(); err != nil {
		return nil, unreadable
	}
	return form, form.next()
}

// next reads the fields up to the file, or to the end. A file that nobody chose is none.
func (u *uploadForm) next() error {
	for {
		part, err := u.parts.NextPart()
		if err == io.EOF { //nolint:errorlint // an error around it is a form that broke off
			return nil
		}
		if err != nil {
			return unreadable
		}
		if part.FormName() == "file" {
			if part.FileName() == "" {
				continue
			}
			if u.file != nil {
				return unreadable
			}
			u.file = part
			return nil
		}
		value, err := io.ReadAll(io.LimitReader(part, uploadFieldMax))
		if err != nil {
			return unreadable
		}
		u.fields.Add(part.FormName(), string(value))
	}
}

// options returns how the source is aggregated, or what is wrong with it. Without the word to apply it, it is tried.
func (u *uploadForm) options(v *visit) (engine.AggregateOptions, string) {
	options := engine.AggregateOptions{Delta: u.fields.Get("delta") != "", DryRun: u.fields.Get("do") != "apply"}
	if most := strings.TrimSpace(u.fields.Get("max")); most != "" {
		limit, err := engine.ParseDeletionLimit(most)
		if err != nil {
			return options, v.T("Most accounts that may be removed: a number such as 25, or a share such as 10%% is " +
				"expected.")
		}
		options.MaxDeletions = &limit
	}
	return options, ""
}
