package msml

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/tone"
	"mcp/control/service/msml/doc"
	"mcp/vxml/fetch"
)

// longestAudio bounds what one <play> keeps in memory: half an hour.
const longestAudio = 30 * 60 * audiofile.Rate

// player performs one <play>: linear audio with a place in it.
type player struct {
	d    *dialog
	pcm  []int16
	at   int           // the next sample
	skip int           // samples that forward and backward leave out
	amt  time.Duration // heard so far
	end  string
}

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
	pcm, err := d.audio(ctx, n)
	if err != nil {
		return err
	}
	if most := doc.TimeOf(n, "maxtime", 0); most > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, most, errTooLong)
		defer stop()
	}
	p := &player{d: d, pcm: pcm, at: samples(doc.TimeOf(n, "offset", 0)), skip: samples(doc.TimeOf(n, "skip", 3*time.Second))}
	suspended := n.Attr("initial") == "suspend"
	interval := doc.TimeOf(n, "interval", 0)
	for i := 0; i < doc.TimesOf(n, "iterate", 1) && p.end == ""; i++ {
		if i > 0 {
			p.at = 0
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

// audio gets all that a <play> names.
func (d *dialog) audio(ctx context.Context, n *doc.Node) ([]int16, error) {
	var all []int16
	for _, c := range n.Elements() {
		var part []int16
		var err error
		switch c.Name {
		case "audio":
			part, err = d.fetch(ctx, c)
		case "media":
			part, err = d.audio(ctx, c)
		case "var": // silence, all else was refused
			t, ok := doc.Time(c.Attr("value"))
			if !ok {
				return nil, doc.Faultf(doc.InvalidValue, "<var type=%q value=%q>", c.Attr("type"), c.Attr("value"))
			}
			part = make([]int16, min(samples(t), longestAudio))
		}
		if err != nil {
			return nil, err
		}
		for range doc.TimesOf(c, "iterate", 1) {
			if len(all)+len(part) > longestAudio {
				return nil, doc.Faultf(doc.NoResource, "<play> is longer than half an hour")
			}
			all = append(all, part...)
			if len(part) == 0 {
				break
			}
		}
	}
	return all, nil
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
		if p.at >= len(p.pcm) {
			return false, nil
		}
		playing, err := p.d.on.stage.play(p.pcm[p.at:])
		if err != nil {
			return false, fmt.Errorf("play: %w", err)
		}
		began, from := time.Now(), p.at
		event := ""
		select {
		case <-playing.Done():
		case event = <-r.events:
		case <-barge:
			event = "terminate"
		case <-ctx.Done():
			event = "terminate"
		}
		playing.Stop()
		<-playing.Done()
		p.heard(event, from, time.Since(began))
		if err := p.cut(ctx); err != nil {
			return false, err
		}
		suspended = event == "pause" || event == "toggle-state"
	}
	return suspended, nil
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
	left := len(p.pcm) - from
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
	case event == "forward":
		p.at = min(p.at+p.skip, len(p.pcm))
	case event == "backward":
		p.at = max(p.at-p.skip, 0)
	case event == "restart":
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

// generateKeys performs <dtmfgen> (section 9.7.2).
func (d *dialog) generateKeys(ctx context.Context, n *doc.Node, r *running) error {
	pressing, stop := context.WithCancel(ctx)
	defer stop()
	pressed := make(chan error, 1)
	go func() { pressed <- d.on.stage.press(pressing, strings.ToUpper(n.Attr("digits"))) }()
	end := "dtmfgen.complete"
	var err error
	select {
	case err = <-pressed:
	case end = <-r.events:
		stop()
		<-pressed
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	d.set("dtmfgen.end", end)
	return d.finally(ctx, n, "dtmfgenexit", r)
}

// generateTones performs <tonegen> (section 9.7.3).
func (d *dialog) generateTones(ctx context.Context, n *doc.Node, r *running) error {
	end, err := d.tones(ctx, n, r)
	if err != nil {
		return err
	}
	d.set("tonegen.end", end)
	return d.finally(ctx, n, "tonegenexit", r)
}

// endlessly is how much of a tone without an end is made at once.
const endlessly = time.Minute

func (d *dialog) tones(ctx context.Context, n *doc.Node, r *running) (string, error) {
	pcm, endless := toneAudio(n)
	p := &player{d: d, pcm: pcm}
	for i := 0; (endless || i < doc.TimesOf(n, "iterate", 1)) && p.end == ""; i++ {
		p.at = 0
		if _, err := p.perform(ctx, r, nil, false); err != nil {
			return "", err
		}
		if len(pcm) == 0 {
			break
		}
	}
	if p.end == "" {
		p.end = "tonegen.complete"
	}
	return p.end, nil
}

// toneAudio renders <tonegen>. A tone that never ends makes what follows it unheard.
func toneAudio(n *doc.Node) (pcm []int16, endless bool) {
	for _, c := range n.Elements() {
		if c.Name == "silence" {
			pcm = append(pcm, tone.PCM(audiofile.Rate, tone.Part{For: doc.TimeOf(c, "duration", 0)})...)
		}
		if c.Name != "tone" {
			continue
		}
		one, forever := toneOf(c)
		times := doc.TimesOf(c, "iterate", 1)
		for range times {
			if len(pcm)+len(one) > longestAudio || len(one) == 0 {
				break
			}
			if times == doc.Forever && len(pcm) > samples(endlessly) {
				return pcm, true
			}
			pcm = append(pcm, one...)
		}
		if forever {
			return pcm, true
		}
	}
	return pcm, false
}

// toneOf renders one <tone> with the silence after it.
func toneOf(n *doc.Node) (pcm []int16, forever bool) {
	length := min(doc.TimeOf(n, "duration", 0), endlessly)
	forever = length == 0
	if forever {
		length = endlessly
	}
	mixed := make([]int32, samples(length))
	for _, name := range []string{"tone1", "tone2"} {
		c := child(n, name)
		if c == nil {
			continue
		}
		var hz, attenuation float64
		fmt.Sscanf(strings.TrimSuffix(c.Attr("freq"), "Hz"), "%g", &hz)
		fmt.Sscanf(c.Attr("atten"), "%g", &attenuation)
		if attenuation > 0 {
			attenuation = -attenuation
		}
		for i, s := range tone.PCM(audiofile.Rate, tone.Part{Hz: []float64{hz}, Level: attenuation, For: length}) {
			mixed[i] += int32(s)
		}
	}
	for _, s := range mixed {
		pcm = append(pcm, int16(max(-32768, min(32767, s))))
	}
	if c := child(n, "silence"); c != nil {
		pcm = append(pcm, make([]int16, samples(min(doc.TimeOf(c, "duration", 0), endlessly)))...)
	}
	return pcm, forever
}
