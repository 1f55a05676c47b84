package vxml

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html/charset"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/near"
	"mcp/vxml/script"
	"mcp/vxml/ssml"
)

// block runs executable content in an anonymous scope of its own.
func (s *session) block(ctx context.Context, body []doc.Action) error {
	return s.anonymously(nil, func() error { return s.all(ctx, body) })
}

func (s *session) all(ctx context.Context, body []doc.Action) error {
	for _, a := range body {
		if err := s.spend(ctx); err != nil {
			return err
		}
		if err := s.execute(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// execute carries out one piece of executable content.
func (s *session) execute(ctx context.Context, a doc.Action) error {
	switch a := a.(type) {
	case *doc.Var:
		return s.declare(ctx, a)
	case *doc.Assign:
		return s.assign(ctx, a)
	case *doc.Script:
		return s.runScript(ctx, a)
	case *doc.Say:
		return s.say(ctx, a.Prompt)
	case *doc.If:
		return s.branch(ctx, a)
	case *doc.Foreach:
		return s.foreach(ctx, a)
	case *doc.Log:
		return s.logged(ctx, a)
	case *doc.Clear:
		return s.clear(ctx, a)
	case *doc.Reprompt:
		s.dialog.reprompt = true
		return nil
	case *doc.Throw:
		return s.throw(ctx, a)
	case *doc.Goto:
		return s.transit(ctx, &a.Transition)
	case *doc.GotoItem:
		return s.jump(ctx, a)
	case *doc.Exit:
		return s.exit(ctx, a)
	case *doc.Disconnect:
		return s.disconnect(ctx, a)
	case *doc.Return:
		return s.giveBack(ctx, a)
	case *doc.Data:
		return s.data(ctx, a)
	case *doc.Send:
		return s.send(ctx, a)
	case *doc.Receive:
		return s.receive(ctx, a)
	}
	return unsupported(a.At())
}

func (s *session) declare(ctx context.Context, a *doc.Var) error {
	if !script.IsName(a.Name) {
		return semantic(ctx, a.Pos, errors.New("not the name of a variable: "+a.Name))
	}
	v := s.scope().Get(a.Name) // without expr it keeps what it has, if anything (VoiceXML 2.0 section 5.3.1)
	if a.Expr != "" {
		var err error
		if v, err = s.eval(ctx, a.Pos, a.Expr); err != nil {
			return err
		}
	}
	return semantic(ctx, a.Pos, s.scope().Declare(a.Name, v))
}

func (s *session) assign(ctx context.Context, a *doc.Assign) error {
	v, err := s.eval(ctx, a.Pos, a.Expr)
	if err != nil {
		return err
	}
	return semantic(ctx, a.Pos, s.scope().Assign(ctx, a.Name, v))
}

func (s *session) runScript(ctx context.Context, a *doc.Script) error {
	text, name := a.Text, ""
	if a.Src != "" || a.Expr != "" {
		ref := a.Src
		if a.Expr != "" {
			var err error
			if ref, err = s.address(ctx, a.Pos, a.Expr); err != nil {
				return err
			}
		}
		r, err := s.fetch(ctx, a.Pos, ref, fetchOf{a.Fetch, "script"})
		if err != nil {
			return err
		}
		if text, err = decode(r, a.Charset); err != nil {
			return &Event{Name: "error.badfetch", Message: a.String() + ": " + err.Error()}
		}
		name = r.URL
	}
	return misrun(ctx, a.Pos, name, s.scope().Run(ctx, script.Source{Text: text, Name: name}))
}

// misrun is the event of a script that failed: it names the line in the page, or that in
// the script's own document.
func misrun(ctx context.Context, pos doc.Pos, url string, err error) error {
	wrong, ok := errors.AsType[*script.Error](err)
	switch {
	case !ok || wrong.Line == 0:
	case url == "":
		pos.Line += wrong.Line - 1
	default:
		err = fmt.Errorf("%s:%d: %w", url, wrong.Line, err)
	}
	return semantic(ctx, pos, err)
}

// decode converts a script to UTF-8: by the charset that the server states, or
// else the page (VoiceXML 2.0 section 5.3.12).
func decode(r *fetch.Resource, label string) (string, error) {
	if _, stated, ok := strings.Cut(strings.ToLower(r.MediaType), "charset="); ok {
		label = strings.Trim(stated, `" ;`)
	}
	if label == "" {
		return strings.ToValidUTF8(string(r.Body), "\uFFFD"), nil
	}
	encoding, _ := charset.Lookup(label)
	if encoding == nil {
		return "", errors.New("unknown charset " + label)
	}
	b, err := encoding.NewDecoder().Bytes(r.Body)
	return string(b), err
}

// fetch gets what an element refers to.
func (s *session) fetch(ctx context.Context, pos doc.Pos, ref string, f fetchOf) (*fetch.Resource, error) {
	req, err := s.reference(pos, ref, f)
	if err != nil {
		return nil, err
	}
	return s.get(ctx, req)
}

// reference is how what an element refers to is fetched.
func (s *session) reference(pos doc.Pos, ref string, f fetchOf) (fetch.Request, error) {
	absolute, _, err := s.in.library.resolve(s.base(pos), ref)
	if err != nil {
		return fetch.Request{}, &Event{Name: "error.badfetch", Message: pos.String() + ": " + err.Error()}
	}
	return s.fetching(absolute, f), nil
}

func (s *session) branch(ctx context.Context, a *doc.If) error {
	for _, b := range a.Branches {
		ok, err := b.Else, error(nil)
		if !ok {
			ok, err = s.holds(ctx, b.Pos, b.Cond)
		}
		if err != nil {
			return err
		}
		if ok {
			return s.all(ctx, b.Body)
		}
	}
	return nil
}

func (s *session) foreach(ctx context.Context, a *doc.Foreach) error {
	return s.iterate(ctx, a.Pos, a.Array, a.Item, func() error { return s.all(ctx, a.Body) })
}

// iterate runs body with item set to each element of a shallow copy of the
// array (VoiceXML 2.1 section 6).
func (s *session) iterate(ctx context.Context, pos doc.Pos, array, item string, body func() error) error {
	v, err := s.eval(ctx, pos, "("+array+").slice(0)")
	if err != nil {
		return err
	}
	if !v.IsObject() { // a text has parts as well
		return semantic(ctx, pos, errors.New("not an array: "+array))
	}
	return v.Each(func(e script.Value) error {
		if err := s.spend(ctx); err != nil {
			return err
		}
		if err := s.scope().Declare(item, e); err != nil {
			return semantic(ctx, pos, err)
		}
		return body()
	})
}

func (s *session) logged(ctx context.Context, a *doc.Log) error {
	segments, err := ssml.Render(ctx, ssml.Prompt{Content: a.Content}, &promptEnv{s, &a.Pos})
	if err != nil {
		return err
	}
	var parts []string
	for _, seg := range segments {
		parts = append(parts, seg.Text)
	}
	if a.Expr != "" {
		v, err := s.eval(ctx, a.Pos, a.Expr)
		if err != nil {
			return err
		}
		parts = append(parts, v.String())
	}
	text := strings.Join(parts, " ")
	s.log.Info("page log", "label", a.Label, "dest", a.Dest, "text", text, "page", a.URL, "line", a.Line)
	s.trace(TraceEvent{Logged, strings.TrimSpace(a.Label + " " + text)})
	if l, ok := s.platform.(PageLogger); ok {
		l.PageLog(PageLog{Label: a.Label, Dest: a.Dest, Text: text})
	}
	return nil
}

// texts evaluates expressions that may stand instead of texts.
func (s *session) texts(ctx context.Context, pos doc.Pos, parts map[*string]string) error {
	for to, expr := range parts {
		if expr == "" {
			continue
		}
		v, err := s.eval(ctx, pos, expr)
		if err != nil {
			return err
		}
		*to = v.String()
	}
	return nil
}

// send is <gvp:send>.
func (s *session) send(ctx context.Context, a *doc.Send) error {
	messenger, ok := s.platform.(Messenger)
	if !ok {
		return unsupported(a.Pos)
	}
	m := Message{ContentType: a.ContentType, Content: a.Body, Async: a.Async}
	if err := s.texts(ctx, a.Pos, map[*string]string{&m.ContentType: a.ContentTypeExpr, &m.Content: a.BodyExpr}); err != nil {
		return err
	}
	if len(a.Namelist) > 0 {
		values, err := s.fields(ctx, a.Pos, a.Namelist)
		if err != nil {
			return err
		}
		m.Content = encode(values)
		if m.ContentType == "" {
			m.ContentType = "application/x-www-form-urlencoded;charset=utf-8"
		}
	}
	if m.ContentType == "" {
		m.ContentType = "text/plain;charset=utf-8"
	}
	return messenger.Send(ctx, m)
}

// receive is <gvp:receive>: what is queued is played, and then a message is
// waited for. What came before counts where the page has it queued.
func (s *session) receive(ctx context.Context, a *doc.Receive) error {
	messenger, ok := s.platform.(Messenger)
	if !ok {
		return unsupported(a.Pos)
	}
	longest := a.MaxTime
	if err := s.texts(ctx, a.Pos, map[*string]string{&longest: a.MaxTimeExpr}); err != nil {
		return err
	}
	if s.gone != "" {
		return &exited{end: s.gone}
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	if !s.properties().Bool("com.genesyslab.externalevents.queue") {
		for len(messenger.Messages()) > 0 {
			<-messenger.Messages()
		}
	}
	timer := s.clock.NewTimer()
	defer timer.Stop()
	timer.Reset(duration(longest, receiveMaxTime))
	if len(messenger.Messages()) == 0 {
		s.trace(TraceEvent{Waiting, "message"})
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.platform.HungUp():
		return s.hungUp()
	case m := <-messenger.Messages():
		s.waited()
		return s.received(m)
	case <-timer.C():
		return s.stage.app.Declare("lastmessage$", script.Value{})
	}
}

// receiveMaxTime is how long a message is waited for where the page does not say.
const receiveMaxTime = 10 * time.Second

// received sets application.lastmessage$.
func (s *session) received(m *Message) error {
	return s.stage.app.Declare("lastmessage$", s.machine.Value(map[string]any{
		"content": m.Content, "contenttype": m.ContentType, "sourcetype": m.SourceType,
	}))
}

// clear resets variables; a form item's counters too.
func (s *session) clear(ctx context.Context, a *doc.Clear) error {
	names := a.Namelist
	if len(names) == 0 {
		for _, item := range s.dialog.form.Items {
			names = append(names, item.Base().Name)
		}
	}
	for _, name := range names {
		if own, ok := strings.CutPrefix(name, "dialog."); ok && s.dialog.named(own) != nil {
			name = own
		}
		if s.dialog.named(name) == nil && len(a.Namelist) > 0 {
			if err := s.scope().Assign(ctx, name, script.Value{}); err != nil {
				return semantic(ctx, a.Pos, err)
			}
			continue
		}
		s.dialog.asked.forget(name)
		s.dialog.thrown.forget(name)
		if err := s.dialog.scope.Declare(name, script.Value{}); err != nil {
			return semantic(ctx, a.Pos, err)
		}
	}
	return nil
}

// named returns the form item of that name, or nil.
func (d *dialog) named(name string) doc.Item {
	i := slices.IndexFunc(d.form.Items, func(item doc.Item) bool { return item.Base().Name == name })
	if i < 0 {
		return nil
	}
	return d.form.Items[i]
}

func (s *session) jump(ctx context.Context, a *doc.GotoItem) error {
	name := a.Name
	if a.Expr != "" {
		v, err := s.eval(ctx, a.Pos, a.Expr)
		if err != nil {
			return err
		}
		name = v.String()
	}
	if s.dialog.named(name) == nil {
		return &Event{Name: "error.badfetch", Message: a.String() + ": the form has no item " + strconv.Quote(name) + near.Hint(name, s.dialog.form.ItemNames())}
	}
	return &jumped{name}
}

// values evaluates a namelist.
func (s *session) namelist(ctx context.Context, pos doc.Pos, names []string) (map[string]script.Value, error) {
	out := make(map[string]script.Value)
	for _, name := range names {
		v, err := s.eval(ctx, pos, name)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// returns evaluates a namelist for those outside.
func (s *session) returns(ctx context.Context, pos doc.Pos, names []string) (Namelist, error) {
	if len(names) == 0 {
		return Namelist{}, nil
	}
	values, err := s.namelist(ctx, pos, names)
	if err != nil {
		return Namelist{}, err
	}
	out := Namelist{Names: names, Values: make(map[string]any)}
	for name, v := range values {
		out.Values[name] = v.Export()
	}
	return out, nil
}

func (s *session) exit(ctx context.Context, a *doc.Exit) error {
	values, err := s.returns(ctx, a.Pos, a.Namelist)
	if err != nil {
		return err
	}
	out := &exited{end: Exited, Namelist: values, byPage: true}
	if a.Expr != "" {
		v, err := s.eval(ctx, a.Pos, a.Expr)
		if err != nil {
			return err
		}
		out.result = v.Export()
	}
	return out
}

// disconnect plays what is queued, hangs up, and throws the event that lets
// handlers do their final processing (VoiceXML 2.0 section 5.3.11).
func (s *session) disconnect(ctx context.Context, a *doc.Disconnect) error {
	values, err := s.returns(ctx, a.Pos, a.Namelist)
	if err != nil {
		return err
	}
	if s.gone == "" {
		if err := s.flush(ctx); err != nil {
			return err
		}
		if err := s.platform.Disconnect(ctx, values); err != nil {
			s.log.Warn("disconnect failed", "error", err)
		}
		s.gone, s.returned = Disconnected, &values
	}
	return &Event{Name: "connection.disconnect.hangup", Message: "disconnected by the application"}
}
