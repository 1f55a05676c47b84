package doc

import (
	"crypto/rand"
	"slices"
	"strconv"
	"strings"

	"mcp/control/sip/header"
	"mcp/vxml/xmltree"
)

// Result is what became of a request.
type Result struct {
	Code int
	Mark string // of the last operation that was executed, on failure
	Text string
	// Dialogs and Conferences are the identifiers that the server made up.
	Dialogs, Conferences []string
	// Connections are those that are being made: an extension of our own.
	Connections []string
}

// Body is the result as a document (RFC 5707 section 7.3).
func (r Result) Body() []byte {
	result := &Node{Name: "result", Attrs: attributes("response", strconv.Itoa(r.Code), "mark", r.Mark)}
	if r.Text != "" {
		result.Children = append(result.Children, leaf("description", r.Text))
	}
	for _, id := range r.Conferences {
		result.Children = append(result.Children, leaf("confid", id))
	}
	for _, id := range r.Dialogs {
		result.Children = append(result.Children, leaf("dialogid", id))
	}
	for _, id := range r.Connections {
		made := leaf("connid", id)
		made.Space = Namespace
		result.Children = append(result.Children, made)
	}
	return document(result)
}

// Item is one of an event's names with its value. A value of a media type of its own
// travels as a body of its own.
type Item struct{ Name, Value, Type string }

// Event is something that the client is told (RFC 5707 section 7.4).
type Event struct {
	Name, ID string
	Items    []Item
}

// Content is the event as the body of an INFO, and its media type. Values of a type of
// their own follow the document, which has their Content-ID as a URL (RFC 2392).
func (e Event) Content(mediaType string) (string, []byte) {
	var parts []header.Part
	e.Items = slices.Clone(e.Items)
	name := strings.ToLower(rand.Text())
	for i, item := range e.Items {
		if item.Type != "" && item.Value != "" {
			id := strconv.Itoa(i) + "." + name + "@mcp"
			e.Items[i].Value = "cid:" + id
			parts = append(parts, header.Part{Type: item.Type, ID: id, Body: []byte(item.Value)})
		}
	}
	if len(parts) == 0 {
		return mediaType, e.Body()
	}
	return header.Join(name, append([]header.Part{{Type: mediaType, Body: e.Body()}}, parts...)...)
}

// Body is the event as a document.
func (e Event) Body() []byte {
	event := &Node{Name: "event", Attrs: attributes("name", e.Name, "id", e.ID)}
	for _, item := range e.Items {
		event.Children = append(event.Children, leaf("name", item.Name), leaf("value", item.Value))
	}
	return document(event)
}

// attributes leaves out those that are empty.
func attributes(pairs ...string) (attrs []xmltree.Attr) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			attrs = append(attrs, xmltree.Attr{Name: pairs[i], Value: clean(pairs[i+1])})
		}
	}
	return attrs
}

func leaf(name, text string) *Node {
	return &Node{Name: name, Children: []*Node{{Text: clean(text)}}}
}

// clean takes out what XML cannot carry.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

func document(n *Node) []byte {
	root := &Node{Name: "msml", Attrs: attributes("version", "1.1"), Children: []*Node{n}}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + xmltree.Write(root))
}
