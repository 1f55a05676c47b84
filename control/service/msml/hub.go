package msml

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync"

	"mcp/control/media"
	"mcp/control/media/conference"
	"mcp/control/service/msml/dialog"
	"mcp/control/service/msml/doc"
)

// hub knows all objects of the platform that MSML can name: calls as connections,
// and conferences. Clients share them.
type hub struct {
	watching sync.WaitGroup // of conferences

	mu      sync.Mutex
	objects map[string]*object // by identifier, such as conn:74jgd63956ts
	orders  map[string]*order  // connections that clients have had made, by identifier
}

func newHub() *hub { return &hub{objects: map[string]*object{}, orders: map[string]*order{}} }

// object is a connection or a conference with the dialogs on it.
type object struct {
	*dialog.Place
	owner *program // of a connection: its own client; of a conference: its creator
	room  *room    // nil: a connection

	mu     sync.Mutex             // guards what follows
	links  map[string]*media.Link // what this connection hears of others, by their identifiers
	tape   *tape                  // the recording that the client steers, if there is one
	paused bool                   // of a conference: its calls' recordings hold silence
	over   bool
}

// connect makes a call known.
func (h *hub) connect(p *program, id string) *object {
	o := &object{owner: p, links: map[string]*media.Link{}, Place: &dialog.Place{
		ID: id, Stage: dialog.Leg(p.call), Call: p.call, Trail: p.call.Trail(),
		Keys: dialog.NewKeys(p.voices.Press), Speech: dialog.NewSpeech(p.voices),
	}}
	o.Keys.Pump(p.call.Caller().Digits())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.objects[o.ID] = o
	return o
}

// disconnect ends what a client's call has begun and takes part in.
func (h *hub) disconnect(p *program) {
	h.mu.Lock()
	delete(h.objects, p.self.ID)
	var all []*object
	for _, o := range h.objects {
		all = append(all, o)
	}
	h.mu.Unlock()
	p.self.close()
	for _, o := range all {
		o.Forsake(p.agent)
		if o.room == nil {
			o.unlink(p.self.ID)
			continue
		}
		if err := o.room.leave(p.self.ID); err != nil && !errors.Is(err, conference.ErrMember) {
			p.call.Log().Warn("leave conference", "conference", o.ID, "error", err)
		}
		h.settle(o, o.owner == p)
	}
}

// settle deletes a conference that nobody needs any more: the last member has
// left, or the client that controls it.
func (h *hub) settle(o *object, uncontrolled bool) {
	switch {
	case o.room.when == "nomedia" && len(o.room.members()) == 0 && (o.room.joined() || uncontrolled):
		if h.destroy(o) {
			o.owner.tell(doc.Event{Name: "msml.conf.nomedia", ID: o.ID})
		}
	case o.room.when == "nocontrol" && uncontrolled:
		h.destroy(o)
	}
}

// destroy deletes a conference; false: it was deleted already.
func (h *hub) destroy(o *object) bool {
	h.mu.Lock()
	known := h.objects[o.ID] == o
	delete(h.objects, o.ID)
	h.mu.Unlock()
	if !known {
		return false
	}
	o.close()
	members := o.room.members()
	if err := o.room.close(); err != nil {
		o.owner.call.Log().Warn("close conference", "conference", o.ID, "error", err)
	}
	if !o.room.term {
		return true
	}
	for _, id := range members {
		if member := h.find(id); member != nil {
			member.owner.call.HangUp()
		}
	}
	return true
}

// close deletes all conferences. It is called after the calls have ended.
func (h *hub) close() {
	h.mu.Lock()
	var rooms []*object
	for _, o := range h.objects {
		if o.room != nil {
			rooms = append(rooms, o)
		}
	}
	h.mu.Unlock()
	for _, o := range rooms {
		h.destroy(o)
	}
	h.watching.Wait()
}

func (h *hub) find(id string) *object {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.objects[id]
}

// add makes a conference known; false: there is one of that name.
func (h *hub) add(o *object) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.objects[o.ID] != nil {
		return false
	}
	h.objects[o.ID] = o
	return true
}

// invented is an instance name that no client chooses.
func invented() string { return strings.ToLower(rand.Text()[:12]) }

// object finds what an identifier names, or says 430.
func (h *hub) object(id string) (*object, error) {
	if o := h.find(id); o != nil {
		return o, nil
	}
	return nil, doc.Faultf(doc.NoSuchObject, "there is no %s", id)
}

// dialog finds what conn:x/dialog:y names; target is what follows it.
func (h *hub) dialog(id string) (d *dialog.Dialog, target string, err error) {
	root, rest, _ := strings.Cut(id, "/")
	o, err := h.object(root)
	if err != nil {
		return nil, "", err
	}
	name, target, _ := strings.Cut(strings.TrimPrefix(rest, "dialog:"), "/")
	if d = o.Find(name); d == nil {
		return nil, "", doc.Faultf(doc.NoSuchObject, "there is no %s", id)
	}
	return d, target, nil
}

// close ends all that goes on at an object.
func (o *object) close() {
	o.mu.Lock()
	o.over = true
	links, tape := o.links, o.tape
	o.links, o.tape = map[string]*media.Link{}, nil
	o.mu.Unlock()
	for _, l := range links {
		_ = l.Close() // the legs may be gone already
	}
	if tape != nil {
		tape.stop()
		o.pause(nil, false)
	}
	o.Place.Close()
	if o.Keys != nil {
		o.Keys.Close()
	}
}

// unlink ends what a connection hears of another.
func (o *object) unlink(from string) bool {
	o.mu.Lock()
	l := o.links[from]
	delete(o.links, from)
	o.mu.Unlock()
	if l == nil {
		return false
	}
	_ = l.Close() // the other leg may be gone already
	return true
}
