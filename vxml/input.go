package vxml

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"mcp/vxml/doc"
	"mcp/vxml/grammar"
	"mcp/vxml/keypad"
	"mcp/vxml/property"
	"mcp/vxml/xmltree"
)

// active is a grammar that is listened for, and whose it is.
type active struct {
	linked *grammar.Linked // nil when only a recognizer can read it
	speech SpeechGrammar
	mode   grammar.Mode
	owner  owner
	order  int  // in its document
	fixed  bool // it is the same as long as the page is: nothing is fetched or computed for it
}

// owner is what a match is for; exactly one is set.
type owner struct {
	field  *doc.Field
	item   doc.Item // a record or transfer, which the match ends
	choice *doc.Choice
	link   *doc.Link
	form   *doc.Form // and page, which differs from the current one for an application root's form
	page   *doc.Page
}

// repertoire is the active grammars of an item, and what a wait makes of them.
type repertoire struct {
	all    []*active
	keys   []*active     // those of them that are for keys
	keypad keypad.Keypad // of these, and untouched
	modes  string        // of all

	// What it depends on besides the page.
	root       *doc.Page
	properties *property.Set
}

// maxRepertoire is how many grammars a repertoire may have that is kept with the page.
const maxRepertoire = 16

// repertoire is that of an item: the one that was made for another visit, where it would
// be the same.
func (s *session) repertoire(ctx context.Context, item doc.Item) (*repertoire, error) {
	root, set := s.stage.rootPage, s.properties()
	kept := &item.Base().Kept
	if known, _ := kept.Load().(*repertoire); known != nil && known.root == root && known.properties == set {
		return known, nil
	}
	c, err := s.grammars(ctx, item)
	if err != nil {
		return nil, err
	}
	made := &repertoire{all: c.out, modes: modes(c.out), root: root, properties: set}
	if made.keys, made.keypad = s.keypad(c.out); !c.varies && len(c.out) <= maxRepertoire {
		kept.Store(made)
	}
	return made, nil
}

// keypad makes the keypad of the active grammars, and returns those that it is
// made of.
func (s *session) keypad(all []*active) (keys []*active, k keypad.Keypad) {
	var linked []*grammar.Linked
	for _, a := range all {
		if a.mode == grammar.DTMF {
			keys = append(keys, a)
			linked = append(linked, a.linked)
		}
	}
	return keys, keypad.New(linked, s.properties())
}

// pressed is the input when the keys so far match, and nil when they do not.
func pressed(keys []*active, k *keypad.Keypad) *input {
	i, tree := k.Result()
	if tree == nil {
		return nil
	}
	return &input{alternatives: []alternative{{
		active: keys[i], tree: tree, mode: "dtmf", confidence: 1, utterance: k.Keys(),
	}}}
}

// grammars collects the active grammars, the ones that take precedence first
// (VoiceXML 2.0 section 3.1.4): the item's, the dialog's, the document's, the
// application's. A modal field has only its own.
func (s *session) grammars(ctx context.Context, item doc.Item) (*activation, error) {
	c := &activation{s: s}
	modal := false
	switch item := item.(type) {
	case *doc.Field:
		c.add(ctx, owner{field: item}, item.Grammars)
		modal = item.Modal
	case *doc.Menu:
		for _, choice := range item.Choices {
			c.add(ctx, owner{choice: choice}, choice.Grammars)
		}
	}
	if !modal {
		c.links(ctx, item.Base().Links)
	}
	c.within()
	if !modal {
		c.surroundings(ctx)
	}
	if c.err != nil {
		return nil, c.err
	}
	if len(c.out) == 0 {
		return nil, &Event{Name: "error.semantic", Message: item.Base().String() + ": no grammar is active"}
	}
	return c, nil
}

// activation collects grammars until one fails.
type activation struct {
	s      *session
	out    []*active
	inner  int  // how many of them belong to scopes within the present one
	varies bool // one that it has come by is not fixed
	err    error
}

