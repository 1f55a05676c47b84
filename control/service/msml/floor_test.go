package msml

import (
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/conference"
	"mcp/control/media/mediatest"
	"mcp/control/service/msml/dialog"
	"mcp/control/service/msml/doc"
)

// floor is a hub with conferences and connections, and their client, without calls.
type floor struct {
	*testing.T
	*program
	bridge  *conference.Bridge
	session *media.Session
	plane   *mediatest.Plane
}

func newFloor(t *testing.T) *floor {
	log := slog.New(slog.DiscardHandler)
	f := &floor{T: t, plane: mediatest.NewPlane(), bridge: conference.NewBridge(new(clock.Clock), log)}
	engine, err := media.NewEngine(media.Config{}, f.plane, log)
	f.must(err)
	f.session = engine.NewSession("call")
	f.program = &program{service: New(Parts{Conferences: f.bridge}), events: make(chan doc.Event, 8)}
	t.Cleanup(func() {
		f.must(f.service.Close())
		f.must(f.bridge.Close())
		f.session.Close()
		f.must(engine.Close())
	})
	return f
}

func (f *floor) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// connection makes one that nobody calls on.
func (f *floor) connection(id string) *object {
	f.Helper()
	o := &object{owner: f.program, links: map[string]*media.Link{}, Place: &dialog.Place{ID: id}}
	if !f.service.hub.add(o) {
		f.Fatalf("there is a %s", id)
	}
	return o
}

// conference makes one whose calls are not hung up at its end.
func (f *floor) conference(name string, r *room) *object {
	f.Helper()
	conf, err := f.bridge.Open(name, conference.Options{Notify: r.notify})
	f.must(err)
	o := &object{owner: f.program, room: r, Place: &dialog.Place{ID: "conf:" + name}}
	r.conf, r.done = conf, make(chan struct{})
	if !f.service.hub.add(o) {
		f.Fatalf("there is a conference %s", name)
	}
	return o
}

// join lets a connection take part in a conference.
func (f *floor) join(id string, to *object) {
	f.Helper()
	leg, err := f.session.OpenLeg(id, netip.MustParseAddr("127.0.0.1"))
	f.must(err)
	_, err = f.plane.Connect(leg, codec.PCMU, 20*time.Millisecond)
	f.must(err)
	f.must(to.room.conf.Join(leg, conference.Member{ID: id}))
	to.room.met.Store(true)
}

// told is the names of the events that the client has been told.
func (f *floor) told() (names []string) {
	for {
		select {
		case e := <-f.events:
			names = append(names, e.Name+" "+e.ID)
		default:
			return names
		}
	}
}

// element is the only operation of a request.
func element(t *testing.T, text string) *doc.Node {
	t.Helper()
	ops, err := doc.Parse([]byte(`<msml version="1.1">` + text + `</msml>`))
	if err != nil || len(ops) != 1 {
		t.Fatalf("%s: %d operations, %v", text, len(ops), err)
	}
	return ops[0]
}

// code is that of what an operation answers with.
func code(err error) int {
	var fault *doc.Fault
	switch {
	case err == nil:
		return doc.OK
	case errors.As(err, &fault):
		return fault.Code
	}
	return doc.ServerError
}
