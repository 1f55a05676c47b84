package player

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"mcp/bpf"
	"mcp/bpf/bpftest"
)

// both runs a test where the kernel makes the packets and where userspace does.
func both(t *testing.T, test func(r *rig)) {
	in(t, map[string]rigOptions{"kernel": {}, "generic": {mode: bpf.ModeGeneric}}, test)
}

func in(t *testing.T, planes map[string]rigOptions, test func(r *rig)) {
	t.Parallel()
	for name, o := range planes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, o)
			if want := o.mode != bpf.ModeGeneric && !o.config.Portable; r.player.InKernel() != want {
				t.Fatalf("packets are made in the kernel: %v: %s", !want, r.player.Reason())
			}
			test(r)
		})
	}
}

// saying hears audio, all of it, in packets of a size, and the silence after it. A
// first packet has the marker and may begin anywhere; it returns the last.
func (e *ear) saying(audio []byte, size int, before *heard) heard {
	e.Helper()
	for at := 0; at < len(audio); at += size {
		want := append([]byte{}, audio[at:min(at+size, len(audio))]...)
		want = append(want, bytes.Repeat([]byte{0xff}, size-len(want))...)
		h := e.hear()
		if !bytes.Equal(h.Payload, want) {
			e.Fatalf("at %d: heard\n%x, want\n%x", at, h.Payload, want)
		}
		if h.Marker != (before == nil) {
			e.Fatalf("at %d: marker is %v", at, h.Marker)
		}
		if before != nil && (h.Seq != before.Seq+1 || h.TS != before.TS+uint32(size)) {
			e.Fatalf("at %d: after %d, %d came %d, %d", at, before.Seq, before.TS, h.Seq, h.TS)
		}
		before = &h
	}
	return *before
}

func TestAClipIsHeardAsItIs(t *testing.T) {
	in(t, map[string]rigOptions{
		"kernel":       {},
		"IPv6":         {ipv6: true},
		"generic":      {mode: bpf.ModeGeneric},
		"generic IPv6": {mode: bpf.ModeGeneric, ipv6: true},
		"userspace":    {config: Config{Portable: true}},
	}, func(r *rig) {
		e := r.ear(0)
		audio := speech(pageOwn + 77) // pages are crossed, and the last packet is filled up
		frames := (len(audio) + 159) / 160
		events := make(chan Event, 10)
		s := e.stream(StreamConfig{Notify: func(ev Event) { events <- ev }})
		begin := time.Now()
		r.must(s.Play(r.clip(audio), Options{Mark: "one"}))
		e.saying(audio, 160, nil)
		r.expect(events, Event{Kind: Started, Mark: "one"})
		length := time.Duration(len(audio)) * time.Second / 8000
		finished := r.expect(events, Event{Kind: Finished, Mark: "one", Offset: length})
		if took := finished.Sub(begin); took < time.Duration(frames)*20*time.Millisecond {
			r.Errorf("%d frames were heard after %s", frames, took)
		}
		r.expect(events, Event{Kind: Drained})
		if st := r.player.Stats(); st.Sent != uint64(frames) || st.Refused != 0 || st.Handed != 0 || st.Streams != 0 {
			r.Errorf("%+v", st)
		}
		if st, err := e.leg.Stats(); err != nil || st.TxPackets != uint64(frames) {
			r.Errorf("%+v, %v", st, err)
		}
	})
}

// expect waits for an event and tells when it was.
func (r *rig) expect(events <-chan Event, want Event) time.Time {
	r.Helper()
	select {
	case got := <-events:
		at := got.At
		got.At = time.Time{}
		if got != want {
			r.Fatalf("event %+v, want %+v", got, want)
		}
		return at
	case <-time.After(late):
		r.Fatalf("no event, want %+v", want)
		return time.Time{}
	}
}

func TestPacketsAreAsLongAsTheFarEndWants(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	audio := speech(2400)
	for n, ptime := range []time.Duration{10, 20, 30, 40, 60} {
		e := r.ear(n)
		s := e.stream(StreamConfig{Ptime: ptime * time.Millisecond})
		r.must(s.Play(r.clip(audio), Options{}))
		e.saying(audio, int(ptime)*8, nil)
	}
	l := r.leg(9, r.listen())
	for _, ptime := range []time.Duration{5 * time.Millisecond, 70 * time.Millisecond, 10500 * time.Microsecond} {
		if _, err := r.player.NewStream(l, StreamConfig{Ptime: ptime}); !errors.Is(err, ErrPtime) {
			t.Errorf("%s: %v", ptime, err)
		}
	}
}

