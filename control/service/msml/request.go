package msml

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"mcp/control/call/voice"
	"mcp/control/media"
	"mcp/control/media/conference"
	"mcp/control/service/msml/doc"
	"mcp/vxml/fetch"
)

// execute carries out the operations of a request in order, up to the first that
// fails (RFC 5707 section 5).
func (p *program) execute(ops []*doc.Node) doc.Result {
	var result doc.Result
	for _, op := range ops {
		if err := p.operate(op, &result); err != nil {
			f := failed(err)
			f.Mark, f.Dialogs, f.Conferences, f.Connections = result.Mark, result.Dialogs, result.Conferences, result.Connections
			return f
		}
		if mark := op.Attr("mark"); mark != "" {
			result.Mark = mark
		}
	}
	result.Code, result.Mark = doc.OK, ""
	return result
}

func (p *program) operate(n *doc.Node, result *doc.Result) error {
	p.call.Log().Info("msml", "operation", n.Name, "target", n.Attr("target")+n.Attr("id")+n.Attr("id1"))
	switch n.Name {
	case "send":
		return p.sendTo(n)
	case "dialogstart":
		return p.dialogStart(n, result)
	case "dialogend":
		return p.dialogEnd(n)
	case "createconference":
		return p.createConference(n, result)
	case "modifyconference":
		return p.modifyConference(n)
	case "destroyconference":
		return p.destroyConference(n)
	case "join", "unjoin", "modifystream":
		return p.connect(n)
	case "createconnection":
		return p.createConnection(n, result)
	case "destroyconnection":
		return p.destroyConnection(n)
	}
	return doc.Faultf(doc.UnsupportedElement, "<%s> is not supported", n.Name)
}

// sendTo is <send> outside dialogs: an event for a dialog or a primitive of it.
func (p *program) sendTo(n *doc.Node) error {
	d, target, err := p.service.hub.dialog(n.Attr("target"))
	if err != nil {
		return err
	}
	d.signal(target, n.Attr("event"))
	return nil
}

func (p *program) dialogEnd(n *doc.Node) error {
	d, _, err := p.service.hub.dialog(n.Attr("id"))
	if err != nil {
		return err
	}
	d.signal("", "terminate")
	return nil
}

// The media types of dialogs.
const (
	moml      = "application/moml+xml"
	vxmlOfOld = "application/vxml+xml" // as RFC 5707 calls it
	vxmlType  = "application/voicexml+xml"
)

func (p *program) dialogStart(n *doc.Node, result *doc.Result) error {
	o, err := p.service.hub.object(n.Attr("target"))
	if err != nil {
		return err
	}
	d := &dialog{name: n.Attr("name"), on: o, client: p}
	if d.name == "" {
		d.name = invented()
	}
	perform, err := d.performance(n)
	if err != nil {
		return err
	}
	if err := d.begin(perform); err != nil {
		return err
	}
	if n.Attr("name") == "" {
		result.Dialogs = append(result.Dialogs, d.id())
	}
	return nil
}

// performance is what a dialog does, by its language.
func (d *dialog) performance(n *doc.Node) (func(context.Context) error, error) {
	src, external := n.Lookup("src")
	switch kind := n.Attr("type"); {
	case kind == vxmlType || kind == vxmlOfOld:
		if d.client.service.parts.Pages == nil || d.on.room != nil {
			return nil, doc.Faultf(doc.UnsupportedLanguage, "VoiceXML does not run on %s", d.on.id)
		}
		return func(ctx context.Context) error { return d.page(ctx, src) }, nil
	case kind != "" && kind != moml:
		return nil, doc.Faultf(doc.UnsupportedLanguage, "dialogs in %s are not supported", kind)
	case external:
		return func(ctx context.Context) error { return d.external(ctx, src) }, nil
	}
	if err := d.precheck(n); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return d.perform(ctx, n.Elements(), nil) }, nil
}

