package change

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// inputError is an error in the documents. It becomes one of the kind Invalid.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

// wrong returns an error in the documents.
func wrong(format string, arguments ...any) error {
	return inputError{fmt.Errorf(format, arguments...)}
}

// errQuiet is an error that follows from a fault which is listed already.
var errQuiet = inputError{errors.New("it names an object with faults")}

// located names the place of the document that an error is about.
func located(place string, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	var inner inputError
	if errors.As(err, &inner) {
		return &fault.Error{Kind: fault.Invalid, Op: "apply", Subject: place, Err: err}
	}
	return fault.Wrap("apply", place, err)
}

// faults are all that is wrong with the documents of a change: an author mends them at once.
type faults struct {
	members error   // of the tables of members
	objects []error // of documents by themselves, each with its place
	parts   error   // of objects that do not fit each other
}

func (f *faults) any() bool { return f.members != nil || len(f.objects) > 0 || f.parts != nil }

// add keeps an error at the place of a document, or returns it where it is no fault of the document.
func (f *faults) add(place string, err error) error {
	if err == nil {
		return nil
	}
	err = located(place, err)
	if fault.KindOf(err) != fault.Invalid {
		return err
	}
	if !errors.Is(err, errQuiet) || !f.any() {
		f.objects = append(f.objects, err)
	}
	return nil
}

// fault keeps a fault of the current document, which is applied as far as it goes, so that what else is wrong is found
// too.
func (p *Proposal) fault(err error) {
	if err == nil {
		return
	}
	var inner inputError
	if !errors.As(err, &inner) {
		err = inputError{err}
	}
	_ = p.faults.add(p.document, p.spelledIn(p.document, err)) // it is a fault of the document
}

// err returns the faults as one error: the only one as it is, and otherwise a list.
func (f *faults) err() error {
	if f.members == nil && f.parts == nil && len(f.objects) == 1 && !strings.Contains(f.objects[0].Error(), "\n") {
		return f.objects[0]
	}
	if len(f.objects) == 0 && f.parts == nil {
		return f.members
	}
	list := &faultList{}
	if f.members != nil {
		list.add(f.members, bare(f.members))
	}
	if len(f.objects) > 0 {
		var lines []string
		for _, err := range f.objects {
			var known *fault.Error
			place := ""
			if errors.As(err, &known) && known.Subject != "" {
				place = known.Subject + ": "
			}
			for line := range strings.SplitSeq(bare(err), "\n") {
				lines = append(lines, place+line)
			}
		}
		list.add(errors.Join(f.objects...), section("what is wrong with objects", lines))
	}
	if f.parts != nil {
		list.add(f.parts, section("what does not fit together, as far as it can be told before the rest is right",
			strings.Split(bare(f.parts), "\n")))
	}
	return &fault.Error{Kind: fault.Invalid, Op: "apply", Err: list}
}

// faultList is errors under one text.
type faultList struct {
	text string
	errs []error
}

func (l *faultList) add(err error, text string) {
	l.errs = append(l.errs, err)
	if l.text != "" {
		l.text += "\n"
	}
	l.text += text
}

func (l *faultList) Error() string   { return l.text }
func (l *faultList) Unwrap() []error { return l.errs }

// linesMax is how many lines a section of an error has.
const linesMax = 200

// section returns lines under a heading.
func section(heading string, lines []string) string {
	more := ""
	if len(lines) > linesMax {
		more = fmt.Sprintf("\n  and %d more", len(lines)-linesMax)
		lines = lines[:linesMax]
	}
	return heading + ":\n  " + strings.Join(lines, "\n  ") + more
}

// bare returns the text of an error without what failed and on what.
func bare(err error) string {
	var known *fault.Error
	if errors.As(err, &known) && known.Err != nil {
		return known.Err.Error()
	}
	return err.Error()
}

// together returns errors that are found at once as one, or nil. The gravest kind counts: what is wrong in itself, then
// what the operator does not allow, then what contradicts the objects that there are.
func together(errs ...error) error {
	list, kind, op := &faultList{}, fault.Conflict, "apply"
	var only error
	for _, err := range errs {
		if err == nil {
			continue
		}
		only = err
		list.add(err, bare(err))
		switch found := fault.KindOf(err); {
		case found == fault.Invalid, found == fault.Forbidden && kind != fault.Invalid:
			kind = found
		}
	}
	if len(list.errs) < 2 {
		return only
	}
	return &fault.Error{Kind: kind, Op: op, Err: list}
}

// fit returns what is wrong with the objects among each other, or nil.
func (p *Proposal) fit(request *Request) error {
	if request.Compile == nil {
		return nil
	}
	compiled, err := request.Compile(p.Rows)
	if err == nil {
		err = compiled.Check()
	}
	if err == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Op: "apply", Subject: PlacesOf(request.Documents),
		Err: p.respelled(err)}
}

// spelled returns what is said about objects with the spellings that their documents use.
func (p *Proposal) spelled(text string) string {
	for i := range p.spellings {
		text = p.spellings[i].In(text, false)
	}
	return text
}

// respelled returns what is wrong with objects with the spellings that their documents use.
func (p *Proposal) respelled(err error) error {
	return &faultList{text: p.spelled(err.Error()), errs: []error{err}}
}

// spelledIn returns an error of the document at a place with the spellings that it uses.
func (p *Proposal) spelledIn(place string, err error) error {
	var inner inputError
	if err == nil || !errors.As(err, &inner) {
		return err
	}
	lines := strings.Split(err.Error(), "\n")
	changed := false
	for i := range p.spellings {
		for k, line := range lines {
			if p.spellings[i].Place == place {
				lines[k] = p.spellings[i].In(line, true)
				changed = changed || lines[k] != line
			}
		}
	}
	if !changed {
		return err
	}
	return wrong("%s", strings.Join(lines, "\n"))
}

// missing keeps the names of a new object with faults, and puts a row without content in its place where others may
// name it, so that they are no fault too.
func (p *Proposal) missing(d *configuration.Document) {
	var named configuration.Reference
	if json.Unmarshal(d.Object, &named) != nil || configuration.ValidateName(named.Name) != nil {
		return
	}
	p.failed[d.Type] = append(p.failed[d.Type], named)
	row := store.Object{ID: store.NewID(), Name: named.Name}
	if id, known := store.IDOf(named.ID); known {
		row.ID = id
	}
	put := func(rows *[]store.Object, content map[string]any) {
		for _, other := range *rows {
			if other.ID == row.ID || store.Fold(other.Name) == store.Fold(row.Name) {
				return
			}
		}
		content["name"] = row.Name
		text, err := json.Marshal(content)
		if err != nil {
			return // names are texts
		}
		row.Document = text
		*rows = append(*rows, row)
	}
	switch d.Type {
	case configuration.TypeSource:
		put(&p.Rows.Sources, map[string]any{})
	case configuration.TypeTransform:
		put(&p.Rows.Transforms, map[string]any{"type": "static", "attributes": map[string]any{"value": ""}})
	case configuration.TypeAccessProfile:
		if len(p.Rows.Sources) > 0 {
			put(&p.Rows.AccessProfiles, map[string]any{"source": map[string]any{
				"id": p.Rows.Sources[0].ID.String()}})
		}
	}
}

// hasFaults reports whether a reference names a new object with faults.
func (p *Proposal) hasFaults(kind configuration.ObjectType, r configuration.Reference) bool {
	for _, failed := range p.failed[kind] {
		if failed.ID != "" && failed.ID == r.ID || r.Name != "" && store.Fold(failed.Name) == store.Fold(r.Name) {
			return true
		}
	}
	return false
}