// Packets of a clip bear the traffic class of their leg, from the first after a
// change on (RFC 2474).
func TestAClipIsMarked(t *testing.T) {
	in(t, map[string]rigOptions{
		"kernel":       {},
		"IPv6":         {ipv6: true},
		"generic":      {mode: bpf.ModeGeneric},
		"generic IPv6": {mode: bpf.ModeGeneric, ipv6: true},
		"userspace":    {config: Config{Portable: true}},
	}, func(r *rig) {
		e, wire := r.ear(0), bpftest.NewWire(r, r.far)
		for _, dscp := range []uint8{46, 8, 0, 63} {
			c := legConfig(e.conn)
			c.Far.DSCP = dscp
			r.must(e.leg.Configure(c))
			s := e.stream(StreamConfig{})
			r.must(s.Play(r.clip(speech(3*160)), Options{}))
			for range 3 {
				if d := wire.From(r, e.leg.Local()); d.Class != dscp<<2 {
					r.Errorf("a packet has traffic class %#x, want DSCP %d", d.Class, dscp)
				}
			}
		}
	})
}

// No packet leaves before its time, and late ones do not delay those after them. How
// late one is heard is the machine's affair: the pace is that of the least late of a second.
func TestPace(t *testing.T) {
	both(t, func(r *rig) {
		const frames, second, slack = 100, 50, 300 * time.Millisecond
		e := r.ear(0)
		s, clip := e.stream(StreamConfig{}), r.clip(speech(frames*160))
		begin := time.Now()
		r.must(s.Play(clip, Options{}))
		least := [frames / second]time.Duration{time.Hour, time.Hour}
		for n := range frames {
			after := e.hear().at.Sub(begin) - time.Duration(n)*20*time.Millisecond
			if after < 0 {
				r.Fatalf("frame %d is %s early", n, -after)
			}
			least[n/second] = min(least[n/second], after)
		}
		if stalls := r.player.Stats().Stalls; stalls == 0 && least[1] > least[0]+slack {
			r.Errorf("after a second all frames come %s later", least[1]-least[0])
		}
	})
}

func TestNothingLeavesAfterStop(t *testing.T) {
	both(t, func(r *rig) {
		e := r.ear(0)
		s := e.stream(StreamConfig{})
		clip := r.clip(speech(16000))
		r.must(s.Play(clip, Options{}))
		for range 3 {
			e.hear()
		}
		s.Stop()
		sent := r.player.Stats().Sent
		for range sent - 3 { // that were on their way
			e.hear()
		}
		if h, any := e.within(100 * time.Millisecond); any {
			r.Errorf("after it stopped: %+v", h)
		}
		s.Stop()
		if _, _, playing := s.Position(); playing || r.player.Stats().Sent != sent {
			r.Error("it plays on")
		}
		// What comes next goes on with the stream, by the clock.
		r.must(s.Play(clip, Options{}))
		if h := e.hear(); !h.Marker || !bytes.Equal(h.Payload, speech(160)) {
			r.Errorf("%+v", h)
		}
	})
}

func TestClipsFollowEachOther(t *testing.T) {
	both(t, func(r *rig) {
		e := r.ear(0)
		events := make(chan Event, 20)
		s := e.stream(StreamConfig{Notify: func(ev Event) { events <- ev }})
		a, b := speech(500), speech(900)
		r.must(s.Play(r.clip(a), Options{Mark: "a"}))
		r.must(s.Play(r.clip(nil), Options{Mark: "nothing", Repeat: -1}))
		r.must(s.Play(r.clip(b), Options{Mark: "b", From: 50 * time.Millisecond, Repeat: 1}))
		last := e.saying(a, 160, nil)
		last = e.saying(b[400:], 160, &last)
		e.saying(b, 160, &last)
		r.expect(events, Event{Kind: Started, Mark: "a"})
		r.expect(events, Event{Kind: Finished, Mark: "a", Offset: 62500 * time.Microsecond})
		r.expect(events, Event{Kind: Finished, Mark: "nothing"})
		r.expect(events, Event{Kind: Started, Mark: "b"})
		r.expect(events, Event{Kind: Finished, Mark: "b", Offset: 112500 * time.Microsecond})
		r.expect(events, Event{Kind: Drained})
	})
}

