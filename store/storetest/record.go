package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
)

// recordVariable names the folder into which the statements go.
const recordVariable = "MUSTER_RECORD_STATEMENTS"

// Statement is a statement that code of Muster has sent, as a line of a file in the folder of MUSTER_RECORD_STATEMENTS.
type Statement struct {
	// Text is what was sent. A COPY is written as the statement that it is.
	Text string `json:"text"`
	// Functions of the sending package that were being called, the one that sent first.
	Functions []string `json:"functions"`
}

// Record makes the connections of a configuration write down the statements of Muster's own code, each once, where the
// environment names a folder; otherwise it does nothing. The pools of this package do so by themselves: it is for a
// test that configures one of its own. A tracer that the configuration has goes on working. Statements of tests and of
// the job queue are left out. Each process writes a file of its own, of one JSON [Statement] a line.
func Record(config *pgx.ConnConfig) {
	folder := os.Getenv(recordVariable)
	if folder == "" {
		return
	}
	recording.Lock()
	defer recording.Unlock()
	recording.folder = folder
	if config.Tracer == nil {
		config.Tracer = recorder{}
		return
	}
	config.Tracer = multitracer.New(config.Tracer, recorder{})
}

// recording is what this process has recorded.
var recording struct {
	sync.Mutex
	folder string
	file   *os.File // from the first statement on
	seen   map[string]bool
}

type recorder struct{}

// TraceQueryStart implements [pgx.QueryTracer].
func (recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	record(data.SQL)
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements [pgx.BatchTracer].
func (recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	for _, q := range data.Batch.QueuedQueries {
		record(q.SQL)
	}
	return ctx
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (recorder) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TraceCopyFromStart implements [pgx.CopyFromTracer].
func (recorder) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	columns := make([]string, len(data.ColumnNames))
	for i, name := range data.ColumnNames {
		columns[i] = pgx.Identifier{name}.Sanitize()
	}
	record(fmt.Sprintf("COPY %s (%s) FROM STDIN BINARY", data.TableName.Sanitize(), strings.Join(columns, ", ")))
	return ctx
}

// TraceCopyFromEnd implements [pgx.CopyFromTracer].
func (recorder) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

// record writes a statement down, unless a test or the job queue sends it. It panics where it cannot: a statement that
// is missing would pass for one that is right.
func record(text string) {
	functions := senders()
	if len(functions) == 0 {
		return
	}
	line, err := json.Marshal(Statement{Text: text, Functions: functions})
	if err != nil {
		panic(err)
	}
	recording.Lock()
	defer recording.Unlock()
	if recording.seen[string(line)] {
		return
	}
	if recording.file == nil {
		if err := os.MkdirAll(recording.folder, 0o755); err != nil {
			panic(err)
		}
		name := fmt.Sprintf("%s-%d-*.jsonl", filepath.Base(os.Args[0]), os.Getpid())
		if recording.file, err = os.CreateTemp(recording.folder, name); err != nil {
			panic(err)
		}
		recording.seen = map[string]bool{}
	}
	recording.seen[string(line)] = true
	if _, err := recording.file.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}

const modulePath = "github.com/muster-engine/muster"

// testPackages send statements for tests.
var testPackages = []string{modulePath + "/store/storetest", modulePath + "/engine/enginetest"}

// senders returns the functions of Muster's package that sends a statement, the innermost first, or nothing where a
// test or a library sends it for itself.
func senders() []string {
	var counters [64]uintptr
	const ours = 3 // runtime.Callers, this function and record
	frames := runtime.CallersFrames(counters[:runtime.Callers(ours, counters[:])])
	var from string
	var functions []string
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		path := packageOf(frame.Function)
		switch {
		case from != "":
			if path != from || strings.HasSuffix(frame.File, "_test.go") {
				return functions
			}
			functions = append(functions, strings.TrimPrefix(frame.Function, modulePath+"/"))
		case strings.HasPrefix(path, "github.com/riverqueue/"):
			return nil
		case strings.HasSuffix(frame.Function, "storetest.recorder.TraceQueryStart"),
			strings.HasSuffix(frame.Function, "storetest.recorder.TraceBatchStart"),
			strings.HasSuffix(frame.Function, "storetest.recorder.TraceCopyFromStart"):
		case path != modulePath && !strings.HasPrefix(path, modulePath+"/"):
		case strings.HasSuffix(frame.File, "_test.go"):
			if !passesOn(frame.Function) {
				return nil
			}
		case slices.Contains(testPackages, path):
			return nil
		default:
			from = path
			functions = append(functions, strings.TrimPrefix(frame.Function, modulePath+"/"))
		}
	}
	return functions
}

// packageOf returns the path of the package of a function, as a stack trace names it.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	if bracket := strings.IndexByte(function, '['); bracket >= 0 && bracket < slash { // a type parameter with a path
		slash = strings.LastIndexByte(function[:bracket], '/') + 1
	}
	name, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + name
}

// passesOn reports whether a function of a test is a method by which the code under test sends a statement.
func passesOn(function string) bool {
	name := function[strings.LastIndexByte(function, '.')+1:]
	sending := []string{"Exec", "Query", "QueryRow", "SendBatch", "CopyFrom", "BeginTx", "Begin", "Commit"}
	return strings.Contains(function, ").") && slices.Contains(sending, name)
}
