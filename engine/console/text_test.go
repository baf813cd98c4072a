package console

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/internal/page"
	"github.com/muster-engine/muster/engine/internal/page/assets"
)

// texts returns every text that the pages show, in English: what templates and code give to T, N and text, and the
// members key of errors and notes.
func texts(t *testing.T) []string {
	t.Helper()
	var keys []string
	pages, err := parseTemplates()
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		for _, defined := range page.Templates() {
			if defined.Tree != nil {
				keys = templateTexts(keys, defined.Tree.Root)
			}
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			keys = append(keys, codeTexts(n)...)
			return true
		})
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// templateTexts appends the texts of a node of a template, and of those in it.
func templateTexts(keys []string, node parse.Node) []string {
	branch := func(b *parse.BranchNode) {
		keys = templateTexts(keys, b.Pipe)
		keys = templateTexts(keys, b.List)
		if b.ElseList != nil {
			keys = templateTexts(keys, b.ElseList)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		for _, child := range n.Nodes {
			keys = templateTexts(keys, child)
		}
	case *parse.ActionNode:
		keys = templateTexts(keys, n.Pipe)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			keys = templateTexts(keys, n.Pipe)
		}
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			keys = templateTexts(keys, c)
		}
	case *parse.CommandNode:
		count := map[string]int{"T": 1, "N": 2}[lastName(n.Args[0])]
		for i, argument := range n.Args {
			if text, is := argument.(*parse.StringNode); is && i > 0 && i <= count {
				keys = append(keys, text.Text)
			}
			keys = templateTexts(keys, argument)
		}
	}
	return keys
}

func lastName(node parse.Node) string {
	var names []string
	switch n := node.(type) {
	case *parse.FieldNode:
		names = n.Ident
	case *parse.VariableNode:
		names = n.Ident
	}
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}

// codeTexts returns the texts of a node of the code.
func codeTexts(n ast.Node) (keys []string) {
	switch n := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if slices.Contains([]string{"T", "N", "text", "say", "refuse"}, name) {
			for _, argument := range n.Args {
				keys = append(keys, literal(argument)...)
			}
		}
	case *ast.KeyValueExpr:
		if name, is := n.Key.(*ast.Ident); is && (name.Name == "key" || name.Name == "Key") {
			keys = literal(n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if member, is := left.(*ast.SelectorExpr); is && (member.Sel.Name == "key" || member.Sel.Name == "Key") {
				keys = append(keys, literal(n.Rhs[min(i, len(n.Rhs)-1)])...)
			}
		}
	}
	return keys
}

// literal returns the text of a literal, which may be a sum of literals.
func literal(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return []string{text}
		}
	case *ast.BinaryExpr:
		left, right := literal(e.X), literal(e.Y)
		if len(left) == 1 && len(right) == 1 {
			return []string{left[0] + right[0]}
		}
	}
	return nil
}

// Every text of the pages has its German form, with the same places for values, and there is no other.
func TestGermanIsComplete(t *testing.T) {
	t.Parallel()
	catalogue := page.ReadCatalogue(german)
	keys := texts(t)
	if len(keys) < 200 {
		t.Fatalf("only %d texts were found", len(keys))
	}
	for _, key := range keys {
		translated, has := catalogue[key]
		if !has || translated == "" {
			t.Errorf("%q has no German form", key)
		}
		for _, verb := range []string{"%d", "%s"} {
			if strings.Count(key, verb) != strings.Count(translated, verb) {
				t.Errorf("%q is %q, which has other places for values", key, translated)
			}
		}
	}
	for key := range catalogue {
		if !slices.Contains(keys, key) {
			t.Errorf("no page shows %q", key)
		}
	}
	for _, kind := range engine.EventTypes() {
		if eventTitles[kind] == "" {
			t.Errorf("%s has no name", kind)
		}
	}
}

// What is shown is never written into a template: every word between the tags comes from T.
func TestTemplatesHaveNoTexts(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := templateFiles.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for number, line := range strings.Split(string(content), "\n") {
			for _, word := range visible(line) {
				if !slices.Contains([]string{"ID", "Esc", "g", "h", "i", "s", "r", "o", "e", "j", "k", "x", "0"}, word) &&
					!strings.Contains(line, "<code>") && !strings.Contains(line, "<!doctype") {
					t.Errorf("%s:%d: %q is no text of a catalogue", file, number+1, word)
				}
			}
		}
	}
}

// visible returns the words of a line of a template that are outside of tags and actions.
func visible(line string) (words []string) {
	var b strings.Builder
	depth, action := 0, false
	for i := 0; i < len(line); i++ {
		switch {
		case strings.HasPrefix(line[i:], "{{"):
			action = true
			i++
			b.WriteByte(' ')
		case strings.HasPrefix(line[i:], "}}"):
			action = false
			i++
		case action:
		case line[i] == '<':
			depth++
		case line[i] == '>':
			depth = max(0, depth-1)
			b.WriteByte(' ')
		case depth == 0:
			b.WriteByte(line[i])
		}
	}
	if strings.ContainsAny(b.String(), `="`) { // the rest of a tag of several lines
		return nil
	}
	for word := range strings.FieldsSeq(b.String()) {
		if strings.ContainsFunc(word, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }) {
			words = append(words, word)
		}
	}
	return words
}

// The assets are small, readable and take nothing from elsewhere.
func TestAssets(t *testing.T) {
	t.Parallel()
	size := 0
	for _, name := range assets.Names() {
		content, kind, found := assets.Read(name)
		if !found || kind == "" {
			t.Errorf("%s cannot be read", name)
		}
		size += len(content)
		text := string(content)
		for _, foreign := range []string{"https://", "@import", "url(", "eval(", "innerHTML", "document.write"} {
			if strings.Contains(text, foreign) {
				t.Errorf("%s has %s", name, foreign)
			}
		}
		for number, line := range strings.Split(text, "\n") {
			if len(line) > 200 {
				t.Errorf("%s:%d is not readable", name, number+1)
			}
		}
	}
	if size > assets.SizeMax {
		t.Errorf("the assets have %d bytes, want at most %d", size, assets.SizeMax)
	}
	if _, _, found := assets.Read("../assets.go"); found {
		t.Error("other files can be read")
	}
	if fmt.Sprint(len(assets.Hash())) != "16" {
		t.Errorf("the hash is %q", assets.Hash())
	}
}
