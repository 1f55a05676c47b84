package sim

import (
	"context"
	"encoding/binary"
	"time"

	"mcp/vxml"
)

// What takes time in the simulated world.
const (
	perCharacter = 60 * time.Millisecond // of what is said
	answerAfter  = time.Second           // the other party's phone rings so long
	talksFor     = time.Minute           // and so long does the other party talk
)

// Record implements vxml.Recorder.
func (c *Caller) Record(_ context.Context, req vxml.RecordRequest) (vxml.Recording, error) {
	if err := recordable(req.Type); err != nil {
		return nil, err
	}
	if req.Beep {
		c.print("system", "(beep)")
	}
	c.tape = &recording{caller: c, request: req, done: make(chan struct{})}
	return c.tape, nil
}

const wave = "audio/x-wav"

// recordable is an event for a media type that nothing is recorded in here.
func recordable(mediaType string) error {
	if mediaType == "" || mediaType == wave {
		return nil
	}
	return &vxml.Event{Name: "error.unsupported.format", Message: "recordings are " + wave + ", not " + mediaType}
}

// recording is the caller being recorded.
type recording struct {
	caller   *Caller
	request  vxml.RecordRequest
	done     chan struct{}
	over     bool
	recorded vxml.Recorded
}

// hear records words; how tells what the caller does after them.
func (r *recording) hear(how, words string) {
	if how == "silence" {
		r.Stop()
		return
	}
	length := time.Duration(len(words)) * perCharacter
	limit := r.request.MaxTime
	if limit > 0 && (how == "talk" || length+r.request.FinalSilence > limit) {
		length, r.recorded.MaxTime = limit, true
	}
	r.recorded.Duration, r.recorded.MediaType, r.recorded.Data = length, wave, silentWave(length)
	switch how {
	case "cut":
		r.caller.HangUp()
	case "say", "talk":
		r.Stop()
	} // otherwise a key follows
}

func (r *recording) Done() <-chan struct{} { return r.done }

func (r *recording) Take() (vxml.Recorded, error) { return r.recorded, nil }

func (r *recording) Stop() {
	if !r.over {
		r.over = true
		close(r.done)
	}
	if r.caller.tape == r {
		r.caller.tape = nil
	}
}

// silentWave is a RIFF file of 8 kHz mu-law silence.
func silentWave(length time.Duration) []byte {
	samples := int(length / (time.Second / 8000))
	out := append([]byte("RIFF"), 0, 0, 0, 0)
	out = append(out, "WAVEfmt \x12\x00\x00\x00\x07\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00\x00\x00data"...)
	out = binary.LittleEndian.AppendUint32(out, uint32(samples))
	for range samples {
		out = append(out, 0xff)
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

// Transfer implements vxml.Transferrer.
func (c *Caller) Transfer(_ context.Context, req vxml.TransferRequest) (vxml.Transfer, error) {
	c.print("system", "transfers ("+string(req.Kind)+") to "+req.Destination)
	t := &transfer{caller: c, request: req, done: make(chan struct{})}
	if req.Kind == vxml.Blind {
		close(t.done)
		t.over = true
		return t, nil
	}
	c.far = t
	return t, nil
}

// transfer is the caller being transferred.
type transfer struct {
	caller  *Caller
	request vxml.TransferRequest
	done    chan struct{}
	over    bool
	ended   vxml.Transferred
}

// end is what the other party does: a result of <transfer>, or "hangup", or
// nothing in particular.
func (t *transfer) end(how string) {
	defer t.Stop()
	limit, timeout := t.request.MaxTime, t.request.ConnectTimeout
	switch {
	case how == "hangup":
		t.ended = vxml.Transferred{Result: "far_end_disconnect", Duration: answerAfter}
	case how != "":
		t.ended = vxml.Transferred{Result: how}
	case timeout > 0 && timeout < answerAfter:
		t.ended = vxml.Transferred{Result: "noanswer"}
	case t.request.Kind == vxml.Consultation:
		return
	case limit > 0 && limit < talksFor:
		t.ended = vxml.Transferred{Result: "maxtime_disconnect", Duration: limit}
	default:
		t.ended = vxml.Transferred{Result: "far_end_disconnect", Duration: talksFor}
	}
	if t.request.Kind == vxml.Consultation && how == "hangup" {
		t.ended = vxml.Transferred{}
	}
}

func (t *transfer) Done() <-chan struct{} { return t.done }

func (t *transfer) Take() (vxml.Transferred, error) { return t.ended, nil }

func (t *transfer) Stop() {
	if !t.over {
		t.over = true
		close(t.done)
	}
	if t.caller.far == t {
		t.caller.far = nil
	}
}

// Send implements vxml.Messenger.
func (c *Caller) Send(_ context.Context, m vxml.Message) error {
	c.print("system", "sends "+m.ContentType+": "+m.Content)
	return nil
}

// Messages implements vxml.Messenger.
func (c *Caller) Messages() <-chan *vxml.Message { return c.letters }

func (c *Caller) deliver(text string) {
	select {
	case c.letters <- &vxml.Message{ContentType: "text/plain", Content: text, SourceType: "sim"}:
	default: // more letters than anybody reads
	}
}
