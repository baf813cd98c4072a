package shapetest

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

const storePath = "github.com/muster-engine/muster/store"

// statementText begins what may be a statement. Parts of one begin with other words, or do not parse.
var statementText = regexp.MustCompile(`(?is)^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|LOCK|CREATE|DROP|ANALYZE|SET)\b`)

// source is what the code of package store says about its statements.
type source struct {
	constants map[string]string // the place by the statement
	functions map[string]string // the place by the function that sends something
}

func readSource(t *testing.T) *source {
	t.Helper()
	config := &packages.Config{Context: t.Context(), Mode: packages.LoadSyntax, Dir: "../.."}
	loaded, err := packages.Load(config, storePath)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != 1 || len(loaded[0].Errors) > 0 {
		t.Fatalf("package store is not loaded: %v", loaded)
	}
	p := loaded[0]
	s := &source{constants: map[string]string{}, functions: map[string]string{}}
	for _, file := range p.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			e, is := n.(ast.Expr)
			if !is {
				return true
			}
			value := p.TypesInfo.Types[e].Value
			if value == nil || value.Kind() != constant.String {
				return true
			}
			s.addConstant(constant.StringVal(value), p.Fset.Position(n.Pos()))
			return false // what it is made of is no statement by itself
		})
		for _, d := range file.Decls {
			if function, is := d.(*ast.FuncDecl); is && function.Body != nil && sends(p.TypesInfo, function.Body) {
				s.functions[nameOf(p.TypesInfo, function)] = short(p.Fset.Position(d.Pos()))
			}
		}
	}
	return s
}

func (s *source) addConstant(text string, at token.Position) {
	if !statementText.MatchString(text) {
		return
	}
	if parsed, err := parse(text); err == nil && len(parsed.tree.Stmts) > 0 {
		s.constants[text] = short(at)
	}
}

func short(at token.Position) string {
	return at.Filename[strings.LastIndexByte(at.Filename, '/')+1:] + ":" + strconv.Itoa(at.Line)
}

// sends reports whether a function runs a statement itself.
func sends(info *types.Info, body ast.Node) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		call, is := n.(*ast.CallExpr)
		if !is {
			return !found
		}
		function := call.Fun
		if generic, is := function.(*ast.IndexExpr); is {
			function = generic.X
		}
		switch f := function.(type) {
		case *ast.Ident:
			found = found || f.Name == "collect"
		case *ast.SelectorExpr:
			switch f.Sel.Name {
			case "Exec", "Query", "QueryRow", "SendBatch", "CopyFrom":
				receiver := info.TypeOf(f.X)
				found = found || receiver != nil && types.IsInterface(receiver)
			}
		}
		return !found
	})
	return found
}

// nameOf returns the name of a function as [plain] has it.
func nameOf(info *types.Info, function *ast.FuncDecl) string {
	object := info.Defs[function.Name].(*types.Func)
	receiver := object.Signature().Recv()
	if receiver == nil {
		return "store." + object.Name()
	}
	if pointer, is := receiver.Type().(*types.Pointer); is {
		return "store.(*" + pointer.Elem().(*types.Named).Obj().Name() + ")." + object.Name()
	}
	return "store." + receiver.Type().(*types.Named).Obj().Name() + "." + object.Name()
}
