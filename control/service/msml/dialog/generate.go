package dialog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/tone"
	"mcp/control/service/msml/doc"
)

// generateKeys performs <dtmfgen> (section 9.7.2).
func (d *Dialog) generateKeys(ctx context.Context, n *doc.Node, r *running) error {
	pressing, stop := context.WithCancel(ctx)
	defer stop()
	pressed := make(chan error, 1)
	go func() { pressed <- d.on.Stage.Press(pressing, strings.ToUpper(n.Attr("digits"))) }()
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
func (d *Dialog) generateTones(ctx context.Context, n *doc.Node, r *running) error {
	end, err := d.tones(ctx, n, r)
	if err != nil {
		return err
	}
	d.set("tonegen.end", end)
	return d.finally(ctx, n, "tonegenexit", r)
}

// endlessly is how much of a tone without an end is made at once.
const endlessly = time.Minute

func (d *Dialog) tones(ctx context.Context, n *doc.Node, r *running) (string, error) {
	pcm, endless := toneAudio(n)
	p := &player{d: d, parts: []part{{audio: stretch{{wound(pcm), 1}}, times: 1}}}
	for i := 0; (endless || i < doc.TimesOf(n, "iterate", 1)) && p.end == ""; i++ {
		p.rewind()
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
		c := doc.Child(n, name)
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
	if c := doc.Child(n, "silence"); c != nil {
		pcm = append(pcm, make([]int16, samples(min(doc.TimeOf(c, "duration", 0), endlessly)))...)
	}
	return pcm, forever
}
