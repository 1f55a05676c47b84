package vxml

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mcp/vxml/doc"
	"mcp/vxml/prefetch"
	"mcp/vxml/property"
	"mcp/vxml/script"
	"mcp/vxml/secrecy"
)

// session is one run of an application for one caller. One goroutine owns it.
type session struct {
	in       *Interpreter
	platform Platform
	clock    Clock
	machine  *script.Machine
	root     *script.Scope // session scope, of the facts
	stage    *stage
	dialog   *dialog
	queue    queue
	tapes    map[string]*Recorded // what was recorded, by the URI that pages know it by
	pages    []string
	ahead    prefetch.Reader
	own
	ending
	budget
	witness
}

// ending is how the session is about to end.
type ending struct {
	gone     End       // the connection is over, and how
	returned *Namelist // of the page's <disconnect>
	last     *Event
}

// budget counts what happens without the caller's doing anything.
type budget struct{ steps, fetches, events, nesting int }

// waited counts anew: there is a wait for the caller, or for whoever controls the call.
func (b *budget) waited() { b.steps, b.fetches, b.events = 0, 0, 0 }

// stage is the documents in force. A subdialog has one of its own.
type stage struct {
	page     *doc.Page
	rootPage *doc.Page
	app      *script.Scope
	document *script.Scope
	params   map[string]script.Value // of the subdialog's first dialog, until used
	computed map[string]string       // properties of the page and its root that are expressions
	set      *property.Set           // properties in force in all of the page; nil: nobody has asked
	adopted  bool                    // a handler of the root runs as if it stood in the page
}

func (g *stage) rootURL() string { return g.rootPage.URL }

func (g *stage) url() string {
	if g.page == nil {
		return ""
	}
	return g.page.URL
}

// origin is the document that what stands at pos counts as part of: a handler is
// inherited as if it were copied (VoiceXML 2.0 section 5.2).
func (s *session) origin(pos doc.Pos) string {
	if s.stage.adopted && pos.URL == s.stage.rootURL() {
		return s.stage.page.URL
	}
	return pos.URL
}

// base is what relative URIs at pos are resolved against.
func (s *session) base(pos doc.Pos) string {
	if s.stage.adopted && pos.URL == s.stage.rootURL() {
		return s.stage.page.Base
	}
	return pos.Base
}

// scope is the innermost scope in force.
func (s *session) scope() *script.Scope {
	switch {
	case s.dialog != nil && s.dialog.inner != nil:
		return s.dialog.inner.opened(s.machine)
	case s.dialog != nil:
		return s.dialog.scope
	case s.stage.document != nil:
		return s.stage.document
	}
	return s.root
}

// anonymous is an anonymous scope, which is made when somebody asks: most content has no
// variables.
type anonymous struct {
	within *script.Scope
	event  *Event // whose handler it is of, and has the variables of; nil: it is of none
	scope  *script.Scope
}

func (a *anonymous) opened(m *script.Machine) *script.Scope {
	if a.scope == nil {
		a.scope = m.NewScope(a.within, "")
		if a.event != nil {
			announce(m, a.scope, a.event)
		}
	}
	return a.scope
}

// anonymously runs f in a new anonymous scope: of an event's handler, or with nil.
func (s *session) anonymously(event *Event, f func() error) error {
	if s.dialog == nil {
		s.dialog = &dialog{form: &doc.Form{}, scope: s.stage.document}
		defer func() { s.dialog = nil }()
	}
	d := s.dialog
	outer := d.inner
	d.inner = &anonymous{within: d.scope, event: event}
	defer func() { d.inner = outer }()
	return f()
}

// eval evaluates an expression; a script error is error.semantic.
func (s *session) eval(ctx context.Context, pos doc.Pos, expr string) (script.Value, error) {
	v, err := s.scope().Eval(ctx, script.Source{Text: expr})
	return v, semantic(ctx, pos, err)
}

// holds evaluates a condition; none holds.
func (s *session) holds(ctx context.Context, pos doc.Pos, cond string) (bool, error) {
	if cond == "" {
		return true, nil
	}
	v, err := s.eval(ctx, pos, cond)
	return v.Bool(), err
}

func semantic(ctx context.Context, pos doc.Pos, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &Event{Name: "error.semantic", Message: pos.String() + ": " + err.Error()}
}

// properties in force: the form item's, the dialog's, the document's, the
// application's, the platform's. Who fetches beside has had them put together before,
// and only reads them.
func (s *session) properties() *property.Set {
	g, d := s.stage, s.dialog
	if g.set == nil {
		g.set = g.properties(s.in.properties)
	}
	if d == nil {
		return g.set
	}
	if d.set == nil || d.setOf != d.item {
		d.set, d.setOf = d.properties(g.set), d.item
	}
	return d.set
}

