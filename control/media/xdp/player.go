package xdp

import (
	"errors"
	"fmt"
	"time"

	"mcp/bpf/player"
	"mcp/control/media"
)

// voice implements media.Voice by a stream of the kernel plane's player.
type voice struct {
	player *player.Player
	stream *player.Stream
	done   func(error)
	length time.Duration // of the recording
	codec  string        // what it plays in; Agree has one caller at a time
}

var _ media.Player = (*Plane)(nil)

// Play implements media.Player.
func (p *Plane) Play(to media.PlaneLeg, r media.Recording) (media.Voice, error) {
	l, ok := to.(*leg)
	if !ok || l.plane != p {
		return nil, errors.New("play to leg: it is of another plane")
	}
	c := r.Clip.Codec()
	v := &voice{
		player: p.player, done: r.Done, codec: c.Name,
		length: time.Duration(len(r.Clip.Payload())) * time.Second / time.Duration(c.ClockRate),
	}
	clip, err := v.clip(r.Clip)
	if err != nil {
		return nil, fmt.Errorf("play to leg %s: %w", l.kernel.Local(), err)
	}
	defer clip.Release()
	v.stream, err = p.player.NewStream(l.kernel, player.StreamConfig{
		Ptime: r.Ptime, PayloadType: r.PayloadType, Notify: v.notify,
	})
	if err != nil {
		return nil, err
	}
	v.stream.Configure(r.PayloadType, r.Muted)
	return v, v.stream.Play(clip, player.Options{From: r.From, Repeat: r.Repeat})
}

// clip puts a recording where the kernel reads it, unless it is there already.
func (v *voice) clip(c *media.Clip) (*player.Clip, error) {
	format := player.Format{Name: c.Codec().Name, Rate: c.Codec().ClockRate, Silence: c.Codec().Silence()}
	key := player.Key{Source: c.Digest(), Codec: format.Name}
	return v.player.Clip(key, format, func(to *player.Clip) error {
		_, err := to.Write(c.Payload())
		return err
	})
}

func (v *voice) notify(e player.Event) {
	switch e.Kind {
	case player.Drained:
		v.done(nil)
	case player.Failed:
		v.done(e.Err)
	}
}

// Agree implements media.Voice.
func (v *voice) Agree(r media.Recording) {
	v.stream.Configure(r.PayloadType, r.Muted)
	if v.codec == r.Clip.Codec().Name {
		return
	}
	clip, err := v.clip(r.Clip)
	if err != nil {
		v.stream.Stop()
		v.done(err)
		return
	}
	defer clip.Release()
	v.codec = r.Clip.Codec().Name
	v.stream.Recode(clip)
}

// Hold implements media.Voice.
func (v *voice) Hold(paused bool) {
	if paused {
		v.stream.Pause()
		return
	}
	v.stream.Resume()
}

// Seek implements media.Voice.
func (v *voice) Seek(offset time.Duration) { v.stream.Seek(offset) }

// Position implements media.Voice.
func (v *voice) Position() time.Duration {
	if _, offset, ok := v.stream.Position(); ok {
		return offset
	}
	return v.length // all has been said
}

// Stop implements media.Voice.
func (v *voice) Stop() { v.stream.Stop() }
