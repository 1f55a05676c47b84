package media

import (
	"math"
	"testing"
	"time"

	"mcp/control/media/alloctest"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/rtpstream"
	"mcp/control/media/tone"
)

// decoded is what a leg sent, and whether its packets last 20 ms each.
func decoded(t *testing.T, p *recorded, c codec.Codec) (pcm []int16) {
	t.Helper()
	d, err := codec.NewDecoder(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.all() {
		if want := uint32(c.ClockRate / 50); s.Samples != want || c.Ticks(s.Data) != want {
			t.Fatalf("a packet advances by %d and lasts %d ticks, want %d", s.Samples, c.Ticks(s.Data), want)
		}
		if pcm, err = d.Decode(pcm, s.Data); err != nil {
			t.Fatal(err)
		}
	}
	return pcm
}

// Clips are heard in every codec, and so is what engines write in G.711.
func TestEveryCodecIsPlayed(t *testing.T) {
	heard := tone.PCM(8000, tone.Part{Hz: []float64{440}, Level: -10, For: time.Second})
	for _, c := range []codec.Codec{codec.PCMU, codec.PCMA, codec.G722, codec.Opus} {
		timed(t, func(s *studio) {
			for _, live := range []bool{false, true} {
				leg, p := s.connected("caller", c)
				b, err := playTo(s, leg, c, live, heard)
				s.must(err)
				<-b.Done()
				s.must(b.Err())
				pcm := decoded(t, p, c)
				rate := c.SampleRate()
				if len(pcm) < rate*95/100 || len(pcm) > rate*105/100 {
					t.Fatalf("%s, live %v: %d samples of a second", c.Name, live, len(pcm))
				}
				if l := measure.Tone(pcm[rate/4:rate*3/4], rate, 440); math.Abs(l+10) > 1.5 {
					t.Errorf("%s, live %v: %.1f dBm0", c.Name, live, l)
				}
				s.must(leg.Close())
			}
		})
	}
}

func playTo(s *studio, leg *Leg, c codec.Codec, live bool, pcm []int16) (*Playback, error) {
	if !live {
		clip, err := NewClip(pcm, c)
		s.must(err)
		if n := clip.Samples(); n != len(pcm) || (clip.Payload() == nil) == c.Octets() || clip.Digest() == "" {
			s.Errorf("a clip of %d samples in %s", n, c.Name)
		}
		return s.session.Play(leg, clip)
	}
	l := NewLive(c)
	octets, err := Law(c).Encode(pcm)
	s.must(err)
	_, err = l.Write(octets)
	s.must(err)
	l.End(nil)
	return s.session.PlayLive(leg, l)
}

// A clip whose far end turns to another codec goes on in that.
func TestAClipFollowsTheCodec(t *testing.T) {
	for _, to := range []codec.Codec{codec.PCMA, codec.G722, codec.Opus} {
		s := newStudio(t)
		_, p := s.connected("caller", to)
		leg := s.session.legLocked("caller")
		clip, err := NewClip(tone.PCM(8000, tone.Part{Hz: []float64{440}, Level: -10, For: time.Second}), codec.PCMU)
		s.must(err)
		script := scriptOf(clip)
		for n := range script.frames() {
			payload, ok, err := script.frame(n, leg.state.Load())
			if err != nil || !ok {
				t.Fatal(err)
			}
			s.must(leg.send(leg.state.Load(), payload))
		}
		pcm, rate := decoded(t, p, to), to.SampleRate()
		if l := measure.Tone(pcm[rate/4:rate*3/4], rate, 440); math.Abs(l+10) > 1.5 {
			t.Errorf("%s: %.1f dBm0", to.Name, l)
		}
	}
}

// A transcoded bridge costs no memory in its steady state.
func TestTranscodingDoesNotAllocate(t *testing.T) {
	s := newStudio(t)
	for _, from := range append(codec.Spoken(), codec.L16) {
		for _, to := range append(codec.Spoken(), codec.L16) {
			if from.Same(to) {
				continue // the plane relays
			}
			caller, _ := s.connected("caller", from)
			server, p := s.connected("server", to)
			s.must(s.session.Join(caller, server))
			n, sent := bridgeAllocations(s, from, caller, p)
			if n != 0 || sent == 0 {
				t.Errorf("%s to %s: %g allocations a packet, %d sent on", from.Name, to.Name, n, sent)
			}
			s.must(caller.Close())
			s.must(server.Close())
		}
	}
}

// bridgeAllocations is what a packet costs that comes to a leg, and how many had
// been sent on before that was counted.
func bridgeAllocations(s *studio, c codec.Codec, from *Leg, to *recorded) (allocations float64, sent int) {
	s.Helper()
	e, err := codec.NewEncoder(c)
	s.must(err)
	payload, err := e.Encode(nil, tone.PCM(c.SampleRate(), tone.Part{Hz: []float64{440}, Level: -10, For: 20 * time.Millisecond}))
	s.must(err)
	h := rtpstream.Header{Type: c.PayloadType, SSRC: 1}
	packet, now := append(h.Append(nil), payload...), time.Now()
	say := func() {
		h.Sequence++
		h.Timestamp += uint32(c.ClockRate / 50)
		h.Put(packet)
		from.RTP(packet, now)
	}
	for range 20 {
		say()
	}
	sent = len(to.all())
	to.keep = false
	return alloctest.PerRun(100, say), sent
}
