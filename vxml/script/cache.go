package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
	"github.com/dop251/goja/unistring"
)

var errNoExpression = errors.New("SyntaxError: this is not one expression")

// cacheSize is how many programs a Cache keeps. When it is full it starts
// afresh: cheaper than bookkeeping per use, and pages reuse what they need.
const cacheSize = 8192

// Cache holds compiled programs; it is shared by all machines.
type Cache struct {
	mu        sync.Mutex
	programs  map[key]*program
	outermost lineage // which all others are within

	observed atomic.Int64 // scripts that run for longer
	stuck    atomic.Int64 // scripts given up that still run
}

// NewCache makes an empty cache.
func NewCache() *Cache { return &Cache{programs: make(map[key]*program)} }

// key is what decides a compiled program: its text and the scope chain it is
// compiled into.
type key struct {
	chain string
	kind  kind
	text  string
}

type kind uint8

const (
	expression kind = iota
	statements
	assignment
	semantics
	tag // one, which is only looked at
)

type program struct {
	code   *goja.Program
	trait             // what is to be guarded, and whether it may give objects code that runs by itself
	plain  plain      // what an expression comes to, where that is plain
	refers references // of the tags of a rule
	sets   *setting   // what a tag does; nil: more than that
	evals  bool       // it calls eval, and its code makes it from that
	vars   []string   // declared by statements with var, let, const, class or function
}

func (c *Cache) program(k key, src Source, work int) (*program, error) {
	c.mu.Lock()
	p := c.programs[k]
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := compile(k, src, work)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.programs) >= cacheSize {
		clear(c.programs)
	}
	c.programs[k] = p
	return p, nil
}

// compile puts the script, which may be so much work to compile, into a function of the scope objects, outermost first,
// whose body sees them through nested with statements. So names resolve, and
// assignments land, as ECMAScript says of nested scopes, and session,
// application, document and dialog are names of the scopes themselves.
func compile(k key, src Source, work int) (*program, error) {
	p := &program{}
	tree, err := p.read(k, src, work)
	if err == nil && k.kind != tag {
		err = p.compile(tree, k)
	}
	if err != nil {
		out := &Error{Source: src, Message: err.Error(), Limit: excessive(err)}
		if wrong, ok := errors.AsType[*SyntaxError](err); ok && k.kind != semantics {
			out.Line = wrong.Line
		}
		return nil, out
	}
	return p, nil
}

// read parses a script by itself, which also refuses text that would only make sense
// inside the function, such as an unbalanced brace.
func (p *program) read(k key, src Source, work int) (*ast.Program, error) {
	switch k.kind {
	case expression:
		tree, err := parse(src.Name, "("+k.text+"\n)", inlineWork)
		if err != nil {
			return nil, err
		}
		e, ok := single(tree)
		if !ok {
			return nil, errNoExpression
		}
		p.plain = plainOf(e, len(k.text))
		tree.Body = []ast.Statement{&ast.ReturnStatement{Argument: e}}
		return tree, nil
	case semantics:
		// The text is a complete function expression of its own.
		p.refers = referencesOf(k.text)
		return parse(src.Name, "("+k.text+")", inlineWork)
	case tag:
		tree, err := parse(src.Name, k.text, inlineWork)
		if err == nil {
			p.sets = settingOf(tree)
		}
		return tree, err
	case assignment:
		return parse(src.Name, k.text, inlineWork)
	}
	tree, err := parse(src.Name, uncommented(k.text), work)
	if err != nil {
		return nil, err
	}
	declared := declarations(tree)
	if len(declared.vars)+len(declared.functions)+len(declared.lexical) > maxNames {
		return nil, errNames
	}
	p.vars = slices.Concat(declared.vars, declared.functions, declared.lexical)
	p.plain.brief = declares(tree)
	declared.published(tree)
	return tree, nil
}

// single is the expression that a script is.
func single(tree *ast.Program) (ast.Expression, bool) {
	if len(tree.Body) != 1 {
		return nil, false
	}
	statement, ok := tree.Body[0].(*ast.ExpressionStatement)
	if !ok {
		return nil, false
	}
	return statement.Expression, true
}

// compile compiles what a program is to come to: a function.
func (p *program) compile(tree *ast.Program, k key) error {
	found, err := surveyOf(tree)
	if err != nil {
		return err
	}
	p.trait, p.evals = found.trait, found.calls != nil
	if err := p.wrap(tree, k); err != nil {
		return err
	}
	p.code, err = goja.CompileAST(tree, false)
	return err
}

// wrap puts a script into its function, and that, when it calls eval, into one that
// gives it the engine's own.
func (p *program) wrap(tree *ast.Program, k key) error {
	text := "(function(" + strings.ReplaceAll(k.chain, " ", ",") + "){" + withs(k.chain) + "{}})"
	if k.kind == semantics {
		text = "0"
	}
	if p.evals {
		text = "(function(eval){return " + text + "})"
	}
	outer, err := goja.Parse("", text)
	if err != nil {
		return fmt.Errorf("scopes %s: %w", k.chain, err)
	}
	statement, _ := outer.Body[0].(*ast.ExpressionStatement)
	f, _ := statement.Expression.(*ast.FunctionLiteral)
	if p.evals {
		inner, _ := f.Body.List[0].(*ast.ReturnStatement)
		if k.kind == semantics {
			inner.Argument, _ = single(tree)
		}
		f, _ = inner.Argument.(*ast.FunctionLiteral)
	}
	if k.kind != semantics {
		block := innermostBlock(f.Body)
		block.List, f.DeclarationList = tree.Body, tree.DeclarationList
	}
	if k.kind != semantics || p.evals {
		tree.Body, tree.DeclarationList = outer.Body, nil
	}
	return nil
}

// innermostBlock is the block within with statements.
func innermostBlock(b *ast.BlockStatement) *ast.BlockStatement {
	var body ast.Statement = b
	if len(b.List) == 1 {
		body = b.List[0]
	}
	for {
		with, ok := body.(*ast.WithStatement)
		if !ok {
			break
		}
		body = with.Body
	}
	block, _ := body.(*ast.BlockStatement)
	return block
}

func withs(chain string) string {
	var b strings.Builder
	for _, name := range strings.Fields(chain) {
		fmt.Fprintf(&b, "with(%s)", name)
	}
	return b.String()
}

// innermost is the parameter that holds the innermost scope object, whatever it is called.
const innermost = "$scope"

// publish copies bindings of a block onto the scope object.
func publish(names []string) []ast.Statement {
	var all []ast.Statement
	for _, name := range names {
		variable := unistring.NewFromString(name)
		all = append(all, &ast.ExpressionStatement{Expression: &ast.AssignExpression{
			Operator: token.ASSIGN,
			Left: &ast.DotExpression{
				Left: &ast.Identifier{Name: innermost, Idx: 1}, Identifier: ast.Identifier{Name: variable, Idx: 1},
			},
			Right: &ast.Identifier{Name: variable, Idx: 1},
		}})
	}
	return all
}
