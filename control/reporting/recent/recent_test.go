package recent

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"mcp/control/reporting"
)

// begin makes a call known.
func begin(c *Calls, id string, at time.Time) (r *reporting.Record, happen func(name, text string)) {
	r = reporting.Begin(id, at)
	r.Parties = reporting.Parties{Remote: "sip:ann@h", Local: "sip:ivr@h"}
	happened := c.Begun(r)
	return r, func(name, text string) {
		happened(&reporting.Event{Call: id, Name: name, Text: text, At: time.Now(), Offset: time.Since(at).Milliseconds()})
	}
}

func TestCallIsRemembered(t *testing.T) {
	var c Calls
	start := time.Now()
	r, happen := begin(&c, "one", start)
	happen("sip_received", "INVITE")
	happen("incall_begin", "")
	c.Sampled("one", start.Add(time.Second), Sample{Leg: "caller", MOS: 4.3})
	begin(&c, "later", start.Add(time.Second))
	if list := c.List(); len(list) != 2 || list[0].ID != "later" || list[1].Answered == nil {
		t.Errorf("%+v", list)
	}
	r.Finish(start.Add(2*time.Second), reporting.End{Cause: reporting.HangUp, By: reporting.Caller, SIPStatus: 200})
	c.Ended(r)
	c.Sampled("one", start.Add(3*time.Second), Sample{Leg: "caller"})
	d, ok := c.Find("one")
	if !ok || d.Cause != "hang-up" || d.Ended == nil || len(d.Events) != 2 || len(d.Samples) != 1 || d.Samples[0].Offset != 1000 {
		t.Errorf("%+v", d)
	}
	if list := c.List(); list[0].ID != "later" || list[1].Ended == nil {
		t.Errorf("%+v", list)
	}
	if _, ok := c.Find("two"); ok {
		t.Error("two is known")
	}
}

// However much happens, what is kept is bounded: the beginning and the latest.
func TestBounds(t *testing.T) {
	var c Calls
	start := time.Now()
	_, happen := begin(&c, "long", start)
	for i := range 10 * maxEvents {
		happen(fmt.Sprint(i), strings.Repeat("ä", maxText))
		c.Sampled("long", start.Add(time.Duration(i)*time.Second), Sample{Leg: []string{"caller", "asr"}[i%2]})
	}
	d, _ := c.Find("long")
	if len(d.Events) != maxEvents || d.Missed != 9*maxEvents || d.Events[0].Name != "0" || d.Events[maxEvents-1].Name != fmt.Sprint(10*maxEvents-1) {
		t.Errorf("%d events, %d missed, %s to %s", len(d.Events), d.Missed, d.Events[0].Name, d.Events[maxEvents-1].Name)
	}
	if n := len(d.Events[0].Text); n > maxText+len("…") {
		t.Errorf("a text of %d bytes", n)
	}
	if len(d.Samples) > maxSamples || len(d.Samples) < maxSamples/4 || d.Samples[0].Offset != 0 {
		t.Errorf("%d samples from %d", len(d.Samples), d.Samples[0].Offset)
	}
	for i := range 3 * maxEnded {
		r, _ := begin(&c, fmt.Sprint(i), start)
		r.Finish(start, reporting.End{})
		c.Ended(r)
	}
	for i := range 2 * maxLive {
		_, happen = begin(&c, fmt.Sprint("live", i), start)
	}
	for range maxEvents {
		happen("prompt", "of a call of which little is remembered")
	}
	last := fmt.Sprint("live", 2*maxLive-1)
	c.Sampled(last, start, Sample{Leg: "caller"})
	if d, _ := c.Find(last); len(d.Events) != briefly || len(d.Samples) != 0 {
		t.Errorf("%d events and %d samples are remembered", len(d.Events), len(d.Samples))
	}
	if n := len(c.List()); n != maxEnded+maxLive {
		t.Errorf("%d calls are listed", n)
	}
	if live, total := c.Live(); len(live) != maxLive || total != 2*maxLive+1 {
		t.Errorf("%d calls of %d are up", len(live), total)
	}
	for i := range 2 * maxLive {
		c.Ended(reporting.Begin(fmt.Sprint("live", i), start))
	}
	c.Ended(reporting.Begin("nobody knows", start))
	if live, total := c.Live(); len(live) != 1 || total != 1 {
		t.Errorf("%d calls of %d are still up", len(live), total)
	}
	if _, ok := c.Find("long"); !ok {
		t.Error("a call that is up was forgotten")
	}
}

// A call takes the room of one that is forgotten, and nothing that was in it.
func TestForgottenCallsLeaveTheirRoom(t *testing.T) {
	var c Calls
	var late []func(name, text string)
	n := 0
	life := func(events int) Details {
		id := fmt.Sprint(n)
		n++
		r, happen := begin(&c, id, time.Now())
		for range events {
			happen("prompt", id)
		}
		d, _ := c.Find(id)
		c.Ended(r)
		late = append(late, happen)
		return d
	}
	for range 2 * maxEnded {
		life(usualRoom / 8)
	}
	late[0]("prompt", "of a call that is forgotten")
	if d := life(1); len(d.Events) != 1 || d.Events[0].Text != d.ID {
		t.Errorf("%+v", d.Events)
	}
	room := c.roomLocked()
	if used := bytes.Trim(room[:cap(room)], "\x00"); cap(room) <= usualRoom || len(used) > 0 {
		t.Errorf("room of %d octets, with %q in it", cap(room), used)
	}
	if len(c.spare) > maxSpare {
		t.Errorf("%d rooms are kept", len(c.spare))
	}
}

func BenchmarkCall(b *testing.B) {
	var c Calls
	b.ReportAllocs()
	for i := range b.N {
		id := fmt.Sprint(i)
		r, happen := begin(&c, id, time.Now())
		for range 40 {
			happen("prompt", "text")
		}
		c.Ended(r)
	}
}
