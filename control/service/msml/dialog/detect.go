package dialog

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mcp/control/call/progress"
	"mcp/control/media/codec"
	"mcp/control/media/detect"
	"mcp/control/media/record"
	"mcp/control/service/msml/doc"
)

// loud is the mean magnitude of a frame that is no silence: about -40 dBm0.
const loud = 300

// energy tells speech from silence in frames of 20 ms.
func voiced(pcm []int16) bool {
	sum := 0
	for _, s := range pcm {
		sum += max(int(s), -int(s))
	}
	return len(pcm) > 0 && sum/len(pcm) > loud
}

const frame = 20 * time.Millisecond

// condition is one that <vad> waits for.
type condition struct {
	n     *doc.Node
	voice bool // or silence
	later bool // after a change, not from the beginning
	len   time.Duration
	met   bool
}

// vad performs <vad> (section 9.9.1).
func (d *Dialog) vad(ctx context.Context, n *doc.Node, r *running) error {
	frames := make(chan bool, 64)
	judge := func(pcm []int16) {
		select {
		case frames <- voiced(pcm):
		default: // the dialog is busy
		}
	}
	if err := d.overhear(judge, func() error { return d.detect(ctx, n, r, frames) }); err != nil {
		return err
	}
	return d.finally(ctx, n, "vadexit", r)
}

// overhear has each frame of what is said on the stage judged while something goes on.
func (d *Dialog) overhear(judge func(pcm []int16), during func() error) error {
	ear, err := record.New(d.on.Stage.Clock(), io.Discard, record.Options{
		Format: record.Format{Container: record.Raw, Coding: record.MuLaw, Rate: codec.Narrowband, Channels: 1},
		Judge:  func(pcm []int16) bool { judge(pcm); return true },
	})
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	unhear, err := d.on.Stage.Hear(ear)
	if err == nil {
		err = during()
		unhear()
	}
	ear.Stop()
	<-ear.Done()
	return err
}

// detect watches frames until every condition has been met, or it is ended.
func (d *Dialog) detect(ctx context.Context, n *doc.Node, r *running, frames <-chan bool) error {
	var conditions []*condition
	for _, c := range n.Elements() {
		if c.Name != "vadexit" {
			conditions = append(conditions, &condition{
				n: c, voice: strings.HasSuffix(c.Name, "voice"), later: c.Name[0] == 't', len: doc.TimeOf(c, "len", 0),
			})
		}
	}
	started := doc.BoolOf(n, "starttimer", true)
	var now, changed bool
	var lasting time.Duration
	for left := len(conditions); left > 0; {
		select {
		case voice := <-frames:
			if voice != now {
				changed, lasting = changed || lasting > 0, 0
			}
			now = voice
			lasting += frame
			if !started && !voice {
				lasting = 0
			}
		case event := <-r.events:
			if strings.HasPrefix(event, "terminate") {
				d.set("vad.end", event)
				return nil
			}
			started = started || event == "starttimer"
			continue
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, c := range conditions {
			if c.met || c.voice != now || c.later && !changed || lasting < max(c.len, frame) {
				continue
			}
			c.met = true
			left--
			d.set("vad.end", "vad."+c.n.Name)
			if err := d.perform(ctx, c.n.Elements(), r.within); err != nil {
				return err
			}
		}
	}
	return nil
}

// faxLength is how long a fax machine's tone must last to be taken for one.
const faxLength = 160 * time.Millisecond

// faxdetect performs <faxdetect> (RFC 5707 section 9.11.1): it waits for the tone of a
// calling or a called fax machine.
func (d *Dialog) faxdetect(ctx context.Context, n *doc.Node, r *running) error {
	heard, tones := make(chan detect.FaxTone, 1), detect.NewFaxTones(faxLength)
	judge := func(pcm []int16) {
		if tone, ok := tones.Frame(pcm); ok {
			select {
			case heard <- tone:
			default: // it is known already
			}
		}
	}
	err := d.overhear(judge, func() error {
		for {
			select {
			case tone := <-heard:
				d.set("faxdetect.tone", string(tone), "faxdetect.end", "faxdetect.complete")
				return nil
			case event := <-r.events:
				if strings.HasPrefix(event, "terminate") {
					d.set("faxdetect.tone", "", "faxdetect.end", "faxdetect.terminated")
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err != nil {
		return err
	}
	return d.finally(ctx, n, "faxdetectexit", r)
}

// progress performs <mcp:progress>, an extension of our own: it tells a person from an
// answering machine or a fax, and waits for the end of a machine's greeting or its beep.
func (d *Dialog) progress(ctx context.Context, n *doc.Node, r *running) error {
	c, answered := d.on.Call, make(chan struct{})
	close(answered) // connections are
	a, err := d.parts.Progress.Begin(progress.Subject{
		Leg: c.Caller(), Clock: c.Media().Clock(), Answered: answered, Trail: c.Trail(), Log: c.Log(),
	}, Analysis(n))
	if err != nil {
		return doc.Faultf(doc.NoResource, "%v", err)
	}
	defer a.Close()
	end, err := outcome(ctx, a, n, r)
	if err != nil {
		return err
	}
	a.Close()
	found, _ := a.Result()
	d.set("progress.outcome", string(found.Outcome), "progress.answered", strconv.FormatBool(found.Answered),
		"progress.beep", strconv.FormatBool(found.Beep), "progress.end", end)
	return d.finally(ctx, n, "progressexit", r)
}

// outcome waits until all is known that was asked for, and tells why the wait ended.
func outcome(ctx context.Context, a *progress.Analysis, n *doc.Node, r *running) (end string, err error) {
	var limit <-chan time.Time
	if most := doc.TimeOf(n, "maxtime", 0); most > 0 {
		timer := time.NewTimer(most)
		defer timer.Stop()
		limit = timer.C
	}
	for {
		select {
		case <-a.Found():
			if _, known := a.Result(); !known {
				return "progress.failed", nil
			}
			return "progress.complete", nil
		case <-limit:
			return "progress.complete.maxtime", nil
		case event := <-r.events:
			if strings.HasPrefix(event, "terminate") {
				return "progress.terminated", nil
			}
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// Analysis reads how a call is to be analysed.
func Analysis(n *doc.Node) progress.Options {
	o := progress.Options{Profile: progress.Profile(n.Attr("profile"))}
	if until := n.Attr("until"); until != "answer" {
		o.Until = progress.Until(until)
	}
	return o
}

// analysable refuses what cannot be analysed.
func (d *Dialog) analysable(n *doc.Node) error {
	if d.on.Call == nil {
		return doc.Faultf(doc.UnsupportedElement, "<progress> does not listen to conferences")
	}
	if err := d.parts.Progress.Check(Analysis(n)); err != nil {
		return doc.Faultf(doc.NoResource, "%v", err)
	}
	return nil
}