func (g *stage) properties(set *property.Set) *property.Set {
	if g.rootPage != nil && g.rootPage != g.page {
		set = g.rootPage.Properties.Within(set)
	}
	if g.page != nil {
		set = g.page.Properties.Within(set)
	}
	return set.Within(g.computed)
}

// compute evaluates properties that are expressions.
func (s *session) compute(ctx context.Context, all ...*doc.Var) (map[string]string, error) {
	var out map[string]string
	for _, p := range all {
		v, err := s.eval(ctx, p.Pos, p.Expr)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[p.Name] = v.String()
	}
	return out, nil
}

// confidential tells whether what the caller says or presses is nobody's business.
func (s *session) confidential() bool { return s.properties().Bool("com.genesyslab.private") }

// private is what the caller said or pressed as logs and traces may show it.
func (s *session) private(text string) string {
	if s.confidential() {
		return secrecy.Mask
	}
	return text
}

// secret keeps texts that the caller gave in private out of all that is shown
// from now on.
func (s *session) secret(texts ...string) {
	if s.confidential() {
		s.hushed = true
		s.secrets.Add(texts...)
	}
}

// keepSecret does so with a value, and what is in it.
func (s *session) keepSecret(name string, v script.Value) {
	if !s.confidential() {
		return
	}
	s.hushed = true
	for _, f := range s.flatten(nil, field{name: name}, v) {
		s.secret(f.value)
	}
}

// discreet tells the platform whether what the caller does next is private, which it
// returns. Once that was done openly is called with it.
func (s *session) discreet() (hidden bool) {
	d, ok := s.platform.(Discreet)
	if !ok {
		return false
	}
	hidden = s.confidential()
	d.Private(hidden)
	return hidden
}

func (s *session) openly(hidden bool) {
	if hidden {
		s.platform.(Discreet).Private(false)
	}
}

// spend counts a step and notices that the caller has gone.
func (s *session) spend(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.steps++; s.steps > s.in.limits.Steps {
		return s.exhausted("steps without a wait for the caller")
	}
	if s.gone == "" {
		select {
		case <-s.platform.HungUp():
			return s.hungUp()
		default:
		}
	}
	return nil
}

// hungUp notes that the caller is gone. What follows is final processing
// (VoiceXML 2.0 section 1.5.4): it may compute and submit, and ends where it
// would wait for the caller.
func (s *session) hungUp() error {
	s.gone = HungUp
	s.queue.drop()
	out := &Event{Name: "connection.disconnect.hangup", Message: "the caller hung up"}
	if r, ok := s.platform.(Reasoned); ok {
		out.Message = cmp.Or(r.Reason(), out.Message)
	}
	return out
}

// converse runs dialog after dialog until one ends the session or subdialog.
func (s *session) converse(ctx context.Context, move *moved) error {
	for {
		err := s.enter(ctx, move)
		if err == nil {
			err = s.interpret(ctx, move.input)
		}
		next, ok := errors.AsType[*moved](err)
		if !ok {
			return err
		}
		move = next
	}
}

// outcome tells how the session ended. Prompts still queued are played first.
func (s *session) outcome(ctx context.Context, err error) (Outcome, error) {
	out := Outcome{End: Exited, Pages: s.pages, Event: s.last}
	left, exits := errors.AsType[*exited](err)
	_, returns := errors.AsType[*returned](err)
	switch {
	case exits:
		out.End, out.Namelist, out.Result, out.ByPage = left.end, left.Namelist, left.result, left.byPage
	case returns:
		err = &Event{Name: "error.semantic", Message: "<return> outside a subdialog"}
		s.last = asEvent(err)
		out.End, out.Event = Errored, s.last
	case err != nil:
		return out, err
	}
	if s.gone == "" {
		if err := s.flush(ctx); ctx.Err() != nil {
			return out, ctx.Err()
		} else if err != nil && s.gone == "" {
			// No dialog is left to catch it.
			s.log.Warn("the last prompts were not played", "error", err)
			if out.End != Errored {
				s.last = asEvent(err)
				out.End, out.Event = Errored, s.last
			}
		}
	}
	if s.gone != "" && out.End == Exited {
		out.End = s.gone
	}
	if s.returned != nil { // what an <exit> returns later is discarded (RFC 5552 section 4.2)
		out.Namelist, out.Result, out.ByPage = *s.returned, nil, true
	}
	return out, nil
}

