package vxml

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/near"
	"mcp/vxml/property"
	"mcp/vxml/script"
)

// Departures leave executable content early. They are errors only in that they
// travel as one.

// moved goes to a dialog of a loaded page.
type moved struct {
	page  *doc.Page
	root  *doc.Page // the application root; page itself when it names none
	form  *doc.Form // nil: the page has no dialog
	keep  bool      // stays within the document: its variables live on
	fresh bool      // the application's variables start anew, too
	input *input    // what the caller said that led there, for the dialog to use
}

// jumped goes to a form item of the same form.
type jumped struct{ item string }

// exited ends the session.
type exited struct {
	end End
	Namelist
	result any
	byPage bool
}

// returned ends a subdialog.
type returned struct {
	event  *Event
	values map[string]script.Value
}

func (*moved) Error() string    { return "moved to another dialog" }
func (*jumped) Error() string   { return "jumped to another form item" }
func (*exited) Error() string   { return "exited" }
func (*returned) Error() string { return "returned from the subdialog" }

// request is a transition with its expressions evaluated.
func (s *session) request(ctx context.Context, t *doc.Transition) (fetch.Request, string, error) {
	target := t.Next
	if t.Expr != "" {
		var err error
		if target, err = s.address(ctx, t.Pos, t.Expr); err != nil {
			return fetch.Request{}, "", err
		}
	}
	values, err := s.fields(ctx, t.Pos, t.Namelist)
	if err != nil {
		return fetch.Request{}, "", err
	}
	base := s.base(t.Pos)
	if strings.HasPrefix(target, "#") && len(values) == 0 {
		if base = s.origin(t.Pos); base == s.stage.page.URL {
			return fetch.Request{}, target[1:], nil
		}
	}
	absolute, fragment, err := s.in.library.resolve(base, target)
	if err != nil {
		return fetch.Request{}, "", &Event{Name: "error.badfetch", Message: err.Error()}
	}
	req := s.fetching(absolute, fetchOf{t.Fetch, resource(t)})
	if err := submit(&req, t, values); err != nil {
		return req, "", err
	}
	return req, fragment, nil
}

// address evaluates an expression that is to be a URI.
func (s *session) address(ctx context.Context, pos doc.Pos, expr string) (string, error) {
	v, err := s.eval(ctx, pos, expr)
	if err == nil && (v.Undefined() || v.Null()) {
		err = semantic(ctx, pos, errors.New(expr+" is no URI but "+v.String()))
	}
	return v.String(), err
}

// resource is the kind of what a transition leads to.
func resource(t *doc.Transition) string {
	if t.Element == "data" {
		return "data"
	}
	return "document"
}

// submit makes the request carry values.
func submit(req *fetch.Request, t *doc.Transition, values []field) (err error) {
	switch {
	case t.Post && t.Multipart:
		req.Method = http.MethodPost
		req.ContentType, req.Body, err = form(values)
	case t.Post:
		req.Method, req.ContentType = http.MethodPost, "application/x-www-form-urlencoded"
		req.Body = []byte(encode(values))
	case len(values) > 0:
		separator := "?"
		if strings.Contains(req.URL, "?") {
			separator = "&"
		}
		req.URL += separator + encode(values)
	}
	return err
}

// fetchOf is the attributes of fetching a kind of resource: audio, data,
// document, grammar, object or script.
type fetchOf struct {
	doc.Fetch
	kind string
}

// fetching is a GET request with the attributes of fetching, or where the page
// does not give them, the properties.
func (s *session) fetching(absolute string, f fetchOf) fetch.Request {
	set := s.properties()
	if f.MaxAge == "" {
		f.MaxAge = set.Get(f.kind + "maxage")
	}
	if f.MaxStale == "" {
		f.MaxStale = set.Get(f.kind + "maxstale")
	}
	req := fetch.Request{URL: absolute, Jar: &s.jar, Witness: s.fetched, Timeout: set.Duration("fetchtimeout")}
	if d, err := property.ParseDuration(f.Timeout); err == nil {
		req.Timeout = d
	}
	req.MaxAge = seconds(f.MaxAge)
	if age := seconds(f.MaxStale); age != nil {
		req.MaxStale = *age
	}
	return req
}

