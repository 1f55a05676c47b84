package rtpstream

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestLost(t *testing.T) {
	tests := []struct {
		name string
		seqs []uint16
		want int64
	}{
		{"nothing came", nil, 0},
		{"one", []uint16{7}, 0},
		{"in order", []uint16{7, 8, 9}, 0},
		{"one missing", []uint16{7, 9}, 1},
		{"reordered", []uint16{7, 9, 8, 10}, 0},
		{"repeated", []uint16{7, 8, 8}, -1},
		{"wraps", []uint16{65534, 65535, 0, 2}, 1},
		{"wraps out of order", []uint16{65534, 0, 65535, 1}, 0},
		{"a lonely packet from far away", []uint16{7, 30000, 8, 9}, 0},
		{"restarts", []uint16{7, 9, 30000, 30001, 30003}, 2},
		{"restarts at zero", []uint16{40000, 65535 - 30000, 65535 - 29999}, 0},
		{"restarts from 65535 to 0", []uint16{30000, 65535, 0, 1}, 0},
	}
	for _, tt := range tests {
		var i Ingress
		for _, s := range tt.seqs {
			i.Packet(1, s)
		}
		if got := i.Lost(); got != tt.want {
			t.Errorf("%s: lost %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestLostOfEarlierSourcesStays(t *testing.T) {
	var i Ingress
	for _, p := range []struct {
		ssrc uint32
		seq  uint16
	}{{1, 10}, {1, 12}, {2, 60000}, {2, 60003}, {1, 13}} {
		i.Packet(p.ssrc, p.seq)
	}
	if got := i.Lost(); got != 3 {
		t.Errorf("lost %d, want 3", got)
	}
}

// TestJitter follows RFC 3550 section 6.4.1 in floating point beside.
func TestJitter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var i Ingress
	var want, transit float64
	start := time.Unix(1e9, 0)
	for n := range 2000 {
		at := time.Duration(n)*ptime + time.Duration(rng.IntN(int(8*time.Millisecond)))
		i.Audio(uint32(0xfffff000)+uint32(n*ticks), rate, start.Add(at))
		now := at.Seconds()*rate - float64(n*ticks)
		if n > 0 {
			want += (math.Abs(now-transit) - want) / 16
		}
		transit = now
	}
	if got := i.Jitter(rate).Seconds() * rate; math.Abs(got-want) > 2 {
		t.Errorf("jitter is %.2f, want %.2f timestamp units", got, want)
	}
	if i.Jitter(0) != 0 {
		t.Error("jitter without a clock")
	}
}

// A timestamp that jumps says that the far end's clock was set anew, and another source
// has a jitter of its own.
func TestJitterIsOfOneTimeline(t *testing.T) {
	var i Ingress
	now := time.Unix(1e9, 0)
	hear := func(ssrc uint32, n uint16, ts uint32) uint32 {
		i.Packet(ssrc, n)
		i.Audio(ts, rate, now)
		return i.Report().Jitter
	}
	hear(1, 1, 0)
	steady := hear(1, 2, 10*ticks)
	for n, jump := range []uint32{1 << 30, 1 << 31, 3 << 30, 10*ticks + maxLeap*rate + 1} {
		if got := hear(1, uint16(3+n), jump); got > steady {
			t.Errorf("jitter was %d, after a jump to %d it is %d", steady, jump, got)
		}
	}
	if got := hear(2, 1, 0); steady == 0 || got != 0 {
		t.Errorf("jitter was %d, another source begins with %d", steady, got)
	}
}

func TestHeader(t *testing.T) {
	want := []byte{0x80, 0xe5, 0x12, 0x34, 1, 2, 3, 4, 0xca, 0xfe, 0xba, 0xbe}
	h := Header{Stamp: Stamp{Sequence: 0x1234, Timestamp: 0x01020304, Marker: true}, Type: 101, SSRC: 0xcafebabe}
	if got := h.Append(nil); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if got, ok := Parse(want); !ok || got != h {
		t.Errorf("%+v, %t", got, ok)
	}
	odd := append([]byte{0xb1}, want[1:]...)
	odd = append(odd, 0, 0, 0, 9)
	h.Marker, h.Type = false, 8
	h.Put(odd)
	if odd[0] != 0xb1 || odd[1] != 8 || odd[15] != 9 {
		t.Errorf("%x", odd)
	}
}

// TestFirstOctets tells RTP, RTCP and everything else apart by every first two
// octets and short length.
func TestFirstOctets(t *testing.T) {
	for first := range 256 {
		for _, second := range []int{0, 101, 191, 192, 200, 223, 224, 255} {
			for length := range 65 {
				p := make([]byte, 64)[:length]
				if length > 0 {
					p[0] = byte(first)
				}
				if length > 1 {
					p[1] = byte(second)
				}
				v2 := first>>6 == 2
				if got, want := IsControl(p), v2 && length >= 8 && second >= 192 && second <= 223; got != want {
					t.Fatalf("%x: control %t", p, got)
				}
				if _, got := Parse(p); got != (v2 && length >= 12+4*(first&15)) {
					t.Fatalf("%x: RTP %t", p, got)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xff})
	f.Add([]byte{0x92, 0xe5})
	f.Fuzz(func(t *testing.T, p []byte) {
		h, ok := Parse(p)
		if !ok {
			return
		}
		q := bytes.Clone(p)
		h.Put(q)
		if !bytes.Equal(p, q) {
			t.Errorf("%x became %x", p, q)
		}
	})
}
