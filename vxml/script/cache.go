package script

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dop251/goja"
)

// cacheSize is how many programs a Cache keeps. When it is full it starts
// afresh: cheaper than bookkeeping per use, and pages reuse what they need.
const cacheSize = 8192

// Cache holds compiled programs; it is shared by all machines.
type Cache struct {
	mu       sync.Mutex
	programs map[key]*program

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
)

type program struct {
	code     *goja.Program
	reach    reach      // what is to be guarded
	implicit bool       // it may give objects code that runs without being called
	plain    plain      // what an expression comes to, where that is plain
	refers   references // of the tags of a rule
	older    bool       // it names what engines used to have
	evals    bool       // it calls eval, and its code makes it from that
	vars     []string   // declared by statements with var, let, const, class or function
}

func (c *Cache) program(k key, src Source) (*program, error) {
	c.mu.Lock()
	p := c.programs[k]
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := compile(k, src)
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

// compile wraps the text into a function of the scope objects, outermost first,
// whose body sees them through nested with statements. So names resolve, and
// assignments land, as ECMAScript says of nested scopes, and session,
// application, document and dialog are names of the scopes themselves.
func compile(k key, src Source) (*program, error) {
	if err := unfit(k.text); err != nil {
		return nil, &Error{Source: src, Message: err.Error(), Limit: true}
	}
	p := &program{reach: reachOf(strings.ReplaceAll(k.text, looseEval, "")), implicit: endows(k.text), older: olderNames.MatchString(k.text)}
	body := k.text
	switch k.kind {
	case expression:
		p.plain = plainOf(body)
		body = "return (" + body + "\n);"
	case assignment:
		body += "\n;"
	case statements:
		src.Text = uncommented(src.Text)
		declared, err := declarations(src)
		if err != nil {
			return nil, err
		}
		body = declared.published(src.Text)
		p.vars = append(append(p.vars, declared.vars...), declared.functions...)
		p.vars = append(p.vars, declared.lexical...)
		body = publish(declared.functions) + body + "\n;" + publish(declared.lexical)
	case semantics:
		// The text is a complete function expression of its own.
		p.refers = referencesOf(k.text)
	}
	text := "(function(" + strings.ReplaceAll(k.chain, " ", ",") + "){" + withs(k.chain) + "{" + body + "\n}})"
	if k.kind == semantics {
		text = "(" + body + ")"
	}
	if err := p.compile(src.Name, text); err != nil {
		limit := errors.Is(err, errLevels) || errors.Is(err, errBig)
		return nil, &Error{Source: src, Message: err.Error(), Limit: limit}
	}
	return p, nil
}

// compile compiles what a program is to come to: a function.
func (p *program) compile(name, text string) error {
	tree, err := parse(name, text)
	if err == nil {
		err = fit(tree, text)
	}
	if err != nil {
		return err
	}
	careful, err := vetted(tree, text)
	if err != nil {
		return err
	}
	if careful != text {
		p.evals = true
		if tree, err = parse(name, "(function(eval){return "+careful+"})"); err != nil {
			return err
		}
	}
	p.code, err = goja.CompileAST(tree, false)
	return err
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

// publish copies block-scoped bindings onto the scope object.
func publish(names []string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s.%s=%s;", innermost, name, name)
	}
	return b.String()
}
