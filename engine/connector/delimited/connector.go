package delimited

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofrs/flock"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// FileSizeMax is the most bytes of a file that can be written, because writing holds the whole file in memory.
const FileSizeMax = 256 << 20

// lockWait is the longest time that an operation waits for another process that writes to the same file.
const lockWait = 30 * time.Second

// New makes the connector of a source whose accounts are the rows of a file in a folder. It is a [connector.Factory].
// To change a file, the connector writes a whole new file beside it and then replaces it, under a lock that other
// processes with this connector respect. It writes values as the schema reads them. To lose nothing, it does not write
// a file that has an unreadable row, comments, several rows for one account, or several names (hard links), nor one
// whose owner, group, mode or access control list the new file could not have. A file holds no passwords.
func New(_ context.Context, config connector.Config) (connector.Connector, error) {
	settings, err := ParseSettings(config.Attributes)
	switch {
	case err != nil:
		return nil, fmt.Errorf("connectorAttributes.%w", err)
	case settings.Folder == "":
		return nil, errors.New("connectorAttributes.folder is missing: the folder that holds the files")
	}
	for _, file := range append([]string{settings.File}, sortedValues(settings.Groups)...) {
		if file != "" && !filepath.IsLocal(file) {
			return nil, fmt.Errorf("connectorAttributes: the file %q is not within the folder", file)
		}
	}
	f := &files{settings: settings, schemas: config.Schemas}
	for i := range config.Schemas {
		// A schema without a file of its own has one of its name.
		name := config.Schemas[i].Name
		if file := name + ".csv"; name != "" && settings.Groups[name] == "" && !filepath.IsLocal(file) {
			return nil, fmt.Errorf("schemas: the file %q is not within the folder", file)
		}
	}
	return f, nil
}

func sortedValues(m map[string]string) []string {
	var values []string
	for _, value := range m {
		values = append(values, value)
	}
	slices.Sort(values)
	return values
}

// files is the connector.
type files struct {
	settings Settings
	schemas  []connector.Schema
	notes    []string // on the last reading
	columns  []string // of the accounts, of the last reading
}

func (f *files) Close() error { return nil }

// path returns the file of a schema. The schema "" means the accounts.
func (f *files) path(schema string) string {
	name := f.settings.File
	switch {
	case schema != "" && schema != connector.AccountObject:
		if name = f.settings.Groups[schema]; name == "" {
			name = schema + ".csv"
		}
	case name == "":
		name = "accounts.csv"
	}
	return filepath.Join(f.settings.Folder, name)
}

// named returns the schemas and the names of their objects. The schema of the accounts comes first and may be nil.
func (f *files) named() (names []string, schemas []*connector.Schema) {
	names, schemas = []string{connector.AccountObject}, []*connector.Schema{connector.AccountSchema(f.schemas)}
	for i := range f.schemas {
		if &f.schemas[i] != schemas[0] {
			names, schemas = append(names, f.schemas[i].Name), append(schemas, &f.schemas[i])
		}
	}
	return names, schemas
}

// Test implements [connector.Connector].
func (f *files) Test(ctx context.Context) error {
	names, schemas := f.named()
	for i, name := range names {
		if err := f.open(ctx, name, schemas[i], func(*Objects) error { return nil }); err != nil {
			return err
		}
	}
	return probe(f.path(connector.AccountObject))
}

// probe returns an error if a file cannot be replaced.
func probe(path string) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	old, info, err := openRegular(path)
	if err != nil {
		return err
	}
	defer old.Close()
	file, err := createBeside(path)
	if err != nil {
		return fmt.Errorf("the folder cannot be written to: %w", err)
	}
	kept := keep(old, info, file)
	if kept != nil {
		kept = fmt.Errorf("%s cannot be written: %w", path, kept)
	}
	err = os.Remove(file.Name())
	if errors.Is(err, os.ErrNotExist) {
		err = nil // an operation removed it as a leftover
	}
	return errors.Join(kept, err, file.Close())
}