// seconds is a number of them, and nil where there is none: most elements do not give it.
func seconds(text string) *time.Duration {
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return nil
	}
	d := time.Duration(n) * time.Second
	return &d
}

// transit is <goto>, <submit> and a link or choice: it loads the document, so
// that what is wrong with it is thrown where the caller still is, and departs.
func (s *session) transit(ctx context.Context, t *doc.Transition) error {
	if t.Submit && len(t.Namelist) == 0 && s.dialog != nil {
		all := *t
		all.Namelist = s.dialog.inputs(true)
		t = &all
	}
	req, fragment, err := s.request(ctx, t)
	if err != nil {
		return err
	}
	if req.URL == "" {
		s.step(Leaving, "#"+fragment)
		return s.within(t.Pos, fragment)
	}
	s.visit(Leaving, req.URL, nil)
	move, err := s.loadWithMusic(ctx, t, req, fragment)
	if err != nil {
		return err
	}
	move.fresh = t.Submit && move.page.Application == ""
	return move
}

// loadWithMusic loads a document, and plays fetchaudio meanwhile.
func (s *session) loadWithMusic(ctx context.Context, t *doc.Transition, req fetch.Request, fragment string) (move *moved, err error) {
	err = s.whileMusicPlays(ctx, t, func() (err error) {
		move, err = s.load(ctx, t.Pos, req, fragment)
		return err
	})
	return move, err
}

// within departs to a dialog of the same document.
func (s *session) within(from doc.Pos, id string) error {
	form := s.stage.page.Dialog(id)
	if form == nil {
		return noDialog(from, s.stage.page, id)
	}
	return &moved{page: s.stage.page, root: s.stage.rootPage, form: form, keep: true}
}

// noDialog is the event of a fragment that leads to no dialog of a page.
func noDialog(from doc.Pos, page *doc.Page, id string) error {
	text := page.URL + " has no dialog " + strconv.Quote(id) + near.Hint(id, page.DialogNames())
	if from.URL != "" {
		text = from.String() + ": " + text
	}
	return &Event{Name: "error.badfetch", Message: text}
}

// page fetches and compiles a document.
func (s *session) page(ctx context.Context, req fetch.Request) (*doc.Page, error) {
	r, err := s.get(ctx, req)
	if err != nil {
		return nil, err
	}
	page, err := s.in.library.compiled(r)
	if err == nil {
		s.visit(Compiled, page.URL, nil)
	}
	return page, err
}

// get fetches a resource.
func (s *session) get(ctx context.Context, req fetch.Request) (*fetch.Resource, error) {
	s.visit(Fetching, req.URL, nil)
	r, err := s.in.library.get(ctx, req)
	s.visit(Fetched, req.URL, err)
	return r, err
}

// load fetches a document and its application root. From is the element that
// leads there, nothing for the first page.
func (s *session) load(ctx context.Context, from doc.Pos, req fetch.Request, fragment string) (*moved, error) {
	if s.fetches++; s.fetches > s.in.limits.Fetches {
		return nil, s.exhausted("documents entered without a wait for the caller")
	}
	req.Jar, req.Witness = &s.jar, s.fetched
	page, err := s.page(ctx, req)
	if err != nil {
		return nil, err
	}
	move := &moved{page: page, root: page, form: page.Dialog(fragment)}
	if fragment != "" && move.form == nil {
		return nil, noDialog(from, page, fragment)
	}
	if page.Application == "" {
		return move, nil
	}
	if s.stage.rootPage != nil && s.stage.rootURL() == page.Application {
		move.root = s.stage.rootPage
		return move, nil
	}
	move.root, err = s.page(ctx, s.fetching(page.Application, fetchOf{kind: "document"}))
	if err != nil {
		return nil, err
	}
	if move.root.Application != "" {
		return nil, &Event{Name: "error.semantic", Message: page.Application + ": an application root has an application root itself"}
	}
	return move, nil
}

// exhausted ends a session that runs in circles. It is no event, for a page
// could catch that and go on.
func (s *session) exhausted(what string) error {
	s.last = &Event{Name: "error.noresource", Message: s.stage.url() + ": too many " + what}
	s.log.Error("session ended: it runs in circles", "reason", s.last.Message, "page", s.stage.url())
	return &exited{end: Errored}
}

