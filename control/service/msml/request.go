package msml

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"mcp/control/media"
	"mcp/control/media/conference"
	"mcp/control/service/msml/doc"
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
	d.Signal(target, n.Attr("event"))
	return nil
}

func (p *program) dialogEnd(n *doc.Node) error {
	d, _, err := p.service.hub.dialog(n.Attr("id"))
	if err != nil {
		return err
	}
	d.Signal("", "terminate")
	return nil
}

func (p *program) dialogStart(n *doc.Node, result *doc.Result) error {
	o, err := p.service.hub.object(n.Attr("target"))
	if err != nil {
		return err
	}
	name := cmp.Or(n.Attr("name"), invented())
	d, err := o.Start(p.service.dialogs(), p.agent, name, n)
	if err == nil && n.Attr("name") == "" {
		result.Dialogs = append(result.Dialogs, d.ID())
	}
	return err
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
		result.Conferences = append(result.Conferences, o.ID)
	}
	return o.steer(n)
}

// conference finds the conference that an element is about.
func (p *program) conference(n *doc.Node) (*object, error) {
	o, err := p.service.hub.object(n.Attr("id"))
	if err == nil && o.room == nil {
		return nil, doc.Faultf(doc.NoSuchObject, "%s is no conference", o.ID)
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
	} else if doc.Child(n, "audiomix") != nil {
		err = doc.Faultf(doc.NoSuchObject, "%s is no conference", o.ID)
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
		return doc.Faultf(doc.NoSuchObject, "there is no %s", o.ID)
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
		return doc.Faultf(doc.CannotJoin, "%s and %s cannot be joined", a.ID, b.ID)
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
	member, err := c.Member(conn.ID)
	there := err == nil
	switch n.Name {
	case "join":
		if !there {
			member = conference.Member{ID: conn.ID, Mute: true, Deaf: true}
		}
		member.Mute, member.Deaf = member.Mute && !says, member.Deaf && !hears
	case "unjoin":
		member.Mute, member.Deaf = member.Mute || says, member.Deaf || hears
	}
	if !there && n.Name != "join" {
		return doc.Faultf(doc.NoSuchObject, "%s is not joined to %s", conn.ID, conf.ID)
	}
	member = properties(n, member)
	if n.Name == "unjoin" && member.Mute && member.Deaf {
		err = c.Leave(conn.ID)
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
		return doc.Faultf(doc.InputsExceeded, "%s hears somebody else", conn.ID)
	}
	return err
}

// properties are those of the streams' gain that concern what the connection says.
func properties(n *doc.Node, m conference.Member) conference.Member {
	for _, s := range n.Elements() {
		if preferred, given := s.Lookup("preferred"); given {
			m.Preferred = preferred == "true" || preferred == "1"
		}
		g := doc.Child(s, "gain")
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
			parted = b.unlink(a.ID)
		}
		if w.back {
			parted = a.unlink(b.ID) || parted
		}
		if !parted {
			return doc.Faultf(doc.NoSuchObject, "%s and %s are not joined", a.ID, b.ID)
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
	if o.over || o.links[from.ID] != nil {
		return nil
	}
	l, err := from.owner.call.Caller().Link(o.owner.call.Caller())
	if errors.Is(err, media.ErrFed) {
		return doc.Faultf(doc.InputsExceeded, "%s hears somebody else", o.ID)
	}
	if err == nil {
		o.links[from.ID] = l
	}
	return err
}