// enter makes a page the current one and initializes what is new of it.
func (s *session) enter(ctx context.Context, move *moved) error {
	s.dialog = nil
	if move.keep {
		s.open(move.form)
		return nil
	}
	g := s.stage
	s.pages = append(s.pages, move.page.URL)
	s.trace(TraceEvent{Entered, move.page.URL})
	s.log.Debug("page entered", "url", move.page.URL)
	// A page that is its own root and names itself begins anew; its leaves keep it.
	again := g.page != nil && g.page.URL == move.page.URL && move.page.Application == ""
	sameApp := g.rootPage != nil && g.rootURL() == move.root.URL && !move.fresh && !again
	g.page, g.rootPage, g.set = move.page, move.root, nil
	var err error
	switch {
	case !sameApp:
		if move.root != move.page {
			s.visit(RootEntered, move.root.URL, nil)
		}
		g.app = s.machine.NewScope(s.root, "application")
		g.document = g.app.Alias("document")
		if err = s.forget(); err == nil {
			err = s.initialize(ctx, move.root.Init)
		}
		if err == nil && move.page != move.root {
			err = s.document(ctx, move.page)
		}
	case move.page.Application == "":
		g.document = g.app.Alias("document")
	default:
		err = s.document(ctx, move.page)
	}
	if err == nil {
		g.computed, err = s.compute(ctx, slices.Concat(move.root.Computed, move.page.Computed)...)
		g.set = nil
	}
	if err = s.settle(ctx, err); err != nil {
		return err
	}
	if move.form == nil {
		return &exited{end: Exited}
	}
	s.readAhead(ctx, move.page)
	s.open(move.form)
	return nil
}

func (s *session) document(ctx context.Context, page *doc.Page) error {
	s.stage.document = s.machine.NewScope(s.stage.app, "document")
	return s.initialize(ctx, page.Init)
}

// initialize runs the <var> and <script> elements of a document.
func (s *session) initialize(ctx context.Context, init []doc.Action) error {
	for _, a := range init {
		if err := s.execute(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// facts are the variables of the session scope (VoiceXML 2.0 section 5.1.4). Few pages
// read any, so that each is put together when one does.
type facts struct {
	s    *session
	vars []Variable
}

// Names implements script.Facts.
func (f facts) Names() []string {
	names := []string{"connection"}
	for _, v := range f.vars {
		if first := v.first(); !slices.Contains(names, first) {
			names = append(names, first)
		}
	}
	slices.Sort(names)
	return names
}

// Value implements script.Facts.
func (f facts) Value(name string) (script.Value, error) {
	all := make(map[string]any)
	var about ConnectionInfo
	if name == "connection" {
		about = f.s.platform.Info()
		all[name] = connection(about)
	}
	for _, v := range f.vars {
		if v.first() != name {
			continue
		}
		if err := place(all, v.Name, v.Make()); err != nil {
			return script.Value{}, fmt.Errorf("session variable %q: %w", v.Name, err)
		}
	}
	if c, ok := all[name].(map[string]any); ok && name == "connection" {
		f.s.originate(c, about.Outbound)
	}
	return f.s.machine.Value(all[name]), nil
}

// originate makes the originator the very object that one of the parties is.
func (s *session) originate(connection map[string]any, outbound bool) {
	originator := "remote"
	if outbound {
		originator = "local"
	}
	connection[originator] = s.machine.Value(connection[originator])
	connection["originator"] = connection[originator]
}

func connection(info ConnectionInfo) map[string]any {
	protocol := map[string]any{"name": info.ProtocolName, "version": info.ProtocolVersion}
	if info.ProtocolName != "" && info.Protocol != nil {
		protocol[info.ProtocolName] = info.Protocol
	}
	out := map[string]any{
		"local": map[string]any{"uri": info.LocalURI}, "remote": map[string]any{"uri": info.RemoteURI}, "protocol": protocol,
	}
	if info.AAI != nil {
		out["aai"] = info.AAI
	}
	if info.Redirect != nil {
		out["redirect"] = redirections(info.Redirect)
	}
	maps.Copy(out, info.Members)
	return out
}

func redirections(all []Redirect) []any {
	var out []any
	for _, r := range all {
		entry := map[string]any{"uri": r.URI, "pi": r.PI, "reason": r.Reason}
		if r.SI != "" {
			entry["si"] = r.SI
		}
		out = append(out, entry)
	}
	return out
}

var errTaken = errors.New("a part of the name is a plain value")

// place sets a dotted name in nested maps.
func place(in map[string]any, name string, value any) error {
	first, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		in[first] = value
		return nil
	}
	inner, ok := in[first].(map[string]any)
	if in[first] != nil && !ok {
		return errTaken
	}
	if inner == nil {
		inner = make(map[string]any)
		in[first] = inner
	}
	return place(inner, rest, value)
}
