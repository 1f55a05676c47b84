package dialog

import (
	"context"
	"errors"
	"strings"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/service/msml/doc"
)

// player performs one <play>: audio with a place in it, and what is to be said.
type player struct {
	d     *Dialog
	parts []part
	n     int           // the part that is performed
	turn  int           // how often it has been
	at    int           // its next sample
	skip  int           // samples that forward and backward leave out
	amt   time.Duration // heard so far
	end   string
}

// part is some of what a <play> plays: recordings and silence, or SSML for a synthesizer,
// so many times.
type part struct {
	audio          stretch
	ssml, language string
	times          int
}

// movable tells whether forward, backward and restart have an effect: in audio alone.
func (p *player) movable() bool { return len(p.parts) == 1 && p.parts[0].ssml == "" }

// play performs <play> (RFC 5707 section 9.7.1).
func (d *Dialog) play(ctx context.Context, n *doc.Node, r *running) error {
	if err := d.prompt(ctx, n, r, nil); err != nil {
		return err
	}
	return d.finally(ctx, n, "playexit", r)
}

// prompt plays. Barge, if given, ends it with a key; else a key of the connection
// does where the element says so.
func (d *Dialog) prompt(ctx context.Context, n *doc.Node, r *running, barge <-chan byte) error {
	if d.on.Keys != nil && barge == nil && doc.BoolOf(n, "barge", false) {
		e := d.on.Keys.listen(false, doc.BoolOf(n, "cleardb", false))
		defer e.stop()
		barge = e.ch
	}
	what := &content{d: d}
	defer what.close()
	if err := what.add(ctx, n, n.Attr("xml:lang")); err != nil {
		return err
	}
	if most := doc.TimeOf(n, "maxtime", 0); most > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, most, errTooLong)
		defer stop()
	}
	p := &player{d: d, parts: what.parts, skip: samples(doc.TimeOf(n, "skip", 3*time.Second))}
	if p.movable() {
		p.at = samples(doc.TimeOf(n, "offset", 0))
	}
	suspended := n.Attr("initial") == "suspend"
	interval := doc.TimeOf(n, "interval", 0)
	for i := 0; i < doc.TimesOf(n, "iterate", 1) && p.end == ""; i++ {
		if i > 0 {
			p.rewind()
			p.pause(ctx, interval, r)
		}
		var err error
		if suspended, err = p.perform(ctx, r, barge, suspended); err != nil {
			return err
		}
	}
	if p.end == "" {
		p.end = "play.complete"
	}
	d.set("play.amt", span(p.amt), "play.end", p.end)
	return nil
}

var errTooLong = errors.New("it takes too long")

func samples(t time.Duration) int { return int(t * audiofile.Rate / time.Second) }

// rewind goes to the beginning of all.
func (p *player) rewind() { p.n, p.turn, p.at = 0, 0, 0 }

// next goes on to the next part, or has the present one once more.
func (p *player) next() {
	p.at, p.turn = 0, p.turn+1
	if p.turn >= p.parts[p.n].times {
		p.n, p.turn = p.n+1, 0
	}
}

// perform plays from the current place to the end, or to an event that ends it.
func (p *player) perform(ctx context.Context, r *running, barge <-chan byte, suspended bool) (bool, error) {
	for p.end == "" {
		if suspended {
			if err := p.suspended(ctx, r); err != nil {
				return false, err
			}
			suspended = false
			continue
		}
		if p.n >= len(p.parts) {
			return false, nil
		}
		event, err := p.portion(ctx, r, barge)
		if err == nil {
			err = p.cut(ctx)
		}
		if err != nil {
			return false, err
		}
		suspended = event == "pause" || event == "toggle-state"
	}
	return suspended, nil
}

// portion performs the present part from the current place to its end, or to an event,
// which it returns.
func (p *player) portion(ctx context.Context, r *running, barge <-chan byte) (event string, err error) {
	part := p.parts[p.n]
	if part.ssml != "" {
		return p.speak(ctx, r, barge)
	}
	length, known := part.audio.length()
	if known && p.at >= length {
		p.next()
		return "", nil
	}
	playing, err := p.play(part.audio)
	if err != nil {
		return "", unplayed(err)
	}
	event = interrupted(ctx, playing.Done(), r, barge)
	playing.Stop()
	<-playing.Done()
	if event == "" && playing.Err() != nil {
		return "", unplayed(playing.Err())
	}
	if event == "" && p.displaced(playing.Position()) {
		event = "terminate"
	}
	p.heard(event, playing.Position())
	return event, nil
}

// displaced tells whether what plays ended before its end: another dialog plays to the
// connection now. The last packet may be longer than the audio, or its end be told early.
func (p *player) displaced(t time.Duration) bool {
	const packet = 100 * time.Millisecond
	length, known := p.parts[p.n].audio.length()
	return !known || p.at+samples(t+packet) < length
}

// play plays a stretch from the present place: what is there of it at once, else while it
// arrives.
func (p *player) play(audio stretch) (Sound, error) {
	if rest, all := audio.rest(p.at); all {
		return p.d.on.Stage.Play(rest)
	}
	return p.d.on.Stage.PlaySupply(audio.supply(p.at))
}

// interrupted waits for the end of what is heard, or for the event that comes before.
func interrupted(ctx context.Context, done <-chan struct{}, r *running, barge <-chan byte) string {
	select {
	case <-done:
		return ""
	case event := <-r.events:
		return event
	case <-barge:
	case <-ctx.Done():
	}
	return "terminate"
}

// cut tells the time that ran out from a dialog that was abandoned.
func (p *player) cut(ctx context.Context) error {
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(context.Cause(ctx), errTooLong):
		p.end = "play.complete.maxtime"
		return nil
	}
	return ctx.Err()
}

// heard moves the place by what was heard and what the event asks.
func (p *player) heard(event string, t time.Duration) {
	n := samples(t)
	if length, known := p.parts[p.n].audio.length(); known {
		if left := length - p.at; event == "" || n > left {
			n = left
		}
	}
	p.amt += time.Duration(n) * time.Second / audiofile.Rate
	p.at += n
	p.follow(event)
}

// follow does what an event asks of the place.
func (p *player) follow(event string) {
	switch {
	case event == "forward" && p.movable():
		p.at += p.skip
		if length, known := p.parts[0].audio.length(); known {
			p.at = min(p.at, length)
		}
	case event == "backward" && p.movable():
		p.at = max(p.at-p.skip, 0)
	case event == "restart" && p.movable():
		p.at = 0
	case strings.HasPrefix(event, "terminate"):
		p.end = event
	}
}

// suspended waits until playing is to go on.
func (p *player) suspended(ctx context.Context, r *running) error {
	for p.end == "" {
		select {
		case event := <-r.events:
			p.follow(event)
			if event == "resume" || event == "generate" || event == "toggle-state" {
				return nil
			}
		case <-ctx.Done():
			if err := p.cut(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// pause waits between two iterations.
func (p *player) pause(ctx context.Context, t time.Duration, r *running) {
	timer := time.NewTimer(max(t, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case event := <-r.events:
		p.follow(event)
	case <-ctx.Done():
	}
}
