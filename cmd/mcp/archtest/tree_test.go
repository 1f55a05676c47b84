package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "mcp"

// tree is the module's source.
type tree struct {
	root     string
	packages []*pkg
}

// pkg is one package with its parsed files.
type pkg struct {
	ImportPath string
	Name       string
	Dir        string
	Doc        string

	GoFiles, CgoFiles, IgnoredGoFiles  []string
	TestGoFiles, XTestGoFiles          []string
	Imports, TestImports, XTestImports []string
	files                              []*file // generated ones left out
	fset                               *token.FileSet
	root                               string
}

// file is one Go file.
type file struct {
	name string
	test bool
	ast  *ast.File
}

// load lists and parses every package of the module. Packages that do not
// compile are loaded too: the rules look at syntax only.
func load() (*tree, error) {
	root, err := command("go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return nil, err
	}
	t := &tree{root: strings.TrimSpace(string(root))}
	list, err := command("go", "list", "-e", "-json=ImportPath,Name,Dir,Doc,GoFiles,CgoFiles,IgnoredGoFiles,"+
		"TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", module+"/...")
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(bytes.NewReader(list)); ; {
		p := &pkg{fset: token.NewFileSet(), root: t.root}
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return t, nil
		} else if err != nil {
			return nil, fmt.Errorf("read package list: %w", err)
		}
		if err := p.parse(); err != nil {
			return nil, err
		}
		t.packages = append(t.packages, p)
	}
}

func command(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", cmd, err, stderr.Bytes())
	}
	return out, nil
}

func (p *pkg) parse() error {
	for _, group := range []struct {
		names []string
		test  bool
	}{{p.GoFiles, false}, {p.CgoFiles, false}, {p.IgnoredGoFiles, false}, {p.TestGoFiles, true}, {p.XTestGoFiles, true}} {
		for _, name := range group.names {
			f, err := parser.ParseFile(p.fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				return fmt.Errorf("parse: %w", err)
			}
			if !ast.IsGenerated(f) {
				p.files = append(p.files, &file{name: name, test: group.test || strings.HasSuffix(name, "_test.go"), ast: f})
			}
		}
	}
	return nil
}

// sources are the files that are not tests.
func (p *pkg) sources() []*file {
	var out []*file
	for _, f := range p.files {
		if !f.test {
			out = append(out, f)
		}
	}
	return out
}

// breach is a violation at a node.
func (p *pkg) breach(n ast.Node, name, text string) violation {
	return violation{where: p.place(n.Pos()), what: p.symbol(name), text: text}
}

func (p *pkg) place(pos token.Pos) string {
	at := p.fset.Position(pos)
	rel, err := filepath.Rel(p.root, at.Filename)
	if err != nil {
		rel = at.Filename
	}
	return fmt.Sprintf("%s:%d", rel, at.Line)
}

func (p *pkg) symbol(name string) string {
	if name == "" {
		return p.ImportPath
	}
	return p.ImportPath + "." + name
}

// lines counts the lines of a node.
func (p *pkg) lines(n ast.Node) int {
	return p.fset.Position(n.End()).Line - p.fset.Position(n.Pos()).Line + 1
}

// funcName is Name or Type.Name.
func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + d.Name.Name
	}
	return d.Name.Name
}
