package msml

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"mcp/control/media/conference"
	"mcp/control/service/msml/doc"
)

// room is a conference as MSML knows it (RFC 5707 section 8).
type room struct {
	conf *conference.Conference
	when string // it is to be deleted: nomedia, nocontrol or never
	term bool   // its members are hung up then
	met  atomic.Bool

	speakers chan conference.Talk
	interval atomic.Int64 // between reports of active speakers; 0: none
	watched  bool         // the mixer tells who speaks
	done     chan struct{}
}

func (r *room) members() []string { return r.conf.Members() }

// joined tells whether anybody ever was in the room.
func (r *room) joined() bool { return r.met.Load() }

func (r *room) leave(id string) error { return r.conf.Leave(id) }

func (r *room) close() error {
	close(r.done)
	return r.conf.Close()
}

// newRoom opens a conference and watches who speaks.
func (p *program) newRoom(name string, n *doc.Node) (*object, error) {
	bridge := p.service.parts.Conferences
	if bridge == nil {
		return nil, doc.Faultf(doc.NoResource, "there are no conferences here")
	}
	r := &room{
		when: n.Attr("deletewhen"), term: doc.BoolOf(n, "term", true),
		speakers: make(chan conference.Talk, 64), done: make(chan struct{}),
	}
	if r.when == "" {
		r.when = "nomedia"
	}
	var err error
	r.report(n)
	options := conference.Options{Loudest: loudest(n)}
	if r.interval.Load() > 0 {
		options.Notify, r.watched = r.notify, true
	}
	r.conf, err = bridge.Open(name, options)
	if errors.Is(err, conference.ErrExists) {
		return nil, doc.Faultf(doc.ConferenceInUse, "conference %s exists", name)
	}
	if err != nil {
		return nil, err
	}
	o := &object{
		id: "conf:" + name, owner: p, room: r, dialogs: map[string]*dialog{},
		stage: hall{r.conf, p.call.Media().Clock()},
	}
	p.service.hub.watching.Go(o.watch)
	return o, nil
}

// loudest is how many speakers an <audiomix> mixes; 0: all.
func loudest(n *doc.Node) int {
	if mix := child(n, "audiomix"); mix != nil {
		if c := child(mix, "n-loudest"); c != nil {
			most, _ := strconv.Atoi(c.Attr("n")) // its form was checked
			return most
		}
	}
	return 0
}

// modify changes the mix.
func (r *room) modify(n *doc.Node) error {
	mix := child(n, "audiomix")
	if mix == nil {
		return nil
	}
	if child(mix, "asn") != nil && !r.watched {
		return doc.Faultf(doc.UnsupportedAttribute, "speakers are watched from a conference's beginning only")
	}
	if child(mix, "n-loudest") != nil {
		r.conf.SetLoudest(loudest(n))
	}
	r.report(n)
	return nil
}

// report sets how often active speakers are told.
func (r *room) report(n *doc.Node) {
	if mix := child(n, "audiomix"); mix != nil {
		if c := child(mix, "asn"); c != nil {
			r.interval.Store(int64(doc.TimeOf(c, "ri", 0)))
		}
	}
}

// notify is told of speakers by the mixer, and must not block.
func (r *room) notify(t conference.Talk) {
	select {
	case r.speakers <- t:
	default:
	}
}

// watch tells the client who speaks, no more often than it wants, until the room is
// closed.
func (o *object) watch() {
	var due <-chan time.Time
	var last time.Time
	for {
		select {
		case <-o.room.speakers:
			interval := time.Duration(o.room.interval.Load())
			if interval > 0 && due == nil {
				due = time.After(max(0, interval-time.Since(last)))
			}
		case <-due:
			due, last = nil, time.Now()
			o.owner.tell(doc.Event{Name: "msml.conf.asn", ID: o.id, Items: o.room.talking()})
		case <-o.room.done:
			return
		}
	}
}

func (r *room) talking() (items []doc.Item) {
	for _, t := range r.conf.Talkers() {
		items = append(items, doc.Item{Name: "speaker", Value: t.Member})
	}
	return items
}