func TestPauseResumeSeek(t *testing.T) {
	both(t, func(r *rig) {
		e := r.ear(0)
		s := e.stream(StreamConfig{})
		audio := speech(8000)
		r.must(s.Play(r.clip(audio), Options{Mark: 7}))
		e.hear()
		s.Pause()
		mark, at, ok := s.Position()
		if mark != 7 || !ok || at != time.Duration(r.player.Stats().Sent)*20*time.Millisecond {
			r.Errorf("%v, %s, %v after %d packets", mark, at, ok, r.player.Stats().Sent)
		}
		last := heard{}
		for {
			h, more := e.within(100 * time.Millisecond)
			if !more {
				break
			}
			last = h
		}
		if _, now, _ := s.Position(); now != at {
			r.Errorf("it went on from %s to %s", at, now)
		}
		s.Seek(500 * time.Millisecond)
		s.Resume()
		next := e.hear()
		if !next.Marker || !bytes.Equal(next.Payload, audio[4000:4160]) {
			r.Errorf("it goes on with %+v", next)
		}
		if last.Payload != nil && (next.Seq != last.Seq+1 || next.TS-last.TS < 8*100) {
			r.Errorf("after %d, %d came %d, %d", last.Seq, last.TS, next.Seq, next.TS)
		}
		e.saying(audio[4160:], 160, &next)
	})
}

// A clip plays while it is written. What is not there yet is waited for, and only
// whole packets leave until it has ended.
func TestAClipIsHeardWhileItGrows(t *testing.T) {
	both(t, func(r *rig) {
		e := r.ear(0)
		s := e.stream(StreamConfig{})
		clip, err := r.player.NewClip(pcmu())
		r.must(err)
		r.must(s.Play(clip, Options{}))
		audio := speech(3 * 8000)
		write := func(from, to int) {
			_, err := clip.Write(audio[from:to])
			r.must(err)
		}
		if _, any := e.within(50 * time.Millisecond); any || r.player.Stats().Underruns != 0 {
			r.Error("something is heard before anything is there")
		}
		write(0, 100)
		write(100, 400)
		e.saying(audio[:320], 160, nil)
		for until := time.Now().Add(late); r.player.Stats().Underruns == 0; {
			if h, any := e.within(50 * time.Millisecond); any {
				r.Fatalf("heard before it was written: %+v", h)
			}
			if time.Now().After(until) {
				r.Fatal("nobody counted that it ran dry")
			}
		}
		write(400, 2*8000)
		last := e.saying(audio[320:480], 160, nil)
		write(2*8000, len(audio))
		clip.End(nil)
		clip.Release()
		e.saying(audio[480:], 160, &last)
	})
}

func TestHoldLeavesTimeGoingOn(t *testing.T) {
	both(t, func(r *rig) {
		e := r.ear(0)
		s := e.stream(StreamConfig{})
		audio := speech(8000)
		r.must(s.Play(r.clip(audio), Options{}))
		first := e.hear()
		config := legConfig(e.conn)
		config.MaySend = false
		r.must(e.leg.Configure(config))
		e.silence(s)
		config.MaySend = true
		r.must(e.leg.Configure(config))
		h := e.hear()
		n := bytes.Index(audio, h.Payload)
		if n < 480 || n%160 != 0 || !h.Marker {
			r.Errorf("it goes on at %d with %+v", n, h)
		}
		// A stall, on a busy machine, moves the audio and not the time.
		gone := int(h.TS - first.TS)
		if r.player.Stats().Stalls == 0 && (gone < n-2*160 || gone > n+2*160) {
			r.Errorf("audio went on by %d, time by %d", n, gone)
		}
		s.Configure(payloadType, true)
		e.silence(s)
		s.Configure(payloadType, false)
		if again := e.hear(); !again.Marker || bytes.Index(audio, again.Payload) < n+320 {
			r.Errorf("it goes on with %+v", again)
		}
	})
}

// silence hears nothing while a stream goes on for three packets.
func (e *ear) silence(s *Stream) {
	e.Helper()
	_, from, _ := s.Position()
	for {
		_, more := e.within(60 * time.Millisecond)
		if _, at, playing := s.Position(); !more && at >= from+60*time.Millisecond || !playing {
			return
		}
	}
}