// precheck refuses at once what could not be performed later.
func (d *dialog) precheck(n *doc.Node) (err error) {
	switch n.Name {
	case "collect", "dtmf":
		_, err = compile(n)
	case "tts":
		_, err = d.engine(n, (*voice.Voices).Speaker)
	case "speech":
		if _, err = d.engine(n, (*voice.Voices).Recognizer); err == nil {
			err = precompile(n)
		}
	case "progress":
		err = d.analysable(n)
	}
	if err != nil {
		return err
	}
	for _, c := range n.Elements() {
		if err := d.precheck(c); err != nil {
			return err
		}
	}
	return nil
}

// external performs a dialog that is somewhere else.
func (d *dialog) external(ctx context.Context, src string) error {
	r, err := d.client.service.parts.Fetcher.Get(ctx, fetch.Request{URL: src})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return doc.Faultf(doc.FetchError, "%v", err)
	}
	root, err := doc.ParseDialog(r.Body)
	if err == nil {
		err = d.precheck(root)
	}
	if err != nil {
		return err
	}
	return d.perform(ctx, root.Elements(), nil)
}

// page performs a VoiceXML page. What it exits with goes to the client.
func (d *dialog) page(ctx context.Context, src string) error {
	c := d.on.owner.call
	d.on.owner.voices.Silence()
	back := d.on.keys.lend(c.Caller().Digits())
	defer back()
	program, err := d.client.service.parts.Pages.Open(ctx, c, map[string]string{"voicexml": src})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return doc.Faultf(doc.FetchError, "%v", err)
	}
	d.mu.Lock()
	page := &running{kind: "page", events: make(chan string, 16)}
	d.active = append(d.active, page)
	d.mu.Unlock()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for {
			select {
			case event := <-page.events:
				if event == "terminate" {
					stop()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	ending := program.Run(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if ending.Dialogue != nil {
		for name, value := range ending.Dialogue.Exit {
			d.vars[name] = value
			d.result = append(d.result, name)
		}
		slices.Sort(d.result)
	}
	if ending.Err != nil && ctx.Err() == nil {
		return doc.Faultf(doc.ForeignError, "%v", ending.Err)
	}
	return nil
}

func (p *program) createConference(n *doc.Node, result *doc.Result) error {
	name := n.Attr("name")
	if strings.ContainsAny(name, "*/") {
		return doc.Faultf(doc.InvalidValue, "a conference cannot be called %q", name)
	}
	if name == "" {
		name = invented()
	}
	o, err := p.newRoom(name, n)
	if err != nil {
		return err
	}
	if !p.service.hub.add(o) {
		return errors.Join(doc.Faultf(doc.ConferenceInUse, "conference %s exists", name), o.room.close())
	}
	if n.Attr("name") == "" {
		result.Conferences = append(result.Conferences, o.id)
	}
	return o.steer(n)
}

// conference finds the conference that an element is about.
func (p *program) conference(n *doc.Node) (*object, error) {
	o, err := p.service.hub.object(n.Attr("id"))
	if err == nil && o.room == nil {
		return nil, doc.Faultf(doc.NoSuchObject, "%s is no conference", o.id)
	}
	return o, err
}

func (p *program) modifyConference(n *doc.Node) error {
	o, err := p.service.hub.object(n.Attr("id"))
	if err != nil {
		return err
	}
	if o.room != nil {
		err = o.room.modify(n)
	} else if child(n, "audiomix") != nil {
		err = doc.Faultf(doc.NoSuchObject, "%s is no conference", o.id)
	}
	if err != nil {
		return err
	}
	return o.steer(n)
}

// destroyConference deletes a conference. Its only mixer is that of audio.
func (p *program) destroyConference(n *doc.Node) error {
	o, err := p.conference(n)
	if err != nil {
		return err
	}
	if !p.service.hub.destroy(o) {
		return doc.Faultf(doc.NoSuchObject, "there is no %s", o.id)
	}
	return nil
}

// connect is <join>, <unjoin> and <modifystream>.
func (p *program) connect(n *doc.Node) error {
	a, err := p.service.hub.object(n.Attr("id1"))
	if err != nil {
		return err
	}
	b, err := p.service.hub.object(n.Attr("id2"))
	if err != nil {
		return err
	}
	w := ways(n)
	switch {
	case a == b, a.room != nil && b.room != nil:
		return doc.Faultf(doc.CannotJoin, "%s and %s cannot be joined", a.id, b.id)
	case a.room != nil:
		return p.attend(n, stream{from: b, to: a, forth: w.back, back: w.forth})
	}
	w.from, w.to = a, b
	if b.room != nil {
		return p.attend(n, w)
	}
	return pair(n.Name, w)
}

// stream is what goes from one object to another, or back, or both.
type stream struct {
	from, to    *object
	forth, back bool
}

// ways are the directions that an element is about: from id1 to id2, and back.
func ways(n *doc.Node) (w stream) {
	all := n.Elements()
	if len(all) == 0 {
		return stream{forth: true, back: true}
	}
	for _, s := range all {
		w.forth = w.forth || s.Attr("dir") != "to-id1"
		w.back = w.back || s.Attr("dir") != "from-id1"
	}
	return w
}

// attend lets a connection, from, take part in a conference, to.
func (p *program) attend(n *doc.Node, w stream) error {
	conn, conf, says, hears := w.from, w.to, w.forth, w.back
	c := conf.room.conf
	member, err := c.Member(conn.id)
	there := err == nil
	switch n.Name {
	case "join":
		if !there {
			member = conference.Member{ID: conn.id, Mute: true, Deaf: true}
		}
		member.Mute, member.Deaf = member.Mute && !says, member.Deaf && !hears
	case "unjoin":
		member.Mute, member.Deaf = member.Mute || says, member.Deaf || hears
	}
	if !there && n.Name != "join" {
		return doc.Faultf(doc.NoSuchObject, "%s is not joined to %s", conn.id, conf.id)
	}
	member = properties(n, member)
	if n.Name == "unjoin" && member.Mute && member.Deaf {
		err = c.Leave(conn.id)
		conf.attend(conn.owner.call, false)
		p.service.hub.settle(conf, false)
		return err
	}
	if there {
		return c.Set(member)
	}
	conf.room.met.Store(true)
	conf.attend(conn.owner.call, true)
	err = c.Join(conn.owner.call.Caller(), member)
	if errors.Is(err, media.ErrFed) {
		return doc.Faultf(doc.InputsExceeded, "%s hears somebody else", conn.id)
	}
	return err
}

// properties are those of the streams' gain that concern what the connection says.
func properties(n *doc.Node, m conference.Member) conference.Member {
	for _, s := range n.Elements() {
		if preferred, given := s.Lookup("preferred"); given {
			m.Preferred = preferred == "true" || preferred == "1"
		}
		g := child(s, "gain")
		if g == nil {
			continue
		}
		switch amount := g.Attr("amt"); amount {
		case "mute":
			m.Mute = true
		case "unmute":
			m.Mute = false
		case "":
		default:
			db, _ := strconv.Atoi(amount) // its form was checked
			m.Gain = float64(db)
		}
	}
	return m
}

// pair joins or parts two connections.
func pair(how string, w stream) error {
	a, b := w.from, w.to
	switch how {
	case "modifystream":
		return doc.Faultf(doc.UnsupportedElement, "streams between connections have no properties")
	case "unjoin":
		parted := false
		if w.forth {
			parted = b.unlink(a.id)
		}
		if w.back {
			parted = a.unlink(b.id) || parted
		}
		if !parted {
			return doc.Faultf(doc.NoSuchObject, "%s and %s are not joined", a.id, b.id)
		}
		return nil
	}
	if w.forth {
		if err := b.link(a); err != nil {
			return err
		}
	}
	if w.back {
		return a.link(b)
	}
	return nil
}

// link lets a connection hear another.
func (o *object) link(from *object) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || o.links[from.id] != nil {
		return nil
	}
	l, err := from.owner.call.Caller().Link(o.owner.call.Caller())
	if errors.Is(err, media.ErrFed) {
		return doc.Faultf(doc.InputsExceeded, "%s hears somebody else", o.id)
	}
	if err == nil {
		o.links[from.id] = l
	}
	return err
}
