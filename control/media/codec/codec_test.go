package codec

import (
	"math"
	"testing"
)

// TestKnownValues are from ITU-T G.711 tables 1a and 2a, scaled to 16 bits.
func TestKnownValues(t *testing.T) {
	for _, tt := range []struct {
		codec  Codec
		octet  byte
		linear int16
	}{
		{PCMU, 0x00, -32124}, {PCMU, 0x80, 32124}, {PCMU, 0xff, 0}, {PCMU, 0x7f, 0}, {PCMU, 0xef, 132},
		{PCMA, 0xd5, 8}, {PCMA, 0x55, -8}, {PCMA, 0xaa, 32256}, {PCMA, 0x2a, -32256},
	} {
		got, err := tt.codec.Decode([]byte{tt.octet})
		if err != nil || got[0] != tt.linear {
			t.Errorf("%s %#x: %v, %v, want %d", tt.codec.Name, tt.octet, got, err, tt.linear)
		}
	}
}

func TestEveryOctetSurvives(t *testing.T) {
	for _, c := range []Codec{PCMU, PCMA} {
		for octet := range 256 {
			linear, _ := c.Decode([]byte{byte(octet)})
			back, err := c.Encode(linear)
			if err != nil || (back[0] != byte(octet) && linear[0] != 0) {
				t.Errorf("%s %#x is %d and becomes %#x, %v", c.Name, octet, linear[0], back[0], err)
			}
		}
	}
}

// TestTranscodingKeepsTheLevel allows a step of either law's quantizer.
func TestTranscodingKeepsTheLevel(t *testing.T) {
	for _, way := range [][2]Codec{{PCMU, PCMA}, {PCMA, PCMU}} {
		tr, err := NewTranscoder(way[0], way[1])
		if err != nil {
			t.Fatal(err)
		}
		for octet := range 256 {
			out := make([]byte, 1)
			tr.Rewrite(out, []byte{byte(octet)})
			before, _ := way[0].Decode([]byte{byte(octet)})
			after, _ := way[1].Decode(out)
			if off := math.Abs(float64(before[0]) - float64(after[0])); off > 16+math.Abs(float64(before[0]))/16 {
				t.Errorf("%s %d became %s %d", way[0].Name, before[0], way[1].Name, after[0])
			}
		}
	}
}

func TestSilence(t *testing.T) {
	for _, c := range []Codec{PCMU, PCMA} {
		if pcm, _ := c.Decode([]byte{c.Silence()}); pcm[0] < -8 || pcm[0] > 8 {
			t.Errorf("%s: silence is %d", c.Name, pcm[0])
		}
	}
}

func TestUnknownCodec(t *testing.T) {
	g729 := Codec{Name: "G729", PayloadType: 18, ClockRate: 8000}
	_, e1 := g729.Decode(nil)
	_, e2 := g729.Encode(nil)
	_, e3 := NewTranscoder(g729, PCMU)
	_, e4 := NewTranscoder(PCMU, g729)
	for _, err := range []error{e1, e2, e3, e4} {
		if err == nil {
			t.Error("an unknown codec is taken")
		}
	}
	if !PCMU.Same(Codec{Name: "PCMU", PayloadType: 96, ClockRate: 8000}) || PCMU.Same(PCMA) {
		t.Error("codecs are compared by more than what they are")
	}
}

func TestRewriteDoesNotAllocate(t *testing.T) {
	tr, _ := NewTranscoder(PCMU, PCMA)
	frame := make([]byte, 160)
	if n := testing.AllocsPerRun(100, func() { tr.Rewrite(frame, frame) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