// within ends a scope: of its grammars those that come first in the document take
// precedence.
func (c *activation) within() {
	slices.SortStableFunc(c.out[c.inner:], func(a, b *active) int { return a.order - b.order })
	c.inner = len(c.out)
}

func (c *activation) links(ctx context.Context, links []*doc.Link) {
	for _, l := range links {
		c.add(ctx, owner{link: l}, l.Grammars)
	}
}

// surroundings adds what is active beyond the item.
func (c *activation) surroundings(ctx context.Context) {
	s := c.s
	here := s.dialog.form
	c.add(ctx, owner{form: here, page: s.stage.page}, here.Grammars)
	c.links(ctx, here.Links)
	c.within()
	c.document(ctx, s.stage.page)
	if s.stage.rootPage != s.stage.page {
		c.document(ctx, s.stage.rootPage)
	}
	c.links(ctx, s.in.defaults.page.Links)
	set := s.properties()
	universals := set.Get("universals")
	for _, command := range []string{"help", "exit", "cancel"} {
		if universals == "all" || universals != "none" && set.Lists("universals", command) {
			c.links(ctx, []*doc.Link{doc.Universal(command, s.language())})
		}
	}
}

// document adds the links of a page and its dialogs of document scope.
func (c *activation) document(ctx context.Context, page *doc.Page) {
	for _, form := range page.Dialogs {
		if form == c.s.dialog.form {
			continue
		}
		for _, g := range form.Grammars {
			if form.Document || g.Document {
				c.add(ctx, owner{form: form, page: page}, []*doc.Grammar{g})
			}
		}
		if menu, ok := form.Items[0:min(1, len(form.Items))], form.Document; ok && len(menu) > 0 {
			c.menu(ctx, menu[0])
		}
	}
	c.links(ctx, page.Links)
	c.within()
}

func (c *activation) menu(ctx context.Context, item doc.Item) {
	if m, ok := item.(*doc.Menu); ok {
		for _, choice := range m.Choices {
			c.add(ctx, owner{choice: choice}, choice.Grammars)
		}
	}
}

func (c *activation) add(ctx context.Context, o owner, list []*doc.Grammar) {
	for _, g := range list {
		if c.err != nil {
			return
		}
		a, err := c.s.activate(ctx, g)
		if err != nil {
			c.err = err
			return
		}
		c.varies = c.varies || !a.fixed
		if !c.s.properties().Lists("inputmodes", a.mode.String()) {
			continue
		}
		a.owner, a.order = o, g.Order
		if c.out = append(c.out, a); a.mode == grammar.Voice {
			a.speech.ID = "g" + strconv.Itoa(len(c.out))
		}
	}
}

// activate makes one grammar ready.
func (s *session) activate(ctx context.Context, g *doc.Grammar) (*active, error) {
	a := &active{speech: SpeechGrammar{MediaType: g.Type, Content: g.Source, URI: g.Base, Weight: g.Weight}, fixed: true}
	if g.Mode == "dtmf" {
		a.mode = grammar.DTMF
	}
	if g.Wrong != nil {
		return nil, located(g.Pos, grammarEvent(g.Wrong))
	}
	compiled, start := g.Inline, ""
	if g.Src != "" || g.Expr != "" {
		a.fixed = false
		src, fragment, err := s.external(ctx, g)
		if err != nil {
			return nil, err
		}
		if s.foreign(src) {
			a.speech = SpeechGrammar{URI: src.resource.URL, Weight: g.Weight}
			return a, nil
		}
		compiled, start = src.compiled, fragment
		a.speech.MediaType, a.speech.Content, a.speech.URI = src.resource.MediaType, src.resource.Body, src.resource.URL
		if compiled != nil {
			if start == "" {
				start = compiled.Start()
			}
			if start != compiled.Root {
				a.speech.Content = rooted(src.resource.Body, start)
			}
		}
	}
	if compiled == nil {
		if a.mode == grammar.DTMF {
			return nil, &Event{Name: "error.unsupported.format", Message: g.String() + ": a DTMF grammar of type " + a.speech.MediaType}
		}
		return a, nil
	}
	if a.mode = compiled.Mode; g.Mode != "" && g.Src+g.Expr != "" && g.Mode != a.mode.String() {
		return nil, &Event{Name: "error.grammar", Message: g.String() + ": the page and the grammar differ on its mode"}
	}
	a.speech.MediaType = srgsType
	return a, s.link(ctx, a, compiled, start)
}

