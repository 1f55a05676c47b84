package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

func noInit(t *tree) (out []violation) {
	eachFunc(t, func(p *pkg, d *ast.FuncDecl) {
		if d.Recv == nil && d.Name.Name == "init" {
			out = append(out, p.breach(d, "init", "runs without being called"))
		}
	})
	return out
}

// packageState allows sentinel errors, compiled patterns, embedded files,
// interface guards and tables that nobody writes to. Everything else at package
// level is a constant or does not belong there.
func packageState(t *tree) (out []violation) {
	for _, p := range t.packages {
		tables := map[string]bool{}
		for _, f := range p.sources() {
			eachVar(f, func(d *ast.GenDecl, s *ast.ValueSpec) {
				for i, name := range s.Names {
					switch {
					case name.Name == "_" || embedded(d, s):
					case i < len(s.Values) && constant(s.Values[i]):
						tables[name.Name] = true
					default:
						out = append(out, p.breach(name, name.Name, "a package variable that is no table, sentinel error or guard"))
					}
				}
			})
		}
		out = append(out, p.writes(tables)...)
	}
	return out
}

func eachVar(f *file, visit func(*ast.GenDecl, *ast.ValueSpec)) {
	for _, d := range f.ast.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			visit(g, s.(*ast.ValueSpec))
		}
	}
}

// embedded tells whether a variable is filled by a go:embed directive.
func embedded(d *ast.GenDecl, s *ast.ValueSpec) bool {
	return slices.ContainsFunc([]*ast.CommentGroup{d.Doc, s.Doc}, func(g *ast.CommentGroup) bool {
		return g != nil && slices.ContainsFunc(g.List, func(c *ast.Comment) bool {
			return strings.HasPrefix(c.Text, "//go:embed ")
		})
	})
}

// constant tells whether an expression yields what is only ever read.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		sel, foreign := e.Type.(*ast.SelectorExpr)
		// Locks and clients are composite literals too, and are state.
		return !foreign || !slices.Contains([]string{"sync", "atomic", "http"}, nameOf(sel.X))
	case *ast.CallExpr:
		return pureCall(e.Fun)
	}
	return false
}

// pureCalls are functions whose results nobody can change.
var pureCalls = []string{
	"errors.New", "fmt.Errorf", "crc32.MakeTable", "strings.NewReplacer", "time.FixedZone", "reflect.TypeFor",
	"netip.AddrFrom4",
}

func pureCall(fun ast.Expr) bool {
	switch f := fun.(type) {
	case *ast.ArrayType: // a conversion, such as []byte("mark")
		return true
	case *ast.IndexExpr: // a generic function
		return pureCall(f.X)
	case *ast.SelectorExpr:
		return strings.HasPrefix(f.Sel.Name, "Must") || slices.Contains(pureCalls, nameOf(f.X)+"."+f.Sel.Name)
	}
	return false
}

func nameOf(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// writes finds statements that write to package-level tables.
func (p *pkg) writes(tables map[string]bool) (out []violation) {
	for _, f := range p.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			for _, target := range targets(n) {
				if id := rootIdent(target); id != nil && tables[id.Name] && !local(f, id) {
					out = append(out, p.breach(n, id.Name, "a package-level table is written to"))
				}
			}
			return true
		})
	}
	return out
}

// targets are the expressions that a statement writes to.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.CallExpr:
		if id := nameOf(n.Fun); (id == "delete" || id == "clear") && len(n.Args) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

// rootIdent is x in x, x.f, x[i] and *x.
func rootIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// local tells whether a name was declared inside a function. The parser
// resolves names within a file; what it leaves open is another file's.
func local(f *file, id *ast.Ident) bool {
	return id.Obj != nil && f.ast.Scope.Lookup(id.Name) != id.Obj
}
