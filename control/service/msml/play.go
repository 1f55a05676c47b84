package msml

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/service/msml/doc"
	"mcp/vxml/fetch"
)

// longestAudio bounds what one <play> keeps in memory: half an hour.
const longestAudio = 30 * 60 * audiofile.Rate

// player performs one <play>: audio with a place in it, and what is to be said.
type player struct {
	d     *dialog
	parts []part
	n     int           // the part that is performed
	at    int           // its next sample
	skip  int           // samples that forward and backward leave out
	amt   time.Duration // heard so far
	end   string
}

// part is some of what a <play> plays: linear audio, or SSML for a synthesizer.
type part struct {
	pcm            []int16
	ssml, language string
}

// movable tells whether forward, backward and restart have an effect: in audio alone.
func (p *player) movable() bool { return len(p.parts) == 1 && p.parts[0].ssml == "" }

// play performs <play> (RFC 5707 section 9.7.1).
func (d *dialog) play(ctx context.Context, n *doc.Node, r *running) error {
	if err := d.prompt(ctx, n, r, nil); err != nil {
		return err
	}
	return d.finally(ctx, n, "playexit", r)
}

// prompt plays. Barge, if given, ends it with a key; else a key of the connection
// does where the element says so.
func (d *dialog) prompt(ctx context.Context, n *doc.Node, r *running, barge <-chan byte) error {
	if d.on.keys != nil && barge == nil && doc.BoolOf(n, "barge", false) {
		e := d.on.keys.listen(false, doc.BoolOf(n, "cleardb", false))
		defer e.stop()
		barge = e.ch
	}
	parts, err := d.parts(ctx, n)
	if err != nil {
		return err
	}
	if most := doc.TimeOf(n, "maxtime", 0); most > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, most, errTooLong)
		defer stop()
	}
	p := &player{d: d, parts: parts, skip: samples(doc.TimeOf(n, "skip", 3*time.Second))}
	if p.movable() {
		p.at = samples(doc.TimeOf(n, "offset", 0))
	}
	suspended := n.Attr("initial") == "suspend"
	interval := doc.TimeOf(n, "interval", 0)
	for i := 0; i < doc.TimesOf(n, "iterate", 1) && p.end == ""; i++ {
		if i > 0 {
			p.n, p.at = 0, 0
			p.pause(ctx, interval, r)
		}
		suspended, err = p.perform(ctx, r, barge, suspended)
		if err != nil {
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

// parts gets all that a <play> names. Audio that follows audio is one part with it.
func (d *dialog) parts(ctx context.Context, n *doc.Node) (all []part, err error) {
	length := 0
	for _, c := range n.Elements() {
		var more []part
		switch c.Name {
		case "media":
			more, err = d.parts(ctx, c)
		case "tts":
			more, err = d.words(ctx, c, n.Attr("xml:lang"))
		case "audio", "var":
			more, err = d.audio(ctx, c)
		}
		if err != nil {
			return nil, err
		}
		for range doc.TimesOf(c, "iterate", 1) {
			before := length
			for _, one := range more {
				length += len(one.pcm) + len(one.ssml)
				if last := len(all) - 1; last >= 0 && one.ssml == "" && all[last].ssml == "" {
					all[last].pcm = append(all[last].pcm, one.pcm...)
				} else {
					all = append(all, part{slices.Clone(one.pcm), one.ssml, one.language})
				}
			}
			if length > longestAudio {
				return nil, doc.Faultf(doc.NoResource, "<play> is longer than half an hour")
			}
			if length == before {
				break
			}
		}
	}
	return all, nil
}

// audio is what <audio> and <var> play.
func (d *dialog) audio(ctx context.Context, n *doc.Node) ([]part, error) {
	if n.Name == "audio" {
		pcm, err := d.fetch(ctx, n)
		return []part{{pcm: pcm}}, err
	}
	t, ok := doc.Time(n.Attr("value")) // silence, all else was refused
	if !ok {
		return nil, doc.Faultf(doc.InvalidValue, "<var type=%q value=%q>", n.Attr("type"), n.Attr("value"))
	}
	return []part{{pcm: make([]int16, min(samples(t), longestAudio))}}, nil
}

// fetch gets one recording. file://clip.wav names a file of the current directory,
// as the RFC's examples do.
func (d *dialog) fetch(ctx context.Context, n *doc.Node) ([]int16, error) {
	url := n.Attr("uri")
	r, err := d.client.service.parts.Fetcher.Get(ctx, fetch.Request{URL: url})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, doc.Faultf(doc.FetchError, "%v", err)
	}
	mediaType := r.MediaType
	if format := n.Attr("format"); format != "" {
		mediaType = strings.Replace(format, "codecs=", "codec=", 1)
	}
	pcm, err := audiofile.Decode(mediaType, r.Body)
	if err != nil {
		pcm, err = audiofile.Decode(r.MediaType, r.Body)
	}
	if err != nil {
		return nil, doc.Faultf(doc.FetchError, "%s: %v", url, err)
	}
	return pcm, nil
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
	if p.at >= len(part.pcm) {
		p.n, p.at = p.n+1, 0
		return "", nil
	}
	playing, err := p.d.on.stage.play(part.pcm[p.at:])
	if err != nil {
		return "", fmt.Errorf("play: %w", err)
	}
	began, from := time.Now(), p.at
	event = interrupted(ctx, playing.Done(), r, barge)
	playing.Stop()
	<-playing.Done()
	p.heard(event, from, time.Since(began))
	return event, nil
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
func (p *player) heard(event string, from int, t time.Duration) {
	left := len(p.parts[p.n].pcm) - from
	n := min(samples(t), left)
	if event == "" {
		n = left
	}
	p.amt += time.Duration(n) * time.Second / audiofile.Rate
	p.at = from + n
	p.follow(event)
}

// follow does what an event asks of the place.
func (p *player) follow(event string) {
	switch {
	case event == "forward" && p.movable():
		p.at = min(p.at+p.skip, len(p.parts[0].pcm))
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
