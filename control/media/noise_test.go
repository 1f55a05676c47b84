package media

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/rtpstream"
)

const noiseType = 13

// hushed is what was agreed with a far end that takes and sends comfort noise.
func hushed(c codec.Codec) FarEnd {
	far := agreed(c)
	far.Noise = noiseType
	return far
}

// speaker is a far end's stream.
type speaker struct {
	leg *recorded
	rtpstream.Header
}

func (s *speaker) say(payload []byte, ticks uint32) {
	s.leg.hears(s.Header, payload)
	s.Sequence++
	s.Timestamp += ticks
}

func (s *speaker) hush(description ...byte) {
	h := s.Header
	h.Type = noiseType
	s.leg.hears(h, description)
	s.Sequence++
}

// While a far end sends nothing but comfort noise, noise at its level is heard in its
// place by all who hear it through userspace: as many frames as time goes by, in one run.
func TestComfortNoiseIsHeardAsAudio(t *testing.T) {
	for _, c := range []codec.Codec{codec.PCMU, codec.PCMA, codec.G722, codec.GSM} {
		t.Run(c.Name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { hearHush(t, c) }) })
	}
}

func hearHush(t *testing.T, c codec.Codec) {
	s := newStudio(t)
	defer s.close()
	caller, at := s.connected("caller", c)
	server, to := s.connected("server", c)
	s.must(caller.Connect(hushed(c), c))
	s.must(s.session.Join(caller, server))
	var heard eavesdropper
	tap, err := caller.Tap(&heard)
	s.must(err)
	frames, err := c.Frames(make([]int16, 1600))
	s.must(err)
	far := &speaker{leg: at, Header: rtpstream.Header{SSRC: 9, Type: c.PayloadType, Stamp: rtpstream.Stamp{Sequence: 65534, Timestamp: 1}}}
	spell := func(n int) {
		for i := range n {
			far.say(frames[i], c.Ticks(frames[i]))
			time.Sleep(20 * time.Millisecond)
		}
	}
	spell(5)
	far.hush(40, 100, 140)
	time.Sleep(300 * time.Millisecond)
	far.hush(40, 100, 140)
	time.Sleep(700 * time.Millisecond)
	far.Timestamp += 50 * c.Ticks(frames[0])
	spell(3)
	far.hush(127)
	time.Sleep(200 * time.Millisecond)
	far.Timestamp += 10 * c.Ticks(frames[0])
	spell(2)
	s.must(tap.Close())
	heardAsOne(t, c, heard)
	if sent := to.all(); len(sent) != len(heard) {
		t.Errorf("%d packets heard, %d sent on", len(heard), len(sent))
	}
	if n := len(heard); n < 5+50+3+10+2-2 || n > 5+50+3+10+2+2 {
		t.Errorf("%d packets heard in 1.4 s", n)
	}
	d, err := codec.NewDecoder(c)
	s.must(err)
	var pcm []int16
	for _, h := range heard[10:50] {
		pcm, err = d.Decode(pcm, h.Payload)
		s.must(err)
	}
	if level := measure.Level(pcm[len(pcm)/4:]); math.Abs(level-(6.18-40)) > 2.5 {
		t.Errorf("the noise is at %.1f dBm0", level)
	}
}

// heardAsOne checks that packets are one run, numbered without a gap.
func heardAsOne(t *testing.T, c codec.Codec, heard []Heard) {
	t.Helper()
	for i := 1; i < len(heard); i++ {
		a, b := heard[i-1], heard[i]
		if b.Sequence != a.Sequence+1 || b.SSRC != a.SSRC || !b.Codec.Same(c) {
			t.Errorf("packet %d is number %d after %d, of %s", i, b.Sequence, a.Sequence, b.Codec.Name)
		}
		if step := int32(b.Timestamp - a.Timestamp); step < 0 || step > 480 {
			t.Errorf("packet %d: the timestamp steps by %d", i, step)
		}
	}
}

