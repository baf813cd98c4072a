package aggregation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// Asked is what the worker of an aggregation that somebody asked for has to know.
type Asked struct {
	Source  string  `json:"source"` // its ID
	Text    bool    `json:"text"`   // it is read from text that was handed in, and not by the source's connector
	Options Options `json:"options"`
}

// pieceSize is how many bytes of a text one row holds, at most.
const pieceSize = 256 << 10

// Keep keeps a text for the worker of a task, in the transaction that launches the task. It reads the text piece by
// piece, and returns how many bytes it has. It fails with a [*TextError] where the text has more than limit bytes, or
// is not UTF-8.
func (a *Aggregator) Keep(ctx context.Context, tx pgx.Tx, id store.ID, text io.Reader, limit int64) (int64, error) {
	piece := make([]byte, pieceSize)
	size, kept := int64(0), 0 // bytes of the text, and those in piece that are still to be written
	for number := 0; ; {
		n, ended, err := fill(piece[kept:], text)
		if err != nil {
			return size, fmt.Errorf("read the text: %w", err)
		}
		kept += n
		if size += int64(n); size > limit {
			return size, &TextError{fmt.Sprintf("it has more than %d bytes", limit)}
		}
		cut := kept
		if !ended {
			cut = cutBehindLine(piece[:kept])
		}
		if whole := piece[:cut]; !utf8.Valid(whole) || bytes.IndexByte(whole, 0) >= 0 {
			return size, &TextError{fmt.Sprintf("it is not UTF-8, or has a NUL, within the bytes %d to %d",
				size-int64(kept), size-int64(kept-cut))}
		}
		if cut > 0 {
			if err := a.Store.AddErrandText(ctx, tx, id, number, string(piece[:cut])); err != nil {
				return size, err
			}
			number++
		}
		if ended {
			return size, nil
		}
		kept = copy(piece, piece[cut:kept])
	}
}

// fill reads until a buffer is full or the text has ended. Only a plain [io.EOF] is the end: a form that broke off ends
// with another error, and what it lacks must not count as vanished.
func fill(into []byte, text io.Reader) (n int, ended bool, err error) {
	for n < len(into) && !ended {
		var read int
		read, err = text.Read(into[n:])
		n += read
		if ended = err == io.EOF; err != nil && !ended { // an error around it broke off
			return n, false, err
		}
	}
	return n, ended, nil
}

// cutBehindLine returns where a full piece is cut: behind its last line, so that no value is in two pieces, or behind
// its last character where it has no end of a line.
func cutBehindLine(piece []byte) int {
	if at := bytes.LastIndexByte(piece, '\n'); at >= 0 {
		return at + 1
	}
	for cut := len(piece); cut > len(piece)-utf8.UTFMax; cut-- {
		if utf8.RuneStart(piece[cut-1]) {
			if !utf8.FullRune(piece[cut-1:]) {
				return cut - 1
			}
			break
		}
	}
	return len(piece)
}

// TextError says what is wrong with a text as a whole.
type TextError struct{ Msg string }

func (e *TextError) Error() string { return "the text cannot be taken: " + e.Msg }

// keptText reads what [Aggregator.Keep] kept. It reads beside the transaction of the aggregation, which is busy.
type keptText struct {
	ctx  context.Context //nolint:containedctx // an io.Reader is given none
	a    *Aggregator
	task store.ID
	next int // piece
	rest string
}

// Read implements [io.Reader].
func (t *keptText) Read(into []byte) (int, error) {
	for len(t.rest) == 0 {
		piece, err := t.a.Store.ErrandText(t.ctx, t.a.Pool, t.task, t.next)
		if errors.Is(err, store.ErrNotFound) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		t.rest = piece
		t.next++
	}
	n := copy(into, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// Carry carries out an aggregation that somebody asked for, and ends its task.
func (a *Aggregator) Carry(ctx context.Context, e *task.Errand) error {
	var asked Asked
	if err := json.Unmarshal(e.Asked, &asked); err != nil {
		return fmt.Errorf("what the task is about cannot be read: %w", err)
	}
	asked.Options.Progress = func(rows int) { e.Read.Store(int64(rows)) }
	if !asked.Text {
		result, err := a.AggregateSource(ctx, asked.Source, asked.Options)
		if err != nil {
			return err
		}
		return a.InTx(ctx, func(tx pgx.Tx) error { return a.end(ctx, tx, e, &result) })
	}
	return a.InTx(ctx, func(tx pgx.Tx) error {
		text := &keptText{ctx: ctx, a: a, task: e.ID}
		result, err := a.Aggregate(ctx, tx, asked.Source, text, true, asked.Options)
		if err != nil {
			return err
		}
		return a.end(ctx, tx, e, &result)
	})
}

// end ends the task of an aggregation.
func (a *Aggregator) end(ctx context.Context, tx pgx.Tx, e *task.Errand, result *Result) error {
	outcome := &task.Outcome{Result: result}
	if !result.DryRun {
		outcome.Counts.Correlated = int64(result.Correlated)
	}
	for _, note := range result.Notes {
		outcome.Messages = append(outcome.Messages, store.TaskMessage{Type: "INFO", Key: "AGGREGATION_NOTE",
			Text: note})
	}
	for _, row := range result.RowErrors {
		text := row.Msg
		if row.Line > 0 {
			text = fmt.Sprintf("line %d: %s", row.Line, row.Msg)
		}
		outcome.Messages = append(outcome.Messages, store.TaskMessage{Type: "WARN", Key: "ROW_LEFT_OUT", Text: text})
	}
	outcome.Counts.Warnings = int64(result.Faulty)
	return a.EndErrand(ctx, tx, e, outcome)
}
