// Package spoken translates between MSML's speech package (RFC 5707 section 9.10) and
// the words of speech engines: what <tts> says becomes SSML, <grammar> SRGS, and what
// a recognizer has heard NLSML. It talks to no engine.
package spoken

import (
	"strings"

	"mcp/speech"
	"mcp/speech/nlsml"
	"mcp/vxml/xmltree"
)

// Language is spoken where a request does not say which.
const Language = "en-US"

// ssmlNamespace is that of SSML 1.0.
const ssmlNamespace = "http://www.w3.org/2001/10/synthesis"

// Speak makes SSML of the content of <tts>: text, SSML without its root element, or a
// whole <speak>. Language holds where the content does not say.
func Speak(tts *xmltree.Node, language string) string {
	if all := tts.Elements(); len(all) == 1 && all[0].Name == "speak" && !hasText(tts) {
		return document(all[0], language)
	}
	return document(&xmltree.Node{Children: tts.Children}, language)
}

// SpeakText makes SSML of a document that is SSML or plain text.
func SpeakText(body []byte, language string) string {
	if root, err := xmltree.Parse(body); err == nil && root.Name == "speak" {
		return document(root, language)
	}
	return document(&xmltree.Node{Children: []*xmltree.Node{{Text: string(body)}}}, language)
}

func hasText(n *xmltree.Node) bool {
	for _, c := range n.Children {
		if c.IsText() && !c.Blank() {
			return true
		}
	}
	return false
}

// document makes a whole document of a <speak>.
func document(from *xmltree.Node, language string) string {
	root := within(ssmlNamespace, from)
	root.Name = "speak"
	return xmltree.Write(with(with(root, "version", "1.0"), "xml:lang", language))
}

// within is a copy of an element in another namespace, if it is in none of its own.
func within(space string, n *xmltree.Node) *xmltree.Node {
	c := *n
	if !n.IsText() || len(n.Children) > 0 {
		c.Space = space
	}
	c.Children = nil
	for _, child := range n.Children {
		c.Children = append(c.Children, within(space, child))
	}
	return &c
}

// with is the element with an attribute, if it lacks it.
func with(n *xmltree.Node, name, value string) *xmltree.Node {
	if _, given := n.Lookup(name); !given {
		a := xmltree.Attr{Name: name, Value: value}
		if strings.HasPrefix(name, "xml:") {
			a.Space = xmltree.XMLNamespace
		}
		n.Attrs = append(n.Attrs[:len(n.Attrs):len(n.Attrs)], a)
	}
	return n
}

// ResultsType is the media type of Results.
const ResultsType = "application/nlsml+xml"

// Results writes what was heard, best first, as NLSML.
func Results(heard []speech.Alternative) []byte {
	var r nlsml.Result
	for _, a := range heard {
		r.Interpretations = append(r.Interpretations, nlsml.Interpretation{
			Confidence: a.Confidence, Instance: a.Instance, Input: a.Utterance, Mode: a.Mode,
		})
	}
	return r.Append(nil)
}
