package call

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/control/sip"
)

// diary is a maker of recordings, and the recording it makes, that notes what it is
// told.
type diary struct {
	vital   bool
	refuses error
	began   func(*Call)

	mu    sync.Mutex // guards what follows
	notes []string
}

func (d *diary) Vital() bool { return d.vital }

func (d *diary) Begin(_ context.Context, c *Call) (Recording, error) {
	if d.refuses != nil {
		return nil, d.refuses
	}
	d.note("begin")
	if d.began != nil {
		d.began(c)
	}
	return d, nil
}

func (d *diary) Silence(reason string, on bool) {
	if on {
		d.note("silent: " + reason)
	} else {
		d.note("heard: " + reason)
	}
}

func (d *diary) Joined(p *Party) { d.note("joined " + p.URI()) }
func (d *diary) Left(p *Party)   { d.note("left " + p.URI()) }
func (d *diary) Stop()           { d.note("stop") }

func (d *diary) note(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, what)
}

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.notes, "; ")
}

func TestCallsAreRecorded(t *testing.T) {
	kept := make(chan string, 1)
	service := &scripted{run: func(_ context.Context, c *Call) Ending {
		c.Private(true)
		c.Private(true)
		meanwhile := &diary{}
		forget := c.Keep(meanwhile)
		c.Silence("paused", true)
		c.Private(false)
		forget()
		c.Silence("paused", false)
		kept <- meanwhile.text()
		return Ending{}
	}}
	b := newBench(t, Config{}, service)
	early, late, broken := &diary{vital: true}, &diary{}, &diary{refuses: errors.New("disk is full")}
	early.began = func(c *Call) { c.Private(true); c.Private(false); c.Private(true); c.Private(false) } // nobody is told yet
	b.server.recordings = []Recordings{late, broken, early}
	d, err := b.dial(offer())
	if err != nil {
		t.Fatal(err)
	}
	b.record()
	b.empty()
	_ = d.Bye(context.Background(), nil)
	for who, got := range map[string]string{"late": late.text(), "early": early.text()} {
		if got != "begin; silent: private; silent: paused; heard: private; heard: paused; stop" {
			t.Errorf("%s: %s", who, got)
		}
	}
	if got := <-kept; got != "silent: private; silent: paused; heard: private" {
		t.Errorf("one that was kept meanwhile: %s", got)
	}
}

func TestARecordingThatBeginsInPrivateIsSilent(t *testing.T) {
	d := &diary{}
	b := newBench(t, Config{}, &scripted{run: func(context.Context, *Call) Ending { return Ending{} }})
	b.service.prepare = func(_ context.Context, c *Call) error { c.Private(true); return nil }
	b.server.recordings = []Recordings{d}
	if _, err := b.dial(offer()); err != nil {
		t.Fatal(err)
	}
	b.record()
	b.empty()
	if got := d.text(); got != "begin; silent: private; stop" {
		t.Error(got)
	}
}

// A call that must be recorded and cannot be is refused before its service hears of it.
func TestAVitalRecordingThatFailsRefusesTheCall(t *testing.T) {
	served := false
	b := newBench(t, Config{}, &scripted{prepare: func(context.Context, *Call) error { served = true; return nil }})
	first := &diary{vital: true}
	b.server.recordings = []Recordings{first, &diary{vital: true, refuses: errors.New("no server")}}
	_, err := b.dial(offer())
	var refused *sip.RejectedError
	if !errors.As(err, &refused) || refused.Status != 503 || served {
		t.Errorf("%v; served: %v", err, served)
	}
	if r := b.record(); !strings.Contains(r.End.Error, "no server") {
		t.Errorf("the record tells %q", r.End.Error)
	}
	b.empty()
	if got := first.text(); got != "begin; stop" {
		t.Errorf("the recording that was begun: %s", got)
	}
}

func TestRecordingsHearOfParties(t *testing.T) {
	d := &diary{}
	b := newBench(t, Config{}, &scripted{})
	party := b.agent(&callee{do: answering, ended: make(chan struct{}, 1)}, b.server.log)
	to := "sip:agent@" + party.Addrs()[0].String() + ";transport=tcp"
	b.server.dialler, b.server.recordings = b.caller, []Recordings{d}
	b.service.run = func(_ context.Context, c *Call) Ending {
		p, err := c.Dial(Destination{To: to, Patience: patience})
		if err != nil {
			t.Error(err)
			return Ending{}
		}
		select {
		case <-p.Answered():
		case <-time.After(patience):
			t.Error("nobody answers")
		}
		p.HangUp()
		<-p.Gone()
		return Ending{}
	}
	if _, err := b.dial(offer()); err != nil {
		t.Fatal(err)
	}
	b.record()
	b.empty()
	if got, want := d.text(), "begin; joined "+to+"; left "+to+"; stop"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
