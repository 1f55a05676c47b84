package dtmf

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// event is one packet's payload.
func event(key byte, end bool, duration uint16) []byte {
	p := []byte{byte(bytes.IndexByte([]byte(Keys), key)), volume, byte(duration >> 8), byte(duration)}
	if end {
		p[1] |= endBit
	}
	return p
}

type packet struct {
	ssrc, ts uint32
	payload  []byte
}

func TestDetector(t *testing.T) {
	join := bytes.Join
	five := func(end bool, duration uint16) packet { return packet{1, 1000, event('5', end, duration)} }
	tests := []struct {
		name    string
		packets []packet
		want    string
	}{
		{"as it should be", []packet{five(false, 160), five(false, 320), five(true, 480), five(true, 480), five(true, 480)}, "5"},
		{"the start is lost", []packet{five(false, 320), five(true, 480), five(true, 480)}, "5"},
		{"only one end packet came", []packet{five(true, 480)}, "5"},
		{"the end is lost", []packet{five(false, 160), {1, 3000, event('6', false, 160)}}, "56"},
		{"the end overtakes", []packet{five(true, 480), five(false, 160), five(true, 480)}, "5"},
		{"repeated keys", []packet{five(false, 160), {1, 2000, event('5', true, 480)}, {1, 3000, event('5', true, 480)}}, "555"},
		{"late packets of the key before", []packet{five(false, 160), {1, 3000, event('6', false, 160)}, five(true, 480), five(true, 480), {1, 3000, event('6', true, 320)}}, "56"},
		{"the timestamp wraps", []packet{{1, 0xffffff00, event('1', true, 480)}, {1, 0x100, event('2', true, 480)}, {1, 0xffffff00, event('1', true, 480)}}, "12"},
		{"longer than a segment", []packet{five(false, 0xff00), five(false, 0xffff), {1, 1000 + 0xffff, event('5', false, 160)}, {1, 1000 + 0xffff, event('5', true, 320)}}, "5"},
		{"the same key after a long one", []packet{five(false, 0xfff0), five(true, 0xfff0), {1, 1000 + 0xffff, event('5', false, 160)}}, "55"},
		{"another SSRC begins anywhere", []packet{five(true, 480), {2, 500, event('6', true, 480)}}, "56"},
		{"the far end starts over", []packet{{1, 0x70000000, event('5', true, 480)}, {1, 500, event('6', true, 480)}}, "56"},
		{"two keys on one timestamp", []packet{five(false, 160), five(true, 480), {1, 1000, event('6', false, 160)}, five(true, 480)}, "56"},
		{"two events in a packet", []packet{{1, 1000, join([][]byte{event('1', true, 400), event('2', false, 100)}, nil)}, {1, 1400, event('2', true, 300)}}, "12"},
		{"other events", []packet{{1, 1000, []byte{16, 10, 0, 160}}, {1, 2000, []byte{255, 0x8a, 0, 160}}}, ""},
		{"cut short", []packet{{1, 1000, []byte{5, 10, 0}}, {1, 1000, nil}}, ""},
		{"every key", every(), Keys},
	}
	for _, tt := range tests {
		var d Detector
		var got []byte
		for _, p := range tt.packets {
			got = d.Packet(got, p.ssrc, p.ts, p.payload)
		}
		if string(got) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func every() (all []packet) {
	for i := range Keys {
		all = append(all, packet{1, uint32(i * 1000), event(Keys[i], true, 480)})
	}
	return all
}

// TestOneKeyForEachEvent sends rows of keys through a network that loses,
// repeats and reorders. An event is heard if one of its packets arrives before
// the next event does.
func TestOneKeyForEachEvent(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 2))
		keys := make([]byte, 1+rng.IntN(12))
		for i := range keys {
			keys[i] = Keys[rng.IntN(len(Keys))]
		}
		var d Detector
		var got []byte
		for _, p := range deliver(rng, keys) {
			got = d.Packet(got, p.ssrc, p.ts, p.payload)
		}
		if !bytes.Equal(got, keys) {
			t.Fatalf("seed %d: %q became %q", seed, keys, got)
		}
	}
}