func (f *files) open(ctx context.Context, name string, schema *connector.Schema, read func(*Objects) error) error {
	path := f.path(name)
	file, err := OpenFile(ctx, path)
	if err != nil {
		return err
	}
	defer file.Close()
	objects, err := NewObjects(file, f.settingsOf(name), schema)
	if err == nil {
		err = read(objects)
	}
	if err == nil {
		return nil
	}
	var stopped *visitorError
	if errors.As(err, &stopped) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// visitorError is an error of the function that a reading calls with the objects.
type visitorError struct{ err error }

func (e *visitorError) Error() string { return e.err.Error() }
func (e *visitorError) Unwrap() error { return e.err }

// Notes implements [connector.Noter].
func (f *files) Notes() []string { return f.notes }

// Columns implements [connector.Columner].
func (f *files) Columns() []string { return f.columns }

// settingsOf returns the settings for the file of a schema. Those that name columns hold only for the accounts.
func (f *files) settingsOf(name string) Settings {
	settings := f.settings
	if name != connector.AccountObject {
		settings.ColumnNames, settings.StableIdentityColumn = nil, ""
		settings.MergeRows, settings.IndexColumns, settings.MergeColumns = false, nil, nil
	}
	return settings
}

// Discover implements [connector.Connector]. Every column is a text, and those that hold passwords are left out.
func (f *files) Discover(ctx context.Context) ([]connector.Schema, error) {
	names, schemas := f.named()
	var found []connector.Schema
	for i, name := range names {
		err := f.open(ctx, name, nil, func(objects *Objects) error {
			schema := connector.Schema{Name: name, StableIdentityAttribute: f.settingsOf(name).StableIdentityColumn}
			for _, column := range objects.rows.Columns() {
				if !connector.HoldsPassword(column) {
					schema.Attributes = append(schema.Attributes, connector.SchemaAttribute{Name: column,
						Type: "STRING", IsMulti: slices.Contains(f.settingsOf(name).MergeColumns, column)})
				}
			}
			if len(schema.Attributes) == 0 {
				return errors.New("the file has no column that does not hold passwords")
			}
			schema.IdentityAttribute = schema.Attributes[0].Name
			if schemas[i] != nil && schemas[i].IdentityAttribute != "" {
				schema.IdentityAttribute = schemas[i].IdentityAttribute
			}
			found = append(found, schema)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Read implements [connector.Connector]. The cursor is a digest of the files: the same digest means no changes.
func (f *files) Read(ctx context.Context, since string, each func(*connector.Object) error) (string, error) {
	f.notes, f.columns = nil, nil
	digest, err := f.digest(ctx)
	if err != nil {
		return "", err
	}
	if since != "" {
		if since != digest {
			return "", connector.ErrNoChanges
		}
		return digest, nil
	}
	names, schemas := f.named()
	for i, name := range names {
		err := f.open(ctx, name, schemas[i], func(objects *Objects) error {
			for {
				object, err := objects.Next()
				if err == io.EOF { //nolint:errorlint // an error around it is a file that could not be read to its end
					f.note(name, objects.Notes())
					if name == connector.AccountObject {
						f.columns = objects.Attributes()
					}
					return nil
				}
				if err == nil {
					err = ctx.Err()
				}
				if err != nil {
					return err
				}
				if name != connector.AccountObject {
					object.Type = name
				}
				if err := each(object); err != nil {
					return &visitorError{err}
				}
			}
		})
		var stopped *visitorError
		if errors.As(err, &stopped) {
			return "", stopped.err
		}
		if err != nil {
			return "", err
		}
	}
	return digest, nil
}

// note keeps the notes on the file of a schema.
func (f *files) note(name string, notes []string) {
	for _, note := range notes {
		if name != connector.AccountObject {
			note = fmt.Sprintf("%s: %s", name, note)
		}
		f.notes = append(f.notes, note)
	}
}

func (f *files) digest(ctx context.Context) (string, error) {
	digest := sha256.New()
	names, _ := f.named()
	for _, name := range names {
		file, err := OpenFile(ctx, f.path(name))
		if err != nil {
			return "", err
		}
		_, err = io.Copy(digest, file)
		if err = errors.Join(err, file.Close()); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// Apply implements [connector.Connector].
func (f *files) Apply(ctx context.Context, operation *connector.Operation) (connector.Result, error) {
	if operation.Kind == connector.SetPassword || operation.Password != "" {
		return connector.Result{}, connector.Permanent(errors.New("a file of delimited text holds no passwords"))
	}
	if _, err := connector.ParseKind(string(operation.Kind)); err != nil {
		return connector.Result{}, connector.Unsupported(operation.Kind)
	}
	if err := connector.RefusePasswords(operation); err != nil {
		return connector.Result{}, err
	}
	if f.settings.MergeRows {
		return connector.Result{}, connector.Permanent(errors.New("a file with several rows for one account is only " +
			"read: write to one without connectorAttributes.mergeRows"))
	}
	path, err := filepath.EvalSymlinks(f.path(connector.AccountObject))
	if err != nil {
		return connector.Result{}, err
	}
	// The file itself is replaced, so the lock is on another file.
	lockPath := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
	if info, err := os.Lstat(lockPath); err == nil && !info.Mode().IsRegular() {
		return connector.Result{}, connector.Permanent(fmt.Errorf("%s is no regular file, and so cannot be the lock",
			lockPath))
	}
	lock := flock.New(lockPath)
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if _, err := lock.TryLockContext(waiting, 10*time.Millisecond); err != nil {
		return connector.Result{}, fmt.Errorf("lock %s: %w", path, err)
	}
	defer lock.Unlock() //nolint:errcheck // closing the file releases the lock in any case
	if err := removeLeftovers(path); err != nil {
		return connector.Result{}, err
	}
	table, err := f.load(ctx, path)
	if err != nil {
		return connector.Result{}, err
	}
	changed, err := table.apply(operation)
	result := connector.Result{NativeIdentity: table.touched, StableIdentity: table.stable()}
	if err != nil || !changed {
		return result, err
	}
	return result, replace(path, table.write)
}

// table is a file in memory.
type table struct {
	objects *Objects // for its columns
	schema  *connector.Schema
	comma   rune
	header  bool
	mark    bool // the file begins with a byte order mark
	crlf    bool
	comment string // begins a comment; "" for nothing
	rows    [][]string
	touched string // the native identity of the operation's account
}

func (f *files) load(ctx context.Context, path string) (*table, error) {
	file, err := OpenFile(ctx, path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if file.Size() > FileSizeMax {
		return nil, connector.Permanent(fmt.Errorf("%s has more than %d MiB: it cannot be written", path,
			FileSizeMax>>20))
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	t, err := f.parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// parse reads a table.
func (f *files) parse(text string) (*table, error) {
	schema := connector.AccountSchema(f.schemas)
	settings := f.settings
	settings.FilterEmptyRecords = false // they are kept
	objects, err := NewObjects(strings.NewReader(text), settings, schema)
	if err != nil {
		return nil, err
	}
	if mark := settings.CommentCharacter; mark != "" && (strings.HasPrefix(text, mark) ||
		strings.Contains(text, "\n"+mark)) {
		return nil, connector.Permanent(errors.New("it is not written because its comments would get lost"))
	}
	comma, err := ParseDelimiter(f.settings.Delimiter)
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(text, "\n")
	t := &table{objects: objects, schema: schema, comma: comma, header: f.settings.hasHeader(),
		mark: strings.HasPrefix(first, "\uFEFF"), crlf: strings.HasSuffix(first, "\r"),
		comment: settings.CommentCharacter}
	for {
		row, err := objects.rows.Next()
		if errors.Is(err, io.EOF) {
			if objects.rows.leftOut || hasComment(text, f.settings.CommentCharacter) {
				return nil, connector.Permanent(errors.New("it is not written because rows that " +
					"connectorAttributes leave out would get lost (commentCharacter, numLinesToSkip, " +
					"filterEmptyRecords)"))
			}
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("it is not written because a row of it cannot be read: %w", err)
		}
		if t.crlf && slices.ContainsFunc(row.Values, func(s string) bool { return strings.Contains(s, "\r") }) {
			return nil, fmt.Errorf("it is not written because the carriage return within a value on line %d would "+
				"get lost", row.Line)
		}
		t.rows = append(t.rows, slices.Clone(row.Values))
	}
}

// hasComment reports whether a line of a text may begin with a character; "" is none.
func hasComment(text, character string) bool {
	return character != "" && (strings.HasPrefix(strings.TrimPrefix(text, "\uFEFF"), character) ||
		strings.Contains(text, "\n"+character))
}

// find returns the row of an account, or -1 if there is none.
func (t *table) find(native string) int {
	return slices.IndexFunc(t.rows, func(row []string) bool { return row[t.objects.identityAt] == native })
}

// apply changes the rows. It reports whether the file must be written.
func (t *table) apply(operation *connector.Operation) (bool, error) {
	switch operation.Kind {
	case connector.Create:
		return t.create(operation)
	case connector.Delete:
		return t.remove(operation)
	case connector.SetAttributes, connector.AddValues, connector.RemoveValues, connector.Enable, connector.Disable,
		connector.Unlock:
		return t.change(operation)
	}
	return false, connector.Unsupported(operation.Kind)
}

// remove removes the row of an account. It reports whether there was one.
func (t *table) remove(operation *connector.Operation) (bool, error) {
	at, err := t.locate(operation)
	if err != nil || at < 0 {
		return false, err
	}
	t.rows = slices.Delete(t.rows, at, at+1)
	return true, nil
}

// change changes the row of an account. It reports whether the row is another one now.
func (t *table) change(operation *connector.Operation) (bool, error) {
	at, err := t.locate(operation)
	if err != nil {
		return false, err
	}
	if at < 0 {
		return false, connector.ErrNoAccount
	}
	t.objects.read(Row{Values: t.rows[at]})
	if t.objects.object.Fault != "" {
		return false, connector.Permanent(fmt.Errorf("the row of the account cannot be read: %s",
			t.objects.object.Fault))
	}
	after := connector.Applied(&t.objects.object.Attributes, operation, t.schema)
	row := slices.Clone(t.rows[at])
	if err := t.fill(row, &after, operation); err != nil {
		return false, err
	}
	if slices.Equal(row, t.rows[at]) {
		return false, nil
	}
	identity := row[t.objects.identityAt]
	if identity == "" {
		return false, connector.Nameless(t.objects.rows.Columns()[t.objects.identityAt])
	}
	if identity != t.touched && t.find(identity) >= 0 {
		return false, connector.ErrExists
	}
	t.rows[at], t.touched = row, identity
	return true, nil
}

func (t *table) create(operation *connector.Operation) (bool, error) {
	columns := t.objects.rows.Columns()
	row := make([]string, len(columns))
	if err := t.fill(row, &operation.Attributes, operation); err != nil {
		return false, err
	}
	if row[t.objects.identityAt] == "" {
		row[t.objects.identityAt] = operation.NativeIdentity
	}
	native := row[t.objects.identityAt]
	if native == "" {
		return false, connector.Permanent(fmt.Errorf("the new account has no %q, which holds the native identity",
			columns[t.objects.identityAt]))
	}
	t.touched = native
	if at := t.find(native); at >= 0 {
		for _, name := range operation.Volatile {
			if i := slices.Index(columns, name); i >= 0 {
				row[i] = t.rows[at][i]
			}
		}
		if slices.Equal(t.rows[at], row) {
			return false, nil // an earlier attempt removed it
		}
		return false, connector.ErrExists
	}
	t.rows = append(t.rows, row)
	return true, nil
}

// fill writes the attributes of an operation into a row.
func (t *table) fill(row []string, attributes *attribute.Set, operation *connector.Operation) error {
	columns := t.objects.rows.Columns()
	for name := range operation.Attributes.All() {
		at := slices.Index(columns, name)
		if at < 0 {
			return connector.Permanent(fmt.Errorf("the file has no column %q", name))
		}
		text, err := t.text(name, attributes.Get(name))
		if err != nil {
			return connector.Permanent(fmt.Errorf("column %q: %w", name, err))
		}
		row[at] = text
	}
	return nil
}

// text writes a value so that a reading finds the same value.
func (t *table) text(name string, value attribute.Value) (string, error) {
	multi := false
	for _, c := range t.objects.columns {
		multi = multi || c.name == name && c.multi
	}
	if !multi {
		if value.Len() > 1 {
			return "", errors.New("it holds one value only")
		}
		return value.Text(), t.checkValue(value.Text())
	}
	for _, element := range value.Strings() {
		if err := t.checkValue(element); err != nil {
			return "", err
		}
		if strings.Contains(element, t.objects.separator) || element == "" || strings.TrimSpace(element) != element {
			return "", fmt.Errorf("a value is empty, has the separator %q in it, or blanks around it",
				t.objects.separator)
		}
	}
	return strings.Join(value.Strings(), t.objects.separator), nil
}

// write writes the table in the notation of the old file.
func (t *table) write(to io.Writer) error {
	if t.mark {
		if _, err := io.WriteString(to, "\uFEFF"); err != nil {
			return err
		}
	}
	w := csv.NewWriter(to)
	w.Comma, w.UseCRLF = t.comma, t.crlf
	if mark := t.comment; mark != "" && slices.ContainsFunc(t.rows, func(row []string) bool {
		return strings.HasPrefix(row[0], mark)
	}) {
		return connector.Permanent(fmt.Errorf("a row would begin with %q, which begins a comment", mark))
	}
	if t.header {
		if err := w.Write(t.objects.rows.Columns()); err != nil {
			return err
		}
	}
	return w.WriteAll(t.rows)
}

// checkValue refuses a text that a reading of the file would change.
func (t *table) checkValue(text string) error {
	switch {
	case !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0:
		return errors.New("a value is no UTF-8 text, or has a NUL character in it")
	case strings.Contains(text, "\r\n"), t.crlf && strings.Contains(text, "\r"):
		return errors.New("a value has a carriage return in it, which delimited text does not keep")
	}
	return nil
}

// createBeside creates a file that will replace another one.
func createBeside(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), besidePrefix(path)+"*")
}

func besidePrefix(path string) string { return "." + filepath.Base(path) + ".new-" }

// removeLeftovers removes the new files of processes that were killed while they wrote. The caller holds the lock, so
// no process writes now.
func removeLeftovers(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), besidePrefix(path)) {
			continue
		}
		err := os.Remove(filepath.Join(filepath.Dir(path), entry.Name()))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// syncFolder makes a renaming survive a crash of the machine, if the system supports that.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = folder.Sync() // some file systems cannot
	return folder.Close()
}
