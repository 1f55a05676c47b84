package spoken

import (
	"context"
	"errors"
	"slices"
	"strings"

	"mcp/control/call/voice/transcript"
	"mcp/speech"
	"mcp/vxml/grammar"
	"mcp/vxml/xmltree"
)

// srgsType is the media type of grammars in XML.
const srgsType = "application/srgs+xml"

// Grammar is one <grammar>: what a recognizer is given of it, and what it is for
// engines that only write down what they hear.
type Grammar struct {
	speech.Grammar
	Language string
	linked   *grammar.Linked // nil: only a recognizer can follow it
}

// Inline reads the <grammar> of a request. Its version, namespace and root may be left
// out, as RFC 5707's examples do, and <match> is no part of it.
func Inline(n *xmltree.Node, id string) (Grammar, error) {
	root := within(grammar.Namespace, n)
	root.Children = slices.DeleteFunc(root.Children, func(c *xmltree.Node) bool { return c.Name == "match" })
	root.Attrs = slices.DeleteFunc(slices.Clone(root.Attrs), func(a xmltree.Attr) bool { return a.Name == "iterate" || a.Name == "uri" })
	with(with(with(root, "version", "1.0"), "xml:lang", Language), "mode", "voice")
	compiled, err := grammar.Compile(root, grammar.Defaults{URI: id})
	if err != nil {
		return Grammar{}, err
	}
	if compiled.Mode != grammar.Voice {
		return Grammar{}, errors.New("a grammar of keys: <collect> takes those")
	}
	if start := compiled.Start(); start != "" {
		with(root, "root", start)
	}
	g := Grammar{Language: compiled.Language, Grammar: speech.Grammar{ID: id, MediaType: srgsType, Content: []byte(xmltree.Write(root))}}
	g.link(compiled)
	return g, nil
}

// External takes a grammar that was fetched. One in a form that is not known here is
// the recognizer's own business.
func External(mediaType string, body []byte, uri, id string) Grammar {
	g := Grammar{Grammar: speech.Grammar{ID: id, MediaType: mediaType, Content: body, URI: uri}}
	if compiled, err := grammar.Parse(body, grammar.Defaults{URI: uri, Language: Language, Mode: grammar.Voice}); err == nil {
		g.Language = compiled.Language
		if compiled.Form == grammar.XML {
			g.MediaType = srgsType
		}
		g.link(compiled)
	}
	return g
}

// errElsewhere leaves a grammar that refers to others to the recognizer.
var errElsewhere = errors.New("the grammar refers to others")

func (g *Grammar) link(compiled *grammar.Grammar) {
	linked, err := grammar.Link(context.Background(), compiled, "", func(context.Context, string) (*grammar.Grammar, error) {
		return nil, errElsewhere
	})
	if err == nil {
		g.linked, g.Phrases = linked, linked.Phrases
	}
}

// Find tells which grammar was matched by an alternative, -1: none. An engine that knows
// no grammars has its words held against all of them.
func Find(a speech.Alternative, all []Grammar) int {
	if a.Transcript {
		return slices.IndexFunc(all, func(g Grammar) bool { return g.allows(transcript.Spellings(a.Utterance, g.Language)) })
	}
	named := slices.IndexFunc(all, func(g Grammar) bool {
		return a.GrammarID != "" && (a.GrammarID == g.ID || a.GrammarID == "session:"+g.ID || a.GrammarID == g.URI)
	})
	if named >= 0 || len(all) == 1 {
		return max(named, 0)
	}
	return max(0, slices.IndexFunc(all, func(g Grammar) bool { return g.allows([]string{a.Utterance}) }))
}

// allows tells whether one of the ways to write what was said is in the grammar.
func (g Grammar) allows(spellings []string) bool {
	return g.linked != nil && slices.ContainsFunc(spellings, func(text string) bool {
		return g.linked.Match(strings.ToLower(text)) != nil || g.linked.Match(text) != nil
	})
}
