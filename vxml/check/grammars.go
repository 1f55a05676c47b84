package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"mcp/vxml/fetch"
	"mcp/vxml/grammar"
	"mcp/vxml/xmltree"
)

// grammar looks at a grammar that a page uses, and at those that it leads to.
func (c *checker) grammar(ctx context.Context, r reference) {
	g := r.inline
	if g == nil {
		var err error
		if g, err = c.load(ctx, r.url); err != nil {
			c.refused(r, err)
			return
		}
	}
	if g == nil {
		return
	}
	_, err := grammar.Link(ctx, g, r.fragment, func(ctx context.Context, uri string) (*grammar.Grammar, error) {
		other, err := c.load(ctx, uri)
		if err == nil && other == nil {
			err = fmt.Errorf("%s is no grammar of SRGS", uri)
		}
		return other, err
	})
	if err != nil {
		c.refused(r, err)
	}
}

// refused is a grammar that cannot be used: the fault is the grammar's, and told
// once, unless it has no line there.
func (c *checker) refused(r reference, err error) {
	var wrong *grammar.Error
	switch {
	case !errors.As(err, &wrong) || wrong.Line == 0:
		c.wrong(r, err)
	case !c.seen["fault"+err.Error()]:
		c.seen["fault"+err.Error()] = true
		c.problem(err)
	}
}

// load fetches and compiles a grammar, or returns what it was before; nil when only a
// recognizer can read it.
func (c *checker) load(ctx context.Context, uri string) (*grammar.Grammar, error) {
	if known, ok := c.compiled[uri]; ok {
		return known.grammar, known.err
	}
	c.report.Documents++
	g, err := c.compile(ctx, uri)
	c.compiled[uri] = compiled{g, err}
	return g, err
}

type compiled struct {
	grammar *grammar.Grammar
	err     error
}

func (c *checker) compile(ctx context.Context, uri string) (*grammar.Grammar, error) {
	got, err := c.Fetcher.Get(ctx, fetch.Request{URL: uri})
	if err != nil {
		return nil, err
	}
	body := bytes.TrimSpace(xmltree.Labelled(got.Body, got.MediaType))
	if !bytes.HasPrefix(body, []byte("<")) && !bytes.HasPrefix(body, []byte("#ABNF")) {
		return nil, nil
	}
	root, _, err := grammar.Read(got.Body, got.URL)
	if err != nil {
		return nil, err
	}
	return grammar.Compile(root, grammar.Defaults{URI: got.URL})
}