func TestAStreamThatIsNotHeardIsGivenUp(t *testing.T) {
	both(t, func(r *rig) {
		e := r.ear(0)
		events := make(chan Event, 10)
		s := e.stream(StreamConfig{Notify: func(ev Event) { events <- ev }})
		r.must(s.Play(r.clip(speech(80000)), Options{Mark: 1}))
		r.expect(events, Event{Kind: Started, Mark: 1})
		e.hear()
		_, err := e.leg.Close()
		r.must(err)
		failed := <-events
		if failed.Kind != Failed || failed.Err == nil || failed.Offset < patience {
			r.Errorf("%+v", failed)
		}
		if _, _, playing := s.Position(); playing || r.player.Stats().Streams != 0 {
			r.Error("it plays on")
		}
	})
}

func TestRecodeGoesOnInPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	e := r.ear(0)
	s := e.stream(StreamConfig{})
	other, err := r.player.NewClip(Format{Name: "PCMA", Rate: 8000, Silence: 0xd5})
	r.must(err)
	audio, recoded := speech(8000), bytes.Repeat([]byte{0x55, 0x2a}, 4000)
	_, err = other.Write(recoded)
	r.must(err)
	other.End(nil)
	s.Recode(other) // nothing plays
	r.must(s.Play(r.clip(audio), Options{}))
	if err := s.Play(other, Options{}); !errors.Is(err, ErrFormat) {
		t.Errorf("two formats in a row: %v", err)
	}
	e.hear()
	s.Recode(other)
	other.Release()
	last := heard{}
	for range 49 {
		h := e.hear()
		if last.Payload != nil && h.Seq != last.Seq+1 {
			t.Errorf("after %d came %d", last.Seq, h.Seq)
		}
		last = h
	}
	if h, more := e.within(100 * time.Millisecond); more {
		t.Errorf("after the last came %d", h.Seq)
	}
}

// The kernel cannot send to a neighbour that it does not know yet. Userspace does,
// and no packet is lost.
func TestUserspaceSendsToUnknownNeighbors(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{unknown: true})
	e := r.ear(0)
	audio := speech(4000)
	r.must(e.stream(StreamConfig{}).Play(r.clip(audio), Options{}))
	e.saying(audio, 160, nil)
	if st := r.player.Stats(); st.Handed == 0 || st.Handed == st.Sent || st.Refused != 0 {
		t.Errorf("%+v", st)
	}
}

func TestAThousandStreams(t *testing.T) {
	both(t, func(r *rig) {
		const streams, frames = 1000, 30
		conn := r.listen()
		clip := r.clip(speech(frames * 160))
		drained := make(chan struct{}, streams)
		for n := range streams {
			s, err := r.player.NewStream(r.leg(n, conn), StreamConfig{Notify: func(ev Event) {
				if ev.Kind == Drained {
					drained <- struct{}{}
				}
			}})
			r.must(err)
			r.must(s.Play(clip, Options{}))
		}
		for range streams {
			<-drained
		}
		if st := r.player.Stats(); st.Sent != streams*frames || st.Refused != 0 {
			r.Fatalf("%+v", st)
		}
		all, audio := &ear{rig: r, conn: conn}, speech(frames*160)
		next := make(map[uint32]heard)
		for range streams * frames {
			h := all.any()
			before, known := next[h.SSRC]
			at := int(h.TS - next[h.SSRC].TS)
			if !known {
				before, at = heard{RTP: h.RTP}, 0
				next[h.SSRC] = before
			}
			if n := int(h.Seq - before.Seq); at != n*160 || h.Marker != (n == 0) || !bytes.Equal(h.Payload, audio[at:at+160]) {
				r.Fatalf("stream %x: %d, %d", h.SSRC, n, at)
			}
		}
		if len(next) != streams {
			r.Errorf("%d streams are heard", len(next))
		}
	})
}

func TestCloseStopsAll(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	e := r.ear(0)
	s := e.stream(StreamConfig{})
	clip := r.clip(speech(80000))
	r.must(s.Play(clip, Options{}))
	e.hear()
	r.must(r.player.Close())
	for {
		if _, more := e.within(60 * time.Millisecond); !more {
			break
		}
	}
	if err := s.Play(clip, Options{}); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	s.Resume()
	s.Stop()
}
