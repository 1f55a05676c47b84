// Package check reads a voice application as its author would like it to be
// read: every page, script, grammar and recording that its pages name, and
// everything that is wrong with them, where it stands.
package check

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/grammar"
	"mcp/vxml/near"
	"mcp/vxml/script"
	"mcp/vxml/xmltree"
)

// maxDocuments bounds an application whose pages are made as they are asked for.
const maxDocuments = 1000

// Report is what was found.
type Report struct {
	Documents int // pages, scripts, grammars and recordings looked at
	Problems  []error
}

// Platform is what the application is to run on.
type Platform struct {
	Fetcher *fetch.Fetcher
	Scripts script.Limits
}

// Run checks the application that begins at the address.
func (on Platform) Run(ctx context.Context, address string) (Report, error) {
	c := &checker{Platform: on, seen: make(map[string]bool), pages: make(map[string]*doc.Page), trees: make(map[string]tree), words: make(map[string]bool),
		compiled: make(map[string]compiled)}
	url, fragment, err := fetch.Resolve("", address)
	if err != nil {
		return c.report, err
	}
	c.queue = []reference{{kind: page, url: url, fragment: fragment}}
	for len(c.queue) > 0 && c.report.Documents < maxDocuments {
		next := c.queue[0]
		c.queue = c.queue[1:]
		c.follow(ctx, next)
		if ctx.Err() != nil {
			return c.report, ctx.Err()
		}
	}
	for _, t := range c.trees {
		c.variables(t)
	}
	slices.SortStableFunc(c.report.Problems, byPlace)
	return c.report, nil
}

type checker struct {
	Platform
	seen     map[string]bool
	pages    map[string]*doc.Page // nil when it cannot be used
	trees    map[string]tree      // of the pages that are XML at all, by address
	compiled map[string]compiled  // grammars
	words    map[string]bool      // of all scripts: what they may declare
	queue    []reference
	report   Report
}

// kind is what a reference leads to.
type kind string

const (
	page     kind = "page"
	code     kind = "script"
	grammars kind = "grammar"
	audio    kind = "audio"
)

// reference is something that a page names.
type reference struct {
	kind          kind
	url, fragment string
	from          *doc.Error       // where; nil for the first page
	inline        *grammar.Grammar // what is referred to is written into the page
	params        []string         // that the dialog referred to is called with
}

func (c *checker) problem(err error) { c.report.Problems = append(c.report.Problems, err) }

// wrong is a problem of a reference, at the place that makes it.
func (c *checker) wrong(r reference, err error) {
	if r.from == nil {
		c.problem(err)
		return
	}
	at := *r.from
	at.Text = err.Error()
	c.problem(&at)
}

func (c *checker) follow(ctx context.Context, r reference) {
	if r.kind == grammars {
		c.grammar(ctx, r)
		return
	}
	if !c.seen[string(r.kind)+r.url] {
		c.seen[string(r.kind)+r.url] = true
		c.report.Documents++
		got, err := c.Fetcher.Get(ctx, fetch.Request{URL: r.url})
		if err != nil {
			c.wrong(r, err)
			return
		}
		c.read(ctx, r, got)
	}
	p := c.pages[r.url]
	if r.kind != page || p == nil {
		return
	}
	switch called := p.Dialog(r.fragment); {
	case called != nil:
		c.params(r, called)
	case r.fragment != "":
		c.wrong(r, fmt.Errorf("%s has no dialog %q%s", r.url, r.fragment, near.Hint(r.fragment, p.DialogNames())))
	}
}

// params looks for the variables of a dialog that it is called with.
func (c *checker) params(r reference, called *doc.Form) {
	var declared []string
	for _, a := range called.Init {
		if v, ok := a.(*doc.Var); ok {
			declared = append(declared, v.Name)
		}
	}
	for _, name := range r.params {
		if !slices.Contains(declared, name) {
			c.wrong(r, fmt.Errorf("%s declares no variable for the parameter %q%s", called, name, near.Hint(name, declared)))
		}
	}
}

func (c *checker) read(ctx context.Context, r reference, got *fetch.Resource) {
	switch r.kind {
	case page:
		p, err := doc.Compile(got.Body, got.URL)
		if err != nil {
			c.all(err)
		} else {
			c.pages[r.url] = p
			for _, a := range p.Advice {
				c.problem(a)
			}
		}
		// What a page that cannot be used refers to is looked at all the same.
		if root, err := xmltree.Parse(got.Body); err == nil {
			c.trees[got.URL] = tree{root: root, url: got.URL}
			c.walk(root, place{url: got.URL, base: got.URL})
		}
	case code:
		c.script(string(got.Body), doc.Error{URL: got.URL, Line: 1})
	}
}

// all adds every one of joined errors.
func (c *checker) all(err error) {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		c.problem(err)
		return
	}
	for _, e := range joined.Unwrap() {
		c.all(e)
	}
}

// script looks at a script that begins at a place.
func (c *checker) script(text string, at doc.Error) {
	for _, word := range identifiers.FindAllString(escapes.ReplaceAllStringFunc(text, unescaped), -1) {
		c.words[word] = true
	}
	var wrong *script.SyntaxError
	if errors.As(c.Scripts.Syntax(text, false), &wrong) {
		at.Line, at.Text = at.Line+wrong.Line-1, wrong.Message
		c.problem(&at)
	}
}

// byPlace sorts the problems of a document by line; those that stand nowhere in
// particular stay where they are.
func byPlace(a, b error) int {
	var x, y *doc.Error
	if !errors.As(a, &x) || !errors.As(b, &y) || x.URL != y.URL {
		return 0
	}
	return x.Line - y.Line
}
