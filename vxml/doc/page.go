// Package doc reads VoiceXML documents into pages: typed, checked against the
// elements and attributes that VoiceXML 2.0 and 2.1 define, and immutable, so
// that one page serves all the calls that run it.
package doc

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"mcp/vxml/grammar"
	"mcp/vxml/property"
	"mcp/vxml/ssml"
	"mcp/vxml/xmltree"
)

// Namespace is the namespace of VoiceXML documents.
const Namespace = "http://www.w3.org/2001/vxml"

// Extension is the namespace of what Genesys applications add to VoiceXML.
const Extension = "http://www.genesyslab.com/2006/vxml21-extension"

// Pos says where something stands: for messages, and as the base of relative URIs.
type Pos struct {
	URL     string // of the document
	Base    string // for relative URIs
	Line    int
	Element string
}

func (p Pos) String() string { return fmt.Sprintf("%s:%d: <%s>", p.URL, p.Line, p.Element) }

// Page is a compiled document.
type Page struct {
	URL         string
	Base        string
	Language    string
	Application string   // absolute URL of the application root, or empty
	Init        []Action // <var> and <script>, in order
	Scope                // what is in force in the whole document
	Dialogs     []*Form
	Headers     http.Header // of <meta http-equiv>
	References  []Reference // what it may fetch, in order
	Advice      []*Error    // what can be run and is probably not meant
}

// Dialog returns the form or menu of that id, the first one for "", or nil.
func (p *Page) Dialog(id string) *Form {
	for _, f := range p.Dialogs {
		if id == "" || f.ID == id {
			return f
		}
	}
	return nil
}

// Scope is what an element puts in force for everything in it.
type Scope struct {
	Catches    []*Catch
	Links      []*Link
	Properties *property.Layer
	Computed   []*Var // properties whose values are expressions
}

// Form is a <form> or a <menu>; a menu is a form whose one item is a *Menu.
type Form struct {
	Pos
	ID       string
	Document bool // scope="document"
	Init     []Action
	Scope
	Grammars []*Grammar
	Items    []Item
	Filled   []*Filled
}

// Item is a form item: *Block, *Field, *Initial, *Subdialog, *Menu, *Record,
// *Transfer or *Object.
type Item interface{ Base() *Common }

// Input tells an input item, which the caller or somebody else fills, from a
// control item.
func Input(item Item) bool {
	switch item.(type) {
	case *Field, *Subdialog, *Record, *Transfer, *Object:
		return true
	}
	return false
}

// Common is what all form items have.
type Common struct {
	Pos
	Name    string // the page's, or an internal one that no page can write
	Visible bool   // the page gave the name
	Expr    string
	Cond    string
	Prompts []*Prompt
	Scope
	Filled []*Filled
	Kept   atomic.Value // what who runs the page has made of the item, for all who visit it
}

// Base returns c itself: embedding it makes an item.
func (c *Common) Base() *Common { return c }

// Block is <block>.
type Block struct {
	Common
	Body []Action
}

// Field is <field>.
type Field struct {
	Common
	Modal    bool
	Slot     string
	Grammars []*Grammar // those of type and the options included
	Options  []Option
}

// Initial is <initial>.
type Initial struct{ Common }

// Subdialog is <subdialog>.
type Subdialog struct {
	Common
	Call   Transition
	Params []Param
}

// Param is <param>.
type Param struct {
	Pos
	Name, Expr, Value string
	Ref               bool   // valuetype="ref": the value is a URI
	Type              string // media type of what a reference leads to
}

// Record is <record>.
type Record struct {
	Common
	Grammars     []*Grammar
	Modal        bool
	Beep         bool
	DTMFTerm     bool
	MaxTime      string
	FinalSilence string
	Type         string
	Extensions   Extensions
}

// Transfer is <transfer>.
type Transfer struct {
	Common
	Grammars       []*Grammar
	Kind           string // blind, bridge or consultation
	Dest, DestExpr string
	AAI, AAIExpr   string
	ConnectTimeout string
	MaxTime        string
	Audio          string
	Extensions     Extensions
}

