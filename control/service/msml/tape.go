package msml

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mcp/control/call"
	"mcp/control/media/record"
	"mcp/control/media/record/store"
	"mcp/control/reporting"
	"mcp/control/service/msml/dialog"
	"mcp/control/service/msml/doc"
)

// tape is a recording of a whole object that the client steers with gvp:recorder.
type tape struct {
	recording *store.Recording
	unhear    func()
	forget    func()
	trail     *reporting.Trail
}

// stop ends the recording and waits until it is whole.
func (t *tape) stop() {
	t.recording.Stop()
	<-t.recording.Done()
	t.unhear()
	t.forget()
	<-t.recording.Finished()
	dialog.Recorded(t.trail, t.recording)
}

// steer does what a <gvp:recorder> within an element asks.
func (o *object) steer(n *doc.Node) error {
	r := doc.Child(n, "recorder")
	if r == nil {
		return nil
	}
	o.mu.Lock()
	t := o.tape
	o.mu.Unlock()
	if r.Attr("state") == "start" {
		if t != nil {
			return doc.Faultf(doc.NameInUse, "%s is being recorded", o.ID)
		}
		return o.tapeFrom(r)
	}
	if t == nil && (r.Attr("state") == "stop" || o.room != nil || !o.owner.call.Recorded()) {
		return doc.Faultf(doc.NoSuchObject, "%s is not being recorded", o.ID)
	}
	switch r.Attr("state") {
	case "pause":
		o.pause(t, true)
	case "resume":
		o.pause(t, false)
	case "stop":
		o.mu.Lock()
		o.tape = nil
		o.mu.Unlock()
		t.stop()
		o.pause(nil, false)
		o.told("gvp.recorder.stopped", t)
	}
	return nil
}

// pause has silence recorded of a connection, by whatever records its call: who pauses
// wants what is said then to be nowhere. Of a conference it is the recording of the mix
// and those of the calls that are in it.
func (o *object) pause(t *tape, on bool) {
	if o.room == nil {
		o.owner.call.Silence(o.ID, on)
		return
	}
	if t != nil {
		t.recording.Silence(o.ID, on)
	}
	o.mu.Lock()
	o.paused = on
	o.mu.Unlock()
	for _, id := range o.room.members() {
		if member := o.owner.service.hub.find(id); member != nil {
			member.owner.call.Silence(o.ID, on)
		}
	}
}

// attend has a call's recordings do as that of a conference which it joins, and no more
// when it has left.
func (o *object) attend(c *call.Call, there bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paused {
		c.Silence(o.ID, there)
	}
}

// tapeFrom begins a recording: of a conference's mix, or of both sides of a
// connection, on one channel or two.
func (o *object) tapeFrom(n *doc.Node) error {
	recordings := o.owner.service.parts.Recordings
	if recordings == nil {
		return doc.Faultf(doc.NoResource, "nothing can be recorded here")
	}
	kind := n.Attr("type")
	if kind == "" {
		kind = "audio/wav"
	}
	format, err := doc.RecordFormat(kind)
	if err != nil {
		return doc.Faultf(doc.InvalidValue, "%v", err)
	}
	format.Rate, format.Channels = 8000, 1
	if channels, _ := strconv.Atoi(n.Attr("channels")); channels == 2 && o.room == nil {
		format.Channels = 2
	}
	id, metadata := o.metadata(n)
	recording, err := recordings.Begin(store.Request{ID: id, Options: record.Options{Format: format}, Metadata: metadata})
	if errors.Is(err, store.ErrID) {
		return doc.Faultf(doc.InvalidValue, "%v", err)
	}
	if err != nil {
		return doc.Faultf(doc.NoResource, "%v", err)
	}
	t := &tape{recording: recording, forget: func() {}, trail: o.owner.call.Trail()}
	if t.unhear, err = o.Stage.Hear(recording.Recorder); err == nil && o.room == nil {
		err = recording.Overhear(format.Channels-1, o.owner.call.Caller())
	}
	if err != nil {
		recording.Stop()
		return fmt.Errorf("record %s: %w", o.ID, err)
	}
	if o.room == nil {
		t.forget = o.owner.call.Keep(recording)
	}
	o.mu.Lock()
	o.tape = t
	o.mu.Unlock()
	o.told("gvp.recorder.started", t)
	return nil
}

// metadata is what the client tells of a recording: gvp:params. The parameter id
// names it.
func (o *object) metadata(n *doc.Node) (id string, told map[string]any) {
	told = map[string]any{"call": o.owner.call.ID(), "object": o.ID}
	for _, dest := range []string{"dest", "dest2"} {
		if value := n.Attr(dest); value != "" {
			told[dest] = value
		}
	}
	id = n.Attr("id")
	if params := doc.Child(n, "params"); params != nil {
		for _, c := range params.Elements() {
			value := c.Attr("value")
			if value == "" {
				value = strings.TrimSpace(c.Content())
			}
			if c.Attr("name") == "id" {
				id = value
			}
			told[c.Attr("name")] = value
		}
	}
	return id, told
}

func (o *object) told(event string, t *tape) {
	o.owner.tell(doc.Event{Name: event, ID: o.ID, Items: []doc.Item{{Name: "recordid", Value: t.recording.ID}}})
}