// throw evaluates and throws.
func (s *session) throw(ctx context.Context, t *doc.Throw) error {
	event, err := s.event(ctx, t)
	if err != nil {
		return err
	}
	return event
}

// event evaluates <throw> and its kin.
func (s *session) event(ctx context.Context, t *doc.Throw) (*Event, error) {
	out := &Event{Name: t.Event, Message: t.Message}
	for _, part := range []struct {
		expr string
		to   *string
	}{{t.EventExpr, &out.Name}, {t.MessageExpr, &out.Message}} {
		if part.expr == "" {
			continue
		}
		v, err := s.eval(ctx, t.Pos, part.expr)
		if err != nil {
			return nil, err
		}
		*part.to = v.String()
	}
	return out, nil
}

// follow goes where a link or choice leads.
func (s *session) follow(ctx context.Context, t doc.Target) error {
	if t.Throw != nil {
		return s.throw(ctx, t.Throw)
	}
	return s.transit(ctx, t.Goto)
}

// asEvent is the event in err, or nil.
func asEvent(err error) *Event {
	if err == nil {
		return nil
	}
	e, _ := errors.AsType[*Event](err)
	return e
}

// subdialog runs a dialog in an execution context of its own and returns its
// values as one object (VoiceXML 2.0 section 2.3.4).
func (s *session) subdialog(ctx context.Context, item *doc.Subdialog) (script.Value, error) {
	if s.nesting == s.in.limits.Subdialogs {
		return script.Value{}, s.exhausted("subdialogs within each other")
	}
	params, err := s.params(ctx, item)
	if err != nil {
		return script.Value{}, err
	}
	move, err := s.callee(ctx, item)
	if err != nil {
		return script.Value{}, err
	}
	caller, dialog := s.stage, s.dialog
	s.stage = &stage{params: params}
	s.nesting++
	s.step(Called, item.Name)
	err = s.converse(ctx, move)
	s.step(Returned, item.Name)
	s.nesting--
	s.stage, s.dialog = caller, dialog
	return s.given(err)
}

// given is what a subdialog came back with. One that runs out of items exits
// the session, as any dialog does.
func (s *session) given(err error) (script.Value, error) {
	back, ok := errors.AsType[*returned](err)
	if !ok {
		return script.Value{}, err
	}
	if back.event != nil {
		return script.Value{}, back.event
	}
	object := s.machine.Object()
	for name, v := range back.values {
		if err := object.Set(name, v); err != nil {
			return script.Value{}, err
		}
	}
	return object, nil
}

func (s *session) params(ctx context.Context, item *doc.Subdialog) (map[string]script.Value, error) {
	params := make(map[string]script.Value)
	for _, p := range item.Params {
		v, err := s.param(ctx, p)
		if err != nil {
			return nil, err
		}
		params[p.Name] = v
	}
	return params, nil
}

// callee loads the subdialog's document, or finds it in the calling one.
func (s *session) callee(ctx context.Context, item *doc.Subdialog) (*moved, error) {
	req, fragment, err := s.request(ctx, &item.Call)
	if err != nil {
		return nil, err
	}
	if req.URL != "" {
		return s.loadWithMusic(ctx, &item.Call, req, fragment)
	}
	form := s.stage.page.Dialog(fragment)
	if form == nil {
		return nil, noDialog(item.Pos, s.stage.page, fragment)
	}
	return &moved{page: s.stage.page, root: s.stage.rootPage, form: form}, nil
}

// giveBack is <return>.
func (s *session) giveBack(ctx context.Context, a *doc.Return) error {
	if s.nesting == 0 {
		return &Event{Name: "error.semantic", Message: a.String() + " is not in a subdialog"}
	}
	if a.Throw != nil {
		event, err := s.event(ctx, a.Throw)
		if err != nil {
			return err
		}
		return &returned{event: event}
	}
	values, err := s.namelist(ctx, a.Pos, a.Namelist)
	if err != nil {
		return err
	}
	return &returned{values: values}
}
