package msml

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/conference"
	"mcp/control/service/msml/dialog"
	"mcp/control/service/msml/doc"
)

// room is a conference as MSML knows it (RFC 5707 section 8).
type room struct {
	conf *conference.Conference
	when string // it is to be deleted: nomedia, nocontrol or never
	term bool   // its members are hung up then
	met  atomic.Bool

	speakers  chan conference.Talk
	interval  atomic.Int64 // between reports of active speakers; 0: none
	threshold atomic.Int64 // of them, dBm0
	watched   bool         // the mixer tells who speaks
	done      chan struct{}
}

// quietest is the threshold of active speakers where a client does not say, and fullScale
// the level of the loudest tone (ITU-T G.711), both in dBm0.
const (
	quietest  = -96
	fullScale = 3.14
)

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
	options := conference.Options{Loudest: loudest(n), Wideband: wideband(n)}
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
	o := &object{owner: p, room: r, Place: &dialog.Place{
		ID: "conf:" + name, Stage: dialog.Conference(r.conf, p.call.Media().Clock()), Trail: p.call.Trail(),
	}}
	p.service.hub.watching.Go(o.watch)
	return o, nil
}

// loudest is how many speakers an <audiomix> mixes; 0: all.
func loudest(n *doc.Node) int {
	if mix := doc.Child(n, "audiomix"); mix != nil {
		if c := doc.Child(mix, "n-loudest"); c != nil {
			most, _ := strconv.Atoi(c.Attr("n")) // its form was checked
			return most
		}
	}
	return 0
}

// wideband tells whether an <audiomix> is to be of 16 kHz.
func wideband(n *doc.Node) bool {
	mix := doc.Child(n, "audiomix")
	return mix != nil && mix.Attr("samplerate") == "16000"
}

// modify changes the mix.
func (r *room) modify(n *doc.Node) error {
	mix := doc.Child(n, "audiomix")
	if mix == nil {
		return nil
	}
	if doc.Child(mix, "asn") != nil && !r.watched {
		return doc.Faultf(doc.UnsupportedAttribute, "speakers are watched from a conference's beginning only")
	}
	if _, given := mix.Lookup("samplerate"); given && wideband(n) != (r.conf.Rate() == codec.Wideband) {
		return doc.Faultf(doc.UnsupportedAttribute, "a conference keeps its sample rate")
	}
	if doc.Child(mix, "n-loudest") != nil {
		r.conf.SetLoudest(loudest(n))
	}
	r.report(n)
	return nil
}

// report sets how often active speakers are told.
func (r *room) report(n *doc.Node) {
	if mix := doc.Child(n, "audiomix"); mix != nil {
		if c := doc.Child(mix, "asn"); c != nil {
			r.interval.Store(int64(doc.TimeOf(c, "ri", 0)))
			r.threshold.Store(quietest)
			if threshold, err := strconv.Atoi(c.Attr("asth")); err == nil {
				r.threshold.Store(int64(threshold))
			}
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
			o.owner.tell(doc.Event{Name: "msml.conf.asn", ID: o.ID, Items: o.room.talking()})
		case <-o.room.done:
			return
		}
	}
}

func (r *room) talking() (items []doc.Item) {
	for _, t := range r.conf.Talkers() {
		if t.Level+fullScale >= float64(r.threshold.Load()) {
			items = append(items, doc.Item{Name: "speaker", Value: t.Member})
		}
	}
	return items
}