func deliver(rng *rand.Rand, keys []byte) (arrived []packet) {
	s, err := NewSequence(string(keys), 20*time.Millisecond, 8000)
	if err != nil {
		panic(err)
	}
	ts := rng.Uint32()
	arrives := false
	for n := range s.Frames() {
		p, ok := s.Packet(n)
		if !ok {
			continue
		}
		if p.First {
			arrives = false
		}
		// The last packet comes if none came before.
		if rng.IntN(3) > 0 || (p.Ticks > 0 && !arrives) {
			arrives = true
			for range 1 + rng.IntN(2) {
				arrived = append(arrived, packet{7, ts, bytes.Clone(p.Data)})
			}
		}
		ts += p.Ticks
	}
	for i := 1; i < len(arrived); i++ {
		// Within an event anything overtakes; across events only what was heard before.
		a, b := arrived[i-1], arrived[i]
		heard := i >= 2 && arrived[i-2].ts == a.ts && i+1 < len(arrived) && arrived[i+1].ts == b.ts
		if (a.ts == b.ts || heard) && rng.IntN(4) == 0 {
			arrived[i-1], arrived[i] = b, a
		}
	}
	return arrived
}

// TestSequence shows the packets of one key as RFC 4733 section 5 does.
func TestSequence(t *testing.T) {
	s, err := NewSequence("d", 20*time.Millisecond, 8000)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		data  []byte
		first bool
		ticks uint32
	}{
		{[]byte{15, 10, 0, 160}, true, 0},
		{[]byte{15, 10, 1, 64}, false, 0},
		{[]byte{15, 10, 1, 224}, false, 0},
		{[]byte{15, 10, 2, 128}, false, 0},
		{[]byte{15, 0x8a, 3, 32}, false, 0},
		{[]byte{15, 0x8a, 3, 32}, false, 0},
		{[]byte{15, 0x8a, 3, 32}, false, 1600},
		{}, {}, {},
	}
	if s.Frames() != len(want) {
		t.Fatalf("%d frames", s.Frames())
	}
	for n, w := range want {
		p, ok := s.Packet(n)
		if ok != (w.data != nil) || p.First != w.first || p.Ticks != w.ticks || !bytes.Equal(p.Data, w.data) {
			t.Errorf("frame %d: %x %+v", n, p.Data, p)
		}
	}
}

func TestSequencesOfOtherFrames(t *testing.T) {
	for _, span := range []time.Duration{10, 20, 30, 40, 60} {
		s, err := NewSequence("19", span*time.Millisecond, 8000)
		if err != nil {
			t.Fatal(err)
		}
		ends := 0
		for n := range s.Frames() {
			if p, ok := s.Packet(n); ok && p.Data[1]&endBit != 0 {
				ends++
			}
		}
		if ends != 2*repeated {
			t.Errorf("%d ms: %d end packets", span, ends)
		}
	}
	if _, err := NewSequence("12x", 20*time.Millisecond, 8000); !errors.Is(err, ErrKey) {
		t.Errorf("a key that does not exist: %v", err)
	}
}

func FuzzDetector(f *testing.F) {
	f.Add(uint32(1), uint32(1000), event('5', true, 480))
	f.Add(uint32(1), uint32(1000), append(event('5', true, 480), 1, 2, 3))
	f.Fuzz(func(t *testing.T, ssrc, ts uint32, payload []byte) {
		var d Detector
		first := d.Packet(nil, ssrc, ts, payload)
		if len(first) > len(payload)/eventLength {
			t.Errorf("%d keys of %d octets", len(first), len(payload))
		}
		if len(payload) < 2*eventLength {
			if again := d.Packet(nil, ssrc, ts, payload); len(again) > 0 {
				t.Errorf("repeated: %q", again)
			}
		}
	})
}

func TestKeysOfAnInfo(t *testing.T) {
	for body, want := range map[string]byte{
		"Signal=5\r\nDuration=160\r\n": '5', "Signal= 1\r\nDuration= 250": '1', "signal=*\n": '*', "Duration=100\r\nSignal=#\r\n": '#',
		"Signal=10\r\n": '*', "Signal=11": '#', "Signal=d": 'D', "Signal=12": 'A', "7": '7', " # \r\n": '#', "11": '#',
		"": 0, "Signal=": 0, "Signal=16": 0, "Signal=12345678901234567890": 0, "Signal=hf": 0, "Duration=5": 0, "Signal=-1": 0, "é": 0,
	} {
		if got, err := ParseInfo(body); got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %q, %v, want %q", body, got, err, want)
		}
	}
	for mediaType, want := range map[string]bool{
		"application/dtmf-relay": true, "Application/DTMF-Relay; charset=utf-8": true, "application/dtmf": true,
		"application/dtmf-relayed": false, "text/plain": false, "": false,
	} {
		if InInfo(mediaType) != want {
			t.Errorf("%q: %t", mediaType, !want)
		}
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add("Signal=5\r\nDuration=160\r\n")
	f.Add("11")
	f.Fuzz(func(t *testing.T, body string) {
		key, err := ParseInfo(body)
		if (err == nil) != (bytes.IndexByte([]byte(Keys), key) >= 0 && key != 0) {
			t.Errorf("%q: %q, %v", body, key, err)
		}
	})
}