// foreign tells a builtin grammar for voice of a page in another language than ours are
// in: a recognizer of that language has one of that name (VoiceXML 2.0 appendix P).
func (s *session) foreign(src source) bool {
	return strings.HasPrefix(src.resource.URL, grammar.BuiltinScheme) && src.compiled.Mode == grammar.Voice &&
		!strings.HasPrefix(strings.ToLower(s.language()), "en")
}

// rooted is a grammar with another root rule: what a recognizer is given when the
// page names one rule of a document.
func rooted(source []byte, rule string) []byte {
	root, err := xmltree.Parse(source)
	if err != nil {
		return source
	}
	root.Attrs = slices.DeleteFunc(root.Attrs, func(a xmltree.Attr) bool { return a.Name == "root" })
	root.Attrs = append(root.Attrs, xmltree.Attr{Name: "root", Value: rule})
	return []byte(xmltree.Write(root))
}

func (s *session) link(ctx context.Context, a *active, g *grammar.Grammar, start string) error {
	linked, err := grammar.Link(ctx, g, start, func(ctx context.Context, uri string) (*grammar.Grammar, error) {
		a.fixed = false
		src, err := s.in.library.grammar(ctx, s.fetching(uri, fetchOf{kind: "grammar"}), "")
		if err == nil && src.compiled == nil {
			err = &Event{Name: "error.unsupported.format", Message: uri + ": not SRGS XML"}
		}
		return src.compiled, err
	})
	if err != nil {
		// A recognizer may know what the text matcher cannot follow.
		if a.fixed = false; a.mode == grammar.Voice && !faulty(err) {
			s.log.Debug("voice grammar is left to the recognizer alone", "grammar", g.URI, "error", err)
			return nil
		}
		return grammarEvent(err)
	}
	if a.linked = linked; a.mode == grammar.Voice {
		a.speech.Phrases = linked.Phrases
	}
	return nil
}

// faulty tells whether an error is one of the grammar itself.
func faulty(err error) bool {
	var wrong *grammar.Error
	var event *Event
	return errors.As(err, &wrong) && !wrong.Limit && !wrong.Unsupported || errors.As(err, &event) && event.Name == "error.grammar"
}

// external fetches a grammar that the page refers to.
func (s *session) external(ctx context.Context, g *doc.Grammar) (source, string, error) {
	ref := g.Src
	if g.Expr != "" {
		var err error
		if ref, err = s.address(ctx, g.Pos, g.Expr); err != nil {
			return source{}, "", err
		}
	}
	absolute, fragment, err := s.in.library.resolve(s.base(g.Pos), ref)
	if err != nil {
		return source{}, "", &Event{Name: "error.badfetch", Message: g.String() + ": " + err.Error()}
	}
	s.visit(Fetching, absolute, nil)
	src, err := s.in.library.grammar(ctx, s.fetching(absolute, fetchOf{g.Fetch, "grammar"}), g.Mode)
	s.visit(Fetched, absolute, err)
	return src, fragment, located(g.Pos, err)
}

// located adds to an event's message the element that it comes from.
func located(pos doc.Pos, err error) error {
	event := asEvent(err)
	if event == nil {
		return err
	}
	return &Event{Name: event.Name, Message: pos.String() + ": " + event.Message}
}