// A packet that comes after the noise it was sent before does not end the noise, and
// one behind a loss leaves its gap.
func TestComfortNoiseOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		defer s.close()
		caller, at := s.connected("caller", codec.PCMU)
		s.must(caller.Connect(hushed(codec.PCMU), codec.PCMU))
		var heard eavesdropper
		tap, err := caller.Tap(&heard)
		s.must(err)
		far := &speaker{leg: at, Header: rtpstream.Header{SSRC: 9}}
		audio := make([]byte, 160)
		far.say(audio, 160)
		overtaken := *far
		far.Sequence++
		far.Timestamp += 160
		far.hush(50)
		overtaken.say(audio, 160)
		time.Sleep(205 * time.Millisecond)
		far.Timestamp += 1600
		far.Sequence++ // lost
		far.say(audio, 160)
		s.must(tap.Close())
		var got []int
		for _, h := range heard {
			got = append(got, int(h.Sequence))
		}
		want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14}
		if len(got) != len(want) {
			t.Fatalf("heard %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("heard %v, want %v", got, want)
			}
		}
	})
}

// Whoever leaves or renegotiates is not heard any more.
func TestComfortNoiseEnds(t *testing.T) {
	tests := map[string]func(*studio, *Leg, *Tap){
		"hold": func(s *studio, l *Leg, _ *Tap) {
			far := hushed(codec.PCMU)
			far.Receive = false
			s.must(l.Connect(far, codec.PCMU))
		},
		"nobody listens": func(s *studio, _ *Leg, tap *Tap) { s.must(tap.Close()) },
		"closed":         func(s *studio, l *Leg, _ *Tap) { s.must(l.Close()) },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStudio(t)
				defer s.close()
				caller, at := s.connected("caller", codec.PCMU)
				s.must(caller.Connect(hushed(codec.PCMU), codec.PCMU))
				var heard eavesdropper
				tap, err := caller.Tap(&heard)
				s.must(err)
				far := &speaker{leg: at}
				far.hush(50)
				time.Sleep(205 * time.Millisecond)
				end(s, caller, tap)
				synctest.Wait()
				before := len(heard)
				time.Sleep(time.Second)
				synctest.Wait()
				if before != 11 || len(heard) != before {
					t.Errorf("%d frames heard before the end, %d after it", before, len(heard)-before)
				}
				caller.receiving.Lock()
				defer caller.receiving.Unlock()
				if caller.hush.state != nil {
					t.Error("noise is still being made")
				}
			})
		})
	}
}

// The plane relays comfort noise between far ends that both take it.
func TestComfortNoiseIsRelayedWhereItIsTaken(t *testing.T) {
	s := newStudio(t)
	caller, at := s.connected("caller", codec.PCMU)
	other, to := s.connected("other", codec.PCMU)
	s.must(s.session.Join(caller, other))
	at.wantRoute(t, to, false, 1)
	s.must(caller.Connect(hushed(codec.PCMU), codec.PCMU))
	at.wantRoute(t, nil, true, 2)
	s.must(other.Connect(hushed(codec.PCMU), codec.PCMU))
	at.wantRoute(t, to, false, 3)
	s.must(caller.Connect(agreed(codec.PCMU), codec.PCMU))
	at.wantRoute(t, to, false, 3)
}

func TestComfortNoiseDoesNotAllocate(t *testing.T) {
	s := newStudio(t)
	caller, at := s.connected("caller", codec.PCMU)
	s.must(caller.Connect(hushed(codec.PCMU), codec.PCMU))
	tap, err := caller.Tap(ListenerFunc(func(Heard) {}))
	s.must(err)
	far := &speaker{leg: at}
	far.hush(50)
	s.engine.clock.Remove(caller.hush) // the test ticks
	if n := testing.AllocsPerRun(100, caller.hush.Tick); n != 0 {
		t.Errorf("%g allocations a frame", n)
	}
	s.must(tap.Close())
}
