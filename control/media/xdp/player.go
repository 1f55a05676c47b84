package xdp

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"mcp/bpf/player"
	"mcp/control/media"
)

// voice implements media.Voice by a stream of the kernel plane's player.
type voice struct {
	player *player.Player
	stream *player.Stream
	done   func(error)
	codec  string // what it plays in; Agree has one caller at a time
	length func() time.Duration
	err    error // why the recording ended too early; the notifier's

	mu    sync.Mutex // guards what follows
	leave func()     // ends following what is written while it plays; nil: nothing is
	over  bool
}

var _ media.Player = (*Plane)(nil)

// Play implements media.Player.
func (p *Plane) Play(to media.PlaneLeg, r media.Recording) (media.Voice, error) {
	l, ok := to.(*leg)
	if !ok || l.plane != p {
		return nil, errors.New("play to leg: it is of another plane")
	}
	v := &voice{player: p.player, done: r.Done, codec: r.Codec.Name, length: lengthOf(r)}
	clip, err := v.clip(r)
	if err != nil {
		return nil, fmt.Errorf("play to leg %s: %w", l.kernel.Local(), err)
	}
	defer clip.Release()
	v.stream, err = p.player.NewStream(l.kernel, player.StreamConfig{
		Ptime: r.Ptime, PayloadType: r.PayloadType, Notify: v.notify,
	})
	if err == nil {
		v.stream.Configure(r.PayloadType, r.Muted)
		err = v.stream.Play(clip, player.Options{From: r.From, Repeat: r.Repeat, Live: r.Live != nil})
	}
	if err != nil {
		v.part()
		return nil, err
	}
	return v, nil
}

// lengthOf is how long a recording is by the time it has been said.
func lengthOf(r media.Recording) func() time.Duration {
	if r.Live != nil {
		return r.Live.Length
	}
	length := time.Duration(len(r.Clip.Payload())) * time.Second / time.Duration(r.Codec.ClockRate)
	return func() time.Duration { return length }
}

// clip puts a recording where the kernel reads it, unless it is there already. The
// caller releases it.
func (v *voice) clip(r media.Recording) (*player.Clip, error) {
	format := player.Format{Name: r.Codec.Name, Rate: r.Codec.ClockRate, Silence: r.Codec.Silence()}
	if r.Live != nil {
		return v.follow(r, format)
	}
	key := player.Key{Source: r.Clip.Digest(), Codec: format.Name}
	return v.player.Clip(key, format, func(to *player.Clip) error {
		_, err := to.Write(r.Clip.Payload())
		return err
	})
}

// follow begins a clip that grows with what is written.
func (v *voice) follow(r media.Recording, f player.Format) (*player.Clip, error) {
	clip, err := v.player.NewClip(f)
	if err != nil {
		return nil, err
	}
	stop, err := r.Live.Follow(r.Codec, clip)
	if err != nil {
		clip.Release()
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.leave != nil {
		v.leave()
	}
	if v.over { // the caller's use is the last
		stop()
		return clip, nil
	}
	clip.Use() // as long as it is written
	v.leave = func() { stop(); clip.Release() }
	return clip, nil
}

// part ends following; nothing is played any more.
func (v *voice) part() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	if v.leave != nil {
		v.leave()
		v.leave = nil
	}
}

func (v *voice) notify(e player.Event) {
	switch e.Kind {
	case player.Finished:
		v.err = e.Err
	case player.Drained:
		v.part()
		v.done(v.err)
	case player.Failed:
		v.part()
		v.done(e.Err)
	}
}

// Agree implements media.Voice.
func (v *voice) Agree(r media.Recording) {
	v.stream.Configure(r.PayloadType, r.Muted)
	if v.codec == r.Codec.Name {
		return
	}
	clip, err := v.clip(r)
	if err != nil {
		v.Stop()
		v.done(err)
		return
	}
	defer clip.Release()
	v.codec = r.Codec.Name
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
	return v.length() // all has been said
}

// Stop implements media.Voice.
func (v *voice) Stop() {
	v.stream.Stop()
	v.part()
}