// Extensions are attributes of Genesys' own, by name; of those that end in expr
// the value is an expression.
type Extensions map[string]string

// Object is <object>.
type Object struct {
	Common
	ClassID  string
	CodeBase string
	CodeType string
	Data     string
	Type     string
	Archive  []string
	Params   []Param
}

// Menu is the one item of a <menu>.
type Menu struct {
	Common
	Choices []*Choice
}

// Choice is <choice>: grammars, and what happens when one matches.
type Choice struct {
	Text     string
	DTMF     string
	Grammars []*Grammar
	Target
}

// Option is <option>, for <enumerate>; its grammars are the field's.
type Option struct{ Text, DTMF, Value string }

// Link is <link>.
type Link struct {
	Grammars []*Grammar
	Target
}

// Target is where a link or choice leads: a document or an event.
type Target struct {
	Goto  *Transition
	Throw *Throw
}

// Catch is <catch> or one of its short forms.
type Catch struct {
	Pos
	Events []string // empty: all
	Count  int
	Cond   string
	Body   []Action
}

// Filled is <filled>.
type Filled struct {
	Pos
	Order    int  // in the document
	Any      bool // mode="any"
	Namelist []string
	Body     []Action
}

// Prompt is <prompt>, or bare text and markup in its place.
type Prompt struct {
	Pos
	Content     []ssml.Node
	Constant    []ssml.Segment // what Content comes to, if it is always the same; else nil
	Cond        string
	Count       int
	Timeout     *time.Duration // nil: it names none
	BargeIn     string
	BargeInType string
	Language    string // never empty
}

// Grammar is <grammar>, a builtin one, or one made of a choice's text.
type Grammar struct {
	Pos
	Inline    *grammar.Grammar // nil when it is fetched
	Wrong     error            // why the content is no grammar; its use throws error.grammar
	Source    []byte           // of an inline grammar, a complete document; not to be changed
	Src, Expr string
	Rule      string // fragment of a src that is part of it
	Mode      string // as the element says, or empty
	Type      string
	Weight    float64
	Document  bool // scope="document"
	Order     int  // in the document
	Fetch     Fetch
}

// Fetch is the attributes of fetching (VoiceXML 2.0 section 6.1).
type Fetch struct{ Audio, Hint, Timeout, MaxAge, MaxStale string }

// Transition is where <goto>, <submit>, <subdialog>, <link> and <choice> go.
type Transition struct {
	Pos
	Next, Expr string
	Submit     bool
	Post       bool
	Multipart  bool // multipart/form-data
	Namelist   []string
	Fetch      Fetch
}

// DialogNames are the ids of the page's dialogs, for messages.
func (p *Page) DialogNames() []string {
	names := make([]string, len(p.Dialogs))
	for i, f := range p.Dialogs {
		names[i] = f.ID
	}
	return names
}

// ItemNames are the names of the form's items that the page gave, for messages.
func (f *Form) ItemNames() []string {
	var names []string
	for _, item := range f.Items {
		if item.Base().Visible {
			names = append(names, item.Base().Name)
		}
	}
	return names
}

// Error is a page that cannot be used. Each problem names document, line and element.
type Error struct {
	URL     string
	Line    int
	Element string
	Text    string
}

func (e *Error) Error() string {
	where := fmt.Sprintf("%s:%d", e.URL, e.Line)
	if e.Element != "" {
		return fmt.Sprintf("%s: <%s>: %s", where, e.Element, e.Text)
	}
	return where + ": " + e.Text
}

func (c *compiler) fail(n *xmltree.Node, format string, args ...any) {
	if len(c.problems) >= maxProblems {
		return
	}
	c.problems = append(c.problems, &Error{URL: c.page.URL, Line: n.Line, Element: n.Name, Text: fmt.Sprintf(format, args...)})
}
