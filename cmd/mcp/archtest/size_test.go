package archtest

import (
	"go/ast"
)

const (
	maxFunctionLines    = 60
	maxFileLines        = 500
	maxStructFields     = 15
	maxInterfaceMethods = 5
	maxParameters       = 4
	maxPackageFiles     = 15
)

// functionLength does not count tests, whose tables are long and flat.
func functionLength(t *tree) (out []violation) {
	eachFunc(t, func(p *pkg, d *ast.FuncDecl) {
		if n := p.lines(d); n > maxFunctionLines {
			out = append(out, p.breach(d, funcName(d), over(n, maxFunctionLines, "lines")))
		}
	})
	return out
}

func fileLength(t *tree) (out []violation) {
	for _, p := range t.packages {
		for _, f := range p.sources() {
			if n := p.fset.File(f.ast.Pos()).LineCount(); n > maxFileLines {
				out = append(out, p.breach(f.ast, f.name, over(n, maxFileLines, "lines")))
			}
		}
	}
	return out
}

func structFields(t *tree) (out []violation) {
	eachType(t, func(p *pkg, s *ast.TypeSpec) {
		body, ok := s.Type.(*ast.StructType)
		if !ok {
			return
		}
		if n := body.Fields.NumFields(); n > maxStructFields {
			out = append(out, p.breach(s, s.Name.Name, over(n, maxStructFields, "fields")))
		}
	})
	return out
}

// interfaceSize counts an interface's own methods: composing small ones is what
// the rule asks for.
func interfaceSize(t *tree) (out []violation) {
	eachType(t, func(p *pkg, s *ast.TypeSpec) {
		body, ok := s.Type.(*ast.InterfaceType)
		if !ok {
			return
		}
		n := 0
		for _, m := range body.Methods.List {
			n += len(m.Names)
		}
		if n > maxInterfaceMethods {
			out = append(out, p.breach(s, s.Name.Name, over(n, maxInterfaceMethods, "methods")))
		}
	})
	return out
}

// parameters does not count a context, which every blocking call takes.
func parameters(t *tree) (out []violation) {
	eachFunc(t, func(p *pkg, d *ast.FuncDecl) {
		n := d.Type.Params.NumFields()
		for _, f := range d.Type.Params.List {
			if sel, ok := f.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" {
				n -= max(1, len(f.Names))
			}
		}
		if n > maxParameters {
			out = append(out, p.breach(d, funcName(d), over(n, maxParameters, "parameters")))
		}
	})
	return out
}

func packageFiles(t *tree) (out []violation) {
	for _, p := range t.packages {
		if files := p.sources(); len(files) > maxPackageFiles {
			out = append(out, p.breach(files[0].ast, "", over(len(files), maxPackageFiles, "source files")))
		}
	}
	return out
}

func eachFunc(t *tree, visit func(*pkg, *ast.FuncDecl)) {
	for _, p := range t.packages {
		for _, f := range p.sources() {
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					visit(p, fn)
				}
			}
		}
	}
}

func eachType(t *tree, visit func(*pkg, *ast.TypeSpec)) {
	for _, p := range t.packages {
		for _, f := range p.sources() {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if s, ok := n.(*ast.TypeSpec); ok {
					visit(p, s)
				}
				return true
			})
		}
	}
}
